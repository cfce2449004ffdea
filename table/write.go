package table

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
)

// Column is a column of a template.
type Column struct {
	Title string
	Note  string   // shown when a cell of it is chosen
	Pick  []string // values to choose from; any value if empty
	Width float64  // in characters
}

// templateRows are the rows of a template that are made ready.
const templateRows = 5000

// maxList is how many characters a list to choose from may have in Excel; a longer one
// is left out, and checked when the table is read.
const maxList = 255

// Template writes a workbook to be filled in: a row of titles, columns of text, so
// that codes keep their zeros and digits, notes and lists to choose from, and the
// rows given.
func Template(w io.Writer, name string, columns []Column, rows [][]string, about []string) error {
	f := excelize.NewFile()
	defer f.Close()
	if err := f.SetSheetName("Sheet1", name); err != nil {
		return fmt.Errorf("template: %w", err)
	}
	text, err := f.NewStyle(&excelize.Style{NumFmt: 49})
	if err != nil {
		return fmt.Errorf("template: %w", err)
	}
	title, err := f.NewStyle(&excelize.Style{
		NumFmt: 49, Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"E6EEEE"}},
		Alignment: &excelize.Alignment{WrapText: true, Vertical: "top"},
	})
	if err != nil {
		return fmt.Errorf("template: %w", err)
	}
	for i, c := range columns {
		col, err := excelize.ColumnNumberToName(i + 1)
		if err != nil {
			return fmt.Errorf("template: %w", err)
		}
		if err := column1(f, name, col, c, text, title); err != nil {
			return fmt.Errorf("template: column %s: %w", c.Title, err)
		}
	}
	for i, row := range rows {
		for j, v := range row {
			at, err := excelize.CoordinatesToCellName(j+1, i+2)
			if err != nil {
				return fmt.Errorf("template: %w", err)
			}
			if err := f.SetCellStr(name, at, Safe(v)); err != nil {
				return fmt.Errorf("template: %w", err)
			}
		}
	}
	if err := f.SetPanes(name, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return fmt.Errorf("template: %w", err)
	}
	if len(about) > 0 {
		if _, err := f.NewSheet("说明"); err != nil {
			return fmt.Errorf("template: %w", err)
		}
		if err := f.SetColWidth("说明", "A", "A", 100); err != nil {
			return fmt.Errorf("template: %w", err)
		}
		for i, line := range about {
			if err := f.SetCellStr("说明", fmt.Sprintf("A%d", i+1), line); err != nil {
				return fmt.Errorf("template: %w", err)
			}
		}
	}
	_, err = f.WriteTo(w)
	return err
}

func column1(f *excelize.File, name, col string, c Column, text, title int) error {
	if err := f.SetColStyle(name, col, text); err != nil {
		return err
	}
	if err := f.SetColWidth(name, col, col, max(c.Width, 10)); err != nil {
		return err
	}
	if err := f.SetCellStr(name, col+"1", c.Title); err != nil {
		return err
	}
	if err := f.SetCellStyle(name, col+"1", col+"1", title); err != nil {
		return err
	}
	if c.Note == "" && len(c.Pick) == 0 {
		return nil
	}
	v := excelize.NewDataValidation(true)
	v.SetSqref(fmt.Sprintf("%s2:%s%d", col, col, templateRows))
	if c.Note != "" {
		v.SetInput(c.Title, c.Note)
	}
	if len(c.Pick) > 0 && utf8.RuneCountInString(strings.Join(c.Pick, ",")) <= maxList {
		if err := v.SetDropList(c.Pick); err != nil {
			return err
		}
	}
	return f.AddDataValidation(name, v)
}

// CSV writes rows as a table of text that Excel opens as UTF-8, and in which
// nothing is a formula.
func CSV(w io.Writer, rows func(write func([]string) error) error) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	c := csv.NewWriter(w)
	c.UseCRLF = true
	err := rows(func(row []string) error {
		safe := make([]string, len(row))
		for i, v := range row {
			safe[i] = Safe(strings.ReplaceAll(v, "\r\n", "\n"))
		}
		return c.Write(safe)
	})
	c.Flush()
	if err != nil {
		return err
	}
	return c.Error()
}
