package sealing

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"time"

	"elicense"
	"elicense/gm"
	"elicense/org"
	"elicense/seal"
	"elicense/store"
)

// MaxKitTerm is how long a seal that leaves the platform may be used.
const MaxKitTerm = 24 * time.Hour

// KitSeal is a seal for licenses made where the platform can't be reached (Art.
// 7(2)): the unit's own seal to look at, naming one certificate that was issued
// for one key, one kit and a day at most.
type KitSeal struct {
	Of   elicense.SealID // the unit's seal it looks like
	Seal *seal.Seal
	Cert *gm.Certificate
	Root *gm.Certificate
}

// KitSpec is what a kit's seal is bound to.
type KitSpec struct {
	Unit     elicense.UnitCode
	Kit      string           // its number
	Device   string           // what the certificate says it is bound to
	Key      *ecdsa.PublicKey // of the key that was made for the kit
	From, To time.Time
}

// MakeKitSeal makes the seal of a kit from the unit's seal that is in use.
//
// Errors: Invalid for a term of more than MaxKitTerm; NotFound without a seal in
// use; Unavailable when it can't be used, or was made elsewhere: only who made a
// seal can make another of it.
func (r *Register) MakeKitSeal(ctx context.Context, spec KitSpec) (*KitSeal, error) {
	if term := spec.To.Sub(spec.From); term <= 0 || term > MaxKitTerm {
		return nil, elicense.E(elicense.Invalid, "离线印章的有效期要在24小时以内").At("hours").Under("第七条第二款")
	}
	own, err := r.InHand(ctx, spec.Unit, ForLicenses)
	if err != nil {
		return nil, err
	}
	entry, _, err := r.read(ctx, own.ID)
	if err != nil {
		return nil, err
	}
	if entry.Source != Ours {
		return nil, elicense.E(elicense.Unavailable, "本单位的印章由省印章系统制发，本平台不能为它制作离线印章").Under("第三条第一款").Then("请向印章制发机构申请离线用的印章")
	}
	if spec.To.After(own.Seal.To) {
		return nil, elicense.E(elicense.Unavailable, "本单位的印章在离线期间到期").Then("请先换发印章")
	}
	rootKey, root, err := r.own(ctx, rootName)
	if err != nil {
		return nil, err
	}
	makerKey, maker, err := r.own(ctx, makerName)
	if err != nil {
		return nil, err
	}
	var unit *org.Unit
	err = r.DB.View(ctx, func(tx *store.Tx) (err error) {
		unit, err = org.UnitOf(tx, spec.Unit)
		return err
	})
	if err != nil {
		return nil, err
	}
	from, to := spec.From.UTC().Truncate(time.Second), spec.To.UTC().Truncate(time.Second)
	authority := gm.Authority{Root: root, Key: rootKey}
	cert, err := authority.Issue(spec.Key, gm.Name{Unit: unit.Name, CommonName: unit.Name + "（离线）", Device: spec.Device}, from, to)
	if err != nil {
		return nil, fmt.Errorf("certificate of kit %s: %w", spec.Kit, err)
	}
	made, err := seal.Make(seal.Spec{
		ID: string(spec.Unit) + "-KIT-" + spec.Kit, Vendor: "elicense", Type: own.Seal.Type, Name: own.Seal.Name, Signers: []*gm.Certificate{cert},
		Created: r.Now().UTC().Truncate(time.Second), From: from, To: to, Picture: own.Seal.Picture, W: int(own.Seal.W), H: int(own.Seal.H),
	}, makerKey, maker)
	if err != nil {
		return nil, fmt.Errorf("seal of kit %s: %w", spec.Kit, err)
	}
	return &KitSeal{Of: own.ID, Seal: made, Cert: cert, Root: root}, nil
}

// EndKitSeal revokes the certificate of a kit from now on. Lost says that someone
// else may have its key: what only the signer claims of its time then proves
// nothing.
func EndKitSeal(tx *store.Tx, cert *gm.Certificate, lost bool) error {
	why := gm.ReasonCessation
	if lost {
		why = gm.ReasonKeyCompromise
	}
	return revoke(tx, cert.DER, why)
}
