package store

import (
	"slices"
	"testing"
)

// TestWhatAStatementRestsOn reads statements: one value of an indexed column only
// where no other row could count, whole tables otherwise.
func TestWhatAStatementRestsOn(t *testing.T) {
	col := func(name, kind string, watched bool) *column {
		return &column{name: name, kind: kind, watched: watched}
	}
	columns := func(list ...*column) []*column { return list }
	known := schema{
		"seal": {name: "seal", columns: columns(col("id", "TEXT", true), col("unit", "TEXT", true), col("state", "TEXT", false), col("n", "BIGINT", true))},
		"unit": {name: "unit", columns: columns(col("code", "TEXT", true))}, "record": {name: "record", record: true},
	}
	for _, c := range []struct {
		q    string
		args []any
		want []uint32 // nil: it can not be told
	}{
		{"SELECT state FROM seal WHERE id = $1", []any{"a"}, []uint32{markOf("seal", "id", "a")}},
		{"SELECT state FROM seal WHERE state = $1 AND unit = $2 ORDER BY id LIMIT 1", []any{"x", "u"}, []uint32{markOf("seal", "unit", "u")}},
		{"SELECT MAX(id) FROM seal WHERE ($1 = '' OR state = $2) AND unit = $3", []any{"", "", "u"}, []uint32{markOf("seal", "unit", "u")}},
		{"SELECT id FROM seal WHERE n = $1", []any{int64(5)}, []uint32{markOf("seal", "n", "5")}},
		{"SELECT id FROM seal WHERE n = $1", []any{"05"}, []uint32{markOf("seal", "", "")}},
		{"SELECT id FROM seal WHERE id = $1", []any{nil}, []uint32{markOf("seal", "", "")}},
		{"SELECT state FROM seal WHERE state = $1", []any{"x"}, []uint32{markOf("seal", "", "")}},
		{"SELECT state FROM seal WHERE id = $1 OR state = $2", []any{"a", "x"}, []uint32{markOf("seal", "", "")}},
		{"SELECT state FROM seal WHERE id = $1 AND n BETWEEN $2 AND $3", []any{"a", int64(1), int64(2)}, []uint32{markOf("seal", "", "")}},
		{"SELECT state FROM seal WHERE NOT id = $1", []any{"a"}, []uint32{markOf("seal", "", "")}},
		{"SELECT state FROM seal WHERE id = $1 || 'x'", []any{"a"}, []uint32{markOf("seal", "", "")}},
		{"SELECT state FROM seal WHERE id > $1", []any{"a"}, []uint32{markOf("seal", "", "")}},
		{"SELECT state FROM seal", nil, []uint32{markOf("seal", "", "")}},
		{"SELECT s.id FROM seal s JOIN unit ON code = unit WHERE code = $1", []any{"u"}, []uint32{markOf("seal", "", ""), markOf("unit", "", ""), markOf("unit", "", "")}},
		{"SELECT id FROM seal, unit WHERE id = $1", []any{"a"}, []uint32{markOf("seal", "", ""), markOf("unit", "", "")}},
		{"SELECT id FROM seal WHERE id = $1 AND EXISTS (SELECT 1 FROM unit)", []any{"a"}, []uint32{markOf("seal", "", ""), markOf("unit", "", "")}},
		{"SELECT id FROM seal WHERE id = $1 AND n = (SELECT MAX(n) FROM seal)", []any{"a"}, []uint32{markOf("seal", "", ""), markOf("seal", "", "")}},
		{"SELECT id FROM seal WHERE id = $1 UNION SELECT id FROM seal", []any{"a"}, []uint32{markOf("seal", "", ""), markOf("seal", "", "")}},
		{"SELECT COUNT(*) FROM record", nil, nil},
		{"SELECT code FROM unit WHERE code IN (SELECT id FROM record)", nil, nil},
		{"SELECT name FROM sqlite_master", nil, nil},
		{"SELECT 1", nil, nil},
	} {
		s := shapeOf(known, c.q)
		got := s.marks(c.args)
		if s.never {
			got = nil
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.q, got, c.want)
		}
	}
}

// TestTablesOfAStatement are all the tables it names, and seldom a column of the
// name of one.
func TestTablesOfAStatement(t *testing.T) {
	for q, want := range map[string][]string{
		"SELECT license FROM license_number WHERE number_index = $1":                             {"license_number"},
		"INSERT INTO completion (unit, draft) VALUES ($1, $2) ON CONFLICT (item) DO NOTHING":     {"completion"},
		"UPDATE draft SET state = $1, lot = $2 WHERE id = $3":                                    {"draft"},
		"DELETE FROM lot WHERE id IN (SELECT lot FROM draft, unit WHERE draft.unit = unit.code)": {"lot", "draft", "unit"},
		"SELECT a FROM (SELECT a FROM x WHERE b = $1) AS s, y":                                   {"x", "y"},
		"SELECT a FROM x JOIN (SELECT b FROM y) AS s ON s.b IN (1, 2), z ORDER BY a":             {"x", "y", "z"},
		"SELECT a FROM x UNION ALL SELECT b FROM y":                                              {"x", "y"},
	} {
		names := namesIn(q)
		for _, table := range want {
			if !names[table] {
				t.Errorf("%s: %s is not among %v", q, table, names)
			}
		}
		for _, column := range []string{"license", "draft", "lot", "unit"} {
			if names[column] && !slices.Contains(want, column) {
				t.Errorf("%s: %s is taken for a table", q, column)
			}
		}
	}
}
