package catalog

import (
	"strconv"
	"strings"

	"elicense"
)

// Item is a matter a type's licenses are the result of (关联事项).
type Item struct {
	Name string              `json:"itemName"`
	Code elicense.MatterCode `json:"itemCode"`
}

// Entry is a type as GB/T 36902 describes it, with the names of the standard.
type Entry struct {
	Name            string            `json:"certificateTypeName"`
	Code            elicense.TypeCode `json:"certificateTypeCode"`
	Definer         string            `json:"certificateDefineAuthorityName"`
	DefinerCode     elicense.UnitCode `json:"certificateDefineAuthorityCode"`
	DefinerLevel    string            `json:"certificateDefineAuthorityLevel"`
	Items           []Item            `json:"relatedItems,omitempty"`
	HolderCategory  string            `json:"certificateHolderCategory"`
	ValidityRange   string            `json:"validityRange"`
	IssuerLevels    string            `json:"certificateIssuingAuthorityLevel"`
	issuerLevelList []string
}

// The levels of authorities.
const (
	levelNation   = "国家级"
	levelProvince = "省级"
	levelCity     = "地市级"
	levelCounty   = "区县级"
	levelOther    = "其他"
)

// level is that of an authority, by the division of GB/T 2260 in its code.
func level(code elicense.UnitCode) string {
	if len(code) != 18 {
		return levelOther
	}
	switch region := string(code[2:8]); {
	case region == "100000":
		return levelNation
	case strings.HasSuffix(region, "0000"):
		return levelProvince
	case strings.HasSuffix(region, "00"):
		return levelCity
	}
	return levelCounty
}

// definer is the authority that defined the type: its code is the beginning of the
// type's.
func (t *Type) definer() elicense.UnitCode {
	if len(t.Code) < 18 {
		return t.Unit
	}
	return elicense.UnitCode(t.Code[:18])
}

// between joins several values of an element, as systems of GB/T 36902 do.
const between = "^"

// Entry returns the type as GB/T 36902 describes it.
func (t *Type) Entry(names map[elicense.UnitCode]string, items []Item) Entry {
	e := Entry{
		Name: t.Name, Code: t.Code, DefinerCode: t.definer(), Definer: names[t.definer()], DefinerLevel: level(t.definer()), Items: items,
		HolderCategory: t.holderCategory(), ValidityRange: t.validityRange(),
	}
	for _, u := range t.Issuers {
		if l := level(u); !strings.Contains(e.IssuerLevels, l) {
			e.issuerLevelList = append(e.issuerLevelList, l)
			e.IssuerLevels = strings.Join(e.issuerLevelList, between)
		}
	}
	return e
}

// IssuerLevelList are the levels of the issuing units.
func (e Entry) IssuerLevelList() []string { return e.issuerLevelList }

func (t *Type) holderCategory() string {
	if t.Holders == AnyHolder {
		return Persons.Chinese() + between + Organizations.Chinese()
	}
	return t.Holders.Chinese()
}

func (t *Type) validityRange() string {
	switch t.Validity.Kind {
	case "none":
		return "长期"
	case "years":
		return strconv.Itoa(t.Validity.Years) + "年"
	}
	return t.Validity.Text
}
