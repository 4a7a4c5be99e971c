package main

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// insideEnv marks the process that runPrivate started.
const insideEnv = "NLMUX_BENCH_INSIDE"

// isPrivate reports whether this process has a network namespace of its own.
func isPrivate() bool { return os.Getenv(insideEnv) != "" }

// runPrivate runs this command line again in a private network namespace, so that every
// client is measured with its default options and the same contents. Without the
// privilege it uses a user namespace, which has the same kernel paths. The error is the
// reason why the command line did not run.
func runPrivate() (code int, err error) {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if code, err = rerun(attr); err == nil {
		return code, nil
	}
	attr.Cloneflags |= syscall.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	return rerun(attr)
}

func rerun(attr *syscall.SysProcAttr) (code int, err error) {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
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
