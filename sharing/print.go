package sharing

import (
	"context"
	"strings"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/document"
	"elicense/gm"
	"elicense/store"
)

// Printing is what copies on paper need. Without it none are made.
type Printing struct {
	Maker *document.Maker
	// Printer returns the key the statements of prints are signed with.
	Printer func(context.Context) (gm.Signer, *gm.Certificate, error)
	// CheckPage is the address of the check page, which a print's QR code leads to.
	CheckPage string
}

const maxPurpose = 60 // characters

func (s *Sharing) canPrint() error {
	if s.Printing == nil || s.Printing.Maker == nil {
		return elicense.E(elicense.Unavailable, "字体缺失：这台机器没有中文字体，不能打印证照").Then("请下载OFD文件，在别的电脑上打印")
	}
	return nil
}

// PDF returns a license's pages as PDF, marked 非签章件，以OFD为准, to its holder or,
// issued being set, to its issuing unit.
//
// Errors: those of File; Unavailable without fonts.
func (s *Sharing) PDF(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID, issued bool) ([]byte, string, error) {
	if err := s.canPrint(); err != nil {
		return nil, "", err
	}
	file, name, err := s.File(ctx, actor, id, issued)
	if err != nil {
		return nil, "", err
	}
	c, err := s.Printing.Maker.Draw(file)
	if err != nil {
		return nil, "", err
	}
	pdf, err := c.PDF()
	return pdf, strings.TrimSuffix(name, ".ofd") + ".pdf", err
}

// Print returns the print form of a license (Art. 15): a PDF whose pages say that
// they are a print of an electronic license, when, by whom and what for, with a
// signed statement of the license's state and of what its face says in a QR code.
//
// Errors: those of File; Invalid for a purpose that is too long; Unavailable
// without fonts.
func (s *Sharing) Print(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID, issued bool, purpose string) ([]byte, string, error) {
	build := OwnRequest(actor, id)
	if issued {
		build = IssuedRequest(actor, id)
	}
	return s.PrintUnder(ctx, actor, id, build, purpose)
}

// PrintUnder is Print for whom the law permits what build asks.
func (s *Sharing) PrintUnder(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID, build func(*store.Tx) (access.Request, error), purpose string) ([]byte, string, error) {
	if err := s.canPrint(); err != nil {
		return nil, "", err
	}
	if purpose = strings.TrimSpace(purpose); utf8.RuneCountInString(purpose) > maxPurpose {
		return nil, "", elicense.E(elicense.Invalid, "用途最多%d个字", maxPurpose).At("purpose").Under("第十五条")
	}
	file, name, err := s.fileUnder(ctx, id, build)
	if err != nil {
		return nil, "", err
	}
	type printed struct {
		identifier elicense.Identifier
		status     elicense.Status
	}
	now := s.now()
	p, _, err := access.Get(ctx, s.guard, build, func(tx *store.Tx, permit *access.Permit) (printed, error) {
		permit.Note.Detail, permit.Note.Purpose = map[string]string{"act": "print"}, purpose
		lic, err := tx.License(id)
		if err != nil {
			return printed{}, err
		}
		v, err := tx.Version(lic, 0)
		if err != nil {
			return printed{}, err
		}
		return printed{v.Identifier, lic.StatusAt(now)}, nil
	})
	if err != nil {
		return nil, "", err
	}
	c, err := s.Printing.Maker.Draw(file)
	if err != nil {
		return nil, "", err
	}
	form := document.Print{Identifier: string(p.identifier), Printed: now, By: actor.Name, Purpose: purpose}
	if form.QR, err = s.statement(ctx, file, form, p.status.Chinese()); err != nil {
		return nil, "", err
	}
	pdf, err := c.Print(form)
	return pdf, strings.TrimSuffix(name, ".ofd") + "-print.pdf", err
}

// statement signs what a print says, as the text of its QR code.
func (s *Sharing) statement(ctx context.Context, file []byte, p document.Print, status string) (string, error) {
	key, cert, err := s.Printing.Printer(ctx)
	if elicense.IsKind(err, elicense.NotFound) {
		return "", nil // a platform without an authority prints without statements
	}
	if err != nil {
		return "", err
	}
	fields, err := document.Fields(file)
	if err != nil {
		return "", err
	}
	values := make([]string, len(fields))
	for i, f := range fields {
		values[i] = f.Value
	}
	signed, err := document.NewStatement(p.Identifier, status, p.Printed, values, cert).Sign(key)
	if err != nil {
		return "", err
	}
	return document.StatementURL(s.Printing.CheckPage, signed), nil
}
