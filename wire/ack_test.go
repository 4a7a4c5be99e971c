package wire_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// The numbers of the attributes of an acknowledgement.
const (
	extMsg = 1 + iota
	extOffs
	extCookie
	extPolicy
	extMissType
	extMissNest
)

const (
	capped = netlink.NLM_F_CAPPED
	tlvs   = netlink.NLM_F_ACK_TLVS
)

// ack makes an NLMSG_ERROR or NLMSG_DONE with seq 7 of the parts of its payload.
func ack(typ netlink.MessageType, flags netlink.Flags, parts ...any) wire.Message {
	return wire.Message{Header: wire.Header{Type: typ, Flags: flags, Seq: 7, PortID: 9}, Payload: native(parts...)}
}

// ext encodes the attributes of an acknowledgement.
func ext(f func(b *wire.Builder)) []byte {
	var b wire.Builder
	f(&b)
	p, err := b.Encode()
	if err != nil {
		panic(err)
	}
	return p
}

// asAck returns what a KernelError shares with an Ack.
func asAck(e *wire.KernelError) wire.Ack {
	return wire.Ack{Errno: e.Errno, Request: e.Request, Seq: e.Seq, Ext: e.Ext, Echo: e.Echo}
}

// echoOf reads the request that an acknowledgement echoes.
func echoOf(t *testing.T, b []byte) wire.Message {
	t.Helper()
	var m wire.Message
	if _, err := m.Decode(b); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDecodeAck(t *testing.T) {
	const failed, done = netlink.NLMSG_ERROR, netlink.NLMSG_DONE
	request := header(16, 20, 5, 7, 9)
	long := native(header(19, 20, 5, 7, 9), "abc\x00") // padded by the kernel
	msg := ext(func(b *wire.Builder) { b.String(extMsg, "why") })
	all := ext(func(b *wire.Builder) {
		b.String(extMsg, "why")
		b.Uint32(extOffs, 24)
		b.Bytes(extCookie, []byte("cookie"))
		b.Nest(extPolicy, func(b *wire.Builder) { b.Uint32(1, 2) })
		b.Uint32(extMissType, 3)
		b.Uint32(extMissNest, 40)
		b.Uint32(99, 1) // of a later kernel
	})
	allDecoded := wire.ExtAck{
		Message: "why",
		Offset:  24, HasOffset: true,
		Cookie:      []byte("cookie"),
		Policy:      native(uint16(8), uint16(1), uint32(2)),
		MissingType: 3, HasMissingType: true,
		MissingNest: 40, HasMissingNest: true,
	}
	why := wire.ExtAck{Message: "why"}
	echo := echoOf(t, long)
	if len(echo.Payload) == 0 {
		t.Fatal("the request has no payload")
	}

	for _, tt := range []struct {
		name string
		in   wire.Message
		want wire.Ack
	}{
		{"success", ack(failed, capped, int32(0), request), wire.Ack{Request: 20, Seq: 7}},
		{"success with a warning", ack(failed, capped|tlvs, int32(0), request, msg), wire.Ack{Request: 20, Seq: 7, Ext: why}},
		{"success with a number of the family", ack(failed, capped, int32(7), request), wire.Ack{Code: 7, Request: 20, Seq: 7}},
		{"success with a number, not capped, and a warning", ack(failed, tlvs, int32(7), long, msg), wire.Ack{Code: 7, Request: 20, Seq: 7, Ext: why, Echo: echo}},
		{"refusal, capped", ack(failed, capped, int32(-19), header(300, 20, 5, 7, 9)), wire.Ack{Errno: 19, Request: 20, Seq: 7}},
		{"refusal, capped, explained", ack(failed, capped|tlvs, int32(-19), header(300, 20, 5, 7, 9), all), wire.Ack{Errno: 19, Request: 20, Seq: 7, Ext: allDecoded}},
		{"refusal, uncapped", ack(failed, 0, int32(-19), long), wire.Ack{Errno: 19, Request: 20, Seq: 7, Echo: echo}},
		{"refusal, uncapped, explained", ack(failed, tlvs, int32(-19), long, all), wire.Ack{Errno: 19, Request: 20, Seq: 7, Ext: allDecoded, Echo: echo}},
		{"attributes without their flag", ack(failed, capped, int32(-19), request, msg), wire.Ack{Errno: 19, Request: 20, Seq: 7}},
		{"flag without attributes", ack(failed, capped|tlvs, int32(-19), request), wire.Ack{Errno: 19, Request: 20, Seq: 7}},

		{"done", ack(done, 2, int32(0)), wire.Ack{Seq: 7}},
		{"done, empty", ack(done, 2), wire.Ack{Seq: 7}},
		{"done, empty with the flag", ack(done, 2|tlvs), wire.Ack{Seq: 7}},
		{"done with a warning", ack(done, 2|tlvs, int32(0), msg), wire.Ack{Seq: 7, Ext: why}},
		{"done with a number", ack(done, 2, int32(1)), wire.Ack{Code: 1, Seq: 7}},
		{"done, refused", ack(done, 2, int32(-22)), wire.Ack{Errno: 22, Seq: 7}},
		{"done, refused and explained", ack(done, 2|tlvs, int32(-22), all), wire.Ack{Errno: 22, Seq: 7, Ext: allDecoded}},
		{"done, flag without attributes", ack(done, 2|tlvs, int32(-22)), wire.Ack{Errno: 22, Seq: 7}},
		// On a DONE the bit has another meaning, or none.
		{"done, flag CAPPED", ack(done, 2|tlvs|capped, int32(-22), msg), wire.Ack{Errno: 22, Seq: 7, Ext: why}},

		{"largest code", ack(failed, capped, int32(math.MaxInt32), request), wire.Ack{Code: math.MaxInt32, Request: 20, Seq: 7}},
		{"positive code without an echo", ack(failed, 0, int32(1)), wire.Ack{Code: 1, Seq: 7}},
		{"largest errno", ack(done, 2, int32(-4095)), wire.Ack{Errno: 4095, Seq: 7}},
		{"code of ipset", ack(done, 2, int32(-4103)), wire.Ack{Errno: 4103, Seq: 7}},

		// From here on the bytes are malformed, except the errno.
		{"no echo", ack(failed, tlvs, int32(-19)), wire.Ack{Errno: 19, Seq: 7}},
		{"echo cut", ack(failed, capped|tlvs, int32(-19), request[:15]), wire.Ack{Errno: 19, Seq: 7}},
		{"echo longer than the message", ack(failed, tlvs, int32(-19), header(1<<32-1, 20, 5, 7, 9), msg), wire.Ack{Errno: 19, Request: 20, Seq: 7}},
		{"echo shorter than a header", ack(failed, tlvs, int32(-19), header(4, 20, 5, 7, 9), msg), wire.Ack{Errno: 19, Request: 20, Seq: 7}},
		{"attribute cut", ack(failed, capped|tlvs, int32(-19), request, msg, uint16(5), uint16(1)), wire.Ack{Errno: 19, Request: 20, Seq: 7, Ext: why}},
		{"attributes are noise", ack(failed, capped|tlvs, int32(-19), request, "\x01\x00\x01"), wire.Ack{Errno: 19, Request: 20, Seq: 7}},
		{
			"numbers of a wrong size",
			ack(done, 2|tlvs, int32(-22), ext(func(b *wire.Builder) {
				b.Uint16(extOffs, 1)
				b.Uint64(extMissType, 1)
				b.Flag(extMissNest)
				b.String(extMsg, "why")
			})),
			wire.Ack{Errno: 22, Seq: 7, Ext: why},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := tt.in.Clone()
			got, err := wire.DecodeAck(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			kerr, err := wire.ParseAck(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(tt.in, before) {
				t.Error("the message has changed")
			}
			// The result shares no memory with the buffer.
			clear(tt.in.Payload)
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("DecodeAck:\ngot  %+v\nwant %+v", got, tt.want)
			}
			if tt.want.Errno == 0 {
				if kerr != nil {
					t.Errorf("ParseAck = %+v for a success", kerr)
				}
				return
			}
			if kerr == nil || kerr.Path != "" || !reflect.DeepEqual(asAck(kerr), tt.want) {
				t.Errorf("ParseAck:\ngot  %+v\nwant %+v", kerr, tt.want)
			}
		})
	}
}

func TestDecodeAckMalformed(t *testing.T) {
	const failed, done = netlink.NLMSG_ERROR, netlink.NLMSG_DONE
	for _, tt := range []struct {
		name string
		in   wire.Message
		want string
	}{
		{"empty ERROR", ack(failed, 0), "wire: malformed: acknowledgement of 0 bytes has no errno"},
		{"ERROR cut in the errno", ack(failed, 0, "\xff\xff\xff"), "wire: malformed: acknowledgement of 3 bytes has no errno"},
		{"DONE cut in the errno", ack(done, 0, "\xff"), "wire: malformed: acknowledgement of 1 bytes has no errno"},
		{"code without a positive", ack(failed, 0, int32(math.MinInt32), header(16, 20, 0, 7, 9)), "wire: malformed: acknowledgement with error code -2147483648"},
		{"other type", ack(20, 0, int32(0)), "wire: message type 20 is not an acknowledgement"},
		{"NOOP", ack(netlink.NLMSG_NOOP, 0), "wire: message type 1 is not an acknowledgement"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := wire.DecodeAck(tt.in)
			if err == nil || err.Error() != tt.want || !reflect.DeepEqual(a, wire.Ack{}) {
				t.Errorf("DecodeAck = %+v, %v, want %s", a, err, tt.want)
			}
			kerr, err := wire.ParseAck(tt.in)
			if err == nil || err.Error() != tt.want || kerr != nil {
				t.Errorf("ParseAck = %+v, %v, want %s", kerr, err, tt.want)
			}
			if malformed := strings.Contains(tt.want, "malformed"); errors.Is(err, wire.ErrMalformed) != malformed {
				t.Errorf("errors.Is(err, ErrMalformed) = %v", !malformed)
			}
		})
	}
}

func TestKernelErrorText(t *testing.T) {
	text := "errno 19"
	if runtime.GOOS == "linux" {
		text = "no such device"
	}
	for _, tt := range []struct {
		in   wire.KernelError
		want string
	}{
		{wire.KernelError{Request: 20, Seq: 7}, "netlink: request type 20: %s"},
		{wire.KernelError{Seq: 7}, "netlink: request: %s"},
		{wire.KernelError{Request: 1}, "netlink: NLMSG_NOOP: %s"},
		{wire.KernelError{Request: 20, Name: "RTM_NEWADDR"}, "netlink: RTM_NEWADDR: %s"},
		{wire.KernelError{Ext: wire.ExtAck{Message: "why"}}, "netlink: request: %s: why"},
		{wire.KernelError{Ext: wire.ExtAck{Message: "why", HasOffset: true}}, "netlink: request: %s: why (at offset 0)"},
		{
			wire.KernelError{Ext: wire.ExtAck{HasMissingType: true, MissingType: 3}},
			"netlink: request: %s (missing attribute type 3)",
		},
		{
			wire.KernelError{Ext: wire.ExtAck{
				HasOffset: true, Offset: 24, HasMissingType: true, MissingType: 3, HasMissingNest: true, MissingNest: 40,
			}},
			"netlink: request: %s (at offset 24) (missing attribute type 3 in the nest at offset 40)",
		},
		{
			wire.KernelError{Path: "IFLA_LINKINFO > IFLA_INFO_KIND", Ext: wire.ExtAck{Message: "why", HasOffset: true, Offset: 36}},
			"netlink: request: %s: why (at IFLA_LINKINFO > IFLA_INFO_KIND)",
		},
		{
			wire.KernelError{Path: "1 > 3", Ext: wire.ExtAck{HasOffset: true, Offset: 36}},
			"netlink: request: %s (at attribute 1 > 3)",
		},
		{
			wire.KernelError{Path: "IFLA_IFNAME", Ext: wire.ExtAck{HasMissingType: true, MissingType: 3}},
			"netlink: request: %s (missing IFLA_IFNAME)",
		},
		{
			wire.KernelError{Path: "1 > 3", Ext: wire.ExtAck{HasOffset: true, Offset: 24, HasMissingType: true, MissingType: 3}},
			"netlink: request: %s (at offset 24) (missing attribute 1 > 3)",
		},
		// A path without an explanation explains nothing.
		{wire.KernelError{Path: "IFLA_IFNAME"}, "netlink: request: %s"},
	} {
		tt.in.Errno = 19
		if got, want := tt.in.Error(), fmt.Sprintf(tt.want, text); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestKernelErrorIs(t *testing.T) {
	kerr, err := wire.ParseAck(ack(netlink.NLMSG_DONE, 0, int32(-2)))
	if err != nil {
		t.Fatal(err)
	}
	err = fmt.Errorf("request: %w", kerr)
	var errno syscall.Errno
	if !errors.As(err, &errno) || errno != 2 {
		t.Errorf("errors.As gives errno %d, want 2", errno)
	}
	var target *wire.KernelError
	if !errors.As(err, &target) || target != kerr {
		t.Errorf("errors.As gives %v, want %v", target, kerr)
	}
	// The meaning of a number is known on Linux only.
	if runtime.GOOS == "linux" && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
	if errors.Is(err, wire.ErrMalformed) {
		t.Errorf("%v is ErrMalformed", err)
	}
}

func TestParseAckAllocs(t *testing.T) {
	request := header(16, 20, 5, 7, 9)
	warning := ext(func(b *wire.Builder) {
		b.String(extMsg, "why")
		b.Bytes(extCookie, []byte("cookie"))
	})
	for name, m := range map[string]wire.Message{
		"success":                ack(netlink.NLMSG_ERROR, capped, int32(0), request),
		"success with a warning": ack(netlink.NLMSG_ERROR, capped|tlvs, int32(0), request, warning),
		"positive code":          ack(netlink.NLMSG_ERROR, capped, int32(7), request),
		"done":                   ack(netlink.NLMSG_DONE, 2, int32(0)),
		"done, empty":            ack(netlink.NLMSG_DONE, 2),
	} {
		wantAllocs(t, 0, name, func() {
			if kerr, err := wire.ParseAck(m); kerr != nil || err != nil {
				t.Fatal(kerr, err)
			}
		})
	}
	// Bytes that are not in the message are not allocated.
	refusal := ack(netlink.NLMSG_ERROR, capped, int32(-17), header(300, 20, 5, 7, 9))
	wantAllocs(t, 1, "refusal", func() {
		if kerr, err := wire.ParseAck(refusal); kerr == nil || err != nil {
			t.Fatal(kerr, err)
		}
	})
}
