package e2e

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestBrowserCalendar lets the administration enter the notice of the first year that
// has none from its text: what can't be read is named by its line and stays typed; a
// typhoon day needs its document; what was wrong is ended with a reason and stays listed.
func TestBrowserCalendar(t *testing.T) {
	b := browse(t)
	b.as("admin")
	b.open("/admin/calendar")
	b.sees("2026年", "全年248个工作日", "春节 02-15—02-23")
	year := b.says(`document.querySelector("#f-year").value`)
	n, err := strconv.Atoi(year)
	if err != nil {
		t.Fatal(err)
	}
	saturday := time.Date(n, 2, 14, 0, 0, 0, 0, time.UTC)
	for saturday.Weekday() != time.Saturday {
		saturday = saturday.AddDate(0, 0, 1)
	}
	of := func(text string) string { return strings.ReplaceAll(text, "Y", year) }
	b.fill("doc", of("国办发明电〔Y〕99号"), "holidays", of("元旦 Y-01-01 Y-01-03\n春节"), "working", saturday.Format(time.DateOnly))
	b.click(`form[action="/admin/calendar/notice"] .btn.go`)
	b.sees("放假第2行看不懂：春节", "一行写一个节日")
	b.fill("holidays", of("元旦 Y-01-01 Y-01-03\n春节 Y-02-05 Y-02-12"))
	b.click(`form[action="/admin/calendar/notice"] .btn.go`)
	b.sees("日历已登记", year+"年", of("国办发明电〔Y〕99号"), "春节 02-05—02-12", saturday.Format("01-02"))
	storm := of("榕防指〔Y〕7号")
	b.fill("day", saturday.AddDate(0, 0, 12).Format(time.DateOnly), "name", "防御台风停工停业", "docNo", storm)
	b.click(`form[action="/admin/calendar/day"] .btn.go`)
	b.sees("日历已登记", "防御台风停工停业", storm)
	b.click(`a[href^="/admin/calendar?end="]`)
	b.fill("reason", "台风没有来")
	b.click(`form[action$="/end"] .btn.end`)
	b.sees("已停用", "台风没有来")
	t.Run("/admin/calendar", func(t *testing.T) { b.inspect(t, "/admin/calendar") })
}
