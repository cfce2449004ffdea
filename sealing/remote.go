package sealing

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"elicense/gm"
)

// Keepers are several keepers as one: a key is opened where it is found first, and
// made by the first.
type Keepers []Keeper

// Open returns the key of the first keeper that has it.
func (k Keepers) Open(name string) (gm.Signer, error) {
	for _, one := range k {
		key, err := one.Open(name)
		if err == nil || !errors.Is(err, gm.ErrNoKey) {
			return key, err
		}
	}
	return nil, gm.ErrNoKey
}

// Create makes a key with the first keeper.
func (k Keepers) Create(name string) (gm.Signer, error) { return k[0].Create(name) }

// Remote is a Keeper whose keys are with a remote sealing service, such as the
// province's seal system: messages go out, signatures come back, and each is
// checked before it is used.
//
// Its protocol is small: POST {URL}/keys/{name} returns the certificate or public
// key of a key as PEM, POST {URL}/keys/{name}/sign signs the body and returns a
// DER signature. 404 means that there is no such key. PUT {URL}/keys/{name} makes
// one, where the service lets its clients do so.
type Remote struct {
	URL    string
	Token  string // bearer credential
	Client *http.Client
}

const (
	maxSignature = 256     // bytes of an answer with a signature
	maxMessage   = 1 << 20 // bytes of a message to be signed: a seal and what it covers
	remoteWait   = 10 * time.Second
)

// NewRemote returns a keeper that asks the service at url.
func NewRemote(url, token string) *Remote {
	return &Remote{URL: strings.TrimRight(url, "/"), Token: token, Client: &http.Client{Timeout: remoteWait}}
}

// ErrRemote says that the sealing service did not do what it was asked.
var ErrRemote = errors.New("the sealing service refused or failed")

func (r *Remote) do(method, path string, body []byte, limit int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, r.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRemote, err)
	}
	req.Header.Set("Authorization", "Bearer "+r.Token)
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := r.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRemote, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrRemote, err)
	case resp.StatusCode == http.StatusNotFound:
		return nil, gm.ErrNoKey
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%w: status %d", ErrRemote, resp.StatusCode)
	case int64(len(data)) > limit:
		return nil, fmt.Errorf("%w: answer too long", ErrRemote)
	}
	return data, nil
}

// Open returns a key of the service.
func (r *Remote) Open(name string) (gm.Signer, error) { return r.key(http.MethodPost, name) }

// Create asks the service for a new key.
func (r *Remote) Create(name string) (gm.Signer, error) { return r.key(http.MethodPut, name) }

func (r *Remote) key(method, name string) (gm.Signer, error) {
	if !plainName(name) {
		return nil, gm.ErrNoKey
	}
	data, err := r.do(method, "/keys/"+name, nil, 16<<10)
	if err != nil {
		return nil, err
	}
	pub, err := gm.ParsePublicKey(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRemote, err)
	}
	return &remoteKey{r, name, pub}, nil
}

func plainName(name string) bool {
	for _, c := range name {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return name != "" && len(name) <= 100
}

type remoteKey struct {
	service *Remote
	name    string
	pub     *ecdsa.PublicKey
}

func (k *remoteKey) Public() *ecdsa.PublicKey { return k.pub }

// SignSM2 has the service sign. A signature that does not hold is an error: a
// document must never leave with it.
func (k *remoteKey) SignSM2(message []byte) ([]byte, error) {
	der, err := k.service.do(http.MethodPost, "/keys/"+k.name+"/sign", message, maxSignature)
	if err != nil {
		return nil, err
	}
	if !gm.Verify(k.pub, message, der) {
		return nil, fmt.Errorf("%w: the signature does not hold", ErrRemote)
	}
	return der, nil
}

// Service is a sealing service over a keeper: the other end of Remote, for a
// signing process apart from the platform. It answers only to its token.
type Service struct {
	Keys  Keeper
	Token string
	Log   *slog.Logger // nil discards
}

// ServeHTTP answers one request of a Remote.
func (s *Service) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	token, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	if !ok || s.Token == "" || !gm.EqualMAC([]byte(token), []byte(s.Token)) {
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return
	}
	path, ok := strings.CutPrefix(req.URL.Path, "/keys/")
	name, rest, sign := strings.Cut(path, "/")
	if !ok || !plainName(name) || sign && rest != "sign" {
		http.NotFound(w, req)
		return
	}
	open := s.Keys.Open
	if req.Method == http.MethodPut && !sign {
		open = s.Keys.Create
	} else if req.Method != http.MethodPost {
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	key, err := open(name)
	if errors.Is(err, gm.ErrNoKey) {
		http.NotFound(w, req)
		return
	}
	var answer []byte
	if err == nil && sign {
		var message []byte
		if message, err = io.ReadAll(http.MaxBytesReader(w, req.Body, maxMessage)); err == nil {
			answer, err = key.SignSM2(message)
		}
	} else if err == nil {
		answer, err = gm.MarshalPublicKey(key.Public())
	}
	if err != nil {
		if s.Log != nil {
			s.Log.ErrorContext(req.Context(), "sealing service", "key", name, "err", err)
		}
		http.Error(w, "failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(answer) // the client asks again
}

// TimeClient has signatures stamped by an outside time authority over HTTP (RFC
// 3161 3.4, GB/T 20520).
type TimeClient struct {
	URL    string
	Client *http.Client
}

// NewTimeClient returns a client of the authority at url.
func NewTimeClient(url string) *TimeClient {
	return &TimeClient{URL: url, Client: &http.Client{Timeout: remoteWait}}
}

// maxAnswer bounds an authority's answer in bytes.
const maxAnswer = 64 << 10

// Stamp asks for the time stamp of a signature and checks that the answer is one
// of it. Whose it is, is for whoever verifies the document.
func (c *TimeClient) Stamp(signature []byte) ([]byte, error) {
	ask := gm.NewStampRequest(signature)
	der, err := ask.DER()
	if err != nil {
		return nil, fmt.Errorf("time stamp: %w", err)
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, c.URL, bytes.NewReader(der))
	if err != nil {
		return nil, fmt.Errorf("time stamp: %w", err)
	}
	req.Header.Set("Content-Type", "application/timestamp-query")
	resp, err := c.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("time stamp: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("time stamp: %w", err)
	}
	if resp.StatusCode != http.StatusOK || len(answer) > maxAnswer {
		return nil, fmt.Errorf("time stamp: status %d, %d bytes", resp.StatusCode, len(answer))
	}
	token, err := ask.Token(answer)
	if err != nil {
		return nil, fmt.Errorf("time stamp: %w", err)
	}
	return token.DER, nil
}

// TimeHandler serves a time authority over HTTP.
func TimeHandler(authority func(context.Context) (*gm.TimeAuthority, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodPost {
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 8<<10))
		if err != nil {
			http.Error(w, "request too large", http.StatusRequestEntityTooLarge)
			return
		}
		a, err := authority(req.Context())
		if err != nil {
			http.Error(w, "no time authority", http.StatusServiceUnavailable)
			return
		}
		answer, err := a.Answer(body)
		if err != nil {
			http.Error(w, "no time stamp", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/timestamp-reply")
		_, _ = w.Write(answer) // the client asks again
	})
}
