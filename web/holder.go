package web

import (
	"html/template"
	"time"

	"elicense"
	"elicense/notice"
	"elicense/sharing"
)

type folderPage struct {
	Current, Ended []sharing.Owned
	Soon           []sharing.Owned
	Unseen         int
}

func (s *server) folder(v *visit) error {
	list, err := s.Sharing.Folder(v.r.Context(), v.who)
	if err != nil {
		return err
	}
	var d folderPage
	for _, o := range list {
		switch o.Status {
		case elicense.StatusExpired, elicense.StatusRevoked, elicense.StatusCancelled, elicense.StatusAbolished:
			d.Ended = append(d.Ended, o)
			continue
		case elicense.StatusExpiring:
			d.Soon = append(d.Soon, o)
		}
		d.Current = append(d.Current, o)
	}
	if d.Unseen, err = s.Notices.Unseen(v.r.Context(), v.who); err != nil {
		return err
	}
	return v.render("folder", v.t("我的卡包"), d)
}

type ownPage struct {
	*licensePage
	QR     template.HTML
	Days   int // to the end, if it is near
	Uses   []sharing.Usage
	Shared int
}

// recentUses is how many uses stand on the license's own page.
const (
	recentUses = 3
	usesLimit  = 200
)

func (s *server) ownLicense(v *visit) error {
	o, err := s.Sharing.Own(v.r.Context(), v.who, elicense.LicenseID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	l, err := s.licenseOf(v, o, false)
	if err != nil {
		return err
	}
	if o.License.Reference {
		if l.Kept, err = s.References.Own(v.r.Context(), v.who, o.ID); err != nil {
			return err
		}
	}
	d := ownPage{licensePage: l}
	if d.QR, err = qrPicture(s.PublicURL+"/check/"+string(o.Version.Code), v.t("查验二维码")); err != nil {
		return err
	}
	if o.Status == elicense.StatusExpiring {
		d.Days = int(o.License.ValidTo.End().Sub(v.Now()).Hours() / 24)
	}
	uses, err := s.Sharing.Uses(v.r.Context(), v.who, o.ID, usesLimit)
	if err != nil {
		return err
	}
	if err := s.Delivery.Opened(v.r.Context(), v.who, o.ID); err != nil {
		return err
	}
	d.Shared = len(uses)
	d.Uses = uses[:min(len(uses), recentUses)]
	return v.render("license", o.License.TypeName, d)
}

func (s *server) ownFace(v *visit) error {
	svgs, err := s.Sharing.Picture(v.r.Context(), v.who, elicense.LicenseID(v.r.PathValue("id")), false)
	return pageOf(v, svgs, err)
}

type usesPage struct {
	License elicense.LicenseID
	List    []sharing.Usage
	At      time.Time
}

func (s *server) ownUses(v *visit) error {
	id := elicense.LicenseID(v.r.PathValue("id"))
	list, err := s.Sharing.Uses(v.r.Context(), v.who, id, usesLimit)
	if err != nil {
		return err
	}
	return v.render("uses", v.t("谁用过"), usesPage{id, list, v.Now()})
}

type noticeRow struct {
	*notice.Notice
	Say string
}

func (s *server) notices(v *visit) error {
	list, err := s.Notices.List(v.r.Context(), v.who, queueLimit)
	if err != nil {
		return err
	}
	var rows []noticeRow
	for _, n := range list {
		args := make([]any, len(n.Args))
		for i, a := range n.Args {
			args[i] = a
		}
		rows = append(rows, noticeRow{n, v.t(n.Text, args...)})
	}
	if err := s.Notices.Seen(v.r.Context(), v.who); err != nil {
		return err
	}
	return v.render("notices", v.t("消息"), rows)
}
