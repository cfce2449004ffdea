package table

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxEntries bounds the files of a workbook; real ones have a dozen.
const maxEntries = 2000

// openWorkbook reads the first sheet of a workbook. A library would unpack the
// sheet to a file beside or hold it in memory whole; it is personal data, and a
// megabyte may unpack to a gigabyte, so that the sheet is read as a stream of
// tokens instead.
func openWorkbook(data []byte) (*Reader, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if len(z.File) > maxEntries {
		return nil, fmt.Errorf("%d files in the workbook: %w", len(z.File), ErrTooLarge)
	}
	name, epoch, err := firstSheet(z)
	if err != nil {
		return nil, err
	}
	shared, err := sharedStrings(z)
	if err != nil {
		return nil, err
	}
	f, err := z.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	s := &sheet{d: decoder(f), shared: shared}
	if err := noMerged(z, name); err != nil {
		return nil, err
	}
	return &Reader{Format: "xlsx", epoch: epoch, next: s.row}, nil
}

func decoder(r io.Reader) *xml.Decoder {
	d := xml.NewDecoder(&bounded{r: r, left: maxExpanded})
	d.Strict = true
	return d
}

// bounded reads no more than so many bytes.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, ErrTooLarge
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}

func wrapped(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return fmt.Errorf("%w: %w", ErrFormat, err)
}

// cut is wrapped for where the end must not come.
func cut(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return wrapped(err)
}

// small bounds the parts of a workbook that describe it.
const small = 1 << 20

func part(z *zip.Reader, name string, into any) error {
	f, err := z.Open(name)
	if err != nil {
		return wrapped(err)
	}
	defer f.Close()
	d := xml.NewDecoder(&bounded{r: f, left: small})
	return wrapped(d.Decode(into))
}

// firstSheet returns the name of the part with the first sheet, and the epoch of the
// workbook's dates.
func firstSheet(z *zip.Reader) (name string, epoch time.Time, err error) {
	var book struct {
		Properties struct {
			From1904 string `xml:"date1904,attr"`
		} `xml:"workbookPr"`
		Sheets []struct {
			ID string `xml:"http://schemas.openxmlformats.org/officeDocument/2006/relationships id,attr"`
		} `xml:"sheets>sheet"`
	}
	if err := part(z, "xl/workbook.xml", &book); err != nil {
		return "", epoch, err
	}
	if len(book.Sheets) == 0 {
		return "", epoch, fmt.Errorf("a workbook without sheets: %w", ErrFormat)
	}
	epoch = epoch1900
	if x := book.Properties.From1904; x == "1" || x == "true" {
		epoch = epoch1904
	}
	var rels struct {
		List []struct {
			ID     string `xml:"Id,attr"`
			Target string `xml:"Target,attr"`
		} `xml:"Relationship"`
	}
	if err := part(z, "xl/_rels/workbook.xml.rels", &rels); err != nil {
		return "", epoch, err
	}
	for _, r := range rels.List {
		if r.ID == book.Sheets[0].ID {
			if strings.HasPrefix(r.Target, "/") {
				return strings.TrimPrefix(path.Clean(r.Target), "/"), epoch, nil
			}
			return path.Join("xl", r.Target), epoch, nil
		}
	}
	return "", epoch, fmt.Errorf("the first sheet is not in the workbook: %w", ErrFormat)
}

// sharedStrings reads the texts cells refer to.
func sharedStrings(z *zip.Reader) ([]string, error) {
	f, err := z.Open("xl/sharedStrings.xml")
	if err != nil {
		return nil, nil // a workbook of numbers or of inline texts has none
	}
	defer f.Close()
	d := decoder(f)
	var list []string
	var b strings.Builder
	size, in, skip := 0, false, 0
	for {
		t, err := d.RawToken()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return nil, wrapped(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "si":
				b.Reset()
			case "t":
				in = true
			case "rPh": // how it is pronounced
				skip++
			}
		case xml.EndElement:
			switch t.Name.Local {
			case "si":
				list = append(list, b.String())
				if size += b.Len() + 16; size > maxStrings {
					return nil, fmt.Errorf("the texts of the workbook: %w", ErrTooLarge)
				}
			case "t":
				in = false
			case "rPh":
				skip--
			}
		case xml.CharData:
			if in && skip == 0 {
				b.Write(t)
			}
		}
	}
}

// noMerged looks at the end of the sheet, where merged cells are told, before any row
// is believed. Its error is a Fault with ErrMerged at the first of them.
func noMerged(z *zip.Reader, name string) error {
	f, err := z.Open(name)
	if err != nil {
		return wrapped(err)
	}
	defer f.Close()
	r := &bounded{r: f, left: maxExpanded}
	mark := []byte("<mergeCell ")
	const behind = 100 // bytes that tell which cells
	buf := make([]byte, 64<<10)
	n := 0
	for {
		m, err := r.Read(buf[n:])
		n += m
		if at := bytes.Index(buf[:n], mark); at >= 0 {
			n = copy(buf, buf[at:n])
			m, _ := io.ReadFull(r, buf[n:min(n+behind, len(buf))]) // what is not there tells nothing
			return mergedAt(buf[:n+m])
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return wrapped(err)
		}
		n = copy(buf, buf[n-min(len(mark)-1, n):n])
	}
}

// mergedAt is the fault of merged cells, whose element begins so.
func mergedAt(element []byte) error {
	_, ref, _ := bytes.Cut(element, []byte(`ref="`))
	ref, _, _ = bytes.Cut(ref, []byte(`:`))
	letters := bytes.TrimRight(ref, "0123456789")
	line, err := strconv.Atoi(string(ref[len(letters):]))
	if err != nil || line < 1 || len(letters) == 0 {
		return ErrMerged
	}
	return &Fault{line, column(string(letters)) + 1, ErrMerged}
}

// sheet reads the rows of a sheet.
type sheet struct {
	d      *xml.Decoder
	shared []string
	line   int
}

// row returns the next row. The place of a cell is that of its reference (B7): what
// is empty has none.
func (s *sheet) row() (Row, error) {
	for {
		t, err := s.d.RawToken()
		if err != nil {
			return Row{}, wrapped(err)
		}
		start, ok := t.(xml.StartElement)
		if !ok || start.Name.Local != "row" {
			continue
		}
		s.line++
		if n, err := strconv.Atoi(attr(start, "r")); err == nil && n >= s.line {
			s.line = n
		}
		row := Row{Line: s.line}
		return row, s.cells(&row)
	}
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

func (s *sheet) cells(row *Row) error {
	for {
		t, err := s.d.RawToken()
		if err != nil {
			return cut(err)
		}
		switch t := t.(type) {
		case xml.EndElement:
			if t.Name.Local == "row" {
				return nil
			}
		case xml.StartElement:
			if t.Name.Local != "c" {
				continue
			}
			place := len(row.Cells)
			if ref := attr(t, "r"); ref != "" {
				place = column(ref)
			}
			if place < len(row.Cells) || place >= MaxCells {
				return &Fault{row.Line, max(place, 0) + 1, ErrTooLarge}
			}
			for len(row.Cells) < place {
				row.Cells = append(row.Cells, Cell{})
			}
			c, err := s.cell(attr(t, "t"))
			if err != nil {
				return &Fault{row.Line, place + 1, err}
			}
			row.Cells = append(row.Cells, c)
		}
	}
}

// cell reads what is in a cell of the kind: s a shared text, str and inlineStr its
// own, b a truth, none a number.
func (s *sheet) cell(kind string) (c Cell, err error) {
	var v strings.Builder
	in := false
	for {
		t, err := s.d.RawToken()
		if err != nil {
			return c, cut(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "v", "t":
				in = true
			case "f":
				c.Kind = Formula
			}
		case xml.CharData:
			if in {
				if v.Len()+len(t) > 4*MaxCell {
					return c, ErrTooLarge
				}
				v.Write(t)
			}
		case xml.EndElement:
			switch t.Name.Local {
			case "v", "t":
				in = false
			case "c":
				return s.value(c, kind, v.String())
			}
		}
	}
}

func (s *sheet) value(c Cell, kind, v string) (Cell, error) {
	switch kind {
	case "s":
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n >= len(s.shared) {
			return c, fmt.Errorf("a cell refers to no text: %w", ErrFormat)
		}
		v = s.shared[n]
	case "str", "inlineStr", "b", "e":
	default:
		if c.Kind == Text && v != "" {
			c.Kind = Number
		}
	}
	if !utf8.ValidString(v) {
		return c, ErrEncoding
	}
	if utf8.RuneCountInString(v) > MaxCell {
		return c, ErrTooLarge
	}
	c.Text = strings.TrimSpace(v)
	if c.Kind == Text && taken(c.Text) {
		c.Kind = Formula
	}
	return c, nil
}

// column is the place of a cell's column from 0, of a reference like AB12.
func column(ref string) int {
	n := 0
	for i := 0; i < len(ref) && ref[i] >= 'A' && ref[i] <= 'Z' && n < 1<<20; i++ {
		n = n*26 + int(ref[i]-'A') + 1
	}
	return n - 1
}
