package wire

// maxDepth is how many attributes deep a path goes at most. The kernel's nests
// go about half as deep; beyond, the bytes are not what they seem.
const maxDepth = 16

// Path returns the types of the attribute that x is about, led by those of the
// nests around it from the outermost on: IFLA_LINKINFO, IFLA_INFO_KIND. It is
// the missing attribute with HasMissingType, and otherwise the one at Offset.
//
// The request is the one that x explains the answer to; only its payload is
// looked at. The family's header in front of its attributes has header bytes,
// without padding: 16 for struct ifinfomsg.
//
// The path is nil if x is about no attribute, or if none begins where x says,
// which is so when the request or the length of its header is another. What is
// a nest is told from where the attribute stands, since many writers leave
// [NLA_F_NESTED] out. A nest may begin with the family's header itself, as
// VETH_INFO_PEER does; inside one that begins with any other struct nothing is
// found.
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

// pathTo returns the path to the attribute that begins at an offset from the
// start of the message whose payload it is given.
func pathTo(payload []byte, header int, offset uint32) (path []uint16) {
	if header < 0 || header > len(payload) {
		return nil
	}
	header += -header & 3
	// The attributes, and where in them the offset is.
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

// attrAround returns the attribute of b in whose bytes at is, and where it
// begins.
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

// areAttrs reports whether b is a list of attributes and nothing else.
func areAttrs(b []byte) bool {
	for len(b) > 0 {
		var err error
		if _, b, err = NextAttr(b); err != nil {
			return false
		}
	}
	return true
}
