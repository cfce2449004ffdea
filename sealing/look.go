package sealing

import (
	"context"
	"fmt"
	"time"

	"elicense/gm"
	"elicense/seal"
	"elicense/store"
)

// Picture draws a seal as SVG; nil before it was made.
func (s *Seal) Picture() ([]byte, error) {
	if len(s.Content) == 0 {
		return nil, nil
	}
	made, err := seal.Parse(s.Content)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", s.ID, err)
	}
	page, err := made.Sheet()
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", s.ID, err)
	}
	return page.SVG(), nil
}

// Certified is what a certificate says, for people.
type Certified struct {
	Subject, Serial string
	From, To        time.Time
}

// Certified tells what the seal's certificate says; nil before there is one.
func (s *Seal) Certified() (*Certified, error) {
	if len(s.Cert) == 0 {
		return nil, nil
	}
	c, err := gm.ParseCertificate(s.Cert)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", s.ID, err)
	}
	return certified(c), nil
}

func certified(c *gm.Certificate) *Certified {
	from, to := c.Validity()
	return &Certified{c.Subject(), c.Serial(), from, to}
}

// Root returns the root certificate of the platform's own authority as PEM.
//
// Errors: NotFound without an authority of its own.
func (r *Register) Root(ctx context.Context) (pem []byte, err error) {
	err = r.DB.View(ctx, func(tx *store.Tx) error {
		c, err := certificate(tx, rootName)
		if err == nil {
			pem = c.PEM()
		}
		return err
	})
	return pem, err
}
