package web

import (
	"elicense/calendar"
	"elicense/workday"
)

type calendarYear struct {
	Year          int
	Doc           string
	Free, Working []workday.Run
	Months        [12]int
	Sum           int
}

type calendarPage struct {
	Years        []calendarYear
	List         []*calendar.Entry
	Next         int    // the first year without a notice
	Open         string // entry whose form to end it is open
	In, Day      typed
	Form, DayFor string
}

func (s *server) calendar(v *visit) error {
	days, err := v.workdays()
	if err != nil {
		return err
	}
	d := calendarPage{Form: short("calendar-notice"), DayFor: short("calendar-day"), Open: v.asked("end", "id")}
	for _, y := range days.Years() {
		row := calendarYear{Year: y, Doc: days.Notice(y)}
		row.Free, row.Working = days.Runs(y)
		if row.Months, err = days.Months(y); err != nil {
			return err
		}
		for _, n := range row.Months {
			row.Sum += n
		}
		d.Years = append([]calendarYear{row}, d.Years...)
		d.Next = y + 1
	}
	if d.List, err = s.Calendar.List(v.r.Context()); err != nil {
		return err
	}
	if d.In, err = v.typedInto(d.Form); err != nil {
		return err
	}
	if d.Day, err = v.typedInto(d.DayFor); err != nil {
		return err
	}
	return v.render("calendar", v.t("工作日历"), d)
}

func (s *server) calendarNotice(v *visit) error {
	text := calendar.Text{Year: v.Posted("year"), Doc: v.Posted("doc"), Holidays: v.Posted("holidays"), Working: v.Posted("working")}
	if err := s.Calendar.Announce(v.r.Context(), v.who, text); err != nil {
		return v.refusedForm(err, short("calendar-notice"), func() error { return s.calendar(v) })
	}
	if err := s.Typed.Clear(v.r.Context(), v.who, short("calendar-notice")); err != nil {
		return err
	}
	return v.goTo("/admin/calendar?said=calendar")
}

func (s *server) calendarDay(v *visit) error {
	day := workday.Special{Day: v.Posted("day"), Free: v.Posted("free") == "yes", Name: v.Posted("name"), Doc: v.Posted("docNo")}
	if err := s.Calendar.Declare(v.r.Context(), v.who, day); err != nil {
		return v.refusedForm(err, short("calendar-day"), func() error { return s.calendar(v) })
	}
	if err := s.Typed.Clear(v.r.Context(), v.who, short("calendar-day")); err != nil {
		return err
	}
	return v.goTo("/admin/calendar?said=calendar")
}

func (s *server) calendarEnd(v *visit) error {
	if err := s.Calendar.End(v.r.Context(), v.who, v.r.PathValue("id"), v.Posted("reason")); err != nil {
		return v.again(err, func() error { return s.calendar(v) })
	}
	return v.goTo("/admin/calendar?said=calendar-end")
}
