package issuance

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"

	"elicense"
	"elicense/gm"
	"elicense/store"
)

// Beside is a document that goes to the holder with a license, as its draft knows it
// (Art. 14(1)): the reviewer reads it beside the face, and what he approves is both.
type Beside struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Digest []byte `json:"digest"` // SM3 of the file

	Added int64 `json:"added"`         // the draft's number since when it is there
	Out   int64 `json:"out,omitempty"` // the number since when it is not any more
}

// is tells whether it is the same document under the same title.
func (b *Beside) is(o *Beside) bool {
	return b.ID == o.ID && b.Title == o.Title && bytes.Equal(b.Digest, o.Digest)
}

// maxGone is how many documents that were taken out a draft still knows, to say what
// changed.
const maxGone = 20

// Documents returns the documents that go with the draft.
func (d *Draft) Documents() (there []Beside) {
	for _, b := range d.Beside {
		if b.Out == 0 {
			there = append(there, b)
		}
	}
	return there
}

// SetDocuments makes list the documents that go with a draft that is not approved,
// and gives the draft a new number: who reads it without them approves it no more.
//
// Errors: Conflict once it is approved, or while it is a row of a lot that is not
// being put together.
func SetDocuments(tx *store.Tx, id elicense.DraftID, list []Beside) error {
	d, err := Of(tx, id)
	if err != nil {
		return err
	}
	switch {
	case d.State != Open && d.State != InReview:
		return elicense.E(elicense.Conflict, "这份证照已经审核，不能再增减文书").Under("第十四条第一款").Then("请另行送达")
	case d.Lot != "" && d.State == Open:
		err = leaveLot(tx, d)
	case d.Lot != "":
		// The lot stays as it is until this is done: what is drawn is drawn with it.
		var n int64
		n, err = tx.Exec(`UPDATE lot SET state = state WHERE id = $1 AND state IN ($2, $3)`, d.Lot, LotOpen, LotReading)
		if err == nil && n == 0 {
			err = elicense.E(elicense.Conflict, "这份草稿所在的批次已经送审，不能再增减文书").Under("第七条第一款").Then("请先退回批次")
		}
	}
	if err != nil {
		return err
	}
	next, gone := d.Seq+1, 0
	for n := range d.Beside {
		if b := &d.Beside[n]; b.Out == 0 && !slices.ContainsFunc(list, func(o Beside) bool { return b.is(&o) }) {
			b.Out = next
		}
	}
	for _, b := range list {
		if !slices.ContainsFunc(d.Beside, func(o Beside) bool { return o.Out == 0 && b.is(&o) }) {
			b.Added, b.Out = next, 0
			d.Beside = append(d.Beside, b)
		}
	}
	for n := len(d.Beside) - 1; n >= 0; n-- {
		if d.Beside[n].Out == 0 {
			continue
		}
		if gone++; gone > maxGone {
			d.Beside = slices.Delete(d.Beside, n, n+1)
		}
	}
	return update(tx, d)
}

// unlike refuses a draft that is not the one of the number seq, and says what of it is
// another.
func (d *Draft) unlike(seq int64) error {
	added, out, moves := 0, 0, map[int64]bool{}
	for _, b := range d.Beside {
		moves[b.Added], moves[b.Out] = true, true
		switch {
		case b.Added > seq && b.Out == 0:
			added++
		case b.Added <= seq && b.Out > seq:
			out++
		}
	}
	for n := seq + 1; n <= d.Seq; n++ {
		if !moves[n] { // it was something else, also
			return changedMeanwhile()
		}
	}
	var e *elicense.Error
	switch {
	case added > 0 && out > 0:
		e = elicense.E(elicense.Conflict, "一起送达的文书和您看过的不同了：加了%d份，撤了%d份", added, out)
	case added > 0:
		e = elicense.E(elicense.Conflict, "一起送达的文书和您看过的不同了：加了%d份", added)
	case out > 0:
		e = elicense.E(elicense.Conflict, "一起送达的文书和您看过的不同了：撤了%d份", out)
	default:
		e = elicense.E(elicense.Conflict, "一起送达的文书刚刚有人加过又撤了")
	}
	return e.Under("第七条第一款").Then("请重新打开，看过文书后再办")
}

var errOtherDocuments = errors.New("the documents beside it are not those it knows")

// keptDocuments checks that the documents the draft knows are there, and no others.
// Drafts from before documents were bound to them know none.
func (d *Draft) keptDocuments(tx *store.Tx) error {
	if len(d.Beside) == 0 {
		return nil
	}
	known := d.Documents()
	rows, err := tx.Query(`SELECT id, file_digest FROM closing_document WHERE draft = $1`, d.ID)
	if err != nil {
		return err
	}
	n := 0
	for ; rows.Next(); n++ {
		var id string
		var digest []byte
		if err := rows.Scan(&id, &digest); err != nil {
			return err
		}
		if !slices.ContainsFunc(known, func(b Beside) bool { return b.ID == id && bytes.Equal(b.Digest, digest) }) {
			return errOtherDocuments
		}
	}
	if n != len(known) {
		return errOtherDocuments
	}
	return nil
}

// documentsDigest is what the record of an approval says of the documents: SM3 over
// their digests in order, empty without any.
func (d *Draft) documentsDigest() string {
	var all []byte
	for _, b := range d.Documents() {
		all = append(all, b.Digest...)
	}
	if len(all) == 0 {
		return ""
	}
	sum := gm.Sum(all)
	return hex.EncodeToString(sum[:])
}
