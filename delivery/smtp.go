package delivery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"

	"elicense"
)

// SMTP hands mail over to a server (RFC 5321). Addr and From are required.
type SMTP struct {
	Addr string // host:port
	TLS  TLSMode
	// User and Password sign in (AUTH PLAIN) where User is not empty.
	User, Password string
	From           string         // address of the sender
	Name           string         // of the sender, as it is shown
	Roots          *x509.CertPool // nil: those of the system
	Now            func() time.Time
}

// TLSMode is how the way to the mail server is protected.
type TLSMode string

// The modes. NoTLS is for a server on this machine alone.
const (
	StartTLS    TLSMode = "starttls"
	ImplicitTLS TLSMode = "implicit"
	NoTLS       TLSMode = "none"
)

// Check judges the configuration.
func (s *SMTP) Check() error {
	host, _, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return elicense.E(elicense.Invalid, "邮件服务器的地址要写成主机:端口").At("mail.addr")
	}
	if s.TLS == NoTLS && !loopback(host) || s.TLS != NoTLS && s.TLS != StartTLS && s.TLS != ImplicitTLS {
		return elicense.E(elicense.Invalid, "邮件服务器要用starttls或implicit加密连接").At("mail.tls").Then("本机的邮件服务器可以用none")
	}
	if _, err := normalize(Mail, s.From); err != nil {
		return elicense.E(elicense.Invalid, "发件地址写得不对").At("mail.from")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Send hands a mail over. A lasting refusal (5xx) of the recipient or the mail is
// Refused; one of the sign-in or of the sender is not the holder's matter, and is
// tried again.
func (s *SMTP) Send(ctx context.Context, t Text) (string, error) {
	host, _, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return "", fmt.Errorf("mail server: %w", err)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return "", fmt.Errorf("mail server: %w", err)
	}
	defer conn.Close()
	if end, some := ctx.Deadline(); some {
		if err := conn.SetDeadline(end); err != nil {
			return "", fmt.Errorf("mail server: %w", err)
		}
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	secure := &tls.Config{ServerName: host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
	if s.TLS == ImplicitTLS {
		conn = tls.Client(conn, secure)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return "", fmt.Errorf("mail server: %w", err)
	}
	if s.TLS == StartTLS {
		if err := c.StartTLS(secure); err != nil {
			return "", fmt.Errorf("mail server: starttls: %w", err)
		}
	}
	if s.User != "" {
		if err := c.Auth(smtp.PlainAuth("", s.User, s.Password, host)); err != nil {
			return "", fmt.Errorf("mail server: sign in: %w", err)
		}
	}
	if err := c.Mail(s.From); err != nil {
		return "", fmt.Errorf("mail server: sender: %w", err)
	}
	if err := c.Rcpt(t.To); err != nil {
		return "", lasting(err)
	}
	w, err := c.Data()
	if err != nil {
		return "", lasting(err)
	}
	if _, err := w.Write(s.letter(t)); err != nil {
		return "", fmt.Errorf("mail server: %w", err)
	}
	if err := w.Close(); err != nil {
		return "", lasting(err)
	}
	// It has the mail now; how the goodbye goes does not matter.
	_ = c.Quit()
	return "250", nil
}

// lasting tells a refusal that lasts from one that passes. The text of the server is
// kept without the address it may repeat: the code alone.
func lasting(err error) error {
	var e *textproto.Error
	if errors.As(err, &e) && e.Code >= 500 {
		return &Refused{fmt.Sprintf("邮件服务器拒收（%d）", e.Code)}
	}
	return fmt.Errorf("mail server: %w", err)
}

// letter is the mail (RFC 5322, text in base64, lines of 76).
func (s *SMTP) letter(t Text) []byte {
	var b strings.Builder
	from := s.From
	if s.Name != "" {
		from = mime.BEncoding.Encode("utf-8", s.Name) + "\r\n <" + s.From + ">"
	}
	_, domain, _ := strings.Cut(s.From, "@")
	for _, h := range [][2]string{
		{"From", from},
		{"To", t.To},
		{"Subject", mime.BEncoding.Encode("utf-8", t.Subject)},
		{"Date", s.Now().In(elicense.Shanghai).Format(time.RFC1123Z)},
		{"Message-ID", "<" + t.ID + "@" + domain + ">"},
		{"Auto-Submitted", "auto-generated"},
		{"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "base64"},
	} {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	b.WriteString("\r\n")
	body := base64.StdEncoding.EncodeToString([]byte(t.Body))
	for len(body) > 76 {
		b.WriteString(body[:76] + "\r\n")
		body = body[76:]
	}
	b.WriteString(body + "\r\n")
	return []byte(b.String())
}
