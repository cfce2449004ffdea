package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"time"

	"github.com/pressly/goose/v3"
)

// sqliteEngine is the embedded database: one connection that writes, and a few
// that read.
type sqliteEngine struct {
	db      *sql.DB
	write   *prepared
	readers chan *prepared // the idle ones; as many as may be open
	all     []*prepared
}

func openSQLite(ctx context.Context, path string) (_ *sqliteEngine, err error) {
	e := &sqliteEngine{}
	pragmas := url.Values{"_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		"wal_autocheckpoint(4000)", // pages: a record touches one of each index, and checkpoints wait for the disk
		"cache_size(-32768)", "temp_store(MEMORY)", "journal_size_limit(67108864)",
	}}
	name := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + pragmas.Encode()
	if e.db, err = sql.Open("sqlite", name); err != nil {
		return nil, unavailable(err)
	}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	if err := migrate(ctx, goose.DialectSQLite3, e.db); err != nil {
		return nil, err
	}
	if e.write, err = e.connect(ctx); err != nil {
		return nil, err
	}
	n := max(4, 2*runtime.GOMAXPROCS(0))
	e.readers = make(chan *prepared, n)
	for range n {
		r, err := e.connect(ctx)
		if err != nil {
			return nil, err
		}
		if _, err := r.exec(ctx, "PRAGMA query_only = 1", nil); err != nil {
			return nil, translate(err)
		}
		e.readers <- r
	}
	return e, nil
}

func (e *sqliteEngine) connect(ctx context.Context) (*prepared, error) {
	conn, err := e.db.Conn(ctx)
	if err != nil {
		return nil, translate(err)
	}
	p := &prepared{conn: conn, stmts: map[string]*sql.Stmt{}}
	e.all = append(e.all, p)
	return p, nil
}

func (e *sqliteEngine) view(ctx context.Context, db *DB, fn func(*Tx) error) error {
	var r *prepared
	select {
	case r = <-e.readers:
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
	defer func() { e.readers <- r }()
	if _, err := r.exec(context.Background(), "BEGIN", nil); err != nil {
		return translate(err)
	}
	defer r.exec(context.Background(), "ROLLBACK", nil) // nothing was written
	tx := newTx(ctx, db, r, false)
	defer tx.end()
	if err := fn(tx); err != nil {
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

// close closes statements, then connections, then the database: another order
// leaks or crashes in the driver.
func (e *sqliteEngine) close() error {
	var errs []error
	for _, p := range e.all {
		errs = append(errs, p.close())
	}
	return errors.Join(append(errs, e.db.Close())...)
}

// prepared is a pinned connection that keeps its statements prepared.
type prepared struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

// maxPrepared bounds the statements of a connection; SQL made at run time, such
// as lists of placeholders, would otherwise grow without end.
const maxPrepared = 512

func (p *prepared) stmt(q string) (*sql.Stmt, error) {
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
	s, err := p.conn.PrepareContext(context.Background(), q)
	if err != nil {
		return nil, err
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

func (p *prepared) exec(ctx context.Context, q string, args []any) (int64, error) {
	s, err := p.stmt(q)
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (p *prepared) query(ctx context.Context, q string, args []any) (*sql.Rows, error) {
	s, err := p.stmt(q)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
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
// failed all of them.
func (e *sqliteEngine) try(db *DB, group []*request) (err error) {
	began := time.Now()
	whole := newTx(context.Background(), db, e.write, true)
	if _, err := e.write.exec(whole.ctx, "BEGIN IMMEDIATE", nil); err != nil {
		return translate(err)
	}
	committed := false
	defer func() {
		if !committed { // also when a closure ended the goroutine
			// "No transaction" is fine: SQLite rolls back by itself when the disk is full.
			e.write.exec(context.Background(), "ROLLBACK", nil)
		}
	}()
	for _, r := range group {
		if err := e.step(whole, r); err != nil {
			return err
		}
	}
	tree, err := db.chain.append(whole, whole.records)
	if err != nil {
		return err
	}
	CrashPoint("store.commit")
	if err := commit(db, func() error { _, err := e.write.exec(whole.ctx, "COMMIT", nil); return err }); err != nil {
		db.stats.failed.Add(1)
		db.chain.doubt(tree)
		return translate(err)
	}
	CrashPoint("store.committed")
	committed = true
	db.chain.committed(tree)
	if whole.wrote {
		db.epoch.Add(1)
	}
	db.stats.commit(time.Since(began), len(whole.records))
	db.wakeups.wake(whole.wakes)
	return nil
}

// step runs one request in its savepoint and hands what it queued to the whole.
// It returns an error when the whole transaction is lost.
func (e *sqliteEngine) step(whole *Tx, r *request) error {
	r.err = nil
	if r.fn == nil {
		whole.records = append(whole.records, r.records...)
		return nil
	}
	if _, err := e.write.exec(whole.ctx, "SAVEPOINT request", nil); err != nil {
		return translate(err)
	}
	// The statements of a closure are not interrupted when its caller gives up:
	// that would roll back the whole group.
	tx := newTx(context.WithoutCancel(r.ctx), whole.db, e.write, true)
	defer tx.end()
	r.err = guarded(tx, r.fn)
	if tx.lost {
		return fmt.Errorf("the group's transaction is lost: %w", tx.broken)
	}
	if r.err != nil {
		if _, err := e.write.exec(whole.ctx, "ROLLBACK TO request", nil); err != nil {
			return translate(err)
		}
	}
	if _, err := e.write.exec(whole.ctx, "RELEASE request", nil); err != nil {
		return translate(err)
	}
	if r.err == nil {
		whole.records = append(whole.records, tx.records...)
		whole.wakes = append(whole.wakes, tx.wakes...)
		whole.wrote = whole.wrote || tx.wrote
	}
	return nil
}
