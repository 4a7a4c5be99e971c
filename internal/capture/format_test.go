package capture

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/internal/capturetest"
)

// goldenTime has eight different bytes.
const goldenTime = 0x0102030405060708

// goldens are blocks in both byte orders, in words. The header before a packet's
// data is in big endian in both.
var goldens = []struct {
	name        string
	block       func(f format) []byte
	little, big string
}{
	{
		"section header and interface",
		func(f format) []byte { return f.header(nil, netlink.NETLINK_GENERIC) },
		`0a0d0d0a 3c000000 4d3c2b1a 0100 0000 ffffffff ffffffff
			0400 1800 67697468 75622e63 6f6d2f6e 6c6d7578 2f6e6574 6c696e6b
			0000 0000 3c000000
		01000000 34000000 fd00 0000 00000400
			0200 0f00 4e45544c 494e4b5f 47454e45 52494300
			0900 0100 09000000
			0000 0000 34000000`,
		`0a0d0d0a 0000003c 1a2b3c4d 0001 0000 ffffffff ffffffff
			0004 0018 67697468 75622e63 6f6d2f6e 6c6d7578 2f6e6574 6c696e6b
			0000 0000 0000003c
		00000001 00000034 00fd 0000 00040000
			0002 000f 4e45544c 494e4b5f 47454e45 52494300
			0009 0001 09000000
			0000 0000 00000034`,
	},
	{
		"sent",
		func(f format) []byte {
			return f.packet(nil, netlink.NETLINK_GENERIC, packet{time: goldenTime, direction: sent, data: []byte{1, 2, 3, 4}, length: 4})
		},
		`06000000 40000000 00000000 04030201 08070605 14000000 14000000
			0004 0338 00000000 00000000 0000 0010 01020304
			0200 0400 02000000
			0000 0000 40000000`,
		`00000006 00000040 00000000 01020304 05060708 00000014 00000014
			0004 0338 00000000 00000000 0000 0010 01020304
			0002 0004 00000002
			0000 0000 00000040`,
	},
	{
		"unicast with padding",
		func(f format) []byte {
			return f.packet(nil, netlink.NETLINK_GENERIC, packet{time: goldenTime, direction: unicast, data: []byte{1, 2, 3, 4, 5}, length: 5})
		},
		`06000000 44000000 00000000 04030201 08070605 15000000 15000000
			0000 0338 00000000 00000000 0000 0010 01020304 05000000
			0200 0400 05000000
			0000 0000 44000000`,
		`00000006 00000044 00000000 01020304 05060708 00000015 00000015
			0000 0338 00000000 00000000 0000 0010 01020304 05000000
			0002 0004 00000005
			0000 0000 00000044`,
	},
	{
		"multicast, cut, with a comment and after a loss",
		func(f format) []byte {
			return f.packet(nil, netlink.NETLINK_GENERIC, packet{
				time: goldenTime, direction: multicast, data: []byte{1, 2, 3, 4}, length: 7, dropped: 0x0102, comment: "group 5",
			})
		},
		`06000000 58000000 00000000 04030201 08070605 14000000 17000000
			0002 0338 00000000 00000000 0000 0010 01020304
			0100 0700 67726f75 70203500
			0200 0400 09000000
			0400 0800 02010000 00000000
			0000 0000 58000000`,
		`00000006 00000058 00000000 01020304 05060708 00000014 00000017
			0002 0338 00000000 00000000 0000 0010 01020304
			0001 0007 67726f75 70203500
			0002 0004 00000009
			0004 0008 00000000 00000102
			0000 0000 00000058`,
	},
	{
		"statistics",
		func(f format) []byte { return f.statistics(nil, goldenTime, 9, 2) },
		`05000000 34000000 00000000 04030201 08070605
			0400 0800 09000000 00000000
			0500 0800 02000000 00000000
			0000 0000 34000000`,
		`00000005 00000034 00000000 01020304 05060708
			0004 0008 00000000 00000009
			0005 0008 00000000 00000002
			0000 0000 00000034`,
	},
}

func unhex(t *testing.T, golden string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(golden), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGoldenBytes(t *testing.T) {
	for _, g := range goldens {
		if got, want := g.block(format{binary.LittleEndian}), unhex(t, g.little); !bytes.Equal(got, want) {
			t.Errorf("%s, little endian\n got %x\nwant %x", g.name, got, want)
		}
		if got, want := g.block(format{binary.BigEndian}), unhex(t, g.big); !bytes.Equal(got, want) {
			t.Errorf("%s, big endian\n got %x\nwant %x", g.name, got, want)
		}
	}
}

// Wireshark refuses a file with a longer packet.
func TestLongPacketsAreCut(t *testing.T) {
	data := make([]byte, 300<<10)
	for _, test := range []struct{ length, captured int }{
		{262144 - 16, 262144 - 16},
		{262144 - 15, 262144 - 16},
		{len(data), 262144 - 16},
	} {
		file := native.packet(native.header(nil, netlink.NETLINK_ROUTE), netlink.NETLINK_ROUTE,
			packet{direction: unicast, data: data[:test.length], length: test.length})
		sections, err := capturetest.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		if p := sections[0].Packets[0]; p.Length != test.length || len(p.Data) != test.captured {
			t.Errorf("a packet of %d bytes became one of %d with %d captured, want %d", test.length, p.Length, len(p.Data), test.captured)
		}
	}
}

// TestWrittenPacketsCanBeRead writes packets of every shape and reads them back.
func TestWrittenPacketsCanBeRead(t *testing.T) {
	types := map[direction]capturetest.Type{
		sent: capturetest.Sent, unicast: capturetest.Unicast, multicast: capturetest.Multicast,
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, f := range []format{{binary.LittleEndian}, {binary.BigEndian}} {
		b := f.header(nil, netlink.NETLINK_ROUTE)
		var packets []packet
		for range 1000 {
			p := packet{
				time:      random.Uint64() >> 1,
				direction: direction(random.IntN(3)),
				data:      make([]byte, random.IntN(50)),
				dropped:   random.Uint64N(2) * random.Uint64(),
				comment:   strings.Repeat("x", random.IntN(2)*random.IntN(50)),
			}
			for i := range p.data {
				p.data[i] = byte(random.Uint32())
			}
			p.length = len(p.data) + random.IntN(3)
			before := len(b)
			b = f.packet(b, netlink.NETLINK_ROUTE, p)
			if n := len(b) - before; n > len(p.data)+len(p.comment)+overhead {
				t.Fatalf("a block of %d bytes for %+v, more than overhead", n, p)
			}
			packets = append(packets, p)
		}
		sections, err := capturetest.Read(f.statistics(b, 1, 2, 3))
		if err != nil || len(sections) != 1 || len(sections[0].Packets) != len(packets) {
			t.Fatal(err)
		}
		for i, p := range packets {
			got := sections[0].Packets[i]
			if got.Time != time.Unix(0, int64(p.time)) || got.Type != types[p.direction] || got.Family != netlink.NETLINK_ROUTE ||
				!bytes.Equal(got.Data, p.data) || got.Length != p.length || got.Dropped != p.dropped || got.Comment != p.comment {
				t.Fatalf("packet %d: wrote %+v, read %+v", i, p, got)
			}
		}
	}
}
