//go:build linux

package kerneltest

import (
	"bytes"
	"crypto/ecdh"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/genl"
	"github.com/nlmux/netlink/internal/capturetest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// The tests of this file need kernel modules that many machines lack. Those that change
// state of the whole machine run only in the virtual machines of internal/vm.

// addLink creates a link without options. It skips the test if the kernel lacks the
// kind.
func addLink(t *testing.T, c *client.Conn, kind, name string) (index int32) {
	t.Helper()
	_, err := c.Request(Patient(t), unix.RTM_NEWLINK, Build(t, unix.IfInfomsg{}, func(b *wire.Builder) {
		b.String(unix.IFLA_IFNAME, name)
		b.Nest(unix.IFLA_LINKINFO, func(b *wire.Builder) { b.String(unix.IFLA_INFO_KIND, kind) })
	}), excl)
	if errors.Is(err, unix.EOPNOTSUPP) {
		nstest.Skip(t, kind, "no links of kind %s: %v", kind, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return int32(LinkIndex(Request(t, c, unix.RTM_GETLINK, Build(t, unix.IfInfomsg{}, func(b *wire.Builder) {
		b.String(unix.IFLA_IFNAME, name)
	}), 0)[0]))
}

func setUp(t *testing.T, c *client.Conn, index int32) {
	t.Helper()
	Request(t, c, unix.RTM_SETLINK, Build(t, unix.IfInfomsg{Index: index, Flags: unix.IFF_UP, Change: unix.IFF_UP}), 0)
}

// resolve is genl.Resolve for an optional family.
func resolve(t *testing.T, c *client.Conn, name string) genl.Family {
	t.Helper()
	f, err := genl.Resolve(Patient(t), c, name)
	if errors.Is(err, os.ErrNotExist) {
		nstest.Skip(t, name, "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// command sends a command of generic netlink that has to succeed.
func command(t *testing.T, c *client.Conn, f genl.Family, cmd uint8, attrs func(*wire.Builder), flags netlink.Flags) []genl.Message {
	t.Helper()
	msgs, err := f.Request(Patient(t), c, cmd, Build(t, [0]byte{}, attrs), flags)
	if err != nil {
		t.Fatalf("%s, command %d: %v", f.Name, cmd, err)
	}
	return msgs
}

// genericAttr returns an attribute of a generic message, or the zero Attr.
func genericAttr(t *testing.T, m genl.Message, typ uint16) (found wire.Attr) {
	t.Helper()
	for a, err := range wire.Attrs(m.Payload) {
		if err != nil {
			t.Fatal(err)
		}
		if a.Type == typ {
			found = a
		}
	}
	return found
}

// TestCryptoDumpEqualsProc: the dump of the algorithms equals /proc/crypto.
func TestCryptoDumpEqualsProc(t *testing.T) {
	const getAlgorithm, priorityValue = 0x13, 1 // CRYPTO_MSG_GETALG, CRYPTOCFGA_PRIORITY_VAL
	type cryptoUserAlg struct {
		Name, Driver, Module       [64]byte
		Type, Mask, RefCount, Flag uint32
	}
	type algorithm struct{ name, driver, priority string }
	c := dialFamily(t, nstest.New(t), netlink.NETLINK_CRYPTO)
	listed := func() (list []algorithm) {
		for _, m := range Request(t, c, getAlgorithm, Build(t, cryptoUserAlg{}), netlink.NLM_F_DUMP) {
			var h cryptoUserAlg
			priority, err := Unpack(t, m, &h)[priorityValue].Uint32()
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, algorithm{unix.ByteSliceToString(h.Name[:]), unix.ByteSliceToString(h.Driver[:]), fmt.Sprint(priority)})
		}
		return list
	}
	proc := func() (list []algorithm) {
		text, err := os.ReadFile("/proc/crypto")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^name +: (.*)\ndriver +: (.*)\nmodule +: .*\npriority +: (.*)$`).FindAllStringSubmatch(string(text), -1) {
			list = append(list, algorithm{m[1], m[2], m[3]})
		}
		return list
	}
	order := func(a, b algorithm) int {
		return slices.Compare([]string{a.name, a.driver, a.priority}, []string{b.name, b.driver, b.priority})
	}
	// The kernel may load an algorithm for another process meanwhile.
	for range 10 {
		before, got, after := proc(), listed(), proc()
		if len(before) == 0 {
			t.Fatal("/proc/crypto has no algorithm")
		}
		slices.SortFunc(before, order)
		slices.SortFunc(after, order)
		slices.SortFunc(got, order)
		if !slices.Equal(before, after) {
			continue
		}
		if !slices.Equal(got, after) {
			t.Errorf("dump:\n%v\n/proc/crypto:\n%v", got, after)
		}
		NoLosses(t, c)
		return
	}
	t.Error("the algorithms changed all the time")
}

// TestNlmonAgreesWithTheCapture: a monitor in the kernel receives each message of the
// capture, in the same order.
func TestNlmonAgreesWithTheCapture(t *testing.T) {
	ns := nstest.New(t)
	other := Dial(t, ns, netlink.NETLINK_ROUTE)
	index := addLink(t, other, "nlmon", "monitor")
	setUp(t, other, index)
	monitor := -1
	if err := ns.Do(func() (err error) {
		// No protocol yet: it would receive from all links.
		monitor, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(monitor)
	limit := unix.NsecToTimeval(Patience.Nanoseconds())
	const all = unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8 // in network byte order
	if err := errors.Join(unix.SetsockoptTimeval(monitor, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		unix.Bind(monitor, &unix.SockaddrLinklayer{Protocol: all, Ifindex: int(index)})); err != nil {
		t.Fatal(err)
	}

	var file bytes.Buffer
	c := Dial(t, ns, netlink.NETLINK_ROUTE, client.WithCapture(&file))
	Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
	for i := range 20 {
		Request(t, c, unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0)
		if _, err := c.Request(Patient(t), unix.RTM_GETLINK, LinkRequest(t, 9999), 0); !errors.Is(err, unix.ENODEV) {
			t.Fatal(err)
		}
		typ := []netlink.MessageType{unix.RTM_NEWADDR, unix.RTM_DELADDR}[i%2]
		Request(t, c, typ, LoAddress(t, "192.0.2.1/24"), 0)
		NextEvent(t, c)
	}
	closeNow(t, c)

	sections, err := capturetest.Read(file.Bytes())
	if err != nil || len(sections) != 1 || len(sections[0].Packets) < 20*7 {
		t.Fatalf("capture: %d sections, %v", len(sections), err)
	}
	buf := make([]byte, 1<<16)
	for i, p := range sections[0].Packets {
		for {
			n, _, err := unix.Recvfrom(monitor, buf, 0)
			if err != nil {
				t.Fatalf("packet %d of %d, %x: the monitor did not see it: %v", i, len(sections[0].Packets), p.Data, err)
			}
			if bytes.Equal(buf[:n], p.Data) {
				break
			}
		}
	}
}

// TestWireguard: the dump of a device has the public key of the private one.
func TestWireguard(t *testing.T) {
	const (
		getDevice, setDevice = 0, 1 // WG_CMD_GET_DEVICE, WG_CMD_SET_DEVICE
		name, private        = 2, 3 // WGDEVICE_A_IFNAME, _PRIVATE_KEY
		public, port         = 4, 6 // WGDEVICE_A_PUBLIC_KEY, _LISTEN_PORT
	)
	ns := nstest.New(t)
	addLink(t, Dial(t, ns, netlink.NETLINK_ROUTE), "wireguard", "wg0")
	c := Dial(t, ns, netlink.NETLINK_GENERIC)
	f := resolve(t, c, "wireguard")
	key := bytes.Repeat([]byte{0x42}, 32)
	pair, err := ecdh.X25519().NewPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	device := func(b *wire.Builder) { b.String(name, "wg0") }
	command(t, c, f, setDevice, func(b *wire.Builder) {
		device(b)
		b.Bytes(private, key)
		b.Uint16(port, 51820)
	}, 0)
	msgs := command(t, c, f, getDevice, device, netlink.NLM_F_DUMP)
	if len(msgs) != 1 || !bytes.Equal(genericAttr(t, msgs[0], public).Value, pair.PublicKey().Bytes()) {
		t.Errorf("device %+v; want the public key %x", msgs, pair.PublicKey().Bytes())
	}
	if got, err := genericAttr(t, msgs[0], port).Uint16(); err != nil || got != 51820 {
		t.Errorf("port %d, %v; want 51820", got, err)
	}
	NoLosses(t, c)
}

// TestTeam: the kernel answers a request that is no dump with NLM_F_MULTI and
// NLMSG_DONE (team_nl_send_options_get), and announces a change.
func TestTeam(t *testing.T) {
	const (
		setOptions, getOptions = 1, 2 // TEAM_CMD_OPTIONS_SET, TEAM_CMD_OPTIONS_GET
		teamIndex, listOption  = 1, 2 // TEAM_ATTR_TEAM_IFINDEX, TEAM_ATTR_LIST_OPTION
		item                   = 1    // TEAM_ATTR_ITEM_OPTION
		name, typ, data        = 1, 3, 4
		nlaString              = 5
	)
	ns := nstest.New(t)
	index := addLink(t, Dial(t, ns, netlink.NETLINK_ROUTE), "team", "team0")
	c := Dial(t, ns, netlink.NETLINK_GENERIC)
	f := resolve(t, c, "team")
	if err := genl.Join(Patient(t), c, "team", "change_event"); err != nil {
		t.Fatal(err)
	}
	// mode returns the value of the option "mode".
	mode := func(msgs ...genl.Message) (value string) {
		for _, m := range msgs {
			for option := range genericAttr(t, m, listOption).Attrs() {
				var is bool
				for a := range option.Attrs() {
					switch a.Type {
					case name:
						is = a.String() == "mode"
					case data:
						if is {
							value = a.String()
						}
					}
				}
			}
		}
		return value
	}
	team := func(b *wire.Builder) { b.Uint32(teamIndex, uint32(index)) }
	if nstest.UserNamespace() {
		// Its commands have GENL_ADMIN_PERM.
		if _, err := f.Request(Patient(t), c, getOptions, Build(t, [0]byte{}, team), 0); !errors.Is(err, unix.EPERM) {
			t.Errorf("options for an ordinary user: %v, want EPERM", err)
		}
		NoLosses(t, c)
		return
	}
	if got := mode(command(t, c, f, getOptions, team, 0)...); got == "" || got == "roundrobin" {
		t.Errorf("mode %q of a new team", got)
	}
	_, err := f.Request(Patient(t), c, setOptions, Build(t, [0]byte{}, team, func(b *wire.Builder) {
		b.Nest(listOption, func(b *wire.Builder) {
			b.Nest(item, func(b *wire.Builder) {
				b.String(name, "mode")
				b.Uint8(typ, nlaString)
				b.String(data, "roundrobin")
			})
		})
	}), 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := mode(command(t, c, f, getOptions, team, 0)...); got != "roundrobin" {
		t.Errorf("mode %q, want roundrobin", got)
	}
	AwaitEvent(t, c, "the change of the mode", func(e client.Event) bool {
		m, err := genl.ParseMessage(e.Message)
		return err == nil && e.Header.Type == f.ID && mode(m) == "roundrobin"
	})
	NoLosses(t, c)
}

// TestPsample: packets that a filter samples are events of the family psample.
func TestPsample(t *testing.T) {
	const (
		matchallAct                    = 2       // TCA_MATCHALL_ACT
		actKind, actOptions            = 1, 2    // TCA_ACT_KIND, TCA_ACT_OPTIONS
		sampleParms, rate, sampleGroup = 2, 3, 5 // TCA_SAMPLE_PARMS, _RATE, _PSAMPLE_GROUP
		group, data                    = 3, 6    // PSAMPLE_ATTR_SAMPLE_GROUP, _DATA
		egress                         = 0xfffffff3
		clsact                         = 0xfffffff1
		number                         = 7
	)
	ns := nstest.New(t)
	r := Dial(t, ns, netlink.NETLINK_ROUTE)
	type tcMsg struct {
		Family                uint8
		_                     [3]byte
		Index                 int32
		Handle, Parent, Info_ uint32
	}
	attempt := func(feature string, typ netlink.MessageType, payload []byte) {
		t.Helper()
		_, err := r.Request(Patient(t), typ, payload, excl)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) {
			nstest.Skip(t, feature, "%v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	attempt("clsact", unix.RTM_NEWQDISC, Build(t, tcMsg{Index: LoIndex, Handle: 0xffff0000, Parent: clsact}, func(b *wire.Builder) {
		b.String(unix.TCA_KIND, "clsact")
	}))
	attempt("act_sample", unix.RTM_NEWTFILTER, Build(t, tcMsg{Index: LoIndex, Parent: egress, Info_: 1<<16 | unix.ETH_P_ALL<<8}, func(b *wire.Builder) {
		b.String(unix.TCA_KIND, "matchall")
		b.Nest(unix.TCA_OPTIONS, func(b *wire.Builder) {
			b.Nest(matchallAct, func(b *wire.Builder) {
				b.Nest(1, func(b *wire.Builder) {
					b.String(actKind, "sample")
					b.Nest(actOptions, func(b *wire.Builder) {
						b.Bytes(sampleParms, make([]byte, 20)) // struct tc_sample
						b.Uint32(rate, 1)
						b.Uint32(sampleGroup, number)
					})
				})
			})
		})
	}))
	c := Dial(t, ns, netlink.NETLINK_GENERIC)
	f := resolve(t, c, "psample")
	if err := genl.Join(Patient(t), c, "psample", "packets"); err != nil {
		t.Fatal(err)
	}
	conn := udpOverLo(t, ns)
	for _, text := range []string{"first", "second"} {
		sendToItself(t, conn, text)
		e := NextEvent(t, c)
		m, err := genl.ParseMessage(e.Message)
		if err != nil || e.Header.Type != f.ID || !bytes.HasSuffix(genericAttr(t, m, data).Value, []byte(text)) {
			t.Fatalf("event %+v, %v; want the packet %q", e, err, text)
		}
		if n, err := genericAttr(t, m, group).Uint32(); err != nil || n != number {
			t.Errorf("group %d, %v; want %d", n, err, number)
		}
	}
	NoLosses(t, c)
}

// TestAuditDaemon: the process that registers as the audit daemon gets the records as
// events, not as replies.
func TestAuditDaemon(t *testing.T) {
	nstest.OwnMachine(t)
	const statusEnabled, statusPID = 1, 4 // AUDIT_STATUS_ENABLED, AUDIT_STATUS_PID
	// The initial network namespace, that of the daemon.
	c, err := client.Dial(netlink.NETLINK_AUDIT)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		nstest.Skip(t, "audit", "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	set := func(mask, enabled, pid uint32) {
		t.Helper()
		Request(t, c, unix.AUDIT_SET, Build(t, [11]uint32{0: mask, 1: enabled, 3: pid}), 0) // struct audit_status
	}
	set(statusEnabled|statusPID, 1, uint32(os.Getpid()))
	defer set(statusPID, 0, 0)
	for _, text := range []string{"op=first", "op=second"} {
		Request(t, c, unix.AUDIT_USER, []byte(text+"\x00"), 0)
		e := AwaitEvent(t, c, text, func(e client.Event) bool { return strings.Contains(string(e.Payload), text) })
		if e.Header.Type != unix.AUDIT_USER || e.Group != 0 || e.Sender != 0 {
			t.Errorf("record %+v; want type AUDIT_USER, from the kernel to this socket", e)
		}
	}
	if s := c.Stats(); s.Pending != 0 || s.RepliesLost+s.Late+s.Foreign+s.Malformed != 0 {
		t.Errorf("losses: %+v", s)
	}
}

// TestSELinuxEvents: a change of the mode is announced.
func TestSELinuxEvents(t *testing.T) {
	nstest.OwnMachine(t)
	const (
		group      = 1                            // SELNLGRP_AVC
		setEnforce = netlink.MessageType(0x10)    // SELNL_MSG_SETENFORCE
		file       = "/sys/fs/selinux/enforce"    // without a policy nothing is enforced
		status     = "/sys/fs/selinux/policyvers" // exists if SELinux is on
	)
	if _, err := os.Stat(status); err != nil {
		nstest.Skip(t, "selinux", "%v", err)
	}
	// The kernel's socket is in the initial network namespace only.
	c, err := client.Dial(netlink.NETLINK_SELINUX)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		nstest.Skip(t, "selinux", "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	Join(t, c, group)
	for _, mode := range []string{"1", "0"} {
		if err := os.WriteFile(file, []byte(mode), 0); err != nil {
			t.Fatal(err)
		}
		e := NextEvent(t, c)
		if e.Header.Type != setEnforce || len(e.Payload) != 4 || fmt.Sprint(binary.NativeEndian.Uint32(e.Payload)) != mode {
			t.Errorf("event %+v; want SELNL_MSG_SETENFORCE of %s", e, mode)
		}
	}
	NoLosses(t, c)
}

// TestRDMA: a soft device over an Ethernet link is in the dump under its name, and no
// longer after its removal.
func TestRDMA(t *testing.T) {
	nstest.OwnMachine(t, "rdma_rxe", "dummy numdummies=0")
	const (
		nldev                   = 5 << 10                         // RDMA_NL_NLDEV
		get, newLink, delLink   = nldev | 1, nldev | 3, nldev | 4 // RDMA_NLDEV_CMD_GET, _NEWLINK, _DELLINK
		devIndex, devName       = 1, 2                            // RDMA_NLDEV_ATTR_DEV_INDEX, _DEV_NAME
		linkType, netDeviceName = 65, 51                          // RDMA_NLDEV_ATTR_LINK_TYPE, _NDEV_NAME
	)
	// A device needs a link of the initial network namespace.
	r := DialHere(t, netlink.NETLINK_ROUTE)
	index := addLink(t, r, "dummy", "nlmux-rdma")
	defer Request(t, r, unix.RTM_DELLINK, Build(t, unix.IfInfomsg{Index: index}), 0)
	c, err := client.Dial(netlink.NETLINK_RDMA)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	Request(t, c, newLink, Build(t, [0]byte{}, func(b *wire.Builder) {
		b.String(devName, "nlmux0")
		b.String(linkType, "rxe")
		b.String(netDeviceName, "nlmux-rdma")
	}), 0)
	device := func() (found []wire.Attr) {
		for _, m := range Request(t, c, get, nil, netlink.NLM_F_DUMP) {
			if attrs := Unpack(t, m, &struct{}{}); attrs[devName].String() == "nlmux0" {
				found = append(found, attrs[devIndex])
			}
		}
		return found
	}
	found := device()
	if len(found) != 1 {
		t.Fatalf("%d devices with the new name, want 1", len(found))
	}
	Request(t, c, delLink, Build(t, [0]byte{}, func(b *wire.Builder) { b.Bytes(devIndex, found[0].Value) }), 0)
	if found := device(); len(found) != 0 {
		t.Errorf("%d devices with the name that was removed", len(found))
	}
	NoLosses(t, c)
}

// TestWirelessRadio: the acknowledgement of a new radio has its number, the dump of
// nl80211 has its name, and its creation and removal are announced.
func TestWirelessRadio(t *testing.T) {
	nstest.OwnMachine(t, "mac80211_hwsim radios=0")
	const (
		newRadio, delRadio          = 4, 5    // HWSIM_CMD_NEW_RADIO, HWSIM_CMD_DEL_RADIO
		radioID, radioName          = 10, 17  // HWSIM_ATTR_RADIO_ID, HWSIM_ATTR_RADIO_NAME
		name                        = "nlmux" // of the radio
		wiphyName, splitDump        = unix.NL80211_ATTR_WIPHY_NAME, unix.NL80211_ATTR_SPLIT_WIPHY_DUMP
		getWiphy, newWiphy, delOfIt = unix.NL80211_CMD_GET_WIPHY, unix.NL80211_CMD_NEW_WIPHY, unix.NL80211_CMD_DEL_WIPHY
	)
	ns := nstest.New(t)
	c, events := Dial(t, ns, netlink.NETLINK_GENERIC), Dial(t, ns, netlink.NETLINK_GENERIC)
	hwsim, f := resolve(t, c, "MAC80211_HWSIM"), resolve(t, c, "nl80211")
	if err := genl.Join(Patient(t), events, "nl80211", "config"); err != nil {
		t.Fatal(err)
	}
	announced := func(cmd uint8) {
		t.Helper()
		AwaitEvent(t, events, "the radio's announcement", func(e client.Event) bool {
			m, err := genl.ParseMessage(e.Message)
			return err == nil && e.Header.Type == f.ID && m.Command == cmd && genericAttr(t, m, wiphyName).String() == name
		})
	}
	reply, err := c.Exchange(Patient(t), hwsim.ID, Build(t, unix.Genlmsghdr{Cmd: newRadio, Version: 1}, func(b *wire.Builder) {
		b.String(radioName, name)
	}), 0)
	if err != nil {
		t.Fatal(err)
	}
	announced(newWiphy)
	radios := 0
	for m, err := range f.Dump(Patient(t), c, getWiphy, Build(t, [0]byte{}, func(b *wire.Builder) { b.Flag(splitDump) })) {
		if err != nil {
			t.Fatal(err)
		}
		if genericAttr(t, m, wiphyName).String() == name {
			radios++ // in several messages
		}
	}
	if radios == 0 {
		t.Errorf("no radio %q in the dump", name)
	}
	if reply.Ack.Code < 0 {
		t.Errorf("radio's number %d", reply.Ack.Code)
	}
	command(t, c, hwsim, delRadio, func(b *wire.Builder) { b.Uint32(radioID, uint32(reply.Ack.Code)) }, 0)
	announced(delOfIt)
	NoLosses(t, c)
}
