// Package table reads and writes the tables people keep: Excel workbooks (XLSX)
// and CSV in UTF-8 or GB18030. It reads row by row in bounded memory, because
// what is uploaded may be a million rows, or made to look small and be huge; it
// names what a cell really is (a formula, a number, a merged cell), because a
// table is where identity codes lose their last digits.
package table

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// The bounds of what is read.
const (
	MaxWorkbook = 64 << 20 // bytes of an XLSX file
	MaxCells    = 200      // of a row
	MaxCell     = 32767    // characters of a cell, as Excel has them
	maxStrings  = 96 << 20 // bytes of the shared strings of a workbook
	maxExpanded = 2 << 30  // bytes of a sheet after unpacking
)

// Errors of files that are no tables, or too large to be read.
var (
	ErrFormat   = errors.New("neither a workbook nor a table of text")
	ErrTooLarge = errors.New("the table is too large")
	ErrEncoding = errors.New("the text is neither UTF-8 nor GB18030")
	ErrMerged   = errors.New("the table has merged cells")
)

// Fault is an error with the place where a table is wrong.
type Fault struct {
	Line   int // from 1
	Column int // from 1; 0 for the row as a whole
	err    error
}

func (f *Fault) Error() string {
	if f.Column == 0 {
		return fmt.Sprintf("line %d: %v", f.Line, f.err)
	}
	return fmt.Sprintf("line %d, column %d: %v", f.Line, f.Column, f.err)
}

func (f *Fault) Unwrap() error { return f.err }

// Where says where a table is wrong, 0 where it is as a whole.
func Where(err error) (line, column int) {
	var f *Fault
	if errors.As(err, &f) {
		return f.Line, f.Column
	}
	return 0, 0
}

// Kind is what a cell is.
type Kind byte

// The kinds of cells.
const (
	Text    Kind = iota
	Number       // of a workbook: what was typed may have lost leading zeros or digits
	Formula      // its text is the value it had when it was saved
)

// Cell is a cell of a row.
type Cell struct {
	Kind Kind
	Text string
}

// Row is a row that is not empty.
type Row struct {
	Line  int // from 1, as the program shows it
	Cells []Cell
}

// Texts returns the texts of the cells.
func (r Row) Texts() []string {
	list := make([]string, len(r.Cells))
	for i, c := range r.Cells {
		list[i] = c.Text
	}
	return list
}

// Reader gives the rows of a table one after the other.
type Reader struct {
	Format string // xlsx, csv

	epoch time.Time // day 0 of the dates of a workbook
	next  func() (Row, error)
}

// Day is the moment that is meant by a number in a cell of a workbook, as a civil time
// without a zone: the days since its epoch, which Excel for Macintosh set in 1904, with
// the time of day as their fraction.
func (r *Reader) Day(days float64) time.Time {
	from := r.epoch
	if from.IsZero() {
		from = epoch1900
	}
	if from.Equal(epoch1900) && days < 60 { // its day 60 is the 29th of February 1900, which there was not
		from = from.AddDate(0, 0, 1)
	}
	return from.Add(time.Duration(days * 24 * float64(time.Hour))).Round(time.Second)
}

// The epochs of workbooks.
var (
	epoch1900 = time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	epoch1904 = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Next returns the next row that is not empty, io.EOF after the last.
//
// Errors: ErrFormat, ErrTooLarge, ErrEncoding, ErrMerged, wrapped.
func (r *Reader) Next() (Row, error) {
	for {
		row, err := r.next()
		if err != nil {
			return Row{}, err
		}
		for _, c := range row.Cells {
			if c.Text != "" {
				return row, nil
			}
		}
	}
}

// Open begins to read a table. A workbook is read into memory whole, a table of
// text as it comes.
//
// Errors: ErrFormat, ErrTooLarge, ErrEncoding, wrapped.
func Open(from io.Reader) (*Reader, error) {
	b := bufio.NewReaderSize(from, 64<<10)
	head, err := b.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		data, err := io.ReadAll(io.LimitReader(b, MaxWorkbook+1))
		if err != nil {
			return nil, err
		}
		if len(data) > MaxWorkbook {
			return nil, fmt.Errorf("a workbook of more than %d MB: %w", MaxWorkbook>>20, ErrTooLarge)
		}
		return openWorkbook(data)
	}
	if bytes.HasPrefix(head, []byte{0xd0, 0xcf, 0x11, 0xe0}) {
		return nil, fmt.Errorf("a workbook of Excel 97-2003: %w", ErrFormat)
	}
	return openText(b)
}

// openText decides between UTF-8 and GB18030 by the beginning of the text: valid
// UTF-8 is hardly ever GB18030, and the other way about.
func openText(b *bufio.Reader) (*Reader, error) {
	head, err := b.Peek(b.Size())
	if err != nil && err != io.EOF {
		return nil, err
	}
	var text io.Reader = b
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		if _, err := b.Discard(3); err != nil {
			return nil, err
		}
	case bytes.IndexByte(head, 0) >= 0:
		return nil, ErrFormat
	case !validStart(head):
		text = simplifiedchinese.GB18030.NewDecoder().Reader(b)
	}
	c := csv.NewReader(text)
	c.FieldsPerRecord, c.ReuseRecord, c.LazyQuotes = -1, true, false
	return &Reader{Format: "csv", next: func() (Row, error) {
		fields, err := c.Read()
		if err != nil {
			if err == io.EOF {
				return Row{}, err
			}
			bad := fmt.Errorf("%w: %w", ErrFormat, err)
			var at *csv.ParseError
			if errors.As(err, &at) {
				return Row{}, &Fault{Line: at.StartLine, err: bad}
			}
			return Row{}, bad
		}
		line, _ := c.FieldPos(0)
		row := Row{Line: line}
		if len(fields) > MaxCells {
			return Row{}, &Fault{Line: line, err: fmt.Errorf("%d cells: %w", len(fields), ErrTooLarge)}
		}
		for n, f := range fields {
			if !utf8.ValidString(f) || strings.ContainsRune(f, utf8.RuneError) {
				return Row{}, &Fault{line, n + 1, ErrEncoding}
			}
			if utf8.RuneCountInString(f) > MaxCell {
				return Row{}, &Fault{line, n + 1, ErrTooLarge}
			}
			cell := Cell{Text: strings.TrimSpace(f)}
			if taken(cell.Text) {
				cell.Kind = Formula
			}
			row.Cells = append(row.Cells, cell)
		}
		return row, nil
	}}, nil
}

// validStart tells whether a text that may be cut in the middle of a character is
// UTF-8.
func validStart(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			return len(b) < utf8.UTFMax && !utf8.FullRune(b)
		}
		b = b[n:]
	}
	return true
}

// formula tells whether a program would take the text for a formula. A minus or
// plus before digits is a number.
func formula(s string) bool {
	if s == "" {
		return false
	}
	switch s[0] {
	case '=', '@', '\t', '\r':
		return true
	case '+', '-':
		return strings.Trim(s[1:], "0123456789.,") != ""
	}
	return false
}

// taken tells whether a text is a formula, or one that Safe has made harmless: it comes
// back in a table of bad rows, and is no value still.
func taken(s string) bool { return formula(s) || formula(strings.TrimPrefix(s, "'")) }

// Safe makes a text one that no program takes for a formula when it opens a table
// we wrote (CSV injection).
func Safe(s string) string {
	if formula(s) {
		return "'" + s
	}
	return s
}
