package conntrack_test

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/conntrack"
	"github.com/nlmux/netlink/ynl/internal/ynlkernel"
)

// openTimeouts opens a namespace with policies of timeouts.
func openTimeouts(t *testing.T) *sandbox {
	t.Helper()
	ns := nstest.New(t)
	c := kerneltest.Dial(t, ns, netlink.NETLINK_NETFILTER)
	s := &sandbox{ns, c, conntrack.New(c)}
	if _, err := s.DumpTimeout(kerneltest.Patient(t), nil).List(); err != nil {
		nstest.Skip(t, "nfnetlink_cttimeout", "%v", err)
	}
	return s
}

// policies are one for each protocol.
var policies = []conntrack.TimeoutData{
	&conntrack.TimeoutICMP{Timeout: ynl.U32(31)},
	&conntrack.TimeoutTCP{
		SynSent: ynl.U32(1), SynRecv: ynl.U32(2), Established: ynl.U32(3), FinWait: ynl.U32(4), CloseWait: ynl.U32(5), LastAck: ynl.U32(6),
		TimeWait: ynl.U32(7), Close: ynl.U32(8), SynSent2: ynl.U32(9), Retrans: ynl.U32(10), Unack: ynl.U32(11),
	},
	&conntrack.TimeoutUDP{Unreplied: ynl.U32(32), Replied: ynl.U32(33)},
	&conntrack.TimeoutGRE{Unreplied: ynl.U32(34), Replied: ynl.U32(35)},
	&conntrack.TimeoutICMPv6{Timeout: ynl.U32(36)},
	&conntrack.TimeoutSCTP{
		Closed: ynl.U32(1), CookieWait: ynl.U32(2), CookieEchoed: ynl.U32(3), Established: ynl.U32(4), ShutdownSent: ynl.U32(5),
		ShutdownRecd: ynl.U32(6), ShutdownAckSent: ynl.U32(7), HeartbeatSent: ynl.U32(8), HeartbeatAcked: ynl.U32(9),
	},
	&conntrack.TimeoutUdplite{Unreplied: ynl.U32(37), Replied: ynl.U32(38)},
	&conntrack.TimeoutDccp{
		Request: ynl.U32(1), Respond: ynl.U32(2), Partopen: ynl.U32(3), Open: ynl.U32(4), Closereq: ynl.U32(5), Closing: ynl.U32(6), Timewait: ynl.U32(7),
	},
	&conntrack.TimeoutGeneric{Timeout: ynl.U32(39)},
}

// A policy of each protocol that the kernel has is made, read, listed, replaced and
// deleted. The protocol follows from the type of the data.
func TestTimeouts(t *testing.T) {
	s := openTimeouts(t)
	ctx := kerneltest.Patient(t)
	made := 0
	for i, data := range policies {
		name := ynl.Some("p" + strconv.Itoa(i))
		p := &conntrack.Timeout{Name: name, L3proto: ynl.U16(unix.AF_INET), Data: data}
		err := s.NewTimeout(ctx, p, create)
		if errors.Is(err, unix.EOPNOTSUPP) {
			t.Logf("%T: %v", data, err)
			continue
		}
		if err != nil {
			t.Fatalf("%T: %v", data, err)
		}
		made++
		got, err := s.GetTimeout(ctx, &conntrack.Timeout{Name: name})
		if err != nil || got.Name != name || !got.L4proto.Set || got.L3proto != p.L3proto || !got.Use.Set {
			t.Errorf("%T: %+v, %v", data, got, err)
		}
		checkJSON(t, got, got.Unknown)
		if !reflect.DeepEqual(got.Data, data) {
			t.Errorf("%T: %+v, want %+v", data, got.Data, data)
		}
		// What was read can be deleted, and made again.
		if err := errors.Join(s.DeleteTimeout(ctx, got.Settable()), s.NewTimeout(ctx, got.Settable(), create)); err != nil {
			t.Errorf("%T: made again: %v", data, err)
		}
	}
	list, err := s.DumpTimeout(ctx, nil).List()
	if err != nil || len(list) != made || made < 4 {
		t.Errorf("%d policies of %d, %v", len(list), made, err)
	}
	s.losslessTimeouts(t)

	name := ynl.Some("p2")
	change := &conntrack.Timeout{Name: name, L3proto: ynl.U16(unix.AF_INET), Data: &conntrack.TimeoutUDP{Replied: ynl.U32(50)}}
	if err := s.NewTimeout(ctx, change, create); !errors.Is(err, unix.EEXIST) {
		t.Errorf("a second time: %v, want EEXIST", err)
	}
	if err := s.NewTimeout(ctx, change, netlink.NLM_F_REPLACE); err != nil {
		t.Fatal(err)
	}
	got, err := s.GetTimeout(ctx, &conntrack.Timeout{Name: name})
	if err != nil || got.Data.(*conntrack.TimeoutUDP).Replied != ynl.U32(50) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := s.DeleteTimeout(ctx, nil); err != nil { // all
		t.Fatal(err)
	}
	if list, err := s.DumpTimeout(ctx, nil).List(); err != nil || len(list) != 0 {
		t.Errorf("%d policies are left, %v", len(list), err)
	}
}

// losslessTimeouts fails the test if a policy changes when it is decoded and encoded.
func (s *sandbox) losslessTimeouts(t *testing.T) {
	t.Helper()
	const header = 4 // struct nfgenmsg
	for m, err := range s.conn.Dump(kerneltest.Patient(t), conntrack.IPCTNL_MSG_TIMEOUT_GET, make([]byte, header)) {
		if err != nil {
			t.Fatal(err)
		}
		c := ynlkernel.Capture{Type: uint16(m.Header.Type), Payload: bytes.Clone(m.Payload)}
		ynlkernel.Lossless(t, &conntrack.Family, c, header)
		ynlkernel.Mutate(t, &conntrack.Family, c, header)
	}
}

// The timeouts of flows without a policy are those of sysctl.
func TestDefaultTimeouts(t *testing.T) {
	s := openTimeouts(t)
	ctx := kerneltest.Patient(t)
	setting := func(name string) (value uint32) {
		var text []byte
		err := s.ns.Do(func() (err error) {
			text, err = os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_" + name)
			return err
		})
		n, err2 := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
		if err := errors.Join(err, err2); err != nil {
			nstest.Skip(t, "conntrack", "%v", err)
		}
		return uint32(n)
	}
	ofTCP := &conntrack.Timeout{L3proto: ynl.U16(unix.AF_INET), L4proto: ynl.Some(conntrack.IPPROTO_TCP)}
	tcp := func() *conntrack.TimeoutTCP {
		t.Helper()
		got, err := s.GetDefaultTimeout(ctx, ofTCP)
		var refused *wire.KernelError
		if errors.As(err, &refused) && errors.Is(err, unix.EOPNOTSUPP) {
			nstest.Skip(t, "nfnetlink_cttimeout", "%v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		return got.Data.(*conntrack.TimeoutTCP)
	}
	got := tcp()
	for name, value := range map[string]ynl.Opt[uint32]{
		"tcp_timeout_syn_sent": got.SynSent, "tcp_timeout_syn_recv": got.SynRecv, "tcp_timeout_established": got.Established,
		"tcp_timeout_fin_wait": got.FinWait, "tcp_timeout_close_wait": got.CloseWait, "tcp_timeout_last_ack": got.LastAck,
		"tcp_timeout_time_wait": got.TimeWait, "tcp_timeout_close": got.Close, "tcp_timeout_max_retrans": got.Retrans,
		"tcp_timeout_unacknowledged": got.Unack,
	} {
		if want := setting(name); value != ynl.U32(want) {
			t.Errorf("%s: %v, want %d", name, value, want)
		}
	}
	set := &conntrack.Timeout{L3proto: ynl.U16(unix.AF_INET), Data: &conntrack.TimeoutTCP{Established: ynl.U32(4321)}}
	if err := s.SetDefaultTimeout(ctx, set); err != nil {
		t.Fatal(err)
	}
	if after := tcp(); after.Established != ynl.U32(4321) || after.SynSent != got.SynSent || setting("tcp_timeout_established") != 4321 {
		t.Errorf("%+v, before %+v", after, got)
	}
	udp, err := s.GetDefaultTimeout(ctx, &conntrack.Timeout{L3proto: ynl.U16(unix.AF_INET), L4proto: ynl.Some(conntrack.IPPROTO_UDP)})
	if err != nil || udp.Data.(*conntrack.TimeoutUDP).Unreplied != ynl.U32(setting("udp_timeout")) {
		t.Errorf("%+v, %v", udp, err)
	}
}
