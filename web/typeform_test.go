package web

import (
	"encoding/json"
	"net/url"
	"testing"

	"elicense/access"
	"elicense/catalog"
)

// TestANewVersionKeepsWhatTheEntrySays: a form opened from an entry and sent as it is
// says the same. What a form forgot would be gone with the next version: the consent
// of the holder, how strongly one signs in, what a third party must hold (Art. 2, 13, 17(3)).
func TestANewVersionKeepsWhatTheEntrySays(t *testing.T) {
	e := &catalog.Type{
		Code: "11350102FJDEM0275F009", Name: "婴幼儿托育机构登记证", English: "childcare license", Unit: "11350102FJDEM0275F", Issuers: nil, Category: "行政许可",
		Validity: catalog.Validity{Kind: "years", Years: 3, Text: "3年"}, Holders: catalog.Organizations, Mode: catalog.Bulk, Reason: "一次性大批量发放", Basis: "托育机构登记办法",
		Fields: []catalog.Field{
			{Key: "holder_name", Label: "名称", Type: "string", Required: true, Class: access.Open}, {Key: "uscc", Label: "统一社会信用代码", Type: "uscc", Class: access.Business},
			{Key: "license_no", Label: "证号", Type: "string", Class: access.Sensitive}, {Key: "issue_date", Label: "发证日期", Type: "date", Class: access.Open},
			{Key: "form", Label: "业态", Type: "enum", Class: access.Open, Options: []string{"全日托", "半日托"}}, {Key: "valid_from", Label: "有效期起", Type: "date", Class: access.Open}, {Key: "valid_to", Label: "有效期止", Type: "date", Class: access.Personal},
		},
		Roles:  catalog.Roles{HolderName: "holder_name", HolderCode: "uscc", Number: "license_no", IssueDate: "issue_date", ValidFrom: "valid_from", ValidTo: "valid_to"},
		Annual: "每年", Sharing: "有条件共享", Open: true, Consent: true, Level: 2, Qualification: "11350000FJDEM0072Q024", Standard: "11350000FJDEM0072Q001",
	}
	e.Issuers = append(e.Issuers, e.Unit, "11350100FJDEM0208L")
	e.Face = catalog.DefaultFace("另一个照面", e.Fields)
	in := typed{Values: url.Values{}}
	fillType(in, e)
	if in.Has("open") {
		t.Error("that it holds no secret is not confirmed anew")
	}
	in.Set("open", "on")
	got, err := typeFrom(e.Unit, in)
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	have, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != string(want) {
		t.Errorf("\n%s\nwant\n%s", have, want)
	}
}
