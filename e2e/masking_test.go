package e2e

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"elicense/demo"
)

// shownOnPurpose are the pages that show a holder's name or number in full, and why.
var shownOnPurpose = map[string]string{
	"/issue/review": "the drafts under review, compared with their documents",
}

// TestListsMaskTheirHolders (个人信息保护法 6; Art. 18) opens every list of every desk
// with the demo, its tables to download among them, and looks for names and identity
// numbers of the demo's holders. Pages of one thing (a case, a draft, a license) are not
// lists: who may open one sees whom it is about.
func TestListsMaskTheirHolders(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "platform")
	if err := os.CopyFS(data, os.DirFS(golden)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(data, 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := start(binary, data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	d, err := demo.Read()
	if err != nil {
		t.Fatal(err)
	}
	holders := d.Holders()
	if len(holders) < 30 {
		t.Fatalf("only %d holders to look for", len(holders))
	}
	routes, err := os.ReadFile(filepath.Join("..", "docs", "ROUTES.md"))
	if err != nil {
		t.Fatal(err)
	}
	var lists []string
	for _, m := range regexp.MustCompile(`(?m)^\| GET (/(?:issue|window|admin|disclose)[^ {]*) \|`).FindAllStringSubmatch(string(routes), -1) {
		lists = append(lists, m[1])
	}
	lists = append(lists, "/issue/deliveries?list=open", "/issue/deliveries?list=all", "/issue/ontime/late.csv", "/admin/ontime/late.csv", "/admin/use/paper.csv", "/admin/use/units.csv")
	masked, opened := 0, 0
	for _, login := range []string{"make-bdc-fz", "check-mz-gl", "review-gl", "make-ga-fz", "make-wj-gl", "window-gl", "window2-gl", "window-civil", "admin", "audit", "inspect", "disclose-1"} {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Jar: jar}
		r, err := client.PostForm(p.url+"/signin", url.Values{"demo": {login}})
		if err != nil {
			t.Fatal(err)
		}
		home := r.Request.URL.Path
		if r.Body.Close(); r.StatusCode != http.StatusOK || home == "/signin" {
			t.Fatalf("%s: signing in answered %s at %s", login, r.Status, home)
		}
		for _, at := range lists {
			path, _, _ := strings.Cut(at, "?")
			if !strings.HasPrefix(at, home) || shownOnPurpose[path] != "" {
				continue
			}
			r, err := client.Get(p.url + at)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r.Body)
			if r.Body.Close(); err != nil {
				t.Fatal(err)
			}
			if r.StatusCode != http.StatusOK {
				continue
			}
			opened++
			page := string(b)
			for _, h := range holders {
				if strings.Contains(page, h.Name) || strings.Contains(page, h.Code) {
					i := max(strings.Index(page, h.Name), strings.Index(page, h.Code))
					t.Errorf("%s shows %s a holder: …%s…", at, login, page[max(0, i-120):min(len(page), i+60)])
					break
				}
			}
			masked += strings.Count(page, "*")
		}
	}
	// Nothing is found in pages that are empty.
	if opened < 60 || masked < 100 {
		t.Errorf("%d lists were opened, with %d masks", opened, masked)
	}
}
