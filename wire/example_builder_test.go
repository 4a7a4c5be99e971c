package wire_test

import (
	"fmt"
	"log"
	"math"

	"github.com/nlmux/netlink/wire"
)

// One Builder for many requests: it keeps its memory, and the result of Encode is valid
// until the next use.
func ExampleBuilder_Reset() {
	var b wire.Builder
	for _, name := range []string{"lo", "eth0"} {
		b.Reset()
		b.String(3, name) // IFLA_IFNAME
		payload, err := b.Encode()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(payload), "bytes")
	}
	// Output:
	// 8 bytes
	// 12 bytes
}

// Errors need to be checked only once: the first one sticks.
func ExampleBuilder_Encode() {
	var b wire.Builder
	b.String(3, "eth\x000")
	b.Uint32(4, 1500)
	_, err := b.Encode()
	fmt.Println(err)
	// Output: wire: attribute type 3: NUL in string "eth\x000"
}

// A caller adds errors of its own, and checks for them where it checks for the others.
func ExampleBuilder_Fail() {
	var b wire.Builder
	mtu := uint64(1 << 40)
	if mtu > math.MaxUint32 {
		b.Fail(fmt.Errorf("MTU %d is too large", mtu))
	}
	b.Uint32(4, uint32(mtu)) // IFLA_MTU
	_, err := b.Encode()
	fmt.Println(err)
	// Output: MTU 1099511627776 is too large
}

// Families have big-endian integers, integers of variable size, and flags without a
// value.
func ExampleBuilder_Uint32BE() {
	var b wire.Builder
	b.Uint32BE(1, 80)
	b.Int(2, -1)
	b.Uint(3, 1<<40)
	b.Flag(4)
	attributes, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}
	for a, err := range wire.Attrs(attributes) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(a.Type, len(a.Value))
	}
	// Output:
	// 1 4
	// 2 4
	// 3 8
	// 4 0
}

// Attributes are copied from one message to another.
func ExampleBuilder_Raw() {
	var b wire.Builder
	b.String(3, "lo")
	encoded, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}

	var outer wire.Builder
	outer.Nest(18, func(b *wire.Builder) { b.Raw(encoded) })
	payload, err := outer.Encode()
	if err != nil {
		log.Fatal(err)
	}
	a, _, err := wire.NextAttr(payload)
	fmt.Println(a.Type, a.Nested, len(a.Value), err)
	// Output: 18 true 8 <nil>
}
