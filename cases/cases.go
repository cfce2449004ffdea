// Package cases keeps matters (事项) with their material lists and the cases
// (办件) of application units: the parties, how the identity of each was proven,
// and the clerk in charge. Art. 11, 12, 17(3).
//
// A case is what opens licenses: no case, no query (Art. 13(2)). The right to
// query lives from its opening to its closing.
package cases

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/org"
	"elicense/store"
)

// Proof is how a party's identity was proven (Art. 17(3)).
type Proof string

// The proofs of identity. None is not a proof: the law refuses it.
const (
	ProofNone        Proof = ""
	ProofCard        Proof = "card"         // 身份证读卡器
	ProofFace        Proof = "face"         // 人脸识别, never the only way
	ProofNetwork     Proof = "network-id"   // 国家网络身份认证
	ProofCertificate Proof = "certificate"  // 数字证书
	ProofLicense     Proof = "e-license"    // 电子营业执照
	ProofOriginal    Proof = "original"     // 人工核对证件原件
	ProofTwo         Proof = "two-officers" // 两名工作人员共同核实
	ProofQR          Proof = "live-code"    // 亮证码
	ProofAccount     Proof = "account"      // 网上实名登录: of who applies online himself
)

var proofWords = map[Proof]string{
	ProofNone: "未核实", ProofCard: "身份证读卡核验", ProofFace: "人脸核验", ProofNetwork: "国家网络身份认证",
	ProofCertificate: "数字证书", ProofLicense: "电子营业执照", ProofOriginal: "人工核对证件原件",
	ProofTwo: "两名工作人员共同核实", ProofQR: "亮证码", ProofAccount: "网上实名登录",
}

// Chinese returns the words shown to people.
func (p Proof) Chinese() string { return proofWords[p] }

// Proofs lists the proofs a clerk can choose from.
func Proofs() []Proof {
	return []Proof{ProofCard, ProofQR, ProofNetwork, ProofFace, ProofCertificate, ProofLicense, ProofOriginal, ProofTwo}
}

// Party is someone a case is about (行政相对人), or who acts for him.
type Party struct {
	Place    int // from 0
	Role     string
	Ref      elicense.HolderRef
	Holder   elicense.HolderKey
	Proof    Proof
	ProvenBy elicense.PersonID
	Proven   time.Time
}

// Kind is what kind of case it is.
type Kind string

// The kinds of cases.
const (
	Application Kind = "apply"   // 依申请办理
	Enforcement Kind = "enforce" // 执法检查: opened by the unit itself
)

// Channel is how a case came in.
type Channel string

// The channels.
const (
	AtWindow Channel = "window"
	OnTheWeb Channel = "online"
	BySystem Channel = "system" // a business system's ticket
)

var channelWords = map[Channel]string{AtWindow: "窗口", OnTheWeb: "网上", BySystem: "业务系统"}

// Chinese returns the word shown to people.
func (c Channel) Chinese() string { return channelWords[c] }

// Case is an office case.
type Case struct {
	ID            elicense.CaseID
	Number        string
	Unit          elicense.UnitCode // 受理单位
	Implementer   elicense.UnitCode // 实施单位: the matter's own
	Matter        elicense.MatterCode
	MatterVersion int
	MatterName    string
	Clerk         elicense.AccountID // empty while it waits in the queue
	Kind          Kind
	Channel       Channel
	Applicant     elicense.AccountID // who filled it in online
	Stage         Stage
	Facts         []Condition
	Purpose       string
	Opened        time.Time
	Closed        time.Time
	Due           time.Time // end of the running term; zero while none runs
	Parties       []Party
	Seq           int64
	plain         bool // written before cases had a course
}

// Open tells whether licenses can be queried in the case.
func (c *Case) Open() bool { return c.Stage.Open() }

// State says whether licenses can be queried in the case: open or closed.
func (c *Case) State() string {
	if c.Open() {
		return "open"
	}
	return "closed"
}

// Cases keeps matters and cases.
type Cases struct {
	// Audience is the platform's address, which tickets must name.
	Audience string

	db    *store.DB
	guard *access.Guard
}

// New returns the cases kept in db.
func New(db *store.DB, guard *access.Guard) *Cases {
	return &Cases{db: db, guard: guard}
}

// NewCase is what is needed to open a case.
type NewCase struct {
	Number  string // the case's number at the unit; drawn if empty
	Matter  elicense.MatterCode
	Purpose string // empty is the matter's name
	Kind    Kind   // empty is Application
	Facts   []Condition
	Parties []Party
	officer string // who handles it in the business system
}

// The limits of a case; of texts, in characters.
const (
	maxParties = 20
	maxNumber  = 64
	maxPurpose = 200
	maxRole    = 20
)

// check judges what was entered by its form.
func (n *NewCase) check() error {
	if n.Kind == "" {
		n.Kind = Application
	}
	if len(n.Parties) > maxParties {
		return elicense.E(elicense.TooLarge, "一个办件最多登记%d位当事人", maxParties).At("parties")
	}
	if !fits(n.Number, maxNumber) {
		return elicense.E(elicense.Invalid, "办件编号最多%d个字，不能有控制字符", maxNumber).At("number")
	}
	if !fits(n.Purpose, maxPurpose) {
		return elicense.E(elicense.Invalid, "用途最多%d个字，不能有控制字符", maxPurpose).At("purpose")
	}
	if n.Kind != Application && n.Kind != Enforcement {
		return elicense.E(elicense.Invalid, "没有这种办件").At("kind")
	}
	if n.Kind == Enforcement && strings.TrimSpace(n.Number) == "" {
		return elicense.E(elicense.Invalid, "执法检查要写明检查通知书或立案文书的文号").At("number")
	}
	for i, p := range n.Parties {
		if n.Kind == Enforcement && p.Proof != ProofTwo {
			return inParty(elicense.E(elicense.Invalid, "执法检查要由两名执法人员共同核实当事人").At("proof"), i)
		}
		if !fits(p.Role, maxRole) {
			return inParty(elicense.E(elicense.Invalid, "当事人的身份最多%d个字", maxRole).At("role"), i)
		}
	}
	return checkFacts(n.Facts)
}

func checkFacts(facts []Condition) error {
	for _, f := range facts {
		if conditionWords[f] == "" {
			return elicense.E(elicense.Invalid, "有的情形不在清单里").At("facts").Then("请从所列的情形里选择")
		}
	}
	return nil
}

// fits tells whether a text is one line of at most so many characters.
func fits(s string, most int) bool {
	return utf8.RuneCountInString(s) <= most && !strings.ContainsFunc(s, unicode.IsControl)
}

// Start opens a case (收件). Every party's identity must be proven: how, by whom
// and when is part of the case.
//
// Errors: Invalid naming the field; Forbidden; Conflict if the number is taken.
func (c *Cases) Start(ctx context.Context, actor *elicense.Actor, n NewCase) (*Case, error) {
	return c.start(ctx, actor, n, AtWindow, nil)
}

// start opens a case that came in by the channel; also does more in the same
// transaction.
func (c *Cases) start(ctx context.Context, actor *elicense.Actor, n NewCase, by Channel, also func(*store.Tx, *Case) error) (*Case, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	var made *Case
	build := func(tx *store.Tx) (access.Request, error) {
		m, err := MatterOf(tx, n.Matter)
		if err != nil {
			return access.Request{}, err
		}
		unproven := 0
		for i := range n.Parties {
			p := &n.Parties[i]
			p.Ref = p.Ref.Normalize()
			if err := p.Ref.Check(elicense.DateOf(tx.Now())); err != nil {
				return access.Request{}, inParty(err, i)
			}
			if _, known := proofWords[p.Proof]; !known || p.Proof == ProofNone {
				unproven++
			}
		}
		self, err := isParty(tx, actor, n.Parties)
		if err != nil {
			return access.Request{}, err
		}
		units, err := acceptors(tx, m)
		if err != nil {
			return access.Request{}, err
		}
		return access.Request{
			Actor: actor, Act: access.CaseOpen,
			On: access.Thing{Kind: "Case", ID: "new", Attr: access.Attr{
				"units": units, "parties": len(n.Parties), "unproven": unproven, "self": self,
			}},
			Circumstances: access.Attr{"ticket": by == BySystem},
			Rests:         []access.Rests{{Query: `SELECT version FROM matter WHERE code = $1`, Args: []any{string(m.Code)}, Want: int64(m.Version)}},
			Note:          access.Note{Detail: map[string]string{"matter": string(m.Code), "kind": string(n.Kind)}},
		}, nil
	}
	err := c.guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) (err error) {
		made, err = c.insert(tx, actor, n, by)
		if err == nil {
			p.Note.Case = made.ID
		}
		if err == nil && also != nil {
			err = also(tx, made)
		}
		return err
	})
	return made, err
}

// isParty tells whether the actor himself is among the parties: nobody handles
// his own case.
func isParty(tx *store.Tx, actor *elicense.Actor, list []Party) (bool, error) {
	if actor.Person == "" {
		return false, nil
	}
	own, err := org.HolderOf(tx, actor.Person)
	if elicense.IsKind(err, elicense.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, p := range list {
		h := p.Holder
		if h == "" {
			if h, err = tx.Holder(p.Ref, false); elicense.IsKind(err, elicense.NotFound) {
				continue
			} else if err != nil {
				return false, err
			}
		}
		if h == own {
			return true, nil
		}
	}
	return false, nil
}

// IsHimself tells whether the actor himself is among holders.
func IsHimself(tx *store.Tx, actor *elicense.Actor, holders []elicense.HolderKey) (bool, error) {
	parties := make([]Party, len(holders))
	for i, h := range holders {
		parties[i].Holder = h
	}
	return isParty(tx, actor, parties)
}

func inParty(err error, i int) error {
	if e, ok := err.(*elicense.Error); ok {
		e.Field = "parties." + strconv.Itoa(i+1) + "." + e.Field
	}
	return err
}

// freeNumber makes a number for a case that came with none: the day in Shanghai and
// eight characters, few enough to be read aloud. Some thousand cases a day will not
// meet, and where two do the later gets another.
func freeNumber(now time.Time, id elicense.CaseID, taken func(string) (bool, error)) (string, error) {
	for {
		// The last character of an identifier stands for three bits only.
		tail := id[len(id)-9 : len(id)-1]
		number := now.In(elicense.Shanghai).Format("20060102") + "-" + strings.ToUpper(string(tail))
		if used, err := taken(number); err != nil || !used {
			return number, err
		}
		id = elicense.NewID[elicense.CaseID](now)
	}
}

func (c *Cases) insert(tx *store.Tx, actor *elicense.Actor, n NewCase, by Channel) (*Case, error) {
	m, err := MatterOf(tx, n.Matter)
	if err != nil {
		return nil, err
	}
	k := &Case{
		ID: elicense.NewID[elicense.CaseID](tx.Now()), Number: strings.TrimSpace(n.Number), Unit: actor.Unit, Implementer: m.Unit, Matter: m.Code,
		MatterVersion: m.Version, MatterName: m.Name, Clerk: actor.Account, Kind: n.Kind, Channel: by, Facts: n.Facts,
		Purpose: strings.TrimSpace(n.Purpose), Opened: tx.Now(),
	}
	first := Open
	if actor.Kind == elicense.Holder {
		first, k.Unit, k.Clerk, k.Applicant = Begin, m.Unit, "", actor.Account
	} else if k.Due, err = c.within(tx, tx.Now(), completeDays); err != nil {
		return nil, err
	}
	if k.Number == "" {
		if k.Number, err = freeNumber(tx.Now(), k.ID, func(number string) (bool, error) {
			var n int
			err := tx.Row(`SELECT COUNT(*) FROM office_case WHERE unit = $1 AND number = $2`, k.Unit, number).Scan(&n)
			return n > 0, err
		}); err != nil {
			return nil, err
		}
	}
	if k.Purpose == "" {
		k.Purpose = m.Name
	}
	if err := k.step(tx, actor, first, Doing{Facts: n.Facts, Officer: n.officer}); err != nil {
		return nil, err
	}
	_, err = tx.Exec(`INSERT INTO office_case (id, number, unit, matter, matter_version, matter_name, clerk, state, purpose, opened, closed, seq, mac,
		implementer, kind, channel, stage, applicant, facts_enc, due) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
		k.ID, k.Number, k.Unit, k.Matter, k.MatterVersion, k.MatterName, k.Clerk, k.State(), k.Purpose, k.Opened, k.Seq, k.mac(tx),
		k.Implementer, k.Kind, k.Channel, k.Stage, k.Applicant, k.factsEnc(tx), optional(k.Due))
	if elicense.IsKind(err, elicense.Conflict) {
		return nil, elicense.E(elicense.Conflict, "本单位已有同号的办件").At("number").Then("请核对办件编号").Because(err)
	}
	if err != nil {
		return nil, err
	}
	for i, p := range n.Parties {
		p.Place, p.ProvenBy, p.Proven = i, actor.Person, tx.Now()
		if p.Holder, err = tx.Holder(p.Ref, true); err != nil {
			return nil, err
		}
		if err := insertParty(tx, k.ID, p); err != nil {
			return nil, err
		}
		k.Parties = append(k.Parties, p)
	}
	return k, deemLater(tx, k)
}

func insertParty(tx *store.Tx, id elicense.CaseID, p Party) error {
	b, err := json.Marshal(p.Ref)
	if err != nil {
		return fmt.Errorf("party of case %s: %w", id, err)
	}
	_, err = tx.Exec(`INSERT INTO case_party (case_id, place, role, holder_key, content_enc, proof, proven_by, proven, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		id, p.Place, p.Role, p.Holder, tx.Encrypt("case_party", partyRow(id, p.Place), "content_enc", b), p.Proof, p.ProvenBy, p.Proven,
		tx.MAC("case_party", partyRow(id, p.Place), p.parts()...))
	return err
}

func partyRow(id elicense.CaseID, place int) string { return string(id) + "/" + strconv.Itoa(place) }

func (p *Party) parts() [][]byte {
	return [][]byte{
		[]byte(p.Role), []byte(p.Holder), []byte(p.Proof), []byte(p.ProvenBy), []byte(strconv.FormatInt(p.Proven.UnixMicro(), 10)),
	}
}

func (c *Case) mac(tx *store.Tx) *store.Code {
	return tx.MAC("office_case", string(c.ID), c.parts()...)
}

// parts are the columns that decide. Rows written before cases had a course have
// the first of them only, and their sum stands.
func (c *Case) parts() [][]byte {
	micros := func(t time.Time) []byte {
		if t.IsZero() {
			return nil
		}
		return []byte(strconv.FormatInt(t.UnixMicro(), 10))
	}
	list := [][]byte{
		[]byte(c.Number), []byte(c.Unit), []byte(c.Matter), []byte(strconv.Itoa(c.MatterVersion)), []byte(c.Clerk), []byte(c.State()),
		[]byte(c.Purpose), micros(c.Opened), micros(c.Closed), []byte(strconv.FormatInt(c.Seq, 10)),
	}
	if c.plain {
		return list
	}
	return append(list, []byte(c.Implementer), []byte(c.Kind), []byte(c.Channel), []byte(c.Stage), []byte(c.Applicant), c.factsText(), micros(c.Due))
}

func (c *Case) factsText() []byte {
	words := make([]string, len(c.Facts))
	for i, f := range c.Facts {
		words[i] = string(f)
	}
	return []byte(strings.Join(words, ","))
}

// factsEnc encrypts the facts: that someone is divorced is his own affair.
func (c *Case) factsEnc(tx *store.Tx) []byte {
	return tx.Encrypt("office_case", string(c.ID), "facts_enc", c.factsText())
}

// Of returns a case with its parties. Errors: NotFound; Unavailable if a row is
// not as the platform wrote it.
func Of(tx *store.Tx, id elicense.CaseID) (*Case, error) {
	kept, err := store.Keep(tx, "case "+string(id), func() (*Case, error) {
		list, err := list(tx, `WHERE id = $1`, id)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return nil, store.ErrNoRow
		}
		return list[0], nil
	})
	if err != nil {
		return nil, err
	}
	k := *kept
	k.Parties, k.Facts = slices.Clone(k.Parties), slices.Clone(k.Facts)
	return &k, nil
}

func list(tx *store.Tx, where string, args ...any) ([]*Case, error) {
	rows, err := tx.Query(`SELECT id, number, unit, matter, matter_version, matter_name, clerk, state, purpose, opened, closed, seq, mac,
		implementer, kind, channel, stage, applicant, facts_enc, due FROM office_case `+where, args...)
	if err != nil {
		return nil, err
	}
	var list []*Case
	for rows.Next() {
		var c Case
		var mac, facts []byte
		var open string
		err := rows.Scan(&c.ID, &c.Number, &c.Unit, &c.Matter, &c.MatterVersion, &c.MatterName, &c.Clerk, &open, &c.Purpose,
			&c.Opened, &c.Closed, &c.Seq, &mac, &c.Implementer, &c.Kind, &c.Channel, &c.Stage, &c.Applicant, &facts, &c.Due)
		if err != nil {
			return nil, err
		}
		if c.Stage == "" {
			c.plain, c.Kind, c.Channel, c.Implementer, c.Stage = true, Application, AtWindow, c.Unit, Closed
			if open == "open" {
				c.Stage = Received
			}
		} else if err := c.openFacts(tx, facts); err != nil {
			return nil, err
		}
		if open != c.State() {
			mac = nil // lists go by that column, and the stage is what was written
		}
		if err := tx.CheckMAC(mac, "office_case", string(c.ID), c.parts()...); err != nil {
			return nil, err
		}
		c.plain = false
		if c.Parties, err = parties(tx, c.ID); err != nil {
			return nil, err
		}
		list = append(list, &c)
	}
	return list, nil
}

func (c *Case) openFacts(tx *store.Tx, sealed []byte) error {
	b, err := tx.Decrypt("office_case", string(c.ID), "facts_enc", sealed)
	if err != nil {
		return err
	}
	for _, f := range strings.FieldsFunc(string(b), func(r rune) bool { return r == ',' }) {
		c.Facts = append(c.Facts, Condition(f))
	}
	return nil
}

func parties(tx *store.Tx, id elicense.CaseID) ([]Party, error) {
	rows, err := tx.Query(`SELECT place, role, holder_key, content_enc, proof, proven_by, proven, mac FROM case_party WHERE case_id = $1 ORDER BY place`, id)
	if err != nil {
		return nil, err
	}
	var list []Party
	for rows.Next() {
		var p Party
		var b, mac []byte
		if err := rows.Scan(&p.Place, &p.Role, &p.Holder, &b, &p.Proof, &p.ProvenBy, &p.Proven, &mac); err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "case_party", partyRow(id, p.Place), p.parts()...); err != nil {
			return nil, err
		}
		if b, err = tx.Decrypt("case_party", partyRow(id, p.Place), "content_enc", b); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, &p.Ref); err != nil {
			return nil, fmt.Errorf("party of case %s: %w", id, err)
		}
		list = append(list, p)
	}
	return list, nil
}

// Thing describes a case to the law text. A case that does not exist is
// described as nobody's, so that the refusal is the same as for another's.
func Thing(c *Case, m *Matter) access.Thing {
	if c == nil {
		c, m = &Case{}, &Matter{}
	}
	var parties, proven, types, fields, files []string
	for _, p := range c.Parties {
		parties = append(parties, string(p.Holder))
		if p.Proof != ProofNone && !p.Proven.IsZero() {
			proven = append(proven, string(p.Holder))
		}
	}
	for i := range m.Materials {
		mat := &m.Materials[i]
		if !mat.Asked(c.Facts) {
			continue
		}
		for _, t := range mat.Types {
			types = append(types, string(t))
			if mat.File {
				files = append(files, string(t))
			}
			for _, k := range mat.Fields[t] {
				fields = append(fields, FieldName(t, k))
			}
		}
	}
	return access.Thing{Kind: "Case", ID: string(c.ID), Attr: access.Attr{
		"unit": string(c.Unit), "units": c.units(), "clerk": string(c.Clerk), "state": c.State(), "stage": string(c.Stage), "applicant": string(c.Applicant),
		"parties": parties, "proven": proven, "types": types, "fields": fields, "files": files,
	}}
}

// units are those whose clerks handle the case: who accepts and who decides.
func (c *Case) units() []string {
	if c.Unit == c.Implementer {
		return []string{string(c.Unit)}
	}
	return []string{string(c.Unit), string(c.Implementer)}
}

// FieldName names a field of a type to the law text.
func FieldName(t elicense.TypeCode, key string) string { return string(t) + "/" + key }

// Find returns a case and its matter for a decision; both are nil if there is no
// such case.
func Find(tx *store.Tx, id elicense.CaseID) (*Case, *Matter, error) {
	c, err := Of(tx, id)
	if elicense.IsKind(err, elicense.NotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	m, err := matterAt(tx, c.Matter, c.MatterVersion)
	if err == nil {
		m, err = withLocal(tx, m)
	}
	return c, m, err
}

// Rests is what a decision about the case rests on.
func (c *Case) Rests() []access.Rests {
	if c == nil {
		return nil
	}
	return []access.Rests{{Query: `SELECT seq FROM office_case WHERE id = $1`, Args: []any{string(c.ID)}, Want: c.Seq}}
}

func (c *Cases) request(actor *elicense.Actor, act access.Act, id elicense.CaseID) func(tx *store.Tx) (access.Request, error) {
	return func(tx *store.Tx) (access.Request, error) {
		k, m, err := Find(tx, id)
		if err != nil {
			return access.Request{}, err
		}
		return access.Request{Actor: actor, Act: act, On: Thing(k, m), Rests: k.Rests(), Note: access.Note{Case: id}}, nil
	}
}

// Get returns a case to its clerk. Errors: Forbidden, also if there is no such
// case.
func (c *Cases) Get(ctx context.Context, actor *elicense.Actor, id elicense.CaseID) (k *Case, m *Matter, err error) {
	_, err = c.guard.Read(ctx, c.request(actor, access.CaseRead, id), func(tx *store.Tx, _ *access.Permit) (err error) {
		k, m, err = Find(tx, id)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return k, m, nil
}

// Close closes a case (办结). From then on no license is queried in it.
//
// Errors: Forbidden; Conflict if it is closed.
func (c *Cases) Close(ctx context.Context, actor *elicense.Actor, id elicense.CaseID) error {
	_, err := c.Do(ctx, actor, id, Finish, Doing{})
	return err
}

// Mine lists the newest cases of a clerk, the open ones first.
func (c *Cases) Mine(ctx context.Context, actor *elicense.Actor, limit int) (mine []*Case, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		mine, err = list(tx, `WHERE clerk = $1 ORDER BY state DESC, opened DESC LIMIT $2`, actor.Account, limit)
		return err
	})
	return mine, err
}

// OpenOf lists the open cases a holder is a party of, for telling their clerks
// that a license has changed (Art. 10).
func OpenOf(tx *store.Tx, holder elicense.HolderKey) ([]*Case, error) {
	return list(tx, `WHERE state = 'open' AND id IN (SELECT case_id FROM case_party WHERE holder_key = $1) ORDER BY id`, holder)
}

// EachCase reads every case with its parties, its materials and its course, which
// must lead to the stage it is at; f gets the error of one that is not as it was
// left.
func EachCase(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "office_case", func(id string) error {
		return f(id, checkCase(tx, elicense.CaseID(id)))
	})
}

func checkCase(tx *store.Tx, id elicense.CaseID) error {
	k, err := Of(tx, id)
	if err != nil {
		return err
	}
	if _, err := GivenOf(tx, id); err != nil {
		return err
	}
	course, err := CourseOf(tx, id)
	if err != nil || len(course) == 0 { // opened before cases had a course
		return err
	}
	stage := Stage("")
	for i, s := range course {
		if s.Seq != int64(i)+1 {
			return fmt.Errorf("step %d is numbered %d", i+1, s.Seq)
		}
		if stage, err = stage.After(s.Kind); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	if stage != k.Stage || int64(len(course)) != k.Seq {
		return fmt.Errorf("%d steps lead to %s, the row is at %s after %d", len(course), stage, k.Stage, k.Seq)
	}
	return nil
}
