package cases

import (
	"maps"
	"slices"

	"elicense"
	"elicense/catalog"
	"elicense/store"
)

// withLocal lets the local instances of standard types stand for them in a matter's
// materials, each with those fields of the standard it has (Art. 4, 12). A matter
// that asks for no such type is returned as it is.
func withLocal(tx *store.Tx, m *Matter) (*Matter, error) {
	out := m
	for i := range m.Materials {
		for _, code := range m.Materials[i].Types {
			local, err := catalog.InstancesOf(tx, code)
			if err != nil {
				return nil, err
			}
			for _, t := range local {
				if slices.Contains(m.Materials[i].Types, t.Code) {
					continue
				}
				if out == m {
					copied := *m
					copied.Materials = slices.Clone(m.Materials)
					out = &copied
				}
				mat := &out.Materials[i]
				if len(mat.Types) == len(m.Materials[i].Types) { // not yet its own
					mat.Types, mat.Fields = slices.Clone(mat.Types), maps.Clone(mat.Fields)
					if mat.Fields == nil {
						mat.Fields = map[elicense.TypeCode][]string{}
					}
				}
				var fields []string
				for _, k := range m.Materials[i].Fields[code] {
					if t.Field(k) != nil {
						fields = append(fields, k)
					}
				}
				mat.Types = append(mat.Types, t.Code)
				mat.Fields[t.Code] = fields
			}
		}
	}
	return out, nil
}
