package wire_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// What Linux 6.18.44 on amd64 answered to the requests of testdata/capture.py,
// run as root from wire/ by
//
//	unshare --net sh -c 'ip link set lo up && python3 testdata/capture.py'
//
// One constant is one datagram.
const (
	// GETADDR dump
	goldenAddrs = `
		4c000000140002000d0c0b0a6c6e0000020880fe01000000080001007f000001
		080002007f000001070003006c6f0000080008008000000014000600ffffffff
		ffffffff9e6d1e009e6d1e0050000000140002000d0c0b0a6c6e00000a8080fe
		01000000140001000000000000000000000000000000000114000600ffffffff
		ffffffff9e6d1e009e6d1e00080008008000000005000b0001000000
	`

	// GETADDR dump
	goldenAddrsDone = `
		14000000030002000d0c0b0a6c6e000000000000
	`

	// NOOP
	goldenNoop = `
		2400000002000001030000006c6e000000000000100000000100050003000000
		6c6e0000
	`

	// GETLINK of interface 9999
	goldenNoDevice = `
		3400000002000000070000006c6e0000edffffff200000001200050007000000
		6c6e0000000000000f2700000000000000000000
	`

	// GETLINK of a long name
	goldenLongName = `
		9000000002000002080000006c6e0000deffffff350000001200050008000000
		6c6e000000000000000000000000000000000000150003007878787878787878
		78787878787878787800000027000100417474726962757465206661696c6564
		20706f6c6963792076616c69646174696f6e0000080002002000000014000480
		080007000f000000080001000b000000
	`

	// GETLINK of a long name, capped
	goldenLongNameCapped = `
		6800000002000003080000006c6e0000deffffff350000001200050008000000
		6c6e000027000100417474726962757465206661696c656420706f6c69637920
		76616c69646174696f6e0000080002002000000014000480080007000f000000
		080001000b000000
	`

	// GETADDR dump, strict, with a prefix length
	goldenStrictDump = `
		5000000003000202090000006c6e0000eaffffff3c000100697076343a20496e
		76616c69642076616c75657320696e2068656164657220666f72206164647265
		73732064756d70207265717565737400
	`

	// CTRL_CMD_GETFAMILY nlctrl
	goldenFamily = `
		88000000100000000a0000006c6e0000010200000b0002006e6c6374726c0000
		0600010010000000080003000200000008000400000000000800050000000000
		2c000600140001000800010003000000080002000e0000001400020008000100
		0a000000080002000c0000001c0007001800010008000200100000000b000100
		6e6f746966790000
	`

	// NETDEV_CMD_DEV_GET without an interface
	goldenMissing = `
		2c000000020000030b0000006c6e0000eaffffff14000000140005000b000000
		6c6e00000800050001000000
	`

	// NETDEV_CMD_DEV_GET of interface 0
	goldenRange = `
		6c000000020000030c0000006c6e0000deffffff1c000000140005000c000000
		6c6e000019000100696e7465676572206f7574206f662072616e676500000000
		0800020014000000240004800c00040001000000000000000c000500ffffffff
		000000000800010004000000
	`

	// NEWTCLASS htb
	goldenWarning = `
		68000000020000030d0000006c6e00000000000060000000280005040d000000
		6c6e0000430001007363685f6874623a207175616e74756d206f6620636c6173
		7320313030303120697320736d616c6c2e20436f6e7369646572207232712063
		68616e67652e0000
	`

	// NEWLINK bridge
	goldenNest = `
		a4000000020000020e0000006c6e0000deffffff3c000000100005040e000000
		6c6e0000000000000000000000000000000000001c0012000b00010062726964
		676500000c000200060001000100000027000100417474726962757465206661
		696c656420706f6c6963792076616c69646174696f6e00000800020034000000
		240004800c00040000000000000000000c000500ffffffff0000000008000100
		04000000
	`

	// NEWLINK veth
	goldenNestHeader = `
		c0000000020000020f0000006c6e0000deffffff58000000100005040f000000
		6c6e000000000000000000000000000000000000380012000900010076657468
		0000000028000200240001000000000000000000000000000000000006000300
		61000000060004000100000027000100417474726962757465206661696c6564
		20706f6c6963792076616c69646174696f6e0000080002005000000024000480
		0c00040000000000000000000c000500ffffffff000000000800010004000000
	`

	// TSINFO_GET
	goldenMissingInNest = `
		5000000002000002100000006c6e0000eaffffff2c0000001500050010000000
		6c6e0000190100000c00018008000100010000000c0007800800010000000000
		08000500020000000800060020000000
	`
)

// HWSIM_CMD_NEW_RADIO of MAC80211_HWSIM, which returns the id of the radio. Made by
// hand after netlink_ack in net/netlink/af_netlink.c, since the kernel above has no
// simulator: a code other than 0 has the whole request, unless the socket has
// NETLINK_CAP_ACK.
const (
	goldenRadio = `
		2800000002000000110000006c6e000007000000140000002300050011000000
		6c6e000004010000
	`
	goldenRadioCapped = `
		2400000002000001120000006c6e000001000000140000002300050012000000
		6c6e0000
	`
)

// unhex returns the bytes of a golden. It skips t on a machine with another byte order
// than the golden's.
func unhex(t *testing.T, golden string) []byte {
	t.Helper()
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the goldens are little endian")
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(golden), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// only returns the message of a datagram that holds one.
func only(t *testing.T, b []byte) wire.Message {
	t.Helper()
	var m wire.Message
	rest, err := m.Decode(b)
	if err != nil || len(rest) != 0 {
		t.Fatalf("%d bytes after the message, %v", len(rest), err)
	}
	return m
}

func TestGoldenDump(t *testing.T) {
	var got []string
	for _, d := range []string{goldenAddrs, goldenAddrsDone} {
		b := unhex(t, d)
		var again []byte
		for m, err := range wire.Messages(b) {
			if err != nil {
				t.Fatal(err)
			}
			h := m.Header
			line := fmt.Sprintf("len %d type %d flags %#x seq %#x port %#x:", h.Length, uint16(h.Type), uint16(h.Flags), h.Seq, h.PortID)
			if h.Type != netlink.NLMSG_DONE {
				for a, err := range wire.Attrs(m.Payload[8:]) { // struct ifaddrmsg
					if err != nil {
						t.Fatal(err)
					}
					line += fmt.Sprintf(" %d=%x", a.Type, a.Value[:min(4, len(a.Value))])
				}
			}
			got = append(got, line)
			again = wire.AppendMessage(again, m)
		}
		if !reflect.DeepEqual(again, b) {
			t.Errorf("encoded again:\ngot  %x\nwant %x", again, b)
		}
	}
	want := []string{
		"len 76 type 20 flags 0x2 seq 0xa0b0c0d port 0x6e6c: 1=7f000001 2=7f000001 3=6c6f00 8=80000000 6=ffffffff",
		"len 80 type 20 flags 0x2 seq 0xa0b0c0d port 0x6e6c: 1=00000000 6=ffffffff 8=80000000 11=01",
		"len 20 type 3 flags 0x2 seq 0xa0b0c0d port 0x6e6c:",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The answer of the generic netlink controller nests three deep. The Builder makes the
// same bytes, except the nest flags, which the kernel does not set here.
func TestGoldenNest(t *testing.T) {
	m := only(t, unhex(t, goldenFamily))
	p := m.Payload[4:]                      // after struct genlmsghdr
	for _, typ := range []uint16{7, 1, 1} { // the groups, the first one, its name
		p = find(t, p, typ).Value
	}
	if name := (wire.Attr{Value: p}).String(); name != "notify" {
		t.Errorf("the group's name is %q", name)
	}
	if id, err := find(t, m.Payload[4:], 1).Uint16(); id != 16 || err != nil {
		t.Errorf("the family's id is %d, %v", id, err)
	}

	var b wire.Builder
	b.Struct([]byte{1, 2, 0, 0})
	b.String(2, "nlctrl")
	b.Uint16(1, 16)
	b.Uint32(3, 2)
	b.Uint32(4, 0)
	b.Uint32(5, 0)
	b.Nest(6, func(b *wire.Builder) {
		b.Nest(1, func(b *wire.Builder) { b.Uint32(1, 3); b.Uint32(2, 14) })
		b.Nest(2, func(b *wire.Builder) { b.Uint32(1, 10); b.Uint32(2, 12) })
	})
	b.Nest(7, func(b *wire.Builder) {
		b.Nest(1, func(b *wire.Builder) { b.Uint32(2, 16); b.String(1, "notify") })
	})
	built, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got := clearNested(built); !reflect.DeepEqual(got, m.Payload) {
		t.Errorf("built:\ngot  %x\nwant %x", got, m.Payload)
	}
}

// find returns the attribute of a type.
func find(t *testing.T, b []byte, typ uint16) wire.Attr {
	t.Helper()
	for a, err := range wire.Attrs(b) {
		if err != nil {
			t.Fatal(err)
		}
		if a.Type == typ {
			return a
		}
	}
	t.Fatalf("no attribute of type %d", typ)
	return wire.Attr{}
}

// clearNested returns a copy of the controller's answer without the nest flags.
func clearNested(p []byte) []byte {
	p = append([]byte(nil), p...)
	for b := p[4:]; len(b) > 0; {
		a, rest, err := wire.NextAttr(b)
		if err != nil {
			panic(err)
		}
		if !a.Nested {
			b = rest
			continue
		}
		binary.NativeEndian.PutUint16(b[2:], a.Type)
		b = b[4:] // the nest's own attributes are next
	}
	return p
}

func TestGoldenAcks(t *testing.T) {
	u32 := func(typ uint16, v uint32) []byte { return native(uint16(8), typ, v) }
	for _, tt := range []struct {
		name   string
		golden string
		flags  netlink.Flags
		want   wire.Ack
	}{
		{"success", goldenNoop, 0x100, wire.Ack{Request: 1, Seq: 3}},
		{"uncapped", goldenNoDevice, 0, wire.Ack{Errno: 19, Request: 18, Seq: 7}},
		{
			// The request had 53 bytes, so the attributes follow padding.
			"uncapped, explained", goldenLongName, 0x200,
			wire.Ack{Errno: 34, Request: 18, Seq: 8, Ext: wire.ExtAck{
				Message: "Attribute failed policy validation",
				Offset:  32, HasOffset: true,
				Policy: native(u32(7, 15), u32(1, 11)),
			}},
		},
		{
			"capped, explained", goldenLongNameCapped, 0x300,
			wire.Ack{Errno: 34, Request: 18, Seq: 8, Ext: wire.ExtAck{
				Message: "Attribute failed policy validation",
				Offset:  32, HasOffset: true,
				Policy: native(u32(7, 15), u32(1, 11)),
			}},
		},
		{"positive code", goldenRadio, 0, wire.Ack{Code: 7, Request: 35, Seq: 17}},
		{"positive code, capped", goldenRadioCapped, 0x100, wire.Ack{Code: 1, Request: 35, Seq: 18}},
		{"done", goldenAddrsDone, 0x2, wire.Ack{Seq: 0x0a0b0c0d}},
		{
			"done, refused", goldenStrictDump, 0x202,
			wire.Ack{Errno: 22, Seq: 9, Ext: wire.ExtAck{
				Message: "ipv4: Invalid values in header for address dump request",
			}},
		},
		{
			"attribute missing", goldenMissing, 0x300,
			wire.Ack{Errno: 22, Request: 20, Seq: 11, Ext: wire.ExtAck{MissingType: 1, HasMissingType: true}},
		},
		{
			"attribute out of range", goldenRange, 0x300,
			wire.Ack{Errno: 34, Request: 20, Seq: 12, Ext: wire.ExtAck{
				Message: "integer out of range",
				Offset:  20, HasOffset: true,
				Policy: native(
					uint16(12), uint16(4), uint64(1),
					uint16(12), uint16(5), uint64(1<<32-1),
					u32(1, 4),
				),
			}},
		},
		{
			"success with a warning", goldenWarning, 0x300,
			wire.Ack{Request: 40, Seq: 13, Ext: wire.ExtAck{
				Message: "sch_htb: quantum of class 10001 is small. Consider r2q change.",
			}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := only(t, unhex(t, tt.golden))
			if m.Header.Flags != tt.flags {
				t.Errorf("flags %#x, want %#x", uint16(m.Header.Flags), uint16(tt.flags))
			}
			if m.Header.Type == netlink.NLMSG_ERROR && tt.flags&netlink.NLM_F_CAPPED == 0 {
				tt.want.Echo = echoOf(t, m.Payload[4:])
			}
			got, err := wire.DecodeAck(m)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("DecodeAck: %v\ngot  %+v\nwant %+v", err, got, tt.want)
			}
			kerr, err := wire.ParseAck(m)
			if err != nil || (kerr == nil) != (tt.want.Errno == 0) {
				t.Fatalf("ParseAck = %v, %v", kerr, err)
			}
			if kerr != nil && !reflect.DeepEqual(asAck(kerr), tt.want) {
				t.Errorf("ParseAck:\ngot  %+v\nwant %+v", *kerr, tt.want)
			}
		})
	}
}
