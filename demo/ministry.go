package demo

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"elicense"
	"elicense/references"
	"elicense/registry"
)

// Ministry is an invented national system (示例) on this machine's loopback: it keeps
// driving licenses, answers what changed and whether one is as it is here, and signs
// what it says with a key of its own. The platform reaches it the way it reaches a real
// one (Art. 14(2)).
//
// What it keeps stands in a file of its own, a row a line in the order they changed; a
// cursor is how many lines were handed over, so that it goes on after a restart. Its
// key and its port are others each time; Reconnect registers them anew.
type Ministry struct {
	url, pem string
	file     string
	server   *http.Server

	mu   sync.Mutex
	rows []references.Row
}

// MinistryConfig is what a Ministry needs.
type MinistryConfig struct {
	File      string            // what it keeps; made when the first row is
	Key       references.Signer // signs its answers
	PublicPEM string            // of Key
	Client    *ecdsa.PublicKey  // of the platform, which alone may ask
	Now       func() time.Time
	Log       *slog.Logger
}

// StartMinistry reads what the ministry keeps and serves it on a free port of the
// loopback.
func StartMinistry(c MinistryConfig) (*Ministry, error) {
	m := &Ministry{pem: c.PublicPEM, file: c.File}
	if err := m.read(); err != nil {
		return nil, fmt.Errorf("the demo's ministry: %w", err)
	}
	client, err := registry.KeyName(c.Client)
	if err != nil {
		return nil, fmt.Errorf("the demo's ministry: %w", err)
	}
	mux := http.NewServeMux()
	for _, x := range []struct {
		about  registry.Protocol
		answer func([]byte) (any, error)
	}{{references.Changing, m.changes}, {references.Checking, m.check}} {
		mux.Handle("POST "+x.about.Path, registry.Answering(registry.Endpoint{
			About: x.about, Key: c.Key, Now: c.Now, Log: c.Log,
			Client: func(_ context.Context, name string) (*ecdsa.PublicKey, error) {
				if name != client {
					return nil, nil
				}
				return c.Client, nil
			},
			Answer: func(_ context.Context, _ string, question []byte) ([]byte, error) {
				said, err := x.answer(question)
				if err != nil {
					return nil, err
				}
				return json.Marshal(said)
			},
		}))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the demo's ministry: %w", err)
	}
	m.url = "http://" + l.Addr().String()
	const limit = 10 * time.Second
	m.server = &http.Server{Handler: mux, ReadHeaderTimeout: limit, ReadTimeout: limit, WriteTimeout: limit, IdleTimeout: time.Minute}
	go func() {
		if err := m.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			c.Log.Error("the demo's ministry", "err", err)
		}
	}()
	return m, nil
}

// Close ends it.
func (m *Ministry) Close() { m.server.Close() }

func (m *Ministry) read() error {
	b, err := os.ReadFile(m.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for d := json.NewDecoder(bytes.NewReader(b)); d.More(); {
		var row references.Row
		if err := d.Decode(&row); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(m.file), err)
		}
		m.rows = append(m.rows, row)
	}
	return nil
}

// set enters licenses, or how they are now; they are on disk when it returns.
func (m *Ministry) set(rows ...references.Row) error {
	var b bytes.Buffer
	for _, row := range rows {
		line, err := json.Marshal(row)
		if err != nil {
			return fmt.Errorf("the demo's ministry: %w", err)
		}
		b.Write(append(line, '\n'))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := os.MkdirAll(filepath.Dir(m.file), 0o700); err != nil {
		return fmt.Errorf("the demo's ministry: %w", err)
	}
	f, err := os.OpenFile(m.file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("the demo's ministry: %w", err)
	}
	_, err = f.Write(b.Bytes())
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("the demo's ministry: %w", err)
	}
	m.rows = append(m.rows, rows...)
	return nil
}

// kept is what it has, in the order it changed.
func (m *Ministry) kept() []references.Row {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.rows)
}

var errNoQuestion = elicense.E(elicense.Invalid, "问题的格式不对")

// changes answers what changed after a cursor.
func (m *Ministry) changes(question []byte) (any, error) {
	var q references.Since
	if json.Unmarshal(question, &q) != nil || q.Most < 1 {
		return nil, errNoQuestion
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	from := 0
	if q.Cursor != "" {
		n, err := strconv.Atoi(q.Cursor)
		if err != nil || n < 0 || n > len(m.rows) {
			return nil, errNoQuestion
		}
		from = n
	}
	to := min(from+q.Most, len(m.rows))
	answer := references.Changes{Next: strconv.Itoa(to), More: to < len(m.rows)}
	for _, row := range m.rows[from:to] {
		if slices.Contains(q.Types, row.Type) {
			answer.Rows = append(answer.Rows, row)
		}
	}
	return answer, nil
}

// check answers whether a license is as it is here, and which parts of it are not,
// never what they are.
func (m *Ministry) check(question []byte) (any, error) {
	var q references.Row
	if json.Unmarshal(question, &q) != nil || len(q.Holders) == 0 {
		return nil, errNoQuestion
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, row := range slices.Backward(m.rows) {
		if row.Type != q.Type || row.Holders[0].Code != q.Holders[0].Code {
			continue
		}
		v := references.Verdict{Outcome: references.Agrees, Fields: differing(row, q)}
		if len(v.Fields) > 0 {
			v.Outcome = references.Differs
		}
		return v, nil
	}
	return references.Verdict{Outcome: references.Unknown}, nil
}

// differing are the keys of what two rows say otherwise.
func differing(a, b references.Row) (keys []string) {
	for key, same := range map[string]bool{
		"state": a.State == b.State, "holders": slices.Equal(a.Holders, b.Holders), "issuedOn": a.IssuedOn == b.IssuedOn,
		"validFrom": a.ValidFrom == b.ValidFrom, "validTo": a.ValidTo == b.ValidTo,
	} {
		if !same {
			keys = append(keys, key)
		}
	}
	for key, v := range a.Fields {
		if b.Fields[key] != v {
			keys = append(keys, key)
		}
	}
	for key, v := range b.Fields {
		if _, known := a.Fields[key]; !known && v != "" {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// The ministry's system as it is registered. Its name stands on every reference of it,
// and says that it is invented.
const (
	ministryID   = "drivers-demo"
	ministryName = "全国驾驶证回传系统（示例）"
)

// Among the driving licenses the demo has: whose is renewed (陈示例), whose was
// suspended, whose ends.
const (
	driverRenewed   = 0
	driverSuspended = 9
	driverEnded     = 21
)

// driving fills the ministry with the plan's driving licenses as they stand, registers
// it, and has it asked: all are as the unit had entered them.
func (d *Data) driving(ctx context.Context, p Platform, a *actors, plan []due, now time.Time) error {
	if p.Ministry == nil {
		return nil
	}
	suspended := d.persons()[driverSuspended].ref
	var rows []references.Row
	for _, x := range plan {
		if x.short != "T10" {
			continue
		}
		row := references.Row{
			Type: d.TypeCode(x.short), State: references.Active, Holders: x.holders, Fields: x.fields, IssuedOn: elicense.DateOf(now.AddDate(0, 0, -x.day)),
			ValidFrom: elicense.Date(x.fields["valid_from"]), ValidTo: elicense.Date(x.fields["valid_to"]),
		}
		if x.holders[0] == suspended {
			row.State = references.Suspended
		}
		rows = append(rows, row)
	}
	if err := p.Ministry.set(rows...); err != nil {
		return err
	}
	admin, err := a.get(ctx, "admin")
	if err != nil {
		return err
	}
	source := references.Source{
		ID: ministryID, Name: ministryName, Ministry: "公安部", Unit: d.Unit("ga-fz"), Kind: references.HTTP, URL: p.Ministry.url, Key: p.Ministry.pem, State: references.Live,
		Types: []references.Returns{{Type: d.TypeCode("T10"), Hours: 72}},
	}
	if err := p.References.Register(ctx, admin, source); err != nil { // it is asked at once
		return fmt.Errorf("source: %w", err)
	}
	clerk, err := a.get(ctx, "make-ga-fz")
	if err != nil {
		return err
	}
	return pulled(ctx, p, clerk, "")
}

// drivingChanged lets one license be renewed and one end at the ministry. The unit has
// the first checked, hears that it differs, asks what changed, and checks again.
func (d *Data) drivingChanged(ctx context.Context, p Platform, a *actors, now time.Time) error {
	if p.Ministry == nil {
		return nil
	}
	people := d.persons()
	var rows []references.Row
	for _, row := range p.Ministry.kept() {
		switch row.Holders[0] {
		case people[driverRenewed].ref:
			row.Fields = maps.Clone(row.Fields)
			row.ValidTo = row.ValidTo.AddYears(10, false)
			row.Fields["valid_to"], row.DocNo = string(row.ValidTo), fmt.Sprintf("示例换〔%d〕1102号", now.Year())
		case people[driverEnded].ref:
			row.State, row.DocNo = references.Cancelled, fmt.Sprintf("示例注〔%d〕27号", now.Year())
		default:
			continue
		}
		rows = append(rows, row)
	}
	clerk, err := a.get(ctx, "make-ga-fz")
	if err != nil {
		return err
	}
	// The platform asks by itself too: what it brought since here was brought, and
	// asking once more would bring nothing.
	last, err := lastPull(ctx, p, clerk)
	if err != nil {
		return err
	}
	if err := p.Ministry.set(rows...); err != nil {
		return err
	}
	renewed := a.made["T10"+people[driverRenewed].ref.Code]
	for _, want := range []references.Outcome{references.Differs, references.Agrees} {
		c, err := p.References.Verify(ctx, clerk, renewed)
		if err != nil {
			return fmt.Errorf("check: %w", err)
		}
		if c.Outcome == references.Agrees {
			break
		}
		if c.Outcome != want {
			return fmt.Errorf("the check came out as %s, want %s", c.Outcome, want)
		}
		if err := p.References.Ask(ctx, clerk, ministryID); err != nil {
			return err
		}
		if err := pulled(ctx, p, clerk, last); err != nil {
			return err
		}
	}
	return nil
}

// lastPull is the last delivery of the ministry that has ended; empty if there is none.
func lastPull(ctx context.Context, p Platform, clerk *elicense.Actor) (string, error) {
	list, err := p.References.Deliveries(ctx, clerk, 1)
	if err != nil || len(list) == 0 || list[0].State != references.Taken {
		return "", err
	}
	return list[0].ID, nil
}

// pullTime is how long the ministry's answer may take where many share the processors.
const pullTime = 3 * time.Minute

// pulled waits until what the ministry was asked for has come, after the delivery last.
func pulled(ctx context.Context, p Platform, clerk *elicense.Actor, last string) error {
	for began := time.Now(); time.Since(began) < pullTime; {
		now, err := lastPull(ctx, p, clerk)
		if err != nil || now != last && now != "" {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
	return errNotPulled
}

var errNotPulled = errors.New("the demo's ministry was asked what changed, and nothing came")

// Reconnect registers the ministry as it is reached since this start, if the demo has
// it; how it stood stays.
func Reconnect(ctx context.Context, p Platform) error {
	if p.Ministry == nil {
		return nil
	}
	admin, err := p.Org.ActorByLogin(ctx, "admin", "demo")
	if err != nil {
		return err
	}
	list, err := p.References.Sources(ctx, admin, true)
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.ID != ministryID {
			continue
		}
		s.URL, s.Key = p.Ministry.url, p.Ministry.pem
		if err := p.References.Register(ctx, admin, *s.Source); err != nil {
			return fmt.Errorf("source: %w", err)
		}
	}
	return nil
}
