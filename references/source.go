package references

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/gm"
	"elicense/jobs"
	"elicense/org"
	"elicense/registry"
	"elicense/store"
	"elicense/verification"
)

// Kind is how a source returns licenses. A source of either kind may push.
type Kind string

// The kinds.
const (
	File Kind = "file" // it drops signed files
	HTTP Kind = "http" // it is asked what changed, and about single licenses
)

var kindWords = map[Kind]string{File: "文件交换", HTTP: "接口"}

// Chinese returns the word shown to people.
func (k Kind) Chinese() string { return kindWords[k] }

// SourceState tells whether a source is believed now.
type SourceState string

// The states of a source.
const (
	Live   SourceState = "live"   // 运行中
	Paused SourceState = "paused" // 已暂停: nothing it delivers is taken
)

var sourceWords = map[SourceState]string{Live: "运行中", Paused: "已暂停"}

// Chinese returns the word shown to people.
func (s SourceState) Chinese() string { return sourceWords[s] }

// Returns is a type a source returns, and how many hours one of its references may go
// unconfirmed before it counts as not heard of (陈旧).
type Returns struct {
	Type  elicense.TypeCode `json:"type"`
	Hours int               `json:"hours"`
}

// MaxHours bounds Hours: after so long everybody is told that the reference is old,
// whatever its source says.
const MaxHours = int(verification.StaleAfter / time.Hour)

// Source is a system of a ministry that returns licenses of types to one unit, which
// answers for them here.
type Source struct {
	ID       string // short: names its directory too
	Name     string
	Ministry string
	Unit     elicense.UnitCode
	Kind     Kind
	URL      string // of an HTTP source
	Key      string // its public key, PEM
	Types    []Returns
	State    SourceState
	Heard    time.Time // when it last delivered or answered; zero if never
	Trouble  string    // what is wrong with it now, a sentence; empty if nothing
	Changed  time.Time
	Seq      int64

	keyName string
	from    string // cursor of what it is asked next
}

func (s *Source) parts() ([]byte, [][]byte, error) {
	types, err := json.Marshal(s.Types)
	if err != nil {
		return nil, nil, fmt.Errorf("source: %w", err)
	}
	p := parts(s.Name, s.Ministry, string(s.Unit), string(s.Kind), s.URL, s.Key, s.keyName, string(types), string(s.State), s.from, s.Trouble, fmt.Sprint(s.Seq))
	return types, append(p, micros(s.Heard), micros(s.Changed)), nil
}

func sources(tx *store.Tx, where string, args ...any) ([]*Source, error) {
	return store.All(tx, func(r *store.Rows) (*Source, error) {
		var s Source
		var types string
		var mac []byte
		err := r.Scan(&s.ID, &s.Name, &s.Ministry, &s.Unit, &s.Kind, &s.URL, &s.Key, &s.keyName, &types, &s.State, &s.from, &s.Heard, &s.Trouble, &s.Changed, &s.Seq, &mac)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(types), &s.Types); err != nil {
			return nil, fmt.Errorf("source %s: %w", s.ID, err)
		}
		_, p, err := s.parts()
		if err != nil {
			return nil, err
		}
		return &s, tx.CheckMAC(mac, "ref_source", s.ID, p...)
	}, `SELECT id, name, ministry, unit, kind, url, key_pem, key_name, types, state, next_from, heard, trouble, changed, seq, mac FROM ref_source `+where, args...)
}

// SourceOf returns a source. Errors: NotFound.
func sourceOf(tx *store.Tx, id string) (*Source, error) {
	list, err := sources(tx, `WHERE id = $1`+tx.ForUpdate(), id)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, store.ErrNoRow
	}
	return list[0], nil
}

// put writes the source; one that changed meanwhile is a Conflict.
func (s *Source) put(tx *store.Tx) error {
	s.Seq++
	types, p, err := s.parts()
	if err != nil {
		return err
	}
	mac := tx.MAC("ref_source", s.ID, p...)
	if s.Seq == 1 {
		_, err = tx.Exec(`INSERT INTO ref_source (id, name, ministry, unit, kind, url, key_pem, key_name, types, state, next_from, heard, trouble, changed, seq, mac)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
			s.ID, s.Name, s.Ministry, s.Unit, s.Kind, s.URL, s.Key, s.keyName, string(types), s.State, s.from, s.Heard, s.Trouble, s.Changed, s.Seq, mac)
		if elicense.IsKind(err, elicense.Conflict) {
			return elicense.E(elicense.Conflict, "已有同名、同代号或同一公钥的来源系统").At("id").Because(err)
		}
		return err
	}
	n, err := tx.Exec(`UPDATE ref_source SET name = $1, ministry = $2, unit = $3, kind = $4, url = $5, key_pem = $6, key_name = $7, types = $8, state = $9,
		next_from = $10, heard = $11, trouble = $12, changed = $13, seq = $14, mac = $15 WHERE id = $16 AND seq = $17`,
		s.Name, s.Ministry, s.Unit, s.Kind, s.URL, s.Key, s.keyName, string(types), s.State, s.from, s.Heard, s.Trouble, s.Changed, s.Seq, mac, s.ID, s.Seq-1)
	if err == nil && n == 0 {
		return changedMeanwhile()
	}
	return err
}

func (s *Source) returns(t elicense.TypeCode) bool {
	return slices.ContainsFunc(s.Types, func(r Returns) bool { return r.Type == t })
}

// Answering names the source that says how a reference stands: one of its unit that
// returns its type, is live and was heard of within the time that is asked of it,
// without trouble. Empty if there is none.
func Answering(tx *store.Tx, lic *elicense.License) (string, error) {
	list, err := sources(tx, `WHERE unit = $1 AND state = $2 AND trouble = '' AND heard IS NOT NULL ORDER BY id`, lic.Issuer, Live)
	if err != nil {
		return "", err
	}
	for _, s := range list {
		for _, r := range s.Types {
			if r.Type == lic.Type && tx.Now().Before(s.Heard.Add(time.Duration(r.Hours)*time.Hour)) {
				return s.Name, nil
			}
		}
	}
	return "", nil
}

func (s *Source) publicKey() (*ecdsa.PublicKey, error) { return gm.ParsePublicKey([]byte(s.Key)) }

// actor is the source as who acts: a system of its unit, without an account.
func (s *Source) actor() *elicense.Actor {
	return &elicense.Actor{Kind: elicense.System, Name: s.Name, Unit: s.Unit, Level: 1}
}

// watch has the source looked at after a while.
func (s *Source) watch(tx *store.Tx, after time.Duration) error {
	kind := dropJob
	if s.Kind == HTTP {
		kind = pullJob
	}
	return jobs.Enqueue(tx, jobs.Job{Kind: kind, Key: s.ID, RunAt: tx.Now().Add(after), Payload: []byte(s.ID)})
}

var sourceID = regexp.MustCompile(`^[a-z][a-z0-9-]{1,30}$`)

const (
	maxName  = 60 // characters
	maxTypes = 50
)

func fits(s string, most int) bool { return s != "" && utf8.RuneCountInString(s) <= most }

// Register enters a source, or changes one that is known by its ID; Changed tells which
// one was seen, zero for a new one. Its cursor and what was heard of it stay.
//
// Errors: Invalid naming the field; Forbidden; Conflict for a name or key another has.
func (r *References) Register(ctx context.Context, actor *elicense.Actor, s Source) error {
	s.Name, s.Ministry, s.URL, s.Key = strings.TrimSpace(s.Name), strings.TrimSpace(s.Ministry), strings.TrimSpace(s.URL), strings.TrimSpace(s.Key)+"\n"
	bad := func(field, text string, args ...any) *elicense.Error {
		return elicense.E(elicense.Invalid, text, args...).At(field).Under("第十四条")
	}
	key, err := s.publicKey()
	switch {
	case !sourceID.MatchString(s.ID):
		return bad("id", "代号要以小写字母开头，只用小写字母、数字和短横线")
	case !fits(s.Name, maxName):
		return bad("name", "要写来源系统的名称，最多%d个字", maxName)
	case !fits(s.Ministry, maxName):
		return bad("ministry", "要写主管部委，最多%d个字", maxName)
	case s.Kind != File && s.Kind != HTTP:
		return bad("kind", "要选择文件交换或接口")
	case s.State != Live && s.State != Paused:
		return bad("state", "要选择运行中或已暂停")
	case len(s.Types) == 0 || len(s.Types) > maxTypes:
		return bad("types", "要有1到%d个回传的证照类别", maxTypes)
	case err != nil:
		return bad("key", "来源系统的SM2公钥读不出，要PEM格式")
	}
	if s.keyName, err = registry.KeyName(key); err != nil {
		return err
	}
	if s.Kind == HTTP {
		if err := registry.CheckAddress(s.URL); err != nil {
			return err
		}
	} else {
		s.URL = ""
	}
	return r.Guard.Write(ctx, request(actor, access.SourceKeep, s.Unit, map[string]string{"state": string(s.State)}), func(tx *store.Tx, p *access.Permit) error {
		if _, err := org.UnitOf(tx, s.Unit); err != nil {
			return bad("unitCode", "没有这个单位")
		}
		seen := map[elicense.TypeCode]bool{}
		for _, x := range s.Types {
			t, err := catalog.Current(tx, x.Type)
			if err != nil {
				return bad("types", "有没有登记的证照类别")
			}
			mode, err := catalog.ModeFor(tx, t, s.Unit)
			switch {
			case err != nil:
				return err
			case !t.Issued(s.Unit):
				return bad("types", "这个单位不是%s的签发单位", t.Name)
			case mode.Made():
				return bad("types", "%s在这个单位不是按照国家规范制作", t.Name)
			case x.Hours < 1 || x.Hours > MaxHours:
				return bad("hours", "更新周期要在1到%d小时之间", MaxHours)
			case seen[x.Type]:
				return bad("types", "%s写了两次", t.Name)
			}
			seen[x.Type] = true
		}
		fresh := s
		old, err := sourceOf(tx, s.ID)
		switch {
		case elicense.IsKind(err, elicense.NotFound) && s.Changed.IsZero():
			fresh.Seq = 0
		case err != nil:
			return err
		case s.Changed.IsZero():
			return elicense.E(elicense.Conflict, "已有同名、同代号或同一公钥的来源系统").At("id")
		case !s.Changed.Equal(old.Changed):
			return changedMeanwhile()
		default:
			if old.Unit != s.Unit {
				return bad("unitCode", "来源系统对应的单位不能改").Then("请另登记一个来源系统")
			}
			if old.Name != s.Name {
				return bad("name", "引用上写着来源系统的名称，不能改").Then("请另登记一个来源系统")
			}
			fresh.from, fresh.Heard, fresh.Trouble, fresh.Seq = old.from, old.Heard, old.Trouble, old.Seq
		}
		fresh.Changed = tx.Now()
		p.Note.Detail["source"] = s.ID
		if err := fresh.put(tx); err != nil {
			return err
		}
		if fresh.State == Live {
			return fresh.watch(tx, 0)
		}
		return nil
	})
}

// Health is a source with how it does.
type Health struct {
	*Source
	UnitName string
	Kept     int       // references it answers for
	Stale    int       // of those in force, not heard of within their hours
	Oldest   time.Time // when the longest unconfirmed one in force was confirmed; zero without any
	Open     int       // differences
	OpenFrom time.Time // since when the oldest is
	Last     *Delivery // nil if there is none
	Bad      int       // rows of its last ten deliveries that did not stand
	Agreed   int       // references whose last check agreed
	Doubtful int       // those where it did not, or got no answer
}

// Sources lists the sources with how they do: of the actor's unit, or of all units for
// the administration and supervision (all).
//
// Errors: Forbidden.
func (r *References) Sources(ctx context.Context, actor *elicense.Actor, all bool) ([]*Health, error) {
	unit := actor.Unit
	if all {
		unit = ""
	}
	list, _, err := access.Get(ctx, r.Guard, request(actor, access.ReferenceRead, unit, map[string]string{"list": "sources"}), func(tx *store.Tx, _ *access.Permit) (list []*Health, err error) {
		found, err := sources(tx, `WHERE $1 = '' OR unit = $2 ORDER BY unit, name`, unit, unit)
		for _, s := range found {
			h, err := s.health(tx)
			if err != nil {
				return nil, err
			}
			list = append(list, h)
		}
		return list, err
	})
	return list, err
}

func (s *Source) health(tx *store.Tx) (*Health, error) {
	h := &Health{Source: s}
	u, err := org.UnitOf(tx, s.Unit)
	if err != nil {
		return nil, err
	}
	h.UnitName = u.Name
	for _, x := range s.Types {
		var kept, stale int
		var oldest time.Time
		const from = `FROM ref_kept k JOIN license l ON l.owner = k.owner AND l.id = k.license WHERE k.source = $1 AND k.type = $2`
		if err := tx.Row(`SELECT COUNT(*) `+from, s.ID, x.Type).Scan(&kept); err != nil {
			return nil, err
		}
		if err := tx.Row(`SELECT COUNT(*) `+from+` AND l.state = 'published' AND l.contact < $3`, s.ID, x.Type, tx.Now().Add(-time.Duration(x.Hours)*time.Hour)).Scan(&stale); err != nil {
			return nil, err
		}
		if err := tx.Row(`SELECT MIN(l.contact) `+from+` AND l.state = 'published'`, s.ID, x.Type).Scan(&oldest); err != nil {
			return nil, err
		}
		h.Kept, h.Stale = h.Kept+kept, h.Stale+stale
		if !oldest.IsZero() && (h.Oldest.IsZero() || oldest.Before(h.Oldest)) {
			h.Oldest = oldest
		}
	}
	if err := tx.Row(`SELECT COUNT(*), MIN(found) FROM ref_difference WHERE source = $1 AND closed IS NULL`, s.ID).Scan(&h.Open, &h.OpenFrom); err != nil {
		return nil, err
	}
	if err := tx.Row(`SELECT COUNT(CASE WHEN outcome = $1 THEN 1 END), COUNT(CASE WHEN outcome <> $1 AND outcome <> '' THEN 1 END) FROM ref_kept WHERE source = $2`, Agrees, s.ID).
		Scan(&h.Agreed, &h.Doubtful); err != nil {
		return nil, err
	}
	last, err := deliveries(tx, `WHERE source = $1 ORDER BY at DESC, id DESC LIMIT 10`, s.ID)
	for n, d := range last {
		if n == 0 {
			h.Last = d
		}
		h.Bad += d.Bad
	}
	return h, err
}
