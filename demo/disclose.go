package demo

import (
	"context"

	"elicense"
	"elicense/sharing"
)

// disclosed is an act of statutory disclosure that was approved and read, whose
// holder is told later by law; its day to read is over when the demo opens.
func (d *Data) disclosed(ctx context.Context, p Platform, a *actors, today elicense.Date) error {
	id, err := d.disclose(ctx, p, a, sharing.Disclosure{
		Holder: d.persons()[58].ref, DocNo: "榕公调〔2026〕15号", Reason: "核实房屋权属",
		Fields: []string{"cert_no", "owners", "owner_ids", "location", "reg_date"}, TellFrom: elicense.DateOf(today.Start().AddDate(0, 0, 90)), TellBasis: "《中华人民共和国个人信息保护法》第三十五条",
	})
	if err != nil {
		return err
	}
	second, err := a.get(ctx, "disclose-2")
	if err != nil {
		return err
	}
	if err := p.Sharing.DecideDisclosure(ctx, second, id, true); err != nil {
		return err
	}
	_, err = p.Sharing.ReadDisclosure(ctx, second, id)
	return err
}

// toDisclose is an act that waits for its second officer.
func (d *Data) toDisclose(ctx context.Context, p Platform, a *actors) error {
	_, err := d.disclose(ctx, p, a, sharing.Disclosure{Holder: d.persons()[60].ref, DocNo: "榕公调〔2026〕16号", Fields: []string{"cert_no", "location"}})
	return err
}

func (d *Data) disclose(ctx context.Context, p Platform, a *actors, x sharing.Disclosure) (string, error) {
	first, err := a.get(ctx, "disclose-1")
	if err != nil {
		return "", err
	}
	x.Type, x.All, x.Basis = d.TypeCode("T09"), true, "《中华人民共和国刑事诉讼法》第五十四条"
	return p.Sharing.ProposeDisclosure(ctx, first, x)
}
