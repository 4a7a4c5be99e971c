package genl

import (
	"errors"
	"io/fs"
	"reflect"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// policyMessage is a message of a dump of policies.
func policyMessage(attrs ...func(b *wire.Builder)) wire.Message {
	id := func(b *wire.Builder) { b.Uint16(attrFamilyID, 40) }
	return message(ctrlID, ctrlGetPolicy, ctrlVersion, append([]func(*wire.Builder){id}, attrs...)...)
}

// attrMessage describes one attribute of one set.
func attrMessage(set, typ uint16, content func(b *wire.Builder)) wire.Message {
	return policyMessage(nest(attrPolicy, nest(set, nest(typ, content))))
}

// withPolicy is a kernel with this answer to requests for policies.
func withPolicy(answer ...wire.Message) *kernel {
	k := newKernel(acme())
	k.controller = func(m Message, flags netlink.Flags) ([]wire.Message, bool) {
		return answer, m.Command == ctrlGetPolicy && flags&netlink.NLM_F_DUMP == netlink.NLM_F_DUMP
	}
	return k
}

func TestPolicy(t *testing.T) {
	// The order and the shapes of net/netlink/genetlink.c and policy.c.
	k := withPolicy(
		policyMessage(nest(attrOpPolicy, nest(1, func(b *wire.Builder) {
			b.Uint32(attrPolicyDo, 0)
			b.Uint32(attrPolicyDump, 1)
		}))),
		policyMessage(nest(attrOpPolicy, nest(2, func(b *wire.Builder) { b.Uint32(attrPolicyDo, 1) }))),
		attrMessage(0, 1, func(b *wire.Builder) {
			b.Uint32(polType, uint32(NL_ATTR_TYPE_U8))
			b.Uint64(polMin, 2)
			b.Uint64(polMax, 9)
		}),
		attrMessage(0, 2, func(b *wire.Builder) {
			b.Uint32(polType, uint32(NL_ATTR_TYPE_S32))
			b.Int64(polMinInt, -5)
			b.Int64(polMaxInt, 5)
		}),
		attrMessage(0, 3, func(b *wire.Builder) {
			b.Uint32(polType, uint32(NL_ATTR_TYPE_BINARY))
			b.Uint32(polMinLen, 6)
			b.Uint32(polMaxLen, 32)
		}),
		attrMessage(0, 4, func(b *wire.Builder) {
			b.Uint32(polType, uint32(NL_ATTR_TYPE_NESTED))
			b.Uint32(polSet, 0) // a set in itself
			b.Uint32(9, 4)      // its highest type
		}),
		attrMessage(1, 1, func(b *wire.Builder) {
			b.Uint32(polType, uint32(NL_ATTR_TYPE_BITFIELD32))
			b.Uint32(polBitfield32, 7)
		}),
		attrMessage(1, 2, func(b *wire.Builder) {
			b.Uint32(polType, uint32(NL_ATTR_TYPE_UINT))
			b.Uint64(polMask, 1<<40)
		}),
	)
	got, err := acme().Policy(bg, k.dial(t))
	want := Policy{
		Ops: []OpPolicy{{Command: 1, Do: 0, Dump: 1}, {Command: 2, Do: 1, Dump: -1}},
		Sets: map[int]map[uint16]AttrPolicy{
			0: {
				1: {Type: NL_ATTR_TYPE_U8, HasRange: true, Min: 2, Max: 9, Set: -1},
				2: {Type: NL_ATTR_TYPE_S32, HasRange: true, MinInt: -5, MaxInt: 5, Set: -1},
				3: {Type: NL_ATTR_TYPE_BINARY, MinLen: 6, MaxLen: 32, Set: -1},
				4: {Type: NL_ATTR_TYPE_NESTED, Set: 0},
			},
			1: {
				1: {Type: NL_ATTR_TYPE_BITFIELD32, Mask: 7, Set: -1},
				2: {Type: NL_ATTR_TYPE_UINT, Mask: 1 << 40, Set: -1},
			},
		},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v\nwant %+v", got, err, want)
	}
	if op, ok := got.Op(2); !ok || op != want.Ops[1] {
		t.Errorf("Op(2): %+v, %v", op, ok)
	}
	if op, ok := got.Op(3); ok || op != (OpPolicy{Do: -1, Dump: -1}) {
		t.Errorf("Op(3): %+v, %v", op, ok)
	}
}

// TestCommandsThatOnlyDumpGetTheirNumber, which the kernel does not send itself.
func TestCommandsThatOnlyDumpGetTheirNumber(t *testing.T) {
	k := withPolicy(
		policyMessage(nest(attrOpPolicy, nest(3, func(b *wire.Builder) { b.Uint32(attrPolicyDo, 0) }))),
		policyMessage(nest(attrOpPolicy, nest(0, func(b *wire.Builder) { b.Uint32(attrPolicyDump, 1) }))),
	)
	c := k.dial(t)
	f := acme()
	f.Ops = []Op{
		{Command: 3, Flags: GENL_CMD_CAP_DO | GENL_CMD_CAP_HASPOL},
		{Command: 5, Flags: GENL_CMD_CAP_DUMP},
		{Command: 10, Flags: GENL_CMD_CAP_DUMP | GENL_CMD_CAP_HASPOL},
	}
	for _, test := range []struct {
		ops  []Op
		want uint8
	}{{f.Ops, 10}, {f.Ops[:2], 0}, {nil, 0}} {
		f.Ops = test.ops
		p, err := f.Policy(bg, c)
		want := []OpPolicy{{Command: 3, Do: 0, Dump: -1}, {Command: test.want, Do: -1, Dump: 1}}
		if err != nil || !reflect.DeepEqual(p.Ops, want) {
			t.Errorf("%v: %+v, %v; want %+v", test.ops, p.Ops, err, want)
		}
	}
}

// TestPolicyIsAskedForByName, or by id if there is no name.
func TestPolicyIsAskedForByName(t *testing.T) {
	var asked []wire.Attr
	k := newKernel()
	k.controller = func(m Message, _ netlink.Flags) ([]wire.Message, bool) {
		for a := range wire.Attrs(m.Payload) {
			asked = append(asked, a)
		}
		return nil, true
	}
	c := k.dial(t)
	for _, f := range []Family{acme(), {ID: 40}} {
		if p, err := f.Policy(bg, c); err != nil || p.Ops != nil || len(p.Sets) != 0 {
			t.Errorf("%+v, %v", p, err)
		}
	}
	if len(asked) != 2 || asked[0].Type != attrFamilyName || asked[0].String() != "acme" || asked[1].Type != attrFamilyID {
		t.Fatalf("%+v", asked)
	}
	if id, err := asked[1].Uint16(); id != 40 || err != nil {
		t.Errorf("%d, %v", id, err)
	}
}

func TestMalformedPolicies(t *testing.T) {
	truncated := raw(0xff, 0x0f, 1, 0)
	short := func(typ uint16) func(b *wire.Builder) { return func(b *wire.Builder) { b.Uint8(typ, 1) } }
	answers := map[string]wire.Message{
		"no header":                {Header: wire.Header{Type: ctrlID}, Payload: []byte{1}},
		"truncated":                policyMessage(truncated),
		"truncated commands":       policyMessage(nest(attrOpPolicy, truncated)),
		"truncated command":        policyMessage(nest(attrOpPolicy, nest(1, truncated))),
		"command 256":              policyMessage(nest(attrOpPolicy, nest(256, func(*wire.Builder) {}))),
		"set of 1 byte":            policyMessage(nest(attrOpPolicy, nest(1, short(attrPolicyDo)))),
		"set for dumps of 1 byte":  policyMessage(nest(attrOpPolicy, nest(1, short(attrPolicyDump)))),
		"set 65536":                policyMessage(nest(attrOpPolicy, nest(1, func(b *wire.Builder) { b.Uint32(attrPolicyDo, 1<<16) }))),
		"truncated sets":           policyMessage(nest(attrPolicy, truncated)),
		"truncated set":            policyMessage(nest(attrPolicy, nest(0, truncated))),
		"truncated attribute":      attrMessage(0, 1, truncated),
		"nested set of 1 byte":     attrMessage(0, 1, short(polSet)),
		"type of 1 byte":           attrMessage(0, 1, short(polType)),
		"mask of 1 byte":           attrMessage(0, 1, short(polMask)),
		"bitfield of 1 byte":       attrMessage(0, 1, short(polBitfield32)),
		"least of 1 byte":          attrMessage(0, 1, short(polMin)),
		"most of 1 byte":           attrMessage(0, 1, short(polMax)),
		"signed least of 1 byte":   attrMessage(0, 1, short(polMinInt)),
		"signed most of 1 byte":    attrMessage(0, 1, short(polMaxInt)),
		"least length of 1 byte":   attrMessage(0, 1, short(polMinLen)),
		"largest length of 1 byte": attrMessage(0, 1, short(polMaxLen)),
	}
	for name, answer := range answers {
		p, err := acme().Policy(bg, withPolicy(answer).dial(t))
		if !errors.Is(err, wire.ErrMalformed) || !reflect.DeepEqual(p, Policy{}) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func TestPolicyErrors(t *testing.T) {
	k := newKernel()
	c := k.dial(t)
	if _, err := acme().Policy(bg, c); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unknown family: %v", err)
	}
	if _, err := (Family{Name: "a\x00b"}).Policy(bg, c); err == nil {
		t.Error("NUL in a name: no error")
	}
	k.Stop(syscall.ECONNREFUSED)
	if _, err := acme().Policy(bg, c); !errors.Is(err, syscall.ECONNREFUSED) || !client.NotSent(err) {
		t.Errorf("no kernel: %v", err)
	}
}

func TestAttrTypeString(t *testing.T) {
	for typ, want := range map[AttrType]string{
		NL_ATTR_TYPE_INVALID: "INVALID", NL_ATTR_TYPE_U8: "U8", NL_ATTR_TYPE_UINT: "UINT",
		18: "AttrType(18)", 1<<32 - 1: "AttrType(4294967295)",
	} {
		if got := typ.String(); got != want {
			t.Errorf("%d: %s, want %s", uint32(typ), got, want)
		}
	}
}
