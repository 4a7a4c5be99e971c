package main

import "github.com/nlmux/netlink/ynl/gen/internal/spec"

// A family is what the templates need to know of a family: the types of a package, in the
// order of the spec.
type family struct {
	*spec.Family
	Package string
	Kernel  string // the release of Linux that the spec is of
	Tier1   bool   // its names are settled

	Consts      []*spec.Definition
	Enums       []*enum
	Structs     []*structure
	SubMessages []*subMessage
	Sets        []*set
	Choices     []*choice
	Elements    []*element
	Messages    []string // rows
	Operations  []*operation
	Types       []*spec.Operation // those with constants for their types
}

type enum struct {
	*spec.Definition
	GoName, Ref, Base string
}

// A field is a field of a struct in Go. Fields that are not there have no GoName.
type field struct {
	GoName, Type, Comment string
	Row                   string
}

type structure struct {
	*spec.Definition
	GoName, Ref string
	Fields      []field
	Alone       bool // the struct is a format of a sub-message without attributes
	InList      bool
}

type set struct {
	*spec.Set
	GoName, Ref  string
	HeaderName   string
	HeaderRef    string
	Fields       []field
	InList       bool
	KernelNames  []string // rows
	ReadOnlyBits []string // rows
	Excludes     []string // rows
}

// An element is the type of a list's elements that have more than a set or a number.
type element struct {
	GoName, Ref string
	Doc         string
	Keys        []key
	Struct      string // Go type of the embedded struct
	StructRef   string
	Value       field
}

type key struct{ GoName, Name string }
