package oversight

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"elicense"
	"elicense/access"
	"elicense/store"
)

// Desk is a place to work at, as the law text sees it.
type Desk struct {
	Name   string
	Kind   elicense.ActorKind
	Duties []elicense.Duty // one of them is needed; none is for everybody of the kind
}

const deskEnter access.Act = "desk.enter"

// deskWindow is how long a refused page is not recorded again for the account that
// asked for it, so that a loop can't fill the record. The next record says how
// often it was asked for in between.
const deskWindow = 15 * time.Minute

// maxDeskKeys bounds what is remembered of refused pages.
const maxDeskKeys = 10_000

// desks remembers which pages were refused whom.
type desks struct {
	mu   sync.Mutex
	seen map[string]*refusedPage
}

type refusedPage struct {
	at   time.Time // of the record
	more int       // refusals since, not recorded
}

// due tells whether a refusal is to be recorded, and how many were not since the
// last that was.
func (d *desks) due(key string, now time.Time) (more int, due bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.seen[key]
	if p != nil && now.Sub(p.at) < deskWindow {
		p.more++
		return 0, false
	}
	if len(d.seen) >= maxDeskKeys {
		for k, x := range d.seen {
			if now.Sub(x.at) >= deskWindow || len(d.seen) >= maxDeskKeys {
				delete(d.seen, k)
			}
		}
	}
	if p != nil {
		more = p.more
	}
	if d.seen == nil {
		d.seen = map[string]*refusedPage{}
	}
	d.seen[key] = &refusedPage{at: now}
	return more, true
}

// Enter lets someone with a duty at a desk to a page of it; whoever has none is
// refused, which is recorded.
//
// Errors: Forbidden.
func (o *Oversight) Enter(ctx context.Context, actor *elicense.Actor, d Desk, page string, now time.Time) error {
	if actor.Kind == d.Kind && (len(d.Duties) == 0 || slices.ContainsFunc(d.Duties, actor.Has)) {
		return nil // the law says the same; it is not asked at every page
	}
	duties := make([]string, len(d.Duties))
	for i, x := range d.Duties {
		duties[i] = string(x)
	}
	on := access.Thing{Kind: "Desk", ID: d.Name, Attr: access.Attr{"kind": string(d.Kind), "duties": duties, "all": len(duties) == 0}}
	more, due := o.desks.due(string(actor.Account)+" "+page, now)
	if !due {
		return o.guard.Ask(actor, deskEnter, on, nil)
	}
	detail := map[string]string{"desk": d.Name, "page": page}
	if more > 0 {
		detail["more"] = strconv.Itoa(more)
	}
	_, err := o.guard.Read(ctx, func(*store.Tx) (access.Request, error) {
		return access.Request{Actor: actor, Act: deskEnter, On: on, Note: access.Note{Detail: detail}}, nil
	}, func(*store.Tx, *access.Permit) error { return nil })
	return err
}
