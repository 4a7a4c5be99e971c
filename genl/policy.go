package genl

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// Policy is what a family's commands accept: the attributes of each command, and the
// values of each attribute. It is the caller's own.
type Policy struct {
	// Ops are the commands that check their attributes, in the kernel's order.
	Ops []OpPolicy
	// Sets are the attributes, by set number and attribute type. Ops and AttrPolicy.Set
	// refer to the numbers. An attribute that a set lacks is unknown to the command; a
	// missing set has none. Sets may contain themselves.
	Sets map[int]map[uint16]AttrPolicy
}

// OpPolicy says which set of attributes a command checks. -1 is no set: the command
// checks nothing, or has no such operation.
type OpPolicy struct {
	Command uint8
	Do      int // key of Policy.Sets for requests, or -1
	Dump    int // key of Policy.Sets for dumps, or -1
}

// AttrType is the kind of value that an attribute has.
type AttrType uint32

// Types of attributes (enum netlink_attribute_type in
// include/uapi/linux/netlink.h).
const (
	NL_ATTR_TYPE_INVALID      AttrType = iota // must not be there
	NL_ATTR_TYPE_FLAG                         // no value: its presence is the value
	NL_ATTR_TYPE_U8                           // unsigned integer of 1 byte
	NL_ATTR_TYPE_U16                          // unsigned integer of 2 bytes
	NL_ATTR_TYPE_U32                          // unsigned integer of 4 bytes
	NL_ATTR_TYPE_U64                          // unsigned integer of 8 bytes
	NL_ATTR_TYPE_S8                           // signed integer of 1 byte
	NL_ATTR_TYPE_S16                          // signed integer of 2 bytes
	NL_ATTR_TYPE_S32                          // signed integer of 4 bytes
	NL_ATTR_TYPE_S64                          // signed integer of 8 bytes
	NL_ATTR_TYPE_BINARY                       // bytes
	NL_ATTR_TYPE_STRING                       // text, with a terminating NUL or without
	NL_ATTR_TYPE_NUL_STRING                   // text with a terminating NUL
	NL_ATTR_TYPE_NESTED                       // attributes, those of AttrPolicy.Set
	NL_ATTR_TYPE_NESTED_ARRAY                 // list of nests with the attributes of AttrPolicy.Set
	NL_ATTR_TYPE_BITFIELD32                   // struct nla_bitfield32
	NL_ATTR_TYPE_SINT                         // signed integer of 4 bytes or 8, see [wire.Attr.Int]
	NL_ATTR_TYPE_UINT                         // unsigned integer of 4 bytes or 8, see [wire.Attr.Uint]
)

var attrTypeNames = [...]string{
	"INVALID", "FLAG", "U8", "U16", "U32", "U64", "S8", "S16", "S32", "S64", "BINARY",
	"STRING", "NUL_STRING", "NESTED", "NESTED_ARRAY", "BITFIELD32", "SINT", "UINT",
}

// String returns the name without NL_ATTR_TYPE_, or AttrType(99) for a number
// that has none.
func (t AttrType) String() string {
	if int64(t) < int64(len(attrTypeNames)) {
		return attrTypeNames[t]
	}
	return fmt.Sprintf("AttrType(%d)", uint32(t))
}

// AttrPolicy is what an attribute's value has to be, as far as the kernel reports it.
type AttrPolicy struct {
	Type AttrType

	// The limits of an integer, which may be either; valid with HasRange. Min and Max
	// are for unsigned types, the others for signed ones.
	HasRange       bool
	Min, Max       uint64
	MinInt, MaxInt int64

	Mask   uint64 // bits of an integer or a bitfield that may be set, 0 if all
	MinLen uint32 // bytes of a string or a binary
	MaxLen uint32 // bytes of a binary, or of a string without its NUL; 0 if unlimited

	Set int // key of Policy.Sets for what is nested in it, -1 if nothing is
}

// Policy asks the kernel what f's commands accept, by f's name, or by ID if f has none.
// It keeps nothing; the result is the caller's own. No privilege is needed. The error
// wraps EOPNOTSUPP before Linux 5.8, which has no policies to report, and ENODATA for a
// family without any policy. Before 5.10 Ops is nil: the kernel does not report which
// commands use which set. For commands that only dump, newer kernels send no number; it
// is taken from f.Ops, and is 0 if f lacks them.
//
// ctx and other errors are those of [client.Conn.Request] for a request that dumps,
// except that [client.ErrDumpInterrupted] comes without a Policy. For an unknown
// family, errors.Is(err, fs.ErrNotExist) holds; a reply that cannot be read yields an
// error that wraps [wire.ErrMalformed].
func (f Family) Policy(ctx context.Context, c *client.Conn) (Policy, error) {
	p, err := f.policy(ctx, c)
	if err != nil {
		return Policy{}, fmt.Errorf("genl: policy of %s: %w", f.label(), err)
	}
	return p, nil
}

func (f Family) policy(ctx context.Context, c *client.Conn) (Policy, error) {
	if _, err := cacheOf(c); err != nil {
		return Policy{}, err
	}
	var b wire.Builder
	if f.Name != "" {
		b.String(attrFamilyName, f.Name)
	} else {
		b.Uint16(attrFamilyID, uint16(f.ID))
	}
	attrs, err := b.Encode()
	if err != nil {
		return Policy{}, err
	}
	replies, err := controller().exchange(ctx, c, ctrlGetPolicy, attrs, netlink.NLM_F_DUMP)
	if err != nil {
		return Policy{}, err
	}
	p := Policy{Sets: make(map[int]map[uint16]AttrPolicy)}
	for _, m := range replies {
		if err := p.add(m.Payload); err != nil {
			return Policy{}, err
		}
	}
	p.number(f.Ops)
	return p, nil
}

// number fills in the numbers of commands that only dump. The kernel sends 0 for them,
// since ctrl_dumppolicy_put_op takes the number of the half that answers requests (seen
// on 6.18). It lists the commands with a policy in the order of ops.
func (p *Policy) number(ops []Op) {
	ops = slices.DeleteFunc(slices.Clone(ops), func(o Op) bool { return o.Flags&GENL_CMD_CAP_HASPOL == 0 })
	if len(ops) != len(p.Ops) {
		return
	}
	for i, o := range ops {
		if p.Ops[i].Command == 0 && o.Flags&GENL_CMD_CAP_DO == 0 {
			p.Ops[i].Command = o.Command
		}
	}
}

// add reads one message of ctrl_dumppolicy in net/netlink/genetlink.c. Each describes
// one command, or one attribute of one set.
func (p *Policy) add(b []byte) error {
	d := wire.NewDecoder(b)
	for d.Next() {
		switch d.Type() {
		case attrOpPolicy:
			d.Nest(func() { p.addOps(&d) })
		case attrPolicy:
			d.Nest(func() { p.addSets(&d) })
		}
	}
	return d.Err()
}

func (p *Policy) addOps(d *wire.Decoder) {
	for d.Next() {
		if d.Type() > math.MaxUint8 {
			d.Fail(fmt.Errorf("%w: command %d", wire.ErrMalformed, d.Type()))
		}
		op := OpPolicy{Command: uint8(d.Type()), Do: -1, Dump: -1}
		d.Nest(func() {
			for d.Next() {
				switch d.Type() {
				case attrPolicyDo:
					op.Do = index(d)
				case attrPolicyDump:
					op.Dump = index(d)
				}
			}
		})
		p.Ops = append(p.Ops, op)
	}
}

func (p *Policy) addSets(d *wire.Decoder) {
	for d.Next() {
		set := int(d.Type())
		d.Nest(func() {
			for d.Next() {
				if p.Sets[set] == nil {
					p.Sets[set] = make(map[uint16]AttrPolicy)
				}
				typ := d.Type()
				d.Nest(func() { p.Sets[set][typ] = parseAttrPolicy(d) })
			}
		})
	}
}

// Attributes of an attribute's policy (enum netlink_policy_type_attr in
// include/uapi/linux/netlink.h).
const (
	polType       = 1
	polMinInt     = 2
	polMaxInt     = 3
	polMin        = 4
	polMax        = 5
	polMinLen     = 6
	polMaxLen     = 7
	polSet        = 8
	polBitfield32 = 10
	polMask       = 12
)

func parseAttrPolicy(d *wire.Decoder) AttrPolicy {
	p := AttrPolicy{Set: -1}
	for d.Next() {
		switch d.Type() {
		case polType:
			p.Type = AttrType(d.Uint32())
		case polMinInt:
			p.MinInt, p.HasRange = d.Int64(), true
		case polMaxInt:
			p.MaxInt, p.HasRange = d.Int64(), true
		case polMin:
			p.Min, p.HasRange = d.Uint64(), true
		case polMax:
			p.Max, p.HasRange = d.Uint64(), true
		case polMinLen:
			p.MinLen = d.Uint32()
		case polMaxLen:
			p.MaxLen = d.Uint32()
		case polSet:
			p.Set = index(d)
		case polBitfield32:
			p.Mask = uint64(d.Uint32())
		case polMask:
			p.Mask = d.Uint64()
		}
	}
	return p
}

// index reads the number of a set, which is encoded as an attribute type.
func index(d *wire.Decoder) int {
	v := d.Uint32()
	if v > math.MaxUint16 {
		d.Fail(fmt.Errorf("%w: set %d", wire.ErrMalformed, v))
	}
	return int(v)
}

// Op returns the policy of a command, and whether there is one.
func (p Policy) Op(command uint8) (OpPolicy, bool) {
	i := slices.IndexFunc(p.Ops, func(o OpPolicy) bool { return o.Command == command })
	if i < 0 {
		return OpPolicy{Do: -1, Dump: -1}, false
	}
	return p.Ops[i], true
}
