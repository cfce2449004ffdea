package e2e

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"elicense/demo"
)

// told is how a delivery stands, as the API says.
type told struct {
	Sealed   string `json:"listSealedAt"`
	Files    []string
	Messages []struct{ State, To string }
	Receipts []struct{ Kind string }
}

// register has the restaurant's number entered at a window, in a case of its own.
func register(t *testing.T, c *client, address string) {
	t.Helper()
	var k struct {
		ID string `json:"id"`
	}
	party := map[string]any{"role": "申请人", "proof": "e-license", "holder": map[string]string{"codeType": "001", "code": "91350102FJDEM90180", "name": "福州示例餐饮有限公司"}}
	status, err := c.do("window2-gl", http.MethodPost, "/api/v1/cases", map[string]any{"matterCode": "M04", "parties": []any{party}}, &k)
	if err != nil || k.ID == "" {
		t.Fatalf("open a case: %d, %v", status, err)
	}
	status, err = c.do("window2-gl", http.MethodPost, "/api/v1/cases/"+k.ID+"/contacts", map[string]any{"party": 0, "channel": "sms", "address": address}, nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("enter a number: %d, %v", status, err)
	}
}

// given publishes a license for a holder who left a number and asks for its package,
// as far as the platform lets it.
func given(c *client) {
	for range 1200 {
		d, err := push(c, 1)
		if err != nil {
			return
		}
		if d.State == "published" {
			c.do("make-wj-gl", http.MethodPost, "/api/v1/licenses/"+d.License+"/package", nil, nil)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// givenOnce starts the platform that was stopped while it delivered: the holder has
// the license once, is told once more at most, and the list is sealed.
func givenOnce(t *testing.T, data string) {
	t.Helper()
	again, c := platformIn(t, binary, data)
	d := settle(t, c, 1)
	once(t, c, d)
	given(c)
	var now told
	for range 1200 {
		if _, err := c.do("make-wj-gl", http.MethodGet, "/api/v1/licenses/"+d.License+"/delivery", nil, &now); err != nil {
			t.Fatal(err)
		}
		if now.Sealed != "" && len(now.Messages) > 0 && now.Messages[0].State == "told" {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if len(now.Messages) != 1 || now.Messages[0].State != "told" || now.Sealed == "" {
		t.Errorf("the delivery stands so: %+v", now)
	}
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
	again.done <- nil
	fsckClean(t, data)
}

// TestBrowserDelivery (Art. 14(1)): what can't be told is listed; the holder confirms a
// number of his own, is told when the unit sends again, and takes the package; who has
// no phone gets a print.
func TestBrowserDelivery(t *testing.T) {
	b := browse(t)
	c := &client{url: b.url, token: map[string]bearer{}}
	register(t, c, demo.NoSuchNumber)
	d := settle(t, c, 1)

	b.login("make-wj-gl")
	b.open("/issue/deliveries")
	b.until("139****0404")
	b.sees("没有送到", "公共场所卫生许可证", "福州示例餐饮有限公司")
	t.Run("deliveries", func(t *testing.T) { b.inspect(t, "/issue/deliveries") })
	one := "/issue/deliveries/" + d.License
	b.open(one)
	b.sees("消息没有送到", "请核对联系方式后重新发送", "短信网关拒绝（422）", "这次只有证照一份文件")
	t.Run("undelivered", func(t *testing.T) { b.inspect(t, one) })

	b.as("canteen")
	b.open("/holder/contacts")
	b.sees("139****0404", "窗口登记")
	b.fill("address", "138 0013 8000")
	b.click(`form[action="/holder/contacts/sms"] .btn`)
	b.sees("验证码已发到", "138****8000")
	t.Run("contacts", func(t *testing.T) { b.inspect(t, "/holder/contacts") })
	b.open("/outbox")
	b.until("您的验证码是")
	code := regexp.MustCompile(`您的验证码是([0-9]{6})`).FindStringSubmatch(b.text())
	b.open("/holder/contacts")
	b.fill("code", code[1])
	b.click(`form[action="/holder/contacts/sms/confirm"] .btn`)
	b.sees("联系方式已登记", "138****8000", "本人确认")
	b.misses("139****0404")

	b.login("make-wj-gl")
	b.open(one)
	b.click(`form[action*="/messages/"] .btn`)
	b.until("已送出")
	b.sees("138****8000")
	b.fill("receiver", "陈示例", "remark", "法定代表人")
	b.click(`form[action$="/handed"] .btn`)
	b.sees("已登记打印交付", "已签收", "领取人 陈示例", "法定代表人")
	b.open("/issue/deliveries")
	b.sees("没有送不到的")
	b.open("/outbox")
	b.sees("为您签发了电子证照", "本消息不含证照内容")
	b.misses("公共场所卫生许可证")
	t.Run("outbox", func(t *testing.T) { b.inspect(t, "/outbox") })

	b.as("canteen")
	own := "/holder/licenses/" + d.License
	b.open(own)
	b.click(`a[href="` + own + `/delivery"]`)
	b.sees("做送达清单", "本人打开")
	b.click(`form[action$="/package"] .btn`)
	b.until("打包下载")
	b.sees("送达清单", "公共场所卫生许可证")
	t.Run("own", func(t *testing.T) { b.inspect(t, own+"/delivery") })
	var now told
	if _, err := c.do("make-wj-gl", http.MethodGet, "/api/v1/licenses/"+d.License+"/delivery", nil, &now); err != nil || len(now.Receipts) != 2 {
		t.Errorf("%+v, %v", now, err)
	}
	if len(now.Files) != 1 || !strings.HasPrefix(now.Files[0], "02-公共场所卫生许可证") {
		t.Errorf("the files are %q", now.Files)
	}
}
