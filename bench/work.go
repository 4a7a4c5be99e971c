package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink/wire"
)

// Work is one kind of request, the same for every client.
type Work struct {
	Name string
	Note string
	Unit string // what one operation is

	// Goroutines are the counts at which it is measured.
	Goroutines []int

	// Clients are the names of those that take part, nil for all.
	Clients []string

	// Private: the work needs a network namespace that the benchmark may change.
	Private bool

	// Procs is GOMAXPROCS while a client is open, 0 for that of the machine.
	Procs int

	// Times is the time of a cell, as a multiple of that of other works; 0 is 1.
	Times int

	// Setup prepares the kernel and returns a function that undoes that. It fails with
	// errLacking if the kernel lacks something.
	Setup func() (undo func() error, err error)

	// Dial makes the client of an entry, nil for the entry's own Dial.
	Dial func(e *Entry) (Client, error)

	// Payload is the payload for the loop in C, which has no encoder.
	Payload []byte

	// Op is one operation by worker number i. It is nil for the storm of events,
	// where the clients listen, and where Rows or Rivals is set.
	Op func(c Client, i int) error

	// Rows measures all rows once, each for a time, if the rows are not the clients.
	Rows func(d time.Duration) ([]Sample, error)

	// Rivals are the rows if the clients are not, each a way to do the same.
	Rivals []rival
}

// Names of works that entries and goals refer to.
const (
	workNoop         = "noop"
	workBusy         = "busy"        // in a busy process
	workBusy1        = "busy-procs1" // with GOMAXPROCS=1
	workGetLink      = "getlink"
	workError        = "error"
	workAddr         = "addr"
	workDump         = "dump"
	workDumpStream   = "dump-stream"
	workRoutes       = "routes"
	workRoutesStream = "routes-stream"
	workDumps        = "dumps"
	workDumpsStream  = "dumps-stream"
	workEvents       = "events"
	workSubscribers  = "subscribers"
	workDial         = "dial"
	workVerdicts     = "verdicts"
	workLatency      = "latency"
)

// Clients only read the payloads.
var (
	linkPayload    []byte   // of an RTM_GETLINK that finds lo
	missingPayload []byte   // of one whose link does not exist
	addrPayloads   [][]byte // of the addresses that the goroutines create
	addrsPayload   []byte   // of a dump of IPv4 addresses
	routesPayload  []byte   // of a dump of IPv4 routes
	loIndex        uint32
)

// preparePayloads looks up lo and encodes the payloads.
func preparePayloads() error {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		return err
	}
	loIndex = uint32(lo.Index)
	linkPayload = linkMessage(loIndex, 0, 0)
	missingPayload = linkMessage(1<<30, 0, 0)
	addrPayloads = make([][]byte, maxGoroutines)
	for i := range addrPayloads {
		addrPayloads[i] = addrMessage(loIndex, addrBase+1+uint32(i))
	}
	addrsPayload = message(&unix.IfAddrmsg{Family: unix.AF_INET})
	routesPayload = message(&unix.RtMsg{Family: unix.AF_INET})
	return nil
}

// linkMessage is a struct ifinfomsg.
func linkMessage(index, flags, change uint32) []byte {
	return message(&unix.IfInfomsg{Index: int32(index), Flags: flags, Change: change})
}

// addrMessage is a struct ifaddrmsg and the address with a prefix of full length, so
// that addresses are independent.
func addrMessage(index, addr uint32) []byte {
	var b wire.Builder
	b.Struct(&unix.IfAddrmsg{Family: unix.AF_INET, Prefixlen: 32, Index: index})
	b.Uint32BE(unix.IFA_LOCAL, addr)
	return mustEncode(&b)
}

// routeMessage is a struct rtmsg and the destination of a blackhole, a route
// that needs no device.
func routeMessage(dst uint32) []byte {
	var b wire.Builder
	b.Struct(&unix.RtMsg{
		Family: unix.AF_INET, Dst_len: 32, Table: unix.RT_TABLE_MAIN, Protocol: unix.RTPROT_STATIC,
		Scope: unix.RT_SCOPE_UNIVERSE, Type: unix.RTN_BLACKHOLE,
	})
	b.Uint32BE(unix.RTA_DST, dst)
	return mustEncode(&b)
}

// message is a family's header.
func message(header any) []byte {
	var b wire.Builder
	b.Struct(header)
	return mustEncode(&b)
}

func mustEncode(b *wire.Builder) []byte {
	p, err := b.Encode()
	if err != nil {
		panic(err) // fixed sizes, so it cannot fail
	}
	return p
}

// Bases of the addresses of the works, which do not overlap.
const (
	addrBase  = 10 << 24 // 10.0.0.0: one address for each goroutine
	dumpBase  = 11 << 24
	routeBase = 12 << 24
	typedBase = 13 << 24
	stormBase = 16 << 24 // 16.0.0.0/4
)

// createFlags are the flags of a request whose object must not exist.
const createFlags = unix.NLM_F_CREATE | unix.NLM_F_EXCL

// Sizes are the sizes of the works, smaller for a quick run.
type Sizes struct {
	Goroutines []int
	Addrs      int
	Routes     int
	Part       int // of the routes, for dumps that run at once
}

// maxGoroutines is the maximum number of goroutines of any work.
const maxGoroutines = 4096

var (
	fullSizes  = Sizes{Goroutines: []int{1, 8, 64, 512, maxGoroutines}, Addrs: 1000, Routes: 200_000, Part: 20_000}
	quickSizes = Sizes{Goroutines: []int{1, 64}, Addrs: 1000, Routes: 10_000, Part: 1000}
)

// works returns all works. private reports whether the network namespace is the
// benchmark's own, which holds only the entries of the works. preparePayloads comes
// first.
func works(s Sizes, private bool) []*Work {
	return slices.Concat(requestWorks(s), processorWorks(s), dumpWorks(s, private), eventWorks(s), typedWorks(s))
}

// requestWorks returns the works of short requests.
func requestWorks(s Sizes) []*Work {
	return []*Work{
		{
			Name: workNoop, Note: "NLMSG_NOOP with NLM_F_ACK", Unit: "request",
			Goroutines: s.Goroutines,
			Op:         noop,
		},
		{
			Name: workGetLink, Note: "RTM_GETLINK of lo, the reply's bytes owned by the caller", Unit: "request",
			Goroutines: s.Goroutines,
			Payload:    linkPayload,
			Op: func(c Client, _ int) error {
				b, err := c.GetLink(linkPayload)
				if err == nil && len(b) < unix.SizeofIfInfomsg {
					err = errNoEntry
				}
				return err
			},
		},
		{
			Name: workError, Note: "RTM_GETLINK of a link that does not exist, the refusal decoded", Unit: "request",
			Goroutines: s.Goroutines,
			Payload:    missingPayload,
			Op: func(c Client, _ int) error {
				return expect(unix.ENODEV, c.Do(unix.RTM_GETLINK, 0, missingPayload))
			},
		},
		// NB: if goroutines share one socket, all their addresses exist at once, and
		// the kernel walks the list of them; with the sockets of a pool only a few
		// exist. With thousands of goroutines this is most of the time.
		{
			Name: workAddr, Note: "RTM_NEWADDR and RTM_DELADDR of an address of the goroutine's own", Unit: "pair",
			Goroutines: s.Goroutines, Private: true, Setup: loopbackUp,
			Payload: addrPayloads[0],
			Op: func(c Client, i int) error {
				payload := addrPayloads[i]
				if err := c.Do(unix.RTM_NEWADDR, createFlags, payload); err != nil {
					return err
				}
				return c.Do(unix.RTM_DELADDR, 0, payload)
			},
		},
		{
			Name: workDial, Note: "a new connection, RTM_GETLINK of lo, and the end of the connection", Unit: "connection",
			Goroutines: []int{1},
			Dial:       dialEachTime,
			Op: func(c Client, _ int) error {
				_, err := c.GetLink(linkPayload)
				return err
			},
		},
	}
}

func noop(c Client, _ int) error { return c.Noop() }

// eventWorks returns the works of messages that the kernel sends without a request.
func eventWorks(s Sizes) []*Work {
	return []*Work{
		{
			Name: workEvents, Note: "another process adds and deletes routes as fast as it can", Unit: "event",
			Goroutines: []int{1}, Private: true, Setup: loopbackUp,
		},
		{
			Name: workSubscribers, Note: fmt.Sprintf("the same, and %d consumers in one process", subscribers), Unit: "event",
			Goroutines: []int{1}, Private: true, Setup: loopbackUp,
			Clients: []string{nameSubscribers, nameNlmux, nameRaw},
		},
		{
			Name: workVerdicts, Note: "a UDP packet over lo that is queued, read and accepted (nfqueue)", Unit: "packet",
			Goroutines: []int{1}, Private: true, Setup: queueOutput,
			Dial: dialQueue,
			Op:   func(c Client, _ int) error { return c.(*packets).Pass() },
		},
		{
			Name: workLatency, Note: "requests of one goroutine of nlmux, by what else happens", Unit: "request",
			Goroutines: []int{1}, Private: true,
			Setup: func() (func() error, error) { return addAddrs(s.Addrs) },
			Rows:  latencies,
		},
	}
}

// Why a work is left out.
var (
	errLacking = errors.New("the kernel lacks it")
	errPrivate = errors.New("needs the privilege to make a network namespace (CAP_SYS_ADMIN, or a user namespace)")
)
