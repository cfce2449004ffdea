package issuance_test

import (
	"testing"
	"time"

	"elicense"
	"elicense/e2e/world"
	"elicense/issuance"
	"elicense/org"
	"elicense/sealing"
)

const body elicense.UnitCode = "91350500FJDEM0400K"

// A third party issues only while it holds its own qualification in force: on the
// day of review and on the day of sealing (Art. 2).
func TestThirdPartyNeedsItsQualification(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		ok := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		ok(w.Org.Install(ctx, []org.Unit{{Code: body, Short: "jcjg", Name: "泉州示例检验检测有限公司", Region: "350500", RegionName: "泉州市", Kind: org.ThirdParty, Roles: []string{"issue"}}}))
		person := func(code, name string) elicense.HolderRef {
			return elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: code, Name: name}
		}
		ok(w.Org.Enroll(ctx, []org.Staff{
			{Login: "tester", Kind: elicense.Staff, Name: "张样", Secret: world.Password, Unit: body, Person: person("350100199003070028", "张样"), Duties: []elicense.Duty{elicense.DutyDraft, elicense.DutyRegister}},
			{Login: "approver", Kind: elicense.Staff, Name: "王示范", Secret: world.Password, Unit: body, Person: person("350200197809250155", "王示范"), Duties: []elicense.Duty{elicense.DutyReview}},
		}))
		drafter, err := w.Org.ActorByLogin(ctx, "tester", "test")
		ok(err)
		reviewer, err := w.Org.ActorByLogin(ctx, "approver", "test")
		ok(err)
		s, err := w.Seals.Apply(ctx, reviewer, sealing.Application{})
		ok(err)
		ok(w.Seals.Make(ctx, w.Admin, s.ID))
		ok(w.Seals.Move(ctx, w.Admin, s.ID, sealing.Filed, ""))
		ok(w.Seals.Move(ctx, w.Admin, s.ID, sealing.Enabled, ""))
		report := world.FoodType()
		report.Code, report.Name, report.Unit = elicense.TypeCode(string(body)+"026"), "检验检测报告", body
		report.Issuers = []elicense.UnitCode{body}
		if err := w.Catalog.Propose(ctx, drafter, report); !elicense.IsKind(err, elicense.Invalid) {
			t.Errorf("a third party's type that names no qualification: %v", err)
		}
		report.Qualification = world.Type
		ok(w.Catalog.Propose(ctx, drafter, report))
		ok(w.Catalog.Decide(ctx, w.Admin, report.Code, 1, true, ""))

		draft := func(number string) *issuance.Draft {
			c := w.Completion(number)
			c.Type = report.Code
			d, err := w.Issuer.Complete(ctx, drafter, c)
			ok(err)
			return d
		}
		refused := func(d *issuance.Draft, when string) {
			t.Helper()
			if err := w.Issuer.Approve(ctx, reviewer, d.ID, d.Seq, ""); !elicense.IsKind(err, elicense.Forbidden) {
				t.Errorf("%s: %v", when, err)
			}
		}
		first := draft("R1")
		refused(first, "without a qualification")
		own := w.Completion("Q1")
		own.Holders = []elicense.HolderRef{{CodeType: elicense.CodeUSCC, Code: string(body), Name: "泉州示例检验检测有限公司"}}
		own.Fields["holder_name"], own.Fields["uscc"] = "泉州示例检验检测有限公司", string(body)
		qualification := w.Publish(t, own)
		ok(w.Issuer.Approve(ctx, reviewer, first.ID, first.Seq, ""))
		for range 6000 {
			r, err := w.Issuer.Get(ctx, reviewer, first.ID)
			ok(err)
			if first = r.Draft; first.State == issuance.Published {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		if first.State != issuance.Published {
			t.Fatalf("the report is %s", first.State)
		}
		w.Change(t, qualification.License, elicense.EventSuspend)
		refused(draft("R2"), "with a suspended qualification")
	})
}
