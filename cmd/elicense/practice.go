package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"elicense"
	"elicense/demo"
	"elicense/org"
	"elicense/web"
)

// practice is a second platform, of invented people, on which clerks practise
// (练习). It has a store, keys and a record of its own, is made when first asked
// for, and is forgotten when the program starts again.
type practice struct {
	dir, publicURL string
	from           *serveCmd
	main           *platform

	mu    sync.Mutex
	p     *platform
	pages *web.Practice
	data  *demo.Data
	stop  context.CancelFunc
	done  sync.WaitGroup
}

func (c *serveCmd) newPractice(p *platform) *practice {
	return &practice{dir: filepath.Join(c.Data, "practice"), publicURL: strings.TrimSuffix(c.PublicURL, "/"), from: c, main: p}
}

// open returns the pages of the practice and an account made for who asks.
func (x *practice) open(ctx context.Context) (*web.Practice, elicense.AccountID, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.pages == nil {
		// It goes on being made when the visitor does not wait for it.
		if err := x.make(context.WithoutCancel(ctx)); err != nil {
			return nil, "", fmt.Errorf("practice: %w", err)
		}
	}
	login := "practice-" + strings.ToLower(rand.Text()[:10])
	if err := x.p.org.Enroll(ctx, []org.Staff{x.data.Trainee(login)}); err != nil {
		return nil, "", err
	}
	who, err := x.p.org.ActorByLogin(ctx, login, "")
	if err != nil {
		return nil, "", err
	}
	return x.pages, who.Account, nil
}

func (x *practice) make(ctx context.Context) (err error) {
	if err := os.RemoveAll(x.dir); err != nil {
		return err
	}
	if x.data, err = demo.Read(); err != nil {
		return err
	}
	p, err := openPlatform(ctx, place{Data: x.dir}, x.publicURL, x.main.log)
	if err != nil {
		return err
	}
	if err := p.loadDemo(ctx); err != nil {
		p.close()
		return err
	}
	pages, err := web.NewPractice(x.from.pages(p))
	if err != nil {
		p.close()
		return err
	}
	work, stop := context.WithCancel(ctx)
	for _, run := range []func(context.Context) error{p.queue.Run, p.db.RunCheckpoints} {
		x.done.Add(1)
		go func() {
			defer x.done.Done()
			if err := run(work); err != nil && work.Err() == nil {
				p.log.Error("practice", "err", err)
			}
		}()
	}
	x.p, x.pages, x.stop = p, pages, stop
	return nil
}

// close ends the practice and forgets it.
func (x *practice) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.p == nil {
		return
	}
	x.stop()
	x.done.Wait()
	if err := x.p.close(); err != nil {
		x.main.log.Error("practice", "err", err)
	}
	if err := os.RemoveAll(x.dir); err != nil {
		x.main.log.Error("practice", "err", err)
	}
}
