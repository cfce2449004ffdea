// Package calendar keeps the working days deadlines are counted in: the notices
// of holidays the program was made with, those an administrator entered since,
// and the special days of the locality, each with the number of its document
// (Art. 7, 8; 行政许可法 82).
//
// A year without a notice stays an error, and whoever asks for a deadline in it is
// told so. An entry is never changed: a wrong one is ended with a reason, and the
// terms that still run are counted anew by those who listen (Changed).
package calendar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/jobs"
	"elicense/store"
	"elicense/workday"
)

// The kinds of entries.
const (
	KindNotice  = "notice"
	KindSpecial = "special"
)

// RecountJobs are the kinds of the jobs by which rooms count running terms anew
// after the calendar has changed.
var RecountJobs = []string{DraftsJob, TypesJob, ResultsJob}

// The jobs that count the terms of drafts, of checks of proposed types, and of
// results of closed cases anew.
const (
	DraftsJob  = "recount-drafts"
	TypesJob   = "recount-types"
	ResultsJob = "recount-results"
)

// Entry is a notice or a special day as it was entered.
type Entry struct {
	ID      string
	Kind    string
	Notice  *workday.Notice  // of KindNotice
	Special *workday.Special // of KindSpecial
	Account elicense.AccountID
	Name    string // of who entered it
	Entered time.Time
	Ended   time.Time // zero while it counts
	Reason  string    // why it was ended
}

// Keeper keeps the calendar.
type Keeper struct {
	DB    *store.DB
	Guard *access.Guard
}

// Of returns the calendar as it is in the transaction.
func Of(tx *store.Tx) (*workday.Calendar, error) {
	return store.Keep(tx, "calendar", func() (*workday.Calendar, error) {
		list, err := entries(tx, `WHERE ended IS NULL ORDER BY entered, id`)
		if err != nil {
			return nil, err
		}
		return made(list)
	})
}

// known is what the program was made with; it does not change.
var known = workday.Default()

func made(list []*Entry) (*workday.Calendar, error) {
	if len(list) == 0 {
		return known, nil
	}
	var notices []workday.Notice
	var specials []workday.Special
	for _, e := range list {
		if e.Notice != nil {
			notices = append(notices, *e.Notice)
		} else {
			specials = append(specials, *e.Special)
		}
	}
	return known.With(notices, specials)
}

// Within returns the end of so many working days after t.
//
// Errors: Unavailable naming the year whose notice is missing.
func Within(tx *store.Tx, t time.Time, days int) (time.Time, error) {
	c, err := Of(tx)
	if err != nil {
		return time.Time{}, err
	}
	due, err := c.Within(t, days)
	if errors.Is(err, workday.ErrUnknownYear) {
		return time.Time{}, Unknown(err)
	}
	return due, err
}

// Unknown tells people that a term runs into a year without a notice.
func Unknown(cause error) error {
	return elicense.E(elicense.Unavailable, "算不出期限：期限所到年份的节假日安排还没有导入").Under("第七条第三款").
		Then("请电子政务管理部门导入国务院办公厅的节假日通知").Because(cause)
}

// Now returns the calendar as it is now.
func (k *Keeper) Now(ctx context.Context) (c *workday.Calendar, err error) {
	err = k.DB.View(ctx, func(tx *store.Tx) error {
		c, err = Of(tx)
		return err
	})
	return c, err
}

// List returns all entries, the newest first.
func (k *Keeper) List(ctx context.Context) (list []*Entry, err error) {
	err = k.DB.View(ctx, func(tx *store.Tx) error {
		list, err = entries(tx, `ORDER BY entered DESC, id DESC`)
		return err
	})
	return list, err
}

func entries(tx *store.Tx, where string, args ...any) ([]*Entry, error) {
	return store.All(tx, func(r *store.Rows) (*Entry, error) {
		var e Entry
		var content string
		var ended *time.Time
		var mac []byte
		if err := r.Scan(&e.ID, &e.Kind, &content, &e.Account, &e.Name, &e.Entered, &ended, &e.Reason, &mac); err != nil {
			return nil, err
		}
		if ended != nil {
			e.Ended = *ended
		}
		if err := tx.CheckMAC(mac, "calendar_entry", e.ID, e.parts(content)...); err != nil {
			return nil, err
		}
		var into any
		switch e.Kind {
		case KindNotice:
			e.Notice = &workday.Notice{}
			into = e.Notice
		case KindSpecial:
			e.Special = &workday.Special{}
			into = e.Special
		default:
			return nil, fmt.Errorf("calendar entry %s is of the kind %q", e.ID, e.Kind)
		}
		if err := json.Unmarshal([]byte(content), into); err != nil {
			return nil, fmt.Errorf("calendar entry %s: %w", e.ID, err)
		}
		return &e, nil
	}, `SELECT id, kind, content, account, name, entered, ended, reason, mac FROM calendar_entry `+where, args...)
}

func (e *Entry) parts(content string) [][]byte {
	ended := int64(0)
	if !e.Ended.IsZero() {
		ended = e.Ended.UnixMicro()
	}
	return [][]byte{[]byte(e.Kind), []byte(content), []byte(e.Account), []byte(strconv.FormatInt(e.Entered.UnixMicro(), 10)), []byte(strconv.FormatInt(ended, 10)), []byte(e.Reason)}
}

func request(actor *elicense.Actor, act string) func(*store.Tx) (access.Request, error) {
	return func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.CalendarKeep, On: access.Thing{Kind: "Calendar", ID: "calendar"},
			Note: access.Note{Detail: map[string]string{"act": act}},
		}, nil
	}
}

const maxDoc, maxName = 60, 40 // characters

func fits(s string, most int) bool { return s != "" && utf8.RuneCountInString(s) <= most }

// Text is a year's notice as it is typed from its text.
type Text struct {
	Year     string
	Doc      string // its number, such as 国办发明电〔2023〕7号
	Holidays string // one a line: name, first day, last day, parted by blanks
	Working  string // weekend days made working days, parted by blanks
}

// notice reads what was typed.
func (t *Text) notice() (n workday.Notice, err error) {
	n.Doc = strings.TrimSpace(t.Doc)
	if n.Year, err = strconv.Atoi(strings.TrimSpace(t.Year)); err != nil || n.Year < 2018 || n.Year > 2200 {
		return n, elicense.E(elicense.Invalid, "年份要写成2027的样子").At("year")
	}
	if !fits(n.Doc, maxDoc) {
		return n, elicense.E(elicense.Invalid, "要写通知的文号，最多%d个字", maxDoc).At("doc")
	}
	for i, line := range strings.Split(t.Holidays, "\n") {
		f := strings.Fields(line)
		switch len(f) {
		case 0:
		case 2:
			n.Holidays = append(n.Holidays, workday.Holiday{Name: f[0], Start: f[1], End: f[1]})
		case 3:
			n.Holidays = append(n.Holidays, workday.Holiday{Name: f[0], Start: f[1], End: f[2]})
		default:
			return n, elicense.E(elicense.Invalid, "放假第%d行看不懂：%s", i+1, strings.TrimSpace(line)).At("holidays").Then("一行写一个节日：名称、第一天、最后一天，用空格分开")
		}
	}
	n.Working = strings.Fields(t.Working)
	return n, nil
}

// Announce enters a year's notice (国务院办公厅关于节假日安排的通知).
//
// Errors: Invalid naming the field; Forbidden; Conflict if the year has a notice.
func (k *Keeper) Announce(ctx context.Context, actor *elicense.Actor, t Text) error {
	return k.enter(ctx, actor, KindNotice, "holidays", func(c *workday.Calendar) (*Entry, error) {
		n, err := t.notice()
		if err != nil {
			return nil, err
		}
		if c.Knows(n.Year) {
			return nil, elicense.E(elicense.Conflict, "%d年的通知已经导入：%s", n.Year, c.Notice(n.Year)).At("year").Then("有更正的，先停用原来的再导入")
		}
		return &Entry{Notice: &n}, nil
	})
}

// Declare enters a special day.
//
// Errors: Invalid naming the field; Forbidden.
func (k *Keeper) Declare(ctx context.Context, actor *elicense.Actor, s workday.Special) error {
	return k.enter(ctx, actor, KindSpecial, "day", func(*workday.Calendar) (*Entry, error) {
		s.Doc, s.Name = strings.TrimSpace(s.Doc), strings.TrimSpace(s.Name)
		switch {
		case !fits(s.Doc, maxDoc):
			return nil, elicense.E(elicense.Invalid, "要写决定的文号，最多%d个字", maxDoc).At("docNo")
		case !fits(s.Name, maxName):
			return nil, elicense.E(elicense.Invalid, "要写事由，最多%d个字", maxName).At("name")
		}
		return &Entry{Special: &s}, nil
	})
}

func (k *Keeper) enter(ctx context.Context, actor *elicense.Actor, kind, field string, make func(*workday.Calendar) (*Entry, error)) error {
	return k.Guard.Write(ctx, request(actor, kind), func(tx *store.Tx, p *access.Permit) error {
		before, err := Of(tx)
		if err != nil {
			return err
		}
		e, err := make(before)
		if err != nil {
			return err
		}
		e.ID, e.Kind, e.Account, e.Name, e.Entered = elicense.NewID[string](tx.Now()), kind, actor.Account, actor.Name, tx.Now()
		var content any = e.Notice
		if e.Special != nil {
			content = e.Special
		}
		text, err := json.Marshal(content)
		if err != nil {
			return fmt.Errorf("calendar entry: %w", err)
		}
		_, err = tx.Exec(`INSERT INTO calendar_entry (id, kind, content, account, name, entered, ended, reason, mac) VALUES ($1, $2, $3, $4, $5, $6, NULL, '', $7)`,
			e.ID, e.Kind, string(text), e.Account, e.Name, e.Entered, tx.MAC("calendar_entry", e.ID, e.parts(string(text))...))
		if err != nil {
			return err
		}
		p.Note.Detail = map[string]string{"act": kind, "entry": e.ID}
		return k.changed(tx, field)
	})
}

// changed sees that the calendar can still be made, and has running terms counted
// anew.
func (k *Keeper) changed(tx *store.Tx, field string) error {
	list, err := entries(tx, `WHERE ended IS NULL ORDER BY entered, id`)
	if err != nil {
		return err
	}
	if _, err := made(list); err != nil {
		return elicense.E(elicense.Invalid, "日历对不上：日期要在那一年之内，不能重复；调休上班的要本来是周末；特殊日期要真的改变当天").At(field).
			Then("请对照通知原文核对日期").Because(err)
	}
	for _, kind := range RecountJobs {
		if err := jobs.Enqueue(tx, jobs.Job{Kind: kind, Key: "calendar"}); err != nil {
			return err
		}
	}
	return nil
}

// End ends an entry that was wrong.
//
// Errors: Invalid without a reason, or if special days rest on the notice;
// Forbidden; NotFound; Conflict if it was ended before.
func (k *Keeper) End(ctx context.Context, actor *elicense.Actor, id, reason string) error {
	return k.Guard.Write(ctx, request(actor, "end"), func(tx *store.Tx, p *access.Permit) error {
		p.Note.Detail = map[string]string{"act": "end", "entry": id}
		if reason = strings.TrimSpace(reason); !fits(reason, maxDoc) {
			return elicense.E(elicense.Invalid, "要写停用的理由，最多%d个字", maxDoc).At("reason")
		}
		list, err := entries(tx, `WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return elicense.E(elicense.NotFound, "没有这条日历")
		}
		e := list[0]
		if !e.Ended.IsZero() {
			return elicense.E(elicense.Conflict, "这条日历已经停用")
		}
		e.Ended, e.Reason = tx.Now(), reason
		var content string
		if err := tx.Row(`SELECT content FROM calendar_entry WHERE id = $1`, id).Scan(&content); err != nil {
			return err
		}
		_, err = tx.Exec(`UPDATE calendar_entry SET ended = $1, reason = $2, mac = $3 WHERE id = $4`,
			e.Ended, e.Reason, tx.MAC("calendar_entry", e.ID, e.parts(content)...), e.ID)
		if err != nil {
			return err
		}
		return k.changed(tx, "reason")
	})
}

// Each reads every entry; f gets the error of one that is not as it was left.
func Each(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "calendar_entry", func(id string) error {
		_, err := entries(tx, `WHERE id = $1`, id)
		return f(id, err)
	})
}
