package cases_test

import (
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/cases"
	"elicense/e2e/world"
)

const portal = "https://oa.example.gov.cn"

func (c *counter) framed(number string, change func(*cases.Ticket)) string {
	return c.sign(c.ticket(number, change))
}

// TestAFrameIsOfItsCase: a ticket opens the case and a frame of it; a new ticket
// comes back to the same case; nothing else does.
func TestAFrameIsOfItsCase(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		w.Cases.Audience = "http://localhost"
		c := newCounter(t, w)
		ctx := t.Context()
		admin, err := c.Org.ActorByLogin(ctx, "accounts", "test")
		must(t, err)
		// No origin is registered yet.
		_, _, err = w.Cases.OpenFrame(ctx, c.system, portal, c.framed("1", same))
		if e := refusal(t, err, elicense.Forbidden, "网页来源没有登记"); e.Next == "" {
			t.Error("says not what to do")
		}
		for origin, want := range map[string]string{
			"https://OA.example.gov.cn:443/": portal, "http://127.0.0.1:9000": "http://127.0.0.1:9000", "http://oa.example.gov.cn": "", "oa.example.gov.cn": "",
			"https://oa.example.gov.cn/path": "", "https://a b": "", "https://*.gov.cn": "", "https://user@oa.example.gov.cn": "", "null": "", "": "", "https://机关.cn": "",
			"https://a.cn;script-src *": "", "javascript:alert(1)": "",
		} {
			err := w.Cases.PutSystemOrigin(ctx, admin, "biz", origin, false)
			if want == "" {
				refusal(t, err, elicense.Invalid, "https://主机名")
			} else {
				must(t, err)
			}
		}
		must(t, w.Cases.PutSystemOrigin(ctx, admin, "biz", "http://127.0.0.1:9000", true))
		if got, err := w.Cases.FrameOrigins(ctx, c.system.Account); err != nil || len(got) != 1 || got[0] != portal {
			t.Errorf("origins %v, %v", got, err)
		}
		refusal(t, w.Cases.PutSystemOrigin(ctx, c.system, "biz", portal, false), elicense.Forbidden, "")
		refusal(t, w.Cases.PutSystemOrigin(ctx, admin, "accounts", portal, false), elicense.NotFound, "没有这个业务系统")

		token, k, err := w.Cases.OpenFrame(ctx, c.system, portal, c.framed("2", same))
		must(t, err)
		f, err := w.Cases.Framed(ctx, token)
		if err != nil || f.Case != k.ID || f.Officer != "王某" || f.System != c.system.Account {
			t.Fatalf("%+v, %v", f, err)
		}
		again, k2, err := w.Cases.OpenFrame(ctx, c.system, "", c.framed("3", func(t *cases.Ticket) { t.Case = "烟2"; t.Officer = "李某" }))
		if err != nil || k2.ID != k.ID || again == token {
			t.Fatalf("came back to %v, %v", k2, err)
		}
		if f, err = w.Cases.Framed(ctx, again); err != nil || f.Officer != "李某" {
			t.Errorf("%+v, %v", f, err)
		}
		_, _, err = w.Cases.OpenFrame(ctx, c.system, portal, c.framed("3", func(t *cases.Ticket) { t.Case = "烟2" }))
		refusal(t, err, elicense.Forbidden, "已经用过")
		_, _, err = w.Cases.OpenFrame(ctx, c.system, portal, c.framed("4", func(t *cases.Ticket) {
			t.Case = "烟2"
			t.Parties = append(t.Parties, cases.TicketParty{Holder: world.Person, Proof: cases.ProofCard})
		}))
		refusal(t, err, elicense.Conflict, "当事人与这个办件的不同")
		_, _, err = w.Cases.OpenFrame(ctx, c.system, portal, "x.y.z")
		refusal(t, err, elicense.Forbidden, "格式不对")
		_, err = w.Cases.Framed(ctx, strings.ToLower(token))
		refusal(t, err, elicense.Unauthorized, "已经失效")

		// It ends by itself, and with the key.
		w.Clock.Move(61 * time.Minute)
		_, err = w.Cases.Framed(ctx, again)
		refusal(t, err, elicense.Unauthorized, "已经失效")
		token, _, err = w.Cases.OpenFrame(ctx, c.system, portal, c.framed("5", func(t *cases.Ticket) { t.Case = "烟2" }))
		must(t, err)
		w.Fsck(t)
		c.register("biz", "k1", true)
		_, err = w.Cases.Framed(ctx, token)
		refusal(t, err, elicense.Unauthorized, "已经失效")
		w.Fsck(t)
	})
}
