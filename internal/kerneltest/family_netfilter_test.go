//go:build linux

package kerneltest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

const ctDelete netlink.MessageType = unix.NFNL_SUBSYS_CTNETLINK<<8 | 2 // IPCTNL_MSG_CT_DELETE

// TestConntrackEvents: the creation and the deletion of a connection are announced, in
// this order and with its port.
func TestConntrackEvents(t *testing.T) {
	const groupNew, groupDestroy = 1, 3 // NFNLGRP_CONNTRACK_NEW and _DESTROY
	ns := nstest.New(t)
	c := dialNetfilter(t, ns, "conntrack", ctGet)
	events := Dial(t, ns, netlink.NETLINK_NETFILTER)
	Join(t, events, groupNew)
	Join(t, events, groupDestroy)
	for port := uint16(2000); port < 2010; port++ {
		addConntrack(t, c, port)
		Request(t, c, ctDelete, Build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET}, func(b *wire.Builder) {
			conntrackTuple(b, ctaTupleOrig, port)
		}), 0)
		for _, want := range []struct {
			typ   netlink.MessageType
			group uint32
		}{{ctNew, groupNew}, {ctDelete, groupDestroy}} {
			e := NextEvent(t, events)
			if e.Header.Type != want.typ || e.Group != want.group || conntrackPort(t, e.Message) != port {
				t.Errorf("event %+v; want type %d, group %d, port %d", e, want.typ, want.group, port)
			}
		}
	}
	NoLosses(t, c)
	NoLosses(t, events)
}

// addOutputRule makes each packet that leaves the namespace of c pass one nf_tables
// expression.
func addOutputRule(t *testing.T, c *client.Conn, expression string, data func(*wire.Builder)) error {
	t.Helper()
	_, err := c.Batch(Patient(t), unix.NFNL_SUBSYS_NFTABLES, []client.BatchMessage{
		nftTable(t, create, "table"),
		nft(t, nftNewChain, create, func(b *wire.Builder) {
			b.String(unix.NFTA_CHAIN_TABLE, "table")
			b.String(unix.NFTA_CHAIN_NAME, "output")
			b.String(unix.NFTA_CHAIN_TYPE, "filter")
			b.Nest(unix.NFTA_CHAIN_HOOK, func(b *wire.Builder) {
				b.Uint32BE(unix.NFTA_HOOK_HOOKNUM, 3) // NF_INET_LOCAL_OUT
				b.Uint32BE(unix.NFTA_HOOK_PRIORITY, 0)
			})
		}),
		nft(t, nftNewRule, create|netlink.NLM_F_APPEND, func(b *wire.Builder) {
			b.String(unix.NFTA_RULE_TABLE, "table")
			b.String(unix.NFTA_RULE_CHAIN, "output")
			b.Nest(unix.NFTA_RULE_EXPRESSIONS, func(b *wire.Builder) {
				b.Nest(unix.NFTA_LIST_ELEM, func(b *wire.Builder) {
					b.String(unix.NFTA_EXPR_NAME, expression)
					b.Nest(unix.NFTA_EXPR_DATA, data)
				})
			})
		}),
	})
	return err
}

// udpOverLo returns a socket of ns that is bound to 127.0.0.1.
func udpOverLo(t *testing.T, ns *nstest.NS) *net.UDPConn {
	t.Helper()
	var conn *net.UDPConn
	if err := ns.Do(func() (err error) {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(Patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// sendToItself sends a datagram from a socket to the same socket.
func sendToItself(t *testing.T, conn *net.UDPConn, text string) {
	t.Helper()
	if _, err := conn.WriteTo([]byte(text), conn.LocalAddr()); err != nil {
		t.Fatal(err)
	}
}

// configure sends a configuration message of nfqueue or nflog for a queue or a group.
// It skips if the kernel has no such subsystem.
func configure(t *testing.T, c *client.Conn, feature string, typ netlink.MessageType, number uint16, attrs func(*wire.Builder)) {
	t.Helper()
	var h [4]byte // struct nfgenmsg: the family, the version, res_id
	binary.BigEndian.PutUint16(h[2:], number)
	_, err := c.Request(Patient(t), typ, Build(t, h, attrs), 0)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
		nstest.Skip(t, feature, "%v", err) // nfnetlink_rcv_msg without the subsystem
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestNflog: packets that a rule logs are events, with the rule's prefix.
func TestNflog(t *testing.T) {
	const (
		msgPacket netlink.MessageType = unix.NFNL_SUBSYS_ULOG << 8   // NFULNL_MSG_PACKET
		msgConfig netlink.MessageType = unix.NFNL_SUBSYS_ULOG<<8 | 1 // NFULNL_MSG_CONFIG

		cfgCmd, cfgMode, cfgThreshold = 1, 2, 5 // NFULA_CFG_CMD, _MODE, _QTHRESH
		payload, prefix               = 9, 10   // NFULA_PAYLOAD, NFULA_PREFIX
		bind, copyPacket              = 1, 2    // NFULNL_CFG_CMD_BIND, NFULNL_COPY_PACKET
		group                         = 8
	)
	ns := nstest.New(t)
	c := dialFamily(t, ns, netlink.NETLINK_NETFILTER)
	configure(t, c, "nflog", msgConfig, group, func(b *wire.Builder) { b.Bytes(cfgCmd, []byte{bind}) })
	configure(t, c, "nflog", msgConfig, group, func(b *wire.Builder) {
		b.Bytes(cfgMode, []byte{0, 0, 0xff, 0xff, copyPacket, 0})
		b.Uint32BE(cfgThreshold, 1) // send each packet at once
	})
	err := addOutputRule(t, dialNetfilter(t, ns, "nf_tables", nftGetTable), "log", func(b *wire.Builder) {
		b.Uint16BE(unix.NFTA_LOG_GROUP, group)
		b.String(unix.NFTA_LOG_PREFIX, "a rule")
	})
	if errors.Is(err, unix.ENOENT) {
		nstest.Skip(t, "nft_log", "no expression log: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	conn := udpOverLo(t, ns)
	for _, text := range []string{"first", "second"} {
		sendToItself(t, conn, text)
		e := NextEvent(t, c)
		var h unix.Nfgenmsg
		attrs := Unpack(t, e.Message, &h)
		if e.Header.Type != msgPacket || !bytes.HasSuffix(attrs[payload].Value, []byte(text)) || attrs[prefix].String() != "a rule" {
			t.Errorf("event %+v; want the packet %q", e, text)
		}
	}
	NoLosses(t, c)
}
