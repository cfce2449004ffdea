package storetest

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSchemasAreGivenEmpty: whatever the test before did to it, a schema has no rows
// and the tables as they are made.
func TestSchemasAreGivenEmpty(t *testing.T) {
	address := os.Getenv(PostgresVariable)
	if address == "" {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not set", PostgresVariable)
		}
		t.Skipf("%s is not set", PostgresVariable)
	}
	prefix := "storetest_" + strconv.FormatInt(time.Now().UnixNano(), 36) + "_" // no other process takes these
	take := func() *schema {
		s, err := takeSchema(address, prefix)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.session.Close() })
		return s
	}
	first := take()
	made, err := first.shape()
	if err != nil || len(made) < 40 {
		t.Fatalf("%d tables, %v", len(made), err)
	}
	other := take()
	if other.name == first.name {
		t.Fatal("two have the same schema")
	}
	if err := errors.Join(other.drop(), other.release()); err != nil {
		t.Fatal(err)
	}
	s := first
	for _, x := range []struct {
		does string
		sql  string
		kept bool
	}{
		{"rows", "INSERT INTO %.refusal_count (day, account, rule, unit, n) VALUES ('a', 'b', 'c', 'd', 1)", true},
		{"a table", "CREATE TABLE %.thing (id TEXT)", true},
		{"an index less", "DROP INDEX %.kit_number_serial", false},
		{"another version", "UPDATE %.goose_db_version SET version_id = 9999 WHERE version_id = 1", false},
	} {
		if _, err := s.session.Exec(inSchema(s, x.sql)); err != nil {
			t.Fatalf("%s: %v", x.does, err)
		}
		if err := s.release(); err != nil {
			t.Fatal(err)
		}
		left := s.name
		s = take()
		if now, err := s.shape(); err != nil || !slices.Equal(now, made) {
			t.Errorf("after %s the tables are %v, %v", x.does, now, err)
		}
		if n, err := s.list(inSchema(s, "SELECT count(*)::text FROM %.refusal_count")); err != nil || n[0] != "0" {
			t.Errorf("after %s there are %v rows, %v", x.does, n, err)
		}
		there, err := s.list("SELECT nspname FROM pg_namespace WHERE nspname = $1", left)
		if err != nil || (len(there) == 1) != x.kept {
			t.Errorf("after %s the schema is %v, %v", x.does, there, err)
		}
	}
	if err := s.drop(); err != nil {
		t.Error(err)
	}
}

func inSchema(s *schema, sql string) string { return strings.ReplaceAll(sql, "%", s.name) }
