package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/demo"
	"elicense/issuance"
)

type benchMakingCmd struct {
	Rows    int    `help:"Rows of the lot. (${default})" default:"10000"`
	Data    string `help:"Empty directory to make them in, left for fsck; a temporary one without." placeholder:"DIR"`
	JSON    bool   `help:"Print one JSON object." name:"json"`
	Profile string `help:"Write a profile of the processor time." placeholder:"FILE"`
}

// makingFigures are what bench making prints. Processor time is the whole
// process's, from the first byte of the table to the last license published.
type makingFigures struct {
	Rows      int     `json:"rows"`
	OverSign  float64 `json:"row_cpu_over_sm2_sign"`
	RowCPU    float64 `json:"row_cpu_us"`
	ReadCPU   float64 `json:"read_cpu_us"` // of it, reading, checking and keeping the row
	Sign      float64 `json:"sm2_sign_us"`
	PerSecond float64 `json:"rows_per_second"` // sealing, by the clock
	ReadRate  float64 `json:"rows_read_per_second"`
	Memory    float64 `json:"peak_memory_mb"` // -1 where the system does not say
	PerCommit float64 `json:"records_per_commit"`
}

// The lot of the measurement: food licenses of a unit of the demo.
const (
	makingType     = "T02"
	makingDrafter  = "draft-gl"
	makingReviewer = "review-gl"
)

// agreeing is a base registry that agrees, so that what is measured is the
// platform.
type agreeing struct{}

func (agreeing) Compare(context.Context, elicense.HolderRef, map[string]string) (issuance.Comparison, error) {
	return issuance.Comparison{Outcome: issuance.Match, Registry: "测量", Request: "1", At: time.Now()}, nil
}

// Run makes a lot of licenses on a platform with the demo and measures it.
func (c *benchMakingCmd) Run(ctx context.Context) (err error) {
	if c.Rows < issuance.MinLot || c.Rows > issuance.MaxRows {
		return unusable("--rows", elicense.E(elicense.Invalid, "要%d到%d行", issuance.MinLot, issuance.MaxRows))
	}
	temporary, err := os.MkdirTemp("", "elicense-making")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	if c.Data == "" {
		c.Data = filepath.Join(temporary, "platform")
	}
	if entries, err := os.ReadDir(c.Data); err == nil && len(entries) > 0 {
		return unusable("--data", elicense.E(elicense.Conflict, "这个目录里已有别的内容").Then("请给一个空的目录"))
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	p, err := openPlatform(ctx, place{Data: c.Data}, "http://localhost", log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.loadDemo(ctx); err != nil {
		return err
	}
	p.issuer.Compare = agreeing{}
	working, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- p.queue.Run(working) }()
	f, err := c.measure(ctx, p)
	stop()
	if err = errors.Join(err, <-done); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(f)
	}
	fmt.Printf(`%d行
一行：制作、签章、存储、记录  %8.1f 倍 SM2 签名（%.0f µs，其中读入检查 %.0f µs；SM2 签名 %.1f µs）
签章发布                      %8.0f 行/秒
读入检查                      %8.0f 行/秒
内存峰值                      %8.0f MB
每次提交的记录                %8.1f 条
`, f.Rows, f.OverSign, f.RowCPU, f.ReadCPU, f.Sign, f.PerSecond, f.ReadRate, f.Memory, f.PerCommit)
	return nil
}

func (c *benchMakingCmd) measure(ctx context.Context, p *platform) (*makingFigures, error) {
	data, err := demo.Read()
	if err != nil {
		return nil, err
	}
	drafter, err := p.org.ActorByLogin(ctx, makingDrafter, demo.Password)
	if err != nil {
		return nil, err
	}
	reviewer, err := p.org.ActorByLogin(ctx, makingReviewer, demo.Password)
	if err != nil {
		return nil, err
	}
	hand, err := p.seals.InHand(ctx, drafter.Unit, "")
	if err != nil {
		return nil, err
	}
	f := &makingFigures{Rows: c.Rows}
	sign := func() error {
		each, err := cpuTime(func() error { _, err := hand.Signer.SignSM2(make([]byte, 300)); return err }, time.Second)
		if us := float64(each.Nanoseconds()) / 1000; f.Sign == 0 || us < f.Sign {
			f.Sign = us
		}
		return err
	}
	if err := sign(); err != nil {
		return nil, err
	}
	if c.Profile != "" {
		out, err := os.Create(c.Profile)
		if err != nil {
			return nil, err
		}
		defer out.Close()
		if err := pprof.StartCPUProfile(out); err != nil {
			return nil, err
		}
		defer pprof.StopCPUProfile()
	}
	forgetPeak()
	cpu, clock := used(), time.Now()
	from, to := io.Pipe()
	go func() { to.CloseWithError(c.table(to)) }()
	lot, err := p.issuer.ReadLot(ctx, drafter, issuance.LotFile{
		Type: data.TypeCode(makingType), Closed: elicense.DateOf(p.clock.Now()), Name: "测量.csv", Content: from,
	})
	if err != nil {
		return nil, err
	}
	if lot.Rows != c.Rows {
		return nil, fmt.Errorf("%d of %d rows stand", lot.Rows, c.Rows)
	}
	f.ReadCPU = float64((used() - cpu).Microseconds()) / float64(c.Rows)
	f.ReadRate = float64(c.Rows) / time.Since(clock).Seconds()
	if err := approveLot(ctx, p, drafter, reviewer, lot.ID); err != nil {
		return nil, err
	}
	before, clock := p.db.Stats(), time.Now()
	var watching time.Duration
	for lot.State != issuance.LotDone {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(max(time.Second, 100*watching)): // who watches is no part of what is measured
		}
		asked := time.Now()
		if lot, err = p.issuer.Lot(ctx, drafter, lot.ID); err != nil {
			return nil, err
		}
		watching = time.Since(asked)
	}
	f.RowCPU = float64((used() - cpu).Microseconds()) / float64(c.Rows)
	f.PerSecond = float64(c.Rows) / time.Since(clock).Seconds()
	f.PerCommit = perCommit(before, p.db.Stats())
	if lot.Made != c.Rows {
		return nil, fmt.Errorf("%d of %d rows were made", lot.Made, c.Rows)
	}
	if err := sign(); err != nil {
		return nil, err
	}
	f.OverSign, f.Memory = f.RowCPU/f.Sign, peakMemory()
	return f, nil
}

// approveLot takes a lot through its review.
func approveLot(ctx context.Context, p *platform, drafter, reviewer *elicense.Actor, id string) error {
	if err := p.issuer.SubmitLot(ctx, drafter, id, ""); err != nil {
		return err
	}
	drawn, err := p.issuer.LotSample(ctx, reviewer, id)
	if err != nil {
		return err
	}
	for _, row := range drawn {
		if err := p.issuer.JudgeRow(ctx, reviewer, id, row.Draft, true, ""); err != nil {
			return err
		}
	}
	return p.issuer.ApproveLot(ctx, reviewer, id)
}

// table writes the lot: a food license for each of as many companies.
func (c *benchMakingCmd) table(w io.Writer) error {
	b := bufio.NewWriterSize(w, 64<<10)
	fmt.Fprint(b, "办件编号,名称,统一社会信用代码,法定代表人(负责人),住所,经营场所,主体业态,经营项目,许可证编号(JY…),发证日期,有效期至\r\n")
	for i := range c.Rows {
		name := fmt.Sprintf("福州市鼓楼区示例%06d号餐饮店", i)
		code := invented(i)
		fmt.Fprintf(b, "量%07d,%s,%s,陈示例,福州市鼓楼区东街%d号,福州市鼓楼区东街%d号,餐饮服务经营者,热食类食品制售；冷食类食品制售,JY9350102%07d,%s,%s\r\n",
			i, name, code, i%900+1, i%900+1, i, "2026-01-05", "2031-01-04")
	}
	return b.Flush()
}

// invented is the n-th of invented credit codes that stand their check (GB 32100).
func invented(n int) string {
	const alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	code, sum, weight := fmt.Sprintf("92350102%09d", n), 0, 1
	for _, c := range code {
		sum += strings.IndexRune(alphabet, c) * weight
		weight = weight * 3 % 31
	}
	return code + string(alphabet[(31-sum%31)%31])
}

// forgetPeak begins to measure the peak of memory anew, where the system lets it:
// loading the demo is not the lot.
func forgetPeak() {
	runtime.GC()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		fmt.Fprintln(os.Stderr, "the peak of memory counts the demo as well:", err)
	}
}

// peakMemory is the most memory the process had, in MB.
func peakMemory() float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return -1
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(v)[0], 64)
			if err != nil {
				return -1
			}
			return kb / 1024
		}
	}
	return -1
}
