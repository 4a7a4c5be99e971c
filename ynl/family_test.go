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
	"github.com/nlmux/netlink/ynl/netdev"
	"github.com/nlmux/netlink/ynl/nftables"
	"github.com/nlmux/netlink/ynl/sockdiag"
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
	for _, m := range []ynl.Message{opGet.New(), opGet.NewReply()} {
		if !reflect.DeepEqual(m, new(gadget)) {
			t.Errorf("%+v", m)
		}
	}
	if m, ok := sockdiag.OpGetUnix.New().(*sockdiag.UnixReq); !ok {
		t.Errorf("%T", m)
	}
	if m, ok := sockdiag.OpGetUnix.NewReply().(*sockdiag.Unix); !ok {
		t.Errorf("%T", m)
	}
}

func TestOpNeeds(t *testing.T) {
	for _, tt := range []struct {
		op        *ynl.Op
		inBatch   bool
		privilege string
	}{
		{nftables.OpNewTable, true, "CAP_NET_ADMIN"},
		{nftables.OpGetTable, false, "CAP_NET_ADMIN"},
		{netdev.OpDevGet, false, ""},
		{netdev.OpNapiSet, false, "CAP_NET_ADMIN in the initial user namespace"},
	} {
		if tt.op.InBatch() != tt.inBatch || tt.op.Privilege() != tt.privilege {
			t.Errorf("%s: in a batch %v, %q; want %v, %q", tt.op.Name(), tt.op.InBatch(), tt.op.Privilege(), tt.inBatch, tt.privilege)
		}
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
