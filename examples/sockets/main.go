//go:build linux

// Command sockets lists the TCP sockets with their round-trip times, like
// ss -ti. It needs no privilege.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

func main() {
	all := flag.Bool("a", false, "listening sockets, too")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), "sockets lists the TCP sockets with their round-trip times.\n\nUsage: sockets [-a]\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *all); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "sockets:", err)
		os.Exit(1)
	}
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
		// struct inet_diag_req_v2, which asks for tcp_info with each socket.
		req := make([]byte, 56)
		req[0], req[1], req[2] = family, unix.IPPROTO_TCP, 1<<(infoAttr-1)
		binary.NativeEndian.PutUint32(req[4:], wanted)
		for m, err := range c.Dump(ctx, unix.SOCK_DIAG_BY_FAMILY, req) {
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

// diagMsg is struct inet_diag_msg of linux/inet_diag.h.
type diagMsg struct {
	Family, State, Timer, Retrans         uint8
	LocalPort, PeerPort                   [2]byte // big endian
	Local, Peer                           [16]byte
	Interface                             uint32
	Cookie                                [2]uint32
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
	n, err := binary.Decode(m.Payload, binary.NativeEndian, &s)
	if err != nil {
		return err
	}
	rtt, variation := "-", "-" // a listening or closed socket has none
	for a, err := range wire.Attrs(m.Payload[n:]) {
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
		address(s.Family, s.Local, s.LocalPort), address(s.Family, s.Peer, s.PeerPort), s.Received, s.Unsent, rtt, variation)
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
