package names

import (
	"strconv"
	"strings"

	"github.com/nlmux/netlink"
)

// Set is the attributes of one level of a request. The zero value names none.
type Set uint8

// nest says which set is inside the attribute of a type.
type nest struct {
	typ uint16
	in  Set
}

// layout is a request's fixed header, in bytes, and the attributes after it.
type layout struct {
	header int
	attrs  Set
}

// AttrsOf returns the size of the fixed header before a request's attributes, in bytes
// without padding, and the names of the attributes. ok is false for an unknown header.
func AttrsOf(family netlink.Family, typ netlink.MessageType) (header int, attrs Set, ok bool) {
	var l layout
	switch family {
	case netlink.NETLINK_ROUTE:
		if group := int(typ-netlink.NLMSG_MIN_TYPE) / 4; group < len(routes) {
			l, ok = routes[group], routes[group].header > 0
		}
	case netlink.NETLINK_NETFILTER:
		// The subsystem is in the upper byte, its message in the lower.
		l, ok = layout{header: nfgenmsg}, true
		if typ>>8 == nftables && int(typ&0xff) < len(tables) {
			l.attrs = tables[typ&0xff]
		}
	case netlink.NETLINK_GENERIC:
		l, ok = layout{genlmsghdr, controller}, typ == ctrlID
	}
	return l.header, l.attrs, ok
}

// Path returns the names of attributes each of which contains the next, such as
// "IFLA_LINKINFO > IFLA_INFO_KIND". The first of them is of the set s. A type without a
// name is printed as its number. Without attributes the path is empty.
func (s Set) Path(types []uint16) string {
	var path strings.Builder
	for i, typ := range types {
		if i > 0 {
			path.WriteString(" > ")
		}
		path.WriteString(s.name(typ))
		s = s.in(typ)
	}
	return path.String()
}

// name returns the name of a type in s, or its number.
func (s Set) name(typ uint16) string {
	if name := field(sets[s].names, int(typ)); name != "" {
		return sets[s].prefix + name
	}
	return strconv.Itoa(int(typ))
}

// in returns the set of what is inside the attribute of a type in s.
func (s Set) in(typ uint16) Set {
	for _, n := range sets[s].nests {
		if n.typ == typ {
			return n.in
		}
	}
	return 0
}
