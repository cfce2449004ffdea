package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver makes and empties test schemas

	"elicense/store"
)

// NewSchema gives a test an empty schema of its own in the database at address, with
// the tables of this program, and returns the address of a database that has nothing
// but it.
//
// Making the tables takes half a second, most of what a small test costs, so a schema
// is emptied and used again, by any process: it belongs to whose session holds its
// lock. One whose tables are no longer as they were made is dropped, as is that of a
// test that failed. The account at address must be a superuser: rows are deleted in no
// particular order.
func NewSchema(t testing.TB, address string) string {
	t.Helper()
	digest, err := store.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	s, err := takeSchema(address, "test_"+digest[:16]+"_")
	if err != nil {
		t.Fatalf("make a test schema: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			err = s.drop()
		}
		if err := errors.Join(err, s.release()); err != nil {
			t.Errorf("give up the test schema: %v", err)
		}
	})
	return s.address
}

// schema is one that this process holds, by a session of its own.
type schema struct {
	session *sql.DB
	name    string
	address string
}

// takeSchema takes a free schema whose name begins so, or makes one.
func takeSchema(address, prefix string) (_ *schema, err error) {
	s := &schema{}
	if s.session, err = sql.Open("pgx", address); err != nil {
		return nil, err
	}
	s.session.SetMaxOpenConns(1)
	defer func() {
		if err != nil {
			s.session.Close()
		}
	}()
	free, err := s.list(`SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1) ORDER BY 1`, prefix)
	if err != nil {
		return nil, err
	}
	for _, s.name = range free {
		got, err := s.lock()
		if err != nil {
			return nil, err
		}
		if !got {
			continue
		}
		if s.empty() == nil {
			return s, s.addressed(address)
		}
		if err := errors.Join(s.drop(), s.unlock()); err != nil {
			return nil, err
		}
	}
	var raw [8]byte
	rand.Read(raw[:])
	s.name = prefix + hex.EncodeToString(raw[:])
	if err := s.addressed(address); err != nil {
		return nil, err
	}
	if got, err := s.lock(); err != nil || !got {
		return nil, fmt.Errorf("a schema of that name is in use: %w", err)
	}
	return s, s.make()
}

// addressed writes the address of the database with the schema.
func (s *schema) addressed(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	q := u.Query()
	q.Set("search_path", s.name)
	u.RawQuery = q.Encode()
	s.address = u.String()
	return nil
}

// lock takes the schema unless another session has it; the end of the session gives it
// up, however it comes.
func (s *schema) lock() (got bool, err error) {
	err = s.session.QueryRow(`SELECT pg_try_advisory_lock(hashtextextended($1, 0))`, s.name).Scan(&got)
	return got, err
}

func (s *schema) unlock() error {
	_, err := s.session.Exec(`SELECT pg_advisory_unlock(hashtextextended($1, 0))`, s.name)
	return err
}

// release gives it up at once; a session that is closed ends a little later.
func (s *schema) release() error { return errors.Join(s.unlock(), s.session.Close()) }

func (s *schema) drop() error {
	_, err := s.session.Exec("DROP SCHEMA IF EXISTS " + s.name + " CASCADE")
	return err
}

// make makes the tables, and keeps how they are as the schema's comment.
func (s *schema) make() error {
	if _, err := s.session.Exec("CREATE SCHEMA " + s.name); err != nil {
		return err
	}
	if err := store.Migrate(context.Background(), store.Config{URL: s.address}); err != nil {
		return errors.Join(err, s.drop())
	}
	made, err := s.shape()
	if err == nil {
		_, err = s.session.Exec("COMMENT ON SCHEMA " + s.name + " IS '" + strings.Join(made, " ") + "'")
	}
	if err != nil {
		return errors.Join(err, s.drop())
	}
	return nil
}

// shape lists the tables, each with a digest of its columns, indexes, constraints and
// triggers, and the migrations.
func (s *schema) shape() ([]string, error) {
	return s.list(`SELECT c.relname || '=' || md5(concat(
			(SELECT string_agg(concat_ws(' ', a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attisdropped, pg_get_expr(d.adbin, d.adrelid)), ',' ORDER BY a.attnum)
				FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = c.oid AND a.attnum > 0),
			(SELECT string_agg(replace(pg_get_indexdef(i.indexrelid), $1, ''), ',' ORDER BY i.indexrelid::regclass::text) FROM pg_index i WHERE i.indrelid = c.oid),
			(SELECT string_agg(k.conname::text || replace(pg_get_constraintdef(k.oid), $1, ''), ',' ORDER BY k.conname) FROM pg_constraint k WHERE k.conrelid = c.oid),
			(SELECT string_agg(g.tgname::text || g.tgenabled::text, ',' ORDER BY g.tgname) FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal)))
		FROM pg_class c WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
		UNION ALL SELECT 'goose=' || md5(string_agg(version_id || ' ' || is_applied, ',' ORDER BY version_id)) FROM `+s.name+`.goose_db_version ORDER BY 1`, s.name)
}

// empty drops what a test added and deletes all rows; an error says that the schema is
// no longer one to be used.
func (s *schema) empty() error {
	comment, err := s.list(`SELECT coalesce(obj_description($1::regnamespace), '')`, s.name)
	if err != nil {
		return err
	}
	made := map[string]string{} // by table
	for _, x := range strings.Fields(comment[0]) {
		table, _, _ := strings.Cut(x, "=")
		made[table] = x
	}
	now, err := s.shape()
	if err != nil {
		return err
	}
	var full []string
	for _, x := range now {
		table, _, _ := strings.Cut(x, "=")
		switch made[table] {
		case x:
			if !strings.HasPrefix(table, "goose") {
				full = append(full, fmt.Sprintf(`SELECT CASE WHEN pg_relation_size('%[1]s.%[2]s') < 1000000 THEN 'DELETE FROM %[1]s.%[2]s;' ELSE 'TRUNCATE %[1]s.%[2]s CASCADE;' END
					WHERE EXISTS (SELECT 1 FROM %[1]s.%[2]s)`, s.name, table))
			}
			delete(made, table)
		case "":
			if _, err := s.session.Exec("DROP TABLE " + s.name + "." + table + " CASCADE"); err != nil {
				return err
			}
		default:
			return fmt.Errorf("table %s is not as it was made", table)
		}
	}
	if len(made) > 0 || len(full) == 0 {
		return fmt.Errorf("of the tables are gone: %v", made)
	}
	deletions, err := s.list(strings.Join(full, " UNION ALL "))
	if err != nil {
		return err
	}
	_, err = s.session.Exec("BEGIN; SET LOCAL session_replication_role = replica; " + strings.Join(deletions, " ") + " COMMIT")
	return err
}

// list reads the rows of one column.
func (s *schema) list(query string, args ...any) (list []string, err error) {
	rows, err := s.session.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var x string
		if err := rows.Scan(&x); err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	return list, rows.Err()
}
