package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/document"
	"elicense/org"
	"elicense/oversight"
	"elicense/sharing"
	"elicense/store"
	"elicense/verification"
)

// TestPracticeIsAnotherPlatform practises beside a platform without the demo: a
// license made there is not genuine here, and nothing here has moved by it.
func TestPracticeIsAnotherPlatform(t *testing.T) {
	ctx := t.Context()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	c := &serveCmd{place: place{Data: t.TempDir()}, PublicURL: "http://localhost:8080"}
	p, err := openPlatform(ctx, c.place, c.PublicURL, log)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	defer p.close()
	const unit elicense.UnitCode = "11350102FJDEM0320G"
	must(p.seals.Establish(ctx))
	must(p.trustRoots(ctx))
	must(p.org.Install(ctx, []org.Unit{{Code: unit, Short: "yc", Name: "区烟草专卖局", Region: "350102", Kind: "dept", Roles: []string{"apply"}}}))
	must(p.org.Enroll(ctx, []org.Staff{
		{Login: "window", Secret: "correct horse", Kind: elicense.Staff, Unit: unit, Name: "郑窗口", Duties: []elicense.Duty{elicense.DutyWindow}},
		{Login: "audit", Secret: "correct horse", Kind: elicense.Staff, Unit: unit, Name: "吴审计", Duties: []elicense.Duty{elicense.DutyAudit}},
	}))
	auditor, err := p.org.ActorByLogin(ctx, "audit", "test")
	must(err)
	training, err := c.newPractice(p)
	must(err)
	defer training.close()
	handler, err := c.handler(p, training)
	must(err)
	site := httptest.NewServer(handler)
	defer site.Close()

	jar, err := cookiejar.New(nil)
	must(err)
	clerk := &http.Client{Jar: jar}
	read := func(r *http.Response, err error) string {
		t.Helper()
		must(err)
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		must(err)
		if r.StatusCode >= 400 {
			t.Fatalf("%s: %s\n%s", r.Request.URL, r.Status, b)
		}
		return string(b)
	}
	read(clerk.PostForm(site.URL+"/signin", url.Values{"login": {"window"}, "password": {"correct horse"}}))
	moved := func() (state struct {
		Records []store.Record
		Figures *sharing.Figures
		Issued  int
	},
	) {
		t.Helper()
		must(p.db.View(ctx, func(tx *store.Tx) (err error) {
			if state.Records, err = tx.NewestRecords(1000); err != nil {
				return err
			}
			return tx.Row(`SELECT COUNT(*) FROM license`).Scan(&state.Issued)
		}))
		today := elicense.DateOf(p.clock.Now())
		state.Figures, err = p.sharing.Figures(ctx, auditor, "", today, today)
		must(err)
		return state
	}
	moved()
	before := moved() // with the record of the first asking

	// While it is being made everybody is served, and told to wait.
	if page := read(clerk.PostForm(site.URL+"/window/practice", nil)); !strings.Contains(page, "正在准备练习") {
		t.Fatalf("no page to wait on:\n%s", page)
	}
	slowest, page := time.Duration(0), ""
	for page = ""; !strings.Contains(page, "练习员"); time.Sleep(20 * time.Millisecond) {
		began := time.Now()
		page = read(clerk.Get(site.URL + "/window/practice"))
		slowest = max(slowest, time.Since(began))
	}
	t.Log("the slowest page while the practice was made took", slowest)
	if slowest > 5*time.Second {
		t.Errorf("a page took %s: the making blocks it", slowest)
	}
	made, err := training.state()
	must(err)

	// Do something there.
	read(clerk.PostForm(site.URL+"/window/new", url.Values{
		"matter": {"M04"}, "type0": {"001"}, "code0": {"92350102FJDEM9042D"}, "name0": {"鼓楼区示例便利店"}, "proof0": {"certificate"},
	}))
	var there int
	must(made.db.View(ctx, func(tx *store.Tx) error {
		return tx.Row(`SELECT COUNT(*) FROM office_case WHERE unit <> ''`).Scan(&there)
	}))
	if there == 0 {
		t.Error("the case was not opened at the practice")
	}

	after := moved()
	if d := len(after.Records) - len(before.Records); d != 1 { // that the figures were looked at
		t.Errorf("%d records more: %+v", d, after.Records[:d])
	}
	if !reflect.DeepEqual(before.Figures, after.Figures) || before.Issued != after.Issued {
		t.Errorf("figures before %+v, after %+v", before, after)
	}

	// A license of the practice, at the check of this platform.
	holder, err := made.org.ActorByLogin(ctx, "canteen", "test")
	must(err)
	folder, err := made.sharing.Folder(ctx, holder)
	must(err)
	checked := 0
	for _, o := range folder {
		file, _, err := made.sharing.File(ctx, holder, o.ID, false)
		if elicense.IsKind(err, elicense.NotFound) {
			continue // a reference has no file
		}
		must(err)
		there, err := made.verifier.ByFile(ctx, elicense.Anyone("test"), "test", file)
		must(err)
		if there.Verdict != document.Genuine || !there.Known {
			t.Errorf("the practice itself judges its file %s, known %v", there.Verdict, there.Known)
		}
		var here struct {
			Verdict string `json:"verdict"`
			Known   bool   `json:"known"`
		}
		must(json.Unmarshal([]byte(read(clerk.Post(site.URL+"/api/v1/checks/file", "application/octet-stream", bytes.NewReader(file)))), &here))
		if here.Verdict == document.Genuine || here.Known {
			t.Errorf("a file of the practice is %+v here", here)
		}
		checked++
	}
	if checked == 0 {
		t.Error("the practice has no files")
	}
	_, err = oversight.Check(ctx, p.db, verification.NewFiles(p.trust, p.clock.Now), func(f oversight.Finding) { t.Error(f) })
	must(err)
}
