package cases

import (
	"context"

	"elicense"
	"elicense/access"
	"elicense/org"
	"elicense/store"
)

// System is a business system with what is registered of it: the keys it signs its
// tickets with, and the origins whose pages may frame its cases (Art. 13(1)).
type System struct {
	*org.Account
	UnitName string
	Keys     []SystemKey // those in use first, then the ended ones, the newest first
	Origins  []string
}

// Systems lists the business systems, by unit.
//
// Errors: Forbidden to who does not keep accounts.
func (c *Cases) Systems(ctx context.Context, actor *elicense.Actor) ([]System, error) {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.SystemKeep, On: access.Thing{Kind: "System", ID: "list"}, Note: access.Note{Detail: map[string]string{"act": "list"}},
		}, nil
	}
	list, _, err := access.Get(ctx, c.guard, build, func(tx *store.Tx, _ *access.Permit) (list []System, err error) {
		all, err := org.Accounts(tx, "")
		if err != nil {
			return nil, err
		}
		for _, a := range all {
			if a.Kind != elicense.System {
				continue
			}
			u, err := org.UnitOf(tx, a.Unit)
			if err != nil {
				return nil, err
			}
			s := System{Account: a, UnitName: u.Name}
			if s.Origins, err = origins(tx, a.ID); err != nil {
				return nil, err
			}
			ids, err := store.All(tx, func(r *store.Rows) (id string, err error) { return id, r.Scan(&id) },
				`SELECT key_id FROM system_key WHERE account = $1 ORDER BY CASE WHEN ended IS NULL THEN 0 ELSE 1 END, since DESC, key_id`, a.ID)
			if err != nil {
				return nil, err
			}
			for _, id := range ids {
				k, err := systemKey(tx, a.ID, id)
				if err != nil {
					return nil, err
				}
				s.Keys = append(s.Keys, *k)
			}
			list = append(list, s)
		}
		return list, nil
	})
	return list, err
}
