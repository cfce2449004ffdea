// Package web is the pages for people: the public check, the holder's folder on a
// phone, the issuing desk, the window, the administration, and the desk of
// statutory disclosure.
//
// It decides nothing. A handler reads the request, calls the domain, and renders
// what comes back; it returns its error, and one function turns that into a page.
// Every page works without script, in Chinese and in English, and is sent under
// a policy that allows no inline style or script.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"elicense"
	"elicense/access"
	"elicense/calendar"
	"elicense/cases"
	"elicense/catalog"
	"elicense/delivery"
	"elicense/issuance"
	"elicense/letters"
	"elicense/lifecycle"
	"elicense/notice"
	"elicense/offline"
	"elicense/ontime"
	"elicense/org"
	"elicense/oversight"
	"elicense/posts"
	"elicense/references"
	"elicense/registry"
	"elicense/sealing"
	"elicense/sharing"
	"elicense/stock"
	"elicense/verification"
)

// Config is what the pages answer from; all of it is required but the demo's.
type Config struct {
	Org        *org.Org
	Posts      *posts.Posts
	Seals      *sealing.Register
	Sessions   *org.Sessions
	Typed      *org.Typed
	Guard      *access.Guard
	Law        *access.Law
	Rules      *access.Rules
	Catalog    *catalog.Catalog
	Drawer     *catalog.Drawer // nil without fonts: faces can't be looked at
	Cases      *cases.Cases
	Letters    *letters.Letters
	Issuer     *issuance.Issuer
	Lifecycle  *lifecycle.Lifecycle
	Sharing    *sharing.Sharing
	Stock      *stock.Stock
	Receipts   *sharing.Receipts
	Verifier   *verification.Verifier
	Oversight  *oversight.Oversight
	Measures   *registry.Measures
	Kits       *offline.Kits
	OnTime     *ontime.Ledger
	Delivery   *delivery.Desk
	Outbox     *delivery.Outbox // of the demo's gateways; nil elsewhere
	Notices    *notice.Box
	Calendar   *calendar.Keeper
	Now        func() time.Time
	Log        *slog.Logger
	PublicURL  string // start of the address in QR codes
	References *references.References
	// Demo lists the accounts the sign-in page offers with one click, with the
	// password of all of them; empty outside the demo.
	Demo         []DemoAccount
	DemoPassword string
	// Practice opens the platform clerks practise on and makes an account on it for
	// who asks, or returns ErrPreparing until it is made; nil where there is none.
	Practice func(context.Context) (*Practice, elicense.AccountID, error)
}

// DemoAccount is an account of the demo, as the sign-in page shows it.
type DemoAccount struct {
	Desk, Login, Name, Unit, Does string
}

type server struct {
	Config
	sessions *scs.SessionManager
	pages    map[string]*templates // by language
	mux      *http.ServeMux
	frames   *org.Limiter
	training bool                     // this is the platform clerks practise on
	trained  atomic.Pointer[Practice] // of those who practise now
	table    []route                  // as routes lists them
}

// The life of a session (Art. 17): half an hour without use, half a day in all.
const (
	sessionIdle = 30 * time.Minute
	sessionLife = 12 * time.Hour
)

// Mount adds the pages to mux, under /.
func Mount(mux *http.ServeMux, c Config) error {
	s, err := newServer(c, false)
	if err != nil {
		return err
	}
	mux.Handle("/", secured(s.apart(s.handler())))
	mux.Handle("GET /assets/", secured(assetHandler()))
	return nil
}

func newServer(c Config, training bool) (*server, error) {
	s := &server{Config: c, pages: map[string]*templates{}, mux: http.NewServeMux(), training: training}
	for _, lang := range []string{chinese, english} {
		t, err := parsed[lang]()
		if err != nil {
			return nil, err
		}
		s.pages[lang] = t
	}
	s.sessions = s.newSessions()
	s.frames = newFrames(c.Now)
	s.routes()
	return s, nil
}

// handler are the pages with their sessions.
func (s *server) handler() http.Handler {
	cross := http.NewCrossOriginProtection()
	// The pages of business systems post tickets into frames from origins of their
	// own; frameOpen asks for theirs.
	cross.AddInsecureBypassPattern("POST /frame/{system}")
	cross.SetDenyHandler(s.handle(public, func(*visit) error { return errCrossOrigin() }))
	return s.sessions.LoadAndSave(cross.Handler(s.mux))
}
