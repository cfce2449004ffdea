package web

import (
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/registry"
)

type registriesPage struct {
	From, To elicense.Date
	List     []registry.Measure
	At       time.Time
}

// measuresFor reads the measures the page and its CSV ask for.
func (s *server) measuresFor(v *visit) (*registriesPage, error) {
	d := &registriesPage{From: elicense.Date(v.r.FormValue("from")), To: elicense.Date(v.r.FormValue("to")), At: v.Now()}
	if d.To == "" {
		d.To = elicense.DateOf(d.At)
	}
	if d.From == "" {
		d.From = elicense.DateOf(d.At.AddDate(0, 0, 1-useDays))
	}
	var err error
	d.List, err = s.Measures.Of(v.r.Context(), v.who, d.From, d.To)
	return d, err
}

func (s *server) registries(v *visit) error {
	d, err := s.measuresFor(v)
	if err != nil {
		return err
	}
	return v.render("registries", v.t("基础库比对"), d)
}

func (s *server) registriesCSV(v *visit) error {
	d, err := s.measuresFor(v)
	if err != nil {
		return err
	}
	rows := [][]string{{
		v.t("基础库"), v.t("比对（次）"), v.t("答复（次）"), v.t("可用率（%）"), v.t("一半的答复快于（毫秒）"), v.t("九成五的答复快于（毫秒）"),
		v.t("不一致或查无"), v.t("待处理"), v.t("最近一次答复"),
	}}
	for _, m := range d.List {
		row := []string{v.t(m.Name), strconv.Itoa(m.Asked), strconv.Itoa(m.Answered), "", "", "", strconv.Itoa(m.Differ), strconv.Itoa(m.Open), ""}
		if m.Asked > 0 {
			row[3] = strconv.Itoa(m.Available())
		}
		if m.Answered > 0 {
			row[4], row[5] = strconv.FormatInt(m.Half.Milliseconds(), 10), strconv.FormatInt(m.Most.Milliseconds(), 10)
		}
		if !m.Last.IsZero() {
			row[8] = stamp(m.Last, "2006-01-02 15:04:05")
		}
		rows = append(rows, row)
	}
	return v.csv("registries.csv", rows)
}

// comparisonDo deals with a comparison of a draft that was approved: asks again, or
// notes what was done about a mismatch.
func (s *server) comparisonDo(v *visit) (err error) {
	id := elicense.DraftID(v.r.PathValue("id"))
	switch v.r.PostFormValue("do") {
	case "again":
		err = s.Issuer.CompareAgain(v.r.Context(), v.who, id)
	case "handle":
		err = s.Issuer.HandleMismatch(v.r.Context(), v.who, id, strings.TrimSpace(v.r.PostFormValue("remark")))
	default:
		return errNoPage()
	}
	if err != nil {
		return v.again(err, func() error { return s.draft(v) })
	}
	return v.goTo("/issue/drafts/" + string(id))
}
