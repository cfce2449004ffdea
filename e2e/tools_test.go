package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tool runs the program and returns its output and exit code.
func tool(t *testing.T, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// TestFacesAreSealedAndVerifyOffline writes a sample of every type the platform
// makes and verifies each without any network.
func TestFacesAreSealedAndVerifyOffline(t *testing.T) {
	dir := t.TempDir()
	if out, code := tool(t, "faces", "--out", dir); code != 0 {
		t.Fatalf("faces: exit %d: %s", code, out)
	}
	samples, err := filepath.Glob(filepath.Join(dir, "*.ofd"))
	if err != nil || len(samples) != 19 {
		t.Fatalf("%d samples, %v", len(samples), err)
	}
	root := filepath.Join(dir, "root.pem")
	if out, code := tool(t, append([]string{"verify", "--root", root}, samples...)...); code != 0 || strings.Count(out, "真实") != 19 {
		t.Errorf("verify: exit %d: %s", code, out)
	}
	if out, code := tool(t, append([]string{"verify"}, samples[:1]...)...); code != 1 || !strings.Contains(out, "签章人不可信任") {
		t.Errorf("without a root: exit %d: %s", code, out)
	}
	altered := filepath.Join(dir, "altered.ofd")
	alter(t, samples[0], altered, "Page_0/Content.xml")
	out, code := tool(t, "verify", "--json", "--root", root, altered, samples[1])
	var all []struct {
		File, Verdict string
		Altered       []string
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil || code != 1 || len(all) != 2 {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	if all[0].Verdict != "altered" || len(all[0].Altered) != 1 || !strings.HasSuffix(all[0].Altered[0], "Page_0/Content.xml") || all[1].Verdict != "genuine" {
		t.Errorf("verdicts %+v", all)
	}
}

// alter copies a license file with one byte of one entry changed.
func alter(t *testing.T, from, to, entry string) {
	t.Helper()
	r, err := zip.OpenReader(from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f.Name, entry) {
			content[len(content)/2] ^= 1
		}
		out, err := w.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestUnusableArguments are exit 2 with a reason, before anything is done.
func TestUnusableArguments(t *testing.T) {
	for _, args := range [][]string{
		{}, {"vanish"}, {"verify"}, {"verify", "no-such-file"}, {"verify", "--root", "no-such-root", "e2e_test.go"},
		{"verify", "--root", "e2e_test.go", "e2e_test.go"}, {"faces"}, {"serve", "--no-such-flag"},
	} {
		if out, code := tool(t, args...); code != 2 {
			t.Errorf("elicense %v: exit %d: %s", args, code, out)
		}
	}
	for _, args := range [][]string{
		{"serve", "--data", t.TempDir(), "--listen", "0.0.0.0:0"}, {"fsck", "--data", filepath.Join(t.TempDir(), "empty")},
	} {
		if out, code := tool(t, args...); code != 1 {
			t.Errorf("elicense %v: exit %d: %s", args, code, out)
		}
	}
	if out, code := tool(t, "verify", "e2e_test.go"); code != 1 || !strings.Contains(out, "不能核验") {
		t.Errorf("a file that is no license: exit %d: %s", code, out)
	}
}
