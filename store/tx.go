package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"elicense"
)

// Tx is one transaction. It belongs to the closure it was given to, and to that
// closure's goroutine.
type Tx struct {
	db       *DB
	ctx      context.Context
	session  session
	writable bool
	now      time.Time
	depth    int        // of savepoints
	broken   error      // a statement failed: the transaction is lost
	lost     bool       // SQLite may have rolled back the whole group
	wrote    bool       // something else than records
	records  []*pending // to be inserted at commit
	wakes    []string   // topics to wake after commit
	keeps    bool       // what is read may be kept: SQLite, and nothing is written
	turn     uint64     // turns of the writer before the snapshot
	since    uint64     // number of a commit the snapshot is no older than
	lazy     bool       // the closure can be run again: the snapshot is taken when it is needed
	settled  bool       // the snapshot is fixed
	relied   []uint32   // marks relied on before it was
	resting  *resting   // of the Keep in hand
	opens    func() error

	holders   elicense.Family        // keys of the holders that are new
	gathering bool                   // Gather was called
	foreseen  foreseen               // what was looked up before it is asked for
	indexed   map[[2]string][][]byte // by kind and value: what was made before it is asked for
	gathered  []*gathered            // rows that wait for a statement that names their table

	withdrawn bool // licenses that were withdrawn are read too
}

// session runs statements: a connection of its own with prepared statements, or
// a transaction of database/sql.
type session interface {
	exec(ctx context.Context, q string, args []any) (int64, error)
	query(ctx context.Context, q string, args []any) (*Rows, error)
}

type txKey struct{}

func newTx(ctx context.Context, db *DB, s session, writable bool) *Tx {
	tx := &Tx{db: db, session: s, writable: writable, now: db.Now()}
	tx.ctx = context.WithValue(ctx, txKey{}, tx)
	return tx
}

func txOf(ctx context.Context) *Tx {
	tx, _ := ctx.Value(txKey{}).(*Tx)
	return tx
}

// Context returns the caller's context, marked as being inside this transaction.
func (tx *Tx) Context() context.Context { return tx.ctx }

// Now returns the time of the transaction: the same for all it does, UTC, in
// whole microseconds.
func (tx *Tx) Now() time.Time { return tx.now }

// Writable tells whether the transaction is an Update.
func (tx *Tx) Writable() bool { return tx.writable }

// ForUpdate returns the clause that ends a SELECT whose rows the closure decides
// on: " FOR UPDATE" on PostgreSQL in an Update, nothing otherwise.
func (tx *Tx) ForUpdate() string {
	if !tx.writable {
		return ""
	}
	return tx.db.engine.forUpdate()
}

// SkipLocked is ForUpdate that passes over rows another transaction holds.
func (tx *Tx) SkipLocked() string {
	if !tx.writable {
		return ""
	}
	return tx.db.engine.skipLocked()
}

// Exec runs a statement that changes rows and returns how many it changed.
func (tx *Tx) Exec(q string, args ...any) (int64, error) {
	values, err := tx.values(q, args)
	if err != nil {
		return 0, err
	}
	if tx.gathering && tx.gather(q, values) {
		return 1, nil
	}
	if err := tx.settleFor(q); err != nil {
		return 0, err
	}
	return tx.run(q, values)
}

// run runs a statement with the values of its arguments.
func (tx *Tx) run(q string, values []any) (int64, error) {
	fault, err := tx.begin(q)
	if err != nil {
		return 0, err
	}
	makeCodes(values)
	n, err := tx.session.exec(tx.ctx, q, values)
	if err == nil && fault == FaultAfter {
		err = errFault
	}
	if err != nil {
		return 0, tx.fail(q, err)
	}
	tx.wrote = tx.wrote || n > 0
	return n, nil
}

// Query runs a statement that returns rows and reads all of them: page what can
// be large. INSERT, UPDATE and DELETE with RETURNING go here too.
func (tx *Tx) Query(q string, args ...any) (*Rows, error) {
	values, err := tx.values(q, args)
	if err != nil {
		return nil, err
	}
	if err := tx.settleFor(q); err != nil {
		return nil, err
	}
	fault, err := tx.begin(q)
	if err != nil {
		return nil, err
	}
	makeCodes(values)
	rows, err := tx.session.query(tx.ctx, q, values)
	if err == nil && fault == FaultAfter {
		err = errFault
	}
	if err != nil {
		return nil, tx.fail(q, err)
	}
	tx.wrote = tx.wrote || tx.writable && !reads(q)
	if tx.keeps {
		if err := tx.asked(q, values); err != nil {
			return nil, tx.fail(q, err)
		}
	}
	return rows, nil
}

// Row runs a query for one row. Its Scan returns ErrNoRow when there is none;
// rows after the first are ignored.
func (tx *Tx) Row(q string, args ...any) *Row {
	rows, err := tx.Query(q, args...)
	return &Row{rows: rows, err: err}
}

// values checks that the statement may run and converts its arguments.
func (tx *Tx) values(q string, args []any) ([]any, error) {
	if tx.broken != nil {
		return nil, fmt.Errorf("transaction is lost: %w", tx.broken)
	}
	values, err := arguments(args)
	if err != nil {
		return nil, tx.fail(q, err)
	}
	if !tx.writable && !reads(q) {
		return nil, tx.fail(q, errReadOnly)
	}
	return values, nil
}

// begin begins the transaction if this is its first statement.
func (tx *Tx) begin(q string) (Fault, error) {
	if err := tx.open(); err != nil {
		return FaultNone, tx.fail(q, err)
	}
	fault := tx.db.fault(Step{StepStatement, q})
	if fault == FaultBefore {
		return fault, tx.fail(q, errFault)
	}
	return fault, nil
}

// open begins a transaction that did without until now.
func (tx *Tx) open() error {
	if tx.session != nil {
		return nil
	}
	return tx.opens()
}

// asked notes what a statement rests on, and settles the snapshot it fixed.
func (tx *Tx) asked(q string, args []any) error {
	if tx.resting != nil {
		s := tx.db.engine.(*sqliteEngine).shapes.shape(q)
		tx.resting.never = tx.resting.never || s.never || s.column != "" && !s.table.column(s.column).ask(&tx.db.kept, tx.turn)
		tx.resting.rests = append(tx.resting.rests, s.marks(args)...)
	}
	return tx.settle()
}

var errReadOnly = errors.New("store: a View does not write")

// reads tells whether a statement only reads, going by its first word.
func reads(q string) bool {
	q = strings.TrimLeft(q, " \t\n(")
	return len(q) >= 6 && strings.EqualFold(q[:6], "SELECT") || len(q) >= 4 && strings.EqualFold(q[:4], "WITH")
}

var errEnded = errors.New("store: the transaction's closure has ended")

// end makes a Tx that its closure gave away useless: its connection is another
// transaction's by now.
func (tx *Tx) end() {
	if tx.broken == nil {
		tx.broken = errEnded
	}
}

// fail marks the transaction as lost and says which statement lost it. On
// PostgreSQL it is lost in truth; on SQLite it is made so, for the same meaning.
func (tx *Tx) fail(q string, err error) error {
	tx.lost = tx.lost || losesTransaction(err)
	if !tx.writable && refusesWriting(err) {
		err = fmt.Errorf("%w: %s", errReadOnly, err.Error())
	}
	if kind := elicense.KindOf(translate(err)); kind != elicense.Internal {
		err = translate(err)
	} else {
		err = fmt.Errorf("%s: %w", strings.Join(strings.Fields(q), " "), err)
	}
	tx.broken = err
	return err
}

// Savepoint runs fn as a step that may fail alone: when fn returns an error, or
// a statement of it failed, all fn did is undone, its records too, and the
// transaction goes on.
func (tx *Tx) Savepoint(fn func() error) error {
	if tx.broken != nil {
		return fmt.Errorf("transaction is lost: %w", tx.broken)
	}
	if err := tx.insertGathered(everyTable); err != nil {
		return err
	}
	records, wakes, wrote := len(tx.records), len(tx.wakes), tx.wrote
	tx.depth++
	defer func() { tx.depth-- }()
	if err := tx.open(); err != nil {
		return tx.fail("SAVEPOINT", err)
	}
	name := "step_" + strconv.Itoa(tx.depth)
	if _, err := tx.session.exec(tx.ctx, "SAVEPOINT "+name, nil); err != nil {
		return tx.fail("SAVEPOINT", err)
	}
	err := fn()
	if err == nil {
		err = tx.broken
	}
	if err == nil {
		err = tx.insertGathered(everyTable)
	}
	if err == nil {
		if _, err := tx.session.exec(tx.ctx, "RELEASE "+name, nil); err != nil {
			return tx.fail("RELEASE", err)
		}
		return nil
	}
	if tx.lost {
		return err
	}
	tx.broken, tx.gathered, tx.foreseen = nil, nil, nil
	for _, q := range []string{"ROLLBACK TO " + name, "RELEASE " + name} {
		if _, rollback := tx.session.exec(context.WithoutCancel(tx.ctx), q, nil); rollback != nil {
			return tx.fail(q, rollback)
		}
	}
	tx.records, tx.wakes, tx.wrote = tx.records[:records], tx.wakes[:wakes], wrote
	return err
}

// Rows is the result of a query, read whole.
type Rows struct {
	cells [][]any
	at    int
}

func readRows(rows *sql.Rows) (*Rows, error) {
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	out := &Rows{}
	into := make([]any, len(names))
	for rows.Next() {
		cells := make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		out.cells = append(out.cells, cells)
	}
	return out, rows.Err()
}

// Next steps to the next row and tells whether there is one.
func (r *Rows) Next() bool {
	r.at++
	return r.at <= len(r.cells)
}

// Len returns the number of rows.
func (r *Rows) Len() int { return len(r.cells) }

// Scan copies the row's columns into dest: pointers to string, integers, bool,
// []byte, time.Time (UTC), named types of these, and pointers to these for what
// may be NULL.
func (r *Rows) Scan(dest ...any) error {
	if r.at < 1 || r.at > len(r.cells) {
		return errors.New("store: Scan without a row")
	}
	cells := r.cells[r.at-1]
	if len(dest) != len(cells) {
		return fmt.Errorf("store: %d destinations for %d columns", len(dest), len(cells))
	}
	for i, d := range dest {
		if err := assign(d, cells[i]); err != nil {
			return fmt.Errorf("store: column %d: %w", i+1, err)
		}
	}
	return nil
}

// Row is the result of a query for one row.
type Row struct {
	rows *Rows
	err  error
}

// Scan copies the row's columns into dest, or returns ErrNoRow.
func (r *Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	if !r.rows.Next() {
		return ErrNoRow
	}
	return r.rows.Scan(dest...)
}

// All runs a query and returns what scan makes of each row.
func All[T any](tx *Tx, scan func(*Rows) (T, error), q string, args ...any) ([]T, error) {
	rows, err := tx.Query(q, args...)
	if err != nil {
		return nil, err
	}
	out := make([]T, 0, rows.Len())
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// checkPlaceholders refuses a statement whose $1, $2, … do not first appear in
// reading order: SQLite numbers them by appearance, PostgreSQL by name, and
// values would change places silently.
func checkPlaceholders(q string) error {
	seen, quoted := 0, false
	for i := 0; i < len(q); i++ {
		if q[i] == '\'' {
			quoted = !quoted
		}
		if q[i] != '$' || quoted {
			continue
		}
		end := i + 1
		for end < len(q) && q[end] >= '0' && q[end] <= '9' {
			end++
		}
		n, _ := strconv.Atoi(q[i+1 : end]) // digits only; none is 0 and refused
		if n < 1 || n > seen+1 {
			return fmt.Errorf("store: placeholder %s is not in reading order", q[i:end])
		}
		seen = max(seen, n)
	}
	return nil
}
