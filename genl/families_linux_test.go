package genl

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// TestEthtool asks for the features of lo, and receives an event when they change.
func TestEthtool(t *testing.T) {
	c := dialKernel(t, netlink.NETLINK_GENERIC)
	f := resolveKernel(t, c, "ethtool")
	if err := Join(patient(t), c, "ethtool", "monitor"); err != nil {
		t.Fatal(err)
	}
	lo := func(b *wire.Builder) {
		b.Nest(unix.ETHTOOL_A_FEATURES_HEADER, func(b *wire.Builder) { b.String(unix.ETHTOOL_A_HEADER_DEV_NAME, "lo") })
	}
	msgs, err := f.Request(patient(t), c, unix.ETHTOOL_MSG_FEATURES_GET, attributes(t, lo), 0)
	if err != nil || len(msgs) != 1 || msgs[0].Command != unix.ETHTOOL_MSG_FEATURES_GET_REPLY {
		t.Fatalf("%+v, %v", msgs, err)
	}
	value(t, msgs[0], unix.ETHTOOL_A_FEATURES_ACTIVE)

	// The family counts its events; their numbers are not taken for those of replies.
	// tx-tcp-segmentation can be changed on lo.
	off := attributes(t, func(b *wire.Builder) {
		lo(b)
		b.Nest(unix.ETHTOOL_A_FEATURES_WANTED, func(b *wire.Builder) {
			b.Nest(unix.ETHTOOL_A_BITSET_BITS, func(b *wire.Builder) {
				b.Nest(unix.ETHTOOL_A_BITSET_BITS_BIT, func(b *wire.Builder) {
					b.String(unix.ETHTOOL_A_BITSET_BIT_NAME, "tx-tcp-segmentation")
				})
			})
		})
	})
	if _, err := f.Request(patient(t), c, unix.ETHTOOL_MSG_FEATURES_SET, off, 0); err != nil {
		t.Fatal(err)
	}
	select {
	case e := <-c.Receive():
		m, err := ParseMessage(e.Message)
		if err != nil || e.Group != f.Groups["monitor"] || e.Header.Type != f.ID || m.Command != unix.ETHTOOL_MSG_FEATURES_NTF {
			t.Errorf("%+v: %+v, %v", e, m, err)
		}
	case <-patient(t).Done():
		t.Error("no event")
	}
	if err := Leave(patient(t), c, "ethtool", "monitor"); err != nil {
		t.Error(err)
	}
	// A refusal by the command has the kernel's explanation.
	_, err = f.Request(patient(t), c, unix.ETHTOOL_MSG_FEATURES_GET, attributes(t, func(b *wire.Builder) {
		b.Nest(unix.ETHTOOL_A_FEATURES_HEADER, func(b *wire.Builder) { b.String(unix.ETHTOOL_A_HEADER_DEV_NAME, "nosuch0") })
	}), 0)
	var refusal *wire.KernelError
	if !errors.As(err, &refusal) || refusal.Errno != unix.ENODEV || refusal.Ext.Message == "" {
		t.Errorf("%v", err)
	}
}

// TestTaskstats asks for the accounts of this process. That needs CAP_NET_ADMIN
// in the first user namespace.
func TestTaskstats(t *testing.T) {
	c, err := client.Dial(netlink.NETLINK_GENERIC)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f := resolveKernel(t, c, "TASKSTATS")
	pid := attributes(t, func(b *wire.Builder) { b.Uint32(unix.TASKSTATS_CMD_ATTR_PID, uint32(os.Getpid())) })
	msgs, err := f.Request(patient(t), c, unix.TASKSTATS_CMD_GET, pid, 0)
	if errors.Is(err, unix.EPERM) {
		nstest.Skip(t, "taskstats", "%v", err)
	}
	if err != nil || len(msgs) != 1 || msgs[0].Command != unix.TASKSTATS_CMD_NEW {
		t.Fatalf("%+v, %v", msgs, err)
	}
	for a, err := range value(t, msgs[0], unix.TASKSTATS_TYPE_AGGR_PID).Attrs() {
		if err != nil {
			t.Fatal(err)
		}
		if got, err := a.Uint32(); a.Type == unix.TASKSTATS_TYPE_PID && (err != nil || int(got) != os.Getpid()) {
			t.Errorf("accounts of process %d, %v; this is %d", got, err, os.Getpid())
		}
	}
}

// TestMPTCP asks for the limits of the path manager.
func TestMPTCP(t *testing.T) {
	c := dialKernel(t, netlink.NETLINK_GENERIC)
	f := resolveKernel(t, c, "mptcp_pm")
	const (
		getLimits = 6 // MPTCP_PM_CMD_GET_LIMITS
		subflows  = 3 // MPTCP_PM_ATTR_SUBFLOWS
	)
	msgs, err := f.Request(patient(t), c, getLimits, nil, 0)
	if err != nil || len(msgs) != 1 || msgs[0].Command != getLimits {
		t.Fatalf("%+v, %v", msgs, err)
	}
	if _, err := value(t, msgs[0], subflows).Uint32(); err != nil {
		t.Error(err)
	}
	// Its events need CAP_NET_ADMIN, which root has over the namespace.
	if err := Join(patient(t), c, "mptcp_pm", "mptcp_pm_events"); err != nil {
		t.Error(err)
	}
}

// TestNetdev lists the devices of the namespace: lo.
func TestNetdev(t *testing.T) {
	c := dialKernel(t, netlink.NETLINK_GENERIC)
	f := resolveKernel(t, c, "netdev")
	const (
		devGet  = 1 // NETDEV_CMD_DEV_GET
		ifindex = 1 // NETDEV_A_DEV_IFINDEX
		loIndex = 1 // LOOPBACK_IFINDEX
	)
	for m, err := range f.Dump(patient(t), c, devGet, nil) {
		if err != nil {
			t.Fatal(err)
		}
		index, err := value(t, m, ifindex).Uint32()
		if err != nil {
			t.Fatal(err)
		}
		one, err := f.Request(patient(t), c, devGet, attributes(t, func(b *wire.Builder) { b.Uint32(ifindex, index) }), 0)
		if err != nil || len(one) != 1 || string(one[0].Payload) != string(m.Payload) {
			t.Errorf("device %d: %+v, %v; listed as %+v", index, one, err, m)
		}
		if index == loIndex {
			return
		}
	}
	t.Error("no lo")
}

// TestTCPMetrics asks for the metrics of a peer without connections.
func TestTCPMetrics(t *testing.T) {
	c := dialKernel(t, netlink.NETLINK_GENERIC)
	f := resolveKernel(t, c, "tcp_metrics")
	const (
		get      = 1 // TCP_METRICS_CMD_GET
		addrIPv4 = 1 // TCP_METRICS_ATTR_ADDR_IPV4
	)
	msgs, err := f.Request(patient(t), c, get, nil, netlink.NLM_F_DUMP)
	if err != nil || len(msgs) != 0 {
		t.Errorf("a fresh namespace has %+v, %v", msgs, err)
	}
	peer := attributes(t, func(b *wire.Builder) { b.Bytes(addrIPv4, []byte{192, 0, 2, 1}) })
	if msgs, err := f.Request(patient(t), c, get, peer, 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("%+v, %v; want ESRCH", msgs, err)
	}
}

// TestGroupsOfTheKernel joins groups without privilege; unknown groups give an error
// that names them.
func TestGroupsOfTheKernel(t *testing.T) {
	for name, opts := range map[string][]client.Option{"one socket": nil, "event socket": {client.WithEventSocket()}} {
		c := dialKernel(t, netlink.NETLINK_GENERIC, opts...)
		if err := Join(patient(t), c, "nlctrl", "notify"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := Leave(patient(t), c, "nlctrl", "notify"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		err := Join(patient(t), c, "nlctrl", "nosuch")
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `"nlctrl"`) || !strings.Contains(err.Error(), `"nosuch"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPoliciesOfTheKernel reads the policies of all families, and checks the
// controller's.
func TestPoliciesOfTheKernel(t *testing.T) {
	c := dialKernel(t, netlink.NETLINK_GENERIC)
	families, err := Families(patient(t), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		checks := slices.ContainsFunc(f.Ops, func(o Op) bool { return o.Flags&GENL_CMD_CAP_HASPOL != 0 })
		p, err := f.Policy(patient(t), c)
		switch {
		case errors.Is(err, unix.EOPNOTSUPP):
			nstest.Skip(t, "policy", "%v", err)
		case !checks && errors.Is(err, unix.ENODATA):
			continue
		case err != nil:
			t.Errorf("%s: %v", f.Name, err)
			continue
		}
		for _, o := range p.Ops {
			at := slices.IndexFunc(f.Ops, func(known Op) bool { return known.Command == o.Command })
			if at < 0 {
				t.Errorf("%s: policy of command %d, which it does not have", f.Name, o.Command)
			}
			if o.Do < 0 && o.Dump < 0 {
				t.Errorf("%s: command %d has no policy", f.Name, o.Command)
			}
		}
		for _, set := range p.Sets {
			for typ, a := range set {
				if int(a.Type) >= len(attrTypeNames) {
					t.Errorf("%s: attribute %d: %+v", f.Name, typ, a)
				}
			}
		}
	}
	p, err := resolveKernel(t, c, "nlctrl").Policy(patient(t), c)
	if err != nil {
		t.Fatal(err)
	}
	op, ok := p.Op(ctrlGetFamily)
	if name := p.Sets[op.Do][attrFamilyName]; !ok || name.Type != NL_ATTR_TYPE_NUL_STRING || name.MaxLen != uint32(maxName) {
		t.Errorf("name of a family: %+v in %+v", name, p)
	}
	if op, ok := p.Op(ctrlGetPolicy); !ok || op.Do != -1 || op.Dump < 0 {
		t.Errorf("command that only dumps: %+v, %v in %+v", op, ok, p.Ops)
	}
}
