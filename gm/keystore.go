package gm

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// KeyStore keeps SM2 private keys in a folder, each encrypted with SM4-GCM under
// a key derived by argon2id from one passphrase. A key's file is bound to its
// name: exchanging two files is found when either is opened. Safe for
// concurrent use.
type KeyStore struct {
	dir  string
	aead cipher.AEAD

	mu   sync.Mutex
	open map[string]*SoftKey
}

var (
	// ErrPassphrase says that the passphrase is not the one the store was made with.
	ErrPassphrase = errors.New("wrong passphrase for the key store")
	// ErrKeyExists says that a key of that name is in the store already.
	ErrKeyExists = errors.New("a key of this name exists")
	// ErrNoKey says that no key of that name is in the store.
	ErrNoKey = errors.New("no key of this name")
	// ErrKeyName says that a name can't be used for a key.
	ErrKeyName = errors.New("a key name has 1 to 100 of the characters a-z A-Z 0-9 . _ -, the first a letter or digit")
)

const (
	headFile  = "keystore.json"
	keySuffix = ".key"
	checkName = "elicense key store check"
)

// keyStoreHead is the file that says how the passphrase becomes a key.
type keyStoreHead struct {
	Version int `json:"version"`
	Stretch
	Check []byte `json:"check"` // 16 random bytes encrypted under the derived key
}

// OpenKeyStore opens the store in dir, or makes one if dir holds none. The
// passphrase is stretched once, here (64 MiB, three passes). A wrong one gives
// ErrPassphrase.
func OpenKeyStore(dir string, passphrase []byte) (*KeyStore, error) {
	if len(passphrase) == 0 {
		return nil, fmt.Errorf("open key store %s: empty passphrase", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open key store: %w", err)
	}
	head, err := readHead(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return MakeKeyStore(dir, passphrase, NewStretch())
	}
	if err != nil {
		return nil, fmt.Errorf("open key store: %w", err)
	}
	aead, err := head.AEAD(passphrase)
	if err != nil {
		return nil, fmt.Errorf("open key store: %w", err)
	}
	if _, err := Decrypt(aead, head.Check, []byte(checkName)); err != nil {
		return nil, fmt.Errorf("open key store %s: %w", dir, ErrPassphrase)
	}
	return &KeyStore{dir: dir, aead: aead, open: map[string]*SoftKey{}}, nil
}

func readHead(dir string) (*keyStoreHead, error) {
	data, err := os.ReadFile(filepath.Join(dir, headFile))
	if err != nil {
		return nil, err
	}
	h := new(keyStoreHead)
	if err := json.Unmarshal(data, h); err != nil {
		return nil, fmt.Errorf("%s: %w", headFile, err)
	}
	if h.Version != 1 {
		return nil, fmt.Errorf("%s: unknown version", headFile)
	}
	return h, nil
}

// MakeKeyStore makes a store in dir, which has no keys yet, with a stretching of the
// caller's: it says for good how much work each guess at the passphrase is.
func MakeKeyStore(dir string, passphrase []byte, how Stretch) (*KeyStore, error) {
	s := &KeyStore{dir: dir, open: map[string]*SoftKey{}}
	if names, err := s.Names(); err != nil {
		return nil, err
	} else if len(names) > 0 {
		return nil, fmt.Errorf("open key store %s: %s is missing", dir, headFile)
	}
	h := &keyStoreHead{Version: 1, Stretch: how}
	var err error
	if s.aead, err = h.AEAD(passphrase); err != nil {
		return nil, fmt.Errorf("make key store: %w", err)
	}
	check := make([]byte, 16)
	rand.Read(check)
	h.Check = Encrypt(s.aead, check, []byte(checkName))
	data, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("make key store: %w", err)
	}
	if err := writeNew(dir, headFile, append(data, '\n')); err != nil {
		return nil, fmt.Errorf("make key store: %w", err)
	}
	return s, nil
}

var keyName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// Create makes a new random key and stores it under name before it returns. A
// name in use gives ErrKeyExists.
func (s *KeyStore) Create(name string) (Signer, error) {
	if !keyName.MatchString(name) {
		return nil, fmt.Errorf("create key %q: %w", name, ErrKeyName)
	}
	k, err := GenerateKey()
	if err != nil {
		return nil, err
	}
	if err := writeNew(s.dir, name+keySuffix, k.Enclose(s.aead, []byte("key:"+name))); err != nil {
		if errors.Is(err, fs.ErrExist) {
			err = ErrKeyExists
		}
		return nil, fmt.Errorf("create key %q: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[name] = k
	return k, nil
}

// Open returns the key stored under name; ErrNoKey if there is none, ErrDecrypt
// if its file was changed or belongs to another name.
func (s *KeyStore) Open(name string) (Signer, error) {
	if !keyName.MatchString(name) {
		return nil, fmt.Errorf("open key %q: %w", name, ErrKeyName)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.open[name]; k != nil {
		return k, nil
	}
	sealed, err := os.ReadFile(filepath.Join(s.dir, name+keySuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open key %q: %w", name, ErrNoKey)
	}
	if err != nil {
		return nil, fmt.Errorf("open key: %w", err)
	}
	k, err := OpenKey(s.aead, sealed, []byte("key:"+name))
	if err != nil {
		return nil, fmt.Errorf("open key %q: %w", name, err)
	}
	s.open[name] = k
	return k, nil
}

// Names lists the stored keys in ascending order.
func (s *KeyStore) Names() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), keySuffix); ok && keyName.MatchString(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// writeNew writes a file that must not exist yet, whole or not at all, and
// returns when it is on the disk. The last step is a link rather than a rename
// because a rename would silently replace a key another process just made.
func writeNew(dir, name string, data []byte) (err error) {
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}
