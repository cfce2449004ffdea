package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"elicense"
	"elicense/gm"
	"elicense/store"
	"elicense/store/storetest"
)

func wantTampered(t testing.TB, what string, err error, names ...string) {
	t.Helper()
	if !errors.Is(err, store.ErrTampered) || !elicense.IsKind(err, elicense.Unavailable) {
		t.Errorf("%s: %v, want ErrTampered", what, err)
		return
	}
	for _, n := range names {
		if !strings.Contains(err.Error(), n) {
			t.Errorf("%s: %v does not name %s", what, err, n)
		}
	}
}

func TestEncryption(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		plain := []byte("350102199001011234")
		sealed := db.Encrypt("holder", "h1", "code", plain)
		if bytes.Contains(sealed, plain) || bytes.Equal(sealed, db.Encrypt("holder", "h1", "code", plain)) {
			t.Error("the cipher text shows the plain text, or is the same twice")
		}
		got, err := db.Decrypt("holder", "h1", "code", sealed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("Decrypt = %q, %v", got, err)
		}
		for _, place := range [][3]string{{"holder", "h2", "code"}, {"holder", "h1", "name"}, {"license", "h1", "code"}, {"holderh", "1", "code"}} {
			_, err := db.Decrypt(place[0], place[1], place[2], sealed)
			wantTampered(t, fmt.Sprintf("moved to %v", place), err, place[0], place[1], place[2])
		}
		for i := range sealed {
			bad := slices.Clone(sealed)
			bad[i] ^= 1
			_, err := db.Decrypt("holder", "h1", "code", bad)
			wantTampered(t, fmt.Sprintf("byte %d changed", i), err)
		}
		for n := range sealed {
			_, err := db.Decrypt("holder", "h1", "code", sealed[:n])
			wantTampered(t, fmt.Sprintf("cut to %d", n), err)
		}

		old := db.Index("id-card", string(plain))
		if !bytes.Equal(old, db.Index("id-card", string(plain))) || bytes.Equal(old, db.Index("credit-code", string(plain))) {
			t.Error("an index is not the same twice, or the same for two kinds")
		}
		code := db.MAC("license", "L1", []byte("in force"))
		if err := db.RotateKeys(ctx); err != nil {
			t.Fatal(err)
		}
		if got, err := db.Decrypt("holder", "h1", "code", sealed); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("Decrypt after rotation = %q, %v", got, err)
		}
		if err := db.CheckMAC(code, "license", "L1", []byte("in force")); err != nil {
			t.Errorf("CheckMAC after rotation: %v", err)
		}
		if all := db.Indexes("id-card", string(plain)); len(all) != 2 || bytes.Equal(all[0], old) || !bytes.Equal(all[1], old) {
			t.Errorf("%d indexes after rotation", len(all))
		}
	})
}

func TestMACNamesTheRow(t *testing.T) {
	db := storetest.New(t)
	update(t, db, func(tx *store.Tx) error {
		code := db.MAC("license", "L1", []byte("in"), []byte("force"))
		if err := tx.CheckMAC(code, "license", "L1", []byte("in"), []byte("force")); err != nil {
			t.Error(err)
		}
		wantTampered(t, "another state", tx.CheckMAC(code, "license", "L1", []byte("revoked")), "license L1")
		wantTampered(t, "another row", tx.CheckMAC(code, "license", "L2", []byte("in"), []byte("force")), "license L2")
		wantTampered(t, "parts cut elsewhere", tx.CheckMAC(code, "license", "L1", []byte("inf"), []byte("orce")), "license L1")
		wantTampered(t, "no code", tx.CheckMAC(nil, "license", "L1", []byte("in"), []byte("force")), "license L1")
		code[0] ^= 1
		wantTampered(t, "unknown key", tx.CheckMAC(code, "license", "L1", []byte("in"), []byte("force")), "license L1")
		return nil
	})
}

func TestOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		clock := storetest.NewClock()
		cfg.Now = clock.Now
		db := withTable(t, cfg)
		// request does its work at most once and answers how often it was done.
		request := func(scope, key, body string) (answer string, err error) {
			digest := gm.Sum([]byte(body))
			err = db.Update(ctx, func(tx *store.Tx) error {
				reply, err := tx.Once(scope, key, digest[:])
				if err != nil {
					return err
				}
				if reply != nil {
					answer = string(reply.Body)
					return nil
				}
				if _, err := tx.Exec("INSERT INTO thing (id, n) VALUES ($1, 1)", elicense.NewID[string](clock.Now())); err != nil {
					return err
				}
				var n int
				if err := tx.Row("SELECT COUNT(*) FROM thing").Scan(&n); err != nil {
					return err
				}
				answer = fmt.Sprintf("已办理 %d", n)
				return tx.Keep(scope, key, digest[:], []byte(answer))
			})
			return answer, err
		}
		want := func(scope, key, body, answer string) {
			t.Helper()
			if got, err := request(scope, key, body); err != nil || got != answer {
				t.Errorf("request %s %s = %q, %v, want %q", scope, key, got, err, answer)
			}
		}
		want("client", "k", "body", "已办理 1")
		want("client", "k", "body", "已办理 1")
		want("other", "k", "body", "已办理 2")
		want("clien", "tk", "body", "已办理 3")
		_, err := request("client", "k", "another body")
		wantKind(t, "another body", err, elicense.Conflict)

		var reply []byte
		view(t, db, func(tx *store.Tx) error {
			return tx.Row("SELECT reply FROM once WHERE scope = 'client' AND key = 'k'").Scan(&reply)
		})
		if bytes.Contains(reply, []byte("已办理")) {
			t.Error("the reply is kept in the clear")
		}

		clock.Move(store.OnceKept - time.Second)
		want("client", "k", "body", "已办理 1")
		clock.Move(time.Second)
		want("client", "k", "another body", "已办理 4")
		if n, err := db.Sweep(ctx); err != nil || n != 2 {
			t.Errorf("Sweep = %d, %v", n, err)
		}

		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() { want("client", "race", "body", "已办理 5") })
		}
		wg.Wait()
	})
}

func TestFiles(t *testing.T) {
	cfg := storetest.Config(t)
	db := storetest.Open(t, cfg)
	files := db.Files()
	plain := []byte("一份证照")
	digest, err := files.Put(ctx, "license/L1.ofd", plain)
	if err != nil {
		t.Fatal(err)
	}
	if sum := gm.Sum(plain); !bytes.Equal(digest, sum[:]) {
		t.Errorf("digest = %x", digest)
	}
	got, err := files.Get(ctx, "license/L1.ofd", digest)
	if err != nil || !bytes.Equal(got, plain) {
		t.Errorf("Get = %q, %v", got, err)
	}
	if _, err := files.Put(ctx, "license/L1.ofd", plain); err != nil {
		t.Errorf("the same again: %v", err)
	}
	_, err = files.Put(ctx, "license/L1.ofd", []byte("other"))
	wantKind(t, "another content", err, elicense.Conflict)
	_, err = files.Get(ctx, "none", digest)
	wantKind(t, "no file", err, elicense.NotFound)
	_, err = files.Get(ctx, "license/L1.ofd", make([]byte, 32))
	wantTampered(t, "another digest", err, "license/L1.ofd")
	for _, name := range []string{"", strings.Repeat("x", 121)} {
		_, err := files.Put(ctx, name, plain)
		wantKind(t, "bad name", err, elicense.Invalid)
	}
	_, err = files.Put(ctx, "large", make([]byte, store.MaxFile+1))
	wantKind(t, "too large", err, elicense.TooLarge)

	odd := []string{"..", ".", "../../x", "tmp", "空 格/%2F", "a\x00b"}
	for _, name := range odd {
		d, err := files.Put(ctx, name, []byte(name))
		if err != nil {
			t.Fatalf("Put %q: %v", name, err)
		}
		if got, err := files.Get(ctx, name, d); err != nil || string(got) != name {
			t.Errorf("Get %q = %q, %v", name, got, err)
		}
	}
	want := append([]string{"license/L1.ofd"}, odd...)
	sort.Strings(want)
	if names, err := files.List(ctx); err != nil || !slices.Equal(names, want) {
		t.Errorf("List = %q, %v, want %q", names, err, want)
	}

	path := find(t, filepath.Join(cfg.Dir, "files"), "L1.ofd")
	sealed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, plain) {
		t.Error("the file shows its content")
	}
	sealed[len(sealed)-1] ^= 1
	if err := os.WriteFile(path, sealed, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = files.Get(ctx, "license/L1.ofd", digest)
	wantTampered(t, "changed file", err, "license/L1.ofd")
	other, err := os.ReadFile(find(t, filepath.Join(cfg.Dir, "files"), "tmp.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, other, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = files.Get(ctx, "license/L1.ofd", digest)
	wantTampered(t, "another file in its place", err, "license/L1.ofd")

	if err := os.WriteFile(filepath.Join(cfg.Dir, "files", "stray"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	names, err := files.List(ctx)
	if err != nil || !slices.Contains(names, "?stray") {
		t.Errorf("List with a stray file = %q, %v", names, err)
	}
}

// find returns the file under dir whose name has part in it.
func find(t *testing.T, dir, part string) (path string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(filepath.Base(p), part) {
			path = p
		}
		return err
	})
	if err != nil || path == "" {
		t.Fatalf("no file %s: %v", part, err)
	}
	return path
}

func TestFilesInParallel(t *testing.T) {
	db := storetest.New(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 16 {
		wg.Go(func() {
			_, err := db.Files().Put(ctx, "one", []byte{byte(i)})
			if err != nil {
				wantKind(t, "the later one", err, elicense.Conflict)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			won++
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d contents were stored under one name", won)
	}
}

// schema returns, for each table, its columns with type and nullability, and its
// unique keys, in one form for both engines.
func schema(t *testing.T, db *store.DB, columns, keys string) (out []string) {
	t.Helper()
	view(t, db, func(tx *store.Tx) error {
		for prefix, q := range map[string]string{"column": columns, "unique": keys} {
			lines, err := store.All(tx, func(r *store.Rows) (string, error) {
				var table, what string
				err := r.Scan(&table, &what)
				return prefix + " " + table + ": " + what, err
			}, q)
			if err != nil {
				return err
			}
			out = append(out, lines...)
		}
		return nil
	})
	sort.Strings(out)
	return out
}

func TestSchemasAreTheSame(t *testing.T) {
	address := os.Getenv(storetest.PostgresVariable)
	if address == "" {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not set", storetest.PostgresVariable)
		}
		t.Skipf("%s is not set", storetest.PostgresVariable)
	}
	lite := schema(t, storetest.New(t), `
		SELECT m.name, c.name || ' ' || LOWER(c.type) || CASE WHEN c."notnull" <> 0 THEN ' not null' ELSE '' END
		FROM sqlite_master m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name <> 'goose_db_version'`, `
		SELECT m.name, (SELECT GROUP_CONCAT(name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno))
		FROM sqlite_master m, pragma_index_list(m.name) i
		WHERE m.type = 'table' AND i."unique" <> 0 AND m.name <> 'goose_db_version'`)
	cfg := storetest.Config(t)
	cfg.URL = storetest.NewSchema(t, address)
	big := schema(t, storetest.Open(t, cfg), `
		SELECT table_name::text, column_name || ' ' || data_type || CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END
		FROM information_schema.columns WHERE table_schema = current_schema() AND table_name <> 'goose_db_version'`, `
		SELECT t.relname::text, (SELECT STRING_AGG(a.attname, ',' ORDER BY k.at)
			FROM UNNEST(i.indkey::int[]) WITH ORDINALITY k(col, at) JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.col)
		FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
		WHERE i.indisunique AND t.relnamespace = current_schema()::regnamespace AND t.relname <> 'goose_db_version'`)
	for _, line := range lite {
		if !slices.Contains(big, line) {
			t.Errorf("on SQLite alone: %s", line)
		}
	}
	for _, line := range big {
		if !slices.Contains(lite, line) {
			t.Errorf("on PostgreSQL alone: %s", line)
		}
	}
	if len(lite) < 40 {
		t.Errorf("%d lines only: is the schema read?", len(lite))
	}
}

// TestCloseWaitsForReadings: a database that is closed while something is read is
// closed when that is done, and nothing is read after it.
func TestCloseWaitsForReadings(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		reading, read, closed := make(chan struct{}), make(chan error, 1), make(chan error, 1)
		go func() {
			read <- db.View(t.Context(), func(tx *store.Tx) error {
				close(reading)
				var n int
				for range 200 {
					if err := tx.Row(`SELECT COUNT(*) FROM record`).Scan(&n); err != nil {
						return err
					}
				}
				return nil
			})
		}()
		<-reading
		go func() { closed <- db.Close() }()
		if err := <-read; err != nil {
			t.Errorf("what was being read: %v", err)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if err := db.View(t.Context(), func(*store.Tx) error { return nil }); !elicense.IsKind(err, elicense.Unavailable) {
			t.Errorf("reading a closed database: %v", err)
		}
	})
}
