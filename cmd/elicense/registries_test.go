package main

import (
	"crypto/ecdsa"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"elicense"
	"elicense/demo"
	"elicense/gm"
	"elicense/registry"
)

// TestRegistriesAreConnected asks registries of a file, and the demo's over
// loopback where there is none.
func TestRegistriesAreConnected(t *testing.T) {
	p, err := openPlatform(t.Context(), place{Data: t.TempDir()}, "http://localhost", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	own, err := p.openKey(registryKeyName)
	if err != nil {
		t.Fatal(err)
	}
	key, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	data, err := demo.Read()
	if err != nil {
		t.Fatal(err)
	}
	theirs := demo.NewRegistry(data)
	handler, err := registry.Serve(registry.Server{Holdings: theirs, Key: key, Clients: []*ecdsa.PublicKey{own.Public()}, Now: p.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	outside := httptest.NewServer(handler)
	defer outside.Close()
	dir := t.TempDir()
	pem, err := gm.MarshalPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write("market.pem", string(pem))
	file := write("registries.json", `[{"registry": "market", "url": "`+outside.URL+`", "key": "market.pem"}]`)
	firm := elicense.HolderRef{CodeType: elicense.CodeUSCC, Code: "91350102FJDEM90180", Name: "福州示例餐饮有限公司"}
	ask := func(c serveCmd) registry.Comparison {
		t.Helper()
		stop, err := c.connectRegistries(p)
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		got, _ := p.registries.Compare(t.Context(), firm, nil)
		return got
	}
	if got := ask(serveCmd{Registries: file}); got.Outcome != registry.Match {
		t.Errorf("over HTTP: %+v", got)
	}
	theirs.SetDown(true)
	if got := ask(serveCmd{Registries: file}); got.Outcome != registry.Unavailable {
		t.Errorf("the registry of the file is down: %+v", got)
	}
	if got := ask(serveCmd{Demo: true}); got.Outcome != registry.Match {
		t.Errorf("the demo's: %+v", got)
	}
	for name, text := range map[string]string{
		"no list": `{}`, "no key": `[{"registry": "market", "url": "https://registry.example", "key": "none.pem"}]`,
		"nobody":   `[{"registry": "nobody", "url": "https://registry.example", "key": "market.pem"}]`,
		"in clear": `[{"registry": "market", "url": "http://registry.example", "key": "market.pem"}]`,
	} {
		if _, err := (&serveCmd{Registries: write("bad.json", text)}).connectRegistries(p); !elicense.IsKind(err, elicense.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
