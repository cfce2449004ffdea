package offline

import (
	"context"
	"strings"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/store"
)

// ProofPrefix begins the names of stored proofs. One is stored before the row of its
// kit: a stop in between, or a refusal, leaves a file nothing leads to, which fsck knows.
const ProofPrefix = "offline-proof/"

// Attached is the file that proves a failure of the system (Art. 7(2)).
type Attached struct {
	File   string `json:"file"` // in the file store
	Digest []byte `json:"digest"`
	Name   string `json:"name"` // as its owner called it; may be empty
	Kind   string `json:"kind"` // media type
}

// checkFile judges the file of an order and names its kind; empty without one.
func (o *Order) checkFile() (kind string, err error) {
	if len(o.ProofFile) == 0 {
		return "", nil
	}
	if o.Ground != Outage {
		return "", elicense.E(elicense.Invalid, "证明文件只在系统故障时附").At("proofFile").Under("第七条第二款").Then("请选择系统故障，或者不附文件")
	}
	return elicense.CheckUpload(o.ProofFile, "proofFile")
}

// keep stores the proof of a kit that the law permits to be ordered.
func (k *Kits) keep(ctx context.Context, o *Order, kind string) (*Attached, error) {
	if kind == "" {
		return nil, nil
	}
	a := &Attached{File: ProofPrefix + elicense.RandomID[string](), Name: strings.TrimSpace(o.ProofName), Kind: kind}
	if utf8.RuneCountInString(a.Name) > maxReason {
		a.Name = ""
	}
	var err error
	a.Digest, err = k.DB.Files().Put(ctx, a.File, o.ProofFile)
	return a, err
}

// Proof returns the file that proves the failure a kit was taken for: to the kit's
// unit, whose second officer confirms it, or to supervision (oversee).
//
// Errors: Forbidden; NotFound for a kit without one.
func (k *Kits) Proof(ctx context.Context, actor *elicense.Actor, id string, oversee bool) (kind string, file []byte, err error) {
	build := k.request(actor, access.DraftRead, id)
	if oversee {
		build = overseeing(actor, id)
	}
	a, _, err := access.Get(ctx, k.Guard, build, func(tx *store.Tx, p *access.Permit) (*Attached, error) {
		l, err := listed(tx, id)
		if err == nil && l.Attached == nil {
			err = elicense.E(elicense.NotFound, "这个工具包没有附证明文件")
		}
		if err != nil {
			return nil, err
		}
		p.Note.Detail["proof"] = "true"
		return l.Attached, nil
	})
	if err != nil {
		return "", nil, err
	}
	file, err = k.DB.Files().Get(ctx, a.File, a.Digest)
	return a.Kind, file, err
}
