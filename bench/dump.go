package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// dumpWorks returns the works of dumps. Where the network namespace is not private, the
// dump of addresses has whatever is there.
func dumpWorks(s Sizes, private bool) []*Work {
	addrs := kernelTable{
		note: fmt.Sprintf("dump of %d addresses", s.Addrs),
		typ:  unix.RTM_GETADDR, payload: addrsPayload, least: s.Addrs,
		fill: func() (func() error, error) { return addAddrs(s.Addrs) },
	}
	if !private {
		addrs.note, addrs.least, addrs.fill = "dump of the addresses of this network namespace", 0, nil
	}
	routes := func(n int) kernelTable {
		return kernelTable{
			note: fmt.Sprintf("dump of %d routes", n),
			typ:  unix.RTM_GETROUTE, payload: routesPayload, least: n, private: true,
			fill: func() (func() error, error) { return addRoutes(n) },
		}
	}
	all, part := routes(s.Routes), routes(s.Part)
	streams := part.streamed(workDumpsStream, 1, parallelDumps)
	streams.Clients = []string{nameNlmux, nameMdPool, nameMdBufferPool, nameVishDefault} // see Client.Stream
	return []*Work{
		addrs.collected(workDump, 1, 8),
		addrs.streamed(workDumpStream, 1),
		all.collected(workRoutes, 1),
		all.streamed(workRoutesStream, 1),
		part.collected(workDumps, 1, parallelDumps),
		streams,
	}
}

// parallelDumps is the number of dumps at once of the works of that name.
const parallelDumps = 8

// kernelTable is a table of the kernel that is dumped.
type kernelTable struct {
	note    string
	typ     uint16
	payload []byte
	least   int // number of entries that a dump must have
	private bool
	fill    func() (undo func() error, err error)
}

// collected is a dump whose entries are kept, measured with each number of goroutines.
func (t kernelTable) collected(name string, goroutines ...int) *Work {
	return t.work(name, t.note, goroutines, Client.Collect)
}

// streamed is a dump whose entries are looked at one by one.
func (t kernelTable) streamed(name string, goroutines ...int) *Work {
	return t.work(name, t.note+", not kept", goroutines, Client.Stream)
}

func (t kernelTable) work(name, note string, goroutines []int, dump func(Client, uint16, []byte) (int, error)) *Work {
	return &Work{
		Name: name, Note: note, Unit: "dump",
		Goroutines: goroutines, Private: t.private, Setup: t.fill,
		Payload: t.payload,
		Op:      func(c Client, _ int) error { return counted(t.least)(dump(c, t.typ, t.payload)) },
	}
}
