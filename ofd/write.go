package ofd

import (
	_ "embed"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"elicense/sheet"
)

// Document is what is written into a package.
type Document struct {
	ID      [16]byte // DocID, a random UUID
	Title   string
	Date    time.Time // CreationDate, a day
	Creator string
	Custom  []Pair // CustomDatas, in this order
	Pages   []sheet.Sheet

	// Labels returns the font for texts marked as labels, usually prepared
	// before; nil makes a new one.
	Labels func(f *sheet.Font, runes []rune) (*PreparedFont, error)

	// Design is what is kept of earlier documents of the same design. With it the
	// first Fixed items of each page become a template page, the texts among them
	// are labels whatever they are marked as, and values are set in the labels'
	// font where that holds all their characters. nil writes everything
	// into the pages, as if nothing were fixed.
	Design *Design

	Attachments []Attachment

	// Signed says that signatures will be put in, for OFD.xml must point to them
	// before it is digested.
	Signed bool
}

// Attachment is a file that goes with the document, of a name such as data.xml.
type Attachment struct {
	Name, Format string
	Data         []byte
}

// PreparedFont is a subset with its file, ready to be put into packages.
type PreparedFont struct {
	Subset *sheet.Subset
	Blob   *Blob
}

// PrepareFont cuts the font for runes, which must be in ascending order, to be
// used in many packages.
func PrepareFont(f *sheet.Font, runes []rune, name string) (*PreparedFont, error) {
	p, err := newFont(f, runes, name)
	if err == nil {
		p.Blob.Small, p.Blob.Deflated = true, nil
	}
	return p, err
}

func newFont(f *sheet.Font, runes []rune, name string) (*PreparedFont, error) {
	sub, err := f.Subset(runes, name)
	if err != nil {
		return nil, err
	}
	return &PreparedFont{sub, &Blob{Data: sub.Data, Deflated: sub.Deflated}}, nil
}

// The places of files in the packages written here. Readers follow references.
const (
	fileOFD         = "OFD.xml"
	fileDocument    = "Doc_0/Document.xml"
	filePublicRes   = "Doc_0/PublicRes.xml"
	fileDocumentRes = "Doc_0/DocumentRes.xml"
	dirRes          = "Doc_0/Res/"
	fileCustomTags  = "Doc_0/Tags/CustomTags.xml"
	fileFields      = "Doc_0/Tags/Fields.xml"
	dirAttachs      = "Doc_0/Attachs/"
	fileAttachments = dirAttachs + "Attachments.xml"

	// SignaturesFile is where the list of signatures goes.
	SignaturesFile = "Doc_0/Signs/Signatures.xml"
)

const (
	xmlHead = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	xmlns   = ` xmlns:ofd="` + Namespace + `"`
)

// Package is a package being made.
type Package struct {
	Entries []Entry
	// PageIDs are the IDs of the pages, in order.
	PageIDs []int
}

// Pack packs the files that are in the package and lets go of what they were packed
// from, a third of which is left: for many packages that wait. Their digests must
// have been found; nothing but these is known of the files from then on.
func (p *Package) Pack() {
	for i := range p.Entries {
		e := &p.Entries[i]
		e.compress()
		lean := &Blob{packed: e.packed, method: e.method, crc: e.crc, size: e.size, digest: e.digest}
		lean.pack.Do(func() {})
		lean.sum.Do(func() {})
		lean.summed.Store(true)
		e.Blob = lean // others may have the one there was
	}
}

// Add puts a file in.
func (p *Package) Add(name string, data []byte) {
	p.Entries = append(p.Entries, Entry{name, NewBlob(data)})
}

// Bytes returns the package as a ZIP file.
func (p *Package) Bytes() []byte { return p.Append(nil) }

// Append is Bytes behind what stands in out, which it may extend.
func (p *Package) Append(out []byte) []byte { return appendZIP(out, p.Entries) }

// Write makes the package of a document.
func Write(d *Document) (*Package, error) {
	if len(d.Pages) == 0 {
		return nil, fmt.Errorf("write OFD: no pages")
	}
	for i := range d.Pages {
		for _, it := range d.Pages[i].Items {
			if sheet.ClipOf(it) != nil {
				return nil, fmt.Errorf("write OFD: page %d has a clipped object", i+1)
			}
		}
	}
	w := &writer{doc: d, pkg: &Package{Entries: make([]Entry, 0, 16)}}
	if d.Design != nil {
		var err error
		if w.plan, w.parts, err = d.Design.plan(d); err != nil {
			return nil, fmt.Errorf("write OFD: %w", err)
		}
		w.lastID, w.fonts, w.images = w.plan.lastID, slices.Clip(w.plan.fonts), slices.Clip(w.plan.images)
	}
	for range d.Pages {
		w.pkg.PageIDs = append(w.pkg.PageIDs, w.newID())
	}
	if err := w.makeFonts(); err != nil {
		return nil, fmt.Errorf("write OFD: %w", err)
	}
	w.pkg.Add(fileOFD, w.ofdXML())
	document := len(w.pkg.Entries)
	w.pkg.Entries = append(w.pkg.Entries, Entry{Name: fileDocument}) // needs the highest ID of all
	if w.plan != nil {
		for i := range w.plan.parts {
			p := &w.plan.parts[i]
			w.pkg.Entries = append(w.pkg.Entries, Entry{p.file(i), p.blob})
		}
	}
	for i := range d.Pages {
		w.pkg.Entries = append(w.pkg.Entries, Entry{pageFile(i), &Blob{Data: w.page(i), codes: pageCodes()}})
	}
	if len(w.fonts) > 0 {
		w.pkg.Add(filePublicRes, w.publicRes())
	}
	for _, f := range w.fonts {
		w.pkg.Entries = append(w.pkg.Entries, Entry{dirRes + f.file(), f.prepared.Blob})
	}
	w.addImages()
	w.addTags()
	w.addAttachments()
	w.pkg.Entries[document].Blob = NewBlob(w.documentXML())
	return w.pkg, nil
}

func pageFile(i int) string { return "Doc_0/Pages/Page_" + strconv.Itoa(i) + "/Content.xml" }

type writer struct {
	doc    *Document
	pkg    *Package
	plan   *plan // of the design, nil without one
	fixed  bool  // the template pages of a design are written, not a document
	parts  []int // of each page, the number of its part in the plan
	lastID int
	fonts  []*fontUse
	images []imageUse
	tags   []tagUse
}

func (w *writer) newID() int { w.lastID++; return w.lastID }

// fontUse is a font of the package: what of one source font is labels, or what
// of it is values.
type fontUse struct {
	source   *sheet.Font
	label    bool
	runes    []rune
	id       int
	prepared *PreparedFont
}

func (f *fontUse) file() string { return "font_" + strconv.Itoa(f.id) + ".ttf" }

func (f *fontUse) holds(s string) bool {
	for _, r := range s {
		if f.prepared.Subset.Glyph(r) == 0 {
			return false
		}
	}
	return true
}

// imageUse is an image of the package. Several may be one file: parts of a
// design have resources of their own.
type imageUse struct {
	id   int
	file string
	img  *sheet.Image
	blob *Blob
}

func imageFormat(mime string) (extension, format string) {
	switch mime {
	case "image/jpeg":
		return ".jpg", "JPEG"
	case "image/bmp":
		return ".bmp", "BMP"
	}
	return ".png", "PNG"
}

// useImage returns the resource of an image, a new one unless it is among the
// resources from first on.
func (w *writer) useImage(im *sheet.Image, first int) int {
	for i := range w.images {
		if u := &w.images[i]; i >= first && u.img.MIME == im.MIME && sameData(u.img.Data, im.Data) {
			return u.id
		}
	}
	u := imageUse{id: w.newID(), img: im}
	for i := range w.images {
		if o := &w.images[i]; o.img.MIME == im.MIME && sameData(o.img.Data, im.Data) {
			u.file, u.blob = o.file, o.blob
		}
	}
	if u.blob == nil {
		extension, _ := imageFormat(im.MIME)
		u.file, u.blob = "image_"+strconv.Itoa(u.id)+extension, &Blob{Data: im.Data, Dense: im.MIME != "image/bmp"}
	}
	w.images = append(w.images, u)
	return u.id
}

type tagUse struct {
	key          string
	page, object int
}

func (w *writer) find(source *sheet.Font, label bool) *fontUse {
	for _, f := range w.fonts {
		if f.source == source && f.label == label {
			return f
		}
	}
	return nil
}

// fontOf returns the font for labels or values of a source font, a new one if
// there is none yet.
func (w *writer) fontOf(source *sheet.Font, label bool) *fontUse {
	f := w.find(source, label)
	if f == nil {
		f = &fontUse{source: source, label: label}
		w.fonts = append(w.fonts, f)
	}
	return f
}

// isLabel tells whether a text is set in the labels' font of its source. Those
// of a design are not cut for a document, but hold what many values consist of.
func (w *writer) isLabel(t *sheet.Text) bool {
	if w.plan == nil {
		return t.Label || w.fixed
	}
	f := w.find(t.Font, true)
	return f != nil && f.holds(t.Text)
}

func checkText(t *sheet.Text) error {
	if t.Font == nil {
		return fmt.Errorf("text %.20q has no font", t.Text)
	}
	if t.Tag != "" && !sheet.ElementName(t.Tag) {
		return fmt.Errorf("tag %.20q can't name an element", t.Tag)
	}
	return nil
}

// makeFonts gathers the characters set in each font and cuts the fonts.
func (w *writer) makeFonts() error {
	made := len(w.fonts)
	for i := range w.doc.Pages {
		for _, it := range w.items(i) {
			t, ok := it.(*sheet.Text)
			if !ok {
				continue
			}
			if err := checkText(t); err != nil {
				return err
			}
			label := w.isLabel(t)
			f := w.fontOf(t.Font, label)
			if label && w.plan != nil {
				continue
			}
			for _, r := range t.Text {
				f.runes = append(f.runes, r)
			}
		}
	}
	for _, f := range w.fonts[made:] {
		if err := w.cut(f); err != nil {
			return err
		}
	}
	return nil
}

// cut makes a font of the characters gathered.
func (w *writer) cut(f *fontUse) (err error) {
	slices.Sort(f.runes)
	f.runes = slices.Compact(f.runes)
	f.id = w.newID()
	switch {
	case f.label && w.doc.Labels != nil:
		f.prepared, err = w.doc.Labels(f.source, f.runes)
	case w.fixed:
		f.prepared, err = labelFont(f.source, f.runes)
	default:
		f.prepared, err = newFont(f.source, f.runes, "ELicenseText"+strconv.Itoa(f.id))
	}
	return err
}

// items returns what of a page is not on a template page.
func (w *writer) items(page int) []sheet.Item {
	s := &w.doc.Pages[page]
	if w.plan == nil {
		return s.Items
	}
	return s.Items[s.Fixed:]
}

func (w *writer) ofdXML() []byte {
	d := w.doc
	b := make([]byte, 0, 2048)
	b = append(b, xmlHead+`<ofd:OFD`+xmlns+` Version="1.0" DocType="OFD"><ofd:DocBody><ofd:DocInfo><ofd:DocID>`...)
	b = hex.AppendEncode(b, d.ID[:])
	b = append(b, `</ofd:DocID>`...)
	b = appendElement(b, "Title", d.Title)
	b = append(b, `<ofd:CreationDate>`...)
	b = d.Date.AppendFormat(b, time.DateOnly)
	b = append(b, `</ofd:CreationDate>`...)
	b = appendElement(b, "Creator", d.Creator)
	if len(d.Custom) > 0 {
		b = append(b, `<ofd:CustomDatas>`...)
		for _, c := range d.Custom {
			b = append(b, `<ofd:CustomData Name="`...)
			b = sheet.AppendEscaped(b, c.Name)
			b = append(b, `">`...)
			b = sheet.AppendEscaped(b, c.Value)
			b = append(b, `</ofd:CustomData>`...)
		}
		b = append(b, `</ofd:CustomDatas>`...)
	}
	b = append(b, `</ofd:DocInfo><ofd:DocRoot>`+fileDocument+`</ofd:DocRoot>`...)
	if d.Signed {
		b = append(b, `<ofd:Signatures>/`+SignaturesFile+`</ofd:Signatures>`...)
	}
	return append(b, `</ofd:DocBody></ofd:OFD>`...)
}

func appendElement(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, `<ofd:`...)
	b = append(b, name...)
	b = append(b, '>')
	b = sheet.AppendEscaped(b, value)
	b = append(b, `</ofd:`...)
	b = append(b, name...)
	return append(b, '>')
}

func (w *writer) documentXML() []byte {
	b := make([]byte, 0, 1024)
	b = append(b, xmlHead+`<ofd:Document`+xmlns+`><ofd:CommonData><ofd:MaxUnitID>`...)
	b = strconv.AppendInt(b, int64(w.lastID), 10)
	b = append(b, `</ofd:MaxUnitID><ofd:PageArea>`...)
	b = appendPhysicalBox(b, &w.doc.Pages[0])
	b = append(b, `</ofd:PageArea>`...)
	if len(w.fonts) > 0 {
		b = append(b, `<ofd:PublicRes>PublicRes.xml</ofd:PublicRes>`...)
	}
	if len(w.images) > 0 {
		b = append(b, `<ofd:DocumentRes>DocumentRes.xml</ofd:DocumentRes>`...)
	}
	if w.plan != nil {
		for i := range w.plan.parts {
			b = append(b, `<ofd:TemplatePage ID="`...)
			b = strconv.AppendInt(b, int64(w.plan.parts[i].id), 10)
			b = append(b, `" ZOrder="Background" BaseLoc="Tpls/Tpl_`...)
			b = strconv.AppendInt(b, int64(i), 10)
			b = append(b, `/Content.xml"/>`...)
		}
	}
	b = append(b, `</ofd:CommonData><ofd:Pages>`...)
	for i, id := range w.pkg.PageIDs {
		b = append(b, `<ofd:Page ID="`...)
		b = strconv.AppendInt(b, int64(id), 10)
		b = append(b, `" BaseLoc="Pages/Page_`...)
		b = strconv.AppendInt(b, int64(i), 10)
		b = append(b, `/Content.xml"/>`...)
	}
	b = append(b, `</ofd:Pages>`...)
	if len(w.tags) > 0 {
		b = append(b, `<ofd:CustomTags>Tags/CustomTags.xml</ofd:CustomTags>`...)
	}
	if len(w.doc.Attachments) > 0 {
		b = append(b, `<ofd:Attachments>Attachs/Attachments.xml</ofd:Attachments>`...)
	}
	return append(b, `</ofd:Document>`...)
}

func appendPhysicalBox(b []byte, s *sheet.Sheet) []byte {
	b = append(b, `<ofd:PhysicalBox>`...)
	b = appendNumbers(b, 0, 0, s.W, s.H)
	return append(b, `</ofd:PhysicalBox>`...)
}

func (w *writer) publicRes() []byte {
	b := make([]byte, 0, 1024)
	b = append(b, xmlHead+`<ofd:Res`+xmlns+` BaseLoc="Res"><ofd:Fonts>`...)
	for _, f := range w.fonts {
		b = append(b, `<ofd:Font ID="`...)
		b = strconv.AppendInt(b, int64(f.id), 10)
		b = append(b, `" FontName="`...)
		b = sheet.AppendEscaped(b, f.prepared.Subset.Name)
		b = append(b, `" FamilyName="`...)
		b = sheet.AppendEscaped(b, f.source.Family())
		b = append(b, `"><ofd:FontFile>`...)
		b = append(b, f.file()...)
		b = append(b, `</ofd:FontFile></ofd:Font>`...)
	}
	return append(b, `</ofd:Fonts></ofd:Res>`...)
}

func appendNumbers(b []byte, values ...float64) []byte {
	for i, v := range values {
		if i > 0 {
			b = append(b, ' ')
		}
		b = sheet.AppendNumber(b, v)
	}
	return b
}

//go:embed sample_page.xml
var samplePage string

// pageCodes are for packing pages, whose text is much alike, made from one of a
// food license.
var pageCodes = sync.OnceValue(func() *sheet.Codes { return sheet.CodesFor(samplePage) })

func (w *writer) page(i int) []byte {
	s := &w.doc.Pages[i]
	b := make([]byte, 0, 16<<10)
	b = append(b, xmlHead+`<ofd:Page`+xmlns+`>`...)
	if w.plan != nil && w.parts[i] >= 0 {
		b = append(b, `<ofd:Template TemplateID="`...)
		b = strconv.AppendInt(b, int64(w.plan.parts[w.parts[i]].id), 10)
		b = append(b, `" ZOrder="Background"/>`...)
	}
	if first := &w.doc.Pages[0]; s.W != first.W || s.H != first.H {
		b = append(b, `<ofd:Area>`...)
		b = appendPhysicalBox(b, s)
		b = append(b, `</ofd:Area>`...)
	}
	b = w.content(b, s, w.items(i), w.pkg.PageIDs[i], "Body")
	return append(b, `</ofd:Page>`...)
}

// content writes the objects of a page, or of a template page, whose ID is 0.
func (w *writer) content(b []byte, s *sheet.Sheet, items []sheet.Item, pageID int, layer string) []byte {
	b = append(b, `<ofd:Content><ofd:Layer ID="`...)
	b = strconv.AppendInt(b, int64(w.newID()), 10)
	b = append(b, `" Type="`...)
	b = append(b, layer...)
	b = append(b, `">`...)
	firstImage := 0
	if pageID == 0 {
		firstImage = len(w.images)
	}
	for _, it := range items {
		switch it := it.(type) {
		case *sheet.Text:
			id := w.newID()
			if it.Tag != "" {
				w.tags = append(w.tags, tagUse{it.Tag, pageID, id})
			}
			b = w.text(b, id, it, s)
		case *sheet.Path:
			b = appendPath(b, w.newID(), it, s)
		case *sheet.Image:
			resource := w.useImage(it, firstImage)
			b = appendImage(b, w.newID(), resource, it, s)
		}
	}
	return append(b, `</ofd:Layer></ofd:Content>`...)
}

func appendID(b []byte, object string, id int) []byte {
	b = append(b, object...)
	b = append(b, ` ID="`...)
	b = strconv.AppendInt(b, int64(id), 10)
	return append(b, `" Boundary="`...)
}

// text writes a TextObject. Everything outside the boundary is clipped, so it is
// taken wider than the type; a turned text gets the page for its boundary.
func (w *writer) text(b []byte, id int, t *sheet.Text, s *sheet.Sheet) []byte {
	f := w.find(t.Font, w.isLabel(t))
	width := t.Size
	for _, a := range t.Advances {
		width += a
	}
	x, y := t.X-t.Size/4, t.Y-t.Size*1.1
	b = appendID(b, `<ofd:TextObject`, id)
	if t.Matrix != nil {
		x, y = 0, 0
		b = appendNumbers(b, 0, 0, s.W, s.H)
		b = append(b, `" CTM="`...)
		b = appendMatrix(b, *t.Matrix)
	} else {
		b = appendNumbers(b, x, y, width, t.Size*1.5)
	}
	b = appendAlpha(b, t.Opacity)
	b = append(b, `" Font="`...)
	b = strconv.AppendInt(b, int64(f.id), 10)
	b = append(b, `" Size="`...)
	b = sheet.AppendNumber(b, t.Size)
	if t.Bold > 0 {
		b = append(b, `" Fill="true" Stroke="true" Join="Round" LineWidth="`...)
		b = sheet.AppendNumber(b, t.Bold)
	}
	b = append(b, `">`...)
	if t.Color != sheet.Black || t.Bold > 0 { // what text is without it (GB/T 33190-2016 11.2)
		b = appendColor(b, "FillColor", t.Color)
	}
	if t.Bold > 0 {
		b = appendColor(b, "StrokeColor", t.Color)
	}
	n := int64(utf8.RuneCountInString(t.Text))
	b = append(b, `<ofd:CGTransform CodePosition="0" CodeCount="`...)
	b = strconv.AppendInt(b, n, 10)
	b = append(b, `" GlyphCount="`...)
	b = strconv.AppendInt(b, n, 10)
	b = append(b, `"><ofd:Glyphs>`...)
	for i, r := range t.Text {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendUint(b, uint64(f.prepared.Subset.Glyph(r)), 10)
	}
	b = append(b, `</ofd:Glyphs></ofd:CGTransform><ofd:TextCode X="`...)
	b = sheet.AppendNumber(b, t.X-x)
	b = append(b, `" Y="`...)
	b = sheet.AppendNumber(b, t.Y-y)
	if n > 1 {
		b = append(b, `" DeltaX="`...)
		b = appendDeltas(b, t.Advances[:min(int(n)-1, len(t.Advances))])
	}
	b = append(b, `">`...)
	b = sheet.AppendEscaped(b, t.Text)
	return append(b, `</ofd:TextCode></ofd:TextObject>`...)
}

// appendDeltas writes advances, three or more equal ones as "g count value".
func appendDeltas(b []byte, deltas []float64) []byte {
	for i := 0; i < len(deltas); {
		j := i + 1
		for j < len(deltas) && deltas[j] == deltas[i] {
			j++
		}
		if i > 0 {
			b = append(b, ' ')
		}
		if j-i >= 3 {
			b = append(b, "g "...)
			b = strconv.AppendInt(b, int64(j-i), 10)
			b = append(b, ' ')
		} else {
			j = i + 1
		}
		b = sheet.AppendNumber(b, deltas[i])
		i = j
	}
	return b
}

// appendAlpha writes how opaque an object is, of 255.
func appendAlpha(b []byte, opacity float64) []byte {
	if opacity > 0 && opacity < 1 {
		b = append(b, `" Alpha="`...)
		b = strconv.AppendInt(b, int64(math.Round(opacity*255)), 10)
	}
	return b
}

func appendMatrix(b []byte, m sheet.Matrix) []byte {
	for i, v := range m {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendFloat(b, math.Round(v*1e6)/1e6, 'f', -1, 64)
	}
	return b
}

func appendColor(b []byte, element string, c sheet.Color) []byte {
	b = append(b, `<ofd:`...)
	b = append(b, element...)
	b = append(b, ` Value="`...)
	b = appendNumbers(b, float64(c.R), float64(c.G), float64(c.B))
	return append(b, `"/>`...)
}

func appendPath(b []byte, id int, p *sheet.Path, s *sheet.Sheet) []byte {
	b = appendID(b, `<ofd:PathObject`, id)
	b = appendNumbers(b, 0, 0, s.W, s.H)
	if p.Matrix != nil {
		b = append(b, `" CTM="`...)
		b = appendMatrix(b, *p.Matrix)
	}
	b = appendAlpha(b, p.Opacity)
	if !p.Stroke {
		b = append(b, `" Stroke="false`...)
	} else {
		b = append(b, `" LineWidth="`...)
		b = sheet.AppendNumber(b, p.Width)
	}
	if p.Fill {
		b = append(b, `" Fill="true`...)
		if p.EvenOdd {
			b = append(b, `" Rule="Even-Odd`...)
		}
	}
	b = append(b, `">`...)
	if p.Stroke {
		b = appendColor(b, "StrokeColor", p.Color)
	}
	if p.Fill {
		b = appendColor(b, "FillColor", p.Color)
	}
	b = append(b, `<ofd:AbbreviatedData>`...)
	b = appendSegments(b, p.Segments)
	for i, s := range p.Strokes {
		if i > 0 || len(p.Segments) > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(append(strconv.AppendInt(append(b, "M "...), int64(s.From), 10), ' '), int64(s.Y), 10)
		b = strconv.AppendInt(append(strconv.AppendInt(append(b, " L "...), int64(s.To), 10), ' '), int64(s.Y), 10)
	}
	return append(b, `</ofd:AbbreviatedData></ofd:PathObject>`...)
}

// segmentLetters and segmentPoints say how GB/T 33190 9.1 writes an operation.
var (
	segmentLetters = [...]byte{sheet.Move: 'M', sheet.Line: 'L', sheet.Quad: 'Q', sheet.Cubic: 'B', sheet.Close: 'C'}
	segmentPoints  = [...]int{sheet.Move: 1, sheet.Line: 1, sheet.Quad: 2, sheet.Cubic: 3, sheet.Close: 0}
)

func appendSegments(b []byte, segments []sheet.Segment) []byte {
	for i := range segments {
		s := &segments[i]
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, segmentLetters[s.Op])
		for _, p := range s.P[:segmentPoints[s.Op]] {
			b = append(b, ' ')
			b = sheet.AppendNumber(b, p.X)
			b = append(b, ' ')
			b = sheet.AppendNumber(b, p.Y)
		}
	}
	return b
}

func appendImage(b []byte, id, resource int, im *sheet.Image, s *sheet.Sheet) []byte {
	b = appendID(b, `<ofd:ImageObject`, id)
	b = appendNumbers(b, 0, 0, s.W, s.H)
	b = append(b, `" CTM="`...)
	b = appendMatrix(b, im.Matrix)
	b = appendAlpha(b, im.Opacity)
	b = append(b, `" ResourceID="`...)
	b = strconv.AppendInt(b, int64(resource), 10)
	return append(b, `"/>`...)
}

func (w *writer) addImages() {
	if len(w.images) == 0 {
		return
	}
	b := []byte(xmlHead + `<ofd:Res` + xmlns + ` BaseLoc="Res"><ofd:MultiMedias>`)
	for i := range w.images {
		im := &w.images[i]
		_, format := imageFormat(im.img.MIME)
		b = append(b, `<ofd:MultiMedia ID="`...)
		b = strconv.AppendInt(b, int64(im.id), 10)
		b = append(b, `" Type="Image" Format="`+format+`"><ofd:MediaFile>`+im.file+`</ofd:MediaFile></ofd:MultiMedia>`...)
		if !slices.ContainsFunc(w.images[:i], func(o imageUse) bool { return o.file == im.file }) {
			w.pkg.Entries = append(w.pkg.Entries, Entry{dirRes + im.file, im.blob})
		}
	}
	w.pkg.Add(fileDocumentRes, append(b, `</ofd:MultiMedias></ofd:Res>`...))
}

// TagNamespace names the elements of the tag file.
const TagNamespace = "urn:elicense:face:1"

// customTags is the list of tag files, the same in every package.
var customTags = NewBlob([]byte(xmlHead + `<ofd:CustomTags` + xmlns + `><ofd:CustomTag TypeID="license" NameSpace="` +
	TagNamespace + `"><ofd:FileLoc>Fields.xml</ofd:FileLoc></ofd:CustomTag></ofd:CustomTags>`))

// addTags writes the index of field values (GB/T 33190 clause 16): one element
// for each field, pointing at the texts that are its value, which may be parted by
// others where a field goes on on an added page.
func (w *writer) addTags() {
	if len(w.tags) == 0 {
		return
	}
	first := make(map[string]int, len(w.tags))
	for i, t := range w.tags {
		if _, ok := first[t.key]; !ok {
			first[t.key] = i
		}
	}
	slices.SortStableFunc(w.tags, func(a, b tagUse) int { return first[a.key] - first[b.key] })
	w.pkg.Entries = append(w.pkg.Entries, Entry{fileCustomTags, customTags})
	b := make([]byte, 0, 2048)
	b = append(b, xmlHead+`<lic:License xmlns:lic="`+TagNamespace+`"`+xmlns+`>`...)
	for i := 0; i < len(w.tags); {
		key := w.tags[i].key
		b = append(b, `<lic:`...)
		b = append(b, key...)
		b = append(b, '>')
		for ; i < len(w.tags) && w.tags[i].key == key; i++ {
			b = append(b, `<ofd:ObjectRef PageRef="`...)
			b = strconv.AppendInt(b, int64(w.tags[i].page), 10)
			b = append(b, `">`...)
			b = strconv.AppendInt(b, int64(w.tags[i].object), 10)
			b = append(b, `</ofd:ObjectRef>`...)
		}
		b = append(b, `</lic:`...)
		b = append(b, key...)
		b = append(b, '>')
	}
	w.pkg.Add(fileFields, append(b, `</lic:License>`...))
}

func (w *writer) addAttachments() {
	if len(w.doc.Attachments) == 0 {
		return
	}
	b := []byte(xmlHead + `<ofd:Attachments` + xmlns + `>`)
	for i, a := range w.doc.Attachments {
		file := "attachment_" + strconv.Itoa(i+1)
		b = append(b, `<ofd:Attachment ID="a`...)
		b = strconv.AppendInt(b, int64(i+1), 10)
		b = append(b, `" Name="`...)
		b = sheet.AppendEscaped(b, a.Name)
		b = append(b, `" Format="`...)
		b = sheet.AppendEscaped(b, a.Format)
		b = append(b, `" Size="`...)
		b = sheet.AppendNumber(b, float64(len(a.Data))/1024)
		b = append(b, `" Visible="false"><ofd:FileLoc>`+file+`</ofd:FileLoc></ofd:Attachment>`...)
		w.pkg.Add(dirAttachs+file, a.Data)
	}
	w.pkg.Add(fileAttachments, append(b, `</ofd:Attachments>`...))
}
