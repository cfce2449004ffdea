package ofd

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"elicense/sheet"
)

// Bounds on what the pages of one package may draw together. Objects, characters
// and steps of paths count one each, images a hundred bytes for one: a small
// file may use the same large page, font or image any number of times.
const (
	maxItems = 300_000
	maxPages = 2000
)

// pageReader turns the pages of one document into sheets.
type pageReader struct {
	f         *File
	root      string
	doc       *Element
	title     string
	w, h      float64
	resources map[string]resource
	fonts     map[string]*sheet.Font // by ID; nil for those that can't be used
	items     int
}

// resource is a font or an image a document may use, and where it was declared.
type resource struct {
	e    *Element
	file string // of the font or image, "" if it is not in the package
}

func (f *File) newPageReader(b *Body) (*pageReader, error) {
	doc, err := f.XML(b.Root)
	if err != nil {
		return nil, err
	}
	r := &pageReader{f: f, root: b.Root, doc: doc, title: b.Title, resources: map[string]resource{}, fonts: map[string]*sheet.Font{}}
	common := doc.Child("CommonData")
	r.w, r.h = pageSize(common.Child("PageArea"), 210, 297)
	for _, kind := range []string{"PublicRes", "DocumentRes"} {
		for _, loc := range common.All(kind) {
			r.declare(b.Root, loc.Value())
		}
	}
	return r, nil
}

// declare notes the fonts and images of a resource file. One that can't be read
// leaves its objects undrawn; whether it was tampered with is the signature's
// business.
func (r *pageReader) declare(from, loc string) {
	res, name, err := r.f.follow(from, loc)
	if err != nil {
		return
	}
	base, err := Resolve(name, "./"+res.Attr("BaseLoc")+"/x")
	if strings.HasPrefix(res.Attr("BaseLoc"), "/") {
		base, err = Resolve(name, res.Attr("BaseLoc")+"/x")
	}
	if err != nil {
		return
	}
	note := func(e *Element, file string) {
		n, _ := Resolve(base, file)
		r.resources[e.Attr("ID")] = resource{e, n}
	}
	for _, fonts := range res.All("Fonts") {
		for _, e := range fonts.All("Font") {
			note(e, e.Child("FontFile").Value())
		}
	}
	for _, media := range res.All("MultiMedias") {
		for _, e := range media.All("MultiMedia") {
			note(e, e.Child("MediaFile").Value())
		}
	}
}

func (r *pageReader) font(id string) *sheet.Font {
	f, known := r.fonts[id]
	if known {
		return f
	}
	if entry := r.f.Find(r.resources[id].file); entry != nil {
		f, _ = sheet.ParseFont(entry.Data)
	}
	r.fonts[id] = f
	return f
}

func (r *pageReader) page(p *Element) (*sheet.Sheet, error) {
	page, name, err := r.f.follow(r.root, p.Attr("BaseLoc"))
	if err != nil {
		return nil, err
	}
	s := &sheet.Sheet{Title: r.title}
	s.W, s.H = pageSize(page.Child("Area"), r.w, r.h)
	for _, loc := range page.All("PageRes") {
		r.declare(name, loc.Value())
	}
	r.templates(s, page, false)
	r.content(s, page)
	r.templates(s, page, true)
	if r.spent() {
		return nil, &FileError{name, ErrTooLarge}
	}
	return s, nil
}

// spend counts what is drawn and tells whether it may be.
func (r *pageReader) spend(n int) bool {
	r.items += n
	return !r.spent()
}

func (r *pageReader) spent() bool { return r.items > maxItems }

// templates draws the template pages a page stands on, or those over it.
func (r *pageReader) templates(s *sheet.Sheet, page *Element, foreground bool) {
	for _, t := range page.All("Template") {
		if (t.Attr("ZOrder") == "Foreground") != foreground {
			continue
		}
		for _, d := range r.doc.Child("CommonData").All("TemplatePage") {
			if d.Attr("ID") != t.Attr("TemplateID") {
				continue
			}
			if e, name, err := r.f.follow(r.root, d.Attr("BaseLoc")); err == nil {
				for _, loc := range e.All("PageRes") {
					r.declare(name, loc.Value())
				}
				r.content(s, e)
			}
		}
	}
}

func (r *pageReader) content(s *sheet.Sheet, page *Element) {
	for _, layer := range page.Child("Content").All("Layer") {
		r.objects(s, layer)
	}
}

func (r *pageReader) objects(s *sheet.Sheet, e *Element) {
	for _, c := range e.Children {
		if !r.spend(1) {
			return
		}
		switch c.Name {
		case "TextObject":
			r.text(s, c)
		case "PathObject":
			r.path(s, c)
		case "ImageObject":
			r.image(s, c)
		case "PageBlock":
			r.objects(s, c)
		}
	}
}

// frame is where an object stands: its transformation, if it has one, and the
// corner of its boundary.
type frame struct {
	ctm  *sheet.Matrix
	x, y float64
}

func frameOf(e *Element) frame {
	var fr frame
	if b := numbers(e.Attr("Boundary"), 4); len(b) == 4 {
		fr.x, fr.y = b[0], b[1]
	}
	if m := numbers(e.Attr("CTM"), 6); len(m) == 6 {
		ctm := sheet.Matrix(m).Then(sheet.Matrix{1, 0, 0, 1, fr.x, fr.y})
		fr.ctm = &ctm
		fr.x, fr.y = 0, 0
	}
	return fr
}

// lineWidth is the width of an object's stroke; GB/T 33190 has a default.
func lineWidth(e *Element) float64 {
	if v := e.Attr("LineWidth"); v != "" {
		return number(v)
	}
	return 0.353
}

// alphaOf is how opaque an object is, 0 meaning 1.
func alphaOf(e *Element) float64 {
	v := e.Attr("Alpha")
	if v == "" {
		return 0
	}
	return min(max(number(v), 1), 255) / 255
}

func (r *pageReader) text(s *sheet.Sheet, e *Element) {
	if e.Attr("Fill") == "false" && e.Attr("Stroke") != "true" {
		return
	}
	fr := frameOf(e)
	size := number(e.Attr("Size"))
	if size <= 0 || size > 1e4 {
		return
	}
	font := r.font(e.Attr("Font"))
	declared := r.resources[e.Attr("Font")].e
	family := declared.Attr("FamilyName")
	if family == "" {
		family = declared.Attr("FontName")
	}
	color := colorOf(e.Child("FillColor"), sheet.Black)
	bold := 0.0
	if e.Attr("Stroke") == "true" {
		bold = lineWidth(e)
	}
	var x, y float64
	var transforms []*Element
	for _, c := range e.Children {
		switch c.Name {
		case "CGTransform", "CGTransfrom": // older writers misspell it
			transforms = append(transforms, c)
		case "TextCode":
			if v := c.Attr("X"); v != "" {
				x = number(v)
			}
			if v := c.Attr("Y"); v != "" {
				y = number(v)
			}
			t := &sheet.Text{
				Font: font, Family: family, Text: c.Text, Size: size, X: x + fr.x, Y: y + fr.y, Color: color,
				Bold: bold, Opacity: alphaOf(e), Matrix: fr.ctm,
			}
			r.setCode(s, t, c, transforms)
			transforms = nil
		}
	}
}

// setCode places the characters of one TextCode. Characters that also move down
// become runs of their own.
func (r *pageReader) setCode(s *sheet.Sheet, t *sheet.Text, code *Element, transforms []*Element) {
	n := utf8.RuneCountInString(t.Text)
	if n == 0 || !r.spend(n) {
		return
	}
	if t.Font != nil {
		t.Glyphs = glyphsOf(t.Font, t.Text, n, transforms)
	}
	dx, dy := deltas(code.Attr("DeltaX"), n-1), deltas(code.Attr("DeltaY"), n-1)
	level := true
	for _, d := range dy {
		level = level && d == 0
	}
	if level {
		t.Advances = dx
		s.Items = append(s.Items, t)
		return
	}
	i := 0
	for _, c := range t.Text {
		one := *t
		one.Text, one.Advances = string(c), nil
		if t.Glyphs != nil {
			one.Glyphs = t.Glyphs[i : i+1]
		}
		s.Items = append(s.Items, &one)
		if i < len(dx) {
			t.X += dx[i]
		}
		if i < len(dy) {
			t.Y += dy[i]
		}
		i++
	}
}

// glyphsOf returns one glyph for each of n characters: what the transforms say,
// or what the font maps. The counts in a file are bounded by the text.
func glyphsOf(font *sheet.Font, text string, n int, transforms []*Element) []sheet.GlyphID {
	glyphs := make([]sheet.GlyphID, 0, n)
	for _, c := range text {
		glyphs = append(glyphs, font.Glyph(c))
	}
	for _, t := range transforms {
		at, err := strconv.Atoi(t.Attr("CodePosition"))
		if err != nil || at < 0 || at >= n {
			continue
		}
		for field := range strings.FieldsSeq(t.Child("Glyphs").Value()) {
			g, err := strconv.ParseUint(field, 10, 16)
			if err != nil || at >= n {
				break
			}
			glyphs[at] = sheet.GlyphID(g)
			at++
		}
	}
	return glyphs
}

// deltas reads at most n advances, "g 5 2" meaning five times 2.
func deltas(s string, n int) []float64 {
	if s == "" || n <= 0 {
		return nil
	}
	list := make([]float64, 0, min(n, len(s)))
	var repeat int
	state := 0 // 1 after g, 2 after its count
	for field := range strings.FieldsSeq(s) {
		switch {
		case field == "g":
			state = 1
			continue
		case state == 1:
			repeat, _ = strconv.Atoi(field)
			state = 2
			continue
		case state == 0:
			repeat = 1
		}
		v := number(field)
		for range min(repeat, n-len(list)) {
			list = append(list, v)
		}
		if state = 0; len(list) >= n {
			break
		}
	}
	return list
}

func (r *pageReader) path(s *sheet.Sheet, e *Element) {
	p := &sheet.Path{
		Stroke: e.Attr("Stroke") != "false", Fill: e.Attr("Fill") == "true",
		EvenOdd: e.Attr("Rule") == "Even-Odd", Width: lineWidth(e),
	}
	p.Opacity = alphaOf(e)
	fr := frameOf(e)
	p.Matrix = fr.ctm
	p.Segments = segments(e.Child("AbbreviatedData").Value(), fr.x, fr.y)
	if len(p.Segments) == 0 || !r.spend(len(p.Segments)) {
		return
	}
	stroke, fill := colorOf(e.Child("StrokeColor"), sheet.Black), colorOf(e.Child("FillColor"), sheet.Black)
	p.Color = fill
	if p.Stroke && !p.Fill {
		p.Color = stroke
	} else if p.Stroke && stroke != fill { // a path of a sheet has one colour
		under := *p
		under.Stroke = false
		s.Items = append(s.Items, &under)
		p.Fill, p.Color = false, stroke
	}
	s.Items = append(s.Items, p)
}

// segments reads the data of a path (GB/T 33190 9.1) moved by (x, y).
func segments(data string, x, y float64) []sheet.Segment {
	tokens := strings.Fields(data)
	list := make([]sheet.Segment, 0, len(tokens)/3+1)
	var at sheet.Point
	point := func(i int) (sheet.Point, bool) {
		if i+1 >= len(tokens) {
			return sheet.Point{}, false
		}
		return sheet.Point{X: number(tokens[i]) + x, Y: number(tokens[i+1]) + y}, true
	}
	for i := 0; i < len(tokens); {
		var seg sheet.Segment
		switch tokens[i] {
		case "S", "M":
			seg.Op = sheet.Move
		case "L":
			seg.Op = sheet.Line
		case "Q":
			seg.Op = sheet.Quad
		case "B":
			seg.Op = sheet.Cubic
		case "C":
			seg.Op = sheet.Close
		case "A":
			if end, ok := point(i + 6); ok {
				list = appendArc(list, at, number(tokens[i+1]), number(tokens[i+2]), number(tokens[i+3]),
					tokens[i+4] == "1", tokens[i+5] == "1", end)
				at = end
			}
			i += 8
			continue
		default:
			i++
			continue
		}
		i++
		ok := true
		for k := 0; k < segmentPoints[seg.Op] && ok; k++ {
			seg.P[k], ok = point(i)
			at = seg.P[k]
			i += 2
		}
		if !ok {
			return list
		}
		list = append(list, seg)
	}
	return list
}

// appendArc draws an elliptical arc as cubic curves, each a quarter turn or less
// (SVG 1.1 F.6 gives the centre).
func appendArc(list []sheet.Segment, from sheet.Point, rx, ry, angle float64, large, sweep bool, to sheet.Point) []sheet.Segment {
	rx, ry = math.Abs(rx), math.Abs(ry)
	if rx < 1e-6 || ry < 1e-6 || from == to {
		return append(list, sheet.Segment{Op: sheet.Line, P: [3]sheet.Point{to}})
	}
	sin, cos := math.Sincos(angle * math.Pi / 180)
	dx, dy := (from.X-to.X)/2, (from.Y-to.Y)/2
	x1, y1 := cos*dx+sin*dy, cos*dy-sin*dx
	if l := x1*x1/(rx*rx) + y1*y1/(ry*ry); l > 1 {
		rx, ry = rx*math.Sqrt(l), ry*math.Sqrt(l)
	}
	q := rx*rx*y1*y1 + ry*ry*x1*x1
	k := math.Sqrt(max(0, (rx*rx*ry*ry-q)/q))
	if large == sweep {
		k = -k
	}
	cx1, cy1 := k*rx*y1/ry, -k*ry*x1/rx
	m := sheet.Matrix{cos * rx, sin * rx, -sin * ry, cos * ry, cos*cx1 - sin*cy1 + (from.X+to.X)/2, sin*cx1 + cos*cy1 + (from.Y+to.Y)/2}
	start := math.Atan2((y1-cy1)/ry, (x1-cx1)/rx)
	turn := math.Atan2((-y1-cy1)/ry, (-x1-cx1)/rx) - start
	if sweep && turn < 0 {
		turn += 2 * math.Pi
	} else if !sweep && turn > 0 {
		turn -= 2 * math.Pi
	}
	if math.IsNaN(turn) {
		return append(list, sheet.Segment{Op: sheet.Line, P: [3]sheet.Point{to}})
	}
	n := int(math.Ceil(math.Abs(turn)/(math.Pi/2) - 1e-9))
	step := turn / float64(max(n, 1))
	h := 4.0 / 3 * math.Tan(step/4)
	for i := range n {
		s1, c1 := math.Sincos(start + float64(i)*step)
		s2, c2 := math.Sincos(start + float64(i+1)*step)
		list = append(list, sheet.Segment{Op: sheet.Cubic, P: [3]sheet.Point{
			m.Apply(sheet.Point{X: c1 - h*s1, Y: s1 + h*c1}),
			m.Apply(sheet.Point{X: c2 + h*s2, Y: s2 - h*c2}),
			m.Apply(sheet.Point{X: c2, Y: s2}),
		}})
	}
	return list
}

// The formats of images browsers draw, by how they begin.
var imageTypes = []struct{ magic, mime string }{
	{"\x89PNG\r\n\x1a\n", "image/png"}, {"\xff\xd8\xff", "image/jpeg"}, {"BM", "image/bmp"},
}

func (r *pageReader) image(s *sheet.Sheet, e *Element) {
	entry := r.f.Find(r.resources[e.Attr("ResourceID")].file)
	if entry == nil || !r.spend(len(entry.Data)/100) {
		return
	}
	im := &sheet.Image{Data: entry.Data, MIME: ImageType(entry.Data), Opacity: alphaOf(e)}
	fr := frameOf(e)
	if fr.ctm != nil {
		im.Matrix = *fr.ctm
	} else if b := numbers(e.Attr("Boundary"), 4); len(b) == 4 {
		im.Matrix = sheet.Matrix{b[2], 0, 0, b[3], b[0], b[1]}
	}
	s.Items = append(s.Items, im)
}

// ImageType returns the MIME type of a picture, "" if it is of no format drawn.
func ImageType(data []byte) string {
	for _, t := range imageTypes {
		if bytes.HasPrefix(data, []byte(t.magic)) {
			return t.mime
		}
	}
	return ""
}

func colorOf(e *Element, otherwise sheet.Color) sheet.Color {
	fields := strings.Fields(e.Attr("Value"))
	if len(fields) != 3 {
		return otherwise
	}
	var v [3]uint8
	for i, s := range fields {
		base := 10
		if hex, ok := strings.CutPrefix(s, "#"); ok {
			s, base = hex, 16
		}
		n, err := strconv.ParseUint(s, base, 8)
		if err != nil {
			return otherwise
		}
		v[i] = uint8(n)
	}
	return sheet.Color{R: v[0], G: v[1], B: v[2]}
}

// number reads a measure; what is none, or out of all proportion, is 0.
func number(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.Abs(v) > 1e6 {
		return 0
	}
	return v
}

// numbers reads exactly n measures, or returns nil.
func numbers(s string, n int) []float64 {
	fields := strings.Fields(s)
	if len(fields) != n {
		return nil
	}
	list := make([]float64, n)
	for i, f := range fields {
		list[i] = number(f)
	}
	return list
}
