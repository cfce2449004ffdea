package demo

import (
	"slices"
	"testing"
	"time"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/org"
	"elicense/registry"
	"elicense/store/storetest"
)

func read(t *testing.T) *Data {
	t.Helper()
	d, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestEveryTypeIsValid enters the demo's types through the form's own checks.
func TestEveryTypeIsValid(t *testing.T) {
	d := read(t)
	clock := storetest.NewClock()
	db := storetest.NewAt(t, clock)
	law, err := access.TheLaw()
	if err != nil {
		t.Fatal(err)
	}
	people := org.New(db, clock.Now)
	if err := people.Install(t.Context(), d.units()); err != nil {
		t.Fatal(err)
	}
	var registrars []org.Staff
	for _, s := range d.staff() {
		if slices.Contains(s.Duties, elicense.DutyRegister) {
			registrars = append(registrars, s)
		}
	}
	if err := people.Enroll(t.Context(), registrars); err != nil {
		t.Fatal(err)
	}
	types := catalog.New(db, access.NewGuard(db, law))
	for i, typ := range d.Types() {
		short := d.types.Types[i].Code
		clerk, err := people.ActorByLogin(t.Context(), "reg-"+typeUnits[short][0], "test")
		if err != nil {
			t.Fatalf("%s: %v", short, err)
		}
		if err := types.Propose(t.Context(), clerk, typ); err != nil {
			t.Errorf("%s: %v", short, err)
		}
		if !typ.Code.Valid() || (typ.Mode.Made() && typ.Roles.Number == "" && typ.Roles.HolderCode == "") {
			t.Errorf("%s: code %s, roles %+v", short, typ.Code, typ.Roles)
		}
	}
}

func TestEveryMatterAsksForWhatThereIs(t *testing.T) {
	d := read(t)
	types := map[elicense.TypeCode]*catalog.Type{}
	for _, typ := range d.Types() {
		types[typ.Code] = typ
	}
	codes := map[elicense.MatterCode]bool{}
	for _, m := range d.Matters() {
		if codes[m.Code] || m.Name == "" || m.Days <= 0 || d.unitName(m.Unit) == "" {
			t.Errorf("matter %s %s of %s", m.Code, m.Name, m.Unit)
		}
		codes[m.Code] = true
		if m.Result != "" && types[m.Result] == nil {
			t.Errorf("%s results in a type there is not: %s", m.Code, m.Result)
		}
		if len(m.Materials) == 0 {
			t.Errorf("%s has no material list", m.Code)
		}
		for _, mat := range m.Materials {
			if mat.Name == "" || mat.Way.Chinese() == "" {
				t.Errorf("%s: material %+v", m.Code, mat)
			}
			for _, code := range mat.Types {
				typ := types[code]
				if typ == nil {
					t.Errorf("%s, %s: no type %s", m.Code, mat.Name, code)
					continue
				}
				if len(mat.Fields[code]) == 0 {
					t.Errorf("%s, %s: no field of %s is needed", m.Code, mat.Name, typ.Name)
				}
				for _, key := range mat.Fields[code] {
					if typ.Field(key) == nil {
						t.Errorf("%s, %s: %s has no field %s", m.Code, mat.Name, typ.Name, key)
					}
				}
			}
		}
	}
}

func (d *Data) unitName(code elicense.UnitCode) string {
	for _, u := range d.units() {
		if u.Code == code {
			return u.Name
		}
	}
	return ""
}

// TestCodesAreValidAndNobodysTwice: every person and company has a code of his
// own with right check characters; one identity number is one name.
func TestCodesAreValidAndNobodysTwice(t *testing.T) {
	d := read(t)
	names := map[string]string{}
	one := func(code, name string) {
		t.Helper()
		if names[code] != "" {
			t.Errorf("%s is %s and %s", code, names[code], name)
		}
		names[code] = name
	}
	for _, p := range d.persons() {
		if elicense.IDNumber(p.ref.Code).Check("2026-01-01") != elicense.CodeGood || p.ref.Check("2026-01-01") != nil {
			t.Errorf("%s has the number %q", p.ref.Name, p.ref.Code)
		}
		one(p.ref.Code, p.ref.Name)
		if male := p.ref.Code[16]%2 == 1; p.sex != "" && male != (p.sex == "男") {
			t.Errorf("%s is %s, the number says otherwise", p.ref.Name, p.sex)
		}
	}
	for _, c := range d.companies() {
		if elicense.UnitCode(c.ref.Code).Check() > elicense.CodeDoubtful || c.ref.Check("2026-01-01") != nil {
			t.Errorf("%s has the code %q", c.ref.Name, c.ref.Code)
		}
		one(c.ref.Code, c.ref.Name)
		if c.legal == "" {
			t.Errorf("%s has no legal representative", c.ref.Name)
		}
	}
	for _, u := range d.units() {
		if u.Code.Check() > elicense.CodeDoubtful {
			t.Errorf("%s has the code %q", u.Name, u.Code)
		}
		one(string(u.Code), u.Name)
	}
	logins := map[string]bool{}
	for _, s := range d.staff() {
		if logins[s.Login] {
			t.Errorf("two accounts %s", s.Login)
		}
		logins[s.Login] = true
		if s.Kind == elicense.Staff && (elicense.IDNumber(s.Person.Code).Check("2026-01-01") != elicense.CodeGood || d.unitName(s.Unit) == "") {
			t.Errorf("account %s: person %q of %q", s.Login, s.Person.Code, s.Unit)
		}
	}
	for _, a := range Accounts() {
		if !logins[a.Login] {
			t.Errorf("the sign-in page shows %s, who has no account", a.Login)
		}
	}
}

// TestTheLicensesPassTheirChecks plans the demo's licenses and has the catalog
// and the registry judge each.
func TestTheLicensesPassTheirChecks(t *testing.T) {
	d := read(t)
	now := time.Date(2026, 3, 10, 9, 30, 0, 0, elicense.Shanghai)
	types := map[elicense.TypeCode]*catalog.Type{}
	for _, typ := range d.Types() {
		types[typ.Code] = typ
	}
	registries := registriesOf(t, NewRegistry(d))
	plan := d.plan(now)
	if len(plan) < 200 {
		t.Errorf("%d licenses", len(plan))
	}
	for i, l := range plan {
		typ := types[d.TypeCode(l.short)]
		if typ == nil || !slices.Contains(issuersOf(l.short), l.unit) || len(l.holders) == 0 || i > 0 && l.day > plan[i-1].day {
			t.Fatalf("license %d: %+v", i, l)
		}
		for _, f := range typ.CheckFields(l.fields, elicense.DateOf(now)) {
			if !f.Warning {
				t.Errorf("%s of %s: %s %s", typ.Name, l.holders[0].Name, f.Label, f.Text)
			}
		}
		for _, h := range l.holders {
			c, err := registries.Compare(t.Context(), h, l.fields)
			if err != nil || c.Outcome.Stops() {
				t.Errorf("%s of %s: %s %v, %v", typ.Name, h.Name, c.Outcome, c.Fields, err)
			}
		}
	}
}

// registriesOf asks the demo's registries in this process.
func registriesOf(t *testing.T, r *Registry) *registry.Registries {
	t.Helper()
	rs, err := registry.New(registry.Config{Embedded: r, Now: func() time.Time { return storetest.Start }})
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func TestTheRegistryAnswersWithoutItsValues(t *testing.T) {
	d := read(t)
	kept := NewRegistry(d)
	r := registriesOf(t, kept)
	person, firm := d.person("p1"), d.companies()[0]
	renamed, unknown := person, person
	renamed.Name, unknown.Code = "别人", citizen(999)
	for _, tc := range []struct {
		name   string
		who    elicense.HolderRef
		fields map[string]string
		want   registry.Outcome
		what   []string
	}{
		{"a known person", person, nil, registry.Match, nil},
		{"another name", renamed, nil, registry.Mismatch, []string{"姓名或名称"}},
		{"a number nobody has", unknown, nil, registry.NoSuch, nil},
		{"a code no registry holds", elicense.HolderRef{CodeType: elicense.CodeOther, Code: "E1", Name: "外样"}, nil, registry.Unavailable, nil},
		{"a company", firm.ref, map[string]string{"legal_rep": " " + firm.legal + " ", "address": firm.place}, registry.Match, nil},
		{"another legal representative", firm.ref, map[string]string{"legal_rep": "别人"}, registry.Mismatch, []string{"法定代表人"}},
		{"another address", firm.ref, map[string]string{"legal_rep": firm.legal, "address": "别处"}, registry.Mismatch, []string{"住所"}},
	} {
		c, err := r.Compare(t.Context(), tc.who, tc.fields)
		if err != nil || c.Outcome != tc.want || !slices.Equal(c.Fields, tc.what) || c.Registry == "" {
			t.Errorf("%s: %+v, %v", tc.name, c, err)
		}
	}
	kept.SetDown(true)
	if c, err := r.Compare(t.Context(), person, nil); err == nil || c.Outcome != registry.Unavailable {
		t.Error("a registry that is switched off answers")
	}
	kept.SetDown(false)
	if _, err := r.Compare(t.Context(), person, nil); err != nil {
		t.Error(err)
	}
}
