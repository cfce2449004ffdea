package cases

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/org"
	"elicense/store"
)

// Apply begins a case online for the actor himself, or for the company he acts
// for (Art. 11(1)). Nobody else sees it until it is sent.
//
// Errors: Invalid naming the field; Forbidden if the matter has no online way or
// the first party is not the actor's own holder.
func (c *Cases) Apply(ctx context.Context, actor *elicense.Actor, n NewCase) (*Case, error) {
	n.Number, n.Kind = "", Application
	if err := n.check(); err != nil {
		return nil, err
	}
	for i := range n.Parties {
		n.Parties[i].Proof = ProofAccount
	}
	var made *Case
	build := func(tx *store.Tx) (access.Request, error) {
		m, err := MatterOf(tx, n.Matter)
		if err != nil {
			return access.Request{}, err
		}
		own := len(n.Parties) == 1
		for i := range n.Parties {
			p := &n.Parties[i]
			p.Ref = p.Ref.Normalize()
			if err := p.Ref.Check(elicense.DateOf(tx.Now())); err != nil {
				return access.Request{}, inParty(err, i)
			}
			h, err := tx.Holder(p.Ref, false)
			if err != nil && !elicense.IsKind(err, elicense.NotFound) {
				return access.Request{}, err
			}
			own = own && h != "" && h == actor.Holder
		}
		return access.Request{
			Actor: actor, Act: access.CaseApply,
			On:    access.Thing{Kind: "Case", ID: "new", Attr: access.Attr{"online": m.Online, "own": own}},
			Rests: []access.Rests{{Query: `SELECT version FROM matter WHERE code = $1`, Args: []any{string(m.Code)}, Want: int64(m.Version)}},
			Note:  access.Note{Detail: map[string]string{"matter": string(m.Code)}},
		}, nil
	}
	err := c.guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) (err error) {
		if made, err = c.insert(tx, actor, n, OnTheWeb); err == nil {
			p.Note.Case = made.ID
		}
		return err
	})
	return made, err
}

// OwnMove is a step of the applicant: he sends what he filled in, supplies what
// was missing, or withdraws.
//
// Errors: Invalid; Forbidden; Conflict if the case does not stand so.
func (c *Cases) OwnMove(ctx context.Context, actor *elicense.Actor, id elicense.CaseID, m Move, d Doing) (*Case, error) {
	if m != Send && m != Supply && m != Withdraw {
		return nil, elicense.E(elicense.Invalid, "没有这个办理步骤").At("kind")
	}
	if err := d.check(m); err != nil {
		return nil, err
	}
	var k *Case
	err := c.guard.Write(ctx, c.request(actor, access.CaseOwnMove, id), func(tx *store.Tx, p *access.Permit) (err error) {
		p.Note.Detail = map[string]string{"move": string(m)}
		if k, err = Of(tx, id); err != nil {
			return err
		}
		if m == Send {
			if err := c.sendable(tx, k); err != nil {
				return err
			}
			if k.Due, err = c.within(tx, tx.Now(), completeDays); err != nil {
				return err
			}
			k.Opened = tx.Now()
			if _, err := tx.Exec(`UPDATE office_case SET opened = $1 WHERE id = $2`, k.Opened, k.ID); err != nil {
				return err
			}
		}
		if err := c.ApplyMove(tx, actor, k, m, d); err != nil {
			return err
		}
		if m == Send {
			return deemLater(tx, k)
		}
		return nil
	})
	return k, err
}

// sendable tells whether everything the applicant has to give is there.
func (c *Cases) sendable(tx *store.Tx, k *Case) error {
	m, err := matterAt(tx, k.Matter, k.MatterVersion)
	if err != nil {
		return err
	}
	given, err := GivenOf(tx, k.ID)
	if err != nil {
		return err
	}
	for i := range m.Materials {
		mat := &m.Materials[i]
		if !mat.Asked(k.Facts) || mat.Optional || mat.Way == Remote || given[i] != nil || mat.Way == Original || mat.Later > 0 {
			continue
		}
		return elicense.E(elicense.Conflict, "“%s”还没有提供", mat.Name).At("materials." + strconv.Itoa(i+1)).Then("平台已有的证照点“同意使用”，没有的请上传")
	}
	return nil
}

// Own returns a case to its applicant or to a party of it, with its course.
//
// Errors: Forbidden, also if there is no such case.
func (c *Cases) Own(ctx context.Context, actor *elicense.Actor, id elicense.CaseID) (k *Case, m *Matter, course []Step, err error) {
	_, err = c.guard.Read(ctx, c.request(actor, access.CaseOwn, id), func(tx *store.Tx, _ *access.Permit) (err error) {
		if k, m, err = Find(tx, id); err != nil {
			return err
		}
		course, err = CourseOf(tx, id)
		return err
	})
	if err != nil {
		return nil, nil, nil, err
	}
	return k, m, course, nil
}

// OwnCases lists the cases of a holder, the newest first: those he applied for
// and those in which he is a party.
func (c *Cases) OwnCases(ctx context.Context, actor *elicense.Actor, limit int) (own []*Case, err error) {
	if actor.Kind != elicense.Holder || actor.Holder == "" {
		return nil, nil
	}
	err = c.db.View(ctx, func(tx *store.Tx) error {
		own, err = list(tx, `WHERE id IN (SELECT case_id FROM case_party WHERE holder_key = $1) AND (stage <> 'filling' OR applicant = $2) ORDER BY opened DESC LIMIT $3`,
			actor.Holder, actor.Account, limit)
		return err
	})
	return own, err
}

// Course returns the steps of a case to its clerk. Errors: Forbidden.
func (c *Cases) Course(ctx context.Context, actor *elicense.Actor, id elicense.CaseID) (course []Step, err error) {
	_, err = c.guard.Read(ctx, c.request(actor, access.CaseRead, id), func(tx *store.Tx, _ *access.Permit) (err error) {
		course, err = CourseOf(tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return course, nil
}

// Queue lists the cases that wait for a clerk of the unit, the most urgent
// first. It shows numbers, matters and terms, no parties.
func (c *Cases) Queue(ctx context.Context, actor *elicense.Actor, limit int) (waiting []*Case, err error) {
	if actor.Kind != elicense.Staff || !actor.Has(elicense.DutyWindow) {
		return nil, nil
	}
	err = c.db.View(ctx, func(tx *store.Tx) error {
		waiting, err = list(tx, `WHERE implementer = $1 AND stage = 'received' AND clerk = '' ORDER BY opened LIMIT $2`, actor.Unit, limit)
		for _, k := range waiting {
			k.Parties, k.Facts = nil, nil
		}
		return err
	})
	return waiting, err
}

// Join adds a party to an open case. His identity must be proven as at the
// opening; what was looked at before stays as it was.
//
// Errors: Invalid naming the field; Forbidden; Conflict; TooLarge.
func (c *Cases) Join(ctx context.Context, actor *elicense.Actor, id elicense.CaseID, p Party) (*Case, error) {
	n := NewCase{Parties: []Party{p}}
	if err := n.check(); err != nil {
		return nil, err
	}
	p = n.Parties[0]
	p.Ref = p.Ref.Normalize()
	var k *Case
	build := func(tx *store.Tx) (access.Request, error) {
		if err := p.Ref.Check(elicense.DateOf(tx.Now())); err != nil {
			return access.Request{}, inParty(err, 0)
		}
		req, err := c.request(actor, access.CaseJoin, id)(tx)
		if err != nil {
			return req, err
		}
		self, err := isParty(tx, actor, []Party{p})
		if err != nil {
			return req, err
		}
		_, known := proofWords[p.Proof]
		req.Circumstances = access.Attr{"proven": known && p.Proof != ProofNone, "self": self}
		return req, nil
	}
	err := c.guard.Write(ctx, build, func(tx *store.Tx, _ *access.Permit) (err error) {
		if k, err = Of(tx, id); err != nil {
			return err
		}
		if len(k.Parties) >= maxParties {
			return elicense.E(elicense.TooLarge, "一个办件最多登记%d位当事人", maxParties).At("parties")
		}
		p.Place, p.ProvenBy, p.Proven = len(k.Parties), actor.Person, tx.Now()
		if p.Holder, err = tx.Holder(p.Ref, true); err != nil {
			return err
		}
		if slices.ContainsFunc(k.Parties, func(q Party) bool { return q.Holder == p.Holder }) {
			return elicense.E(elicense.Conflict, "他已经是这个办件的当事人").At("parties")
		}
		if err := insertParty(tx, id, p); err != nil {
			return err
		}
		k.Parties = append(k.Parties, p)
		return k.step(tx, actor, Join, Doing{Party: p.Place})
	})
	return k, err
}

// Entrustment lets a hall accept applications for a department (委托受理). It is
// filed with the number of the document that says so.
type Entrustment struct {
	Acceptor elicense.UnitCode
	Unit     elicense.UnitCode // whose matters are accepted
	DocNo    string
	From, To elicense.Date // To is the last day; empty is none
}

func (e *Entrustment) row() string { return string(e.Acceptor) + "/" + string(e.Unit) }

func (e *Entrustment) parts() [][]byte {
	return [][]byte{[]byte(e.DocNo), []byte(e.From), []byte(e.To)}
}

func (e *Entrustment) holds(day elicense.Date) bool {
	return e.From <= day && (e.To == "" || day <= e.To)
}

// Entrust files that another unit accepts applications for the actor's.
//
// Errors: Invalid naming the field; Forbidden.
func (c *Cases) Entrust(ctx context.Context, actor *elicense.Actor, e Entrustment) error {
	e.Unit, e.DocNo = actor.Unit, strings.TrimSpace(e.DocNo)
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.MatterPropose, On: access.Thing{Kind: "Matter", ID: "entrustment", Attr: access.Attr{"unit": string(e.Unit)}},
			Note: access.Note{Detail: map[string]string{"entrust": string(e.Acceptor), "doc": e.DocNo}},
		}, nil
	}
	return c.guard.Write(ctx, build, func(tx *store.Tx, _ *access.Permit) error {
		if e.DocNo == "" || !fits(e.DocNo, maxNumber) {
			return elicense.E(elicense.Invalid, "要写明委托文书的文号").At("docNo").Under("行政许可法第二十四条")
		}
		for field, day := range map[string]elicense.Date{"from": e.From, "to": e.To} {
			if _, err := elicense.ParseDate(string(day)); err != nil && (field == "from" || day != "") {
				return elicense.E(elicense.Invalid, "委托的期间要写成2026-11-23的样子").At(field).Because(err)
			}
		}
		if _, err := org.UnitOf(tx, e.Acceptor); err != nil {
			return elicense.E(elicense.Invalid, "没有这个单位").At("acceptor").Because(err)
		}
		return putEntrustment(tx, &e, actor.Account)
	})
}

func putEntrustment(tx *store.Tx, e *Entrustment, by elicense.AccountID) error {
	_, err := tx.Exec(`INSERT INTO entrustment (acceptor, unit, doc_no, from_day, to_day, account, filed, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (acceptor, unit) DO UPDATE SET doc_no = excluded.doc_no, from_day = excluded.from_day, to_day = excluded.to_day,
		account = excluded.account, filed = excluded.filed, mac = excluded.mac`,
		e.Acceptor, e.Unit, e.DocNo, e.From, e.To, by, tx.Now(), tx.MAC("entrustment", e.row(), e.parts()...))
	return err
}

// InstallEntrustments files entrustments: the set-up of a platform.
func (c *Cases) InstallEntrustments(ctx context.Context, list []Entrustment) error {
	return c.db.Update(ctx, func(tx *store.Tx) error {
		for i := range list {
			if err := putEntrustment(tx, &list[i], ""); err != nil {
				return err
			}
		}
		return nil
	})
}

func entrustments(tx *store.Tx, where string, args ...any) ([]*Entrustment, error) {
	return store.All(tx, func(r *store.Rows) (*Entrustment, error) {
		var e Entrustment
		var mac []byte
		if err := r.Scan(&e.Acceptor, &e.Unit, &e.DocNo, &e.From, &e.To, &mac); err != nil {
			return nil, err
		}
		return &e, tx.CheckMAC(mac, "entrustment", e.row(), e.parts()...)
	}, `SELECT acceptor, unit, doc_no, from_day, to_day, mac FROM entrustment `+where, args...)
}

// acceptors are the units whose clerks may open a case of the matter today.
func acceptors(tx *store.Tx, m *Matter) ([]string, error) {
	units := []string{string(m.Unit)}
	list, err := entrustments(tx, `WHERE unit = $1 ORDER BY acceptor`, m.Unit)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if e.holds(elicense.DateOf(tx.Now())) {
			units = append(units, string(e.Acceptor))
		}
	}
	return units, nil
}

// entrusted lists the units that let the unit accept for them today.
func entrusted(tx *store.Tx, acceptor elicense.UnitCode) ([]elicense.UnitCode, error) {
	list, err := entrustments(tx, `WHERE acceptor = $1 ORDER BY unit`, acceptor)
	if err != nil {
		return nil, err
	}
	var units []elicense.UnitCode
	for _, e := range list {
		if e.holds(elicense.DateOf(tx.Now())) {
			units = append(units, e.Unit)
		}
	}
	return units, nil
}

// AfterLook is a case that was withdrawn after licenses had been looked at in
// it: what a supervisor wants to see.
type AfterLook struct {
	ID      elicense.CaseID
	Number  string
	Unit    elicense.UnitCode
	Matter  string
	Clerk   elicense.AccountID
	Closed  time.Time
	Looks   int
	Objects int // holders who said it was not theirs
}

// WithdrawnAfterLook lists the cases withdrawn after a look, and those whose
// holder said "this was not me", to who supervises.
//
// Errors: Forbidden.
func (c *Cases) WithdrawnAfterLook(ctx context.Context, actor *elicense.Actor, limit int) ([]AfterLook, error) {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{Actor: actor, Act: access.RecordRead, On: access.Thing{Kind: "Record", ID: "withdrawn"},
			Note: access.Note{Detail: map[string]string{"list": "withdrawn-after-look"}}}, nil
	}
	list, _, err := access.Get(ctx, c.guard, build, func(tx *store.Tx, _ *access.Permit) ([]AfterLook, error) {
		return store.All(tx, func(r *store.Rows) (a AfterLook, err error) {
			err = r.Scan(&a.ID, &a.Number, &a.Unit, &a.Matter, &a.Clerk, &a.Closed, &a.Looks, &a.Objects)
			return a, err
		}, `SELECT k.id, k.number, k.unit, k.matter_name, k.clerk, k.closed, COUNT(*), COUNT(l.objected)
			FROM office_case k JOIN case_look l ON l.case_id = k.id
			GROUP BY k.id, k.number, k.unit, k.matter_name, k.clerk, k.closed, k.stage
			HAVING k.stage = 'withdrawn' OR COUNT(l.objected) > 0 ORDER BY k.id DESC LIMIT $1`, limit)
	})
	return list, err
}
