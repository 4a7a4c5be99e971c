package names

import "github.com/nlmux/netlink"

// Request is what is known of a request. The zero value is nothing.
type Request struct {
	Name string // the kernel's, such as "RTM_GETLINK"; "" if it is unknown

	table table   // "" if the size of the header is unknown
	in    content // of the payload
}

// Sizes of headers before attributes, in bytes.
const (
	nfgenmsg   = 4
	genlmsghdr = 4
)

// ctrlID is GENL_ID_CTRL.
const ctrlID netlink.MessageType = 16

// Of returns what is known of the request of a type with a payload.
func Of(family netlink.Family, typ netlink.MessageType, payload []byte) Request {
	if typ < netlink.NLMSG_MIN_TYPE {
		return Request{Name: typ.String()}
	}
	if family == netlink.NETLINK_GENERIC {
		if typ != ctrlID {
			return Request{}
		}
		return command(raw, controller, payload, genlmsghdr)
	}
	r := Request{table: raw}
	for _, p := range protocols {
		if p.family == family {
			r.Name, r.in = raw.find(p.place, uint16(typ))
		}
	}
	switch {
	case r.in.chosen:
		r.in = raw.choose(r.in.place, payload, nil)
	case family == netlink.NETLINK_NETFILTER:
		r.in.header = nfgenmsg // of requests without a name, too
	}
	if r.in.header == 0 {
		r.table = ""
	}
	return r
}

// OfGeneric returns what is known of a request to the generic family with a name.
// headerSize is that of the family's own header. The payload begins with struct
// genlmsghdr.
func OfGeneric(name string, payload []byte, headerSize int) Request {
	place := 0
	for _, f := range families {
		if f.name == name {
			place = f.place
		}
	}
	return command(generic, place, payload, genlmsghdr+headerSize)
}

// command returns what is known of a command, the number in the first byte of the payload.
func command(t table, place int, payload []byte, header int) Request {
	r := Request{table: t}
	if len(payload) > 0 {
		r.Name, r.in = t.find(place, uint16(payload[0]))
	}
	r.in.header = header
	return r
}
