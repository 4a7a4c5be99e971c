//go:build linux

// Package ynlkernel tests typed packages on the real kernel, in private network
// namespaces, and against the tools of iproute2.
package ynlkernel

import (
	"flag"
	"fmt"
	"os"
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
	if code, err := nstest.Rerun(insideEnv, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}); err == nil {
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
