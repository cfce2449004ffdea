package web

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"elicense"
	"elicense/catalog"
	"elicense/oversight"
)

// facePath is the page of the face editor (Art. 6(4)). The face is JSON in a
// text area of its form; the page's script edits it in place and asks for the
// preview, and without script the same text is typed and previewed by a button.
const facePath = "/issue/types/face"

// faceKey names the face being edited, apart from the type form it comes from.
func faceKey(from string) string { return short("face/" + from) }

func faceText(f *catalog.Face) string {
	b, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return "" // a template is plain data
	}
	return string(b)
}

// problemRow is a finding about a face as the pages show it.
type problemRow struct {
	Page int    `json:"page"`
	Ref  string `json:"ref"`
	Key  string `json:"key"`
	Name string `json:"name"`
	Text string `json:"text"`
	Data string `json:"data"`
}

func (v *visit) problemRows(found []catalog.Problem) []problemRow {
	list := []problemRow{}
	for _, p := range found {
		r := problemRow{Page: p.Page, Ref: p.Ref, Name: clipped(p.Name), Text: v.t(p.Text), Data: v.t(p.Data)}
		if p.Ref == "" {
			r.Key = p.ID
		} else if p.Name == "" {
			r.Name = clipped(p.ID)
		}
		if p.With != "" {
			r.Text = v.t("%s：%s", r.Text, clipped(p.With))
		}
		list = append(list, r)
	}
	return list
}

// clipped is the beginning of a text, to name an object by.
func clipped(s string) string {
	if r := []rune(s); len(r) > 20 {
		return string(r[:20]) + "…"
	}
	return s
}

// faceTool is the editor as a place to work at: the faces there are of invented
// data, but only who registers types has one to edit.
var faceTool = oversight.Desk{Name: "face", Kind: elicense.Staff, Duties: []elicense.Duty{elicense.DutyRegister}}

type faceFormPage struct {
	In       typed
	Form     string
	From     string
	Face     string
	Type     *catalog.Type
	Versions []*catalog.Type // that can be set beside
	Samples  []catalog.Sample
	Data     catalog.Sample
	Shot     string // the form shown: 正本, 副本
	Forms    []string
	Pages    []template.URL // the preview without script
	Looked   bool
	Problems []problemRow
}

// faceForm shows the editor.
func (s *server) faceForm(v *visit) error {
	d, err := s.faceOpen(v)
	if err != nil {
		return err
	}
	return v.render("faceform", v.t("照面编辑"), d)
}

// faceOpen reads what the editor works on: the type as its form says now, and
// the face as it was just sent, kept, or is in that form.
func (s *server) faceOpen(v *visit) (*faceFormPage, error) {
	if err := s.Oversight.Enter(v.r.Context(), v.who, faceTool, v.r.Pattern, s.Now()); err != nil {
		return nil, err
	}
	d := &faceFormPage{From: v.r.FormValue("from"), Samples: catalog.Samples(), Data: catalog.Sample(v.r.FormValue("data")), Shot: v.r.FormValue("shot")}
	if d.Data == "" {
		d.Data = catalog.Usual
	}
	d.Form = faceKey(d.From)
	var err error
	if d.In, err = v.typedInto(d.Form); err != nil {
		return nil, err
	}
	text, err := s.draftType(v, d.From)
	if err != nil {
		return nil, err
	}
	d.Face = text.Get("face")
	if d.In.Has("face") {
		d.Face = d.In.Get("face")
	}
	bare := typed{Values: url.Values{}}
	for k, x := range text.Values {
		if k != "face" {
			bare.Values[k] = x
		}
	}
	if d.Type, err = typeFrom(v.who.Unit, bare); err != nil {
		return nil, err
	}
	if strings.TrimSpace(d.Face) == "" && d.Type.Face != nil {
		d.Face = faceText(d.Type.Face)
	}
	if f, err := catalog.ParseFace([]byte(d.Face)); err == nil {
		d.Forms = f.Forms()
	}
	d.Versions, err = s.versionsBeside(v, d.From)
	return d, err
}

// draftType is the text of the type form the face belongs to, as it was kept.
func (s *server) draftType(v *visit, from string) (typed, error) {
	values, at, err := v.Typed.Kept(v.r.Context(), v.who, typeKey(from))
	if values == nil {
		values = map[string][]string{}
	}
	in := typed{values, at}
	if err == nil && len(in.Values) == 0 {
		err = s.startType(v, in, from)
	}
	return in, err
}

// versionsBeside lists the versions of a type with a face, for looking at beside
// the one being edited: the published ones, and the unit's own.
func (s *server) versionsBeside(v *visit, from string) ([]*catalog.Type, error) {
	if from == "" {
		return nil, nil
	}
	list, err := s.Catalog.Versions(v.r.Context(), elicense.TypeCode(from))
	return slices.DeleteFunc(slices.Clone(list), func(t *catalog.Type) bool {
		return t.Face == nil || t.Unit != v.who.Unit && (t.State == catalog.Proposed || t.State == catalog.Returned)
	}), err
}

// facePost does what a button of the editor asks for.
func (s *server) facePost(v *visit) error {
	d, err := s.faceOpen(v)
	if err != nil {
		return err
	}
	again := func(err error) error {
		return v.refusedForm(err, d.Form, func() error { return v.render("faceform", v.t("照面编辑"), d) })
	}
	switch v.r.PostFormValue("do") {
	case "download":
		return v.file("face.json", "application/json", []byte(d.Face))
	case "default":
		if d.Type.Face == nil {
			return again(elicense.E(elicense.Invalid, "还没有照面字段，不能生成照面").At("face").Then("请先回到登记表填写照面字段"))
		}
		d.Face = faceText(catalog.DefaultFace(d.Type.Name, d.Type.Fields))
	case "upload":
		if d.Face, err = uploadedText(v.r, "template"); err != nil {
			return again(err)
		}
	case "save":
		if _, err := catalog.ParseFace([]byte(d.Face)); err != nil {
			return again(err)
		}
		return s.faceSave(v, d)
	}
	if err := s.facePreview(v, d); err != nil {
		return again(err)
	}
	return v.render("faceform", v.t("照面编辑"), d)
}

// faceSave puts the face into the text of its type form.
func (s *server) faceSave(v *visit, d *faceFormPage) error {
	text, err := s.draftType(v, d.From)
	if err != nil {
		return err
	}
	text.Set("face", d.Face)
	text.Set(keptForm, typeKey(d.From))
	text.Set("from", d.From)
	if err := s.Typed.Save(v.r.Context(), v.who, typeKey(d.From), text.Values); err != nil {
		return err
	}
	if err := s.Typed.Clear(v.r.Context(), v.who, d.Form); err != nil {
		return err
	}
	return v.goTo("/issue/types/new?from=" + url.QueryEscape(d.From) + "#f-face")
}

// facePreview draws the face into the page, for browsers without script.
func (s *server) facePreview(v *visit, d *faceFormPage) error {
	answer, err := s.look(v, d.Type, lookAsk{Data: d.Data, Form: d.Shot, Face: json.RawMessage(d.Face)})
	if err != nil {
		return err
	}
	d.Looked, d.Problems, d.Forms = true, answer.Problems, answer.Forms
	for _, p := range answer.Pages {
		d.Pages = append(d.Pages, template.URL("data:image/svg+xml;base64,"+base64.StdEncoding.EncodeToString([]byte(p.SVG))))
	}
	return nil
}

// lookAsk is what the editor's script asks a preview of.
type lookAsk struct {
	From    string          `json:"from"`
	Data    catalog.Sample  `json:"data"`
	Form    string          `json:"form"`
	Version int             `json:"version"` // of the type, beside the one being edited
	Fresh   bool            `json:"fresh"`   // asks for the default face of the fields
	Face    json.RawMessage `json:"face"`
}

type lookAnswer struct {
	Pages    []lookPage      `json:"pages"`
	Problems []problemRow    `json:"problems"`
	Forms    []string        `json:"forms"`
	Refused  string          `json:"refused,omitempty"` // why nothing is drawn
	Next     string          `json:"next,omitempty"`
	Face     json.RawMessage `json:"face,omitempty"`
}

type lookPage struct {
	SVG   string  `json:"svg"`
	W     float64 `json:"w"`
	H     float64 `json:"h"`
	Index int     `json:"index"`
}

// look draws a face and lints it.
func (s *server) look(v *visit, t *catalog.Type, ask lookAsk) (*lookAnswer, error) {
	one, today := *t, elicense.DateOf(v.Now())
	if ask.Face != nil {
		f, err := catalog.ParseFace(ask.Face)
		if err != nil {
			return nil, err
		}
		one.Face = f
	}
	if !slices.Contains(one.Face.Forms(), ask.Form) {
		ask.Form = one.Face.Form
	}
	proof, err := s.Drawer.Draw(&one, ask.Data, ask.Form, today)
	if err != nil {
		return nil, err
	}
	a := &lookAnswer{Pages: []lookPage{}, Problems: []problemRow{}, Forms: one.Face.Forms()}
	for _, p := range proof.Pages {
		a.Pages = append(a.Pages, lookPage{string(p.SVG), p.W, p.H, p.Index})
	}
	if ask.Version != 0 {
		return a, nil
	}
	found, err := s.Drawer.Lint(&one, today)
	a.Problems = v.problemRows(found)
	return a, err
}

// facePreviewJSON answers the editor's script.
func (s *server) facePreviewJSON(v *visit) error {
	var ask lookAsk
	answer, err := s.lookFor(v, &ask)
	var e *elicense.Error
	switch {
	case errors.As(err, &e) && (e.Kind == elicense.Invalid || e.Kind == elicense.TooLarge || e.Kind == elicense.Unavailable):
		answer = &lookAnswer{Pages: []lookPage{}, Problems: []problemRow{}, Refused: v.sentence(e), Next: v.t(e.Next)}
	case err != nil:
		return err
	}
	b, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	v.w.Write(b) // the visitor is gone if this fails
	return nil
}

func (s *server) lookFor(v *visit, ask *lookAsk) (*lookAnswer, error) {
	if err := s.Oversight.Enter(v.r.Context(), v.who, faceTool, v.r.Pattern, s.Now()); err != nil {
		return nil, err
	}
	if err := json.NewDecoder(v.r.Body).Decode(ask); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, elicense.E(elicense.TooLarge, "照面模板太大，最多%d MB", 4).At("face").Then("请把导入的图片换成小一些的").Because(err)
		}
		return nil, incomplete(err)
	}
	text, err := s.draftType(v, ask.From)
	if err != nil {
		return nil, err
	}
	if ask.Version != 0 {
		return s.lookBeside(v, ask)
	}
	text.Del("face")
	t, err := typeFrom(v.who.Unit, text)
	if err != nil {
		return nil, err
	}
	if !ask.Fresh {
		if ask.Face == nil {
			ask.Face = json.RawMessage("{}")
		}
		return s.look(v, t, *ask)
	}
	if t.Face == nil {
		return nil, elicense.E(elicense.Invalid, "还没有照面字段，不能生成照面").At("face").Then("请先回到登记表填写照面字段")
	}
	b, err := json.Marshal(catalog.DefaultFace(t.Name, t.Fields))
	return &lookAnswer{Face: b, Pages: []lookPage{}, Problems: []problemRow{}}, err
}

// lookBeside draws another version of the type.
func (s *server) lookBeside(v *visit, ask *lookAsk) (*lookAnswer, error) {
	list, err := s.versionsBeside(v, ask.From)
	if err != nil {
		return nil, err
	}
	for _, t := range list {
		if t.Version == ask.Version {
			ask.Face = nil
			return s.look(v, t, *ask)
		}
	}
	return nil, elicense.E(elicense.NotFound, "没有这个证照类别").Then("请从证照目录里选择")
}

// uploadedText reads a small file of a form.
func uploadedText(r *http.Request, name string) (string, error) {
	b, err := uploaded(r, name, 4<<20)
	return string(b), err
}

// uploaded reads a file of a form, of at most so many bytes.
//
// Errors: Invalid without one, TooLarge.
func uploaded(r *http.Request, name string, limit int64) ([]byte, error) {
	b, err := sent(r, name, limit)
	switch {
	case err != nil:
		return nil, err
	case len(b) == 0:
		return nil, elicense.E(elicense.Invalid, "要选择文件").At(name)
	case int64(len(b)) > limit:
		return nil, elicense.E(elicense.TooLarge, "文件过大，最多%d KB", limit>>10).At(name)
	}
	return b, nil
}

// sent reads a file of a form for the room that judges it: nothing if none was
// sent, a byte more than the limit if it is too large.
func sent(r *http.Request, name string, limit int64) ([]byte, error) {
	f, _, err := r.FormFile(name)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// fileName is what the sender of a form called its file.
func fileName(r *http.Request, name string) string {
	if f := r.MultipartForm; f != nil && len(f.File[name]) > 0 {
		return f.File[name][0].Filename
	}
	return ""
}
