package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"elicense"
	"elicense/references"
	"elicense/workday"
)

// tobacco is the system that returns tobacco licenses to the district's bureau.
const tobacco = "tobacco-files"

// returns connects one ministry's system, which drops a signed file with a bad row and
// a statement that names one license too many; the others are awaited, and what was
// asked of them stands on the board (Art. 14(2)).
func (d *Data) returns(ctx context.Context, p Platform, now time.Time) error {
	admin, err := p.Org.ActorByLogin(ctx, "admin", "demo")
	if err != nil {
		return err
	}
	key, pem, err := p.Signer()
	if err != nil {
		return err
	}
	code := d.TypeCode("T22")
	source := references.Source{
		ID: tobacco, Name: source("T22"), Ministry: "国家烟草专卖局", Unit: d.Unit("yc-gl"), Kind: references.File, Key: pem, State: references.Live,
		Types: []references.Returns{{Type: code, Hours: 48}},
	}
	if err := p.References.Register(ctx, admin, source); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	day := elicense.DateOf(now.AddDate(0, 0, -9))
	row := func(n int, ref elicense.HolderRef) references.Row {
		to := string(day.AddYears(5, true))
		return references.Row{Type: code, Holders: []elicense.HolderRef{ref}, IssuedOn: day, Fields: map[string]string{
			"holder_name": ref.Name, "uscc": ref.Code, "principal": "陈示例", "premises": "福州市鼓楼区东街8号", "scope": "卷烟零售；雪茄烟零售", "supplier": "福州市烟草公司",
			"license_no": fmt.Sprintf("350102%06d", 880000+n), "valid_from": string(day), "valid_to": to,
		}}
	}
	firm := elicense.HolderRef{CodeType: elicense.CodeUSCC, Code: "91350102FJDEM90180", Name: "福州示例餐饮有限公司"}
	wrong := firm
	wrong.Code = "91350102FJDEM90181"
	var rows strings.Builder
	for _, r := range []references.Row{row(1, firm), row(2, firm), row(3, wrong)} {
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		rows.Write(append(b, '\n'))
	}
	var listed []references.Listed
	var prints []string
	for n := 1; n <= 3; n++ {
		r := row(n, firm)
		r.ValidFrom, r.ValidTo = day, elicense.Date(r.Fields["valid_to"])
		listed = append(listed, references.Listed{Number: r.Fields["license_no"], Fingerprint: r.Fingerprint()})
		prints = append(prints, r.Fingerprint())
	}
	statement, err := json.Marshal(references.Statement{Type: code, Day: day, Count: len(listed), Digest: references.Total(prints), List: listed})
	if err != nil {
		return err
	}
	dir := filepath.Join(p.References.Dir, tobacco)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// In this order: each may be taken as soon as it stands there, and a statement before
	// its rows says that they are missing.
	for _, file := range []struct {
		name string
		data []byte
	}{{"1-新办.jsonl", []byte(rows.String())}, {"2-对账.statement.json", statement}} {
		name, data := file.name, file.data
		manifest, err := references.SignFile(key, tobacco, name, data)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
		// Whole at once: it may be looked for at this moment.
		part := filepath.Join(dir, name+".part")
		if err := os.WriteFile(part, manifest, 0o600); err != nil {
			return err
		}
		if err := os.Rename(part, filepath.Join(dir, name+".sign")); err != nil {
			return err
		}
	}
	clerk, err := p.Org.ActorByLogin(ctx, "make-yc-gl", "demo")
	if err != nil {
		return err
	}
	if err := p.References.Ask(ctx, clerk, tobacco); err != nil {
		return err
	}
	return d.awaited(ctx, p, now)
}

// awaited is what the demo's units await of ministries.
func (d *Data) awaited(ctx context.Context, p Platform, now time.Time) error {
	at := func(days int) elicense.Date { return elicense.DateOf(now.AddDate(0, 0, -days)) }
	year := workday.DateOf(now).Year
	type entry struct {
		login, system, ministry string
		types                   []string
		begun, next             int // days before now
		steps                   []references.Step
		state                   references.AwaitedState
	}
	driving := entry{"make-ga-fz", "全国公安交通管理综合应用平台", "公安部", []string{"T10"}, 41, -12, []references.Step{
		{Kind: references.ByLetter, On: at(37), Doc: fmt.Sprintf("榕公函〔%d〕47号", year), To: "公安部交通管理局", Text: "商请回传机动车驾驶证状态"},
	}, references.Requested}
	if p.Ministry != nil {
		driving.system, driving.state = ministryName, references.Connected
		driving.steps = append(driving.steps, references.Step{Kind: references.Answer, On: at(2), To: "公安部交通管理局", Text: "同意按接口回传，地址和公钥已给"})
	}
	for _, x := range []entry{
		{"make-ga-fz", "全国人口信息系统", "公安部", []string{"T04", "T05"}, 86, 6, []references.Step{
			{Kind: references.ByLetter, On: at(80), Doc: fmt.Sprintf("榕公函〔%d〕31号", year), To: "公安部户政管理局", Text: "商请按日回传居民身份证、户口簿签发和变更数据"},
			{Kind: references.Answer, On: at(52), To: "公安部户政管理局", Text: "需由省厅统一接入，正在研究接口"},
			{Kind: references.ByMeeting, On: at(20), Doc: "专题会议纪要第4期", To: "省公安厅", Text: "请省厅统一向部里提出"},
		}, references.Answered},
		driving,
		{"make-rs-fj", "全国社会保障卡持卡库", "人力资源和社会保障部", []string{"T20"}, 120, -30, []references.Step{
			{Kind: references.ByLetter, On: at(110), Doc: fmt.Sprintf("闽人社函〔%d〕12号", year), To: "人力资源和社会保障部信息中心", Text: "商请回传电子社保卡签发数据"},
			{Kind: references.ByCall, On: at(62), To: "部信息中心", Text: "今年没有排期"},
		}, references.Deferred},
	} {
		who, err := p.Org.ActorByLogin(ctx, x.login, "demo")
		if err != nil {
			return err
		}
		a := references.Awaited{System: x.system, Ministry: x.ministry, Begun: at(x.begun)}
		for _, t := range x.types {
			a.Types = append(a.Types, d.TypeCode(t))
		}
		made, err := p.References.Await(ctx, who, a)
		if err != nil {
			return fmt.Errorf("awaited of %s: %w", x.ministry, err)
		}
		for i, s := range x.steps {
			state, next := references.Requested, elicense.Date("")
			if i == len(x.steps)-1 {
				state = x.state
				if state != references.Connected {
					next = at(x.next)
				}
			}
			if err := p.References.Did(ctx, who, made.ID, int64(i+1), s, state, next); err != nil {
				return fmt.Errorf("awaited of %s: %w", x.ministry, err)
			}
		}
	}
	return nil
}
