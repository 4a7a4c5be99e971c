package genl_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/genl"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

// genlmsghdr is struct genlmsghdr of linux/genetlink.h, before the attributes.
type genlmsghdr struct {
	Cmd, Version uint8
	_            uint16
}

// A test of a program that listens to a family, with a scripted kernel.
func ExampleParseMessage() {
	const (
		familyID = 30
		group    = 7
	)
	k := nltest.New(netlink.NETLINK_GENERIC, nil)
	c := k.Dial()
	defer c.Close()
	if err := c.AddMembership(group); err != nil {
		fmt.Println(err)
		return
	}
	var b wire.Builder
	b.Struct(&genlmsghdr{Cmd: 5, Version: 1})
	payload, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}
	k.Push(group, wire.Message{Header: wire.Header{Type: familyID}, Payload: payload})

	e := <-c.Receive()
	m, err := genl.ParseMessage(e.Message)
	fmt.Println(m.Command, m.Version, len(m.Payload), err)
	// Output: 5 1 0 <nil>
}

// The controller announces a new family.
func ExampleParseFamily() {
	const (
		ctrlCmdNewFamily   = 1 // CTRL_CMD_NEWFAMILY
		ctrlAttrFamilyID   = 1 // CTRL_ATTR_FAMILY_ID
		ctrlAttrFamilyName = 2 // CTRL_ATTR_FAMILY_NAME
	)
	var b wire.Builder
	b.Struct(&genlmsghdr{Cmd: ctrlCmdNewFamily, Version: 2})
	b.Uint16(ctrlAttrFamilyID, 30)
	b.String(ctrlAttrFamilyName, "wireguard")
	payload, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}

	m, err := genl.ParseMessage(wire.Message{Header: wire.Header{Type: 16}, Payload: payload})
	if err != nil {
		log.Fatal(err)
	}
	f, err := genl.ParseFamily(m)
	fmt.Println(m.Command, f.Name, uint16(f.ID), err)
	// Output: 1 wireguard 30 <nil>
}

// A Family made by hand is used as it is, without a look-up. Replies of another version
// are returned with an error.
func ExampleFamily_Request_version() {
	c := nltest.Dial(netlink.NETLINK_GENERIC, func(req wire.Message) []wire.Message {
		var b wire.Builder
		b.Struct(&genlmsghdr{Cmd: 5, Version: 2})
		payload, err := b.Encode()
		if err != nil {
			log.Fatal(err)
		}
		return []wire.Message{{Header: wire.Header{Type: req.Header.Type}, Payload: payload}}
	})
	defer c.Close()

	f := genl.Family{ID: 30, Version: 1}
	replies, err := f.Request(context.Background(), c, 5, nil, 0)
	fmt.Println(len(replies), errors.Is(err, genl.ErrVersion))
	// Output: 1 true
}

// A test of a program that resolves a family. The handler plays both the controller,
// "nlctrl", and the family.
func Example_test() {
	const (
		ctrlID           = 16 // GENL_ID_CTRL
		ctrlCmdNewFamily = 1  // CTRL_CMD_NEWFAMILY
		echoID           = 30
	)
	c := nltest.Dial(netlink.NETLINK_GENERIC, func(req wire.Message) []wire.Message {
		reply := wire.Message{Header: wire.Header{Type: req.Header.Type}}
		if req.Header.Type == ctrlID {
			var b wire.Builder
			b.Struct(&genlmsghdr{Cmd: ctrlCmdNewFamily, Version: 2})
			b.Uint16(1, echoID) // CTRL_ATTR_FAMILY_ID
			b.String(2, "echo") // CTRL_ATTR_FAMILY_NAME
			b.Uint32(3, 1)      // CTRL_ATTR_VERSION
			reply.Payload, _ = b.Encode()
		} else {
			reply.Payload = req.Payload
		}
		return []wire.Message{reply}
	})
	defer c.Close()

	ctx := context.Background()
	f, err := genl.Resolve(ctx, c, "echo")
	if err != nil {
		log.Fatal(err)
	}
	replies, err := f.Request(ctx, c, 7, []byte("attributes"), 0)
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range replies {
		fmt.Printf("%d %s\n", m.Command, m.Payload)
	}
	// Output: 7 attributes
}

// What a command can do, and who may use it.
func ExampleOpFlags_String() {
	op := genl.Op{Command: 5, Flags: genl.GENL_CMD_CAP_DO | genl.GENL_UNS_ADMIN_PERM}
	fmt.Println(op.Flags, op.Flags&genl.GENL_CMD_CAP_DUMP != 0)
	// Output: CMD_CAP_DO|UNS_ADMIN_PERM false
}
