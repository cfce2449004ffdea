package cases_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/cases"
	"elicense/e2e/world"
	"elicense/gm"
	"elicense/org"
	"elicense/oversight"
)

// counter is a business system with a registered key.
type counter struct {
	*world.World
	t      *testing.T
	system *elicense.Actor
	key    gm.Signer
}

func newCounter(t *testing.T, w *world.World) *counter {
	t.Helper()
	ctx := t.Context()
	must(t, w.Org.Enroll(ctx, []org.Staff{
		{Login: "biz", Secret: world.Password, Kind: elicense.System, Unit: world.Office, Name: "烟草审批系统", Duties: []elicense.Duty{elicense.DutyWindow}},
		{Login: "biz2", Secret: world.Password, Kind: elicense.System, Unit: world.Issuer, Name: "市场监管审批系统", Duties: []elicense.Duty{elicense.DutyWindow}},
		{Login: "accounts", Secret: world.Password, Kind: elicense.Staff, Unit: "11350000FJDEM0021G", Name: "方账号", Person: elicense.HolderRef{CodeType: "111", Code: "110105194912310011", Name: "方账号"}, Duties: []elicense.Duty{elicense.DutyAccounts}},
	}))
	system, err := w.Org.ActorByLogin(ctx, "biz", "test")
	must(t, err)
	key, err := gm.GenerateKey()
	must(t, err)
	c := &counter{w, t, system, key}
	c.register("biz", "k1", false)
	return c
}

func (c *counter) register(login, id string, end bool) {
	c.t.Helper()
	admin, err := c.Org.ActorByLogin(c.t.Context(), "accounts", "test")
	must(c.t, err)
	pem, err := gm.MarshalPublicKey(c.key.Public())
	must(c.t, err)
	must(c.t, c.Cases.PutSystemKey(c.t.Context(), admin, login, id, pem, end))
}

func (c *counter) ticket(number string, change func(*cases.Ticket)) *cases.Ticket {
	now := c.Clock.Now()
	t := &cases.Ticket{
		Number: strings.Repeat("0", 16) + number, Audience: "http://localhost", Issued: now.Unix(), Expires: now.Add(5 * time.Minute).Unix(), Unit: world.Office,
		Matter: world.Matter, Case: "烟" + number, Officer: "王某", Parties: []cases.TicketParty{{Role: "申请人", Holder: world.Firm, Proof: cases.ProofCertificate}},
	}
	change(t)
	return t
}

func (c *counter) sign(t *cases.Ticket) string {
	c.t.Helper()
	s, err := t.Sign(c.key, "k1")
	must(c.t, err)
	return s
}

func same(*cases.Ticket) {}

// TestATicketOpensItsCase: once, for the system it is of, and the case names its
// officer.
func TestATicketOpensItsCase(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		w.Cases.Audience = "http://localhost"
		c := newCounter(t, w)
		text := c.sign(c.ticket("1", same))
		k, err := w.Cases.StartByTicket(t.Context(), c.system, text)
		must(t, err)
		if k.Channel != cases.BySystem || k.Number != "烟1" || k.Clerk != c.system.Account || !k.Open() {
			t.Errorf("%+v", k)
		}
		course, err := w.Cases.Course(t.Context(), c.system, k.ID)
		if err != nil || len(course) != 1 || course[0].Officer != "王某" || course[0].Name != "烟草审批系统" {
			t.Errorf("course %+v, %v", course, err)
		}
		_, err = w.Cases.StartByTicket(t.Context(), c.system, text)
		if !elicense.IsKind(err, elicense.Forbidden) && !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("replayed: %v", err)
		}
		again := c.ticket("1", func(t *cases.Ticket) { t.Case = "烟2" })
		_, err = w.Cases.StartByTicket(t.Context(), c.system, c.sign(again))
		refusal(t, err, elicense.Forbidden, "办件票据已经用过")
		_, err = w.Cases.Start(t.Context(), c.system, cases.NewCase{Matter: world.Matter, Parties: []cases.Party{{Ref: world.Firm, Proof: cases.ProofCertificate}}})
		refusal(t, err, elicense.Forbidden, "业务系统要凭签名的办件票据")
		w.Fsck(t)
	})
}

// TestBadTicketsAreRefused, each with its reason and on record.
func TestBadTicketsAreRefused(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		w.Cases.Audience = "http://localhost"
		c := newCounter(t, w)
		other, err := w.Org.ActorByLogin(t.Context(), "biz2", "test")
		must(t, err)
		stranger, err := gm.GenerateKey()
		must(t, err)
		good := c.sign(c.ticket("1", same))
		parts := strings.Split(good, ".")
		head := func(h string) string {
			return base64.RawURLEncoding.EncodeToString([]byte(h)) + "." + parts[1] + "." + parts[2]
		}
		body := func(change func(map[string]any)) string {
			b, err := base64.RawURLEncoding.DecodeString(parts[1])
			must(t, err)
			var m map[string]any
			must(t, json.Unmarshal(b, &m))
			change(m)
			if b, err = json.Marshal(m); err != nil {
				t.Fatal(err)
			}
			return parts[0] + "." + base64.RawURLEncoding.EncodeToString(b) + "." + parts[2]
		}
		forged, err := c.ticket("2", same).Sign(stranger, "k1")
		must(t, err)
		unknown, err := c.ticket("3", same).Sign(c.key, "k9")
		must(t, err)
		signed := func(change func(*cases.Ticket)) string { return c.sign(c.ticket("4", change)) }
		for _, tc := range []struct {
			name, text, says string
			who              *elicense.Actor
		}{
			{"no ticket", "", "格式不对", nil},
			{"two parts", parts[0] + "." + parts[1], "格式不对", nil},
			{"another algorithm", head(`{"alg":"none","typ":"elicense-case","kid":"k1"}`), "只接受SM2签名", nil},
			{"an HMAC under the public key", head(`{"alg":"HS256","typ":"elicense-case","kid":"k1"}`), "只接受SM2签名", nil},
			{"another kind of statement", head(`{"alg":"SM2-SM3","typ":"JWT","kid":"k1"}`), "只接受SM2签名", nil},
			{"an unknown head", head(`{"alg":"SM2-SM3","typ":"elicense-case","kid":"k1","jwk":{}}`), "格式不对", nil},
			{"a key of a stranger", forged, "签名不对", nil},
			{"a key that is not registered", unknown, "没有登记", nil},
			{"the matter changed after signing", body(func(m map[string]any) { m["matterCode"] = "M01" }), "签名不对", nil},
			{"a member added", body(func(m map[string]any) { m["admin"] = true }), "格式不对", nil},
			{"no signature", parts[0] + "." + parts[1] + ".", "签名不对", nil},
			{"another system's ticket", good, "没有登记", other},
			{"for another platform", signed(func(t *cases.Ticket) { t.Audience = "http://elsewhere" }), "不是给本平台的", nil},
			{"of another unit", signed(func(t *cases.Ticket) { t.Unit = world.Issuer }), "别的单位的", nil},
			{"expired", signed(func(t *cases.Ticket) { t.Issued -= 3600; t.Expires = t.Issued + 300 }), "已过期", nil},
			{"from the future", signed(func(t *cases.Ticket) { t.Issued += 600; t.Expires += 600 }), "在以后", nil},
			{"good for a day", signed(func(t *cases.Ticket) { t.Expires += 86400 }), "最长10分钟", nil},
			{"a number to be guessed", signed(func(t *cases.Ticket) { t.Number = "1" }), "编号不对", nil},
			{"an invented case without a number", signed(func(t *cases.Ticket) { t.Case = " " }), "没有写明办件编号", nil},
			{"nobody's", signed(func(t *cases.Ticket) { t.Officer = "" }), "经办人", nil},
			{"a party without proof", signed(func(t *cases.Ticket) { t.Parties[0].Proof = "" }), "身份没有核实", nil},
			{"without parties", signed(func(t *cases.Ticket) { t.Parties = nil }), "至少一位当事人", nil},
		} {
			who := c.system
			if tc.who != nil {
				who = tc.who
			}
			_, err := w.Cases.StartByTicket(t.Context(), who, tc.text)
			if e := refusal(t, err, elicense.Forbidden, tc.says); e.Record == "" {
				t.Errorf("%s: the refusal is not on record", tc.name)
			}
		}
		if _, err := w.Cases.StartByTicket(t.Context(), c.system, good); err != nil {
			t.Errorf("the good one: %v", err)
		}
		c.register("biz", "k1", true)
		_, err = w.Cases.StartByTicket(t.Context(), c.system, signed(same))
		refusal(t, err, elicense.Forbidden, "没有登记，或已停用")
		list, err := w.Oversight.Records(t.Context(), w.Auditor, oversight.By{Actor: c.system.Account}, 100)
		if err != nil || len(list) < 20 {
			t.Errorf("%d records of the system, %v", len(list), err)
		}
		w.Fsck(t)
	})
}

// TestTwoTicketsOfOneNumberOpenOneCase, at the same time.
func TestTwoTicketsOfOneNumberOpenOneCase(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		w.Cases.Audience = "http://localhost"
		c := newCounter(t, w)
		opened := make(chan error, 8)
		for i := range 8 {
			text := c.sign(c.ticket("7", func(t *cases.Ticket) { t.Case = string(rune('a' + i)) }))
			go func() {
				_, err := w.Cases.StartByTicket(t.Context(), c.system, text)
				opened <- err
			}()
		}
		n := 0
		for range 8 {
			if err := <-opened; err == nil {
				n++
			} else if !elicense.IsKind(err, elicense.Forbidden) {
				t.Error(err)
			}
		}
		if n != 1 {
			t.Errorf("%d cases of one ticket", n)
		}
	})
}

func FuzzTicket(f *testing.F) {
	key, err := gm.GenerateKey()
	if err != nil {
		f.Fatal(err)
	}
	good, err := (&cases.Ticket{Number: strings.Repeat("1", 16), Case: "1"}).Sign(key, "k")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("a.b.c")
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		if err := cases.ReadTicket(text); err != nil && !elicense.IsKind(err, elicense.Forbidden) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
