// Package document makes license files and judges them: bytes in, bytes and
// findings out. It has no store, no clock, no network and no files, so that it
// can also run in a browser: fonts, time, keys and trusted roots are passed in.
//
// Making has one order: Prepare lays the face out and fixes every byte but the
// signature's, finding all that can go wrong; only what was prepared can be
// sealed, and only once.
package document

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"elicense/face"
	"elicense/gm"
	"elicense/ofd"
	"elicense/seal"
	"elicense/sheet"
)

// Pair is a named value of a file's metadata.
type Pair = ofd.Pair

// Maker makes license files. It keeps the fonts of labels it has cut, so that
// documents of one design share them. Safe for concurrent use.
type Maker struct {
	fonts *sheet.FontSet

	mu      sync.Mutex
	labels  map[labelKey]*ofd.PreparedFont
	designs map[*face.Template]*design
}

// design is what all documents of one face share.
type design struct {
	face *face.Design
	ofd  ofd.Design
}

// labelKey is what makes label fonts the same: their source and characters.
type labelKey struct {
	font  *sheet.Font
	runes string
}

// maxLabels bounds the label fonts and designs kept; a platform has some hundred.
const maxLabels = 1024

// design makes a face ready, once for each.
func (m *Maker) design(t *face.Template) (*design, error) {
	m.mu.Lock()
	d := m.designs[t]
	m.mu.Unlock()
	if d != nil {
		return d, nil
	}
	f, err := face.Compile(t, m.fonts)
	if err != nil {
		return nil, err
	}
	d = &design{face: f}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.designs) >= maxLabels {
		clear(m.designs)
	}
	m.designs[t] = d
	return d, nil
}

// NewMaker returns a maker that sets documents in the given fonts.
func NewMaker(fonts *sheet.FontSet) *Maker {
	return &Maker{fonts: fonts, labels: map[labelKey]*ofd.PreparedFont{}, designs: map[*face.Template]*design{}}
}

// common are characters nearly every license has among its values. They are in
// the font of the labels too, so that numbers and dates need no font of their
// own document.
const common = " -.0123456789年日月"

// label returns the font for the fixed texts of a design.
func (m *Maker) label(f *sheet.Font, runes []rune) (*ofd.PreparedFont, error) {
	if f == m.fonts.Song {
		for _, r := range common {
			if g := f.Glyph(r); g != 0 {
				runes = append(runes, r)
			}
		}
		slices.Sort(runes)
		runes = slices.Compact(runes)
	}
	key := labelKey{f, string(runes)}
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.labels[key]; p != nil {
		return p, nil
	}
	p, err := ofd.PrepareFont(f, runes, "ELicense-"+strings.ReplaceAll(f.Family(), " ", "")+"-Label")
	if err != nil {
		return nil, err
	}
	if len(m.labels) >= maxLabels {
		clear(m.labels)
	}
	m.labels[key] = p
	return p, nil
}

// Content is what a license file says.
type Content struct {
	DocID    [16]byte // random
	Title    string
	Date     time.Time // of issue
	Metadata []Pair    // of GB/T 36903, in the order they are to be written
	Face     *face.Template
	Data     face.Data
}

// creator is what files name as the program that made them.
const creator = "elicense"

// Prepared is a license file that lacks its seal and nothing else.
type Prepared struct {
	pages  []sheet.Sheet
	places []face.Place
	pkg    *ofd.Package
	digest [32]byte
	used   atomic.Bool
}

// Prepare lays out a license and fixes its content. Errors are *face.FieldError
// for values that can't be set (wrapping face.ErrOverflow, face.ErrEmpty or
// *sheet.MissingGlyphError), or tell what is wrong with the face.
func (m *Maker) Prepare(c Content) (*Prepared, error) {
	list, errs := m.PrepareAll([]Content{c})
	return list[0], errs[0]
}

// PrepareAll prepares several licenses, which takes less time than one after the
// other: their digests are found together. Each has its license or its error.
func (m *Maker) PrepareAll(list []Content) ([]*Prepared, []error) {
	all, errs := make([]*Prepared, len(list)), make([]error, len(list))
	var blobs []*ofd.Blob
	for i := range list {
		if all[i], errs[i] = m.lay(list[i]); errs[i] == nil {
			for _, e := range all[i].pkg.Entries {
				blobs = append(blobs, e.Blob)
			}
		}
	}
	ofd.DigestAll(blobs, gm.Sums)
	for _, p := range all {
		if p != nil {
			p.sum()
		}
	}
	return all, errs
}

// lay lays a license out.
func (m *Maker) lay(c Content) (*Prepared, error) {
	design, err := m.design(c.Face)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", c.Title, err)
	}
	if c.Data.Proof {
		return nil, fmt.Errorf("prepare %s: a proof can't be sealed", c.Title)
	}
	pages, err := design.face.Layout(c.Data)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", c.Title, err)
	}
	if len(pages.Seals) == 0 {
		return nil, fmt.Errorf("prepare %s: the face has no place for a seal", c.Title)
	}
	data := licenseJSON(&c, pages.Sheets)
	pkg, err := ofd.Write(&ofd.Document{
		ID: c.DocID, Title: c.Title, Date: c.Date, Creator: creator, Custom: c.Metadata,
		Pages: pages.Sheets, Labels: m.label, Design: &design.ofd, Signed: true,
		Attachments: []ofd.Attachment{{Name: dataName, Format: "json", Data: data}},
	})
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", c.Title, err)
	}
	return &Prepared{pages: pages.Sheets, places: pages.Seals, pkg: pkg}, nil
}

// sum fixes the digest of the content.
func (p *Prepared) sum() {
	h := gm.NewHash()
	h.Write([]byte("elicense content 1"))
	for _, e := range p.pkg.Entries {
		sum := e.Digest(gm.Sum)
		h.Write([]byte{0})
		h.Write([]byte(e.Name))
		h.Write([]byte{0})
		h.Write(sum[:])
	}
	h.Sum(p.digest[:0])
}

// Pack lets go of what sealing does not need, for licenses of which many wait: they
// can be sealed, and not be drawn or compared any more.
func (p *Prepared) Pack() {
	p.pages = nil
	p.pkg.Pack()
}

// Same tells whether a file says what was prepared, whatever program of ours and
// whichever machine made it: its number, title and metadata, its data for machines
// and its pictures.
func (p *Prepared) Same(file []byte) bool {
	f, err := ofd.Open(file)
	if err != nil {
		return false
	}
	for _, e := range p.pkg.Entries {
		ext := strings.ToLower(path.Ext(e.Name))
		said := e.Name == "OFD.xml" || strings.HasPrefix(path.Base(e.Name), "attachment_") || ext == ".png" || ext == ".jpg" || ext == ".jpeg"
		if !said {
			continue
		}
		if got := f.Find(e.Name); got == nil || !bytes.Equal(got.Data, e.Data) {
			return false
		}
	}
	return true
}

// SVG draws the pages exactly as they will be, without the seal.
func (p *Prepared) SVG() [][]byte { return drawAll(p.pages) }

// SVGWithSeal draws the pages as they will be once sealed.
func (p *Prepared) SVGWithSeal(s *seal.Seal) ([][]byte, error) {
	pages := slices.Clone(p.pages)
	for _, at := range p.places {
		page := &pages[at.Page]
		page.Items = slices.Clip(page.Items)
		if err := s.Stamp(page, box(s, at)); err != nil {
			return nil, err
		}
	}
	return drawAll(pages), nil
}

func drawAll(pages []sheet.Sheet) [][]byte {
	out := make([][]byte, len(pages))
	for i := range pages {
		out[i] = pages[i].SVG()
	}
	return out
}

// marks are where a seal goes on the pages of the package.
func (p *Prepared) marks(s *seal.Seal) []seal.Mark {
	list := make([]seal.Mark, len(p.places))
	for i, at := range p.places {
		list[i] = seal.Mark{PageID: p.pkg.PageIDs[at.Page], Box: box(s, at)}
	}
	return list
}

// box is where a seal goes, in its real size.
func box(s *seal.Seal, at face.Place) seal.Box {
	return seal.Box{X: at.X - s.W/2, Y: at.Y - s.H/2, W: s.W, H: s.H}
}

// Digest is the SM3 digest of the fixed content, to be recorded before the key
// is used.
func (p *Prepared) Digest() [32]byte { return p.digest }

// Stamp is who seals, with what and when.
type Stamp struct {
	Seal     *seal.Seal
	Signer   gm.Signer
	Cert     *gm.Certificate // of the signer, named by the seal
	Time     time.Time
	Provider string // the program that seals; the maker's name if empty
	// Stamper has the time of the signature confirmed; nil leaves it the signer's
	// own claim.
	Stamper gm.TimeStamper
}

// ErrUsed says that a prepared license was sealed before, or that its sealing
// failed after the key may have been used.
var ErrUsed = errors.New("this prepared license was sealed already")

// Seal seals the license and returns its file. An error from before the key was
// used (seal.ErrNotAuthorized, seal.ErrNotValid, seal.ErrWrongKey) leaves it
// usable; after any other, and after success, it gives ErrUsed.
func (p *Prepared) Seal(s Stamp) ([]byte, error) { return p.AppendSealed(nil, s) }

// AppendSealed is Seal with the file behind what stands in out, which it may extend.
func (p *Prepared) AppendSealed(out []byte, s Stamp) ([]byte, error) {
	use := seal.Use{
		Seal: s.Seal, Signer: s.Signer, Cert: s.Cert, Time: s.Time, Provider: s.Provider, Stamper: s.Stamper,
		Marks: p.marks(s.Seal),
	}
	if use.Provider == "" {
		use.Provider = creator
	}
	if err := use.Check(); err != nil {
		return nil, fmt.Errorf("seal license: %w", err)
	}
	if !p.used.CompareAndSwap(false, true) {
		return nil, ErrUsed
	}
	pkg := &ofd.Package{Entries: slices.Clip(p.pkg.Entries), PageIDs: p.pkg.PageIDs}
	if err := seal.Sign(pkg, use); err != nil {
		return nil, err
	}
	return pkg.Append(out), nil
}
