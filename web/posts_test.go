package web

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"elicense"
	"elicense/e2e/world"
	"elicense/org"
)

var shownSecret = regexp.MustCompile(`class="code big">(?:<span class="number">)?([a-z0-9-]+)<`)

// TestPosts opens an account at the administration's desk: the secret is shown once,
// its owner chooses his own before he gets anywhere, and his sessions end when it is
// set anew or the account is closed with the post (Art. 20).
func TestPosts(t *testing.T) {
	s := open(t)
	if err := s.Org.Enroll(t.Context(), []org.Staff{{
		Login: "accounts", Secret: world.Password, Kind: elicense.Staff, Unit: "11350000FJDEM0021G", Name: "钟管理",
		Person: elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: "350100198506120117", Name: "钟管理"}, Duties: []elicense.Duty{elicense.DutyAccounts},
	}}); err != nil {
		t.Fatal(err)
	}
	keeper := s.as(t, "accounts")
	keeper.want(keeper.get("/admin/units"), http.StatusOK, "登记单位", "福州市鼓楼区烟草专卖局")
	page := keeper.post("/admin/units/new", "code", string(world.NewUnit), "name", "福州市市场监督管理局", "kind", "dept", "region", "35010", "regionName", "福州市")
	keeper.want(page, http.StatusBadRequest, "行政区划代码是6位数字", "福州市市场监督管理局") // what was typed stays
	page = keeper.post("/admin/units/new", "code", string(world.NewUnit), "name", "福州市市场监督管理局", "kind", "dept", "region", "350100", "regionName", "福州市")
	keeper.want(page, http.StatusOK, "单位已登记", "没有账号")

	at := "/admin/units/" + string(world.Office)
	form := []string{"kind", "staff", "name", "蔡新手", "person", "350102199001010075", "login", "newcomer"}
	page = keeper.post(at+"/accounts", form...)
	keeper.want(page, http.StatusBadRequest, "至少选一项岗位职责", "蔡新手", "350102199001010075")
	page = keeper.post(at+"/accounts", append(form, "duties", "window")...)
	keeper.want(page, http.StatusOK, "只显示这一次", "newcomer")
	secret := shownSecret.FindStringSubmatch(page)[1]
	if strings.Contains(keeper.get(at), secret) {
		t.Error("the secret is shown again")
	}

	clerk := s.visitor(t)
	page = clerk.post("/signin", "login", "newcomer", "password", secret)
	clerk.want(page, http.StatusOK, "请先改成自己的密码")
	clerk.want(clerk.get("/window"), http.StatusOK, "请先改成自己的密码") // and gets nowhere else
	page = clerk.post("/password", "old", secret, "password", "我自己的密码写得长", "password2", "我自己的密码写得短")
	clerk.want(page, http.StatusBadRequest, "两次输入的密码不一样")
	page = clerk.post("/password", "old", "not this", "password", "我自己的密码写得很长", "password2", "我自己的密码写得很长")
	clerk.want(page, http.StatusForbidden, "原密码不对")
	page = clerk.post("/password", "old", secret, "password", "我自己的密码写得很长", "password2", "我自己的密码写得很长")
	clerk.want(page, http.StatusOK, "我的办件")

	other := s.visitor(t) // on another machine
	other.want(other.post("/signin", "login", "newcomer", "password", "我自己的密码写得很长"), http.StatusOK, "我的办件")
	clerk.post("/password", "old", "我自己的密码写得很长", "password", "又换了一个更长的密码", "password2", "又换了一个更长的密码")
	clerk.want(clerk.get("/window"), http.StatusOK, "我的办件")
	other.want(other.get("/window"), http.StatusOK, "登录名") // signed out

	page = keeper.post(at+"/accounts/newcomer", "do", "duties", "stamp", "1", "duties", "draft")
	keeper.want(page, http.StatusConflict, "刚刚有人改过这个账号")
	keeper.want(keeper.post(at+"/accounts/newcomer", "do", "close"), http.StatusOK, "已办理", "停用")
	clerk.want(clerk.get("/window"), http.StatusOK, "登录名")
	clerk.want(clerk.post("/signin", "login", "newcomer", "password", "又换了一个更长的密码"), http.StatusUnauthorized, "登录名或密码不对")

	own := "/admin/units/11350000FJDEM0021G"
	keeper.want(keeper.get(own), http.StatusOK, "自己的账号由别的人员办理")
	keeper.want(keeper.post(own+"/accounts/accounts", "do", "reset"), http.StatusForbidden, "自己的账号和岗位由别的人员办理")
	review := s.as(t, "review") // the sign-in page offers it
	review.want(review.post("/password", "old", world.Password, "password", "我自己的密码写得很长", "password2", "我自己的密码写得很长"), http.StatusConflict, "演示账号的密码不能改")
}
