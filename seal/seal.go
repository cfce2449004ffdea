// Package seal makes, reads and checks electronic seals and their signatures on
// OFD packages: GB/T 38540-2020 (version 4), which is also written, and for
// reading GM/T 0031-2014 (version 1), GM/T 0031-2025 (version 5) and plain digital
// signatures of GB/T 35275-2017.
//
// A seal is a picture with the certificates of those who may use it, signed by
// its maker. Using it signs the digest of Signature.xml together with the seal;
// Signature.xml holds the digests of the package's files.
package seal

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"elicense/gm"
	"elicense/ofd"
	"elicense/sheet"
)

// Seal is an electronic seal (GB/T 38540-2020 6.1, SESeal).
type Seal struct {
	DER     []byte // as read; never re-encoded
	Version int    // 4, or 1 and 5 when read
	ID      string // esID
	Vendor  string // Vid
	Type    int    // as its business defines it; in version 1: 1 unit, 2 person
	Name    string
	Created time.Time
	From    time.Time
	To      time.Time

	// Certificates of those who may use the seal, or their SM3 digests.
	Certificates [][]byte
	Digests      [][]byte

	PictureType string // png, ofd …, in lower case
	Picture     []byte
	W, H        float64 // mm

	Maker *gm.Certificate

	Extensions []Extension
	// TimeStamp is the time stamp token of the maker's signature, which version 5
	// may have.
	TimeStamp []byte

	signed    []byte // what the maker signed
	signature []byte
	algorithm string

	draw     sync.Once
	drawn    *sheet.Sheet
	drawnErr error
}

// Spec is what a new seal says.
type Spec struct {
	ID      string // of the seal; ASCII, unique to it
	Vendor  string // ASCII
	Type    int
	Name    string
	Signers []*gm.Certificate // who may use it
	Created time.Time
	From    time.Time
	To      time.Time
	Picture []byte // an OFD package of one page, as Draw makes
	W, H    int    // mm
}

// Make signs a new seal of version 4 as its maker. Errors are found before the key
// is used, but for its own: the maker's certificate is not of the key
// (ErrWrongKey) or not good for signing when the seal is created, or the seal
// says what none may say.
func Make(s Spec, maker gm.Signer, cert *gm.Certificate) (*Seal, error) {
	switch {
	case !ascii(s.ID) || !ascii(s.Vendor):
		return nil, fmt.Errorf("make seal %s: identifier and vendor must be ASCII", s.Name)
	case len(s.Signers) == 0:
		return nil, fmt.Errorf("make seal %s: nobody may use it", s.Name)
	case !cert.Key.Equal(maker.Public()):
		return nil, fmt.Errorf("make seal %s: %w", s.Name, ErrWrongKey)
	case s.To.Before(s.From):
		return nil, fmt.Errorf("make seal %s: it ends before it begins", s.Name)
	}
	if err := cert.CheckUse(s.Created, gm.UsageSign); err != nil {
		return nil, fmt.Errorf("make seal %s: %w", s.Name, err)
	}
	var list [][]byte
	for _, c := range s.Signers {
		list = append(list, encode(tOctets, c.DER))
	}
	info := sequence(
		sequence(encode(tIA5, []byte("ES")), encodeInt(4), encode(tIA5, []byte(s.Vendor))),
		encode(tIA5, []byte(s.ID)),
		sequence(encodeInt(s.Type), encode(tUTF8, []byte(s.Name)), encodeInt(certificatesListed), sequence(list...),
			encodeTime(s.Created), encodeTime(s.From), encodeTime(s.To)),
		sequence(encode(tIA5, []byte("ofd")), encode(tOctets, s.Picture), encodeInt(s.W), encodeInt(s.H)),
	)
	sig, err := maker.SignSM2(info)
	if err != nil {
		return nil, fmt.Errorf("make seal %s: %w", s.Name, err)
	}
	return Parse(sequence(info, encode(tOctets, cert.DER), sm2sm3OID, encodeBits(sig)))
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return s != ""
}

// The kinds of lists of those who may use a seal (GB/T 38540-2020 6.1.3).
const (
	certificatesListed = 1
	digestsListed      = 2
)

// Parse reads a seal of any version, without checking its signature.
func Parse(der []byte) (*Seal, error) {
	s, err := parseSeal(der, nil)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return s, nil
}

// parseSeal tells the versions apart by their shape: 2 members before 2020, 4 or
// 5 since.
func parseSeal(der []byte, cache *gm.Cache) (*Seal, error) {
	m, err := members(der)
	if err != nil {
		return nil, err
	}
	s := &Seal{DER: der}
	var sig []element // certificate, algorithm, signature
	switch {
	case (len(m) == 4 || len(m) == 5) && begins(m, tSeq, tOctets, tOID, tBits):
		sig = m[1:4]
		s.signed = m[0].full
		if len(m) == 5 {
			if s.TimeStamp, err = m[4].taggedBits(); err != nil {
				return nil, err
			}
		}
	case len(m) == 2 && begins(m, tSeq, tSeq):
		if sig, err = split(m[1].body); err != nil || len(sig) != 3 || !begins(sig, tOctets, tOID, tBits) {
			return nil, shapeError("SES_SignInfo")
		}
		// GM/T 0031-2014 6.1.1.2: certificate and algorithm are signed too.
		s.signed = sequence(m[0].full, sig[0].full, sig[1].full)
	default:
		return nil, shapeError("SESeal")
	}
	if s.Maker, err = cache.Certificate(sig[0].body); err != nil {
		return nil, fmt.Errorf("maker: %w", err)
	}
	s.algorithm = sig[1].oid()
	if s.signature, err = sig[2].bits(); err != nil {
		return nil, err
	}
	if err := s.parseInfo(m[0].body); err != nil {
		return nil, err
	}
	if s.Version >= 4 != (len(m) >= 4) || s.TimeStamp != nil && s.Version < 5 {
		return nil, shapeError("version and shape disagree")
	}
	return s, nil
}

func (s *Seal) parseInfo(body []byte) error {
	info, err := split(body)
	if err != nil || !begins(info, tSeq, tIA5, tSeq, tSeq) || len(info) > 5 {
		return shapeError("SES_SealInfo")
	}
	header, err := split(info[0].body)
	if err != nil || len(header) != 3 || !begins(header, tIA5, tInt, tIA5) || header[0].text() != "ES" {
		return shapeError("SES_Header")
	}
	if s.Version, err = header[1].int(); err != nil {
		return err
	}
	s.Vendor, s.ID = header[2].text(), info[1].text()
	if err := s.parseProperty(info[2].body); err != nil {
		return err
	}
	picture, err := split(info[3].body)
	if err != nil || len(picture) != 4 || !begins(picture, tIA5, tOctets, tInt, tInt) {
		return shapeError("SES_ESPictureInfo")
	}
	s.PictureType, s.Picture = strings.ToLower(picture[0].text()), picture[1].body
	w, err1 := picture[2].int()
	h, err2 := picture[3].int()
	if err1 != nil || err2 != nil || w <= 0 || h <= 0 || w > 1000 || h > 1000 {
		return shapeError("size of the picture")
	}
	s.W, s.H = float64(w), float64(h)
	if len(info) == 5 {
		s.Extensions, err = info[4].extensions()
	}
	return err
}

func (s *Seal) parseProperty(body []byte) error {
	p, err := split(body)
	if err != nil {
		return err
	}
	listType := certificatesListed
	switch {
	case s.Version >= 4 && len(p) == 7 && begins(p, tInt, tUTF8, tInt, tSeq):
		if listType, err = p[2].int(); err != nil {
			return err
		}
		p = append(p[:2:2], p[3:]...)
	case s.Version < 4 && len(p) == 6 && begins(p, tInt, tUTF8, tSeq):
	default:
		return shapeError("SES_ESPropertyInfo")
	}
	if s.Type, err = p[0].int(); err != nil {
		return err
	}
	s.Name = p[1].text()
	list, err := split(p[2].body)
	if err != nil {
		return shapeError("SES_CertList")
	}
	for _, e := range list {
		switch {
		case listType == certificatesListed && e.tag == tOctets:
			s.Certificates = append(s.Certificates, e.body)
		case listType == digestsListed && e.tag == tSeq:
			d, err := split(e.body)
			if err != nil || len(d) != 2 || d[1].tag != tOctets || len(d[1].body) == 0 {
				return shapeError("CertDigestObj")
			}
			s.Digests = append(s.Digests, d[1].body)
		default:
			return shapeError("SES_CertList")
		}
	}
	for i, into := range []*time.Time{&s.Created, &s.From, &s.To} {
		if *into, err = p[3+i].time(); err != nil {
			return err
		}
	}
	return nil
}

// Genuine tells whether the maker's signature holds.
func (s *Seal) Genuine() bool { return s.genuine(nil) }

func (s *Seal) genuine(cache *gm.Cache) bool {
	return s.algorithm == oidSM2SM3 && cache.Verify(s.Maker, s.signed, derSignature(s.signature))
}

// Authorizes tells whether the owner of a certificate may use the seal. A list of
// digests has those of certificates as they are, or as SM2 signs them.
func (s *Seal) Authorizes(c *gm.Certificate) bool {
	for _, der := range s.Certificates {
		if bytes.Equal(der, c.DER) {
			return true
		}
	}
	if len(s.Digests) == 0 {
		return false
	}
	plain := gm.Sum(c.DER)
	forKey, err := gm.SumFor(c.Key, c.DER)
	for _, d := range s.Digests {
		if bytes.Equal(d, plain[:]) || err == nil && bytes.Equal(d, forKey) {
			return true
		}
	}
	return false
}

// ValidAt tells whether t lies in the seal's term.
func (s *Seal) ValidAt(t time.Time) bool { return !t.Before(s.From) && !t.After(s.To) }

// errPicture says that a seal's picture can't be drawn.
var errPicture = errors.New("the seal's picture is of a form that can't be drawn")

// maxPicture bounds a seal's picture in bytes. Real ones have 5 to 60 KB.
const maxPicture = 1 << 20

// Sheet returns the seal's picture as a page of its size, which must not be
// changed. Safe for concurrent use.
func (s *Seal) Sheet() (*sheet.Sheet, error) {
	s.draw.Do(func() { s.drawn, s.drawnErr = s.readPicture() })
	return s.drawn, s.drawnErr
}

func (s *Seal) readPicture() (*sheet.Sheet, error) {
	if len(s.Picture) > maxPicture {
		return nil, fmt.Errorf("%w: %d bytes", errPicture, len(s.Picture))
	}
	page := &sheet.Sheet{W: s.W, H: s.H, Title: s.Name}
	if s.PictureType != "ofd" {
		mime := ofd.ImageType(s.Picture)
		if mime == "" {
			return nil, fmt.Errorf("%w: %.10q", errPicture, s.PictureType)
		}
		page.Items = []sheet.Item{&sheet.Image{Data: s.Picture, MIME: mime, Matrix: sheet.Matrix{s.W, 0, 0, s.H, 0, 0}}}
		return page, nil
	}
	f, err := ofd.Open(s.Picture)
	if err != nil {
		return nil, fmt.Errorf("picture of seal: %w", err)
	}
	pages, err := f.Pages()
	if err != nil {
		return nil, fmt.Errorf("picture of seal: %w", err)
	}
	if len(pages) == 0 || len(pages[0].Sheet.Items) > maxObjects {
		return nil, errPicture
	}
	return pages[0].Sheet, nil
}

// Box is a rectangle on a page in mm.
type Box struct{ X, Y, W, H float64 }

const (
	// opacity lets the text under a seal show through it.
	opacity = 0.86
	// maxObjects bounds what a seal's picture is made of. Real ones have up to
	// some hundred paths.
	maxObjects = 1000
)

// Stamp draws the seal onto a page, stretched to the box. The page stays as it
// is if the seal can't be drawn.
func (s *Seal) Stamp(page *sheet.Sheet, b Box) error {
	picture, err := s.Sheet()
	if err != nil {
		return err
	}
	picture.Place(page, sheet.Matrix{b.W / picture.W, 0, 0, b.H / picture.H, b.X, b.Y}, opacity)
	return nil
}
