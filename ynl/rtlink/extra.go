package rtlink

import (
	"encoding/binary"

	"github.com/nlmux/netlink/ynl"
)

// ByName returns a request for the link with a name, which may be an alternative one. The
// kernel takes names from 16 bytes on (IFNAMSIZ) as alternative names only.
func ByName(name string) *Link {
	const ifnamsiz = 16
	if len(name) >= ifnamsiz {
		return &Link{AltIfname: ynl.Some(name)}
	}
	return &Link{Ifname: ynl.Some(name)}
}

// ByIndex returns a request for the link with an index.
func ByIndex(index int32) *Link { return &Link{Ifinfomsg: Ifinfomsg{Index: index}} }

// SetUp has a request of NewLink bring the link up or down, and leave its other flags as
// they are. It returns l.
func (l *Link) SetUp(up bool) *Link {
	l.Flags &^= IFF_UP
	if up {
		l.Flags |= IFF_UP
	}
	l.Change |= IFF_UP
	return l
}

// IsUp reports whether the link has been brought up. It can still be without a carrier:
// IFF_LOWER_UP says that it has one.
func (l *Link) IsUp() bool { return l.Flags&IFF_UP != 0 }

// Kind returns the kind of the link, "" if it has none, as physical links.
func (l *Link) Kind() string {
	if l.Linkinfo == nil {
		return ""
	}
	return l.Linkinfo.Kind.Value
}

// WithAltNames returns a request of NewLinkprop or DelLinkprop that gives the link with an
// index alternative names or removes them. NewLink accepts such names and ignores them.
func WithAltNames(index int32, names ...string) *Link {
	return &Link{Ifinfomsg: Ifinfomsg{Index: index}, PropList: &PropList{AltIfname: names}}
}

// VethPair returns a request of NewLink for two virtual Ethernet links that are the ends of
// one cable. It is a copy of a with b as the peer: the Data of a's Linkinfo.
func VethPair(a, b *Link) *Link {
	pair := *a
	pair.Linkinfo = &Linkinfo{Kind: ynl.Some("veth"), Data: &LinkinfoVeth{Peer: b}}
	return &pair
}

// Remainder returns a request of NewLink with what NewLink ignores when it makes a link: the
// alias, that the link is held down, and its settings as a port of a bridge, a bond or a
// VRF. So a link that was listed is made again by NewLink with l.Settable(), followed by
// NewLink with l.Remainder(). Its alternative names are added by NewLinkprop.
func (l *Link) Remainder() *Link {
	set := l.Settable()
	rest := &Link{
		Ifinfomsg:       Ifinfomsg{Index: l.Index},
		Ifalias:         set.Ifalias,
		ProtoDown:       set.ProtoDown,
		ProtoDownReason: set.ProtoDownReason,
	}
	if i := set.Linkinfo; i != nil && i.SlaveData != nil {
		rest.Linkinfo = &Linkinfo{SlaveKind: i.SlaveKind, SlaveData: i.SlaveData}
	}
	return rest
}

// Value returns the value of a setting that the kernel has reported, and reports whether
// it has.
func (x *Inet) Value(c IPv4Devconf) (uint32, bool) {
	// The kernel counts the settings from 1, and reports an array.
	if i := int(c) - 1; 0 <= i && i < len(x.Conf) {
		return x.Conf[i], true
	}
	return 0, false
}

// SetValue adds a setting to a request. The kernel takes attributes where it reports an
// array (inet_set_link_af), so a request must not have the Conf that was read.
func (x *Inet) SetValue(c IPv4Devconf, value uint32) {
	header := binary.NativeEndian.AppendUint16(nil, 8)
	header = binary.NativeEndian.AppendUint16(header, uint16(c))
	x.Conf = append(x.Conf, binary.NativeEndian.Uint32(header), value)
}

// Value returns the value of a setting that the kernel has reported, and reports whether
// it has. Requests have none of them.
func (x *Inet6) Value(c IPv6Devconf) (uint32, bool) {
	if int(c) < len(x.Conf) {
		return x.Conf[c], true
	}
	return 0, false
}
