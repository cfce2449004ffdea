package web

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"elicense/e2e/world"
	"elicense/offline"
)

// TestAStationIsForItsMachine: its pages answer to the machine's own name alone, show
// nothing before a PIN was given, and take no form from another page.
func TestAStationIsForItsMachine(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	l, err := w.Kits.Order(ctx, w.Drafter, world.KitOrder())
	if err == nil {
		_, err = w.Kits.Confirm(ctx, w.Reviewer, l.ID, world.KitPIN+"2")
	}
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := w.Kits.File(ctx, w.Drafter, l.ID, false, &file); err != nil {
		t.Fatal(err)
	}
	kit, err := offline.OpenKit(file.Bytes(), nil, offline.FindFont)
	if err != nil {
		t.Fatal(err)
	}
	st, err := offline.OpenStation(kit, t.TempDir(), w.Clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	h, err := Station(st, w.Clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, host, path string, form url.Values, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://"+host+path, strings.NewReader(form.Encode()))
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec
	}
	const here = "127.0.0.1:8701"
	for _, host := range []string{here, "localhost:8701", "[::1]:8701"} {
		if rec := ask("GET", host, "/", nil); rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), kit.UnitName) {
			t.Errorf("as %s: %d", host, rec.Code)
		}
	}
	for _, host := range []string{"evil.example:8701", "10.0.0.1:8701", "127.0.0.1.evil.example"} {
		if rec := ask("GET", host, "/", nil); rec.Code != http.StatusMisdirectedRequest {
			t.Errorf("as %s: %d", host, rec.Code)
		}
	}
	for _, path := range []string{"GET /new", "GET /rows/1", "GET /rows/1/face/1", "GET /rows/1/pdf", "GET /rows/1/ofd", "POST /new", "POST /rows/1", "POST /export", "POST /clock"} {
		method, at, _ := strings.Cut(path, " ")
		if rec := ask(method, here, at, url.Values{}); rec.Code != http.StatusUnauthorized {
			t.Errorf("%s before a PIN was given: %d", path, rec.Code)
		}
	}
	open := url.Values{"role": {"drafter"}, "pin": {world.KitPIN}}
	if rec := ask("POST", here, "/open", open, "Sec-Fetch-Site", "cross-site"); rec.Code != http.StatusForbidden {
		t.Errorf("a form from another page: %d", rec.Code)
	}
	rec := ask("POST", here, "/open", open)
	if rec.Code != http.StatusSeeOther {
		t.Fatalf("the PIN: %d %s", rec.Code, rec.Body)
	}
	cookie := rec.Result().Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("cookie %+v", cookie)
	}
	session := []string{"Cookie", cookie.Name + "=" + cookie.Value}
	if rec := ask("GET", here, "/new", nil, session...); rec.Code != http.StatusOK {
		t.Errorf("the form after it: %d", rec.Code)
	}
	w.Clock.Move(stationIdle * 2)
	if rec := ask("GET", here, "/new", nil, session...); rec.Code != http.StatusUnauthorized {
		t.Errorf("long after it: %d", rec.Code)
	}
}
