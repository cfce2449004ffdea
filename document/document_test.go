package document

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"elicense/gm"
)

const samples = "testdata/ofd"

func sample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(samples, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func sampleRoots(t testing.TB) []*gm.Certificate {
	t.Helper()
	roots, err := gm.ParsePEM(sample(t, "root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return roots
}

func failed(r Report) []Check {
	var list []Check
	for _, c := range r.Checks {
		if !c.OK {
			list = append(list, c)
		}
	}
	return list
}

// Files made by another program are judged as the table beside them says.
func TestJudgeForeignFiles(t *testing.T) {
	roots := sampleRoots(t)
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		file    string
		roots   []*gm.Certificate
		verdict string
		altered []string // files
		failed  []string // checks
		version []int
	}{
		{"sesv4.ofd", roots, Genuine, nil, nil, []int{4}},
		{"sesv4.ofd", nil, GenuineUntrusted, nil, []string{"makerCertificate", "signerCertificate"}, []int{4}},
	} {
		name := tc.file
		if tc.roots == nil {
			name += " without roots"
		}
		t.Run(name, func(t *testing.T) {
			r := Judge(sample(t, tc.file), Options{Roots: tc.roots, Now: now})
			var names []string
			for _, c := range failed(r) {
				names = append(names, c.Name)
			}
			if r.Verdict != tc.verdict || !slices.Equal(r.Altered, tc.altered) || !slices.Equal(names, tc.failed) {
				t.Errorf("verdict %s, altered %v, failed %+v", r.Verdict, r.Altered, failed(r))
			}
		})
	}
	for _, e := range []string{"sesv4-two-seals.ofd", "sesv1.ofd", "gbt35275.ofd", "gbt35275-pkcs9.ofd", "raw-sm2.ofd", "bad-sesv1-page-flip.ofd", "bad-sesv1-ref-removed.ofd", "bad-sesv1-signedvalue-flip.ofd"} {
		for _, ro := range [][]*gm.Certificate{nil, roots} {
			r := Judge(sample(t, e), Options{Roots: ro, Now: now})
			t.Logf("%s %v %s %v unc %v\n   %+v\n  %+v", e, len(ro), r.Verdict, r.Altered, r.Uncovered, failed(r), r.Signatures)
		}
	}
}
