package ofd

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"elicense/sheet"
	"elicense/sheet/sheettest"

	"github.com/google/go-cmp/cmp"
)

// foreign is a package of another maker: everything it names is relative to the
// file that names it, and in no order.
func foreign(t testing.TB, page string, more ...string) []byte {
	return zipOf(t, append([]string{
		"OFD.xml", `<OFD><DocBody><DocRoot>D/Document.xml</DocRoot></DocBody><DocBody><DocRoot>Old.xml</DocRoot></DocBody></OFD>`,
		"Old.xml", `<Document><Pages><Page ID="77" BaseLoc="Gone.xml"/></Pages></Document>`,
		"D/Document.xml", `<Document><Attachments>Att/List.xml</Attachments><Annotations>An/List.xml</Annotations>` +
			`<Pages><Page ID="1" BaseLoc="P.xml"/></Pages><CommonData><DocumentRes>Res.xml</DocumentRes><PublicRes>Res.xml</PublicRes>` +
			`<TemplatePage ID="90" BaseLoc="T.xml"/><PageArea><PhysicalBox>0 0 100 100</PhysicalBox></PageArea></CommonData></Document>`,
		"D/Res.xml", `<Res BaseLoc="R"><DrawParams><DrawParam ID="10" LineWidth="2"><StrokeColor Value="255 0 0"/></DrawParam>` +
			`<DrawParam ID="11" Relative="10"><FillColor Value="0 255 0"/></DrawParam><DrawParam ID="12" Relative="12" LineWidth="9"/></DrawParams>` +
			`<CompositeGraphicUnits><CompositeGraphicUnit ID="20" Width="10" Height="10"><Content><PathObject Boundary="1 2 9 9" Stroke="false" Fill="true">` +
			`<FillColor Value="0 0 255"/><AbbreviatedData>M 0 0 L 1 0 L 1 1 C</AbbreviatedData></PathObject></Content></CompositeGraphicUnit>` +
			`<CompositeGraphicUnit ID="21"><Content><CompositeObject Boundary="0 0 9 9" ResourceID="21"/><CompositeObject Boundary="0 0 9 9" ResourceID="21"/></Content></CompositeGraphicUnit></CompositeGraphicUnits>` +
			`<Fonts><Font ID="30" FontName="黑体"/></Fonts></Res>`,
		"D/An/List.xml", `<Annotations><Page PageID="1"><FileLoc>One.xml</FileLoc></Page><Page PageID="2"><FileLoc>One.xml</FileLoc></Page></Annotations>`,
		"D/An/One.xml", `<PageAnnot><Annot Type="Watermark"><Appearance Boundary="50 60 20 20"><TextObject Boundary="1 1 9 9" Alpha="51" Font="30" Size="4"><TextCode X="0" Y="3" DeltaX="4">副本</TextCode></TextObject></Appearance></Annot>` +
			`<Annot Type="Link" Visible="false"><Appearance Boundary="0 0 9 9"><PathObject Boundary="0 0 9 9"><AbbreviatedData>M 0 0 L 9 9</AbbreviatedData></PathObject></Appearance></Annot></PageAnnot>`,
		"D/Att/List.xml", `<Attachments><Attachment ID="a" Name="data" Format="xml"><FileLoc>d.xml</FileLoc></Attachment><Attachment ID="b" Name="photo" Format="jpg"><FileLoc>/D/p.jpg</FileLoc></Attachment></Attachments>`,
		"D/Att/d.xml", "<data/>", "D/p.jpg", "photo",
		"D/T.xml", `<Page><Content><Layer><PathObject Boundary="0 0 9 9"><AbbreviatedData>M 7 7 L 8 8</AbbreviatedData></PathObject></Layer></Content></Page>`,
		"D/P.xml", page,
	}, more...)...)
}

// objectsOf draws the objects of a layer and lists what comes out.
func objectsOf(t testing.TB, layer, objects string) []string {
	t.Helper()
	f, err := Open(foreign(t, `<Page><Content><Layer ID="3" `+layer+`>`+objects+`</Layer></Content></Page>`))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := f.Pages()
	if err != nil || len(pages) != 1 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	var list []string
	for _, it := range pages[0].Sheet.Items {
		switch it := it.(type) {
		case *sheet.Path:
			s := string(appendSegments(nil, it.Segments))
			if it.Matrix != nil {
				s += fmt.Sprintf(" by %.4g", *it.Matrix)
			}
			if it.Fill {
				s += " filled"
			}
			if it.Stroke {
				s += fmt.Sprintf(" %g wide", it.Width)
			}
			if it.Clip != nil {
				s += fmt.Sprintf(" within %s", appendSegments(nil, it.Clip))
			}
			list = append(list, fmt.Sprintf("%s %v", s, it.Color))
		case *sheet.Text:
			s := fmt.Sprintf("%s %s %g at %g %g %g", it.Text, it.Family, it.Size, it.X, it.Y, it.Advances)
			if it.Matrix != nil {
				s += fmt.Sprintf(" by %.4g", *it.Matrix)
			}
			if it.Bold > 0 {
				s += fmt.Sprintf(" bold %.3g", it.Bold)
			}
			if it.Opacity > 0 {
				s += fmt.Sprintf(" opacity %.3g", it.Opacity)
			}
			list = append(list, fmt.Sprintf("%s %v", s, it.Color))
		}
	}
	return list
}

func TestObjectsOfOtherMakers(t *testing.T) {
	const mark = "副本 黑体 4 at 1 4 [4] by [1 0 0 1 50 60] opacity 0.2 {0 0 0}" // the annotation, over everything
	path := func(attrs, children string) string {
		return `<PathObject Boundary="10 10 9 9" ` + attrs + `>` + children + `<AbbreviatedData>M 0 0 L 5 5</AbbreviatedData></PathObject>`
	}
	text := func(attrs, children, code string) string {
		return `<TextObject Boundary="10 10 9 9" Font="30" Size="4" ` + attrs + `>` + children + `<TextCode X="0" Y="3" ` + code + `>正本</TextCode></TextObject>`
	}
	for _, tc := range []struct {
		name, layer, objects string
		want                 []string
	}{
		{"annotations that are to be seen", "", "", nil},
		{"defaults", "", path("", ""), []string{"M 10 10 L 15 15 0.353 wide {0 0 0}"}},
		{"a draw parameter", "", path(`DrawParam="10"`, ""), []string{"M 10 10 L 15 15 2 wide {255 0 0}"}},
		{"one that rests on another", "", path(`DrawParam="11" Fill="true"`, ""), []string{"M 10 10 L 15 15 filled {0 255 0}", "M 10 10 L 15 15 2 wide {255 0 0}"}},
		{"one that rests on itself", "", path(`DrawParam="12"`, ""), []string{"M 10 10 L 15 15 9 wide {0 0 0}"}},
		{"the layer's", `DrawParam="10"`, path("", ""), []string{"M 10 10 L 15 15 2 wide {255 0 0}"}},
		{"the object's word counts first", `DrawParam="10"`, path(`LineWidth="1"`, `<StrokeColor Value="#00 #ff 9"/>`), []string{"M 10 10 L 15 15 1 wide {0 255 9}"}},
		{"a filling without a colour is transparent", "", path(`Fill="true" Stroke="false"`, ""), nil},
		{"a gradient by its first colour", "", path(`Fill="true" Stroke="false"`, `<FillColor><AxialShd><Segment><Color Value="9 8 7"/></Segment><Segment><Color Value="1 1 1"/></Segment></AxialShd></FillColor>`), []string{"M 10 10 L 15 15 filled {9 8 7}"}},
		{"grey and CMYK", "", path("", `<StrokeColor Value="90"/>`) + path("", `<StrokeColor Value="0 255 0 51"/>`), []string{"M 10 10 L 15 15 0.353 wide {90 90 90}", "M 10 10 L 15 15 0.353 wide {204 0 204}"}},
		{"a clip", "", path(`CTM="2 0 0 2 0 0"`, `<Clips><Clip><Area CTM="1 0 0 1 3 0"><Path Boundary="1 1 9 9"><AbbreviatedData>M 0 0 L 2 0 L 2 2 C</AbbreviatedData></Path></Area></Clip></Clips>`), []string{"M 0 0 L 5 5 by [2 0 0 2 10 10] 0.353 wide within M 18 12 L 22 12 L 22 16 C {0 0 0}"}},
		{"a clip by text is none", "", path("", `<Clips><Clip><Area><Text/></Area></Clip></Clips>`), []string{"M 10 10 L 15 15 0.353 wide {0 0 0}"}},
		{"what is hidden", "", path(`Visible="false"`, ""), nil},
		{"a composite object", "", `<CompositeObject Boundary="30 40 9 9" CTM="2 0 0 2 1 0" ResourceID="20"/>`, []string{"M 1 2 L 2 2 L 2 3 C by [2 0 0 2 31 40] filled {0 0 255}"}},
		{"one that holds itself", "", `<CompositeObject Boundary="0 0 9 9" ResourceID="21"/>`, nil},
		{"text", "", text("", "", `DeltaX="4"`), []string{"正本 黑体 4 at 10 13 [4] {0 0 0}"}},
		{"stretched text", "", text(`HScale="0.5"`, "", `DeltaX="2"`), []string{"正本 黑体 4 at 10 13 [4] by [0.5 0 0 1 5 0] {0 0 0}"}},
		{"italics, turned", "", text(`Italic="true" CTM="0 1 -1 0 0 0"`, "", `DeltaX="4"`), []string{"正本 黑体 4 at 0 3 [4] by [0 1 -1 -0.21 10 10.63] {0 0 0}"}},
		{"heavy text", "", text(`Weight="800"`, "", `DeltaX="4"`), []string{"正本 黑体 4 at 10 13 [4] bold 0.12 {0 0 0}"}},
		{"outlined text", "", text(`Stroke="true" LineWidth="0.3"`, `<FillColor Value="1 2 3" Alpha="51"/>`, `DeltaX="4"`), []string{"正本 黑体 4 at 10 13 [4] bold 0.3 opacity 0.2 {1 2 3}"}},
		{"text downwards", "", text("", "", `DeltaY="4" DeltaX="1"`), []string{"正 黑体 4 at 10 13 [] {0 0 0}", "本 黑体 4 at 11 17 [] {0 0 0}"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(append(tc.want, mark), objectsOf(t, tc.layer, tc.objects)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestLayersLieOnEachOther(t *testing.T) {
	line := func(kind, to string) string {
		return `<Layer Type="` + kind + `"><PathObject Boundary="0 0 9 9"><AbbreviatedData>M 0 0 L ` + to + ` 0</AbbreviatedData></PathObject></Layer>`
	}
	f, err := Open(foreign(t, `<Page><Template TemplateID="90" ZOrder="Foreground"/><Content>`+line("Foreground", "3")+line("Body", "2")+line("Background", "1")+`</Content></Page>`))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := f.Pages()
	if err != nil {
		t.Fatal(err)
	}
	var got []float64
	for _, it := range pages[0].Sheet.Items {
		if p, ok := it.(*sheet.Path); ok {
			got = append(got, p.Segments[1].P[0].X)
		}
	}
	if fmt.Sprint(got) != "[1 2 3 8]" {
		t.Errorf("drawn in the order %v", got)
	}
}

func TestAttachments(t *testing.T) {
	f, err := Open(foreign(t, `<Page/>`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Attachments()
	want := []Attachment{{Name: "data", Format: "xml", Data: []byte("<data/>")}, {Name: "photo", Format: "jpg", Data: []byte("photo")}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Attachments: %v, -want +got:\n%s", err, diff)
	}
	ours, err := Open(write(t, testDocument(t)).Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ours.Attachments(); err != nil || len(got) != 1 || string(got[0].Data) != "<data/>" {
		t.Errorf("our own: %v, %v", got, err)
	}
	for name, tc := range map[string]struct {
		list string
		want error
	}{
		"missing":   {`<Attachments><Attachment><FileLoc>x</FileLoc></Attachment></Attachments>`, ErrMissing},
		"outside":   {`<Attachments><Attachment><FileLoc>../../x</FileLoc></Attachment></Attachments>`, ErrName},
		"very many": {`<Attachments>` + strings.Repeat(`<Attachment><FileLoc>/OFD.xml</FileLoc></Attachment>`, maxAttachments+1) + `</Attachments>`, ErrTooLarge},
	} {
		f, err := Open(zipOf(t, "OFD.xml", minimalOFD, "D.xml", `<Document><Attachments>A.xml</Attachments></Document>`, "A.xml", tc.list))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Attachments(); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

// huge is 10 MB or more of one kind of bad will, packed or not.
func huge(t testing.TB) map[string][]byte {
	composite := func(id, of int) string {
		return fmt.Sprintf(`<CompositeGraphicUnit ID="%d"><Content>%s</Content></CompositeGraphicUnit>`, id, strings.Repeat(fmt.Sprintf(`<CompositeObject Boundary="0 0 1 1" ResourceID="%d"/>`, of), 40))
	}
	var units strings.Builder
	for i := range 7 {
		units.WriteString(composite(100+i, 101+i))
	}
	units.WriteString(`<CompositeGraphicUnit ID="107"><Content>` + strings.Repeat(`<PathObject Boundary="0 0 1 1"><AbbreviatedData>M 0 0</AbbreviatedData></PathObject>`, 40) + `</Content></CompositeGraphicUnit>`)
	document := func(pages, common string) string {
		return `<Document><CommonData>` + common + `</CommonData><CustomTags>T.xml</CustomTags><Pages>` + pages + `</Pages></Document>`
	}
	one := `<Page ID="1" BaseLoc="P.xml"/>`
	elements := strings.Repeat("<a/>", 90_000)
	noise := make([]byte, 10<<20)
	rand.NewChaCha8([32]byte{}).Read(noise)
	var trees []string
	for i := range 8 {
		trees = append(trees, fmt.Sprintf("P%d.xml", i), `<Page><Content><Layer>`+elements+`</Layer></Content></Page>`)
	}
	var fonts strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&fonts, `<Font ID="%d"><FontFile>noise</FontFile></Font>`, 1000+i)
	}
	var texts strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&texts, `<TextObject Boundary="0 0 9 9" Font="%d" Size="4"><TextCode>一</TextCode></TextObject>`, 1000+i)
	}
	layer := func(s string) string { return `<Page><Content><Layer>` + s + `</Layer></Content></Page>` }
	return map[string][]byte{
		"noise":                       noise,
		"composites in composites":    zipOf(t, "OFD.xml", minimalOFD, "D.xml", document(one, `<PublicRes>R.xml</PublicRes>`), "R.xml", `<Res><CompositeGraphicUnits>`+units.String()+`</CompositeGraphicUnits></Res>`, "P.xml", layer(`<CompositeObject Boundary="0 0 1 1" ResourceID="100"/>`), "x", string(noise)),
		"pages of many elements":      zipOf(t, append(trees, "OFD.xml", minimalOFD, "D.xml", document(`<Page BaseLoc="P0.xml"/><Page BaseLoc="P1.xml"/><Page BaseLoc="P2.xml"/><Page BaseLoc="P3.xml"/><Page BaseLoc="P4.xml"/><Page BaseLoc="P5.xml"/><Page BaseLoc="P6.xml"/><Page BaseLoc="P7.xml"/>`, ""))...),
		"one page of many elements":   zipOf(t, "OFD.xml", minimalOFD, "D.xml", document(strings.Repeat(one, 2000), ""), "P.xml", layer(elements)),
		"many annotations":            zipOf(t, "OFD.xml", minimalOFD, "D.xml", `<Document><Annotations>L.xml</Annotations><Pages>`+one+`</Pages></Document>`, "L.xml", `<A>`+strings.Repeat(`<Page PageID="1"><FileLoc>A.xml</FileLoc></Page>`, 30_000)+`</A>`, "A.xml", `<P>`+strings.Repeat(`<Annot><Appearance Boundary="0 0 1 1"><PathObject Boundary="0 0 1 1"><AbbreviatedData>M 0 0</AbbreviatedData></PathObject></Appearance></Annot>`, 20_000)+`</P>`, "P.xml", layer("")),
		"one font file of many fonts": zipOf(t, "OFD.xml", minimalOFD, "D.xml", document(one, `<PublicRes>R.xml</PublicRes>`), "R.xml", `<Res><Fonts>`+fonts.String()+`</Fonts></Res>`, "noise", "\x00\x01\x00\x00"+string(noise), "P.xml", layer(texts.String())),
		"many templates":              zipOf(t, "OFD.xml", minimalOFD, "D.xml", document(one, strings.Repeat(`<TemplatePage ID="5" BaseLoc="P.xml"/>`, 40_000)), "P.xml", `<Page>`+strings.Repeat(`<Template TemplateID="5"/>`, 40_000)+`<Content><Layer>`+strings.Repeat(`<PathObject Boundary="0 0 1 1"><AbbreviatedData>M 0 0</AbbreviatedData></PathObject>`, 10_000)+`</Layer></Content></Page>`),
		"tags of one long text":       zipOf(t, "OFD.xml", minimalOFD, "D.xml", document(one, ""), "P.xml", layer(`<TextObject ID="4"><TextCode>`+strings.Repeat("x", 1<<20)+`</TextCode></TextObject>`), "T.xml", `<T><CustomTag><FileLoc>F.xml</FileLoc></CustomTag></T>`, "F.xml", `<F>`+strings.Repeat(`<ObjectRef>4</ObjectRef>`, 50_000)+`</F>`),
		"many tag files":              zipOf(t, "OFD.xml", minimalOFD, "D.xml", document(one, ""), "P.xml", layer(""), "T.xml", `<T>`+strings.Repeat(`<CustomTag><FileLoc>F.xml</FileLoc></CustomTag>`, 20_000)+`</T>`, "F.xml", `<F>`+strings.Repeat(`<a><ObjectRef>4</ObjectRef></a>`, 20_000)+`</F>`),
	}
}

// peak calls f and returns by how many bytes the heap grew at most, as the
// collector saw it, and how many were asked for in all.
func peak(f func()) (grown, total uint64) {
	// What lives is meant, not what the collector has not got to yet.
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	done, ended := make(chan bool), make(chan uint64)
	go func() {
		most := uint64(0)
		var now runtime.MemStats
		for {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapInuse)
			select {
			case <-done:
				ended <- most
				return
			default:
				time.Sleep(time.Millisecond) // looking stops everything
			}
		}
	}()
	f()
	done <- true
	most := <-ended
	runtime.ReadMemStats(&after)
	return most - min(most, before.HeapInuse), after.TotalAlloc - before.TotalAlloc
}

func TestHugeFilesTakeBoundedMemory(t *testing.T) {
	for name, data := range huge(t) {
		t.Run(name, func(t *testing.T) {
			grown, total := peak(func() {
				f, err := Open(data)
				if err != nil {
					return
				}
				f.Pages()
				f.Tags()
				f.Attachments()
				f.PageBoxes()
			})
			t.Logf("%d bytes: heap grew by %d MB, %d MB asked for", len(data), grown>>20, total>>20)

			if grown > 64<<20 || total > 256<<20 {
				t.Errorf("the heap grew by %d MB, %d MB were asked for", grown>>20, total>>20)
			}
		})
	}
}

// FuzzForeign reads packages of other makers part by part.
func FuzzForeign(f *testing.F) {
	f.Add(`<Page><Template TemplateID="90"/><Content><Layer DrawParam="11"><CompositeObject Boundary="0 0 9 9" ResourceID="20"/></Layer></Content></Page>`,
		`<Res BaseLoc="R"><DrawParams><DrawParam ID="40" Relative="10"/></DrawParams><Fonts><Font ID="31" FontName="x"><FontFile>f.ttf</FontFile></Font></Fonts></Res>`,
		`<PageAnnot><Annot><Appearance Boundary="1 1 9 9"><TextObject Boundary="0 0 9 9" Font="31" Size="4" HScale="2" Weight="700" Italic="true"><CGTransform CodePosition="0"><Glyphs>1</Glyphs></CGTransform><TextCode DeltaX="g 1 3">照A</TextCode></TextObject></Appearance></Annot></PageAnnot>`,
		`<Attachments><Attachment Name="n"><FileLoc>/OFD.xml</FileLoc></Attachment></Attachments>`)
	sub, err := sheettest.Fonts(f).Song.Subset([]rune("A照"), "T")
	if err != nil {
		f.Fatal(err)
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewNRGBA(image.Rect(0, 0, 3, 3))); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, page, res, annot, attachments string) {
		data := zipOf(t, "OFD.xml", minimalOFD,
			"D.xml", `<Document><Attachments>L.xml</Attachments><Annotations>A.xml</Annotations><Pages><Page ID="1" BaseLoc="P.xml"/></Pages><CommonData><PublicRes>R.xml</PublicRes><TemplatePage ID="90" BaseLoc="P.xml"/></CommonData></Document>`,
			"A.xml", `<A><Page PageID="1"><FileLoc>O.xml</FileLoc></Page></A>`, "O.xml", annot, "L.xml", attachments, "R.xml", res, "P.xml", page,
			"R/f.ttf", string(sub.Data), "R/i.png", picture.String())
		file, err := Open(data)
		if err != nil {
			t.Fatal(err)
		}
		file.Attachments()
		pages, err := file.Pages()
		if err != nil {
			return
		}
		sheet.PDF([]sheet.Sheet{*pages[0].Sheet}, sheet.PDFInfo{})
		if _, err := ParseXML(pages[0].Sheet.SVG()); err != nil && !errors.Is(err, ErrTooLarge) {
			t.Errorf("the picture is %v", err)
		}
	})
}
