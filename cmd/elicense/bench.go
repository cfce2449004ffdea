package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"elicense/catalog"
	"elicense/demo"
	"elicense/document"
	"elicense/gm"
	"elicense/sheet"
)

type benchCmd struct {
	Document benchDocumentCmd `cmd:"" help:"Measure the making and checking of license files on this machine."`
	Use      benchUseCmd      `cmd:"" help:"Measure uses of licenses over HTTP, each with its durable record, on this machine."`
	Making   benchMakingCmd   `cmd:"" help:"Measure the making of licenses in a lot on this machine."`
	Client   benchClientCmd   `cmd:"" hidden:"" help:"The clients of bench use, in a process of their own."`
}

type benchDocumentCmd struct {
	JSON bool          `help:"Print one JSON object." name:"json"`
	For  time.Duration `help:"How long each part is measured." default:"2s"`
}

// figures are what bench document prints. Ratios are of processor time inside
// this run; sizes are bytes.
type figures struct {
	IssueOverSign    float64 `json:"issue_over_sm2_sign"`
	VerifyOverVerify float64 `json:"verify_over_sm2_verify"`
	Issued           float64 `json:"issued_per_second_per_core"`
	Verified         float64 `json:"verified_per_second_per_core"`
	OFDMedian        int     `json:"ofd_bytes_median"`
	OFDLongScope     int     `json:"ofd_bytes_long_scope"`
	PDFMedian        int     `json:"pdf_bytes_median"`
	PDF              float64 `json:"pdf_ms"`
	SVG              float64 `json:"svg_ms"`
	Sign             float64 `json:"sm2_sign_us"`
	Verify           float64 `json:"sm2_verify_us"`
}

// Run measures the food license: making and sealing it with one seal signature
// and one time stamp, judging it with the certificates known, drawing it; and the
// sizes of all types' samples.
func (c *benchDocumentCmd) Run() error {
	fonts, err := systemFonts()
	if err != nil {
		return err
	}
	data, err := demo.Read()
	if err != nil {
		return err
	}
	office, err := newSampleOffice(fonts)
	if err != nil {
		return err
	}
	f, err := c.measure(fonts, data, office)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(f)
	}
	fmt.Printf(`SM2 签名               %8.1f µs
SM2 验签               %8.1f µs
制作并签章一份文件     %8.1f 倍 SM2 签名    （每核每秒 %.0f 份）
核验一份文件           %8.1f 倍 SM2 验签    （每核每秒 %.0f 份）
PDF                    %8.2f ms             （中位 %d 字节）
SVG                    %8.2f ms
OFD 中位               %8d 字节           （经营范围 1,600 字的营业执照 %d 字节）
`, f.Sign, f.Verify, f.IssueOverSign, f.Issued, f.VerifyOverVerify, f.Verified, f.PDF, f.PDFMedian, f.SVG, f.OFDMedian, f.OFDLongScope)
	return nil
}

func (c *benchDocumentCmd) measure(fonts *sheet.FontSet, data *demo.Data, office *sampleOffice) (*figures, error) {
	letGarbageGrow() // as a platform that serves has it
	f := &figures{}
	maker := document.NewMaker(fonts)
	var food document.Content
	if err := f.sizes(fonts, data, office, maker, &food); err != nil {
		return nil, err
	}
	file, err := office.seal(maker, food)
	if err != nil {
		return nil, err
	}
	message := make([]byte, 300)
	sig, err := office.stamp.Signer.SignSM2(message)
	if err != nil {
		return nil, err
	}
	options := document.Options{Trust: gm.Trust{Roots: []*gm.Certificate{office.root}, Cache: gm.NewCache()}, Now: time.Now()}
	pub := office.stamp.Signer.Public()
	parts := []struct {
		run  func() error
		best time.Duration
	}{
		{run: func() error { _, err := office.stamp.Signer.SignSM2(message); return err }},
		{run: func() error { gm.Verify(pub, message, sig); return nil }},
		{run: func() error { _, err := office.seal(maker, food); return err }},
		{run: func() error {
			if r := document.Judge(file, options); r.Verdict != document.Genuine {
				return fmt.Errorf("the sample is %s", r.Verdict)
			}
			return nil
		}},
		{run: func() error {
			copies, err := document.Draw(file, fonts)
			if err == nil {
				_, err = copies.PDF()
			}
			return err
		}},
		{run: func() error { _, err := document.Picture(file); return err }},
	}
	// The parts take turns, so that what else the machine does falls on all alike;
	// of each the best turn counts.
	const turns = 8
	for range turns {
		for i := range parts {
			p := &parts[i]
			each, err := cpuTime(p.run, c.For/turns)
			if err != nil {
				return nil, err
			}
			if p.best == 0 || each < p.best {
				p.best = each
			}
		}
	}
	us := func(i int) float64 { return float64(parts[i].best.Nanoseconds()) / 1000 }
	f.Sign, f.Verify = us(0), us(1)
	f.IssueOverSign, f.VerifyOverVerify = us(2)/us(0), us(3)/us(1)
	f.Issued, f.Verified = 1e6/us(2), 1e6/us(3)
	f.PDF, f.SVG = us(4)/1000, us(5)/1000
	return f, nil
}

// sizes makes a sample of every type.
func (f *figures) sizes(fonts *sheet.FontSet, data *demo.Data, office *sampleOffice, maker *document.Maker, food *document.Content) error {
	var ofds, pdfs []int
	for _, t := range data.Types() {
		if !t.Mode.Made() {
			continue
		}
		content, err := office.content(t, false)
		if err != nil {
			return err
		}
		content.Data.Sample = false // as they are issued
		file, err := office.seal(maker, content)
		if err != nil {
			return err
		}
		copies, err := document.Draw(file, fonts)
		if err != nil {
			return err
		}
		pdf, err := copies.PDF()
		if err != nil {
			return err
		}
		ofds, pdfs = append(ofds, len(file)), append(pdfs, len(pdf))
		switch t.Code {
		case data.TypeCode("T02"):
			*food = content
		case data.TypeCode("T01"):
			if f.OFDLongScope, err = longScope(office, maker, t); err != nil {
				return err
			}
		}
	}
	slices.Sort(ofds)
	slices.Sort(pdfs)
	f.OFDMedian, f.PDFMedian = ofds[len(ofds)/2], pdfs[len(pdfs)/2]
	return nil
}

// longScope is the size of a business license with a scope of 1,600 characters.
func longScope(office *sampleOffice, maker *document.Maker, t *catalog.Type) (int, error) {
	content, err := office.content(t, true)
	if err != nil {
		return 0, err
	}
	content.Data.Sample = false
	file, err := office.seal(maker, content)
	return len(file), err
}
