package workday

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func date(t *testing.T, s string) Date {
	t.Helper()
	d, err := ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDefaultIsThePublishedData(t *testing.T) {
	published, err := os.ReadFile("testdata/holidays_2024_2026.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(published, notices) {
		t.Error("notices.json is not the checked data of testdata")
	}
}

// The sums were cross-checked day by day with an independent data set.
func TestWorkingDaysOfEachMonth(t *testing.T) {
	c := Default()
	for year, want := range map[int][12]int{
		2024: {22, 18, 21, 22, 21, 19, 23, 22, 21, 19, 21, 22},
		2025: {19, 19, 21, 22, 19, 20, 23, 21, 23, 18, 20, 23},
		2026: {21, 16, 22, 21, 19, 21, 23, 21, 22, 18, 21, 23},
	} {
		var got [12]int
		for d := (Date{year, 1, 1}); d.Year == year; d = d.AddDays(1) {
			on, err := c.IsWorkday(d)
			if err != nil {
				t.Fatal(err)
			}
			if on {
				got[d.Month-1]++
			}
		}
		if got != want {
			t.Errorf("working days of %d = %v, want %v", year, got, want)
		}
	}
}

func TestAdd(t *testing.T) {
	c := Default()
	for _, tc := range []struct {
		from string
		n    int
		want string
	}{
		{"2024-02-06", 5, "2024-02-19"},
		{"2025-01-23", 5, "2025-02-06"},
		{"2025-09-26", 5, "2025-10-10"},
		{"2026-02-12", 5, "2026-02-26"},
		{"2026-09-18", 5, "2026-09-24"},
		{"2026-09-30", 5, "2026-10-13"},
		{"2026-11-20", 5, "2026-11-27"},
		{"2026-11-20", 0, "2026-11-20"},
		{"2024-02-08", 1, "2024-02-09"}, // New Year's Eve is formally a working day
		{"2025-12-31", 1, "2026-01-04"}, // across the year, onto an adjusted Sunday
	} {
		got, err := c.Add(date(t, tc.from), tc.n)
		if err != nil || got.String() != tc.want {
			t.Errorf("Add(%s, %d) = %s, %v, want %s", tc.from, tc.n, got, err, tc.want)
		}
		if back, err := c.Between(date(t, tc.from), got); err != nil || back != tc.n {
			t.Errorf("Between(%s, %s) = %d, %v, want %d", tc.from, got, back, err, tc.n)
		}
	}
	if _, err := c.Add(date(t, "2026-03-10"), -1); err == nil {
		t.Error("counting backwards is not refused")
	}
}

func TestUnknownYearIsAnError(t *testing.T) {
	c := Default()
	if _, err := c.IsWorkday(date(t, "2027-01-04")); !errors.Is(err, ErrUnknownYear) {
		t.Errorf("IsWorkday in 2027: %v", err)
	}
	if _, err := c.Add(date(t, "2026-12-28"), 5); !errors.Is(err, ErrUnknownYear) {
		t.Errorf("Add into 2027: %v", err)
	}
	if d, err := c.Add(date(t, "2026-12-28"), 3); err != nil || d.String() != "2026-12-31" {
		t.Errorf("Add up to the end of 2026 = %s, %v", d, err)
	}
	if _, err := c.Between(date(t, "2026-12-30"), date(t, "2027-01-02")); !errors.Is(err, ErrUnknownYear) {
		t.Errorf("Between into 2027: %v", err)
	}
	if c.Knows(2027) || !c.Knows(2026) || c.Notice(2024) != "国办发明电〔2023〕7号" {
		t.Error("Knows or Notice is wrong")
	}
}

func TestDeadlines(t *testing.T) {
	done := time.Date(2026, 9, 29, 16, 30, 0, 0, time.UTC) // 30 September, 00:30 in Fujian
	if got, want := SameDay(done), time.Date(2026, 9, 30, 16, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("SameDay = %v, want %v", got, want)
	}
	got, err := Default().Within(done, 5)
	if want := time.Date(2026, 10, 13, 16, 0, 0, 0, time.UTC); err != nil || !got.Equal(want) {
		t.Errorf("Within 5 days = %v, %v, want %v", got, err, want)
	}
	if name := Default().Holiday(date(t, "2026-10-03")); name != "国庆节" {
		t.Errorf("Holiday = %q", name)
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":                 `{`,
		"a year that is none":     `{"years":{"x":{"holidays":[]}}}`,
		"a year without holidays": `{"years":{"2027":{"holidays":[]}}}`,
		"a date that is none":     `{"years":{"2027":{"holidays":[{"name":"a","start":"2027-02-30","end":"2027-03-01"}]}}}`,
		"another year's holiday":  `{"years":{"2027":{"holidays":[{"name":"a","start":"2026-01-01","end":"2026-01-01"}]}}}`,
		"an end before the start": `{"years":{"2027":{"holidays":[{"name":"a","start":"2027-01-02","end":"2027-01-01"}]}}}`,
		"a day named twice": `{"years":{"2027":{"holidays":[{"name":"a","start":"2027-01-01","end":"2027-01-02"},` +
			`{"name":"b","start":"2027-01-02","end":"2027-01-02"}]}}}`,
		"a working day of the week": `{"years":{"2027":{"holidays":[{"name":"a","start":"2027-01-01","end":"2027-01-01"}],` +
			`"adjusted_workdays":["2027-01-04"]}}}`,
	} {
		if _, err := Load([]byte(text)); err == nil {
			t.Errorf("%s is not refused", name)
		} else if strings.TrimSpace(err.Error()) == "" {
			t.Errorf("%s: the error says nothing", name)
		}
	}
}
