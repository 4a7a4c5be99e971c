package genl

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// Family is a generic netlink family as the kernel describes it. [Resolve] and
// [Families] return one, and it is the caller's own: changes to it have no effect
// elsewhere. Its methods may be called by any number of goroutines as long as none
// changes it.
//
// A Family made by hand needs an ID. Without a Name it is used as it is; without a
// Version, replies of any version are accepted. The zero value is not usable.
type Family struct {
	// ID is the message type of the family's requests, replies and events, from 16 up.
	// It is valid until the family's module is unloaded. A new family gets the next
	// number; numbers are reused after about a thousand (genl_register_family in
	// net/netlink/genetlink.c).
	ID netlink.MessageType

	Name       string // 1 to 15 bytes
	Version    uint32 // of the family's messages; most families never change it
	HeaderSize uint32 // bytes of the family's own header before the attributes, mostly 0
	MaxAttr    uint32 // highest attribute type, 0 if it differs between commands

	// Groups has the ids of the multicast groups by name, nil if there are none.
	// The ids are valid as long as ID is. [Join] joins by name.
	Groups map[string]uint32

	// Ops are the commands in the kernel's order, nil if there are none.
	Ops []Op
}

// Op is a command of a family.
type Op struct {
	Command uint8   // the argument of [Family.Request]
	Flags   OpFlags // what it can do, and the privilege it needs
}

// OpFlags says what a command can do and which privilege it needs.
type OpFlags uint32

// Flags of a command (include/uapi/linux/genetlink.h).
const (
	GENL_ADMIN_PERM     OpFlags = 0x01 // needs CAP_NET_ADMIN in the first user namespace
	GENL_CMD_CAP_DO     OpFlags = 0x02 // answers requests
	GENL_CMD_CAP_DUMP   OpFlags = 0x04 // answers dumps
	GENL_CMD_CAP_HASPOL OpFlags = 0x08 // checks attributes by a policy, see [Family.Policy]
	GENL_UNS_ADMIN_PERM OpFlags = 0x10 // needs CAP_NET_ADMIN in the user namespace of the network namespace
)

// opFlagNames are the names of the bits from bit 0 up.
var opFlagNames = [...]string{"ADMIN_PERM", "CMD_CAP_DO", "CMD_CAP_DUMP", "CMD_CAP_HASPOL", "UNS_ADMIN_PERM"}

// String returns the names of the flags without GENL_, and bits without a name
// as one hexadecimal number: CMD_CAP_DO|CMD_CAP_HASPOL|0x20, or 0 for no flags.
func (f OpFlags) String() string {
	var parts []string
	for bit, name := range opFlagNames {
		if f&(1<<bit) != 0 {
			parts = append(parts, name)
		}
	}
	if rest := f >> len(opFlagNames) << len(opFlagNames); rest != 0 {
		parts = append(parts, "0x"+strconv.FormatUint(uint64(rest), 16))
	}
	if parts == nil {
		return "0"
	}
	return strings.Join(parts, "|")
}

// clone returns a copy of f that shares no memory with it.
func (f Family) clone() Family {
	f.Groups = maps.Clone(f.Groups)
	f.Ops = slices.Clone(f.Ops)
	return f
}

// label names f in an error.
func (f Family) label() string {
	if f.Name == "" {
		return fmt.Sprintf("family %d", uint16(f.ID))
	}
	return fmt.Sprintf("family %q", f.Name)
}

// ParseFamily reads the description of a family in a message of the controller: a
// reply, or an event of its group "notify". These events announce
//   - new and deleted families (CTRL_CMD_NEWFAMILY, 1, and CTRL_CMD_DELFAMILY, 2),
//   - new and deleted groups (CTRL_CMD_NEWMCAST_GRP, 7, and CTRL_CMD_DELMCAST_GRP, 8),
//     with only ID, Name and the one group.
//
// The result shares no memory with m. An error wraps [wire.ErrMalformed].
func ParseFamily(m Message) (Family, error) {
	f, err := parseFamily(m.Payload)
	if err != nil {
		return Family{}, fmt.Errorf("genl: description of a family: %w", err)
	}
	return f, nil
}

// parseFamily reads what ctrl_fill_info and ctrl_fill_mcgrp_info in
// net/netlink/genetlink.c write.
func parseFamily(b []byte) (Family, error) {
	var f Family
	d := wire.NewDecoder(b)
	for d.Next() {
		switch d.Type() {
		case attrFamilyID:
			f.ID = netlink.MessageType(d.Uint16())
		case attrFamilyName:
			f.Name = d.String()
		case attrVersion:
			f.Version = d.Uint32()
		case attrHeaderSize:
			f.HeaderSize = d.Uint32()
		case attrMaxAttr:
			f.MaxAttr = d.Uint32()
		case attrOps:
			d.Nest(func() { f.Ops = parseOps(&d) })
		case attrGroups:
			d.Nest(func() { f.Groups = parseGroups(&d) })
		}
	}
	// Lower types are netlink's control messages.
	if f.ID < minID {
		d.Fail(fmt.Errorf("%w: family %q with id %d", wire.ErrMalformed, f.Name, uint16(f.ID)))
	}
	if d.Err() != nil {
		return Family{}, d.Err()
	}
	return f, nil
}

// parseOps reads a list of commands.
func parseOps(d *wire.Decoder) (ops []Op) {
	for d.Next() {
		d.Nest(func() { ops = append(ops, parseOp(d)) })
	}
	return ops
}

func parseOp(d *wire.Decoder) Op {
	var command, flags uint32
	for d.Next() {
		switch d.Type() {
		case attrOpID:
			command = d.Uint32()
		case attrOpFlags:
			flags = d.Uint32()
		}
	}
	if command > math.MaxUint8 {
		d.Fail(fmt.Errorf("%w: command %d", wire.ErrMalformed, command))
	}
	return Op{Command: uint8(command), Flags: OpFlags(flags)}
}

// parseGroups reads a list of groups.
func parseGroups(d *wire.Decoder) map[string]uint32 {
	groups := make(map[string]uint32)
	for d.Next() {
		d.Nest(func() {
			name, id := parseGroup(d)
			groups[name] = id
		})
	}
	return groups
}

func parseGroup(d *wire.Decoder) (name string, id uint32) {
	for d.Next() {
		switch d.Type() {
		case attrGroupName:
			name = d.String()
		case attrGroupID:
			id = d.Uint32()
		}
	}
	if name == "" || id == 0 {
		d.Fail(fmt.Errorf("%w: group %q with id %d", wire.ErrMalformed, name, id))
	}
	return name, id
}
