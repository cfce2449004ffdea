package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The kinds of requests the clients ask.
const (
	askEmpty     = "empty"
	askQuery     = "query"
	askFirst     = "first" // a query of each material of each case once
	askMaterials = "materials"
)

// ask is what the clients are told to do.
type ask struct {
	URL    string            `json:"url"`
	Kind   string            `json:"kind"`
	For    time.Duration     `json:"for"`
	Rate   float64           `json:"rate"` // requests a second at an even pace; 0 is as fast as they can
	Cases  []benchCase       `json:"cases"`
	Tokens map[string]string `json:"tokens"`
}

// answer is what came of it. Times are in ms; at an even pace they count from
// when the request was due.
type answer struct {
	Sent   int           `json:"sent"`
	Took   time.Duration `json:"took"`
	P50    float64       `json:"p50"`
	P99    float64       `json:"p99"`
	Failed string        `json:"failed,omitempty"`
}

func (a *answer) perSecond() float64 { return float64(a.Sent) / a.Took.Seconds() }

// clients is a crowd in another process, whose processor time is not the
// server's.
type clients struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

func startClients(ctx context.Context, n int) (*clients, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &clients{cmd: exec.CommandContext(ctx, self, "bench", "client", "--clients", fmt.Sprint(n))}
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = json.NewDecoder(out)
	return c, c.cmd.Start()
}

// ask has the crowd ask the platform.
func (c *clients) ask(b *benchPlatform, kind string, d time.Duration, rate float64) (*answer, error) {
	var a answer
	err := errors.Join(
		json.NewEncoder(c.in).Encode(ask{b.url, kind, d, rate, b.Cases, b.tokens}),
		c.out.Decode(&a))
	if err == nil && a.Failed != "" {
		err = errors.New(a.Failed)
	}
	if err == nil && a.Sent == 0 {
		err = errors.New("nothing was answered")
	}
	return &a, err
}

func (c *clients) stop() {
	c.in.Close()
	c.cmd.Wait() // it ends with its input
}

type benchClientCmd struct {
	Clients int
}

// Run does what comes on standard input, one ask after the other.
func (c *benchClientCmd) Run() error {
	transport := &http.Transport{MaxIdleConns: 0, MaxIdleConnsPerHost: c.Clients, DisableCompression: true}
	crowd := &crowdOfClients{n: c.Clients, http: &http.Client{Transport: transport}}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var a ask
		if err := in.Decode(&a); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := out.Encode(crowd.run(&a)); err != nil {
			return err
		}
	}
}

type crowdOfClients struct {
	n    int
	http *http.Client
}

func (c *crowdOfClients) run(a *ask) *answer {
	var (
		mu     sync.Mutex
		all    []time.Duration
		failed error
		next   atomic.Int64
		wait   sync.WaitGroup
	)
	began := time.Now()
	for i := range c.n {
		wait.Go(func() {
			draw := rand.New(rand.NewPCG(uint64(i), uint64(began.UnixNano())))
			var mine []time.Duration
			var err error
			for err == nil {
				due, pair := time.Now(), draw.IntN(len(a.Cases)*benchTypes)
				if a.Kind == askFirst {
					if pair = int(next.Add(1)) - 1; pair >= len(a.Cases)*benchTypes {
						break
					}
				} else if a.Rate > 0 {
					due = began.Add(time.Duration(float64(next.Add(1)) / a.Rate * float64(time.Second)))
					time.Sleep(time.Until(due))
				}
				if a.Kind != askFirst && due.Sub(began) >= a.For {
					break
				}
				if err = c.send(a, pair); err == nil {
					mine = append(mine, time.Since(due))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all, failed = append(all, mine...), errors.Join(failed, err)
		})
	}
	wait.Wait()
	out := &answer{Sent: len(all), Took: time.Since(began)}
	if failed != nil {
		out.Failed = failed.Error()
	}
	if len(all) > 0 {
		slices.Sort(all)
		out.P50, out.P99 = all[len(all)/2].Seconds()*1000, all[len(all)*99/100].Seconds()*1000
	}
	return out
}

// send asks once, of a material of a case, and reads the answer.
func (c *crowdOfClients) send(a *ask, pair int) error {
	k := a.Cases[pair/benchTypes]
	method, at := http.MethodPost, a.URL+"/api/v1/cases/"+string(k.ID)+"/uses"
	body := fmt.Appendf(nil, `{"material": %q, "act": "query"}`, benchMaterial(pair%benchTypes))
	switch a.Kind {
	case askEmpty:
		at = a.URL + emptyPath + "/" + string(k.ID)
	case askMaterials:
		method, at, body = http.MethodGet, a.URL+"/api/v1/cases/"+string(k.ID)+"/materials", nil
	}
	r, err := http.NewRequest(method, at, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+a.Tokens[k.Login])
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("%s: %s: %s", a.Kind, resp.Status, b)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
