package references

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"

	"elicense"
	"elicense/catalog"
	"elicense/gm"
	"elicense/issuance"
	"elicense/store"
	"elicense/table"
)

// Standing is how a license stands at its source.
type Standing string

// The standings.
const (
	Active    Standing = "active"    // 有效
	Suspended Standing = "suspended" // 暂停
	Revoked   Standing = "revoked"   // 吊销
	Cancelled Standing = "cancelled" // 注销
	Abolished Standing = "abolished" // 废止
)

var standingWords = map[Standing]string{Active: "有效", Suspended: "暂停", Revoked: "吊销", Cancelled: "注销", Abolished: "废止"}

// Chinese returns the word shown to people.
func (s Standing) Chinese() string { return standingWords[s] }

func standingOf(l *elicense.License) Standing {
	switch l.Standing.State {
	case elicense.Revoked:
		return Revoked
	case elicense.Cancelled:
		return Cancelled
	case elicense.Abolished:
		return Abolished
	}
	if l.Standing.Overlays.Has(elicense.Suspended) {
		return Suspended
	}
	return Active
}

// Row is what a source says of one license: all it says, and how it stands.
type Row struct {
	Type      elicense.TypeCode    `json:"type"`
	State     Standing             `json:"state,omitempty"` // empty is active
	Holders   []elicense.HolderRef `json:"holders"`
	Fields    map[string]string    `json:"fields"`              // by field key
	IssuedOn  elicense.Date        `json:"issuedOn,omitempty"`  // empty is what the field of the issue date says, or the day it came
	ValidFrom elicense.Date        `json:"validFrom,omitempty"` // empty is what its field says
	ValidTo   elicense.Date        `json:"validTo,omitempty"`   // empty is what its field says, or for long
	DocNo     string               `json:"docNo,omitempty"`     // of the decision; empty is the batch
	Effective elicense.Date        `json:"effective,omitempty"` // of a change of state; empty is now
}

// normalize fills in what the row leaves to its fields, and checks its form.
func (w *Row) normalize(t *catalog.Type, today elicense.Date) error {
	if w.State == "" {
		w.State = Active
	}
	bad := func(field, text string) error {
		return elicense.E(elicense.Invalid, "%s", text).At(field).Under("第十四条")
	}
	if standingWords[w.State] == "" {
		return bad("state", "状态只能是有效、暂停、吊销、注销、废止")
	}
	fields := map[string]string{}
	for k, v := range w.Fields {
		if v = strings.TrimSpace(v); v == "" {
			continue
		}
		if f := t.Field(k); f != nil && (f.Type == "idno" || f.Type == "uscc") {
			v = elicense.NormalizeCode(v)
		}
		fields[k] = v
	}
	w.Fields = fields
	w.Holders = slices.Clone(w.Holders)
	for i := range w.Holders {
		w.Holders[i] = w.Holders[i].Normalize()
	}
	for _, d := range []struct {
		to    *elicense.Date
		role  string
		field string
	}{{&w.IssuedOn, t.Roles.IssueDate, "issuedOn"}, {&w.ValidFrom, t.Roles.ValidFrom, "validFrom"}, {&w.ValidTo, t.Roles.ValidTo, "validTo"}, {&w.Effective, "", "effective"}} {
		if v := fields[d.role]; *d.to == "" && d.role != "" && v != "长期" {
			*d.to = elicense.Date(v)
		}
		if *d.to == "" {
			continue
		}
		if _, err := elicense.ParseDate(string(*d.to)); err != nil {
			return bad(d.field, "日期要写成2026-11-23的样子，且确有这一天")
		}
	}
	switch {
	case w.IssuedOn == "" && w.ValidFrom != "":
		w.IssuedOn = w.ValidFrom
	case w.IssuedOn == "":
		return bad("issuedOn", "要写发证日期")
	}
	switch {
	case w.IssuedOn > today:
		return bad("issuedOn", "发证日期在今天以后")
	case w.Effective > today:
		return bad("effective", "生效日期在今天以后")
	case len([]rune(w.DocNo)) > maxDoc:
		return bad("docNo", "文号太长")
	case t.Roles.Number != "" && fields[t.Roles.Number] == "":
		return bad(t.Roles.Number, "没有证照编号")
	}
	return nil
}

const maxDoc = 100 // characters of a document's number

func (w *Row) reference(source string) issuance.Reference {
	return issuance.Reference{Type: w.Type, Holders: slices.Clone(w.Holders), Fields: w.Fields, IssuedOn: w.IssuedOn, ValidFrom: w.ValidFrom, ValidTo: w.ValidTo, Source: source}
}

// Number is what the license is known by at its source: the number of its face, or,
// of a type whose face has none, the code of its first holder.
func (w *Row) number(t *catalog.Type) string {
	if t.Roles.Number != "" {
		return w.Fields[t.Roles.Number]
	}
	if len(w.Holders) == 0 {
		return ""
	}
	return w.Holders[0].Code
}

// Fingerprint is what two systems compare a license by: SM3, in hexadecimal, of lines
// of text joined by line ends: type, standing, issue date, first and last day of
// validity, a line for each holder (kind of code, code, name, with spaces between),
// and, sorted, a line key=value for each field that is filled. Line ends inside a value
// are written \n.
func (w *Row) Fingerprint() string {
	state := w.State
	if state == "" {
		state = Active
	}
	lines := []string{string(w.Type), string(state), string(w.IssuedOn), string(w.ValidFrom), string(w.ValidTo)}
	for _, h := range w.Holders {
		lines = append(lines, string(h.CodeType)+" "+h.Code+" "+h.Name)
	}
	var fields []string
	for k, v := range w.Fields {
		if v != "" {
			fields = append(fields, k+"="+strings.ReplaceAll(v, "\n", `\n`))
		}
	}
	sort.Strings(fields)
	d := gm.Sum([]byte(strings.Join(append(lines, fields...), "\n")))
	return hex.EncodeToString(d[:])
}

// rowOf is what is kept of a reference, as its source would say it.
func rowOf(tx *store.Tx, l *elicense.License) (*Row, error) {
	v, err := tx.Version(l, 0)
	if err != nil {
		return nil, err
	}
	w := &Row{Type: l.Type, State: standingOf(l), Holders: v.Holders, Fields: v.Fields, IssuedOn: v.IssuedOn, ValidFrom: v.ValidFrom, ValidTo: v.ValidTo}
	return w, nil
}

// Fault is what is wrong with a row: where, and why.
type Fault struct {
	Column string `json:"column"` // its title, or the member's name; empty for the row
	Text   string `json:"text"`
}

// String is the fault with its column.
func (f Fault) String() string {
	if f.Column == "" {
		return f.Text
	}
	return f.Column + "：" + f.Text
}

// BadRow is a row that did not stand, as it was read.
type BadRow struct {
	Line   int      `json:"line"`  // of the file, or place in the batch, from 1
	Cells  []string `json:"cells"` // of a table; of JSON the line itself
	Faults []Fault  `json:"faults"`
}

// The bounds of a file.
const (
	MaxFile = 64 << 20
	MaxRows = 100_000
)

// Form is how a file is written.
type form string

const (
	asCSV   form = "csv"
	asXLSX  form = "xlsx"
	asLines form = "jsonl"
)

// line is a row that was read, and what it was read from.
type line struct {
	n      int
	row    Row
	cells  []string
	faults []Fault
}

// parcel is what a source delivered, read.
type parcel struct {
	form  form
	head  []string // titles of a table
	lines []line
	keys  map[string]string // title by field key of a table
}

// fixed are the columns of a table that are no fields of a type.
var fixed = []struct{ field, title string }{
	{"type", "证照类别"}, {"state", "状态"}, {"codeType", "持证主体证件类型"}, {"code", "持证主体证件号码"}, {"name", "持证主体名称"},
	{"issuedOn", "发证时间"}, {"validFrom", "有效期自"}, {"validTo", "有效期到"}, {"docNo", "决定文号"}, {"effective", "状态生效日期"},
}

const lineTitle, faultTitle = "原行号", "错误"

func unreadable(text string, args ...any) *elicense.Error {
	return elicense.E(elicense.Invalid, text, args...).At("file").Under("第十四条")
}

// readFile reads a file of rows by its name's ending.
//
// Errors: Invalid for one that is none; TooLarge.
func readFile(name string, data []byte, types []*catalog.Type) (*parcel, error) {
	switch {
	case strings.HasSuffix(name, ".jsonl"):
		return readLines(data)
	case strings.HasSuffix(name, ".csv"), strings.HasSuffix(name, ".xlsx"):
		return readTable(data, types)
	}
	return nil, unreadable("只收csv、xlsx、jsonl三种文件")
}

func tooMany() error {
	return elicense.E(elicense.TooLarge, "一个文件最多%d行", MaxRows).At("file")
}

func readLines(data []byte) (*parcel, error) {
	p := &parcel{form: asLines}
	in := bufio.NewScanner(bytes.NewReader(data))
	in.Buffer(nil, 1<<20)
	for n := 1; in.Scan(); n++ {
		text := bytes.TrimSpace(in.Bytes())
		if len(text) == 0 {
			continue
		}
		if len(p.lines) == MaxRows {
			return nil, tooMany()
		}
		l := line{n: n, cells: []string{string(text)}}
		if err := decodeRow(text, &l.row); err != nil {
			l.faults = []Fault{{"", "不是约定的JSON，或有不认识的成员"}}
		}
		p.lines = append(p.lines, l)
	}
	if in.Err() != nil {
		return nil, elicense.E(elicense.TooLarge, "某一行太长").At("file")
	}
	return p, p.some()
}

func (p *parcel) some() error {
	if len(p.lines) == 0 {
		return unreadable("文件里没有证照的行")
	}
	return nil
}

func decodeRow(text []byte, w *Row) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(w); err != nil {
		return err
	}
	if d.More() {
		return errors.New("more than one value")
	}
	return nil
}

func readTable(data []byte, types []*catalog.Type) (*parcel, error) {
	rows, err := table.Open(bytes.NewReader(data))
	if err != nil {
		return nil, unreadable("文件看不懂：要没有合并单元格的工作簿或UTF-8、GB18030的CSV").Because(err)
	}
	p := &parcel{form: form(rows.Format), keys: map[string]string{}}
	for first := true; ; first = false {
		row, err := rows.Next()
		if err == io.EOF {
			return p, p.some()
		}
		if err != nil {
			return nil, unreadable("文件看不懂：要没有合并单元格的工作簿或UTF-8、GB18030的CSV").Because(err)
		}
		switch {
		case first:
			if err := p.headed(row.Texts(), types); err != nil {
				return nil, err
			}
		case len(p.lines) == MaxRows:
			return nil, tooMany()
		default:
			p.lines = append(p.lines, p.read(row, types))
		}
	}
}

// headed takes the titles of a table.
func (p *parcel) headed(titles []string, types []*catalog.Type) error {
	seen := map[string]bool{}
	for n, title := range titles {
		title = strings.TrimSpace(title)
		p.head = append(p.head, title)
		if title == "" || title == lineTitle || title == faultTitle {
			continue
		}
		known := slices.ContainsFunc(fixed, func(c struct{ field, title string }) bool { return c.title == title })
		for _, t := range types {
			known = known || slices.ContainsFunc(t.Fields, func(f catalog.Field) bool { return f.Label == title })
		}
		switch {
		case !known:
			return unreadable("第%d列不是约定的列，也不是这些证照的字段", n+1)
		case seen[title]:
			return unreadable("第%d列的标题出现了两次", n+1)
		}
		seen[title] = true
	}
	for _, c := range fixed[:1] {
		if !seen[c.title] && len(types) != 1 {
			return unreadable("缺少“%s”这一列", c.title)
		}
	}
	return nil
}

func (p *parcel) read(row table.Row, types []*catalog.Type) line {
	l := line{n: row.Line, cells: make([]string, len(p.head)), row: Row{Fields: map[string]string{}, Holders: []elicense.HolderRef{{}}}}
	wrong := func(title, text string) { l.faults = append(l.faults, Fault{title, text}) }
	said := map[string]string{}
	for n, c := range row.Cells {
		if n >= len(p.head) {
			if c.Text != "" {
				wrong("", fmt.Sprintf("第%d列没有标题", n+1))
			}
			continue
		}
		l.cells[n] = c.Text
		switch {
		case c.Text == "" || p.head[n] == "" || p.head[n] == lineTitle || p.head[n] == faultTitle:
		case c.Kind == table.Formula:
			wrong(p.head[n], "是公式，请粘贴为数值")
		case c.Kind == table.Number && (strings.ContainsAny(c.Text, "eE.") || len(c.Text) > 15):
			wrong(p.head[n], "成了数字，后几位可能已经丢失")
		default:
			said[p.head[n]] = strings.TrimSpace(c.Text)
		}
	}
	var t *catalog.Type
	if len(types) == 1 {
		t = types[0]
	}
	if v := said["证照类别"]; v != "" {
		t = nil
		for _, x := range types {
			if x.Name == v || string(x.Code) == v {
				t = x
			}
		}
	}
	if t == nil {
		wrong("证照类别", "不是这个来源系统回传的类别")
		return l
	}
	l.row.Type = t.Code
	for _, title := range p.head {
		v := said[title]
		if v == "" {
			continue
		}
		if text := l.row.set(title, v, t); text != "" {
			wrong(title, text)
		}
	}
	h := &l.row.Holders[0]
	if k := t.Roles.HolderCode; h.Code == "" && k != "" {
		h.Code = l.row.Fields[k]
	}
	if k := t.Roles.HolderName; h.Name == "" && k != "" {
		h.Name = l.row.Fields[k]
	}
	if h.CodeType == "" {
		h.CodeType = elicense.CodeCitizen
		if t.Holders == catalog.Organizations || len(elicense.NormalizeCode(h.Code)) == 18 && elicense.UnitCode(elicense.NormalizeCode(h.Code)).Check() == elicense.CodeGood && t.Holders != catalog.Persons {
			h.CodeType = elicense.CodeUSCC
		}
	}
	return l
}

// set puts what a cell says into the row, or says what is wrong with it.
func (w *Row) set(title, v string, t *catalog.Type) string {
	h := &w.Holders[0]
	for _, c := range fixed {
		if c.title != title {
			continue
		}
		switch c.field {
		case "state":
			for s, word := range standingWords {
				if word == v || string(s) == v {
					w.State = s
				}
			}
			if w.State == "" {
				return "只能是有效、暂停、吊销、注销、废止"
			}
		case "codeType":
			for code, word := range elicense.HolderCodeTypes {
				if word == v || string(code) == v {
					h.CodeType = code
				}
			}
			if h.CodeType == "" {
				return "没有这种证件类型"
			}
		case "code":
			h.Code = v
		case "name":
			h.Name = v
		case "issuedOn":
			w.IssuedOn = elicense.Date(v)
		case "validFrom":
			w.ValidFrom = elicense.Date(v)
		case "validTo":
			if v != "长期" {
				w.ValidTo = elicense.Date(v)
			}
		case "docNo":
			w.DocNo = v
		case "effective":
			w.Effective = elicense.Date(v)
		}
		return ""
	}
	for _, f := range t.Fields {
		if f.Label == title {
			w.Fields[f.Key] = v
			return ""
		}
	}
	return t.Name + "没有这一项"
}

// columnOf is the title of what an error is at, for people.
func columnOf(field string, t *catalog.Type) string {
	for _, c := range fixed {
		if c.field == field {
			return c.title
		}
	}
	if t != nil {
		if f := t.Field(field); f != nil {
			return f.Label
		}
	}
	if field == "holders" {
		return "持证主体"
	}
	return ""
}

// writeBad writes rows that did not stand in the form they came in, with the line each
// came from and what is wrong with it.
func writeBad(w io.Writer, f form, head []string, rows []BadRow) error {
	faults := func(b BadRow) string {
		s := make([]string, len(b.Faults))
		for i, x := range b.Faults {
			s[i] = x.String()
		}
		return strings.Join(s, "；")
	}
	if f == asLines {
		for _, b := range rows {
			out, err := json.Marshal(struct {
				Line   int    `json:"line"`
				Row    string `json:"row"`
				Faults string `json:"faults"`
			}{b.Line, strings.Join(b.Cells, ""), faults(b)})
			if err != nil {
				return err
			}
			if _, err := w.Write(append(out, '\n')); err != nil {
				return err
			}
		}
		return nil
	}
	keep := []int{} // columns that are not our own of an earlier round
	var columns []table.Column
	for n, title := range head {
		if title != lineTitle && title != faultTitle {
			keep = append(keep, n)
			columns = append(columns, table.Column{Title: title, Width: 18})
		}
	}
	columns = append(columns, table.Column{Title: lineTitle, Width: 10}, table.Column{Title: faultTitle, Width: 60})
	var cells [][]string
	for _, b := range rows {
		var row []string
		for _, n := range keep {
			v := ""
			if n < len(b.Cells) {
				v = b.Cells[n]
			}
			row = append(row, v)
		}
		cells = append(cells, append(row, strconv.Itoa(b.Line), faults(b)))
	}
	if f == asXLSX {
		return table.Template(w, "错误行", columns, cells, nil)
	}
	return table.CSV(w, func(write func([]string) error) error {
		titles := make([]string, len(columns))
		for i, c := range columns {
			titles[i] = c.Title
		}
		if err := write(titles); err != nil {
			return err
		}
		for _, row := range cells {
			if err := write(row); err != nil {
				return err
			}
		}
		return nil
	})
}
