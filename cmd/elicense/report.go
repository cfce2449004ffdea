package main

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html/template"
	"path/filepath"

	"elicense/document"
	"elicense/gm"
	"elicense/seal"
)

//go:embed report.html
var reportText string

// reportFile is what a printed report says of one file.
type reportFile struct {
	Name, Size, Digest string
	Report             *document.Report
	Now                string
	Copy               string
	Signers            []string
	Groups             []checkGroup
	Picture            template.URL // of the first page; empty if it can't be drawn
	Pages              int
}

// reportPage writes a report that needs nothing beside itself: a page of HTML
// that prints on one sheet of A4 a file.
func reportPage(lang string, all []verdict, files [][]byte, o *document.Options) ([]byte, error) {
	say := func(zh, en string) string { return said{zh, en}.in(lang) }
	t, err := template.New("report").Funcs(template.FuncMap{
		"say":     say,
		"verdict": func(v string) string { return verdictWords[v].in(lang) },
		"class":   func(v string) string { return verdictClass[v] },
		"mark":    func(v string) string { return verdictMark[v] },
		"state":   func(s seal.State) string { return stateMark[s] + " " + stateWords[s].in(lang) },
		"reason":  func(k groupedCheck) string { return reasonOf(lang, &k.Check) },
	}).Parse(reportText)
	if err != nil {
		return nil, err
	}
	d := struct {
		Lang, Time, Roots string
		Files             []reportFile
	}{Lang: map[string]string{"zh": "zh-CN", "en": "en"}[lang], Time: inFujian(o.Now)}
	for i, r := range o.Roots {
		if i > 0 {
			d.Roots += say("、", ", ")
		}
		d.Roots += r.Subject()
	}
	for i := range all {
		sum := gm.Sum(files[i])
		f := reportFile{
			Name: filepath.Base(all[i].File), Size: fmt.Sprintf("%d KB", (len(files[i])+1023)>>10), Digest: hex.EncodeToString(sum[:]),
			Report: &all[i].Report, Now: inFujian(o.Now), Copy: copyLine(lang, all[i].Metadata, o.Now), Groups: grouped(lang, &all[i].Report),
		}
		for _, s := range all[i].Signatures {
			if who := signedBy(lang, &s); who != "" {
				f.Signers = append(f.Signers, who)
			}
		}
		if pages, err := document.Picture(files[i]); err == nil && len(pages) > 0 && len(pages[0]) <= maxPicture {
			// Made by ourselves; as a picture it can run nothing.
			f.Picture, f.Pages = template.URL("data:image/svg+xml;base64,"+base64.StdEncoding.EncodeToString(pages[0])), len(pages)
		}
		d.Files = append(d.Files, f)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, d); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// maxPicture bounds the drawing of a page in a report, in bytes.
const maxPicture = 8 << 20

var (
	verdictClass = map[string]string{
		document.Genuine: "ok", document.GenuineUntrusted: "care", document.Altered: "stop", document.NotSigned: "stop", document.Unreadable: "rest",
	}
	verdictMark = map[string]string{
		document.Genuine: "✓", document.GenuineUntrusted: "!", document.Altered: "✗", document.NotSigned: "✗", document.Unreadable: "?",
	}
	stateMark = map[seal.State]string{seal.Pass: "✓", seal.Fail: "✗", seal.NotApplicable: "–", seal.Note: "!"}
)
