package stock_test

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/e2e/world"
	"elicense/issuance"
	"elicense/ofd"
	"elicense/sheet"
	"elicense/stock"
	"elicense/store"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// picture is a scan.
func picture(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, 40, 60))))
	return b.Bytes()
}

// paper is what a food license of 2017 says, with changes: f.key for fields.
func paper(issued elicense.Date, changes ...string) stock.Typed {
	p := stock.Typed{
		Holders: []elicense.HolderRef{world.Firm}, IssuedOn: issued,
		Fields: map[string]string{
			"holder_name": world.Firm.Name, "uscc": world.Firm.Code, "legal_rep": "陈示例", "items": "热食类食品制售", "license_no": "JY23501020000003", "valid_to": "2027-05-31",
		},
	}
	for i := 0; i+1 < len(changes); i += 2 {
		switch k, v := changes[i], changes[i+1]; k {
		case "closed":
			p.Closed = elicense.Date(v)
		default:
			p.Fields[k] = v
		}
	}
	return p
}

func enter(t testing.TB, w *world.World, origin issuance.Origin, p stock.Typed) *stock.Entry {
	t.Helper()
	e, err := w.Stock.Enter(t.Context(), w.Drafter, world.Type, origin, p, "旧证.png", picture(t))
	must(t, err)
	return e
}

// published approves the draft of an entry and waits for its license.
func published(t testing.TB, w *world.World, e *stock.Entry) *elicense.License {
	t.Helper()
	r, err := w.Issuer.Get(t.Context(), w.Reviewer, e.Draft)
	must(t, err)
	must(t, w.Issuer.Approve(t.Context(), w.Reviewer, e.Draft, r.Seq, ""))
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if r, err = w.Issuer.Get(t.Context(), w.Reviewer, e.Draft); err != nil {
			t.Fatal(err)
		}
		if r.State == issuance.Published {
			var lic *elicense.License
			must(t, w.DB.View(t.Context(), func(tx *store.Tx) error {
				lic, err = tx.License(r.License)
				return err
			}))
			return lic
		}
	}
	t.Fatalf("the draft is %s: %s", r.State, r.Trouble)
	return nil
}

func version(t testing.TB, w *world.World, lic *elicense.License) (v *elicense.Version) {
	t.Helper()
	must(t, w.DB.View(t.Context(), func(tx *store.Tx) (err error) {
		v, err = tx.Version(lic, 0)
		return err
	}))
	return v
}

// says tells whether the sealed face of a version says a text.
func says(t testing.TB, w *world.World, v *elicense.Version, text string) bool {
	t.Helper()
	data, err := w.DB.Files().Get(t.Context(), v.File, v.Digest)
	must(t, err)
	file, err := ofd.Open(data)
	must(t, err)
	pages, err := file.Pages()
	must(t, err)
	for i := range pages {
		for _, it := range pages[i].Sheet.Items {
			if x, ok := it.(*sheet.Text); ok && x.Text == text {
				return true
			}
		}
	}
	return false
}

// cardType is a license of persons.
func cardType() *catalog.Type {
	c := world.FoodType()
	c.Code, c.Name, c.Holders = card, "旧式从业资格证", catalog.Persons
	c.Fields = []catalog.Field{
		{Key: "name", Label: "姓名", Type: "string", Required: true, Class: access.Personal},
		{Key: "id_no", Label: "公民身份号码", Type: "idno", Required: true, Class: access.Personal},
		{Key: "cert_no", Label: "证书编号", Type: "string", Required: true, Class: access.Open},
	}
	c.Roles = catalog.Roles{HolderName: "name", HolderCode: "id_no", Number: "cert_no"}
	c.Face = catalog.DefaultFace(c.Name, c.Fields)
	c.Validity = catalog.Validity{Kind: "none", Text: "长期"}
	return c
}

const card elicense.TypeCode = "11350102FJDEM0275F002"

// TestStockIsEnteredTwice (Art. 8): what was issued before the Measures and is
// still valid is entered by two persons from the picture of the paper, made,
// reviewed and published; its face says what it is and when it was sealed.
func TestStockIsEnteredTwice(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		must(t, w.Stock.Plan(ctx, w.Drafter, world.Type, 120, "2026-12-31", "发证台账"))
		e := enter(t, w, issuance.Stock, paper("2017-06-01"))
		if _, err := w.Stock.Again(ctx, w.Both, e.ID, paper("2017-06-01")); !elicense.IsKind(err, elicense.Forbidden) {
			t.Errorf("the person who entered it first enters it again: %v", err)
		}
		e, err := w.Stock.Again(ctx, w.Reviewer, e.ID, paper("2017-06-01"))
		must(t, err)
		if e.State != stock.Made {
			t.Fatalf("two equal entries are %s, %v", e.State, e.Differ)
		}
		lic := published(t, w, e)
		v := version(t, w, lic)
		if note := "存量证照补录，" + elicense.DateOf(w.Clock.Now()).Chinese() + "签章"; !says(t, w, v, note) {
			t.Errorf("the face does not say %q", note)
		}
		if v.Made.Mode != "stock" || v.IssuedOn != "2017-06-01" {
			t.Errorf("made %q, issued on %s", v.Made.Mode, v.IssuedOn)
		}
		list, err := w.Stock.Programmes(ctx, w.Drafter)
		must(t, err)
		p := list[0]
		if p.Done != 1 || p.Rest() != 119 || p.Underway != 0 || len(p.Months) != 1 || p.Months[0].All != 1 {
			t.Errorf("the programme: %+v", p)
		}
	})
}

// TestOnlyValidPaperOfTheRightTime (Art. 8, 22): stock ends on 2017-07-07, later
// paper is made late and always counted late, what has expired is neither.
func TestOnlyValidPaperOfTheRightTime(t *testing.T) {
	w := world.OnSQLite(t)
	for _, c := range []struct {
		name   string
		origin issuance.Origin
		paper  stock.Typed
		field  string
		says   string
	}{
		{"stock of the day the Measures came into force", issuance.Stock, paper("2017-07-08"), "issuedOn", "不是存量证照"},
		{"late, of the day before", issuance.Late, paper("2017-07-07", "closed", "2017-07-07"), "issuedOn", "是存量证照"},
		{"expired", issuance.Stock, paper("2016-06-01", "valid_to", "2021-05-31"), "issuedOn", "已经过期"},
		{"late without the day of closing", issuance.Late, paper("2020-03-02"), "closed", "办结日期"},
		{"late and closed today", issuance.Late, paper("2026-03-09", "closed", string(elicense.DateOf(w.Clock.Now()))), "closed", "不是补生成"},
		{"of tomorrow", issuance.Late, paper("2027-01-01", "closed", "2020-01-01"), "issuedOn", "发证日期"},
		{"neither", issuance.Fresh, paper("2017-06-01"), "origin", "存量证照还是补生成"},
	} {
		_, err := w.Stock.Enter(t.Context(), w.Drafter, world.Type, c.origin, c.paper, "旧证.png", picture(t))
		var e *elicense.Error
		if !errors.As(err, &e) || e.Kind != elicense.Invalid || e.Field != c.field || !strings.Contains(e.Message(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	late := enter(t, w, issuance.Late, paper("2020-03-02", "closed", "2020-03-02", "valid_to", "2027-03-01"))
	late, err := w.Stock.Again(t.Context(), w.Reviewer, late.ID, paper("2020-03-02", "closed", "2020-03-02", "valid_to", "2027-03-01"))
	must(t, err)
	published(t, w, late)
	r, err := w.Issuer.Get(t.Context(), w.Reviewer, late.Draft)
	must(t, err)
	if isLate, _ := r.Delay(); !isLate || !r.Due.Equal(elicense.Date("2020-03-02").End()) || r.Origin != issuance.Late {
		t.Errorf("made late: due %s, late %t, origin %q", r.Due, isLate, r.Origin)
	}
}

// TestEntriesThatDifferAreSettled (Art. 8): each difference is named, and settled by
// a look at the picture.
func TestEntriesThatDifferAreSettled(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		e := enter(t, w, issuance.Stock, paper("2017-06-01", "items", "冷食类食品制售"))
		second := paper("2017-06-02", "license_no", "JY23501020000011")
		e, err := w.Stock.Again(ctx, w.Reviewer, e.ID, second)
		must(t, err)
		if want := []string{"issuedOn", "f.items", "f.license_no"}; e.State != stock.Differs || !slices.Equal(e.Differ, want) {
			t.Fatalf("%s, %v, want %v", e.State, e.Differ, want)
		}
		if _, err := w.Stock.Again(ctx, w.Reviewer, e.ID, second); !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("a third entry: %v", err)
		}
		e, err = w.Stock.Settle(ctx, w.Drafter, e.ID, map[string]bool{"f.items": true})
		must(t, err)
		r, err := w.Issuer.Get(ctx, w.Reviewer, e.Draft)
		must(t, err)
		want := paper("2017-06-01").Fields
		want["issue_date"] = "2017-06-01"
		got := maps.Clone(r.Fields)
		maps.DeleteFunc(got, func(k, _ string) bool { _, known := want[k]; return !known })
		if r.IssuedOn != "2017-06-01" || got["items"] != "热食类食品制售" || got["license_no"] != want["license_no"] {
			t.Errorf("settled as %s %v", r.IssuedOn, r.Fields)
		}
	})
}

// TestAShortIdentityNumberStaysOnTheFace (Art. 8): paper from before 2013 may show
// 15 digits; the holder is found by 18.
func TestAShortIdentityNumberStaysOnTheFace(t *testing.T) {
	w := world.OnSQLite(t)
	long, ok := elicense.Upgrade15("350100850612011")
	if !ok || string(long) != world.Person.Code {
		t.Fatalf("350100850612011 became %s, %t", long, ok)
	}
	must(t, w.Catalog.Propose(t.Context(), w.Drafter, cardType()))
	must(t, w.Catalog.Decide(t.Context(), w.Admin, card, 1, true, ""))
	p := stock.Typed{
		Holders:  []elicense.HolderRef{{CodeType: elicense.CodeCitizen, Code: "350100850612011", Name: world.Person.Name}},
		IssuedOn: "2012-03-01", Fields: map[string]string{"name": world.Person.Name, "id_no": "350100850612011", "cert_no": "旧字第7号"},
	}
	e, err := w.Stock.Enter(t.Context(), w.Drafter, card, issuance.Stock, p, "", picture(t))
	must(t, err)
	e, err = w.Stock.Again(t.Context(), w.Reviewer, e.ID, p)
	must(t, err)
	lic := published(t, w, e)
	v := version(t, w, lic)
	if v.Fields["id_no"] != "350100850612011" || v.Holders[0].Code != world.Person.Code {
		t.Errorf("the face shows %s, the holder is %s", v.Fields["id_no"], v.Holders[0].Code)
	}
}

// TestASampleIsHeldAgainstThePictures (Art. 8): drawn at random, looked at by
// another than who entered it, counted.
func TestASampleIsHeldAgainstThePictures(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		must(t, w.Stock.Plan(ctx, w.Drafter, world.Type, 10, "2026-12-31", "发证台账"))
		e := enter(t, w, issuance.Stock, paper("2017-06-01"))
		e, err := w.Stock.Again(ctx, w.Reviewer, e.ID, paper("2017-06-01"))
		must(t, err)
		published(t, w, e)
		n, err := w.Stock.Draw(ctx, w.Reviewer, world.Type)
		if err != nil || n != 1 {
			t.Fatalf("%d drawn, %v", n, err)
		}
		if n, err = w.Stock.Draw(ctx, w.Reviewer, world.Type); err != nil || n != 0 {
			t.Errorf("drawn again: %d, %v", n, err)
		}
		if err := w.Stock.Judge(ctx, w.Reviewer, e.Draft, false, ""); !elicense.IsKind(err, elicense.Invalid) {
			t.Errorf("wrong without a remark: %v", err)
		}
		if err := w.Stock.Judge(ctx, w.Both, e.Draft, true, ""); !elicense.IsKind(err, elicense.Forbidden) {
			t.Errorf("who entered it judges it: %v", err)
		}
		must(t, w.Stock.Judge(ctx, w.Reviewer, e.Draft, false, "经营项目漏了一项"))
		list, err := w.Stock.Programmes(ctx, w.Reviewer)
		must(t, err)
		if p := list[0]; p.Drawn != 1 || p.Seen != 1 || p.Wrong != 1 || p.ErrorRate() != 1000 {
			t.Errorf("%+v", p)
		}
	})
}

// TestAFaceIsSealedOnTheDayItSays: approved, but not sealed before midnight, it is
// reviewed again.
func TestAFaceIsSealedOnTheDayItSays(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	e := enter(t, w, issuance.Stock, paper("2017-06-01"))
	e, err := w.Stock.Again(ctx, w.Reviewer, e.ID, paper("2017-06-01"))
	must(t, err)
	r, err := w.Issuer.Get(ctx, w.Reviewer, e.Draft)
	must(t, err)
	w.Registry.Meanwhile = func() { w.Clock.Move(24 * time.Hour) } // midnight, after the face was laid out
	must(t, w.Issuer.Approve(ctx, w.Reviewer, e.Draft, r.Seq, ""))
	w.Registry.Meanwhile = nil
	for until := time.Now().Add(time.Minute); r.State != issuance.InReview || r.Trouble == ""; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("the draft is %s", r.State)
		}
		r, err = w.Issuer.Get(ctx, w.Reviewer, e.Draft)
		must(t, err)
	}
	published(t, w, e)
}

// A changed row is found by the check of everything.
func TestFsckSeesTheStock(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	must(t, w.Stock.Plan(ctx, w.Drafter, world.Type, 10, "2026-12-31", "发证台账"))
	e := enter(t, w, issuance.Stock, paper("2017-06-01"))
	w.Fsck(t)
	for _, c := range []struct{ change, undo string }{
		{`UPDATE stock_entry SET origin = 'late'`, `UPDATE stock_entry SET origin = 'stock'`},
		{`UPDATE stock_programme SET estimated = 11`, `UPDATE stock_programme SET estimated = 10`},
	} {
		exec := func(q string) {
			must(t, w.DB.Update(ctx, func(tx *store.Tx) error { _, err := tx.Exec(q); return err }))
		}
		exec(c.change)
		if found := w.Findings(t); len(found) == 0 || found[0].Kind != "stock" {
			t.Errorf("%s of %s: %v", c.change, e.ID, found)
		}
		exec(c.undo)
	}
	w.Fsck(t)
}
