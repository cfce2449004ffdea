package delivery_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"math/big"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"elicense"
	"elicense/delivery"
	"elicense/gm"
)

// post is a mail server as others write them, which the client under test has never
// met.
type post struct {
	server *smtp.Server
	addr   string
	roots  *x509.CertPool

	mu      sync.Mutex
	got     []string // mails, as they came
	refuse  error    // of a recipient
	secured []bool   // how each came
}

func startPost(t *testing.T, implicit bool) *post {
	t.Helper()
	p := &post{roots: x509.NewCertPool()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "mail"}}, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	p.roots.AddCert(cert)
	p.server = smtp.NewServer(p)
	p.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	p.server.ErrorLog = log.New(io.Discard, "", 0)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p.addr = l.Addr().String()
	if implicit {
		l = tls.NewListener(l, p.server.TLSConfig)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = p.server.Serve(l) }()
	t.Cleanup(func() { p.server.Close(); <-done })
	return p
}

func (p *post) NewSession(c *smtp.Conn) (smtp.Session, error) {
	_, secured := c.TLSConnectionState()
	return &postSession{p: p, secured: secured}, nil
}

type postSession struct {
	p       *post
	secured bool
	in      bool
}

func (s *postSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *postSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "elicense" || password != "secret" {
			return smtp.ErrAuthFailed
		}
		s.in = true
		return nil
	}), nil
}

func (s *postSession) Mail(string, *smtp.MailOptions) error {
	if !s.in {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *postSession) Rcpt(string, *smtp.RcptOptions) error {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	return s.p.refuse
}

func (s *postSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.got, s.p.secured = append(s.p.got, string(b)), append(s.p.secured, s.secured)
	return err
}

func (s *postSession) Reset()        {}
func (s *postSession) Logout() error { return nil }

var now = func() time.Time { return time.Date(2026, 11, 23, 9, 30, 0, 0, elicense.Shanghai) }

// TestMailReachesARealServer over both kinds of encrypted connection, signed in, as a
// mail other programs can read.
func TestMailReachesARealServer(t *testing.T) {
	for mode, implicit := range map[delivery.TLSMode]bool{delivery.StartTLS: false, delivery.ImplicitTLS: true} {
		t.Run(string(mode), func(t *testing.T) {
			p := startPost(t, implicit)
			s := &delivery.SMTP{Addr: p.addr, TLS: mode, User: "elicense", Password: "secret", From: "no-reply@fj.example.gov.cn", Name: "福建省电子证照平台", Roots: p.roots, Now: now}
			must(t, s.Check())
			text := delivery.Text{ID: "01m", To: "shop@example.com", Subject: "您有新的电子证照", Body: strings.Repeat("某局为您签发了电子证照。\n.\n", 20)}
			answer, err := s.Send(t.Context(), text)
			if err != nil || answer != "250" {
				t.Fatalf("%q, %v", answer, err)
			}
			if len(p.got) != 1 || !p.secured[0] {
				t.Fatalf("%d mails, encrypted %v", len(p.got), p.secured)
			}
			m, err := mail.ReadMessage(strings.NewReader(p.got[0]))
			must(t, err)
			subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
			must(t, err)
			from, err := m.Header.AddressList("From")
			must(t, err)
			at, err := m.Header.Date()
			must(t, err)
			body, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, m.Body))
			must(t, err)
			if subject != text.Subject || from[0].Name != "福建省电子证照平台" || from[0].Address != s.From || string(body) != text.Body || !at.Equal(now()) || m.Header.Get("Message-ID") != "<01m@fj.example.gov.cn>" {
				t.Errorf("%q from %v at %v: %q, %s", subject, from, at, body, m.Header.Get("Message-ID"))
			}
			for _, line := range strings.Split(p.got[0], "\r\n") {
				if len(line) > 78 {
					t.Errorf("a line of %d", len(line))
				}
			}

			var refused *delivery.Refused
			p.refuse = &smtp.SMTPError{Code: 550, Message: "<shop@example.com> unknown"}
			if _, err := s.Send(t.Context(), text); !errors.As(err, &refused) || strings.Contains(refused.Answer, "shop") || !strings.Contains(refused.Answer, "550") {
				t.Errorf("no such mailbox: %v", err)
			}
			p.refuse = &smtp.SMTPError{Code: 451, Message: "later"}
			if _, err := s.Send(t.Context(), text); err == nil || errors.As(err, &refused) {
				t.Errorf("a refusal for now: %v", err)
			}
			bad := *s
			bad.Password = "wrong"
			if _, err := bad.Send(t.Context(), text); err == nil || errors.As(err, &refused) {
				t.Errorf("our own wrong password: %v", err)
			}
			bad = *s
			bad.Roots = x509.NewCertPool()
			if _, err := bad.Send(t.Context(), text); err == nil || errors.As(err, &refused) {
				t.Errorf("a server nobody vouches for: %v", err)
			}
			if len(p.got) != 1 {
				t.Errorf("%d mails", len(p.got))
			}
		})
	}
}

// TestASilentMailServerIsGivenUp when the time for an attempt is over.
func TestASilentMailServerIsGivenUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	s := &delivery.SMTP{Addr: l.Addr().String(), TLS: delivery.NoTLS, From: "no-reply@example.com", Now: now}
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if _, err := s.Send(ctx, delivery.Text{ID: "1", To: "a@example.com"}); err == nil {
		t.Error("a server that says nothing took a mail")
	}
}

// TestMailGoesOverAnOpenLineToThisMachineAlone, and no password goes with it.
func TestMailGoesOverAnOpenLineToThisMachineAlone(t *testing.T) {
	for _, s := range []delivery.SMTP{
		{Addr: "mail.example.com:25", TLS: delivery.NoTLS, From: "a@example.com"},
		{Addr: "mail.example.com", TLS: delivery.StartTLS, From: "a@example.com"},
		{Addr: "mail.example.com:25", From: "a@example.com"},
		{Addr: "mail.example.com:25", TLS: delivery.StartTLS, From: "nobody"},
	} {
		wants(t, elicense.Invalid, s.Check(), s.Addr+" "+string(s.TLS))
	}
}

// TestTheGatewaySendsEachSMSOnce: repeated under its number it is not sent again; what
// is not signed is not believed; statuses tell what to try again.
func TestTheGatewaySendsEachSMSOnce(t *testing.T) {
	key, err := gm.GenerateKey()
	must(t, err)
	stranger, err := gm.GenerateKey()
	must(t, err)
	var got []delivery.Text
	var answer error
	server := httptest.NewServer(delivery.GatewayHandler(key.Public(), now, func(x delivery.Text) error {
		if answer == nil {
			got = append(got, x)
		}
		return answer
	}))
	defer server.Close()
	gate := func(key gm.Signer, now func() time.Time) *delivery.Gateway {
		g, err := delivery.NewGateway(server.URL, key, now)
		must(t, err)
		t.Cleanup(g.Close)
		return g
	}
	text := delivery.Text{ID: "01s", To: number, Body: "某局为您签发了电子证照"}
	for range 3 {
		if a, err := gate(key, now).Send(t.Context(), text); err != nil || a != "202" {
			t.Fatalf("%q, %v", a, err)
		}
	}
	if len(got) != 1 || got[0].Body != text.Body {
		t.Errorf("sent %+v", got)
	}
	var refused *delivery.Refused
	again := func(err error, what string) {
		t.Helper()
		if err == nil || errors.As(err, &refused) {
			t.Errorf("%s: %v", what, err)
		}
	}
	other := delivery.Text{ID: "02s", To: number, Body: "x"}
	_, err = gate(stranger, now).Send(t.Context(), other)
	again(err, "signed by a stranger")
	_, err = gate(key, func() time.Time { return now().Add(-time.Hour) }).Send(t.Context(), other)
	again(err, "signed an hour ago")
	answer = errors.New("busy")
	_, err = gate(key, now).Send(t.Context(), other)
	again(err, "a gateway that is busy")
	answer = elicense.E(elicense.Invalid, "空号")
	if _, err = gate(key, now).Send(t.Context(), other); !errors.As(err, &refused) || strings.Contains(refused.Answer, number) {
		t.Errorf("no such number: %v", err)
	}
	answer = nil
	if _, err := gate(key, now).Send(t.Context(), other); err != nil || len(got) != 2 {
		t.Errorf("what was refused can be sent later: %v", err)
	}
	for _, status := range []int{302, 401, 403, 408, 429, 500, 503} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", server.URL)
			w.WriteHeader(status)
		}))
		g, err := delivery.NewGateway(s.URL, key, now)
		must(t, err)
		_, err = g.Send(t.Context(), other)
		again(err, http.StatusText(status))
		g.Close()
		s.Close()
	}
	for _, address := range []string{"http://sms.example.com/", "https://a:b@sms.example.com/", "sms.example.com", ""} {
		_, err := delivery.NewGateway(address, key, now)
		wants(t, elicense.Invalid, err, address)
	}
}
