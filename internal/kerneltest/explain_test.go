//go:build linux

package kerneltest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/genl"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// wantPath requires that the kernel refused a request because of an attribute, and that
// the error names it.
func wantPath(t *testing.T, what string, err error, path string) {
	t.Helper()
	var refusal *wire.KernelError
	if !errors.As(err, &refusal) || refusal.Path != path {
		t.Errorf("%s: %v; want a refusal of %s", what, err, path)
	}
}

// wantPathSince is wantPath for a kernel of version major.minor or newer. An older one
// has to refuse too, but need not say which attribute is at fault.
func wantPathSince(t *testing.T, major, minor int, what string, err error, path string) {
	t.Helper()
	var refusal *wire.KernelError
	if !nstest.KernelSince(t, major, minor) && errors.As(err, &refusal) &&
		!refusal.Ext.HasOffset && !refusal.Ext.HasMissingType && refusal.Ext.Message != "" && refusal.Path == "" {
		return
	}
	wantPath(t, what, err, path)
}

// TestRefusalNamesTheAttribute if the kernel reports its offset, also in a nest.
func TestRefusalNamesTheAttribute(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	veth := func(peer func(b *wire.Builder)) func(b *wire.Builder) {
		return func(b *wire.Builder) {
			b.Nest(unix.IFLA_LINKINFO, func(b *wire.Builder) {
				b.String(unix.IFLA_INFO_KIND, "veth")
				b.Nest(unix.IFLA_INFO_DATA, peer)
			})
		}
	}
	const vethInfoPeer = 1 // VETH_INFO_PEER of linux/veth.h
	for _, tt := range []struct {
		what string
		typ  netlink.MessageType
		req  []byte
		path string
	}{
		{"MTU of 2 bytes", unix.RTM_NEWLINK, Build(t, unix.IfInfomsg{}, func(b *wire.Builder) {
			b.String(unix.IFLA_IFNAME, "left")
			b.Uint16(unix.IFLA_MTU, 1500)
		}), "IFLA_MTU"},
		{"peer without a header", unix.RTM_NEWLINK, Build(t, unix.IfInfomsg{}, veth(func(b *wire.Builder) {
			b.Uint32(vethInfoPeer, 0)
		})), "IFLA_LINKINFO > IFLA_INFO_DATA > VETH_INFO_PEER"},
		{"peer with an MTU of 2 bytes", unix.RTM_NEWLINK, Build(t, unix.IfInfomsg{}, veth(func(b *wire.Builder) {
			b.Nest(vethInfoPeer, func(b *wire.Builder) {
				b.Struct(unix.IfInfomsg{})
				b.String(unix.IFLA_IFNAME, "right")
				b.Uint16(unix.IFLA_MTU, 1500)
			})
		})), "IFLA_LINKINFO > IFLA_INFO_DATA > VETH_INFO_PEER > IFLA_MTU"},
		{"address of 1 byte", unix.RTM_NEWADDR, Build(t, unix.IfAddrmsg{Family: unix.AF_INET, Prefixlen: 32, Index: LoIndex},
			func(b *wire.Builder) { b.Uint8(unix.IFA_LOCAL, 1) }), "IFA_LOCAL"},
		{"priority of 1 byte", unix.RTM_NEWRULE, Build(t, unix.RtMsg{Family: unix.AF_INET},
			func(b *wire.Builder) { b.Uint8(unix.FRA_PRIORITY, 1) }), "FRA_PRIORITY"},
		{"namespace that is none", unix.RTM_NEWNSID, Build(t, [4]byte{}, func(b *wire.Builder) {
			b.Uint32(unix.NETNSA_NSID, 1)
			b.Uint32(unix.NETNSA_FD, 1<<30)
		}), "NETNSA_FD"},
		{"link of 1 byte", unix.RTM_NEWNEXTHOP, Build(t, [8]byte{unix.AF_INET}, func(b *wire.Builder) {
			b.Uint32(unix.NHA_ID, 1)
			b.Uint8(unix.NHA_OIF, LoIndex)
		}), "NHA_OIF"},
	} {
		_, err := c.Request(Patient(t), tt.typ, tt.req, netlink.NLM_F_CREATE|netlink.NLM_F_EXCL)
		wantPath(t, tt.what, err, tt.path)
	}
}

// TestRefusedDumpNamesTheAttribute, also if the refusal is an NLMSG_DONE, as here.
func TestRefusedDumpNamesTheAttribute(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE, client.WithStrictChecking())
	for _, tt := range []struct {
		typ  netlink.MessageType
		req  []byte
		path string
	}{
		{unix.RTM_GETADDR, Build(t, unix.IfAddrmsg{}, func(b *wire.Builder) { b.Uint32(99, 1) }), "99"},
		{unix.RTM_GETROUTE, Build(t, unix.RtMsg{Family: unix.AF_INET}, func(b *wire.Builder) { b.Uint8(unix.RTA_OIF, 1) }), "RTA_OIF"},
		{unix.RTM_GETNEIGH, Build(t, unix.NdMsg{Family: unix.AF_INET}, func(b *wire.Builder) { b.Uint8(unix.NDA_MASTER, 1) }), "NDA_MASTER"},
	} {
		_, err := c.Request(Patient(t), tt.typ, tt.req, netlink.NLM_F_DUMP)
		// NLMSG_DONE has had NLMSGERR_ATTR_OFFS since Linux 6.10 (netlink_dump_done).
		wantPathSince(t, 6, 10, "collected", err, tt.path)
		for _, err := range c.Dump(Patient(t), tt.typ, tt.req) {
			wantPathSince(t, 6, 10, "streamed", err, tt.path)
		}
	}
}

// TestRefusalOfAGenericRequest: attributes have names, those that are missing too.
func TestRefusalOfAGenericRequest(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_GENERIC)
	ask := func(family string, command uint8, attrs ...func(*wire.Builder)) error {
		t.Helper()
		f, err := genl.Resolve(Patient(t), c, family)
		if err != nil {
			nstest.Skip(t, family, "%v", err)
		}
		_, err = f.Request(Patient(t), c, command, Build(t, [0]byte{}, attrs...), 0)
		return err
	}
	const ctrlGetFamily = 3 // CTRL_CMD_GETFAMILY
	wantPath(t, "name of 17 bytes", ask("nlctrl", ctrlGetFamily, func(b *wire.Builder) {
		b.String(unix.CTRL_ATTR_FAMILY_NAME, "seventeen-letters")
	}), "CTRL_ATTR_FAMILY_NAME")

	lo := func(b *wire.Builder) {
		b.Nest(unix.ETHTOOL_A_FEATURES_HEADER, func(b *wire.Builder) {
			b.Uint32(unix.ETHTOOL_A_HEADER_DEV_INDEX, LoIndex)
		})
	}
	// NLMSGERR_ATTR_MISS_TYPE is there since Linux 6.1.
	wantPathSince(t, 6, 1, "no header", ask("ethtool", unix.ETHTOOL_MSG_STRSET_GET), "ETHTOOL_A_STRSET_HEADER")
	const (
		provider  = 7 // ETHTOOL_A_TSINFO_HWTSTAMP_PROVIDER
		index     = 1 // ETHTOOL_A_TS_HWTSTAMP_PROVIDER_INDEX
		qualifier = 2 // ETHTOOL_A_TS_HWTSTAMP_PROVIDER_QUALIFIER
	)
	err := ask("ethtool", unix.ETHTOOL_MSG_TSINFO_GET, lo, func(b *wire.Builder) { b.Nest(provider, func(*wire.Builder) {}) })
	if strings.Contains(fmt.Sprint(err), "Unknown attribute type") {
		// Before Linux 6.14 the request has no provider.
		wantPath(t, "provider", err, "ETHTOOL_A_TSINFO_HWTSTAMP_PROVIDER")
		return
	}
	wantPath(t, "half a provider", ask("ethtool", unix.ETHTOOL_MSG_TSINFO_GET, lo, func(b *wire.Builder) {
		b.Nest(provider, func(b *wire.Builder) { b.Uint32(index, 0) })
	}), "ETHTOOL_A_TSINFO_HWTSTAMP_PROVIDER > ETHTOOL_A_TS_HWTSTAMP_PROVIDER_QUALIFIER")
	wantPath(t, "provider without an index", ask("ethtool", unix.ETHTOOL_MSG_TSINFO_GET, lo, func(b *wire.Builder) {
		b.Nest(provider, func(b *wire.Builder) { b.Uint32(qualifier, 0) })
	}), "ETHTOOL_A_TSINFO_HWTSTAMP_PROVIDER > ETHTOOL_A_TS_HWTSTAMP_PROVIDER_INDEX")
}

// TestRefusalOfANetfilterRequest: the names of a type depend on the request.
func TestRefusalOfANetfilterRequest(t *testing.T) {
	const nftGetChain netlink.MessageType = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETCHAIN
	c := dialNetfilter(t, nstest.New(t), "nf_tables", nftGetTable)
	nosuch := Build(t, [4]byte{unix.AF_INET}, func(b *wire.Builder) {
		b.String(unix.NFTA_CHAIN_TABLE, "nosuch")
		b.String(unix.NFTA_CHAIN_NAME, "nosuch")
	})
	_, err := c.Request(Patient(t), nftGetTable, nosuch, 0)
	wantPath(t, "table", err, "NFTA_TABLE_NAME")
	_, err = c.Request(Patient(t), nftGetChain, nosuch, 0)
	wantPath(t, "chain", err, "NFTA_CHAIN_TABLE")
}
