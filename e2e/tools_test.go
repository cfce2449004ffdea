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
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"elicense/document"
	"elicense/gm"
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
	t.Parallel()
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

// alter copies a license file with one digit of the text of one entry changed: what
// is altered can still be read, as a forger would see to it.
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
			at := digitIn(content)
			if at < 0 {
				t.Fatalf("%s has no digit to change", f.Name)
			}
			content[at] ^= 1
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

// digitIn finds a digit between two tags in the second half of an XML file.
func digitIn(content []byte) int {
	for i := len(content) / 2; i < len(content); i++ {
		if tag := bytes.LastIndexAny(content[:i], "<>"); tag >= 0 && content[tag] == '>' && content[i] >= '0' && content[i] <= '9' {
			return i
		}
	}
	return -1
}

// TestUnusableArguments are exit 2 with a reason, before anything is done.
func TestUnusableArguments(t *testing.T) {
	for _, args := range [][]string{
		{}, {"vanish"}, {"verify"}, {"verify", "no-such-file"}, {"verify", "--root", "no-such-root", "e2e_test.go"},
		{"verify", "--root", "e2e_test.go", "e2e_test.go"}, {"faces"}, {"serve", "--no-such-flag"},
		{"verify", "--receipt", "e2e_test.go"}, {"verify", "--log-key", "e2e_test.go", "e2e_test.go"},
		{"verify", "--receipt", "e2e_test.go", "--log-key", "e2e_test.go"}, {"verify", "--receipt", "no-such-file", "--log-key", "../sharing/testdata/receipt-1.pem"},
		{"verify", "--receipt", "e2e_test.go", "--log-key", "../sharing/testdata/receipt-1.pem", "e2e_test.go"},
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

// TestFilesOfAnotherMaker judges each sample as the table beside it says.
func TestFilesOfAnotherMaker(t *testing.T) {
	t.Parallel()
	root := filepath.Join(samples, "root.pem")
	for _, tc := range []struct {
		file    string
		trusted bool
		verdict string
		says    []string
	}{
		{"sesv4.ofd", true, "genuine", []string{"[通过] 签名覆盖了文件包内的全部文件。"}},
		{"sesv4.ofd", false, "genuine-untrusted", []string{"签章人不可信任", "证书链不通向受信任的根证书"}},
		{"sesv4-two-seals.ofd", false, "genuine-untrusted", []string{"签名 1", "签名 2", "[请留意]", "制章人证书不可信：证书链不通向受信任的根证书"}},
		{"sesv1.ofd", false, "genuine-untrusted", []string{"证书"}},
		{"gbt35275.ofd", false, "genuine-untrusted", []string{"证书"}},
		{"gbt35275-pkcs9.ofd", false, "genuine-untrusted", []string{"证书"}},
		{"raw-sm2.ofd", true, "not-signed", []string{"[没有通过]", "没有证书"}},
		{"bad-sesv1-page-flip.ofd", true, "altered", []string{"被改动的文件：Doc_0/Pages/Page_0/Content.xml"}},
		{"bad-sesv1-ref-removed.ofd", true, "altered", []string{"Signature.xml"}},
		{"bad-sesv1-signedvalue-flip.ofd", true, "altered", []string{"[没有通过]"}},
	} {
		var args []string
		if tc.trusted {
			args = []string{"--root", root}
		}
		path := filepath.Join(samples, tc.file)
		want := 1
		if tc.verdict == "genuine" {
			want = 0
		}
		out, code := tool(t, append([]string{"verify", path}, args...)...)
		if code != want {
			t.Errorf("%s: exit %d", tc.file, code)
		}
		for _, s := range tc.says {
			if !strings.Contains(out, s) {
				t.Errorf("%s does not say %q:\n%s", tc.file, s, out)
			}
		}
		var all []struct {
			File, Verdict, VerdictNow string
			Checks                    []struct{ Name, State, Reason, ReasonEn string }
		}
		out, _ = tool(t, append([]string{"verify", "--json", path}, args...)...)
		if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 || all[0].Verdict != tc.verdict || all[0].VerdictNow == "" || all[0].File != path {
			t.Fatalf("%s: want %s, %v: %s", tc.file, tc.verdict, err, out)
		}
		out, code = tool(t, append([]string{"verify", "--lang", "en", path}, args...)...)
		if code != want || han(strings.ReplaceAll(strings.Join(regexp.MustCompile(`(?m)^    \[.*$`).FindAllString(out, -1), ""), path, "")) {
			t.Errorf("%s in English:\n%s", tc.file, out)
		}
		for _, k := range all[0].Checks {
			if k.Reason == "" || k.ReasonEn == "" || tc.verdict != "unreadable" && !strings.Contains(out, k.ReasonEn) {
				t.Errorf("%s: check %s is not listed: %q", tc.file, k.Name, k.ReasonEn)
			}
		}
	}
}

func han(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) }) >= 0
}

// TestJudgedAsOfAnotherTime: a file stays what it was when its certificates have
// run out, and what it is then is said beside it.
func TestJudgedAsOfAnotherTime(t *testing.T) {
	t.Parallel()
	file, root := filepath.Join(samples, "sesv4.ofd"), filepath.Join(samples, "root.pem")
	var all []struct{ Verdict, VerdictNow string }
	judge := func(at string) {
		t.Helper()
		out, _ := tool(t, "verify", "--json", "--root", root, "--at", at, file)
		if err := json.Unmarshal([]byte(out), &all); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	judge("2026-11-23 17:00")
	if all[0].Verdict != "genuine" || all[0].VerdictNow != "genuine" {
		t.Errorf("then: %+v", all)
	}
	judge("2096-01-01")
	if all[0].Verdict != "genuine" || all[0].VerdictNow != "genuine-untrusted" {
		t.Errorf("in 2096: %+v", all)
	}
	if out, code := tool(t, "verify", "--root", root, "--at", "2096-01-01T00:00:00+08:00", file); code != 0 || !strings.Contains(out, "截至 2096-01-01 00:00:00：签章成立，但签章人不可信任") {
		t.Errorf("exit %d: %s", code, out)
	}
	for _, args := range [][]string{{"--at", "yesterday"}, {"--crl", root}, {"--intermediate", file}, {"--lang", "fr"}, {"--value", "x"}, {"--report", t.TempDir()}} {
		if out, code := tool(t, append([]string{"verify", file}, args...)...); code != 2 {
			t.Errorf("verify %v: exit %d: %s", args, code, out)
		}
	}
}

// TestReportToPrint is one page a file, needs nothing beside it, and shows what
// is in a file as text.
func TestReportToPrint(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "report.html")
	tool(t, "verify", "--report", path, "--root", filepath.Join(samples, "root.pem"), filepath.Join(samples, "sesv4.ofd"), filepath.Join(samples, "bad-sesv1-page-flip.ofd"))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, s := range []string{"<title>电子证照查验报告</title>", "真实", "被改动过", "Doc_0/Pages/Page_0/Content.xml", "size: A4", "data:image/svg&#43;xml;base64,", "按签章时判断", "对端测试用章"} {
		if !strings.Contains(page, s) {
			t.Errorf("the report does not say %q", s)
		}
	}
	if n := strings.Count(page, "<article>"); n != 2 {
		t.Errorf("%d pages", n)
	}
	if m := regexp.MustCompile(`(?i)(src|href)="[^d][^"]*"|<script|url\(|@import`).FindString(page); m != "" {
		t.Errorf("the report needs %s", m)
	}
}

// TestPrintOnTheCommandLine checks a print's QR text and values typed from it.
func TestPrintOnTheCommandLine(t *testing.T) {
	t.Parallel()
	key, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 24, 1, 30, 0, 0, time.UTC)
	cert, err := gm.NewRoot(key, gm.Name{CommonName: "打印"}, at, at.AddDate(5, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := document.NewStatement("1.2.156.3005.2.7", "有效", at, []string{"甲公司, 福州", "陈示例"}, cert).Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	text := document.StatementURL("http://localhost/check", signed)
	printer := filepath.Join(t.TempDir(), "printer.pem")
	if err := os.WriteFile(printer, cert.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := tool(t, "verify", "--print", text, "--printer", printer, "--value", "甲公司,福州", "--value", "陈示例")
	if code != 0 || strings.Count(out, "[相符]") != 2 || !strings.Contains(out, "1.2.156.3005.2.7") || !strings.Contains(out, "2026-11-24 09:30:00") {
		t.Errorf("exit %d: %s", code, out)
	}
	if out, code := tool(t, "verify", "--print", text, "--printer", printer, "--value", "陈示列"); code != 1 || !strings.Contains(out, "[不相符] 陈示列") {
		t.Errorf("exit %d: %s", code, out)
	}
	if out, code := tool(t, "verify", "--json", "--print", text, "--printer", filepath.Join(samples, "root.pem")); code != 1 || !strings.Contains(out, `"genuine": false`) {
		t.Errorf("another printer: exit %d: %s", code, out)
	}
	for _, args := range [][]string{{"--print", text}, {"--print", text, "--printer", "no-such-file"}, {"--print", text, "--printer", printer, printer}} {
		if out, code := tool(t, append([]string{"verify"}, args...)...); code != 2 {
			t.Errorf("verify %v: exit %d: %s", args, code, out)
		}
	}
}

// TestBenchUseMeasuresAPlatform fills a small platform, measures it, and uses the
// directory again; a directory of another platform is left alone.
func TestBenchUseMeasuresAPlatform(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "platform")
	for _, again := range []bool{false, true} {
		out, code := tool(t, "bench", "use", "--json", "--licenses", "200", "--records", "1000", "--for", "300ms", "--data", dir)
		var f map[string]float64
		if err := json.Unmarshal([]byte(out), &f); err != nil || code != 0 {
			t.Fatalf("exit %d, %v: %s", code, err, out)
		}
		for _, name := range []string{
			"query_cpu_over_empty_handler", "materials_over_query", "records_per_commit", "records_per_commit_256", "queries_per_second", "p50_ms",
			"p99_ms", "p50_added_over_fdatasync", "policy_us",
		} {
			if f[name] <= 0 {
				t.Errorf("%s is %v", name, f[name])
			}
		}
		if f["licenses"] != 200 || f["records"] != 1000 || (f["filled_seconds"] == 0) != again {
			t.Errorf("measured %s", out)
		}
	}
	for _, args := range [][]string{{"--licenses", "300", "--data", dir}, {"--data", golden}} {
		if out, code := tool(t, append([]string{"bench", "use"}, args...)...); code != 1 {
			t.Errorf("bench use %v: exit %d: %s", args, code, out)
		}
	}
}
