// Package table describes netlink families by rows, and decodes and encodes by them.
//
// A generated package has one [Family]: a composite literal of constants, so that a
// program pays no initialisation for it. A row names an attribute, its form on the wire
// and its place in a Go struct. The same rows serve to decode, to encode, and to read and
// write JSON, and they name the attribute of a value that cannot be sent.
//
// Rows refer to each other by position, since pointers between them would be
// initialisation cycles. References count from 1, and 0 is none: reference n is item
// n-1 of the list.
//
// The package knows no type of package ynl. An optional value is the offset of its
// value and that of its bool, kept attributes are a []byte.
package table

// Kind is the form of a value on the wire, and with it that of the Go field.
type Kind uint8

// The kinds are in the order of how a field shows that its attribute is absent: there is
// no field; a bool is false; the address is invalid; a pointer, slice or interface is nil.
const (
	Unused     Kind = iota // no field; the attribute is kept as unknown, its name is known
	Pad                    // no field; alignment that decoding drops
	Flag                   // bool; no value, presence counts
	U8                     // Opt of an integer of Attr.Width bytes; so are the next nine
	U16                    //
	U32                    //
	U64                    //
	S8                     //
	S16                    //
	S32                    //
	S64                    //
	Uint                   // 4 or 8 bytes
	Sint                   // 4 or 8 bytes, signed
	String                 // Opt[string]
	Struct                 // Opt of the type of the struct Attr.Ref
	Bitfield32             // Opt of a struct of two uint32, value and selector
	Addr                   // netip.Addr of 4 or 16 bytes
	Via                    // netip.Addr; on the wire its address family (u16) and its bytes
	Binary                 // []byte, or a type made from it
	Array                  // []T; integers of kind Attr.Elem or structs, one after the other
	Nest                   // pointer to the type of the set Attr.Ref
	Indexed                // []T; a nest of numbered elements of kind Attr.Elem
	TypeValue              // []T of Attr.Element; attributes in each other with types that are values, the last a Nest or of kind Attr.Elem
	Records                // []T of Attr.Element; structs that begin with their length, the attributes of Attr.Ref after each
	SubMessage             // interface; Attr.Ref is the sub-message
)

// Flags are properties of an attribute or of a member of a struct.
type Flags uint16

const (
	BigEndian     Flags = 1 << iota // the integer is in network byte order
	Multi                           // the attribute may come several times, the field is a slice
	Header                          // the value of the nest begins with the header of its set
	Mask                            // the entries of the enum are numbers of bits (enum-as-flags)
	ReadOnly                        // a request must not carry the attribute
	AddressFamily                   // the member is the address family of addresses without a hint
	Selects                         // the attribute is the selector of a sub-message of its set
	Count                           // the member is the number of elements in the list of its struct
	Unnumbered                      // the elements of the Indexed all have the number Attr.First
)

// Hint is how a value is written as text, and for addresses which length it must have.
type Hint uint8

const (
	NoHint Hint = iota
	IPv4        // 4 bytes
	IPv6        // 16 bytes
	MAC
	Hex
	UUID
)

// Family describes a netlink family. Nothing in it may be changed.
type Family struct {
	Name    string // of the specification, such as "rt-link"
	Generic bool   // a generic netlink family, which is resolved by its name
	Number  int    // the netlink protocol, such as NETLINK_ROUTE; 16 if Generic
	Version uint8  // of a generic family's header
	Raw     any    // (*Raw)(nil): the type of sub-messages without a type, made from []byte

	Sets        []Set
	Structs     []Layout
	Enums       []Enum
	SubMessages []Choice
	Elements    []Element
	Messages    []Message
	Groups      []Group
}

// NewMessage returns a pointer to a new message of the type of the set.
func (f *Family) NewMessage(set uint16) any {
	s := &f.Sets[set-1]
	return s.New().pointer(s.Type)
}

// Set is a set of attributes and the Go struct that has a field for each.
type Set struct {
	Name    string // of the specification, without "-attrs"
	Prefix  string // of the kernel's names, such as "IFLA_"
	Type    any    // (*T)(nil)
	Size    uintptr
	New     func() Place            // New[T]
	Grow    func(slice Place) Place // Grow[T]; nil if no list has it
	Header  uint16                  // the struct before the attributes of a message, 0 if none
	HeadOff uintptr                 // of the header in T
	Unknown uintptr                 // of the kept attributes in T, a []byte
	Attrs   []Attr                  // ascending by Type

	KernelNames  []KernelName
	ReadOnlyBits []Bits
	Excludes     []Exclusion
	Hook         func(copy Place) // what else changes the copy that Settable returns; nil if there is none
}

// Attr is an attribute of a set.
type Attr struct {
	Name    string  // of the specification
	Type    uint16  // on the wire
	Kind    Kind    //
	Elem    Kind    // of the elements of an Array, Indexed or TypeValue
	Flags   Flags   //
	Hint    Hint    //
	Width   uint8   // bytes of the Go integer, or of each in a slice
	Ref     uint16  // the set, struct or sub-message of the value or of the elements
	Enum    uint16  //
	Element uint16  // the type of a list's elements where it is more than the set's or an integer
	First   uint16  // the number of the first element of an Indexed without Element
	Off     uintptr // of the field in the set's type
	Set     uintptr // of Opt.Set in the field
}

// KernelName is the kernel's name of an attribute where it is not the prefix of the set
// with the attribute's name in capitals.
type KernelName struct {
	Type uint16
	Name string
}

// Bits are bits of an integer attribute that a request must not carry.
type Bits struct {
	Type uint16
	Mask uint64
}

// Exclusion says that a request that has the attribute If must not have Then.
type Exclusion struct{ If, Then uint16 }

// Layout describes a struct on the wire and the Go struct with its members. Bytes that
// no member has are padding: zero when sent, not looked at when read.
type Layout struct {
	Name    string // of the specification
	Type    any    // (*T)(nil)
	Wire    uint16 // size on the wire in bytes, without a list
	Size    uintptr
	New     func() Place            // New[T]; nil if no sub-message has it
	Grow    func(slice Place) Place // Grow[T]; nil if no list has it
	Members []Member
}

// Member is a member of a struct.
type Member struct {
	Name     string  // of the specification
	At       uint16  // offset on the wire
	Len      uint16  // bytes on the wire of Binary and Array
	Kind     Kind    // U8 to S64, Binary ([Len]byte), Array ([n]T), Addr with a hint, Struct, or Records for a list
	Elem     Kind    // of the elements of an Array
	Flags    Flags   //
	Hint     Hint    //
	Width    uint8   // bytes of the Go integer, or of each in an Array
	Ref      uint16  // the struct of Struct, and of Records: a []T of the bytes after the struct
	Enum     uint16  //
	Run      uint16  // bytes of this member and of those after it that are the same in Go
	Off      uintptr // of the field in T
	ReadOnly uint64  // bits that a request must not carry
}

// Enum names values. Its Go type is uint32, or uint64 if a value needs it.
type Enum struct {
	Name    string
	Flags   bool // values are masks, not numbers
	Entries []Entry
}

// Entry is a value of an enum.
type Entry struct {
	Value uint64
	Name  string // of the specification
}

// Choice describes a sub-message: a field of an interface type, for which the value of
// another attribute or of a header's member says what type the attribute has.
type Choice struct {
	Name     string
	Selector string // name of the attribute or member, in the same set or in one around it
	Formats  []Format
	Load     func(field Place) any    // Load[I]
	Store    func(field Place, v any) // Store[I]
}

// Format is a format of a sub-message: that of Set if there is one, with Struct before
// the attributes if there is one; that of Struct alone; or without content. A selector may
// have a format of attributes, and one of a struct after it, where something else says
// which of them a value has: that of attributes has those that can be cut apart.
type Format struct {
	Value   string // of the selector: a string, the name of an enum's entry, or a decimal number; formats with the same are one after the other
	Set     uint16
	Struct  uint16
	Default bool // the one that is meant if several formats have the type and the selector is absent
}

// Element is the Go struct of a list's elements that have more than a set or a value.
type Element struct {
	Type     any // (*T)(nil)
	Size     uintptr
	Grow     func(slice Place) Place // Grow[T]
	Keys     []Key                   // the index of Indexed, the values of TypeValue
	Struct   uint16                  // of Records, with the length of the record in its first 2 bytes
	StructAt uintptr                 // of the struct in T
	Value    uintptr                 // of the set's type, or of the value of kind Attr.Elem, in T
}

// Key is a uint16 field that is the type of an attribute.
type Key struct {
	Name string
	Off  uintptr
}

// Op is an operation.
type Op struct {
	Name     string // of the specification
	Request  uint16 // message type, or command
	Reply    int32  // that of the reply, -1 if there is none
	Set      uint16 // of the request and the reply; 0 if they have no attributes
	ReplySet uint16 // of the reply if it differs
	Do       bool
	Dump     bool
	Batch    bool // the kernel takes the request only within a batch of nfnetlink
	Admin    Admin
}

// Admin says where a request needs CAP_NET_ADMIN.
type Admin uint8

const (
	NoAdmin     Admin = iota // nowhere
	AdminUserNS              // in the user namespace of the network namespace
	AdminInit                // in the initial user namespace
)

// Message says which set the messages of a type have, or of a command.
type Message struct {
	Type uint16
	Set  uint16
	Name string // of the operation
}

// Group is a multicast group.
type Group struct {
	Name   string
	Number uint32 // 0 if the group is resolved by its name
}
