package references

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/issuance"
	"elicense/store"
)

// Way is how a delivery came.
type Way string

// The ways.
const (
	ByFile Way = "file" // 文件
	ByPush Way = "push" // 推送
	ByPull Way = "pull" // 查询增量
)

var wayWords = map[Way]string{ByFile: "文件", ByPush: "推送", ByPull: "增量查询"}

// Chinese returns the word shown to people.
func (w Way) Chinese() string { return wayWords[w] }

// DeliveryState is how far a delivery is.
type DeliveryState string

// The states of a delivery.
const (
	Taking  DeliveryState = "taking"  // 处理中
	Taken   DeliveryState = "taken"   // 已处理
	Refused DeliveryState = "refused" // 不收: no row of it was looked at
)

var deliveryWords = map[DeliveryState]string{Taking: "处理中", Taken: "已处理", Refused: "不收"}

// Chinese returns the word shown to people.
func (s DeliveryState) Chinese() string { return deliveryWords[s] }

// Delivery is what a source delivered at once, and what came of it.
type Delivery struct {
	ID      string
	Source  string
	Unit    elicense.UnitCode
	Way     Way
	Batch   string // the source's number of it, or what its file is known by: taken once
	Name    string // of the file; empty otherwise
	State   DeliveryState
	At      time.Time
	Rows    int
	Taken   int // rows looked at
	New     int // references entered
	Changed int // new versions
	Moved   int // changes of state without one
	Same    int // confirmed as they were
	Bad     int
	Seq     int64

	digest string // SM3 of its content, hexadecimal
	content
}

// content is the part of a delivery kept as cipher text.
type content struct {
	Form    form     `json:"form,omitempty"`
	Head    []string `json:"head,omitempty"`
	BadRows []BadRow `json:"bad,omitempty"`
	Reason  string   `json:"reason,omitempty"` // why it was refused
}

func (d *Delivery) parts() [][]byte {
	p := parts(d.Source, string(d.Unit), string(d.Way), d.Batch, d.digest, d.Name, string(d.State),
		fmt.Sprint(d.Rows, d.Taken, d.New, d.Changed, d.Moved, d.Same, d.Bad, d.Seq))
	return append(p, micros(d.At))
}

func deliveries(tx *store.Tx, where string, args ...any) ([]*Delivery, error) {
	return store.All(tx, func(r *store.Rows) (*Delivery, error) {
		var d Delivery
		var b, mac []byte
		err := r.Scan(&d.ID, &d.Source, &d.Unit, &d.Way, &d.Batch, &d.digest, &d.Name, &d.State, &d.At, &d.Rows, &d.Taken, &d.New, &d.Changed, &d.Moved, &d.Same, &d.Bad, &b, &d.Seq, &mac)
		if err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "ref_delivery", d.ID, d.parts()...); err != nil {
			return nil, err
		}
		if b, err = tx.Decrypt("ref_delivery", d.ID, "content_enc", b); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, &d.content); err != nil {
			return nil, fmt.Errorf("delivery %s: %w", d.ID, err)
		}
		return &d, nil
	}, `SELECT id, source, unit, way, batch, digest, name, state, at, n_rows, taken, n_new, n_changed, n_moved, n_same, n_bad, content_enc, seq, mac FROM ref_delivery `+where, args...)
}

func (d *Delivery) put(tx *store.Tx) error {
	d.Seq++
	b, err := json.Marshal(d.content)
	if err != nil {
		return fmt.Errorf("delivery: %w", err)
	}
	b = tx.Encrypt("ref_delivery", d.ID, "content_enc", b)
	mac := tx.MAC("ref_delivery", d.ID, d.parts()...)
	if d.Seq == 1 {
		_, err := tx.Exec(`INSERT INTO ref_delivery (id, source, unit, way, batch, digest, name, state, at, n_rows, taken, n_new, n_changed, n_moved, n_same, n_bad, content_enc, seq, mac)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
			d.ID, d.Source, d.Unit, d.Way, d.Batch, d.digest, d.Name, d.State, d.At, d.Rows, d.Taken, d.New, d.Changed, d.Moved, d.Same, d.Bad, b, d.Seq, mac)
		return err
	}
	n, err := tx.Exec(`UPDATE ref_delivery SET state = $1, taken = $2, n_new = $3, n_changed = $4, n_moved = $5, n_same = $6, n_bad = $7, content_enc = $8, seq = $9, mac = $10
		WHERE id = $11 AND seq = $12`, d.State, d.Taken, d.New, d.Changed, d.Moved, d.Same, d.Bad, b, d.Seq, mac, d.ID, d.Seq-1)
	if err == nil && n == 0 {
		return changedMeanwhile()
	}
	return err
}

// kept says which source answers for a reference, and how the last check of it came
// out.
type kept struct {
	license  elicense.LicenseID
	owner    elicense.HolderKey
	source   string
	unit     elicense.UnitCode
	typ      elicense.TypeCode
	delivery string
	check    Check
}

func (k *kept) parts(fields string) [][]byte {
	p := parts(string(k.owner), k.source, string(k.unit), string(k.typ), k.delivery, string(k.check.Outcome), fields, strconv.FormatInt(k.check.Took.Milliseconds(), 10))
	return append(p, micros(k.check.At))
}

func keptRows(tx *store.Tx, where string, args ...any) ([]*kept, error) {
	return store.All(tx, func(r *store.Rows) (*kept, error) {
		var k kept
		var fields string
		var took int64
		var mac []byte
		if err := r.Scan(&k.license, &k.owner, &k.source, &k.unit, &k.typ, &k.delivery, &k.check.At, &k.check.Outcome, &fields, &took, &mac); err != nil {
			return nil, err
		}
		k.check.Took = time.Duration(took) * time.Millisecond
		if fields != "" {
			k.check.Fields = strings.Split(fields, "\n")
		}
		return &k, tx.CheckMAC(mac, "ref_kept", string(k.license), k.parts(fields)...)
	}, `SELECT license, owner, source, unit, type, delivery, checked, outcome, fields, took, mac FROM ref_kept `+where, args...)
}

func (k *kept) put(tx *store.Tx) error {
	fields := strings.Join(k.check.Fields, "\n")
	_, err := tx.Exec(`INSERT INTO ref_kept (license, owner, source, unit, type, delivery, checked, outcome, fields, took, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (license) DO UPDATE SET delivery = excluded.delivery, checked = excluded.checked, outcome = excluded.outcome, fields = excluded.fields,
			took = excluded.took, mac = excluded.mac`,
		k.license, k.owner, k.source, k.unit, k.typ, k.delivery, k.check.At, k.check.Outcome, fields, k.check.Took.Milliseconds(),
		tx.MAC("ref_kept", string(k.license), k.parts(fields)...))
	return err
}

// piece is how many rows are taken in one transaction.
const piece = 100

// begin finds the delivery of a batch, or starts it. A batch that was begun with other
// content is a Conflict.
func (s *Source) begin(tx *store.Tx, d *Delivery) (*Delivery, error) {
	known, err := deliveries(tx, `WHERE source = $1 AND batch = $2`+tx.ForUpdate(), s.ID, d.Batch)
	if err != nil {
		return nil, err
	}
	if len(known) > 0 {
		if known[0].digest != d.digest {
			return nil, elicense.E(elicense.Conflict, "这个批次已经收过，内容不同").At("batch").Under("第十四条").Then("请换一个批次号")
		}
		return known[0], nil
	}
	fresh := *d
	fresh.At = tx.Now()
	fresh.ID, fresh.Source, fresh.Unit, fresh.State = elicense.NewID[string](fresh.At), s.ID, s.Unit, Taking
	return &fresh, nil
}

// take takes what a source delivered, from where an earlier try was stopped. after, if
// given, is done in the transaction that ends it.
//
// Errors: Forbidden for a source that is paused; Conflict for a batch of other content.
func (r *References) take(ctx context.Context, source string, d *Delivery, lines []line, after func(*store.Tx, *Source) error) (*Delivery, error) {
	d.Rows = len(lines)
	for {
		done, err := r.takePiece(ctx, source, d, lines, after)
		if err != nil {
			return nil, err
		}
		if done.State != Taking {
			return done, nil
		}
	}
}

// returning asks the law for the source, as it is now.
func (r *References) returning(id string, detail map[string]string) func(*store.Tx) (access.Request, error) {
	return func(tx *store.Tx) (access.Request, error) {
		s, err := sourceOf(tx, id)
		if err != nil {
			return access.Request{}, err
		}
		d := map[string]string{"source": id}
		for k, v := range detail {
			d[k] = v
		}
		return access.Request{
			Actor: s.actor(), Act: access.ReferenceReturn, Note: access.Note{Detail: d},
			On:    access.Thing{Kind: "Source", ID: id, Attr: access.Attr{"unit": string(s.Unit), "live": s.State == Live}},
			Rests: []access.Rests{{Query: `SELECT seq FROM ref_source WHERE id = $1`, Args: []any{id}, Want: s.Seq}},
		}, nil
	}
}

func (r *References) takePiece(ctx context.Context, source string, in *Delivery, lines []line, after func(*store.Tx, *Source) error) (d *Delivery, err error) {
	err = r.Guard.Write(ctx, r.returning(source, map[string]string{"way": string(in.Way)}), func(tx *store.Tx, p *access.Permit) error {
		s, err := sourceOf(tx, source)
		if err != nil {
			return err
		}
		if d, err = s.begin(tx, in); err != nil || d.State != Taking {
			return err
		}
		p.Note.Detail["delivery"] = d.ID
		end := min(d.Taken+piece, len(lines))
		for _, l := range lines[d.Taken:end] {
			if err := r.takeLine(tx, s, d, p, l); err != nil {
				return err
			}
		}
		p.Note.Detail["rows"] = strconv.Itoa(end - d.Taken)
		d.Taken = end
		if d.Taken < d.Rows {
			return d.put(tx)
		}
		d.State = Taken
		s.Heard, s.Trouble = tx.Now(), ""
		if after != nil {
			if err := after(tx, s); err != nil {
				return err
			}
		}
		return errors.Join(s.put(tx), d.put(tx))
	})
	return d, err
}

// takeLine takes one row; what is wrong with it is kept and leaves the others alone.
func (r *References) takeLine(tx *store.Tx, s *Source, d *Delivery, p *access.Permit, l line) error {
	bad := BadRow{Line: l.n, Cells: l.cells, Faults: l.faults}
	if len(l.faults) == 0 {
		var came effect
		var t *catalog.Type
		err := tx.Savepoint(func() (err error) {
			came, t, err = s.takeRow(tx, d, p, l.row)
			return err
		})
		var e *elicense.Error
		switch {
		case err == nil:
			switch came {
			case entered:
				d.New++
			case corrected:
				d.Changed++
			case moved:
				d.Moved++
			default:
				d.Same++
			}
			return nil
		case !errors.As(err, &e), !slices.Contains([]elicense.Kind{elicense.Invalid, elicense.Conflict, elicense.Forbidden, elicense.NotFound, elicense.NotInForce}, e.Kind):
			return err
		}
		bad.Faults = []Fault{{columnOf(e.Field, t), e.Message()}}
	}
	d.Bad++
	d.BadRows = append(d.BadRows, bad)
	return nil
}

// effect is what a row did.
type effect int

const (
	same effect = iota
	moved
	corrected
	entered
)

// takeRow makes the reference what its source says it is.
func (s *Source) takeRow(tx *store.Tx, d *Delivery, p *access.Permit, w Row) (came effect, t *catalog.Type, err error) {
	if !s.returns(w.Type) {
		return same, nil, elicense.E(elicense.Invalid, "不是这个来源系统回传的类别").At("type").Under("第十四条")
	}
	if t, err = catalog.Current(tx, w.Type); err != nil {
		return same, nil, err
	}
	if err := w.normalize(t, elicense.DateOf(tx.Now())); err != nil {
		return same, t, err
	}
	ref, doc, by := w.reference(s.Name), cmp.Or(w.DocNo, s.batchOf(d)), s.actor()
	lic, err := issuance.Known(tx, t, s.Unit, &ref)
	if err == nil && t.Roles.Number == "" && lic.Standing.State.Ended() && (w.State == Active || w.State == Suspended) {
		err = store.ErrNoRow // the holder was given another after the one that ended
	}
	switch {
	case err == nil:
		if err := s.answersFor(tx, lic); err != nil {
			return same, t, err
		}
	case !elicense.IsKind(err, elicense.NotFound):
		return same, t, err
	default:
		if lic, err = issuance.Enter(tx, by, ref, doc); err != nil {
			return same, t, err
		}
		came = entered
	}
	before := lic.Seq
	if came == entered {
		before = 0
	}
	if came != entered {
		if came, lic, err = s.bring(tx, by, lic, &w, ref, doc); err != nil {
			return same, t, err
		}
	}
	steps, err := w.State.steps(lic)
	if err != nil {
		return same, t, err
	}
	for _, kind := range steps {
		if lic, err = tx.Apply(s.event(tx, lic, kind, w.Effective, doc)); err != nil {
			return same, t, err
		}
		came = max(came, moved)
	}
	if err := tx.Confirm(lic, tx.Now()); err != nil {
		return same, t, err
	}
	k := &kept{license: lic.ID, owner: lic.Owner, source: s.ID, unit: s.Unit, typ: t.Code, delivery: d.ID}
	if old, err := keptRows(tx, `WHERE license = $1`, lic.ID); err != nil {
		return same, t, err
	} else if len(old) > 0 {
		k.check = old[0].check
	}
	events, err := tx.Events(lic)
	if err != nil {
		return same, t, err
	}
	for _, ev := range events {
		if ev.Seq > before { // a confirmation is no event: it is in the record of its delivery
			tx.Record(store.Record{
				ActorName: s.Name, Unit: string(s.Unit), Act: string(access.ReferenceReturn), Outcome: store.Done, Rule: p.Rule.ID, Clause: p.Rule.Article,
				License: string(lic.ID), LicenseType: string(t.Code), Holder: string(lic.Owner),
				Detail: map[string]string{"source": s.ID, "delivery": d.ID, "event": string(ev.ID), "kind": string(ev.Kind)},
			})
		}
	}
	return came, t, k.put(tx)
}

func (s *Source) batchOf(d *Delivery) string {
	if d.Way == ByFile {
		return "回传文件" + d.digest[:16]
	}
	return "回传批次" + d.Batch
}

// answersFor refuses what another source answers for.
func (s *Source) answersFor(tx *store.Tx, lic *elicense.License) error {
	known, err := keptRows(tx, `WHERE license = $1`, lic.ID)
	if err != nil {
		return err
	}
	if len(known) > 0 && known[0].source != s.ID || len(known) == 0 && lic.Source != s.Name {
		return elicense.E(elicense.Conflict, "这一编号已由另一个来源登记").Under("第十四条").Then("请单位核对由哪个来源系统回传")
	}
	return nil
}

// bring makes a known reference say what the row says. A license that is suspended, and
// is not to stay so, is used again first: nothing else may change it.
func (s *Source) bring(tx *store.Tx, by *elicense.Actor, lic *elicense.License, w *Row, ref issuance.Reference, doc string) (effect, *elicense.License, error) {
	came := same
	if w.State != Suspended && w.State != standingOf(lic) && standingOf(lic) == Suspended {
		fresh, err := tx.Apply(s.event(tx, lic, elicense.EventResume, w.Effective, doc))
		if err != nil {
			return same, lic, err
		}
		lic, came = fresh, moved
	}
	if w.State == Active && lic.Standing.State == elicense.Revoked {
		fresh, err := tx.Apply(s.event(tx, lic, elicense.EventRestore, w.Effective, doc))
		if err != nil {
			return same, lic, err
		}
		lic, came = fresh, moved
	}
	fresh, changed, err := issuance.Correct(tx, by, lic, ref, doc)
	if err != nil {
		return same, lic, err
	}
	if changed {
		came = corrected
	}
	return came, fresh, nil
}

func (s *Source) event(tx *store.Tx, lic *elicense.License, kind elicense.EventKind, effective elicense.Date, doc string) *elicense.Event {
	at := tx.Now()
	if effective != "" && effective != elicense.DateOf(at) {
		at = effective.Start()
	}
	return &elicense.Event{License: lic.ID, Kind: kind, Effective: at, DocNo: doc, Reason: "来源系统回传", Unit: s.Unit}
}

// steps are the events that lead a license to the standing.
func (s Standing) steps(lic *elicense.License) ([]elicense.EventKind, error) {
	now := standingOf(lic)
	if now == s {
		return nil, nil
	}
	switch s {
	case Suspended:
		return []elicense.EventKind{elicense.EventSuspend}, nil
	case Revoked:
		return []elicense.EventKind{elicense.EventRevoke}, nil
	case Cancelled:
		return []elicense.EventKind{elicense.EventCancel}, nil
	case Abolished:
		return []elicense.EventKind{elicense.EventAbolish}, nil
	}
	return nil, elicense.E(elicense.Conflict, "平台上的引用%s，不能改为有效", lic.Standing.State.Chinese()).At("state").Under("第十条").Then("请单位和来源系统核对")
}

// refuse notes a delivery of which no row was looked at, once by its batch.
func (r *References) refuse(ctx context.Context, source string, d *Delivery, why error) (*Delivery, error) {
	var out *Delivery
	reason := elicense.E(elicense.Internal, "读不出").Message()
	var e *elicense.Error
	if errors.As(why, &e) {
		reason = e.Message()
	}
	err := r.Guard.Write(ctx, r.returning(source, map[string]string{"way": string(d.Way), "refused": "true"}), func(tx *store.Tx, p *access.Permit) error {
		s, err := sourceOf(tx, source)
		if err != nil {
			return err
		}
		if out, err = s.begin(tx, d); err != nil || out.Seq > 0 {
			return err
		}
		out.State, out.Reason = Refused, reason
		s.Trouble = "最近一次交付不收"
		p.Note.Detail["delivery"] = out.ID
		return errors.Join(s.put(tx), out.put(tx))
	})
	return out, err
}

// Deliveries lists what was delivered to the actor's unit, the newest first.
//
// Errors: Forbidden.
func (r *References) Deliveries(ctx context.Context, actor *elicense.Actor, limit int) ([]*Delivery, error) {
	list, _, err := access.Get(ctx, r.Guard, request(actor, access.ReferenceRead, actor.Unit, map[string]string{"list": "deliveries"}), func(tx *store.Tx, _ *access.Permit) ([]*Delivery, error) {
		list, err := deliveries(tx, `WHERE unit = $1 ORDER BY at DESC, id DESC LIMIT $2`, actor.Unit, limit)
		for _, d := range list {
			d.BadRows = nil // they hold what licenses say
		}
		return list, err
	})
	return list, err
}

// BadRows writes the rows of a delivery that did not stand, in the form they came in.
// It tells the form: csv, xlsx or jsonl.
//
// Errors: Forbidden, also if there is no such delivery of the unit.
func (r *References) BadRows(ctx context.Context, actor *elicense.Actor, id string, w io.Writer) (string, error) {
	build := func(tx *store.Tx) (access.Request, error) {
		list, err := deliveries(tx, `WHERE id = $1`, id)
		unit := elicense.UnitCode("")
		if len(list) > 0 {
			unit = list[0].Unit
		}
		if err != nil {
			return access.Request{}, err
		}
		return request(actor, access.ReferenceRows, unit, map[string]string{"delivery": id})(tx)
	}
	d, _, err := access.Get(ctx, r.Guard, build, func(tx *store.Tx, _ *access.Permit) (*Delivery, error) {
		list, err := deliveries(tx, `WHERE id = $1`, id)
		if err != nil {
			return nil, err
		}
		return list[0], nil
	})
	if err != nil {
		return "", err
	}
	f := cmp.Or(d.Form, asLines)
	return string(f), writeBad(w, f, d.Head, d.BadRows)
}

// Delivery returns a delivery with the rows that did not stand, of which at most some
// are given.
//
// Errors: Forbidden, also if there is no such delivery of the unit.
func (r *References) Delivery(ctx context.Context, actor *elicense.Actor, id string, most int) (*Delivery, error) {
	build := func(tx *store.Tx) (access.Request, error) {
		var unit elicense.UnitCode
		err := tx.Row(`SELECT unit FROM ref_delivery WHERE id = $1`, id).Scan(&unit)
		if err != nil && !elicense.IsKind(err, elicense.NotFound) {
			return access.Request{}, err
		}
		return request(actor, access.ReferenceRows, unit, map[string]string{"delivery": id})(tx)
	}
	d, _, err := access.Get(ctx, r.Guard, build, func(tx *store.Tx, _ *access.Permit) (*Delivery, error) {
		list, err := deliveries(tx, `WHERE id = $1`, id)
		if err != nil {
			return nil, err
		}
		if len(list[0].BadRows) > most {
			list[0].BadRows = list[0].BadRows[:most]
		}
		return list[0], nil
	})
	return d, err
}

func hexDigest(d [32]byte) string { return hex.EncodeToString(d[:]) }
