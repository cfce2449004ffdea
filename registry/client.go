package registry

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"elicense"
)

const (
	defaultWait = 3 * time.Second
	retries     = 2
	pause       = 200 * time.Millisecond // before a retry, give or take half
)

// client asks one registry over HTTP.
type client struct{ *Exchange }

func newClient(at Remote, c Config) (*client, error) {
	x, err := NewExchange(at, Comparing, c)
	if err != nil {
		return nil, err
	}
	return &client{x}, nil
}

// Exchange asks another system over HTTP, each question and each answer signed. Its
// methods are safe for concurrent use.
type Exchange struct {
	at    Remote
	about Protocol
	name  string // of our key
	conf  Config
	http  *http.Client
}

// CheckAddress refuses an address that is not fit to be asked.
//
// Errors: Invalid.
func CheckAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return elicense.E(elicense.Invalid, "对方系统的地址要是https地址，不带用户名和参数").At("url").Then("本机的系统可以用http")
	}
	return nil
}

// NewExchange returns a way to ask the system at an address. Of the configuration
// Key, Now, Wait and Log count.
//
// Errors: Invalid for an address that is not safe, or without keys.
func NewExchange(at Remote, about Protocol, c Config) (*Exchange, error) {
	if err := CheckAddress(at.URL); err != nil {
		return nil, err
	}
	if at.Key == nil || c.Key == nil {
		return nil, elicense.E(elicense.Invalid, "对方系统要有验签公钥，平台要有签名密钥").At("key")
	}
	if c.Wait == 0 {
		c.Wait = defaultWait
	}
	at.URL = strings.TrimRight(at.URL, "/") + about.Path
	name, err := keyName(c.Key.Public())
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return &Exchange{at, about, name, c, &http.Client{
		Timeout: c.Wait, Transport: &http.Transport{MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true},
		// A question about a person goes to the registry and nowhere it points to.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// transportError is a failure between here and the registry: the question may be
// asked again. What the registry said is never asked for twice.
type transportError struct{ cause error }

func (e transportError) Error() string { return "not reached: " + e.cause.Error() }
func (e transportError) Unwrap() error { return e.cause }

// Answer asks, and again where the way there failed.
func (c *client) Answer(ctx context.Context, q Question) (Reply, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return Reply{}, fmt.Errorf("question: %w", err)
	}
	answer, err := c.Ask(ctx, body)
	if err != nil {
		return Reply{}, err
	}
	var reply Reply
	d := json.NewDecoder(bytes.NewReader(answer))
	d.DisallowUnknownFields() // a value of the registry would be one
	if err := d.Decode(&reply); err != nil {
		// Not wrapped: the decoder's text may quote the answer.
		return Reply{}, fmt.Errorf("%w: not as agreed", ErrAnswer)
	}
	return reply, nil
}

// Close ends the connections that are open.
func (c *Exchange) Close() { c.http.CloseIdleConnections() }

// Ask sends a question, and again where the way there failed, and returns the answer
// once its signature holds, it is of this question and of now.
//
// Errors: ErrStatus, ErrAnswer, ErrSignature, ErrNonce, ErrStale, wrapped; others of
// the way there. None holds what was asked or answered.
func (c *Exchange) Ask(ctx context.Context, body []byte) ([]byte, error) {
	if len(body) > c.about.MaxQuestion {
		return nil, fmt.Errorf("%w: the question is too long", ErrStatus)
	}
	for try := 0; ; try++ {
		answer, err := c.once(ctx, body)
		var lost transportError
		if err == nil || try == retries || !errors.As(err, &lost) || ctx.Err() != nil {
			return answer, err
		}
		wait := time.NewTimer(pause/2 + mrand.N(pause))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return nil, err
		}
	}
}

func (c *Exchange) once(ctx context.Context, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.at.URL, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("question: %w", err)
	}
	at, nonce := c.conf.Now().UTC().Format(time.RFC3339), rand.Text()
	for k, v := range map[string]string{"Content-Type": "application/json", headerKey: c.name, headerTime: at, headerNonce: nonce} {
		req.Header.Set(k, v)
	}
	if err := sign(req.Header, c.conf.Key, questionText(c.about.Name, at, nonce, body)); err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the address is known, and in no log twice
		}
		return nil, transportError{err}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, int64(c.about.MaxAnswer)+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%w: status %d", ErrStatus, resp.StatusCode)
	case err != nil:
		return nil, transportError{err}
	case len(answer) > c.about.MaxAnswer:
		return nil, fmt.Errorf("%w: too long", ErrAnswer)
	}
	then := resp.Header.Get(headerTime)
	switch {
	case resp.Header.Get(headerNonce) != nonce:
		return nil, ErrNonce
	case !signed(resp.Header, c.at.Key, answerText(then, nonce, body, answer)):
		return nil, ErrSignature
	case !near(then, c.conf.Now()):
		return nil, ErrStale
	}
	return answer, nil
}
