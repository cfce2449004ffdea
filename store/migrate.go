package store

import (
	"context"
	"database/sql"
	"embed"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"elicense"
	"elicense/gm"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema up to date, forward only. A schema that a newer
// program made is refused: this one would not keep its rules.
func migrate(ctx context.Context, dialect goose.Dialect, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	var options []goose.ProviderOption
	if dialect == goose.DialectPostgres {
		locker, err := migrationLock(ctx, db)
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(dialect, db, files, options...)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	current, newest, err := p.GetVersions(ctx)
	if err != nil {
		return translate(err)
	}
	if current > newest {
		return elicense.E(elicense.Conflict, "数据库结构版本为 %d，高于本程序支持的 %d", current, newest).
			Then("请使用不低于建库版本的程序")
	}
	if current == newest {
		return nil
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrations: %w", translate(err))
	}
	return nil
}

// Migrate makes the database of cfg, or brings it up to date, without opening it.
func Migrate(ctx context.Context, cfg Config) error {
	e, err := openEngine(ctx, cfg)
	if err != nil {
		return err
	}
	return e.close()
}

// Migrations tells one set of migrations from another: its digest, in hex.
func Migrations() (string, error) {
	var all []byte
	err := fs.WalkDir(migrations, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := migrations.ReadFile(path)
		all = fmt.Appendf(all, "%s %d\n%s", path, len(text), text)
		return err
	})
	sum := gm.Sum(all)
	return hex.EncodeToString(sum[:]), err
}

// migrationLock keeps processes that start at the same time from migrating the
// same schema side by side. Other schemas of the database do not wait.
func migrationLock(ctx context.Context, db *sql.DB) (lock.SessionLocker, error) {
	var schema string
	if err := db.QueryRowContext(ctx, "SELECT current_schema()").Scan(&schema); err != nil {
		return nil, translate(err)
	}
	sum := gm.Sum([]byte("elicense migration " + schema))
	id := int64(binary.BigEndian.Uint64(sum[:8]) >> 1)
	return lock.NewPostgresSessionLocker(lock.WithLockID(id), lock.WithLockTimeout(1, 300))
}
