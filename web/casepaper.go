package web

import (
	"fmt"
	"html/template"

	"elicense"
	"elicense/letters"
)

type letterPage struct {
	*letters.Letter
	Case   elicense.CaseID
	Own    bool
	Back   string // page of the case
	Base   string // address of the notice
	Sheets []int  // numbers of the sealed notice's pages
	QR     template.HTML
}

// Words are those every printed notice has.
func (*letterPage) Words() any { return letters.Fixed }

// letterDesk is the layout of a notice: the sheet itself, with nothing about it
// but the way back, the file and the printing.
var letterDesk = &desk{name: "letter"}

func (s *server) windowPaper(v *visit) error { return s.letter(v, false) }
func (s *server) ownPaper(v *visit) error    { return s.letter(v, true) }

// letter shows a notice: the sealed document, or its words until it is sealed.
func (s *server) letter(v *visit, own bool) error {
	id, kind := elicense.CaseID(v.r.PathValue("id")), letters.Kind(v.r.PathValue("kind"))
	l, file, err := s.Letters.Get(v.r.Context(), v.who, id, kind, own)
	if err != nil {
		return err
	}
	d := &letterPage{Letter: l, Case: id, Own: own, Back: "/window/cases/" + string(id)}
	if own {
		d.Back = "/holder/cases/" + string(id)
	}
	d.Base = d.Back + "/paper/" + string(kind)
	if file != nil {
		pages, err := letters.Pages(file)
		if err != nil {
			return err
		}
		for i := range pages {
			d.Sheets = append(d.Sheets, i+1)
		}
	}
	if d.QR, err = qrPicture(s.PublicURL+"/holder/cases/"+string(id), v.t("办件进度二维码")); err != nil {
		return err
	}
	v.desk = letterDesk
	return v.render("letter", v.t(kind.Chinese()), d)
}

func (s *server) windowPaperSheet(v *visit) error { return s.letterSheet(v, false) }
func (s *server) ownPaperSheet(v *visit) error    { return s.letterSheet(v, true) }

// letterSheet draws a page of the sealed notice.
func (s *server) letterSheet(v *visit, own bool) error {
	file, err := s.letterFile(v, own)
	if err != nil {
		return err
	}
	pages, err := letters.Pages(file)
	return pageOf(v, pages, err)
}

func (s *server) letterFile(v *visit, own bool) ([]byte, error) {
	_, file, err := s.Letters.Get(v.r.Context(), v.who, elicense.CaseID(v.r.PathValue("id")), letters.Kind(v.r.PathValue("kind")), own)
	if err == nil && file == nil {
		err = letters.ErrNotSealed()
	}
	return file, err
}

func (s *server) windowPaperFile(v *visit) error { return s.letterDownload(v, false) }
func (s *server) ownPaperFile(v *visit) error    { return s.letterDownload(v, true) }

// letterDownload gives the sealed notice as a file.
func (s *server) letterDownload(v *visit, own bool) error {
	file, err := s.letterFile(v, own)
	if err != nil {
		return err
	}
	kind := letters.Kind(v.r.PathValue("kind"))
	return v.file(fmt.Sprintf("%s-%s.ofd", v.r.PathValue("id"), kind), "application/ofd", file)
}

// askLetter has a notice sealed for the clerk who hands it out.
func (s *server) askLetter(v *visit) error {
	id, kind := elicense.CaseID(v.r.PathValue("id")), letters.Kind(v.r.PathValue("kind"))
	if err := s.Letters.Ask(v.r.Context(), v.who, id, kind); err != nil {
		return err
	}
	return v.goTo("/window/cases/" + string(id) + "/paper/" + string(kind))
}
