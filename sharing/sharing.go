// Package sharing lets application units use licenses inside their cases: the
// check of a matter's materials, query, verify and compare (Art. 12, 13), and lets
// holders see their own licenses and who used them (Art. 17(1), 18).
//
// What is shown is a projection: the fields the matter's material list names,
// and no more. Every use passes the Guard and returns the receipt of its record.
package sharing

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/catalog"
	"elicense/org"
	"elicense/store"
	"elicense/verification"
)

// Sharing answers from the licenses in the store.
type Sharing struct {
	// Printing makes copies on paper; nil where there are no fonts.
	Printing *Printing

	db    *store.DB
	guard *access.Guard
	now   func() time.Time
}

// New returns the sharing of the licenses kept in db.
func New(db *store.DB, guard *access.Guard, now func() time.Time) *Sharing {
	return &Sharing{db: db, guard: guard, now: now}
}

// Need is what a material asks of the clerk: the color of its row.
type Need string

// The needs.
const (
	Have    Need = "have"    // green: 已取得，免提交
	Look    Need = "look"    // amber: usable, with something to look at
	Missing Need = "missing" // red: 未找到, or found and not usable
	ToGive  Need = "to-give" // grey: upload, form or other system
)

// MaterialState is one line of the material check.
type MaterialState struct {
	Material cases.Material
	Place    int // in the matter's list, from 0
	Need     Need
	Why      string // one sentence
	Licenses []Found
}

// Found is a license that meets or could meet a material.
type Found struct {
	Type     elicense.TypeCode
	TypeName string
	Party    int // place of the party who holds it
	Issuer   string
	Status   elicense.Status
	Overlays []string
	ValidTo  elicense.Date
	AsOf     time.Time
	Source   string
	Contact  time.Time
	Stale    bool
	seq      int
}

// Materials checks the material list of a case against the licenses of its
// parties (Art. 12): what is had need not be given.
//
// Errors: Forbidden; Unavailable if a status can't be read.
func (s *Sharing) Materials(ctx context.Context, actor *elicense.Actor, id elicense.CaseID) ([]MaterialState, access.Answer, error) {
	var (
		k *cases.Case
		m *cases.Matter
	)
	build := func(tx *store.Tx) (access.Request, error) {
		var err error
		if k, m, err = cases.Find(tx, id); err != nil {
			return access.Request{}, err
		}
		return access.Request{
			Actor: actor, Act: access.CaseRead, On: cases.Thing(k, m),
			Note: access.Note{Case: id, Basis: "法定职责", Detail: map[string]string{"act": "materials"}},
		}, nil
	}
	return access.Get(ctx, s.guard, build, func(tx *store.Tx, p *access.Permit) (list []MaterialState, err error) {
		p.Note.Purpose = k.Purpose
		for i, mat := range m.Materials {
			st := MaterialState{Material: mat, Place: i}
			if err := s.check(tx, actor, k, m, &st); err != nil {
				return nil, err
			}
			list = append(list, st)
		}
		return list, nil
	})
}

// check looks for the licenses that meet one material.
func (s *Sharing) check(tx *store.Tx, actor *elicense.Actor, k *cases.Case, m *cases.Matter, st *MaterialState) error {
	if len(st.Material.Types) == 0 {
		st.Need, st.Why = ToGive, "由申请人提供"
		if st.Material.Way == cases.Remote {
			st.Why = "由其他系统共享"
		}
		return nil
	}
	for _, typ := range st.Material.Types {
		for _, party := range k.Parties {
			if refused := s.guard.Ask(actor, access.CaseUse, cases.Thing(k, m), useFacts(typ, party.Holder, k.Purpose, nil)); refused != nil {
				if k.Open() {
					return refused
				}
				continue
			}
			found, err := s.find(tx, typ, party)
			if err != nil {
				return err
			}
			st.Licenses = append(st.Licenses, found...)
		}
	}
	st.judge()
	if !k.Open() {
		st.Need, st.Why = ToGive, "办件已办结，不再查询"
	}
	return nil
}

func useFacts(t elicense.TypeCode, h elicense.HolderKey, purpose string, fields []string) access.Attr {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = cases.FieldName(t, f)
	}
	return access.Attr{"type": string(t), "holder": string(h), "purpose": purpose, "fields": names}
}

func (s *Sharing) find(tx *store.Tx, t elicense.TypeCode, party cases.Party) ([]Found, error) {
	lics, err := tx.LicensesOf(party.Holder, t)
	if err != nil {
		return nil, unreadable(err)
	}
	var list []Found
	for _, l := range lics {
		f, err := s.found(tx, l)
		if err != nil {
			return nil, err
		}
		f.Party = party.Place
		list = append(list, *f)
	}
	return list, nil
}

func (s *Sharing) found(tx *store.Tx, l *elicense.License) (*Found, error) {
	unit, err := org.UnitOf(tx, l.Issuer)
	if err != nil {
		return nil, unreadable(err)
	}
	var a verification.Answer
	a.State(l, s.now())
	return &Found{
		Type: l.Type, TypeName: l.TypeName, Issuer: unit.Name, Status: a.Status, Overlays: a.Overlays, ValidTo: l.ValidTo,
		AsOf: a.AsOf, Source: a.Source, Contact: a.Contact, Stale: a.Stale, seq: l.Seq,
	}, nil
}

func unreadable(cause error) error {
	return elicense.E(elicense.Unavailable, "现在读不到证照状态").Then("可先收件，恢复后再核对；不要因此要求群众交复印件").Because(cause)
}

// judge decides the color of a material from the licenses found.
func (st *MaterialState) judge() {
	best := -1
	for i, f := range st.Licenses {
		if f.Status.Usable() && (best < 0 || len(f.Overlays) < len(st.Licenses[best].Overlays)) {
			best = i
		}
	}
	switch {
	case best >= 0:
		f := st.Licenses[best]
		st.Need, st.Why = Have, "已取得，免提交"
		if st.Material.Way == cases.Verify {
			st.Why = "核验一致，免提交"
		}
		switch {
		case f.Stale:
			st.Need, st.Why = Look, "来源系统超过7天没有更新，请留意"
		case len(f.Overlays) > 0:
			st.Need, st.Why = Look, "可用，"+f.Overlays[0]
		case f.Status == elicense.StatusExpiring:
			st.Need, st.Why = Look, "可用，有效期到"+string(f.ValidTo)
		}
	case len(st.Licenses) > 0:
		st.Need, st.Why = Missing, "找到的证照"+st.Licenses[0].Status.Chinese()+"，不能使用"
	case st.Material.Optional:
		st.Need, st.Why = ToGive, "没有找到；本办件需要时再提供"
	case st.Material.OrUpload:
		st.Need, st.Why = Missing, "没有找到；可上传其他证明"
	default:
		st.Need, st.Why = Missing, "没有找到"
	}
}

// Use is a query, verification or comparison in a case (Art. 13(1)).
type Use struct {
	Material string             // name of the material, or of a license type
	Type     elicense.TypeCode  // of several the material allows; empty is the first found
	Party    int                // place of the party; -1 is any
	Holder   elicense.HolderRef // instead of Party: someone named by code
	Act      string             // query, verify, compare
	Fields   []string           // empty is all the matter needs
	Values   map[string]string  // to compare, by field key
}

// The acts of a use.
const (
	Query   = "query"
	Verify  = "verify"
	Compare = "compare"
)

// Result is the answer to a use.
type Result struct {
	Found
	Fields    map[string]string // query: the projection
	Labels    []catalog.Field   // the fields in the order of the face
	Matches   map[string]bool   // compare: by field key
	Watermark string            // unit, person, case and time, to be laid over what is shown
	Receipt   access.Answer
}

// Use opens a license in a case: only what the matter needs of it, under a
// watermark. Of a license that can't be used the status is told and no field.
//
// Errors: Forbidden with the rule's reason, the same whether the license exists
// or not; NotFound if the party holds none; Unavailable.
func (s *Sharing) Use(ctx context.Context, actor *elicense.Actor, id elicense.CaseID, u Use) (*Result, error) {
	if u.Act != Query && u.Act != Verify && u.Act != Compare {
		return nil, elicense.E(elicense.Invalid, "要说明是查询、验证还是比对").At("act").Under("第十三条第一款")
	}
	var (
		k       *cases.Case
		m       *cases.Matter
		options []target
	)
	build := func(tx *store.Tx) (access.Request, error) {
		var err error
		if k, m, err = cases.Find(tx, id); err != nil {
			return access.Request{}, err
		}
		if options, err = targets(tx, k, m, u); err != nil {
			return access.Request{}, err
		}
		purpose := ""
		if k != nil {
			purpose = k.Purpose
		}
		first := options[0]
		return access.Request{
			Actor: actor, Act: access.CaseUse, On: cases.Thing(k, m),
			Circumstances: useFacts(first.typ, first.holder, purpose, first.fields(u)),
			Note: access.Note{
				Case: id, LicenseType: first.typ, Holder: first.holder, Basis: "法定职责", Purpose: purpose,
				Fields: first.fields(u), Detail: map[string]string{"act": u.Act},
			},
		}, nil
	}
	res, answer, err := access.Get(ctx, s.guard, build, func(tx *store.Tx, p *access.Permit) (*Result, error) {
		permitted := slices.DeleteFunc(options, func(t target) bool {
			return s.guard.Ask(actor, access.CaseUse, cases.Thing(k, m), useFacts(t.typ, t.holder, k.Purpose, t.fields(u))) != nil
		})
		return s.use(tx, k, permitted, u, p)
	})
	if err != nil {
		return nil, err
	}
	res.Receipt = answer
	res.Watermark = fmt.Sprintf("%s %s %s %s", actor.UnitName, actor.Name, k.Number, s.now().In(elicense.Shanghai).Format("2006-01-02 15:04"))
	return res, nil
}

// target is a license type of a party that a use may be about.
type target struct {
	typ    elicense.TypeCode
	holder elicense.HolderKey
	needed []string // field keys the matter needs of the type
}

func (t target) fields(u Use) []string {
	switch {
	case u.Act == Compare:
		keys := make([]string, 0, len(u.Values))
		for k := range u.Values {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		return keys
	case u.Act == Verify:
		return nil
	case len(u.Fields) > 0:
		return u.Fields
	}
	return t.needed
}

// targets lists what the use may be about, at least one: a material, type or
// holder the case does not know becomes one the law refuses.
func targets(tx *store.Tx, k *cases.Case, m *cases.Matter, u Use) ([]target, error) {
	var types []elicense.TypeCode
	needed := map[elicense.TypeCode][]string{}
	if m != nil {
		for _, mat := range m.Materials {
			if mat.Name != u.Material {
				continue
			}
			for _, t := range mat.Types {
				if u.Type == "" || u.Type == t {
					types, needed[t] = append(types, t), mat.Fields[t]
				}
			}
		}
	}
	if len(types) == 0 {
		types = []elicense.TypeCode{"unlisted"}
	}
	var holders []elicense.HolderKey
	switch {
	case u.Holder.Code != "":
		h, err := tx.Holder(u.Holder.Normalize(), false)
		if err != nil && !elicense.IsKind(err, elicense.NotFound) {
			return nil, err
		}
		holders = []elicense.HolderKey{h}
	case k != nil:
		for _, p := range k.Parties {
			if u.Party < 0 || u.Party == p.Place {
				holders = append(holders, p.Holder)
			}
		}
	}
	if len(holders) == 0 {
		holders = []elicense.HolderKey{""}
	}
	var list []target
	for _, t := range types {
		for _, h := range holders {
			list = append(list, target{t, h, needed[t]})
		}
	}
	return list, nil
}

func (s *Sharing) use(tx *store.Tx, k *cases.Case, options []target, u Use, p *access.Permit) (*Result, error) {
	lic, chosen, err := choose(tx, options, s.now())
	if err != nil {
		return nil, unreadable(err)
	}
	if lic == nil {
		return nil, elicense.E(elicense.NotFound, "没有查到%s", u.Material).Then("请当事人上传，或登记缺证由签发单位补发")
	}
	p.Note.License, p.Note.LicenseType, p.Note.Holder, p.Note.Fields = lic.ID, lic.Type, chosen.holder, chosen.fields(u)
	found, err := s.found(tx, lic)
	if err != nil {
		return nil, err
	}
	for _, party := range k.Parties {
		if party.Holder == chosen.holder {
			found.Party = party.Place
		}
	}
	// What was relied on, for the receipt: the version, its status and how fresh it was.
	p.Note.Detail = map[string]string{
		"act": u.Act, "version": strconv.Itoa(lic.Standing.Version), "status": string(found.Status), "asOf": found.AsOf.UTC().Format(time.RFC3339),
	}
	res := &Result{Found: *found}
	if !found.Status.Usable() || u.Act == Verify {
		p.Note.Fields = nil
		return res, nil
	}
	version, err := tx.Version(lic, 0)
	if err != nil {
		return nil, unreadable(err)
	}
	t, err := catalog.VersionOf(tx, lic.Type, lic.TypeVersion)
	if err != nil {
		return nil, err
	}
	if u.Act == Compare {
		res.Matches = map[string]bool{}
		for key, v := range u.Values {
			res.Matches[key] = version.Fields[key] == v && v != ""
		}
		return res, nil
	}
	res.Fields = access.Project(version.Fields, chosen.fields(u))
	for _, f := range t.Fields {
		if _, shown := res.Fields[f.Key]; shown {
			res.Labels = append(res.Labels, f)
		}
	}
	return res, nil
}

// choose takes the best license among the options: one in force before one that
// is not, the newest first.
func choose(tx *store.Tx, options []target, now time.Time) (*elicense.License, target, error) {
	var (
		best   *elicense.License
		chosen target
	)
	for _, o := range options {
		lics, err := tx.LicensesOf(o.holder, o.typ)
		if err != nil {
			return nil, target{}, err
		}
		for _, l := range lics {
			if best == nil || l.StatusAt(now).Usable() && !best.StatusAt(now).Usable() {
				best, chosen = l, o
			}
		}
	}
	return best, chosen, nil
}
