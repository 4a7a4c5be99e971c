package client

import "github.com/nlmux/netlink/demux"

// Stats has the counts of a Conn since [Dial], over all its sockets. Without losses,
// RepliesLost, EventsDropped and Overruns are 0.
type Stats struct {
	// Pending is the number of requests that the kernel has not finished answering,
	// abandoned ones and dumps included. A batch counts as one.
	Pending int
	// RepliesLost counts requests that ended with ErrReplyLost, not those that were
	// sent again.
	RepliesLost   uint64
	Late          uint64 // messages for requests that were abandoned or have ended
	Events        uint64 // events that arrived, dropped ones included
	EventsDropped uint64 // events that found the queue of a consumer full, one for each such queue
	// Overruns counts losses of replies, events or both: reported by the kernel, or
	// in a datagram that could not be read.
	Overruns uint64
	// Foreign counts datagrams that were dropped because a process sent them, to a group.
	// The kernel refuses what a process sends to a Conn alone (netlink_getsockbyportid in
	// net/netlink/af_netlink.c), unless the system does not permit to connect the socket.
	Foreign   uint64
	Malformed uint64 // datagrams that could not be parsed to their end
	Truncated uint64 // datagrams that did not fit the Conn's buffer of 256 KiB
	// ReceiveBuffer is the size of the receive buffer of the socket for requests, in
	// bytes as the kernel accounts for them; 0 after Close.
	ReceiveBuffer int
	SendBuffer    int // size of that socket's send buffer, likewise
}

// Stats returns the counts so far. Different fields need not be from the same instant.
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
