//go:build linux

// Command sockets lists the TCP sockets with their round-trip times, like
// ss -ti. It needs no privilege.
package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/examples/internal/cli"
	"github.com/nlmux/netlink/wire"
)

func main() {
	all := flag.Bool("a", false, "listening sockets, too")
	cli.Command{
		Name:  "sockets",
		Args:  "[-a]",
		About: "sockets lists the TCP sockets with their round-trip times.",
		Run:   func(ctx context.Context) error { return run(ctx, os.Stdout, *all) },
	}.Main()
}

func run(ctx context.Context, out io.Writer, all bool) error {
	c, err := client.Dial(netlink.NETLINK_SOCK_DIAG)
	if err != nil {
		return err
	}
	defer c.Close()

	wanted := ^uint32(0)
	if !all {
		wanted &^= 1 << unix.BPF_TCP_LISTEN
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STATE\tLOCAL\tPEER\tRECV-Q\tSEND-Q\tRTT\tVARIATION")
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		var b wire.Builder
		b.Struct(&diagRequest{
			Family: family, Protocol: unix.IPPROTO_TCP, States: wanted,
			Extensions: 1 << (infoAttr - 1), // tcp_info with each socket
		})
		request, err := b.Encode()
		if err != nil {
			return err
		}
		for m, err := range c.Dump(ctx, unix.SOCK_DIAG_BY_FAMILY, request) {
			if err == nil {
				err = show(w, m)
			}
			if err != nil {
				return err
			}
		}
	}
	return w.Flush()
}

// socketID is struct inet_diag_sockid of linux/inet_diag.h.
type socketID struct {
	LocalPort, PeerPort [2]byte // big endian
	Local, Peer         [16]byte
	Interface           uint32
	Cookie              [2]uint32
}

// diagRequest is struct inet_diag_req_v2 of linux/inet_diag.h.
type diagRequest struct {
	Family, Protocol, Extensions, _ uint8
	States                          uint32 // bits
	ID                              socketID
}

// diagMsg is struct inet_diag_msg of linux/inet_diag.h.
type diagMsg struct {
	Family, State, Timer, Retrans         uint8
	ID                                    socketID
	Expires, Received, Unsent, UID, Inode uint32
}

const infoAttr = 2 // INET_DIAG_INFO

// tcpInfo is the part of struct tcp_info of linux/tcp.h that is shown.
type tcpInfo struct {
	_              [68]byte
	RTT, Variation uint32 // in microseconds
}

// states are the names of the kernel's TCP states (include/net/tcp_states.h).
var states = []string{
	"", "ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT",
	"CLOSED", "CLOSE-WAIT", "LAST-ACK", "LISTEN", "CLOSING", "SYN-RECV", "BOUND",
}

// show prints one socket.
func show(w io.Writer, m wire.Message) error {
	var s diagMsg
	attrs, err := m.Struct(&s)
	if err != nil {
		return err
	}
	rtt, variation := "-", "-" // a listening or closed socket has none
	for a, err := range wire.Attrs(attrs) {
		if err != nil {
			return err
		}
		var info tcpInfo
		if a.Type != infoAttr {
			continue
		}
		if _, err := binary.Decode(a.Value, binary.NativeEndian, &info); err == nil && info.RTT > 0 {
			rtt = (time.Duration(info.RTT) * time.Microsecond).String()
			variation = (time.Duration(info.Variation) * time.Microsecond).String()
		}
	}
	state := fmt.Sprint(s.State)
	if int(s.State) < len(states) {
		state = states[s.State]
	}
	_, err = fmt.Fprintf(w, "%s\t%v\t%v\t%d\t%d\t%s\t%s\n", state,
		address(s.Family, s.ID.Local, s.ID.LocalPort), address(s.Family, s.ID.Peer, s.ID.PeerPort), s.Received, s.Unsent, rtt, variation)
	return err
}

// address makes an address of the first bytes of an array that fits both families.
func address(family uint8, addr [16]byte, port [2]byte) netip.AddrPort {
	a := netip.AddrFrom16(addr)
	if family == unix.AF_INET {
		a = netip.AddrFrom4([4]byte(addr[:4]))
	}
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(port[:]))
}
