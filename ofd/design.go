package ofd

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"elicense/sheet"
)

// Design keeps what the documents of one design have in common, so that it is
// made, packed and digested once: the template pages that hold the Fixed items
// of their sheets, the fonts of the texts on them and the images.
//
// One value serves all documents of a design and nothing else; its zero value is
// ready. It is told nothing beforehand: Write compares the fixed items of a
// document, and its other texts that are marked as labels, with those it has met,
// by address first, by content otherwise, so that a document never gets another's
// ground. What a document becomes does not depend on which ones came before:
// fonts, templates and images of a design get the lowest IDs, in the order in
// which the document's own pages need them. Items it was given must not be
// changed afterwards. Safe for concurrent use.
type Design struct {
	mu    sync.Mutex
	plans []*plan
}

// maxPlans bounds how many combinations of fixed parts and labels a design keeps:
// one page, with continuation pages, original and duplicate, optional rows.
const maxPlans = 64

// plan is what documents share whose pages have the same fixed parts and labels.
type plan struct {
	parts  []part
	labels []label // that are not among the fixed items, each once
	fonts  []*fontUse
	images []imageUse
	lastID int
}

// label is a text that is the same in many documents but not always in one place.
type label struct {
	font *sheet.Font
	text string
}

// part is the fixed items of a page and the template page made of them.
type part struct {
	w, h  float64
	items []sheet.Item
	id    int // of the template page
	blob  *Blob
}

func (p *part) file(i int) string { return "Doc_0/Tpls/Tpl_" + strconv.Itoa(i) + "/Content.xml" }

func partOf(s *sheet.Sheet) part { return part{w: s.W, h: s.H, items: s.Items[:s.Fixed]} }

func (p *part) same(q *part) bool {
	return p.w == q.w && p.h == q.h && slices.EqualFunc(p.items, q.items, sameItem)
}

func sameItem(a, b sheet.Item) bool {
	switch a := a.(type) {
	case *sheet.Text:
		b, ok := b.(*sheet.Text)
		return ok && (a == b || a.Font == b.Font && a.Text == b.Text && a.Size == b.Size && a.X == b.X && a.Y == b.Y &&
			a.Color == b.Color && a.Tag == b.Tag && a.Bold == b.Bold && a.Opacity == b.Opacity && sameMatrix(a.Matrix, b.Matrix) &&
			slices.Equal(a.Advances, b.Advances) && slices.Equal(a.Glyphs, b.Glyphs))
	case *sheet.Path:
		b, ok := b.(*sheet.Path)
		return ok && (a == b || a.Fill == b.Fill && a.EvenOdd == b.EvenOdd && a.Stroke == b.Stroke && a.Width == b.Width &&
			a.Color == b.Color && a.Opacity == b.Opacity && sameMatrix(a.Matrix, b.Matrix) &&
			slices.Equal(a.Segments, b.Segments) && slices.Equal(a.Strokes, b.Strokes))
	case *sheet.Image:
		b, ok := b.(*sheet.Image)
		return ok && (a == b || a.MIME == b.MIME && a.Matrix == b.Matrix && a.Opacity == b.Opacity && sameData(a.Data, b.Data))
	}
	return false
}

func sameMatrix(a, b *sheet.Matrix) bool { return a == b || a != nil && b != nil && *a == *b }

// sameData compares contents; those at one place need no looking at.
func sameData(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || bytes.Equal(a, b))
}

// plan returns what the document shares with others of its design and, for each
// page, the number of its part, -1 for pages without fixed items.
func (d *Design) plan(doc *Document) (*plan, []int, error) {
	var parts []part
	var labels []label
	use := make([]int, len(doc.Pages))
	for i := range doc.Pages {
		s := &doc.Pages[i]
		if s.Fixed < 0 || s.Fixed > len(s.Items) {
			return nil, nil, fmt.Errorf("page %d has %d fixed items of %d", i+1, s.Fixed, len(s.Items))
		}
		for _, it := range s.Items[s.Fixed:] {
			if t, ok := it.(*sheet.Text); ok && t.Label {
				if l := (label{t.Font, t.Text}); !slices.Contains(labels, l) {
					labels = append(labels, l)
				}
			}
		}
		use[i] = -1
		if s.Fixed == 0 {
			continue
		}
		p := partOf(s)
		use[i] = slices.IndexFunc(parts, func(q part) bool { return q.same(&p) })
		if use[i] < 0 {
			use[i] = len(parts)
			parts = append(parts, p)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.plans {
		if slices.Equal(p.labels, labels) && slices.EqualFunc(p.parts, parts, func(a, b part) bool { return a.same(&b) }) {
			return p, use, nil
		}
	}
	p := &plan{parts: parts, labels: labels}
	if err := p.make(doc); err != nil {
		return nil, nil, err
	}
	if len(d.plans) >= maxPlans {
		d.plans = nil
	}
	d.plans = append(d.plans, p)
	return p, use, nil
}

// make cuts the fonts of the fixed texts and writes the template pages.
func (p *plan) make(doc *Document) error {
	w := &writer{doc: doc, fixed: true}
	for i := range p.parts {
		for _, it := range p.parts[i].items {
			t, ok := it.(*sheet.Text)
			if !ok {
				continue
			}
			if err := checkText(t); err != nil {
				return err
			}
			if t.Tag != "" {
				return fmt.Errorf("fixed text %.20q is the value of a field", t.Text)
			}
			f := w.fontOf(t.Font, true)
			for _, r := range t.Text {
				f.runes = append(f.runes, r)
			}
		}
	}
	for _, l := range p.labels {
		if l.font == nil {
			return fmt.Errorf("text %.20q has no font", l.text)
		}
		f := w.fontOf(l.font, true)
		for _, r := range l.text {
			f.runes = append(f.runes, r)
		}
	}
	for _, f := range w.fonts {
		if err := w.cut(f); err != nil {
			return err
		}
	}
	for i := range p.parts {
		part := &p.parts[i]
		part.items = slices.Clone(part.items) // the caller may append to its own
		part.id = w.newID()
		s := &sheet.Sheet{W: part.w, H: part.h}
		b := make([]byte, 0, 32<<10)
		b = append(b, xmlHead+`<ofd:Page`+xmlns+`><ofd:Area>`...)
		b = appendPhysicalBox(b, s)
		b = append(b, `</ofd:Area>`...)
		b = w.content(b, s, part.items, 0, "Background")
		part.blob = &Blob{Data: append(b, `</ofd:Page>`...), Small: true}
	}
	p.fonts, p.images, p.lastID = w.fonts, w.images, w.lastID
	return nil
}

// labelFont cuts a font for labels when the caller has none.
func labelFont(f *sheet.Font, runes []rune) (*PreparedFont, error) {
	return PrepareFont(f, runes, "ELicense-"+strings.ReplaceAll(f.Family(), " ", "")+"-Label")
}
