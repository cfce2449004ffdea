package oversight

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"time"

	"elicense"
	"elicense/access"
	"elicense/store"
)

// Entry is one entry of the record, as supervision sees it.
type Entry struct {
	ID          string            `json:"id"`
	Time        time.Time         `json:"time"`
	Actor       string            `json:"actor"`
	ActorName   string            `json:"actorName"`
	Unit        string            `json:"unit"`
	Act         string            `json:"act"`
	Outcome     string            `json:"outcome"`
	Rule        string            `json:"rule"`
	Clause      string            `json:"clause"`
	Case        string            `json:"case,omitempty"`
	License     string            `json:"license,omitempty"`
	LicenseType string            `json:"licenseType,omitempty"`
	Basis       string            `json:"basis,omitempty"`
	Purpose     string            `json:"purpose,omitempty"`
	Fields      []string          `json:"fields,omitempty"`
	Detail      map[string]string `json:"detail,omitempty"`
}

func entryOf(r store.Record) Entry {
	return Entry{
		r.ID, r.Time, r.Actor, r.ActorName, r.Unit, r.Act, r.Outcome, r.Rule, r.Clause, r.Case, r.License, r.LicenseType, r.Basis,
		r.Purpose, r.Fields, r.Detail,
	}
}

// By is what records are listed by; exactly one is given.
type By struct {
	License elicense.LicenseID
	Case    elicense.CaseID
	Actor   elicense.AccountID
	Unit    elicense.UnitCode
}

func (b By) key() (store.KeyKind, string) {
	switch {
	case b.License != "":
		return store.ByLicense, string(b.License)
	case b.Case != "":
		return store.ByCase, string(b.Case)
	case b.Actor != "":
		return store.ByActor, string(b.Actor)
	}
	return store.ByUnit, string(b.Unit)
}

// check refuses what was typed and is no key: it would be kept in the record of
// the reading.
func (b By) check() error {
	bad := func(field string) error {
		return elicense.E(elicense.Invalid, "要填写平台给出的编号").At(field)
	}
	switch {
	case b.License != "" && !elicense.ValidID(b.License):
		return bad("license")
	case b.Case != "" && !elicense.ValidID(b.Case):
		return bad("case")
	case b.Actor != "" && b.Actor != platform && !elicense.ValidID(b.Actor):
		return bad("account")
	case b.Unit != "" && b.Unit.Check() > elicense.CodeDoubtful:
		return bad("unitCode")
	}
	return nil
}

// platform is who acts when the platform goes on with what a person started.
const platform elicense.AccountID = "platform"

// Oversight reads what the platform did.
type Oversight struct {
	db    *store.DB
	guard *access.Guard
	desks desks
}

// New returns the oversight of what is kept in db.
func New(db *store.DB, guard *access.Guard) *Oversight { return &Oversight{db: db, guard: guard} }

func (o *Oversight) request(actor *elicense.Actor, detail map[string]string) func(*store.Tx) (access.Request, error) {
	return func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.RecordRead, On: access.Thing{Kind: "Record", ID: "records"},
			Note: access.Note{Basis: "监督检查", Detail: detail},
		}, nil
	}
}

// Records lists entries of the record, the newest first; those of all units if
// by is empty. Reading the record is itself on the record.
//
// Errors: Forbidden; Invalid if what is asked for has not the form of a key.
func (o *Oversight) Records(ctx context.Context, actor *elicense.Actor, by By, limit int) (list []Entry, err error) {
	if err := by.check(); err != nil {
		return nil, err
	}
	kind, key := by.key()
	detail := map[string]string{"by": string(kind), "key": key}
	list, _, err = access.Get(ctx, o.guard, o.request(actor, detail), func(tx *store.Tx, _ *access.Permit) (list []Entry, err error) {
		var records []store.Record
		if key == "" {
			records, err = tx.NewestRecords(limit)
		} else {
			records, _, err = tx.Records(kind, key, store.Page{}, limit)
		}
		for _, r := range records {
			list = append(list, entryOf(r))
		}
		return list, err
	})
	return list, err
}

// Proof shows that an entry stands in the log unchanged (Art. 17(1)); it can be
// checked without the platform.
type Proof struct {
	Entry      Entry    `json:"entry"`
	Bytes      string   `json:"bytes"` // base64: what is hashed
	Salt       string   `json:"salt"`  // hex
	Shard      int      `json:"shard"`
	Index      uint64   `json:"index"`
	Leaf       string   `json:"leaf"` // hex
	Path       []string `json:"path"` // hex, from the leaf up
	Root       string   `json:"root"` // hex
	Size       uint64   `json:"size"`
	Checkpoint string   `json:"checkpoint"` // the signed text
	Signature  string   `json:"signature"`  // base64
}

// Prove returns an entry with its proof to who audits or supervises.
//
// Errors: Forbidden; NotFound.
func (o *Oversight) Prove(ctx context.Context, actor *elicense.Actor, id elicense.RecordID) (*Proof, error) {
	if !elicense.ValidID(id) {
		return nil, elicense.E(elicense.NotFound, "没有这条访问记录").At("id")
	}
	_, err := o.guard.Read(ctx, o.request(actor, map[string]string{"record": string(id)}), func(*store.Tx, *access.Permit) error { return nil })
	if err != nil {
		return nil, err
	}
	p, err := o.db.Prove(ctx, string(id))
	if err != nil {
		return nil, err
	}
	r, err := p.Decoded()
	if err != nil {
		return nil, err
	}
	root, leaf := p.Checkpoint.Root, p.Leaf()
	out := &Proof{
		Entry: entryOf(r), Bytes: base64.StdEncoding.EncodeToString(p.Record), Salt: hex.EncodeToString(p.Salt), Shard: p.Shard, Index: p.Index,
		Leaf: hex.EncodeToString(leaf[:]), Root: hex.EncodeToString(root[:]), Size: p.Checkpoint.Size, Checkpoint: string(p.Checkpoint.Note),
		Signature: base64.StdEncoding.EncodeToString(p.Checkpoint.Signature),
	}
	for _, h := range p.Path {
		out.Path = append(out.Path, hex.EncodeToString(h[:]))
	}
	return out, nil
}

// Checkpoint returns the newest signed state of the log, for witnesses. It is
// public: it holds sizes and sums only.
func (o *Oversight) Checkpoint(ctx context.Context) (text string, signature string, err error) {
	s, err := o.db.Checkpoint(ctx)
	return string(s.Note), base64.StdEncoding.EncodeToString(s.Signature), err
}

// LogKey returns the public key of the log in PEM: what checkpoints, proofs and
// receipts are checked with. It is public.
//
// Errors: Unavailable if the log has no key.
func (o *Oversight) LogKey() ([]byte, error) { return o.db.LogKey() }
