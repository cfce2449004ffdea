package main

import (
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"elicense"
	"elicense/demo"
	"elicense/gm"
	"elicense/registry"
)

// registryKeyName names the key the platform asks the base registries with.
const registryKeyName = "registry"

// registryEntry is a line of the file that names the registries asked over HTTP.
type registryEntry struct {
	Registry registry.ID `json:"registry"` // population, market, establishment, civil, other
	URL      string      `json:"url"`
	Key      string      `json:"key"` // file with its public key (PEM), beside the file that names it
}

// connectRegistries turns to the base registries of the file, or, in the demo, to
// the demo's over this machine's loopback, so that the demo walks the way service
// does. stop ends what was opened.
func (c *serveCmd) connectRegistries(p *platform) (stop func(), err error) {
	remote := map[registry.ID]registry.Remote{}
	own, err := p.openKey(registryKeyName)
	if err != nil {
		return nil, err
	}
	end := func() {}
	switch {
	case c.Registries != "":
		if remote, err = readRegistries(c.Registries); err != nil {
			return nil, err
		}
	case c.Demo:
		if remote, end, err = p.serveRegistries(own); err != nil {
			return nil, err
		}
	}
	asked, err := registry.New(registry.Config{Remote: remote, Embedded: p.embedded, Key: own, Now: p.clock.Now, Log: p.log})
	if err != nil {
		end()
		return nil, err
	}
	p.registries, p.issuer.Compare = asked, asked
	return func() { asked.Close(); end() }, nil
}

func readRegistries(file string) (map[registry.ID]registry.Remote, error) {
	bad := elicense.E(elicense.Invalid, "基础库的配置文件读不出").At("registries").Then("请对照运维文档核对文件和公钥")
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, bad.Because(err)
	}
	var list []registryEntry
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, bad.Because(err)
	}
	remote := map[registry.ID]registry.Remote{}
	for _, e := range list {
		if !filepath.IsAbs(e.Key) {
			e.Key = filepath.Join(filepath.Dir(file), e.Key)
		}
		pem, err := os.ReadFile(e.Key)
		if err != nil {
			return nil, bad.Because(err)
		}
		key, err := gm.ParsePublicKey(pem)
		if err != nil {
			return nil, bad.Because(err)
		}
		remote[e.Registry] = registry.Remote{URL: e.URL, Key: key}
	}
	return remote, nil
}

// serveRegistries serves the demo's registries on a loopback port.
func (p *platform) serveRegistries(client gm.Signer) (map[registry.ID]registry.Remote, func(), error) {
	key, err := gm.GenerateKey()
	if err != nil {
		return nil, nil, err
	}
	handler, err := registry.Serve(registry.Server{
		Holdings: p.embedded, Key: key, Clients: []*ecdsa.PublicKey{client.Public()}, Now: p.clock.Now, Log: p.log,
	})
	if err != nil {
		return nil, nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("the demo's registries: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: readTimeout, IdleTimeout: idleTimeout}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.log.Error("the demo's registries", "err", err)
		}
	}()
	remote := map[registry.ID]registry.Remote{}
	for _, r := range registry.All {
		remote[r.ID] = registry.Remote{URL: "http://" + l.Addr().String(), Key: key.Public()}
	}
	return remote, func() { server.Close() }, nil
}

// startMinistry serves the demo's source of references on a loopback port. It runs on
// the platform's clock, so that it can be asked while the demo is loaded, in its past.
func (p *platform) startMinistry() (stop func(), err error) {
	key, pem, err := newSigner()
	if err != nil {
		return nil, err
	}
	p.ministry, err = demo.StartMinistry(demo.MinistryConfig{
		File: filepath.Join(p.dir, "ministry", "changes.jsonl"), Key: key, PublicPEM: pem, Client: p.references.Key.Public(), Now: p.clock.Now, Log: p.log,
	})
	if err != nil {
		return nil, err
	}
	return p.ministry.Close, nil
}
