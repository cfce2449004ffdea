package stock

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/issuance"
	"elicense/org"
	"elicense/store"
)

// Programme is what a unit has to catch up with of a type (Art. 8), and how far it
// has come.
type Programme struct {
	Unit      elicense.UnitCode
	UnitName  string
	Type      elicense.TypeCode
	TypeName  string
	Estimated int           // licenses of the stock, by the unit's books
	Until     elicense.Date // when the unit means to be done
	Basis     string        // what the estimate rests on
	Changed   time.Time

	Done     int     // published
	Underway int     // entered, not yet published
	Refused  int     // not to be caught up with
	Late     int     // published of those made late, which are no stock
	Asked    int     // entries waiting that windows reported missing
	Months   []Month // the curve: published by month
	Seen     int     // of the sample, held against the picture
	Wrong    int     // of those, wrong
	Drawn    int     // of the sample
}

// Month counts what was published in one month of Shanghai's calendar.
type Month struct {
	Month string // 2026-11
	N     int
	All   int // up to its end
}

// Rest is what is left of the estimate.
func (p *Programme) Rest() int { return max(0, p.Estimated-p.Done-p.Refused) }

// Percent is how much of the estimate is dealt with, to the whole percent; -1
// without an estimate.
func (p *Programme) Percent() int {
	if p.Estimated == 0 {
		return -1
	}
	return min(100, (p.Done+p.Refused)*100/p.Estimated)
}

// ErrorRate is the share of the looked-at sample that was wrong, in thousandths; -1
// if none was looked at.
func (p *Programme) ErrorRate() int {
	if p.Seen == 0 {
		return -1
	}
	return p.Wrong * 1000 / p.Seen
}

// maxEstimate bounds an estimate.
const maxEstimate = 100_000_000

// Plan sets a unit's programme of a type it issues.
//
// Errors: Invalid naming the field; Forbidden to who is not of that unit or does not
// make its licenses.
func (s *Stock) Plan(ctx context.Context, actor *elicense.Actor, typ elicense.TypeCode, estimated int, until elicense.Date, basis string) error {
	basis = strings.TrimSpace(basis)
	switch _, err := elicense.ParseDate(string(until)); {
	case estimated < 1 || estimated > maxEstimate:
		return elicense.E(elicense.Invalid, "存量估计数要是1到%d的整数", maxEstimate).At("estimated").Under("第八条")
	case err != nil:
		return elicense.E(elicense.Invalid, "要写明计划完成的日期").At("until").Because(err)
	case basis == "" || utf8.RuneCountInString(basis) > maxNote:
		return elicense.E(elicense.Invalid, "要写明估计数从哪里来，最多%d个字", maxNote).At("basis").Then("例如：发证台账、业务库统计")
	}
	build := issuing(actor, typ, map[string]string{"programme": strconv.Itoa(estimated)})
	return s.Guard.Write(ctx, build, func(tx *store.Tx, _ *access.Permit) error {
		p := Programme{Unit: actor.Unit, Type: typ, Estimated: estimated, Until: until, Basis: basis, Changed: tx.Now()}
		_, err := tx.Exec(`INSERT INTO stock_programme (unit, type, estimated, until, basis, changed, mac) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (unit, type) DO UPDATE SET estimated = excluded.estimated, until = excluded.until, basis = excluded.basis, changed = excluded.changed, mac = excluded.mac`,
			p.Unit, p.Type, p.Estimated, p.Until, p.Basis, p.Changed, tx.MAC("stock_programme", p.row(), p.parts()...))
		return err
	})
}

func (p *Programme) row() string { return string(p.Unit) + "/" + string(p.Type) }

func (p *Programme) parts() [][]byte {
	return [][]byte{strconv.AppendInt(nil, int64(p.Estimated), 10), []byte(p.Until), []byte(p.Basis), strconv.AppendInt(nil, p.Changed.UnixMicro(), 10)}
}

// Programmes returns the programmes of the actor's unit.
func (s *Stock) Programmes(ctx context.Context, actor *elicense.Actor) ([]*Programme, error) {
	list, _, err := access.Get(ctx, s.Guard, s.ofUnit(actor, access.DraftRead), func(tx *store.Tx, _ *access.Permit) ([]*Programme, error) {
		return programmes(tx, `WHERE unit = $1 ORDER BY type`, actor.Unit)
	})
	return list, err
}

// All returns the programmes of every unit, for who oversees them.
//
// Errors: Forbidden.
func (s *Stock) All(ctx context.Context, actor *elicense.Actor) ([]*Programme, error) {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{Actor: actor, Act: access.FiguresRead, On: access.Thing{Kind: "Figures", ID: "stock", Attr: access.Attr{"unit": ""}},
			Note: access.Note{Detail: map[string]string{"figures": "stock"}}}, nil
	}
	list, _, err := access.Get(ctx, s.Guard, build, func(tx *store.Tx, _ *access.Permit) ([]*Programme, error) {
		return programmes(tx, `ORDER BY unit, type`)
	})
	return list, err
}

func programmes(tx *store.Tx, where string, args ...any) ([]*Programme, error) {
	list, err := store.All(tx, func(r *store.Rows) (*Programme, error) {
		var p Programme
		var mac []byte
		if err := r.Scan(&p.Unit, &p.Type, &p.Estimated, &p.Until, &p.Basis, &p.Changed, &mac); err != nil {
			return nil, err
		}
		return &p, tx.CheckMAC(mac, "stock_programme", p.row(), p.parts()...)
	}, `SELECT unit, type, estimated, until, basis, changed, mac FROM stock_programme `+where, args...)
	for _, p := range list {
		if err == nil {
			err = p.count(tx)
		}
	}
	return list, err
}

// count reads how far a programme has come.
func (p *Programme) count(tx *store.Tx) error {
	u, err := org.UnitOf(tx, p.Unit)
	if err != nil {
		return err
	}
	t, err := catalog.Current(tx, p.Type)
	if err != nil {
		return err
	}
	p.UnitName, p.TypeName = u.Name, t.Name
	err = tx.Row(`SELECT COUNT(*) FROM draft WHERE unit = $1 AND type = $2 AND origin = $3 AND origin <> '' AND state = $4`, p.Unit, p.Type, issuance.Late, issuance.Published).Scan(&p.Late)
	if err != nil {
		return err
	}
	rows, err := tx.Query(`SELECT state, COUNT(*) FROM stock_entry WHERE unit = $1 AND type = $2 AND origin = $3 GROUP BY state`, p.Unit, p.Type, issuance.Stock)
	if err != nil {
		return err
	}
	made := 0
	for rows.Next() {
		var state State
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return err
		}
		switch state {
		case Made:
			made = n
		case Refused:
			p.Refused = n
		default:
			p.Underway += n
		}
	}
	err = tx.Row(`SELECT COUNT(*) FROM stock_entry WHERE unit = $1 AND type = $2 AND origin = $3 AND asked > 0 AND state IN ($4, $5)`,
		p.Unit, p.Type, issuance.Stock, Once, Differs).Scan(&p.Asked)
	if err != nil {
		return err
	}
	if err := p.curve(tx); err != nil {
		return err
	}
	p.Underway += max(0, made-p.Done)
	rows, err = tx.Query(`SELECT seen, good FROM stock_sample WHERE unit = $1 AND type = $2`, p.Unit, p.Type)
	if err != nil {
		return err
	}
	for rows.Next() {
		var seen *time.Time
		var good bool
		if err := rows.Scan(&seen, &good); err != nil {
			return err
		}
		p.Drawn++
		if seen != nil {
			p.Seen++
			if !good {
				p.Wrong++
			}
		}
	}
	return nil
}

// curve counts what was published by month. Days are counted in the database, in
// the time of Shanghai, eight hours ahead of UTC without exception since 1991.
func (p *Programme) curve(tx *store.Tx) error {
	const day, ahead = int64(24 * time.Hour / time.Microsecond), int64(8 * time.Hour / time.Microsecond)
	rows, err := tx.Query(`SELECT (published + $1) / $2, COUNT(*) FROM draft WHERE unit = $3 AND type = $4 AND origin = $5 AND origin <> '' AND state = $6 GROUP BY 1 ORDER BY 1`,
		ahead, day, p.Unit, p.Type, issuance.Stock, issuance.Published)
	if err != nil {
		return err
	}
	for rows.Next() {
		var d int64
		var n int
		if err := rows.Scan(&d, &n); err != nil {
			return err
		}
		p.Done += n
		month := time.UnixMicro(d * day).UTC().Format("2006-01")
		if k := len(p.Months); k == 0 || p.Months[k-1].Month != month {
			p.Months = append(p.Months, Month{Month: month})
		}
		m := &p.Months[len(p.Months)-1]
		m.N, m.All = m.N+n, p.Done
	}
	return nil
}

// Sampled is a published license that was drawn to be held against its picture.
type Sampled struct {
	Draft    elicense.DraftID
	License  elicense.LicenseID
	Entry    string
	Type     elicense.TypeCode
	TypeName string
	Drawn    time.Time
	Seen     time.Time
	Good     bool
	Remark   string
}

// SampleSize is how many of n licenses are drawn: one in fifty, five at least, two
// hundred at most.
func SampleSize(n int) int { return min(n, max(5, min(200, (n+49)/50))) }

// Draw draws licenses of the actor's unit that were published of its stock of a
// type, at random among those not drawn before, until SampleSize are drawn; it
// returns how many it drew.
//
// Errors: Forbidden to who does not review.
func (s *Stock) Draw(ctx context.Context, actor *elicense.Actor, typ elicense.TypeCode) (drawn int, err error) {
	err = s.Guard.Write(ctx, s.ofUnit(actor, access.DraftReview), func(tx *store.Tx, p *access.Permit) error {
		var all, had int
		if err := tx.Row(`SELECT COUNT(*) FROM draft WHERE unit = $1 AND type = $2 AND origin = $3 AND origin <> '' AND state = $4`, actor.Unit, typ, issuance.Stock, issuance.Published).Scan(&all); err != nil {
			return err
		}
		if err := tx.Row(`SELECT COUNT(*) FROM stock_sample WHERE unit = $1 AND type = $2`, actor.Unit, typ).Scan(&had); err != nil {
			return err
		}
		free, err := store.All(tx, func(r *store.Rows) (id elicense.DraftID, err error) { return id, r.Scan(&id) },
			`SELECT id FROM draft WHERE unit = $1 AND type = $2 AND origin = $3 AND origin <> '' AND state = $4 AND id NOT IN (SELECT draft FROM stock_sample WHERE unit = $1 AND type = $2) ORDER BY id`,
			actor.Unit, typ, issuance.Stock, issuance.Published)
		if err != nil {
			return err
		}
		rand.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
		for _, id := range free[:max(0, min(len(free), SampleSize(all)-had))] {
			x := Sampled{Draft: id, Drawn: tx.Now()}
			_, err := tx.Exec(`INSERT INTO stock_sample (draft, unit, type, drawn, seen, seen_by, good, remark, mac) VALUES ($1, $2, $3, $4, NULL, '', $5, '', $6)`,
				id, actor.Unit, typ, x.Drawn, false, x.mac(tx, ""))
			if err != nil {
				return err
			}
			drawn++
		}
		p.Note.LicenseType, p.Note.Detail = typ, map[string]string{"drawn": strconv.Itoa(drawn)}
		return nil
	})
	return drawn, err
}

func (x *Sampled) mac(tx *store.Tx, by elicense.PersonID) *store.Code {
	return tx.MAC("stock_sample", string(x.Draft), x.parts(by)...)
}

func (x *Sampled) parts(by elicense.PersonID) [][]byte {
	seen := int64(0)
	if !x.Seen.IsZero() {
		seen = x.Seen.UnixMicro()
	}
	return [][]byte{strconv.AppendInt(nil, x.Drawn.UnixMicro(), 10), strconv.AppendInt(nil, seen, 10), []byte(by), strconv.AppendBool(nil, x.Good), []byte(x.Remark)}
}

// Sample returns what was drawn of a type at the actor's unit, first what was not
// looked at.
func (s *Stock) Sample(ctx context.Context, actor *elicense.Actor, typ elicense.TypeCode) ([]Sampled, error) {
	list, _, err := access.Get(ctx, s.Guard, s.ofUnit(actor, access.DraftRead), func(tx *store.Tx, _ *access.Permit) ([]Sampled, error) {
		return sampled(tx, `WHERE s.unit = $1 AND s.type = $2 ORDER BY s.draft`, actor.Unit, typ)
	})
	slices.SortStableFunc(list, func(a, b Sampled) int { return a.Seen.Compare(b.Seen) })
	return list, err
}

func sampled(tx *store.Tx, where string, args ...any) ([]Sampled, error) {
	return store.All(tx, func(r *store.Rows) (Sampled, error) {
		var x Sampled
		var seen *time.Time
		var by elicense.PersonID
		var mac []byte
		if err := r.Scan(&x.Draft, &x.License, &x.Type, &x.TypeName, &x.Drawn, &seen, &by, &x.Good, &x.Remark, &mac); err != nil {
			return x, err
		}
		if seen != nil {
			x.Seen = *seen
		}
		if err := tx.CheckMAC(mac, "stock_sample", string(x.Draft), x.parts(by)...); err != nil {
			return x, err
		}
		return x, tx.Row(`SELECT id FROM stock_entry WHERE draft = $1`, x.Draft).Scan(&x.Entry)
	}, `SELECT s.draft, d.license, d.type, d.type_name, s.drawn, s.seen, s.seen_by, s.good, s.remark, s.mac FROM stock_sample s JOIN draft d ON d.id = s.draft `+where, args...)
}

// Judge notes whether a drawn license says what its picture shows. A wrong one is
// put right as any other, by a change (Art. 10).
//
// Errors: Invalid for a wrong one without a remark; Forbidden to who made its first
// entry; NotFound.
func (s *Stock) Judge(ctx context.Context, actor *elicense.Actor, draft elicense.DraftID, good bool, remark string) error {
	if remark = strings.TrimSpace(remark); !good && remark == "" || utf8.RuneCountInString(remark) > maxNote {
		return elicense.E(elicense.Invalid, "要写明错在哪里，最多%d个字", maxNote).At("remark").Under("第八条")
	}
	build := about(actor, access.DraftReview, string(draft), func(tx *store.Tx) (*Entry, error) {
		list, err := entries(tx, `WHERE draft = $1`, draft)
		if err == nil && len(list) == 0 {
			err = elicense.E(elicense.NotFound, "没有抽中这件证照")
		}
		if err != nil {
			return nil, err
		}
		list[0].Seq = 0 // what is judged is the license, not the entry
		return list[0], nil
	})
	return s.Guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		list, err := sampled(tx, `WHERE s.draft = $1`, draft)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return elicense.E(elicense.NotFound, "没有抽中这件证照")
		}
		x := &list[0]
		x.Seen, x.Good, x.Remark = tx.Now(), good, remark
		p.Note.License, p.Note.Detail["good"] = x.License, strconv.FormatBool(good)
		_, err = tx.Exec(`UPDATE stock_sample SET seen = $1, seen_by = $2, good = $3, remark = $4, mac = $5 WHERE draft = $6`,
			x.Seen, actor.Person, good, remark, x.mac(tx, actor.Person), draft)
		return err
	})
}
