package table

import "strings"

// maxDepth is the maximum number of nests in each other. Values that are deeper are
// unknown when they are read, and refused when they are sent.
const maxDepth = 64

// scope is the struct of a set that is read or written.
type scope struct {
	set   *Set
	at    Place  // the struct
	up    *scope // the one around it, nil for a message
	via   *Attr  // the attribute of up that it is in
	depth int

	header   bool // the header of the set is before the attributes
	settable bool // it becomes a copy for Settable
}

// inner returns the scope of a set in the value of the attribute a.
func (sc *scope) inner(a *Attr, s *Set, x Place, header bool) scope {
	return scope{s, x, sc, a, sc.depth + 1, header, sc.settable}
}

// path returns the names of the attributes on the way to a in sc, after that of the
// message: "link: IFLA_LINKINFO > IFLA_INFO_KIND". a may be nil.
func (sc *scope) path(a *Attr) string {
	if sc.up == nil {
		if a == nil {
			return sc.set.Name
		}
		return sc.set.Name + ": " + sc.set.kernelName(a)
	}
	path := sc.up.path(sc.via)
	if a != nil {
		path += " > " + sc.set.kernelName(a)
	}
	return path
}

// kernelName returns the kernel's name of an attribute, such as "IFLA_INFO_KIND", or that of
// the specification if the set has no prefix.
func (s *Set) kernelName(a *Attr) string {
	for i := range s.KernelNames {
		if s.KernelNames[i].Type == a.Type {
			return s.KernelNames[i].Name
		}
	}
	if s.Prefix == "" {
		return a.Name
	}
	return s.Prefix + strings.ToUpper(strings.ReplaceAll(a.Name, "-", "_"))
}
