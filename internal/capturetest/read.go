// Package capturetest reads captures in tests. It shares no code with package capture,
// so it can find that package's errors, and it is strict: every other reader accepts
// what it accepts.
package capturetest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/nlmux/netlink"
)

// Section is the capture of one Conn.
type Section struct {
	Application string
	Interface   string
	Packets     []Packet

	Whole         bool   // it ends with the statistics; then:
	Seen, Dropped uint64 // all packets, and those not in the section
}

// Packet is one packet of a section.
type Packet struct {
	Time    time.Time
	Type    Type
	Family  netlink.Family
	Data    []byte // after the cooked header
	Length  int    // of the data before it was cut
	Dropped uint64 // packets that are missing before it
	Comment string
}

// Type says where a packet goes.
type Type uint16

const (
	Unicast   Type = 0 // to our port
	Multicast Type = 2
	Sent      Type = 4 // by us
)

// String returns an arrow: > sent, < received, * received by a group.
func (t Type) String() string {
	return map[Type]string{Sent: ">", Unicast: "<", Multicast: "*"}[t]
}

// ways has the flags for each type: the direction, and above it how the packet was
// received.
var ways = map[Type]uint32{Unicast: 1<<2 | 1, Multicast: 2<<2 | 1, Sent: 2}

// header is the size of the cooked header, with which the data of every packet begins.
const header = 16

// Read reads a file of any number of sections.
func Read(file []byte) ([]Section, error) {
	r := reader{rest: file}
	for len(r.rest) > 0 {
		if err := r.block(); err != nil {
			return r.sections, fmt.Errorf("block at byte %d: %w", len(file)-len(r.rest), err)
		}
	}
	return r.sections, nil
}

type reader struct {
	rest     []byte
	order    binary.ByteOrder // of the section
	sections []Section
	open     bool // the section has its interface
}

// block reads the next block.
func (r *reader) block() error {
	if len(r.rest) < 12 {
		return fmt.Errorf("%d bytes", len(r.rest))
	}
	if bytes.HasPrefix(r.rest, []byte{0x0a, 0x0d, 0x0d, 0x0a}) {
		switch magic := r.rest[8:12]; {
		case bytes.Equal(magic, []byte{0x1a, 0x2b, 0x3c, 0x4d}):
			r.order = binary.BigEndian
		case bytes.Equal(magic, []byte{0x4d, 0x3c, 0x2b, 0x1a}):
			r.order = binary.LittleEndian
		default:
			return fmt.Errorf("byte order %x", magic)
		}
		r.sections = append(r.sections, Section{})
		r.open = false
	}
	if len(r.sections) == 0 {
		return fmt.Errorf("no section header")
	}
	typ, n := r.order.Uint32(r.rest), int(r.order.Uint32(r.rest[4:]))
	if n < 12 || n%4 != 0 || n > len(r.rest) {
		return fmt.Errorf("type %#x: length %d of %d bytes", typ, n, len(r.rest))
	}
	if again := int(r.order.Uint32(r.rest[n-4:])); again != n {
		return fmt.Errorf("type %#x: length %d at the start, %d at the end", typ, n, again)
	}
	body := r.rest[8 : n-4]
	s := &r.sections[len(r.sections)-1]
	var err error
	switch {
	case s.Whole:
		err = fmt.Errorf("after the statistics")
	case typ == 0x0a0d0d0a:
		err = r.section(s, body)
	case typ == 1 && !r.open:
		r.open = true
		err = r.interfaceOf(s, body)
	case typ == 6 && r.open:
		err = r.packet(s, body)
	case typ == 5 && r.open:
		err = r.statistics(s, body)
	default:
		err = fmt.Errorf("out of place")
	}
	if err != nil {
		return fmt.Errorf("type %#x: %w", typ, err)
	}
	r.rest = r.rest[n:]
	return nil
}

func (r *reader) section(s *Section, b []byte) error {
	if len(b) < 16 {
		return fmt.Errorf("%d bytes", len(b))
	}
	if major, minor := r.order.Uint16(b[4:]), r.order.Uint16(b[6:]); major != 1 || minor != 0 {
		return fmt.Errorf("version %d.%d", major, minor)
	}
	if n := r.order.Uint64(b[8:]); n != 1<<64-1 {
		return fmt.Errorf("section of %d bytes, want unknown", n)
	}
	return r.options(b[16:], func(code uint16, value []byte) bool {
		s.Application = string(value)
		return code == 4
	})
}

func (r *reader) interfaceOf(s *Section, b []byte) error {
	if len(b) < 8 {
		return fmt.Errorf("%d bytes", len(b))
	}
	if link, reserved, snap := r.order.Uint16(b), r.order.Uint16(b[2:]), r.order.Uint32(b[4:]); link != 253 || reserved != 0 || snap != 262144 {
		return fmt.Errorf("link type %d, %d, at most %d bytes", link, reserved, snap)
	}
	nanoseconds := false
	err := r.options(b[8:], func(code uint16, value []byte) bool {
		switch code {
		case 2:
			s.Interface = string(value)
		case 9:
			nanoseconds = bytes.Equal(value, []byte{9})
		default:
			return false
		}
		return true
	})
	if err == nil && !nanoseconds {
		err = fmt.Errorf("times are not in nanoseconds")
	}
	return err
}

func (r *reader) packet(s *Section, b []byte) error {
	if len(b) < 20 {
		return fmt.Errorf("%d bytes", len(b))
	}
	captured, length := int(r.order.Uint32(b[12:])), int(r.order.Uint32(b[16:]))
	padded := (captured + 3) &^ 3
	if captured < header || captured > length || captured > 262144 || padded > len(b[20:]) {
		return fmt.Errorf("%d bytes, of which %d captured, in %d", length, captured, len(b[20:]))
	}
	data, padding := b[20:20+captured], b[20+captured:20+padded]
	if !zero(padding) || !zero(data[4:14]) || binary.BigEndian.Uint16(data[2:]) != 824 {
		return fmt.Errorf("header %x, padding %x", data[:header], padding)
	}
	p := Packet{
		Time:   r.time(b[4:]),
		Type:   Type(binary.BigEndian.Uint16(data)),
		Family: netlink.Family(binary.BigEndian.Uint16(data[14:])),
		Data:   data[header:],
		Length: length - header,
	}
	var flags uint32
	err := r.options(b[20+padded:], func(code uint16, value []byte) bool {
		switch {
		case code == 1:
			p.Comment = string(value)
		case code == 2 && len(value) == 4:
			flags = r.order.Uint32(value)
		case code == 4 && len(value) == 8:
			p.Dropped = r.order.Uint64(value)
		default:
			return false
		}
		return true
	})
	// The header and the flags have to agree.
	if want, ok := ways[p.Type]; err == nil && (!ok || flags != want) {
		err = fmt.Errorf("packet type %d, flags %#x", p.Type, flags)
	}
	if err == nil && r.order.Uint32(b) != 0 {
		err = fmt.Errorf("interface %d", r.order.Uint32(b))
	}
	s.Packets = append(s.Packets, p)
	return err
}

func (r *reader) statistics(s *Section, b []byte) error {
	if len(b) < 12 || r.order.Uint32(b) != 0 {
		return fmt.Errorf("%x", b)
	}
	s.Whole = true
	return r.options(b[12:], func(code uint16, value []byte) bool {
		switch {
		case code == 4 && len(value) == 8:
			s.Seen = r.order.Uint64(value)
		case code == 5 && len(value) == 8:
			s.Dropped = r.order.Uint64(value)
		default:
			return false
		}
		return true
	})
}

// time reads a time.
func (r *reader) time(b []byte) time.Time {
	return time.Unix(0, int64(uint64(r.order.Uint32(b))<<32|uint64(r.order.Uint32(b[4:]))))
}

// options reads a list of options, which has to be well-formed and to end with the
// block. known returns false for an option that does not belong there.
func (r *reader) options(b []byte, known func(code uint16, value []byte) bool) error {
	for len(b) >= 4 {
		code, n := r.order.Uint16(b), int(r.order.Uint16(b[2:]))
		padded := (n + 3) &^ 3
		if code == 0 {
			if n != 0 || len(b) != 4 {
				return fmt.Errorf("end of options of %d bytes, %d follow", n, len(b)-4)
			}
			return nil
		}
		if padded > len(b)-4 || !zero(b[4+n:4+padded]) || !known(code, b[4:4+n]) {
			return fmt.Errorf("option %d of %d bytes", code, n)
		}
		b = b[4+padded:]
	}
	return fmt.Errorf("options without an end")
}

func zero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }
