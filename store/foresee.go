package store

import (
	"fmt"
	"strconv"
	"strings"

	"elicense"
)

// foreseen are rows found by keyed indexes before they are asked for, by their
// query and index; nil for one that is not there. What this transaction adds is
// added here.
type foreseen map[string]map[string][]any

const (
	holderByCode    = `SELECT holder_key, mac FROM holder_code WHERE code_index = $1`
	licenseByNumber = `SELECT license FROM license_number WHERE number_index = $1`
)

// ForeseeHolders looks up many holders in few statements; Holder then knows them.
func (tx *Tx) ForeseeHolders(refs []elicense.HolderRef) error {
	names := make([]string, len(refs))
	for i, r := range refs {
		names[i] = holderName(r)
	}
	return tx.foresee("holder-code", names, holderByCode)
}

// ForeseeNumbers looks up many face numbers of a type and issuer in few
// statements; NumberTaken and TakeNumber then know them.
func (tx *Tx) ForeseeNumbers(t elicense.TypeCode, issuer elicense.UnitCode, numbers []string) error {
	names := make([]string, len(numbers))
	for i, n := range numbers {
		names[i] = numberName(t, issuer, n)
	}
	return tx.foresee("face-number", names, licenseByNumber)
}

// foresee finds what a query finds by each of many values.
func (tx *Tx) foresee(kind string, values []string, query string) error {
	tx.ForeseeIndexes(kind, values)
	var indexes []any
	known := map[string][]any{}
	for _, v := range values {
		for _, index := range tx.Indexes(kind, v) {
			if _, twice := known[string(index)]; !twice {
				known[string(index)] = nil
				indexes = append(indexes, index)
			}
		}
	}
	head, column, ok := strings.Cut(strings.TrimSuffix(query, " = $1"), " WHERE ")
	if !ok {
		return fmt.Errorf("store: %s can not be foreseen", query)
	}
	head = strings.Replace(head, "SELECT ", "SELECT "+column+", ", 1) + " WHERE " + column + " IN "
	for len(indexes) > 0 {
		n := manyOf(len(indexes))
		rows, err := tx.Query(head+tx.list(n), indexes[:n]...)
		if err != nil {
			return err
		}
		for _, cells := range rows.cells {
			index, _ := cells[0].([]byte)
			known[string(index)] = cells[1:]
		}
		indexes = indexes[n:]
	}
	if tx.foreseen == nil {
		tx.foreseen = foreseen{}
	}
	tx.foreseen[query] = known
	return nil
}

// list returns n placeholders in brackets, numbered where they must be.
func (tx *Tx) list(n int) string {
	items := make([]string, n)
	for i := range items {
		items[i] = "?"
		if tx.db.engine.numbered() {
			items[i] = "$" + strconv.Itoa(i+1)
		}
	}
	return "(" + strings.Join(items, ", ") + ")"
}

// add notes a row this transaction has inserted.
func (f foreseen) add(query string, index []byte, cells ...any) {
	if known := f[query]; known != nil {
		known[string(index)] = cells
	}
}
