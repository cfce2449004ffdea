package web

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/cases"
	"elicense/sharing"
	"elicense/table"
)

// useDays is how many days the figures go back unless asked otherwise.
const useDays = 30

type usePage struct {
	*sharing.Figures
	Unit     elicense.UnitCode
	UnitName string
	Paper    []useBar // by reason, the most first
	Refused  []useBar // by rule
	Free     []useBar // share of materials met without submission, by unit
	Lines    []paperRow
	// Disclosed are the counts of statutory disclosures, when all units are shown.
	Disclosed []sharing.DisclosureFigures
	At        time.Time
}

// useBar is one bar of a picture, in a hundred.
type useBar struct {
	Say, Link string
	N, Width  int
}

type paperRow struct {
	sharing.PaperLine
	MatterName string
}

// figuresFor reads the figures the page and its CSV ask for.
func (s *server) figuresFor(v *visit) (*usePage, error) {
	from, to := elicense.Date(v.r.FormValue("from")), elicense.Date(v.r.FormValue("to"))
	if to == "" {
		to = elicense.DateOf(v.Now())
	}
	if from == "" {
		from = elicense.DateOf(v.Now().AddDate(0, 0, 1-useDays))
	}
	d := &usePage{Unit: elicense.UnitCode(v.r.FormValue("unit")), At: v.Now()}
	var err error
	if d.Figures, err = s.Sharing.Figures(v.r.Context(), v.who, d.Unit, from, to); err != nil {
		return nil, err
	}
	matters, err := s.Cases.Matters(v.r.Context(), "")
	if err != nil {
		return nil, err
	}
	names := map[elicense.MatterCode]string{}
	for _, m := range matters {
		names[m.Code] = m.Name
	}
	for _, l := range d.Matters {
		d.Lines = append(d.Lines, paperRow{l, names[l.Matter]})
	}
	return d, nil
}

func (s *server) useFigures(v *visit) error {
	d, err := s.figuresFor(v)
	if err != nil {
		return err
	}
	if d.Unit == "" {
		if d.Disclosed, err = s.Sharing.DisclosureFigures(v.r.Context(), v.who, d.From, d.To); err != nil {
			return err
		}
	}
	for _, u := range d.Units {
		if u.Unit == d.Unit {
			d.UnitName = u.Name
		}
		if u.Free() >= 0 {
			d.Free = append(d.Free, useBar{Say: u.Name, N: u.Free(), Width: u.Free()})
		}
	}
	for _, r := range cases.PaperReasons() {
		if n := d.All.Reasons[r]; n > 0 {
			d.Paper = append(d.Paper, useBar{Say: r.Chinese(), N: n})
		}
	}
	byRule := map[string]int{}
	for _, r := range d.Refusals {
		byRule[r.Rule] += r.N
	}
	for id, n := range byRule {
		b := useBar{Say: "办理的内容不符合要求", N: n}
		rule, err := s.rule(v, id)
		if err != nil {
			return err
		}
		if rule != nil {
			b.Say, b.Link = rule.Reason, "/admin/rules#"+id
		}
		d.Refused = append(d.Refused, b)
	}
	ranked(d.Paper)
	ranked(d.Refused)
	return v.render("use", v.t("用证统计"), d)
}

// ranked orders bars by their number and gives them their widths.
func ranked(bars []useBar) {
	most := 1
	for _, b := range bars {
		most = max(most, b.N)
	}
	for i := range bars {
		bars[i].Width = 100 * bars[i].N / most
	}
	slices.SortFunc(bars, func(a, b useBar) int {
		if a.N != b.N {
			return b.N - a.N
		}
		return strings.Compare(a.Say, b.Say)
	})
}

// useCSV answers with the figures behind a picture.
func (s *server) useCSV(v *visit) error {
	d, err := s.figuresFor(v)
	if err != nil {
		return err
	}
	var rows [][]string
	share := func(n int) string {
		if n < 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	switch v.r.PathValue("list") {
	case "units.csv":
		rows = append(rows, []string{v.t("单位"), v.t("办件"), v.t("网上申请"), v.t("网上申请（%）"), v.t("可免提交"), v.t("已免提交"), v.t("免提交率（%）"), v.t("收取纸质"), v.t("用证"), v.t("被拒绝"), v.t("缺证错证")})
		for _, u := range d.Units {
			rows = append(rows, []string{
				u.Name, strconv.Itoa(u.Cases), strconv.Itoa(u.Online), share(u.OnlineShare()), strconv.Itoa(u.Could), strconv.Itoa(u.Met), share(u.Free()),
				strconv.Itoa(u.Paper), strconv.Itoa(u.Looks), strconv.Itoa(u.Refused), strconv.Itoa(u.Tickets),
			})
		}
	case "paper.csv":
		rows = append(rows, []string{v.t("单位"), v.t("事项"), v.t("经办人"), v.t("理由"), v.t("件数")})
		for _, l := range d.Lines {
			rows = append(rows, []string{l.UnitName, l.MatterName, l.Clerk, v.t(l.Reason.Chinese()), strconv.Itoa(l.N)})
		}
	case "refusals.csv":
		rows = append(rows, []string{v.t("单位"), v.t("规则"), v.t("为什么"), v.t("次数")})
		for _, r := range d.Refusals {
			reason := "办理的内容不符合要求"
			rule, err := s.rule(v, r.Rule)
			if err != nil {
				return err
			}
			if rule != nil {
				reason = rule.Reason
			}
			rows = append(rows, []string{r.UnitName, r.Rule, v.t(reason), strconv.Itoa(r.N)})
		}
	default:
		return errNoPage()
	}
	return v.csv(v.r.PathValue("list"), rows)
}

// csv answers with a table in which nothing is a formula.
func (v *visit) csv(name string, rows [][]string) error {
	var b bytes.Buffer
	err := table.CSV(&b, func(write func([]string) error) error {
		for _, row := range rows {
			if err := write(row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return v.file(name, "text/csv; charset=utf-8", b.Bytes())
}
