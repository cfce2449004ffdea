package store

import "sync"

// wakeups tells waiting loops of this process that there is work for them.
type wakeups struct {
	mu     sync.Mutex
	topics map[string][]chan struct{}
}

// Wake has those who wait for a topic woken when the transaction has committed.
func (tx *Tx) Wake(topic string) { tx.wakes = append(tx.wakes, topic) }

// Wakeups returns a channel that gets a value after each commit that woke the
// topic (several may become one), and a function that ends it.
func (db *DB) Wakeups(topic string) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	w := &db.wakeups
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.topics == nil {
		w.topics = map[string][]chan struct{}{}
	}
	w.topics[topic] = append(w.topics[topic], c)
	return c, func() { w.end(topic, c) }
}

func (w *wakeups) end(topic string, c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var rest []chan struct{}
	for _, other := range w.topics[topic] {
		if other != c {
			rest = append(rest, other)
		}
	}
	w.topics[topic] = rest
}

func (w *wakeups) wake(topics []string) {
	if len(topics) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range topics {
		for _, c := range w.topics[t] {
			select {
			case c <- struct{}{}:
			default: // one is waiting already
			}
		}
	}
}
