package cases

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/notice"
	"elicense/store"
)

// BasisID names a legal basis in the register of bases.
type BasisID string

// Rank is the rank of a legal document (立法法).
type Rank string

// The ranks. Only laws, regulations and rules can ask for paper or presence
// (Art. 11(1): 法律、法规、规章另有规定的除外); a normative document is kept nowhere.
const (
	Law        Rank = "law"        // 法律
	Regulation Rank = "regulation" // 行政法规、地方性法规
	Rule       Rank = "rule"       // 部门规章、地方政府规章
	Normative  Rank = "normative"  // 规范性文件: refused
)

var rankWords = map[Rank]string{Law: "法律", Regulation: "法规", Rule: "规章", Normative: "规范性文件"}

// Chinese returns the word shown to people.
func (r Rank) Chinese() string { return rankWords[r] }

// Basis is an article by which paper or presence may be asked for.
type Basis struct {
	ID       BasisID       `json:"id"`
	Rank     Rank          `json:"rank"`
	Title    string        `json:"title"`
	Article  string        `json:"article"` // 第四十七条
	Quote    string        `json:"quote"`   // the text of the article
	InForce  elicense.Date `json:"inForce"`
	Repealed elicense.Date `json:"repealed,omitempty"` // the first day it does not hold any more; empty while it does
	seq      int64
}

// Holds tells whether the basis is in force on the day.
func (b *Basis) Holds(day elicense.Date) bool {
	return b.InForce <= day && (b.Repealed == "" || day < b.Repealed)
}

// The limits of a basis, in characters.
const (
	maxTitle   = 100
	maxArticle = 40
	maxQuote   = 2000
)

// AddBasis enters a basis into the register.
//
// Errors: Invalid naming the field, also for a normative document; Forbidden.
func (c *Cases) AddBasis(ctx context.Context, actor *elicense.Actor, b *Basis) error {
	return c.guard.Write(ctx, basisRequest(actor, "add"), func(tx *store.Tx, p *access.Permit) error {
		if err := b.check(); err != nil {
			return err
		}
		b.ID, b.Repealed, b.seq = elicense.NewID[BasisID](tx.Now()), "", 1
		p.Note.Detail = map[string]string{"basis": string(b.ID), "act": "add"}
		return insertBasis(tx, b, actor.Account)
	})
}

func (b *Basis) check() error {
	bad := func(field, text string, args ...any) *elicense.Error {
		return elicense.E(elicense.Invalid, text, args...).At(field).Under("第十一条第一款")
	}
	b.Title, b.Article, b.Quote = strings.TrimSpace(b.Title), strings.TrimSpace(b.Article), strings.TrimSpace(b.Quote)
	switch {
	case b.Rank == Normative:
		return bad("rank", "规范性文件不能作为要求纸质材料或到场的依据").Then("请引用法律、法规、规章；没有的，材料改为免提交、核验或上传")
	case rankWords[b.Rank] == "":
		return bad("rank", "要说明是法律、法规还是规章")
	case b.Title == "" || !fits(b.Title, maxTitle):
		return bad("title", "要写明名称，最多%d个字", maxTitle)
	case b.Article == "" || !fits(b.Article, maxArticle):
		return bad("article", "要写明条款，最多%d个字", maxArticle)
	case b.Quote == "" || len([]rune(b.Quote)) > maxQuote:
		return bad("quote", "要抄录条文，最多%d个字", maxQuote)
	}
	if _, err := elicense.ParseDate(string(b.InForce)); err != nil {
		return bad("inForce", "施行日期要写成2026-11-23的样子").Because(err)
	}
	return nil
}

func basisRequest(actor *elicense.Actor, act string) func(*store.Tx) (access.Request, error) {
	return func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.BasisKeep, On: access.Thing{Kind: "Basis", ID: "register"},
			Note: access.Note{Detail: map[string]string{"act": act}},
		}, nil
	}
}

// RepealBasis notes that a basis ends with the day, and opens a task on every
// matter that cites it: the unit must let its material go or find another basis.
//
// Errors: Invalid; Forbidden; NotFound; Conflict if it was repealed before.
func (c *Cases) RepealBasis(ctx context.Context, actor *elicense.Actor, id BasisID, from elicense.Date) error {
	if _, err := elicense.ParseDate(string(from)); err != nil {
		return elicense.E(elicense.Invalid, "失效日期要写成2026-11-23的样子").At("repealed").Because(err)
	}
	return c.guard.Write(ctx, basisRequest(actor, "repeal"), func(tx *store.Tx, p *access.Permit) error {
		p.Note.Detail = map[string]string{"basis": string(id), "act": "repeal"}
		b, err := BasisOf(tx, id)
		if err != nil {
			return err
		}
		if b.Repealed != "" {
			return elicense.E(elicense.Conflict, "这个依据已登记失效")
		}
		b.Repealed, b.seq = from, b.seq+1
		_, err = tx.Exec(`UPDATE basis SET repealed = $1, account = $2, changed = $3, seq = $4, mac = $5 WHERE id = $6`,
			b.Repealed, actor.Account, tx.Now(), b.seq, tx.MAC("basis", string(b.ID), b.parts()...), b.ID)
		if err != nil {
			return err
		}
		all, err := matters(tx, `ORDER BY code`)
		if err != nil {
			return err
		}
		for _, m := range all {
			if slices.Contains(m.Bases(), id) {
				if err := openTask(tx, m, b); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Task is what a unit has to do about a matter whose basis was repealed.
type Task struct {
	Matter elicense.MatterCode
	Basis  BasisID
	Unit   elicense.UnitCode
	Opened time.Time
	Done   time.Time
}

func (t *Task) parts() [][]byte {
	return [][]byte{[]byte(t.Unit), []byte(strconv.FormatInt(t.Opened.UnixMicro(), 10)), []byte(strconv.FormatBool(t.Done.IsZero()))}
}

func (t *Task) row() string { return string(t.Matter) + "/" + string(t.Basis) }

func openTask(tx *store.Tx, m *Matter, b *Basis) error {
	t := Task{Matter: m.Code, Basis: b.ID, Unit: m.Unit, Opened: tx.Now()}
	n, err := tx.Exec(`INSERT INTO matter_task (matter, basis, unit, opened, done, mac) VALUES ($1, $2, $3, $4, NULL, $5) ON CONFLICT (matter, basis) DO NOTHING`,
		t.Matter, t.Basis, t.Unit, t.Opened, tx.MAC("matter_task", t.row(), t.parts()...))
	if err != nil || n == 0 {
		return err
	}
	return tell(tx, m.Unit, elicense.DutyMatters, notice.Notice{
		Kind: "basis-repealed", Text: "%s引用的%s%s已失效，请修改材料清单", Args: []string{m.Name, b.Title, b.Article}, Link: "/issue/matters/" + string(m.Code),
	})
}

// endTasks ends the tasks of a matter whose new version cites the basis no more.
func endTasks(tx *store.Tx, m *Matter) error {
	list, err := tasks(tx, `WHERE matter = $1 AND done IS NULL`, m.Code)
	if err != nil {
		return err
	}
	for _, t := range list {
		if slices.Contains(m.Bases(), t.Basis) {
			continue
		}
		t.Done = tx.Now()
		if _, err := tx.Exec(`UPDATE matter_task SET done = $1, mac = $2 WHERE matter = $3 AND basis = $4`,
			t.Done, tx.MAC("matter_task", t.row(), t.parts()...), t.Matter, t.Basis); err != nil {
			return err
		}
	}
	return nil
}

func tasks(tx *store.Tx, where string, args ...any) ([]*Task, error) {
	return store.All(tx, func(r *store.Rows) (*Task, error) {
		var t Task
		var mac []byte
		if err := r.Scan(&t.Matter, &t.Basis, &t.Unit, &t.Opened, &t.Done, &mac); err != nil {
			return nil, err
		}
		return &t, tx.CheckMAC(mac, "matter_task", t.row(), t.parts()...)
	}, `SELECT matter, basis, unit, opened, done, mac FROM matter_task `+where, args...)
}

// Tasks lists what is to be done about matters of a unit, of all if it is empty.
func (c *Cases) Tasks(ctx context.Context, unit elicense.UnitCode) (list []*Task, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		list, err = tasks(tx, `WHERE done IS NULL AND ($1 = '' OR unit = $2) ORDER BY opened, matter`, unit, unit)
		return err
	})
	return list, err
}

// citable tells whether a matter may cite the basis today.
func citable(tx *store.Tx, id BasisID, field string) error {
	b, err := BasisOf(tx, id)
	if elicense.IsKind(err, elicense.NotFound) {
		return elicense.E(elicense.Invalid, "依据没有登记").At(field).Under("第十一条第一款").Then("请先由电子政务管理部门登记法律、法规、规章的条文")
	}
	if err != nil {
		return err
	}
	if !b.Holds(elicense.DateOf(tx.Now())) {
		return elicense.E(elicense.Invalid, "%s%s不在施行中，不能作为依据", b.Title, b.Article).At(field).Under("第十一条第一款").Then("请引用现行的条文，或改为免提交、核验、上传")
	}
	return nil
}

func (b *Basis) parts() [][]byte {
	return [][]byte{
		[]byte(b.Rank), []byte(b.Title), []byte(b.Article), []byte(b.Quote), []byte(b.InForce), []byte(b.Repealed), []byte(strconv.FormatInt(b.seq, 10)),
	}
}

func insertBasis(tx *store.Tx, b *Basis, by elicense.AccountID) error {
	_, err := tx.Exec(`INSERT INTO basis (id, rank, title, article, quote, in_force, repealed, account, changed, seq, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		b.ID, b.Rank, b.Title, b.Article, b.Quote, b.InForce, b.Repealed, by, tx.Now(), b.seq, tx.MAC("basis", string(b.ID), b.parts()...))
	return err
}

func bases(tx *store.Tx, where string, args ...any) ([]*Basis, error) {
	return store.All(tx, func(r *store.Rows) (*Basis, error) {
		var b Basis
		var mac []byte
		if err := r.Scan(&b.ID, &b.Rank, &b.Title, &b.Article, &b.Quote, &b.InForce, &b.Repealed, &b.seq, &mac); err != nil {
			return nil, err
		}
		return &b, tx.CheckMAC(mac, "basis", string(b.ID), b.parts()...)
	}, `SELECT id, rank, title, article, quote, in_force, repealed, seq, mac FROM basis `+where, args...)
}

// BasisOf returns a basis. Errors: NotFound.
func BasisOf(tx *store.Tx, id BasisID) (*Basis, error) {
	list, err := bases(tx, `WHERE id = $1`, id)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, elicense.E(elicense.NotFound, "依据没有登记")
	}
	return list[0], nil
}

// Bases lists the register of bases.
func (c *Cases) Bases(ctx context.Context) (list []*Basis, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		list, err = bases(tx, `ORDER BY title, article`)
		return err
	})
	return list, err
}

// InstallBases enters bases under the identifiers they have: the set-up of a
// platform.
func (c *Cases) InstallBases(ctx context.Context, list []*Basis) error {
	return c.db.Update(ctx, func(tx *store.Tx) error {
		for _, b := range list {
			if err := b.check(); err != nil {
				return err
			}
			b.seq = 1
			if err := insertBasis(tx, b, ""); err != nil {
				return err
			}
		}
		return nil
	})
}

// EachBasis reads every basis, task and entrustment; f gets the error of one that
// is not as it was left.
func EachBasis(tx *store.Tx, f func(id string, err error) error) error {
	rows, err := tx.Query(`SELECT id FROM basis ORDER BY id`)
	if err != nil {
		return err
	}
	for rows.Next() {
		var id BasisID
		if err := rows.Scan(&id); err != nil {
			return err
		}
		_, err := BasisOf(tx, id)
		if err := f(string(id), err); err != nil {
			return err
		}
	}
	_, err = tasks(tx, `ORDER BY matter, basis`)
	if err == nil {
		_, err = entrustments(tx, `ORDER BY acceptor, unit`)
	}
	return f("tasks and entrustments", err)
}
