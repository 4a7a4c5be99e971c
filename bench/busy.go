package main

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// keepBusy runs a computing goroutine on each processor until undo, as in a process
// with other work.
func keepBusy() (undo func() error, err error) {
	var over atomic.Bool
	var g sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
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
