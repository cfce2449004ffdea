package sheet

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/png"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"
)

// hostileFont maps A to U+FFFF to composite glyphs of 64 parts each, all of them
// one outline of very many points that takes few bytes.
func hostileFont(t testing.TB, glyph []byte, glyphs int) *Font {
	t.Helper()
	be := binary.BigEndian
	head, hhea, maxp := make([]byte, 54), make([]byte, 36), make([]byte, 32)
	be.PutUint16(head[18:], 1000)
	be.PutUint16(head[50:], 1)
	be.PutUint16(hhea[34:], 1)
	be.PutUint16(maxp[4:], uint16(glyphs))
	var composite []byte
	composite = be.AppendUint16(composite, 0xffff)
	composite = append(composite, make([]byte, 8)...)
	for i := range maxComponents {
		flags := uint16(argsAreXY)
		if i < maxComponents-1 {
			flags |= moreParts
		}
		composite = be.AppendUint16(composite, flags)
		composite = be.AppendUint16(composite, 1)
		composite = append(composite, 1, 1)
	}
	loca := be.AppendUint32(nil, 0)
	loca = be.AppendUint32(loca, 0)
	loca = be.AppendUint32(loca, uint32(len(glyph)))
	for range glyphs - 2 { // all of them at one place
		loca = be.AppendUint32(loca, uint32(len(glyph)+len(composite)))
	}
	var glyf []byte
	glyf = append(append(glyf, glyph...), composite...)
	// From one to the next the place does not move, so every other glyph is the composite.
	for i := 3; i < glyphs; i += 2 {
		be.PutUint32(loca[4*i:], uint32(len(glyph)))
	}
	four := []uint16{4, 32, 0, 4, 4, 1, 0, 0xfffe, 0xffff, 0, 2, 0xffff, 0, 1, 0, 0}
	cmap := []byte{0, 0, 0, 1, 0, 3, 0, 1, 0, 0, 0, 12}
	for _, v := range four {
		cmap = be.AppendUint16(cmap, v)
	}
	data, _ := assembleFont([]fontTable{{"cmap", cmap}, {"glyf", glyf}, {"head", head}, {"hhea", hhea}, {"hmtx", make([]byte, 4)}, {"loca", loca}, {"maxp", maxp}})
	f, err := ParseFont(data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// manyPoints is a glyph of 65,535 points in some 600 bytes.
func manyPoints() []byte {
	be := binary.BigEndian
	b := []byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 0}
	b = be.AppendUint16(b, 0xfffe)
	b = be.AppendUint16(b, 0)
	for range 256 {
		b = append(b, 1|8|16|32, 255)
	}
	return b
}

// grows calls f and returns by how many MB the heap grew at most.
func grows(f func()) uint64 {
	// What lives is meant, not what the collector has not got to yet.
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	done, ended := make(chan bool), make(chan uint64)
	go func() {
		most := uint64(0)
		var now runtime.MemStats
		for {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapInuse)
			select {
			case <-done:
				ended <- most
				return
			default:
				time.Sleep(time.Millisecond) // looking stops everything
			}
		}
	}()
	f()
	done <- true
	most := <-ended
	return (most - min(most, before.HeapInuse)) >> 20
}

// pngHeader claims a size.
func pngHeader(w, h uint32, colors byte) []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")
	b = binary.BigEndian.AppendUint32(b, w)
	b = binary.BigEndian.AppendUint32(b, h)
	b = append(b, 8, colors, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[12:]))
}

func TestHostileDrawingsTakeBoundedMemory(t *testing.T) {
	font := hostileFont(t, manyPoints(), 60000)
	many := &Text{Font: font, Size: 5}
	for r := rune(0x3000); r < 0x3000+5000; r++ {
		many.Text += string(r)
		many.Glyphs = append(many.Glyphs, font.Glyph(r))
	}
	if n := len(font.Outline(many.Glyphs[0])) + len(font.Outline(many.Glyphs[1])); n < maxSteps {
		t.Fatalf("the font is not hostile: %d steps", n)
	}
	other := *many
	other.Glyphs = slices.Clone(many.Glyphs)
	slices.Reverse(other.Glyphs)
	long := hostileFont(t, append(manyPoints(), make([]byte, 4<<20)...), 60000)
	fat := &Text{Font: long, Size: 5, Text: many.Text, Glyphs: many.Glyphs}
	var bomb bytes.Buffer
	if err := png.Encode(&bomb, image.NewNRGBA(image.Rect(0, 0, 2400, 2400))); err != nil {
		t.Fatal(err)
	}
	for name, it := range map[string]Item{
		"outlines of many points":             many,
		"the same as paths":                   &other,
		"outlines of many bytes":              fat,
		"a transparent picture of 2,400²":     &Image{Data: bomb.Bytes(), MIME: "image/png"},
		"a picture that claims to be larger":  &Image{Data: pngHeader(30000, 30000, 6), MIME: "image/png"},
		"a picture that claims to be at most": &Image{Data: pngHeader(2500, 2500, 6), MIME: "image/png"},
		"a JPEG of 10 MB without a frame":     &Image{Data: append([]byte("\xff\xd8"), bytes.Repeat([]byte("\xff\xe0\x00\x02"), 5<<19)...), MIME: "image/jpeg"},
	} {
		t.Run(name, func(t *testing.T) {
			s := Sheet{W: 100, H: 100, Items: []Item{it}}
			n := grows(func() {
				if _, err := PDF([]Sheet{s}, PDFInfo{}); err != nil {
					t.Logf("PDF: %v", err)
				}
			})
			m := grows(func() {
				if _, ok := it.(*Text); ok {
					s.SVG()
				}
			})
			t.Logf("the heap grew by %d MB for PDF, %d MB for SVG", n, m)
			if n > 64 || m > 64 {
				t.Errorf("the heap grew by %d MB for PDF, %d MB for SVG", n, m)
			}
		})
	}
}

func FuzzPDFImage(f *testing.F) {
	for _, clear := range []bool{false, true} {
		f.Add(picture(f, "png", clear).Data)
	}
	f.Add(picture(f, "jpeg", false).Data)
	f.Add(pngHeader(4000, 4000, 3))
	var gray bytes.Buffer
	if err := png.Encode(&gray, image.NewGray16(image.Rect(0, 0, 3, 3))); err != nil {
		f.Fatal(err)
	}
	f.Add(gray.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, mime := range []string{"image/png", "image/jpeg"} {
			s := Sheet{W: 10, H: 10, Items: []Item{&Image{Data: data, MIME: mime, Matrix: Matrix{1, 0, 0, 1, 0, 0}, Opacity: 0.5}}}
			if out, err := PDF([]Sheet{s, s}, PDFInfo{}); err == nil && len(out) > 1<<20+len(data)+maxPixels {
				t.Errorf("%d bytes made %d", len(data), len(out))
			}
		}
	})
}
