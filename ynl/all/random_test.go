package all_test

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/all"
	"github.com/nlmux/netlink/ynl/internal/table"
)

// TestRandom encodes random values of every type of every family, decodes them, and writes
// and reads them as JSON. They come back as they were.
func TestRandom(t *testing.T) {
	for _, family := range all.Families {
		t.Run(family.Name(), func(t *testing.T) {
			for i := range family.Rows.Sets {
				of := target{family.Rows, uint16(i) + 1}
				for seed := range uint64(40) {
					if !newRandom(t, of, seed).roundTrip(of) {
						t.Errorf("seed %d", seed)
						break
					}
				}
			}
		})
	}
}

// A random makes values that can be sent.
type random struct {
	*rand.Rand
	testing.TB
	f      *table.Family
	family uint64 // of the addresses in the message, 0 for any
}

// newRandom returns a source of values of a type.
func newRandom(t testing.TB, of target, seed uint64) *random {
	return &random{Rand: rand.New(rand.NewPCG(seed, uint64(of.set))), TB: t, f: of.f}
}

// message returns a value of a type.
func (r *random) message(of target) ynl.Message {
	x := of.new()
	s := &of.f.Sets[of.set-1]
	r.set(nil, s, reflect.ValueOf(x).Elem(), s.Header != 0)
	return x
}

// roundTrip makes one value of a type, and reports whether it comes back.
func (r *random) roundTrip(of target) bool {
	x := r.message(of)
	var b wire.Builder
	x.Encode(&b)
	payload, err := b.Encode()
	if err != nil {
		r.Errorf("%T: %v\n%s", x, err, asJSON(x))
		return false
	}
	y := of.new()
	if err := y.Decode(payload); err != nil {
		r.Errorf("%T: %v\n%x", x, err, payload)
		return false
	}
	if !reflect.DeepEqual(x, y) {
		r.Errorf("%T: encoded and decoded\n%s\n%x", x, diff(x, y), payload)
		return false
	}
	z := of.new()
	if err := json.Unmarshal([]byte(asJSON(x)), z); err != nil {
		r.Errorf("%T: %v\n%s", x, err, asJSON(x))
		return false
	}
	if !reflect.DeepEqual(x, z) {
		r.Errorf("%T: as JSON, and read back\n%s", x, diff(x, z))
		return false
	}
	return true
}

// diff shows two values from where they differ.
func diff(x, y any) string {
	a, b := asJSON(x), asJSON(y)
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	i = max(0, i-60)
	return "..." + a[i:min(len(a), i+200)] + "\n..." + b[i:min(len(b), i+200)]
}

func asJSON(x any) string {
	text, err := json.Marshal(x)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// A scope is a set's value with those around it.
type scope struct {
	around *scope
	set    *table.Set
	value  reflect.Value
	header bool
	kinds  map[string]string // the values of selectors
}

const maxNests = 3

func (s *scope) depth() int {
	if s == nil {
		return 0
	}
	return 1 + s.around.depth()
}

// set fills in a value of a set's type.
func (r *random) set(around *scope, s *table.Set, v reflect.Value, header bool) {
	sc := &scope{around, s, v, header, map[string]string{}}
	for i := range s.Attrs {
		if a := &s.Attrs[i]; a.Kind == table.SubMessage {
			r.choose(sc, &r.f.SubMessages[a.Ref-1])
		}
	}
	if header {
		r.structure(&r.f.Structs[s.Header-1], fieldAt(v, s.HeadOff))
	}
	r.selectKinds(sc)
	few := min(0.5, 12/float64(len(s.Attrs)))
	for i := range s.Attrs {
		a := &s.Attrs[i]
		if a.Kind != table.Unused && a.Kind != table.Pad && sc.kinds[a.Name] == "" && r.Float64() < few {
			r.attr(sc, a, fieldAt(v, a.Off))
		}
	}
	r.unknown(sc)
}

// fieldAt returns the field of a struct at an offset.
func fieldAt(v reflect.Value, off uintptr) reflect.Value {
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.Offset == off && f.Type.Size() > 0 {
			return v.Field(i)
		}
	}
	panic(v.Type().String() + " has no field there")
}

// choose chooses a kind of a sub-message, if its selector is in the set or in its header.
func (r *random) choose(sc *scope, c *table.Choice) {
	if !sc.has(c.Selector, r.f) || sc.kinds[c.Selector] != "" {
		return
	}
	if r.IntN(8) == 0 {
		sc.kinds[c.Selector] = "201" // no kind is called so
		return
	}
	sc.kinds[c.Selector] = c.Formats[r.IntN(len(c.Formats))].Value
}

// has reports whether a selector is in the set, or in its header.
func (sc *scope) has(selector string, f *table.Family) bool {
	if slices.ContainsFunc(sc.set.Attrs, func(a table.Attr) bool { return a.Name == selector }) {
		return true
	}
	return sc.header && slices.ContainsFunc(f.Structs[sc.set.Header-1].Members, func(m table.Member) bool { return m.Name == selector })
}

// selectKinds sets the selectors to the kinds that were chosen, and finds the address family
// of the outermost header.
func (r *random) selectKinds(sc *scope) {
	for i := range sc.set.Attrs {
		a := &sc.set.Attrs[i]
		kind := sc.kinds[a.Name]
		if kind == "" {
			continue
		}
		opt := fieldAt(sc.value, a.Off)
		opt.FieldByName("Set").SetBool(true)
		if v := opt.FieldByName("Value"); a.Kind == table.String {
			v.SetString(kind)
		} else {
			v.SetUint(r.number(a.Enum, kind))
		}
	}
	if !sc.header {
		return
	}
	l := &r.f.Structs[sc.set.Header-1]
	header := fieldAt(sc.value, sc.set.HeadOff)
	for i := range l.Members {
		m := &l.Members[i]
		v := func() reflect.Value { return fieldAt(header, m.Off) }
		if m.Flags&table.AddressFamily != 0 {
			v().SetUint([]uint64{0, 2, 10}[r.IntN(3)])
		}
		if kind := sc.kinds[m.Name]; kind != "" {
			v().SetUint(r.number(m.Enum, kind))
		}
		if m.Flags&table.AddressFamily != 0 && sc.around == nil {
			r.family = v().Uint()
		}
	}
}

// number returns the number that a kind has as an entry of an enum, or is.
func (r *random) number(enum uint16, kind string) uint64 {
	if enum != 0 {
		if n, err := r.f.ParseEnum(enum, []byte(kind)); err == nil {
			return n
		}
	}
	n, err := strconv.ParseUint(kind, 0, 64)
	if err != nil {
		r.Fatal(err)
	}
	return n
}

// attr fills in the field of an attribute.
func (r *random) attr(sc *scope, a *table.Attr, v reflect.Value) {
	switch {
	case a.Kind == table.Nest && a.Flags&table.Multi == 0:
		if sc.depth() < maxNests {
			v.Set(reflect.New(v.Type().Elem()))
			r.value(sc, a, table.Nest, v.Elem())
		}
	case a.Kind == table.SubMessage:
		r.subMessage(sc, a, v)
	case a.Kind == table.Indexed, a.Kind == table.TypeValue, a.Kind == table.Records, a.Flags&table.Multi != 0:
		n := 1 + r.IntN(3)
		if sc.depth() >= maxNests {
			n = 1
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			r.element(sc, a, v.Index(i))
		}
	case v.Kind() == reflect.Struct && v.NumField() == 2 && v.Type().Field(1).Name == "Set":
		v.Field(1).SetBool(true)
		r.value(sc, a, a.Kind, v.Field(0))
	default:
		r.value(sc, a, a.Kind, v)
	}
}

// element fills in an element of a list.
func (r *random) element(sc *scope, a *table.Attr, v reflect.Value) {
	elem := a.Elem
	if a.Flags&table.Multi != 0 && a.Element == 0 {
		elem = a.Kind
	}
	if elem == 0 {
		elem = table.Nest
	}
	if a.Element == 0 {
		r.value(sc, a, elem, v)
		return
	}
	e := &r.f.Elements[a.Element-1]
	for _, key := range e.Keys {
		fieldAt(v, key.Off).SetUint(r.Uint64N(1 << 14))
	}
	if e.Struct != 0 {
		r.structure(&r.f.Structs[e.Struct-1], fieldAt(v, e.StructAt))
	}
	r.value(sc, a, elem, fieldAt(v, e.Value))
}

// value fills in one value of an attribute.
func (r *random) value(sc *scope, a *table.Attr, k table.Kind, v reflect.Value) {
	switch {
	case integer(k):
		r.integer(k, v)
	case k == table.Flag:
		v.SetBool(true)
	case k == table.String:
		v.SetString(strings.Repeat("é", r.IntN(3)) + strings.Repeat("x", r.IntN(5)))
	case k == table.Addr:
		v.Set(reflect.ValueOf(r.addr(a.Hint)))
	case k == table.Via:
		v.Set(reflect.ValueOf(r.addr([]table.Hint{table.IPv4, table.IPv6}[r.IntN(2)])))
	case k == table.Bitfield32:
		v.Field(0).SetUint(uint64(r.Uint32()))
		v.Field(1).SetUint(uint64(r.Uint32()))
	case k == table.Binary:
		v.SetBytes(r.bytes())
	case k == table.Struct:
		r.structure(&r.f.Structs[a.Ref-1], v)
	case k == table.Array && a.Elem == table.Struct:
		r.list(&r.f.Structs[a.Ref-1], v)
	case k == table.Array:
		n := r.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			r.integer(a.Elem, v.Index(i))
		}
	case k == table.Nest && sc.depth() < maxNests:
		r.set(sc, &r.f.Sets[a.Ref-1], v, a.Flags&table.Header != 0)
	}
}

// bytes returns some bytes, which may be none.
func (r *random) bytes() []byte {
	b := make([]byte, r.IntN(10))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// integer sets v to a number that fits into the wire's integer, and not always into a
// smaller one.
func (r *random) integer(k table.Kind, v reflect.Value) {
	bits := 8 * wireSize(k)
	if v.CanInt() {
		v.SetInt(int64(r.Uint64()) >> (64 - bits + r.IntN(bits)))
		return
	}
	if k >= table.S8 && k <= table.S64 {
		bits-- // an enum: its Go type has no sign
	}
	v.SetUint(r.Uint64() >> (64 - bits + r.IntN(bits)))
}

// addr returns an address that suits the hint, or without one the family of the message.
func (r *random) addr(hint table.Hint) netip.Addr {
	v4 := hint == table.IPv4 || hint == table.NoHint && (r.family == 2 || r.family != 10 && r.IntN(2) == 0)
	if v4 {
		return netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(256))})
	}
	return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(r.IntN(256))})
}

// structure fills in all members of a struct.
func (r *random) structure(l *table.Layout, v reflect.Value) {
	for i := range l.Members {
		m := &l.Members[i]
		f := fieldAt(v, m.Off)
		switch {
		case integer(m.Kind):
			r.integer(m.Kind, f)
		case m.Kind == table.Addr:
			f.Set(reflect.ValueOf(r.addr(m.Hint)))
		case m.Kind == table.Struct:
			r.structure(&r.f.Structs[m.Ref-1], f)
		case m.Kind == table.Records:
			if r.list(&r.f.Structs[m.Ref-1], f); f.Len() == 0 {
				f.SetZero() // a struct without a list after it
			}
		case m.Kind == table.Array:
			for j := range f.Len() {
				r.integer(m.Elem, f.Index(j))
			}
		default:
			for j := range f.Len() {
				f.Index(j).SetUint(r.Uint64N(256))
			}
		}
	}
	for i := range l.Members {
		if m := &l.Members[i]; m.Flags&table.Count != 0 {
			fieldAt(v, m.Off).SetUint(uint64(fieldAt(v, l.Members[len(l.Members)-1].Off).Len()))
		}
	}
}

// list fills in a list of structs.
func (r *random) list(l *table.Layout, v reflect.Value) {
	n := r.IntN(3)
	v.Set(reflect.MakeSlice(v.Type(), n, n))
	for i := range n {
		r.structure(l, v.Index(i))
	}
}

// subMessage fills in a sub-message of the kind that its selector has.
func (r *random) subMessage(sc *scope, a *table.Attr, v reflect.Value) {
	c := &r.f.SubMessages[a.Ref-1]
	in := sc
	for in != nil && !in.has(c.Selector, r.f) {
		in = in.around
	}
	if in == nil || in.kinds[c.Selector] == "" {
		return
	}
	kind := in.kinds[c.Selector]
	var formats []table.Format
	for _, f := range c.Formats {
		if f.Value == kind {
			formats = append(formats, f)
		}
	}
	if formats == nil {
		raw := reflect.New(reflect.TypeOf(r.f.Raw).Elem())
		raw.Elem().SetBytes(r.bytes())
		v.Set(raw)
		return
	}
	switch f := formats[r.IntN(len(formats))]; {
	case f.Set != 0 && sc.depth() < maxNests:
		s := &r.f.Sets[f.Set-1]
		x := reflect.New(elemType(s.Type))
		r.set(sc, s, x.Elem(), f.Struct != 0)
		v.Set(x)
	case f.Set == 0 && f.Struct != 0:
		l := &r.f.Structs[f.Struct-1]
		x := reflect.New(elemType(l.Type))
		r.structure(l, x.Elem())
		v.Set(x)
	}
}

// unknown adds attributes that the set does not have.
func (r *random) unknown(sc *scope) {
	next := uint16(1)
	if n := len(sc.set.Attrs); n > 0 {
		next = sc.set.Attrs[n-1].Type + 1
	}
	var attrs ynl.Attrs
	for range r.IntN(3) {
		flags := []uint16{0, wire.NLA_F_NESTED, wire.NLA_F_NET_BYTEORDER}[r.IntN(3)]
		attrs.Add(next|flags, r.bytes())
		next += 1 + uint16(r.IntN(9))
	}
	fieldAt(sc.value, sc.set.Unknown).Set(reflect.ValueOf(attrs))
}
