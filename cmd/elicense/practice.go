package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"

	"elicense"
	"elicense/demo"
	"elicense/org"
	"elicense/web"
)

// practice is a second platform, of invented people, on which clerks practise
// (练习). It has a store, keys and a record of its own, is made when first asked
// for, and is forgotten when the program ends; one that a program left behind
// because it could not end is removed when the next one starts.
type practice struct {
	dir, publicURL string
	from           *serveCmd
	log            *slog.Logger

	life    context.Context // of what runs for it
	stop    context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex // held for moments: nobody waits for the making
	making bool
	failed error // of the last making, until someone was told
	made   *madePractice
}

type madePractice struct {
	*platform
	pages *web.Practice
	data  *demo.Data
}

func (c *serveCmd) newPractice(p *platform) (*practice, error) {
	x := &practice{dir: filepath.Join(c.Data, "practice"), publicURL: strings.TrimSuffix(c.PublicURL, "/"), from: c, log: p.log}
	if err := os.RemoveAll(x.dir); err != nil {
		return nil, fmt.Errorf("practice of an earlier run: %w", err)
	}
	x.life, x.stop = context.WithCancel(context.Background())
	return x, nil
}

// open returns the pages of the practice and an account made for who asks. The
// first who asks has it made, and is told like all others to come again.
func (x *practice) open(ctx context.Context) (*web.Practice, elicense.AccountID, error) {
	made, err := x.state()
	if err != nil {
		return nil, "", fmt.Errorf("practice: %w", err)
	}
	login := "practice-" + strings.ToLower(rand.Text()[:10])
	if err := made.org.Enroll(ctx, []org.Staff{made.data.Trainee(login)}); err != nil {
		return nil, "", err
	}
	who, err := made.org.ActorByLogin(ctx, login, "")
	if err != nil {
		return nil, "", err
	}
	return made.pages, who.Account, nil
}

func (x *practice) state() (*madePractice, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.failed; err != nil {
		x.failed = nil // told; who asks again has it made again
		return nil, err
	}
	if x.made == nil {
		if !x.making && x.life.Err() == nil {
			x.making = true
			x.running.Go(x.keep)
		}
		return nil, web.ErrPreparing
	}
	return x.made, nil
}

// keep makes the practice, and has it for others.
func (x *practice) keep() {
	made, err := x.make(x.life)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.making = false
	if err != nil {
		x.failed = err
		return
	}
	x.made = made
	for _, run := range []func(context.Context) error{made.queue.Run, made.db.RunCheckpoints} {
		x.running.Go(func() {
			if err := run(x.life); err != nil && x.life.Err() == nil {
				x.log.Error("practice", "err", err)
			}
		})
	}
}

func (x *practice) make(ctx context.Context) (*madePractice, error) {
	if err := os.RemoveAll(x.dir); err != nil {
		return nil, err
	}
	data, err := demo.Read()
	if err != nil {
		return nil, err
	}
	p, err := openPlatform(ctx, place{Data: x.dir}, x.publicURL, x.log)
	if err != nil {
		return nil, err
	}
	// The making takes several times the memory the practice needs, on a machine that
	// serves meanwhile.
	defer debug.FreeOSMemory()
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	if err := p.loadDemo(ctx); err != nil {
		p.close()
		return nil, err
	}
	pages, err := web.NewPractice(x.from.pages(p))
	if err != nil {
		p.close()
		return nil, err
	}
	return &madePractice{p, pages, data}, nil
}

// close ends the practice, be it made or half made, and forgets it.
func (x *practice) close() {
	x.stop()
	x.running.Wait()
	if x.made != nil {
		if err := x.made.close(); err != nil {
			x.log.Error("practice", "err", err)
		}
	}
	if err := os.RemoveAll(x.dir); err != nil {
		x.log.Error("practice", "err", err)
	}
}
