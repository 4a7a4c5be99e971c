// Package capture records the frames of netlink sockets as pcapng, the format
// of Wireshark: [Recorder] decorates sockets, and format.go knows the bytes.
package capture

import (
	"encoding/binary"

	"github.com/nlmux/netlink"
)

// A file is a sequence of blocks: a section header, the description of the one
// interface, packets, and statistics at the end of the section
// (draft-ietf-opsawg-pcapng). Several sections in a row are a file as well.
const (
	blockSection    = 0x0a0d0d0a
	blockInterface  = 1
	blockStatistics = 5
	blockPacket     = 6 // enhanced packet block

	byteOrderMagic = 0x1a2b3c4d

	optEnd           = 0
	optComment       = 1
	optApplication   = 4 // shb_userappl
	optInterfaceName = 2 // if_name
	optResolution    = 9 // if_tsresol
	optFlags         = 2 // epb_flags
	optDropped       = 4 // epb_dropcount
	optAllSeen       = 4 // isb_ifrecv
	optAllDropped    = 5 // isb_ifdrop
)

// Every packet begins with the header that libpcap puts before what it reads
// from an nlmon device: where the packet goes, ARPHRD_NETLINK, ten unused bytes
// and the family, in big endian (LINKTYPE_NETLINK).
const (
	linkTypeNetlink = 253
	arphrdNetlink   = 824
	cookedLen       = 16
)

// snapLen is the maximum number of bytes kept of a packet, with the cooked header.
// Wireshark rejects a file with a longer one as damaged.
const snapLen = 256 << 10

// application names the writer in the section header.
const application = "github.com/nlmux/netlink"

// direction says where a packet goes.
type direction int

const (
	sent      direction = iota // to the kernel
	unicast                    // to one socket
	multicast                  // to a group
)

// cookedType is the packet type in the cooked header: PACKET_OUTGOING,
// PACKET_HOST and PACKET_MULTICAST of linux/if_packet.h.
func (d direction) cookedType() uint16 { return [...]uint16{sent: 4, unicast: 0, multicast: 2}[d] }

// flags is the value of epb_flags: the direction in the two lowest bits (1 inbound, 2
// outbound), and how it was received in the next three (1 unicast, 2 multicast).
func (d direction) flags() uint32 {
	return [...]uint32{sent: 2, unicast: 1 | 1<<2, multicast: 1 | 2<<2}[d]
}

// packet is one frame that was sent or datagram that was received.
type packet struct {
	time      uint64 // nanoseconds since 1970
	direction direction
	data      []byte
	length    int    // bytes before it was cut, at least len(data)
	dropped   uint64 // packets before it that were not recorded
	comment   string // "" for none
}

// format writes blocks in one byte order. The section header declares it, so a file can
// be read on any machine.
type format struct{ order binary.AppendByteOrder }

// native is the byte order of this machine, and of the messages.
var native = format{binary.NativeEndian}

// block appends a block whose body fill appends. The length is before and after the
// body, so that a file can be walked both ways.
func (f format) block(b []byte, typ uint32, fill func([]byte) []byte) []byte {
	start := len(b)
	b = f.order.AppendUint32(b, typ)
	b = f.order.AppendUint32(b, 0) // the length, set below
	b = pad(fill(b), start)
	length := f.order.AppendUint32(nil, uint32(len(b)-start+4))
	copy(b[start+4:], length)
	return append(b, length...)
}

// pad appends zeros until the number of bytes after start is a multiple of four.
func pad(b []byte, start int) []byte {
	for (len(b)-start)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// option appends one option. A list of them ends with optEnd.
func (f format) option(b []byte, code uint16, value []byte) []byte {
	b = f.order.AppendUint16(b, code)
	b = f.order.AppendUint16(b, uint16(len(value)))
	start := len(b)
	return pad(append(b, value...), start)
}

func (f format) option64(b []byte, code uint16, value uint64) []byte {
	return f.option(b, code, f.order.AppendUint64(nil, value))
}

// header appends the start of a section: the section header and the description of the
// interface, whose times count nanoseconds.
func (f format) header(b []byte, family netlink.Family) []byte {
	b = f.block(b, blockSection, func(b []byte) []byte {
		b = f.order.AppendUint32(b, byteOrderMagic)
		b = f.order.AppendUint16(b, 1) // version 1.0
		b = f.order.AppendUint16(b, 0)
		b = f.order.AppendUint64(b, ^uint64(0)) // length of the section: unknown
		b = f.option(b, optApplication, []byte(application))
		return f.option(b, optEnd, nil)
	})
	return f.block(b, blockInterface, func(b []byte) []byte {
		b = f.order.AppendUint16(b, linkTypeNetlink)
		b = f.order.AppendUint16(b, 0) // reserved
		b = f.order.AppendUint32(b, snapLen)
		b = f.option(b, optInterfaceName, []byte(family.String()))
		b = f.option(b, optResolution, []byte{9})
		return f.option(b, optEnd, nil)
	})
}

// packet appends a packet.
func (f format) packet(b []byte, family netlink.Family, p packet) []byte {
	data := p.data[:min(len(p.data), snapLen-cookedLen)]
	return f.block(b, blockPacket, func(b []byte) []byte {
		b = f.order.AppendUint32(b, 0) // interface
		b = f.time(b, p.time)
		b = f.order.AppendUint32(b, uint32(cookedLen+len(data)))
		b = f.order.AppendUint32(b, uint32(cookedLen+p.length))
		start := len(b)
		b = binary.BigEndian.AppendUint16(b, p.direction.cookedType())
		b = binary.BigEndian.AppendUint16(b, arphrdNetlink)
		b = append(b, make([]byte, 10)...)
		b = binary.BigEndian.AppendUint16(b, uint16(family))
		b = pad(append(b, data...), start)
		if p.comment != "" {
			b = f.option(b, optComment, []byte(p.comment))
		}
		b = f.option(b, optFlags, f.order.AppendUint32(nil, p.direction.flags()))
		if p.dropped != 0 {
			b = f.option64(b, optDropped, p.dropped)
		}
		return f.option(b, optEnd, nil)
	})
}

// overhead is an upper bound for a packet's block without data and comment, in bytes.
const overhead = 128

// statistics appends the counts at the end of a section: of all packets, and of those
// that were not recorded.
func (f format) statistics(b []byte, time, seen, dropped uint64) []byte {
	return f.block(b, blockStatistics, func(b []byte) []byte {
		b = f.order.AppendUint32(b, 0) // interface
		b = f.time(b, time)
		b = f.option64(b, optAllSeen, seen)
		b = f.option64(b, optAllDropped, dropped)
		return f.option(b, optEnd, nil)
	})
}

// time appends a time of 64 bits, the upper half first in either byte order.
func (f format) time(b []byte, t uint64) []byte {
	b = f.order.AppendUint32(b, uint32(t>>32))
	return f.order.AppendUint32(b, uint32(t))
}
