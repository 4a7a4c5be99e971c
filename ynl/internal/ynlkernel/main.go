//go:build linux

// Package ynlkernel tests typed packages on the real kernel, in private network
// namespaces, and against the tools of iproute2.
package ynlkernel

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/nlmux/netlink/internal/nstest"
)

// insideEnv marks a process that Main has started.
const insideEnv = "NLMUX_TEST_OWN_NETNS"

// Main is a TestMain for packages with Examples, which use the network namespace of the
// process: it runs the tests in a process with a namespace of its own. If that is not
// allowed, it runs them without the Examples.
func Main(m *testing.M) {
	if os.Getenv(insideEnv) != "" || nstest.UserNamespace() {
		nstest.Main(m)
		return
	}
	if code, err := runInside(); err == nil {
		os.Exit(code)
	}
	// As an ordinary user, nstest.Main starts a process in a user namespace, which has a
	// network namespace as well. What is set here is for the case that it cannot.
	flag.Parse()
	if run := flag.Lookup("test.run"); run.Value.String() == "" {
		fmt.Fprintln(os.Stderr, "ynlkernel: no network namespace for this process; Examples run only if there is a user namespace")
		if err := run.Value.Set("^(Test|Fuzz)"); err != nil {
			panic(err)
		}
	}
	nstest.Main(m)
}

// runInside runs the command line of this process in a network namespace of its own.
func runInside() (code int, err error) {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
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
