package web

import (
	"strconv"

	"elicense"
	"elicense/cases"
	"elicense/delivery"
)

// The window's pages for holders without a phone (Art. 14(1)): find what waits, prove
// who comes for it, print, hand over.

type collectPage struct {
	Asked string
	List  []delivery.Collectable
	One   *delivery.Collectable // chosen
	// Proofs are the ways somebody proves who he is.
	Proofs []cases.Proof
}

func (s *server) collect(v *visit) error {
	d := collectPage{Asked: v.r.URL.Query().Get("q")}
	if d.Asked != "" && v.refusal == nil {
		var err error
		if d.List, err = s.Delivery.Collectables(v.r.Context(), v.who, d.Asked); err != nil {
			return v.again(err, func() error { return s.collect(v) })
		}
		if len(d.List) == 1 {
			return v.goTo("/window/collect/" + string(d.List[0].License))
		}
	}
	return v.render("collect", v.t("窗口领证"), d)
}

func (s *server) collectOne(v *visit) error {
	c, err := s.Delivery.Collect(v.r.Context(), v.who, elicense.LicenseID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	return v.render("collect", v.t("窗口领证"), collectPage{One: c, Proofs: cases.Proofs()})
}

// collecting reads who comes for a license.
func collecting(v *visit) delivery.Collecting {
	holder, err := strconv.Atoi(v.Posted("holder"))
	if err != nil {
		holder = -1 // of which the domain says that it is none
	}
	return delivery.Collecting{
		Holder: holder, Code: v.Posted("code"), Proof: cases.Proof(v.Posted("proof")),
		Handing: delivery.Handing{Receiver: v.Posted("receiver"), Remark: v.Posted("remark")},
	}
}

func (s *server) collectPrint(v *visit) error {
	b, name, err := s.Delivery.PrintCollected(v.r.Context(), v.who, elicense.LicenseID(v.r.PathValue("id")), collecting(v))
	if err != nil {
		return v.again(err, func() error { return s.collectOne(v) })
	}
	return v.file(name, "application/pdf", b)
}

func (s *server) collectHand(v *visit) error {
	id := elicense.LicenseID(v.r.PathValue("id"))
	if err := s.Delivery.HandCollected(v.r.Context(), v.who, id, collecting(v)); err != nil {
		return v.again(err, func() error { return s.collectOne(v) })
	}
	return v.goTo("/window/collect/" + string(id) + "?said=handed")
}
