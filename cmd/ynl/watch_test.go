package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/netdev"
	"github.com/nlmux/netlink/ynl/rtaddr"
	"github.com/nlmux/netlink/ynl/rtlink"
	"github.com/nlmux/netlink/ynl/ynltest"
)

// output is the standard output of a running command.
type output struct {
	mu    sync.Mutex // guards following
	text  bytes.Buffer
	lines chan struct{} // has a token after a write
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.lines <- struct{}{}:
	default:
	}
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// watched is a running command.
type watched struct {
	t      *testing.T
	stdout output
	stderr bytes.Buffer
	cancel context.CancelFunc
	code   chan int
}

// watching starts the command, and returns when it prints what hello causes. hello is
// called until then, since the command joins its groups at some time.
func watching(t *testing.T, dial dialer, width int, hello func(), args ...string) *watched {
	ctx, cancel := context.WithCancel(bg)
	w := &watched{t: t, stdout: output{lines: make(chan struct{}, 1)}, cancel: cancel, code: make(chan int, 1)}
	s := &session{stdin: strings.NewReader(""), stdout: &w.stdout, stderr: &w.stderr, dial: dial, width: func(io.Writer) int { return width }}
	go func() { w.code <- s.run(ctx, append([]string{"watch"}, args...)) }()
	for {
		hello()
		select {
		case <-w.stdout.lines:
			return w
		case code := <-w.code:
			t.Fatalf("exit code %d, %s", code, &w.stderr)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// await waits until a line of the output contains a text.
func (w *watched) await(text string) {
	w.t.Helper()
	deadline := time.After(20 * time.Second)
	for !strings.Contains(w.stdout.String(), text) {
		select {
		case <-w.stdout.lines:
		case <-deadline:
			w.t.Fatalf("no %q in\n%s", text, &w.stdout)
		}
	}
}

// interrupt ends the command as Ctrl-C does, and returns its result.
func (w *watched) interrupt() result {
	w.cancel()
	return w.end()
}

func (w *watched) end() result {
	code := <-w.code
	return result{code, w.stdout.String(), w.stderr.String()}
}

// link returns a link of that name.
func link(name string) *rtlink.Link {
	return &rtlink.Link{Ifinfomsg: rtlink.Ifinfomsg{Index: 7}, Ifname: ynl.Some(name), MTU: ynl.U32(1500)}
}

// routeKernel returns a kernel of NETLINK_ROUTE, and how to dial it.
func routeKernel() (*nltest.Kernel, dialer) {
	k := nltest.New(netlink.NETLINK_ROUTE, nil)
	return k, func(f netlink.Family, opts ...client.Option) (*client.Conn, error) { return k.Dial(opts...), nil }
}

// unordinary pushes all that is no ordinary event, and an ordinary one at the end.
func unordinary(k *nltest.Kernel) {
	k.Push(rtlink.RTNLGRP_LINK, wire.Message{Header: wire.Header{Type: rtlink.RTM_NEWLINK}, Payload: make([]byte, 15)})
	k.Push(rtlink.RTNLGRP_LINK, wire.Message{Header: wire.Header{Type: 99}, Payload: []byte{1, 2, 3, 4}})
	k.Overrun()
}

func TestWatchAsLines(t *testing.T) {
	k, dial := routeKernel()
	w := watching(t, dial, 0, func() { ynltest.Push(k, rtlink.RTNLGRP_LINK, rtlink.OpNewLinkNtf, link("hello")) }, "rt-link", "rt-addr")
	ynltest.Push(k, rtlink.RTNLGRP_LINK, rtlink.OpDelLink, link("v0"))
	w.await("v0")
	unordinary(k)
	w.await(`"gap"`)
	ynltest.Push(k, rtlink.RTNLGRP_LINK, rtlink.OpNewLinkNtf, link("after"))
	w.await("after")

	r := w.interrupt()
	r.want(t, exitOK, r.stdout, "")
	var lines []string
	for line := range strings.Lines(r.stdout) {
		if !json.Valid([]byte(line)) {
			t.Errorf("%q is no JSON", line)
		}
		if !strings.Contains(line, "hello") {
			lines = append(lines, line)
		}
	}
	const msg = `"msg":{"ifi-family":0,"ifi-type":0,"ifi-index":7,"ifi-flags":[],"ifi-change":[],"ifname":`
	want := []string{
		`{"family":"rt-link","name":"dellink",` + msg + `"v0","mtu":1500}}` + "\n",
		`{"family":"rt-link","name":"newlink-ntf","error":"rt-link newlink-ntf: `,
		`{"protocol":"NETLINK_ROUTE","type":99,"payload":"01020304"}` + "\n",
		`{"protocol":"NETLINK_ROUTE","gap":true}` + "\n",
		`{"family":"rt-link","name":"newlink-ntf",` + msg + `"after","mtu":1500}}` + "\n",
	}
	if len(lines) != len(want) {
		t.Fatalf("%q", lines)
	}
	for i := range want {
		if !strings.HasPrefix(lines[i], want[i]) {
			t.Errorf("%s, want %s", lines[i], want[i])
		}
	}
}

func TestWatchOnATerminal(t *testing.T) {
	k, dial := routeKernel()
	w := watching(t, dial, 60, func() { ynltest.Push(k, rtlink.RTNLGRP_LINK, rtlink.OpNewLinkNtf, link("hello")) }, "rt-link")
	ynltest.Push(k, rtlink.RTNLGRP_LINK, rtlink.OpDelLink, link("a name of more than the columns"))
	w.await("a name")
	unordinary(k)
	w.await("lost")

	r := w.interrupt()
	r.want(t, exitOK, r.stdout, "")
	got := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d `).ReplaceAllString(r.stdout, "TIME ")
	for strings.HasPrefix(got, "TIME newlink-ntf  ifi-index=7 ifname=hello mtu=1500\n") {
		_, got, _ = strings.Cut(got, "\n")
	}
	const want = `TIME dellink      ifi-index=7 ifname=a name of more tha…
TIME rt-link newlink-ntf: link: ifinfomsg: wire: malfor…
TIME NETLINK_ROUTE type 99: 01020304
TIME *** events of NETLINK_ROUTE were lost here ***
`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// An address is announced as newaddr, which is also the type of getaddr's replies.
func TestNamesOfEvents(t *testing.T) {
	for _, tt := range []struct {
		family *ynl.Family
		typ    uint16
		want   string
	}{
		{&rtlink.Family, rtlink.RTM_NEWLINK, "newlink-ntf"},
		{&rtlink.Family, rtlink.RTM_DELLINK, "dellink"},
		{&rtlink.Family, rtlink.OpGetStats.Reply(), "getstats"},
		{&rtaddr.Family, rtaddr.RTM_NEWADDR, "newaddr"},
		{&rtaddr.Family, rtaddr.RTM_DELADDR, "deladdr"},
		{&netdev.Family, netdev.NETDEV_CMD_DEV_CHANGE_NTF, "dev-change-ntf"},
		{&netdev.Family, netdev.NETDEV_CMD_DEV_GET, "dev-get"},
		{&netdev.Family, 999, ""},
	} {
		if got := eventName(ynl.Event{Family: tt.family, Type: tt.typ}); got != tt.want {
			t.Errorf("%s type %d: %q, want %q", tt.family.Name(), tt.typ, got, tt.want)
		}
	}
}

// Families of several protocols are watched at once.
func TestWatchOfSeveralProtocols(t *testing.T) {
	route := nltest.New(netlink.NETLINK_ROUTE, nil)
	generic := nltest.New(netlink.NETLINK_GENERIC, ynltest.HandleGeneric(&netdev.Family))
	dial := func(f netlink.Family, opts ...client.Option) (*client.Conn, error) {
		if f == netlink.NETLINK_ROUTE {
			return route.Dial(opts...), nil
		}
		return generic.Dial(opts...), nil
	}
	w := watching(t, dial, 0, func() { ynltest.Push(route, rtlink.RTNLGRP_LINK, rtlink.OpNewLinkNtf, link("hello")) }, "rt-link", "netdev", "rt-link")
	ynltest.Push(generic, ynltest.Group(&netdev.Family, "mgmt"), netdev.OpDevAddNtf, &netdev.Dev{Ifindex: ynl.U32(3)})
	w.await(`{"family":"netdev","name":"dev-add-ntf","msg":{"ifindex":3}}`)
	r := w.interrupt()
	r.want(t, exitOK, r.stdout, "")
}

func TestWatchThatFails(t *testing.T) {
	run(bg, unreachable, 0, "", "watch", "rt-link").want(t, exitFailed, "", "ynl: no kernel here\n")

	// The kernel lacks the family.
	k := scripted(ynltest.HandleGeneric(&netdev.Family))
	run(bg, k, 0, "", "watch", "ethtool").want(t, exitFailed, "", "ynl: events: ethtool: ")

	// The second protocol cannot be dialled: the first does not go on.
	half := func(f netlink.Family, opts ...client.Option) (*client.Conn, error) {
		if f == netlink.NETLINK_GENERIC {
			return nil, errNoKernel
		}
		return nltest.Dial(f, nil, opts...), nil
	}
	run(bg, half, 0, "", "watch", "rt-link", "netdev").want(t, exitFailed, "", "ynl: no kernel here\n")

	// The output is full.
	route, dial := routeKernel()
	var stderr bytes.Buffer
	s := &session{stdin: strings.NewReader(""), stdout: failingWriter{}, stderr: &stderr, dial: dial, width: func(io.Writer) int { return 0 }}
	code := make(chan int)
	go func() { code <- s.run(bg, []string{"watch", "rt-link"}) }()
	for done := false; !done; {
		ynltest.Push(route, rtlink.RTNLGRP_LINK, rtlink.OpNewLinkNtf, link("hello"))
		select {
		case c := <-code:
			if done = true; c != exitFailed || stderr.String() != "ynl: no space left\n" {
				t.Errorf("exit code %d, %q", c, &stderr)
			}
		case <-time.After(20 * time.Millisecond):
		}
	}
}
