// Package delivery brings a published license to its holder (发放, Art. 14(1)): the
// license and the other closing documents of its case in one act, a word over mail
// and SMS where the holder wants it, and the time he received it.
//
// What is published stands in the holder's folder with a notice in the same
// transaction; that is delivery. This room adds three things. A package (送达包): the
// very sealed files, listed on a sheet the unit seals (送达清单); the unit seals it
// and not the platform, because giving the documents is the unit's act. Messages:
// that something was issued, by whom, where to see it, and nothing a license says.
// Receipts: the holder opened it, or a person handed it over on paper.
//
// Each costs only where there is something to do. A batch of published licenses is
// one job, which writes nothing for licenses that came of no documents and whose
// holders left no address: their list is sealed when somebody asks for the package.
//
// An SMS is sent at most once, as far as the gateway keeps its side: every attempt
// bears the same idempotency number, and one whose answer was lost is repeated under
// it. Mail is sent at least once, under one Message-ID.
package delivery

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"elicense"
	"elicense/access"
	"elicense/document"
	"elicense/issuance"
	"elicense/jobs"
	"elicense/letters"
	"elicense/sealing"
	"elicense/sharing"
	"elicense/store"
)

// Channel is a way a holder is told.
type Channel string

// The channels besides the folder and its notices.
const (
	Mail Channel = "mail"
	SMS  Channel = "sms"
)

// Channels lists them in the order they are offered.
func Channels() []Channel { return []Channel{SMS, Mail} }

// Chinese returns the word shown to people.
func (c Channel) Chinese() string {
	switch c {
	case Mail:
		return "电子邮件"
	case SMS:
		return "短信"
	}
	return string(c)
}

// Config is what delivery needs; all of it is required but Log.
type Config struct {
	DB      *store.DB
	Guard   *access.Guard
	Seals   *sealing.Register
	Maker   *document.Maker // nil without fonts: lists wait
	Jobs    *jobs.Queue
	Trust   func(context.Context) (document.Options, error) // what uploaded documents are judged by
	Now     func() time.Time
	Sharing *sharing.Sharing // prints what is collected at a window
	// PublicURL is the platform's address, which messages and lists name.
	PublicURL string
	// Platform is what the platform calls itself in messages.
	Platform string
	Sample   bool // lists are marked as samples
	Log      *slog.Logger
}

// Desk delivers. Its methods are safe for concurrent use.
type Desk struct {
	Config
	press *letters.Press
	lines map[Channel]*line
}

// New returns the desk and lets it work its jobs of the queue. No channel sends until
// Connect names its sender.
func New(c Config) *Desk {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	d := &Desk{Config: c, press: &letters.Press{DB: c.DB, Seals: c.Seals, Maker: c.Maker}, lines: map[Channel]*line{}}
	for _, ch := range Channels() {
		d.lines[ch] = &line{now: c.Now}
	}
	c.Jobs.Handle(issuance.DeliverJob, d.deliver)
	c.Jobs.Handle(sealJob, d.seal)
	c.Jobs.Handle(sendJob, d.send)
	c.Jobs.Handle(issuance.WithdrawnJob, d.cancel)
	return d
}

// Connect names the sender of a channel; nil takes it away. Messages are written only
// for channels that have one.
func (d *Desk) Connect(ch Channel, s Sender) { d.lines[ch].connect(s) }

// Offered lists the channels that have a sender.
func (d *Desk) Offered() (list []Channel) {
	for _, ch := range Channels() {
		if d.lines[ch].sender() != nil {
			list = append(list, ch)
		}
	}
	return list
}

// packageID names the package of a license's version.
func packageID(id elicense.LicenseID, version int) string {
	return string(id) + "-" + strconv.Itoa(version)
}

func micros(t time.Time) []byte {
	if t.IsZero() {
		return nil
	}
	return []byte(strconv.FormatInt(t.UnixMicro(), 10))
}

func number(n int64) []byte { return []byte(strconv.FormatInt(n, 10)) }
