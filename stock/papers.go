package stock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
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
// the license. A row that can't be entered stops no other.
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
	for _, row := range rows {
		if err := r.take(ctx, row); err != nil {
			return nil, err
		}
	}
	err = s.Guard.Write(ctx, build, func(tx *store.Tx, permit *access.Permit) error {
		p.ID, p.At = elicense.NewID[string](tx.Now()), tx.Now()
		permit.Note.LicenseType = f.Type
		permit.Note.Detail = map[string]string{"papers": p.ID, "entered": strconv.Itoa(p.Entered), "differ": strconv.Itoa(p.Differ), "bad": strconv.Itoa(p.Bad)}
		return p.insert(tx)
	})
	return p, err
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

// take enters a row, or keeps it with what is wrong with it. Its error is of what can't
// go on.
func (r *papersReader) take(ctx context.Context, row issuance.PaperRow) error {
	wrong := row.Wrong
	var e *Entry
	if len(wrong) == 0 {
		var err error
		e, err = r.enter(ctx, row)
		var said *elicense.Error
		switch {
		case err == nil:
		case errors.As(err, &said) && said.Kind != elicense.Unavailable:
			wrong = append(wrong, said.Message())
		default:
			return err
		}
	}
	switch {
	case len(wrong) > 0:
		text := wrong[0]
		for _, w := range wrong[1:] {
			text += "；" + w
		}
		r.p.Bad++
		r.p.Rows = append(r.p.Rows, append(row.Cells, strconv.Itoa(row.Line), text))
	case e.State == Differs:
		r.p.Differ++
	default:
		r.p.Entered++
	}
	return nil
}

func (r *papersReader) enter(ctx context.Context, row issuance.PaperRow) (*Entry, error) {
	refuse := func(text string, args ...any) error {
		return elicense.E(elicense.Conflict, text, args...).Under("第八条")
	}
	if r.seen[row.Number] {
		return nil, refuse("表里前面已有这个编号")
	}
	r.seen[row.Number] = true
	typed := Typed{Holders: row.Holders, Fields: row.Fields, IssuedOn: row.IssuedOn, DocNo: row.DocNo}
	known := r.open[row.Number]
	if r.p.Again {
		switch {
		case known == nil:
			return nil, refuse("没有等第二次录入的这个编号")
		case known.State != Once:
			return nil, refuse("这个编号的补录现在是“%s”", known.State.Chinese())
		case known.FirstBy == r.actor.Person:
			return nil, refuse("第一次是您录入的，第二次要由另一个人录入")
		}
		return r.s.Again(ctx, r.actor, known.ID, typed)
	}
	if known != nil {
		return nil, refuse("这个编号已经录过，现在是“%s”", known.State.Chinese())
	}
	err := r.s.DB.View(ctx, func(tx *store.Tx) error {
		taken, err := tx.NumberTaken(r.t.Code, r.actor.Unit, row.Number)
		if err == nil && taken {
			err = refuse("本单位已有同类同号的证照")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	name, scan, err := r.pictures.Get(row.Number, MaxScan)
	if errors.Is(err, issuance.ErrNoPicture) {
		return nil, refuse("压缩包里没有这个编号的扫描件")
	}
	if err != nil {
		return nil, err
	}
	return r.s.Enter(ctx, r.actor, r.t.Code, issuance.Stock, typed, name, scan)
}

// PapersOf returns a table to who sent it: what another typed is not for the second
// person's eyes.
//
// Errors: Forbidden; NotFound.
func (s *Stock) PapersOf(ctx context.Context, actor *elicense.Actor, id string) (*Papers, error) {
	p, _, err := access.Get(ctx, s.Guard, s.ofUnit(actor, access.DraftRead), func(tx *store.Tx, _ *access.Permit) (*Papers, error) {
		list, err := papers(tx, `WHERE id = $1 AND unit = $2 AND person = $3`, id, actor.Unit, actor.Person)
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
	return [][]byte{
		[]byte(p.Unit), []byte(p.Type), n(p.TypeVersion), strconv.AppendBool(nil, p.Again), []byte(p.Person), strconv.AppendInt(nil, p.At.UnixMicro(), 10),
		n(p.Entered), n(p.Differ), n(p.Bad), content,
	}
}

func (p *Papers) insert(tx *store.Tx) error {
	b, err := json.Marshal(p.papersContent)
	if err != nil {
		return fmt.Errorf("papers: %w", err)
	}
	_, err = tx.Exec(`INSERT INTO stock_table (id, unit, type, type_version, again, person, at, entered, differ, bad, content_enc, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		p.ID, p.Unit, p.Type, p.TypeVersion, p.Again, p.Person, p.At, p.Entered, p.Differ, p.Bad, tx.Encrypt("stock_table", p.ID, "content_enc", b),
		tx.MAC("stock_table", p.ID, p.parts(b)...))
	return err
}

func papers(tx *store.Tx, where string, args ...any) ([]*Papers, error) {
	return store.All(tx, func(r *store.Rows) (*Papers, error) {
		var p Papers
		var b, mac []byte
		if err := r.Scan(&p.ID, &p.Unit, &p.Type, &p.TypeVersion, &p.Again, &p.Person, &p.At, &p.Entered, &p.Differ, &p.Bad, &b, &mac); err != nil {
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
	}, `SELECT id, unit, type, type_version, again, person, at, entered, differ, bad, content_enc, mac FROM stock_table `+where, args...)
}
