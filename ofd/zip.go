package ofd

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"unicode/utf8"
)

// Entry is a file of a package.
type Entry struct {
	Name string
	*Blob
}

// The parts of a ZIP file (APPNOTE.TXT 4.3).
const (
	localSignature   = 0x04034b50
	centralSignature = 0x02014b50
	endSignature     = 0x06054b50
	localSize        = 30
	centralSize      = 46
	endSize          = 22
	maxDescriptor    = 24 // sizes that follow the data of an entry written as a stream
	firstDay         = 0x0021
)

// appendZIP writes the entries as a ZIP file, behind what stands in out, which is
// nothing of the file. Times are left at their origin, so that the same entries give
// the same bytes.
func appendZIP(out []byte, entries []Entry) []byte {
	size := endSize
	for _, e := range entries {
		e.compress()
		size += localSize + centralSize + 2*len(e.Name) + len(e.packed)
	}
	le := binary.LittleEndian
	out = slices.Grow(out, size)
	begin := len(out)
	offsets := make([]int, len(entries))
	for i, e := range entries {
		offsets[i] = len(out) - begin
		out = le.AppendUint32(out, localSignature)
		out = appendCommon(out, e)
		out = append(out, e.Name...)
		out = append(out, e.packed...)
	}
	start := len(out) - begin
	for i, e := range entries {
		out = le.AppendUint32(out, centralSignature)
		out = le.AppendUint16(out, 20)
		out = appendCommon(out, e)
		out = append(out, make([]byte, 10)...) // comment, disk, attributes
		out = le.AppendUint32(out, uint32(offsets[i]))
		out = append(out, e.Name...)
	}
	length := len(out) - begin - start
	out = le.AppendUint32(out, endSignature)
	out = le.AppendUint32(out, 0)
	out = le.AppendUint16(out, uint16(len(entries)))
	out = le.AppendUint16(out, uint16(len(entries)))
	out = le.AppendUint32(out, uint32(length))
	out = le.AppendUint32(out, uint32(start))
	return le.AppendUint16(out, 0)
}

// appendCommon writes what the two headers of an entry share.
func appendCommon(out []byte, e Entry) []byte {
	le := binary.LittleEndian
	out = le.AppendUint16(out, 20)
	out = le.AppendUint16(out, 0)
	out = le.AppendUint16(out, e.method)
	out = le.AppendUint16(out, 0)
	out = le.AppendUint16(out, firstDay)
	out = le.AppendUint32(out, e.crc)
	out = le.AppendUint32(out, uint32(len(e.packed)))
	out = le.AppendUint32(out, uint32(e.size))
	out = le.AppendUint16(out, uint16(len(e.Name)))
	return le.AppendUint16(out, 0)
}

// record is an entry of the central directory.
type record struct {
	name         string
	flags        uint16
	method       uint16
	crc          uint32
	packed, size uint32
	offset       uint32
}

// readZIP reads every file of a ZIP package. It refuses whatever two readers
// might understand differently: entries that the central directory and the local
// headers describe differently, that overlap, or between, before or after which
// there are other bytes; two entries of one name.
func readZIP(data []byte) ([]Entry, error) {
	records, start, err := centralDirectory(data)
	if err != nil {
		return nil, err
	}
	if err := checkNames(records); err != nil {
		return nil, err
	}
	var total uint64
	for _, r := range records {
		if total += uint64(r.size); total > MaxInflated {
			return nil, fmt.Errorf("%w: more than %d bytes unpacked", ErrTooLarge, MaxInflated)
		}
	}
	slots, err := locate(data[:start], records)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(records))
	for i, r := range records {
		if strings.HasSuffix(r.name, "/") {
			continue
		}
		content, err := unpack(slots[i], r)
		if err != nil {
			return nil, &FileError{r.name, err}
		}
		entries = append(entries, Entry{r.name, NewBlob(content)})
	}
	return entries, nil
}

// centralDirectory returns the records and where the directory starts.
func centralDirectory(data []byte) ([]record, int, error) {
	le := binary.LittleEndian
	if len(data) < endSize {
		return nil, 0, ErrNotPackage
	}
	if uint64(len(data)) > MaxInflated {
		return nil, 0, ErrTooLarge
	}
	// A comment may follow; it must reach exactly to the end of the file.
	at := -1
	for i := len(data) - endSize; i >= 0 && i >= len(data)-endSize-0xffff; i-- {
		if le.Uint32(data[i:]) == endSignature && i+endSize+int(le.Uint16(data[i+20:])) == len(data) {
			at = i
			break
		}
	}
	if at < 0 {
		return nil, 0, ErrNotPackage
	}
	n := int(le.Uint16(data[at+10:]))
	length, start := uint64(le.Uint32(data[at+12:])), uint64(le.Uint32(data[at+16:]))
	switch {
	case n == 0 || le.Uint32(data[at+4:]) != 0 || int(le.Uint16(data[at+8:])) != n:
		return nil, 0, ErrNotPackage
	case n > MaxEntries:
		return nil, 0, fmt.Errorf("%w: %d entries", ErrTooLarge, n)
	case start+length != uint64(at):
		return nil, 0, ErrSurplus
	}
	dir := data[start:at]
	records := make([]record, 0, n)
	for range n {
		if len(dir) < centralSize || le.Uint32(dir) != centralSignature {
			return nil, 0, ErrDamaged
		}
		name, extra, comment := int(le.Uint16(dir[28:])), int(le.Uint16(dir[30:])), int(le.Uint16(dir[32:]))
		if len(dir) < centralSize+name+extra+comment {
			return nil, 0, ErrDamaged
		}
		records = append(records, record{
			name:  string(dir[centralSize : centralSize+name]),
			flags: le.Uint16(dir[8:]), method: le.Uint16(dir[10:]), crc: le.Uint32(dir[16:]),
			packed: le.Uint32(dir[20:]), size: le.Uint32(dir[24:]), offset: le.Uint32(dir[42:]),
		})
		dir = dir[centralSize+name+extra+comment:]
	}
	if len(dir) != 0 {
		return nil, 0, ErrSurplus
	}
	return records, int(start), nil
}

func checkNames(records []record) error {
	seen := make(map[string]bool, len(records))
	for _, r := range records {
		if !goodName(strings.TrimSuffix(r.name, "/")) {
			return fmt.Errorf("%w: %.100q", ErrName, r.name)
		}
		// Two names that differ in case only are one file to some readers.
		fold := strings.ToLower(strings.TrimSuffix(r.name, "/"))
		if seen[fold] {
			return &FileError{r.name, ErrDuplicate}
		}
		seen[fold] = true
	}
	return nil
}

// goodName tells whether a name is a plain relative path.
func goodName(name string) bool {
	if len(name) > 512 || !utf8.ValidString(name) || strings.ContainsAny(name, "\\:\x00") {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	for _, r := range name {
		if r < 0x20 || r == 0x7f {
			return false
		}
	}
	return true
}

// locate finds the packed data of each record and sees that the entries follow
// each other from the first byte on.
func locate(data []byte, records []record) ([][]byte, error) {
	le := binary.LittleEndian
	order := make([]int, len(records))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(records[a].offset, records[b].offset) })
	slots := make([][]byte, len(records))
	end := uint64(0)
	streamed := false
	for _, i := range order {
		r := &records[i]
		at := uint64(r.offset)
		if at < end || at > end && (!streamed || at > end+maxDescriptor) {
			return nil, ErrSurplus
		}
		if at+localSize > uint64(len(data)) || le.Uint32(data[at:]) != localSignature {
			return nil, &FileError{r.name, ErrDamaged}
		}
		head := data[at:]
		name, extra := uint64(le.Uint16(head[26:])), uint64(le.Uint16(head[28:]))
		body := at + localSize + name + extra
		end = body + uint64(r.packed)
		if end > uint64(len(data)) || string(head[localSize:localSize+name]) != r.name || le.Uint16(head[8:]) != r.method {
			return nil, &FileError{r.name, ErrDamaged}
		}
		streamed = r.flags&8 != 0
		if !streamed && (le.Uint32(head[18:]) != r.packed || le.Uint32(head[22:]) != r.size) {
			return nil, &FileError{r.name, ErrDamaged}
		}
		slots[i] = data[body:end]
	}
	if rest := uint64(len(data)) - end; rest > 0 && (!streamed || rest > maxDescriptor) {
		return nil, ErrSurplus
	}
	return slots, nil
}

func unpack(packed []byte, r record) ([]byte, error) {
	if r.flags&1 != 0 {
		return nil, fmt.Errorf("%w: encrypted entry", ErrDamaged)
	}
	content := packed
	switch r.method {
	case stored:
		if r.packed != r.size {
			return nil, ErrDamaged
		}
	case deflated:
		// Deflate can't shrink to less than 1/1032: a larger claim is a lie that
		// must not be given memory.
		if uint64(r.size) > 1040*uint64(r.packed)+64 {
			return nil, ErrDamaged
		}
		var err error
		if content, err = inflate(packed, int(r.size)); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%w: compression method %d", ErrDamaged, r.method)
	}
	if crc32.ChecksumIEEE(content) != r.crc {
		return nil, ErrDamaged
	}
	return content, nil
}
