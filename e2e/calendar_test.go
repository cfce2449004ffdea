package e2e

import "testing"

// TestBrowserCalendar lets the administration enter next year's notice from its
// text: what can't be read is named by its line and stays typed; a typhoon day
// needs its document; what was wrong is ended with a reason and stays listed.
func TestBrowserCalendar(t *testing.T) {
	b := browse(t)
	b.as("admin")
	b.open("/admin/calendar")
	b.sees("2026年", "全年248个工作日", "春节 02-15—02-23")
	b.fill("year", "2027", "doc", "国办发明电〔2026〕99号", "holidays", "元旦 2027-01-01 2027-01-03\n春节", "working", "2027-02-20")
	b.click(`form[action="/admin/calendar/notice"] .btn.go`)
	b.sees("放假第2行看不懂：春节", "一行写一个节日")
	b.fill("holidays", "元旦 2027-01-01 2027-01-03\n春节 2027-02-05 2027-02-12")
	b.click(`form[action="/admin/calendar/notice"] .btn.go`)
	b.sees("日历已登记", "2027年", "国办发明电〔2026〕99号", "春节 02-05—02-12")
	b.fill("day", "2027-03-04", "name", "防御台风停工停业", "docNo", "榕防指〔2027〕7号")
	b.click(`form[action="/admin/calendar/day"] .btn.go`)
	b.sees("日历已登记", "防御台风停工停业", "榕防指〔2027〕7号")
	b.click(`a[href^="/admin/calendar?end="]`)
	b.fill("reason", "台风没有来")
	b.click(`form[action$="/end"] .btn.end`)
	b.sees("已停用", "台风没有来")
	t.Run("/admin/calendar", func(t *testing.T) { b.inspect(t, "/admin/calendar") })
}
