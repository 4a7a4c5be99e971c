package migration

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	mdnetlink "github.com/mdlayher/netlink"
	vishnetlink "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/bench/migration/mdlayher"
	"github.com/nlmux/netlink/bench/migration/nlmux"
	"github.com/nlmux/netlink/bench/migration/vishvananda"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// The tests of this file hold what the page says of differences against the
// libraries, each in the version that go.mod requires.

// sequence is mdlayher's complaint about a reply to something else.
const sequence = "mismatched sequence"

// mdConn returns a Conn of mdlayher in a new namespace.
func mdConn(t *testing.T) *mdnetlink.Conn {
	t.Helper()
	c, err := mdlayher.Dial(path(nstest.New(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// touchLo returns a request that changes nothing on lo and has no reply but the
// acknowledgement.
func touchLo(t *testing.T, flags mdnetlink.HeaderFlags) mdnetlink.Message {
	t.Helper()
	var b wire.Builder
	b.Struct(&unix.IfInfomsg{Index: loIndex})
	payload, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return mdnetlink.Message{Header: mdnetlink.Header{Type: unix.RTM_SETLINK, Flags: flags}, Data: payload}
}

func TestMdlayherReturnsTheAcknowledgement(t *testing.T) {
	c := mdConn(t)
	replies, err := c.Execute(touchLo(t, mdnetlink.Request|mdnetlink.Acknowledge))
	if err != nil || len(replies) != 1 || replies[0].Header.Type != mdnetlink.Error {
		t.Errorf("%v, %v; want the acknowledgement", replies, err)
	}
}

func TestMdlayherWaitsForAnAnswerThatWasNotAskedFor(t *testing.T) {
	c := mdConn(t)
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Execute(touchLo(t, mdnetlink.Request)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

func TestMdlayherLeavesTheAcknowledgementOfAReplyBehind(t *testing.T) {
	c := mdConn(t)
	get := touchLo(t, mdnetlink.Request|mdnetlink.Acknowledge)
	get.Header.Type = unix.RTM_GETLINK
	if _, err := c.Execute(get); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Execute(get); err == nil || !strings.Contains(err.Error(), sequence) {
		t.Errorf("the next: %v", err)
	}
}

func TestMdlayherTakesAnEventForAReply(t *testing.T) {
	c := mdConn(t)
	if err := c.JoinGroup(unix.RTNLGRP_IPV4_IFADDR); err != nil {
		t.Fatal(err)
	}
	if _, err := mdlayher.AddAddress(c, loIndex, netip.MustParsePrefix("10.1.2.3/24")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := mdlayher.Link(c, lo); err == nil || !strings.Contains(err.Error(), sequence) {
		t.Errorf("the next request, which finds the acknowledgement: %v", err)
	}
}

// TestMdlayherFailsAfterADeadline: the request is applied, and its answer is
// there for the next one, whose answer is there for the one after that.
func TestMdlayherFailsAfterADeadline(t *testing.T) {
	ns := nstest.New(t)
	c, err := mdlayher.Dial(path(ns))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParsePrefix("10.1.2.3/24")
	if _, err := mdlayher.AddAddress(c, loIndex, addr); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, _, err := mdlayher.Link(c, lo); err == nil || !strings.Contains(err.Error(), sequence) {
			t.Errorf("the next: %v", err)
		}
	}
	if addrs, err := dialNlmux(t, ns).addresses(); err != nil || !slices.Contains(addrs, addr) {
		t.Errorf("%v, %v; want the address to be added", addrs, err)
	}
}

// TestClosedHasOneErrorHere: peers report a closed connection in other ways.
func TestClosedHasOneErrorHere(t *testing.T) {
	ns := nstest.New(t)
	c, err := nlmux.Dial(path(ns))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, _, err := nlmux.Link(t.Context(), c, lo); !errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) {
		t.Errorf("nlmux: %v", err)
	}

	md := mdConn(t)
	waiting := make(chan error)
	go func() {
		_, err := md.Receive()
		waiting <- err
	}()
	md.Close()
	if err := <-waiting; errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) {
		t.Errorf("mdlayher, waiting: %v", err)
	}
	if _, _, err := mdlayher.Link(md, lo); !errors.Is(err, unix.EBADF) || errors.Is(err, net.ErrClosed) {
		t.Errorf("mdlayher: %v", err)
	}
}

// vishHandle returns a Handle of vishvananda in a new namespace.
func vishHandle(t *testing.T) *vishnetlink.Handle {
	t.Helper()
	h, err := vishvananda.Dial(path(nstest.New(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

func TestVishvanandaHidesTheErrnoOfAMissingLink(t *testing.T) {
	_, err := vishHandle(t).LinkByName("nosuchlink0")
	var missing vishnetlink.LinkNotFoundError
	if !errors.As(err, &missing) || errors.Is(err, unix.ENODEV) {
		t.Error(err)
	}
}

func TestVishvanandaFillsInTheBroadcastAddress(t *testing.T) {
	h := vishHandle(t)
	addr := ipNet(netip.MustParsePrefix("10.1.2.3/24"))
	if _, err := vishvananda.AddAddress(h, loIndex, addr); err != nil {
		t.Fatal(err)
	}
	addrs, err := h.AddrList(nil, vishnetlink.FAMILY_V4)
	if err != nil {
		t.Fatal(err)
	}
	if got := addrs[len(addrs)-1]; !got.Broadcast.Equal(net.IPv4(10, 1, 2, 255)) {
		t.Errorf("%+v", got)
	}
}

func TestVishvanandaDeletesRoutesOfOneScope(t *testing.T) {
	h := vishHandle(t)
	dst := netip.MustParsePrefix("10.1.2.0/24")
	addRoutes(t, h, dst)
	if err := h.RouteDel(&vishnetlink.Route{Dst: ipNet(dst)}); !errors.Is(err, unix.ESRCH) {
		t.Error(err)
	}
}

func TestVishvanandasHandleDoesNotAskForTheKernelsWords(t *testing.T) {
	h := vishHandle(t)
	_, err := vishvananda.DeleteRoute(h, ipNet(netip.MustParsePrefix("10.1.2.3/24")))
	if !errors.Is(err, unix.EINVAL) || vishvananda.Reason(err) != "" {
		t.Error(err)
	}
}

// TestStrictCheckingIsAnOptionHere: with mdlayher's Strict, the kernel refuses
// what a Conn without WithStrictChecking lets pass.
func TestStrictCheckingIsAnOptionHere(t *testing.T) {
	ns := nstest.New(t)
	var b wire.Builder
	b.Struct(&unix.IfAddrmsg{Prefixlen: 24}) // which does not filter
	sloppy, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, strict := range []bool{false, true} {
		options := []client.Option{client.WithNetNS(ns.FD())}
		if strict {
			options = append(options, client.WithStrictChecking())
		}
		c, err := client.Dial(netlink.NETLINK_ROUTE, options...)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = c.Request(t.Context(), unix.RTM_GETADDR, sloppy, netlink.NLM_F_DUMP)
		if strict != errors.Is(err, unix.EINVAL) {
			t.Errorf("strict %v: %v", strict, err)
		}
	}
	_, err = mdConn(t).Execute(mdnetlink.Message{
		Header: mdnetlink.Header{Type: unix.RTM_GETADDR, Flags: mdnetlink.Request | mdnetlink.Dump},
		Data:   sloppy,
	})
	if !errors.Is(err, unix.EINVAL) {
		t.Errorf("mdlayher: %v", err)
	}
}
