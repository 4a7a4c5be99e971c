package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/ethtool"
	"github.com/nlmux/netlink/ynl/rtlink"
	"github.com/nlmux/netlink/ynl/sockdiag"
	"github.com/nlmux/netlink/ynl/ynltest"
)

// twoLinks answers with lo and br0, or with the one of the name in the request.
func twoLinks(req *rtlink.Link, _ netlink.Flags) (list []*rtlink.Link, err error) {
	for _, l := range []*rtlink.Link{
		{Ifinfomsg: rtlink.Ifinfomsg{Index: 1, Flags: rtlink.IFF_UP | rtlink.IFF_LOOPBACK}, Ifname: ynl.Some("lo"), MTU: ynl.U32(65536)},
		{Ifinfomsg: rtlink.Ifinfomsg{Index: 2}, Ifname: ynl.Some("br0"), MTU: ynl.U32(1500), Linkinfo: &rtlink.Linkinfo{Kind: ynl.Some("bridge")}},
	} {
		if !req.Ifname.Set || req.Ifname == l.Ifname {
			list = append(list, l)
		}
	}
	if list == nil {
		err = syscall.ENODEV
	}
	return list, err
}

var linkKernel = scripted(ynltest.Handle(ynltest.On(rtlink.OpGetLink, twoLinks)))

// The JSON of these links.
const (
	loJSON  = `{"ifi-family":0,"ifi-type":0,"ifi-index":1,"ifi-flags":["up","loopback"],"ifi-change":[],"ifname":"lo","mtu":65536}`
	br0JSON = `{"ifi-family":0,"ifi-type":0,"ifi-index":2,"ifi-flags":[],"ifi-change":[],"ifname":"br0","mtu":1500,"linkinfo":{"kind":"bridge"}}`
)

func TestDumpAsLines(t *testing.T) {
	const both = loJSON + "\n" + br0JSON + "\n"
	run(bg, linkKernel, 0, "", "dump", "rt-link", "getlink").want(t, exitOK, both, "")
	run(bg, linkKernel, 80, "", "dump", "-json", "rt-link", "getlink").want(t, exitOK, both, "")
	run(bg, linkKernel, 0, "", "dump", "rt-link", "getlink", `{"ifname":"br0"}`).want(t, exitOK, br0JSON+"\n", "")
	run(bg, linkKernel, 0, " {\"ifname\": \"lo\"}\n", "dump", "rt-link", "getlink", "-").want(t, exitOK, loJSON+"\n", "")
}

func TestDumpAsATable(t *testing.T) {
	const whole = `ifi-index  ifi-flags    ifname    mtu  linkinfo
        1  up,loopback  lo      65536  -
        2               br0      1500  kind=bridge
`
	run(bg, linkKernel, 80, "", "dump", "rt-link", "getlink").want(t, exitOK, whole, "")
	run(bg, linkKernel, 0, "", "dump", "-table", "rt-link", "getlink").want(t, exitOK, whole, "")
	run(bg, linkKernel, 30, "", "dump", "-wide", "rt-link", "getlink").want(t, exitOK, whole, "")
	run(bg, linkKernel, 30, "", "dump", "rt-link", "getlink").want(t, exitOK, `ifi-index  ifi-flags    ifname
        1  up,loopback  lo
        2               br0
`, "\n2 more columns (-wide, -columns, -json): mtu, linkinfo\n")
	run(bg, linkKernel, 0, "", "dump", "-columns", "ifname,linkinfo.kind", "rt-link", "getlink").want(t, exitOK, `ifname  linkinfo.kind
lo      -
br0     bridge
`, "")
}

func TestDumpWithoutEntries(t *testing.T) {
	empty := scripted(ynltest.Handle(ynltest.On(rtlink.OpGetLink, func(*rtlink.Link, netlink.Flags) ([]*rtlink.Link, error) { return nil, nil })))
	run(bg, empty, 0, "", "dump", "rt-link", "getlink").want(t, exitOK, "", "")
	run(bg, empty, 80, "", "dump", "rt-link", "getlink").want(t, exitOK, "", "no entries\n")
}

func TestDumpIsRefused(t *testing.T) {
	run(bg, linkKernel, 0, "", "dump", "rt-link", "getlink", `{"ifname":"v0"}`).want(t, exitFailed, "", "ynl: rt-link getlink: no such device\n")
	run(bg, linkKernel, 0, "", "dump", "rt-route", "getroute").want(t, exitFailed, "", "ynl: rt-route getroute: operation not supported\n")
	run(bg, unreachable, 0, "", "dump", "rt-link", "getlink").want(t, exitFailed, "", "ynl: no kernel here\n")
	nlctrl := scripted(ynltest.HandleGeneric(&ethtool.Family))
	run(bg, nlctrl, 0, "", "dump", "ovpn", "peer-get").want(t, exitFailed, "", "ynl: ovpn peer-get: ")
}

// entry is an entry of a dump of links, with the flags and the payload of a link.
func entry(t *testing.T, flags netlink.Flags, l *rtlink.Link) wire.Message {
	var b wire.Builder
	l.Encode(&b)
	payload, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return wire.Message{Header: wire.Header{Type: rtlink.RTM_NEWLINK, Flags: flags}, Payload: payload}
}

// An interrupted dump is repeated; what came of the last one is printed.
func TestDumpIsInterruptedByAChange(t *testing.T) {
	for _, tt := range []struct {
		interrupted, code int
		stderr            string
	}{
		{1, exitOK, ""},
		{100, exitFailed, "ynl: rt-link getlink: dump interrupted by a change of the table\n"},
	} {
		dumps := 0
		k := scripted(func(wire.Message) []wire.Message {
			flags := netlink.Flags(0)
			if dumps++; dumps <= tt.interrupted {
				flags = netlink.NLM_F_DUMP_INTR
			}
			l, _ := twoLinks(&rtlink.Link{}, 0)
			return []wire.Message{entry(t, 0, l[0]), entry(t, flags, l[1])}
		})
		run(bg, k, 0, "", "dump", "rt-link", "getlink").want(t, tt.code, loJSON+"\n"+br0JSON+"\n", tt.stderr)
	}
}

// The entries before the end of ctx are printed.
func TestDumpIsInterruptedByCtrlC(t *testing.T) {
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	k := scripted(func(wire.Message) []wire.Message {
		cancel()
		l, _ := twoLinks(&rtlink.Link{}, 0)
		return []wire.Message{entry(t, 0, l[0]), entry(t, 0, l[1])}
	})
	r := run(ctx, k, 0, "", "dump", "rt-link", "getlink")
	r.want(t, exitFailed, r.stdout, "ynl: rt-link getlink: interrupted\n")
	if !strings.HasPrefix(loJSON+"\n"+br0JSON+"\n", r.stdout) {
		t.Errorf("%q", r.stdout)
	}
}

// A dump that breaks off, and entries that cannot be decoded.
func TestDumpFailsInBetween(t *testing.T) {
	k := scripted(func(wire.Message) []wire.Message {
		l, _ := twoLinks(&rtlink.Link{}, 0)
		broken := entry(t, 0, l[0])
		broken.Payload = broken.Payload[:15]
		return []wire.Message{entry(t, 0, l[0]), broken, entry(t, 0, l[1]), nltest.Done(syscall.ENOMEM, wire.ExtAck{Message: "no room"})}
	})
	r := run(bg, k, 0, "", "dump", "rt-link", "getlink")
	r.want(t, exitFailed, loJSON+"\n"+br0JSON+"\n", "ynl: rt-link getlink: ")
	lines := strings.Split(r.stderr, "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], wire.ErrMalformed.Error()) || lines[1] != "ynl: rt-link getlink: cannot allocate memory: no room" {
		t.Errorf("%q", lines)
	}
}

// The reply of an operation is not always of the type of its request.
func TestDumpOfAnotherTypeThanTheRequest(t *testing.T) {
	k := scripted(ynltest.Handle(ynltest.On(sockdiag.OpGetUnix, func(req *sockdiag.UnixReq, _ netlink.Flags) ([]*sockdiag.Unix, error) {
		return []*sockdiag.Unix{{UnixDiagMsg: sockdiag.UnixDiagMsg{Family: 1, Ino: req.Ino}}}, nil
	})))
	r := run(bg, k, 0, "", "dump", "sockdiag", "get-unix", `{"udiag-ino":7}`)
	r.want(t, exitOK, r.stdout, "")
	if !strings.HasPrefix(r.stdout, `{"udiag-family":`) || !strings.Contains(r.stdout, `"udiag-ino":7`) {
		t.Error(r.stdout)
	}
}

// failingWriter fails as a full disk does.
type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errFull }

var errFull = errors.New("no space left")

func TestOutputThatCannotBeWritten(t *testing.T) {
	for _, args := range []string{
		"list", "ops rt-link", "dump rt-link getlink", "dump -table rt-link getlink", "do rt-link getlink", "-h", "dump -h",
	} {
		var stderr bytes.Buffer
		s := &session{stdin: strings.NewReader(""), stdout: failingWriter{}, stderr: &stderr, dial: linkKernel, width: func(io.Writer) int { return 0 }}
		if code := s.run(bg, strings.Fields(args)); code != exitFailed || stderr.String() != "ynl: no space left\n" {
			t.Errorf("%s: exit code %d, %q", args, code, &stderr)
		}
	}
}
