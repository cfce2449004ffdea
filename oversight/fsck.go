// Package oversight lets the administration and the efficiency body see that the
// platform keeps the Measures: for now the check of everything that is stored
// (Art. 17(1)); reports, inspections and complaints follow (Art. 13(3), 16, 19).
package oversight

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"runtime"
	"slices"
	"strings"
	"sync"

	"elicense"
	"elicense/access"
	"elicense/calendar"
	"elicense/cases"
	"elicense/catalog"
	"elicense/delivery"
	"elicense/issuance"
	"elicense/letters"
	"elicense/lifecycle"
	"elicense/offline"
	"elicense/ontime"
	"elicense/org"
	"elicense/references"
	"elicense/registry"
	"elicense/sealing"
	"elicense/sharing"
	"elicense/stock"
	"elicense/store"
	"elicense/verification"
)

// Finding is one thing that is not as the platform left it.
type Finding struct {
	Kind  string `json:"kind"`  // record, license, version, event, file, use, row
	Where string `json:"where"` // its identifier
	What  string `json:"what"`
}

// String writes the finding on one line.
func (f Finding) String() string { return f.Kind + " " + f.Where + ": " + f.What }

// Summary says what a check looked at.
type Summary struct {
	Records  uint64 `json:"records"`
	Licenses int    `json:"licenses"`
	Versions int    `json:"versions"`
	Events   int    `json:"events"`
	Files    int    `json:"files"`
	Rows     int    `json:"rows"` // other rows that decide
	Findings int    `json:"findings"`
}

// checker is one run of Check.
type checker struct {
	db     *store.DB
	judge  *verification.Files
	report func(Finding)
	sum    Summary
	files  map[string]bool   // every file some row knows
	sealed map[string]string // the version of each sealed file whose use of a key was not seen yet

	seed     maphash.Seed
	inRecord map[uint64]struct{} // what eventMark says of the events on record
	ruleActs access.RuleActs
}

// Check verifies everything that is stored again: the record and its log,
// identifiers, events, states derived anew from events, the HMACs of rows that
// decide, cipher texts in their places, and every sealed file with its seal. It
// names each thing that is not as it was left; err is for what could not be
// read. It changes nothing.
func Check(ctx context.Context, db *store.DB, files *verification.Files, report func(Finding)) (Summary, error) {
	c := &checker{db: db, judge: files, files: map[string]bool{}, sealed: map[string]string{}, seed: maphash.MakeSeed(), inRecord: map[uint64]struct{}{}, ruleActs: access.RuleActs{}}
	var mu sync.Mutex
	c.report = func(f Finding) {
		mu.Lock()
		defer mu.Unlock()
		c.sum.Findings++
		report(f)
	}
	for _, step := range []func(context.Context) error{c.log, c.licenses, c.uses, c.rows, c.given, c.strayFiles} {
		if err := step(ctx); err != nil {
			return c.sum, err
		}
	}
	return c.sum, nil
}

func (c *checker) log(ctx context.Context) error {
	err := c.db.View(ctx, func(tx *store.Tx) (err error) {
		c.sum.Records, err = tx.CountRecords()
		return err
	})
	if err != nil {
		return err
	}
	visit := func(r *store.Record) {
		c.ruleActs.Count(r)
		if event := r.Detail["event"]; event != "" {
			c.inRecord[c.eventMark(r.License, event)] = struct{}{}
		}
	}
	return c.db.CheckLog(ctx, visit, func(f store.Finding) {
		c.report(Finding{"record", f.ID, f.String()})
	})
}

// eventMark is what an event of a license on record is remembered by: eight bytes,
// as a province's record names hundreds of millions. Its seed is made anew for each
// check, so that nobody can make two that agree.
func (c *checker) eventMark(license, event string) uint64 {
	return maphash.String(c.seed, license+"\x00"+event)
}

func (c *checker) licenses(ctx context.Context) error {
	files := c.judges(ctx)
	err := c.db.View(ctx, func(tx *store.Tx) error {
		tx.SeeWithdrawn()
		return tx.EachLicense(func(l *elicense.License, err error) error {
			c.sum.Licenses++
			if err != nil {
				c.report(Finding{"license", string(l.ID), "这一行被改动过：" + err.Error()})
				return ctx.Err()
			}
			if err := c.license(tx, l, files.judge); err != nil {
				return err
			}
			return ctx.Err()
		})
	})
	files.wait()
	return err
}

// judges are as many goroutines as there are processors: judging a sealed file
// takes more than all else that is checked of a license.
type judges struct {
	queue chan *elicense.Version
	done  sync.WaitGroup
}

func (c *checker) judges(ctx context.Context) *judges {
	j := &judges{queue: make(chan *elicense.Version, 64)}
	for range runtime.GOMAXPROCS(0) {
		j.done.Go(func() {
			for v := range j.queue {
				if issuance.Unsealed(v) {
					c.report(Finding{"license", string(v.License), fmt.Sprintf("第%d版的文件是空的：签章没有办成却已发布，要重新制作", v.Number)})
					continue
				}
				file, err := c.db.Files().Get(ctx, v.File, v.Digest)
				if ctx.Err() != nil {
					continue
				}
				if err != nil {
					c.report(Finding{"file", v.File, "被改动过或缺失：" + err.Error()})
				} else if reason := c.judge.Judge(file, v.Identifier); reason != "" {
					c.report(Finding{"file", v.File, reason})
				}
			}
		})
	}
	return j
}

func (j *judges) judge(v *elicense.Version) { j.queue <- v }

func (j *judges) wait() {
	close(j.queue)
	j.done.Wait()
}

// license checks one license: its events lead to its row, every event is in the
// record, its names find it, its versions and files hold.
func (c *checker) license(tx *store.Tx, l *elicense.License, judge func(*elicense.Version)) error {
	events, err := tx.Events(l)
	if err != nil {
		c.report(Finding{"event", string(l.ID), "事件被改动过：" + err.Error()})
	} else {
		c.sum.Events += len(events)
		c.derive(l, events)
		if err := c.recorded(tx, l, events); err != nil {
			return err
		}
	}
	if again, err := tx.License(l.ID); err != nil || again.Owner != l.Owner {
		c.report(Finding{"license", string(l.ID), "按标识找不到"})
	}
	for n := 1; n <= l.Standing.Version; n++ {
		c.sum.Versions++
		v, err := tx.Version(l, n)
		if err != nil {
			c.report(Finding{"version", fmt.Sprintf("%s/%d", l.ID, n), "被改动过或缺失：" + err.Error()})
			continue
		}
		c.version(tx, l, v, judge)
		if n == 1 {
			if err := c.holders(tx, l, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// holders checks that the license stands in the folder of each holder it was
// issued to, and in no other.
func (c *checker) holders(tx *store.Tx, l *elicense.License, first *elicense.Version) error {
	var want []elicense.HolderKey
	for _, ref := range first.Holders {
		key, err := tx.Holder(ref, false)
		switch {
		case errors.Is(err, store.ErrTampered):
			c.report(Finding{"license", string(l.ID), "持证主体的代码指向别人：" + err.Error()})
		case err != nil && !elicense.IsKind(err, elicense.NotFound):
			return err
		}
		if !slices.Contains(want, key) {
			want = append(want, key)
		}
	}
	if !slices.Equal(want, l.Holders) {
		c.report(Finding{"license", string(l.ID), "持证主体的索引和签发的内容不一致"})
	}
	rows, err := tx.Query(`SELECT owner, type FROM license_holder WHERE license = $1`, l.ID)
	if err != nil {
		return err
	}
	for rows.Next() {
		var owner elicense.HolderKey
		var typ elicense.TypeCode
		if err := rows.Scan(&owner, &typ); err != nil {
			return err
		}
		if owner != l.Owner || typ != l.Type {
			c.report(Finding{"license", string(l.ID), "按持证主体和类别找不到"})
		}
	}
	return nil
}

// derive runs the state table over the events.
func (c *checker) derive(l *elicense.License, events []*elicense.Event) {
	var s elicense.Standing
	for i, ev := range events {
		if ev.Seq != i+1 {
			c.report(Finding{"event", fmt.Sprintf("%s#%d", l.ID, i+1), "缺失或多出"})
			return
		}
		next, err := s.After(ev.Kind)
		if err != nil {
			c.report(Finding{"event", fmt.Sprintf("%s#%d", l.ID, ev.Seq), "状态表不允许：" + err.Error()})
			return
		}
		s = next
	}
	if s != l.Standing || len(events) != l.Seq {
		c.report(Finding{"license", string(l.ID), fmt.Sprintf("状态%v不是事件导出的%v", l.Standing, s)})
	}
}

// recorded checks that the record holds every event. One that was not seen on the
// way through the log may have happened since: it is looked up.
func (c *checker) recorded(tx *store.Tx, l *elicense.License, events []*elicense.Event) error {
	missing := map[string]int{}
	for _, ev := range events {
		if _, ok := c.inRecord[c.eventMark(string(l.ID), string(ev.ID))]; !ok {
			missing[string(ev.ID)] = ev.Seq
		}
	}
	var at store.Page
	for len(missing) > 0 {
		records, next, err := tx.Records(store.ByLicense, string(l.ID), at, 200)
		if err != nil {
			c.report(Finding{"record", string(l.ID), "读不出：" + err.Error()})
			return nil
		}
		if len(records) == 0 {
			break
		}
		for _, r := range records {
			delete(missing, r.Detail["event"])
		}
		at = next
	}
	for _, seq := range missing {
		c.report(Finding{"event", fmt.Sprintf("%s#%d", l.ID, seq), "访问日志里没有"})
	}
	return nil
}

func (c *checker) version(tx *store.Tx, l *elicense.License, v *elicense.Version, judge func(*elicense.Version)) {
	where := fmt.Sprintf("%s/%d", l.ID, v.Number)
	if v.Code != "" {
		if found, n, err := tx.ByCode(v.Code); err != nil || found.ID != l.ID || n != v.Number {
			c.report(Finding{"version", where, "按查验码找不到"})
		}
	}
	if l.Reference {
		return
	}
	if !v.Identifier.CheckCharacterHolds() {
		c.report(Finding{"version", where, "证照标识的校验位不对"})
	}
	if found, n, err := tx.ByIdentifier(v.Identifier); err != nil || found.ID != l.ID || n != v.Number {
		c.report(Finding{"version", where, "按证照标识找不到"})
	}
	c.files[v.File], c.sealed[v.File] = true, where
	c.sum.Files++
	judge(v)
}

// uses checks that every use of a sealing key has ended as it should, and that
// every sealed file comes of one.
func (c *checker) uses(ctx context.Context) error {
	err := c.db.View(ctx, func(tx *store.Tx) error {
		return sealing.EachUse(tx, func(u *sealing.Use, err error) error {
			if u.File != "" {
				c.files[u.File] = true
			}
			ended := false
			if err == nil {
				ended, err = endOf(tx, u)
			}
			if err != nil {
				c.report(Finding{"use", u.ID, "这一行被改动过：" + err.Error()})
			}
			if u.State == sealing.Stored {
				delete(c.sealed, u.File)
				if err == nil && !ended {
					c.report(Finding{"use", u.ID, "用印已完成，盖章的文件却没有登记"})
				}
			}
			return ctx.Err()
		})
	})
	for file, version := range c.sealed {
		c.report(Finding{"use", version, "没有用印的登记：" + file})
	}
	return err
}

// endOf tells whether what a key was used for is there.
func endOf(tx *store.Tx, u *sealing.Use) (bool, error) {
	if name, ok := strings.CutPrefix(u.Subject, sealing.LetterPrefix); ok {
		return letters.SealedBy(tx, name, u)
	}
	if name, ok := strings.CutPrefix(u.Subject, sealing.DeliveryPrefix); ok {
		return delivery.SealedBy(tx, name, u)
	}
	return issuance.PublishedBy(tx, u)
}

// rows reads every other row that decides; reading checks its HMAC and opens its
// cipher text.
func (c *checker) rows(ctx context.Context) error {
	return c.db.View(ctx, func(tx *store.Tx) error {
		for _, room := range []struct {
			name string
			each func(*store.Tx, func(id string, err error) error) error
		}{
			{"account", org.EachAccount}, {"local rule", c.eachLocalRule}, {"seal", sealing.EachSeal}, {"trust", sealing.EachTrust}, {"draft", issuance.EachDraft}, {"lot", issuance.EachLot}, {"comparison", registry.Each},
			{"change", lifecycle.EachChange}, {"case", cases.EachCase}, {"matter", cases.EachMatter}, {"type", catalog.EachType}, {"type check", catalog.EachCheck}, {"type mode", catalog.EachMode}, {"mode proposal", catalog.EachModeProposal}, {"type contact", catalog.EachContact},
			{"basis", cases.EachBasis}, {"look", sharing.EachUse}, {"disclosure", sharing.EachDisclosure}, {"kit", offline.Each}, {"system key", cases.EachSystemKey}, {"frame", cases.EachFrame}, {"calendar", calendar.Each}, {"stock", stock.EachRow},
			{"result", ontime.Each}, {"result file", ontime.EachUpload}, {"excuse", ontime.EachExcuse}, {"setting", ontime.EachSetting},
			{"contact", delivery.EachContact}, {"message", delivery.EachMessage}, {"receipt", delivery.EachReceipt},
			{"source", references.EachSource}, {"delivery of a source", references.EachDelivery}, {"reference", references.EachKept},
			{"difference", references.EachDifference}, {"awaited", references.EachAwaited},
		} {
			err := room.each(tx, func(id string, err error) error {
				c.sum.Rows++
				if err != nil {
					c.report(Finding{room.name, id, "这一行被改动过：" + err.Error()})
				}
				return ctx.Err()
			})
			if err != nil {
				return fmt.Errorf("rows of %s: %w", room.name, err)
			}
		}
		return nil
	})
}

func (c *checker) eachLocalRule(tx *store.Tx, f func(id string, err error) error) error {
	return access.EachLocalRule(tx, c.ruleActs, f)
}

// given checks the files that were given in cases, and the notices of cases.
func (c *checker) given(ctx context.Context) error {
	return c.db.View(ctx, func(tx *store.Tx) error {
		check := func(name string, digest []byte, err error) error {
			c.files[name] = true
			c.sum.Files++
			if err == nil {
				_, err = c.db.Files().Get(ctx, name, digest)
			}
			if err != nil {
				c.report(Finding{"file", name, "被改动过或缺失：" + err.Error()})
			}
			return ctx.Err()
		}
		return errors.Join(cases.EachFile(tx, check), letters.Each(tx, check), offline.EachFile(tx, check), stock.Each(tx, check), delivery.EachPackage(tx, check), delivery.EachUpload(tx, check))
	})
}

// strayFiles names stored files no row knows. What was given in a case, the picture
// of a paper, a package, the proof of an outage and an uploaded document are stored before their rows, and a
// crash between leaves a file that nothing leads to.
func (c *checker) strayFiles(ctx context.Context) error {
	names, err := c.db.Files().List(ctx)
	if err != nil {
		return err
	}
	for _, n := range names {
		if !c.files[n] && !strings.HasPrefix(n, cases.FilePrefix) && !strings.HasPrefix(n, offline.FilePrefix) && !strings.HasPrefix(n, offline.ProofPrefix) && !strings.HasPrefix(n, stock.FilePrefix) &&
			!strings.HasPrefix(n, delivery.FilePrefix) {
			c.report(Finding{"file", n, "没有记录的文件"})
		}
	}
	return nil
}

// ErrFindings is returned by commands whose check found something.
var ErrFindings = errors.New("the check found something")

// Text writes what a check looked at and found, for people.
func (s Summary) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "核对访问记录%d条、证照%d件、版本%d个、事件%d个、文件%d个、其他记录%d行：", s.Records, s.Licenses, s.Versions, s.Events, s.Files, s.Rows)
	if s.Findings == 0 {
		b.WriteString("没有发现问题")
	} else {
		fmt.Fprintf(&b, "发现%d处问题", s.Findings)
	}
	return b.String()
}
