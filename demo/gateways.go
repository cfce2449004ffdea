package demo

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/mail"
	"time"

	"github.com/emersion/go-smtp"

	"elicense"
	"elicense/delivery"
)

// NoSuchNumber is a number the demo's gateway refuses, so that the list of what could
// not be delivered has something to show.
const NoSuchNumber = "13900000404"

// Gateways are the demo's mail server and SMS gateway on this machine's loopback,
// which the platform reaches the way it does in service. What they take stands in the
// outbox.
type Gateways struct {
	Outbox *delivery.Outbox
	Mail   *delivery.SMTP
	SMS    *delivery.Gateway

	mail *smtp.Server
	sms  *http.Server
}

// StartGateways starts them; key signs the platform's requests to the SMS gateway.
func StartGateways(key delivery.Signer, now func() time.Time, logger *slog.Logger) (*Gateways, error) {
	g := &Gateways{Outbox: &delivery.Outbox{Now: now}}
	ml, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the demo's mail server: %w", err)
	}
	sl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		ml.Close()
		return nil, fmt.Errorf("the demo's SMS gateway: %w", err)
	}
	const limit = 10 * time.Second
	g.mail = smtp.NewServer(mailroom{g.Outbox})
	g.mail.ReadTimeout, g.mail.WriteTimeout, g.mail.MaxMessageBytes = limit, limit, 64<<10
	g.mail.ErrorLog = log.New(io.Discard, "", 0)
	g.Mail = &delivery.SMTP{Addr: ml.Addr().String(), TLS: delivery.NoTLS, From: "no-reply@fj.example.gov.cn", Name: "福建省电子证照平台", Now: now}
	handler := delivery.GatewayHandler(key.Public(), now, func(t delivery.Text) error {
		if t.To == NoSuchNumber {
			return elicense.E(elicense.Invalid, "空号")
		}
		g.Outbox.Take(delivery.SMS, t)
		return nil
	})
	g.sms = &http.Server{Handler: handler, ReadHeaderTimeout: limit, ReadTimeout: limit, WriteTimeout: limit, IdleTimeout: time.Minute}
	if g.SMS, err = delivery.NewGateway("http://"+sl.Addr().String()+"/", key, now); err != nil {
		return nil, errors.Join(err, ml.Close(), sl.Close())
	}
	go func() {
		if err := g.mail.Serve(ml); err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			logger.Error("the demo's mail server", "err", err)
		}
	}()
	go func() {
		if err := g.sms.Serve(sl); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("the demo's SMS gateway", "err", err)
		}
	}()
	return g, nil
}

// Close ends both.
func (g *Gateways) Close() {
	g.SMS.Close()
	g.mail.Close()
	g.sms.Close()
}

// mailroom takes mails into the outbox.
type mailroom struct{ outbox *delivery.Outbox }

func (m mailroom) NewSession(*smtp.Conn) (smtp.Session, error) {
	return &mailSession{outbox: m.outbox}, nil
}

type mailSession struct {
	outbox *delivery.Outbox
	to     string
}

func (s *mailSession) Mail(string, *smtp.MailOptions) error { return nil }

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return err
	}
	body, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, m.Body))
	if err != nil {
		return err
	}
	s.outbox.Take(delivery.Mail, delivery.Text{ID: m.Header.Get("Message-ID"), To: s.to, Subject: subject, Body: string(body)})
	return nil
}

func (s *mailSession) Reset()        { s.to = "" }
func (s *mailSession) Logout() error { return nil }
