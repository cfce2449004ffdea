// Package ofd writes and reads documents of GB/T 33190-2016: ZIP packages of XML
// files with the metadata of the document, its pages, fonts, tags and
// attachments. It writes sheets of package sheet and reads pages back into
// sheets. Files that come from outside are taken for hostile. Signatures are
// package seal's; here is only what they are put into and taken from.
package ofd

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/flate"

	"elicense/sheet"
)

// Namespace is the XML namespace of GB/T 33190-2016.
const Namespace = "http://www.ofdspec.org/2016"

// Pair is a named value of a document's metadata.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// What can be wrong with a package. Errors of Open and of the reading methods
// wrap one of these.
var (
	ErrNotPackage = errors.New("not an OFD package")
	ErrDamaged    = errors.New("the package is damaged")
	ErrSurplus    = errors.New("the package holds bytes outside its entries")
	ErrTooLarge   = errors.New("the package is too large")
	ErrName       = errors.New("the package holds a forbidden entry name")
	ErrDuplicate  = errors.New("the package holds two entries of one name")
	ErrXML        = errors.New("not well-formed XML")
	ErrMissing    = errors.New("a file of the package is missing")
)

// Bounds on what is read.
const (
	MaxInflated = 32 << 20 // bytes of all entries together
	MaxXML      = 4 << 20  // bytes of one XML file
	MaxDepth    = 64       // of nested elements
	MaxEntries  = 4096
)

// FileError tells which file of a package is at fault.
type FileError struct {
	Name string
	Err  error
}

func (e *FileError) Error() string { return e.Name + ": " + e.Err.Error() }
func (e *FileError) Unwrap() error { return e.Err }

// Blob is the content of an entry. What is costly to make of it, its packed form
// and its digest, is made once and kept, so that a blob shared by many packages
// costs nothing in the second. Safe for concurrent use once its first
// members are set for good.
type Blob struct {
	Data  []byte
	Small bool // take the time to pack it as small as can be
	Dense bool // don't try to pack it, it is packed or random already

	// Deflated returns Data as a raw deflate stream where the content has a better
	// way to make one than packing it; nil packs it.
	Deflated func() []byte

	codes *sheet.Codes // those of texts like this one, if they are known

	pack   sync.Once
	packed []byte
	method uint16
	crc    uint32
	size   int

	sum    sync.Once
	summed atomic.Bool
	digest [32]byte
}

// NewBlob returns a blob of data.
func NewBlob(data []byte) *Blob { return &Blob{Data: data} }

// Digest returns the digest of the data by f, which must be the same function in
// every call.
func (b *Blob) Digest(f func([]byte) [32]byte) [32]byte {
	b.sum.Do(func() {
		b.digest = f(b.Data)
		b.summed.Store(true)
	})
	return b.digest
}

// DigestAll finds the digests of many blobs by f at once, which may be quicker than
// each on its own. Digest, with the same function, then has them.
func DigestAll(list []*Blob, f func([][]byte) [][32]byte) {
	var fresh []*Blob
	var data [][]byte
	for _, b := range list {
		if !b.summed.Load() {
			fresh, data = append(fresh, b), append(data, b.Data)
		}
	}
	for i, sum := range f(data) {
		fresh[i].Digest(func([]byte) [32]byte { return sum })
	}
}

const (
	stored   = 0
	deflated = 8
)

// smallText is the size up to which a file is packed with the fixed codes of
// deflate: telling others takes a tenth of such a file.
const smallText = 3000

// worthPacking is the size from which packing a file saves more than it costs.
const worthPacking = 160

// deflater is a flate writer with its buffer, pooled: a new writer for each
// entry would cost ten times the compression itself.
type deflater struct {
	buf bytes.Buffer
	w   *flate.Writer
}

var deflaters = sync.Pool{New: func() any {
	d := new(deflater)
	d.w, _ = flate.NewWriter(&d.buf, flate.BestSpeed) // the level is valid
	return d
}}

func (b *Blob) compress() {
	b.pack.Do(func() {
		b.crc, b.size = crc32.ChecksumIEEE(b.Data), len(b.Data)
		if b.Deflated != nil {
			b.method, b.packed = deflated, b.Deflated()
			return
		}
		if b.Small {
			b.method, b.packed = deflated, smallest(b.Data)
			return
		}
		if len(b.Data) < worthPacking || b.Dense || random(b.Data) {
			b.method, b.packed = stored, b.Data
			return
		}
		if codes := b.codes; codes != nil || len(b.Data) <= smallText {
			if codes == nil || len(b.Data) <= smallText {
				codes = sheet.FixedCodes
			}
			b.method, b.packed = deflated, codes.Pack(b.Data)
			if len(b.packed) >= len(b.Data) {
				b.method, b.packed = stored, b.Data
			}
			return
		}
		d := deflaters.Get().(*deflater)
		defer deflaters.Put(d)
		d.buf.Reset()
		d.w.Reset(&d.buf)
		_, err := d.w.Write(b.Data)
		if err == nil {
			err = d.w.Close()
		}
		if err != nil || d.buf.Len() >= len(b.Data) {
			b.method, b.packed = stored, b.Data
			return
		}
		b.method, b.packed = deflated, bytes.Clone(d.buf.Bytes())
	})
}

// random tells whether packing would save next to nothing, as with seals, which
// are packed pictures and signatures. In a sample of random bytes two are equal
// in one case of 256; in text or fonts in ten times as many.
func random(data []byte) bool {
	const sample = 512
	if len(data) < sample {
		return false
	}
	var counts [256]int
	step := len(data) / sample
	for i := range sample {
		counts[data[i*step]]++
	}
	equal := 0
	for _, n := range counts {
		equal += n * (n - 1)
	}
	return equal < sample*(sample-1)/180
}

func smallest(data []byte) []byte {
	var buf bytes.Buffer
	w, _ := flate.NewWriter(&buf, flate.BestCompression) // the level is valid
	w.Write(data)                                        // a bytes.Buffer takes everything
	w.Close()
	return buf.Bytes()
}

type inflater struct {
	src bytes.Reader
	r   io.ReadCloser
}

var inflaters = sync.Pool{New: func() any {
	i := new(inflater)
	i.r = flate.NewReader(&i.src)
	return i
}}

// inflate unpacks exactly size bytes; more or fewer are damage.
func inflate(packed []byte, size int) ([]byte, error) {
	i := inflaters.Get().(*inflater)
	defer inflaters.Put(i)
	i.src.Reset(packed)
	if err := i.r.(flate.Resetter).Reset(&i.src, nil); err != nil {
		return nil, ErrDamaged
	}
	out := make([]byte, size)
	if _, err := io.ReadFull(i.r, out); err != nil {
		return nil, ErrDamaged
	}
	var more [1]byte
	if n, err := i.r.Read(more[:]); n != 0 || err != io.EOF {
		return nil, ErrDamaged
	}
	return out, nil
}
