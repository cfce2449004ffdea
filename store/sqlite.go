package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"runtime"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
)

// sqliteEngine is the embedded database: one connection that writes, and a few
// that read. They are the driver's own: a statement takes a few microseconds, and
// database/sql would add as much.
type sqliteEngine struct {
	name    string // of the database, as the driver takes it
	write   *prepared
	readers chan *prepared // the idle ones; as many as may be open
	open    int            // readers there are
	ended   chan struct{}  // closed when no reading may begin any more
	all     []*prepared
	shapes  *shapes
	changed []uint32 // marks of the rows the transaction in hand has changed
	copier  *copier
}

func openSQLite(ctx context.Context, path string) (_ *sqliteEngine, err error) {
	pragmas := url.Values{"_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		"wal_autocheckpoint(24000)", // pages; the copier leaves little for it to do
		"cache_size(-16384)", "temp_store(MEMORY)", "journal_size_limit(134217728)",
	}}
	e := &sqliteEngine{name: "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + pragmas.Encode()}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	if err := e.migrate(ctx); err != nil {
		return nil, err
	}
	if e.write, err = e.connect(); err != nil {
		return nil, err
	}
	known, err := readSchema(ctx, e.write)
	if err != nil {
		return nil, err
	}
	e.shapes = &shapes{schema: known}
	hooks, ok := e.write.conn.(sqlite.HookRegisterer)
	if !ok {
		return nil, fmt.Errorf("store: the driver's %T tells nothing of changes", e.write.conn)
	}
	hooks.RegisterPreUpdateHook(e.change)
	if e.copier, err = startCopier(e); err != nil {
		return nil, err
	}
	n := max(4, 2*runtime.GOMAXPROCS(0))
	e.readers, e.ended = make(chan *prepared, n), make(chan struct{})
	for range n {
		r, err := e.connect()
		if err != nil {
			return nil, err
		}
		// A commit makes a reader's cache void: much of one would be memory for nothing.
		for _, pragma := range []string{"PRAGMA query_only = 1", "PRAGMA cache_size = -4096"} {
			if _, err := r.exec(ctx, pragma, nil); err != nil {
				return nil, translate(err)
			}
		}
		e.readers <- r
		e.open++
	}
	return e, nil
}

func (e *sqliteEngine) migrate(ctx context.Context) error {
	db, err := sql.Open("sqlite", e.name)
	if err != nil {
		return unavailable(err)
	}
	return errors.Join(migrate(ctx, goose.DialectSQLite3, db), db.Close())
}

func (e *sqliteEngine) connect() (*prepared, error) {
	conn, err := new(sqlite.Driver).Open(e.name)
	if err != nil {
		return nil, translate(err)
	}
	p := &prepared{conn: conn, stmts: map[string]statement{}}
	e.all = append(e.all, p)
	return p, nil
}

// readSchema reads which tables there are and by which columns rows are looked up.
func readSchema(ctx context.Context, p *prepared) (schema, error) {
	names, err := p.query(ctx, `SELECT name FROM sqlite_master WHERE type = 'table'`, nil)
	if err != nil {
		return nil, translate(err)
	}
	known := schema{}
	for names.Next() {
		t := &table{}
		if err := names.Scan(&t.name); err != nil {
			return nil, err
		}
		t.record = recordTables[t.name]
		known[t.name] = t
		columns, err := p.query(ctx, `SELECT name, type, name IN (SELECT i.name FROM pragma_index_list($1) l, pragma_index_info(l.name) i WHERE i.seqno = 0)
			FROM pragma_table_info($2) ORDER BY cid`, []any{t.name, t.name})
		if err != nil {
			return nil, translate(err)
		}
		for columns.Next() {
			c := &column{}
			if err := columns.Scan(&c.name, &c.kind, &c.watched); err != nil {
				return nil, err
			}
			t.columns = append(t.columns, c)
		}
	}
	return known, nil
}

// change is told each row that a statement of the writer inserts, deletes or
// changes, before it does. It runs in the writer's goroutine.
func (e *sqliteEngine) change(d sqlite.SQLitePreUpdateData) {
	t := e.shapes.schema[d.TableName]
	if t == nil || t.record {
		return // rows of tables that are not known, or of the record, are not kept
	}
	e.changed = append(e.changed, markOf(t.name, "", ""))
	asked := t.asked()
	if asked == 0 {
		return
	}
	row := make([]any, asked)
	into := func(read func(...any) error) {
		if err := read(row...); err == nil { // there is no old row of an insert, no new one of a delete
			e.changed = t.changed(e.changed, row)
		}
	}
	into(d.Old)
	into(d.New)
}

func (e *sqliteEngine) view(ctx context.Context, db *DB, again bool, fn func(*Tx) error) error {
	err := e.viewOnce(ctx, db, again, fn)
	if again && errors.Is(err, errMoved) {
		err = e.viewOnce(ctx, db, false, fn)
	}
	return err
}

// viewOnce runs fn on a snapshot. A lazy one is taken with the first statement,
// and no reader is needed for what is kept.
func (e *sqliteEngine) viewOnce(ctx context.Context, db *DB, lazy bool, fn func(*Tx) error) error {
	tx := newTx(ctx, db, nil, false)
	defer tx.end()
	tx.keeps, tx.lazy = !db.cfg.Inspect, lazy
	tx.turn, tx.since = db.kept.turns.Load(), db.kept.newest.Load() // before the snapshot, which may be newer and not older
	var r *prepared
	tx.opens = func() error {
		select {
		case r = <-e.readers:
		case <-e.ended:
			return db.closedError()
		case <-ctx.Done():
			return unavailable(ctx.Err())
		}
		tx.session = r
		_, err := r.exec(context.Background(), "BEGIN", nil)
		return err
	}
	defer func() {
		if r != nil {
			r.exec(context.Background(), "ROLLBACK", nil) // nothing was written
			e.readers <- r
		}
	}()
	if !lazy {
		if err := tx.opens(); err != nil {
			return translate(err)
		}
	}
	if err := fn(tx); err != nil && !errors.Is(tx.broken, errMoved) {
		return err
	}
	return tx.broken
}

func (e *sqliteEngine) update(ctx context.Context, db *DB, fn func(*Tx) error) error {
	return db.writer.do(ctx, &request{fn: fn})
}

func (e *sqliteEngine) forUpdate() string  { return "" }
func (e *sqliteEngine) skipLocked() string { return "" }
func (e *sqliteEngine) shared() bool       { return false }
func (e *sqliteEngine) numbered() bool     { return false }

// close waits for the readings in hand, for a connection is one goroutine's at a
// time, and closes statements, then connections: another order leaks or crashes in
// the driver.
func (e *sqliteEngine) close() error {
	if e.ended != nil {
		close(e.ended)
	}
	for range e.open {
		<-e.readers
	}
	e.copier.stop()
	var errs []error
	for _, p := range e.all {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

// prepared is a connection that keeps its statements prepared. It is used by one
// goroutine at a time.
type prepared struct {
	conn  driver.Conn
	stmts map[string]statement
	args  []driver.NamedValue // of the last statement
}

// statement is a statement of the driver, which can do both.
type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// maxPrepared bounds the statements of a connection; SQL made at run time, such
// as lists of placeholders, would otherwise grow without end.
const maxPrepared = 512

func (p *prepared) stmt(q string) (statement, error) {
	if s, ok := p.stmts[q]; ok {
		return s, nil
	}
	if err := checkPlaceholders(q); err != nil {
		return nil, err
	}
	if len(p.stmts) >= maxPrepared {
		if err := p.forget(); err != nil {
			return nil, err
		}
	}
	made, err := p.conn.Prepare(q)
	if err != nil {
		return nil, err
	}
	s, ok := made.(statement)
	if !ok {
		return nil, errors.Join(fmt.Errorf("store: the driver's %T lacks contexts", made), made.Close())
	}
	p.stmts[q] = s
	return s, nil
}

func (p *prepared) forget() error {
	var errs []error
	for _, s := range p.stmts {
		errs = append(errs, s.Close())
	}
	clear(p.stmts)
	return errors.Join(errs...)
}

// The driver gets no context that can end: it would start a goroutine for each
// statement to watch it. Whether the caller has given up is asked before each
// statement and between rows.

func (p *prepared) exec(ctx context.Context, q string, args []any) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s, err := p.stmt(q)
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(context.Background(), p.numbered(args))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// rowsBetween is after how many rows the caller's context is asked.
const rowsBetween = 64

func (p *prepared) query(ctx context.Context, q string, args []any) (_ *Rows, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := p.stmt(q)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(context.Background(), p.numbered(args))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out := &Rows{}
	row := make([]driver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(row); err == io.EOF {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		cells := make([]any, len(row))
		for i, v := range row {
			cells[i] = v
		}
		out.cells = append(out.cells, cells)
		if len(out.cells)%rowsBetween == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

// numbered returns the arguments as the driver wants them, until it is called again.
func (p *prepared) numbered(args []any) []driver.NamedValue {
	p.args = p.args[:0]
	for i, v := range args {
		p.args = append(p.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return p.args
}

func (p *prepared) close() error { return errors.Join(p.forget(), p.conn.Close()) }

// commitGroup runs the requests in one transaction. When a constraint that only
// shows at the end (a record's id, a deferred key) refuses the group, each
// request is run again alone, so that the guilty one fails by itself.
func (e *sqliteEngine) commitGroup(db *DB, group []*request) {
	err := e.try(db, group)
	if err != nil && len(group) > 1 && isConflict(err) {
		for _, r := range group {
			e.commitGroup(db, []*request{r})
		}
		return
	}
	for _, r := range group {
		if r.err == nil {
			r.err = err
		}
		r.finish(r.err)
	}
}

// try runs each request in a savepoint of one transaction and commits it. It
// sets the error of a request that failed alone, and returns the error that
// failed all of them. A request that nobody waits beside needs no savepoint: under
// one SQLite keeps a copy of every page that is changed.
func (e *sqliteEngine) try(db *DB, group []*request) (err error) {
	began := time.Now()
	whole := newTx(context.Background(), db, e.write, true)
	if _, err := e.write.exec(whole.ctx, "BEGIN IMMEDIATE", nil); err != nil {
		return translate(err)
	}
	e.changed = e.changed[:0]
	db.kept.turns.Add(1)
	defer db.kept.turns.Add(1)
	committed := false
	defer func() {
		if !committed { // also when a closure ended the goroutine
			// "No transaction" is fine: SQLite rolls back by itself when the disk is full.
			e.write.exec(context.Background(), "ROLLBACK", nil)
		}
	}()
	if alone := group[0]; len(group) == 1 {
		if err := e.run(whole, alone); err != nil || alone.err != nil {
			return err
		}
	} else {
		for _, r := range group {
			if err := e.step(whole, r); err != nil {
				return err
			}
		}
	}
	tree, err := db.chain.append(whole, whole.records)
	if err != nil {
		return err
	}
	CrashPoint("store.commit")
	visible := db.kept.change(e.changed)
	defer visible()
	if err := commit(db, func() error { _, err := e.write.exec(whole.ctx, "COMMIT", nil); return err }); err != nil {
		db.stats.failed.Add(1)
		db.chain.doubt(tree)
		return translate(err)
	}
	CrashPoint("store.committed")
	visible()
	committed = true
	e.copier.wrote()
	db.chain.committed(tree)
	if whole.wrote {
		db.epoch.Add(1)
	}
	db.stats.commit(time.Since(began), len(whole.records))
	db.wakeups.wake(whole.wakes)
	return nil
}

// step runs one request in its savepoint.
func (e *sqliteEngine) step(whole *Tx, r *request) error {
	if r.fn == nil {
		return e.run(whole, r)
	}
	if _, err := e.write.exec(whole.ctx, "SAVEPOINT request", nil); err != nil {
		return translate(err)
	}
	if err := e.run(whole, r); err != nil {
		return err
	}
	if r.err != nil {
		if _, err := e.write.exec(whole.ctx, "ROLLBACK TO request", nil); err != nil {
			return translate(err)
		}
	}
	if _, err := e.write.exec(whole.ctx, "RELEASE request", nil); err != nil {
		return translate(err)
	}
	return nil
}

// run runs one request and hands what it queued to the whole. It returns an error
// when the whole transaction is lost.
func (e *sqliteEngine) run(whole *Tx, r *request) error {
	r.err = nil
	if r.fn == nil {
		whole.records = append(whole.records, r.records...)
		return nil
	}
	// The statements of a closure are not interrupted when its caller gives up:
	// that would roll back the whole group.
	tx := newTx(context.WithoutCancel(r.ctx), whole.db, e.write, true)
	defer tx.end()
	whole.db.running.Add(1)
	defer whole.db.running.Add(-1)
	r.err = guarded(tx, r.fn)
	if tx.lost {
		return fmt.Errorf("the group's transaction is lost: %w", tx.broken)
	}
	if r.err == nil {
		whole.records = append(whole.records, tx.records...)
		whole.wakes = append(whole.wakes, tx.wakes...)
		whole.wrote = whole.wrote || tx.wrote
	}
	return nil
}
