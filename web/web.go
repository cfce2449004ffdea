// Package web is the pages for people: the public check, the holder's folder on a
// phone, the issuing desk, the window, and the administration.
//
// It decides nothing. A handler reads the request, calls the domain, and renders
// what comes back; it returns its error, and one function turns that into a page.
// Every page works without script, in Chinese and in English, and is sent under
// a policy that allows no inline style or script.
package web

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"elicense/access"
	"elicense/cases"
	"elicense/catalog"
	"elicense/issuance"
	"elicense/lifecycle"
	"elicense/notice"
	"elicense/org"
	"elicense/oversight"
	"elicense/sealing"
	"elicense/sharing"
	"elicense/verification"
	"elicense/workday"
)

// Config is what the pages answer from; all of it is required but the demo's.
type Config struct {
	Org       *org.Org
	Seals     *sealing.Register
	Sessions  *org.Sessions
	Typed     *org.Typed
	Guard     *access.Guard
	Law       *access.Law
	Catalog   *catalog.Catalog
	Drawer    *catalog.Drawer // nil without fonts: faces can't be looked at
	Cases     *cases.Cases
	Issuer    *issuance.Issuer
	Lifecycle *lifecycle.Lifecycle
	Sharing   *sharing.Sharing
	Receipts  *sharing.Receipts
	Verifier  *verification.Verifier
	Oversight *oversight.Oversight
	Notices   *notice.Box
	Calendar  *workday.Calendar
	Now       func() time.Time
	Log       *slog.Logger
	PublicURL string // start of the address in QR codes
	// Demo lists the accounts the sign-in page offers with one click, with the
	// password of all of them; empty outside the demo.
	Demo         []DemoAccount
	DemoPassword string
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
	table    []route // as routes lists them
}

// The life of a session (Art. 17): half an hour without use, half a day in all.
const (
	sessionIdle = 30 * time.Minute
	sessionLife = 12 * time.Hour
)

// Mount adds the pages to mux, under /.
func Mount(mux *http.ServeMux, c Config) error {
	s := &server{Config: c, pages: map[string]*templates{}, mux: http.NewServeMux()}
	for _, lang := range []string{chinese, english} {
		t, err := parse(lang)
		if err != nil {
			return err
		}
		s.pages[lang] = t
	}
	s.sessions = s.newSessions()
	s.frames = newFrames(c.Now)
	s.routes()
	cross := http.NewCrossOriginProtection()
	// The pages of business systems post tickets into frames from origins of their
	// own; frameOpen asks for theirs.
	cross.AddInsecureBypassPattern("POST /frame/{system}")
	cross.SetDenyHandler(s.handle(public, func(*visit) error { return errCrossOrigin() }))
	mux.Handle("/", secured(s.sessions.LoadAndSave(cross.Handler(s.mux))))
	mux.Handle("GET /assets/", secured(assetHandler()))
	return nil
}
