package wire_test

import (
	"errors"
	"fmt"
	"io/fs"
	"log"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// nlmsgerr is struct nlmsgerr of linux/netlink.h.
type nlmsgerr struct {
	Error   int32
	Request wire.Header
}

// A success can have a warning, which ParseAck does not read.
func ExampleDecodeAck() {
	var b wire.Builder
	b.Struct(&nlmsgerr{})
	b.String(1, "this is deprecated") // NLMSGERR_ATTR_MSG
	payload, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}
	ack, err := wire.DecodeAck(wire.Message{
		Header:  wire.Header{Type: netlink.NLMSG_ERROR, Flags: netlink.NLM_F_CAPPED | netlink.NLM_F_ACK_TLVS},
		Payload: payload,
	})
	fmt.Println(ack.Errno == 0, ack.Ext.Message, err)
	// Output: true this is deprecated <nil>
}

// HWSIM_CMD_NEW_RADIO returns the id of the new radio as a positive code.
func ExampleDecodeAck_code() {
	var b wire.Builder
	b.Struct(&nlmsgerr{Error: 3})
	payload, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}
	ack, err := wire.DecodeAck(wire.Message{
		Header:  wire.Header{Type: netlink.NLMSG_ERROR, Flags: netlink.NLM_F_CAPPED},
		Payload: payload,
	})
	fmt.Println(ack.Errno == 0, ack.Code, err)
	// Output: true 3 <nil>
}

// The parts of a refusal, for programs and for people. The kernel refused the attribute
// at Offset.
func ExampleKernelError() {
	var err error = &wire.KernelError{
		Errno:   syscall.Errno(2), // ENOENT
		Request: 18,
		Ext:     wire.ExtAck{Message: "no such thing", Offset: 20, HasOffset: true},
	}
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	var refusal *wire.KernelError
	if errors.As(err, &refusal) && refusal.Ext.HasOffset {
		fmt.Println(refusal.Ext.Message, "at", refusal.Ext.Offset)
	}
	// Output:
	// true
	// no such thing at 20
}
