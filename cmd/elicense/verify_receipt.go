package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"elicense"
	"elicense/gm"
	"elicense/sharing"
	"elicense/web"
)

// receiptFindings is what was found out about a receipt. Of one that is not
// proven nothing is told but what is wrong.
type receiptFindings struct {
	File     string           `json:"file"`
	Proven   bool             `json:"proven"`
	Part     string           `json:"part,omitempty"` // that is wrong
	Why      string           `json:"why,omitempty"`
	Platform string           `json:"platform,omitempty"`
	Logged   string           `json:"logged,omitempty"` // the signed checkpoint
	Checked  *sharing.Checked `json:"checked,omitempty"`
}

// checkReceipt proves a receipt with the log's key alone. Exit 0: proven, 1: not,
// 2: a file that can't be read or no public key.
func (c *verifyCmd) checkReceipt() error {
	pem, err := readBounded(c.LogKey, maxOther)
	if err != nil {
		return unusable(c.LogKey, err)
	}
	key, err := gm.ParsePublicKey(pem)
	if err != nil {
		return unusable(c.LogKey, err)
	}
	b, err := readBounded(c.Receipt, maxOther)
	if err != nil {
		return unusable(c.Receipt, err)
	}
	f := receiptFindings{File: c.Receipt}
	r, err := sharing.ParseReceipt(b)
	if err == nil {
		err = r.Check(key)
	}
	if err == nil {
		f.Proven, f.Platform, f.Logged, f.Checked = true, r.Platform, r.Checkpoint, &r.Checked
	} else {
		f.Part, f.Why = c.wrongPart(err)
	}
	if err := c.writeReceipt(os.Stdout, &f); err != nil {
		return err
	}
	if !f.Proven {
		return exit(exitFound)
	}
	return nil
}

// wrongPart names the part that is wrong and says why in the language asked for.
func (c *verifyCmd) wrongPart(err error) (part, why string) {
	var e *elicense.Error
	if !errors.As(err, &e) {
		return "", err.Error()
	}
	why = c.text(e.Message())
	if e.Next != "" {
		why += said{"。", ". "}.in(c.Lang) + c.text(e.Next)
	}
	return e.Field, why
}

// text is a sentence of the rooms in the language asked for.
func (c *verifyCmd) text(chinese string) string {
	return said{chinese, web.English(chinese)}.in(c.Lang)
}

var (
	actWords = map[string]said{
		sharing.Query: {"查询", "query"}, sharing.Verify: {"验证", "verification"}, sharing.Compare: {"比对", "comparison"},
	}
	refusalWords = map[string]said{
		elicense.NotFound.String(): {"没有查到", "nothing was found"}, elicense.Forbidden.String(): {"被拒绝", "refused"},
	}
)

func (c *verifyCmd) writeReceipt(w io.Writer, f *receiptFindings) error {
	if c.JSON {
		return writeJSON(w, f)
	}
	say := func(zh, en string) string { return said{zh, en}.in(c.Lang) }
	var b strings.Builder
	if !f.Proven {
		fmt.Fprintf(&b, "%s: %s%s\n", f.File, say("不成立：", "not proven: "), f.Why)
		_, err := io.WriteString(w, b.String())
		return err
	}
	fmt.Fprintf(&b, "%s: %s\n", f.File, say("凭据成立，记录在平台签名的日志里", "proven: the record is in the log the platform signed"))
	line := func(zh, en, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %s%s\n", say(zh+"：", en+": "), value)
		}
	}
	k := f.Checked
	act, known := actWords[k.Act]
	if !known {
		act = said{k.Act, k.Act}
	}
	outcome := act.in(c.Lang)
	if k.Refusal != "" {
		word, known := refusalWords[k.Refusal]
		if !known {
			word = said{k.Refusal, k.Refusal}
		}
		outcome += say("，", ", ") + word.in(c.Lang)
	}
	line("平台", "Platform", f.Platform)
	line("用证", "Use", outcome)
	line("时间", "Time", inFujian(k.Time))
	line("用证人", "Officer", strings.TrimSpace(k.Officer+" "+string(k.Account)))
	line("单位", "Unit", string(k.Unit))
	line("办件", "Case", string(k.Case))
	line("用途", "Purpose", k.Purpose)
	line("材料", "Material", k.Material)
	line("证照类别", "License type", string(k.LicenseType))
	line("证照", "License", string(k.License))
	line("版本", "Version", k.Version)
	if k.Status != "" {
		line("当时的状态", "Status then", said{k.Status.Chinese(), string(k.Status)}.in(c.Lang))
	}
	if at, err := time.Parse(time.RFC3339, k.AsOf); err == nil {
		line("状态截至", "Status as of", inFujian(at))
	}
	line("查看的字段", "Fields seen", strings.Join(k.Fields, say("、", ", ")))
	line("据以办理的规则", "Rule", k.Rule+say("（", " (")+c.text(k.Clause)+say("）", ")"))
	line("依据", "Basis", c.text(k.Basis))
	for _, name := range slices.Sorted(maps.Keys(k.More)) {
		fmt.Fprintf(&b, "  %s: %s\n", name, k.More[name])
	}
	line("记录编号", "Record", string(k.Record))
	fmt.Fprintf(&b, "  %s\n", say(
		"凭据只证明记录所写的：这个时间、为这个办件，查过这份证照和当时的状态。它不证明别的，也不说明办件应当怎样决定。",
		"The receipt proves what the record says and nothing more: that at this time, for this case, this license and its status were checked. It does not say how the case should have been decided."))
	_, err := io.WriteString(w, b.String())
	return err
}
