package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"elicense"
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
		locker, err := lock.NewPostgresSessionLocker()
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
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrations: %w", translate(err))
	}
	return nil
}
