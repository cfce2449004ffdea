package offline

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/document"
	"elicense/gm"
	"elicense/issuance"
	"elicense/jobs"
	"elicense/notice"
	"elicense/store"
)

// importJob is the kind of the job that takes a package in.
const importJob = "offline-import"

// FilePrefix begins the names of stored packages. One is stored before its row says
// so; a stop in between leaves a file that sending it again goes on with.
const FilePrefix = "offline-package-"

// PackState is where a package stands.
type PackState string

// The states of a package.
const (
	PackReceiving PackState = "receiving" // 接收中
	PackWaiting   PackState = "waiting"   // 导入中
	PackDone      PackState = "done"      // 已导入
)

var packWords = map[PackState]string{PackReceiving: "接收中", PackWaiting: "导入中", PackDone: "已导入"}

// Chinese returns the word shown to people.
func (s PackState) Chinese() string { return packWords[s] }

// Package is a package that came back, with what became of its rows.
type Package struct {
	ID       string
	Kit      string
	Digest   []byte // SM3
	File     string
	State    PackState
	Received time.Time
	Finished time.Time
	packageContent

	Rows []*Outcome // read with it for its unit
	seq  int64
}

// packageContent is the part of a package that is kept as cipher text.
type packageContent struct {
	Person   elicense.PersonID  `json:"person"` // who brought it
	Account  elicense.AccountID `json:"account"`
	By       string             `json:"by"`
	Reason   string             `json:"reason"` // for going on without a comparison
	Again    int                `json:"again"`  // how often it came again
	Fresh    int                `json:"fresh"`  // licenses published by its last import
	Known    int                `json:"known"`  // that were published before
	Refused  int                `json:"refused"`
	Unsealed int                `json:"unsealed"` // rows that were not sealed, or given up
	Trouble  string             `json:"trouble"`
}

// Count is how many rows of the package could lead to a license.
func (p *Package) Count() int { return p.Fresh + p.Known + p.Refused }

// The states of a row of a package.
const (
	RowTaken   = "taken"   // 已登记
	RowRefused = "refused" // 未登记
	RowOpen    = "open"    // 未签章
	RowGiven   = "given"   // 作废
)

var outcomeWords = map[string]string{RowTaken: "已登记发布", RowRefused: "没有登记", RowOpen: "没有签章", RowGiven: "已作废"}

// Outcome is what became of a row of a package.
type Outcome struct {
	Number  int
	State   string
	License elicense.LicenseID
	outcomeContent
}

type outcomeContent struct {
	Made   time.Time `json:"made"` // when it was sealed, by the machine's clock
	Type   string    `json:"type"`
	Holder string    `json:"holder"`
	Text   string    `json:"text"` // why it was not taken in: a sentence with verbs for Args
	Args   []any     `json:"args"`
	Next   string    `json:"next"`
	Late   bool      `json:"late"` // published after the day of closing
}

// Chinese returns the word for the outcome.
func (o *Outcome) Chinese() string { return outcomeWords[o.State] }

// Reason is why it was not taken in, as a Chinese sentence.
func (o *Outcome) Reason() string {
	if o.Text == "" {
		return ""
	}
	return elicense.E(elicense.Invalid, o.Text, o.Args...).Message()
}

// Import takes a package in. Its journal must be whole; each row of it is then judged
// by itself, by a job. A package that was taken in before changes nothing: what is
// published stays, and what was refused is judged again. reason is for going on when
// a base registry is silent.
//
// Errors: Invalid for what is no whole package of a kit; Forbidden, also for a kit
// of another unit or of none; TooLarge.
func (k *Kits) Import(ctx context.Context, actor *elicense.Actor, file []byte, reason string) (*Package, error) {
	reason = strings.TrimSpace(reason)
	var c *content
	wrong := func() error {
		switch {
		case len(file) == 0:
			return elicense.E(elicense.Invalid, "要选择文件").At("package")
		case len(file) > MaxPackage:
			return elicense.E(elicense.TooLarge, "离线包太大，最多%d MB", MaxPackage>>20).At("package")
		case utf8.RuneCountInString(reason) > maxReason:
			return elicense.E(elicense.Invalid, "理由最多%d个字", maxReason).At("reason")
		}
		var err error
		c, err = packageOf(file)
		return err
	}()
	id := ""
	if c != nil && elicense.ValidID(c.kit) {
		id = c.kit
	}
	digest := gm.Sum(file)
	var p *Package
	build := k.request(actor, access.DraftMake, id)
	err := k.Guard.Write(ctx, build, func(tx *store.Tx, permit *access.Permit) error {
		if wrong != nil {
			return wrong
		}
		l, err := listed(tx, id)
		if err != nil {
			return err
		}
		if l.State == Ordered || len(l.cert) == 0 {
			return errState(l, tx.Now())
		}
		kit, err := kitOf(tx, id)
		if err != nil {
			return err
		}
		if err := c.open(kit.Kit, l.Data); err != nil {
			return err
		}
		list, err := packages(tx, `WHERE kit = $1 AND digest = $2`, id, digest[:])
		if err != nil {
			return err
		}
		if len(list) > 0 {
			p = list[0]
			if p.State == PackDone {
				p.Again++
			}
			p.Reason = cmpOr(reason, p.Reason)
			permit.Note.Detail["package"] = p.ID
			return p.update(tx)
		}
		p = &Package{
			ID: elicense.NewID[string](tx.Now()), Kit: id, Digest: digest[:], State: PackReceiving, Received: tx.Now(), seq: 1,
			packageContent: packageContent{Person: actor.Person, Account: actor.Account, By: actor.Name, Reason: reason},
		}
		p.File = FilePrefix + p.ID
		permit.Note.Detail["package"] = p.ID
		return p.insert(tx)
	})
	if err != nil {
		return nil, err
	}
	if _, err := k.DB.Files().Put(ctx, p.File, file); err != nil {
		return nil, err
	}
	store.CrashPoint("offline.received")
	err = k.DB.Update(ctx, func(tx *store.Tx) error {
		list, err := packages(tx, `WHERE id = $1`, p.ID)
		if err != nil {
			return err
		}
		p = list[0]
		p.State = PackWaiting
		if err := jobs.Enqueue(tx, jobs.Job{Kind: importJob, Key: p.ID, Payload: []byte(p.ID)}); err != nil {
			return err
		}
		return p.update(tx)
	})
	return p, err
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// kitOf reads a confirmed kit's head.
func kitOf(tx *store.Tx, id string) (*KitFile, error) {
	head, err := headOf(tx, id)
	if err != nil {
		return nil, err
	}
	return readHead(head, nil)
}

// story is what a journal says of a number.
type story struct {
	number                int
	enter, intend, sealed *line
	void                  *line
	back                  time.Duration // by how much the clock was set back before one of its entries
	twice                 bool
}

// stories reads what the journal says of each number, in order of the numbers.
func stories(lines []*line) []*story {
	var c clock
	at := map[int]*story{}
	for _, l := range lines {
		back := c.past(&l.Entry)
		if l.Number == 0 {
			continue
		}
		s := at[l.Number]
		if s == nil {
			s = &story{number: l.Number}
			at[l.Number] = s
		}
		s.back = max(s.back, back)
		switch l.Act {
		case ActEnter:
			s.twice = s.twice || s.enter != nil
			s.enter = l
		case ActIntend:
			s.intend = l
		case ActSeal:
			s.twice = s.twice || s.sealed != nil
			s.sealed = l
		case ActVoid:
			s.void = l
		}
	}
	var list []*story
	for _, s := range at {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *story) int { return a.number - b.number })
	return list
}

// take takes a package in, row by row; the handler of importJob. Stopped anywhere, it
// goes on when it is run again.
func (k *Kits) take(ctx context.Context, payload []byte) error {
	var (
		p   *Package
		l   *Listed
		kit *KitFile
	)
	err := k.DB.View(ctx, func(tx *store.Tx) error {
		list, err := packages(tx, `WHERE id = $1`, string(payload))
		if err != nil || len(list) == 0 {
			return err
		}
		p = list[0]
		if l, err = listed(tx, p.Kit); err != nil {
			return err
		}
		kit, err = kitOf(tx, p.Kit)
		return err
	})
	if err != nil || p == nil || p.State != PackWaiting {
		return err
	}
	file, err := k.DB.Files().Get(ctx, p.File, p.Digest)
	if err != nil {
		return err
	}
	c, err := packageOf(file)
	if err != nil {
		return err
	}
	if err := c.open(kit.Kit, l.Data); err != nil {
		return err
	}
	trust, err := k.Trust(ctx)
	if err != nil {
		return err
	}
	in := &intake{Kits: k, pack: p, listed: l, kit: kit, content: c, trust: trust, forked: forked(l, c.lines)}
	for _, s := range stories(c.lines) {
		if err := in.row(ctx, s); err != nil {
			return err
		}
	}
	return k.DB.Update(ctx, func(tx *store.Tx) error { return in.finish(ctx, tx) })
}

// forked tells whether a journal and the longest that came back before do not share
// their beginning: one was written anew, or the kit is on two machines.
func forked(l *Listed, lines []*line) bool {
	return l.Known > 0 && len(lines) >= l.Known && lines[l.Known-1].digest != l.Last
}

// intake is one package being taken in.
type intake struct {
	*Kits
	pack    *Package
	listed  *Listed
	kit     *KitFile
	content *content
	trust   document.Options
	forked  bool

	fresh, known, refused, unsealed int
}

// row judges a row and publishes its license if it is good. An error is of the
// platform, not of the row.
func (in *intake) row(ctx context.Context, s *story) error {
	o := &Outcome{Number: s.number}
	switch {
	case s.sealed != nil:
	case s.void != nil:
		o.State = RowGiven
	default:
		o.State = RowOpen
	}
	if o.State != "" {
		in.unsealed++
		return in.note(ctx, o, nil)
	}
	o.Made = s.sealed.At
	g := &given{story: s, out: o}
	err := in.judge(ctx, g)
	if err == nil && g.before == nil {
		if err = in.publish(ctx, g); err == nil {
			o.State = RowTaken
			in.fresh++
			return nil
		}
	}
	if err == nil {
		in.known++
		o.State, o.License = RowTaken, g.before.License
		return in.note(ctx, o, nil)
	}
	var e *elicense.Error
	if !errors.As(err, &e) || e.Kind == elicense.Internal {
		return fmt.Errorf("kit %s number %d: %w", in.kit.ID, s.number, err)
	}
	in.refused++
	o.State, o.Text, o.Args, o.Next = RowRefused, e.Text, e.Args, e.Next
	return in.note(ctx, o, g)
}

// note writes an outcome; a number that was refused answers so when it is checked.
func (in *intake) note(ctx context.Context, o *Outcome, refused *given) error {
	return in.DB.Update(ctx, func(tx *store.Tx) error {
		if refused != nil && in.kit.number(o.Number) != nil {
			t, err := numberOf(tx, in.kit.ID, o.Number)
			if err != nil {
				return err
			}
			if t.State != numberTaken {
				t.State = numberRefused
				if err := t.update(tx); err != nil {
					return err
				}
			}
		}
		return o.put(tx, in.pack.ID)
	})
}

// given is a row as it came, as far as it was read.
type given struct {
	*story
	out    *Outcome
	row    *Row
	file   []byte
	draft  *issuance.Draft
	typ    *catalog.Type
	before *taken // it is published already
}

// refuse is why a row is not taken in.
func refuse(text string, args ...any) *elicense.Error {
	return elicense.E(elicense.Invalid, text, args...).Under("第七条第二款")
}

// judge sees that a row may be taken in: who made it when with what, that the file
// says what the row says, and that the row keeps the type's rules. The first thing
// that is wrong is told.
func (in *intake) judge(ctx context.Context, g *given) error {
	number := in.kit.number(g.number)
	if number == nil {
		return refuse("编号%d不在工具包的号段里（1到%d）", g.number, len(in.kit.Numbers)).Then("收回已交付的证照，联网重新办理")
	}
	digest, err := hex.DecodeString(g.sealed.Digest)
	if err != nil {
		return refuse("日志里的文件摘要不合规")
	}
	var known *taken
	err = in.DB.View(ctx, func(tx *store.Tx) (err error) {
		known, err = numberOf(tx, in.kit.ID, g.number)
		return err
	})
	if err != nil {
		return err
	}
	if known.State == numberTaken {
		if bytes.Equal(known.Digest, digest) {
			g.before = known
			return nil
		}
		return refuse("编号%d已经用在另一份证照上", g.number).Then("同一个工具包只能用在一台机器上；收回后一份，联网重新办理")
	}
	if err := in.judgeTimes(g); err != nil {
		return err
	}
	if err := in.read(g); err != nil {
		return err
	}
	if err := in.judgeFile(g); err != nil {
		return err
	}
	for _, f := range g.draft.Findings {
		if !f.Warning {
			return refuse("%s：%s", f.Label, f.Text).Then("收回已交付的证照，更正后联网重新办理")
		}
	}
	return in.DB.View(ctx, func(tx *store.Tx) error {
		now, err := catalog.Current(tx, g.typ.Code)
		if err != nil {
			return err
		}
		if now.State == catalog.Retired && now.Decided.Before(g.sealed.At) {
			return refuse("%s这一类别在制证前已经停用", g.typ.Name)
		}
		return nil
	})
}

// judgeTimes sees that the times of a row are possible and the kit was good then.
func (in *intake) judgeTimes(g *given) error {
	l, at := in.listed, g.sealed.At
	from, to := in.kit.cert.Validity()
	say := clockWords
	switch {
	case g.twice || g.enter == nil || g.intend == nil || g.void != nil || g.enter.By != Drafts || g.intend.By != Reviews || g.sealed.By != Reviews ||
		g.enter.N > g.intend.N || g.intend.N > g.sealed.N:
		return refuse("日志里没有先录入、再审核签章的完整记录")
	case in.forked:
		return refuse("日志和上次导入的不相接：日志被改写过，或同一个工具包用在了两台机器上").Then("请保留两台机器上的目录，联系本单位管理人员")
	case g.back > 0:
		return refuse("制证时机器的时钟被拨回了%s：这一份写明%s，不可信", spanWords(g.back), say(at)).Then("收回已交付的证照，联网重新办理")
	case l.State == Cancelled && l.Lost:
		return refuse("工具包已于%s报失注销，不再登记", say(l.Cancelled)).Then("向持证人核实后联网重新办理")
	case l.State == Cancelled && at.After(l.Cancelled):
		return refuse("制证时间%s晚于工具包的注销时间%s", say(at), say(l.Cancelled)).Then("收回已交付的证照，联网重新办理")
	case g.enter.At.Before(from) || at.After(to):
		return refuse("制证时间%s不在工具包的有效期内（%s到%s）", say(at), say(from), say(to)).Then("收回已交付的证照，联网重新办理")
	case at.Truncate(time.Second).After(in.Now()): // no time stamp could confirm it yet
		return refuse("制证时间%s晚于现在：机器的时钟走快了", say(at)).Then("请校准时钟；到了那个时间可以再导入一次")
	}
	return nil
}

func spanWords(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%d秒", max(1, int(d/time.Second)))
	}
	if d < 2*time.Hour {
		return fmt.Sprintf("%d分钟", int(d/time.Minute))
	}
	return fmt.Sprintf("%d小时", int(d/time.Hour))
}

// read decrypts the row and its file and compares them with the journal.
func (in *intake) read(g *given) (err error) {
	const again = "请从离线制证的机器上重新导出"
	if g.row, err = in.content.row(g.number, g.enter.Digest); err != nil {
		return refuse("这一行的内容缺失、损坏或被改动过").Then(again).Because(err)
	}
	if !g.row.Entered.Equal(g.enter.At) && (g.row.Entered.After(g.enter.At) || g.enter.At.Sub(g.row.Entered) > clockSlack) {
		return refuse("这一行的录入时间和日志不一致")
	}
	if g.draft, g.typ, err = draftOf(in.kit.Kit, g.row); err != nil {
		return err
	}
	g.out.Type, g.out.Holder = g.typ.Name, access.MaskHolder(g.draft.Holders[0]).Name
	if g.file, err = in.content.file(g.number, g.sealed.Digest); err != nil {
		return refuse("证照文件缺失、损坏或被改动过").Then(again).Because(err)
	}
	return nil
}

// judgeFile sees that the file is genuine, sealed with the kit's key at the time the
// journal tells, and says what the row says.
func (in *intake) judgeFile(g *given) error {
	trust := in.trust
	trust.Now = in.Now()
	r := document.Judge(g.file, trust)
	if r.Verdict != document.Genuine || len(r.Signatures) != 1 {
		return refuse("签章核验没有通过：%s", whyNot(&r))
	}
	s := r.Signatures[0]
	if s.Serial != in.kit.cert.Serial() || s.SealID != in.kit.seal.ID {
		return refuse("不是用这个工具包的印章签的")
	}
	if !s.Time.Equal(g.intend.At.Truncate(time.Second)) {
		return refuse("文件写明的签章时间和日志不一致")
	}
	if in.Issuer.Maker == nil {
		return elicense.E(elicense.Unavailable, "字体缺失：这台机器没有中文字体，现在不能核对证照内容").Then("请管理员安装字体后再导入一次")
	}
	p, err := issuance.Layout(in.Issuer.Maker, g.typ, g.draft, in.kit.UnitName, in.kit.Sample)
	if err != nil {
		return err
	}
	if !p.Same(g.file) {
		return refuse("证照文件的内容和录入的不一致")
	}
	digest := p.Digest()
	g.draft.Digest = digest[:]
	return nil
}

// whyNot is the first reason a file was not found genuine for.
func whyNot(r *document.Report) string {
	for _, c := range r.Checks {
		if !c.OK() {
			return strings.TrimSuffix(c.Reason, "。")
		}
	}
	return r.Verdict
}

// publish countersigns a good row with trusted time and has its license published.
func (in *intake) publish(ctx context.Context, g *given) error {
	stamper, err := in.Seals.TimeStamper(ctx)
	if err != nil {
		return err
	}
	if stamper == nil {
		return elicense.E(elicense.Unavailable, "没有时间戳服务，不能确认签章时间").Then("请稍后再导入一次")
	}
	token, err := document.Countersign(g.file, stamper)
	if err != nil {
		return elicense.E(elicense.Unavailable, "时间戳没有办成").Then("请稍后再导入一次").Because(err)
	}
	original := gm.Sum(g.file)
	var t *taken
	// What the number will lead to is fixed before anything is published, so that
	// a run after a stop goes on with the same.
	err = in.DB.Update(ctx, func(tx *store.Tx) error {
		if t, err = numberOf(tx, in.kit.ID, g.number); err != nil {
			return err
		}
		if t.State == numberTaking && bytes.Equal(t.Digest, original[:]) {
			return nil
		}
		t.State, t.Draft, t.Digest, t.Token = numberTaking, elicense.NewID[elicense.DraftID](tx.Now()), original[:], token
		return t.update(tx)
	})
	if err != nil {
		return err
	}
	file, err := in.confirmed(g.file, t.Token)
	if err != nil {
		return err
	}
	d := g.draft
	drafter, reviewer := in.kit.Hand(Drafts), in.kit.Hand(Reviews)
	d.ID, d.Drafter, d.Reviewer, d.Drafters = t.Draft, drafter.Person, reviewer.Person, []elicense.PersonID{drafter.Person}
	d.Submitted, d.Reviewed, d.DrafterAcc = g.enter.At, g.sealed.At, in.pack.Account
	d.Elsewhere = &issuance.Elsewhere{Kit: in.kit.ID, Number: g.number, Ground: string(in.kit.Ground), Reason: in.pack.Reason}
	o := *g.out
	err = in.Issuer.Adopt(ctx, d, g.row.Completion, g.typ, in.listed.SealOf, file, func(tx *store.Tx) error {
		now, err := numberOf(tx, in.kit.ID, g.number)
		if err != nil {
			return err
		}
		now.State = numberTaken
		if err := now.update(tx); err != nil {
			return err
		}
		o.State, o.License, o.Late = RowTaken, d.License, tx.Now().After(d.Due)
		return o.put(tx, in.pack.ID)
	})
	return err
}

// confirmed is the file as it is kept: with the time stamp in it, if its certificate
// was good when it was stamped. One that comes late keeps its own word for its time,
// and the stamp is kept beside it: in the file it would say that the seal was used
// after its day.
func (in *intake) confirmed(file, token []byte) ([]byte, error) {
	t, err := gm.ParseToken(token)
	if err != nil {
		return nil, err
	}
	if _, err := in.trust.Check(in.kit.cert, t.Time, gm.UsageSign); err != nil {
		return file, nil
	}
	return document.Confirm(file, token)
}

// finish ends the import of a package and tells who brought it.
func (in *intake) finish(ctx context.Context, tx *store.Tx) error {
	list, err := packages(tx, `WHERE id = $1`, in.pack.ID)
	if err != nil {
		return err
	}
	p := list[0]
	p.State, p.Finished, p.Fresh, p.Known, p.Refused, p.Unsealed = PackDone, tx.Now(), in.fresh, in.known, in.refused, in.unsealed
	if err := p.update(tx); err != nil {
		return err
	}
	l, err := listed(tx, in.kit.ID)
	if err != nil {
		return err
	}
	if n := len(in.content.lines); !in.forked && n > l.Known {
		l.Known, l.Last = n, in.content.lines[n-1].digest
		if err := l.update(tx, nil); err != nil {
			return err
		}
	}
	if p.Account != "" {
		err := notice.Send(tx, notice.AccountInbox(p.Account), notice.Notice{
			Kind: "kit-package", Text: "离线包已导入：新登记%s份，以前已登记%s份，没有登记%s份", Link: "/issue/kits/" + in.kit.ID,
			Args: []string{fmt.Sprint(in.fresh), fmt.Sprint(in.known), fmt.Sprint(in.refused)},
		})
		if err != nil {
			return err
		}
	}
	return jobs.Done(tx, jobs.Current(ctx))
}
