package seal

import (
	"cmp"
	"slices"
)

// State says how a check came out.
type State string

// The states of a check.
const (
	Pass State = "pass"
	Fail State = "fail"
	// NotApplicable: there was nothing to check, or nothing to check it with.
	NotApplicable State = "na"
	// Note: not a fault, but something to know before relying on the file.
	Note State = "note"
)

// Kind says what a failed check means.
type Kind int

const (
	// Integrity: the package is not what was signed.
	Integrity Kind = iota
	// Trust: it is what was signed, but the signature is not one to rely on.
	Trust
	// Unverifiable: there is no certificate to check the signature with, or none
	// of SM2.
	Unverifiable
	// Later: what was good when it was signed is not any more. Such a check is
	// a Note, never a Fail.
	Later
)

// Check is one step of the verification and how it came out.
type Check struct {
	Name     string `json:"name"`
	State    State  `json:"state"`
	Reason   string `json:"reason"`   // a sentence in Chinese
	ReasonEn string `json:"reasonEn"` // the same in English
	File     string `json:"file,omitempty"`
	Kind     Kind   `json:"-"`
}

// OK tells whether the check found no fault.
func (c Check) OK() bool { return c.State != Fail }

// Checks are those of one signature, seal or package.
type Checks []Check

// Sound tells whether none of the checks failed.
func (l Checks) Sound() bool {
	return !slices.ContainsFunc(l, func(c Check) bool { return !c.OK() })
}

// say is a sentence in Chinese and English.
type say struct{ zh, en string }

func (l *Checks) add(c Check, s say) {
	c.Reason, c.ReasonEn = s.zh, s.en
	*l = append(*l, c)
}

func (l *Checks) pass(name string, s say) { l.add(Check{Name: name, State: Pass}, s) }

func (l *Checks) na(name string, s say) { l.add(Check{Name: name, State: NotApplicable}, s) }

func (l *Checks) note(name, file string, s say) {
	l.add(Check{Name: name, State: Note, Kind: Trust, File: file}, s)
}

// later notes what is not good any more.
func (l *Checks) later(name, file string, s say) {
	l.add(Check{Name: name, State: Note, Kind: Later, File: file}, s)
}

func (l *Checks) fail(name string, kind Kind, file string, s say) {
	l.add(Check{Name: name, State: Fail, Kind: kind, File: file}, s)
}

func (l *Checks) either(name string, kind Kind, ok bool, file string, good, bad say) {
	if ok {
		l.pass(name, good)
	} else {
		l.fail(name, kind, file, bad)
	}
}

// The checks of a signature in the order they are told.
const (
	cStructure         = "structure"
	cDigestMethod      = "digestMethod"
	cReferences        = "references"
	cCovers            = "covers"
	cSignedValue       = "signedValue"
	cCertificate       = "certificate"
	cAlgorithm         = "algorithm"
	cSignature         = "signature"
	cSignedFile        = "signedFile"
	cSignedPath        = "signedPath"
	cVersion           = "version"
	cExtensions        = "extensions"
	cSealFile          = "sealFile"
	cSealSignature     = "sealSignature"
	cSealTimeStamp     = "sealTimeStamp"
	cMakerCertificate  = "makerCertificate"
	cMakerRevocation   = "makerRevocation"
	cSealTerm          = "sealTerm"
	cAuthorized        = "authorized"
	cTimeStamp         = "timeStamp"
	cTimeAuthority     = "timeAuthority"
	cTimeOrder         = "timeOrder"
	cTime              = "time"
	cSignerCertificate = "signerCertificate"
	cSignerRevocation  = "signerRevocation"
	cStamp             = "stamp"
	cSignerNow         = "signerNow"
	cSealNow           = "sealNow"
)

var order = []string{
	cStructure, cDigestMethod, cReferences, cCovers, cSignedValue, cCertificate, cAlgorithm, cSignature, cSignedFile, cSignedPath,
	cVersion, cExtensions, cSealFile, cSealSignature, cSealTimeStamp, cMakerCertificate, cMakerRevocation, cSealTerm, cAuthorized,
	cTimeStamp, cTimeAuthority, cTimeOrder, cTime, cSignerCertificate, cSignerRevocation, cStamp, cSignerNow, cSealNow,
}

// complete names the checks that were not reached and puts all in order.
func (l *Checks) complete() {
	found := map[string]bool{}
	for _, c := range *l {
		found[c.Name] = true
	}
	for _, name := range order {
		if !found[name] {
			l.na(name, say{"前面的检查没有通过，这一项没有进行。", "Not carried out, for an earlier check failed."})
		}
	}
	slices.SortStableFunc(*l, func(a, b Check) int {
		return cmp.Compare(slices.Index(order, a.Name), slices.Index(order, b.Name))
	})
}
