package e2e

import (
	"testing"

	"elicense/demo"
)

// TestBrowserCatalog searches the public catalog by initials and by another name of
// the license, and shows units what to confirm and the administration its work
// list with the end of the term of each check.
func TestBrowserCatalog(t *testing.T) {
	b := browse(t)
	look := func(path string) {
		t.Helper()
		t.Run(path, func(t *testing.T) { b.inspect(t, path) })
	}
	b.open("/types?q=spjyxkz")
	b.sees("食品经营许可证", "现行的证照类别共26类")
	b.open("/types")
	b.fill("q", "餐饮服务许可证")
	b.click(`form[role="search"] button`)
	b.sees("食品经营许可证")
	look("/types?q=spjyxkz")
	look("/types?q=xyz")
	b.open("/types?q=spjyxkz")
	entry := b.link("/types/[0-9A-Z]+")
	b.open(entry)
	b.sees("证照定义机构级别", "省级", "有效期限范围", "关联事项")
	look(entry)
	b.open("/signin")
	b.fill("login", "reg-scjg-fj", "password", demo.Password)
	b.click(`form[action="/signin"] .btn.go`)
	b.open("/issue/types")
	b.sees("类别登记", "请确认", "成批登记")
	look("/issue/types")
	b.click(`form[action$="/confirm"] button`)
	b.sees("类别登记")
	b.as("admin")
	b.open("/admin/types")
	b.sees("待核对的证照类别", "一个工作日内核对", "核对是否按期", "半年以上没有确认的类别")
	look("/admin/types")
}
