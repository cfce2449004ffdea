package web

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/jpeg"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"elicense/sealing"
)

// TestASealsCourse applies for a seal at the unit and brings it to its use and to
// its end at the administration.
func TestASealsCourse(t *testing.T) {
	s := open(t)
	unit, admin := s.as(t, "review"), s.as(t, "admin")
	page := unit.post("/issue/seals", "line", strings.Repeat("长", 13))
	unit.want(page, http.StatusBadRequest, "专用章的用途最多12个字", strings.Repeat("长", 13))
	page = unit.post("/issue/seals", "line", "合同专用章")
	unit.want(page, http.StatusOK, "待制作", "下载证书请求")
	at := unit.at()
	id := at[strings.LastIndexByte(at, '/')+1:]
	if pem := unit.get(at + "/request"); !strings.Contains(pem, "CERTIFICATE REQUEST") {
		t.Errorf("request: %.80s", pem)
	}
	if strings.Contains(page, `value="made"`) {
		t.Error("the unit is offered to make its own seal")
	}
	page = unit.post(at, "to", "made")
	unit.want(page, http.StatusForbidden, "电子印章由印章管理岗位的人员制作、备案和启用")
	if page := s.as(t, "window").get("/issue/seals/" + id); !strings.Contains(page, "不在您的岗位职责内") {
		t.Errorf("the window sees a seal:\n%s", page)
	}
	here := "/admin/seals/" + id
	page = admin.post(here, "to", "refused")
	admin.want(page, http.StatusBadRequest, "要写明原因")
	for _, step := range []struct{ to, word string }{{"made", "已制作"}, {"filed", "已备案"}, {"enabled", "启用"}} {
		page = admin.post(here, "to", step.to)
		admin.want(page, http.StatusOK, step.word, "证书序列号", "印模")
	}
	if picture := admin.get(here + "/picture"); !strings.HasPrefix(picture, "<svg") || admin.last.Header.Get("Content-Type") != "image/svg+xml" {
		t.Errorf("picture: %.80s", picture)
	}
	page = unit.post(at, "to", "disabled", "remark", "U盾丢失")
	unit.want(page, http.StatusOK, "停用", "U盾丢失", "注销")
	page = admin.post(here, "to", "cancelled", "remark", "换发")
	admin.want(page, http.StatusOK, "已注销", "换发")
	page = admin.post(here, "to", "enabled")
	admin.want(page, http.StatusConflict, "不能这样办理", "下一步")
}

func (p *person) send(path, name string, file []byte, kv ...string) string {
	p.t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for i := 0; i < len(kv); i += 2 {
		m.WriteField(kv[i], kv[i+1])
	}
	f, err := m.CreateFormFile(name, "file")
	if err != nil {
		p.t.Fatal(err)
	}
	f.Write(file)
	m.Close()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.site.url+path, &b)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", m.FormDataContentType())
	return p.do(r)
}

func TestWhatIsImportedForSealsIsJudged(t *testing.T) {
	s := open(t)
	admin := s.as(t, "admin")
	page := admin.send("/admin/seals", "file", []byte("不是印章"), "unit", "11350102FJDEM0275F", "key", "some-key")
	admin.want(page, http.StatusBadRequest, "文件不是符合 GB/T 38540 的印章", "下一步", `value="some-key"`)
	page = admin.send("/admin/seals/trust", "file", make([]byte, sealing.MaxImport+1), "kind", sealing.TrustRoot)
	admin.want(page, http.StatusRequestEntityTooLarge, "文件过大")
	page = admin.send("/admin/seals/trust", "file", []byte("x"), "kind", sealing.TrustList)
	admin.want(page, http.StatusBadRequest, "不是用 SM2 签名的证书吊销列表")
	root := admin.get("/ca/root.pem")
	if !strings.Contains(root, "BEGIN CERTIFICATE") {
		t.Fatalf("root: %.80s", root)
	}
	page = admin.send("/admin/seals/trust", "file", []byte(root), "kind", sealing.TrustRoot)
	admin.want(page, http.StatusOK, "根证书", "演示根证书")
	list := admin.get("/ca/list.crl")
	page = admin.send("/admin/seals/trust", "file", []byte(list), "kind", sealing.TrustList)
	admin.want(page, http.StatusOK, "吊销列表")
	audit := s.as(t, "audit")
	page = audit.send("/admin/seals/trust", "file", []byte(root), "kind", sealing.TrustRoot)
	audit.want(page, http.StatusForbidden, "电子印章由印章管理岗位的人员")
}

func TestTheTimeAuthorityAnswersSoManyTimes(t *testing.T) {
	s := open(t)
	p := s.visitor(t)
	for range perMinute {
		p.post("/tsa", "no", "request")
		if p.last.StatusCode == http.StatusTooManyRequests {
			t.Fatal("refused too early")
		}
	}
	p.post("/tsa", "no", "request")
	if p.last.StatusCode != http.StatusTooManyRequests {
		t.Errorf("status %d", p.last.StatusCode)
	}
}

func TestPhotosAreShownAndNotTheirText(t *testing.T) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		t.Fatal(err)
	}
	photo := "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(b.Bytes())
	if photoURL(photo) == "" || photoURL("data:image/svg+xml;base64,AAAA") != "" || photoURL(`data:image/png;base64,"><script>`) != "" {
		t.Error("photoURL")
	}
	lines := functions(chinese)["lines"].(func(string) []string)
	if got := lines(photo); len(got) != 1 || got[0] != "照片（见照面）" {
		t.Errorf("lines: %.80q", got)
	}
	if got := lines("甲\n乙"); len(got) != 2 {
		t.Errorf("lines: %q", got)
	}
}

// TestTheFaceTravelsWithItsForm edits a face without script: previewed, wrong,
// kept, saved into the type form and proposed.
func TestTheFaceTravelsWithItsForm(t *testing.T) {
	s := open(t)
	p := s.as(t, "draft")
	code := "11350102FJDEM0275F001"
	path := facePath + "?from=" + code
	page := p.get(path)
	p.want(page, http.StatusOK, "照面编辑", "食品经营许可证", "&#34;title&#34;")
	face := regexp.MustCompile(`(?s)<textarea[^>]*name="face"[^>]*>(.*?)</textarea>`).FindStringSubmatch(page)
	if face == nil {
		t.Fatal("no face in the editor")
	}
	text := strings.NewReplacer("&#34;", `"`, "&amp;", "&", "&lt;", "<", "&#43;", "+").Replace(face[1])
	form := []string{"form", faceKey(code), "from", code}
	page = p.post(facePath, append(form, "do", "preview", "face", text)...)
	p.want(page, http.StatusOK, "data:image/svg&#43;xml;base64,", "没有发现问题")
	page = p.post(facePath, append(form, "do", "save", "face", text+"<script>alert(1)</script>")...)
	p.want(page, http.StatusBadRequest, "照面模板不是完整的JSON", "&lt;script&gt;alert(1)")
	page = p.get(path)
	p.want(page, http.StatusOK, "上次没有提交的内容还在", "&lt;script&gt;alert(1)")
	wider := strings.Replace(text, `"notice"`, `"notice"`, 1)
	wider = strings.Replace(wider, `"title": "食品经营许可证"`, `"title": "食品经营许可证（新）"`, 1)
	page = p.post(facePath, append(form, "do", "save", "face", wider)...)
	p.want(page, http.StatusOK, "登记新版本", "食品经营许可证（新）")
	// Other desks have no editor, and the text is its writer's own.
	r := s.as(t, "review")
	r.want(r.get(path), http.StatusForbidden, "不在您的岗位职责内")
	if page := s.as(t, "draft").get("/issue/types/new?from=" + code); !strings.Contains(page, "食品经营许可证（新）") {
		t.Error("the saved face is lost")
	}
}

func TestThePreviewAnswersTheScript(t *testing.T) {
	s := open(t)
	p := s.as(t, "draft")
	ask := func(body string) string {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+facePath+"/preview", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		return p.do(r)
	}
	const head = `{"from": "11350102FJDEM0275F001", "data": "usual", "face": `
	answer := ask(head + `{"title": "证", "pages": [{"w": 100, "h": 100, "texts": [{"at": [10, 10, 80, 10], "font": "song", "pt": 12, "text": "</script>{holder_name}"}]}]}}`)
	p.want(answer, http.StatusOK, `"pages":[{"svg":"`, `"index":0`, "必填字段没有位置", "没有盖章的位置")
	if strings.Contains(answer, "</script>") {
		t.Error("markup in the answer")
	}
	p.want(ask(head+`{"title": "证", "pages": [{"w": 100, "h": 100, "seal": {"x": 0, "y": 0, "d": 42}}]}}`), http.StatusOK, `"refused":"照面第1页的盖章位置有错`)
	p.want(ask(`{`), http.StatusOK, `"refused":"没有收下`)
	p.want(ask(`{"from": "11350102FJDEM0275F001", "fresh": true}`), http.StatusOK, `"face":{"title":"食品经营许可证"`)
	p.want(ask(`{"from": "11350102FJDEM0275F001", "version": 1}`), http.StatusOK, `"svg":"`)
	p.want(ask(head+`"`+strings.Repeat("x", 5<<20)+`"}`), http.StatusOK, "照面模板太大")
}
