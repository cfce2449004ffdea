package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestBrowserPosts opens an account at the administration's desk (Art. 20): what is
// wrong is named where it stands and the rest stays typed, duties too; the secret is
// shown once; the newcomer chooses his own before he gets to his desk.
func TestBrowserPosts(t *testing.T) {
	b := browse(t)
	b.as("admin-2")
	b.open("/admin/units")
	b.click(`a[href="/admin/units/new"]`)
	b.sees("登记单位")
	t.Run("/admin/units/new", func(t *testing.T) { b.inspect(t, "/admin/units/new") })
	b.open("/admin/units")
	unit := b.link(`^/admin/units/11350102FJDEM0320G$`)
	b.open(unit)
	b.sees("福州市鼓楼区烟草专卖局", "垂直管理部门", "王窗口")
	open := func(kind string) string { return `form[action$="/accounts"]:has([name="kind"][value="` + kind + `"]) ` }
	b.must(chromedp.Click(chromedp.CSS(`details:has(> form[action$="/accounts"] [value="staff"]) > summary`)))
	type field struct{ name, value string }
	for _, f := range []field{{"name", "蔡新手"}, {"person", "350102199001010074"}, {"login", "caixs"}} {
		b.must(chromedp.SetValue(chromedp.CSS(open("staff")+`[name="`+f.name+`"]`), f.value))
	}
	b.must(chromedp.Click(chromedp.CSS(open("staff") + `[value="window"]`)))
	b.click(open("staff") + `.btn.go`)
	b.sees("公民身份号码不对")
	b.holds(`document.querySelector("#f-person").value == "350102199001010074" && document.querySelector("#f-person").getAttribute("aria-invalid") == "true" && document.querySelector("` +
		strings.ReplaceAll(open("staff"), `"`, `'`) + `[value='window']").checked`)
	b.must(chromedp.SetValue(chromedp.CSS(`#f-person`), "350102199001010075"))
	b.click(open("staff") + `.btn.go`)
	b.sees("只显示这一次", "caixs")
	secret := b.says(`document.querySelector(".handed .big").innerText`)
	b.click(`footer .btn`)
	b.sees("蔡新手", "还没有改初始密码", "窗口收件")
	b.misses(secret)
	t.Run(unit, func(t *testing.T) { b.inspect(t, unit) })

	b.click(`.who form .btn`)
	b.open("/signin")
	b.fill("login", "caixs", "password", secret)
	b.click(`form[action="/signin"] .btn.go`)
	b.sees("请先改成自己的密码")
	t.Run("/password", func(t *testing.T) { b.inspect(t, "/password") })
	b.open("/password")
	b.fill("old", secret, "password", "我自己的一把长密码", "password2", "我自己的一把长密码")
	b.click(`form[action="/password"] .btn.go`)
	b.sees("密码要有10到128个字符")
	b.fill("old", secret, "password", "我自己的一把很长密码", "password2", "我自己的一把很长密码")
	b.click(`form[action="/password"] .btn.go`)
	b.sees("我的办件", "蔡新手")
}
