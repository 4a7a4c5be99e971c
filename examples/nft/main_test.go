//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/examples/internal/program"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

func TestMain(m *testing.M) {
	program.Main(main)
	nstest.Main(m)
}

func TestFlags(t *testing.T) { program.TestFlags(t, "nft lists") }

// transaction is what makes a dormant table of each family with a name, the way
// nf_tables wants it: in one datagram.
func transaction(t *testing.T, names map[byte]string) []byte {
	t.Helper()
	var datagram []byte
	add := func(typ netlink.MessageType, flags netlink.Flags, family byte, resource uint16, attrs func(*wire.Builder)) {
		var b wire.Builder
		b.Struct(binary.BigEndian.AppendUint16([]byte{family, unix.NFNETLINK_V0}, resource))
		attrs(&b)
		payload, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		datagram = wire.AppendMessage(datagram, wire.Message{
			Header:  wire.Header{Type: typ, Flags: flags | netlink.NLM_F_REQUEST},
			Payload: payload,
		})
	}
	nothing := func(*wire.Builder) {}
	add(unix.NFNL_MSG_BATCH_BEGIN, 0, 0, unix.NFNL_SUBSYS_NFTABLES, nothing)
	for family, name := range names {
		add(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWTABLE, netlink.NLM_F_CREATE|netlink.NLM_F_ACK, family, 0, func(b *wire.Builder) {
			b.String(unix.NFTA_TABLE_NAME, name)
			b.Uint32BE(unix.NFTA_TABLE_FLAGS, unix.NFT_TABLE_F_DORMANT)
		})
	}
	add(unix.NFNL_MSG_BATCH_END, 0, 0, unix.NFNL_SUBSYS_NFTABLES, nothing)
	return datagram
}

// commit sends a transaction and returns the kernel's refusal of its first part
// that it did not like. The Conn cannot: it sends one message at a time.
func commit(datagram []byte, parts int) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, datagram, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	b := make([]byte, os.Getpagesize())
	for ; parts > 0; parts-- {
		// The acknowledgements are queued when the send returns.
		n, _, err := unix.Recvfrom(fd, b, unix.MSG_DONTWAIT)
		if err != nil {
			return err
		}
		for m, err := range wire.Messages(b[:n]) {
			if err != nil {
				return err
			}
			if refusal, err := wire.ParseAck(m); err != nil {
				return err
			} else if refusal != nil {
				return refusal
			}
		}
	}
	return nil
}

func TestTablesOfANamespace(t *testing.T) {
	ns := nstest.New(t)
	names := map[byte]string{unix.NFPROTO_INET: "both", unix.NFPROTO_IPV4: "four", unix.NFPROTO_ARP: "arp", unix.NFPROTO_NETDEV: "dev"}
	err := ns.Do(func() error { return commit(transaction(t, names), len(names)) })
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
		nstest.Skip(t, "nf_tables", "%v", err) // not in this kernel, or not all families
	} else if err != nil {
		t.Fatal(err)
	}
	p := program.Start(t, ns.Do)
	p.Await("FAMILY", "TABLE", "HANDLE", "FLAGS")
	out := p.WantDone()
	if n := strings.Count(out, "\n"); n != 1+len(names) {
		t.Errorf("%d lines, want a heading and %d tables:\n%s", n, len(names), out)
	}
	for family, name := range map[string]string{"inet": "both", "ip": "four", "arp": "arp", "netdev": "dev"} {
		p := program.Start(t, ns.Do)
		p.Await(family, name, "0", "dormant")
		p.WantDone()
	}
}

func TestUnprivileged(t *testing.T) {
	program.Start(t, program.Unprivileged).WantRefusal("CAP_NET_ADMIN", "not permitted")
}
