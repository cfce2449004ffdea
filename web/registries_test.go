package web

import (
	"net/http"
	"strings"
	"testing"

	"elicense/e2e/world"
	"elicense/registry"
)

// TestALateMismatchIsDealtWithAtTheDesk publishes during an outage; what the
// registry says later is listed, dealt with, and counted against the registry.
func TestALateMismatchIsDealtWithAtTheDesk(t *testing.T) {
	s := open(t)
	id := s.PublishUncompared(t, s.Completion("1"))
	draft := "/issue/drafts/" + string(id)
	review := s.as(t, "review")
	review.want(review.get(draft), http.StatusOK, "审核时比对服务不可用，会自动再比对", "证照急用，已电话核对")
	if strings.Contains(review.get("/issue"), "比对不一致待处理") {
		t.Error("a task before the registry said anything")
	}
	s.Registry.Answer(registry.Mismatch)
	review.want(review.post(draft+"/comparison", "do", "again"), http.StatusOK, "比对不一致待处理", "法定代表人")
	review.want(review.get("/issue"), http.StatusOK, "比对不一致待处理", draft)
	review.want(review.get("/issue/notices"), http.StatusOK, "食品经营许可证发布后和法人库比对不一致，请核实处理")
	audit := s.as(t, "audit")
	audit.want(audit.get("/admin/registries"), http.StatusOK, "可用33%", "3次里答复1次", "一半在40毫秒内", "1件待处理")

	review.want(review.post(draft+"/comparison", "do", "handle"), http.StatusBadRequest, "要写明核实的情况")
	review.want(review.post(draft+"/comparison", "do", "handle", "remark", "登记机关未更新，已请其更正"), http.StatusOK, "发布后比对不一致，已处理", "登记机关未更新，已请其更正")
	if strings.Contains(review.get("/issue"), "比对不一致待处理") {
		t.Error("still a task")
	}
	audit.want(audit.get("/admin/registries"), http.StatusOK, "没有待处理")
	csv := audit.get("/admin/registries.csv")
	audit.want(csv, http.StatusOK, "法人库（市场监管）,3,1,33,40,40,1,0,", "全员人口库,0,0,,,,0,0,")
	for _, secret := range []string{world.Firm.Code, world.Firm.Name, "陈示例"} {
		if strings.Contains(csv, secret) {
			t.Errorf("the figures say %q", secret)
		}
	}
}
