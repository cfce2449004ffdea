package org_test

import (
	"slices"
	"testing"

	"elicense"
	"elicense/org"
	"elicense/store"
	"elicense/store/storetest"
)

// TestBegin: an empty platform is begun once, by a person with the duties of an
// administrator, and both tries are on record without who he is.
func TestBegin(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		clock := storetest.NewClock()
		cfg.Now = clock.Now
		db := storetest.Open(t, cfg)
		o := org.New(db, clock.Now)
		begin := func(login string) error {
			return o.Begin(t.Context(), org.Unit{Code: "11350000FJDEM0021G", Short: "egov", Name: "省数据管理局", Region: "350000", RegionName: "福建省"},
				org.Staff{Login: login, Name: "方管理", Secret: "a long password", Person: elicense.HolderRef{Code: "110105194912310011"}}, "request")
		}
		if err := begin("admin"); err != nil {
			t.Fatal(err)
		}
		if err := begin("second"); !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("a second time: %v", err)
		}
		who, err := o.SignIn(t.Context(), "admin", "a long password", "here", "request")
		if err != nil || who.Person == "" || !who.Has(elicense.DutyAccounts) || !who.Has(elicense.DutyTypes) {
			t.Fatalf("%+v, %v", who, err)
		}
		var outcomes []string
		if err := db.View(t.Context(), func(tx *store.Tx) error {
			list, err := tx.NewestRecords(10)
			for _, r := range list {
				if r.Act == "begin" {
					outcomes = append(outcomes, r.Outcome)
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(outcomes, []string{store.Refused, store.Done}) {
			t.Errorf("recorded %v", outcomes)
		}
	})
}
