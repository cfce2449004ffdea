package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"elicense"
)

// Record is what is kept of an act on license content, done or refused
// (Art. 17): who, on what, by which rule, for which case and purpose. It holds
// identifiers and names of fields, never their contents.
type Record struct {
	ID          string    // sorts by time; made when empty
	Time        time.Time // of the act; the transaction's when zero
	Request     string    // number of the request it was part of
	Actor       string    // account
	ActorName   string    // as shown to the holder
	Unit        string    // unit the actor acted for
	Act         string
	Outcome     string // permitted, refused or done
	Rule        string // of the law text that decided
	Clause      string // article it rests on
	Case        string
	License     string
	LicenseType string
	Holder      string // holder key
	Basis       string
	Purpose     string
	Fields      []string          // names of the fields shown
	Detail      map[string]string // identifiers and codes of the act
}

// The outcomes of an act.
const (
	Permitted = "permitted"
	Refused   = "refused"
	Done      = "done"
)

// Receipt says where a record stands in the log.
type Receipt struct {
	ID    string
	Shard int
	Index uint64
}

// MaxRecord bounds a record's bytes.
const MaxRecord = 16 << 10

// canonical is the form a record is kept and hashed in: JSON with the keys in
// this order, those of detail sorted, times in UTC with microseconds. A changed
// form gets a new V; old records keep theirs.
type canonical struct {
	V           int               `json:"v"`
	ID          string            `json:"id"`
	Time        string            `json:"time"`
	Request     string            `json:"request,omitempty"`
	Actor       string            `json:"actor,omitempty"`
	ActorName   string            `json:"actor_name,omitempty"`
	Unit        string            `json:"unit,omitempty"`
	Act         string            `json:"act"`
	Outcome     string            `json:"outcome"`
	Rule        string            `json:"rule,omitempty"`
	Clause      string            `json:"clause,omitempty"`
	Case        string            `json:"case,omitempty"`
	License     string            `json:"license,omitempty"`
	LicenseType string            `json:"license_type,omitempty"`
	Holder      string            `json:"holder,omitempty"`
	Basis       string            `json:"basis,omitempty"`
	Purpose     string            `json:"purpose,omitempty"`
	Fields      []string          `json:"fields,omitempty"`
	Detail      map[string]string `json:"detail,omitempty"`
}

const recordTime = "2006-01-02T15:04:05.000000Z"

func (r *Record) encode() ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	err := e.Encode(canonical{1, r.ID, r.Time.UTC().Format(recordTime), r.Request, r.Actor, r.ActorName, r.Unit, r.Act,
		r.Outcome, r.Rule, r.Clause, r.Case, r.License, r.LicenseType, r.Holder, r.Basis, r.Purpose, r.Fields, r.Detail})
	if err != nil {
		return nil, err
	}
	out := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	if len(out) > MaxRecord {
		return nil, elicense.E(elicense.TooLarge, "留痕内容超过上限").
			Because(fmt.Errorf("record %s has %d bytes", r.ID, len(out)))
	}
	return out, nil
}

func decodeRecord(data []byte) (Record, error) {
	var c canonical
	if err := json.Unmarshal(data, &c); err != nil {
		return Record{}, err
	}
	at, err := time.Parse(recordTime, c.Time)
	if err != nil {
		return Record{}, err
	}
	return Record{c.ID, at.UTC(), c.Request, c.Actor, c.ActorName, c.Unit, c.Act, c.Outcome, c.Rule, c.Clause, c.Case,
		c.License, c.LicenseType, c.Holder, c.Basis, c.Purpose, c.Fields, c.Detail}, nil
}

// KeyKind says by what records are found.
type KeyKind string

// The keys of a record.
const (
	ByLicense KeyKind = "license"
	ByCase    KeyKind = "case"
	ByHolder  KeyKind = "holder"
	ByActor   KeyKind = "actor"
	ByUnit    KeyKind = "unit"
)

type recordKey struct {
	kind KeyKind
	key  string
}

// keys returns under what the record is found.
func (r *Record) keys() []recordKey {
	all := [...]recordKey{{ByLicense, r.License}, {ByCase, r.Case}, {ByHolder, r.Holder}, {ByActor, r.Actor}, {ByUnit, r.Unit}}
	out := make([]recordKey, 0, len(all))
	for _, k := range all {
		if k.key != "" {
			out = append(out, k)
		}
	}
	return out
}

// pending is a record on its way into the log.
type pending struct {
	Record
	bytes   []byte
	receipt Receipt
}

func (db *DB) pend(r Record, now time.Time) (*pending, error) {
	if r.Time.IsZero() {
		r.Time = now
	}
	r.Time = r.Time.UTC().Truncate(time.Microsecond)
	if r.ID == "" {
		r.ID = elicense.NewID[string](now)
	}
	data, err := r.encode()
	if err != nil {
		return nil, err
	}
	return &pending{Record: r, bytes: data, receipt: Receipt{ID: r.ID, Shard: db.cfg.Shard}}, nil
}

// Record has r inserted when the transaction commits, in the same transaction;
// it is dropped when the closure fails. The receipt's ID is set at once, its
// place in the log when Update has returned nil.
func (tx *Tx) Record(r Record) *Receipt {
	if !tx.writable {
		tx.broken = errReadOnly
		return &Receipt{}
	}
	p, err := tx.db.pend(r, tx.now)
	if err != nil {
		tx.broken = err
		return &Receipt{}
	}
	tx.records = append(tx.records, p)
	return &p.receipt
}

// Record stores records of reads and refusals and returns when they are durable.
// Many callers' records share one commit. A second record with the same ID is
// Conflict.
func (db *DB) Record(ctx context.Context, records ...Record) ([]Receipt, error) {
	if len(records) == 0 {
		return nil, nil
	}
	if err := db.usable(ctx); err != nil {
		return nil, err
	}
	if err := db.mayWrite(ctx); err != nil {
		return nil, err
	}
	now := db.Now()
	r := &request{records: make([]*pending, len(records))}
	for i := range records {
		p, err := db.pend(records[i], now)
		if err != nil {
			return nil, err
		}
		r.records[i] = p
	}
	began := time.Now()
	if err := db.writer.do(ctx, r); err != nil {
		return nil, err
	}
	db.stats.recordWait.add(time.Since(began))
	out := make([]Receipt, len(records))
	for i, p := range r.records {
		out[i] = p.receipt
	}
	return out, nil
}

// Records returns up to limit records under a key, newest first, and the place
// of the last one: given as before, it continues the list. It answers "who used
// this license" (Art. 17).
func (tx *Tx) Records(kind KeyKind, key string, before Page, limit int) ([]Record, Page, error) {
	wanted, until := recordKey{kind, key}, before.Time
	if before == (Page{}) {
		until = time.UnixMicro(1<<63 - 1)
	}
	list, err := cursors(tx, wanted, until)
	if err != nil {
		return nil, Page{}, err
	}
	var out []Record
	var last Page
	for len(out) < limit {
		at, page, k := newestOf(list)
		if at == nil {
			break
		}
		if before == (Page{}) || before.after(page) {
			var data []byte
			err := tx.Row("SELECT bytes FROM record WHERE shard = $1 AND month = $2 AND idx = $3", page.Shard, k.month(), page.Index).Scan(&data)
			var r Record
			if err == nil {
				r, err = decodeRecord(data)
			}
			if err != nil {
				return nil, Page{}, tampered(fmt.Sprintf("record %d of shard %d", page.Index, page.Shard), err)
			}
			if slices.Contains(r.keys(), wanted) {
				out, last = append(out, r), page
			}
		}
		if err := at.step(tx); err != nil {
			return nil, Page{}, err
		}
	}
	return out, last, nil
}

// RecordByID returns a record and its place in the log, or ErrNoRow.
func (tx *Tx) RecordByID(id string) (Record, Receipt, error) {
	at := Receipt{ID: id}
	var data []byte
	err := tx.Row(`SELECT r.shard, r.idx, r.bytes FROM record_id i
		JOIN record r ON r.shard = i.shard AND r.month = i.month AND r.idx = i.idx WHERE i.id = $1`, id).
		Scan(&at.Shard, &at.Index, &data)
	if err != nil {
		return Record{}, Receipt{}, err
	}
	r, err := decodeRecord(data)
	if err != nil {
		return Record{}, Receipt{}, tampered("record "+id, err)
	}
	return r, at, nil
}

// Page is a place in a list of records: the last record seen.
type Page struct {
	Time  time.Time
	Shard int
	Index uint64
}

// CountRecords returns how many records are stored, of all shards.
func (tx *Tx) CountRecords() (n uint64, err error) {
	err = tx.Row(`SELECT COUNT(*) FROM record`).Scan(&n)
	return n, err
}
