//go:build linux

// Package nstest gives tests the real kernel in private network namespaces,
// with root's privileges or, through a user namespace, without.
package nstest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Environment variables.
const (
	// StrictEnv turns a skip into a failure when it is set to 1, as CI does.
	StrictEnv = "NLMUX_TEST_STRICT"
	// SkipEnv names, separated by commas, the features whose absence skips a test even
	// under StrictEnv. A name may be a pattern of path.Match, such as "sch_*".
	SkipEnv = "NLMUX_TEST_SKIP"
	// MachineEnv is set to 1 where the machine exists for the tests only, as the
	// virtual machines of internal/vm do.
	MachineEnv = "NLMUX_TEST_MACHINE"

	// insideEnv marks a process that Main has put into a user namespace.
	insideEnv = "NLMUX_TEST_INSIDE"
)

// Main is a TestMain. Without the privilege to make network namespaces it runs the
// tests again in a user namespace. If that is not allowed, it runs them as they are,
// and New skips.
func Main(m *testing.M) {
	if os.Getenv(insideEnv) == "" && tryUnshare() != nil {
		if code, err := runInside(); err == nil {
			os.Exit(code)
		} else {
			fmt.Fprintln(os.Stderr, "nstest: no user namespace:", err)
		}
	}
	os.Exit(m.Run())
}

// UserNamespace reports whether Main has put the tests into a user namespace. They then
// have all capabilities, but only over what belongs to it.
func UserNamespace() bool { return os.Getenv(insideEnv) != "" }

// tryUnshare asks for a network namespace on a thread that ends afterwards.
func tryUnshare() error {
	return onThread(func() error { return unix.Unshare(unix.CLONE_NEWNET) })
}

// runInside runs this process's command line in a user namespace as its root.
func runInside() (code int, err error) {
	return Rerun(insideEnv, &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	})
}

// Rerun runs this process's command line again, with the environment variable set to 1, and
// returns its exit code. The error is the reason why it did not run. The process is killed
// when this one ends.
func Rerun(env string, attr *syscall.SysProcAttr) (code int, err error) {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), env+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	attr.Pdeathsig = syscall.SIGKILL
	cmd.SysProcAttr = attr
	// Pdeathsig is sent when the thread dies that started the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// onThread runs f on a thread of its own that ends afterwards.
func onThread(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The main thread does not end. While this goroutine holds it, another
			// goroutine gets another thread.
			defer runtime.UnlockOSThread()
			result <- onThread(f)
			return
		}
		result <- f() // not unlocked, so the thread ends with the goroutine
	}()
	return <-result
}

// NS is a network namespace that belongs to one test.
type NS struct{ fd int }

// New makes a namespace with lo only, which is up. The namespace is gone after the
// test, once its sockets are closed.
func New(t testing.TB) *NS {
	t.Helper()
	ns := &NS{fd: -1}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		if err := loopbackUp(); err != nil {
			return err
		}
		var err error
		ns.fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		Skip(t, "netns", "no private network namespace: %v", err)
	}
	t.Cleanup(func() { unix.Close(ns.fd) })
	return ns
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}

// FD returns a descriptor of the namespace, valid until the test ends.
func (n *NS) FD() int { return n.fd }

// Do runs f on a thread inside the namespace and returns when f does. Processes that f
// starts live in the namespace. f must not start goroutines that rely on it, nor call
// t.FailNow.
func (n *NS) Do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(n.fd, unix.CLONE_NEWNET); err != nil {
			return err
		}
		return f()
	})
}

// Run runs a command inside the namespace and returns its output. It ends the test if
// the command fails.
func (n *NS) Run(t testing.TB, name string, arg ...string) string {
	t.Helper()
	var out []byte
	err := n.Do(func() (err error) {
		out, err = exec.Command(name, arg...).CombinedOutput()
		return err
	})
	if errors.Is(err, exec.ErrNotFound) {
		Skip(t, name, "%v", err)
	}
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(arg, " "), err, out)
	}
	return string(out)
}

// skips has what was skipped, so that each reason is printed once.
var skips sync.Map

// Skip skips a test that lacks a feature, and prints that to standard error even
// without -v. Under StrictEnv it fails the test unless SkipEnv names the feature.
func Skip(t testing.TB, feature, format string, args ...any) {
	t.Helper()
	text := fmt.Sprintf(format, args...)
	if os.Getenv(StrictEnv) == "1" && !mayLack(feature) {
		t.Fatalf("not allowed to skip for lack of %s (%s=1): %s", feature, StrictEnv, text)
	}
	if _, printed := skips.LoadOrStore(t.Name(), true); !printed {
		fmt.Fprintf(os.Stderr, "SKIP %s (want %s): %s\n", t.Name(), feature, text)
	}
	t.Skip(text)
}

// mayLack reports whether SkipEnv names the feature.
func mayLack(feature string) bool {
	return slices.ContainsFunc(strings.Split(os.Getenv(SkipEnv), ","), func(pattern string) bool {
		ok, err := path.Match(pattern, feature)
		return ok && err == nil
	})
}

// OwnMachine is for a test that changes what belongs to the whole machine: it skips
// where the machine does not exist for the tests only. It loads the kernel modules
// that the test needs, and skips with the module's name if the kernel has no such one.
func OwnMachine(t testing.TB, modules ...string) {
	t.Helper()
	if os.Getenv(MachineEnv) != "1" {
		Skip(t, "machine", "the test changes the whole machine; internal/vm/matrix runs it in a virtual one")
	}
	for _, module := range modules {
		name, options, _ := strings.Cut(module, " ")
		if out, err := exec.Command("modprobe", append([]string{name}, strings.Fields(options)...)...).CombinedOutput(); err != nil {
			Skip(t, name, "modprobe: %v: %s", err, out)
		}
	}
}

// KernelSince reports whether the kernel is of version major.minor or newer. A test
// that uses it says in a comment what changed in that version; where a test can ask
// the kernel itself, it does that instead.
func KernelSince(t testing.TB, major, minor int) bool {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	release := unix.ByteSliceToString(u.Release[:])
	var gotMajor, gotMinor int
	if _, err := fmt.Sscanf(release, "%d.%d", &gotMajor, &gotMinor); err != nil {
		t.Fatalf("kernel release %q: %v", release, err)
	}
	return gotMajor > major || gotMajor == major && gotMinor >= minor
}
