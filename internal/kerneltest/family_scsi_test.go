//go:build linux

package kerneltest

import (
	"encoding/binary"
	"errors"
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

// TestISCSIAnswersAreEvents: iscsi_if_rx in drivers/scsi/scsi_transport_iscsi.c answers
// each request with a message of the same type without a number. Its code refuses an
// unknown transport.
func TestISCSIAnswersAreEvents(t *testing.T) {
	nstest.OwnMachine(t, "scsi_transport_iscsi")
	type iscsiUevent struct { // struct iscsi_uevent, with room for its unions
		Type      uint32
		Error     int32
		Transport uint64
		_         [256]byte
	}
	// The kernel's socket is in the initial network namespace only.
	c := DialHere(t, netlink.NETLINK_ISCSI)
	for typ := netlink.MessageType(11); typ < 14; typ++ { // ISCSI_UEVENT_CREATE_SESSION and the next ones
		if msgs := Request(t, c, typ, Build(t, iscsiUevent{Type: uint32(typ)}), 0); len(msgs) != 0 {
			t.Errorf("type %d: replies %v, want none", typ, msgs)
		}
		e := NextEvent(t, c)
		var got iscsiUevent
		if _, err := binary.Decode(append(e.Payload, make([]byte, 512)...), binary.NativeEndian, &got); err != nil {
			t.Fatal(err)
		}
		if e.Header.Type != typ || e.Header.Seq != 0 || e.Group != 0 || got.Error != -int32(unix.EINVAL) {
			t.Errorf("event %+v; want type %d, number 0, the code of EINVAL", e, typ)
		}
	}
	if err := c.Noop(Patient(t)); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Noop: %v; want errors.ErrUnsupported", err)
	}
	NoLosses(t, c)
}

// TestSCSITransport: each refusal of scsi_nl_rcv_msg in drivers/scsi/scsi_netlink.c has
// its own code. Kernels refuse every message.
func TestSCSITransport(t *testing.T) {
	nstest.OwnMachine(t, "scsi_mod")
	type header struct { // struct scsi_nl_hdr
		Version, Transport   uint8
		Magic, MsgType, Size uint16
	}
	const transportMsg netlink.MessageType = 17 // SCSI_TRANSPORT_MSG
	good := header{Version: 1, Magic: 0xa1b2, Size: 8}
	wrong := good
	wrong.Magic++
	vendor := good
	vendor.MsgType, vendor.Size = 1, 64 // SCSI_NL_SHOST_VENDOR, to a host that does not exist
	other := good
	other.Transport = 9
	// The kernel's socket is in the initial network namespace only.
	c := DialHere(t, netlink.NETLINK_SCSITRANSPORT)
	for range 10 {
		for _, tt := range []struct {
			typ  netlink.MessageType
			h    header
			want error
		}{
			{transportMsg, good, unix.EBADR}, {transportMsg, vendor, unix.ESRCH}, {transportMsg, other, unix.ENOENT},
			{transportMsg, wrong, unix.EPROTOTYPE}, {transportMsg - 1, good, unix.EBADMSG},
		} {
			msgs, err := c.Request(Patient(t), tt.typ, Build(t, tt.h, func(b *wire.Builder) { b.Raw(make([]byte, 64)) }), 0)
			if !errors.Is(err, tt.want) || len(msgs) != 0 {
				t.Errorf("type %d, %+v: %v, %v; want %v", tt.typ, tt.h, msgs, err, tt.want)
			}
		}
	}
	NoLosses(t, c)
}

// TestIEEE802154: the replies of the family 802.15.4 MAC have the request's number and
// port 0 (ieee802154_nl_new_reply in net/ieee802154/netlink.c). Their radios are those
// of sysfs and of nl802154.
func TestIEEE802154(t *testing.T) {
	nstest.OwnMachine(t, "mac802154_hwsim")
	const (
		listPhy, phyName = 32, 31 // IEEE802154_LIST_PHY, IEEE802154_ATTR_PHY_NAME
		getPhy, name     = 1, 2   // NL802154_CMD_GET_WPAN_PHY, NL802154_ATTR_WPAN_PHY_NAME
	)
	entries, err := os.ReadDir("/sys/class/ieee802154")
	if err != nil || len(entries) == 0 {
		t.Fatalf("radios in sysfs: %v, %v", entries, err)
	}
	var want []string
	for _, e := range entries {
		want = append(want, e.Name())
	}
	// The radios are in the initial network namespace.
	c := DialHere(t, netlink.NETLINK_GENERIC)
	mac, nl := resolve(t, c, "802.15.4 MAC"), resolve(t, c, "nl802154")
	var got []string
	for _, m := range command(t, c, mac, listPhy, func(*wire.Builder) {}, netlink.NLM_F_DUMP) {
		got = append(got, genericAttr(t, m, phyName).String())
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("radios of 802.15.4 MAC: %q, want %q", got, want)
	}
	var newer []string
	for _, m := range command(t, c, nl, getPhy, func(*wire.Builder) {}, netlink.NLM_F_DUMP) {
		newer = append(newer, genericAttr(t, m, name).String())
	}
	slices.Sort(newer)
	if newer = slices.Compact(newer); !slices.Equal(newer, want) {
		t.Errorf("radios of nl802154: %q, want %q", newer, want)
	}
	for _, radio := range want {
		msgs := command(t, c, mac, listPhy, func(b *wire.Builder) { b.String(phyName, radio) }, 0)
		if len(msgs) != 1 || genericAttr(t, msgs[0], phyName).String() != radio {
			t.Errorf("radio %q: %+v", radio, msgs)
		}
	}
	NoLosses(t, c)
}

// TestRemovedFamilies: no kernel since 5.10 has them, and Dial reports that.
func TestRemovedFamilies(t *testing.T) {
	gone := []netlink.Family{
		netlink.NETLINK_FIREWALL, netlink.NETLINK_NFLOG, netlink.NETLINK_IP6_FW, netlink.NETLINK_ECRYPTFS, netlink.NETLINK_SMC,
	}
	if nstest.KernelSince(t, 6, 1) {
		gone = append(gone, netlink.NETLINK_DNRTMSG) // DECnet
	}
	for _, family := range gone {
		c, err := client.Dial(family)
		var op *client.OpError
		if c != nil || !errors.As(err, &op) || !errors.Is(err, unix.EPROTONOSUPPORT) || !strings.Contains(err.Error(), family.String()) {
			t.Errorf("%v: %v; want EPROTONOSUPPORT and the family's name", family, err)
		}
	}
}
