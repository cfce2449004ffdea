package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"elicense/document"
	"elicense/gm"
)

const samples = "../../document/testdata/ofd"

func sample(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(samples, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func into[T any](t *testing.T, answer string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(answer), &v); err != nil {
		t.Fatalf("%v: %.200s", err, answer)
	}
	return v
}

func TestJudgesAndDrawsAnotherMakersFile(t *testing.T) {
	c := new(checker)
	file := sample(t, "sesv4.ofd")
	rooted := encoded(trust{Roots: []string{string(sample(t, "root.pem"))}})
	const now = "2026-11-24T12:00:00Z"
	for trusted, want := range map[string]string{
		rooted: document.Genuine, "{}": document.GenuineUntrusted, "": document.GenuineUntrusted, `{"roots":["no certificate"]}`: document.GenuineUntrusted,
	} {
		r := into[judged](t, c.judge(file, trusted, now))
		if r.Verdict != want || r.Copy != nil {
			t.Errorf("trusting %.30q: %s, want %s", trusted, r.Verdict, want)
		}
		for _, k := range r.Checks {
			if k.Reason == "" || k.ReasonEn == "" {
				t.Errorf("check %s has no reason in both languages: %+v", k.Name, k)
			}
		}
	}
	if r := into[judged](t, c.judge(file, rooted, "no time")); r.VerdictNow != "" {
		t.Errorf("judged as of now without a now: %s", r.VerdictNow)
	}
	pages := into[[]string](t, c.pictures(file))
	if len(pages) == 0 || !strings.HasPrefix(pages[0], "<svg") {
		t.Errorf("%d pages: %.80q", len(pages), pages)
	}
	into[[]document.Pair](t, c.fields(file))
}

func TestWhatIsNoFileIsAnAnswer(t *testing.T) {
	c := new(checker)
	for _, file := range [][]byte{nil, []byte("PK"), []byte("not a file"), sample(t, "sesv4.ofd")[:2000]} {
		if r := into[judged](t, c.judge(file, "{}", "")); r.Verdict != document.Unreadable || len(r.Checks) == 0 {
			t.Errorf("%.10q: %s", file, r.Verdict)
		}
		if c.pictures(file) != "[]" || c.fields(file) != "[]" {
			t.Errorf("%.10q was drawn", file)
		}
	}
	if r := into[judged](t, broken()); r.Verdict != document.Unreadable || r.Checks[0].State != "fail" {
		t.Errorf("a failure of the program: %+v", r)
	}
}

func TestCopyForOneUse(t *testing.T) {
	list := []document.Pair{{Name: "JZJZZSJ", Value: "20261120000000"}, {Name: "JZJZZSY", Value: "开户"}, {Name: "JZJZZZ", Value: "陈示例"}, {Name: "JZJYXQJZSJ", Value: "20261130000000"}}
	end := time.Date(2026, 11, 30, 0, 0, 0, 0, time.FixedZone("", 8*60*60))
	for _, now := range []time.Time{end.Add(-time.Second), end, end.Add(time.Hour)} {
		n := noteOf(list, now)
		if n == nil || n.Purpose != "开户" || n.Maker != "陈示例" || !n.Until.Equal(end) || n.Expired != !now.Before(end) {
			t.Errorf("at %v: %+v", now, n)
		}
	}
	if noteOf([]document.Pair{{Name: "ZZMC", Value: "营业执照"}}, end) != nil {
		t.Error("a license is taken for a copy")
	}
}

// TestPrintIsCheckedValueByValue signs a statement as the platform does.
func TestPrintIsCheckedValueByValue(t *testing.T) {
	key, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	cert, err := gm.NewRoot(key, gm.Name{CommonName: "打印"}, at, at.AddDate(5, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := document.NewStatement("1.2.156.3005.2.1", "有效", at, []string{"福州示例餐饮有限公司", "陈示例"}, cert).Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	text := document.StatementURL("http://localhost/check", signed)
	printers := encoded(trust{Printers: []string{string(cert.PEM())}})
	c := new(checker)
	s := into[stated](t, c.state(text, printers))
	if s.Identifier != "1.2.156.3005.2.1" || s.Status != "有效" || !s.Printed.Equal(at) || s.Values != 2 {
		t.Errorf("%+v", s)
	}
	for value, want := range map[string]bool{"陈示例": true, " 福州示例餐饮有限公司 ": true, "陈示列": false, "": false, strings.Repeat("陈", maxValue): false} {
		if got := c.holds(value); got != want {
			t.Errorf("holds(%.30q) = %v", value, got)
		}
	}
	for _, bad := range []struct{ text, trust, want string }{
		{text, "{}", notSignedHere}, {text, "", notSignedHere}, {text, `{"printers":["x"]}`, notSignedHere},
		{"http://localhost/check", printers, notAStatement}, {text[:60], printers, notAStatement}, {"", printers, notAStatement},
	} {
		if f := into[failed](t, c.state(bad.text, bad.trust)); f.Error != bad.want {
			t.Errorf("%.40q: %q, want %q", bad.text, f.Error, bad.want)
		}
		if c.holds("陈示例") {
			t.Error("holds a value of a statement that was refused")
		}
	}
}
