package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"elicense/demo"

	"github.com/chromedp/chromedp"
)

// The PINs of a kit's officers.
const (
	drafterPIN  = "wuyishan-37"
	reviewerPIN = "gulangyu-52"
)

type kitPackage struct {
	ID, State                                    string
	Again, Registered, RegisteredBefore, Refused int
	Rows                                         []struct {
		Number         int
		State, License string
		Reason         string
		Late           bool
	}
}

// takeKit orders and confirms a kit at the health authority and fetches its file
// without fonts.
func takeKit(t *testing.T, c *client) (id, file string) {
	t.Helper()
	d, err := demo.Read()
	if err != nil {
		t.Fatal(err)
	}
	var kit struct{ ID string }
	order := map[string]any{
		"licenseTypeCodes": []string{string(d.TypeCode("T14"))}, "ground": "outage", "reason": "窗口网络中断", "proof": "故障单FZ-1123，09:05起政务外网不通",
		"hours": 8, "size": 5, "pin": drafterPIN,
	}
	if status, err := c.do("make-wj-gl", http.MethodPost, "/api/v1/kits", order, &kit); err != nil || status != http.StatusCreated {
		t.Fatalf("order a kit: %d, %v", status, err)
	}
	if status, err := c.do("check-wj-gl", http.MethodPost, "/api/v1/kits/"+kit.ID+"/confirm", map[string]string{"pin": reviewerPIN}, nil); err != nil || status != http.StatusOK {
		t.Fatalf("confirm the kit: %d, %v", status, err)
	}
	file = filepath.Join(t.TempDir(), "kit.zip")
	if err := os.WriteFile(file, c.fetch(t, "make-wj-gl", "/api/v1/kits/"+kit.ID+"/file"), 0o600); err != nil {
		t.Fatal(err)
	}
	return kit.ID, file
}

// fetch reads a file of the API.
func (c *client) fetch(t *testing.T, login, path string) []byte {
	t.Helper()
	return c.raw(t, login, http.MethodGet, path, nil)
}

func (c *client) raw(t *testing.T, login, method, path string, body []byte) []byte {
	t.Helper()
	token, err := c.as(login)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(method, c.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil // the platform may end before it answers
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, b)
	}
	return b
}

// completions writes a file with completed cases that were closed just now.
func completions(t *testing.T, numbers ...int) string {
	t.Helper()
	var list []map[string]any
	for _, n := range numbers {
		x := hygiene(n)
		x["closedAt"] = time.Now().Format(time.RFC3339)
		delete(x["fields"].(map[string]string), "issue_date")
		list = append(list, x)
	}
	b, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rows.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// machine is a computer without network a kit is used at.
type machine struct {
	t        *testing.T
	kit, dir string
	apart    *syscall.SysProcAttr // nil where the kernel gives no namespace
	page     *exec.Cmd            // that serves its page
}

func newMachine(t *testing.T, kit string) *machine {
	t.Helper()
	return &machine{t: t, kit: kit, dir: filepath.Join(t.TempDir(), "station"), apart: noNetwork(t)}
}

// noNetwork is how a process is started in a network namespace of its own, in which
// there is no interface but lo, and that is down. Nil where the kernel lets nobody
// make one, as in a container without the right to.
func noNetwork(t *testing.T) *syscall.SysProcAttr {
	t.Helper()
	for _, attr := range []*syscall.SysProcAttr{
		{Cloneflags: syscall.CLONE_NEWNET},
		{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		},
	} {
		cmd := exec.Command("cat", "/proc/self/net/dev", "/proc/self/net/route", "/proc/self/net/if_inet6")
		cmd.SysProcAttr = attr
		out, _ := cmd.CombinedOutput()
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if len(lines) < 3 {
			continue // not permitted
		}
		devices := 0
		for _, l := range lines {
			if name, _, ok := strings.Cut(strings.TrimSpace(l), ":"); ok && !strings.ContainsAny(name, " |/") {
				devices++
				if name != "lo" {
					t.Fatalf("the namespace has the interface %s", name)
				}
			}
		}
		if devices != 1 {
			t.Fatalf("the namespace is %s", out)
		}
		return attr
	}
	t.Log("this kernel gives no network namespace: the machine is not cut off")
	return nil
}

// run runs the tool at the machine; env may set its clock wrong or stop it.
func (m *machine) run(act string, env []string, args ...string) (string, error) {
	m.t.Helper()
	cmd := exec.Command(crasher, append([]string{"offline", act, "--kit", m.kit, "--dir", m.dir}, args...)...)
	cmd.Env = append(os.Environ(), append([]string{"ELICENSE_PIN_DRAFTER=" + drafterPIN, "ELICENSE_PIN_REVIEWER=" + reviewerPIN}, env...)...)
	cmd.SysProcAttr = m.apart
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (m *machine) must(act string, env []string, args ...string) string {
	m.t.Helper()
	out, err := m.run(act, env, args...)
	if err != nil {
		m.t.Fatalf("offline %s: %v\n%s", act, err, out)
	}
	return out
}

// make makes a license of the n-th completed case.
func (m *machine) make(env []string, n int) madeRow {
	m.t.Helper()
	var list []madeRow
	if err := json.Unmarshal([]byte(m.must("make", env, "--json", "--in", completions(m.t, n))), &list); err != nil {
		m.t.Fatal(err)
	}
	if len(list) != 1 || list[0].State != "sealed" {
		m.t.Fatalf("made %+v", list)
	}
	return list[0]
}

func (m *machine) export() []byte {
	m.t.Helper()
	out := filepath.Join(m.t.TempDir(), "package.zip")
	m.must("export", nil, "--out", out)
	b, err := os.ReadFile(out)
	if err != nil {
		m.t.Fatal(err)
	}
	return b
}

type madeRow struct {
	Number            int
	State, Code, Case string
}

func (m *machine) rows() (list []madeRow) {
	m.t.Helper()
	if err := json.Unmarshal([]byte(m.must("list", nil, "--json")), &list); err != nil {
		m.t.Fatal(err)
	}
	return list
}

// takeIn imports a package and waits until it is judged.
func takeIn(t *testing.T, c *client, kit string, pack []byte) kitPackage {
	t.Helper()
	var p kitPackage
	if err := json.Unmarshal(c.raw(t, "make-wj-gl", http.MethodPost, "/api/v1/kits/packages", pack), &p); err != nil {
		t.Fatal(err)
	}
	return judged(t, c, kit, p.ID)
}

func judged(t *testing.T, c *client, kit, id string) kitPackage {
	t.Helper()
	for range 1200 {
		var k struct{ Packages []kitPackage }
		if _, err := c.do("make-wj-gl", http.MethodGet, "/api/v1/kits/"+kit, nil, &k); err != nil {
			t.Fatal(err)
		}
		for _, p := range k.Packages {
			if (id == "" || p.ID == id) && p.State == "done" {
				return p
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the package of kit %s was not judged", kit)
	return kitPackage{}
}

// checked asks the public check for a code.
func checked(t *testing.T, c *client, code string) (known bool, status, pending string) {
	t.Helper()
	b, err := json.Marshal(map[string]string{"code": code})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(c.url+"/api/v1/checks", "application/json", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var a struct {
		Known   bool
		Status  string
		Offline struct{ Text string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a.Known, a.Status, a.Offline.Text
}

// TestOfflineWithoutNetwork (Art. 7(2)): a machine without any interface makes
// licenses with a kit; its package is imported, imported again, damaged on the way,
// made with the clock set back, and made after the kit was cancelled.
func TestOfflineWithoutNetwork(t *testing.T) {
	t.Parallel()
	data := freshData(t)
	p, c := platformIn(t, binary, data)
	kit, file := takeKit(t, c)
	m := newMachine(t, file)
	one := m.make(nil, 1)
	if known, _, pending := checked(t, c, one.Code); known || pending != "离线生成，待登记" {
		t.Errorf("before the import: %v %q", known, pending)
	}
	pack := m.export()
	hurt := bytes.Clone(pack)
	hurt[bytes.Index(hurt, []byte("files/0001"))+200] ^= 1
	if got := takeIn(t, c, kit, hurt); got.Refused != 1 || !strings.Contains(got.Rows[0].Reason, "被改动") {
		t.Errorf("damaged on the way: %+v", got)
	}
	got := takeIn(t, c, kit, pack)
	if got.Registered != 1 || got.Rows[0].State != "taken" {
		t.Errorf("imported: %+v", got)
	}
	if again := takeIn(t, c, kit, pack); again.ID != got.ID || again.Again != 1 || again.Registered != 0 || again.RegisteredBefore != 1 || again.Refused != 0 {
		t.Errorf("imported again: %+v", again)
	}
	if known, status, pending := checked(t, c, one.Code); !known || status != "valid" || pending != "" {
		t.Errorf("after the import: %v %s %q", known, status, pending)
	}

	// The machine's clock runs an hour fast, and is set back.
	fast := m.make([]string{"ELICENSE_CLOCK_SHIFT=1h"}, 2)
	if out, err := m.run("make", nil, "--in", completions(t, 3)); err == nil || !strings.Contains(out, "时钟被拨回") {
		t.Fatalf("with the clock set back: %v\n%s", err, out)
	}
	m.must("clock", nil, "--reason", "之前走快了一小时")
	m.make(nil, 3)
	got = takeIn(t, c, kit, m.export())
	if got.RegisteredBefore != 1 || got.Refused != 2 || !strings.Contains(got.Rows[1].Reason, "晚于现在") || !strings.Contains(got.Rows[2].Reason, "时钟被拨回了") {
		t.Errorf("with the clock set back: %+v", got)
	}
	if _, _, pending := checked(t, c, fast.Code); pending != "离线生成，没有通过登记" {
		t.Errorf("one that was refused: %q", pending)
	}

	kit, file = takeKit(t, c)
	m = newMachine(t, file)
	if status, err := c.do("check-wj-gl", http.MethodPost, "/api/v1/kits/"+kit+"/cancel", map[string]any{"reason": "网络已恢复"}, nil); err != nil || status >= 300 {
		t.Fatalf("cancel the kit: %d, %v", status, err)
	}
	m.make(nil, 4)
	if got := takeIn(t, c, kit, m.export()); got.Refused != 1 || !strings.Contains(got.Rows[0].Reason, "晚于工具包的注销时间") {
		t.Errorf("made after the kit was cancelled: %+v", got)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	p.done <- nil
	fsckClean(t, data)
}

// stationOnce stops the tool at a line and runs it again: the one row is there and
// sealed, once.
func stationOnce(t *testing.T, point string) {
	t.Helper()
	k := offlineGold(t)
	m := newMachine(t, k.kit)
	rows := completions(t, 1)
	if out, err := m.run("make", []string{"ELICENSE_CRASH_AT=" + point}, "--in", rows); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the crash point was not reached: %v\n%s", err, out)
	}
	m.run("make", nil, "--in", rows) // which is told that the case was entered, if it was
	if list := m.rows(); len(list) != 1 || list[0].Number != 1 || list[0].State != "sealed" {
		t.Errorf("made %+v", list)
	}
}

// offlineOnce stops the platform at a line of an import and starts it again: every
// row of the package is a license, once.
func offlineOnce(t *testing.T, point string) {
	t.Helper()
	k := offlineGold(t)
	data := filepath.Join(t.TempDir(), "platform")
	if err := os.CopyFS(data, os.DirFS(k.data)); err != nil {
		t.Fatal(err)
	}
	crashAt(t, data, point, func(c *client) { c.raw(t, "make-wj-gl", http.MethodPost, "/api/v1/kits/packages", k.pack) })
	again, c := platformIn(t, binary, data)
	p := takeIn(t, c, k.id, k.pack) // which changes nothing that is done
	var folder []struct{ LicenseType string }
	if _, err := c.do("canteen", http.MethodGet, "/api/v1/folder", nil, &folder); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, l := range folder {
		if l.LicenseType == "公共场所卫生许可证" {
			n++
		}
	}
	if p.Refused != 0 || p.Registered+p.RegisteredBefore != 2 || n != 2 {
		t.Errorf("%+v, and the holder has %d licenses", p, n)
	}
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
	again.done <- nil
	fsckClean(t, data)
}

// gold is a platform that gave out a kit, and the package of it with two licenses.
type gold struct {
	data, id, kit string
	pack          []byte
}

var (
	goldOnce sync.Once
	goldKit  gold
)

// offlineGold is made once for the tests that stop programs.
func offlineGold(t *testing.T) gold {
	t.Helper()
	goldOnce.Do(func() {
		dir, err := os.MkdirTemp(filepath.Dir(golden), "offline")
		if err != nil {
			t.Fatal(err)
		}
		data := filepath.Join(dir, "platform")
		if err := os.CopyFS(data, os.DirFS(golden)); err != nil {
			t.Fatal(err)
		}
		p, c := platformIn(t, binary, data)
		id, file := takeKit(t, c)
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		p.done <- nil
		kit := filepath.Join(dir, "kit.zip")
		b, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(kit, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		m := newMachine(t, kit)
		m.must("make", nil, "--in", completions(t, 1, 2))
		goldKit = gold{data, id, kit, m.export()}
	})
	if goldKit.id == "" {
		t.Fatal(fmt.Errorf("the kit was not made"))
	}
	return goldKit
}

// TestBrowserKit (Art. 7(2)): an officer orders a kit and another confirms it; at the
// machine one enters and the other seals, each with his PIN; the check says that the
// license waits; the package is imported, and it is a license.
func TestBrowserKit(t *testing.T) {
	b := browse(t)
	c := &client{url: b.url, token: map[string]bearer{}}
	d, err := demo.Read()
	if err != nil {
		t.Fatal(err)
	}
	code := string(d.TypeCode("T14"))
	b.login("make-wj-gl")
	b.open("/issue/kits")
	b.must(chromedp.Click(chromedp.CSS(`details:has(form[action="/issue/kits"]) > summary`)))
	b.must(chromedp.Click(chromedp.CSS(`input[name="types"][value="` + code + `"]`)))
	b.fill("hours", "8", "size", "12", "pin", drafterPIN, "pin2", drafterPIN)
	b.must(chromedp.SetValue(chromedp.CSS(`form[action="/issue/kits"] [name="reason"]`), "窗口网络中断，申请人在等"))
	b.click(`form[action="/issue/kits"] .btn.go`)
	b.sees("系统故障要写明故障单号、时间和现象")
	b.fill("proof", "故障单FZ-1123，09:05起政务外网不通", "pin", drafterPIN, "pin2", drafterPIN)
	b.click(`form[action="/issue/kits"] .btn.go`)
	b.sees("已申请，等另一位审核签章人员确认", "由本单位另一位审核签章人员确认")
	kit := strings.Split(b.at(), "?")[0]
	b.login("check-wj-gl")
	b.open(kit)
	b.fill("pin", drafterPIN, "pin2", drafterPIN)
	b.click(`form[action$="/confirm"] .btn.go`)
	b.sees("口令不能和制证人员的一样")
	b.fill("pin", reviewerPIN, "pin2", reviewerPIN)
	b.click(`form[action$="/confirm"] .btn.go`)
	b.sees("已确认，可以下载工具包", "下载（带字体，约90 MB）", "12个编号，已登记0个")

	id := strings.TrimPrefix(kit, "/issue/kits/")
	file := filepath.Join(t.TempDir(), "kit.zip")
	if err := os.WriteFile(file, c.fetch(t, "make-wj-gl", "/api/v1/kits/"+id+"/file"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, kit: file, dir: filepath.Join(t.TempDir(), "station")}
	platform := b.url
	b.url, err = m.serve()
	if err != nil {
		t.Fatal(err)
	}
	b.open("/")
	b.sees("打开工具包", "没有在线条件：系统故障")
	b.fill("pin", "not the PIN")
	b.click(`form[action="/open"] .btn.go`)
	b.sees("口令不对，还可以输9次")
	t.Run("station", func(t *testing.T) { b.inspect(t, "/") })
	b.enter("drafter", drafterPIN)
	b.click(`a[href^="/new"]`)
	x := hygiene(1)["fields"].(map[string]string)
	b.fill("case", "鼓卫许〔2026〕0001", "h0.type", "001", "h0.code", "91350102FJDEM90180", "h0.name", "福州示例餐饮有限公司")
	for k, v := range x {
		if k != "issue_date" && k != "legal_rep" {
			b.fill("f."+k, v)
		}
	}
	b.click(`form[action="/new"] .btn.go`)
	b.sees("必填")
	b.fill("f.legal_rep", "陈示例")
	b.click(`form[action="/new"] .btn.go`)
	b.sees("待审核签章", "请换另一人打开工具包", "陈示例")
	b.misses("核对无误")
	t.Run("station new", func(t *testing.T) { b.inspect(t, "/new?type="+code) })
	b.open("/")
	b.click(`form[action="/close"] .btn`)
	b.enter("reviewer", reviewerPIN)
	b.open("/rows/1")
	b.moment("station-review")
	b.click(`button[value="seal"]`)
	b.sees("已签章，待登记", "打印件（PDF）")
	t.Run("station row", func(t *testing.T) { b.inspect(t, "/rows/1") })
	t.Run("station rows", func(t *testing.T) { b.inspect(t, "/") })
	m.stop()
	one := m.rows()
	pdf := filepath.Join(t.TempDir(), "license.pdf")
	m.must("print", nil, "--number", "1", "--out", pdf)
	if b, err := os.ReadFile(pdf); err != nil || !bytes.HasPrefix(b, []byte("%PDF")) {
		t.Errorf("the print: %v", err)
	}
	pack := filepath.Join(t.TempDir(), "package.zip")
	if err := os.WriteFile(pack, m.export(), 0o600); err != nil {
		t.Fatal(err)
	}

	b.url = platform
	b.open("/check/" + one[0].Code)
	b.sees("离线生成，待登记", "福州市鼓楼区卫生健康局", "登记以前不能确认有效")
	t.Run("/check", func(t *testing.T) { b.inspect(t, "/check/"+one[0].Code) })
	b.login("make-wj-gl")
	b.open("/issue/kits")
	b.must(chromedp.SetUploadFiles(chromedp.CSS(`input[name="package"]`), []string{pack}))
	b.click(`form[action="/issue/kits/packages"] .btn.go`)
	b.sees("离线包已收下")
	b.open(kit)
	b.until("已登记发布")
	b.sees("新登记1份", "使用中")
	t.Run("imported", func(t *testing.T) { b.inspect(t, kit) })
	t.Run("/issue/kits", func(t *testing.T) { b.inspect(t, "/issue/kits") })
	b.open("/check/" + one[0].Code)
	b.sees("真实，现行有效")
}

// enter opens the kit at a station's page.
func (b *browser) enter(role, pin string) {
	b.t.Helper()
	b.open("/")
	b.must(chromedp.Click(chromedp.CSS(`input[name="role"][value="` + role + `"]`)))
	b.fill("pin", pin)
	b.click(`form[action="/open"] .btn.go`)
}

// serve serves the machine's page and returns its address.
func (m *machine) serve() (string, error) {
	m.t.Helper()
	m.page = exec.Command(binary, "offline", "--kit", m.kit, "--dir", m.dir, "--listen", "127.0.0.1:0")
	out, err := m.page.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := m.page.Start(); err != nil {
		return "", err
	}
	m.t.Cleanup(m.stop)
	var said strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); said.WriteString(lines.Text() + "\n") {
		if at := regexp.MustCompile(`http://[0-9.]+:[0-9]+`).FindString(lines.Text()); at != "" {
			return at, nil
		}
	}
	return "", fmt.Errorf("the tool said %q", said.String())
}

// stop ends the machine's page.
func (m *machine) stop() {
	if m.page != nil {
		m.page.Process.Signal(os.Interrupt)
		m.page.Wait()
		m.page = nil
	}
}
