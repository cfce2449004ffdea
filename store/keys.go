package store

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"elicense"
	"elicense/gm"
)

// SecretSize is the length in bytes of the key-encryption secret.
const SecretSize = 32

// purpose is what a data key is for. Each purpose has keys of its own; the
// newest seals, all of them open.
type purpose string

const (
	forFields purpose = "field" // SM4-GCM
	forIndex  purpose = "index" // HMAC-SM3 of what is searched for
	forMAC    purpose = "mac"   // HMAC-SM3 of decisive rows
)

var purposes = []purpose{forFields, forIndex, forMAC}

// dataKey is one key of the table data_key.
type dataKey struct {
	id      uint32
	purpose purpose
	secret  []byte
	aead    cipher.AEAD // of a field key
	code    *gm.MACKey  // of the other keys
}

// keyring holds the data keys, opened.
type keyring struct {
	db     *DB
	mu     sync.RWMutex
	byID   map[uint32]*dataKey
	newest map[purpose]*dataKey
}

// keyIDSize is the length of the key id that stands before everything made
// with a data key.
const keyIDSize = 4

// openKeys loads the data keys and makes the first of each purpose.
func openKeys(ctx context.Context, db *DB) (*keyring, error) {
	k := &keyring{db: db}
	if err := k.load(ctx); err != nil {
		return nil, err
	}
	for _, p := range purposes {
		if k.newest[p] == nil {
			if err := k.add(ctx, p); err != nil {
				return nil, err
			}
		}
	}
	return k, nil
}

// wrapper returns the cipher that wraps data keys: SM4 under a key derived from
// the secret.
func (k *keyring) wrapper() (cipher.AEAD, error) {
	return gm.NewAEAD(gm.MAC(k.db.cfg.Secret, []byte("elicense data key"))[:gm.KeySize])
}

func (k *keyring) load(ctx context.Context) error {
	wrap, err := k.wrapper()
	if err != nil {
		return err
	}
	byID, newest := map[uint32]*dataKey{}, map[purpose]*dataKey{}
	err = k.db.View(ctx, func(tx *Tx) error {
		rows, err := tx.Query("SELECT id, purpose, sealed FROM data_key ORDER BY id")
		if err != nil {
			return err
		}
		for rows.Next() {
			key := &dataKey{}
			var sealed []byte
			if err := rows.Scan(&key.id, &key.purpose, &sealed); err != nil {
				return err
			}
			if key.secret, err = gm.Decrypt(wrap, sealed, bound(key.id, string(key.purpose))); err != nil {
				return elicense.E(elicense.Unavailable, "数据密钥无法解开，口令或密钥文件与数据不符").
					Because(fmt.Errorf("data key %d: %w", key.id, err))
			}
			if key.purpose != forFields {
				key.code = gm.NewMACKey(key.secret)
			} else {
				if key.aead, err = gm.NewAEAD(key.secret[:gm.KeySize]); err != nil {
					return err
				}
			}
			byID[key.id], newest[key.purpose] = key, key
		}
		return nil
	})
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.byID, k.newest = byID, newest
	return nil
}

// add makes a new key of a purpose, which from then on seals.
func (k *keyring) add(ctx context.Context, p purpose) error {
	wrap, err := k.wrapper()
	if err != nil {
		return err
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	err = k.db.Update(ctx, func(tx *Tx) error {
		var id uint32
		if err := tx.Row("SELECT COALESCE(MAX(id), 0) + 1 FROM data_key").Scan(&id); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT INTO data_key (id, purpose, sealed, created) VALUES ($1, $2, $3, $4)",
			id, p, gm.Encrypt(wrap, secret, bound(id, string(p))), tx.Now())
		return err
	})
	if err != nil && !isConflict(err) { // Conflict: another process was first
		return err
	}
	return k.load(ctx)
}

// RotateKeys makes a new key of each purpose. What was sealed under the older
// ones is still opened; Indexes returns the codes under all of them.
func (db *DB) RotateKeys(ctx context.Context) error {
	for _, p := range purposes {
		if err := db.keys.add(ctx, p); err != nil {
			return fmt.Errorf("new %s key: %w", p, err)
		}
	}
	return nil
}

func (k *keyring) current(p purpose) *dataKey {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.newest[p]
}

// find returns the key that made sealed, and the rest of sealed. Another process
// may have made a key since the last look.
func (k *keyring) find(p purpose, sealed []byte) (*dataKey, []byte, error) {
	if len(sealed) < keyIDSize {
		return nil, nil, gm.ErrDecrypt
	}
	id := binary.BigEndian.Uint32(sealed)
	for again := false; ; again = true {
		k.mu.RLock()
		key := k.byID[id]
		k.mu.RUnlock()
		if key != nil && key.purpose == p {
			return key, sealed[keyIDSize:], nil
		}
		if again || key != nil {
			return nil, nil, fmt.Errorf("%s key %d is not known: %w", p, id, gm.ErrDecrypt)
		}
		if err := k.load(context.Background()); err != nil {
			return nil, nil, err
		}
	}
}

// bound makes the data a cipher text is bound to: the key id, then each part
// with its length.
func bound(id uint32, parts ...string) []byte {
	size := 4
	for _, p := range parts {
		size += 4 + len(p)
	}
	out := binary.BigEndian.AppendUint32(make([]byte, 0, size), id)
	for _, p := range parts {
		out = binary.BigEndian.AppendUint32(out, uint32(len(p)))
		out = append(out, p...)
	}
	return out
}

// ErrTampered says that stored data is not what the platform stored: a cipher
// text, a decisive row or a file was changed or stands in another's place. Its
// kind is Unavailable: what it said can not be known.
var ErrTampered = errors.New("stored data was changed behind the platform's back")

func tampered(what string, cause error) error {
	return elicense.E(elicense.Unavailable, "存储的数据未通过完整性校验，已停止使用").
		Because(fmt.Errorf("%s: %w (%w)", what, ErrTampered, cause))
}

// Encrypt seals a field: key id, then SM4-GCM bound to table, row, column and
// key id, so that a cipher text opens nowhere else.
func (db *DB) Encrypt(table, row, column string, plain []byte) []byte {
	return db.appendEncrypt(nil, table, row, column, plain)
}

// appendEncrypt is Encrypt behind what stands in out, which it may extend.
func (db *DB) appendEncrypt(out []byte, table, row, column string, plain []byte) []byte {
	key := db.keys.current(forFields)
	out = slices.Grow(out, keyIDSize+key.aead.NonceSize()+len(plain)+key.aead.Overhead())
	out = binary.BigEndian.AppendUint32(out, key.id)
	return gm.AppendEncrypt(out, key.aead, plain, bound(key.id, table, row, column))
}

// Decrypt opens what Encrypt sealed for the same table, row and column. The
// error wraps ErrTampered when it does not authenticate.
func (db *DB) Decrypt(table, row, column string, sealed []byte) ([]byte, error) {
	key, rest, err := db.keys.find(forFields, sealed)
	if err == nil {
		var plain []byte
		if plain, err = gm.Decrypt(key.aead, rest, bound(key.id, table, row, column)); err == nil {
			return plain, nil
		}
	}
	if !errors.Is(err, gm.ErrDecrypt) {
		return nil, err
	}
	return nil, tampered(fmt.Sprintf("%s %s, column %s", table, row, column), err)
}

// Index returns the keyed code under which value is stored and found without
// being readable: key id, then HMAC-SM3. kind separates domains (身份证号 and
// 统一社会信用代码 of the same digits have different codes).
func (db *DB) Index(kind, value string) []byte {
	return db.keys.current(forIndex).index(kind, value)
}

// Indexes returns the codes of value under every index key, newest first: what
// was stored before a rotation is found under an older one.
func (db *DB) Indexes(kind, value string) [][]byte { return db.indexes(kind, []string{value})[0] }

// indexes returns Indexes of each of many values.
func (db *DB) indexes(kind string, values []string) [][][]byte {
	db.keys.mu.RLock()
	defer db.keys.mu.RUnlock()
	texts := make([]gm.MACText, len(values))
	for i, v := range values {
		texts[i] = gm.TextOf([]byte(kind), []byte(v))
	}
	out := make([][][]byte, len(values))
	for id := db.keys.newest[forIndex].id; id > 0; id-- {
		if key := db.keys.byID[id]; key != nil && key.purpose == forIndex {
			for i, code := range key.code.Each(texts) {
				out[i] = append(out[i], key.sign(code))
			}
		}
	}
	return out
}

func (key *dataKey) index(kind, value string) []byte {
	return key.sign(key.code.MAC([]byte(kind), []byte(value)))
}

// MAC returns the code of a decisive row: key id, then HMAC-SM3 over the table,
// the row's key and the parts that decide.
func (db *DB) MAC(table, row string, parts ...[]byte) []byte {
	return db.keys.current(forMAC).mac(table, row, parts)
}

func (key *dataKey) mac(table, row string, parts [][]byte) []byte {
	return key.sign(key.code.Of(macText(table, row, parts)))
}

func macText(table, row string, parts [][]byte) gm.MACText {
	return gm.TextOf(append([][]byte{[]byte(table), []byte(row)}, parts...)...)
}

// sign says of a code that it was made with the key.
func (key *dataKey) sign(code []byte) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(code)), key.id), code...)
}

// Code is the MAC of a row, as an argument of the statement that writes it: it is
// made when that runs, with those of the rows that are written with it.
type Code struct {
	key  *dataKey
	text gm.MACText
}

// makeCodes puts the codes themselves in the place of each Code among the values
// of statements.
func makeCodes(rows ...[]any) {
	type place struct {
		in *any
		*Code
	}
	var places []place
	for _, values := range rows {
		for i := range values {
			if c, ok := values[i].(*Code); ok {
				places = append(places, place{&values[i], c})
			}
		}
	}
	for len(places) > 0 {
		key, texts, rest := places[0].key, make([]gm.MACText, 0, len(places)), places[:0:0]
		for _, p := range places {
			if p.key == key {
				texts = append(texts, p.text)
			}
		}
		codes := key.code.Each(texts)
		for _, p := range places {
			if p.key != key {
				rest = append(rest, p)
				continue
			}
			*p.in, codes = key.sign(codes[0]), codes[1:]
		}
		places = rest
	}
}

// CheckMAC returns nil when code is the row's MAC, and an error that wraps
// ErrTampered and names the row when it is not.
func (db *DB) CheckMAC(code []byte, table, row string, parts ...[]byte) error {
	key, _, err := db.keys.find(forMAC, code)
	if err != nil && !errors.Is(err, gm.ErrDecrypt) {
		return err
	}
	if err == nil && gm.EqualMAC(code, key.mac(table, row, parts)) {
		return nil
	}
	return tampered(fmt.Sprintf("%s %s", table, row), errors.New("its code does not match"))
}

// Encrypt is DB.Encrypt.
func (tx *Tx) Encrypt(table, row, column string, plain []byte) []byte {
	return tx.db.Encrypt(table, row, column, plain)
}

// Decrypt is DB.Decrypt.
func (tx *Tx) Decrypt(table, row, column string, sealed []byte) ([]byte, error) {
	return tx.db.Decrypt(table, row, column, sealed)
}

// Index is DB.Index.
func (tx *Tx) Index(kind, value string) []byte { return tx.Indexes(kind, value)[0] }

// Indexes is DB.Indexes.
func (tx *Tx) Indexes(kind, value string) [][]byte {
	if known := tx.indexed[[2]string{kind, value}]; known != nil {
		return known
	}
	return tx.db.Indexes(kind, value)
}

// ForeseeIndexes has the transaction make the indexes of many values at once.
func (tx *Tx) ForeseeIndexes(kind string, values []string) {
	if tx.indexed == nil {
		tx.indexed = map[[2]string][][]byte{}
	}
	for i, all := range tx.db.indexes(kind, values) {
		tx.indexed[[2]string{kind, values[i]}] = all
	}
}

// MAC is DB.MAC for a statement of the transaction.
func (tx *Tx) MAC(table, row string, parts ...[]byte) *Code {
	return &Code{tx.db.keys.current(forMAC), macText(table, row, parts)}
}

// CheckMAC is DB.CheckMAC.
func (tx *Tx) CheckMAC(code []byte, table, row string, parts ...[]byte) error {
	return tx.db.CheckMAC(code, table, row, parts...)
}
