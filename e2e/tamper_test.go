package e2e

import (
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

// tamper is something done behind the platform's back, and what fsck must say
// of it: a kind of finding and the thing's identifier.
type tamper struct {
	name string
	do   func(t *testing.T, data string, db *sql.DB) (kind, where string)
}

func one(t *testing.T, db *sql.DB, query string, dest ...any) {
	t.Helper()
	if err := db.QueryRow(query).Scan(dest...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func change(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	r, err := db.Exec(query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if n, _ := r.RowsAffected(); n != 1 {
		t.Fatalf("%s changed %d rows", query, n)
	}
}

var tampers = []tamper{
	{"one record is rewritten", func(t *testing.T, _ string, db *sql.DB) (string, string) {
		var id string
		var b []byte
		one(t, db, `SELECT id, bytes FROM record WHERE idx = 700`, &id, &b)
		change(t, db, `UPDATE record SET bytes = ? WHERE id = ?`, []byte(strings.Replace(string(b), `"outcome":"done"`, `"outcome":"fine"`, 1)), id)
		return "record", id
	}},
	{"one record is deleted", func(t *testing.T, _ string, db *sql.DB) (string, string) {
		var id string
		one(t, db, `SELECT id FROM record WHERE idx = 800`, &id)
		change(t, db, `DELETE FROM record WHERE id = ?`, id)
		return "record", "800"
	}},
	{"one event is changed into another", func(t *testing.T, _ string, db *sql.DB) (string, string) {
		var id string
		one(t, db, `SELECT license FROM license_event WHERE kind = 'revoke'`, &id)
		change(t, db, `UPDATE license_event SET kind = 'suspend' WHERE kind = 'revoke'`)
		return "event", id
	}},
	{"one event is deleted", func(t *testing.T, _ string, db *sql.DB) (string, string) {
		var id string
		one(t, db, `SELECT license FROM license_event WHERE kind = 'seal-up'`, &id)
		change(t, db, `DELETE FROM license_event WHERE kind = 'seal-up'`)
		return "license", id
	}},
	{"one revoked license is made valid", func(t *testing.T, _ string, db *sql.DB) (string, string) {
		var id string
		one(t, db, `SELECT id FROM license WHERE state = 'revoked'`, &id)
		change(t, db, `UPDATE license SET state = 'published' WHERE id = ?`, id)
		return "license", id
	}},
	{"the contents of two licenses are exchanged", func(t *testing.T, _ string, db *sql.DB) (string, string) {
		var a, b string
		var ca, cb []byte
		one(t, db, `SELECT license, content_enc FROM license_version WHERE file <> '' ORDER BY license LIMIT 1`, &a, &ca)
		one(t, db, `SELECT license, content_enc FROM license_version WHERE file <> '' ORDER BY license DESC LIMIT 1`, &b, &cb)
		change(t, db, `UPDATE license_version SET content_enc = ? WHERE license = ?`, cb, a)
		change(t, db, `UPDATE license_version SET content_enc = ? WHERE license = ?`, ca, b)
		return "version", a
	}},
	{"one stored file is changed", func(t *testing.T, data string, db *sql.DB) (string, string) {
		var name string
		one(t, db, `SELECT file FROM license_version WHERE file <> '' LIMIT 1`, &name)
		path := storedFile(t, data, name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return "file", name
	}},
	{"one stored file is deleted", func(t *testing.T, data string, db *sql.DB) (string, string) {
		var name string
		one(t, db, `SELECT file FROM license_version WHERE file <> '' ORDER BY file DESC LIMIT 1`, &name)
		if err := os.Remove(storedFile(t, data, name)); err != nil {
			t.Fatal(err)
		}
		return "file", name
	}},
	{"someone is given a duty", func(t *testing.T, _ string, db *sql.DB) (string, string) {
		var id string
		one(t, db, `SELECT id FROM account WHERE login = 'window-gl'`, &id)
		change(t, db, `INSERT INTO duty (account, duty, since) VALUES (?, 'audit', 1)`, id)
		return "account", id
	}},
	{"a matter's list names another field", func(t *testing.T, _ string, db *sql.DB) (string, string) {
		change(t, db, `UPDATE matter SET content = CAST(replace(CAST(content AS TEXT), 'entity_type', 'capital') AS BLOB) WHERE code = 'M04'`)
		return "matter", "M04"
	}},
	{"a type is published again", func(t *testing.T, _ string, db *sql.DB) (string, string) {
		var code string
		one(t, db, `SELECT code FROM license_type WHERE state = 'retired'`, &code)
		change(t, db, `UPDATE license_type SET state = 'published' WHERE code = ?`, code)
		return "type", code
	}},
	{"a code leads to another holder", func(t *testing.T, _ string, db *sql.DB) (string, string) {
		var a, b string
		one(t, db, `SELECT holder_key FROM holder_code ORDER BY holder_key LIMIT 1`, &a)
		one(t, db, `SELECT holder_key FROM holder_code ORDER BY holder_key DESC LIMIT 1`, &b)
		change(t, db, `UPDATE holder_code SET holder_key = ? WHERE holder_key = ?`, b, a)
		var id string
		one(t, db, `SELECT license FROM license_holder WHERE holder_key = '`+a+`' LIMIT 1`, &id)
		return "license", id
	}},
	{"a seal is enabled again under another unit", func(t *testing.T, _ string, db *sql.DB) (string, string) {
		var id string
		one(t, db, `SELECT id FROM seal WHERE unit <> '11350102FJDEM0275F' ORDER BY id LIMIT 1`, &id)
		change(t, db, `UPDATE seal SET unit = '11350102FJDEM0275F' WHERE id = ?`, id)
		return "seal", id
	}},
}

// storedFile finds a file of the store by its name.
func storedFile(t *testing.T, data, name string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(data, "files", "*", name+".bin"))
	if err != nil || len(found) != 1 {
		t.Fatalf("stored file %s: %v, %v", name, found, err)
	}
	return found[0]
}

// TestFsckNamesEachTampering changes one thing at a time behind the platform's
// back (Art. 17(1)).
func TestFsckNamesEachTampering(t *testing.T) {
	t.Parallel()
	fsckClean(t, freshData(t))
	for _, x := range tampers {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			data := freshData(t)
			db, err := sql.Open("sqlite", filepath.Join(data, "elicense.db"))
			if err != nil {
				t.Fatal(err)
			}
			kind, where := x.do(t, data, db)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(binary, "fsck", "--data", data).CombinedOutput()
			if err == nil {
				t.Fatalf("fsck found nothing:\n%s", out)
			}
			for line := range strings.Lines(string(out)) {
				if strings.HasPrefix(line, kind+" ") && strings.Contains(line, where) {
					return
				}
			}
			t.Errorf("fsck does not name %s %s:\n%s", kind, where, out)
		})
	}
}
