package ofd

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Element is an element of an XML file. Names are local: files in the wild use
// several namespaces and prefixes for the same elements.
type Element struct {
	Name     string
	Attrs    []Attr
	Children []*Element
	Text     string // the character data directly in it, put together
}

// Attr is an attribute.
type Attr struct{ Name, Value string }

const (
	// maxNodes bounds the elements of one file, and with them the memory it takes.
	maxNodes = 100_000
	// maxKept bounds the elements of all files that are kept.
	maxKept = 150_000
)

// ParseXML reads a file of UTF-8 XML without a document type. Entities other
// than the five of XML are errors, so that nothing outside is ever read and
// nothing expands. Errors wrap ErrXML or ErrTooLarge.
func ParseXML(data []byte) (*Element, error) {
	if len(data) > MaxXML {
		return nil, fmt.Errorf("%w: XML of %d bytes", ErrTooLarge, len(data))
	}
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("%w: not UTF-8", ErrXML)
	}
	p := &xmlParser{s: strings.TrimPrefix(string(data), "\ufeff")}
	return p.parse()
}

type xmlParser struct {
	s     string
	at    int
	nodes int
	stack []open
	root  *Element
}

// open is an element whose end was not met yet, by its name as written.
type open struct {
	tag string
	e   *Element
}

func (p *xmlParser) fail(what string) error {
	return fmt.Errorf("%w: %s at byte %d", ErrXML, what, p.at)
}

func (p *xmlParser) parse() (*Element, error) {
	for p.at < len(p.s) {
		rest := p.s[p.at:]
		var err error
		switch {
		case rest[0] != '<':
			err = p.text(rest)
		case strings.HasPrefix(rest, "<?"):
			err = p.skip("?>")
		case strings.HasPrefix(rest, "<!--"):
			err = p.skip("-->")
		case strings.HasPrefix(rest, "<![CDATA["):
			err = p.cdata(rest)
		case strings.HasPrefix(rest, "<!"):
			err = p.fail("document type")
		case strings.HasPrefix(rest, "</"):
			err = p.end(rest)
		default:
			err = p.start()
		}
		if err != nil {
			return nil, err
		}
	}
	if p.root == nil || len(p.stack) > 0 {
		return nil, p.fail("unexpected end")
	}
	return p.root, nil
}

func (p *xmlParser) skip(until string) error {
	i := strings.Index(p.s[p.at+2:], until)
	if i < 0 {
		return p.fail("unexpected end")
	}
	p.at += 2 + i + len(until)
	return nil
}

func (p *xmlParser) text(rest string) error {
	n := strings.IndexByte(rest, '<')
	if n < 0 {
		n = len(rest)
	}
	raw := rest[:n]
	if len(p.stack) == 0 {
		if strings.TrimSpace(raw) != "" {
			return p.fail("text outside the root element")
		}
		p.at += n
		return nil
	}
	s, err := p.unescape(raw)
	if err != nil {
		return err
	}
	p.add(s)
	p.at += n
	return nil
}

func (p *xmlParser) add(s string) {
	if e := p.stack[len(p.stack)-1].e; e.Text == "" {
		e.Text = s
	} else if strings.TrimSpace(s) != "" || len(e.Children) == 0 {
		e.Text += s
	}
}

func (p *xmlParser) cdata(rest string) error {
	n := strings.Index(rest, "]]>")
	if n < 0 || len(p.stack) == 0 {
		return p.fail("misplaced CDATA")
	}
	p.add(rest[len("<![CDATA["):n])
	p.at += n + 3
	// Many small sections in one element would make adding them quadratic.
	if p.nodes++; p.nodes > maxNodes {
		return fmt.Errorf("%w: too many elements", ErrTooLarge)
	}
	return nil
}

func (p *xmlParser) end(rest string) error {
	n := strings.IndexByte(rest, '>')
	if n < 0 || len(p.stack) == 0 || strings.TrimRight(rest[2:n], " \t\r\n") != p.stack[len(p.stack)-1].tag {
		return p.fail("end tag that closes nothing")
	}
	p.stack = p.stack[:len(p.stack)-1]
	p.at += n + 1
	return nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// name reads a qualified name.
func (p *xmlParser) name() string {
	start := p.at
	for p.at < len(p.s) {
		switch c := p.s[p.at]; {
		case isSpace(c), c == '>', c == '/', c == '=', c == '<', c == '"', c == '\'', c == '&':
			return p.s[start:p.at]
		}
		p.at++
	}
	return p.s[start:p.at]
}

func (p *xmlParser) spaces() {
	for p.at < len(p.s) && isSpace(p.s[p.at]) {
		p.at++
	}
}

func local(name string) string {
	return name[strings.IndexByte(name, ':')+1:]
}

func (p *xmlParser) start() error {
	p.at++
	tag := p.name()
	e := &Element{Name: local(tag)}
	if e.Name == "" {
		return p.fail("element without a name")
	}
	if p.nodes++; p.nodes > maxNodes {
		return fmt.Errorf("%w: too many elements", ErrTooLarge)
	}
	if len(p.stack) > 0 {
		parent := p.stack[len(p.stack)-1].e
		parent.Children = append(parent.Children, e)
	} else if p.root == nil {
		p.root = e
	} else {
		return p.fail("second root element")
	}
	for {
		p.spaces()
		if p.at >= len(p.s) {
			return p.fail("unexpected end")
		}
		switch p.s[p.at] {
		case '>':
			p.at++
			if len(p.stack) >= MaxDepth {
				return fmt.Errorf("%w: elements nested deeper than %d", ErrTooLarge, MaxDepth)
			}
			p.stack = append(p.stack, open{tag, e})
			return nil
		case '/':
			if p.at+1 >= len(p.s) || p.s[p.at+1] != '>' {
				return p.fail("misplaced slash")
			}
			p.at += 2
			return nil
		}
		if err := p.attr(e); err != nil {
			return err
		}
	}
}

func (p *xmlParser) attr(e *Element) error {
	full := p.name()
	p.spaces()
	if full == "" || p.at >= len(p.s) || p.s[p.at] != '=' {
		return p.fail("attribute without a value")
	}
	p.at++
	p.spaces()
	if p.at >= len(p.s) || p.s[p.at] != '"' && p.s[p.at] != '\'' {
		return p.fail("attribute without quotes")
	}
	quote := p.s[p.at]
	n := strings.IndexByte(p.s[p.at+1:], quote)
	if n < 0 {
		return p.fail("unexpected end")
	}
	raw := p.s[p.at+1 : p.at+1+n]
	if strings.IndexByte(raw, '<') >= 0 {
		return p.fail("< in an attribute")
	}
	value, err := p.unescape(raw)
	if err != nil {
		return err
	}
	p.at += n + 2
	if full == "xmlns" || strings.HasPrefix(full, "xmlns:") {
		return nil
	}
	name := local(full)
	if len(e.Attrs) >= 64 {
		return p.fail("too many attributes")
	}
	for _, a := range e.Attrs {
		if a.Name == name {
			return p.fail("attribute given twice")
		}
	}
	e.Attrs = append(e.Attrs, Attr{name, value})
	return nil
}

var entities = map[string]string{"lt": "<", "gt": ">", "amp": "&", "quot": `"`, "apos": "'"}

func (p *xmlParser) unescape(s string) (string, error) {
	amp := strings.IndexByte(s, '&')
	if amp < 0 {
		return s, nil
	}
	var b strings.Builder
	for ; amp >= 0; amp = strings.IndexByte(s, '&') {
		b.WriteString(s[:amp])
		semi := strings.IndexByte(s[amp:], ';')
		if semi < 0 || semi > 12 {
			return "", p.fail("unfinished entity")
		}
		name := s[amp+1 : amp+semi]
		if v, ok := entities[name]; ok {
			b.WriteString(v)
		} else if r, ok := charRef(name); ok {
			b.WriteRune(r)
		} else {
			return "", p.fail("unknown entity")
		}
		s = s[amp+semi+1:]
	}
	b.WriteString(s)
	return b.String(), nil
}

func charRef(name string) (rune, bool) {
	base := 10
	digits, ok := strings.CutPrefix(name, "#x")
	if ok {
		base = 16
	} else if digits, ok = strings.CutPrefix(name, "#"); !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
		return 0, false
	}
	return rune(n), true
}

// count returns how many elements there are from e on.
func (e *Element) count() int {
	n := 1
	for _, c := range e.Children {
		n += c.count()
	}
	return n
}

// Child returns the first child of the name, nil if there is none. All methods
// may be called on nil, which is an element without anything.
func (e *Element) Child(name string) *Element {
	if e != nil {
		for _, c := range e.Children {
			if c.Name == name {
				return c
			}
		}
	}
	return nil
}

// All returns the children of the name.
func (e *Element) All(name string) []*Element {
	if e == nil {
		return nil
	}
	var list []*Element
	for _, c := range e.Children {
		if c.Name == name {
			list = append(list, c)
		}
	}
	return list
}

// Attr returns the value of an attribute, "" if there is none.
func (e *Element) Attr(name string) string {
	if e != nil {
		for _, a := range e.Attrs {
			if a.Name == name {
				return a.Value
			}
		}
	}
	return ""
}

// Value returns the text of the element without blanks around it.
func (e *Element) Value() string {
	if e == nil {
		return ""
	}
	return strings.TrimSpace(e.Text)
}
