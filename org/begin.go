package org

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"elicense"
	"elicense/store"
)

var loginForm = regexp.MustCompile(`^[a-z][a-z0-9-]{1,39}$`)

// Begin makes the first unit of an empty platform and its administrator, who
// publishes types and matters and keeps accounts. It is for whoever runs the
// platform's program on its own machine, before anybody can sign in: on record, and
// never again.
//
// Errors: Invalid naming what is wrong; Conflict if there is anybody or any unit
// already.
func (o *Org) Begin(ctx context.Context, unit Unit, admin Staff, request string) error {
	unit.Code = elicense.UnitCode(elicense.NormalizeCode(string(unit.Code)))
	unit.Name, admin.Name = strings.TrimSpace(unit.Name), strings.TrimSpace(admin.Name)
	unit.Kind, unit.Roles = "egov", []string{"egov"}
	admin.Kind, admin.Unit = elicense.Staff, unit.Code
	admin.Duties = []elicense.Duty{elicense.DutyTypes, elicense.DutyAccounts}
	admin.Person = elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: admin.Person.Code, Name: admin.Name}.Normalize()
	if err := checkBegin(unit, admin, elicense.DateOf(o.now())); err != nil {
		return err
	}
	digest := DigestSecret(admin.Secret)
	rec := store.Record{
		Request: request, ActorName: "elicense init", Unit: string(unit.Code), Act: "begin", Outcome: store.Done, Rule: "begin", Clause: "第五条",
	}
	var taken bool
	err := o.db.Update(ctx, func(tx *store.Tx) error {
		var units, people int
		if err := tx.Row(`SELECT (SELECT COUNT(*) FROM unit), (SELECT COUNT(*) FROM account)`).Scan(&units, &people); err != nil {
			return err
		}
		if taken = units+people > 0; taken {
			return elicense.E(elicense.Conflict, "没有办理：平台上已经有单位或账号").Then("请由平台的管理员办理")
		}
		if err := AddUnit(tx, unit); err != nil {
			return err
		}
		if err := enroll(tx, admin, digest); err != nil {
			return err
		}
		tx.Record(rec)
		return nil
	})
	if !taken {
		return err
	}
	rec.Outcome, rec.Detail = store.Refused, map[string]string{"kind": elicense.Conflict.String()}
	if _, rerr := o.db.Record(ctx, rec); rerr != nil {
		return rerr
	}
	return err
}

func checkBegin(unit Unit, admin Staff, today elicense.Date) error {
	bad := func(field, text string, args ...any) error {
		return elicense.E(elicense.Invalid, text, args...).At(field).Then("请核对后再运行")
	}
	switch {
	case unit.Code.Check() > elicense.CodeDoubtful:
		return bad("unit-code", "单位的统一社会信用代码不对")
	case unit.Name == "":
		return bad("unit-name", "要写明单位名称")
	case !regionForm.MatchString(string(unit.Region)) || unit.RegionName == "":
		return bad("region", "要写明6位的行政区划代码和地区名称")
	case admin.Name == "":
		return bad("name", "要写明管理员的姓名")
	}
	for _, err := range []error{CheckLogin(admin.Login), CheckPassword(admin.Login, admin.Secret)} {
		var wrong *elicense.Error
		if errors.As(err, &wrong) {
			return wrong.Then("请核对后再运行")
		}
	}
	return admin.Person.Check(today)
}

var regionForm = regexp.MustCompile(`^[0-9]{6}$`)
