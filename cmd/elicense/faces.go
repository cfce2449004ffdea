package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"elicense"
	"elicense/catalog"
	"elicense/demo"
	"elicense/document"
	"elicense/gm"
	"elicense/seal"
	"elicense/sheet"
)

type facesCmd struct {
	Out     string   `help:"Directory the samples are written to." required:"" env:"ELICENSE_OUT" placeholder:"DIR"`
	Formats []string `help:"What to write: ofd, pdf, svg." default:"ofd" enum:"ofd,pdf,svg"`
	Extreme bool     `help:"With extreme data: the longest names and scopes, rare characters, empty optional fields."`
}

// Run writes one sealed sample, marked 样本, of every type the platform makes,
// with the root certificate they are to be verified under; as PDF and SVG too if
// asked, an SVG for each page.
func (c *facesCmd) Run() error {
	fonts, err := systemFonts()
	if err != nil {
		return err
	}
	data, err := demo.Read()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return err
	}
	office, err := newSampleOffice(fonts)
	if err != nil {
		return fmt.Errorf("seal of the samples: %w", err)
	}
	if err := os.WriteFile(filepath.Join(c.Out, "root.pem"), office.root.PEM(), 0o644); err != nil {
		return err
	}
	maker, n := document.NewMaker(fonts), 0
	for _, t := range data.Types() {
		if !t.Mode.Made() {
			continue
		}
		content, err := office.content(t, c.Extreme)
		if err != nil {
			return fmt.Errorf("sample of %s: %w", t.Name, err)
		}
		file, err := office.seal(maker, content)
		if err != nil {
			return fmt.Errorf("sample of %s: %w", t.Name, err)
		}
		if err := c.write(fmt.Sprintf("%s-%s", t.Code[18:], t.Name), file, fonts); err != nil {
			return fmt.Errorf("sample of %s: %w", t.Name, err)
		}
		n++
	}
	fmt.Printf("%d个样张和root.pem在%s\n", n, c.Out)
	return nil
}

// write writes a sample in the forms asked for.
func (c *facesCmd) write(name string, file []byte, fonts *sheet.FontSet) error {
	put := func(ext string, data []byte) error { return os.WriteFile(filepath.Join(c.Out, name+ext), data, 0o644) }
	if slices.Contains(c.Formats, "ofd") {
		if err := put(".ofd", file); err != nil {
			return err
		}
	}
	if !slices.Contains(c.Formats, "pdf") && !slices.Contains(c.Formats, "svg") {
		return nil
	}
	copies, err := document.Draw(file, fonts)
	if err != nil {
		return err
	}
	if slices.Contains(c.Formats, "pdf") {
		pdf, err := copies.PDF()
		if err == nil {
			err = put(".pdf", pdf)
		}
		if err != nil {
			return err
		}
	}
	if slices.Contains(c.Formats, "svg") {
		for i, page := range copies.SVG() {
			if err := put(fmt.Sprintf("-%d.svg", i+1), page); err != nil {
				return err
			}
		}
	}
	return nil
}

func systemFonts() (*sheet.FontSet, error) {
	fonts, err := sheet.SystemFonts()
	if err != nil {
		return nil, elicense.E(elicense.Unavailable, "字体缺失：这台机器没有中文字体，不能制作证照").Then("请安装字体后再试").Because(err)
	}
	return fonts, nil
}

// sampleUnit is the unit on the samples; it is no unit of the province.
const sampleUnit = "福建省示例签发单位"

// sampleOffice is a unit with a seal under an authority, living for one run.
type sampleOffice struct {
	root  *gm.Certificate
	stamp document.Stamp
}

func newSampleOffice(fonts *sheet.FontSet) (*sampleOffice, error) {
	now := time.Now().UTC().Truncate(time.Second)
	from, to := now.Add(-time.Hour), now.AddDate(10, 0, 0)
	var keys [4]*gm.SoftKey
	for i := range keys {
		k, err := gm.GenerateKey()
		if err != nil {
			return nil, err
		}
		keys[i] = k
	}
	root, err := gm.NewRoot(keys[0], gm.Name{Unit: "样张认证机构", CommonName: "样张根证书"}, from, to)
	if err != nil {
		return nil, err
	}
	authority := gm.Authority{Root: root, Key: keys[0]}
	maker, err := authority.Issue(keys[1].Public(), gm.Name{Unit: "样张制章机构", CommonName: "样张制章人"}, from, to)
	if err != nil {
		return nil, err
	}
	signer, err := authority.Issue(keys[2].Public(), gm.Name{Unit: sampleUnit, CommonName: sampleUnit}, from, to)
	if err != nil {
		return nil, err
	}
	clock, err := authority.IssueTimeAuthority(keys[3].Public(), gm.Name{Unit: "样张时间戳服务", CommonName: "样张时间戳"}, from, to)
	if err != nil {
		return nil, err
	}
	stamper, err := gm.NewTimeAuthority(keys[3], clock, sampleTimePolicy, time.Now)
	if err != nil {
		return nil, err
	}
	picture, err := seal.Draw(seal.Drawing{Name: sampleUnit, Line: "示例", Diameter: sealDiameter}, fonts)
	if err != nil {
		return nil, err
	}
	s, err := seal.Make(seal.Spec{
		ID: "sample", Vendor: "elicense", Type: 1, Name: sampleUnit, Signers: []*gm.Certificate{signer}, Created: from, From: from, To: to,
		Picture: picture, W: sealDiameter, H: sealDiameter,
	}, keys[1], maker)
	if err != nil {
		return nil, err
	}
	return &sampleOffice{root, document.Stamp{Seal: s, Signer: keys[2], Cert: signer, Time: now, Stamper: stamper}}, nil
}

const sampleTimePolicy = "1.2.156.10197.6.1.4.2.9.1"

// content is what a sample of a type says.
func (o *sampleOffice) content(t *catalog.Type, extreme bool) (document.Content, error) {
	today := elicense.DateOf(o.stamp.Time)
	fields := t.Sample(today)
	if extreme {
		fields = t.Extreme(today)
	}
	id, err := elicense.NewIdentifier(t.Code, "11350000FJDEM0021G", elicense.NewSerial(), 1)
	if err != nil {
		return document.Content{}, err
	}
	data := t.FaceData(sampleUnit, fields, today, id, "http://localhost:8080/check/"+string(elicense.NewCheckCode()))
	data.Sample = true
	content := document.Content{
		Title: t.Name, Date: o.stamp.Time, Face: t.Face, Data: data,
		Metadata: []document.Pair{{Name: "ZZMC", Value: t.Name}, {Name: "ZZLXDM", Value: string(t.Code)}, {Name: "ZZBS", Value: string(id)}, {Name: "ZZBFJG", Value: sampleUnit}},
	}
	rand.Read(content.DocID[:])
	return content, nil
}

func (o *sampleOffice) seal(maker *document.Maker, c document.Content) ([]byte, error) {
	p, err := maker.Prepare(c)
	if err != nil {
		return nil, err
	}
	return p.Seal(o.stamp)
}
