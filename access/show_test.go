package access

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"elicense"
)

func TestMaskingNames(t *testing.T) {
	for _, tc := range []struct{ name, want string }{
		{"", ""}, {"陈", "*"}, {"陈例", "*例"}, {"陈示例", "陈*例"}, {"阿卜杜拉·示例", "阿*****例"}, {"𰻝示", "*示"},
	} {
		if got := MaskName(tc.name); got != tc.want {
			t.Errorf("MaskName(%q) = %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestHoldersInLists(t *testing.T) {
	for _, tc := range []struct{ is, want elicense.HolderRef }{
		{elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: "350100198506120117", Name: "陈示例"}, elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: "350100********0117", Name: "陈*例"}},
		{elicense.HolderRef{CodeType: elicense.CodeUSCC, Code: "91350102FJDEM90180", Name: "福州示例餐饮有限公司"}, elicense.HolderRef{CodeType: elicense.CodeUSCC, Code: "91350102FJDEM90180", Name: "福州示例餐饮有限公司"}},
		{elicense.HolderRef{Code: "E12345678", Name: "陈例"}, elicense.HolderRef{Code: "*********", Name: "*例"}},
	} {
		if got := MaskHolder(tc.is); got != tc.want {
			t.Errorf("%+v, want %+v", got, tc.want)
		}
	}
}

func TestNumbersOfLicenses(t *testing.T) {
	for number, want := range map[string]string{
		"350100198506120117": "350100********0117", "35010019850612011743": "350100********011743", "JY23501020000091": "JY23501020000091",
		"闽(2025)福州市不动产权第9000116号": "闽(2025)福州市不动产权第9000116号", "91350102FJDEM90180": "91350102FJDEM90180", "": "",
	} {
		if got := MaskNumber(number); got != want {
			t.Errorf("MaskNumber(%q) = %q, want %q", number, got, want)
		}
	}
}

// TestMaskingKeepsLengthAndLittleElse: a mask is as long as what it hides, shows
// the head and tail it was asked for, and nothing between them.
func TestMaskingKeepsLengthAndLittleElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.StringOf(rapid.RuneFrom([]rune("0123456789X闽样"))).Draw(t, "code")
		head, tail := rapid.IntRange(0, 7).Draw(t, "head"), rapid.IntRange(0, 7).Draw(t, "tail")
		got, n := []rune(MaskCode(code, head, tail)), utf8.RuneCountInString(code)
		if len(got) != n {
			t.Fatalf("%d characters of %d", len(got), n)
		}
		if n <= head+tail {
			head, tail = 0, 0
		}
		for i, r := range got {
			if shown := i < head || i >= n-tail; shown != (r != '*') {
				t.Fatalf("MaskCode(%q, %d, %d) = %q", code, head, tail, string(got))
			}
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOf(rapid.RuneFrom([]rune("陈林黄郑吴示例样本"))).Draw(t, "name")
		got := MaskName(name)
		if utf8.RuneCountInString(got) != utf8.RuneCountInString(name) || name != "" && !strings.Contains(got, "*") {
			t.Fatalf("MaskName(%q) = %q", name, got)
		}
	})
}

// TestProjectionShowsNothingElse: what is shown was asked for and is on the
// license, with its own value.
func TestProjectionShowsNothingElse(t *testing.T) {
	keys := rapid.SampledFrom([]string{"name", "uscc", "id_no", "address", "scope", "valid_to"})
	rapid.Check(t, func(t *rapid.T) {
		fields := rapid.MapOf(keys, rapid.String()).Draw(t, "fields")
		needed := rapid.SliceOf(keys).Draw(t, "needed")
		got := Project(fields, needed)
		for k, v := range got {
			if have, ok := fields[k]; !ok || have != v || !slices.Contains(needed, k) {
				t.Fatalf("Project(%v, %v) = %v", fields, needed, got)
			}
		}
		for _, k := range needed {
			if _, on := fields[k]; on != (got[k] == fields[k] && has(got, k)) {
				t.Fatalf("Project(%v, %v) = %v leaves out %s", fields, needed, got, k)
			}
		}
	})
}

func has(m map[string]string, k string) bool { _, ok := m[k]; return ok }

func TestSensitiveFieldsAreMaskedLineByLine(t *testing.T) {
	for _, tc := range []struct{ typ, value, want string }{
		{"idno", "350100198506120117", "350100********0117"},
		{"plate", "闽A12345", "闽A***45"},
		{"enum", "肢体", "**"},
		{"string", "福州市鼓楼区", "福****区"},
		{"image", "data:image/png;base64,AAAA", ""},
		{"list", "350100198506120117\n陈示例", "3****************7\n陈*例"},
		{"string", "", ""},
	} {
		if got := MaskField(tc.typ, tc.value); got != tc.want {
			t.Errorf("%s %q: %q, want %q", tc.typ, tc.value, got, tc.want)
		}
	}
}
