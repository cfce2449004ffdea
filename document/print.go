package document

import (
	"fmt"
	"strings"
	"time"

	"elicense/face"
	"elicense/gm"
	"elicense/ofd"
	"elicense/seal"
	"elicense/sheet"
)

// notSealed stands on every copy that is not the sealed file itself.
const notSealed = "非签章件，以OFD为准"

// drawn keeps what was found about seals that were drawn, which are few.
var drawn = gm.NewCache()

// pagesOf reads a file and draws its pages with the seals of the signatures that
// hold.
func pagesOf(file []byte) ([]sheet.Sheet, *ofd.File, error) {
	f, err := ofd.Open(file)
	if err != nil {
		return nil, nil, err
	}
	pages, err := f.Pages()
	if err != nil {
		return nil, nil, fmt.Errorf("draw OFD: %w", err)
	}
	if res, err := seal.Verify(f, seal.Options{Trust: gm.Trust{Cache: drawn}}); err == nil {
		left := maxStamps
		for i := range res.Signatures {
			if s := &res.Signatures[i]; s.Seal != nil && holds(s) {
				n := min(len(s.Stamps), left)
				stamp(pages, s, s.Stamps[:n])
				left -= n
			}
		}
	}
	sheets := make([]sheet.Sheet, len(pages))
	for i := range pages {
		sheets[i] = *pages[i].Sheet
	}
	return sheets, f, nil
}

// Copies are drawings of a sealed file that are not sealed themselves.
type Copies struct {
	pages []sheet.Sheet
	file  *ofd.File
	fonts *sheet.FontSet
}

// Draw reads a file for copies in other forms, in the maker's fonts. Errors wrap
// those of package ofd.
func (m *Maker) Draw(file []byte) (*Copies, error) { return Draw(file, m.fonts) }

// Draw reads a file for copies in other forms. The fonts are for what is written
// on the copies besides the file's own pages. Errors wrap those of package ofd.
func Draw(file []byte, fonts *sheet.FontSet) (*Copies, error) {
	pages, f, err := pagesOf(file)
	if err != nil {
		return nil, err
	}
	c := &Copies{pages: pages, file: f, fonts: fonts}
	for i := range c.pages {
		if err := c.note(i, notSealed); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// note writes a small line into the upper left corner of a page, where no face has
// anything.
func (c *Copies) note(i int, text string) error {
	p := &c.pages[i]
	return face.Note(p, c.fonts, text, face.Text{
		At: face.Rect{3, 0.8, p.W - 6, 3.4}, Font: sheet.Hei, Size: min(7, p.W/18), Min: 3, Color: sheet.Color{R: 0x66, G: 0x66, B: 0x66},
	})
}

// Watermark repeats a line across every page: who looks at it, for which case and
// when. Errors are those of face.Watermark.
func (c *Copies) Watermark(text string) error {
	for i := range c.pages {
		if err := face.Watermark(&c.pages[i], c.fonts, text); err != nil {
			return err
		}
	}
	return nil
}

// SVG draws each page, saying that it is no sealed file.
func (c *Copies) SVG() [][]byte { return drawAll(c.pages) }

// PDF writes the pages as a PDF that says it is no sealed file and carries the
// metadata of GB/T 36903 as XMP. Errors are those of sheet.PDF.
func (c *Copies) PDF() ([]byte, error) { return c.pdf(c.pages) }

func (c *Copies) pdf(pages []sheet.Sheet) ([]byte, error) {
	b := c.file.Bodies[0]
	info := sheet.PDFInfo{Title: b.Title, Creator: creator}
	if at, err := time.Parse(time.DateOnly, b.Date); err == nil {
		info.Created = at
	}
	for _, p := range b.Custom {
		if sheet.ElementName(p.Name) {
			info.Custom = append(info.Custom, [2]string{p.Name, p.Value})
		}
	}
	return sheet.PDF(pages, info)
}

// Print is the print form of a license (Art. 15): what stands below its pages.
type Print struct {
	Identifier string    // 证照标识
	Printed    time.Time // when
	By         string    // the person or terminal that prints
	Purpose    string    // what for; may be empty
	QR         string    // the text of its QR code, as StatementURL gives it
	// Waiting marks the print of a license that was made offline and is not on the
	// platform yet (Art. 7(2)); its QR code leads to the check of its code.
	Waiting bool
}

// printFoot is the height the foot of a print takes, in mm, and PrintCode the side
// of its code: wide enough for a statement of MaxStatement bytes in modules of
// 0.35 mm.
const (
	printFoot = 38.0
	PrintCode = 33.0
	// leastPaper is the height from which a page fills a sheet of A4 or A3.
	leastPaper = 200.0
)

// Print writes the print form: the pages, each with the words 电子证照打印件, the
// identifier, the time, the person, the page's number and the signed statement
// as a QR code in a strip added below it.
func (c *Copies) Print(p Print) ([]byte, error) {
	pages := make([]sheet.Sheet, len(c.pages))
	for i := range c.pages {
		var err error
		if pages[i], err = c.printed(i, &p); err != nil {
			return nil, fmt.Errorf("print form: %w", err)
		}
	}
	return c.pdf(pages)
}

func (c *Copies) printed(i int, p *Print) (sheet.Sheet, error) {
	// Nothing is laid over the face: a page of paper's size is made smaller by the
	// strip, a smaller one is made longer.
	from := &c.pages[i]
	out := sheet.Sheet{W: from.W, H: from.H + printFoot, Title: from.Title}
	k := 1.0
	if from.H >= leastPaper {
		k, out.H = (from.H-printFoot)/from.H, from.H
	}
	from.Place(&out, sheet.Matrix{k, 0, 0, k, from.W * (1 - k) / 2, 0}, 1)
	ink := sheet.Color{R: 0x33, G: 0x33, B: 0x33}
	y := out.H - printFoot
	out.Items = append(out.Items, &sheet.Path{Segments: sheet.Rule(4, y+0.3, out.W-4, y+0.3), Stroke: true, Width: 0.2, Color: ink})
	left := 5.0
	if p.QR != "" {
		code, err := sheet.QR(p.QR, left, y+2.5, PrintCode)
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, code)
		left += PrintCode + 4
	}
	width := out.W - left - 4
	line := func(at, h float64, font sheet.Style, size float64, text string) error {
		return face.Note(&out, c.fonts, text, face.Text{At: face.Rect{left, y + at, width, h}, Font: font, Size: size, Min: 4, Wrap: true, Top: true, Color: ink})
	}
	lines := []string{"证照标识：" + p.Identifier, "打印时间：" + p.Printed.In(shanghai).Format("2006-01-02 15:04") + "　打印：" + p.By}
	if p.Purpose != "" {
		lines = append(lines, "用途："+p.Purpose)
	}
	heading, how := "电子证照打印件", "扫描左侧二维码核验打印时的状态和照面内容；没有网络时，可在核验页输入照面上的内容核对。与核验结果不一致的，以核验结果为准。"
	if p.Waiting {
		heading, how = "电子证照打印件（离线生成，待登记）", "本证照依法离线生成，由签发单位当日登记到平台。登记前扫描左侧二维码显示“离线生成，待登记”，登记后显示状态；与核验结果不一致的，以核验结果为准。"
	}
	if err := line(2.5, 6, sheet.Hei, 11, fmt.Sprintf("%s　第%d页/共%d页", heading, i+1, len(c.pages))); err != nil {
		return out, err
	}
	return out, line(9.5, printFoot-11, sheet.Song, 8, strings.Join(lines, "\n")+"\n"+how)
}
