package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"elicense"
	"elicense/cases"
)

// Practice is the pages of the platform on which clerks practise (练习): the same
// desk over a store, keys and a record of its own, with invented people. Who has
// begun to practise carries a second cookie; while he has it, the window's pages
// are those of the practice, and nothing he does there is done here.
type Practice struct {
	s       *server
	handler http.Handler
}

const practiceCookie = "elicense-practice"

// ErrPreparing tells that the platform to practise on is being made.
var ErrPreparing = errors.New("the practice is being made")

// What sessions remember of practising: at the clerk's own desk that he waits for
// the practice, at the practice that paper was refused, which no record says.
const (
	sessionAwaits = "practice"
	sessionPaper  = "paper"
)

// NewPractice prepares the pages; c is of the platform to practise on.
func NewPractice(c Config) (*Practice, error) {
	s, err := newServer(c, true)
	if err != nil {
		return nil, err
	}
	return &Practice{s, s.handler()}, nil
}

// apart sends those who practise to the practice.
func (s *server) apart(pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := r.Cookie(practiceCookie)
		at := r.URL.Path
		if err != nil || at != "/window" && !strings.HasPrefix(at, "/window/") && at != "/typed" {
			pages.ServeHTTP(w, r)
			return
		}
		if p := s.trained.Load(); p != nil {
			p.handler.ServeHTTP(w, r)
			return
		}
		// The practice of a program that ended since then.
		http.SetCookie(w, &http.Cookie{Name: practiceCookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: s.sessions.Cookie.Secure, SameSite: http.SameSiteLaxMode})
		pages.ServeHTTP(w, r)
	})
}

type practicePage struct {
	Can     bool
	Waiting bool
	Tasks   []practiceTask
	Done    int
}

// practiceTask is something to try; it is ticked off by what was really done.
type practiceTask struct {
	Name, How, Link string
	Done            bool
}

// practice shows what to practise, and what of it was done.
func (s *server) practice(v *visit) error {
	ctx := v.r.Context()
	d := practicePage{Can: s.Practice != nil}
	if !s.training {
		if d.Can && s.sessions.GetBool(ctx, sessionAwaits) {
			return s.practiceEnter(v)
		}
		return v.render("practice", v.t("练习"), d)
	}
	list, err := s.Cases.Mine(ctx, v.who, caseLimit)
	if err != nil {
		return err
	}
	day, err := s.Sharing.Day(ctx, v.who, elicense.DateOf(v.Now()))
	if err != nil {
		return err
	}
	var moves []cases.Move
	for _, k := range list {
		course, err := s.Cases.Course(ctx, v.who, k.ID)
		if elicense.IsKind(err, elicense.Forbidden) { // handed to another
			continue
		}
		if err != nil {
			return err
		}
		for _, step := range course {
			moves = append(moves, step.Kind)
		}
	}
	d.Tasks = []practiceTask{
		{"收一件", "新办件选“烟草专卖零售许可”，申请人填“鼓楼区示例便利店”，代码92350102FJDEM9042D", "/window/new?matter=M04", len(list) > 0},
		{"打开一份绿色的证照", "只会看到本事项需要的字段，查看会记录", "/window", day.Uses > 0},
		{"看一次拒绝", "在办件里查清单以外的证照，如“结婚证”：会写明依据和下一步", "/window", len(day.Refusals) > 0},
		{"报缺证", "红色的材料该有证照却没有的，按Q报缺证，签发单位会收到", "/window", day.Missing > 0},
		{"不收纸质", "平台上有的材料，申请人带了纸质也不收：打开它的“其他办法”，试着收取纸质，看平台怎么拒绝", "/window", s.sessions.GetBool(ctx, sessionPaper)},
		{"一次告知补正", "红色的材料没法解决时，按B发补正告知", "/window", slices.Contains(moves, cases.Correct)},
		{"受理一件", "材料都解决了，按F8受理", "/window", slices.Contains(moves, cases.Accept)},
	}
	for _, t := range d.Tasks {
		if t.Done {
			d.Done++
		}
	}
	return v.render("practice", v.t("练习"), d)
}

// practiceBegin takes the clerk to the practice. It is made when the first asks,
// which takes some seconds; a page waits for it, and this session enters when it
// is there. Entering is never begun by a link from elsewhere: who is made to
// practise without knowing would lose his work.
func (s *server) practiceBegin(v *visit) error {
	if s.Practice == nil {
		return elicense.E(elicense.Unavailable, "这里没有练习").Then("请在窗口的工作台打开")
	}
	s.sessions.Put(v.r.Context(), sessionAwaits, true)
	return s.practiceEnter(v)
}

func (s *server) practiceEnter(v *visit) error {
	p, account, err := s.Practice(v.r.Context())
	if errors.Is(err, ErrPreparing) {
		v.w.Header().Set("Refresh", "2; url=/window/practice")
		return v.render("practice", v.t("练习"), practicePage{Waiting: true})
	}
	s.sessions.Remove(v.r.Context(), sessionAwaits)
	if err != nil {
		return err
	}
	s.trained.Store(p)
	enter := p.s.sessions.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err = p.s.sessions.RenewToken(r.Context()); err != nil {
			return
		}
		p.s.sessions.Put(r.Context(), sessionAccount, string(account))
		http.Redirect(w, r, "/window/practice", http.StatusSeeOther)
	}))
	enter.ServeHTTP(v.w, v.r)
	return err
}

// practiceEnd leads back to the clerk's own desk.
func (s *server) practiceEnd(v *visit) error {
	if !s.training {
		return v.goTo("/window")
	}
	if err := s.sessions.Destroy(v.r.Context()); err != nil {
		return err
	}
	return v.goTo("/window")
}

// tried notes at the practice that paper was refused.
func (s *server) tried(v *visit, refusal error) {
	var e *elicense.Error
	if s.training && errors.As(refusal, &e) && e.Kind == elicense.Conflict && e.Field == "reason" {
		s.sessions.Put(v.r.Context(), sessionPaper, true)
	}
}

// Practising tells whether the page is of the practice.
func (v *visit) Practising() bool { return v.training }
