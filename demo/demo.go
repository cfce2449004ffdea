// Package demo is a small Fujian: units, people, enterprises, license types,
// matters and a few hundred licenses, all invented. Its license types and
// licenses are entered through the same functions the desks and the API call,
// by the persons whose duty it is; nothing is written past them.
package demo

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"gopkg.in/yaml.v3"

	"elicense"
	"elicense/access"
	"elicense/calendar"
	"elicense/cases"
	"elicense/catalog"
	"elicense/delivery"
	"elicense/issuance"
	"elicense/lifecycle"
	"elicense/offline"
	"elicense/ontime"
	"elicense/org"
	"elicense/references"
	"elicense/sealing"
	"elicense/sharing"
	"elicense/stock"
	"elicense/workday"
)

//go:embed data/license_types.yaml
var typesYAML []byte

//go:embed data/orgs.yaml
var orgsYAML []byte

//go:embed data/faces
var facesYAML embed.FS

// Password is the password of every demo account.
const Password = "fujian-2017"

// Platform is what the demo is loaded into.
type Platform struct {
	Org       *org.Org
	Rules     *access.Rules
	Seals     *sealing.Register
	Catalog   *catalog.Catalog
	Cases     *cases.Cases
	Sharing   *sharing.Sharing
	Issuer    *issuance.Issuer
	Stock     *stock.Stock
	Lifecycle *lifecycle.Lifecycle
	OnTime    *ontime.Ledger
	Delivery  *delivery.Desk
	Kits      *offline.Kits
	Calendar  *calendar.Keeper

	References *references.References
	// Signer makes the key a ministry's system of the demo signs with, and its public half.
	Signer func() (key references.Signer, publicPEM string, err error)
	// Ministry is asked for driving licenses over HTTP; nil has them by hand.
	Ministry *Ministry

	// Fonts tells whether licenses can be made; without, only types, people and
	// references are loaded.
	Fonts bool
}

// Clock is the platform's clock. While the demo is loaded it stands in the past,
// so that the licenses have a history; then it is the machine's.
type Clock struct {
	Machine func() time.Time // nil is time.Now
	past    atomic.Int64
}

// Now returns the time.
func (c *Clock) Now() time.Time {
	if p := c.past.Load(); p != 0 {
		return time.UnixMicro(c.past.Add(1))
	}
	return c.machine()
}

func (c *Clock) machine() time.Time {
	if c.Machine != nil {
		return c.Machine()
	}
	return time.Now()
}

func (c *Clock) set(t time.Time) { c.past.Store(t.UnixMicro()) }
func (c *Clock) release()        { c.past.Store(0) }

// Account is a demo account, for the sign-in page and the list printed at start.
type Account struct {
	Desk, Login, Name, Unit, Does string
}

type dataOrg struct {
	ID, USCC, Region, Name, Kind, Parent string
	Roles                                []string
}

type dataOrgs struct {
	Orgs        []dataOrg
	Enterprises []struct{ ID, USCC, Name string }
	Persons     []struct {
		ID, Name, Sex, Birth string
		Number               string `yaml:"id_no"`
	}
	Regions map[string]string
}

type dataTypes struct {
	Types []struct {
		Code, ZH, EN, Holder, Issuer, Level, Basis, Validity, Annual, Mode, Notes string
		Fields                                                                    []struct {
			Key, Label, Type string
			Required         bool
			Cls              string
			Options          []string
		}
	} `yaml:"license_types"`
	Matters []struct {
		Code, Name, Unit, Result string
		Days                     int `yaml:"promise_workdays"`
		Presence                 cases.BasisID
		Effects                  map[string]cases.Effect
		Materials                []struct {
			Name, Source string
			When         []string
			Later        int
			Promise      bool
		}
	}
	Bases []struct {
		ID                    cases.BasisID
		Rank                  cases.Rank
		Title, Article, Quote string
		InForce               elicense.Date `yaml:"in_force"`
		Repealed              elicense.Date
	}
	Entrustments []struct {
		Acceptor, Unit string
		DocNo          string `yaml:"doc_no"`
		From           elicense.Date
	}
}

// Data is the demo's data, read.
type Data struct {
	orgs  dataOrgs
	types dataTypes
	faces map[string]*catalog.Face // by short code of the type
	unit  map[string]dataOrg       // by short name
}

// Read reads the data that is part of the program.
func Read() (*Data, error) {
	d := &Data{unit: map[string]dataOrg{}, faces: map[string]*catalog.Face{}}
	if err := yaml.Unmarshal(orgsYAML, &d.orgs); err != nil {
		return nil, fmt.Errorf("demo units: %w", err)
	}
	if err := yaml.Unmarshal(typesYAML, &d.types); err != nil {
		return nil, fmt.Errorf("demo types: %w", err)
	}
	for _, o := range d.orgs.Orgs {
		d.unit[o.ID] = o
	}
	for _, t := range d.types.Types {
		if !catalog.Mode(t.Mode).Made() {
			continue
		}
		f, err := readFace(t.Code)
		if err != nil {
			return nil, fmt.Errorf("demo face of %s: %w", t.Code, err)
		}
		d.faces[t.Code] = f
	}
	return d, nil
}

// readFace reads the face of a type. It is kept as YAML, which people can read,
// and means what the same JSON means.
func readFace(code string) (*catalog.Face, error) {
	data, err := facesYAML.ReadFile("data/faces/" + code + ".yaml")
	if err != nil {
		return nil, err
	}
	var tree any
	if err := yaml.Unmarshal(data, &tree); err != nil {
		return nil, err
	}
	if data, err = json.Marshal(tree); err != nil {
		return nil, err
	}
	return catalog.ParseFace(data)
}

// typeUnits says for each type who registers it and who issues it.
var typeUnits = map[string][]string{
	"T01": {"scjg-fj", "scjg-gl", "scjg-fz", "scjg-xm", "scjg-qz"}, "T02": {"scjg-fj", "scjg-gl", "scjg-xm", "scjg-qz"},
	"T03": {"scjg-fj", "scjg-fz", "scjg-xm", "scjg-qz"}, "T04": {"ga-fj", "ga-fz"}, "T05": {"ga-fj", "ga-fz"},
	"T06": {"mz-fj", "mz-gl"}, "T07": {"mz-fj", "mz-gl"}, "T08": {"wj-fj", "fby-gl"}, "T09": {"zrzy-fj", "bdc-fz"},
	"T10": {"ga-fj", "ga-fz"}, "T11": {"ga-fj", "ga-fz"}, "T12": {"jt-fj", "jt-fz"}, "T13": {"jt-fj", "jt-fz"},
	"T14": {"wj-fj", "wj-gl"}, "T15": {"wj-fj", "wj-gl"}, "T16": {"zj-fj", "zj-fj"}, "T17": {"zj-fj", "zj-fj"},
	"T18": {"zrzy-fj", "zrzy-fz"}, "T19": {"cl-fj", "cl-gl"}, "T20": {"rs-fj", "rs-fj"}, "T21": {"jy-fj", "jy-gl"},
	"T22": {"yc-fj", "yc-gl"}, "T23": {"mz-fj", "mz-gl"}, "T24": {"scjg-fj", "scjg-fj", "scjg-fz"}, "T25": {"scjg-fj", "scjg-fz"},
	"T26": {"scjg-fj", "jcjg-qz"},
}

// TypeCode is the code of a demo type: its managing unit's code and its number.
func (d *Data) TypeCode(short string) elicense.TypeCode {
	return elicense.TypeCode(d.unit[typeUnits[short][0]].USCC + "0" + short[1:])
}

// Unit is the code of a demo unit.
func (d *Data) Unit(short string) elicense.UnitCode { return elicense.UnitCode(d.unit[short].USCC) }

// issuersOf lists the short names of the units that issue the type.
func issuersOf(short string) []string { return typeUnits[short][1:] }

// certainty matches the marks of the data sheet that say how sure a value is.
var certainty = regexp.MustCompile(` ?\[[A-Z]\]`)

var years = regexp.MustCompile(`^≤?([0-9]+)(–[0-9]+)? (years?)`)

// Types builds the demo's license types as they are entered in the form.
func (d *Data) Types() []*catalog.Type {
	var list []*catalog.Type
	for _, t := range d.types.Types {
		c := &catalog.Type{
			Code: d.TypeCode(t.Code), Name: t.ZH, English: t.EN, Unit: d.Unit(typeUnits[t.Code][0]), Category: "行政许可", Basis: t.Basis,
			Mode: catalog.Mode(t.Mode), Annual: certainty.ReplaceAllString(t.Annual, ""), Sharing: "有条件共享", Open: true,
			Consent: slices.Contains(sensitive, t.Code),
		}
		switch t.Mode {
		case "national":
			c.Reason = "按照国家规范制作，由国家系统签发并回传"
		case "bulk":
			c.Reason = "一次性大批量发放"
		}
		for _, u := range issuersOf(t.Code) {
			if code := d.Unit(u); !slices.Contains(c.Issuers, code) {
				c.Issuers = append(c.Issuers, code)
			}
		}
		for _, f := range t.Fields {
			c.Fields = append(c.Fields, catalog.Field{Key: f.Key, Label: f.Label, Type: f.Type, Required: f.Required, Class: access.Class(f.Cls), Options: f.Options})
		}
		c.Roles = rolesOf(c)
		c.Holders = catalog.AnyHolder
		switch person := strings.HasPrefix(t.Holder, "person"); {
		case t.Holder == "org":
			c.Holders = catalog.Organizations
		case person && !strings.Contains(t.Holder, "org"):
			c.Holders = catalog.Persons
		}
		c.Validity = catalog.Validity{Kind: "none", Text: "长期"}
		if c.Roles.ValidTo != "" {
			c.Validity = catalog.Validity{Kind: "field", Text: "以证照载明的日期为准"}
		} else if m := years.FindStringSubmatch(t.Validity); m != nil {
			n, err := strconv.Atoi(m[1])
			if err == nil {
				c.Validity = catalog.Validity{Kind: "years", Years: n, Text: m[1] + "年"}
			}
		}
		if q := qualifications[t.Code]; q != "" {
			c.Qualification = d.TypeCode(q)
		}
		if c.Mode.Made() {
			c.Face = d.faces[t.Code]
		}
		list = append(list, c)
	}
	return list
}

// qualifications are the licenses third parties must hold to issue a type (Art. 2);
// the file has the types of these first.
var qualifications = map[string]string{"T08": "T15", "T26": "T24"}

func rolesOf(t *catalog.Type) catalog.Roles {
	first := func(keys ...string) string {
		for _, k := range keys {
			if t.Field(k) != nil {
				return k
			}
		}
		return ""
	}
	return catalog.Roles{
		HolderName: first("holder_name", "name", "name_a", "child_name", "owner", "owners", "head"),
		HolderCode: first("uscc", "id_no", "id_a"),
		Number:     first("license_no", "cert_no", "permit_no", "report_no", "reg_no", "card_no", "plate", "hukou_no", "uscc", "id_no"),
		IssueDate:  first("issue_date", "reg_date"),
		ValidFrom:  first("valid_from"),
		ValidTo:    first("valid_to", "audit_to", "inspect_to"),
	}
}

// needed lists what matters need of a license of the type; of others they need
// the open fields.
var needed = map[string][]string{
	"T01": {"holder_name", "uscc", "entity_type", "legal_rep", "address", "scope"},
	"T02": {"holder_name", "uscc", "premises", "business_form", "items", "license_no", "valid_to"},
	"T04": {"name", "id_no", "valid_to"},
	"T05": {"head", "hukou_type"},
	"T06": {"cert_no", "name_a", "name_b", "reg_date"},
	"T08": {"child_name", "sex", "birth_time", "mother_name", "father_name"},
	"T09": {"cert_no", "owners", "location", "right_type", "usage", "area"},
	"T10": {"name", "classes", "valid_to"},
	"T11": {"plate", "vehicle_type", "owner", "inspect_to"},
	"T19": {"name", "category", "grade", "valid_to"},
	"T20": {"name", "card_no", "bank"},
}

// sensitive are the types a case uses only with the holder's agreement.
var sensitive = []string{"T07", "T19"}

var typeMark = regexp.MustCompile(`T[0-9]{2}`)

// Matters builds the demo's matters with their material lists.
func (d *Data) Matters() []*cases.Matter {
	byCode := map[elicense.TypeCode]*catalog.Type{}
	for _, t := range d.Types() {
		byCode[t.Code] = t
	}
	var list []*cases.Matter
	for i, m := range d.types.Matters {
		c := &cases.Matter{
			Code: elicense.MatterCode(m.Code), Item: d.item(m.Unit, i+1), Name: m.Name, Unit: d.Unit(m.Unit), Days: m.Days,
			Presence: m.Presence, Online: m.Presence == "", Effects: m.Effects,
		}
		// Some only note something on a license there is.
		if typeMark.FindString(m.Result) == m.Result && m.Result != "" {
			c.Result = d.TypeCode(m.Result)
		}
		for _, s := range m.Materials {
			mat := cases.Material{Name: s.Name, Way: cases.Shared, When: s.When, Later: s.Later, Promise: s.Promise, Fields: map[elicense.TypeCode][]string{}}
			for _, short := range typeMark.FindAllString(s.Source, -1) {
				code := d.TypeCode(short)
				mat.Types = append(mat.Types, code)
				mat.Fields[code] = needed[short]
				if needed[short] == nil {
					for _, f := range byCode[code].Fields {
						if f.Class == access.Open {
							mat.Fields[code] = append(mat.Fields[code], f.Key)
						}
					}
				}
			}
			mat.Optional = strings.Contains(s.Source, "条件")
			mat.OrUpload = len(mat.Types) > 0 && strings.Contains(s.Source, "upload")
			switch {
			case strings.Contains(s.Source, "核验"):
				mat.Way = cases.Verify
			case len(mat.Types) > 0:
			case strings.Contains(s.Source, "form"):
				mat.Way = cases.Form
			case strings.Contains(s.Source, "share"):
				mat.Way = cases.Remote
			default:
				mat.Way = cases.Upload
			}
			c.Materials = append(c.Materials, mat)
		}
		list = append(list, c)
	}
	return list
}

// item makes the code of a matter as systems know it: the unit, its level and a
// base code (GB/T 39554.1-2020), all invented.
func (d *Data) item(unit string, n int) string {
	level := 4
	switch u := d.unit[unit]; {
	case strings.HasSuffix(u.Region, "0000"):
		level = 2
	case strings.HasSuffix(u.Region, "00"):
		level = 3
	}
	return fmt.Sprintf("%s%d350131%03d000", d.Unit(unit), level, n)
}

// Bases builds the demo's register of legal bases.
func (d *Data) Bases() []*cases.Basis {
	var list []*cases.Basis
	for _, b := range d.types.Bases {
		list = append(list, &cases.Basis{ID: b.ID, Rank: b.Rank, Title: b.Title, Article: b.Article, Quote: b.Quote, InForce: b.InForce, Repealed: b.Repealed})
	}
	return list
}

// Entrustments builds the demo's filed entrustments.
func (d *Data) Entrustments() []cases.Entrustment {
	var list []cases.Entrustment
	for _, e := range d.types.Entrustments {
		list = append(list, cases.Entrustment{Acceptor: d.Unit(e.Acceptor), Unit: d.Unit(e.Unit), DocNo: e.DocNo, From: e.From})
	}
	return list
}

// units builds the demo's units.
func (d *Data) units() []org.Unit {
	var list []org.Unit
	for _, o := range d.orgs.Orgs {
		list = append(list, org.Unit{
			Code: elicense.UnitCode(o.USCC), Short: o.ID, Name: o.Name, Region: elicense.RegionCode(o.Region), RegionName: d.orgs.Regions[o.Region],
			Parent: elicense.UnitCode(d.unit[o.Parent].USCC), Kind: o.Kind, Roles: o.Roles,
		})
	}
	return list
}

// Load loads the demo. It is called once on an empty platform; the clock stands
// in the past while it runs.
func Load(ctx context.Context, p Platform, clock *Clock) error {
	d, err := Read()
	if err != nil {
		return err
	}
	now := clock.machine()
	began := now.AddDate(0, 0, -historyDays-2)
	clock.set(began)
	defer clock.release()
	if err := p.Org.Install(ctx, d.units()); err != nil {
		return err
	}
	if err := p.Org.Enroll(ctx, d.staff()); err != nil {
		return err
	}
	if err := p.Cases.InstallBases(ctx, d.Bases()); err != nil {
		return err
	}
	if err := p.Cases.InstallEntrustments(ctx, d.Entrustments()); err != nil {
		return err
	}
	if err := p.Cases.Install(ctx, d.Matters()); err != nil {
		return err
	}
	if err := p.Seals.Establish(ctx); err != nil {
		return err
	}
	if err := d.register(ctx, p); err != nil {
		return err
	}
	if p.Fonts {
		if err := MakeSeals(ctx, p); err != nil {
			return err
		}
	}
	if err := announce(ctx, p, workday.DateOf(began).Year, workday.DateOf(now).Year); err != nil {
		return fmt.Errorf("working days: %w", err)
	}
	if err := d.licenses(ctx, p, clock, now); err != nil {
		return err
	}
	return d.returns(ctx, p, now)
}

// register enters and publishes the types, through the form's functions.
func (d *Data) register(ctx context.Context, p Platform) error {
	admin, err := p.Org.ActorByLogin(ctx, "admin", "demo")
	if err != nil {
		return err
	}
	for i, t := range d.Types() {
		short := d.types.Types[i].Code
		clerk, err := p.Org.ActorByLogin(ctx, "reg-"+typeUnits[short][0], "demo")
		if err != nil {
			return fmt.Errorf("type %s: %w", short, err)
		}
		if err := p.Catalog.Propose(ctx, clerk, t); err != nil {
			return fmt.Errorf("type %s: %w", short, err)
		}
		if err := p.Catalog.Decide(ctx, admin, t.Code, t.Version, true, ""); err != nil {
			return fmt.Errorf("type %s: %w", short, err)
		}
	}
	return d.modes(ctx, p, admin)
}

// modes shows that a mode is of type and unit: one city follows the ministry's
// standard, one proposes to, and of one it was taken back.
func (d *Data) modes(ctx context.Context, p Platform, admin *elicense.Actor) error {
	clerk, err := p.Org.ActorByLogin(ctx, "reg-"+typeUnits["T03"][0], "demo")
	if err != nil {
		return err
	}
	city, err := p.Org.ActorByLogin(ctx, "reg-scjg-xm", "demo")
	if err != nil {
		return err
	}
	m := catalog.UnitMode{
		Code: d.TypeCode("T03"), Unit: d.Unit("scjg-xm"), Origin: catalog.ByMinistry, Reason: "先行试点部委标准的照面和字段", Basis: "食品生产许可证电子证照标准（部委示例）",
	}
	if err := p.Catalog.SetMode(ctx, clerk, m); err != nil {
		return err
	}
	m.Unit = d.Unit("scjg-qz")
	if err := p.Catalog.SetMode(ctx, clerk, m); err != nil {
		return err
	}
	if err := p.Catalog.TakeBackMode(ctx, admin, m.Code, m.Unit, "试点城市调整，仍按全省统一的照面制作"); err != nil {
		return err
	}
	m.Code, m.Unit = d.TypeCode("T02"), d.Unit("scjg-xm")
	m.Reason, m.Basis = "和食品生产许可证同步试点", "食品经营许可证电子证照标准（部委示例）"
	_, err = p.Catalog.ProposeMode(ctx, city, m)
	return err
}

// MakeSeals makes the seal of every unit that issues licenses or accepts
// applications here and has none:
// at the first start, or at the first one on a machine that has fonts.
func MakeSeals(ctx context.Context, p Platform) error {
	d, err := Read()
	if err != nil {
		return err
	}
	var units []string
	for _, t := range d.types.Types {
		units = append(units, issuersOf(t.Code)...)
	}
	for i, u := range units {
		if slices.Contains(units[:i], u) {
			continue
		}
		line := sealing.ForLicenses
		if u == "jcjg-qz" {
			line = TestingSeal
		}
		if err := d.makeSeal(ctx, p, u, line); err != nil {
			return fmt.Errorf("seal of %s: %w", u, err)
		}
	}
	for _, u := range acceptors {
		if err := d.makeSeal(ctx, p, u, sealing.ForNotices); err != nil {
			return fmt.Errorf("seal of %s: %w", u, err)
		}
	}
	return nil
}

// TestingSeal are the words of the oval seals of testing bodies.
const TestingSeal = "检验检测专用章"

// makeSeal brings a unit's seal of such words to its use, unless it has one: the unit applies,
// the administration makes, files and enables it.
func (d *Data) makeSeal(ctx context.Context, p Platform, unit, line string) error {
	if err := p.Seals.Establish(ctx); err != nil {
		return err
	}
	list, err := p.Seals.All(ctx, d.Unit(unit))
	if err != nil {
		return err
	}
	if slices.ContainsFunc(list, func(s *sealing.Seal) bool { return s.State == sealing.Enabled && s.Line == line }) {
		return nil
	}
	applicant, err := p.Org.ActorByLogin(ctx, "check-"+unit, "demo")
	if err != nil {
		return err
	}
	admin, err := p.Org.ActorByLogin(ctx, "seals", "demo")
	if err != nil {
		return err
	}
	s, err := p.Seals.Apply(ctx, applicant, sealing.Application{Line: line})
	if err != nil {
		return err
	}
	if err := p.Seals.Make(ctx, admin, s.ID); err != nil {
		return err
	}
	for _, state := range []sealing.State{sealing.Filed, sealing.Enabled} {
		if err := p.Seals.Move(ctx, admin, s.ID, state, ""); err != nil {
			return err
		}
	}
	return nil
}

var errNotPublished = errors.New("the draft was not published in time")
