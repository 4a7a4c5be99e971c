package tc

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Handle returns the handle of a class, or with minor 0 that of a qdisc. Tools write it
// as major:minor in hexadecimal.
func Handle(major, minor uint16) uint32 { return uint32(major)<<16 | uint32(minor) }

// FormatHandle returns a handle as the tools write it: "1:10", "1:" for a qdisc, "root",
// "ingress" and "none".
func FormatHandle(h uint32) string {
	switch h {
	case TC_H_UNSPEC:
		return "none"
	case TC_H_ROOT:
		return "root"
	case TC_H_INGRESS:
		return "ingress"
	}
	major, minor := strconv.FormatUint(uint64(h>>16), 16), strconv.FormatUint(uint64(h&0xffff), 16)
	switch {
	case h>>16 == 0:
		major = ""
	case h&0xffff == 0:
		minor = ""
	}
	return major + ":" + minor
}

// ParseHandle is the reverse of [FormatHandle]. It takes "clsact" for "ingress" as well.
func ParseHandle(s string) (uint32, error) {
	switch s {
	case "none":
		return TC_H_UNSPEC, nil
	case "root":
		return TC_H_ROOT, nil
	case "ingress", "clsact":
		return TC_H_INGRESS, nil
	}
	var h uint32
	before, after, ok := strings.Cut(s, ":")
	for _, part := range []string{before, after} {
		h <<= 16
		if part == "" {
			continue
		}
		n, err := strconv.ParseUint(part, 16, 16)
		if err != nil {
			ok = false
		}
		h |= uint32(n)
	}
	if !ok || s == ":" {
		return 0, fmt.Errorf("handle %q: want major:minor in hexadecimal, root, ingress or none", s)
	}
	return h, nil
}

// Block returns the header of a request about the filters of a shared block, instead of
// those of an interface and a parent.
func Block(index uint32) Tcmsg { return Tcmsg{Ifindex: TCM_IFINDEX_MAGIC_BLOCK, Parent: index} }

// FilterInfo returns the member Info of a filter: its priority and the protocol of the
// packets, such as unix.ETH_P_IP.
func FilterInfo(priority, protocol uint16) uint32 {
	return uint32(priority)<<16 | uint32(swapped(protocol))
}

// Priority returns the priority in the Info of a filter.
func (m *Tcmsg) Priority() uint16 { return uint16(m.Info >> 16) }

// Protocol returns the protocol in the Info of a filter, such as unix.ETH_P_IP.
func (m *Tcmsg) Protocol() uint16 { return swapped(uint16(m.Info)) }

// swapped turns a number in the order of the machine into one in network order, and back.
func swapped(n uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return binary.NativeEndian.Uint16(b[:])
}

// tick is the unit of times in rates and bursts (PSCHED_SHIFT in the kernel).
const tick = 64 * time.Nanosecond

// Ticks returns a time in the unit that the kernel has for latencies and buffers, at most
// the largest that fits.
func Ticks(d time.Duration) uint32 {
	return uint32(min(max(d/tick, 0), math.MaxUint32))
}

// TickTime is the reverse of [Ticks].
func TickTime(ticks uint32) time.Duration { return time.Duration(ticks) * tick }

// BurstTicks returns the time that a number of bytes takes at a rate in bytes a second,
// in ticks: the buffer of an HTB class, of tbf and of a police action. It is at most the
// largest that fits.
func BurstTicks(size uint32, rate uint64) uint32 {
	hi, lo := bits.Mul64(uint64(size), uint64(time.Second))
	if rate == 0 || hi >= rate {
		return math.MaxUint32
	}
	ns, _ := bits.Div64(hi, lo, rate)
	return uint32(min(ns/uint64(tick), math.MaxUint32))
}

// Rate returns a rate in bytes a second for the 32 bits of a [TcRatespec], and for the
// attribute that has 64. The latter is needed only if ok is false.
func Rate(rate uint64) (spec TcRatespec, ok bool) {
	if rate > math.MaxUint32 {
		return TcRatespec{Rate: math.MaxUint32}, false
	}
	return TcRatespec{Rate: uint32(rate)}, true
}

// rateTableLen is the number of entries of a table of transmission times.
const rateTableLen = 256

// RateTable returns the table of transmission times that a police action needs for its
// rate, and sets what belongs to it in r. mtu is the largest packet, 2047 if it is 0.
//
// The kernel does not look up times in the table, but refuses an action without it
// (qdisc_get_rtab).
func RateTable(r *TcRatespec, mtu uint32) []byte {
	if mtu == 0 {
		mtu = 2047
	}
	r.CellLog, r.CellAlign = 1, -1
	for mtu>>r.CellLog >= rateTableLen {
		r.CellLog++
	}
	table := make([]byte, 0, 4*rateTableLen)
	for i := range uint32(rateTableLen) {
		size := max((i+1)<<r.CellLog, uint32(r.Mpu))
		table = binary.NativeEndian.AppendUint32(table, BurstTicks(size, uint64(r.Rate)))
	}
	return table
}
