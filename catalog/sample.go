package catalog

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"slices"
	"strings"

	"elicense"
	"elicense/face"
	"elicense/sheet"
)

// samples are invented values for showing a face: usual ones by the field's key
// or, with an asterisk before it, by its type; those of a license type by its
// name; and pieces of extreme ones.
type samples struct {
	Usual   map[string]string            `json:"usual"`
	Types   map[string]map[string]string `json:"types"`
	Extreme map[string]string            `json:"extreme"`
}

//go:embed samples.json
var samplesJSON []byte

var sampled = func() (s samples) {
	if err := json.Unmarshal(samplesJSON, &s); err != nil {
		panic(err) // the file is part of the program
	}
	return s
}()

// Sample returns invented values for every field of a type: usual ones, to look
// at its face with.
func (t *Type) Sample(today elicense.Date) map[string]string {
	fields := map[string]string{}
	for _, f := range t.Fields {
		fields[f.Key] = t.sampleValue(f, today)
	}
	return fields
}

func (t *Type) sampleValue(f Field, today elicense.Date) string {
	if v, there := sampled.Types[t.Name][f.Key]; there {
		return v
	}
	if f.Type == "image" {
		return portrait(t.wide(f.Key))
	}
	if f.Key == t.Roles.ValidTo && f.Type == "date" {
		return string(today.AddYears(5, true))
	}
	if v, there := sampled.Usual[f.Key]; there && f.Type != "uscc" {
		return v
	}
	if f.Type == "date" {
		return string(today)
	}
	if len(f.Options) > 0 { // the one that takes the most room
		return slices.MaxFunc(f.Options, func(a, b string) int { return len(a) - len(b) })
	}
	if v, there := sampled.Usual["*"+f.Type]; there {
		return v
	}
	return sampled.Usual["*"]
}

// wide tells whether a photo lies on its side on the face, as those of two do.
func (t *Type) wide(key string) bool {
	if t.Face == nil {
		return false
	}
	for i := range t.Face.Pages {
		for _, p := range t.Face.Pages[i].Pictures {
			if p.Key == key {
				return p.At[2] > p.At[3]
			}
		}
	}
	return false
}

// Extreme returns values that try a face: names of 60 characters (of persons, the
// longest there are), a scope of 1,600, rare characters, and nothing in fields
// that may be empty.
func (t *Type) Extreme(today elicense.Date) map[string]string {
	fields, x := t.Sample(today), sampled.Extreme
	for _, f := range t.Fields {
		switch {
		case !f.Required:
			delete(fields, f.Key)
		case f.Key == t.Roles.HolderName && t.Holders == Persons || f.Key == "name_b":
			fields[f.Key] = x["person"]
		case f.Key == t.Roles.HolderName || f.Key == "owner":
			fields[f.Key] = repeated(x["name"], 60)
		case f.Key == "legal_rep" || f.Key == "principal":
			fields[f.Key] = x["short"]
		case strings.HasSuffix(f.Key, "address") || f.Key == "premises" || f.Key == "location" || f.Key == "domicile":
			fields[f.Key] = repeated(x["place"], 60)
		case f.Type == "text" && !t.listed(f.Key):
			fields[f.Key] = repeated(x["text"], 1600)
		case f.Type == "list" || f.Type == "text":
			fields[f.Key] = strings.TrimSuffix(strings.Repeat(strings.Split(fields[f.Key], "\n")[0]+"\n", 30), "\n")
		}
	}
	return fields
}

// Rare returns values with rare characters of names and places in them.
func (t *Type) Rare(today elicense.Date) map[string]string {
	fields, x := t.Sample(today), sampled.Extreme
	for _, f := range t.Fields {
		switch {
		case f.Key == t.Roles.HolderName && t.Holders != Persons || f.Key == "owner":
			fields[f.Key] = x["rareName"]
		case f.Key == t.Roles.HolderName || f.Key == "legal_rep" || f.Key == "principal" || strings.HasPrefix(f.Key, "name"):
			fields[f.Key] = x["rare"]
		case strings.HasSuffix(f.Key, "address") || f.Key == "premises" || f.Key == "location" || f.Key == "domicile":
			fields[f.Key] = x["rarePlace"]
		}
	}
	return fields
}

// Bare returns usual values of the required fields and nothing in the others.
func (t *Type) Bare(today elicense.Date) map[string]string {
	fields := t.Sample(today)
	for _, f := range t.Fields {
		if !f.Required {
			delete(fields, f.Key)
		}
	}
	return fields
}

// repeated repeats a text up to n characters.
func repeated(s string, n int) string {
	one := []rune(s)
	out := make([]rune, n)
	for i := range out {
		out[i] = one[i%len(one)]
	}
	return string(out)
}

// portrait draws a figure of nobody, as a data URL: head and shoulders before a
// plain ground, two of them for a wedding.
func portrait(two bool) string {
	w, h, ground := 280, 360, color.RGBA{0x5b, 0x8c, 0xc8, 0xff}
	heads := []float64{0.5}
	if two {
		w, h, ground, heads = 420, 280, color.RGBA{0xc0, 0x39, 0x32, 0xff}, []float64{0.34, 0.66}
	}
	im := image.NewRGBA(image.Rect(0, 0, w, h))
	unit := float64(h)
	for y := range h {
		for x := range w {
			c := ground
			for _, at := range heads {
				dx, dy := (float64(x)-at*float64(w))/unit, float64(y)/unit
				switch {
				case math.Hypot(dx/0.16, (dy-0.4)/0.2) < 1:
					c = color.RGBA{0xf0, 0xd2, 0xb6, 0xff}
					if dy < 0.3 {
						c = color.RGBA{0x2b, 0x24, 0x22, 0xff}
					}
				case math.Hypot(dx/0.3, (dy-1)/0.36) < 1:
					c = color.RGBA{0xf4, 0xf4, 0xf2, 0xff}
				}
			}
			im.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if jpeg.Encode(&b, im, &jpeg.Options{Quality: 70}) != nil { // a buffer takes everything
		return ""
	}
	return "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(b.Bytes())
}

// Lint finds what is unwise about the type's face, tried with each kind of
// invented data.
func (t *Type) Lint(fonts *sheet.FontSet, today elicense.Date) []face.Problem {
	facts := make([]face.Fact, len(t.Fields))
	for i, f := range t.Fields {
		facts[i] = face.Fact{Key: f.Key, Label: f.Label, Required: f.Required}
	}
	var trials []face.Trial
	for _, s := range Samples() {
		trials = append(trials, face.Trial{Name: s.Chinese(), Data: t.SampleData(t.sample(s, today), today)})
	}
	return face.Lint(t.Face, facts, fonts, trials...)
}

// SampleData is what a face says with invented values.
func (t *Type) SampleData(fields map[string]string, today elicense.Date) face.Data {
	id, err := elicense.NewIdentifier(t.Code, sampleUnit, "SAMPLE0000000001", 1)
	if err != nil {
		id = "" // a type being drafted may have no code yet
	}
	d := t.FaceData(sampled.Usual["*issuer"], fields, today, id, "https://elicense.example/check/0123456789abcdef0123456789abcdef")
	d.Sample = true
	return d
}

// sampleUnit is a unit of the demo.
const sampleUnit = "11350000FJDEM0021G"
