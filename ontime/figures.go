package ontime

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/issuance"
	"elicense/org"
	"elicense/store"
)

// Way is how licenses are made, as they are counted: the modes of Art. 7, and those
// that catch up.
type Way string

// The ways, in the order they are shown. Stock has programmes of its own (Art. 8) and
// National is made elsewhere (Art. 7(1)): both are told and have no term.
const (
	Online   Way = Way(catalog.Online)
	Offline  Way = Way(catalog.Offline)
	Bulk     Way = Way(catalog.Bulk)
	Late     Way = Way(issuance.Late) // 补生成: always late
	Stock    Way = Way(issuance.Stock)
	National Way = Way(catalog.National)
)

var wayWords = map[Way]string{Online: "在线生成", Offline: "离线生成", Bulk: "批量生成", Late: "补生成", Stock: "存量", National: "按照国家规范制作"}

// Chinese returns the word shown to people.
func (w Way) Chinese() string { return wayWords[w] }

// Ways lists the ways that have a term.
func Ways() []Way { return []Way{Online, Offline, Bulk, Late} }

// Count is how licenses stood against Art. 7. What is counted, on time or late, is
// what was published, and what is past its term by now and was not.
type Count struct {
	OnTime  int `json:"onTime"`
	Late    int `json:"late"`
	Missing int `json:"missing"` // of Late: nobody has begun them (应生成未生成)
	Excused int `json:"excused"` // of Late
	Running int `json:"running"` // not published, and not past the term: not counted yet
	Unknown int `json:"unknown"` // the calendar does not know the year of the term
	// Of those made online and published, how many were drafted within the unit's
	// minutes of closing and published the same day.
	Prompt   int `json:"prompt"`
	PromptOf int `json:"promptOf"`
}

func (c *Count) add(x Count) {
	c.OnTime += x.OnTime
	c.Late += x.Late
	c.Missing += x.Missing
	c.Excused += x.Excused
	c.Running += x.Running
	c.Unknown += x.Unknown
	c.Prompt += x.Prompt
	c.PromptOf += x.PromptOf
}

// Counted is how many are counted.
func (c Count) Counted() int { return c.OnTime + c.Late }

// Rate is the share on time in percent, never a hundred unless all were; -1 where
// none is counted.
func (c Count) Rate() int { return share(c.OnTime, c.Counted()) }

// RateExcused is the share with the excused ones as if they had been on time.
func (c Count) RateExcused() int { return share(c.OnTime+c.Excused, c.Counted()) }

// RatePrompt is the share that was made as soon as the unit says (同步生成).
func (c Count) RatePrompt() int { return share(c.Prompt, c.PromptOf) }

func share(n, of int) int {
	if of == 0 {
		return -1
	}
	return n * 100 / of
}

// Line is the count of one unit's licenses of one type, made one way.
type Line struct {
	Unit     elicense.UnitCode
	UnitName string
	Type     elicense.TypeCode
	TypeName string
	Way      Way
	Count
}

// Group is the count of one way, unit or type.
type Group struct {
	Key  string
	Name string
	Count
}

// Apart is what has no term and is told beside.
type Apart struct {
	Stock    int
	National int
	None     map[Ground]int // results that legally yield no license
}

// Figures say how the licenses of the cases closed in a time stood (Art. 7, 19). What
// is made late for paper is of cases closed long ago, and counts on the day it was
// entered. Each can be counted again from the rows it is made of.
type Figures struct {
	From, To elicense.Date // days of closing; both count
	At       time.Time
	Unit     elicense.UnitCode // empty for all
	Lines    []Line            // by unit, type and way; the most late first
	Ways     []Group           // in their order
	Units    []Group           // the lowest share first
	Types    []Group           // likewise
	All      Count
	Apart    Apart
	Minutes  int // of the unit's setting, or of those that set none
}

// period reads days of closing.
func period(from, to elicense.Date) error {
	for _, d := range []struct {
		field string
		day   elicense.Date
	}{{"from", from}, {"to", to}} {
		if _, err := elicense.ParseDate(string(d.day)); err != nil {
			return elicense.E(elicense.Invalid, "日期要写成2026-11-23的样子").At(d.field).Because(err)
		}
	}
	if to < from {
		return elicense.E(elicense.Invalid, "结束的日期早于开始的日期").At("to")
	}
	return nil
}

// way is what a draft due with its case is counted as, in SQL. Drafts from before
// modes were kept were made online.
const way = `CASE WHEN d.mode = '' THEN 'online' ELSE d.mode END`

// excused tells in SQL whether a draft d is: by itself, with its lot, or as what
// was missing before it was made.
const excused = `(d.id IN (SELECT subject FROM excuse WHERE kind = 'draft' AND lifted IS NULL)
	OR d.lot IN (SELECT subject FROM excuse WHERE kind = 'lot' AND lifted IS NULL)
	OR d.id IN (SELECT c.draft FROM excuse e JOIN case_result r ON r.id = e.subject
		JOIN completion c ON c.unit = r.unit AND c.case_index = r.case_index AND c.item = r.item WHERE e.kind = 'result' AND e.lifted IS NULL))`

// unpublished are the drafts that are not published, in SQL: those of the queue, and the
// rows of lots.
const unpublished = `(SELECT id, unit, type, mode, origin, closed, due, lot FROM draft
	WHERE unit IN (SELECT code FROM unit) AND state IN ('draft', 'in-review', 'sealing') AND (lot = '' OR state = 'draft')
	UNION ALL SELECT id, unit, type, mode, origin, closed, due, lot FROM draft
	WHERE lot IN (SELECT id FROM lot WHERE state NOT IN ('done', 'void')) AND state IN ('in-review', 'sealing'))`

// Figures counts the licenses of the cases closed on the days from and to, of one
// unit or of all if unit is empty.
//
// Errors: Invalid for days that are none; Forbidden to who may see them for his own
// unit only.
func (l *Ledger) Figures(ctx context.Context, actor *elicense.Actor, unit elicense.UnitCode, from, to elicense.Date) (*Figures, error) {
	if err := period(from, to); err != nil {
		return nil, err
	}
	detail := map[string]string{"list": "figures", "from": string(from), "to": string(to)}
	f, _, err := access.Get(ctx, l.Guard, request(actor, access.OnTimeRead, unit, detail), func(tx *store.Tx, _ *access.Permit) (*Figures, error) {
		c := &counter{tx: tx, unit: unit, from: from.Start(), to: to.End(), lines: map[lineKey]*Count{}}
		f := &Figures{From: from, To: to, At: tx.Now(), Unit: unit, Apart: Apart{None: map[Ground]int{}}}
		for _, count := range []func(*Figures) error{c.published, c.open, c.old, c.missing, c.apart} {
			if err := count(f); err != nil {
				return nil, err
			}
		}
		var err error
		if f.Minutes, err = minutesOf(tx, unit); err != nil {
			return nil, err
		}
		return f, c.sum(f)
	})
	return f, err
}

type lineKey struct {
	unit elicense.UnitCode
	typ  elicense.TypeCode
	way  Way
}

// counter counts in one snapshot.
type counter struct {
	tx       *store.Tx
	unit     elicense.UnitCode
	from, to time.Time
	lines    map[lineKey]*Count
}

// rows runs a query for the chosen unit, whose column is named.
func (c *counter) rows(q, unit, after string, args ...any) (*store.Rows, error) {
	if c.unit != "" {
		q += ` AND ` + unit + ` = $` + strconv.Itoa(len(args)+1)
		args = append(args, c.unit)
	}
	return c.tx.Query(q+after, args...)
}

func (c *counter) at(k lineKey) *Count {
	if c.lines[k] == nil {
		c.lines[k] = &Count{}
	}
	return c.lines[k]
}

func (c *counter) published(*Figures) error {
	const late = `d.published > d.due`
	rows, err := c.rows(`SELECT d.unit, d.type, `+way+`, COUNT(*), SUM(CASE WHEN `+late+` THEN 1 ELSE 0 END), SUM(CASE WHEN `+late+` AND `+excused+` THEN 1 ELSE 0 END),
		SUM(CASE WHEN d.due IS NULL THEN 1 ELSE 0 END),
		SUM(CASE WHEN d.generated - d.closed <= 60000000 * COALESCE(s.minutes, `+strconv.Itoa(DefaultMinutes)+`) AND d.published <= d.due THEN 1 ELSE 0 END)
		FROM draft d LEFT JOIN sync_setting s ON s.unit = d.unit WHERE d.state = 'published' AND d.origin = '' AND d.closed >= $1 AND d.closed < $2`, "d.unit", ` GROUP BY 1, 2, 3`,
		c.from, c.to)
	if err != nil {
		return err
	}
	for rows.Next() {
		var k lineKey
		var all, late, excused, unknown, prompt int
		if err := rows.Scan(&k.unit, &k.typ, &k.way, &all, &late, &excused, &unknown, &prompt); err != nil {
			return err
		}
		x := Count{OnTime: all - late - unknown, Late: late, Excused: excused, Unknown: unknown}
		if k.way == Online {
			x.Prompt, x.PromptOf = prompt, all
		}
		c.at(k).add(x)
	}
	return nil
}

// open counts the drafts that are not published.
func (c *counter) open(*Figures) error {
	const late = `d.due < $1`
	rows, err := c.rows(`SELECT d.unit, d.type, `+way+`, COUNT(*), SUM(CASE WHEN `+late+` THEN 1 ELSE 0 END), SUM(CASE WHEN `+late+` AND `+excused+` THEN 1 ELSE 0 END),
		SUM(CASE WHEN d.due IS NULL THEN 1 ELSE 0 END)
		FROM `+unpublished+` d WHERE d.origin = '' AND d.closed >= $2 AND d.closed < $3`,
		"d.unit", ` GROUP BY 1, 2, 3`, c.tx.Now(), c.from, c.to)
	if err != nil {
		return err
	}
	for rows.Next() {
		var k lineKey
		var all, late, excused, unknown int
		if err := rows.Scan(&k.unit, &k.typ, &k.way, &all, &late, &excused, &unknown); err != nil {
			return err
		}
		c.at(k).add(Count{Late: late, Excused: excused, Unknown: unknown, Running: all - late - unknown})
	}
	return nil
}

// old counts what catches up with paper: late ones, and the stock, which has no term.
func (c *counter) old(f *Figures) error {
	rows, err := c.rows(`SELECT d.unit, d.type, d.origin, COUNT(*), SUM(CASE WHEN `+excused+` THEN 1 ELSE 0 END)
		FROM draft d WHERE d.origin <> '' AND d.state <> 'void' AND d.generated >= $1 AND d.generated < $2`, "d.unit", ` GROUP BY 1, 2, 3`, c.from, c.to)
	if err != nil {
		return err
	}
	for rows.Next() {
		var k lineKey
		var all, excused int
		if err := rows.Scan(&k.unit, &k.typ, &k.way, &all, &excused); err != nil {
			return err
		}
		if k.way == Stock {
			f.Apart.Stock += all
			continue
		}
		c.at(k).add(Count{Late: all, Excused: excused})
	}
	return nil
}

// missing counts the results nobody has begun a license for.
func (c *counter) missing(*Figures) error {
	rows, err := c.rows(`SELECT r.unit, r.type, r.mode, COUNT(*), SUM(CASE WHEN r.due < $1 THEN 1 ELSE 0 END),
		SUM(CASE WHEN r.due < $1 AND r.id IN (SELECT subject FROM excuse WHERE kind = 'result' AND lifted IS NULL) THEN 1 ELSE 0 END),
		SUM(CASE WHEN r.due IS NULL THEN 1 ELSE 0 END)`+matched+`WHERE r.awaited AND d.id IS NULL AND r.closed >= $2 AND r.closed < $3`, "r.unit", ` GROUP BY 1, 2, 3`,
		c.tx.Now(), c.from, c.to)
	if err != nil {
		return err
	}
	for rows.Next() {
		var k lineKey
		var all, late, excused, unknown int
		if err := rows.Scan(&k.unit, &k.typ, &k.way, &all, &late, &excused, &unknown); err != nil {
			return err
		}
		c.at(k).add(Count{Late: late, Missing: late, Excused: excused, Unknown: unknown, Running: all - late - unknown})
	}
	return nil
}

// apart counts what has no term.
func (c *counter) apart(f *Figures) error {
	rows, err := c.rows(`SELECT r.ground, COUNT(*) FROM case_result r WHERE r.standing = 'none' AND r.closed >= $1 AND r.closed < $2`, "r.unit", ` GROUP BY r.ground`, c.from, c.to)
	if err != nil {
		return err
	}
	for rows.Next() {
		var g Ground
		var n int
		if err := rows.Scan(&g, &n); err != nil {
			return err
		}
		f.Apart.None[g] = n
	}
	rows, err = c.rows(`SELECT COUNT(*) FROM license WHERE issuer IN (SELECT code FROM unit) AND reference AND published >= $1 AND published < $2`, "issuer", "", c.from, c.to)
	if err != nil {
		return err
	}
	rows.Next()
	return rows.Scan(&f.Apart.National)
}

// sum makes lines and groups.
func (c *counter) sum(f *Figures) error {
	ways, units, types := map[Way]*Group{}, map[elicense.UnitCode]*Group{}, map[elicense.TypeCode]*Group{}
	for k, n := range c.lines {
		line := Line{Unit: k.unit, Type: k.typ, Way: k.way, Count: *n}
		u, err := org.UnitOf(c.tx, k.unit)
		if err != nil {
			return err
		}
		t, err := catalog.Current(c.tx, k.typ)
		if err != nil {
			return err
		}
		line.UnitName, line.TypeName = u.Name, t.Name
		f.Lines = append(f.Lines, line)
		f.All.add(*n)
		grouped(ways, k.way, k.way.Chinese(), *n)
		grouped(units, k.unit, u.Name, *n)
		grouped(types, k.typ, t.Name, *n)
	}
	slices.SortFunc(f.Lines, func(a, b Line) int {
		if a.Late != b.Late {
			return b.Late - a.Late
		}
		return strings.Compare(string(a.Unit)+string(a.Type)+string(a.Way), string(b.Unit)+string(b.Type)+string(b.Way))
	})
	for _, w := range Ways() {
		if g := ways[w]; g != nil {
			f.Ways = append(f.Ways, *g)
		}
	}
	f.Units, f.Types = ranked(units), ranked(types)
	return nil
}

func grouped[K ~string](m map[K]*Group, key K, name string, n Count) {
	if m[key] == nil {
		m[key] = &Group{Key: string(key), Name: name}
	}
	m[key].add(n)
}

// ranked orders groups by their share on time, the lowest first; those of which
// nothing is counted come last.
func ranked[K ~string](m map[K]*Group) (list []Group) {
	for _, g := range m {
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b Group) int {
		ra, rb := a.Rate(), b.Rate()
		switch {
		case (ra < 0) != (rb < 0):
			return rb - ra
		case ra != rb:
			return ra - rb
		case a.Late != b.Late:
			return b.Late - a.Late
		}
		return strings.Compare(a.Key, b.Key)
	})
	return list
}

// Which chooses what is late of a unit, a type and a way; what is empty is all.
type Which struct {
	Unit     elicense.UnitCode
	Type     elicense.TypeCode
	Way      Way
	From, To elicense.Date
}

// Overdue is one late license, or one that is missing.
type Overdue struct {
	Kind      SubjectKind
	ID        string
	Unit      elicense.UnitCode
	UnitName  string
	Type      elicense.TypeCode
	TypeName  string
	Way       Way
	Case      string // or the number of the paper that was caught up with
	Closed    time.Time
	Due       time.Time
	Published time.Time // zero while it is not
	Lot       string
	LotName   string
	Excuses   []*Excuse // those lifted too, the newest first
}

// Excused tells whether an excuse stands.
func (o *Overdue) Excused() *Excuse {
	for _, e := range o.Excuses {
		if e.Lifted.IsZero() {
			return e
		}
	}
	return nil
}

// Overdue tells whether it is not published by now.
func (o *Overdue) Overdue() bool { return o.Published.IsZero() }

// By is for how long it was late, or is by now.
func (o *Overdue) By(now time.Time) time.Duration {
	switch {
	case o.Due.IsZero():
		return 0
	case o.Published.IsZero():
		return now.Sub(o.Due)
	}
	return o.Published.Sub(o.Due)
}

// LateList lists what is late, those closed first first, and the place of the next
// page, empty at the end.
//
// Errors: as of Figures.
func (l *Ledger) LateList(ctx context.Context, actor *elicense.Actor, w Which, after Page, limit int) (list []*Overdue, next Page, err error) {
	if err := period(w.From, w.To); err != nil {
		return nil, Page{}, err
	}
	if w.Way != "" && !slices.Contains(Ways(), w.Way) {
		return nil, Page{}, elicense.E(elicense.Invalid, "没有这种生成方式").At("way")
	}
	detail := map[string]string{"list": "late", "from": string(w.From), "to": string(w.To), "way": string(w.Way)}
	build := func(tx *store.Tx) (access.Request, error) {
		req, err := request(actor, access.OnTimeRead, w.Unit, detail)(tx)
		if w.Type.Valid() {
			req.Note.LicenseType = w.Type
		}
		return req, err
	}
	type page struct {
		list []*Overdue
		next Page
	}
	p, _, err := access.Get(ctx, l.Guard, build, func(tx *store.Tx, _ *access.Permit) (p page, err error) {
		var places []place
		for _, q := range []func(*store.Tx, Which, Page, int) ([]place, error){lateDrafts, openDrafts, oldDrafts, lateResults} {
			some, err := q(tx, w, after, limit+1)
			if err != nil {
				return p, err
			}
			places = append(places, some...)
		}
		slices.SortFunc(places, func(a, b place) int {
			if c := a.Closed.Compare(b.Closed); c != 0 {
				return c
			}
			return strings.Compare(a.ID, b.ID)
		})
		if len(places) > limit {
			places = places[:limit]
			p.next = places[limit-1].Page
		}
		for _, at := range places {
			o, err := overdue(tx, at.kind, at.ID)
			if err != nil {
				return p, err
			}
			p.list = append(p.list, o)
		}
		return p, nil
	})
	return p.list, p.next, err
}

type place struct {
	Page
	kind SubjectKind
}

// narrowed adds what is chosen, and the place to go on from, to a query of the table
// t, and runs it; $1 and $2 are the days of closing.
func narrowed(tx *store.Tx, kind SubjectKind, q, t, way string, w Which, after Page, limit int, more ...any) ([]place, error) {
	args := append([]any{w.From.Start(), w.To.End()}, more...)
	with := func(clause string, v ...any) {
		for _, x := range v {
			args = append(args, x)
			clause = strings.Replace(clause, "?", "$"+strconv.Itoa(len(args)), 1)
		}
		q += clause
	}
	if w.Unit != "" {
		with(` AND `+t+`.unit = ?`, w.Unit)
	}
	if w.Type != "" {
		with(` AND `+t+`.type = ?`, w.Type)
	}
	if w.Way != "" {
		with(` AND `+way+` = ?`, w.Way)
	}
	if after.ID != "" {
		with(` AND (`+t+`.closed > ? OR `+t+`.closed = ? AND `+t+`.id > ?)`, after.Closed, after.Closed, after.ID)
	}
	with(` ORDER BY `+t+`.closed, `+t+`.id LIMIT ?`, limit)
	return store.All(tx, func(r *store.Rows) (place, error) {
		p := place{kind: kind}
		err := r.Scan(&p.ID, &p.Closed)
		return p, err
	}, q, args...)
}

func lateDrafts(tx *store.Tx, w Which, after Page, limit int) ([]place, error) {
	return narrowed(tx, OfDraft, `SELECT d.id, d.closed FROM draft d WHERE d.state = 'published' AND d.closed >= $1 AND d.closed < $2
		AND d.origin = '' AND d.published > d.due`, "d", way, w, after, limit)
}

func openDrafts(tx *store.Tx, w Which, after Page, limit int) ([]place, error) {
	return narrowed(tx, OfDraft, `SELECT d.id, d.closed FROM `+unpublished+` d WHERE d.closed >= $1 AND d.closed < $2 AND d.origin = '' AND d.due < $3`, "d", way, w, after, limit, tx.Now())
}

func oldDrafts(tx *store.Tx, w Which, after Page, limit int) ([]place, error) {
	return narrowed(tx, OfDraft, `SELECT d.id, d.closed FROM draft d WHERE d.origin = 'late' AND d.origin <> '' AND d.state <> 'void'
		AND d.generated >= $1 AND d.generated < $2`, "d", "d.origin", w, after, limit)
}

func lateResults(tx *store.Tx, w Which, after Page, limit int) ([]place, error) {
	return narrowed(tx, OfResult, `SELECT r.id, r.closed`+matched+`WHERE r.awaited AND d.id IS NULL AND r.closed >= $1 AND r.closed < $2 AND r.due < $3`,
		"r", "r.mode", w, after, limit, tx.Now())
}

// overdue reads something late.
func overdue(tx *store.Tx, kind SubjectKind, id string) (*Overdue, error) {
	o := &Overdue{Kind: kind, ID: id}
	keys := []any{string(kind), id}
	if kind == OfDraft {
		d, err := issuance.Of(tx, elicense.DraftID(id))
		if err != nil {
			return nil, err
		}
		if err := issuance.NotePaper(tx, d); err != nil {
			return nil, err
		}
		o.Unit, o.Type, o.TypeName, o.Case, o.Closed, o.Due, o.Published, o.Lot = d.Unit, d.Type, d.TypeName, d.Number(), d.Closed, d.Due, d.Published, d.Lot
		if o.Way = Way(d.Origin); o.Way == "" {
			o.Way = Way(d.Mode)
		}
		if o.Way == "" {
			o.Way = Online
		}
		r, err := of(tx, d.Unit, d.Case, d.Item)
		if err != nil {
			return nil, err
		}
		if r != nil {
			keys = append(keys, string(OfResult), r.ID)
		}
		if d.Lot != "" {
			keys = append(keys, string(OfLot), d.Lot)
			if err := tx.Row(`SELECT name FROM lot WHERE id = $1`, d.Lot).Scan(&o.LotName); err != nil {
				return nil, err
			}
		}
	} else {
		r, err := resultOf(tx, id)
		if err != nil {
			return nil, err
		}
		o.Unit, o.Type, o.TypeName, o.Case, o.Closed, o.Due, o.Published, o.Way = r.Unit, r.Type, r.TypeName, r.Case, r.Closed, r.Due, r.Published, Way(r.Mode)
	}
	u, err := org.UnitOf(tx, o.Unit)
	if err != nil {
		return nil, err
	}
	o.UnitName = u.Name
	for i := 0; i < len(keys); i += 2 {
		list, err := excuses(tx, `WHERE kind = $1 AND subject = $2 ORDER BY at DESC`, keys[i], keys[i+1])
		if err != nil {
			return nil, err
		}
		o.Excuses = append(o.Excuses, list...)
	}
	return o, nil
}

// Overdue returns something late, to its unit and to supervision.
//
// Errors: Forbidden, also to a unit for what is not there; NotFound.
func (l *Ledger) Overdue(ctx context.Context, actor *elicense.Actor, kind SubjectKind, id string) (*Overdue, error) {
	build := func(tx *store.Tx) (access.Request, error) {
		s, err := find(tx, kind, id)
		if err != nil {
			return access.Request{}, err
		}
		return request(actor, access.OnTimeRead, s.unit, map[string]string{"kind": string(kind)})(tx)
	}
	o, _, err := access.Get(ctx, l.Guard, build, func(tx *store.Tx, _ *access.Permit) (*Overdue, error) {
		s, err := find(tx, kind, id)
		if err != nil {
			return nil, err
		}
		if s.unit == "" || kind == OfLot {
			return nil, elicense.E(elicense.NotFound, "没有这份证照、办结或批次")
		}
		return overdue(tx, kind, id)
	})
	return o, err
}

// Unreported lists the licenses a unit made for cases closed on the days from and to
// of which no result was reported, and how many results were: what the unit's
// systems tell and what it makes should agree. Only ones due with their case.
//
// Errors: as of Figures.
func (l *Ledger) Unreported(ctx context.Context, actor *elicense.Actor, unit elicense.UnitCode, from, to elicense.Date, limit int) (list []*issuance.Draft, reported int, err error) {
	if err := period(from, to); err != nil {
		return nil, 0, err
	}
	detail := map[string]string{"list": "unreported", "from": string(from), "to": string(to)}
	list, _, err = access.Get(ctx, l.Guard, request(actor, access.OnTimeOwn, unit, detail), func(tx *store.Tx, _ *access.Permit) ([]*issuance.Draft, error) {
		if err := tx.Row(`SELECT COUNT(*) FROM case_result WHERE unit = $1 AND closed >= $2 AND closed < $3`, unit, from.Start(), to.End()).Scan(&reported); err != nil {
			return nil, err
		}
		ids, err := store.All(tx, func(r *store.Rows) (id elicense.DraftID, err error) {
			err = r.Scan(&id)
			return id, err
		}, `SELECT d.id FROM draft d JOIN completion c ON c.draft = d.id LEFT JOIN case_result r ON r.unit = c.unit AND r.case_index = c.case_index AND r.item = c.item
			WHERE d.state = 'published' AND d.unit = $1 AND d.closed >= $2 AND d.closed < $3 AND d.origin = '' AND r.id IS NULL ORDER BY d.closed, d.id LIMIT $4`,
			unit, from.Start(), to.End(), limit)
		if err != nil {
			return nil, err
		}
		return open(tx, ids)
	})
	return list, reported, err
}

func open(tx *store.Tx, ids []elicense.DraftID) (list []*issuance.Draft, err error) {
	for _, id := range ids {
		d, err := issuance.Of(tx, id)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}
