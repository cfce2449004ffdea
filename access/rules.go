package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/store"
)

// LocalRule is one version of a rule administrators added to the law of access
// (Art. 13(2)). It only forbids. One person puts it forward and another decides, and
// so it is ended; what it said stays to be read.
type LocalRule struct {
	ID      string // local-1, local-2, …: its name on record
	Version int    // from 1
	State   RuleState
	Title   string
	DocNo   string // of the document it was decided by
	Rule    Rule   // as it is shown
	Text    string // as it was typed
	Steps   []RuleStep
	stamp   int64
}

// RuleStep is what somebody did with a rule.
type RuleStep struct {
	What   RuleState         `json:"what"` // the state it brought about
	Person elicense.PersonID `json:"person"`
	Name   string            `json:"name"`
	At     time.Time         `json:"at"`
	Reason string            `json:"reason,omitempty"`
}

var ruleSteps = map[RuleState]string{
	RuleProposed: "提出", RuleRefused: "不同意", RuleInForce: "同意执行", RuleEnding: "提出停用", RuleEnded: "同意停用", RuleReplaced: "新版代替",
}

// Chinese is what was done.
func (s RuleStep) Chinese() string { return ruleSteps[s.What] }

// RuleState is where a version of a rule stands.
type RuleState string

// The states of a version.
const (
	RuleProposed RuleState = "proposed"
	RuleRefused  RuleState = "refused"
	RuleInForce  RuleState = "in-force"
	RuleEnding   RuleState = "ending" // in force; its end waits for a second person
	RuleEnded    RuleState = "ended"
	RuleReplaced RuleState = "replaced" // by a newer version
)

var ruleStates = map[RuleState]string{
	RuleProposed: "待核对", RuleRefused: "不同意", RuleInForce: "执行中", RuleEnding: "待核对停用", RuleEnded: "已停用", RuleReplaced: "已被新版代替",
}

// Chinese is the state as people read it.
func (s RuleState) Chinese() string { return ruleStates[s] }

// Binds tells whether the version is asked.
func (s RuleState) Binds() bool { return s == RuleInForce || s == RuleEnding }

// Approved tells whether the version is or was in force.
func (r *LocalRule) Approved() bool {
	return slices.ContainsFunc(r.Steps, func(s RuleStep) bool { return s.What == RuleInForce })
}

// Last is the newest step.
func (r *LocalRule) Last() RuleStep { return r.Steps[len(r.Steps)-1] }

func (r *LocalRule) parts(steps string) [][]byte {
	return [][]byte{[]byte(r.State), []byte(r.Title), []byte(r.DocNo), []byte(r.Text), []byte(steps), []byte(strconv.FormatInt(r.stamp, 10))}
}

func (r *LocalRule) row() string { return r.ID + " " + strconv.Itoa(r.Version) }

// put writes the version under a new stamp, by which decisions know that the rules
// have changed.
func (r *LocalRule) put(tx *store.Tx) error {
	if err := tx.Row(`SELECT COALESCE(MAX(stamp), 0) + 1 FROM local_rule`).Scan(&r.stamp); err != nil {
		return err
	}
	steps, err := json.Marshal(r.Steps)
	if err != nil {
		return fmt.Errorf("local rule: %w", err)
	}
	_, err = tx.Exec(`INSERT INTO local_rule (id, version, state, title, doc_no, rule, steps, stamp, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (id, version) DO UPDATE SET state = excluded.state, steps = excluded.steps, stamp = excluded.stamp, mac = excluded.mac`,
		r.ID, r.Version, r.State, r.Title, r.DocNo, r.Text, string(steps), r.stamp, tx.MAC("local_rule", r.row(), r.parts(string(steps))...))
	return err
}

// step adds what the actor did.
func (r *LocalRule) step(tx *store.Tx, actor *elicense.Actor, to RuleState, reason string) {
	r.State = to
	r.Steps = append(r.Steps, RuleStep{to, actor.Person, actor.Name, tx.Now(), reason})
}

func localRules(tx *store.Tx, where string, args ...any) ([]*LocalRule, error) {
	return store.All(tx, func(rows *store.Rows) (*LocalRule, error) {
		var r LocalRule
		var steps string
		var mac []byte
		if err := rows.Scan(&r.ID, &r.Version, &r.State, &r.Title, &r.DocNo, &r.Text, &steps, &r.stamp, &mac); err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "local_rule", r.row(), r.parts(steps)...); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(steps), &r.Steps); err != nil {
			return nil, fmt.Errorf("local rule %s: %w", r.row(), err)
		}
		return &r, nil
	}, `SELECT id, version, state, title, doc_no, rule, steps, stamp, mac FROM local_rule `+where, args...)
}

// RuleActs counts what was done with each version of each local rule, as the record
// tells it.
type RuleActs map[string]int

// Count takes a record into account.
func (a RuleActs) Count(r *store.Record) {
	if r.Outcome == store.Done && (r.Act == string(RulePropose) || r.Act == string(RuleApprove)) {
		a[r.Detail["rule"]+" "+r.Detail["version"]]++
	}
}

var (
	errRuleLost  = errors.New("it is gone")
	errRuleOlder = errors.New("it is as it was before")
)

// EachLocalRule reads every version of every local rule; f gets the error of what is
// not as it was left. A row that was deleted or put back to what it was once bears no
// wrong code: recorded tells of the acts it has lost.
func EachLocalRule(tx *store.Tx, recorded RuleActs, f func(id string, err error) error) error {
	type name struct {
		id      string
		version int
	}
	names, err := store.All(tx, func(r *store.Rows) (n name, err error) {
		err = r.Scan(&n.id, &n.version)
		return n, err
	}, `SELECT id, version FROM local_rule ORDER BY id, version`)
	if err != nil {
		return err
	}
	lost := maps.Clone(recorded)
	for _, n := range names {
		id := fmt.Sprintf("%s %d", n.id, n.version)
		list, err := localRules(tx, `WHERE id = $1 AND version = $2`, n.id, n.version)
		if err == nil && len(list) == 1 && list[0].acts() < recorded[id] {
			err = errRuleOlder
		}
		delete(lost, id)
		if err := f(id, err); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(lost)) {
		if err := f(id, errRuleLost); err != nil {
			return err
		}
	}
	return nil
}

// acts counts the steps that are on record under the version's own name.
func (r *LocalRule) acts() (n int) {
	for _, s := range r.Steps {
		if s.What != RuleReplaced {
			n++
		}
	}
	return n
}

// inForce returns the local rules as they are in the transaction, nil if there are
// none. Rules that are not as two persons left them let nobody do anything.
//
// Errors: Unavailable.
func (g *Guard) inForce(tx *store.Tx) (*local, error) {
	l, err := store.Keep(tx, "local rules", func() (*local, error) {
		list, err := localRules(tx, `WHERE state IN ('in-force', 'ending') ORDER BY id`)
		if err != nil {
			return nil, err
		}
		var stamp int64
		if err := tx.Row(`SELECT COALESCE(MAX(stamp), 0) FROM local_rule`).Scan(&stamp); err != nil || stamp == 0 {
			return nil, err
		}
		return g.made(stamp, list)
	})
	if err != nil {
		return nil, elicense.E(elicense.Unavailable, "暂时不能办理：本地访问规则读不出来").Then("请平台管理员检查数据完整性（fsck）").Because(err)
	}
	return l, nil
}

// made makes the rules ready, or takes those made last if they are the same: where
// nothing is kept they are read for each decision.
func (g *Guard) made(stamp int64, list []*LocalRule) (*local, error) {
	text := map[string]string{}
	var flat []string
	for _, r := range list {
		text[r.ID] = r.Text
		flat = append(flat, r.ID, r.Text)
	}
	last := g.local.Load()
	if last != nil && last.stamp == stamp && slices.Equal(last.text, flat) {
		return last, nil
	}
	l, err := newLocal(stamp, text)
	if err == nil && (last == nil || last.stamp < stamp) {
		g.local.CompareAndSwap(last, l)
	}
	return l, err
}

// Rules is where local rules are put forward, decided and ended.
type Rules struct {
	DB    *store.DB
	Guard *Guard
}

// List returns all versions of all local rules, the newest change first. They are
// public as the law text is.
func (r *Rules) List(ctx context.Context) (list []*LocalRule, err error) {
	err = r.DB.View(ctx, func(tx *store.Tx) error {
		list, err = localRules(tx, `ORDER BY stamp DESC`)
		return err
	})
	for _, x := range list {
		rule, _, perr := parseLocal(x.Text)
		if perr != nil { // the law text has changed since: it refuses, or is not in force
			rule = &Rule{Text: x.Text}
		}
		x.Rule = *rule
		x.Rule.ID = x.ID
	}
	return list, err
}

const maxRuleTitle, maxRuleDoc, maxRuleWhy = 40, 60, 200 // characters

func fits(s string, most int) bool { return s != "" && utf8.RuneCountInString(s) <= most }

func ruleRequest(actor *elicense.Actor, act Act, id string, version int, what string) func(*store.Tx) (Request, error) {
	return func(tx *store.Tx) (Request, error) {
		on := Thing{Kind: "Rule", ID: id, Attr: Attr{"proposer": ""}}
		list, err := localRules(tx, `WHERE id = $1 AND version = $2`, id, version)
		if err != nil {
			return Request{}, err
		}
		if len(list) > 0 && len(list[0].Steps) > 0 {
			on.Attr["proposer"] = string(list[0].Last().Person)
		}
		return Request{Actor: actor, Act: act, On: on, Note: Note{Detail: map[string]string{"act": what, "rule": id, "version": strconv.Itoa(version)}}}, nil
	}
}

// Propose puts a rule before a second administrator: a new one, or the next version
// of the one named.
//
// Errors: Invalid naming the field; Forbidden; NotFound; Conflict while another
// version of it waits.
func (r *Rules) Propose(ctx context.Context, actor *elicense.Actor, of, title, docNo, text string) (id string, version int, err error) {
	title, docNo, text = strings.TrimSpace(title), strings.TrimSpace(docNo), strings.ReplaceAll(strings.TrimSpace(text), "\r\n", "\n")
	err = r.Guard.Write(ctx, ruleRequest(actor, RulePropose, "new", 0, "propose"), func(tx *store.Tx, p *Permit) error {
		switch {
		case !fits(title, maxRuleTitle):
			return elicense.E(elicense.Invalid, "要写规则的名称，最多%d个字", maxRuleTitle).At("title")
		case !fits(docNo, maxRuleDoc):
			return elicense.E(elicense.Invalid, "要写决定的文号，最多%d个字", maxRuleDoc).At("docNo")
		}
		if _, _, err := parseLocal(text); err != nil {
			return err
		}
		x := &LocalRule{ID: of, Version: 1, Title: title, DocNo: docNo, Text: text}
		if of == "" {
			var n int
			if err := tx.Row(`SELECT COUNT(*) FROM local_rule WHERE version = 1`).Scan(&n); err != nil {
				return err
			}
			x.ID = "local-" + strconv.Itoa(n+1)
		} else {
			older, err := localRules(tx, `WHERE id = $1 ORDER BY version DESC`, of)
			if err != nil {
				return err
			}
			if len(older) == 0 {
				return elicense.E(elicense.NotFound, "没有这条本地规则")
			}
			if older[0].State == RuleProposed || older[0].State == RuleEnding {
				return elicense.E(elicense.Conflict, "这条规则还有待核对的").Then("请先核对")
			}
			x.Version = older[0].Version + 1
		}
		x.step(tx, actor, RuleProposed, "")
		id, version = x.ID, x.Version
		p.Note.Detail = map[string]string{"act": "propose", "rule": id, "version": strconv.Itoa(version)}
		return x.put(tx)
	})
	return id, version, err
}

// Decide is the second administrator's word on a rule that was put forward, or on
// its end. A rule that is approved binds the very next decision.
//
// Errors: Forbidden to who put it forward; NotFound; Conflict if nothing waits.
func (r *Rules) Decide(ctx context.Context, actor *elicense.Actor, id string, version int, approve bool) error {
	return r.Guard.Write(ctx, ruleRequest(actor, RuleApprove, id, version, "decide"), func(tx *store.Tx, p *Permit) error {
		x, err := ruleOf(tx, id, version)
		if err != nil {
			return err
		}
		p.Note.Detail = map[string]string{"act": "decide", "rule": id, "version": strconv.Itoa(version), "state": string(x.State), "approve": strconv.FormatBool(approve)}
		switch {
		case x.State == RuleProposed && approve:
			if _, _, err := parseLocal(x.Text); err != nil { // a newer program may know better
				return err
			}
			older, err := localRules(tx, `WHERE id = $1 AND version < $2 AND state IN ('in-force', 'ending')`, id, version)
			if err != nil {
				return err
			}
			for _, o := range older {
				o.step(tx, actor, RuleReplaced, "")
				if err := o.put(tx); err != nil {
					return err
				}
			}
			x.step(tx, actor, RuleInForce, "")
		case x.State == RuleProposed:
			x.step(tx, actor, RuleRefused, "")
		case x.State == RuleEnding && approve:
			x.step(tx, actor, RuleEnded, "")
		case x.State == RuleEnding:
			x.step(tx, actor, RuleInForce, "")
		default:
			return elicense.E(elicense.Conflict, "这条规则没有待核对的")
		}
		return x.put(tx)
	})
}

// ProposeEnd puts the end of a rule before a second administrator; until he agrees
// it stays in force.
//
// Errors: Invalid without a reason; Forbidden; NotFound; Conflict if it is not in
// force or its end waits already.
func (r *Rules) ProposeEnd(ctx context.Context, actor *elicense.Actor, id string, version int, reason string) error {
	reason = strings.TrimSpace(reason)
	return r.Guard.Write(ctx, ruleRequest(actor, RulePropose, id, version, "end"), func(tx *store.Tx, _ *Permit) error {
		if !fits(reason, maxRuleWhy) {
			return elicense.E(elicense.Invalid, "要写停用的理由，最多%d个字", maxRuleWhy).At("reason")
		}
		x, err := ruleOf(tx, id, version)
		if err != nil {
			return err
		}
		if x.State != RuleInForce {
			return elicense.E(elicense.Conflict, "只有执行中的规则可以停用")
		}
		x.step(tx, actor, RuleEnding, reason)
		return x.put(tx)
	})
}

func ruleOf(tx *store.Tx, id string, version int) (*LocalRule, error) {
	list, err := localRules(tx, `WHERE id = $1 AND version = $2`, id, version)
	if err == nil && len(list) == 0 {
		err = elicense.E(elicense.NotFound, "没有这条本地规则")
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}
