// Package ontime sees that every license the Measures ask for is made, and when: it
// knows the results of closed cases a license is due for, finds those nobody made
// one for (应生成未生成), lists what was late, lets supervision excuse it, and counts
// the shares made on time. Art. 4, 7, 19.
//
// Nothing here closes by hand. A result is made when the draft of its unit, case and
// item is published, whichever way it was made; what is late follows from the times
// that drafts and reports keep. Times are never edited: an excuse stands beside a
// late license, and the figures are told with it and without.
//
// Figures are sums over columns; no draft is opened for them. Lists are paged, and
// only the rows of a page are opened.
package ontime

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/calendar"
	"elicense/cases"
	"elicense/catalog"
	"elicense/issuance"
	"elicense/jobs"
	"elicense/org"
	"elicense/store"
)

// Ledger keeps the results of closed cases and what became of them.
type Ledger struct {
	DB    *store.DB
	Guard *access.Guard
	Log   *slog.Logger // nil discards
}

// New returns the ledger kept in db and lets it work its jobs of the queue.
func New(db *store.DB, guard *access.Guard, q *jobs.Queue, log *slog.Logger) *Ledger {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l := &Ledger{DB: db, Guard: guard, Log: log}
	q.Handle(cases.ResultJob, l.caseClosed)
	q.Handle(sweepJob, l.sweep)
	q.Handle(calendar.ResultsJob, l.recount)
	return l
}

// Source is where a result was learned of.
type Source string

// The sources.
const (
	BySystem Source = "system" // posted by a business system
	ByFile   Source = "file"   // an officer, by a table or one by one
	ByOffice Source = "office" // a case of the platform's own windows
)

var sourceWords = map[Source]string{BySystem: "业务系统", ByFile: "人员报送", ByOffice: "本平台办件"}

// Chinese returns the word shown to people.
func (s Source) Chinese() string { return sourceWords[s] }

// standing is what was said about a result.
type standing string

const (
	due     standing = "due"     // a license is due
	claimed standing = "claimed" // an officer says that none comes of it
	none    standing = "none"    // another officer has confirmed it
)

// State is where a result stands, for people.
type State string

// The states of a result.
const (
	Missing State = "missing" // 应生成未生成: nobody has begun its license
	Making  State = "making"  // 在制: a draft is on its way
	Made    State = "made"    // 已生成
	Claimed State = "claimed" // 提出不生成，待确认
	None    State = "none"    // 不生成
)

var stateWords = map[State]string{Missing: "应生成未生成", Making: "在制", Made: "已生成", Claimed: "不生成待确认", None: "不生成"}

// Chinese returns the word shown to people.
func (s State) Chinese() string { return stateWords[s] }

// Ground is why no license comes of a result.
type Ground string

// The closed set of grounds.
const (
	NotGranted  Ground = "not-granted"  // 不予许可、不予登记
	Withdrawn   Ground = "withdrawn"    // 申请人撤回，或决定已撤销
	StateSecret Ground = "state-secret" // 涉及国家秘密 (Art. 2)
	WorkSecret  Ground = "work-secret"  // 涉及工作秘密
	NoLicense   Ground = "no-license"   // 报送有误：这一结果不产生证照
)

var groundWords = map[Ground]string{
	NotGranted: "不予许可或不予登记", Withdrawn: "申请人撤回或决定已撤销", StateSecret: "涉及国家秘密", WorkSecret: "涉及工作秘密", NoLicense: "报送有误，不产生证照",
}

// Chinese returns the words shown to people.
func (g Ground) Chinese() string { return groundWords[g] }

// Secret tells whether nothing of the result may be written here.
func (g Ground) Secret() bool { return g == StateSecret || g == WorkSecret }

// Grounds lists the set in the order it is offered.
func Grounds() []Ground { return []Ground{NotGranted, Withdrawn, StateSecret, WorkSecret, NoLicense} }

// Result is a result of a closed case that a license is due for (应生成).
type Result struct {
	ID       string
	Unit     elicense.UnitCode
	Type     elicense.TypeCode
	TypeName string
	Mode     catalog.Mode // whose term it has
	Closed   time.Time
	Due      time.Time // zero while the calendar does not know the year
	Source   Source
	Office   elicense.CaseID // of a case of the platform
	// Wholly tells that the case was met by e-licenses alone: it comes first (Art. 4).
	Wholly    bool
	Owner     elicense.AccountID // who answers for it; empty if the unit has nobody
	OwnerName string
	Ground    Ground // why no license comes of it
	Claimer   elicense.PersonID
	Claimed   time.Time
	Confirmer elicense.PersonID
	Confirmed time.Time
	Reported  time.Time
	Seq       int64
	Content

	Draft     elicense.DraftID // that is made for it; empty while there is none
	Drafted   issuance.State
	Published time.Time

	index    []byte // of the case
	standing standing
	awaited  bool // its license is not known to be published
}

// Content is the part of a result that is kept as cipher text.
type Content struct {
	Case   string             `json:"case"`
	Item   string             `json:"item"`
	DocNo  string             `json:"docNo,omitempty"`
	Holder elicense.HolderRef `json:"holder,omitzero"`
	Remark string             `json:"remark,omitempty"` // of who said that none comes of it
}

// State tells where the result stands.
func (r *Result) State() State {
	switch {
	case r.standing == none:
		return None
	case r.Drafted == issuance.Published:
		return Made
	case r.standing == claimed:
		return Claimed
	case r.Draft != "":
		return Making
	}
	return Missing
}

// Late tells whether the result was, or is by now, past its term.
func (r *Result) Late(now time.Time) bool {
	if r.Due.IsZero() || r.standing == none {
		return false
	}
	if !r.Published.IsZero() {
		return r.Published.After(r.Due)
	}
	return now.After(r.Due)
}

func micros(t time.Time) []byte {
	if t.IsZero() {
		return nil
	}
	return []byte(strconv.FormatInt(t.UnixMicro(), 10))
}

func (r *Result) parts() [][]byte {
	return [][]byte{
		[]byte(r.Unit), []byte(hex.EncodeToString(r.index)), []byte(r.Item), []byte(r.Type), []byte(r.Mode), micros(r.Closed), micros(r.Due),
		[]byte(r.Source), []byte(r.Office), []byte(strconv.FormatBool(r.Wholly)), []byte(r.Owner), []byte(r.standing), []byte(r.Ground),
		[]byte(r.Claimer), micros(r.Claimed), []byte(r.Confirmer), micros(r.Confirmed), []byte(strconv.FormatBool(r.awaited)), micros(r.Reported),
		[]byte(strconv.FormatInt(r.Seq, 10)),
	}
}

func (r *Result) sealed(tx *store.Tx) ([]byte, error) {
	b, err := json.Marshal(r.Content)
	if err != nil {
		return nil, fmt.Errorf("result %s: %w", r.ID, err)
	}
	return tx.Encrypt("case_result", r.ID, "content_enc", b), nil
}

func (r *Result) insert(tx *store.Tx) error {
	content, err := r.sealed(tx)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO case_result (id, unit, case_index, item, type, type_name, mode, closed, due, source, office_case, wholly, content_enc,
		owner, standing, ground, claimer, claimed, confirmer, confirmed, awaited, reported, seq, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)`,
		r.ID, r.Unit, r.index, r.Item, r.Type, r.TypeName, r.Mode, r.Closed, r.Due, r.Source, r.Office, r.Wholly, content,
		r.Owner, string(r.standing), r.Ground, r.Claimer, r.Claimed, r.Confirmer, r.Confirmed, r.awaited, r.Reported, r.Seq, tx.MAC("case_result", r.ID, r.parts()...))
	return err
}

// update writes a changed result; one that changed meanwhile is a Conflict.
func (r *Result) update(tx *store.Tx) error {
	r.Seq++
	content, err := r.sealed(tx)
	if err != nil {
		return err
	}
	n, err := tx.Exec(`UPDATE case_result SET due = $1, content_enc = $2, owner = $3, standing = $4, ground = $5, claimer = $6, claimed = $7, confirmer = $8,
		confirmed = $9, awaited = $10, seq = $11, mac = $12 WHERE id = $13 AND seq = $14`,
		r.Due, content, r.Owner, string(r.standing), r.Ground, r.Claimer, r.Claimed, r.Confirmer, r.Confirmed, r.awaited, r.Seq,
		tx.MAC("case_result", r.ID, r.parts()...), r.ID, r.Seq-1)
	if err == nil && n == 0 {
		return elicense.E(elicense.Conflict, "这件办结刚刚有人办过").Then("请刷新，核对后再办")
	}
	return err
}

// matched joins results with the drafts that are made for them.
const matched = ` FROM case_result r LEFT JOIN completion c ON c.unit = r.unit AND c.case_index = r.case_index AND c.item = r.item
	LEFT JOIN draft d ON d.id = c.draft `

// results reads results with what is made for them; r, c and d name the three
// tables in where.
func results(tx *store.Tx, where string, args ...any) ([]*Result, error) {
	return store.All(tx, func(row *store.Rows) (*Result, error) {
		var r Result
		var content, mac []byte
		var draft, drafted *string
		err := row.Scan(&r.ID, &r.Unit, &r.index, &r.Item, &r.Type, &r.TypeName, &r.Mode, &r.Closed, &r.Due, &r.Source, &r.Office, &r.Wholly, &content,
			&r.Owner, (*string)(&r.standing), &r.Ground, &r.Claimer, &r.Claimed, &r.Confirmer, &r.Confirmed, &r.awaited, &r.Reported, &r.Seq, &mac,
			&draft, &drafted, &r.Published)
		if err != nil {
			return nil, err
		}
		if draft != nil && drafted != nil {
			r.Draft, r.Drafted = elicense.DraftID(*draft), issuance.State(*drafted)
		}
		if err := tx.CheckMAC(mac, "case_result", r.ID, r.parts()...); err != nil {
			return nil, err
		}
		if content, err = tx.Decrypt("case_result", r.ID, "content_enc", content); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(content, &r.Content); err != nil {
			return nil, fmt.Errorf("result %s: %w", r.ID, err)
		}
		return &r, nil
	}, `SELECT r.id, r.unit, r.case_index, r.item, r.type, r.type_name, r.mode, r.closed, r.due, r.source, r.office_case, r.wholly, r.content_enc,
		r.owner, r.standing, r.ground, r.claimer, r.claimed, r.confirmer, r.confirmed, r.awaited, r.reported, r.seq, r.mac, d.id, d.state, d.published`+matched+where, args...)
}

func resultOf(tx *store.Tx, id string) (*Result, error) {
	list, err := results(tx, `WHERE r.id = $1`, id)
	if err == nil && len(list) == 0 {
		err = elicense.E(elicense.NotFound, "没有这件办结")
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// of returns the result of a unit's case, nil if none was reported.
func of(tx *store.Tx, unit elicense.UnitCode, number, item string) (*Result, error) {
	for _, index := range tx.Indexes("completion", number) {
		list, err := results(tx, `WHERE r.unit = $1 AND r.case_index = $2 AND r.item = $3`, unit, index, item)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			return list[0], nil
		}
	}
	return nil, nil
}

// named fills in the names of owners.
func named(tx *store.Tx, list []*Result) error {
	names := map[elicense.AccountID]string{}
	for _, r := range list {
		if r.Owner == "" {
			continue
		}
		if _, known := names[r.Owner]; !known {
			a, err := org.AccountOf(tx, r.Owner)
			if err != nil {
				return err
			}
			names[r.Owner] = a.Name
		}
		r.OwnerName = names[r.Owner]
	}
	return nil
}

// request asks the law about what a unit owes.
func request(actor *elicense.Actor, act access.Act, unit elicense.UnitCode, detail map[string]string) func(*store.Tx) (access.Request, error) {
	return func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: act, On: access.Thing{Kind: "OnTime", ID: string(unit), Attr: access.Attr{"unit": string(unit)}},
			Note: access.Note{Detail: detail},
		}, nil
	}
}

// aboutResult asks the law about one result. One that does not exist is nobody's.
func aboutResult(actor *elicense.Actor, act access.Act, id string) func(*store.Tx) (access.Request, error) {
	return func(tx *store.Tx) (access.Request, error) {
		r, err := resultOf(tx, id)
		if elicense.IsKind(err, elicense.NotFound) {
			r = &Result{}
		} else if err != nil {
			return access.Request{}, err
		}
		req := access.Request{
			Actor: actor, Act: act,
			On:   access.Thing{Kind: "OnTime", ID: id, Attr: access.Attr{"unit": string(r.Unit), "claimer": string(r.Claimer)}},
			Note: access.Note{LicenseType: r.Type, Detail: map[string]string{"result": r.ID}},
		}
		if r.Seq > 0 {
			req.Rests = []access.Rests{{Query: `SELECT seq FROM case_result WHERE id = $1`, Args: []any{id}, Want: r.Seq}}
		}
		return req, nil
	}
}

// Get returns a result to its unit. Errors: Forbidden, also if
// there is no such result.
func (l *Ledger) Get(ctx context.Context, actor *elicense.Actor, id string) (*Result, error) {
	r, _, err := access.Get(ctx, l.Guard, aboutResult(actor, access.OnTimeOwn, id), func(tx *store.Tx, _ *access.Permit) (*Result, error) {
		r, err := resultOf(tx, id)
		if err != nil {
			return nil, err
		}
		return r, named(tx, []*Result{r})
	})
	return r, err
}

// Page is a place in a list that goes by the time of closing, in some lists after the
// results of cases that were met wholly by e-licenses.
type Page struct {
	Closed time.Time
	ID     string
	Wholly bool // it stands among those that come first
}

// String writes the place for an address.
func (p Page) String() string {
	if p.ID == "" {
		return ""
	}
	first := ""
	if p.Wholly {
		first = wholly
	}
	return first + strconv.FormatInt(p.Closed.UnixMicro(), 10) + "-" + p.ID
}

// wholly begins the address of a place among those that come first.
const wholly = "w"

// ParsePage reads a place; an empty or broken one is the beginning.
func ParsePage(s string) Page {
	s, first := strings.CutPrefix(s, wholly)
	for i := range s {
		if s[i] == '-' {
			n, err := strconv.ParseInt(s[:i], 10, 64)
			if err != nil || !elicense.ValidID(s[i+1:]) {
				return Page{}
			}
			return Page{time.UnixMicro(n).UTC(), s[i+1:], first}
		}
	}
	return Page{}
}

// Missing lists the results of a unit whose license is not published, those of cases met
// wholly by e-licenses first (Art. 4), then those closed first, and the place of the next page, empty at the end. All of them wait:
// some have a draft, of some it is said that no license comes.
func (l *Ledger) Missing(ctx context.Context, actor *elicense.Actor, unit elicense.UnitCode, after Page, limit int) (list []*Result, next Page, err error) {
	type page struct {
		list []*Result
		next Page
	}
	p, _, err := access.Get(ctx, l.Guard, request(actor, access.OnTimeOwn, unit, map[string]string{"list": "missing"}), func(tx *store.Tx, _ *access.Permit) (p page, err error) {
		rank := 1 // of the place: 0 for those that come first, before all of them at the beginning
		switch {
		case after.ID == "":
			rank = -1
		case after.Wholly:
			rank = 0
		}
		const ranked = `CASE WHEN r.wholly THEN 0 ELSE 1 END`
		p.list, err = results(tx, `WHERE r.unit = $1 AND r.awaited AND (d.state IS NULL OR d.state <> 'published')
			AND (`+ranked+` > $2 OR `+ranked+` = $3 AND (r.closed > $4 OR r.closed = $5 AND r.id > $6))
			ORDER BY `+ranked+`, r.closed, r.id LIMIT $7`, unit, rank, rank, from0(after.Closed), from0(after.Closed), after.ID, limit+1)
		if err != nil {
			return p, err
		}
		if len(p.list) > limit {
			p.list = p.list[:limit]
			last := p.list[limit-1]
			p.next = Page{last.Closed, last.ID, last.Wholly}
		}
		return p, named(tx, p.list)
	})
	return p.list, p.next, err
}

// from0 is a time that can be compared with in SQL: the zero time is NULL there.
func from0(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// recount counts the terms of results whose license is not published anew after the
// calendar has changed; the handler of calendar.ResultsJob.
func (l *Ledger) recount(ctx context.Context, _ []byte) error {
	return l.DB.Update(ctx, func(tx *store.Tx) error {
		list, err := results(tx, `WHERE r.awaited AND r.mode = $1`, catalog.Bulk) // no other term depends on the calendar
		if err != nil {
			return err
		}
		for _, r := range list {
			at, err := issuance.Due(tx, r.Mode, r.Closed)
			if err != nil {
				return err
			}
			if at.Equal(r.Due) {
				continue
			}
			r.Due = at
			if err := r.update(tx); err != nil {
				return err
			}
		}
		return jobs.Done(tx, jobs.Current(ctx))
	})
}

// sweepJob is the kind of the job that takes note of licenses published meanwhile.
const sweepJob = "result-sweep"

// sweepEvery is how often it runs while something is awaited.
const sweepEvery = time.Hour

func sweepLater(tx *store.Tx) error {
	return jobs.Enqueue(tx, jobs.Job{Kind: sweepJob, Key: "all", RunAt: tx.Now().Add(sweepEvery)})
}

// sweepBatch is how many results a transaction of the sweep writes.
const sweepBatch = 500

// sweep notes on results that their license is published, which it stays: what is
// awaited is then found without looking at what was made long ago. Nothing waits
// for it; lists and figures look at the drafts themselves.
func (l *Ledger) sweep(ctx context.Context, _ []byte) error {
	for {
		n := 0
		err := l.DB.Update(ctx, func(tx *store.Tx) error {
			list, err := results(tx, `WHERE r.awaited AND d.state = $1 LIMIT $2`, issuance.Published, sweepBatch)
			if err != nil {
				return err
			}
			n = len(list)
			for _, r := range list {
				r.awaited = false
				if err := r.update(tx); err != nil {
					return err
				}
			}
			if n == sweepBatch {
				return nil
			}
			var waiting int
			if err := tx.Row(`SELECT COUNT(*) FROM case_result WHERE awaited`).Scan(&waiting); err != nil {
				return err
			}
			if waiting > 0 {
				if err := sweepLater(tx); err != nil {
					return err
				}
			}
			return jobs.Done(tx, jobs.Current(ctx))
		})
		if err != nil || n < sweepBatch {
			return err
		}
	}
}

var errForgotten = fmt.Errorf("it is not awaited, and its license is not published")

// Each reads every result; f gets the error of one that is not as it was left, or
// that nobody waits for although its license was not made.
func Each(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "case_result", func(id string) error {
		r, err := resultOf(tx, id)
		if err == nil && !r.awaited && r.standing != none && r.Drafted != issuance.Published {
			err = errForgotten
		}
		return f(id, err)
	})
}
