package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"elicense"
	"elicense/org"
	"elicense/sealing"
)

type sealRow struct {
	*sealing.Seal
	UnitName string
	Days     int
}

type sealsPage struct {
	List  []sealRow
	Items []*sealing.Item
	Units []*org.Unit
	In    url.Values
}

// sealsOf lists the register, of one unit if it is given.
func (s *server) sealsOf(v *visit, unit elicense.UnitCode) (*sealsPage, error) {
	list, err := s.Seals.All(v.r.Context(), unit)
	if err != nil {
		return nil, err
	}
	names, units, err := s.unitNames(v)
	if err != nil {
		return nil, err
	}
	d := &sealsPage{Units: units, In: v.r.PostForm}
	for _, x := range list {
		d.List = append(d.List, sealRow{x, names[x.Unit], int(x.ValidTo.Sub(v.Now()).Hours() / 24)})
	}
	// What waits for the administration comes first, then what ends first.
	rank := map[sealing.State]int{sealing.Applied: 0, sealing.Made: 1, sealing.Filed: 2, sealing.Enabled: 3, sealing.Disabled: 4, sealing.Refused: 5, sealing.Cancelled: 6}
	slices.SortStableFunc(d.List, func(a, b sealRow) int {
		if n := rank[a.State] - rank[b.State]; n != 0 {
			return n
		}
		return a.ValidTo.Compare(b.ValidTo)
	})
	return d, nil
}

func (s *server) seals(v *visit) error {
	d, err := s.sealsOf(v, "")
	if err != nil {
		return err
	}
	return v.render("seals", v.t("电子印章"), d)
}

func (s *server) sealImport(v *visit) error {
	file, err := sent(v.r, "file", sealing.MaxImport)
	if err != nil {
		return err
	}
	made, err := s.Seals.Import(v.r.Context(), v.who, elicense.UnitCode(v.r.PostFormValue("unit")), file, strings.TrimSpace(v.r.PostFormValue("key")))
	if err != nil {
		return v.again(err, func() error { return s.seals(v) })
	}
	return v.goTo("/admin/seals/" + string(made.ID))
}

// trust shows what seals and signers are judged by.
func (s *server) trust(v *visit) (err error) {
	d := &sealsPage{In: v.r.PostForm}
	if d.Items, err = s.Seals.Items(v.r.Context()); err != nil {
		return err
	}
	return v.render("trust", v.t("信任的证书"), d)
}

func (s *server) trustImport(v *visit) error {
	file, err := sent(v.r, "file", sealing.MaxImport)
	if err != nil {
		return err
	}
	if _, err = s.Seals.ImportTrust(v.r.Context(), v.who, v.r.PostFormValue("kind"), file); err != nil {
		return v.again(err, func() error { return s.trust(v) })
	}
	return v.goTo("/admin/seals/trust")
}

type sealPage struct {
	*sealing.Details
	UnitName string
	Cert     *sealing.Certified
	Steps    []sealStep // the states it may be moved to here
	Remark   string
	KeyName  string
}

type sealStep struct {
	To       sealing.State
	Do       string // the button
	End, Why bool   // it ends something; it asks for a reason
}

var sealSteps = []sealStep{
	{To: sealing.Made, Do: "制作印章"}, {To: sealing.Filed, Do: "备案"}, {To: sealing.Enabled, Do: "启用"},
	{To: sealing.Refused, Do: "不同意制作", Why: true}, {To: sealing.Disabled, Do: "停用", Why: true}, {To: sealing.Cancelled, Do: "注销", End: true, Why: true},
}

// sealOne shows a seal: at the administration with all steps, at its own unit with
// those that stop it.
func (s *server) sealOne(v *visit) error {
	x, err := s.Seals.Details(v.r.Context(), v.who, elicense.SealID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	names, _, err := s.unitNames(v)
	if err != nil {
		return err
	}
	d := sealPage{Details: x, UnitName: names[x.Unit], Remark: v.r.PostFormValue("remark"), KeyName: sealing.KeyName(x.ID)}
	if d.Cert, err = x.Certified(); err != nil {
		return err
	}
	for _, step := range sealSteps {
		stops := step.To == sealing.Disabled || step.To == sealing.Cancelled
		if slices.Contains(x.State.Next(), step.To) && (v.who.Has(elicense.DutySeals) || stops && v.who.Has(elicense.DutyReview)) {
			d.Steps = append(d.Steps, step)
		}
	}
	return v.render("seal", v.t("电子印章：%s", x.Name), d)
}

func (s *server) sealMove(v *visit) error {
	id, to := elicense.SealID(v.r.PathValue("id")), sealing.State(v.r.PostFormValue("to"))
	var err error
	if to == sealing.Made {
		err = s.Seals.Make(v.r.Context(), v.who, id)
	} else {
		err = s.Seals.Move(v.r.Context(), v.who, id, to, v.r.PostFormValue("remark"))
	}
	if err != nil {
		return v.again(err, func() error { return s.sealOne(v) })
	}
	return v.goTo(v.r.URL.Path)
}

func (s *server) sealPicture(v *visit) error {
	x, err := s.Seals.Details(v.r.Context(), v.who, elicense.SealID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	b, err := x.Picture()
	if err == nil && b == nil {
		return errNoPage()
	}
	if err != nil {
		return err
	}
	return v.svg(b)
}

func (s *server) ownSeals(v *visit) error {
	d, err := s.sealsOf(v, v.who.Unit)
	if err != nil {
		return err
	}
	return v.render("ownseals", v.t("本单位印章"), d)
}

func (s *server) sealApply(v *visit) error {
	x, err := s.Seals.Apply(v.r.Context(), v.who, sealing.Application{Name: v.r.PostFormValue("name"), Line: v.r.PostFormValue("line")})
	if err != nil {
		return v.again(err, func() error { return s.ownSeals(v) })
	}
	return v.goTo("/issue/seals/" + string(x.ID))
}

func (s *server) sealRequest(v *visit) error {
	b, err := s.Seals.Request(v.r.Context(), v.who, elicense.SealID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	return v.file("seal-request.pem", "application/x-pem-file", b)
}

// authorityRoot and authorityList are what others judge the platform's own
// authority by.
func (s *server) authorityRoot(v *visit) error {
	b, err := s.Seals.Root(v.r.Context())
	if err != nil {
		return err
	}
	return v.file("root.pem", "application/x-pem-file", b)
}

func (s *server) authorityList(v *visit) error {
	l, err := s.Seals.List(v.r.Context())
	if err != nil {
		return err
	}
	return v.file("list.crl", "application/pkix-crl", l.DER)
}

// perMinute is how often an address may ask the authority for a signature.
const perMinute = 60

// limited answers an address at most perMinute times in a minute.
func (s *server) limited(next http.Handler) http.Handler {
	const most = 10_000 // addresses remembered
	var mu sync.Mutex
	var minute time.Time
	asked := map[string]int{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		if now := s.Now().Truncate(time.Minute); !now.Equal(minute) || len(asked) >= most {
			minute, asked = now, map[string]int{}
		}
		asked[from(r)]++
		tooMany := asked[from(r)] > perMinute
		mu.Unlock()
		if tooMany {
			w.Header().Set("Retry-After", "60")
			http.Error(w, "too many requests", http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}
