// Package e2e tells what the platform does in stories that read like the
// regulation, and runs them against the built binary on real parts.
package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/rogpeppe/go-internal/testscript"

	"elicense/cases"
	"elicense/demo"
	"elicense/gm"
	"elicense/store/storetest"
)

var (
	binary  string // the program, built as it is shipped
	crasher string // the program built with crash points
	golden  string // a data directory with the demo loaded
	// goldenURL is the address the demo was loaded under, which its documents name.
	goldenURL string
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "elicense-e2e")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	binary, crasher, golden = filepath.Join(dir, "elicense"), filepath.Join(dir, "elicense-crash"), filepath.Join(dir, "golden")
	if err := build(binary, ""); err != nil {
		return 1, err
	}
	other := make(chan error, 1)
	go func() { other <- build(crasher, "crash") }()
	err = load()
	if err := errors.Join(err, <-other); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

func build(out, tags string) error {
	if b, err := exec.Command("go", "build", "-tags", tags, "-o", out, "elicense/cmd/elicense").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, b)
	}
	return nil
}

// load makes the golden directory.
func load() error {
	p, err := start(binary, golden)
	if err != nil {
		return fmt.Errorf("load the demo: %w", err)
	}
	goldenURL = p.url
	if err := p.stop(); err != nil {
		return fmt.Errorf("stop after loading the demo: %w", err)
	}
	return nil
}

// proc is a running platform.
type proc struct {
	cmd  *exec.Cmd
	url  string
	log  *logBuffer
	done chan error
}

// logBuffer keeps what a process prints.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var address = regexp.MustCompile(`电子证照平台在 (http://\S+)`)

// start runs a platform with the demo on a free port and waits until it serves.
func start(program, data string, env ...string) (*proc, error) {
	return startBare(program, data, append(env, "ELICENSE_DEMO=true")...)
}

// startTime is how long a platform may take until it serves: where many share the
// processors, loading the demo takes minutes. One that ends is not waited for.
const startTime = 5 * time.Minute

// startBare runs one without the demo.
func startBare(program, data string, env ...string) (*proc, error) {
	p := &proc{log: &logBuffer{}, done: make(chan error, 1)}
	p.cmd = exec.Command(program, "serve", "--data", data, "--listen", "127.0.0.1:0")
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.done <- p.cmd.Wait() }()
	for began := time.Now(); time.Since(began) < startTime; {
		select {
		case err := <-p.done:
			return nil, fmt.Errorf("ended before it served: %w\n%s", errOrEnd(err), p.log)
		case <-time.After(10 * time.Millisecond):
		}
		if m := address.FindStringSubmatch(p.log.String()); m != nil {
			p.url = m[1]
			return p, nil
		}
	}
	p.kill()
	return nil, fmt.Errorf("did not serve within %v\n%s", startTime, p.log)
}

func errOrEnd(err error) error {
	if err == nil {
		return errors.New("exit 0")
	}
	return err
}

// drainTime is how long a platform may take to end what it is at.
const drainTime = time.Minute

// stop asks the platform to drain and waits for it.
func (p *proc) stop() error {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-p.done:
		if err != nil {
			return fmt.Errorf("%w\n%s", err, p.log)
		}
		return nil
	case <-time.After(drainTime):
		p.kill()
		return fmt.Errorf("did not drain within %v\n%s", drainTime, p.log)
	}
}

// kill ends the platform as a power failure would.
func (p *proc) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

func TestStories(t *testing.T) {
	t.Parallel()
	stories(t, golden, nil)
}

// TestStoriesOnPostgreSQL tells the same stories on PostgreSQL, on a database of
// each story's own: copies of one, as loading the demo takes longer than its story.
func TestStoriesOnPostgreSQL(t *testing.T) {
	t.Parallel()
	server := os.Getenv(storetest.PostgresVariable)
	if server == "" {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not set", storetest.PostgresVariable)
		}
		t.Logf("%s is not set: the stories are told on SQLite only", storetest.PostgresVariable)
		return
	}
	first, err := newDatabase(server, "template0")
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "golden")
	p, err := start(binary, data, databaseVariable+first)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	var one sync.Mutex
	stories(t, data, func() (string, error) {
		one.Lock()
		defer one.Unlock()
		return newDatabase(server, strings.TrimPrefix(u.Path, "/"))
	})
}

const databaseVariable = "ELICENSE_DATABASE_URL="

// newDatabase makes a copy of a database and returns its address.
func newDatabase(server, template string) (string, error) {
	db, err := sql.Open("pgx", server)
	if err != nil {
		return "", err
	}
	defer db.Close()
	name := fmt.Sprintf("story_%d", time.Now().UnixNano())
	if _, err := db.Exec("CREATE DATABASE " + name + " TEMPLATE " + template); err != nil {
		return "", err
	}
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

// stories runs every story on a copy of a directory; database makes the database of
// each, nil is the embedded one.
func stories(t *testing.T, data string, database func() (string, error)) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			w := newWorld()
			w.golden = data
			e.Values[worldKey{}] = w
			if database == nil {
				return nil
			}
			url, err := database()
			w.env = []string{databaseVariable + url}
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"platform": cmdPlatform, "drain": cmdDrain, "as": cmdAs, "get": cmdGet, "post": cmdPost, "upload": cmdUpload,
			"status": cmdStatus, "has": cmdHas, "keep": cmdKeep, "save": cmdSave, "until": cmdUntil, "fsck": cmdFsck, "elicense": cmdElicense,
			"silent": cmdSilent, "change": cmdChange, "key": cmdKey, "ticket": cmdTicket,
		},
	})
}

type worldKey struct{}

// world is what a story knows: the platform, who acts, and the last answer.
type world struct {
	p      *proc
	golden string // what its data begin as
	data   string
	env    []string
	token  map[string]string
	who    string
	key    gm.Signer
	status int
	body   []byte
	path   string
}

func newWorld() *world { return &world{token: map[string]string{}} }

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

// platform: a platform with the demo, of this story alone.
func cmdPlatform(ts *testscript.TestScript, _ bool, _ []string) {
	w := worldOf(ts)
	w.data = ts.MkAbs("platform")
	if _, err := os.Stat(w.data); err != nil {
		ts.Check(os.CopyFS(w.data, os.DirFS(w.golden)))
		ts.Check(os.Chmod(w.data, 0o700))
	}
	p, err := start(binary, w.data, w.env...)
	ts.Check(err)
	w.p, w.token = p, map[string]string{}
	ts.Setenv("DATA", w.data)
	ts.Defer(func() {
		if w.p == p {
			p.kill()
		}
	})
}

// drain: the platform drains and ends.
func cmdDrain(ts *testscript.TestScript, _ bool, _ []string) {
	w := worldOf(ts)
	ts.Check(w.p.stop())
	w.p = nil
}

// as LOGIN: from here on this account acts; "as anyone" is the public.
func cmdAs(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	w.who = args[0]
	if w.who == "anyone" || w.token[w.who] != "" {
		return
	}
	form := url.Values{"grant_type": {"password"}, "username": {w.who}, "password": {demo.Password}}
	if w.who == demo.System || w.who == demo.OfficeSystem {
		form = url.Values{"grant_type": {"client_credentials"}, "client_id": {w.who}, "client_secret": {demo.SystemSecret}}
	}
	resp, err := http.PostForm(w.p.url+"/oauth/token", form)
	ts.Check(err)
	defer resp.Body.Close()
	var out struct {
		Token string `json:"access_token"`
	}
	ts.Check(json.NewDecoder(resp.Body).Decode(&out))
	if out.Token == "" {
		ts.Fatalf("%s can't sign in: %s", w.who, resp.Status)
	}
	w.token[w.who] = out.Token
}

func (w *world) do(ts *testscript.TestScript, method, path, kind string, body []byte, header map[string]string) {
	req, err := http.NewRequestWithContext(context.Background(), method, w.p.url+path, bytes.NewReader(body))
	ts.Check(err)
	if w.token[w.who] != "" {
		req.Header.Set("Authorization", "Bearer "+w.token[w.who])
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	w.body, err = io.ReadAll(resp.Body)
	ts.Check(err)
	w.status, w.path = resp.StatusCode, method+" "+path
	ts.Logf("%s %s %s: %d %.800s", w.who, method, path, w.status, w.body)
}

// get PATH
func cmdGet(ts *testscript.TestScript, _ bool, args []string) {
	worldOf(ts).do(ts, http.MethodGet, args[0], "", nil, nil)
}

// post PATH [FILE [KEY]]: FILE holds JSON with $NAMES of kept values; KEY is an
// idempotency key.
func cmdPost(ts *testscript.TestScript, _ bool, args []string) {
	body, header := []byte("{}"), map[string]string{}
	if len(args) > 1 {
		body = []byte(os.Expand(ts.ReadFile(args[1]), ts.Getenv))
	}
	if len(args) > 2 {
		header["Idempotency-Key"] = args[2]
	}
	worldOf(ts).do(ts, http.MethodPost, args[0], "application/json", body, header)
}

// upload PATH FILE: posts the file as it is.
func cmdUpload(ts *testscript.TestScript, _ bool, args []string) {
	worldOf(ts).do(ts, http.MethodPost, args[0], "application/octet-stream", []byte(ts.ReadFile(args[1])), nil)
}

// key FILE: makes the key of a business system, and the body that registers it.
func cmdKey(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	key, err := gm.GenerateKey()
	ts.Check(err)
	pem, err := gm.MarshalPublicKey(key.Public())
	ts.Check(err)
	b, err := json.Marshal(map[string]string{"keyId": "k1", "key": string(pem)})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
	w.key = key
}

// ticket IN OUT: signs the ticket of a file, good for five minutes and for this
// platform unless the file says otherwise, and writes the body that sends it.
func cmdTicket(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	now := time.Now()
	t := cases.Ticket{Number: strconv.FormatInt(now.UnixNano(), 10), Audience: w.p.url, Issued: now.Unix(), Expires: now.Add(5 * time.Minute).Unix()}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &t))
	text, err := t.Sign(w.key, "k1")
	ts.Check(err)
	b, err := json.Marshal(map[string]string{"ticket": text})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o600))
}

// status CODE
func cmdStatus(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	if strconv.Itoa(w.status) != args[0] {
		ts.Fatalf("%s: status %d, want %s: %s", w.path, w.status, args[0], w.body)
	}
}

// at reads a value of the last answer by a path such as fields.scope or 0.state.
func (w *world) at(path string) (string, error) {
	var v any
	if err := json.Unmarshal(w.body, &v); err != nil {
		return "", fmt.Errorf("%s answered no JSON: %w: %.200s", w.path, err, w.body)
	}
	for _, key := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			i, err := strconv.Atoi(key)
			if key == "length" {
				v = float64(len(x))
				continue
			}
			if want, match, ok := strings.Cut(key, "="); ok {
				v = pick(x, want, match)
				continue
			}
			if err != nil || i >= len(x) {
				return "", fmt.Errorf("%s: no %s in %.300s", w.path, path, w.body)
			}
			v = x[i]
		default:
			return "", fmt.Errorf("%s: no %s in %.300s", w.path, path, w.body)
		}
	}
	switch x := v.(type) {
	case string:
		return x, nil
	case nil:
		return "", nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

// pick returns the first element whose member key has the value.
func pick(list []any, key, value string) any {
	for _, e := range list {
		if m, ok := e.(map[string]any); ok && fmt.Sprint(m[key]) == value {
			return e
		}
	}
	return map[string]any{}
}

// has PATH TEXT: the answer's value contains TEXT; ! has: it does not.
func cmdHas(ts *testscript.TestScript, neg bool, args []string) {
	got, err := worldOf(ts).at(args[0])
	ts.Check(err)
	want := strings.Join(args[1:], " ")
	if (strings.Contains(got, want) && (want != "" || got == "")) == neg {
		ts.Fatalf("%s: %s is %q, want %q", worldOf(ts).path, args[0], got, want)
	}
}

// silent TEXT…: none of the texts occurs anywhere in the answer.
func cmdSilent(ts *testscript.TestScript, _ bool, args []string) {
	for _, a := range args {
		if bytes.Contains(worldOf(ts).body, []byte(a)) {
			ts.Fatalf("%s betrays %s: %s", worldOf(ts).path, a, worldOf(ts).body)
		}
	}
}

// keep NAME PATH: remembers a value of the answer.
func cmdKeep(ts *testscript.TestScript, _ bool, args []string) {
	v, err := worldOf(ts).at(args[1])
	ts.Check(err)
	if v == "" {
		ts.Fatalf("%s: %s is empty in %s", worldOf(ts).path, args[1], worldOf(ts).body)
	}
	ts.Setenv(args[0], v)
}

// save FILE: writes the answer to a file.
func cmdSave(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), worldOf(ts).body, 0o600))
}

// change FILE OLD NEW OUT: writes the file with the first OLD made NEW.
func cmdChange(ts *testscript.TestScript, _ bool, args []string) {
	before := ts.ReadFile(args[0])
	after := strings.Replace(before, args[1], args[2], 1)
	if after == before {
		ts.Fatalf("%s has no %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(after), 0o600))
}

// waitTime is how long something that goes on by itself may take, with other tests
// beside it.
const waitTime = 3 * time.Minute

// until PATH MEMBER VALUE: asks again until the answer says so.
func cmdUntil(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	for began := time.Now(); time.Since(began) < waitTime; {
		w.do(ts, http.MethodGet, args[0], "", nil, nil)
		if got, err := w.at(args[1]); err == nil && got == args[2] {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%s never had %s %s: %s", args[0], args[1], args[2], w.body)
}

// fsck: stops the platform, checks everything stored, and starts it again;
// ! fsck expects findings, in the file findings.
func cmdFsck(ts *testscript.TestScript, neg bool, _ []string) {
	w := worldOf(ts)
	running := w.p != nil
	if running {
		ts.Check(w.p.stop())
		w.p = nil
	}
	check := exec.Command(binary, "fsck", "--data", w.data)
	check.Env = append(os.Environ(), w.env...)
	out, err := check.CombinedOutput()
	ts.Check(os.WriteFile(ts.MkAbs("findings"), out, 0o600))
	ts.Logf("fsck: %s", out)
	if (err != nil) != neg {
		ts.Fatalf("fsck: %v\n%s", err, out)
	}
	if running {
		cmdPlatform(ts, false, nil)
	}
}

// elicense ARG…: runs the program; its output is in the file out.
func cmdElicense(ts *testscript.TestScript, neg bool, args []string) {
	cmd := exec.Command(binary, args...)
	cmd.Dir = ts.MkAbs(".")
	out, err := cmd.CombinedOutput()
	ts.Check(os.WriteFile(ts.MkAbs("out"), out, 0o600))
	ts.Logf("elicense %v: %s", args, out)
	if (err != nil) != neg {
		ts.Fatalf("elicense %v: %v\n%s", args, err, out)
	}
}
