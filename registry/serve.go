package registry

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"elicense"
	"elicense/gm"
)

// Server is a registry that answers over HTTP: the other end of a Remote, for the
// demo, for tests, and for a registry that wants a counterpart to begin with.
type Server struct {
	Holdings Holdings
	Key      gm.Signer          // signs answers
	Clients  []*ecdsa.PublicKey // who may ask
	Now      func() time.Time
	Log      *slog.Logger // nil discards
}

// Serve returns the handler of a registry. It answers who is known, now, and each
// question once.
func Serve(s Server) (http.Handler, error) {
	known := map[string]*ecdsa.PublicKey{}
	for _, key := range s.Clients {
		name, err := keyName(key)
		if err != nil {
			return nil, err
		}
		known[name] = key
	}
	mux := http.NewServeMux()
	mux.Handle("POST "+Comparing.Path, Answering(Endpoint{
		About: Comparing, Key: s.Key, Now: s.Now, Log: s.Log,
		Client: func(_ context.Context, name string) (*ecdsa.PublicKey, error) { return known[name], nil },
		Answer: func(ctx context.Context, _ string, body []byte) ([]byte, error) {
			var q Question
			if err := json.Unmarshal(body, &q); err != nil {
				return nil, errNoQuestion
			}
			reply, err := s.Holdings.Answer(ctx, q)
			if err != nil {
				return nil, err
			}
			return json.Marshal(reply)
		},
	}))
	return mux, nil
}

var errNoQuestion = elicense.E(elicense.Invalid, "问题的格式不对")

// Endpoint answers the signed questions of one protocol.
type Endpoint struct {
	About Protocol
	Key   gm.Signer // signs answers
	Now   func() time.Time
	Log   *slog.Logger // nil discards
	// Client returns the key of who asks by its name on the wire; nil for one that is
	// not known.
	Client func(ctx context.Context, name string) (*ecdsa.PublicKey, error)
	// Answer answers who asked, by the name of his key. An error of kind Invalid means
	// that the question is none, of kind Conflict that it contradicts what he said
	// before; any other that it can't be answered now.
	Answer func(ctx context.Context, name string, question []byte) ([]byte, error)
}

// Answering returns the handler of an endpoint. It answers who is known, now, and
// each question once; what it says is signed.
func Answering(e Endpoint) http.Handler {
	if e.Log == nil {
		e.Log = slog.New(slog.DiscardHandler)
	}
	return &endpoint{Endpoint: e, seen: map[string]time.Time{}}
}

type endpoint struct {
	Endpoint

	mu   sync.Mutex
	seen map[string]time.Time // nonces, and until when they are kept
}

// maxSeen bounds the nonces that are kept, some 10 MB of them.
const maxSeen = 100_000

// first tells whether the nonce was not seen before. When as many came as can be
// kept, none is taken until some are old.
func (s *endpoint) first(nonce string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) >= maxSeen {
		for n, until := range s.seen {
			if now.After(until) {
				delete(s.seen, n)
			}
		}
	}
	if _, known := s.seen[nonce]; known || len(s.seen) >= maxSeen {
		return false
	}
	s.seen[nonce] = now.Add(2 * maxSkew)
	return true
}

func (s *endpoint) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, int64(s.About.MaxQuestion)))
	if err != nil {
		http.Error(w, "question too long", http.StatusRequestEntityTooLarge)
		return
	}
	at, nonce, now, name := req.Header.Get(headerTime), req.Header.Get(headerNonce), s.Now(), req.Header.Get(headerKey)
	key, err := s.Client(req.Context(), name)
	if err != nil {
		s.Log.ErrorContext(req.Context(), s.About.Name, "err", err)
		http.Error(w, "unavailable", http.StatusServiceUnavailable)
		return
	}
	if key == nil || len(nonce) < 20 || len(nonce) > 64 || !signed(req.Header, key, questionText(s.About.Name, at, nonce, body)) || !near(at, now) || !s.first(nonce, now) {
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return
	}
	answer, err := s.Answer(req.Context(), name, body)
	switch elicense.KindOf(err) {
	case elicense.Invalid, elicense.TooLarge:
		http.Error(w, "no question", http.StatusBadRequest)
		return
	case elicense.Forbidden:
		http.Error(w, "forbidden", http.StatusForbidden)
		return
	case elicense.Conflict:
		http.Error(w, "said otherwise before", http.StatusConflict)
		return
	}
	if err != nil {
		s.Log.ErrorContext(req.Context(), s.About.Name, "err", err)
		http.Error(w, "unavailable", http.StatusServiceUnavailable)
		return
	}
	at = now.UTC().Format(time.RFC3339)
	w.Header().Set(headerTime, at)
	w.Header().Set(headerNonce, nonce)
	if err := sign(w.Header(), s.Key, answerText(at, nonce, body, answer)); err != nil {
		s.Log.ErrorContext(req.Context(), s.About.Name, "err", err)
		http.Error(w, "failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer) // who asks asks again
}
