package main

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// busyTimes is the Times of a busy process, whose goroutines have time slices of 10 to 20 ms.
const busyTimes = 5

// processorWorks returns noop in processes with more and with less to run than there are
// processors.
func processorWorks(s Sizes) []*Work {
	// Thousands would take a time slice each.
	few := slices.DeleteFunc(slices.Clone(s.Goroutines), func(n int) bool { return n > 512 })
	works := []*Work{{
		Name: workBusy, Note: "noop, while other goroutines keep every processor busy", Unit: "request",
		Goroutines: few, Setup: keepBusy(runtime.GOMAXPROCS(0)), Times: busyTimes,
		Op: noop,
	}, {
		Name: workBusy1, Note: "busy with GOMAXPROCS=1", Unit: "request",
		Goroutines: few, Setup: keepBusy(1), Times: busyTimes, Procs: 1,
		Clients: []string{nameNlmux, nameMdShared, nameMdBuffer, nameRawMutex},
		Op:      noop,
	}}
	many := slices.DeleteFunc(slices.Clone(few), func(n int) bool { return n < 64 })
	for _, procs := range procCounts {
		works = append(works, &Work{
			Name: procsWork(procs), Note: fmt.Sprintf("noop with GOMAXPROCS=%d", procs), Unit: "request",
			Goroutines: many, Procs: procs,
			Clients: []string{nameNlmux, nameMdShared, nameMdPool, nameMdBuffer, nameMdBufferPool, nameRaw, nameRawMsg},
			Op:      noop,
		})
	}
	return works
}

// procCounts are the values of GOMAXPROCS with which noop is measured besides that of the
// machine.
var procCounts = []int{1, 4, 8}

func procsWork(procs int) string { return fmt.Sprintf("noop-procs%d", procs) }

// setProcs sets GOMAXPROCS until undo, unless n is 0.
func setProcs(n int) (undo func()) {
	before := runtime.GOMAXPROCS(n)
	return func() { runtime.GOMAXPROCS(before) }
}

// keepBusy returns a Setup that runs computing goroutines, one for each of n processors, as
// in a process with other work.
func keepBusy(n int) func() (undo func() error, err error) {
	return func() (undo func() error, err error) {
		var over atomic.Bool
		var g sync.WaitGroup
		for range n {
			g.Go(func() {
				for n := 0; !over.Load(); n++ {
				}
			})
		}
		return func() error {
			over.Store(true)
			g.Wait()
			return nil
		}, nil
	}
}

// mutexed is a client that makes one call at a time.
type mutexed struct {
	mu     sync.Mutex
	client Client
}

func dialRawMutex() (Client, error) {
	c, err := dialRaw()
	return &mutexed{client: c}, err
}

func (m *mutexed) Noop() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.client.Noop()
}

func (m *mutexed) GetLink(payload []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.client.GetLink(payload)
}

func (m *mutexed) Do(typ, flags uint16, payload []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.client.Do(typ, flags, payload)
}

func (m *mutexed) Collect(typ uint16, payload []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.client.Collect(typ, payload)
}

func (m *mutexed) Stream(typ uint16, payload []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.client.Stream(typ, payload)
}

func (m *mutexed) Close() error { return m.client.Close() }
