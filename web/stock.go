package web

import (
	"slices"
	"strconv"
	"strings"

	"elicense"
	"elicense/catalog"
	"elicense/issuance"
	"elicense/sharing"
	"elicense/stock"
)

type stockPage struct {
	Programmes []programmeRow
	Types      []*catalog.Type // the unit makes
	Waiting    []*stock.Entry
	Differ     []*stock.Entry
	Missing    []missingRow // reported by windows, the most asked for first
	Tables     []tableRow
	Mine       elicense.PersonID
	Today      elicense.Date
}

type programmeRow struct {
	*stock.Programme
	Rate string // of errors in the sample, in percent
	Curve
}

// Curve is how much was done by month, drawn 100 by 30.
type Curve struct {
	Line string // points of a polyline
	From string // its first month
	To   string // its last
}

type tableRow struct {
	*stock.Papers
	TypeName string
}

type missingRow struct {
	Type elicense.TypeCode
	Name string
	N    int
}

func programmeRows(list []*stock.Programme) (rows []programmeRow) {
	for _, p := range list {
		row := programmeRow{Programme: p}
		if r := p.ErrorRate(); r >= 0 {
			row.Rate = strconv.FormatFloat(float64(r)/10, 'f', 1, 64) + "%"
		}
		if n := len(p.Months); n > 0 {
			points := []string{"0,30"}
			for i, m := range p.Months {
				points = append(points, strconv.Itoa(100*(i+1)/n)+","+strconv.Itoa(30-30*m.All/max(p.Done, 1)))
			}
			row.Curve = Curve{strings.Join(points, " "), p.Months[0].Month, p.Months[n-1].Month}
		}
		rows = append(rows, row)
	}
	return rows
}

func (s *server) stock(v *visit) error {
	ctx := v.r.Context()
	list, err := s.Stock.Programmes(ctx, v.who)
	if err != nil {
		return err
	}
	d := stockPage{Programmes: programmeRows(list), Mine: v.who.Person, Today: elicense.DateOf(v.Now())}
	if d.Types, err = s.Catalog.MadeBy(ctx, v.who.Unit); err != nil {
		return err
	}
	if d.Waiting, err = s.Stock.List(ctx, v.who, stock.Once, queueLimit); err != nil {
		return err
	}
	if d.Differ, err = s.Stock.List(ctx, v.who, stock.Differs, queueLimit); err != nil {
		return err
	}
	tables, err := s.Stock.Tables(ctx, v.who, 10)
	if err != nil {
		return err
	}
	for _, p := range tables {
		row := tableRow{Papers: p, TypeName: string(p.Type)} // of a type the unit makes no longer
		for _, t := range d.Types {
			if t.Code == p.Type {
				row.TypeName = t.Name
			}
		}
		d.Tables = append(d.Tables, row)
	}
	tickets, err := s.Sharing.Tickets(ctx, v.who, queueLimit)
	if err != nil {
		return err
	}
	for _, t := range d.Types {
		row := missingRow{t.Code, t.Name, 0}
		for _, x := range tickets {
			if x.Kind == sharing.LicenseMissing && x.State == "open" && x.Type == t.Code {
				row.N++
			}
		}
		if row.N > 0 {
			d.Missing = append(d.Missing, row)
		}
	}
	slices.SortStableFunc(d.Missing, func(a, b missingRow) int { return b.N - a.N })
	return v.render("stock", v.t("存量补录"), d)
}

func (s *server) stockPlan(v *visit) error {
	n, err := strconv.Atoi(strings.TrimSpace(v.Posted("estimated")))
	if err == nil {
		err = s.Stock.Plan(v.r.Context(), v.who, elicense.TypeCode(v.Posted("type")), n, elicense.Date(v.Posted("until")), v.Posted("basis"))
	} else {
		err = elicense.E(elicense.Invalid, "存量估计数要是整数").At("estimated").Under("第八条").Because(err)
	}
	if err != nil {
		return v.again(err, func() error { return s.stock(v) })
	}
	return v.goTo("/issue/stock")
}

type stockFormPage struct {
	Type    *catalog.Type
	Origin  issuance.Origin
	Late    bool
	In      typed
	Form    string
	Holders []holderRow
	Entry   *stock.Entry // set for the second entry
	Differ  []differRow
	First   bool // the visitor made the first entry
	Back    string
}

// differRow is what two entries say differently.
type differRow struct {
	Key, Label, A, B string
}

func (s *server) stockForm(v *visit) error {
	code := elicense.TypeCode(v.r.FormValue("type"))
	if code == "" {
		return v.goTo("/issue/stock")
	}
	t, err := s.Catalog.Current(v.r.Context(), code)
	if err != nil {
		return err
	}
	d := stockFormPage{Type: t, Origin: issuance.Origin(v.r.FormValue("origin")), Form: short("stock/" + v.r.FormValue("origin") + "/" + string(code))}
	d.Late = d.Origin == issuance.Late
	if d.In, err = v.typedInto(d.Form); err != nil {
		return err
	}
	d.Holders = holderRows(d.In)
	title := v.t("存量证照：%s", t.Name)
	if d.Late {
		title = v.t("补生成：%s", t.Name)
	}
	return v.render("stockform", title, d)
}

// paperFrom reads what a form says of the paper.
func paperFrom(v *visit) stock.Typed {
	return stock.Typed{
		Holders: holdersFrom(v.r), Fields: fieldsFrom(v.r), IssuedOn: elicense.Date(v.Posted("issuedOn")), Closed: elicense.Date(v.Posted("closed")), DocNo: v.Posted("docNo"),
	}
}

func (s *server) stockEnter(v *visit) error {
	form := short("stock/" + v.Posted("origin") + "/" + v.Posted("type"))
	again := func(err error) error {
		return v.refusedForm(err, form, func() error { return s.stockForm(v) })
	}
	scan, err := sent(v.r, "scan", stock.MaxScan)
	if err != nil {
		return again(err)
	}
	e, err := s.Stock.Enter(v.r.Context(), v.who, elicense.TypeCode(v.Posted("type")), issuance.Origin(v.Posted("origin")), paperFrom(v), fileName(v.r, "scan"), scan)
	if err != nil {
		return again(err)
	}
	if err := s.Typed.Clear(v.r.Context(), v.who, form); err != nil {
		return err
	}
	return v.goTo("/issue/stock/" + e.ID + "?said=stock-once")
}

func (s *server) stockEntry(v *visit) error {
	e, err := s.Stock.Get(v.r.Context(), v.who, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	t, err := s.Catalog.Version(v.r.Context(), e.Type, e.TypeVersion)
	if err != nil {
		return err
	}
	d := stockFormPage{Type: t, Origin: e.Origin, Late: e.Origin == issuance.Late, Entry: e, First: e.FirstBy == v.who.Person, Form: short("stock/again/" + e.ID)}
	switch e.State {
	case stock.Once:
		if d.In, err = v.typedInto(d.Form); err != nil {
			return err
		}
		d.Holders = holderRows(d.In)
	case stock.Differs:
		for _, k := range e.Differ {
			d.Differ = append(d.Differ, v.differing(t, e, k))
		}
	}
	return v.render("stockentry", v.t("补录：%s", e.TypeName), d)
}

func (v *visit) differing(t *catalog.Type, e *stock.Entry, key string) differRow {
	holders := func(list []elicense.HolderRef) string {
		var names []string
		for _, h := range list {
			names = append(names, h.Name+" "+h.Code)
		}
		return strings.Join(names, v.t("、"))
	}
	switch key {
	case "holders":
		return differRow{key, v.t("持证主体"), holders(e.First.Holders), holders(e.Second.Holders)}
	case "issuedOn":
		return differRow{key, v.t("发证日期"), string(e.First.IssuedOn), string(e.Second.IssuedOn)}
	case "closed":
		return differRow{key, v.t("办结日期"), string(e.First.Closed), string(e.Second.Closed)}
	case "docNo":
		return differRow{key, v.t("决定文书文号"), e.First.DocNo, e.Second.DocNo}
	}
	field := strings.TrimPrefix(key, "f.")
	label := field
	if f := t.Field(field); f != nil {
		label = f.Label
	}
	return differRow{key, label, e.First.Fields[field], e.Second.Fields[field]}
}

func (s *server) stockMove(v *visit) error {
	ctx, id := v.r.Context(), v.r.PathValue("id")
	again := func(err error) error { return v.again(err, func() error { return s.stockEntry(v) }) }
	var e *stock.Entry
	var err error
	switch v.Posted("do") {
	case "again":
		form := short("stock/again/" + id)
		if e, err = s.Stock.Again(ctx, v.who, id, paperFrom(v)); err != nil {
			return v.refusedForm(err, form, func() error { return s.stockEntry(v) })
		}
		if err := s.Typed.Clear(ctx, v.who, form); err != nil {
			return err
		}
	case "settle":
		second := map[string]bool{}
		for k := range v.r.PostForm {
			if key, ok := strings.CutPrefix(k, "d."); ok {
				second[key] = v.Posted(k) == "2"
			}
		}
		if e, err = s.Stock.Settle(ctx, v.who, id, second); err != nil {
			return again(err)
		}
	case "refuse":
		if _, err = s.Stock.Refuse(ctx, v.who, id, v.Posted("reason")); err != nil {
			return again(err)
		}
		return v.goTo("/issue/stock")
	default:
		return errNoPage()
	}
	if e.State == stock.Made {
		return v.goTo("/issue/drafts/" + string(e.Draft))
	}
	return v.goTo("/issue/stock/" + id)
}

// stockScan answers with the picture of the paper, within the strictest policy.
func (s *server) stockScan(v *visit) error {
	kind, data, err := s.Stock.Picture(v.r.Context(), v.who, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return v.upload("scan.pdf", kind, data)
}

type stockSamplePage struct {
	Type *catalog.Type
	List []stock.Sampled
	Seen int
}

func (s *server) stockSample(v *visit) error {
	code := elicense.TypeCode(v.r.PathValue("type"))
	t, err := s.Catalog.Current(v.r.Context(), code)
	if err != nil {
		return err
	}
	d := stockSamplePage{Type: t}
	if d.List, err = s.Stock.Sample(v.r.Context(), v.who, code); err != nil {
		return err
	}
	for _, x := range d.List {
		if !x.Seen.IsZero() {
			d.Seen++
		}
	}
	return v.render("stocksample", v.t("存量抽查：%s", t.Name), d)
}

func (s *server) stockSampleDo(v *visit) error {
	code := v.r.PathValue("type")
	var err error
	switch v.Posted("do") {
	case "draw":
		_, err = s.Stock.Draw(v.r.Context(), v.who, elicense.TypeCode(code))
	case "good", "wrong":
		err = s.Stock.Judge(v.r.Context(), v.who, elicense.DraftID(v.Posted("draft")), v.Posted("do") == "good", v.Posted("remark"))
	default:
		return errNoPage()
	}
	if err != nil {
		return v.again(err, func() error { return s.stockSample(v) })
	}
	return v.goTo("/issue/samples/" + code)
}

// stockAll is every unit's programmes, for who oversees them.
func (s *server) stockAll(v *visit) error {
	list, err := s.Stock.All(v.r.Context(), v.who)
	if err != nil {
		return err
	}
	return v.render("stockall", v.t("存量补录进度"), struct {
		Rows  []programmeRow
		Total stock.Programme
	}{programmeRows(list), sumOf(list)})
}

func sumOf(list []*stock.Programme) (sum stock.Programme) {
	for _, p := range list {
		sum.Estimated, sum.Done, sum.Refused = sum.Estimated+p.Estimated, sum.Done+p.Done, sum.Refused+p.Refused
		sum.Underway, sum.Late = sum.Underway+p.Underway, sum.Late+p.Late
	}
	return sum
}
