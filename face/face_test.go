package face

import (
	"encoding/json"
	"errors"
	"fmt"
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
			"valid_to":    {"2031-01-13"},
		},
		Issuer: "福州市鼓楼区市场监督管理局", Date: "2026-01-14",
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
		got := tagged(pages.Sheets)
		for key, want := range map[string]string{
			"holder_name": "福州市鼓楼区榕荫里小吃店",
			"items":       "热食类食品制售、冷食类食品制售",
			"valid_to":    "2031年1月13日",
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
		inside(t, pages.Sheets)
	})
	t.Run("few fields lie on the wide page", func(t *testing.T) {
		few, many := Plain("特种作业操作证", foodFields[:4]), Plain("特种作业操作证", foodFields)
		if few, many := few.Pages[0], many.Pages[0]; few.W < few.H || many.W > many.H {
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
		if got := tagged(pages.Sheets)["scope"]; got != d.Values["scope"][0] {
			t.Errorf("the scope on the face has %d characters", len([]rune(got)))
		}
		for _, it := range pages.Sheets[0].Items {
			if x, ok := it.(*sheet.Text); ok && x.Tag == "scope" && x.Size < 7*pt-1e-9 {
				t.Fatalf("the scope is set in %g pt", x.Size/pt)
			}
		}
		inside(t, pages.Sheets)
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
		got := tagged(pages.Sheets)
		for key, v := range d.Values {
			if want := format(strings.TrimSpace(v[0]), ""); len(v) == 1 && got[key] != want {
				t.Fatalf("%s = %q, want %q", key, got[key], want)
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
	for _, it := range pages.Sheets[0].Items {
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

func TestText(t *testing.T) {
	tpl := &Template{Title: "样", Pages: []Page{{W: 100, H: 60, Seal: &Seal{X: 80, Y: 40, D: 20}, Texts: []Text{
		{Text: "{a}", At: Rect{10, 20, 20, 10}, Font: sheet.Song, Size: 12, Min: 6, Align: Right},
		{Text: "{b}", Join: Lines, At: Rect{40, 20, 20, 14}, Font: sheet.Hei, Size: 12, Min: 6, Wrap: true, Top: true},
	}}}}
	lay := func(a string, b ...string) (map[string]string, Pages, error) {
		p, err := Layout(tpl, Data{Values: map[string][]string{"a": {a}, "b": b}}, sheettest.Fonts(t))
		return tagged(p.Sheets), p, err
	}
	t.Run("a long line shrinks and ends at the right edge", func(t *testing.T) {
		_, pages, err := lay("一二三四五六")
		if err != nil {
			t.Fatal(err)
		}
		x := pages.Sheets[0].Items[0].(*sheet.Text)
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
		if err != nil || len(pages.Sheets[0].Items) != 2 {
			t.Fatalf("%d items, %v", len(pages.Sheets[0].Items), err)
		}
		if a, b := pages.Sheets[0].Items[0].(*sheet.Text), pages.Sheets[0].Items[1].(*sheet.Text); a.Y >= b.Y || a.X != b.X {
			t.Errorf("parts at (%g, %g) and (%g, %g)", a.X, a.Y, b.X, b.Y)
		}
	})
	t.Run("too long for the smallest size", func(t *testing.T) {
		if _, _, err := lay(strings.Repeat("一", 12)); !errors.Is(err, ErrOverflow) {
			t.Errorf("Layout = %v", err)
		}
	})
}

// page is a template of one page with what is given on it.
func page(texts ...Text) *Template {
	for i := range texts {
		if texts[i].Size == 0 {
			texts[i].Size = 12
		}
		if texts[i].Font == "" {
			texts[i].Font = sheet.Song
		}
	}
	return &Template{Title: "食品经营许可证", Number: "no", Pages: []Page{{W: 200, H: 150, Texts: texts, Seal: &Seal{X: 160, Y: 120, D: 42}}}}
}

func TestValuesInTexts(t *testing.T) {
	data := Data{
		Values: map[string][]string{"d": {"2026-01-05"}, "forever": {"长期"}, "l": {"2026-01-05", "乙"}, "x": {"甲{乙}"}},
		Issuer: "某局", Date: "2026-10-30",
	}
	for _, tc := range []struct{ name, text, want string }{
		{"a label", "有效期", "有效期"},
		{"zero padded", "至 {d:D0}", "至 2026年01月05日"},
		{"plain is the default", "{d}", "2026年1月5日"},
		{"in Chinese", "{d:D2}", "二〇二六年一月五日"},
		{"the date of issue in Chinese", "{@date:D2}", "二〇二六年十月三十日"},
		{"no date", "{forever:D0}", "长期"},
		{"a list", "{l}", "2026年1月5日、乙"},
		{"several values", "自{d}至{forever}", "自2026年1月5日至长期"},
		{"the unit", "{@org}印", "某局印"},
		{"the page", "第{@page}页/共{@pages}页", "第1页/共1页"},
		{"braces in a value", "{x}", "甲{乙}"},
		{"braces in the text", "{{甲}}", "{甲}"},
		{"no value, no text", "编号：{none}", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pages, err := Layout(page(Text{Text: tc.text, At: Rect{10, 10, 150, 10}}), data, sheettest.Fonts(t))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, it := range pages.Sheets[0].Items {
				got += it.(*sheet.Text).Text
			}
			if got != tc.want {
				t.Errorf("set as %q, want %q", got, tc.want)
			}
		})
	}
}

func TestEveryPlaceOfAFieldHasItsOwnTag(t *testing.T) {
	pages, err := Layout(page(Text{Text: "{no}", At: Rect{10, 10, 90, 10}}, Text{Text: "编号 {no}", At: Rect{10, 30, 90, 10}}),
		Data{Values: map[string][]string{"no": {"A1"}}}, sheettest.Fonts(t))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tagged(pages.Sheets), map[string]string{"no": "A1", "no.2": "A1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("tags %v, want %v", got, want)
	}
}

func TestLabelsGoWithTheirField(t *testing.T) {
	p := page(Text{Text: "投诉电话：", At: Rect{10, 10, 40, 10}, With: "tel"}, Text{Text: "{tel}", At: Rect{60, 10, 40, 10}})
	for value, want := range map[string]int{"": 0, "12315": 2} {
		pages, err := Layout(p, Data{Values: map[string][]string{"tel": {value}}}, sheettest.Fonts(t))
		if err != nil || len(pages.Sheets[0].Items) != want {
			t.Errorf("with %q: %d items, %v; want %d", value, len(pages.Sheets[0].Items), err, want)
		}
	}
}

func TestWhatDoesNotFitGoesOn(t *testing.T) {
	text := strings.Repeat("技术服务、技术开发、技术咨询（依法须经批准的项目除外）；", 60)
	p := page(Text{Text: "{no}", At: Rect{10, 10, 90, 10}}, Text{Text: "经营范围：", At: Rect{10, 30, 40, 10}},
		Text{Text: "{scope}", At: Rect{60, 30, 100, 60}, Min: 8, Wrap: true, Top: true, Flow: true})
	pages, err := Layout(p, Data{Values: map[string][]string{"scope": {text}, "no": {"JY1"}}, Issuer: "某局", Date: "2026-01-05"}, sheettest.Fonts(t))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(pages.Sheets); n != 3 || len(pages.Seals) != n {
		t.Fatalf("%d pages with %d seals", n, len(pages.Seals))
	}
	got := tagged(pages.Sheets)
	if got["scope"] != text {
		t.Errorf("%d of %d characters are on the pages", len([]rune(got["scope"])), len([]rune(text)))
	}
	first, last := words(pages.Sheets[0]), words(pages.Sheets[2])
	if !strings.Contains(first, "（续见附页）") {
		t.Error("the first page does not say that the text goes on")
	}
	for _, want := range []string{"食品经营许可证（附页）", "JY1", "第3页/共3页", "经营范围（续）", "某局", "2026年1月5日"} {
		if !strings.Contains(last, want) {
			t.Errorf("the added page lacks %q: %s", want, last)
		}
	}
	t.Run("never a name", func(t *testing.T) {
		p.Pages[0].Texts[2].Flow = false
		if _, err := Layout(p, Data{Values: map[string][]string{"scope": {text}}}, sheettest.Fonts(t)); !errors.Is(err, ErrOverflow) {
			t.Errorf("Layout = %v", err)
		}
	})
}

func words(s sheet.Sheet) string {
	var b strings.Builder
	for _, it := range s.Items {
		if x, ok := it.(*sheet.Text); ok {
			b.WriteString(x.Text)
		}
	}
	return b.String()
}

func TestTable(t *testing.T) {
	p := page(Text{Text: "{no}", At: Rect{10, 10, 90, 10}})
	p.Pages[0].Tables = []Table{{At: Rect{10, 30, 120, 40}, Key: "rows", Size: 10, Columns: []Column{{Title: "序号", W: 12}, {Title: "类别"}, {Title: "说明", W: 30}}}}
	rows := make([]string, 30)
	for i := range rows {
		rows[i] = "糕点" + strings.Repeat("甲", i) + "|说明"
	}
	pages, err := Layout(p, Data{Values: map[string][]string{"rows": rows}}, sheettest.Fonts(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(pages.Sheets) < 3 {
		t.Fatalf("30 rows on %d pages", len(pages.Sheets))
	}
	all := ""
	for _, s := range pages.Sheets {
		all += words(s)
	}
	for i, r := range rows {
		name, _, _ := strings.Cut(r, "|")
		if !strings.Contains(all, fmt.Sprint(i+1)+name) {
			t.Errorf("row %d is lost", i+1)
		}
	}
	for i, s := range pages.Sheets {
		if !strings.Contains(words(s), "序号类别说明") {
			t.Errorf("page %d has no head of the table", i+1)
		}
	}
}

func TestCopiesSayWhatTheyLeaveOut(t *testing.T) {
	p := page(Text{Text: "{name}", At: Rect{10, 10, 90, 10}, Required: true}, Text{Text: "{scope}", At: Rect{10, 30, 90, 10}, Required: true})
	pages, err := Layout(p, Data{Values: map[string][]string{"name": {"甲店"}}, Withheld: map[string]bool{"scope": true}, Watermark: "仅供福州市公积金中心办理购房提取使用"}, sheettest.Fonts(t))
	if err != nil {
		t.Fatal(err)
	}
	got := words(pages.Sheets[0])
	if !strings.Contains(got, withheld) || !strings.Contains(got, "仅供福州市公积金中心") {
		t.Errorf("the copy says %q", got)
	}
	if _, there := tagged(pages.Sheets)["scope"]; there {
		t.Error("a field left out has a tag")
	}
}

func TestReservedPlacesStayEmpty(t *testing.T) {
	p := page(Text{Text: "营业执照", At: Rect{10, 60, 90, 10}})
	p.Pages[0].Pictures = []Picture{{At: Rect{80, 10, 25, 25}, Kind: Emblem}}
	lay := func(d Data) int {
		pages, err := Layout(p, d, sheettest.Fonts(t))
		if err != nil {
			t.Fatal(err)
		}
		return len(pages.Sheets[0].Items)
	}
	if empty, proof := lay(Data{}), lay(Data{Proof: true}); empty != 1 || proof != 3 {
		t.Errorf("%d items on a license, %d on a proof", empty, proof)
	}
	t.Run("an import without its legal basis is refused", func(t *testing.T) {
		p.Pages[0].Pictures[0].MIME, p.Pages[0].Pictures[0].Data = "image/png", []byte{1}
		if p.Check() == nil {
			t.Error("accepted")
		}
	})
}

// The symbols of Code 128 are eleven modules wide, the stop thirteen, and no two
// are the same.
func TestCode128(t *testing.T) {
	seen := map[string]bool{}
	for i, s := range code128 {
		sum := 0
		for _, c := range s {
			sum += int(c - '0')
		}
		want := 11
		if i == stop {
			want = 13
		}
		if sum != want || seen[s] {
			t.Errorf("symbol %d, %s: %d modules, or twice", i, s, sum)
		}
		seen[s] = true
	}
	if _, err := barcode("闽", Rect{0, 0, 10, 10}); err == nil {
		t.Error("a character that has no symbol was accepted")
	}
}

func TestBordersStayInside(t *testing.T) {
	for _, kind := range []BorderKind{Single, Double, Guilloche} {
		for _, it := range borderItems(Border{At: Rect{10, 10, 277, 190}, Kind: kind, Width: 6, Color: bronze}) {
			for _, s := range it.(*sheet.Path).Segments {
				if s.Op == sheet.Close {
					continue
				}
				p := s.P[0]
				if s.Op == sheet.Cubic {
					p = s.P[2]
				}
				if p.X < 10-1e-9 || p.X > 287+1e-9 || p.Y < 10-1e-9 || p.Y > 200+1e-9 {
					t.Fatalf("%s: a point at (%g, %g)", kind, p.X, p.Y)
				}
			}
		}
	}
}

func TestTemplateCheck(t *testing.T) {
	for name, edit := range map[string]func(*Template){
		"a key that can't name an element": func(p *Template) { p.Pages[0].Grid.Fields = []Field{{Key: "1 x"}} },
		"a key twice in a grid":            func(p *Template) { p.Pages[0].Grid.Fields = []Field{{Key: "a"}, {Key: "a"}} },
		"a key with a full stop":           func(p *Template) { p.Pages[0].Texts[0].Text = "{a.2}" },
		"a brace without its pair":         func(p *Template) { p.Pages[0].Texts[0].Text = "{a" },
		"an unknown format":                func(p *Template) { p.Pages[0].Texts[0].Text = "{a:D9}" },
		"seal outside the page":            func(p *Template) { p.Pages[0].Seal.X = 205 },
		"QR code outside the page":         func(p *Template) { p.Pages[0].Codes[0].At[1] = 290 },
		"text outside the page":            func(p *Template) { p.Pages[0].Texts[0].At[2] = 400 },
		"no size":                          func(p *Template) { p.Pages[0].Texts[0].Size = 0 },
		"unknown font":                     func(p *Template) { p.Pages[0].Texts[0].Font = "fang" },
		"no page":                          func(p *Template) { p.Pages = nil },
		"a page of no size":                func(p *Template) { p.Pages[0].W = 0 },
		"too many objects":                 func(p *Template) { p.Pages[0].Rules = make([]Rule, 401) },
		"a border of an unknown kind":      func(p *Template) { p.Pages[0].Borders[0].Kind = "wave" },
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
	d, err := Compile(Plain("食品经营许可证", foodFields), sheettest.Fonts(b))
	if err != nil {
		b.Fatal(err)
	}
	data := foodData()
	for b.Loop() {
		if _, err := d.Layout(data); err != nil {
			b.Fatal(err)
		}
	}
}
