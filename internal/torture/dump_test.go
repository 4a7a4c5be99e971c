//go:build linux

package torture

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/wire"
)

// table is what one may dump.
type table struct {
	class   class
	typ     netlink.MessageType
	payload []byte
}

var tables = []table{
	{anAddress, unix.RTM_GETADDR, kerneltest.Pack(unix.IfAddrmsg{Family: unix.AF_INET})},
	{aRoute, unix.RTM_GETROUTE, kerneltest.Pack(unix.RtMsg{Family: unix.AF_INET})},
	{aLink, unix.RTM_GETLINK, kerneltest.Pack(unix.IfInfomsg{})},
}

// find returns the own objects that a message of a dump is about.
func (w *worker) find(found map[key][]uint32, from table, m wire.Message) {
	s, ok := sighting(m)
	if m.Header.Type != creates[from.class] {
		w.fault("message of type %d in a dump of type %d", m.Header.Type, from.typ)
	}
	if ok && s.class == from.class && int(s.owner) == w.id {
		found[s.key] = append(found[s.key], s.gen)
	}
}

// compare checks that a dump had what is there, once, and nothing else. The
// tables of addresses and links are walked by position, so entries may be
// missed or come twice when others change the table, and then the dump says so.
// Routes are walked by key, so those of others do not matter.
func (w *worker) compare(found map[key][]uint32, from table, interrupted bool) {
	if interrupted && from.class != aRoute {
		return
	}
	for _, o := range w.own {
		if o.class != from.class || !o.known {
			continue
		}
		var want []uint32
		switch {
		case o.there && o.class == aLink:
			want = []uint32{0}
		case o.there:
			want = []uint32{o.gen}
		}
		if got := found[o.key]; !slices.Equal(got, want) {
			w.fault("%v: dump has generations %v, want %v", o.key, got, want)
		}
	}
}

// dump collects a table.
func (w *worker) dump() {
	ctx, cancel := w.moment()
	defer cancel()
	from := tables[w.rand.IntN(len(tables))]
	msgs, err := w.request(ctx, from.typ, from.payload, netlink.NLM_F_DUMP)
	if err != nil && !errors.Is(err, client.ErrDumpInterrupted) {
		if answer(err) {
			w.fault("dump of type %d: %v", from.typ, err)
		}
		return
	}
	found := make(map[key][]uint32)
	for _, m := range msgs {
		w.find(found, from, m)
	}
	w.compare(found, from, err != nil)
}

// walk streams a table, to its end or not that far, and sometimes asks for
// something else meanwhile.
func (w *worker) walk() {
	ctx, cancel := w.moment()
	defer cancel()
	from := tables[w.rand.IntN(len(tables))]
	most := 1 << 30
	if w.rand.IntN(2) == 0 {
		most = w.rand.IntN(500)
	}
	found := make(map[key][]uint32)
	var header wire.Header
	var last error
	for m, err := range w.conn.Dump(ctx, from.typ, from.payload) {
		if last = err; err != nil {
			break
		}
		if header.Seq != 0 && (m.Header.Seq != header.Seq || m.Header.PortID != header.PortID) {
			w.fault("message of port %d, number %d in a dump of port %d, number %d",
				m.Header.PortID, m.Header.Seq, header.PortID, header.Seq)
		}
		header = m.Header
		w.find(found, from, m)
		if w.rand.IntN(200) == 0 {
			w.stream.Store(&[2]uint32{m.Header.PortID, m.Header.Seq})
			w.get()
		}
		if most--; most < 0 {
			w.did.ends["broken off"]++
			return
		}
	}
	if answer(last) && last != nil {
		if !errors.Is(last, unix.ENOBUFS) {
			w.fault("stream of type %d: %v", from.typ, last)
		}
		w.did.ends["stream refused"]++
		return
	}
	w.ended(ctx, from.typ, netlink.NLM_F_DUMP, last)
	if last == nil || errors.Is(last, client.ErrDumpInterrupted) {
		w.compare(found, from, last != nil)
	}
}

// forge has the liar write what looks like answers: to the requests that the
// Conn has in flight, and to a stream.
func (w *worker) forge() {
	if w.liar == nil {
		return
	}
	port, seq := w.conn.PortID(), w.seen.Load()
	for range 1 + w.rand.IntN(4) {
		if lie(w.liar, w.rand.IntN(4), port, seq+w.rand.Uint32N(64), w.links) {
			w.forged.conn.Add(1)
		}
	}
	if s := w.stream.Load(); s != nil && w.rand.IntN(4) == 0 && lie(w.liar, w.rand.IntN(4), s[0], s[1]+w.rand.Uint32N(2), w.links) {
		w.forged.stream.Add(1)
	}
}

// lie sends a message that claims to be the kernel's to port, and reports
// whether there was room for it.
func lie(r *kerneltest.Raw, kind int, port, seq uint32, links []int) bool {
	m := wire.Message{Header: wire.Header{Seq: seq, PortID: port}}
	switch kind {
	case 0:
		m = kerneltest.ForgedAck(port, seq)
	case 1: // a refusal
		m = kerneltest.ForgedAck(port, seq)
		m.Header.Flags = 0
		copy(m.Payload, kerneltest.Pack(-int32(unix.EPERM)))
	case 2:
		m.Header.Type, m.Header.Flags, m.Payload = netlink.NLMSG_DONE, netlink.NLM_F_MULTI, make([]byte, 4)
	case 3:
		m.Header.Type, m.Payload = unix.RTM_NEWLINK, kerneltest.Pack(unix.IfInfomsg{Index: int32(links[0])})
	}
	b := wire.AppendMessage(nil, m)
	return unix.Sendto(r.FD, b, unix.MSG_DONTWAIT, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: port}) == nil
}
