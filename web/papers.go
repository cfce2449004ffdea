package web

import (
	"bytes"

	"elicense"
	"elicense/issuance"
	"elicense/stock"
)

// The pages of tables of licenses on paper (Art. 8).

// papersPattern is the route that takes a table, and the pictures in one archive.
const papersPattern = "POST /issue/papers"

// maxPapers bounds a table in bytes.
const maxPapers = 8 << 20

func (s *server) papersRead(v *visit) error {
	again := func(err error) error { return v.again(err, func() error { return s.stock(v) }) }
	file, err := sent(v.r, "file", maxPapers)
	if err != nil {
		return again(err)
	}
	switch {
	case len(file) == 0:
		return again(elicense.E(elicense.Invalid, "没有选文件").At("file"))
	case len(file) > maxPapers:
		return again(elicense.E(elicense.TooLarge, "表格最大%dMB", maxPapers>>20).At("file").Then("请分成几张表"))
	}
	f := stock.PapersFile{Type: elicense.TypeCode(v.Posted("type")), Again: v.Posted("again") != "", Content: bytes.NewReader(file)}
	if x := v.r.MultipartForm; x != nil && len(x.File["file"]) > 0 {
		f.Name = x.File["file"][0].Filename
	}
	if f.Pictures, err = sent(v.r, "photos", issuance.MaxPhotos); err != nil {
		return again(err)
	}
	p, err := s.Stock.ReadPapers(v.r.Context(), v.who, f)
	if err != nil {
		return again(err)
	}
	return v.goTo("/issue/papers/" + p.ID)
}

type papersPage struct {
	*stock.Papers
	TypeName string
	Wrong    []paperWrong // of rows that did not stand
}

type paperWrong struct{ Line, Number, Text string }

func (s *server) papersOne(v *visit) error {
	p, err := s.Stock.PapersOf(v.r.Context(), v.who, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	t, err := s.Catalog.Version(v.r.Context(), p.Type, p.TypeVersion)
	if err != nil {
		return err
	}
	d := papersPage{Papers: p, TypeName: t.Name}
	for _, row := range p.Rows {
		d.Wrong = append(d.Wrong, paperWrong{row[len(row)-2], issuance.PaperNumber(t, row), row[len(row)-1]})
	}
	return v.render("papers", v.t("存量表格"), d)
}

func (s *server) papersBad(v *visit) error {
	var b bytes.Buffer
	id := v.r.PathValue("id")
	if err := s.Stock.BadPapers(v.r.Context(), v.who, id, &b); err != nil {
		return err
	}
	return v.file(id+".xlsx", xlsx, b.Bytes())
}

func (s *server) papersForm(v *visit) error {
	var b bytes.Buffer
	code := elicense.TypeCode(v.r.PathValue("code"))
	if err := s.Stock.PapersForm(v.r.Context(), code, &b); err != nil {
		return err
	}
	return v.file(string(code)+"-paper.xlsx", xlsx, b.Bytes())
}
