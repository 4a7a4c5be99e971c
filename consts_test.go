package netlink_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/nlmux/netlink"
)

// families repeats the constants on purpose: numbers and names are those of
// include/uapi/linux/netlink.h of Linux 6.18.
var families = map[int]string{
	0: "NETLINK_ROUTE", 1: "NETLINK_UNUSED", 2: "NETLINK_USERSOCK", 3: "NETLINK_FIREWALL",
	4: "NETLINK_SOCK_DIAG", 5: "NETLINK_NFLOG", 6: "NETLINK_XFRM", 7: "NETLINK_SELINUX",
	8: "NETLINK_ISCSI", 9: "NETLINK_AUDIT", 10: "NETLINK_FIB_LOOKUP", 11: "NETLINK_CONNECTOR",
	12: "NETLINK_NETFILTER", 13: "NETLINK_IP6_FW", 14: "NETLINK_DNRTMSG", 15: "NETLINK_KOBJECT_UEVENT",
	16: "NETLINK_GENERIC", 18: "NETLINK_SCSITRANSPORT", 19: "NETLINK_ECRYPTFS", 20: "NETLINK_RDMA",
	21: "NETLINK_CRYPTO", 22: "NETLINK_SMC",
}

func TestFamilyString(t *testing.T) {
	for n := -1; n <= 32; n++ {
		want, ok := families[n]
		if !ok {
			want = "Family(" + strconv.Itoa(n) + ")"
		}
		if got := netlink.Family(n).String(); got != want {
			t.Errorf("Family(%d).String() = %q, want %q", n, got, want)
		}
	}
	if netlink.NETLINK_INET_DIAG != netlink.NETLINK_SOCK_DIAG || netlink.NETLINK_RDMMA != netlink.NETLINK_RDMA {
		t.Error("an alias differs from its constant")
	}
}

func TestMessageTypeString(t *testing.T) {
	names := map[int]string{1: "NLMSG_NOOP", 2: "NLMSG_ERROR", 3: "NLMSG_DONE", 4: "NLMSG_OVERRUN"}
	for n := range 1 << 16 {
		want, ok := names[n]
		if !ok {
			want = "MessageType(" + strconv.Itoa(n) + ")"
		}
		if got := netlink.MessageType(n).String(); got != want {
			t.Fatalf("MessageType(%d).String() = %q, want %q", n, got, want)
		}
	}
}

// TestFlagsStringIsReversible parses the text of every value.
func TestFlagsStringIsReversible(t *testing.T) {
	bits := map[string]netlink.Flags{
		"REQUEST": 1, "MULTI": 2, "ACK": 4, "ECHO": 8, "DUMP_INTR": 16, "DUMP_FILTERED": 32,
	}
	for n := range 1 << 16 {
		f := netlink.Flags(n)
		var got netlink.Flags
		for part := range strings.SplitSeq(f.String(), "|") {
			bit, ok := bits[part]
			if !ok {
				v, err := strconv.ParseUint(part, 0, 16)
				if err != nil || v != 0 && v < 0x40 {
					t.Fatalf("Flags(%#x).String() = %q: part %q", n, f, part)
				}
				bit = netlink.Flags(v)
			}
			if got&bit != 0 {
				t.Fatalf("Flags(%#x).String() = %q says %q twice", n, f, part)
			}
			got |= bit
		}
		if got != f {
			t.Fatalf("Flags(%#x).String() = %q, which reads as %#x", n, f, uint16(got))
		}
	}
	for f, want := range map[netlink.Flags]string{
		0: "0",
		netlink.NLM_F_REQUEST | netlink.NLM_F_ACK | netlink.NLM_F_DUMP: "REQUEST|ACK|0x300",
		netlink.NLM_F_MULTI | netlink.NLM_F_DUMP_INTR:                  "MULTI|DUMP_INTR",
	} {
		if got := f.String(); got != want {
			t.Errorf("Flags(%#x).String() = %q, want %q", uint16(f), got, want)
		}
	}
}

func ExampleFamily_String() {
	fmt.Println(netlink.NETLINK_GENERIC, netlink.Family(17))
	// Output: NETLINK_GENERIC Family(17)
}

// Only the control types have the same meaning in every family.
func ExampleMessageType_String() {
	fmt.Println(netlink.NLMSG_DONE, netlink.MessageType(20))
	// Output: NLMSG_DONE MessageType(20)
}

// The high bits are a dump in a request that reads, and something else in any
// other message, so they stay a number.
func ExampleFlags_String() {
	fmt.Println(netlink.NLM_F_REQUEST | netlink.NLM_F_ACK | netlink.NLM_F_DUMP)
	// Output: REQUEST|ACK|0x300
}
