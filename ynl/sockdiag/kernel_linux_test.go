//go:build linux

package sockdiag_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/sockdiag"
)

// sandbox is a namespace with sockets.
type sandbox struct {
	ns   *nstest.NS
	conn *client.Conn
	*sockdiag.Client
}

func open(t *testing.T) *sandbox {
	t.Helper()
	ns := nstest.New(t)
	c := kerneltest.Dial(t, ns, netlink.NETLINK_SOCK_DIAG)
	s := &sandbox{ns, c, sockdiag.New(c)}
	if _, err := s.DumpInet(kerneltest.Patient(t), sockdiag.Sockets(unix.AF_INET, unix.IPPROTO_TCP)).List(); errors.Is(err, unix.ENOENT) {
		nstest.Skip(t, "tcp_diag", "%v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	return s
}

// connect makes a connection of a family in the namespace, and returns both ends and the
// address that listens.
func (s *sandbox) connect(t *testing.T, network, address string) (near, far net.Conn, at netip.AddrPort) {
	t.Helper()
	var l net.Listener
	err := s.ns.Do(func() (err error) {
		if l, err = net.Listen(network, address); err != nil {
			return err
		}
		near, err = net.Dial(network, l.Addr().String())
		return err
	})
	if err != nil {
		nstest.Skip(t, "ipv6", "%v", err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []io.Closer{l, near, far} {
		t.Cleanup(func() { c.Close() })
	}
	return near, far, l.Addr().(*net.TCPAddr).AddrPort()
}

// Sockets of TCP agree with what ss shows, and have what was asked for.
func TestTCP(t *testing.T) {
	for _, c := range []struct {
		network, address, flag string
		family                 uint8
	}{
		{"tcp4", "127.0.0.1:0", "-4", unix.AF_INET},
		{"tcp6", "[::1]:0", "-6", unix.AF_INET6},
	} {
		t.Run(c.network, func(t *testing.T) {
			s := open(t)
			near, _, at := s.connect(t, c.network, c.address)
			if _, err := near.Write(make([]byte, 77)); err != nil {
				t.Fatal(err)
			}
			req := sockdiag.Sockets(c.family, unix.IPPROTO_TCP)
			req.Ext = sockdiag.INET_DIAG_EXT_INFO | sockdiag.INET_DIAG_EXT_MEMINFO | sockdiag.INET_DIAG_EXT_SKMEMINFO | sockdiag.INET_DIAG_EXT_CONG
			list, err := s.DumpInet(kerneltest.Patient(t), req).List()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range list {
				got = append(got, fmt.Sprintf("%s %s %s", state(m.State), m.Source(), m.Destination()))
				if len(m.Unknown) > 0 {
					t.Errorf("unknown: %x", m.Unknown)
				}
				if m.State != sockdiag.TCP_ESTABLISHED {
					continue
				}
				if !m.Info.Set || m.Info.Value.SndMSS == 0 || m.Info.Value.State != sockdiag.TCP_ESTABLISHED || len(m.Skmeminfo) < 9 || !m.Cong.Set {
					t.Errorf("%+v", m)
				}
				if m.Destination() == at && m.Info.Value.BytesSent != 77 {
					t.Errorf("%d bytes sent, want 77", m.Info.Value.BytesSent)
				}
			}
			if want := s.ss(t, c.flag, "-t", "-a", "-n", "-H"); !same(got, want) {
				t.Errorf("sockets %q, ss shows %q", got, want)
			}
		})
	}
}

// state is the name that ss has for a state.
func state(s sockdiag.TCPState) string {
	return map[sockdiag.TCPState]string{sockdiag.TCP_ESTABLISHED: "ESTAB", sockdiag.TCP_LISTEN: "LISTEN", sockdiag.TCP_CLOSE: "UNCONN"}[s]
}

// column is the blank between columns.
var column = regexp.MustCompile(`\s+`)

// ss returns state, source and destination of the sockets that the tool shows.
func (s *sandbox) ss(t *testing.T, arg ...string) []string {
	t.Helper()
	var list []string
	for line := range strings.Lines(s.ns.Run(t, "ss", arg...)) {
		c := column.Split(strings.TrimSpace(line), -1)
		if len(c) < 5 {
			t.Fatalf("ss: %q", line)
		}
		any := strings.NewReplacer("0.0.0.0:*", "0.0.0.0:0", "[::]:*", "[::]:0", "*:*", "[::]:0")
		list = append(list, fmt.Sprintf("%s %s %s", c[0], any.Replace(c[3]), any.Replace(c[4])))
	}
	return list
}

func same(a, b []string) bool {
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// A socket that was listed is found again alone, and can be destroyed.
func TestDestroy(t *testing.T) {
	s := open(t)
	ctx := kerneltest.Patient(t)
	near, _, at := s.connect(t, "tcp4", "127.0.0.1:0")
	req := sockdiag.Sockets(unix.AF_INET, unix.IPPROTO_TCP)
	req.States = sockdiag.TCPF_ESTABLISHED
	for m, err := range s.DumpInet(ctx, req) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Destination() != at {
			continue
		}
		again, err := s.GetInet(ctx, m.Request(unix.IPPROTO_TCP))
		if err != nil || again.ID != m.ID || again.Inode != m.Inode {
			t.Errorf("found %+v, %v, want %+v", again, err, m)
		}
		if err := s.Destroy(ctx, m.Request(unix.IPPROTO_TCP)); errors.Is(err, unix.EOPNOTSUPP) {
			nstest.Skip(t, "INET_DIAG_DESTROY", "%v", err)
		} else if err != nil {
			t.Fatal(err)
		}
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNABORTED) {
			t.Errorf("read: %v, want ECONNABORTED", err)
		}
		return
	}
	t.Error("the connection is not listed")
}

// Sockets of AF_UNIX have their names, abstract ones too, and their peers.
func TestUnix(t *testing.T) {
	s := open(t)
	abstract := fmt.Sprintf("@nlmux/%s/%d", t.Name(), unix.Getpid())
	path := t.TempDir() + "/socket"
	err := s.ns.Do(func() error {
		for _, name := range []string{abstract, path} {
			l, err := net.Listen("unix", name)
			if err != nil {
				return err
			}
			t.Cleanup(func() { l.Close() })
		}
		c, err := net.Dial("unix", path)
		if err != nil {
			return err
		}
		t.Cleanup(func() { c.Close() })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	req := &sockdiag.UnixReq{UnixDiagReq: sockdiag.UnixDiagReq{
		Family: unix.AF_UNIX, States: sockdiag.AllStates,
		Show: sockdiag.UDIAG_SHOW_NAME | sockdiag.UDIAG_SHOW_VFS | sockdiag.UDIAG_SHOW_PEER | sockdiag.UDIAG_SHOW_ICONS | sockdiag.UDIAG_SHOW_RQLEN | sockdiag.UDIAG_SHOW_MEMINFO | sockdiag.UDIAG_SHOW_UID,
	}}
	byPath := map[string]*sockdiag.Unix{}
	for m, err := range s.DumpUnix(kerneltest.Patient(t), req) {
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Unknown) > 0 {
			t.Errorf("unknown: %x", m.Unknown)
		}
		byPath[m.Path()] = m
	}
	for _, name := range []string{abstract, path} {
		if m := byPath[name]; m == nil || m.State != sockdiag.TCP_LISTEN || m.Type != unix.SOCK_STREAM {
			t.Errorf("%s: %+v", name, m)
		}
	}
	// The connection waits to be accepted.
	if l := byPath[path]; l == nil || len(l.Icons) != 1 || !l.Vfs.Set {
		t.Errorf("%s: %+v", path, l)
	}
	if text := s.ns.Run(t, "ss", "-xlH"); !strings.Contains(text, path) || !strings.Contains(text, abstract) {
		t.Errorf("ss shows\n%s", text)
	}
}

// Sockets of netlink and of packets are listed as ss lists them.
func TestNetlinkAndPacket(t *testing.T) {
	s := open(t)
	ctx := kerneltest.Patient(t)
	err := s.ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			t.Cleanup(func() { unix.Close(fd) })
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	packets, err := s.DumpPacket(ctx, &sockdiag.PacketReq{PacketDiagReq: sockdiag.PacketDiagReq{
		Family: unix.AF_PACKET, Show: sockdiag.PACKET_SHOW_INFO | sockdiag.PACKET_SHOW_MEMINFO | sockdiag.PACKET_SHOW_FILTER}}).List()
	if errors.Is(err, unix.ENOENT) {
		nstest.Skip(t, "af_packet_diag", "%v", err)
	}
	if err != nil || len(packets) != 1 || packets[0].Type != unix.SOCK_RAW || !packets[0].Info.Set || len(packets[0].Unknown) > 0 {
		t.Errorf("packet sockets %+v, %v", packets, err)
	}

	const all = sockdiag.NDIAG_PROTO_ALL
	sockets, err := s.DumpNetlink(ctx, &sockdiag.NetlinkReq{NetlinkDiagReq: sockdiag.NetlinkDiagReq{
		Family: unix.AF_NETLINK, Protocol: all, Show: sockdiag.NDIAG_SHOW_MEMINFO | sockdiag.NDIAG_SHOW_GROUPS | sockdiag.NDIAG_SHOW_FLAGS}}).List()
	if errors.Is(err, unix.ENOENT) {
		nstest.Skip(t, "netlink_diag", "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	var found *sockdiag.Netlink
	for _, m := range sockets {
		if m.Protocol == unix.NETLINK_SOCK_DIAG && m.Portid == s.conn.PortID() {
			found = m
		}
	}
	if found == nil || len(found.Meminfo) < 9 || !found.Flags.Set || len(found.Unknown) > 0 {
		t.Errorf("the socket of the Conn is %+v, of %d", found, len(sockets))
	}
}

// An event has the socket that ended, and its counters.
func TestEvents(t *testing.T) {
	s := open(t)
	ctx := kerneltest.Patient(t)
	events := ynl.Events(ctx, s.conn, &sockdiag.Family)
	near, far, at := s.connect(t, "tcp4", "127.0.0.1:0")
	far.(*net.TCPConn).SetLinger(0)
	far.Close()
	near.Close()
	for e := range events {
		if e.Err != nil {
			t.Fatal(e.Err)
		}
		m, ok := e.Value.(*sockdiag.Inet)
		if !ok {
			t.Fatalf("event %+v", e)
		}
		if m.Source() == at && m.Protocol == ynl.U8(unix.IPPROTO_TCP) {
			return
		}
	}
	t.Error("no event")
}
