package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"elicense"
	"elicense/jobs"
	"elicense/store"
	"elicense/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

func update(t testing.TB, db *store.DB, fn func(*store.Tx) error) {
	t.Helper()
	if err := db.Update(ctx, fn); err != nil {
		t.Fatalf("Update: %v", err)
	}
}

func enqueue(t testing.TB, db *store.DB, j jobs.Job) {
	t.Helper()
	update(t, db, func(tx *store.Tx) error { return jobs.Enqueue(tx, j) })
}

// each opens a store with a clock the test moves, on every engine.
func each(t *testing.T, run func(t *testing.T, db *store.DB, clock *storetest.Clock)) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		clock := storetest.NewClock()
		cfg.Now = clock.Now
		run(t, storetest.Open(t, cfg), clock)
	})
}

func queue(db *store.DB) *jobs.Queue {
	return &jobs.Queue{DB: db, Poll: 20 * time.Millisecond, Backoff: func(n int) time.Duration { return time.Duration(n) * time.Minute }}
}

// start runs a queue until the test ends or stop is called.
func start(t *testing.T, q *jobs.Queue) (stop func()) {
	t.Helper()
	running, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- q.Run(running) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in a minute: %s", what)
		}
	}
}

// counts returns the counts as "kind state n" lines.
func counts(t *testing.T, db *store.DB) string {
	t.Helper()
	var out []string
	err := db.View(ctx, func(tx *store.Tx) error {
		all, err := jobs.Counts(tx)
		for _, c := range all {
			out = append(out, fmt.Sprintf("%s %s %d", c.Kind, c.State, c.Jobs))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, ", ")
}

func TestJobsRun(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		var mu sync.Mutex
		got := map[string]int{}
		q := queue(db)
		q.Handle("render", func(_ context.Context, payload []byte) error {
			mu.Lock()
			defer mu.Unlock()
			got[string(payload)]++
			return nil
		})
		enqueue(t, db, jobs.Job{Kind: "render", Payload: []byte("before")})
		enqueue(t, db, jobs.Job{Kind: "of nobody", Key: "k"})
		enqueue(t, db, jobs.Job{Kind: "render", Payload: []byte("later"), RunAt: clock.Now().Add(time.Hour)})
		start(t, q)
		for i := range 30 {
			enqueue(t, db, jobs.Job{Kind: "render", Payload: fmt.Append(nil, i)})
		}
		db.Update(ctx, func(tx *store.Tx) error {
			if err := jobs.Enqueue(tx, jobs.Job{Kind: "render", Payload: []byte("never")}); err != nil {
				return err
			}
			return errors.New("the change fails")
		})
		eventually(t, "all are done", func() bool { return counts(t, db) == "of nobody waiting 1, render waiting 1" })
		clock.Move(time.Hour)
		eventually(t, "the later one is done", func() bool { return counts(t, db) == "of nobody waiting 1" })
		mu.Lock()
		defer mu.Unlock()
		if len(got) != 32 || got["never"] != 0 || got["later"] != 1 {
			t.Errorf("%d payloads: %v", len(got), got)
		}
	})
}

// Without Poll's help: the queue is woken by the enqueuing transaction.
func TestEnqueueWakes(t *testing.T) {
	db := storetest.New(t)
	q := queue(db)
	q.Poll = time.Hour
	done := make(chan struct{})
	q.Handle("a", func(context.Context, []byte) error { done <- struct{}{}; return nil })
	start(t, q)
	for range 3 {
		enqueue(t, db, jobs.Job{Kind: "a"})
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatal("the queue sleeps")
		}
	}
}

func TestPayloadIsEncrypted(t *testing.T) {
	db := storetest.New(t)
	enqueue(t, db, jobs.Job{Kind: "a", Key: "1", Payload: []byte("350102199001011234")})
	enqueue(t, db, jobs.Job{Kind: "a", Key: "2", Payload: []byte("other")})
	var sealed string
	err := db.View(ctx, func(tx *store.Tx) error {
		var b []byte
		err := tx.Row("SELECT payload FROM job WHERE key = '1'").Scan(&b)
		sealed = string(b)
		return err
	})
	if err != nil || strings.Contains(sealed, "3501") {
		t.Errorf("payload = %q, %v", sealed, err)
	}
	update(t, db, func(tx *store.Tx) error { // another job's payload in its place
		_, err := tx.Exec("UPDATE job SET payload = $1 WHERE key = '2'", []byte(sealed))
		return err
	})
	q := queue(db)
	q.Handle("a", func(_ context.Context, payload []byte) error {
		if jobs.Current(ctx).Key == "2" {
			t.Errorf("a payload in another's place was handed over: %s", payload)
		}
		return nil
	})
	start(t, q)
	eventually(t, "it is dead", func() bool { return counts(t, db) == "a dead 1" })
}

func TestOneJobForAKey(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		enqueue(t, db, jobs.Job{Kind: "a", Key: "k", Payload: []byte("1"), RunAt: clock.Now().Add(time.Hour)})
		enqueue(t, db, jobs.Job{Kind: "a", Key: "k", Payload: []byte("2")})
		enqueue(t, db, jobs.Job{Kind: "b", Key: "k", Payload: []byte("3")})
		if got := counts(t, db); got != "a waiting 1, b waiting 1" {
			t.Errorf("counts = %s", got)
		}
		var ran atomic.Int32
		again, entered := make(chan struct{}), make(chan struct{}, 8)
		q := queue(db)
		q.Handle("a", func(_ context.Context, payload []byte) error {
			entered <- struct{}{}
			<-again
			if n := ran.Add(1); n == 1 && string(payload) != "2" || n == 2 && string(payload) != "4" {
				t.Errorf("run %d has payload %s", n, payload)
			}
			return nil
		})
		start(t, q)
		<-entered
		enqueue(t, db, jobs.Job{Kind: "a", Key: "k", Payload: []byte("4")}) // while it runs
		close(again)
		eventually(t, "it ran twice", func() bool { return ran.Load() == 2 && counts(t, db) == "b waiting 1" })
	})
}

func TestRetryAndDeath(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		var tries, panics atomic.Int32
		q := queue(db)
		q.Handle("fails", func(ctx context.Context, _ []byte) error {
			if n := int(tries.Add(1)); jobs.Current(ctx).Attempt != (n-1)%3+1 {
				t.Errorf("try %d is attempt %d", n, jobs.Current(ctx).Attempt)
			}
			return errors.New("打印机没有纸")
		})
		q.Handle("panics", func(context.Context, []byte) error {
			if panics.Add(1) == 1 {
				panic("a broken handler")
			}
			return nil
		})
		q.Handle("hopeless", func(context.Context, []byte) error { return jobs.Permanent(errors.New("no such template")) })
		enqueue(t, db, jobs.Job{Kind: "fails", Key: "k", Most: 3})
		enqueue(t, db, jobs.Job{Kind: "panics"})
		enqueue(t, db, jobs.Job{Kind: "hopeless"})
		start(t, q)
		eventually(t, "each ran once", func() bool {
			return counts(t, db) == "fails waiting 1, hopeless dead 1, panics waiting 1"
		})
		time.Sleep(50 * time.Millisecond)
		if n := tries.Load(); n != 1 {
			t.Errorf("%d tries before the time of the second", n)
		}
		clock.Move(time.Minute)
		eventually(t, "the second try", func() bool {
			return tries.Load() == 2 && counts(t, db) == "fails waiting 1, hopeless dead 1"
		})
		clock.Move(2 * time.Minute)
		eventually(t, "it is dead", func() bool { return counts(t, db) == "fails dead 1, hopeless dead 1" })

		var dead []jobs.DeadJob
		err := db.View(ctx, func(tx *store.Tx) (err error) { dead, err = jobs.Dead(tx, 10); return err })
		if err != nil || len(dead) != 2 || dead[0].Reason != "打印机没有纸" || dead[0].Attempts != 3 {
			t.Errorf("dead = %+v, %v", dead, err)
		}
		update(t, db, func(tx *store.Tx) error { return jobs.Revive(tx, "fails", "k") })
		eventually(t, "it is tried again", func() bool { return tries.Load() == 4 })
		if err := db.Update(ctx, func(tx *store.Tx) error { return jobs.Revive(tx, "fails", "x") }); !elicense.IsKind(err, elicense.NotFound) {
			t.Errorf("Revive of none: %v", err)
		}
	})
}

// A worker whose process ended has its job taken over when the lease runs out,
// and can not complete it any more.
func TestLeaseRunsOut(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		update(t, db, func(tx *store.Tx) error {
			_, err := tx.Exec("CREATE TABLE result (id TEXT NOT NULL PRIMARY KEY)")
			return err
		})
		enqueue(t, db, jobs.Job{Kind: "a", Key: "k"})

		first := queue(db) // it claims the job and is silent from then on
		first.Lease, first.Workers = time.Hour, 1
		claimed, hang, lost := make(chan jobs.Claim, 1), make(chan struct{}), make(chan error, 1)
		first.Handle("a", func(ctx context.Context, _ []byte) error {
			claimed <- jobs.Current(ctx)
			<-hang
			err := db.Update(ctx, func(tx *store.Tx) error {
				if _, err := tx.Exec("INSERT INTO result (id) VALUES ('by the first')"); err != nil {
					return err
				}
				return jobs.Done(tx, jobs.Current(ctx))
			})
			lost <- err
			return err
		})
		stopFirst := start(t, first)
		release := sync.OnceFunc(func() { close(hang) })
		t.Cleanup(release) // before the queue is stopped
		<-claimed

		second := queue(db)
		second.Handle("a", func(ctx context.Context, _ []byte) error {
			return db.Update(ctx, func(tx *store.Tx) error {
				if _, err := tx.Exec("INSERT INTO result (id) VALUES ('by the second')"); err != nil {
					return err
				}
				return jobs.Done(tx, jobs.Current(ctx))
			})
		})
		start(t, second)
		time.Sleep(60 * time.Millisecond)
		if got := counts(t, db); got != "a running 1" {
			t.Errorf("before the lease's end: %s", got)
		}
		clock.Move(time.Hour)
		eventually(t, "the second has done it", func() bool { return counts(t, db) == "" })
		release()
		if err := <-lost; !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("Done under a void claim: %v", err)
		}
		stopFirst()
		var results string
		err := db.View(ctx, func(tx *store.Tx) error { return tx.Row("SELECT id FROM result").Scan(&results) })
		if err != nil || results != "by the second" {
			t.Errorf("result = %q, %v", results, err)
		}
	})
}

// A job that takes its worker's process with it each time is not run for ever.
func TestJobThatKillsItsWorker(t *testing.T) {
	db := storetest.New(t)
	enqueue(t, db, jobs.Job{Kind: "a", Key: "k", Most: 3})
	update(t, db, func(tx *store.Tx) error { // as it is found after the third crash
		_, err := tx.Exec("UPDATE job SET state = 'running', attempts = 3, claims = 3")
		return err
	})
	q := queue(db)
	q.Handle("a", func(context.Context, []byte) error { t.Error("it is run a fourth time"); return nil })
	start(t, q)
	eventually(t, "it is dead", func() bool { return counts(t, db) == "a dead 1" })
}

func TestLeaseIsRenewed(t *testing.T) {
	db := storetest.Open(t, realTime(storetest.Config(t)))
	enqueue(t, db, jobs.Job{Kind: "a"})
	var ran atomic.Int32
	for range 2 {
		q := queue(db)
		q.Lease = 2 * time.Second
		q.Handle("a", func(ctx context.Context, _ []byte) error {
			ran.Add(1)
			select {
			case <-time.After(3 * time.Second):
			case <-ctx.Done():
				t.Error("the claim was lost")
			}
			return nil
		})
		start(t, q)
	}
	eventually(t, "it is done", func() bool { return counts(t, db) == "" })
	if n := ran.Load(); n != 1 {
		t.Errorf("a long job ran %d times", n)
	}
}

func realTime(cfg store.Config) store.Config { cfg.Now = time.Now; return cfg }

// A job that enqueues itself for later runs again then, and not before.
func TestAJobThatComesBackLater(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		var ran atomic.Int32
		q := queue(db)
		q.Handle("a", func(ctx context.Context, _ []byte) error {
			ran.Add(1)
			return db.Update(ctx, func(tx *store.Tx) error {
				if err := jobs.Enqueue(tx, jobs.Job{Kind: "a", Key: "daily", RunAt: tx.Now().Add(24 * time.Hour)}); err != nil {
					return err
				}
				return jobs.Done(tx, jobs.Current(ctx))
			})
		})
		enqueue(t, db, jobs.Job{Kind: "a", Key: "daily"})
		start(t, q)
		eventually(t, "it ran", func() bool { return ran.Load() == 1 })
		time.Sleep(200 * time.Millisecond)
		if n := ran.Load(); n != 1 {
			t.Fatalf("it ran %d times on the first day", n)
		}
		clock.Move(25 * time.Hour)
		enqueue(t, db, jobs.Job{Kind: "b"}) // the queue looks again
		eventually(t, "it ran on the second day", func() bool { return ran.Load() == 2 })
	})
}

// Two processes never run one job at the same time, and each job runs once.
func TestTwoQueues(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		const n = 100
		update(t, db, func(tx *store.Tx) error {
			for i := range n {
				if err := jobs.Enqueue(tx, jobs.Job{Kind: "a", Key: fmt.Sprint(i), Payload: fmt.Append(nil, i)}); err != nil {
					return err
				}
			}
			return nil
		})
		var runs [2]atomic.Int32
		var total sync.Map
		for i := range runs {
			q := queue(db)
			q.Handle("a", func(_ context.Context, payload []byte) error {
				runs[i].Add(1)
				if _, twice := total.LoadOrStore(string(payload), true); twice {
					t.Errorf("job %s ran twice", payload)
				}
				return nil
			})
			start(t, q)
		}
		eventually(t, "all are done", func() bool { return counts(t, db) == "" })
		if a, b := runs[0].Load(), runs[1].Load(); a+b != n {
			t.Errorf("%d and %d runs", a, b)
		}
	})
}

func TestRunDrains(t *testing.T) {
	db := storetest.New(t)
	enqueue(t, db, jobs.Job{Kind: "a"})
	q := queue(db)
	entered, leave := make(chan struct{}), make(chan struct{})
	q.Handle("a", func(ctx context.Context, _ []byte) error {
		close(entered)
		<-leave
		return ctx.Err()
	})
	stop := start(t, q)
	<-entered
	go func() { time.Sleep(30 * time.Millisecond); close(leave) }()
	stop()
	if got := counts(t, db); got != "" {
		t.Errorf("the job in hand was not finished: %s", got)
	}
}

func TestDefaultBackoff(t *testing.T) {
	for n, want := range map[int]time.Duration{1: 2 * time.Second, 4: 16 * time.Second, 40: 30 * time.Minute} {
		if d := jobs.DefaultBackoff(n); d < want/2 || d > want {
			t.Errorf("wait after attempt %d = %v, want %v to %v", n, d, want/2, want)
		}
	}
}

func TestEnqueueRefusesNoKind(t *testing.T) {
	db := storetest.New(t)
	if err := db.Update(ctx, func(tx *store.Tx) error { return jobs.Enqueue(tx, jobs.Job{}) }); err == nil {
		t.Error("a job without a kind is enqueued")
	}
}

// Only what is due is taken out of much that waits.
func TestManyWaitingJobs(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		update(t, db, func(tx *store.Tx) error {
			for i := range 2000 {
				j := jobs.Job{Kind: "a", Key: fmt.Sprint(i), RunAt: clock.Now().Add(time.Hour)}
				if i%100 == 7 {
					j.RunAt = clock.Now()
				}
				if err := jobs.Enqueue(tx, j); err != nil {
					return err
				}
			}
			return nil
		})
		var ran atomic.Int32
		q := queue(db)
		q.Handle("a", func(context.Context, []byte) error { ran.Add(1); return nil })
		start(t, q)
		eventually(t, "the due ones ran", func() bool { return counts(t, db) == "a waiting 1980" })
		if ran.Load() != 20 {
			t.Errorf("%d ran", ran.Load())
		}
	})
}

// A queue that died left its jobs running: Reclaim gives them back at once, with
// what they were enqueued with and no attempt forgiven.
func TestReclaimedJobsRunAtOnce(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		enqueue(t, db, jobs.Job{Kind: "a", Key: "1", Payload: []byte("payload"), Most: 3})
		enqueue(t, db, jobs.Job{Kind: "a", Key: "later", RunAt: clock.Now().Add(time.Hour)})
		update(t, db, func(tx *store.Tx) error { // as a worker leaves it that dies with the job in hand
			_, err := tx.Exec(`UPDATE job SET state = 'running', due = $1, attempts = 1, claims = 1, again = TRUE WHERE key = $2`,
				clock.Now().Add(time.Minute), "1")
			return err
		})
		q := queue(db)
		q.Handle("a", func(_ context.Context, payload []byte) error { return errors.New("again") })
		if err := q.Reclaim(ctx); err != nil {
			t.Fatal(err)
		}
		if got := counts(t, db); got != "a waiting 2" {
			t.Errorf("after Reclaim: %s", got)
		}
		if err := q.Reclaim(ctx); err != nil { // nothing is running: nothing is changed
			t.Fatal(err)
		}
		start(t, q)
		state := func() (state string, attempts, claims int) {
			err := db.View(ctx, func(tx *store.Tx) error {
				return tx.Row(`SELECT state, attempts, claims FROM job WHERE key = $1`, "1").Scan(&state, &attempts, &claims)
			})
			if err != nil {
				t.Fatal(err)
			}
			return state, attempts, claims
		}
		eventually(t, "it failed for the second time", func() bool { s, n, c := state(); return s == "waiting" && n == 2 && c == 2 })
		clock.Move(10 * time.Minute)
		eventually(t, "its attempts are used up", func() bool { s, n, _ := state(); return s == "dead" && n == 3 })
	})
}
