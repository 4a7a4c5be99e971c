package ynltest

import (
	"hash/fnv"
	"slices"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/genl"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/table"
)

// Numbers of the controller of generic netlink (include/uapi/linux/genetlink.h).
const (
	ctrlNewFamily = 1
	ctrlGetFamily = 3
	ctrlVersion   = 2

	attrFamilyID   = 1
	attrFamilyName = 2
	attrVersion    = 3
	attrGroups     = 7
	attrGroupName  = 1
	attrGroupID    = 2

	ctrlID netlink.MessageType = 16
)

// HandleGeneric returns a handler for nltest.New and nltest.Dial of NETLINK_GENERIC. The
// kernel has the family f and those of the handlers, and answers look-ups of them by
// name. If an operation has two handlers, the first answers. A request without a handler
// is refused with EOPNOTSUPP, one to another family with ENOENT.
func HandleGeneric(f *ynl.Family, h ...Handler) func(req wire.Message) []wire.Message {
	k := controller{f.Rows}
	for _, h := range h {
		if !slices.Contains(k, h.op.Family) {
			k = append(k, h.op.Family)
		}
	}
	return func(req wire.Message) []wire.Message {
		m, err := genl.ParseMessage(req)
		switch {
		case err != nil:
			return refuse(syscall.EINVAL)
		case req.Header.Type == ctrlID:
			return k.answer(m, req.Header.Flags)
		case !k.has(req.Header.Type):
			return refuse(syscall.ENOENT) // as genl_rcv_msg does
		}
		for _, h := range h {
			if id(h.op.Family) == req.Header.Type && h.serves(req, uint16(m.Command)) {
				return h.answer(req, m.Payload, func(command uint16, payload []byte) wire.Message {
					return message(h.op.Family, command, payload)
				})
			}
		}
		return refuse(syscall.EOPNOTSUPP)
	}
}

func refuse(errno syscall.Errno) []wire.Message {
	return []wire.Message{nltest.Error(errno, wire.ExtAck{})}
}

// message lays out a message of a generic family.
func message(f *table.Family, command uint16, payload []byte) wire.Message {
	return wire.Message{
		Header:  wire.Header{Type: id(f)},
		Payload: append([]byte{uint8(command), f.Version, 0, 0}, payload...),
	}
}

// id returns the id of a generic family: the same one in every kernel, so that Push
// needs no look-up.
func id(f *table.Family) netlink.MessageType {
	const first = 1024 // above the ids of the kernel
	return netlink.MessageType(first + hash(f.Name)%(1<<16-first))
}

// Group returns the number of a family's multicast group for [Push]: that of the kernel,
// or for generic netlink the one that [HandleGeneric] gives it. It is 0 if the family has
// no such group.
func Group(f *ynl.Family, name string) uint32 {
	for _, g := range f.Rows.Groups {
		if g.Name == name {
			return groupID(f.Rows, g)
		}
	}
	return 0
}

// groupID returns the number of a group.
func groupID(f *table.Family, g table.Group) uint32 {
	if !f.Generic {
		return g.Number
	}
	return hash(f.Name + "\x00" + g.Name)
}

func hash(name string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return h.Sum32()
}

// controller has the families of a kernel.
type controller []*table.Family

// has reports whether a family has that id.
func (k controller) has(typ netlink.MessageType) bool {
	return slices.ContainsFunc(k, func(f *table.Family) bool { return id(f) == typ })
}

// answer answers a request to the controller: a look-up by name or id, or a dump.
func (k controller) answer(m genl.Message, flags netlink.Flags) []wire.Message {
	if m.Command != ctrlGetFamily {
		return refuse(syscall.EOPNOTSUPP)
	}
	all := flags&netlink.NLM_F_DUMP == netlink.NLM_F_DUMP
	name, number := "", netlink.MessageType(0)
	d := wire.NewDecoder(m.Payload)
	for d.Next() {
		switch d.Type() {
		case attrFamilyName:
			name = d.String()
		case attrFamilyID:
			number = netlink.MessageType(d.Uint16())
		}
	}
	var answer []wire.Message
	for _, f := range k {
		if all || f.Name == name || id(f) == number {
			answer = append(answer, describe(f))
		}
	}
	if answer == nil && !all {
		return refuse(syscall.ENOENT)
	}
	return answer
}

// describe returns the controller's message about a family.
func describe(f *table.Family) wire.Message {
	var b wire.Builder
	b.Raw([]byte{ctrlNewFamily, ctrlVersion, 0, 0})
	b.String(attrFamilyName, f.Name)
	b.Uint16(attrFamilyID, uint16(id(f)))
	b.Uint32(attrVersion, uint32(f.Version))
	b.Nest(attrGroups, func(b *wire.Builder) {
		for i, g := range f.Groups {
			b.Nest(uint16(i+1), func(b *wire.Builder) {
				b.String(attrGroupName, g.Name)
				b.Uint32(attrGroupID, groupID(f, g))
			})
		}
	})
	payload, err := b.Encode()
	if err != nil {
		panic(err) // names are short
	}
	return wire.Message{Header: wire.Header{Type: ctrlID}, Payload: payload}
}
