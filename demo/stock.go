package demo

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"strings"

	"elicense"
	"elicense/issuance"
	"elicense/stock"
)

// paper draws what a scan of an old license looks like from afar: a red frame, a
// title and lines.
func paper() ([]byte, error) {
	img := image.NewRGBA(image.Rect(0, 0, 420, 594))
	fill := func(r image.Rectangle, c color.Color) {
		draw.Draw(img, r, image.NewUniform(c), image.Point{}, draw.Src)
	}
	red, ink := color.RGBA{0xa8, 0x32, 0x2a, 0xff}, color.RGBA{0x55, 0x50, 0x48, 0xff}
	fill(img.Rect, color.RGBA{0xf6, 0xf0, 0xe2, 0xff})
	fill(image.Rect(20, 20, 400, 574), red)
	fill(image.Rect(26, 26, 394, 568), color.RGBA{0xfb, 0xf7, 0xec, 0xff})
	fill(image.Rect(130, 70, 290, 96), red)
	for i := range 9 {
		y := 160 + 38*i
		fill(image.Rect(60, y, 110, y+8), ink)
		fill(image.Rect(130, y, 210+(i*67)%140, y+8), ink)
	}
	var b bytes.Buffer
	err := png.Encode(&b, img)
	return b.Bytes(), err
}

// stock catches up with some marriage certificates of the registry office: two are
// published, one waits for its second entry, of one the entries differ, one was made
// late.
func (d *Data) stock(ctx context.Context, p Platform, a *actors, today elicense.Date) error {
	maker, err := a.get(ctx, "make-mz-gl")
	if err != nil {
		return err
	}
	checker, err := a.get(ctx, "check-mz-gl")
	if err != nil {
		return err
	}
	scan, err := paper()
	if err != nil {
		return err
	}
	code := d.TypeCode("T06")
	if err := p.Stock.Plan(ctx, maker, code, 8600, today.AddYears(1, false), "婚姻登记档案1996—2017"); err != nil {
		return err
	}
	people := d.persons()
	for i, at := range []elicense.Date{"2009-10-01", "2012-12-12", "2015-05-20", "2016-02-14", "2021-05-20"} {
		x, y := people[30+2*i], people[31+2*i]
		typed := stock.Typed{
			Holders: []elicense.HolderRef{x.ref, y.ref}, IssuedOn: at,
			Fields: map[string]string{
				"cert_no": fmt.Sprintf("J350102-%s-%06d", at[:4], 4101+i), "name_a": x.ref.Name, "id_a": x.ref.Code, "name_b": y.ref.Name, "id_b": y.ref.Code,
				"reg_date": string(at), "authority": "福州市鼓楼区民政局婚姻登记处", "holder": x.ref.Name, "sex_a": x.sex, "sex_b": y.sex, "nation_a": "中国", "nation_b": "中国",
				"birth_a": birthOf(x.ref), "birth_b": birthOf(y.ref),
			},
		}
		origin := issuance.Stock
		if at >= issuance.InForce {
			origin, typed.Closed = issuance.Late, at
		}
		e, err := p.Stock.Enter(ctx, maker, code, origin, typed, fmt.Sprintf("婚登%s-%04d.png", at[:4], 4101+i), scan)
		if err != nil {
			return err
		}
		switch i {
		case 2:
			continue // waits
		case 3:
			typed.Fields["authority"] = "鼓楼区民政局婚姻登记处"
			typed.Fields["cert_no"] = "J350102-2016-004014"
		}
		if e, err = p.Stock.Again(ctx, checker, e.ID, typed); err != nil {
			return err
		}
		if e.State != stock.Made {
			continue
		}
		r, err := p.Issuer.Get(ctx, checker, e.Draft)
		if err != nil {
			return err
		}
		if r.State != issuance.InReview {
			return fmt.Errorf("old license %s is %s: %v", e.ID, r.State, r.Draft.Findings)
		}
		if err := p.Issuer.Approve(ctx, checker, e.Draft, r.Seq, ""); err != nil {
			return err
		}
	}
	if err := d.tables(ctx, p, maker, checker, scan); err != nil {
		return fmt.Errorf("tables: %w", err)
	}
	return waitPublished(ctx, p)
}

// tables are two tables of divorce certificates, each typed by one of two officers: one
// row is the same in both, one is not, and of one the scan is missing.
func (d *Data) tables(ctx context.Context, p Platform, maker, checker *elicense.Actor, scan []byte) error {
	var first, second strings.Builder
	head := "离婚证字号,持证人姓名,身份证件号,登记日期,登记机关\n"
	first.WriteString(head)
	second.WriteString(head)
	var pictures bytes.Buffer
	z := zip.NewWriter(&pictures)
	for i, day := range []string{"2008-03-18", "2011-07-06", "2014-11-25"} {
		x := d.persons()[44+i]
		number := fmt.Sprintf("L350102-%s-%06d", day[:4], 210+i)
		row := func(name string) string {
			return fmt.Sprintf("%s,%s,%s,%s,福州市鼓楼区民政局婚姻登记处\n", number, name, x.ref.Code, day)
		}
		first.WriteString(row(x.ref.Name))
		switch i {
		case 0:
			second.WriteString(row(x.ref.Name))
		case 1: // the second reads the office otherwise
			second.WriteString(strings.Replace(row(x.ref.Name), "民政局婚姻登记处", "民政局", 1))
		case 2:
			continue // nobody scanned it
		}
		f, err := z.Create(number + ".png")
		if err == nil {
			_, err = f.Write(scan)
		}
		if err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	code := d.TypeCode("T07")
	_, err := p.Stock.ReadPapers(ctx, maker, stock.PapersFile{Type: code, Name: "离婚登记2008—2014-甲.csv", Content: strings.NewReader(first.String()), Pictures: pictures.Bytes()})
	if err != nil {
		return err
	}
	_, err = p.Stock.ReadPapers(ctx, checker, stock.PapersFile{Type: code, Again: true, Name: "离婚登记2008—2014-乙.csv", Content: strings.NewReader(second.String())})
	return err
}
