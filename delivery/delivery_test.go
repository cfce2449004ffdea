package delivery_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"elicense"
	"elicense/cases"
	"elicense/delivery"
	"elicense/document"
	"elicense/e2e/world"
	"elicense/gm"
	"elicense/issuance"
	"elicense/lifecycle"
	"elicense/notice"
	"elicense/store"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t testing.TB, kind elicense.Kind, err error, what string) {
	t.Helper()
	if !elicense.IsKind(err, kind) {
		t.Errorf("%s: %v, want %v", what, err, kind)
	}
}

// until waits for a condition, a minute at most.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatal("it did not come to this: " + what)
}

// phone takes what is sent, or fails as the test says.
type phone struct {
	mu   sync.Mutex
	got  []delivery.Text
	fail func(n int) error // of the n-th attempt, from 1
	n    int
}

func (p *phone) Send(_ context.Context, t delivery.Text) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	if p.fail != nil {
		if err := p.fail(p.n); err != nil {
			return "", err
		}
	}
	p.got = append(p.got, t)
	return "202", nil
}

func (p *phone) texts() []delivery.Text {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}

const number, mailbox = "13800138000", "shop@example.com"

// registered enters the firm's address at the window, as the party of a case.
func registered(t *testing.T, w *world.World, ch delivery.Channel, address string) {
	t.Helper()
	k := w.OpenCase(t)
	must(t, w.Delivery.Take(t.Context(), w.Window, k.ID, 0, ch, address))
}

func status(t *testing.T, w *world.World, id elicense.LicenseID) *delivery.Status {
	t.Helper()
	s, err := w.Delivery.Of(t.Context(), w.Drafter, id, true)
	must(t, err)
	return s
}

// TestAHolderIsToldOfWhatWasIssued (Art. 14(1)): once, by the address he has, without
// anything the license says; what the gateway answered and when is kept.
func TestAHolderIsToldOfWhatWasIssued(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		p := &phone{}
		w.Delivery.Connect(delivery.SMS, p)
		registered(t, w, delivery.SMS, "+86 138-0013-8000")
		d := w.Publish(t, w.Completion("0001"))
		until(t, "told", func() bool {
			s := status(t, w, d.License)
			return len(s.Sent) == 1 && s.Sent[0].State == delivery.Told
		})
		s := status(t, w, d.License)
		if m := s.Sent[0]; m.To != "138****8000" || m.Answer != "202" || !m.Changed.Equal(w.Clock.Now()) || m.Tries != 1 {
			t.Errorf("%+v", m)
		}
		got := p.texts()
		if len(got) != 1 || got[0].To != number {
			t.Fatalf("sent %+v", got)
		}
		for _, word := range []string{"鼓楼区市场监督管理局", "http://localhost/holder"} {
			if !strings.Contains(got[0].Body, word) {
				t.Errorf("it does not say %q: %s", word, got[0].Body)
			}
		}
		v := status(t, w, d.License).Version
		for _, secret := range []string{world.Firm.Name, world.Firm.Code, s.TypeName, string(v.Identifier), string(v.Code), "JY0001", number} {
			if strings.Contains(got[0].Body+got[0].Subject, secret) {
				t.Errorf("it says %q", secret)
			}
		}
		if s.Package != nil {
			t.Error("a list was sealed that nobody asked for")
		}
		if s.Received() || !s.ReceivedBy(s.Owner).IsZero() {
			t.Error("received before anybody opened it")
		}
		w.Clock.Move(time.Hour)
		must(t, w.Delivery.Opened(t.Context(), w.Holder, d.License))
		opened := w.Clock.Now()
		w.Clock.Move(time.Hour)
		must(t, w.Delivery.Opened(t.Context(), w.Holder, d.License))
		if s = status(t, w, d.License); len(s.Receipts) != 1 || !s.ReceivedBy(s.Owner).Equal(opened) || !s.Received() {
			t.Errorf("the first opening counts: %+v", s.Receipts)
		}
		wants(t, elicense.Forbidden, w.Delivery.Opened(t.Context(), w.Window, d.License), "a clerk opens it as a holder")
		_, err := w.Delivery.Of(t.Context(), w.Colleague, d.License, true)
		wants(t, elicense.Forbidden, err, "another unit looks at a delivery")
		w.Fsck(t)
	})
}

// TestAnAddressIsTheHoldersOwn: typed in the folder it is used once the code that was
// sent there came back; the window does not replace it.
func TestAnAddressIsTheHoldersOwn(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		wants(t, elicense.Unavailable, w.Delivery.Ask(ctx, w.Holder, delivery.Mail, mailbox), "a channel nobody serves")
		p := &phone{}
		w.Delivery.Connect(delivery.Mail, p)
		for _, bad := range []string{"", "shop", "a@b@c", "shop@example.com\r\nBcc: x@example.com", "店@example.com"} {
			wants(t, elicense.Invalid, w.Delivery.Ask(ctx, w.Holder, delivery.Mail, bad), bad)
		}
		must(t, w.Delivery.Ask(ctx, w.Holder, delivery.Mail, mailbox))
		wants(t, elicense.TooMany, w.Delivery.Ask(ctx, w.Holder, delivery.Mail, mailbox), "a second code at once")
		until(t, "a code came", func() bool { return len(p.texts()) == 1 })
		_, code, _ := strings.Cut(p.texts()[0].Body, "验证码是")
		code = code[:6]
		wrong := "000000"
		if code == wrong {
			wrong = "000001"
		}
		wants(t, elicense.Invalid, w.Delivery.Confirm(ctx, w.Holder, delivery.Mail, wrong), "a wrong code")
		list, err := w.Delivery.Contacts(ctx, w.Holder)
		must(t, err)
		if len(list) != 1 || list[0].Masked != "" || list[0].Waiting != "s***@example.com" {
			t.Fatalf("before the code: %+v", list[0])
		}
		must(t, w.Delivery.Confirm(ctx, w.Holder, delivery.Mail, code))
		wants(t, elicense.Conflict, w.Delivery.Confirm(ctx, w.Holder, delivery.Mail, code), "the code a second time")
		if list, err = w.Delivery.Contacts(ctx, w.Holder); err != nil || list[0].Masked != "s***@example.com" || list[0].Source != delivery.ByHolder {
			t.Errorf("%+v, %v", list[0], err)
		}
		k := w.OpenCase(t)
		wants(t, elicense.Conflict, w.Delivery.Take(ctx, w.Window, k.ID, 0, delivery.Mail, "other@example.com"), "the window replaces it")
		wants(t, elicense.Forbidden, w.Delivery.Take(ctx, w.Colleague, k.ID, 0, delivery.SMS, number), "a colleague enters one")
		wants(t, elicense.Forbidden, w.Delivery.Take(ctx, w.Window, k.ID, 1, delivery.SMS, number), "of nobody")

		// Five wrong tries end a code; the right one is then none.
		w.Clock.Move(time.Hour)
		must(t, w.Delivery.Ask(ctx, w.Holder, delivery.Mail, "new@example.com"))
		until(t, "another code came", func() bool { return len(p.texts()) == 2 })
		_, code, _ = strings.Cut(p.texts()[1].Body, "验证码是")
		for range 5 {
			wants(t, elicense.Invalid, w.Delivery.Confirm(ctx, w.Holder, delivery.Mail, "x"), "a wrong code")
		}
		wants(t, elicense.Conflict, w.Delivery.Confirm(ctx, w.Holder, delivery.Mail, code[:6]), "the right code after five wrong ones")

		must(t, w.Delivery.Forget(ctx, w.Holder, delivery.Mail))
		d := w.Publish(t, w.Completion("0001"))
		d2 := w.Publish(t, w.Completion("0002")) // by then the first one's job was looked at
		if s := status(t, w, d.License); len(s.Sent) != 0 || d2 == nil {
			t.Errorf("told at an address he took back: %+v", s.Sent)
		}
		// Nothing of it is readable where it is kept.
		must(t, w.DB.View(ctx, func(tx *store.Tx) error {
			for _, q := range []string{`SELECT address_enc FROM contact`, `SELECT pending_enc FROM contact`, `SELECT content_enc FROM delivery_message`} {
				list, err := store.All(tx, func(r *store.Rows) (b []byte, err error) { return b, r.Scan(&b) }, q)
				if err != nil {
					return err
				}
				for _, b := range list {
					if bytes.Contains(b, []byte("example")) {
						t.Error("an address is in the clear")
					}
				}
			}
			return nil
		}))
		w.Fsck(t)
	})
}

// TestWhatCanNotBeToldIsListed: failures are repeated for a day, a lasting refusal is
// not; the unit sees both, sends again, or hands a print over.
func TestWhatCanNotBeToldIsListed(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	p := &phone{fail: func(int) error { return errors.New("no line") }}
	w.Delivery.Connect(delivery.SMS, p)
	registered(t, w, delivery.SMS, number)
	d := w.Publish(t, w.Completion("0001"))
	tries := func() int {
		s := status(t, w, d.License)
		if len(s.Sent) == 0 {
			return 0
		}
		return s.Sent[0].Tries
	}
	until(t, "tried once", func() bool { return tries() == 1 })
	until(t, "given up", func() bool {
		w.Clock.Move(time.Hour) // each wait is some hours at most
		s := status(t, w, d.License)
		return s.Sent[0].State == delivery.Failed
	})
	if n := tries(); n != 7 {
		t.Errorf("tried %d times", n)
	}
	list, _, err := w.Delivery.List(ctx, w.Drafter, delivery.Undeliverable, delivery.Page{}, 10)
	must(t, err)
	if len(list) != 1 || !list[0].Failed() {
		t.Fatalf("%d undeliverable", len(list))
	}
	id := list[0].Sent[0].ID
	wants(t, elicense.Forbidden, w.Delivery.Resend(ctx, w.Window, id), "another unit sends again")
	wants(t, elicense.Forbidden, w.Delivery.Resend(ctx, w.Drafter, "none"), "a message that is none")
	w.Clock.Move(time.Hour)
	p.mu.Lock()
	p.fail = func(int) error { return &delivery.Refused{Answer: "空号"} }
	p.mu.Unlock()
	must(t, w.Delivery.Resend(ctx, w.Drafter, id))
	until(t, "refused for good", func() bool {
		w.Clock.Move(time.Minute) // the channel was left alone for a while
		s := status(t, w, d.License).Sent[0]
		return s.State == delivery.Failed && s.Answer == "空号" && s.Tries == 1
	})
	counts, err := w.Delivery.Counts(ctx, w.Drafter, w.Clock.Now().AddDate(0, 0, -30))
	must(t, err)
	if counts != (delivery.Counts{Published: 1, Undeliverable: 1}) {
		t.Errorf("%+v", counts)
	}

	h := delivery.Handing{Receiver: "陈示例", Remark: "法定代表人"}
	wants(t, elicense.Forbidden, w.Delivery.Hand(ctx, w.Window, d.License, 0, cases.ProofCard, h), "another unit hands it over")
	wants(t, elicense.Invalid, w.Delivery.Hand(ctx, w.Drafter, d.License, 0, cases.ProofNone, h), "to somebody nobody looked at")
	wants(t, elicense.Invalid, w.Delivery.Hand(ctx, w.Drafter, d.License, 0, cases.ProofCard, delivery.Handing{}), "to nobody")
	wants(t, elicense.Invalid, w.Delivery.Hand(ctx, w.Drafter, d.License, 1, cases.ProofCard, h), "for a holder that is none")
	must(t, w.Delivery.Hand(ctx, w.Drafter, d.License, 0, cases.ProofCard, h))
	wants(t, elicense.Conflict, w.Delivery.Hand(ctx, w.Drafter, d.License, 0, cases.ProofCard, h), "twice")
	s := status(t, w, d.License)
	if r := s.Receipts[0]; r.Kind != delivery.Handed || r.Receiver != "陈示例" || r.Proof != cases.ProofCard || r.Clerk != "林样本" || !r.At.Equal(w.Clock.Now()) {
		t.Errorf("%+v", r)
	}
	for _, which := range []delivery.Which{delivery.Undeliverable, delivery.Unreceived} {
		if list, _, err := w.Delivery.List(ctx, w.Drafter, which, delivery.Page{}, 10); err != nil || len(list) != 0 {
			t.Errorf("%d are %s after it was handed over: %v", len(list), which, err)
		}
	}
	w.Fsck(t)
	for _, change := range []string{
		`UPDATE delivery_message SET state = 'told'`, `UPDATE delivery_receipt SET at = at + 1`, `UPDATE contact SET source = 'holder'`,
	} {
		must(t, w.DB.Update(ctx, func(tx *store.Tx) error { _, err := tx.Exec(change); return err }))
	}
	if n := len(w.Findings(t)); n != 3 {
		t.Errorf("fsck finds %d of 3 changed rows", n)
	}
}

// TestNothingIsToldOfAWithdrawnLicense (Art. 2): a message that waits when its license
// is withdrawn is cancelled, its unit reads why, and what the inboxes said of the
// license is gone.
func TestNothingIsToldOfAWithdrawnLicense(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		p := &phone{fail: func(int) error { return errors.New("no line") }}
		w.Delivery.Connect(delivery.SMS, p)
		registered(t, w, delivery.SMS, number)
		d := w.Publish(t, w.Completion("0001"))
		until(t, "tried once", func() bool {
			s := status(t, w, d.License)
			return len(s.Sent) == 1 && s.Sent[0].Tries == 1
		})
		c, err := w.Lifecycle.Withdraw(ctx, w.Drafter, d.License, lifecycle.WorkSecret, "鼓市监密审〔2026〕3号")
		must(t, err)
		must(t, w.Lifecycle.Decide(ctx, w.Reviewer, c.ID, true, ""))
		p.mu.Lock()
		p.fail = nil
		p.mu.Unlock()
		until(t, "cancelled", func() bool {
			list, err := w.Delivery.Cancelled(ctx, w.Drafter, 10)
			must(t, err)
			return len(list) == 1 && list[0].Why == "证照已经撤下，这条消息没有再发出" && list[0].Channel == delivery.SMS
		})
		w.Clock.Move(24 * time.Hour) // longer than any wait: its job has run
		until(t, "no job of it is left", func() (none bool) {
			must(t, w.DB.View(ctx, func(tx *store.Tx) error {
				n := 0
				err := tx.Row(`SELECT COUNT(*) FROM job WHERE kind = 'deliver-send'`).Scan(&n)
				none = n == 0
				return err
			}))
			return none
		})
		if got := p.texts(); len(got) != 0 {
			t.Errorf("%d messages went out", len(got))
		}
		for name, inbox := range map[string]string{"the holder": notice.HolderInbox(w.Holder.Holder), "the drafter": notice.AccountInbox(w.Drafter.Account)} {
			list, err := notice.Inbox(ctx, w.DB, inbox, 20)
			must(t, err)
			replaced := false
			for _, n := range list {
				replaced = replaced || n.Text == issuance.WithdrawnNotice && n.Link == ""
				if strings.Contains(n.Message(), "食品经营许可证") {
					t.Errorf("%s reads %s", name, n.Message())
				}
			}
			if !replaced {
				t.Errorf("%s does not read that a notice was cancelled", name)
			}
		}
		if _, err := w.Delivery.Cancelled(ctx, w.Window, 10); !elicense.IsKind(err, elicense.Forbidden) {
			t.Errorf("a window reads what was cancelled: %v", err)
		}
		w.Fsck(t)
	})
}

// sealedFile is a document under a seal of the world.
func sealedFile(t *testing.T, w *world.World) []byte {
	t.Helper()
	other := w.Publish(t, w.Completion("0900"))
	file, _, err := w.Sharing.File(t.Context(), w.Drafter, other.License, true)
	must(t, err)
	return file
}

// TestAPackageHoldsTheVeryFiles: the license, the documents of its case and a list of
// them under the unit's seal, whose digests are those of the files; the same each
// time.
func TestAPackageHoldsTheVeryFiles(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	decision := sealedFile(t, w)
	d, err := w.Issuer.Complete(ctx, w.Drafter, w.Completion("0001"))
	must(t, err)
	for what, file := range map[string][]byte{"no document": []byte("hello"), "a PDF nobody sealed": []byte("%PDF-1.4\n%%EOF\n"), "a changed one": append(bytes.Clone(decision), 0)} {
		if what == "a changed one" {
			file = bytes.Replace(bytes.Clone(decision), []byte("Signs/"), []byte("Sings/"), 1)
		}
		_, err := w.Delivery.Upload(ctx, w.Drafter, d.ID, "准予许可决定书", file)
		wants(t, elicense.Invalid, err, what)
	}
	_, err = w.Delivery.Upload(ctx, w.Window, d.ID, "准予许可决定书", decision)
	wants(t, elicense.Forbidden, err, "another unit uploads")
	up, err := w.Delivery.Upload(ctx, w.Drafter, d.ID, "准予许可/../决定书", decision)
	must(t, err)
	again, err := w.Delivery.Upload(ctx, w.Drafter, d.ID, "准予许可/../决定书", decision)
	must(t, err)
	if again.ID != up.ID {
		t.Error("uploaded again it is there twice")
	}
	// Who reviews reads it; what was added by mistake is taken out again.
	mistake, err := w.Delivery.Upload(ctx, w.Drafter, d.ID, "别人的决定书", decision)
	must(t, err)
	_, read, err := w.Delivery.Document(ctx, w.Reviewer, d.ID, mistake.ID)
	if err != nil || !bytes.Equal(read, decision) {
		t.Errorf("%d bytes, %v", len(read), err)
	}
	_, _, err = w.Delivery.Document(ctx, w.Window, d.ID, mistake.ID)
	wants(t, elicense.Forbidden, err, "another unit reads it")
	wants(t, elicense.Forbidden, w.Delivery.TakeOut(ctx, w.Reviewer, d.ID, mistake.ID), "the reviewer takes it out")
	must(t, w.Delivery.TakeOut(ctx, w.Drafter, d.ID, mistake.ID))
	wants(t, elicense.NotFound, w.Delivery.TakeOut(ctx, w.Drafter, d.ID, mistake.ID), "taken out twice")
	_, _, err = w.Delivery.Document(ctx, w.Reviewer, d.ID, mistake.ID)
	wants(t, elicense.NotFound, err, "read after it was taken out")
	w.Clock.Move(time.Second) // they stand in the order they came
	pdf := []byte("%PDF-1.7\n1 0 obj <</Type /Sig /ByteRange [0 1 2 3]>> endobj\n%%EOF\n")
	_, err = w.Delivery.Upload(ctx, w.Drafter, d.ID, "收费单", pdf)
	must(t, err)
	seen, err := w.Issuer.Get(ctx, w.Reviewer, d.ID)
	must(t, err)
	must(t, w.Issuer.Approve(ctx, w.Reviewer, d.ID, seen.Seq, ""))
	w.Published(t, d.ID)
	_, err = w.Delivery.Upload(ctx, w.Drafter, d.ID, "晚到的", decision)
	wants(t, elicense.Conflict, err, "a document after the review")
	wants(t, elicense.Conflict, w.Delivery.TakeOut(ctx, w.Drafter, d.ID, up.ID), "taken out after the review")

	until(t, "the list is sealed by itself", func() bool {
		s := status(t, w, d.License)
		return s.Package != nil && !s.Package.Sealed.IsZero()
	})
	first, name, err := w.Delivery.ZIP(ctx, w.Holder, d.License, false)
	must(t, err)
	s := status(t, w, d.License)
	if name != string(s.Version.Identifier)+".zip" || len(s.Receipts) != 1 || s.Receipts[0].Kind != delivery.Opened {
		t.Errorf("%s: %+v", name, s.Receipts)
	}
	w.Clock.Move(time.Hour)
	second, _, err := w.Delivery.ZIP(ctx, w.Drafter, d.License, true)
	must(t, err)
	if !bytes.Equal(first, second) {
		t.Error("it is not the same each time")
	}
	_, _, err = w.Delivery.ZIP(ctx, w.Window, d.License, true)
	wants(t, elicense.Forbidden, err, "another unit takes it")

	z, err := zip.NewReader(bytes.NewReader(first), int64(len(first)))
	must(t, err)
	files := map[string][]byte{}
	var names []string
	for _, f := range z.File {
		r, err := f.Open()
		must(t, err)
		files[f.Name], err = io.ReadAll(r)
		must(t, err)
		names = append(names, f.Name)
	}
	if want := []string{"01-送达清单.ofd", "02-食品经营许可证.ofd", "03-准予许可____决定书.ofd", "04-收费单.pdf"}; !slices.Equal(names, want) {
		t.Fatalf("the files are %q", names)
	}
	license, _, err := w.Sharing.File(ctx, w.Drafter, d.License, true)
	must(t, err)
	if !bytes.Equal(files[names[1]], license) || !bytes.Equal(files[names[2]], decision) || !bytes.Equal(files[names[3]], pdf) {
		t.Error("they are not the very files")
	}
	o, err := w.Trust(ctx)
	must(t, err)
	r := document.Judge(files[names[0]], o)
	if r.Verdict != document.Genuine || r.Title != "送达清单" || r.Signatures[0].Unit != "福州市鼓楼区市场监督管理局" {
		t.Fatalf("the list is %s: %+v", r.Verdict, r.Checks)
	}
	shown, err := document.Fields(files[names[0]])
	must(t, err)
	var text string
	for _, f := range shown {
		text += strings.Join(strings.Fields(f.Value), "")
	}
	for _, n := range names[1:] {
		digest := gm.Sum(files[n])
		if !strings.Contains(text, n) || !strings.Contains(text, hexOf(digest[:])) {
			t.Errorf("the list does not name %s with its digest: %s", n, text)
		}
	}
	w.Fsck(t)
	must(t, w.DB.Update(ctx, func(tx *store.Tx) error { _, err := tx.Exec(`UPDATE delivery SET version = 2`); return err }))
	if len(w.Findings(t)) == 0 {
		t.Error("a changed package is not found")
	}
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var s strings.Builder
	for _, c := range b {
		s.WriteByte(digits[c>>4])
		s.WriteByte(digits[c&15])
	}
	return s.String()
}

// TestWhatIsApprovedIsTheDocumentsThatWereRead (Art. 7(1), 14(1)): a document that came
// or went since the reviewer read stops the approval, alone and of several; the lot a
// row is drawn from stays with the documents it was handed in with.
func TestWhatIsApprovedIsTheDocumentsThatWereRead(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		pdf := []byte("%PDF-1.7\n1 0 obj <</Type /Sig /ByteRange [0 1 2 3]>> endobj\n%%EOF\n")
		upload := func(id elicense.DraftID, title string) *delivery.Upload {
			t.Helper()
			u, err := w.Delivery.Upload(ctx, w.Drafter, id, title, pdf)
			must(t, err)
			return u
		}
		shown := func(id elicense.DraftID) *issuance.Shown {
			t.Helper()
			s, err := w.Issuer.Show(ctx, w.Reviewer, id)
			must(t, err)
			return s
		}
		says := func(what, sentence string, err error) {
			t.Helper()
			wants(t, elicense.Conflict, err, what)
			var e *elicense.Error
			if errors.As(err, &e) && e.Message() != sentence {
				t.Errorf("%s: %s", what, e.Message())
			}
		}
		d, err := w.Issuer.Complete(ctx, w.Drafter, w.Completion("0001"))
		must(t, err)
		before := shown(d.ID)
		first := upload(d.ID, "决定书")
		says("one was added", "一起送达的文书和您看过的不同了：加了1份", w.Issuer.Approve(ctx, w.Reviewer, d.ID, before.Seq, ""))
		says("one was added, of several", "一起送达的文书和您看过的不同了：加了1份", w.Issuer.ApproveShown(ctx, w.Reviewer, d.ID, before.Seq, before.Digest, ""))
		with := shown(d.ID)
		if there := with.Documents(); len(there) != 1 || there[0].ID != first.ID || !bytes.Equal(there[0].Digest, sum(pdf)) {
			t.Errorf("the reviewer sees %+v", there)
		}
		must(t, w.Delivery.TakeOut(ctx, w.Drafter, d.ID, first.ID))
		says("it went", "一起送达的文书和您看过的不同了：撤了1份", w.Issuer.Approve(ctx, w.Reviewer, d.ID, with.Seq, ""))
		says("it came and went", "一起送达的文书刚刚有人加过又撤了", w.Issuer.Approve(ctx, w.Reviewer, d.ID, before.Seq, ""))
		second := upload(d.ID, "缴费通知")
		says("another came", "一起送达的文书和您看过的不同了：加了1份，撤了1份", w.Issuer.Approve(ctx, w.Reviewer, d.ID, with.Seq, ""))
		_, err = w.Issuer.Edit(ctx, w.Drafter, d.ID, shown(d.ID).Seq, d.Holders, d.Fields)
		must(t, err)
		says("what it says is another too", "这份草稿刚刚有人改过", w.Issuer.Approve(ctx, w.Reviewer, d.ID, with.Seq, ""))
		last := shown(d.ID)
		must(t, w.Issuer.ApproveShown(ctx, w.Reviewer, d.ID, last.Seq, last.Digest, ""))
		wants(t, elicense.Conflict, w.Delivery.TakeOut(ctx, w.Drafter, d.ID, second.ID), "taken out of what was approved")
		w.Published(t, d.ID)

		// A lot: until it is handed in, not while it is looked at, again when it is returned.
		l := w.ReadLot(t, "A", 5)
		row := func() (id elicense.DraftID) {
			must(t, w.DB.View(ctx, func(tx *store.Tx) error {
				return tx.Row(`SELECT id FROM draft WHERE lot = $1 ORDER BY place LIMIT 1`, l.ID).Scan(&id)
			}))
			return id
		}()
		paper := upload(row, "决定书")
		must(t, w.Issuer.SubmitLot(ctx, w.Drafter, l.ID, "试用批量"))
		_, err = w.Delivery.Upload(ctx, w.Drafter, row, "缴费通知", pdf)
		says("a document for a row that is looked at", "这份草稿所在的批次已经送审，不能再增减文书", err)
		says("one out of such a row", "这份草稿所在的批次已经送审，不能再增减文书", w.Delivery.TakeOut(ctx, w.Drafter, row, paper.ID))
		must(t, w.Issuer.ReturnLot(ctx, w.Reviewer, l.ID, "少一份文书"))
		upload(row, "缴费通知")
		if n := len(shown(row).Documents()); n != 2 {
			t.Errorf("%d documents go with the row", n)
		}
		w.Fsck(t)

		// What is not there as it was approved is not delivered as if it were.
		must(t, w.DB.Update(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(`DELETE FROM closing_document WHERE id = $1`, paper.ID)
			return err
		}))
		found := w.Findings(t)
		if len(found) != 1 || found[0].Kind != "draft" || found[0].Where != string(row) {
			t.Errorf("fsck says %v", found)
		}
	})
}

func sum(b []byte) []byte {
	d := gm.Sum(b)
	return d[:]
}

// TestAPackageIsMadeWhenAskedFor where nothing but the license is to be given; a unit
// without a seal keeps nobody from the license itself.
func TestAPackageIsMadeWhenAskedFor(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	d := w.Publish(t, w.Completion("0001"))
	_, _, err := w.Delivery.ZIP(ctx, w.Holder, d.License, false)
	wants(t, elicense.NotFound, err, "before it was asked for")
	wants(t, elicense.Forbidden, w.Delivery.Prepare(ctx, w.Window, d.License, true), "another unit asks for it")
	for range 2 {
		must(t, w.Delivery.Prepare(ctx, w.Holder, d.License, false))
	}
	until(t, "sealed", func() bool {
		_, _, err = w.Delivery.ZIP(ctx, w.Holder, d.License, false)
		return err == nil
	})
	w.Fsck(t)
}

// TestALotIsDeliveredAsOne: a lot whose holders left no address is one job a batch,
// and not a row; with an address every license is told, once.
func TestALotIsDeliveredAsOne(t *testing.T) {
	w := world.OnSQLite(t)
	p := &phone{}
	w.Delivery.Connect(delivery.SMS, p)
	rows := func() (n int) {
		must(t, w.DB.View(t.Context(), func(tx *store.Tx) error {
			return tx.Row(`SELECT (SELECT COUNT(*) FROM delivery_message) + (SELECT COUNT(*) FROM delivery) + (SELECT COUNT(*) FROM delivery_receipt)`).Scan(&n)
		}))
		return n
	}
	publish := func(tag string, n int) {
		t.Helper()
		l := w.ReadLot(t, tag, n)
		lot(t, w, l.ID)
	}
	publish("A", 5)
	idle(t, w)
	if n := rows(); n != 0 {
		t.Errorf("%d rows for nothing", n)
	}
	registered(t, w, delivery.SMS, number)
	publish("B", 5)
	idle(t, w)
	if got := p.texts(); len(got) != 5 || rows() != 5 {
		t.Errorf("%d told, %d rows", len(got), rows())
	}
	w.Fsck(t)
}

// idle waits until no job of delivery waits or runs.
func idle(t *testing.T, w *world.World) {
	t.Helper()
	until(t, "all delivered", func() bool {
		var n int
		must(t, w.DB.View(t.Context(), func(tx *store.Tx) error {
			return tx.Row(`SELECT COUNT(*) FROM job WHERE kind LIKE 'deliver%'`).Scan(&n)
		}))
		return n == 0
	})
}

func lot(t *testing.T, w *world.World, id string) {
	t.Helper()
	ctx := t.Context()
	must(t, w.Issuer.SubmitLot(ctx, w.Drafter, id, "试用批量"))
	sample, err := w.Issuer.LotSample(ctx, w.Reviewer, id)
	must(t, err)
	for _, s := range sample {
		must(t, w.Issuer.JudgeRow(ctx, w.Reviewer, id, s.Draft, true, ""))
	}
	must(t, w.Issuer.ApproveLot(ctx, w.Reviewer, id))
	until(t, "the lot is made", func() bool {
		l, err := w.Issuer.Lot(ctx, w.Reviewer, id)
		must(t, err)
		return l.State == issuance.LotDone
	})
}
