package delivery

import (
	"slices"
	"sync"
	"time"
)

// Outbox is what a gateway of the demo took, in memory, the newest first. It is safe
// for concurrent use.
type Outbox struct {
	Now func() time.Time

	mu   sync.Mutex
	list []Taken
}

// Taken is one message the gateway took.
type Taken struct {
	Text
	Channel Channel
	At      time.Time
}

// maxTaken bounds what is kept.
const maxTaken = 100

// Take keeps a message.
func (o *Outbox) Take(ch Channel, t Text) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = slices.Insert(o.list, 0, Taken{t, ch, o.Now()})
	o.list = o.list[:min(len(o.list), maxTaken)]
}

// List returns what was taken.
func (o *Outbox) List() []Taken {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.list)
}
