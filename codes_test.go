package elicense

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestUnitCode(t *testing.T) {
	for code, want := range map[UnitCode]CodeCheck{
		"91350100M000100Y43": CodeGood, // GB 32100-2015, the standard's example
		"11350128345071904J": CodeGood,
		"11100000000013338W": CodeGood,
		"91350100M0001TGQXM": CodeDoubtful, // lawful code of the early Fujian pilot
		"91350211M0000XUF46": CodeDoubtful,
		"91350100M000100Y4":  CodeMalformed,
		"9135010OM000100Y43": CodeMalformed, // the letter O
		"11350128345071904K": CodeMismatch,
		"":                   CodeMalformed,
	} {
		if got := code.Check(); got != want {
			t.Errorf("Check(%q) = %v, want %v", code, got, want)
		}
	}
}

func TestIDNumber(t *testing.T) {
	for n, want := range map[IDNumber]CodeCheck{
		"11010519491231002X": CodeGood, // GB 11643-1999, the standard's example
		"350100198506120117": CodeGood,
		"110105194912310021": CodeMismatch,
		"110105194913310028": CodeMalformed, // no 13th month
		"110105202712310024": CodeMalformed, // born tomorrow
		"110105491231002":    CodeMalformed, // 15 digits
		"1101051949123100X2": CodeMalformed,
	} {
		if got := n.Check("2026-11-23"); got != want {
			t.Errorf("Check(%q) = %v, want %v", n, got, want)
		}
	}
}

func TestIDNumberNoticesEverySingleDigitError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := []byte("11010519491231002X")
		i := rapid.IntRange(0, 16).Draw(t, "place")
		d := byte('0' + rapid.IntRange(0, 9).Draw(t, "digit"))
		if n[i] == d {
			return
		}
		n[i] = d
		if IDNumber(n).Check("2026-11-23") == CodeGood {
			t.Fatalf("%s passes", n)
		}
	})
}

// The published identifiers of other platforms, GB/T 36904-2018.
func TestIdentifierVectors(t *testing.T) {
	for _, id := range []Identifier{
		"1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U",
		"1.2.156.3005.2.11100000000013338W009.11330105002500287C.2025052201.002.0",
		"1.2.156.3005.2.11100000000013338W032.11220000013544541J.2430599.001.F",
		"1.2.156.3005.2.11100000000013338W009.11350128345071904J.2025000001.001.E",
		"1.2.156.3005.2.11100000000013338W002.11320482014138860P.201807250201.001.M",
	} {
		if !id.CheckCharacterHolds() {
			t.Errorf("%s: check character does not hold", id)
		}
		typ, issuer, serial, version, ok := id.Parts()
		if !ok {
			t.Fatalf("%s: not taken apart", id)
		}
		again, err := NewIdentifier(typ, issuer, serial, version)
		if err != nil || again != id {
			t.Errorf("NewIdentifier = %s, %v; want %s", again, err, id)
		}
	}
	if Identifier("1.2.156.3005.2.11100000000013661B006.113700000045046442.209FA4E88F9E4C878F3E9BED2CE7EA49.001.M").CheckCharacterHolds() {
		t.Error("an identifier known to be wrong passes")
	}
}

func TestIdentifierNoticesErrors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		serial := rapid.StringMatching(`[0-9A-Z]{1,32}`).Draw(t, "serial")
		version := rapid.IntRange(1, 999).Draw(t, "version")
		id, err := NewIdentifier("11100000000013338W011", "11350128345071904J", serial, version)
		if err != nil {
			t.Fatal(err)
		}
		if !id.CheckCharacterHolds() {
			t.Fatalf("%s does not hold", id)
		}
		// MOD 37,36 notices every substitution of one character.
		b := []byte(id)
		i := rapid.IntRange(len(identifierRoot)+1, len(b)-1).Draw(t, "place")
		c := rapid.SampledFrom([]byte("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")).Draw(t, "char")
		if b[i] == '.' || b[i] == c {
			return
		}
		b[i] = c
		if Identifier(b).CheckCharacterHolds() {
			t.Fatalf("%s passes for %s", b, id)
		}
	})
}

func TestIdentifierRefuses(t *testing.T) {
	for name, make := range map[string]func() (Identifier, error){
		"lower case serial": func() (Identifier, error) {
			return NewIdentifier("11100000000013338W011", "11350128345071904J", "abc", 1)
		},
		"no serial": func() (Identifier, error) { return NewIdentifier("11100000000013338W011", "11350128345071904J", "", 1) },
		"version 0": func() (Identifier, error) {
			return NewIdentifier("11100000000013338W011", "11350128345071904J", "A", 0)
		},
		"version 1000": func() (Identifier, error) {
			return NewIdentifier("11100000000013338W011", "11350128345071904J", "A", 1000)
		},
		"wrong issuer": func() (Identifier, error) {
			return NewIdentifier("11100000000013338W011", "11350128345071904K", "A", 1)
		},
		"short type": func() (Identifier, error) { return NewIdentifier("11100000000013338W", "11350128345071904J", "A", 1) },
		"letters in typ": func() (Identifier, error) {
			return NewIdentifier("11100000000013338W0A1", "11350128345071904J", "A", 1)
		},
	} {
		if id, err := make(); err == nil {
			t.Errorf("%s: %s, want an error", name, id)
		}
	}
}

func TestSerialsAreDrawnFromTheWholeAlphabet(t *testing.T) {
	seen := map[rune]bool{}
	for range 200 {
		s := NewSerial()
		if len(s) != 12 || !isBase36(s) {
			t.Fatalf("serial %q", s)
		}
		for _, c := range s {
			seen[c] = true
		}
	}
	if len(seen) != len(usccAlphabet) {
		t.Errorf("%d symbols seen, want %d", len(seen), len(usccAlphabet))
	}
}

func TestFoodLicenseNumber(t *testing.T) {
	if got, want := FoodLicenseNumber("JY", "1350102000001"), "JY13501020000011"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHolderRef(t *testing.T) {
	for _, tc := range []struct {
		name  string
		ref   HolderRef
		field string // "" for accepted
	}{
		{"a citizen", HolderRef{CodeCitizen, " 35010020240518003x ", "陈小例"}, ""},
		{"a pilot company", HolderRef{CodeUSCC, "91350100M0001TGQXM", "福州示例有限公司"}, ""},
		{"a passport", HolderRef{"414", "E12345678", "示例"}, ""},
		{"unknown code type", HolderRef{"112", "1", "示例"}, "codeType"},
		{"wrong check character", HolderRef{CodeCitizen, "350100198506120118", "陈示例"}, "code"},
		{"no name", HolderRef{CodeCitizen, "350100198506120117", " "}, "name"},
		{"no code", HolderRef{CodeOther, "", "示例"}, "code"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.ref.Normalize().Check("2026-11-23")
			if tc.field == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			e, ok := err.(*Error)
			if !ok || e.Field != tc.field {
				t.Fatalf("got %v, want an error of field %s", err, tc.field)
			}
			if tc.ref.Code != "" && strings.Contains(e.Message(), tc.ref.Code) {
				t.Errorf("the message repeats the code: %s", e.Message())
			}
		})
	}
}

func TestDates(t *testing.T) {
	if got := DateOf(time.Date(2026, 11, 22, 16, 0, 0, 0, time.UTC)); got != "2026-11-23" {
		t.Errorf("16:00 UTC is %s in Shanghai, want 2026-11-23", got)
	}
	if got := Date("2026-11-23").AddYears(5, true); got != "2031-11-22" {
		t.Errorf("five years from 2026-11-23 end on %s", got)
	}
	if got := Date("2024-02-29").AddYears(1, true); got != "2025-02-28" {
		t.Errorf("one year from 2024-02-29 ends on %s", got)
	}
	if got := Date("").Chinese(); got != "长期" {
		t.Errorf("the empty date reads %s", got)
	}
	for _, s := range []string{"2026-2-3", "2026-02-30", "20260203", "", "2026-11-23T00:00:00Z"} {
		if d, err := ParseDate(s); err == nil {
			t.Errorf("ParseDate(%q) = %s, want an error", s, d)
		}
	}
}

func TestIDsSortByTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Int64Range(0, 1<<47).Draw(t, "a")
		b := rapid.Int64Range(0, 1<<47).Draw(t, "b")
		x, y := NewID[CaseID](time.UnixMilli(a)), NewID[CaseID](time.UnixMilli(b))
		if !ValidID(x) || (a < b && x >= y) {
			t.Fatalf("%d -> %s, %d -> %s", a, x, b, y)
		}
	})
}
