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
	return s.listLetters(ctx, who, in.ID, false)
}

func (s *server) ownLetters(ctx context.Context, who *elicense.Actor, in *caseID) (*body[[]letterOut], error) {
	return s.listLetters(ctx, who, in.ID, true)
}

func (s *server) listLetters(ctx context.Context, who *elicense.Actor, id elicense.CaseID, own bool) (*body[[]letterOut], error) {
	list, err := s.Letters.List(ctx, who, id, own)
	out := &body[[]letterOut]{Body: []letterOut{}}
	for _, l := range list {
		out.Body = append(out.Body, letterOut{l.Kind, l.Kind.Chinese(), l.Number, l.Date, append(l.Body, l.After...), shanghai(l.Sealed), l.Trouble})
	}
	return out, err
}

type letterID struct {
	ID   elicense.CaseID `path:"id" maxLength:"26"`
	Kind letters.Kind    `path:"kind" enum:"received,accepted,correct,refused"`
}

func (s *server) letterFile(ctx context.Context, who *elicense.Actor, in *letterID) (*raw, error) {
	return s.giveLetter(ctx, who, in, false)
}

func (s *server) ownLetterFile(ctx context.Context, who *elicense.Actor, in *letterID) (*raw, error) {
	return s.giveLetter(ctx, who, in, true)
}

func (s *server) giveLetter(ctx context.Context, who *elicense.Actor, in *letterID, own bool) (*raw, error) {
	_, file, err := s.Letters.Get(ctx, who, in.ID, in.Kind, own)
	if err != nil {
		return nil, err
	}
	if file == nil {
		return nil, letters.ErrNotSealed()
	}
	return &raw{"application/ofd", `attachment; filename="` + string(in.ID) + "-" + string(in.Kind) + `.ofd"`, file}, nil
}

func (s *server) askLetter(ctx context.Context, who *elicense.Actor, in *letterID) (*struct{}, error) {
	return nil, s.Letters.Ask(ctx, who, in.ID, in.Kind)
}
