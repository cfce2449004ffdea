package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"elicense"
	"elicense/gm"
)

// A pack is many files in one, which stand durable on the disk after one sync
// instead of one each. Its parts are named pack#0, pack#1 …, are sealed one by one
// and bound to these names, and are read like other files.
//
// packMagic begins it; the count of parts, and for each its place and length,
// follow as 32-bit numbers, big-endian.
const (
	packMagic = "EPK1"
	packEnd   = ".pack"
	maxParts  = 4096
)

// Part is the name of a part of a pack.
func Part(pack string, n int) string { return pack + "#" + strconv.Itoa(n) }

// packGroup is how many parts are asked for at a time.
const packGroup = 16

// PutPack stores a pack of n parts and returns their SM3 digests. Its name ends in
// .pack. parts makes the parts from a number on, as many as into holds; it is called
// by several goroutines at once, and what it makes is kept no longer than until it
// is written, so that a pack of many takes little memory. What into holds is empty and
// may have room to append to. An empty part is fine.
//
// Errors: Conflict if there is such a pack; TooLarge; those of parts.
func (f *Files) PutPack(ctx context.Context, pack string, n int, parts func(from int, into [][]byte) error) ([][]byte, error) {
	if !strings.HasSuffix(pack, packEnd) || strings.Contains(pack, "#") || n > maxParts {
		return nil, elicense.E(elicense.Invalid, "文件名不对，或文件太多").At("name")
	}
	path, err := f.path(pack)
	if err != nil {
		return nil, err
	}
	if err := f.db.usable(ctx); err != nil {
		return nil, err
	}
	lock := &f.puts[gm.Sum([]byte(pack))[1]%64]
	lock.Lock()
	defer lock.Unlock()
	if _, err := os.Stat(path); err == nil {
		return nil, elicense.E(elicense.Conflict, "同名文件已存在").Because(errors.New(pack))
	}
	p := &packWriter{sums: make([][]byte, n), head: make([]byte, len(packMagic)+4+8*n)}
	p.at = len(p.head)
	copy(p.head, packMagic)
	binary.BigEndian.PutUint32(p.head[len(packMagic):], uint32(n))
	err = f.write(path, func(t *os.File) error {
		onAllProcessors((n+packGroup-1)/packGroup, func(group int) {
			from := group * packGroup
			room := packRooms.Get().(*packRoom)
			defer packRooms.Put(room)
			p.put(f.db, t, pack, from, min(packGroup, n-from), room, parts)
		})
		if p.err == nil {
			_, p.err = t.WriteAt(p.head, 0)
		}
		if p.err == nil {
			p.err = t.Sync()
		}
		// Of a million licenses few are read again soon. Kept in the system's memory
		// they would push the database out of it, and each page of the next pack would
		// have to be fought for.
		forgetPages(t)
		return p.err
	})
	var e *elicense.Error
	if err != nil && !errors.As(err, &e) {
		err = unavailable(err)
	}
	if err != nil {
		return nil, err
	}
	return p.sums, nil
}

// packWriter writes the parts of a pack in the order in which they are made.
type packWriter struct {
	sums [][]byte

	mu   sync.Mutex
	head []byte
	at   int // where the next part goes
	err  error
}

// packRoom is what a group of parts takes while it is written.
type packRoom struct {
	parts  [packGroup][]byte
	sealed []byte // one part behind the other
	ends   []int  // of them in sealed
}

var packRooms = sync.Pool{New: func() any { return &packRoom{} }}

// put makes a group of parts, seals them and writes them.
func (p *packWriter) put(db *DB, t *os.File, pack string, from, n int, room *packRoom, parts func(int, [][]byte) error) {
	p.mu.Lock()
	err := p.err
	p.mu.Unlock()
	if err != nil {
		return
	}
	group := room.parts[:n]
	for i := range group {
		group[i] = group[i][:0]
	}
	if err = parts(from, group); err == nil {
		room.sealed, room.ends = room.sealed[:0], room.ends[:0]
		for i, sum := range gm.Sums(group) {
			p.sums[from+i] = sum[:]
			room.sealed = db.appendEncrypt(room.sealed, "file", Part(pack, from+i), "content", group[i])
			room.ends = append(room.ends, len(room.sealed))
		}
		err = p.write(t, from, room)
	}
	if err != nil {
		p.mu.Lock()
		p.err = errors.Join(p.err, err)
		p.mu.Unlock()
	}
}

// write writes a group of sealed parts at once: part by part takes the system
// twice as long.
func (p *packWriter) write(t *os.File, from int, room *packRoom) error {
	p.mu.Lock()
	at := p.at
	p.at += len(room.sealed)
	begin := 0
	for i, end := range room.ends {
		entry := p.head[len(packMagic)+4+8*(from+i):]
		binary.BigEndian.PutUint32(entry, uint32(at+begin))
		binary.BigEndian.PutUint32(entry[4:], uint32(end-begin))
		begin = end
	}
	p.mu.Unlock()
	if at+len(room.sealed) > MaxFile {
		return elicense.E(elicense.TooLarge, "文件超过 64 MB 上限")
	}
	_, err := t.WriteAt(room.sealed, int64(at))
	return err
}

// onAllProcessors calls do with each number below n, with several at once.
func onAllProcessors(n int, do func(int)) {
	var wait sync.WaitGroup
	var next atomic.Int64
	for range min(n, runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			for k := next.Add(1) - 1; k < int64(n); k = next.Add(1) - 1 {
				do(int(k))
			}
		})
	}
	wait.Wait()
}

// readPart returns the sealed bytes of a part of the pack at path.
func readPart(path, name string) ([]byte, error) {
	bad := func(text string, args ...any) error { return tampered("file "+name, fmt.Errorf(text, args...)) }
	_, number, _ := strings.Cut(name, "#")
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return nil, bad("its name: %w", err)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	count, err := partsOf(file)
	if err != nil {
		return nil, bad("%w", err)
	}
	if n >= uint64(count) {
		return nil, bad("the pack has %d parts", count)
	}
	var entry [8]byte
	if _, err := file.ReadAt(entry[:], int64(len(packMagic))+4+8*int64(n)); err != nil {
		return nil, bad("%w", err)
	}
	at, length := binary.BigEndian.Uint32(entry[:]), binary.BigEndian.Uint32(entry[4:])
	if length > MaxFile+256 {
		return nil, bad("it is too large")
	}
	sealed := make([]byte, length)
	if _, err := file.ReadAt(sealed, int64(at)); err != nil {
		return nil, bad("%w", err)
	}
	return sealed, nil
}

// partsOf reads how many parts a pack has.
func partsOf(file *os.File) (uint32, error) {
	var head [len(packMagic) + 4]byte
	if _, err := file.ReadAt(head[:], 0); err != nil {
		return 0, err
	}
	count := binary.BigEndian.Uint32(head[len(packMagic):])
	if string(head[:len(packMagic)]) != packMagic || count > maxParts {
		return 0, errors.New("it is no pack")
	}
	return count, nil
}

// partNames lists the parts of the pack at path; of one that can't be read, its
// own name, which no row knows.
func partNames(path, pack string) []string {
	file, err := os.Open(path)
	if err != nil {
		return []string{pack}
	}
	defer file.Close()
	count, err := partsOf(file)
	if err != nil {
		return []string{pack}
	}
	names := make([]string, count)
	for n := range names {
		names[n] = Part(pack, n)
	}
	return names
}
