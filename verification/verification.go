// Package verification answers whether a license is genuine and in force now,
// and as of when: to anyone who holds the code of its QR or the file itself, and
// never to one who guesses identifiers. Art. 3(2), 4.
//
// It discloses what the asker needs to rely on the license and nothing else:
// type, issuing unit, who sealed it when, its status with the time of the
// knowledge. Nothing about the holder. If the status can't be read the answer is
// an error of kind Unavailable, never "in force".
package verification

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"elicense"
	"elicense/access"
	"elicense/document"
	"elicense/org"
	"elicense/store"
)

// Report is what was found out about a file.
type Report = document.Report

// Answer is what a check says.
type Answer struct {
	// Verdict is how the document itself was judged: genuine, genuine-untrusted,
	// altered, not-signed, unreadable; empty for a check by code.
	Verdict string
	Report  *Report // of the file; nil for a check by code

	// Known tells whether the license is on this platform; what follows is empty
	// if not.
	Known     bool
	SameFile  bool // the file is byte for byte the one that was sealed here, or offline
	TypeName  string
	Type      elicense.TypeCode
	Issuer    string
	Version   int
	Current   bool // the checked version is the current one
	Status    elicense.Status
	Overlays  []string
	ValidFrom elicense.Date
	ValidTo   elicense.Date
	Published time.Time // of the checked version
	EndedBy   string    // document number of the event that ended or suspended it
	AsOf      time.Time // when the status was read
	Source    string    // where the status comes from
	Contact   time.Time // when the source last confirmed it
	Stale     bool      // the source has been silent too long to rely on
	ReceiptOf string    // number of the record of this check
	// Pending is what is known of a license that was made offline and is not on the
	// platform (Art. 7(2)); nil for others. Such a license is not known to be in force.
	Pending    *Pending
	identifier elicense.Identifier
}

// PendingState is how a license that was made offline stands while it is not on the
// platform.
type PendingState string

// The states of what is pending.
const (
	Awaited      PendingState = "awaited"   // 离线生成，待登记: its kit is good, and its unit has not brought it in yet
	Overdue      PendingState = "overdue"   // its kit has run out, and nothing came
	KitCancelled PendingState = "cancelled" // its kit was cancelled
	NotTaken     PendingState = "not-taken" // it came, and was not taken in
)

var pendingWords = map[PendingState]string{
	Awaited: "离线生成，待登记", Overdue: "离线生成，逾期没有登记", KitCancelled: "离线生成，工具包已注销", NotTaken: "离线生成，没有通过登记",
}

// Chinese returns the sentence shown to people.
func (s PendingState) Chinese() string { return pendingWords[s] }

// Pending says what is known of a license that is not on the platform, from the kit
// its number belongs to.
type Pending struct {
	State       PendingState
	Issuer      string
	Types       []string // the kit can make
	From, Until time.Time
	Cancelled   time.Time // zero if it was not
}

// Offline knows the numbers of licenses made offline.
type Offline interface {
	// PendingCode and PendingIdentifier return what is known of a license not on the
	// platform, nil if nothing is.
	PendingCode(tx *store.Tx, code elicense.CheckCode) (*Pending, error)
	PendingIdentifier(tx *store.Tx, id elicense.Identifier) (*Pending, error)
	// Original tells whether a file is the license as it was made offline, before
	// the platform put a time stamp into its copy.
	Original(tx *store.Tx, license elicense.LicenseID, file []byte) (bool, error)
}

// noOffline is a platform that gives out no kits.
type noOffline struct{}

func (noOffline) PendingCode(*store.Tx, elicense.CheckCode) (*Pending, error)        { return nil, nil }
func (noOffline) PendingIdentifier(*store.Tx, elicense.Identifier) (*Pending, error) { return nil, nil }
func (noOffline) Original(*store.Tx, elicense.LicenseID, []byte) (bool, error)       { return false, nil }

// StaleAfter is how long a source of references may be silent before what it returned is
// told to be old.
const StaleAfter = 7 * 24 * time.Hour

// checksPerMinute is how many checks one place may ask for.
const checksPerMinute = 60

// Verifier checks licenses.
type Verifier struct {
	db    *store.DB
	guard *access.Guard
	trust Trust
	limit *org.Limiter
	now   func() time.Time
	// Offline is asked about what is not on the platform; set before the first check.
	Offline Offline
}

// Trust tells what certificates are judged by at the moment.
type Trust func(context.Context) (document.Options, error)

// New returns a verifier that judges by what trust tells.
func New(db *store.DB, guard *access.Guard, trust Trust, now func() time.Time) *Verifier {
	return &Verifier{db, guard, trust, org.NewLimiter(now, checksPerMinute, time.Minute), now, noOffline{}}
}

// ByCode checks the license version whose QR carries the code. from is where the
// request comes from, for the limit.
//
// Errors: NotFound for a code that is on no license; TooMany for too many
// checks; Unavailable if the status can't be read.
func (v *Verifier) ByCode(ctx context.Context, actor *elicense.Actor, from string, code elicense.CheckCode) (*Answer, error) {
	if err := v.within(from); err != nil {
		return nil, err
	}
	a := &Answer{}
	rec, err := v.guard.Read(ctx, v.request(actor, "code"), func(tx *store.Tx, p *access.Permit) error {
		if !elicense.ValidID(code) {
			return unknownCode()
		}
		lic, n, err := tx.ByCode(code)
		if elicense.IsKind(err, elicense.NotFound) {
			a.Pending, err = v.Offline.PendingCode(tx, code)
			switch {
			case err != nil:
				return unreadable(err)
			case a.Pending == nil:
				return unknownCode()
			}
			a.waiting(p, v.now())
			return nil
		}
		if err != nil {
			return unreadable(err)
		}
		p.Note.License, p.Note.LicenseType, p.Note.Holder = lic.ID, lic.Type, lic.Owner
		return a.fill(tx, lic, n, v.now())
	})
	if err != nil {
		return nil, err
	}
	a.ReceiptOf = string(rec.Record)
	return a, nil
}

func unknownCode() error {
	return elicense.E(elicense.NotFound, "查不到：没有证照使用这个查验码").Then("请核对是否扫全；纸面上的码模糊时，请持证人在卡包里重新出示")
}

func unreadable(cause error) error {
	return elicense.E(elicense.Unavailable, "现在无法确认这个证照的状态").Then("请稍后再查，或向签发单位核实；在此之前不要当作有效").Because(cause)
}

func (v *Verifier) within(from string) error {
	if v.limit.Count(from) {
		return nil
	}
	return elicense.E(elicense.TooMany, "查验太频繁").Then("请一分钟后再查")
}

func (v *Verifier) request(actor *elicense.Actor, by string) func(*store.Tx) (access.Request, error) {
	return func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.Check, On: access.Thing{Kind: "License", ID: "checked"},
			Note: access.Note{Basis: "公众查验", Detail: map[string]string{"by": by}},
		}, nil
	}
}

// ByFile judges a license file and, if its seal holds and it is one of ours,
// tells the license's status.
//
// Errors: TooMany for too many checks; Unavailable if the status can't be read.
// A file that is no license is an answer, not an error.
func (v *Verifier) ByFile(ctx context.Context, actor *elicense.Actor, from string, file []byte) (*Answer, error) {
	if err := v.within(from); err != nil {
		return nil, err
	}
	trust, err := v.trust(ctx)
	if err != nil {
		return nil, unreadable(err)
	}
	report := judge(file, trust, v.now())
	a := &Answer{Verdict: string(report.Verdict), Report: &report}
	rec, err := v.guard.Read(ctx, v.request(actor, "file"), func(tx *store.Tx, p *access.Permit) error {
		p.Note.Detail["verdict"] = a.Verdict
		if a.Verdict != "genuine" {
			return nil
		}
		a.identifier = identifierOf(&report)
		if a.identifier == "" {
			return nil
		}
		lic, n, err := tx.ByIdentifier(a.identifier)
		if elicense.IsKind(err, elicense.NotFound) {
			if a.Pending, err = v.Offline.PendingIdentifier(tx, a.identifier); err != nil {
				return unreadable(err)
			}
			if a.Pending != nil {
				a.waiting(p, v.now())
			}
			return nil
		}
		if err != nil {
			return unreadable(err)
		}
		version, err := tx.Version(lic, n)
		if err != nil {
			return unreadable(err)
		}
		ours, err := v.db.Files().Get(ctx, version.File, version.Digest)
		if err != nil {
			return unreadable(err)
		}
		if a.SameFile = bytes.Equal(ours, file); !a.SameFile {
			if a.SameFile, err = v.Offline.Original(tx, lic.ID, file); err != nil {
				return unreadable(err)
			}
		}
		p.Note.License, p.Note.LicenseType, p.Note.Holder = lic.ID, lic.Type, lic.Owner
		return a.fill(tx, lic, n, v.now())
	})
	if err != nil {
		return nil, err
	}
	a.ReceiptOf = string(rec.Record)
	return a, nil
}

func judge(file []byte, trust document.Options, now time.Time) document.Report {
	trust.Now = now
	return document.Judge(file, trust)
}

func identifierOf(r *document.Report) elicense.Identifier {
	for _, p := range r.Metadata {
		if p.Name == "ZZBS" {
			return elicense.Identifier(p.Value)
		}
	}
	return ""
}

func (a *Answer) fill(tx *store.Tx, lic *elicense.License, n int, now time.Time) error {
	version, err := tx.Version(lic, n)
	if err != nil {
		return unreadable(err)
	}
	unit, err := org.UnitOf(tx, lic.Issuer)
	if err != nil {
		return unreadable(fmt.Errorf("issuer of %s: %w", lic.ID, err))
	}
	a.Known, a.TypeName, a.Type, a.Issuer = true, lic.TypeName, lic.Type, unit.Name
	a.Version, a.Current, a.Published = n, n == lic.Standing.Version, version.Made.Published
	a.ValidFrom, a.ValidTo = version.ValidFrom, version.ValidTo
	a.State(lic, now)
	if !a.Current && !lic.Standing.State.Ended() {
		a.Status = elicense.StatusReplaced
	}
	if a.Status.Usable() || a.Status == elicense.StatusReplaced {
		return nil
	}
	events, err := tx.Events(lic)
	if err != nil {
		return unreadable(err)
	}
	for _, ev := range events {
		switch ev.Kind {
		case elicense.EventRevoke, elicense.EventCancel, elicense.EventAbolish, elicense.EventSuspend:
			a.EndedBy = ev.DocNo
		}
	}
	return nil
}

// waiting notes what is known of a license that is not on the platform.
func (a *Answer) waiting(p *access.Permit, now time.Time) {
	p.Note.Detail["pending"] = string(a.Pending.State)
	a.AsOf, a.Source = now, here
}

// here is where the platform's own statuses come from.
const here = "福建省电子证照共享服务平台"

// State sets the status of a license as of now, with where it is known from.
func (a *Answer) State(lic *elicense.License, now time.Time) {
	a.Status, a.Overlays, a.AsOf, a.Contact = lic.StatusAt(now), lic.Standing.Overlays.Words(), now, lic.Contact
	a.Source = here
	if lic.Reference {
		a.Source = lic.Source
		a.Stale = now.Sub(lic.Contact) > StaleAfter
	}
}

// Files judges stored license files, for the check of everything stored.
type Files struct {
	trust document.Options
	now   func() time.Time
}

// NewFiles returns a judge that trusts trust's roots.
func NewFiles(trust document.Options, now func() time.Time) *Files { return &Files{trust, now} }

// Judge tells what is wrong with the stored file of a license version; "" if its
// seal holds and it carries the identifier.
func (f *Files) Judge(file []byte, id elicense.Identifier) string {
	report := judge(file, f.trust, f.now())
	if report.Verdict != "genuine" {
		return "签章核验没有通过：" + string(report.Verdict)
	}
	if identifierOf(&report) != id {
		return "文件里的证照标识不是这个版本的"
	}
	return ""
}
