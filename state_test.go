package elicense

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// run applies the events to a new license and returns the last standing and the
// first refusal.
func run(kinds ...EventKind) (Standing, error) {
	var s Standing
	for _, k := range kinds {
		next, err := s.After(k)
		if err != nil {
			return s, err
		}
		s = next
	}
	return s, nil
}

func TestStateTable(t *testing.T) {
	for _, tc := range []struct {
		name string
		from []EventKind
		ev   EventKind
		want Standing
	}{
		{"a license is published", nil, EventPublish, Standing{Published, 0, 1}},
		{"a change makes version 2", []EventKind{EventPublish}, EventChange, Standing{Published, 0, 2}},
		{"a renewal makes version 2", []EventKind{EventPublish}, EventRenew, Standing{Published, 0, 2}},
		{"a suspended license is renewed and stays suspended", []EventKind{EventPublish, EventSuspend}, EventRenew, Standing{Published, Suspended, 2}},
		{"revoked by penalty", []EventKind{EventPublish}, EventRevoke, Standing{Revoked, 0, 1}},
		{"a pledged license is revoked and keeps the pledge on its record", []EventKind{EventPublish, EventPledge}, EventRevoke, Standing{Revoked, Pledged, 1}},
		{"cancelled", []EventKind{EventPublish}, EventCancel, Standing{Cancelled, 0, 1}},
		{"abolished with its type", []EventKind{EventPublish, EventSuspend}, EventAbolish, Standing{Abolished, 0, 1}},
		{"suspended", []EventKind{EventPublish}, EventSuspend, Standing{Published, Suspended, 1}},
		{"a lifted suspension is usable again", []EventKind{EventPublish, EventSuspend}, EventResume, Standing{Published, 0, 1}},
		{"pledged while suspended", []EventKind{EventPublish, EventSuspend}, EventPledge, Standing{Published, Suspended | Pledged, 1}},
		{"released", []EventKind{EventPublish, EventPledge}, EventRelease, Standing{Published, 0, 1}},
		{"disputed", []EventKind{EventPublish}, EventDispute, Standing{Published, Disputed, 1}},
		{"a revoked license is cancelled", []EventKind{EventPublish, EventRevoke}, EventCancel, Standing{Cancelled, 0, 1}},
		{"withdrawn because of a secret, it stands as it stood", []EventKind{EventPublish, EventPledge}, EventWithdraw, Standing{Published, Pledged | Withdrawn, 1}},
		{"an ended one is withdrawn too", []EventKind{EventPublish, EventRevoke}, EventWithdraw, Standing{Revoked, Withdrawn, 1}},
		{"a court restores a revoked license", []EventKind{EventPublish, EventRevoke}, EventRestore, Standing{Published, 0, 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := run(tc.from...)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.After(tc.ev)
			if err != nil || got != tc.want {
				t.Errorf("After(%s) = %+v, %v; want %+v", tc.ev, got, err, tc.want)
			}
		})
	}
}

func TestStateTableRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		from []EventKind
		ev   EventKind
	}{
		{"any event before publishing", nil, EventRevoke},
		{"publishing twice", []EventKind{EventPublish}, EventPublish},
		{"renewing an ended license", []EventKind{EventPublish, EventCancel}, EventRenew},
		{"restoring a cancelled license", []EventKind{EventPublish, EventCancel}, EventRestore},
		{"restoring a license never revoked", []EventKind{EventPublish}, EventRestore},
		{"pledging during sealing-up", []EventKind{EventPublish, EventSealUp}, EventPledge},
		{"changing during sealing-up", []EventKind{EventPublish, EventSealUp}, EventChange},
		{"cancelling while pledged", []EventKind{EventPublish, EventPledge}, EventCancel},
		{"cancelling during sealing-up", []EventKind{EventPublish, EventSealUp}, EventCancel},
		{"changing while suspended", []EventKind{EventPublish, EventSuspend}, EventChange},
		{"suspending twice", []EventKind{EventPublish, EventSuspend}, EventSuspend},
		{"lifting what is not set", []EventKind{EventPublish}, EventResume},
		{"releasing what is not pledged", []EventKind{EventPublish}, EventRelease},
		{"settling without a dispute", []EventKind{EventPublish}, EventSettle},
		{"withdrawing twice", []EventKind{EventPublish, EventWithdraw}, EventWithdraw},
		{"anything after it was withdrawn", []EventKind{EventPublish, EventWithdraw}, EventRevoke},
		{"restoring a revoked license that was withdrawn", []EventKind{EventPublish, EventRevoke, EventWithdraw}, EventRestore},
		{"an unknown event", []EventKind{EventPublish}, "vanish"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := run(tc.from...)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.After(tc.ev)
			if err == nil {
				t.Fatalf("After(%s) = %+v, want a refusal", tc.ev, got)
			}
			if got != s {
				t.Errorf("a refusal changed the standing from %+v to %+v", s, got)
			}
			if e := err.(*Error); e.Message() == "" {
				t.Error("the refusal says nothing")
			}
		})
	}
}

func TestAnyRowOfEventsKeepsTheLaw(t *testing.T) {
	kinds := make([]EventKind, 0, len(eventWords))
	for k := range eventWords {
		kinds = append(kinds, k)
	}
	rapid.Check(t, func(t *rapid.T) {
		s, _ := run(EventPublish)
		for _, k := range rapid.SliceOf(rapid.SampledFrom(kinds)).Draw(t, "events") {
			before := s
			next, err := s.After(k)
			if err != nil {
				continue
			}
			s = next
			switch {
			case before.Overlays.Has(Withdrawn):
				t.Fatalf("%s happened to a withdrawn license", k)
			case before.State.Ended() && k != EventCancel && k != EventRestore && k != EventWithdraw:
				t.Fatalf("%s happened to an ended license", k)
			case s.Version < before.Version || s.Version > before.Version+1:
				t.Fatalf("%s took version %d to %d", k, before.Version, s.Version)
			case s.Version != before.Version && !k.MakesVersion():
				t.Fatalf("%s made a version", k)
			case s.State.Ended() && s.StatusAt("", "", time.Now()).Usable():
				t.Fatalf("an ended license is usable after %s", k)
			case s.Overlays.Has(Suspended) && s.StatusAt("", "", time.Now()).Usable():
				t.Fatalf("a suspended license is usable after %s", k)
			}
		}
	})
}

func TestStatusIsComputed(t *testing.T) {
	valid := Standing{Published, 0, 1}
	for _, tc := range []struct {
		name     string
		s        Standing
		from, to Date
		now      string
		want     Status
	}{
		{"in force without an end", valid, "2020-01-01", "", "2026-11-23T12:00:00+08:00", StatusValid},
		{"the last day counts in full", valid, "2020-01-01", "2026-11-23", "2026-11-23T23:59:59+08:00", StatusExpiring},
		{"expired at 24:00 in Shanghai", valid, "2020-01-01", "2026-11-23", "2026-11-24T00:00:00+08:00", StatusExpired},
		{"90 days before the end it is expiring", valid, "2020-01-01", "2027-02-21", "2026-11-23T00:00:00+08:00", StatusExpiring},
		{"91 days before the end it is valid", valid, "2020-01-01", "2027-02-22", "2026-11-23T23:00:00+08:00", StatusValid},
		{"not yet", valid, "2026-11-24", "", "2026-11-23T23:00:00+08:00", StatusNotYet},
		{"suspended", Standing{Published, Suspended, 1}, "", "", "2026-11-23T00:00:00Z", StatusSuspended},
		{"pledged is still valid", Standing{Published, Pledged, 1}, "", "", "2026-11-23T00:00:00Z", StatusValid},
		{"sealed-up still proves", Standing{Published, SealedUp, 1}, "", "", "2026-11-23T00:00:00Z", StatusValid},
		{"withdrawn: it is not said", Standing{Published, Withdrawn, 1}, "", "", "2026-11-23T00:00:00Z", StatusUnknown},
		{"revoked beats expired", Standing{Revoked, 0, 1}, "", "2020-01-01", "2026-11-23T00:00:00Z", StatusRevoked},
		{"nothing known", Standing{}, "", "", "2026-11-23T00:00:00Z", StatusUnknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			now, err := time.Parse(time.RFC3339, tc.now)
			if err != nil {
				t.Fatal(err)
			}
			if got := tc.s.StatusAt(tc.from, tc.to, now); got != tc.want {
				t.Errorf("StatusAt = %s, want %s", got, tc.want)
			}
		})
	}
}
