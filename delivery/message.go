package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"elicense"
	"elicense/access"
	"elicense/jobs"
	"elicense/store"
)

// sendJob is the kind of the jobs that send a message; the payload is its identifier.
const sendJob = "deliver-send"

// kind is what a message is about.
type kind string

const (
	ofIssue kind = "issued"
	ofCode  kind = "code"
)

// State is how a message stands.
type State string

// The states of a message.
const (
	Waiting State = "waiting" // to be sent, or sent again
	Told    State = "told"    // the other side has taken it
	Failed  State = "failed"  // given up

	Cancelled State = "cancelled" // never to be sent: its license was withdrawn (Art. 2)
)

// Chinese returns the words shown to people.
func (s State) Chinese() string {
	switch s {
	case Waiting:
		return "发送中"
	case Told:
		return "已送出"
	case Failed:
		return "没有送到"
	case Cancelled:
		return "已取消"
	}
	return string(s)
}

// message is a row of what is sent.
type message struct {
	ID      string
	License elicense.LicenseID // empty for codes
	Version int
	Unit    elicense.UnitCode
	Holder  elicense.HolderKey
	Channel Channel
	Kind    kind
	State   State
	Tries   int
	Answer  string // of the other side, or why it was given up: no address in it
	Created time.Time
	Changed time.Time // for Told, when it was handed over
	Seq     int64
	content
}

// backoff is how long a message waits after its n-th failure; after the last it is
// given up. A code is of no use after ten minutes.
var backoff = map[kind][]time.Duration{
	ofIssue: {time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour},
	ofCode:  {10 * time.Second, 30 * time.Second, time.Minute},
}

func (m *message) parts() [][]byte {
	return [][]byte{
		[]byte(m.License), number(int64(m.Version)), []byte(m.Unit), []byte(m.Holder), []byte(m.Channel), []byte(m.Kind), []byte(m.State), number(int64(m.Tries)),
		[]byte(m.Answer), micros(m.Created), micros(m.Changed), number(m.Seq),
	}
}

func (m *message) sealed(tx *store.Tx) []byte {
	return tx.Encrypt("delivery_message", m.ID, "content_enc", m.marshal())
}

// post writes a message and enqueues its sending.
func (m *message) post(tx *store.Tx) error {
	m.ID, m.State, m.Created, m.Changed, m.Seq = elicense.NewID[string](tx.Now()), Waiting, tx.Now(), tx.Now(), 1
	_, err := tx.Exec(`INSERT INTO delivery_message (id, license, version, unit, holder, channel, kind, content_enc, state, tries, answer, created, changed, seq, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		m.ID, m.License, m.Version, m.Unit, m.Holder, string(m.Channel), string(m.Kind), m.sealed(tx), string(m.State), m.Tries, m.Answer, m.Created, m.Changed, m.Seq,
		tx.MAC("delivery_message", m.ID, m.parts()...))
	if err != nil {
		return err
	}
	return m.enqueue(tx, time.Time{})
}

func (m *message) enqueue(tx *store.Tx, at time.Time) error {
	return jobs.Enqueue(tx, jobs.Job{Kind: sendJob, Key: m.ID, Payload: []byte(m.ID), RunAt: at})
}

// update writes a changed message; one that changed meanwhile is a Conflict.
func (m *message) update(tx *store.Tx) error {
	m.Seq++
	m.Changed = tx.Now()
	n, err := tx.Exec(`UPDATE delivery_message SET content_enc = $1, state = $2, tries = $3, answer = $4, changed = $5, seq = $6, mac = $7 WHERE id = $8 AND seq = $9`,
		m.sealed(tx), string(m.State), m.Tries, m.Answer, m.Changed, m.Seq, tx.MAC("delivery_message", m.ID, m.parts()...), m.ID, m.Seq-1)
	if err == nil && n == 0 {
		return elicense.E(elicense.Conflict, "这条消息刚刚有人处理过").Then("请刷新后再看")
	}
	return err
}

func messages(tx *store.Tx, where string, args ...any) ([]*message, error) {
	return store.All(tx, func(r *store.Rows) (*message, error) {
		var m message
		var b, mac []byte
		err := r.Scan(&m.ID, &m.License, &m.Version, &m.Unit, &m.Holder, (*string)(&m.Channel), (*string)(&m.Kind), &b, (*string)(&m.State), &m.Tries, &m.Answer, &m.Created,
			&m.Changed, &m.Seq, &mac)
		if err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "delivery_message", m.ID, m.parts()...); err != nil {
			return nil, err
		}
		if b, err = tx.Decrypt("delivery_message", m.ID, "content_enc", b); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, &m.content); err != nil {
			return nil, fmt.Errorf("message %s: %w", m.ID, err)
		}
		return &m, nil
	}, `SELECT id, license, version, unit, holder, channel, kind, content_enc, state, tries, answer, created, changed, seq, mac FROM delivery_message `+where, args...)
}

func messageOf(tx *store.Tx, id string) (*message, error) {
	list, err := messages(tx, `WHERE id = $1`, id)
	if err == nil && len(list) == 0 {
		err = elicense.E(elicense.NotFound, "没有这条消息")
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// EachMessage reads every message; f gets the error of one that is not as it was
// left.
func EachMessage(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "delivery_message", func(id string) error {
		_, err := messageOf(tx, id)
		return f(id, err)
	})
}

// Text is what a channel sends.
type Text struct {
	ID      string // the same at every attempt
	To      string
	Subject string
	Body    string
}

// Sender hands a text over to who brings it to the holder, and returns what the
// other side answered, a line without the address. It gives up by itself when ctx
// ends.
//
// Errors: Refused for what no other attempt can mend; anything else is tried again.
type Sender interface {
	Send(ctx context.Context, t Text) (answer string, err error)
}

// Refused is a lasting refusal of this address or text by the other side.
type Refused struct{ Answer string }

func (r *Refused) Error() string { return "refused: " + r.Answer }

// When a channel has failed so many times running it is left alone for a while; what
// waits does not lose an attempt.
const (
	openAfter = 5
	openFor   = time.Minute
	sendWait  = 20 * time.Second // for one attempt
)

// line is a channel with its sender and its circuit breaker.
type line struct {
	now func() time.Time

	mu     sync.Mutex
	to     Sender
	failed int       // running
	until  time.Time // left alone
}

func (l *line) connect(s Sender) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.to, l.failed, l.until = s, 0, time.Time{}
}

func (l *line) sender() Sender {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to
}

// let tells until when the channel is left alone; zero if it may be tried. When the
// time is over one attempt tries it, and others wait for how that ends.
func (l *line) let() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed < openAfter {
		return time.Time{}
	}
	if l.now().Before(l.until) {
		return l.until
	}
	l.until = l.now().Add(openFor)
	return time.Time{}
}

// note says whether the other side answered, be it with a refusal.
func (l *line) note(answered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if answered {
		l.failed = 0
		return
	}
	if l.failed++; l.failed >= openAfter {
		l.until = l.now().Add(openFor)
	}
}

// send sends one message; the handler of sendJob.
func (d *Desk) send(ctx context.Context, payload []byte) error {
	var m *message
	err := d.DB.View(ctx, func(tx *store.Tx) (err error) {
		m, err = messageOf(tx, string(payload))
		return err
	})
	if err != nil || m.State != Waiting {
		return err
	}
	if gone, err := d.withdrawn(ctx, m); err != nil || gone {
		return err
	}
	line := d.lines[m.Channel]
	s := line.sender()
	if s == nil {
		return d.later(ctx, m, d.Now().Add(openFor))
	}
	if until := line.let(); !until.IsZero() {
		return d.later(ctx, m, until)
	}
	if m.Kind == ofCode && d.Now().After(m.Created.Add(codeLife)) {
		return d.noted(ctx, m, "", &Refused{"验证码已过期"})
	}
	try, stop := context.WithTimeout(ctx, sendWait)
	answer, err := s.Send(try, Text{ID: m.ID, To: m.Address, Subject: m.Subject, Body: m.Text})
	stop()
	if err != nil && ctx.Err() != nil {
		return err // the program ends: it does not count
	}
	var refused *Refused
	line.note(err == nil || errors.As(err, &refused))
	store.CrashPoint("delivery.sent")
	return d.noted(ctx, m, answer, err)
}

// withdrawn cancels a message whose license was withdrawn meanwhile.
func (d *Desk) withdrawn(ctx context.Context, m *message) (gone bool, err error) {
	if m.License == "" {
		return false, nil
	}
	err = d.DB.View(ctx, func(tx *store.Tx) error {
		_, err := tx.License(m.License)
		return err
	})
	if !elicense.IsKind(err, elicense.NotFound) {
		return false, err
	}
	return true, d.cancel(ctx, []byte(m.License))
}

// cancel ends what waits to be sent of a withdrawn license; the handler of
// issuance.WithdrawnJob. What is being sent at this moment can't be called back.
func (d *Desk) cancel(ctx context.Context, payload []byte) error {
	return d.DB.Update(ctx, func(tx *store.Tx) error {
		list, err := messages(tx, `WHERE license = $1 AND state = $2`, string(payload), string(Waiting))
		if err != nil {
			return err
		}
		for _, m := range list {
			m.State, m.Answer, m.content = Cancelled, "证照已经撤下，这条消息没有再发出", content{}
			if err := m.update(tx); err != nil {
				return err
			}
			tx.Record(m.record())
		}
		return nil
	})
}

// CancelledMessage is a message that was never to be sent: of what license and to
// whom is not told.
type CancelledMessage struct {
	ID      string
	Channel Channel
	Written time.Time
	At      time.Time // cancelled
	Why     string    // a sentence
}

// Cancelled lists the messages of the actor's unit that were cancelled because their
// licenses were withdrawn (Art. 2), the newest first.
//
// Errors: Forbidden.
func (d *Desk) Cancelled(ctx context.Context, actor *elicense.Actor, limit int) ([]CancelledMessage, error) {
	list, _, err := access.Get(ctx, d.Guard, unitRequest(actor, "cancelled"), func(tx *store.Tx, _ *access.Permit) ([]CancelledMessage, error) {
		list, err := messages(tx, `WHERE unit = $1 AND state = $2 ORDER BY changed DESC, id LIMIT $3`, actor.Unit, string(Cancelled), limit)
		out := make([]CancelledMessage, 0, len(list))
		for _, m := range list {
			out = append(out, CancelledMessage{m.ID, m.Channel, m.Created, m.Changed, m.Answer})
		}
		return out, err
	})
	return list, err
}

// later leaves a message for another time without counting an attempt.
func (d *Desk) later(ctx context.Context, m *message, at time.Time) error {
	return d.DB.Update(ctx, func(tx *store.Tx) error {
		if err := m.enqueue(tx, at); err != nil {
			return err
		}
		return jobs.Done(tx, jobs.Current(ctx))
	})
}

// noted writes how an attempt ended, and has it tried again where that may help.
func (d *Desk) noted(ctx context.Context, was *message, answer string, failed error) error {
	err := d.DB.Update(ctx, func(tx *store.Tx) error {
		m, err := messageOf(tx, was.ID)
		if err != nil || m.Seq != was.Seq {
			return err // somebody had it sent anew meanwhile
		}
		m.Tries++
		var again time.Time
		waits := backoff[m.Kind]
		var refused *Refused
		switch {
		case failed == nil:
			m.State, m.Answer = Told, line1(answer)
		case errors.As(failed, &refused):
			m.State, m.Answer = Failed, line1(refused.Answer)
		case m.Tries > len(waits):
			m.State, m.Answer = Failed, "多次发送都没有成功"
		default:
			m.Answer, again = "暂时没有送出，会自动再发", tx.Now().Add(waits[m.Tries-1])
		}
		if m.Kind == ofCode && m.State != Waiting {
			m.Text = ""
		}
		if err := m.update(tx); err != nil {
			return err
		}
		if m.State != Waiting && m.Kind == ofIssue {
			tx.Record(m.record())
		}
		if !again.IsZero() {
			if err := m.enqueue(tx, again); err != nil {
				return err
			}
		}
		return jobs.Done(tx, jobs.Current(ctx))
	})
	if failed != nil {
		d.Log.WarnContext(ctx, "a message was not sent", "message", was.ID, "channel", was.Channel, "try", was.Tries+1, "err", failed)
	}
	return err
}

// record tells that a holder was told, or could not be.
func (m *message) record() store.Record {
	return store.Record{
		Actor: "platform", ActorName: "证照平台", Unit: string(m.Unit), Act: "license.tell", Outcome: store.Done, Rule: "delivery", Clause: "第十四条第一款",
		License: string(m.License), Holder: string(m.Holder),
		Detail: map[string]string{"message": m.ID, "channel": string(m.Channel), "state": string(m.State), "version": fmt.Sprint(m.Version)},
	}
}

// maxAnswer bounds what is kept of an answer, in characters.
const maxAnswer = 80

// line1 is an answer in one short line.
func line1(s string) string {
	r := []rune(s)
	r = slices.DeleteFunc(r, func(c rune) bool { return c < ' ' || c == 0x7f })
	return string(r[:min(len(r), maxAnswer)])
}
