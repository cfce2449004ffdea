package store

import "context"

// StopMerger ends the merger, so that a test merges when it wants to.
func (db *DB) StopMerger() { db.chain.merger.stop() }

// MergeAside merges the runs that are due once and tells whether there were any.
func (db *DB) MergeAside(ctx context.Context) (bool, error) { return db.chain.mergeAside(ctx) }
