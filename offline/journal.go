package offline

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"elicense/gm"
)

// Act is what an entry of the journal says was done.
type Act string

// The acts.
const (
	ActOpen   Act = "open"   // an officer opened the kit
	ActEnter  Act = "enter"  // a row was entered; it has the number from here on
	ActVoid   Act = "void"   // an entered row was given up, and its number with it
	ActIntend Act = "intend" // the key is about to be used
	ActSeal   Act = "seal"   // the file is there
	ActClock  Act = "clock"  // an officer says why the clock was put right
	ActExport Act = "export" // a package was made
)

// Entry is one line of a journal. Times are those of the machine.
type Entry struct {
	N       int       `json:"n"` // from 1
	At      time.Time `json:"at"`
	Session int       `json:"session"` // counts the starts of the station
	// Up is for how long the station was running, in milliseconds by a clock nobody
	// can set. Within a session it and At go on together, unless At is set.
	Up     int64  `json:"up"`
	By     Role   `json:"by"`
	Act    Act    `json:"act"`
	Number int    `json:"number,omitempty"`
	Digest string `json:"sm3,omitempty"` // of the row entered, the face intended, the file sealed; hexadecimal
	Note   string `json:"note,omitempty"`
	Before string `json:"before"` // digest of the line before; the kit's number in the first
}

// Line is an entry as it stands: its text and the signature of who made it.
type line struct {
	Entry
	text   []byte
	digest string
}

// newLine writes an entry under its maker's key.
func newLine(e Entry, key gm.Signer) (*line, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("journal entry %d: %w", e.N, err)
	}
	sig, err := key.SignSM2(text)
	if err != nil {
		return nil, fmt.Errorf("journal entry %d: %w", e.N, err)
	}
	text = append(append(text, ' '), base64.StdEncoding.EncodeToString(sig)...)
	return &line{e, text, digestOf(text)}, nil
}

func digestOf(b []byte) string {
	sum := gm.Sum(b)
	return hex.EncodeToString(sum[:])
}

// Reasons why a journal is not one.
var (
	errJournalLine  = errors.New("a line is no entry")
	errJournalChain = errors.New("the entries do not follow each other: one was changed, taken out or put in")
	errJournalSign  = errors.New("an entry is not signed by the officer it names")
)

// maxJournal bounds a journal in entries.
const maxJournal = 20_000

// readJournal reads a journal of the kit and sees that every entry is whole, signed
// by its officer, and follows the one before. torn is how many bytes at the end are
// of a line that was being written.
func readJournal(k *Kit, data []byte) (list []*line, torn int, err error) {
	keys := map[Role]*gm.Certificate{}
	for _, h := range k.Hands {
		pub, err := gm.ParsePublicKey(h.Public)
		if err != nil {
			return nil, 0, err
		}
		keys[h.Role] = &gm.Certificate{Key: pub}
	}
	before := k.ID
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			return list, len(data), nil
		}
		text := data[:end]
		data = data[end+1:]
		at := bytes.LastIndexByte(text, ' ')
		if at < 0 || len(list) >= maxJournal {
			return nil, 0, errJournalLine
		}
		l := &line{text: text, digest: digestOf(text)}
		sig, err := base64.StdEncoding.DecodeString(string(text[at+1:]))
		if err != nil {
			return nil, 0, errJournalLine
		}
		if err := json.Unmarshal(text[:at], &l.Entry); err != nil {
			return nil, 0, errJournalLine
		}
		if l.N != len(list)+1 || l.Before != before {
			return nil, 0, errJournalChain
		}
		if key := keys[l.By]; key == nil || !gm.Verify(key.Key, text[:at], sig) {
			return nil, 0, errJournalSign
		}
		before = l.digest
		list = append(list, l)
	}
	return list, 0, nil
}

func joinLines(list []*line) []byte {
	var b bytes.Buffer
	for _, l := range list {
		b.Write(l.text)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// clockSlack is how far the two clocks of a machine may drift apart in a session.
const clockSlack = 2 * time.Minute

// clock follows the times of a journal's entries.
type clock struct {
	latest  time.Time // the latest time so far
	session int
	began   time.Time // when the session began, by its first entry
	up      int64
}

// past takes in an entry and tells by how much its clock was set back, 0 if it was
// not: it is earlier than one before, or less time went by than the station ran.
func (c *clock) past(e *Entry) time.Duration {
	var back time.Duration
	if e.Session != c.session {
		c.session, c.began, c.up = e.Session, e.At, e.Up
	}
	if ran := time.Duration(e.Up-c.up) * time.Millisecond; ran-e.At.Sub(c.began) > clockSlack {
		back = ran - e.At.Sub(c.began)
	}
	if e.At.Before(c.latest) {
		back = max(back, c.latest.Sub(e.At))
	} else {
		c.latest = e.At
	}
	return back
}
