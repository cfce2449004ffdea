package issuance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/notice"
	"elicense/store"
	"elicense/table"

	"github.com/emmansun/gmsm/sm3"
)

// LotFile is a table of completed cases that come as a lot.
type LotFile struct {
	Type    elicense.TypeCode
	Lot     string        // the lot whose mended rows these are; a new one if empty
	Closed  elicense.Date // the day of closing of all of them
	Name    string
	Content io.Reader
}

// lotColumn is a column of a type's table.
type lotColumn struct {
	key      string // of the field, or one of the names below
	title    string
	note     string
	pick     []string
	required bool
	code     bool // whose digits must not be lost
	exact    bool // whose leading zeros must not be lost either: no number is taken
	date     bool
	photo    bool // holds the name of a file that comes in an archive
}

// What a row says besides the fields.
const (
	colCase     = "*case"
	colItem     = "*item"
	colCodeType = "*codeType"
	colCode     = "*code"
	colName     = "*name"
	colLine     = "*line"  // of the row in the file it first came in
	colErrors   = "*error" // what was wrong with it
)

// batch is how many rows share a transaction.
const batch = 500

var holderTypes = []elicense.HolderCodeType{elicense.CodeUSCC, elicense.CodeCitizen, elicense.CodeOtherOrg, "511", "516", "414", elicense.CodeOther}

// lotColumns are the columns of a type's table: the case, the holder as far as no
// field says it, and every field but pictures.
func lotColumns(t *catalog.Type) []lotColumn {
	list := []lotColumn{
		{key: colCase, title: "办件编号", note: "本单位的办件编号。同一办件有几个结果时，用“结果序号”区分。", required: true, code: true, exact: true},
		{key: colItem, title: "结果序号", note: "同一办件有几个结果时填1、2、3；只有一个时可不填。", code: true},
	}
	if ofRole(t, t.Roles.HolderCode) == "" {
		var pick []string
		for _, c := range holderTypes {
			pick = append(pick, elicense.HolderCodeTypes[c])
		}
		list = append(list,
			lotColumn{key: colCodeType, title: "持证主体证件类型", note: "从列表里选。", pick: pick, required: true},
			lotColumn{key: colCode, title: "持证主体证件号码", note: "单元格是文本，不会丢位数。", required: true, code: true, exact: true})
	}
	if f := t.Field(t.Roles.HolderName); f == nil || f.Type == "list" {
		list = append(list, lotColumn{key: colName, title: "持证主体名称", required: true})
	}
	for _, f := range t.Fields {
		if f.Type == "image" {
			list = append(list, lotColumn{key: f.Key, title: f.Label, required: f.Required, photo: true, note: "填照片的文件名，例如0001.jpg；照片另外打成ZIP压缩包上传。"})
			continue
		}
		c := lotColumn{key: f.Key, title: f.Label, required: f.Required, date: f.Type == "date", code: f.Type != "number" && f.Type != "money" && f.Type != "int"}
		c.exact = f.Type == "uscc" || f.Type == "idno" || f.Key == t.Roles.Number || f.Key == t.Roles.HolderCode
		c.pick = f.Options
		switch f.Type {
		case "date":
			c.note = "写成2026-01-05的样子。"
		case "list":
			c.note = "几项用分号（；）隔开。"
		case "uscc":
			c.note = "18位统一社会信用代码。"
		case "idno":
			c.note = "18位公民身份号码。"
		}
		if f.Required {
			c.note = strings.TrimSpace("必填。" + c.note)
		}
		list = append(list, c)
	}
	return list
}

// ofRole is the type of code the field of a role holds, empty if none says it.
func ofRole(t *catalog.Type, key string) elicense.HolderCodeType {
	f := t.Field(key)
	switch {
	case f == nil:
		return ""
	case f.Type == "uscc":
		return elicense.CodeUSCC
	case f.Type == "idno":
		return elicense.CodeCitizen
	}
	return ""
}

// LotTemplate writes the workbook a lot of a type is filled in at a unit.
//
// Errors: NotFound; Conflict for a type that is not made here by the unit.
func (i *Issuer) LotTemplate(ctx context.Context, code elicense.TypeCode, unit elicense.UnitCode, w io.Writer) error {
	var t *catalog.Type
	err := i.DB.View(ctx, func(tx *store.Tx) (err error) {
		t, err = lotType(tx, code, unit)
		return err
	})
	if err != nil {
		return err
	}
	var columns []table.Column
	for _, c := range lotColumns(t) {
		columns = append(columns, table.Column{Title: c.title, Note: c.note, Pick: c.pick, Width: float64(max(14, 2*utf8.RuneCountInString(c.title)+2))})
	}
	return table.Template(w, "数据", columns, nil, []string{
		t.Name + "批量制证表", "第一行是标题，不要改；列的次序可以换，列不能合并。", "所有单元格都是文本。从别处粘贴时选“粘贴为数值”，不要带公式。",
		"一行一份证照。整批只有一个办结日期，上传时填写。", "没有通过检查的行会单独列出，可以下载、更正后再上传，其他行不受影响。",
	})
}

// lotType is the version of a type that lots are made of at a unit.
func lotType(tx *store.Tx, code elicense.TypeCode, unit elicense.UnitCode) (*catalog.Type, error) {
	t, err := catalog.Current(tx, code)
	if err != nil {
		return nil, err
	}
	mode, err := catalog.ModeFor(tx, t, unit)
	if err != nil {
		return nil, err
	}
	if t.State == catalog.Retired || !mode.Made() {
		return nil, elicense.E(elicense.Conflict, "%s不在本平台制证", t.Name).At("type").Under("第七条第一款")
	}
	return t, nil
}

// ReadLot reads a table of completed cases. Good rows become drafts of a lot; bad
// ones are kept with what is wrong with them, and can be fetched, mended and read
// again into the lot. A new lot is forgotten when its reading is broken off; rows that
// come back into a lot stand, batch by batch.
//
// Errors: Invalid naming the field for a table that is not the type's; TooLarge;
// Forbidden; Conflict for a file that was read before, or a lot that is past it.
func (i *Issuer) ReadLot(ctx context.Context, actor *elicense.Actor, f LotFile) (l *Lot, err error) {
	r := &lotReader{issuer: i, actor: actor}
	defer func() { err = errors.Join(err, r.numbers.close()) }()
	if err := r.begin(ctx, f); err != nil {
		return nil, err
	}
	digest := sm3.New()
	err = r.read(ctx, io.TeeReader(f.Content, digest))
	if err == nil {
		// What a workbook's reader left unread counts to the file too.
		_, err = io.Copy(digest, f.Content)
	}
	if err == nil {
		err = r.end(ctx, digest.Sum(nil))
	}
	if err != nil {
		// The context may be what ended.
		undo := context.WithoutCancel(ctx)
		return nil, errors.Join(err, i.DB.Update(undo, func(tx *store.Tx) error { return r.undo(tx) }))
	}
	return i.Lot(ctx, actor, r.lot.ID)
}

// lotReader reads one table.
type lotReader struct {
	issuer  *Issuer
	actor   *elicense.Actor
	lot     *Lot
	added   bool // to a lot there was
	t       *catalog.Type
	columns []lotColumn
	rows    *table.Reader
	at      []int          // place in columns of each cell; -1 for one that is passed over
	numbers numberTable    // license numbers of this table
	place   int            // the last place taken in the lot
	fresh   map[uint64]int // those of the rows in hand, and their lines
	lines   int            // the last line a bad row of the lot came from
	good    int
}

func (r *lotReader) begin(ctx context.Context, f LotFile) error {
	if utf8.RuneCountInString(f.Name) > 100 {
		f.Name = string([]rune(f.Name)[:100])
	}
	closed, err := elicense.ParseDate(string(f.Closed))
	if f.Lot == "" && err != nil {
		return err.(*elicense.Error).At("closed").Then("整批的办结日期写成2026-01-05的样子")
	}
	build := func(tx *store.Tx) (access.Request, error) {
		if f.Lot != "" {
			return lotRequest(r.actor, access.DraftMake, f.Lot)(tx)
		}
		t, err := catalog.Current(tx, f.Type)
		if err != nil {
			return access.Request{}, err
		}
		return access.Request{
			Actor: r.actor, Act: access.DraftMake,
			On:   access.Thing{Kind: "Draft", ID: "lot", Attr: access.Attr{"unit": string(r.actor.Unit), "issuers": unitStrings(t.Issuers)}},
			Note: access.Note{LicenseType: f.Type, Detail: map[string]string{}},
		}, nil
	}
	return r.issuer.Guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) (err error) {
		if f.Lot != "" {
			if r.lot, err = bareLot(tx, f.Lot); err != nil {
				return err
			}
			if r.lot.State != LotOpen {
				return elicense.E(elicense.Conflict, "批次现在是“%s”，不能再加行", r.lot.State.Chinese()).Then("请另建批次")
			}
			r.added = true
			if r.t, err = r.issuer.typeOf(tx, r.lot); err != nil {
				return err
			}
			r.columns = lotColumns(r.t)
			if err := tx.Row(`SELECT COALESCE(MAX(place), 0) FROM draft WHERE lot = $1`, r.lot.ID).Scan(&r.place); err != nil {
				return err
			}
			return tx.Row(`SELECT COALESCE(MAX(place), 0) FROM lot_bad WHERE lot = $1`, r.lot.ID).Scan(&r.lines)
		}
		if r.t, err = lotType(tx, f.Type, r.actor.Unit); err != nil {
			return err
		}
		r.columns = lotColumns(r.t)
		now := tx.Now()
		// Closed at the end of that day, or now if it is today.
		at := closed.End().Add(-time.Microsecond)
		if elicense.DateOf(now) == closed {
			at = now
		}
		if at.After(now) {
			return elicense.E(elicense.Invalid, "办结日期晚于今天").At("closed")
		}
		r.lot = &Lot{
			ID: elicense.NewID[string](now), Unit: r.actor.Unit, Type: r.t.Code, TypeVersion: r.t.Version, TypeName: r.t.Name, State: LotReading, Name: f.Name,
			FileDigest: []byte{}, Closed: at, Drafter: r.actor.Person, Account: r.actor.Account, DrafterName: r.actor.Name, Created: now, Seq: 1,
		}
		if r.lot.Due, err = Due(tx, catalog.Bulk, at); err != nil {
			return err
		}
		p.Note.Detail["lot"] = r.lot.ID
		return insertLot(tx, r.lot)
	})
}

// typeOf is the version of the type a lot is made of.
func (i *Issuer) typeOf(tx *store.Tx, l *Lot) (*catalog.Type, error) {
	return catalog.VersionOf(tx, l.Type, l.TypeVersion)
}

// read reads the rows, lot by lot of them in one transaction.
func (r *lotReader) read(ctx context.Context, from io.Reader) error {
	rows, err := table.Open(from)
	if err != nil {
		return notATable(err)
	}
	r.rows = rows
	head, err := rows.Next()
	if err != nil {
		return notATable(err)
	}
	if err := r.head(head); err != nil {
		return err
	}
	pending := make([]table.Row, 0, batch)
	for {
		row, err := rows.Next()
		if err != nil && err != io.EOF {
			return notATable(err)
		}
		if err == nil {
			pending = append(pending, row)
		}
		if len(pending) == batch || err == io.EOF && len(pending) > 0 {
			if r.good+r.lot.Rows > MaxRows {
				return elicense.E(elicense.TooLarge, "一个批次最多%d行", MaxRows).At("file").Then("请分成几个批次")
			}
			if err := r.take(ctx, pending); err != nil {
				return err
			}
			pending = pending[:0]
		}
		if err == io.EOF {
			return nil
		}
	}
}

func notATable(err error) error {
	if e := catalog.Unreadable(err); e != nil {
		return e.Then("请用下载的模板填写，另存为xlsx或UTF-8的CSV")
	}
	return err // reading failed, not the file
}

// head finds the columns by their titles, wherever they stand.
func (r *lotReader) head(row table.Row) error {
	bad := func(text string, args ...any) error {
		return elicense.E(elicense.Invalid, text, args...).At("file").Then("请重新下载这一类别的模板，标题不要改")
	}
	seen := map[string]bool{}
	for n, c := range row.Cells {
		title := plainTitle(c.Text)
		place := slices.IndexFunc(r.columns, func(x lotColumn) bool { return plainTitle(x.title) == title })
		switch {
		case title == "":
			r.at = append(r.at, -1)
			continue
		case title == lineTitle || title == errorTitle:
			r.columns = append(r.columns, lotColumn{key: map[string]string{lineTitle: colLine, errorTitle: colErrors}[title], title: title})
			place = len(r.columns) - 1
		case place < 0:
			return bad("第%d列“%s”不是模板里的列", n+1, c.Text)
		case seen[title]:
			return bad("“%s”这一列出现了两次", c.Text)
		}
		seen[title] = true
		r.at = append(r.at, place)
	}
	for _, c := range r.columns {
		if c.required && !seen[plainTitle(c.title)] {
			return bad("缺少“%s”这一列", c.title)
		}
	}
	return nil
}

const lineTitle, errorTitle = "原行号", "错误"

// plainTitle is a title without what people add to it.
func plainTitle(s string) string {
	s = strings.NewReplacer("（", "(", "）", ")", "*", "", "＊", "", " ", "", "\u3000", "", "\n", "", "\ufeff", "").Replace(s)
	return strings.TrimSpace(s)
}

// take checks rows and keeps them: the good ones as drafts, the bad ones as they
// are.
func (r *lotReader) take(ctx context.Context, rows []table.Row) error {
	return r.inLot(ctx, func(tx *store.Tx) error {
		tx.Gather()
		if err := r.foresee(tx, rows); err != nil {
			return err
		}
		for _, row := range rows {
			if err := r.row(tx, row); err != nil {
				return err
			}
		}
		return nil
	})
}

// foresee looks up together what each of the rows will ask for.
func (r *lotReader) foresee(tx *store.Tx, rows []table.Row) error {
	var holders []elicense.HolderRef
	var numbers, cases []string
	for _, row := range rows {
		cells, wrong := r.cells(row)
		if len(wrong) > 0 {
			continue
		}
		c := r.completion(cells, r.lot.Closed)
		if c.normalize() != nil {
			continue
		}
		holders, cases = append(holders, c.Holders...), append(cases, c.Case)
		if n := c.Fields[r.t.Roles.Number]; n != "" {
			numbers = append(numbers, n)
		}
	}
	tx.ForeseeIndexes(completionIndex, cases)
	if err := tx.ForeseeHolders(holders); err != nil {
		return err
	}
	return tx.ForeseeNumbers(r.t.Code, r.lot.Unit, numbers)
}

func (r *lotReader) row(tx *store.Tx, row table.Row) error {
	cells, wrong := r.cells(row)
	line := r.lines + row.Line
	if k := slices.IndexFunc(r.columns, func(c lotColumn) bool { return c.key == colLine }); k >= 0 && r.added {
		if n, err := strconv.Atoi(cells[k]); err == nil && n > 0 {
			line = n
			// The row has come back: what it was like before is done with.
			if _, err := tx.Exec(`DELETE FROM lot_bad WHERE lot = $1 AND place = $2`, r.lot.ID, n); err != nil {
				return err
			}
		}
	}
	var d *Draft
	awaits := false
	if len(wrong) == 0 {
		wrong, awaits = r.photoWrong(tx, cells)
	}
	if len(wrong) == 0 {
		var err error
		if d, wrong, err = r.draft(tx, cells, line); err != nil {
			return err
		}
	}
	if len(wrong) > 0 {
		template := len(lotColumns(r.t))
		return (&badRow{Cells: cells[:template], Errors: wrong, Awaits: awaits}).put(tx, r.lot.ID, line)
	}
	r.good++
	return insertDraft(tx, d)
}

// cells reads the cells of a row by their columns, and says what is wrong with them.
func (r *lotReader) cells(row table.Row) (cells, wrong []string) {
	cells = make([]string, len(r.columns))
	for n, c := range row.Cells {
		if n >= len(r.at) || r.at[n] < 0 {
			if c.Text != "" {
				wrong = append(wrong, fmt.Sprintf("第%d列没有标题", n+1))
			}
			continue
		}
		col := r.columns[r.at[n]]
		text, fault := col.value(r.rows, c)
		if fault != "" {
			wrong = append(wrong, col.title+"："+fault)
		}
		cells[r.at[n]] = text
	}
	return cells, wrong
}

// value reads a cell: what it says, and what is wrong with it.
func (c *lotColumn) value(rows *table.Reader, cell table.Cell) (text, fault string) {
	text = cell.Text
	switch {
	case text == "":
		return "", ""
	case cell.Kind == table.Formula:
		return text, "是公式，请粘贴为数值"
	case cell.Kind == table.Number && c.date:
		days, err := strconv.ParseFloat(text, 64)
		if err != nil || days < 1 || days > 100000 {
			return text, "不是日期"
		}
		return rows.Day(days).Format(time.DateOnly), ""
	case cell.Kind == table.Number && c.exact:
		return text, "成了数字，前面的零或后几位可能已经丢失，请把单元格设为文本后重新填写"
	case cell.Kind == table.Number && c.code && (strings.ContainsAny(text, "eE.") || len(text) > 15):
		return text, "成了数字，后几位可能已经丢失，请把单元格设为文本后重新填写"
	case c.date:
		if d, ok := dateTyped(text); ok {
			return d, ""
		}
		return text, "不是日期，要写成2026-01-05的样子"
	}
	return text, ""
}

func dateTyped(s string) (string, bool) {
	if s == "长期" {
		return s, true
	}
	s = strings.TrimSuffix(strings.TrimSpace(s), " 00:00:00")
	for _, form := range []string{time.DateOnly, "2006/1/2", "2006.1.2", "2006-1-2", "2006年1月2日", "20060102"} {
		if t, err := time.Parse(form, s); err == nil {
			return t.Format(time.DateOnly), true
		}
	}
	return "", false
}

// completion is the completed case a row says.
func (r *lotReader) completion(cells []string, closed time.Time) Completion {
	c := Completion{Type: r.t.Code, Closed: closed, Kind: elicense.EventPublish, Fields: map[string]string{}}
	holder := elicense.HolderRef{CodeType: ofRole(r.t, r.t.Roles.HolderCode)}
	for n, col := range r.columns {
		v := cells[n]
		switch col.key {
		case colCase:
			c.Case = v
		case colItem:
			c.Item = v
		case colCode:
			holder.Code = v
		case colName:
			holder.Name = v
		case colIssued:
			c.IssuedOn = elicense.Date(v)
		case colDocNo:
			c.DocNo = v
		case colLine, colErrors:
		case colCodeType:
			for code, word := range elicense.HolderCodeTypes {
				if word == v || string(code) == v {
					holder.CodeType = code
				}
			}
		default:
			if f := r.t.Field(col.key); f.Type == "list" {
				v = strings.Join(strings.FieldsFunc(v, func(r rune) bool { return r == '；' || r == ';' || r == '\n' }), "\n")
			}
			if v != "" && (!col.photo || strings.HasPrefix(v, "data:")) {
				c.Fields[col.key] = v
			}
		}
	}
	if k := r.t.Roles.HolderCode; ofRole(r.t, k) != "" {
		holder.Code = c.Fields[k]
	}
	if holder.Name == "" {
		holder.Name = c.Fields[r.t.Roles.HolderName]
	}
	c.Holders = []elicense.HolderRef{holder}
	if v := c.Fields[r.t.Roles.IssueDate]; v != "" {
		c.IssuedOn = elicense.Date(v)
	}
	if v := c.Fields[r.t.Roles.ValidFrom]; v != "" {
		c.ValidFrom = elicense.Date(v)
	}
	return c
}

// ReadCompletions reads a table of completed cases of a type, in the form of
// LotTemplate, all closed at one time. f gets each row with its line and what is
// wrong with its cells.
//
// Errors: Invalid for a table that is not the type's; those of f.
func ReadCompletions(t *catalog.Type, closed time.Time, from io.Reader, f func(line int, c Completion, wrong []string) error) error {
	r := &lotReader{t: t, columns: lotColumns(t)}
	return r.each(from, func(row table.Row) error {
		cells, wrong := r.cells(row)
		return f(row.Line, r.completion(cells, closed), wrong)
	})
}

// each reads a table whose columns are the reader's, row by row.
func (r *lotReader) each(from io.Reader, f func(table.Row) error) error {
	rows, err := table.Open(from)
	if err != nil {
		return notATable(err)
	}
	r.rows = rows
	head, err := rows.Next()
	if err != nil {
		return notATable(err)
	}
	if err := r.head(head); err != nil {
		return err
	}
	for {
		row, err := rows.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return notATable(err)
		}
		if err := f(row); err != nil {
			return err
		}
	}
}

// draft makes the draft of a row, or says what is wrong with it.
func (r *lotReader) draft(tx *store.Tx, cells []string, line int) (*Draft, []string, error) {
	c := r.completion(cells, r.lot.Closed)
	if err := c.normalize(); err != nil {
		return nil, r.said(err), nil
	}
	if number := c.Fields[r.t.Roles.Number]; number != "" {
		first := r.numbers.line(digestOf(number))
		if first == 0 {
			first = r.fresh[digestOf(number)]
		}
		if first > 0 {
			return nil, []string{r.numberTitle() + fmt.Sprintf("证照编号和第%d行相同", first)}, nil
		}
		taken, err := tx.NumberTaken(r.t.Code, r.lot.Unit, number)
		if err != nil {
			return nil, nil, err
		}
		if taken {
			return nil, []string{r.numberTitle() + "证照编号已经用在本单位的另一份证照上"}, nil
		}
	}
	d, err := r.issuer.lotDraft(tx, r, c)
	var e *elicense.Error
	if errors.As(err, &e) && e.Kind != elicense.Internal && e.Kind != elicense.Unavailable {
		return nil, r.said(err), nil
	}
	if err != nil {
		return nil, nil, err
	}
	var wrong []string
	for _, f := range d.Findings {
		if !f.Warning {
			wrong = append(wrong, f.Label+"："+f.Text)
		}
	}
	if len(wrong) > 0 {
		return nil, wrong, nil
	}
	// Only a row without faults takes its case.
	body, err := json.Marshal(c)
	if err != nil {
		return nil, nil, fmt.Errorf("row %d: %w", line, err)
	}
	known, err := completed(tx, r.lot.Unit, c, body, d.ID)
	if errors.As(err, &e) && e.Kind == elicense.Conflict {
		return nil, r.said(err), nil
	}
	if err != nil {
		return nil, nil, err
	}
	if known != d.ID {
		return nil, []string{"办件编号：这个办件的同一结果已经制过证"}, nil
	}
	if number := c.Fields[r.t.Roles.Number]; number != "" {
		r.fresh[digestOf(number)] = line
	}
	r.place++
	d.Place = r.place
	return d, nil, nil
}

// numberTitle begins what is wrong with the number of a license.
func (r *lotReader) numberTitle() string { return r.t.Field(r.t.Roles.Number).Label + "：" }

// said is what a row did wrong, with the title of the column it is in.
func (r *lotReader) said(err error) []string {
	var e *elicense.Error
	errors.As(err, &e)
	return []string{inColumn(r.t, r.columns, e)}
}

// inColumn is a sentence with the title of the column it is of, if it is of one.
func inColumn(t *catalog.Type, columns []lotColumn, e *elicense.Error) string {
	keys := map[string][]string{
		"case": {colCase}, "item": {colItem}, "docNo": {colDocNo}, "issuedOn": {t.Roles.IssueDate, colIssued}, "validFrom": {t.Roles.ValidFrom},
		"codeType": {colCodeType}, "code": {t.Roles.HolderCode, colCode}, "name": {t.Roles.HolderName, colName}, "number": {t.Roles.Number},
	}[e.Field]
	for _, c := range columns {
		if c.key != "" && (slices.Contains(keys, c.key) || c.key == strings.TrimPrefix(e.Field, "fields.")) {
			return c.title + "：" + e.Message()
		}
	}
	return e.Message()
}

// lotDraft is a draft of a lot; it is compared with the registries when it is
// sealed.
func (i *Issuer) lotDraft(tx *store.Tx, r *lotReader, c Completion) (*Draft, error) {
	d := i.blank(tx, r.actor, elicense.NewID[elicense.DraftID](tx.Now()), r.t, c)
	d.Lot, d.Mode, d.Due = r.lot.ID, catalog.Bulk, r.lot.Due
	if err := i.place(tx, d, c); err != nil {
		return nil, err
	}
	judge(r.t, d, Comparison{}, elicense.DateOf(tx.Now()))
	return d, nil
}

// end makes the lot ready, unless it was read before.
func (r *lotReader) end(ctx context.Context, digest []byte) error {
	if r.added {
		return nil
	}
	return r.issuer.DB.Update(ctx, func(tx *store.Tx) error {
		l, err := bareLot(tx, r.lot.ID)
		if err != nil {
			return err
		}
		if r.good == 0 {
			var before string
			err := tx.Row(`SELECT name FROM lot WHERE unit = $1 AND file_digest = $2 AND id <> $3 AND state <> $4 LIMIT 1`, l.Unit, digest, l.ID, LotVoid).Scan(&before)
			if err == nil {
				return elicense.E(elicense.Conflict, "这个文件已经作为批次“%s”上传过", before).At("file").Then("请打开那个批次")
			}
			if !elicense.IsKind(err, elicense.NotFound) {
				return err
			}
		}
		l.State, l.Rows, l.FileDigest = LotOpen, r.good, digest
		return l.update(tx)
	})
}

// undo forgets a new lot whose table was not read to its end. A stop of the
// program leaves it as it is, to be voided.
func (r *lotReader) undo(tx *store.Tx) error {
	if r.lot == nil || r.added {
		return nil
	}
	if err := forget(tx, r.lot.ID); err != nil {
		return err
	}
	_, err := tx.Exec(`DELETE FROM lot WHERE id = $1`, r.lot.ID)
	return err
}

// brokenOff ends the new lots whose reading was broken off, and tells who sent them.
func brokenOff(tx *store.Tx) error {
	list, err := bareLots(tx, `WHERE state = $1`, LotReading)
	if err != nil {
		return err
	}
	for _, l := range list {
		if err := forget(tx, l.ID); err != nil {
			return err
		}
		l.State = LotVoid
		if err := l.update(tx); err != nil {
			return err
		}
		err := notice.Send(tx, notice.AccountInbox(l.Account), notice.Notice{
			Kind: "returned", Text: "批次%s没有读完，平台中途停过，请重新上传", Args: []string{l.Name}, Link: "/issue/lots",
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// BadRows writes the bad rows of a lot as a workbook or, csv being set, as text:
// the template's columns, the line each came from, and what is wrong with it.
// Mended, it can be read into the lot again.
func (i *Issuer) BadRows(ctx context.Context, actor *elicense.Actor, id string, csv bool, w io.Writer) error {
	type bad struct {
		columns []lotColumn
		rows    [][]string
	}
	b, _, err := access.Get(ctx, i.Guard, lotRequest(actor, access.DraftRead, id), func(tx *store.Tx, _ *access.Permit) (b bad, err error) {
		l, err := bareLot(tx, id)
		if err != nil {
			return b, err
		}
		t, err := i.typeOf(tx, l)
		if err != nil {
			return b, err
		}
		b.columns = lotColumns(t)
		b.rows, err = store.All(tx, func(r *store.Rows) ([]string, error) {
			var place int
			var content []byte
			if err := r.Scan(&place, &content); err != nil {
				return nil, err
			}
			content, err := tx.Decrypt("lot_bad", id+"/"+strconv.Itoa(place), "content_enc", content)
			if err != nil {
				return nil, err
			}
			var row badRow
			if err := json.Unmarshal(content, &row); err != nil {
				return nil, fmt.Errorf("bad row: %w", err)
			}
			return append(row.Cells, strconv.Itoa(place), strings.Join(row.Errors, "；")), nil
		}, `SELECT place, content_enc FROM lot_bad WHERE lot = $1 ORDER BY place`, id)
		return b, err
	})
	if err != nil {
		return err
	}
	b.columns = append(b.columns, lotColumn{title: lineTitle, note: "不要改：更正后凭它替换原来的行。"}, lotColumn{title: errorTitle})
	if csv {
		return table.CSV(w, func(write func([]string) error) error {
			titles := make([]string, len(b.columns))
			for n, c := range b.columns {
				titles[n] = c.title
			}
			if err := write(titles); err != nil {
				return err
			}
			for _, row := range b.rows {
				if err := write(row); err != nil {
					return err
				}
			}
			return nil
		})
	}
	var columns []table.Column
	for _, c := range b.columns {
		columns = append(columns, table.Column{Title: c.title, Note: c.note, Pick: c.pick, Width: 18})
	}
	return table.Template(w, "错误行", columns, b.rows, nil)
}
