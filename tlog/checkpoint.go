package tlog

import (
	"crypto/ecdsa"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"elicense/gm"
)

// Checkpoint states what a log was at a time. Its text is what is signed, with
// SM2, and handed to witnesses:
//
//	elicense/shard-0
//	1234
//	root of 1234 records in base64
//	2026-03-10T01:30:00.000000Z
//
// The text of the root over all shards has the same four lines with the origin
// elicense/top; its leaves are the texts of the shards' checkpoints.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   Hash
	Time   time.Time
}

// TopOrigin is the origin of the root over the shards.
const TopOrigin = "elicense/top"

// ShardOrigin returns the origin of a shard's checkpoints.
func ShardOrigin(shard int) string { return "elicense/shard-" + strconv.Itoa(shard) }

const checkpointTime = "2006-01-02T15:04:05.000000Z"

// Text returns the text that is signed.
func (c Checkpoint) Text() []byte {
	return fmt.Appendf(nil, "%s\n%d\n%s\n%s\n", c.Origin, c.Size,
		base64.StdEncoding.EncodeToString(c.Root[:]), c.Time.UTC().Format(checkpointTime))
}

// ParseCheckpoint reads what Text made, and nothing else.
func ParseCheckpoint(text []byte) (Checkpoint, error) {
	lines := strings.Split(string(text), "\n")
	if len(lines) != 5 {
		return Checkpoint{}, fmt.Errorf("checkpoint has %d lines, want 4", len(lines)-1)
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint size: %w", err)
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != gm.DigestSize {
		return Checkpoint{}, fmt.Errorf("checkpoint root %q is not a digest in base64", lines[2])
	}
	at, err := time.Parse(checkpointTime, lines[3])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint time: %w", err)
	}
	c := Checkpoint{Origin: lines[0], Size: size, Root: Hash(root), Time: at.UTC()}
	if string(c.Text()) != string(text) {
		return Checkpoint{}, fmt.Errorf("checkpoint of %s is not in its one form", c.Origin)
	}
	return c, nil
}

// Signed is a checkpoint's text with its signature, which is nil where the log
// has no key.
type Signed struct {
	Checkpoint
	Note      []byte
	Signature []byte // SM2 over Note, DER
}

// Sign signs a checkpoint. A nil signer leaves it unsigned.
func Sign(c Checkpoint, signer gm.Signer) (Signed, error) {
	s := Signed{Checkpoint: c, Note: c.Text()}
	if signer == nil {
		return s, nil
	}
	var err error
	if s.Signature, err = signer.SignSM2(s.Note); err != nil {
		return Signed{}, fmt.Errorf("sign checkpoint of %s: %w", c.Origin, err)
	}
	return s, nil
}

// Verify returns nil when the note is the checkpoint's and signed by key.
func (s Signed) Verify(key *ecdsa.PublicKey) error {
	if string(s.Text()) != string(s.Note) {
		return fmt.Errorf("checkpoint of %s: its note says something else", s.Origin)
	}
	if !gm.Verify(key, s.Note, s.Signature) {
		return fmt.Errorf("checkpoint of %s at %d: signature does not hold", s.Origin, s.Size)
	}
	return nil
}
