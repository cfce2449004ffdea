package references

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/gm"
	"elicense/registry"
	"elicense/store"
)

// Batch is what a source posts, or answers with when it is asked what changed.
type Batch struct {
	Batch     string     `json:"batch"` // its number at the source, taken once
	Rows      []Row      `json:"rows,omitempty"`
	Statement *Statement `json:"statement,omitempty"`
}

// Receipt is what the platform answers a Batch with; a repeated one gets the same.
type Receipt struct {
	Delivery string       `json:"delivery"`
	Rows     int          `json:"rows"`
	New      int          `json:"new"`
	Changed  int          `json:"changed"`
	Moved    int          `json:"moved"`
	Same     int          `json:"same"`
	Bad      []ReceiptBad `json:"bad"`
}

// ReceiptBad is a row that did not stand: its place in the batch, from 1.
type ReceiptBad struct {
	Place  int     `json:"place"`
	Faults []Fault `json:"faults"`
}

// MaxBatch bounds the rows of a Batch.
const MaxBatch = 500

// Since asks a source what changed after a cursor it gave before, empty for all.
type Since struct {
	Cursor string              `json:"cursor"`
	Types  []elicense.TypeCode `json:"types"`
	Most   int                 `json:"most"`
}

// Changes is the answer. More tells that there is more after Next.
type Changes struct {
	Next      string     `json:"next"`
	More      bool       `json:"more"`
	Rows      []Row      `json:"rows"`
	Statement *Statement `json:"statement,omitempty"`
}

// Outcome is how a check of one reference came out.
type Outcome string

// The outcomes of a check.
const (
	Agrees      Outcome = "agrees"      // 一致
	Differs     Outcome = "differs"     // 不一致
	Unknown     Outcome = "unknown"     // 来源查无
	Unavailable Outcome = "unavailable" // 来源没有答复
)

var outcomeWords = map[Outcome]string{Agrees: "一致", Differs: "不一致", Unknown: "来源查无", Unavailable: "来源没有答复"}

// Chinese returns the word shown to people.
func (o Outcome) Chinese() string { return outcomeWords[o] }

// Verdict is all a source says of a license it is asked about: never a value.
type Verdict struct {
	Outcome Outcome  `json:"outcome"`          // agrees, differs or unknown
	Fields  []string `json:"fields,omitempty"` // keys that differ: of fields, or state, holders, issuedOn, validFrom, validTo
}

// Check is how a check came out, and when.
type Check struct {
	Outcome Outcome
	Fields  []string // labels of what differs
	At      time.Time
	Took    time.Duration
}

// asking keeps the ways to sources and their breakers.
type asking struct {
	mu sync.Mutex
	of map[string]*asked
}

type asked struct {
	url, key string
	ways     map[string]*registry.Exchange
	breaker  *registry.Breaker
}

// ask asks a source, unless it failed again and again just now.
func (r *References) ask(ctx context.Context, s *Source, about registry.Protocol, question, answer any) error {
	if r.Key == nil {
		return errNotAsked
	}
	x, b, err := r.wayTo(s, about)
	if err != nil {
		return err
	}
	q, err := json.Marshal(question)
	if err != nil {
		return fmt.Errorf("question: %w", err)
	}
	return b.Do(ctx, func() error {
		a, err := x.Ask(ctx, q)
		if err != nil {
			return err
		}
		if strictJSON(a, answer) != nil {
			return registry.ErrAnswer // not wrapped: the decoder's text may quote it
		}
		return nil
	})
}

func (r *References) wayTo(s *Source, about registry.Protocol) (*registry.Exchange, *registry.Breaker, error) {
	r.asks.mu.Lock()
	defer r.asks.mu.Unlock()
	if r.asks.of == nil {
		r.asks.of = map[string]*asked{}
	}
	a := r.asks.of[s.ID]
	if a == nil || a.url != s.URL || a.key != s.Key {
		if a != nil {
			a.close()
		}
		a = &asked{s.URL, s.Key, map[string]*registry.Exchange{}, registry.NewBreaker(r.Now)}
		r.asks.of[s.ID] = a
	}
	if x := a.ways[about.Name]; x != nil {
		return x, a.breaker, nil
	}
	key, err := s.publicKey()
	if err != nil {
		return nil, nil, err
	}
	x, err := registry.NewExchange(registry.Remote{URL: s.URL, Key: key}, about, registry.Config{Key: r.Key, Now: r.Now, Wait: r.Wait, Log: r.Log})
	if err != nil {
		return nil, nil, err
	}
	a.ways[about.Name] = x
	return x, a.breaker, nil
}

func (a *asked) close() {
	for _, x := range a.ways {
		x.Close()
	}
}

// Close ends the connections that are open.
func (r *References) Close() {
	r.asks.mu.Lock()
	defer r.asks.mu.Unlock()
	for _, a := range r.asks.of {
		a.close()
	}
}

const (
	pullJob = "reference-changes"
	// pullMost is how many rows are asked for at once: they are taken in one
	// transaction with the cursor that follows them.
	pullMost = piece
	// pullRounds bounds how long one run of the job goes on.
	pullRounds = 100
)

// errTooMany says that a source answered with more rows than it was asked for.
var errTooMany = fmt.Errorf("%w: more rows than asked for", registry.ErrAnswer)

// pull asks a source what changed, page by page; its job. That a source fails is noted
// with it and tried again: no job is dead of it.
func (r *References) pull(ctx context.Context, payload []byte) error {
	id := string(payload)
	for range pullRounds {
		more, err := r.pullPage(ctx, id)
		if err != nil && ctx.Err() == nil {
			r.Log.WarnContext(ctx, "source of references", "source", id, "err", err)
			err = r.trouble(ctx, id)
		}
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	return r.again(ctx, id, every)
}

func (r *References) trouble(ctx context.Context, id string) error {
	return r.DB.Update(ctx, func(tx *store.Tx) error {
		s, err := sourceOf(tx, id)
		if err != nil || s.Trouble != "" {
			return err
		}
		s.Trouble = "来源系统没有答复，或答复不能采信"
		return s.put(tx)
	})
}

func (r *References) pullPage(ctx context.Context, id string) (more bool, err error) {
	var s *Source
	err = r.DB.View(ctx, func(tx *store.Tx) (err error) {
		s, err = sourceOf(tx, id)
		return err
	})
	if err != nil || s.State != Live || s.Kind != HTTP || r.Key == nil {
		return false, err
	}
	q := Since{Cursor: s.from, Most: pullMost}
	for _, x := range s.Types {
		q.Types = append(q.Types, x.Type)
	}
	var got Changes
	if err := r.ask(ctx, s, Changing, q, &got); err != nil {
		return false, err
	}
	if len(got.Rows) > pullMost || len(got.Next) > 200 || got.More && got.Next == s.from {
		return false, errTooMany
	}
	if len(got.Rows) == 0 && got.Next == s.from && got.Statement == nil {
		return false, r.heard(ctx, s)
	}
	b, err := json.Marshal(got)
	if err != nil {
		return false, fmt.Errorf("changes: %w", err)
	}
	// The cursor moves with the rows: asked again from where it was, it was not taken.
	d := &Delivery{Way: ByPull, Batch: "after " + q.Cursor + " " + elicense.NewID[string](r.Now()), digest: hexDigest(gm.Sum(b)), content: content{Form: asLines}}
	lines, err := linesOf(got.Rows)
	if err != nil {
		return false, err
	}
	_, err = r.take(ctx, id, d, lines, func(tx *store.Tx, s *Source) error {
		if s.from != q.Cursor {
			return changedMeanwhile()
		}
		s.from = got.Next
		if got.Statement != nil {
			return s.reconcile(tx, got.Statement)
		}
		return nil
	})
	return got.More, err
}

// heard notes that the source answered that nothing is new.
func (r *References) heard(ctx context.Context, seen *Source) error {
	return r.DB.Update(ctx, func(tx *store.Tx) error {
		s, err := sourceOf(tx, seen.ID)
		if err != nil || s.State != Live {
			return err
		}
		s.Heard, s.Trouble = tx.Now(), ""
		return s.put(tx)
	})
}

func linesOf(rows []Row) ([]line, error) {
	lines := make([]line, len(rows))
	for i, w := range rows {
		text, err := json.Marshal(w)
		if err != nil {
			return nil, fmt.Errorf("row: %w", err)
		}
		lines[i] = line{n: i + 1, row: w, cells: []string{string(text)}}
	}
	return lines, nil
}

// Handler answers the batches sources push: signed by the key a source is registered
// with, taken once by their number.
func (r *References) Handler() http.Handler {
	return registry.Answering(registry.Endpoint{
		About: Pushing, Key: r.Key, Now: r.Now, Log: r.Log,
		Client: func(ctx context.Context, name string) (key *ecdsa.PublicKey, err error) {
			s, err := r.byKey(ctx, name)
			if err != nil || s == nil || r.Key == nil {
				return nil, err
			}
			return s.publicKey()
		},
		Answer: func(ctx context.Context, name string, body []byte) ([]byte, error) {
			s, err := r.byKey(ctx, name)
			if err != nil || s == nil {
				return nil, errors.Join(err, registry.ErrSignature)
			}
			receipt, err := r.push(ctx, s.ID, body)
			if err != nil {
				return nil, err
			}
			return json.Marshal(receipt)
		},
	})
}

func (r *References) byKey(ctx context.Context, name string) (s *Source, err error) {
	err = r.DB.View(ctx, func(tx *store.Tx) error {
		list, err := sources(tx, `WHERE key_name = $1`, name)
		if len(list) > 0 {
			s = list[0]
		}
		return err
	})
	return s, err
}

// push takes a batch a source posted.
func (r *References) push(ctx context.Context, source string, body []byte) (*Receipt, error) {
	var b Batch
	if err := strictJSON(body, &b); err != nil || b.Batch == "" || len(b.Batch) > 100 {
		return nil, elicense.E(elicense.Invalid, "批次的格式不对").At("batch").Under("第十四条")
	}
	if len(b.Rows) > MaxBatch {
		return nil, elicense.E(elicense.TooLarge, "一个批次最多%d行", MaxBatch).At("rows")
	}
	lines, err := linesOf(b.Rows)
	if err != nil {
		return nil, err
	}
	d := &Delivery{Way: ByPush, Batch: b.Batch, digest: hexDigest(gm.Sum(body)), content: content{Form: asLines}}
	done, err := r.take(ctx, source, d, lines, func(tx *store.Tx, s *Source) error {
		if b.Statement == nil {
			return nil
		}
		return s.reconcile(tx, b.Statement)
	})
	if err != nil {
		return nil, err
	}
	out := &Receipt{Delivery: done.ID, Rows: done.Rows, New: done.New, Changed: done.Changed, Moved: done.Moved, Same: done.Same, Bad: []ReceiptBad{}}
	for _, x := range done.BadRows {
		out.Bad = append(out.Bad, ReceiptBad{x.Line, x.Faults})
	}
	return out, nil
}

// labelOf is what a key of a verdict is called; empty if there is none such.
func labelOf(key string, t *catalog.Type) string {
	switch key {
	case "state":
		return "状态"
	case "holders":
		return "持证主体"
	case "issuedOn":
		return "发证日期"
	case "validFrom":
		return "有效期起"
	case "validTo":
		return "有效期止"
	}
	if f := t.Field(key); f != nil {
		return f.Label
	}
	return ""
}

// Verify asks the source of a reference whether it is as we have it (核验), and keeps how
// that came out. A reference that is so counts as confirmed.
//
// Errors: Forbidden, also if there is no such reference of the unit; Conflict if no
// source that can be asked answers for it.
func (r *References) Verify(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID) (*Check, error) {
	build := func(tx *store.Tx) (access.Request, error) {
		lic, err := tx.LicenseOrNone(id)
		if err != nil {
			return access.Request{}, err
		}
		unit := lic.Issuer
		if !lic.Reference {
			unit = ""
		}
		req, err := request(actor, access.ReferenceCheck, unit, nil)(tx)
		req.Note.License, req.Note.LicenseType, req.Note.Holder = id, lic.Type, lic.Owner
		return req, err
	}
	var s *Source
	var w *Row
	var t *catalog.Type
	if err := r.DB.View(ctx, func(tx *store.Tx) error {
		// The law is asked before a question leaves the platform.
		req, err := build(tx)
		if err != nil || r.Guard.Ask(req.Actor, req.Act, req.On, req.Circumstances) != nil {
			return err
		}
		s, w, t, err = question(tx, id)
		return err
	}); err != nil {
		return nil, err
	}
	var c Check
	if s != nil {
		c = r.check(ctx, s, t, w)
	}
	err := r.Guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		list, err := keptRows(tx, `WHERE license = $1`, id)
		if err != nil {
			return err
		}
		if len(list) == 0 || s == nil || list[0].source != s.ID {
			return elicense.E(elicense.Conflict, "没有能够查询的来源系统对它负责").Under("第十四条").Then("请等来源系统回传，或请管理员登记来源系统")
		}
		p.Note.Detail["source"], p.Note.Detail["outcome"] = s.ID, string(c.Outcome)
		list[0].check = c
		if c.Outcome == Agrees {
			lic, err := tx.License(id)
			if err != nil {
				return err
			}
			if err := tx.Confirm(lic, c.At); err != nil {
				return err
			}
		}
		return list[0].put(tx)
	})
	return &c, err
}

// question is whom a reference is asked about, and what is asked; no source if it can't
// be.
func question(tx *store.Tx, id elicense.LicenseID) (*Source, *Row, *catalog.Type, error) {
	list, err := keptRows(tx, `WHERE license = $1`, id)
	if err != nil || len(list) == 0 {
		return nil, nil, nil, err
	}
	s, err := sourceOf(tx, list[0].source)
	if err != nil || s.Kind != HTTP || s.State != Live {
		return nil, nil, nil, err
	}
	lic, err := tx.License(id)
	if err != nil {
		return nil, nil, nil, err
	}
	t, err := catalog.Current(tx, lic.Type)
	if err != nil {
		return nil, nil, nil, err
	}
	w, err := rowOf(tx, lic)
	return s, w, t, err
}

func (r *References) check(ctx context.Context, s *Source, t *catalog.Type, w *Row) Check {
	began := time.Now()
	var v Verdict
	err := r.ask(ctx, s, Checking, w, &v)
	c := Check{Outcome: v.Outcome, At: r.Now().UTC().Truncate(time.Microsecond), Took: time.Since(began)}
	if err == nil && (v.Outcome != Agrees && v.Outcome != Differs && v.Outcome != Unknown || (v.Outcome == Differs) != (len(v.Fields) > 0)) {
		err = registry.ErrAnswer
	}
	for _, key := range v.Fields {
		l := labelOf(key, t)
		if l == "" {
			err = registry.ErrAnswer
		}
		if !slices.Contains(c.Fields, l) {
			c.Fields = append(c.Fields, l)
		}
	}
	if err != nil {
		r.Log.WarnContext(ctx, "source of references", "source", s.ID, "err", err)
		c.Outcome, c.Fields = Unavailable, nil
	}
	return c
}

// Reference is a reference as its unit sees it in lists.
type Reference struct {
	License *elicense.License
	Source  string // name
	Asked   bool   // its source can be asked about it
	Stale   bool
	Days    int // whole days since it was last confirmed
	Holder  string
	Number  string
	Check   Check // zero if none was made
}

// Oldest lists the references of the actor's unit that sources answer for and that are
// in force, the longest unconfirmed first.
//
// Errors: Forbidden.
func (r *References) Oldest(ctx context.Context, actor *elicense.Actor, limit int) ([]*Reference, error) {
	list, _, err := access.Get(ctx, r.Guard, request(actor, access.ReferenceRows, actor.Unit, map[string]string{"list": "references"}), func(tx *store.Tx, _ *access.Permit) (list []*Reference, err error) {
		found, err := sources(tx, `WHERE unit = $1`, actor.Unit)
		if err != nil {
			return nil, err
		}
		by := map[string]*Source{}
		for _, s := range found {
			by[s.ID] = s
		}
		ids, err := store.All(tx, func(r *store.Rows) (id string, err error) {
			err = r.Scan(&id)
			return id, err
		}, `SELECT k.license FROM ref_kept k JOIN license l ON l.owner = k.owner AND l.id = k.license
			WHERE k.unit = $1 AND l.state = 'published' ORDER BY l.contact, k.license LIMIT $2`, actor.Unit, limit)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			one, err := reference(tx, id, by)
			if err != nil {
				return nil, err
			}
			list = append(list, one)
		}
		return list, nil
	})
	return list, err
}

// Get returns how a reference of the actor's unit stands with the source that answers
// for it; nil for a license none answers for.
//
// Errors: Forbidden, also if there is no such license of the unit.
func (r *References) Get(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID) (*Reference, error) {
	build := func(tx *store.Tx) (access.Request, error) {
		lic, err := tx.LicenseOrNone(id)
		if err != nil {
			return access.Request{}, err
		}
		req, err := request(actor, access.ReferenceRows, lic.Issuer, map[string]string{"list": "reference"})(tx)
		req.Note.License, req.Note.LicenseType, req.Note.Holder = id, lic.Type, lic.Owner
		return req, err
	}
	one, _, err := access.Get(ctx, r.Guard, build, func(tx *store.Tx, _ *access.Permit) (*Reference, error) { return answered(tx, id) })
	return one, err
}

// Own returns how a reference of the holder's own stands with the source that answers
// for it; nil for a license none answers for.
//
// Errors: Forbidden, also if there is no such license.
func (r *References) Own(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID) (*Reference, error) {
	build := func(tx *store.Tx) (access.Request, error) {
		lic, err := tx.LicenseOrNone(id)
		if err != nil {
			return access.Request{}, err
		}
		var holders []string
		for _, h := range lic.Holders {
			holders = append(holders, string(h))
		}
		return access.Request{
			Actor: actor, Act: access.LicenseOwn, On: access.Thing{Kind: "License", ID: string(id), Attr: access.Attr{"holders": holders}},
			Note: access.Note{License: id, LicenseType: lic.Type, Holder: lic.Owner, Basis: "持证人本人", Detail: map[string]string{"act": "source"}},
		}, nil
	}
	one, _, err := access.Get(ctx, r.Guard, build, func(tx *store.Tx, _ *access.Permit) (*Reference, error) { return answered(tx, id) })
	return one, err
}

// answered is a reference with how its source answers for it; nil if none does.
func answered(tx *store.Tx, id elicense.LicenseID) (*Reference, error) {
	k, err := keptRows(tx, `WHERE license = $1`, string(id))
	if err != nil || len(k) == 0 {
		return nil, err
	}
	s, err := sourceOf(tx, k[0].source)
	if err != nil {
		return nil, err
	}
	return reference(tx, string(id), map[string]*Source{s.ID: s})
}

func reference(tx *store.Tx, id string, by map[string]*Source) (*Reference, error) {
	k, err := keptRows(tx, `WHERE license = $1`, id)
	if err != nil {
		return nil, err
	}
	lic, err := tx.License(k[0].license)
	if err != nil {
		return nil, err
	}
	v, err := tx.Version(lic, 0)
	if err != nil {
		return nil, err
	}
	one := &Reference{License: lic, Source: lic.Source, Number: access.MaskNumber(v.FaceNumber), Check: k[0].check, Days: int(tx.Now().Sub(lic.Contact) / (24 * time.Hour))}
	if len(v.Holders) > 0 {
		one.Holder = access.MaskHolder(v.Holders[0]).Name
	}
	if s := by[k[0].source]; s != nil {
		one.Source, one.Asked = s.Name, s.Kind == HTTP && s.State == Live
		for _, x := range s.Types {
			if x.Type == lic.Type {
				one.Stale = tx.Now().Sub(lic.Contact) > time.Duration(x.Hours)*time.Hour
			}
		}
	}
	return one, nil
}

// Ask has a source asked, or its files looked for, now.
//
// Errors: Forbidden, also if there is no such source of the unit.
func (r *References) Ask(ctx context.Context, actor *elicense.Actor, source string) error {
	build := func(tx *store.Tx) (access.Request, error) {
		unit := elicense.UnitCode("")
		s, err := sourceOf(tx, source)
		if err == nil {
			unit = s.Unit
		} else if !elicense.IsKind(err, elicense.NotFound) {
			return access.Request{}, err
		}
		return request(actor, access.ReferenceCheck, unit, nil)(tx)
	}
	return r.Guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		s, err := sourceOf(tx, source)
		if err != nil {
			return err
		}
		p.Note.Detail["source"] = s.ID
		if s.State != Live {
			return elicense.E(elicense.Conflict, "这个来源系统已暂停").Then("请管理员恢复后再办")
		}
		return s.watch(tx, 0)
	})
}
