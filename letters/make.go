package letters

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/document"
	"elicense/jobs"
	"elicense/org"
	"elicense/sealing"
	"elicense/store"
)

// FilePrefix begins the names of the files of notices.
const FilePrefix = sealing.LetterPrefix

// Letters gives the notices of cases. Its methods are safe for concurrent use.
type Letters struct {
	DB    *store.DB
	Cases *cases.Cases
	Seals *sealing.Register
	Maker *document.Maker // nil where there are no fonts
	Log   *slog.Logger
	// PublicURL is the platform's address, which the QR codes of notices lead to.
	PublicURL string
	// Sample marks every notice as a sample: keys in this process's own store
	// seal nothing but training data.
	Sample bool
}

// name is the name of a notice among the files and in the sealing log.
func name(id elicense.CaseID, kind Kind, step int64) string {
	return string(id) + "-" + string(kind) + "-" + strconv.FormatInt(step, 10)
}

func (l *Letter) parts() [][]byte {
	sealed := int64(0)
	if !l.Sealed.IsZero() {
		sealed = l.Sealed.UnixMicro()
	}
	return [][]byte{l.docID[:], []byte(l.File), l.digest, []byte(strconv.FormatInt(sealed, 10))}
}

// row brings what is kept of a notice into l; ok is false if there is nothing.
func (l *Letter) row(tx *store.Tx, id elicense.CaseID) (ok bool, err error) {
	var doc, mac []byte
	var sealed *time.Time
	err = tx.Row(`SELECT doc_id, file, file_digest, trouble, sealed, mac FROM case_letter WHERE case_id = $1 AND kind = $2 AND step = $3`, id, l.Kind, l.Step).
		Scan(&doc, &l.File, &l.digest, &l.Trouble, &sealed, &mac)
	if elicense.IsKind(err, elicense.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	copy(l.docID[:], doc)
	if sealed != nil {
		l.Sealed = *sealed
	}
	return true, tx.CheckMAC(mac, "case_letter", name(id, l.Kind, l.Step), l.parts()...)
}

// keep writes the row of a notice that is asked for.
func (l *Letter) keep(tx *store.Tx, id elicense.CaseID) error {
	if _, err := rand.Read(l.docID[:]); err != nil {
		return err
	}
	l.digest = []byte{}
	_, err := tx.Exec(`INSERT INTO case_letter (case_id, kind, step, doc_id, file, file_digest, trouble, asked, sealed, mac) VALUES ($1, $2, $3, $4, '', $5, '', $6, NULL, $7)`,
		id, l.Kind, l.Step, l.docID[:], l.digest, tx.Now(), tx.MAC("case_letter", name(id, l.Kind, l.Step), l.parts()...))
	return err
}

// seal notes that the notice is sealed.
func (l *Letter) seal(tx *store.Tx, id elicense.CaseID, u *sealing.Use) error {
	l.File, l.digest, l.Sealed, l.Trouble = u.File, u.FileDigest, tx.Now(), ""
	_, err := tx.Exec(`UPDATE case_letter SET file = $1, file_digest = $2, trouble = '', sealed = $3, mac = $4 WHERE case_id = $5 AND kind = $6 AND step = $7`,
		l.File, l.digest, l.Sealed, tx.MAC("case_letter", name(id, l.Kind, l.Step), l.parts()...), id, l.Kind, l.Step)
	return err
}

// source reads what the words of the case's notices come from.
func (ls *Letters) source(tx *store.Tx, id elicense.CaseID) (s *source, err error) {
	s = &source{}
	if s.k, s.m, err = cases.Find(tx, id); err != nil {
		return nil, err
	}
	if s.k == nil {
		return nil, elicense.E(elicense.NotFound, "没有这个办件")
	}
	if s.course, err = cases.CourseOf(tx, id); err != nil {
		return nil, err
	}
	if s.given, err = cases.GivenOf(tx, id); err != nil {
		return nil, err
	}
	u, err := org.UnitOf(tx, s.k.Unit)
	if err != nil {
		return nil, err
	}
	s.unit = u.Name
	if s.k.Implementer != s.k.Unit {
		if u, err = org.UnitOf(tx, s.k.Implementer); err != nil {
			return nil, err
		}
		s.implementer = u.Name
	}
	if s.m.Online && s.k.Channel != cases.OnTheWeb {
		s.online = ls.PublicURL + "/matters/" + string(s.k.Matter)
	}
	return s, nil
}

// letter composes a notice and reads what is kept of it.
func (ls *Letters) letter(tx *store.Tx, id elicense.CaseID, kind Kind) (l *Letter, s *source, kept bool, err error) {
	if s, err = ls.source(tx, id); err != nil {
		return nil, nil, false, err
	}
	if l, err = compose(kind, s); err != nil {
		return nil, nil, false, err
	}
	kept, err = l.row(tx, id)
	return l, s, kept, err
}

// Get returns a notice of a case to its clerk or, own being set, to its applicant
// or a party; file is nil until it is sealed.
//
// Errors: Forbidden; NotFound if the case has not come to such a notice.
func (ls *Letters) Get(ctx context.Context, actor *elicense.Actor, id elicense.CaseID, kind Kind, own bool) (l *Letter, file []byte, err error) {
	if own {
		_, _, _, err = ls.Cases.Own(ctx, actor, id)
	} else {
		_, _, err = ls.Cases.Get(ctx, actor, id)
	}
	if err != nil {
		return nil, nil, err
	}
	err = ls.DB.View(ctx, func(tx *store.Tx) (err error) {
		l, _, _, err = ls.letter(tx, id, kind)
		return err
	})
	if err != nil || l.File == "" {
		return l, nil, err
	}
	file, err = ls.DB.Files().Get(ctx, l.File, l.digest)
	return l, file, err
}

// ErrNotSealed says that a notice has no file yet.
func ErrNotSealed() error {
	return elicense.E(elicense.NotFound, "这份文书还没有盖章").Then("请过一会儿再打开；打印页上写着还差什么")
}

// List returns the notices a case has come to, to its clerk or, own being set, to
// its applicant or a party.
//
// Errors: Forbidden.
func (ls *Letters) List(ctx context.Context, actor *elicense.Actor, id elicense.CaseID, own bool) (list []*Letter, err error) {
	if own {
		_, _, _, err = ls.Cases.Own(ctx, actor, id)
	} else {
		_, _, err = ls.Cases.Get(ctx, actor, id)
	}
	if err != nil {
		return nil, err
	}
	err = ls.DB.View(ctx, func(tx *store.Tx) error {
		list = nil
		s, err := ls.source(tx, id)
		if err != nil {
			return err
		}
		for _, kind := range Due(s.k, s.course) {
			l, err := compose(kind, s)
			if err == nil {
				_, err = l.row(tx, id)
			}
			if err != nil {
				return err
			}
			list = append(list, l)
		}
		return nil
	})
	return list, err
}

// Ask has a notice sealed that is not sealed yet: the receipt of materials a
// clerk hands out, or one that waited for a seal or for fonts.
//
// Errors: Forbidden; NotFound if the case has not come to such a notice.
func (ls *Letters) Ask(ctx context.Context, actor *elicense.Actor, id elicense.CaseID, kind Kind) error {
	if _, _, err := ls.Cases.Get(ctx, actor, id); err != nil {
		return err
	}
	return ls.DB.Update(ctx, func(tx *store.Tx) error {
		l, _, kept, err := ls.letter(tx, id, kind)
		if err != nil || l.File != "" {
			return err
		}
		if !kept {
			if err := l.keep(tx, id); err != nil {
				return err
			}
		}
		tx.Record(store.Record{
			Actor: string(actor.Account), ActorName: actor.Name, Unit: string(actor.Unit), Act: string(access.CaseRead), Outcome: store.Done,
			Rule: "letter", Clause: "行政许可法第三十二条", Case: string(id), Detail: map[string]string{"letter": string(kind)},
		})
		return jobs.Enqueue(tx, cases.LetterOf(id, l.Step))
	})
}

// Seal seals the notice a step of a case leads to; the handler of
// cases.LetterJob. It may be stopped at any line and run again: what is stored
// already is found and gone on with.
func (ls *Letters) Seal(ctx context.Context, payload []byte) error {
	id, step, err := cases.LetterStep(payload)
	if err != nil {
		return jobs.Permanent(err)
	}
	var l *Letter
	var s *source
	var used *sealing.Use
	err = ls.DB.Update(ctx, func(tx *store.Tx) error {
		src, err := ls.source(tx, id)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(src.course, func(st cases.Step) bool { return st.Seq == step })
		if i < 0 {
			return fmt.Errorf("case %s has no step %d", id, step)
		}
		var kept bool
		if l, s, kept, err = ls.letter(tx, id, KindOf(src.course[i].Kind)); err != nil {
			return err
		}
		if !kept {
			if err := l.keep(tx, id); err != nil {
				return err
			}
		}
		used, err = sealing.UseOf(tx, FilePrefix+name(id, l.Kind, l.Step))
		return err
	})
	if err != nil || l.File != "" || l.Step != step { // sealed, or a later notice has taken its place
		return err
	}
	press := &Press{ls.DB, ls.Seals, ls.Maker}
	if used == nil || !press.stored(ctx, used) {
		words := l.Document(l.docID, s.k.Unit, s.k.Number, ls.PublicURL+"/holder/cases/"+string(s.k.ID), ls.Sample)
		if used, err = press.Make(ctx, s.k.Unit, FilePrefix+name(id, l.Kind, l.Step), words, used); err != nil {
			return ls.wait(ctx, id, l, err)
		}
	}
	store.CrashPoint("letters.stored")
	return ls.DB.Update(ctx, func(tx *store.Tx) error {
		if _, err := l.row(tx, id); err != nil || l.File != "" {
			return err
		}
		if err := used.End(tx, sealing.Stored); err != nil {
			return err
		}
		if err := l.seal(tx, id, used); err != nil {
			return err
		}
		tx.Record(store.Record{
			Actor: "platform", ActorName: "证照平台", Unit: string(s.k.Unit), Act: string(access.CaseMove), Outcome: store.Done, Rule: "letter", Clause: "行政许可法第三十二条",
			Case: string(id), Detail: map[string]string{"letter": string(l.Kind), "use": used.ID},
		})
		return jobs.Done(tx, jobs.Current(ctx))
	})
}

// wait notes why a notice is not sealed. What only people can mend is not tried
// again until somebody asks.
func (ls *Letters) wait(ctx context.Context, id elicense.CaseID, l *Letter, cause error) error {
	trouble, again := Why(cause)
	ls.Log.WarnContext(ctx, "a notice waits", "case", id, "kind", l.Kind, "err", cause)
	err := ls.DB.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE case_letter SET trouble = $1 WHERE case_id = $2 AND kind = $3 AND step = $4`, trouble, id, l.Kind, l.Step)
		return err
	})
	return errors.Join(again, err)
}

// SealedBy tells whether the notice a sealing key was used for, by its name, is
// there.
func SealedBy(tx *store.Tx, subject string, u *sealing.Use) (bool, error) {
	id, kind, step, ok := parse(subject)
	if !ok {
		return false, errors.New("it names no notice")
	}
	l := &Letter{Kind: kind, Step: step}
	kept, err := l.row(tx, id)
	return kept && l.File == u.File && bytes.Equal(l.digest, u.FileDigest), err
}

// Each reads every notice; f gets its sealed file's name and digest, or the error
// of a row that is not as it was left.
func Each(tx *store.Tx, f func(file string, digest []byte, err error) error) error {
	type key struct {
		id   elicense.CaseID
		kind Kind
		step int64
	}
	list, err := store.All(tx, func(r *store.Rows) (k key, err error) {
		return k, r.Scan(&k.id, &k.kind, &k.step)
	}, `SELECT case_id, kind, step FROM case_letter`)
	if err != nil {
		return err
	}
	for _, k := range list {
		l := &Letter{Kind: k.kind, Step: k.step}
		if _, err := l.row(tx, k.id); err != nil {
			l.File = name(k.id, k.kind, k.step)
			if err := f(l.File, nil, err); err != nil {
				return err
			}
			continue
		}
		if l.File != "" {
			if err := f(l.File, l.digest, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func parse(subject string) (id elicense.CaseID, kind Kind, step int64, ok bool) {
	rest, n, ok1 := cutLast(subject)
	c, k, ok2 := cutLast(rest)
	step, err := strconv.ParseInt(n, 10, 64)
	return elicense.CaseID(c), Kind(k), step, ok1 && ok2 && err == nil
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// Pages draws the pages of a sealed notice as SVG.
func Pages(file []byte) ([][]byte, error) { return document.Picture(file) }
