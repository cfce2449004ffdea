package cases

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/notice"
	"elicense/org"
	"elicense/store"
)

// Way is how a material of a matter is met (Art. 11(1), 12).
type Way string

// The ways.
const (
	Shared   Way = "shared"   // 免提交: from the platform
	Verify   Way = "verify"   // 核验: the platform confirms it
	Upload   Way = "upload"   // 上传
	Original Way = "original" // 原件核对: the paper itself, only with a basis
	Form     Way = "form"     // 填表
	Remote   Way = "remote"   // 数据共享 from another system
)

var wayWords = map[Way]string{Shared: "免提交", Verify: "核验", Upload: "上传", Original: "原件核对", Form: "填表", Remote: "数据共享"}

// Chinese returns the word shown to people.
func (w Way) Chinese() string { return wayWords[w] }

// Condition is a fact of a case that decides whether a material is asked for.
type Condition string

// The closed set of conditions.
const (
	Married    Condition = "married"     // 已婚
	Divorced   Condition = "divorced"    // 离异
	ByAgent    Condition = "by-agent"    // 委托他人办理
	Rented     Condition = "rented"      // 场所为租赁
	CoOwned    Condition = "co-owned"    // 共有
	Minor      Condition = "minor"       // 涉及未成年人
	Mortgaged  Condition = "mortgaged"   // 已抵押
	CentralAir Condition = "central-air" // 使用集中空调
	Newcomer   Condition = "newcomer"    // 非本地户籍
)

var conditionWords = map[Condition]string{
	Married: "已婚", Divorced: "离异", ByAgent: "委托他人办理", Rented: "场所为租赁", CoOwned: "共有", Minor: "涉及未成年人",
	Mortgaged: "已抵押", CentralAir: "使用集中空调", Newcomer: "非本地户籍",
}

// Chinese returns the words shown to people.
func (c Condition) Chinese() string { return conditionWords[c] }

// Conditions lists the set in the order it is shown.
func Conditions() []Condition {
	return []Condition{Married, Divorced, ByAgent, Rented, CoOwned, Minor, Mortgaged, CentralAir, Newcomer}
}

// Effect is what an overlay of a license does in a matter: a court's sealing-up
// stops a transfer, and does not stop a child's enrolment at school.
type Effect string

// The effects. A matter that says nothing of an overlay warns.
const (
	Block  Effect = "block"
	Warn   Effect = "warn"
	Ignore Effect = "none"
)

// The overlays a matter can speak of. A suspended license is not usable at all.
const (
	OverlayPledge  = "pledge"
	OverlaySealUp  = "seal-up"
	OverlayDispute = "dispute"
)

var overlays = map[string]elicense.Overlays{OverlayPledge: elicense.Pledged, OverlaySealUp: elicense.SealedUp, OverlayDispute: elicense.Disputed}

// Material is a line of a matter's material list.
type Material struct {
	Name string `json:"name"`
	Way  Way    `json:"way"`
	// Types are the license types that meet the material, empty for uploads and
	// forms; any one is enough.
	Types []elicense.TypeCode `json:"types,omitempty"`
	// Elsewhere are those of Types that other regions issue as equivalents.
	Elsewhere []elicense.TypeCode `json:"elsewhere,omitempty"`
	// Fields are the keys shown to the clerk, by type: what the matter needs and
	// no more.
	Fields map[elicense.TypeCode][]string `json:"fields,omitempty"`
	// When are the facts of a case that make it ask for the material; all must
	// hold, and one written with a "!" must not. Empty asks always.
	When []string `json:"when,omitempty"`
	// Optional materials are asked for only if the clerk finds the case needs them.
	Optional bool `json:"optional,omitempty"`
	// OrUpload allows another document instead, such as a lease.
	OrUpload bool `json:"orUpload,omitempty"`
	// Later allows the case to be accepted without it for so many working days
	// (容缺受理); Promise allows the applicant's written promise instead (告知承诺).
	Later   int  `json:"later,omitempty"`
	Promise bool `json:"promise,omitempty"`
	// File lets the clerk see the document itself and not only fields.
	File bool `json:"file,omitempty"`
	// Basis is the law, regulation or rule by which the paper is looked at.
	Basis BasisID `json:"basis,omitempty"`
}

// Asked tells whether a case with these facts asks for the material.
func (m *Material) Asked(facts []Condition) bool {
	for _, w := range m.When {
		name, not := strings.CutPrefix(w, "!")
		if slices.Contains(facts, Condition(name)) == not {
			return false
		}
	}
	return true
}

// WhenWords says in Chinese when the material is asked for; "" for always.
func (m *Material) WhenWords() string {
	words := make([]string, len(m.When))
	for i, w := range m.When {
		if name, not := strings.CutPrefix(w, "!"); not {
			words[i] = "不是“" + Condition(name).Chinese() + "”"
		} else {
			words[i] = Condition(name).Chinese()
		}
	}
	return strings.Join(words, "、")
}

// Matter is a version of a service item an application unit handles (事项).
type Matter struct {
	Code elicense.MatterCode
	// Item is the code other systems know the matter by (GB/T 39554.1-2020): 12
	// characters for the base code, 31 with the unit and its level, 33 with the
	// business item; Fujian's older codes have 26. Empty where none is given.
	Item    string
	Name    string
	Unit    elicense.UnitCode // 实施单位
	Version int
	Days    int               // promised working days
	Result  elicense.TypeCode // the license that comes of it, if any
	// Online tells that it can be applied for online (Art. 11(1)); without it a
	// Presence must stand, the basis by which the applicant has to come.
	Online   bool
	Presence BasisID
	// Effects are what overlays of licenses do in this matter, by overlay.
	Effects   map[string]Effect
	Materials []Material

	State    VersionState
	Proposer elicense.PersonID
	Remark   string
	Proposed time.Time
	seq      int64
}

// VersionState is where a version of a matter stands.
type VersionState string

// The states of a version.
const (
	Proposed  VersionState = "proposed"
	Returned  VersionState = "returned"
	Published VersionState = "published"
	Replaced  VersionState = "replaced"
)

var versionWords = map[VersionState]string{Proposed: "待审", Returned: "已退回", Published: "已发布", Replaced: "历史版本"}

// Chinese returns the word shown to people.
func (s VersionState) Chinese() string { return versionWords[s] }

// matterContent is what is kept of a version as JSON.
type matterContent struct {
	Days      int               `json:"days"`
	Result    elicense.TypeCode `json:"result"`
	Item      string            `json:"item,omitempty"`
	Online    bool              `json:"online,omitempty"`
	Presence  BasisID           `json:"presence,omitempty"`
	Effects   map[string]Effect `json:"effects,omitempty"`
	Materials []Material        `json:"materials"`
}

func (m *Matter) content() ([]byte, error) {
	b, err := json.Marshal(matterContent{m.Days, m.Result, m.Item, m.Online, m.Presence, m.Effects, m.Materials})
	if err != nil {
		return nil, fmt.Errorf("matter %s: %w", m.Code, err)
	}
	return b, nil
}

func (m *Matter) fill(c matterContent) {
	m.Days, m.Result, m.Item, m.Online, m.Presence, m.Effects, m.Materials = c.Days, c.Result, c.Item, c.Online, c.Presence, c.Effects, c.Materials
}

// Types lists the license types of the material list.
func (m *Matter) Types() []elicense.TypeCode { return m.types(func(*Material) bool { return true }) }

// AskedTypes lists the types of the materials a case with these facts asks for.
func (m *Matter) AskedTypes(facts []Condition) []elicense.TypeCode {
	return m.types(func(mat *Material) bool { return mat.Asked(facts) })
}

func (m *Matter) types(want func(*Material) bool) []elicense.TypeCode {
	var list []elicense.TypeCode
	for i := range m.Materials {
		if !want(&m.Materials[i]) {
			continue
		}
		for _, t := range m.Materials[i].Types {
			if !slices.Contains(list, t) {
				list = append(list, t)
			}
		}
	}
	return list
}

// EffectOf says what the overlays of a license do in the matter: the strongest
// effect, and the word of the overlay that has it.
func (m *Matter) EffectOf(o elicense.Overlays) (e Effect, word string) {
	e = Ignore
	for _, name := range []string{OverlaySealUp, OverlayPledge, OverlayDispute} {
		if !o.Has(overlays[name]) {
			continue
		}
		of, said := m.Effects[name]
		if !said {
			of = Warn
		}
		if of == Block || e == Ignore && of == Warn {
			e, word = of, overlays[name].Words()[0]
		}
		if e == Block {
			break
		}
	}
	return e, word
}

// Bases lists the bases the matter cites.
func (m *Matter) Bases() []BasisID {
	var list []BasisID
	if m.Presence != "" {
		list = append(list, m.Presence)
	}
	for i := range m.Materials {
		if b := m.Materials[i].Basis; b != "" && !slices.Contains(list, b) {
			list = append(list, b)
		}
	}
	return list
}

// The limits of a matter; of texts, in characters.
const (
	maxMaterials = 60
	maxName      = 100
	maxDays      = 365
)

var (
	baseCode  = regexp.MustCompile(`^[0-9]{12}$`)
	itemCode  = regexp.MustCompile(`^[0-9A-HJ-NPQRTUWXY]{18}[1-6][0-9]{12}(?:[0-9]{2})?$`)
	olderCode = regexp.MustCompile(`^[0-9A-HJ-NPQRTUWXY]{18}[A-Z]{2}[0-9]{6}$`)
)

// CheckItem judges the code of a matter by its form: a base code of 12
// characters, one with the unit of 31 or 33, or Fujian's older one of 26.
func CheckItem(code string) error {
	switch {
	case baseCode.MatchString(code):
		return nil
	case itemCode.MatchString(code), olderCode.MatchString(code):
		if elicense.UnitCode(code[:18]).Check() > elicense.CodeDoubtful {
			return elicense.E(elicense.Invalid, "事项编码里单位代码的校验位不对").At("item").Under("GB/T 39554.1-2020").Then("请从事项清单里复制编码")
		}
		return nil
	}
	return elicense.E(elicense.Invalid, "事项编码应为12位、31位、33位，或福建原有的26位").At("item").Under("GB/T 39554.1-2020").Then("请从事项清单里复制编码")
}

// check judges a proposed version by its form and by the catalog. Fields of the
// error are like materials.2.fields, counted from 1.
func (m *Matter) check(tx *store.Tx) error {
	bad := func(field, text string, args ...any) *elicense.Error {
		return elicense.E(elicense.Invalid, text, args...).At(field).Under("第十一条第一款")
	}
	if m.Item != "" {
		if err := CheckItem(m.Item); err != nil {
			return err
		}
	}
	switch {
	case strings.TrimSpace(m.Name) == "" || !fits(m.Name, maxName):
		return bad("name", "要写明事项名称，最多%d个字", maxName)
	case m.Days < 0 || m.Days > maxDays:
		return bad("days", "承诺时限应为0到%d个工作日", maxDays)
	case len(m.Materials) == 0:
		return bad("materials", "材料清单是空的")
	case len(m.Materials) > maxMaterials:
		return bad("materials", "材料最多%d项", maxMaterials)
	case !m.Online && m.Presence == "":
		return bad("online", "没有到场的法定依据，就要开通网上申请").Then("请开通网上申请，或写明要求到场的法律、法规、规章")
	}
	for name, e := range m.Effects {
		if _, known := overlays[name]; !known || e != Block && e != Warn && e != Ignore {
			return bad("effects", "证照受限时的处理写得不对")
		}
	}
	if m.Presence != "" {
		if err := citable(tx, m.Presence, "presence"); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for i := range m.Materials {
		mat, at := &m.Materials[i], func(f string) string { return fmt.Sprintf("materials.%d.%s", i+1, f) }
		switch {
		case strings.TrimSpace(mat.Name) == "" || !fits(mat.Name, maxName):
			return bad(at("name"), "要写明材料名称，最多%d个字", maxName)
		case seen[mat.Name]:
			return bad(at("name"), "同一项材料列了两次")
		case wayWords[mat.Way] == "":
			return bad(at("way"), "要说明材料怎么提供：免提交、核验、上传、原件核对")
		case len(mat.Types) == 0 && (mat.Way == Shared || mat.Way == Verify):
			return bad(at("types"), "免提交、核验的材料要写明由哪类证照满足")
		case mat.Way == Original && mat.Basis == "":
			return bad(at("basis"), "要核对原件，就要写明法律、法规、规章的依据").Then("没有这样的依据时，请改为免提交、核验或上传")
		case mat.Later < 0 || mat.Later > maxDays:
			return bad(at("later"), "容缺的期限应为0到%d个工作日", maxDays)
		}
		seen[mat.Name] = true
		for _, w := range mat.When {
			if name := strings.TrimPrefix(w, "!"); conditionWords[Condition(name)] == "" {
				return bad(at("when"), "有的情形不在清单里").Then("请从所列的情形里选择")
			}
		}
		if mat.Basis != "" {
			if err := citable(tx, mat.Basis, at("basis")); err != nil {
				return err
			}
		}
		for _, code := range mat.Types {
			t, err := catalog.Current(tx, code)
			if elicense.IsKind(err, elicense.NotFound) {
				return bad(at("types"), "有的证照类别没有登记发布")
			}
			if err != nil {
				return err
			}
			if len(mat.Fields[code]) == 0 {
				return bad(at("fields"), "要写明需要%s的哪些内容", t.Name)
			}
			for _, k := range mat.Fields[code] {
				if t.Field(k) == nil {
					return bad(at("fields"), "要的内容里，有的不是%s的字段", t.Name)
				}
			}
		}
		for code := range mat.Fields {
			if !slices.Contains(mat.Types, code) {
				return bad(at("fields"), "要了不满足这项材料的证照的内容")
			}
		}
	}
	return nil
}

// Propose enters a matter, or a new version of it, for publishing. The versions
// before it stay as they are; cases keep the version they were opened under.
//
// Errors: Invalid naming the field; Forbidden; Conflict if another version waits
// or the code is another unit's.
func (c *Cases) Propose(ctx context.Context, actor *elicense.Actor, m *Matter) error {
	m.Unit = actor.Unit
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.MatterPropose,
			On:   access.Thing{Kind: "Matter", ID: string(m.Code), Attr: access.Attr{"unit": string(m.Unit)}},
			Note: access.Note{Detail: map[string]string{"matter": string(m.Code)}},
		}, nil
	}
	return c.guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		if !matterCode.MatchString(string(m.Code)) {
			return elicense.E(elicense.Invalid, "事项代码只用大写字母和数字，最多36位").At("code")
		}
		if err := m.check(tx); err != nil {
			return err
		}
		last, err := versions(tx, `WHERE code = $1 ORDER BY version DESC LIMIT 1`+tx.ForUpdate(), m.Code)
		if err != nil {
			return err
		}
		now, err := matters(tx, `WHERE code = $1`, m.Code)
		if err != nil {
			return err
		}
		m.Version = 1
		if len(now) > 0 {
			m.Version = now[0].Version + 1
			if now[0].Unit != m.Unit {
				return elicense.E(elicense.Conflict, "这个事项代码是别的单位的").At("code")
			}
		}
		if len(last) > 0 {
			switch {
			case last[0].Unit != m.Unit:
				return elicense.E(elicense.Conflict, "这个事项代码是别的单位的").At("code")
			case last[0].State == Proposed:
				return elicense.E(elicense.Conflict, "这个事项已有一个版本在待审").At("code").Then("请等它办完，或请管理部门先退回")
			}
			m.Version = max(m.Version, last[0].Version+1)
		}
		m.State, m.Proposer, m.Proposed, m.seq = Proposed, actor.Person, tx.Now(), 1
		p.Note.Detail = map[string]string{"matter": string(m.Code), "version": strconv.Itoa(m.Version)}
		return insertVersion(tx, m)
	})
}

var matterCode = regexp.MustCompile(`^[0-9A-Z]{1,36}$`)

// Decide publishes a proposed version or returns it with a remark.
//
// Errors: Invalid without a remark, or if a basis was repealed meanwhile;
// Forbidden; NotFound; Conflict if it is not waiting.
func (c *Cases) Decide(ctx context.Context, actor *elicense.Actor, code elicense.MatterCode, version int, publish bool, remark string) error {
	remark = strings.TrimSpace(remark)
	if !publish && remark == "" {
		return elicense.E(elicense.Invalid, "退回要写明原因").At("remark").Then("请填写原因再提交")
	}
	build := func(tx *store.Tx) (access.Request, error) {
		m, err := version1(tx, code, version)
		proposer, seq := "", int64(0)
		if err == nil {
			proposer, seq = string(m.Proposer), m.seq
		} else if !elicense.IsKind(err, elicense.NotFound) {
			return access.Request{}, err
		}
		req := access.Request{
			Actor: actor, Act: access.MatterPublish,
			On:   access.Thing{Kind: "Matter", ID: string(code), Attr: access.Attr{"proposer": proposer}},
			Note: access.Note{Detail: map[string]string{"matter": string(code), "version": strconv.Itoa(version), "publish": strconv.FormatBool(publish)}},
		}
		if seq > 0 {
			req.Rests = []access.Rests{{Query: `SELECT seq FROM matter_version WHERE code = $1 AND version = $2`, Args: []any{string(code), version}, Want: seq}}
		}
		return req, nil
	}
	return c.guard.Write(ctx, build, func(tx *store.Tx, _ *access.Permit) error {
		m, err := version1(tx, code, version)
		if err != nil {
			return err
		}
		if m.State != Proposed {
			return elicense.E(elicense.Conflict, "这个版本已经办过")
		}
		if !publish {
			return setVersion(tx, m, Returned, actor.Person, remark)
		}
		if err := m.check(tx); err != nil { // types and bases may have ended while it waited
			return err
		}
		older, err := versions(tx, `WHERE code = $1 AND state = 'published'`, code)
		if err != nil {
			return err
		}
		for _, o := range older {
			if err := setVersion(tx, o, Replaced, actor.Person, o.Remark); err != nil {
				return err
			}
		}
		if err := setVersion(tx, m, Published, actor.Person, remark); err != nil {
			return err
		}
		if err := endTasks(tx, m); err != nil {
			return err
		}
		return putMatter(tx, m)
	})
}

// PutMatter enters a matter or a new version of it as published: the set-up of a
// platform.
func PutMatter(tx *store.Tx, m *Matter) error {
	before, err := matters(tx, `WHERE code = $1`+tx.ForUpdate(), m.Code)
	if err != nil {
		return err
	}
	m.Version = 1
	if len(before) > 0 {
		m.Version = before[0].Version + 1
	}
	older, err := versions(tx, `WHERE code = $1 AND state = 'published'`, m.Code)
	if err != nil {
		return err
	}
	for _, o := range older {
		if err := setVersion(tx, o, Replaced, "", o.Remark); err != nil {
			return err
		}
	}
	m.State, m.Proposed, m.seq = Published, tx.Now(), 1
	if err := insertVersion(tx, m); err != nil {
		return err
	}
	return putMatter(tx, m)
}

// putMatter makes a version the one in force.
func putMatter(tx *store.Tx, m *Matter) error {
	content, err := m.content()
	if err != nil {
		return err
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

func (m *Matter) versionRow() string { return string(m.Code) + "/" + strconv.Itoa(m.Version) }

func (m *Matter) versionParts(content []byte) [][]byte {
	return append(m.parts(content), []byte(m.State), []byte(m.Proposer), []byte(strconv.FormatInt(m.seq, 10)))
}

func insertVersion(tx *store.Tx, m *Matter) error {
	content, err := m.content()
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO matter_version (code, version, name, unit, content, state, proposer, decider, remark, proposed, decided, seq, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, '', $8, $9, NULL, $10, $11)`,
		m.Code, m.Version, m.Name, m.Unit, content, m.State, m.Proposer, m.Remark, m.Proposed, m.seq,
		tx.MAC("matter_version", m.versionRow(), m.versionParts(content)...))
	return err
}

func setVersion(tx *store.Tx, m *Matter, s VersionState, decider elicense.PersonID, remark string) error {
	content, err := m.content()
	if err != nil {
		return err
	}
	m.State, m.Remark, m.seq = s, remark, m.seq+1
	n, err := tx.Exec(`UPDATE matter_version SET state = $1, decider = $2, remark = $3, decided = $4, seq = $5, mac = $6 WHERE code = $7 AND version = $8 AND seq = $9`,
		m.State, decider, remark, tx.Now(), m.seq, tx.MAC("matter_version", m.versionRow(), m.versionParts(content)...), m.Code, m.Version, m.seq-1)
	if err == nil && n == 0 {
		return elicense.E(elicense.Conflict, "这个版本刚刚有人办过").Then("请刷新后核对")
	}
	return err
}

func versions(tx *store.Tx, where string, args ...any) ([]*Matter, error) {
	rows, err := tx.Query(`SELECT code, version, name, unit, content, state, proposer, remark, proposed, seq, mac FROM matter_version `+where, args...)
	if err != nil {
		return nil, err
	}
	var list []*Matter
	for rows.Next() {
		var m Matter
		var b, mac []byte
		if err := rows.Scan(&m.Code, &m.Version, &m.Name, &m.Unit, &b, &m.State, &m.Proposer, &m.Remark, &m.Proposed, &m.seq, &mac); err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "matter_version", m.versionRow(), m.versionParts(b)...); err != nil {
			return nil, err
		}
		c, err := parse(m.Code, b)
		if err != nil {
			return nil, err
		}
		m.fill(c)
		list = append(list, &m)
	}
	return list, nil
}

func version1(tx *store.Tx, code elicense.MatterCode, version int) (*Matter, error) {
	list, err := versions(tx, `WHERE code = $1 AND version = $2`, code, version)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, elicense.E(elicense.NotFound, "没有事项的这个版本")
	}
	return list[0], nil
}

// MatterOf returns the version of a matter in force. Errors: NotFound.
func MatterOf(tx *store.Tx, code elicense.MatterCode) (*Matter, error) {
	m, err := store.Keep(tx, "matter "+string(code), func() (Matter, error) {
		list, err := matters(tx, `WHERE code = $1`, code)
		if err != nil {
			return Matter{}, err
		}
		if len(list) == 0 {
			return Matter{}, elicense.E(elicense.NotFound, "没有这个事项").At("matterCode").Then("请从事项清单里选择")
		}
		return *list[0], nil
	})
	if err != nil {
		return nil, err
	}
	return &m, nil
}

// matterAt returns the version a case was opened under.
func matterAt(tx *store.Tx, code elicense.MatterCode, version int) (*Matter, error) {
	m, err := MatterOf(tx, code)
	if err != nil || m.Version == version {
		return m, err
	}
	if m, err = store.Keep(tx, "matter "+string(code)+" "+strconv.Itoa(version), func() (*Matter, error) { return version1(tx, code, version) }); err != nil {
		return nil, err
	}
	one := *m
	return &one, nil
}

func matters(tx *store.Tx, where string, args ...any) ([]*Matter, error) {
	rows, err := tx.Query(`SELECT code, name, unit, version, content, mac FROM matter `+where, args...)
	if err != nil {
		return nil, err
	}
	var list []*Matter
	for rows.Next() {
		m := Matter{State: Published}
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
		m.fill(c)
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

// Matters lists the matters of a unit that are in force, of all if unit is
// empty; with those another unit has entrusted to it.
func (c *Cases) Matters(ctx context.Context, unit elicense.UnitCode) (list []*Matter, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		list, err = matters(tx, `WHERE ($1 = '' OR unit = $2) ORDER BY code`, unit, unit)
		if err != nil || unit == "" {
			return err
		}
		by, err := entrusted(tx, unit)
		if err != nil {
			return err
		}
		for _, by := range by {
			more, err := matters(tx, `WHERE unit = $1 ORDER BY code`, by)
			if err != nil {
				return err
			}
			list = append(list, more...)
		}
		return nil
	})
	return list, err
}

// Matter returns one matter as it is in force. Errors: NotFound.
func (c *Cases) Matter(ctx context.Context, code elicense.MatterCode) (m *Matter, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		m, err = MatterOf(tx, code)
		return err
	})
	return m, err
}

// MatterVersions lists the versions of a matter, the newest first.
func (c *Cases) MatterVersions(ctx context.Context, code elicense.MatterCode) (list []*Matter, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		list, err = versions(tx, `WHERE code = $1 ORDER BY version DESC`, code)
		return err
	})
	return list, err
}

// WaitingMatters lists the versions that wait to be published.
func (c *Cases) WaitingMatters(ctx context.Context) (list []*Matter, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		list, err = versions(tx, `WHERE state = 'proposed' ORDER BY proposed, code`)
		return err
	})
	return list, err
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

// EachMatter reads every matter and every version; f gets the error of one that
// is not as it was left.
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
		if err == nil {
			_, err = versions(tx, `WHERE code = $1`, code)
		}
		if err := f(string(code), err); err != nil {
			return err
		}
	}
	return nil
}

// tell sends a notice to everyone of the unit who has the duty.
func tell(tx *store.Tx, unit elicense.UnitCode, d elicense.Duty, n notice.Notice) error {
	return org.Tell(tx, unit, []elicense.Duty{d}, func(to elicense.AccountID) error { return notice.Send(tx, notice.AccountInbox(to), n) })
}
