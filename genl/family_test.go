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

// malformed are answers of the controller that cannot be read.
var malformed = map[string]wire.Message{
	"no header":           {Header: wire.Header{Type: ctrlID}, Payload: []byte{1, 2, 0}},
	"no attributes":       message(ctrlID, ctrlNewFamily, ctrlVersion),
	"truncated attribute": message(ctrlID, ctrlNewFamily, ctrlVersion, named("acme", 40), raw(0xff, 0x0f, attrVersion, 0x0f)),
	"half a header":       message(ctrlID, ctrlNewFamily, ctrlVersion, named("acme", 40), raw(8, 0)),
	"id of the protocol":  message(ctrlID, ctrlNewFamily, ctrlVersion, named("acme", 3)),
	"id of 4 bytes": message(ctrlID, ctrlNewFamily, ctrlVersion, named("acme", 40), func(b *wire.Builder) {
		b.Uint32(attrFamilyID, 40)
	}),
	"version of 2 bytes": message(ctrlID, ctrlNewFamily, ctrlVersion, named("acme", 40), func(b *wire.Builder) {
		b.Uint16(attrVersion, 1)
	}),
	"header size of 2 bytes": message(ctrlID, ctrlNewFamily, ctrlVersion, named("acme", 40), func(b *wire.Builder) {
		b.Uint16(attrHeaderSize, 1)
	}),
	"maxattr of 2 bytes": message(ctrlID, ctrlNewFamily, ctrlVersion, named("acme", 40), func(b *wire.Builder) {
		b.Uint16(attrMaxAttr, 1)
	}),
	"truncated list of commands": nested(attrOps, raw(0xff, 0x0f, 1, 0)),
	"truncated command":          nested(attrOps, nest(1, raw(0xff, 0x0f, 1, 0))),
	"command of 2 bytes":         nested(attrOps, nest(1, func(b *wire.Builder) { b.Uint16(attrOpID, 1) })),
	"command 256":                nested(attrOps, nest(1, func(b *wire.Builder) { b.Uint32(attrOpID, 256) })),
	"truncated list of groups":   nested(attrGroups, raw(0xff, 0x0f, 1, 0)),
	"truncated group":            nested(attrGroups, nest(1, raw(0xff, 0x0f, 1, 0))),
	"group of 2 bytes":           nested(attrGroups, nest(1, func(b *wire.Builder) { b.Uint16(attrGroupID, 1) })),
	"group without a name":       nested(attrGroups, nest(1, func(b *wire.Builder) { b.Uint32(attrGroupID, 1) })),
	"group without an id":        nested(attrGroups, nest(1, func(b *wire.Builder) { b.String(attrGroupName, "g") })),
}

func named(name string, id uint16) func(b *wire.Builder) {
	return func(b *wire.Builder) {
		b.String(attrFamilyName, name)
		b.Uint16(attrFamilyID, id)
	}
}

// nested is a description that is valid except for the content of one nest.
func nested(typ uint16, content func(b *wire.Builder)) wire.Message {
	return message(ctrlID, ctrlNewFamily, ctrlVersion, named("acme", 40), nest(typ, content))
}

func nest(typ uint16, content func(b *wire.Builder)) func(b *wire.Builder) {
	return func(b *wire.Builder) { b.Nest(typ, content) }
}

func TestMalformedAnswers(t *testing.T) {
	for name, answer := range malformed {
		k := newKernel()
		k.controller = func(Message, netlink.Flags) ([]wire.Message, bool) { return []wire.Message{answer}, true }
		c := k.dial(t)
		if f, err := Resolve(bg, c, "acme"); !errors.Is(err, wire.ErrMalformed) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: Resolve: %+v, %v", name, f, err)
		}
		if f, err := Families(bg, c); !errors.Is(err, wire.ErrMalformed) || f != nil {
			t.Errorf("%s: Families: %+v, %v", name, f, err)
		}
		m, err := ParseMessage(answer)
		if err == nil {
			_, err = ParseFamily(m)
		}
		if !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: ParseFamily: %v", name, err)
		}
	}
}

// TestAnswersToAnotherQuestion: one about another family, or an empty one.
func TestAnswersToAnotherQuestion(t *testing.T) {
	for name, answer := range map[string][]wire.Message{
		"other name": {describe(Family{ID: 50, Name: "other"})},
		"nothing":    nil,
	} {
		k := newKernel()
		k.controller = func(Message, netlink.Flags) ([]wire.Message, bool) { return answer, true }
		if f, err := Resolve(bg, k.dial(t), "acme"); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

// TestUnknownAttributesAreSkipped: newer kernels may send more.
func TestUnknownAttributesAreSkipped(t *testing.T) {
	more := func(b *wire.Builder) { b.String(999, "more") }
	f, err := ParseFamily(parsed(t, message(ctrlID, ctrlNewFamily, ctrlVersion, named("acme", 40), more,
		nest(attrOps, nest(1, more)), nest(attrGroups, nest(1, func(b *wire.Builder) {
			more(b)
			b.String(attrGroupName, "g")
			b.Uint32(attrGroupID, 7)
		})))))
	want := Family{ID: 40, Name: "acme", Ops: []Op{{}}, Groups: map[string]uint32{"g": 7}}
	if err != nil || !reflect.DeepEqual(f, want) {
		t.Errorf("%+v, %v; want %+v", f, err, want)
	}
}

// parsed is ParseMessage that ends the test on an error.
func parsed(t testing.TB, m wire.Message) Message {
	t.Helper()
	p, err := ParseMessage(m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFamilies(t *testing.T) {
	k := newKernel(Family{ID: 39, Name: "other"}, acme())
	c := k.dial(t)
	got, err := Families(bg, c)
	if want := []Family{{ID: 39, Name: "other"}, acme()}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	k.Stop(syscall.ECONNREFUSED)
	if got, err := Families(bg, c); !errors.Is(err, syscall.ECONNREFUSED) || got != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestFamiliesOfAnInterruptedDump(t *testing.T) {
	k := newKernel()
	k.controller = func(Message, netlink.Flags) ([]wire.Message, bool) {
		m := describe(acme())
		m.Header.Flags = netlink.NLM_F_DUMP_INTR
		return []wire.Message{m}, true
	}
	got, err := Families(bg, k.dial(t))
	if !errors.Is(err, client.ErrDumpInterrupted) || len(got) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestOpFlagsString(t *testing.T) {
	for flags, want := range map[OpFlags]string{
		0:                                      "0",
		GENL_CMD_CAP_DO | GENL_CMD_CAP_DUMP:    "CMD_CAP_DO|CMD_CAP_DUMP",
		GENL_ADMIN_PERM | GENL_CMD_CAP_HASPOL:  "ADMIN_PERM|CMD_CAP_HASPOL",
		GENL_UNS_ADMIN_PERM | 0x20 | 0x4000000: "UNS_ADMIN_PERM|0x4000020",
	} {
		if got := flags.String(); got != want {
			t.Errorf("%#x: %s, want %s", uint32(flags), got, want)
		}
	}
}
