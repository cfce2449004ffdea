// Package letters makes the notices a unit gives an applicant in a case (文书):
// what was received, that the application is accepted, what is missing, why it is
// not accepted. Each is dated, numbered, in words an applicant can take to a
// higher authority or a court, and sealed: an OFD document under the unit's
// electronic seal (行政许可法 32(2); Art. 11, 16).
//
// A notice follows from a step of the case and is sealed by a job of that step;
// the receipt of a window's materials is sealed when the clerk asks for it. Until
// a notice is sealed its words can be printed and sealed by hand: a unit without
// an electronic seal, or a machine without fonts, does not stop a case.
package letters

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/cases"
)

// Kind is a kind of notice.
type Kind string

// The kinds.
const (
	Received Kind = "received" // 材料接收凭证
	Accepted Kind = "accepted" // 受理通知书
	Correct  Kind = "correct"  // 补正告知书
	Refused  Kind = "refused"  // 不予受理通知书

	// Delivered is of no step of a case: room delivery writes it (Art. 14(1)).
	Delivered Kind = "delivered" // 送达清单
)

type about struct {
	title, number string // the number is of a year and a case
	steps         []cases.Move
	basis         string
}

const licensingLaw = "行政许可法第三十二条"

var kinds = map[Kind]about{
	Received:  {"材料接收凭证", "接收字〔%d〕%s号", []cases.Move{cases.Open, cases.Send, cases.Supply}, licensingLaw},
	Accepted:  {"受理通知书", "受理字〔%d〕%s号", []cases.Move{cases.Accept, cases.Deem}, licensingLaw},
	Correct:   {"补正告知书", "补正字〔%d〕%s号", []cases.Move{cases.Correct}, licensingLaw},
	Delivered: {title: "送达清单", basis: "福建省促进电子证照应用管理暂行办法第十四条第一款"},
	Refused:   {"不予受理通知书", "不受字〔%d〕%s号", []cases.Move{cases.Refuse}, licensingLaw},
}

// Chinese returns the title of such a notice.
func (k Kind) Chinese() string { return kinds[k].title }

// KindOf is the kind of notice a step leads to; empty if to none.
func KindOf(m cases.Move) Kind {
	for k, a := range kinds {
		if slices.Contains(a.steps, m) {
			return k
		}
	}
	return ""
}

// Due lists the notices a case has come to, in the order they are shown.
func Due(k *cases.Case, course []cases.Step) []Kind {
	var list []Kind
	if k.Kind == cases.Enforcement || k.Stage == cases.Filling {
		return nil
	}
	for _, kind := range []Kind{Received, Correct, Accepted, Refused} {
		if stepOf(kind, course) != nil {
			list = append(list, kind)
		}
	}
	return list
}

// stepOf is the latest step a notice of the kind tells about, nil if there is none.
func stepOf(kind Kind, course []cases.Step) *cases.Step {
	for i := len(course) - 1; i >= 0; i-- {
		if slices.Contains(kinds[kind].steps, course[i].Kind) {
			return &course[i]
		}
	}
	return nil
}

// Letter is a notice: its words, and its sealed file once there is one.
type Letter struct {
	Kind   Kind
	Step   int64 // of the case's course
	Number string
	Unit   string // name of the unit that gives it
	To     string // names of the parties
	Date   elicense.Date
	Body   []string // paragraphs
	Table  [][2]string
	After  []string // paragraphs below the table
	Foot   []string

	File    string // name in the file store; empty until it is sealed
	Sealed  time.Time
	Trouble string // why it is not sealed yet

	digest []byte
	docID  [16]byte
}

// Fixed are the words every printed notice has until it is sealed.
var Fixed = struct {
	Columns           [3]string // of the table
	Stamp, Sign, Date string
}{[3]string{"序号", "材料", "怎么提供的"}, "（加盖行政许可专用印章）", "申请人签收：", "日期："}

// source is what the words of a notice come from.
type source struct {
	k                 *cases.Case
	m                 *cases.Matter
	course            []cases.Step
	given             map[int]*cases.Given
	unit, implementer string
	online            string // address of the matter's page, if it can be applied for online
}

// The remedies against a refusal; the terms are those of 行政复议法 (2023) 20 and
// 行政诉讼法 46.
const (
	remedies = "如不服本决定，可以自收到本通知书之日起60日内依法申请行政复议，或者自收到本通知书之日起6个月内依法向人民法院提起行政诉讼。"
	sources  = "依据：《中华人民共和国行政许可法》第三十二条、《中华人民共和国行政复议法》第二十条、《中华人民共和国行政诉讼法》第四十六条。"
)

// compose writes a notice of the kind.
func compose(kind Kind, s *source) (*Letter, error) {
	step := stepOf(kind, s.course)
	if step == nil || !slices.Contains(Due(s.k, s.course), kind) {
		return nil, elicense.E(elicense.NotFound, "这个办件没有这份文书").Then("请从办件页面里打开已有的文书")
	}
	l := &Letter{Kind: kind, Step: step.Seq, Unit: s.unit, Date: elicense.DateOf(step.Happened)}
	l.Number = fmt.Sprintf(kinds[kind].number, step.Happened.In(elicense.Shanghai).Year(), s.k.Number)
	names := make([]string, len(s.k.Parties))
	for i, p := range s.k.Parties {
		names[i] = p.Ref.Name
	}
	l.To = strings.Join(names, "、")

	applied := elicense.DateOf(s.k.Opened).Chinese()
	switch {
	case kind == Received:
		l.say("您于%s向本单位申请办理下列事项，材料收取情况如下。", applied)
	case kind == Accepted && step.Kind == cases.Deem:
		l.say("您于%s申请办理下列事项。本单位没有在5个工作日内一次告知补正，依法自收到申请之日起即为受理。", applied)
	case kind == Accepted:
		l.say("您于%s申请办理下列事项，材料齐全、符合法定形式，本单位决定受理。", applied)
	case kind == Correct:
		l.say("您于%s申请办理下列事项，材料不齐全或者不符合法定形式。现一次告知全部需要补正的内容，请补齐后提交；补正的时间不计入办理期限。", applied)
	case kind == Refused:
		l.say("您于%s申请办理下列事项，本单位决定不予受理。", applied)
	}
	l.say("事　　项：%s", s.m.Name)
	l.say("办件编号：%s", s.k.Number)
	for _, p := range s.k.Parties {
		role := p.Role
		if role == "" {
			role = "当事人"
		}
		l.say("%s：%s（%s）", spread(role), p.Ref.Name, access.MaskCode(p.Ref.Code, 6, 4))
	}
	if s.k.Unit != s.k.Implementer && s.implementer != "" {
		l.say("实施单位：%s（本单位受其委托受理）", s.implementer)
	}
	l.words(kind, s, step)
	l.Foot = append(l.Foot, "扫码登录后看办理进度、谁看过您的证照。")
	if s.online != "" {
		l.Foot = append(l.Foot, "这个事项可以网上办，下次不用来："+s.online)
	}
	l.Foot = append(l.Foot, "电子证照和纸质证照具有同等效力；窗口重复收取纸质证照的，您有权拒绝并投诉（《福建省促进电子证照应用管理暂行办法》第三条、第十六条）。")
	return l, nil
}

// words writes what is particular to a kind.
func (l *Letter) words(kind Kind, s *source, step *cases.Step) {
	switch kind {
	case Received:
		l.Table = materials(s)
		l.After = []string{"平台共享的材料不用交，也不用补复印件（《福建省促进电子证照应用管理暂行办法》第十二条）。"}
	case Accepted:
		if s.m.Days > 0 {
			due := ""
			if s.k.Seq == step.Seq && !s.k.Due.IsZero() {
				due = "，" + elicense.DateOf(s.k.Due.Add(-time.Microsecond)).Chinese() + "以前办结"
			}
			l.say("承诺时限：%d个工作日%s", s.m.Days, due)
		}
		l.say("依据：《中华人民共和国行政许可法》第三十二条第一款第五项。")
	case Correct:
		l.say("需要补正的内容：")
		for i, item := range step.Items {
			l.say("%d. %s", i+1, item)
		}
		if step.Reason != "" {
			l.say("说明：%s", step.Reason)
		}
		l.say("依据：《中华人民共和国行政许可法》第三十二条第一款第四项。")
	case Refused:
		l.say("理由：%s", step.Reason)
		l.say("救济途径：%s", remedies)
		l.say(sources)
	}
}

func (l *Letter) say(text string, args ...any) { l.Body = append(l.Body, fmt.Sprintf(text, args...)) }

// spread sets a word of two characters as wide as one of four.
func spread(word string) string {
	if r := []rune(word); len(r) == 2 {
		return string(r[0]) + "　　" + string(r[1])
	}
	return word
}

// materials lists the materials the case asks for, and how each was met.
func materials(s *source) [][2]string {
	var rows [][2]string
	for place, m := range s.m.Materials {
		g := s.given[place]
		if g == nil && (m.Optional || !m.Asked(s.k.Facts)) {
			continue
		}
		how := "还没有提供"
		switch {
		case g != nil && g.Way == cases.LaterWay && !g.Due.IsZero():
			how = "容缺受理，" + elicense.DateOf(g.Due.Add(-time.Microsecond)).Chinese() + "以前补交"
		case g != nil && g.Way == cases.ByPaper:
			how = "收取纸质：" + g.Reason.Chinese()
		case g != nil && g.Name != "":
			how = g.Way.Chinese() + "：" + g.Name
		case g != nil:
			how = g.Way.Chinese()
		case m.Way == cases.Shared || m.Way == cases.Verify || m.Way == cases.Remote:
			how = "从证照平台取得，不用交"
		}
		rows = append(rows, [2]string{m.Name, how})
	}
	return rows
}
