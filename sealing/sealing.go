// Package sealing keeps the register of electronic seals (电子印章): who applied
// for one, how it was made and filed, when it may be used, and every use of it;
// and what certificates and time stamps are judged by.
//
// A seal goes through 申请, 制作, 备案, 启用, 停用 and 注销 (国办发〔2025〕33号,
// 闽发改规〔2024〕12号): a unit applies, the administration, never the same person,
// makes or imports, files, enables. Whoever is responsible may stop it at once.
// A license sealed while it was enabled stays valid after it was cancelled.
//
// Keys are held by a Keeper: the encrypted key store of a demo, or a remote
// sealing service. The register never sees a private key.
package sealing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"elicense"
	"elicense/access"
	"elicense/gm"
	"elicense/org"
	"elicense/seal"
	"elicense/store"
)

// Keeper holds sealing keys that can be used but not taken out.
type Keeper interface {
	// Open returns a key by its name; gm.ErrNoKey if there is none.
	Open(name string) (gm.Signer, error)
	// Create makes a new key of the name.
	Create(name string) (gm.Signer, error)
}

// Register is the seal register. Its methods are safe for concurrent use.
type Register struct {
	DB    *store.DB
	Guard *access.Guard
	Keys  Keeper
	Now   func() time.Time
	// Draw makes the picture of a unit's seal, an OFD package of one page, and
	// tells its width and height in mm. Nil where there are no fonts.
	Draw func(unit, line string) (picture []byte, w, h int, err error)
	// Outside is the time authority seals are stamped by; nil takes the
	// platform's own.
	Outside gm.TimeStamper

	authority atomic.Pointer[gm.TimeAuthority] // the platform's own, once opened
}

// State is where a seal stands.
type State string

// The states of a seal.
const (
	Applied   State = "applied"   // 申请
	Refused   State = "refused"   // 不同意
	Made      State = "made"      // 制作
	Filed     State = "filed"     // 备案
	Enabled   State = "enabled"   // 启用
	Disabled  State = "disabled"  // 停用
	Cancelled State = "cancelled" // 注销
)

var stateWords = map[State]string{
	Applied: "待制作", Refused: "不同意制作", Made: "已制作", Filed: "已备案", Enabled: "启用", Disabled: "停用", Cancelled: "已注销",
}

// Chinese returns the word shown to people.
func (s State) Chinese() string { return stateWords[s] }

// next lists the states a seal may go to from each.
var next = map[State][]State{
	Applied: {Refused, Made}, Made: {Filed, Cancelled}, Filed: {Enabled, Cancelled},
	Enabled: {Disabled, Cancelled}, Disabled: {Enabled, Cancelled},
}

// Next lists the states a seal may go to.
func (s State) Next() []State { return next[s] }

func (s State) may(to State) bool {
	for _, n := range next[s] {
		if n == to {
			return true
		}
	}
	return false
}

// The sources of seals.
const (
	Ours     = "ours"     // made by the platform's own demo authority
	Imported = "imported" // made by the province's seal system
)

// Seal is an entry of the register.
type Seal struct {
	ID        elicense.SealID
	Unit      elicense.UnitCode
	Name      string
	Line      string // the words of a special-purpose seal (专用章)
	Key       string // its name with the keeper
	Cert      []byte // DER; empty before it was made
	Content   []byte // GB/T 38540 SESeal, DER; empty before it was made
	State     State
	Source    string
	ValidTo   time.Time
	Applicant elicense.PersonID
	Remark    string
	Created   time.Time
	seq       int64
}

func (s *Seal) parts() [][]byte {
	list := [][]byte{
		[]byte(s.Unit), []byte(s.Name), []byte(s.Key), s.Cert, s.Content, []byte(s.State), []byte(strconv.FormatInt(s.ValidTo.UnixMicro(), 10)),
	}
	if s.seq > 0 { // entries from before the course of a seal was kept have none of these
		list = append(list, []byte(s.Line), []byte(s.Source), []byte(s.Applicant), []byte(s.Remark), []byte(strconv.FormatInt(s.seq, 10)))
	}
	return list
}

// Application is what a unit asks for.
type Application struct {
	Name string // of the seal; the unit's own name if empty
	Line string // the words of a special-purpose seal, such as 电子证照专用章
}

const maxName = 30 // characters around a seal

// Apply asks for a seal of the actor's unit.
//
// Errors: Invalid, Forbidden.
func (r *Register) Apply(ctx context.Context, actor *elicense.Actor, a Application) (*Seal, error) {
	a.Name, a.Line = strings.TrimSpace(a.Name), strings.TrimSpace(a.Line)
	var made *Seal
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.SealApply, On: access.Thing{Kind: "Seal", Attr: access.Attr{"unit": string(actor.Unit)}},
		}, nil
	}
	err := r.Guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		if n := len([]rune(a.Name)); n > maxName {
			return elicense.E(elicense.Invalid, "印章名称最多%d个字", maxName).At("name")
		}
		if n := len([]rune(a.Line)); n > 12 {
			return elicense.E(elicense.Invalid, "专用章的用途最多%d个字", 12).At("line")
		}
		u, err := org.UnitOf(tx, actor.Unit)
		if err != nil {
			return err
		}
		made = &Seal{
			ID: elicense.NewID[elicense.SealID](tx.Now()), Unit: actor.Unit, Name: a.Name, Line: a.Line, State: Applied, Source: Ours,
			Applicant: actor.Person, Created: tx.Now(), ValidTo: tx.Now(),
		}
		if made.Name == "" {
			made.Name = u.Name
		}
		p.Note.Detail = map[string]string{"seal": string(made.ID)}
		if err := insert(tx, made); err != nil {
			return err
		}
		return happen(tx, actor, made)
	})
	return made, err
}

// Make makes a seal that was applied for: its key with the keeper, its
// certificate from the platform's own authority, its picture. It is for a demo
// or a unit without a seal system of its own; others are imported.
//
// Errors: Forbidden, NotFound, Conflict; Unavailable without fonts.
func (r *Register) Make(ctx context.Context, actor *elicense.Actor, id elicense.SealID) error {
	if r.Draw == nil {
		return elicense.E(elicense.Unavailable, "字体缺失：这台机器没有中文字体，不能制作印章").Then("请管理员安装字体后重启")
	}
	var made Seal
	entry, unit, err := r.read(ctx, id)
	if err != nil && !elicense.IsKind(err, elicense.NotFound) {
		return err
	}
	// A key is made for nobody the law refuses; change decides again, records, and
	// says what is wrong with the rest.
	if err == nil && entry.State == Applied && r.Guard.Ask(actor, access.SealManage, thing(id, entry), nil) == nil {
		made = *entry
		if err := r.make(ctx, &made, unit); err != nil {
			return fmt.Errorf("make seal %s: %w", id, err)
		}
	}
	return r.change(ctx, actor, access.SealManage, id, Made, "", func(e *Seal) error {
		if made.Content == nil {
			return elicense.E(elicense.Conflict, "印章刚被改动，没有办成").Then("请刷新后核对")
		}
		e.Key, e.Cert, e.Content, e.ValidTo = made.Key, made.Cert, made.Content, made.ValidTo
		return nil
	})
}

// Move takes a seal a step on its course: to Refused, Filed, Enabled, Disabled or
// Cancelled. Disabling and cancelling are open to the unit too. A cancelled
// seal's certificate, if the platform's own authority issued it, is revoked from
// now on.
//
// Errors: Invalid without a remark where one is due; Forbidden; NotFound;
// Conflict.
func (r *Register) Move(ctx context.Context, actor *elicense.Actor, id elicense.SealID, to State, remark string) error {
	remark = strings.TrimSpace(remark)
	act := access.SealManage
	if to == Disabled || to == Cancelled {
		act = access.SealStop
	}
	return r.change(ctx, actor, act, id, to, remark, func(e *Seal) error {
		if remark == "" && (to == Refused || to == Disabled || to == Cancelled) {
			return elicense.E(elicense.Invalid, "要写明原因").At("remark").Then("请填写原因再提交")
		}
		if to == Made {
			return elicense.E(elicense.Invalid, "印章要由制作或导入产生").At("state")
		}
		if to == Enabled {
			if _, err := r.usable(e); err != nil {
				return err
			}
		}
		return nil
	})
}

func errState(s State) error {
	return elicense.E(elicense.Conflict, "印章现在是“%s”，不能这样办理", s.Chinese()).Then("请刷新后核对")
}

// thing is a seal as the law text sees it; an empty entry stands for one that is
// not there.
func thing(id elicense.SealID, e *Seal) access.Thing {
	return access.Thing{Kind: "Seal", ID: string(id), Attr: access.Attr{"unit": string(e.Unit), "applicant": string(e.Applicant)}}
}

// noted is what the record says of a step: what has not the form of a seal's number
// or is no state was typed, and may be anything.
func noted(id elicense.SealID, to State) map[string]string {
	detail := map[string]string{}
	if elicense.ValidID(id) {
		detail["seal"] = string(id)
	}
	if stateWords[to] != "" {
		detail["state"] = string(to)
	}
	return detail
}

// change moves a seal to a state under the Guard.
func (r *Register) change(ctx context.Context, actor *elicense.Actor, act access.Act, id elicense.SealID, to State, remark string, edit func(*Seal) error) error {
	build := func(tx *store.Tx) (access.Request, error) {
		e, err := of(tx, id)
		if elicense.IsKind(err, elicense.NotFound) {
			e, err = &Seal{}, nil
		}
		if err != nil {
			return access.Request{}, err
		}
		return access.Request{
			Actor: actor, Act: act, On: thing(id, e), Note: access.Note{Detail: noted(id, to)},
		}, nil
	}
	return r.Guard.Write(ctx, build, func(tx *store.Tx, _ *access.Permit) error {
		e, err := of(tx, id)
		if err != nil {
			return err
		}
		if !e.State.may(to) {
			return errState(e.State)
		}
		if err := edit(e); err != nil {
			return err
		}
		e.State, e.Remark = to, remark
		if to == Cancelled && e.Source == Ours && len(e.Cert) > 0 {
			if err := revoke(tx, e.Cert, gm.ReasonCessation); err != nil {
				return err
			}
		}
		if err := update(tx, e); err != nil {
			return err
		}
		return happen(tx, actor, e)
	})
}

// Import takes in a seal that was made elsewhere, as a GB/T 38540 file, for a
// unit whose signing key a keeper holds under the name key.
//
// Errors: Invalid with the reason the file can't be registered; TooLarge;
// Forbidden.
func (r *Register) Import(ctx context.Context, actor *elicense.Actor, unit elicense.UnitCode, file []byte, key string) (*Seal, error) {
	on := access.Thing{Kind: "Seal", Attr: access.Attr{"unit": string(unit), "applicant": ""}}
	var made *Seal
	var number string
	var wrong error
	if r.Guard.Ask(actor, access.SealManage, on, nil) == nil { // the keeper is asked for nobody the law refuses
		made, number, wrong = r.imported(ctx, unit, file, key)
	}
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{Actor: actor, Act: access.SealManage, On: on, Note: access.Note{Detail: map[string]string{"import": number}}}, nil
	}
	err := r.Guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		if wrong != nil {
			return wrong
		}
		if _, err := org.UnitOf(tx, unit); err != nil {
			return err
		}
		made.ID, made.Created = elicense.NewID[elicense.SealID](tx.Now()), tx.Now()
		p.Note.Detail["seal"] = string(made.ID)
		if err := insert(tx, made); err != nil {
			return err
		}
		return happen(tx, actor, made)
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// imported judges a seal's file and makes its entry; number is what the file
// calls the seal.
func (r *Register) imported(ctx context.Context, unit elicense.UnitCode, file []byte, key string) (made *Seal, number string, err error) {
	bad := func(cause error, text string, args ...any) error {
		return elicense.E(elicense.Invalid, text, args...).At("file").Then("请从制章系统重新导出印章文件").Because(cause)
	}
	if err := sized(file); err != nil {
		return nil, "", err
	}
	s, err := seal.Parse(file)
	if err != nil {
		return nil, "", bad(err, "文件不是符合 GB/T 38540 的印章")
	}
	trust, err := r.Trust(ctx)
	if err != nil {
		return nil, "", err
	}
	if problem := r.foreign(s, trust); problem != "" {
		return nil, "", bad(nil, "%s", problem)
	}
	signer, err := r.Keys.Open(key)
	if err != nil {
		return nil, "", elicense.E(elicense.Invalid, "密钥保管方没有这个密钥").At("key").Because(err)
	}
	cert := certificateOf(s, signer)
	if cert == nil {
		return nil, "", elicense.E(elicense.Invalid, "印章列明的用章人证书都不是这个密钥的").At("key").Then("请核对密钥名称，或请制章系统列入本单位的证书")
	}
	made = &Seal{Unit: unit, Name: s.Name, Key: key, Cert: cert.DER, Content: file, State: Made, Source: Imported, ValidTo: s.To}
	if _, to := cert.Validity(); to.Before(made.ValidTo) {
		made.ValidTo = to
	}
	return made, s.ID, nil
}

// sized refuses a file that was not sent or is larger than MaxImport.
func sized(file []byte) error {
	switch {
	case len(file) == 0:
		return elicense.E(elicense.Invalid, "要选择文件").At("file")
	case len(file) > MaxImport:
		return elicense.E(elicense.TooLarge, "文件过大，最多%d KB", MaxImport>>10).At("file").Then("请核对是不是选错了文件")
	}
	return nil
}

// foreign says in Chinese why a seal made elsewhere can't be registered; "" if it
// can.
func (r *Register) foreign(s *seal.Seal, trust *gm.Trust) string {
	switch {
	case s.Version < 4:
		return "印章是旧版（GM/T 0031-2014），不能用于签章"
	case !s.Genuine():
		return "印章的制章人签名不成立"
	case len(s.Certificates) == 0:
		return "印章没有列明用章人的证书"
	case !s.ValidAt(r.Now()):
		return "印章现在不在有效期内"
	}
	if _, err := trust.Check(s.Maker, s.Created, gm.UsageSign); err != nil {
		return "制章人证书不可信：请先导入制章系统的根证书"
	}
	if _, err := s.Sheet(); err != nil {
		return "印章的图形画不出来"
	}
	return ""
}

func certificateOf(s *seal.Seal, key gm.Signer) *gm.Certificate {
	for _, der := range s.Certificates {
		if c, err := gm.ParseCertificate(der); err == nil && c.Key.Equal(key.Public()) {
			return c
		}
	}
	return nil
}

// Event is one step of a seal's course.
type Event struct {
	State    State
	Name     string // of who did it
	Remark   string
	Happened time.Time
}

// Details is a seal with its course and its latest uses.
type Details struct {
	*Seal
	Events []Event
	Uses   []*Use
	Count  int // of all uses
}

// Details reads a seal for the administration, the auditors or its own unit.
//
// Errors: Forbidden, NotFound.
func (r *Register) Details(ctx context.Context, actor *elicense.Actor, id elicense.SealID) (*Details, error) {
	build := func(tx *store.Tx) (access.Request, error) {
		unit := ""
		e, err := of(tx, id)
		if err == nil {
			unit = string(e.Unit)
		} else if !elicense.IsKind(err, elicense.NotFound) {
			return access.Request{}, err
		}
		return access.Request{Actor: actor, Act: access.SealRead, On: access.Thing{Kind: "Seal", ID: string(id), Attr: access.Attr{"unit": unit}}}, nil
	}
	d, _, err := access.Get(ctx, r.Guard, build, func(tx *store.Tx, _ *access.Permit) (*Details, error) {
		e, err := of(tx, id)
		if err != nil {
			return nil, err
		}
		d := &Details{Seal: e}
		if d.Events, err = events(tx, id); err != nil {
			return nil, err
		}
		if err := tx.Row(`SELECT COUNT(*) FROM key_use WHERE seal = $1`, id).Scan(&d.Count); err != nil {
			return nil, err
		}
		d.Uses, err = uses(tx, `WHERE seal = $1 ORDER BY started DESC LIMIT 50`, id)
		return d, err
	})
	return d, err
}

func (r *Register) read(ctx context.Context, id elicense.SealID) (e *Seal, u *org.Unit, err error) {
	err = r.DB.View(ctx, func(tx *store.Tx) error {
		if e, err = of(tx, id); err == nil {
			u, err = org.UnitOf(tx, e.Unit)
		}
		return err
	})
	return e, u, err
}

// InHand is a seal ready for use.
type InHand struct {
	ID     elicense.SealID
	Seal   *seal.Seal
	Signer gm.Signer
	Cert   *gm.Certificate
}

// InHand returns the enabled seal of a unit that suits the purpose best, ready for use: the seal and its
// certificate are valid now, the certificate is not revoked and named by the
// seal, and the keeper has its key.
//
// Errors: NotFound if it has none; Unavailable if it can't be used, with why.
func (r *Register) InHand(ctx context.Context, unit elicense.UnitCode, purpose string) (*InHand, error) {
	var list []*Seal
	err := r.DB.View(ctx, func(tx *store.Tx) (err error) {
		list, err = seals(tx, `WHERE unit = $1 AND state = $2 ORDER BY created DESC`, unit, Enabled)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, elicense.E(elicense.NotFound, "本单位没有启用的电子印章，不能签章").Then("请联系管理部门制发电子印章")
	}
	var first error
	slices.SortStableFunc(list, func(a, b *Seal) int { return cmp.Compare(suits(b, purpose), suits(a, purpose)) })
	for _, e := range list { // a renewed seal stands beside the old one until that has run out
		h, err := r.usable(e)
		if err == nil {
			err = r.notRevoked(ctx, h.Cert)
		}
		if err == nil {
			return h, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// The words of seals for one purpose (专用章).
const (
	ForLicenses = "电子证照专用章"
	ForNotices  = "行政许可专用章"
)

// suits tells how well a seal suits a purpose: one made for it before the unit's
// own seal, and that before one made for something else.
func suits(s *Seal, purpose string) int {
	switch s.Line {
	case purpose:
		return 2
	case "":
		return 1
	}
	return 0
}

// usable opens a seal and sees that it could seal now.
func (r *Register) usable(e *Seal) (*InHand, error) {
	stop := func(cause error, text string) error {
		return elicense.E(elicense.Unavailable, "%s", text).Then("请联系管理部门换发").Because(cause)
	}
	h := &InHand{ID: e.ID}
	var err error
	if h.Seal, err = seal.Parse(e.Content); err != nil {
		return nil, fmt.Errorf("seal %s: %w", e.ID, err)
	}
	if h.Cert, err = gm.ParseCertificate(e.Cert); err != nil {
		return nil, fmt.Errorf("seal %s: %w", e.ID, err)
	}
	now := r.Now()
	switch err := h.Cert.CheckUse(now, gm.UsageSign); {
	case !h.Seal.ValidAt(now) || errors.Is(err, gm.ErrExpired) || errors.Is(err, gm.ErrNotYetValid):
		return nil, stop(err, "本单位的电子印章或其证书不在有效期内，不能签章")
	case err != nil:
		return nil, stop(err, "本单位的签章证书不能用于签章")
	case !h.Seal.Authorizes(h.Cert):
		return nil, stop(nil, "印章没有列明本单位的证书，不能签章")
	}
	if h.Signer, err = r.Keys.Open(e.Key); err != nil {
		return nil, elicense.E(elicense.Unavailable, "密钥保管方现在打不开签章密钥，不能签章").Then("会自动再试；仍不行请联系管理员").Because(err)
	}
	if !h.Cert.Key.Equal(h.Signer.Public()) {
		return nil, stop(nil, "签章密钥与证书不符，不能签章")
	}
	return h, nil
}

// All lists the register, of one unit if unit is given.
func (r *Register) All(ctx context.Context, unit elicense.UnitCode) (list []*Seal, err error) {
	err = r.DB.View(ctx, func(tx *store.Tx) error {
		list, err = seals(tx, `WHERE ($1 = '' OR unit = $2) ORDER BY unit, created`, unit, unit)
		return err
	})
	return list, err
}

// SoonestEnd returns when the first enabled seal runs out; zero if there is none.
func (r *Register) SoonestEnd(ctx context.Context) (end time.Time, err error) {
	err = r.DB.View(ctx, func(tx *store.Tx) error {
		return tx.Row(`SELECT MIN(valid_to) FROM seal WHERE state = $1`, Enabled).Scan(&end)
	})
	return end, err
}
