//go:build linux

package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/examples/internal/program"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

func TestMain(m *testing.M) {
	program.Main(main)
	nstest.Main(m)
}

func TestFlags(t *testing.T) { program.TestFlags(t, "nft lists") }

// addTables creates a dormant table of each family with a name.
func addTables(ns *nstest.NS, names map[byte]string) error {
	c, err := client.Dial(netlink.NETLINK_NETFILTER, client.WithNetNS(ns.FD()))
	if err != nil {
		return err
	}
	defer c.Close()
	var msgs []client.BatchMessage
	for family, name := range names {
		msgs = append(msgs, message(family, unix.NFT_MSG_NEWTABLE, netlink.NLM_F_CREATE, func(b *wire.Builder) {
			b.String(unix.NFTA_TABLE_NAME, name)
			b.Uint32BE(unix.NFTA_TABLE_FLAGS, unix.NFT_TABLE_F_DORMANT)
		}))
	}
	return apply(context.Background(), c, msgs...)
}

func TestTablesOfANamespace(t *testing.T) {
	ns := nstest.New(t)
	names := map[byte]string{unix.NFPROTO_INET: "both", unix.NFPROTO_IPV4: "four", unix.NFPROTO_ARP: "arp", unix.NFPROTO_NETDEV: "dev"}
	err := addTables(ns, names)
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

func TestTry(t *testing.T) {
	ns := nstest.New(t)
	if err := addTables(ns, map[byte]string{unix.NFPROTO_IPV4: "other"}); errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
		nstest.Skip(t, "nf_tables", "%v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	p := program.Start(t, ns.Do, "-try")
	p.Await("applied:", "nlmux-try", "first,", "transaction")
	p.Await("refused:")
	p.Await("1:", "file", "exists")
	p.Await("3:", "no", "such", "file")
	p.Await("first", "true")
	p.Await("second", "false")
	p.Await("third", "false")
	p.Await("applied:", "removal", "nlmux-try")
	p.WantDone()
	// It leaves nothing, and can be run again.
	p = program.Start(t, ns.Do)
	p.Await("ip", "other")
	if out := p.WantDone(); strings.Contains(out, tryTable) {
		t.Errorf("left:\n%s", out)
	}
	program.Start(t, ns.Do, "-try").WantDone()
}

func TestUnprivileged(t *testing.T) {
	for _, args := range [][]string{nil, {"-try"}} {
		program.Start(t, program.Unprivileged, args...).WantRefusal("CAP_NET_ADMIN", "not permitted")
	}
}
