package cases

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"elicense"
	"elicense/access"
	"elicense/store"
)

// GivenWay is how a material of a case was met.
type GivenWay string

// The ways a material is met. ByPaper is paper asked for although a license of
// the platform could have met it: it needs a reason and is counted (Art. 12).
const (
	ByLicense GivenWay = "license" // a license of the platform
	ByFile    GivenWay = "file"    // uploaded
	ByForm    GivenWay = "form"    // filled in
	ByPaper   GivenWay = "paper"   // paper anyway
	LaterWay  GivenWay = "later"   // 容缺受理: to be given by a day
	ByPromise GivenWay = "promise" // 告知承诺
)

var givenWords = map[GivenWay]string{
	ByLicense: "电子证照", ByFile: "上传", ByForm: "填表", ByPaper: "收取纸质", LaterWay: "容缺受理", ByPromise: "告知承诺",
}

// Chinese returns the word shown to people.
func (w GivenWay) Chinese() string { return givenWords[w] }

// PaperReason is why paper was taken although the platform has licenses of the
// kind (Art. 12). The set is closed, and each is checked.
type PaperReason string

// The reasons.
const (
	PaperMissing PaperReason = "missing" // 缺证: reported to the issuing unit
	PaperWrong   PaperReason = "wrong"   // 错证: reported to the issuing unit
	PaperFailure PaperReason = "failure" // 系统故障: the record must show it
	PaperLegal   PaperReason = "legal"   // 法定原件: by the basis of the material list
	PaperWish    PaperReason = "wish"    // 申请人自愿: with his signature or tap
)

var paperWords = map[PaperReason]string{
	PaperMissing: "缺证", PaperWrong: "错证", PaperFailure: "系统故障", PaperLegal: "法定原件", PaperWish: "申请人自愿",
}

// Chinese returns the word shown to people.
func (r PaperReason) Chinese() string { return paperWords[r] }

// PaperReasons lists the reasons in the order they are offered.
func PaperReasons() []PaperReason {
	return []PaperReason{PaperMissing, PaperWrong, PaperFailure, PaperLegal, PaperWish}
}

// Given is how one material of a case was met.
type Given struct {
	Place    int
	Way      GivenWay
	Reason   PaperReason // of paper
	Basis    BasisID     // of legal originals
	Could    bool        // a license of the platform could have met it
	Happened time.Time
	Due      time.Time // 容缺: the day it is to be given
	By       elicense.AccountID
	GivenContent
}

// GivenContent is what only the case's people see.
type GivenContent struct {
	License elicense.LicenseID `json:"license,omitempty"`
	Version int                `json:"version,omitempty"`
	Party   int                `json:"party,omitempty"`
	File    string             `json:"file,omitempty"` // name in the file store
	Digest  string             `json:"digest,omitempty"`
	Name    string             `json:"name,omitempty"` // as the applicant called it
	Kind    string             `json:"kind,omitempty"` // media type
	Note    string             `json:"note,omitempty"`
}

func givenRow(id elicense.CaseID, place int) string { return string(id) + "/" + strconv.Itoa(place) }

func (g *Given) parts(content []byte) [][]byte {
	return [][]byte{[]byte(g.Way), []byte(g.Reason), []byte(g.Basis), []byte(strconv.FormatBool(g.Could)), []byte(strconv.FormatInt(g.Happened.UnixMicro(), 10)), []byte(g.By), content}
}

// PutGiven writes how a material of the case is met, in the caller's transaction,
// which has asked the law.
func PutGiven(tx *store.Tx, k *Case, g *Given) error {
	g.Happened = tx.Now()
	content, err := json.Marshal(g.GivenContent)
	if err != nil {
		return fmt.Errorf("material of case %s: %w", k.ID, err)
	}
	row := givenRow(k.ID, g.Place)
	_, err = tx.Exec(`INSERT INTO case_material (case_id, place, way, reason, basis, unit, matter, account, could, happened, due, content_enc, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (case_id, place) DO UPDATE SET way = excluded.way, reason = excluded.reason, basis = excluded.basis, account = excluded.account,
		could = excluded.could, happened = excluded.happened, due = excluded.due, content_enc = excluded.content_enc, mac = excluded.mac`,
		k.ID, g.Place, g.Way, g.Reason, g.Basis, k.Unit, k.Matter, g.By, g.Could, g.Happened, optional(g.Due),
		tx.Encrypt("case_material", row, "content_enc", content), tx.MAC("case_material", row, g.parts(content)...))
	return err
}

// GivenOf returns how the materials of a case were met, by their place.
func GivenOf(tx *store.Tx, id elicense.CaseID) (map[int]*Given, error) {
	list, err := store.Keep(tx, "given "+string(id), func() ([]*Given, error) { return givenOf(tx, id) })
	if err != nil {
		return nil, err
	}
	m := make(map[int]*Given, len(list))
	for _, kept := range list {
		g := *kept
		m[g.Place] = &g
	}
	return m, nil
}

func givenOf(tx *store.Tx, id elicense.CaseID) ([]*Given, error) {
	return store.All(tx, func(r *store.Rows) (*Given, error) {
		var g Given
		var b, mac []byte
		if err := r.Scan(&g.Place, &g.Way, &g.Reason, &g.Basis, &g.By, &g.Could, &g.Happened, &g.Due, &b, &mac); err != nil {
			return nil, err
		}
		row := givenRow(id, g.Place)
		b, err := tx.Decrypt("case_material", row, "content_enc", b)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, &g.GivenContent); err != nil {
			return nil, fmt.Errorf("material of case %s: %w", id, err)
		}
		return &g, tx.CheckMAC(mac, "case_material", row, g.parts(b)...)
	}, `SELECT place, way, reason, basis, account, could, happened, due, content_enc, mac FROM case_material WHERE case_id = $1`, id)
}

// Attach keeps a file for a material: given by the applicant while he fills in or
// corrects, or taken in by the clerk.
//
// Errors: Invalid for an empty file or one of another kind; TooLarge; Forbidden;
// NotFound if the list has no such material; Conflict if the case has ended.
func (c *Cases) Attach(ctx context.Context, actor *elicense.Actor, id elicense.CaseID, place int, name string, file []byte) error {
	kind, err := elicense.CheckUpload(file, "file")
	if err != nil {
		return err
	}
	if !fits(name, maxPurpose) {
		name = ""
	}
	act := access.CaseMove
	if actor.Kind == elicense.Holder {
		act = access.CaseOwnMove
	}
	build := func(tx *store.Tx) (access.Request, error) {
		req, err := c.request(actor, act, id)(tx)
		req.Note.Detail = map[string]string{"attach": strconv.Itoa(place)}
		return req, err
	}
	// The file is there before the row that names it, and not at all if the law
	// refuses; one that a crash left without a row is found by nobody.
	var refused error
	err = c.db.View(ctx, func(tx *store.Tx) error {
		req, err := build(tx)
		if err == nil {
			refused = c.guard.Ask(req.Actor, req.Act, req.On, req.Circumstances)
		}
		return err
	})
	if err != nil {
		return err
	}
	fileName := FilePrefix + string(id) + "/" + elicense.RandomID[string]()
	var digest []byte
	if refused == nil {
		if digest, err = c.db.Files().Put(ctx, fileName, file); err != nil {
			return err
		}
	}
	return c.guard.Write(ctx, build, func(tx *store.Tx, _ *access.Permit) error {
		k, m, err := Find(tx, id)
		if err != nil {
			return err
		}
		if place < 0 || place >= len(m.Materials) {
			return elicense.E(elicense.NotFound, "材料清单里没有这一项").At("place")
		}
		if k.Stage.Ended() || act == access.CaseOwnMove && k.Stage != Filling && k.Stage != Correcting {
			return elicense.E(elicense.Conflict, "办件现在是“%s”，不能再加材料", k.Stage.Chinese())
		}
		sum := hex.EncodeToString(digest)
		_, err = tx.Exec(`INSERT INTO case_file (name, case_id, place, digest, account, kept, mac) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			fileName, id, place, sum, actor.Account, tx.Now(), tx.MAC("case_file", fileName, []byte(id), []byte(sum)))
		if err != nil {
			return err
		}
		return PutGiven(tx, k, &Given{Place: place, Way: ByFile, By: actor.Account, GivenContent: GivenContent{File: fileName, Digest: sum, Name: name, Kind: kind}})
	})
}

// FilePrefix begins the names of the files that were given in cases.
const FilePrefix = "case/"

// EachFile reads the row of every file given in a case, those replaced by another
// as well; f gets its name and digest, or the error of a row that is not as it
// was left.
func EachFile(tx *store.Tx, f func(name string, digest []byte, err error) error) error {
	rows, err := tx.Query(`SELECT name, case_id, digest, mac FROM case_file ORDER BY name`)
	if err != nil {
		return err
	}
	for rows.Next() {
		var name, id, sum string
		var mac []byte
		if err := rows.Scan(&name, &id, &sum, &mac); err != nil {
			return err
		}
		err := tx.CheckMAC(mac, "case_file", name, []byte(id), []byte(sum))
		digest, derr := hex.DecodeString(sum)
		if err == nil {
			err = derr
		}
		if err := f(name, digest, err); err != nil {
			return err
		}
	}
	return nil
}

// Attached returns the file of a material to the case's clerk or to its applicant.
//
// Errors: Forbidden; NotFound.
func (c *Cases) Attached(ctx context.Context, actor *elicense.Actor, id elicense.CaseID, place int) (file []byte, g *Given, err error) {
	act := access.CaseRead
	if actor.Kind == elicense.Holder {
		act = access.CaseOwn
	}
	_, err = c.guard.Read(ctx, c.request(actor, act, id), func(tx *store.Tx, _ *access.Permit) error {
		all, err := GivenOf(tx, id)
		if err != nil {
			return err
		}
		if g = all[place]; g == nil || g.File == "" {
			return elicense.E(elicense.NotFound, "这项材料没有文件")
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	digest, err := hex.DecodeString(g.Digest)
	if err != nil {
		return nil, nil, fmt.Errorf("material of case %s: %w", id, err)
	}
	file, err = c.db.Files().Get(ctx, g.File, digest)
	return file, g, err
}
