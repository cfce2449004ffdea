package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"elicense"
	"elicense/issuance"
	"elicense/ontime"
	"elicense/workday"
)

// closing is a closed case of the demo: reported by its unit, and made so many days
// later, or never.
type closing struct {
	short, unit string
	day         int // closed so many days before now
	late        int // published so many working days after; never if negative
}

// closings are closed cases of the last weeks at three units. Those at the transport
// office have the five working days of lots.
var closings = []closing{
	{"T02", "scjg-gl", 24, 0}, {"T02", "scjg-gl", 24, 0}, {"T02", "scjg-gl", 23, 0}, {"T02", "scjg-gl", 22, 2}, {"T02", "scjg-gl", 20, 0},
	{"T02", "scjg-gl", 17, 0}, {"T02", "scjg-gl", 16, 1}, {"T02", "scjg-gl", 16, -1}, {"T02", "scjg-gl", 12, 0}, {"T02", "scjg-gl", 11, -1},
	{"T14", "wj-gl", 23, 0}, {"T14", "wj-gl", 21, 0}, {"T14", "wj-gl", 19, 3}, {"T14", "wj-gl", 14, 0}, {"T14", "wj-gl", 12, -1},
	{"T13", "jt-fz", 28, 8}, {"T13", "jt-fz", 28, 2}, {"T13", "jt-fz", 27, 3},
}

// terms lets units report what they closed and make it, mostly on the day; what was
// late for an outage is excused by the supervising body, and of one case it is said
// by two persons that no license comes.
func (d *Data) terms(ctx context.Context, p Platform, a *actors, clock *Clock, now time.Time) error {
	type event struct {
		at time.Time
		do func() error
	}
	calendar, err := p.Calendar.Now(ctx)
	if err != nil {
		return err
	}
	var unknown error
	at := func(day, hour int) time.Time {
		on := workday.DateOf(now.AddDate(0, 0, -day))
		for range 10 { // to the working day before
			works, err := calendar.IsWorkday(on)
			if unknown = errors.Join(unknown, err); works {
				break
			}
			on = on.AddDays(-1)
		}
		return on.Start().Add(time.Duration(hour) * time.Hour)
	}
	later := func(closed time.Time, days int) time.Time {
		on, err := calendar.Add(workday.DateOf(closed), days)
		unknown = errors.Join(unknown, err)
		return on.Start().Add(15 * time.Hour)
	}
	var events []event
	for i, c := range closings {
		number := fmt.Sprintf("%s许〔2026〕%04d", map[string]string{"scjg-gl": "鼓市监", "wj-gl": "鼓卫", "jt-fz": "榕交"}[c.unit], 3100+i)
		closed := at(c.day, 10)
		report := ontime.Report{Case: number, Type: d.TypeCode(c.short), Closed: closed, Wholly: i%4 == 0, Holder: d.companies()[60+i].ref, DocNo: number}
		events = append(events, event{closed.Add(2 * time.Minute), func() error { return d.report(ctx, p, a, c.unit, report) }})
		if c.late < 0 {
			continue
		}
		made := closed.Add(3 * time.Minute)
		if c.late > 0 {
			made = later(closed, c.late)
		}
		events = append(events, event{made, func() error { return d.makeClosed(ctx, p, a, c, i, number, closed) }})
	}
	var kit string
	var pack []byte
	events = append(events, event{at(18, 9), func() (err error) {
		kit, pack, err = d.station(ctx, p, a, clock)
		return err
	}})
	events = append(events, event{later(at(18, 9), 2), func() error { return d.comeBack(ctx, p, a, kit, pack) }})
	secret := ontime.Report{Case: "鼓市监许〔2026〕3199", Type: d.TypeCode("T02"), Closed: at(15, 10)}
	events = append(events, event{at(15, 11), func() error { return d.withhold(ctx, p, a, secret) }})
	events = append(events, event{at(7, 9), func() error { return d.excuse(ctx, p, a, at(30, 0), now) }})
	if unknown != nil {
		return unknown
	}
	slices.SortStableFunc(events, func(x, y event) int { return x.at.Compare(y.at) })
	for _, e := range events {
		clock.set(e.at)
		if err := e.do(); err != nil {
			return err
		}
	}
	return nil
}

func (d *Data) report(ctx context.Context, p Platform, a *actors, unit string, r ontime.Report) error {
	who, err := a.get(ctx, "make-"+unit)
	if err != nil {
		return err
	}
	receipt, err := p.OnTime.Report(ctx, who, []ontime.Report{r})
	if err == nil && len(receipt.Bad) > 0 {
		err = fmt.Errorf("case %s: %s", r.Case, receipt.Bad[0].Sentence())
	}
	return err
}

// fields are what the license of a closed case says.
func (d *Data) fields(short string, i int, on elicense.Date) (elicense.HolderRef, map[string]string) {
	c := d.companies()[60+i]
	switch short {
	case "T14":
		return c.ref, map[string]string{
			"holder_name": c.ref.Name, "uscc": c.ref.Code, "legal_rep": c.legal, "premises": c.place, "items": "宾馆",
			"license_no": fmt.Sprintf("闽卫公证字〔2026〕第3501%05d号", 70000+i), "issue_date": string(on), "valid_to": string(on.AddYears(4, true)),
		}
	case "T13":
		return c.ref, map[string]string{
			"owner": c.ref.Name, "plate": fmt.Sprintf("闽AD%05d", 90000+i), "license_no": fmt.Sprintf("榕交运管货字3501%08d号", 90000+i), "vehicle_type": "厢式货车",
			"tonnage": "5吨", "address": c.place, "scope": "普通货运", "issue_date": string(on), "audit_to": string(on.AddYears(1, true)),
		}
	}
	return c.ref, map[string]string{
		"holder_name": c.ref.Name, "uscc": c.ref.Code, "legal_rep": c.legal, "address": c.place, "premises": c.place, "business_form": "餐饮服务经营者",
		"items": "热食类食品制售\n自制饮品制售", "license_no": elicense.FoodLicenseNumber("JY", "2350102"+fmt.Sprintf("%06d", 700000+i)),
		"daily_org": "福州市鼓楼区市场监督管理局东街市场监督管理所", "hotline": "12315", "issue_date": string(on), "valid_to": string(on.AddYears(5, true)),
	}
}

// drafted makes the draft of a closed case.
func (d *Data) drafted(ctx context.Context, p Platform, a *actors, c closing, i int, number string, closed time.Time) (*issuance.Draft, error) {
	who, err := a.get(ctx, "make-"+c.unit)
	if err != nil {
		return nil, err
	}
	holder, fields := d.fields(c.short, i, elicense.DateOf(closed))
	draft, err := p.Issuer.Complete(ctx, who, issuance.Completion{
		Case: number, Type: d.TypeCode(c.short), Closed: closed, Holders: []elicense.HolderRef{holder}, Fields: fields, DocNo: number,
	})
	if err == nil && draft.State != issuance.InReview {
		err = fmt.Errorf("draft %s is %s: %v, %s", draft.ID, draft.State, draft.Findings, draft.Comparison.Outcome)
	}
	return draft, err
}

func (d *Data) makeClosed(ctx context.Context, p Platform, a *actors, c closing, i int, number string, closed time.Time) error {
	draft, err := d.drafted(ctx, p, a, c, i, number, closed)
	if err != nil {
		return err
	}
	reviewer, err := a.get(ctx, "check-"+c.unit)
	if err != nil {
		return err
	}
	if err := p.Issuer.Approve(ctx, reviewer, draft.ID, draft.Seq, ""); err != nil {
		return err
	}
	return waitPublished(ctx, p)
}

// withhold lets two persons say that no license comes of a case.
func (d *Data) withhold(ctx context.Context, p Platform, a *actors, r ontime.Report) error {
	if err := d.report(ctx, p, a, "scjg-gl", r); err != nil {
		return err
	}
	one, err := a.get(ctx, "make-scjg-gl")
	if err != nil {
		return err
	}
	two, err := a.get(ctx, "check-scjg-gl")
	if err != nil {
		return err
	}
	for at := (ontime.Page{}); ; {
		list, next, err := p.OnTime.Missing(ctx, one, one.Unit, at, 50)
		if err != nil {
			return err
		}
		for _, x := range list {
			if x.Case != r.Case {
				continue
			}
			if err := p.OnTime.Refuse(ctx, one, x.ID, ontime.WorkSecret, "鼓市监密定〔2026〕3号"); err != nil {
				return err
			}
			return p.OnTime.Confirm(ctx, two, x.ID, true)
		}
		if at = next; at.ID == "" {
			return fmt.Errorf("case %s is not awaited", r.Case)
		}
	}
}

// excuse lets the supervising body note why one late license was late.
func (d *Data) excuse(ctx context.Context, p Platform, a *actors, from, to time.Time) error {
	who, err := a.get(ctx, "inspect")
	if err != nil {
		return err
	}
	w := ontime.Which{Unit: d.Unit("wj-gl"), Way: ontime.Online, From: elicense.DateOf(from), To: elicense.DateOf(to)}
	list, _, err := p.OnTime.LateList(ctx, who, w, ontime.Page{}, 10)
	if err != nil {
		return err
	}
	for _, o := range list {
		if o.Kind != ontime.OfDraft {
			continue
		}
		_, err := p.OnTime.Excuse(ctx, who, ontime.Excusing{
			Kind: o.Kind, Subject: o.ID, Ground: ontime.Outage, Doc: "鼓卫信故〔2026〕12号", Reason: "审批系统机房断电，三日后恢复，附工单和公告",
		})
		return err
	}
	return fmt.Errorf("nothing of %s is late", w.Unit)
}

// today leaves something to do at the desk of the market supervision: cases closed
// just now, some drafted and waiting for review, two not begun.
func (d *Data) today(ctx context.Context, p Platform, a *actors, clock *Clock) error {
	closed := clock.Now()
	for n := range 5 {
		i := len(closings) + n
		c := closing{short: "T02", unit: "scjg-gl"}
		number := fmt.Sprintf("鼓市监许〔2026〕%04d", 3100+i)
		r := ontime.Report{Case: number, Type: d.TypeCode(c.short), Closed: closed, Wholly: n == 2, Holder: d.companies()[60+i].ref, DocNo: strings.Replace(number, "许", "准", 1)}
		if err := d.report(ctx, p, a, c.unit, r); err != nil {
			return err
		}
		if n < 3 {
			if _, err := d.drafted(ctx, p, a, c, i, number, closed); err != nil {
				return err
			}
		}
	}
	return nil
}
