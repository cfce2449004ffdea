package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"elicense"
	"elicense/access"
	"elicense/store"
	"elicense/table"
)

// maxImport bounds the entries of one file.
const maxImport = 2000

// document is the catalog as JSON: all of every entry, so that what is imported
// again is the same.
type document struct {
	Types []json.RawMessage `json:"types"`
}

// column is one of the table: its title, what it says of a type, and how it is
// read, if it is: what follows from others is not.
type column struct {
	title, field string
	pick         []string
	get          func(*Type, Entry) string
	set          func(*Type, string)
}

// The separators of lists in a cell: of values, and of the parts of a field.
const (
	listed = "\n"
	parts  = "|"
)

func yesNo(yes bool) string {
	if yes {
		return "是"
	}
	return "否"
}

// columns are those of GB/T 36902 first, by the names of the standard, then ours.
var columns = []column{
	{"证照类型名称", "name", nil, func(t *Type, _ Entry) string { return t.Name }, func(t *Type, s string) { t.Name = s }},
	{"证照类型代码", "code", nil, func(t *Type, _ Entry) string { return string(t.Code) }, func(t *Type, s string) { t.Code = elicense.TypeCode(s) }},
	{"证照定义机构", "", nil, func(_ *Type, e Entry) string { return e.Definer }, nil},
	{"证照定义机构代码", "", nil, func(_ *Type, e Entry) string { return string(e.DefinerCode) }, nil},
	{"证照定义机构级别", "", nil, func(_ *Type, e Entry) string { return e.DefinerLevel }, nil},
	{"持证主体类别", "holders", []string{Persons.Chinese(), Organizations.Chinese(), Persons.Chinese() + between + Organizations.Chinese()},
		func(_ *Type, e Entry) string { return e.HolderCategory }, setHolders},
	{"有效期限范围", "validity", nil, func(_ *Type, e Entry) string { return e.ValidityRange }, setValidity},
	{"证照颁发机构级别", "", nil, func(_ *Type, e Entry) string { return e.IssuerLevels }, nil},
	{"登记单位代码", "unit", nil, func(t *Type, _ Entry) string { return string(t.Unit) }, func(t *Type, s string) { t.Unit = elicense.UnitCode(s) }},
	{"签发单位代码", "issuers", nil, func(t *Type, _ Entry) string { return joined(t.Issuers) }, func(t *Type, s string) {
		t.Issuers = nil
		for _, u := range strings.Fields(s) {
			t.Issuers = append(t.Issuers, elicense.UnitCode(u))
		}
	}},
	{"事项类别", "category", nil, func(t *Type, _ Entry) string { return t.Category }, func(t *Type, s string) { t.Category = s }},
	{"生成方式", "mode", wordsOf(modeWords), func(t *Type, _ Entry) string { return t.Mode.Chinese() }, func(t *Type, s string) { t.Mode = meant(modeWords, s) }},
	{"方式理由", "reason", nil, func(t *Type, _ Entry) string { return t.Reason }, func(t *Type, s string) { t.Reason = s }},
	{"法律依据", "basis", nil, func(t *Type, _ Entry) string { return t.Basis }, func(t *Type, s string) { t.Basis = s }},
	{"共享属性", "sharing", []string{"无条件共享", "有条件共享", NotShared}, func(t *Type, _ Entry) string { return t.Sharing }, func(t *Type, s string) { t.Sharing = s }},
	{"使用要持证人同意", "consent", []string{"是", "否"}, func(t *Type, _ Entry) string { return yesNo(t.Consent) }, func(t *Type, s string) { t.Consent = s == "是" }},
	{"使用时登录强度", "level", []string{"1", "2", "3"}, func(t *Type, _ Entry) string { return strconv.Itoa(max(1, t.Level)) }, setLevel},
	{"第三方资质类别代码", "qualification", nil, func(t *Type, _ Entry) string { return string(t.Qualification) }, func(t *Type, s string) { t.Qualification = elicense.TypeCode(s) }},
	{"年检要求", "annual", nil, func(t *Type, _ Entry) string { return t.Annual }, func(t *Type, s string) { t.Annual = s }},
	{"英文名称", "english", nil, func(t *Type, _ Entry) string { return t.English }, func(t *Type, s string) { t.English = s }},
	{"确认不涉密", "open", []string{"是", "否"}, func(t *Type, _ Entry) string { return yesNo(t.Open) }, func(t *Type, s string) { t.Open = s == "是" }},
	{"省级标准类别代码", "standard", nil, func(t *Type, _ Entry) string { return string(t.Standard) }, func(t *Type, s string) { t.Standard = elicense.TypeCode(s) }},
	{"照面项目", "fields", nil, func(t *Type, _ Entry) string { return fieldLines(t) }, setFields},
}

func joined(units []elicense.UnitCode) string {
	s := make([]string, len(units))
	for i, u := range units {
		s[i] = string(u)
	}
	return strings.Join(s, listed)
}

func wordsOf[K ~string](words map[K]string) (list []string) {
	for _, w := range words {
		list = append(list, w)
	}
	slices.Sort(list)
	return list
}

// meant is the key of a word, or what was written, which the check refuses.
func meant[K ~string](words map[K]string, s string) K {
	for k, w := range words {
		if w == s {
			return k
		}
	}
	return K(s)
}

func setHolders(t *Type, s string) {
	if strings.Contains(s, between) {
		t.Holders = AnyHolder
		return
	}
	t.Holders = meant(holdersWords, s)
}

func setValidity(t *Type, s string) {
	if s == t.validityRange() {
		return // which says it as the entry in force does
	}
	n, err := strconv.Atoi(strings.TrimSuffix(s, "年"))
	switch {
	case s == "长期":
		t.Validity = Validity{Kind: "none", Text: s}
	case err == nil:
		t.Validity = Validity{Kind: "years", Years: n, Text: s}
	default:
		t.Validity = Validity{Kind: "field", Text: s}
	}
}

func setLevel(t *Type, s string) {
	n, err := strconv.Atoi(s)
	switch {
	case err != nil && s != "":
		n = -1 // refused by the check
	case n <= 1 && t.Level <= 1:
		return // both say nothing of it
	}
	t.Level = n
}

// fieldLines writes the fields one a line: key, label, type, whether it must be
// filled in, class, role and the options of an enum.
func fieldLines(t *Type) string {
	var lines []string
	for _, f := range t.Fields {
		role := ""
		for name, key := range t.Roles.named() {
			if *key == f.Key {
				role = name
			}
		}
		lines = append(lines, strings.Join([]string{f.Key, f.Label, f.Type, yesNo(f.Required), string(f.Class), role, OptionsLine(f.Options)}, parts))
	}
	return strings.Join(lines, listed)
}

func setFields(t *Type, s string) {
	t.Fields, t.Roles = nil, Roles{}
	roles := t.Roles.named()
	for line := range strings.SplitSeq(s, listed) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		p := append(strings.Split(line, parts), "", "", "", "", "", "", "")
		t.Fields = append(t.Fields, Field{Key: p[0], Label: p[1], Type: p[2], Required: p[3] == "是", Class: access.Class(p[4]), Options: OptionsOf(p[6])})
		if role := roles[strings.TrimSpace(p[5])]; role != nil {
			*role = p[0]
		}
	}
}

// named are the roles by their names.
func (r *Roles) named() map[string]*string {
	return map[string]*string{
		"holderName": &r.HolderName, "holderCode": &r.HolderCode, "number": &r.Number, "issueDate": &r.IssueDate, "validFrom": &r.ValidFrom, "validTo": &r.ValidTo,
	}
}

// ExportJSON writes the types in force, all there is of them.
func (c *Catalog) ExportJSON(ctx context.Context, w io.Writer) error {
	types, err := c.All(ctx)
	if err != nil {
		return err
	}
	d := document{Types: []json.RawMessage{}}
	for _, t := range types {
		one := *t
		one.Version = 0 // the register's own count
		b, err := json.Marshal(&one)
		if err != nil {
			return fmt.Errorf("export %s: %w", t.Code, err)
		}
		d.Types = append(d.Types, b)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(d)
}

// ExportTable writes the types in force as a workbook, without their faces.
func (c *Catalog) ExportTable(ctx context.Context, w io.Writer, names map[elicense.UnitCode]string) error {
	types, err := c.All(ctx)
	if err != nil {
		return err
	}
	var heads []table.Column
	for _, k := range columns {
		heads = append(heads, table.Column{Title: k.title, Pick: k.pick, Width: 20})
	}
	rows := make([][]string, len(types))
	for i, t := range types {
		e := t.Entry(names, nil)
		for _, k := range columns {
			rows[i] = append(rows[i], k.get(t, e))
		}
	}
	return table.Template(w, "证照目录", heads, rows, nil)
}

// Imported says what came of one entry of a file.
type Imported struct {
	Line   int // of the table, or the number of the entry in JSON
	Column string
	Code   elicense.TypeCode
	Name   string
	Same   bool  // as in force already: nothing was proposed
	Err    error // why it was not proposed
}

// Import proposes the entries of a file, JSON or a table, each by itself: what is
// wrong with one is told by row and column, and the others stand.
//
// Errors: Invalid or TooLarge of the file as a whole; Forbidden if the law refuses
// every entry.
func (c *Catalog) Import(ctx context.Context, actor *elicense.Actor, file []byte) (list []Imported, err error) {
	if trimmed := bytes.TrimSpace(file); len(trimmed) > 0 && trimmed[0] == '{' {
		list, err = c.importJSON(ctx, actor, trimmed)
	} else {
		list, err = c.importTable(ctx, actor, file)
	}
	allowed := func(x Imported) bool { return !elicense.IsKind(x.Err, elicense.Forbidden) }
	if err == nil && len(list) > 0 && !slices.ContainsFunc(list, allowed) {
		return nil, list[0].Err
	}
	return list, err
}

func tooMany() error {
	return elicense.E(elicense.TooLarge, "一个文件最多%d个类别", maxImport).At("file").Then("请分成几个文件")
}

func (c *Catalog) importJSON(ctx context.Context, actor *elicense.Actor, file []byte) (list []Imported, err error) {
	var d document
	if err := json.Unmarshal(file, &d); err != nil || len(d.Types) == 0 {
		return nil, elicense.E(elicense.Invalid, "文件看不懂：要从证照目录导出的JSON").At("file").Then("请从证照目录导出一份改").Because(err)
	}
	if len(d.Types) > maxImport {
		return nil, tooMany()
	}
	for i, raw := range d.Types {
		var t Type
		read := json.NewDecoder(bytes.NewReader(raw))
		read.DisallowUnknownFields()
		if err := read.Decode(&t); err != nil {
			bad := elicense.E(elicense.Invalid, "这一项的内容看不懂").Then("请从证照目录导出一份改").Because(err)
			list = append(list, Imported{Line: i + 1, Err: bad})
			continue
		}
		one, err := c.take(ctx, actor, &t, i+1)
		if err != nil {
			return list, err
		}
		list = append(list, one)
	}
	return list, nil
}

// head finds the columns of a table by their titles.
func head(row table.Row) ([]*column, error) {
	var at []*column
	for _, cell := range row.Cells {
		i := slices.IndexFunc(columns, func(k column) bool { return k.title == strings.TrimSpace(cell.Text) })
		if i < 0 {
			at = append(at, nil)
			continue
		}
		at = append(at, &columns[i])
	}
	if !slices.ContainsFunc(at, func(k *column) bool { return k != nil && k.field == "code" }) {
		return nil, elicense.E(elicense.Invalid, "第一行要有标题，其中要有证照类型代码").At("file").Then("请从证照目录导出一份改，标题不要改")
	}
	return at, nil
}

// Unreadable says why a table can't be read, by row and column where it is known; nil
// for an error that is not the table's.
func Unreadable(err error) *elicense.Error {
	line, column := table.Where(err)
	say := func(kind elicense.Kind, whole, row, cell string) *elicense.Error {
		e := elicense.E(kind, whole)
		if line > 0 {
			e = elicense.E(kind, row, line)
		}
		if column > 0 {
			e = elicense.E(kind, cell, line, column)
		}
		return e.At("file").Because(err)
	}
	switch {
	case err == io.EOF:
		return elicense.E(elicense.Invalid, "文件里没有内容").At("file")
	case errors.Is(err, table.ErrMerged):
		return say(elicense.Invalid, "表里有合并的单元格", "第%d行有合并的单元格", "第%d行第%d列起有合并的单元格")
	case errors.Is(err, table.ErrEncoding):
		return say(elicense.Invalid, "文件的编码既不是UTF-8也不是GB18030", "第%d行的编码既不是UTF-8也不是GB18030", "第%d行第%d列的编码既不是UTF-8也不是GB18030")
	case errors.Is(err, table.ErrTooLarge):
		return say(elicense.TooLarge, "文件太大，或某个单元格、某一行太长", "第%d行太长", "第%d行第%d列太长，或超出模板的列")
	case errors.Is(err, table.ErrFormat):
		return say(elicense.Invalid, "文件看不懂：要Excel工作簿（xlsx）或CSV文本", "第%d行看不懂：引号没有成对，或这一行不完整", "第%d行第%d列看不懂")
	}
	return nil
}

func (c *Catalog) importTable(ctx context.Context, actor *elicense.Actor, file []byte) (list []Imported, err error) {
	unreadable := func(err error) error {
		if e := Unreadable(err); e != nil && err != io.EOF {
			return e.Then("请从证照目录导出一份改")
		}
		return elicense.E(elicense.Invalid, "文件看不懂：要Excel工作簿（xlsx）、CSV文本或JSON").At("file").Then("请从证照目录导出一份改").Because(err)
	}
	var at []*column
	err = readTable(file, unreadable, func(first table.Row) (err error) {
		at, err = head(first)
		return err
	}, func(row table.Row) error {
		if len(list) == maxImport {
			return tooMany()
		}
		t, err := c.fromRow(ctx, at, row)
		if err != nil {
			return err
		}
		one, err := c.take(ctx, actor, t, row.Line)
		if err == nil {
			list = append(list, one)
		}
		return err
	})
	return list, err
}

// readTable reads a table that comes in: its head, then each row. What can't be read
// is told by unreadable.
//
// Errors: those of unreadable, head and each.
func readTable(file []byte, unreadable func(error) error, head, each func(table.Row) error) error {
	rows, err := table.Open(bytes.NewReader(file))
	if err != nil {
		return unreadable(err)
	}
	first, err := rows.Next()
	if err != nil {
		return unreadable(err)
	}
	if err := head(first); err != nil {
		return err
	}
	for {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return unreadable(err)
		}
		if err := each(row); err != nil {
			return err
		}
	}
}

// fromRow reads an entry of a table. What a table does not say stays as it is in
// force; the face too, as long as the fields are the same.
func (c *Catalog) fromRow(ctx context.Context, at []*column, row table.Row) (*Type, error) {
	t := &Type{}
	values := map[*column]string{}
	for i, cell := range row.Cells {
		if i < len(at) && at[i] != nil && at[i].set != nil {
			values[at[i]] = strings.TrimSpace(cell.Text)
			if at[i].field == "code" {
				t.Code = elicense.TypeCode(elicense.NormalizeCode(cell.Text))
			}
		}
	}
	err := c.db.View(ctx, func(tx *store.Tx) error {
		was, err := Current(tx, t.Code)
		if err == nil {
			*t = *was
		}
		if elicense.IsKind(err, elicense.NotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	before := fieldLines(t)
	for i := range columns {
		if v, there := values[&columns[i]]; there {
			columns[i].set(t, v)
		}
	}
	if t.Mode.Made() && (t.Face == nil || fieldLines(t) != before) {
		t.Face = DefaultFace(t.Name, t.Fields)
	}
	return t, nil
}

// take proposes one entry, unless it is as in force. What is wrong with the entry
// is told in what it returns; its error is that of the platform.
func (c *Catalog) take(ctx context.Context, actor *elicense.Actor, t *Type, line int) (Imported, error) {
	one := Imported{Line: line, Code: noted(t.Code), Name: t.Name}
	if t.Unit == "" {
		t.Unit = actor.Unit
	}
	t.Version = 0
	now, err := json.Marshal(t)
	if err != nil {
		return one, fmt.Errorf("import %s: %w", one.Code, err)
	}
	err = c.db.View(ctx, func(tx *store.Tx) error {
		was, err := Current(tx, t.Code)
		if err != nil {
			return err
		}
		was.Version = 0
		b, err := json.Marshal(was)
		one.Same = bytes.Equal(b, now)
		return err
	})
	if err != nil && !elicense.IsKind(err, elicense.NotFound) {
		return one, err
	}
	if one.Same {
		return one, nil
	}
	err = c.Propose(ctx, actor, t)
	var e *elicense.Error
	if errors.As(err, &e) && elicense.KindOf(err) != elicense.Unavailable {
		one.Err = err
		field, _, _ := strings.Cut(e.Field, ".")
		for _, k := range columns {
			if k.field != "" && (k.field == field || field == "roles" && k.field == "fields") {
				one.Column = k.title
			}
		}
		return one, nil
	}
	return one, err
}
