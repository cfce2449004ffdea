package storetest

import (
	"sync"

	"elicense/store"
)

// Failing makes one step of a store fail: put its Fault into store.Config. It
// counts the steps even when none is to fail, so that a test can first count and
// then have each of them fail in turn.
type Failing struct {
	mu    sync.Mutex
	kind  store.StepKind
	at    int // the step that fails, from 1; 0 for none
	how   store.Fault
	count map[store.StepKind]int
}

// Arm starts counting anew and has the n-th step of the kind fail once: without
// effect (store.FaultBefore), or done but reported as failed (store.FaultAfter).
// n = 0 only counts.
func (f *Failing) Arm(kind store.StepKind, n int, how store.Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kind, f.at, f.how, f.count = kind, n, how, map[store.StepKind]int{}
}

// Count returns the steps of a kind since Arm.
func (f *Failing) Count(kind store.StepKind) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[kind]
}

// Fault is for store.Config.Fault.
func (f *Failing) Fault(s store.Step) store.Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == nil {
		return store.FaultNone
	}
	f.count[s.Kind]++
	if s.Kind == f.kind && f.count[s.Kind] == f.at {
		return f.how
	}
	return store.FaultNone
}
