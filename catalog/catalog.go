// Package catalog keeps the register of license types (证照类别登记, Art. 6): what
// a license of each type is called, who issues it, what it says, how it looks,
// how long it is valid and how it is made.
//
// An entry is proposed by a unit that issues the type, checked by the
// e-government administration for form and duplicates, and published. A
// published entry is never edited: a change is a new version, and licenses keep
// the version they were made under.
package catalog

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"elicense"
	"elicense/access"
	"elicense/face"
	"elicense/store"
)

// State is where a version of an entry stands.
type State string

// The states of an entry.
const (
	Proposed  State = "proposed"  // 待审
	Returned  State = "returned"  // 退回
	Published State = "published" // 已发布
	Replaced  State = "replaced"  // 有更新的版本
	Retired   State = "retired"   // 停用: the type is abolished, its licenses stay readable
)

var stateWords = map[State]string{
	Proposed: "待审", Returned: "已退回", Published: "已发布", Replaced: "历史版本", Retired: "已停用",
}

// Chinese returns the word shown to people.
func (s State) Chinese() string { return stateWords[s] }

// Mode is how licenses of a type are made (Art. 7).
type Mode string

// The modes of making.
const (
	Online   Mode = "online"   // 在线生成, Art. 7(1)
	Offline  Mode = "offline"  // 离线生成, Art. 7(2)
	Bulk     Mode = "bulk"     // 批量, Art. 7(3)
	National Mode = "national" // 按照国家规范制作: kept as references, Art. 7(1) last sentence
	Legacy   Mode = "legacy"   // no longer made
)

var modeWords = map[Mode]string{
	Online: "在线生成", Offline: "离线生成", Bulk: "批量生成", National: "按照国家规范制作", Legacy: "不再制作",
}

// Chinese returns the word shown to people.
func (m Mode) Chinese() string { return modeWords[m] }

// Made tells whether the platform makes licenses of this mode itself.
func (m Mode) Made() bool { return m == Online || m == Offline || m == Bulk }

// Holders says who can hold licenses of a type.
type Holders string

// The holder kinds.
const (
	Persons       Holders = "person"
	Organizations Holders = "org"
	AnyHolder     Holders = "any"
)

var holdersWords = map[Holders]string{Persons: "自然人", Organizations: "法人和其他组织", AnyHolder: "自然人、法人和其他组织"}

// Chinese returns the word shown to people.
func (h Holders) Chinese() string { return holdersWords[h] }

// Validity is the rule for how long a license is valid.
type Validity struct {
	// Kind is none (长期), years (counted from the issue date) or field (the face
	// has a field with the last day).
	Kind  string `json:"kind"`
	Years int    `json:"years,omitempty"`
	Text  string `json:"text"` // as the law says it, for people
}

// Field is one field of a type's licenses.
type Field struct {
	Key      string       `json:"key"`
	Label    string       `json:"label"`
	Type     string       `json:"type"` // see fieldTypes
	Required bool         `json:"required"`
	Class    access.Class `json:"class"`
	// Options are what an enum can say; empty leaves it open.
	Options []string `json:"options,omitempty"`
}

// Roles names the fields that carry what the platform itself must know of a
// license. A type without such a field leaves the key empty.
type Roles struct {
	HolderName string `json:"holderName"`
	HolderCode string `json:"holderCode,omitempty"`
	Number     string `json:"number,omitempty"` // 证照编号
	IssueDate  string `json:"issueDate,omitempty"`
	ValidFrom  string `json:"validFrom,omitempty"`
	ValidTo    string `json:"validTo,omitempty"`
}

// NotShared is the sharing attribute of types no case uses (不予共享).
const NotShared = "不予共享"

// Type is one version of an entry.
type Type struct {
	Code     elicense.TypeCode   `json:"code"`
	Version  int                 `json:"version,omitempty"`
	Name     string              `json:"name"`              // 证照名称, Art. 6(1)
	English  string              `json:"english,omitempty"` // for the English pages
	Unit     elicense.UnitCode   `json:"unit,omitempty"`    // who registers and manages the type
	Issuers  []elicense.UnitCode `json:"issuers"`           // 签发单位, Art. 6(2)
	Category string              `json:"category"`          // 事项类别, Art. 6(3)
	Face     *Face               `json:"face,omitempty"`    // 证照模板信息, Art. 6(4)
	Validity Validity            `json:"validity"`          // 证照有效期限, Art. 6(5)
	Holders  Holders             `json:"holders"`
	Mode     Mode                `json:"mode"`
	Reason   string              `json:"reason,omitempty"` // why offline or bulk, or the national rule
	Basis    string              `json:"basis"`            // legal basis
	Fields   []Field             `json:"fields"`
	Roles    Roles               `json:"roles"`
	Annual   string              `json:"annual,omitempty"`  // yearly inspection duty, Art. 11(2)
	Sharing  string              `json:"sharing,omitempty"` // 无条件共享, 有条件共享, 不予共享
	Open     bool                `json:"open"`              // 非涉密确认, Art. 2
	// Consent tells that the holder has to agree before a case uses a license of
	// the type: it says something sensitive of him (个人信息保护法 28, 29).
	Consent bool `json:"consent,omitempty"`
	// Level is how strongly one must have signed in to use it, from 1 (Art. 17(3)).
	Level int `json:"level,omitempty"`
	// Qualification is the type of license a third party must hold in force to
	// issue this one (取得法定资质的第三方机构, Art. 2); empty asks for none.
	Qualification elicense.TypeCode `json:"qualification,omitempty"`

	// Standard is the provincial standard type this one is a local instance of (省级
	// 标准类别); empty for one that stands for itself.
	Standard elicense.TypeCode `json:"standard,omitempty"`

	State    State             `json:"-"`
	Proposer elicense.PersonID `json:"-"`
	Decider  elicense.PersonID `json:"-"`
	Remark   string            `json:"-"` // why it was returned
	Proposed time.Time         `json:"-"`
	Decided  time.Time         `json:"-"`
	// Confirmed is when the unit last said that the entry is right: by proposing it,
	// which counts from its publication, or since.
	Confirmed time.Time `json:"-"`
	reminded  int       // for how many months without a confirmation
	seq       int64
	content   []byte // as it is kept
}

func (t *Type) row() string { return fmt.Sprintf("%s/%d", t.Code, t.Version) }

// parts are the columns of a version that decide.
func (t *Type) parts(content []byte) [][]byte {
	return [][]byte{
		[]byte(t.Unit), []byte(t.State), content, []byte(t.Proposer), []byte(t.Decider), []byte(strconv.FormatInt(t.seq, 10)),
	}
}

// Field returns the field with the key, nil if there is none.
func (t *Type) Field(key string) *Field {
	for i := range t.Fields {
		if t.Fields[i].Key == key {
			return &t.Fields[i]
		}
	}
	return nil
}

// Issued tells whether the unit is registered as an issuer of the type.
func (t *Type) Issued(unit elicense.UnitCode) bool { return slices.Contains(t.Issuers, unit) }

// ValidTo computes the last day of a license issued on the day, from its fields.
// The empty date is 长期.
func (t *Type) ValidTo(issued elicense.Date, fields map[string]string) elicense.Date {
	if k := t.Roles.ValidTo; k != "" && fields[k] != "" && fields[k] != "长期" {
		return elicense.Date(fields[k])
	}
	if t.Validity.Kind == "years" && t.Validity.Years > 0 {
		return issued.AddYears(t.Validity.Years, true)
	}
	return ""
}

// Catalog is the register.
type Catalog struct {
	db    *store.DB
	guard *access.Guard
}

// New returns the register kept in db.
func New(db *store.DB, guard *access.Guard) *Catalog { return &Catalog{db, guard} }

// Propose enters a new type or a new version of one, to be checked by the
// administration. Several proposals of one code are not open at a time.
//
// Errors: Invalid naming the field; Forbidden; Conflict.
func (c *Catalog) Propose(ctx context.Context, actor *elicense.Actor, t *Type) error {
	t.normalize()
	return c.propose(ctx, actor, t, t.check())
}

// ProposeText is Propose for an entry whose face is sent as the text of a
// template.
//
// Errors: Invalid naming the field; TooLarge; Forbidden; Conflict.
func (c *Catalog) ProposeText(ctx context.Context, actor *elicense.Actor, t *Type, template []byte) error {
	f, wrong := ParseFace(template)
	if t.Face = f; wrong == nil {
		return c.Propose(ctx, actor, t)
	}
	t.normalize()
	return c.propose(ctx, actor, t, wrong)
}

// propose enters t, unless something is wrong with it, which is told to nobody
// the law refuses.
func (c *Catalog) propose(ctx context.Context, actor *elicense.Actor, t *Type, wrong error) error {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.TypePropose,
			On:   access.Thing{Kind: "Type", ID: string(t.Code), Attr: access.Attr{"unit": string(t.Unit)}},
			Note: access.Note{LicenseType: noted(t.Code)},
		}, nil
	}
	return c.guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		if wrong != nil {
			return wrong
		}
		last, err := latest(tx, t.Code)
		if err != nil && !elicense.IsKind(err, elicense.NotFound) {
			return err
		}
		t.Version = 1
		if last != nil {
			if last.Unit != t.Unit {
				return elicense.E(elicense.Conflict, "这个类别代码已由别的单位登记").At("code").Under("第六条")
			}
			if last.State == Proposed {
				return elicense.E(elicense.Conflict, "这个类别已有一个版本在待审").At("code").Under("第六条").Then("请等它办完，或请管理部门先退回")
			}
			t.Version = last.Version + 1
		}
		if err := checkStandard(tx, t); err != nil {
			return err
		}
		if err := checkQualification(tx, t); err != nil {
			return err
		}
		// It may be a copy of the version in force, which somebody decided.
		t.State, t.Proposer, t.Proposed, t.Decider, t.Remark = Proposed, actor.Person, tx.Now(), "", ""
		p.Note.Detail = map[string]string{"version": fmt.Sprint(t.Version)}
		if err := insert(tx, t); err != nil {
			return err
		}
		return beginCheck(tx, t)
	})
}

// noted is a type code as the record keeps it: what has not its form was typed, and
// may be anything.
func noted(code elicense.TypeCode) elicense.TypeCode {
	if !code.Valid() {
		return ""
	}
	return code
}

// Decide publishes a proposed version or returns it with a remark.
//
// Errors: Forbidden; NotFound; Conflict if it is not waiting, or if a published
// type of another code has the same name.
func (c *Catalog) Decide(ctx context.Context, actor *elicense.Actor, code elicense.TypeCode, version int, publish bool, remark string) error {
	remark = strings.TrimSpace(remark)
	build := func(tx *store.Tx) (access.Request, error) {
		t, err := c.version(tx, code, version)
		proposer := ""
		if err == nil {
			proposer = string(t.Proposer)
		} else if !elicense.IsKind(err, elicense.NotFound) {
			return access.Request{}, err
		}
		return access.Request{
			Actor: actor, Act: access.TypePublish,
			On:   access.Thing{Kind: "Type", ID: string(code), Attr: access.Attr{"proposer": proposer}},
			Note: access.Note{LicenseType: noted(code), Detail: map[string]string{"version": fmt.Sprint(version), "publish": fmt.Sprint(publish)}},
		}, nil
	}
	return c.guard.Write(ctx, build, func(tx *store.Tx, _ *access.Permit) error {
		if !publish && remark == "" {
			return elicense.E(elicense.Invalid, "退回要写明原因").At("remark")
		}
		t, err := c.version(tx, code, version)
		if err != nil {
			return err
		}
		if t.State != Proposed {
			return elicense.E(elicense.Conflict, "这个版本已经办过").Under("第六条").Then("请刷新后核对")
		}
		if !publish {
			if err := setState(tx, t, Returned, actor.Person, remark); err != nil {
				return err
			}
			return endCheck(tx, t, checkDecided)
		}
		if err := canPublish(tx, t); err != nil {
			return err
		}
		if err := replaceOlder(tx, t); err != nil {
			return err
		}
		if err := setState(tx, t, Published, actor.Person, remark); err != nil {
			return err
		}
		return endCheck(tx, t, checkDecided)
	})
}

// Retire ends a type: nothing of it is made any more, its licenses stay
// readable (废止 of a whole type). It is the administration's act.
func (c *Catalog) Retire(ctx context.Context, actor *elicense.Actor, code elicense.TypeCode, remark string) error {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.TypePublish, On: access.Thing{Kind: "Type", ID: string(code), Attr: access.Attr{"proposer": ""}},
			Note: access.Note{LicenseType: code, Detail: map[string]string{"retire": "true"}},
		}, nil
	}
	return c.guard.Write(ctx, build, func(tx *store.Tx, _ *access.Permit) error {
		t, err := Current(tx, code)
		if err != nil {
			return err
		}
		return setState(tx, t, Retired, actor.Person, remark)
	})
}

// Duplicates lists the published types of other codes that may be the same
// license as t, or whose name contains its name or is part of it, the likeliest
// first: the administration looks at them before publishing.
func (c *Catalog) Duplicates(ctx context.Context, t *Type) (list []Duplicate, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		list, err = duplicates(tx, t)
		return err
	})
	return list, err
}

func duplicates(tx *store.Tx, t *Type) ([]Duplicate, error) {
	published, err := types(tx, `WHERE state = $1 AND code <> $2 ORDER BY code`, Published, t.Code)
	if err != nil {
		return nil, err
	}
	var list []Duplicate
	key := fold(t.Name)
	for _, o := range published {
		l, k := t.Like(o), fold(o.Name)
		if l.Likely() || strings.Contains(k, key) || strings.Contains(key, k) {
			list = append(list, Duplicate{o.Code, o.Name, l})
		}
	}
	slices.SortStableFunc(list, func(a, b Duplicate) int { return cmp.Compare(b.Score, a.Score) })
	return list, nil
}

// Current returns the version of a type that is in force: published, or retired.
// Errors: NotFound.
func Current(tx *store.Tx, code elicense.TypeCode) (*Type, error) {
	return keptOne(tx, "current type "+string(code), `WHERE code = $1 AND state IN ($2, $3) ORDER BY version DESC LIMIT 1`, code, Published, Retired)
}

// Issuing lists the types a unit issues, as they are in force.
func Issuing(tx *store.Tx, unit elicense.UnitCode) (list []*Type, err error) {
	all, err := types(tx, `WHERE state = $1 ORDER BY code`, Published)
	for _, t := range all {
		if t.Issued(unit) {
			list = append(list, t)
		}
	}
	return list, err
}

// Everything lists all types as they are in force.
func Everything(tx *store.Tx) ([]*Type, error) {
	return types(tx, `WHERE state = $1 ORDER BY code`, Published)
}

// VersionOf returns one version of a type. Errors: NotFound.
func VersionOf(tx *store.Tx, code elicense.TypeCode, version int) (*Type, error) {
	return keptOne(tx, "type "+string(code)+" "+strconv.Itoa(version), `WHERE code = $1 AND version = $2`, code, version)
}

// keptOne is one that is read anew only after a change.
func keptOne(tx *store.Tx, key, where string, args ...any) (*Type, error) {
	t, err := store.Keep(tx, key, func() (Type, error) {
		t, err := one(tx, where, args...)
		if err != nil {
			return Type{}, err
		}
		return *t, nil
	})
	if err != nil {
		return nil, err
	}
	return &t, nil
}

func (c *Catalog) version(tx *store.Tx, code elicense.TypeCode, version int) (*Type, error) {
	return VersionOf(tx, code, version)
}

func latest(tx *store.Tx, code elicense.TypeCode) (*Type, error) {
	return one(tx, `WHERE code = $1 ORDER BY version DESC LIMIT 1`, code)
}

// All lists the types in force by code: the public part of the register.
func (c *Catalog) All(ctx context.Context) ([]*Type, error) {
	return c.list(ctx, `WHERE state IN ($1, $2) ORDER BY code`, Published, Retired)
}

// Waiting lists the versions waiting for the administration, the oldest first.
func (c *Catalog) Waiting(ctx context.Context) ([]*Type, error) {
	return c.list(ctx, `WHERE state = $1 ORDER BY proposed`, Proposed)
}

// OfUnit lists all versions a unit has registered, by code, the newest first.
func (c *Catalog) OfUnit(ctx context.Context, unit elicense.UnitCode) ([]*Type, error) {
	return c.list(ctx, `WHERE unit = $1 ORDER BY code, version DESC`, unit)
}

// Current returns the version of a type that is in use. Errors: NotFound.
func (c *Catalog) Current(ctx context.Context, code elicense.TypeCode) (t *Type, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		t, err = Current(tx, code)
		return err
	})
	return t, err
}

// Version returns one version of a type. Errors: NotFound.
func (c *Catalog) Version(ctx context.Context, code elicense.TypeCode, version int) (t *Type, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		t, err = VersionOf(tx, code, version)
		return err
	})
	return t, err
}

// Versions lists all versions of a type, the newest first.
func (c *Catalog) Versions(ctx context.Context, code elicense.TypeCode) ([]*Type, error) {
	return c.list(ctx, `WHERE code = $1 ORDER BY version DESC`, code)
}

func (c *Catalog) list(ctx context.Context, where string, args ...any) (list []*Type, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		list, err = types(tx, where, args...)
		return err
	})
	return list, err
}

func one(tx *store.Tx, where string, args ...any) (*Type, error) {
	list, err := types(tx, where, args...)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, elicense.E(elicense.NotFound, "没有这个证照类别").Then("请在证照目录里查找").Because(store.ErrNoRow)
	}
	return list[0], nil
}

// parsed keeps what the contents of versions mean, by the content itself: the
// rows are read each time, and only the work of parsing them is saved.
var parsed sync.Map // string → *Type

func types(tx *store.Tx, where string, args ...any) ([]*Type, error) {
	rows, err := tx.Query(`SELECT code, version, unit, state, content, proposer, decider, remark, proposed, decided, confirmed, reminded, seq, mac FROM license_type `+where, args...)
	if err != nil {
		return nil, err
	}
	var list []*Type
	for rows.Next() {
		var (
			row     Type
			content []byte
			mac     []byte
		)
		err := rows.Scan(&row.Code, &row.Version, &row.Unit, &row.State, &content, &row.Proposer, &row.Decider, &row.Remark,
			&row.Proposed, &row.Decided, &row.Confirmed, &row.reminded, &row.seq, &mac)
		if err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "license_type", row.row(), row.parts(content)...); err != nil {
			return nil, err
		}
		t, err := parse(row.Code, row.Version, content)
		if err != nil {
			return nil, err
		}
		t.Code, t.Version, t.State, t.Proposer, t.Decider = row.Code, row.Version, row.State, row.Proposer, row.Decider
		t.Confirmed, t.reminded = row.Confirmed, row.reminded
		t.Remark, t.Proposed, t.Decided, t.seq, t.content = row.Remark, row.Proposed, row.Decided, row.seq, content
		list = append(list, &t)
	}
	return list, nil
}

// parse reads the content of a version. The fields, issuers and face of what it
// returns are shared and must not be changed.
func parse(code elicense.TypeCode, version int, content []byte) (Type, error) {
	key := string(content)
	if t, ok := parsed.Load(key); ok {
		return *t.(*Type), nil
	}
	var t Type
	if err := json.Unmarshal(content, &t); err != nil {
		return t, fmt.Errorf("license type %s version %d: %w", code, version, err)
	}
	parsed.Store(key, &t)
	return t, nil
}

func insert(tx *store.Tx, t *Type) error {
	content, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("license type %s: %w", t.Code, err)
	}
	t.seq = 1
	_, err = tx.Exec(`INSERT INTO license_type (code, version, name, name_key, unit, state, content, proposer, decider, remark, proposed, decided, confirmed, standard, seq, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', '', $9, NULL, NULL, $10, $11, $12)`,
		t.Code, t.Version, t.Name, fold(t.Name), t.Unit, t.State, content, t.Proposer, t.Proposed, t.Standard, t.seq,
		tx.MAC("license_type", t.row(), t.parts(content)...))
	return err
}

// setState moves a version that was read in this transaction to another state.
func setState(tx *store.Tx, t *Type, s State, decider elicense.PersonID, remark string) error {
	if s != Replaced { // history keeps when it was decided
		t.Decided = tx.Now()
	}
	t.State, t.Decider, t.Remark, t.seq = s, decider, remark, t.seq+1
	n, err := tx.Exec(`UPDATE license_type SET state = $1, decider = $2, remark = $3, decided = $4, confirmed = $5, seq = $6, mac = $7
		WHERE code = $8 AND version = $9 AND seq = $10`,
		t.State, t.Decider, t.Remark, t.Decided, t.Decided, t.seq, tx.MAC("license_type", t.row(), t.parts(t.content)...), t.Code, t.Version, t.seq-1)
	if err == nil && n == 0 {
		return elicense.E(elicense.Conflict, "这个版本刚刚有人办过").Then("请刷新后核对")
	}
	return err
}

// replaceOlder makes the published versions before t history.
func replaceOlder(tx *store.Tx, t *Type) error {
	older, err := types(tx, `WHERE code = $1 AND version < $2 AND state = $3`, t.Code, t.Version, Published)
	if err != nil {
		return err
	}
	for _, o := range older {
		if err := setState(tx, o, Replaced, o.Decider, o.Remark); err != nil {
			return err
		}
	}
	return nil
}

// Face is the design of a type's licenses.
type Face = face.Template

// maxFace bounds a face as JSON in bytes, with its imported pictures.
const maxFace = 4 << 20

var errTrailing = errors.New("something follows the template")

// ParseFace reads a face as JSON. Unknown members are errors: what a design says
// must not be lost silently.
//
// Errors: Invalid, naming the object and what is wrong with it; TooLarge.
func ParseFace(data []byte) (*Face, error) {
	if len(data) > maxFace {
		return nil, elicense.E(elicense.TooLarge, "照面模板太大，最多%d MB", maxFace>>20).At("face").Then("请把导入的图片换成小一些的")
	}
	read := json.NewDecoder(bytes.NewReader(data))
	read.DisallowUnknownFields()
	t := new(Face)
	err := read.Decode(t)
	if err == nil {
		if _, err = read.Token(); err == io.EOF { //nolint:errorlint // the decoder's own
			return t, faceError(t.Check())
		}
		err = errTrailing
	}
	at := int(read.InputOffset())
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	cut := errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
	switch {
	case cut:
		at = len(data)
	case errors.As(err, &syntax):
		at = int(syntax.Offset)
	case errors.As(err, &kind):
		at = int(kind.Offset)
	}
	line := 1 + bytes.Count(data[:min(at, len(data))], []byte{'\n'})
	if cut || syntax != nil || errors.Is(err, errTrailing) {
		return nil, elicense.E(elicense.Invalid, "照面模板不是完整的JSON，第%d行附近有错", line).At("face").Under("第六条").Because(err)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return nil, elicense.E(elicense.Invalid, "照面模板第%d行附近有不认识的一项：%s", line, name).At("face").Under("第六条").Because(err)
	}
	return nil, elicense.E(elicense.Invalid, "照面模板第%d行附近的值不对，看数字、颜色和括号", line).At("face").Under("第六条").Because(err)
}

// faceError says in a sentence which object of a face can't be laid out.
func faceError(err error) error {
	var d *face.Defect
	if err == nil || !errors.As(err, &d) {
		return err
	}
	bad := func(text string, args ...any) error {
		return elicense.E(elicense.Invalid, text, args...).At("face").Under("第六条").Then("请在照面编辑页修改").Because(err)
	}
	switch what, thing := d.Flaw.Chinese(), d.Thing(); {
	case d.Page == 0:
		return bad("照面有错：%s", what)
	case thing == "":
		return bad("照面第%d页有错：%s", d.Page, what)
	case d.Number() == 0:
		return bad("照面第%d页的%s有错：%s", d.Page, thing, what)
	case d.Name == "":
		return bad("照面第%d页%s%d有错：%s", d.Page, thing, d.Number(), what)
	default:
		return bad("照面第%d页%s%d“%s”有错：%s", d.Page, thing, d.Number(), d.Name, what)
	}
}

// DefaultFace is the plain design for a type that has no face of its own.
func DefaultFace(name string, fields []Field) *Face {
	var list []face.Field
	for _, f := range fields {
		if f.Type == "image" {
			continue // pictures come with the types' own faces
		}
		join := face.Comma
		if f.Type == "list" {
			join = face.Lines
		}
		list = append(list, face.Field{
			Key: f.Key, Label: f.Label, Required: f.Required, Join: join,
			Wide: f.Type == "text" || f.Type == "list" || strings.Contains(f.Label, "址") || strings.Contains(f.Label, "场所"),
		})
	}
	return face.Plain(name, list)
}

// FaceData is what a face says: the fields as they are kept, lists apart and
// photos as pictures, the unit, the issue date, the identifier and the address
// in the QR code. Dates are printed in the form the face asks for.
func (t *Type) FaceData(issuer string, fields map[string]string, issuedOn elicense.Date, id elicense.Identifier, checkURL string) face.Data {
	d := face.Data{Values: map[string][]string{}, Photos: map[string]face.Photograph{}, Issuer: issuer, Date: string(issuedOn), Identifier: string(id), QR: checkURL}
	for _, f := range t.Fields {
		v := fields[f.Key]
		switch {
		case v == "":
		case f.Type == "image":
			if mime, data, ok := Photo(v); ok {
				d.Photos[f.Key] = face.Photograph{MIME: mime, Data: data}
			}
		case f.Type == "list" || f.Type == "text" && t.listed(f.Key):
			d.Values[f.Key] = strings.Split(v, "\n")
		default:
			d.Values[f.Key] = []string{v}
		}
	}
	return d
}

// listed tells whether the face shows a field as a table.
func (t *Type) listed(key string) bool {
	if t.Face == nil {
		return false
	}
	for i := range t.Face.Pages {
		for _, table := range t.Face.Pages[i].Tables {
			if table.Key == key {
				return true
			}
		}
	}
	return false
}

// maxPhoto bounds a photo in bytes. It is kept with the license's fields and goes
// into its file.
const maxPhoto = 60 << 10

// Photo reads the value of a field of the type image: a data URL of a PNG or
// JPEG picture of at most 60 KB.
func Photo(value string) (mime string, data []byte, ok bool) {
	head, code, found := strings.Cut(value, ";base64,")
	mime, is := strings.CutPrefix(head, "data:")
	if !found || !is || mime != "image/png" && mime != "image/jpeg" || len(code) > maxPhoto*4/3+4 {
		return "", nil, false
	}
	data, err := base64.StdEncoding.DecodeString(code)
	return mime, data, err == nil && len(data) > 0 && len(data) <= maxPhoto
}

// FieldProblem tells which field of a face can't be laid out, and why in a
// Chinese sentence; ok is false for other errors.
func FieldProblem(err error) (field, sentence string, ok bool) {
	var fe *face.FieldError
	if !errors.As(err, &fe) {
		return "", "", false
	}
	switch {
	case errors.Is(err, face.ErrOverflow):
		return fe.Key, fe.Label + "太长，照面放不下", true
	case errors.Is(err, face.ErrEmpty):
		return fe.Key, fe.Label + "还没有填写", true
	case errors.Is(err, face.ErrPicture):
		return fe.Key, fe.Label + "不是能用的图片", true
	}
	return fe.Key, fe.Label + "有字体里没有的字，不能制作", true
}

// EachType reads every version of every type; f gets the error of one that can
// not be read.
func EachType(tx *store.Tx, f func(id string, err error) error) error {
	rows, err := tx.Query(`SELECT code, version FROM license_type ORDER BY code, version`)
	if err != nil {
		return err
	}
	for rows.Next() {
		var code elicense.TypeCode
		var version int
		if err := rows.Scan(&code, &version); err != nil {
			return err
		}
		_, err := VersionOf(tx, code, version)
		if err := f(fmt.Sprintf("%s/%d", code, version), err); err != nil {
			return err
		}
	}
	return nil
}
