package demo

import (
	"context"
	"fmt"
	"time"

	"elicense"
	"elicense/cases"
	"elicense/delivery"
	"elicense/sharing"
	"elicense/workday"
)

// The days at the windows: three units, so many working days before now, and so
// many cases a day each.
const (
	windowDays  = 4
	casesPerDay = 4
)

// hall is one unit's window in the demo's days.
type hall struct {
	clerk  string
	matter elicense.MatterCode
	// parties of the i-th case.
	parties func(i int) []cases.Party
	outside string // a material the matter does not ask for, which someone tries once a day
}

func (d *Data) halls() []hall {
	firms, people := d.companies(), d.persons()
	party := func(role string, ref elicense.HolderRef, p cases.Proof) cases.Party {
		return cases.Party{Role: role, Ref: ref, Proof: p}
	}
	return []hall{
		{"window2-gl", "M04", func(i int) []cases.Party {
			return []cases.Party{party("申请人", firms[20+i].ref, cases.ProofLicense), party("负责人", people[10+i*2].ref, cases.ProofCard)}
		}, "结婚证"},
		{"window-civil", "M15", func(i int) []cases.Party {
			return []cases.Party{party("申请人", people[5+i*3].ref, cases.ProofCard)}
		}, "不动产权证书"},
		{"window-land", "M12", func(i int) []cases.Party {
			return []cases.Party{party("抵押人", people[10+i*2].ref, cases.ProofCard), party("抵押权人", firms[40+i].ref, cases.ProofCertificate)}
		}, "残疾人证"},
	}
}

// days lets three windows work for some days before now, so that the pages of
// figures show what they show: licenses used and not asked for again, missing
// ones reported, paper with its reasons, refusals, a case withdrawn.
func (d *Data) days(ctx context.Context, p Platform, a *actors, clock *Clock, now time.Time) error {
	calendar, err := p.Calendar.Now(ctx)
	if err != nil {
		return err
	}
	day := workday.DateOf(now.Add(-26 * time.Hour))
	var list []workday.Date
	for len(list) < windowDays {
		day = day.AddDays(-1)
		on, err := calendar.IsWorkday(day)
		if err != nil {
			return err
		}
		if on {
			list = append([]workday.Date{day}, list...)
		}
	}
	for n, day := range list {
		for h, at := range d.halls() {
			clock.set(day.Start().Add(9*time.Hour + time.Duration(h)*40*time.Minute))
			clerk, err := a.get(ctx, at.clerk)
			if err != nil {
				return err
			}
			for i := range casesPerDay {
				if err := d.serve(ctx, p, clerk, at, n*casesPerDay+i); err != nil {
					return fmt.Errorf("case %d of %s: %w", i, at.clerk, err)
				}
			}
		}
		if n < len(applicants) {
			clock.set(day.Start().Add(15 * time.Hour))
			if err := d.apply(ctx, p, a, applicants[n], n == len(applicants)-1); err != nil {
				return fmt.Errorf("application of %s: %w", applicants[n].login, err)
			}
		}
	}
	return nil
}

// applicants apply online (Art. 11), one a day; the last one's application waits in
// the queue.
var applicants = []applicant{
	{"store", "window2-gl", "M04"}, {"lin", "window-civil", "M15"}, {"canteen", "window2-gl", "M04"}, {"chen", "window-civil", "M15"},
}

type applicant struct {
	login, clerk string
	matter       elicense.MatterCode
}

// apply takes an application from the holder's phone to the window's decision: his
// licenses with his agreement, the rest uploaded.
func (d *Data) apply(ctx context.Context, p Platform, a *actors, by applicant, waits bool) error {
	holder, err := a.get(ctx, by.login)
	if err != nil {
		return err
	}
	ref := d.person("p2")
	switch by.login {
	case "store":
		ref = d.enterprise("e4")
	case "canteen":
		ref = d.enterprise("e1")
	case "chen":
		ref = d.person("p1")
	}
	k, err := p.Cases.Apply(ctx, holder, cases.NewCase{Matter: by.matter, Parties: []cases.Party{{Role: "申请人", Ref: ref}}})
	if err != nil {
		return err
	}
	list, err := p.Sharing.OwnMaterials(ctx, holder, k.ID)
	if err != nil {
		return err
	}
	for _, st := range list {
		switch {
		case st.Need == sharing.Have || st.Need == sharing.Look:
			err = p.Sharing.Give(ctx, holder, k.ID, st.Place, sharing.Giving{Way: cases.ByLicense})
		case st.Material.Way == cases.Form:
			err = p.Sharing.Give(ctx, holder, k.ID, st.Place, sharing.Giving{Way: cases.ByForm})
		default:
			err = p.Cases.Attach(ctx, holder, k.ID, st.Place, "照片.png", scan)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", st.Material.Name, err)
		}
	}
	if _, err := p.Cases.OwnMove(ctx, holder, k.ID, cases.Send, cases.Doing{}); err != nil || waits {
		return err
	}
	clerk, err := a.get(ctx, by.clerk)
	if err != nil {
		return err
	}
	if _, err := p.Cases.Do(ctx, clerk, k.ID, cases.Take, cases.Doing{}); err != nil {
		return err
	}
	// Whoever's license comes of the case is told by SMS; he has opened what he has.
	if by.login == "store" {
		if err := p.Delivery.Take(ctx, clerk, k.ID, 0, delivery.SMS, "13800000059"); err != nil {
			return err
		}
		folder, err := p.Sharing.Folder(ctx, holder)
		if err != nil {
			return err
		}
		for _, l := range folder {
			if err := p.Delivery.Opened(ctx, holder, l.License.ID); err != nil {
				return err
			}
		}
	}
	_, err = p.Sharing.Accept(ctx, p.Cases, clerk, k.ID)
	return err
}

// serve takes the i-th case of a window to its end.
func (d *Data) serve(ctx context.Context, p Platform, clerk *elicense.Actor, at hall, i int) error {
	k, err := p.Cases.Start(ctx, clerk, cases.NewCase{Matter: at.matter, Parties: at.parties(i)})
	if err != nil {
		return err
	}
	list, _, err := p.Sharing.Materials(ctx, clerk, k.ID)
	if err != nil {
		return err
	}
	if i%casesPerDay == 1 { // refused, and on record
		_, err := p.Sharing.Use(ctx, clerk, k.ID, sharing.Use{Material: at.outside, Party: -1, Act: sharing.Query})
		if !elicense.IsKind(err, elicense.Forbidden) {
			return fmt.Errorf("%s outside the list: %w", at.outside, err)
		}
	}
	for _, st := range list {
		if err := d.settle(ctx, p, clerk, k, st, i); err != nil {
			return fmt.Errorf("%s: %w", st.Material.Name, err)
		}
	}
	if i%11 == 7 {
		_, err := p.Cases.Do(ctx, clerk, k.ID, cases.Withdraw, cases.Doing{Reason: "申请人暂不办理"})
		return err
	}
	if _, err := p.Sharing.Accept(ctx, p.Cases, clerk, k.ID); err != nil {
		return err
	}
	if i%3 != 0 {
		return nil // it is being examined
	}
	decision := cases.Doing{Granted: true, DocNo: fmt.Sprintf("示许〔2026〕%d号", 100+i)}
	if _, err := p.Cases.Do(ctx, clerk, k.ID, cases.Decide, decision); err != nil {
		return err
	}
	return p.Cases.Close(ctx, clerk, k.ID)
}

// scan is what the demo's applicants bring as a picture: one pixel.
var scan = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU\x00\x00\x00\nIDATx\x9cc\xf8\x0f\x00\x01\x01\x01\x00\x1b\xb6\xeeV\x00\x00\x00\x00IEND\xaeB`\x82")

// settle meets one material: a license is looked at, a missing one is reported
// and paper taken, sometimes the applicant would rather give paper.
func (d *Data) settle(ctx context.Context, p Platform, clerk *elicense.Actor, k *cases.Case, st sharing.MaterialState, i int) error {
	paper := func(r cases.PaperReason) error {
		return p.Sharing.Give(ctx, clerk, k.ID, st.Place, sharing.Giving{Way: cases.ByPaper, Reason: r})
	}
	file := func() error { return p.Cases.Attach(ctx, clerk, k.ID, st.Place, "扫描件.png", scan) }
	switch {
	case st.Need == sharing.Have || st.Need == sharing.Look:
		u := sharing.Use{Material: st.Material.Name, Party: -1, Act: sharing.Query}
		if st.Material.Way == cases.Verify {
			u.Act = sharing.Verify
		}
		if _, err := p.Sharing.Use(ctx, clerk, k.ID, u); err != nil {
			return err
		}
		if i%13 == 5 && st.Place == 0 {
			if err := file(); err != nil { // the signature under "I would rather give paper"
				return err
			}
			return paper(cases.PaperWish)
		}
		return nil
	case len(st.Material.Types) > 0 && !st.Material.OrUpload && st.Need == sharing.Missing:
		kind, why := sharing.LicenseMissing, cases.PaperMissing
		note := ""
		if len(st.Licenses) > 0 {
			kind, why, note = sharing.LicenseWrong, cases.PaperWrong, "状态与持证人所说不符"
		}
		if _, err := p.Sharing.Report(ctx, clerk, k.ID, sharing.Report{Kind: kind, Place: st.Place, Note: note}); err != nil {
			return err
		}
		return paper(why)
	case st.Met() || st.Material.Way == cases.Form:
		return nil
	}
	return file()
}
