package store_test

import (
	"errors"
	"fmt"
	"testing"

	"elicense"
	"elicense/store"
	"elicense/store/storetest"
)

// TestForeseen holders and numbers are those that are asked for one by one, in few
// statements, and so is what the transaction itself adds.
func TestForeseen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		failing := &storetest.Failing{}
		cfg.Fault = failing.Fault
		db := storetest.Open(t, cfg)
		refs := make([]elicense.HolderRef, 40)
		numbers := make([]string, len(refs))
		for i := range refs {
			refs[i] = elicense.HolderRef{CodeType: elicense.CodeOther, Code: fmt.Sprint("code ", i)}
			numbers[i] = fmt.Sprint("No. ", i)
		}
		lic := &elicense.License{ID: "l", Owner: "o", Type: "T", Issuer: "U"}
		keys := map[int]elicense.HolderKey{}
		update(t, db, func(tx *store.Tx) error { // the even ones are there
			for i := 0; i < len(refs); i += 2 {
				key, err := tx.Holder(refs[i], true)
				if err != nil {
					return err
				}
				keys[i] = key
				if err := tx.TakeNumber(lic, numbers[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err := db.RotateKeys(ctx); err != nil { // under the key before
			t.Fatal(err)
		}

		failing.Arm(store.StepStatement, 0, store.FaultNone)
		update(t, db, func(tx *store.Tx) error {
			if err := errors.Join(tx.ForeseeHolders(refs), tx.ForeseeNumbers("T", "U", numbers)); err != nil {
				return err
			}
			asked := failing.Count(store.StepStatement)
			tx.Gather()
			for i, r := range refs {
				_, err := tx.Holder(r, false)
				if there := i%2 == 0; there != (err == nil) || !there && !elicense.IsKind(err, elicense.NotFound) {
					t.Errorf("holder %d: %v", i, err)
				}
				key, err := tx.Holder(r, true)
				if i%2 == 0 && key != keys[i] || err != nil {
					t.Errorf("holder %d is %s, want %s: %v", i, key, keys[i], err)
				}
				if again, err := tx.Holder(r, false); again != key || err != nil {
					t.Errorf("holder %d is %s and then %s: %v", i, key, again, err)
				}
				other := &elicense.License{ID: "other", Owner: "o", Type: "T", Issuer: "U"}
				if err := tx.TakeNumber(other, numbers[i]); (err == nil) != (i%2 == 1) {
					t.Errorf("number %d: %v", i, err)
				}
				if taken, err := tx.NumberTaken("T", "U", numbers[i]); !taken || err != nil {
					t.Errorf("number %d is free: %v", i, err)
				}
				keys[i] = key
			}
			if n := failing.Count(store.StepStatement) - asked; db.Alone() && n != 0 {
				t.Errorf("%d statements for what was foreseen", n)
			}
			// A step that is undone leaves nothing foreseen that is not there.
			one := elicense.HolderRef{CodeType: elicense.CodeOther, Code: "undone"}
			if err := tx.ForeseeHolders([]elicense.HolderRef{one}); err != nil {
				return err
			}
			err := tx.Savepoint(func() error {
				_, err := tx.Holder(one, true)
				return errors.Join(err, errors.New("no"))
			})
			if err == nil {
				t.Error("the step stands")
			}
			if _, err := tx.Holder(one, false); !elicense.IsKind(err, elicense.NotFound) {
				t.Errorf("the holder of an undone step: %v", err)
			}
			return nil
		})
		view(t, db, func(tx *store.Tx) error {
			for i, r := range refs {
				if key, err := tx.Holder(r, false); key != keys[i] || err != nil {
					t.Errorf("holder %d is %s, want %s: %v", i, key, keys[i], err)
				}
			}
			return nil
		})
	})
}
