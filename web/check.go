package web

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"encoding/pem"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"elicense"
	"elicense/verification"
)

// Where the checker of scripts/checker.sh is among the assets. A server built
// without it takes uploads instead.
const (
	checkerFile = "assets/built/checker.wasm"
	checkerGlue = "assets/built/wasm_exec.js"
	workerFile  = "assets/check-worker.js"
)

var checkerBuilt = func() bool {
	_, program := fs.Stat(assetFiles, checkerFile+".gz")
	_, glue := fs.Stat(assetFiles, checkerGlue)
	return program == nil && glue == nil
}()

// The policies of the check page and of its worker. Pages of a file are shown as
// pictures made in the browser. The worker, which holds the file, may compile
// the checker and reach nothing.
const (
	checkPolicy = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; " +
		"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	workerPolicy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'none'; base-uri 'none'"
)

// checker serves the checker's program, which is kept compressed.
func checker(w http.ResponseWriter, r *http.Request) {
	packed, err := assetFiles.ReadFile(checkerFile + ".gz")
	if err != nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/wasm")
	h.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(packed))
		return
	}
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	if err == nil {
		_, err = io.Copy(w, plain)
	}
	if err != nil { // the visitor is gone: the file is our own
		return
	}
}

// checkStart is what the check page begins with.
type checkStart struct {
	Built    bool     // the checker is there: files stay in the browser
	Statuses []string // words a print may say
	Names    []metaName
}

type metaName struct{ Name, Label string }

// metaNames are the members of a file's metadata (GB/T 36903-2018, with the
// extension KZ_CYDZ) as people read them.
var metaNames = []metaName{
	{"ZZMC", "证照名称"}, {"ZZLXDM", "证照类型代码"}, {"ZZBS", "证照标识"}, {"ZZBH", "证照编号"}, {"ZZBFJG", "颁发机构"}, {"ZZBFJGDM", "颁发机构代码"},
	{"ZZBFRQ", "颁发日期"}, {"CZZT", "持证主体"}, {"CZZTDM", "持证主体的代码"}, {"ZZYXQQSRQ", "有效期起"}, {"ZZYXQJZRQ", "有效期止"}, {"KZ_CYDZ", "查验地址"},
	{"JZJZZSJ", "加注件制作时间"}, {"JZJZZZ", "加注件制作者"}, {"JZJZZSY", "加注件用途"}, {"JZJYXQJZSJ", "加注件有效期至"},
}

func (s *server) checkForm(v *visit) error {
	d := checkStart{Built: checkerBuilt, Names: metaNames}
	if d.Built {
		v.w.Header().Set("Content-Security-Policy", checkPolicy)
		for st := range statusLook {
			d.Statuses = append(d.Statuses, st.Chinese())
		}
	}
	return v.render("check", v.t("查验证照"), d)
}

// trusted is what files and prints are judged by in the browser.
type trusted struct {
	At            time.Time `json:"at"`       // now, by the platform's clock
	CheckURL      string    `json:"checkURL"` // with which the addresses in our files begin
	Roots         []string  `json:"roots"`
	Intermediates []string  `json:"intermediates"`
	Lists         []string  `json:"lists"`
	Printers      []string  `json:"printers"`
}

// checkTrust answers with the certificates and revocation lists the platform
// judges by: what it needs for a check, loaded before any file is chosen.
func (s *server) checkTrust(v *visit) error {
	t, err := s.Seals.Trust(v.r.Context())
	if err != nil {
		return err
	}
	d := trusted{At: s.Now().UTC(), CheckURL: s.PublicURL + "/check/", Roots: []string{}, Intermediates: []string{}, Lists: []string{}, Printers: []string{}}
	for _, c := range t.Roots {
		d.Roots = append(d.Roots, string(c.PEM()))
	}
	for _, c := range t.Intermediates {
		d.Intermediates = append(d.Intermediates, string(c.PEM()))
	}
	for _, l := range t.Lists {
		d.Lists = append(d.Lists, string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: l.DER})))
	}
	_, printer, err := s.Seals.Printer(v.r.Context())
	switch {
	case err == nil:
		d.Printers = append(d.Printers, string(printer.PEM()))
	case !elicense.IsKind(err, elicense.NotFound):
		return err
	}
	return v.json(http.StatusOK, d)
}

// statusAnswer is the status of a license as the check page asks for it, in the
// visitor's language: what the page of the same address says, and nothing more.
type statusAnswer struct {
	Class    string   `json:"class"`
	Shape    string   `json:"shape"`
	Title    string   `json:"title"`
	Why      string   `json:"why"`
	Status   string   `json:"status"`
	Overlays []string `json:"overlays"`
	Validity string   `json:"validity,omitempty"`
	DocNo    string   `json:"docNo,omitempty"`
	AsOf     string   `json:"asOf"`
	Source   string   `json:"source"`
	Receipt  string   `json:"receipt"`
}

func (v *visit) wantsJSON() bool { return v.r.Header.Get("Accept") == "application/json" }

func (v *visit) statusJSON(a *verification.Answer) error {
	d := statusAnswer{
		Status: v.t(a.Status.Chinese()), Overlays: tAll(v.t, a.Overlays), DocNo: a.EndedBy,
		AsOf: stamp(a.AsOf, "2006-01-02 15:04:05"), Source: v.t(a.Source), Receipt: a.ReceiptOf,
	}
	if a.Pending != nil {
		d.Status = v.t(a.Pending.State.Chinese())
	}
	if a.Stale {
		d.Status = v.t(elicense.StatusUnknown.Chinese())
	}
	class, shape, title, why := verdict(a)
	d.Class, d.Shape, d.Title, d.Why = class, shape, v.t(title), v.t(why)
	if a.ValidTo != "" {
		d.Validity = v.t("有效期至%s", string(a.ValidTo))
	}
	return v.json(http.StatusOK, d)
}

// failJSON answers with why the status can't be told.
func (v *visit) failJSON(err error) error {
	v.refuse(err)
	return v.json(statusOf[v.refusal.Kind], map[string]string{"title": v.t(titleOf[v.refusal.Kind]), "why": v.refusal.Text})
}

func (v *visit) json(status int, d any) error {
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/json")
	v.w.Header().Add("Vary", "Accept")
	v.w.WriteHeader(status)
	v.w.Write(b) // the visitor is gone if this fails
	return nil
}
