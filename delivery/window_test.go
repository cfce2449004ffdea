package delivery_test

import (
	"archive/zip"
	"bytes"
	"slices"
	"strings"
	"testing"

	"elicense"
	"elicense/cases"
	"elicense/delivery"
	"elicense/document"
	"elicense/e2e/world"
	"elicense/letters"
	"elicense/ontime"
)

// granted publishes a license that came of a case of the platform's windows, accepted
// by the clerk's office and decided by the issuing unit.
func granted(t *testing.T, w *world.World, number string) (k *cases.Case, license elicense.LicenseID) {
	t.Helper()
	ctx := t.Context()
	must(t, w.Cases.Install(ctx, []*cases.Matter{{
		Code: "M06", Name: "食品经营许可", Unit: world.Issuer, Days: 10, Online: true, Result: world.Type,
		Materials: []cases.Material{{Name: "申请书", Way: cases.Form}},
	}}))
	registrar := *w.Matters
	registrar.Unit = world.Issuer
	must(t, w.Cases.Entrust(ctx, &registrar, cases.Entrustment{Acceptor: world.Office, DocNo: "鼓市监委〔2026〕1号", From: "2026-01-01"}))
	w.SealOffice(t)
	k, err := w.Cases.Start(ctx, w.Window, cases.NewCase{Number: "许可" + number, Matter: "M06", Parties: []cases.Party{{Role: "申请人", Ref: world.Firm, Proof: cases.ProofLicense}}})
	must(t, err)
	_, err = w.Cases.Do(ctx, w.Window, k.ID, cases.Accept, cases.Doing{})
	must(t, err)
	_, err = w.Cases.Do(ctx, w.Window, k.ID, cases.Decide, cases.Doing{Granted: true, DocNo: "鼓市监准〔2026〕1号", Reason: "依法"})
	must(t, err)
	until(t, "the acceptance is sealed", func() bool {
		list, err := w.Letters.List(ctx, w.Window, k.ID, false)
		must(t, err)
		return slices.ContainsFunc(list, func(l *letters.Letter) bool { return l.File != "" })
	})
	must(t, w.Cases.Close(ctx, w.Window, k.ID))
	until(t, "the result is known", func() bool {
		list, _, err := w.OnTime.Missing(ctx, w.Drafter, world.Issuer, ontime.Page{}, 10)
		must(t, err)
		return len(list) == 1
	})
	return k, w.Publish(t, w.Completion(number)).License
}

// TestNoticesOfACaseJoinItsPackage: a holder gets the decision and the acceptance of
// the platform's case with the license, the very sealed files (Art. 14(1)).
func TestNoticesOfACaseJoinItsPackage(t *testing.T) {
	w := world.OnSQLite(t)
	_, id := granted(t, w, "1")
	until(t, "the list is sealed by itself", func() bool {
		s := status(t, w, id)
		return s.Package != nil && !s.Package.Sealed.IsZero()
	})
	file, _, err := w.Delivery.ZIP(t.Context(), w.Holder, id, false)
	must(t, err)
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	must(t, err)
	o, err := w.Trust(t.Context())
	must(t, err)
	var notices int
	for _, f := range z.File {
		r, err := f.Open()
		must(t, err)
		var b bytes.Buffer
		_, err = b.ReadFrom(r)
		must(t, err)
		if judged := document.Judge(b.Bytes(), o); judged.Verdict != document.Genuine {
			t.Errorf("%s is %s", f.Name, judged.Verdict)
		} else if strings.Contains(judged.Title, "通知书") || strings.Contains(judged.Title, "决定书") || strings.Contains(judged.Title, "凭证") {
			notices++
		}
	}
	if s := status(t, w, id); len(s.Package.Documents) != 1+notices || notices == 0 {
		t.Errorf("%d notices among %d documents", notices, len(s.Package.Documents))
	}
	w.Fsck(t)
}

// TestAHolderWithoutAPhoneCollectsAtAWindow: found by a number he brings, handed over
// once his own number is read off what proves him; elsewhere it is as if there were
// no such license (Art. 14(1), 13(2)).
func TestAHolderWithoutAPhoneCollectsAtAWindow(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	d := w.Publish(t, w.Completion("1"))
	clerk := *w.Window
	clerk.Unit, clerk.UnitName = world.Issuer, "福州市鼓楼区市场监督管理局"
	for _, asked := range []string{"许可1", string(d.Identifier)} {
		list, err := w.Delivery.Collectables(ctx, &clerk, asked)
		must(t, err)
		if len(list) != 1 || list[0].License != d.License || list[0].Opened || !list[0].Handed.IsZero() || strings.Contains(strings.Join(list[0].Holders, ""), world.Firm.Name) {
			t.Errorf("asked for %s: %+v", asked, list)
		}
	}
	_, want := w.Delivery.Collectables(ctx, w.Window, "没有这个号")
	for _, asked := range []string{"许可1", string(d.Identifier), world.Firm.Name} {
		_, err := w.Delivery.Collectables(ctx, w.Window, asked)
		wants(t, elicense.Forbidden, err, "another window asks for "+asked)
		if err.Error() != want.Error() {
			t.Errorf("another window is told %v, of nothing %v", err, want)
		}
	}
	_, err := w.Delivery.Collectables(ctx, &clerk, world.Firm.Name)
	wants(t, elicense.Forbidden, err, "found by name")

	right := delivery.Collecting{Code: strings.ToLower(world.Firm.Code), Proof: cases.ProofCard, Handing: delivery.Handing{Receiver: "陈示例", Remark: "法定代表人"}}
	wrong := right
	wrong.Code = world.Other.Code
	_, _, err = w.Delivery.PrintCollected(ctx, &clerk, d.License, wrong)
	wants(t, elicense.Forbidden, err, "printed for another")
	wants(t, elicense.Forbidden, w.Delivery.HandCollected(ctx, &clerk, d.License, wrong), "handed to another")
	_, _, err = w.Delivery.PrintCollected(ctx, w.Window, d.License, right)
	wants(t, elicense.Forbidden, err, "printed at another window")
	unproven := right
	unproven.Proof = ""
	wants(t, elicense.Invalid, w.Delivery.HandCollected(ctx, &clerk, d.License, unproven), "no word of how he was proven")

	pdf, _, err := w.Delivery.PrintCollected(ctx, &clerk, d.License, right)
	must(t, err)
	if !bytes.HasPrefix(pdf, []byte("%PDF-")) {
		t.Error("what is printed is no PDF")
	}
	must(t, w.Delivery.HandCollected(ctx, &clerk, d.License, right))
	wants(t, elicense.Conflict, w.Delivery.HandCollected(ctx, &clerk, d.License, right), "handed over twice")
	s := status(t, w, d.License)
	if !s.Received() || len(s.Receipts) != 1 || s.Receipts[0].Kind != delivery.Handed || s.Receipts[0].Window != clerk.UnitName || s.Receipts[0].Clerk != "郑窗口" {
		t.Errorf("%+v", s.Receipts)
	}
	w.Fsck(t)
}

// TestTheWindowOfTheCaseHandsOver: what a case of the platform led to waits at the
// windows of that case, under its number and the QR code of its notices.
func TestTheWindowOfTheCaseHandsOver(t *testing.T) {
	w := world.OnSQLite(t)
	k, id := granted(t, w, "1")
	for _, asked := range []string{k.Number, "http://localhost/holder/cases/" + string(k.ID)} {
		list, err := w.Delivery.Collectables(t.Context(), w.Window, asked)
		must(t, err)
		if len(list) != 1 || list[0].License != id {
			t.Errorf("asked for %s: %+v", asked, list)
		}
	}
	_, err := w.Delivery.Collect(t.Context(), w.Window, id)
	must(t, err)
	other := w.Publish(t, w.Completion("2")) // of no case of theirs
	_, err = w.Delivery.Collect(t.Context(), w.Window, other.License)
	wants(t, elicense.Forbidden, err, "another license of the unit")
}
