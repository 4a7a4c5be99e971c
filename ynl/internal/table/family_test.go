package table_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"unsafe"

	"github.com/nlmux/netlink/ynl/internal/table"
)

// opt is ynl.Opt, which this package cannot import.
type opt[T any] struct {
	Value T
	Set   bool
}

func some[T any](v T) opt[T] { return opt[T]{v, true} }

type (
	color uint32 // an enum
	bits  uint32 // flags
	wide  uint64 // an enum with a value of 33 bits
)

type bitfield struct{ Value, Selector uint32 }

// hdr is the header of a thing: 16 bytes with a gap of 2.
type hdr struct {
	Family uint8
	Color  color // 1 byte on the wire
	Index  int32
	Flags  bits
	Port   uint16 // in network byte order
}

// stats is a struct of 40 bytes, the last 4 a gap.
type stats struct {
	In, Out uint64
	MAC     [6]byte
	Ports   [2]uint16
	Addr    netip.Addr
	Pair    pair
}

type pair struct {
	A uint16
	B int16
}

// sel is a struct with a list at its end.
type sel struct {
	Count uint8
	Off   uint8
	Pairs []pair
}

// hopHdr is the struct at the beginning of a record, without its length.
type hopHdr struct {
	Flags uint8
	Hops  uint8
	Index int32
}

type hop struct {
	hopHdr
	Thing thing
}

type indexed struct {
	Index uint16
	Leaf  leaf
}

type policy struct {
	ID, Attr uint16
	Leaf     leaf
}

type count struct {
	ID    uint16
	Value uint64
}

type leaf struct {
	ID      opt[uint32]
	Leaf    *leaf
	Unknown []byte
}

// deep has a sub-message with a selector in the set around it.
type deep struct {
	Options options
	Unknown []byte
}

// alpha and beta are formats of options, both with the header pair when it is said so.
type alpha struct {
	pair
	ID      opt[uint32]
	Unknown []byte
}

type beta struct {
	ID      opt[uint16]
	Unknown []byte
}

// stray is no format.
type stray struct{}

type raw []byte

type options interface{ isOptions() }

func (*alpha) isOptions() {}
func (*beta) isOptions()  {}
func (*pair) isOptions()  {}
func (*sel) isOptions()   {}
func (*raw) isOptions()   {}
func (*stray) isOptions() {}

// thing has a field of every kind.
type thing struct {
	hdr

	Name    opt[string]
	Flag    bool
	U8      opt[uint8]
	BE16    opt[uint16]
	Color   opt[color]
	Bits    opt[bits]
	Mask    opt[uint32]
	S16     opt[int16]
	U64     opt[uint64]
	Uint    opt[uint64]
	Sint    opt[int64]
	Data    []byte
	MAC     net.HardwareAddr
	UUID    []byte
	Addr    netip.Addr
	Addr4   netip.Addr
	Addr6   netip.Addr
	Via     netip.Addr
	Stats   opt[stats]
	Sel     opt[sel]
	Field   opt[bitfield]
	Array   []uint16
	Structs []pair
	Leaf    *leaf
	Self    *thing
	Numbers []uint32
	Names   []string
	Leaves  []leaf
	Pairs   []pair
	Addrs   []netip.Addr
	List    []leaf
	Indexed []indexed
	Policy  []policy
	Counts  []count
	Hops    []hop
	Kind    opt[string]
	Options options
	More    options // with the selector of Options
	Level   opt[color]
	Value   options // selected by Level
	AF      options // selected by the header's color
	Deep    *deep
	S8      opt[int8]
	Wide    opt[wide]
	BE32    opt[int32]
	BE64    opt[uint64]
	U32     opt[uint32]
	Bytes   [][]byte
	Colors  []color
	Vias    []netip.Addr
	Same    []leaf      // elements without numbers
	Status  opt[uint32] // read-only
	First   opt[uint32] // that excludes Second
	Second  opt[uint32]
	Sealed  *leaf // with nothing but a read-only attribute, see hook
	Unknown []byte

	hooked bool
}

const (
	setThing = iota + 1
	setLeaf
	setDeep
	setAlpha
	setBeta
)

const (
	structHdr = iota + 1
	structStats
	structPair
	structSel
	structHop
)

const (
	enumColor = iota + 1
	enumBits
	enumWide
)

const (
	choiceOptions = iota + 1
	choiceLevel
	choiceColor
)

const (
	elementIndexed = iota + 1
	elementPolicy
	elementCount
	elementHop
)

var (
	t0 thing
	h0 hdr
	s0 stats
)

// o4 is where Set is after a value of 4 bytes.
const o4 = unsafe.Offsetof(opt[uint32]{}.Set)

// family describes a thing. Its types are those of the fields in order, with a gap.
var family = table.Family{
	Name: "test", Number: 42, Raw: (*raw)(nil),
	Sets: []table.Set{
		setThing - 1: {
			Name: "thing", Prefix: "T_", Type: (*thing)(nil), Size: unsafe.Sizeof(t0), New: table.New[thing],
			Header: structHdr, HeadOff: unsafe.Offsetof(t0.hdr), Unknown: unsafe.Offsetof(t0.Unknown),
			Attrs: []table.Attr{
				{Name: "name", Type: 1, Kind: table.String, Off: unsafe.Offsetof(t0.Name), Set: unsafe.Offsetof(t0.Name.Set)},
				{Name: "flag", Type: 2, Kind: table.Flag, Off: unsafe.Offsetof(t0.Flag)},
				{Name: "u8", Type: 3, Kind: table.U8, Width: 1, Off: unsafe.Offsetof(t0.U8), Set: unsafe.Offsetof(t0.U8.Set)},
				{Name: "be16", Type: 4, Kind: table.U16, Width: 2, Flags: table.BigEndian, Off: unsafe.Offsetof(t0.BE16), Set: unsafe.Offsetof(t0.BE16.Set)},
				{Name: "color", Type: 5, Kind: table.U8, Width: 4, Enum: enumColor, Off: unsafe.Offsetof(t0.Color), Set: o4},
				{Name: "bits", Type: 6, Kind: table.U32, Width: 4, Enum: enumBits, Off: unsafe.Offsetof(t0.Bits), Set: o4},
				{Name: "mask", Type: 7, Kind: table.U32, Width: 4, Enum: enumColor, Flags: table.Mask, Off: unsafe.Offsetof(t0.Mask), Set: o4},
				{Name: "s16", Type: 8, Kind: table.S16, Width: 2, Off: unsafe.Offsetof(t0.S16), Set: unsafe.Offsetof(t0.S16.Set)},
				{Name: "u64", Type: 9, Kind: table.U64, Width: 8, Off: unsafe.Offsetof(t0.U64), Set: unsafe.Offsetof(t0.U64.Set)},
				{Name: "uint", Type: 10, Kind: table.Uint, Width: 8, Off: unsafe.Offsetof(t0.Uint), Set: unsafe.Offsetof(t0.Uint.Set)},
				{Name: "sint", Type: 11, Kind: table.Sint, Width: 8, Off: unsafe.Offsetof(t0.Sint), Set: unsafe.Offsetof(t0.Sint.Set)},
				{Name: "data", Type: 12, Kind: table.Binary, Off: unsafe.Offsetof(t0.Data)},
				{Name: "mac", Type: 13, Kind: table.Binary, Hint: table.MAC, Off: unsafe.Offsetof(t0.MAC)},
				{Name: "uuid", Type: 14, Kind: table.Binary, Hint: table.UUID, Off: unsafe.Offsetof(t0.UUID)},
				{Name: "addr", Type: 15, Kind: table.Addr, Off: unsafe.Offsetof(t0.Addr)},
				{Name: "addr4", Type: 16, Kind: table.Addr, Hint: table.IPv4, Off: unsafe.Offsetof(t0.Addr4)},
				{Name: "addr6", Type: 17, Kind: table.Addr, Hint: table.IPv6, Off: unsafe.Offsetof(t0.Addr6)},
				{Name: "via", Type: 18, Kind: table.Via, Off: unsafe.Offsetof(t0.Via)},
				{Name: "stats", Type: 19, Kind: table.Struct, Ref: structStats, Off: unsafe.Offsetof(t0.Stats), Set: unsafe.Offsetof(t0.Stats.Set)},
				{Name: "sel", Type: 20, Kind: table.Struct, Ref: structSel, Off: unsafe.Offsetof(t0.Sel), Set: unsafe.Offsetof(t0.Sel.Set)},
				{Name: "field", Type: 21, Kind: table.Bitfield32, Enum: enumBits, Off: unsafe.Offsetof(t0.Field), Set: unsafe.Offsetof(t0.Field.Set)},
				{Name: "array", Type: 22, Kind: table.Array, Elem: table.U16, Width: 2, Flags: table.BigEndian, Off: unsafe.Offsetof(t0.Array)},
				{Name: "structs", Type: 23, Kind: table.Array, Elem: table.Struct, Ref: structPair, Off: unsafe.Offsetof(t0.Structs)},
				{Name: "leaf", Type: 24, Kind: table.Nest, Ref: setLeaf, Off: unsafe.Offsetof(t0.Leaf)},
				{Name: "self", Type: 25, Kind: table.Nest, Ref: setThing, Flags: table.Header, Off: unsafe.Offsetof(t0.Self)},
				{Name: "numbers", Type: 26, Kind: table.U32, Width: 4, Flags: table.Multi, Off: unsafe.Offsetof(t0.Numbers)},
				{Name: "names", Type: 27, Kind: table.String, Flags: table.Multi, Off: unsafe.Offsetof(t0.Names)},
				{Name: "leaves", Type: 28, Kind: table.Nest, Ref: setLeaf, Flags: table.Multi, Off: unsafe.Offsetof(t0.Leaves)},
				{Name: "pairs", Type: 29, Kind: table.Struct, Ref: structPair, Flags: table.Multi, Off: unsafe.Offsetof(t0.Pairs)},
				{Name: "addrs", Type: 30, Kind: table.Indexed, Elem: table.Addr, Hint: table.IPv4, Off: unsafe.Offsetof(t0.Addrs)},
				{Name: "list", Type: 31, Kind: table.Indexed, Elem: table.Nest, Ref: setLeaf, First: 1, Off: unsafe.Offsetof(t0.List)},
				{Name: "indexed", Type: 32, Kind: table.Indexed, Elem: table.Nest, Ref: setLeaf, Element: elementIndexed, Off: unsafe.Offsetof(t0.Indexed)},
				{Name: "policy", Type: 33, Kind: table.TypeValue, Ref: setLeaf, Element: elementPolicy, Off: unsafe.Offsetof(t0.Policy)},
				{Name: "counts", Type: 34, Kind: table.TypeValue, Elem: table.U64, Width: 8, Element: elementCount, Off: unsafe.Offsetof(t0.Counts)},
				{Name: "hops", Type: 35, Kind: table.Records, Ref: setThing, Element: elementHop, Off: unsafe.Offsetof(t0.Hops)},
				{Name: "kind", Type: 36, Kind: table.String, Flags: table.Selects, Off: unsafe.Offsetof(t0.Kind), Set: unsafe.Offsetof(t0.Kind.Set)},
				{Name: "options", Type: 37, Kind: table.SubMessage, Ref: choiceOptions, Off: unsafe.Offsetof(t0.Options)},
				{Name: "more", Type: 38, Kind: table.SubMessage, Ref: choiceOptions, Off: unsafe.Offsetof(t0.More)},
				{Name: "level", Type: 39, Kind: table.U16, Width: 4, Enum: enumColor, Flags: table.Selects | table.BigEndian, Off: unsafe.Offsetof(t0.Level), Set: o4},
				{Name: "value", Type: 40, Kind: table.SubMessage, Ref: choiceLevel, Off: unsafe.Offsetof(t0.Value)},
				{Name: "af", Type: 41, Kind: table.SubMessage, Ref: choiceColor, Off: unsafe.Offsetof(t0.AF)},
				{Name: "deep", Type: 42, Kind: table.Nest, Ref: setDeep, Off: unsafe.Offsetof(t0.Deep)},
				{Name: "s8", Type: 43, Kind: table.S8, Width: 1, Off: unsafe.Offsetof(t0.S8), Set: unsafe.Offsetof(t0.S8.Set)},
				{Name: "wide", Type: 44, Kind: table.S64, Width: 8, Enum: enumWide, Off: unsafe.Offsetof(t0.Wide), Set: unsafe.Offsetof(t0.Wide.Set)},
				{Name: "be32", Type: 45, Kind: table.S32, Width: 4, Flags: table.BigEndian, Off: unsafe.Offsetof(t0.BE32), Set: o4},
				{Name: "be64", Type: 46, Kind: table.U64, Width: 8, Flags: table.BigEndian, Off: unsafe.Offsetof(t0.BE64), Set: unsafe.Offsetof(t0.BE64.Set)},
				{Name: "u32", Type: 47, Kind: table.U32, Width: 4, Off: unsafe.Offsetof(t0.U32), Set: o4},
				{Name: "bytes", Type: 48, Kind: table.Binary, Flags: table.Multi, Off: unsafe.Offsetof(t0.Bytes)},
				{Name: "colors", Type: 49, Kind: table.U8, Width: 4, Enum: enumColor, Flags: table.Multi, Off: unsafe.Offsetof(t0.Colors)},
				{Name: "vias", Type: 50, Kind: table.Via, Flags: table.Multi, Off: unsafe.Offsetof(t0.Vias)},
				{Name: "pad", Type: 51, Kind: table.Pad},
				{Name: "old", Type: 52, Kind: table.Unused},
				{Name: "same", Type: 53, Kind: table.Indexed, Elem: table.Nest, Ref: setLeaf, Flags: table.Unnumbered, Off: unsafe.Offsetof(t0.Same)},
				{Name: "status", Type: 60, Kind: table.U32, Width: 4, Flags: table.ReadOnly, Off: unsafe.Offsetof(t0.Status), Set: o4},
				{Name: "first", Type: 61, Kind: table.U32, Width: 4, Off: unsafe.Offsetof(t0.First), Set: o4},
				{Name: "second", Type: 62, Kind: table.U32, Width: 4, Off: unsafe.Offsetof(t0.Second), Set: o4},
				{Name: "sealed", Type: 63, Kind: table.Nest, Ref: setLeaf, Off: unsafe.Offsetof(t0.Sealed)},
			},
			KernelNames:  []table.KernelName{{Type: 52, Name: "T__OLD"}},
			ReadOnlyBits: []table.Bits{{Type: 6, Mask: 4}},
			Excludes:     []table.Exclusion{{If: 61, Then: 62}},
			Hook:         func(p table.Place) { table.At[thing](p).hooked = true },
		},
		setLeaf - 1: {
			Name: "leaf", Type: (*leaf)(nil), Size: unsafe.Sizeof(leaf{}), New: table.New[leaf], Grow: table.Grow[leaf],
			Unknown: unsafe.Offsetof(leaf{}.Unknown),
			Attrs: []table.Attr{
				{Name: "id", Type: 0, Kind: table.U32, Width: 4, Flags: table.ReadOnly, Off: unsafe.Offsetof(leaf{}.ID), Set: o4},
				{Name: "in-leaf", Type: 7, Kind: table.Nest, Ref: setLeaf, Off: unsafe.Offsetof(leaf{}.Leaf)},
			},
		},
		setDeep - 1: {
			Name: "deep", Prefix: "D_", Type: (*deep)(nil), Size: unsafe.Sizeof(deep{}), New: table.New[deep],
			Unknown: unsafe.Offsetof(deep{}.Unknown),
			Attrs: []table.Attr{
				{Name: "options", Type: 1, Kind: table.SubMessage, Ref: choiceOptions, Off: unsafe.Offsetof(deep{}.Options)},
			},
		},
		setAlpha - 1: {
			Name: "alpha", Prefix: "A_", Type: (*alpha)(nil), Size: unsafe.Sizeof(alpha{}), New: table.New[alpha],
			Header: structPair, HeadOff: unsafe.Offsetof(alpha{}.pair), Unknown: unsafe.Offsetof(alpha{}.Unknown),
			Attrs: []table.Attr{{Name: "id", Type: 1, Kind: table.U32, Width: 4, Off: unsafe.Offsetof(alpha{}.ID), Set: o4}},
		},
		setBeta - 1: {
			Name: "beta", Prefix: "B_", Type: (*beta)(nil), Size: unsafe.Sizeof(beta{}), New: table.New[beta],
			Unknown: unsafe.Offsetof(beta{}.Unknown),
			Attrs:   []table.Attr{{Name: "id", Type: 1, Kind: table.U16, Width: 2, Off: unsafe.Offsetof(beta{}.ID), Set: unsafe.Offsetof(beta{}.ID.Set)}},
		},
	},
	Structs: []table.Layout{
		structHdr - 1: {Name: "hdr", Type: (*hdr)(nil), Wire: 14, Size: unsafe.Sizeof(h0), Members: []table.Member{
			{Name: "hdr-family", At: 0, Kind: table.U8, Width: 1, Flags: table.AddressFamily, Run: 1, Off: unsafe.Offsetof(h0.Family)},
			{Name: "hdr-color", At: 1, Kind: table.U8, Width: 4, Enum: enumColor, Off: unsafe.Offsetof(h0.Color)},
			{Name: "hdr-index", At: 4, Kind: table.S32, Width: 4, Run: 8, Off: unsafe.Offsetof(h0.Index)},
			{Name: "hdr-flags", At: 8, Kind: table.U32, Width: 4, Enum: enumBits, ReadOnly: 2, Off: unsafe.Offsetof(h0.Flags)},
			{Name: "hdr-port", At: 12, Kind: table.U16, Width: 2, Flags: table.BigEndian, Off: unsafe.Offsetof(h0.Port)},
		}},
		structStats - 1: {Name: "stats", Type: (*stats)(nil), Wire: 40, Size: unsafe.Sizeof(s0), Members: []table.Member{
			{Name: "in", At: 0, Kind: table.U64, Width: 8, Run: 16, Off: unsafe.Offsetof(s0.In)},
			{Name: "out", At: 8, Kind: table.U64, Width: 8, Off: unsafe.Offsetof(s0.Out)},
			{Name: "mac", At: 16, Kind: table.Binary, Len: 6, Hint: table.MAC, Off: unsafe.Offsetof(s0.MAC)},
			{Name: "ports", At: 22, Kind: table.Array, Elem: table.U16, Len: 4, Width: 2, Flags: table.BigEndian, Off: unsafe.Offsetof(s0.Ports)},
			{Name: "addr", At: 26, Kind: table.Addr, Hint: table.IPv4, Off: unsafe.Offsetof(s0.Addr)},
			{Name: "pair", At: 32, Kind: table.Struct, Ref: structPair, Off: unsafe.Offsetof(s0.Pair)},
		}},
		structPair - 1: {Name: "pair", Type: (*pair)(nil), Wire: 4, Size: unsafe.Sizeof(pair{}), New: table.New[pair], Grow: table.Grow[pair], Members: []table.Member{
			{Name: "a", At: 0, Kind: table.U16, Width: 2, Off: unsafe.Offsetof(pair{}.A)},
			{Name: "b", At: 2, Kind: table.S16, Width: 2, Off: unsafe.Offsetof(pair{}.B)},
		}},
		structSel - 1: {Name: "sel", Type: (*sel)(nil), Wire: 4, Size: unsafe.Sizeof(sel{}), New: table.New[sel], Members: []table.Member{
			{Name: "count", At: 0, Kind: table.U8, Width: 1, Flags: table.Count, Off: unsafe.Offsetof(sel{}.Count)},
			{Name: "off", At: 1, Kind: table.U8, Width: 1, Run: 1, Off: unsafe.Offsetof(sel{}.Off)},
			{Name: "pairs", At: 4, Kind: table.Records, Ref: structPair, Off: unsafe.Offsetof(sel{}.Pairs)},
		}},
		structHop - 1: {Name: "hop", Type: (*hopHdr)(nil), Wire: 8, Size: unsafe.Sizeof(hopHdr{}), Members: []table.Member{
			{Name: "hop-flags", At: 2, Kind: table.U8, Width: 1, ReadOnly: 1, Off: unsafe.Offsetof(hopHdr{}.Flags)},
			{Name: "hop-hops", At: 3, Kind: table.U8, Width: 1, Off: unsafe.Offsetof(hopHdr{}.Hops)},
			{Name: "hop-index", At: 4, Kind: table.S32, Width: 4, Run: 4, Off: unsafe.Offsetof(hopHdr{}.Index)},
		}},
	},
	Enums: []table.Enum{
		enumColor - 1: {Name: "color", Entries: []table.Entry{{Value: 1, Name: "red"}, {Value: 2, Name: "green"}, {Value: 40, Name: "blue"}}},
		enumBits - 1:  {Name: "bits", Flags: true, Entries: []table.Entry{{Value: 0, Name: "none"}, {Value: 1, Name: "up"}, {Value: 2, Name: "busy"}, {Value: 4, Name: "seen"}}},
		enumWide - 1:  {Name: "wide", Entries: []table.Entry{{Value: 1 << 32, Name: "far"}}},
	},
	SubMessages: []table.Choice{
		choiceOptions - 1: {Name: "options-msg", Selector: "kind", Load: table.Load[options], Store: table.Store[options], Formats: []table.Format{
			{Value: "alpha", Set: setAlpha, Struct: structPair},
			{Value: "beta", Set: setBeta},
			{Value: "pair", Struct: structPair},
			{Value: "two", Struct: structPair},
			{Value: "sel", Struct: structSel},
			{Value: "empty"},
		}},
		choiceLevel - 1: {Name: "level-msg", Selector: "level", Load: table.Load[options], Store: table.Store[options], Formats: []table.Format{
			{Value: "red", Set: setBeta},
			{Value: "7", Set: setBeta, Default: true},
			{Value: "blue", Set: setAlpha},
			{Value: "pink", Struct: structSel},
			{Value: "8", Set: setBeta},
			{Value: "8", Struct: structPair},
		}},
		choiceColor - 1: {Name: "color-msg", Selector: "hdr-color", Load: table.Load[options], Store: table.Store[options], Formats: []table.Format{
			{Value: "green", Set: setBeta},
			{Value: "9", Set: setAlpha},
		}},
	},
	Elements: []table.Element{
		elementIndexed - 1: {
			Type: (*indexed)(nil), Size: unsafe.Sizeof(indexed{}), Grow: table.Grow[indexed],
			Keys: []table.Key{{Name: "index", Off: unsafe.Offsetof(indexed{}.Index)}}, Value: unsafe.Offsetof(indexed{}.Leaf),
		},
		elementPolicy - 1: {
			Type: (*policy)(nil), Size: unsafe.Sizeof(policy{}), Grow: table.Grow[policy],
			Keys:  []table.Key{{Name: "policy-id", Off: unsafe.Offsetof(policy{}.ID)}, {Name: "attr-id", Off: unsafe.Offsetof(policy{}.Attr)}},
			Value: unsafe.Offsetof(policy{}.Leaf),
		},
		elementCount - 1: {
			Type: (*count)(nil), Size: unsafe.Sizeof(count{}), Grow: table.Grow[count],
			Keys: []table.Key{{Name: "count-id", Off: unsafe.Offsetof(count{}.ID)}}, Value: unsafe.Offsetof(count{}.Value),
		},
		elementHop - 1: {
			Type: (*hop)(nil), Size: unsafe.Sizeof(hop{}), Grow: table.Grow[hop],
			Struct: structHop, StructAt: unsafe.Offsetof(hop{}.hopHdr), Value: unsafe.Offsetof(hop{}.Thing),
		},
	},
}

var ne = binary.NativeEndian

// bytesOf returns the values in the machine's byte order; a []byte and a string are
// themselves.
func bytesOf(values ...any) (b []byte) {
	for _, v := range values {
		switch v := v.(type) {
		case []byte:
			b = append(b, v...)
		case string:
			b = append(b, v...)
		default:
			b, _ = binary.Append(b, ne, v)
		}
	}
	return b
}

// attr returns an attribute, padded, with a value of bytesOf.
func attr(typ int, values ...any) []byte {
	v := bytesOf(values...)
	b := bytesOf(uint16(4+len(v)), uint16(typ), v)
	return append(b, make([]byte, -len(b)&3)...)
}

// nested is the flag in the type of a nest.
const nested = 1 << 15

// msg returns a message with a header for a family of addresses.
func msg(family uint8, attrs ...any) []byte {
	return append(bytesOf(family, uint8(0), uint16(0), int32(0), uint32(0), "\x00\x00", "\x00\x00"), bytesOf(attrs...)...)
}
