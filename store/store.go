// Package store keeps the platform's data: the engine (embedded SQLite or
// PostgreSQL), transactions, the record of every act with its Merkle log, field
// encryption, sealed files and answers to repeated requests. Domain packages
// write their own SQL over Tx; database drivers are imported here alone.
//
// What holds on both engines:
//
//   - A change is done in Update, in one transaction, and is durable when Update
//     returns nil. A closure may be run more than once and must have no effect
//     but on its Tx: no signing, rendering, network, or nested Update.
//   - On SQLite closures run one after the other on one connection, many to a
//     commit; each fails or succeeds alone. On PostgreSQL they run side by side
//     under READ COMMITTED: what a closure decides on it must lock (ForUpdate)
//     or guard by a version in the WHERE clause of its change.
//   - After a statement has failed, the closure's transaction is lost; a step
//     that may fail runs in Savepoint.
//   - SQL is one text for both engines, placeholders $1, $2, … numbered in
//     reading order (checked). Times are BIGINT microseconds in UTC.
//   - Errors are elicense kinds, told by SQLSTATE or SQLite result code: Conflict
//     for what exists already, Unavailable for disk full, busy and connection
//     lost. After Unavailable from Update the change may or may not be stored:
//     repeat it under the same idempotency key (Once).
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"elicense"
	"elicense/gm"
	"elicense/tlog"
)

// Config says where the data is. Dir, Now and Secret are required.
type Config struct {
	Dir       string           // data directory: process lock, SQLite file, sealed files
	URL       string           // postgres://…; empty means SQLite under Dir
	Now       func() time.Time // the clock
	Secret    []byte           // 32 bytes that wrap the data keys; lost with it is every encrypted field
	Log       *slog.Logger     // nil discards
	LogSigner gm.Signer        // signs checkpoints; nil leaves them unsigned
	Shard     int              // record shard of this process, from 0; each process has its own
	Inspect   bool             // for fsck: nothing is changed, and a log that can not be trusted is opened all the same
	Fault     func(Step) Fault // makes steps fail in tests; nil in service
}

// DB is an open store. It is safe for use by many goroutines.
type DB struct {
	cfg     Config
	log     *slog.Logger
	lock    *os.File
	engine  engine
	writer  *writer
	keys    *keyring
	files   *Files
	chain   *chain
	epoch   atomic.Uint64
	stats   counters
	inside  sync.Map     // goroutine number -> struct{}: goroutines that run an Update's closure
	running atomic.Int64 // closures of Updates that run now
	kept    keeper
	wakeups wakeups
	fatal   atomic.Pointer[error]
	closed  atomic.Bool
}

// engine is what differs between SQLite and PostgreSQL beyond SQL text.
type engine interface {
	view(ctx context.Context, db *DB, again bool, fn func(*Tx) error) error // again: fn may be run twice
	update(ctx context.Context, db *DB, fn func(*Tx) error) error
	// commitGroup runs the requests in one transaction, or, where they have no
	// closure, inserts their records, and answers each.
	commitGroup(db *DB, group []*request)
	forUpdate() string
	skipLocked() string
	numbered() bool // placeholders of long statements are $1, $2, … and not ?
	shared() bool   // other processes may write to the same database
	close() error
}

// Open locks the data directory, opens the database, brings its schema up to
// date and checks that the log's state can be trusted. A directory another
// process has open is Conflict; a schema newer than this program is Conflict; a
// database that can not be reached is Unavailable.
func Open(ctx context.Context, cfg Config) (_ *DB, err error) {
	if cfg.Dir == "" || cfg.Now == nil || len(cfg.Secret) != SecretSize {
		return nil, errors.New("store: Dir, Now and a Secret of 32 bytes are required")
	}
	db := &DB{cfg: cfg, log: cfg.Log}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	defer func() {
		if err != nil {
			db.Close()
		}
	}()
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, unavailable(err)
	}
	if db.lock, err = lockDir(cfg.Dir); err != nil {
		return nil, err
	}
	if db.files, err = openFiles(filepath.Join(cfg.Dir, "files"), db); err != nil {
		return nil, err
	}
	if db.engine, err = openEngine(ctx, cfg); err != nil {
		return nil, err
	}
	if !db.engine.shared() {
		db.kept.marks = make([]atomic.Uint64, manyMarks)
	}
	db.writer = startWriter(db)
	if db.keys, err = openKeys(ctx, db); err != nil {
		return nil, fmt.Errorf("data keys: %w", err)
	}
	chain, err := openChain(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("record log: %w", err)
	}
	db.chain = chain
	return db, nil
}

func openEngine(ctx context.Context, cfg Config) (engine, error) {
	if cfg.URL != "" {
		e, err := openPostgres(ctx, cfg.URL)
		if err != nil {
			return nil, err
		}
		return e, nil
	}
	e, err := openSQLite(ctx, filepath.Join(cfg.Dir, "elicense.db"))
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Close finishes the updates in hand, closes the database and gives up the data
// directory. Later calls are refused as Unavailable.
func (db *DB) Close() error {
	if db.closed.Swap(true) {
		return nil
	}
	var errs []error
	if db.chain != nil {
		db.chain.merger.stop()
	}
	if db.writer != nil {
		db.writer.stop()
	}
	if db.engine != nil {
		errs = append(errs, db.engine.close())
	}
	if db.lock != nil {
		errs = append(errs, db.lock.Close())
	}
	return errors.Join(errs...)
}

// Update runs fn in a transaction that may write, and returns nil when its
// changes and its records are durable. fn's error is returned as it is, and
// then nothing of fn is stored. A nested Update is an error.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	if err := db.usable(ctx); err != nil {
		return err
	}
	if err := db.mayWrite(ctx); err != nil {
		return err
	}
	db.stats.updates.Add(1)
	return db.engine.update(ctx, db, fn)
}

// View runs fn on one consistent state of the database, in which it can not
// write. Inside an Update or View (with the Tx's Context) it is the same
// transaction.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error { return db.view(ctx, false, fn) }

// ViewAgain is View for a closure that may be run twice, as one of Update may:
// where all it asks for is kept (Keep), it needs no transaction of the database.
func (db *DB) ViewAgain(ctx context.Context, fn func(*Tx) error) error { return db.view(ctx, true, fn) }

func (db *DB) view(ctx context.Context, again bool, fn func(*Tx) error) error {
	if err := db.usable(ctx); err != nil {
		return err
	}
	if tx := txOf(ctx); tx != nil && tx.db == db {
		return fn(tx)
	}
	return db.engine.view(ctx, db, again, fn)
}

// Epoch returns a number that another change than a record makes greater: a
// value computed from a View that began at the same epoch is still true. Where
// other processes write to the database too (PostgreSQL) every call returns a
// new number, so that nothing kept under it is ever used.
func (db *DB) Epoch() uint64 {
	if db.engine.shared() {
		return db.epoch.Add(1)
	}
	return db.epoch.Load()
}

// Files returns the store of sealed files.
func (db *DB) Files() *Files { return db.files }

// Now is the time of a transaction, as exact as the database keeps it.
func (db *DB) Now() time.Time { return db.cfg.Now().UTC().Truncate(time.Microsecond) }

// stop marks the store as not to be trusted: every later call is refused.
func (db *DB) stopFor(err error) error {
	if db.fatal.CompareAndSwap(nil, &err) {
		db.log.Error("store stops: its state can not be trusted", "err", err)
	}
	return err
}

// Fatal returns the error the store stopped for (tlog.ErrFatal), or nil.
func (db *DB) Fatal() error {
	if err := db.fatal.Load(); err != nil {
		return *err
	}
	return nil
}

func (db *DB) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	if db.closed.Load() {
		return db.closedError()
	}
	if err := db.fatal.Load(); err != nil {
		return elicense.E(elicense.Unavailable, textFatal).Because(*err)
	}
	return nil
}

const textFatal = "记录链状态异常，系统已停止服务"

func (db *DB) closedError() error {
	return elicense.E(elicense.Unavailable, "系统正在停止，暂时不能处理").Because(errClosed)
}

var (
	errClosed  = errors.New("store is closed")
	errInspect = errors.New("store: opened to inspect, nothing is changed")
	errNested  = errors.New("store: Update or Record inside an Update's closure")
)

// mayWrite refuses a nested Update, and every one of a store opened to inspect.
func (db *DB) mayWrite(ctx context.Context) error {
	if db.cfg.Inspect && db.chain != nil {
		return errInspect
	}
	if tx := txOf(ctx); tx != nil && tx.db == db && tx.writable {
		return errNested
	}
	// A closure that captured an outer context would wait for itself for ever.
	// The number of a goroutine costs a stack trace, so it is asked for only when
	// there is a closure to be inside of.
	if db.running.Load() == 0 {
		return nil
	}
	if _, in := db.inside.Load(goroutine()); in {
		return errNested
	}
	return nil
}

// fatalf makes an error that stops the store.
func fatalf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", tlog.ErrFatal, fmt.Sprintf(format, args...))
}
