package httpapi

import (
	"context"
	"time"

	"elicense"
	"elicense/registry"
)

type registryOut struct {
	Registry  registry.ID `json:"registry"`
	Name      string      `json:"name"`
	Asked     int         `json:"asked"`
	Answered  int         `json:"answered"`
	Available int         `json:"availablePercent" doc:"可用率，-1为没有比对"`
	Half      int64       `json:"p50Milliseconds"`
	Most      int64       `json:"p95Milliseconds"`
	Differ    int         `json:"differ" doc:"这段时间答复不一致或查无的"`
	Open      int         `json:"open" doc:"至今待处理的不一致"`
	Last      *time.Time  `json:"lastAnswer,omitempty"`
}

func (s *server) registries(ctx context.Context, who *elicense.Actor, in *struct {
	From elicense.Date `query:"from" required:"true"`
	To   elicense.Date `query:"to" required:"true"`
},
) (*body[[]registryOut], error) {
	list, err := s.Measures.Of(ctx, who, in.From, in.To)
	if err != nil {
		return nil, err
	}
	out := []registryOut{}
	for _, m := range list {
		o := registryOut{m.ID, m.Name, m.Asked, m.Answered, m.Available(), m.Half.Milliseconds(), m.Most.Milliseconds(), m.Differ, m.Open, nil}
		if !m.Last.IsZero() {
			o.Last = &m.Last
		}
		out = append(out, o)
	}
	return &body[[]registryOut]{out}, nil
}
