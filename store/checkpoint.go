package store

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"time"

	"elicense"
	"elicense/gm"
	"elicense/tlog"
)

// checkpointEvery is how often the log is looked at; a record is under a
// signature within a minute.
const checkpointEvery = 30 * time.Second

// RunCheckpoints makes checkpoints until ctx ends, then a last one. It returns
// early only when the log can not be trusted.
func (db *DB) RunCheckpoints(ctx context.Context) error {
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	for {
		if err := db.maintain(ctx); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			return db.maintain(last)
		}
	}
}

// maintain makes a checkpoint and forgets old answers. What fails for now is
// tried again at the next turn.
func (db *DB) maintain(ctx context.Context) error {
	_, err := db.Checkpoint(ctx)
	if errors.Is(err, tlog.ErrFatal) {
		return err
	}
	if err == nil {
		_, err = db.Sweep(ctx)
	}
	if err != nil && ctx.Err() == nil {
		db.log.Warn("checkpoint is not made", "err", err)
	}
	return nil
}

// Checkpoint signs the state of this process's log and the root over all shards,
// when the log has grown since the last one, and returns the shard's checkpoint.
// A log that does not continue the last checkpoint stops the store.
func (db *DB) Checkpoint(ctx context.Context) (tlog.Signed, error) {
	shard := db.cfg.Shard
	var last tlog.Signed
	var h head
	err := db.View(ctx, func(tx *Tx) error {
		var err error
		if h, err = db.chain.read(tx); err != nil {
			return err
		}
		if last, err = latestCheckpoint(tx, shard); errors.Is(err, ErrNoRow) {
			last = tlog.Signed{Checkpoint: tlog.Checkpoint{Root: tlog.EmptyRoot()}}
			return nil
		} else if err != nil {
			return err
		}
		return continues(tx, shard, last.Checkpoint, h.tree)
	})
	if errors.Is(err, tlog.ErrFatal) {
		return tlog.Signed{}, db.stopFor(err)
	}
	if err != nil {
		return tlog.Signed{}, err
	}
	db.stats.signed.Store(last.Size)
	if last.Note != nil && last.Size == h.tree.Size() {
		return last, nil
	}
	next, err := tlog.Sign(tlog.Checkpoint{Origin: tlog.ShardOrigin(shard), Size: h.tree.Size(), Root: h.tree.Root(), Time: db.Now()},
		db.cfg.LogSigner)
	if err != nil {
		return tlog.Signed{}, err
	}
	err = db.Update(ctx, func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO checkpoint (shard, size, time, note, signature) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (shard, size) DO NOTHING`, shard, next.Size, next.Time, next.Note, next.Signature)
		tx.wrote = false // nothing a value could be computed from
		return err
	})
	if err != nil {
		return tlog.Signed{}, err
	}
	db.stats.signed.Store(next.Size)
	return next, db.top(ctx)
}

// continues checks that the tree continues the last checkpoint.
func continues(tx *Tx, shard int, last tlog.Checkpoint, tree tlog.Tree) error {
	if tree.Size() < last.Size {
		return fatalf("shard %d has %d records, its checkpoint %d", shard, tree.Size(), last.Size)
	}
	path, err := tlog.Consistency(last.Size, tree.Size(), nodes(tx, shard, tree.Size()))
	if errors.Is(err, ErrTampered) || errors.Is(err, ErrNoRow) {
		return fatalf("shard %d: %v", shard, err)
	}
	if err != nil {
		return err
	}
	if err := tlog.CheckConsistency(last.Size, tree.Size(), path, last.Root, tree.Root()); err != nil {
		return fatalf("shard %d: %v", shard, err)
	}
	return nil
}

func latestCheckpoint(tx *Tx, shard int) (tlog.Signed, error) {
	var note, signature []byte
	err := tx.Row("SELECT note, signature FROM checkpoint WHERE shard = $1 ORDER BY size DESC LIMIT 1", shard).Scan(&note, &signature)
	if err != nil {
		return tlog.Signed{}, err
	}
	c, err := tlog.ParseCheckpoint(note)
	if err != nil || c.Origin != tlog.ShardOrigin(shard) {
		return tlog.Signed{}, fatalf("checkpoint of shard %d: %v", shard, err)
	}
	return tlog.Signed{Checkpoint: c, Note: note, Signature: signature}, nil
}

// nodes reads the nodes of the stored tree of size records.
func nodes(tx *Tx, shard int, size uint64) tlog.NodeReader {
	type place struct {
		level uint
		tile  uint64
	}
	seen := map[place][]byte{}
	return func(level uint, index uint64) (tlog.Hash, error) {
		tileLevel, tile, from, to := tlog.Place(level, index)
		at := place{tileLevel, tile}
		hashes, ok := seen[at]
		if !ok {
			var err error
			if first := tile * tlog.TileWidth; tileLevel == 0 && first+tlog.TileWidth > size {
				hashes, err = readLeaves(tx, shard, first, size)
			} else {
				hashes, err = readTile(tx, shard, tileLevel, tile)
			}
			if err != nil {
				return tlog.Hash{}, err
			}
			seen[at] = hashes
		}
		return tlog.TileNode(hashes, from, to)
	}
}

// top signs the root over the last checkpoint of every shard.
func (db *DB) top(ctx context.Context) error {
	var notes []tlog.Hash
	var members []byte
	err := db.View(ctx, func(tx *Tx) error {
		rows, err := tx.Query(`SELECT c.shard, c.size, c.note FROM checkpoint c
			JOIN (SELECT shard, MAX(size) AS size FROM checkpoint GROUP BY shard) last ON last.shard = c.shard AND last.size = c.size
			ORDER BY c.shard`)
		if err != nil {
			return err
		}
		for rows.Next() {
			var shard, size int64
			var note []byte
			if err := rows.Scan(&shard, &size, &note); err != nil {
				return err
			}
			notes = append(notes, tlog.LeafHash(note))
			members = fmt.Appendf(members, "%d %d\n", shard, size)
		}
		return nil
	})
	if err != nil {
		return err
	}
	tree, err := tlog.Tree{}.Append(notes, nil)
	if err != nil {
		return err
	}
	s, err := tlog.Sign(tlog.Checkpoint{Origin: tlog.TopOrigin, Size: tree.Size(), Root: tree.Root(), Time: db.Now()}, db.cfg.LogSigner)
	if err != nil {
		return err
	}
	return db.Update(ctx, func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO log_top (time, note, members, signature) VALUES ($1, $2, $3, $4)
			ON CONFLICT (time) DO UPDATE SET note = excluded.note, members = excluded.members, signature = excluded.signature`,
			s.Time, s.Note, members, s.Signature)
		tx.wrote = false
		return err
	})
}

// Top returns the last signed root over the checkpoints of all shards, for
// witnesses. ErrNoRow says that there is none yet.
func (db *DB) Top(ctx context.Context) (s tlog.Signed, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		return tx.Row("SELECT note, signature FROM log_top ORDER BY time DESC LIMIT 1").Scan(&s.Note, &s.Signature)
	})
	if err == nil {
		s.Checkpoint, err = tlog.ParseCheckpoint(s.Note)
	}
	return s, err
}

// Proof shows to anyone who has the log's public key that a record is in the log
// as it was signed (Art. 17).
type Proof struct {
	Record     []byte // the bytes kept
	Salt       []byte
	Shard      int
	Index      uint64
	Path       []tlog.Hash
	Checkpoint tlog.Signed
}

// Prove returns the proof of a record, making a checkpoint first when the record
// is younger than the last one. A record of another process's shard may be
// Unavailable until that process has made one.
func (db *DB) Prove(ctx context.Context, recordID string) (Proof, error) {
	p, err := db.prove(ctx, recordID)
	if errors.Is(err, errNotSigned) && p.Shard == db.cfg.Shard {
		if _, err := db.Checkpoint(ctx); err != nil {
			return Proof{}, err
		}
		p, err = db.prove(ctx, recordID)
	}
	return p, err
}

var errNotSigned = errors.New("record is under no checkpoint yet")

func (db *DB) prove(ctx context.Context, recordID string) (p Proof, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		err := tx.Row(`SELECT r.shard, r.idx, r.bytes, r.salt FROM record_id i
			JOIN record r ON r.shard = i.shard AND r.month = i.month AND r.idx = i.idx WHERE i.id = $1`, recordID).
			Scan(&p.Shard, &p.Index, &p.Record, &p.Salt)
		if err != nil {
			return err
		}
		if len(p.Salt) != tlog.SaltSize {
			return tampered("record "+recordID, fmt.Errorf("salt of %d bytes", len(p.Salt)))
		}
		p.Checkpoint, err = latestCheckpoint(tx, p.Shard)
		if errors.Is(err, ErrNoRow) || err == nil && p.Checkpoint.Size <= p.Index {
			return elicense.E(elicense.Unavailable, "该留痕尚未纳入签名的校验点，请稍后再试").Because(errNotSigned)
		}
		if err != nil {
			return err
		}
		p.Path, err = tlog.Inclusion(p.Index, p.Checkpoint.Size, nodes(tx, p.Shard, p.Checkpoint.Size))
		return err
	})
	return p, err
}

// Check returns nil when the proof holds under the log's public key. It needs no
// database.
func (p Proof) Check(key *ecdsa.PublicKey) error {
	if len(p.Salt) != tlog.SaltSize {
		return fmt.Errorf("salt of %d bytes", len(p.Salt))
	}
	if p.Checkpoint.Origin != tlog.ShardOrigin(p.Shard) {
		return fmt.Errorf("checkpoint of %s for a record of shard %d", p.Checkpoint.Origin, p.Shard)
	}
	if err := p.Checkpoint.Verify(key); err != nil {
		return err
	}
	leaf := tlog.RecordLeaf(p.Salt, p.Shard, p.Index, p.Record)
	return tlog.CheckInclusion(leaf, p.Index, p.Checkpoint.Size, p.Path, p.Checkpoint.Root)
}

// ReadProof makes a proof of its parts as they were handed out, for Check; the
// checkpoint's note must be in its one form.
func ReadProof(record, salt []byte, shard int, index uint64, path [][]byte, note, signature []byte) (Proof, error) {
	c, err := tlog.ParseCheckpoint(note)
	if err != nil {
		return Proof{}, err
	}
	p := Proof{
		Record: record, Salt: salt, Shard: shard, Index: index, Checkpoint: tlog.Signed{Checkpoint: c, Note: note, Signature: signature},
	}
	for i, h := range path {
		if len(h) != len(tlog.Hash{}) {
			return Proof{}, fmt.Errorf("step %d of the path has %d bytes", i, len(h))
		}
		p.Path = append(p.Path, tlog.Hash(h))
	}
	return p, nil
}

// nameText is what a platform's name is signed as. No checkpoint begins so.
func nameText(name string) []byte { return []byte("elicense/name\n" + name + "\n") }

// SignName signs the platform's name with the log's key, so that who holds the
// key can be told what it calls itself. Unavailable without a key.
func (db *DB) SignName(name string) ([]byte, error) {
	if db.cfg.LogSigner == nil {
		return nil, errNoLogKey()
	}
	return db.cfg.LogSigner.SignSM2(nameText(name))
}

// CheckName tells whether a platform's name was signed with the log's key.
func CheckName(key *ecdsa.PublicKey, name string, signature []byte) bool {
	return gm.Verify(key, nameText(name), signature)
}

// LogKey returns the public key of the log as a PUBLIC KEY block: what receipts,
// proofs and checkpoints are checked with. Unavailable without a key.
func (db *DB) LogKey() ([]byte, error) {
	if db.cfg.LogSigner == nil {
		return nil, errNoLogKey()
	}
	return gm.MarshalPublicKey(db.cfg.LogSigner.Public())
}

func errNoLogKey() error {
	return elicense.E(elicense.Unavailable, "平台的日志没有签名密钥").Then("请联系平台管理员配置日志密钥")
}

// logKey returns the public key checkpoints are signed with, nil without one.
func (db *DB) logKey() *ecdsa.PublicKey {
	if db.cfg.LogSigner == nil {
		return nil
	}
	return db.cfg.LogSigner.Public()
}
