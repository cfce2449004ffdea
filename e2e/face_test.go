package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"elicense/demo"
)

// login signs in by name and password: not everyone is on the demo's list.
func (b *browser) login(name string) {
	b.t.Helper()
	b.open("/signin")
	b.fill("login", name, "password", demo.Password)
	b.click(`form[action="/signin"] .btn.go`)
}

// drawn waits until the editor has drawn the last change.
func (b *browser) drawn() {
	b.t.Helper()
	b.holds(`(({asked, drawn}) => asked > 0 && asked === drawn)(document.querySelector("form[data-face]").dataset)`)
}

func (b *browser) count(script string) int {
	b.t.Helper()
	n, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](script))
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

func (b *browser) says(script string) string {
	b.t.Helper()
	s, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](script))
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func (b *browser) tap(selector string) {
	b.t.Helper()
	b.must(chromedp.Click(chromedp.CSS(selector)))
}

// pick chooses an object of the face by a click in the preview, whose boxes are drawn
// anew when its size changes.
func (b *browser) pick(ref string) {
	b.t.Helper()
	for range 20 {
		b.tap(`[data-stage] .leaf[data-page="0"] rect[data-ref="` + ref + `"]`)
		if b.says(`document.querySelector("[data-objects] [aria-current]")?.dataset.ref ?? ""`) == ref {
			return
		}
	}
	b.t.Fatalf("%s can't be chosen", ref)
}

// TestBrowserFace registers a new version of a type with a changed face, and the
// administration publishes what it has seen.
func TestBrowserFace(t *testing.T) {
	b := browse(t)
	b.login("reg-scjg-fj")
	b.open("/issue/types")
	from := b.link(`/issue/types/new\?from=[0-9A-Z]+`)
	for _, l := range b.links(`/issue/types/new\?from=[0-9A-Z]+`) {
		if strings.HasSuffix(l, "002") {
			from = l
		}
	}
	code := from[strings.LastIndexByte(from, '=')+1:]
	b.open(from)
	b.sees("登记新版本", "编辑照面")
	b.tap(`#f-open`)
	b.click(`button[value="face"]`)
	b.drawn()
	b.sees("照面编辑", "页面和内容", "没有发现问题")
	b.moment("face-editor")
	const title = `JSON.parse(document.querySelector("#f-face").value).pages[0].texts.find(t => t.id === "title").at.join()`
	const preview = `document.querySelector("[data-stage] img").src`
	before, picture := b.says(title), b.says(preview)

	// The title is chosen by a click in the preview and moved by keys.
	ref := b.says(`"texts/" + JSON.parse(document.querySelector("#f-face").value).pages[0].texts.findIndex(t => t.id === "title")`)
	b.pick(ref)
	b.must(chromedp.Evaluate[chromedp.Void](`document.addEventListener("keydown", (e) => { if (e.code == "ArrowDown") globalThis.downs = [...(globalThis.downs ?? []), performance.now()]; }, true); undefined`))
	for range 3 {
		b.must(chromedp.KeyEvent(kb.ArrowDown))
	}
	b.drawn()
	if after := b.says(title); after == before || b.says(preview) == picture {
		t.Fatalf("the title stands at %s, as before at %s", after, before)
	}
	b.moment("face-moved")
	// Keys in quick succession are one step; here they may come slowly.
	for range 1 + b.count(`downs.filter((at, i) => i > 0 && at - downs[i - 1] > 600).length`) {
		b.must(chromedp.KeyEvent("z", chromedp.KeyModifiers(2)))
	}
	b.drawn()
	if after := b.says(title); after != before || b.says(preview) != picture {
		t.Fatalf("after undoing the title stands at %s, not at %s", after, before)
	}

	// Extreme data, and a type too large for the place.
	b.must(chromedp.SetValue(chromedp.CSS(`[data-data]`), "extreme"))
	b.drawn()
	b.moment("face-extreme")
	b.must(chromedp.SetValue(chromedp.CSS(`[data-for="texts"] [data-prop="pt"]`), "120"))
	b.drawn()
	b.sees("内容放不下")
	b.moment("face-too-large")
	b.tap(`[data-pages] .objectbtn`)
	b.tap(`.problem`)
	if got := b.says(`document.querySelector("[data-objects] [aria-current]").dataset.ref`); got != ref {
		t.Fatalf("the finding chooses %s, not %s", got, ref)
	}
	b.must(chromedp.KeyEvent("z", chromedp.KeyModifiers(2)))
	b.drawn()
	b.misses("内容放不下")

	// A hundred steps back and forth.
	b.pick(ref)
	b.must(chromedp.Evaluate[chromedp.Void](`for (let i = 0; i < 120; i++) {
		document.querySelector("[data-act=duplicate]").click();
	}`))
	if got := b.count(`JSON.parse(document.querySelector("#f-face").value).pages[0].texts.length`); got < 120 {
		t.Fatalf("%d texts", got)
	}
	b.must(chromedp.Evaluate[chromedp.Void](`for (let i = 0; i < 120; i++) document.querySelector("[data-act=undo]").click()`))
	b.drawn()
	if after := b.says(title); after != before {
		t.Fatalf("after a hundred steps the title stands at %s, not at %s", after, before)
	}

	// Another version beside; then the change that is kept.
	b.must(chromedp.Evaluate[chromedp.Void](`(() => { const s = document.querySelector("[data-beside]"); s.value = "1"; s.dispatchEvent(new Event("change", {bubbles: true})); })()`))
	b.must(chromedp.WaitVisible(chromedp.CSS(`[data-besidestage] img`)))
	b.moment("face-beside")
	b.pick(ref)
	b.must(chromedp.KeyEvent(kb.ArrowUp, chromedp.KeyModifiers(8)))
	b.drawn()
	moved := b.says(title)
	b.key(kb.F9)
	b.sees("登记新版本", "编辑照面")
	b.inspectHere(t, "typeform-face")
	b.click(`form[data-keep] .btn.go`)
	b.sees("待审")

	b.as("admin")
	b.open(fmt.Sprintf("/admin/types/%s/2", code))
	b.sees("本次登记，第2版", "现行，第1版")
	if got := b.count(`[...document.images].filter(i => i.naturalWidth > 0).length`); got < 2 {
		t.Fatalf("%d pictures", got)
	}
	b.inspect(t, fmt.Sprintf("/admin/types/%s/2", code))
	b.open(fmt.Sprintf("/admin/types/%s/2", code))
	b.click(`button[value="publish"]`)
	b.inspect(t, "/types/"+code)
	b.open("/types/" + code)
	b.sees("照面样张", "第2版")
	b.login("reg-scjg-fj")
	b.open("/issue/types/new?from=" + code)
	if got := b.says(strings.ReplaceAll(title, "#f-face", "[name=face]")); got != moved {
		t.Fatalf("the new version's title stands at %s, not at %s", got, moved)
	}
	b.inspect(t, "/issue/types/face?from="+code)
	if wrong := b.heard(); len(wrong) > 0 {
		t.Errorf("console: %q", wrong)
	}
}

// inspectHere keeps a picture of the page as it stands.
func (b *browser) inspectHere(t *testing.T, name string) {
	t.Helper()
	b.picture(t, name, "desk")
}
