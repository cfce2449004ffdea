// Package offline makes licenses where the platform can't be reached (离线生成, Art.
// 7(2)) and takes them in afterwards.
//
// A unit that has one of the two grounds (无在线条件, of which a failure of the system
// is one; 不宜网上办理) takes a kit: one file, under the platform's signature, with the
// types, their faces and fonts, a block of numbers that are its own, and a seal
// whose certificate is bound to the kit and its block and good for a day at most.
// Two named officers each hold a key of it behind a PIN of their own: one enters
// rows and can't seal, the other seals and can't enter. Station is the machine
// they work at; it needs no network and no platform.
//
// What a station does stands in a journal: each entry names the one before it by
// its digest and is signed by who made it, so that what was taken out, put in or
// moved shows. The package a station exports is the journal with every row and file,
// each encrypted by itself. Kits takes a package in row by row: what is good is
// countersigned with trusted time and published, what is not stays listed with the
// reason. Until then a check of its code answers that it was made offline and
// awaits registration.
package offline

import (
	"archive/zip"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/catalog"
	"elicense/gm"
	"elicense/issuance"
	"elicense/seal"
	"elicense/sheet"
)

// Ground is why a license may be made offline. The Measures know two; a failure of
// the system is a case of the first that has to be proven.
type Ground string

// The grounds.
const (
	NoOnline Ground = "no-online" // 无在线条件
	Outage   Ground = "outage"    // 无在线条件：系统故障
	Unsuited Ground = "unsuited"  // 不宜网上办理
)

var groundWords = map[Ground]string{NoOnline: "没有在线条件", Outage: "没有在线条件：系统故障", Unsuited: "不宜网上办理"}

// Chinese returns the word shown to people, "" for no ground.
func (g Ground) Chinese() string { return groundWords[g] }

// Role is what an officer of a kit does.
type Role string

// The roles. No person has both in one kit.
const (
	Drafts  Role = "drafter"  // 制证: enters rows
	Reviews Role = "reviewer" // 审核签章: seals them
)

var roleWords = map[Role]string{Drafts: "制证", Reviews: "审核签章"}

// Chinese returns the word shown to people.
func (r Role) Chinese() string { return roleWords[r] }

// Hand is an officer of a kit with his key, behind his PIN.
type Hand struct {
	Role    Role              `json:"role"`
	Person  elicense.PersonID `json:"person"`
	Name    string            `json:"name"`
	Stretch gm.Stretch        `json:"pin"`
	Data    []byte            `json:"data"`   // the key rows and files are encrypted under
	Key     []byte            `json:"key"`    // the SM2 key entries are signed with
	Public  []byte            `json:"public"` // of it, PEM
}

// Number is one of a kit's block.
type Number struct {
	N int `json:"n"`
	issuance.Place
}

// Kit is what a kit says: the head of its file.
type Kit struct {
	Format   string            `json:"format"`
	ID       string            `json:"id"`
	Platform string            `json:"platform"` // its name
	Unit     elicense.UnitCode `json:"unit"`
	UnitName string            `json:"unitName"`
	Ground   Ground            `json:"ground"`
	From     time.Time         `json:"from"`
	To       time.Time         `json:"to"`
	CheckURL string            `json:"checkUrl"` // start of the address in the QR code
	Sample   bool              `json:"sample"`   // prints 样本: training data
	Hands    []Hand            `json:"hands"`
	Types    []*catalog.Type   `json:"types"`
	Numbers  []Number          `json:"numbers"`
	Seal     []byte            `json:"seal"` // GB/T 38540, DER
	Cert     []byte            `json:"cert"` // of the reviewer's key, DER
	Root     []byte            `json:"root"` // the certificate leads to, DER
	Fonts    []FontMark        `json:"fonts"`
}

const kitFormat = "elicense offline kit 1"

// FontMark names a font of the kit by its digest: it comes with the file, or is
// looked for on the machine.
type FontMark struct {
	Style  string `json:"style"` // song, hei, kai, rare
	Digest string `json:"sm3"`   // hexadecimal
	Size   int    `json:"size"`
}

// Font is a font file with its mark.
type Font struct {
	FontMark
	Data []byte
}

func newFont(style string, data []byte) Font {
	return Font{FontMark{style, digestOf(data), len(data)}, data}
}

// SystemFonts returns the fonts of this machine, read and digested once: they are
// some 90 MB. Errors wrap sheet.ErrNoFonts.
var SystemFonts = sync.OnceValues(func() ([]Font, error) {
	data, err := sheet.SystemFontFiles()
	if err != nil {
		return nil, err
	}
	list := []Font{newFont("song", data[0]), newFont("hei", data[1]), newFont("kai", data[2]), newFont("rare", data[3])}
	sheet.LetFontsGo()
	return list, nil
})

// FindFont returns the font of this machine that is the marked one, nil without.
func FindFont(m FontMark) []byte {
	list, err := SystemFonts()
	if err != nil {
		return nil
	}
	for _, f := range list {
		if f.FontMark == m {
			return f.Data
		}
	}
	return nil
}

// Hand returns the officer with the role.
func (k *Kit) Hand(r Role) *Hand {
	for i := range k.Hands {
		if k.Hands[i].Role == r {
			return &k.Hands[i]
		}
	}
	return nil
}

// Type returns a type of the kit, nil if it has none of the code.
func (k *Kit) Type(code elicense.TypeCode) *catalog.Type {
	for _, t := range k.Types {
		if t.Code == code {
			return t
		}
	}
	return nil
}

// number returns a number of the block, nil if it is outside.
func (k *Kit) number(n int) *Number {
	if n < 1 || n > len(k.Numbers) {
		return nil
	}
	return &k.Numbers[n-1]
}

// Device is what a kit's certificate says its key is bound to: the kit and the
// digest of its block.
func device(kit string, numbers []Number) (string, error) {
	b, err := json.Marshal(numbers)
	if err != nil {
		return "", fmt.Errorf("block of kit %s: %w", kit, err)
	}
	sum := gm.Sum(b)
	return kit + "." + hex.EncodeToString(sum[:16]), nil
}

// The sizes of PINs, in characters.
const (
	minPIN = 8
	maxPIN = 64
)

// checkPIN sees that a PIN is not one people try first. Who has the kit's file can
// try as many as he likes; each costs him what a Stretch costs.
func checkPIN(pin string) error {
	distinct := map[rune]bool{}
	for _, r := range pin {
		distinct[r] = true
	}
	if n := utf8.RuneCountInString(pin); n < minPIN || n > maxPIN || len(distinct) < 5 || strings.Contains("01234567890123456789", pin) || strings.Contains("98765432109876543210", pin) {
		return elicense.E(elicense.Invalid, "口令要有8到64个字符，至少5个不同的，不能是顺序数字").At("pin")
	}
	return nil
}

// dataKeySize is the length of the key of rows and files.
const dataKeySize = gm.KeySize

// newHand makes an officer's key and puts it and the kit's data key behind his PIN.
func newHand(kit string, role Role, person elicense.PersonID, name, pin string, stretch gm.Stretch, data []byte) (*Hand, *gm.SoftKey, error) {
	if err := checkPIN(pin); err != nil {
		return nil, nil, err
	}
	key, err := gm.GenerateKey()
	if err != nil {
		return nil, nil, err
	}
	h := &Hand{Role: role, Person: person, Name: name, Stretch: stretch}
	aead, err := h.Stretch.AEAD([]byte(pin))
	if err != nil {
		return nil, nil, err
	}
	if h.Public, err = gm.MarshalPublicKey(key.Public()); err != nil {
		return nil, nil, err
	}
	h.Data, h.Key = gm.Encrypt(aead, data, bound(kit, role, "data")), key.Enclose(aead, bound(kit, role, "key"))
	return h, key, nil
}

func bound(kit string, role Role, what string) []byte {
	return []byte("elicense offline " + kit + " " + string(role) + " " + what)
}

// errPIN says that a PIN is not the officer's.
var errPIN = errors.New("wrong PIN")

// open opens the officer's keys.
func (h *Hand) open(kit, pin string) (key *gm.SoftKey, data []byte, err error) {
	aead, err := h.Stretch.AEAD([]byte(pin))
	if err != nil {
		return nil, nil, err
	}
	if key, err = gm.OpenKey(aead, h.Key, bound(kit, h.Role, "key")); err != nil {
		return nil, nil, errPIN
	}
	if data, err = gm.Decrypt(aead, h.Data, bound(kit, h.Role, "data")); err != nil {
		return nil, nil, err
	}
	return key, data, nil
}

// signedHead is how a kit's head stands in its file: as it was signed.
type signedHead struct {
	Head      []byte `json:"head"`
	Cert      []byte `json:"cert"` // of who signed for the platform, DER
	Signature []byte `json:"signature"`
}

const (
	headName  = "kit.json"
	fontsName = "fonts/"
)

// write writes the file of a kit: its signed head and, if they are given, fonts.
func write(w io.Writer, head []byte, fonts []Font) error {
	z := zip.NewWriter(w)
	put := func(name string, data []byte, method uint16) error {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err == nil {
			_, err = f.Write(data)
		}
		return err
	}
	if err := put(headName, head, zip.Deflate); err != nil {
		return err
	}
	for _, f := range fonts {
		if err := put(fontsName+f.Style, f.Data, zip.Store); err != nil {
			return err
		}
	}
	return z.Close()
}

// The bounds of a kit's file in bytes.
const (
	maxHead = 64 << 20
	maxFont = 128 << 20
)

// KitFile is a kit's file that was opened.
type KitFile struct {
	*Kit
	Set *sheet.FontSet

	seal *seal.Seal
	cert *gm.Certificate
}

func badKit(cause error) error {
	return elicense.E(elicense.Invalid, "这不是完整的离线工具包，或已被改动").At("kit").Then("请在平台上重新下载").Because(cause)
}

// OpenKit reads a kit's file and sees that it is as the platform signed it. root is
// the certificate its signature must lead to; nil takes the kit's own, which finds
// damage and not a kit somebody made up. Fonts that did not come with it are looked
// for with find, which compares their digest.
//
// Errors: Invalid for a file that is not a whole kit; Unavailable without its fonts.
func OpenKit(file []byte, root *gm.Certificate, find func(FontMark) []byte) (*KitFile, error) {
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, badKit(err)
	}
	head, err := entry(z, headName, maxHead)
	if err != nil {
		return nil, badKit(err)
	}
	k, err := readHead(head, root)
	if err != nil {
		return nil, badKit(err)
	}
	data := map[string][]byte{}
	for _, m := range k.Fonts {
		b, err := entry(z, fontsName+m.Style, maxFont)
		switch {
		case errors.Is(err, errNoEntry):
			if find != nil {
				b = find(m)
			}
			if b == nil {
				return nil, elicense.E(elicense.Unavailable, "工具包没有带字体，这台机器上也没有同一版本的字体").Then("请下载带字体的工具包")
			}
		case err != nil:
			return nil, badKit(err)
		case newFont(m.Style, b).FontMark != m:
			return nil, badKit(fmt.Errorf("font %s is another", m.Style))
		}
		data[m.Style] = b
	}
	if k.Set, err = sheet.NewFontSet(data["song"], data["hei"], data["kai"], data["rare"]); err != nil {
		return nil, badKit(err)
	}
	sheet.LetFontsGo()
	return k, nil
}

var errNoEntry = errors.New("no such entry")

// entry reads an entry of a ZIP file of at most max bytes.
func entry(z *zip.Reader, name string, limit int64) ([]byte, error) {
	for _, f := range z.File {
		if f.Name != name {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		b, err := io.ReadAll(io.LimitReader(r, limit+1))
		if err == nil && int64(len(b)) > limit {
			err = fmt.Errorf("entry %s: too large", name)
		}
		return b, err
	}
	return nil, errNoEntry
}

// readHead reads a signed head.
func readHead(data []byte, root *gm.Certificate) (*KitFile, error) {
	var s signedHead
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, err
	}
	k := &KitFile{Kit: &Kit{}}
	if err := json.Unmarshal(s.Head, k.Kit); err != nil {
		return nil, err
	}
	if k.Format != kitFormat || k.Hand(Drafts) == nil || k.Hand(Reviews) == nil || len(k.Hands) != 2 {
		return nil, errors.New("not a kit")
	}
	signer, err := gm.ParseCertificate(s.Cert)
	if err != nil {
		return nil, err
	}
	if root == nil {
		if root, err = gm.ParseCertificate(k.Root); err != nil {
			return nil, err
		}
	}
	trust := gm.Trust{Roots: []*gm.Certificate{root}}
	if _, err := trust.Check(signer, k.From, gm.UsageSign); err != nil {
		return nil, fmt.Errorf("signer of the kit: %w", err)
	}
	if !gm.Verify(signer.Key, s.Head, s.Signature) {
		return nil, errors.New("the signature of the kit does not hold")
	}
	if k.cert, err = gm.ParseCertificate(k.Cert); err != nil {
		return nil, err
	}
	if k.seal, err = seal.Parse(k.Seal); err != nil {
		return nil, err
	}
	want, err := device(k.ID, k.Numbers)
	if err != nil {
		return nil, err
	}
	for i, n := range k.Numbers {
		if n.N != i+1 {
			return nil, errors.New("the block is not in order")
		}
	}
	if k.cert.Device() != want {
		return nil, errors.New("the certificate is of another kit or block")
	}
	return k, nil
}
