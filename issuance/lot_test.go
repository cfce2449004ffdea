package issuance_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/catalog"
	"elicense/e2e/world"
	"elicense/issuance"
	"elicense/registry"
	"elicense/table"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// vehicles is a table of n completed cases of a food license, edited row by row.
func vehicles(n int, edit func(row int, cells map[string]string)) string {
	titles := []string{"办件编号", "结果序号", "名称", "统一社会信用代码", "法定代表人", "经营项目", "许可证编号", "有效期至"}
	var b strings.Builder
	b.WriteString(strings.Join(titles, ",") + "\r\n")
	for i := 1; i <= n; i++ {
		cells := map[string]string{
			"办件编号": fmt.Sprintf("批许%05d", i), "名称": world.Firm.Name, "统一社会信用代码": world.Firm.Code, "法定代表人": "陈示例", "经营项目": "热食类食品制售；冷食类食品制售",
			"许可证编号": fmt.Sprintf("JY%08d", i), "有效期至": "2031-03-09",
		}
		if edit != nil {
			edit(i, cells)
		}
		row := make([]string, len(titles))
		for k, t := range titles {
			row[k] = cells[t]
		}
		b.WriteString(strings.Join(row, ",") + "\r\n")
	}
	return b.String()
}

func readLot(t testing.TB, w *world.World, text, lot string) (*issuance.Lot, error) {
	t.Helper()
	return w.Issuer.ReadLot(t.Context(), w.Drafter, issuance.LotFile{
		Type: world.Type, Lot: lot, Closed: elicense.DateOf(w.Clock.Now()), Name: "三月.csv", Content: strings.NewReader(text),
	})
}

// approve looks at every drawn row and approves the lot.
func approve(t testing.TB, w *world.World, id string) {
	t.Helper()
	list, err := w.Issuer.LotSample(t.Context(), w.Reviewer, id)
	must(t, err)
	for _, s := range list {
		must(t, w.Issuer.JudgeRow(t.Context(), w.Reviewer, id, s.Draft, true, ""))
	}
	must(t, w.Issuer.ApproveLot(t.Context(), w.Reviewer, id))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func settled(t testing.TB, w *world.World, id string, want issuance.LotState) *issuance.Lot {
	t.Helper()
	var l *issuance.Lot
	for until := time.Now().Add(2 * time.Minute); time.Now().Before(until); time.Sleep(30 * time.Millisecond) {
		var err error
		l, err = w.Issuer.Lot(t.Context(), w.Drafter, id)
		must(t, err)
		if l.State == want {
			return l
		}
	}
	t.Fatalf("the lot is %s with %q: %d made, %d stopped, %d waiting", l.State, l.Remark, l.Made, l.Stopped, l.Waiting)
	return nil
}

// TestALotIsMadeOnceAndWhole (Art. 7(3)): good rows stand beside bad ones, the bad
// ones come back with their reasons, are mended and read again; what the reviewer
// draws decides; every license is published once, within five working days.
func TestALotIsMadeOnceAndWhole(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		l, err := readLot(t, w, vehicles(60, func(i int, c map[string]string) {
			switch i {
			case 7:
				c["统一社会信用代码"] = "9135010" // too short
			case 8:
				c["有效期至"] = "明年"
			case 9:
				c["法定代表人"] = "=1+1"
			case 10:
				c["许可证编号"] = "JY00000003" // the number of row 3
			case 11:
				c["办件编号"] = "批许00004" // the case of row 4
			}
		}), "")
		must(t, err)
		if l.State != issuance.LotOpen || l.Rows != 55 || l.Bad != 5 {
			t.Fatalf("%s, %d rows, %d bad", l.State, l.Rows, l.Bad)
		}
		if want := elicense.Date("2026-03-17").End(); !l.Due.Equal(want) {
			t.Errorf("due %s, want %s", l.Due, want)
		}

		var file bytes.Buffer
		must(t, w.Issuer.BadRows(ctx, w.Drafter, l.ID, true, &file))
		back := file.String()
		for _, say := range []string{
			"9135010,", ",8,统一社会信用代码", ",9,有效期至：不是日期", ",10,法定代表人：是公式", "证照编号和第4行相同", "这个办件的同一",
		} {
			if !strings.Contains(back, say) {
				t.Errorf("the bad rows do not say %q:\n%s", say, back)
			}
		}
		// Only three of them come back mended; the others stay.
		rows, err := table.Open(&file)
		must(t, err)
		var mended strings.Builder
		for {
			row, err := rows.Next()
			if err == io.EOF {
				break
			}
			must(t, err)
			line := strings.Join(row.Texts(), ",")
			line = strings.NewReplacer("9135010,", world.Firm.Code+",", "明年", "2031-03-09", "'=1+1", "陈示例").Replace(line)
			if row.Line == 1 || strings.Contains(line, ",8,") || strings.Contains(line, ",9,") || strings.Contains(line, ",10,") {
				mended.WriteString(line + "\n")
			}
		}
		l, err = readLot(t, w, mended.String(), l.ID)
		must(t, err)
		if l.Rows != 58 || l.Bad != 2 {
			t.Fatalf("after mending: %d rows, %d bad", l.Rows, l.Bad)
		}

		must(t, w.Issuer.SubmitLot(ctx, w.Drafter, l.ID, ""))
		list, err := w.Issuer.LotSample(ctx, w.Reviewer, l.ID)
		must(t, err)
		if len(list) != 5 {
			t.Fatalf("%d rows are drawn of 58", len(list))
		}
		if err := w.Issuer.ApproveLot(ctx, w.Drafter, l.ID); !elicense.IsKind(err, elicense.Forbidden) {
			t.Errorf("who made it approves it: %v", err)
		}
		if err := w.Issuer.ApproveLot(ctx, w.Reviewer, l.ID); !elicense.IsKind(err, elicense.Conflict) || !strings.Contains(err.Error(), "还没有看") {
			t.Errorf("approved unseen: %v", err)
		}
		must(t, w.Issuer.JudgeRow(ctx, w.Reviewer, l.ID, list[0].Draft, false, "经营项目写错"))
		for _, s := range list[1:] {
			must(t, w.Issuer.JudgeRow(ctx, w.Reviewer, l.ID, s.Draft, true, ""))
		}
		if err := w.Issuer.ApproveLot(ctx, w.Reviewer, l.ID); !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("approved with a wrong row: %v", err)
		}
		must(t, w.Issuer.ReturnLot(ctx, w.Reviewer, l.ID, "抽查有错"))
		must(t, w.Issuer.SubmitLot(ctx, w.Drafter, l.ID, ""))
		approve(t, w, l.ID)
		l = settled(t, w, l.ID, issuance.LotDone)
		if l.Made != 58 || l.Stopped != 0 || l.Waiting != 0 {
			t.Fatalf("%d made, %d stopped, %d waiting", l.Made, l.Stopped, l.Waiting)
		}
		issued, err := w.Issuer.IssuedOf(ctx, w.Drafter, world.Type)
		must(t, err)
		if len(issued) != 58 {
			t.Errorf("%d licenses", len(issued))
		}
		// The same file again makes nothing.
		if _, err := readLot(t, w, vehicles(60, nil), ""); err != nil && !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("%v", err)
		}
		w.Fsck(t)
	})
}

// TestTheSameFileTwice is refused and names the lot it was.
func TestTheSameFileTwice(t *testing.T) {
	w := world.OnSQLite(t)
	_, err := readLot(t, w, vehicles(20, nil), "")
	must(t, err)
	_, err = readLot(t, w, vehicles(20, nil), "")
	if !elicense.IsKind(err, elicense.Conflict) || !strings.Contains(err.Error(), "三月.csv") {
		t.Errorf("%v", err)
	}
	list, err := w.Issuer.Lots(t.Context(), w.Drafter, 10)
	must(t, err)
	if len(list) != 1 {
		t.Errorf("%d lots", len(list))
	}
	w.Fsck(t)
}

// TestTablesThatAreNotTheTypes are refused in a sentence, and nothing of them
// stays.
func TestTablesThatAreNotTheTypes(t *testing.T) {
	w := world.OnSQLite(t)
	good := vehicles(30, nil)
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(good)
	must(t, err)
	if l, err := readLot(t, w, gb, ""); err != nil || l.Rows != 30 {
		t.Fatalf("GB18030: %v", err)
	}
	for say, text := range map[string]string{
		"缺少“办件编号”这一列":       strings.Replace(good, "办件编号", "", 1),
		"“车牌”不是模板里的列":       strings.Replace(good, "许可证编号", "许可证编号,车牌", 1),
		"“名称”这一列出现了两次":      strings.Replace(good, "结果序号", "名称", 1),
		"文件里没有内容":           "",
		"文件看不懂":             "\xd0\xcf\x11\xe0 an old workbook",
		"第1行第1列的编码既不是UTF-8": "办件编号\xff\xfe\xff",
		"第3行看不懂：引号没有成对":     strings.Replace(good, "批许00002", `批"许00002`, 1),
	} {
		_, err := readLot(t, w, text, "")
		var e *elicense.Error
		if !errors.As(err, &e) || !strings.Contains(e.Message(), say) || e.Field != "file" {
			t.Errorf("%s: %v", say, err)
		}
	}
	_, err = w.Issuer.ReadLot(t.Context(), w.Drafter, issuance.LotFile{Type: world.Type, Closed: "2026-03-11", Name: "x", Content: strings.NewReader(good)})
	if !elicense.IsKind(err, elicense.Invalid) {
		t.Errorf("closed tomorrow: %v", err)
	}
	_, err = w.Issuer.ReadLot(t.Context(), w.Window, issuance.LotFile{Type: world.Type, Closed: "2026-03-10", Name: "x", Content: strings.NewReader(good)})
	if !elicense.IsKind(err, elicense.Forbidden) {
		t.Errorf("another unit: %v", err)
	}
	// The reading is broken off.
	_, err = w.Issuer.ReadLot(t.Context(), w.Drafter, issuance.LotFile{
		Type: world.Type, Closed: "2026-03-10", Name: "x", Content: io.MultiReader(strings.NewReader(vehicles(1200, func(i int, c map[string]string) {
			c["办件编号"], c["许可证编号"] = fmt.Sprintf("断%d", i), fmt.Sprintf("JZ%d", i)
		})), broken{}),
	})
	if !errors.Is(err, errBroken) {
		t.Errorf("broken off: %v", err)
	}
	list, err := w.Issuer.Lots(t.Context(), w.Drafter, 10)
	must(t, err)
	if len(list) != 1 {
		t.Errorf("%d lots stand", len(list))
	}
	w.Fsck(t)
}

// TestChoicesOfAField: what a field can say is chosen from a list in the template, and
// what is not in it comes back.
func TestChoicesOfAField(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	typ := world.FoodType()
	typ.Fields = append(typ.Fields, catalog.Field{Key: "form", Label: "业态", Type: "enum", Class: "N", Options: []string{"餐饮服务", "食品销售"}})
	typ.Face = catalog.DefaultFace(typ.Name, typ.Fields)
	must(t, w.Catalog.Propose(ctx, w.Drafter, typ))
	must(t, w.Catalog.Decide(ctx, w.Admin, typ.Code, 2, true, ""))
	var b bytes.Buffer
	must(t, w.Issuer.LotTemplate(ctx, typ.Code, world.Issuer, &b))
	f, err := excelize.OpenReader(&b)
	must(t, err)
	defer f.Close()
	lists, err := f.GetDataValidations("数据")
	must(t, err)
	if !slices.ContainsFunc(lists, func(v *excelize.DataValidation) bool {
		return strings.Contains(v.Formula1, "餐饮服务,食品销售")
	}) {
		t.Error("nothing to choose from")
	}
	table := strings.Split(vehicles(2, nil), "\r\n")
	l, err := readLot(t, w, table[0]+",业态\r\n"+table[1]+",餐饮服务\r\n"+table[2]+",流动摊贩\r\n", "")
	must(t, err)
	b.Reset()
	must(t, w.Issuer.BadRows(ctx, w.Drafter, l.ID, true, &b))
	if l.Rows != 1 || l.Bad != 1 || !strings.Contains(b.String(), "3,业态：要从登记的选项里选") {
		t.Errorf("%d rows, %d bad:\n%s", l.Rows, l.Bad, b.String())
	}
}

// TestNumbersOfAWorkbook: what has lost its zeros is refused by row and column, and a
// day is that of the workbook's epoch.
func TestNumbersOfAWorkbook(t *testing.T) {
	w := world.OnSQLite(t)
	from1904 := true
	f := excelize.NewFile()
	defer f.Close()
	must(t, f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &from1904}))
	text := strings.Split(vehicles(3, nil), "\r\n")
	for r, line := range text[:4] {
		for c, v := range strings.Split(line, ",") {
			at, err := excelize.CoordinatesToCellName(c+1, r+1)
			must(t, err)
			must(t, f.SetCellStr("Sheet1", at, v))
		}
	}
	must(t, f.SetCellInt("Sheet1", "A3", 12))             // a case number
	must(t, f.SetCellInt("Sheet1", "G4", 1234))           // a license number
	must(t, f.SetCellFloat("Sheet1", "H2", 46455, 0, 64)) // 2031-03-10
	var b bytes.Buffer
	_, err := f.WriteTo(&b)
	must(t, err)
	l, err := readLot(t, w, b.String(), "")
	must(t, err)
	if l.Rows != 1 || l.Bad != 2 {
		t.Fatalf("%d rows, %d bad", l.Rows, l.Bad)
	}
	var bad bytes.Buffer
	must(t, w.Issuer.BadRows(t.Context(), w.Drafter, l.ID, true, &bad))
	for _, say := range []string{",3,办件编号：成了数字，前面的零", ",4,许可证编号：成了数字，前面的零"} {
		if !strings.Contains(bad.String(), say) {
			t.Errorf("the bad rows do not say %q:\n%s", say, bad.String())
		}
	}
	must(t, w.Issuer.SubmitLot(t.Context(), w.Drafter, l.ID, "同一集团的门店"))
	list, err := w.Issuer.LotSample(t.Context(), w.Reviewer, l.ID)
	must(t, err)
	d, err := w.Issuer.Get(t.Context(), w.Reviewer, list[0].Draft)
	must(t, err)
	if d.ValidTo != "2031-03-10" {
		t.Errorf("valid to %s", d.ValidTo)
	}
}

// TestNothingIsLostWhenMendedRowsAreBrokenOff: what was read into the lot stands, what
// was not is still among its bad rows, and a bad row of another table takes no
// other's place.
func TestNothingIsLostWhenMendedRowsAreBrokenOff(t *testing.T) {
	w := world.OnSQLite(t)
	l, err := readLot(t, w, vehicles(600, func(i int, c map[string]string) { c["有效期至"] = "明年" }), "")
	must(t, err)
	if l.Rows != 0 || l.Bad != 600 {
		t.Fatalf("%d rows, %d bad", l.Rows, l.Bad)
	}
	var file bytes.Buffer
	must(t, w.Issuer.BadRows(t.Context(), w.Drafter, l.ID, true, &file))
	mended := strings.ReplaceAll(file.String(), "明年", "2031-03-09")
	_, err = w.Issuer.ReadLot(t.Context(), w.Drafter, issuance.LotFile{Lot: l.ID, Content: io.MultiReader(strings.NewReader(mended), broken{})})
	if !errors.Is(err, errBroken) {
		t.Fatalf("%v", err)
	}
	l, err = w.Issuer.Lot(t.Context(), w.Drafter, l.ID)
	must(t, err)
	if l.Rows == 0 || l.Rows == 600 || l.Rows+l.Bad != 600 || l.State != issuance.LotOpen {
		t.Errorf("%s: %d rows, %d bad", l.State, l.Rows, l.Bad)
	}
	bad := l.Bad
	l, err = readLot(t, w, vehicles(2, func(i int, c map[string]string) {
		c["办件编号"], c["有效期至"] = fmt.Sprintf("另%d", i), "后年"
	}), l.ID)
	must(t, err)
	if l.Bad != bad+2 {
		t.Errorf("%d bad rows and two more are %d", bad, l.Bad)
	}
	w.Fsck(t)
}

var errBroken = errors.New("the line is dead")

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }

// TestASmallLotNeedsAReason: five working days must not be a way around the day of
// closing.
func TestASmallLotNeedsAReason(t *testing.T) {
	w := world.OnSQLite(t)
	l, err := readLot(t, w, vehicles(3, nil), "")
	must(t, err)
	err = w.Issuer.SubmitLot(t.Context(), w.Drafter, l.ID, "")
	var e *elicense.Error
	if !errors.As(err, &e) || e.Field != "reason" || e.Clause != "第七条第三款" {
		t.Fatalf("%v", err)
	}
	must(t, w.Issuer.SubmitLot(t.Context(), w.Drafter, l.ID, "同一集团三个门店一次发证"))
}

// TestRowsNoRegistryAnswersAboutAreStopped where others are answered about: they
// are asked about again when the lot is gone on with.
func TestRowsNoRegistryAnswersAboutAreStopped(t *testing.T) {
	w := world.OnSQLite(t)
	l, err := readLot(t, w, vehicles(20, nil), "")
	must(t, err)
	must(t, w.Issuer.SubmitLot(t.Context(), w.Drafter, l.ID, ""))
	asked := 0
	w.Registry.Silence(func() bool { asked++; return asked%2 == 0 })
	approve(t, w, l.ID)
	l = settled(t, w, l.ID, issuance.LotDone)
	if l.Made != 10 || l.Stopped != 10 {
		t.Fatalf("%d made, %d stopped", l.Made, l.Stopped)
	}
	w.Registry.Silence(nil)
	must(t, w.Issuer.ResumeLot(t.Context(), w.Drafter, l.ID))
	if l = settled(t, w, l.ID, issuance.LotDone); l.Made != 20 || l.Stopped != 0 {
		t.Errorf("%d made, %d stopped after the registry came back", l.Made, l.Stopped)
	}
	w.Fsck(t)
}

// TestALotWaitsForItsRegistry when none answers, says so, and goes on by itself.
func TestALotWaitsForItsRegistry(t *testing.T) {
	w := world.OnSQLite(t)
	l, err := readLot(t, w, vehicles(20, nil), "")
	must(t, err)
	must(t, w.Issuer.SubmitLot(t.Context(), w.Drafter, l.ID, ""))
	w.Registry.Answer(issuance.Unavailable)
	approve(t, w, l.ID)
	for until := time.Now().Add(time.Minute); time.Now().Before(until) && l.Remark == ""; time.Sleep(20 * time.Millisecond) {
		l, err = w.Issuer.Lot(t.Context(), w.Drafter, l.ID)
		must(t, err)
	}
	if l.State != issuance.LotSealing || l.Made+l.Stopped != 0 || !strings.Contains(l.Remark, "基础信息比对服务不可用") {
		t.Fatalf("the lot is %s with %d made, %d stopped: %s", l.State, l.Made, l.Stopped, l.Remark)
	}
	w.Registry.Answer(issuance.Match)
	w.Clock.Move(time.Minute)
	if l = settled(t, w, l.ID, issuance.LotDone); l.Made != 20 || l.Stopped != 0 || l.Remark != "" {
		t.Errorf("%d made, %d stopped after the registry came back: %s", l.Made, l.Stopped, l.Remark)
	}
	w.Fsck(t)
}

// unkept asks about holders as if their codes were of a kind no registry keeps.
type unkept struct{ *registry.Registries }

func (u unkept) Compare(ctx context.Context, h elicense.HolderRef, fields map[string]string) (issuance.Comparison, error) {
	h.CodeType = elicense.CodeOtherOrg
	return u.Registries.Compare(ctx, h, fields)
}

// TestALotDoesNotWaitForWhoIsNeverAsked: where no registry keeps the holders nobody will
// ever answer; the rows are stopped and the lot comes to its end.
func TestALotDoesNotWaitForWhoIsNeverAsked(t *testing.T) {
	w := world.OnSQLite(t)
	l, err := readLot(t, w, vehicles(20, nil), "")
	must(t, err)
	must(t, w.Issuer.SubmitLot(t.Context(), w.Drafter, l.ID, ""))
	registries, err := registry.New(registry.Config{Now: w.Clock.Now})
	must(t, err)
	w.Issuer.Compare = unkept{registries}
	approve(t, w, l.ID)
	if l = settled(t, w, l.ID, issuance.LotDone); l.Made != 0 || l.Stopped != 20 {
		t.Errorf("%d made, %d stopped: %s", l.Made, l.Stopped, l.Remark)
	}
	w.Fsck(t)
}

// TestARowOfALotIsNotReviewedByItself: what a reviewer sees of a lot is the lot.
func TestARowOfALotIsNotReviewedByItself(t *testing.T) {
	w := world.OnSQLite(t)
	l, err := readLot(t, w, vehicles(20, nil), "")
	must(t, err)
	must(t, w.Issuer.SubmitLot(t.Context(), w.Drafter, l.ID, ""))
	queue, err := w.Issuer.Queue(t.Context(), w.Reviewer, 50, issuance.Open, issuance.InReview)
	must(t, err)
	if len(queue) != 0 {
		t.Errorf("%d rows stand in the queue", len(queue))
	}
	list, err := w.Issuer.LotSample(t.Context(), w.Reviewer, l.ID)
	must(t, err)
	err = w.Issuer.Approve(t.Context(), w.Reviewer, list[0].Draft, 1, "")
	if !elicense.IsKind(err, elicense.Conflict) {
		t.Errorf("%v", err)
	}
}

// TestWhatTheNationMakesIsNotMadeHere (Art. 7(1), last sentence): a type made by a
// national system at one unit is neither drafted nor made in lots there, and comes
// as references.
func TestWhatTheNationMakesIsNotMadeHere(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	refer := issuance.Reference{
		Type: world.Type, Holders: []elicense.HolderRef{world.Firm}, Fields: w.Completion("7").Fields, IssuedOn: "2026-03-01", Source: "国家系统",
	}
	if _, err := w.Issuer.Refer(ctx, w.Drafter, refer); !elicense.IsKind(err, elicense.Conflict) {
		t.Errorf("a reference of what is made here: %v", err)
	}
	must(t, w.Catalog.SetMode(ctx, w.Drafter, catalog.UnitMode{
		Code: world.Type, Unit: world.Issuer, Origin: catalog.FromNation, Reason: "由国家系统统一制发", Basis: "国市监〔2026〕1号",
	}))
	if _, err := w.Issuer.Complete(ctx, w.Drafter, w.Completion("8")); !elicense.IsKind(err, elicense.Conflict) {
		t.Errorf("a draft: %v", err)
	}
	if _, err := readLot(t, w, vehicles(20, nil), ""); !elicense.IsKind(err, elicense.Conflict) {
		t.Errorf("a lot: %v", err)
	}
	id, err := w.Issuer.Refer(ctx, w.Drafter, refer)
	must(t, err)
	issued, err := w.Issuer.IssuedOf(ctx, w.Drafter, world.Type)
	must(t, err)
	if len(issued) != 1 || issued[0].ID != id || !issued[0].Reference {
		t.Errorf("%+v", issued)
	}
	w.Fsck(t)
}

// A lot whose reading a stop broke off ends when the platform starts again, and its
// sender is told.
func TestALotBrokenOffByAStopEnds(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	from, to := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := w.Issuer.ReadLot(context.WithoutCancel(ctx), w.Drafter, issuance.LotFile{
			Type: world.Type, Closed: elicense.DateOf(w.Clock.Now()), Name: "断了.csv", Content: from,
		})
		done <- err
	}()
	if _, err := io.WriteString(to, vehicles(30, nil)); err != nil { // and no end
		t.Fatal(err)
	}
	must(t, w.Issuer.Resume(ctx))
	list, err := w.Issuer.Lots(ctx, w.Drafter, 10)
	must(t, err)
	if len(list) != 1 || list[0].State != issuance.LotVoid {
		t.Errorf("lots %+v", list)
	}
	w.Told(t, w.Drafter, "returned")
	to.CloseWithError(errors.New("the sender is gone"))
	if err := <-done; err == nil {
		t.Error("a table without an end was read")
	}
	w.Fsck(t)
}
