package main

import (
	"reflect"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/ethtool"
	"github.com/nlmux/netlink/ynl/nftables"
	"github.com/nlmux/netlink/ynl/rtlink"
	"github.com/nlmux/netlink/ynl/ynltest"
)

func TestDoPrintsTheReply(t *testing.T) {
	run(bg, linkKernel, 0, "", "do", "rt-link", "getlink", `{"ifname":"br0"}`).want(t, exitOK, br0JSON+"\n", "")
	run(bg, linkKernel, 80, "", "do", "-json", "rt-link", "getlink", `{"ifname":"br0"}`).want(t, exitOK, br0JSON+"\n", "")
	run(bg, linkKernel, 0, `{"ifname":"br0"}`, "do", "rt-link", "getlink", "-").want(t, exitOK, br0JSON+"\n", "")
	run(bg, linkKernel, 80, "", "do", "rt-link", "getlink", `{"ifname":"br0"}`).want(t, exitOK, `{
  "ifi-family": 0,
  "ifi-type": 0,
  "ifi-index": 2,
  "ifi-flags": [],
  "ifi-change": [],
  "ifname": "br0",
  "mtu": 1500,
  "linkinfo": {
    "kind": "bridge"
  }
}
`, "")
}

func TestDoSendsTheRequest(t *testing.T) {
	for _, tt := range []struct {
		args  []string
		flags netlink.Flags
	}{
		{nil, 0},
		{[]string{"-create"}, netlink.NLM_F_CREATE},
		{[]string{"-create", "-excl"}, netlink.NLM_F_CREATE | netlink.NLM_F_EXCL},
		{[]string{"-replace", "-append"}, netlink.NLM_F_REPLACE | netlink.NLM_F_APPEND},
	} {
		var got *rtlink.Link
		var flags netlink.Flags
		k := scripted(ynltest.Handle(ynltest.On(rtlink.OpNewLink, func(req *rtlink.Link, f netlink.Flags) ([]*rtlink.Link, error) {
			got, flags = req, f
			return nil, nil
		})))
		args := append([]string{"do"}, tt.args...)
		run(bg, k, 0, "", append(args, "rt-link", "newlink", `{"ifname":"v0","ifi-flags":["up"],"mtu":"0x578","linkinfo":{"kind":"veth","data":{"peer":{"ifname":"v1"}}}}`)...).want(t, exitOK, "", "")
		want := &rtlink.Link{
			Ifinfomsg: rtlink.Ifinfomsg{Flags: rtlink.IFF_UP}, Ifname: ynl.Some("v0"), MTU: ynl.U32(1400),
			Linkinfo: &rtlink.Linkinfo{Kind: ynl.Some("veth"), Data: &rtlink.LinkinfoVeth{Peer: &rtlink.Link{Ifname: ynl.Some("v1")}}},
		}
		if want := tt.flags | netlink.NLM_F_REQUEST | netlink.NLM_F_ACK; flags != want {
			t.Errorf("%v: flags %v, want %v", tt.args, flags, want)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v: sent %+v", tt.args, got)
		}
	}
}

func TestDoIsRefused(t *testing.T) {
	const offset = 16 + 4 + 4 // of the first nested attribute in a generic message
	refuse := func(x wire.ExtAck) dialer {
		return scripted(ynltest.HandleGeneric(&ethtool.Family, ynltest.On(ethtool.OpRingsGet, func(*ethtool.Rings, netlink.Flags) ([]*ethtool.Rings, error) {
			return nil, &wire.KernelError{Errno: syscall.ENODEV, Ext: x}
		})))
	}
	args := []string{"do", "ethtool", "rings-get", `{"header":{"dev-name":"v0"}}`}
	run(bg, refuse(wire.ExtAck{}), 0, "", args...).want(t, exitFailed, "", "ynl: ethtool rings-get: no such device\n")
	run(bg, refuse(wire.ExtAck{Message: "no device matches name", HasOffset: true, Offset: offset}), 0, "", args...).
		want(t, exitFailed, "", "ynl: ethtool rings-get: no such device: no device matches name (at ETHTOOL_A_RINGS_HEADER > ETHTOOL_A_HEADER_DEV_NAME)\n")

	// A value that cannot be sent is an error of the request, before there is an answer.
	run(bg, linkKernel, 0, "", "do", "rt-link", "setlink", `{"linkinfo":{"kind":"bridge","data":"00"},"ifname":"v0"}`).
		want(t, exitFailed, "", "ynl: rt-link setlink: ")
}

// ruleset is a kernel that records the tables of nftables, and refuses those that exist.
type ruleset struct {
	begun  int
	tables map[string]bool
}

func (r *ruleset) handle(req wire.Message) []wire.Message {
	switch req.Header.Type {
	case nftables.NFNL_MSG_BATCH_BEGIN:
		r.begun++
	case nftables.NFT_MSG_NEWTABLE:
		var table nftables.Table
		if err := table.Decode(req.Payload); err != nil {
			return []wire.Message{nltest.Error(syscall.EINVAL, wire.ExtAck{Message: err.Error()})}
		}
		if r.tables[table.Name.Value] && req.Header.Flags&netlink.NLM_F_EXCL != 0 {
			return []wire.Message{nltest.Error(syscall.EEXIST, wire.ExtAck{HasOffset: true, Offset: 20})}
		}
		r.tables[table.Name.Value] = true
	}
	return nil
}

// What the kernel takes only in a batch is sent as one.
func TestDoInABatch(t *testing.T) {
	r := &ruleset{tables: make(map[string]bool)}
	k := scripted(r.handle)
	args := []string{"do", "-create", "-excl", "nftables", "newtable", `{"nfgen-family":2,"name":"t"}`}
	run(bg, k, 0, "", args...).want(t, exitOK, "", "")
	if r.begun != 1 || !r.tables["t"] {
		t.Errorf("%+v", r)
	}
	run(bg, k, 0, "", args...).want(t, exitFailed, "", "ynl: nftables newtable: file exists (at NFTA_TABLE_NAME)\n")
}

// With -echo what the kernel made is printed, of a batch only that.
func TestDoWithAnEcho(t *testing.T) {
	made := scripted(func(req wire.Message) []wire.Message {
		if req.Header.Flags&netlink.NLM_F_ECHO == 0 {
			return nil
		}
		other := wire.Message{Header: wire.Header{Type: nftables.NFT_MSG_NEWCHAIN}, Payload: req.Payload}
		return []wire.Message{{Header: wire.Header{Type: req.Header.Type}, Payload: req.Payload}, other}
	})
	const table = `{"nfgen-family":2,"version":0,"res-id":0,"name":"t"}`
	run(bg, made, 0, "", "do", "-create", "-echo", "nftables", "newtable", table).want(t, exitOK, table+"\n", "")
	run(bg, made, 0, "", "do", "-create", "nftables", "newtable", table).want(t, exitOK, "", "")

	run(bg, made, 0, "", "do", "-create", "-echo", "rt-link", "newlink", br0JSON).want(t, exitOK, br0JSON+"\n", "")
	run(bg, made, 0, "", "do", "-create", "rt-link", "newlink", br0JSON).want(t, exitOK, "", "")
	silent := scripted(func(wire.Message) []wire.Message { return nil })
	run(bg, silent, 0, "", "do", "-echo", "rt-link", "setlink", br0JSON).want(t, exitFailed, "", "ynl: rt-link setlink: no reply\n")
	broken := scripted(func(req wire.Message) []wire.Message {
		return []wire.Message{{Header: wire.Header{Type: req.Header.Type}, Payload: []byte{1}}}
	})
	run(bg, broken, 0, "", "do", "-echo", "nftables", "newtable", table).want(t, exitFailed, "", "ynl: nftables newtable: ")
}
