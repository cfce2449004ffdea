package store

import (
	"fmt"

	"elicense/tlog"
)

// NewestRecords returns the newest records of this process's shard, the newest
// first.
func (tx *Tx) NewestRecords(limit int) ([]Record, error) {
	rows, err := tx.Query(fmt.Sprintf(`SELECT idx, bytes FROM record WHERE shard = $1 ORDER BY month DESC, idx DESC LIMIT %d`, limit), tx.db.cfg.Shard)
	if err != nil {
		return nil, err
	}
	var out []Record
	for rows.Next() {
		var (
			index uint64
			data  []byte
		)
		if err := rows.Scan(&index, &data); err != nil {
			return nil, err
		}
		r, err := decodeRecord(data)
		if err != nil {
			return nil, tampered(fmt.Sprintf("record %d", index), err)
		}
		out = append(out, r)
	}
	return out, nil
}

// Decoded returns the record a proof is about.
func (p Proof) Decoded() (Record, error) { return decodeRecord(p.Record) }

// Leaf returns the record's leaf in the log.
func (p Proof) Leaf() tlog.Hash { return tlog.RecordLeaf(p.Salt, p.Shard, p.Index, p.Record) }
