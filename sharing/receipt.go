package sharing

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/store"
)

// Receipt is what the officer keeps of a use (用证凭据; Art. 13, 16, 17(1)): that
// at that time, for that case, the platform was asked about that license and how
// it stood. It is a JSON file that is checked with the public key of the
// platform's log and nothing else:
//
//	record      the bytes of the record, as text: a JSON object of its own
//	salt, shard, index
//	            with them the record's leaf in the log
//	path        the neighbors from the leaf up to the root, in hex
//	checkpoint  the signed text that states the root
//	signature   of the checkpoint, SM2 in DER, in base64
//	platform, platformSignature
//	            what the platform calls itself, signed with the same key
//	checked     for people: what the record says, decoded
//
// What was checked is thus said twice in the file and once in the code: Check
// decodes the record anew and refuses a file whose checked says anything else.
// Version 1 is this form with the members of Checked as they are now. A record
// that says more, or a change of these members, is a new version, whose number
// decides how the record is decoded.
//
// A receipt shows no content of a license: the record holds none. It says what
// was asked and answered, and not that the officer judged rightly.
type Receipt struct {
	Format            string   `json:"format"` // receiptFormat
	Version           int      `json:"version"`
	Platform          string   `json:"platform"`
	PlatformSignature string   `json:"platformSignature"` // base64
	Checked           Checked  `json:"checked"`
	Record            string   `json:"record"`
	Salt              string   `json:"salt"` // hex
	Shard             int      `json:"shard"`
	Index             uint64   `json:"index"`
	Path              []string `json:"path"` // hex
	Checkpoint        string   `json:"checkpoint"`
	Signature         string   `json:"signature"` // base64
}

const (
	receiptFormat  = "elicense/receipt"
	receiptVersion = 1
)

// The limits of a receipt: of the file in bytes, four times a record since it is
// escaped, decoded and has a proof; of the path in hashes, that of a log of 2^64.
const (
	MaxReceipt = 4 * store.MaxRecord
	maxPath    = 64
)

// Checked is what a record of a use says of what was checked. Codes are the
// record's own; nothing is looked up.
type Checked struct {
	Record      elicense.RecordID  `json:"record"`
	Time        time.Time          `json:"time"` // UTC
	Act         string             `json:"act"`  // query, verify, compare
	Outcome     string             `json:"outcome"`
	Refusal     string             `json:"refusal,omitempty"` // kind of error, if it was refused
	Unit        elicense.UnitCode  `json:"unit"`
	Account     elicense.AccountID `json:"account"`
	Officer     string             `json:"officer"`
	Case        elicense.CaseID    `json:"case"`
	Purpose     string             `json:"purpose"`
	Basis       string             `json:"basis"`
	Material    string             `json:"material,omitempty"`
	LicenseType elicense.TypeCode  `json:"licenseType"`
	License     elicense.LicenseID `json:"license,omitempty"`
	Version     string             `json:"licenseVersion,omitempty"`
	Status      elicense.Status    `json:"status,omitempty"`
	AsOf        string             `json:"asOf,omitempty"` // RFC 3339: how fresh the status was
	Fields      []string           `json:"fields,omitempty"`
	Rule        string             `json:"rule"`
	Clause      string             `json:"clause"`
	More        map[string]string  `json:"more,omitempty"` // what else the record says
}

// checkedOf decodes the record of a use by the rules of version 1.
func checkedOf(r store.Record) Checked {
	c := Checked{
		Record: elicense.RecordID(r.ID), Time: r.Time, Outcome: r.Outcome, Unit: elicense.UnitCode(r.Unit), Account: elicense.AccountID(r.Actor),
		Officer: r.ActorName, Case: elicense.CaseID(r.Case), Purpose: r.Purpose, Basis: r.Basis, LicenseType: elicense.TypeCode(r.LicenseType),
		License: elicense.LicenseID(r.License), Fields: r.Fields, Rule: r.Rule, Clause: r.Clause,
	}
	for k, v := range r.Detail {
		switch k {
		case "act":
			c.Act = v
		case "kind":
			c.Refusal = v
		case "material":
			c.Material = v
		case "version":
			c.Version = v
		case "status":
			c.Status = elicense.Status(v)
		case "asOf":
			c.AsOf = v
		default:
			if c.More == nil {
				c.More = map[string]string{}
			}
			c.More[k] = v
		}
	}
	return c
}

// Receipts hands out receipts of uses.
type Receipts struct {
	db       *store.DB
	guard    *access.Guard
	platform string
}

// NewReceipts returns the receipts of the uses on record in db. platform is what
// the platform calls itself, one line.
func NewReceipts(db *store.DB, guard *access.Guard, platform string) *Receipts {
	return &Receipts{db, guard, platform}
}

// Get returns the receipt of a use of a case, to the officer who made it and to
// the auditor; a use that was refused or found nothing has one too. Fetching it
// is itself on the record.
//
// Errors: Forbidden, also if there is no such use, except that the auditor is
// told NotFound; Unavailable if the record is under no checkpoint yet or the log
// has no key.
func (rs *Receipts) Get(ctx context.Context, actor *elicense.Actor, id elicense.CaseID, record elicense.RecordID) (*Receipt, error) {
	var used bool
	build := func(tx *store.Tx) (access.Request, error) {
		req := access.Request{
			Actor: actor, Act: access.ReceiptRead, On: access.Thing{Kind: "Record", ID: "none", Attr: access.Attr{"actor": ""}},
			Note: access.Note{Case: id, Basis: "用证凭据"},
		}
		if !elicense.ValidID(record) {
			return req, nil
		}
		req.Note.Detail = map[string]string{"record": string(record)}
		r, _, err := tx.RecordByID(string(record))
		if elicense.IsKind(err, elicense.NotFound) {
			return req, nil
		}
		if err != nil {
			return access.Request{}, err
		}
		if used = r.Act == string(access.CaseUse) && r.Case == string(id) && id != ""; used {
			req.On = access.Thing{Kind: "Record", ID: r.ID, Attr: access.Attr{"actor": r.Actor}}
		}
		return req, nil
	}
	_, err := rs.guard.Read(ctx, build, func(*store.Tx, *access.Permit) error {
		if !used {
			return elicense.E(elicense.NotFound, "办件里没有这次用证").At("record").Then("请从办件里的用证凭据下载")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	p, err := rs.db.Prove(ctx, string(record))
	if err != nil {
		return nil, err
	}
	return rs.receipt(p)
}

func (rs *Receipts) receipt(p store.Proof) (*Receipt, error) {
	rec, err := p.Decoded()
	if err != nil {
		return nil, err
	}
	signed, err := rs.db.SignName(rs.platform)
	if err != nil {
		return nil, err
	}
	r := &Receipt{
		Format: receiptFormat, Version: receiptVersion, Platform: rs.platform, PlatformSignature: base64.StdEncoding.EncodeToString(signed),
		Checked: checkedOf(rec), Record: string(p.Record), Salt: hex.EncodeToString(p.Salt), Shard: p.Shard, Index: p.Index, Path: []string{},
		Checkpoint: string(p.Checkpoint.Note), Signature: base64.StdEncoding.EncodeToString(p.Checkpoint.Signature),
	}
	for _, h := range p.Path {
		r.Path = append(r.Path, hex.EncodeToString(h[:]))
	}
	return r, nil
}

// Bytes returns the file.
func (r *Receipt) Bytes() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(r)
	return b.Bytes(), err
}

// Name is what the file is called.
func (r *Receipt) Name() string { return "receipt-" + string(r.Checked.Record) + ".json" }

// The parts of a receipt that can be wrong, as the Field of an error of
// ParseReceipt and Check.
const (
	PartForm       = "form"       // it is not a receipt, or not in its form
	PartCheckpoint = "checkpoint" // not signed with this key
	PartRecord     = "record"     // record, salt, place or path: it is not in the log as it stands here
	PartChecked    = "checked"    // says something else than the record
	PartPlatform   = "platform"   // the name was not signed with this key
)

func errForm(cause error) error {
	return elicense.E(elicense.Invalid, "这不是完整的用证凭据文件").At(PartForm).Then("请重新下载，不要用别的程序改存").Because(cause)
}

// ParseReceipt reads a receipt file of at most MaxReceipt bytes, from anyone. It
// judges the form alone; nothing it returns is to be relied on before Check.
//
// Errors: Invalid at PartForm.
func ParseReceipt(b []byte) (*Receipt, error) {
	if len(b) > MaxReceipt {
		return nil, errForm(fmt.Errorf("more than %d bytes", MaxReceipt))
	}
	if err := namedOnce(json.NewDecoder(bytes.NewReader(b))); err != nil {
		return nil, errForm(err)
	}
	var r Receipt
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, errForm(err)
	}
	if err := r.wrote(b); err != nil {
		return nil, errForm(err)
	}
	switch {
	case r.Format != receiptFormat:
		return nil, errForm(fmt.Errorf("format %q", r.Format))
	case r.Version != receiptVersion:
		return nil, elicense.E(elicense.Invalid, "这份凭据的版本这个程序不认识").At(PartForm).Then("请用新版本的程序核验")
	}
	if _, err := r.proof(); err != nil {
		return nil, errForm(err)
	}
	if _, err := unbase64(r.PlatformSignature); err != nil {
		return nil, errForm(err)
	}
	return &r, nil
}

// wrote refuses a file that holds other members than Bytes writes, or lacks one.
func (r *Receipt) wrote(b []byte) error {
	own, err := r.Bytes()
	if err != nil {
		return err
	}
	var want, got any
	if err := errors.Join(json.Unmarshal(own, &want), json.Unmarshal(b, &got)); err != nil {
		return err
	}
	if !reflect.DeepEqual(want, got) {
		return errors.New("members are missing or unknown")
	}
	return nil
}

// maxDepth bounds the nesting of a receipt's JSON, which needs two.
const maxDepth = 4

// namedOnce reads one JSON value and refuses an object that names a member
// twice, in any case of letters: readers differ in which of the two they show.
func namedOnce(d *json.Decoder) error {
	var open []map[string]bool // nil for an array
	name := false              // the next string names a member
	for {
		t, err := d.Token()
		if err != nil {
			return err
		}
		inObject := len(open) > 0 && open[len(open)-1] != nil
		switch t := t.(type) {
		case json.Delim:
			switch t {
			case '{':
				open = append(open, map[string]bool{})
			case '[':
				open = append(open, nil)
			default:
				open = open[:len(open)-1]
			}
			if len(open) > maxDepth {
				return errors.New("nested too deep")
			}
		case string:
			if inObject && name {
				key := strings.ToLower(t)
				if open[len(open)-1][key] {
					return fmt.Errorf("member %q stands twice", t)
				}
				open[len(open)-1][key] = true
				name = false
				continue
			}
		}
		if len(open) == 0 {
			return nil
		}
		name = open[len(open)-1] != nil
	}
}

// proof decodes the parts that prove the record.
func (r *Receipt) proof() (store.Proof, error) {
	salt, err := unhex(r.Salt)
	if err != nil {
		return store.Proof{}, fmt.Errorf("salt: %w", err)
	}
	signature, err := unbase64(r.Signature)
	if err != nil {
		return store.Proof{}, fmt.Errorf("signature: %w", err)
	}
	if len(r.Path) > maxPath {
		return store.Proof{}, fmt.Errorf("path of %d hashes", len(r.Path))
	}
	path := make([][]byte, len(r.Path))
	for i, h := range r.Path {
		if path[i], err = unhex(h); err != nil {
			return store.Proof{}, fmt.Errorf("path: %w", err)
		}
	}
	if len(r.Record) > store.MaxRecord {
		return store.Proof{}, fmt.Errorf("record of %d bytes", len(r.Record))
	}
	return store.ReadProof([]byte(r.Record), salt, r.Shard, r.Index, path, []byte(r.Checkpoint), signature)
}

// unhex and unbase64 read what was written in the one form it is written in.
func unhex(s string) ([]byte, error) {
	b, err := hex.DecodeString(s)
	if err == nil && hex.EncodeToString(b) != s {
		err = errors.New("hex in another form")
	}
	return b, err
}

func unbase64(s string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err == nil && base64.StdEncoding.EncodeToString(b) != s {
		err = errors.New("base64 in another form")
	}
	return b, err
}

// Check returns nil when the receipt holds under the public key of a platform's
// log. It needs no database and no network.
//
// Errors: Invalid, its Field the part that is wrong. A receipt of another
// platform fails at PartCheckpoint.
func (r *Receipt) Check(logKey *ecdsa.PublicKey) error {
	p, err := r.proof()
	if err != nil {
		return errForm(err)
	}
	if err := p.Checkpoint.Verify(logKey); err != nil {
		return elicense.E(elicense.Invalid, "校验点不是用给出的日志公钥签名的，或被改动过").At(PartCheckpoint).
			Then("请核对公钥是不是出具凭据的平台的").Because(err)
	}
	wrong := elicense.E(elicense.Invalid, "记录或它在日志里的位置被改动过，不在平台签名的日志里").At(PartRecord)
	if err := p.Check(logKey); err != nil {
		return wrong.Because(err)
	}
	rec, err := p.Decoded()
	if err != nil {
		return wrong.Because(err)
	}
	if rec.Act != string(access.CaseUse) {
		return elicense.E(elicense.Invalid, "这条记录不是用证的记录").At(PartRecord)
	}
	if same, err := says(r.Checked, checkedOf(rec)); err != nil || !same {
		return elicense.E(elicense.Invalid, "凭据上写的和平台的记录不一致").At(PartChecked).Because(err)
	}
	signature, err := unbase64(r.PlatformSignature)
	if err != nil || !store.CheckName(logKey, r.Platform, signature) {
		return elicense.E(elicense.Invalid, "平台名称不是用给出的日志公钥签名的，或被改动过").At(PartPlatform).Because(err)
	}
	return nil
}

// says tells whether two say the same to the letter.
func says(a, b Checked) (bool, error) {
	x, err := json.Marshal(a)
	if err != nil {
		return false, err
	}
	y, err := json.Marshal(b)
	return bytes.Equal(x, y), err
}
