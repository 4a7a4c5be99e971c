package wire_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/nlmux/netlink/wire"
)

// Getters take a value of exactly their size.
func ExampleAttr() {
	var b wire.Builder
	b.Uint16BE(1, 443)
	b.Int(2, -7)
	attributes, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}
	for a, err := range wire.Attrs(attributes) {
		if err != nil {
			log.Fatal(err)
		}
		switch a.Type {
		case 1:
			port, err := a.Uint16BE()
			fmt.Println(port, err)
			_, err = a.Uint32()
			fmt.Println("malformed:", errors.Is(err, wire.ErrMalformed))
		case 2:
			n, err := a.Int()
			fmt.Println(n, err)
		}
	}
	// Output:
	// 443 <nil>
	// malformed: true
	// -7 <nil>
}

// A search that stops at the attribute, without a closure.
func ExampleNextAttr() {
	var b wire.Builder
	b.Uint32(4, 1500)
	b.String(3, "eth0")
	b.Uint32(13, 1000)
	rest, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}
	for len(rest) > 0 {
		var a wire.Attr
		if a, rest, err = wire.NextAttr(rest); err != nil {
			log.Fatal(err)
		}
		if a.Type == 3 {
			fmt.Println(a.String())
			break
		}
	}
	// Output: eth0
}
