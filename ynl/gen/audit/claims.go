package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/nlmux/netlink/ynl/gen/internal/spec"
)

// A verdict is what the compiler says of a claim.
type verdict int

const (
	holds verdict = iota
	absent
	differs
)

func (v verdict) String() string {
	return [...]string{"is as in the headers", "is not in the headers", "differs from the headers"}[v]
}

// A claim is something that the headers say as well: what is the C name, condition a
// constant expression of C.
type claim struct {
	where     spec.Pos
	what      string
	condition string
	verdict   verdict
}

// claimsOf returns what can be said of a family.
func claimsOf(f *spec.Family) []claim {
	var list []claim
	for _, s := range f.Sets {
		list = append(list, ofSet(s)...)
	}
	for _, d := range f.Definitions {
		switch d.Type {
		case "struct":
			list = append(list, ofStruct(d)...)
		case "const":
			if n, err := strconv.ParseInt(d.Value, 0, 64); err == nil {
				list = append(list, constant(d.Pos, d.KernelName, uint64(n)))
			}
		default:
			for _, e := range d.Entries {
				list = append(list, constant(e.Pos, e.KernelName, e.Value))
			}
		}
	}
	for _, o := range f.Operations.List {
		list = append(list, constant(o.Pos, o.KernelName, uint64(inSubsystem(f, o.Number))))
	}
	return list
}

// inSubsystem returns the number that the headers have for a message: those of nfnetlink
// leave the upper byte out, which is the number of the subsystem.
func inSubsystem(f *spec.Family, number uint16) uint16 {
	const netfilter = 12
	if f.Number != nil && *f.Number == netfilter {
		return number & 0xff
	}
	return number
}

// constant claims that a name has a value. Only its lower 32 bits count, as a negative
// one has no more in C.
func constant(where spec.Pos, name string, value uint64) claim {
	condition := fmt.Sprintf("(unsigned)(%s) == %du", name, uint32(value))
	if value>>32 != 0 && value>>32 != 1<<32-1 {
		condition = fmt.Sprintf("(unsigned long long)(%s) == %dull", name, value)
	}
	return claim{where: where, what: name, condition: condition}
}

// ofSet claims the numbers of a set's attributes. A set that is a part of another has
// the numbers of that one.
func ofSet(s *spec.Set) []claim {
	if s.Parent != nil {
		return nil
	}
	var list []claim
	for _, a := range s.Attributes {
		if a.Type != "pad" && a.Type != "unused" {
			list = append(list, constant(a.Pos, a.KernelName, uint64(a.Number)))
		}
	}
	return list
}

// ofStruct claims the size of a struct, and the place and size of its members. Bits that
// C has no name for are padding or listed.
func ofStruct(d *spec.Definition) []claim {
	name := "struct " + strings.ReplaceAll(cmp.Or(structNames[d.Name], d.Name), "-", "_")
	list := []claim{{where: d.Pos, what: name, condition: fmt.Sprintf("sizeof(%s) == %d", name, d.Size)}}
	for _, m := range d.Members {
		if m.Type == "pad" {
			continue
		}
		member := memberName(d, m)
		c := claim{where: m.Pos, what: name + "." + member}
		c.condition = fmt.Sprintf("offsetof(%s, %s) == %d", name, member, m.At)
		if m.Type != "list" {
			c.condition += fmt.Sprintf(" && sizeof(((%s *)0)->%s) == %d", name, member, m.Size)
		}
		list = append(list, c)
	}
	return list
}

// memberName returns the name of a member in C.
func memberName(d *spec.Definition, m *spec.Member) string {
	if name := memberNames[d.Name+"."+m.Name]; name != "" {
		return name
	}
	return memberPrefixes[d.Name] + strings.ReplaceAll(m.Name, "-", "_")
}
