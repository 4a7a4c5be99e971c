//go:build linux

package kerneltest

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// Messages, attributes and codes of ipset (include/uapi/linux/netfilter/ipset/ip_set.h).
const (
	ipsetProtocol netlink.MessageType = 6<<8 | 1 // NFNL_SUBSYS_IPSET, IPSET_CMD_PROTOCOL
	ipsetCreate   netlink.MessageType = 6<<8 | 2
	ipsetAdd      netlink.MessageType = 6<<8 | 9

	ipsetAttrProtocol = 1
	ipsetAttrSetname  = 2
	ipsetAttrTypename = 3
	ipsetAttrRevision = 4
	ipsetAttrFamily   = 5
	ipsetAttrData     = 7
	ipsetAttrADT      = 8
	ipsetAttrLine     = 9 // IPSET_ATTR_LINENO
	ipsetAttrIP       = 1
	ipsetAttrIPv4     = 1

	ipsetErrFindType = 4098
	ipsetErrExist    = 4103
)

// dialIPSet skips if the kernel has no ipset.
func dialIPSet(t *testing.T) *client.Conn {
	t.Helper()
	c := dialFamily(t, nstest.New(t), netlink.NETLINK_NETFILTER)
	if _, err := c.Request(Patient(t), ipsetProtocol, ipset(t, func(*wire.Builder) {}), 0); err != nil {
		nstest.Skip(t, "ipset", "%v", err)
	}
	return c
}

// ipset makes the payload of a message.
func ipset(t *testing.T, attrs func(*wire.Builder)) []byte {
	t.Helper()
	return Build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET}, func(b *wire.Builder) {
		b.Uint8(ipsetAttrProtocol, 6)
		attrs(b)
	})
}

// ipsetOfType makes the payload of a request for a set of addresses.
func ipsetOfType(t *testing.T, name, typ string) []byte {
	t.Helper()
	return ipset(t, func(b *wire.Builder) {
		b.String(ipsetAttrSetname, name)
		b.String(ipsetAttrTypename, typ)
		b.Uint8(ipsetAttrRevision, 0)
		b.Uint8(ipsetAttrFamily, unix.AF_INET)
		b.Nest(ipsetAttrData, func(*wire.Builder) {})
	})
}

// TestCodesOfIPSet: ipset refuses with codes of its own after the kernel's errnos
// (IPSET_ERR_PRIVATE).
func TestCodesOfIPSet(t *testing.T) {
	c := dialIPSet(t)
	_, err := c.Request(Patient(t), ipsetCreate, ipsetOfType(t, "set", "no:such"), netlink.NLM_F_CREATE|netlink.NLM_F_EXCL)
	var refusal *wire.KernelError
	if !errors.As(err, &refusal) || refusal.Errno != ipsetErrFindType {
		t.Errorf("set of an unknown type: %v, want code %d", err, ipsetErrFindType)
	}
	NoLosses(t, c)
}

// TestIPSetNamesTheLineThatFailed: a request that adds many entries is sent back with the
// refusal, and ipset has written the number of the line that failed into it.
func TestIPSetNamesTheLineThatFailed(t *testing.T) {
	const failing = 4711
	c := dialIPSet(t)
	Request(t, c, ipsetCreate, ipsetOfType(t, "set", "hash:ip"), netlink.NLM_F_CREATE|netlink.NLM_F_EXCL)
	entry := func(b *wire.Builder, last byte, line uint32) {
		b.Nest(ipsetAttrData, func(b *wire.Builder) {
			b.Nest(ipsetAttrIP, func(b *wire.Builder) {
				b.Uint32BE(ipsetAttrIPv4|unix.NLA_F_NET_BYTEORDER, 10<<24|uint32(last))
			})
			b.Uint32(ipsetAttrLine, line)
		})
	}
	payload := ipset(t, func(b *wire.Builder) {
		b.String(ipsetAttrSetname, "set")
		b.Uint32(ipsetAttrLine, 0) // room for the answer
		b.Nest(ipsetAttrADT, func(b *wire.Builder) {
			entry(b, 1, failing-1)
			entry(b, 1, failing) // is there already
			entry(b, 2, failing+1)
		})
	})
	_, err := c.Request(Patient(t), ipsetAdd, payload, netlink.NLM_F_EXCL)
	var refusal *wire.KernelError
	if !errors.As(err, &refusal) || refusal.Errno != ipsetErrExist {
		t.Fatalf("%v, want code %d", err, ipsetErrExist)
	}
	echo := refusal.Echo
	if echo.Header.Type != ipsetAdd || echo.Header.Seq != refusal.Seq || len(echo.Payload) != len(payload) {
		t.Fatalf("echo %v of %d bytes, want the request of %d", echo.Header, len(echo.Payload), len(payload))
	}
	var h unix.Nfgenmsg
	if line, err := Unpack(t, echo, &h)[ipsetAttrLine].Uint32(); err != nil || line != failing {
		t.Errorf("line %d (%v), want %d", line, err, failing)
	}
	NoLosses(t, c)
}

// TestOtherRefusalsHaveNoEcho: with NETLINK_CAP_ACK the kernel sends the header only.
func TestOtherRefusalsHaveNoEcho(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	_, err := c.Request(Patient(t), unix.RTM_GETLINK, LinkRequest(t, 1<<30), 0)
	var refusal *wire.KernelError
	if !errors.As(err, &refusal) || refusal.Echo.Header != (wire.Header{}) || refusal.Echo.Payload != nil {
		t.Errorf("%+v, want a refusal without an echo", err)
	}
}
