package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"elicense"
)

// ErrNoRow says that a query for one row found none. Its kind is NotFound.
var ErrNoRow error = elicense.E(elicense.NotFound, "没有找到所查的内容")

// unavailable is the kind of what can not be known or done now.
func unavailable(cause error) error {
	return elicense.E(elicense.Unavailable, "数据库暂时不可用，请稍后再试").Because(cause)
}

// translate makes an elicense kind of a driver's error, by its code. An error
// without a kind is a fault in our SQL and stays internal.
func translate(err error) error {
	var ours *elicense.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ours):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return ErrNoRow
	}
	if kind := kindOf(err); kind == elicense.Conflict {
		return elicense.E(kind, "内容已经存在或与已有内容冲突").Because(err)
	} else if kind != elicense.Internal {
		return unavailable(err)
	}
	return err
}

func kindOf(err error) elicense.Kind {
	var lite *sqlite.Error
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &lite):
		return kindOfSQLite(lite.Code())
	case errors.As(err, &pg):
		return kindOfPostgres(pg.Code)
	case lostConnection(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return elicense.Unavailable
	}
	return elicense.Internal
}

func lostConnection(err error) bool {
	var refused *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &refused) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, sql.ErrConnDone) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func kindOfSQLite(code int) elicense.Kind {
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return elicense.Conflict
	}
	switch code & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
		sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL:
		return elicense.Unavailable
	}
	return elicense.Internal
}

// losesTransaction tells whether SQLite has, or may have, rolled back the whole
// transaction with the statement, so that savepoints are gone too.
func losesTransaction(err error) bool {
	var lite *sqlite.Error
	if !errors.As(err, &lite) {
		return false
	}
	switch lite.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT,
		sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CORRUPT:
		return true
	}
	return false
}

// refusesWriting tells whether SQLite refused to write on a connection that reads.
func refusesWriting(err error) bool {
	var lite *sqlite.Error
	return errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_READONLY
}

// kindOfPostgres goes by SQLSTATE and its class.
func kindOfPostgres(state string) elicense.Kind {
	switch state {
	case "23505", "23503", "23P01": // unique, foreign key, exclusion
		return elicense.Conflict
	case "40001", "40P01", "55P03", "57014": // serialization, deadlock, lock not to be had, canceled
		return elicense.Unavailable
	}
	for _, class := range []string{"08", "53", "57", "58"} { // connection, resources, operator, system
		if strings.HasPrefix(state, class) {
			return elicense.Unavailable
		}
	}
	return elicense.Internal
}

// retryable tells whether PostgreSQL undid the transaction for the sake of
// another one, so that running it again may succeed.
func retryable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}
