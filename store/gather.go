package store

import (
	"strconv"
	"strings"
	"sync"
)

// gathered are rows of one plain INSERT, in the order they were given.
type gathered struct {
	*plain
	rows [][]any
}

// plain is an INSERT of one row of arguments and constants, and nothing else.
type plain struct {
	table string
	into  string   // as far as VALUES
	items []string // of the row; "$" for an argument
}

// Gather has the transaction keep the rows of its plain INSERTs from here on and
// insert those of a table in few statements: before the next statement that names
// the table, or at the end. For work on many things at once: a statement for each
// row takes several times as long. Of such an INSERT no Conflict is known where
// it is given; it fails the transaction later.
func (tx *Tx) Gather() { tx.gathering = true }

// gather takes a statement's row up if it may wait.
func (tx *Tx) gather(q string, args []any) bool {
	p := plainOf(q)
	if p == nil {
		return false
	}
	for _, g := range tx.gathered {
		if g.plain == p {
			g.rows = append(g.rows, args)
			return true
		}
	}
	tx.gathered = append(tx.gathered, &gathered{p, [][]any{args}})
	return true
}

// settleFor inserts what is gathered for the tables a statement names.
func (tx *Tx) settleFor(q string) error {
	if len(tx.gathered) == 0 {
		return nil
	}
	names := namesIn(q)
	return tx.insertGathered(func(table string) bool { return names[table] })
}

// insertGathered inserts the rows gathered for the tables that are due.
func (tx *Tx) insertGathered(due func(table string) bool) error {
	list := tx.gathered
	tx.gathered = nil
	for _, g := range list {
		if !due(g.table) {
			tx.gathered = append(tx.gathered, g)
			continue
		}
		if err := tx.insertPlain(g.plain, g.rows); err != nil {
			return err
		}
	}
	return nil
}

func everyTable(string) bool { return true }

// insertMany runs a plain INSERT for each of many rows.
func (tx *Tx) insertMany(q string, rows [][]any) error {
	list := make([][]any, len(rows))
	for i, r := range rows {
		values, err := tx.values(q, r)
		if err != nil {
			return err
		}
		list[i] = values
	}
	return tx.insertPlain(plainOf(q), list)
}

// insertPlain inserts rows with few statements, of few sizes, so that they stay
// prepared.
func (tx *Tx) insertPlain(p *plain, rows [][]any) error {
	makeCodes(rows...)
	for len(rows) > 0 {
		n := manyOf(len(rows))
		args := make([]any, 0, n*len(rows[0]))
		for _, r := range rows[:n] {
			args = append(args, r...)
		}
		if _, err := tx.run(p.text(n, tx.db.engine.numbered()), args); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// manyOf is how many of n rows one statement is for.
func manyOf(n int) int {
	for _, size := range []int{128, 32, 8} {
		if n >= size {
			return size
		}
	}
	return 1
}

type plainShape struct {
	*plain
	rows     int
	numbered bool
}

var plainTexts sync.Map // plainShape -> string

// text returns the INSERT of some rows. On SQLite its placeholders are not
// numbered: looking up a number takes as long as the statement has placeholders.
// And one that fails there does not undo its own rows: that would take a copy of
// every page it changes, and the transaction is lost anyway.
func (p *plain) text(rows int, numbered bool) string {
	shape := plainShape{p, rows, numbered}
	if q, ok := plainTexts.Load(shape); ok {
		return q.(string)
	}
	var b strings.Builder
	if numbered {
		b.WriteString(p.into)
	} else {
		b.WriteString("INSERT OR FAIL" + strings.TrimPrefix(p.into, "INSERT"))
	}
	b.WriteString(" VALUES ")
	n := 0
	for row := range rows {
		if row > 0 {
			b.WriteString(", ")
		}
		for i, item := range p.items {
			if i == 0 {
				b.WriteString("(")
			} else {
				b.WriteString(", ")
			}
			switch {
			case item != "$":
				b.WriteString(item)
			case numbered:
				n++
				b.WriteString("$" + strconv.Itoa(n))
			default:
				b.WriteString("?")
			}
		}
		b.WriteString(")")
	}
	plainTexts.Store(shape, b.String())
	return b.String()
}

var plains sync.Map // statement -> *plain, nil in it if it is none

// plainOf reads a statement; nil if it is more than a plain INSERT.
func plainOf(q string) *plain {
	if p, ok := plains.Load(q); ok {
		return p.(*plain)
	}
	p, _ := plains.LoadOrStore(q, readPlain(q))
	return p.(*plain)
}

// readPlain reads INSERT INTO table (columns) VALUES (items), whose items are
// $1, $2 … in order and constants without quotes.
func readPlain(q string) *plain {
	words := words(q)
	if len(words) < 5 || !strings.EqualFold(words[0], "INSERT") || !strings.EqualFold(words[1], "INTO") || count(words, "VALUES") != 1 {
		return nil
	}
	at := index(words, "VALUES")
	items := words[at+1:]
	if len(items) < 3 || items[0] != "(" || items[len(items)-1] != ")" {
		return nil
	}
	p := &plain{table: strings.ToLower(words[2]), into: "INSERT " + strings.Join(words[1:at], " ")}
	args := 0
	for i, item := range items[1 : len(items)-1] {
		if i%2 == 1 {
			if item != "," {
				return nil
			}
			continue
		}
		switch strings.ToUpper(item) {
		case "NULL", "TRUE", "FALSE":
		default:
			if args++; item != "$"+strconv.Itoa(args) {
				return nil
			}
			item = "$"
		}
		p.items = append(p.items, item)
	}
	return p
}

var named sync.Map // statement -> map[string]bool

// namesIn returns the words of a statement that stand where a table may: some are
// columns, whose tables are then settled for nothing.
func namesIn(q string) map[string]bool {
	if names, ok := named.Load(q); ok {
		return names.(map[string]bool)
	}
	names := map[string]bool{}
	from, due := false, false // among the tables of a FROM; a table is what comes next
	for _, w := range words(q) {
		switch w := strings.ToUpper(w); w {
		case "FROM", "JOIN", "INTO", "UPDATE":
			from, due = w == "FROM" || w == "JOIN", true
			continue
		case "SELECT", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "SET", "VALUES", "RETURNING":
			from = false
		case ")":
			from = true // it may be, around a query in brackets
		case ",", "(":
			due = due || from
			continue
		}
		if due {
			names[strings.ToLower(w)] = true
		}
		due = false
	}
	named.Store(q, names)
	return names
}
