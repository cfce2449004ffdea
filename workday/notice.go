package workday

import (
	"fmt"
	"maps"
	"slices"
)

// Notice is a year's notice of holidays as it is entered.
type Notice struct {
	Year     int       `json:"year"`
	Doc      string    `json:"doc"` // its number
	Holidays []Holiday `json:"holidays"`
	Working  []string  `json:"working"` // weekend days made working days, as 2026-02-14
}

// Holiday is a run of free days.
type Holiday struct {
	Name  string `json:"name"`
	Start string `json:"start"`
	End   string `json:"end"`
}

// Special is a day that a locality decides apart from the year's notice, such as
// a stop of work before a typhoon (停工停业).
type Special struct {
	Day  string `json:"day"`
	Free bool   `json:"free"` // or a free day made a working day
	Name string `json:"name"` // why
	Doc  string `json:"doc"`  // number of the decision
}

// year checks a notice.
func (n *Notice) year() (year, error) {
	y := year{doc: n.Doc, days: map[Date]string{}}
	for _, h := range n.Holidays {
		if err := y.addHoliday(n.Year, h.Name, h.Start, h.End); err != nil {
			return year{}, fmt.Errorf("notice of %d: %s: %w", n.Year, h.Name, err)
		}
	}
	if len(y.days) == 0 {
		return year{}, fmt.Errorf("notice of %d: no holidays", n.Year)
	}
	for _, day := range n.Working {
		if err := y.addWorking(n.Year, day); err != nil {
			return year{}, fmt.Errorf("notice of %d: working day: %w", n.Year, err)
		}
	}
	return y, nil
}

// With returns a calendar that knows the notices and the special days as well. A
// notice takes the place of one of the same year; special days stand over
// notices, the later over the earlier. A special day that is free or working
// already, or in a year without a notice, is an error.
func (c *Calendar) With(notices []Notice, specials []Special) (*Calendar, error) {
	with := &Calendar{years: make(map[int]year, len(c.years)+len(notices))}
	for n, y := range c.years {
		with.years[n] = year{y.doc, maps.Clone(y.days)}
	}
	for _, n := range notices {
		y, err := n.year()
		if err != nil {
			return nil, err
		}
		with.years[n.Year] = y
	}
	for _, s := range specials {
		d, err := ParseDate(s.Day)
		if err != nil {
			return nil, err
		}
		on, err := with.IsWorkday(d)
		if err != nil {
			return nil, err
		}
		if on != s.Free || s.Name == "" {
			return nil, fmt.Errorf("special day %s: nothing changes, or it has no name", d)
		}
		with.years[d.Year].days[d] = s.Name
		if !s.Free {
			with.years[d.Year].days[d] = working
		}
	}
	return with, nil
}

// Run is a run of days that are not as their weekday.
type Run struct {
	From, To Date
	Name     string // of the holiday; empty for working days of the weekend
}

// Runs lists a year's holidays and, after them, its working days of the weekend,
// each in the order of days.
func (c *Calendar) Runs(number int) (free, working []Run) {
	for d := (Date{number, 1, 1}); d.Year == number; d = d.AddDays(1) {
		name, special := c.years[number].days[d]
		switch {
		case !special:
		case name == "":
			working = append(working, Run{From: d, To: d})
		case len(free) > 0 && free[len(free)-1].Name == name && free[len(free)-1].To.AddDays(1) == d:
			free[len(free)-1].To = d
		default:
			free = append(free, Run{d, d, name})
		}
	}
	return free, working
}

// Months counts the working days of each month of a year. The error wraps
// ErrUnknownYear.
func (c *Calendar) Months(number int) (n [12]int, err error) {
	for d := (Date{number, 1, 1}); d.Year == number; d = d.AddDays(1) {
		on, err := c.IsWorkday(d)
		if err != nil {
			return n, err
		}
		if on {
			n[d.Month-1]++
		}
	}
	return n, nil
}

// Years lists the years whose notices are known, in order.
func (c *Calendar) Years() []int { return slices.Sorted(maps.Keys(c.years)) }
