package offline

import (
	"crypto/cipher"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/catalog"
	"elicense/document"
	"elicense/gm"
	"elicense/issuance"
	"elicense/store"
)

// Station is the machine a kit is used at: a folder with the journal, the rows and
// the files, and an officer at a time who opened the kit with his PIN. It is safe
// for concurrent use, and one folder is used by one station at a time.
//
// A row is written before the journal says so, the key is used after the journal
// says that it will be: a stop at any line loses nothing that was said to be done,
// and no number is used twice.
type Station struct {
	kit   *KitFile
	maker *document.Maker
	dir   string
	now   func() time.Time
	lock  *os.File
	start time.Time // with the reading of a clock nobody can set, where now has one

	mu      sync.Mutex
	lines   []*line
	clock   clock
	session int
}

// OpenStation takes the folder for a kit. The folder is made if it is not there;
// one of another kit is refused.
//
// Errors: Conflict for a folder in use or of another kit; Unavailable for one whose
// journal is not whole.
func OpenStation(k *KitFile, dir string, now func() time.Time) (*Station, error) {
	for _, d := range []string{dir, filepath.Join(dir, "rows"), filepath.Join(dir, "files")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("folder of the station: %w", err)
		}
	}
	s := &Station{kit: k, maker: document.NewMaker(k.Set), dir: dir, now: now, start: now()}
	var err error
	if s.lock, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("folder of the station: %w", err)
	}
	if err := syscall.Flock(int(s.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		s.lock.Close()
		return nil, elicense.E(elicense.Conflict, "这个目录正被另一个离线制证程序使用").Then("请先关闭那个程序").Because(err)
	}
	if err := s.load(); err != nil {
		s.lock.Close()
		return nil, err
	}
	return s, nil
}

// load reads the journal; a line that was being written when the machine stopped
// was never said to be done, and is cut off.
func (s *Station) load() error {
	if id, err := os.ReadFile(s.path("kit")); err == nil && string(id) != s.kit.ID {
		return elicense.E(elicense.Conflict, "这个目录是另一个离线工具包的").Then("请换一个目录")
	} else if errors.Is(err, fs.ErrNotExist) {
		err = writeFile(s.path("kit"), []byte(s.kit.ID))
		if err != nil {
			return err
		}
	} else if err != nil {
		return fmt.Errorf("folder of the station: %w", err)
	}
	data, err := os.ReadFile(s.path("journal"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("journal: %w", err)
	}
	lines, torn, err := readJournal(s.kit.Kit, data)
	if err != nil {
		return elicense.E(elicense.Unavailable, "离线日志不完整或被改动过，不能再用这个目录制证").Then("请保留这个目录，联系本单位管理人员").Because(err)
	}
	if torn > 0 {
		if err := os.Truncate(s.path("journal"), int64(len(data)-torn)); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
	}
	s.lines = lines
	for _, l := range lines {
		s.clock.past(&l.Entry)
		s.session = max(s.session, l.Session)
	}
	s.session++
	return nil
}

func (s *Station) path(name ...string) string {
	return filepath.Join(append([]string{s.dir}, name...)...)
}

// Close gives the folder back.
func (s *Station) Close() error { return s.lock.Close() }

// Kit is what the station's kit says.
func (s *Station) Kit() *Kit { return s.kit.Kit }

// Officer is who opened the kit at a station.
type Officer struct {
	*Hand
	station *Station
	key     *gm.SoftKey
	data    cipher.AEAD
}

// maxWrong is how many wrong PINs in a row lock a folder. Who copies the kit can go
// on trying elsewhere; each PIN costs him what its stretching costs, and the kit is
// good for a day.
const maxWrong = 10

// Open lets an officer in.
//
// Errors: Forbidden for a wrong PIN, with how many are left; NotFound for a role
// the kit has not.
func (s *Station) Open(role Role, pin string) (*Officer, error) {
	h := s.kit.Hand(role)
	if h == nil {
		return nil, elicense.E(elicense.NotFound, "工具包里没有这个岗位").At("role")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	wrong := s.wrong(role)
	if wrong >= maxWrong {
		return nil, elicense.E(elicense.Forbidden, "口令连续输错%d次，这个目录里的工具包已锁定", maxWrong).At("pin").Then("请在平台上注销这个工具包，另行导出")
	}
	// Counted before it is tried: a stop in between must not give another try.
	if err := s.setWrong(role, wrong+1); err != nil {
		return nil, err
	}
	key, data, err := h.open(s.kit.ID, pin)
	if errors.Is(err, errPIN) {
		return nil, elicense.E(elicense.Forbidden, "口令不对，还可以输%d次", maxWrong-wrong-1).At("pin")
	}
	if err != nil {
		return nil, fmt.Errorf("open the kit: %w", err)
	}
	if role == Reviews && !s.kit.cert.Key.Equal(key.Public()) {
		return nil, badKit(errors.New("the certificate is of another key"))
	}
	o := &Officer{Hand: h, station: s, key: key}
	if o.data, err = gm.NewAEAD(data); err != nil {
		return nil, err
	}
	if err := s.setWrong(role, 0); err != nil {
		return nil, err
	}
	return o, nil
}

func (s *Station) wrong(role Role) int {
	b, err := os.ReadFile(s.path("wrong-" + string(role)))
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return maxWrong
	}
	return n
}

func (s *Station) setWrong(role Role, n int) error {
	return writeFile(s.path("wrong-"+string(role)), []byte(strconv.Itoa(n)))
}

// errClock says that the machine's clock is behind what was written before.
func errClock(latest, now time.Time) error {
	return elicense.E(elicense.Conflict, "时钟被拨回：上一条记录是%s，这台机器现在是%s", clockWords(latest), clockWords(now)).At("clock").Under("第七条第二款").
		Then("请把时钟校准；确认是以前走快了，请写明原因后再办")
}

func clockWords(t time.Time) string { return t.In(elicense.Shanghai).Format("01-02 15:04") }

// inTerm sees that the kit is good at a time of the machine.
func (s *Station) inTerm(at time.Time) error {
	if from, to := s.kit.cert.Validity(); at.Before(from) || at.After(to) {
		return elicense.E(elicense.Expired, "工具包从%s到%s有效，这台机器现在是%s", clockWords(from), clockWords(to), clockWords(at)).Under("第七条第二款").
			Then("请核对时钟；工具包过期的，请在平台上重新导出")
	}
	return nil
}

// write adds an entry to the journal; it is durable when write returns.
func (s *Station) write(o *Officer, act Act, number int, digest, note string) error {
	at := s.now().UTC().Truncate(time.Millisecond)
	if act != ActExport {
		if err := s.inTerm(at); err != nil {
			return err
		}
	}
	e := Entry{
		N: len(s.lines) + 1, At: at, Session: s.session, Up: s.now().Sub(s.start).Milliseconds(), By: o.Role, Act: act,
		Number: number, Digest: digest, Note: note, Before: s.kit.ID,
	}
	if n := len(s.lines); n > 0 {
		last := s.lines[n-1]
		e.Before = last.digest
		if act != ActClock && act != ActExport && at.Before(last.At) {
			return errClock(last.At, at)
		}
	}
	l, err := newLine(e, o.key)
	if err != nil {
		return err
	}
	if err := appendFile(s.path("journal"), append(l.text, '\n')); err != nil {
		return err
	}
	s.lines = append(s.lines, l)
	s.clock.past(&l.Entry)
	return nil
}

// Begin writes that the officer opened the kit. It is the first thing he does.
func (o *Officer) Begin() error {
	o.station.mu.Lock()
	defer o.station.mu.Unlock()
	return o.station.write(o, ActOpen, 0, "", "")
}

// SetRight says why the machine's clock was put back. What is made from here on, up
// to the time it had shown before, is named when the package is taken in.
func (o *Officer) SetRight(reason string) error {
	if reason = strings.TrimSpace(reason); reason == "" || utf8.RuneCountInString(reason) > maxReason {
		return elicense.E(elicense.Invalid, "要写明为什么调整时钟，最多%d个字", maxReason).At("reason")
	}
	o.station.mu.Lock()
	defer o.station.mu.Unlock()
	return o.station.write(o, ActClock, 0, "", reason)
}

// maxReason bounds reasons in characters.
const maxReason = 200

// Row is a completed case entered at a station.
type Row struct {
	Number     int                 `json:"number"`
	Completion issuance.Completion `json:"completion"`
	Entered    time.Time           `json:"entered"`
}

// RowState is where a row stands at the station.
type RowState string

// The states of a row at the station.
const (
	RowEntered RowState = "entered" // 待审核签章
	RowSealed  RowState = "sealed"  // 已签章
	RowVoid    RowState = "void"    // 作废
)

var rowWords = map[RowState]string{RowEntered: "待审核签章", RowSealed: "已签章，待登记", RowVoid: "作废"}

// Chinese returns the word shown to people.
func (s RowState) Chinese() string { return rowWords[s] }

// Made is a row as the station's lists show it.
type Made struct {
	Row
	State  RowState
	Type   *catalog.Type
	Draft  *issuance.Draft
	Sealed time.Time
	Note   string // why it was given up
}

// Left is how many numbers of the block are free.
func (s *Station) Left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.kit.Numbers) - s.used()
}

func (s *Station) used() (last int) {
	for _, l := range s.lines {
		if l.Act == ActEnter {
			last = max(last, l.Number)
		}
	}
	return last
}

// draft lays out the draft of a row.
func (s *Station) draft(r *Row) (*issuance.Draft, *catalog.Type, error) { return draftOf(s.kit.Kit, r) }

// draftOf is the draft of a row of a kit.
func draftOf(k *Kit, r *Row) (*issuance.Draft, *catalog.Type, error) {
	t := k.Type(r.Completion.Type)
	if t == nil {
		return nil, nil, elicense.E(elicense.Invalid, "工具包里没有这一类证照").At("type")
	}
	n := k.number(r.Number)
	if n == nil {
		return nil, nil, elicense.E(elicense.Invalid, "编号%d不在工具包的号段里", r.Number).At("number")
	}
	d, c, err := issuance.OfflineDraft(t, k.Unit, n.Place, k.CheckURL, r.Completion, r.Entered)
	if err != nil {
		return nil, nil, err
	}
	r.Completion = c
	return d, t, nil
}

// Check says what is wrong with a row before it is entered, without a number. It
// gives the findings, of which warnings stop nothing.
func (s *Station) Check(c issuance.Completion) ([]catalog.Finding, error) {
	d, _, err := s.draft(&Row{Number: 1, Completion: c, Entered: s.now()})
	if err != nil {
		return nil, err
	}
	return d.Findings, nil
}

// Enter takes the next number for a completed case. The case must not have been
// entered before.
//
// Errors: Invalid naming the field; Conflict; Expired outside the kit's term;
// TooMany when the block is used up; Forbidden for who does not enter.
func (o *Officer) Enter(c issuance.Completion) (*Made, error) {
	if o.Role != Drafts {
		return nil, elicense.E(elicense.Forbidden, "审核签章的人不能制证").Under("第七条第一款").Then("请由制证人员录入")
	}
	s := o.station
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &Row{Number: s.used() + 1, Completion: c, Entered: s.now().UTC().Truncate(time.Millisecond)}
	if r.Number > len(s.kit.Numbers) {
		return nil, elicense.E(elicense.TooMany, "号段已用完，共%d个", len(s.kit.Numbers)).Then("请在平台上另行导出工具包")
	}
	d, t, err := s.draft(r)
	if err != nil {
		return nil, err
	}
	for _, f := range d.Findings {
		if !f.Warning {
			return nil, elicense.E(elicense.Invalid, "%s：%s", f.Label, f.Text).At(f.Field)
		}
	}
	if err := o.notTwice(d, t); err != nil {
		return nil, err
	}
	if _, err := issuance.Layout(s.maker, t, d, s.kit.UnitName, s.kit.Sample); err != nil {
		return nil, err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("row %d: %w", r.Number, err)
	}
	if err := writeFile(s.path("rows", name(r.Number)), gm.Encrypt(o.data, text, rowBound(s.kit.ID, r.Number))); err != nil {
		return nil, err
	}
	if err := s.write(o, ActEnter, r.Number, digestOf(text), ""); err != nil {
		return nil, err
	}
	return &Made{Row: *r, State: RowEntered, Type: t, Draft: d}, nil
}

// notTwice sees that neither the case's result nor the number on the face was
// entered before.
func (o *Officer) notTwice(d *issuance.Draft, t *catalog.Type) error {
	list, err := o.rows()
	if err != nil {
		return err
	}
	for _, m := range list {
		if m.State == RowVoid {
			continue
		}
		number := d.Fields[t.Roles.Number]
		switch {
		case m.Draft.Case == d.Case && m.Draft.Item == d.Item:
			return elicense.E(elicense.Conflict, "这个办件的同一结果已经录入，编号%d", m.Number).At("case").Under("第七条第一款")
		case number != "" && m.Type.Code == t.Code && m.Draft.Fields[t.Roles.Number] == number:
			return elicense.E(elicense.Conflict, "证照编号已经用在编号%d上", m.Number).At(t.Roles.Number).Under("第九条第一款")
		}
	}
	return nil
}

// Rows lists what was entered, in order of the numbers.
func (o *Officer) Rows() ([]*Made, error) {
	o.station.mu.Lock()
	defer o.station.mu.Unlock()
	return o.rows()
}

func (o *Officer) rows() (list []*Made, err error) {
	at := map[int]*Made{}
	for _, l := range o.station.lines {
		switch l.Act {
		case ActEnter:
			m, err := o.read(l.Number, l.Digest)
			if err != nil {
				return nil, err
			}
			at[l.Number] = m
			list = append(list, m)
		case ActVoid:
			at[l.Number].State, at[l.Number].Note = RowVoid, l.Note
		case ActSeal:
			at[l.Number].State, at[l.Number].Sealed = RowSealed, l.At
		}
	}
	return list, nil
}

func (o *Officer) read(number int, digest string) (*Made, error) {
	s := o.station
	b, err := os.ReadFile(s.path("rows", name(number)))
	if err != nil {
		return nil, damaged(number, err)
	}
	r, err := openRow(o.data, s.kit.ID, number, digest, b)
	if err != nil {
		return nil, damaged(number, err)
	}
	m := &Made{Row: *r, State: RowEntered}
	if m.Draft, m.Type, err = s.draft(&m.Row); err != nil {
		return nil, damaged(number, err)
	}
	return m, nil
}

func damaged(number int, cause error) error {
	return elicense.E(elicense.Unavailable, "编号%d的内容缺失或被改动过", number).Then("请保留这个目录，联系本单位管理人员").Because(cause)
}

var errDigest = errors.New("not what the journal says")

// openRow decrypts a row and compares it with the journal.
func openRow(data cipher.AEAD, kit string, number int, digest string, sealed []byte) (*Row, error) {
	text, err := gm.Decrypt(data, sealed, rowBound(kit, number))
	if err != nil {
		return nil, err
	}
	if digestOf(text) != digest {
		return nil, errDigest
	}
	var r Row
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, err
	}
	if r.Number != number {
		return nil, errDigest
	}
	return &r, nil
}

func (o *Officer) one(number int, states ...RowState) (*Made, error) {
	list, err := o.rows()
	if err != nil {
		return nil, err
	}
	for _, m := range list {
		if m.Number != number {
			continue
		}
		for _, st := range states {
			if m.State == st {
				return m, nil
			}
		}
		return nil, elicense.E(elicense.Conflict, "编号%d现在是“%s”，不能这样办", number, m.State.Chinese()).Then("请刷新后核对")
	}
	return nil, elicense.E(elicense.NotFound, "没有录入过编号%d", number).At("number")
}

// Preview draws the pages of a row as they will be sealed, one SVG a page.
func (o *Officer) Preview(number int) ([][]byte, error) {
	o.station.mu.Lock()
	defer o.station.mu.Unlock()
	m, err := o.one(number, RowEntered, RowSealed)
	if err != nil {
		return nil, err
	}
	p, err := issuance.Layout(o.station.maker, m.Type, m.Draft, o.station.kit.UnitName, o.station.kit.Sample)
	if err != nil {
		return nil, err
	}
	return p.SVGWithSeal(o.station.kit.seal)
}

// Void gives up a row that is not sealed yet, and its number with it.
func (o *Officer) Void(number int, reason string) error {
	if reason = strings.TrimSpace(reason); reason == "" || utf8.RuneCountInString(reason) > maxReason {
		return elicense.E(elicense.Invalid, "要写明作废的原因，最多%d个字", maxReason).At("reason")
	}
	o.station.mu.Lock()
	defer o.station.mu.Unlock()
	if _, err := o.one(number, RowEntered); err != nil {
		return err
	}
	return o.station.write(o, ActVoid, number, "", reason)
}

// Seal seals an entered row: the reviewer's act. A stop in the middle is made good
// by calling it again.
//
// Errors: Forbidden for who does not seal; Conflict; Expired.
func (o *Officer) Seal(number int) error {
	if o.Role != Reviews {
		return elicense.E(elicense.Forbidden, "制证的人不能审核签章").Under("第七条第一款").Then("请由审核签章人员办理")
	}
	s := o.station
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := o.one(number, RowEntered)
	if err != nil {
		return err
	}
	p, err := issuance.Layout(s.maker, m.Type, m.Draft, s.kit.UnitName, s.kit.Sample)
	if err != nil {
		return err
	}
	digest := p.Digest()
	if err := s.write(o, ActIntend, number, hex.EncodeToString(digest[:]), ""); err != nil {
		return err
	}
	store.CrashPoint("station.intent")
	// The time of the entry: what the file claims is what the journal says.
	at := s.lines[len(s.lines)-1].At
	file, err := p.Seal(document.Stamp{Seal: s.kit.seal, Signer: o.key, Cert: s.kit.cert, Time: at, Provider: "elicense offline"})
	if err != nil {
		return fmt.Errorf("seal number %d: %w", number, err)
	}
	if err := writeFile(s.path("files", name(number)), gm.Encrypt(o.data, file, fileBound(s.kit.ID, number))); err != nil {
		return err
	}
	// No file leaves before the journal says that it is there: one sealed by a run
	// that was stopped here is sealed anew.
	store.CrashPoint("station.sealed")
	return s.write(o, ActSeal, number, digestOf(file), "")
}

// File returns a sealed file.
func (o *Officer) File(number int) ([]byte, error) {
	o.station.mu.Lock()
	defer o.station.mu.Unlock()
	if _, err := o.one(number, RowSealed); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(o.station.path("files", name(number)))
	if err != nil {
		return nil, damaged(number, err)
	}
	file, err := gm.Decrypt(o.data, b, fileBound(o.station.kit.ID, number))
	if err != nil {
		return nil, damaged(number, err)
	}
	for _, l := range o.station.lines {
		if l.Act == ActSeal && l.Number == number && l.Digest == digestOf(file) {
			return file, nil
		}
	}
	return nil, damaged(number, errDigest)
}

// Print returns a sealed license in its print form, which says that it awaits
// registration, as PDF.
func (o *Officer) Print(number int) ([]byte, error) {
	file, err := o.File(number)
	if err != nil {
		return nil, err
	}
	o.station.mu.Lock()
	m, err := o.one(number, RowSealed)
	o.station.mu.Unlock()
	if err != nil {
		return nil, err
	}
	c, err := o.station.maker.Draw(file)
	if err != nil {
		return nil, fmt.Errorf("print number %d: %w", number, err)
	}
	return c.Print(document.Print{Identifier: string(m.Draft.Identifier), Printed: o.station.now(), By: o.Name, QR: m.Draft.CheckURL, Waiting: true})
}

// Export makes the package of everything done so far.
func (o *Officer) Export() ([]byte, error) {
	s := o.station
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := o.rows(); err != nil {
		return nil, err
	}
	if err := s.write(o, ActExport, 0, "", ""); err != nil {
		return nil, err
	}
	return pack(s)
}

// Journal returns the entries so far.
func (s *Station) Journal() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Entry, len(s.lines))
	for i, l := range s.lines {
		list[i] = l.Entry
	}
	return list
}

func name(number int) string { return fmt.Sprintf("%04d", number) }

func rowBound(kit string, number int) []byte  { return []byte(kit + "/rows/" + name(number)) }
func fileBound(kit string, number int) []byte { return []byte(kit + "/files/" + name(number)) }

// writeFile makes a file that is durable when it returns and never half there.
func writeFile(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("station: %w", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("station: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("station: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func appendFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("station: %w", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("station: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("station: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("station: %w", err)
	}
	return nil
}
