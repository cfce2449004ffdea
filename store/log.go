package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"elicense/gm"
	"elicense/tlog"
)

// chain is this process's shard of the record log: a Merkle tree over the
// records in the order of their index. Its right edge stands in log_head and
// here; when the two disagree the store stops.
type chain struct {
	db    *DB
	shard int
	mu    sync.Mutex
	known []tlog.Tree // what the stored edge may be: one tree, or two while a commit is in doubt

	merger *merger // of a store that is not opened to inspect
}

// head is the row of log_head.
type head struct {
	tree  tlog.Tree
	month int64
}

// openChain makes the shard's head when it is missing, and reads it. To inspect,
// the head is not asked for: CheckLog says what is wrong with it.
func openChain(ctx context.Context, db *DB) (*chain, error) {
	c := &chain{db: db, shard: db.cfg.Shard, known: []tlog.Tree{{}}, merger: newMerger()}
	if db.cfg.Inspect {
		return c, inspectRuns(ctx, db)
	}
	err := db.Update(ctx, func(tx *Tx) error {
		h, err := c.read(tx)
		if errors.Is(err, ErrNoRow) {
			h = head{}
			err = c.write(tx, h, "INSERT INTO log_head (size, month, hashes, mac, shard) VALUES ($1, $2, $3, $4, $5)")
		}
		c.known = []tlog.Tree{h.tree}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(c.catchUp(ctx), c.sweep(ctx)); err != nil {
		return nil, err
	}
	c.merger.ended = make(chan struct{})
	go c.mergeRuns()
	return c, nil
}

// inspectRuns makes the runs of a database that has just been brought up to date
// and has none; otherwise nothing is changed.
func inspectRuns(ctx context.Context, db *DB) error {
	var shards []int
	err := db.View(ctx, func(tx *Tx) (err error) {
		shards, err = All(tx, func(r *Rows) (s int, err error) {
			err = r.Scan(&s)
			return s, err
		}, "SELECT shard FROM log_head WHERE NOT EXISTS (SELECT first FROM record_run)")
		return err
	})
	for _, s := range shards {
		c := &chain{db: db, shard: s}
		if err := c.catchUp(ctx); err != nil && !errors.Is(err, tlog.ErrFatal) { // CheckLog says what is wrong with a head
			return err
		}
	}
	return err
}

// read returns the stored head, locked for the transaction.
func (c *chain) read(tx *Tx) (head, error) {
	var size uint64
	var h head
	var hashes, mac []byte
	err := tx.Row("SELECT size, month, hashes, mac FROM log_head WHERE shard = $1"+tx.ForUpdate(), c.shard).
		Scan(&size, &h.month, &hashes, &mac)
	if err != nil {
		return head{}, err
	}
	if h.tree, err = tlog.NewTree(size, hashes); err != nil {
		return head{}, fatalf("head of shard %d: %v", c.shard, err)
	}
	if err := c.db.CheckMAC(mac, "log_head", strconv.Itoa(c.shard), h.parts()...); err != nil {
		return head{}, fatalf("head of shard %d: %v", c.shard, err)
	}
	return h, nil
}

// parts are what the head's MAC is over.
func (h head) parts() [][]byte {
	fixed := binary.BigEndian.AppendUint64(nil, h.tree.Size())
	return [][]byte{binary.BigEndian.AppendUint64(fixed, uint64(h.month)), h.tree.Hashes()}
}

func (c *chain) write(tx *Tx, h head, q string) error {
	mac := c.db.MAC("log_head", strconv.Itoa(c.shard), h.parts()...)
	hashes := h.tree.Hashes()
	n, err := tx.Exec(q, h.tree.Size(), h.month, hashes, mac, c.shard)
	if err == nil && n != 1 {
		return fatalf("head of shard %d is gone", c.shard)
	}
	return err
}

// append inserts records at the end of the log within the transaction and
// returns the tree it will be once committed, nil when there are none.
func (c *chain) append(tx *Tx, records []*pending) (*tlog.Tree, error) {
	if len(records) == 0 {
		return nil, nil
	}
	wrote := tx.wrote // records do not count as a change
	defer func() { tx.wrote = wrote }()
	h, err := c.read(tx)
	if err == nil {
		err = c.agree(h.tree)
	}
	if err != nil {
		if errors.Is(err, tlog.ErrFatal) || errors.Is(err, ErrNoRow) {
			return nil, c.db.stopFor(fmt.Errorf("%w: %w", tlog.ErrFatal, err))
		}
		return nil, err
	}
	h.month = max(h.month, monthOf(tx.now))
	rows, leaves := c.place(h, records)
	keys := make([]runKey, 0, 5*len(records))
	for _, p := range records {
		keys = p.runKeys(keys, h.month, p.receipt.Index)
	}
	var nodes []treeNode
	tree, err := h.tree.Append(leaves, func(level uint, index uint64, hash tlog.Hash) {
		if level > 0 && level%8 == 0 {
			nodes = append(nodes, treeNode{level / 8, index, hash})
		}
	})
	if err != nil {
		return nil, c.db.stopFor(fmt.Errorf("%w: %w", tlog.ErrFatal, err))
	}
	if err := insertRows(tx, rows); err != nil {
		return nil, err
	}
	if err := c.addRun(tx, run{h.tree.Size(), uint64(len(records)), h.tree.Size()}, keys); err != nil {
		return nil, err
	}
	if err := c.tiles(tx, h.tree.Size(), leaves, nodes); err != nil {
		return nil, err
	}
	h.tree = tree
	err = c.write(tx, h, "UPDATE log_head SET size = $1, month = $2, hashes = $3, mac = $4 WHERE shard = $5")
	if errors.Is(err, tlog.ErrFatal) {
		return nil, c.db.stopFor(err)
	}
	return &tree, err
}

// monthOf returns the month records are spread by, in UTC: 202611.
func monthOf(t time.Time) int64 {
	t = t.UTC()
	return int64(t.Year())*100 + int64(t.Month())
}

// agree checks the stored edge against the one in memory. On a shared database
// another transaction of this process may have gone ahead since it was noted.
func (c *chain) agree(stored tlog.Tree) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.known {
		if t.Equal(stored) {
			return nil
		}
	}
	last := c.known[len(c.known)-1]
	if c.db.engine.shared() && stored.Size() > last.Size() {
		return nil
	}
	return fatalf("shard %d: %d records are stored, %d were written", c.shard, stored.Size(), last.Size())
}

// committed notes the tree of a commit. Commits of a shared database may be
// noted in another order than they happened.
func (c *chain) committed(tree *tlog.Tree) {
	if tree == nil {
		return
	}
	c.merger.committed()
	c.mu.Lock()
	defer c.mu.Unlock()
	if tree.Size() > c.known[len(c.known)-1].Size() || !c.db.engine.shared() {
		c.known = []tlog.Tree{*tree}
	}
}

// doubt notes the tree of a commit that was reported as failed and may have
// happened all the same.
func (c *chain) doubt(tree *tlog.Tree) {
	if tree == nil || c.db.engine.shared() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = append(c.known, *tree)
}

// place gives each record its index and makes its row and leaf.
func (c *chain) place(h head, records []*pending) (recordRows, []tlog.Hash) {
	var rows recordRows
	leaves := make([]tlog.Hash, len(records))
	salts := make([]byte, tlog.SaltSize*len(records))
	rand.Read(salts)
	for i, p := range records {
		p.receipt.Shard, p.receipt.Index = c.shard, h.tree.Size()+uint64(i)
		salt := salts[i*tlog.SaltSize : (i+1)*tlog.SaltSize]
		leaves[i] = tlog.RecordLeaf(salt, c.shard, p.receipt.Index, p.bytes)
		at := []any{c.shard, h.month, p.receipt.Index}
		rows.records = append(rows.records, []any{at[0], at[1], at[2], p.ID, p.Time, p.bytes, salt, leaves[i][:]})
		rows.ids = append(rows.ids, []any{p.ID, at[0], at[1], at[2]})
	}
	return rows, leaves
}

type recordRows struct{ records, ids [][]any }

func insertRows(tx *Tx, rows recordRows) error {
	if err := tx.insertMany("INSERT INTO record (shard, month, idx, id, time, bytes, salt, leaf) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", rows.records); err != nil {
		return err
	}
	return tx.insertMany("INSERT INTO record_id (id, shard, month, idx) VALUES ($1, $2, $3, $4)", rows.ids)
}

type treeNode struct {
	level uint // of the tile
	index uint64
	hash  tlog.Hash
}

// tiles stores the level 0 tiles that became full and adds the nodes of higher
// levels to theirs.
func (c *chain) tiles(tx *Tx, size uint64, leaves []tlog.Hash, nodes []treeNode) error {
	first := size / tlog.TileWidth * tlog.TileWidth
	if full := (size + uint64(len(leaves))) / tlog.TileWidth; full > size/tlog.TileWidth {
		hashes, err := c.leaves(tx, first, size)
		if err != nil {
			return err
		}
		for _, l := range leaves {
			hashes = append(hashes, l[:]...)
		}
		const wide = tlog.TileWidth * gm.DigestSize
		for n := first / tlog.TileWidth; n < full; n++ {
			if err := c.putTile(tx, 0, n, hashes[:wide]); err != nil {
				return err
			}
			hashes = hashes[wide:]
		}
	}
	for _, n := range nodes {
		if err := c.addNode(tx, n); err != nil {
			return err
		}
	}
	return nil
}

func (c *chain) putTile(tx *Tx, level uint, tile uint64, hashes []byte) error {
	_, err := tx.Exec(`INSERT INTO log_tile (shard, level, tile, hashes) VALUES ($1, $2, $3, $4)
		ON CONFLICT (shard, level, tile) DO UPDATE SET hashes = excluded.hashes`, c.shard, level, tile, hashes)
	return err
}

func (c *chain) addNode(tx *Tx, n treeNode) error {
	tile, at := n.index/tlog.TileWidth, int(n.index%tlog.TileWidth)
	var hashes []byte
	if at > 0 {
		var err error
		if hashes, err = readTile(tx, c.shard, n.level, tile); err != nil {
			return err
		}
	}
	if len(hashes) != at*gm.DigestSize {
		return c.db.stopFor(fatalf("shard %d: tile %d of level %d has %d bytes", c.shard, tile, n.level, len(hashes)))
	}
	return c.putTile(tx, n.level, tile, append(hashes, n.hash[:]...))
}

func readTile(tx *Tx, shard int, level uint, tile uint64) ([]byte, error) {
	var hashes []byte
	err := tx.Row("SELECT hashes FROM log_tile WHERE shard = $1 AND level = $2 AND tile = $3", shard, level, tile).Scan(&hashes)
	return hashes, err
}

// leaves returns the leaf hashes of the records [from, to), at most a tile's.
func (c *chain) leaves(tx *Tx, from, to uint64) ([]byte, error) {
	return readLeaves(tx, c.shard, from, to)
}

func readLeaves(tx *Tx, shard int, from, to uint64) ([]byte, error) {
	if from == to {
		return nil, nil
	}
	// Backwards from the end of the primary key: these are the newest records.
	rows, err := tx.Query("SELECT idx, leaf FROM record WHERE shard = $1 AND idx >= $2 AND idx < $3 "+
		"ORDER BY month DESC, idx DESC LIMIT "+strconv.FormatUint(to-from, 10), shard, from, to)
	if err != nil {
		return nil, err
	}
	out := make([]byte, (to-from)*gm.DigestSize)
	want := to
	for rows.Next() {
		var idx uint64
		var leaf []byte
		if err := rows.Scan(&idx, &leaf); err != nil {
			return nil, err
		}
		if want--; idx != want || len(leaf) != gm.DigestSize {
			break
		}
		copy(out[(idx-from)*gm.DigestSize:], leaf)
	}
	if want != from {
		return nil, fmt.Errorf("record %d of shard %d is missing: %w", want, shard, ErrTampered)
	}
	return out, nil
}
