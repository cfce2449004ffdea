package seal

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"elicense/gm"
)

// distid is the identifier every signature here is made with. OpenSSL has none by
// itself, and hands it on to the first link of a chain only.
const distid = "distid:1234567812345678"

// openssl is the command in a folder of its own.
type openssl struct {
	t    *testing.T
	path string
	dir  string
}

func newOpenSSL(t *testing.T) *openssl {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl is missing")
		}
		t.Skip("openssl is missing")
	}
	return &openssl{t, path, t.TempDir()}
}

func (o *openssl) write(name string, data []byte) {
	o.t.Helper()
	if err := os.WriteFile(filepath.Join(o.dir, name), data, 0o600); err != nil {
		o.t.Fatal(err)
	}
}

func (o *openssl) run(args ...string) (string, error) {
	cmd := exec.Command(o.path, args...)
	cmd.Dir = o.dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (o *openssl) want(says string, args ...string) {
	o.t.Helper()
	if out, err := o.run(args...); err != nil || !strings.Contains(out, says) {
		o.t.Errorf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Another implementation agrees with our certificates, link by link, with a raw
// signature taken out of one of our files, and with a seal maker's.
func TestOpenSSLAgrees(t *testing.T) {
	o := newOpenSSL(t)
	p := newParties(t)
	caKey, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	to := begin.AddDate(4, 0, 0)
	ca, err := p.ca.IssueCA(caKey.Public(), gm.Name{Unit: "示例机构", CommonName: "中级机构"}, 0, begin, to)
	if err != nil {
		t.Fatal(err)
	}
	unit, err := (&gm.Authority{Root: ca, Key: caKey}).Issue(p.signerKey.Public(), gm.Name{Unit: "签章人", CommonName: "签章人"}, begin, to)
	if err != nil {
		t.Fatal(err)
	}
	o.write("root.pem", p.root.PEM())
	o.write("ca.pem", ca.PEM())
	o.write("unit.pem", unit.PEM())
	o.write("maker.pem", p.maker.PEM())
	attime := strconv.FormatInt(signedAt.Unix(), 10)
	t.Run("certificates", func(t *testing.T) {
		o.t = t
		o.want("OK", "verify", "-attime", attime, "-vfyopt", distid, "-trusted", "root.pem", "ca.pem")
		o.want("OK", "verify", "-attime", attime, "-vfyopt", distid, "-partial_chain", "-trusted", "ca.pem", "unit.pem")
		o.want("OK", "verify", "-attime", attime, "-vfyopt", distid, "-trusted", "root.pem", "maker.pem")
		if out, err := o.run("verify", "-attime", attime, "-vfyopt", distid, "-partial_chain", "-trusted", "root.pem", "unit.pem"); err == nil {
			t.Errorf("the unit's certificate hangs on the root: %s", out)
		}
		o.want("SM2-with-SM3", "x509", "-in", "unit.pem", "-noout", "-text")
	})
	p.spec.Signers = []*gm.Certificate{unit}
	file := p.forge(t, func(f *forgery) { f.cert, f.stamp = unit, p.stampAt(t, signedAt) })
	value, err := members(entry(t, file, fileSignedValue))
	if err != nil {
		t.Fatal(err)
	}
	tbs, err := split(value[0].body)
	if err != nil {
		t.Fatal(err)
	}
	sealDER, err := split(tbs[1].body)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("signatures", func(t *testing.T) {
		o.t = t
		for _, s := range []struct {
			by               string
			signed, signedBy element
		}{{"unit", value[0], value[3]}, {"maker", sealDER[0], sealDER[3]}} {
			sig, err := s.signedBy.bits()
			if err != nil {
				t.Fatal(err)
			}
			o.write("signed.der", s.signed.full)
			o.write("sig.der", sig)
			pub, err := o.run("x509", "-in", s.by+".pem", "-pubkey", "-noout")
			if err != nil {
				t.Fatal(pub)
			}
			o.write("pub.pem", []byte(pub))
			o.want("Verified Successfully", "pkeyutl", "-verify", "-rawin", "-digest", "sm3", "-pkeyopt", distid, "-pubin", "-inkey", "pub.pem", "-in", "signed.der", "-sigfile", "sig.der")
			o.want("Verified OK", "dgst", "-sm3", "-sigopt", distid, "-verify", "pub.pem", "-signature", "sig.der", "signed.der")
			o.write("signed.der", append(s.signed.full[:len(s.signed.full)-1:len(s.signed.full)-1], 0))
			if out, err := o.run("dgst", "-sm3", "-sigopt", distid, "-verify", "pub.pem", "-signature", "sig.der", "signed.der"); err == nil {
				t.Errorf("a changed message verifies: %s", out)
			}
		}
	})
	t.Run("requests, revocation lists and time stamps", func(t *testing.T) {
		o.t = t
		req, err := gm.NewRequest(p.signerKey, gm.Name{Unit: "签章人", CommonName: "签章人"})
		if err != nil {
			t.Fatal(err)
		}
		o.write("req.der", req)
		o.want("verify OK", "req", "-inform", "DER", "-in", "req.der", "-verify", "-vfyopt", distid, "-noout")
		o.write("list.pem", p.list(t, unit, signedAt, gm.ReasonKeyCompromise).PEM())
		o.want("Key Compromise", "crl", "-in", "list.pem", "-noout", "-text")
		o.write("data", []byte("data"))
		o.want("", "ts", "-query", "-data", "data", "-sm3", "-cert", "-out", "q.tsq")
		query, err := os.ReadFile(filepath.Join(o.dir, "q.tsq"))
		if err != nil {
			t.Fatal(err)
		}
		p.now = signedAt
		answer, err := p.tsa.Answer(query)
		if err != nil {
			t.Fatal(err)
		}
		o.write("a.tsr", answer)
		o.want("Time stamp: "+signedAt.Format("Jan _2 15:04:05 2006 GMT"), "ts", "-reply", "-in", "a.tsr", "-text")
	})
}
