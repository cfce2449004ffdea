package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"time"

	"elicense"
	"elicense/store"
)

type benchUseCmd struct {
	Licenses    int           `help:"Licenses the platform holds. (${default})" default:"10000"`
	Records     int           `help:"Records it holds; ten for each license without." placeholder:"N"`
	Data        string        `help:"Directory to fill, and to use again as it is; a temporary one without." placeholder:"DIR"`
	DatabaseURL string        `help:"Empty PostgreSQL database instead of SQLite; growth is not measured." placeholder:"postgres://…"`
	JSON        bool          `help:"Print one JSON object." name:"json"`
	For         time.Duration `help:"How long each part is measured. (${default})" default:"6s"`
	Profile     string        `help:"Write a profile of the server's processor time during the queries." placeholder:"FILE"`
}

// useFigures are what bench use prints. Processor time is the server's own, the
// clients being another process; ratios are inside this run.
type useFigures struct {
	Licenses      int     `json:"licenses"`
	Records       int     `json:"records"`
	Filled        float64 `json:"filled_seconds,omitempty"` // 0 if the directory was used again
	QueryOver     float64 `json:"query_cpu_over_empty_handler"`
	FirstOver     float64 `json:"first_query_cpu_over_empty_handler"` // nothing of the case is in memory
	MaterialsOver float64 `json:"materials_over_query"`
	PerCommit     float64 `json:"records_per_commit"`
	PerCommit256  float64 `json:"records_per_commit_256"`
	PerSecond     float64 `json:"queries_per_second"` // 64 clients, as fast as they can
	P50           float64 `json:"p50_ms"`             // at half of that
	P99           float64 `json:"p99_ms"`
	Added         float64 `json:"p50_added_over_fdatasync"` // wait for the record, at half of that
	Policy        float64 `json:"policy_us"`
	Growth        float64 `json:"growth,omitempty"`       // 0 if not measured
	GrowthFirst   float64 `json:"growth_first,omitempty"` // of first queries
	Empty         float64 `json:"empty_handler_cpu_us"`
	Query         float64 `json:"query_cpu_us"`
	Fdatasync     float64 `json:"fdatasync_us"`
	Heap          float64 `json:"heap_mb"` // what lives when all of it was asked
}

// The sizes and clients of the measurement.
const (
	smallPlatform = 10_000 // licenses growth is measured against
	crowdOf       = 64
	largeCrowdOf  = 256
)

// Run fills a platform and measures uses of its licenses. Ten licenses of ten
// types belong to each holder, and a case of the one matter needs all ten.
func (c *benchUseCmd) Run(ctx context.Context) (err error) {
	if c.Records == 0 {
		c.Records = 10 * c.Licenses
	}
	if c.Licenses < benchTypes || c.Records < 0 {
		return unusable("--licenses", elicense.E(elicense.Invalid, "至少要%d个证照", benchTypes))
	}
	temporary, err := os.MkdirTemp("", "elicense-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	if c.Data == "" {
		c.Data = filepath.Join(temporary, "platform")
	}
	b := &useBench{benchUseCmd: c}
	b.figures.Licenses, b.figures.Records = c.Licenses, c.Records
	began := time.Now()
	var filled bool
	if b.main, filled, err = openBench(ctx, place{Data: c.Data, DatabaseURL: c.DatabaseURL}, c.Licenses, c.Records); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.main.close()) }()
	if filled {
		b.figures.Filled = time.Since(began).Seconds()
	}
	if c.Licenses > smallPlatform && c.DatabaseURL == "" {
		if b.small, _, err = openBench(ctx, place{Data: filepath.Join(temporary, "small")}, smallPlatform, 10*smallPlatform); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.small.close()) }()
	}
	if err := b.measure(ctx); err != nil {
		return err
	}
	return b.print(os.Stdout)
}

// useBench measures one platform, and a small one beside it.
type useBench struct {
	*benchUseCmd
	main, small *benchPlatform
	figures     useFigures
}

// turns is how often each part is measured: the parts take turns, so that what
// else the machine does falls on all alike, and of each the best turn counts.
const turns = 3

func (b *useBench) measure(ctx context.Context) error {
	crowd, err := startClients(ctx, crowdOf)
	if err != nil {
		return err
	}
	defer crowd.stop()
	f := &b.figures
	// The platform has just been opened: the first query of each material finds
	// nothing kept, what is measured after it finds everything.
	first, err := b.firstQueries(crowd, b.main)
	if err != nil {
		return err
	}
	firstSmall, err := b.firstQueries(crowd, b.small)
	if err != nil {
		return err
	}
	var empty, query, materials, small time.Duration
	parts := []struct {
		at   *benchPlatform
		kind string
		best *time.Duration
	}{{b.main, askEmpty, &empty}, {b.main, askQuery, &query}, {b.main, askMaterials, &materials}, {b.small, askQuery, &small}}
	for turn := range turns {
		for _, p := range parts {
			if p.at == nil {
				continue
			}
			stopProfile, err := b.profile(p.at == b.main && p.kind == askQuery && turn == 0)
			if err != nil {
				return err
			}
			before := p.at.p.db.Stats()
			start := used()
			r, err := crowd.ask(p.at, p.kind, b.For/turns, 0)
			each := time.Duration(0)
			if err == nil {
				each = (used() - start) / time.Duration(r.Sent)
			}
			if err := errors.Join(err, stopProfile()); err != nil {
				return err
			}
			if *p.best == 0 || each < *p.best {
				*p.best = each
			}
			if p.at == b.main && p.kind == askQuery {
				f.PerSecond = max(f.PerSecond, r.perSecond())
				f.PerCommit = max(f.PerCommit, perCommit(before, p.at.p.db.Stats()))
			}
		}
	}
	f.Empty, f.Query = micros(empty), micros(query)
	f.QueryOver, f.MaterialsOver = float64(query)/float64(empty), float64(materials)/float64(query)
	f.FirstOver = float64(first) / float64(empty)
	if small > 0 {
		f.Growth, f.GrowthFirst = float64(query)/float64(small), float64(first)/float64(firstSmall)
	}
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	f.Heap = float64(memory.HeapAlloc) / 1e6
	return errors.Join(b.halfLoad(crowd), b.largeCrowd(ctx), b.policy(ctx))
}

// firstQueries has each material of each case queried once, and returns the
// processor time of one.
func (b *useBench) firstQueries(crowd *clients, at *benchPlatform) (time.Duration, error) {
	if at == nil {
		return 0, nil
	}
	start := used()
	r, err := crowd.ask(at, askFirst, 0, 0)
	if err != nil {
		return 0, err
	}
	return (used() - start) / time.Duration(r.Sent), nil
}

// profile begins a profile if asked for; what it returns ends it.
func (b *useBench) profile(wanted bool) (stop func() error, err error) {
	if !wanted || b.Profile == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(b.Profile)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error { pprof.StopCPUProfile(); return f.Close() }, nil
}

// halfLoad asks at an even pace for half of what the crowd gets through.
func (b *useBench) halfLoad(crowd *clients) error {
	sync, err := fdatasync(b.Data)
	if err != nil {
		return err
	}
	before := b.main.p.db.Stats()
	r, err := crowd.ask(b.main, askQuery, b.For, b.figures.PerSecond/2)
	if err != nil {
		return err
	}
	wait := medianWait(before.RecordWait, b.main.p.db.Stats().RecordWait)
	f := &b.figures
	f.P50, f.P99, f.Fdatasync, f.Added = r.P50, r.P99, micros(sync), wait.Seconds()/sync.Seconds()
	return nil
}

func (b *useBench) largeCrowd(ctx context.Context) error {
	crowd, err := startClients(ctx, largeCrowdOf)
	if err != nil {
		return err
	}
	defer crowd.stop()
	before := b.main.p.db.Stats()
	_, err = crowd.ask(b.main, askQuery, b.For/turns, 0)
	b.figures.PerCommit256 = perCommit(before, b.main.p.db.Stats())
	return err
}

// policy measures a decision of the law on a query, the entities made for it,
// with one client: in a crowd a decision also waits for a processor.
func (b *useBench) policy(ctx context.Context) error {
	one, err := startClients(ctx, 1)
	if err != nil {
		return err
	}
	defer one.stop()
	n, took := b.main.p.guard.Decided()
	if _, err := one.ask(b.main, askQuery, b.For/turns, 0); err != nil {
		return err
	}
	m, all := b.main.p.guard.Decided()
	b.figures.Policy = micros((all - took) / time.Duration(max(1, m-n)))
	return nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// perCommit is how many records shared a commit between two counts.
func perCommit(before, after store.Stats) float64 {
	return float64(after.Records-before.Records) / float64(max(1, after.RecordCommits-before.RecordCommits))
}

// medianWait is the median of what came into a histogram between two readings,
// even within its bucket.
func medianWait(before, after store.Times) time.Duration {
	half, low := float64(after.Count()-before.Count())/2, 0.0
	for i, bound := range after.Bounds {
		n := float64(after.Counts[i] - before.Counts[i])
		if n >= half && n > 0 {
			return time.Duration((low + (bound-low)*half/n) * float64(time.Second))
		}
		half, low = half-n, bound
	}
	return time.Duration(low * float64(time.Second))
}

// fdatasync measures the disk under the data: 4 KiB written and synced, the
// median of 200.
func fdatasync(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, "sync")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, 4096)
	all := make([]time.Duration, 200)
	for i := range all {
		began := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := syncData(f); err != nil {
			return 0, err
		}
		all[i] = time.Since(began)
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

func (b *useBench) print(w io.Writer) error {
	f := &b.figures
	if b.JSON {
		return json.NewEncoder(w).Encode(f)
	}
	growth := "未测"
	if f.Growth > 0 {
		growth = fmt.Sprintf("%.2f 倍，首次查询 %.2f 倍", f.Growth, f.GrowthFirst)
	}
	_, err := fmt.Fprintf(w, `证照 %d 个，访问记录 %d 条；%d 个客户端经HTTP
空的处理程序           %8.1f µs
查询一次               %8.1f µs             （空的处理程序的 %.1f 倍；首次查询 %.1f 倍）
核对10份材料           %8.1f 次查询
每秒查询               %8.0f 次
一半负载               p50 %.1f ms，p99 %.1f ms
等待访问记录，p50      %8.1f 次 fdatasync   （每次 %.0f µs）
每次提交的记录         %8.1f 条             （%d 个客户端 %.1f 条）
规则判断一次           %8.1f µs
比 %d 个证照时     %s
内存中留用的           %8.0f MB
`, f.Licenses, f.Records, crowdOf, f.Empty, f.Query, f.QueryOver, f.FirstOver, f.MaterialsOver, f.PerSecond, f.P50, f.P99, f.Added, f.Fdatasync, f.PerCommit,
		largeCrowdOf, f.PerCommit256, f.Policy, smallPlatform, growth, f.Heap)
	return err
}

// benchPlatform is a filled platform that serves on loopback.
type benchPlatform struct {
	benchContent
	p      *platform
	url    string
	tokens map[string]string // by login
	server *http.Server
	stop   func()
	ended  sync.WaitGroup
}

// emptyPath answers with nothing: what HTTP itself takes.
const emptyPath = "/bench/empty"

// openBench opens the platform in a place, filling it if it is new, and serves
// it as serve does.
func openBench(ctx context.Context, at place, licenses, records int) (_ *benchPlatform, filled bool, err error) {
	b := &benchPlatform{tokens: map[string]string{}}
	kept, err := readContent(at.Data)
	if err != nil {
		return nil, false, err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	if b.p, err = openPlatform(ctx, at, "http://localhost", log); err != nil {
		return nil, false, err
	}
	defer func() {
		if err != nil {
			b.p.close()
		}
	}()
	if kept == nil {
		filled = true
		if kept, err = fillBench(ctx, b.p, licenses, records); err != nil {
			return nil, false, err
		}
		if err := b.p.close(); err != nil { // opened anew it keeps nothing
			return nil, false, err
		}
		again, err := openPlatform(ctx, at, "http://localhost", log)
		if err != nil {
			return nil, false, err
		}
		b.p = again
	}
	if kept.Licenses != licenses || kept.Records != records {
		return nil, false, elicense.E(elicense.Conflict, "这个目录里是%d个证照、%d条记录", kept.Licenses, kept.Records).Then("请换一个目录，或按它的数量测")
	}
	b.benchContent = *kept
	return b, filled, b.serve(ctx)
}

func (b *benchPlatform) serve(ctx context.Context) error {
	for _, k := range b.Cases {
		if b.tokens[k.Login] != "" {
			continue
		}
		clerk, err := b.p.org.ActorByLogin(ctx, k.Login, "bench")
		if err != nil {
			return err
		}
		if b.tokens[k.Login], _, err = b.p.org.Token(ctx, clerk); err != nil {
			return err
		}
	}
	handler, err := (&serveCmd{}).handler(b.p, nil)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	b.url = "http://" + l.Addr().String()
	b.server = &http.Server{
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, emptyPath) {
				return
			}
			handler.ServeHTTP(w, r)
		}),
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	b.stop = stop
	b.ended.Go(func() { b.server.Serve(l) })
	b.ended.Go(func() { b.p.db.RunCheckpoints(work) })
	return nil
}

func (b *benchPlatform) close() error {
	err := b.server.Close()
	b.stop()
	b.ended.Wait()
	return errors.Join(err, b.p.close())
}
