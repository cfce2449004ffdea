package sealing_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/document"
	"elicense/e2e/world"
	"elicense/gm"
	"elicense/issuance"
	"elicense/seal"
	"elicense/sealing"
	"elicense/sheet/sheettest"
	"elicense/store"
)

func want(t *testing.T, err error, k elicense.Kind) {
	t.Helper()
	if !elicense.IsKind(err, k) {
		t.Errorf("error %v, want kind %v", err, k)
	}
}

// fileOf reads the sealed file of a draft that was published.
func fileOf(ctx context.Context, w *world.World, d *issuance.Draft) (file []byte, err error) {
	var name string
	var digest []byte
	err = w.DB.View(ctx, func(tx *store.Tx) error {
		return tx.Row(`SELECT file, file_digest FROM key_use WHERE subject = $1`, d.ID).Scan(&name, &digest)
	})
	if err == nil {
		file, err = w.DB.Files().Get(ctx, name, digest)
	}
	return file, err
}

// A seal goes from application to use by two persons, and every step is kept.
func TestCourseOfASeal(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		_, err := w.Seals.Apply(ctx, w.Window, sealing.Application{})
		want(t, err, elicense.Forbidden)
		s, err := w.Seals.Apply(ctx, w.Reviewer, sealing.Application{Line: "行政审批专用章"})
		if err != nil {
			t.Fatal(err)
		}
		want(t, w.Seals.Move(ctx, w.Admin, s.ID, sealing.Enabled, ""), elicense.Conflict)
		want(t, w.Seals.Make(ctx, w.Reviewer, s.ID), elicense.Forbidden)
		for _, step := range []func() error{
			func() error { return w.Seals.Make(ctx, w.Admin, s.ID) },
			func() error { return w.Seals.Move(ctx, w.Admin, s.ID, sealing.Filed, "") },
			func() error { return w.Seals.Move(ctx, w.Admin, s.ID, sealing.Enabled, "") },
		} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		want(t, w.Seals.Move(ctx, w.Reviewer, s.ID, sealing.Disabled, ""), elicense.Invalid)
		if err := w.Seals.Move(ctx, w.Reviewer, s.ID, sealing.Disabled, "印章疑似被冒用"); err != nil {
			t.Fatal(err)
		}
		d, err := w.Seals.Details(ctx, w.Auditor, s.ID)
		if err != nil {
			t.Fatal(err)
		}
		var course []string
		for _, e := range d.Events {
			course = append(course, string(e.State))
		}
		if got := strings.Join(course, " "); got != "applied made filed enabled disabled" {
			t.Errorf("course %s", got)
		}
		if d.Remark != "印章疑似被冒用" || d.Events[4].Name != "黄演示" {
			t.Errorf("remark %q by %s", d.Remark, d.Events[4].Name)
		}
		_, err = w.Seals.Details(ctx, w.Window, s.ID)
		want(t, err, elicense.Forbidden)
		w.Fsck(t)
	})
}

// Nothing is sealed with a seal that is disabled, cancelled, out of its term, or
// whose certificate was revoked; what was sealed before stays genuine.
func TestOnlyUsableSealsSeal(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		d := w.Publish(t, w.Completion("0001"))
		file, err := fileOf(ctx, w, d)
		if err != nil {
			t.Fatal(err)
		}
		genuine := func() {
			t.Helper()
			o, err := w.Trust(ctx)
			if err != nil {
				t.Fatal(err)
			}
			o.Now = w.Clock.Now()
			if r := document.Judge(file, o); r.Verdict != document.Genuine {
				t.Errorf("the license is %s: %+v", r.Verdict, r.Checks)
			}
		}
		genuine()
		if uses, err := w.Seals.Details(ctx, w.Auditor, w.Seal); err != nil || uses.Count != 1 || uses.Uses[0].State != "stored" {
			t.Errorf("the log has %+v, %v", uses, err)
		}
		if err := w.Seals.Move(ctx, w.Admin, w.Seal, sealing.Disabled, "盘点"); err != nil {
			t.Fatal(err)
		}
		_, err = w.Seals.InHand(ctx, world.Issuer, sealing.ForLicenses)
		want(t, err, elicense.NotFound)
		if err := w.Seals.Move(ctx, w.Admin, w.Seal, sealing.Enabled, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Seals.InHand(ctx, world.Issuer, sealing.ForLicenses); err != nil {
			t.Fatal(err)
		}
		// A renewed seal takes over; the old one's license stays what it is.
		w.Clock.Move(time.Minute)
		renewed := w.MakeSeal(t, "电子证照专用章")
		if h, err := w.Seals.InHand(ctx, world.Issuer, sealing.ForLicenses); err != nil || h.ID != renewed {
			t.Errorf("in hand is %v, %v; want the renewed seal", h, err)
		}
		w.Clock.Move(time.Hour)
		if err := w.Seals.Move(ctx, w.Admin, w.Seal, sealing.Cancelled, "换发"); err != nil {
			t.Fatal(err)
		}
		w.Clock.Move(time.Hour)
		genuine()
		want(t, w.Seals.Move(ctx, w.Admin, w.Seal, sealing.Enabled, ""), elicense.Conflict)
		w.Clock.Move(6 * 366 * 24 * time.Hour)
		_, err = w.Seals.InHand(ctx, world.Issuer, sealing.ForLicenses)
		want(t, err, elicense.Unavailable)
		genuine()
	})
}

// Seals made elsewhere are taken in as GB/T 38540 files if they can be judged and
// used.
func TestImportedSeal(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	p := newProvince(t, w)
	if _, err := w.Seals.Import(ctx, w.Admin, world.Issuer, p.file(t, p.unitCert(t, p.key)), "province"); !elicense.IsKind(err, elicense.Invalid) {
		t.Errorf("before its root is known: %v", err)
	}
	if _, err := w.Seals.ImportTrust(ctx, w.Admin, sealing.TrustRoot, p.root.PEM()); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{
		"no seal":                 []byte("x"),
		"of another key":          p.file(t, p.unitCert(t, p.other)),
		"altered":                 altered(p.file(t, p.unitCert(t, p.key))),
		"of one who names nobody": p.nobody(t),
	} {
		if _, err := w.Seals.Import(ctx, w.Admin, world.Issuer, file, "province"); !elicense.IsKind(err, elicense.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.Clock.Move(time.Minute)
	s, err := w.Seals.Import(ctx, w.Admin, world.Issuer, p.file(t, p.unitCert(t, p.key)), "province")
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []sealing.State{sealing.Filed, sealing.Enabled} {
		if err := w.Seals.Move(ctx, w.Admin, s.ID, to, ""); err != nil {
			t.Fatal(err)
		}
	}
	d := w.Publish(t, w.Completion("0002"))
	file, err := fileOf(ctx, w, d)
	if err != nil {
		t.Fatal(err)
	}
	o, err := w.Trust(ctx)
	if err != nil {
		t.Fatal(err)
	}
	o.Now = w.Clock.Now()
	if r := document.Judge(file, o); r.Verdict != document.Genuine || r.Signatures[0].SealName != "省印章系统的章" {
		t.Errorf("%s by %s", r.Verdict, r.Signatures[0].SealName)
	}
	t.Run("the province's revocation list stops it", func(t *testing.T) {
		h, err := w.Seals.InHand(ctx, world.Issuer, sealing.ForLicenses)
		if err != nil {
			t.Fatal(err)
		}
		gone, err := h.Cert.Revoke(w.Clock.Now(), gm.ReasonKeyCompromise)
		if err != nil {
			t.Fatal(err)
		}
		l, err := p.ca.RevocationList([]gm.Revoked{gone}, 1, w.Clock.Now(), w.Clock.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		w.Clock.Move(time.Minute)
		if _, err := w.Seals.ImportTrust(ctx, w.Admin, sealing.TrustList, l.PEM()); err != nil {
			t.Fatal(err)
		}
		if h, err := w.Seals.InHand(ctx, world.Issuer, sealing.ForLicenses); err == nil && h.ID == s.ID {
			t.Error("a revoked certificate is still in hand")
		}
	})
	_, err = w.Seals.ImportTrust(ctx, w.Drafter, sealing.TrustRoot, p.root.PEM())
	want(t, err, elicense.Forbidden)
	_, err = w.Seals.ImportTrust(ctx, w.Admin, sealing.TrustRoot, []byte("no certificate"))
	want(t, err, elicense.Invalid)
}

// province is a seal system elsewhere.
type province struct {
	ca         gm.Authority
	root       *gm.Certificate
	makerKey   gm.Signer
	maker      *gm.Certificate
	key, other gm.Signer
	now        time.Time
	picture    []byte
}

func newProvince(t *testing.T, w *world.World) *province {
	t.Helper()
	p := &province{now: w.Clock.Now().UTC().Truncate(time.Second)}
	key := func() gm.Signer {
		k, err := gm.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	var err error
	rootKey := key()
	if p.root, err = gm.NewRoot(rootKey, gm.Name{Unit: "省印章系统", CommonName: "省根"}, p.now.Add(-time.Hour), p.now.AddDate(10, 0, 0)); err != nil {
		t.Fatal(err)
	}
	p.ca = gm.Authority{Root: p.root, Key: rootKey}
	p.makerKey, p.other = key(), key()
	if p.maker, err = p.ca.Issue(p.makerKey.Public(), gm.Name{Unit: "省印章系统", CommonName: "制章"}, p.now.Add(-time.Hour), p.now.AddDate(5, 0, 0)); err != nil {
		t.Fatal(err)
	}
	if p.key, err = w.Seals.Keys.Create("province"); err != nil {
		t.Fatal(err)
	}
	if p.picture, err = seal.Draw(seal.Drawing{Name: "省印章系统的章", Diameter: 42}, sheettest.Fonts(t)); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *province) unitCert(t *testing.T, k gm.Signer) *gm.Certificate {
	t.Helper()
	c, err := p.ca.Issue(k.Public(), gm.Name{Unit: "示例单位", CommonName: "示例单位"}, p.now.Add(-time.Minute), p.now.AddDate(2, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (p *province) file(t *testing.T, names *gm.Certificate) []byte {
	t.Helper()
	s, err := seal.Make(seal.Spec{
		ID: "FJ0001", Vendor: "province", Type: 1, Name: "省印章系统的章", Signers: []*gm.Certificate{names}, Created: p.now, From: p.now.Add(-time.Minute), To: p.now.AddDate(1, 0, 0),
		Picture: p.picture, W: 42, H: 42,
	}, p.makerKey, p.maker)
	if err != nil {
		t.Fatal(err)
	}
	return s.DER
}

// nobody is a seal of another maker that is not under the root.
func (p *province) nobody(t *testing.T) []byte {
	stranger := *p
	k, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	root, err := gm.NewRoot(k, gm.Name{CommonName: "无名"}, p.now.Add(-time.Hour), p.now.AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	stranger.ca = gm.Authority{Root: root, Key: k}
	stranger.makerKey = p.other
	if stranger.maker, err = stranger.ca.Issue(p.other.Public(), gm.Name{CommonName: "无名制章"}, p.now.Add(-time.Minute), p.now.AddDate(1, 0, 0)); err != nil {
		t.Fatal(err)
	}
	return stranger.file(t, p.unitCert(t, p.key))
}

func altered(file []byte) []byte {
	out := append([]byte{}, file...)
	out[len(out)/2] ^= 1
	return out
}

// The same register seals through a service that keeps the keys elsewhere.
func TestRemoteSealingService(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	keys, err := gm.OpenKeyStore(t.TempDir(), []byte("elsewhere"))
	if err != nil {
		t.Fatal(err)
	}
	fail := false
	service := &sealing.Service{Keys: keys, Token: "secret"}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if fail && strings.HasSuffix(r.URL.Path, "/sign") {
			http.Error(rw, "down", http.StatusServiceUnavailable)
			return
		}
		service.ServeHTTP(rw, r)
	}))
	defer server.Close()
	local := w.Seals.Keys
	w.Seals.Keys = &split{local, sealing.NewRemote(server.URL, "secret")}
	w.Clock.Move(time.Minute)
	remote := w.MakeSeal(t, "远程专用章")
	h, err := w.Seals.InHand(ctx, world.Issuer, sealing.ForLicenses)
	if err != nil || h.ID != remote {
		t.Fatalf("in hand %+v, %v", h, err)
	}
	if _, err := keys.Open(sealing.KeyName(remote)); err != nil {
		t.Errorf("the key is not with the service: %v", err)
	}
	if _, err := local.Open(sealing.KeyName(remote)); err == nil {
		t.Error("the key is with the platform too")
	}
	d := w.Publish(t, w.Completion("0003"))
	if file, err := fileOf(ctx, w, d); err != nil || len(file) == 0 {
		t.Fatal(err)
	}
	t.Run("a key is found with the service when it is not here", func(t *testing.T) {
		both := sealing.Keepers{local, sealing.NewRemote(server.URL, "secret")}
		k, err := both.Open(sealing.KeyName(remote))
		if err != nil || !k.Public().Equal(h.Cert.Key) {
			t.Errorf("opened %v, %v", k, err)
		}
		if _, err := both.Open("nowhere"); !errors.Is(err, gm.ErrNoKey) {
			t.Errorf("Open = %v", err)
		}
	})
	t.Run("a service that is down leaves the draft waiting", func(t *testing.T) {
		fail = true
		defer func() { fail = false }()
		if _, err := h.Signer.SignSM2([]byte("x")); err == nil {
			t.Error("signed")
		}
	})
	t.Run("a signature of another key is not taken", func(t *testing.T) {
		other, err := gm.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		liar := httptest.NewServer(&sealing.Service{Keys: liarKeys{keys, other}, Token: "secret"})
		defer liar.Close()
		k, err := sealing.NewRemote(liar.URL, "secret").Open(sealing.KeyName(remote))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.SignSM2([]byte("x")); err == nil {
			t.Error("a signature that does not hold was passed on")
		}
	})
	t.Run("not without its token, not for other paths", func(t *testing.T) {
		if _, err := sealing.NewRemote(server.URL, "guess").Open(sealing.KeyName(remote)); err == nil {
			t.Error("opened without the token")
		}
		if _, err := sealing.NewRemote(server.URL, "secret").Open("../root"); err == nil {
			t.Error("a path was taken for a name")
		}
	})
}

// split keeps the authority's own keys here and those of seals with the service.
type split struct{ here, there sealing.Keeper }

func (s *split) Open(name string) (gm.Signer, error) {
	if strings.HasPrefix(name, "seal-0") {
		return s.there.Open(name)
	}
	return s.here.Open(name)
}

func (s *split) Create(name string) (gm.Signer, error) {
	if strings.HasPrefix(name, "seal-0") {
		return s.there.Create(name)
	}
	return s.here.Create(name)
}

// liarKeys tells one public key and signs with another.
type liarKeys struct {
	sealing.Keeper
	other gm.Signer
}

func (l liarKeys) Open(name string) (gm.Signer, error) {
	k, err := l.Keeper.Open(name)
	if err != nil {
		return nil, err
	}
	return twoFaced{k, l.other}, nil
}

type twoFaced struct {
	gm.Signer
	other gm.Signer
}

func (k twoFaced) SignSM2(m []byte) ([]byte, error) { return k.other.SignSM2(m) }

// An outside time authority stamps over HTTP.
func TestTimeOverHTTP(t *testing.T) {
	w := world.OnSQLite(t)
	server := httptest.NewServer(sealing.TimeHandler(func(ctx context.Context) (*gm.TimeAuthority, error) { return w.Seals.TimeAuthority(ctx) }))
	defer server.Close()
	w.Seals.Outside = sealing.NewTimeClient(server.URL)
	d := w.Publish(t, w.Completion("0004"))
	file, err := fileOf(t.Context(), w, d)
	if err != nil {
		t.Fatal(err)
	}
	o, err := w.Trust(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o.Now = w.Clock.Now()
	r := document.Judge(file, o)
	if r.Verdict != document.Genuine || r.Signatures[0].Stamped.IsZero() {
		t.Errorf("%s, stamped %v", r.Verdict, r.Signatures[0])
	}
	t.Run("an answer that is no time stamp is refused", func(t *testing.T) {
		bad := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("no")) }))
		defer bad.Close()
		if _, err := sealing.NewTimeClient(bad.URL).Stamp([]byte("signature")); err == nil {
			t.Error("accepted")
		}
	})
}

// A unit's key gets its certificate from an outside authority.
func TestCertificateRequest(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	s, err := w.Seals.Apply(ctx, w.Reviewer, sealing.Application{})
	if err != nil {
		t.Fatal(err)
	}
	pem, err := w.Seals.Request(ctx, w.Reviewer, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	req, err := gm.ParseRequest(pem)
	if err != nil {
		t.Fatal(err)
	}
	k, err := w.Seals.Keys.Open(sealing.KeyName(s.ID))
	if err != nil || !req.Key.Equal(k.Public()) {
		t.Errorf("the request is not of the seal's key: %v", err)
	}
}
