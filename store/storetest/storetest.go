// Package storetest gives tests a real store: SQLite in a temporary directory,
// and PostgreSQL where a cluster is at hand.
package storetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"elicense/gm"
	"elicense/store"
)

// PostgresVariable names the environment variable with the address of a database
// the tests may make schemas in, as postgres://…
const PostgresVariable = "ELICENSE_TEST_POSTGRES"

// Start is when the clock of a test begins: a working day in Fuzhou.
var Start = time.Date(2026, 3, 10, 1, 30, 0, 123456000, time.UTC)

// Clock is a clock that stands still until the test moves it.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at Start.
func NewClock() *Clock { return &Clock{now: Start} }

// Now returns the time the clock stands at.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Move moves the clock on.
func (c *Clock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Set sets the clock.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// Secret is the key-encryption secret of test stores.
var Secret = []byte("a secret of 32 bytes for testing")

// Config returns the configuration of a store in a new directory, with an empty
// database and a soft key that signs checkpoints.
func Config(t testing.TB) store.Config {
	t.Helper()
	cfg := config(t)
	empty, err := migrated()
	if err == nil {
		err = os.WriteFile(filepath.Join(cfg.Dir, databaseFile), empty, 0o600)
	}
	if err != nil {
		t.Fatalf("make an empty database: %v", err)
	}
	return cfg
}

func config(t testing.TB) store.Config {
	t.Helper()
	key, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return store.Config{Dir: t.TempDir(), Now: NewClock().Now, Secret: Secret, LogSigner: key}
}

const databaseFile = "elicense.db" // in a store's directory

// migrated is an empty database with all tables: every test has a copy of one that
// is made once, as making it is most of what a small test costs.
var migrated = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "elicense-empty")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := store.Migrate(context.Background(), store.Config{Dir: dir}); err != nil {
		return nil, err
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		return nil, fmt.Errorf("beside the database there are %v, %w", left, err)
	}
	return os.ReadFile(filepath.Join(dir, databaseFile))
})

// Open opens a store that is closed at the end of the test.
func Open(t testing.TB, cfg store.Config) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), cfg)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return db
}

// New returns an empty store on SQLite whose clock stands at Start.
func New(t testing.TB) *store.DB {
	t.Helper()
	return Open(t, Config(t))
}

// NewAt returns an empty store on SQLite with a clock the test moves.
func NewAt(t testing.TB, clock *Clock) *store.DB {
	t.Helper()
	cfg := Config(t)
	cfg.Now = clock.Now
	return Open(t, cfg)
}

// Each runs a test on every engine: SQLite always, PostgreSQL in the database
// PostgresVariable names, in a schema of the test's own. cfg is complete; the
// test opens it, as often as it likes. Without PostgreSQL its part
// fails in CI, and is left out with a line in the log elsewhere.
func Each(t *testing.T, run func(t *testing.T, cfg store.Config)) {
	t.Run("sqlite", func(t *testing.T) { run(t, Config(t)) })
	OnPostgres(t, run)
}

// OnPostgres runs a test of what only PostgreSQL can do, as Each runs its part.
func OnPostgres(t *testing.T, run func(t *testing.T, cfg store.Config)) {
	t.Helper()
	address := os.Getenv(PostgresVariable)
	if address == "" {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not set: the tests on PostgreSQL can not run", PostgresVariable)
		}
		t.Logf("%s is not set: on SQLite only", PostgresVariable)
		return
	}
	t.Run("postgres", func(t *testing.T) {
		cfg := config(t)
		cfg.URL = NewSchema(t, address)
		run(t, cfg)
	})
}
