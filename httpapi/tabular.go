package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"

	"elicense"
	"elicense/table"

	"github.com/danielgtaylor/huma/v2"
)

// Tabular is the part of a question whose answer is given as a table too: by the
// parameter, or else by what the caller says it takes first. It is exported to be read
// where it is embedded.
type Tabular struct {
	Format string `query:"format" enum:"json,csv" doc:"csv是表格；也可以用Accept: text/csv"`
	Accept string `header:"Accept" hidden:"true"`
}

func (t Tabular) csv() bool {
	return t.Format == "csv" || t.Format == "" && strings.HasPrefix(strings.TrimSpace(t.Accept), "text/csv")
}

// figuresOp registers an operation whose answer is given as JSON or as a table, in which
// nothing is a formula.
func figuresOp[I interface{ csv() bool }, O any](s *server, at, id, summary string, answer func(context.Context, *elicense.Actor, *I) (*body[O], error), rows func(O, func([]string) error) error) {
	handle := func(ctx context.Context, who *elicense.Actor, in *I) (*huma.StreamResponse, error) {
		out, err := answer(ctx, who, in)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			c.AppendHeader("Vary", "Accept")
			if (*in).csv() {
				c.SetHeader("Content-Type", "text/csv; charset=utf-8")
				c.SetHeader("Content-Disposition", `attachment; filename="`+id+`.csv"`)
				err = table.CSV(c.BodyWriter(), func(write func([]string) error) error { return rows(out.Body, write) })
			} else {
				c.SetHeader("Content-Type", "application/json")
				err = json.NewEncoder(c.BodyWriter()).Encode(out.Body)
			}
			if err != nil { // the caller has gone
				s.Log.DebugContext(ctx, "figures", "operation", id, "err", err)
			}
		}}, nil
	}
	op(s, http.MethodGet, at, id, summary, handle, func(o *huma.Operation) {
		o.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"application/json": {Schema: s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[O](), true, id)},
			"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString}},
		}}}
	})
}
