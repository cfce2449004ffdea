package elicense

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// sources returns the text of all Go files of the module.
func sources(t *testing.T) (text string, dirs map[string]bool) {
	t.Helper()
	var b strings.Builder
	dirs = map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		content, err := os.ReadFile(path)
		b.Write(content)
		dirs[filepath.Dir(path)] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), dirs
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRegulationMapIsTrue: every test the map names exists, and every article
// has a row.
func TestRegulationMapIsTrue(t *testing.T) {
	text, _ := sources(t)
	page := read(t, "docs/REGULATION.md")
	for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(page, -1) {
		if !strings.Contains(text, "func "+name+"(") {
			t.Errorf("docs/REGULATION.md names %s, which does not exist", name)
		}
	}
	for article := range 22 {
		if !regexp.MustCompile(`(?m)^\| ` + strconv.Itoa(article+1) + `\b`).MatchString(page) {
			t.Errorf("docs/REGULATION.md has no row for article %d", article+1)
		}
	}
}

// TestArchitectureNamesEveryRoom keeps the page complete.
func TestArchitectureNamesEveryRoom(t *testing.T) {
	_, dirs := sources(t)
	page := read(t, "docs/ARCHITECTURE.md")
	for dir := range dirs {
		if dir != "." && !strings.Contains(page, filepath.Base(dir)+"/") {
			t.Errorf("docs/ARCHITECTURE.md does not name %s/", dir)
		}
	}
}

// TestLinksOfDocuments: what the documents of this repository link to is there.
func TestLinksOfDocuments(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "README.md", "README.zh-CN.md", "CONTRIBUTING.md") {
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(read(t, page), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			}
		}
	}
}
