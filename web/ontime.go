package web

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/issuance"
	"elicense/ontime"
	"elicense/org"
	"elicense/table"
	"elicense/workday"
)

// The pages of what is due, made and late: those of a unit at its desk, those of all
// units at the desk of supervision.

// ontimeBase is where the pages of the visitor's desk are.
func (v *visit) ontimeBase() string {
	if v.desk == admin {
		return "/admin/ontime"
	}
	return "/issue/ontime"
}

// chosen is the unit, the days and what else a page of on-time figures is asked for.
func (v *visit) chosen() ontime.Which {
	today := elicense.DateOf(v.Now())
	w := ontime.Which{
		Unit: elicense.UnitCode(v.r.FormValue("unit")), Type: elicense.TypeCode(v.r.FormValue("type")), Way: ontime.Way(v.r.FormValue("way")),
		From: elicense.Date(v.r.FormValue("from")), To: elicense.Date(v.r.FormValue("to")),
	}
	if v.desk != admin {
		w.Unit = v.who.Unit
	}
	if w.To == "" {
		w.To = today
	}
	if w.From == "" {
		w.From = elicense.DateOf(v.Now().AddDate(0, 0, 1-useDays))
	}
	return w
}

// span is a period that can be chosen with one click.
type span struct {
	Text     string
	From, To elicense.Date
	Current  bool
}

// spans are this month and quarter, the ones before, and this year.
func (v *visit) spans(w ontime.Which) []span {
	now := v.Now().In(elicense.Shanghai)
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, elicense.Shanghai)
	quarter := month.AddDate(0, -int(month.Month()-1)%3, 0)
	year := time.Date(now.Year(), 1, 1, 0, 0, 0, 0, elicense.Shanghai)
	today := elicense.DateOf(now)
	before := func(t time.Time) elicense.Date { return elicense.DateOf(t.AddDate(0, 0, -1)) }
	list := []span{
		{v.t("近%d天", useDays), elicense.DateOf(now.AddDate(0, 0, 1-useDays)), today, false}, {v.t("本月"), elicense.DateOf(month), today, false}, {v.t("上月"), elicense.DateOf(month.AddDate(0, -1, 0)), before(month), false},
		{v.t("本季"), elicense.DateOf(quarter), today, false}, {v.t("上季"), elicense.DateOf(quarter.AddDate(0, -3, 0)), before(quarter), false},
		{v.t("今年"), elicense.DateOf(year), today, false},
	}
	for i := range list {
		if list[i].From == w.From && list[i].To == w.To {
			list[i].Current = true
			break
		}
	}
	return list
}

// query writes what is chosen for an address.
func query(w ontime.Which) string {
	q := url.Values{"from": {string(w.From)}, "to": {string(w.To)}}
	for k, x := range map[string]string{"unit": string(w.Unit), "type": string(w.Type), "way": string(w.Way)} {
		if x != "" {
			q.Set(k, x)
		}
	}
	return q.Encode()
}

// shareBar is a bar of a picture: in a hundred, what was on time and what was late.
type shareBar struct {
	ontime.Group
	Link      string // to the late list behind it
	OnTimePct int
	LatePct   int
	Foreign   bool // the name is data, in Chinese
}

type ontimePage struct {
	*ontime.Figures
	Which    ontime.Which
	Base     string
	Query    string
	Spans    []span
	Units    []*org.Unit // to choose from
	UnitName string
	ByWay    []shareBar
	ByUnit   []shareBar
	ByType   []shareBar
	None     []noneRow
	Setting  *ontime.Setting // of the chosen unit
	MaxMin   int
}

type noneRow struct {
	Ground ontime.Ground
	N      int
}

func (v *visit) shareBars(groups []ontime.Group, w ontime.Which, set func(*ontime.Which, string), foreign bool) (list []shareBar) {
	for _, g := range groups {
		one := w
		set(&one, g.Key)
		b := shareBar{Group: g, Link: v.ontimeBase() + "/late?" + query(one), Foreign: foreign}
		if g.Counted() > 0 {
			b.OnTimePct = g.OnTime * 100 / g.Counted()
			b.LatePct = 100 - b.OnTimePct
		}
		list = append(list, b)
	}
	return list
}

func (s *server) onTime(v *visit) error {
	w := v.chosen()
	f, err := s.OnTime.Figures(v.r.Context(), v.who, w.Unit, w.From, w.To)
	if err != nil {
		return err
	}
	d := ontimePage{Figures: f, Which: w, Base: v.ontimeBase(), Query: query(w), Spans: v.spans(w), MaxMin: ontime.MaxMinutes}
	d.ByWay = v.shareBars(f.Ways, w, func(w *ontime.Which, k string) { w.Way = ontime.Way(k) }, false)
	d.ByUnit = v.shareBars(f.Units, w, func(w *ontime.Which, k string) { w.Unit = elicense.UnitCode(k) }, true)
	d.ByType = v.shareBars(f.Types, w, func(w *ontime.Which, k string) { w.Type = elicense.TypeCode(k) }, true)
	for _, g := range ontime.Grounds() {
		if n := f.Apart.None[g]; n > 0 {
			d.None = append(d.None, noneRow{g, n})
		}
	}
	units, err := s.Org.AllUnits(v.r.Context())
	if err != nil {
		return err
	}
	for _, u := range units {
		if slices.Contains(u.Roles, "issue") {
			d.Units = append(d.Units, u)
		}
		if u.Code == w.Unit {
			d.UnitName = u.Name
		}
	}
	if w.Unit != "" {
		if d.Setting, err = s.OnTime.Setting(v.r.Context(), w.Unit); err != nil {
			return err
		}
	}
	return v.render("ontime", v.t("按时生成"), d)
}

func (s *server) onTimeSet(v *visit) error {
	minutes, err := strconv.Atoi(strings.TrimSpace(v.r.PostFormValue("minutes")))
	if err != nil {
		minutes = 0 // which is out of bounds, and is said to be
	}
	if err := s.OnTime.Set(v.r.Context(), v.who, minutes); err != nil {
		return v.again(err, func() error { return s.onTime(v) })
	}
	return v.goTo("/issue/ontime?said=minutes")
}

// onTimeCSV answers with the figures, or with what is late.
func (s *server) onTimeCSV(v *visit) error {
	w := v.chosen()
	var b bytes.Buffer
	var err error
	list := v.r.PathValue("list")
	switch list {
	case "figures.csv":
		err = s.figuresTable(v, w, &b)
	case "late.csv":
		err = s.lateTable(v, w, &b)
	default:
		return errNoPage()
	}
	if err != nil {
		return err
	}
	return v.file(list, "text/csv; charset=utf-8", b.Bytes())
}

func percentOf(n int) string {
	if n < 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (s *server) figuresTable(v *visit, w ontime.Which, b io.Writer) error {
	f, err := s.OnTime.Figures(v.r.Context(), v.who, w.Unit, w.From, w.To)
	if err != nil {
		return err
	}
	return table.CSV(b, func(write func([]string) error) error {
		err := write([]string{
			v.t("单位"), v.t("证照"), v.t("生成方式"), v.t("按时"), v.t("迟"), v.t("其中应生成未生成"), v.t("其中已豁免"), v.t("按时率（%）"), v.t("豁免后（%）"), v.t("未到期在办"), v.t("期限不明"),
		})
		for _, l := range f.Lines {
			if err != nil {
				return err
			}
			err = write([]string{
				l.UnitName, l.TypeName, v.t(l.Way.Chinese()), strconv.Itoa(l.OnTime), strconv.Itoa(l.Late), strconv.Itoa(l.Missing), strconv.Itoa(l.Excused),
				percentOf(l.Rate()), percentOf(l.RateExcused()), strconv.Itoa(l.Running), strconv.Itoa(l.Unknown),
			})
		}
		return err
	})
}

// lateMost bounds the rows of a file of what is late.
const lateMost = 20_000

func (s *server) lateTable(v *visit, w ontime.Which, b io.Writer) error {
	return table.CSV(b, func(write func([]string) error) error {
		err := write([]string{v.t("单位"), v.t("证照"), v.t("生成方式"), v.t("办件编号"), v.t("办结时间"), v.t("期限"), v.t("发布时间"), v.t("批次"), v.t("豁免"), v.t("文号或证明")})
		at := ontime.Page{}
		for n := 0; err == nil && n < lateMost; {
			list, next, failed := s.OnTime.LateList(v.r.Context(), v.who, w, at, 500)
			if failed != nil {
				return failed
			}
			for _, o := range list {
				row := []string{o.UnitName, o.TypeName, v.t(o.Way.Chinese()), o.Case, stamp(o.Closed, time.DateTime), term(o.Due), stamp(o.Published, time.DateTime), o.LotName, "", ""}
				if e := o.Excused(); e != nil {
					row[8], row[9] = v.t(e.Ground.Chinese()), e.Doc
				}
				if err = write(row); err != nil {
					return err
				}
			}
			n += len(list)
			if at = next; at.ID == "" {
				break
			}
		}
		return err
	})
}

type lateRow struct {
	*ontime.Overdue
	Due  due
	Link string
}

// late says by how many days something is or was late.
func (v *visit) late(o *ontime.Overdue) due {
	days := int(o.By(v.Now()).Hours()/24) + 1
	switch {
	case o.Overdue() && o.Kind == ontime.OfResult:
		return due{"stop solid", "due", v.t("未生成，已逾期%d天", days)}
	case o.Overdue():
		return due{"stop solid", "due", v.t("已逾期%d天", days)}
	}
	return due{"stop", "due", v.t("晚了%d天", days)}
}

type latePage struct {
	Which    ontime.Which
	Base     string
	Query    string
	List     []lateRow
	Next     string
	UnitName string
	TypeName string
}

// latePerPage is how many late ones a page shows.
const latePerPage = 50

func (s *server) lateList(v *visit) error {
	w := v.chosen()
	list, next, err := s.OnTime.LateList(v.r.Context(), v.who, w, ontime.ParsePage(v.r.FormValue("after")), latePerPage)
	if err != nil {
		return err
	}
	d := latePage{Which: w, Base: v.ontimeBase(), Query: query(w), Next: next.String()}
	for _, o := range list {
		d.List = append(d.List, lateRow{o, v.late(o), fmt.Sprintf("%s/late/%s/%s", d.Base, o.Kind, o.ID)})
		if o.Unit == w.Unit {
			d.UnitName = o.UnitName
		}
		if o.Type == w.Type {
			d.TypeName = o.TypeName
		}
	}
	return v.render("late", v.t("迟的证照"), d)
}

type lateOnePage struct {
	*ontime.Overdue
	Due     due
	Base    string
	Grounds []ontime.ExcuseGround
	May     bool // record an excuse
	Open    string
}

func (s *server) lateOne(v *visit) error {
	o, err := s.OnTime.Overdue(v.r.Context(), v.who, ontime.SubjectKind(v.r.PathValue("kind")), v.r.PathValue("id"))
	if err != nil {
		return err
	}
	d := lateOnePage{Overdue: o, Due: v.late(o), Base: v.ontimeBase(), Grounds: ontime.ExcuseGrounds()}
	d.May = (v.who.Has(elicense.DutySupervise) || v.who.Has(elicense.DutyTypes)) && v.who.Unit != o.Unit
	if v.desk == issue {
		if d.Open = "/issue/results/" + o.ID; o.Kind == ontime.OfDraft {
			d.Open = "/issue/drafts/" + o.ID
		}
	}
	return v.render("lateone", v.t("迟的证照：%s", o.TypeName), d)
}

// lateDo records an excuse, or lifts one.
func (s *server) lateDo(v *visit) error {
	kind, id := ontime.SubjectKind(v.r.PathValue("kind")), v.r.PathValue("id")
	var err error
	switch v.Posted("do") {
	case "excuse":
		x := ontime.Excusing{Kind: kind, Subject: id, Ground: ontime.ExcuseGround(v.Posted("ground")), Doc: v.Posted("doc"), Reason: v.Posted("reason")}
		if lot := v.Posted("lot"); lot != "" {
			x.Kind, x.Subject = ontime.OfLot, lot
		}
		_, err = s.OnTime.Excuse(v.r.Context(), v.who, x)
	case "lift":
		err = s.OnTime.Lift(v.r.Context(), v.who, v.Posted("excuse"), v.Posted("reason"))
	default:
		return errNoPage()
	}
	if err != nil {
		return v.again(err, func() error { return s.lateOne(v) })
	}
	return v.goTo(fmt.Sprintf("/admin/ontime/late/%s/%s?said=%s", kind, id, v.Posted("do")))
}

// resultRow is a result with its term and its age.
type resultRow struct {
	*ontime.Result
	Due due
	Age string
}

func (v *visit) resultRow(r *ontime.Result) resultRow {
	row := resultRow{Result: r, Due: due{"rest", "clock", v.t("没有期限")}}
	switch {
	case r.State() == ontime.None || r.State() == ontime.Made:
	case r.Due.IsZero():
		row.Due = due{"care", "warn", v.t("期限算不出：那一年的节假日通知还没有导入")}
	case v.Now().After(r.Due):
		row.Due = due{"stop solid", "due", v.t("已逾期%d天", int(v.Now().Sub(r.Due).Hours()/24)+1)}
	default:
		row.Due = v.left(r.Due)
	}
	// An age in a year the calendar does not know is left out.
	if days, err := v.workdays(); err == nil {
		if n, err := days.Between(workday.DateOf(r.Closed), workday.DateOf(v.Now())); err == nil {
			row.Age = v.t("办结后%d个工作日", n)
		}
	}
	return row
}

// ResultRow is resultRow for templates.
func (v *visit) ResultRow(r *ontime.Result) resultRow { return v.resultRow(r) }

type resultsPage struct {
	List       []resultRow
	Next       string
	Uploads    []*ontime.Upload
	From, To   elicense.Date
	Unreported []*issuance.Draft
	Reported   int
}

// results lists what a unit owes, takes the day's closed cases, and tells what was made
// and not reported.
func (s *server) results(v *visit) error {
	ctx := v.r.Context()
	list, next, err := s.OnTime.Missing(ctx, v.who, v.who.Unit, ontime.ParsePage(v.r.FormValue("after")), latePerPage)
	if err != nil {
		return err
	}
	d := resultsPage{Next: next.String(), From: elicense.Date(v.r.FormValue("from")), To: elicense.Date(v.r.FormValue("to"))}
	for _, r := range list {
		d.List = append(d.List, v.resultRow(r))
	}
	if d.To == "" {
		d.To = elicense.DateOf(v.Now())
	}
	if d.From == "" {
		d.From = d.To
	}
	if d.Uploads, err = s.OnTime.Uploads(ctx, v.who, 10); err != nil {
		return err
	}
	if d.Unreported, d.Reported, err = s.OnTime.Unreported(ctx, v.who, v.who.Unit, d.From, d.To, queueLimit); err != nil {
		return err
	}
	return v.render("results", v.t("应生成未生成"), d)
}

func (s *server) resultsUpload(v *visit) error {
	again := func(err error) error { return v.again(err, func() error { return s.results(v) }) }
	file, head, err := v.r.FormFile("file")
	if err != nil {
		return again(elicense.E(elicense.Invalid, "没有选文件").At("file").Because(err))
	}
	defer file.Close()
	u, err := s.OnTime.ReadFile(v.r.Context(), v.who, head.Filename, file)
	if err != nil {
		return again(err)
	}
	return v.goTo("/issue/results?said=results#u-" + u.ID)
}

func (s *server) resultsTemplate(v *visit) error {
	var b bytes.Buffer
	if err := s.OnTime.Template(v.r.Context(), v.who, &b); err != nil {
		return err
	}
	return v.file("banjie.xlsx", xlsx, b.Bytes())
}

func (s *server) resultsBad(v *visit) error {
	var b bytes.Buffer
	name, kind, text := "cuowuhang.xlsx", xlsx, v.r.PathValue("form") == "csv"
	if text {
		name, kind = "cuowuhang.csv", "text/csv; charset=utf-8"
	}
	if err := s.OnTime.BadRows(v.r.Context(), v.who, v.r.PathValue("id"), text, &b); err != nil {
		return err
	}
	return v.file(name, kind, b.Bytes())
}

type resultPage struct {
	resultRow
	Officers []*org.Account
	Grounds  []ontime.Ground
	Mine     bool // who said that no license comes does not confirm it
}

func (s *server) result(v *visit) error {
	r, err := s.OnTime.Get(v.r.Context(), v.who, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	d := resultPage{resultRow: v.resultRow(r), Grounds: ontime.Grounds(), Mine: r.Claimer == v.who.Person}
	if d.Officers, err = s.OnTime.Officers(v.r.Context(), r.Unit); err != nil {
		return err
	}
	return v.render("result", v.t("应生成：%s", r.TypeName), d)
}

func (s *server) resultDo(v *visit) error {
	ctx, id := v.r.Context(), v.r.PathValue("id")
	var err error
	switch v.Posted("do") {
	case "hand":
		err = s.OnTime.Hand(ctx, v.who, id, elicense.AccountID(v.Posted("to")))
	case "refuse":
		err = s.OnTime.Refuse(ctx, v.who, id, ontime.Ground(v.Posted("ground")), v.Posted("remark"))
	case "confirm":
		err = s.OnTime.Confirm(ctx, v.who, id, true)
	case "disagree":
		err = s.OnTime.Confirm(ctx, v.who, id, false)
	default:
		return errNoPage()
	}
	if err != nil {
		return v.again(err, func() error { return s.result(v) })
	}
	return v.goTo("/issue/results/" + id + "?said=r-" + v.Posted("do"))
}
