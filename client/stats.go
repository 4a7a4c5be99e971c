package client

import "github.com/nlmux/netlink/demux"

// Stats counts what a Conn has seen since [Dial], over all its sockets. Without
// losses, RepliesLost, EventsDropped and Overruns are 0.
type Stats struct {
	Pending       int    // requests that the kernel has not finished answering, abandoned ones and dumps included; a batch is one
	RepliesLost   uint64 // requests that ended with ErrReplyLost; not those that were sent again
	Late          uint64 // messages for requests that nobody waited for any more
	Events        uint64 // events that came, dropped ones included
	EventsDropped uint64 // events that found the queue of a consumer full, one for each such queue
	Overruns      uint64 // losses of replies, events or both: reported by the kernel, or in a datagram that could not be read
	Foreign       uint64 // datagrams that were dropped because a process had sent them
	Malformed     uint64 // datagrams that could not be parsed to their end
	Truncated     uint64 // datagrams that did not fit the Conn's buffer of 256 KiB
	ReceiveBuffer int    // size of the kernel's queue to the socket of requests, in its own accounting of bytes; 0 after Close
	SendBuffer    int    // size of that socket's send buffer, likewise
}

// Stats returns the counts so far. Those of different fields need not be from
// the same instant.
func (c *Conn) Stats() Stats {
	t, events, dropped := c.requests.stats()
	if c.events != c.requests {
		more, n, d := c.events.stats()
		t, events, dropped = t.Add(more), events+n, dropped+d
	}
	t = t.Add(c.dumps.stats())
	s := Stats{
		Pending:       t.Pending,
		RepliesLost:   t.RepliesLost,
		Late:          t.Late,
		Events:        events,
		EventsDropped: dropped,
		Overruns:      t.Overruns,
		Foreign:       t.Foreign,
		Malformed:     t.Malformed,
		Truncated:     t.Truncated,
	}
	s.ReceiveBuffer, s.SendBuffer = c.requests.sock.Buffers()
	return s
}

// stats returns the counts of one socket.
func (m *mux) stats() (t demux.Stats, events, dropped uint64) {
	d := &m.recv.dispatcher
	return m.table.Stats(), d.events.Load(), d.dropped.Load()
}
