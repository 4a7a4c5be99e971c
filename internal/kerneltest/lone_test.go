//go:build linux

package kerneltest

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// nftGetElements requests elements of a set.
const nftGetElements netlink.MessageType = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETSETELEM

// manyElements creates a set of n numbers, and returns the payload of a request for all
// of them by their keys. The kernel replies to each key with a message
// (nf_tables_getsetelem in net/netfilter/nf_tables_api.c).
func manyElements(t *testing.T, ns *nstest.NS, n int) []byte {
	t.Helper()
	c := dialNetfilter(t, ns, "nf_tables", nftGetTable)
	elements := func(b *wire.Builder) {
		b.String(unix.NFTA_SET_ELEM_LIST_TABLE, "table")
		b.String(unix.NFTA_SET_ELEM_LIST_SET, "set")
		b.Nest(unix.NFTA_SET_ELEM_LIST_ELEMENTS, func(b *wire.Builder) {
			for i := range uint32(n) {
				b.Nest(unix.NFTA_LIST_ELEM, func(b *wire.Builder) {
					b.Nest(unix.NFTA_SET_ELEM_KEY, func(b *wire.Builder) { b.Uint32BE(unix.NFTA_DATA_VALUE, i) })
				})
			}
		})
	}
	if _, err := c.Batch(Patient(t), unix.NFNL_SUBSYS_NFTABLES, []client.BatchMessage{
		nftTable(t, create, "table"),
		nft(t, unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWSET, create, func(b *wire.Builder) {
			b.String(unix.NFTA_SET_TABLE, "table")
			b.String(unix.NFTA_SET_NAME, "set")
			b.Uint32BE(unix.NFTA_SET_KEY_LEN, 4)
			b.Uint32BE(unix.NFTA_SET_ID, 1)
		}),
		nft(t, unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWSETELEM, create, elements),
	}); err != nil {
		t.Fatal(err)
	}
	return Build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET}, elements)
}

// TestLoneRequestWithManyReplies: one request of an idle Conn is answered by 300
// messages. All are returned if the receive buffer can hold them. If not, the error
// names WithReceiveBuffer, and the Conn stays usable.
func TestLoneRequestWithManyReplies(t *testing.T) {
	const n = 300
	ns := nstest.New(t)
	payload := manyElements(t, ns, n)
	large := Dial(t, ns, netlink.NETLINK_NETFILTER, client.WithReceiveBuffer(4<<20))
	for range 3 {
		msgs := Request(t, large, nftGetElements, payload, 0)
		if len(msgs) != n {
			t.Fatalf("%d replies, want %d", len(msgs), n)
		}
		for i, m := range msgs {
			if key := elementKey(t, m); key != uint32(i) {
				t.Fatalf("reply %d has key %d", i, key)
			}
		}
	}
	NoLosses(t, large)

	for _, buffer := range []int{4 << 10, 64 << 10} {
		c := Dial(t, ns, netlink.NETLINK_NETFILTER, client.WithReceiveBuffer(buffer))
		msgs, err := c.Request(Patient(t), nftGetElements, payload, 0)
		switch {
		case len(msgs) == n && err == nil:
			// The Conn read while the kernel sent, as on a slow or busy machine.
		case err == nil:
			t.Errorf("%d replies in a buffer of %d bytes", len(msgs), c.Stats().ReceiveBuffer)
		case len(msgs) != 0 || !errors.Is(err, client.ErrReplyLost) || !strings.Contains(err.Error(), "WithReceiveBuffer"):
			t.Errorf("%d replies, %v; want an error that names WithReceiveBuffer", len(msgs), err)
		}
		if err := c.Noop(Patient(t)); err != nil {
			t.Errorf("then: %v", err)
		}
		if n := c.Stats().Pending; n != 0 {
			t.Errorf("%d pending", n)
		}
	}
}

// elementKey returns the key of the element in a reply.
func elementKey(t *testing.T, m wire.Message) uint32 {
	t.Helper()
	var h unix.Nfgenmsg
	for element := range Unpack(t, m, &h)[unix.NFTA_SET_ELEM_LIST_ELEMENTS].Attrs() {
		for a := range element.Attrs() {
			if a.Type != unix.NFTA_SET_ELEM_KEY {
				continue
			}
			for value := range a.Attrs() {
				return binary.BigEndian.Uint32(value.Value)
			}
		}
	}
	t.Fatalf("no key in %+v", m)
	return 0
}
