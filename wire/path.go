package wire

// maxDepth is the maximum number of nested attributes in a path. The kernel's nests are
// about half as deep; deeper ones are taken for other data.
const maxDepth = 16

// Path returns the types of the attribute that x is about and of the nests around it,
// the outermost first: IFLA_LINKINFO, IFLA_INFO_KIND. It is the missing attribute with
// HasMissingType, and otherwise the one at Offset.
//
// request is the request whose answer x explains; only its payload is read. header is
// the size of the family's header before the attributes, without padding: 16 for struct
// ifinfomsg.
//
// The path is nil if x is about no attribute, or if no attribute begins at that offset,
// as with the wrong request or header size. Nests are recognized by the offset, since
// many writers omit [NLA_F_NESTED]. A nest may begin with the family's header, as
// VETH_INFO_PEER does; no attribute is found in a nest that begins with another struct.
func (x ExtAck) Path(request Message, header int) []uint16 {
	switch {
	case x.HasMissingType && x.MissingType > uint32(attrTypeMask):
	case x.HasMissingType && !x.HasMissingNest:
		return []uint16{uint16(x.MissingType)}
	case x.HasMissingType:
		if path := pathTo(request.Payload, header, x.MissingNest); path != nil {
			return append(path, uint16(x.MissingType))
		}
	case x.HasOffset:
		return pathTo(request.Payload, header, x.Offset)
	}
	return nil
}

// pathTo returns the path to the attribute at an offset from the start of the message
// with this payload.
func pathTo(payload []byte, header int, offset uint32) (path []uint16) {
	if header < 0 || header > len(payload) {
		return nil
	}
	header += -header & 3
	// The attributes, and the offset in them.
	b, at := payload[min(header, len(payload)):], int(offset)-HeaderLen-header
	for at >= 0 && len(path) < maxDepth {
		a, begin, ok := attrAround(b, at)
		if !ok {
			return nil
		}
		path = append(path, a.Type)
		if begin == at {
			return path
		}
		b, at = a.Value, at-begin-attrHeaderLen
		if !areAttrs(b) {
			if header > len(b) || !areAttrs(b[header:]) {
				return nil
			}
			b, at = b[header:], at-header
		}
	}
	return nil
}

// attrAround returns the attribute of b that contains the byte at, and its offset.
func attrAround(b []byte, at int) (a Attr, begin int, ok bool) {
	for rest := b; begin <= at; begin = len(b) - len(rest) {
		var err error
		if a, rest, err = NextAttr(rest); err != nil {
			return Attr{}, 0, false
		}
		if at < begin+attrHeaderLen+len(a.Value) {
			return a, begin, true
		}
	}
	return Attr{}, 0, false
}

// areAttrs reports whether b is a valid list of attributes.
func areAttrs(b []byte) bool {
	for len(b) > 0 {
		var err error
		if _, b, err = NextAttr(b); err != nil {
			return false
		}
	}
	return true
}
