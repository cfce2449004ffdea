package web

import (
	"strings"

	"elicense/cases"
)

func (s *server) systems(v *visit) error {
	list, err := s.Cases.Systems(v.r.Context(), v.who)
	if err != nil {
		return err
	}
	return v.render("systems", v.t("业务系统"), struct {
		List   []cases.System
		Opened string // the system whose form was just sent
	}{list, v.r.PathValue("login")})
}

// systemKeep registers or ends a key or an origin of a business system.
func (s *server) systemKeep(v *visit) error {
	ctx, login := v.r.Context(), v.r.PathValue("login")
	var err error
	switch v.Posted("do") {
	case "key":
		err = s.Cases.PutSystemKey(ctx, v.who, login, strings.TrimSpace(v.Posted("keyId")), []byte(strings.TrimSpace(v.Posted("key"))+"\n"), false)
	case "key-end":
		err = s.Cases.PutSystemKey(ctx, v.who, login, v.Posted("keyId"), nil, true)
	case "origin":
		err = s.Cases.PutSystemOrigin(ctx, v.who, login, v.Posted("origin"), false)
	case "origin-end":
		err = s.Cases.PutSystemOrigin(ctx, v.who, login, v.Posted("origin"), true)
	default:
		return errNoPage()
	}
	if err != nil {
		return v.again(err, func() error { return s.systems(v) })
	}
	return v.goTo("/admin/systems?said=system")
}
