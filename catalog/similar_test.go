package catalog_test

import (
	"os"
	"strings"
	"testing"

	"elicense/catalog"
)

// One license is registered under many names. Of the pairs that were labelled by
// hand, nine in ten of one license are found, and one in ten of two is taken for
// one at most; also among those that were held out from tuning.
func TestOneLicenseUnderManyNamesIsFound(t *testing.T) {
	raw, err := os.ReadFile("testdata/names.tsv")
	if err != nil {
		t.Fatal(err)
	}
	type tally struct{ same, found, other, false int }
	var tuned, held, all tally
	i := 0
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 3 {
			t.Fatalf("line %q", line)
		}
		part := &tuned
		if i%3 == 2 {
			part = &held
		}
		l, back := catalog.Alike(f[1], f[2]), catalog.Alike(f[2], f[1])
		if l.Score != back.Score {
			t.Errorf("%s, %s: %v, but %v the other way", f[1], f[2], l, back)
		}
		likely := l.Likely()
		for _, p := range []*tally{part, &all} {
			switch f[0] {
			case "same":
				p.same++
				if likely {
					p.found++
				}
			case "other":
				p.other++
				if likely {
					p.false++
				}
			default:
				t.Fatalf("label %q", f[0])
			}
		}
		if likely != (f[0] == "same") && part == &tuned {
			t.Logf("%s: %s, %s: %.2f, %s", f[0], f[1], f[2], l.Score, l.Reason)
		}
		i++
	}
	if i != 200 {
		t.Errorf("%d pairs, want 200", i)
	}
	for name, p := range map[string]tally{"all": all, "tuned": tuned, "held out": held} {
		t.Logf("%s: %d of %d found; %d of %d false", name, p.found, p.same, p.false, p.other)
		if 10*p.found < 9*p.same || 10*p.false > p.other {
			t.Errorf("%s: want nine in ten found and one in ten false at most", name)
		}
	}
}
