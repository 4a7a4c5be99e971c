package spec

// The types in this file are the schema: method decode describes their tags. The fields
// without a tag are what resolve makes of the others.

// A Family is a spec with what the overlay corrects.
type Family struct {
	Pos
	Name        string        `key:"name,required"`
	Go          string        `key:"go" in:"ours"` // name of the Go package
	Protocol    string        `key:"protocol" of:"genetlink genetlink-c genetlink-legacy netlink-raw"`
	Number      *int64        `key:"protonum" in:"raw"` // of the netlink protocol
	Version     *int64        `key:"version" in:"version"`
	Definitions []*Definition `key:"definitions"`
	Sets        []*Set        `key:"attribute-sets,required"`
	SubMessages []*SubMessage `key:"sub-messages" in:"raw"`
	Operations  Operations    `key:"operations,required"`
	Groups      Groups        `key:"mcast-groups"`

	_ string       `key:"doc"`
	_ string       `key:"uapi-header"`
	_ string       `key:"c-family-name" in:"c"`
	_ string       `key:"c-version-name" in:"c"`
	_ bool         `key:"max-by-define" in:"c"`
	_ string       `key:"cmd-max-name" in:"c"`
	_ string       `key:"cmd-cnt-name" in:"c"`
	_ string       `key:"kernel-policy" in:"legacy" of:"split per-op global"`
	_ kernelFamily `key:"kernel-family" in:"genl"`

	Own bool // a spec of ours

	byName struct {
		definitions map[string]*Definition
		sets        map[string]*Set
		subs        map[string]*SubMessage
	}
}

type kernelFamily struct {
	_ []string `key:"headers"`
	_ string   `key:"sock-priv"`
}

// A Definition is a constant, an enumeration, a set of flags, or a struct.
type Definition struct {
	Pos
	Name       string    `key:"name,required"`
	Rename     string    `key:"rename" in:"ours"`
	Go         string    `key:"go" in:"ours"`
	Type       string    `key:"type,required" of:"const enum flags struct@legacy"`
	Value      string    `key:"value"` // of a constant
	ValueStart *int64    `key:"value-start"`
	Entries    []*Entry  `key:"entries"`
	Prefix     *string   `key:"name-prefix" in:"c"`
	Members    []*Member `key:"members" in:"legacy"`

	_ string  `key:"doc"`
	_ string  `key:"header"`
	_ string  `key:"scope" of:"uapi kernel user"`
	_ bool    `key:"render-max"`
	_ *string `key:"enum-name" in:"c"`
	_ string  `key:"enum-cnt-name" in:"c"`

	KernelName string // of a constant, or the prefix of those of the entries
	Size       int    // of a struct on the wire
	Wide       bool   // the values need 64 bits
	Used       bool   // something that is generated refers to it
}

// An Entry is a constant of an enumeration or of a set of flags.
type Entry struct {
	Pos
	Name   string `key:"name,short"`
	Rename string `key:"rename" in:"ours"`
	Given  *int64 `key:"value"`
	_      string `key:"doc"`

	KernelName string
	Value      uint64 // of a flag, the bit
}

// A Member is a part of a struct. Its size is that of its type, of its struct, or given.
type Member struct {
	Pos
	Name          string   `key:"name,required"`
	Go            string   `key:"go" in:"ours"`
	JSON          string   `key:"json" in:"ours"`
	Type          string   `key:"type,required" of:"u8 u16 u32 u64 s8 s16 s32 s64 string binary pad list@ours"`
	Len           string   `key:"len"`
	Order         string   `key:"byte-order" of:"little-endian big-endian"`
	EnumName      string   `key:"enum"`
	AsFlags       bool     `key:"enum-as-flags" in:"raw"`
	Hint          string   `key:"display-hint" of:"hex mac fddi ipv4 ipv6 ipv4-or-v6 uuid"`
	StructName    string   `key:"struct"`
	ReadOnly      bool     `key:"read-only" in:"ours"`
	ReadOnlyFlags []string `key:"read-only-flags" in:"ours"`
	AddressFamily bool     `key:"address-family" in:"ours"` // of the addresses in the message
	SubType       string   `key:"sub-type" in:"ours" of:"u8 u16 u32 u64 s8 s16 s32 s64"`
	CountName     string   `key:"count" in:"ours"`
	_             string   `key:"doc"`

	At, Size     int // on the wire
	ReadOnlyBits uint64
	Enum         *Definition
	Struct       *Definition
}

// A Set is a space of attributes.
type Set struct {
	Pos
	Name       string  `key:"name,required"`
	Go         string  `key:"go" in:"ours"`
	Prefix     *string `key:"name-prefix"`
	SubsetOf   string  `key:"subset-of"`
	Hook       bool    `key:"hook" in:"ours"` // the package has a method settable for the type
	Attributes []*Attr `key:"attributes,required"`

	_ *string `key:"enum-name"`
	_ string  `key:"doc"`
	_ string  `key:"attr-cnt-name" in:"c"`
	_ string  `key:"attr-max-name" in:"c"`
	_ string  `key:"header" in:"c"`

	KernelPrefix string
	Header       *Definition // the struct before the attributes, nil if there is none
	Parent       *Set        // the set that this one is a part of
	Used         bool
	byName       map[string]*Attr
}

// An Attr is an attribute of a set.
type Attr struct {
	Pos
	Name       string   `key:"name,required"`
	Rename     string   `key:"rename" in:"ours"`
	Go         string   `key:"go" in:"ours"`
	JSON       string   `key:"json" in:"ours"`
	Type       string   `key:"type" of:"unused pad flag binary bitfield32@legacy uint sint u8 u16 u32 u64 s8 s16 s32 s64 string nest indexed-array nest-type-value sub-message@raw via@ours records@ours list@ours"`
	Given      *int64   `key:"value"`
	TypeValue  []string `key:"type-value"`
	Order      string   `key:"byte-order" of:"little-endian big-endian"`
	Multi      bool     `key:"multi-attr"`
	SetName    string   `key:"nested-attributes"`
	EnumName   string   `key:"enum"`
	AsFlags    bool     `key:"enum-as-flags"`
	SubType    string   `key:"sub-type" of:"binary nest string u8 u16 u32 u64 s8 s16 s32 s64"`
	Hint       string   `key:"display-hint" of:"hex mac fddi ipv4 ipv6 ipv4-or-v6 uuid"`
	Prefix     *string  `key:"name-prefix" in:"c"`
	StructName string   `key:"struct" in:"legacy"`
	SubName    string   `key:"sub-message" in:"raw"`
	Selector   string   `key:"selector" in:"raw"`
	_          string   `key:"doc"`
	_          checks   `key:"checks"`

	// The marks of the overlays; README.md describes them.
	HeaderName    string   `key:"fixed-header" in:"ours"`
	Unused        bool     `key:"unused" in:"ours"`
	Indexed       bool     `key:"index" in:"ours"`
	First         *int64   `key:"first" in:"ours"`
	Numbered      *bool    `key:"numbered" in:"ours"`
	ReadOnly      bool     `key:"read-only" in:"ours"`
	ReadOnlyFlags []string `key:"read-only-flags" in:"ours"`
	ExcludeNames  []string `key:"excludes" in:"ours"`
	Shadows       bool     `key:"shadows" in:"ours"`

	Split        bool // the dump of an operation whose do has other numbers
	KernelName   string
	Number       uint16
	Enum         *Definition
	Struct       *Definition
	Header       *Definition // the struct before the attributes of a nest
	Nested       *Set
	Sub          *SubMessage
	Excludes     []*Attr
	ReadOnlyBits uint64
}

type checks struct {
	_ string `key:"flags-mask"`
	_ string `key:"min"`
	_ string `key:"max"`
	_ string `key:"min-len"`
	_ string `key:"max-len"`
	_ string `key:"exact-len"`
	_ bool   `key:"unterminated-ok" in:"c"`
}

// A SubMessage is a value that has one of several formats.
type SubMessage struct {
	Pos
	Name    string    `key:"name,required"`
	Go      string    `key:"go" in:"ours"`
	Formats []*Format `key:"formats,required"`

	Used bool
}

// A Format is what a sub-message has for a value of its selector: a struct, attributes,
// both, or nothing.
type Format struct {
	Pos
	Value      string `key:"value,required"`
	HeaderName string `key:"fixed-header"`
	SetName    string `key:"attribute-set"`
	OrSetName  string `key:"or-attribute-set" in:"ours"` // of the values that are attributes, and no struct
	Default    bool   `key:"default" in:"ours"`          // among the formats with this set

	Header *Definition
	Set    *Set
}

// Operations are what can be asked of a family, and what it reports.
type Operations struct {
	Pos
	Model       string       `key:"enum-model" of:"unified directional@legacy"`
	Prefix      *string      `key:"name-prefix"`
	AsyncPrefix *string      `key:"async-prefix"`
	HeaderName  string       `key:"fixed-header" in:"legacy"`
	List        []*Operation `key:"list,required"`

	_ *string `key:"enum-name"`
	_ *string `key:"async-enum"`
}

// An Operation is a request with its replies, or a message that the kernel sends unasked.
type Operation struct {
	Pos
	Name       string   `key:"name,required"`
	Rename     string   `key:"rename" in:"ours"`
	Go         string   `key:"go" in:"ours"`
	Given      *int64   `key:"value"`
	SetName    string   `key:"attribute-set"`
	HeaderName string   `key:"fixed-header" in:"legacy"`
	Flags      []string `key:"flags" of:"admin-perm uns-admin-perm@uns"`
	Do         *Mode    `key:"do"`
	Dump       *Mode    `key:"dump"`
	NotifyName string   `key:"notify"`
	Event      *Message `key:"event"`
	Group      string   `key:"mcgrp"`
	Batch      bool     `key:"batch" in:"ours"` // the kernel takes it inside a batch only

	_ string   `key:"doc"`
	_ []string `key:"dont-validate" of:"strict dump dump-strict"`
	_ string   `key:"config-cond" in:"genl"`

	Split      bool // the dump of an operation whose do has other numbers
	KernelName string
	Number     uint16  // of the request, otherwise of the report
	Request    *uint16 // the number of the request, nil if there is none
	Reply      *uint16 // the number of the reply or of the report, nil if there is none
	Set        *Set    // of the request, and of the report
	ReplySet   *Set
}

// A Mode is one way to make a request.
type Mode struct {
	Pos
	Request *Message `key:"request"`
	Reply   *Message `key:"reply"`
	_       string   `key:"pre"`
	_       string   `key:"post"`
}

// A Message is one of the two directions of a Mode. Its list of attributes is not used:
// upstream it is incomplete.
type Message struct {
	Pos
	Given      *int64   `key:"value" in:"legacy"`
	SetName    string   `key:"attribute-set" in:"ours"` // of a reply that has another set than the request
	HeaderName string   `key:"fixed-header" in:"ours"`
	_          []string `key:"attributes"`
}

// Groups are the multicast groups of a family.
type Groups struct {
	Pos
	List []*Group `key:"list,required"`
}

// A Group is a multicast group: one of the kernel's numbers, or the name in a generic
// family.
type Group struct {
	Pos
	Name   string   `key:"name,required"`
	Rename string   `key:"rename" in:"ours"`
	Given  *int64   `key:"value" in:"raw"`
	CName  string   `key:"c-define-name" in:"c"`
	_      []string `key:"flags" of:"admin-perm uns-admin-perm@uns"`

	KernelName string
}
