//go:build linux

package conntrack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/conntrack"
	"github.com/nlmux/netlink/ynl/internal/ynlkernel"
)

const create = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL

var (
	v4 = conntrack.Nfgenmsg{NfgenFamily: unix.AF_INET}
	v6 = conntrack.Nfgenmsg{NfgenFamily: unix.AF_INET6}
)

// sandbox is a namespace that tracks flows, with their times, bytes and labels.
type sandbox struct {
	ns   *nstest.NS
	conn *client.Conn
	*conntrack.Client
}

func open(t *testing.T) *sandbox {
	t.Helper()
	ns := nstest.New(t)
	c := kerneltest.Dial(t, ns, netlink.NETLINK_NETFILTER)
	s := &sandbox{ns, c, conntrack.New(c)}
	if _, err := s.Dump(kerneltest.Patient(t), nil).List(); err != nil {
		nstest.Skip(t, "conntrack", "%v", err)
	}
	s.set(t, "nf_conntrack_timestamp", "1")
	s.set(t, "nf_conntrack_acct", "1")
	// A rule with a label makes the kernel keep labels.
	if err := s.try("nft", "add table ip t; add chain ip t c { type filter hook input priority 0; }; add rule ip t c ct state new ct label set 5"); err != nil {
		nstest.Skip(t, "nft_ct", "%v", err)
	}
	return s
}

// set sets a variable of net.netfilter.
func (s *sandbox) set(t *testing.T, name, value string) {
	t.Helper()
	err := s.ns.Do(func() error { return os.WriteFile("/proc/sys/net/netfilter/"+name, []byte(value), 0) })
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		nstest.Skip(t, "conntrack", "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s *sandbox) try(name string, arg ...string) error {
	return s.ns.Do(func() error {
		out, err := exec.Command(name, arg...).CombinedOutput()
		if err != nil {
			return errors.New(err.Error() + ": " + string(out))
		}
		return nil
	})
}

func (s *sandbox) run(t *testing.T, line string) string {
	t.Helper()
	words := strings.Fields(line)
	return s.ns.Run(t, words[0], words[1:]...)
}

var (
	timeouts = regexp.MustCompile(`^(\S+\s+\d+ \S+\s+\d+) \d+`)
	times    = regexp.MustCompile(`delta-time=\d+|\[start=.*?\]`)
	totals   = regexp.MustCompile(`(?m)^conntrack v.*\n`)
)

// show returns what the tool shows of all flows, sorted, without the times that pass.
func (s *sandbox) show(t *testing.T) string {
	t.Helper()
	var all []string
	for _, family := range []string{"ipv4", "ipv6"} {
		out := totals.ReplaceAllString(s.run(t, "conntrack -L -f "+family+" -o extended"), "")
		for line := range strings.Lines(out) {
			all = append(all, times.ReplaceAllString(timeouts.ReplaceAllString(line, "$1"), ""))
		}
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

// dump lists the flows that match. Each has no attribute that its type does not know, and
// is the same after JSON.
func (s *sandbox) dump(t *testing.T, match *conntrack.Flow) []*conntrack.Flow {
	t.Helper()
	list, err := s.Dump(kerneltest.Patient(t), match).List()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if len(f.Unknown) > 0 {
			t.Errorf("unknown: %x", f.Unknown)
		}
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var back conntrack.Flow
		if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(f, &back) {
			t.Errorf("changed by JSON: %v\n%s\nbefore %+v\nafter  %+v", err, text, f, &back)
		}
	}
	return list
}

// only is dump for a match of one flow.
func (s *sandbox) only(t *testing.T, match *conntrack.Flow) *conntrack.Flow {
	t.Helper()
	list := s.dump(t, match)
	if len(list) != 1 {
		t.Fatalf("%d flows match, want 1", len(list))
	}
	return list[0]
}

func tuple(protocol uint8, src, dst string) *conntrack.Tuple {
	return conntrack.NewTuple(protocol, netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst))
}

// Zones, times, ICMP, marks under a mask, labels and NAT (ti-mo/conntrack issues 11, 26 and
// 37, vishvananda/netlink issue 1186).
func TestFlows(t *testing.T) {
	s := open(t)
	s.run(t, "conntrack -I -p udp -s 10.0.0.1 -d 10.0.0.3 --sport 1001 --dport 53 -t 300 -w 9")
	s.run(t, "conntrack -I -p icmpv6 -s 2001:db8::1 -d 2001:db8::2 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 5 -t 300")

	udp := s.only(t, &conntrack.Flow{Nfgenmsg: v4})
	if src, dst := udp.TupleOrig.Source().String(), udp.TupleOrig.Destination().String(); src != "10.0.0.1:1001" || dst != "10.0.0.3:53" {
		t.Errorf("from %s to %s", src, dst)
	}
	if udp.Zone != ynl.U16(9) || udp.Status.Value&conntrack.IPS_CONFIRMED == 0 || udp.TupleOrig.TupleProto.ProtoNum != ynl.U8(unix.IPPROTO_UDP) {
		t.Errorf("zone %v, status %v, protocol %v", udp.Zone, udp.Status, udp.TupleOrig.TupleProto.ProtoNum)
	}
	if start := time.Unix(0, int64(udp.Timestamp.Start.Value)); time.Since(start).Abs() > time.Hour || udp.Timestamp.Stop.Set {
		t.Errorf("from %v to %v", start, udp.Timestamp.Stop)
	}
	icmp := s.only(t, &conntrack.Flow{Nfgenmsg: v6})
	orig, reply := icmp.TupleOrig.TupleProto, icmp.TupleReply.TupleProto
	if orig.ProtoICMPv6ID != ynl.U16(5) || orig.ProtoICMPv6Type != ynl.U8(128) || reply.ProtoICMPv6Type != ynl.U8(129) {
		t.Errorf("ICMPv6 %+v, reply %+v", orig, reply)
	}

	s.makeFlows(t)
	if zone := s.only(t, &conntrack.Flow{Nfgenmsg: v4, Mark: ynl.U32(0x1200), MarkMask: ynl.U32(0xff00)}).Mark; zone != ynl.U32(0x1277) {
		t.Errorf("mark %v", zone)
	}
	if nstest.KernelSince(t, 6, 8) { // dumps by zone are since 6.8
		if got := s.only(t, &conntrack.Flow{Nfgenmsg: v4, Zone: ynl.U16(9)}); got.Zone != ynl.U16(9) {
			t.Errorf("zone %v", got.Zone)
		}
	}
	s.sameAgain(t)
}

// makeFlows makes a flow of TCP, changes its mark and its labels, and makes one with NAT.
func (s *sandbox) makeFlows(t *testing.T) {
	t.Helper()
	ctx := kerneltest.Patient(t)
	want := func(line string) {
		t.Helper()
		if text := s.show(t); !strings.Contains(text, line) {
			t.Errorf("conntrack does not show %q in\n%s", line, text)
		}
	}
	orig, reply := tuple(unix.IPPROTO_TCP, "10.1.0.1:5", "10.1.0.2:6"), tuple(unix.IPPROTO_TCP, "10.1.0.2:6", "10.1.0.1:5")
	established := &conntrack.Protoinfo{ProtoinfoTCP: &conntrack.ProtoinfoTCP{TCPState: ynl.Some(conntrack.TCP_CONNTRACK_ESTABLISHED)}}
	err := s.New(ctx, &conntrack.Flow{Nfgenmsg: v4, TupleOrig: orig, TupleReply: reply, Timeout: ynl.U32(300), Mark: ynl.U32(0x1234), Protoinfo: established}, create)
	if err != nil {
		t.Fatal(err)
	}
	want("ESTABLISHED src=10.1.0.1 dst=10.1.0.2 sport=5 dport=6")
	if err := s.New(ctx, &conntrack.Flow{Nfgenmsg: v4, TupleReply: reply, Mark: ynl.U32(0x77), MarkMask: ynl.U32(0xff)}); err != nil {
		t.Fatal(err)
	}
	want("mark=4727") // 0x1277
	label := make([]byte, 16)
	label[0] = 1 << 3
	if err := s.New(ctx, &conntrack.Flow{Nfgenmsg: v4, TupleOrig: orig, Labels: label, LabelsMask: label}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(ctx, &conntrack.Flow{Nfgenmsg: v4, TupleOrig: orig})
	if err != nil || !bytes.Equal(got.Labels, label) {
		t.Fatalf("labels %x, %v", got.Labels, err)
	}

	natted := &conntrack.Flow{
		Nfgenmsg:  v4,
		TupleOrig: tuple(unix.IPPROTO_TCP, "10.2.0.1:5", "10.2.0.2:6"), TupleReply: tuple(unix.IPPROTO_TCP, "10.2.0.2:6", "10.2.0.1:5"),
		Timeout: ynl.U32(300), Protoinfo: established,
		NATSrc: &conntrack.NAT{
			NATV4Minip: netip.MustParseAddr("192.0.2.77"), NATV4Maxip: netip.MustParseAddr("192.0.2.77"),
			NATProto: &conntrack.NATProto{NATPortMin: ynl.U16(4000), NATPortMax: ynl.U16(4000)},
		},
	}
	if err := s.New(ctx, natted, create); err != nil {
		t.Fatal(err)
	}
	want("dst=192.0.2.77 sport=6 dport=4000")
}

// sameAgain deletes all flows and makes them again. What the tool shows must not change.
func (s *sandbox) sameAgain(t *testing.T) {
	t.Helper()
	ctx := kerneltest.Patient(t)
	before := s.show(t)
	list := s.dump(t, nil)
	for _, f := range list {
		if err := s.Delete(ctx, f.Settable()); err != nil {
			t.Fatalf("delete: %v", err)
		}
	}
	if left := s.show(t); left != "" {
		t.Errorf("left:\n%s", left)
	}
	for _, f := range list {
		if err := s.New(ctx, f.Settable(), create); err != nil {
			t.Errorf("make: %v", err)
		}
	}
	if after := s.show(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	// The tool shows no labels without a file of names.
	labels := func(list []*conntrack.Flow) []string {
		var all []string
		for _, f := range list {
			all = append(all, fmt.Sprintf("%v %x", f.TupleOrig.Source(), f.Labels))
		}
		slices.Sort(all)
		return all
	}
	if was, is := labels(list), labels(s.dump(t, nil)); !slices.Equal(was, is) {
		t.Errorf("labels %q, were %q", is, was)
	}
}

// Flows of every protocol that the tool can make.
func TestFlowsAgain(t *testing.T) {
	s := open(t)
	for _, line := range []string{
		"-p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 --state ESTABLISHED -t 300 -m 7 -u SEEN_REPLY,ASSURED",
		"-p tcp -s 2001:db8::1 -d 2001:db8::2 --sport 1 --dport 2 --state SYN_SENT -t 300",
		"-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -t 300 --src-nat 192.0.2.9",
		"-p udp -s 10.0.0.3 -d 10.0.0.2 --sport 1 --dport 2 -t 300 --dst-nat 192.0.2.9",
		"-p icmp -s 10.0.0.1 -d 10.0.0.2 --icmp-type 8 --icmp-code 0 --icmp-id 7 -t 300",
		"-p sctp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 --state ESTABLISHED --orig-vtag 3 --reply-vtag 4 -t 300",
		"-p gre -s 10.0.0.1 -d 10.0.0.2 --srckey 7 --dstkey 8 -t 300",
	} {
		if err := s.try("conntrack", strings.Fields("-I "+line)...); err != nil {
			t.Logf("conntrack -I %s: %v", line, err)
		}
	}
	s.lossless(t)
	s.sameAgain(t)
}

// lossless fails the test if what the kernel lists changes when it is decoded and encoded.
func (s *sandbox) lossless(t *testing.T) {
	t.Helper()
	const header = 4 // struct nfgenmsg
	n := 0
	for m, err := range s.conn.Dump(kerneltest.Patient(t), conntrack.IPCTNL_MSG_CT_GET, make([]byte, header)) {
		if err != nil {
			t.Fatal(err)
		}
		c := ynlkernel.Capture{Type: uint16(m.Header.Type), Payload: bytes.Clone(m.Payload)}
		ynlkernel.Lossless(t, &conntrack.Family, c, header)
		n++
	}
	if n < 4 {
		t.Errorf("%d flows, want more", n)
	}
}

// A flow is an event when it is made, changed and deleted.
func TestEvents(t *testing.T) {
	s := open(t)
	ctx := kerneltest.Patient(t)
	events := ynl.Events(ctx, s.conn, &conntrack.Family)
	f := &conntrack.Flow{
		Nfgenmsg: v4, Timeout: ynl.U32(300),
		TupleOrig: tuple(unix.IPPROTO_UDP, "10.0.0.1:5", "10.0.0.2:6"), TupleReply: tuple(unix.IPPROTO_UDP, "10.0.0.2:6", "10.0.0.1:5"),
	}
	changed := &conntrack.Flow{Nfgenmsg: v4, TupleOrig: f.TupleOrig, Mark: ynl.U32(7)}
	for _, err := range []error{s.New(ctx, f, create), s.New(ctx, changed), s.Delete(ctx, f)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for e := range events {
		if e.Err != nil {
			t.Fatal(e.Err)
		}
		m, ok := e.Value.(*conntrack.Flow)
		if !ok || m.TupleOrig.Source() != f.TupleOrig.Source() {
			t.Fatalf("event %+v", e)
		}
		got = append(got, map[uint16]string{conntrack.IPCTNL_MSG_CT_NEW: "new", conntrack.IPCTNL_MSG_CT_DELETE: "delete"}[e.Type]+" "+m.Mark.String())
		if e.Type == conntrack.IPCTNL_MSG_CT_DELETE {
			break
		}
	}
	if want := []string{"new 0", "new 7", "delete 7"}; !reflect.DeepEqual(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

// A refusal names what it is about, and a flow that is not there is ENOENT.
func TestRefusals(t *testing.T) {
	s := open(t)
	ctx := kerneltest.Patient(t)
	f := &conntrack.Flow{Nfgenmsg: v4, TupleOrig: tuple(unix.IPPROTO_UDP, "10.0.0.1:5", "10.0.0.2:6")}
	if _, err := s.Get(ctx, f); !errors.Is(err, unix.ENOENT) || !strings.HasPrefix(err.Error(), "conntrack get: ") {
		t.Errorf("get: %v, want ENOENT", err)
	}
	if err := s.Delete(ctx, f); !errors.Is(err, unix.ENOENT) {
		t.Errorf("delete: %v, want ENOENT", err)
	}
	bad := &conntrack.Flow{Nfgenmsg: v4, TupleOrig: tuple(unix.IPPROTO_UDP, "[2001:db8::1]:5", "[2001:db8::2]:6")}
	bad.TupleOrig.TupleIP.IPV4Src = netip.MustParseAddr("2001:db8::1")
	if _, err := s.Get(ctx, bad); err == nil || !client.NotSent(err) || !strings.Contains(err.Error(), "CTA_IP_V4_SRC") {
		t.Errorf("an IPv6 address for IPv4: %v, want an error that names CTA_IP_V4_SRC, not sent", err)
	}
}

// The counters agree with those of the tool.
func TestStats(t *testing.T) {
	s := open(t)
	ctx := kerneltest.Patient(t)
	cpus, err := s.DumpStats(ctx, nil).List()
	if err != nil || len(cpus) == 0 {
		t.Fatalf("%d CPUs, %v", len(cpus), err)
	}
	if lines := strings.Count(s.run(t, "conntrack -S"), "cpu="); lines != len(cpus) {
		t.Errorf("%d CPUs, the tool shows %d", len(cpus), lines)
	}
	s.run(t, "conntrack -I -p udp -s 10.0.0.1 -d 10.0.0.3 --sport 1 --dport 2 -t 300")
	all, err := s.GetGlobalStats(ctx, nil)
	if err != nil || all.Entries != ynl.U32(1) {
		t.Errorf("%v flows, %v, want 1", all, err)
	}
}

// Breaking out of a dump ends it, and the ctx does.
func TestDumpEnds(t *testing.T) {
	s := open(t)
	s.run(t, "conntrack -I -p udp -s 10.0.0.1 -d 10.0.0.3 --sport 1 --dport 2 -t 300")
	for range s.Dump(kerneltest.Patient(t), nil) {
		break
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Dump(ctx, nil).List(); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
}
