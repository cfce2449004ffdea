package web

import (
	"bytes"
	"slices"
	"strings"

	"elicense"
	"elicense/catalog"
)

// The page of how each issuing unit makes the licenses of a type (Art. 7(1)).

type modesPage struct {
	List    []modeRow
	Asked   []askedMode // by the visitor's unit, or what waits for the administration
	Decides bool
	All     bool // of the province, to read
	Origins []catalog.Origin
	Done    []importedRow // rows of a file that were not taken
	Changed int
	Same    int
}

type modeRow struct {
	catalog.ModeLine
	UnitName string
	Keeps    bool // the visitor's unit sets it
	Asks     bool // it is the visitor's unit's own, set by another: he can propose
}

type askedMode struct {
	*catalog.ModeProposal
	UnitName string
	Mine     bool // the visitor proposed it, and does not decide it
}

// modeLines are those of the visitor's unit, or all for the administration.
func (s *server) modeLines(v *visit) (rows []modeRow, names map[elicense.UnitCode]string, err error) {
	all, err := s.Catalog.Modes(v.r.Context())
	if err != nil {
		return nil, nil, err
	}
	if names, _, err = s.unitNames(v); err != nil {
		return nil, nil, err
	}
	admin := strings.HasPrefix(v.r.URL.Path, "/admin")
	for _, l := range all {
		if admin || l.Keeper == v.who.Unit || l.Unit == v.who.Unit {
			registers := !admin && v.who.Has(elicense.DutyRegister)
			rows = append(rows, modeRow{l, names[l.Unit], registers && l.Keeper == v.who.Unit, registers && l.Keeper != v.who.Unit})
		}
	}
	return rows, names, nil
}

func (s *server) showModes(v *visit, done []catalog.Imported) error {
	d := modesPage{All: strings.HasPrefix(v.r.URL.Path, "/admin"), Origins: catalog.Origins()}
	d.Decides = d.All && v.who.Has(elicense.DutyTypes)
	var err error
	if d.List, _, err = s.modeLines(v); err != nil {
		return err
	}
	if d.Decides || v.who.Has(elicense.DutyRegister) {
		if d.Asked, err = s.askedModes(v); err != nil {
			return err
		}
	}
	for _, x := range done {
		switch {
		case x.Err != nil:
			d.Done = append(d.Done, importedRow{x, v.explain(x.Err)})
		case x.Same:
			d.Same++
		default:
			d.Changed++
		}
	}
	return v.render("modes", v.t("各单位的生成方式"), d)
}

func (s *server) modes(v *visit) error { return s.showModes(v, nil) }

func (s *server) modeSet(v *visit) error {
	code, unit, _ := strings.Cut(v.Posted("at"), "/")
	err := s.Catalog.SetMode(v.r.Context(), v.who, catalog.UnitMode{
		Code: elicense.TypeCode(code), Unit: elicense.UnitCode(unit), Origin: catalog.Origin(v.Posted("origin")), Reason: v.Posted("reason"), Basis: v.Posted("basis"),
	})
	if err != nil {
		return v.again(err, func() error { return s.modes(v) })
	}
	return v.goTo("/issue/modes?said=mode")
}

// askedModes are the proposals of the visitor's unit, or all that wait for him.
func (s *server) askedModes(v *visit) (rows []askedMode, err error) {
	list, err := s.Catalog.ModeProposals(v.r.Context(), v.who, queueLimit)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	names, _, err := s.unitNames(v)
	if err != nil {
		return nil, err
	}
	for _, m := range list {
		rows = append(rows, askedMode{m, names[m.Unit], m.Proposer == v.who.Person})
	}
	return rows, nil
}

// modeAsk proposes how the visitor's own unit makes a type another unit registers.
func (s *server) modeAsk(v *visit) error {
	code, unit, _ := strings.Cut(v.Posted("own"), "/")
	_, err := s.Catalog.ProposeMode(v.r.Context(), v.who, catalog.UnitMode{
		Code: elicense.TypeCode(code), Unit: elicense.UnitCode(unit), Origin: catalog.Origin(v.Posted("origin")), Reason: v.Posted("reason"), Basis: v.Posted("basis"),
	})
	if err != nil {
		return v.again(err, func() error { return s.modes(v) })
	}
	return v.goTo("/issue/modes?said=mode-asked")
}

// modeDecide is the administration's decision on a proposal.
func (s *server) modeDecide(v *visit) error {
	do := v.Posted("do")
	if do != "confirm" && do != "refuse" {
		return errNoPage()
	}
	if err := s.Catalog.DecideMode(v.r.Context(), v.who, v.r.PathValue("id"), do == "confirm", v.Posted("remark")); err != nil {
		return v.again(err, func() error { return s.modes(v) })
	}
	return v.goTo("/admin/modes?said=mode-decided")
}

// modeBack takes back what is set for a unit.
func (s *server) modeBack(v *visit) error {
	code, unit, _ := strings.Cut(v.Posted("at"), "/")
	if err := s.Catalog.TakeBackMode(v.r.Context(), v.who, elicense.TypeCode(code), elicense.UnitCode(unit), v.Posted("reason")); err != nil {
		return v.again(err, func() error { return s.modes(v) })
	}
	return v.goTo("/admin/modes?said=mode-back")
}

func (s *server) modesImport(v *visit) error {
	file, err := sent(v.r, "file", maxPapers)
	var done []catalog.Imported
	if err == nil {
		done, err = s.Catalog.ImportModes(v.r.Context(), v.who, file)
	}
	if err != nil {
		return v.again(err, func() error { return s.modes(v) })
	}
	return s.showModes(v, done)
}

func (s *server) modesExport(v *visit) error {
	rows, names, err := s.modeLines(v)
	if err != nil {
		return err
	}
	lines := make([]catalog.ModeLine, len(rows))
	for i, r := range rows {
		lines[i] = r.ModeLine
	}
	var b bytes.Buffer
	if err := catalog.ExportModes(&b, lines, names); err != nil {
		return err
	}
	return v.file("modes.csv", "text/csv; charset=utf-8", b.Bytes())
}

// Keeps tells whether the visitor sets any of them.
func (d modesPage) Keeps() bool {
	return slices.ContainsFunc(d.List, func(r modeRow) bool { return r.Keeps })
}

// Asks tells whether the visitor can propose any of them.
func (d modesPage) Asks() bool {
	return slices.ContainsFunc(d.List, func(r modeRow) bool { return r.Asks })
}

// Own tells whether the line is set otherwise than its type.
func (r modeRow) Own() bool { return r.Set != nil && r.Set.Origin != catalog.AsRegistered }

// Others counts the lines that are set otherwise than their type.
func (d modesPage) Others() (n int) {
	for _, r := range d.List {
		if r.Own() {
			n++
		}
	}
	return n
}
