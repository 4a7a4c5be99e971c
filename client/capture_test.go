package client_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/capturetest"
	"github.com/nlmux/netlink/internal/socktest"
	"github.com/nlmux/netlink/wire"
)

// captured is a writer of a capture that the script can read and block.
type captured struct {
	t *testing.T

	mu sync.Mutex // guards following

	file   bytes.Buffer
	gate   chan struct{} // not nil: what Write waits for
	err    error         // of the next Write
	closed bool          // the Conn is closed, no write may come
}

func (w *captured) Write(p []byte) (int, error) {
	w.mu.Lock()
	gate := w.gate
	w.mu.Unlock()
	if gate != nil {
		<-gate
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		w.t.Error("written to after Close, or after an error")
	}
	if w.err != nil {
		w.closed = true
		return 0, w.err
	}
	return w.file.Write(p)
}

// stop blocks every Write from now on; goOn unblocks them.
func (w *captured) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gate = make(chan struct{})
}

func (w *captured) goOn() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.gate)
	w.gate = nil
}

// sections reads what has been written so far.
func (w *captured) sections() []capturetest.Section {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	sections, err := capturetest.Read(w.file.Bytes())
	if err != nil {
		w.t.Fatal(err)
	}
	return sections
}

// close closes c and returns the only section of the capture, which has to be whole.
func (w *captured) close(c *client.Conn) capturetest.Section {
	w.t.Helper()
	if err := c.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	sections := w.sections()
	if len(sections) != 1 || !sections[0].Whole {
		w.t.Fatalf("%d sections, the last one whole: %v; want one", len(sections), len(sections) > 0 && sections[0].Whole)
	}
	return sections[0]
}

// dialCaptured dials with a capture.
func (k *kernel) dialCaptured(opts ...client.Option) (*client.Conn, *captured) {
	k.t.Helper()
	w := &captured{t: k.t}
	return k.dial(append(opts, client.WithCapture(w))...), w
}

// wantPackets requires these packets in the section, each written as an arrow (> sent,
// < received, * multicast), the type of each message with its text, and the comment.
func wantPackets(t *testing.T, s capturetest.Section, want ...string) {
	t.Helper()
	var got []string
	for _, p := range s.Packets {
		got = append(got, packetText(t, p))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("packets\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(want, "\n "))
	}
}

func packetText(t *testing.T, p capturetest.Packet) string {
	t.Helper()
	words := []string{p.Type.String()}
	for m, err := range wire.Messages(p.Data) {
		if err != nil {
			t.Fatalf("%x: %v", p.Data, err)
		}
		words = append(words, fmt.Sprint(uint16(m.Header.Type)))
		if m.Header.Type >= netlink.NLMSG_MIN_TYPE {
			words = append(words, string(m.Payload))
		}
	}
	if p.Comment != "" {
		words = append(words, "("+p.Comment+")")
	}
	return strings.Join(words, " ")
}

func TestCaptureHoldsWhatGoesBothWays(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, w := k.dialCaptured()
		k.join(c, linkGroup)
		start := time.Now()
		call := k.get(bg, c)
		req := k.want(getLink)
		time.Sleep(time.Second)
		req.send(append(req.data("two"), req.data("in one")...))
		k.multicast(linkGroup, "up")
		k.socket(0).Queue(
			socktest.Datagram{Data: event("far"), Group: 40, NSID: 7, HasNS: true},
			socktest.Datagram{Data: event("foreign"), PortID: 77},
			socktest.Datagram{Data: event("unasked")})
		req.ack()
		wantTexts(t, call, "two", "in one")
		s := w.close(c)
		wantPackets(t, s,
			"> 18 get",
			"< 16 two 16 in one",
			"* 16 up (group 1, to port 1001)",
			"* 16 far (group 40, from network namespace 7, to port 1001)",
			"< 16 foreign (from port 77, to port 1001)",
			"< 16 unasked",
			"< 2")
		if s.Application != "github.com/nlmux/netlink" || s.Interface != "NETLINK_ROUTE" || s.Seen != 7 || s.Dropped != 0 {
			t.Errorf("section of %q on %q, %d packets, %d dropped", s.Application, s.Interface, s.Seen, s.Dropped)
		}
		for i, p := range s.Packets {
			want := start
			if i > 0 {
				want = start.Add(time.Second)
			}
			if !p.Time.Equal(want) || p.Family != netlink.NETLINK_ROUTE || p.Length != len(p.Data) || p.Dropped != 0 {
				t.Errorf("packet %d: %+v, want it whole, at %v", i, p, want)
			}
		}
		if got := s.Packets[0].Data; !bytes.Equal(got, wire.AppendMessage(nil, req.Message)) {
			t.Errorf("sent %x", got)
		}
	})
}

// The kernel answers inside the send, so another goroutine can read the answer before
// the send returns. The request still comes first, and is in the file while the kernel
// works on it: the file shows the request in which a program hangs.
func TestCaptureHasCausesFirst(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, w := k.dialCaptured()
		k.during(func(req request) error {
			synctest.Wait()
			wantPackets(t, w.sections()[0], "> 18 hangs")
			req.reply("answer")
			req.ack()
			synctest.Wait()
			wantPackets(t, w.sections()[0], "> 18 hangs", "< 16 answer", "< 2")
			return nil
		})
		if _, err := c.Request(bg, getLink, []byte("hangs"), 0); err != nil {
			t.Fatal(err)
		}
		wantPackets(t, w.close(c), "> 18 hangs", "< 16 answer", "< 2")
	})
}

// A request that could not be sent would look like one without an answer, so a comment
// says it.
func TestCaptureReportsFailedSends(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, w := k.dialCaptured()
		k.during(func(req request) error { return syscall.ECONNREFUSED })
		_, err := c.Request(bg, getLink, []byte("get"), 0)
		if !errors.Is(err, syscall.ECONNREFUSED) || !client.NotSent(err) {
			t.Fatal(err)
		}
		wantPackets(t, w.close(c), "> 18 get",
			fmt.Sprintf("> 18 get (not sent, so the kernel has not seen it: %v)", syscall.ECONNREFUSED))
	})
}

// The next packet reports what the kernel dropped.
func TestCaptureReportsWhatTheKernelDropped(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, w := k.dialCaptured()
		k.join(c, linkGroup)
		k.socket(0).Overrun(syscall.ENOBUFS)
		wantEvents(t, c, "gap 0")
		k.multicast(linkGroup, "1", "2")
		wantEvents(t, c, "1", "2")
		wantPackets(t, w.close(c),
			fmt.Sprintf("* 16 1 (the socket lost messages: %v, group 1, to port 1001)", syscall.ENOBUFS),
			"* 16 2 (group 1, to port 1001)")
	})
}

// A datagram that did not fit the Conn's buffer is shorter than it was.
func TestCaptureReportsTruncation(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, w := k.dialCaptured()
		k.socket(0).Queue(socktest.Datagram{Data: make([]byte, 300<<10)})
		synctest.Wait()
		s := w.close(c)
		if len(s.Packets) != 1 {
			t.Fatalf("%d packets", len(s.Packets))
		}
		p := s.Packets[0]
		if p.Length <= 256<<10 || len(p.Data) != 256<<10-16 || p.Comment != "the end was not read, so the length is not known" {
			t.Errorf("packet of %d bytes with %d captured and comment %q", p.Length, len(p.Data), p.Comment)
		}
	})
}

// All sockets of a Conn are in its capture: those of memberships and of loops over
// dumps, even those that are opened after others were closed.
func TestCaptureOfEverySocket(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, w := k.dialCaptured(client.WithEventSocket())
		k.join(c, linkGroup)
		k.multicast(linkGroup, "up")
		wantEvents(t, c, "up")
		k.answersDumps(table("a", "b"))
		wantLoop(t, c, "a", "b")
		if _, err := loop(bg, c, 1); err != nil { // its socket is closed
			t.Fatal(err)
		}
		wantLoop(t, c, "a", "b")
		dump := []string{"> 22 dump", "< 20 a", "< 20 b", "< 3"}
		prime := []string{"> 1", "< 2"} // of a new socket
		want := slices.Concat([]string{"* 16 up (group 1, to port 1002)"}, prime, dump, dump[:2], prime, dump)
		wantPackets(t, w.close(c), want...)
		if n := len(k.Sockets()); n != 4 {
			t.Errorf("%d sockets, want those of requests, events and two loops", n)
		}
	})
}

// The captures of several Conns of different families, one after the other, are one
// capture.
func TestConsecutiveCaptures(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		w := &captured{t: t}
		families := []netlink.Family{netlink.NETLINK_ROUTE, netlink.NETLINK_GENERIC}
		for _, family := range families {
			c := k.dialFamily(family, client.WithCapture(w))
			call := k.get(bg, c)
			k.want(getLink).ack()
			wantTexts(t, call)
			c.Close()
		}
		sections := w.sections()
		for i, family := range families {
			if s := sections[i]; s.Interface != family.String() || s.Packets[0].Family != family || !s.Whole {
				t.Errorf("section %d: %+v, want one of %v", i, s, family)
			}
			wantPackets(t, sections[i], "> 18 get", "< 2")
		}
	})
}

// A captured socket has a descriptor if, and only if, its socket has one.
func TestCapturedSocketKeepsItsDescriptor(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, _ := k.dialCaptured()
		if _, err := c.SyscallConn(); !errors.Is(err, errors.ErrUnsupported) {
			t.Error("without a descriptor:", err)
		}
		c.Close()
		c, _ = k.dialCaptured(client.WithSocket(k.openWithDescriptor))
		raw, err := c.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var fd uintptr
		if err := raw.Control(func(n uintptr) { fd = n }); err != nil || fd != 42 {
			t.Errorf("descriptor %d, %v", fd, err)
		}
	})
}
