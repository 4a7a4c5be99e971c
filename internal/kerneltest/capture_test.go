//go:build linux

package kerneltest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/genl"
	"github.com/nlmux/netlink/internal/capturetest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

// recording is a file of three captures and the messages that the Conns received.
type recording struct {
	file  bytes.Buffer
	port  uint32 // of the first Conn
	link  wire.Message
	event client.Event
}

// record captures requests, a refusal, an event and a dump of NETLINK_ROUTE, a look-up
// of NETLINK_GENERIC, and from a scripted kernel messages that the real one does not
// send on demand.
func record(t *testing.T) *recording {
	t.Helper()
	r := new(recording)
	ns := nstest.New(t)

	c := Dial(t, ns, netlink.NETLINK_ROUTE, client.WithCapture(&r.file))
	r.port = c.PortID()
	if raw, err := c.SyscallConn(); err != nil || raw.Control(func(uintptr) {}) != nil {
		t.Error("no access to the descriptor:", err)
	}
	Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
	r.link = Request(t, c, unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0)[0]
	if _, err := c.Request(Patient(t), unix.RTM_GETLINK, LinkRequest(t, 9999), 0); !errors.Is(err, unix.ENODEV) {
		t.Fatal(err)
	}
	Request(t, c, unix.RTM_NEWADDR, LoAddress(t, "192.0.2.1/24"), netlink.NLM_F_CREATE)
	r.event = NextEvent(t, c)
	for _, err := range c.Dump(Patient(t), unix.RTM_GETADDR, AddressDump(t)) {
		if err != nil {
			t.Fatal(err)
		}
	}
	NoLosses(t, c)
	closeNow(t, c)

	c = Dial(t, ns, netlink.NETLINK_GENERIC, client.WithCapture(&r.file))
	if _, err := genl.Resolve(Patient(t), c, "nlctrl"); err != nil {
		t.Fatal(err)
	}
	closeNow(t, c)

	k := nltest.New(netlink.NETLINK_ROUTE, func(wire.Message) []wire.Message {
		return []wire.Message{{Header: wire.Header{Type: unix.RTM_NEWLINK}, Payload: make([]byte, 300<<10)}}
	})
	c = k.Dial(client.WithCapture(&r.file))
	if _, err := c.Request(Patient(t), unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0); !errors.Is(err, client.ErrTruncated) {
		t.Fatal(err)
	}
	k.Stop(unix.ECONNREFUSED)
	if _, err := c.Request(Patient(t), unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0); !errors.Is(err, unix.ECONNREFUSED) {
		t.Fatal(err)
	}
	closeNow(t, c)
	return r
}

// closeNow closes a Conn, so that its capture is whole.
func closeNow(t *testing.T, c *client.Conn) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// read reads the file with the tests' own reader.
func (r *recording) read(t *testing.T) []capturetest.Section {
	t.Helper()
	sections, err := capturetest.Read(r.file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range sections {
		if !s.Whole || s.Dropped != 0 || s.Seen != uint64(len(s.Packets)) {
			t.Errorf("section %d: whole %v, %d packets of %d, %d dropped", i, s.Whole, len(s.Packets), s.Seen, s.Dropped)
		}
	}
	return sections
}

// messages returns the messages of a packet that is not cut.
func messages(t *testing.T, p capturetest.Packet) (msgs []wire.Message) {
	t.Helper()
	for m, err := range wire.Messages(p.Data) {
		if err != nil {
			t.Fatalf("packet %x: %v", p.Data, err)
		}
		msgs = append(msgs, m)
	}
	return msgs
}

// TestCaptureOfTheKernel reads back the messages to and from the kernel.
func TestCaptureOfTheKernel(t *testing.T) {
	r := record(t)
	sections := r.read(t)
	for i, want := range [][]string{
		{
			"> 18", "< 16", "< 2", // a link
			"> 18", "< 2", // none
			"> 20", "* 20", "< 2", // an address, its event first
			"> 1", "< 2", "> 22", "< 20", "< 20", "< 3", // addresses, on a socket of their own
		},
		{"> 16", "< 16", "< 2"},
	} {
		var got []string
		for _, p := range sections[i].Packets {
			for _, m := range messages(t, p) {
				got = append(got, fmt.Sprintf("%v %d", p.Type, uint16(m.Header.Type)))
			}
			if p.Length != len(p.Data) {
				t.Errorf("section %d: packet of %d bytes, %d captured", i, p.Length, len(p.Data))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("section %d: messages %q, want %q", i, got, want)
		}
	}

	packets := sections[0].Packets
	if got := packets[1].Data; !bytes.Equal(got, wire.AppendMessage(nil, r.link)) {
		t.Errorf("link %x, Request returned %+v", got, r.link)
	}
	event := packets[slices.IndexFunc(packets, func(p capturetest.Packet) bool { return p.Type == capturetest.Multicast })]
	want := fmt.Sprintf("group %d, to port %d", unix.RTNLGRP_IPV4_IFADDR, r.port)
	if !bytes.Equal(event.Data, wire.AppendMessage(nil, r.event.Message)) || event.Comment != want {
		t.Errorf("event %x, comment %q; Receive got %+v, want %q", event.Data, event.Comment, r.event, want)
	}
	for _, s := range sections {
		if !slices.IsSortedFunc(s.Packets, func(a, b capturetest.Packet) int { return a.Time.Compare(b.Time) }) {
			t.Error("times are not in order")
		}
	}
}

// TestWiresharkReadsCaptures decodes the same file with tshark: messages, numbers,
// attributes and comments are in their places.
func TestWiresharkReadsCaptures(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		nstest.Skip(t, "tshark", "%v", err)
	}
	r := record(t)
	name := filepath.Join(t.TempDir(), "capture.pcapng")
	if err := os.WriteFile(name, r.file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	fields := []string{
		"netlink.family", "netlink-route.nltype", "netlink.hdr_type", "netlink.hdr_seq",
		"netlink.error", "netlink-route.ifla_ifname", "netlink-route.ifa_address.ipv4", "genl.ctrl.cmd", "genl.ctrl.family_name",
		"frame.len", "frame.comment", "frame.packet_flags_direction", "_ws.malformed",
	}
	args := []string{"-r", name, "-T", "fields", "-E", "separator=|"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.Command(tshark, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	var packets []map[string]string
	for line := range strings.Lines(stdout.String()) {
		p := make(map[string]string)
		for i, v := range strings.Split(strings.TrimSuffix(line, "\n"), "|") {
			p[fields[i]] = v
		}
		packets = append(packets, p)
	}

	// Its packets are those of our reader.
	n := 0
	for _, s := range r.read(t) {
		for _, own := range s.Packets {
			if n == len(packets) {
				t.Fatalf("tshark sees %d packets only", n)
			}
			p := packets[n]
			n++
			direction := "0x00000001"
			if own.Type == capturetest.Sent {
				direction = "0x00000002"
			}
			for field, want := range map[string]string{
				"netlink.family": fmt.Sprintf("0x%04x", int(own.Family)), "frame.len": fmt.Sprint(16 + own.Length),
				"frame.comment": own.Comment, "frame.packet_flags_direction": direction, "_ws.malformed": "",
			} {
				if p[field] != want {
					t.Errorf("packet %d: %s %q, want %q", n, field, p[field], want)
				}
			}
			if own.Length != len(own.Data) {
				continue
			}
			var seqs []string
			for _, m := range messages(t, own) {
				seqs = append(seqs, fmt.Sprint(m.Header.Seq))
				if m.Header.Type == netlink.NLMSG_ERROR { // and that of the request, echoed
					seqs = append(seqs, fmt.Sprint(m.Header.Seq))
				}
			}
			if got := p["netlink.hdr_seq"]; got != strings.Join(seqs, ",") {
				t.Errorf("packet %d: sequence numbers %s, want %s", n, got, seqs)
			}
		}
	}
	if n != len(packets) {
		t.Errorf("tshark sees %d packets, want %d", len(packets), n)
	}

	// And it decodes them.
	for _, want := range []map[string]string{
		{"netlink-route.nltype": "18", "netlink.hdr_type": ""},
		{"netlink-route.nltype": "16", "netlink-route.ifla_ifname": "lo"},
		{"netlink.hdr_type": "0x0002,0x0012", "netlink.error": "0"},
		{"netlink.hdr_type": "0x0002,0x0012", "netlink.error": "-19"}, // ENODEV
		{"netlink-route.nltype": "20", "netlink-route.ifa_address.ipv4": "192.0.2.1,192.0.2.1"},
		{"netlink-route.nltype": "22"},
		{"genl.ctrl.cmd": "3", "genl.ctrl.family_name": "nlctrl"}, // CTRL_CMD_GETFAMILY
		{"genl.ctrl.cmd": "1", "genl.ctrl.family_name": "nlctrl"}, // CTRL_CMD_NEWFAMILY
	} {
		if !slices.ContainsFunc(packets, func(p map[string]string) bool {
			for field, v := range want {
				if p[field] != v {
					return false
				}
			}
			return true
		}) {
			t.Errorf("no packet with %v in\n%s", want, &stdout)
		}
	}
}
