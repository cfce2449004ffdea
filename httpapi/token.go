package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"elicense"
	"elicense/org"
)

// token gives a bearer token: to a business system for its client secret
// (client_credentials), to a person for his password (password), until case
// tickets carry the person.
func (s *server) token(w http.ResponseWriter, r *http.Request) {
	request := NewRequestID(s.Now())
	w.Header().Set("Cache-Control", "no-store")
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	ctx := context.WithValue(r.Context(), actorKey{}, elicense.Anyone(request))
	if err := r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if !errors.As(err, &large) {
			err = elicense.E(elicense.Invalid, "要用application/x-www-form-urlencoded提交").Because(err)
		} else {
			err = unread(err)
		}
		s.refuse(ctx, w, err)
		return
	}
	login, secret, basic := r.BasicAuth()
	kind := elicense.System
	switch r.PostForm.Get("grant_type") {
	case "client_credentials":
		if !basic {
			login, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
		}
	case "password":
		login, secret, kind = r.PostForm.Get("username"), r.PostForm.Get("password"), elicense.Staff
	default:
		s.refuse(ctx, w, elicense.E(elicense.Invalid, "grant_type要写client_credentials或password").At("grant_type"))
		return
	}
	actor, err := s.Org.SignIn(ctx, login, secret, from(r), request)
	if err == nil && (actor.Kind == elicense.System) != (kind == elicense.System) {
		err = elicense.E(elicense.Unauthorized, "这个账号不能用这种方式取得令牌").At("grant_type").
			Then("业务系统用client_credentials，个人用password")
	}
	if err != nil {
		s.refuse(ctx, w, err)
		return
	}
	token, _, err := s.Org.Token(ctx, actor)
	if err != nil {
		s.refuse(ctx, w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{
		"access_token": token, "token_type": "Bearer", "expires_in": int(org.TokenLife.Seconds()),
	})
}

type pageOperation struct {
	Method, Path, ID, Summary string
	Public                    bool
}

var pageTemplate = template.Must(template.New("api").Parse(`<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title><link rel="stylesheet" href="/assets/tokens.css"><link rel="stylesheet" href="/assets/base.css"></head>
<body class="public"><header class="bar"><a class="brand" href="/">电子证照平台</a><span class="desk">接口</span></header>
<main class="page"><h1>{{.Title}}</h1><p>{{.Description}}</p>
<p>完整说明：<a href="/openapi.json">openapi.json</a>（OpenAPI 3.1）。业务系统用客户端凭证在 <code>POST /oauth/token</code> 取得访问令牌，10分钟有效。
每个 <code>POST</code> 可带 <code>Idempotency-Key</code>，同一键和内容7天内得到同一答复。错误按 RFC 9457 返回，<code>title</code> 是给用户看的一句话。</p>
<div class="scroll" tabindex="0" role="region" aria-label="接口清单"><table class="table"><thead><tr><th scope="col">方法</th><th scope="col">地址</th><th scope="col">用途</th><th scope="col">登录</th></tr></thead>
<tbody>{{range .Operations}}<tr><td>{{.Method}}</td><td><code>{{.Path}}</code></td><td>{{.Summary}}</td><td>{{if .Public}}不用{{else}}要{{end}}</td></tr>{{end}}</tbody></table></div>
</main></body></html>`))

// page is the readable list of operations, made from the description.
func (s *server) page(w http.ResponseWriter, _ *http.Request) {
	d := s.api.OpenAPI()
	var list []pageOperation
	for path, item := range d.Paths {
		if item.Get != nil {
			list = append(list, pageOperation{"GET", path, item.Get.OperationID, item.Get.Summary, item.Get.Security == nil})
		}
		if item.Post != nil {
			list = append(list, pageOperation{"POST", path, item.Post.OperationID, item.Post.Summary, item.Post.Security == nil})
		}
	}
	slices.SortFunc(list, func(a, b pageOperation) int { return strings.Compare(a.Path+a.Method, b.Path+b.Method) })
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := pageTemplate.Execute(w, map[string]any{"Title": d.Info.Title, "Description": d.Info.Description, "Operations": list}); err != nil {
		s.Log.Error("API page", "err", err)
	}
}
