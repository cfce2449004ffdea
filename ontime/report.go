package ontime

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/catalog"
	"elicense/issuance"
	"elicense/jobs"
	"elicense/notice"
	"elicense/org"
	"elicense/store"
)

// Report says that a case of the unit was closed and a license is due for a result
// of it (业务办结).
type Report struct {
	Case   string
	Item   string            // which result of the case this is; empty is "1"
	Type   elicense.TypeCode // or the name of a type the unit issues
	Closed time.Time
	Mode   catalog.Mode       // whose term it has; empty is as the unit makes the type
	DocNo  string             // number of the decision
	Holder elicense.HolderRef // optional
	Wholly bool               // the case was met by e-licenses alone (Art. 4)
	Owner  string             // sign-in name of the officer who answers for it; empty is one of the unit's
	// Line is where a table has it, to be told with what is wrong.
	Line int
}

// Bad is a report that does not stand, and why.
type Bad struct {
	Line  int    // of the table, or the place in the list, from 1
	Field string // case, item, type, closed, mode, holder, owner
	Text  string // a sentence for people, in Chinese
	Args  []any
}

// Receipt is what became of reports.
type Receipt struct {
	Taken    int // new ones
	Repeated int // that were reported before, alike
	Bad      []Bad
}

// The bounds of reports.
const (
	// MaxReports bounds a list of reports in one act.
	MaxReports = 1000
	maxText    = 100 // characters
)

// began is the day the Measures began: what was closed before it is of the stock,
// which has no term (Art. 8, 22).
const began elicense.Date = "2017-07-08"

// Report takes the reports of the actor's unit. Each stands on its own: good ones
// are kept, bad ones told. Reported again alike, a result is what it was.
//
// Errors: Invalid for an empty list; TooLarge; Forbidden.
func (l *Ledger) Report(ctx context.Context, actor *elicense.Actor, list []Report) (*Receipt, error) {
	if len(list) == 0 {
		return nil, elicense.E(elicense.Invalid, "没有要报送的办结").At("results")
	}
	if len(list) > MaxReports {
		return nil, elicense.E(elicense.TooLarge, "一次最多报送%d件", MaxReports).At("results").Then("请分几次报送")
	}
	source := ByFile
	if actor.Kind == elicense.System {
		source = BySystem
	}
	for i := range list {
		if list[i].Line == 0 {
			list[i].Line = i + 1
		}
	}
	return l.report(ctx, actor, list, source, lots(list))
}

// lots counts the reports that say they are of a lot, by type.
func lots(list []Report) map[elicense.TypeCode]int {
	n := map[elicense.TypeCode]int{}
	for _, r := range list {
		if r.Mode == catalog.Bulk {
			n[r.Type]++
		}
	}
	return n
}

func (l *Ledger) report(ctx context.Context, actor *elicense.Actor, list []Report, source Source, bulk map[elicense.TypeCode]int) (receipt *Receipt, err error) {
	detail := map[string]string{"source": string(source)}
	err = l.Guard.Write(ctx, request(actor, access.OnTimeReport, actor.Unit, detail), func(tx *store.Tx, p *access.Permit) error {
		receipt = &Receipt{}
		t := &taker{tx: tx, actor: actor, source: source, bulk: bulk}
		for _, r := range list {
			known, bad, err := t.take(r)
			switch {
			case err != nil:
				return err
			case bad != nil:
				bad.Line = r.Line
				receipt.Bad = append(receipt.Bad, *bad)
			case known:
				receipt.Repeated++
			default:
				receipt.Taken++
			}
		}
		p.Note.Detail = map[string]string{
			"source": string(source), "taken": strconv.Itoa(receipt.Taken), "repeated": strconv.Itoa(receipt.Repeated), "bad": strconv.Itoa(len(receipt.Bad)),
		}
		if receipt.Taken == 0 {
			return nil
		}
		return sweepLater(tx)
	})
	if err != nil {
		return nil, err
	}
	return receipt, nil
}

// taker takes reports in one transaction.
type taker struct {
	tx     *store.Tx
	actor  *elicense.Actor
	source Source
	bulk   map[elicense.TypeCode]int
	types  map[string]*catalog.Type // as they were called
	issued []*catalog.Type          // by the unit; read when one is called by its name
	owners *owners
}

func bad(field, text string, args ...any) *Bad { return &Bad{Field: field, Text: text, Args: args} }

func fits(s string) bool {
	return utf8.RuneCountInString(s) <= maxText && !strings.ContainsFunc(s, unicode.IsControl)
}

// take keeps one report; known tells that it was there, alike.
func (t *taker) take(in Report) (known bool, wrong *Bad, err error) {
	in.Case, in.Item, in.DocNo, in.Owner = strings.TrimSpace(in.Case), strings.TrimSpace(in.Item), strings.TrimSpace(in.DocNo), strings.TrimSpace(in.Owner)
	if in.Item == "" {
		in.Item = "1"
	}
	now := t.tx.Now()
	switch {
	case in.Case == "" || !fits(in.Case):
		return false, bad("case", "要有办件编号，最多%d个字", maxText), nil
	case !fits(in.Item):
		return false, bad("item", "结果序号太长"), nil
	case !fits(in.DocNo):
		return false, bad("docNo", "文号最多%d个字", maxText), nil
	case in.Closed.IsZero():
		return false, bad("closed", "要有办结时间"), nil
	case in.Closed.After(now.Add(5 * time.Minute)):
		return false, bad("closed", "办结时间晚于现在"), nil
	case elicense.DateOf(in.Closed) < began:
		return false, bad("closed", "2017年7月8日以前办结的是存量证照，不在这里报送"), nil
	}
	if in.Holder != (elicense.HolderRef{}) {
		in.Holder = in.Holder.Normalize()
		var e *elicense.Error
		if err := in.Holder.Check(elicense.DateOf(now)); errors.As(err, &e) {
			return false, bad("holder", e.Text, e.Args...), nil
		}
	}
	ty, wrong, err := t.typeOf(in.Type)
	if err != nil || wrong != nil {
		return false, wrong, err
	}
	mode, err := catalog.ModeFor(t.tx, ty, t.actor.Unit)
	if err != nil {
		return false, nil, err
	}
	switch {
	case !mode.Made():
		return false, bad("type", "%s按照国家规范制作，不在本平台生成", ty.Name), nil
	case in.Mode == "":
		in.Mode = mode
	case !in.Mode.Made():
		return false, bad("mode", "生成方式只能是在线、离线、批量"), nil
	case in.Mode == catalog.Bulk && mode != catalog.Bulk && t.bulk[in.Type] < issuance.MinLot:
		return false, bad("mode", "同一类别不足%d件，不能按批量算期限", issuance.MinLot), nil
	}
	before, err := of(t.tx, t.actor.Unit, in.Case, in.Item)
	if err != nil {
		return false, nil, err
	}
	if before != nil {
		// What the platform's own window closed is reported again by the unit's
		// system, by its own clock.
		alike := before.Type == ty.Code && (before.Closed.Equal(in.Closed.UTC().Truncate(time.Microsecond)) || before.Source == ByOffice)
		if !alike {
			return false, bad("case", "这个办件的同一结果已经报送过，类别或办结时间不同"), nil
		}
		return true, nil, nil
	}
	r := &Result{
		ID: elicense.NewID[string](now), Unit: t.actor.Unit, Type: ty.Code, TypeName: ty.Name, Mode: in.Mode, Closed: in.Closed.UTC().Truncate(time.Microsecond),
		Source: t.source, Wholly: in.Wholly, Content: Content{Case: in.Case, Item: in.Item, DocNo: in.DocNo, Holder: in.Holder},
	}
	if t.owners == nil {
		if t.owners, err = ownersOf(t.tx, t.actor.Unit); err != nil {
			return false, nil, err
		}
	}
	if in.Owner != "" {
		if r.Owner = t.owners.byLogin(in.Owner); r.Owner == "" {
			return false, bad("owner", "负责人不是本单位制证岗位的人员"), nil
		}
		t.owners.open[r.Owner]++
	} else if t.source == ByFile && t.owners.has(t.actor.Account) {
		r.Owner = t.actor.Account
	} else {
		r.Owner = t.owners.next()
	}
	return false, nil, keep(t.tx, r)
}

// keep writes a new result with its term.
func keep(tx *store.Tx, r *Result) (err error) {
	r.Reported, r.Seq, r.standing, r.awaited = tx.Now(), 1, due, true
	if r.Due, err = issuance.Due(tx, r.Mode, r.Closed); err != nil {
		return err
	}
	if r.index, err = issuance.CaseIndex(tx, r.Unit, r.Case); err != nil {
		return err
	}
	return r.insert(tx)
}

// typeOf finds a type the unit issues by its code, or by its name.
func (t *taker) typeOf(said elicense.TypeCode) (*catalog.Type, *Bad, error) {
	name := strings.TrimSpace(string(said))
	if ty := t.types[name]; ty != nil {
		return ty, nil, nil
	}
	unknown := bad("type", "本单位没有登记签发这类证照")
	ty, err := catalog.Current(t.tx, elicense.TypeCode(name))
	switch {
	case err == nil && ty.Issued(t.actor.Unit):
	case err == nil:
		return nil, unknown, nil
	case !elicense.IsKind(err, elicense.NotFound):
		return nil, nil, err
	default:
		if t.issued == nil {
			if t.issued, err = catalog.Issuing(t.tx, t.actor.Unit); err != nil {
				return nil, nil, err
			}
		}
		ty = nil
		for _, x := range t.issued {
			if x.Name != name {
				continue
			}
			if ty != nil {
				return nil, bad("type", "本单位有几个同名的类别，请写类别代码"), nil
			}
			ty = x
		}
		if ty == nil {
			return nil, unknown, nil
		}
	}
	if ty.State == catalog.Retired {
		return nil, bad("type", "%s这一类别已经停用，不再制证", ty.Name), nil
	}
	if t.types == nil {
		t.types = map[string]*catalog.Type{}
	}
	t.types[name] = ty
	return ty, nil, nil
}

// owners are the officers of a unit who can answer for a license that is due.
type owners struct {
	list []*org.Account
	open map[elicense.AccountID]int // results each answers for
}

func ownersOf(tx *store.Tx, unit elicense.UnitCode) (*owners, error) {
	all, err := org.Accounts(tx, unit)
	if err != nil {
		return nil, err
	}
	o := &owners{open: map[elicense.AccountID]int{}}
	for _, a := range all {
		if a.Kind == elicense.Staff && !a.Disabled && slices.Contains(a.Duties, elicense.DutyDraft) {
			o.list = append(o.list, a)
		}
	}
	rows, err := tx.Query(`SELECT owner, COUNT(*) FROM case_result WHERE unit = $1 AND awaited GROUP BY owner`, unit)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var id elicense.AccountID
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			return nil, err
		}
		o.open[id] = n
	}
	return o, nil
}

func (o *owners) has(id elicense.AccountID) bool {
	return slices.ContainsFunc(o.list, func(a *org.Account) bool { return a.ID == id })
}

func (o *owners) byLogin(login string) elicense.AccountID {
	for _, a := range o.list {
		if a.Login == login {
			return a.ID
		}
	}
	return ""
}

// next is the officer who answers for the fewest; empty if the unit has nobody.
func (o *owners) next() (id elicense.AccountID) {
	for _, a := range o.list {
		if id == "" || o.open[a.ID] < o.open[id] {
			id = a.ID
		}
	}
	o.open[id]++
	return id
}

// Officers lists who of a unit can answer for a license that is due.
func (l *Ledger) Officers(ctx context.Context, unit elicense.UnitCode) (list []*org.Account, err error) {
	err = l.DB.View(ctx, func(tx *store.Tx) error {
		o, err := ownersOf(tx, unit)
		if err == nil {
			list = o.list
		}
		return err
	})
	return list, err
}

// caseClosed takes note of a case of the platform that ended with a license; the
// handler of cases.ResultJob. Nobody has to report it.
func (l *Ledger) caseClosed(ctx context.Context, payload []byte) error {
	return l.DB.Update(ctx, func(tx *store.Tx) error {
		o, err := cases.OutcomeOf(tx, elicense.CaseID(payload))
		if err != nil {
			return err
		}
		if err := l.await(tx, o); err != nil {
			return err
		}
		return jobs.Done(tx, jobs.Current(ctx))
	})
}

func (l *Ledger) await(tx *store.Tx, o *cases.Outcome) error {
	if !o.Granted || o.Type == "" {
		return nil
	}
	t, err := catalog.Current(tx, o.Type)
	if err != nil {
		return err
	}
	mode, err := catalog.ModeFor(tx, t, o.Implementer)
	if err != nil {
		return err
	}
	// What the nation makes, and what another unit issues, is not this unit's to make.
	if !mode.Made() || !t.Issued(o.Implementer) || t.State == catalog.Retired {
		return nil
	}
	before, err := of(tx, o.Implementer, o.Number, "1")
	if err != nil || before != nil {
		return err
	}
	r := &Result{
		ID: elicense.NewID[string](tx.Now()), Unit: o.Implementer, Type: t.Code, TypeName: t.Name, Mode: mode, Closed: o.Closed,
		Source: ByOffice, Office: o.ID, Wholly: o.Wholly, Content: Content{Case: o.Number, Item: "1", DocNo: o.DocNo},
	}
	if len(o.Parties) > 0 {
		r.Holder = o.Parties[0].Ref
	}
	owners, err := ownersOf(tx, r.Unit)
	if err != nil {
		return err
	}
	r.Owner = owners.next()
	if err := keep(tx, r); err != nil {
		return err
	}
	tx.Record(store.Record{
		Actor: "platform", ActorName: "证照平台", Unit: string(r.Unit), Act: string(access.OnTimeReport), Outcome: store.Done, Rule: "case-closed", Clause: "第七条第一款",
		Case: string(o.ID), LicenseType: string(r.Type), Detail: map[string]string{"result": r.ID, "source": string(ByOffice)},
	})
	if err := tell(tx, r, "办件%s已办结，要生成%s", r.Case, r.TypeName); err != nil {
		return err
	}
	return sweepLater(tx)
}

// tell sends the owner of a result a notice.
func tell(tx *store.Tx, r *Result, text string, args ...string) error {
	if r.Owner == "" {
		return nil
	}
	return notice.Send(tx, notice.AccountInbox(r.Owner), notice.Notice{Kind: "license-due", Text: text, Args: args, Link: "/issue/results/" + r.ID})
}
