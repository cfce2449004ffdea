package web

import (
	"embed"
	"fmt"
	"hash/crc32"
	"html"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/catalog"
	"elicense/issuance"
	"elicense/posts"
	"elicense/sealing"
	"elicense/sharing"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// templates are the pages in one language. Each page is parsed over the layouts.
type templates struct{ byName map[string]*template.Template }

func (t *templates) execute(w io.Writer, name string, p *page) error {
	return t.byName[name].ExecuteTemplate(w, "page", p)
}

// shared are the files of layouts and pieces, under every page.
var sharedTemplates = []string{"templates/layout.html", "templates/pieces.html", "templates/sprite.html"}

// parsed are the pages by language, read once for the platform and its practice.
var parsed = map[string]func() (*templates, error){
	chinese: sync.OnceValues(func() (*templates, error) { return parse(chinese) }),
	english: sync.OnceValues(func() (*templates, error) { return parse(english) }),
}

func parse(lang string) (*templates, error) {
	base, err := template.New("").Funcs(functions(lang)).ParseFS(templateFiles, sharedTemplates...)
	if err != nil {
		return nil, fmt.Errorf("layout: %w", err)
	}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	t := &templates{map[string]*template.Template{}}
	for _, f := range files {
		if slices.Contains(sharedTemplates, f) {
			continue
		}
		one, err := template.Must(base.Clone()).ParseFS(templateFiles, f)
		if err != nil {
			return nil, fmt.Errorf("page: %w", err)
		}
		t.byName[strings.TrimSuffix(path.Base(f), ".html")] = one
	}
	return t, nil
}

// assetVersion changes with the assets, so that browsers keep them until then.
var assetVersion = func() string {
	sum := crc32.NewIEEE()
	fs.WalkDir(assetFiles, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := assetFiles.ReadFile(p)
		sum.Write(b)
		return err
	})
	return fmt.Sprintf("%08x", sum.Sum32())
}()

func assetHandler() http.Handler {
	files := http.FileServerFS(assetFiles)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		if r.URL.RawQuery == assetVersion {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		switch strings.TrimPrefix(r.URL.Path, "/") {
		case checkerFile:
			checker(w, r)
			return
		case workerFile:
			w.Header().Set("Content-Security-Policy", workerPolicy)
		}
		files.ServeHTTP(w, r)
	})
}

func functions(lang string) template.FuncMap {
	t := func(text string, args ...any) string { return translate(lang, text, args...) }
	return template.FuncMap{
		"t":     t,
		"asset": func(name string) string { return "/assets/" + name + "?" + assetVersion },
		"icon":  icon,
		"date":  func(x time.Time) string { return stamp(x, time.DateOnly) },
		"time":  func(x time.Time) string { return stamp(x, "2006-01-02 15:04") },
		"day": func(x time.Time) string {
			return stamp(x, map[string]string{chinese: "2006年1月2日", english: time.DateOnly}[lang])
		},
		"clockof": func(x time.Time) string { return stamp(x, time.TimeOnly) },
		"exact":   func(x time.Time) string { return stamp(x, "2006-01-02 15:04:05") },
		"term":    term,
		"until": func(d elicense.Date) string {
			if d == "" {
				return t("长期")
			}
			return string(d)
		},
		"validity": func(x catalog.Validity) string {
			switch x.Kind {
			case "years":
				return t("从发证日期起%d年", x.Years)
			case "field":
				return t("按照面写的有效期止")
			}
			return t("长期")
		},
		"unitkind": posts.KindChinese,
		"has":      func(list []elicense.Duty, d elicense.Duty) bool { return slices.Contains(list, d) },
		"cond": func(is bool, yes, no any) any {
			if is {
				return yes
			}
			return no
		},
		"maskname": access.MaskName, // of companies too: in the page of another system
		"holder":   func(h elicense.HolderRef) string { return access.MaskHolder(h).Name },
		"number":   access.MaskNumber,
		"mask":     func(s string) string { return access.MaskCode(s, 6, 4) },
		"code":     codeGroups,
		"ident":    identGroups,
		"join":     func(list []string) string { return strings.Join(tAll(t, list), t("、")) },
		"lines": func(s string) []string {
			if strings.HasPrefix(s, "data:image/") {
				return []string{t("照片（见照面）")}
			}
			return strings.Split(s, "\n")
		},
		"photo":     photoURL,
		"chip":      func(s elicense.Status) template.HTML { return chip(statusLook[s], t(s.Chinese()), true) },
		"plain":     func(s elicense.Status) template.HTML { return chip(statusLook[s], t(s.Chinese()), false) },
		"overlay":   func(w string) template.HTML { return chip(overlayLook[w], t(w), true) },
		"need":      func(n sharing.Need) template.HTML { return chip(needLook[n], t(needWords[n]), false) },
		"needword":  func(n sharing.Need) string { return t(needWords[n]) },
		"needclass": func(n sharing.Need) string { return needLook[n].matClass },
		"needicon":  func(n sharing.Need) template.HTML { return icon(needLook[n].shape) },
		"draftchip": func(s issuance.State) template.HTML { return chip(draftLook[s], t(s.Chinese()), true) },
		"lotchip":   func(s issuance.LotState) template.HTML { return chip(lotLook[s], t(s.Chinese()), true) },
		"sign": func(class, shape, text string) template.HTML {
			return chip(look{class: class, shape: shape}, text, true)
		},
		"mark": func(class, shape, text string) template.HTML {
			return chip(look{class: class, shape: shape}, text, false)
		},
		"sealchip":  func(s sealing.State) template.HTML { return chip(sealLook[s], t(s.Chinese()), true) },
		"eventlook": func(k elicense.EventKind) template.HTML { return eventIcon(k) },
		"add":       func(a, b int) int { return a + b },
		"ints": func(n int) []int {
			list := make([]int, n)
			for i := range list {
				list[i] = i
			}
			return list
		},
		"clause":     func(c string) string { return clause(lang, c) },
		"stagechip":  func(s cases.Stage) template.HTML { return chip(stageLook[s], t(s.Chinese()), true) },
		"steplook":   func(m cases.Move) template.HTML { return chip(stepLook[m], "", false) },
		"move":       func(m string) cases.Move { return cases.Move(m) },
		"matterchip": func(st cases.VersionState) template.HTML { return chip(versionLook[st], t(st.Chinese()), true) },
		"agreedword": func(state string) string { return t(agreementWords[state]) },
		"casekind":   func(k cases.Kind) string { return kindWords[k] },
		"seal":       func() template.HTML { return sealMark },
		"dict": func(kv ...any) map[string]any {
			m := map[string]any{}
			for i := 0; i+1 < len(kv); i += 2 {
				m[kv[i].(string)] = kv[i+1]
			}
			return m
		},
		"list": func(items ...string) []string { return items },
		"str":  func(v any) string { return fmt.Sprint(v) },
		// sentence is a sentence with its arguments; a bare verb stands for one.
		"sentence": func(text string, args []any) string {
			if text == "%s" {
				return t(fmt.Sprint(args...))
			}
			return t(text, args...)
		},
	}
}

// photoURL is the address of a photo that is the value of a field; empty if the
// value is no photo.
func photoURL(value string) template.URL {
	if _, _, ok := catalog.Photo(value); !ok {
		return ""
	}
	return template.URL(value) // of base64 only, as Photo has read it
}

func tAll(t func(string, ...any) string, list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = t(s)
	}
	return out
}

// term writes the end of a term: midnight is 24:00 of the day before.
func term(x time.Time) string {
	if before := x.Add(-time.Minute); !x.IsZero() && stamp(x, "15:04") == "00:00" {
		return stamp(before, time.DateOnly) + " 24:00"
	}
	return stamp(x, "2006-01-02 15:04")
}

func stamp(x time.Time, layout string) string {
	if x.IsZero() {
		return "—"
	}
	return x.In(elicense.Shanghai).Format(layout)
}

// look is how a status is shown: its color class and its shape.
type look struct{ class, shape, matClass string }

// The looks of section 3 of the design: color, shape and word, always all three.
var (
	statusLook = map[elicense.Status]look{
		elicense.StatusValid: {class: "ok", shape: "ok"}, elicense.StatusExpiring: {class: "care", shape: "soon"},
		elicense.StatusNotYet: {class: "rest", shape: "future"}, elicense.StatusExpired: {class: "rest", shape: "expired"},
		elicense.StatusSuspended: {class: "care", shape: "pause"}, elicense.StatusRevoked: {class: "stop", shape: "revoked"},
		elicense.StatusCancelled: {class: "rest", shape: "cancelled"}, elicense.StatusAbolished: {class: "rest", shape: "abolished"},
		elicense.StatusReplaced: {class: "rest", shape: "old"}, elicense.StatusUnknown: {class: "rest", shape: "future"},
	}
	overlayLook = overlayLooks()
	needLook    = map[sharing.Need]look{
		sharing.Have: {"ok", "ok", "ok"}, sharing.Look: {"care", "warn", "care"},
		sharing.Present: {"care", "key", "care"}, sharing.Missing: {"stop", "revoked", "stop"}, sharing.ToGive: {"rest", "todo", "todo"},
	}
	needWords = map[sharing.Need]string{
		sharing.Have: "已取得，免提交", sharing.Look: "可用，请留意", sharing.Present: "要持证人同意", sharing.Missing: "不能免提交", sharing.ToGive: "待提供",
	}
	versionLook = map[cases.VersionState]look{
		cases.Proposed: {class: "note", shape: "review"}, cases.Returned: {class: "care", shape: "warn"},
		cases.Published: {class: "ok", shape: "ok"}, cases.Replaced: {class: "rest", shape: "old"},
	}
	stageLook = map[cases.Stage]look{
		cases.Filling: {class: "rest", shape: "draft"}, cases.Received: {class: "note", shape: "review"}, cases.Correcting: {class: "care", shape: "warn"},
		cases.Accepted: {class: "note", shape: "review"}, cases.Paused: {class: "rest", shape: "pause"}, cases.Decided: {class: "ok", shape: "ok"},
		cases.Closed: {class: "rest", shape: "ok"}, cases.Refused: {class: "stop", shape: "refuse"}, cases.Withdrawn: {class: "rest", shape: "cancelled"},
	}
	stepLook = map[cases.Move]look{
		cases.Correct: {class: "care", shape: "warn"}, cases.Refuse: {class: "stop", shape: "refuse"}, cases.Pause: {class: "rest", shape: "pause"},
		cases.Withdraw: {class: "rest", shape: "cancelled"}, cases.Accept: {class: "ok", shape: "ok"}, cases.Deem: {class: "ok", shape: "ok"},
		cases.Decide: {class: "ok", shape: "ok"}, cases.Finish: {class: "ok", shape: "ok"},
	}
	draftLook = map[issuance.State]look{
		issuance.Open: {class: "rest", shape: "draft"}, issuance.InReview: {class: "note", shape: "review"},
		issuance.Sealing: {class: "note", shape: "review"}, issuance.Published: {class: "ok", shape: "ok"},
		issuance.Void: {class: "rest", shape: "cancelled"},
	}
	lotLook = map[issuance.LotState]look{
		issuance.LotReading: {class: "rest", shape: "draft"}, issuance.LotOpen: {class: "rest", shape: "draft"}, issuance.LotInReview: {class: "note", shape: "review"},
		issuance.LotSealing: {class: "note", shape: "review"}, issuance.LotPaused: {class: "care", shape: "pause"}, issuance.LotDone: {class: "ok", shape: "ok"},
		issuance.LotVoid: {class: "rest", shape: "cancelled"},
	}
	sealLook = map[sealing.State]look{
		sealing.Applied: {class: "note", shape: "review"}, sealing.Refused: {class: "rest", shape: "cancelled"}, sealing.Made: {class: "note", shape: "draft"},
		sealing.Filed: {class: "note", shape: "file"}, sealing.Enabled: {class: "ok", shape: "ok"}, sealing.Disabled: {class: "care", shape: "pause"},
		sealing.Cancelled: {class: "rest", shape: "cancelled"},
	}
	eventLook = map[elicense.EventKind]look{
		elicense.EventRevoke: {class: "stop", shape: "revoked"}, elicense.EventCancel: {class: "rest", shape: "cancelled"},
		elicense.EventAbolish: {class: "rest", shape: "abolished"}, elicense.EventSuspend: {class: "care", shape: "pause"},
		elicense.EventPledge: {class: "note", shape: "pledge"}, elicense.EventSealUp: {class: "care", shape: "warn"},
		elicense.EventDispute: {class: "note", shape: "dispute"},
	}
)

func overlayLooks() map[string]look {
	m := map[string]look{}
	for o, l := range map[elicense.Overlays]look{
		elicense.Suspended: {class: "care", shape: "pause"}, elicense.Pledged: {class: "note", shape: "pledge"},
		elicense.SealedUp: {class: "care", shape: "warn"}, elicense.Disputed: {class: "note", shape: "dispute"},
	} {
		for _, w := range o.Words() {
			m[w] = l
		}
	}
	return m
}

func icon(shape string) template.HTML {
	return template.HTML(`<svg class="i" aria-hidden="true"><use href="#i-` + html.EscapeString(shape) + `"/></svg>`)
}

func chip(l look, word string, tag bool) template.HTML {
	if l.shape == "" {
		l = look{class: "note", shape: "info"}
	}
	class := "st " + l.class
	if tag {
		class += " tag"
	}
	return template.HTML(`<span class="`+html.EscapeString(class)+`">`) + icon(l.shape) + template.HTML(html.EscapeString(word)+`</span>`)
}

func eventIcon(k elicense.EventKind) template.HTML {
	l, ok := eventLook[k]
	if !ok {
		l = look{class: "ok", shape: "ok"}
	}
	return chip(l, "", false)
}

// codeGroups draws the characters of a code in groups; copying gives the bare
// code.
func codeGroups(s string) template.HTML {
	const group = 8
	var b strings.Builder
	b.WriteString(`<span class="code">`)
	r := []rune(s)
	for len(r) > 0 {
		n := min(group, len(r))
		b.WriteString("<b>" + html.EscapeString(string(r[:n])) + "</b>")
		r = r[n:]
	}
	return template.HTML(b.String() + "</span>")
}

// identGroups draws an identifier in the parts of GB/T 36904.
func identGroups(id elicense.Identifier) template.HTML {
	parts := strings.Split(string(id), ".")
	if len(parts) != 10 {
		return codeGroups(string(id))
	}
	var b strings.Builder
	b.WriteString(`<span class="code">`)
	for _, g := range []string{
		strings.Join(parts[:5], ".") + ".", parts[5] + ".", parts[6] + ".", strings.Join(parts[7:], "."),
	} {
		b.WriteString("<b>" + html.EscapeString(g) + "</b>")
	}
	return template.HTML(b.String() + "</span>")
}

const sealMark = `<svg class="sealmark" viewBox="0 0 32 32" aria-hidden="true"><circle cx="16" cy="16" r="14" class="f-ring" stroke-width="1.5"/><polygon class="f-seal" points="16,7.5 17.9,13.4 24.1,13.4 19.1,17 21,22.9 16,19.3 11,22.9 12.9,17 7.9,13.4 14.1,13.4"/></svg>`
