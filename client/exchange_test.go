package client_test

import (
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// ackWith makes an acknowledgement with a code and an attribute (1: text, 3: cookie).
func (req request) ackWith(t *testing.T, typ netlink.MessageType, code int32, attr uint16, value string) []byte {
	t.Helper()
	end := req.end(netlink.NLMSG_ERROR, 0)
	if typ == netlink.NLMSG_DONE {
		end = req.end(netlink.NLMSG_DONE, 0)
	}
	var m wire.Message
	if _, err := m.Decode(end); err != nil {
		t.Fatal(err)
	}
	var b wire.Builder
	b.Bytes(attr, append([]byte(value), 0))
	attrs, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	m.Payload = slices.Concat(binary.NativeEndian.AppendUint32(nil, uint32(code)), m.Payload[4:], attrs)
	m.Header.Flags |= netlink.NLM_F_ACK_TLVS
	return wire.AppendMessage(nil, m)
}

// Exchange returns what the kernel adds to a success: a warning, a cookie, a positive
// code. The same holds for a dump, whose NLMSG_DONE can carry a warning.
func TestExchangeReturnsTheAcknowledgement(t *testing.T) {
	exchange := func(k *kernel, c *client.Conn, typ netlink.MessageType, flags netlink.Flags) *task[client.Reply] {
		return runAsync(k.t, func() (client.Reply, error) { return c.Exchange(bg, typ, []byte("x"), flags) })
	}
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		for range 2 { // the object of a request is reused
			call := exchange(k, c, newAddr, 0)
			req := k.want(newAddr)
			req.reply("data")
			req.send(req.ackWith(t, netlink.NLMSG_ERROR, 7, 1, "a warning"))
			r, err := call.result()
			want := wire.Ack{Request: newAddr, Seq: req.Header.Seq, Code: 7, Ext: wire.ExtAck{Message: "a warning"}}
			if err != nil || len(r.Messages) != 1 || !reflect.DeepEqual(r.Ack, want) {
				t.Errorf("%+v, %v; want %+v", r, err, want)
			}
			plain := k.change(bg, c)
			k.want(newAddr).ack()
			wantTexts(t, plain)
		}

		dump := exchange(k, c, getAddr, netlink.NLM_F_DUMP)
		req := k.want(getAddr)
		req.send(req.part("a", 0), req.ackWith(t, netlink.NLMSG_DONE, 0, 1, "filtered"))
		r, err := dump.result()
		if err != nil || len(r.Messages) != 1 || r.Ack.Ext.Message != "filtered" || r.Ack.Request != 0 {
			t.Errorf("dump: %+v, %v", r, err)
		}

		for _, flags := range []netlink.Flags{0, netlink.NLM_F_DUMP} {
			refused := exchange(k, c, getAddr, flags)
			k.want(getAddr).fail(syscall.EPERM)
			if r, err := refused.result(); !errors.Is(err, syscall.EPERM) || !reflect.DeepEqual(r, client.Reply{}) {
				t.Errorf("refused: %+v, %v", r, err)
			}
		}
	})
}

// ErrDumpInterrupted comes with the entries and the last acknowledgement.
func TestExchangeReturnsAnInterruptedDump(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithDumpRetries(0))
		dump := runAsync(t, func() (client.Reply, error) { return c.Exchange(bg, getAddr, nil, netlink.NLM_F_DUMP) })
		req := k.want(getAddr)
		req.send(req.part("a", netlink.NLM_F_DUMP_INTR), req.ackWith(t, netlink.NLMSG_DONE, 0, 1, "filtered"))
		r, err := dump.result()
		if !errors.Is(err, client.ErrDumpInterrupted) || len(r.Messages) != 1 || r.Ack.Ext.Message != "filtered" {
			t.Errorf("%+v, %v; want one entry and ErrDumpInterrupted", r, err)
		}
	})
}

// An answer without an acknowledgement leaves Ack zero.
func TestExchangeWithoutAnAcknowledgement(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_FIB_LOOKUP)
		call := runAsync(t, func() (client.Reply, error) { return c.Exchange(bg, getLink, []byte("route?"), 0) })
		req := k.want(getLink)
		req.reply("route")
		req.drop()
		if r, err := call.result(); err != nil || len(r.Messages) != 1 || !reflect.DeepEqual(r.Ack, wire.Ack{}) {
			t.Errorf("%+v, %v; want one message and no acknowledgement", r, err)
		}
	})
}

// Each reply of a batch has the index of its message, and errors.Is finds every
// failure.
func TestRepliesOfABatchHaveTheirIndex(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		msgs := tables("a", "b", "c")
		msgs[0].Flags, msgs[2].Flags = netlink.NLM_F_ECHO, netlink.NLM_F_ECHO
		call := k.batch(bg, c, msgs)
		req := k.wantBatch(3)
		for _, i := range []int{0, 2} {
			queue(req.from, nfTablesGroup, req.message(i).answer(newTable, 0, []byte{byte(i)}))
		}
		req.message(2).ack()
		req.drop()
		replies, err := call.result()
		if err != nil || len(replies) != 2 || replies[0].Header.Seq != 0 || replies[1].Header.Seq != 2 {
			t.Errorf("%v, %v; want the replies to messages 0 and 2", replies, err)
		}

		call = k.batch(bg, c, msgs)
		req = k.wantBatch(3)
		req.message(0).fail(syscall.EEXIST)
		req.message(2).fail(syscall.ENOENT)
		req.drop()
		_, err = call.result()
		if !errors.Is(err, syscall.EEXIST) || !errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.EPERM) {
			t.Errorf("%v; want both failures to be found", err)
		}
	})
}
