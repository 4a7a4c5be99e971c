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

// table is a table that can be dumped.
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

// find adds the worker's own objects in a message of a dump.
func (w *worker) find(found map[key][]uint32, from table, m wire.Message) {
	s, ok := sighting(m)
	if m.Header.Type != creates[from.class] {
		w.fault("message of type %d in a dump of type %d", m.Header.Type, from.typ)
	}
	if ok && s.class == from.class && int(s.owner) == w.id {
		found[s.key] = append(found[s.key], s.gen)
	}
}

// compare checks that a dump has exactly the existing objects, once each. The kernel
// walks the tables of addresses and links by position, so entries may be missed or
// repeated when others change the table, and the dump reports that. It walks routes by
// key, so changes of others do not matter.
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

// walk streams a table, to its end or a part of it, and sometimes makes another request
// meanwhile.
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

// forge makes the forger send messages that look like answers: to the requests in
// flight of the Conn, through a group, and to the ports of the Conn and of a stream, which
// the kernel refuses.
func (w *worker) forge() {
	port, seq := w.conn.PortID(), w.seen.Load()
	for range 1 + w.rand.IntN(4) {
		m := forged(w.rand.IntN(4), port, seq+w.rand.Uint32N(64), w.links)
		w.forger.SendToGroup(w.t, unix.RTNLGRP_LINK, m)
		w.forged.Add(1)
	}
	w.forger.Refused(w.t, port, forged(w.rand.IntN(4), port, seq, w.links))
	if s := w.stream.Load(); s != nil && w.rand.IntN(4) == 0 {
		w.forger.Refused(w.t, s[0], forged(w.rand.IntN(4), s[0], s[1]+w.rand.Uint32N(2), w.links))
	}
}

// forged returns a message that looks like the kernel's to port.
func forged(kind int, port, seq uint32, links []int) wire.Message {
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
	return m
}
