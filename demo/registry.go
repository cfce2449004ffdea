package demo

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"elicense"
	"elicense/registry"
)

// Registry is the demo's base registries in one (Art. 9(2)): they know the demo's
// people and organizations, and say how they compare, never their own value.
type Registry struct {
	kept map[string]map[string]string // by code type and code: name, legal_rep, address
	down atomic.Bool
}

// NewRegistry returns the registries of the demo's data.
func NewRegistry(d *Data) *Registry {
	r := &Registry{kept: map[string]map[string]string{}}
	for _, p := range d.persons() {
		r.kept[string(p.ref.CodeType)+p.ref.Code] = map[string]string{"name": p.ref.Name}
	}
	for _, o := range d.orgs.Orgs { // third parties hold licenses themselves
		r.kept[string(elicense.CodeUSCC)+o.USCC] = map[string]string{"name": o.Name}
	}
	for _, e := range d.companies() {
		r.kept[string(e.ref.CodeType)+e.ref.Code] = map[string]string{"name": e.ref.Name, "legal_rep": e.legal, "address": e.place}
	}
	return r
}

// SetDown makes the registries fail, or answer again.
func (r *Registry) SetDown(down bool) { r.down.Store(down) }

var errDown = errors.New("the demo registry is switched off")

// Answer compares what is asked with what is kept.
func (r *Registry) Answer(_ context.Context, q registry.Question) (registry.Reply, error) {
	reply := registry.Reply{Request: q.Request, Outcome: registry.Match}
	if r.down.Load() {
		return reply, errDown
	}
	kept, known := r.kept[string(q.CodeType)+q.Code]
	if !known {
		reply.Outcome = registry.NoSuch
		return reply, nil
	}
	if kept["name"] != q.Name {
		reply.Fields = append(reply.Fields, "name")
	}
	for _, key := range []string{"legal_rep", "address"} {
		if says, asked := q.Fields[key]; asked && kept[key] != "" && strings.TrimSpace(says) != kept[key] {
			reply.Fields = append(reply.Fields, key)
		}
	}
	if len(reply.Fields) > 0 {
		reply.Outcome = registry.Mismatch
	}
	return reply, nil
}
