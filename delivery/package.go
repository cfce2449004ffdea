package delivery

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/document"
	"elicense/gm"
	"elicense/issuance"
	"elicense/jobs"
	"elicense/letters"
	"elicense/ontime"
	"elicense/org"
	"elicense/sealing"
	"elicense/sharing"
	"elicense/store"
)

// sealJob is the kind of the jobs that seal the list of a package; the payload is the
// package's identifier.
const sealJob = "deliver-seal"

// Document is one file of a package besides its list.
type Document struct {
	Title  string `json:"title"`
	Name   string `json:"name"` // in the ZIP
	Source string `json:"source"`
	Note   string `json:"note,omitempty"` // what is known of its seal
	File   string `json:"file"`           // in the file store
	Digest []byte `json:"digest"`
}

// The sources of documents.
const (
	ofLicense = "license" // the license itself
	ofLetter  = "letter"  // a notice of the platform's case
	Uploaded  = "upload"  // of a business system or an officer
)

// Package is what is given for one version of a license in one act (送达包).
type Package struct {
	ID      string
	License elicense.LicenseID
	Version int
	Unit    elicense.UnitCode
	Made    time.Time
	Sealed  time.Time // of its list; zero until then
	Trouble string    // why it is not sealed yet
	packed

	docID  [16]byte
	file   string // of the list
	digest []byte
}

// packed is the part that is kept as cipher text.
type packed struct {
	UnitName   string               `json:"unitName"`
	To         string               `json:"to"`
	TypeName   string               `json:"typeName"`
	Identifier elicense.Identifier  `json:"identifier"`
	Case       string               `json:"case"`
	Documents  []Document           `json:"documents"` // the license first
	Holders    []elicense.HolderKey `json:"holders"`
}

func (p *Package) parts() [][]byte {
	return [][]byte{
		[]byte(p.License), number(int64(p.Version)), []byte(p.Unit), p.docID[:], micros(p.Made), []byte(p.file), p.digest, micros(p.Sealed),
	}
}

func (p *Package) insert(tx *store.Tx) error {
	b, err := json.Marshal(p.packed)
	if err != nil {
		return fmt.Errorf("package %s: %w", p.ID, err)
	}
	_, err = tx.Exec(`INSERT INTO delivery (id, license, version, unit, content_enc, doc_id, made, file, file_digest, sealed, trouble, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, '', $8, NULL, '', $9)`,
		p.ID, p.License, p.Version, p.Unit, tx.Encrypt("delivery", p.ID, "content_enc", b), p.docID[:], p.Made, []byte{}, tx.MAC("delivery", p.ID, p.parts()...))
	return err
}

// packageOf reads a package, nil if none was made.
func packageOf(tx *store.Tx, id string) (*Package, error) {
	list, err := store.All(tx, func(r *store.Rows) (*Package, error) {
		var p Package
		var b, doc, mac []byte
		if err := r.Scan(&p.ID, &p.License, &p.Version, &p.Unit, &b, &doc, &p.Made, &p.file, &p.digest, &p.Sealed, &p.Trouble, &mac); err != nil {
			return nil, err
		}
		copy(p.docID[:], doc)
		if err := tx.CheckMAC(mac, "delivery", p.ID, p.parts()...); err != nil {
			return nil, err
		}
		b, err := tx.Decrypt("delivery", p.ID, "content_enc", b)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, &p.packed); err != nil {
			return nil, fmt.Errorf("package %s: %w", p.ID, err)
		}
		return &p, nil
	}, `SELECT id, license, version, unit, content_enc, doc_id, made, file, file_digest, sealed, trouble, mac FROM delivery WHERE id = $1`, id)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

// EachPackage reads every package; f gets the name and digest of its list, once it is
// sealed, or the error of a row that is not as it was left.
func EachPackage(tx *store.Tx, f func(file string, digest []byte, err error) error) error {
	return store.EachID(tx, "delivery", func(id string) error {
		p, err := packageOf(tx, id)
		switch {
		case err != nil:
			return f(sealing.DeliveryPrefix+id, nil, err)
		case p.file == "":
			return nil
		}
		return f(p.file, p.digest, nil)
	})
}

// SealedBy tells whether the list a sealing key was used for, by its name, is there.
func SealedBy(tx *store.Tx, id string, u *sealing.Use) (bool, error) {
	p, err := packageOf(tx, id)
	return err == nil && p != nil && p.file == u.File && bytes.Equal(p.digest, u.FileDigest), err
}

// deliver delivers what one transaction published; the handler of
// issuance.DeliverJob. It may be run again: what is there is not made twice.
func (d *Desk) deliver(ctx context.Context, payload []byte) error {
	drafts := issuance.Delivered(payload)
	var todo map[elicense.DraftID]elicense.CaseID
	err := d.DB.View(ctx, func(tx *store.Tx) (err error) {
		todo, err = d.todo(tx, drafts)
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range drafts {
		office, some := todo[id]
		if !some {
			continue
		}
		err := d.DB.Update(ctx, func(tx *store.Tx) error {
			dr, err := issuance.Of(tx, id)
			if err != nil {
				return err
			}
			lic, err := tx.License(dr.License)
			if elicense.IsKind(err, elicense.NotFound) { // withdrawn meanwhile
				return nil
			}
			if err != nil {
				return err
			}
			p, err := d.pack(tx, lic, dr, office)
			if err != nil {
				return err
			}
			if len(p.Documents) > 1 {
				if err := d.make(tx, p); err != nil {
					return err
				}
			}
			return d.tell(tx, lic, dr.Version, p.UnitName)
		})
		if err != nil {
			return err
		}
	}
	store.CrashPoint("delivery.made")
	return nil
}

// todo picks from drafts those there is something to do for: documents to give, or an
// address to tell; with the platform's case of each, if it came of one.
func (d *Desk) todo(tx *store.Tx, drafts []elicense.DraftID) (map[elicense.DraftID]elicense.CaseID, error) {
	todo, err := ontime.OfficeCases(tx, drafts)
	if err != nil {
		return nil, err
	}
	args, in := make([]any, len(drafts)), make([]string, len(drafts))
	for n, id := range drafts {
		args[n], in[n] = string(id), fmt.Sprintf("$%d", n+1)
	}
	queries := []string{`SELECT draft FROM closing_document WHERE draft IN (`}
	if len(d.Offered()) > 0 {
		queries = append(queries, `SELECT d.id FROM draft d JOIN license_holder h ON h.license = d.license JOIN contact c ON c.holder = h.holder_key
			WHERE c.confirmed IS NOT NULL AND d.id IN (`)
	}
	for _, q := range queries {
		found, err := store.All(tx, func(r *store.Rows) (id elicense.DraftID, err error) { return id, r.Scan(&id) }, q+strings.Join(in, ", ")+`)`, args...)
		if err != nil {
			return nil, err
		}
		for _, id := range found {
			if _, known := todo[id]; !known {
				todo[id] = ""
			}
		}
	}
	return todo, nil
}

// pack composes the package of a draft's version.
func (d *Desk) pack(tx *store.Tx, lic *elicense.License, dr *issuance.Draft, office elicense.CaseID) (*Package, error) {
	v, err := tx.Version(lic, dr.Version)
	if err != nil {
		return nil, err
	}
	u, err := org.UnitOf(tx, dr.Unit)
	if err != nil {
		return nil, err
	}
	if err := issuance.NotePaper(tx, dr); err != nil {
		return nil, err
	}
	p := &Package{ID: packageID(lic.ID, dr.Version), License: lic.ID, Version: dr.Version, Unit: dr.Unit, Made: tx.Now()}
	names := make([]string, len(v.Holders))
	for i, h := range v.Holders {
		names[i] = h.Name
	}
	p.packed = packed{UnitName: u.Name, To: strings.Join(names, "、"), TypeName: lic.TypeName, Identifier: v.Identifier, Case: dr.Number(), Holders: lic.Holders}
	p.add(Document{Title: lic.TypeName, Source: ofLicense, File: v.File, Digest: v.Digest}, ".ofd")
	if office != "" {
		if err := p.addLetters(tx, office); err != nil {
			return nil, err
		}
	}
	uploads, err := uploadsOf(tx, dr.ID)
	if err != nil {
		return nil, err
	}
	if err := asApproved(dr, uploads); err != nil {
		return nil, err
	}
	for _, u := range uploads {
		p.add(Document{Title: u.Title, Source: Uploaded, Note: u.Note, File: u.file, Digest: u.digest}, u.ext)
	}
	return p, nil
}

// asApproved sees that the documents of a draft are those it was approved with. Drafts
// from before documents were bound to them know none.
func asApproved(dr *issuance.Draft, there []*Upload) error {
	bound := dr.Documents()
	if len(bound) == 0 && len(dr.Beside) == 0 {
		return nil
	}
	same := func(b issuance.Beside) bool {
		return slices.ContainsFunc(there, func(u *Upload) bool { return u.ID == b.ID && u.Title == b.Title && bytes.Equal(u.digest, b.Digest) })
	}
	if len(bound) != len(there) || slices.ContainsFunc(bound, func(b issuance.Beside) bool { return !same(b) }) {
		return elicense.E(elicense.Unavailable, "一起送达的文书不是审核过的那些").Under("第七条第一款").Then("请管理员运行 elicense fsck")
	}
	return nil
}

// bind tells a draft which documents go with it now.
func bind(tx *store.Tx, id elicense.DraftID) error {
	list, err := uploadsOf(tx, id)
	if err != nil {
		return err
	}
	beside := make([]issuance.Beside, len(list))
	for n, u := range list {
		beside[n] = issuance.Beside{ID: u.ID, Title: u.Title, Digest: u.digest}
	}
	return issuance.SetDocuments(tx, id, beside)
}

// addLetters adds the sealed notices of the platform's case, if every holder of the
// license is a party of it: a notice is for the parties' eyes alone.
func (p *Package) addLetters(tx *store.Tx, office elicense.CaseID) error {
	k, err := cases.Of(tx, office)
	if err != nil {
		return err
	}
	for _, h := range p.Holders {
		if !slices.ContainsFunc(k.Parties, func(party cases.Party) bool { return party.Holder == h }) {
			return nil
		}
	}
	papers, err := letters.SealedOf(tx, office)
	for _, paper := range papers {
		p.add(Document{Title: paper.Name, Source: ofLetter, File: paper.File, Digest: paper.Digest}, ".ofd")
	}
	return err
}

// add puts a document into the package under a safe name; the list is the first file.
func (p *Package) add(doc Document, ext string) {
	doc.Name = fmt.Sprintf("%02d-%s%s", len(p.Documents)+2, fileName(doc.Title), ext)
	p.Documents = append(p.Documents, doc)
}

// maxName bounds a file's name in a package, in characters.
const maxName = 40

// fileName makes a title fit to be a file's name on every system: letters, digits and
// marks that mean nothing to a shell or a file system.
func fileName(title string) string {
	title = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_（）〔〕", r) {
			return r
		}
		return '_'
	}, title)
	r := []rune(title)
	if len(r) == 0 {
		return "_"
	}
	return string(r[:min(len(r), maxName)])
}

// make keeps a package, once, and has its list sealed.
func (d *Desk) make(tx *store.Tx, p *Package) error {
	known, err := packageOf(tx, p.ID)
	if err != nil {
		return err
	}
	if known == nil {
		if _, err := rand.Read(p.docID[:]); err != nil {
			return err
		}
		p.digest = []byte{}
		if err := p.insert(tx); err != nil {
			return err
		}
	} else if known.file != "" {
		return nil
	}
	return jobs.Enqueue(tx, jobs.Job{Kind: sealJob, Key: p.ID, Payload: []byte(p.ID)})
}

// tell writes to each holder that something was issued, over the channels he has an
// address for.
func (d *Desk) tell(tx *store.Tx, lic *elicense.License, version int, unit string) error {
	for _, h := range lic.Holders {
		list, err := contacts(tx, `WHERE holder = $1 AND confirmed IS NOT NULL ORDER BY channel`, h)
		if err != nil {
			return err
		}
		for _, c := range list {
			if d.lines[c.Channel].sender() == nil {
				continue
			}
			var n int
			err := tx.Row(`SELECT COUNT(*) FROM delivery_message WHERE license = $1 AND version = $2 AND holder = $3 AND channel = $4`, lic.ID, version, h, string(c.Channel)).Scan(&n)
			if err != nil {
				return err
			}
			if n > 0 {
				continue
			}
			m := &message{License: lic.ID, Version: version, Unit: lic.Issuer, Holder: h, Channel: c.Channel, Kind: ofIssue, content: d.issued(c.address, unit)}
			if err := m.post(tx); err != nil {
				return err
			}
		}
	}
	return nil
}

// issued is what a message says: that something was issued, by whom, where to see it.
// What kind of license it is would already be a content: some say who is ill or poor.
func (d *Desk) issued(address, unit string) content {
	return content{
		Address: address, Subject: "您有新的电子证照",
		Text: fmt.Sprintf("%s为您签发了电子证照，请登录%s查看和下载。本消息不含证照内容，也不会向您要验证码或密码。【%s】", unit, d.PublicURL+"/holder", d.Platform),
	}
}

// list is the sheet that lists a package's files.
func (d *Desk) list(p *Package) document.Content {
	l := &letters.Letter{
		Kind: letters.Delivered, Unit: p.UnitName, To: p.To, Date: elicense.DateOf(p.Made),
		Number: fmt.Sprintf("送达〔%d〕%s-%d号", p.Made.In(elicense.Shanghai).Year(), strings.ToUpper(string(p.License[max(0, len(p.License)-10):])), p.Version),
		Body:   []string{"本单位向您送达下列电子文件，请查收。电子证照和纸质证照具有同等效力。", "证照标识：" + string(p.Identifier)},
		Foot:   []string{"扫码登录卡包，查看和下载这些文件；也可以请签发单位打印。", "核对文件：算出文件的SM3摘要，和本清单所列的一致，就是送达的那一份。"},
	}
	if p.Case != "" {
		l.Body = append(l.Body, "办件编号："+p.Case)
	}
	for i, doc := range p.Documents {
		l.Body = append(l.Body, fmt.Sprintf("%d. %s（文件名：%s）", i+1, doc.Title, doc.Name))
		if doc.Note != "" {
			l.Body = append(l.Body, doc.Note)
		}
		l.Body = append(l.Body, "SM3："+hex.EncodeToString(doc.Digest))
	}
	for i := range l.Body {
		l.Body[i] = strings.TrimSpace(l.Body[i])
	}
	return l.Document(p.docID, p.Unit, p.Case, d.PublicURL+"/holder/licenses/"+string(p.License), d.Sample)
}

// seal seals the list of a package; the handler of sealJob. It may be stopped at any
// line and run again.
func (d *Desk) seal(ctx context.Context, payload []byte) error {
	id := string(payload)
	subject := sealing.DeliveryPrefix + id
	var p *Package
	var used *sealing.Use
	var stored bool
	err := d.DB.View(ctx, func(tx *store.Tx) (err error) {
		if p, err = packageOf(tx, id); err == nil && p != nil {
			used, stored, err = d.press.Begun(ctx, tx, subject)
		}
		return err
	})
	if err != nil || p == nil || p.file != "" {
		return err
	}
	if !stored {
		if used, err = d.press.Make(ctx, p.Unit, subject, d.list(p), used); err != nil {
			return d.wait(ctx, id, err)
		}
	}
	store.CrashPoint("delivery.stored")
	return d.DB.Update(ctx, func(tx *store.Tx) error {
		p, err := packageOf(tx, id)
		if err != nil || p.file != "" {
			return err
		}
		if err := used.End(tx, sealing.Stored); err != nil {
			return err
		}
		p.file, p.digest, p.Sealed = used.File, used.FileDigest, tx.Now()
		_, err = tx.Exec(`UPDATE delivery SET file = $1, file_digest = $2, sealed = $3, trouble = '', mac = $4 WHERE id = $5`,
			p.file, p.digest, p.Sealed, tx.MAC("delivery", p.ID, p.parts()...), p.ID)
		if err != nil {
			return err
		}
		tx.Record(store.Record{
			Actor: "platform", ActorName: "证照平台", Unit: string(p.Unit), Act: "license.deliver", Outcome: store.Done, Rule: "delivery", Clause: "第十四条第一款",
			License: string(p.License), Holder: string(p.Holders[0]),
			Detail: map[string]string{"package": p.ID, "use": used.ID, "files": fmt.Sprint(len(p.Documents))},
		})
		return jobs.Done(tx, jobs.Current(ctx))
	})
}

// wait notes why a list is not sealed.
func (d *Desk) wait(ctx context.Context, id string, cause error) error {
	trouble, again := letters.Why(cause)
	d.Log.WarnContext(ctx, "the list of a package waits", "package", id, "err", cause)
	err := d.DB.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE delivery SET trouble = $1 WHERE id = $2`, trouble, id)
		return err
	})
	if err != nil {
		return err
	}
	return again
}

// request asks the law for a license as its holder or, issued being set, as its
// issuing unit.
func request(actor *elicense.Actor, id elicense.LicenseID, issued bool) func(*store.Tx) (access.Request, error) {
	if issued {
		return sharing.IssuedRequest(actor, id)
	}
	return sharing.OwnRequest(actor, id)
}

// Prepare has the list of a license's package sealed, if it is not: of the current
// version, for its holder or, issued being set, its issuing unit.
//
// Errors: Forbidden; NotFound for references, of which the platform has no file.
func (d *Desk) Prepare(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID, issued bool) error {
	return d.Guard.Write(ctx, request(actor, id, issued), func(tx *store.Tx, permit *access.Permit) error {
		permit.Note.Detail = map[string]string{"act": "package"}
		lic, err := tx.License(id)
		if err != nil {
			return err
		}
		if lic.Reference {
			return errReference()
		}
		p, err := packageOf(tx, packageID(id, lic.Standing.Version))
		if err != nil {
			return err
		}
		if p == nil {
			var dr *issuance.Draft
			var draft elicense.DraftID
			if err := tx.Row(`SELECT id FROM draft WHERE license = $1 AND version = $2 AND NOT voided`, lic.ID, lic.Standing.Version).Scan(&draft); err != nil {
				return err
			}
			if dr, err = issuance.Of(tx, draft); err != nil {
				return err
			}
			office, err := ontime.OfficeCases(tx, []elicense.DraftID{draft})
			if err != nil {
				return err
			}
			if p, err = d.pack(tx, lic, dr, office[draft]); err != nil {
				return err
			}
		}
		return d.make(tx, p)
	})
}

func errReference() error {
	return elicense.E(elicense.NotFound, "这个证照由国家系统制作，这里没有文件").Under("第七条第一款")
}

// ErrNotSealed says that the list of a package is not sealed yet.
func ErrNotSealed(trouble string) error {
	e := elicense.E(elicense.NotFound, "送达清单还没有盖章").Then("请过一会儿再下载")
	if trouble != "" {
		e.Next = "请联系签发单位；证照本身可以在卡包里下载"
	}
	return e
}

// ZIP returns the package of a license's current version as one file whose entries
// are the very sealed files, the list first; the same bytes each time. An opening by
// the holder is his receipt.
//
// Errors: Forbidden; NotFound until its list is sealed.
func (d *Desk) ZIP(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID, issued bool) (file []byte, name string, err error) {
	p, _, err := access.Get(ctx, d.Guard, request(actor, id, issued), func(tx *store.Tx, permit *access.Permit) (*Package, error) {
		permit.Note.Detail = map[string]string{"act": "package-file"}
		lic, err := tx.License(id)
		if err != nil {
			return nil, err
		}
		p, err := packageOf(tx, packageID(id, lic.Standing.Version))
		if err == nil && (p == nil || p.file == "") {
			trouble := ""
			if p != nil {
				trouble = p.Trouble
			}
			err = ErrNotSealed(trouble)
		}
		return p, err
	})
	if err != nil {
		return nil, "", err
	}
	if !issued {
		if err := d.Opened(ctx, actor, id); err != nil {
			return nil, "", err
		}
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, doc := range slices.Concat([]Document{{Name: "01-送达清单.ofd", File: p.file, Digest: p.digest}}, p.Documents) {
		content, err := d.DB.Files().Get(ctx, doc.File, doc.Digest)
		if err != nil {
			return nil, "", err
		}
		// Sealed files are packed already; the time is that of the package, so that
		// the same is the same.
		w, err := z.CreateHeader(&zip.FileHeader{Name: doc.Name, Method: zip.Store, Modified: p.Made.In(elicense.Shanghai)})
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			return nil, "", fmt.Errorf("package %s: %w", p.ID, err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, "", fmt.Errorf("package %s: %w", p.ID, err)
	}
	return b.Bytes(), string(p.Identifier) + ".zip", nil
}

// Upload is a closing document that was uploaded for a draft.
type Upload struct {
	ID    string
	Draft elicense.DraftID
	Title string
	Note  string // what is known of its seal
	Size  int
	At    time.Time

	unit    elicense.UnitCode
	account elicense.AccountID
	file    string
	digest  []byte
	ext     string
}

// The limits of uploads.
const (
	MaxUpload  = 10 << 20 // bytes
	maxUploads = 10       // of a draft
	maxTitle   = 60       // characters
	// FilePrefix begins the names of uploaded documents in the file store.
	FilePrefix = "closing/"
)

// Ext is how the name of its file ends: .ofd or .pdf.
func (u *Upload) Ext() string { return u.ext }

func (u *Upload) parts() [][]byte {
	return [][]byte{[]byte(u.Draft), []byte(u.unit), []byte(u.file), u.digest, number(int64(u.Size)), []byte(u.account), micros(u.At)}
}

type uploadContent struct {
	Title string `json:"title"`
	Note  string `json:"note"`
	Ext   string `json:"ext"`
}

func uploads(tx *store.Tx, where string, args ...any) ([]*Upload, error) {
	return store.All(tx, func(r *store.Rows) (*Upload, error) {
		var u Upload
		var b, mac []byte
		if err := r.Scan(&u.ID, &u.Draft, &u.unit, &b, &u.file, &u.digest, &u.Size, &u.account, &u.At, &mac); err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "closing_document", u.ID, u.parts()...); err != nil {
			return nil, err
		}
		b, err := tx.Decrypt("closing_document", u.ID, "content_enc", b)
		if err != nil {
			return nil, err
		}
		var c uploadContent
		if err := json.Unmarshal(b, &c); err != nil {
			return nil, fmt.Errorf("document %s: %w", u.ID, err)
		}
		u.Title, u.Note, u.ext = c.Title, c.Note, c.Ext
		return &u, nil
	}, `SELECT id, draft, unit, content_enc, file, file_digest, size, account, at, mac FROM closing_document `+where, args...)
}

func uploadsOf(tx *store.Tx, id elicense.DraftID) ([]*Upload, error) {
	return uploads(tx, `WHERE draft = $1 ORDER BY at, id`, id)
}

// EachUpload reads every uploaded document; f gets its file's name and digest, or the
// error of a row that is not as it was left.
func EachUpload(tx *store.Tx, f func(file string, digest []byte, err error) error) error {
	return store.EachID(tx, "closing_document", func(id string) error {
		list, err := uploads(tx, `WHERE id = $1`, id)
		if err != nil {
			return f(FilePrefix+id, nil, err)
		}
		return f(list[0].file, list[0].digest, nil)
	})
}

// Upload adds a closing document to a draft that is not published: a sealed OFD or
// PDF. The same file uploaded again is there once.
//
// Errors: Invalid for what is not sealed; TooLarge; Forbidden; Conflict once the
// license is published.
func (d *Desk) Upload(ctx context.Context, actor *elicense.Actor, id elicense.DraftID, title string, file []byte) (made *Upload, err error) {
	title = strings.TrimSpace(title)
	if n := utf8.RuneCountInString(title); n == 0 || n > maxTitle || strings.ContainsFunc(title, unicode.IsControl) {
		return nil, elicense.E(elicense.Invalid, "文书名称要写1到%d个字", maxTitle).At("title")
	}
	if len(file) > MaxUpload {
		return nil, elicense.E(elicense.TooLarge, "文书最大%dMB", MaxUpload>>20).At("file")
	}
	build := issuance.DraftRequest(actor, access.DraftMake, id)
	may := false
	err = d.DB.View(ctx, func(tx *store.Tx) error {
		r, err := build(tx)
		if err == nil {
			may = d.Guard.Ask(r.Actor, r.Act, r.On, r.Circumstances) == nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	digest := gm.Sum(file)
	u := &Upload{Draft: id, Title: title, Size: len(file), digest: digest[:], account: actor.Account}
	if may { // what a stranger sends is not judged, and not stored
		if u.ext, u.Note, err = d.judge(ctx, file); err != nil {
			return nil, err
		}
		u.file = FilePrefix + elicense.RandomID[string]() + u.ext
		if u.digest, err = d.DB.Files().Put(ctx, u.file, file); err != nil {
			return nil, err
		}
	}
	err = d.Guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		dr, err := issuance.Of(tx, id)
		if err != nil {
			return err
		}
		if dr.State == issuance.Published || dr.State == issuance.Void || dr.State == issuance.Sealing {
			return elicense.E(elicense.Conflict, "这份证照已经审核，不能再加文书").Under("第十四条第一款").Then("请另行送达")
		}
		list, err := uploadsOf(tx, id)
		if err != nil {
			return err
		}
		for _, k := range list {
			if bytes.Equal(k.digest, u.digest) && k.Title == u.Title {
				made = k
				return nil
			}
		}
		if len(list) >= maxUploads {
			return elicense.E(elicense.TooLarge, "一份证照最多附%d份文书", maxUploads).At("file")
		}
		if u.file == "" {
			return elicense.E(elicense.Conflict, "没有办成：办理期间内容一直在变动").Then("请再试一次")
		}
		one := *u
		made = &one
		made.ID, made.unit, made.At = elicense.NewID[string](tx.Now()), dr.Unit, tx.Now()
		b, err := json.Marshal(uploadContent{made.Title, made.Note, made.ext})
		if err != nil {
			return fmt.Errorf("document: %w", err)
		}
		_, err = tx.Exec(`INSERT INTO closing_document (id, draft, unit, content_enc, file, file_digest, size, account, at, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			made.ID, made.Draft, made.unit, tx.Encrypt("closing_document", made.ID, "content_enc", b), made.file, made.digest, made.Size, made.account, made.At,
			tx.MAC("closing_document", made.ID, made.parts()...))
		if err != nil {
			return err
		}
		p.Note.Detail["document"] = made.ID
		return bind(tx, id)
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// judge tells what kind of file it is and what is known of its seal.
func (d *Desk) judge(ctx context.Context, file []byte) (ext, note string, err error) {
	if bytes.HasPrefix(file, []byte("%PDF-")) {
		if !bytes.Contains(file, []byte("/ByteRange")) || !bytes.Contains(file, []byte("/Sig")) {
			return "", "", elicense.E(elicense.Invalid, "这份PDF没有电子签章").At("file").Then("请上传盖了电子印章的文书")
		}
		return ".pdf", "PDF文件，由业务系统签章，本平台没有核对其签章。", nil
	}
	o, err := d.Trust(ctx)
	if err != nil {
		return "", "", err
	}
	switch r := document.Judge(file, o); r.Verdict {
	case document.Genuine:
		return ".ofd", "", nil
	case document.GenuineUntrusted:
		return ".ofd", "签章完好；签章人的证书不是本平台信任的机构发的。", nil
	default:
		return "", "", elicense.E(elicense.Invalid, "只收盖了电子印章、没有改动过的OFD或PDF文书").At("file").Then("请用查验页面核对这份文件")
	}
}

// Uploads lists the documents of a draft to its unit. Errors: Forbidden.
func (d *Desk) Uploads(ctx context.Context, actor *elicense.Actor, id elicense.DraftID) (list []*Upload, err error) {
	build := issuance.DraftRequest(actor, access.DraftRead, id)
	list, _, err = access.Get(ctx, d.Guard, build, func(tx *store.Tx, _ *access.Permit) ([]*Upload, error) { return uploadsOf(tx, id) })
	return list, err
}

// documentOf finds a document of a draft. Errors: NotFound.
func documentOf(tx *store.Tx, id elicense.DraftID, doc string) (*Upload, error) {
	list, err := uploads(tx, `WHERE id = $1 AND draft = $2`, doc, id)
	if err == nil && len(list) == 0 {
		err = elicense.E(elicense.NotFound, "这份草稿没有这份文书")
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// documentRequest is issuance.DraftRequest whose record names the document.
func documentRequest(actor *elicense.Actor, act access.Act, id elicense.DraftID, doc string) func(*store.Tx) (access.Request, error) {
	build := issuance.DraftRequest(actor, act, id)
	return func(tx *store.Tx) (access.Request, error) {
		r, err := build(tx)
		if err == nil && elicense.ValidID(elicense.DraftID(doc)) {
			r.Note.Detail["document"] = doc
		}
		return r, err
	}
}

// Document returns a document of a draft as it was uploaded, to the draft's unit: who
// reviews reads the decision beside the face (Art. 7(1)).
//
// Errors: Forbidden; NotFound.
func (d *Desk) Document(ctx context.Context, actor *elicense.Actor, id elicense.DraftID, doc string) (*Upload, []byte, error) {
	u, _, err := access.Get(ctx, d.Guard, documentRequest(actor, access.DraftRead, id, doc), func(tx *store.Tx, _ *access.Permit) (*Upload, error) { return documentOf(tx, id, doc) })
	if err != nil {
		return nil, nil, err
	}
	b, err := d.DB.Files().Get(ctx, u.file, u.digest)
	return u, b, err
}

// TakeOut takes a document out of a draft again, before the license is approved: what
// was uploaded by mistake must not reach its holder.
//
// Errors: Forbidden; NotFound; Conflict once the license is approved.
func (d *Desk) TakeOut(ctx context.Context, actor *elicense.Actor, id elicense.DraftID, doc string) error {
	return d.Guard.Write(ctx, documentRequest(actor, access.DraftMake, id, doc), func(tx *store.Tx, p *access.Permit) error {
		dr, err := issuance.Of(tx, id)
		if err != nil {
			return err
		}
		u, err := documentOf(tx, id, doc)
		if err != nil {
			return err
		}
		if dr.State != issuance.Open && dr.State != issuance.InReview {
			return elicense.E(elicense.Conflict, "这份证照已经审核，不能再撤文书").Under("第十四条第一款")
		}
		p.Note.Detail["document"], p.Note.Detail["out"] = u.ID, "true"
		if _, err = tx.Exec(`DELETE FROM closing_document WHERE id = $1`, u.ID); err != nil {
			return err
		}
		return bind(tx, id)
	})
}
