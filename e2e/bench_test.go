package e2e

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

var adminAddress = regexp.MustCompile(`msg="admin listener" addr=(\S+)`)

// metrics reads the figures of the platform.
func metrics(b *testing.B, p *proc) string {
	b.Helper()
	m := adminAddress.FindStringSubmatch(p.log.String())
	if m == nil {
		b.Fatal("the admin listener is not known")
	}
	resp, err := http.Get("http://" + m[1] + "/metrics")
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}

// metric reads one figure.
func metric(b *testing.B, p *proc, name string) float64 {
	b.Helper()
	text := metrics(b, p)
	f := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(text)
	if f == nil {
		b.Fatalf("no %s in\n%s", name, text)
	}
	v, err := strconv.ParseFloat(f[1], 64)
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// load sends requests from a number of clients for a while and returns how long
// each took, in order.
func load(b *testing.B, clients int, for_ time.Duration, ask func() error) []time.Duration {
	b.Helper()
	var (
		mu   sync.Mutex
		all  []time.Duration
		wg   sync.WaitGroup
		stop = time.Now().Add(for_)
	)
	for range clients {
		wg.Go(func() {
			var mine []time.Duration
			for time.Now().Before(stop) {
				began := time.Now()
				if err := ask(); err != nil {
					b.Error(err)
					return
				}
				mine = append(mine, time.Since(began))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, mine...)
		})
	}
	wg.Wait()
	slices.Sort(all)
	return all
}

// fdatasync measures the disk under the data: 4 KiB written and synced, the
// median of 200.
func fdatasync(b *testing.B, dir string) time.Duration {
	b.Helper()
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	var all []time.Duration
	for range 200 {
		began := time.Now()
		if _, err := f.Write(block); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
		all = append(all, time.Since(began))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// waits reads the histogram of how long answers waited for their record: bounds
// in seconds with the count of those within.
func waits(b *testing.B, p *proc) map[float64]float64 {
	b.Helper()
	m := map[float64]float64{}
	for _, f := range regexp.MustCompile(`elicense_record_wait_seconds_bucket\{le="([0-9.e-]+)"\} (\S+)`).FindAllStringSubmatch(metrics(b, p), -1) {
		bound, err1 := strconv.ParseFloat(f[1], 64)
		count, err2 := strconv.ParseFloat(f[2], 64)
		if err1 != nil || err2 != nil {
			b.Fatal(f)
		}
		m[bound] = count
	}
	return m
}

// median is the least bound within which half of what came since lies.
func median(before, after map[float64]float64) float64 {
	bounds := slices.Sorted(maps.Keys(after))
	last := bounds[len(bounds)-1]
	for _, bound := range bounds {
		if 2*(after[bound]-before[bound]) >= after[last]-before[last] {
			return bound
		}
	}
	return last
}

// BenchmarkUse queries a license in a case through HTTP, each query with its
// durable record. It reports records per commit of 64 clients, and how long an
// answer waits for its record at half of that load, in fdatasyncs of this run.
func BenchmarkUse(b *testing.B) {
	data := filepath.Join(b.TempDir(), "platform")
	if err := os.CopyFS(data, os.DirFS(golden)); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	p, err := start(binary, data)
	if err != nil {
		b.Fatal(err)
	}
	defer p.kill()
	b.ReportMetric(time.Since(began).Seconds(), "s-to-start")
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 256
	c := &client{url: p.url, token: map[string]string{}}
	var k struct{ ID string }
	_, err = c.do("window-gl", http.MethodPost, "/api/v1/cases", map[string]any{
		"matterCode": "M04", "parties": []map[string]any{{"holder": map[string]string{
			"codeType": "001", "code": "92350102FJDEM9042D", "name": "鼓楼区示例便利店",
		}, "proof": "e-license"}},
	}, &k)
	if err != nil || k.ID == "" {
		b.Fatal("open a case: ", err)
	}
	use := func() error {
		status, err := c.do("window-gl", http.MethodPost, "/api/v1/cases/"+k.ID+"/uses", map[string]any{"material": "营业执照", "act": "query"}, nil)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d", status)
		}
		return err
	}
	for b.Loop() {
		sync := fdatasync(b, b.TempDir())
		records, commits := metric(b, p, "elicense_records_total"), metric(b, p, "elicense_commits_total")
		all := load(b, 64, 5*time.Second, use)
		got := (metric(b, p, "elicense_records_total") - records) / (metric(b, p, "elicense_commits_total") - commits)
		b.ReportMetric(got, "records/commit-64")
		b.ReportMetric(float64(len(all))/5, "uses/s-64")
		// Half of what 64 clients get through, asked for at an even pace.
		before := waits(b, p)
		pace := time.NewTicker(10 * time.Second / time.Duration(len(all)))
		half := load(b, 64, 5*time.Second, func() error { <-pace.C; return use() })
		pace.Stop()
		b.ReportMetric(median(before, waits(b, p))/sync.Seconds(), "fdatasyncs-waited-p50-half-load")
		b.ReportMetric(float64(len(half))/5, "uses/s-half-load")
		b.ReportMetric(float64(sync.Microseconds()), "us/fdatasync")
	}
}
