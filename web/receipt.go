package web

import "elicense"

// receipt gives the officer the receipt of a use.
func (s *server) receipt(v *visit) error {
	r, err := s.Receipts.Get(v.r.Context(), v.who, elicense.CaseID(v.r.PathValue("id")), elicense.RecordID(v.r.PathValue("record")))
	if err != nil {
		return err
	}
	b, err := r.Bytes()
	if err != nil {
		return err
	}
	return v.file(r.Name(), "application/json", b)
}
