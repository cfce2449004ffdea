package stock_test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"io"
	"strings"
	"testing"

	"elicense"
	"elicense/e2e/world"
	"elicense/issuance"
	"elicense/stock"
	"elicense/table"
)

// paperTable is a table of papers of food licenses: number, legal representative and
// day of issue of each.
func paperTable(t *testing.T, rows ...[3]string) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	must(t, w.Write([]string{"名称", "统一社会信用代码", "法定代表人", "经营项目", "许可证编号", "有效期至", "发证日期", "决定文书文号"}))
	for _, r := range rows {
		must(t, w.Write([]string{world.Firm.Name, world.Firm.Code, r[1], "热食类食品制售", r[0], "2027-05-31", r[2], ""}))
	}
	w.Flush()
	return &b
}

func pictures(t *testing.T, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, n := range names {
		f, err := z.Create(n)
		must(t, err)
		_, err = f.Write(world.Paper)
		must(t, err)
	}
	must(t, z.Close())
	return b.Bytes()
}

// TestLotsOfStockAreEnteredTwiceFromTables: each row is an entry like any other, by two
// persons, and rows that can't be entered come back in their own form (Art. 8).
func TestLotsOfStockAreEnteredTwiceFromTables(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	const day = "2017-06-01"
	first := func(rows io.Reader, archive []byte) (*stock.Papers, error) {
		return w.Stock.ReadPapers(ctx, w.Drafter, stock.PapersFile{Type: world.Type, Name: "甲.csv", Content: rows, Pictures: archive})
	}
	_, err := w.Stock.ReadPapers(ctx, w.Window, stock.PapersFile{Type: world.Type, Content: paperTable(t), Pictures: []byte("x")})
	if !elicense.IsKind(err, elicense.Forbidden) {
		t.Errorf("another unit enters: %v", err)
	}
	for what, archive := range map[string][]byte{"no pictures": nil, "no archive": []byte("no")} {
		if _, err := first(paperTable(t, [3]string{"JY1", "陈示例", day}), archive); !elicense.IsKind(err, elicense.Invalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	rows := [][3]string{{"JY/1", "陈示例", day}, {"JY2", "陈示例", day}, {"JY3", "陈示例", day}, {"JY4", "陈示例", "2018-01-01"}, {"JY2", "陈示例", day}}
	p, err := first(paperTable(t, rows...), pictures(t, "扫描/jy1.PNG", "JY2.png", "JY4.png"))
	must(t, err)
	if p.Entered != 2 || p.Differ != 0 || p.Bad != 3 {
		t.Fatalf("the first table: %+v", p)
	}
	for n, want := range []string{"没有这个编号的扫描件", "不是存量证照", "前面已有这个编号"} {
		if got := p.Rows[n]; !strings.Contains(got[len(got)-1], want) {
			t.Errorf("row %d: %q, want %s", n, got, want)
		}
	}
	if list, err := w.Stock.List(ctx, w.Reviewer, stock.Once, 10); err != nil || len(list) != 2 || list[0].Scan.Name == "" || list[0].FirstBy != w.Drafter.Person {
		t.Errorf("entries: %+v, %v", list, err)
	}

	// What came back is read as it came, once its picture is there.
	var bad bytes.Buffer
	must(t, w.Stock.BadPapers(ctx, w.Drafter, p.ID, &bad))
	if err := w.Stock.BadPapers(ctx, w.Reviewer, p.ID, io.Discard); !elicense.IsKind(err, elicense.NotFound) {
		t.Errorf("the second person reads what the first typed: %v", err)
	}
	back, err := first(&bad, pictures(t, "JY3.png"))
	must(t, err)
	if back.Entered != 1 || back.Bad != 2 {
		t.Errorf("read again: %+v", back)
	}

	second := func(who *elicense.Actor) *stock.Papers {
		t.Helper()
		p, err := w.Stock.ReadPapers(ctx, who, stock.PapersFile{
			Type: world.Type, Again: true, Content: paperTable(t, [3]string{"JY/1", "陈示例", day}, [3]string{"JY2", "林样本", day}, [3]string{"JY9", "陈示例", day}),
		})
		must(t, err)
		return p
	}
	if p := second(w.Both); p.Bad != 3 {
		t.Errorf("the same person under another account: %+v", p)
	}
	again := second(w.Reviewer)
	if again.Entered != 1 || again.Differ != 1 || again.Bad != 1 {
		t.Fatalf("the second table: %+v", again)
	}
	differ, err := w.Stock.List(ctx, w.Reviewer, stock.Differs, 10)
	must(t, err)
	if len(differ) != 1 || len(differ[0].Differ) != 1 || differ[0].Differ[0] != "f.legal_rep" {
		t.Errorf("the row that differs: %+v", differ)
	}
	made, err := w.Stock.List(ctx, w.Drafter, stock.Made, 10)
	must(t, err)
	if len(made) != 1 {
		t.Fatalf("made: %+v", made)
	}
	d, err := w.Issuer.Get(ctx, w.Drafter, made[0].Draft)
	must(t, err)
	if d.Origin != issuance.Stock || d.State != issuance.InReview || d.Fields["license_no"] != "JY/1" || d.Scan == "" {
		t.Errorf("the draft: %+v", d.Draft)
	}
	w.Fsck(t)
}

// TestAPaperTableIsATable: the template can be filled in.
func TestAPaperTableIsATable(t *testing.T) {
	w := world.OnSQLite(t)
	var b bytes.Buffer
	must(t, w.Stock.PapersForm(t.Context(), world.Type, &b))
	rows, err := table.Open(&b)
	must(t, err)
	head, err := rows.Next()
	must(t, err)
	if got := strings.Join(head.Texts(), " "); !strings.Contains(got, "许可证编号") || !strings.Contains(got, "发证日期") || strings.Contains(got, "办件编号") {
		t.Errorf("its columns are %s", got)
	}
}
