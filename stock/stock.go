// Package stock catches up with licenses that are on paper: the stock (存量证照)
// issued before the Measures came into force on 2017-07-08 and still valid, and
// licenses of later date that were never made (补生成). Art. 8, 22.
//
// What is on the paper is entered twice, by two persons who do not see each other's
// entry, with a picture of the paper attached. Where both say the same, a draft of
// room issuance is made, which is reviewed, sealed and published like any other and
// whose face says what it is and when it was sealed. Where they differ, a third look
// at the picture decides, field by field. A programme says how many licenses of a
// type a unit has to catch up with; a sample of what was published is held against
// the pictures. Many are entered from tables, of which each row is an entry like any
// other (see papers.go).
package stock

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/issuance"
	"elicense/store"
)

// State is where an entry stands.
type State string

// The states of an entry.
const (
	Once    State = "once"    // 待二录: entered by one
	Differs State = "differs" // 不一致: the entries differ
	Made    State = "made"    // 已转草稿: a draft was made of it
	Refused State = "refused" // 不予补录: not to be caught up with
)

var stateWords = map[State]string{Once: "待二录", Differs: "两次录入不一致", Made: "已转草稿", Refused: "不予补录"}

// Chinese returns the word shown to people.
func (s State) Chinese() string { return stateWords[s] }

// Typed is what a person read off the paper.
type Typed struct {
	Holders  []elicense.HolderRef `json:"holders"`
	Fields   map[string]string    `json:"fields"`
	IssuedOn elicense.Date        `json:"issuedOn"`
	Closed   elicense.Date        `json:"closed"` // the day the case was closed, of Late; empty for Stock
	DocNo    string               `json:"docNo"`
}

// Scan is the picture of the paper.
type Scan struct {
	File   string `json:"file"`   // in the file store
	Digest []byte `json:"digest"` // SM3
	Name   string `json:"name"`   // as it was sent
	Kind   string `json:"kind"`   // media type
}

// Entry is a license on paper on its way to a draft.
type Entry struct {
	ID          string
	Unit        elicense.UnitCode
	Type        elicense.TypeCode
	TypeVersion int
	TypeName    string
	Origin      issuance.Origin
	State       State
	FirstBy     elicense.PersonID
	SecondBy    elicense.PersonID
	SettledBy   elicense.PersonID // who decided between two entries, or refused
	Draft       elicense.DraftID
	Asked       int // how often windows reported the license missing when it was entered (Art. 12)
	Created     time.Time
	Ended       time.Time
	Seq         int64
	content
}

type content struct {
	Scan    Scan     `json:"scan"`
	First   Typed    `json:"first"`
	Second  *Typed   `json:"second,omitempty"`
	Differ  []string `json:"differ,omitempty"` // keys of what differs: a field's, or holders, issuedOn, closed, docNo
	Refusal string   `json:"refusal,omitempty"`
}

// Config is what a Stock needs; all of it is required.
type Config struct {
	DB     *store.DB
	Guard  *access.Guard
	Issuer *issuance.Issuer
	// Missing counts the open reports of windows that a holder's license of a type
	// at the unit was not to be found (Art. 12).
	Missing func(tx *store.Tx, issuer elicense.UnitCode, t elicense.TypeCode, holder elicense.HolderKey) (int, error)
}

// Stock catches up.
type Stock struct{ Config }

// New returns a Stock.
func New(c Config) *Stock { return &Stock{c} }

const (
	// MaxScan bounds the picture of a paper in bytes.
	MaxScan = 10 << 20
	// FilePrefix begins the names of pictures in the file store.
	FilePrefix = "stock/"

	maxNote = 200 // characters of a reason
)

var kinds = []string{"application/pdf", "image/jpeg", "image/png"}

// about asks the law about an entry as about a draft: it will be one.
func about(actor *elicense.Actor, act access.Act, id string, read func(*store.Tx) (*Entry, error)) func(*store.Tx) (access.Request, error) {
	return func(tx *store.Tx) (access.Request, error) {
		e, err := read(tx)
		if elicense.IsKind(err, elicense.NotFound) {
			e = &Entry{}
		} else if err != nil {
			return access.Request{}, err
		}
		req := access.Request{
			Actor: actor, Act: act,
			On: access.Thing{Kind: "Draft", ID: id, Attr: access.Attr{
				"unit": string(e.Unit), "issuers": []string{string(e.Unit)}, "drafters": []string{string(e.FirstBy)},
			}},
			Note: access.Note{LicenseType: e.Type, Detail: map[string]string{"entry": e.ID}},
		}
		if e.Seq > 0 {
			req.Rests = []access.Rests{{Query: `SELECT seq FROM stock_entry WHERE id = $1`, Args: []any{id}, Want: e.Seq}}
		}
		return req, nil
	}
}

func (s *Stock) request(actor *elicense.Actor, act access.Act, id string) func(*store.Tx) (access.Request, error) {
	return about(actor, act, id, func(tx *store.Tx) (*Entry, error) { return entryOf(tx, id) })
}

// Enter takes the first entry of a license on paper with its picture.
//
// Errors: Invalid naming the field, also for a license that is not of that origin,
// no longer valid, or does not stand the checks of its type; TooLarge; Forbidden.
func (s *Stock) Enter(ctx context.Context, actor *elicense.Actor, typ elicense.TypeCode, origin issuance.Origin, in Typed, name string, scan []byte) (*Entry, error) {
	return s.enter(ctx, actor, typ, origin, in, name, scan, alone)
}

// alsoFunc does in the transaction of an entry what belongs to it.
type alsoFunc func(tx *store.Tx, e *Entry) error

func alone(*store.Tx, *Entry) error { return nil }

func (s *Stock) enter(ctx context.Context, actor *elicense.Actor, typ elicense.TypeCode, origin issuance.Origin, in Typed, name string, scan []byte, also alsoFunc) (*Entry, error) {
	kind, _, _ := strings.Cut(http.DetectContentType(scan), ";")
	switch {
	case len(scan) == 0:
		return nil, elicense.E(elicense.Invalid, "要附上纸质证照的扫描件").At("scan").Under("第八条")
	case len(scan) > MaxScan:
		return nil, elicense.E(elicense.TooLarge, "扫描件最大10MB").At("scan").Then("请降低分辨率再扫")
	case !slices.Contains(kinds, kind):
		return nil, elicense.E(elicense.Invalid, "扫描件只收PDF、JPG、PNG文件").At("scan").Then("请另存为这几种格式再上传")
	case utf8.RuneCountInString(name) > maxNote:
		name = ""
	}
	build := issuing(actor, typ, map[string]string{"origin": string(origin)})
	file := FilePrefix + elicense.RandomID[string]()
	var digest []byte
	if permitted(ctx, s.DB, s.Guard, build) { // before the row that names it, and not at all if the law refuses
		var err error
		if digest, err = s.DB.Files().Put(ctx, file, scan); err != nil {
			return nil, err
		}
	}
	store.CrashPoint("stock.scanned")
	var e *Entry
	err := s.Guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		t, err := catalog.Current(tx, typ)
		if err != nil {
			return err
		}
		e = &Entry{
			ID: elicense.NewID[string](tx.Now()), Unit: actor.Unit, Type: typ, TypeVersion: t.Version, TypeName: t.Name, Origin: origin, State: Once,
			FirstBy: actor.Person, Created: tx.Now(), Seq: 1,
			content: content{Scan: Scan{file, digest, name, kind}},
		}
		if e.First, err = e.check(tx, t, in); err != nil {
			return err
		}
		holder, err := tx.Holder(e.First.Holders[0], true)
		if err != nil {
			return err
		}
		if e.Asked, err = s.Missing(tx, actor.Unit, typ, holder); err != nil {
			return err
		}
		p.Note.Detail["entry"] = e.ID
		if err := also(tx, e); err != nil {
			return err
		}
		return e.insert(tx)
	})
	return e, err
}

// issuing asks the law whether the actor makes licenses of the type for a unit that
// issues it.
func issuing(actor *elicense.Actor, typ elicense.TypeCode, detail map[string]string) func(*store.Tx) (access.Request, error) {
	return func(tx *store.Tx) (access.Request, error) {
		t, err := catalog.Current(tx, typ)
		if err != nil {
			return access.Request{}, err
		}
		issuers := make([]string, len(t.Issuers))
		for i, u := range t.Issuers {
			issuers[i] = string(u)
		}
		return access.Request{
			Actor: actor, Act: access.DraftMake, On: access.Thing{Kind: "Draft", ID: "stock", Attr: access.Attr{"unit": string(actor.Unit), "issuers": issuers}},
			Note: access.Note{LicenseType: typ, Detail: maps.Clone(detail)}, // acts add to it, and may be run again
		}, nil
	}
}

// plainHolder is a holder in the form in which two entries are compared, found by
// the long identity number.
func plainHolder(h elicense.HolderRef) elicense.HolderRef {
	h = h.Normalize()
	if long, ok := elicense.Upgrade15(h.Code); ok && h.CodeType == elicense.CodeCitizen {
		h.Code = string(long)
	}
	return h
}

func permitted(ctx context.Context, db *store.DB, g *access.Guard, build func(*store.Tx) (access.Request, error)) bool {
	return db.View(ctx, func(tx *store.Tx) error {
		req, err := build(tx)
		if err != nil {
			return err
		}
		return g.Ask(req.Actor, req.Act, req.On, req.Circumstances)
	}) == nil
}

// check brings an entry into the form in which two are compared and judges it by
// itself.
func (e *Entry) check(tx *store.Tx, t *catalog.Type, in Typed) (Typed, error) {
	today := elicense.DateOf(tx.Now())
	out := Typed{IssuedOn: in.IssuedOn, Closed: in.Closed, DocNo: plain(in.DocNo), Fields: map[string]string{}}
	if len(in.Holders) == 0 || in.Holders[0].Code == "" {
		return out, elicense.E(elicense.Invalid, "要填写持证主体").At("holders")
	}
	for _, h := range in.Holders {
		h = plainHolder(h)
		if err := h.Check(today); err != nil {
			return out, err
		}
		out.Holders = append(out.Holders, h)
	}
	for k, v := range in.Fields {
		f := t.Field(k)
		if f == nil {
			return out, elicense.E(elicense.Invalid, "有这类证照没有的字段").At("f." + k)
		}
		v = plain(v)
		if f.Type == "idno" || f.Type == "uscc" {
			v = elicense.NormalizeCode(v)
		}
		if v != "" {
			out.Fields[k] = v
		}
	}
	switch {
	case e.Origin == issuance.Stock:
		out.Closed = ""
	case e.Origin == issuance.Late && out.Closed == "":
		return out, elicense.E(elicense.Invalid, "要填写当时的办结日期").At("closed").Under("第七条第一款")
	}
	for field, d := range map[string]elicense.Date{"issuedOn": out.IssuedOn, "closed": out.Closed} {
		if d == "" && field == "closed" {
			continue
		}
		if _, err := elicense.ParseDate(string(d)); err != nil {
			return out, err.(*elicense.Error).At(field)
		}
	}
	c := e.completion(out)
	if err := c.CheckOld(today); err != nil {
		return out, err
	}
	if to := t.ValidTo(out.IssuedOn, maps.Clone(out.Fields)); to != "" && to < today {
		return out, elicense.E(elicense.Invalid, "有效期到%s，已经过期，不补录电子证照", to.Chinese()).At("issuedOn").Under("第八条").Then("请核对发证日期和有效期；确已过期的，按不予补录办理")
	}
	return out, nil
}

// plain takes off what two people type differently and means the same.
func plain(v string) string {
	return strings.TrimSpace(strings.ReplaceAll(v, "\r\n", "\n"))
}

func (e *Entry) completion(t Typed) *issuance.Completion {
	closed := t.Closed
	if closed == "" {
		closed = t.IssuedOn
	}
	at := closed.Start().Add(12 * time.Hour) // the paper names no hour
	return &issuance.Completion{
		Case: "补录" + e.ID, Item: "1", Type: e.Type, Closed: at, Kind: elicense.EventPublish, DocNo: t.DocNo, Holders: t.Holders, Fields: maps.Clone(t.Fields),
		IssuedOn: t.IssuedOn, ValidFrom: t.IssuedOn, Origin: e.Origin, Scan: e.Scan.File,
	}
}

// Again takes the second entry. Where both say the same, the draft is made; where
// not, the entry says which fields differ. Who made the first does not make the
// second, nor sees it.
//
// Errors: Invalid naming the field; Forbidden; Conflict if it was entered twice
// already.
func (s *Stock) Again(ctx context.Context, actor *elicense.Actor, id string, in Typed) (*Entry, error) {
	return s.again(ctx, actor, id, in, alone)
}

func (s *Stock) again(ctx context.Context, actor *elicense.Actor, id string, in Typed, also alsoFunc) (*Entry, error) {
	return s.change(ctx, actor, access.DraftEnter, id, Once, func(tx *store.Tx, p *access.Permit, e *Entry, t *catalog.Type, compared issuance.Compared) error {
		typed, err := e.check(tx, t, in)
		if err != nil {
			return err
		}
		e.Second, e.SecondBy = &typed, actor.Person
		if e.Differ = differences(e.First, typed); len(e.Differ) > 0 {
			e.State = Differs
			p.Note.Detail["differ"] = strconv.Itoa(len(e.Differ))
			return also(tx, e)
		}
		if err := s.make(tx, p, actor, e, typed, compared); err != nil {
			return err
		}
		return also(tx, e)
	}, in.Holders, in.Fields)
}

// Settle decides between two entries that differ: of each difference, whether the
// second entry is right. What neither has right is refused and entered anew.
//
// Errors: Forbidden; Invalid if what was chosen does not stand the checks; Conflict.
func (s *Stock) Settle(ctx context.Context, actor *elicense.Actor, id string, second map[string]bool) (*Entry, error) {
	var holders []elicense.HolderRef
	var fields map[string]string
	if e, err := s.Get(ctx, actor, id); err == nil && e.Second != nil {
		right := e.chosen(second)
		holders, fields = right.Holders, right.Fields
	}
	return s.change(ctx, actor, access.DraftMake, id, Differs, func(tx *store.Tx, p *access.Permit, e *Entry, t *catalog.Type, compared issuance.Compared) error {
		typed, err := e.check(tx, t, e.chosen(second))
		if err != nil {
			return err
		}
		e.SettledBy = actor.Person
		return s.make(tx, p, actor, e, typed, compared)
	}, holders, fields)
}

// chosen is what the entries say, of each difference the one that is right.
func (e *Entry) chosen(second map[string]bool) Typed {
	t := e.First
	t.Fields = maps.Clone(e.First.Fields)
	for _, k := range e.Differ {
		if !second[k] {
			continue
		}
		switch k {
		case "holders":
			t.Holders = e.Second.Holders
		case "issuedOn":
			t.IssuedOn = e.Second.IssuedOn
		case "closed":
			t.Closed = e.Second.Closed
		case "docNo":
			t.DocNo = e.Second.DocNo
		default:
			key := strings.TrimPrefix(k, "f.")
			if v, ok := e.Second.Fields[key]; ok {
				t.Fields[key] = v
			} else {
				delete(t.Fields, key)
			}
		}
	}
	return t
}

// differences names what two entries say differently, fields as f.key.
func differences(a, b Typed) (list []string) {
	same := func(x, y elicense.HolderRef) bool {
		return x.CodeType == y.CodeType && x.Code == y.Code && x.Name == y.Name
	}
	if !slices.EqualFunc(a.Holders, b.Holders, same) {
		list = append(list, "holders")
	}
	if a.IssuedOn != b.IssuedOn {
		list = append(list, "issuedOn")
	}
	if a.Closed != b.Closed {
		list = append(list, "closed")
	}
	if a.DocNo != b.DocNo {
		list = append(list, "docNo")
	}
	keys := slices.Sorted(maps.Keys(a.Fields))
	for k := range b.Fields {
		if _, known := a.Fields[k]; !known {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		if a.Fields[k] != b.Fields[k] {
			list = append(list, "f."+k)
		}
	}
	return list
}

// make makes the draft of an entry.
func (s *Stock) make(tx *store.Tx, p *access.Permit, actor *elicense.Actor, e *Entry, t Typed, compared issuance.Compared) error {
	writers := []elicense.PersonID{e.FirstBy}
	if e.SettledBy != "" && e.SettledBy != e.SecondBy && e.SettledBy != e.FirstBy {
		writers = append(writers, e.SettledBy)
	}
	d, err := s.Issuer.CompleteOld(tx, p, actor, *e.completion(t), compared, writers)
	if err != nil {
		return err
	}
	p.Note.Detail["entry"] = e.ID
	e.State, e.Draft, e.Ended = Made, d.ID, tx.Now()
	return nil
}

// Refuse ends an entry without a license: the paper is not valid any more, can't be
// read, or both entries are wrong.
//
// Errors: Invalid without a reason; Forbidden; Conflict.
func (s *Stock) Refuse(ctx context.Context, actor *elicense.Actor, id, reason string) (*Entry, error) {
	if reason = strings.TrimSpace(reason); reason == "" || utf8.RuneCountInString(reason) > maxNote {
		return nil, elicense.E(elicense.Invalid, "要写明为什么不予补录，最多%d个字", maxNote).At("reason").Under("第八条")
	}
	return s.change(ctx, actor, access.DraftMake, id, "", func(tx *store.Tx, _ *access.Permit, e *Entry, _ *catalog.Type, _ issuance.Compared) error {
		e.State, e.Refusal, e.SettledBy, e.Ended = Refused, reason, actor.Person, tx.Now()
		return nil
	}, nil, nil)
}

type changeFunc func(tx *store.Tx, p *access.Permit, e *Entry, t *catalog.Type, compared issuance.Compared) error

// change makes a change of an entry that stands in the state, or in one that is not
// an end.
func (s *Stock) change(ctx context.Context, actor *elicense.Actor, act access.Act, id string, in State, f changeFunc, holders []elicense.HolderRef, fields map[string]string) (*Entry, error) {
	build := s.request(actor, act, id)
	var compared issuance.Compared
	if len(holders) > 0 && permitted(ctx, s.DB, s.Guard, build) {
		normal := make([]elicense.HolderRef, len(holders))
		for i, h := range holders {
			normal[i] = plainHolder(h)
		}
		compared = s.Issuer.Compared(ctx, normal, fields)
	}
	var e *Entry
	err := s.Guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		var err error
		if e, err = entryOf(tx, id); err != nil {
			return err
		}
		if in != "" && e.State != in || e.State == Made || e.State == Refused {
			return elicense.E(elicense.Conflict, "这份补录现在是“%s”，不能这样办", e.State.Chinese()).Then("请刷新后核对")
		}
		t, err := catalog.VersionOf(tx, e.Type, e.TypeVersion)
		if err != nil {
			return err
		}
		if err := f(tx, p, e, t, compared); err != nil {
			return err
		}
		p.Note.Detail["state"] = string(e.State)
		return e.update(tx)
	})
	if err == nil {
		store.CrashPoint("stock.entered")
	}
	return e, err
}

// Get returns an entry to its unit. Errors: Forbidden, also if there is none.
func (s *Stock) Get(ctx context.Context, actor *elicense.Actor, id string) (*Entry, error) {
	e, _, err := access.Get(ctx, s.Guard, s.request(actor, access.DraftRead, id), func(tx *store.Tx, _ *access.Permit) (*Entry, error) {
		e, err := entryOf(tx, id)
		if err == nil {
			err = e.shown(tx)
		}
		return e, err
	})
	return e, err
}

// shown refuses an entry whose license was withdrawn. Errors: NotFound.
func (e *Entry) shown(tx *store.Tx) error {
	if e.Draft == "" {
		return nil
	}
	d, err := issuance.Of(tx, e.Draft)
	if err == nil && d.Withdrawn {
		return issuance.ErrWithdrawn()
	}
	return err
}

// Picture returns the picture of an entry's paper to its unit.
func (s *Stock) Picture(ctx context.Context, actor *elicense.Actor, id string) (kind string, data []byte, err error) {
	e, err := s.Get(ctx, actor, id)
	if err != nil {
		return "", nil, err
	}
	data, err = s.DB.Files().Get(ctx, e.Scan.File, e.Scan.Digest)
	return e.Scan.Kind, data, err
}

// List returns the entries of the actor's unit in a state, those asked for at
// windows first, then the oldest.
func (s *Stock) List(ctx context.Context, actor *elicense.Actor, state State, limit int) ([]*Entry, error) {
	list, _, err := access.Get(ctx, s.Guard, s.ofUnit(actor, access.DraftRead), func(tx *store.Tx, _ *access.Permit) ([]*Entry, error) {
		list, err := entries(tx, `WHERE unit = $1 AND state = $2 ORDER BY asked DESC, created LIMIT $3`, actor.Unit, state, limit)
		if err != nil {
			return nil, err
		}
		shown := list[:0]
		for _, e := range list {
			err := e.shown(tx)
			if err == nil {
				shown = append(shown, e)
			} else if !elicense.IsKind(err, elicense.NotFound) {
				return nil, err
			}
		}
		return shown, nil
	})
	return list, err
}

func (s *Stock) ofUnit(actor *elicense.Actor, act access.Act) func(*store.Tx) (access.Request, error) {
	return func(*store.Tx) (access.Request, error) {
		return access.Request{Actor: actor, Act: act, On: access.Thing{Kind: "Draft", ID: "stock", Attr: access.Attr{
			"unit": string(actor.Unit), "issuers": []string{string(actor.Unit)}, "drafters": []string{},
		}}, Note: access.Note{Detail: map[string]string{"list": "stock"}}}, nil
	}
}

func (e *Entry) parts(content []byte) [][]byte {
	n := func(i int64) []byte { return strconv.AppendInt(nil, i, 10) }
	return [][]byte{
		[]byte(e.Unit), []byte(e.Type), n(int64(e.TypeVersion)), []byte(e.Origin), []byte(e.State), []byte(e.FirstBy), []byte(e.SecondBy), []byte(e.SettledBy),
		[]byte(e.Draft), n(int64(e.Asked)), n(e.Created.UnixMicro()), n(e.Seq), content,
	}
}

func (e *Entry) kept() ([]byte, error) {
	b, err := json.Marshal(e.content)
	if err != nil {
		return nil, fmt.Errorf("stock entry %s: %w", e.ID, err)
	}
	return b, nil
}

func (e *Entry) insert(tx *store.Tx) error {
	b, err := e.kept()
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO stock_entry (id, unit, type, type_version, type_name, origin, state, first_by, second_by, settled_by, draft, asked, created, ended,
		content_enc, seq, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		e.ID, e.Unit, e.Type, e.TypeVersion, e.TypeName, e.Origin, e.State, e.FirstBy, e.SecondBy, e.SettledBy, e.Draft, e.Asked, e.Created, e.Ended,
		tx.Encrypt("stock_entry", e.ID, "content_enc", b), e.Seq, tx.MAC("stock_entry", e.ID, e.parts(b)...))
	return err
}

func (e *Entry) update(tx *store.Tx) error {
	e.Seq++
	b, err := e.kept()
	if err != nil {
		return err
	}
	n, err := tx.Exec(`UPDATE stock_entry SET state = $1, second_by = $2, settled_by = $3, draft = $4, ended = $5, content_enc = $6, seq = $7, mac = $8
		WHERE id = $9 AND seq = $10`, e.State, e.SecondBy, e.SettledBy, e.Draft, e.Ended, tx.Encrypt("stock_entry", e.ID, "content_enc", b), e.Seq,
		tx.MAC("stock_entry", e.ID, e.parts(b)...), e.ID, e.Seq-1)
	if err == nil && n == 0 {
		return elicense.E(elicense.Conflict, "这份补录刚刚有人办过").Then("请刷新，核对后再办")
	}
	return err
}

func entryOf(tx *store.Tx, id string) (*Entry, error) {
	list, err := entries(tx, `WHERE id = $1`, id)
	if err == nil && len(list) == 0 {
		err = elicense.E(elicense.NotFound, "没有这份补录")
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

func entries(tx *store.Tx, where string, args ...any) ([]*Entry, error) {
	return store.All(tx, func(r *store.Rows) (*Entry, error) {
		var e Entry
		var b, mac []byte
		err := r.Scan(&e.ID, &e.Unit, &e.Type, &e.TypeVersion, &e.TypeName, &e.Origin, &e.State, &e.FirstBy, &e.SecondBy, &e.SettledBy, &e.Draft, &e.Asked,
			&e.Created, &e.Ended, &b, &e.Seq, &mac)
		if err != nil {
			return nil, err
		}
		if b, err = tx.Decrypt("stock_entry", e.ID, "content_enc", b); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, &e.content); err != nil {
			return nil, fmt.Errorf("stock entry %s: %w", e.ID, err)
		}
		return &e, tx.CheckMAC(mac, "stock_entry", e.ID, e.parts(b)...)
	}, `SELECT id, unit, type, type_version, type_name, origin, state, first_by, second_by, settled_by, draft, asked, created, ended, content_enc, seq, mac
		FROM stock_entry `+where, args...)
}

// EachRow reads every entry, table, programme and sampled license; f gets the error of one
// that is not as it was left.
func EachRow(tx *store.Tx, f func(id string, err error) error) error {
	err := store.EachID(tx, "stock_entry", func(id string) error {
		_, err := entryOf(tx, id)
		return f(id, err)
	})
	if err != nil {
		return err
	}
	err = store.EachID(tx, "stock_table", func(id string) error {
		_, err := papersOf(tx, `WHERE id = $1`, id)
		return f(id, err)
	})
	if err != nil {
		return err
	}
	units, err := store.All(tx, func(r *store.Rows) (k [2]string, err error) { return k, r.Scan(&k[0], &k[1]) }, `SELECT unit, type FROM stock_programme ORDER BY unit, type`)
	if err != nil {
		return err
	}
	for _, k := range units {
		_, err := programmes(tx, `WHERE unit = $1 AND type = $2`, k[0], k[1])
		if err := f(k[0]+"/"+k[1], err); err != nil {
			return err
		}
	}
	drawn, err := store.All(tx, func(r *store.Rows) (id string, err error) { return id, r.Scan(&id) }, `SELECT draft FROM stock_sample ORDER BY draft`)
	if err != nil {
		return err
	}
	for _, id := range drawn {
		_, err := sampled(tx, `WHERE s.draft = $1`, id)
		if err := f(id, err); err != nil {
			return err
		}
	}
	return nil
}

// Each reads every entry; f gets its picture's name and digest, or the error of a
// row that is not as it was left.
func Each(tx *store.Tx, f func(file string, digest []byte, err error) error) error {
	return store.EachID(tx, "stock_entry", func(id string) error {
		e, err := entryOf(tx, id)
		if err != nil {
			return f(FilePrefix+id, nil, err)
		}
		return f(e.Scan.File, e.Scan.Digest, nil)
	})
}
