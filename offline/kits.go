package offline

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/gm"
	"elicense/issuance"
	"elicense/jobs"
	"elicense/org"
	"elicense/sealing"
	"elicense/store"
	"elicense/verification"
)

// Config is what Kits needs; all of it is required.
type Config struct {
	DB     *store.DB
	Guard  *access.Guard
	Seals  *sealing.Register
	Issuer *issuance.Issuer
	Jobs   *jobs.Queue
	// Fonts returns the fonts faces are set in; ErrNoFonts of package sheet without.
	Fonts func() ([]Font, error)
	// Trust tells what the seals in packages are judged by.
	Trust    verification.Trust
	Now      func() time.Time
	Platform string // its name
	// Stretch says how much work each guess at a PIN is; nil is gm.NewStretch.
	Stretch func() gm.Stretch
}

// Kits is the platform's side: it gives kits out and takes packages in.
type Kits struct {
	Config
}

// New returns the kits of a platform and lets them work the queue's imports.
func New(c Config) *Kits {
	if c.Stretch == nil {
		c.Stretch = gm.NewStretch
	}
	k := &Kits{c}
	c.Jobs.Handle(importJob, k.take)
	return k
}

// State is where a kit stands.
type State string

// The states of a kit. Ready, InUse and Expired follow from the time and from what
// came back.
const (
	Ordered   State = "ordered"   // 待确认: the second officer has not confirmed it
	Ready     State = "ready"     // 已导出
	InUse     State = "in-use"    // 使用中: a package came back
	Expired   State = "expired"   // 已到期
	Cancelled State = "cancelled" // 已注销
)

var stateWords = map[State]string{Ordered: "待确认", Ready: "已导出", InUse: "使用中", Expired: "已到期", Cancelled: "已注销"}

// Chinese returns the word shown to people.
func (s State) Chinese() string { return stateWords[s] }

// Listed is a kit in the register.
type Listed struct {
	ID        string
	Unit      elicense.UnitCode
	State     State
	Ground    Ground
	Size      int // of the block
	Drafter   elicense.PersonID
	Reviewer  elicense.PersonID
	From, To  time.Time // when it is good; zero until it is confirmed
	Created   time.Time
	Confirmed time.Time
	Cancelled time.Time
	Lost      bool // someone else may have it
	listedContent

	cert []byte
	seq  int64
}

// listedContent is the part of a kit that is kept as cipher text.
type listedContent struct {
	Types        []KitType       `json:"types"`
	Reason       string          `json:"reason"`
	Proof        string          `json:"proof"` // of a failure of the system
	Attached     *Attached       `json:"attached,omitempty"`
	Start        time.Time       `json:"start"` // as ordered; zero is when it is confirmed
	Hours        int             `json:"hours"`
	DrafterName  string          `json:"drafterName"`
	ReviewerName string          `json:"reviewerName"`
	CancelReason string          `json:"cancelReason"`
	SealOf       elicense.SealID `json:"sealOf"`
	Data         []byte          `json:"data"` // the key of rows and files
	DrafterHand  *Hand           `json:"drafterHand"`
	Known        int             `json:"known"` // entries of the longest journal that came back
	Last         string          `json:"last"`  // digest of its last entry
}

// KitType is a type of a kit.
type KitType struct {
	Code    elicense.TypeCode `json:"code"`
	Version int               `json:"version"`
	Name    string            `json:"name"`
}

// Standing is where the kit stands at a time.
func (l *Listed) Standing(now time.Time) State {
	switch {
	case l.State == Ready && now.After(l.To):
		return Expired
	case l.State == Ready && l.Known > 0:
		return InUse
	}
	return l.State
}

// Order is what a unit asks for. A failure of the system is proved in words or by a file.
type Order struct {
	Types  []elicense.TypeCode
	Ground Ground
	Reason string
	Proof  string    // of a failure of the system: its number, when, what was seen
	Start  time.Time // from when it is needed; zero: at once
	Hours  int       // for how long, up to 24
	Size   int       // numbers, up to MaxNumbers
	PIN    string    // of the officer who asks, who will enter the rows

	ProofName string // of the file
	ProofFile []byte // a PDF, JPEG or PNG that proves a failure of the system, instead of Proof or with it
}

// MaxNumbers bounds the block of a kit; maxTypes its types; maxAhead is how long
// before it is needed a kit can be confirmed.
const (
	MaxNumbers = 200
	maxTypes   = 20
	maxAhead   = 7 * 24 * time.Hour
)

func (o *Order) check(now time.Time) error {
	o.Reason, o.Proof = strings.TrimSpace(o.Reason), strings.TrimSpace(o.Proof)
	bad := func(field, text string, args ...any) error {
		return elicense.E(elicense.Invalid, text, args...).At(field).Under("第七条第二款")
	}
	switch {
	case len(o.Types) == 0 || len(o.Types) > maxTypes:
		return bad("types", "要选1到%d类证照", maxTypes)
	case o.Ground.Chinese() == "":
		return bad("ground", "要选择离线生成的情形：没有在线条件，或者不宜网上办理")
	case o.Reason == "" || utf8.RuneCountInString(o.Reason) > maxReason:
		return bad("reason", "要写明理由，最多%d个字", maxReason)
	case o.Ground == Outage && o.Proof == "" && len(o.ProofFile) == 0 || utf8.RuneCountInString(o.Proof) > maxReason:
		return bad("proof", "系统故障要写明故障单号、时间和现象，最多%d个字，或者附上证明文件", maxReason)
	case o.Hours < 1 || o.Hours > int(sealing.MaxKitTerm/time.Hour):
		return bad("hours", "使用时间为1到24小时")
	case o.Size < 1 || o.Size > MaxNumbers:
		return bad("size", "号段为1到%d个编号", MaxNumbers)
	case !o.Start.IsZero() && (o.Start.After(now.Add(maxAhead)) || o.Start.Before(now.Add(-time.Hour))):
		return bad("start", "启用时间要在现在到7天之内")
	}
	return checkPIN(o.PIN)
}

// Order enters a kit, to be confirmed by the officer who will seal with it. Who
// orders it will enter the rows.
//
// Errors: Invalid naming the field; Forbidden; Conflict for a type that is made
// online at the unit while the system works, or is not made here.
func (k *Kits) Order(ctx context.Context, actor *elicense.Actor, o Order) (*Listed, error) {
	l := &Listed{ID: elicense.NewID[string](k.Now()), Unit: actor.Unit, State: Ordered, Ground: o.Ground, Size: o.Size, Drafter: actor.Person, seq: 1, cert: []byte{}}
	wrong := o.check(k.Now())
	kind, badFile := o.checkFile()
	if wrong == nil {
		wrong = badFile
	}
	build := func(tx *store.Tx) (access.Request, error) {
		issuers := []string{string(actor.Unit)}
		for _, code := range o.Types {
			t, err := catalog.Current(tx, code)
			switch {
			case err != nil && !elicense.IsKind(err, elicense.NotFound):
				return access.Request{}, err
			case err != nil || !t.Issued(actor.Unit):
				issuers = []string{}
			}
		}
		return access.Request{
			Actor: actor, Act: access.DraftMake,
			On:   access.Thing{Kind: "Draft", ID: "kit", Attr: access.Attr{"unit": string(actor.Unit), "issuers": issuers}},
			Note: access.Note{Detail: map[string]string{}},
		}, nil
	}
	if wrong == nil {
		if err := k.DB.View(ctx, func(tx *store.Tx) error {
			req, err := build(tx)
			if err != nil {
				return err
			}
			return k.Guard.Ask(req.Actor, req.Act, req.On, req.Circumstances)
		}); err == nil { // a key is made for nobody the law refuses
			l.Data = make([]byte, dataKeySize)
			rand.Read(l.Data)
			if l.DrafterHand, _, err = newHand(l.ID, Drafts, actor.Person, actor.Name, o.PIN, k.Stretch(), l.Data); err != nil {
				return nil, err
			}
			if l.Attached, err = k.keep(ctx, &o, kind); err != nil {
				return nil, err
			}
			if l.Attached != nil {
				store.CrashPoint("kit.proven")
			}
		}
	}
	err := k.Guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		if wrong != nil {
			return wrong
		}
		if actor.Person == "" {
			return elicense.E(elicense.Conflict, "离线工具包要由本人办理").Under("第七条第二款").Then("请由制证岗位的人员登录后申请")
		}
		p.Note.Detail["kit"], p.Note.Detail["ground"] = l.ID, string(o.Ground)
		l.Types = nil
		for _, code := range o.Types {
			t, err := kitType(tx, code, actor.Unit, o.Ground)
			if err != nil {
				return err
			}
			l.Types = append(l.Types, KitType{t.Code, t.Version, t.Name})
		}
		l.Created, l.Reason, l.Proof, l.Start, l.Hours, l.DrafterName = tx.Now(), o.Reason, o.Proof, o.Start, o.Hours, actor.Name
		return l.insert(tx)
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// kitType is a type as a unit may take it along on the ground.
func kitType(tx *store.Tx, code elicense.TypeCode, unit elicense.UnitCode, ground Ground) (*catalog.Type, error) {
	t, err := catalog.Current(tx, code)
	if err != nil {
		return nil, err
	}
	mode, err := catalog.ModeFor(tx, t, unit)
	if err != nil {
		return nil, err
	}
	switch {
	case t.State == catalog.Retired || !mode.Made() || t.Face == nil:
		return nil, elicense.E(elicense.Conflict, "%s不在本平台制证", t.Name).At("types").Under("第七条第一款")
	case mode != catalog.Offline && ground != Outage:
		return nil, elicense.E(elicense.Conflict, "%s登记为在线生成，只有系统故障时才能离线生成", t.Name).At("ground").Under("第七条第一款").
			Then("请在线办理；确实没有在线条件或不宜网上办理的，请先更新类别登记")
	}
	return t, nil
}

// request asks the law about a kit as about a draft: it makes them.
func (k *Kits) request(actor *elicense.Actor, act access.Act, id string) func(*store.Tx) (access.Request, error) {
	return func(tx *store.Tx) (access.Request, error) {
		l, err := listed(tx, id)
		if elicense.IsKind(err, elicense.NotFound) {
			l = &Listed{}
		} else if err != nil {
			return access.Request{}, err
		}
		kind, attr := "Draft", access.Attr{"unit": string(l.Unit), "drafters": []string{string(l.Drafter)}, "issuers": []string{string(l.Unit)}}
		if act == access.SealStop {
			kind, attr = "Seal", access.Attr{"unit": string(l.Unit), "applicant": string(l.Drafter)}
		}
		req := access.Request{
			Actor: actor, Act: act, On: access.Thing{Kind: kind, ID: id, Attr: attr}, Note: access.Note{Detail: map[string]string{"kit": l.ID}},
		}
		if l.seq > 0 {
			req.Rests = []access.Rests{{Query: `SELECT seq FROM kit WHERE id = $1`, Args: []any{id}, Want: l.seq}}
		}
		return req, nil
	}
}

// Confirm is the second officer's act: he will seal with the kit, and sets his PIN.
// The kit's numbers, certificate and seal are made, and its file can be fetched.
//
// Errors: Invalid naming the field; Forbidden, also for who ordered it; Conflict;
// NotFound without a seal; Unavailable.
func (k *Kits) Confirm(ctx context.Context, actor *elicense.Actor, id, pin string) (*Listed, error) {
	build := k.request(actor, access.DraftReview, id)
	var (
		made  *making
		wrong error
		l     *Listed
	)
	err := k.DB.View(ctx, func(tx *store.Tx) (err error) {
		req, err := build(tx)
		if err != nil {
			return err
		}
		if k.Guard.Ask(req.Actor, req.Act, req.On, req.Circumstances) != nil {
			return nil // Write decides again, and records it
		}
		l, err = listed(tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	if l != nil && l.State == Ordered {
		made, wrong = k.make(ctx, actor, l, pin)
	}
	err = k.Guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		fresh, err := listed(tx, id)
		if err != nil {
			return err
		}
		switch {
		case fresh.State != Ordered:
			return errState(fresh, tx.Now())
		case wrong != nil:
			return wrong
		case made == nil:
			return elicense.E(elicense.Conflict, "工具包刚被改动，没有办成").Then("请刷新后核对")
		}
		for i := range made.kit.Numbers {
			if err := insertNumber(tx, id, &made.kit.Numbers[i]); err != nil {
				return err
			}
		}
		l = fresh
		l.State, l.Reviewer, l.ReviewerName, l.Confirmed = Ready, actor.Person, actor.Name, tx.Now()
		l.From, l.To, l.SealOf, l.cert, l.DrafterHand = made.kit.From, made.kit.To, made.seal, made.kit.Cert, nil
		p.Note.Detail["state"] = string(l.State)
		return l.update(tx, made.head)
	})
	return l, err
}

// making is what Confirm made before it writes it.
type making struct {
	kit  *Kit
	head []byte
	seal elicense.SealID
}

func (k *Kits) make(ctx context.Context, actor *elicense.Actor, l *Listed, pin string) (*making, error) {
	// Two officers with one PIN are one.
	if _, _, err := l.DrafterHand.open(l.ID, pin); err == nil {
		return nil, elicense.E(elicense.Invalid, "口令不能和制证人员的一样").At("pin").Under("第七条第一款")
	}
	hand, key, err := newHand(l.ID, Reviews, actor.Person, actor.Name, pin, k.Stretch(), l.Data)
	if err != nil {
		return nil, err
	}
	fonts, err := k.Fonts()
	if err != nil {
		return nil, elicense.E(elicense.Unavailable, "字体缺失：这台机器没有中文字体，不能导出工具包").Because(err)
	}
	now := k.Now()
	from := now.Add(-time.Second)
	if l.Start.After(now) {
		from = l.Start
	}
	kit := &Kit{
		Format: kitFormat, ID: l.ID, Platform: k.Platform, Unit: l.Unit, Ground: l.Ground, From: from.UTC().Truncate(time.Second),
		CheckURL: k.Issuer.CheckURL, Sample: k.Issuer.Sample, Hands: []Hand{*l.DrafterHand, *hand},
	}
	kit.To = kit.From.Add(time.Duration(l.Hours) * time.Hour)
	err = k.DB.View(ctx, func(tx *store.Tx) error {
		u, err := org.UnitOf(tx, l.Unit)
		if err != nil {
			return err
		}
		kit.UnitName = u.Name
		for _, t := range l.Types {
			// As it is now: it may have changed since it was ordered.
			now, err := kitType(tx, t.Code, l.Unit, l.Ground)
			if err != nil {
				return err
			}
			kit.Types = append(kit.Types, now)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for n := range l.Size {
		kit.Numbers = append(kit.Numbers, Number{n + 1, issuance.NewPlace(now)})
	}
	for i := range fonts {
		kit.Fonts = append(kit.Fonts, fonts[i].FontMark)
	}
	bindTo, err := device(l.ID, kit.Numbers)
	if err != nil {
		return nil, err
	}
	made, err := k.Seals.MakeKitSeal(ctx, sealing.KitSpec{Unit: l.Unit, Kit: l.ID, Device: bindTo, Key: key.Public(), From: kit.From, To: kit.To})
	if err != nil {
		return nil, err
	}
	kit.Seal, kit.Cert, kit.Root = made.Seal.DER, made.Cert.DER, made.Root.DER
	head, err := k.sign(ctx, kit)
	return &making{kit, head, made.Of}, err
}

// sign writes a kit's head under the platform's signature.
func (k *Kits) sign(ctx context.Context, kit *Kit) ([]byte, error) {
	key, cert, err := k.Seals.Printer(ctx)
	if err != nil {
		return nil, err
	}
	head, err := json.Marshal(kit)
	if err != nil {
		return nil, fmt.Errorf("kit %s: %w", kit.ID, err)
	}
	sig, err := key.SignSM2(head)
	if err != nil {
		return nil, fmt.Errorf("kit %s: %w", kit.ID, err)
	}
	return json.Marshal(signedHead{head, cert.DER, sig})
}

func errState(l *Listed, now time.Time) error {
	return elicense.E(elicense.Conflict, "工具包现在是“%s”，不能这样办", l.Standing(now).Chinese()).Then("请刷新后核对")
}

// Cancel ends a kit: what is made with it from now on is not taken in, and its
// certificate is revoked. Of one that was lost nothing more is taken in at all.
//
// Errors: Invalid without a reason; Forbidden; Conflict.
func (k *Kits) Cancel(ctx context.Context, actor *elicense.Actor, id string, lost bool, reason string) error {
	reason = strings.TrimSpace(reason)
	return k.Guard.Write(ctx, k.request(actor, access.SealStop, id), func(tx *store.Tx, p *access.Permit) error {
		if reason == "" || utf8.RuneCountInString(reason) > maxReason {
			return elicense.E(elicense.Invalid, "要写明注销的原因，最多%d个字", maxReason).At("reason")
		}
		l, err := listed(tx, id)
		if err != nil {
			return err
		}
		if l.State == Cancelled {
			return errState(l, tx.Now())
		}
		if l.State == Ready && tx.Now().Before(l.To) {
			cert, err := gm.ParseCertificate(l.cert)
			if err != nil {
				return err
			}
			if err := sealing.EndKitSeal(tx, cert, lost); err != nil {
				return err
			}
		}
		l.State, l.Cancelled, l.Lost, l.CancelReason = Cancelled, tx.Now(), lost, reason
		p.Note.Detail["lost"] = fmt.Sprint(lost)
		return l.update(tx, nil)
	})
}

// All lists the kits of the actor's unit, the newest first.
func (k *Kits) All(ctx context.Context, actor *elicense.Actor, limit int) ([]*Listed, error) {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.DraftRead, On: access.Thing{Kind: "Draft", ID: "kits", Attr: access.Attr{"unit": string(actor.Unit)}},
		}, nil
	}
	list, _, err := access.Get(ctx, k.Guard, build, func(tx *store.Tx, _ *access.Permit) ([]*Listed, error) {
		return kits(tx, `WHERE unit = $1 ORDER BY created DESC LIMIT $2`, actor.Unit, limit)
	})
	return list, err
}

// Details is a kit with what came back of it.
type Details struct {
	*Listed
	Standing State
	Used     int // numbers that lead to a license
	Packages []*Package
}

// Get returns a kit to its unit. Errors: Forbidden, also if there is no such kit.
func (k *Kits) Get(ctx context.Context, actor *elicense.Actor, id string) (*Details, error) {
	d, _, err := access.Get(ctx, k.Guard, k.request(actor, access.DraftRead, id), func(tx *store.Tx, _ *access.Permit) (*Details, error) {
		l, err := listed(tx, id)
		if err != nil {
			return nil, err
		}
		d := &Details{Listed: l, Standing: l.Standing(tx.Now())}
		if err := tx.Row(`SELECT COUNT(*) FROM kit_number WHERE kit = $1 AND state = $2`, id, numberTaken).Scan(&d.Used); err != nil {
			return nil, err
		}
		d.Packages, err = packages(tx, `WHERE kit = $1 ORDER BY received DESC`, id)
		if err != nil {
			return nil, err
		}
		for _, p := range d.Packages {
			if p.Rows, err = outcomes(tx, p.ID); err != nil {
				return nil, err
			}
			for _, o := range p.Rows {
				if o.License == "" {
					continue
				}
				switch _, err := tx.License(o.License); {
				case elicense.IsKind(err, elicense.NotFound): // withdrawn: nothing of it is shown
					o.Holder = ""
				case err != nil:
					return nil, err
				}
			}
		}
		return d, nil
	})
	return d, err
}

// File writes the file of a confirmed kit, with its fonts if asked for: without, the
// machine must have the same ones.
//
// Errors: Forbidden; Conflict for one that is not confirmed or is ended.
func (k *Kits) File(ctx context.Context, actor *elicense.Actor, id string, fonts bool, w io.Writer) error {
	head, _, err := access.Get(ctx, k.Guard, k.request(actor, access.DraftRead, id), func(tx *store.Tx, p *access.Permit) ([]byte, error) {
		l, err := listed(tx, id)
		if err != nil {
			return nil, err
		}
		if s := l.Standing(tx.Now()); s != Ready && s != InUse {
			return nil, errState(l, tx.Now())
		}
		p.Note.Detail["file"] = "true"
		return headOf(tx, id)
	})
	if err != nil {
		return err
	}
	var with []Font
	if fonts {
		if with, err = k.Fonts(); err != nil {
			return elicense.E(elicense.Unavailable, "字体缺失：这台机器没有中文字体，不能导出工具包").Because(err)
		}
	}
	return write(w, head, with)
}
