package ontime

import (
	"context"
	"encoding/json"
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
	"elicense/store"
	"elicense/table"
)

// The bounds of an uploaded table.
const (
	// MaxRows bounds a table of the day's closed cases.
	MaxRows = 20_000
	// MaxFile bounds it in bytes.
	MaxFile = 16 << 20

	batch   = 500 // rows that share an act
	maxName = 100 // characters of the file's name
)

// column is a column of the table of closed cases.
type column struct {
	field    string // of a Report, as faults name it
	title    string
	note     string
	required bool
}

// The columns, in the order of the template.
var columns = []column{
	{"case", "办件编号", "本单位的办件编号。", true},
	{"item", "结果序号", "同一办件有几个结果时填1、2、3；只有一个时可不填。", false},
	{"type", "证照类别", "从列表里选，或写类别代码。", true},
	{"closed", "办结时间", "写成2026-01-05 16:20的样子；只写日期也可以。", true},
	{"mode", "期限", "不填就按本单位这类证照的生成方式。", false},
	{"docNo", "决定文号", "", false},
	{"codeType", "持证主体证件类型", "可不填。", false},
	{"code", "持证主体证件号码", "可不填；单元格是文本，不会丢位数。", false},
	{"name", "持证主体名称", "可不填。", false},
	{"wholly", "全部用电子证照办成", "材料全部由电子证照满足的填“是”。", false},
	{"owner", "负责人登录名", "本单位制证岗位人员的登录名；不填就是上传的人。", false},
}

const lineTitle, faultTitle = "原行号", "错误"

var modeTitles = map[string]catalog.Mode{"在线": catalog.Online, "离线": catalog.Offline, "批量": catalog.Bulk}

// Upload is a table that was read.
type Upload struct {
	ID       string
	Unit     elicense.UnitCode
	Name     string
	Account  elicense.AccountID
	By       string
	At       time.Time
	Good     int // rows that were new
	Repeated int
	Bad      int
	Rows     []BadRow // those that did not stand
}

// BadRow is a row that did not stand, as it was read.
type BadRow struct {
	Line   int      `json:"line"`
	Cells  []string `json:"cells"` // in the order of the template
	Faults []Fault  `json:"faults"`
}

// Fault is what is wrong with a cell.
type Fault struct {
	Column string `json:"column"` // its title
	Text   string `json:"text"`
}

// Template writes the workbook the day's closed cases of the actor's unit are filled
// in. Errors: Forbidden.
func (l *Ledger) Template(ctx context.Context, actor *elicense.Actor, w io.Writer) error {
	types, _, err := access.Get(ctx, l.Guard, request(actor, access.OnTimeOwn, actor.Unit, map[string]string{"list": "template"}), func(tx *store.Tx, _ *access.Permit) (names []string, err error) {
		all, err := catalog.MadeBy(tx, actor.Unit)
		for _, t := range all {
			names = append(names, t.Name)
		}
		return names, err
	})
	if err != nil {
		return err
	}
	return table.Template(w, "办结", templateColumns(types, false), nil, []string{
		"当日办结、应当生成证照的办件", "第一行是标题，不要改；列的次序可以换，列不能合并。", "所有单元格都是文本。从别处粘贴时选“粘贴为数值”，不要带公式。",
		"一行是一个办理结果。同一行再报一次不会重复。", "没有通过检查的行会单独列出，可以下载、更正后再上传，其他行不受影响。",
	})
}

// listMost is how many characters a list to choose from may have, as Excel takes it.
const listMost = 250

func templateColumns(types []string, faults bool) (list []table.Column) {
	if len(strings.Join(types, ",")) > listMost {
		types = nil
	}
	for _, c := range columns {
		t := table.Column{Title: c.title, Note: c.note, Width: float64(max(14, 2*utf8.RuneCountInString(c.title)+2))}
		if c.required {
			t.Note = strings.TrimSpace("必填。" + c.note)
		}
		switch c.field {
		case "type":
			t.Pick = types
		case "mode":
			t.Pick = []string{"在线", "离线", "批量"}
		case "wholly":
			t.Pick = []string{"是", "否"}
		case "codeType":
			for _, code := range []elicense.HolderCodeType{elicense.CodeUSCC, elicense.CodeCitizen, elicense.CodeOtherOrg, "414", elicense.CodeOther} {
				t.Pick = append(t.Pick, elicense.HolderCodeTypes[code])
			}
		}
		list = append(list, t)
	}
	if faults {
		list = append(list, table.Column{Title: lineTitle, Width: 10}, table.Column{Title: faultTitle, Width: 60})
	}
	return list
}

// ReadFile takes the table of closed cases an officer uploads. Good rows stand; bad
// ones are kept with what is wrong with them, to be fetched, mended and read again.
//
// Errors: Invalid for a table of another form; TooLarge; Forbidden.
func (l *Ledger) ReadFile(ctx context.Context, actor *elicense.Actor, name string, content io.Reader) (*Upload, error) {
	if utf8.RuneCountInString(name) > maxName {
		name = string([]rune(name)[:maxName])
	}
	f := &fileReader{}
	var err error
	if f.now, err = l.begin(ctx, actor); err != nil {
		return nil, err
	}
	if err := f.read(io.LimitReader(content, MaxFile+1)); err != nil {
		return nil, err
	}
	u := &Upload{Unit: actor.Unit, Name: name, Account: actor.Account, By: actor.Name, Rows: f.bad}
	bulk := lots(f.reports)
	for some := range slices.Chunk(f.reports, batch) {
		receipt, err := l.report(ctx, actor, some, ByFile, bulk)
		if err != nil {
			return nil, err
		}
		u.Good += receipt.Taken
		u.Repeated += receipt.Repeated
		for _, b := range receipt.Bad {
			u.Rows = append(u.Rows, BadRow{Line: b.Line, Cells: f.cells[b.Line], Faults: []Fault{{titleOf(b.Field), b.Sentence()}}})
		}
	}
	slices.SortFunc(u.Rows, func(a, b BadRow) int { return a.Line - b.Line })
	u.Bad = len(u.Rows)
	return u, l.keepUpload(ctx, actor, u)
}

// begin asks whether the actor may report, before his table is read, and returns the
// time.
func (l *Ledger) begin(ctx context.Context, actor *elicense.Actor) (now time.Time, err error) {
	err = l.Guard.Write(ctx, request(actor, access.OnTimeReport, actor.Unit, map[string]string{"act": "file"}), func(tx *store.Tx, _ *access.Permit) error {
		now = tx.Now()
		return nil
	})
	return now, err
}

func titleOf(field string) string {
	if field == "holder" {
		field = "code"
	}
	for _, c := range columns {
		if c.field == field {
			return c.title
		}
	}
	return ""
}

// Sentence is what is wrong, in Chinese.
func (b *Bad) Sentence() string { return elicense.E(elicense.Invalid, b.Text, b.Args...).Message() }

// fileReader reads a table into reports.
type fileReader struct {
	now     time.Time
	rows    *table.Reader
	at      []int // place in columns of each cell; -1 for one that is passed over
	reports []Report
	cells   map[int][]string // by line
	bad     []BadRow
}

func notTheTable(text string, args ...any) *elicense.Error {
	return elicense.E(elicense.Invalid, text, args...).At("file").Then("请用下载的模板填写，另存为xlsx或UTF-8的CSV")
}

func badTable(err error) error {
	if e := catalog.Unreadable(err); e != nil {
		return e.Then("请用下载的模板填写，另存为xlsx或UTF-8的CSV")
	}
	return err
}

func (f *fileReader) read(from io.Reader) error {
	counted := &counting{from: from}
	rows, err := table.Open(counted)
	if err != nil {
		return badTable(err)
	}
	f.rows = rows
	head, err := rows.Next()
	if err != nil {
		return badTable(err)
	}
	if err := f.head(head); err != nil {
		return err
	}
	f.cells = map[int][]string{}
	for {
		row, err := rows.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return badTable(err)
		}
		if len(f.cells) == MaxRows {
			return elicense.E(elicense.TooLarge, "一个文件最多%d行", MaxRows).At("file").Then("请分成几个文件")
		}
		f.row(row)
	}
	if counted.n > MaxFile {
		return elicense.E(elicense.TooLarge, "文件超过%d MB", MaxFile>>20).At("file").Then("请分成几个文件")
	}
	if len(f.cells) == 0 {
		return notTheTable("表里没有办结的行")
	}
	return nil
}

type counting struct {
	from io.Reader
	n    int64
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.n += int64(n)
	return n, err
}

func (f *fileReader) head(row table.Row) error {
	seen := map[string]bool{}
	for n, c := range row.Cells {
		title := strings.TrimSpace(c.Text)
		if title == "" || title == lineTitle || title == faultTitle {
			f.at = append(f.at, -1)
			continue
		}
		place := slices.IndexFunc(columns, func(x column) bool { return x.title == title })
		switch {
		case place < 0:
			return notTheTable("第%d列“%s”不是模板里的列", n+1, title)
		case seen[title]:
			return notTheTable("“%s”这一列出现了两次", title)
		}
		seen[title] = true
		f.at = append(f.at, place)
	}
	for _, c := range columns {
		if c.required && !seen[c.title] {
			return notTheTable("缺少“%s”这一列", c.title)
		}
	}
	return nil
}

func (f *fileReader) row(row table.Row) {
	r := Report{Line: row.Line}
	cells := make([]string, len(columns))
	var faults []Fault
	wrong := func(title, text string) { faults = append(faults, Fault{title, text}) }
	for n, c := range row.Cells {
		if n >= len(f.at) {
			if c.Text != "" {
				wrong("", fmt.Sprintf("第%d列没有标题", n+1))
			}
			continue
		}
		if f.at[n] < 0 {
			continue
		}
		col := columns[f.at[n]]
		cells[f.at[n]] = c.Text
		switch {
		case c.Text == "":
		case c.Kind == table.Formula:
			wrong(col.title, "是公式，请粘贴为数值")
		case c.Kind == table.Number && (col.field == "case" || col.field == "code"):
			wrong(col.title, "成了数字，前面的零或后几位可能已经丢失，请把单元格设为文本后重新填写")
		case c.Kind == table.Number && col.field != "closed" && (strings.ContainsAny(c.Text, "eE.") || len(c.Text) > 15):
			wrong(col.title, "成了数字，后几位可能已经丢失，请把单元格设为文本后重新填写")
		default:
			if text := f.set(&r, col.field, c); text != "" {
				wrong(col.title, text)
			}
		}
	}
	for n, c := range columns {
		if c.required && cells[n] == "" {
			wrong(c.title, "没有填")
		}
	}
	f.cells[row.Line] = cells
	if len(faults) > 0 {
		f.bad = append(f.bad, BadRow{row.Line, cells, faults})
		return
	}
	f.reports = append(f.reports, r)
}

// set puts what a cell says into the report, or says what is wrong with it.
func (f *fileReader) set(r *Report, field string, c table.Cell) string {
	switch field {
	case "case":
		r.Case = c.Text
	case "item":
		r.Item = c.Text
	case "type":
		r.Type = elicense.TypeCode(c.Text)
	case "closed":
		at, ok := f.moment(c)
		if !ok {
			return "不是时间，要写成2026-01-05 16:20的样子"
		}
		r.Closed = at
	case "mode":
		mode, ok := modeTitles[strings.TrimSuffix(c.Text, "生成")]
		if !ok {
			return "只能是在线、离线、批量"
		}
		r.Mode = mode
	case "docNo":
		r.DocNo = c.Text
	case "codeType":
		for code, word := range elicense.HolderCodeTypes {
			if word == c.Text || string(code) == c.Text {
				r.Holder.CodeType = code
			}
		}
		if r.Holder.CodeType == "" {
			return "没有这种证件类型"
		}
	case "code":
		r.Holder.Code = c.Text
	case "name":
		r.Holder.Name = c.Text
	case "wholly":
		if c.Text != "是" && c.Text != "否" {
			return "只能填是或否"
		}
		r.Wholly = c.Text == "是"
	case "owner":
		r.Owner = c.Text
	}
	return ""
}

var momentForms = []string{"2006-01-02 15:04", "2006-01-02 15:04:05", "2006/1/2 15:04", "2006/1/2 15:04:05", "2006年1月2日 15:04", "2006-01-02T15:04", time.RFC3339}

var dayForms = []string{time.DateOnly, "2006/1/2", "2006.1.2", "2006年1月2日", "20060102"}

// moment reads a time of closing. A day alone is the end of it, or now if it is
// today.
func (f *fileReader) moment(c table.Cell) (time.Time, bool) {
	if c.Kind == table.Number {
		days, err := strconv.ParseFloat(c.Text, 64)
		if err == nil && days >= 60 && days < 100_000 {
			// A workbook's day number, with the time as its fraction.
			x := f.rows.Day(days)
			at := time.Date(x.Year(), x.Month(), x.Day(), x.Hour(), x.Minute(), x.Second(), 0, elicense.Shanghai)
			if days == float64(int(days)) {
				return f.endOf(elicense.DateOf(at)), true
			}
			return at, true
		}
	}
	for _, form := range momentForms {
		if t, err := time.ParseInLocation(form, c.Text, elicense.Shanghai); err == nil {
			return t, true
		}
	}
	for _, form := range dayForms {
		if t, err := time.ParseInLocation(form, c.Text, elicense.Shanghai); err == nil {
			return f.endOf(elicense.DateOf(t)), true
		}
	}
	return time.Time{}, false
}

func (f *fileReader) endOf(d elicense.Date) time.Time {
	if d == elicense.DateOf(f.now) {
		return f.now
	}
	return d.End().Add(-time.Microsecond)
}

func (u *Upload) parts() [][]byte {
	return [][]byte{[]byte(u.Unit), []byte(u.Account), micros(u.At), []byte(fmt.Sprint(u.Good, " ", u.Repeated, " ", u.Bad))}
}

func (l *Ledger) keepUpload(ctx context.Context, actor *elicense.Actor, u *Upload) error {
	content, err := json.Marshal(u.Rows)
	if err != nil {
		return fmt.Errorf("bad rows: %w", err)
	}
	return l.Guard.Write(ctx, request(actor, access.OnTimeReport, actor.Unit, map[string]string{"act": "file", "bad": strconv.Itoa(u.Bad)}), func(tx *store.Tx, p *access.Permit) error {
		u.At = tx.Now()
		u.ID = elicense.NewID[string](u.At)
		p.Note.Detail["file"] = u.ID
		_, err := tx.Exec(`INSERT INTO result_file (id, unit, name, account, account_name, at, good, repeated, bad, content_enc, mac)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			u.ID, u.Unit, u.Name, u.Account, u.By, u.At, u.Good, u.Repeated, u.Bad, tx.Encrypt("result_file", u.ID, "content_enc", content), tx.MAC("result_file", u.ID, u.parts()...))
		return err
	})
}

func uploads(tx *store.Tx, where string, args ...any) ([]*Upload, error) {
	return store.All(tx, func(r *store.Rows) (*Upload, error) {
		var u Upload
		var content, mac []byte
		if err := r.Scan(&u.ID, &u.Unit, &u.Name, &u.Account, &u.By, &u.At, &u.Good, &u.Repeated, &u.Bad, &content, &mac); err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "result_file", u.ID, u.parts()...); err != nil {
			return nil, err
		}
		content, err := tx.Decrypt("result_file", u.ID, "content_enc", content)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(content, &u.Rows); err != nil {
			return nil, fmt.Errorf("bad rows of %s: %w", u.ID, err)
		}
		return &u, nil
	}, `SELECT id, unit, name, account, account_name, at, good, repeated, bad, content_enc, mac FROM result_file `+where, args...)
}

// Uploads lists the tables of the actor's unit, the newest first.
func (l *Ledger) Uploads(ctx context.Context, actor *elicense.Actor, limit int) ([]*Upload, error) {
	list, _, err := access.Get(ctx, l.Guard, request(actor, access.OnTimeOwn, actor.Unit, map[string]string{"list": "files"}), func(tx *store.Tx, _ *access.Permit) ([]*Upload, error) {
		return uploads(tx, `WHERE unit = $1 ORDER BY at DESC LIMIT $2`, actor.Unit, limit)
	})
	return list, err
}

// BadRows writes the rows of a table that did not stand: the columns of the template,
// the line each came from, and what is wrong with it. Mended, it can be read again.
//
// Errors: Forbidden, also if there is no such table of the unit.
func (l *Ledger) BadRows(ctx context.Context, actor *elicense.Actor, id string, csv bool, w io.Writer) error {
	build := func(tx *store.Tx) (access.Request, error) {
		list, err := uploads(tx, `WHERE id = $1`, id)
		unit := elicense.UnitCode("")
		if len(list) > 0 {
			unit = list[0].Unit
		}
		if err != nil {
			return access.Request{}, err
		}
		return request(actor, access.OnTimeReport, unit, map[string]string{"act": "bad-rows", "file": id})(tx)
	}
	rows, _, err := access.Get(ctx, l.Guard, build, func(tx *store.Tx, _ *access.Permit) (rows [][]string, err error) {
		list, err := uploads(tx, `WHERE id = $1`, id)
		if err != nil {
			return nil, err
		}
		for _, b := range list[0].Rows {
			faults := make([]string, len(b.Faults))
			for i, f := range b.Faults {
				faults[i] = f.String()
			}
			rows = append(rows, append(slices.Clone(b.Cells), strconv.Itoa(b.Line), strings.Join(faults, "；")))
		}
		return rows, nil
	})
	if err != nil {
		return err
	}
	all := templateColumns(nil, true)
	if !csv {
		return table.Template(w, "错误行", all, rows, nil)
	}
	return table.CSV(w, func(write func([]string) error) error {
		titles := make([]string, len(all))
		for i, c := range all {
			titles[i] = c.Title
		}
		if err := write(titles); err != nil {
			return err
		}
		for _, r := range rows {
			if err := write(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// String is the fault with its column.
func (f Fault) String() string {
	if f.Column == "" {
		return f.Text
	}
	return f.Column + "：" + f.Text
}

// EachUpload reads every table; f gets the error of one that is not as it was left.
func EachUpload(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "result_file", func(id string) error {
		_, err := uploads(tx, `WHERE id = $1`, id)
		return f(id, err)
	})
}
