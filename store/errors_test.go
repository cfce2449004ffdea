package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	sqlite3 "modernc.org/sqlite/lib"

	"elicense"
)

func TestKinds(t *testing.T) {
	for state, want := range map[string]elicense.Kind{
		"23505": elicense.Conflict,    // unique_violation
		"23503": elicense.Conflict,    // foreign_key_violation
		"23502": elicense.Internal,    // not_null_violation
		"40001": elicense.Unavailable, // serialization_failure
		"40P01": elicense.Unavailable, // deadlock_detected
		"53100": elicense.Unavailable, // disk_full
		"53300": elicense.Unavailable, // too_many_connections
		"57P01": elicense.Unavailable, // admin_shutdown
		"08006": elicense.Unavailable, // connection_failure
		"42P01": elicense.Internal,    // undefined_table
	} {
		err := translate(fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: state}))
		if got := elicense.KindOf(err); got != want {
			t.Errorf("SQLSTATE %s is %v, want %v", state, got, want)
		}
	}
	for code, want := range map[int]elicense.Kind{
		sqlite3.SQLITE_CONSTRAINT_UNIQUE:     elicense.Conflict,
		sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: elicense.Conflict,
		sqlite3.SQLITE_CONSTRAINT_NOTNULL:    elicense.Internal,
		sqlite3.SQLITE_FULL:                  elicense.Unavailable,
		sqlite3.SQLITE_BUSY_SNAPSHOT:         elicense.Unavailable,
		sqlite3.SQLITE_IOERR_FSYNC:           elicense.Unavailable,
		sqlite3.SQLITE_ERROR:                 elicense.Internal,
	} {
		if got := kindOfSQLite(code); got != want {
			t.Errorf("SQLite code %d is %v, want %v", code, got, want)
		}
	}
	for _, err := range []error{driver.ErrBadConn, io.ErrUnexpectedEOF, context.DeadlineExceeded, sql.ErrConnDone} {
		if got := translate(err); !elicense.IsKind(got, elicense.Unavailable) || !errors.Is(got, err) {
			t.Errorf("%v is %v", err, got)
		}
	}
	if !errors.Is(translate(sql.ErrNoRows), ErrNoRow) || !elicense.IsKind(ErrNoRow, elicense.NotFound) {
		t.Error("no row is not ErrNoRow")
	}
}

func TestPlaceholders(t *testing.T) {
	for q, ok := range map[string]bool{
		"SELECT $1, $2, $1, $3":        true,
		"SELECT '$9', $1":              true,
		"SELECT 'it''s $9', $1":        true,
		"SELECT $2, $1":                false,
		"SELECT $1, $3":                false,
		"SELECT $x":                    false,
		"INSERT INTO t VALUES (?, ?)":  true,
		"SELECT $1, $2 WHERE a = '$3'": true,
	} {
		if err := checkPlaceholders(q); (err == nil) != ok {
			t.Errorf("%s: %v", q, err)
		}
	}
}
