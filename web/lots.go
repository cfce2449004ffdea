package web

import (
	"bytes"
	"io"
	"mime"
	"net/http"
	"slices"

	"elicense"
	"elicense/catalog"
	"elicense/issuance"
)

// maxLot bounds the file of a lot in bytes: a million rows of text.
const maxLot = 256 << 20

// streamed are the forms whose handlers read the body as it comes: what they bring
// is too large to be held, and must not be laid down in the clear.
var streamed = map[string]bool{"POST /issue/lots": true, "POST /issue/lots/{id}/rows": true}

type lotsPage struct {
	List  []*issuance.Lot
	Types []*catalog.Type
	Today elicense.Date
	Max   int
}

func (s *server) lots(v *visit) error {
	d := lotsPage{Today: elicense.DateOf(v.Now()), Max: issuance.MaxRows}
	var err error
	if d.List, err = s.Issuer.Lots(v.r.Context(), v.who, queueLimit); err != nil {
		return err
	}
	if d.Types, err = s.Catalog.MadeBy(v.r.Context(), v.who.Unit); err != nil {
		return err
	}
	return v.render("lots", v.t("批量制证"), d)
}

// lotUpload reads the parts of a form as they come: its fields first, its file
// last.
func (s *server) lotUpload(v *visit, lot string) (*issuance.Lot, error) {
	incomplete := func(err error) error {
		return elicense.E(elicense.Invalid, "没有收下：发来的内容不完整").At("file").Then("请重新选文件上传").Because(err)
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxLot)
	parts, err := v.r.MultipartReader()
	if err != nil {
		return nil, incomplete(err)
	}
	f := issuance.LotFile{Lot: lot}
	for {
		p, err := parts.NextPart()
		if err == io.EOF {
			return nil, elicense.E(elicense.Invalid, "没有选文件").At("file")
		}
		if err != nil {
			return nil, incomplete(err)
		}
		if p.FormName() == "file" {
			if _, params, err := mime.ParseMediaType(p.Header.Get("Content-Disposition")); err == nil {
				f.Name = params["filename"]
			}
			f.Content = p
			return s.Issuer.ReadLot(v.r.Context(), v.who, f)
		}
		b, err := io.ReadAll(io.LimitReader(p, 200))
		if err != nil {
			return nil, incomplete(err)
		}
		switch p.FormName() {
		case "type":
			f.Type = elicense.TypeCode(b)
		case "closed":
			f.Closed = elicense.Date(b)
		}
	}
}

func (s *server) lotNew(v *visit) error {
	l, err := s.lotUpload(v, "")
	if err != nil {
		return v.again(err, func() error { return s.lots(v) })
	}
	return v.goTo("/issue/lots/" + l.ID + "?said=lot")
}

func (s *server) lotRows(v *visit) error {
	l, err := s.lotUpload(v, v.r.PathValue("id"))
	if err != nil {
		return v.again(err, func() error { return s.lot(v) })
	}
	return v.goTo("/issue/lots/" + l.ID + "?said=lot-rows")
}

const photosPattern = "POST /issue/lots/{id}/photos"

// lotPhotos takes an archive of photographs, which comes in one piece: its list of
// files stands at its end.
func (s *server) lotPhotos(v *visit) error {
	id := v.r.PathValue("id")
	again := func(err error) error { return v.again(err, func() error { return s.lot(v) }) }
	archive, err := sent(v.r, "photos", issuance.MaxPhotos)
	if err != nil {
		return again(err)
	}
	_, unused, err := s.Issuer.LotPhotos(v.r.Context(), v.who, id, archive)
	if err != nil {
		return again(err)
	}
	said := "lot-photos"
	if len(unused) > 0 {
		said = "lot-photos-left"
	}
	return v.goTo("/issue/lots/" + id + "?said=" + said)
}

func (s *server) lotTemplate(v *visit) error {
	code := elicense.TypeCode(v.r.PathValue("code"))
	var b bytes.Buffer
	if err := s.Issuer.LotTemplate(v.r.Context(), code, v.who.Unit, &b); err != nil {
		return err
	}
	return v.file(string(code)+".xlsx", xlsx, b.Bytes())
}

const xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

type lotPage struct {
	*issuance.Lot
	Due     due
	Sample  []issuance.Sampled
	Seen    int
	Percent int
	Mine    bool // who made it does not judge it
	MinLot  int
	Moving  bool // the page should be looked at again soon
}

func (s *server) lot(v *visit) error {
	l, err := s.Issuer.Lot(v.r.Context(), v.who, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	d := lotPage{Lot: l, Mine: l.Drafter == v.who.Person, MinLot: issuance.MinLot, Moving: l.State == issuance.LotSealing && !l.Halted || l.State == issuance.LotReading}
	if l.State != issuance.LotDone && l.State != issuance.LotVoid {
		d.Due = v.lotDue(l)
	}
	if l.Rows > 0 {
		d.Percent = 100 * (l.Made + l.Stopped) / l.Rows
	}
	if l.State == issuance.LotInReview {
		if d.Sample, err = s.Issuer.LotSample(v.r.Context(), v.who, l.ID); err != nil {
			return err
		}
		for _, x := range d.Sample {
			if !x.Seen.IsZero() {
				d.Seen++
			}
		}
	}
	return v.render("lot", v.t("批次：%s", l.Name), d)
}

func (v *visit) lotDue(l *issuance.Lot) due {
	switch {
	case l.Due.IsZero():
		return due{"care", "warn", v.t("期限算不出：那一年的节假日通知还没有导入")}
	case !v.Now().Before(l.Due):
		return due{"stop", "late", v.t("已超过期限%s", stamp(l.Due.Add(-1), "2006-01-02"))}
	}
	return v.left(l.Due)
}

func (s *server) lotMove(v *visit) error {
	ctx, id := v.r.Context(), v.r.PathValue("id")
	var err error
	switch v.Posted("do") {
	case "submit":
		err = s.Issuer.SubmitLot(ctx, v.who, id, v.Posted("reason"))
	case "approve":
		err = s.Issuer.ApproveLot(ctx, v.who, id)
	case "return":
		err = s.Issuer.ReturnLot(ctx, v.who, id, v.Posted("remark"))
	case "pause":
		err = s.Issuer.PauseLot(ctx, v.who, id)
	case "resume":
		err = s.Issuer.ResumeLot(ctx, v.who, id)
	case "void":
		err = s.Issuer.VoidLot(ctx, v.who, id)
	default:
		err = elicense.E(elicense.Invalid, "没有这个办理步骤")
	}
	if err != nil {
		return v.again(err, func() error { return s.lot(v) })
	}
	return v.goTo("/issue/lots/" + id)
}

func (s *server) lotBad(v *visit) error {
	var b bytes.Buffer
	name, kind, text := "cuowuhang.xlsx", xlsx, v.r.PathValue("form") == "csv"
	if text {
		name, kind = "cuowuhang.csv", "text/csv; charset=utf-8"
	}
	if err := s.Issuer.BadRows(v.r.Context(), v.who, v.r.PathValue("id"), text, &b); err != nil {
		return err
	}
	return v.file(name, kind, b.Bytes())
}

type lotRowPage struct {
	Lot    *issuance.Lot
	Row    issuance.Sampled
	Review *issuance.Review
	Papers draftPage // holds the documents that go with the row
	Pages  int
	Next   elicense.DraftID // the next row that was not looked at
	Number int
	Of     int
	Mine   bool
}

// lotRow shows a drawn row as it will be sealed.
func (s *server) lotRow(v *visit) error {
	ctx, id, draft := v.r.Context(), v.r.PathValue("id"), elicense.DraftID(v.r.PathValue("draft"))
	list, err := s.Issuer.LotSample(ctx, v.who, id)
	if err != nil {
		return err
	}
	n := slices.IndexFunc(list, func(x issuance.Sampled) bool { return x.Draft == draft })
	if n < 0 {
		return errNoPage()
	}
	d := lotRowPage{Row: list[n], Number: n + 1, Of: len(list)}
	if d.Lot, err = s.Issuer.Lot(ctx, v.who, id); err != nil {
		return err
	}
	d.Mine = d.Lot.Drafter == v.who.Person
	if d.Review, err = s.Issuer.Get(ctx, v.who, draft); err != nil {
		return err
	}
	d.Papers.Review = d.Review
	if err := s.withDocuments(v, &d.Papers); err != nil {
		return err
	}
	svgs, err := s.Issuer.Preview(ctx, v.who, draft)
	if err != nil {
		v.refuse(err)
	}
	d.Pages = len(svgs)
	for k := range list {
		if x := list[(n+1+k)%len(list)]; x.Seen.IsZero() && x.Draft != draft {
			d.Next = x.Draft
			break
		}
	}
	return v.render("lotrow", v.t("批次：%s", d.Lot.Name), d)
}

func (s *server) lotJudge(v *visit) error {
	ctx, id, draft := v.r.Context(), v.r.PathValue("id"), elicense.DraftID(v.r.PathValue("draft"))
	if err := s.Issuer.JudgeRow(ctx, v.who, id, draft, v.Posted("do") == "good", v.Posted("remark")); err != nil {
		return v.again(err, func() error { return s.lotRow(v) })
	}
	if next := v.Posted("next"); next != "" && elicense.ValidID(elicense.DraftID(next)) {
		return v.goTo("/issue/lots/" + id + "/rows/" + next)
	}
	return v.goTo("/issue/lots/" + id)
}
