package main

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"elicense"
	"elicense/delivery"
	"elicense/demo"
	"elicense/gm"
)

// smsKeyName names the key requests to the SMS gateway are signed with.
const smsKeyName = "sms"

// channelsFile names the servers holders are told through. Files it names stand
// beside it.
type channelsFile struct {
	Mail *struct {
		Addr     string           `json:"addr"` // host:port
		TLS      delivery.TLSMode `json:"tls"`  // implicit, starttls; none on this machine
		User     string           `json:"user"`
		Password string           `json:"password"` // file that holds it
		From     string           `json:"from"`
		Name     string           `json:"name"`
		Roots    string           `json:"roots"` // file of certificates (PEM) the server's must chain to; empty is those of the system
	} `json:"mail"`
	SMS *struct {
		URL string `json:"url"`
	} `json:"sms"`
}

// connectChannels lets holders be told through the servers of the file or, in the
// demo, through the demo's on this machine. stop ends what was opened.
func (c *serveCmd) connectChannels(p *platform) (stop func(), err error) {
	if c.Channels == "" && !c.Demo {
		return func() {}, nil
	}
	key, err := p.openKey(smsKeyName)
	if err != nil {
		return nil, err
	}
	if c.Channels == "" {
		g, err := demo.StartGateways(key, p.clock.Now, p.log)
		if err != nil {
			return nil, err
		}
		p.outbox = g.Outbox
		p.delivery.Connect(delivery.Mail, g.Mail)
		p.delivery.Connect(delivery.SMS, g.SMS)
		return g.Close, nil
	}
	mail, sms, err := readChannels(c.Channels, key, p)
	if err != nil {
		return nil, err
	}
	stop = func() {}
	if mail != nil {
		p.delivery.Connect(delivery.Mail, mail)
	}
	if sms != nil {
		p.delivery.Connect(delivery.SMS, sms)
		stop = sms.Close
	}
	return stop, nil
}

func readChannels(file string, key gm.Signer, p *platform) (mail *delivery.SMTP, sms *delivery.Gateway, err error) {
	bad := elicense.E(elicense.Invalid, "邮件和短信的配置文件读不出").At("channels").Then("请对照运维文档核对文件")
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, bad.Because(err)
	}
	var f channelsFile
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields() // a name written wrong would leave its server out
	if err := d.Decode(&f); err != nil {
		return nil, nil, bad.Because(err)
	}
	beside := func(name string) ([]byte, error) {
		if name == "" {
			return nil, nil
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(file), name)
		}
		return os.ReadFile(name)
	}
	if f.Mail != nil {
		password, err := beside(f.Mail.Password)
		if err != nil {
			return nil, nil, bad.Because(err)
		}
		roots, err := beside(f.Mail.Roots)
		if err != nil {
			return nil, nil, bad.Because(err)
		}
		mail = &delivery.SMTP{
			Addr: f.Mail.Addr, TLS: f.Mail.TLS, User: f.Mail.User, Password: strings.TrimSpace(string(password)), From: f.Mail.From, Name: f.Mail.Name, Now: p.clock.Now,
		}
		if roots != nil {
			mail.Roots = x509.NewCertPool()
			if !mail.Roots.AppendCertsFromPEM(roots) {
				return nil, nil, bad.Because(errors.New("roots hold no certificate"))
			}
		}
		if err := mail.Check(); err != nil {
			return nil, nil, err
		}
	}
	if f.SMS != nil {
		if sms, err = delivery.NewGateway(f.SMS.URL, key, p.clock.Now); err != nil {
			return nil, nil, err
		}
	}
	return mail, sms, nil
}

// openKey opens a key of the platform's own, making it when it is first needed.
func (p *platform) openKey(name string) (gm.Signer, error) {
	key, err := p.keys.Open(name)
	if errors.Is(err, gm.ErrNoKey) {
		key, err = p.keys.Create(name)
	}
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	return key, nil
}

// publicKey answers with the public key others check the platform's requests by.
func (p *platform) publicKey(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, err := p.openKey(name)
		var pem []byte
		if err == nil {
			pem, err = gm.MarshalPublicKey(key.Public())
		}
		if err != nil {
			p.log.Error("public key", "name", name, "err", err)
			http.Error(w, "unavailable", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(pem)
	}
}
