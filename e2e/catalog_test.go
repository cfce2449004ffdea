package e2e

import "testing"

// TestBrowserCatalog shows the administration's work list of types with the end of
// the term of each check.
func TestBrowserCatalog(t *testing.T) {
	b := browse(t)
	b.as("admin")
	b.open("/admin/types")
	b.sees("待核对的证照类别", "一个工作日内核对", "核对是否按期")
	t.Run("/admin/types", func(t *testing.T) { b.inspect(t, "/admin/types") })
}
