package document

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"elicense/gm"
	"elicense/ofd"
	"elicense/seal"
)

// The verdicts on a file.
const (
	// Genuine: every signature holds, is trusted, and together they protect the
	// whole file.
	Genuine = "genuine"
	// GenuineUntrusted: the file is what was signed, but at least one signature
	// is not to be relied on: its certificates lead to no trusted root, were not
	// valid at the time or not meant for this, or the seal does not name the
	// signer. The checks say which.
	GenuineUntrusted = "genuine-untrusted"
	// Altered: the file, a signature or a seal is not what was signed, or there
	// is something in the package no signature protects.
	Altered = "altered"
	// NotSigned: nothing in the file tells who made it: it has no signature, or
	// only ones without a certificate or of another kind than SM2, which prove
	// nothing here about anybody.
	NotSigned = "not-signed"
	// Unreadable: the file is no OFD package, is damaged, or breaks a bound that
	// protects its readers.
	Unreadable = "unreadable"
)

// Report is what was found out about a file.
type Report struct {
	// Verdict judges the file as of when it was signed.
	Verdict string `json:"verdict"`
	// VerdictNow judges it as of now: GenuineUntrusted for a genuine file of which
	// a certificate or a seal has run out or was revoked since; empty if the time
	// now was not given.
	VerdictNow string      `json:"verdictNow,omitempty"`
	Checks     []Check     `json:"checks"`
	Uncovered  []string    `json:"uncovered"` // files no signature protects
	Altered    []string    `json:"altered"`   // files that are not what was signed
	Signatures []Signature `json:"signatures"`
	DocID      string      `json:"docId,omitempty"`
	Title      string      `json:"title,omitempty"`
	Metadata   []Pair      `json:"metadata"`
}

// Check is one step and how it came out, of the file or of one of its signatures.
type Check struct {
	seal.Check
	Signature string `json:"signature,omitempty"` // ID of the signature checked
}

// Signature is what a file's signature says.
type Signature struct {
	ID       string `json:"id"`
	Type     string `json:"type"` // Seal or Sign
	SealID   string `json:"sealId,omitempty"`
	SealName string `json:"sealName,omitempty"`
	Unit     string `json:"unit,omitempty"`   // organization of the signer's certificate
	Signer   string `json:"signer,omitempty"` // its subject
	Serial   string `json:"serial,omitempty"` // its serial number
	// Time is what the signer claims, Stamped what a trusted time authority
	// confirmed.
	Time          time.Time `json:"time,omitzero"`
	Stamped       time.Time `json:"stamped,omitzero"`
	TimeAuthority string    `json:"timeAuthority,omitempty"` // subject of its certificate, trusted or not
	Version       int       `json:"version,omitempty"`       // of the seal: 1, 4 or 5
	Whole         bool      `json:"whole"`                   // protects every file but its own two
	Uncovered     []string  `json:"uncovered,omitempty"`
}

// Options are what a judgement rests on.
type Options struct {
	gm.Trust           // without a root the best verdict is GenuineUntrusted
	Now      time.Time // zero: times are not compared with now
}

// Judge finds out whether a file is genuine. It never fails: a file that can't
// be read has a verdict too.
func Judge(file []byte, o Options) Report {
	f, err := ofd.Open(file)
	if err != nil {
		return unreadable(err)
	}
	b := f.Bodies[0]
	r := Report{DocID: b.ID, Title: b.Title, Metadata: b.Custom}
	r.add("package", seal.Pass, "", "文件包完整、可读。", "The package is complete and can be read.")
	res, err := seal.Verify(f, seal.Options{Trust: o.Trust, Now: o.Now})
	if err != nil {
		r.Verdict = Altered
		r.Altered = []string{fileOf(err)}
		if errors.Is(err, ofd.ErrMissing) { // either file may have been tampered with
			r.Altered = append(r.Altered, "OFD.xml")
		}
		r.add("signatures", seal.Fail, fileOf(err), "签名列表缺失、为空或已损坏。", "The list of signatures is missing, empty or damaged.")
		return r.filled(o)
	}
	if len(res.Signatures) == 0 {
		r.Verdict = NotSigned
		r.add("signatures", seal.Fail, "", "文件没有电子签章。", "The file has no electronic seal.")
		return r.filled(o)
	}
	r.add("signatures", seal.Pass, "", fmt.Sprintf("文件有 %d 个签名。", len(res.Signatures)), fmt.Sprintf("Signatures in the file: %d.", len(res.Signatures)))
	bad := map[seal.Kind]int{}
	for i := range res.Signatures {
		s := &res.Signatures[i]
		r.Signatures = append(r.Signatures, signatureOf(s))
		failed := map[seal.Kind]bool{}
		for _, c := range s.Checks {
			r.Checks = append(r.Checks, Check{c, s.ID})
			failed[c.Kind] = failed[c.Kind] || !c.OK()
		}
		for kind, f := range failed {
			if f {
				bad[kind]++
			}
		}
	}
	for _, c := range res.Checks {
		r.Checks = append(r.Checks, Check{Check: c})
		if !c.OK() {
			bad[seal.Integrity]++
		}
	}
	data := agreement(f)
	r.Checks = append(r.Checks, Check{Check: data})
	if !data.OK() {
		bad[seal.Trust]++
	}
	r.Uncovered = res.Uncovered
	r.Altered = alteredFiles(res)
	switch {
	case bad[seal.Integrity] > 0:
		r.Verdict = Altered
	case bad[seal.Unverifiable] == len(res.Signatures):
		r.Verdict = NotSigned
	case bad[seal.Trust]+bad[seal.Unverifiable] > 0:
		r.Verdict = GenuineUntrusted
	default:
		r.Verdict = Genuine
	}
	return r.filled(o)
}

func (r *Report) add(name string, state seal.State, file, zh, en string) {
	r.Checks = append(r.Checks, Check{Check: seal.Check{Name: name, State: state, Reason: zh, ReasonEn: en, File: file}})
}

// filled judges as of now and gives every list a value, so that JSON has [] and
// never null.
func (r Report) filled(o Options) Report {
	if !o.Now.IsZero() {
		r.VerdictNow = r.Verdict
		if r.Verdict == Genuine && slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Kind == seal.Later }) {
			r.VerdictNow = GenuineUntrusted
		}
	}
	r.Signatures = append([]Signature{}, r.Signatures...)
	r.Uncovered, r.Altered = append([]string{}, r.Uncovered...), append([]string{}, r.Altered...)
	r.Metadata = append([]Pair{}, r.Metadata...)
	return r
}

// alteredFiles lists the files that checks of integrity found at fault.
func alteredFiles(res *seal.Result) []string {
	var files []string
	for i := range res.Signatures {
		for _, c := range res.Signatures[i].Checks {
			if !c.OK() && c.Kind == seal.Integrity && c.File != "" {
				files = append(files, c.File)
			}
		}
	}
	for _, c := range res.Checks {
		if !c.OK() && c.File != "" {
			files = append(files, c.File)
		}
	}
	files = append(files, res.Uncovered...)
	slices.Sort(files)
	return slices.Compact(files)
}

func signatureOf(s *seal.Signature) Signature {
	out := Signature{ID: s.ID, Type: s.Type, Time: s.Time, Stamped: s.Stamped, Version: s.Version, Whole: s.Whole(), Uncovered: s.Uncovered}
	if s.TimeAuthority != nil {
		out.TimeAuthority = s.TimeAuthority.Subject()
	}
	if s.Seal != nil {
		out.SealID, out.SealName = s.Seal.ID, s.Seal.Name
	}
	if s.Cert != nil {
		out.Unit, out.Signer, out.Serial = s.Cert.Organization(), s.Cert.Subject(), s.Cert.Serial()
	}
	return out
}

// openReasons are the sentences for what keeps a file from being read.
var openReasons = []struct {
	err    error
	zh, en string
}{
	{ofd.ErrNotPackage, "文件不是 OFD 文件。", "The file is not an OFD file."},
	{ofd.ErrSurplus, "文件包的条目之外夹带了其他内容，不予读取。", "The package carries something besides its entries."},
	{ofd.ErrTooLarge, "文件过大或结构过于复杂，不予读取。", "The file is too large or too complicated."},
	{ofd.ErrName, "文件包内有不允许的文件名或路径。", "The package has a name or path that is not allowed."},
	{ofd.ErrDuplicate, "文件包内有同名文件，不予读取。", "The package has two files of one name."},
	{ofd.ErrXML, "文件包内的 XML 不合规。", "The package has XML that is not well-formed."},
	{ofd.ErrMissing, "文件包内缺少必需的文件。", "The package lacks a file it needs."},
	{ofd.ErrDamaged, "文件已损坏。", "The file is damaged."},
}

func unreadable(err error) Report {
	zh, en := "文件无法读取。", "The file can't be read."
	for _, r := range openReasons {
		if errors.Is(err, r.err) {
			zh, en = r.zh, r.en
			break
		}
	}
	r := Report{Verdict: Unreadable}
	r.add("package", seal.Fail, fileOf(err), zh, en)
	return r.filled(Options{})
}

func fileOf(err error) string {
	var fe *ofd.FileError
	if errors.As(err, &fe) {
		return fe.Name
	}
	return ""
}

// Picture draws the pages of a file as SVG, with the seals of those signatures
// that hold: an altered file must not show a seal it no longer has. Errors wrap
// those of package ofd.
func Picture(file []byte) ([][]byte, error) {
	pages, _, err := pagesOf(file)
	if err != nil {
		return nil, err
	}
	return drawAll(pages), nil
}

// maxStamps bounds the seals drawn on all pages together.
const maxStamps = 500

func holds(s *seal.Signature) bool {
	return !slices.ContainsFunc(s.Checks, func(c seal.Check) bool { return !c.OK() && c.Kind == seal.Integrity })
}

// stamp draws a signature's seal where it says. A picture that can't be drawn
// is left out.
func stamp(pages []ofd.Page, s *seal.Signature, places []seal.Placed) {
	for _, p := range places {
		i := slices.IndexFunc(pages, func(page ofd.Page) bool { return page.ID == p.PageID })
		if i < 0 {
			continue
		}
		_ = s.Seal.Stamp(pages[i].Sheet, p.Box) // leaves the page as it is when it fails
	}
}

// Fields returns the values of a file's fields as its pages show them, in the
// order of its tags. Errors wrap those of package ofd.
func Fields(file []byte) ([]Pair, error) {
	f, err := ofd.Open(file)
	if err != nil {
		return nil, err
	}
	return f.Tags()
}
