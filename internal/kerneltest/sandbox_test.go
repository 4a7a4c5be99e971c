//go:build linux

package kerneltest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// sandboxEnv marks the process of TestSandboxWithRecvmsg that is in the sandbox, by the
// errno that the other system calls fail with.
const sandboxEnv = "NLMUX_TEST_SANDBOX"

// TestSandboxWithRecvmsg: a filter of system calls that was written for other
// clients permits only recvmsg, which is sufficient.
func TestSandboxWithRecvmsg(t *testing.T) {
	if text := os.Getenv(sandboxEnv); text != "" {
		errno, err := strconv.Atoi(text)
		if err == nil {
			err = errors.Join(refuse(unix.SYS_RECVMMSG, syscall.Errno(errno)), refuse(unix.SYS_RECVFROM, syscall.Errno(errno)))
		}
		if err != nil {
			t.Fatal(err)
		}
		manyRequests(t)
		return
	}
	for _, errno := range []syscall.Errno{unix.ENOSYS, unix.EPERM, unix.EACCES, unix.EOPNOTSUPP, unix.EINVAL} {
		t.Run(unix.ErrnoName(errno), func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestSandboxWithRecvmsg$", "-test.timeout=1m")
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", sandboxEnv, errno))
			if err := nstest.New(t).Do(func() error {
				out, err := cmd.CombinedOutput()
				if err != nil {
					err = fmt.Errorf("%w\n%s", err, out)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// refuse makes the system call nr fail with errno from now on, in all threads.
func refuse(nr uint32, errno syscall.Errno) error {
	const socketcall = 102 // of 386, by which x/sys/unix makes these calls there
	calls := map[uint32]uint32{unix.SYS_SOCKET: 1, unix.SYS_BIND: 2, unix.SYS_CONNECT: 3}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // seccomp_data.nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: nr},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
	}
	if call, ok := calls[nr]; ok && runtime.GOARCH == "386" {
		filter = append(filter,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 3, K: socketcall},
			unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 16}, // seccomp_data.args[0]
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: call},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		)
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	// The calling thread must have given up new privileges.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl: %w", err)
	}
	_, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if e != 0 {
		return fmt.Errorf("seccomp: %w", e)
	}
	if _, _, e := unix.Syscall6(uintptr(nr), ^uintptr(0), 0, 0, 0, 0, 0); e != errno {
		return fmt.Errorf("system call %d in the sandbox: %w, want %w", nr, e, errno)
	}
	return nil
}

// TestSandboxWithoutReading: all system calls that read are refused. Requests and Close
// still end.
func TestSandboxWithoutReading(t *testing.T) {
	if !isChild(t) {
		runChild(t, nstest.New(t))
		return
	}
	c := DialHere(t, netlink.NETLINK_ROUTE)
	for _, nr := range []uint32{unix.SYS_RECVMMSG, unix.SYS_RECVMSG, unix.SYS_RECVFROM} {
		if err := refuse(nr, unix.EINVAL); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if err := c.Noop(context.Background()); !errors.Is(err, client.ErrReplyLost) {
			t.Errorf("%v, want ErrReplyLost", err)
		}
	}
}

// TestSandboxWithoutBind: Android refuses bind. The kernel binds a socket when it
// sends.
func TestSandboxWithoutBind(t *testing.T) {
	if !isChild(t) {
		runChild(t, nstest.New(t))
		return
	}
	if err := refuse(unix.SYS_BIND, unix.EACCES); err != nil {
		t.Fatal(err)
	}
	for _, family := range []netlink.Family{netlink.NETLINK_ROUTE, netlink.NETLINK_GENERIC, netlink.NETLINK_NETFILTER} {
		c := DialHere(t, family)
		if c.PortID() == 0 {
			t.Errorf("%v: no port", family)
		}
		if err := c.Noop(Patient(t)); err != nil {
			t.Errorf("%v: %v", family, err)
		}
		if s := c.Stats(); s.Events != 0 || s.Late != 0 {
			t.Errorf("%v: %+v", family, s)
		}
	}
	c := DialHere(t, netlink.NETLINK_ROUTE)
	Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
	Request(t, c, unix.RTM_NEWADDR, LoAddress(t, "10.9.9.9/32"), netlink.NLM_F_CREATE)
	if e := NextEvent(t, c); e.Header.Type != unix.RTM_NEWADDR {
		t.Errorf("event %+v", e)
	}
	if n := len(Request(t, c, unix.RTM_GETLINK, LinkRequest(t, 0), netlink.NLM_F_DUMP)); n != 1 {
		t.Errorf("%d links, want lo", n)
	}
	if _, err := client.Dial(netlink.NETLINK_ROUTE, client.WithPortID(4711)); !errors.Is(err, unix.EACCES) {
		t.Errorf("a port of our choice: %v, want EACCES", err)
	}
}

// TestSandboxWithoutConnect: where connect is refused the kernel lets processes send to the
// port. The Conn drops that.
func TestSandboxWithoutConnect(t *testing.T) {
	if !isChild(t) {
		runChild(t, nstest.New(t))
		return
	}
	if err := refuse(unix.SYS_CONNECT, unix.EACCES); err != nil {
		t.Fatal(err)
	}
	forger := openRawHere(t, netlink.NETLINK_ROUTE)

	// One that was never used reads it too: the sender is not kept waiting for room, and the
	// first request finds the receive buffer empty.
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const n = 2000 // several times what the receive buffer holds
	for range n {
		forger.Send(t, c.PortID(), wire.Message{Header: wire.Header{Type: unix.RTM_NEWLINK, PortID: c.PortID()}})
	}
	awaitForeign(t, c, n)
	seq := Request(t, c, unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0)[0].Header.Seq

	// What looks like an answer is none.
	forge := atTheSameTime(t, func(seq uint32) { forger.Send(t, c.PortID(), ForgedAck(c.PortID(), seq)) })
	for range n {
		forge(seq + 1)
		msgs := Request(t, c, unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0)
		if len(msgs) != 1 || LinkIndex(msgs[0]) != LoIndex {
			t.Fatalf("%v, want lo", msgs)
		}
		seq = msgs[0].Header.Seq
	}
	awaitForeign(t, c, 2*n)
	if s := c.Stats(); s.Foreign != 2*n || s.Events != 0 || s.Overruns != 0 || s.Late != 0 {
		t.Errorf("%+v; want %d foreign and nothing else", s, 2*n)
	}
}

// manyRequests makes many goroutines request one link, with two datagrams per answer.
func manyRequests(t *testing.T) {
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 100 {
				msgs, err := c.Request(Patient(t), unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0)
				if err != nil || len(msgs) != 1 || LinkIndex(msgs[0]) != LoIndex {
					t.Errorf("replies %v, %v; want lo", msgs, err)
					return
				}
			}
		})
	}
	wg.Wait()
	NoLosses(t, c)
}
