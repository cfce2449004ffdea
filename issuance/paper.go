package issuance

import (
	"archive/zip"
	"errors"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/catalog"
	"elicense/table"
)

// What a row of a table of licenses on paper says besides the fields.
const (
	colIssued = "*issued"
	colDocNo  = "*docNo"
)

// PaperRow is a row of a table of licenses on paper (Art. 8).
type PaperRow struct {
	Line       int
	Cells      []string // as they were read, by the template's columns
	Number     string   // 证照编号
	Completion          // Holders, Fields, IssuedOn and DocNo are filled
	Wrong      []string // with its cells
}

// paperColumns are the columns of a type's table of licenses on paper: those of a lot
// without the case, and what the paper says of its issue.
//
// Errors: Conflict for a type whose licenses have no number to be told apart by, or
// whose fields hold a photograph that must be there.
func paperColumns(t *catalog.Type) ([]lotColumn, error) {
	refuse := func(text string) error {
		return elicense.E(elicense.Conflict, text, t.Name).At("type").Under("第八条").Then("请一份一份录入")
	}
	if t.Field(t.Roles.Number) == nil {
		return nil, refuse("%s没有证照编号，不能用表格录入")
	}
	var list []lotColumn
	for _, c := range lotColumns(t) {
		switch {
		case c.photo && c.required:
			return nil, refuse("%s的照面要照片，不能用表格录入")
		case c.key == colCase || c.key == colItem || c.photo:
			continue
		case c.key == t.Roles.Number:
			c.required = true
			c.note = "必填。两张表按编号对上；扫描件的文件名和编号一样。"
		}
		list = append(list, c)
	}
	if t.Field(t.Roles.IssueDate) == nil {
		list = append(list, lotColumn{key: colIssued, title: "发证日期", required: true, date: true, note: "必填。纸质证照上的发证日期，写成2016-01-05的样子。"})
	}
	return append(list, lotColumn{key: colDocNo, title: "决定文书文号", code: true}), nil
}

// PaperTable writes a workbook of licenses on paper of a type: empty, to be filled in,
// or, rows being given, those that did not stand, each with its line and what is wrong
// with it behind its cells. Mended, it can be read again.
//
// Errors: Conflict for a type that is not entered by tables.
func PaperTable(t *catalog.Type, w io.Writer, bad [][]string) error {
	list, err := paperColumns(t)
	if err != nil {
		return err
	}
	name, about := "数据", []string{
		t.Name + "存量补录表", "第一行是标题，不要改；列的次序可以换，列不能合并。", "所有单元格都是文本。从别处粘贴时选“粘贴为数值”，不要带公式。",
		"一行一份纸质证照。两个人各填一张表，互相不看；第一个人的表要连同扫描件上传。", "没有通过的行会退回，可以更正后再上传，其他行不受影响。",
	}
	if bad != nil {
		name, about = "错误行", nil
		list = append(list, lotColumn{title: lineTitle}, lotColumn{title: errorTitle})
	}
	var columns []table.Column
	for _, c := range list {
		columns = append(columns, table.Column{Title: c.title, Note: c.note, Pick: c.pick, Width: float64(max(14, 2*utf8.RuneCountInString(c.title)+2))})
	}
	return table.Template(w, name, columns, bad, about)
}

// ReadPaper reads a table in the form of PaperTable, row by row.
//
// Errors: Invalid for a table that is not the type's; Conflict; those of f.
func ReadPaper(t *catalog.Type, from io.Reader, f func(PaperRow) error) error {
	columns, err := paperColumns(t)
	if err != nil {
		return err
	}
	r := &lotReader{t: t, columns: columns}
	return r.each(from, func(row table.Row) error {
		cells, wrong := r.cells(row)
		x := PaperRow{Line: row.Line, Completion: r.completion(cells, time.Time{}), Wrong: wrong}
		x.Number = strings.TrimSpace(x.Fields[t.Roles.Number])
		for n, c := range columns {
			if c.required && cells[n] == "" {
				x.Wrong = append(x.Wrong, c.title+"：要填写")
			}
		}
		if k := slices.IndexFunc(r.columns, func(c lotColumn) bool { return c.key == colLine }); k >= 0 {
			if n, err := strconv.Atoi(cells[k]); err == nil && n > 0 {
				x.Line = n
			}
		}
		x.Cells = cells[:len(columns)]
		return f(x)
	})
}

// PaperNumber is the number of the license that a row of a type's papers says, as it
// was typed.
func PaperNumber(t *catalog.Type, cells []string) string {
	columns, err := paperColumns(t)
	if err != nil {
		return ""
	}
	n := slices.IndexFunc(columns, func(c lotColumn) bool { return c.key == t.Roles.Number })
	if n < 0 || n >= len(cells) {
		return ""
	}
	return cells[n]
}

// PaperFault is what a row of a type's papers did wrong, with the title of the column it
// is in.
func PaperFault(t *catalog.Type, e *elicense.Error) string {
	columns, err := paperColumns(t)
	if err != nil {
		return e.Message()
	}
	return inColumn(t, columns, e)
}

// Pictures is an archive of pictures of papers, each named by the number of its
// license.
type Pictures struct {
	files map[string]*zip.File
	names map[string]string // as they stand in the archive
	used  map[string]bool
}

// OpenPictures opens a ZIP archive of pictures.
//
// Errors: Invalid for what is no archive or has two pictures of one number; TooLarge.
func OpenPictures(archive []byte) (*Pictures, error) {
	if len(archive) == 0 {
		return nil, elicense.E(elicense.Invalid, "要附上扫描件的ZIP压缩包").At("photos").Under("第八条").Then("每份扫描件的文件名和证照编号一样")
	}
	a, err := openPhotos(archive)
	if err != nil {
		return nil, err
	}
	p := &Pictures{map[string]*zip.File{}, map[string]string{}, map[string]bool{}}
	for name, f := range a.files {
		stem := plainNumber(strings.TrimSuffix(name, path.Ext(name)))
		if p.files[stem] != nil {
			return nil, elicense.E(elicense.Invalid, "扫描件压缩包里有两个文件是“%s”的", stem).At("photos").Then("一份证照有几页的，请合成一个PDF文件")
		}
		p.files[stem], p.names[stem] = f, path.Base(f.Name)
	}
	return p, nil
}

// plainNumber is a license's number as it is compared with the name of a file, which
// can't hold every character.
func plainNumber(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \u3000/\\:*?\"<>|", r) {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// ErrNoPicture says that an archive has no picture of a number.
var ErrNoPicture = errors.New("the archive has no picture of the number")

// Get returns the picture of a license's paper and the name of its file.
//
// Errors: ErrNoPicture; Invalid for one that can't be read or has more than limit
// bytes.
func (p *Pictures) Get(number string, limit int64) (name string, data []byte, err error) {
	f := p.files[plainNumber(number)]
	if f == nil {
		return "", nil, ErrNoPicture
	}
	p.used[plainNumber(number)] = true
	in, err := f.Open()
	if err == nil {
		defer in.Close()
		data, err = io.ReadAll(io.LimitReader(in, limit+1)) // its header may lie
	}
	if err != nil || int64(len(data)) > limit {
		return "", nil, elicense.E(elicense.Invalid, "扫描件读不出来，或超过%dMB", limit>>20).At("photos").Because(err)
	}
	return p.names[plainNumber(number)], data, nil
}
