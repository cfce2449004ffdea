package access_test

import (
	"strings"
	"testing"

	"elicense"
	"elicense/access"
	"elicense/org"
	"elicense/store"
)

const noTobacco = `@article("第十八条第一款")
@reason("不能查看：系统核查期间暂停查询食品经营许可证")
@next("核查结束后再查；急用的请持证人自己出示")
forbid (principal, action == Action::"case.use", resource)
when { context.type == "` + string(typ) + `" };`

// TestALocalRule (Art. 13(2)) goes through the life of a rule: it binds when a second
// administrator approves it and not before, at once and in a program started anew; its
// next version replaces it; its end takes two as well. What the law said before is not
// said again.
func TestALocalRule(t *testing.T) {
	each(t, func(d *desk) {
		ctx := t.Context()
		citizen := func(code, name string) elicense.HolderRef {
			return elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: code, Name: name}
		}
		const administration = "11350000FJDEM0021G"
		d.must(d.org.Install(ctx, []org.Unit{{Code: administration, Short: "dsj-fj", Name: "省数据管理局", Region: "350000", Kind: "egov"}}))
		d.must(d.org.Enroll(ctx, []org.Staff{
			{Login: "adm1", Unit: office, Kind: elicense.Staff, Name: "方管理", Person: citizen("110105194912310011", "方管理"), Duties: []elicense.Duty{elicense.DutyTypes}},
			{Login: "adm2", Unit: administration, Kind: elicense.Staff, Name: "钟管理", Person: citizen("350100199209110021", "钟管理"), Duties: []elicense.Duty{elicense.DutyAccounts}},
		}))
		one, err := d.org.ActorByLogin(ctx, "adm1", "r")
		d.must(err)
		two, err := d.org.ActorByLogin(ctx, "adm2", "r")
		d.must(err)
		rules := &access.Rules{DB: d.db, Guard: d.guard}
		says := func(err error, kind elicense.Kind, text string) {
			d.t.Helper()
			if !elicense.IsKind(err, kind) || !strings.Contains(message(err), text) {
				d.t.Errorf("got %v, want %q", err, text)
			}
		}
		n := 0
		uses := func(g *access.Guard) error {
			n++
			build, _ := d.asks(d.clerk, nil)
			if err := g.Write(ctx, build, change("use"+strings.Repeat("x", n))); err != nil {
				return err
			}
			_, err := g.Read(ctx, build, func(*store.Tx, *access.Permit) error { return nil })
			return err
		}
		d.must(uses(d.guard))
		_, _, err = rules.Propose(ctx, one, "", "暂停查询", "闽数〔2026〕7号", strings.Replace(noTobacco, "forbid", "permit", 1))
		says(err, elicense.Invalid, "不能允许")
		_, _, err = rules.Propose(ctx, one, "", "", "闽数〔2026〕7号", noTobacco)
		says(err, elicense.Invalid, "规则的名称")
		_, _, err = rules.Propose(ctx, one, "local-9", "暂停查询", "闽数〔2026〕7号", noTobacco)
		says(err, elicense.NotFound, "没有这条")
		_, _, err = rules.Propose(ctx, d.clerk, "", "暂停查询", "闽数〔2026〕7号", noTobacco)
		says(err, elicense.Forbidden, "本地规则由电子政务管理部门")
		id, version, err := rules.Propose(ctx, one, "", "暂停查询", "闽数〔2026〕7号", noTobacco)
		d.must(err)
		d.must(uses(d.guard)) // it waits
		says(rules.Decide(ctx, one, id, version, true), elicense.Forbidden, "不能是同一个人")
		d.must(rules.Decide(ctx, two, id, version, true))
		says(rules.Decide(ctx, two, id, version, true), elicense.Forbidden, "不能是同一个人") // he is the last who acted
		says(rules.Decide(ctx, one, id, version, true), elicense.Conflict, "没有待核对的")

		err = uses(d.guard)
		says(err, elicense.Forbidden, "系统核查期间暂停查询")
		last := d.records()[0]
		if last.Rule != id || last.Clause != "第十八条第一款" || last.Outcome != store.Refused || d.guard.Refusals()[id] != 1 {
			d.t.Errorf("record %+v", last)
		}
		law, err := access.TheLaw()
		d.must(err)
		anew := access.NewGuard(d.db, law) // as at the start of the program
		says(uses(anew), elicense.Forbidden, "系统核查期间暂停查询")
		build, _ := d.asks(d.other, nil)
		says(d.guard.Write(ctx, build, change("other")), elicense.Forbidden, "不是您经办的办件") // the law's own refusals stay

		// A decision made before the rule was approved does not stand after it.
		says(rules.ProposeEnd(ctx, one, id, 1, " "), elicense.Invalid, "停用的理由")
		d.must(rules.ProposeEnd(ctx, one, id, 1, "核查结束"))
		says(uses(d.guard), elicense.Forbidden, "暂停查询") // until two have said so
		_, _, err = rules.Propose(ctx, one, id, "暂停查询", "闽数〔2026〕8号", noTobacco)
		says(err, elicense.Conflict, "待核对")
		d.must(rules.Decide(ctx, two, id, 1, true))
		d.must(uses(d.guard))
		_, version, err = rules.Propose(ctx, one, id, "暂停查询", "闽数〔2026〕8号", strings.Replace(noTobacco, "系统核查", "升级", 1))
		d.must(err)
		build, asked := d.asks(d.clerk, func() { d.must(rules.Decide(ctx, two, id, version, true)) })
		says(d.guard.Write(ctx, build, change("meanwhile")), elicense.Forbidden, "升级期间暂停查询")
		if *asked != 2 || d.changes("meanwhile") != 0 {
			d.t.Errorf("decided %d times, %d changes", *asked, d.changes("meanwhile"))
		}
		_, third, err := rules.Propose(ctx, two, id, "暂停查询", "闽数〔2026〕9号", strings.Replace(noTobacco, string(typ), "another", 1))
		d.must(err)
		d.must(rules.Decide(ctx, one, id, third, true))
		d.must(uses(d.guard)) // the third version is about another type
		list, err := rules.List(ctx)
		d.must(err)
		if len(list) != 3 || list[0].State != access.RuleInForce || list[0].Rule.Reason == "" || list[1].State != access.RuleReplaced || list[2].State != access.RuleEnded || len(list[2].Steps) != 4 {
			d.t.Errorf("%+v", list)
		}

		acts := access.RuleActs{}
		for _, r := range d.records() {
			acts.Count(&r)
		}
		wrong := func() (found []string) {
			d.t.Helper()
			d.must(d.db.View(ctx, func(tx *store.Tx) error {
				return access.EachLocalRule(tx, acts, func(id string, err error) error {
					if err != nil {
						found = append(found, id)
					}
					return nil
				})
			}))
			return found
		}
		// A row that is put back to what it once was, or gone, has lost what was done.
		row := func(q string, args ...any) func(*store.Tx) error {
			return func(tx *store.Tx) error {
				_, err := tx.Exec(q, args...)
				return err
			}
		}
		if found := wrong(); len(found) != 0 {
			d.t.Errorf("found %q in what was left so", found)
		}
		var title, doc, text, state, steps string
		var stamp int64
		var mac []byte
		d.must(d.db.View(ctx, func(tx *store.Tx) error {
			return tx.Row(`SELECT title, doc_no, rule, state, steps, stamp, mac FROM local_rule WHERE version = $1`, third).Scan(&title, &doc, &text, &state, &steps, &stamp, &mac)
		}))
		d.must(rules.ProposeEnd(ctx, one, id, third, "不再需要"))
		acts[id+" 3"]++
		back := row(`UPDATE local_rule SET state = $1, steps = $2, stamp = $3, mac = $4 WHERE version = $5`, state, steps, stamp, mac, third)
		d.must(d.db.Update(ctx, back))
		if found := wrong(); len(found) != 1 || found[0] != id+" 3" {
			d.t.Errorf("found %q after a row was put back", found)
		}
		d.must(d.db.Update(ctx, row(`DELETE FROM local_rule WHERE version = $1`, third)))
		if found := wrong(); len(found) != 1 || found[0] != id+" 3" {
			d.t.Errorf("found %q after a row was deleted", found)
		}
		d.must(d.db.Update(ctx, row(`INSERT INTO local_rule (id, version, state, title, doc_no, rule, steps, stamp, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			id, third, state, title, doc, text, steps, stamp, mac)))
		acts[id+" 3"]--

		// A row two persons did not leave so is named, and nobody does anything by it.
		d.must(d.db.Update(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(`UPDATE local_rule SET rule = $1 WHERE version = $2`, strings.Replace(noTobacco, string(typ), "none", 1), third)
			return err
		}))
		if found := wrong(); len(found) != 1 || found[0] != id+" 3" {
			d.t.Errorf("found %q", found)
		}
		says(uses(d.guard), elicense.Unavailable, "本地访问规则读不出来")
	})
}
