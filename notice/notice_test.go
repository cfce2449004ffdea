package notice_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"elicense"
	"elicense/notice"
	"elicense/store"
	"elicense/store/storetest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func send(t testing.TB, db *store.DB, inbox, who string) {
	t.Helper()
	must(t, db.Update(t.Context(), func(tx *store.Tx) error {
		return notice.Send(tx, inbox, notice.Notice{Kind: "issued", Text: "您的%s已由%s签发", Args: []string{"结婚证", who}, Link: "/holder/licenses/1"})
	}))
}

func TestNoticesReachTheirInboxOnly(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		clock := storetest.NewClock()
		cfg.Now = clock.Now
		db := storetest.Open(t, cfg)
		box := notice.NewBox(db)
		holder := &elicense.Actor{Kind: elicense.Holder, Account: "a1", Holder: "k1"}
		clerk := &elicense.Actor{Kind: elicense.Staff, Account: "a1"}
		for _, who := range []string{"甲局", "乙局", "丙局"} {
			send(t, db, notice.HolderInbox("k1"), who)
			clock.Move(time.Millisecond)
		}
		list, err := box.List(t.Context(), holder, 2)
		must(t, err)
		if len(list) != 2 || list[0].Message() != "您的结婚证已由丙局签发" || list[1].Message() != "您的结婚证已由乙局签发" {
			t.Errorf("not the newest first: %+v", list)
		}
		if n := list[0]; n.Kind != "issued" || n.Link != "/holder/licenses/1" || !n.Sent.Equal(clock.Now().Add(-time.Millisecond)) || !n.Seen.IsZero() {
			t.Errorf("%+v", n)
		}
		for _, other := range []*elicense.Actor{clerk, {Kind: elicense.Holder, Holder: "k2"}, elicense.Anyone("r")} {
			if list, err := box.List(t.Context(), other, 10); err != nil || len(list) != 0 {
				t.Errorf("%+v reads %d notices of another, %v", other, len(list), err)
			}
		}

		unseen := func(want int) {
			t.Helper()
			if n, err := box.Unseen(t.Context(), holder); err != nil || n != want {
				t.Errorf("%d unseen, want %d: %v", n, want, err)
			}
		}
		unseen(3)
		must(t, box.Seen(t.Context(), clerk)) // of his own, of which there are none
		unseen(3)
		must(t, box.Seen(t.Context(), holder))
		seen := clock.Now()
		unseen(0)
		clock.Move(time.Hour)
		send(t, db, notice.HolderInbox("k1"), "丁局")
		unseen(1)
		must(t, box.Seen(t.Context(), holder))
		list, err = box.List(t.Context(), holder, 10)
		must(t, err)
		if len(list) != 4 || !list[3].Seen.Equal(seen) || !list[0].Seen.Equal(clock.Now()) {
			t.Errorf("what was seen before is seen anew: %+v", list)
		}
	})
}

func TestANoticeGoesWithItsChange(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		failed := errors.New("the change fails")
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			if err := notice.Send(tx, notice.AccountInbox("a1"), notice.Notice{Kind: "returned", Text: "退回"}); err != nil {
				return err
			}
			return failed
		})
		if !errors.Is(err, failed) {
			t.Fatal(err)
		}
		if list, err := notice.Inbox(t.Context(), db, notice.AccountInbox("a1"), 10); err != nil || len(list) != 0 {
			t.Errorf("%d notices of a change that was not made, %v", len(list), err)
		}
	})
}

func TestNoticesAreCipherText(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		for _, inbox := range []string{"h/k1", "h/k2"} {
			send(t, db, inbox, "甲局")
		}
		var kept [][]byte
		must(t, db.View(t.Context(), func(tx *store.Tx) (err error) {
			kept, err = store.All(tx, func(r *store.Rows) (b []byte, err error) { return b, r.Scan(&b) }, `SELECT content_enc FROM notice ORDER BY inbox`)
			return err
		}))
		for _, b := range kept {
			if bytes.Contains(b, []byte("结婚证")) || bytes.Contains(b, []byte("签发")) {
				t.Error("a notice is in the clear")
			}
		}
		must(t, db.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(`UPDATE notice SET content_enc = $1 WHERE inbox = $2`, kept[0], "h/k2")
			return err
		}))
		if _, err := notice.Inbox(t.Context(), db, "h/k2", 10); !errors.Is(err, store.ErrTampered) {
			t.Errorf("a notice moved to another inbox is read: %v", err)
		}
	})
}
