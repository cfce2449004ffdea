package seal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"elicense/gm"
	"elicense/ofd"
	"elicense/sheet"
)

// Use is one use of a seal on a document.
type Use struct {
	Seal     *Seal
	Signer   gm.Signer
	Cert     *gm.Certificate // of the signer
	Time     time.Time
	Provider string // the program that seals
	Marks    []Mark // where its picture goes: at least one place
	// Stamper confirms the time of the signature; nil leaves it claimed.
	Stamper gm.TimeStamper
}

// Mark is a place a seal's picture goes.
type Mark struct {
	PageID int
	Box    Box
}

// Reasons why a seal can't be used. They are found before the key is.
var (
	ErrNotAuthorized = errors.New("the seal does not name this signer")
	ErrNotValid      = errors.New("the seal is not valid at this time")
	ErrWrongKey      = errors.New("the certificate is not of this key")
	ErrMarks         = errors.New("the seal has no place on the document, or too many")
	ErrVersion       = errors.New("the seal is of a version that is no longer used")
)

// ErrStamp says that the time authority's answer does not stamp the signature.
var ErrStamp = errors.New("the time stamp is not of this signature or of an earlier time")

const (
	dirSign         = "Doc_0/Signs/Sign_0/"
	fileSignature   = dirSign + "Signature.xml"
	fileSignedValue = dirSign + "SignedValue.dat"
	xmlHead         = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	xmlns           = ` xmlns:ofd="` + ofd.Namespace + `"`
	dateTimeForm    = "20060102150405Z"
	maxMarks        = 200
)

// lists are the lists of the one signature by the number of its marks, which have
// IDs after its own: they are the same in every package.
var lists = func() (blobs [maxMarks + 1]*ofd.Blob) {
	for n := range blobs {
		blobs[n] = ofd.NewBlob([]byte(xmlHead + `<ofd:Signatures` + xmlns + `><ofd:MaxSignId>` + markID(n-1) + `</ofd:MaxSignId>` +
			`<ofd:Signature ID="s001" Type="Seal" BaseLoc="/` + fileSignature + `"/></ofd:Signatures>`))
	}
	return blobs
}()

// markID is the ID of a signature's mark.
func markID(i int) string { return fmt.Sprintf("s%03d", i+2) }

// Check finds out whether the seal may be used as u says, without using a key.
// Errors are one of the reasons above, or wrap gm.ErrMalformed,
// gm.ErrNotYetValid, gm.ErrExpired or gm.ErrUsage for the signer's certificate.
func (u *Use) Check() error {
	switch {
	case len(u.Marks) == 0 || len(u.Marks) > maxMarks:
		return ErrMarks
	case u.Seal.Version < 4:
		return ErrVersion
	case !u.Cert.Key.Equal(u.Signer.Public()):
		return ErrWrongKey
	case !u.Seal.Authorizes(u.Cert):
		return ErrNotAuthorized
	case !u.Seal.ValidAt(u.Time):
		return ErrNotValid
	}
	return u.Cert.CheckUse(u.Time, gm.UsageSign)
}

// Sign seals a whole package (GB/T 33190-2016 clause 18): every file, the list
// of signatures included, is protected but for Signature.xml and SignedValue.dat
// themselves, so that nothing can be added afterwards. The seal stands in the
// signed value; a file of its own (Seal.esl) would only say it again. The package must have
// been written as Signed. The key is used once, last but for the time stamp.
func Sign(p *ofd.Package, u Use) error {
	if err := u.Check(); err != nil {
		return fmt.Errorf("seal with %s: %w", u.Seal.Name, err)
	}
	p.Entries = append(p.Entries,
		ofd.Entry{Name: ofd.SignaturesFile, Blob: lists[len(u.Marks)]})
	signature := u.signatureXML(p.Entries)
	hash := gm.Sum(signature)
	tbs := sequence(
		encodeInt(u.Seal.Version), u.Seal.DER, encodeTime(u.Time), encodeBits(hash[:]), encode(tIA5, []byte("/"+fileSignature)))
	sig, err := u.Signer.SignSM2(tbs)
	if err != nil {
		return fmt.Errorf("seal with %s: %w", u.Seal.Name, err)
	}
	value := [][]byte{tbs, encode(tOctets, u.Cert.DER), sm2sm3OID, encodeBits(sig)}
	if u.Stamper != nil {
		token, err := u.stamp(sig)
		if err != nil {
			return fmt.Errorf("seal with %s: %w", u.Seal.Name, err)
		}
		value = append(value, encode(tContext0, encodeBits(token)))
	}
	p.Add(fileSignature, signature)
	p.Entries = append(p.Entries, ofd.Entry{Name: fileSignedValue, Blob: &ofd.Blob{Data: sequence(value...), Dense: true}})
	return nil
}

// stampCache keeps the time authorities' certificates.
var stampCache = gm.NewCache()

// stamp has the time of a signature confirmed. A stamp no reader would accept is
// found here, before there is a document with it.
func (u *Use) stamp(sig []byte) ([]byte, error) {
	der, err := u.Stamper.Stamp(sig)
	if err != nil {
		return nil, err
	}
	token, err := stampCache.ParseToken(der)
	if err != nil {
		return nil, err
	}
	if !token.Covers(sig) || u.Time.Truncate(time.Second).After(token.Time) {
		return nil, ErrStamp
	}
	return der, nil
}

func (u *Use) signatureXML(entries []ofd.Entry) []byte {
	b := make([]byte, 0, 4096)
	b = append(b, xmlHead+`<ofd:Signature`+xmlns+`><ofd:SignedInfo><ofd:Provider ProviderName="`...)
	b = sheet.AppendEscaped(b, u.Provider)
	b = append(b, `"/><ofd:SignatureMethod>`+oidSM2SM3+`</ofd:SignatureMethod><ofd:SignatureDateTime>`...)
	b = u.Time.UTC().AppendFormat(b, dateTimeForm)
	b = append(b, `</ofd:SignatureDateTime><ofd:References CheckMethod="`+oidSM3+`">`...)
	for _, e := range entries {
		sum := e.Digest(gm.Sum)
		b = append(b, `<ofd:Reference FileRef="/`...)
		b = sheet.AppendEscaped(b, e.Name)
		b = append(b, `"><ofd:CheckValue>`...)
		b = base64.StdEncoding.AppendEncode(b, sum[:])
		b = append(b, `</ofd:CheckValue></ofd:Reference>`...)
	}
	b = append(b, `</ofd:References>`...)
	for i, m := range u.Marks {
		b = append(b, `<ofd:StampAnnot ID="`...)
		b = append(b, markID(i)...)
		b = append(b, `" PageRef="`...)
		b = strconv.AppendInt(b, int64(m.PageID), 10)
		b = append(b, `" Boundary="`...)
		for k, v := range [4]float64{m.Box.X, m.Box.Y, m.Box.W, m.Box.H} {
			if k > 0 {
				b = append(b, ' ')
			}
			b = sheet.AppendNumber(b, v)
		}
		b = append(b, `"/>`...)
	}
	return append(b, `</ofd:SignedInfo><ofd:SignedValue>/`+
		fileSignedValue+`</ofd:SignedValue></ofd:Signature>`...)
}
