package registry_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"elicense"
	"elicense/gm"
	"elicense/registry"
	"elicense/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEachHolderIsAskedForWhereHeIsKept(t *testing.T) {
	for _, tc := range []struct {
		codes elicense.HolderCodeType
		code  string
		want  registry.ID // empty: nobody keeps such holders
	}{
		{elicense.CodeCitizen, "11010519491231002X", registry.Population},
		{"511", "00000000", registry.Population},
		{"516", "H00000000", registry.Population},
		{elicense.CodeUSCC, "11350000FJDEM0021G", registry.Establishment},
		{elicense.CodeUSCC, "52350100FJDEM00001", registry.Civil},
		{elicense.CodeUSCC, "91350102FJDEM90180", registry.Market},
		{elicense.CodeUSCC, "31350000FJDEM00001", registry.OtherEntities},
		{elicense.CodeUSCC, "N1350100FJDEM00001", registry.OtherEntities},
		{elicense.CodeUSCC, "Y1350100FJDEM00001", registry.OtherEntities},
		{elicense.CodeOtherOrg, "1", ""},
		{"114", "1", ""},
		{"414", "E00000000", ""},
		{elicense.CodeOther, "E1", ""},
	} {
		got, ok := registry.Route(elicense.HolderRef{CodeType: tc.codes, Code: tc.code})
		if got != tc.want || ok != (tc.want != "") {
			t.Errorf("%s %s is kept by %q, want %q", tc.codes, tc.code, got, tc.want)
		}
	}
}

var (
	firm   = elicense.HolderRef{CodeType: elicense.CodeUSCC, Code: "91350102FJDEM90180", Name: "福州示例餐饮有限公司"}
	person = elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: "350100198506120117", Name: "陈示例"}
)

// holdings answers what the test sets, and notes what it was asked.
type holdings struct {
	mu    sync.Mutex
	asked []registry.Question
	reply registry.Reply
	err   error
}

func (h *holdings) Answer(_ context.Context, q registry.Question) (registry.Reply, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, q)
	r := h.reply
	if r.Request == "" {
		r.Request = q.Request
	}
	return r, h.err
}

// site is the market's registry on this machine, with what may happen on the way.
type site struct {
	*registry.Registries
	kept     *holdings
	clock    *storetest.Clock
	tries    atomic.Int32
	log      *bytes.Buffer
	platform *gm.SoftKey
	between  func(w http.ResponseWriter, r *http.Request, next http.Handler) // nil: nothing
	http     *httptest.Server
}

func key(t *testing.T) *gm.SoftKey {
	t.Helper()
	k, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func open(t *testing.T, change ...func(*registry.Config, *registry.Server)) *site {
	t.Helper()
	s := &site{kept: &holdings{reply: registry.Reply{Outcome: registry.Match}}, clock: storetest.NewClock(), log: &bytes.Buffer{}, platform: key(t)}
	theirs := key(t)
	server := registry.Server{Holdings: s.kept, Key: theirs, Clients: []*ecdsa.PublicKey{s.platform.Public()}, Now: s.clock.Now}
	config := registry.Config{Key: s.platform, Now: s.clock.Now, Wait: 10 * time.Second, Log: slog.New(slog.NewTextHandler(s.log, nil))}
	remote := registry.Remote{Key: theirs.Public()}
	config.Remote = map[registry.ID]registry.Remote{registry.Market: remote}
	for _, f := range change {
		f(&config, &server)
	}
	next, err := registry.Serve(server)
	if err != nil {
		t.Fatal(err)
	}
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.tries.Add(1)
		if s.between != nil {
			s.between(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	}))
	t.Cleanup(s.http.Close)
	remote = config.Remote[registry.Market]
	remote.URL = s.http.URL
	config.Remote[registry.Market] = remote
	if s.Registries, err = registry.New(config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func (s *site) want(t *testing.T, outcome registry.Outcome, cause error) registry.Comparison {
	t.Helper()
	c, err := s.Compare(t.Context(), firm, map[string]string{"legal_rep": "林样本", "license_no": "JY1", "address": "示例路1号"})
	if c.Outcome != outcome || !errors.Is(err, cause) || (cause == nil) != (err == nil) {
		t.Errorf("compared: %+v, %v; want %s, %v", c, err, outcome, cause)
	}
	if err != nil {
		for _, secret := range []string{firm.Code, firm.Name, "林样本", "示例路1号"} {
			if strings.Contains(err.Error(), secret) || strings.Contains(s.log.String(), secret) {
				t.Errorf("the error or the log says %q", secret)
			}
		}
	}
	return c
}

func TestARegistryIsAskedOverHTTP(t *testing.T) {
	s := open(t)
	c := s.want(t, registry.Match, nil)
	if c.Asked != registry.Market || c.Request == "" || c.Took <= 0 || !c.At.Equal(s.clock.Now()) {
		t.Errorf("%+v", c)
	}
	want := map[string]string{"legal_rep": "林样本", "address": "示例路1号"}
	if q := s.kept.asked[0]; q.Code != firm.Code || q.Name != firm.Name || len(q.Fields) != 2 || q.Fields["legal_rep"] != want["legal_rep"] || q.Fields["address"] != want["address"] {
		t.Errorf("the registry was asked %+v: what it needs and nothing more", q)
	}
	s.kept.reply = registry.Reply{Outcome: registry.Mismatch, Fields: []string{"name", "legal_rep"}}
	if c := s.want(t, registry.Mismatch, nil); !slices.Equal(c.Fields, []string{"姓名或名称", "法定代表人"}) {
		t.Errorf("fields that differ: %v", c.Fields)
	}
	s.kept.reply = registry.Reply{Outcome: registry.NoSuch}
	s.want(t, registry.NoSuch, nil)
	// The population registry is not connected, and persons' other fields go nowhere.
	if c, err := s.Compare(t.Context(), person, nil); c.Outcome != registry.Unavailable || c.Asked != registry.Population || err == nil {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := s.Compare(t.Context(), elicense.HolderRef{CodeType: elicense.CodeOther, Code: "E1", Name: "外样"}, nil); c.Outcome != registry.Unavailable || c.Asked != "" || err != nil {
		t.Errorf("nobody keeps him: %+v, %v", c, err)
	}
}

// A registry can not slip its values in, whatever it answers.
func TestAnAnswerSaysNoMoreThanItMay(t *testing.T) {
	s := open(t)
	for name, r := range map[string]registry.Reply{
		"a value as the name of a field": {Outcome: registry.Mismatch, Fields: []string{"法定代表人应为陈样本"}},
		"a field that was not sent":      {Outcome: registry.Mismatch, Fields: []string{"capital"}},
		"a mismatch of nothing":          {Outcome: registry.Mismatch},
		"a match that differs":           {Outcome: registry.Match, Fields: []string{"name"}},
		"no outcome":                     {},
		"unavailable":                    {Outcome: registry.Unavailable},
		"another request's answer":       {Outcome: registry.Match, Request: "1"},
	} {
		s.kept.reply = r
		if c := s.want(t, registry.Unavailable, registry.ErrAnswer); len(c.Fields) > 0 {
			t.Errorf("%s: %v was taken", name, c.Fields)
		}
		s.clock.Move(time.Minute)
	}
}

// changed answers as the registry does, with the answer changed on the way.
func changed(w http.ResponseWriter, r *http.Request, next http.Handler, change func(h http.Header, body []byte) []byte) {
	rec := httptest.NewRecorder()
	next.ServeHTTP(rec, r)
	for k := range rec.Header() {
		w.Header().Set(k, rec.Header().Get(k))
	}
	body := change(w.Header(), rec.Body.Bytes())
	w.WriteHeader(rec.Code)
	_, _ = w.Write(body)
}

func TestAnAnswerIsBelievedOnlyAsItWasSigned(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(h http.Header, body []byte) []byte
		want   error
	}{
		{"another body", func(_ http.Header, b []byte) []byte { return bytes.Replace(b, []byte("match"), []byte("not-found"), 1) }, registry.ErrSignature},
		{"no signature", func(h http.Header, b []byte) []byte { h.Del("Elicense-Signature"); return b }, registry.ErrSignature},
		{"another time", func(h http.Header, b []byte) []byte { h.Set("Elicense-Time", "2026-03-10T01:30:01Z"); return b }, registry.ErrSignature},
		{"another nonce", func(h http.Header, b []byte) []byte { h.Set("Elicense-Nonce", "00000000000000000000000000"); return b }, registry.ErrNonce},
		{"no end", func(_ http.Header, b []byte) []byte { return append(b, bytes.Repeat([]byte(" "), 1<<20)...) }, registry.ErrAnswer},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t)
			s.between = func(w http.ResponseWriter, r *http.Request, next http.Handler) { changed(w, r, next, tc.change) }
			s.want(t, registry.Unavailable, tc.want)
			if n := s.tries.Load(); n != 1 {
				t.Errorf("what was said was asked for %d times", n)
			}
		})
	}
	t.Run("an answer to an earlier question", func(t *testing.T) {
		s := open(t)
		var first *httptest.ResponseRecorder
		s.between = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if first == nil {
				first = httptest.NewRecorder()
				next.ServeHTTP(first, r)
			}
			for k := range first.Header() {
				w.Header().Set(k, first.Header().Get(k))
			}
			_, _ = w.Write(first.Body.Bytes())
		}
		s.want(t, registry.Match, nil)
		s.want(t, registry.Unavailable, registry.ErrNonce)
	})
	t.Run("a registry whose clock is wrong", func(t *testing.T) {
		s := open(t)
		s.between = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			next.ServeHTTP(w, r)
			s.clock.Move(6 * time.Minute)
		}
		s.want(t, registry.Unavailable, registry.ErrStale)
	})
	t.Run("the key of another", func(t *testing.T) {
		other := key(t)
		s := open(t, func(_ *registry.Config, server *registry.Server) { server.Key = other })
		s.want(t, registry.Unavailable, registry.ErrSignature)
	})
}

func TestARegistryAnswersWhoItKnowsOnce(t *testing.T) {
	t.Run("a stranger", func(t *testing.T) {
		s := open(t, func(c *registry.Config, _ *registry.Server) { c.Key = key(t) })
		s.want(t, registry.Unavailable, registry.ErrStatus)
		if len(s.kept.asked) != 0 {
			t.Error("he was heard")
		}
	})
	t.Run("a question that was changed, came late, or comes again", func(t *testing.T) {
		s := open(t)
		for _, alter := range []func(h http.Header, body []byte) []byte{
			func(_ http.Header, b []byte) []byte {
				return bytes.Replace(b, []byte("林样本"), []byte("陈样本"), 1)
			},
			func(h http.Header, b []byte) []byte { h.Set("Elicense-Time", "2026-03-10T00:00:00Z"); return b },
			func(h http.Header, b []byte) []byte { h.Set("Elicense-Nonce", "00000000000000000000000000"); return b },
		} {
			s.between = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				b, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(alter(r.Header, b)))
				next.ServeHTTP(w, r)
			}
			s.want(t, registry.Unavailable, registry.ErrStatus)
		}
		if len(s.kept.asked) != 0 {
			t.Error("a question that does not hold was heard")
		}
		s.between = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			b, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(b))
			next.ServeHTTP(httptest.NewRecorder(), r)
			r.Body = io.NopCloser(bytes.NewReader(b))
			next.ServeHTTP(w, r)
		}
		s.want(t, registry.Unavailable, registry.ErrStatus)
	})
}

func TestOnlyTheWayIsTriedAgain(t *testing.T) {
	t.Run("a registry that fails is not asked again", func(t *testing.T) {
		s := open(t)
		s.kept.err = errors.New("陈样本 is what we have")
		s.want(t, registry.Unavailable, registry.ErrStatus)
		if n := s.tries.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
	t.Run("a connection that breaks is tried three times", func(t *testing.T) {
		s := open(t)
		s.between = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if s.tries.Load() == 3 {
				next.ServeHTTP(w, r)
				return
			}
			panic(http.ErrAbortHandler)
		}
		s.want(t, registry.Match, nil)
		if n := s.tries.Load(); n != 3 {
			t.Errorf("asked %d times", n)
		}
	})
	t.Run("who does not answer in time is given up", func(t *testing.T) {
		s := open(t, func(c *registry.Config, _ *registry.Server) { c.Wait = 500 * time.Millisecond })
		s.between = func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
			_, _ = io.Copy(io.Discard, r.Body) // only then is it seen that who asked has gone
			<-r.Context().Done()
		}
		began := time.Now()
		c, err := s.Compare(t.Context(), firm, nil)
		var timeout net.Error
		if c.Outcome != registry.Unavailable || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%+v, %v", c, err)
		}
		if n := s.tries.Load(); n != 3 || time.Since(began) > 10*time.Second {
			t.Errorf("asked %d times in %s", n, time.Since(began))
		}
	})
	t.Run("a question goes nowhere else", func(t *testing.T) {
		s := open(t)
		elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it went there") }))
		defer elsewhere.Close()
		s.between = func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}
		s.want(t, registry.Unavailable, registry.ErrStatus)
	})
}

func TestARegistryThatFailsIsLeftAlone(t *testing.T) {
	s := open(t)
	s.kept.err = errors.New("down")
	for range 5 {
		s.want(t, registry.Unavailable, registry.ErrStatus)
	}
	s.want(t, registry.Unavailable, registry.ErrOpen)
	if n := s.tries.Load(); n != 5 {
		t.Errorf("asked %d times", n)
	}
	// After a while one question tries it, and its failure closes it again.
	s.clock.Move(31 * time.Second)
	s.want(t, registry.Unavailable, registry.ErrStatus)
	s.want(t, registry.Unavailable, registry.ErrOpen)
	// While one tries, no other does.
	s.clock.Move(31 * time.Second)
	s.kept.err = nil
	asked, goOn := make(chan struct{}), make(chan struct{})
	s.between = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		close(asked)
		<-goOn
		next.ServeHTTP(w, r)
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.Compare(context.Background(), firm, nil)
		done <- err
	}()
	<-asked
	s.want(t, registry.Unavailable, registry.ErrOpen)
	close(goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s.between = nil
	s.want(t, registry.Match, nil)
	s.want(t, registry.Match, nil)
}

// Who asks and goes away says nothing of the registry.
func TestWhoGoesAwayOpensNoCircuit(t *testing.T) {
	s := open(t)
	for range 6 {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Compare(ctx, firm, nil); err == nil {
			t.Fatal("an answer to nobody")
		}
	}
	s.want(t, registry.Match, nil)
}

func TestOnlyASafeAddressIsAsked(t *testing.T) {
	k := key(t)
	for _, at := range []string{
		"http://registry.example", "https://user:secret@registry.example", "https://registry.example?token=1", "registry.example", "ftp://localhost",
	} {
		_, err := registry.New(registry.Config{Key: k, Now: time.Now, Remote: map[registry.ID]registry.Remote{registry.Market: {URL: at, Key: k.Public()}}})
		if !elicense.IsKind(err, elicense.Invalid) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", at, err)
		}
	}
	if _, err := registry.New(registry.Config{Now: time.Now, Remote: map[registry.ID]registry.Remote{"nobody": {}}}); !elicense.IsKind(err, elicense.Invalid) {
		t.Errorf("an unknown registry: %v", err)
	}
}

// FuzzReply sees that no answer brings more than outcome and known labels.
func FuzzReply(f *testing.F) {
	f.Add([]byte(`{"request":"1","outcome":"mismatch","fields":["name"]}`))
	f.Add([]byte(`{"request":"1","outcome":"match","value":"陈样本"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r registry.Reply
		if json.Unmarshal(b, &r) != nil {
			return
		}
		h := &holdings{reply: r}
		rs, err := registry.New(registry.Config{Embedded: h, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		c, _ := rs.Compare(t.Context(), firm, map[string]string{"legal_rep": "林样本"})
		for _, l := range c.Fields {
			if l != "姓名或名称" && l != "法定代表人" {
				t.Errorf("a field %q came in", l)
			}
		}
	})
}
