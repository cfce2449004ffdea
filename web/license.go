package web

import (
	"errors"
	"strings"
	"time"

	"elicense"
	"elicense/lifecycle"
	"elicense/references"
	"elicense/sharing"
)

// issuedPageSize is how many licenses a page of the unit's list shows.
const issuedPageSize = 50

type issuedPage struct {
	List []sharing.Opened
	Next string // asks for older ones
}

func (s *server) issuedList(v *visit) error {
	before := v.Now().Add(time.Hour)
	if b, err := time.Parse(time.RFC3339Nano, v.r.FormValue("before")); err == nil {
		before = b
	}
	list, err := s.Sharing.IssuedBy(v.r.Context(), v.who, before, issuedPageSize)
	if err != nil {
		return err
	}
	d := issuedPage{List: list}
	if len(list) >= issuedPageSize {
		d.Next = list[len(list)-1].Published.UTC().Format(time.RFC3339Nano)
	}
	return v.render("issuedlist", v.t("本单位证照"), d)
}

type licensePage struct {
	*sharing.Opened
	Events  []*elicense.Event // the newest first
	Pages   int
	Kinds   []elicense.EventKind
	Grounds []lifecycle.Ground
	In      typed
	Form    string

	Kept *references.Reference // how its source answers for it; nil for our own
	Age  int                   // days since it was last confirmed
}

// licenseOf puts together what the holder and the issuing unit see of a license.
func (s *server) licenseOf(v *visit, o *sharing.Opened, issued bool) (*licensePage, error) {
	d := &licensePage{Opened: o}
	for i := len(o.Events) - 1; i >= 0; i-- {
		d.Events = append(d.Events, o.Events[i])
	}
	if o.License.Reference {
		d.Age = int(v.Now().Sub(o.License.Contact).Hours() / 24)
	}
	if o.Version.File == "" {
		return d, nil
	}
	svgs, err := s.Sharing.Picture(v.r.Context(), v.who, o.ID, issued)
	d.Pages = len(svgs)
	return d, err
}

func (s *server) issued(v *visit) error {
	o, err := s.Sharing.Issued(v.r.Context(), v.who, elicense.LicenseID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	d, err := s.licenseOf(v, o, true)
	if err != nil {
		return err
	}
	d.Form = short("change/" + string(o.ID))
	if d.In, err = v.typedInto(d.Form); err != nil {
		return err
	}
	for _, k := range lifecycle.Kinds() {
		if _, err := o.Standing.After(k); err == nil {
			d.Kinds = append(d.Kinds, k)
		}
	}
	d.Grounds = lifecycle.Grounds()
	if o.License.Reference && (v.who.Has(elicense.DutyDraft) || v.who.Has(elicense.DutyReview)) {
		if d.Kept, err = s.References.Get(v.r.Context(), v.who, o.ID); err != nil {
			return err
		}
	}
	return v.render("issued", o.License.TypeName, d)
}

func (s *server) issuedFace(v *visit) error {
	svgs, err := s.Sharing.Picture(v.r.Context(), v.who, elicense.LicenseID(v.r.PathValue("id")), true)
	return pageOf(v, svgs, err)
}

// file answers with the sealed file, for its holder or, issued being set, for its
// issuing unit.
func (s *server) file(issued bool) func(*visit) error {
	return func(v *visit) error {
		b, name, err := s.Sharing.File(v.r.Context(), v.who, elicense.LicenseID(v.r.PathValue("id")), issued)
		if err != nil {
			return err
		}
		return v.file(name, "application/ofd", b)
	}
}

func (s *server) pdf(issued bool) func(*visit) error {
	return func(v *visit) error {
		b, name, err := s.Sharing.PDF(v.r.Context(), v.who, elicense.LicenseID(v.r.PathValue("id")), issued)
		if err != nil {
			return err
		}
		return v.file(name, "application/pdf", b)
	}
}

// print answers with the print form, or with the license's page and what was wrong.
func (s *server) print(issued bool) func(*visit) error {
	page := s.ownLicense
	if issued {
		page = s.issued
	}
	return func(v *visit) error {
		b, name, err := s.Sharing.Print(v.r.Context(), v.who, elicense.LicenseID(v.r.PathValue("id")), issued, v.r.PostFormValue("purpose"))
		if err != nil {
			return v.again(err, func() error { return page(v) })
		}
		return v.file(name, "application/pdf", b)
	}
}

func (s *server) changePropose(v *visit) error {
	id := elicense.LicenseID(v.r.PathValue("id"))
	form := short("change/" + string(id))
	c := lifecycle.Change{
		License: id, Kind: elicense.EventKind(v.r.PostFormValue("kind")),
		DocNo: strings.TrimSpace(v.r.PostFormValue("docNo")), Reason: strings.TrimSpace(v.r.PostFormValue("reason")),
	}
	if d := elicense.Date(v.r.PostFormValue("effective")); d != "" {
		c.Effective = d.Start()
	}
	if _, err := s.Lifecycle.Propose(v.r.Context(), v.who, c); err != nil {
		return v.refusedForm(err, form, func() error { return s.issued(v) })
	}
	if err := s.Typed.Clear(v.r.Context(), v.who, form); err != nil {
		return err
	}
	return v.goTo("/issue/changes")
}

// withdrawPropose proposes that nothing of a license is shown any more.
func (s *server) withdrawPropose(v *visit) error {
	_, err := s.Lifecycle.Withdraw(v.r.Context(), v.who, elicense.LicenseID(v.r.PathValue("id")), lifecycle.Ground(v.Posted("ground")), v.Posted("secretDoc"))
	if err != nil {
		var e *elicense.Error
		if errors.As(err, &e) && e.Field == "docNo" { // the page has another number of a document
			err = e.At("secretDoc")
		}
		return v.again(err, func() error { return s.issued(v) })
	}
	return v.goTo("/issue/changes")
}

type changesPage struct{ Waiting, Done, Refused []lifecycle.Entry }

func (s *server) changes(v *visit) (err error) {
	var d changesPage
	for state, list := range map[lifecycle.State]*[]lifecycle.Entry{
		lifecycle.Proposed: &d.Waiting, lifecycle.Done: &d.Done, lifecycle.Refused: &d.Refused,
	} {
		if *list, err = s.Lifecycle.Queue(v.r.Context(), v.who, state, queueLimit); err != nil {
			return err
		}
	}
	return v.render("changes", v.t("状态变更"), d)
}

func (s *server) changeDecide(v *visit) error {
	approve := v.r.PostFormValue("do") == "approve"
	err := s.Lifecycle.Decide(v.r.Context(), v.who, v.r.PathValue("id"), approve, strings.TrimSpace(v.r.PostFormValue("remark")))
	if err != nil {
		return v.again(err, func() error { return s.changes(v) })
	}
	return v.goTo("/issue/changes")
}
