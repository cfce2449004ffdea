package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"elicense"
)

// statusOf is the one table of errors and statuses.
var statusOf = map[elicense.Kind]int{
	elicense.Invalid: http.StatusBadRequest, elicense.NotFound: http.StatusNotFound, elicense.Conflict: http.StatusConflict,
	elicense.Forbidden: http.StatusForbidden, elicense.Unauthorized: http.StatusUnauthorized, elicense.NotInForce: http.StatusConflict,
	elicense.Expired: http.StatusGone, elicense.TooLarge: http.StatusRequestEntityTooLarge, elicense.TooMany: http.StatusTooManyRequests,
	elicense.Unavailable: http.StatusServiceUnavailable, elicense.Internal: http.StatusInternalServerError,
}

// Problem is an error as RFC 9457 writes it. It never repeats what was sent.
type Problem struct {
	Type    string `json:"type"`
	Title   string `json:"title" doc:"一句话：不能做什么、为什么"`
	Status  int    `json:"status"`
	Clause  string `json:"clause,omitempty" doc:"据以拒绝的条款或规则"`
	Field   string `json:"field,omitempty" doc:"有问题的字段"`
	Row     int    `json:"row,omitempty"`
	Next    string `json:"next,omitempty" doc:"下一步怎么办"`
	Record  string `json:"record,omitempty" doc:"这次拒绝的记录编号"`
	Request string `json:"requestId,omitempty"`
}

// Error returns the sentence.
func (p *Problem) Error() string { return p.Title }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders returns the headers that belong to the status.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	switch p.Status {
	case http.StatusTooManyRequests:
		h.Set("Retry-After", "60")
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	}
	return h
}

// ContentType returns the media type of problems.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// fail turns a domain error into a problem; internal text goes to the log only.
func (s *server) fail(ctx context.Context, err error) *Problem {
	p := problemOf(err, actorOf(ctx).Request)
	if p.Status >= http.StatusInternalServerError {
		s.Log.ErrorContext(ctx, "request failed", "request", p.Request, "err", err)
	}
	return p
}

func problemOf(err error, request string) *Problem {
	kind := elicense.KindOf(err)
	p := &Problem{Type: "urn:elicense:" + kind.String(), Status: statusOf[kind], Title: "平台内部出错，没有办成", Request: request}
	var e *elicense.Error
	if errors.As(err, &e) && kind != elicense.Internal {
		p.Title, p.Clause, p.Field, p.Row, p.Next, p.Record = e.Message(), e.Clause, e.Field, e.Row, e.Next, e.Record
	} else {
		p.Next = "请稍后再试；仍不行请把请求编号告诉平台管理员"
	}
	return p
}

// refuse answers with the problem of an error that no operation made.
func (s *server) refuse(ctx context.Context, w http.ResponseWriter, err error) {
	writeProblem(w, s.fail(ctx, err))
}

func writeProblem(w http.ResponseWriter, p *Problem) {
	for k, v := range p.GetHeaders() {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p) // the caller is gone if this fails
}

// wrongs are the sentences for what huma finds wrong with a request, by how its
// own text begins; the first that fits is taken.
var wrongs = []struct{ begins, title string }{
	{"expected required property", "请求里缺少必填的内容"},
	{"required", "请求里缺少必填的参数"},
	{"request body is required", "请求没有内容"},
	{"unexpected property", "请求里有接口说明没有的字段"},
	{"expected length <=", "内容超过接口说明的长度"},
	{"expected array length", "项数不在接口说明的范围内"},
	{"expected value to be one of", "内容不在接口说明列出的选项里"},
	{"expected string to be RFC 3339", "日期或时间要按RFC 3339写"},
	{"expected number", "数字不在接口说明的范围内"},
	{"expected", "内容的类型不符合接口说明"},
	{"invalid", "内容的类型不符合接口说明"},
}

// problem is what huma's own refusals become: bad JSON, missing fields, too large
// a body. The library's text, which repeats the value, is dropped.
func (s *server) problem(request string, status int, errs []error) *Problem {
	p := &Problem{
		Type: "urn:elicense:invalid", Status: status, Title: "请求的内容不是接口说明的JSON", Next: "请对照接口说明修改后再发", Request: request,
	}
	switch {
	case status >= http.StatusInternalServerError:
		p.Type, p.Title, p.Next = "urn:elicense:internal", "平台内部出错，没有办成", "请稍后再试；仍不行请把请求编号告诉平台管理员"
		return p
	case status == http.StatusUnprocessableEntity:
		p.Status = http.StatusBadRequest
	case status == http.StatusRequestEntityTooLarge:
		p.Type, p.Title, p.Next = "urn:elicense:too-large", "请求的内容太大", "请分开发送，或压缩后再发"
	case status == http.StatusUnsupportedMediaType, status == http.StatusNotAcceptable:
		p.Title = "只接受和返回application/json"
	}
	var d *huma.ErrorDetail
	for _, err := range errs {
		if errors.As(err, &d) {
			p.Field = s.fieldOf(d)
			break
		}
	}
	if d == nil {
		return p
	}
	for _, w := range wrongs {
		if strings.HasPrefix(d.Message, w.begins) {
			p.Title = w.title
			break
		}
	}
	return p
}

var missing = regexp.MustCompile(`^expected required property (\S+) to be present`)

// fieldOf names the field that is wrong as far as the description knows its
// name: what comes after was typed by the caller.
func (s *server) fieldOf(d *huma.ErrorDetail) string {
	_, at, _ := strings.Cut(d.Location, ".")
	if m := missing.FindStringSubmatch(d.Message); m != nil {
		at = strings.TrimPrefix(at+"."+m[1], ".")
	}
	var known []string
	for _, part := range strings.Split(at, ".") {
		name, _, _ := strings.Cut(part, "[")
		if !s.names[name] {
			break
		}
		known = append(known, part)
	}
	return strings.Join(known, ".")
}

// namesIn collects the names of fields and parameters in the description.
func namesIn(d *huma.OpenAPI) map[string]bool {
	names := map[string]bool{}
	for _, schema := range d.Components.Schemas.Map() {
		for name := range schema.Properties {
			names[name] = true
		}
	}
	for _, item := range d.Paths {
		for _, o := range []*huma.Operation{item.Get, item.Post} {
			if o == nil {
				continue
			}
			for _, p := range o.Parameters {
				names[p.Name] = true
			}
		}
	}
	return names
}
