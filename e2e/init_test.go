package e2e

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFirstAdministrator takes an empty data directory to a platform whose
// administrator signs in.
func TestFirstAdministrator(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "platform")
	const number, password = "110105199003070033", "一把很长的钥匙2017"
	begin := func(input string, change ...string) (out string, code int) {
		t.Helper()
		args := append([]string{
			"init", "--data", data, "--unit-code", "11350000FJDEM0021G", "--unit-name", "福建省数据管理局", "--name", "方管理",
		}, change...)
		cmd := exec.Command(binary, args...)
		cmd.Stdin = strings.NewReader(input)
		var b bytes.Buffer
		cmd.Stdout, cmd.Stderr = &b, &b
		err := cmd.Run()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return b.String(), exit.ExitCode()
		}
		if err != nil {
			t.Fatal(err)
		}
		return b.String(), 0
	}
	for _, tc := range []struct {
		name, input, says string
		change            []string
	}{
		{"without anything", "", "没有读到", nil},
		{"without a password", number + "\n", "没有读到", nil},
		{"with a short one", number + "\nkurz\n", "密码至少要有10个字符", nil},
		{"with one that names the login", number + "\nadmin-2026-admin\n", "密码至少要有10个字符", nil},
		{"of nobody", "110105199003070030\n" + password + "\n", "校验位不对", nil},
		{"of no unit", number + "\n" + password + "\n", "统一社会信用代码不对", []string{"--unit-code", "11350000FJDEM0021H"}},
		{"of nowhere", number + "\n" + password + "\n", "行政区划", []string{"--region", "福建"}},
		{"with a login nobody can type", number + "\n" + password + "\n", "登录名要用", []string{"--login", "管理"}},
	} {
		out, code := begin(tc.input, tc.change...)
		if code != 1 || !strings.Contains(out, tc.says) || strings.Contains(out, password) || strings.Contains(out, number) {
			t.Errorf("%s: exit %d: %s", tc.name, code, out)
		}
	}
	if out, code := begin(number + "\n" + password + "\n"); code != 0 || !strings.Contains(out, "已建立福建省数据管理局") {
		t.Fatalf("exit %d: %s", code, out)
	}
	if out, code := begin(number+"\n"+password+"\n", "--login", "second"); code != 1 || !strings.Contains(out, "已经有单位或账号") {
		t.Errorf("a second time: exit %d: %s", code, out)
	}

	p, err := startBare(binary, data)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	administrator := &http.Client{Jar: jar}
	read := func(r *http.Response, err error) (string, int) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b), r.StatusCode
	}
	if page, status := read(administrator.PostForm(p.url+"/signin", url.Values{"login": {"second"}, "password": {password}})); status != http.StatusUnauthorized {
		t.Errorf("the second administrator signs in: %d %s", status, page)
	}
	if page, status := read(administrator.PostForm(p.url+"/signin", url.Values{"login": {"admin"}, "password": {password}})); status != http.StatusOK || !strings.Contains(page, "方管理") {
		t.Errorf("%d %s", status, page)
	}
	if page, status := read(administrator.Get(p.url + "/admin/units")); status != http.StatusOK || !strings.Contains(page, "福建省数据管理局") || !strings.Contains(page, "人员管理") {
		t.Errorf("%d %s", status, page)
	}
	if page, status := read(administrator.PostForm(p.url+"/admin/bases", url.Values{
		"rank": {"law"}, "title": {"某法"}, "article": {"第一条"}, "quote": {"条文"}, "inForce": {"2020-01-01"},
	})); status != http.StatusOK || !strings.Contains(page, "某法") {
		t.Errorf("%d %s", status, page)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(binary, "fsck", "--data", data).CombinedOutput(); err != nil {
		t.Errorf("fsck: %v: %s", err, out)
	}
}
