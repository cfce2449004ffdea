package references

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/calendar"
	"elicense/catalog"
	"elicense/org"
	"elicense/store"
	"elicense/workday"
)

// AwaitedState is how far it is that a ministry returns licenses.
type AwaitedState string

// The states of what is awaited.
const (
	ToAsk     AwaitedState = "to-ask"    // 待提出
	Requested AwaitedState = "requested" // 已商请
	Answered  AwaitedState = "answered"  // 已答复
	Connected AwaitedState = "connected" // 已接入
	Deferred  AwaitedState = "deferred"  // 暂缓
)

var awaitedWords = map[AwaitedState]string{ToAsk: "待提出", Requested: "已商请", Answered: "已答复", Connected: "已接入", Deferred: "暂缓"}

// Chinese returns the word shown to people.
func (s AwaitedState) Chinese() string { return awaitedWords[s] }

// AwaitedStates lists the states in the order they are offered.
func AwaitedStates() []AwaitedState {
	return []AwaitedState{ToAsk, Requested, Answered, Connected, Deferred}
}

// StepKind is what was done about it.
type StepKind string

// The kinds of step.
const (
	ByLetter  StepKind = "letter"  // 函
	ByMeeting StepKind = "meeting" // 会议
	ByCall    StepKind = "call"    // 电话
	Answer    StepKind = "answer"  // 对方答复
)

var stepWords = map[StepKind]string{ByLetter: "函", ByMeeting: "会议", ByCall: "电话", Answer: "对方答复"}

// Chinese returns the word shown to people.
func (k StepKind) Chinese() string { return stepWords[k] }

// StepKinds lists the kinds in the order they are offered.
func StepKinds() []StepKind { return []StepKind{ByLetter, ByMeeting, ByCall, Answer} }

// Step is a request that was made, or an answer that came. Steps are added, never
// changed.
type Step struct {
	Kind StepKind      `json:"kind"`
	On   elicense.Date `json:"on"`
	Doc  string        `json:"doc,omitempty"` // number of the letter or minutes
	To   string        `json:"to,omitempty"`  // to whom, or who answered
	Text string        `json:"text"`
	By   string        `json:"by"` // name of who noted it
	At   time.Time     `json:"at"`
}

// Awaited is a system of a ministry whose licenses do not come back yet (等待部委回传),
// and what was done about it.
type Awaited struct {
	ID       string // empty of one that no unit has taken up: its types are national and no source is live
	Unit     elicense.UnitCode
	System   string
	Ministry string
	Types    []elicense.TypeCode
	State    AwaitedState
	Begun    elicense.Date // since when it is awaited
	Next     elicense.Date // when it is to be asked again; empty if that is open
	Steps    []Step
	Changed  time.Time
	Seq      int64

	UnitName  string   `json:"-"`
	TypeNames []string `json:"-"`
	Days      int      `json:"-"` // working days since Begun; -1 where the calendar does not know
	Quiet     int      `json:"-"` // working days since the last step; -1 without any
	Overdue   bool     `json:"-"` // Next is past and it is not settled
}

// Settled tells whether nothing is to be done about it now.
func (a *Awaited) Settled() bool { return a.State == Connected || a.State == Deferred }

// Last returns the last step of the kinds, nil if there is none.
func (a *Awaited) Last(kinds ...StepKind) *Step {
	for i := len(a.Steps) - 1; i >= 0; i-- {
		if slices.Contains(kinds, a.Steps[i].Kind) {
			return &a.Steps[i]
		}
	}
	return nil
}

// Asked returns the last request, nil if there is none.
func (a *Awaited) Asked() *Step { return a.Last(ByLetter, ByMeeting, ByCall) }

// Reply returns the last answer, nil if there is none.
func (a *Awaited) Reply() *Step { return a.Last(Answer) }

func (a *Awaited) encoded() (types, steps []byte, p [][]byte, err error) {
	if types, err = json.Marshal(a.Types); err != nil {
		return nil, nil, nil, fmt.Errorf("awaited: %w", err)
	}
	if steps, err = json.Marshal(a.Steps); err != nil {
		return nil, nil, nil, fmt.Errorf("awaited: %w", err)
	}
	p = parts(string(a.Unit), a.System, a.Ministry, string(types), string(a.State), string(a.Begun), string(a.Next), string(steps), fmt.Sprint(a.Seq))
	return types, steps, append(p, micros(a.Changed)), nil
}

func awaits(tx *store.Tx, where string, args ...any) ([]*Awaited, error) {
	return store.All(tx, func(r *store.Rows) (*Awaited, error) {
		var a Awaited
		var types, steps string
		var mac []byte
		if err := r.Scan(&a.ID, &a.Unit, &a.System, &a.Ministry, &types, &a.State, &a.Begun, &a.Next, &steps, &a.Changed, &a.Seq, &mac); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(types), &a.Types); err != nil {
			return nil, fmt.Errorf("awaited %s: %w", a.ID, err)
		}
		if err := json.Unmarshal([]byte(steps), &a.Steps); err != nil {
			return nil, fmt.Errorf("awaited %s: %w", a.ID, err)
		}
		_, _, p, err := a.encoded()
		if err != nil {
			return nil, err
		}
		return &a, tx.CheckMAC(mac, "ref_awaited", a.ID, p...)
	}, `SELECT id, unit, system, ministry, types, state, begun, next_on, steps, changed, seq, mac FROM ref_awaited `+where, args...)
}

func (a *Awaited) put(tx *store.Tx) error {
	a.Seq++
	types, steps, p, err := a.encoded()
	if err != nil {
		return err
	}
	mac := tx.MAC("ref_awaited", a.ID, p...)
	if a.Seq == 1 {
		_, err := tx.Exec(`INSERT INTO ref_awaited (id, unit, system, ministry, types, state, begun, next_on, steps, changed, seq, mac)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
			a.ID, a.Unit, a.System, a.Ministry, string(types), a.State, a.Begun, a.Next, string(steps), a.Changed, a.Seq, mac)
		return err
	}
	n, err := tx.Exec(`UPDATE ref_awaited SET state = $1, next_on = $2, steps = $3, changed = $4, seq = $5, mac = $6 WHERE id = $7 AND seq = $8`,
		a.State, a.Next, string(steps), a.Changed, a.Seq, mac, a.ID, a.Seq-1)
	if err == nil && n == 0 {
		return changedMeanwhile()
	}
	return err
}

const (
	maxText  = 500 // characters
	maxSteps = 200
)

// Await enters on the board a system the actor's unit awaits licenses of. Only System,
// Ministry, Types, Begun and Next of a are read.
//
// Errors: Invalid naming the field; Forbidden; Conflict if the unit awaits a type
// already.
func (r *References) Await(ctx context.Context, actor *elicense.Actor, a Awaited) (*Awaited, error) {
	bad := func(field, text string, args ...any) *elicense.Error {
		return elicense.E(elicense.Invalid, text, args...).At(field).Under("第十四条")
	}
	fresh := &Awaited{Unit: actor.Unit, System: strings.TrimSpace(a.System), Ministry: strings.TrimSpace(a.Ministry), Types: a.Types, State: ToAsk, Begun: a.Begun, Next: a.Next}
	switch {
	case !fits(fresh.System, maxName):
		return nil, bad("system", "要写系统的名称，最多%d个字", maxName)
	case !fits(fresh.Ministry, maxName):
		return nil, bad("ministry", "要写主管部委，最多%d个字", maxName)
	case len(fresh.Types) == 0 || len(fresh.Types) > maxTypes:
		return nil, bad("types", "要选择等待回传的证照类别")
	}
	for _, d := range []struct {
		field string
		on    elicense.Date
	}{{"begun", fresh.Begun}, {"next", fresh.Next}} {
		if _, err := elicense.ParseDate(string(d.on)); d.on != "" && err != nil {
			return nil, bad(d.field, "日期要写成2026-11-23的样子")
		}
	}
	err := r.Guard.Write(ctx, request(actor, access.AwaitedKeep, actor.Unit, map[string]string{"act": "await"}), func(tx *store.Tx, p *access.Permit) error {
		today := elicense.DateOf(tx.Now())
		if fresh.Begun == "" {
			fresh.Begun = today
		}
		if fresh.Begun > today {
			return bad("begun", "开始等待的日期在今天以后")
		}
		known, err := awaits(tx, `WHERE unit = $1`, actor.Unit)
		if err != nil {
			return err
		}
		for _, code := range fresh.Types {
			t, err := catalog.Current(tx, code)
			if err != nil || !t.Issued(actor.Unit) {
				return bad("types", "有不是本单位签发的证照类别")
			}
			mode, err := catalog.ModeFor(tx, t, actor.Unit)
			if err != nil {
				return err
			}
			if mode != catalog.National {
				return bad("types", "%s在本单位不是按照国家规范制作", t.Name)
			}
			if slices.ContainsFunc(known, func(k *Awaited) bool { return slices.Contains(k.Types, code) }) {
				return elicense.E(elicense.Conflict, "%s已经在等待回传的清单里", t.Name).At("types").Under("第十四条")
			}
		}
		fresh.Seq, fresh.Changed = 0, tx.Now()
		fresh.ID = elicense.NewID[string](fresh.Changed)
		p.Note.Detail["awaited"] = fresh.ID
		return fresh.put(tx)
	})
	return fresh, err
}

// Did adds a step to what is awaited, and says how it stands now and when it is to be
// asked again. seq is that of what was seen.
//
// Errors: Invalid naming the field; Forbidden, also if there is no such entry of the
// unit; Conflict if it changed meanwhile.
func (r *References) Did(ctx context.Context, actor *elicense.Actor, id string, seq int64, step Step, state AwaitedState, next elicense.Date) error {
	bad := func(field, text string, args ...any) error {
		return elicense.E(elicense.Invalid, text, args...).At(field).Under("第十四条")
	}
	step.Doc, step.To, step.Text = strings.TrimSpace(step.Doc), strings.TrimSpace(step.To), strings.TrimSpace(step.Text)
	_, wrongDay := elicense.ParseDate(string(step.On))
	_, wrongNext := elicense.ParseDate(string(next))
	switch {
	case stepWords[step.Kind] == "":
		return bad("kind", "要选择函、会议、电话或对方答复")
	case wrongDay != nil:
		return bad("on", "日期要写成2026-11-23的样子")
	case next != "" && wrongNext != nil:
		return bad("next", "日期要写成2026-11-23的样子")
	case step.Kind == ByLetter && step.Doc == "":
		return bad("doc", "函要写文号")
	case len([]rune(step.Doc)) > maxDoc:
		return bad("doc", "文号太长")
	case len([]rune(step.To)) > maxName:
		return bad("to", "对方最多%d个字", maxName)
	case !fits(step.Text, maxText):
		return bad("text", "要写内容，最多%d个字", maxText)
	case awaitedWords[state] == "" || state == ToAsk:
		return bad("state", "要选择办了这一步以后的状态")
	}
	build := func(tx *store.Tx) (access.Request, error) {
		unit := elicense.UnitCode("")
		list, err := awaits(tx, `WHERE id = $1`, id)
		if err != nil {
			return access.Request{}, err
		}
		if len(list) > 0 {
			unit = list[0].Unit
		}
		return request(actor, access.AwaitedKeep, unit, map[string]string{"act": "step", "kind": string(step.Kind), "state": string(state)})(tx)
	}
	return r.Guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		list, err := awaits(tx, `WHERE id = $1`+tx.ForUpdate(), id)
		if err != nil {
			return err
		}
		a := list[0]
		switch {
		case a.Seq != seq:
			return changedMeanwhile()
		case step.On > elicense.DateOf(tx.Now()):
			return bad("on", "日期在今天以后")
		case len(a.Steps) >= maxSteps:
			return elicense.E(elicense.TooLarge, "记录太多，最多%d条", maxSteps)
		}
		step.By, step.At = actor.Name, tx.Now()
		a.Steps, a.State, a.Next, a.Changed = append(a.Steps, step), state, next, tx.Now()
		p.Note.Detail["awaited"] = a.ID
		return a.put(tx)
	})
}

// Board lists what is awaited: of the actor's unit, or of the province for the
// administration and supervision (all). What is overdue comes first, then what is
// longest awaited. Types that are made by the nation at a unit and that no live source
// returns to it stand there by themselves, without an ID.
//
// Errors: Forbidden.
func (r *References) Board(ctx context.Context, actor *elicense.Actor, all bool) ([]*Awaited, error) {
	unit := actor.Unit
	if all {
		unit = ""
	}
	list, _, err := access.Get(ctx, r.Guard, request(actor, access.AwaitedRead, unit, nil), func(tx *store.Tx, _ *access.Permit) ([]*Awaited, error) {
		list, err := awaits(tx, `WHERE $1 = '' OR unit = $2 ORDER BY begun, id`, unit, unit)
		if err != nil {
			return nil, err
		}
		forgotten, err := notTakenUp(tx, unit, list)
		if err != nil {
			return nil, err
		}
		list = append(list, forgotten...)
		for _, a := range list {
			if err := a.tell(tx); err != nil {
				return nil, err
			}
		}
		sort.SliceStable(list, func(i, j int) bool {
			a, b := list[i], list[j]
			if a.Overdue != b.Overdue {
				return a.Overdue
			}
			if a.Settled() != b.Settled() {
				return b.Settled()
			}
			return a.Begun < b.Begun
		})
		return list, nil
	})
	return list, err
}

// notTakenUp are the types that are national at a unit, that no live source returns to
// it and that it has not entered.
func notTakenUp(tx *store.Tx, only elicense.UnitCode, known []*Awaited) ([]*Awaited, error) {
	found, err := sources(tx, `WHERE state = $1`, Live)
	if err != nil {
		return nil, err
	}
	types, err := catalog.Everything(tx)
	if err != nil {
		return nil, err
	}
	var list []*Awaited
	for _, t := range types {
		for _, unit := range t.Issuers {
			if only != "" && unit != only {
				continue
			}
			mode, err := catalog.ModeFor(tx, t, unit)
			if err != nil {
				return nil, err
			}
			if mode != catalog.National ||
				slices.ContainsFunc(found, func(s *Source) bool { return s.Unit == unit && s.returns(t.Code) }) ||
				slices.ContainsFunc(known, func(a *Awaited) bool { return a.Unit == unit && slices.Contains(a.Types, t.Code) }) {
				continue
			}
			list = append(list, &Awaited{Unit: unit, Types: []elicense.TypeCode{t.Code}, State: ToAsk, Begun: elicense.DateOf(t.Decided)})
		}
	}
	return list, nil
}

// tell fills in names and ages.
func (a *Awaited) tell(tx *store.Tx) error {
	u, err := org.UnitOf(tx, a.Unit)
	if err != nil {
		return err
	}
	a.UnitName = u.Name
	for _, code := range a.Types {
		t, err := catalog.Current(tx, code)
		if err != nil {
			return err
		}
		a.TypeNames = append(a.TypeNames, t.Name)
	}
	c, err := calendar.Of(tx)
	if err != nil {
		return err
	}
	today := elicense.DateOf(tx.Now())
	a.Days, a.Quiet = between(c, a.Begun, today), -1
	if n := len(a.Steps); n > 0 {
		a.Quiet = between(c, a.Steps[n-1].On, today)
	}
	a.Overdue = a.Next != "" && a.Next < today && !a.Settled()
	return nil
}

// between counts working days; -1 where the calendar does not know a year.
func between(c *workday.Calendar, from, to elicense.Date) int {
	f, err := workday.ParseDate(string(from))
	if err != nil {
		return -1
	}
	t, err := workday.ParseDate(string(to))
	if err != nil {
		return -1
	}
	n, err := c.Between(f, t)
	if err != nil {
		return -1
	}
	return n
}
