package netlink_test

import (
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
)

// sandboxEnv marks the process of TestSandboxWithoutRecvmmsg that is in the
// sandbox, by the errno that recvmmsg fails with.
const sandboxEnv = "NLMUX_TEST_SANDBOX"

// TestSandboxWithoutRecvmmsg: a filter of system calls that was written for other
// clients knows recvmsg only, and that is enough.
func TestSandboxWithoutRecvmmsg(t *testing.T) {
	if text := os.Getenv(sandboxEnv); text != "" {
		errno, err := strconv.Atoi(text)
		if err == nil {
			err = refuse(unix.SYS_RECVMMSG, syscall.Errno(errno))
		}
		if err != nil {
			t.Fatal(err)
		}
		crowdOfRequests(t)
		return
	}
	for _, errno := range []syscall.Errno{unix.ENOSYS, unix.EPERM} {
		t.Run(unix.ErrnoName(errno), func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestSandboxWithoutRecvmmsg$", "-test.timeout=1m")
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

// refuse has the system call nr fail with errno from now on, in all threads.
func refuse(nr uint32, errno syscall.Errno) error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // seccomp_data.nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: nr},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	// The thread that asks has to have given up new privileges.
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

// crowdOfRequests has many goroutines ask for one link, with two datagrams each
// for an answer.
func crowdOfRequests(t *testing.T) {
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 100 {
				msgs, err := c.Request(patient(t), unix.RTM_GETLINK, linkRequest(t, loIndex), 0)
				if err != nil || len(msgs) != 1 || linkIndex(msgs[0]) != loIndex {
					t.Errorf("replies %v, %v; want lo", msgs, err)
					return
				}
			}
		})
	}
	wg.Wait()
	noLosses(t, c)
}
