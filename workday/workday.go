// Package workday counts working days by the State Council's yearly notices of
// holidays and adjusted working days (国务院办公厅关于节假日安排的通知). The
// periods of the Measures are in working days: 行政许可法 art. 82 counts them
// without holidays, 民法典 art. 201 does not count the day a period begins on.
//
// A year without a notice is an error, never "weekends only": a deadline that is
// silently wrong by the Spring Festival is worse than none.
package workday

import (
	_ "embed" // the notices known when the program was made
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Date is a day in Fujian.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// Zone is the time zone of all dates and deadlines: Asia/Shanghai, which has had
// no summer time since 1991.
var Zone = time.FixedZone("Asia/Shanghai", 8*60*60)

// DateOf returns the day of an instant in Fujian.
func DateOf(t time.Time) Date {
	y, m, d := t.In(Zone).Date()
	return Date{y, m, d}
}

// ParseDate reads a date as 2026-03-10.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, fmt.Errorf("date: %w", err)
	}
	return Date{t.Year(), t.Month(), t.Day()}, nil
}

// String returns the date as 2026-03-10.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// Start returns the instant the day begins in Fujian.
func (d Date) Start() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, Zone) }

// End returns the instant the day ends, 24:00: the first instant that is too
// late.
func (d Date) End() time.Time { return d.AddDays(1).Start() }

// AddDays returns the day n calendar days later.
func (d Date) AddDays(n int) Date {
	t := time.Date(d.Year, d.Month, d.Day+n, 0, 0, 0, 0, time.UTC)
	return Date{t.Year(), t.Month(), t.Day()}
}

// Before tells whether d is earlier than e.
func (d Date) Before(e Date) bool { return d.Start().Before(e.Start()) }

func (d Date) weekend() bool {
	w := d.Start().Weekday()
	return w == time.Saturday || w == time.Sunday
}

// ErrUnknownYear says that the notice of a year is not loaded.
var ErrUnknownYear = errors.New("the notice of holidays of this year is not known")

// Calendar is what the notices say. It does not change once it is made.
type Calendar struct {
	years map[int]year
}

type year struct {
	doc  string          // number of the notice
	days map[Date]string // days that are not as their weekday: the holiday's name, or working
}

const working = "" // a weekend day made a working day

// file is the form of notices.json.
type file struct {
	Years map[string]struct {
		Doc      string    `json:"doc"`
		URL      string    `json:"url"`
		Holidays []Holiday `json:"holidays"`
		Adjusted []string  `json:"adjusted_workdays"`
	} `json:"years"`
}

// Load reads notices. A holiday outside its year, a day named twice, an adjusted
// working day that is none of the weekend, or a year without holidays is an
// error: the file is then not what the State Council announced.
func Load(data []byte) (*Calendar, error) {
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("notices of holidays: %w", err)
	}
	c := &Calendar{years: map[int]year{}}
	for name, n := range f.Years {
		number, err := strconv.Atoi(name)
		if err != nil {
			return nil, fmt.Errorf("notices of holidays: year %q: %w", name, err)
		}
		y, err := (&Notice{Year: number, Doc: n.Doc, Holidays: n.Holidays, Working: n.Adjusted}).year()
		if err != nil {
			return nil, err
		}
		c.years[number] = y
	}
	return c, nil
}

func (y year) addHoliday(number int, name, start, end string) error {
	from, err := ParseDate(start)
	if err != nil {
		return err
	}
	to, err := ParseDate(end)
	if err != nil {
		return err
	}
	if name == "" || to.Before(from) || from.Year != number || to.Year != number {
		return fmt.Errorf("from %s to %s", from, to)
	}
	for d := from; !to.Before(d); d = d.AddDays(1) {
		if _, twice := y.days[d]; twice {
			return fmt.Errorf("%s is named twice", d)
		}
		y.days[d] = name
	}
	return nil
}

func (y year) addWorking(number int, day string) error {
	d, err := ParseDate(day)
	if err != nil {
		return err
	}
	if _, twice := y.days[d]; twice || d.Year != number || !d.weekend() {
		return fmt.Errorf("%s is no free day of %d", d, number)
	}
	y.days[d] = working
	return nil
}

//go:embed notices.json
var notices []byte

// Default returns the calendar of the notices known when the program was made. It
// panics if they can't be read, which every test of a deadline would tell.
func Default() *Calendar {
	c, err := Load(notices)
	if err != nil {
		panic("workday: the embedded notices are broken: " + err.Error())
	}
	return c
}

// Knows tells whether the notice of a year is loaded.
func (c *Calendar) Knows(year int) bool { _, ok := c.years[year]; return ok }

// Notice returns the document number of a year's notice, such as
// 国办发明电〔2023〕7号; empty when the year is not known.
func (c *Calendar) Notice(year int) string { return c.years[year].doc }

// IsWorkday tells whether d is a working day. The error wraps ErrUnknownYear.
func (c *Calendar) IsWorkday(d Date) (bool, error) {
	y, ok := c.years[d.Year]
	if !ok {
		return false, fmt.Errorf("%d: %w", d.Year, ErrUnknownYear)
	}
	if name, special := y.days[d]; special {
		return name == working, nil
	}
	return !d.weekend(), nil
}

// Holiday returns the name of the holiday d is part of, empty for another day.
func (c *Calendar) Holiday(d Date) string { return c.years[d.Year].days[d] }

// Add returns the n-th working day after d, which is day 0 and not counted,
// working day or not. With n = 0 it is d itself. The error wraps ErrUnknownYear
// when the count runs into a year without a notice.
func (c *Calendar) Add(d Date, n int) (Date, error) {
	if n < 0 {
		return Date{}, fmt.Errorf("%d working days: can not be counted backwards", n)
	}
	for day := d; ; day = day.AddDays(1) {
		if n == 0 {
			return day, nil
		}
		on, err := c.IsWorkday(day.AddDays(1))
		if err != nil {
			return Date{}, fmt.Errorf("%d working days after %s: %w", n, d, err)
		}
		if on {
			n--
		}
	}
}

// Between returns how many working days there are after from up to and with to;
// 0 when to is not later.
func (c *Calendar) Between(from, to Date) (int, error) {
	n := 0
	for d := from.AddDays(1); !to.Before(d); d = d.AddDays(1) {
		on, err := c.IsWorkday(d)
		if err != nil {
			return 0, fmt.Errorf("working days from %s to %s: %w", from, to, err)
		}
		if on {
			n++
		}
	}
	return n, nil
}

// SameDay returns the deadline of what is to be done on the day of done (Art.
// 7(1): an online matter's license on the day it is completed): 24:00 of it.
func SameDay(done time.Time) time.Time { return DateOf(done).End() }

// Within returns the deadline of what is to be done within n working days of
// done: 24:00 of the last of them. The day of done is day 0.
func (c *Calendar) Within(done time.Time, n int) (time.Time, error) {
	d, err := c.Add(DateOf(done), n)
	if err != nil {
		return time.Time{}, err
	}
	return d.End(), nil
}
