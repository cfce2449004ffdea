package web

import "elicense"

// receipt gives the officer the receipt of a use.
func (s *server) receipt(v *visit) error {
	return s.giveReceipt(v, elicense.CaseID(v.r.PathValue("id")), elicense.RecordID(v.r.PathValue("record")))
}

// giveReceipt sends the receipt of a use as a file that elicense verify proves.
func (s *server) giveReceipt(v *visit, id elicense.CaseID, record elicense.RecordID) error {
	r, err := s.Receipts.Get(v.r.Context(), v.who, id, record)
	if err != nil {
		return err
	}
	b, err := r.Bytes()
	if err != nil {
		return err
	}
	return v.file(r.Name(), "application/json", b)
}
