// Package registry compares what a license is to say with the base registries:
// the population registry and the registries of those who register legal entities
// (Art. 9(2)). A table leads each holder to the registry that keeps him; the
// question goes out signed, and what comes back is only an outcome and the names
// of fields that differ, never a registry's value. What came back is kept, and so
// each registry's availability, answer time and open mismatches are known: the
// duty is theirs too.
package registry

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"elicense"
	"elicense/gm"
)

// ID names a base registry.
type ID string

// The base registries.
const (
	Population    ID = "population"    // 人口库
	Establishment ID = "establishment" // 机构编制部门登记的机关、事业单位、群团
	Civil         ID = "civil"         // 民政部门登记的社会组织
	Market        ID = "market"        // 市场监管部门登记的企业、个体工商户、合作社
	OtherEntities ID = "other"         // 其他登记管理部门登记的组织
)

// Registry is a base registry as people know it.
type Registry struct {
	ID   ID
	Name string
}

// All lists the registries in the order they are shown.
var All = []Registry{
	{Population, "全员人口库"}, {Market, "法人库（市场监管）"}, {Establishment, "法人库（机构编制）"}, {Civil, "法人库（民政）"},
	{OtherEntities, "法人库（其他登记管理部门）"},
}

// NameOf returns the name of a registry, empty if there is none such.
func NameOf(id ID) string {
	for _, r := range All {
		if r.ID == id {
			return r.Name
		}
	}
	return ""
}

// routes says which registry keeps whom: by the kind of his code and, of
// organizations, by who registers them, the first character of the code (GB
// 32100-2015). The first line that fits counts.
var routes = []struct {
	codes elicense.HolderCodeType
	first string // of the code; empty fits any
	to    ID
}{
	{elicense.CodeCitizen, "", Population},
	{"511", "", Population}, // 台湾居民来往大陆通行证
	{"516", "", Population}, // 港澳居民来往内地通行证
	{elicense.CodeUSCC, "1", Establishment},
	{elicense.CodeUSCC, "5", Civil},
	{elicense.CodeUSCC, "9", Market},
	{elicense.CodeUSCC, "", OtherEntities},
}

// Route returns the registry that keeps a holder; ok is false if none does.
func Route(h elicense.HolderRef) (id ID, ok bool) {
	for _, r := range routes {
		if r.codes == h.CodeType && strings.HasPrefix(h.Code, r.first) {
			return r.to, true
		}
	}
	return "", false
}

// compared are what is compared beside name and code: the keys of face fields that
// say it, and what it is called. A registry of persons is asked for nothing more:
// the other fields of a face may be of somebody else.
var compared = []struct {
	key, label string
}{{"legal_rep", "法定代表人"}, {"address", "住所"}}

const nameKey, nameLabel = "name", "姓名或名称"

func labelOf(key string) string {
	if key == nameKey {
		return nameLabel
	}
	for _, c := range compared {
		if c.key == key {
			return c.label
		}
	}
	return ""
}

// Outcome is what a base registry answers.
type Outcome string

// The outcomes of a comparison.
const (
	Match       Outcome = "match"       // 一致
	Mismatch    Outcome = "mismatch"    // 不一致
	NoSuch      Outcome = "not-found"   // 查无
	Unavailable Outcome = "unavailable" // 服务不可用
)

var outcomeWords = map[Outcome]string{Match: "一致", Mismatch: "不一致", NoSuch: "查无", Unavailable: "比对服务不可用"}

// Chinese returns the word shown to people.
func (o Outcome) Chinese() string { return outcomeWords[o] }

// Stops tells whether the outcome stops a license.
func (o Outcome) Stops() bool { return o == Mismatch || o == NoSuch }

// Comparison is one answer of a base registry, or that there was none.
type Comparison struct {
	ID       string        `json:"id"` // of its row
	Outcome  Outcome       `json:"outcome"`
	Registry string        `json:"registry"` // name of who was asked
	Asked    ID            `json:"asked"`    // empty if no registry keeps such holders
	Fields   []string      `json:"fields"`   // what does not match: labels
	Request  string        `json:"request"`  // number of the request
	Took     time.Duration `json:"took"`
	At       time.Time     `json:"at"`
}

// Question is what a registry is asked about a holder.
type Question struct {
	Registry ID                      `json:"registry"`
	Request  string                  `json:"request"`
	CodeType elicense.HolderCodeType `json:"codeType"`
	Code     string                  `json:"code"`
	Name     string                  `json:"name"`
	Fields   map[string]string       `json:"fields,omitempty"` // legal_rep, address
}

// Reply is all a registry says.
type Reply struct {
	Request string   `json:"request"`
	Outcome Outcome  `json:"outcome"`          // match, mismatch or not-found
	Fields  []string `json:"fields,omitempty"` // keys of the question that differ
}

// check refuses a reply that says more or other than a reply may: so a value of a
// registry can't come in as the name of a field.
func (r *Reply) check(q *Question) error {
	if r.Request != q.Request {
		return fmt.Errorf("%w: of another request", ErrAnswer)
	}
	if r.Outcome != Match && r.Outcome != Mismatch && r.Outcome != NoSuch || (r.Outcome == Mismatch) != (len(r.Fields) > 0) {
		return fmt.Errorf("%w: its outcome", ErrAnswer)
	}
	for _, f := range r.Fields {
		if _, asked := q.Fields[f]; f != nameKey && !asked {
			return fmt.Errorf("%w: a field that was not asked for", ErrAnswer)
		}
	}
	return nil
}

// Holdings is what a registry keeps. Answer compares and says only how it came
// out; an error means that it can't be said now. It is safe for concurrent use.
type Holdings interface {
	Answer(ctx context.Context, q Question) (Reply, error)
}

// Remote is a registry that is asked over HTTP.
type Remote struct {
	URL string           // the question is posted to URL/compare
	Key *ecdsa.PublicKey // signs its answers
}

// Config is what Registries need. A registry that is neither in Remote nor
// Embedded is unavailable.
type Config struct {
	Remote   map[ID]Remote
	Embedded Holdings  // answers in this process for registries not in Remote; may be nil
	Key      gm.Signer // signs questions; needed with Remote
	Now      func() time.Time
	Wait     time.Duration // for one try; 0 means 3 seconds
	Log      *slog.Logger  // nil discards
}

// Registries asks the base registries. Its methods are safe for concurrent use.
type Registries struct {
	now    func() time.Time
	log    *slog.Logger
	asks   map[ID]Holdings
	breaks map[ID]*breaker
	idle   []func()
}

// New returns the registries of a configuration.
func New(c Config) (*Registries, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	r := &Registries{now: c.Now, log: c.Log, asks: map[ID]Holdings{}, breaks: map[ID]*breaker{}}
	for id := range c.Remote {
		if NameOf(id) == "" {
			return nil, elicense.E(elicense.Invalid, "没有这个基础库").At("registry").Then("请核对基础库的代号")
		}
	}
	for _, x := range All {
		r.breaks[x.ID] = &breaker{now: c.Now}
		if at, ok := c.Remote[x.ID]; ok {
			ask, err := newClient(at, c)
			if err != nil {
				return nil, err
			}
			r.asks[x.ID] = ask
			r.idle = append(r.idle, ask.http.CloseIdleConnections)
		} else if c.Embedded != nil {
			r.asks[x.ID] = c.Embedded
		}
	}
	return r, nil
}

// Close ends the connections that are open.
func (r *Registries) Close() {
	for _, f := range r.idle {
		f()
	}
}

var errNobody = errors.New("the registry is not connected")

// Compare asks the registry that keeps the holder whether he is as the draft
// says. Where none keeps such holders, or it does not answer, the outcome is
// Unavailable; the error says why, for the log, and never holds what was asked.
func (r *Registries) Compare(ctx context.Context, h elicense.HolderRef, fields map[string]string) (Comparison, error) {
	c := Comparison{Outcome: Unavailable, Registry: "没有登记这类证件的基础库", At: r.now()}
	id, ok := Route(h)
	if !ok {
		return c, nil
	}
	c.Asked, c.Registry, c.Request = id, NameOf(id), newRequest(c.At)
	q := Question{Registry: id, Request: c.Request, CodeType: h.CodeType, Code: h.Code, Name: h.Name, Fields: map[string]string{}}
	if h.CodeType.Organization() {
		for _, x := range compared {
			if v := strings.TrimSpace(fields[x.key]); v != "" {
				q.Fields[x.key] = v
			}
		}
	}
	began := time.Now()
	reply, err := r.ask(ctx, q)
	c.Took = time.Since(began)
	if err != nil {
		return c, fmt.Errorf("registry %s: %w", id, err)
	}
	c.Outcome = reply.Outcome
	for _, key := range reply.Fields {
		if l := labelOf(key); !slices.Contains(c.Fields, l) {
			c.Fields = append(c.Fields, l)
		}
	}
	return c, nil
}

func (r *Registries) ask(ctx context.Context, q Question) (Reply, error) {
	ask, b := r.asks[q.Registry], r.breaks[q.Registry]
	if ask == nil {
		return Reply{}, errNobody
	}
	if !b.let() {
		return Reply{}, ErrOpen
	}
	reply, err := ask.Answer(ctx, q)
	if err == nil {
		err = reply.check(&q)
	}
	// Who asked went away: that says nothing of the registry.
	if b.note(err == nil, err != nil && ctx.Err() != nil) {
		r.log.WarnContext(ctx, "base registry is not asked for a while", "registry", q.Registry, "err", err)
	}
	return reply, err
}

func newRequest(at time.Time) string {
	return at.In(elicense.Shanghai).Format("20060102150405") + "-" + rand.Text()[:10]
}
