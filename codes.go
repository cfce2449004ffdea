package elicense

import (
	"crypto/rand"
	"strings"
	"time"
)

// UnitCode is a unified social credit code of 18 characters (GB 32100-2015): of
// an issuing or application unit, or of a holder that is an organization.
type UnitCode string

const usccAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

var usccWeights = [17]int{1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28}

// CodeCheck is what a check of a code's characters says.
type CodeCheck uint8

const (
	CodeGood      CodeCheck = iota // form and check character are right
	CodeDoubtful                   // a wrong check character that is known to be lawful: warn, don't refuse
	CodeMalformed                  // the form is wrong
	CodeMismatch                   // the check character is wrong
)

// Check judges the code by GB 32100-2015. Codes of the early Fujian pilot
// (91350… with a subject code M0…) have lawful check characters that do not
// compute: they are CodeDoubtful, never refused.
func (c UnitCode) Check() CodeCheck {
	if len(c) != 18 {
		return CodeMalformed
	}
	sum := 0
	for i := range 17 {
		v := strings.IndexByte(usccAlphabet, c[i])
		if v < 0 {
			return CodeMalformed
		}
		sum += v * usccWeights[i]
	}
	if strings.IndexByte(usccAlphabet, c[17]) < 0 {
		return CodeMalformed
	}
	if usccAlphabet[(31-sum%31)%31] == c[17] {
		return CodeGood
	}
	if strings.HasPrefix(string(c), "9135") && c[8:10] == "M0" {
		return CodeDoubtful
	}
	return CodeMismatch
}

// IDNumber is a citizen's identity number of 18 characters (GB 11643-1999). The
// numbers of residence permits for people of Hong Kong, Macao and Taiwan
// (81…, 82…, 83…) follow the same rule.
type IDNumber string

var idWeights = [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}

// Check judges length, digits, birth date (not after today) and check character
// by GB 11643-1999. 15-digit numbers are malformed: they went out of use in 2013.
func (n IDNumber) Check(today Date) CodeCheck {
	if len(n) != 18 {
		return CodeMalformed
	}
	sum := 0
	for i := range 17 {
		if n[i] < '0' || n[i] > '9' {
			return CodeMalformed
		}
		sum += int(n[i]-'0') * idWeights[i]
	}
	birth, err := ParseDate(string(n[6:10] + "-" + n[10:12] + "-" + n[12:14]))
	if err != nil || birth > today || birth < "1850-01-01" || n[0] == '0' {
		return CodeMalformed
	}
	if "10X98765432"[sum%11] != n[17] {
		if n[17] != 'X' && (n[17] < '0' || n[17] > '9') {
			return CodeMalformed
		}
		return CodeMismatch
	}
	return CodeGood
}

// Upgrade15 returns the 18-digit number a 15-digit one of GB 11643-1989 became:
// the year of birth in four digits, all of the twentieth century, and the check
// character. false if n is none. Paper from before 2013 may show the short one; the
// person is found by the long one.
func Upgrade15(n string) (IDNumber, bool) {
	if len(n) != 15 {
		return "", false
	}
	long := n[:6] + "19" + n[6:]
	sum := 0
	for i := range 17 {
		if long[i] < '0' || long[i] > '9' {
			return "", false
		}
		sum += int(long[i]-'0') * idWeights[i]
	}
	id := IDNumber(long + string("10X98765432"[sum%11]))
	return id, id.Check("2000-01-01") == CodeGood
}

// NormalizeCode removes blanks around a typed code and writes its letters large,
// so that a final x of an identity number and pasted codes are understood.
func NormalizeCode(s string) string { return strings.ToUpper(strings.TrimSpace(s)) }

// TypeCode is the code of a license type (证照类型代码): the 18-character code of
// the authority that defines the type and three digits. GB/T 36904-2018.
type TypeCode string

// Valid tells whether the code has the form, with a correct authority code.
func (c TypeCode) Valid() bool {
	if len(c) != 21 {
		return false
	}
	for _, d := range c[18:] {
		if d < '0' || d > '9' {
			return false
		}
	}
	return UnitCode(c[:18]).Check() == CodeGood
}

// Identifier is the license identifier (证照标识) of GB/T 36904-2018:
// 1.2.156.3005.2.<type 21>.<issuer 18>.<serial>.<version 3>.<check>.
type Identifier string

const identifierRoot = "1.2.156.3005.2"

// NewIdentifier puts an identifier together and computes its check character by
// ISO/IEC 7064 MOD 37,36 over type, issuer, serial and version, without the root
// and the dots. The serial is of digits and capital letters; versions run from 1
// to 999.
func NewIdentifier(t TypeCode, issuer UnitCode, serial string, version int) (Identifier, error) {
	if !t.Valid() || issuer.Check() > CodeDoubtful {
		return "", E(Invalid, "证照类型代码或颁发机构代码不合规范，不能赋予证照标识").Under("GB/T 36904-2018")
	}
	if serial == "" || len(serial) > 32 || !isBase36(serial) {
		return "", E(Invalid, "证照标识的流水号只能是32位以内的数字和大写字母").Under("GB/T 36904-2018")
	}
	if version < 1 || version > 999 {
		return "", E(Conflict, "这个证照已经有999个版本，不能再变更").Under("GB/T 36904-2018")
	}
	v := string([]byte{'0' + byte(version/100), '0' + byte(version/10%10), '0' + byte(version%10)})
	c := checkMod3736(string(t) + string(issuer) + serial + v)
	return Identifier(strings.Join([]string{identifierRoot, string(t), string(issuer), serial, v, string(c)}, ".")), nil
}

// Parts takes the identifier apart; ok is false if the form is wrong. A wrong
// check character does not make it malformed: see CheckCharacterHolds.
func (id Identifier) Parts() (t TypeCode, issuer UnitCode, serial string, version int, ok bool) {
	rest, found := strings.CutPrefix(string(id), identifierRoot+".")
	if !found {
		return "", "", "", 0, false
	}
	p := strings.Split(rest, ".")
	if len(p) != 5 || len(p[0]) != 21 || len(p[1]) != 18 || len(p[3]) != 3 || len(p[4]) != 1 ||
		!isBase36(p[0]+p[1]+p[2]+p[4]) || p[2] == "" {
		return "", "", "", 0, false
	}
	for _, d := range p[3] {
		if d < '0' || d > '9' {
			return "", "", "", 0, false
		}
		version = version*10 + int(d-'0')
	}
	return TypeCode(p[0]), UnitCode(p[1]), p[2], version, true
}

// CheckCharacterHolds recomputes the check character. Identifiers made elsewhere
// are known to fail it; on import that is a remark, not a refusal.
func (id Identifier) CheckCharacterHolds() bool {
	t, issuer, serial, _, ok := id.Parts()
	if !ok {
		return false
	}
	n := len(id)
	version := string(id[n-5 : n-2])
	return checkMod3736(string(t)+string(issuer)+serial+version) == id[n-1]
}

func isBase36(s string) bool {
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && (s[i] < 'A' || s[i] > 'Z') {
			return false
		}
	}
	return true
}

// checkMod3736 is the hybrid system MOD 37,36 of ISO/IEC 7064 (GB/T 17710-2008)
// over digits and capital letters.
func checkMod3736(body string) byte {
	const symbols = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	p := 36
	for i := range len(body) {
		t := (p + strings.IndexByte(symbols, body[i])) % 36
		if t == 0 {
			t = 36
		}
		p = t * 2 % 37
	}
	return symbols[(37-p)%36]
}

// checkMod1110 is the hybrid system MOD 11,10 of ISO/IEC 7064 over digits.
func checkMod1110(body string) byte {
	p := 10
	for i := range len(body) {
		t := (p + int(body[i]-'0')) % 10
		if t == 0 {
			t = 10
		}
		p = t * 2 % 11
	}
	return '0' + byte((11-p)%10)
}

// FoodLicenseNumber makes a number of a food license (JY or SC and 14 digits)
// from its 13 digits; the last digit is a check by MOD 11,10.
func FoodLicenseNumber(prefix, digits string) string {
	return prefix + digits + string(checkMod1110(digits))
}

// NewSerial draws the serial part of an identifier: 12 characters of 31, about
// 59 random bits, so that a serial says nothing of its neighbors and can not be
// guessed. It is never the certificate number.
func NewSerial() string {
	const n, bound = 12, 256 - 256%len(usccAlphabet) // bytes from bound on would favor the first symbols
	serial := make([]byte, 0, n)
	for len(serial) < n {
		var b [2 * n]byte
		rand.Read(b[:])
		for _, v := range b {
			if int(v) < bound && len(serial) < n {
				serial = append(serial, usccAlphabet[int(v)%len(usccAlphabet)])
			}
		}
	}
	return string(serial)
}

// Date is a calendar day in Asia/Shanghai, written 2026-11-23. The empty Date
// stands for "none", such as no end of validity (长期).
type Date string

// Shanghai is the zone of every date and deadline of the platform: UTC+8 all
// year since 1992, so that no zone file is needed.
var Shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

// ParseDate reads 2026-11-23; other forms and impossible days are errors.
func ParseDate(s string) (Date, error) {
	t, err := time.ParseInLocation(time.DateOnly, s, Shanghai)
	if err != nil {
		return "", E(Invalid, "日期要写成2026-11-23的样子，且确有这一天").Because(err)
	}
	return DateOf(t), nil
}

// DateOf returns the day of t in Asia/Shanghai.
func DateOf(t time.Time) Date { return Date(t.In(Shanghai).Format(time.DateOnly)) }

// Start returns the first moment of the day.
func (d Date) Start() time.Time {
	t, err := time.ParseInLocation(time.DateOnly, string(d), Shanghai)
	if err != nil {
		return time.Time{}
	}
	return t
}

// End returns the first moment after the day (24:00).
func (d Date) End() time.Time {
	s := d.Start()
	if s.IsZero() {
		return s
	}
	return s.AddDate(0, 0, 1)
}

// AddYears returns the same day n years later, less one day if last is true:
// a license of five years from 2026-11-23 is valid to 2031-11-22.
func (d Date) AddYears(n int, last bool) Date {
	t := d.Start().AddDate(n, 0, 0)
	if last {
		t = t.AddDate(0, 0, -1)
	}
	return DateOf(t)
}

// Chinese writes the day as it stands on documents: 2026年11月23日; the empty
// Date is 长期.
func (d Date) Chinese() string {
	t := d.Start()
	if t.IsZero() {
		return "长期"
	}
	return t.Format("2006年01月02日")
}

// HolderCodeType is a code type of GB/T 36903-2018 annex A.
type HolderCodeType string

// The code types met most.
const (
	CodeUSCC     HolderCodeType = "001" // 统一社会信用代码
	CodeOtherOrg HolderCodeType = "099" // 其他法人或其他组织有效证件代码
	CodeCitizen  HolderCodeType = "111" // 公民身份号码
	CodeOther    HolderCodeType = "999" // 其他自然人有效证件代码
)

// HolderCodeTypes is the table of GB/T 36903-2018 annex A.
var HolderCodeTypes = map[HolderCodeType]string{
	"001": "统一社会信用代码", "099": "其他法人或其他组织有效证件代码",
	"111": "公民身份号码",
	"114": "中国人民解放军军官证编号", "115": "中国人民武装警察部队警官证编号",
	"118": "中国人民解放军士兵证编号", "119": "中国人民武装警察部队士兵证编号",
	"120": "中国人民解放军文职人员证编号", "122": "中国人民武装警察部队文职人员证编号",
	"411": "外交护照护照号", "412": "公务护照护照号", "413": "公务普通护照护照号", "414": "普通护照护照号",
	"511": "台湾居民来往大陆通行证号码", "516": "港澳居民来往内地通行证号码",
	"999": "其他自然人有效证件代码",
}

// Organization tells whether codes of the type belong to organizations.
func (t HolderCodeType) Organization() bool { return t == CodeUSCC || t == CodeOtherOrg }

// HolderRef names a holder by a code, as units know him.
type HolderRef struct {
	CodeType HolderCodeType `json:"codeType"`
	Code     string         `json:"code"`
	Name     string         `json:"name"`
}

// Normalize cleans what was typed.
func (h HolderRef) Normalize() HolderRef {
	h.Code, h.Name = NormalizeCode(h.Code), strings.TrimSpace(h.Name)
	return h
}

// Check judges the code by its type's rule and that a name is given. Doubtful
// codes pass; the error names the field, never the code.
func (h HolderRef) Check(today Date) error {
	if _, ok := HolderCodeTypes[h.CodeType]; !ok {
		return E(Invalid, "证件类型不在GB/T 36903附录A的代码表内").At("codeType")
	}
	var c CodeCheck
	switch {
	case h.CodeType == CodeUSCC:
		c = UnitCode(h.Code).Check()
	case h.CodeType == CodeCitizen:
		c = IDNumber(h.Code).Check(today)
	case h.Code == "" || len(h.Code) > 64:
		c = CodeMalformed
	}
	switch c {
	case CodeMalformed:
		return E(Invalid, "%s的形式不对", HolderCodeTypes[h.CodeType]).At("code").Then("请对照证件逐位核对后重填")
	case CodeMismatch:
		return E(Invalid, "%s的校验位不对", HolderCodeTypes[h.CodeType]).At("code").Then("请对照证件逐位核对后重填")
	}
	if h.Name == "" {
		return E(Invalid, "要填写姓名或名称").At("name")
	}
	return nil
}
