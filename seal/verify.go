package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"elicense/gm"
	"elicense/ofd"
)

// Kind says what a failed check means.
type Kind int

const (
	// Integrity: the package is not what was signed.
	Integrity Kind = iota
	// Trust: it is what was signed, but the signature is not one to rely on.
	Trust
	// Unverifiable: there is no certificate to check the signature with.
	Unverifiable
)

// Check is one step of the verification and how it came out.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason"`         // a sentence in Chinese
	File   string `json:"file,omitempty"` // at fault
	Kind   Kind   `json:"-"`
}

// Signature is a signature of a package as it was verified.
type Signature struct {
	ID       string // in the list of signatures
	File     string // its Signature.xml
	Type     string // Seal or Sign
	Version  int    // of the seal; 0 without one
	Seal     *Seal  // nil if it has none or it can't be read
	Cert     *gm.Certificate
	Time     time.Time // claimed by the signer; zero if none
	Provider string
	Stamps   []Placed
	Checks   []Check

	covered map[string]bool
	own     []string // its files that it can't cover
	unknown bool     // what it protects, for Signature.xml is not what was signed or can't be read
	// Uncovered are the files it does not protect, its own apart.
	Uncovered []string
}

// Placed is the picture of a seal on a page.
type Placed struct {
	PageID string
	Box    Box
}

// Whole tells whether the signature protects every file but its own two.
func (s *Signature) Whole() bool { return len(s.Uncovered) == 0 }

// Options are what a verification rests on.
type Options struct {
	gm.Trust           // without a root no signature is trusted
	Now      time.Time // zero: times are not compared with now
}

// Result is what was found out about the signatures of a package.
type Result struct {
	Signatures []Signature
	// Checks are those of the package as a whole.
	Checks []Check
	// Uncovered are the files no signature protects, those of signatures apart.
	Uncovered []string
}

// Bounds on the work a package can ask for.
const (
	maxSignatures = 64
	maxStamps     = 500 // of one signature; a seal across the edges of pages has one a page
)

// clockSkew is how far a signer's clock may be ahead.
const clockSkew = 5 * time.Minute

// errEmptyList says that a document names a list of signatures without any.
var errEmptyList = errors.New("the list of signatures is empty")

// Verify checks every signature of a package (GB/T 38540-2020 clause 8) and that
// they protect all of it. Time stamps and revocation are not looked at. An error
// means that the list of signatures can't be read; it is a *ofd.FileError.
func Verify(f *ofd.File, o Options) (*Result, error) {
	res := new(Result)
	v := &verifier{f: f, o: o}
	lists := map[string]bool{}
	for _, b := range f.Bodies {
		if b.Signatures == "" || lists[b.Signatures] {
			continue
		}
		lists[b.Signatures] = true
		list, err := f.XML(b.Signatures)
		if err != nil {
			return nil, err
		}
		signatures := list.All("Signature")
		if len(signatures) == 0 {
			return nil, &ofd.FileError{Name: b.Signatures, Err: errEmptyList}
		}
		for _, e := range signatures {
			if len(res.Signatures) == maxSignatures {
				return nil, &ofd.FileError{Name: b.Signatures, Err: ofd.ErrTooLarge}
			}
			res.Signatures = append(res.Signatures, v.signature(b.Signatures, e))
		}
	}
	if len(res.Signatures) > 0 {
		res.coverage(f, lists)
	}
	return res, nil
}

// coverage finds the files that signatures leave out. A list of signatures may
// be left out, so that others can sign later, and so may the files of the later
// ones (GB/T 33190-2016 18.1); nothing else may.
func (r *Result) coverage(f *ofd.File, lists map[string]bool) {
	own := map[string]bool{}
	for i := range r.Signatures {
		for _, name := range r.Signatures[i].own {
			own[name] = true
		}
	}
	whole := false
	for i := range r.Signatures {
		s := &r.Signatures[i]
		later := map[string]bool{}
		for k := i + 1; k < len(r.Signatures); k++ {
			for _, name := range r.Signatures[k].own {
				later[name] = true
			}
			if n := r.Signatures[k].sealFile(f); n != "" {
				later[n] = true
			}
		}
		enough := true
		for _, e := range f.Entries {
			if s.covered[e.Name] || slices.Contains(s.own, e.Name) {
				continue
			}
			s.Uncovered = append(s.Uncovered, e.Name)
			enough = enough && (lists[e.Name] || later[e.Name])
		}
		whole = whole || enough
	}
	for _, e := range f.Entries {
		covered := lists[e.Name] || own[e.Name]
		for i := range r.Signatures {
			covered = covered || r.Signatures[i].covered[e.Name]
		}
		if !covered {
			r.Uncovered = append(r.Uncovered, e.Name)
		}
	}
	if slices.ContainsFunc(r.Signatures, func(s Signature) bool { return s.unknown }) {
		return
	}
	c := Check{Name: "coverage", OK: whole && len(r.Uncovered) == 0, Reason: "签名覆盖了文件包内的全部文件。"}
	if !c.OK {
		c.Reason = "文件包内有文件不受任何签名保护，可能是签名后加入的。"
		if len(r.Uncovered) > 0 {
			c.File = r.Uncovered[0]
			c.Reason = fmt.Sprintf("以下文件不受任何签名保护，可能是签名后加入的：%s。", strings.Join(r.Uncovered, "、"))
		}
	}
	r.Checks = append(r.Checks, c)
}

// verifier checks the signatures of one package.
type verifier struct {
	f     *ofd.File
	o     Options
	pages []ofd.PageBox
}

// signature checks one entry of a list.
func (v *verifier) signature(list string, e *ofd.Element) Signature {
	s := Signature{ID: e.Attr("ID"), Type: e.Attr("Type"), covered: map[string]bool{}}
	if s.Type == "" {
		s.Type = "Seal"
	}
	name, err := ofd.Resolve(list, e.Attr("BaseLoc"))
	if err != nil {
		s.unknown = true
		s.fail("structure", Integrity, list, "签名列表中的路径不合规。")
		return s
	}
	s.File = name
	s.own = append(s.own, name)
	xml, err := v.f.XML(name)
	if errors.Is(err, ofd.ErrMissing) {
		s.missing("structure", name, list)
		return s
	}
	if err != nil {
		s.unknown = true
		s.fail("structure", Integrity, name, "签名文件不是合规的 XML。")
		return s
	}
	info := xml.Child("SignedInfo")
	s.Provider = info.Child("Provider").Attr("ProviderName")
	v.signedValue(&s, xml)
	// What a Signature.xml says that nobody signed would only accuse files that
	// are as they were.
	if !s.unknown {
		v.references(&s, info.All("References"))
		v.stamps(&s, info.All("StampAnnot"))
	}
	return s
}

// missing notes that a file is not there which another one points to: either may
// have been tampered with.
func (s *Signature) missing(check, name, from string) {
	s.unknown = true
	s.fail(check, Integrity, name, fmt.Sprintf("%s 指向的文件 %s 不存在。", from, name))
	s.fail(check, Integrity, from, fmt.Sprintf("%s 指向不存在的文件。", from))
}

func (s *Signature) add(name string, kind Kind, ok bool, file, good, bad string) {
	c := Check{Name: name, OK: ok, Kind: kind, Reason: good}
	if !ok {
		c.Reason, c.File = bad, file
	}
	s.Checks = append(s.Checks, c)
}

func (s *Signature) fail(name string, kind Kind, file, reason string) {
	s.add(name, kind, false, file, "", reason)
}

// isSM3 tells whether a CheckMethod means SM3. The default, MD5, and SHA1 are
// refused: files that match can be made for them.
func isSM3(method string) bool {
	switch strings.ToLower(method) {
	case oidSM3, oidSM3 + ".1", oidSM3 + ".2", "sm3":
		return true
	}
	return false
}

// references compares the digests of files with those in Signature.xml.
func (v *verifier) references(s *Signature, groups []*ofd.Element) {
	n, good := 0, true
	for _, g := range groups {
		if !isSM3(g.Attr("CheckMethod")) {
			s.fail("digestMethod", Integrity, s.File, "签名使用的摘要算法不是 SM3，不予认可。")
			return
		}
		for _, r := range g.All("Reference") {
			if n++; n > ofd.MaxEntries {
				s.fail("references", Integrity, s.File, "签名引用的文件过多，不予核验。")
				return
			}
			if !v.reference(s, r) {
				good = false
			}
		}
	}
	if n == 0 {
		s.fail("references", Integrity, s.File, "签名没有保护任何文件。")
	} else if good {
		s.add("references", Integrity, true, "", fmt.Sprintf("受保护的 %d 个文件与签名时一致。", n), "")
	}
}

func (v *verifier) reference(s *Signature, r *ofd.Element) bool {
	loc := r.Attr("FileRef")
	name, err := ofd.Resolve(s.File, loc)
	if err != nil {
		s.fail("references", Integrity, s.File, "签名文件中的引用路径不合规。")
		return false
	}
	entry := v.f.Find(name)
	if entry == nil {
		s.fail("references", Integrity, name, fmt.Sprintf("受签名保护的文件 %s 已被删除。", name))
		return false
	}
	s.covered[name] = true
	want, err := base64.StdEncoding.DecodeString(r.Child("CheckValue").Value())
	sum := entry.Digest(gm.Sum)
	if err != nil || !bytes.Equal(want, sum[:]) {
		s.fail("references", Integrity, name, fmt.Sprintf("文件 %s 在签名后被改动。", name))
		return false
	}
	return true
}

// signedValue checks the signature itself, its seal and its certificates.
func (v *verifier) signedValue(s *Signature, xml *ofd.Element) {
	name, err := ofd.Resolve(s.File, xml.Child("SignedValue").Value())
	if err != nil {
		s.unknown = true
		s.fail("signedValue", Integrity, s.File, "签名文件没有指明签名值。")
		return
	}
	s.own = append(s.own, name)
	entry := v.f.Find(name)
	if entry == nil {
		s.missing("signedValue", name, s.File)
		return
	}
	parse := parseSealValue
	if s.Type == "Sign" {
		parse = parsePlainValue
	}
	val, err := parse(entry.Data)
	if errors.Is(err, errNoCertificate) {
		s.fail("certificate", Unverifiable, name, "签名值内没有证书，无法验证是谁签的。")
		return
	}
	if err != nil {
		s.fail("signedValue", Integrity, name, "签名值已损坏或不是合规的电子签章数据。")
		return
	}
	s.Seal, s.Cert, s.Time, s.Version = val.seal, val.cert, val.time, val.version
	if !val.holds() {
		s.fail("signature", Integrity, name, "签名值不成立：签名后被改动，或不是证书所有者所签。")
		return
	}
	s.add("signature", Integrity, true, "", "签名值由证书对应的密钥作出。", "")
	sum := gm.Sum(v.f.Find(s.File).Data)
	s.unknown = !bytes.Equal(val.hash, sum[:])
	s.add("signedFile", Integrity, !s.unknown, s.File,
		"签名文件与签名时一致。", fmt.Sprintf("%s 不是当时所签的文件，签名后被改动。", s.File))
	if val.seal != nil {
		v.sealOf(s, val, name, xml.Child("SignedInfo").Child("Seal").Child("BaseLoc").Value())
	}
	v.trust(s, val, name)
}

// sealOf checks the seal used.
func (v *verifier) sealOf(s *Signature, val *value, name, loc string) {
	path := strings.TrimPrefix(val.property, "/")
	s.add("signedPath", Integrity, path == s.File, s.File,
		"签章指明了所保护的签名文件。", "签章指明的签名文件不是本文件，签章可能是从别处移来的。")
	s.add("version", Integrity, val.version == val.seal.Version, name,
		"签章与印章的版本一致。", "签章与印章的版本不一致。")
	if loc != "" {
		file, err := ofd.Resolve(s.File, loc)
		entry := v.f.Find(file)
		s.add("sealFile", Integrity, err == nil && entry != nil && bytes.Equal(entry.Data, val.sealDER), file,
			"印章文件与签章内的印章一致。", "印章文件与签章内的印章不一致。")
	}
	s.add("sealSignature", Integrity, val.seal.Genuine(), name,
		"印章由其制章人签名。", "印章的制章人签名不成立，印章不是原来的印章。")
}

// trust checks whose the certificates are and whether they and the seal were
// valid when they were used.
func (v *verifier) trust(s *Signature, val *value, name string) {
	when := val.time
	if when.IsZero() {
		s.fail("time", Trust, name, "签名没有写明时间，无法判断证书当时是否有效。")
		when = v.o.Now
	} else {
		s.add("time", Trust, v.o.Now.IsZero() || !when.After(v.o.Now.Add(clockSkew)), name,
			"签名时间不晚于现在。", "签名时间晚于现在。")
	}
	if sl := val.seal; sl != nil {
		s.add("authorized", Integrity, sl.Authorizes(val.cert), name,
			"签章人在印章列明的用章人之中。", "签章人不在印章列明的用章人之中。")
		s.add("sealTerm", Trust, sl.ValidAt(when), name,
			"印章在签章时有效。", "签章时不在印章的有效期内。")
		_, err := v.o.Trust.Check(sl.Maker, sl.Created, gm.UsageSign)
		s.add("makerCertificate", Trust, err == nil, name, "制章人证书可信。", "制章人证书不可信："+chainReason(err))
	}
	_, err := v.o.Trust.Check(val.cert, when, gm.UsageSign)
	s.add("signerCertificate", Trust, err == nil, name, "签章人证书可信。", "签章人证书不可信："+chainReason(err))
}

func chainReason(err error) string {
	switch {
	case errors.Is(err, gm.ErrMalformed):
		return "证书格式不规范。"
	case errors.Is(err, gm.ErrUnknownRoot):
		return "证书链不通向受信任的根证书。"
	case errors.Is(err, gm.ErrNotYetValid):
		return "当时证书尚未生效。"
	case errors.Is(err, gm.ErrExpired):
		return "当时证书已过期。"
	case errors.Is(err, gm.ErrUsage):
		return "证书的密钥用途不允许签章。"
	}
	return "证书链无效。"
}

// stamps checks that each picture stands on a page of the document.
func (v *verifier) stamps(s *Signature, stamps []*ofd.Element) {
	if len(stamps) == 0 {
		return
	}
	if v.pages == nil {
		pages, err := v.f.PageBoxes()
		if err != nil {
			at := s.File
			if fe := (*ofd.FileError)(nil); errors.As(err, &fe) {
				at = fe.Name
			}
			s.fail("stamp", Integrity, at, "文档的页面无法读取。")
			return
		}
		v.pages = pages
	}
	good := len(stamps) <= maxStamps
	for _, e := range stamps[:min(len(stamps), maxStamps)] {
		box, ok := parseBox(e.Attr("Boundary"))
		page := slices.IndexFunc(v.pages, func(p ofd.PageBox) bool { return p.ID == e.Attr("PageRef") })
		if !ok || page < 0 {
			good = false
			continue
		}
		// Pages may be larger than the document's own size says: only what begins
		// off the page is wrong for certain.
		if box.X < -0.1 || box.Y < -0.1 || box.W <= 0 || box.H <= 0 {
			good = false
		}
		s.Stamps = append(s.Stamps, Placed{v.pages[page].ID, box})
	}
	s.add("stamp", Trust, good, s.File, "印章图形位于文档页面之内。", "印章图形过多、所在的页面不存在，或位置在页面之外。")
}

func parseBox(text string) (Box, bool) {
	fields := strings.Fields(text)
	if len(fields) != 4 {
		return Box{}, false
	}
	var n [4]float64
	for i, f := range fields {
		v, err := strconv.ParseFloat(f, 64)
		if err != nil || v != v || v > 1e4 || v < -1e4 {
			return Box{}, false
		}
		n[i] = v
	}
	return Box{n[0], n[1], n[2], n[3]}, true
}

// sealFile returns the name of the seal's own file, "" if there is none.
func (s *Signature) sealFile(f *ofd.File) string {
	xml, err := f.XML(s.File)
	if err != nil {
		return ""
	}
	name, err := ofd.Resolve(s.File, xml.Child("SignedInfo").Child("Seal").Child("BaseLoc").Value())
	if err != nil {
		return ""
	}
	return name
}
