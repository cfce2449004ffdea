package ofd

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"elicense/sheet"
)

// Bounds on what the pages of one package may draw together: a small file may
// use the same large page, font or image any number of times. Characters and
// steps of paths count one each, objects a few for what they take by themselves,
// images one for a hundred bytes.
const (
	maxItems   = 300_000
	objectCost = 4
	pageCost   = 100 // bytes of a page file that count as one
	maxPages   = 2000
	// maxChain bounds draw parameters that rest on others, and composite objects
	// in composite objects.
	maxChain = 8
)

// pageReader turns the pages of one document into sheets.
type pageReader struct {
	f           *File
	root        string
	doc         *Element
	title       string
	w, h        float64
	declared    map[string]bool // resource files read
	resources   map[string]resource
	fonts       map[string]*sheet.Font // by file; nil for those that can't be used
	templates   map[string]string      // locations of template pages by their ID
	annotations map[string][]location  // annotation files by the ID of their page
	depth       int                    // of composite objects
	items       int
}

// location is a reference that stands in a file.
type location struct{ from, loc string }

// resource is something a document may use, and where it was declared.
type resource struct {
	e    *Element
	file string // of the font or image, "" if it is not in the package
}

func (f *File) newPageReader(b *Body) (*pageReader, error) {
	doc, err := f.XML(b.Root)
	if err != nil {
		return nil, err
	}
	r := &pageReader{
		f: f, root: b.Root, doc: doc, title: b.Title, declared: map[string]bool{}, resources: map[string]resource{},
		fonts: map[string]*sheet.Font{}, templates: map[string]string{}, annotations: map[string][]location{},
	}
	common := doc.Child("CommonData")
	r.w, r.h = pageSize(common.Child("PageArea"), 210, 297)
	for _, kind := range []string{"PublicRes", "DocumentRes"} {
		for _, loc := range common.All(kind) {
			r.declare(b.Root, loc.Value())
		}
	}
	for _, t := range common.All("TemplatePage") {
		r.templates[t.Attr("ID")] = t.Attr("BaseLoc")
	}
	if loc := doc.Child("Annotations").Value(); loc != "" {
		if list, name, err := f.follow(b.Root, loc); err == nil {
			for _, p := range list.All("Page") {
				id := p.Attr("PageID")
				r.annotations[id] = append(r.annotations[id], location{name, p.Child("FileLoc").Value()})
			}
		}
	}
	return r, nil
}

// declare notes what a resource file holds. One that can't be read leaves its
// objects undrawn; whether it was tampered with is the signature's business.
func (r *pageReader) declare(from, loc string) {
	res, name, err := r.f.follow(from, loc)
	if err != nil || r.declared[name] {
		return
	}
	r.declared[name] = true
	base, err := Resolve(name, "./"+res.Attr("BaseLoc")+"/x")
	if strings.HasPrefix(res.Attr("BaseLoc"), "/") {
		base, err = Resolve(name, res.Attr("BaseLoc")+"/x")
	}
	if err != nil {
		return
	}
	for _, kind := range []struct{ list, element, file string }{
		{"Fonts", "Font", "FontFile"}, {"MultiMedias", "MultiMedia", "MediaFile"},
		{"DrawParams", "DrawParam", ""}, {"CompositeGraphicUnits", "CompositeGraphicUnit", ""},
	} {
		for _, list := range res.All(kind.list) {
			for _, e := range list.All(kind.element) {
				n := ""
				if kind.file != "" {
					n, _ = Resolve(base, e.Child(kind.file).Value())
				}
				r.resources[e.Attr("ID")] = resource{e, n}
			}
		}
	}
}

// find returns a resource of a kind, nil if there is none.
func (r *pageReader) find(id, kind string) *Element {
	if e := r.resources[id].e; e != nil && e.Name == kind {
		return e
	}
	return nil
}

func (r *pageReader) font(id string) *sheet.Font {
	file := r.resources[id].file
	f, known := r.fonts[file]
	if known {
		return f
	}
	if entry := r.f.Find(file); entry != nil {
		f, _ = sheet.ParseFont(entry.Data)
	}
	r.fonts[file] = f
	return f
}

// once reads a file that is drawn once, without keeping its elements.
func (r *pageReader) once(from, loc string) (*Element, string, error) {
	name, err := Resolve(from, loc)
	if err != nil {
		return nil, "", &FileError{from, err}
	}
	if entry := r.f.Find(name); entry != nil && !r.spend(len(entry.Data)/pageCost) {
		return nil, name, &FileError{name, ErrTooLarge}
	}
	e, err := r.f.parse(name)
	return e, name, err
}

func (r *pageReader) page(p *Element) (*sheet.Sheet, error) {
	page, name, err := r.once(r.root, p.Attr("BaseLoc"))
	if err != nil {
		return nil, err
	}
	s := &sheet.Sheet{Title: r.title}
	s.W, s.H = pageSize(page.Child("Area"), r.w, r.h)
	for _, loc := range page.All("PageRes") {
		r.declare(name, loc.Value())
	}
	r.drawTemplates(s, page, false)
	r.content(s, page)
	r.drawTemplates(s, page, true)
	r.annotate(s, p.Attr("ID"))
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

// drawTemplates draws the template pages a page stands on, or those over it.
func (r *pageReader) drawTemplates(s *sheet.Sheet, page *Element, foreground bool) {
	for _, t := range page.All("Template") {
		if (t.Attr("ZOrder") == "Foreground") != foreground || !r.spend(1) {
			continue
		}
		if e, name, err := r.f.follow(r.root, r.templates[t.Attr("TemplateID")]); err == nil {
			for _, loc := range e.All("PageRes") {
				r.declare(name, loc.Value())
			}
			r.content(s, e)
		}
	}
}

// annotate draws the annotations of a page that are to be seen.
func (r *pageReader) annotate(s *sheet.Sheet, pageID string) {
	for _, at := range r.annotations[pageID] {
		list, _, err := r.once(at.from, at.loc)
		if err != nil {
			continue
		}
		for _, a := range list.All("Annot") {
			if a.Attr("Visible") == "false" || !r.spend(1) {
				continue
			}
			appearance := a.Child("Appearance")
			var inner sheet.Sheet
			r.objects(&inner, appearance, nil)
			if r.spend(objectCost * len(inner.Items)) { // they are copied
				inner.Place(s, *frameOf(appearance).matrix(), 0)
			}
		}
	}
}

// layers are the kinds of layers in the order they lie on each other.
var layers = []string{"Background", "Body", "Foreground"}

func (r *pageReader) content(s *sheet.Sheet, page *Element) {
	all := page.Child("Content").All("Layer")
	for _, kind := range layers {
		for _, layer := range all {
			t := layer.Attr("Type")
			if t == kind || kind == "Body" && t != layers[0] && t != layers[2] {
				r.objects(s, layer, r.params(nil, layer.Attr("DrawParam")))
			}
		}
	}
}

func (r *pageReader) objects(s *sheet.Sheet, e *Element, outer style) {
	if e == nil {
		return
	}
	for _, c := range e.Children {
		if !r.spend(1) {
			return
		}
		if c.Attr("Visible") == "false" {
			continue
		}
		switch c.Name {
		case "TextObject":
			r.text(s, c, r.styleOf(c, outer))
		case "PathObject":
			r.path(s, c, r.styleOf(c, outer))
		case "ImageObject":
			r.image(s, c)
		case "CompositeObject":
			r.composite(s, c)
		case "PageBlock":
			r.objects(s, c, outer)
		}
	}
}

// composite draws a drawing kept as a resource.
func (r *pageReader) composite(s *sheet.Sheet, e *Element) {
	unit := r.find(e.Attr("ResourceID"), "CompositeGraphicUnit")
	if unit == nil || r.depth >= maxChain {
		return
	}
	r.depth++
	var inner sheet.Sheet
	r.objects(&inner, unit.Child("Content"), nil)
	r.depth--
	if r.spend(objectCost * len(inner.Items)) { // they are copied
		inner.Place(s, *frameOf(e).matrix(), alphaOf(e))
	}
}

// style is where the looks of an object are told: on it, in its draw parameters,
// in those these rest on, in those of its layer. The first that says something
// counts.
type style []*Element

func (r *pageReader) styleOf(e *Element, outer style) style {
	id := e.Attr("DrawParam")
	if id == "" && len(outer) == 0 {
		return style{e}
	}
	return append(r.params(style{e}, id), outer...)
}

// params appends draw parameters and those they rest on.
func (r *pageReader) params(st style, id string) style {
	for range maxChain {
		e := r.find(id, "DrawParam")
		if e == nil {
			break
		}
		st = append(st, e)
		id = e.Attr("Relative")
	}
	return st
}

func (st style) child(name string) *Element {
	for _, e := range st {
		if c := e.Child(name); c != nil {
			return c
		}
	}
	return nil
}

// lineWidth is the width of an object's stroke; GB/T 33190 has a default.
func (st style) lineWidth() float64 {
	for _, e := range st {
		if v := e.Attr("LineWidth"); v != "" {
			return number(v)
		}
	}
	return 0.353
}

// frame is where an object stands: its transformation, if it has one, and the
// corner of its boundary.
type frame struct {
	ctm  *sheet.Matrix
	x, y float64
}

// matrix maps what stands in the object to the page.
func (fr frame) matrix() *sheet.Matrix {
	if fr.ctm != nil {
		return fr.ctm
	}
	return &sheet.Matrix{1, 0, 0, 1, fr.x, fr.y}
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

// clip reads what an object is clipped to, in its own space. Of several clips,
// which would have to be cut with each other, the first counts; clips by text are
// left out.
func (r *pageReader) clip(e *Element, fr frame) sheet.Clip {
	var out sheet.Clip
	for _, area := range e.Child("Clips").Child("Clip").All("Area") {
		path := area.Child("Path")
		if path == nil {
			return nil
		}
		in := frameOf(path)
		m := *fr.matrix()
		if ctm := numbers(area.Attr("CTM"), 6); len(ctm) == 6 {
			m = sheet.Matrix(ctm).Then(m)
		}
		if in.ctm != nil {
			m = in.ctm.Then(m)
		}
		list := segments(path.Child("AbbreviatedData").Value(), in.x, in.y)
		if !r.spend(len(list)) {
			return nil
		}
		for _, s := range list {
			for k, p := range s.P {
				s.P[k] = m.Apply(p)
			}
			out = append(out, s)
		}
	}
	return out
}

// alphaOf is how opaque an object or a colour is, 0 meaning 1.
func alphaOf(e *Element) float64 {
	v := e.Attr("Alpha")
	if v == "" {
		return 0
	}
	return min(max(number(v), 1), 255) / 255
}

// bothAlphas multiplies two of them.
func bothAlphas(a, b float64) float64 {
	if a == 0 {
		return b
	} else if b == 0 {
		return a
	}
	return a * b
}

// slant is how far italics lean, which files ask for that have no italic font.
const slant = 0.21

func (r *pageReader) text(s *sheet.Sheet, e *Element, st style) {
	stroked := e.Attr("Stroke") == "true"
	if e.Attr("Fill") == "false" && !stroked {
		return
	}
	fr := frameOf(e)
	size := number(e.Attr("Size"))
	if size <= 0 || size > 1e4 {
		return
	}
	id := e.Attr("Font")
	declared := r.find(id, "Font")
	t := sheet.Text{Font: r.font(id), Family: declared.Attr("FamilyName"), Size: size}
	if t.Family == "" {
		t.Family = declared.Attr("FontName")
	}
	color := st.child("FillColor")
	if e.Attr("Fill") == "false" {
		color = st.child("StrokeColor")
	}
	t.Color = colorOf(color, sheet.Black)
	t.Opacity = bothAlphas(alphaOf(e), alphaOf(color))
	if stroked && e.Attr("Fill") != "false" {
		t.Bold = st.lineWidth()
	} else if weight := number(e.Attr("Weight")); weight >= 600 && weight <= 1000 && declared.Attr("Bold") != "true" {
		t.Bold = size * (weight - 400) / 400 * 0.03
	}
	t.Clip = r.clip(e, fr)
	run := textRun{ctm: fr.ctm, stretch: 1}
	if v := number(e.Attr("HScale")); v > 0 && v < 100 {
		run.stretch = v
	}
	if e.Attr("Italic") == "true" && declared.Attr("Italic") != "true" {
		run.lean = slant
	}
	var x, y float64
	for _, c := range e.Children {
		switch c.Name {
		case "CGTransform", "CGTransfrom": // older writers misspell it
			run.transforms = append(run.transforms, c)
		case "TextCode":
			if v := c.Attr("X"); v != "" {
				x = number(v)
			}
			if v := c.Attr("Y"); v != "" {
				y = number(v)
			}
			run.Text = t
			run.Text.Text, run.X, run.Y = c.Text, x+fr.x, y+fr.y
			r.setCode(s, &run, c)
			run.transforms = nil
		}
	}
}

// textRun is a text being read with what a sheet has no words for.
type textRun struct {
	sheet.Text
	ctm        *sheet.Matrix
	stretch    float64 // of the characters along the line, not of their places
	lean       float64
	transforms []*Element
}

// put puts the text on the page.
func (t *textRun) put(s *sheet.Sheet) {
	text := t.Text
	text.Matrix = t.ctm
	if t.stretch != 1 || t.lean != 0 {
		m := sheet.Matrix{t.stretch, 0, 0 - t.lean, 1, t.X - t.stretch*t.X + t.lean*t.Y, 0}
		if t.ctm != nil {
			m = m.Then(*t.ctm)
		}
		text.Matrix = &m
		text.Advances = slices.Clone(t.Advances)
		for i := range text.Advances {
			text.Advances[i] /= t.stretch
		}
	}
	s.Items = append(s.Items, &text)
}

// setCode places the characters of one TextCode. Characters that also move down
// become runs of their own.
func (r *pageReader) setCode(s *sheet.Sheet, t *textRun, code *Element) {
	n := utf8.RuneCountInString(t.Text.Text)
	if n == 0 || !r.spend(n+objectCost) {
		return
	}
	if t.Font != nil {
		t.Glyphs = glyphsOf(t.Font, t.Text.Text, n, t.transforms)
	}
	dx, dy := deltas(code.Attr("DeltaX"), n-1), deltas(code.Attr("DeltaY"), n-1)
	level := true
	for _, d := range dy {
		level = level && d == 0
	}
	if level {
		t.Advances = dx
		t.put(s)
		return
	}
	if !r.spend(objectCost * n) {
		return
	}
	all, glyphs := t.Text.Text, t.Glyphs
	i := 0
	for _, c := range all {
		t.Text.Text = string(c)
		if glyphs != nil {
			t.Glyphs = glyphs[i : i+1]
		}
		t.put(s)
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

func (r *pageReader) path(s *sheet.Sheet, e *Element, st style) {
	fr := frameOf(e)
	p := sheet.Path{EvenOdd: e.Attr("Rule") == "Even-Odd", Matrix: fr.ctm}
	p.Segments = segments(e.Child("AbbreviatedData").Value(), fr.x, fr.y)
	if len(p.Segments) == 0 || !r.spend(len(p.Segments)+objectCost) {
		return
	}
	p.Clip = r.clip(e, fr)
	alpha := alphaOf(e)
	fill, line := p, p                                                            // a path of a sheet has one colour
	if color := st.child("FillColor"); e.Attr("Fill") == "true" && color != nil { // without a colour it is transparent
		fill.Fill = true
		fill.Color = colorOf(color, sheet.Black)
		fill.Opacity = bothAlphas(alpha, alphaOf(color))
	}
	if color := st.child("StrokeColor"); e.Attr("Stroke") != "false" {
		line.Stroke, line.Width = true, st.lineWidth()
		line.Color = colorOf(color, sheet.Black)
		line.Opacity = bothAlphas(alpha, alphaOf(color))
	}
	if fill.Fill && line.Stroke && fill.Color == line.Color && fill.Opacity == line.Opacity {
		line.Fill, fill.Fill = true, false
	}
	if fill.Fill {
		s.Items = append(s.Items, &fill)
	}
	if line.Stroke {
		s.Items = append(s.Items, &line)
	}
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
	if entry == nil || !r.spend(len(entry.Data)/100+objectCost) {
		return
	}
	im := &sheet.Image{Data: entry.Data, MIME: ImageType(entry.Data), Opacity: alphaOf(e)}
	fr := frameOf(e)
	if fr.ctm != nil {
		im.Matrix = *fr.ctm
	} else if b := numbers(e.Attr("Boundary"), 4); len(b) == 4 {
		im.Matrix = sheet.Matrix{b[2], 0, 0, b[3], b[0], b[1]}
	}
	im.Clip = r.clip(e, fr)
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

// colorOf reads a colour of one (grey), three or four (CMYK) values, or the first
// of a gradient; what it can't read is otherwise.
func colorOf(e *Element, otherwise sheet.Color) sheet.Color {
	for _, gradient := range []string{"AxialShd", "RadialShd"} {
		if g := e.Child(gradient); g != nil {
			return colorOf(g.Child("Segment").Child("Color"), otherwise)
		}
	}
	fields := strings.Fields(e.Attr("Value"))
	var v [4]uint8
	if len(fields) > len(v) {
		return otherwise
	}
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
	switch len(fields) {
	case 1:
		return sheet.Color{R: v[0], G: v[0], B: v[0]}
	case 3:
		return sheet.Color{R: v[0], G: v[1], B: v[2]}
	case 4:
		light := func(c uint8) uint8 { return uint8((255 - int(c)) * (255 - int(v[3])) / 255) }
		return sheet.Color{R: light(v[0]), G: light(v[1]), B: light(v[2])}
	}
	return otherwise
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
