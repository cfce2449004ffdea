package stock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// MaxTable is how many rows a table of papers has at most: each is entered by itself,
// while its sender waits.
const MaxTable = 500

// Papers is a table of licenses on paper that was read: by the first person with the
// pictures, by the second without. Each good row is an entry like any other; the others
// come back in the table's own form.
type Papers struct {
	ID          string
	Unit        elicense.UnitCode
	Type        elicense.TypeCode
	TypeVersion int
	Again       bool // it was the second entry of its rows
	Person      elicense.PersonID
	At          time.Time
	Entered     int // rows that stand; of a second table, those that say what the first does
	Differ      int // of a second table: rows that say something else, which are decided one by one
	Bad         int
	Reading     bool // not read to its end: being read, or broken off by a stop
	papersContent
}

type papersContent struct {
	Name string     `json:"name"` // of the file
	Rows [][]string `json:"rows"` // that did not stand: cells, line, what is wrong
}

// PapersFile is a table that comes in.
type PapersFile struct {
	Type     elicense.TypeCode
	Again    bool
	Name     string
	Content  io.Reader
	Pictures []byte // ZIP archive, of a first table
}

// PapersForm writes the workbook in which papers of a type are entered.
//
// Errors: NotFound; Conflict for a type that is not entered by tables.
func (s *Stock) PapersForm(ctx context.Context, typ elicense.TypeCode, w io.Writer) error {
	var t *catalog.Type
	err := s.DB.View(ctx, func(tx *store.Tx) (err error) {
		t, err = catalog.Current(tx, typ)
		return err
	})
	if err != nil {
		return err
	}
	return issuance.PaperTable(t, w, nil)
}

// ReadPapers enters the rows of a table, each as Enter or, of a second table, as Again
// does: there is no other way to an entry. Rows of the two tables meet by the number of
// the license. A row that can't be entered stops no other. What became of a row is
// kept in the transaction that enters it: wherever the program stops, PapersOf gives
// back the rows that were not entered.
//
// Errors: Invalid for a table that is not the type's or pictures that are none;
// TooLarge; Forbidden; Conflict for a type that is not entered by tables.
func (s *Stock) ReadPapers(ctx context.Context, actor *elicense.Actor, f PapersFile) (*Papers, error) {
	if utf8.RuneCountInString(f.Name) > maxNote {
		f.Name = ""
	}
	build := issuing(actor, f.Type, map[string]string{"papers": strconv.FormatBool(f.Again)})
	if f.Again {
		build = s.ofUnit(actor, access.DraftEnter)
	}
	if !permitted(ctx, s.DB, s.Guard, build) { // what a stranger sends is not read
		return nil, s.Guard.Write(ctx, build, func(*store.Tx, *access.Permit) error { return nil })
	}
	p := &Papers{Unit: actor.Unit, Type: f.Type, Again: f.Again, Person: actor.Person, papersContent: papersContent{Name: f.Name}}
	r := &papersReader{s: s, actor: actor, p: p, seen: map[string]bool{}}
	err := s.DB.View(ctx, func(tx *store.Tx) (err error) {
		if r.t, err = catalog.Current(tx, f.Type); err != nil {
			return err
		}
		r.open, err = numbered(tx, actor.Unit, r.t)
		return err
	})
	if err == nil && !f.Again {
		r.pictures, err = issuance.OpenPictures(f.Pictures)
	}
	if err != nil {
		return nil, err
	}
	p.TypeVersion = r.t.Version
	var rows []issuance.PaperRow // the whole table is read before any of it is entered
	err = issuance.ReadPaper(r.t, f.Content, func(row issuance.PaperRow) error {
		if len(rows) == MaxTable {
			return elicense.E(elicense.TooLarge, "一张表最多%d行", MaxTable).At("file").Then("请分成几张表")
		}
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = s.Guard.Write(ctx, build, func(tx *store.Tx, permit *access.Permit) error {
		p.ID, p.At, p.Reading = elicense.NewID[string](tx.Now()), tx.Now(), true
		permit.Note.LicenseType = f.Type
		permit.Note.Detail = map[string]string{"papers": p.ID, "rows": strconv.Itoa(len(rows))}
		for n, row := range rows {
			if err := p.keep(tx, n, &papersRow{Cells: row.Cells, Line: row.Line, Wrong: strings.Join(row.Wrong, "；")}); err != nil {
				return err
			}
		}
		return p.insert(tx)
	})
	if err != nil {
		return nil, err
	}
	for n, row := range rows {
		if err := r.take(ctx, n, row); err != nil {
			return nil, err
		}
		store.CrashPoint("papers.row")
	}
	err = s.Guard.Write(ctx, build, func(tx *store.Tx, permit *access.Permit) error {
		p.Reading = true
		if err := p.gather(tx); err != nil {
			return err
		}
		permit.Note.LicenseType = f.Type
		permit.Note.Detail = map[string]string{"papers": p.ID, "entered": strconv.Itoa(p.Entered), "differ": strconv.Itoa(p.Differ), "bad": strconv.Itoa(p.Bad)}
		return p.end(tx)
	})
	return p, err
}

// papersRow is a row of a table while it is read.
type papersRow struct {
	Cells []string `json:"cells"`
	Line  int      `json:"line"`
	Wrong string   `json:"wrong,omitempty"`
	State State    `json:"state,omitempty"` // of its entry; empty if there is none
}

// keep notes what became of a row, by its place from 0.
func (p *Papers) keep(tx *store.Tx, place int, row *papersRow) error {
	b, err := json.Marshal(row)
	if err != nil {
		return fmt.Errorf("row of papers: %w", err)
	}
	_, err = tx.Exec(`INSERT INTO stock_table_row (papers, place, content_enc) VALUES ($1, $2, $3)
		ON CONFLICT (papers, place) DO UPDATE SET content_enc = excluded.content_enc`,
		p.ID, place, tx.Encrypt("stock_table_row", p.ID+"/"+strconv.Itoa(place), "content_enc", b))
	return err
}

// gather counts the rows of a table that was not read to its end, and puts together
// those that were not entered.
func (p *Papers) gather(tx *store.Tx) error {
	type kept struct {
		papersRow
		place int
	}
	rows, err := store.All(tx, func(r *store.Rows) (k kept, err error) {
		var b []byte
		if err := r.Scan(&k.place, &b); err != nil {
			return k, err
		}
		if b, err = tx.Decrypt("stock_table_row", p.ID+"/"+strconv.Itoa(k.place), "content_enc", b); err != nil {
			return k, err
		}
		return k, json.Unmarshal(b, &k.papersRow)
	}, `SELECT place, content_enc FROM stock_table_row WHERE papers = $1 ORDER BY place`, p.ID)
	if err != nil {
		return err
	}
	p.Entered, p.Differ, p.Bad, p.Rows = 0, 0, 0, nil
	for _, k := range rows {
		switch {
		case k.State == Differs:
			p.Differ++
		case k.State != "":
			p.Entered++
		default:
			if k.Wrong == "" {
				k.Wrong = "读到这里中断了，这一行还没有录入，请再上传"
			}
			p.Bad++
			p.Rows = append(p.Rows, append(k.Cells, strconv.Itoa(k.Line), k.Wrong))
		}
	}
	return nil
}

// end keeps the result of a table that was read to its end in place of its rows.
func (p *Papers) end(tx *store.Tx) error {
	p.Reading = false
	b, err := json.Marshal(p.papersContent)
	if err != nil {
		return fmt.Errorf("papers: %w", err)
	}
	if _, err := tx.Exec(`DELETE FROM stock_table_row WHERE papers = $1`, p.ID); err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE stock_table SET entered = $1, differ = $2, bad = $3, reading = $4, content_enc = $5, mac = $6 WHERE id = $7`,
		p.Entered, p.Differ, p.Bad, false, tx.Encrypt("stock_table", p.ID, "content_enc", b), tx.MAC("stock_table", p.ID, p.parts(b)...), p.ID)
	return err
}

// papersReader enters the rows of one table.
type papersReader struct {
	s        *Stock
	actor    *elicense.Actor
	p        *Papers
	t        *catalog.Type
	pictures *issuance.Pictures
	open     map[string]*Entry // by the number of the license, those that are no published license yet
	seen     map[string]bool   // numbers of this table
}

// numbered finds the entries of a unit's stock of a type by the number of the license.
func numbered(tx *store.Tx, unit elicense.UnitCode, t *catalog.Type) (map[string]*Entry, error) {
	list, err := entries(tx, `WHERE unit = $1 AND type = $2 AND origin = $3 AND (state IN ($4, $5) OR state = $6 AND
		EXISTS (SELECT 1 FROM draft d WHERE d.id = stock_entry.draft AND d.state NOT IN ('published', 'void')))`,
		unit, t.Code, issuance.Stock, Once, Differs, Made)
	m := map[string]*Entry{}
	for _, e := range list {
		m[e.First.Fields[t.Roles.Number]] = e
	}
	return m, err
}

// take enters a row, or notes what is wrong with it. Its error is of what can't go
// on.
func (r *papersReader) take(ctx context.Context, place int, row issuance.PaperRow) error {
	if len(row.Wrong) > 0 {
		return nil // noted with the table
	}
	kept := papersRow{Cells: row.Cells, Line: row.Line}
	err := r.enter(ctx, row, func(tx *store.Tx, e *Entry) error {
		kept.State = e.State
		return r.p.keep(tx, place, &kept)
	})
	var said *elicense.Error
	if !errors.As(err, &said) || said.Kind == elicense.Unavailable {
		return err
	}
	kept.State, kept.Wrong = "", issuance.PaperFault(r.t, said)
	return r.s.DB.Update(ctx, func(tx *store.Tx) error { return r.p.keep(tx, place, &kept) })
}

func (r *papersReader) enter(ctx context.Context, row issuance.PaperRow, also alsoFunc) error {
	refuse := func(text string, args ...any) error {
		return elicense.E(elicense.Conflict, text, args...).At("number").Under("第八条")
	}
	if r.seen[row.Number] {
		return refuse("表里前面已有这个编号")
	}
	r.seen[row.Number] = true
	typed := Typed{Holders: row.Holders, Fields: row.Fields, IssuedOn: row.IssuedOn, DocNo: row.DocNo}
	known := r.open[row.Number]
	if r.p.Again {
		switch {
		case known == nil:
			return refuse("没有等第二次录入的这个编号")
		case known.State != Once:
			return refuse("这个编号的补录现在是“%s”", known.State.Chinese())
		case known.FirstBy == r.actor.Person:
			return refuse("第一次是您录入的，第二次要由另一个人录入")
		}
		_, err := r.s.again(ctx, r.actor, known.ID, typed, also)
		return err
	}
	if known != nil {
		return refuse("这个编号已经录过，现在是“%s”", known.State.Chinese())
	}
	err := r.s.DB.View(ctx, func(tx *store.Tx) error {
		taken, err := tx.NumberTaken(r.t.Code, r.actor.Unit, row.Number)
		if err == nil && taken {
			err = refuse("本单位已有同类同号的证照")
		}
		return err
	})
	if err != nil {
		return err
	}
	name, scan, err := r.pictures.Get(row.Number, MaxScan)
	if errors.Is(err, issuance.ErrNoPicture) {
		return refuse("压缩包里没有这个编号的扫描件")
	}
	if err != nil {
		return err
	}
	_, err = r.s.enter(ctx, r.actor, r.t.Code, issuance.Stock, typed, name, scan, also)
	return err
}

// PapersOf returns a table to who sent it: what another typed is not for the second
// person's eyes.
//
// Errors: Forbidden; NotFound.
func (s *Stock) PapersOf(ctx context.Context, actor *elicense.Actor, id string) (*Papers, error) {
	p, _, err := access.Get(ctx, s.Guard, s.ofUnit(actor, access.DraftRead), func(tx *store.Tx, _ *access.Permit) (*Papers, error) {
		list, err := papersOf(tx, `WHERE id = $1 AND unit = $2 AND person = $3`, id, actor.Unit, actor.Person)
		if err == nil && len(list) == 0 {
			err = elicense.E(elicense.NotFound, "您没有上传过这张表").Under("第八条")
		}
		if err != nil {
			return nil, err
		}
		return list[0], nil
	})
	return p, err
}

// Tables lists the tables the actor sent, the newest first: what another typed is not
// for the second person's eyes.
//
// Errors: Forbidden.
func (s *Stock) Tables(ctx context.Context, actor *elicense.Actor, limit int) ([]*Papers, error) {
	list, _, err := access.Get(ctx, s.Guard, s.ofUnit(actor, access.DraftRead), func(tx *store.Tx, _ *access.Permit) ([]*Papers, error) {
		return papersOf(tx, `WHERE unit = $1 AND person = $2 ORDER BY at DESC, id DESC LIMIT $3`, actor.Unit, actor.Person, limit)
	})
	return list, err
}

// BadPapers writes the rows of a table that did not stand, in its own form.
//
// Errors: those of PapersOf.
func (s *Stock) BadPapers(ctx context.Context, actor *elicense.Actor, id string, w io.Writer) error {
	p, err := s.PapersOf(ctx, actor, id)
	if err != nil {
		return err
	}
	var t *catalog.Type
	err = s.DB.View(ctx, func(tx *store.Tx) (err error) {
		t, err = catalog.VersionOf(tx, p.Type, p.TypeVersion)
		return err
	})
	if err != nil {
		return err
	}
	rows := p.Rows
	if rows == nil {
		rows = [][]string{}
	}
	return issuance.PaperTable(t, w, rows)
}

func (p *Papers) parts(content []byte) [][]byte {
	n := func(i int) []byte { return strconv.AppendInt(nil, int64(i), 10) }
	parts := [][]byte{
		[]byte(p.Unit), []byte(p.Type), n(p.TypeVersion), strconv.AppendBool(nil, p.Again), []byte(p.Person), strconv.AppendInt(nil, p.At.UnixMicro(), 10),
		n(p.Entered), n(p.Differ), n(p.Bad), content,
	}
	if p.Reading { // rows from before it was kept were read to their end
		parts = append(parts, []byte("reading"))
	}
	return parts
}

func (p *Papers) insert(tx *store.Tx) error {
	b, err := json.Marshal(p.papersContent)
	if err != nil {
		return fmt.Errorf("papers: %w", err)
	}
	_, err = tx.Exec(`INSERT INTO stock_table (id, unit, type, type_version, again, person, at, entered, differ, bad, reading, content_enc, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		p.ID, p.Unit, p.Type, p.TypeVersion, p.Again, p.Person, p.At, p.Entered, p.Differ, p.Bad, p.Reading, tx.Encrypt("stock_table", p.ID, "content_enc", b),
		tx.MAC("stock_table", p.ID, p.parts(b)...))
	return err
}

// papersOf reads tables; of one that was not read to its end, what became of its rows
// so far.
func papersOf(tx *store.Tx, where string, args ...any) ([]*Papers, error) {
	list, err := store.All(tx, func(r *store.Rows) (*Papers, error) {
		var p Papers
		var b, mac []byte
		if err := r.Scan(&p.ID, &p.Unit, &p.Type, &p.TypeVersion, &p.Again, &p.Person, &p.At, &p.Entered, &p.Differ, &p.Bad, &p.Reading, &b, &mac); err != nil {
			return nil, err
		}
		b, err := tx.Decrypt("stock_table", p.ID, "content_enc", b)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, &p.papersContent); err != nil {
			return nil, fmt.Errorf("papers %s: %w", p.ID, err)
		}
		return &p, tx.CheckMAC(mac, "stock_table", p.ID, p.parts(b)...)
	}, `SELECT id, unit, type, type_version, again, person, at, entered, differ, bad, reading, content_enc, mac FROM stock_table `+where, args...)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		if p.Reading {
			if err := p.gather(tx); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}
