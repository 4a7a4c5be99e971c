package table

import (
	"strconv"
	"strings"

	"github.com/nlmux/netlink/wire"
)

// NewMessage returns a pointer to a new message of the type of the set.
func (f *Family) NewMessage(set uint16) any {
	s := &f.Sets[set-1]
	return s.New().pointer(s.Type)
}

// content is what the value of an attribute consists of: attributes, which a struct may
// precede.
type content struct {
	set     uint16 // of the attributes, 0 if it is not known
	header  int    // size of the struct before them
	keys    int    // levels of attributes with numbers as types, around those of the set
	records bool   // the value is records, and header is the size of the struct of each
}

// Path returns the kernel's names of the attribute that x is about and of those around
// it, such as "IFLA_LINKINFO > IFLA_INFO_KIND", "" if x is about no attribute. A type
// without a name is its number. It is [wire.ExtAck.Path] with what the rows say.
//
// request is the request from the header of the set on, and at its offset in the
// message.
func (f *Family) Path(set uint16, request []byte, x wire.ExtAck, at int) string {
	c := content{set: set, header: f.headerLen(f.Sets[set-1].Header)}
	switch {
	case x.HasMissingType && x.MissingType > typeMask:
	case x.HasMissingType && !x.HasMissingNest:
		return f.contentName(c, uint16(x.MissingType))
	case x.HasMissingType:
		if path, in := f.trace(c, request, int(x.MissingNest)-at); path != nil {
			return strings.Join(append(path, f.contentName(in, uint16(x.MissingType))), " > ")
		}
	case x.HasOffset:
		path, _ := f.trace(c, request, int(x.Offset)-at)
		return strings.Join(path, " > ")
	}
	return ""
}

// contentName returns the name of an attribute in c.
func (f *Family) contentName(c content, typ uint16) string {
	if c.set != 0 && c.keys == 0 {
		s := &f.Sets[c.set-1]
		if a := s.find(typ); a != nil {
			return s.kernelName(a)
		}
	}
	return strconv.Itoa(int(typ))
}

// trace returns the names of the attribute that begins at an offset of b and of those
// around it, and what is in the attribute. The path is nil if none begins there.
func (f *Family) trace(c content, b []byte, at int) (path []string, in content) {
	w := walk{f: f}
	for range maxDepth {
		var head []byte
		if head, b, at = c.cut(b, at); at < 0 || !areAttrs(b) {
			return nil, content{}
		}
		r, begin := around(b, at)
		if r == nil {
			return nil, content{}
		}
		path = append(path, f.contentName(c, r.typ()))
		if c.keys > 0 {
			c.keys--
			c.header, c.records = 0, false
		} else {
			c = w.enter(c, head, b, r.typ())
		}
		if begin == at {
			return path, c
		}
		b, at = r.value(), at-begin-headerLen
	}
	return nil, content{}
}

// cut returns the struct and the attributes in the value b, for records those of the
// record around an offset. It returns the offset in the attributes, which is negative if
// it is not in one.
func (c content) cut(b []byte, at int) (head, attrs []byte, in int) {
	for c.records {
		r := cutAttr(b) // a record begins with its length as an attribute does
		if r == nil {
			return nil, nil, -1
		}
		if at < len(r) {
			b = r
			break
		}
		b, at = r.next(b), at-align(len(r))
	}
	if c.header > len(b) {
		return nil, nil, -1
	}
	return b[:c.header], b[c.header:], at - c.header
}

// around returns the attribute in b that has the byte at, and its offset.
func around(b []byte, at int) (r rawAttr, begin int) {
	for len(b) > 0 {
		r := cutAttr(b)
		if r == nil {
			break
		}
		if at < begin+len(r) {
			return r, begin
		}
		begin += align(len(r))
		b = r.next(b)
	}
	return nil, 0
}

// enter reads the attributes of c and the struct before them, since they may have
// selectors, and returns what is in the attribute of a type.
func (w *walk) enter(c content, head, attrs []byte, typ uint16) content {
	if c.set == 0 {
		return content{}
	}
	s := &w.f.Sets[c.set-1]
	w.push(nil, s, s.New(), len(head) > 0 && !c.records)
	d := decoder{*w}
	if d.top().header {
		d.readHeader(&w.f.Structs[s.Header-1], head)
	}
	d.readAttrs(attrs)
	if a := s.find(typ); a != nil {
		return w.content(a)
	}
	return content{}
}

// content returns what is in the attribute a of the innermost set.
func (w *walk) content(a *Attr) content {
	switch {
	case a.Kind == Nest:
		c := content{set: a.Ref}
		if a.Flags&Header != 0 {
			c.header = w.f.headerLen(w.f.Sets[a.Ref-1].Header)
		}
		return c
	case a.Kind == Indexed && a.elem() == Nest:
		return content{set: a.Ref, keys: 1}
	case a.Kind == TypeValue && a.elem() == Nest:
		return content{set: a.Ref, keys: len(w.f.Elements[a.Element-1].Keys)}
	case a.Kind == Indexed:
		return content{keys: 1}
	case a.Kind == TypeValue:
		return content{keys: len(w.f.Elements[a.Element-1].Keys)}
	case a.Kind == Records:
		return content{set: a.Ref, header: w.f.headerLen(w.f.Elements[a.Element-1].Struct), records: true}
	case a.Kind == SubMessage:
		c := &w.f.SubMessages[a.Ref-1]
		sel, _ := w.selected(c.Selector)
		v := c.Load(w.top().at.at(a.Off))
		if fm := c.format(sel, func(fm *Format) bool { return w.f.has(fm, v) }); fm != nil {
			return content{set: fm.Set, header: w.f.headerLen(fm.Struct)}
		}
	}
	return content{}
}

// headerLen returns the size of a struct before attributes, 0 if there is none.
func (f *Family) headerLen(ref uint16) int {
	if ref == 0 {
		return 0
	}
	return align(int(f.Structs[ref-1].Wire))
}
