package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"elicense"
	"elicense/document"
	"elicense/gm"
	"elicense/seal"
)

type verifyCmd struct {
	Files        []string `arg:"" optional:"" help:"License files (OFD)." name:"file" placeholder:"FILE"`
	Root         []string `help:"Trusted root certificates (PEM); may be given again." env:"ELICENSE_ROOT" placeholder:"CERT.pem"`
	Intermediate []string `help:"Authorities' certificates that chains may lead through (PEM); may be given again." env:"ELICENSE_INTERMEDIATE" placeholder:"CERT.pem"`
	CRL          []string `help:"Revocation lists (PEM or DER); may be given again." name:"crl" env:"ELICENSE_CRL" placeholder:"LIST.crl"`
	At           string   `help:"Judge as of this time instead of now: 2026-11-24, 2026-11-24 15:04:05 (in Fujian), or RFC 3339." env:"ELICENSE_AT" placeholder:"TIME"`
	Lang         string   `help:"Language of the findings: zh or en. (${default})" enum:"zh,en" default:"zh" env:"ELICENSE_LANG"`
	JSON         bool     `help:"Print the whole reports as JSON." env:"ELICENSE_JSON"`
	Report       string   `help:"Also write a report to print, one A4 page a file." env:"ELICENSE_REPORT" placeholder:"FILE.html"`

	Print   string   `help:"Check the text of a print's QR code instead of files." env:"ELICENSE_PRINT" placeholder:"TEXT"`
	Value   []string `help:"A value read on the print, to be compared; may be given again." sep:"none" env:"ELICENSE_VALUE" placeholder:"VALUE"`
	Printer []string `help:"Certificates prints are signed with (PEM); may be given again." env:"ELICENSE_PRINTER" placeholder:"CERT.pem"`

	Receipt string `help:"Check the receipt of a use instead of files." env:"ELICENSE_RECEIPT" placeholder:"RECEIPT.json"`
	LogKey  string `help:"Public key of the platform's log (PEM), which it serves at /log/key.pem." env:"ELICENSE_LOG_KEY" placeholder:"KEY.pem"`
}

// verdict is one file's report.
type verdict struct {
	File string `json:"file"`
	document.Report
}

// maxVerify bounds a license file in bytes, as the public check does; maxOther
// what files are judged by.
const (
	maxVerify = 20 << 20
	maxOther  = 32 << 20
)

// Run judges each file without any network. All genuine and trusted is exit 0;
// any other verdict 1; an unusable argument 2, before anything is judged.
func (c *verifyCmd) Run() error {
	kinds := 0
	for _, given := range []bool{len(c.Files) > 0, c.Print != "", c.Receipt != ""} {
		if given {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return unusable("verify", elicense.E(elicense.Invalid, "要给出文件，或用--print给出打印件二维码的内容，或用--receipt给出用证凭据"))
	case c.Print == "" && (len(c.Value) > 0 || len(c.Printer) > 0):
		return unusable("verify", elicense.E(elicense.Invalid, "--value和--printer要和--print一起用"))
	case (c.Receipt == "") != (c.LogKey == ""):
		return unusable("verify", elicense.E(elicense.Invalid, "--receipt和--log-key要一起用"))
	case c.Print != "":
		return c.checkPrint()
	case c.Receipt != "":
		return c.checkReceipt()
	}
	options, err := c.options()
	if err != nil {
		return err
	}
	files := make([][]byte, len(c.Files))
	for i, path := range c.Files {
		if files[i], err = readBounded(path, maxVerify); err != nil {
			return unusable(path, err)
		}
	}
	all, trusted := make([]verdict, len(files)), true
	for i, b := range files {
		all[i] = verdict{c.Files[i], document.Judge(b, *options)}
		trusted = trusted && all[i].Verdict == document.Genuine
	}
	if c.Report != "" {
		page, err := reportPage(c.Lang, all, files, options)
		if err == nil {
			err = os.WriteFile(c.Report, page, 0o600)
		}
		if err != nil {
			return unusable(c.Report, err)
		}
	}
	if err := c.print(os.Stdout, all, options.Now); err != nil {
		return err
	}
	if !trusted {
		return exit(exitFound)
	}
	return nil
}

// options reads what files are judged by. Errors have been told.
func (c *verifyCmd) options() (*document.Options, error) {
	o := &document.Options{Now: time.Now(), Trust: gm.Trust{Cache: gm.NewCache()}}
	if c.At != "" {
		at, err := moment(c.At)
		if err != nil {
			return nil, unusable("--at", err)
		}
		o.Now = at
	}
	var err error
	if o.Roots, err = certificatesIn(c.Root); err != nil {
		return nil, err
	}
	if o.Intermediates, err = certificatesIn(c.Intermediate); err != nil {
		return nil, err
	}
	for _, path := range c.CRL {
		b, err := readBounded(path, maxOther)
		if err != nil {
			return nil, unusable(path, err)
		}
		l, err := gm.ParseRevocationList(b)
		if err != nil {
			return nil, unusable(path, err)
		}
		o.Lists = append(o.Lists, l)
	}
	return o, nil
}

// moment reads a time; without a zone it is meant in Fujian.
func moment(s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	for _, layout := range []string{time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, elicense.Shanghai); err == nil {
			return t, nil
		}
	}
	return time.Time{}, elicense.E(elicense.Invalid, "时间要写成2026-11-24、2026-11-24 15:04:05或RFC 3339")
}

func certificatesIn(paths []string) (list []*gm.Certificate, err error) {
	for _, path := range paths {
		b, err := readBounded(path, maxOther)
		if err != nil {
			return nil, unusable(path, err)
		}
		some, err := gm.ParsePEM(b)
		if err != nil {
			return nil, unusable(path, err)
		}
		list = append(list, some...)
	}
	return list, nil
}

func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = elicense.E(elicense.TooLarge, "文件超过%d MB", limit>>20)
	}
	return b, err
}

func unusable(path string, err error) error {
	fmt.Fprintf(os.Stderr, "elicense: %s: %v\n", path, err)
	return exit(exitUsage)
}

// said is a phrase in the two languages of the findings.
type said struct{ zh, en string }

func (s said) in(lang string) string {
	if lang == "en" {
		return s.en
	}
	return s.zh
}

var verdictWords = map[string]said{
	document.Genuine: {"真实", "genuine"}, document.GenuineUntrusted: {"签章成立，但签章人不可信任", "genuine, but the signer is not trusted"},
	document.Altered: {"被改动过", "altered"}, document.NotSigned: {"没有签章", "not signed"}, document.Unreadable: {"不能核验", "can't be read"},
}

var stateWords = map[seal.State]said{
	seal.Pass: {"通过", "pass"}, seal.Fail: {"没有通过", "FAIL"}, seal.NotApplicable: {"不适用", "n.a."}, seal.Note: {"请留意", "note"},
}

var (
	wordSeal      = said{"签章", "Seal"}
	wordSign      = said{"签名", "Signature"}
	wordNoTime    = said{"时间不详", "time unknown"}
	wordAlteredIn = said{"被改动的文件", "Altered file"}
	wordUncovered = said{"签章没有保护的文件", "File no signature protects"}
	wordAsOf      = said{"截至", "As of"}
	wordGroupFile = said{"文件", "File"}
	wordGroupData = said{"数据", "Data"}
	wordCopy      = said{"加注件，用途", "Copy for one use, for"}
	wordUntil     = said{"有效期至", "valid until"}
	wordOver      = said{"已过期", "expired"}
)

func (c *verifyCmd) print(w io.Writer, all []verdict, now time.Time) error {
	if c.JSON {
		return writeJSON(w, all)
	}
	var b strings.Builder
	for i := range all {
		c.write(&b, &all[i], now)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func (c *verifyCmd) write(w io.Writer, v *verdict, now time.Time) {
	say := func(s said) string { return s.in(c.Lang) }
	colon := said{"：", ": "}.in(c.Lang)
	fmt.Fprintf(w, "%s: %s\n", v.File, say(verdictWords[v.Verdict]))
	if v.VerdictNow != "" && v.VerdictNow != v.Verdict {
		fmt.Fprintf(w, "  %s %s%s%s\n", say(wordAsOf), inFujian(now), colon, say(verdictWords[v.VerdictNow]))
	}
	if line := copyLine(c.Lang, v.Metadata, now); line != "" {
		fmt.Fprintf(w, "  %s\n", line)
	}
	for _, s := range v.Signatures {
		if who := signedBy(c.Lang, &s); who != "" {
			fmt.Fprintf(w, "  %s%s%s\n", say(wordSeal), colon, who)
		}
	}
	for _, f := range v.Altered {
		fmt.Fprintf(w, "  %s%s%s\n", say(wordAlteredIn), colon, f)
	}
	for _, f := range v.Uncovered {
		fmt.Fprintf(w, "  %s%s%s\n", say(wordUncovered), colon, f)
	}
	for _, g := range grouped(c.Lang, &v.Report) {
		fmt.Fprintf(w, "  %s\n", g.Title)
		for _, k := range g.Checks {
			fmt.Fprintf(w, "    [%s] %s", say(stateWords[k.State]), reasonOf(c.Lang, &k.Check))
			if k.File != "" && !strings.Contains(reasonOf(c.Lang, &k.Check), k.File) {
				fmt.Fprintf(w, " %s", k.File)
			}
			if k.Times > 1 {
				fmt.Fprintf(w, " (×%d)", k.Times)
			}
			fmt.Fprintln(w)
		}
	}
}

func inFujian(t time.Time) string {
	return t.In(elicense.Shanghai).Format(time.DateTime)
}

// signedBy names who sealed or signed, and when; empty if nothing tells.
func signedBy(lang string, s *document.Signature) string {
	who := s.SealName
	if who == "" {
		who = s.Unit
	}
	if who == "" {
		return ""
	}
	when := wordNoTime.in(lang)
	if !s.Time.IsZero() {
		when = inFujian(s.Time)
	}
	return who + said{"，", ", "}.in(lang) + when
}

// copyLine says what a copy for one use is for; empty for a license.
func copyLine(lang string, metadata []document.Pair, now time.Time) string {
	n, ok := document.CopyOf(metadata)
	if !ok {
		return ""
	}
	line := wordCopy.in(lang) + said{"：", ": "}.in(lang) + n.Purpose + said{"，", ", "}.in(lang) + wordUntil.in(lang) + " " + inFujian(n.Until)
	if !now.Before(n.Until) {
		line += said{"，", ", "}.in(lang) + wordOver.in(lang)
	}
	return line
}

func reasonOf(lang string, k *document.Check) string {
	if lang == "en" {
		return k.ReasonEn
	}
	return k.Reason
}

// checkGroup are the checks of the file, of one of its signatures or of its data.
type checkGroup struct {
	Title  string
	Checks []groupedCheck
}

// groupedCheck stands for as many checks in a row that came out the same, such as
// those not carried out after one failed.
type groupedCheck struct {
	document.Check
	Times int
}

func inGroup(title string, checks []document.Check) checkGroup {
	g := checkGroup{Title: title}
	for _, k := range checks {
		if n := len(g.Checks); n > 0 && g.Checks[n-1].State == k.State && g.Checks[n-1].Reason == k.Reason && g.Checks[n-1].File == k.File {
			g.Checks[n-1].Times++
			continue
		}
		g.Checks = append(g.Checks, groupedCheck{k, 1})
	}
	return g
}

func grouped(lang string, r *document.Report) []checkGroup {
	var file, data []document.Check
	of := map[string][]document.Check{}
	for _, k := range r.Checks {
		switch {
		case k.Signature != "":
			of[k.Signature] = append(of[k.Signature], k)
		case k.Name == "data":
			data = append(data, k)
		default:
			file = append(file, k)
		}
	}
	list := []checkGroup{inGroup(wordGroupFile.in(lang), file)}
	for i, s := range r.Signatures {
		list = append(list, inGroup(fmt.Sprint(wordSign.in(lang), " ", i+1), of[s.ID]))
		delete(of, s.ID) // two of one ID share their checks
	}
	if len(data) > 0 {
		list = append(list, inGroup(wordGroupData.in(lang), data))
	}
	return list
}

// printFindings is what was found out about a print.
type printFindings struct {
	Genuine    bool         `json:"genuine"`
	Identifier string       `json:"identifier,omitempty"`
	Status     string       `json:"status,omitempty"` // when it was printed
	Printed    time.Time    `json:"printed,omitzero"`
	Values     []printValue `json:"values"`
}

type printValue struct {
	Value string `json:"value"`
	Match bool   `json:"match"`
}

// checkPrint tells whether the text of a print's QR code was signed by one of
// the printers and whether the license showed the values. Exit as of Run.
func (c *verifyCmd) checkPrint() error {
	if len(c.Printer) == 0 {
		return unusable("--print", elicense.E(elicense.Invalid, "要用--printer给出打印签名的证书"))
	}
	signers, err := certificatesIn(c.Printer)
	if err != nil {
		return err
	}
	found := printFindings{Values: []printValue{}}
	good := false
	data, err := document.FromStatementURL(c.Print)
	var s *document.Statement
	if err == nil {
		s, err = document.ParseStatement(data, signers)
	}
	if err == nil {
		found.Genuine, found.Identifier, found.Status, found.Printed = true, s.Identifier, s.Status, s.Printed
		good = true
		for _, v := range c.Value {
			holds := s.Holds(v)
			found.Values = append(found.Values, printValue{v, holds})
			good = good && holds
		}
	}
	if err := c.writePrint(os.Stdout, &found, err); err != nil {
		return err
	}
	if !good {
		return exit(exitFound)
	}
	return nil
}

func (c *verifyCmd) writePrint(w io.Writer, f *printFindings, wrong error) error {
	if c.JSON {
		return writeJSON(w, f)
	}
	say := func(zh, en string) string { return said{zh, en}.in(c.Lang) }
	var b strings.Builder
	if !f.Genuine {
		why := say("不是完整的打印件二维码内容", "it is not the whole text of a print's code")
		if errors.Is(wrong, document.ErrStatementSign) {
			why = say("签名不成立，或不是给出的证书作出的", "its signature does not hold, or was not made with a given certificate")
		}
		fmt.Fprintln(&b, say("打印件的二维码不可信：", "The code of the print is not to be relied on: ")+why)
	} else {
		fmt.Fprintln(&b, say("打印件的二维码真实", "The code of the print is genuine"))
		fmt.Fprintf(&b, "  %s%s\n  %s%s\n  %s%s\n", say("证照标识：", "Identifier: "), f.Identifier, say("打印时的状态：", "Status when printed: "), f.Status, say("打印时间：", "Printed: "), inFujian(f.Printed))
		for _, v := range f.Values {
			word := say("不相符", "no match")
			if v.Match {
				word = say("相符", "match")
			}
			fmt.Fprintf(&b, "  [%s] %s\n", word, v.Value)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
