package e2e

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"elicense/demo"

	"github.com/chromedp/chromedp"
)

// TestBrowserStock (Art. 8): a marriage certificate of 2011 is entered from its
// scan by one officer and again by another, who puts a word otherwise; the
// difference is settled by the scan, the face says what it is, and it is published.
func TestBrowserStock(t *testing.T) {
	b := browse(t)
	scan := filepath.Join(t.TempDir(), "婚登2011-0042.png")
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 60, 80))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(scan, picture.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	data, err := demo.Read()
	if err != nil {
		t.Fatal(err)
	}
	type values map[string]string
	enter := func(more values) {
		fields := values{
			"issuedOn": "2011-11-11", "h0.type": "111", "h0.code": "350100198506120117", "h0.name": "陈示例", "h1.type": "111", "h1.code": "350100199003070028", "h1.name": "林样本",
			"f.cert_no": "J350102-2011-000042", "f.name_a": "陈示例", "f.id_a": "350100850612011", "f.name_b": "林样本", "f.id_b": "350100199003070028", "f.reg_date": "2011-11-11",
			"f.authority": "福州市鼓楼区民政局婚姻登记处", "f.holder": "陈示例", "f.sex_a": "男", "f.sex_b": "女", "f.nation_a": "中国", "f.nation_b": "中国", "f.birth_a": "1985-06-12", "f.birth_b": "1990-03-07",
		}
		for k, v := range more {
			fields[k] = v
		}
		for k, v := range fields {
			b.fill(k, v)
		}
	}

	b.login("make-mz-gl")
	b.open("/issue/stock")
	b.sees("补录计划和进度", "8600件", "待二录", "两次录入不一致")
	b.moment("stock")
	t.Run("/issue/stock", func(t *testing.T) { b.inspect(t, "/issue/stock") })
	form := "/issue/stock/new?origin=stock&type=" + string(data.TypeCode("T06"))
	b.open(form)
	enter(nil)
	b.must(chromedp.SetUploadFiles(chromedp.CSS(`input[name="scan"]`), []string{scan}))
	b.click(`form[data-keep] .btn.go`)
	b.sees("第一次录入已收下", "等另一个人二录")
	entry := strings.Split(b.at(), "?")[0]

	b.login("check-mz-gl")
	b.open(entry)
	b.sees("第二次录入", "第一次录的内容这里看不到")
	if text := b.text(); strings.Contains(text, "J350102-2011-000042") {
		t.Error("the second officer is shown the first entry")
	}
	enter(values{"f.authority": "鼓楼区民政局"})
	b.click(`form[data-keep] .btn.go`)
	b.sees("两次录入不一致", "鼓楼区民政局", "福州市鼓楼区民政局婚姻登记处")

	b.login("make-mz-gl")
	b.open(entry)
	t.Run("/issue/stock/entry", func(t *testing.T) { b.inspect(t, entry) })
	b.open(entry)
	b.must(chromedp.Click(chromedp.CSS(`input[name="d.f.authority"][value="1"]`)))
	b.click(`button[value="settle"]`)
	b.sees("待审核")
	draft := b.at()

	b.login("check-mz-gl")
	b.open(draft)
	b.moment("stock-draft")
	b.click(`button[value="approve"]`)
	b.until("已发布")
	b.login("inspect")
	b.open("/admin/stock")
	b.sees("存量补录进度", "福州市鼓楼区民政局", "结婚证")
	b.moment("stock-all")
	t.Run("/admin/stock", func(t *testing.T) { b.inspect(t, "/admin/stock") })
}
