package httpapi_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"elicense"
	"elicense/e2e/world"
	"elicense/org"
	"elicense/store"
	"elicense/store/storetest"
)

// keeper is the accounts officer of the administration of Fujian.
func (h *hall) keeper() *elicense.Actor {
	h.t.Helper()
	who := elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: "350100198506120117", Name: "钟管理"}
	h.must(h.Org.Enroll(h.t.Context(), []org.Staff{{
		Login: "keeper", Kind: elicense.Staff, Unit: "11350000FJDEM0021G", Name: who.Name, Person: who, Duties: []elicense.Duty{elicense.DutyAccounts},
	}}))
	a, err := h.Org.ActorByLogin(h.t.Context(), "keeper", "test")
	h.must(err)
	return a
}

// given reads an answer that must have the status.
func given[T any](h *hall, what string, w *httptest.ResponseRecorder, status int) (out T) {
	h.t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != status {
		h.t.Fatalf("%s: %d %s", what, w.Code, w.Body)
	}
	return out
}

type account struct {
	Login, Name, Kind string
	Duties            []elicense.Duty
	Disabled, Initial bool
	Stamp             int64
}

// TestPostsByTheAPI registers a unit, opens accounts in it and closes them: secrets are
// shown once, tokens end with the password and with the post (Art. 20).
func TestPostsByTheAPI(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		h := emptyHall(t, cfg)
		ctx, keeper := t.Context(), h.keeper()
		type handed struct{ Login, Secret string }
		unit := "/api/v1/units/" + string(world.NewUnit)
		account := func(login string) (a account) {
			t.Helper()
			w := h.send(keeper, "GET", unit, "")
			u := given[struct{ Accounts []account }](h, "the unit", w, 200)
			i := slices.IndexFunc(u.Accounts, func(a account) bool { return a.Login == login })
			if i < 0 || strings.Contains(w.Body.String(), "secret") || strings.Contains(w.Body.String(), "199308") {
				t.Fatal(w.Body)
			}
			return u.Accounts[i]
		}

		city := `{"code":"` + string(world.NewUnit) + `","name":"福州市市场监督管理局","kind":"dept","region":"REGION","regionName":"福州市"}`
		p := h.want("a region of five digits", h.send(keeper, "POST", "/api/v1/units", strings.Replace(city, "REGION", "35010", 1)), 400)
		if p.Field != "region" || p.Title != "行政区划代码是6位数字" {
			t.Errorf("%+v", p)
		}
		city = strings.Replace(city, "REGION", "350100", 1)
		if got := given[map[string]string](h, "register", h.send(keeper, "POST", "/api/v1/units", city), 201); got["code"] != string(world.NewUnit) {
			t.Error(got)
		}
		type page struct {
			Units []struct{ Code string }
			Next  string
		}
		var listed []string
		for after := ""; ; {
			one := given[page](h, "units, two by two", h.send(keeper, "GET", "/api/v1/units?limit=2&after="+after, ""), 200)
			for _, u := range one.Units {
				listed = append(listed, u.Code)
			}
			if after = one.Next; after == "" {
				break
			}
		}
		whole := given[page](h, "all of them", h.send(keeper, "GET", "/api/v1/units", ""), 200)
		if len(whole.Units) != len(listed) || len(listed) < 3 || !slices.Contains(listed, string(world.NewUnit)) {
			t.Errorf("%d units, two by two %v", len(whole.Units), listed)
		}
		h.want("registered twice", h.send(keeper, "POST", "/api/v1/units", city), 409)
		given[any](h, "change", h.send(keeper, "POST", unit, `{"name":"福州市市场监管局","kind":"dept","region":"350100","regionName":"福州市"}`), 200)

		// A person: the secret is in the first answer only, and opens nothing by the API.
		person := `{"kind":"staff","login":"newcomer","name":"郑窗口","person":"35010019930830004X","duties":["window"]}`
		p = h.want("a clerk opens accounts", h.send(h.Window, "POST", unit+"/accounts", person), 403, "35010019930830004X")
		if p.Record == "" || p.Next == "" {
			t.Errorf("%+v", p)
		}
		h.want("of others", h.send(h.Window, "GET", unit, ""), 403)
		p = h.want("a wrong number", h.send(keeper, "POST", unit+"/accounts", strings.Replace(person, "004X", "0040", 1)), 400, "199308300040")
		if p.Field != "person" {
			t.Errorf("%+v", p)
		}
		p = h.want("no such kind", h.send(keeper, "POST", unit+"/accounts", strings.Replace(person, "staff", "robot", 1)), 400, "robot")
		if p.Field != "kind" {
			t.Errorf("%+v", p)
		}
		first := given[handed](h, "open", h.send(keeper, "POST", unit+"/accounts", person, "Idempotency-Key", "open-1"), 201)
		again := h.send(keeper, "POST", unit+"/accounts", person, "Idempotency-Key", "open-1")
		if a := given[handed](h, "once more", again, 201); first.Secret == "" || a.Login != "newcomer" || a.Secret != "" || again.Header().Get("Idempotent-Replay") != "true" {
			t.Errorf("%s: the first answer had a secret: %t", again.Body, first.Secret != "")
		}
		if a := account("newcomer"); !a.Initial || a.Disabled || a.Kind != "staff" || a.Name != "郑窗口" || !slices.Equal(a.Duties, []elicense.Duty{"window"}) {
			t.Errorf("%+v", a)
		}
		signIn := func(password string) *httptest.ResponseRecorder {
			return h.form(url.Values{"grant_type": {"password"}, "username": {"newcomer"}, "password": {password}})
		}
		p = h.want("with the initial password", signIn(first.Secret), 401)
		if !strings.Contains(p.Next, "网页") {
			t.Errorf("%+v", p)
		}
		who, err := h.Org.ActorByLogin(ctx, "newcomer", "test")
		h.must(err)
		h.must(h.Org.ChangePassword(ctx, who, first.Secret, "我自己的密码写得很长")) // as at the page

		// His own password by the API; the token ends with the old one.
		bearer := func(w *httptest.ResponseRecorder) []string {
			t.Helper()
			return []string{"Authorization", "Bearer " + given[struct {
				Token string `json:"access_token"`
			}](h, "token", w, 200).Token}
		}
		own := bearer(signIn("我自己的密码写得很长"))
		given[any](h, "his queue", h.send(nil, "GET", "/api/v1/queue", "", own...), 200)
		p = h.want("a short one", h.send(nil, "POST", "/api/v1/password", `{"old":"我自己的密码写得很长","new":"太短"}`, own...), 400, "太短")
		if p.Field != "new" {
			t.Errorf("%+v", p)
		}
		p = h.want("a wrong one", h.send(nil, "POST", "/api/v1/password", `{"old":"不是这个","new":"又换了一个更长的密码"}`, own...), 403, "不是这个")
		if p.Field != "old" || p.Record == "" {
			t.Errorf("%+v", p)
		}
		change := `{"old":"我自己的密码写得很长","new":"又换了一个更长的密码"}`
		given[any](h, "change", h.send(nil, "POST", "/api/v1/password", change, append(own, "Idempotency-Key", "pw-1")...), 200)
		h.want("repeated", h.send(nil, "POST", "/api/v1/password", change, append(own, "Idempotency-Key", "pw-1")...), 401)
		h.want("what the demo offers", h.send(h.Reviewer, "POST", "/api/v1/password", `{"old":"`+world.Password+`","new":"又换了一个更长的密码"}`), 409)
		own = bearer(signIn("又换了一个更长的密码"))

		// Duties by what was seen, and the end of the post.
		moves := "/api/v1/accounts/newcomer/moves"
		p = h.want("nothing seen", h.send(keeper, "POST", moves, `{"move":"duties","duties":["draft"]}`), 400)
		if p.Field != "stamp" {
			t.Errorf("%+v", p)
		}
		h.want("seen before", h.send(keeper, "POST", moves, `{"move":"duties","duties":["draft"],"stamp":1}`), 409)
		given[any](h, "duties", h.send(keeper, "POST", moves, encode(map[string]any{"move": "duties", "duties": []string{"draft", "review"}, "stamp": account("newcomer").Stamp})), 200)
		if a := account("newcomer"); a.Initial || !slices.Equal(a.Duties, []elicense.Duty{"draft", "review"}) {
			t.Errorf("%+v", a)
		}
		h.want("a window no more", h.send(nil, "GET", "/api/v1/queue", "", own...), 403)
		if x := given[handed](h, "close", h.send(keeper, "POST", moves, `{"move":"close"}`), 200); x.Secret != "" || !account("newcomer").Disabled {
			t.Errorf("%+v", x)
		}
		h.want("after his post", h.send(nil, "GET", "/api/v1/drafts", "", own...), 401)
		h.want("closed twice", h.send(keeper, "POST", moves, `{"move":"close"}`), 409)
		if x := given[handed](h, "reopen", h.send(keeper, "POST", moves, `{"move":"reopen"}`), 200); x.Secret == "" || x.Secret == first.Secret || !account("newcomer").Initial {
			t.Error("reopened without a new secret")
		}
		h.want("his own account", h.send(keeper, "POST", "/api/v1/accounts/keeper/moves", `{"move":"reset"}`), 403)

		// A system: its secret is good at once, until it is set anew.
		system := given[handed](h, "open", h.send(keeper, "POST", unit+"/accounts", `{"kind":"system","login":"biz-new","name":"审批系统","duties":["submit"]}`), 201)
		enter := func(secret string) *httptest.ResponseRecorder {
			return h.form(url.Values{"grant_type": {"client_credentials"}, "client_id": {"biz-new"}, "client_secret": {secret}})
		}
		own = bearer(enter(system.Secret))
		h.want("a password of its own", h.send(nil, "POST", "/api/v1/password", `{"old":"`+system.Secret+`","new":"又换了一个更长的密码"}`, own...), 403)
		reset := func() handed {
			t.Helper()
			return given[handed](h, "reset", h.send(keeper, "POST", "/api/v1/accounts/biz-new/moves", `{"move":"reset"}`, "Idempotency-Key", "reset-1"), 200)
		}
		renewed := reset()
		if x := reset(); renewed.Secret == "" || x.Login != "biz-new" || x.Secret != "" {
			t.Error("reset again under its key")
		}
		h.want("its token", h.send(nil, "GET", "/api/v1/results", "", own...), 401)
		h.want("its old secret", enter(system.Secret), 401)
		bearer(enter(renewed.Secret))
		h.Fsck(t)
	})
}
