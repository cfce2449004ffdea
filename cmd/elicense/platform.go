package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"elicense/access"
	"elicense/calendar"
	"elicense/cases"
	"elicense/catalog"
	"elicense/delivery"
	"elicense/demo"
	"elicense/document"
	"elicense/gm"
	"elicense/issuance"
	"elicense/jobs"
	"elicense/letters"
	"elicense/lifecycle"
	"elicense/offline"
	"elicense/ontime"
	"elicense/org"
	"elicense/posts"
	"elicense/references"
	"elicense/registry"
	"elicense/seal"
	"elicense/sealing"
	"elicense/sharing"
	"elicense/sheet"
	"elicense/stock"
	"elicense/store"
	"elicense/verification"
)

// place is where a platform's data is.
type place struct {
	Data        string `help:"Data directory: database, sealed files, keys. (${default})" default:"var/data" env:"ELICENSE_DATA" placeholder:"DIR"`
	DatabaseURL string `help:"PostgreSQL database instead of the embedded SQLite." env:"ELICENSE_DATABASE_URL" placeholder:"postgres://…"`
}

// platform is everything the program is made of, wired.
type platform struct {
	dir       string // data directory
	log       *slog.Logger
	clock     *demo.Clock
	db        *store.DB
	keys      *gm.KeyStore
	fonts     *sheet.FontSet // nil if the machine has none
	trust     document.Options
	guard     *access.Guard
	law       *access.Law
	org       *org.Org
	seals     *sealing.Register
	catalog   *catalog.Catalog
	cases     *cases.Cases
	posts     *posts.Posts
	letters   *letters.Letters
	kits      *offline.Kits
	stock     *stock.Stock
	issuer    *issuance.Issuer
	ontime    *ontime.Ledger
	delivery  *delivery.Desk
	outbox    *delivery.Outbox // of the demo's gateways; nil elsewhere
	lifecycle *lifecycle.Lifecycle
	sharing   *sharing.Sharing
	receipts  *sharing.Receipts
	verifier  *verification.Verifier
	queue     *jobs.Queue

	references *references.References
	registries *registry.Registries
	embedded   *demo.Registry // the registries in this process
	ministry   *demo.Ministry // the demo's source of references; nil elsewhere
}

// openPlatform wires the platform kept in the place. publicURL is the address
// people reach it under; it goes into QR codes.
func openPlatform(ctx context.Context, at place, publicURL string, log *slog.Logger, options ...func(*store.Config)) (_ *platform, err error) {
	letGarbageGrow()
	p := &platform{dir: at.Data, log: log, clock: &demo.Clock{}}
	secrets := filepath.Join(at.Data, "keys")
	if err := os.MkdirAll(secrets, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	fieldSecret, err := secretFile(filepath.Join(secrets, "fields.secret"))
	if err != nil {
		return nil, err
	}
	passphrase, err := secretFile(filepath.Join(secrets, "keystore.secret"))
	if err != nil {
		return nil, err
	}
	if p.keys, err = gm.OpenKeyStore(secrets, passphrase); err != nil {
		return nil, fmt.Errorf("key store: %w", err)
	}
	logKey, err := p.keys.Open(logKeyName)
	if errors.Is(err, gm.ErrNoKey) {
		logKey, err = p.keys.Create(logKeyName)
	}
	if err != nil {
		return nil, fmt.Errorf("key of the log: %w", err)
	}
	config := store.Config{Dir: at.Data, URL: at.DatabaseURL, Now: p.clock.Now, Secret: fieldSecret, Log: log, LogSigner: logKey}
	for _, o := range options {
		o(&config)
	}
	p.db, err = store.Open(ctx, config)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.db.Close()
		}
	}()
	return p, p.wire(ctx, publicURL)
}

// letGarbageGrow has the collector run when the heap is three times what
// lives, unless GOGC says otherwise. What lives is some tens of MB; collecting it
// whenever it has doubled takes some 5% of the processor under load.
func letGarbageGrow() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}

const logKeyName = "log"

// secretFile reads a secret of 32 bytes, making it when the platform is new.
func secretFile(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		b = make([]byte, store.SecretSize)
		rand.Read(b)
		err = writeOnce(path, b)
	}
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", filepath.Base(path), err)
	}
	if len(b) != store.SecretSize {
		return nil, fmt.Errorf("secret %s: %d bytes, want %d", filepath.Base(path), len(b), store.SecretSize)
	}
	return b, nil
}

// writeOnce makes a file that is durable when it returns and never half there.
func writeOnce(path string, b []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// loadFonts reads the fonts once: they are some 90 MB, and the practice draws with
// those of the platform.
var loadFonts = sync.OnceValues(sheet.SystemFonts)

// wire makes the rooms over the open store.
func (p *platform) wire(ctx context.Context, publicURL string) (err error) {
	now := p.clock.Now
	p.fonts, err = loadFonts()
	if errors.Is(err, sheet.ErrNoFonts) {
		p.log.Warn("no Chinese fonts on this machine: licenses can not be made, drafts wait (字体缺失)")
		p.fonts, err = nil, nil
	}
	if err != nil {
		return fmt.Errorf("fonts: %w", err)
	}
	if p.law, err = access.TheLaw(); err != nil {
		return err
	}
	p.guard = access.NewGuard(p.db, p.law)
	p.org = org.New(p.db, now)
	p.seals = &sealing.Register{DB: p.db, Guard: p.guard, Keys: p.keys, Now: now}
	var maker *document.Maker
	if p.fonts != nil {
		maker = document.NewMaker(p.fonts)
		p.seals.Draw = func(unit, line string) ([]byte, int, int, error) {
			if line == demo.TestingSeal {
				b, err := seal.Draw(seal.Drawing{Name: unit, Line: line, Diameter: ovalWidth, Height: ovalHeight}, p.fonts)
				return b, ovalWidth, ovalHeight, err
			}
			b, err := seal.Draw(seal.Drawing{Name: unit, Line: line, Diameter: sealDiameter}, p.fonts)
			return b, sealDiameter, sealDiameter, err
		}
	}
	p.catalog = catalog.New(p.db, p.guard)
	p.cases, p.posts = cases.New(p.db, p.guard), posts.New(p.db, p.guard)
	p.cases.Audience = publicURL
	p.queue = &jobs.Queue{DB: p.db, Log: p.log}
	p.queue.Handle(cases.DeemJob, p.cases.Deem)
	p.catalog.Handle(p.queue)
	data, err := demo.Read()
	if err != nil {
		return err
	}
	p.embedded = demo.NewRegistry(data)
	if p.registries, err = registry.New(registry.Config{Embedded: p.embedded, Now: now, Log: p.log}); err != nil {
		return err
	}
	p.issuer = issuance.New(issuance.Config{
		DB: p.db, Guard: p.guard, Catalog: p.catalog, Seals: p.seals, Maker: maker, Jobs: p.queue, Compare: p.registries,
		CheckURL: publicURL + "/check/", Log: p.log,
		// Keys in this process's own store seal nothing but training data.
		Sample: true,
	})
	p.stock = stock.New(stock.Config{DB: p.db, Guard: p.guard, Issuer: p.issuer, Missing: sharing.ReportedMissing})
	p.ontime = ontime.New(p.db, p.guard, p.queue, p.log)
	p.letters = &letters.Letters{DB: p.db, Cases: p.cases, Seals: p.seals, Maker: maker, Log: p.log, PublicURL: publicURL, Sample: true}
	p.queue.Handle(cases.LetterJob, p.letters.Seal)
	p.sharing = sharing.New(p.db, p.guard, now)
	p.delivery = delivery.New(delivery.Config{
		DB: p.db, Guard: p.guard, Seals: p.seals, Maker: maker, Jobs: p.queue, Trust: p.judgeBy, Now: now, Sharing: p.sharing, PublicURL: publicURL, Platform: platformName, Sample: true, Log: p.log,
	})
	p.kits = offline.New(offline.Config{
		DB: p.db, Guard: p.guard, Seals: p.seals, Issuer: p.issuer, Jobs: p.queue, Fonts: offline.SystemFonts, Trust: p.judgeBy, Now: now, Platform: platformName,
	})
	key, err := p.openKey(registryKeyName)
	if err != nil {
		return err
	}
	p.references = references.New(references.Config{DB: p.db, Guard: p.guard, Jobs: p.queue, Dir: filepath.Join(p.dir, "returns"), Key: key, Now: now, Log: p.log})
	p.lifecycle = lifecycle.New(p.db, p.guard, references.Answering)
	p.queue.Handle(sharing.DiscloseJob, p.sharing.TellDisclosure)
	p.guard.Alarm = sharing.Alarm
	p.receipts = sharing.NewReceipts(p.db, p.guard, strings.TrimSpace(platformName+" "+publicURL))
	p.sharing.Printing = &sharing.Printing{Maker: maker, Printer: p.seals.Printer, CheckPage: publicURL + "/check"}
	return p.trustRoots(ctx)
}

// platformName is what the platform calls itself on receipts, before its address.
const platformName = "福建省电子证照共享服务平台"

// sealDiameter is the diameter in mm of a unit's round seal.
const sealDiameter = 42

// The size in mm of the oval seals of testing bodies.
const (
	ovalWidth  = 45
	ovalHeight = 30
)

// trustRoots reads the roots seals must chain to; called again when they have
// been made.
func (p *platform) trustRoots(ctx context.Context) (err error) {
	if p.trust, err = p.judgeBy(ctx); err != nil {
		return err
	}
	p.verifier = verification.New(p.db, p.guard, p.judgeBy, p.clock.Now)
	p.verifier.Offline = p.kits
	return nil
}

// judgeBy tells what seals, signers and time stamps are judged by now.
func (p *platform) judgeBy(ctx context.Context) (document.Options, error) {
	t, err := p.seals.Trust(ctx)
	if err != nil {
		return document.Options{}, fmt.Errorf("trusted certificates: %w", err)
	}
	return document.Options{Trust: *t}, nil
}

func (p *platform) close() error {
	p.references.Close()
	return p.db.Close()
}

// demoPlatform is what the demo is loaded into.
func (p *platform) demoPlatform() demo.Platform {
	return demo.Platform{
		Org: p.org, Rules: &access.Rules{DB: p.db, Guard: p.guard}, Seals: p.seals, Catalog: p.catalog, Cases: p.cases, Sharing: p.sharing, Issuer: p.issuer, Stock: p.stock, Lifecycle: p.lifecycle, OnTime: p.ontime, Delivery: p.delivery, References: p.references, Signer: newSigner, Ministry: p.ministry, Kits: p.kits, Calendar: &calendar.Keeper{DB: p.db, Guard: p.guard}, Fonts: p.fonts != nil,
	}
}

// newSigner makes a key and writes its public half.
func newSigner() (gm.Signer, string, error) {
	key, err := gm.GenerateKey()
	if err != nil {
		return nil, "", err
	}
	pem, err := gm.MarshalPublicKey(key.Public())
	return key, string(pem), err
}

// loadDemo fills an empty platform with the demo, once.
func (p *platform) loadDemo(ctx context.Context) error {
	units, err := p.org.AllUnits(ctx)
	if err != nil {
		return err
	}
	if len(units) > 0 {
		if err := demo.Reconnect(ctx, p.demoPlatform()); err != nil || p.fonts == nil {
			return err
		}
		return demo.MakeSeals(ctx, p.demoPlatform())
	}
	began := time.Now()
	work, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	// The clock leaps by days: a shorter lease would run out under a worker that lives,
	// and two would seal the same notice.
	p.queue.Lease = 100 * 365 * 24 * time.Hour
	go func() { done <- p.queue.Run(work) }()
	err = demo.Load(ctx, p.demoPlatform(), p.clock)
	stop()
	err = errors.Join(err, <-done)
	p.queue.Lease = 0 // as it is in service
	if err != nil {
		return fmt.Errorf("load the demo: %w", err)
	}
	p.log.Info("demo loaded", "seconds", time.Since(began).Seconds())
	return p.trustRoots(ctx)
}
