package main

import (
	"errors"
	"fmt"

	"github.com/nlmux/netlink/ynl/gen/internal/spec"
)

// A generator makes a family of a spec.
type generator struct {
	out    *family
	spec   *spec.Family
	names  map[any]string // the Go names of sets, definitions and sub-messages
	inList map[any]bool   // the sets and structs that lists have
	alone  map[*spec.Definition]bool
	errs   []error
	types  *scope
}

// generate makes the model of a spec's package. The error names everything that the
// overlay has to settle.
func generate(f *spec.Family, kernel string) (*family, error) {
	g := &generator{
		out: &family{Family: f, Package: packageName(f), Kernel: kernel}, spec: f,
		names: map[any]string{}, inList: map[any]bool{}, alone: map[*spec.Definition]bool{},
	}
	g.out.Tier1 = tier1[g.out.Package]
	g.types = newScope(&g.errs, "Client", "New", "Family")
	g.takeNames()
	g.findLists()
	for _, d := range f.Definitions {
		g.definition(d)
	}
	for _, s := range f.SubMessages {
		if s.Used {
			g.out.SubMessages = append(g.out.SubMessages, g.subMessage(s))
		}
	}
	for _, s := range f.Sets {
		if s.Used {
			g.out.Sets = append(g.out.Sets, g.set(s))
		}
	}
	g.operations()
	return g.out, errors.Join(g.errs...)
}

// tier1 are the packages with settled names.
var tier1 = map[string]bool{
	"rtlink": true, "rtaddr": true, "rtroute": true, "rtneigh": true, "rtrule": true, "tc": true, "nlctrl": true,
	"ethtool": true, "netdev": true, "nftables": true, "conntrack": true, "wireguard": true,
}

func (g *generator) fail(at spec.Pos, format string, args ...any) {
	g.errs = append(g.errs, at.Errorf(format, args...))
}

// name returns the Go name of a set, a definition or a sub-message.
func (g *generator) name(of any) string { return g.names[of] }

// ref returns the constant that refers to the row of a set, struct or enumeration.
func (g *generator) ref(kind string, of any) string { return kind + g.names[of] }

// takeNames gives the types their names.
func (g *generator) takeNames() {
	take := func(at spec.Pos, what string, of any, name string) {
		g.names[of] = name
		g.types.take(at, what, name)
	}
	for _, s := range g.spec.Sets {
		if s.Used {
			take(s.Pos, fmt.Sprintf("set %q", s.Name), s, setName(s))
		}
	}
	for _, s := range g.spec.SubMessages {
		if s.Used {
			take(s.Pos, fmt.Sprintf("sub-message %q", s.Name), s, subMessageName(s))
		}
	}
	if len(g.spec.SubMessages) > 0 {
		g.types.take(g.spec.SubMessages[0].Pos, "type", "Raw")
	}
	for _, d := range g.spec.Definitions {
		if d.Used || d.Type == "enum" || d.Type == "flags" {
			take(d.Pos, fmt.Sprintf("%s %q", d.Type, d.Name), d, definitionName(d))
		}
	}
}

// findLists notes what lists consist of, and which structs are sub-messages alone.
func (g *generator) findLists() {
	for _, s := range g.spec.Sets {
		for _, a := range s.Attributes {
			if !a.Dropped() && (a.Multi || a.Type == "list" || a.Type == "indexed-array" && !a.Indexed) {
				g.inList[a.Nested], g.inList[a.Struct] = true, true
			}
		}
	}
	for _, d := range g.spec.Definitions {
		for _, m := range d.Members {
			if m.Type == "list" {
				g.inList[m.Struct] = true
			}
		}
	}
	for _, s := range g.spec.SubMessages {
		for _, format := range s.Formats {
			if s.Used && format.Set == nil && format.Header != nil {
				g.alone[format.Header] = true
			}
		}
	}
}

// definition makes what a definition is in Go. A struct that no message has is nothing.
func (g *generator) definition(d *spec.Definition) {
	switch d.Type {
	case "const":
		g.types.take(d.Pos, fmt.Sprintf("const %q", d.Name), d.KernelName)
		g.out.Consts = append(g.out.Consts, d)
	case "enum", "flags":
		for _, e := range d.Entries {
			g.types.take(e.Pos, fmt.Sprintf("%q of %q", e.Name, d.Name), e.KernelName)
		}
		base := fmt.Sprintf("uint%d", 8*enumWidth(d))
		g.out.Enums = append(g.out.Enums, &enum{d, g.name(d), g.ref("enum", d), base})
	case "struct":
		if d.Used {
			g.out.Structs = append(g.out.Structs, g.structure(d))
		}
	}
}
