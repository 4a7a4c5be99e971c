package netlink_test

import (
	"fmt"

	"github.com/nlmux/netlink"
)

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
