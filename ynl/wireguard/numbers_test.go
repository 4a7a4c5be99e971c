package wireguard_test

import (
	"testing"

	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl/wireguard"
)

// TestNumbers sends peers as the kernel does, all with the number 0, and reads them
// without keeping the list as unknown, too.
func TestNumbers(t *testing.T) {
	var b wire.Builder
	(&wireguard.Device{Peers: make([]wireguard.Peer, 2)}).Encode(&b)
	payload, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for list, err := range wire.Attrs(payload) {
		if err != nil {
			t.Fatal(err)
		}
		for peer, err := range wire.Attrs(list.Value) {
			if err != nil || peer.Type != 0 {
				t.Errorf("a peer has the number %d: %v", peer.Type, err)
			}
		}
	}
	var d wireguard.Device
	if err := d.Decode(payload); err != nil {
		t.Fatal(err)
	}
	if len(d.Peers) != 2 || d.Unknown != nil {
		t.Errorf("%d peers, unknown %x", len(d.Peers), d.Unknown)
	}
}
