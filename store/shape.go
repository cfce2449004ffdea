package store

import (
	"strconv"
	"strings"
	"sync"
)

// shape says which rows a SELECT rests on: those of one table that have an
// argument's value in a column, or all rows of the tables it names.
type shape struct {
	table  *table
	column string // empty: all rows of tables
	arg    int
	tables []*table
	never  bool // it reads the record
}

// shapes keeps the shapes of statements by their text.
type shapes struct {
	schema schema
	of     sync.Map // statement -> *shape
}

func (s *shapes) shape(q string) *shape {
	if known, ok := s.of.Load(q); ok {
		return known.(*shape)
	}
	made := shapeOf(s.schema, q)
	s.of.Store(q, made)
	return made
}

// shapeOf reads a statement. Where it is not certain that only rows with one
// value count, the statement rests on whole tables: any name in it that is a
// table's.
func shapeOf(known schema, q string) *shape {
	words := words(q)
	s := &shape{}
	if t := known[only(words)]; t != nil {
		s.tables, s.never = []*table{t}, t.record
		s.conjunct(words)
		return s
	}
	for _, w := range words {
		if t := known[strings.ToLower(w)]; t != nil {
			s.tables = append(s.tables, t)
			s.never = s.never || t.record
		}
	}
	s.never = s.never || len(s.tables) == 0
	return s
}

// only returns the name of the one table of a statement, empty if there is more
// to it.
func only(words []string) string {
	if count(words, "SELECT") != 1 || count(words, "FROM") != 1 || count(words, "JOIN") > 0 {
		return ""
	}
	at := index(words, "FROM") + 1
	if at == len(words) {
		return ""
	}
	if at+1 < len(words) {
		switch strings.ToUpper(words[at+1]) {
		case "WHERE", "ORDER", "GROUP", "LIMIT":
		default: // another table, a name for this one
			return ""
		}
	}
	return strings.ToLower(words[at])
}

// conjunct looks for "column = $n" among the conditions of WHERE that all must
// hold.
func (s *shape) conjunct(words []string) {
	at := index(words, "WHERE")
	if at < 0 {
		return
	}
	var parts [][]string
	depth, from := 0, at+1
	end := len(words)
	for i := at + 1; i < end; i++ {
		switch w := strings.ToUpper(words[i]); {
		case w == "(":
			depth++
		case w == ")":
			depth--
		case depth > 0:
		case w == "OR" || w == "BETWEEN" || w == "CASE":
			return
		case w == "AND":
			parts = append(parts, words[from:i])
			from = i + 1
		case w == "ORDER" || w == "GROUP" || w == "LIMIT" || w == "HAVING" || w == "FOR":
			end = i
		}
	}
	parts = append(parts, words[from:end])
	for _, p := range parts {
		if len(p) != 3 || p[1] != "=" || !strings.HasPrefix(p[2], "$") {
			continue
		}
		n, err := strconv.Atoi(p[2][1:])
		if c := s.tables[0].column(p[0]); err == nil && c != nil && c.watched {
			s.table, s.column, s.arg = s.tables[0], c.name, n-1
			return
		}
	}
}

func (t *table) column(name string) *column {
	for _, c := range t.columns {
		if strings.EqualFold(c.name, name) {
			return c
		}
	}
	return nil
}

// marks returns the marks the statement rests on with these arguments.
func (s *shape) marks(args []any) []uint32 {
	if s.column != "" && s.arg < len(args) {
		if v, ok := markKey(args[s.arg]); ok && s.table.column(s.column).takes(args[s.arg]) {
			return []uint32{markOf(s.table.name, s.column, v)}
		}
	}
	marks := make([]uint32, len(s.tables))
	for i, t := range s.tables {
		marks[i] = markOf(t.name, "", "")
	}
	return marks
}

// takes tells whether a value is compared with the column as it is: SQLite would
// make a number of the text '05' for a column of numbers.
func (c *column) takes(v any) bool {
	switch v.(type) {
	case string:
		return c.kind == "TEXT"
	case []byte:
		return c.kind == "BYTEA"
	case int64:
		return c.kind == "BIGINT"
	}
	return false
}

func index(words []string, word string) int {
	for i, w := range words {
		if strings.EqualFold(w, word) {
			return i
		}
	}
	return -1
}

func count(words []string, word string) (n int) {
	for _, w := range words {
		if strings.EqualFold(w, word) {
			n++
		}
	}
	return n
}

// words splits a statement into names, placeholders, quoted texts and signs.
func words(q string) (out []string) {
	name := func(b byte) bool {
		return b == '_' || b == '$' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= 0x80
	}
	for i := 0; i < len(q); {
		j := i + 1
		switch {
		case q[i] == ' ' || q[i] == '\n' || q[i] == '\t' || q[i] == '\r':
			i++
			continue
		case q[i] == '\'':
			for j < len(q) && q[j] != '\'' {
				j++
			}
			j = min(j+1, len(q))
		case name(q[i]):
			for j < len(q) && name(q[j]) {
				j++
			}
		}
		out = append(out, q[i:j])
		i = j
	}
	return out
}
