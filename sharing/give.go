package sharing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/calendar"
	"elicense/cases"
	"elicense/notice"
	"elicense/org"
	"elicense/store"
)

// Giving is how a clerk, or the applicant of an online case, settles a material
// that the check left open, or which of several licenses he takes.
type Giving struct {
	Way    cases.GivenWay
	Reason cases.PaperReason // of ByPaper
	// Note says what was promised. PaperWish and what is signed take the file that
	// Attach has kept for the material before.
	Note    string
	License elicense.LicenseID // of ByLicense: which of several; empty takes the best
}

const maxNote = 300

// Give settles a material of a case (Art. 12). Paper instead of a license that
// the platform could have needs a reason, which is checked: a missing or wrong
// license must have been reported, a failure must stand in the record, a legal
// original needs its basis, and the applicant's wish his signature.
//
// Errors: Invalid; Forbidden; NotFound; Conflict, saying what the reason lacks.
func (s *Sharing) Give(ctx context.Context, actor *elicense.Actor, id elicense.CaseID, place int, g Giving) error {
	act := access.CaseMove
	if actor.Kind == elicense.Holder {
		act = access.CaseOwnMove
	}
	g.Note = strings.TrimSpace(g.Note)
	if utf8.RuneCountInString(g.Note) > maxNote {
		return elicense.E(elicense.Invalid, "说明最多%d个字", maxNote).At("note")
	}
	detail := map[string]string{"act": "give", "place": strconv.Itoa(place), "way": string(g.Way), "reason": string(g.Reason)}
	return s.guard.Write(ctx, s.caseRequest(actor, act, id, detail), func(tx *store.Tx, p *access.Permit) error {
		k, m, err := cases.Find(tx, id)
		if err != nil {
			return err
		}
		switch {
		case place < 0 || place >= len(m.Materials) || !m.Materials[place].Asked(k.Facts):
			return elicense.E(elicense.NotFound, "材料清单里没有这一项").At("place")
		case k.Stage.Ended():
			return elicense.E(elicense.Conflict, "办件现在是“%s”，不能再改材料", k.Stage.Chinese())
		case act == access.CaseOwnMove && k.Stage != cases.Filling && k.Stage != cases.Correcting:
			return elicense.E(elicense.Conflict, "申请已经提交，不能再改材料").Then("要改的，请撤回后重新申请，或等窗口通知补正")
		}
		mat := &m.Materials[place]
		out := &cases.Given{Place: place, Way: g.Way, By: actor.Account, Could: len(mat.Types) > 0 && mat.Way != cases.Original}
		out.Note = g.Note
		before, err := cases.GivenOf(tx, id)
		if err != nil {
			return err
		}
		if b := before[place]; b != nil { // a signature stays with what it signs
			out.File, out.Digest, out.Name, out.Kind = b.File, b.Digest, b.Name, b.Kind
		}
		switch g.Way {
		case cases.ByLicense:
			err = s.giveLicense(tx, actor, k, m, mat, g.License, out, p)
		case cases.ByPaper:
			err = s.givePaper(tx, actor, k, m, mat, g.Reason, out)
		case cases.LaterWay:
			if mat.Later == 0 {
				err = elicense.E(elicense.Conflict, "“%s”不能容缺", mat.Name).Then("请按清单提供，或请事项管理员修改清单")
				break
			}
			out.Due, err = calendar.Within(tx, tx.Now(), mat.Later)
		case cases.ByPromise:
			switch {
			case !mat.Promise:
				err = elicense.E(elicense.Conflict, "“%s”不能用告知承诺", mat.Name).Then("请按清单提供，或请事项管理员修改清单")
			case g.Note == "":
				err = elicense.E(elicense.Invalid, "要写明承诺的内容").At("note")
			}
		case cases.ByForm:
			if mat.Way != cases.Form {
				err = elicense.E(elicense.Invalid, "这项材料不是填表的").At("way")
			}
		default:
			err = elicense.E(elicense.Invalid, "没有这种提供方式").At("way")
		}
		if err != nil {
			return err
		}
		return cases.PutGiven(tx, k, out)
	})
}

// giveLicense takes one of the licenses that meet the material. The applicant's
// choice is his agreement as well.
func (s *Sharing) giveLicense(tx *store.Tx, actor *elicense.Actor, k *cases.Case, m *cases.Matter, mat *cases.Material, which elicense.LicenseID, out *cases.Given, p *access.Permit) error {
	own := actor.Kind == elicense.Holder
	for _, typ := range mat.Types {
		for _, party := range k.Parties {
			if own && party.Holder != actor.Holder {
				continue
			}
			lics, err := tx.LicensesOf(party.Holder, typ)
			if err != nil {
				return unreadable(err)
			}
			for _, l := range lics {
				if which != "" && l.ID != which || !l.StatusAt(s.now()).Usable() {
					continue
				}
				if e, word := m.EffectOf(l.Standing.Overlays); e == cases.Block {
					return elicense.E(elicense.NotInForce, "证照%s，本事项不能办理", word).Then("请先到签发单位解除，或办理别的事项")
				}
				if own {
					if err := putAgreement(tx, k, party.Holder, typ, agreed, actor.Account); err != nil {
						return err
					}
				} else {
					facts, err := s.circumstances(tx, k).of(typ, party.Holder, nil, false)
					if err != nil {
						return err
					}
					if err := s.guard.Ask(actor, access.CaseUse, cases.Thing(k, m), facts); err != nil {
						return err
					}
				}
				out.License, out.Version, out.Party = l.ID, l.Standing.Version, party.Place
				p.Note.License, p.Note.LicenseType, p.Note.Holder = l.ID, l.Type, party.Holder
				return nil
			}
		}
	}
	return elicense.E(elicense.NotFound, "没有可用的%s", mat.Name).Then("请上传，或登记缺证由签发单位补发")
}

// failureWindow is how old a failure in the record may be to be the reason for
// paper.
const failureWindow = 24 * time.Hour

func (s *Sharing) givePaper(tx *store.Tx, actor *elicense.Actor, k *cases.Case, m *cases.Matter, mat *cases.Material, r cases.PaperReason, out *cases.Given) error {
	lacks := func(text, next string) error {
		return elicense.E(elicense.Conflict, "%s", text).At("reason").Under("第十二条").Then(next)
	}
	out.Reason = r
	switch r {
	case cases.PaperMissing, cases.PaperWrong:
		var n int
		err := tx.Row(`SELECT COUNT(*) FROM quality_ticket WHERE case_id = $1 AND kind = $2`, k.ID, string(r)).Scan(&n)
		if err != nil {
			return err
		}
		if n == 0 {
			return lacks("还没有登记"+r.Chinese()+"，不能以此收取纸质", "请先按“登记"+r.Chinese()+"”，签发单位会收到")
		}
	case cases.PaperFailure:
		failed, err := s.failed(tx, k, mat)
		if err != nil {
			return err
		}
		if !failed {
			return lacks("近24小时的记录里，这个办件没有遇到系统故障", "请刷新再查一次；确实查不到的会留下记录，就可以选这个理由")
		}
	case cases.PaperLegal:
		b := mat.Basis
		if b == "" {
			b = m.Presence
		}
		if b == "" {
			return lacks("材料清单没有写明要求原件的法定依据", "没有法律、法规、规章的依据，不能要求纸质原件")
		}
		basis, err := cases.BasisOf(tx, b)
		if err != nil {
			return err
		}
		if !basis.Holds(elicense.DateOf(s.now())) {
			return lacks(basis.Title+basis.Article+"已失效，不能再据以要求原件", "请按免提交办理，并告知事项管理员")
		}
		out.Basis = b
	case cases.PaperWish:
		if out.File == "" && actor.Kind != elicense.Holder {
			return lacks("申请人自愿交纸质，要有他的签名", "请申请人在屏幕上签名，或由他在手机上确认")
		}
	default:
		return elicense.E(elicense.Invalid, "收取纸质要选一个理由").At("reason").Under("第十二条").Then("缺证、错证、系统故障、法定原件、申请人自愿，选一项")
	}
	return nil
}

// failed tells whether the record shows that a license could not be read for the
// case, or whether a source of the material is silent.
func (s *Sharing) failed(tx *store.Tx, k *cases.Case, mat *cases.Material) (bool, error) {
	list, _, err := tx.Records(store.ByCase, string(k.ID), store.Page{}, 200)
	if err != nil {
		return false, err
	}
	for _, r := range list {
		if s.now().Sub(r.Time) < failureWindow && r.Outcome == store.Refused && r.Detail["kind"] == elicense.Unavailable.String() {
			return true, nil
		}
	}
	for _, typ := range mat.Types {
		for _, party := range k.Parties {
			lics, err := tx.LicensesOf(party.Holder, typ)
			if err != nil {
				return true, nil // that it can't be read is what was asked
			}
			for _, l := range lics {
				f, err := s.found(tx, l)
				if err != nil || f.Stale {
					return true, nil
				}
			}
		}
	}
	return false, nil
}

// TicketKind is what a quality ticket reports.
type TicketKind string

// The kinds.
const (
	LicenseMissing TicketKind = "missing" // 缺证
	LicenseWrong   TicketKind = "wrong"   // 错证
)

// Report is a license the window found missing or wrong (Art. 12).
type Report struct {
	Kind  TicketKind
	Place int
	Party int
	Type  elicense.TypeCode // empty takes the material's first
	Note  string            // what is wrong; may be empty for missing
}

type reportContent struct {
	Material string `json:"material"`
	Note     string `json:"note"`
}

// Report files a quality ticket to the issuing unit: prefilled by the case, so
// that one key is enough. The ticket names the case and the holder, not what the
// license says.
//
// Errors: Forbidden; NotFound; Invalid for a wrong license without a note.
func (s *Sharing) Report(ctx context.Context, actor *elicense.Actor, id elicense.CaseID, r Report) (ticket string, err error) {
	r.Note = strings.TrimSpace(r.Note)
	switch {
	case r.Kind != LicenseMissing && r.Kind != LicenseWrong:
		return "", elicense.E(elicense.Invalid, "要说明是缺证还是错证").At("kind")
	case utf8.RuneCountInString(r.Note) > maxNote:
		return "", elicense.E(elicense.Invalid, "说明最多%d个字", maxNote).At("note")
	case r.Kind == LicenseWrong && r.Note == "":
		return "", elicense.E(elicense.Invalid, "要写明证照哪里不对").At("note")
	}
	detail := map[string]string{"act": "report", "kind": string(r.Kind), "place": strconv.Itoa(r.Place)}
	err = s.guard.Write(ctx, s.caseRequest(actor, access.CaseMove, id, detail), func(tx *store.Tx, p *access.Permit) error {
		k, m, err := cases.Find(tx, id)
		if err != nil {
			return err
		}
		if r.Place < 0 || r.Place >= len(m.Materials) || r.Party < 0 || r.Party >= len(k.Parties) || len(m.Materials[r.Place].Types) == 0 {
			return elicense.E(elicense.NotFound, "材料清单里没有这一项").At("place")
		}
		mat := &m.Materials[r.Place]
		typ := r.Type
		if typ == "" {
			typ = mat.Types[0]
		}
		if !slices.Contains(mat.Types, typ) {
			return elicense.E(elicense.NotFound, "这项材料不由这类证照满足").At("type")
		}
		t, err := s.circumstances(tx, k).typeOf(typ)
		if err != nil || t == nil {
			return err
		}
		holder := k.Parties[r.Party].Holder
		issuer, license := elicense.UnitCode(""), elicense.LicenseID("")
		if len(t.Issuers) > 0 {
			issuer = t.Issuers[0]
		}
		lics, err := tx.LicensesOf(holder, typ)
		if err != nil {
			return unreadable(err)
		}
		if len(lics) > 0 {
			issuer, license = lics[0].Issuer, lics[0].ID
		}
		ticket = elicense.NewID[string](tx.Now())
		p.Note.LicenseType, p.Note.Holder = typ, holder
		p.Note.Detail = map[string]string{"act": "report", "kind": string(r.Kind), "ticket": ticket}
		content, err := json.Marshal(reportContent{mat.Name, r.Note})
		if err != nil {
			return fmt.Errorf("ticket: %w", err)
		}
		_, err = tx.Exec(`INSERT INTO quality_ticket (id, kind, state, unit, issuer, type, holder_key, license, case_id, account, opened, content_enc, mac)
			VALUES ($1, $2, 'open', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
			ticket, r.Kind, k.Unit, issuer, typ, holder, license, id, actor.Account, tx.Now(), tx.Encrypt("quality_ticket", ticket, "content_enc", content),
			tx.MAC("quality_ticket", ticket, []byte(r.Kind), []byte("open"), []byte(k.Unit), []byte(issuer), []byte(typ), []byte(holder), []byte(license), []byte(id), content))
		if err != nil {
			return err
		}
		return org.Tell(tx, issuer, []elicense.Duty{elicense.DutyDraft}, func(to elicense.AccountID) error {
			return notice.Send(tx, notice.AccountInbox(to), notice.Notice{
				Kind: "quality", Text: "%s登记%s：%s（办件%s）", Args: []string{actor.UnitName, map[TicketKind]string{LicenseMissing: "缺证", LicenseWrong: "错证"}[r.Kind], t.Name, k.Number}, Link: "/issue/tickets",
			})
		})
	})
	return ticket, err
}

// Ticket is a quality ticket as lists show it.
type Ticket struct {
	ID       string
	Kind     TicketKind
	State    string
	Unit     elicense.UnitCode // who reported
	UnitName string
	Issuer   elicense.UnitCode
	Type     elicense.TypeCode
	Case     elicense.CaseID
	Opened   time.Time
	Material string
	Note     string
}

// Tickets lists the quality tickets to an issuing unit, the newest first.
//
// Errors: Forbidden to who has no issuing duty.
func (s *Sharing) Tickets(ctx context.Context, actor *elicense.Actor, limit int) ([]Ticket, error) {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{Actor: actor, Act: access.LicenseIssued, On: access.Thing{Kind: "License", ID: "tickets", Attr: access.Attr{"issuer": string(actor.Unit)}},
			Note: access.Note{Detail: map[string]string{"act": "tickets"}}}, nil
	}
	list, _, err := access.Get(ctx, s.guard, build, func(tx *store.Tx, _ *access.Permit) ([]Ticket, error) {
		list, err := tickets(tx, `WHERE issuer = $1 ORDER BY id DESC LIMIT $2`, actor.Unit, limit)
		for i := range list {
			list[i].UnitName = s.unitName(tx, list[i].Unit)
		}
		return list, err
	})
	return list, err
}

func tickets(tx *store.Tx, where string, args ...any) ([]Ticket, error) {
	return store.All(tx, func(r *store.Rows) (t Ticket, err error) {
		var holder elicense.HolderKey
		var license elicense.LicenseID
		var b, mac []byte
		if err := r.Scan(&t.ID, &t.Kind, &t.State, &t.Unit, &t.Issuer, &t.Type, &holder, &license, &t.Case, &t.Opened, &b, &mac); err != nil {
			return t, err
		}
		if b, err = tx.Decrypt("quality_ticket", t.ID, "content_enc", b); err != nil {
			return t, err
		}
		var c reportContent
		if err := json.Unmarshal(b, &c); err != nil {
			return t, fmt.Errorf("ticket %s: %w", t.ID, err)
		}
		t.Material, t.Note = c.Material, c.Note
		return t, tx.CheckMAC(mac, "quality_ticket", t.ID, []byte(t.Kind), []byte(t.State), []byte(t.Unit), []byte(t.Issuer), []byte(t.Type), []byte(holder), []byte(license), []byte(t.Case), b)
	}, `SELECT id, kind, state, unit, issuer, type, holder_key, license, case_id, opened, content_enc, mac FROM quality_ticket `+where, args...)
}

// Accept accepts a case (受理) with a note of how each material was met: those the
// platform had are written down with the license and version relied on, and what
// is still open refuses.
//
// Errors: Forbidden; Conflict naming the material that is open.
func (s *Sharing) Accept(ctx context.Context, c *cases.Cases, actor *elicense.Actor, id elicense.CaseID) (*cases.Case, error) {
	var k *cases.Case
	err := s.guard.Write(ctx, s.caseRequest(actor, access.CaseMove, id, map[string]string{"move": string(cases.Accept)}), func(tx *store.Tx, _ *access.Permit) error {
		var m *cases.Matter
		var err error
		if k, m, err = cases.Find(tx, id); err != nil {
			return err
		}
		list, err := s.materials(tx, s.circumstances(tx, k), m, func(c *circumstances, t elicense.TypeCode, h elicense.HolderKey) error {
			facts, err := c.of(t, h, nil, false)
			if err != nil {
				return err
			}
			return s.guard.Ask(actor, access.CaseUse, cases.Thing(k, m), facts)
		})
		if err != nil {
			return err
		}
		for i := range list {
			st := &list[i]
			if !st.Met() && (len(st.Material.Types) > 0 || st.Material.Way == cases.Upload || st.Material.Way == cases.Original) {
				return elicense.E(elicense.Conflict, "“%s”还没有解决：%s", st.Material.Name, st.Why).At("materials." + strconv.Itoa(st.Place+1)).Under("第十二条").
					Then("请上传、登记缺证、容缺受理，或选一个理由收取纸质")
			}
			if st.Given != nil || st.Need != Have && st.Need != Look {
				continue
			}
			best := &st.Licenses[0]
			g := &cases.Given{Place: st.Place, Way: cases.ByLicense, By: actor.Account, Could: true}
			g.License, g.Version, g.Party = best.Key, best.version, best.Party
			if err := cases.PutGiven(tx, k, g); err != nil {
				return err
			}
		}
		return c.ApplyMove(tx, actor, k, cases.Accept, cases.Doing{})
	})
	return k, err
}

// ReportedMissing counts the open reports that a holder's license of a type at the issuing
// unit was not to be found (缺证): who catches up with paper begins there (Art. 8).
func ReportedMissing(tx *store.Tx, issuer elicense.UnitCode, t elicense.TypeCode, holder elicense.HolderKey) (n int, err error) {
	err = tx.Row(`SELECT COUNT(*) FROM quality_ticket WHERE issuer = $1 AND type = $2 AND holder_key = $3 AND kind = $4 AND state = 'open'`,
		issuer, t, holder, LicenseMissing).Scan(&n)
	return n, err
}
