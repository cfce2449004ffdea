package web

import (
	"strconv"
	"time"

	"elicense"
	"elicense/cases"
	"elicense/delivery"
	"elicense/letters"
)

// The pages of delivery (Art. 14(1)): how it stands, to the holder and to the issuing
// unit; where a holder is told; and what the demo's gateways took.

// deliveryDays is how far back the counts of a unit go.
const deliveryDays = 90

// deliveriesShown is how many a page of the list has.
const deliveriesShown = 50

type deliveriesPage struct {
	delivery.Counts
	Which delivery.Which
	Days  int
	List  []*delivery.Status
	Next  string

	Cancelled []delivery.CancelledMessage
}

func (s *server) deliveries(v *visit) error {
	d := deliveriesPage{Which: delivery.Which(v.r.FormValue("list")), Days: deliveryDays}
	if d.Which != delivery.Unreceived && d.Which != delivery.All {
		d.Which = delivery.Undeliverable
	}
	var err error
	if d.Counts, err = s.Delivery.Counts(v.r.Context(), v.who, v.Now().AddDate(0, 0, -deliveryDays)); err != nil {
		return err
	}
	var after delivery.Page
	if n, err := strconv.ParseInt(v.r.FormValue("at"), 10, 64); err == nil {
		after = delivery.Page{Published: time.UnixMicro(n).UTC(), ID: elicense.LicenseID(v.r.FormValue("id"))}
	}
	var next delivery.Page
	if d.List, next, err = s.Delivery.List(v.r.Context(), v.who, d.Which, after, deliveriesShown); err != nil {
		return err
	}
	if d.Cancelled, err = s.Delivery.Cancelled(v.r.Context(), v.who, queueLimit); err != nil {
		return err
	}
	if next.ID != "" {
		d.Next = strconv.FormatInt(next.Published.UnixMicro(), 10) + "&id=" + string(next.ID)
	}
	return v.render("deliveries", v.t("发放"), d)
}

type deliveryPage struct {
	*delivery.Status
	Base   string
	Issued bool
	Proofs []cases.Proof
}

// deliveryOne shows how the delivery of a license stands.
func (s *server) deliveryOne(issued bool) func(*visit) error {
	return func(v *visit) error {
		id := elicense.LicenseID(v.r.PathValue("id"))
		st, err := s.Delivery.Of(v.r.Context(), v.who, id, issued)
		if err != nil {
			return err
		}
		d := deliveryPage{st, deliveryBase(id, issued), issued, cases.Proofs()}
		if issued {
			return v.render("delivery", v.t("发放"), d)
		}
		return v.render("owndelivery", v.t("送达"), d)
	}
}

func deliveryBase(id elicense.LicenseID, issued bool) string {
	if issued {
		return "/issue/deliveries/" + string(id)
	}
	return "/holder/licenses/" + string(id) + "/delivery"
}

// packagePrepare has the list of a package sealed.
func (s *server) packagePrepare(issued bool) func(*visit) error {
	return func(v *visit) error {
		id := elicense.LicenseID(v.r.PathValue("id"))
		if err := s.Delivery.Prepare(v.r.Context(), v.who, id, issued); err != nil {
			return v.again(err, func() error { return s.deliveryOne(issued)(v) })
		}
		return v.goTo(deliveryBase(id, issued) + "?said=package")
	}
}

func (s *server) packageFile(issued bool) func(*visit) error {
	return func(v *visit) error {
		b, name, err := s.Delivery.ZIP(v.r.Context(), v.who, elicense.LicenseID(v.r.PathValue("id")), issued)
		if err != nil {
			return err
		}
		return v.file(name, "application/zip", b)
	}
}

func (s *server) handOver(v *visit) error {
	id := elicense.LicenseID(v.r.PathValue("id"))
	holder, err := strconv.Atoi(v.r.PostFormValue("holder"))
	if err != nil {
		holder = -1 // of which the domain says that it is none
	}
	err = s.Delivery.Hand(v.r.Context(), v.who, id, holder, cases.Proof(v.r.PostFormValue("proof")), delivery.Handing{
		Receiver: v.r.PostFormValue("receiver"), Remark: v.r.PostFormValue("remark"),
	})
	if err != nil {
		return v.again(err, func() error { return s.deliveryOne(true)(v) })
	}
	return v.goTo(deliveryBase(id, true) + "?said=handed")
}

func (s *server) resend(v *visit) error {
	id := elicense.LicenseID(v.r.PathValue("id"))
	if err := s.Delivery.Resend(v.r.Context(), v.who, v.r.PathValue("message")); err != nil {
		return v.again(err, func() error { return s.deliveryOne(true)(v) })
	}
	return v.goTo(deliveryBase(id, true) + "?said=resend")
}

// draftDocument takes a closing document of a draft.
func (s *server) draftDocument(v *visit) error {
	id := elicense.DraftID(v.r.PathValue("id"))
	file, err := uploaded(v.r, "file", delivery.MaxUpload)
	if err == nil {
		_, err = s.Delivery.Upload(v.r.Context(), v.who, id, v.r.PostFormValue("title"), file)
	}
	if err != nil {
		return v.again(err, func() error { return s.draft(v) })
	}
	return v.goTo("/issue/drafts/" + string(id) + "?said=document#documents")
}

// draftDocumentFile gives a document of a draft as it was uploaded.
func (s *server) draftDocumentFile(v *visit) error {
	u, b, err := s.Delivery.Document(v.r.Context(), v.who, elicense.DraftID(v.r.PathValue("id")), v.r.PathValue("doc"))
	if err != nil {
		return err
	}
	kind := "application/ofd"
	if u.Ext() == ".pdf" {
		kind = "application/pdf"
	}
	return v.file(u.ID+u.Ext(), kind, b)
}

// draftDocumentPage draws a page of a document of a draft.
func (s *server) draftDocumentPage(v *visit) error {
	pages, err := s.documentPages(v, elicense.DraftID(v.r.PathValue("id")), v.r.PathValue("doc"))
	return pageOf(v, pages, err)
}

// documentPages draws a document, so that it is read beside the face; of a PDF there
// are no drawings.
func (s *server) documentPages(v *visit, id elicense.DraftID, doc string) ([][]byte, error) {
	u, b, err := s.Delivery.Document(v.r.Context(), v.who, id, doc)
	if err != nil || u.Ext() != ".ofd" {
		return nil, err
	}
	return letters.Pages(b)
}

func (s *server) draftDocumentOut(v *visit) error {
	id := elicense.DraftID(v.r.PathValue("id"))
	if err := s.Delivery.TakeOut(v.r.Context(), v.who, id, v.r.PathValue("doc")); err != nil {
		return v.again(err, func() error { return s.draft(v) })
	}
	return v.goTo("/issue/drafts/" + string(id) + "?said=document-out#documents")
}

func (s *server) toldBy(v *visit) error {
	list, err := s.Delivery.Contacts(v.r.Context(), v.who)
	if err != nil {
		return err
	}
	return v.render("toldby", v.t("接收方式"), list)
}

func (s *server) contactDo(do func(*visit, delivery.Channel) error, said string) func(*visit) error {
	return func(v *visit) error {
		if err := do(v, delivery.Channel(v.r.PathValue("channel"))); err != nil {
			return v.again(err, func() error { return s.toldBy(v) })
		}
		return v.goTo("/holder/contacts?said=" + said)
	}
}

func (s *server) contactAsk(v *visit, ch delivery.Channel) error {
	return s.Delivery.Ask(v.r.Context(), v.who, ch, v.r.PostFormValue("address"))
}

func (s *server) contactConfirm(v *visit, ch delivery.Channel) error {
	return s.Delivery.Confirm(v.r.Context(), v.who, ch, v.r.PostFormValue("code"))
}

func (s *server) contactForget(v *visit, ch delivery.Channel) error {
	return s.Delivery.Forget(v.r.Context(), v.who, ch)
}

// contactTake enters an address a party tells the clerk of his case.
func (s *server) contactTake(v *visit) error {
	id := elicense.CaseID(v.r.PathValue("id"))
	party, err := strconv.Atoi(v.r.PostFormValue("party"))
	if err != nil {
		party = -1
	}
	if err := s.Delivery.Take(v.r.Context(), v.who, id, party, delivery.Channel(v.r.PostFormValue("channel")), v.r.PostFormValue("address")); err != nil {
		return v.again(err, func() error { return s.caseOne(v) })
	}
	return v.goTo("/window/cases/" + string(id) + "?said=contact")
}

// outbox shows what the demo's mail server and SMS gateway took.
func (s *server) outbox(v *visit) error {
	if s.Outbox == nil {
		return errNoPage()
	}
	return v.render("outbox", v.t("演示收件箱"), s.Outbox.List())
}
