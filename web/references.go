package web

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/catalog"
	"elicense/references"
	"elicense/table"
)

type referencesPage struct {
	Sources     []*references.Health
	Deliveries  []*references.Delivery
	Differences []*references.Difference
	Oldest      []*references.Reference
	Names       map[string]string // of sources
	Awaited     int               // entries of the board that are not settled
	Overdue     int
}

func (s *server) references(v *visit) error {
	ctx := v.r.Context()
	d := referencesPage{Names: map[string]string{}}
	var err error
	if d.Sources, err = s.References.Sources(ctx, v.who, false); err != nil {
		return err
	}
	for _, x := range d.Sources {
		d.Names[x.ID] = x.Name
	}
	if d.Deliveries, err = s.References.Deliveries(ctx, v.who, 20); err != nil {
		return err
	}
	if d.Differences, err = s.References.Differences(ctx, v.who, queueLimit); err != nil {
		return err
	}
	if d.Oldest, err = s.References.Oldest(ctx, v.who, 20); err != nil {
		return err
	}
	board, err := s.References.Board(ctx, v.who, false)
	for _, a := range board {
		if !a.Settled() {
			d.Awaited++
		}
		if a.Overdue {
			d.Overdue++
		}
	}
	if err != nil {
		return err
	}
	return v.render("references", v.t("国家证照回传"), d)
}

// sourceAsk has a source asked, or its files looked for, now.
func (s *server) sourceAsk(v *visit) error {
	if err := s.References.Ask(v.r.Context(), v.who, v.r.PathValue("id")); err != nil {
		return v.again(err, func() error { return s.references(v) })
	}
	return v.goTo("/issue/references?said=asked")
}

// referenceVerify asks the source of a reference about it.
func (s *server) referenceVerify(v *visit) error {
	if _, err := s.References.Verify(v.r.Context(), v.who, elicense.LicenseID(v.r.PathValue("id"))); err != nil {
		return v.again(err, func() error { return s.references(v) })
	}
	return v.goTo("/issue/references?said=verified")
}

// deliveryBad gives the rows of a delivery that did not stand.
func (s *server) deliveryBad(v *visit) error {
	var b bytes.Buffer
	form, err := s.References.BadRows(v.r.Context(), v.who, v.r.PathValue("id"), &b)
	if err != nil {
		return err
	}
	kind := map[string]string{
		"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	}[form]
	return v.file("errors."+form, kind, b.Bytes())
}

type awaitedPage struct {
	List    []*references.Awaited
	All     bool            // of the province, to read
	Types   []*catalog.Type // that are national at the unit and not yet on the board
	States  []references.AwaitedState
	Kinds   []references.StepKind
	Open    int
	Overdue int
	Today   elicense.Date
}

func (s *server) board(v *visit) (*awaitedPage, error) {
	all := strings.HasPrefix(v.r.URL.Path, "/admin")
	list, err := s.References.Board(v.r.Context(), v.who, all)
	if err != nil {
		return nil, err
	}
	d := &awaitedPage{List: list, All: all, States: references.AwaitedStates()[1:], Kinds: references.StepKinds(), Today: elicense.DateOf(v.Now())}
	for _, a := range list {
		if !a.Settled() {
			d.Open++
		}
		if a.Overdue {
			d.Overdue++
		}
		if a.ID != "" || all {
			continue
		}
		t, err := s.Catalog.Current(v.r.Context(), a.Types[0])
		if err != nil {
			return nil, err
		}
		d.Types = append(d.Types, t)
	}
	return d, nil
}

func (s *server) awaited(v *visit) error {
	d, err := s.board(v)
	if err != nil {
		return err
	}
	return v.render("awaited", v.t("等待部委回传"), d)
}

func (s *server) awaitedNew(v *visit) error {
	a := references.Awaited{System: v.Posted("system"), Ministry: v.Posted("ministry"), Begun: elicense.Date(v.Posted("begun")), Next: elicense.Date(v.Posted("next"))}
	for _, code := range v.r.PostForm["types"] {
		a.Types = append(a.Types, elicense.TypeCode(code))
	}
	if _, err := s.References.Await(v.r.Context(), v.who, a); err != nil {
		return v.again(err, func() error { return s.awaited(v) })
	}
	return v.goTo("/issue/awaited")
}

func (s *server) awaitedStep(v *visit) error {
	seq, err := v.seq()
	if err == nil {
		err = s.References.Did(v.r.Context(), v.who, v.r.PathValue("id"), seq, references.Step{
			Kind: references.StepKind(v.Posted("kind")), On: elicense.Date(v.Posted("on")), Doc: v.Posted("doc"), To: v.Posted("to"), Text: v.Posted("text"),
		}, references.AwaitedState(v.Posted("state")), elicense.Date(v.Posted("next")))
	}
	if err != nil {
		return v.again(err, func() error { return s.awaited(v) })
	}
	return v.goTo("/issue/awaited")
}

func (s *server) awaitedCSV(v *visit) error {
	d, err := s.board(v)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	err = table.CSV(&b, func(write func([]string) error) error {
		if err := write([]string{
			v.t("单位"), v.t("证照类别"), v.t("系统"), v.t("主管部委"), v.t("状态"), v.t("等待开始"), v.t("已等（工作日）"), v.t("最近一次商请"), v.t("文号"), v.t("商请对象"), v.t("最近一次答复"), v.t("下次跟进"), v.t("逾期未跟进"),
		}); err != nil {
			return err
		}
		for _, a := range d.List {
			row := []string{a.UnitName, strings.Join(a.TypeNames, "、"), a.System, a.Ministry, v.t(a.State.Chinese()), string(a.Begun), "", "", "", "", "", string(a.Next), ""}
			if a.Days >= 0 {
				row[6] = strconv.Itoa(a.Days)
			}
			if x := a.Asked(); x != nil {
				row[7], row[8], row[9] = string(x.On), x.Doc, x.To
			}
			if x := a.Reply(); x != nil {
				row[10] = string(x.On) + " " + x.Text
			}
			if a.Overdue {
				row[12] = v.t("是")
			}
			if err := write(row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return v.file("awaited.csv", "text/csv; charset=utf-8", b.Bytes())
}

type sourcesPage struct {
	List  []*references.Health
	Types []nationalType
	Most  int // hours
	Edit  *references.Source
}

// nationalType is a type that comes back to a unit.
type nationalType struct {
	*catalog.Type
	Units []elicense.UnitCode
}

func (s *server) sources(v *visit) error {
	list, err := s.References.Sources(v.r.Context(), v.who, true)
	if err != nil {
		return err
	}
	d := sourcesPage{List: list, Most: references.MaxHours}
	all, err := s.Catalog.All(v.r.Context())
	if err != nil {
		return err
	}
	modes, err := s.Catalog.Modes(v.r.Context())
	if err != nil {
		return err
	}
	for _, t := range all {
		x := nationalType{Type: t} // at the units where the nation makes it
		for _, l := range modes {
			if l.Code == t.Code && l.Mode == catalog.National {
				x.Units = append(x.Units, l.Unit)
			}
		}
		if len(x.Units) > 0 {
			d.Types = append(d.Types, x)
		}
	}
	if i := slices.IndexFunc(list, func(h *references.Health) bool { return h.ID == v.Query("id") }); i >= 0 {
		d.Edit = list[i].Source
	}
	return v.render("sources", v.t("回传来源"), d)
}

func (s *server) sourceKeep(v *visit) error {
	x := references.Source{
		ID: v.Posted("id"), Name: v.Posted("name"), Ministry: v.Posted("ministry"), Unit: elicense.UnitCode(v.Posted("unit")), Kind: references.Kind(v.Posted("kind")),
		URL: v.Posted("url"), Key: v.Posted("key"), State: references.SourceState(v.Posted("state")),
	}
	hours, _ := strconv.Atoi(v.Posted("hours")) // what is no number is refused as 0
	for _, code := range v.r.PostForm["types"] {
		x.Types = append(x.Types, references.Returns{Type: elicense.TypeCode(code), Hours: hours})
	}
	if n, err := strconv.ParseInt(v.Posted("changed"), 10, 64); err == nil && n > 0 {
		x.Changed = time.UnixMicro(n)
	}
	if err := s.References.Register(v.r.Context(), v.who, x); err != nil {
		return v.again(err, func() error { return s.sources(v) })
	}
	return v.goTo("/admin/sources")
}

// Returned tells whether the source being changed returns a type.
func (d sourcesPage) Returned(t elicense.TypeCode) bool {
	return d.Edit != nil && slices.ContainsFunc(d.Edit.Types, func(r references.Returns) bool { return r.Type == t })
}

// Hours are those of the source being changed.
func (d sourcesPage) Hours() int {
	if d.Edit == nil || len(d.Edit.Types) == 0 {
		return 24
	}
	return d.Edit.Types[0].Hours
}

// Stamp tells which state of the source was seen.
func (d sourcesPage) Stamp() int64 {
	if d.Edit == nil {
		return 0
	}
	return d.Edit.Changed.UnixMicro()
}
