package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
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
	Out string `help:"Directory the samples are written to." required:"" env:"ELICENSE_OUT" placeholder:"DIR"`
}

// Run writes one sealed sample, marked 样张, of every type the platform makes,
// with the root certificate they are to be verified under.
func (c *facesCmd) Run() error {
	fonts, err := sheet.SystemFonts()
	if err != nil {
		return elicense.E(elicense.Unavailable, "字体缺失：这台机器没有中文字体，不能制作证照").Then("请安装字体后再试").Because(err)
	}
	data, err := demo.Read()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return err
	}
	stamp, root, err := sampleSeal(fonts)
	if err != nil {
		return fmt.Errorf("seal of the samples: %w", err)
	}
	if err := os.WriteFile(filepath.Join(c.Out, "root.pem"), root.PEM(), 0o644); err != nil {
		return err
	}
	maker, n := document.NewMaker(fonts), 0
	for _, t := range data.Types() {
		if !t.Mode.Made() {
			continue
		}
		file, err := sample(maker, t, stamp)
		if err != nil {
			return fmt.Errorf("sample of %s: %w", t.Name, err)
		}
		name := fmt.Sprintf("%s-%s.ofd", t.Code[18:], t.Name)
		if err := os.WriteFile(filepath.Join(c.Out, name), file, 0o644); err != nil {
			return err
		}
		n++
	}
	fmt.Printf("%d个样张和root.pem在%s\n", n, c.Out)
	return nil
}

// sampleUnit is the unit on the samples; it is no unit of the province.
const sampleUnit = "福建省示例签发单位"

// sampleSeal makes an authority, a seal maker and a seal that live for this run.
func sampleSeal(fonts *sheet.FontSet) (document.Stamp, *gm.Certificate, error) {
	now := time.Now().UTC().Truncate(time.Second)
	from, to := now.Add(-time.Hour), now.AddDate(10, 0, 0)
	var keys [3]*gm.SoftKey
	for i := range keys {
		k, err := gm.GenerateKey()
		if err != nil {
			return document.Stamp{}, nil, err
		}
		keys[i] = k
	}
	root, err := gm.NewRoot(keys[0], gm.Name{Unit: "样张认证机构", CommonName: "样张根证书"}, from, to)
	if err != nil {
		return document.Stamp{}, nil, err
	}
	authority := gm.Authority{Root: root, Key: keys[0]}
	maker, err := authority.Issue(keys[1].Public(), gm.Name{Unit: "样张制章机构", CommonName: "样张制章人"}, from, to)
	if err != nil {
		return document.Stamp{}, nil, err
	}
	signer, err := authority.Issue(keys[2].Public(), gm.Name{Unit: sampleUnit, CommonName: sampleUnit}, from, to)
	if err != nil {
		return document.Stamp{}, nil, err
	}
	picture, err := seal.Draw(seal.Drawing{Name: sampleUnit, Line: "样张", Diameter: sealDiameter}, fonts)
	if err != nil {
		return document.Stamp{}, nil, err
	}
	s, err := seal.Make(seal.Spec{
		ID: "sample", Vendor: "elicense", Type: 1, Name: sampleUnit, Signers: []*gm.Certificate{signer}, Created: from, From: from, To: to,
		Picture: picture, W: sealDiameter, H: sealDiameter,
	}, keys[1], maker)
	return document.Stamp{Seal: s, Signer: keys[2], Cert: signer, Time: now}, root, err
}

// sample makes one sealed sample of a type.
func sample(maker *document.Maker, t *catalog.Type, stamp document.Stamp) ([]byte, error) {
	today := elicense.DateOf(stamp.Time)
	fields := t.Sample(today)
	id, err := elicense.NewIdentifier(t.Code, "11350000FJDEM0021G", elicense.NewSerial(), 1)
	if err != nil {
		return nil, err
	}
	data := t.FaceData(sampleUnit, fields, today, id, "http://localhost:8080/check/"+string(elicense.NewCheckCode()))
	data.Sample = true
	content := document.Content{
		Title: t.Name, Date: stamp.Time, Face: t.Face, Data: data,
		Metadata: []document.Pair{{Name: "ZZMC", Value: t.Name}, {Name: "ZZLXDM", Value: string(t.Code)}, {Name: "ZZBS", Value: string(id)}, {Name: "ZZBFJG", Value: sampleUnit}},
	}
	rand.Read(content.DocID[:])
	p, err := maker.Prepare(content)
	if err != nil {
		return nil, err
	}
	return p.Seal(stamp)
}

