package references

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"elicense"
	"elicense/catalog"
	"elicense/gm"
	"elicense/jobs"
	"elicense/store"
)

// A source of files has a directory of its own, named by its ID. It writes a file
// under any name, and when that is whole, a second one with its Manifest under the
// same name and .sign; a file without one is not touched. What was taken goes into
// taken/, what is not believed into refused/; the rows that did not stand are written
// beside the file, under its name with .errors before the ending.

const (
	dropJob = "reference-files"
	every   = time.Minute
	settled = 10 * time.Second // what did not change for so long is not being written any more

	signSuffix = ".sign"
	takenDir   = "taken"
	refusedDir = "refused"

	statementSuffix = ".statement.json"
)

// Manifest is what a source says of a file it dropped.
type Manifest struct {
	Digest    string `json:"digest"`    // SM3 of the file, hexadecimal
	Signature string `json:"signature"` // SM2 over the lines of manifestText, DER, base64
}

func manifestText(source, name, digest string) []byte {
	return []byte(strings.Join([]string{"elicense-file-1", source, name, digest}, "\n"))
}

// SignFile makes the manifest of a file as its source does.
func SignFile(key gm.Signer, source, name string, data []byte) ([]byte, error) {
	digest := hexDigest(gm.Sum(data))
	der, err := key.SignSM2(manifestText(source, name, digest))
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return json.Marshal(Manifest{digest, base64.StdEncoding.EncodeToString(der)})
}

// stamp is how a file and its manifest stood when they were looked at.
type stamp struct {
	size, manifest   int64
	written, renewed time.Time
}

// waiting are files that were looked at while they or their manifests may still have
// been written, by source and name.
type waiting struct {
	mu   sync.Mutex
	seen map[string]map[string]sighting
}

type sighting struct {
	stamp
	since time.Time // when it stood so first
}

// changing tells whether a file changed lately, and remembers how it stands now.
func (w *waiting) changing(source, name string, is stamp, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen[source] == nil {
		w.seen[source] = map[string]sighting{}
	}
	was, known := w.seen[source][name]
	if !known || was.stamp != is || was.since.After(now) {
		w.seen[source][name] = sighting{is, now}
		return true
	}
	return now.Sub(was.since) < settled
}

// forget keeps only the sightings of these files.
func (w *waiting) forget(source string, but map[string]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name := range w.seen[source] {
		if !but[name] {
			delete(w.seen[source], name)
		}
	}
}

// errNotWhole says that a file's manifest can't be read, or speaks of other bytes: it,
// or the file, may not be written to its end.
var errNotWhole = elicense.E(elicense.Invalid, "签名文件不是规定的格式，或和文件不是一份").At("file").Under("第十四条").Then("请来源系统把文件和签名文件重新写完整")

// errNotSigned says that a file is not what its source signed.
var errNotSigned = elicense.E(elicense.Invalid, "文件的签名不对").At("file").Under("第十四条").Then("请来源系统用登记的密钥重新签名")

// look takes the files of a source; its job.
func (r *References) look(ctx context.Context, payload []byte) error {
	id := string(payload)
	var s *Source
	var types []*catalog.Type
	err := r.DB.View(ctx, func(tx *store.Tx) (err error) {
		if s, err = sourceOf(tx, id); err != nil {
			return err
		}
		types, err = s.catalog(tx)
		return err
	})
	if err != nil {
		return err
	}
	after := every
	if s.State == Live && r.Dir != "" {
		left, err := r.files(ctx, s, types)
		if err != nil {
			return err
		}
		if len(left) > 0 {
			after = settled
		}
		r.waiting.forget(s.ID, left)
	}
	return r.again(ctx, id, after)
}

// again has the job run once more after a while, if its source is still live.
func (r *References) again(ctx context.Context, id string, after time.Duration) error {
	return r.DB.Update(ctx, func(tx *store.Tx) error {
		s, err := sourceOf(tx, id)
		if err != nil {
			return err
		}
		if s.State == Live {
			if err := s.watch(tx, after); err != nil {
				return err
			}
		}
		return jobs.Done(tx, jobs.Current(ctx))
	})
}

// catalog returns the types the source returns as they are now.
func (s *Source) catalog(tx *store.Tx) (types []*catalog.Type, err error) {
	for _, x := range s.Types {
		t, err := catalog.Current(tx, x.Type)
		if err != nil {
			return nil, err
		}
		types = append(types, t)
	}
	return types, nil
}

// files takes the files that are whole, in the order of their names, and returns those
// it left for a later look.
func (r *References) files(ctx context.Context, s *Source, types []*catalog.Type) (left map[string]bool, err error) {
	dir := filepath.Join(r.Dir, s.ID)
	for _, sub := range []string{takenDir, refusedDir} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("directory of %s: %w", s.ID, err)
		}
	}
	root, err := os.OpenRoot(dir) // a link that leads out of it is not followed
	if err != nil {
		return nil, fmt.Errorf("directory of %s: %w", s.ID, err)
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("directory of %s: %w", s.ID, err)
	}
	left = map[string]bool{}
	for _, e := range entries {
		name, signed := strings.CutSuffix(e.Name(), signSuffix)
		if !signed || !e.Type().IsRegular() {
			continue
		}
		switch err := r.file(ctx, root, s, types, name); {
		case errors.Is(err, errChanging):
			left[name] = true
		case err != nil:
			return nil, err
		}
	}
	return left, nil
}

// errChanging says that a file is looked at again.
var errChanging = errors.New("may still be written")

// file takes one file, and puts it and its manifest away. Stopped anywhere, it is
// taken again: the delivery is known by name and digest, and what is written beside the file
// comes from it.
//
// Errors: errChanging for one that may still be written.
func (r *References) file(ctx context.Context, root *os.Root, s *Source, types []*catalog.Type, name string) error {
	is, unseen := stampOf(root, name) // before it is read: what is written meanwhile changes it
	data, err := readAll(root, name, MaxFile)
	if errors.Is(err, fs.ErrNotExist) && put(root, name) {
		return root.Remove(name + signSuffix) // it was put away, and we were stopped before its manifest was
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // its manifest came first
	}
	var manifest []byte
	if err == nil {
		manifest, err = readAll(root, name+signSuffix, 64<<10)
	}
	if err == nil {
		err = unseen
	}
	if err != nil { // a link that leads elsewhere, or not ours to read: it stops no other
		r.Log.WarnContext(ctx, "file of a source", "source", s.ID, "err", err)
		return nil
	}
	digest := hexDigest(gm.Sum(data))
	// Known by name and content, as it was signed: the same rows under another name are
	// said again, at another time.
	d := &Delivery{Way: ByFile, Batch: hexDigest(gm.Sum(manifestText(s.ID, name, digest))), digest: digest, Name: name}
	done, err := r.believed(ctx, s, types, d, data, manifest)
	if errors.Is(err, errNotWhole) && r.waiting.changing(s.ID, name, is, r.Now()) {
		return errChanging
	}
	var e *elicense.Error
	if errors.As(err, &e) && (e.Kind == elicense.Invalid || e.Kind == elicense.TooLarge) {
		if errors.Is(err, errNotSigned) || errors.Is(err, errNotWhole) {
			// Somebody else may have written it: the file that is truly the source's
			// may still come with these bytes.
			d.Batch = "refused/" + d.Batch + "/" + hexDigest(gm.Sum(manifest))[:16]
		}
		if done, err = r.refuse(ctx, s.ID, d, err); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return r.away(root, name, digest, done)
}

func stampOf(root *os.Root, name string) (is stamp, err error) {
	file, err := root.Stat(name)
	if err != nil {
		return is, err
	}
	manifest, err := root.Stat(name + signSuffix)
	if err != nil {
		return is, err
	}
	return stamp{file.Size(), manifest.Size(), file.ModTime(), manifest.ModTime()}, nil
}

func put(root *os.Root, name string) bool {
	for _, dir := range []string{takenDir, refusedDir} {
		list, err := fs.ReadDir(root.FS(), dir)
		if err == nil && slices.ContainsFunc(list, func(e fs.DirEntry) bool { return strings.HasSuffix(e.Name(), "-"+name) }) {
			return true
		}
	}
	return false
}

// believed checks the manifest and takes the rows, or the statement, of a file.
func (r *References) believed(ctx context.Context, s *Source, types []*catalog.Type, d *Delivery, data, manifest []byte) (*Delivery, error) {
	var m Manifest
	key, err := s.publicKey()
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(manifest, &m); err != nil || m.Digest != d.digest {
		return nil, errNotWhole
	}
	der, err := base64.StdEncoding.DecodeString(m.Signature)
	if err != nil || !gm.Verify(key, manifestText(s.ID, d.Name, m.Digest), der) {
		return nil, errNotSigned
	}
	if strings.HasSuffix(d.Name, statementSuffix) {
		var st Statement
		if err := strictJSON(data, &st); err != nil {
			return nil, unreadable("对账单的格式不对")
		}
		return r.take(ctx, s.ID, d, nil, func(tx *store.Tx, s *Source) error { return s.reconcile(tx, &st) })
	}
	p, err := readFile(d.Name, data, types)
	if err != nil {
		return nil, err
	}
	d.Form, d.Head = p.form, p.head
	return r.take(ctx, s.ID, d, p.lines, nil)
}

func strictJSON(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one value")
	}
	return nil
}

// away writes the rows that did not stand beside the file and puts it where it is not
// looked for again, the file before its manifest.
func (r *References) away(root *os.Root, name, digest string, d *Delivery) error {
	to := takenDir
	if d.State == Refused {
		to = refusedDir
		if err := writeFile(root, name+".errors.txt", []byte(d.Reason+"\n")); err != nil {
			return err
		}
	}
	if len(d.BadRows) > 0 {
		var b bytes.Buffer
		if err := writeBad(&b, d.Form, d.Head, d.BadRows); err != nil {
			return err
		}
		ext := path.Ext(name)
		if err := writeFile(root, strings.TrimSuffix(name, ext)+".errors"+ext, b.Bytes()); err != nil {
			return err
		}
	}
	place := to + "/" + digest[:8] + "-" + name
	if err := root.Rename(name, place); err != nil {
		return fmt.Errorf("put away: %w", err)
	}
	if err := root.Rename(name+signSuffix, place+signSuffix); err != nil {
		return fmt.Errorf("put away: %w", err)
	}
	return nil
}

// writeFile writes a file that is never half there.
func writeFile(root *os.Root, name string, data []byte) error {
	f, err := root.OpenFile(name+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write back: %w", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write back: %w", err)
	}
	return root.Rename(name+".part", name)
}

func readAll(root *os.Root, name string, most int64) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fs.ErrNotExist
	}
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		return b[:most], nil // its digest is another then, and it is refused
	}
	return b, err
}
