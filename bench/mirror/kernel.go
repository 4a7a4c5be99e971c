package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

const gateways = 20

func ip(command string) error {
	out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", command, err, out)
	}
	return nil
}

// fill makes two links, routes over the second, and 1,000 more over the first.
func fill(routes int) error {
	for _, c := range []string{
		"link set lo up", "link add a0 type veth peer name a1", "link add b0 type veth peer name b1",
		"link set a0 up", "link set a1 up", "link set b0 up", "link set b1 up",
		"addr add 10.1.0.1/24 dev a0", "addr add 10.0.0.1/24 dev b0",
	} {
		if err := ip(c); err != nil {
			return err
		}
	}
	if err := send("b0", 0, routes); err != nil {
		return err
	}
	return fillLink(routes)
}

func fillLink(routes int) error { return send("a0", routes, 1000) }

// send makes n routes over a link.
func send(link string, from, n int) error {
	dev, err := net.InterfaceByName(link)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var buf []byte
	for i := from; i < from+n; i++ {
		var b wire.Builder
		b.Struct([]byte{unix.AF_INET, 24, 0, 0, unix.RT_TABLE_MAIN, 186, scope(link), unix.RTN_UNICAST, 0, 0, 0, 0})
		b.Bytes(unix.RTA_DST, binary.BigEndian.AppendUint32(nil, uint32(0x10000000+i<<8)))
		if link == "b0" {
			b.Bytes(unix.RTA_GATEWAY, []byte{10, 0, 0, byte(2 + i*7919%gateways)})
		}
		b.Uint32(unix.RTA_OIF, uint32(dev.Index))
		b.Uint32(unix.RTA_PRIORITY, 20)
		p, err := b.Encode()
		if err != nil {
			return err
		}
		m := wire.Message{Payload: p}
		m.Header.Type = unix.RTM_NEWROUTE
		m.Header.Flags = netlink.NLM_F_REQUEST | netlink.NLM_F_CREATE | netlink.NLM_F_APPEND
		if buf = wire.AppendMessage(buf, m); len(buf) > 60_000 || i == from+n-1 {
			if err := unix.Sendto(fd, buf, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	return nil
}

func scope(link string) byte {
	if link == "b0" {
		return unix.RT_SCOPE_UNIVERSE
	}
	return unix.RT_SCOPE_LINK
}

// stream reads all IPv4 routes and does nothing with them; the second time counts.
func stream() (took time.Duration, n int, err error) {
	if _, _, err = streamCount(); err != nil {
		return 0, 0, err
	}
	return streamCount()
}

func streamCount() (took time.Duration, n int, err error) {
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	start := time.Now()
	for _, err := range c.Dump(context.Background(), unix.RTM_GETROUTE, []byte{unix.AF_INET, 11: 0}) {
		if err != nil {
			return 0, 0, err
		}
		n++
	}
	return time.Since(start), n, nil
}
