package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"elicense"
	"elicense/access"
	"elicense/calendar"
	"elicense/catalog"
	"elicense/demo"
	"elicense/httpapi"
	"elicense/notice"
	"elicense/org"
	"elicense/oversight"
	"elicense/references"
	"elicense/registry"
	"elicense/sealing"
	"elicense/web"
)

type serveCmd struct {
	place
	Demo        bool   `help:"Load the demo Fujian into an empty platform and list its accounts." env:"ELICENSE_DEMO"`
	Listen      string `help:"Address to serve on. (${default})" default:"127.0.0.1:8080" env:"ELICENSE_LISTEN" placeholder:"ADDR"`
	AdminListen string `help:"Address of metrics, health and profiles; loopback only. Empty is off. (${default})" default:"127.0.0.1:0" env:"ELICENSE_ADMIN_LISTEN" placeholder:"ADDR"`
	PublicURL   string `help:"Address people reach the platform under; it goes into QR codes." env:"ELICENSE_PUBLIC_URL" placeholder:"URL"`

	SealingService string `help:"Address of a sealing service that keeps keys of imported seals." env:"ELICENSE_SEALING_SERVICE" placeholder:"URL"`
	SealingToken   string `help:"File with the credential for the sealing service." env:"ELICENSE_SEALING_TOKEN" type:"path" placeholder:"FILE"`
	TimeAuthority  string `help:"Address of an outside time authority (RFC 3161); the platform's own is used without." env:"ELICENSE_TIME_AUTHORITY" placeholder:"URL"`
	Registries     string `help:"File (JSON) that names the base registries asked over HTTP, their addresses and public keys; the others are the demo's." env:"ELICENSE_REGISTRIES" type:"path" placeholder:"FILE"`
	Channels       string `help:"File (JSON) that names the mail server and the SMS gateway holders are told through; the demo has its own." env:"ELICENSE_CHANNELS" type:"path" placeholder:"FILE"`
}

const (
	readTimeout  = 30 * time.Second
	writeTimeout = 2 * time.Minute
	idleTimeout  = 2 * time.Minute
	drainTimeout = 20 * time.Second
)

// Run serves until the context ends, then drains.
func (c *serveCmd) Run(ctx context.Context) error {
	log := newLog(slog.LevelInfo)
	listener, err := c.loopback(c.Listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	if c.PublicURL == "" {
		c.PublicURL = "http://" + shown(listener.Addr())
	}
	p, err := openPlatform(ctx, c.place, strings.TrimSuffix(c.PublicURL, "/"), log)
	if err != nil {
		return err
	}
	defer func() {
		if err := p.close(); err != nil {
			log.Error("close", "err", err)
		}
	}()
	if err := c.connect(p); err != nil {
		return err
	}
	if c.Demo {
		stop, err := p.startMinistry()
		if err != nil {
			return err
		}
		defer stop()
		if err := c.loadDemo(ctx, p); err != nil {
			return err
		}
	}
	// After the demo is loaded: its clock leaps then, and signed questions are of now.
	stop, err := c.connectRegistries(p)
	if err != nil {
		return err
	}
	defer stop()
	stopChannels, err := c.connectChannels(p)
	if err != nil {
		return err
	}
	defer stopChannels()
	if p.db.Alone() {
		if err := p.queue.Reclaim(ctx); err != nil {
			return err
		}
	}
	if err := p.issuer.Resume(ctx); err != nil {
		return err
	}
	if err := p.catalog.Resume(ctx); err != nil {
		return err
	}
	if err := p.references.Resume(ctx); err != nil {
		return err
	}
	return c.serve(ctx, p, listener)
}

// connect turns to outside services for keys and time.
func (c *serveCmd) connect(p *platform) error {
	if c.SealingService != "" {
		token, err := os.ReadFile(c.SealingToken)
		if err != nil {
			return fmt.Errorf("credential for the sealing service: %w", err)
		}
		p.seals.Keys = sealing.Keepers{p.keys, sealing.NewRemote(c.SealingService, strings.TrimSpace(string(token)))}
	}
	if c.TimeAuthority != "" {
		p.seals.Outside = sealing.NewTimeClient(c.TimeAuthority)
	}
	return nil
}

// The files in the data directory that say how far the demo's loading came.
const (
	demoBegun  = "demo-begun"
	demoLoaded = "demo-loaded"
)

// loadDemo fills an empty platform. A loading that was stopped in the middle is
// told and not gone on with: half a demo is no demo.
func (c *serveCmd) loadDemo(ctx context.Context, p *platform) error {
	if _, err := os.Stat(filepath.Join(c.Data, demoLoaded)); err == nil {
		return p.loadDemo(ctx)
	}
	if _, err := os.Stat(filepath.Join(c.Data, demoBegun)); err == nil {
		return elicense.E(elicense.Conflict, "演示数据上次没有装完").Then("请运行make reset重新开始")
	}
	if err := writeOnce(filepath.Join(c.Data, demoBegun), nil); err != nil {
		return err
	}
	if err := p.loadDemo(ctx); err != nil {
		return err
	}
	return writeOnce(filepath.Join(c.Data, demoLoaded), nil)
}

// loopback listens on addr, which must be of this machine alone: the keys stand
// in this process's own store, which is fit for a demo.
func (c *serveCmd) loopback(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, elicense.E(elicense.Unavailable, "不能在这个地址上提供服务").Then("请换一个地址或先停掉占用它的程序").Because(err)
	}
	ip, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil || !ip.Addr().IsLoopback() {
		l.Close()
		return nil, elicense.E(elicense.Invalid, "签章密钥在本机软件密钥库里，只能在本机地址（127.0.0.1）提供服务").At("listen").
			Then("正式部署请把密钥放进密码机")
	}
	return l, nil
}

// shown is a listener's address as people type it.
func shown(a net.Addr) string {
	return strings.Replace(a.String(), "127.0.0.1:", "localhost:", 1)
}

func (c *serveCmd) serve(ctx context.Context, p *platform, listener net.Listener) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	fatal := make(chan error, 2)
	for _, run := range []func(context.Context) error{p.queue.Run, p.db.RunCheckpoints} {
		background.Add(1)
		go func() {
			defer background.Done()
			if err := run(work); err != nil && work.Err() == nil {
				fatal <- err
			}
		}()
	}
	defer background.Wait()
	defer stop()

	training, err := c.newPractice(p)
	if err != nil {
		return err
	}
	defer training.close()
	handler, err := c.handler(p, training)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if c.AdminListen != "" {
		admin, err := c.loopback(c.AdminListen)
		if err != nil {
			return err
		}
		defer admin.Close()
		go func() {
			if err := http.Serve(admin, adminHandler(p)); err != nil && !errors.Is(err, net.ErrClosed) {
				p.log.Error("admin listener", "err", err)
			}
		}()
		p.log.Info("admin listener", "addr", admin.Addr().String())
	}
	if err := c.greet(ctx, p, listener); err != nil {
		return err
	}
	select {
	case err := <-served:
		return err
	case err := <-fatal:
		server.Close()
		return err
	case <-ctx.Done():
	}
	p.log.Info("draining")
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	return server.Shutdown(drain)
}

// greet prints where the platform is and, for the demo, who can sign in.
func (c *serveCmd) greet(ctx context.Context, p *platform, l net.Listener) error {
	fmt.Printf("\n电子证照平台在 http://%s\n", shown(l.Addr()))
	if !c.Demo {
		units, err := p.org.AllUnits(ctx)
		if err == nil && len(units) == 0 {
			fmt.Println("平台上还没有单位和管理员，谁也不能登录：请停下，先运行elicense init")
		}
		return err
	}
	fmt.Printf("演示账号（密码都是 %s）：\n", demo.Password)
	desk := ""
	for _, a := range demo.Accounts() {
		if a.Desk != desk {
			desk = a.Desk
			fmt.Printf("  %s\n", desk)
		}
		fmt.Printf("    %-12s %s（%s）：%s\n", a.Login, a.Name, a.Unit, a.Does)
	}
	fmt.Printf("  业务系统（接口）\n    %-12s 密钥 %s\n导览：http://%s/tour\n\n", demo.System, demo.SystemSecret, shown(l.Addr()))
	return nil
}

// handler is the platform's public face: health, API, desks.
func (c *serveCmd) handler(p *platform, training *practice) (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", p.ready)
	mux.HandleFunc("GET /registries/key.pem", p.publicKey(registryKeyName))
	mux.HandleFunc("GET /delivery/key.pem", p.publicKey(smsKeyName))
	mux.Handle("POST "+references.Pushing.Path, p.references.Handler())
	httpapi.Mount(mux, httpapi.Config{
		Rules: &access.Rules{DB: p.db, Guard: p.guard},
		Org:   p.org, Posts: p.posts, Guard: p.guard, Catalog: p.catalog, Cases: p.cases, Letters: p.letters, Issuer: p.issuer, Lifecycle: p.lifecycle, Sharing: p.sharing, Stock: p.stock,
		Receipts: p.receipts, Verifier: p.verifier, Oversight: oversight.New(p.db, p.guard), Measures: registry.NewMeasures(p.db, p.guard), OnTime: p.ontime, References: p.references, Delivery: p.delivery, Kits: p.kits, Now: p.clock.Now, Log: p.log, Version: version(),
	})
	pages := c.pages(p)
	if training != nil {
		pages.Practice = training.open
	}
	if c.Demo {
		pages.DemoPassword = demo.Password
		for _, a := range demo.Accounts() {
			pages.Demo = append(pages.Demo, web.DemoAccount(a))
			p.org.Offer(a.Login)
		}
	}
	return mux, web.Mount(mux, pages)
}

// pages is what the pages of a platform answer from.
func (c *serveCmd) pages(p *platform) web.Config {
	return web.Config{
		Org: p.org, Posts: p.posts, Seals: p.seals, Sessions: org.NewSessions(p.db), Typed: org.NewTyped(p.db), Guard: p.guard, Law: p.law, Rules: &access.Rules{DB: p.db, Guard: p.guard}, Catalog: p.catalog,
		Cases: p.cases, Letters: p.letters, Issuer: p.issuer, Lifecycle: p.lifecycle, Sharing: p.sharing, Stock: p.stock, Receipts: p.receipts, Verifier: p.verifier,
		Oversight: oversight.New(p.db, p.guard), Measures: registry.NewMeasures(p.db, p.guard), OnTime: p.ontime, Delivery: p.delivery, Outbox: p.outbox, References: p.references, Kits: p.kits, Notices: notice.NewBox(p.db), Calendar: &calendar.Keeper{DB: p.db, Guard: p.guard}, Now: p.clock.Now, Log: p.log,
		PublicURL: strings.TrimSuffix(c.PublicURL, "/"), Drawer: catalog.NewDrawer(p.fonts),
	}
}

// ready tells whether the platform can answer: the database can be read and the
// log can be trusted.
func (p *platform) ready(w http.ResponseWriter, r *http.Request) {
	_, err := p.org.AllUnits(r.Context())
	if err = errors.Join(err, p.db.Fatal()); err != nil {
		p.log.Error("not ready", "err", err)
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

func adminHandler(p *platform) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metricsHandler(p))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", p.ready)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
