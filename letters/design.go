package letters

import (
	"slices"
	"strings"

	"elicense"
	"elicense/document"
	"elicense/face"
	"elicense/sheet"
)

// The keys of a notice's fields.
const (
	keyUnit   = "unit"
	keyNumber = "number"
	keyTo     = "to"
	keyBody   = "body"
	keyTable  = "materials"
	keyAfter  = "after"
	keyFoot   = "foot"
)

// Measures of the page after GB/T 9704-2012: A4, 37 mm head, 28 mm binding side, a
// column of 156 mm.
const (
	left, column = 28.0, 156.0
	bodyY        = 78.0
	signY        = 208.0
)

var red, gray = sheet.Color{R: 0xc0, G: 0x1f, B: 0x1f}, sheet.Color{R: 0x99, G: 0x99, B: 0x99}

// design is the face of a notice: the unit in red above a line, the title, the
// number, whom it is for, what it says, and at the foot the unit, the date and the
// seal beside a QR code.
func design(kind Kind) *face.Template {
	p := face.Page{W: 210, H: 297}
	p.Texts = []face.Text{
		{ID: keyUnit, At: face.Rect{left, 20, column, 12}, Font: sheet.Title, Size: 22, Min: 12, Align: face.Center, Color: red, Text: "{unit}", Required: true},
		{ID: "title", At: face.Rect{left, 40, column, 12}, Font: sheet.Title, Size: 22, Align: face.Center, Spacing: 0.1, Text: kind.Chinese()},
		{ID: keyNumber, At: face.Rect{left, 54, column, 6}, Font: sheet.Song, Size: 10.5, Min: 7, Align: face.Right, Text: "{number}", Required: true},
		{ID: keyTo, At: face.Rect{left, 64, column, 12}, Font: sheet.Song, Size: 14, Min: 9, Wrap: true, Top: true, Text: "{to}：", Required: true},
	}
	p.Rules = []face.Rule{{From: [2]float64{left, 35}, To: [2]float64{left + column, 35}, Width: 0.7, Color: red}}
	body := face.Text{
		ID: keyBody, At: face.Rect{left, bodyY, column, signY - 6 - bodyY}, Font: sheet.Song, Size: 14, Min: 12, Wrap: true, Top: true, Pitch: 1.75,
		Text: "{body}", Required: true, Join: face.Lines, Flow: true,
	}
	if kind == Received {
		const tableY, afterY = 130.0, 196.0
		body.At[3], body.Flow, body.Min = tableY-4-bodyY, false, 8
		p.Tables = []face.Table{{
			ID: keyTable, At: face.Rect{left, tableY, column, afterY - 4 - tableY}, Key: keyTable, Size: 10.5,
			Columns: []face.Column{{Title: Fixed.Columns[0], W: 14}, {Title: Fixed.Columns[1], W: 78}, {Title: Fixed.Columns[2]}},
		}}
		p.Texts = append(p.Texts, face.Text{
			ID: keyAfter, At: face.Rect{left, afterY, column, 14}, Font: sheet.Song, Size: 12, Min: 9, Wrap: true, Top: true, Pitch: 1.5, Text: "{after}", Join: face.Lines,
		})
	}
	const sign = 104.0
	p.Texts = append(p.Texts, body,
		face.Text{ID: "signer", At: face.Rect{sign, signY + 9, left + column - sign, 9}, Font: sheet.Song, Size: 14, Min: 8, Align: face.Center, Text: "{@org}"},
		face.Text{ID: "date", At: face.Rect{sign, signY + 19, left + column - sign, 9}, Font: sheet.Song, Size: 14, Align: face.Center, Text: "{@date:D1}"},
		face.Text{ID: keyFoot, At: face.Rect{left + 26, 258, column - 26, 22}, Font: sheet.Song, Size: 9, Min: 7, Wrap: true, Pitch: 1.4, Text: "{foot}", Join: face.Lines},
	)
	p.Rules = append(p.Rules, face.Rule{From: [2]float64{left, 255}, To: [2]float64{left + column, 255}, Width: 0.2, Color: gray})
	p.Codes = []face.Code{{ID: "qr", At: face.Rect{left, 258, 22, 22}, Kind: face.QRCode}}
	p.Seal = &face.Seal{X: sign + (left+column-sign)/2, Y: signY + 19, D: 42}
	return &face.Template{Title: kind.Chinese(), Number: keyNumber, Notice: kinds[kind].basis, Pages: []face.Page{p}}
}

var designs = map[Kind]*face.Template{Received: design(Received), Accepted: design(Accepted), Correct: design(Correct), Refused: design(Refused), Delivered: design(Delivered)}

// Document is the notice as a document to be sealed; docID is random and kept with
// it, caseNumber is that of its case at the unit, qr an address of the platform.
func (l *Letter) Document(docID [16]byte, unit elicense.UnitCode, caseNumber, qr string, sample bool) document.Content {
	paragraphs := func(list []string) []string {
		out := slices.Clone(list)
		for i := range out {
			out[i] = "　　" + out[i]
		}
		return out
	}
	d := face.Data{
		Values: map[string][]string{
			keyUnit: {l.Unit}, keyNumber: {l.Number}, keyTo: {l.To}, keyBody: paragraphs(l.Body), keyAfter: paragraphs(l.After), keyFoot: l.Foot,
		},
		Issuer: l.Unit, Date: string(l.Date), QR: qr, Sample: sample,
	}
	for _, row := range l.Table {
		d.Values[keyTable] = append(d.Values[keyTable], cell(row[0])+"|"+cell(row[1]))
	}
	return document.Content{
		DocID: docID, Title: l.Kind.Chinese(), Date: l.Date.Start(), Face: designs[l.Kind], Data: d,
		Metadata: []document.Pair{
			{Name: "WSMC", Value: l.Kind.Chinese()}, {Name: "WSBH", Value: l.Number}, {Name: "BJBH", Value: caseNumber},
			{Name: "ZFJG", Value: l.Unit}, {Name: "ZFJGDM", Value: string(unit)}, {Name: "ZFRQ", Value: string(l.Date)},
		},
	}
}

// cell keeps a text in one cell of the table.
func cell(s string) string { return strings.ReplaceAll(s, "|", "｜") }
