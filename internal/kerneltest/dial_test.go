//go:build linux

package kerneltest

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
)

// threadNamespaces returns the network namespace of every thread of this process.
func threadNamespaces(t *testing.T) map[string]string {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, task := range tasks {
		ns, err := os.Readlink(fmt.Sprintf("/proc/self/task/%s/ns/net", task.Name()))
		if err == nil { // else the thread has ended
			found[task.Name()] = ns
		}
	}
	return found
}

// TestDialLeavesEveryThreadInItsNamespace, even if the goroutine that dials is on the
// main thread, which cannot be ended, and if Dial fails after it has entered the
// namespace.
func TestDialLeavesEveryThreadInItsNamespace(t *testing.T) {
	if !isChild(t) {
		ns := nstest.New(t)
		runChildFrom(t, nstest.New(t), ns)
		return
	}
	here, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	dialled := 0
	dial := func() {
		c, err := client.Dial(netlink.NETLINK_ROUTE, client.WithNetNS(childNetNS))
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := client.Dial(netlink.Family(31), client.WithNetNS(childNetNS)); !errors.Is(err, unix.EPROTONOSUPPORT) {
			t.Errorf("family 31: %v, want EPROTONOSUPPORT", err)
		}
		Request(t, c, unix.RTM_GETLINK, LinkRequest(t, 0), netlink.NLM_F_DUMP)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		dialled++
	}
	// Some goroutine gets the main thread; it is held there.
	for end := time.Now().Add(Patience); dialled < 50 && time.Now().Before(end); {
		done := make(chan bool)
		for range runtime.GOMAXPROCS(0) + 2 {
			go func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				done <- unix.Gettid() == unix.Getpid()
			}()
		}
		for range runtime.GOMAXPROCS(0) + 2 {
			<-done
		}
		dial()
	}
	for thread, ns := range threadNamespaces(t) {
		if ns != here {
			t.Errorf("thread %s is in %s, the process in %s", thread, ns, here)
		}
	}
	if now, err := os.Readlink("/proc/self/ns/net"); err != nil || now != here {
		t.Errorf("/proc/self/ns/net is %s (%v), was %s", now, err, here)
	}
}

// awaitCollected runs the garbage collector until the process has no more files and
// goroutines than before.
func awaitCollected(t *testing.T, files, goroutines int) {
	t.Helper()
	for end := time.Now().Add(Patience); OpenFiles(t) > files || runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d files and %d goroutines, were %d and %d", OpenFiles(t), runtime.NumGoroutine(), files, goroutines)
		}
		runtime.GC()
	}
}

// TestUnreachableConnIsClosed by the garbage collector, unless its channel of events is
// still referenced.
func TestUnreachableConnIsClosed(t *testing.T) {
	ns := nstest.New(t)
	Dial(t, ns, netlink.NETLINK_ROUTE) // the runtime has opened its descriptors
	files, goroutines := OpenFiles(t), runtime.NumGoroutine()
	for range 20 {
		c, err := client.Dial(netlink.NETLINK_ROUTE, client.WithNetNS(ns.FD()), client.WithEventSocket())
		if err != nil {
			t.Fatal(err)
		}
		Join(t, c, unix.RTNLGRP_LINK)
		Request(t, c, unix.RTM_GETLINK, LinkRequest(t, 0), netlink.NLM_F_DUMP)
	}
	awaitCollected(t, files, goroutines)

	events := func() <-chan client.Event {
		c, err := client.Dial(netlink.NETLINK_ROUTE, client.WithNetNS(ns.FD()))
		if err != nil {
			t.Fatal(err)
		}
		Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
		return c.Receive()
	}()
	wantEventAfterGC(t, ns, events)
}

// wantEventAfterGC requires that the Conn in ns of which the test has kept nothing but the
// channel of events still delivers.
func wantEventAfterGC(t *testing.T, ns *nstest.NS, events <-chan client.Event) {
	t.Helper()
	for range 5 {
		runtime.GC()
	}
	Request(t, Dial(t, ns, netlink.NETLINK_ROUTE), unix.RTM_NEWADDR, LoAddress(t, "10.9.9.9/32"), netlink.NLM_F_CREATE)
	select {
	case e, ok := <-events:
		if !ok || e.Header.Type != unix.RTM_NEWADDR {
			t.Errorf("%+v, %t; want RTM_NEWADDR", e, ok)
		}
	case <-Patient(t).Done():
		t.Error("no event")
	}
}

// TestWithEventFilter: the kernel drops the events that the program does not accept,
// without a gap, and no reply.
func TestWithEventFilter(t *testing.T) {
	// Accept a message of type RTM_NEWADDR: nlmsg_type is at offset 4, in the byte order
	// of the machine.
	load := uint32(unix.RTM_NEWADDR)<<8 | uint32(unix.RTM_NEWADDR)>>8
	if Pack(uint16(1))[0] == 0 {
		load = unix.RTM_NEWADDR
	}
	prog := []client.FilterInstruction{
		{Op: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: 4},
		{Op: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: load & 0xffff},
		{Op: unix.BPF_RET | unix.BPF_K, K: 1 << 18},
		{Op: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE, client.WithEventFilter(prog))
	Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
	for _, addr := range []string{"10.9.9.1/32", "10.9.9.2/32"} {
		Request(t, c, unix.RTM_NEWADDR, LoAddress(t, addr), netlink.NLM_F_CREATE)
		Request(t, c, unix.RTM_DELADDR, LoAddress(t, addr), 0)
	}
	if n := len(Request(t, c, unix.RTM_GETLINK, LinkRequest(t, 0), netlink.NLM_F_DUMP)); n != 1 {
		t.Errorf("%d links, want lo", n)
	}
	Request(t, c, unix.RTM_NEWADDR, LoAddress(t, "10.9.9.3/32"), netlink.NLM_F_CREATE)
	for range 3 {
		if e := NextEvent(t, c); e.Header.Type != unix.RTM_NEWADDR {
			t.Errorf("event %+v, want RTM_NEWADDR", e)
		}
	}
	if s := c.Stats(); s.Events != 3 || s.Overruns != 0 {
		t.Errorf("%+v; want 3 events", s)
	}
	if _, err := client.Dial(netlink.NETLINK_ROUTE, client.WithEventFilter(prog[:2])); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a program that does not return: %v, want EINVAL", err)
	}
	if _, err := client.Dial(netlink.NETLINK_ROUTE, client.WithEventFilter(nil)); err == nil {
		t.Error("an empty program: no error")
	}
}
