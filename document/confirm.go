package document

import (
	"fmt"

	"elicense/gm"
	"elicense/ofd"
	"elicense/seal"
)

// Countersign has a time authority confirm when the seal of a license file that
// was made without one was there. The token is kept; Confirm puts it in the file.
// Errors wrap those of packages ofd and seal.
func Countersign(file []byte, stamper gm.TimeStamper) (token []byte, err error) {
	f, err := ofd.Open(file)
	if err != nil {
		return nil, fmt.Errorf("countersign: %w", err)
	}
	return seal.Countersign(f, stamper)
}

// Confirm returns the file with a token Countersign made of it: what was sealed is
// as it was, and the time of the seal can be proven without the platform.
func Confirm(file, token []byte) ([]byte, error) {
	f, err := ofd.Open(file)
	if err != nil {
		return nil, fmt.Errorf("confirm: %w", err)
	}
	return seal.Confirm(f, token)
}
