package ethtool_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/ethtool"
)

func TestBitset(t *testing.T) {
	bit := func(i uint32, name string, value bool) ethtool.BitsetBit {
		return ethtool.BitsetBit{Index: ynl.U32(i), Name: ynl.Some(name), Value: value}
	}
	for _, c := range []struct {
		name string
		set  *ethtool.Bitset
		want []string
	}{
		{"none", nil, nil},
		{"empty", &ethtool.Bitset{}, nil},
		{"with a mask", &ethtool.Bitset{Bits: &ethtool.BitsetBits{Bit: []ethtool.BitsetBit{bit(0, "a", true), bit(1, "b", false), bit(5, "c", true)}}}, []string{"a", "c"}},
		{"without", &ethtool.Bitset{Nomask: true, Bits: &ethtool.BitsetBits{Bit: []ethtool.BitsetBit{bit(0, "a", false), bit(5, "c", false)}}}, []string{"a", "c"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.set.Names(); !slices.Equal(got, c.want) {
				t.Errorf("Names is %q, want %q", got, c.want)
			}
			for i, name := range []string{0: "a", 1: "b", 5: "c"} {
				if want := name != "" && slices.Contains(c.want, name); c.set.Has(name) != want || c.set.HasIndex(uint32(i)) != want {
					t.Errorf("Has(%q) is %t, HasIndex(%d) %t, want %t", name, c.set.Has(name), i, c.set.HasIndex(uint32(i)), want)
				}
			}
		})
	}
}

func ExampleBitset_Set() {
	var wanted ethtool.Bitset
	wanted.Set("tx-scatter-gather", true).Set("rx-gro", false).Set("rx-gro", true)
	fmt.Println(wanted.Names())
	// Output: [tx-scatter-gather rx-gro]
}
