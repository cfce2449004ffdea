package issuance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"elicense"
	"elicense/catalog"
	"elicense/document"
	"elicense/gm"
	"elicense/jobs"
	"elicense/notice"
	"elicense/registry"
	"elicense/sealing"
	"elicense/store"
)

// lotJob is the kind of the job that seals an approved lot.
const lotJob = "seal-lot"

const (
	// sealBatch is how many rows are sealed between two transactions.
	sealBatch = 256
	// lotShift is how long a job works on a lot before it lets others have a turn.
	lotShift = 20 * time.Second
	// layGroup is how many faces are laid out together.
	layGroup = 16
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
		b, err := i.lotRows(ctx, id)
		if err != nil || b.lot.State != LotSealing {
			return err
		}
		if len(b.rows) == 0 {
			return i.finishLot(ctx, id)
		}
		if ctx.Err() != nil || time.Since(began) > lotShift {
			return i.DB.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error { return enqueueLot(tx, id, tx.Now()) })
		}
		if i.Maker == nil {
			return i.haltLot(ctx, id, errNoFonts())
		}
		if b.stamps, err = i.lotStamp(ctx, b.lot.Unit); err != nil {
			return i.haltLot(ctx, id, err)
		}
		err = i.sealRows(ctx, b)
		if errors.Is(err, errAway) {
			i.lotWaits(ctx, id, "基础信息比对服务不可用，恢复后自动接着办")
			return i.DB.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
				return enqueueLot(tx, id, tx.Now().Add(compareAfter))
			})
		}
		if err != nil {
			return err
		}
		if b.lot.Remark != "" { // what it waited for is over
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

// lotBatch are the rows of a lot that are sealed together.
type lotBatch struct {
	lot    *Lot
	t      *catalog.Type
	issuer string // its name
	stamps
	rows []made
}

func (i *Issuer) lotRows(ctx context.Context, id string) (*lotBatch, error) {
	b := &lotBatch{}
	err := i.DB.View(ctx, func(tx *store.Tx) error {
		list, err := bareLots(tx, `WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return elicense.E(elicense.NotFound, "没有这个批次")
		}
		b.lot = list[0]
		if b.t, err = i.typeOf(tx, b.lot); err != nil {
			return err
		}
		b.issuer = i.unitName(tx, b.lot.Unit)
		rows, err := drafts(tx, `WHERE lot = $1 AND state = $2 ORDER BY place LIMIT $3`, id, InReview, sealBatch)
		b.rows = make([]made, len(rows))
		for n, d := range rows {
			b.rows[n].d = d
		}
		return err
	})
	return b, err
}

// made is a row on its way to its seal.
type made struct {
	d    *Draft
	p    *document.Prepared
	use  *sealing.Use
	done bool  // stored by an earlier run
	err  error // why it is stopped

	first    bool         // no comparison of it is kept yet
	compared []Comparison // what the registries said of its holders
}

// errAway says that no registry answered about any row of a batch.
var errAway = errors.New("the base registries do not answer")

// sealRows takes rows from their drafts to publication. When no registry answers it
// leaves them as they are and returns errAway: the lot waits, for a lot that went on
// would stop hundreds of thousands of its rows in an hour.
func (i *Issuer) sealRows(ctx context.Context, b *lotBatch) error {
	each(len(b.rows), func(n int) {
		m := &b.rows[n]
		m.d.Reviewer, m.d.Reviewed = b.lot.Reviewer, b.lot.Reviewed
		m.first = m.d.Comparison.ID == ""
		m.d.Comparison, m.compared = i.compare(ctx, m.d.Holders, m.d.Fields)
		switch {
		case m.d.Comparison.Outcome.Stops():
			m.err = elicense.E(elicense.Invalid, "基础信息比对：%s", m.d.Comparison.Outcome.Chinese()).Under("第九条第二款")
		case m.d.Comparison.Outcome == Unavailable:
			m.err = elicense.E(elicense.Unavailable, "基础信息比对服务不可用，等批次继续时再比对").Under("第九条第二款")
		}
	})
	// Holders no registry keeps are not waited for: nobody will answer about them.
	if !slices.ContainsFunc(b.rows, func(m made) bool { return m.d.Comparison.Outcome != Unavailable || !waits(m.compared) }) {
		return errAway
	}
	groups := slices.Collect(slices.Chunk(b.rows, layGroup))
	each(len(groups), func(n int) { i.layRows(groups[n], b) })
	// The files of a batch are one pack: making and syncing a file for each took
	// longer than everything else.
	pack := "lot-" + elicense.NewID[string](time.Now()) + ".pack"
	fresh, err := i.intendRows(ctx, b, pack)
	if err != nil {
		return err
	}
	store.CrashPoint("lot.intent")
	if err := i.storeRows(ctx, b, fresh, pack); err != nil {
		return err
	}
	store.CrashPoint("lot.stored")
	return i.publishRows(ctx, b)
}

// each does the work of n things on all processors.
func each(n int, do func(int)) {
	var wait sync.WaitGroup
	workers := min(n, runtime.GOMAXPROCS(0))
	for w := range workers {
		wait.Go(func() {
			for k := w; k < n; k += workers {
				do(k)
			}
		})
	}
	wait.Wait()
}

// layRows lays out the faces of rows nothing stands against.
func (i *Issuer) layRows(rows []made, b *lotBatch) {
	var list []*made
	var contents []document.Content
	for n := range rows {
		if m := &rows[n]; m.err == nil {
			list, contents = append(list, m), append(contents, content(b.t, m.d, b.issuer, i.Sample))
		}
	}
	prepared, errs := i.Maker.PrepareAll(contents)
	for n, m := range list {
		if m.err = layoutError(b.t, errs[n]); m.err == nil {
			digest := prepared[n].Digest()
			m.p, m.d.Digest = prepared[n], bytes.Clone(digest[:])
			m.p.Pack()
		}
	}
}

// storeRows seals the rows whose uses were written, each the part of a pack it was
// written for. One whose seal fails leaves its part empty.
func (i *Issuer) storeRows(ctx context.Context, b *lotBatch, fresh []*made, pack string) error {
	if len(fresh) == 0 {
		return nil
	}
	stamp := document.Stamp{Seal: b.hand.Seal, Signer: b.hand.Signer, Cert: b.hand.Cert, Time: b.lot.Reviewed, Stamper: b.stamper}
	digests, err := i.DB.Files().PutPack(ctx, pack, len(fresh), func(from int, into [][]byte) error {
		for n := range into {
			m := fresh[from+n]
			into[n], m.err = m.p.AppendSealed(into[n], stamp)
			m.p = nil // what it holds is not needed any more
		}
		return nil
	})
	if err != nil {
		return err
	}
	for n, m := range fresh {
		m.use.FileDigest = digests[n]
	}
	return nil
}

func (b *lotBatch) foreseeNumbers(tx *store.Tx) error {
	var numbers []string
	for n := range b.rows {
		if number := b.rows[n].d.Fields[b.t.Roles.Number]; number != "" {
			numbers = append(numbers, number)
		}
	}
	return tx.ForeseeNumbers(b.t.Code, b.lot.Unit, numbers)
}

// intendRows writes the uses of the key before it is used, and takes the numbers. It
// returns the rows that are to be sealed, in the order of their parts of the pack.
func (i *Issuer) intendRows(ctx context.Context, b *lotBatch, pack string) (fresh []*made, err error) {
	err = i.DB.Update(ctx, func(tx *store.Tx) error {
		fresh = nil
		// The qualification must hold on the day of sealing.
		if err := qualified(tx, b.lot.Unit, b.t); err != nil {
			return err
		}
		if err := b.foreseeNumbers(tx); err != nil {
			return err
		}
		tx.Gather()
		for n := range b.rows {
			m := &b.rows[n]
			m.done, m.use = false, nil
			if m.err != nil {
				continue
			}
			if number := m.d.Fields[b.t.Roles.Number]; number != "" {
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
			fresh = append(fresh, m)
		}
		for n, m := range fresh {
			m.use = &sealing.Use{Subject: string(m.d.ID), Seal: b.hand.ID, Digest: m.d.Digest, File: store.Part(pack, n)}
			if err := m.use.Intend(tx); err != nil {
				return err
			}
		}
		return nil
	})
	return fresh, err
}

// publishRows makes the licenses of sealed rows exist, and notes why others are
// stopped: one transaction for all.
func (i *Issuer) publishRows(ctx context.Context, b *lotBatch) error {
	err := i.DB.Update(ctx, func(tx *store.Tx) error {
		if err := b.foreseeNumbers(tx); err != nil {
			return err
		}
		tx.Gather()
		var out []elicense.DraftID
		for n := range b.rows {
			m := &b.rows[n]
			d := *m.d // the transaction may be run again
			var e *elicense.Error
			if m.err != nil && !errors.As(m.err, &e) {
				return m.err // nothing is known against the row: the job is run again
			}
			if err := registry.Keep(tx, registry.Subject{ID: string(d.ID), Unit: d.Unit, First: m.first}, m.compared); err != nil {
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
			if err := i.publishIn(tx, &d, b.t, &use, b.issuer); err != nil {
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
		l, err := bareLot(tx, id)
		if err != nil || l.State != LotSealing {
			return err
		}
		l.State, l.Remark = LotPaused, e.Message()
		return l.update(tx)
	})
}
