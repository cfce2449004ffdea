package catalog

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/org"
	"elicense/store"
)

// fieldTypes are the types a field can have, with the words shown to people.
var fieldTypes = map[string]string{
	"string": "文字", "text": "长文字", "date": "日期", "datetime": "日期时间", "idno": "公民身份号码",
	"uscc": "统一社会信用代码", "money": "金额", "number": "数字", "int": "整数", "enum": "选项",
	"list": "多项", "image": "图片", "plate": "号牌",
}

// FieldTypes returns the types a field can have, by key.
func FieldTypes() map[string]string { return fieldTypes }

// The limits of an entry and of a field's value, in characters.
const (
	maxFields  = 60
	maxName    = 60
	maxString  = 200
	maxText    = 4000
	maxOptions = 60
	maxLevel   = 3 // how strongly one can sign in (Art. 17(3))
)

var fieldKey = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// checkQualification tells whether third parties that issue the type are asked for
// the license their right to do so rests on (取得法定资质的第三方机构, Art. 2).
func checkQualification(tx *store.Tx, t *Type) error {
	bad := func(text string, args ...any) *elicense.Error {
		return elicense.E(elicense.Invalid, text, args...).At("qualification").Under("第二条")
	}
	if t.Qualification != "" {
		switch q, err := latest(tx, t.Qualification); {
		case elicense.IsKind(err, elicense.NotFound):
			return bad("没有这个资质证照类别").Then("请从证照目录里选")
		case err != nil:
			return err
		case q.Holders == Persons:
			return bad("%s只发给自然人，不能作为机构的资质", q.Name)
		}
		return nil
	}
	for _, code := range t.Issuers {
		u, err := org.UnitOf(tx, code)
		if err != nil && !elicense.IsKind(err, elicense.NotFound) {
			return err
		}
		if err == nil && u.Kind == org.ThirdParty {
			return bad("%s是第三方机构，要写明它凭哪类资质证照签发", u.Name).Then("请选择资质证照的类别")
		}
	}
	return nil
}

func (t *Type) normalize() {
	t.Name, t.Category, t.Basis = strings.TrimSpace(t.Name), strings.TrimSpace(t.Category), strings.TrimSpace(t.Basis)
	t.Code, t.Standard = elicense.TypeCode(elicense.NormalizeCode(string(t.Code))), elicense.TypeCode(elicense.NormalizeCode(string(t.Standard)))
	t.Qualification = elicense.TypeCode(elicense.NormalizeCode(string(t.Qualification)))
	for i := range t.Fields {
		t.Fields[i].Key, t.Fields[i].Label = strings.TrimSpace(t.Fields[i].Key), strings.TrimSpace(t.Fields[i].Label)
	}
}

// check judges the form of an entry: Art. 6(1)-(6).
func (t *Type) check() error {
	bad := func(field, text string, args ...any) error {
		return elicense.E(elicense.Invalid, text, args...).At(field).Under("第六条")
	}
	switch n := utf8.RuneCountInString(t.Name); {
	case n < 2 || n > maxName:
		return bad("name", "证照名称要有2到%d个字", maxName)
	case !t.Code.Valid():
		return bad("code", "类别代码要有21位：定义机构的统一社会信用代码和3位数字")
	case len(t.Issuers) == 0:
		return bad("issuers", "至少要有一个签发单位")
	case !t.Issued(t.Unit) && t.definer() != t.Unit:
		return bad("issuers", "只能登记本单位签发的类别，或代码以本单位代码开头、由本单位定义的类别").(*elicense.Error).
			Then("请由签发单位登记，或把本单位列为签发单位")
	case t.Category == "":
		return bad("category", "要填写事项类别")
	case modeWords[t.Mode] == "":
		return bad("mode", "要选择生成方式")
	case (t.Mode == Offline || t.Mode == National) && strings.TrimSpace(t.Reason) == "":
		return bad("reason", "不用在线生成的，要写明理由或国家规范")
	case holdersWords[t.Holders] == "":
		return bad("holders", "要选择持证主体类别")
	case t.Basis == "":
		return bad("basis", "要写明法定依据")
	case !t.Open:
		return bad("open", "要确认这类证照不涉密").(*elicense.Error).Under("第二条")
	case t.Level < 0 || t.Level > maxLevel:
		return bad("level", "登录强度是1到%d", maxLevel).(*elicense.Error).Under("第十七条第三款")
	case t.Qualification != "" && (!t.Qualification.Valid() || t.Qualification == t.Code):
		return bad("qualification", "资质证照的类别代码要有21位，不能是这一类别自己").(*elicense.Error).Under("第二条")
	case t.Mode.Made() && t.Face == nil:
		return bad("face", "要有照面模板")
	}
	if t.Face != nil {
		if err := faceError(t.Face.Check()); err != nil {
			return err
		}
	}
	for _, u := range t.Issuers {
		if u.Check() > elicense.CodeDoubtful {
			return bad("issuers", "签发单位的代码不对")
		}
	}
	if err := t.checkValidity(bad); err != nil {
		return err
	}
	return t.checkFields(bad)
}

func (t *Type) checkValidity(bad func(string, string, ...any) error) error {
	switch t.Validity.Kind {
	case "none":
	case "years":
		if t.Validity.Years < 1 || t.Validity.Years > 100 {
			return bad("validity", "有效期限要在1到100年之间")
		}
	case "field":
		if t.Roles.ValidTo == "" {
			return bad("validity", "按照面字段定有效期的，要指明有效期止字段")
		}
	default:
		return bad("validity", "要选择有效期限")
	}
	return nil
}

func (t *Type) checkFields(bad func(string, string, ...any) error) error {
	if len(t.Fields) == 0 || len(t.Fields) > maxFields {
		return bad("fields", "要有1到%d个照面字段", maxFields)
	}
	seen := map[string]bool{}
	for i, f := range t.Fields {
		at := "fields." + strconv.Itoa(i+1)
		switch {
		case !fieldKey.MatchString(f.Key):
			return bad(at, "第%d个字段的键要用小写字母、数字和下划线，以字母开头", i+1)
		case seen[f.Key]:
			return bad(at, "第%d个字段的键和前面的重复", i+1)
		case f.Label == "" || utf8.RuneCountInString(f.Label) > maxName:
			return bad(at, "第%d个字段要有名称", i+1)
		case fieldTypes[f.Type] == "":
			return bad(at, "第%d个字段要选择类型", i+1)
		case f.Class != access.Open && f.Class != access.Business && f.Class != access.Personal && f.Class != access.Sensitive:
			return bad(at, "第%d个字段要选择保护级别", i+1)
		}
		if err := f.checkOptions(i+1, bad); err != nil {
			return err
		}
		seen[f.Key] = true
	}
	for _, role := range []string{
		t.Roles.HolderName, t.Roles.HolderCode, t.Roles.Number, t.Roles.IssueDate, t.Roles.ValidFrom, t.Roles.ValidTo,
	} {
		if role != "" && !seen[role] {
			return bad("roles", "指明的字段不在字段表里")
		}
	}
	if t.Roles.HolderName == "" {
		return bad("roles", "要指明哪个字段是持证主体名称")
	}
	return nil
}

// Finding is what a check of a license's fields found.
type Finding struct {
	Field   string `json:"field"`
	Label   string `json:"label"`
	Warning bool   `json:"warning"` // to be looked at; does not stop the license
	Text    string `json:"text"`
}

// CheckFields judges the values of a license of this type (Art. 9(1)): required
// fields, dates, numbers, check characters, lengths, and keys the type does not
// know. Findings never repeat the value.
func (t *Type) CheckFields(values map[string]string, today elicense.Date) []Finding {
	var found []Finding
	for _, f := range t.Fields {
		v := strings.TrimSpace(values[f.Key])
		if v == "" {
			// Units without a camera at the desk send the photo later, with a new version.
			if f.Required && f.Type != "image" {
				found = append(found, Finding{f.Key, f.Label, false, "必填，还没有填写"})
			}
			continue
		}
		if text, warning := checkValue(f, v, today); text != "" {
			found = append(found, Finding{f.Key, f.Label, warning, text})
		}
	}
	for k := range values {
		if t.Field(k) == nil {
			found = append(found, Finding{"", "", false, "有这类证照没有的字段"})
			break
		}
	}
	return append(found, t.checkDates(values)...)
}

func (t *Type) checkDates(values map[string]string) []Finding {
	to := values[t.Roles.ValidTo]
	for _, key := range []string{t.Roles.ValidFrom, t.Roles.IssueDate} {
		from := values[key]
		if from != "" && to != "" && to != "长期" && from > to {
			f := t.Field(t.Roles.ValidTo)
			return []Finding{{f.Key, f.Label, false, "早于发证日期或有效期起"}}
		}
	}
	return nil
}

// checkOptions judges what an enum can say.
func (f *Field) checkOptions(n int, bad func(string, string, ...any) error) error {
	at := "fields." + strconv.Itoa(n)
	switch {
	case len(f.Options) == 0:
		return nil
	case f.Type != "enum":
		return bad(at, "第%d个字段不是选项，不能列可选的内容", n)
	case len(f.Options) > maxOptions:
		return bad(at, "第%d个字段最多列%d个选项", n, maxOptions)
	}
	for k, o := range f.Options {
		if o == "" || o != strings.TrimSpace(o) || utf8.RuneCountInString(o) > maxName || strings.ContainsAny(o, optionsSplit+",|\n") || slices.Contains(f.Options[:k], o) {
			return bad(at, "第%d个字段的选项要各不相同，每项1到%d个字", n, maxName)
		}
	}
	return nil
}

// optionsSplit stands between the options of a field where they are typed in a line.
const optionsSplit = "/"

// OptionsLine writes the options of a field in a line; OptionsOf reads them.
func OptionsLine(options []string) string { return strings.Join(options, optionsSplit) }

// OptionsOf reads options that were typed in a line.
func OptionsOf(line string) (list []string) {
	for o := range strings.SplitSeq(strings.ReplaceAll(line, "／", optionsSplit), optionsSplit) {
		if o = strings.TrimSpace(o); o != "" {
			list = append(list, o)
		}
	}
	return list
}

var (
	moneyForm  = regexp.MustCompile(`^[0-9][0-9,]*(\.[0-9]{1,6})?(元|万元|亿元)?(人民币)?$`)
	numberForm = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?(㎡|平方米)?$`)
	intForm    = regexp.MustCompile(`^[0-9]{1,12}$`)
)

func checkValue(f Field, v string, today elicense.Date) (text string, warning bool) {
	if f.Type == "image" {
		if _, _, ok := Photo(v); !ok {
			return "要是不超过60KB的PNG或JPEG图片", false
		}
		return "", false
	}
	limit := maxString
	if f.Type == "text" || f.Type == "list" {
		limit = maxText
	}
	if utf8.RuneCountInString(v) > limit {
		return "太长，最多" + strconv.Itoa(limit) + "字", false
	}
	if !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\n' || r == utf8.RuneError }) {
		return "有不能使用的字符", false
	}
	switch f.Type {
	case "enum":
		if len(f.Options) > 0 && !slices.Contains(f.Options, v) {
			return "要从登记的选项里选", false
		}
	case "idno":
		return codeFinding(elicense.IDNumber(elicense.NormalizeCode(v)).Check(today), "公民身份号码")
	case "uscc":
		return codeFinding(elicense.UnitCode(elicense.NormalizeCode(v)).Check(), "统一社会信用代码")
	case "date":
		if v == "长期" && strings.HasPrefix(f.Key, "valid_to") {
			return "", false
		}
		if _, err := elicense.ParseDate(v); err != nil {
			return "日期要写成2026-11-23的样子，且确有这一天", false
		}
	case "datetime":
		day, clock, _ := strings.Cut(v, " ")
		if _, err := elicense.ParseDate(day); err != nil || (clock != "" && !regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`).MatchString(clock)) {
			return "时间要写成2026-11-23 09:30的样子", false
		}
	case "money":
		if !moneyForm.MatchString(v) {
			return "金额要写成100万元的样子", false
		}
	case "number":
		if !numberForm.MatchString(v) {
			return "要填数字", false
		}
	case "int":
		if !intForm.MatchString(v) {
			return "要填整数", false
		}
	}
	return "", false
}

func codeFinding(c elicense.CodeCheck, name string) (string, bool) {
	switch c {
	case elicense.CodeMalformed:
		return name + "的形式不对", false
	case elicense.CodeMismatch:
		return name + "的校验位不对", false
	case elicense.CodeDoubtful:
		return name + "的校验位不合算法；福建早期试点代码有此情形，请对照原证核对", true
	}
	return "", false
}
