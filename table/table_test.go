package table_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"elicense/table"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
)

func rows(t testing.TB, data []byte) ([][]string, []table.Row, error) {
	t.Helper()
	r, err := table.Open(bytes.NewReader(data))
	if err != nil {
		return nil, nil, err
	}
	var texts [][]string
	var list []table.Row
	for {
		row, err := r.Next()
		if err == io.EOF {
			return texts, list, nil
		}
		if err != nil {
			return texts, list, err
		}
		texts, list = append(texts, row.Texts()), append(list, row)
	}
}

func workbook(t testing.TB, edit func(f *excelize.File)) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	edit(f)
	var b bytes.Buffer
	if _, err := f.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestTextInBothEncodings: a table saved by Excel in Chinese (GB18030) and one in
// UTF-8, with and without a mark, say the same.
func TestTextInBothEncodings(t *testing.T) {
	text := "车牌,业户名称,\"经营范围\"\r\n闽A12345,福州示例物流有限公司,\"普通货运,𠮷氏\n大件\"\r\n\r\n,,\r\n闽A67890,示例,\r\n"
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"车牌", "业户名称", "经营范围"}, {"闽A12345", "福州示例物流有限公司", "普通货运,𠮷氏\n大件"}, {"闽A67890", "示例", ""}}
	for name, data := range map[string]string{"UTF-8": text, "marked": "\ufeff" + text, "GB18030": gb} {
		got, list, err := rows(t, []byte(data))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, %v", name, got, err)
			continue
		}
		if list[2].Line != 6 {
			t.Errorf("%s: the last row is on line %d, want 6", name, list[2].Line)
		}
	}
}

// TestAWorkbookTellsWhatItsCellsAre: numbers, which may have lost zeros or digits,
// and formulas are named; a row is numbered as the program shows it.
func TestAWorkbookTellsWhatItsCellsAre(t *testing.T) {
	data := workbook(t, func(f *excelize.File) {
		f.SetCellStr("Sheet1", "A1", "号码")
		f.SetCellStr("Sheet1", "C1", "日期")
		f.SetCellStr("Sheet1", "A3", "350102198001010011")
		f.SetCellInt("Sheet1", "B3", 46000)
		f.SetCellFormula("Sheet1", "C3", "1+1")
		f.SetCellStr("Sheet1", "A4", "=HYPERLINK(\"x\")")
	})
	got, list, err := rows(t, data)
	want := [][]string{{"号码", "", "日期"}, {"350102198001010011", "46000", ""}, {"=HYPERLINK(\"x\")"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%q, %v", got, err)
	}
	if list[1].Line != 3 || list[1].Cells[0].Kind != table.Text || list[1].Cells[1].Kind != table.Number || list[1].Cells[2].Kind != table.Formula || list[2].Cells[0].Kind != table.Formula {
		t.Errorf("%+v", list)
	}
}

// TestWhatIsNoTableIsRefused with the reason.
func TestWhatIsNoTableIsRefused(t *testing.T) {
	merged := workbook(t, func(f *excelize.File) {
		f.SetCellStr("Sheet1", "A1", "x")
		f.MergeCell("Sheet1", "A1", "B2")
	})
	wide := strings.Repeat("x,", table.MaxCells+1)
	far := workbook(t, func(f *excelize.File) {
		for i := range 3000 { // so that what is merged stands across what is read at a time
			f.SetCellStr("Sheet1", fmt.Sprintf("A%d", i+1), strings.Repeat("长", i%7))
		}
		f.MergeCell("Sheet1", "C2900", "D2901")
	})
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"merged far down":        {far, table.ErrMerged},
		"Excel 97":               {[]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), table.ErrFormat},
		"a picture":              {[]byte("\x89PNG\r\n\x1a\n\x00\x00"), table.ErrFormat},
		"a zip that is no book":  {zipped(t, map[string]string{"a.txt": "x"}), table.ErrFormat},
		"merged cells":           {merged, table.ErrMerged},
		"a row of too many":      {[]byte(wide), table.ErrTooLarge},
		"neither encoding":       {[]byte("\xff\xff\xff,\xfe"), table.ErrEncoding},
		"a sheet cut off":        {bomb(t, "<worksheet><sheetData><row><c><v>1</v>"), table.ErrFormat},
		"a reference to no text": {bomb(t, `<worksheet><sheetData><row r="1"><c t="s"><v>7</v></c></row></sheetData></worksheet>`), table.ErrFormat},
		"a column far out":       {bomb(t, `<worksheet><sheetData><row r="1"><c r="XFD1"><v>7</v></c></row></sheetData></worksheet>`), table.ErrTooLarge},
	} {
		if _, _, err := rows(t, c.data); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestAFaultNamesItsPlace: who sent a long table must find what is wrong with it.
func TestAFaultNamesItsPlace(t *testing.T) {
	merged := func(ref, to string, rows int) []byte {
		return workbook(t, func(f *excelize.File) {
			for i := range rows {
				f.SetCellStr("Sheet1", fmt.Sprintf("A%d", i+1), strings.Repeat("x", i%50))
			}
			f.MergeCell("Sheet1", ref, to)
		})
	}
	for name, c := range map[string]struct {
		data         []byte
		line, column int
	}{
		"merged cells":            {merged("AB3", "AC3", 1), 3, 28},
		"merged cells far down":   {merged("C2900", "C2901", 2900), 2900, 3},
		"a quote that is not one": {[]byte("a,b\n1,2\n\"x\"y,2\n"), 3, 0},
		"a byte of no encoding":   {[]byte("车牌,b\n1,2\n1,\xff\n"), 3, 2},
		"a cell too long":         {[]byte("a,b\n1," + strings.Repeat("x", table.MaxCell+1)), 2, 2},
		"a column far out":        {bomb(t, `<worksheet><sheetData><row r="4"><c r="XFD4"><v>7</v></c></row></sheetData></worksheet>`), 4, 16384},
	} {
		_, _, err := rows(t, c.data)
		if line, column := table.Where(err); line != c.line || column != c.column {
			t.Errorf("%s: line %d, column %d: %v", name, line, column, err)
		}
	}
}

// TestDatesOfBothEpochs: the same number is another day in a workbook of Excel for
// Macintosh.
func TestDatesOfBothEpochs(t *testing.T) {
	for from1904, want := range map[bool]string{false: "2026-01-05 12:00", true: "2030-01-06 12:00"} {
		r, err := table.Open(bytes.NewReader(workbook(t, func(f *excelize.File) {
			f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &from1904})
			f.SetCellFloat("Sheet1", "A1", 46027.5, 1, 64)
		})))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Day(46027.5).Format("2006-01-02 15:04"); got != want {
			t.Errorf("%v: %s, want %s", from1904, got, want)
		}
	}
}

// TestABombIsBounded: a cell of a gigabyte, packed into a megabyte, is refused
// after reading no more than a cell can hold.
func TestABombIsBounded(t *testing.T) {
	data := bomb(t, `<worksheet><sheetData><row r="1"><c t="inlineStr"><is><t>`+strings.Repeat("很", 40<<20)+`</t></is></c></row></sheetData></worksheet>`)
	if len(data) > 1<<20 {
		t.Fatalf("the bomb has %d bytes", len(data))
	}
	if _, _, err := rows(t, data); !errors.Is(err, table.ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

// TestATemplateCanBeFilledInAndReadBack, and nothing we write is a formula.
func TestATemplateCanBeFilledInAndReadBack(t *testing.T) {
	var b bytes.Buffer
	columns := []table.Column{{Title: "号码", Note: "18位"}, {Title: "种类", Pick: []string{"甲", "乙"}}}
	if err := table.Template(&b, "数据", columns, [][]string{{"0012", "=1+1"}}, []string{"说明一"}); err != nil {
		t.Fatal(err)
	}
	// What was a formula is none in another program, and no value when it comes back.
	got, list, err := rows(t, b.Bytes())
	if err != nil || !reflect.DeepEqual(got, [][]string{{"号码", "种类"}, {"0012", "'=1+1"}}) || list[1].Cells[0].Kind != table.Text || list[1].Cells[1].Kind != table.Formula {
		t.Fatalf("%q, %v", got, err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if v, err := f.GetDataValidations("数据"); err != nil || len(v) != 2 {
		t.Errorf("%d notes and lists, %v", len(v), err)
	}
	b.Reset()
	must := table.CSV(&b, func(write func([]string) error) error { return write([]string{"@x", "-1+1", "-1", "a\r\nb"}) })
	if got := b.String(); must != nil || got != "\ufeff'@x,'-1+1,-1,\"a\r\nb\"\r\n" {
		t.Errorf("%q, %v", got, must)
	}
}

func zipped(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range files {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(w, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bomb is a workbook with the sheet.
func bomb(t testing.TB, sheet string) []byte {
	const ns = `xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`
	return zipped(t, map[string]string{
		"xl/workbook.xml":            fmt.Sprintf(`<workbook %s><sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>`, ns),
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>`,
		"xl/worksheets/sheet1.xml":   sheet,
	})
}

// FuzzOpen: whatever is uploaded, reading ends.
func FuzzOpen(f *testing.F) {
	f.Add([]byte("a,b\n1,2\n"))
	f.Add([]byte("\xb3\xb5\xc5\xc6,1\n"))
	f.Add(workbook(f, func(x *excelize.File) { x.SetCellStr("Sheet1", "A1", "号码") }))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<20 {
			return
		}
		_, list, err := rows(t, data)
		for _, r := range list {
			if len(r.Cells) > table.MaxCells {
				t.Errorf("%d cells", len(r.Cells))
			}
		}
		_ = err
	})
}
