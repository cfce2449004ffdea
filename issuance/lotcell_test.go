package issuance

import (
	"strings"
	"testing"

	"elicense/table"
)

// TestWhatANumberMayHaveLost: a code that came as a number is refused where its first
// zeros or last digits may be gone, and taken where nothing can be.
func TestWhatANumberMayHaveLost(t *testing.T) {
	number := lotColumn{title: "许可证编号", code: true, exact: true}
	area := lotColumn{title: "行政区划", code: true}
	amount := lotColumn{title: "面积"}
	for _, c := range []struct {
		column *lotColumn
		kind   table.Kind
		text   string
		fault  string
	}{
		{&number, table.Number, "12", "前面的零"},
		{&number, table.Text, "0012", ""},
		{&area, table.Number, "350102", ""},
		{&area, table.Number, "350100198506120", ""},
		{&area, table.Number, "3501001985061201", "后几位"},
		{&area, table.Number, "3.50100198506E+17", "后几位"},
		{&area, table.Text, "350100198506120117", ""},
		{&amount, table.Number, "1234567890123456.5", ""},
		{&area, table.Formula, "350102", "是公式"},
	} {
		text, fault := c.column.value(nil, table.Cell{Kind: c.kind, Text: c.text})
		if text != c.text || (fault == "") != (c.fault == "") || !strings.Contains(fault, c.fault) {
			t.Errorf("%s %q of kind %d: %q, %q", c.column.title, c.text, c.kind, text, fault)
		}
	}
}
