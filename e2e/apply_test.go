package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestBrowserOnlineApplication takes an application from the matter's page to its
// result: the shop applies on its phone, the clerk asks for a supplement, and each
// step is seen on both sides.
func TestBrowserOnlineApplication(t *testing.T) {
	b := browse(t)
	phone := func(login string) {
		b.as(login)
		b.must(chromedp.EmulateViewport(390, 844))
	}
	desk := func(login string) {
		b.must(chromedp.EmulateViewport(1366, 768))
		b.as(login)
	}
	scan := filepath.Join(t.TempDir(), "租赁合同.pdf")
	if err := os.WriteFile(scan, []byte("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	upload := func(row string) {
		t.Helper()
		b.must(chromedp.SetUploadFiles(chromedp.CSS(row+` input[type="file"]`), []string{scan}))
		b.press(chromedp.Evaluate[chromedp.Void](`document.querySelector('` + row + ` button[value="upload"]').click()`))
	}

	// tap presses a button that may stand under the dock.
	tap := func(selector string) {
		t.Helper()
		b.press(chromedp.Evaluate[chromedp.Void](`document.querySelector('` + selector + `').click()`))
	}

	phone("store")
	b.open("/matters/M04")
	b.sees("您只需带", "可以网上申请", "不用带")
	b.click(`a[href="/holder/apply/M04"]`)
	// Someone else's code is refused, and what was typed stays.
	b.fill("code0", "91350102FJDEM90180", "name0", "福州示例餐饮有限公司")
	b.click(`form[data-keep] .btn.go`)
	b.sees("只能为您自己或您代表的企业申请", "下一步")
	b.fill("code0", "92350102FJDEM9042D", "name0", "鼓楼区示例便利店")
	b.click(`form[data-keep] .btn.go`)
	b.sees("填报中", "平台已有，您同意就能用")
	own := b.at()
	b.moment("apply-materials")
	// Nothing is sent before everything is there.
	tap(`form[action$="/do/send"] button`)
	b.sees("还没有提供", "同意使用")
	tap(`#m0 button[value="license"]`)
	b.sees("已选用这份证照")
	upload("#m1")
	b.sees("文件已收下")
	upload("#m2")
	tap(`form[action$="/do/send"] button`)
	b.sees("申请已提交", "收件", "进度", "材料接收凭证")
	b.moment("apply-sent")

	desk("window-gl")
	b.sees("网上申请，待接办", "烟草专卖零售许可")
	b.click(`form[action^="/window/queue/"] button`)
	b.sees("已接办", "鼓楼区示例便利店", "租赁合同.pdf")
	work := b.at()[:len("/window/cases/")+26]
	b.click(`button[value="query"]`)
	b.sees("鼓楼区示例便利店", "用证凭据")
	b.open(work + "?do=correct")
	b.fill("items", "请补充经营场所的租赁合同最后一页\n请补充消防检查意见")
	b.click(`#do form .btn.go`)
	b.sees("补正告知已发出", "待补正", "等申请人补正")

	phone("store")
	b.open("/holder/notices")
	b.sees("需要补正")
	b.open(own)
	b.sees("请补正下面的内容", "租赁合同最后一页", "消防检查意见", "谁看过您的证照", "查看内容", "不是我办的")
	b.moment("apply-correct")
	b.must(chromedp.Evaluate[chromedp.Void](`document.querySelector("#m2 details").open = true`))
	upload("#m2")
	tap(`form[action$="/do/supply"] button`)
	b.sees("补正已提交")
	for _, p := range []string{"/holder/cases", own, own + "/paper/correct", "/holder/apply/M04", "/holder/agreements", "/holder/rights", "/matters/M04", "/holder"} {
		t.Run(p, func(t *testing.T) { b.inspect(t, p) })
	}

	desk("window-gl")
	b.open(work)
	b.sees("补正", "材料齐了，可以受理")
	b.click(`form[action$="/do/accept"] button`)
	b.sees("已受理")
	b.open(work + "?do=decide")
	b.fill("docNo", "鼓烟准〔2026〕7号")
	b.click(`#do form .btn.go`)
	b.sees("决定已登记")
	b.click(`form[action$="/do/close"] button`)
	b.sees("这个办件已经办结")

	phone("store")
	b.open(own)
	b.sees("准予", "鼓烟准〔2026〕7号", "办结", "受理通知书", "提交申请", "接办", "补正告知", "决定")
	b.moment("apply-result")
	b.open(own + "/paper/accepted")
	b.sees("受理通知书", "受理字〔", "鼓楼区示例便利店")
	b.click(`a[href="` + own + `"]`)
	tap(`form[action$="/do/object"] button`)
	b.sees("已经告诉监督部门")
	desk("audit")
	b.open("/admin/withdrawn")
	b.sees("烟草专卖零售许可", "1类")
	t.Run("/admin/withdrawn", func(t *testing.T) { b.inspect(t, "/admin/withdrawn") })
}
