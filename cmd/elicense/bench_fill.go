package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/catalog"
	"elicense/org"
	"elicense/sharing"
	"elicense/store"
)

// benchContent is what a directory was filled with.
type benchContent struct {
	Licenses int         `json:"licenses"`
	Records  int         `json:"records"`
	Cases    []benchCase `json:"cases"`
}

// benchCase is an open case and the account of its clerk.
type benchCase struct {
	ID    elicense.CaseID `json:"id"`
	Login string          `json:"login"`
}

// The world of the measurement.
const (
	benchUnit   elicense.UnitCode   = "11350102FJDEM0275F"
	benchAdmin  elicense.UnitCode   = "11350000FJDEM0021G"
	benchMatter elicense.MatterCode = "BENCH"
	benchTypes                      = 10
	benchClerks                     = 8
	benchCases                      = 2048
)

func benchType(i int) elicense.TypeCode {
	return elicense.TypeCode(fmt.Sprintf("%s%03d", benchUnit, 900+i))
}

// contentFile marks a directory as filled, and by us.
const contentFile = "bench.json"

// readContent tells what a directory was filled with, nil if it is new. One that
// holds something else, or was not filled to its end, is left alone.
func readContent(dir string) (*benchContent, error) {
	b, err := os.ReadFile(filepath.Join(dir, contentFile))
	if errors.Is(err, fs.ErrNotExist) {
		entries, err := os.ReadDir(dir)
		if err == nil && len(entries) > 0 {
			return nil, elicense.E(elicense.Conflict, "这个目录里已有别的内容").Then("请给一个空的目录")
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var c benchContent
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", contentFile, err)
	}
	return &c, nil
}

// filler fills a platform through the rooms' own functions.
type filler struct {
	p       *platform
	rand    *rand.Rand
	clerks  []*elicense.Actor
	drafter *elicense.Actor
	typed   []*catalog.Type
	holders []elicense.HolderRef
	made    []madeLicense
}

// madeLicense is what records of a license's uses need.
type madeLicense struct {
	id     elicense.LicenseID
	holder elicense.HolderKey
	typ    int
}

// fillBench enters units, clerks, types, a matter, licenses with their holders,
// cases and records of uses. Licenses are references published through
// store.Tx.Apply with the record of it, many to a transaction; records of uses go
// through store.DB.Record. fsck finds nothing wrong with it.
func fillBench(ctx context.Context, p *platform, licenses, records int) (*benchContent, error) {
	if units, err := p.org.AllUnits(ctx); err != nil || len(units) > 0 {
		return nil, errors.Join(err, elicense.E(elicense.Conflict, "这个数据库里已有别的内容").Then("请给一个空的数据库"))
	}
	f := &filler{p: p, rand: rand.New(rand.NewPCG(2017, 1))}
	if err := f.register(ctx); err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	// Each lot of licenses is followed by the uses of them, so that licenses and
	// records grow together. Uses in the order of chance over all licenses would
	// take hours for a large platform: each would write three pages of its own.
	for made := 0; made < licenses; made = len(f.made) {
		if err := f.publish(ctx, min(lot, licenses-made)); err != nil {
			return nil, fmt.Errorf("licenses: %w", err)
		}
		n := share(records, len(f.made), licenses) - share(records, made, licenses)
		if err := f.record(ctx, f.made[made:], n); err != nil {
			return nil, fmt.Errorf("records: %w", err)
		}
	}
	c := &benchContent{Licenses: licenses, Records: records}
	if err := f.open(ctx, c); err != nil {
		return nil, fmt.Errorf("cases: %w", err)
	}
	if _, err := p.db.Checkpoint(ctx); err != nil {
		return nil, err
	}
	b, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return c, writeOnce(filepath.Join(p.dir, contentFile), b)
}

// register enters who acts and what there can be.
func (f *filler) register(ctx context.Context) error {
	p := f.p
	err := p.org.Install(ctx, []org.Unit{
		{Code: benchUnit, Short: "bench", Name: "测量用单位", Region: "350102", RegionName: "鼓楼区", Kind: "dept", Roles: []string{"issue", "apply"}},
		{Code: benchAdmin, Short: "bench-admin", Name: "测量用管理部门", Region: "350000", RegionName: "福建省", Kind: "egov", Roles: []string{"egov"}},
	})
	if err != nil {
		return err
	}
	secret := elicense.NewID[string](time.Now())
	staff := []org.Staff{
		{Kind: elicense.Staff, Login: "bench-drafter", Name: "制证", Unit: benchUnit, Duties: []elicense.Duty{elicense.DutyDraft, elicense.DutyRegister}},
		{Kind: elicense.Staff, Login: "bench-admin", Name: "管理", Unit: benchAdmin, Duties: []elicense.Duty{elicense.DutyTypes}},
	}
	for i := range benchClerks {
		staff = append(staff, org.Staff{
			Kind: elicense.Staff, Login: "bench-clerk-" + strconv.Itoa(i), Name: "窗口" + strconv.Itoa(i), Unit: benchUnit, Duties: []elicense.Duty{elicense.DutyWindow},
		})
	}
	for i := range staff {
		staff[i].Secret, staff[i].Person = secret, citizen(i)
	}
	if err := p.org.Enroll(ctx, staff); err != nil {
		return err
	}
	var actors []*elicense.Actor
	for _, s := range staff {
		a, err := p.org.ActorByLogin(ctx, s.Login, "bench")
		if err != nil {
			return err
		}
		actors = append(actors, a)
	}
	f.drafter, f.clerks = actors[0], actors[2:]
	m := &cases.Matter{Code: benchMatter, Name: "测量用事项", Unit: benchUnit}
	for i := range benchTypes {
		t := &catalog.Type{
			Code: benchType(i), Name: "测量用证照" + strconv.Itoa(i), Unit: benchUnit, Issuers: []elicense.UnitCode{benchUnit}, Category: "行政许可",
			Basis: "测量", Mode: catalog.National, Reason: "测量用，不制证", Holders: catalog.Persons, Open: true, Fields: benchFields(),
			Validity: catalog.Validity{Kind: "field", Text: "5年"}, Roles: catalog.Roles{HolderName: "holder_name", HolderCode: "code", Number: "number", ValidTo: "valid_to"},
		}
		if err := p.catalog.Propose(ctx, f.drafter, t); err != nil {
			return err
		}
		if err := p.catalog.Decide(ctx, actors[1], t.Code, 1, true, ""); err != nil {
			return err
		}
		f.typed = append(f.typed, t)
		m.Materials = append(m.Materials, cases.Material{
			Name: benchMaterial(i), Way: cases.Shared, Types: []elicense.TypeCode{t.Code},
			Fields: map[elicense.TypeCode][]string{t.Code: {"holder_name", "number", "scope"}},
		})
	}
	return p.cases.Install(ctx, []*cases.Matter{m})
}

func benchMaterial(i int) string { return "材料" + strconv.Itoa(i) }

func benchFields() []catalog.Field {
	return []catalog.Field{
		{Key: "holder_name", Label: "姓名", Type: "string", Required: true, Class: access.Personal},
		{Key: "code", Label: "公民身份号码", Type: "idno", Required: true, Class: access.Personal},
		{Key: "number", Label: "证号", Type: "string", Required: true, Class: access.Open},
		{Key: "scope", Label: "范围", Type: "string", Required: true, Class: access.Open},
		{Key: "address", Label: "住所", Type: "string", Required: true, Class: access.Personal},
		{Key: "valid_to", Label: "有效期至", Type: "date", Required: true, Class: access.Open},
	}
}

// citizen is the n-th invented person, with a number whose check digit holds.
func citizen(n int) elicense.HolderRef {
	const perDay = 400
	day := time.Date(1940, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n/perDay)
	digits := "350102" + day.Format("20060102") + fmt.Sprintf("%03d", 1+n%perDay)
	sum := 0
	for i, weight := range []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(digits[i]-'0') * weight
	}
	return elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: digits + string("10X98765432"[sum%11]), Name: "样本" + strconv.Itoa(n)}
}

// lot is how many licenses or records go into one transaction.
const lot = 500

// share is how many of all records belong to the first part of the licenses.
func share(records, part, licenses int) int {
	return int(int64(records) * int64(part) / int64(licenses))
}

// publish makes n licenses in one transaction, ten for each holder, one of each
// type.
func (f *filler) publish(ctx context.Context, n int) error {
	made, holders := f.made, f.holders
	return f.p.db.Update(ctx, func(tx *store.Tx) error {
		f.made, f.holders = made, holders // the closure may run again
		var key elicense.HolderKey
		if len(made)%benchTypes != 0 {
			key = made[len(made)-1].holder
		}
		for range n {
			typ := len(f.made) % benchTypes
			if typ == 0 {
				ref := citizen(benchClerks + 2 + len(f.holders))
				f.holders = append(f.holders, ref)
				var err error
				if key, err = tx.Holder(ref, true); err != nil {
					return err
				}
			}
			id, err := f.apply(tx, key, typ)
			if err != nil {
				return err
			}
			f.made = append(f.made, madeLicense{id, key, typ})
		}
		return nil
	})
}

func (f *filler) apply(tx *store.Tx, key elicense.HolderKey, typ int) (elicense.LicenseID, error) {
	t, ref, number := f.typed[typ], f.holders[len(f.holders)-1], fmt.Sprintf("测字%08d号", len(f.made))
	id := elicense.NewID[elicense.LicenseID](tx.Now())
	event := elicense.NewID[elicense.EventID](tx.Now())
	_, err := tx.Apply(&elicense.Event{
		ID: event, License: id, Kind: elicense.EventPublish, Unit: benchUnit, Actor: f.drafter.Person,
		First: &elicense.License{
			Type: t.Code, TypeName: t.Name, TypeVersion: 1, Issuer: benchUnit, Reference: true, Source: "测量", Contact: tx.Now(),
			Holders: []elicense.HolderKey{key},
		},
		New: &elicense.Version{
			Holders: []elicense.HolderRef{ref}, IssuedOn: "2026-01-05", ValidFrom: "2026-01-05", ValidTo: "2036-01-04", FaceNumber: number,
			Fields: map[string]string{
				"holder_name": ref.Name, "code": ref.Code, "number": number, "scope": "热食类食品制售；冷食类食品制售；预包装食品销售",
				"address": "福州市鼓楼区东街8号", "valid_to": "2036-01-04",
			},
			Made: elicense.Making{Mode: string(t.Mode), Drafter: f.drafter.Person},
		},
	})
	tx.Record(store.Record{
		Actor: string(f.drafter.Account), ActorName: f.drafter.Name, Unit: string(benchUnit), Act: string(access.DraftMake), Outcome: store.Done,
		Rule: "draft-make", Clause: "第七条", License: string(id), LicenseType: string(t.Code), Holder: string(key),
		Detail: map[string]string{"event": string(event), "reference": "true"},
	})
	return id, err
}

// record enters n records of uses of some licenses, drawn at random, as the
// Guard writes them.
func (f *filler) record(ctx context.Context, of []madeLicense, n int) error {
	const perCase = 5
	var office elicense.CaseID
	for n > 0 {
		list := make([]store.Record, min(n, lot))
		for i := range list {
			l, clerk := of[f.rand.IntN(len(of))], f.clerks[f.rand.IntN(len(f.clerks))]
			if i%perCase == 0 {
				office = elicense.NewID[elicense.CaseID](time.Now())
			}
			list[i] = store.Record{
				Request: elicense.NewID[string](time.Now()), Actor: string(clerk.Account), ActorName: clerk.Name, Unit: string(clerk.Unit),
				Act: string(access.CaseUse), Outcome: store.Done, Rule: "case-use", Clause: "第十三条第二款", Case: string(office), License: string(l.id),
				LicenseType: string(benchType(l.typ)), Holder: string(l.holder), Basis: "法定职责", Purpose: "测量用事项",
				Fields: []string{"holder_name", "number", "scope"},
				Detail: map[string]string{"act": "query", "version": "1", "status": "valid", "asOf": time.Now().UTC().Format(time.RFC3339)},
			}
		}
		if _, err := f.p.db.Record(ctx, list...); err != nil {
			return err
		}
		n -= len(list)
	}
	return nil
}

// open opens cases for holders drawn at random who have all ten licenses, and
// looks at each license once: the first look of a case writes a notice to the
// holder, and what is measured is a query.
func (f *filler) open(ctx context.Context, c *benchContent) error {
	whole := len(f.made) / benchTypes
	for i := range min(benchCases, whole) {
		clerk := f.clerks[i%len(f.clerks)]
		k, err := f.p.cases.Start(ctx, clerk, cases.NewCase{Matter: benchMatter, Parties: []cases.Party{
			{Role: "申请人", Ref: f.holders[f.rand.IntN(whole)], Proof: cases.ProofCard},
		}})
		if err != nil {
			return err
		}
		c.Cases = append(c.Cases, benchCase{k.ID, "bench-clerk-" + strconv.Itoa(i%len(f.clerks))})
	}
	const lookers = 32
	failed := make(chan error, lookers)
	for n := range lookers {
		go func() {
			for i := n; i < len(c.Cases); i += lookers {
				for mat := range benchTypes {
					u := sharing.Use{Material: benchMaterial(mat), Party: -1, Act: sharing.Query}
					if _, err := f.p.sharing.Use(ctx, f.clerks[i%len(f.clerks)], c.Cases[i].ID, u); err != nil {
						failed <- err
						return
					}
				}
			}
			failed <- nil
		}()
	}
	var err error
	for range lookers {
		err = errors.Join(err, <-failed)
	}
	return err
}
