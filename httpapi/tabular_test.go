package httpapi_test

import (
	"strings"
	"testing"
	"time"

	"elicense/e2e/world"
	"elicense/store/storetest"
)

// TestFiguresAreGivenAsATable: by the parameter or by what the caller takes, with
// nothing in it that a spreadsheet would run; refusals stay problems.
func TestFiguresAreGivenAsATable(t *testing.T) {
	h := newHall(t, storetest.Config(t))
	late := h.Completion("31")
	late.Case, late.Closed = "=HYPERLINK(1)", late.Closed.Add(-48*time.Hour)
	h.Publish(t, late)
	const term = "?from=2026-03-01&to=2026-03-31&unitCode=" + string(world.Issuer)
	for _, tc := range []struct {
		path string
		says []string
	}{
		{"/api/v1/on-time", []string{"单位代码,", string(world.Issuer) + ",福州市鼓楼区市场监督管理局,", "食品经营许可证,在线生成,1,1,"}},
		{"/api/v1/on-time/late", []string{"办件编号", "'=HYPERLINK(1),2026-03-08T"}},
		{"/api/v1/figures/use", []string{"单位,办件,"}},
	} {
		who := h.Admin
		byName := h.send(who, "GET", tc.path+term+"&format=csv", "")
		byAccept := h.send(who, "GET", tc.path+term, "", "Accept", "text/csv, application/json;q=0.5")
		for _, w := range []string{byName.Body.String(), byAccept.Body.String()} {
			for _, s := range tc.says {
				if !strings.Contains(w, s) {
					t.Errorf("%s lacks %s: %s", tc.path, s, w)
				}
			}
		}
		if k := byAccept.Header(); k.Get("Content-Type") != "text/csv; charset=utf-8" || k.Get("Vary") != "Accept" || !strings.Contains(k.Get("Content-Disposition"), ".csv") || byAccept.Code != 200 {
			t.Errorf("%s: %d %v", tc.path, byAccept.Code, k)
		}
		for _, accept := range []string{"", "*/*", "application/json"} {
			if w := h.send(who, "GET", tc.path+term, "", "Accept", accept); w.Header().Get("Content-Type") != "application/json" || !strings.HasPrefix(w.Body.String(), "{") {
				t.Errorf("%s for %q: %v %s", tc.path, accept, w.Header(), w.Body)
			}
		}
		h.want("no such form", h.send(who, "GET", tc.path+term+"&format=xml", ""), 400)
		h.want("refused", h.send(h.Window, "GET", tc.path+"?from=2026-03-01&to=2026-03-31&format=csv", ""), 403)
	}
	for _, id := range []string{"on-time", "late", "figures"} {
		if c := h.operation(id).Responses["200"].Content; c["text/csv"] == nil || c["application/json"] == nil || c["application/json"].Schema.Ref == "" {
			t.Errorf("%s is described as %v", id, c)
		}
	}
}
