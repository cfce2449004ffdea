package httpapi

import (
	"context"
	"time"

	"elicense"
	"elicense/letters"
)

type letterOut struct {
	Kind    letters.Kind  `json:"kind" doc:"received材料接收凭证 accepted受理通知书 correct补正告知书 refused不予受理通知书"`
	Title   string        `json:"title"`
	Number  string        `json:"number"`
	Date    elicense.Date `json:"date"`
	Text    []string      `json:"text"`
	Sealed  *time.Time    `json:"sealedAt,omitempty"`
	Trouble string        `json:"trouble,omitempty" doc:"为什么还没有盖章"`
}

func (s *server) letters(ctx context.Context, who *elicense.Actor, in *caseID) (*body[[]letterOut], error) {
	list, err := s.Letters.List(ctx, who, in.ID, who.Kind == elicense.Holder)
	out := &body[[]letterOut]{Body: []letterOut{}}
	for _, l := range list {
		out.Body = append(out.Body, letterOut{l.Kind, l.Kind.Chinese(), l.Number, l.Date, append(l.Body, l.After...), shanghai(l.Sealed), l.Trouble})
	}
	return out, err
}

func (s *server) letterFile(ctx context.Context, who *elicense.Actor, in *struct {
	ID   elicense.CaseID `path:"id" maxLength:"26"`
	Kind letters.Kind    `path:"kind" maxLength:"10"`
},
) (*raw, error) {
	_, file, err := s.Letters.Get(ctx, who, in.ID, in.Kind, who.Kind == elicense.Holder)
	if err != nil {
		return nil, err
	}
	if file == nil {
		return nil, letters.ErrNotSealed()
	}
	return &raw{"application/ofd", `attachment; filename="` + string(in.ID) + "-" + string(in.Kind) + `.ofd"`, file}, nil
}

func (s *server) askLetter(ctx context.Context, who *elicense.Actor, in *struct {
	ID   elicense.CaseID `path:"id" maxLength:"26"`
	Kind letters.Kind    `path:"kind" maxLength:"10"`
},
) (*struct{}, error) {
	return nil, s.Letters.Ask(ctx, who, in.ID, in.Kind)
}
