// Package references keeps the licenses that are made by the nation's rules and never
// here (Art. 7(1) last sentence): which system of a ministry returns them to which
// unit, what it delivered, what of it stood, when it was last heard of, and what is
// still awaited from ministries that return nothing yet (Art. 14(2): 积极争取).
//
// A source says of each license what it says and how it stands; what happened to the
// reference follows from that: it is entered, gets a new version, is suspended or
// ends as the state table of Art. 10 allows, or is confirmed without a version. So the
// same row may come again, by file, by push and by pull, and does nothing twice.
//
// A delivery is taken in pieces of rows, each with its count in one transaction, and
// is known by its batch: stopped anywhere, it goes on after the last piece. A row that
// can't stand is kept with its reason and leaves the others alone.
package references

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"elicense"
	"elicense/access"
	"elicense/gm"
	"elicense/jobs"
	"elicense/registry"
	"elicense/store"
)

// Signer is a key that signs with SM2.
type Signer = gm.Signer

// Config is what References need; Dir, Key and Log may be missing.
type Config struct {
	DB    *store.DB
	Guard *access.Guard
	Jobs  *jobs.Queue
	Dir   string    // holds a directory for each source that drops files; empty takes no files
	Key   gm.Signer // signs what sources are asked; nil asks none
	Now   func() time.Time
	Wait  time.Duration // for one try of asking; 0 means 3 seconds
	Log   *slog.Logger  // nil discards
}

// References keeps what national systems return. Its methods are safe for concurrent
// use.
type References struct {
	Config
	asks    asking
	waiting waiting
}

// New returns the references kept in c.DB and lets them work their jobs of the queue.
func New(c Config) *References {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	r := &References{Config: c, waiting: waiting{seen: map[string]map[string]sighting{}}}
	c.Jobs.Handle(dropJob, r.look)
	c.Jobs.Handle(pullJob, r.pull)
	return r
}

// Resume sees that files are looked for and sources are asked; called when the
// platform starts.
func (r *References) Resume(ctx context.Context) error {
	return r.DB.Update(ctx, func(tx *store.Tx) error {
		list, err := sources(tx, `WHERE state = $1`, Live)
		if err != nil {
			return err
		}
		for _, s := range list {
			if err := s.watch(tx, 0); err != nil {
				return err
			}
		}
		return nil
	})
}

func request(actor *elicense.Actor, act access.Act, unit elicense.UnitCode, detail map[string]string) func(*store.Tx) (access.Request, error) {
	return func(*store.Tx) (access.Request, error) {
		d := map[string]string{}
		for k, v := range detail {
			d[k] = v
		}
		return access.Request{
			Actor: actor, Act: act, On: access.Thing{Kind: "Source", ID: string(unit), Attr: access.Attr{"unit": string(unit)}}, Note: access.Note{Detail: d},
		}, nil
	}
}

func micros(t time.Time) []byte {
	if t.IsZero() {
		return nil
	}
	return []byte(strconv.FormatInt(t.UnixMicro(), 10))
}

func parts(s ...string) [][]byte {
	b := make([][]byte, len(s))
	for i, x := range s {
		b[i] = []byte(x)
	}
	return b
}

func changedMeanwhile() error {
	return elicense.E(elicense.Conflict, "刚刚有人改过").Then("请刷新，核对后再办")
}

// errNotAsked says that the platform has no key to ask sources with.
var errNotAsked = elicense.E(elicense.Unavailable, "平台没有向来源系统查询的密钥").Then("请运维人员检查密钥库")

// pushing, changing and checking are what is spoken about with sources.
var (
	// Pushing is how a source posts a Batch to the platform; the answer is a Receipt.
	Pushing = registry.Protocol{Name: "return", Path: "/api/v1/returns", MaxQuestion: 4 << 20, MaxAnswer: 1 << 20}
	// Changing is how the platform asks a source what changed: a Since, a Changes.
	Changing = registry.Protocol{Name: "changes", Path: "/changes", MaxQuestion: 16 << 10, MaxAnswer: 4 << 20}
	// Checking is how it asks about one license: a Row, a Verdict.
	Checking = registry.Protocol{Name: "check", Path: "/check", MaxQuestion: 256 << 10, MaxAnswer: 16 << 10}
)
