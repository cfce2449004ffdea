package store

import "errors"

// Step is what a test can make fail.
type Step struct {
	Kind  StepKind
	Query string // of a statement
}

// StepKind is a statement of a closure or the commit of a transaction.
type StepKind uint8

// The steps that can be made to fail.
const (
	StepStatement StepKind = iota
	StepCommit
)

// Fault is how a step fails.
type Fault uint8

// The ways to fail: not at all, without effect, and with the effect done but
// reported as failed.
const (
	FaultNone Fault = iota
	FaultBefore
	FaultAfter
)

var errFault = unavailable(errors.New("fault injected by a test"))

func (db *DB) fault(s Step) Fault {
	if db.cfg.Fault == nil {
		return FaultNone
	}
	return db.cfg.Fault(s)
}
