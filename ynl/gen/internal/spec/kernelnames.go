package spec

import (
	"cmp"
	"strings"
)

// KernelName returns the C constant that the parts of a name make.
func KernelName(parts ...string) string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(strings.Join(parts, "")))
}

// kernelName returns the name of something with a prefix. An overlay may give another
// name: one in capitals is the whole.
func kernelName(prefix, rename, name string) string {
	if rename != "" && rename == strings.ToUpper(rename) {
		return rename
	}
	return KernelName(prefix, cmp.Or(rename, name))
}

// nameInKernel gives everything the name that it has in the kernel's headers, by the rules
// of the kernel's own generator (tools/net/ynl/pyynl).
func (f *Family) nameInKernel() {
	for _, d := range f.Definitions {
		if d.Type == "const" {
			d.KernelName = kernelName(or(d.Prefix, f.Name+"-"), d.Rename, d.Name)
		}
		prefix := or(d.Prefix, f.Name+"-"+d.Name+"-")
		for _, e := range d.Entries {
			e.KernelName = kernelName(prefix, e.Rename, e.Name)
		}
	}
	for _, s := range f.Sets {
		s.KernelPrefix = KernelName(f.prefix(s))
		for _, a := range s.Attributes {
			a.KernelName = kernelName(or(a.Prefix, s.KernelPrefix), a.Rename, a.Name)
		}
	}
	prefix := or(f.Operations.Prefix, f.Name+"-cmd-")
	for _, o := range f.Operations.List {
		p := prefix
		if o.IsReport() && f.Operations.AsyncPrefix != nil {
			p = *f.Operations.AsyncPrefix
		}
		o.KernelName = kernelName(p, o.Rename, o.Name)
	}
	for _, g := range f.Groups.List {
		name := cmp.Or(g.CName, g.Rename, g.Name)
		if f.Generic() && name == g.Name {
			name = f.Name + "-mcgrp-" + g.Name
		}
		g.KernelName = KernelName(name)
	}
}

// prefix returns the prefix of the kernel's names of a set's attributes.
func (f *Family) prefix(s *Set) string {
	if s.Parent != nil {
		s = s.Parent
	}
	if s.Name == f.Name {
		return or(s.Prefix, f.Name+"-a-")
	}
	return or(s.Prefix, f.Name+"-a-"+s.Name+"-")
}

// or returns the prefix that is given, otherwise the one of the rule.
func or(given *string, rule string) string {
	if given != nil {
		return *given
	}
	return rule
}
