package web

import (
	"net/http"
	"net/url"
	"time"
)

// keptForm is the hidden input that names a long form: its text is kept while it
// is typed, on every refusal, and when the session has run out.
const keptForm = "form"

// keepTyped keeps a long form while it is being filled in; the page's script
// sends it.
func (s *server) keepTyped(v *visit) error {
	form := v.r.PostFormValue(keptForm)
	if form == "" || !v.SignedIn() {
		v.w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	if err := s.Typed.Save(v.r.Context(), v.who, short(form), v.r.PostForm); err != nil {
		return err
	}
	v.w.WriteHeader(http.StatusNoContent)
	return nil
}

// typed is the text of a form: what was just sent, else what was kept.
type typed struct {
	url.Values
	Kept time.Time // zero: nothing was kept
}

// typedInto returns the text of a form that is shown anew or again.
func (v *visit) typedInto(form string) (typed, error) {
	if v.r.Method == http.MethodPost {
		return typed{Values: v.r.PostForm}, nil
	}
	values, at, err := v.Typed.Kept(v.r.Context(), v.who, short(form))
	if values == nil {
		values = map[string][]string{}
	}
	return typed{values, at}, err
}

// Or returns the value of a field, or what it starts with.
func (t typed) Or(name, start string) string {
	if t.Has(name) {
		return t.Get(name)
	}
	return start
}

// refusedForm keeps what was sent into a long form and shows it again.
func (v *visit) refusedForm(err error, form string, page func() error) error {
	if kerr := v.Typed.Save(v.r.Context(), v.who, short(form), v.r.PostForm); kerr != nil {
		v.Log.ErrorContext(v.r.Context(), "typed text not kept", "request", v.request, "err", kerr)
	}
	return v.again(err, page)
}
