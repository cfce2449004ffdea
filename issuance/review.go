package issuance

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/document"
	"elicense/jobs"
	"elicense/notice"
	"elicense/org"
	"elicense/registry"
	"elicense/sealing"
	"elicense/store"
)

func (i *Issuer) request(actor *elicense.Actor, act access.Act, id elicense.DraftID) func(*store.Tx) (access.Request, error) {
	return DraftRequest(actor, act, id)
}

// DraftRequest asks the law about a draft. One that does not exist is nobody's.
func DraftRequest(actor *elicense.Actor, act access.Act, id elicense.DraftID) func(*store.Tx) (access.Request, error) {
	return func(tx *store.Tx) (access.Request, error) {
		d, err := Of(tx, id)
		if elicense.IsKind(err, elicense.NotFound) {
			d = &Draft{}
		} else if err != nil {
			return access.Request{}, err
		}
		req := access.Request{
			Actor: actor, Act: act,
			On: access.Thing{Kind: "Draft", ID: string(id), Attr: access.Attr{
				"unit": string(d.Unit), "drafters": personStrings(d.Drafters), "issuers": []string{string(d.Unit)},
			}},
			Note: access.Note{License: d.License, LicenseType: d.Type, Holder: d.Owner, Detail: map[string]string{"draft": string(id)}},
		}
		if d.Seq > 0 {
			req.Rests = []access.Rests{{Query: `SELECT seq FROM draft WHERE id = $1`, Args: []any{string(id)}, Want: d.Seq}}
		}
		return req, nil
	}
}

// Summary is a draft in a list: without contents.
type Summary struct {
	*Draft
	Holder string // name of the first holder, masked
}

// Queue lists the drafts of the actor's unit in the given states, the earliest
// due first, of those published the latest, at most limit of each state.
func (i *Issuer) Queue(ctx context.Context, actor *elicense.Actor, limit int, states ...State) (list []Summary, err error) {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.DraftRead,
			On: access.Thing{Kind: "Draft", ID: "queue", Attr: access.Attr{"unit": string(actor.Unit)}},
		}, nil
	}
	list, _, err = access.Get(ctx, i.Guard, build, func(tx *store.Tx, _ *access.Permit) (list []Summary, err error) {
		for _, s := range states {
			// The rows of a lot are handled with it, but for those that were stopped.
			where := `WHERE unit = $1 AND state = $2 AND (lot = '' OR state = 'draft') ORDER BY due, id LIMIT $3`
			if s == Published {
				where = `WHERE unit = $1 AND state = $2 AND lot = '' ORDER BY due DESC, id DESC LIMIT $3`
			}
			ds, err := drafts(tx, where, actor.Unit, s, limit)
			if err != nil {
				return nil, err
			}
			for _, d := range ds {
				if d.Withdrawn {
					continue
				}
				if err := NoteHalted(tx, d); err != nil {
					return nil, err
				}
				if err := NotePaper(tx, d); err != nil {
					return nil, err
				}
				list = append(list, Summary{d, access.MaskHolder(d.Holders[0]).Name})
			}
		}
		return list, nil
	})
	return list, err
}

// Review is what a reviewer sees: the draft, its type, the version before and
// the names of the persons.
type Review struct {
	*Draft
	TypeEntry *catalog.Type
	Before    *elicense.Version // nil for a new license
	DrafterBy string
}

// Get returns a draft to its unit. Errors: Forbidden, also if there is no such
// draft.
func (i *Issuer) Get(ctx context.Context, actor *elicense.Actor, id elicense.DraftID) (*Review, error) {
	r, _, err := access.Get(ctx, i.Guard, i.request(actor, access.DraftRead, id), func(tx *store.Tx, _ *access.Permit) (*Review, error) {
		return review(tx, id)
	})
	return r, err
}

func review(tx *store.Tx, id elicense.DraftID) (*Review, error) {
	d, err := Of(tx, id)
	if err != nil {
		return nil, err
	}
	if d.Withdrawn {
		return nil, ErrWithdrawn()
	}
	if err := NoteHalted(tx, d); err != nil {
		return nil, err
	}
	r := &Review{Draft: d, DrafterBy: "业务系统推送"}
	if r.TypeEntry, err = catalog.VersionOf(tx, d.Type, d.TypeVersion); err != nil {
		return nil, err
	}
	if err := NotePaper(tx, d); err != nil {
		return nil, err
	}
	if d.Drafter != "" {
		if r.DrafterBy, err = org.PersonName(tx, d.Drafter); err != nil {
			return nil, err
		}
	}
	if d.Version > 1 {
		lic, err := tx.License(d.License)
		if err != nil {
			return nil, err
		}
		if r.Before, err = tx.Version(lic, d.Version-1); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Preview draws the face of a draft exactly as it will be sealed, one SVG a
// page, with the unit's seal where it will stand.
//
// Errors: Forbidden; Unavailable without fonts or seal; Invalid if the face can
// not be laid out.
func (i *Issuer) Preview(ctx context.Context, actor *elicense.Actor, id elicense.DraftID) ([][]byte, error) {
	r, err := i.Get(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	p, err := i.prepare(ctx, r.Draft, r.TypeEntry)
	if err != nil {
		return nil, err
	}
	stamp, err := i.Seals.InHand(ctx, r.Unit, sealing.ForLicenses)
	if elicense.IsKind(err, elicense.NotFound) {
		return p.SVG(), nil
	}
	if err != nil {
		return nil, err
	}
	return p.SVGWithSeal(stamp.Seal)
}

func errNoFonts() error {
	return elicense.E(elicense.Unavailable, "字体缺失：这台机器没有中文字体，不能制作证照").Then("请管理员安装字体后重启，草稿会继续等待")
}

// prepare lays the draft out as the document it will be. The same draft gives
// the same document, so that what was reviewed is what is sealed.
func (i *Issuer) prepare(ctx context.Context, d *Draft, t *catalog.Type) (*document.Prepared, error) {
	if i.Maker == nil {
		return nil, errNoFonts()
	}
	issuer := ""
	err := i.DB.View(ctx, func(tx *store.Tx) error {
		u, err := org.UnitOf(tx, d.Unit)
		if err == nil {
			issuer = u.Name
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if d.Origin != Fresh && d.SealedOn == "" { // as it would be sealed today
		today := *d
		today.SealedOn = elicense.DateOf(i.DB.Now())
		d = &today
	}
	return Layout(i.Maker, t, d, issuer, i.Sample)
}

// Layout lays out a draft in the name of its issuer; sample prints 样本 across it.
//
// Errors: Invalid naming the field if the face can not be laid out.
func Layout(maker *document.Maker, t *catalog.Type, d *Draft, issuer string, sample bool) (*document.Prepared, error) {
	p, err := maker.Prepare(content(t, d, issuer, sample))
	return p, layoutError(t, err)
}

// content is what the file of a draft says.
func content(t *catalog.Type, d *Draft, issuer string, sample bool) document.Content {
	data := t.FaceData(issuer, d.Fields, d.IssuedOn, d.Identifier, d.CheckURL)
	data.Sample, data.Note = sample, d.note()
	return document.Content{
		DocID: d.DocID, Title: t.Name, Date: d.IssuedOn.Start(), Metadata: metadata(t, d, issuer), Face: t.Face,
		Data: data,
	}
}

// layoutError says in a sentence why a face could not be laid out.
func layoutError(t *catalog.Type, err error) error {
	if err == nil {
		return nil
	}
	if field, sentence, ok := catalog.FieldProblem(err); ok {
		return elicense.E(elicense.Invalid, "%s", sentence).At(field).Then("请核对内容和用字；确是生僻字，请管理员补充字体").Because(err)
	}
	return fmt.Errorf("face of %s: %w", t.Code, err)
}

// metadata is the file's metadata by the short names of GB/T 36903-2018; it holds
// nothing the face does not show.
func metadata(t *catalog.Type, d *Draft, issuer string) []document.Pair {
	list := []document.Pair{
		{Name: "ZZMC", Value: t.Name}, {Name: "ZZLXDM", Value: string(t.Code)}, {Name: "ZZBS", Value: string(d.Identifier)},
		{Name: "ZZBFJG", Value: issuer}, {Name: "ZZBFJGDM", Value: string(d.Unit)}, {Name: "ZZBFRQ", Value: string(d.IssuedOn)},
	}
	add := func(name, key string) {
		if v := d.Fields[key]; key != "" && v != "" {
			list = append(list, document.Pair{Name: name, Value: v})
		}
	}
	add("ZZBH", t.Roles.Number)
	add("CZZT", t.Roles.HolderName)
	add("CZZTDM", t.Roles.HolderCode)
	add("ZZYXQQSRQ", t.Roles.ValidFrom)
	add("ZZYXQJZRQ", t.Roles.ValidTo)
	if d.CheckURL != "" && showsCode(t) {
		list = append(list, document.Pair{Name: CheckAddress, Value: d.CheckURL})
	}
	return list
}

// CheckAddress names, in a file's metadata, the address its status is asked at
// (查验地址): an extension of GB/T 36903-2018, whose names begin with KZ_. It is
// what the QR code on the face says.
const CheckAddress = "KZ_CYDZ"

func showsCode(t *catalog.Type) bool {
	if t.Face == nil {
		return false
	}
	for i := range t.Face.Pages {
		for _, c := range t.Face.Pages[i].Codes {
			if c.Kind == "qr" {
				return true
			}
		}
	}
	return false
}

// Edit changes what a draft says and checks it anew; a clean draft goes to
// review. seq is the draft's number the caller saw.
//
// Errors: Forbidden; Conflict if the draft changed or is past editing.
func (i *Issuer) Edit(ctx context.Context, actor *elicense.Actor, id elicense.DraftID, seq int64, holders []elicense.HolderRef, fields map[string]string) (*Draft, error) {
	for n := range holders {
		holders[n] = holders[n].Normalize()
	}
	if len(holders) == 0 || len(holders) > maxHolders {
		return nil, elicense.E(elicense.Invalid, "要有1到%d个持证主体", maxHolders).At("holders")
	}
	build := i.request(actor, access.DraftMake, id)
	var comparison Comparison
	var all []Comparison
	if i.may(ctx, build) {
		comparison, all = i.compare(ctx, holders, fields)
	}
	var d *Draft
	err := i.Guard.Write(ctx, build, func(tx *store.Tx, _ *access.Permit) error {
		var err error
		if d, err = editable(tx, id, seq, Open, InReview); err != nil {
			return err
		}
		t, err := catalog.VersionOf(tx, d.Type, d.TypeVersion)
		if err != nil {
			return err
		}
		if d.Version > 1 {
			if err := sameHolders(d.Holders, holders); err != nil {
				return err
			}
		}
		if d.Version == 1 && (d.Holders[0].Code != holders[0].Code || d.Holders[0].CodeType != holders[0].CodeType) {
			if d.Owner, err = tx.Holder(holders[0], true); err != nil {
				return err
			}
		}
		d.Holders, d.Fields, d.Remark, d.Drafter, d.DrafterAcc = holders, fields, "", actor.Person, actor.Account
		if !slices.Contains(d.Drafters, actor.Person) {
			d.Drafters = append(d.Drafters, actor.Person)
		}
		judge(t, d, comparison, elicense.DateOf(tx.Now()))
		if d.State == InReview {
			d.Submitted = tx.Now()
		}
		if err := keepComparisons(tx, d, all); err != nil {
			return err
		}
		return update(tx, d)
	})
	return d, err
}

func editable(tx *store.Tx, id elicense.DraftID, seq int64, states ...State) (*Draft, error) {
	d, err := Of(tx, id)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(states, d.State) {
		return nil, elicense.E(elicense.Conflict, "这份草稿%s，不能再办", d.State.Chinese()).Under("第七条第一款")
	}
	if d.Seq != seq {
		return nil, d.unlike(seq)
	}
	return d, leaveLot(tx, d)
}

// leaveLot takes a row that was stopped out of its lot, to be handled by itself.
func leaveLot(tx *store.Tx, d *Draft) error {
	if d.Lot == "" {
		return nil
	}
	if d.State != Open {
		return elicense.E(elicense.Conflict, "这份草稿是批次里的一行，要和批次一起办").Then("请打开批次办理")
	}
	l, err := bareLot(tx, d.Lot)
	if err != nil {
		return err
	}
	l.Rows--
	d.Lot = ""
	return l.update(tx)
}

// Return gives a draft back to its drafter with a remark (退回).
func (i *Issuer) Return(ctx context.Context, actor *elicense.Actor, id elicense.DraftID, seq int64, remark string) error {
	remark = strings.TrimSpace(remark)
	if remark == "" {
		return elicense.E(elicense.Invalid, "退回要写明原因").At("remark")
	}
	return i.Guard.Write(ctx, i.request(actor, access.DraftReview, id), func(tx *store.Tx, _ *access.Permit) error {
		d, err := editable(tx, id, seq, InReview)
		if err != nil {
			return err
		}
		d.State, d.Remark = Open, remark
		if err := tellDrafter(tx, d, "returned", "%s的草稿被退回：%s", d.TypeName, remark); err != nil {
			return err
		}
		return update(tx, d)
	})
}

func tellDrafter(tx *store.Tx, d *Draft, kind, text string, args ...string) error {
	if d.DrafterAcc == "" {
		return nil
	}
	return notice.Send(tx, notice.AccountInbox(d.DrafterAcc), notice.Notice{Kind: kind, Text: text, Args: args, Link: "/issue/drafts/" + string(d.ID)})
}

// Discard ends a draft without a license (作废).
func (i *Issuer) Discard(ctx context.Context, actor *elicense.Actor, id elicense.DraftID, seq int64) error {
	return i.Guard.Write(ctx, i.request(actor, access.DraftMake, id), func(tx *store.Tx, _ *access.Permit) error {
		d, err := editable(tx, id, seq, Open, InReview)
		if err != nil {
			return err
		}
		d.State = Void
		if err := d.forget(tx); err != nil {
			return err
		}
		if err := registry.Settle(tx, string(d.ID)); err != nil {
			return err
		}
		return update(tx, d)
	})
}

// forget lets the case of a draft that ends without a license be posted again.
func (d *Draft) forget(tx *store.Tx) error {
	for _, index := range tx.Indexes(completionIndex, d.Case) {
		if _, err := tx.Exec(`DELETE FROM completion WHERE unit = $1 AND case_index = $2 AND item = $3`, d.Unit, index, d.Item); err != nil {
			return err
		}
	}
	return nil
}

// qualified sees that a third party that issues holds the license its
// qualification rests on, in force today (Art. 2).
func qualified(tx *store.Tx, unit elicense.UnitCode, t *catalog.Type) error {
	u, err := org.UnitOf(tx, unit)
	if err != nil || u.Kind != org.ThirdParty {
		return err
	}
	if t.Qualification == "" { // of an entry from before it was asked for
		return elicense.E(elicense.Forbidden, "不能签发：类别登记没有写明第三方机构凭哪类资质签发").Under("第二条").Then("请登记单位登记写明资质的新版本")
	}
	lapsed := elicense.E(elicense.Forbidden, "不能签发：本单位没有有效的法定资质").Under("第二条").Then("请先延续或取得资质证照，再签发")
	holder, err := tx.Holder(elicense.HolderRef{CodeType: elicense.CodeUSCC, Code: string(unit)}, false)
	if elicense.IsKind(err, elicense.NotFound) {
		return lapsed
	}
	if err != nil {
		return err
	}
	list, err := tx.LicensesOf(holder, t.Qualification)
	if err != nil {
		return err
	}
	for _, l := range list {
		if l.StatusAt(tx.Now()).Usable() {
			return nil
		}
	}
	return lapsed
}

// Approve is the reviewer's act (审核, Art. 7(1)): another real person than the
// drafter confirms that the face is right. What he saw, by its digest, is what
// will be sealed; sealing and publishing follow in the background. The number seq
// stands for what the draft says and for the documents that go with it, by their
// digests. reason is asked for if a base registry could not be reached.
//
// Errors: Forbidden; Conflict if the draft changed or its documents did; Invalid if it has findings;
// Unavailable without fonts or without an enabled seal.
func (i *Issuer) Approve(ctx context.Context, actor *elicense.Actor, id elicense.DraftID, seq int64, reason string) error {
	return i.approve(ctx, actor, id, seq, nil, reason)
}

// Shown is a draft with its face, for a reviewer to judge beside others.
type Shown struct {
	*Review
	Digest  []byte // SM3 of face and metadata, to be given back to ApproveShown
	Trouble error  // why the face can't be shown
}

// Show returns a draft with the digest of its face as it would be sealed now.
// Errors: as of Get.
func (i *Issuer) Show(ctx context.Context, actor *elicense.Actor, id elicense.DraftID) (*Shown, error) {
	r, err := i.Get(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	s := &Shown{Review: r}
	p, err := i.prepare(ctx, r.Draft, r.TypeEntry)
	if err != nil {
		s.Trouble = err
		return s, nil
	}
	digest := p.Digest()
	s.Digest = digest[:]
	return s, nil
}

// ApproveShown is Approve of the very face the reviewer was shown, by its digest.
//
// Errors: as of Approve; Conflict if the face is another by now; Invalid without one.
func (i *Issuer) ApproveShown(ctx context.Context, actor *elicense.Actor, id elicense.DraftID, seq int64, shown []byte, reason string) error {
	return i.approve(ctx, actor, id, seq, append([]byte{}, shown...), reason)
}

func (i *Issuer) approve(ctx context.Context, actor *elicense.Actor, id elicense.DraftID, seq int64, shown []byte, reason string) error {
	reason = strings.TrimSpace(reason)
	r, err := i.Get(ctx, actor, id)
	if err != nil {
		return err
	}
	if r.Origin != Fresh {
		r.SealedOn = elicense.DateOf(i.DB.Now())
	}
	p, err := i.prepare(ctx, r.Draft, r.TypeEntry)
	if err != nil {
		return err
	}
	if _, err := i.Seals.InHand(ctx, r.Unit, sealing.ForLicenses); err != nil {
		return err
	}
	build := i.request(actor, access.DraftReview, id)
	var comparison Comparison
	var all []Comparison
	if i.may(ctx, build) {
		comparison, all = i.compare(ctx, r.Holders, r.Fields)
	}
	digest := p.Digest()
	err = i.Guard.Write(ctx, build, func(tx *store.Tx, permit *access.Permit) error {
		d, err := editable(tx, id, seq, InReview)
		if err != nil {
			return err
		}
		switch {
		case shown == nil: // the number stands for it
		case len(shown) == 0:
			return elicense.E(elicense.Invalid, "没有说明看的是哪一份照面").At("digest").Then("请打开照面核对后再通过")
		case !bytes.Equal(shown, digest[:]):
			return elicense.E(elicense.Conflict, "照面和您看过的不同了").Under("第七条第一款").Then("请重新打开照面，核对后再通过")
		}
		d.Comparison = comparison
		if err := qualified(tx, d.Unit, r.TypeEntry); err != nil {
			return err
		}
		if d.Blocked() {
			return elicense.E(elicense.Invalid, "不能通过：还有检查没有过").Under("第九条").Then("请退回更正")
		}
		if comparison.Outcome == Unavailable && reason == "" {
			return elicense.E(elicense.Invalid, "基础信息比对服务不可用，要写明为什么仍然通过").At("reason").Under("第九条第二款")
		}
		// The number is this license's from here on, before any key is used.
		if number := d.Fields[r.TypeEntry.Roles.Number]; number != "" {
			lic := &elicense.License{ID: d.License, Owner: d.Owner, Type: d.Type, Issuer: d.Unit}
			if err := tx.TakeNumber(lic, number); err != nil {
				return err
			}
		}
		if err := keepComparisons(tx, d, all); err != nil {
			return err
		}
		if waits(all) {
			again := jobs.Job{Kind: compareJob, Key: string(d.ID), Payload: []byte(d.ID), RunAt: tx.Now().Add(compareAfter), Most: compareTries}
			if err := jobs.Enqueue(tx, again); err != nil {
				return err
			}
		}
		d.ReviewerAcc, d.SealedOn = actor.Account, r.SealedOn
		d.State, d.Reviewer, d.Reviewed, d.Reason, d.Digest, d.Trouble = Sealing, actor.Person, tx.Now(), reason, digest[:], ""
		permit.Note.Detail["comparison"] = string(comparison.Outcome)
		if documents := d.documentsDigest(); documents != "" {
			permit.Note.Detail["documents"] = documents
		}
		if err := jobs.Enqueue(tx, jobs.Job{Kind: sealJob, Key: string(d.ID), Payload: []byte(d.ID)}); err != nil {
			return err
		}
		return update(tx, d)
	})
	if err == nil {
		store.CrashPoint("issuance.approved")
	}
	return err
}

// Delay is how a published draft stood against Art. 7.
func (d *Draft) Delay() (late bool, by time.Duration) {
	if d.Due.IsZero() || d.Published.IsZero() {
		return false, 0
	}
	return d.Published.After(d.Due), d.Published.Sub(d.Due)
}

func personStrings(list []elicense.PersonID) []string {
	s := make([]string, len(list))
	for i, p := range list {
		s[i] = string(p)
	}
	return s
}
