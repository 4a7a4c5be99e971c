//go:build linux

// Command init is process 1 of a virtual machine that runs one command. It reads
// the file /job, runs the command, and turns the machine off.
//
// The second serial port gets what the command prints, between lines of init's own:
//
//	vm-kernel RELEASE  before the command starts
//	vm-timeout LIMIT   if the command was ended because its time was over
//	vm-exit CODE       after the command's end
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// exitNoStart is the exit code if the command could not be started.
const exitNoStart = 125

// job is the content of /job: one key, a space and a value on each line.
type job struct {
	uid   int           // user of the command
	env   []string      // environment of the command, beside PATH, HOME and TMPDIR
	args  []string      // the command and its arguments
	limit time.Duration // the command is ended after this time
}

func readJob(name string) (job, error) {
	var j job
	f, err := os.Open(name)
	if err != nil {
		return j, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		key, value, _ := strings.Cut(s.Text(), " ")
		switch key {
		case "uid":
			j.uid, err = strconv.Atoi(value)
		case "limit":
			j.limit, err = time.ParseDuration(value)
		case "env":
			j.env = append(j.env, value)
		case "arg":
			j.args = append(j.args, value)
		default:
			err = errors.New("unknown key")
		}
		if err != nil {
			return j, fmt.Errorf("%s: %q: %w", name, s.Text(), err)
		}
	}
	if len(j.args) == 0 {
		return j, fmt.Errorf("%s: no command", name)
	}
	return j, s.Err()
}

func main() {
	mountAll()
	out, err := os.OpenFile("/dev/ttyS1", os.O_WRONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, "init:", err)
		out = os.Stderr
	}
	if err := rawOutput(out); err != nil {
		fmt.Fprintln(os.Stderr, "init: serial port:", err)
	}
	code, err := run(out)
	if err != nil {
		fmt.Fprintln(out, "init:", err)
	}
	fmt.Fprintf(out, "\nvm-exit %d\n", code)
	// TCSBRK with an argument waits until the port has sent everything (tcdrain).
	unix.IoctlSetInt(int(out.Fd()), unix.TCSBRK, 1)
	syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	select {} // the kernel panics if process 1 ends
}

// mountAll mounts what a test expects of a machine. The kernel may have mounted
// /dev already.
func mountAll() {
	for _, m := range []struct{ kind, at string }{
		{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/tmp"}, {"tmpfs", "/run"},
		{"debugfs", "/sys/kernel/debug"}, {"selinuxfs", "/sys/fs/selinux"},
	} {
		if err := syscall.Mount(m.kind, m.at, m.kind, 0, ""); err != nil && !errors.Is(err, syscall.EBUSY) {
			fmt.Fprintf(os.Stderr, "init: mount %s: %v\n", m.at, err)
		}
	}
	if err := os.Chmod("/tmp", 0o1777); err != nil {
		fmt.Fprintln(os.Stderr, "init:", err)
	}
}

// rawOutput stops the serial port from turning \n into \r\n.
func rawOutput(f *os.File) error {
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return err
	}
	t.Oflag &^= unix.OPOST
	return unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t)
}

// run runs the command of /job and returns its exit code, or 128 and the number of
// the signal that ended it.
func run(out *os.File) (int, error) {
	j, err := readJob("/job")
	if err != nil {
		return exitNoStart, err
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return exitNoStart, err
	}
	fmt.Fprintf(out, "vm-kernel %s", release)

	const path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
	os.Setenv("PATH", strings.TrimPrefix(path, "PATH="))
	cmd := exec.Command(j.args[0], j.args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", out, out
	cmd.Env = append([]string{path, "HOME=/tmp", "TMPDIR=/tmp"}, j.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if j.uid != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(j.uid), Gid: uint32(j.uid)}
	}
	if err := cmd.Start(); err != nil {
		return exitNoStart, err
	}
	killed := make(chan struct{})
	timer := time.AfterFunc(j.limit, func() {
		defer close(killed)
		fmt.Fprintf(out, "\nvm-timeout %v\n", j.limit)
		// A Go program prints the stacks of its goroutines on SIGQUIT.
		syscall.Kill(-1, syscall.SIGQUIT)
		time.Sleep(5 * time.Second)
		syscall.Kill(-1, syscall.SIGKILL)
	})
	code, err := reap(cmd.Process.Pid)
	if !timer.Stop() {
		<-killed // so that the stacks are printed
	}
	return code, err
}

// reap waits for the process pid and returns its exit code. Process 1 has to wait
// for every process that lost its parent, so reap waits for those too.
func reap(pid int) (int, error) {
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR) || err == nil && ended != pid:
			continue
		case err != nil:
			return exitNoStart, err
		case status.Signaled():
			return 128 + int(status.Signal()), nil
		}
		return status.ExitStatus(), nil
	}
}
