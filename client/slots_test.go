package client

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// takeAll takes all slots.
func takeAll(t *testing.T, s *slots) {
	t.Helper()
	for range maxSlots {
		if err := s.acquire(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
	}
}

// A goroutine that waits gets the slot that is freed, and one that gives up gets none.
func TestSlotsAreHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots()
		takeAll(t, s)
		ctx, cancel := context.WithCancel(context.Background())
		closed := make(chan struct{})
		results := make(chan error, 3)
		go func() { results <- s.acquire(ctx, nil) }()
		go func() { results <- s.acquire(context.Background(), closed) }()
		go func() { results <- s.acquire(context.Background(), nil) }()
		synctest.Wait()
		if len(results) > 0 {
			t.Fatal("a goroutine did not wait")
		}
		cancel()
		if err := <-results; err != context.Canceled {
			t.Errorf("got %v, want context.Canceled", err)
		}
		close(closed)
		if err := <-results; err != net.ErrClosed {
			t.Errorf("got %v, want net.ErrClosed", err)
		}
		s.release()
		if err := <-results; err != nil {
			t.Error(err)
		}
		for range maxSlots {
			s.release()
		}
		if n := s.claims.Load(); n != 0 || len(s.freed) != 0 {
			t.Errorf("%d claims and %d tokens are left", n, len(s.freed))
		}
	})
}

// A slot that is handed to a goroutine that gives up is not lost.
func TestSlotsOfGoroutinesThatGiveUp(t *testing.T) {
	s := newSlots()
	var held, most atomic.Int64
	var all sync.WaitGroup
	for i := range 2 * maxSlots {
		all.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			if i%2 == 0 {
				cancel()
			}
			defer cancel()
			for range 500 {
				if s.acquire(ctx, nil) != nil {
					continue
				}
				n := held.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				held.Add(-1)
				s.release()
			}
		})
	}
	all.Wait()
	if n := most.Load(); n > maxSlots {
		t.Errorf("%d slots were in use", n)
	}
	if n := s.claims.Load(); n != 0 || len(s.freed) != 0 {
		t.Fatalf("%d claims and %d tokens are left", n, len(s.freed))
	}
	takeAll(t, s)
}
