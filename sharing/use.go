package sharing

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/catalog"
	"elicense/store"
)

// Use is a query, verification or comparison in a case (Art. 13(1)).
type Use struct {
	Material string             // name of the material, or of a license type
	Type     elicense.TypeCode  // of several the material allows; empty is the first found
	Party    int                // place of the party; -1 is any
	Holder   elicense.HolderRef // instead of Party: someone named by code
	Act      string             // query, verify, compare
	Fields   []string           // empty is all the matter needs
	Values   map[string]string  // to compare, by field key
	Reveal   []string           // query: sensitive fields shown in full; the record names them
	Officer  string             // whom a business system's ticket names; stands in the watermark
}

// The acts of a use.
const (
	Query   = "query"
	Verify  = "verify"
	Compare = "compare"
	View    = "view" // the pages of the document, where the matter says so
)

// Result is the answer to a use.
type Result struct {
	Found
	Fields    map[string]string   // query: the projection
	Labels    []catalog.Field     // the fields in the order of the face
	Masked    []string            // keys of sensitive fields that are not shown in full
	Code      int                 // verify, compare: the result code of an information check (GB/T 36906)
	Matches   map[string]Likeness // compare: by field key
	Pages     [][]byte            // view: the pages as SVG, with the watermark drawn in
	Watermark string              // unit, person, case and time, to be laid over what is shown
	Receipt   access.Answer
	file      string
	digest    []byte
	different bool // a comparison came out different
}

// Use opens a license in a case: only what the matter needs of it, under a
// watermark. Of a license that can't be used the status is told and no field.
//
// Errors: Forbidden with the rule's reason, the same whether the license exists
// or not; NotFound if the party holds none; Unavailable.
func (s *Sharing) Use(ctx context.Context, actor *elicense.Actor, id elicense.CaseID, u Use) (*Result, error) {
	if u.Act != Query && u.Act != Verify && u.Act != Compare && u.Act != View {
		return nil, elicense.E(elicense.Invalid, "要说明是查询、验证还是比对").At("act").Under("第十三条第一款")
	}
	if u.Act == View {
		if err := s.canPrint(); err != nil {
			return nil, err
		}
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
		first := options[0]
		facts, err := s.circumstances(tx, k).of(first.typ, first.holder, first.fields(u), u.Act == Compare)
		if err != nil {
			return access.Request{}, err
		}
		facts["file"] = u.Act == View
		return access.Request{
			Actor: actor, Act: access.CaseUse, On: cases.Thing(k, m), Circumstances: facts,
			Note: access.Note{
				Case: id, LicenseType: first.typ, Holder: first.holder, Basis: "法定职责", Purpose: facts["purpose"].(string),
				Fields: first.fields(u), Detail: map[string]string{"act": u.Act},
			},
		}, nil
	}
	var looked target
	res, answer, err := access.Get(ctx, s.guard, build, func(tx *store.Tx, p *access.Permit) (*Result, error) {
		c := s.circumstances(tx, k)
		permitted := options[:1:1]
		for _, t := range options[1:] {
			facts, err := c.of(t.typ, t.holder, t.fields(u), u.Act == Compare)
			if err != nil {
				return nil, err
			}
			facts["file"] = u.Act == View
			if s.guard.Ask(actor, access.CaseUse, cases.Thing(k, m), facts) == nil {
				permitted = append(permitted, t)
			}
		}
		return s.use(tx, k, m, permitted, u, p, &looked)
	})
	if err != nil {
		return nil, err
	}
	if !looked.seen || res.differs() {
		if err := s.saw(ctx, actor, k, res.Type, res.TypeName, looked.holder, res.differs()); err != nil {
			return nil, err
		}
	}
	res.Receipt = answer
	who := strings.TrimSpace(actor.Name + " " + u.Officer)
	mark := fmt.Sprintf("%s %s %s %s", actor.UnitName, who, k.Number, s.now().In(elicense.Shanghai).Format("2006-01-02 15:04"))
	res.Watermark = mark
	if u.Act == View && res.file != "" {
		if res.Pages, err = s.marked(ctx, res.file, res.digest, mark); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// marked draws a stored file with a watermark on every page. Without it no picture
// leaves the server (Art. 18).
func (s *Sharing) marked(ctx context.Context, name string, digest []byte, mark string) ([][]byte, error) {
	file, err := s.db.Files().Get(ctx, name, digest)
	if err != nil {
		return nil, unreadable(err)
	}
	c, err := s.Printing.Maker.Draw(file)
	if err != nil {
		return nil, unreadable(err)
	}
	if err := c.Watermark(mark); err != nil {
		return nil, err
	}
	return c.SVG(), nil
}

// The result codes of an information check (GB/T 36906, as two makers' services
// give them). A license that is not found is 5, which here is an error.
const (
	codeValid = iota
	codeNotYet
	codeSuspended
	codeEnded
	codeIncomplete
	codeNotFound
	codeDiffers
)

var codeWords = [...]string{"信息正确且有效", "信息正确且未激活", "信息正确且证照暂时失效", "信息正确且证照已失效", "信息不全无法验证", "查无此信息", "信息不一致"}

// CodeWord says in Chinese what a result code means.
func CodeWord(code int) string { return codeWords[code] }

func statusCode(s elicense.Status) int {
	switch s {
	case elicense.StatusValid, elicense.StatusExpiring:
		return codeValid
	case elicense.StatusNotYet:
		return codeNotYet
	case elicense.StatusSuspended:
		return codeSuspended
	}
	return codeEnded
}

// differs tells whether a comparison came out different: it counts against
// guessing.
func (r *Result) differs() bool { return r.different }

// compare says of each value how it stands to the license's. Of a license that
// can't be used only the result code is told.
func (r *Result) compare(values, fields map[string]string) {
	r.Matches = map[string]Likeness{}
	for key, v := range values {
		r.Matches[key] = compare(v, fields[key])
		r.different = r.different || r.Matches[key] == Differs
	}
	switch {
	case len(values) == 0:
		r.Code = codeIncomplete
	case r.different:
		r.Code = codeDiffers
	}
	if !r.Status.Usable() {
		r.Matches = nil
	}
}

// target is a license type of a party that a use may be about.
type target struct {
	typ    elicense.TypeCode
	holder elicense.HolderKey
	needed []string // field keys the matter needs of the type
	seen   bool     // the case has opened one before, and its holder was told
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
	case u.Act == Verify || u.Act == View:
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
			list = append(list, target{typ: t, holder: h, needed: needed[t]})
		}
	}
	return list, nil
}

func (s *Sharing) use(tx *store.Tx, k *cases.Case, m *cases.Matter, options []target, u Use, p *access.Permit, looked *target) (*Result, error) {
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
	l, err := lookOf(tx, k.ID, chosen.holder, chosen.typ)
	if err != nil {
		return nil, err
	}
	*looked, looked.seen = chosen, !l.first.IsZero()
	if effect, word := m.EffectOf(lic.Standing.Overlays); effect == cases.Block {
		return nil, elicense.E(elicense.NotInForce, "证照%s，本事项不能办理", word).Then("请当事人先到签发单位解除，或改办别的事项")
	}
	res := &Result{Found: *found}
	res.Code = statusCode(found.Status)
	if u.Act == Verify || u.Act != Compare && !found.Status.Usable() {
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
		res.compare(u.Values, version.Fields)
		return res, nil
	}
	if u.Act == View {
		p.Note.Fields = nil
		res.file, res.digest = version.File, version.Digest
		if res.file == "" {
			return nil, elicense.E(elicense.NotFound, "这份证照由国家系统制作，这里没有文件").Then("请查看字段")
		}
		return res, nil
	}
	res.Fields = access.Project(version.Fields, chosen.fields(u))
	var revealed []string
	for _, f := range t.Fields {
		v, shown := res.Fields[f.Key]
		if !shown {
			continue
		}
		res.Labels = append(res.Labels, f)
		switch {
		case f.Class != access.Sensitive:
		case slices.Contains(u.Reveal, f.Key):
			revealed = append(revealed, f.Key)
		default:
			res.Fields[f.Key] = access.MaskField(f.Type, v)
			res.Masked = append(res.Masked, f.Key)
		}
	}
	if len(revealed) > 0 {
		p.Note.Detail["reveal"] = strings.Join(revealed, ",")
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
