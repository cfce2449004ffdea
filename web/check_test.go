package web

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"elicense"
)

func (p *person) getJSON(path string, into any) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.site.url+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	if err := json.Unmarshal([]byte(p.do(r)), into); err != nil {
		p.t.Fatal(err)
	}
}

// TestCheckPageLoadsWhatItJudgesBy: the certificates and lists come with the
// page, so that nothing has to be asked once a file is chosen.
func TestCheckPageLoadsWhatItJudgesBy(t *testing.T) {
	s := open(t)
	var got trusted
	p := s.visitor(t)
	p.getJSON("/check/trust.json", &got)
	if got.CheckURL != "http://localhost/check/" || got.At.IsZero() || time.Since(got.At) < 0 && !got.At.Equal(s.Clock.Now()) {
		t.Errorf("%+v", got)
	}
	if len(got.Roots) != 1 || len(got.Lists) != 1 || len(got.Printers) != 1 || got.Intermediates == nil {
		t.Errorf("%d roots, %d lists, %d printers, intermediates %v", len(got.Roots), len(got.Lists), len(got.Printers), got.Intermediates)
	}
	for _, pem := range append(append(got.Roots, got.Printers...), got.Lists...) {
		if !strings.HasPrefix(pem, "-----BEGIN ") {
			t.Errorf("%.40q", pem)
		}
	}
	if strings.Contains(strings.Join(got.Printers, ""), "PRIVATE") {
		t.Error("a private key is given away")
	}
}

// TestStatusIsAskedByCodeAlone: the answer says what the page of the same address
// says, in the visitor's language, and nothing of the holder.
func TestStatusIsAskedByCodeAlone(t *testing.T) {
	s := open(t)
	d := s.Publish(t, s.Completion("1"))
	p := s.visitor(t)
	p.get("/set/lang/en?back=/help")
	var got statusAnswer
	p.getJSON("/check/"+string(d.Code), &got)
	if p.last.StatusCode != 200 || got.Class != "ok" || strings.ContainsAny(got.Title+got.Why+got.Status, "真有") || got.AsOf == "" || got.Receipt == "" || got.Overlays == nil {
		t.Errorf("%d %+v", p.last.StatusCode, got)
	}
	s.Change(t, d.License, elicense.EventSuspend)
	p.getJSON("/check/"+string(d.Code), &got)
	if got.Class != "care" || got.DocNo == "" {
		t.Errorf("suspended: %+v", got)
	}
	page := p.get("/check/" + string(d.Code))
	p.want(page, 200, "<html", got.Title)
	var refused map[string]string
	p.getJSON("/check/00000000000000000000000000", &refused)
	if p.last.StatusCode != 404 || refused["why"] == "" {
		t.Errorf("an unknown code: %d %v", p.last.StatusCode, refused)
	}
}

// TestUploadedFileIsJudgedInTheVisitorsLanguage: without script the file is sent,
// and the page says so.
func TestUploadedFileIsJudgedInTheVisitorsLanguage(t *testing.T) {
	s := open(t)
	d := s.Publish(t, s.Completion("1"))
	file, _, err := s.Sharing.File(t.Context(), s.Holder, d.License, false)
	if err != nil {
		t.Fatal(err)
	}
	p := s.visitor(t)
	p.want(p.get("/check"), 200, "文件会发送到本平台查验", `action="/check" enctype="multipart/form-data"`)
	p.want(p.upload(file), 200, "真实，现行有效", "文件包完整、可读。")
	p.get("/set/lang/en?back=/help")
	page := p.upload(file)
	p.want(page, 200, "The package is complete and can be read.")
	if strings.Contains(page, "文件包完整") {
		t.Error("an English page gives its reasons in Chinese")
	}
}

// TestCheckerIsServed: the program comes compressed and for ever; its worker may
// compile it and reach nothing.
func TestCheckerIsServed(t *testing.T) {
	get := func(path string, accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Accept-Encoding", accept)
		w := httptest.NewRecorder()
		secured(assetHandler()).ServeHTTP(w, r)
		return w
	}
	worker := get("/assets/check-worker.js?"+assetVersion, "gzip")
	if p := worker.Header().Get("Content-Security-Policy"); p != workerPolicy || !strings.Contains(p, "connect-src 'none'") {
		t.Errorf("policy of the worker %q", p)
	}
	if p := get("/assets/check.js", "").Header().Get("Content-Security-Policy"); strings.Contains(p, "wasm") {
		t.Errorf("policy of another script %q", p)
	}
	if !checkerBuilt {
		if w := get("/assets/built/checker.wasm", "gzip"); w.Code != http.StatusNotFound {
			t.Errorf("without a checker: %d", w.Code)
		}
		if os.Getenv("CI") != "" {
			t.Fatal("the checker is not built: scripts/checker.sh")
		}
		t.Skip("the checker is not built")
	}
	w := get("/assets/built/checker.wasm?"+assetVersion, "gzip, br")
	h := w.Header()
	if w.Code != 200 || h.Get("Content-Encoding") != "gzip" || h.Get("Content-Type") != "application/wasm" || !strings.Contains(h.Get("Cache-Control"), "immutable") {
		t.Errorf("%d %v", w.Code, h)
	}
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	program, err := io.ReadAll(z)
	if err != nil || !bytes.HasPrefix(program, []byte("\x00asm")) {
		t.Errorf("%d bytes, %v", len(program), err)
	}
	plain := get("/assets/built/checker.wasm", "")
	if plain.Header().Get("Content-Encoding") != "" || !bytes.Equal(plain.Body.Bytes(), program) {
		t.Errorf("uncompressed: %v, %d bytes", plain.Header(), plain.Body.Len())
	}
	if c := get("/assets/built/checker.wasm?old", "gzip").Header().Get("Cache-Control"); c != "no-store" {
		t.Errorf("another version is kept: %s", c)
	}
	if get("/assets/built/", "").Code != http.StatusNotFound {
		t.Error("the folder is listed")
	}
}

// TestStatusWordsOfPrintsAreKnown: a print says its status in Chinese; the page
// has the word in the visitor's language.
func TestStatusWordsOfPrintsAreKnown(t *testing.T) {
	for st := range statusLook {
		if translate(english, st.Chinese()) == st.Chinese() {
			t.Errorf("%s has no English", st.Chinese())
		}
	}
}
