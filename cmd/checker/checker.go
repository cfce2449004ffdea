// Command checker is package document for browsers: it judges and draws license
// files on the public check page, so that a file never leaves the visitor's
// machine. Built with GOOS=js GOARCH=wasm it gives a worker an object "checker"
// with the functions of this file; see scripts/checker.sh and web/assets/check.js.
//
// Every function answers with JSON text and never fails: what can't be read is an
// answer too, and a panic is one that never says "genuine".
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"elicense/document"
	"elicense/gm"
	"elicense/ofd"
	"elicense/seal"
)

// trust is what files and prints are judged by, as the page loaded it.
type trust struct {
	Roots         []string `json:"roots"`         // PEM
	Intermediates []string `json:"intermediates"` // PEM
	Lists         []string `json:"lists"`         // PEM
	Printers      []string `json:"printers"`      // PEM
}

// judged is a report with what a copy for one use says of itself.
type judged struct {
	document.Report
	Copy *copied `json:"copy,omitempty"`
}

// copied is the note of a copy for one use, and whether its term is over now.
type copied struct {
	Purpose string    `json:"purpose"`
	Maker   string    `json:"maker"`
	Made    time.Time `json:"made,omitzero"`
	Until   time.Time `json:"until,omitzero"`
	Expired bool      `json:"expired"`
}

// stated is a print's statement that was signed by the platform.
type stated struct {
	Identifier string    `json:"identifier"`
	Status     string    `json:"status"`
	Printed    time.Time `json:"printed"`
	Values     int       `json:"values"` // that have a mark
}

// The reasons why a print's text is no statement to rely on.
const (
	notAStatement = "not-a-statement"
	notSignedHere = "not-signed"
)

type failed struct {
	Error string `json:"error"`
}

// checker answers for one file or one print after the other; statement is the
// last one read.
type checker struct{ statement *document.Statement }

// judge finds out whether a file is genuine, at its signing and at now (RFC
// 3339). Trust that can't be read trusts nobody.
func (c *checker) judge(file []byte, trustJSON, now string) (answer string) {
	defer func() {
		if recover() != nil {
			answer = broken()
		}
	}()
	o := document.Options{Trust: gm.Trust{Cache: gm.NewCache()}}
	if t, err := readTrust(trustJSON); err == nil {
		o.Trust = *t
	}
	o.Now, _ = time.Parse(time.RFC3339, now) // zero: not judged as of now
	r := document.Judge(file, o)
	return encoded(judged{r, noteOf(r.Metadata, o.Now)})
}

// noteOf is what a copy for one use says of itself; nil for a license. A term
// that can't be read is over.
func noteOf(metadata []document.Pair, now time.Time) *copied {
	n, ok := document.CopyOf(metadata)
	if !ok {
		return nil
	}
	return &copied{n.Purpose, n.Maker, n.Made, n.Until, !now.IsZero() && !now.Before(n.Until)}
}

// broken is the answer about a file whose reading failed within the program.
func broken() string {
	return encoded(document.Report{
		Verdict: document.Unreadable, Uncovered: []string{}, Altered: []string{}, Signatures: []document.Signature{}, Metadata: []document.Pair{},
		Checks: []document.Check{{Check: seal.Check{
			Name: "package", State: seal.Fail, Reason: "读取文件时程序出错，不能核验。", ReasonEn: "The program failed while reading the file.",
		}}},
	})
}

func readTrust(trustJSON string) (*gm.Trust, error) {
	var in trust
	if err := json.Unmarshal([]byte(trustJSON), &in); err != nil {
		return nil, fmt.Errorf("trust: %w", err)
	}
	t := &gm.Trust{Cache: gm.NewCache()}
	var err error
	if t.Roots, err = certificates(in.Roots); err != nil {
		return nil, err
	}
	if t.Intermediates, err = certificates(in.Intermediates); err != nil {
		return nil, err
	}
	for _, text := range in.Lists {
		l, err := gm.ParseRevocationList([]byte(text))
		if err != nil {
			return nil, err
		}
		t.Lists = append(t.Lists, l)
	}
	return t, nil
}

func certificates(texts []string) (list []*gm.Certificate, err error) {
	for _, text := range texts {
		some, err := gm.ParsePEM([]byte(text))
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	return list, nil
}

// pictures draws the pages of a file as SVG texts; none if it can't be drawn.
func (c *checker) pictures(file []byte) (answer string) {
	defer func() {
		if recover() != nil {
			answer = "[]"
		}
	}()
	pages, err := document.Picture(file)
	if err != nil {
		return "[]"
	}
	list := make([]string, len(pages))
	for i, p := range pages {
		list[i] = string(p)
	}
	return encoded(list)
}

// fields returns the values a file's pages show, by the names of its tags.
func (c *checker) fields(file []byte) (answer string) {
	defer func() {
		if recover() != nil {
			answer = "[]"
		}
	}()
	pairs, err := document.Fields(file)
	if err != nil {
		return "[]"
	}
	return encoded(append([]ofd.Pair{}, pairs...))
}

// state reads the text of a print's QR code and keeps it for holds.
func (c *checker) state(text, trustJSON string) (answer string) {
	c.statement = nil
	defer func() {
		if recover() != nil {
			answer = encoded(failed{notAStatement})
		}
	}()
	data, err := document.FromStatementURL(text)
	if err != nil {
		return encoded(failed{notAStatement})
	}
	// Without certificates to check it with, it is as good as unsigned.
	var in trust
	_ = json.Unmarshal([]byte(trustJSON), &in)
	signers, err := certificates(in.Printers)
	if err != nil {
		signers = nil
	}
	s, err := document.ParseStatement(data, signers)
	switch {
	case errors.Is(err, document.ErrStatementSign):
		return encoded(failed{notSignedHere})
	case err != nil:
		return encoded(failed{notAStatement})
	}
	c.statement = s
	return encoded(stated{s.Identifier, s.Status, s.Printed, s.Values()})
}

// holds tells whether the print whose text was read last showed a value.
func (c *checker) holds(value string) bool {
	return c.statement != nil && len(value) <= maxValue && c.statement.Holds(value)
}

// maxValue bounds a typed value in bytes: a business scope has up to 1,600
// characters.
const maxValue = 16 << 10

func encoded(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain data always encodes
	}
	return string(b)
}
