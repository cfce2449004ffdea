package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/cases"
	"elicense/catalog"
	"elicense/org"
	"elicense/sharing"
)

// The pages in this file stand inside the pages of business systems that can do
// no more than link (Art. 13(1)). The system puts a signed ticket into the form
// that fills the frame, or behind the # of its address, where no server and no log
// sees it. The ticket becomes the token of a frame, which travels in the forms of
// the frame itself, since browsers that keep no cookies of third parties are met;
// a partitioned cookie for this one case lets the frame be loaded again.
//
// The frame shows how each material stands and nothing of what a license says:
// that is shown in a window of its own, which no page can frame.

type framePage struct {
	*cases.Case
	System  string
	Token   string
	Officer string
	Rows    []frameRow
	Free    int
	Checked time.Time
	Over    bool // the case has ended
}

type frameRow struct {
	sharing.MaterialState
	N         int
	PartyName string
	Report    bool // can be reported missing
}

type frameLookPage struct {
	*cases.Case
	Officer string
	sharing.Result
	PartyName string
	Lines     []frameLine
}

type frameLine struct {
	catalog.Field
	Value  string
	Hidden bool
}

// framing prepares an answer for a frame of the system of the address.
func (v *visit) framing() (*elicense.Actor, error) {
	v.desk = framed
	h := v.w.Header()
	h.Set("Content-Security-Policy", framePolicy(nil))
	system, err := v.Org.ActorByLogin(v.r.Context(), v.r.PathValue("system"), v.request)
	if elicense.IsKind(err, elicense.NotFound) || err == nil && system.Kind != elicense.System {
		return nil, errNoPage()
	}
	if err != nil {
		return nil, err
	}
	origins, err := v.Cases.FrameOrigins(v.r.Context(), system.Account)
	if err != nil {
		return nil, err
	}
	h.Set("Content-Security-Policy", framePolicy(origins))
	// These two are for pages that are nobody's part.
	h.Del("Cross-Origin-Opener-Policy")
	h.Del("Cross-Origin-Resource-Policy")
	return system, nil
}

// framed is the layout of what stands in a frame.
var framed = &desk{name: "framed"}

// framePolicy lets the pages of the origins frame the answer.
func framePolicy(origins []string) string {
	ancestors := "'none'"
	if len(origins) > 0 {
		ancestors = strings.Join(origins, " ")
	}
	return strings.Replace(policy, "frame-ancestors 'none'", "frame-ancestors "+ancestors, 1)
}

// frameOpening waits for the ticket behind the # of the address.
func (s *server) frameOpening(v *visit) error {
	system, err := v.framing()
	if err != nil {
		return err
	}
	return v.render("frame", v.t("核对材料"), framePage{System: v.r.PathValue("system"), Officer: system.Name})
}

// frameOpen turns a ticket into a frame.
func (s *server) frameOpen(v *visit) error {
	system, err := v.framing()
	if err != nil {
		return err
	}
	if s.frames.Over(from(v.r)) {
		return elicense.E(elicense.TooMany, "打开得太频繁").Then("请过几分钟再试")
	}
	origin := v.r.Header.Get("Origin")
	if origin == s.PublicURL || v.r.Header.Get("Sec-Fetch-Site") == "same-origin" {
		origin = ""
	} else if origin == "" {
		origin = "null"
	}
	token, k, err := s.Cases.OpenFrame(v.r.Context(), system, origin, v.r.PostFormValue("ticket"))
	if err != nil {
		s.frames.Count(from(v.r))
		return err
	}
	http.SetCookie(v.w, &http.Cookie{
		Name: frameCookie, Value: token, Path: "/frame/" + v.r.PathValue("system") + "/" + string(k.ID), MaxAge: 3600,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteNoneMode, Partitioned: true,
	})
	return s.frameShow(v, system, token, k.ID)
}

const frameCookie = "frame"

// newFrames bounds the tickets an address may have refused.
func newFrames(now func() time.Time) *org.Limiter { return org.NewLimiter(now, 30, 10*time.Minute) }

// frameAgain shows the frame once more to a browser that keeps its cookie.
func (s *server) frameAgain(v *visit) error {
	system, err := v.framing()
	if err != nil {
		return err
	}
	token := ""
	if c, err := v.r.Cookie(frameCookie); err == nil {
		token = c.Value
	}
	if _, err := s.inFrame(v, system, token); err != nil {
		return err
	}
	return s.frameShow(v, system, token, elicense.CaseID(v.r.PathValue("case")))
}

// inFrame finds the frame of a token and makes sure it is of this address.
func (s *server) inFrame(v *visit, system *elicense.Actor, token string) (*cases.Frame, error) {
	f, err := s.Cases.Framed(v.r.Context(), token)
	if err != nil {
		return nil, err
	}
	if f.System != system.Account || string(f.Case) != v.r.PathValue("case") {
		return nil, elicense.E(elicense.Forbidden, "不能进入：这不是这个页面的办件").Under("第十三条第二款").Then("请在业务系统里重新打开这个办件")
	}
	return f, nil
}

// frameDo checks again, or reports a license missing.
func (s *server) frameDo(v *visit) error {
	system, err := v.framing()
	if err != nil {
		return err
	}
	token := v.r.PostFormValue("token")
	f, err := s.inFrame(v, system, token)
	if err != nil {
		return err
	}
	if v.r.PostFormValue("act") == "missing" {
		place, _ := strconv.Atoi(v.r.PostFormValue("place")) // what is no number is refused as no place
		if _, err := s.Sharing.Report(v.r.Context(), system, f.Case, sharing.Report{Kind: sharing.LicenseMissing, Place: place}); err != nil {
			v.refuse(err)
		}
	}
	return s.frameShow(v, system, token, f.Case)
}

func (s *server) frameShow(v *visit, system *elicense.Actor, token string, id elicense.CaseID) error {
	ctx := v.r.Context()
	f, err := s.Cases.Framed(ctx, token)
	if err != nil {
		return err
	}
	k, _, err := s.Cases.Get(ctx, system, id)
	if err != nil {
		return err
	}
	list, _, err := s.Sharing.Materials(ctx, system, id)
	if err != nil {
		return err
	}
	d := framePage{Case: k, System: v.r.PathValue("system"), Token: token, Officer: f.Officer, Checked: v.Now(), Over: !k.Open()}
	for i, st := range list {
		row := frameRow{MaterialState: st, N: i + 1}
		row.Report = st.Given == nil && st.Need == sharing.Missing && len(st.Licenses) == 0 && len(st.Material.Types) > 0
		if len(st.Licenses) > 0 {
			row.PartyName = partyName(k, st.Licenses[0].Party)
		}
		if st.Need == sharing.Have || st.Need == sharing.Look {
			d.Free++
		}
		d.Rows = append(d.Rows, row)
	}
	return v.render("frame", v.t("核对材料"), d)
}

func partyName(k *cases.Case, place int) string {
	i := slices.IndexFunc(k.Parties, func(p cases.Party) bool { return p.Place == place })
	if i < 0 {
		return ""
	}
	return k.Parties[i].Ref.Name
}

// frameLook opens what a license says, in a window of its own: a page that stands
// in another can be overlaid and made to be clicked.
func (s *server) frameLook(v *visit) error {
	system, err := v.framing()
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Security-Policy", policy)
	v.w.Header().Set("Cross-Origin-Opener-Policy", "same-origin")
	if dest := v.r.Header.Get("Sec-Fetch-Dest"); dest != "" && dest != "document" {
		return elicense.E(elicense.Forbidden, "证照内容不在嵌入的页面里显示").Under("第十三条第二款").Then("请在新窗口打开")
	}
	f, err := s.inFrame(v, system, v.r.PostFormValue("token"))
	if err != nil {
		return err
	}
	k, _, err := s.Cases.Get(v.r.Context(), system, f.Case)
	if err != nil {
		return err
	}
	res, err := s.Sharing.Use(v.r.Context(), system, f.Case, sharing.Use{
		Material: v.r.PostFormValue("material"), Party: -1, Act: sharing.Query, Officer: f.Officer, Reveal: v.r.PostForm["reveal"],
	})
	if err != nil {
		return err
	}
	d := frameLookPage{Case: k, Officer: f.Officer, Result: *res, PartyName: partyName(k, res.Party)}
	for _, l := range res.Labels {
		d.Lines = append(d.Lines, frameLine{l, res.Fields[l.Key], slices.Contains(res.Masked, l.Key)})
	}
	return v.render("framelook", res.TypeName, d)
}
