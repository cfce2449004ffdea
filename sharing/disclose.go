package sharing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/jobs"
	"elicense/notice"
	"elicense/store"
)

// Disclosure is statutory disclosure (依法调取): a body that the law entitles, such
// as a court, the police, audit or discipline, sees named fields of the license with
// the number its document names, or of all of the holder's licenses of a type.
// It is no case: two officers stand for it, with the number of the document and
// the article, and the holder is told, at once or when the law lets him be told
// (Art. 18(1), 个人信息保护法 13, 18, 34, 35).
type Disclosure struct {
	ID     string
	Unit   elicense.UnitCode
	Type   elicense.TypeCode
	Holder elicense.HolderRef
	DocNo  string   // of the document that asks
	Basis  string   // law and article
	Fields []string // keys, exactly those that are shown
	// Number is the number on the face of the license the document asks for; where it
	// asks for all of the type, All is set instead.
	Number string
	All    bool
	Reason string
	// TellFrom is the day from which the holder is told; empty is at once. A later
	// one needs TellBasis, the article by which he is not told before.
	TellFrom  elicense.Date
	TellBasis string

	State    string // proposed, approved, refused
	First    elicense.PersonID
	Second   elicense.PersonID
	Officers [2]string // their names when they acted; the second is empty until then
	Proposed time.Time
	Decided  time.Time
	Told     time.Time // zero until the holder is told
	key      elicense.HolderKey
	licenses []elicense.LicenseID // found when it was approved
	seq      int64
	form     int // of its code: see parts
}

// license is the first of the licenses, empty without one.
func (d *Disclosure) license() elicense.LicenseID {
	if len(d.licenses) == 0 {
		return ""
	}
	return d.licenses[0]
}

// Found is how many licenses there are to be read; 0 before it is approved.
func (d *Disclosure) Found() int { return len(d.licenses) }

// ReadUntil is when the two officers can read no more; zero if it was not approved.
func (d *Disclosure) ReadUntil() time.Time {
	if d.State != "approved" {
		return time.Time{}
	}
	return d.Decided.Add(readFor)
}

type disclosureContent struct {
	Holder    elicense.HolderRef `json:"holder"`
	DocNo     string             `json:"docNo"`
	Basis     string             `json:"basis"`
	Fields    []string           `json:"fields"`
	Reason    string             `json:"reason"`
	TellBasis string             `json:"tellBasis,omitempty"`
	Officers  [2]string          `json:"officers"`

	Number   string               `json:"number,omitempty"`
	All      bool                 `json:"all,omitempty"`
	Licenses []elicense.LicenseID `json:"licenses,omitempty"`
}

// The limits of a disclosure.
const (
	maxDisclosed = 30
	// maxFound is how many licenses one disclosure shows at most.
	maxFound  = 50
	maxNumber = 64 // characters
	// readFor is how long the two officers can read what was disclosed.
	readFor = 24 * time.Hour
	// maxDelay is how long a holder may be left untold.
	maxDelay = 366
)

func (d *Disclosure) check(today elicense.Date) error {
	bad := func(field, text string, args ...any) *elicense.Error {
		return elicense.E(elicense.Invalid, text, args...).At(field).Under("第十八条第一款")
	}
	d.DocNo, d.Basis, d.Reason, d.TellBasis = strings.TrimSpace(d.DocNo), strings.TrimSpace(d.Basis), strings.TrimSpace(d.Reason), strings.TrimSpace(d.TellBasis)
	d.Number = strings.TrimSpace(d.Number)
	switch {
	case d.DocNo == "" || len([]rune(d.DocNo)) > 64:
		return bad("docNo", "要写明调取文书的文号")
	case d.Basis == "" || len([]rune(d.Basis)) > 200:
		return bad("basis", "要写明法律名称和条款")
	case len([]rune(d.Reason)) > maxNote:
		return bad("reason", "说明最多%d个字", maxNote)
	case d.Number == "" && !d.All:
		return bad("number", "要写明调取哪一份：文书写明的证照编号，或这个人的全部这类证照")
	case d.Number != "" && d.All:
		return bad("number", "写了证照编号，就不是全部这类证照").Then("请只选一样")
	case len([]rune(d.Number)) > maxNumber:
		return bad("number", "证照编号最多%d个字", maxNumber)
	case len(d.Fields) == 0 || len(d.Fields) > maxDisclosed:
		return bad("fields", "要逐项写明调取的内容，最多%d项", maxDisclosed)
	case d.TellFrom != "" && d.TellBasis == "":
		return bad("tellBasis", "暂不告知持证人，要写明法律依据")
	case d.TellFrom == "" && d.TellBasis != "":
		return bad("tellFrom", "暂不告知持证人，要写明从哪天起告知")
	}
	if d.TellFrom != "" {
		day, err := elicense.ParseDate(string(d.TellFrom))
		if err != nil || day < today || day > elicense.DateOf(today.Start().AddDate(0, 0, maxDelay)) {
			return bad("tellFrom", "告知持证人的日期要在今天以后、一年以内").Because(err)
		}
	}
	return nil
}

// macMoments is the form of a disclosure's code that covers when it was put forward
// and decided: its day of reading begins then. Those of before hold form 1 until they
// are written again.
const macMoments = 2

func (d *Disclosure) parts(content []byte) [][]byte {
	parts := [][]byte{
		[]byte(d.Unit), []byte(d.key), []byte(d.license()), []byte(d.Type), []byte(d.State), []byte(d.First), []byte(d.Second), []byte(d.TellFrom),
		[]byte(strconv.FormatInt(d.seq, 10)), content,
	}
	if d.form == macMoments {
		parts = append(parts, []byte("moments"))
		for _, t := range []time.Time{d.Proposed, d.Decided} {
			micros := int64(0)
			if !t.IsZero() {
				micros = t.UnixMicro()
			}
			parts = append(parts, strconv.AppendInt(nil, micros, 10))
		}
	}
	return parts
}

func (d *Disclosure) put(tx *store.Tx) error {
	content, err := json.Marshal(disclosureContent{d.Holder, d.DocNo, d.Basis, d.Fields, d.Reason, d.TellBasis, d.Officers, d.Number, d.All, d.licenses})
	if err != nil {
		return fmt.Errorf("disclosure: %w", err)
	}
	var decided any
	if !d.Decided.IsZero() {
		decided = d.Decided
	}
	d.seq++
	d.form = macMoments
	_, err = tx.Exec(`INSERT INTO disclosure (id, unit, holder_key, license, type, state, content_enc, first, second, proposed, decided, tell_from, told, seq, mac_form, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, NULL, $13, $14, $15)
		ON CONFLICT (id) DO UPDATE SET license = excluded.license, holder_key = excluded.holder_key, state = excluded.state, second = excluded.second,
		decided = excluded.decided, content_enc = excluded.content_enc, seq = excluded.seq,
		mac_form = excluded.mac_form, mac = excluded.mac`,
		d.ID, d.Unit, d.key, d.license(), d.Type, d.State, tx.Encrypt("disclosure", d.ID, "content_enc", content), d.First, d.Second, d.Proposed, decided,
		d.TellFrom, d.seq, d.form, tx.MAC("disclosure", d.ID, d.parts(content)...))
	return err
}

func disclosures(tx *store.Tx, where string, args ...any) ([]*Disclosure, error) {
	return store.All(tx, func(r *store.Rows) (*Disclosure, error) {
		var d Disclosure
		var b, mac []byte
		var first elicense.LicenseID
		err := r.Scan(&d.ID, &d.Unit, &d.key, &first, &d.Type, &d.State, &b, &d.First, &d.Second, &d.Proposed, &d.Decided, &d.TellFrom, &d.Told, &d.seq, &d.form, &mac)
		if err != nil {
			return nil, err
		}
		if b, err = tx.Decrypt("disclosure", d.ID, "content_enc", b); err != nil {
			return nil, err
		}
		var c disclosureContent
		if err := json.Unmarshal(b, &c); err != nil {
			return nil, fmt.Errorf("disclosure %s: %w", d.ID, err)
		}
		d.Holder, d.DocNo, d.Basis, d.Fields, d.Reason, d.TellBasis, d.Officers = c.Holder, c.DocNo, c.Basis, c.Fields, c.Reason, c.TellBasis, c.Officers
		d.Number, d.All, d.licenses = c.Number, c.All, c.Licenses
		if first != "" && len(d.licenses) == 0 { // from before there could be several
			d.licenses = []elicense.LicenseID{first}
		}
		if first != d.license() {
			return nil, store.ErrTampered
		}
		return &d, tx.CheckMAC(mac, "disclosure", d.ID, d.parts(b)...)
	}, `SELECT id, unit, holder_key, license, type, state, content_enc, first, second, proposed, decided, tell_from, told, seq, mac_form, mac FROM disclosure `+where, args...)
}

// EachDisclosure reads every disclosure; f gets the error of one that is not as it was
// left.
func EachDisclosure(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "disclosure", func(id string) error {
		_, err := disclosures(tx, `WHERE id = $1`, id)
		return f(id, err)
	})
}

// ProposeDisclosure puts a disclosure before a second officer. Whether there is such a
// license is not looked at.
//
// Errors: Invalid naming the field; Forbidden.
func (s *Sharing) ProposeDisclosure(ctx context.Context, actor *elicense.Actor, d Disclosure) (id string, err error) {
	d.Holder = d.Holder.Normalize()
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.DisclosePropose, On: access.Thing{Kind: "Disclosure", ID: "new"},
			Note: access.Note{LicenseType: d.Type, Basis: "依法调取", Purpose: d.DocNo, Fields: d.Fields, Detail: map[string]string{"act": "disclosure"}},
		}, nil
	}
	err = s.guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		if err := d.Holder.Check(elicense.DateOf(tx.Now())); err != nil {
			return err
		}
		if err := d.check(elicense.DateOf(tx.Now())); err != nil {
			return err
		}
		t, err := catalog.Current(tx, d.Type)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(d.Fields, func(k string) bool { return t.Field(k) == nil }) {
			return elicense.E(elicense.Invalid, "要的内容里，有的不是%s的字段", t.Name).At("fields")
		}
		d.ID, d.Unit, d.State, d.First, d.Second, d.Proposed, d.seq, d.licenses, d.key = elicense.NewID[string](tx.Now()), actor.Unit, "proposed", actor.Person, "", tx.Now(), 0, nil, ""
		d.Officers = [2]string{actor.Name}
		id = d.ID
		p.Note.Detail = map[string]string{"act": "disclosure", "id": d.ID}
		return d.put(tx)
	})
	return id, err
}

// DecideDisclosure is the second officer's word. Approved, the fields are shown to
// the two for a day by ReadDisclosure, and the holder is told.
//
// Errors: Forbidden to the first officer and to other units; NotFound; Conflict
// if it was decided.
func (s *Sharing) DecideDisclosure(ctx context.Context, actor *elicense.Actor, id string, approve bool) error {
	return s.guard.Write(ctx, s.disclosureRequest(actor, access.DiscloseApprove, id), func(tx *store.Tx, p *access.Permit) error {
		d, err := one(disclosures(tx, `WHERE id = $1`, id))
		if err != nil {
			return err
		}
		if d.State != "proposed" {
			return elicense.E(elicense.Conflict, "这次调取已经办过")
		}
		d.Second, d.Officers[1], d.Decided, d.State = actor.Person, actor.Name, tx.Now(), "refused"
		p.Note.Detail = map[string]string{"act": "disclosure", "id": d.ID, "approve": strconv.FormatBool(approve)}
		if !approve {
			return d.put(tx)
		}
		d.State = "approved"
		h, err := tx.Holder(d.Holder, false)
		if err != nil && !elicense.IsKind(err, elicense.NotFound) {
			return err
		}
		if h != "" {
			lics, err := tx.LicensesOf(h, d.Type)
			if err != nil {
				return unreadable(err)
			}
			d.key = h
			if d.licenses, err = d.matching(tx, lics); err != nil {
				return err
			}
		}
		p.Note.License, p.Note.Holder, p.Note.Detail["licenses"] = d.license(), d.key, strconv.Itoa(len(d.licenses))
		if err := d.put(tx); err != nil || len(d.licenses) == 0 {
			return err
		}
		job := jobs.Job{Kind: DiscloseJob, Key: d.ID, Payload: []byte(d.ID)}
		if d.TellFrom != "" {
			job.RunAt = d.TellFrom.Start()
		}
		return jobs.Enqueue(tx, job)
	})
}

// matching picks those of a holder's licenses of the type the document asks for.
func (d *Disclosure) matching(tx *store.Tx, lics []*elicense.License) (ids []elicense.LicenseID, err error) {
	for _, lic := range lics {
		if !d.All {
			v, err := tx.Version(lic, 0)
			if err != nil {
				return nil, unreadable(err)
			}
			if v.FaceNumber != d.Number {
				continue
			}
		}
		if len(ids) == maxFound {
			return nil, elicense.E(elicense.TooLarge, "他的这类证照超过%d份", maxFound).Then("请不同意这一次，按文书写明的证照编号重新提出")
		}
		ids = append(ids, lic.ID)
	}
	return ids, nil
}

func one(list []*Disclosure, err error) (*Disclosure, error) {
	if err == nil && len(list) == 0 {
		err = elicense.E(elicense.NotFound, "没有这次调取")
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

func (s *Sharing) disclosureRequest(actor *elicense.Actor, act access.Act, id string) func(*store.Tx) (access.Request, error) {
	return s.disclosureOf(actor, act, id, 0)
}

// disclosureOf asks the law about a disclosure; what is recorded is of its n-th
// license.
func (s *Sharing) disclosureOf(actor *elicense.Actor, act access.Act, id string, n int) func(*store.Tx) (access.Request, error) {
	return func(tx *store.Tx) (access.Request, error) {
		d, err := one(disclosures(tx, `WHERE id = $1`, id))
		if elicense.IsKind(err, elicense.NotFound) {
			d, err = &Disclosure{}, nil
		}
		if err != nil {
			return access.Request{}, err
		}
		fresh := tx.Now().Before(d.ReadUntil())
		var license elicense.LicenseID
		if n < len(d.licenses) {
			license = d.licenses[n]
		}
		return access.Request{
			Actor: actor, Act: act,
			On: access.Thing{Kind: "Disclosure", ID: id, Attr: access.Attr{"unit": string(d.Unit), "first": string(d.First), "second": string(d.Second), "fresh": fresh}},
			Note: access.Note{
				License: license, LicenseType: d.Type, Holder: d.key, Basis: "依法调取", Purpose: d.DocNo, Fields: d.Fields, Detail: map[string]string{"act": "disclosure", "id": d.ID},
			},
		}, nil
	}
}

// ReadDisclosure shows the fields of an approved disclosure to one of its two
// officers, of each license; each look is on record with its license.
//
// Errors: Forbidden to others and after a day; NotFound if the person has no such
// license.
func (s *Sharing) ReadDisclosure(ctx context.Context, actor *elicense.Actor, id string) (list []*Result, err error) {
	for n, of := 0, 1; n < of; n++ {
		r, found, err := s.readDisclosed(ctx, actor, id, n)
		if err != nil {
			return nil, err
		}
		list, of = append(list, r), found
	}
	return list, nil
}

// readDisclosed shows the n-th license of a disclosure, and tells how many there are.
func (s *Sharing) readDisclosed(ctx context.Context, actor *elicense.Actor, id string, n int) (r *Result, found int, err error) {
	res, answer, err := access.Get(ctx, s.guard, s.disclosureOf(actor, access.DiscloseRead, id, n), func(tx *store.Tx, p *access.Permit) (*Result, error) {
		d, err := one(disclosures(tx, `WHERE id = $1`, id))
		if err != nil {
			return nil, err
		}
		if found = len(d.licenses); n >= found {
			return nil, elicense.E(elicense.NotFound, "没有查到他的这类证照").Then("请核对文书上的持证主体和证照编号")
		}
		lic, err := tx.License(d.licenses[n])
		if err != nil {
			return nil, unreadable(err)
		}
		f, err := s.found(tx, lic)
		if err != nil {
			return nil, err
		}
		v, err := tx.Version(lic, 0)
		if err != nil {
			return nil, unreadable(err)
		}
		t, err := catalog.VersionOf(tx, lic.Type, lic.TypeVersion)
		if err != nil {
			return nil, err
		}
		r := &Result{Found: *f, Fields: access.Project(v.Fields, d.Fields)}
		for _, x := range t.Fields {
			if _, shown := r.Fields[x.Key]; shown {
				r.Labels = append(r.Labels, x)
			}
		}
		p.Note.Detail = map[string]string{"act": "disclosure", "id": d.ID, "version": strconv.Itoa(lic.Standing.Version), "status": string(f.Status)}
		r.Watermark = fmt.Sprintf("%s %s %s %s", actor.UnitName, actor.Name, d.DocNo, s.now().In(elicense.Shanghai).Format("2006-01-02 15:04"))
		return r, nil
	})
	if err != nil {
		return nil, 0, err
	}
	res.Receipt = answer
	return res, found, nil
}

// Disclosure opens one to an officer of its unit, without what is disclosed.
//
// Errors: Forbidden to others, also if there is none.
func (s *Sharing) Disclosure(ctx context.Context, actor *elicense.Actor, id string) (*Disclosure, error) {
	d, _, err := access.Get(ctx, s.guard, s.disclosureRequest(actor, access.DiscloseLook, id), func(tx *store.Tx, _ *access.Permit) (*Disclosure, error) {
		return one(disclosures(tx, `WHERE id = $1`, id))
	})
	return d, err
}

// Disclosures lists the disclosures of the actor's unit, the newest first.
//
// Errors: Forbidden to who has not the duty.
func (s *Sharing) Disclosures(ctx context.Context, actor *elicense.Actor, limit int) ([]*Disclosure, error) {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{Actor: actor, Act: access.DisclosePropose, On: access.Thing{Kind: "Disclosure", ID: "list"}, Note: access.Note{Detail: map[string]string{"act": "disclosures"}}}, nil
	}
	list, _, err := access.Get(ctx, s.guard, build, func(tx *store.Tx, _ *access.Permit) ([]*Disclosure, error) {
		return disclosures(tx, `WHERE unit = $1 ORDER BY id DESC LIMIT $2`, actor.Unit, limit)
	})
	return list, err
}

// DisclosureFigures are the counts of one unit's disclosures: that there were any,
// and never of whom or what.
type DisclosureFigures struct {
	Unit                                 elicense.UnitCode
	UnitName                             string
	Proposed, Waiting, Approved, Refused int // put forward in the time; of those
	Untold                               int // approved of these, whose holder is not told yet
}

// DisclosureFigures counts the disclosures put forward on the days from and to, by
// unit, the most first.
//
// Errors: Forbidden to who may not see the figures of all units.
func (s *Sharing) DisclosureFigures(ctx context.Context, actor *elicense.Actor, from, to elicense.Date) ([]DisclosureFigures, error) {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.FiguresRead, On: access.Thing{Kind: "Figures", ID: "disclosures", Attr: access.Attr{"unit": ""}},
			Note: access.Note{Detail: map[string]string{"from": string(from), "to": string(to)}},
		}, nil
	}
	list, _, err := access.Get(ctx, s.guard, build, func(tx *store.Tx, _ *access.Permit) ([]DisclosureFigures, error) {
		return store.All(tx, func(r *store.Rows) (f DisclosureFigures, err error) {
			if err = r.Scan(&f.Unit, &f.Proposed, &f.Waiting, &f.Approved, &f.Refused, &f.Untold); err == nil {
				f.UnitName = s.unitName(tx, f.Unit)
			}
			return f, err
		}, `SELECT unit, COUNT(*), COUNT(*) FILTER (WHERE state = 'proposed'), COUNT(*) FILTER (WHERE state = 'approved'),
			COUNT(*) FILTER (WHERE state = 'refused'), COUNT(*) FILTER (WHERE state = 'approved' AND license <> '' AND told IS NULL)
			FROM disclosure WHERE proposed >= $1 AND proposed < $2 GROUP BY unit ORDER BY 2 DESC, unit`, from.Start(), to.End())
	})
	return list, err
}

// toldOf tells whether the holder has been told of a disclosure.
func toldOf(tx *store.Tx, id string) (bool, error) {
	var told time.Time
	err := tx.Row(`SELECT told FROM disclosure WHERE id = $1`, id).Scan(&told)
	if elicense.IsKind(err, elicense.NotFound) {
		return false, nil
	}
	return !told.IsZero(), err
}

// DiscloseJob is the kind of the jobs that tell a holder of a disclosure, on the
// day the law allows.
const DiscloseJob = "disclosure-tell"

// TellDisclosure tells the holder, once. It is the handler of DiscloseJob.
func (s *Sharing) TellDisclosure(ctx context.Context, payload []byte) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		d, err := one(disclosures(tx, `WHERE id = $1`, string(payload)))
		if err != nil {
			return err
		}
		n, err := tx.Exec(`UPDATE disclosure SET told = $1 WHERE id = $2 AND told IS NULL`, tx.Now(), d.ID)
		if err == nil && n > 0 {
			t, terr := catalog.Current(tx, d.Type)
			if terr != nil {
				return terr
			}
			for _, id := range d.licenses {
				if err = notice.Send(tx, notice.HolderInbox(d.key), notice.Notice{
					Kind: "disclosed", Text: "%s依据%s（%s）调取了您的%s", Args: []string{s.unitName(tx, d.Unit), d.Basis, d.DocNo, t.Name}, Link: "/holder/licenses/" + string(id),
				}); err != nil {
					return err
				}
			}
		}
		if err != nil {
			return err
		}
		return jobs.Done(tx, jobs.Current(ctx))
	})
}
