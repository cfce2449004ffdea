package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// maxPostgres bounds the connections of one process.
const maxPostgres = 32

type postgresEngine struct {
	db      *sql.DB
	checked sync.Map // statement -> struct{}: placeholders are in order
}

func openPostgres(ctx context.Context, address string) (_ *postgresEngine, err error) {
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("database address: %w", err)
	}
	cfg.RuntimeParams["timezone"] = "UTC"
	cfg.RuntimeParams["application_name"] = "elicense"
	e := &postgresEngine{db: stdlib.OpenDB(*cfg)}
	e.db.SetMaxOpenConns(maxPostgres)
	e.db.SetMaxIdleConns(maxPostgres)
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	if err := e.db.PingContext(ctx); err != nil {
		return nil, translate(err)
	}
	if err := migrate(ctx, goose.DialectPostgres, e.db); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *postgresEngine) forUpdate() string  { return " FOR UPDATE" }
func (e *postgresEngine) skipLocked() string { return " FOR UPDATE SKIP LOCKED" }
func (e *postgresEngine) shared() bool       { return true }
func (e *postgresEngine) numbered() bool     { return true }
func (e *postgresEngine) close() error       { return e.db.Close() }

func (e *postgresEngine) view(ctx context.Context, db *DB, _ bool, fn func(*Tx) error) error {
	t, end, err := e.begin(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return translate(err)
	}
	defer end()
	tx := newTx(ctx, db, &pgSession{e, t}, false)
	defer tx.end()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.broken
}

// begin waits for a connection no longer than ctx allows, and begins a
// transaction that ctx does not end: a commit must not be cut short. end rolls
// it back, without effect after a commit, and gives up the connection.
func (e *postgresEngine) begin(ctx context.Context, options *sql.TxOptions) (*sql.Tx, func(), error) {
	conn, err := e.db.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	t, err := conn.BeginTx(context.WithoutCancel(ctx), options)
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return t, func() { t.Rollback(); conn.Close() }, nil
}

// update retries what PostgreSQL undid for the sake of another transaction.
func (e *postgresEngine) update(ctx context.Context, db *DB, fn func(*Tx) error) error {
	me := goroutine()
	db.inside.Store(me, struct{}{})
	defer db.inside.Delete(me)
	db.running.Add(1)
	defer db.running.Add(-1)
	for attempt := 1; ; attempt++ {
		err := e.once(ctx, db, fn, nil)
		if err == nil || !retryable(err) || attempt == 8 {
			return err
		}
		db.stats.retries.Add(1)
		select {
		case <-time.After(rand.N(time.Duration(attempt) * 5 * time.Millisecond)):
		case <-ctx.Done():
			return unavailable(ctx.Err())
		}
	}
}

// once runs fn and inserts records in one transaction.
func (e *postgresEngine) once(ctx context.Context, db *DB, fn func(*Tx) error, records []*pending) (err error) {
	began := time.Now()
	t, end, err := e.begin(ctx, nil)
	if err != nil {
		return translate(err)
	}
	defer end()
	tx := newTx(ctx, db, &pgSession{e, t}, true)
	defer tx.end()
	tx.records = records
	if err := guarded(tx, fn); err != nil {
		return err
	}
	tree, err := db.chain.append(tx, tx.records)
	if err != nil {
		return err
	}
	if err := commit(db, t.Commit); err != nil {
		db.stats.failed.Add(1)
		db.chain.doubt(tree)
		return translate(err)
	}
	db.chain.committed(tree)
	db.stats.commit(time.Since(began), len(tx.records))
	db.wakeups.wake(tx.wakes)
	return nil
}

// commitGroup inserts the records of requests that have no closure.
func (e *postgresEngine) commitGroup(db *DB, group []*request) {
	var records []*pending
	for _, r := range group {
		records = append(records, r.records...)
	}
	err := e.once(context.Background(), db, func(*Tx) error { return nil }, records)
	if err != nil && len(group) > 1 && isConflict(err) {
		for _, r := range group {
			e.commitGroup(db, []*request{r})
		}
		return
	}
	for _, r := range group {
		r.finish(err)
	}
}

type pgSession struct {
	e *postgresEngine
	t *sql.Tx
}

func (s *pgSession) check(q string) error {
	if _, ok := s.e.checked.Load(q); ok {
		return nil
	}
	if err := checkPlaceholders(q); err != nil {
		return err
	}
	s.e.checked.Store(q, struct{}{})
	return nil
}

func (s *pgSession) exec(ctx context.Context, q string, args []any) (int64, error) {
	if err := s.check(q); err != nil {
		return 0, err
	}
	res, err := s.t.ExecContext(ctx, q, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (s *pgSession) query(ctx context.Context, q string, args []any) (*Rows, error) {
	if err := s.check(q); err != nil {
		return nil, err
	}
	rows, err := s.t.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	return readRows(rows)
}
