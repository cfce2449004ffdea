package letters

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"elicense"
	"elicense/catalog"
	"elicense/document"
	"elicense/sealing"
	"elicense/store"
)

// Press seals what a unit says in a notice: the intent is written before the key is
// used, and the file is stored before anyone notes it.
type Press struct {
	DB    *store.DB
	Seals *sealing.Register
	Maker *document.Maker // nil where there are no fonts
}

// Begun returns the use of a key for a subject that was not abandoned, nil if there
// is none; stored tells that its file reached the file store in an earlier run.
func (p *Press) Begun(ctx context.Context, tx *store.Tx, subject string) (u *sealing.Use, stored bool, err error) {
	if u, err = sealing.UseOf(tx, subject); err != nil || u == nil {
		return nil, false, err
	}
	return u, p.stored(ctx, u), nil
}

// stored tells whether the file of an earlier run reached the file store, and
// reads its digest.
func (p *Press) stored(ctx context.Context, u *sealing.Use) bool {
	_, digest, err := p.DB.Files().Find(ctx, u.File)
	if err != nil {
		return false
	}
	u.FileDigest = digest
	return true
}

// Make seals a notice with the unit's seal for notices and stores its file under the
// subject's name. before is an earlier use for the same subject, which is abandoned;
// nil if there is none. The use returned is to be ended in the transaction that
// notes the file.
//
// Errors: Unavailable without fonts; Invalid for words that do not fit the page;
// those of sealing.Register.InHand.
func (p *Press) Make(ctx context.Context, unit elicense.UnitCode, subject string, c document.Content, before *sealing.Use) (*sealing.Use, error) {
	if p.Maker == nil {
		return nil, elicense.E(elicense.Unavailable, "字体缺失：这台机器没有中文字体，不能制作文书").Then("请管理员安装字体后再盖章；现在可以打印出来盖实物印章")
	}
	ready, err := p.Maker.Prepare(c)
	if _, sentence, ok := catalog.FieldProblem(err); ok {
		return nil, elicense.E(elicense.Invalid, "%s", sentence).Because(err)
	}
	if err != nil {
		return nil, fmt.Errorf("notice %s: %w", subject, err)
	}
	stamp, err := p.Seals.InHand(ctx, unit, sealing.ForNotices)
	if err != nil {
		return nil, err
	}
	stamper, err := p.Seals.TimeStamper(ctx)
	if err != nil {
		return nil, err
	}
	digest := ready.Digest()
	u := &sealing.Use{Subject: subject, Seal: stamp.ID, Digest: bytes.Clone(digest[:]), File: subject + ".ofd"}
	with := document.Stamp{Seal: stamp.Seal, Signer: stamp.Signer, Cert: stamp.Cert, Stamper: stamper}
	err = p.DB.Update(ctx, func(tx *store.Tx) error {
		with.Time = tx.Now()
		if before != nil {
			if err := before.End(tx, sealing.Abandoned); err != nil {
				return err
			}
		}
		return u.Intend(tx)
	})
	if err != nil {
		return nil, err
	}
	store.CrashPoint("letters.intent")
	file, err := ready.Seal(with)
	if err != nil {
		return nil, fmt.Errorf("seal notice %s: %w", subject, err)
	}
	store.CrashPoint("letters.sealed")
	u.FileDigest, err = p.DB.Files().Put(ctx, u.File, file)
	return u, err
}

// Why is the sentence for people on why a notice is not sealed. again is nil where
// only people can mend it, else the cause, for the job to be tried again.
func Why(cause error) (trouble string, again error) {
	var e *elicense.Error
	// A file that is there is another worker's, who took the job over: found, it is
	// gone on with.
	if errors.As(cause, &e) && e.Kind != elicense.Internal && e.Kind != elicense.Conflict {
		return e.Message(), nil
	}
	return "签章没有办成，会自动再试", cause
}

// Paper is a sealed notice as it stands in the file store.
type Paper struct {
	Kind   Kind
	Name   string // Chinese title
	File   string
	Digest []byte
}

// SealedOf returns the notices of a case that are sealed, in the order of the steps
// they tell about. A row that is not as it was left is an error.
func SealedOf(tx *store.Tx, id elicense.CaseID) (list []Paper, err error) {
	type key struct {
		kind Kind
		step int64
	}
	keys, err := store.All(tx, func(r *store.Rows) (k key, err error) {
		return k, r.Scan((*string)(&k.kind), &k.step)
	}, `SELECT kind, step FROM case_letter WHERE case_id = $1 AND sealed IS NOT NULL ORDER BY step, kind`, id)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		l := &Letter{Kind: k.kind, Step: k.step}
		if _, err := l.row(tx, id); err != nil {
			return nil, err
		}
		list = append(list, Paper{k.kind, k.kind.Chinese(), l.File, l.digest})
	}
	return list, nil
}
