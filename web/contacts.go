package web

import (
	"elicense"
	"elicense/catalog"
)

type contactRow struct {
	*catalog.Type
	Contact catalog.Contact
}

// contacts is where an issuing unit says whom to ask about its licenses.
func (s *server) contacts(v *visit) error {
	all, err := s.Catalog.All(v.r.Context())
	if err != nil {
		return err
	}
	var rows []contactRow
	for _, t := range all {
		if !t.Issued(v.who.Unit) || t.State != catalog.Published {
			continue
		}
		row := contactRow{Type: t}
		list, err := s.Catalog.Contacts(v.r.Context(), t.Code)
		if err != nil {
			return err
		}
		for _, x := range list {
			if x.Unit == v.who.Unit {
				row.Contact = x
			}
		}
		rows = append(rows, row)
	}
	return v.render("contacts", v.t("联系方式"), rows)
}

func (s *server) contactSet(v *visit) error {
	err := s.Catalog.SetContact(v.r.Context(), v.who, catalog.Contact{
		Code: elicense.TypeCode(v.r.PathValue("code")), Office: v.Posted("office"), Phone: v.Posted("phone"), Address: v.Posted("address"), Hours: v.Posted("hours"),
	})
	if err != nil {
		return v.again(err, func() error { return s.contacts(v) })
	}
	return v.goTo("/issue/contacts?said=system")
}
