package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"elicense/demo"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestBrowserLot (Art. 7(3)): a fleet's certificates come as one table; the bad
// row comes back and is mended; another officer looks at what is drawn and
// approves; progress is seen to its end.
func TestBrowserLot(t *testing.T) {
	b := browse(t)
	dir := t.TempDir()
	table := filepath.Join(dir, "九月车队.csv")
	var text strings.Builder
	text.WriteString("办件编号,结果序号,持证主体证件类型,持证主体证件号码,业户名称,车辆号牌,道路运输证号,车辆类型,吨(座)位,经营范围,发证日期,审验有效期至\n")
	for i := 1; i <= 30; i++ {
		due := "2027-11-22"
		if i == 12 {
			due = "明年十一月"
		}
		fmt.Fprintf(&text, "交运〔2026〕%03d,,统一社会信用代码,91350102FJDEM90180,福州示例餐饮有限公司,闽A%05d,闽交运管字%06d号,厢式货车,5吨,普通货运,2026-11-23,%s\n", i, 20000+i, 700+i, due)
	}
	if err := os.WriteFile(table, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}

	b.login("make-jt-fz")
	b.open("/issue/lots")
	data, err := demo.Read()
	if err != nil {
		t.Fatal(err)
	}
	b.fill("type", string(data.TypeCode("T13")))
	b.must(chromedp.SetUploadFiles(chromedp.CSS(`input[name="file"]`), []string{table}))
	b.click(`form[action="/issue/lots"] .btn.go`)
	b.sees("已上传并检查", "29行", "没有通过检查的行", "1行")
	lot := strings.Split(b.at(), "?")[0]
	b.moment("lot-open")

	// The bad row is mended: here as its text, as a clerk does in Excel.
	mended := filepath.Join(dir, "更正.csv")
	row := "交运〔2026〕012,,统一社会信用代码,91350102FJDEM90180,福州示例餐饮有限公司,闽A20012,闽交运管字000712号,厢式货车,5吨,普通货运,2026-11-23,2027-11-22,13"
	head := strings.SplitN(text.String(), "\n", 2)[0] + ",原行号"
	if err := os.WriteFile(mended, []byte(head+"\n"+row+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.must(chromedp.SetUploadFiles(chromedp.CSS(`form[action$="/rows"] input[name="file"]`), []string{mended}))
	b.click(`form[action$="/rows"] .btn.go`)
	b.sees("更正的行已检查", "30行")
	b.click(`button[value="submit"]`)
	b.sees("待审核", "随机抽中5行，已看0行", "由另一位审核签章人员逐行看过后通过或退回")
	t.Run("/issue/lots", func(t *testing.T) { b.inspect(t, "/issue/lots") })

	b.login("check-jt-fz")
	b.open(lot)
	b.click(`a[href^="` + lot + `/rows/"]`)
	b.sees("抽查第1行，共5行", "照面预览", "道路运输证号")
	b.moment("lot-row")
	for range 5 {
		b.key(kb.F9)
	}
	b.sees("随机抽中5行，已看5行")
	t.Run(lot, func(t *testing.T) { b.inspect(t, lot) })
	b.click(`button[value="approve"]`)
	// The page looks again by itself.
	b.comes("已完成")
	b.sees("100%", "30件")
	b.moment("lot-done")

	// Its day is of a year whose holidays nobody entered: no term can be told, on a phone
	// in large letters too.
	b.login("make-jt-fz")
	b.open("/issue/lots")
	b.fill("type", string(data.TypeCode("T13")), "closed", "2023-12-28")
	if err := os.WriteFile(table, []byte(strings.ReplaceAll(text.String(), "〔2026〕", "〔2023〕")), 0o600); err != nil {
		t.Fatal(err)
	}
	b.must(chromedp.SetUploadFiles(chromedp.CSS(`input[name="file"]`), []string{table}))
	b.click(`form[action="/issue/lots"] .btn.go`)
	b.sees("已上传并检查", "期限算不出：那一年的节假日通知还没有导入")
	t.Run("of a year without a notice", func(t *testing.T) { b.inspect(t, strings.Split(b.at(), "?")[0]) })
}
