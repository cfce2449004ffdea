package elicense

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// law lists for each room the rooms it may import; docs/ARCHITECTURE.md explains
// it. Rooms that may import everything are not listed.
var law = map[string]string{
	"elicense":     "",
	"gm":           "",
	"sheet":        "",
	"workday":      "",
	"table":        "",
	"tlog":         "gm",
	"face":         "sheet",
	"ofd":          "sheet",
	"seal":         "ofd gm sheet",
	"document":     "face ofd seal gm sheet",
	"store":        "elicense gm tlog",
	"jobs":         "store elicense",
	"notice":       "jobs store elicense",
	"org":          "store gm elicense",
	"access":       "org store elicense",
	"posts":        domain,
	"sealing":      "gm seal " + domain,
	"calendar":     domain,
	"catalog":      "calendar face sheet table " + domain,
	"cases":        "calendar catalog gm " + domain,
	"verification": "document " + domain,
	"registry":     "gm " + domain,
	"issuance":     "calendar catalog cases document registry sealing verification table gm " + domain,
	"offline":      "catalog document gm issuance seal sealing sheet verification " + domain,
	"stock":        "catalog issuance " + domain,
	"ontime":       "calendar cases catalog issuance table " + domain,
	"references":   "calendar catalog gm issuance registry table verification " + domain,
	"letters":      "cases catalog document face sealing sheet " + domain,
	"lifecycle":    "issuance catalog cases " + domain,
	"sharing":      "calendar catalog cases verification document gm " + domain,
	"delivery":     "cases document gm issuance letters ontime sealing sharing " + domain,
	"archive":      "cases sharing verification document " + domain,
	"oversight":    "calendar catalog cases delivery issuance letters lifecycle offline ontime references registry sealing sharing stock verification tlog " + domain,
	"httpapi":      edge,
	"web":          edge,
	"demo":         edge,
}

const (
	domain = "access notice jobs store workday org elicense"
	edge   = "calendar catalog cases delivery issuance letters lifecycle offline ontime posts table references registry sealing sharing stock verification archive oversight org access notice workday elicense"
)

func TestImportLaw(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); n == "testdata" || n == "var" || (len(n) > 1 && n[0] == '.') {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		room, _, _ := strings.Cut(filepath.ToSlash(path), "/")
		if !strings.Contains(path, "/") {
			room = "elicense"
		}
		if room == "cmd" || room == "e2e" || strings.HasPrefix(filepath.ToSlash(path), "store/storetest/") {
			return nil
		}
		allowed, known := law[room]
		if !known {
			t.Errorf("room %s is not in the import law", room)
			return filepath.SkipDir
		}
		return checkImports(t, path, room, strings.Fields(allowed))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestOnlyTheCheckSeesWithdrawnLicenses: whoever else did could show one (Art. 2).
func TestOnlyTheCheckSeesWithdrawnLicenses(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), ".SeeWithdrawn(") {
			seen++
			if filepath.ToSlash(path) != "oversight/fsck.go" {
				t.Errorf("%s reads withdrawn licenses", path)
			}
		}
		return err
	})
	if err != nil || seen == 0 {
		t.Errorf("looked at nothing: %v", err)
	}
}

func checkImports(t *testing.T, path, room string, allowed []string) error {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		return err
	}
	for _, imp := range f.Imports {
		p, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			return err
		}
		first, rest, _ := strings.Cut(p, "/")
		if first != "elicense" {
			if room == "elicense" && strings.Contains(first, ".") {
				t.Errorf("%s imports %s: the words use the standard library only", path, p)
			}
			continue
		}
		to, _, _ := strings.Cut(rest, "/")
		if to == "" {
			to = "elicense"
		}
		if to != room && !slices.Contains(allowed, to) {
			t.Errorf("%s: room %s may not import %s", path, room, to)
		}
	}
	return nil
}
