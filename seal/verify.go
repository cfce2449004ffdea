package seal

import (
	"bytes"
	"cmp"
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

// Signature is a signature of a package as it was verified.
type Signature struct {
	ID      string // in the list of signatures
	File    string // its Signature.xml
	Type    string // Seal or Sign
	Version int    // of the seal; 0 without one
	Seal    *Seal  // nil if it has none or it can't be read
	Cert    *gm.Certificate
	Time    time.Time // claimed by the signer; zero if none
	// Stamped is the time a trusted time authority confirmed; zero if none did.
	Stamped       time.Time
	TimeAuthority *gm.Certificate // nil without a time stamp that says
	Provider      string
	Stamps        []Placed
	Checks        Checks

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
	Checks Checks
	// Uncovered are the files no signature protects, those of signatures apart.
	Uncovered []string
}

// Bounds on the work a package can ask for.
const (
	maxSignatures = 64
	maxStamps     = 500 // of one signature; a seal across the edges of pages has one a page
)

// offPage is how far a picture may stand off its page, in mm.
const offPage = 0.1

// clockSkew is how far a signer's clock may be ahead.
const clockSkew = 5 * time.Minute

// errEmptyList says that a document names a list of signatures without any.
var errEmptyList = errors.New("the list of signatures is empty")

// Verify checks every signature of a package (GB/T 38540-2020 clause 8) and that
// they protect all of it. An error means that the list of signatures can't be
// read; it is a *ofd.FileError.
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
		res.list(f, lists)
		res.coverage(f, lists)
	}
	for i := range res.Signatures {
		res.Signatures[i].Checks.complete()
	}
	return res, nil
}

// list checks that the list of signatures is what signers left: each one once, in
// the order of signing, and none dropped.
func (r *Result) list(f *ofd.File, lists map[string]bool) {
	const name = "signatureList"
	file := "" // the first list; real files have one
	for _, b := range f.Bodies {
		file = cmp.Or(file, b.Signatures)
	}
	listed := map[string]bool{}
	for i := range r.Signatures {
		s := &r.Signatures[i]
		if s.File != "" && listed[s.File] {
			r.Checks.fail(name, Integrity, file, say{"签名列表中有重复的签名。", "The list of signatures names one twice."})
			return
		}
		listed[s.File] = true
		for k := i + 1; k < len(r.Signatures); k++ {
			if s.covered[r.Signatures[k].File] {
				r.Checks.fail(name, Integrity, file, say{"签名列表的顺序与签名的先后不符。", "The list of signatures is not in the order they were made."})
				return
			}
		}
	}
	for _, e := range f.Entries {
		if !listed[e.Name] && !lists[e.Name] && isSignature(e) {
			r.Checks.fail(name, Integrity, file, say{
				fmt.Sprintf("签名 %s 不在签名列表中，可能被去掉了。", e.Name), fmt.Sprintf("The signature %s is not in the list of signatures; it may have been dropped.", e.Name)})
			return
		}
	}
	r.Checks.pass(name, say{
		fmt.Sprintf("签名列表与文件包内的 %d 个签名一致。", len(r.Signatures)), fmt.Sprintf("The list agrees with the signatures in the package (%d).", len(r.Signatures))})
}

// isSignature tells whether an entry is a Signature.xml, whatever its name, by
// its first element. Nobody can change that of a signature that covers others.
func isSignature(e ofd.Entry) bool {
	if !bytes.Contains(e.Data, []byte("SignedInfo")) {
		return false
	}
	rest := e.Data
	for {
		i := bytes.IndexByte(rest, '<')
		if i < 0 || i+1 == len(rest) {
			return false
		}
		if rest = rest[i+1:]; rest[0] == '?' || rest[0] == '!' {
			continue
		}
		name := rest[:max(0, bytes.IndexAny(rest, " \t\r\n/>"))]
		return bytes.Equal(name[bytes.IndexByte(name, ':')+1:], []byte("Signature"))
	}
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
		if !s.unknown {
			s.covers(enough)
		}
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
	const name = "coverage"
	switch {
	case slices.ContainsFunc(r.Signatures, func(s Signature) bool { return s.unknown }):
		r.Uncovered = nil
		r.Checks.na(name, say{"有签名没有通过检查，无法判断它保护哪些文件。", "A signature failed, so that it can't be told which files it protects."})
	case len(r.Uncovered) > 0:
		files := strings.Join(r.Uncovered, "、")
		r.Checks.fail(name, Integrity, r.Uncovered[0], say{
			fmt.Sprintf("以下文件不受任何签名保护，可能是签名后加入的：%s。", files),
			fmt.Sprintf("No signature protects these files, which may have been added afterwards: %s.", strings.Join(r.Uncovered, ", "))})
	case !whole:
		r.Checks.fail(name, Integrity, "", say{"没有一个签名保护整个文件。", "There is no signature that protects the whole file."})
	default:
		r.Checks.pass(name, say{"签名覆盖了文件包内的全部文件。", "The signatures cover every file in the package."})
	}
}

// covers says how much a signature protects by itself.
func (s *Signature) covers(enough bool) {
	switch {
	case s.Whole():
		s.Checks.pass(cCovers, say{"这个签名保护文件包内的全部文件。", "This signature protects every file in the package."})
	case enough:
		s.Checks.note(cCovers, "", say{
			"这个签名允许后续追加签名，没有保护签名列表和后来的签名。",
			"This signature allows others to be added: it does not protect the list of signatures and those made later."})
	default:
		s.Checks.note(cCovers, s.Uncovered[0], say{
			fmt.Sprintf("这个签名没有保护 %d 个文件。", len(s.Uncovered)), fmt.Sprintf("This signature leaves out %d files.", len(s.Uncovered))})
	}
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
		s.Checks.fail(cStructure, Integrity, list, say{"签名列表中的路径不合规。", "The list of signatures holds a path that is not allowed."})
		return s
	}
	s.File = name
	s.own = append(s.own, name)
	xml, err := v.f.XML(name)
	if errors.Is(err, ofd.ErrMissing) {
		s.missing(cStructure, name, list)
		return s
	}
	if err != nil {
		s.unknown = true
		s.Checks.fail(cStructure, Integrity, name, say{"签名文件不是合规的 XML。", "The signature's file is not well-formed XML."})
		return s
	}
	s.Checks.pass(cStructure, say{"签名文件格式合规。", "The signature's file is well-formed."})
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
	s.Checks.fail(check, Integrity, name, say{
		fmt.Sprintf("%s 指向的文件 %s 不存在。", from, name), fmt.Sprintf("%s points to the file %s, which does not exist.", from, name)})
	s.Checks.fail(check, Integrity, from, say{fmt.Sprintf("%s 指向不存在的文件。", from), fmt.Sprintf("%s points to a file that does not exist.", from)})
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
	for _, g := range groups {
		if !isSM3(g.Attr("CheckMethod")) {
			s.Checks.fail(cDigestMethod, Integrity, s.File, say{"签名使用的摘要算法不是 SM3，不予认可。", "The signature's digests are not SM3, which is not accepted."})
			return
		}
	}
	s.Checks.pass(cDigestMethod, say{"文件摘要使用 SM3 算法。", "The digests of files are SM3."})
	n, good := 0, true
	for _, g := range groups {
		for _, r := range g.All("Reference") {
			if n++; n > ofd.MaxEntries {
				s.Checks.fail(cReferences, Integrity, s.File, say{"签名引用的文件过多，不予核验。", "The signature names too many files."})
				return
			}
			if !v.reference(s, r) {
				good = false
			}
		}
	}
	if n == 0 {
		s.Checks.fail(cReferences, Integrity, s.File, say{"签名没有保护任何文件。", "The signature protects no file."})
	} else if good {
		s.Checks.pass(cReferences, say{fmt.Sprintf("受保护的 %d 个文件与签名时一致。", n), fmt.Sprintf("The %d protected files are as they were signed.", n)})
	}
}

func (v *verifier) reference(s *Signature, r *ofd.Element) bool {
	loc := r.Attr("FileRef")
	name, err := ofd.Resolve(s.File, loc)
	if err != nil {
		s.Checks.fail(cReferences, Integrity, s.File, say{"签名文件中的引用路径不合规。", "The signature names a path that is not allowed."})
		return false
	}
	entry := v.f.Find(name)
	if entry == nil {
		s.Checks.fail(cReferences, Integrity, name, say{
			fmt.Sprintf("受签名保护的文件 %s 已被删除。", name), fmt.Sprintf("The file %s, which was signed, has been removed.", name)})
		return false
	}
	s.covered[name] = true
	want, err := base64.StdEncoding.DecodeString(r.Child("CheckValue").Value())
	sum := entry.Digest(gm.Sum)
	if err != nil || !bytes.Equal(want, sum[:]) {
		s.Checks.fail(cReferences, Integrity, name, say{
			fmt.Sprintf("文件 %s 在签名后被改动。", name), fmt.Sprintf("The file %s was changed after it was signed.", name)})
		return false
	}
	return true
}

// signedValue checks the signature itself, its seal and its certificates.
func (v *verifier) signedValue(s *Signature, xml *ofd.Element) {
	name, err := ofd.Resolve(s.File, xml.Child("SignedValue").Value())
	if err != nil {
		s.unknown = true
		s.Checks.fail(cSignedValue, Integrity, s.File, say{"签名文件没有指明签名值。", "The signature's file does not say where its value is."})
		return
	}
	s.own = append(s.own, name)
	entry := v.f.Find(name)
	if entry == nil {
		s.missing(cSignedValue, name, s.File)
		return
	}
	parse := parseSealValue
	if s.Type == "Sign" {
		parse = parsePlainValue
	}
	val, err := parse(entry.Data, v.o.Cache)
	switch {
	case errors.Is(err, errNoCertificate):
		s.Checks.fail(cCertificate, Unverifiable, name, say{"签名值内没有证书，无法验证是谁签的。", "The signature holds no certificate; it can't be told who made it."})
		return
	case errors.Is(err, gm.ErrNotSM2):
		s.Checks.fail(cAlgorithm, Unverifiable, name, say{"签名或印章的证书不是 SM2 证书，不予核验。", "A certificate of the signature is not of an SM2 key; it can't be verified."})
		return
	case err != nil:
		s.Checks.fail(cSignedValue, Integrity, name, say{"签名值已损坏或不是合规的电子签章数据。", "The signature value is damaged or not of the standard's form."})
		return
	}
	s.Checks.pass(cSignedValue, say{"签名值格式合规。", "The signature value is well-formed."})
	s.Checks.pass(cCertificate, say{"签名值内有签名人的证书。", "The signature holds its signer's certificate."})
	s.Seal, s.Cert, s.Time, s.Version = val.seal, val.cert, val.time, val.version
	if !val.known() {
		s.Checks.fail(cAlgorithm, Integrity, name, say{"签名算法标识与 SM2 证书不符。", "The signature's algorithm is not that of its SM2 certificate."})
		return
	}
	s.Checks.pass(cAlgorithm, say{"签名算法与证书一致，为 SM2 和 SM3。", "The algorithm agrees with the certificate: SM2 with SM3."})
	if !val.holds() {
		s.Checks.fail(cSignature, Integrity, name, say{
			"签名值不成立：签名后被改动，或不是证书所有者所签。", "The signature does not hold: it was changed, or not made by the owner of the certificate."})
		return
	}
	s.Checks.pass(cSignature, say{"签名值由证书对应的密钥作出。", "The signature was made with the key of the certificate."})
	sum := gm.Sum(v.f.Find(s.File).Data)
	s.unknown = !bytes.Equal(val.hash, sum[:])
	s.Checks.either(cSignedFile, Integrity, !s.unknown, s.File,
		say{"签名文件与签名时一致。", "The signature's file is the one that was signed."},
		say{fmt.Sprintf("%s 不是当时所签的文件，签名后被改动。", s.File), fmt.Sprintf("%s is not what was signed; it was changed afterwards.", s.File)})
	if val.seal != nil {
		v.sealOf(s, val, name, xml.Child("SignedInfo").Child("Seal").Child("BaseLoc").Value())
	} else {
		for _, c := range []string{cSignedPath, cVersion, cExtensions, cSealFile, cSealSignature, cSealTimeStamp, cMakerCertificate, cMakerRevocation, cSealTerm, cAuthorized, cSealNow} {
			s.Checks.na(c, say{"这是不带印章的数字签名，没有这一项。", "This is a digital signature without a seal."})
		}
	}
	v.trust(s, val, name)
}

// sealOf checks the seal used.
func (v *verifier) sealOf(s *Signature, val *value, name, loc string) {
	path := strings.TrimPrefix(val.property, "/")
	s.Checks.either(cSignedPath, Integrity, path == s.File, s.File,
		say{"签章指明了所保护的签名文件。", "The seal signature names the file it protects."},
		say{"签章指明的签名文件不是本文件，签章可能是从别处移来的。", "The seal signature names another file; it may have been taken from elsewhere."})
	s.Checks.either(cVersion, Integrity, val.version == val.seal.Version, name,
		say{fmt.Sprintf("签章与印章的版本一致，为第 %d 版。", val.version), fmt.Sprintf("Signature and seal are of the same version, %d.", val.version)},
		say{"签章与印章的版本不一致。", "Signature and seal are of different versions."})
	checkExtensions(&s.Checks, append(val.seal.Extensions[:len(val.seal.Extensions):len(val.seal.Extensions)], val.extensions...), name)
	if loc == "" {
		s.Checks.na(cSealFile, say{"文件包内没有单独的印章文件。", "The package has no file of the seal by itself."})
	} else {
		file, err := ofd.Resolve(s.File, loc)
		entry := v.f.Find(file)
		s.Checks.either(cSealFile, Integrity, err == nil && entry != nil && bytes.Equal(entry.Data, val.sealDER), file,
			say{"印章文件与签章内的印章一致。", "The seal's file is the seal in the signature."},
			say{"印章文件与签章内的印章不一致。", "The seal's file is not the seal in the signature."})
	}
	checkMaker(&s.Checks, val.seal, name, v.o.Cache)
}

// checkExtensions looks for additions that a reader must know.
func checkExtensions(l *Checks, list []Extension, name string) {
	if len(list) == 0 {
		l.na(cExtensions, say{"没有扩展数据。", "There are no extensions."})
		return
	}
	critical := slices.IndexFunc(list, func(e Extension) bool { return e.Critical })
	if critical >= 0 {
		l.fail(cExtensions, Trust, name, say{
			"含有不认识的关键扩展 " + list[critical].OID + "。", "There is an unknown critical extension, " + list[critical].OID + "."})
		return
	}
	l.pass(cExtensions, say{"扩展数据都不是关键扩展。", "No extension is a critical one."})
}

// checkMaker checks the seal maker's signature.
func checkMaker(l *Checks, sl *Seal, name string, cache *gm.Cache) {
	l.either(cSealSignature, Integrity, sl.genuine(cache), name,
		say{"印章由其制章人签名。", "The seal was signed by its maker."},
		say{"印章的制章人签名不成立，印章不是原来的印章。", "The maker's signature does not hold; the seal is not what was made."})
}

// stamps checks that each picture stands on a page of the document.
func (v *verifier) stamps(s *Signature, stamps []*ofd.Element) {
	if len(stamps) == 0 {
		s.Checks.na(cStamp, say{"签名没有在页面上放置图形。", "The signature puts no picture on a page."})
		return
	}
	if v.pages == nil {
		pages, err := v.f.PageBoxes()
		if err != nil {
			at := s.File
			if fe := (*ofd.FileError)(nil); errors.As(err, &fe) {
				at = fe.Name
			}
			s.Checks.fail(cStamp, Integrity, at, say{"文档的页面无法读取。", "The document's pages can't be read."})
			return
		}
		v.pages = pages
	}
	good, beyond := len(stamps) <= maxStamps, false
	for _, e := range stamps[:min(len(stamps), maxStamps)] {
		box, ok := parseBox(e.Attr("Boundary"))
		page := slices.IndexFunc(v.pages, func(p ofd.PageBox) bool { return p.ID == e.Attr("PageRef") })
		if !ok || page < 0 {
			good = false
			continue
		}
		if box.X < -offPage || box.Y < -offPage || box.W <= 0 || box.H <= 0 {
			good = false
		}
		p := v.pages[page]
		// One with a Clip is a slice of a seal across the edges of several pages.
		beyond = beyond || e.Attr("Clip") == "" && v.beyond(p, box)
		s.Stamps = append(s.Stamps, Placed{p.ID, box})
	}
	if good && beyond {
		s.Checks.note(cStamp, s.File, say{"印章图形有一部分在页面之外。", "A part of the seal's picture stands off its page."})
		return
	}
	s.Checks.either(cStamp, Trust, good, s.File,
		say{"印章图形位于文档页面之内。", "The picture of the seal stands within a page."},
		say{"印章图形过多、所在的页面不存在，或位置在页面之外。", "There are too many pictures of the seal, or one stands on no page."})
}

// beyond tells whether a box ends off its page, of which the size is in the page
// itself if it differs from the document's.
func (v *verifier) beyond(p ofd.PageBox, b Box) bool {
	w, h := p.W, p.H
	if b.X+b.W <= w+offPage && b.Y+b.H <= h+offPage {
		return false
	}
	if page, err := v.f.XML(p.File); err == nil {
		if own, ok := parseBox(page.Child("Area").Child("PhysicalBox").Value()); ok {
			w, h = own.W, own.H
		}
	}
	return b.X+b.W > w+offPage || b.Y+b.H > h+offPage
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
