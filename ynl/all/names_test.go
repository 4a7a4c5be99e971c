package all_test

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/internal/names"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/all"
	"github.com/nlmux/netlink/ynl/internal/table"
)

// TestNames compares the names of all attributes that requests can have, by which package
// client and package genl name those of a refusal, with those in the rows.
func TestNames(t *testing.T) {
	for _, family := range all.Families {
		t.Run(family.Name(), func(t *testing.T) {
			seen := map[uint16]bool{}
			for _, op := range requests(family) {
				n := naming{t, family, op, seen}
				n.set(op.Row.Set, level{before: n.header(op.Row.Set)}, nil)
			}
		})
	}
}

// TestNamesOfRandomRequests: the path of an attribute of the request is its name, and that
// of one within it begins with its name.
func TestNamesOfRandomRequests(t *testing.T) {
	for _, family := range all.Families {
		t.Run(family.Name(), func(t *testing.T) {
			for _, op := range requests(family) {
				n := naming{t, family, op, nil}
				names := namesOf(&family.Rows.Sets[op.Row.Set-1])
				for seed := range uint64(5) {
					body := randomPayload(t, target{family.Rows, op.Row.Set}, seed)
					if family.Name() == "sockdiag" {
						body[0] = addressFamilies[op.Name()]
					}
					at := len(n.header(op.Row.Set))
					for a := range wire.Attrs(body[at:]) {
						n.attribute(body, at, a, cmp.Or(names[a.Type], strconv.Itoa(int(a.Type))))
						at += len(attribute(a.Type, a.Value))
					}
				}
			}
		})
	}
}

// requests returns the operations that can be requested.
func requests(family *ynl.Family) []*ynl.Op {
	return slices.DeleteFunc(family.Ops(), func(op *ynl.Op) bool { return !op.CanDo() && !op.CanDump() })
}

// A naming compares the names of the attributes in requests of one operation.
type naming struct {
	testing.TB
	family *ynl.Family
	op     *ynl.Op
	seen   map[uint16]bool // the sets that were compared
}

// path returns the path of what x says, for an attribute at an offset of the request.
func (n *naming) path(body []byte, at int, x wire.ExtAck) string {
	r, payload := n.request(body)
	if r.Name == "" {
		n.Fatalf("operation %s has no name", n.op.Name())
	}
	x.Offset = uint32(wire.HeaderLen + len(payload) - len(body) + at)
	x.MissingNest = x.Offset
	return r.Path(payload, x)
}

// attribute compares the paths of the attribute a at an offset of the request, and of what
// is within it, with its name.
func (n *naming) attribute(body []byte, at int, a wire.Attr, name string) {
	for in := range attrHeaderLen + len(a.Value) {
		got := n.path(body, at+in, wire.ExtAck{HasOffset: true})
		if in == 0 && got != name || in > 0 && got != "" && !strings.HasPrefix(got, name+" > ") {
			n.Errorf("operation %s, %x at %d+%d: %q, the rows have %q", n.op.Name(), body, at, in, got, name)
		}
	}
}

// namesOf returns the names of the attributes of a set.
func namesOf(s *table.Set) map[uint16]string {
	names := map[uint16]string{}
	for i := range s.Attrs {
		names[s.Attrs[i].Type] = s.KernelName(&s.Attrs[i])
	}
	return names
}

// request returns what package names knows of a request, and its payload.
func (n *naming) request(body []byte) (r names.Request, payload []byte) {
	const ctrlID = 16
	rows := n.family.Rows
	number := n.op.Row.Request
	if !rows.Generic {
		return names.Of(n.family.Protocol(), netlink.MessageType(number), body), body
	}
	payload = append([]byte{byte(number), rows.Version, 0, 0}, body...)
	if rows.Name == "nlctrl" {
		return names.Of(netlink.NETLINK_GENERIC, ctrlID, payload), payload
	}
	return names.OfGeneric(rows.Name, payload, len(n.header(n.op.Row.Set))), payload
}

// addressFamilies are what the requests of sockdiag have in the first byte.
var addressFamilies = map[string]byte{
	"get-unix": 1, "get-inet": 2, "destroy": 2, "get-netlink": 16, "get-packet": 17, "get-vsock": 40,
}

// header returns the header of messages with a set.
func (n *naming) header(set uint16) []byte {
	h := n.structure(n.family.Rows.Sets[set-1].Header)
	if n.family.Name() == "sockdiag" {
		h[0] = addressFamilies[n.op.Name()]
	}
	return h
}

// structure returns a struct of zeros, with padding.
func (n *naming) structure(ref uint16) []byte {
	if ref == 0 {
		return nil
	}
	return make([]byte, (n.family.Rows.Structs[ref-1].Wire+3)/4*4)
}

// A level is an attribute that contains others, and what is before it in its set.
type level struct {
	before []byte // the header, and the attribute that selects
	record bool   // before begins with the length of a record, to its end
	typ    uint16
	name   string
}

// build returns attributes in each other, and the offset of the innermost. Each is between
// two others, and a record is after another.
func build(levels []level) (body []byte, at int) {
	other := attribute(1<<14-1, []byte("x"))
	for _, l := range slices.Backward(levels) {
		body = slices.Concat(l.before, other, attribute(l.typ, body), other)
		at += len(l.before) + len(other) + attrHeaderLen
		if l.record {
			body = append(record(l.before), record(body)...)
			at += len(l.before)
		}
	}
	return body, max(0, at-attrHeaderLen)
}

// record returns b with its length in the first bytes.
func record(b []byte) []byte {
	return append(binary.NativeEndian.AppendUint16(nil, uint16(len(b))), b[2:]...)
}

// attrHeaderLen is the size of struct nlattr in bytes.
const attrHeaderLen = 4

// attribute returns an attribute.
func attribute(typ uint16, value []byte) []byte {
	var b wire.Builder
	b.Bytes(typ, value)
	p, _ := b.Encode()
	return p
}

// set compares the names of all attributes of a set that are in the last of levels, or in
// the request if there is none, or are missing there. If the set was not seen, it goes on
// with what its attributes contain. first is what is before them.
func (n *naming) set(set uint16, first level, levels []level) {
	outer, nest := build(levels)
	if levels == nil {
		outer = first.before
	}
	s := &n.family.Rows.Sets[set-1]
	names := namesOf(s)
	last := slices.Max(slices.AppendSeq([]uint16{0}, maps.Keys(names)))
	for typ := range last + 2 {
		here := first
		here.typ, here.name = typ, cmp.Or(names[typ], strconv.Itoa(int(typ)))
		to := append(slices.Clip(levels), here)
		body, at := build(to)
		n.compare(body, at, wire.ExtAck{HasOffset: true}, to)
		n.compare(outer, nest, wire.ExtAck{HasMissingType: true, MissingType: uint32(typ), HasMissingNest: levels != nil}, to)
	}
	if n.seen[set] {
		return
	}
	n.seen[set] = true
	for i := range s.Attrs {
		a := &s.Attrs[i]
		here := first
		here.typ, here.name = a.Type, names[a.Type]
		n.attr(s, a, append(slices.Clip(levels), here))
	}
}

// compare compares the path of what x says, for an attribute at an offset of the request,
// with the names of levels.
func (n *naming) compare(body []byte, at int, x wire.ExtAck, levels []level) {
	var names []string
	for _, l := range levels {
		names = append(names, l.name)
	}
	got, want := n.path(body, at, x), strings.Join(names, " > ")
	// Package names has nothing of statistics that depend on the kind of a qdisc: the
	// kernel does not read them.
	if got != want && !strings.Contains(want, "TCA_STATS_APP > ") {
		n.Errorf("operation %s, %x at %d, %+v: %q, the rows have %q", n.op.Name(), body, at, x, got, want)
	}
}

// attr goes on with what the attribute a of s contains, the last of levels.
func (n *naming) attr(s *table.Set, a *table.Attr, levels []level) {
	rows := n.family.Rows
	switch {
	case a.Kind == table.Nest && a.Flags&table.Header != 0:
		n.set(a.Ref, level{before: n.structure(rows.Sets[a.Ref-1].Header)}, levels)
	case a.Kind == table.Nest:
		n.set(a.Ref, level{}, levels)
	case a.Kind == table.Records:
		n.set(a.Ref, level{before: n.structure(rows.Elements[a.Element-1].Struct), record: true}, levels)
	case a.Kind == table.Indexed && a.Ref != 0 && (a.Elem == 0 || a.Elem == table.Nest):
		n.set(a.Ref, level{}, append(levels, level{typ: 1, name: "1"}))
	case a.Kind == table.TypeValue && a.Ref != 0:
		for range rows.Elements[a.Element-1].Keys {
			levels = append(levels, level{typ: 1, name: "1"})
		}
		n.set(a.Ref, level{}, levels)
	case a.Kind == table.SubMessage:
		c := &rows.SubMessages[a.Ref-1]
		for _, format := range c.Formats {
			last := &levels[len(levels)-1]
			before := last.before
			last.before = n.selected(s, c.Selector, format.Value, before)
			if format.Set != 0 && last.before != nil {
				n.set(format.Set, level{before: n.structure(format.Struct)}, levels)
			}
			last.before = before
		}
	}
}

// selected returns the header of a set with what makes a selector have a value, nil if the
// set does not have the selector.
func (n *naming) selected(s *table.Set, selector, value string, header []byte) []byte {
	rows := n.family.Rows
	for _, a := range s.Attrs {
		switch {
		case a.Name != selector:
		case a.Kind == table.String:
			return append(slices.Clip(header), attribute(a.Type, []byte(value+"\x00"))...)
		default:
			return append(slices.Clip(header), integerAttr(&a, number(rows, a.Enum, value))...)
		}
	}
	if s.Header != 0 && header != nil {
		for _, m := range rows.Structs[s.Header-1].Members {
			if m.Name == selector {
				header = slices.Clone(header)
				header[m.At] = byte(number(rows, m.Enum, value))
				return header
			}
		}
	}
	return nil
}

// number returns the number that a value of a selector has.
func number(rows *table.Family, enum uint16, value string) uint64 {
	if enum != 0 {
		for _, e := range rows.Enums[enum-1].Entries {
			if e.Name == value {
				return e.Value
			}
		}
	}
	v, err := strconv.ParseUint(value, 0, 8)
	if err != nil {
		panic(err)
	}
	return v
}

// integerAttr returns an attribute with an integer.
func integerAttr(a *table.Attr, v uint64) []byte {
	var b wire.Builder
	switch {
	case a.Kind == table.U8:
		b.Uint8(a.Type, uint8(v))
	case a.Kind == table.U16 && a.Flags&table.BigEndian == 0:
		b.Uint16(a.Type, uint16(v))
	case a.Kind == table.U32 && a.Flags&table.BigEndian != 0:
		b.Uint32BE(a.Type, uint32(v))
	default:
		panic("no selector is like " + a.Name)
	}
	p, _ := b.Encode()
	return p
}
