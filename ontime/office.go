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
	// Plain joins: from the few drafts to their results, never through all results.
	ids, err := store.All(tx, func(r *store.Rows) (id string, err error) { return id, r.Scan(&id) },
		`SELECT r.id FROM completion c JOIN case_result r ON r.unit = c.unit AND r.case_index = c.case_index AND r.item = c.item
		WHERE c.draft IN (`+strings.Join(places, ", ")+`) AND r.office_case <> ''`, args...)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		r, err := resultOf(tx, id)
		if err != nil {
			return nil, err
		}
		found[r.Draft] = r.Office
	}
	return found, nil
}
