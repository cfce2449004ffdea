package web

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"elicense"
	"elicense/catalog"
	"elicense/offline"
)

// kitTypes are the types a unit may take along in a kit, with how they are made.
type kitType struct {
	*catalog.Type
	Online bool // only while the system has failed
}

// packagePattern is the route that takes a package.
const packagePattern = "POST /issue/kits/packages"

type kitsPage struct {
	List    []kitRow
	Types   []kitType
	Chosen  map[elicense.TypeCode]bool
	Offline bool // a type of the unit is made offline as a rule
	Most    int
}

type kitRow struct {
	*offline.Listed
	Standing offline.State
}

func (s *server) kits(v *visit) error {
	d := kitsPage{Most: offline.MaxNumbers, Chosen: map[elicense.TypeCode]bool{}}
	list, err := s.Kits.All(v.r.Context(), v.who, queueLimit)
	if err != nil {
		return err
	}
	for _, l := range list {
		d.List = append(d.List, kitRow{l, l.Standing(v.Now())})
	}
	made, err := s.Catalog.MadeBy(v.r.Context(), v.who.Unit)
	if err != nil {
		return err
	}
	for _, t := range made {
		d.Types = append(d.Types, kitType{t, t.Mode != catalog.Offline})
		d.Offline = d.Offline || t.Mode == catalog.Offline
	}
	for _, code := range v.r.PostForm["types"] {
		d.Chosen[elicense.TypeCode(code)] = true
	}
	if len(d.Types) == 1 {
		d.Chosen[d.Types[0].Code] = true
	}
	return v.render("kits", v.t("离线制证"), d)
}

func (s *server) kitOrder(v *visit) error {
	again := func(err error) error { return v.again(err, func() error { return s.kits(v) }) }
	o := offline.Order{Ground: offline.Ground(v.Posted("ground")), Reason: v.Posted("reason"), Proof: v.Posted("proof"), PIN: v.Posted("pin")}
	for _, code := range v.r.PostForm["types"] {
		o.Types = append(o.Types, elicense.TypeCode(code))
	}
	o.Hours, _ = strconv.Atoi(v.Posted("hours"))
	o.Size, _ = strconv.Atoi(v.Posted("size"))
	if at := v.Posted("start"); at != "" {
		var err error
		if o.Start, err = time.ParseInLocation(localTime, at, elicense.Shanghai); err != nil {
			return again(elicense.E(elicense.Invalid, "启用时间看不懂").At("start").Because(err))
		}
	}
	if v.Posted("pin") != v.Posted("pin2") {
		return again(elicense.E(elicense.Invalid, "两次输入的口令不一样").At("pin"))
	}
	var err error
	if o.ProofFile, err = sent(v.r, "proofFile", elicense.MaxUpload); err != nil {
		return again(err)
	}
	o.ProofName = fileName(v.r, "proofFile")
	l, err := s.Kits.Order(v.r.Context(), v.who, o)
	if err != nil {
		return again(err)
	}
	return v.goTo("/issue/kits/" + l.ID + "?said=kit")
}

// kitProof answers with the proof of the failure a kit was taken for, to its unit or,
// at the administration's desk, to supervision.
func (s *server) kitProof(v *visit) error {
	kind, data, err := s.Kits.Proof(v.r.Context(), v.who, v.r.PathValue("id"), v.desk == admin)
	if err != nil {
		return err
	}
	return v.upload("proof.pdf", kind, data)
}

type overseenPage struct {
	*offline.Province
	Late   bool
	Before string
}

// kitsOverseen is every unit's kits, for who oversees them.
func (s *server) kitsOverseen(v *visit) error {
	d := overseenPage{Late: v.Query("list") == "overdue", Before: v.Query("before")}
	var err error
	if d.Province, err = s.Kits.Oversee(v.r.Context(), v.who, d.Late, d.Before); err != nil {
		return err
	}
	return v.render("kitsall", v.t("各单位的离线工具包"), d)
}

type kitPage struct {
	*offline.Details
	Mine    bool // who ordered it does not confirm it
	Waiting bool // a package is being taken in
	Live    bool // its file can be fetched
}

func (s *server) kit(v *visit) error {
	d, err := s.Kits.Get(v.r.Context(), v.who, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	p := kitPage{Details: d, Mine: d.Drafter == v.who.Person, Live: d.Standing == offline.Ready || d.Standing == offline.InUse}
	for _, x := range d.Packages {
		p.Waiting = p.Waiting || x.State == offline.PackWaiting
	}
	return v.render("kit", v.t("离线工具包"), p)
}

func (s *server) kitConfirm(v *visit) error {
	id := v.r.PathValue("id")
	again := func(err error) error { return v.again(err, func() error { return s.kit(v) }) }
	if v.Posted("pin") != v.Posted("pin2") {
		return again(elicense.E(elicense.Invalid, "两次输入的口令不一样").At("pin"))
	}
	if _, err := s.Kits.Confirm(v.r.Context(), v.who, id, v.Posted("pin")); err != nil {
		return again(err)
	}
	return v.goTo("/issue/kits/" + id + "?said=kit-confirmed")
}

func (s *server) kitCancel(v *visit) error {
	id := v.r.PathValue("id")
	if err := s.Kits.Cancel(v.r.Context(), v.who, id, v.Posted("lost") == "yes", v.Posted("reason")); err != nil {
		return v.again(err, func() error { return s.kit(v) })
	}
	return v.goTo("/issue/kits/" + id + "?said=kit-cancelled")
}

func (s *server) kitFile(v *visit) error {
	id := v.r.PathValue("id")
	// The first byte is written when the law has permitted it.
	w := &late{ResponseWriter: v.w, name: "kit-" + id + ".zip"}
	return s.Kits.File(v.r.Context(), v.who, id, v.Query("fonts") != "no", w)
}

// late sets the head of a file's answer when its first bytes come.
type late struct {
	http.ResponseWriter
	name  string
	begun bool
}

func (l *late) Write(b []byte) (int, error) {
	if !l.begun {
		l.begun = true
		l.Header().Set("Content-Type", "application/zip")
		l.Header().Set("Content-Disposition", `attachment; filename="`+l.name+`"`)
	}
	return l.ResponseWriter.Write(b)
}

func (s *server) kitImport(v *visit) error {
	again := func(err error) error { return v.again(err, func() error { return s.kits(v) }) }
	f, _, err := v.r.FormFile("package")
	if err != nil {
		return again(elicense.E(elicense.Invalid, "要选择文件").At("package").Because(err))
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return again(elicense.E(elicense.Invalid, "没有收下：发来的内容不完整").At("package").Because(err))
	}
	p, err := s.Kits.Import(v.r.Context(), v.who, b, v.Posted("reason"))
	if err != nil {
		return again(err)
	}
	said := "kit-package"
	if p.Again > 0 {
		said = "kit-again"
	}
	return v.goTo("/issue/kits/" + p.Kit + "?said=" + said)
}
