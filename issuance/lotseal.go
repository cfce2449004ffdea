package issuance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"elicense"
	"elicense/catalog"
	"elicense/document"
	"elicense/gm"
	"elicense/jobs"
	"elicense/notice"
	"elicense/sealing"
	"elicense/store"
)

// lotJob is the kind of the job that seals an approved lot.
const lotJob = "seal-lot"

const (
	// sealBatch is how many rows are sealed between two transactions.
	sealBatch = 64
	// lotShift is how long a job works on a lot before it lets others have a turn.
	lotShift = 20 * time.Second
	// sealers are the goroutines that lay out and seal.
	sealers = 2
)

// stamps is what a lot is sealed with.
type stamps struct {
	hand    *sealing.InHand
	stamper gm.TimeStamper
}

func (i *Issuer) lotStamp(ctx context.Context, unit elicense.UnitCode) (s stamps, err error) {
	if s.hand, err = i.Seals.InHand(ctx, unit, sealing.ForLicenses); err != nil {
		return s, err
	}
	s.stamper, err = i.Seals.TimeStamper(ctx)
	return s, err
}

// sealLot seals the rows of an approved lot, batch by batch. It may be stopped at
// any line and run again: a row is published in the transaction that ends the use
// of the key, and what was stored before it is found.
func (i *Issuer) sealLot(ctx context.Context, payload []byte) error {
	err := i.lotTurn(ctx, string(payload))
	if err != nil {
		i.lotWaits(ctx, string(payload), inWords(err))
	}
	return err
}

// lotTurn seals rows of a lot until all are done, its time is up, or it is paused.
func (i *Issuer) lotTurn(ctx context.Context, id string) error {
	began := time.Now()
	for {
		l, t, rows, err := i.lotRows(ctx, id)
		if err != nil || l.State != LotSealing {
			return err
		}
		if len(rows) == 0 {
			return i.finishLot(ctx, id)
		}
		if ctx.Err() != nil || time.Since(began) > lotShift {
			return i.DB.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error { return enqueueLot(tx, id) })
		}
		s, err := i.lotStamp(ctx, l.Unit)
		if err != nil {
			return i.haltLot(ctx, id, err)
		}
		if err := i.sealRows(ctx, l, t, rows, s); err != nil {
			return err
		}
		if l.Remark != "" { // what it waited for is over
			i.lotWaits(ctx, id, "")
		}
	}
}

// lotWaits writes why the rows of a lot are not sealed yet, for the people who wait
// for them.
func (i *Issuer) lotWaits(ctx context.Context, id, why string) {
	err := i.DB.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE lot SET remark = $1 WHERE id = $2 AND state = $3`, why, id, LotSealing)
		return err
	})
	if err != nil {
		i.Log.ErrorContext(ctx, "note why a lot waits", "lot", id, "err", err)
	}
}

func (i *Issuer) lotRows(ctx context.Context, id string) (l *Lot, t *catalog.Type, rows []*Draft, err error) {
	err = i.DB.View(ctx, func(tx *store.Tx) error {
		list, err := bareLots(tx, `WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return elicense.E(elicense.NotFound, "没有这个批次")
		}
		l = list[0]
		if t, err = i.typeOf(tx, l); err != nil {
			return err
		}
		rows, err = drafts(tx, `WHERE lot = $1 AND state = $2 ORDER BY place LIMIT $3`, id, InReview, sealBatch)
		return err
	})
	return l, t, rows, err
}

// made is a row on its way to its seal.
type made struct {
	d    *Draft
	p    *document.Prepared
	use  *sealing.Use
	done bool  // stored by an earlier run
	part int   // of the pack
	err  error // why it is stopped

	compared []Comparison // what the registries said of its holders
}

// sealRows takes rows from their drafts to publication.
func (i *Issuer) sealRows(ctx context.Context, l *Lot, t *catalog.Type, rows []*Draft, s stamps) error {
	list := make([]made, len(rows))
	each(len(rows), func(n int) {
		m := &list[n]
		m.d = rows[n]
		m.d.Reviewer, m.d.Reviewed = l.Reviewer, l.Reviewed
		m.d.Comparison, m.compared = i.compare(ctx, m.d.Holders, m.d.Fields)
		switch {
		case m.d.Comparison.Outcome.Stops():
			m.err = elicense.E(elicense.Invalid, "基础信息比对：%s", m.d.Comparison.Outcome.Chinese()).Under("第九条第二款")
		case m.d.Comparison.Outcome == Unavailable:
			m.err = elicense.E(elicense.Unavailable, "基础信息比对服务不可用，等批次继续时再比对").Under("第九条第二款")
		default:
			m.p, m.err = i.prepare(ctx, m.d, t)
		}
		if m.err == nil {
			digest := m.p.Digest()
			m.d.Digest = bytes.Clone(digest[:])
		}
	})
	// The files of a batch are one pack: making and syncing a file for each took
	// longer than everything else.
	pack := "lot-" + elicense.NewID[string](time.Now()) + ".pack"
	if err := i.intendRows(ctx, list, t, s, pack); err != nil {
		return err
	}
	store.CrashPoint("lot.intent")
	files := make([][]byte, len(list))
	each(len(list), func(n int) {
		m := &list[n]
		if m.err != nil || m.done {
			return
		}
		files[n], m.err = m.p.Seal(document.Stamp{Seal: s.hand.Seal, Signer: s.hand.Signer, Cert: s.hand.Cert, Time: l.Reviewed, Stamper: s.stamper})
	})
	if err := i.storeRows(ctx, list, files, pack); err != nil {
		return err
	}
	store.CrashPoint("lot.stored")
	return i.publishRows(ctx, list, t)
}

// each does the work of n things on all the sealers.
func each(n int, do func(int)) {
	var wait sync.WaitGroup
	for w := range sealers {
		wait.Go(func() {
			for k := w; k < n; k += sealers {
				do(k)
			}
		})
	}
	wait.Wait()
}

// storeRows stores what was sealed.
func (i *Issuer) storeRows(ctx context.Context, list []made, files [][]byte, pack string) error {
	var parts [][]byte
	for n := range list {
		m := &list[n]
		if m.use == nil || m.done {
			continue
		}
		// One whose seal failed leaves its part empty.
		parts = append(parts, files[n])
	}
	if len(parts) == 0 {
		return nil
	}
	digests, err := i.DB.Files().PutPack(ctx, pack, parts)
	if err != nil {
		return err
	}
	for n := range list {
		if list[n].err == nil && !list[n].done {
			list[n].use.FileDigest = digests[list[n].part]
		}
	}
	return nil
}

// intendRows writes the uses of the key before it is used, and takes the numbers.
func (i *Issuer) intendRows(ctx context.Context, list []made, t *catalog.Type, s stamps, pack string) error {
	return i.DB.Update(ctx, func(tx *store.Tx) error {
		// The qualification must hold on the day of sealing.
		if err := qualified(tx, list[0].d.Unit, t); err != nil {
			return err
		}
		next := 0
		for n := range list {
			m := &list[n]
			m.done, m.use = false, nil
			if m.err != nil {
				continue
			}
			if number := m.d.Fields[t.Roles.Number]; number != "" {
				err := tx.TakeNumber(&elicense.License{ID: m.d.License, Owner: m.d.Owner, Type: m.d.Type, Issuer: m.d.Unit}, number)
				if elicense.IsKind(err, elicense.Conflict) {
					m.err = err
					continue
				}
				if err != nil {
					return err
				}
			}
			before, err := sealing.UseOf(tx, string(m.d.ID))
			if err != nil {
				return err
			}
			if before != nil && i.stored(ctx, before) {
				m.use, m.done = before, true
				continue
			}
			if before != nil {
				if err := before.End(tx, sealing.Abandoned); err != nil {
					return err
				}
			}
			m.use = &sealing.Use{Subject: string(m.d.ID), Seal: s.hand.ID, Digest: m.d.Digest, File: store.Part(pack, next)}
			m.part = next
			next++
			if err := m.use.Intend(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// publishRows makes the licenses of sealed rows exist, and notes why others are
// stopped: one transaction for all.
func (i *Issuer) publishRows(ctx context.Context, list []made, t *catalog.Type) error {
	err := i.DB.Update(ctx, func(tx *store.Tx) error {
		var out []elicense.DraftID
		for n := range list {
			m := &list[n]
			d := *m.d // the transaction may be run again
			var e *elicense.Error
			if m.err != nil && !errors.As(m.err, &e) {
				return m.err // nothing is known against the row: the job is run again
			}
			if err := keepComparisons(tx, &d, m.compared); err != nil {
				return err
			}
			if m.err != nil {
				if m.use != nil {
					use := *m.use
					if err := use.End(tx, sealing.Abandoned); err != nil {
						return err
					}
				}
				d.State, d.Trouble, d.Reviewer, d.Reviewed = Open, e.Message(), "", time.Time{}
				if err := update(tx, &d); err != nil {
					return err
				}
				continue
			}
			use := *m.use
			if err := i.publishIn(tx, &d, t, &use); err != nil {
				return err
			}
			out = append(out, d.ID)
		}
		return deliver(tx, out...)
	})
	if err == nil {
		store.CrashPoint("lot.published")
	}
	return err
}

// finishLot ends a lot all of whose rows are published or stopped, and tells who
// made it.
func (i *Issuer) finishLot(ctx context.Context, id string) error {
	return i.DB.Update(ctx, func(tx *store.Tx) error {
		l, err := lotOf(tx, id)
		if err != nil {
			return err
		}
		if l.State != LotSealing {
			return nil
		}
		l.State, l.Finished, l.Remark = LotDone, tx.Now(), ""
		if err := l.update(tx); err != nil {
			return err
		}
		n := notice.Notice{Kind: "published", Text: "批次%s已完成：发布%s件", Args: []string{l.Name, fmt.Sprint(l.Made)}, Link: "/issue/lots/" + l.ID}
		if l.Stopped > 0 {
			n.Text, n.Args = "批次%s已完成：发布%s件，%s件停下要处理", []string{l.Name, fmt.Sprint(l.Made), fmt.Sprint(l.Stopped)}
		}
		if err := notice.Send(tx, notice.AccountInbox(l.Account), n); err != nil {
			return err
		}
		return jobs.Done(tx, jobs.Current(ctx))
	})
}

// haltLot pauses a lot that can't be sealed now, and says why.
func (i *Issuer) haltLot(ctx context.Context, id string, cause error) error {
	var e *elicense.Error
	if !errors.As(cause, &e) || e.Kind == elicense.Internal {
		return cause
	}
	i.Log.WarnContext(ctx, "a lot is halted", "lot", id, "err", cause)
	return i.DB.Update(ctx, func(tx *store.Tx) error {
		l, err := lotOf(tx, id)
		if err != nil || l.State != LotSealing {
			return err
		}
		l.State, l.Remark = LotPaused, e.Message()
		return l.update(tx)
	})
}
