package nltest

import (
	"slices"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/internal/socktest"
	"github.com/nlmux/netlink/wire"
)

// Messages that open and close a batch
// (include/uapi/linux/netfilter/nfnetlink.h).
const (
	batchBegin netlink.MessageType = 16
	batchEnd   netlink.MessageType = 17
)

// isBatch reports whether a datagram holds a batch.
func (k *Kernel) isBatch(frame []byte) bool {
	var first wire.Message
	_, err := first.Decode(frame)
	return err == nil && k.family == netlink.NETLINK_NETFILTER && first.Header.Type == batchBegin
}

// batch handles a batch as nfnetlink_rcv_batch does: one batch at a time, to the end
// despite refusals, with the answers at the end.
func (k *Kernel) batch(s *socktest.Socket, frame []byte) {
	var msgs []wire.Message
	for m, err := range wire.Messages(frame) {
		if err != nil {
			return // without an answer
		}
		msgs = append(msgs, m)
	}
	last := len(msgs) - 1
	if msgs[last].Header.Type != batchEnd {
		return
	}

	k.turn <- struct{}{}
	defer func() { <-k.turn }()
	before := k.overruns.Load()
	x := transaction{kernel: k, port: s.PortID()}
	x.ask(msgs[0])
	if !x.refused {
		for _, m := range msgs[1:last] {
			x.ask(m)
		}
	}
	if !x.refused {
		x.commit(msgs[last], msgs[1])
	}
	k.queue(s, append(x.replies, x.acks...), before)
}

// transaction is a batch in progress.
type transaction struct {
	kernel  *Kernel
	port    uint32
	replies []wire.Message // before the acknowledgements; dropped after a refusal
	acks    []wire.Message
	refused bool // it will not be applied
}

// ask has the handler answer a message.
func (x *transaction) ask(req wire.Message) {
	replies, acks, refused := x.answer(req)
	for i := range acks {
		fill(&acks[i], req, x.port)
	}
	x.replies = append(x.replies, replies...)
	x.acks = append(x.acks, acks...)
	x.refused = x.refused || refused
}

// commit has the handler answer the closing message. The kernel reports a failed commit
// first, with the number of the first message.
func (x *transaction) commit(req, first wire.Message) {
	replies, acks, refused := x.answer(req)
	x.replies, x.refused = append(x.replies, replies...), refused
	at := len(x.acks)
	if refused {
		req, at = first, 0
	}
	for i := range acks {
		fill(&acks[i], req, x.port)
	}
	x.acks = slices.Insert(x.acks, at, acks...)
}

// answer has the handler answer a message and splits the answer.
func (x *transaction) answer(req wire.Message) (replies, acks []wire.Message, refused bool) {
	var msgs []wire.Message
	if x.kernel.handler != nil {
		msgs = x.kernel.handler(req)
	}
	for _, m := range complete(demux.Ack, false, req, msgs) {
		if !demux.IsEnd(m.Header.Type) {
			fill(&m, req, x.port)
			replies = append(replies, m)
			continue
		}
		refusal, err := wire.ParseAck(m)
		refused = refused || refusal != nil || err != nil
		acks = append(acks, m)
	}
	return replies, acks, refused
}
