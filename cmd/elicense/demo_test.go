package main

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"elicense"
	"elicense/oversight"
	"elicense/references"
	"elicense/verification"
)

// TestDemoLoads loads the whole demo through the functions of the desks and
// checks everything that came of it; then the program starts again on its data.
func TestDemoLoads(t *testing.T) {
	ctx := context.Background()
	data := place{Data: t.TempDir()}
	start := func() (p *platform, stop func()) {
		t.Helper()
		p, err := openPlatform(ctx, data, "http://localhost:8080", slog.New(slog.NewTextHandler(t.Output(), nil)))
		if err != nil {
			t.Fatal(err)
		}
		end, err := p.startMinistry()
		if err == nil {
			err = p.loadDemo(ctx)
		}
		if err != nil {
			p.close()
			t.Fatal(err)
		}
		return p, func() { end(); p.close() }
	}
	p, stop := start()
	sum, err := oversight.Check(ctx, p.db, verification.NewFiles(p.trust, p.clock.Now), func(f oversight.Finding) { t.Error(f) })
	if err != nil {
		t.Fatal(err)
	}
	t.Log(sum.Text())
	if sum.Licenses < 300 || sum.Files < 200 {
		t.Errorf("the demo has %d licenses and %d files", sum.Licenses, sum.Files)
	}
	before := drivers(t, p)
	stop()

	p, stop = start()
	defer stop()
	work, end := context.WithCancel(ctx)
	var jobs sync.WaitGroup
	jobs.Go(func() {
		if err := p.queue.Run(work); err != nil && work.Err() == nil {
			t.Error(err)
		}
	})
	defer jobs.Wait()
	defer end()
	// Register has it asked at once, where it is now.
	for until := time.Now().Add(time.Minute); !drivers(t, p).Heard.After(before.Heard); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("after a restart nothing is heard of the source")
		}
	}
	after := drivers(t, p)
	if after.URL == before.URL || after.Key == before.Key || after.Trouble != "" || after.Last.ID != before.Last.ID {
		t.Errorf("after a restart the source is at %s, was at %s; %s", after.URL, before.URL, after.Trouble)
	}
	clerk, err := p.org.ActorByLogin(ctx, "make-ga-fz", "")
	if err != nil {
		t.Fatal(err)
	}
	oldest, err := p.references.Oldest(ctx, clerk, 1)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := p.references.Verify(ctx, clerk, oldest[0].License.ID); err != nil || c.Outcome != references.Agrees {
		t.Errorf("checked after a restart: %+v, %v", c, err)
	}
}

// TestDemoLoadsInAYearWithoutNotice: a demo started when the program knows no notice
// of the year, here on a leap day, still has its days at the windows and its terms.
// They are counted by notices that say they are made up; the year after has none.
func TestDemoLoadsInAYearWithoutNotice(t *testing.T) {
	ctx := t.Context()
	p, err := openPlatform(ctx, place{Data: t.TempDir()}, "http://localhost:8080", slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	ahead := time.Until(time.Date(2028, 2, 29, 9, 0, 0, 0, elicense.Shanghai))
	p.clock.Machine = func() time.Time { return time.Now().Add(ahead) }
	end, err := p.startMinistry()
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if err := p.loadDemo(ctx); err != nil {
		t.Fatal(err)
	}
	days, err := p.demoPlatform().Calendar.Now(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, year := range []int{2027, 2028} {
		if doc := days.Notice(year); !strings.Contains(doc, "不是国务院办公厅的通知") {
			t.Errorf("the notice of %d is %q", year, doc)
		}
	}
	if strings.Contains(days.Notice(2026), "演示") || days.Knows(2029) {
		t.Errorf("2026 goes by %q, 2029 by %q", days.Notice(2026), days.Notice(2029))
	}
	who, err := p.org.ActorByLogin(ctx, "inspect", "")
	if err != nil {
		t.Fatal(err)
	}
	used, err := p.sharing.Figures(ctx, who, "", "2028-02-01", "2028-02-29")
	if err != nil || used.All.Cases == 0 || used.All.Met == 0 {
		t.Errorf("the windows have the figures %+v, %v", used, err)
	}
	due, err := p.ontime.Figures(ctx, who, "", "2028-01-29", "2028-02-29")
	if err != nil || due.All.Late == 0 || due.All.Running == 0 || due.All.Unknown != 0 {
		t.Errorf("what was due has the figures %+v, %v", due, err)
	}
}

// drivers is the demo's source that is asked over HTTP, with what the demo must show of
// it: all it keeps was confirmed by a pull, a second one renewed one license and ended
// one, a check agreed, and the ages are of the days it was asked.
func drivers(t *testing.T, p *platform) *references.Health {
	t.Helper()
	ctx := t.Context()
	clerk, err := p.org.ActorByLogin(ctx, "make-ga-fz", "")
	if err != nil {
		t.Fatal(err)
	}
	list, err := p.references.Sources(ctx, clerk, false)
	if err != nil || len(list) != 1 || list[0].Kind != references.HTTP {
		t.Fatalf("the unit has the sources %v, %v", list, err)
	}
	s := list[0]
	if s.State != references.Live || s.Trouble != "" || s.Agreed == 0 || s.Doubtful != 0 || s.Bad != 0 || s.Stale != 0 || time.Since(s.Oldest) < 24*time.Hour {
		t.Errorf("the source is %s %q: agreed %d, doubtful %d, bad %d, stale %d, oldest %s", s.State, s.Trouble, s.Agreed, s.Doubtful, s.Bad, s.Stale, s.Oldest)
	}
	got, err := p.references.Deliveries(ctx, clerk, 10)
	if err != nil || len(got) != 2 {
		t.Fatalf("%d deliveries came, %v", len(got), err)
	}
	if d := got[0]; d.Way != references.ByPull || d.Changed != 1 || d.Moved != 1 || d.Rows != 2 {
		t.Errorf("the change came as %+v", d)
	}
	if d := got[1]; d.Way != references.ByPull || d.Same != s.Kept || d.Rows != s.Kept || d.Rows < 10 {
		t.Errorf("of %d kept the first pull said %+v", s.Kept, d)
	}
	return s
}
