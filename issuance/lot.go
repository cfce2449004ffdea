package issuance

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/jobs"
	"elicense/notice"
	"elicense/store"
)

// LotState is where a lot stands.
type LotState string

// The states of a lot.
const (
	LotReading  LotState = "reading"   // 读取中: the file is being read
	LotOpen     LotState = "open"      // 待提交: bad rows can be mended, or left
	LotInReview LotState = "in-review" // 待审核
	LotSealing  LotState = "sealing"   // 签章中
	LotPaused   LotState = "paused"    // 已暂停
	LotDone     LotState = "done"      // 已完成
	LotVoid     LotState = "void"      // 作废
)

var lotWords = map[LotState]string{
	LotReading: "读取中", LotOpen: "待提交", LotInReview: "待审核", LotSealing: "签章中", LotPaused: "已暂停", LotDone: "已完成", LotVoid: "已作废",
}

// Chinese returns the word shown to people.
func (s LotState) Chinese() string { return lotWords[s] }

// Lot is a lot of licenses that are issued at once (一次性大批量发放, Art. 7(3)). Each
// row of it is a draft of its own; what is judged, approved and told is the lot.
type Lot struct {
	ID          string
	Unit        elicense.UnitCode
	Type        elicense.TypeCode
	TypeVersion int
	TypeName    string
	State       LotState
	Name        string // of the file
	FileDigest  []byte // SM3
	Closed      time.Time
	Due         time.Time // five working days after Closed; zero if the calendar does not say
	Rows        int       // that stood the checks
	Reason      string    // why it is a lot although it is small
	Remark      string    // why it was returned, or why its sealing waits
	Drafter     elicense.PersonID
	Account     elicense.AccountID
	DrafterName string
	Reviewer    elicense.PersonID
	Created     time.Time
	Submitted   time.Time
	Reviewed    time.Time
	Finished    time.Time
	Seq         int64

	// How its rows stand; read with the lot.
	Made, Stopped, Waiting, Bad int
	Photos                      int // of the bad ones, those that wait for nothing but photographs

	Halted bool // its sealing is tried no more until somebody asks; read with the lot
}

// The sizes of lots.
const (
	// MinLot is the number of rows below which a lot needs a reason: lots have
	// five working days, and must not be a way around the day of closing.
	MinLot = 20
	// MaxRows bounds a lot.
	MaxRows = 1_000_000

	maxLotReason = 200 // characters
)

// sampleSize is how many rows of a lot a reviewer looks at: one in fifty, at least
// five, at most fifty.
func sampleSize(rows int) int { return min(rows, max(5, min(50, (rows+49)/50))) }

func (l *Lot) parts() [][]byte {
	n := func(i int64) []byte { return []byte(strconv.FormatInt(i, 10)) }
	return [][]byte{
		[]byte(l.Unit), []byte(l.Type), n(int64(l.TypeVersion)), []byte(l.State), l.FileDigest, n(l.Closed.UnixMicro()), n(int64(l.Rows)), []byte(l.Reason),
		[]byte(l.Drafter), []byte(l.Reviewer), n(l.Seq),
	}
}

func insertLot(tx *store.Tx, l *Lot) error {
	_, err := tx.Exec(`INSERT INTO lot (id, unit, type, type_version, type_name, state, name, file_digest, closed, due, rows_good, reason, remark, drafter,
		drafter_account, drafter_name, reviewer, created, submitted, reviewed, finished, seq, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)`,
		l.ID, l.Unit, l.Type, l.TypeVersion, l.TypeName, l.State, l.Name, l.FileDigest, l.Closed, l.Due, l.Rows, l.Reason, l.Remark, l.Drafter,
		l.Account, l.DrafterName, l.Reviewer, l.Created, l.Submitted, l.Reviewed, l.Finished, l.Seq, tx.MAC("lot", l.ID, l.parts()...))
	return err
}

// update writes a changed lot; one that changed meanwhile is a Conflict.
func (l *Lot) update(tx *store.Tx) error {
	l.Seq++
	n, err := tx.Exec(`UPDATE lot SET state = $1, file_digest = $2, rows_good = $3, reason = $4, remark = $5, reviewer = $6, submitted = $7, reviewed = $8,
		finished = $9, due = $10, seq = $11, mac = $12 WHERE id = $13 AND seq = $14`,
		l.State, l.FileDigest, l.Rows, l.Reason, l.Remark, l.Reviewer, l.Submitted, l.Reviewed, l.Finished, l.Due, l.Seq,
		tx.MAC("lot", l.ID, l.parts()...), l.ID, l.Seq-1)
	if err == nil && n == 0 {
		return elicense.E(elicense.Conflict, "这个批次刚刚有人办过").Then("请刷新，核对后再办")
	}
	return err
}

// lots reads lots with how their rows stand.
func lots(tx *store.Tx, where string, args ...any) ([]*Lot, error) {
	list, err := bareLots(tx, where, args...)
	if err != nil {
		return nil, err
	}
	for _, l := range list {
		if err := l.count(tx); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func bareLots(tx *store.Tx, where string, args ...any) ([]*Lot, error) {
	return store.All(tx, func(r *store.Rows) (*Lot, error) {
		var l Lot
		var mac []byte
		err := r.Scan(&l.ID, &l.Unit, &l.Type, &l.TypeVersion, &l.TypeName, &l.State, &l.Name, &l.FileDigest, &l.Closed, &l.Due, &l.Rows, &l.Reason, &l.Remark,
			&l.Drafter, &l.Account, &l.DrafterName, &l.Reviewer, &l.Created, &l.Submitted, &l.Reviewed, &l.Finished, &l.Seq, &mac)
		if err != nil {
			return nil, err
		}
		return &l, tx.CheckMAC(mac, "lot", l.ID, l.parts()...)
	}, `SELECT id, unit, type, type_version, type_name, state, name, file_digest, closed, due, rows_good, reason, remark, drafter, drafter_account, drafter_name,
		reviewer, created, submitted, reviewed, finished, seq, mac FROM lot `+where, args...)
}

// count reads how the lot's rows stand. Of a million only those are counted that
// are in the states few are in: the others are the rest.
func (l *Lot) count(tx *store.Tx) error {
	if err := haltedLot(tx, l); err != nil {
		return err
	}
	states := []State{Open, InReview, Sealing}
	switch l.State {
	case LotReading, LotVoid:
		states = append(states, Published) // there are not as many as the lot says
	case LotOpen, LotInReview:
		states = []State{Open, Published}
	}
	n, err := l.countIn(tx, states...)
	if err != nil {
		return err
	}
	l.Stopped, l.Waiting, l.Made = n[Open], n[InReview]+n[Sealing], n[Published]
	switch l.State {
	case LotReading, LotVoid:
	case LotOpen, LotInReview:
		l.Waiting = max(0, l.Rows-l.Stopped-l.Made)
	default:
		l.Made = max(0, l.Rows-l.Stopped-l.Waiting)
	}
	return tx.Row(`SELECT COUNT(*), COALESCE(SUM(CASE WHEN awaits THEN 1 ELSE 0 END), 0) FROM lot_bad WHERE lot = $1`, l.ID).Scan(&l.Bad, &l.Photos)
}

// countIn counts the lot's rows in some states.
func (l *Lot) countIn(tx *store.Tx, states ...State) (map[State]int, error) {
	count := map[State]int{}
	for _, s := range states {
		var n int
		if err := tx.Row(`SELECT COUNT(*) FROM draft WHERE lot = $1 AND state = $2`, l.ID, s).Scan(&n); err != nil {
			return nil, err
		}
		count[s] = n
	}
	return count, nil
}

// lotOf reads a lot with how its rows stand.
func lotOf(tx *store.Tx, id string) (*Lot, error) {
	l, err := bareLot(tx, id)
	if err != nil {
		return nil, err
	}
	return l, l.count(tx)
}

// bareLot reads a lot alone: going over its rows, of which there may be a million,
// takes a while.
func bareLot(tx *store.Tx, id string) (*Lot, error) {
	list, err := bareLots(tx, `WHERE id = $1`, id)
	if err == nil && len(list) == 0 {
		err = elicense.E(elicense.NotFound, "没有这个批次")
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// lotRequest asks the law about a lot as about a draft: it is one, of many.
func lotRequest(actor *elicense.Actor, act access.Act, id string) func(*store.Tx) (access.Request, error) {
	return func(tx *store.Tx) (access.Request, error) {
		l, err := bareLot(tx, id)
		if elicense.IsKind(err, elicense.NotFound) {
			l = &Lot{}
		} else if err != nil {
			return access.Request{}, err
		}
		req := access.Request{
			Actor: actor, Act: act,
			On: access.Thing{Kind: "Draft", ID: id, Attr: access.Attr{
				"unit": string(l.Unit), "drafters": personStrings([]elicense.PersonID{l.Drafter}), "issuers": []string{string(l.Unit)},
			}},
			Note: access.Note{LicenseType: l.Type, Detail: map[string]string{"lot": l.ID}},
		}
		if l.Seq > 0 {
			req.Rests = []access.Rests{{Query: `SELECT seq FROM lot WHERE id = $1`, Args: []any{id}, Want: l.Seq}}
		}
		return req, nil
	}
}

// Lots lists the lots of the actor's unit, the newest first.
func (i *Issuer) Lots(ctx context.Context, actor *elicense.Actor, limit int) ([]*Lot, error) {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.DraftRead, On: access.Thing{Kind: "Draft", ID: "lots", Attr: access.Attr{"unit": string(actor.Unit)}},
		}, nil
	}
	list, _, err := access.Get(ctx, i.Guard, build, func(tx *store.Tx, _ *access.Permit) ([]*Lot, error) {
		return lots(tx, `WHERE unit = $1 ORDER BY created DESC LIMIT $2`, actor.Unit, limit)
	})
	return list, err
}

// LotsUnderway lists the lots of a unit that are not at their end, the earliest due
// first.
func LotsUnderway(tx *store.Tx, unit elicense.UnitCode, limit int) ([]*Lot, error) {
	return lots(tx, `WHERE unit = $1 AND state NOT IN ($2, $3) ORDER BY due, id LIMIT $4`, unit, LotDone, LotVoid, limit)
}

// Lot returns a lot to its unit. Errors: Forbidden, also if there is no such lot.
func (i *Issuer) Lot(ctx context.Context, actor *elicense.Actor, id string) (*Lot, error) {
	l, _, err := access.Get(ctx, i.Guard, lotRequest(actor, access.DraftRead, id), func(tx *store.Tx, _ *access.Permit) (*Lot, error) {
		return lotOf(tx, id)
	})
	return l, err
}

// changeLot makes a change of a lot that stands in one of the states.
func (i *Issuer) changeLot(ctx context.Context, actor *elicense.Actor, act access.Act, id string, change func(tx *store.Tx, l *Lot) error, in ...LotState) error {
	return i.Guard.Write(ctx, lotRequest(actor, act, id), func(tx *store.Tx, p *access.Permit) error {
		l, err := bareLot(tx, id)
		if err != nil {
			return err
		}
		if err := haltedLot(tx, l); err != nil {
			return err
		}
		if !slices.Contains(in, l.State) {
			return elicense.E(elicense.Conflict, "批次现在是“%s”，不能这样办", l.State.Chinese()).Then("请刷新后核对")
		}
		if err := change(tx, l); err != nil {
			return err
		}
		p.Note.Detail["state"] = string(l.State)
		return l.update(tx)
	})
}

// SubmitLot gives a lot to review, and draws the rows the reviewer will look at.
// Bad rows that were not mended stay out of it.
//
// Errors: Invalid for a lot of fewer than MinLot rows without a reason; Forbidden;
// Conflict.
func (i *Issuer) SubmitLot(ctx context.Context, actor *elicense.Actor, id, reason string) error {
	reason = strings.TrimSpace(reason)
	return i.changeLot(ctx, actor, access.DraftMake, id, func(tx *store.Tx, l *Lot) error {
		switch {
		case l.Rows == 0:
			return elicense.E(elicense.Invalid, "批次里没有可以制证的行").Then("请下载错误行，更正后再上传")
		case l.Rows < MinLot && reason == "":
			return elicense.E(elicense.Invalid, "只有%d行，少于%d行要写明为什么按批量办理", l.Rows, MinLot).At("reason").Under("第七条第三款").Then("请逐件在线生成，或写明理由")
		case utf8.RuneCountInString(reason) > maxLotReason:
			return elicense.E(elicense.Invalid, "理由最多%d个字", maxLotReason).At("reason")
		}
		l.State, l.Reason, l.Submitted, l.Remark = LotInReview, reason, tx.Now(), ""
		if err := l.count(tx); err != nil {
			return err
		}
		return drawSample(tx, l)
	}, LotOpen)
}

// drawSample draws the rows to be looked at; nobody can know them beforehand.
func drawSample(tx *store.Tx, l *Lot) error {
	if _, err := tx.Exec(`DELETE FROM lot_sample WHERE lot = $1`, l.ID); err != nil {
		return err
	}
	var last int
	if err := tx.Row(`SELECT COALESCE(MAX(place), 1) FROM draft WHERE lot = $1 AND state = $2`, l.ID, InReview).Scan(&last); err != nil {
		return err
	}
	chosen := map[elicense.DraftID]bool{}
	for want, misses := sampleSize(l.Waiting), 0; len(chosen) < want; {
		// A place without a row is drawn again: each row is as likely as the others.
		// Where most have none the rows are counted up to, which takes longer.
		where, n := `place = $3`, 1+rand.IntN(last)
		if misses > 1000 {
			where, n = `TRUE ORDER BY place LIMIT 1 OFFSET $3`, rand.IntN(l.Waiting)
		}
		var id elicense.DraftID
		err := tx.Row(`SELECT id FROM draft WHERE lot = $1 AND state = $2 AND `+where, l.ID, InReview, n).Scan(&id)
		switch {
		case err == nil:
			chosen[id] = true
		case elicense.IsKind(err, elicense.NotFound) && misses <= 1000:
			misses++
		default:
			return err
		}
	}
	for id := range chosen {
		if _, err := tx.Exec(`INSERT INTO lot_sample (lot, draft, seen, good, remark) VALUES ($1, $2, NULL, $3, '')`, l.ID, id, false); err != nil {
			return err
		}
	}
	return nil
}

// Sampled is a row of a lot that was drawn for review.
type Sampled struct {
	Draft  elicense.DraftID
	Place  int    // line of the file
	Holder string // name of the first holder, masked
	Seen   time.Time
	Good   bool
	Remark string
}

// LotSample returns the rows of a lot that were drawn for review, to its unit.
func (i *Issuer) LotSample(ctx context.Context, actor *elicense.Actor, id string) ([]Sampled, error) {
	list, _, err := access.Get(ctx, i.Guard, lotRequest(actor, access.DraftRead, id), func(tx *store.Tx, _ *access.Permit) ([]Sampled, error) {
		return sampled(tx, id)
	})
	return list, err
}

func sampled(tx *store.Tx, lot string) ([]Sampled, error) {
	list, err := store.All(tx, func(r *store.Rows) (s Sampled, err error) {
		var seen *time.Time
		err = r.Scan(&s.Draft, &seen, &s.Good, &s.Remark)
		if seen != nil {
			s.Seen = *seen
		}
		return s, err
	}, `SELECT draft, seen, good, remark FROM lot_sample WHERE lot = $1`, lot)
	if err != nil {
		return nil, err
	}
	for i := range list {
		d, err := Of(tx, list[i].Draft)
		if err != nil {
			return nil, err
		}
		list[i].Place, list[i].Holder = d.Place, access.MaskHolder(d.Holders[0]).Name
	}
	slices.SortFunc(list, func(a, b Sampled) int { return a.Place - b.Place })
	return list, nil
}

// JudgeRow notes what the reviewer found of a drawn row.
//
// Errors: Invalid for a wrong one without a remark; Forbidden; NotFound; Conflict.
func (i *Issuer) JudgeRow(ctx context.Context, actor *elicense.Actor, lot string, draft elicense.DraftID, good bool, remark string) error {
	if remark = strings.TrimSpace(remark); !good && remark == "" || utf8.RuneCountInString(remark) > maxLotReason {
		return elicense.E(elicense.Invalid, "要写明这一行错在哪里，最多%d个字", maxLotReason).At("remark")
	}
	return i.changeLot(ctx, actor, access.DraftReview, lot, func(tx *store.Tx, _ *Lot) error {
		n, err := tx.Exec(`UPDATE lot_sample SET seen = $1, good = $2, remark = $3 WHERE lot = $4 AND draft = $5`, tx.Now(), good, remark, lot, draft)
		if err == nil && n == 0 {
			return elicense.E(elicense.NotFound, "这一行没有抽中")
		}
		return err
	}, LotInReview)
}

// ApproveLot approves a lot whose drawn rows were all looked at and found right;
// its sealing begins.
//
// Errors: Forbidden; Conflict if a row was not looked at or is wrong; Unavailable
// without fonts or without an enabled seal.
func (i *Issuer) ApproveLot(ctx context.Context, actor *elicense.Actor, id string) error {
	if i.Maker == nil {
		return errNoFonts()
	}
	l, err := i.Lot(ctx, actor, id)
	if err != nil {
		return err
	}
	if _, err := i.lotStamp(ctx, l.Unit); err != nil {
		return err
	}
	return i.changeLot(ctx, actor, access.DraftReview, id, func(tx *store.Tx, l *Lot) error {
		list, err := sampled(tx, id)
		if err != nil {
			return err
		}
		for _, s := range list {
			if s.Seen.IsZero() {
				return elicense.E(elicense.Conflict, "抽中的第%d行还没有看", s.Place).Under("第七条第一款").Then("请逐行核对照面后再通过")
			}
			if !s.Good {
				return elicense.E(elicense.Conflict, "抽中的第%d行有错，不能通过", s.Place).Under("第九条").Then("请退回更正")
			}
		}
		t, err := i.typeOf(tx, l)
		if err != nil {
			return err
		}
		if err := qualified(tx, l.Unit, t); err != nil {
			return err
		}
		l.State, l.Reviewer, l.Reviewed = LotSealing, actor.Person, tx.Now()
		return enqueueLot(tx, l.ID, tx.Now())
	}, LotInReview)
}

// ReturnLot gives a lot back with a remark (退回).
func (i *Issuer) ReturnLot(ctx context.Context, actor *elicense.Actor, id, remark string) error {
	if remark = strings.TrimSpace(remark); remark == "" || utf8.RuneCountInString(remark) > maxLotReason {
		return elicense.E(elicense.Invalid, "退回要写明理由，最多%d个字", maxLotReason).At("remark")
	}
	return i.changeLot(ctx, actor, access.DraftReview, id, func(tx *store.Tx, l *Lot) error {
		l.State, l.Remark = LotOpen, remark
		return notice.Send(tx, notice.AccountInbox(l.Account), notice.Notice{
			Kind: "returned", Text: "批次%s被退回：%s", Args: []string{l.Name, remark}, Link: "/issue/lots/" + l.ID,
		})
	}, LotInReview)
}

// PauseLot stops the sealing of a lot after the rows in hand.
func (i *Issuer) PauseLot(ctx context.Context, actor *elicense.Actor, id string) error {
	return i.changeLot(ctx, actor, access.DraftMake, id, func(_ *store.Tx, l *Lot) error {
		l.State = LotPaused
		return nil
	}, LotSealing)
}

// ResumeLot goes on with a paused lot or with one whose sealing is tried no more,
// or tries the rows anew that were stopped because a registry or the seal could
// not be reached.
func (i *Issuer) ResumeLot(ctx context.Context, actor *elicense.Actor, id string) error {
	if i.may(ctx, lotRequest(actor, access.DraftMake, id)) {
		if err := i.reopen(ctx, id); err != nil {
			return err
		}
	}
	return i.changeLot(ctx, actor, access.DraftMake, id, func(tx *store.Tx, l *Lot) error {
		if l.State == LotSealing && !l.Halted {
			return elicense.E(elicense.Conflict, "批次正在签章，没有停下").Then("请刷新，看它办到哪里")
		}
		l.State, l.Finished, l.Remark = LotSealing, time.Time{}, ""
		return enqueueLot(tx, l.ID, tx.Now())
	}, LotPaused, LotDone, LotSealing)
}

// reopen puts the rows of a lot back that were stopped because a registry could not
// be reached, some hundred at a time.
func (i *Issuer) reopen(ctx context.Context, id string) error {
	for place, more := 0, true; more; {
		err := i.DB.Update(ctx, func(tx *store.Tx) error {
			more = false
			l, err := bareLot(tx, id)
			if err != nil || l.State != LotPaused && l.State != LotDone {
				return err
			}
			rows, err := drafts(tx, `WHERE lot = $1 AND state = $2 AND place > $3 ORDER BY place LIMIT $4`, id, Open, place, batch)
			if err != nil {
				return err
			}
			for _, d := range rows {
				if d.Comparison.Outcome != Unavailable {
					continue
				}
				d.State, d.Trouble = InReview, ""
				if err := update(tx, d); err != nil {
					return err
				}
			}
			if more = len(rows) > 0; more {
				place = rows[len(rows)-1].Place
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// VoidLot ends a lot that was not approved (作废); its cases can be posted again.
func (i *Issuer) VoidLot(ctx context.Context, actor *elicense.Actor, id string) error {
	return i.changeLot(ctx, actor, access.DraftMake, id, func(tx *store.Tx, l *Lot) error {
		l.State = LotVoid
		return forget(tx, l.ID)
	}, LotReading, LotOpen, LotInReview)
}

// forget takes out the rows of a lot that was given up.
func forget(tx *store.Tx, lot string) error {
	for _, q := range []string{
		`DELETE FROM completion WHERE draft IN (SELECT id FROM draft WHERE lot = $1)`, `DELETE FROM draft WHERE lot = $1`,
		`DELETE FROM lot_bad WHERE lot = $1`, `DELETE FROM lot_sample WHERE lot = $1`,
	} {
		if _, err := tx.Exec(q, lot); err != nil {
			return err
		}
	}
	return nil
}

// badRow is a row that did not stand the checks, as it was read.
type badRow struct {
	Cells  []string `json:"cells"` // in the order of the template
	Errors []string `json:"errors"`
	Awaits bool     `json:"awaits,omitempty"` // nothing but photographs
}

func (b *badRow) put(tx *store.Tx, lot string, place int) error {
	content, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("bad row: %w", err)
	}
	row := lot + "/" + strconv.Itoa(place)
	_, err = tx.Exec(`INSERT INTO lot_bad (lot, place, awaits, content_enc) VALUES ($1, $2, $3, $4)
		ON CONFLICT (lot, place) DO UPDATE SET awaits = excluded.awaits, content_enc = excluded.content_enc`,
		lot, place, b.Awaits, tx.Encrypt("lot_bad", row, "content_enc", content))
	return err
}

func enqueueLot(tx *store.Tx, id string, at time.Time) error {
	return jobs.Enqueue(tx, jobs.Job{Kind: lotJob, Key: id, RunAt: at, Payload: []byte(id)})
}

// EachLot reads every lot; f gets the error of one that is not as it was left.
func EachLot(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "lot", func(id string) error {
		l, err := bareLot(tx, id)
		if err == nil && l.State != LotVoid && l.State != LotReading {
			err = l.checkRows(tx)
		}
		return f(id, err)
	})
}

// checkRows tells whether all rows of the lot are there.
func (l *Lot) checkRows(tx *store.Tx) error {
	count, err := l.countIn(tx, Open, InReview, Sealing, Published)
	n := 0
	for _, in := range count {
		n += in
	}
	if err == nil && n != l.Rows {
		err = fmt.Errorf("%d rows of %d are there", n, l.Rows)
	}
	return err
}
