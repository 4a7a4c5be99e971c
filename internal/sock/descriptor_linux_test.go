package sock

import (
	"errors"
	"net"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// newDescriptor returns a descriptor of an open file.
func newDescriptor(t *testing.T) *descriptor {
	t.Helper()
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	d := new(descriptor)
	d.open(fd)
	return d
}

func isOpen(d *descriptor) bool {
	_, err := unix.FcntlInt(uintptr(d.fd), unix.F_GETFD, 0)
	return err == nil
}

// The last user closes the file, and after close there is no new one.
func TestDescriptorStaysOpenWhileInUse(t *testing.T) {
	d := newDescriptor(t)
	for range 2 {
		if !d.acquire() {
			t.Fatal("not open")
		}
	}
	d.release()
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	if d.acquire() {
		t.Error("acquired after close")
	}
	if err := d.use(func(int) error { return nil }); err != net.ErrClosed {
		t.Errorf("use after close: %v", err)
	}
	if err := d.close(); err != net.ErrClosed {
		t.Errorf("second close: %v", err)
	}
	if !isOpen(d) {
		t.Error("closed in use")
	}
	d.release()
	if isOpen(d) {
		t.Error("not closed after the last use")
	}
}

func TestDescriptorIsClosedAtOnceWithoutUsers(t *testing.T) {
	d := newDescriptor(t)
	failed := errors.New("failed")
	if err := d.use(func(fd int) error { return failed }); err != failed {
		t.Errorf("got %v, want %v", err, failed)
	}
	if err := d.close(); err != nil || isOpen(d) {
		t.Errorf("%v, open: %t", err, isOpen(d))
	}
}

// Every user finds the file open, whenever close comes, and it is closed once: the next
// file usually gets the number, and stays open.
func TestDescriptorOfManyUsers(t *testing.T) {
	reused := 0
	for range 50 {
		d := newDescriptor(t)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for d.acquire() {
					if !isOpen(d) {
						t.Error("closed in use")
					}
					d.release()
				}
			})
		}
		all.Go(func() {
			if err := d.close(); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		next := newDescriptor(t)
		if next.fd == d.fd {
			reused++
		}
		if d.acquire() || d.close() != net.ErrClosed || !isOpen(next) {
			t.Error("closed twice")
		}
		if err := next.close(); err != nil {
			t.Fatal(err)
		}
	}
	if reused == 0 {
		t.Error("no file got the number of the one before")
	}
}
