package letters_test

import (
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/cases"
	"elicense/document"
	"elicense/e2e/world"
	"elicense/letters"
	"elicense/sealing"
	"elicense/store"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func do(t *testing.T, w *world.World, k *cases.Case, m cases.Move, d cases.Doing) {
	t.Helper()
	_, err := w.Cases.Do(t.Context(), w.Window, k.ID, m, d)
	must(t, err)
}

// sealed waits until the notice is sealed and returns it with its file.
func sealed(t *testing.T, w *world.World, k *cases.Case, kind letters.Kind) (*letters.Letter, []byte) {
	t.Helper()
	for range 3000 {
		l, file, err := w.Letters.Get(t.Context(), w.Window, k.ID, kind, false)
		must(t, err)
		if file != nil {
			return l, file
		}
		time.Sleep(20 * time.Millisecond)
	}
	l, _, err := w.Letters.Get(t.Context(), w.Window, k.ID, kind, false)
	t.Fatalf("%s is not sealed: %q, %v", kind.Chinese(), l.Trouble, err)
	return nil, nil
}

// waits wants the acceptance to say why it is not sealed.
func waits(t *testing.T, w *world.World, k *cases.Case, why string) {
	t.Helper()
	var l *letters.Letter
	for range 3000 {
		var err error
		l, _, err = w.Letters.Get(t.Context(), w.Window, k.ID, letters.Accepted, false)
		must(t, err)
		if strings.Contains(l.Trouble, why) && len(l.Body) > 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("it says %q, not %q", l.Trouble, why)
}

func says(t *testing.T, l *letters.Letter, words ...string) {
	t.Helper()
	all := strings.Join(append(append([]string{l.Unit, l.Number, l.To}, l.Body...), l.After...), "\n")
	for _, row := range l.Table {
		all += "\n" + row[0] + "：" + row[1]
	}
	for _, word := range words {
		if !strings.Contains(all, word) {
			t.Errorf("%s does not say %q:\n%s", l.Kind.Chinese(), word, all)
		}
	}
}

// genuine wants a file that is sealed by the accepting unit and bears the words.
func genuine(t *testing.T, w *world.World, l *letters.Letter, file []byte) {
	t.Helper()
	o, err := w.Trust(t.Context())
	must(t, err)
	r := document.Judge(file, o)
	if r.Verdict != document.Genuine || len(r.Signatures) != 1 || r.Signatures[0].Unit != l.Unit || r.Signatures[0].Stamped.IsZero() {
		t.Fatalf("%s is %s: %+v", l.Kind.Chinese(), r.Verdict, r.Checks)
	}
	if r.Title != l.Kind.Chinese() {
		t.Errorf("its title is %q", r.Title)
	}
	fields, err := document.Fields(file)
	must(t, err)
	var shown string
	for _, f := range fields {
		shown += f.Value + "\n"
	}
	flat := func(s string) string { return strings.Join(strings.Fields(s), "") }
	for _, p := range append([]string{l.Number}, l.Body...) {
		if !strings.Contains(flat(shown), flat(p)) {
			t.Errorf("%s: the page does not say %q: %q", l.Kind.Chinese(), p, shown)
		}
	}
}

// TestEachDecisionOnAnApplicationIsGivenSealed (行政许可法 32(2)): what is missing
// and the acceptance are given under the unit's seal, dated and numbered, to the
// clerk and to the applicant, and to nobody else.
func TestEachDecisionOnAnApplicationIsGivenSealed(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		w.SealOffice(t)
		k := w.OpenCase(t)
		do(t, w, k, cases.Correct, cases.Doing{Items: []string{"补充场所布局图", "法定代表人签名"}, Reason: "请在两个月内补齐"})
		l, file := sealed(t, w, k, letters.Correct)
		says(t, l, "1. 补充场所布局图", "2. 法定代表人签名", "请在两个月内补齐", "现一次告知全部", "第三十二条第一款第四项", k.Number)
		genuine(t, w, l, file)

		must(t, w.DB.Update(t.Context(), func(tx *store.Tx) error {
			k, err := cases.Of(tx, k.ID)
			if err == nil {
				err = w.Cases.ApplyMove(tx, w.Window, k, cases.Supply, cases.Doing{})
			}
			return err
		}))
		l, file = sealed(t, w, k, letters.Received)
		says(t, l, "食品经营许可证：从证照平台取得，不用交", "申请书：还没有提供", "第十二条")
		genuine(t, w, l, file)

		do(t, w, k, cases.Accept, cases.Doing{})
		l, file = sealed(t, w, k, letters.Accepted)
		says(t, l, "本单位决定受理", "承诺时限：10个工作日", "第三十二条第一款第五项")
		genuine(t, w, l, file)

		_, own, err := w.Letters.Get(t.Context(), w.Holder, k.ID, letters.Accepted, true)
		must(t, err)
		if string(own) != string(file) {
			t.Error("the applicant gets another file")
		}
		for _, who := range []*elicense.Actor{w.Colleague, w.Reviewer, w.Auditor} {
			if _, got, err := w.Letters.Get(t.Context(), who, k.ID, letters.Accepted, false); !elicense.IsKind(err, elicense.Forbidden) || got != nil {
				t.Errorf("%s reads the notice: %v", who.Name, err)
			}
		}
		if _, _, err := w.Letters.Get(t.Context(), w.Window, k.ID, letters.Refused, false); !elicense.IsKind(err, elicense.NotFound) {
			t.Errorf("a notice the case has not come to: %v", err)
		}
		w.Fsck(t)
	})
}

// TestARefusalNamesReasonsAndRemedies (行政许可法 32, 38).
func TestARefusalNamesReasonsAndRemedies(t *testing.T) {
	w := world.OnSQLite(t)
	w.SealOffice(t)
	k := w.OpenCase(t)
	reason := "依法不属于本机关职权范围，" + strings.Repeat("请向福州市烟草专卖局申请。", 30)
	do(t, w, k, cases.Refuse, cases.Doing{Reason: reason})
	l, file := sealed(t, w, k, letters.Refused)
	says(t, l, "理由："+reason, "60日内", "6个月内", "行政复议法》第二十条")
	genuine(t, w, l, file)
}

// TestALongNoticeContinues: forty long items reach a second page, and nothing is
// cut.
func TestALongNoticeContinues(t *testing.T) {
	w := world.OnSQLite(t)
	w.SealOffice(t)
	k := w.OpenCase(t)
	items := make([]string, 40)
	for i := range items {
		items[i] = strings.Repeat("场所布局图应当标明各功能区的面积和用途，", 8)
	}
	do(t, w, k, cases.Correct, cases.Doing{Items: items})
	l, file := sealed(t, w, k, letters.Correct)
	genuine(t, w, l, file)
	pages, err := letters.Pages(file)
	must(t, err)
	if len(pages) < 2 {
		t.Errorf("%d pages", len(pages))
	}
}

// TestAReceiptIsSealedOnceWhenAskedFor: what is handed over at a window is
// receipted when the clerk asks; asking again makes no second document.
func TestAReceiptIsSealedOnceWhenAskedFor(t *testing.T) {
	w := world.OnSQLite(t)
	w.SealOffice(t)
	k := w.OpenCase(t)
	if _, file, err := w.Letters.Get(t.Context(), w.Window, k.ID, letters.Received, false); err != nil || file != nil {
		t.Fatalf("before it was asked for: %v", err)
	}
	if err := w.Letters.Ask(t.Context(), w.Colleague, k.ID, letters.Received); !elicense.IsKind(err, elicense.Forbidden) {
		t.Errorf("a colleague without the case: %v", err)
	}
	must(t, w.Letters.Ask(t.Context(), w.Window, k.ID, letters.Received))
	_, first := sealed(t, w, k, letters.Received)
	must(t, w.Letters.Ask(t.Context(), w.Window, k.ID, letters.Received))
	must(t, w.Letters.Seal(t.Context(), cases.LetterOf(k.ID, 1).Payload))
	_, again := sealed(t, w, k, letters.Received)
	uses := 0
	must(t, w.DB.View(t.Context(), func(tx *store.Tx) error {
		return sealing.EachUse(tx, func(u *sealing.Use, err error) error {
			if strings.HasPrefix(u.Subject, sealing.LetterPrefix) {
				uses++
			}
			return err
		})
	}))
	if string(first) != string(again) || uses != 1 {
		t.Errorf("sealed %d times", uses)
	}
}

// TestANoticeWaitsForFontsAndSeals: the case goes on, the words can be printed,
// and the notice says why it is not sealed; asked for again, it is.
func TestANoticeWaitsForFontsAndSeals(t *testing.T) {
	w := world.OnSQLite(t)
	maker := w.Letters.Maker
	w.Letters.Maker = nil
	k := w.OpenCase(t)
	do(t, w, k, cases.Accept, cases.Doing{})
	waits(t, w, k, "字体缺失")
	w.Letters.Maker = maker
	must(t, w.Letters.Ask(t.Context(), w.Window, k.ID, letters.Accepted))
	waits(t, w, k, "没有启用的电子印章")
	w.SealOffice(t)
	must(t, w.Letters.Ask(t.Context(), w.Window, k.ID, letters.Accepted))
	l, file := sealed(t, w, k, letters.Accepted)
	if l.Trouble != "" {
		t.Errorf("it still says %q", l.Trouble)
	}
	genuine(t, w, l, file)
	w.Fsck(t)
}

// TestAChangedNoticeIsFound by the check of everything stored, and not given out.
func TestAChangedNoticeIsFound(t *testing.T) {
	w := world.OnSQLite(t)
	w.SealOffice(t)
	k := w.OpenCase(t)
	do(t, w, k, cases.Accept, cases.Doing{})
	sealed(t, w, k, letters.Accepted)
	w.Fsck(t)
	must(t, w.DB.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE case_letter SET doc_id = $1`, make([]byte, 16))
		return err
	}))
	if _, _, err := w.Letters.Get(t.Context(), w.Window, k.ID, letters.Accepted, false); err == nil {
		t.Error("a changed row is believed")
	}
	if len(w.Findings(t)) == 0 {
		t.Error("fsck finds nothing")
	}
}
