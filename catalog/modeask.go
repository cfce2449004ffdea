package catalog

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/notice"
	"elicense/org"
	"elicense/store"
)

// ModeState is where a unit's proposal of its own mode stands.
type ModeState string

// The states of a proposal.
const (
	ModeOpen      ModeState = "open"      // 待核对
	ModeConfirmed ModeState = "confirmed" // 已同意: it holds
	ModeRefused   ModeState = "refused"   // 没有同意
)

var modeStateWords = map[ModeState]string{ModeOpen: "待核对", ModeConfirmed: "已同意", ModeRefused: "没有同意"}

// Chinese returns the word shown to people.
func (s ModeState) Chinese() string { return modeStateWords[s] }

// ModeProposal is what an issuing unit proposes for its own licenses of a type another
// unit registers: the generation mode belongs to type and unit (Art. 7(1)).
type ModeProposal struct {
	ID       string
	UnitMode // Changed is not used: it holds from the decision on
	State    ModeState
	Proposer elicense.PersonID
	Proposed time.Time
	Decider  elicense.PersonID
	Decided  time.Time // zero while it is open
	Remark   string    // why it was refused, or what is to be observed

	TypeName, By string // of the type and the proposer; read with lists
}

func (m *ModeProposal) sealed() [][]byte {
	decided := int64(0)
	if !m.Decided.IsZero() {
		decided = m.Decided.UnixMicro()
	}
	n := func(i int64) []byte { return []byte(strconv.FormatInt(i, 10)) }
	return [][]byte{
		[]byte(m.Code), []byte(m.Unit), []byte(m.Origin), []byte(m.Reason), []byte(m.Basis), []byte(m.State), []byte(m.Proposer), n(m.Proposed.UnixMicro()),
		[]byte(m.Decider), n(decided), []byte(m.Remark),
	}
}

func modeProposals(tx *store.Tx, where string, args ...any) ([]*ModeProposal, error) {
	return store.All(tx, func(r *store.Rows) (*ModeProposal, error) {
		var m ModeProposal
		var mac []byte
		err := r.Scan(&m.ID, &m.Code, &m.Unit, &m.Origin, &m.Reason, &m.Basis, &m.State, &m.Proposer, &m.Proposed, &m.Decider, &m.Decided, &m.Remark, &mac)
		if err != nil {
			return nil, err
		}
		return &m, tx.CheckMAC(mac, "mode_proposal", m.ID, m.sealed()...)
	}, `SELECT id, code, unit, origin, reason, basis, state, proposer, proposed, decider, decided, remark, mac FROM mode_proposal `+where, args...)
}

// ProposeMode proposes how the actor's own unit makes the licenses of a type another
// unit registers; it holds when the administration confirms it.
//
// Errors: Invalid naming the field; Forbidden; NotFound; Conflict for a unit that
// registers the type itself, for one whose proposal waits already, and for a type
// without a face that is to be made here.
func (c *Catalog) ProposeMode(ctx context.Context, actor *elicense.Actor, m UnitMode) (id string, err error) {
	m.trim()
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.TypePropose, On: access.Thing{Kind: "Type", ID: string(noted(m.Code)), Attr: access.Attr{"unit": string(m.Unit)}},
			Note: access.Note{LicenseType: noted(m.Code), Detail: map[string]string{"mode": "true", "proposal": "true"}},
		}, nil
	}
	err = c.guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		t, err := Current(tx, m.Code)
		if err != nil {
			return err
		}
		if err := m.check(t); err != nil {
			return err
		}
		if t.Unit == m.Unit {
			return elicense.E(elicense.Conflict, "这类证照是本单位登记的，不用申请").At("unitCode").Under("第七条第一款").Then("请直接写明生成方式")
		}
		x := ModeProposal{ID: elicense.NewID[string](tx.Now()), UnitMode: m, State: ModeOpen, Proposer: actor.Person, Proposed: tx.Now()}
		_, err = tx.Exec(`INSERT INTO mode_proposal (id, code, unit, origin, reason, basis, state, proposer, proposed, decider, decided, remark, mac)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', NULL, '', $10)`,
			x.ID, x.Code, x.Unit, string(x.Origin), x.Reason, x.Basis, string(x.State), x.Proposer, x.Proposed, tx.MAC("mode_proposal", x.ID, x.sealed()...))
		if elicense.IsKind(err, elicense.Conflict) {
			return elicense.E(elicense.Conflict, "本单位对这类证照已有一份申请在等核对").Under("第七条第一款").Then("请等它办完").Because(err)
		}
		if err != nil {
			return err
		}
		id = x.ID
		p.Note.Detail = map[string]string{"mode": string(m.Origin), "unit": string(m.Unit), "proposal": x.ID}
		return tellUnit(tx, "", elicense.DutyTypes, notice.Notice{
			Kind: "mode-proposed", Text: "有单位申请%s的生成方式，请核对", Args: []string{t.Name}, Link: "/admin/modes",
		})
	})
	return id, err
}

// DecideMode is the administration's decision on a unit's proposal: confirmed, it holds
// from now on; refused, with the reason.
//
// Errors: Invalid without a reason to refuse; Forbidden; NotFound; Conflict if it was
// decided, or does not fit its type any more.
func (c *Catalog) DecideMode(ctx context.Context, actor *elicense.Actor, id string, confirm bool, remark string) error {
	remark = strings.TrimSpace(remark)
	build := func(tx *store.Tx) (access.Request, error) {
		m, err := modeProposal(tx, id)
		if elicense.IsKind(err, elicense.NotFound) {
			m = &ModeProposal{}
		} else if err != nil {
			return access.Request{}, err
		}
		return access.Request{
			Actor: actor, Act: access.TypePublish, On: access.Thing{Kind: "Type", ID: string(m.Code), Attr: access.Attr{"proposer": string(m.Proposer)}},
			Note: access.Note{LicenseType: m.Code, Detail: map[string]string{"mode": string(m.Origin), "unit": string(m.Unit), "proposal": m.ID, "publish": strconv.FormatBool(confirm)}},
		}, nil
	}
	return c.guard.Write(ctx, build, func(tx *store.Tx, _ *access.Permit) error {
		m, err := modeProposal(tx, id)
		if err != nil {
			return err
		}
		if !confirm && remark == "" || utf8.RuneCountInString(remark) > maxReason {
			return elicense.E(elicense.Invalid, "不同意要写明理由，最多%d个字", maxReason).At("remark")
		}
		t, err := Current(tx, m.Code)
		if err != nil {
			return err
		}
		n := notice.Notice{Kind: "mode-decided", Text: "%s的生成方式，管理部门没有同意：%s", Args: []string{t.Name, remark}, Link: "/issue/modes"}
		m.State, m.Decider, m.Decided, m.Remark = ModeRefused, actor.Person, tx.Now(), remark
		if confirm {
			if err := m.check(t); err != nil {
				return err
			}
			if err := m.put(tx); err != nil {
				return err
			}
			m.State, n.Text, n.Args = ModeConfirmed, "%s的生成方式，管理部门已同意，马上生效", n.Args[:1]
		}
		changed, err := tx.Exec(`UPDATE mode_proposal SET state = $1, decider = $2, decided = $3, remark = $4, mac = $5 WHERE id = $6 AND state = $7`,
			string(m.State), m.Decider, m.Decided, m.Remark, tx.MAC("mode_proposal", m.ID, m.sealed()...), m.ID, string(ModeOpen))
		if err != nil {
			return err
		}
		if changed == 0 {
			return elicense.E(elicense.Conflict, "这份申请已经办过").Under("第七条第一款").Then("请刷新后核对")
		}
		return tellUnit(tx, m.Unit, elicense.DutyRegister, n)
	})
}

func modeProposal(tx *store.Tx, id string) (*ModeProposal, error) {
	list, err := modeProposals(tx, `WHERE id = $1`, id)
	if err == nil && len(list) == 0 {
		err = elicense.E(elicense.NotFound, "没有这份申请").Because(store.ErrNoRow)
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// TakeBackMode ends what was set for a unit: from now on its licenses of the type are
// made as the type is registered. Those made before keep what they say. It is the
// administration's act.
//
// Errors: Invalid without a reason; Forbidden; NotFound if nothing is set for the unit.
func (c *Catalog) TakeBackMode(ctx context.Context, actor *elicense.Actor, code elicense.TypeCode, unit elicense.UnitCode, reason string) error {
	reason = strings.TrimSpace(reason)
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.TypePublish, On: access.Thing{Kind: "Type", ID: string(noted(code)), Attr: access.Attr{"proposer": ""}},
			Note: access.Note{LicenseType: noted(code), Detail: map[string]string{"mode": "registered"}},
		}, nil
	}
	return c.guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		if reason == "" || utf8.RuneCountInString(reason) > maxReason {
			return elicense.E(elicense.Invalid, "要写理由，最多%d个字", maxReason).At("reason")
		}
		t, err := Current(tx, code)
		if err != nil {
			return err
		}
		list, err := unitModes(tx, `WHERE code = $1 AND unit = $2`, code, unit)
		if err != nil {
			return err
		}
		if len(list) == 0 || list[0].Origin == AsRegistered {
			return elicense.E(elicense.NotFound, "这个单位已经按类别登记的方式生成").At("unitCode").Under("第七条第一款")
		}
		p.Note.Detail = map[string]string{"mode": "registered", "unit": string(unit), "before": string(list[0].Origin)}
		m := list[0]
		m.Origin, m.Reason, m.Basis = AsRegistered, reason, ""
		if err := m.put(tx); err != nil {
			return err
		}
		n := notice.Notice{Kind: "mode-back", Text: "%s改回按类别登记的方式生成，马上生效：%s", Args: []string{t.Name, reason}, Link: "/issue/modes"}
		if err := tellUnit(tx, unit, elicense.DutyRegister, n); err != nil || t.Unit == unit {
			return err
		}
		return tellUnit(tx, t.Unit, elicense.DutyRegister, n)
	})
}

// ModeProposals lists proposals: to the administration all that wait, to who registers
// for a unit those of his unit; the newest first, at most limit. Errors: Forbidden.
func (c *Catalog) ModeProposals(ctx context.Context, actor *elicense.Actor, limit int) (list []*ModeProposal, err error) {
	all := actor.Has(elicense.DutyTypes)
	build := func(*store.Tx) (access.Request, error) {
		r := access.Request{
			Actor: actor, Act: access.TypePropose, On: access.Thing{Kind: "Type", ID: "mode-proposals", Attr: access.Attr{"unit": string(actor.Unit)}},
			Note: access.Note{Detail: map[string]string{"list": "mode-proposals"}},
		}
		if all {
			r.Act, r.On.Attr = access.TypePublish, access.Attr{"proposer": ""}
		}
		return r, nil
	}
	list, _, err = access.Get(ctx, c.guard, build, func(tx *store.Tx, _ *access.Permit) ([]*ModeProposal, error) {
		where, by := `WHERE unit = $1`, string(actor.Unit)
		if all {
			where, by = `WHERE state = $1`, string(ModeOpen)
		}
		list, err := modeProposals(tx, where+` ORDER BY proposed DESC, id LIMIT $2`, by, limit)
		for _, m := range list {
			t, err := Current(tx, m.Code)
			if err != nil {
				return nil, err
			}
			m.TypeName = t.Name
			if m.By, err = org.PersonName(tx, m.Proposer); err != nil {
				return nil, err
			}
		}
		return list, err
	})
	return list, err
}

// EachModeProposal reads every proposal; f gets the error of one that is not as it was
// left.
func EachModeProposal(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "mode_proposal", func(id string) error {
		_, err := modeProposal(tx, id)
		return f(id, err)
	})
}
