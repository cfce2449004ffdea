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
	"regexp"
	"strings"
	"testing"
)

var initialPassword = regexp.MustCompile(`class="code big">(?:<span class="number">)?([a-z0-9-]+)<`)

// TestFirstAdministrator takes an empty data directory to a platform whose
// administrator signs in, registers a unit and gives a clerk of it his account, who
// comes to his desk with a password of his own (Art. 5, 20).
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
		{"with a short one", number + "\nkurz\n", "密码要有10到128个字符", nil},
		{"with one that names the login", number + "\nadmin-2026-admin\n", "密码要有10到128个字符", nil},
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
	visitor := func() *http.Client {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		return &http.Client{Jar: jar}
	}
	administrator, clerk := visitor(), visitor()
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
	const office = "11350102FJDEM0320G"
	if page, status := read(administrator.PostForm(p.url+"/admin/units/new", url.Values{
		"code": {office}, "name": {"福州市鼓楼区烟草专卖局"}, "kind": {"dept"}, "region": {"350102"}, "regionName": {"鼓楼区"}, "parent": {"11350000FJDEM0021G"},
	})); status != http.StatusOK || !strings.Contains(page, "单位已登记") {
		t.Fatalf("%d %s", status, page)
	}
	page, status := read(administrator.PostForm(p.url+"/admin/units/"+office+"/accounts", url.Values{
		"kind": {"staff"}, "name": {"蔡新手"}, "person": {"350102199001010075"}, "login": {"caixs"}, "duties": {"window"},
	}))
	shown := initialPassword.FindStringSubmatch(page)
	if status != http.StatusOK || shown == nil {
		t.Fatalf("%d %s", status, page)
	}
	const own = "这是我自己的一把长密码"
	if page, status := read(clerk.PostForm(p.url+"/signin", url.Values{"login": {"caixs"}, "password": {shown[1]}})); status != http.StatusOK || !strings.Contains(page, "请先改成自己的密码") {
		t.Errorf("%d %s", status, page)
	}
	if page, status := read(clerk.PostForm(p.url+"/password", url.Values{"old": {shown[1]}, "password": {own}, "password2": {own}})); status != http.StatusOK || !strings.Contains(page, "我的办件") {
		t.Errorf("%d %s", status, page)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(binary, "fsck", "--data", data).CombinedOutput(); err != nil {
		t.Errorf("fsck: %v: %s", err, out)
	}
}
