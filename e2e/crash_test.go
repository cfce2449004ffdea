package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"elicense/demo"
	"elicense/offline"
)

// client speaks with a platform that may end at any moment. It signs in again
// when a token has run out: a large lot takes longer than one token lasts.
type client struct {
	url   string
	token map[string]bearer
	mu    sync.Mutex
}

// bearer is a token and until when this client uses it.
type bearer struct {
	value string
	until time.Time
}

func (c *client) as(login string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.token[login]; time.Now().Before(t.until) {
		return t.value, nil
	}
	resp, err := http.PostForm(c.url+"/oauth/token", url.Values{"grant_type": {"password"}, "username": {login}, "password": {demo.Password}})
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var out struct {
		Token string `json:"access_token"`
		Life  int    `json:"expires_in"` // seconds
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("sign in as %s: %s", login, resp.Status)
	}
	c.token[login] = bearer{out.Token, time.Now().Add(time.Duration(out.Life) * time.Second * 9 / 10)}
	return out.Token, nil
}

func (c *client) do(login, method, path string, in, out any) (int, error) {
	token, err := c.as(login)
	if err != nil {
		return 0, err
	}
	body, err := json.Marshal(in)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequest(method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, err
	}
	if out != nil && resp.StatusCode < 300 {
		return resp.StatusCode, json.Unmarshal(b, out)
	}
	return resp.StatusCode, nil
}

type draft struct {
	ID        string `json:"id"`
	Seq       int64  `json:"seq"`
	State     string `json:"state"`
	License   string `json:"license"`
	Published string `json:"publishedAt"`
}

// hygiene is the n-th completed case of a public-place health license.
func hygiene(n int) map[string]any {
	d, err := demo.Read()
	if err != nil {
		panic(err)
	}
	return map[string]any{
		"case": fmt.Sprintf("鼓卫许〔2026〕%04d", n), "licenseTypeCode": d.TypeCode("T14"), "closedAt": "2026-11-23T10:00:00+08:00",
		"holders": []map[string]string{{"codeType": "001", "code": "91350102FJDEM90180", "name": "福州示例餐饮有限公司"}},
		"fields": map[string]string{
			"holder_name": "福州示例餐饮有限公司", "uscc": "91350102FJDEM90180", "legal_rep": "陈示例", "premises": "福州市鼓楼区东街8号",
			"items": "宾馆", "license_no": fmt.Sprintf("闽卫公证字〔2026〕第%06d号", n), "issue_date": "2026-11-23", "valid_to": "2030-11-22",
		},
	}
}

// push does what the business system and the reviewer do for one case, as far as
// the platform lets them, and returns the draft as last seen.
func push(c *client, n int) (d draft, err error) {
	if _, err = c.do("make-wj-gl", http.MethodPost, "/api/v1/completions", hygiene(n), &d); err != nil || d.State != "in-review" {
		return d, err
	}
	_, err = c.do("check-wj-gl", http.MethodPost, "/api/v1/drafts/"+d.ID+"/review", map[string]any{"approve": true, "seq": d.Seq}, nil)
	return d, err
}

// settle repeats what the people do until the case's license is published.
func settle(t *testing.T, c *client, n int) draft {
	t.Helper()
	for range 1200 {
		d, err := push(c, n)
		if err != nil {
			t.Fatal(err)
		}
		if d.State == "published" {
			return d
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("case %d was never published", n)
	return draft{}
}

// platformIn starts a program on the data directory.
func platformIn(t *testing.T, program, data string, env ...string) (*proc, *client) {
	t.Helper()
	p, err := start(program, data, env...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Log(p.log)
		}
	})
	return p, &client{url: p.url, token: map[string]bearer{}}
}

func freshData(t *testing.T) string {
	t.Helper()
	data := filepath.Join(t.TempDir(), "platform")
	if err := os.CopyFS(data, os.DirFS(golden)); err != nil {
		t.Fatal(err)
	}
	return data
}

func fsckClean(t *testing.T, data string) {
	t.Helper()
	if out, err := exec.Command(binary, "fsck", "--data", data).CombinedOutput(); err != nil {
		t.Errorf("fsck: %v\n%s", err, out)
	}
}

var crashCall = regexp.MustCompile(`CrashPoint\("([a-z.-]+)"\)`)

// crashPoints reads the names of all crash points out of the program.
func crashPoints(t *testing.T) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(".."), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(filepath.Join("..", path))
		for _, m := range crashCall.FindAllSubmatch(b, -1) {
			if !slices.Contains(names, string(m[1])) {
				names = append(names, string(m[1]))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestCrashPoints stops the program at every line that matters, once each, and
// starts it again: the license is published once, and everything stored holds.
func TestCrashPoints(t *testing.T) {
	t.Parallel()
	for _, name := range crashPoints(t) {
		passings := []int{1}
		if strings.HasPrefix(name, "store.") {
			passings = []int{2, 3, 4, 5, 6, 7, 8} // every commit from the sign-in to the publishing
		}
		for _, nth := range passings {
			t.Run(fmt.Sprintf("%s:%d", name, nth), func(t *testing.T) {
				t.Parallel()
				data := ""
				if !strings.HasPrefix(name, "station.") && !strings.HasPrefix(name, "offline.") { // those have data of their own
					data = freshData(t)
				}
				if strings.HasPrefix(name, "station.") {
					stationOnce(t, name+":1")
					return
				}
				if strings.HasPrefix(name, "offline.") {
					offlineOnce(t, name+":1")
					return
				}
				if strings.HasPrefix(name, "kit.") {
					crashAt(t, data, name+":1", func(c *client) { orderKit(t, c) })
					kitOnce(t, data)
					return
				}
				if strings.HasPrefix(name, "letters.") {
					var id string
					crashAt(t, data, name+":1", func(c *client) { id = correct(t, c) })
					letterOnce(t, data, id)
					return
				}
				if strings.HasPrefix(name, "delivery.") {
					crashAt(t, data, name+":1", func(c *client) { register(t, c, "13800138000"); given(c) })
					givenOnce(t, data)
					return
				}
				if strings.HasPrefix(name, "stock.") {
					crashAt(t, data, name+":1", func(c *client) { marriage(t, c) })
					marriageOnce(t, data)
					return
				}
				if strings.HasPrefix(name, "papers.") {
					crashAt(t, data, name+":2", func(c *client) { divorces(t, c, divorceTable) })
					divorcesOnce(t, data)
					return
				}
				if strings.HasPrefix(name, "lot.") {
					var id string
					crashAt(t, data, name+":2", func(c *client) { id = fleet(t, c) })
					lotOnce(t, data, id)
					return
				}
				crashAt(t, data, fmt.Sprintf("%s:%d", name, nth), func(c *client) { push(c, 1) })
				again, c := platformIn(t, binary, data)
				d := settle(t, c, 1)
				once(t, c, d)
				if err := again.stop(); err != nil {
					t.Fatal(err)
				}
				again.done <- nil
				fsckClean(t, data)
			})
		}
	}
}

// orderKit orders a kit with a file that proves the outage; the platform may end before
// it answers.
func orderKit(t *testing.T, c *client) (id string) {
	t.Helper()
	d, err := demo.Read()
	if err != nil {
		t.Fatal(err)
	}
	var kit struct{ ID string }
	c.do("make-wj-gl", http.MethodPost, "/api/v1/kits", map[string]any{
		"licenseTypeCodes": []string{string(d.TypeCode("T14"))}, "ground": "outage", "reason": "窗口网络中断", "proofFile": []byte("%PDF-1.4\n"), "proofName": "故障单.pdf",
		"hours": 8, "size": 5, "pin": drafterPIN,
	}, &kit)
	return kit.ID
}

// kitOnce starts the platform that was stopped between the proof of an outage and the
// kit it was for: there is no kit, the file nothing leads to is known to fsck, and the
// order is given again.
func kitOnce(t *testing.T, data string) {
	t.Helper()
	proofs := func(data string) int {
		t.Helper()
		list, err := filepath.Glob(filepath.Join(data, "files", "*", url.PathEscape(offline.ProofPrefix)+"*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	stray := proofs(data) - proofs(golden)
	again, c := platformIn(t, binary, data)
	kits := func() int {
		t.Helper()
		var list []struct{ ID string }
		if status, err := c.do("make-wj-gl", http.MethodGet, "/api/v1/kits", nil, &list); err != nil || status != http.StatusOK {
			t.Fatalf("kits: %d, %v", status, err)
		}
		return len(list)
	}
	const before = 1 // of the demo
	left := kits()
	id := orderKit(t, c)
	if n := kits(); left != before || n != before+1 || stray != 1 {
		t.Errorf("%d kits were left and %d are there now, with %d proofs without one", left, n, stray)
	}
	if got := c.fetch(t, "make-wj-gl", "/api/v1/kits/"+id+"/proof"); string(got) != "%PDF-1.4\n" {
		t.Errorf("the proof is %q", got)
	}
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
	again.done <- nil
	fsckClean(t, data)
}

// marriage enters a certificate of 2011 from its paper, and again by another; the
// platform may end before it answers.
func marriage(t *testing.T, c *client) {
	t.Helper()
	d, err := demo.Read()
	if err != nil {
		t.Fatal(err)
	}
	paper := map[string]any{
		"issuedOn": "2011-11-11", "holders": []map[string]string{
			{"codeType": "111", "code": "350100198506120117", "name": "陈示例"}, {"codeType": "111", "code": "350100199003070028", "name": "林样本"},
		},
		"fields": map[string]string{
			"cert_no": "J350102-2011-000077", "name_a": "陈示例", "id_a": "350100198506120117", "name_b": "林样本", "id_b": "350100199003070028", "reg_date": "2011-11-11",
			"authority": "福州市鼓楼区民政局婚姻登记处", "holder": "陈示例", "sex_a": "男", "sex_b": "女", "nation_a": "中国", "nation_b": "中国", "birth_a": "1985-06-12", "birth_b": "1990-03-07",
		},
	}
	var e struct{ ID string }
	c.do("make-mz-gl", http.MethodPost, "/api/v1/stock/entries", map[string]any{
		"licenseTypeCode": d.TypeCode("T06"), "origin": "stock", "paper": paper, "scan": []byte("%PDF-1.4\n"), "scanName": "77.pdf",
	}, &e)
	c.do("check-mz-gl", http.MethodPost, "/api/v1/stock/entries/"+e.ID+"/moves", map[string]any{"move": "again", "paper": paper}, nil)
}

// marriageOnce starts the platform that was stopped in between: what was entered is
// there once, what was not is entered again.
func marriageOnce(t *testing.T, data string) {
	t.Helper()
	again, c := platformIn(t, binary, data)
	made := func() (n int) {
		var list []struct{ LicenseType string }
		if status, err := c.do("make-mz-gl", http.MethodGet, "/api/v1/stock/entries?state=made", nil, &list); err != nil || status != http.StatusOK {
			t.Fatalf("entries: %d, %v", status, err)
		}
		return len(list)
	}
	const before = 4 // of the demo
	if made() == before {
		marriage(t, c)
	}
	if n := made(); n != before+1 {
		t.Errorf("%d entries became drafts, want %d", n, before+1)
	}
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
	again.done <- nil
	fsckClean(t, data)
}

// divorceTable is a table of certificates on paper; the first has no picture.
const divorceTable = "离婚证字号,持证人姓名,身份证件号,登记日期,登记机关\n" +
	"L350102-2012-000001,陈示例,350100198506120117,2012-02-01,福州市鼓楼区民政局婚姻登记处\n" +
	"L350102-2012-000002,陈示例,350100198506120117,2012-02-02,福州市鼓楼区民政局婚姻登记处\n" +
	"L350102-2012-000003,陈示例,350100198506120117,2012-02-03,福州市鼓楼区民政局婚姻登记处\n"

// divorceTableOf is what a client reads of a table it sent.
type divorceTableOf struct {
	ID               string
	Entered, BadRows int
	Broken           bool
	Rows             []struct{ Line, Text string }
}

// divorces sends a table of certificates with the pictures of all but the first; the
// platform may end before it answers.
func divorces(t *testing.T, c *client, table string) (out divorceTableOf) {
	t.Helper()
	d, err := demo.Read()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, n := range []string{"2", "3"} {
		if f, err := z.Create("L350102-2012-00000" + n + ".pdf"); err == nil {
			f.Write([]byte("%PDF-1.4\n"))
		}
	}
	z.Close()
	c.do("make-mz-gl", http.MethodPost, "/api/v1/stock/tables", map[string]any{"licenseTypeCode": d.TypeCode("T07"), "table": []byte(table), "pictures": b.Bytes()}, &out)
	return out
}

// divorcesOnce starts the platform that was stopped between the rows of a table and
// their result: the row that was entered is there once, the others come back with
// their reasons, and are entered when they are sent again.
func divorcesOnce(t *testing.T, data string) {
	t.Helper()
	again, c := platformIn(t, binary, data)
	var list []divorceTableOf
	var one divorceTableOf
	if status, err := c.do("make-mz-gl", http.MethodGet, "/api/v1/stock/tables", nil, &list); err != nil || status != http.StatusOK || len(list) == 0 {
		t.Fatalf("the table is lost: %d, %v", status, err)
	}
	if _, err := c.do("make-mz-gl", http.MethodGet, "/api/v1/stock/tables/"+list[0].ID, nil, &one); err != nil {
		t.Fatal(err)
	}
	if !one.Broken || one.Entered != 1 || len(one.Rows) != 2 || one.Rows[0].Line != "2" || !strings.Contains(one.Rows[0].Text, "没有这个编号的扫描件") ||
		one.Rows[1].Line != "4" || !strings.Contains(one.Rows[1].Text, "中断") {
		t.Errorf("the table says %+v", one)
	}
	if sent := divorces(t, c, divorceTable); sent.Broken || sent.Entered != 1 || sent.BadRows != 2 || !strings.Contains(sent.Rows[1].Text, "已经录过") {
		t.Errorf("sent again, the table says %+v", sent)
	}
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
	again.done <- nil
	fsckClean(t, data)
}

// correct opens a case and tells the applicant what is missing; the notice of it is
// then sealed.
func correct(t *testing.T, c *client) string {
	t.Helper()
	var k struct {
		ID string `json:"id"`
	}
	party := map[string]any{"role": "申请人", "proof": "e-license", "holder": map[string]string{"codeType": "001", "code": "91350102FJDEM90180", "name": "福州示例餐饮有限公司"}}
	status, err := c.do("window2-gl", http.MethodPost, "/api/v1/cases", map[string]any{"matterCode": "M04", "parties": []any{party}}, &k)
	if err != nil || k.ID == "" {
		t.Fatalf("open a case: %d, %v", status, err)
	}
	// The platform may end before it answers.
	c.do("window2-gl", http.MethodPost, "/api/v1/cases/"+k.ID+"/moves", map[string]any{"kind": "correct", "items": []string{"场所布局图"}}, nil)
	return k.ID
}

// letterOnce starts the platform that was stopped while it sealed a notice: the
// one notice is sealed, once, without anybody asking.
func letterOnce(t *testing.T, data, id string) {
	t.Helper()
	again, c := platformIn(t, binary, data)
	var list []struct {
		Kind, SealedAt string
	}
	for range 1200 {
		if _, err := c.do("window2-gl", http.MethodGet, "/api/v1/cases/"+id+"/letters", nil, &list); err != nil {
			t.Fatal(err)
		}
		if len(list) == 2 && list[1].SealedAt != "" {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
	again.done <- nil
	if len(list) != 2 || list[1].SealedAt == "" || list[0].SealedAt != "" {
		t.Errorf("the notices are %+v, want the 补正告知 sealed and the receipt not asked for", list)
	}
	fsckClean(t, data)
}

// fleetRows are the rows of the lot that is sealed when the platform is stopped:
// three batches.
const fleetRows = 600

// fleet uploads a lot, looks at what is drawn, and approves it; it is then sealed.
func fleet(t *testing.T, c *client) string {
	t.Helper()
	d, err := demo.Read()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	text.WriteString("办件编号,持证主体证件类型,持证主体证件号码,业户名称,车辆号牌,道路运输证号,车辆类型,吨(座)位,经营范围,发证日期,审验有效期至\n")
	for i := range fleetRows {
		fmt.Fprintf(&text, "交运〔2026〕%03d,统一社会信用代码,91350102FJDEM90180,福州示例餐饮有限公司,闽A%05d,闽交运管字%06d号,厢式货车,5吨,普通货运,2026-11-20,2027-11-19\n", i, 30000+i, i)
	}
	token, err := c.as("make-jt-fz")
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, c.url+"/api/v1/lots?closed=2026-11-20&name=fleet.csv&licenseTypeCode="+string(d.TypeCode("T13")), strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var lot struct {
		ID   string `json:"id"`
		Rows int    `json:"rows"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&lot); err != nil || lot.Rows != fleetRows {
		t.Fatalf("the lot has %d rows: %d, %v", lot.Rows, resp.StatusCode, err)
	}
	do := func(login, method, path string, in, out any) {
		t.Helper()
		if status, err := c.do(login, method, "/api/v1/lots/"+lot.ID+path, in, out); err != nil || status >= 300 {
			t.Fatalf("%s%s: %d, %v", method, path, status, err)
		}
	}
	do("make-jt-fz", http.MethodPost, "/moves", map[string]string{"move": "submit"}, nil)
	var sample []struct{ Draft string }
	do("check-jt-fz", http.MethodGet, "/sample", nil, &sample)
	for _, s := range sample {
		do("check-jt-fz", http.MethodPost, "/sample/"+s.Draft, map[string]bool{"good": true}, nil)
	}
	// The platform may end before it answers.
	c.do("check-jt-fz", http.MethodPost, "/api/v1/lots/"+lot.ID+"/moves", map[string]string{"move": "approve"}, nil)
	return lot.ID
}

// lotOnce starts the platform that was stopped while it sealed a lot: it goes on
// by itself, and every row is a license, once.
func lotOnce(t *testing.T, data, id string) {
	t.Helper()
	again, c := platformIn(t, binary, data)
	var lot struct {
		State         string
		Made, Stopped int
	}
	for range 600 {
		if _, err := c.do("make-jt-fz", http.MethodGet, "/api/v1/lots/"+id, nil, &lot); err != nil {
			t.Fatal(err)
		}
		if lot.State == "done" {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if lot.State != "done" || lot.Made != fleetRows || lot.Stopped != 0 {
		t.Errorf("the lot is %+v", lot)
	}
	var folder []struct {
		LicenseType string
	}
	if _, err := c.do("canteen", http.MethodGet, "/api/v1/folder", nil, &folder); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, l := range folder {
		if l.LicenseType == "道路运输证" {
			n++
		}
	}
	if n != fleetRows {
		t.Errorf("the holder has %d certificates, want %d", n, fleetRows)
	}
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
	again.done <- nil
	fsckClean(t, data)
}

// crashAt runs one case until the platform is stopped at the point.
func crashAt(t *testing.T, data, point string, act func(*client)) {
	t.Helper()
	p, err := start(crasher, data, "ELICENSE_CRASH_AT="+point)
	if err != nil && strings.Contains(err.Error(), "signal: killed") {
		return // stopped while it was starting
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	act(&client{url: p.url, token: map[string]bearer{}}) // ends where the platform ends
	select {
	case <-p.done:
		p.done <- nil
	case <-time.After(waitTime): // it may be a job that reaches it
		t.Fatal("the crash point was not reached")
	}
}

// once checks that the holder got exactly one license of the case.
func once(t *testing.T, c *client, d draft) {
	t.Helper()
	var folder []struct {
		ID, LicenseType string
	}
	if _, err := c.do("canteen", http.MethodGet, "/api/v1/folder", nil, &folder); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range folder {
		if l.LicenseType == "公共场所卫生许可证" {
			got = append(got, l.ID)
		}
	}
	if len(got) != 1 || got[0] != d.License {
		t.Errorf("the holder has %v, want only %s", got, d.License)
	}
}

// TestKillAtRandom ends the program twenty times in the middle of making
// licenses. Each case's license is published once in the end.
func TestKillAtRandom(t *testing.T) {
	const kills, perRound = 20, 6
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	data := freshData(t)
	for round := range kills {
		p, c := platformIn(t, binary, data)
		var wg sync.WaitGroup
		for i := range perRound {
			wg.Add(1)
			go func() {
				defer wg.Done()
				push(c, round*perRound/2+i) // half of them are new, half repeated
			}()
		}
		time.Sleep(time.Duration(20+random.IntN(250)) * time.Millisecond)
		p.kill()
		p.done <- nil
		wg.Wait()
	}
	p, c := platformIn(t, binary, data)
	seen := map[string]int{}
	for n := range (kills-1)*perRound/2 + perRound {
		d := settle(t, c, n)
		if other, twice := seen[d.License]; twice {
			t.Errorf("cases %d and %d have the same license", other, n)
		}
		seen[d.License] = n
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	p.done <- nil
	fsckClean(t, data)
}

// TestOneProcessPerDirectory starts a second program on the same directory.
func TestOneProcessPerDirectory(t *testing.T) {
	t.Parallel()
	data := freshData(t)
	platformIn(t, binary, data)
	if p, err := start(binary, data); err == nil {
		p.kill()
		t.Fatal("a second process opened the data directory")
	} else if !strings.Contains(err.Error(), "数据目录") {
		t.Errorf("the refusal does not say why: %v", err)
	}
	if out, err := exec.Command(binary, "fsck", "--data", data).CombinedOutput(); err == nil || !strings.Contains(string(out), "数据目录") {
		t.Errorf("fsck on a directory in use: %v\n%s", err, out)
	}
}
