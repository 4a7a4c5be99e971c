package wire_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// The length is set and the end is padded, so that messages can follow each other in a
// datagram.
func ExampleAppendMessage() {
	datagram := wire.AppendMessage(nil, wire.Message{
		Header:  wire.Header{Type: 20, Flags: netlink.NLM_F_REQUEST, Seq: 7},
		Payload: []byte("abcde"),
	})
	var m wire.Message
	rest, err := m.Decode(datagram)
	fmt.Println(len(datagram), m.Header.Length, len(rest), err)
	// Output: 24 21 0 <nil>
}

// Decode returns the part of a truncated message that is there.
func ExampleMessage_Decode() {
	datagram := wire.AppendMessage(nil, wire.Message{
		Header:  wire.Header{Type: 20, Seq: 7},
		Payload: []byte("abcdefgh"),
	})
	var m wire.Message
	_, err := m.Decode(datagram[:20])
	fmt.Println(errors.Is(err, wire.ErrMalformed))
	fmt.Printf("seq %d: %q of %d bytes\n", m.Header.Seq, m.Payload, m.Header.Length-wire.HeaderLen)
	// Output:
	// true
	// seq 7: "abcd" of 8 bytes
}

// A family's header is read into a struct; the attributes follow.
func ExampleMessage_Struct() {
	var b wire.Builder
	b.Struct(&ifinfomsg{Index: 1})
	b.String(3, "lo")   // IFLA_IFNAME
	b.Uint32(4, 64<<10) // IFLA_MTU
	payload, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}

	var link ifinfomsg
	attrs, err := wire.Message{Payload: payload}.Struct(&link)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("index", link.Index)
	d := wire.NewDecoder(attrs)
	for d.Next() {
		switch d.Type() {
		case 3:
			fmt.Println("name", d.String())
		case 4:
			fmt.Println("mtu", d.Uint32())
		}
	}
	if err := d.Err(); err != nil {
		log.Fatal(err)
	}

	_, err = wire.Message{Payload: make([]byte, 7)}.Struct(&link)
	fmt.Println("malformed:", errors.Is(err, wire.ErrMalformed))
	// Output:
	// index 1
	// name lo
	// mtu 65536
	// malformed: true
}

// Messages change with their buffer. A Clone does not.
func ExampleMessage_Clone() {
	buffer := wire.AppendMessage(nil, wire.Message{Payload: []byte("first")})
	var m wire.Message
	if _, err := m.Decode(buffer); err != nil {
		log.Fatal(err)
	}
	kept := m.Clone()
	copy(buffer[wire.HeaderLen:], "other")
	fmt.Printf("%s %s\n", m.Payload, kept.Payload)
	// Output: other first
}
