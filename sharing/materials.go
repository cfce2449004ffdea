package sharing

import (
	"context"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/store"
)

// Need is what a material asks of the clerk: the color of its row.
type Need string

// The needs.
const (
	Have    Need = "have"    // green: 已取得，免提交
	Look    Need = "look"    // amber: usable, with something to look at
	Present Need = "present" // amber: the holder may present it; whether there is one is not told
	Missing Need = "missing" // red: 未找到, or found and not usable
	ToGive  Need = "to-give" // grey: upload, form or other system
)

// Mender is who can mend what a material lacks.
type Mender string

// The menders.
const (
	ByApplicant Mender = "applicant"
	ByHolder    Mender = "holder"
	ByIssuer    Mender = "issuer"
	BySource    Mender = "source"
)

var menderWords = map[Mender]string{ByApplicant: "申请人", ByHolder: "持证人", ByIssuer: "签发单位", BySource: "来源系统"}

// Chinese returns the word shown to people.
func (m Mender) Chinese() string { return menderWords[m] }

// MaterialState is one line of the material check.
type MaterialState struct {
	Material cases.Material
	Place    int // in the matter's list, from 0
	Need     Need
	Why      string // one sentence
	Mend     Mender // who can mend it, if it is not green
	Licenses []Found
	Given    *cases.Given // how it was met already
	Asked    string       // of a type that needs agreement: "", asked, declined
}

// Met tells whether nothing is to be done about the material any more.
func (st *MaterialState) Met() bool {
	return st.Given != nil || st.Need == Have || st.Need == Look || st.Material.Optional || st.Material.Way == cases.Remote
}

// Materials checks the material list of a case against the licenses of its
// parties (Art. 12): what is had need not be given. Materials the facts of the
// case do not ask for are left out.
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
	return access.Get(ctx, s.guard, build, func(tx *store.Tx, p *access.Permit) ([]MaterialState, error) {
		p.Note.Purpose = k.Purpose
		return s.materials(tx, s.circumstances(tx, k), m, func(c *circumstances, t elicense.TypeCode, h elicense.HolderKey) error {
			facts, err := c.of(t, h, nil, false)
			if err != nil {
				return err
			}
			return s.guard.Ask(actor, access.CaseUse, cases.Thing(k, m), facts)
		})
	})
}

// OwnMaterials is the check for the applicant of an online case: which of his own
// licenses meet what, so that he has to upload only the rest (Art. 11, 12).
//
// Errors: Forbidden to who is no party; Unavailable if a status can't be read.
func (s *Sharing) OwnMaterials(ctx context.Context, actor *elicense.Actor, id elicense.CaseID) ([]MaterialState, error) {
	list, _, err := access.Get(ctx, s.guard, s.caseRequest(actor, access.CaseOwn, id, map[string]string{"act": "materials"}), func(tx *store.Tx, p *access.Permit) ([]MaterialState, error) {
		p.Note.Holder, p.Note.Basis = actor.Holder, "持证人本人"
		k, m, err := cases.Find(tx, id)
		if err != nil {
			return nil, err
		}
		c := s.circumstances(tx, k)
		c.own = actor.Holder
		return s.materials(tx, c, m, func(*circumstances, elicense.TypeCode, elicense.HolderKey) error { return nil })
	})
	return list, err
}

// materials goes through the list; may asks whether a party's licenses of a type
// may be looked at.
func (s *Sharing) materials(tx *store.Tx, c *circumstances, m *cases.Matter, may func(*circumstances, elicense.TypeCode, elicense.HolderKey) error) (list []MaterialState, err error) {
	given, err := cases.GivenOf(tx, c.k.ID)
	if err != nil {
		return nil, err
	}
	held := map[elicense.HolderKey][]*elicense.License{}
	for i, mat := range m.Materials {
		if !mat.Asked(c.k.Facts) {
			continue
		}
		st := MaterialState{Material: mat, Place: i, Given: given[i]}
		if err := s.check(tx, c, m, held, may, &st); err != nil {
			return nil, err
		}
		list = append(list, st)
	}
	return list, nil
}

// check looks for the licenses that meet one material.
func (s *Sharing) check(tx *store.Tx, c *circumstances, m *cases.Matter, held map[elicense.HolderKey][]*elicense.License,
	may func(*circumstances, elicense.TypeCode, elicense.HolderKey) error, st *MaterialState) error {
	if len(st.Material.Types) == 0 || st.Material.Way == cases.Original {
		st.Need, st.Why, st.Mend = ToGive, "由申请人提供", ByApplicant
		switch st.Material.Way {
		case cases.Remote:
			st.Why, st.Mend = "由其他系统共享", BySource
		case cases.Original:
			st.Why = "依法要核对原件"
		}
		return nil
	}
	if !c.k.Open() && c.k.Stage != cases.Filling {
		st.Need, st.Why = ToGive, "办件已办结，不再查询"
		return nil
	}
	unagreed := false
	for _, typ := range st.Material.Types {
		t, err := c.typeOf(typ)
		if err != nil {
			return err
		}
		for _, party := range c.k.Parties {
			if c.own != "" && party.Holder != c.own {
				continue // an applicant sees his own licenses, not his spouse's
			}
			if t != nil && t.Consent && c.own == "" {
				state, err := agreementState(tx, c.k.ID, party.Holder, typ)
				if err != nil {
					return err
				}
				if state != agreed {
					// Whether there is such a license is not even looked at.
					unagreed = true
					if state != "" {
						st.Asked = state
					}
					continue
				}
			}
			if refused := may(c, typ, party.Holder); refused != nil {
				return refused
			}
			found, err := s.find(tx, held, typ, party)
			if err != nil {
				return err
			}
			st.Licenses = append(st.Licenses, found...)
		}
	}
	st.judge(m)
	if unagreed && st.Need != Have && st.Need != Look {
		st.Need, st.Mend = Present, ByHolder
		switch st.Asked {
		case asked:
			st.Why = "已请持证人同意，等他答复；他也可以自己出示"
		case declined:
			st.Why = "持证人没有同意；可由他自己出示或上传"
		default:
			st.Why = "这类证照要持证人同意；可请他同意，或由他自己出示"
		}
	}
	return nil
}

// judge decides the color of a material from the licenses found, of which the
// best comes first.
func (st *MaterialState) judge(m *cases.Matter) {
	best, effect, word := -1, cases.Ignore, ""
	for i, f := range st.Licenses {
		if !f.Status.Usable() {
			continue
		}
		e, w := m.EffectOf(f.overlays)
		if best < 0 || rank(e) < rank(effect) || rank(e) == rank(effect) && len(f.Overlays) < len(st.Licenses[best].Overlays) {
			best, effect, word = i, e, w
		}
	}
	if best > 0 {
		st.Licenses[0], st.Licenses[best] = st.Licenses[best], st.Licenses[0]
	}
	switch {
	case best >= 0 && effect == cases.Block:
		st.Need, st.Why, st.Mend = Missing, "证照"+word+"，本事项不能办理", ByIssuer
	case best >= 0:
		f := st.Licenses[0]
		st.Need, st.Why = Have, "已取得，免提交"
		if st.Material.Way == cases.Verify {
			st.Why = "核验一致，免提交"
		}
		switch {
		case f.Stale:
			st.Need, st.Why, st.Mend = Look, "来源系统超过7天没有更新，请留意", BySource
		case effect == cases.Warn:
			st.Need, st.Why = Look, "可用，"+word
		case f.Status == elicense.StatusExpiring:
			st.Need, st.Why = Look, "可用，有效期到"+string(f.ValidTo)
		}
	case len(st.Licenses) > 0:
		st.Need, st.Why, st.Mend = Missing, "找到的证照"+st.Licenses[0].Status.Chinese()+"，不能使用", ByIssuer
	case st.Material.Optional:
		st.Need, st.Why, st.Mend = ToGive, "没有找到；本办件需要时再提供", ByApplicant
	case st.Material.OrUpload:
		st.Need, st.Why, st.Mend = Missing, "没有找到；可上传其他证明", ByApplicant
	default:
		st.Need, st.Why, st.Mend = Missing, "没有找到", ByIssuer
	}
}

func rank(e cases.Effect) int {
	switch e {
	case cases.Block:
		return 2
	case cases.Warn:
		return 1
	}
	return 0
}
