package store

import (
	"context"
	"fmt"

	"modernc.org/sqlite"
)

// copyEvery is after how many pages written the copier begins. A page written many
// times meanwhile is copied once.
const copyEvery = 12000

// copier copies what commits wrote into SQLite's write-ahead log on into the
// database itself while commits go on. The writer's own checkpoint, which every
// commit would wait for, then finds most of it done: it has the few pages left to
// copy that were written meanwhile, and begins the log anew.
type copier struct {
	conn   *prepared
	status sqlite.DBStatus // of the writer's connection
	begun  int             // pages written when the copier was last woken
	due    chan struct{}
	ended  chan struct{}
}

// startCopier starts the copier of an engine, whose close stops it.
func startCopier(e *sqliteEngine) (*copier, error) {
	status, ok := e.write.conn.(sqlite.DBStatus)
	if !ok {
		return nil, fmt.Errorf("store: the driver's %T does not count pages", e.write.conn)
	}
	conn, err := e.connect()
	if err != nil {
		return nil, err
	}
	c := &copier{conn: conn, status: status, due: make(chan struct{}, 1), ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		for range c.due {
			// What fails here the writer's checkpoint tries again, and its commit tells.
			c.conn.query(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)", nil)
		}
	}()
	return c, nil
}

// wrote is called by the writer after a commit.
func (c *copier) wrote() {
	pages, _, err := c.status.Status(sqlite.DBStatusCacheWrite, false)
	if err != nil || pages-c.begun < copyEvery {
		return
	}
	select {
	case c.due <- struct{}{}:
		c.begun = pages
	default: // it has been woken
	}
}

func (c *copier) stop() {
	if c == nil {
		return
	}
	close(c.due)
	<-c.ended
}
