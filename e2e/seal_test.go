package e2e

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestBrowserSeal takes a seal through its course by clicking, and chooses a photo
// for a license.
func TestBrowserSeal(t *testing.T) {
	b := browse(t)
	b.as("review-gl")
	b.open("/issue/seals")
	b.fill("line", "行政审批专用章")
	b.click(`form[action="/issue/seals"] .btn.go`)
	b.sees("待制作", "下载证书请求", "制作以后才有印模")
	own := b.at()
	here := strings.Replace(own, "/issue/", "/admin/", 1)
	b.inspect(t, own)
	b.as("seals")
	b.open("/admin/seals")
	b.sees("待制作", "行政审批专用章", "导入别处制作的印章")
	b.inspect(t, "/admin/seals")
	b.open(here)
	for _, step := range []struct{ to, word string }{{"made", "已制作"}, {"filed", "已备案"}, {"enabled", "启用"}} {
		b.click(`button[value="` + step.to + `"]`)
		b.sees(step.word, "证书序列号")
	}
	b.inspect(t, here)
	b.as("review-gl")
	b.open(own)
	b.click(`button[value="disabled"]`)
	b.sees("要写明原因")
	b.fill("remark", "U盾丢失")
	b.click(`button[value="disabled"]`)
	b.sees("停用", "U盾丢失")
	b.inspect(t, "/issue/seals")
	b.as("seals")
	b.open(here)
	b.fill("remark", "不再使用")
	b.click(`button[value="cancelled"]`)
	b.sees("已注销", "不再使用")
	b.inspect(t, "/admin/seals/trust")
	// A seal in use, with its log.
	b.open("/admin/seals")
	used := ""
	for _, l := range b.links("/admin/seals/[0-9a-z]{26}") {
		b.open(l)
		if !strings.Contains(b.text(), "还没有用过") {
			used = l
			break
		}
	}
	if used == "" {
		t.Fatal("no seal was used")
	}
	b.sees("用印记录", "已用")
	b.inspect(t, used)

	// The photo of a license that has one, larger than a license keeps.
	registerType(b, nil)
	b.as("draft-gl")
	b.open("/issue/types/new?from=" + newType)
	b.fill("label6", "照片", "key6", "photo", "type6", "image")
	b.tap(`#f-open`)
	b.click(`form[data-keep] .btn.go`)
	b.as("admin")
	b.open("/admin/types/" + newType + "/2")
	b.click(`button[value="publish"]`)
	b.as("draft-gl")
	b.heard() // what was refused on the way
	b.open("/issue/new?type=" + newType)
	choosePhoto(b)
	if wrong := b.heard(); len(wrong) > 0 {
		t.Errorf("console: %q", wrong)
	}
}

func choosePhoto(b *browser) {
	b.t.Helper()
	big := b.says(`(() => { const c = document.createElement("canvas"); c.width = 1600; c.height = 2000; const p = c.getContext("2d"); for (let i = 0; i < 4000; i++) { p.fillStyle = "hsl(" + i * 37 % 360 + " 60% 50%)"; p.fillRect(i * 131 % 1600, i * 197 % 2000, 60, 60); } return c.toDataURL("image/png"); })()`)
	_, code, _ := strings.Cut(big, ",")
	raw, err := base64.StdEncoding.DecodeString(code)
	if err != nil {
		b.t.Fatal(err)
	}
	file := filepath.Join(b.t.TempDir(), "photo.png")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.must(chromedp.SetUploadFiles(chromedp.CSS(`[data-photo] input[type="file"]`), []string{file}))
	b.must(chromedp.WaitVisible(chromedp.CSS(`[data-photo] img[src]`)))
	if n := b.count(`document.querySelector("[data-photo] input[type=hidden]").value.length`); n < 1000 || n > 60<<10*4/3+30 {
		b.t.Fatalf("the photo has %d characters", n)
	}
	b.moment("photo-field")
	b.tap(`[data-drop]`)
	if n := b.count(`document.querySelector("[data-photo] input[type=hidden]").value.length`); n != 0 {
		b.t.Fatal("the photo is still there")
	}
}
