package client

const (
	BusyRequests = busyRequests // requests in a row after which the reader parks
	LookMost     = lookMost     // datagrams that the reader reads before it checks whether to park

	// Of a storm of events, see reader.

	StormEvents = stormEvents
	StormPace   = stormPace
	StormPause  = stormPause
)

// MaxSendersFor returns the maximum number of goroutines that send on a coalescer at
// once, on a machine with this many processors.
func MaxSendersFor(processors int) int { return maxSendersFor(processors) }

// MaxSenders returns that number for c.
func MaxSenders(c *Conn) int { return c.requests.maxSenders }

// SetMaxSenders changes that number. It is called before anything is sent.
func SetMaxSenders(c *Conn, n int) { c.requests.maxSenders = n }

// SetDumpNumber makes seq the number of the last dump of every idle dump socket of c.
func SetDumpNumber(c *Conn, seq uint32) {
	c.dumps.mu.Lock()
	defer c.dumps.mu.Unlock()
	for _, s := range c.dumps.idle {
		s.seq = seq
	}
}

// WithSocket makes a Conn open its sockets with a function of the test.
var WithSocket = withSocket
