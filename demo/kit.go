package demo

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"time"

	"elicense"
	"elicense/issuance"
	"elicense/offline"
	"elicense/ontime"
)

// The PINs of the demo's kit; they open nothing once its day is over.
const (
	kitDrafts  = "wuyi-shan-2017"
	kitReviews = "gulang-yu-2017"
)

// kitFirst tells the licenses made with the kit from those of closings.
const kitFirst = 40

// station is a counter that lost its network for a day: two licenses made with a kit,
// whose package comes back later, so that they are late (Art. 7(2)). It returns the
// kit and its package.
func (d *Data) station(ctx context.Context, p Platform, a *actors, clock *Clock) (id string, pack []byte, err error) {
	drafter, err := a.get(ctx, "make-wj-gl")
	if err != nil {
		return "", nil, err
	}
	reviewer, err := a.get(ctx, "check-wj-gl")
	if err != nil {
		return "", nil, err
	}
	kit, err := p.Kits.Order(ctx, drafter, offline.Order{
		Types: []elicense.TypeCode{d.TypeCode("T14")}, Ground: offline.Outage, Reason: "窗口政务外网中断", Proof: "故障单RW-0917，09:05起外网不通", Hours: 12, Size: 5, PIN: kitDrafts,
		ProofName: "外网监测.png", ProofFile: outage(),
	})
	if err != nil {
		return "", nil, err
	}
	if kit, err = p.Kits.Confirm(ctx, reviewer, kit.ID, kitReviews); err != nil {
		return "", nil, err
	}
	var file bytes.Buffer
	if err := p.Kits.File(ctx, drafter, kit.ID, false, &file); err != nil {
		return "", nil, err
	}
	pack, cases, err := d.made(file.Bytes(), clock)
	if err != nil {
		return "", nil, err
	}
	for _, c := range cases {
		r := ontime.Report{Case: c.Case, Type: c.Type, Closed: c.Closed, Holder: c.Holders[0], DocNo: c.DocNo}
		if err := d.report(ctx, p, a, "wj-gl", r); err != nil {
			return "", nil, err
		}
	}
	return kit.ID, pack, nil
}

// comeBack takes the package in and waits until it is judged.
func (d *Data) comeBack(ctx context.Context, p Platform, a *actors, kit string, pack []byte) error {
	drafter, err := a.get(ctx, "make-wj-gl")
	if err != nil {
		return err
	}
	if _, err := p.Kits.Import(ctx, drafter, pack, "外网恢复后才能导入"); err != nil {
		return err
	}
	for range 20_000 {
		got, err := p.Kits.Get(ctx, drafter, kit)
		if err != nil {
			return err
		}
		if len(got.Packages) > 0 && !got.Packages[0].Finished.IsZero() {
			return nil
		}
		time.Sleep(2 * time.Millisecond)
	}
	return errNotPublished
}

// made is what the two officers do at the machine of the kit.
func (d *Data) made(file []byte, clock *Clock) (pack []byte, cases []issuance.Completion, err error) {
	k, err := offline.OpenKit(file, nil, offline.FindFont)
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "elicense-kit")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	s, err := offline.OpenStation(k, dir, clock.Now)
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	enters, err := s.Open(offline.Drafts, kitDrafts)
	if err != nil {
		return nil, nil, err
	}
	seals, err := s.Open(offline.Reviews, kitReviews)
	if err != nil {
		return nil, nil, err
	}
	for n := range 2 {
		at := clock.Now()
		holder, fields := d.fields("T14", kitFirst+n, elicense.DateOf(at))
		number := fmt.Sprintf("鼓卫许〔2026〕%04d", 3180+n)
		c := issuance.Completion{Case: number, Type: d.TypeCode("T14"), Closed: at, Holders: []elicense.HolderRef{holder}, Fields: fields, DocNo: number}
		row, err := enters.Enter(c)
		if err != nil {
			return nil, nil, err
		}
		if err := seals.Seal(row.Number); err != nil {
			return nil, nil, err
		}
		cases = append(cases, c)
	}
	pack, err = enters.Export()
	return pack, cases, err
}

// outage is the picture that proves the failure: what the monitor of the network drew
// of the morning, a bar for every two minutes, short and red from when nothing went
// through.
func outage() []byte {
	const bars, failed, wide, high = 60, 33, 10, 160
	m := image.NewPaletted(image.Rect(0, 0, bars*wide, high), color.Palette{color.White, color.RGBA{0x0f, 0x6b, 0x5c, 0xff}, color.RGBA{0xb4, 0x23, 0x18, 0xff}})
	for i := range bars {
		top, of := 20+i*i*7%23, uint8(1)
		if i >= failed {
			top, of = high-12, 2
		}
		draw.Draw(m, image.Rect(i*wide+1, top, (i+1)*wide-1, high-4), image.NewUniform(m.Palette[of]), image.Point{}, draw.Src)
	}
	var b bytes.Buffer
	png.Encode(&b, m) // a buffer takes everything
	return b.Bytes()
}
