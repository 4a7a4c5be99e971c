package sock

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// openTimers returns the number of timers that the process has open.
func openTimers(t *testing.T) (n int) {
	t.Helper()
	files, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d descriptors, %v", len(files), err)
	}
	for _, f := range files {
		if to, err := os.Readlink(f); err == nil && to == "anon_inode:[timerfd]" {
			n++
		}
	}
	return n
}

// TestPause waits no shorter than it should, and can wait for less than a millisecond, as a
// timer of the runtime cannot in an idle process. Its timer is closed with the socket.
func TestPause(t *testing.T) {
	s := openSocket(t, Config{})
	before := openTimers(t)
	watched := make(chan error, 1)
	paused := make(chan struct{})
	go func() {
		watched <- s.Watch(func() {
			pause := func(d time.Duration) (took time.Duration) {
				start := time.Now()
				if err := s.Pause(d); err != nil {
					t.Error(err)
				}
				if took = time.Since(start); took < d {
					t.Errorf("a pause of %v took %v", d, took)
				}
				return took
			}
			shortest := pause(3 * time.Millisecond)
			for range 100 {
				shortest = min(shortest, pause(time.Microsecond), pause(50*time.Microsecond))
			}
			if shortest >= time.Millisecond {
				t.Errorf("the shortest pause took %v", shortest)
			}
			close(paused)
		})
	}()
	<-paused
	if n := openTimers(t) - before; n != 1 {
		t.Errorf("%d timers for one socket", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-watched; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if n := openTimers(t) - before; n != 0 {
		t.Errorf("%d timers are open after Close", n)
	}
}
