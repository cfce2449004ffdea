package offline

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"elicense"
	"elicense/issuance"
	"elicense/store"
)

func num(i int64) []byte { return []byte(strconv.FormatInt(i, 10)) }

func (l *Listed) parts() [][]byte {
	return [][]byte{
		[]byte(l.Unit), []byte(l.State), []byte(l.Ground), num(int64(l.Size)), []byte(l.Drafter), []byte(l.Reviewer), micro(l.From), micro(l.To),
		micro(l.Cancelled), []byte(strconv.FormatBool(l.Lost)), l.cert, num(l.seq),
	}
}

func micro(t time.Time) []byte {
	if t.IsZero() {
		return nil
	}
	return num(t.UnixMicro())
}

func (l *Listed) sealed(tx *store.Tx) ([]byte, error) {
	b, err := json.Marshal(l.listedContent)
	if err != nil {
		return nil, fmt.Errorf("kit %s: %w", l.ID, err)
	}
	return tx.Encrypt("kit", l.ID, "content_enc", b), nil
}

func (l *Listed) insert(tx *store.Tx) error {
	content, err := l.sealed(tx)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO kit (id, unit, state, ground, size, drafter, reviewer, starts, ends, created, confirmed, cancelled, lost, certificate, content_enc, head_enc, seq, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
		l.ID, l.Unit, l.State, l.Ground, l.Size, l.Drafter, l.Reviewer, l.From, l.To, l.Created, l.Confirmed, l.Cancelled, l.Lost, l.cert, content,
		[]byte{}, l.seq, tx.MAC("kit", l.ID, l.parts()...))
	return err
}

// update writes a changed kit, with its head if it was made.
func (l *Listed) update(tx *store.Tx, head []byte) error {
	l.seq++
	content, err := l.sealed(tx)
	if err != nil {
		return err
	}
	n, err := tx.Exec(`UPDATE kit SET state = $1, reviewer = $2, starts = $3, ends = $4, confirmed = $5, cancelled = $6, lost = $7, certificate = $8,
		content_enc = $9, seq = $10, mac = $11 WHERE id = $12 AND seq = $13`,
		l.State, l.Reviewer, l.From, l.To, l.Confirmed, l.Cancelled, l.Lost, l.cert, content, l.seq, tx.MAC("kit", l.ID, l.parts()...), l.ID, l.seq-1)
	if err == nil && n == 0 {
		return elicense.E(elicense.Conflict, "这个工具包刚刚有人办过").Then("请刷新，核对后再办")
	}
	if err == nil && head != nil {
		_, err = tx.Exec(`UPDATE kit SET head_enc = $1 WHERE id = $2`, tx.Encrypt("kit", l.ID, "head_enc", head), l.ID)
	}
	return err
}

func kits(tx *store.Tx, where string, args ...any) ([]*Listed, error) {
	return store.All(tx, func(r *store.Rows) (*Listed, error) {
		var l Listed
		var content, mac []byte
		err := r.Scan(&l.ID, &l.Unit, &l.State, &l.Ground, &l.Size, &l.Drafter, &l.Reviewer, &l.From, &l.To, &l.Created, &l.Confirmed, &l.Cancelled, &l.Lost,
			&l.cert, &content, &l.seq, &mac)
		if err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "kit", l.ID, l.parts()...); err != nil {
			return nil, err
		}
		if content, err = tx.Decrypt("kit", l.ID, "content_enc", content); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(content, &l.listedContent); err != nil {
			return nil, fmt.Errorf("kit %s: %w", l.ID, err)
		}
		return &l, nil
	}, `SELECT id, unit, state, ground, size, drafter, reviewer, starts, ends, created, confirmed, cancelled, lost, certificate, content_enc, seq, mac FROM kit `+where, args...)
}

func listed(tx *store.Tx, id string) (*Listed, error) {
	list, err := kits(tx, `WHERE id = $1`, id)
	if err == nil && len(list) == 0 {
		err = elicense.E(elicense.NotFound, "没有这个离线工具包")
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// headOf returns the signed head of a confirmed kit.
func headOf(tx *store.Tx, id string) ([]byte, error) {
	var head []byte
	if err := tx.Row(`SELECT head_enc FROM kit WHERE id = $1`, id).Scan(&head); err != nil {
		return nil, err
	}
	return tx.Decrypt("kit", id, "head_enc", head)
}

// The states of a number.
const (
	numberFree    = "free"
	numberTaking  = "taking"  // it leads to a draft that is being published
	numberTaken   = "taken"   // it leads to a license
	numberRefused = "refused" // what came back under it was not taken in
)

// taken is a number of a block with what became of it.
type taken struct {
	Kit     string
	N       int
	License elicense.LicenseID
	Serial  string
	State   string
	Draft   elicense.DraftID
	Digest  []byte // of the file as it was made
	Token   []byte // the time stamp it was countersigned with
	Code    elicense.CheckCode
}

func (t *taken) row() string { return t.Kit + "/" + strconv.Itoa(t.N) }

func (t *taken) parts() [][]byte {
	return [][]byte{[]byte(t.License), []byte(t.Serial), []byte(t.State), []byte(t.Draft), t.Digest, t.Token, []byte(t.Code)}
}

func insertNumber(tx *store.Tx, kit string, n *Number) error {
	t := &taken{Kit: kit, N: n.N, License: n.License, Serial: n.Serial, State: numberFree, Digest: []byte{}, Token: []byte{}, Code: n.Code}
	_, err := tx.Exec(`INSERT INTO kit_number (kit, n, license, serial, code_index, state, draft, file_digest, token, code_enc, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`, t.Kit, t.N, t.License, t.Serial, tx.Index("check-code", string(t.Code)), t.State, t.Draft, t.Digest,
		t.Token, tx.Encrypt("kit_number", t.row(), "code_enc", []byte(t.Code)), tx.MAC("kit_number", t.row(), t.parts()...))
	return err
}

func (t *taken) update(tx *store.Tx) error {
	_, err := tx.Exec(`UPDATE kit_number SET state = $1, draft = $2, file_digest = $3, token = $4, mac = $5 WHERE kit = $6 AND n = $7`,
		t.State, t.Draft, t.Digest, t.Token, tx.MAC("kit_number", t.row(), t.parts()...), t.Kit, t.N)
	return err
}

func numbers(tx *store.Tx, where string, args ...any) ([]*taken, error) {
	return store.All(tx, func(r *store.Rows) (*taken, error) {
		var t taken
		var code, mac []byte
		if err := r.Scan(&t.Kit, &t.N, &t.License, &t.Serial, &t.State, &t.Draft, &t.Digest, &t.Token, &code, &mac); err != nil {
			return nil, err
		}
		code, err := tx.Decrypt("kit_number", t.row(), "code_enc", code)
		if err != nil {
			return nil, err
		}
		t.Code = elicense.CheckCode(code)
		return &t, tx.CheckMAC(mac, "kit_number", t.row(), t.parts()...)
	}, `SELECT kit, n, license, serial, state, draft, file_digest, token, code_enc, mac FROM kit_number `+where, args...)
}

func numberOf(tx *store.Tx, kit string, n int) (*taken, error) {
	list, err := numbers(tx, `WHERE kit = $1 AND n = $2`, kit, n)
	if err == nil && len(list) == 0 {
		err = store.ErrNoRow
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

func (p *Package) parts(content []byte) [][]byte {
	return [][]byte{[]byte(p.Kit), p.Digest, []byte(p.File), []byte(p.State), content, num(p.seq)}
}

func (p *Package) insert(tx *store.Tx) error {
	content, err := json.Marshal(p.packageContent)
	if err != nil {
		return fmt.Errorf("package %s: %w", p.ID, err)
	}
	_, err = tx.Exec(`INSERT INTO kit_package (id, kit, digest, file, state, content_enc, received, finished, seq, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		p.ID, p.Kit, p.Digest, p.File, p.State, tx.Encrypt("kit_package", p.ID, "content_enc", content), p.Received, p.Finished, p.seq,
		tx.MAC("kit_package", p.ID, p.parts(content)...))
	return err
}

func (p *Package) update(tx *store.Tx) error {
	p.seq++
	content, err := json.Marshal(p.packageContent)
	if err != nil {
		return fmt.Errorf("package %s: %w", p.ID, err)
	}
	n, err := tx.Exec(`UPDATE kit_package SET state = $1, content_enc = $2, finished = $3, seq = $4, mac = $5 WHERE id = $6 AND seq = $7`,
		p.State, tx.Encrypt("kit_package", p.ID, "content_enc", content), p.Finished, p.seq, tx.MAC("kit_package", p.ID, p.parts(content)...), p.ID, p.seq-1)
	if err == nil && n == 0 {
		return elicense.E(elicense.Conflict, "这个离线包正在导入").Then("请稍后刷新")
	}
	return err
}

func packages(tx *store.Tx, where string, args ...any) ([]*Package, error) {
	return store.All(tx, func(r *store.Rows) (*Package, error) {
		var p Package
		var content, mac []byte
		if err := r.Scan(&p.ID, &p.Kit, &p.Digest, &p.File, &p.State, &content, &p.Received, &p.Finished, &p.seq, &mac); err != nil {
			return nil, err
		}
		content, err := tx.Decrypt("kit_package", p.ID, "content_enc", content)
		if err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "kit_package", p.ID, p.parts(content)...); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(content, &p.packageContent); err != nil {
			return nil, fmt.Errorf("package %s: %w", p.ID, err)
		}
		return &p, nil
	}, `SELECT id, kit, digest, file, state, content_enc, received, finished, seq, mac FROM kit_package `+where, args...)
}

func (o *Outcome) put(tx *store.Tx, pack string) error {
	content, err := json.Marshal(o.outcomeContent)
	if err != nil {
		return fmt.Errorf("row %d: %w", o.Number, err)
	}
	row := pack + "/" + strconv.Itoa(o.Number)
	_, err = tx.Exec(`INSERT INTO kit_row (package, n, state, license, content_enc) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (package, n) DO UPDATE SET state = excluded.state, license = excluded.license, content_enc = excluded.content_enc`,
		pack, o.Number, o.State, o.License, tx.Encrypt("kit_row", row, "content_enc", content))
	return err
}

func outcomes(tx *store.Tx, pack string) ([]*Outcome, error) {
	return store.All(tx, func(r *store.Rows) (*Outcome, error) {
		var o Outcome
		var content []byte
		if err := r.Scan(&o.Number, &o.State, &o.License, &content); err != nil {
			return nil, err
		}
		content, err := tx.Decrypt("kit_row", pack+"/"+strconv.Itoa(o.Number), "content_enc", content)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(content, &o.outcomeContent); err != nil {
			return nil, fmt.Errorf("row %d: %w", o.Number, err)
		}
		for i, a := range o.Args {
			if n, ok := a.(float64); ok { // all our numbers are whole
				o.Args[i] = int(n)
			}
		}
		return &o, nil
	}, `SELECT n, state, license, content_enc FROM kit_row WHERE package = $1 ORDER BY n`, pack)
}

// Each reads every kit with its numbers and packages; f gets the error of one that
// is not as it was left, or whose number is said to lead to a license that is not
// there.
func Each(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "kit", func(id string) error {
		return f(id, func() error {
			l, err := listed(tx, id)
			if err != nil {
				return err
			}
			if l.State != Ordered && len(l.cert) > 0 {
				if _, err := headOf(tx, id); err != nil {
					return err
				}
			}
			list, err := numbers(tx, `WHERE kit = $1 ORDER BY n`, id)
			if err != nil {
				return err
			}
			if len(l.cert) > 0 && len(list) != l.Size {
				return fmt.Errorf("%d numbers of %d", len(list), l.Size)
			}
			for _, t := range list {
				if t.State != numberTaken {
					continue
				}
				d, err := issuance.Of(tx, t.Draft)
				if err != nil || d.State != issuance.Published || d.License != t.License || d.Elsewhere == nil || d.Elsewhere.Kit != id {
					return fmt.Errorf("number %d leads to no license: %w", t.N, err)
				}
			}
			packs, err := packages(tx, `WHERE kit = $1`, id)
			for _, p := range packs {
				if err == nil {
					_, err = outcomes(tx, p.ID)
				}
			}
			return err
		}())
	})
}

// EachFile calls f with the file of every package that was received whole, and with
// the proof of every kit that has one.
func EachFile(tx *store.Tx, f func(name string, digest []byte, err error) error) error {
	err := store.EachID(tx, "kit", func(id string) error {
		l, err := listed(tx, id)
		if err != nil {
			return f("proof of kit "+id, nil, err)
		}
		if l.Attached == nil {
			return nil
		}
		return f(l.Attached.File, l.Attached.Digest, nil)
	})
	if err != nil {
		return err
	}
	return store.EachID(tx, "kit_package", func(id string) error {
		list, err := packages(tx, `WHERE id = $1`, id)
		if err != nil {
			return f("package "+id, nil, err)
		}
		p := list[0]
		if p.State == PackReceiving {
			return nil
		}
		return f(p.File, p.Digest, nil)
	})
}
