package registry

import (
	"crypto/ecdsa"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

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
	h := &server{Server: s, clients: map[string]*ecdsa.PublicKey{}, seen: map[string]time.Time{}}
	if h.Log == nil {
		h.Log = slog.New(slog.DiscardHandler)
	}
	for _, key := range s.Clients {
		name, err := keyName(key)
		if err != nil {
			return nil, err
		}
		h.clients[name] = key
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+comparePath, h.compare)
	return mux, nil
}

type server struct {
	Server
	clients map[string]*ecdsa.PublicKey

	mu   sync.Mutex
	seen map[string]time.Time // nonces, and until when they are kept
}

// maxSeen bounds the nonces that are kept, some 10 MB of them.
const maxSeen = 100_000

// first tells whether the nonce was not seen before. When as many came as can be
// kept, none is taken until some are old.
func (s *server) first(nonce string, now time.Time) bool {
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

func (s *server) compare(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxQuestion))
	if err != nil {
		http.Error(w, "question too long", http.StatusRequestEntityTooLarge)
		return
	}
	at, nonce, now := req.Header.Get(headerTime), req.Header.Get(headerNonce), s.Now()
	key := s.clients[req.Header.Get(headerKey)]
	if key == nil || len(nonce) < 20 || len(nonce) > 64 || !signed(req.Header, key, questionText(at, nonce, body)) || !near(at, now) || !s.first(nonce, now) {
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return
	}
	var q Question
	if err := json.Unmarshal(body, &q); err != nil {
		http.Error(w, "no question", http.StatusBadRequest)
		return
	}
	reply, err := s.Holdings.Answer(req.Context(), q)
	if err != nil {
		s.Log.ErrorContext(req.Context(), "registry", "request", q.Request, "err", err)
		http.Error(w, "unavailable", http.StatusServiceUnavailable)
		return
	}
	answer, err := json.Marshal(reply)
	if err == nil {
		at = now.UTC().Format(time.RFC3339)
		w.Header().Set(headerTime, at)
		w.Header().Set(headerNonce, nonce)
		err = sign(w.Header(), s.Key, answerText(at, nonce, body, answer))
	}
	if err != nil {
		s.Log.ErrorContext(req.Context(), "registry", "request", q.Request, "err", err)
		http.Error(w, "failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer) // who asks asks again
}
