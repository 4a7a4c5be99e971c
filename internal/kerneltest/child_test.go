//go:build linux

package kerneltest

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink/internal/nstest"
)

// childEnv names the test that runs in a child process.
const childEnv = "NLMUX_TEST_CHILD"

// childNetNS is the descriptor of the parent's namespace in a child process.
const childNetNS = 3

// isChild reports whether this process was started by runChild.
func isChild(t *testing.T) bool { return os.Getenv(childEnv) == t.Name() }

// runChild runs the calling test again in a child process, whose threads are in ns and
// lack the capabilities. isChild is true there.
func runChild(t *testing.T, ns *nstest.NS, capabilities ...uintptr) {
	t.Helper()
	runChildFrom(t, ns, ns, capabilities...)
}

// runChildFrom is runChild with a descriptor of another namespace for the child,
// childNetNS.
func runChildFrom(t *testing.T, ns, other *nstest.NS, capabilities ...uintptr) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), childEnv+"="+t.Name())
	fd, err := unix.FcntlInt(uintptr(other.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "netns")
	defer file.Close()
	cmd.ExtraFiles = []*os.File{file} // childNetNS
	err = ns.Do(func() error {
		// The thread is not reused, and the child inherits its missing capabilities.
		for _, c := range capabilities {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
				return fmt.Errorf("prctl PR_CAPBSET_DROP: %w", err)
			}
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, out)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
