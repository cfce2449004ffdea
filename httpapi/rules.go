package httpapi

import (
	"context"
	"time"

	"elicense"
	"elicense/access"
)

// Local rules of access (Art. 13(2)): what they say is public, as the law text is.

type ruleOut struct {
	ID       string           `json:"id"`
	Version  int              `json:"version"`
	State    access.RuleState `json:"state" doc:"proposed待核对 refused不同意 in-force执行中 ending待核对停用 ended已停用 replaced已被新版代替"`
	Title    string           `json:"title"`
	DocNo    string           `json:"documentNumber"`
	Text     string           `json:"text" doc:"按写下的原样"`
	Steps    []ruleStepOut    `json:"steps"`
	Article  string           `json:"article,omitempty"`
	Sentence string           `json:"reason,omitempty" doc:"被拒绝的人看到的话"`
}

type ruleStepOut struct {
	What   access.RuleState `json:"what"`
	Name   string           `json:"name"`
	At     *time.Time       `json:"at"`
	Reason string           `json:"reason,omitempty"`
}

func (s *server) listRules(ctx context.Context, _ *elicense.Actor, _ *noInput) (*body[[]ruleOut], error) {
	list, err := s.Rules.List(ctx)
	out := &body[[]ruleOut]{Body: []ruleOut{}}
	for _, r := range list {
		o := ruleOut{r.ID, r.Version, r.State, r.Title, r.DocNo, r.Text, []ruleStepOut{}, r.Rule.Article, r.Rule.Reason}
		for _, x := range r.Steps {
			o.Steps = append(o.Steps, ruleStepOut{x.What, x.Name, shanghai(x.At), x.Reason})
		}
		out.Body = append(out.Body, o)
	}
	return out, err
}

type ruleName struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
}

func (s *server) proposeRule(ctx context.Context, who *elicense.Actor, in *struct {
	Body struct {
		Of    string `json:"of,omitempty" maxLength:"40" doc:"已有规则的新版本；空的是新规则"`
		Title string `json:"title"`
		DocNo string `json:"documentNumber"`
		Text  string `json:"text" doc:"一条forbid，写法见/admin/rules"`
	}
},
) (*body[ruleName], error) {
	id, version, err := s.Rules.Propose(ctx, who, in.Body.Of, in.Body.Title, in.Body.DocNo, in.Body.Text)
	if err != nil {
		return nil, err
	}
	return &body[ruleName]{ruleName{id, version}}, nil
}

func (s *server) decideRule(ctx context.Context, who *elicense.Actor, in *struct {
	ID      string `path:"rule" maxLength:"40"`
	Version int    `path:"version" minimum:"1"`
	Body    struct {
		Approve bool `json:"approve"`
	}
},
) (*body[done], error) {
	return yes, s.Rules.Decide(ctx, who, in.ID, in.Version, in.Body.Approve)
}

func (s *server) endRule(ctx context.Context, who *elicense.Actor, in *struct {
	ID      string `path:"rule" maxLength:"40"`
	Version int    `path:"version" minimum:"1"`
	Body    struct {
		Reason string `json:"reason"`
	}
},
) (*body[done], error) {
	return yes, s.Rules.ProposeEnd(ctx, who, in.ID, in.Version, in.Body.Reason)
}
