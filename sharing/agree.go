package sharing

import (
	"context"
	"slices"
	"strconv"
	"time"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/catalog"
	"elicense/notice"
	"elicense/store"
)

// The states of an agreement.
const (
	asked     = "asked"
	agreed    = "agreed"
	declined  = "declined"
	withdrawn = "withdrawn"
)

// Agreement is what a holder was asked and what he said: that licenses of one
// type may be used in one case (个人信息保护法 14, 29). It ends with the case, and
// he can withdraw it before.
type Agreement struct {
	ID      string
	Holder  elicense.HolderKey
	Case    elicense.CaseID
	Type    elicense.TypeCode
	Unit    elicense.UnitCode
	State   string
	Asked   time.Time
	Decided time.Time
	// For the holder's page.
	TypeName, Matter, Number, UnitName string
	Fields                             []string // labels of what will be seen
	seq                                int64
}

func (a *Agreement) parts() [][]byte {
	return [][]byte{[]byte(a.Holder), []byte(a.Case), []byte(a.Type), []byte(a.Unit), []byte(a.State), []byte(strconv.FormatInt(a.seq, 10))}
}

func agreements(tx *store.Tx, where string, args ...any) ([]*Agreement, error) {
	return store.All(tx, func(r *store.Rows) (*Agreement, error) {
		var a Agreement
		var mac []byte
		if err := r.Scan(&a.ID, &a.Holder, &a.Case, &a.Type, &a.Unit, &a.State, &a.Asked, &a.Decided, &a.seq, &mac); err != nil {
			return nil, err
		}
		return &a, tx.CheckMAC(mac, "agreement", a.ID, a.parts()...)
	}, `SELECT id, holder_key, case_id, type, unit, state, asked, decided, seq, mac FROM agreement `+where, args...)
}

func agreementState(tx *store.Tx, id elicense.CaseID, h elicense.HolderKey, t elicense.TypeCode) (string, error) {
	return store.Keep(tx, "agreement "+lookRow(id, h, t), func() (string, error) {
		list, err := agreements(tx, `WHERE case_id = $1 AND holder_key = $2 AND type = $3`, id, h, t)
		if err != nil || len(list) == 0 {
			return "", err
		}
		return list[0].State, nil
	})
}

func agreedTo(tx *store.Tx, id elicense.CaseID, h elicense.HolderKey, t elicense.TypeCode) (bool, error) {
	s, err := agreementState(tx, id, h, t)
	return s == agreed, err
}

// put writes an agreement in a state; one there was is replaced.
func putAgreement(tx *store.Tx, k *cases.Case, h elicense.HolderKey, t elicense.TypeCode, state string, by elicense.AccountID) error {
	list, err := agreements(tx, `WHERE case_id = $1 AND holder_key = $2 AND type = $3`, k.ID, h, t)
	if err != nil {
		return err
	}
	a := &Agreement{ID: elicense.NewID[string](tx.Now()), Holder: h, Case: k.ID, Type: t, Unit: k.Unit, Asked: tx.Now()}
	if len(list) > 0 {
		a = list[0]
	}
	a.State, a.seq = state, a.seq+1
	var decided any
	if state != asked {
		decided = tx.Now()
	}
	_, err = tx.Exec(`INSERT INTO agreement (id, holder_key, case_id, type, unit, state, account, asked, decided, seq, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (case_id, holder_key, type) DO UPDATE SET state = excluded.state,
		account = excluded.account, asked = excluded.asked, decided = excluded.decided, seq = excluded.seq, mac = excluded.mac`,
		a.ID, a.Holder, a.Case, a.Type, a.Unit, a.State, by, a.Asked, decided, a.seq, tx.MAC("agreement", a.ID, a.parts()...))
	return err
}

// AskAgreement asks a party to let the case use his licenses of a type. It does
// not tell whether he has one.
//
// Errors: Forbidden; NotFound if the list has no such material or party;
// Conflict if the type needs no agreement.
func (s *Sharing) AskAgreement(ctx context.Context, actor *elicense.Actor, id elicense.CaseID, typ elicense.TypeCode, party int) error {
	return s.guard.Write(ctx, s.caseRequest(actor, access.CaseMove, id, map[string]string{"act": "ask-agreement", "type": string(typ)}), func(tx *store.Tx, p *access.Permit) error {
		k, m, err := cases.Find(tx, id)
		if err != nil {
			return err
		}
		if !k.Open() {
			return elicense.E(elicense.Conflict, "办件已经办结，不再查询证照").Under("第十三条第二款")
		}
		if party < 0 || party >= len(k.Parties) || !slices.Contains(m.AskedTypes(k.Facts), typ) {
			return elicense.E(elicense.NotFound, "本办件不需要他的这类证照")
		}
		t, err := catalog.Current(tx, typ)
		if err != nil {
			return err
		}
		if !t.Consent {
			return elicense.E(elicense.Conflict, "这类证照不需要另行同意")
		}
		h := k.Parties[party].Holder
		if is, err := agreedTo(tx, id, h, typ); err != nil || is {
			return err
		}
		p.Note.Holder, p.Note.LicenseType = h, typ
		if err := putAgreement(tx, k, h, typ, asked, actor.Account); err != nil {
			return err
		}
		return notice.Send(tx, notice.HolderInbox(h), notice.Notice{
			Kind: "agreement", Text: "%s办理“%s”（%s）想使用您的%s，请您决定是否同意", Args: []string{actor.UnitName, m.Name, k.Number, t.Name}, Link: "/holder/agreements",
		})
	})
}

// Agreements lists what a holder was asked and has said, the newest first.
func (s *Sharing) Agreements(ctx context.Context, actor *elicense.Actor, limit int) ([]*Agreement, error) {
	list, _, err := access.Get(ctx, s.guard, s.folderRequest(actor, "agreements"), func(tx *store.Tx, _ *access.Permit) ([]*Agreement, error) {
		list, err := agreements(tx, `WHERE holder_key = $1 ORDER BY id DESC LIMIT $2`, actor.Holder, limit)
		if err != nil {
			return nil, err
		}
		for _, a := range list {
			if err := s.explain(tx, a); err != nil {
				return nil, err
			}
		}
		return list, nil
	})
	return list, err
}

// explain says in words what an agreement is about.
func (s *Sharing) explain(tx *store.Tx, a *Agreement) error {
	k, m, err := cases.Find(tx, a.Case)
	if err != nil || k == nil {
		return err
	}
	t, err := catalog.Current(tx, a.Type)
	if err != nil {
		return err
	}
	a.TypeName, a.Matter, a.Number, a.UnitName = t.Name, k.MatterName, k.Number, s.unitName(tx, a.Unit)
	for i := range m.Materials {
		for _, key := range m.Materials[i].Fields[a.Type] {
			if f := t.Field(key); f != nil && !slices.Contains(a.Fields, f.Label) {
				a.Fields = append(a.Fields, f.Label)
			}
		}
	}
	if !k.Open() && a.State == asked {
		a.State = "ended"
	}
	return nil
}

// Answer is the holder's answer: he agrees, declines, or withdraws what he agreed
// to. Withdrawing ends the use at once.
//
// Errors: Forbidden to anyone but the holder; NotFound; Conflict when the case has
// ended.
func (s *Sharing) Answer(ctx context.Context, actor *elicense.Actor, id string, yes bool) error {
	return s.guard.Write(ctx, s.folderRequest(actor, "answer"), func(tx *store.Tx, p *access.Permit) error {
		list, err := agreements(tx, `WHERE id = $1 AND holder_key = $2`, id, actor.Holder)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return elicense.E(elicense.NotFound, "没有这个请求").Then("请从消息里打开")
		}
		a := list[0]
		k, err := cases.Of(tx, a.Case)
		if err != nil {
			return err
		}
		if !k.Open() {
			return elicense.E(elicense.Conflict, "办件已经办结，不用再答复")
		}
		state := declined
		switch {
		case yes:
			state = agreed
		case a.State == agreed:
			state = withdrawn
		}
		p.Note.Case, p.Note.LicenseType, p.Note.Basis = a.Case, a.Type, "持证人授权"
		p.Note.Detail = map[string]string{"act": "agreement", "state": state}
		if err := putAgreement(tx, k, a.Holder, a.Type, state, actor.Account); err != nil {
			return err
		}
		if k.Clerk == "" {
			return nil
		}
		text := "办件%s：持证人没有同意使用有关证照"
		if yes {
			text = "办件%s：持证人同意使用有关证照"
		}
		return notice.Send(tx, notice.AccountInbox(k.Clerk), notice.Notice{Kind: "agreement", Text: text, Args: []string{k.Number}, Link: "/window/cases/" + string(k.ID)})
	})
}

// folderRequest asks the law for an act of a holder on what is his own.
func (s *Sharing) folderRequest(actor *elicense.Actor, act string) func(*store.Tx) (access.Request, error) {
	return func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.LicenseOwn,
			On:   access.Thing{Kind: "License", ID: "folder", Attr: access.Attr{"holders": []string{string(actor.Holder)}}},
			Note: access.Note{Holder: actor.Holder, Basis: "持证人本人", Detail: map[string]string{"act": act}},
		}, nil
	}
}

// caseRequest asks the law for an act of a case's clerk or applicant.
func (s *Sharing) caseRequest(actor *elicense.Actor, act access.Act, id elicense.CaseID, detail map[string]string) func(*store.Tx) (access.Request, error) {
	return func(tx *store.Tx) (access.Request, error) {
		k, m, err := cases.Find(tx, id)
		if err != nil {
			return access.Request{}, err
		}
		return access.Request{Actor: actor, Act: act, On: cases.Thing(k, m), Rests: k.Rests(), Note: access.Note{Case: id, Detail: detail}}, nil
	}
}
