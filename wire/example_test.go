package wire_test

import (
	"errors"
	"fmt"
	"log"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

func ExampleMessages() {
	datagram := wire.AppendMessage(nil, wire.Message{
		Header:  wire.Header{Type: 20, Flags: netlink.NLM_F_MULTI, Seq: 7},
		Payload: []byte("payload"),
	})
	datagram = wire.AppendMessage(datagram, wire.Message{
		Header: wire.Header{Type: netlink.NLMSG_DONE, Flags: netlink.NLM_F_MULTI, Seq: 7},
	})

	for m, err := range wire.Messages(datagram) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("type %d, seq %d, %q\n", m.Header.Type, m.Header.Seq, m.Payload)
	}
	// Output:
	// type 20, seq 7, "payload"
	// type 3, seq 7, ""
}

// ifinfomsg is struct ifinfomsg of linux/rtnetlink.h. On Linux it is also
// unix.IfInfomsg.
type ifinfomsg struct {
	Family        uint8
	_             uint8
	Type          uint16
	Index         int32
	Flags, Change uint32
}

// A family's header, then attributes.
func ExampleBuilder() {
	var b wire.Builder
	b.Struct(&ifinfomsg{Index: 1})
	b.String(3, "lo")                     // IFLA_IFNAME
	b.Uint32(4, 65536)                    // IFLA_MTU
	b.Nest(18, func(link *wire.Builder) { // IFLA_LINKINFO
		link.String(1, "dummy") // IFLA_INFO_KIND
	})
	payload, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(payload), "bytes")
	// Output: 48 bytes
}

func ExampleAttrs() {
	var b wire.Builder
	b.String(3, "lo")
	b.Uint32(4, 65536)
	b.Nest(18, func(link *wire.Builder) { link.String(1, "dummy") })
	attributes, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}

	for a, err := range wire.Attrs(attributes) {
		if err != nil {
			log.Fatal(err)
		}
		switch a.Type {
		case 3:
			fmt.Println("name", a.String())
		case 4:
			mtu, err := a.Uint32()
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println("mtu", mtu)
		case 18:
			for info, err := range a.Attrs() {
				if err != nil {
					log.Fatal(err)
				}
				if info.Type == 1 {
					fmt.Println("kind", info.String())
				}
			}
		}
	}
	// Output:
	// name lo
	// mtu 65536
	// kind dummy
}

func ExampleDecoder() {
	var b wire.Builder
	b.String(3, "lo")
	b.Uint32(4, 65536)
	b.Nest(18, func(link *wire.Builder) { link.String(1, "dummy") })
	attributes, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}

	var link struct {
		Name, Kind string
		MTU        uint32
	}
	d := wire.NewDecoder(attributes)
	for d.Next() {
		switch d.Type() {
		case 3: // IFLA_IFNAME
			link.Name = d.String()
		case 4: // IFLA_MTU
			link.MTU = d.Uint32()
		case 18: // IFLA_LINKINFO
			d.Nest(func() {
				for d.Next() {
					if d.Type() == 1 { // IFLA_INFO_KIND
						link.Kind = d.String()
					}
				}
			})
		}
	}
	fmt.Printf("%+v %v\n", link, d.Err())
	// Output: {Name:lo Kind:dummy MTU:65536} <nil>
}

func ExampleParseAck() {
	// The refusal of a request, as a socket receives it: the errno, the
	// request's header, an explanation.
	var b wire.Builder
	b.Struct(&nlmsgerr{Error: -19, Request: wire.Header{Length: wire.HeaderLen, Type: 16, Seq: 7}})
	b.String(1, "Device does not exist") // NLMSGERR_ATTR_MSG
	payload, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}
	m := wire.Message{
		Header: wire.Header{
			Type:  netlink.NLMSG_ERROR,
			Flags: netlink.NLM_F_CAPPED | netlink.NLM_F_ACK_TLVS,
			Seq:   7,
		},
		Payload: payload,
	}

	refusal, err := wire.ParseAck(m)
	switch {
	case err != nil:
		log.Fatal(err)
	case refusal == nil:
		fmt.Println("success")
	default:
		fmt.Printf("request %d: errno %d: %s\n", refusal.Request, refusal.Errno, refusal.Ext.Message)
		fmt.Println(errors.Is(refusal, syscall.Errno(19)))
	}
	// Output:
	// request 16: errno 19: Device does not exist
	// true
}

// The kernel explains a refusal by an offset in the request.
func ExampleExtAck_Path() {
	var b wire.Builder
	b.Struct(&ifinfomsg{})
	b.Nest(18, func(link *wire.Builder) { // IFLA_LINKINFO
		link.String(1, "bridge")             // IFLA_INFO_KIND
		link.Nest(2, func(b *wire.Builder) { // IFLA_INFO_DATA
			b.Uint16(1, 1) // IFLA_BR_FORWARD_DELAY, which has 4 bytes
		})
	})
	payload, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}

	refused := wire.ExtAck{Offset: 52, HasOffset: true}
	fmt.Println(refused.Path(wire.Message{Payload: payload}, 16))
	missing := wire.ExtAck{MissingType: 9, HasMissingType: true, MissingNest: 32, HasMissingNest: true}
	fmt.Println(missing.Path(wire.Message{Payload: payload}, 16))
	// Output:
	// [18 2 1]
	// [18 9]
}
