package sheettest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"elicense/sheet"

	"github.com/chromedp/chromedp"
)

const (
	dpi       = 300
	pxPerMM   = dpi / 25.4
	tolerance = 0.2 // mm the sides of two ink boxes may lie apart
	margin    = 1.0 // mm around an object where its ink is looked for
)

// SameInk draws the pages as PDF with pdftoppm and as SVG with Chromium, both at
// 300 dpi, and fails the test if the ink of any object is not at the same place
// in both to 0.2 mm, or is anywhere it should not be. Objects that overlap are
// drawn on sheets of their own, all of them black, images as black squares: what
// is compared is where things stand, not how they look. Without the two programs
// the test is skipped; in CI it fails.
func SameInk(t testing.TB, pages []sheet.Sheet) {
	t.Helper()
	OpenInk(t).Same(t, pages)
}

// Ink holds the two programs that draw, for tests of many pages: a browser takes
// a second to start.
type Ink struct {
	pdftoppm string
	browser  context.Context
}

// OpenInk starts them; they end with the test.
func OpenInk(t testing.TB) *Ink {
	t.Helper()
	pdftoppm, chromium := program(t, "pdftoppm", "poppler-utils"), program(t, "chromium", "chromium")
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	ctx, cancelAll := chromedp.NewExecAllocator(ctx, options...)
	ctx, cancelOne := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil { // waits until the browser has left its folder
			t.Logf("chromium: %v", err)
		}
		cancelOne()
		cancelAll()
		cancel()
	})
	return &Ink{pdftoppm, ctx}
}

// Same is SameInk with programs that run.
func (k *Ink) Same(t testing.TB, pages []sheet.Sheet) {
	t.Helper()
	for _, d := range k.diff(t, pages, pages) {
		t.Error(d)
	}
}

// diff lists how the first pages drawn as PDF differ from the others drawn as
// SVG, which have the same objects.
func (k *Ink) diff(t testing.TB, forPDF, forSVG []sheet.Sheet) []string {
	t.Helper()
	var layers []layer
	var pdfSheets, svgSheets []sheet.Sheet
	for i := range forPDF {
		for _, l := range layersOf(i, &forPDF[i]) {
			layers = append(layers, l)
			pdfSheets = append(pdfSheets, l.sheet(&forPDF[i]))
			svgSheets = append(svgSheets, l.sheet(&forSVG[i]))
		}
	}
	pdfImages, svgImages := drawPDF(t, k.pdftoppm, pdfSheets), k.drawSVG(t, svgSheets)
	var list []string
	for i, l := range layers {
		list = append(list, l.compare(&forPDF[l.page], pdfImages[i], svgImages[i])...)
	}
	return list
}

func program(t testing.TB, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing: apt-get install %s", name, pkg)
		}
		t.Skipf("%s is missing: apt-get install %s", name, pkg)
	}
	return path
}

// box is a rectangle in mm; the zero box is empty.
type box struct{ x0, y0, x1, y1 float64 }

func (b box) empty() bool { return b.x1 <= b.x0 || b.y1 <= b.y0 }

func (b box) grown(d float64) box { return box{b.x0 - d, b.y0 - d, b.x1 + d, b.y1 + d} }

func (b box) meets(c box) bool { return b.x0 < c.x1 && c.x0 < b.x1 && b.y0 < c.y1 && c.y0 < b.y1 }

// layer is those objects of a page whose neighbourhoods do not meet.
type layer struct {
	page  int
	items []int
	boxes []box // of the items, with the margin
}

func layersOf(page int, s *sheet.Sheet) []layer {
	var layers []layer
	for i, it := range s.Items {
		b := hull(it)
		if b.empty() {
			continue
		}
		b = b.grown(margin)
		k := slices.IndexFunc(layers, func(l layer) bool { return !slices.ContainsFunc(l.boxes, b.meets) })
		if k < 0 {
			k = len(layers)
			layers = append(layers, layer{page: page})
		}
		layers[k].items = append(layers[k].items, i)
		layers[k].boxes = append(layers[k].boxes, b)
	}
	return layers
}

// hull returns a box around all that an object may ink.
func hull(it sheet.Item) box {
	b := box{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	point := func(p sheet.Point) {
		b.x0, b.y0 = min(b.x0, p.X), min(b.y0, p.Y)
		b.x1, b.y1 = max(b.x1, p.X), max(b.y1, p.Y)
	}
	segments := func(list []sheet.Segment, m sheet.Matrix) {
		for _, s := range list {
			for _, p := range s.P[:[]int{1, 1, 2, 3, 0}[s.Op]] {
				point(m.Apply(p))
			}
		}
	}
	wider := 0.0
	outer := sheet.Identity
	switch it := it.(type) {
	case *sheet.Text:
		if it.Matrix != nil {
			outer = *it.Matrix
		}
		x, scale := it.X, it.Size/it.Font.UnitsPerEm()
		for i, g := range it.Glyphs {
			segments(it.Font.Outline(g), sheet.Matrix{scale, 0, 0, -scale, x, it.Y}.Then(outer))
			if i < len(it.Advances) {
				x += it.Advances[i]
			}
		}
		wider = it.Bold / 2
	case *sheet.Path:
		if it.Matrix != nil {
			outer = *it.Matrix
		}
		segments(it.Segments, outer)
		for _, s := range it.Strokes {
			segments(sheet.Rule(float64(s.From), float64(s.Y), float64(s.To), float64(s.Y)), outer)
		}
		if it.Stroke {
			wider = it.Width / 2
		}
	case *sheet.Image:
		segments(sheet.Rect(0, 0, 1, 1), it.Matrix)
	}
	return b.grown(wider * max(math.Hypot(outer[0], outer[1]), math.Hypot(outer[2], outer[3])))
}

// sheet returns the layer's objects of a page, in black.
func (l *layer) sheet(s *sheet.Sheet) sheet.Sheet {
	out := sheet.Sheet{W: s.W, H: s.H}
	for _, i := range l.items {
		switch it := s.Items[i].(type) {
		case *sheet.Text:
			c := *it
			c.Color, c.Opacity = sheet.Black, 0
			out.Items = append(out.Items, &c)
		case *sheet.Path:
			c := *it
			c.Color, c.Opacity = sheet.Black, 0
			out.Items = append(out.Items, &c)
		case *sheet.Image:
			out.Items = append(out.Items, &sheet.Image{Data: blackSquare, MIME: "image/png", Matrix: it.Matrix})
		}
	}
	return out
}

var blackSquare = func() []byte {
	img := image.NewGray(image.Rect(0, 0, 8, 8))
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		panic(err)
	}
	return buf.Bytes()
}()

// compare measures each object of the layer in both drawings.
func (l *layer) compare(s *sheet.Sheet, pdf, svg *image.Gray) []string {
	var list []string
	for k, i := range l.items {
		// A page's edge may fall inside a pixel, of which each draws what it likes.
		a, b := ink(pdf, l.boxes[k]).within(s), ink(svg, l.boxes[k]).within(s)
		apart := max(math.Abs(a.x0-b.x0), math.Abs(a.y0-b.y0), math.Abs(a.x1-b.x1), math.Abs(a.y1-b.y1))
		if a.empty() != b.empty() || apart > tolerance {
			list = append(list, fmt.Sprintf("page %d: %s: ink in PDF %.2f, in SVG %.2f mm", l.page+1, describe(i, s.Items[i]), a, b))
		}
		if a.empty() && b.empty() && inside(l.boxes[k], s) {
			list = append(list, fmt.Sprintf("page %d: %s: no ink at all", l.page+1, describe(i, s.Items[i])))
		}
	}
	for name, img := range map[string]*image.Gray{"PDF": pdf, "SVG": svg} {
		if n := stray(img, l.boxes); n > 0 {
			list = append(list, fmt.Sprintf("page %d: %d dark pixels of the %s are near no object", l.page+1, n, name))
		}
	}
	return list
}

// within cuts a box at the edges of the page.
func (b box) within(s *sheet.Sheet) box {
	return box{max(b.x0, 0), max(b.y0, 0), min(b.x1, s.W), min(b.y1, s.H)}
}

func inside(b box, s *sheet.Sheet) bool {
	return b.meets(box{margin, margin, s.W - margin, s.H - margin})
}

func describe(i int, it sheet.Item) string {
	if t, ok := it.(*sheet.Text); ok {
		return fmt.Sprintf("object %d, text %q", i, t.Text)
	}
	return fmt.Sprintf("object %d, %T", i, it)
}

// pixels is the part of an image a box covers.
func pixels(img *image.Gray, b box) image.Rectangle {
	return image.Rect(int(math.Floor(b.x0*pxPerMM)), int(math.Floor(b.y0*pxPerMM)),
		int(math.Ceil(b.x1*pxPerMM)), int(math.Ceil(b.y1*pxPerMM))).Intersect(img.Rect)
}

// ink returns the box of the pixels that are at least half as dark as the darkest
// in b, for hairlines are nowhere black.
func ink(img *image.Gray, b box) box {
	r := pixels(img, b)
	lightest := uint8(255)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		lightest = min(lightest, slices.Min(img.Pix[img.PixOffset(r.Min.X, y):][:max(r.Dx(), 1)]))
	}
	if lightest > 224 {
		return box{}
	}
	limit := 255 - (255-lightest)/2
	found := image.Rectangle{Min: r.Max, Max: r.Min}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := img.Pix[img.PixOffset(r.Min.X, y):][:r.Dx()]
		for x, v := range row {
			if v <= limit {
				found.Min.X, found.Max.X = min(found.Min.X, r.Min.X+x), max(found.Max.X, r.Min.X+x+1)
				found.Min.Y, found.Max.Y = min(found.Min.Y, y), y+1
			}
		}
	}
	return box{float64(found.Min.X) / pxPerMM, float64(found.Min.Y) / pxPerMM, float64(found.Max.X) / pxPerMM, float64(found.Max.Y) / pxPerMM}
}

// stray counts dark pixels outside of all boxes.
func stray(img *image.Gray, boxes []box) int {
	near := make([]image.Rectangle, len(boxes))
	for i, b := range boxes {
		near[i] = pixels(img, b)
	}
	n := 0
	for y := range img.Rect.Dy() {
		for x, v := range img.Pix[y*img.Stride:][:img.Rect.Dx()] {
			if v < 128 && !slices.ContainsFunc(near, image.Pt(x, y).In) {
				n++
			}
		}
	}
	return n
}

func drawPDF(t testing.TB, pdftoppm string, sheets []sheet.Sheet) []*image.Gray {
	t.Helper()
	data, err := sheet.PDF(sheets, sheet.PDFInfo{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "a.pdf")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(pdftoppm, "-r", fmt.Sprint(dpi), "-gray", file, filepath.Join(dir, "p")).CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("pdftoppm: %v\n%s", err, out)
	}
	names, err := filepath.Glob(filepath.Join(dir, "p-*.pgm")) // in the order of pages
	if err != nil || len(names) != len(sheets) {
		t.Fatalf("pdftoppm drew %d of %d pages, %v", len(names), len(sheets), err)
	}
	var list []*image.Gray
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var w, h, depth int
		if _, err := fmt.Fscanf(bytes.NewReader(data), "P5\n%d %d\n%d\n", &w, &h, &depth); err != nil || depth != 255 || len(data) < w*h {
			t.Fatalf("pdftoppm: %d by %d, %v", w, h, err)
		}
		list = append(list, &image.Gray{Pix: data[len(data)-w*h:], Stride: w, Rect: image.Rect(0, 0, w, h)})
	}
	return list
}

func (k *Ink) drawSVG(t testing.TB, sheets []sheet.Sheet) []*image.Gray {
	t.Helper()
	var list []*image.Gray
	for i := range sheets {
		s := &sheets[i]
		w, h := int(math.Ceil(s.W*pxPerMM)), int(math.Ceil(s.H*pxPerMM))
		// The page is as large as on paper; a dot of the picture is one of it.
		svg := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %g %g">%s</svg>`, w, h, float64(w)/dpi*96, float64(h)/dpi*96, s.SVG())
		text, err := json.Marshal(svg)
		if err != nil {
			t.Fatal(err)
		}
		runs, err := chromedp.Run(k.browser, chromedp.Evaluate[string](fmt.Sprintf("(%s)(%s, %d, %d)", drawing, text, w, h), chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatalf("chromium: %v", err)
		}
		img := image.NewGray(image.Rect(0, 0, w, h))
		if err := unpack(img.Pix, runs); err != nil {
			t.Fatalf("chromium: %v", err)
		}
		list = append(list, img)
	}
	return list
}

// drawing draws a picture of w by h dots and answers how dark they are, row by row, as
// runs of dots that are the same: a page is 17 million, most of them white. A run is a
// byte of darkness and three of how many.
const drawing = `async (svg, w, h) => {
	const img = new Image()
	img.src = "data:image/svg+xml," + encodeURIComponent(svg)
	await img.decode()
	const c = new OffscreenCanvas(w, h).getContext("2d", {willReadFrequently: true})
	c.fillStyle = "#fff"
	c.fillRect(0, 0, w, h)
	c.drawImage(img, 0, 0)
	const dots = new Uint32Array(c.getImageData(0, 0, w, h).data.buffer)
	let out = [], text = ""
	const flush = () => { text += String.fromCharCode.apply(null, out); out = [] }
	for (let i = 0; i < dots.length;) {
		const from = i, v = dots[i]
		for (i++; i < dots.length && dots[i] === v && i - from < 0xffffff; i++);
		const n = i - from
		out.push(v >> 8 & 255, n & 255, n >> 8 & 255, n >> 16) // everything is drawn in black: green is as good as any
		if (out.length >= 16384) flush()
	}
	flush()
	return btoa(text)
}`

// unpack fills the dots with the runs that drawing answered.
func unpack(dots []uint8, runs string) error {
	b, err := base64.StdEncoding.DecodeString(runs)
	if err != nil {
		return err
	}
	for ; len(b) >= 4; b = b[4:] {
		n := int(b[1]) | int(b[2])<<8 | int(b[3])<<16
		if n > len(dots) {
			return errors.New("more dots than the page has")
		}
		for i := range dots[:n] {
			dots[i] = b[0]
		}
		dots = dots[n:]
	}
	if len(dots) > 0 || len(b) > 0 {
		return fmt.Errorf("%d dots are missing", len(dots))
	}
	return nil
}
