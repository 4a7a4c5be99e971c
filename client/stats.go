package client

// Stats counts what a Conn has seen since [Dial], over all its sockets. Without
// losses, RepliesLost, EventsDropped and Overruns are 0.
type Stats struct {
	Pending       int    // requests that the kernel has not finished answering, abandoned ones and dumps included; a batch is one
	RepliesLost   uint64 // requests that ended with ErrReplyLost; not those that were sent again
	Late          uint64 // messages for requests that nobody waited for any more
	Events        uint64 // events that came, dropped ones included
	EventsDropped uint64 // events that found the queue of Receive full
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
	t := c.requests.table.Stats()
	if c.events != c.requests {
		t = t.Add(c.events.table.Stats())
	}
	t = t.Add(c.dumps.stats())
	s := Stats{
		Pending:     t.Pending,
		RepliesLost: t.RepliesLost,
		Late:        t.Late,
		Overruns:    t.Overruns,
		Foreign:     t.Foreign,
		Malformed:   t.Malformed,
		Truncated:   t.Truncated,
	}
	s.Events, s.EventsDropped = c.queue.counts()
	s.ReceiveBuffer, s.SendBuffer = c.requests.sock.Buffers()
	return s
}
