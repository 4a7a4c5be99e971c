//go:build linux

package kerneltest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// TestXfrmPolicies: an added policy is in the dump.
func TestXfrmPolicies(t *testing.T) {
	c := dialFamily(t, nstest.New(t), netlink.NETLINK_XFRM)
	if msgs := Request(t, c, xfrmMsgGetPolicy, nil, netlink.NLM_F_DUMP); len(msgs) != 0 {
		t.Errorf("policies of a new namespace: %v, want none", msgs)
	}
	policy := xfrmPolicy(4242)
	Request(t, c, xfrmMsgNewPolicy, Build(t, policy), 0)
	msgs := Request(t, c, xfrmMsgGetPolicy, nil, netlink.NLM_F_DUMP)
	if len(msgs) != 1 || msgs[0].Header.Type != xfrmMsgNewPolicy {
		t.Fatalf("policies %v, want one", msgs)
	}
	var got xfrmUserpolicyInfo
	Unpack(t, msgs[0], &got)
	if got.Priority != policy.Priority || got.Selector.Source != policy.Selector.Source {
		t.Errorf("policy %+v, want %+v", got, policy)
	}
	if _, err := c.Request(Patient(t), xfrmMsgNewPolicy, Build(t, policy), 0); !errors.Is(err, unix.EEXIST) {
		t.Errorf("added twice: %v, want EEXIST", err)
	}
	NoLosses(t, c)
}

// initialUserNamespace reports whether the process is in the initial user namespace,
// the only one in which some families answer.
func initialUserNamespace(t *testing.T) bool {
	t.Helper()
	m, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(m)), " ") == "0 0 4294967295"
}

// dialAudit opens a Conn to an audit system that answers, or skips the test.
func dialAudit(t *testing.T) *client.Conn {
	t.Helper()
	c := dialFamily(t, nstest.New(t), netlink.NETLINK_AUDIT)
	_, err := c.Request(Patient(t), unix.AUDIT_GET, nil, 0)
	switch initial := initialUserNamespace(t); {
	case errors.Is(err, unix.ECONNREFUSED) && !initial, errors.Is(err, unix.EPERM):
		// audit_netlink_ok in kernel/audit.c
		nstest.Skip(t, "audit", "audit answers only in the initial user and pid namespaces: %v", err)
	case err != nil:
		t.Fatal(err)
	}
	return c
}

// TestAuditAnswersAfterItsAcknowledgement: a thread of the kernel sends the status,
// after the acknowledgement and from port 0, and every request gets it.
func TestAuditAnswersAfterItsAcknowledgement(t *testing.T) {
	c := dialAudit(t)
	ctx := Patient(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 20 {
				msgs, err := c.Request(ctx, unix.AUDIT_GET, nil, 0)
				// struct audit_status has had 8 fields since Linux 2.6.
				if err != nil || len(msgs) != 1 || msgs[0].Header.Type != unix.AUDIT_GET || len(msgs[0].Payload) < 32 {
					t.Errorf("status: %v, %v; want one AUDIT_GET", msgs, err)
					return
				}
			}
		})
	}
	wg.Wait()
	// A list ends with NLMSG_DONE, even if it is empty.
	for _, m := range Request(t, c, unix.AUDIT_LIST_RULES, nil, 0) {
		if m.Header.Type != unix.AUDIT_LIST_RULES {
			t.Errorf("list of rules: %v, want AUDIT_LIST_RULES", m)
		}
	}
	NoLosses(t, c)
}

// TestAuditRefusesNoop: the family does not use netlink_rcv_skb, which acknowledges the
// message in other families.
func TestAuditRefusesNoop(t *testing.T) {
	c := dialAudit(t)
	var refusal *wire.KernelError
	if err := c.Noop(Patient(t)); !errors.As(err, &refusal) || refusal.Errno != unix.EINVAL {
		t.Errorf("%v, want EINVAL from the kernel", err)
	}
	NoLosses(t, c)
}

// TestConnectorProcessEvents: the connector's events are of type NLMSG_DONE and have
// their own counter. They are delivered as events and end nothing.
func TestConnectorProcessEvents(t *testing.T) {
	const (
		listen, ignore      = 1, 2 // PROC_CN_MCAST_LISTEN and PROC_CN_MCAST_IGNORE of linux/cn_proc.h
		group               = 1    // CN_IDX_PROC of linux/connector.h, and CN_VAL_PROC
		execEvent, cnLength = 2, 20
	)
	type cnMsg struct { // struct cn_msg with an enum proc_cn_mcast_op
		Index, Value, Seq, Ack uint32
		Length, Flags          uint16
		Op                     uint32
	}
	// The kernel's socket is in the initial network namespace only.
	c, err := client.Dial(netlink.NETLINK_CONNECTOR)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		nstest.Skip(t, "connector", "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.AddMembership(group); errors.Is(err, unix.EPERM) {
		nstest.Skip(t, "connector", "%v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	send := func(op uint32) ([]wire.Message, error) {
		return c.Request(Patient(t), netlink.NLMSG_DONE, Build(t, cnMsg{Index: group, Value: group, Length: 4, Op: op}), 0)
	}
	msgs, err := send(listen)
	if errors.Is(err, unix.ECONNREFUSED) && client.NotSent(err) {
		nstest.Skip(t, "connector", "not in the initial network namespace: %v", err)
	}
	if err != nil || len(msgs) != 0 {
		t.Fatalf("listen: %v, %v; want no answer", msgs, err)
	}
	defer func() {
		if _, err := send(ignore); err != nil {
			t.Errorf("ignore: %v", err)
		}
	}()
	child := exec.Command("true")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	pid := uint32(child.Process.Pid)
	e := AwaitEvent(t, c, "the program's start", func(e client.Event) bool {
		// struct proc_event: what, CPU, time, then for exec the process.
		p := e.Payload
		return len(p) >= cnLength+20 && binary.NativeEndian.Uint32(p[cnLength:]) == execEvent &&
			binary.NativeEndian.Uint32(p[cnLength+16:]) == pid
	})
	if e.Header.Type != netlink.NLMSG_DONE || e.Group != group || e.Header.PortID != 0 {
		t.Errorf("event %+v; want type NLMSG_DONE, group %d, port 0", e, group)
	}
	if err := c.Noop(Patient(t)); !errors.Is(err, errors.ErrUnsupported) || !client.NotSent(err) {
		t.Errorf("Noop: %v; want errors.ErrUnsupported, not sent", err)
	}
	// The machine's other processes cause events as well, so some may have been lost.
	if s := c.Stats(); s.Pending != 0 || s.Foreign != 0 || s.Malformed != 0 {
		t.Errorf("%+v; want nothing pending, foreign or malformed", s)
	}
}

// TestUeventTextIsDeliveredRaw: uevents have no netlink header, and their text is
// delivered as the kernel sent it.
func TestUeventTextIsDeliveredRaw(t *testing.T) {
	const device = "/devices/virtual/mem/null"
	c := DialHere(t, netlink.NETLINK_KOBJECT_UEVENT)
	Join(t, c, 1)
	// The kernel repeats the mark, which identifies the event.
	mark := fmt.Sprintf("%08x-0000-4000-8000-%012x", rand.Uint32(), rand.Uint64()>>16)
	if err := os.WriteFile("/sys"+device+"/uevent", []byte("change "+mark+" TOLD=yes"), 0); err != nil {
		if initialUserNamespace(t) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		nstest.Skip(t, "uevent", "only the initial user namespace's root may provoke one: %v", err)
	}
	e := AwaitEvent(t, c, "the uevent", func(e client.Event) bool { return bytes.Contains(e.Payload, []byte(mark)) })
	if e.Header != (wire.Header{}) || e.Group != 1 {
		t.Errorf("header %+v, group %d; want none, 1", e.Header, e.Group)
	}
	lines := strings.Split(string(e.Payload), "\x00")
	if lines[0] != "change@"+device || !slices.Contains(lines, "SYNTH_ARG_TOLD=yes") {
		t.Errorf("text %q; want it to begin with change@%s and have our argument", lines, device)
	}
	NoLosses(t, c)
}

// TestUeventAcknowledgements: a unicast message of the kernel is no text.
func TestUeventAcknowledgements(t *testing.T) {
	c := DialHere(t, netlink.NETLINK_KOBJECT_UEVENT)
	for range 2 {
		if err := c.Noop(Patient(t)); err != nil {
			t.Error(err)
		}
	}
	if n := len(c.Receive()); n != 0 {
		t.Errorf("%d events", n)
	}
	NoLosses(t, c)
}

// dialNetfilter opens a Conn to nfnetlink in ns. It skips the test if the kernel does
// not answer a request of the subsystem.
func dialNetfilter(t *testing.T, ns *nstest.NS, feature string, get netlink.MessageType) *client.Conn {
	t.Helper()
	c := dialFamily(t, ns, netlink.NETLINK_NETFILTER)
	_, err := c.Request(Patient(t), get, Build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET}), netlink.NLM_F_DUMP)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
		nstest.Skip(t, feature, "%v", err) // nfnetlink_rcv_msg without the subsystem
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestConntrackDump: the added connections are in the dump, each with its port.
func TestConntrackDump(t *testing.T) {
	c := dialNetfilter(t, nstest.New(t), "conntrack", ctGet)
	want := make(map[uint16]bool)
	for port := uint16(1000); port < 1500; port++ {
		addConntrack(t, c, port)
		want[port] = true
	}
	for _, m := range Request(t, c, ctGet, Build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET}), netlink.NLM_F_DUMP) {
		port := conntrackPort(t, m)
		if !want[port] {
			t.Errorf("port %d, which was not added or comes twice", port)
		}
		delete(want, port)
	}
	if len(want) != 0 {
		t.Errorf("%d connections are missing: %v", len(want), want)
	}
	NoLosses(t, c)
}

// TestNfTablesDump: a table that another socket created in a batch is in the dump, and
// the generation has changed.
func TestNfTablesDump(t *testing.T) {
	ns := nstest.New(t)
	c := dialNetfilter(t, ns, "nf_tables", nftGetTable)
	inet := Build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET})
	before := nftGeneration(t, c)
	addNftTables(t, OpenRaw(t, ns, netlink.NETLINK_NETFILTER), 1, "first", "second")
	if after := nftGeneration(t, c); after != before+1 {
		t.Errorf("generation %d, want %d", after, before+1)
	}
	var names []string
	for _, m := range Request(t, c, nftGetTable, inet, netlink.NLM_F_DUMP) {
		var h unix.Nfgenmsg
		names = append(names, Unpack(t, m, &h)[unix.NFTA_TABLE_NAME].String())
	}
	if slices.Sort(names); !slices.Equal(names, []string{"first", "second"}) {
		t.Errorf("tables %q, want first and second", names)
	}
	if _, err := c.Request(Patient(t), nftGetTable, Build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET}, func(b *wire.Builder) {
		b.String(unix.NFTA_TABLE_NAME, "third")
	}), 0); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a table that is not there: %v, want ENOENT", err)
	}
	NoLosses(t, c)
}
