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
	PageID   int    // page the picture goes on
	Box      Box    // where on it
}

// Reasons why a seal can't be used. They are found before the key is.
var (
	ErrNotAuthorized = errors.New("the seal does not name this signer")
	ErrNotValid      = errors.New("the seal is not valid at this time")
	ErrWrongKey      = errors.New("the certificate is not of this key")
)

const (
	dirSign           = "Doc_0/Signs/Sign_0/"
	fileSeal          = dirSign + "Seal.esl"
	fileSignature     = dirSign + "Signature.xml"
	fileSignedValue   = dirSign + "SignedValue.dat"
	xmlHead           = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	xmlns             = ` xmlns:ofd="` + ofd.Namespace + `"`
	dateTimeForm      = "20060102150405Z"
	signaturesContent = xmlHead + `<ofd:Signatures` + xmlns + `><ofd:MaxSignId>s002</ofd:MaxSignId>` +
		`<ofd:Signature ID="s001" Type="Seal" BaseLoc="/` + fileSignature + `"/></ofd:Signatures>`
)

// listBlob is the list of the one signature; it is the same in every package.
var listBlob = ofd.NewBlob([]byte(signaturesContent))

// Check finds out whether the seal may be used as u says, without using a key.
func (u *Use) Check() error {
	switch {
	case !u.Cert.Key.Equal(u.Signer.Public()):
		return ErrWrongKey
	case !u.Seal.Authorizes(u.Cert):
		return ErrNotAuthorized
	case !u.Seal.ValidAt(u.Time):
		return ErrNotValid
	}
	return nil
}

// Sign seals a whole package (GB/T 33190-2016 clause 18): every file, the list
// of signatures included, is protected but for Signature.xml and SignedValue.dat
// themselves, so that nothing can be added afterwards. The package must have
// been written as Signed. The key is used once, last.
func Sign(p *ofd.Package, u Use) error {
	if err := u.Check(); err != nil {
		return fmt.Errorf("seal with %s: %w", u.Seal.Name, err)
	}
	p.Entries = append(p.Entries,
		ofd.Entry{Name: fileSeal, Blob: u.Seal.blob},
		ofd.Entry{Name: ofd.SignaturesFile, Blob: listBlob})
	signature := u.signatureXML(p.Entries)
	hash := gm.Sum(signature)
	tbs := sequence(
		encodeInt(4), u.Seal.DER, encodeTime(u.Time), encodeBits(hash[:]), encode(tIA5, []byte("/"+fileSignature)))
	sig, err := u.Signer.SignSM2(tbs)
	if err != nil {
		return fmt.Errorf("seal with %s: %w", u.Seal.Name, err)
	}
	p.Add(fileSignature, signature)
	value := sequence(tbs, encode(tOctets, u.Cert.DER), sm2sm3OID, encodeBits(sig))
	p.Entries = append(p.Entries, ofd.Entry{Name: fileSignedValue, Blob: &ofd.Blob{Data: value, Dense: true}})
	return nil
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
	b = append(b, `</ofd:References><ofd:StampAnnot ID="s002" PageRef="`...)
	b = strconv.AppendInt(b, int64(u.PageID), 10)
	b = append(b, `" Boundary="`...)
	for i, v := range []float64{u.Box.X, u.Box.Y, u.Box.W, u.Box.H} {
		if i > 0 {
			b = append(b, ' ')
		}
		b = sheet.AppendNumber(b, v)
	}
	return append(b, `"/><ofd:Seal><ofd:BaseLoc>/`+fileSeal+`</ofd:BaseLoc></ofd:Seal></ofd:SignedInfo><ofd:SignedValue>/`+
		fileSignedValue+`</ofd:SignedValue></ofd:Signature>`...)
}
