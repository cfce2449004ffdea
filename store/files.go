package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"elicense"
	"elicense/gm"
)

// MaxFile bounds the plain size of a stored file.
const MaxFile = 64 << 20

// Files keeps sealed files under names that never change their content. A file
// is SM4-GCM under a data key, bound to its name, and stands durable on the disk
// when Put returns. A name is any text up to 120 bytes.
type Files struct {
	dir  string
	db   *DB
	puts [64]sync.Mutex // by name: no two Puts of one name at a time
}

func openFiles(dir string, db *DB) (*Files, error) {
	temp := filepath.Join(dir, "tmp")
	if err := os.RemoveAll(temp); err != nil { // left by a stop in the middle of Put
		return nil, unavailable(err)
	}
	if err := os.MkdirAll(temp, 0o700); err != nil {
		return nil, unavailable(err)
	}
	return &Files{dir: dir, db: db}, nil
}

// path spreads files over 256 folders by the digest of the name, which stands
// escaped in the file's own name.
func (f *Files) path(name string) (string, error) {
	if name == "" || len(name) > 120 {
		return "", elicense.E(elicense.Invalid, "文件名为空或过长").At("name")
	}
	name, _, _ = strings.Cut(name, "#") // parts of a pack are where it is
	sum := gm.Sum([]byte(name))
	// PathEscape leaves dots; the suffix keeps "." and ".." from being folders.
	return filepath.Join(f.dir, fmt.Sprintf("%02x", sum[:1]), url.PathEscape(name)+".bin"), nil
}

// Put stores plain under name and returns its SM3 digest. The same content again
// is fine; another content under the same name is Conflict.
func (f *Files) Put(ctx context.Context, name string, plain []byte) ([]byte, error) {
	path, err := f.path(name)
	if err != nil {
		return nil, err
	}
	if strings.Contains(name, "#") {
		return nil, elicense.E(elicense.Invalid, "文件名里不能有#").At("name")
	}
	if len(plain) > MaxFile {
		return nil, elicense.E(elicense.TooLarge, "文件超过 64 MB 上限")
	}
	if err := f.db.usable(ctx); err != nil {
		return nil, err
	}
	sum := gm.Sum(plain)
	lock := &f.puts[gm.Sum([]byte(name))[1]%64]
	lock.Lock()
	defer lock.Unlock()
	switch old, err := f.read(name, path); {
	case elicense.IsKind(err, elicense.NotFound):
	case err != nil:
		return nil, err
	case bytes.Equal(old, plain):
		return sum[:], nil
	default:
		return nil, elicense.E(elicense.Conflict, "同名文件已存在且内容不同").Because(errors.New(name))
	}
	sealed := f.db.Encrypt("file", name, "content", plain)
	if err := f.write(path, func(t *os.File) error { _, err := t.Write(sealed); return err }); err != nil {
		return nil, unavailable(err)
	}
	return sum[:], nil
}

// write makes the file appear whole: temporary file, sync, rename, sync of the
// folder.
func (f *Files) write(path string, content func(*os.File) error) (err error) {
	t, err := os.CreateTemp(filepath.Join(f.dir, "tmp"), "put-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(t.Name()))
		}
	}()
	if err = content(t); err == nil {
		err = t.Sync()
	}
	if err = errors.Join(err, t.Close()); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	CrashPoint("files.written")
	if err := os.Rename(t.Name(), path); err != nil {
		return err
	}
	CrashPoint("files.renamed")
	return errors.Join(syncDir(filepath.Dir(path)), syncDir(f.dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Get returns the content of name, which must have the SM3 digest the caller
// kept. A file that is gone is NotFound; a changed one wraps ErrTampered.
func (f *Files) Get(ctx context.Context, name string, digest []byte) ([]byte, error) {
	path, err := f.path(name)
	if err != nil {
		return nil, err
	}
	if err := f.db.usable(ctx); err != nil {
		return nil, err
	}
	plain, err := f.read(name, path)
	if err != nil {
		return nil, err
	}
	if sum := gm.Sum(plain); !bytes.Equal(sum[:], digest) {
		return nil, tampered("file "+name, errors.New("its digest is another one"))
	}
	return plain, nil
}

func (f *Files) read(name, path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, elicense.E(elicense.NotFound, "文件不存在").Because(err)
	}
	if err != nil {
		return nil, unavailable(err)
	}
	if info.Size() > MaxFile+256 {
		return nil, tampered("file "+name, errors.New("it is too large"))
	}
	var sealed []byte
	if strings.Contains(name, "#") {
		sealed, err = readPart(path, name)
	} else {
		sealed, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, unavailable(err)
	}
	return f.db.Decrypt("file", name, "content", sealed)
}

// List returns the names of all files, sorted, for a check of the whole store.
func (f *Files) List(ctx context.Context) ([]string, error) {
	var names []string
	err := filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "tmp" {
				return fs.SkipDir
			}
			return ctx.Err()
		}
		name, bad := url.PathUnescape(d.Name()[:max(0, len(d.Name())-len(".bin"))])
		if want, err := f.path(name); bad != nil || err != nil || want != path {
			name = "?" + d.Name() // no file of ours: Get will not find it
		}
		if strings.HasSuffix(name, packEnd) {
			names = append(names, partNames(path, name)...)
			return nil
		}
		names = append(names, name)
		return nil
	})
	if err != nil {
		return nil, unavailable(err)
	}
	sort.Strings(names)
	return names, nil
}
