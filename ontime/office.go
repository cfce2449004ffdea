package ontime

import (
	"strconv"
	"strings"

	"elicense"
	"elicense/store"
)

// OfficeCases returns, of drafts, the cases of the platform's own windows whose
// results they are made for. Drafts of other cases are left out.
func OfficeCases(tx *store.Tx, drafts []elicense.DraftID) (map[elicense.DraftID]elicense.CaseID, error) {
	found := map[elicense.DraftID]elicense.CaseID{}
	if len(drafts) == 0 {
		return found, nil
	}
	args, places := make([]any, len(drafts)), make([]string, len(drafts))
	for n, id := range drafts {
		args[n], places[n] = string(id), "$"+strconv.Itoa(n+1)
	}
	list, err := results(tx, `WHERE r.office_case <> '' AND c.draft IN (`+strings.Join(places, ", ")+`)`, args...)
	for _, r := range list {
		found[r.Draft] = r.Office
	}
	return found, err
}
