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
type client struct {
	at   Remote
	name string // of our key
	conf Config
	http *http.Client
}

func newClient(at Remote, c Config) (*client, error) {
	u, err := url.Parse(at.URL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return nil, elicense.E(elicense.Invalid, "基础库的地址要是https地址，不带用户名和参数").At("url").Then("本机的基础库可以用http")
	}
	if at.Key == nil || c.Key == nil {
		return nil, elicense.E(elicense.Invalid, "基础库要有验签公钥，平台要有签名密钥").At("key")
	}
	if c.Wait == 0 {
		c.Wait = defaultWait
	}
	at.URL = strings.TrimRight(at.URL, "/") + comparePath
	name, err := keyName(c.Key.Public())
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return &client{at, name, c, &http.Client{
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
	if len(body) > maxQuestion {
		return Reply{}, fmt.Errorf("%w: the question is too long", ErrStatus)
	}
	for try := 0; ; try++ {
		reply, err := c.once(ctx, body)
		var lost transportError
		if err == nil || try == retries || !errors.As(err, &lost) || ctx.Err() != nil {
			return reply, err
		}
		wait := time.NewTimer(pause/2 + mrand.N(pause))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return Reply{}, err
		}
	}
}

func (c *client) once(ctx context.Context, body []byte) (Reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.at.URL, bytes.NewReader(body))
	if err != nil {
		return Reply{}, fmt.Errorf("question: %w", err)
	}
	at, nonce := c.conf.Now().UTC().Format(time.RFC3339), rand.Text()
	for k, v := range map[string]string{"Content-Type": "application/json", headerKey: c.name, headerTime: at, headerNonce: nonce} {
		req.Header.Set(k, v)
	}
	if err := sign(req.Header, c.conf.Key, questionText(at, nonce, body)); err != nil {
		return Reply{}, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the address is known, and in no log twice
		}
		return Reply{}, transportError{err}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return Reply{}, fmt.Errorf("%w: status %d", ErrStatus, resp.StatusCode)
	case err != nil:
		return Reply{}, transportError{err}
	case len(answer) > maxAnswer:
		return Reply{}, fmt.Errorf("%w: too long", ErrAnswer)
	}
	then := resp.Header.Get(headerTime)
	switch {
	case resp.Header.Get(headerNonce) != nonce:
		return Reply{}, ErrNonce
	case !signed(resp.Header, c.at.Key, answerText(then, nonce, body, answer)):
		return Reply{}, ErrSignature
	case !near(then, c.conf.Now()):
		return Reply{}, ErrStale
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
