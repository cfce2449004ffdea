package face

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"elicense/sheet"
	"elicense/sheet/sheettest"

	"pgregory.net/rapid"
)

var foodFields = []Field{
	{Key: "holder_name", Label: "名称", Wide: true, Required: true},
	{Key: "uscc", Label: "统一社会信用代码"},
	{Key: "legal_rep", Label: "法定代表人(负责人)"},
	{Key: "address", Label: "住所", Wide: true},
	{Key: "scope", Label: "经营范围", Wide: true},
	{Key: "items", Label: "经营项目", Wide: true},
	{Key: "valid_to", Label: "有效期至"},
}

func foodData() Data {
	return Data{
		Values: map[string][]string{
			"holder_name": {"福州市鼓楼区榕荫里小吃店"},
			"uscc":        {"92350102MA00000001"},
			"legal_rep":   {"林示例"},
			"items":       {"热食类食品制售", "冷食类食品制售"},
			"valid_to":    {"2031年01月13日"},
		},
		Issuer: "福州市鼓楼区市场监督管理局", Date: "2026年01月14日",
		Identifier: "1.2.156.3005.2.11100000MB0271699001.11350102003601234A.0f83kd92m1x0.001.K",
		QR:         "https://elicense.example/c/0123456789abcdef0123456789abcdef",
	}
}

// tagged joins the texts of each tag in the order drawn.
func tagged(pages []sheet.Sheet) map[string]string {
	m := map[string]string{}
	for _, p := range pages {
		for _, it := range p.Items {
			if t, ok := it.(*sheet.Text); ok && t.Tag != "" {
				m[t.Tag] += t.Text
			}
		}
	}
	return m
}

// inside fails the test for text that leaves the page.
func inside(t testing.TB, pages []sheet.Sheet) {
	t.Helper()
	for _, p := range pages {
		for _, it := range p.Items {
			x, ok := it.(*sheet.Text)
			if !ok || x.Matrix != nil {
				continue
			}
			right := x.X
			for _, a := range x.Advances {
				right += a
			}
			if x.X < 10 || right > p.W-10 || x.Y-x.Size < 10 || x.Y > p.H-10 {
				t.Errorf("%q leaves the page: x %g to %g, y %g", x.Text, x.X, right, x.Y)
			}
		}
	}
}

func TestPlain(t *testing.T) {
	t.Run("every value is on the face under its key", func(t *testing.T) {
		pages, err := Layout(Plain("食品经营许可证", foodFields), foodData(), sheettest.Fonts(t))
		if err != nil {
			t.Fatal(err)
		}
		got := tagged(pages)
		for key, want := range map[string]string{
			"holder_name": "福州市鼓楼区榕荫里小吃店",
			"items":       "热食类食品制售、冷食类食品制售",
			"valid_to":    "2031年01月13日",
			KeyIssuer:     "福州市鼓楼区市场监督管理局",
			KeyDate:       "2026年01月14日",
			KeyIdentifier: foodData().Identifier,
		} {
			if got[key] != want {
				t.Errorf("%s = %q, want %q", key, got[key], want)
			}
		}
		if _, there := got["address"]; there {
			t.Error("an empty optional field has a tag")
		}
		inside(t, pages)
	})
	t.Run("few fields lie on the wide page", func(t *testing.T) {
		few, many := Plain("特种作业操作证", foodFields[:4]), Plain("特种作业操作证", foodFields)
		if few.W < few.H || many.W > many.H {
			t.Errorf("pages of %g × %g and %g × %g", few.W, few.H, many.W, many.H)
		}
	})
	t.Run("1,600 characters of business scope fit", func(t *testing.T) {
		d := foodData()
		d.Values["scope"] = []string{strings.Repeat("技术服务、技术开发（依法须经批准的项目除外）；", 70)[:1600*3]}
		pages, err := Layout(Plain("营业执照", foodFields), d, sheettest.Fonts(t))
		if err != nil {
			t.Fatal(err)
		}
		if got := tagged(pages)["scope"]; got != d.Values["scope"][0] {
			t.Errorf("the scope on the face has %d characters", len([]rune(got)))
		}
		for _, it := range pages[0].Items {
			if x, ok := it.(*sheet.Text); ok && x.Tag == "scope" && x.Size < 7*pt-1e-9 {
				t.Fatalf("the scope is set in %g pt", x.Size/pt)
			}
		}
		inside(t, pages)
	})
	set := sheettest.Fonts(t)
	t.Run("any mixture of lengths fits or names the field", rapid.MakeCheck(func(t *rapid.T) {
		d := foodData()
		for _, key := range []string{"holder_name", "legal_rep", "address", "scope"} {
			n := rapid.IntRange(1, 900).Draw(t, key)
			d.Values[key] = []string{strings.Repeat("榕荫里（示例）A12，", 90)[:n*3/3]}
			d.Values[key][0] = strings.ToValidUTF8(d.Values[key][0], "")
		}
		pages, err := Layout(Plain("营业执照", foodFields), d, set)
		var fe *FieldError
		if err != nil {
			if !errors.As(err, &fe) || !errors.Is(err, ErrOverflow) && !errors.Is(err, ErrEmpty) {
				t.Fatal(err)
			}
			return
		}
		got := tagged(pages)
		for key, v := range d.Values {
			if len(v) == 1 && got[key] != strings.TrimSpace(v[0]) {
				t.Fatalf("%s = %q, want %q", key, got[key], v[0])
			}
		}
	}))
}

func TestLayoutRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(*Data)
		key  string
		want error
	}{
		{"a text that does not fit", func(d *Data) { d.Values["scope"] = []string{strings.Repeat("长", 6000)} }, "scope", ErrOverflow},
		{"an issuing unit that does not fit", func(d *Data) { d.Issuer = strings.Repeat("局", 60) }, KeyIssuer, ErrOverflow},
		{"a required field without a value", func(d *Data) { d.Values["holder_name"] = []string{" "} }, "holder_name", ErrEmpty},
		{"no date of issue", func(d *Data) { d.Date = "" }, KeyDate, ErrEmpty},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := foodData()
			tc.edit(&d)
			_, err := Layout(Plain("营业执照", foodFields), d, sheettest.Fonts(t))
			var fe *FieldError
			if !errors.As(err, &fe) || fe.Key != tc.key || !errors.Is(err, tc.want) {
				t.Errorf("Layout = %v, want %v for %s", err, tc.want, tc.key)
			}
		})
	}
	t.Run("a character no font draws", func(t *testing.T) {
		d := foodData()
		d.Values["legal_rep"] = []string{"林\U000f1234"}
		_, err := Layout(Plain("营业执照", foodFields), d, sheettest.Fonts(t))
		var fe *FieldError
		var missing *sheet.MissingGlyphError
		if !errors.As(err, &fe) || fe.Key != "legal_rep" || !errors.As(err, &missing) || missing.Rune != '\U000f1234' {
			t.Errorf("Layout = %v", err)
		}
	})
}

func TestRareCharacterIsSetInTheRareFont(t *testing.T) {
	d := foodData()
	d.Values["holder_name"] = []string{"𰻝𰻝面馆"}
	pages, err := Layout(Plain("营业执照", foodFields), d, sheettest.Fonts(t))
	if err != nil {
		t.Fatal(err)
	}
	var families []string
	for _, it := range pages[0].Items {
		if x, ok := it.(*sheet.Text); ok && x.Tag == "holder_name" {
			families = append(families, x.Font.Family()+":"+x.Text)
		}
	}
	if want := []string{"BabelStone Han:𰻝𰻝", "AR PL UMing CN:面馆"}; !reflect.DeepEqual(families, want) {
		t.Errorf("runs = %v, want %v", families, want)
	}
}

func TestBreakLines(t *testing.T) {
	s := &setter{fonts: sheettest.Fonts(t)}
	for _, tc := range []struct {
		name, text string
		width      float64
		want       []string
	}{
		{"between Chinese characters", "一二三四五", 2, []string{"一二", "三四", "五"}},
		{"no comma at the start of a line", "一二三，四", 3, []string{"一二", "三，四"}},
		{"no bracket at the end of a line", "一二（三四）", 3, []string{"一二", "（三", "四）"}},
		{"words stay whole", "编号AB12的", 4, []string{"编号", "AB12的"}},
		{"a word longer than the line is broken", "1234567890", 2, []string{"1234", "5678", "90"}},
		{"blanks hang", "AB CD EF", 1.6, []string{"AB", "CD", "EF"}},
		{"line feeds", "一\n\n二三", 5, []string{"一", "", "二三"}},
		{"a run of prohibited characters", "（（（（（", 2, []string{"（（", "（（", "（"}},
		{"narrower than a character", "一二", 0.1, []string{"一", "二"}},
		{"nothing", "", 5, []string{""}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			chars, err := s.measure(tc.text, sheet.Song, 0)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range breakLines(chars, tc.width) {
				var b strings.Builder
				for _, c := range l.chars {
					b.WriteRune(c.r)
				}
				got = append(got, b.String())
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("lines = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestBox(t *testing.T) {
	tpl := &Template{Title: "样", W: 100, H: 60, Seal: Place{X: 80, Y: 40, D: 20}, Boxes: []Box{
		{Key: "a", Label: "甲", Area: Area{X: 10, Y: 20, W: 20, H: 10, Font: sheet.Song, Size: 12, Min: 6, Align: Right}},
		{Key: "b", Label: "乙", Join: Lines, Area: Area{X: 40, Y: 20, W: 20, H: 14, Font: sheet.Hei, Size: 12, Min: 6, Wrap: true}},
	}}
	lay := func(a string, b ...string) (map[string]string, []sheet.Sheet, error) {
		p, err := Layout(tpl, Data{Values: map[string][]string{"a": {a}, "b": b}}, sheettest.Fonts(t))
		return tagged(p), p, err
	}
	t.Run("a long line shrinks and ends at the right edge", func(t *testing.T) {
		_, pages, err := lay("一二三四五六")
		if err != nil {
			t.Fatal(err)
		}
		x := pages[0].Items[0].(*sheet.Text)
		right := x.X
		for _, a := range x.Advances {
			right += a
		}
		if x.Size >= 12*pt || right < 29.9 || right > 30.001 {
			t.Errorf("size %g pt, right edge %g", x.Size/pt, right)
		}
	})
	t.Run("a list on lines", func(t *testing.T) {
		_, pages, err := lay("", "一", "", "二")
		if err != nil || len(pages[0].Items) != 2 {
			t.Fatalf("%d items, %v", len(pages[0].Items), err)
		}
		if a, b := pages[0].Items[0].(*sheet.Text), pages[0].Items[1].(*sheet.Text); a.Y >= b.Y || a.X != b.X {
			t.Errorf("parts at (%g, %g) and (%g, %g)", a.X, a.Y, b.X, b.Y)
		}
	})
	t.Run("too long for the smallest size", func(t *testing.T) {
		if _, _, err := lay(strings.Repeat("一", 12)); !errors.Is(err, ErrOverflow) {
			t.Errorf("Layout = %v", err)
		}
	})
}

func TestTemplateCheck(t *testing.T) {
	for name, edit := range map[string]func(*Template){
		"a key that can't name an element": func(p *Template) { p.Grid.Fields = []Field{{Key: "1 x"}} },
		"a key twice":                      func(p *Template) { p.Grid.Fields = []Field{{Key: "a"}, {Key: "a"}} },
		"a key of what every license has":  func(p *Template) { p.Grid.Fields = []Field{{Key: KeyDate}} },
		"seal outside the page":            func(p *Template) { p.Seal.X = 205 },
		"QR code outside the page":         func(p *Template) { p.QR.Y = 290 },
		"box outside the page":             func(p *Template) { p.Boxes[0].W = 400 },
		"no size":                          func(p *Template) { p.Labels[0].Size = 0 },
		"unknown font":                     func(p *Template) { p.Labels[0].Font = "kai" },
		"no page":                          func(p *Template) { p.W = 0 },
	} {
		p := Plain("营业执照", foodFields)
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
		edit(p)
		if p.Check() == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestTemplateIsData(t *testing.T) {
	p := Plain("营业执照", foodFields)
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back Template
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(p, &back) {
		t.Error("a template changes on its way through JSON")
	}
}

func BenchmarkLayout(b *testing.B) {
	fs, t, d := sheettest.Fonts(b), Plain("食品经营许可证", foodFields), foodData()
	for b.Loop() {
		if _, err := Layout(t, d, fs); err != nil {
			b.Fatal(err)
		}
	}
}
