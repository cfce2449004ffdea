package demo

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"elicense"
	"elicense/issuance"
)

// Registry is the demo's population and legal-entity registry (Art. 9(2)): it
// knows the demo's people and enterprises, and answers match or mismatch, never
// its own value.
type Registry struct {
	now    func() time.Time
	names  map[string]string // by code type and code
	legal  map[string]string // legal representative by enterprise
	down   atomic.Bool
	number atomic.Int64
}

// NewRegistry returns the registry of the demo's data.
func NewRegistry(d *Data, now func() time.Time) *Registry {
	r := &Registry{now: now, names: map[string]string{}, legal: map[string]string{}}
	for _, p := range d.persons() {
		r.names[string(p.ref.CodeType)+p.ref.Code] = p.ref.Name
	}
	for _, e := range d.companies() {
		r.names[string(e.ref.CodeType)+e.ref.Code] = e.ref.Name
		r.legal[e.ref.Code] = e.legal
	}
	for _, o := range d.orgs.Orgs { // third parties hold licenses themselves
		r.names[string(elicense.CodeUSCC)+o.USCC] = o.Name
	}
	return r
}

// SetDown makes the registry fail, or answer again.
func (r *Registry) SetDown(down bool) { r.down.Store(down) }

var errDown = errors.New("the demo registry is switched off")

// Compare answers for one holder.
func (r *Registry) Compare(_ context.Context, h elicense.HolderRef, fields map[string]string) (issuance.Comparison, error) {
	c := issuance.Comparison{Outcome: issuance.Match, Registry: "全员人口库（演示）", At: r.now()}
	if h.CodeType.Organization() {
		c.Registry = "法人单位库（演示）"
	}
	if r.down.Load() {
		return c, errDown
	}
	if h.CodeType != elicense.CodeCitizen && h.CodeType != elicense.CodeUSCC {
		c.Outcome = issuance.Unavailable // no registry holds these codes
		return c, nil
	}
	c.Request = c.At.In(elicense.Shanghai).Format("20060102150405") + "-" + number(int(r.number.Add(1)))
	name, known := r.names[string(h.CodeType)+h.Code]
	switch {
	case !known:
		c.Outcome = issuance.NoSuch
	case name != h.Name:
		c.Outcome, c.Fields = issuance.Mismatch, []string{"姓名或名称"}
	}
	if legal := fields["legal_rep"]; known && h.CodeType == elicense.CodeUSCC && legal != "" && strings.TrimSpace(legal) != r.legal[h.Code] {
		c.Outcome, c.Fields = issuance.Mismatch, append(c.Fields, "法定代表人")
	}
	return c, nil
}
