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
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/store"
)

// Way is how a material of a matter is met (Art. 11(1), 12).
type Way string

// The ways.
const (
	Shared Way = "shared" // 免提交: from the platform
	Verify Way = "verify" // 核验: the platform confirms it
	Upload Way = "upload" // 上传
	Form   Way = "form"   // 填表
	Remote Way = "remote" // 数据共享 from another system
)

var wayWords = map[Way]string{Shared: "免提交", Verify: "核验", Upload: "上传", Form: "填表", Remote: "数据共享"}

// Chinese returns the word shown to people.
func (w Way) Chinese() string { return wayWords[w] }

// Material is a line of a matter's material list.
type Material struct {
	Name string `json:"name"`
	Way  Way    `json:"way"`
	// Types are the license types that meet the material, empty for uploads and
	// forms; any one is enough.
	Types []elicense.TypeCode `json:"types,omitempty"`
	// Fields are the keys shown to the clerk, by type: what the matter needs and
	// no more.
	Fields map[elicense.TypeCode][]string `json:"fields,omitempty"`
	// Optional materials are asked for only if the case needs them.
	Optional bool `json:"optional,omitempty"`
	// OrUpload allows another document instead, such as a lease.
	OrUpload bool `json:"orUpload,omitempty"`
	// Basis is the law, regulation or rule by which paper or presence stays.
	Basis string `json:"basis,omitempty"`
}

// Matter is a service item an application unit handles.
type Matter struct {
	Code      elicense.MatterCode
	Name      string
	Unit      elicense.UnitCode
	Version   int
	Days      int               // promised working days
	Result    elicense.TypeCode // the license that comes of it, if any
	Materials []Material
}

type matterContent struct {
	Days      int               `json:"days"`
	Result    elicense.TypeCode `json:"result"`
	Materials []Material        `json:"materials"`
}

// Types lists the license types of the material list.
func (m *Matter) Types() []elicense.TypeCode {
	var list []elicense.TypeCode
	for _, mat := range m.Materials {
		for _, t := range mat.Types {
			if !slices.Contains(list, t) {
				list = append(list, t)
			}
		}
	}
	return list
}

// PutMatter enters a matter or a new version of it.
func PutMatter(tx *store.Tx, m *Matter) error {
	content, err := json.Marshal(matterContent{m.Days, m.Result, m.Materials})
	if err != nil {
		return fmt.Errorf("matter %s: %w", m.Code, err)
	}
	m.Version = 1
	before, err := matters(tx, `WHERE code = $1`+tx.ForUpdate(), m.Code)
	if err != nil {
		return err
	}
	if len(before) > 0 {
		m.Version = before[0].Version + 1
	}
	_, err = tx.Exec(`INSERT INTO matter (code, name, unit, version, content, mac) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (code) DO UPDATE SET name = excluded.name, unit = excluded.unit, version = excluded.version, content = excluded.content, mac = excluded.mac`,
		m.Code, m.Name, m.Unit, m.Version, content, tx.MAC("matter", string(m.Code), m.parts(content)...))
	return err
}

// parts are the columns of a matter that decide what a clerk may see.
func (m *Matter) parts(content []byte) [][]byte {
	return [][]byte{[]byte(m.Name), []byte(m.Unit), []byte(strconv.Itoa(m.Version)), content}
}

// MatterOf returns a matter. Errors: NotFound.
func MatterOf(tx *store.Tx, code elicense.MatterCode) (*Matter, error) {
	list, err := matters(tx, `WHERE code = $1`, code)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, elicense.E(elicense.NotFound, "没有这个事项").At("matterCode").Then("请从事项清单里选择")
	}
	return list[0], nil
}

func matters(tx *store.Tx, where string, args ...any) ([]*Matter, error) {
	rows, err := tx.Query(`SELECT code, name, unit, version, content, mac FROM matter `+where, args...)
	if err != nil {
		return nil, err
	}
	var list []*Matter
	for rows.Next() {
		var m Matter
		var b, mac []byte
		if err := rows.Scan(&m.Code, &m.Name, &m.Unit, &m.Version, &b, &mac); err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "matter", string(m.Code), m.parts(b)...); err != nil {
			return nil, err
		}
		c, err := parse(m.Code, b)
		if err != nil {
			return nil, err
		}
		m.Days, m.Result, m.Materials = c.Days, c.Result, c.Materials
		list = append(list, &m)
	}
	return list, nil
}

// parsed keeps what the contents of matters mean, by the content itself: the
// rows are read each time, and only the work of parsing them is saved.
var parsed sync.Map // string → matterContent

func parse(code elicense.MatterCode, content []byte) (c matterContent, err error) {
	key := string(content)
	if kept, ok := parsed.Load(key); ok {
		return kept.(matterContent), nil
	}
	if err := json.Unmarshal(content, &c); err != nil {
		return c, fmt.Errorf("matter %s: %w", code, err)
	}
	parsed.Store(key, c)
	return c, nil
}

// Proof is how a party's identity was proven (Art. 17(3)).
type Proof string

// The proofs of identity. None is not a proof: the law refuses it.
const (
	ProofNone        Proof = ""
	ProofCard        Proof = "card"        // 身份证读卡器
	ProofFace        Proof = "face"        // 人脸识别, never the only way
	ProofNetwork     Proof = "network-id"  // 国家网络身份认证
	ProofCertificate Proof = "certificate" // 数字证书
	ProofLicense     Proof = "e-license"   // 电子营业执照
	ProofOriginal    Proof = "original"    // 人工核对证件原件
)

var proofWords = map[Proof]string{
	ProofNone: "未核实", ProofCard: "身份证读卡核验", ProofFace: "人脸核验", ProofNetwork: "国家网络身份认证",
	ProofCertificate: "数字证书", ProofLicense: "电子营业执照", ProofOriginal: "人工核对证件原件",
}

// Chinese returns the words shown to people.
func (p Proof) Chinese() string { return proofWords[p] }

// Proofs lists the proofs a clerk can choose from.
func Proofs() []Proof {
	return []Proof{ProofCard, ProofNetwork, ProofFace, ProofCertificate, ProofLicense, ProofOriginal}
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

// Case is an office case.
type Case struct {
	ID            elicense.CaseID
	Number        string
	Unit          elicense.UnitCode
	Matter        elicense.MatterCode
	MatterVersion int
	MatterName    string
	Clerk         elicense.AccountID
	State         string // open, closed
	Purpose       string
	Opened        time.Time
	Closed        time.Time
	Parties       []Party
	Seq           int64
}

// Open tells whether licenses can be queried in the case.
func (c *Case) Open() bool { return c.State == "open" }

// Cases keeps matters and cases.
type Cases struct {
	db    *store.DB
	guard *access.Guard
}

// New returns the cases kept in db.
func New(db *store.DB, guard *access.Guard) *Cases { return &Cases{db, guard} }

// Matters lists the matters of a unit, of all if unit is empty.
func (c *Cases) Matters(ctx context.Context, unit elicense.UnitCode) (list []*Matter, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		list, err = matters(tx, `WHERE ($1 = '' OR unit = $2) ORDER BY code`, unit, unit)
		return err
	})
	return list, err
}

// Matter returns one matter. Errors: NotFound.
func (c *Cases) Matter(ctx context.Context, code elicense.MatterCode) (m *Matter, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		m, err = MatterOf(tx, code)
		return err
	})
	return m, err
}

// NewCase is what is needed to open a case.
type NewCase struct {
	Number  string // the case's number at the unit; drawn if empty
	Matter  elicense.MatterCode
	Purpose string // empty is the matter's name
	Parties []Party
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
	if len(n.Parties) > maxParties {
		return elicense.E(elicense.TooLarge, "一个办件最多登记%d位当事人", maxParties).At("parties")
	}
	if !fits(n.Number, maxNumber) {
		return elicense.E(elicense.Invalid, "办件编号最多%d个字，不能有控制字符", maxNumber).At("number")
	}
	if !fits(n.Purpose, maxPurpose) {
		return elicense.E(elicense.Invalid, "用途最多%d个字，不能有控制字符", maxPurpose).At("purpose")
	}
	for i, p := range n.Parties {
		if !fits(p.Role, maxRole) {
			return inParty(elicense.E(elicense.Invalid, "当事人的身份最多%d个字", maxRole).At("role"), i)
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
		return access.Request{
			Actor: actor, Act: access.CaseOpen,
			On: access.Thing{Kind: "Case", ID: "new", Attr: access.Attr{
				"unit": string(m.Unit), "parties": len(n.Parties), "unproven": unproven,
			}},
			Rests: []access.Rests{{Query: `SELECT version FROM matter WHERE code = $1`, Args: []any{string(m.Code)}, Want: int64(m.Version)}},
			Note:  access.Note{Detail: map[string]string{"matter": string(m.Code)}},
		}, nil
	}
	err := c.guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) (err error) {
		made, err = insert(tx, actor, n)
		if err == nil {
			p.Note.Case = made.ID
		}
		return err
	})
	return made, err
}

func inParty(err error, i int) error {
	if e, ok := err.(*elicense.Error); ok {
		e.Field = "parties." + strconv.Itoa(i+1) + "." + e.Field
	}
	return err
}

func insert(tx *store.Tx, actor *elicense.Actor, n NewCase) (*Case, error) {
	m, err := MatterOf(tx, n.Matter)
	if err != nil {
		return nil, err
	}
	c := &Case{
		ID: elicense.NewID[elicense.CaseID](tx.Now()), Number: strings.TrimSpace(n.Number), Unit: actor.Unit, Matter: m.Code,
		MatterVersion: m.Version, MatterName: m.Name, Clerk: actor.Account, State: "open", Purpose: strings.TrimSpace(n.Purpose),
		Opened: tx.Now(), Seq: 1,
	}
	if c.Number == "" {
		c.Number = tx.Now().In(elicense.Shanghai).Format("20060102") + "-" + strings.ToUpper(string(c.ID[len(c.ID)-6:]))
	}
	if c.Purpose == "" {
		c.Purpose = m.Name
	}
	_, err = tx.Exec(`INSERT INTO office_case (id, number, unit, matter, matter_version, matter_name, clerk, state, purpose, opened, closed, seq, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL, $11, $12)`,
		c.ID, c.Number, c.Unit, c.Matter, c.MatterVersion, c.MatterName, c.Clerk, c.State, c.Purpose, c.Opened, c.Seq, c.mac(tx))
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
		if err := insertParty(tx, c.ID, p); err != nil {
			return nil, err
		}
		c.Parties = append(c.Parties, p)
	}
	return c, nil
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

func (c *Case) mac(tx *store.Tx) []byte { return tx.MAC("office_case", string(c.ID), c.parts()...) }

func (c *Case) parts() [][]byte {
	closed := ""
	if !c.Closed.IsZero() {
		closed = strconv.FormatInt(c.Closed.UnixMicro(), 10)
	}
	return [][]byte{
		[]byte(c.Number), []byte(c.Unit), []byte(c.Matter), []byte(strconv.Itoa(c.MatterVersion)), []byte(c.Clerk), []byte(c.State),
		[]byte(c.Purpose), []byte(strconv.FormatInt(c.Opened.UnixMicro(), 10)), []byte(closed), []byte(strconv.FormatInt(c.Seq, 10)),
	}
}

// Of returns a case with its parties. Errors: NotFound; Unavailable if a row is
// not as the platform wrote it.
func Of(tx *store.Tx, id elicense.CaseID) (*Case, error) {
	list, err := list(tx, `WHERE id = $1`, id)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, store.ErrNoRow
	}
	return list[0], nil
}

func list(tx *store.Tx, where string, args ...any) ([]*Case, error) {
	rows, err := tx.Query(`SELECT id, number, unit, matter, matter_version, matter_name, clerk, state, purpose, opened, closed, seq, mac
		FROM office_case `+where, args...)
	if err != nil {
		return nil, err
	}
	var list []*Case
	for rows.Next() {
		var c Case
		var mac []byte
		err := rows.Scan(&c.ID, &c.Number, &c.Unit, &c.Matter, &c.MatterVersion, &c.MatterName, &c.Clerk, &c.State, &c.Purpose,
			&c.Opened, &c.Closed, &c.Seq, &mac)
		if err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "office_case", string(c.ID), c.parts()...); err != nil {
			return nil, err
		}
		if c.Parties, err = parties(tx, c.ID); err != nil {
			return nil, err
		}
		list = append(list, &c)
	}
	return list, nil
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
	var parties, proven, types, fields []string
	for _, p := range c.Parties {
		parties = append(parties, string(p.Holder))
		if p.Proof != ProofNone && !p.Proven.IsZero() {
			proven = append(proven, string(p.Holder))
		}
	}
	for _, t := range m.Types() {
		types = append(types, string(t))
	}
	for _, mat := range m.Materials {
		for t, keys := range mat.Fields {
			for _, k := range keys {
				fields = append(fields, FieldName(t, k))
			}
		}
	}
	return access.Thing{Kind: "Case", ID: string(c.ID), Attr: access.Attr{
		"unit": string(c.Unit), "clerk": string(c.Clerk), "state": c.State,
		"parties": parties, "proven": proven, "types": types, "fields": fields,
	}}
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
	m, err := MatterOf(tx, c.Matter)
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
	return c.guard.Write(ctx, c.request(actor, access.CaseClose, id), func(tx *store.Tx, _ *access.Permit) error {
		k, err := Of(tx, id)
		if err != nil {
			return err
		}
		if !k.Open() {
			return elicense.E(elicense.Conflict, "这个办件已经办结")
		}
		k.State, k.Closed, k.Seq = "closed", tx.Now(), k.Seq+1
		n, err := tx.Exec(`UPDATE office_case SET state = $1, closed = $2, seq = $3, mac = $4 WHERE id = $5 AND seq = $6`,
			k.State, k.Closed, k.Seq, k.mac(tx), k.ID, k.Seq-1)
		if err == nil && n == 0 {
			return elicense.E(elicense.Conflict, "这个办件刚刚有人办过").Then("请刷新后核对")
		}
		return err
	})
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

// EachCase reads every case with its parties; f gets the error of one that is
// not as it was left.
func EachCase(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "office_case", func(id string) error {
		_, err := Of(tx, elicense.CaseID(id))
		return f(id, err)
	})
}

// Install enters matters: the set-up of a platform.
func (c *Cases) Install(ctx context.Context, list []*Matter) error {
	return c.db.Update(ctx, func(tx *store.Tx) error {
		for _, m := range list {
			if err := PutMatter(tx, m); err != nil {
				return fmt.Errorf("matter %s: %w", m.Code, err)
			}
		}
		return nil
	})
}

// EachMatter reads every matter; f gets the error of one that is not as it was
// left.
func EachMatter(tx *store.Tx, f func(id string, err error) error) error {
	rows, err := tx.Query(`SELECT code FROM matter ORDER BY code`)
	if err != nil {
		return err
	}
	for rows.Next() {
		var code elicense.MatterCode
		if err := rows.Scan(&code); err != nil {
			return err
		}
		_, err := MatterOf(tx, code)
		if err := f(string(code), err); err != nil {
			return err
		}
	}
	return nil
}
