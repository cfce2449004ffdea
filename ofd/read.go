package ofd

import (
	"fmt"
	"path"
	"strings"

	"elicense/sheet"
)

// File is a package that was opened: every entry unpacked, OFD.xml understood,
// the rest read when asked for. It is not safe for concurrent use.
type File struct {
	Entries []Entry
	Bodies  []Body // the documents of the package, at least one

	index map[string]*Entry
	trees map[string]*Element
	nodes int // in all trees
}

// Body is one document of a package.
type Body struct {
	ID         string
	Title      string
	Date       string // CreationDate as written
	Creator    string
	Custom     []Pair
	Root       string // name of the entry with the document
	Signatures string // name of the entry with the list of signatures, "" if it names none
}

// Open reads a package. Errors wrap ErrNotPackage, ErrDamaged, ErrSurplus,
// ErrTooLarge, ErrName, ErrDuplicate, ErrXML or ErrMissing.
func Open(data []byte) (*File, error) {
	entries, err := readZIP(data)
	if err != nil {
		return nil, fmt.Errorf("open OFD: %w", err)
	}
	f := &File{Entries: entries, index: make(map[string]*Entry, len(entries)), trees: map[string]*Element{}}
	for i := range entries {
		f.index[entries[i].Name] = &entries[i]
	}
	if f.index[fileOFD] == nil {
		return nil, fmt.Errorf("open OFD: %w: it has no %s", ErrNotPackage, fileOFD)
	}
	root, err := f.XML(fileOFD)
	if err != nil {
		return nil, fmt.Errorf("open OFD: %w", err)
	}
	for _, b := range root.All("DocBody") {
		body, err := readBody(b)
		if err != nil {
			return nil, fmt.Errorf("open OFD: %w", &FileError{fileOFD, err})
		}
		f.Bodies = append(f.Bodies, body)
	}
	if root.Name != "OFD" || len(f.Bodies) == 0 {
		return nil, fmt.Errorf("open OFD: %w", &FileError{fileOFD, ErrNotPackage})
	}
	return f, nil
}

func readBody(b *Element) (Body, error) {
	info := b.Child("DocInfo")
	body := Body{
		ID:      info.Child("DocID").Value(),
		Title:   info.Child("Title").Value(),
		Date:    info.Child("CreationDate").Value(),
		Creator: info.Child("Creator").Value(),
	}
	for _, c := range info.Child("CustomDatas").All("CustomData") {
		body.Custom = append(body.Custom, Pair{c.Attr("Name"), c.Value()})
	}
	var err error
	if body.Root, err = Resolve(fileOFD, b.Child("DocRoot").Value()); err != nil {
		return body, fmt.Errorf("root of the document: %w", err)
	}
	if s := b.Child("Signatures").Value(); s != "" {
		if body.Signatures, err = Resolve(fileOFD, s); err != nil {
			return body, fmt.Errorf("list of signatures: %w", err)
		}
	}
	return body, nil
}

// Resolve turns a reference that stands in the file named from into the name of
// an entry: from the root of the package if it begins with a slash, otherwise
// from the folder of that file (GB/T 33190 7.2). One that leaves the package is
// an error.
func Resolve(from, loc string) (string, error) {
	loc = strings.TrimSpace(loc)
	name := strings.TrimPrefix(path.Clean(loc), "/")
	if !strings.HasPrefix(loc, "/") {
		name = path.Join(path.Dir(from), loc)
	}
	if loc == "" || !goodName(name) {
		return "", fmt.Errorf("%w: reference %.100q", ErrName, loc)
	}
	return name, nil
}

// Find returns the entry of a name, nil if there is none.
func (f *File) Find(name string) *Entry { return f.index[name] }

// XML returns the parsed entry of a name, which is kept. Errors are *FileError.
func (f *File) XML(name string) (*Element, error) {
	if e := f.trees[name]; e != nil {
		return e, nil
	}
	e, err := f.parse(name)
	if err != nil {
		return nil, err
	}
	if f.nodes += e.count(); f.nodes > maxKept {
		return nil, &FileError{name, ErrTooLarge}
	}
	f.trees[name] = e
	return e, nil
}

// parse returns the parsed entry of a name without keeping it.
func (f *File) parse(name string) (*Element, error) {
	entry := f.index[name]
	if entry == nil {
		return nil, &FileError{name, ErrMissing}
	}
	e, err := ParseXML(entry.Data)
	if err != nil {
		return nil, &FileError{name, err}
	}
	return e, nil
}

// follow returns the parsed entry a reference points to, and its name.
func (f *File) follow(from, loc string) (*Element, string, error) {
	name, err := Resolve(from, loc)
	if err != nil {
		return nil, "", &FileError{from, err}
	}
	e, err := f.XML(name)
	return e, name, err
}

// PageBoxes returns the IDs of all pages with their sizes, without reading what
// is on them.
func (f *File) PageBoxes() ([]PageBox, error) {
	var list []PageBox
	for _, b := range f.Bodies {
		doc, err := f.XML(b.Root)
		if err != nil {
			return nil, err
		}
		w, h := pageSize(doc.Child("CommonData").Child("PageArea"), 210, 297)
		for _, p := range doc.Child("Pages").All("Page") {
			name, err := Resolve(b.Root, p.Attr("BaseLoc"))
			if err != nil {
				return nil, &FileError{b.Root, err}
			}
			list = append(list, PageBox{ID: p.Attr("ID"), File: name, W: w, H: h})
		}
	}
	return list, nil
}

// PageBox is a page of a document. W and H are the document's page size in mm,
// which the page itself may override.
type PageBox struct {
	ID   string
	File string
	W, H float64
}

func pageSize(area *Element, w, h float64) (float64, float64) {
	n := numbers(area.Child("PhysicalBox").Value(), 4)
	if len(n) == 4 && n[2] > 0 && n[3] > 0 && n[2] < 1e4 && n[3] < 1e4 {
		return n[2], n[3]
	}
	return w, h
}

// Page is a page read back.
type Page struct {
	ID    string
	Sheet *sheet.Sheet
}

// Pages reads the pages of the first document, which is the one that readers
// show: texts, paths and images of the pages and their templates, annotations
// and composite objects, clipped by paths. Pages that would draw out of all
// proportion are ErrTooLarge.
func (f *File) Pages() ([]Page, error) {
	r, err := f.newPageReader(&f.Bodies[0])
	if err != nil {
		return nil, err
	}
	var pages []Page
	for _, p := range r.doc.Child("Pages").All("Page") {
		if len(pages) == maxPages {
			return nil, &FileError{f.Bodies[0].Root, ErrTooLarge}
		}
		s, err := r.page(p)
		if err != nil {
			return nil, err
		}
		pages = append(pages, Page{p.Attr("ID"), s})
	}
	return pages, nil
}

// maxAttachments bounds the attachments listed.
const maxAttachments = 1000

// Attachments returns the files that go with the first document, in the order of
// its list. Their data are those of the entries and must not be changed.
func (f *File) Attachments() ([]Attachment, error) {
	root := f.Bodies[0].Root
	doc, err := f.XML(root)
	if err != nil {
		return nil, err
	}
	loc := doc.Child("Attachments").Value()
	if loc == "" {
		return nil, nil
	}
	list, name, err := f.follow(root, loc)
	if err != nil {
		return nil, err
	}
	var out []Attachment
	for _, a := range list.All("Attachment") {
		if len(out) == maxAttachments {
			return nil, &FileError{name, ErrTooLarge}
		}
		file, err := Resolve(name, a.Child("FileLoc").Value())
		if err != nil {
			return nil, &FileError{name, err}
		}
		entry := f.Find(file)
		if entry == nil {
			return nil, &FileError{file, ErrMissing}
		}
		out = append(out, Attachment{Name: a.Attr("Name"), Format: a.Attr("Format"), Data: entry.Data})
	}
	return out, nil
}

// Tags returns what the tag files of the first document name, with the texts they
// point at (GB/T 33190 clause 16): the leaves in order, named by their element.
// Several texts of one leaf are put together.
func (f *File) Tags() ([]Pair, error) {
	root := f.Bodies[0].Root
	doc, err := f.XML(root)
	if err != nil {
		return nil, err
	}
	loc := doc.Child("CustomTags").Value()
	if loc == "" {
		return nil, nil
	}
	list, listName, err := f.follow(root, loc)
	if err != nil {
		return nil, err
	}
	texts, err := f.textsByID(root, doc)
	if err != nil {
		return nil, err
	}
	r := tagReader{texts: texts}
	for _, t := range list.All("CustomTag") {
		tree, name, err := f.follow(listName, t.Child("FileLoc").Value())
		if err != nil {
			return nil, err
		}
		if !r.read(tree) {
			return nil, &FileError{name, ErrTooLarge}
		}
	}
	return r.pairs, nil
}

// tagReader gathers the leaves of tag files.
type tagReader struct {
	texts map[string]string
	pairs []Pair
	size  int // bytes gathered, and a few for each leaf
}

func (r *tagReader) read(e *Element) bool {
	if refs := e.All("ObjectRef"); len(refs) > 0 {
		var b strings.Builder
		for _, ref := range refs {
			s := r.texts[ref.Value()]
			if r.size += len(s); r.size > MaxXML {
				return false
			}
			b.WriteString(s)
		}
		r.size += 32 // many tags may name one file
		r.pairs = append(r.pairs, Pair{e.Name, b.String()})
	}
	for _, c := range e.Children {
		if c.Name != "ObjectRef" && !r.read(c) {
			return false
		}
	}
	return true
}

// textsByID gathers the characters of each text object by its ID, which is
// unique in a document.
func (f *File) textsByID(root string, doc *Element) (map[string]string, error) {
	texts := map[string]string{}
	seen := map[string]bool{}
	for _, p := range doc.Child("Pages").All("Page") {
		name, err := Resolve(root, p.Attr("BaseLoc"))
		if err != nil {
			return nil, &FileError{root, err}
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		page, err := f.parse(name)
		if err != nil {
			return nil, err
		}
		for _, layer := range page.Child("Content").All("Layer") {
			collectTexts(layer, texts)
		}
	}
	return texts, nil
}

func collectTexts(e *Element, texts map[string]string) {
	for _, c := range e.Children {
		switch c.Name {
		case "TextObject":
			var b strings.Builder
			for _, t := range c.All("TextCode") {
				b.WriteString(t.Text)
			}
			texts[c.Attr("ID")] = b.String()
		case "PageBlock":
			collectTexts(c, texts)
		}
	}
}
