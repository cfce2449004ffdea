package store

import (
	"context"

	"elicense/gm"
)

// Find returns the content stored under name and its SM3 digest, for a writer
// that was stopped after Put and before it could note the digest. NotFound if
// nothing is stored.
func (f *Files) Find(_ context.Context, name string) (plain, digest []byte, err error) {
	path, err := f.path(name)
	if err != nil {
		return nil, nil, err
	}
	if plain, err = f.read(name, path); err != nil {
		return nil, nil, err
	}
	d := gm.Sum(plain)
	return plain, d[:], nil
}

// EachID calls f with every id of a table whose primary key is id, a page at a
// time, in order. table is a name of this program, never input.
func EachID(tx *Tx, table string, f func(id string) error) error {
	after := ""
	for {
		rows, err := tx.Query(`SELECT id FROM `+table+` WHERE id > $1 ORDER BY id LIMIT 500`, after)
		if err != nil || rows.Len() == 0 {
			return err
		}
		for rows.Next() {
			if err := rows.Scan(&after); err != nil {
				return err
			}
			if err := f(after); err != nil {
				return err
			}
		}
	}
}

// Alone tells whether this process is the only one that works on the database:
// on SQLite, whose data directory it has locked.
func (db *DB) Alone() bool { return !db.engine.shared() }
