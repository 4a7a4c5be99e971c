package conntrack_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/conntrack"
	"github.com/nlmux/netlink/ynl/internal/ynlkernel"
)

// ftp makes a flow with the helper of FTP from a port, and returns an expectation of it: a
// connection from the server to the next port of the client. A flow has only one.
func (s *sandbox) ftp(t *testing.T, port uint16) *conntrack.Expect {
	t.Helper()
	client, server := fmt.Sprint("10.3.0.1:", port), "10.3.0.2:21"
	flow := &conntrack.Flow{
		Nfgenmsg:  v4,
		TupleOrig: tuple(unix.IPPROTO_TCP, client, server), TupleReply: tuple(unix.IPPROTO_TCP, server, client),
		Timeout:   ynl.U32(300),
		Protoinfo: &conntrack.Protoinfo{ProtoinfoTCP: &conntrack.ProtoinfoTCP{TCPState: ynl.Some(conntrack.TCP_CONNTRACK_ESTABLISHED)}},
		Help:      &conntrack.Help{HelpName: ynl.Some("ftp")},
	}
	if err := s.New(kerneltest.Patient(t), flow, create); errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOENT) {
		nstest.Skip(t, "nf_conntrack_ftp", "%v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	any, all := netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("255.255.255.255")
	return &conntrack.Expect{
		Nfgenmsg: v4,
		Master:   flow.TupleOrig,
		Tuple:    tuple(unix.IPPROTO_TCP, "10.3.0.2:0", fmt.Sprint("10.3.0.1:", port+1)),
		Mask:     conntrack.NewTuple(unix.IPPROTO_TCP, netip.AddrPortFrom(all, 0), netip.AddrPortFrom(any, 0xffff)),
		Timeout:  ynl.U32(300),
		Flags:    ynl.Some(conntrack.NF_CT_EXPECT_PERMANENT),
	}
}

// expects lists the expectations. Each has no attribute that its type does not know, and is
// the same after JSON.
func (s *sandbox) expects(t *testing.T, match *conntrack.Expect) []*conntrack.Expect {
	t.Helper()
	list, err := s.DumpExpect(kerneltest.Patient(t), match).List()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range list {
		checkJSON(t, x, x.Unknown)
	}
	return list
}

// checkJSON fails the test if a value is not the same after JSON, or has unknown attributes.
func checkJSON[T any](t *testing.T, x *T, unknown ynl.Attrs) {
	t.Helper()
	text, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	back := new(T)
	if err := json.Unmarshal(text, back); err != nil || !reflect.DeepEqual(x, back) {
		t.Errorf("changed by JSON: %v\n%s\nbefore %+v\nafter  %+v", err, text, x, back)
	}
	if len(unknown) > 0 {
		t.Errorf("unknown: %x in %s", unknown, text)
	}
}

// An expectation is made, read, listed as the tool lists it, deleted, and made again.
func TestExpectations(t *testing.T) {
	s := open(t)
	ctx := kerneltest.Patient(t)
	want := s.ftp(t, 5000)
	if err := s.NewExpect(ctx, want, create); err != nil {
		t.Fatal(err)
	}
	if err := s.NewExpect(ctx, want, create); !errors.Is(err, unix.EEXIST) {
		t.Errorf("a second time: %v, want EEXIST", err)
	}
	got, err := s.GetExpect(ctx, &conntrack.Expect{Nfgenmsg: v4, Tuple: want.Tuple})
	if err != nil {
		t.Fatal(err)
	}
	if got.Master.Destination() != want.Master.Destination() || got.Tuple.Destination() != want.Tuple.Destination() ||
		got.Mask.Destination().Port() != 0xffff || got.Flags.Value&conntrack.NF_CT_EXPECT_PERMANENT == 0 ||
		got.HelpName.Value != "ftp" || !got.ID.Set || got.Class != ynl.U32(0) {
		t.Errorf("%+v", got)
	}
	before := s.run(t, "conntrack -L expect")
	for _, part := range []string{"src=10.3.0.2 dst=10.3.0.1 sport=0 dport=5001", "master-src=10.3.0.1 master-dst=10.3.0.2 sport=5000 dport=21", "PERMANENT", "helper=ftp"} {
		if !strings.Contains(before, part) {
			t.Errorf("the tool does not show %q in\n%s", part, before)
		}
	}
	if list := s.expects(t, nil); len(list) != 1 || !reflect.DeepEqual(list[0].Tuple, got.Tuple) {
		t.Errorf("%d expectations, want the one", len(list))
	}
	if list := s.expects(t, &conntrack.Expect{Nfgenmsg: v4, Master: want.Master}); len(list) != 1 {
		t.Errorf("%d expectations of the flow, want 1", len(list))
	}

	if err := s.DeleteExpect(ctx, got.Settable()); err != nil {
		t.Fatal(err)
	}
	if list := s.expects(t, nil); len(list) != 0 {
		t.Errorf("%d expectations are left", len(list))
	}
	if err := s.NewExpect(ctx, got.Settable(), create); err != nil {
		t.Fatal(err)
	}
	again, err := s.GetExpect(ctx, &conntrack.Expect{Nfgenmsg: v4, Tuple: want.Tuple})
	if err != nil {
		t.Fatal(err)
	}
	again.ID, again.Timeout = got.ID, got.Timeout
	if !reflect.DeepEqual(again, got) {
		t.Errorf("made again\n%+v\nwas\n%+v", again, got)
	}
	if err := s.DeleteExpect(ctx, nil); err != nil { // all
		t.Fatal(err)
	}
	if list := s.expects(t, nil); len(list) != 0 {
		t.Errorf("%d expectations are left", len(list))
	}
}

// What the kernel lists does not change when it is decoded and encoded, and an expectation
// may have an address of NAT.
func TestExpectationsAreLossless(t *testing.T) {
	s := open(t)
	ctx := kerneltest.Patient(t)
	if err := s.NewExpect(ctx, s.ftp(t, 5000), create); err != nil {
		t.Fatal(err)
	}
	x := s.ftp(t, 6000)
	x.NAT = &conntrack.ExpectNAT{Dir: ynl.Some(conntrack.IP_CT_DIR_REPLY), Tuple: tuple(unix.IPPROTO_TCP, "192.0.2.7:4000", "0.0.0.0:0")}
	if err := s.NewExpect(ctx, x, create); err != nil {
		t.Fatal(err)
	}
	got, err := s.GetExpect(ctx, &conntrack.Expect{Nfgenmsg: v4, Tuple: x.Tuple})
	if err != nil || got.NAT == nil || got.NAT.Dir != x.NAT.Dir || got.NAT.Tuple.Source() != x.NAT.Tuple.Source() {
		t.Errorf("%+v, %v", got, err)
	}
	const header = 4 // struct nfgenmsg
	n := 0
	for m, err := range s.conn.Dump(ctx, conntrack.IPCTNL_MSG_EXP_GET, make([]byte, header)) {
		if err != nil {
			t.Fatal(err)
		}
		c := ynlkernel.Capture{Type: uint16(m.Header.Type), Payload: bytes.Clone(m.Payload)}
		ynlkernel.Lossless(t, &conntrack.Family, c, header)
		ynlkernel.Mutate(t, &conntrack.Family, c, header)
		n++
	}
	if n != 2 {
		t.Errorf("%d expectations, want 2", n)
	}
	stats, err := s.DumpExpectStats(ctx, nil).List()
	if err != nil || len(stats) == 0 {
		t.Fatalf("statistics of %d processors, %v", len(stats), err)
	}
	created := uint32(0)
	for _, st := range stats {
		checkJSON(t, st, st.Unknown)
		created += st.Create.Value
	}
	if created != 2 {
		t.Errorf("%d expectations were created, want 2", created)
	}
}

// An expectation that is made or deleted is an event.
func TestEventsOfExpectations(t *testing.T) {
	s := open(t)
	ctx := kerneltest.Patient(t)
	// The kernel has events of expectations of a flow that was made when there was a
	// subscription (nf_ct_ecache_ext_add).
	events := ynl.Events(ctx, s.conn, &conntrack.Family)
	x := s.ftp(t, 5000)
	for _, err := range []error{s.NewExpect(ctx, x, create), s.DeleteExpect(ctx, x)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var got []uint16
	for e := range events {
		if e.Err != nil {
			t.Fatal(e.Err)
		}
		if m, ok := e.Value.(*conntrack.Expect); ok && m.Tuple.Destination() == x.Tuple.Destination() {
			got = append(got, e.Type)
		}
		if e.Type == conntrack.IPCTNL_MSG_EXP_DELETE {
			break
		}
	}
	if !reflect.DeepEqual(got, []uint16{conntrack.IPCTNL_MSG_EXP_NEW, conntrack.IPCTNL_MSG_EXP_DELETE}) {
		t.Errorf("events %v", got)
	}
}
