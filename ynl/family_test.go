package ynl_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
)

func TestFamily(t *testing.T) {
	if acme.Name() != "acme" || acme.Protocol() != netlink.NETLINK_ROUTE || acmegen.Protocol() != netlink.NETLINK_GENERIC {
		t.Errorf("%s, %v, %v", acme.Name(), acme.Protocol(), acmegen.Protocol())
	}
	ops := acme.Ops()
	if !slices.Equal(ops, []*ynl.Op{opNew, opDel, opGet}) {
		t.Errorf("%v", ops)
	}
	ops[0] = nil // the list is the caller's own
	if acme.Ops()[0] != opNew {
		t.Error("the caller has changed the family")
	}
}

func TestOp(t *testing.T) {
	if opGet.Name() != "getgadget" || opGet.Request() != getGadget || opGet.Reply() != newGadget || !opGet.CanDo() || !opGet.CanDump() {
		t.Errorf("%+v", opGet)
	}
	if opNew.Reply() != 0 || opNew.CanDump() {
		t.Errorf("%+v", opNew)
	}
	if g, ok := opGet.New().(*gadget); !ok || !reflect.DeepEqual(g, new(gadget)) {
		t.Errorf("%+v", opGet.New())
	}
}

func TestFamilyDecode(t *testing.T) {
	g := named("a")[0]
	payload := encoded(g)
	for _, typ := range []uint16{newGadget, delGadget} {
		m, err := acme.Decode(typ, payload)
		if err != nil || !reflect.DeepEqual(m, g) {
			t.Errorf("%+v, %v", m, err)
		}
	}
	if m, err := acme.Decode(noGadget, payload); m != nil || err != nil {
		t.Errorf("unknown type: %v, %v", m, err)
	}
	m, err := acme.Decode(delGadget, payload[:3])
	if m != nil || !errors.Is(err, wire.ErrMalformed) || client.NotSent(err) ||
		err.Error() != "acme delgadget: gadget: gadgethdr: wire: malformed: 3 bytes, want 4" {
		t.Errorf("%v, %v", m, err)
	}
}
