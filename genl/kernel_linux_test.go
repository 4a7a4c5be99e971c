package genl

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

func TestMain(m *testing.M) { nstest.Main(m) }

// patient returns a ctx that ends when the test has waited too long.
func patient(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(bg, time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// dialKernel opens a Conn in a namespace of its own.
func dialKernel(t *testing.T, family netlink.Family, opts ...client.Option) *client.Conn {
	t.Helper()
	c, err := client.Dial(family, append(opts, client.WithNetNS(nstest.New(t).FD()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// resolveKernel resolves a family of this kernel, or skips the test if there is none.
func resolveKernel(t *testing.T, c *client.Conn, name string) Family {
	t.Helper()
	f, err := Resolve(patient(t), c, name)
	if errors.Is(err, fs.ErrNotExist) {
		nstest.Skip(t, strings.TrimSuffix(strings.ToLower(name), "_pm"), "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// attributes encodes the attributes of a request.
func attributes(t *testing.T, fill func(b *wire.Builder)) []byte {
	t.Helper()
	var b wire.Builder
	fill(&b)
	p, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// value returns the first attribute of that type in a message.
func value(t *testing.T, m Message, typ uint16) wire.Attr {
	t.Helper()
	for a, err := range wire.Attrs(m.Payload) {
		if err != nil {
			t.Fatal(err)
		}
		if a.Type == typ {
			return a
		}
	}
	t.Fatalf("no attribute of type %d in %+v", typ, m)
	return wire.Attr{}
}

// TestController: every kernel has this family, with a fixed id.
func TestController(t *testing.T) {
	c := dialKernel(t, netlink.NETLINK_GENERIC)
	f := resolveKernel(t, c, "nlctrl")
	if f.ID != 16 || f.Name != "nlctrl" || f.Version != 2 || f.HeaderSize != 0 || f.Groups["notify"] == 0 {
		t.Errorf("%+v", f)
	}
	if !slices.ContainsFunc(f.Ops, func(o Op) bool {
		return o.Command == ctrlGetFamily && o.Flags&(GENL_CMD_CAP_DO|GENL_CMD_CAP_DUMP|GENL_ADMIN_PERM) == GENL_CMD_CAP_DO|GENL_CMD_CAP_DUMP
	}) {
		t.Errorf("commands %+v; want one that gets families, without privilege", f.Ops)
	}
	byID := attributes(t, func(b *wire.Builder) { b.Uint16(attrFamilyID, 16) })
	msgs, err := f.Request(patient(t), c, ctrlGetFamily, byID, 0)
	if err != nil || len(msgs) != 1 || msgs[0].Command != ctrlNewFamily {
		t.Fatalf("%+v, %v", msgs, err)
	}
	if again, err := ParseFamily(msgs[0]); err != nil || !reflect.DeepEqual(again, f) {
		t.Errorf("by id: %+v, %v; by name %+v", again, err, f)
	}
}

// TestFamiliesOfTheKernel: the list and the single answers are equal.
func TestFamiliesOfTheKernel(t *testing.T) {
	c := dialKernel(t, netlink.NETLINK_GENERIC)
	families, err := Families(patient(t), c)
	if err != nil {
		t.Fatal(err)
	}
	ids := make(map[netlink.MessageType]bool)
	for _, f := range families {
		if ids[f.ID] {
			t.Errorf("id %d twice", f.ID)
		}
		ids[f.ID] = true
		if one := resolveKernel(t, c, f.Name); !reflect.DeepEqual(one, f) {
			t.Errorf("resolved %+v\nlisted %+v", one, f)
		}
	}
	if !ids[16] {
		t.Error("no nlctrl")
	}
	var streamed []string
	for m, err := range resolveKernel(t, c, "nlctrl").Dump(patient(t), c, ctrlGetFamily, nil) {
		if err != nil {
			t.Fatal(err)
		}
		f, err := ParseFamily(m)
		if err != nil {
			t.Fatal(err)
		}
		streamed = append(streamed, f.Name)
	}
	if !slices.EqualFunc(streamed, families, func(name string, f Family) bool { return name == f.Name }) {
		t.Errorf("streamed %q, collected %+v", streamed, families)
	}
}

// TestUnknownFamilyOfTheKernel, for every kind of invalid name.
func TestUnknownFamilyOfTheKernel(t *testing.T) {
	c := dialKernel(t, netlink.NETLINK_GENERIC)
	for _, name := range []string{"nosuchfamily", "nlctr", "NLCTRL", "", "longer-than-any-name"} {
		if f, err := Resolve(patient(t), c, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %+v, %v", name, f, err)
		}
	}
	// The kernel refuses a name that is too long with another errno.
	long := attributes(t, func(b *wire.Builder) { b.String(attrFamilyName, "longer-than-any-name") })
	if _, err := controller().Request(patient(t), c, ctrlGetFamily, long, 0); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("too long a name: %v", err)
	}
}

// TestStaleIDOfTheKernel: an unknown id is refused with ENOENT before anything else is
// checked.
func TestStaleIDOfTheKernel(t *testing.T) {
	c := dialKernel(t, netlink.NETLINK_GENERIC)
	stale := Family{ID: 1023}
	if _, err := stale.Request(patient(t), c, 255, []byte{1}, 0); !errors.Is(err, unix.ENOENT) {
		t.Errorf("%v, want ENOENT", err)
	}
	stale.Name = "nosuchfamily"
	if _, err := stale.Request(patient(t), c, 255, nil, 0); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("%v", err)
	}
	// The request is sent again to the current id.
	f := resolveKernel(t, c, "ethtool")
	f.ID = 1023
	all := attributes(t, func(b *wire.Builder) { b.Nest(unix.ETHTOOL_A_FEATURES_HEADER, func(*wire.Builder) {}) })
	msgs, err := f.Request(patient(t), c, unix.ETHTOOL_MSG_FEATURES_GET, all, netlink.NLM_F_DUMP)
	if err != nil || len(msgs) == 0 {
		t.Errorf("request: %+v, %v", msgs, err)
	}
	n := 0
	for _, err := range f.Dump(patient(t), c, unix.ETHTOOL_MSG_FEATURES_GET, all) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != len(msgs) {
		t.Errorf("dump of %d devices, want %d", n, len(msgs))
	}
}

func TestConnsOfOtherFamilies(t *testing.T) {
	for _, family := range []netlink.Family{netlink.NETLINK_ROUTE, netlink.NETLINK_USERSOCK} {
		c := dialKernel(t, family)
		_, resolved := Resolve(patient(t), c, "nlctrl")
		_, listed := Families(patient(t), c)
		_, requested := controller().Request(patient(t), c, ctrlGetFamily, nil, 0)
		for _, err := range []error{resolved, listed, requested, Join(patient(t), c, "nlctrl", "notify")} {
			if err == nil || !strings.Contains(err.Error(), family.String()) || !strings.Contains(err.Error(), "NETLINK_GENERIC") {
				t.Errorf("%v: %v", family, err)
			}
		}
		if s := c.Stats(); s.Pending != 0 {
			t.Errorf("%v: something was sent: %+v", family, s)
		}
	}
	c := dialKernel(t, netlink.NETLINK_GENERIC)
	c.Close()
	if _, err := Resolve(patient(t), c, "nlctrl"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed Conn: %v", err)
	}
}
