package delivery

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"elicense"
	"elicense/gm"
)

// The wire to an SMS gateway: POST {URL} with
//
//	{"id": "…", "to": "13800000000", "text": "…"}
//
// as JSON. The id is the same at every attempt: a gateway sends each id once, and
// answers a repeated one as it did before. Elicense-Time bears the time (RFC 3339) and
// Elicense-Signature an SM2 signature (DER, base64) over the lines elicense-sms-1,
// time, SM3 of the body in hexadecimal. 2xx has taken it; 408, 429, 401, 403 and 5xx
// are tried again; any other 4xx gives the message up.
const (
	headerTime      = "Elicense-Time"
	headerSignature = "Elicense-Signature"

	maxSMS  = 4 << 10         // bytes of a request
	maxSkew = 5 * time.Minute // between the clocks
)

type smsRequest struct {
	ID   string `json:"id"`
	To   string `json:"to"`
	Text string `json:"text"`
}

func signedText(at string, body []byte) []byte {
	d := gm.Sum(body)
	return []byte(strings.Join([]string{"elicense-sms-1", at, hex.EncodeToString(d[:])}, "\n"))
}

// Signer is the key requests to a gateway are signed with.
type Signer = gm.Signer

// Gateway hands SMS over to an HTTP gateway.
type Gateway struct {
	url  string
	key  Signer
	now  func() time.Time
	http *http.Client
}

// NewGateway returns the gateway at the address, https unless it is on this machine;
// key signs the requests. Errors: Invalid for an address that can't be used.
func NewGateway(address string, key Signer, now func() time.Time) (*Gateway, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return nil, elicense.E(elicense.Invalid, "短信网关的地址要是https地址，不带用户名").At("sms.url").Then("本机的网关可以用http")
	}
	return &Gateway{address, key, now, &http.Client{
		Timeout: sendWait, Transport: &http.Transport{MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true},
		// A person's number goes to the gateway and nowhere it points to.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close gives up idle connections.
func (g *Gateway) Close() { g.http.CloseIdleConnections() }

// Send hands an SMS over.
func (g *Gateway) Send(ctx context.Context, t Text) (string, error) {
	body, err := json.Marshal(smsRequest{t.ID, t.To, t.Body})
	if err != nil {
		return "", fmt.Errorf("sms: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("sms: %w", err)
	}
	at := g.now().UTC().Format(time.RFC3339)
	der, err := g.key.SignSM2(signedText(at, body))
	if err != nil {
		return "", fmt.Errorf("sms: sign: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(headerTime, at)
	req.Header.Set(headerSignature, base64.StdEncoding.EncodeToString(der))
	resp, err := g.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return "", fmt.Errorf("sms gateway: %w", err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxSMS)); err != nil {
		return "", fmt.Errorf("sms gateway: %w", err)
	}
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return fmt.Sprint(code), nil
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code == http.StatusUnauthorized, code == http.StatusForbidden, code < 400, code >= 500:
		return "", fmt.Errorf("sms gateway: status %d", code)
	default:
		return "", &Refused{fmt.Sprintf("短信网关拒绝（%d）", code)}
	}
}

// GatewayHandler is the other side of the wire, for the demo's gateway and for those
// who build one: it believes requests signed by the key, and hands each id to accept
// once while it remembers it. An error of accept of kind Invalid answers 422, any other
// 503.
func GatewayHandler(key *ecdsa.PublicKey, now func() time.Time, accept func(Text) error) http.Handler {
	const remembered = 10_000
	var mu sync.Mutex
	taken := map[string]bool{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSMS))
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		at := r.Header.Get(headerTime)
		when, err := time.Parse(time.RFC3339, at)
		der, e64 := base64.StdEncoding.DecodeString(r.Header.Get(headerSignature))
		if err != nil || e64 != nil || when.Sub(now()).Abs() > maxSkew || !gm.Verify(key, signedText(at, body), der) {
			http.Error(w, "not signed", http.StatusUnauthorized)
			return
		}
		var in smsRequest
		if err := json.Unmarshal(body, &in); err != nil || in.ID == "" || !mobile.MatchString(in.To) {
			http.Error(w, "no message", http.StatusUnprocessableEntity)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if !taken[in.ID] {
			switch err := accept(Text{ID: in.ID, To: in.To, Body: in.Text}); {
			case elicense.IsKind(err, elicense.Invalid):
				http.Error(w, "refused", http.StatusUnprocessableEntity)
				return
			case err != nil:
				http.Error(w, "unavailable", http.StatusServiceUnavailable)
				return
			}
			if len(taken) >= remembered {
				clear(taken)
			}
			taken[in.ID] = true
		}
		w.WriteHeader(http.StatusAccepted)
	})
}
