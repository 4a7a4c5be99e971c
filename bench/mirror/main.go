// Command mirror compares package mirror with other copies of the kernel's routes, each in
// a process of its own in one network namespace:
//
//	go run ./mirror -routes 1000000
//
// It prints how long each takes until it has all IPv4 routes, its memory, and how many
// routes it has after 1,000 of them went with their link. The peers are RouteList and
// RouteSubscribe of vishvananda/netlink into a map, libnl's cache manager (in C, with
// libnl-route-3-dev), and NDB of pyroute2 (with Debian's python3-pyroute2). Those that are
// not installed are left out.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// insideEnv marks a process in the namespace of the comparison; peerEnv names the peer
// that it is.
const (
	insideEnv = "NLMUX_BENCH_INSIDE"
	peerEnv   = "NLMUX_BENCH_PEER"
)

func main() {
	routes := flag.Int("routes", 200_000, "IPv4 routes")
	patience := flag.Duration("patience", 2*time.Minute, "the longest time that a peer may take")
	flag.Parse()
	var err error
	switch {
	case os.Getenv(peerEnv) != "":
		err = runPeer(os.Getenv(peerEnv))
	case os.Getenv(insideEnv) == "":
		err = again()
	default:
		err = compare(*routes, *patience)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mirror:", err)
		os.Exit(1)
	}
}

// again runs this command in a network namespace of its own.
func again() error {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	// Pdeathsig is sent when the thread dies that started the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return cmd.Run()
}

func compare(routes int, patience time.Duration) error {
	if err := fill(routes); err != nil {
		return err
	}
	took, n, err := stream()
	if err != nil {
		return err
	}
	fmt.Printf("%d routes; the bare stream takes %.2f s\n\n", n, took.Seconds())
	fmt.Printf("%-28s %10s %10s %12s %22s\n", "", "ready", "to stream", "memory/route", "after link down")
	dir, err := os.MkdirTemp("", "nlmux-mirror-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, p := range peers(dir) {
		if p.missing != nil {
			fmt.Printf("%-28s left out: %v\n", p.name, p.missing)
			continue
		}
		if err := measure(p, took, n, patience); err != nil {
			fmt.Printf("%-28s %v\n", p.name, err)
		}
	}
	return nil
}

// peer is a program that says "ready SECONDS BYTES" when it has all routes, and then
// answers each line with the number of routes that it has.
type peer struct {
	name    string
	cmd     *exec.Cmd
	missing error
}

func peers(dir string) []peer {
	self := func(name string) *exec.Cmd {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), peerEnv+"="+name)
		return cmd
	}
	libnl, err := buildLibnl(dir)
	list := []peer{
		{name: "nlmux mirror", cmd: self("nlmux")},
		{name: "vishvananda into a map", cmd: self("vishvananda")},
		{name: "libnl cache manager", cmd: exec.Command(libnl), missing: err},
	}
	const python = "/usr/bin/python3"
	err = exec.Command(python, "-c", "import pyroute2").Run()
	return append(list, peer{name: "pyroute2 NDB", cmd: exec.Command(python, filepath.Join("mirror", "peers", "ndb.py")), missing: err})
}

func buildLibnl(dir string) (string, error) {
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "libnl-route-3.0").Output()
	if err != nil {
		return "", fmt.Errorf("pkg-config: %w", err)
	}
	out := filepath.Join(dir, "libnl")
	args := append([]string{"-O2", "-o", out, filepath.Join("mirror", "peers", "libnl.c")}, strings.Fields(string(flags))...)
	if text, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("gcc: %w: %s", err, text)
	}
	return out, nil
}

// measure runs a peer. It sets the link down that 1,000 routes use, and up again.
func measure(p peer, stream time.Duration, routes int, patience time.Duration) error {
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		return err
	}
	defer p.cmd.Wait()
	defer stdin.Close()
	timer := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	defer timer.Stop()
	lines := bufio.NewScanner(stdout)
	var ready, bytes float64
	if !lines.Scan() {
		return fmt.Errorf("not ready after %v", patience)
	}
	if _, err := fmt.Sscanf(lines.Text(), "ready %f %f", &ready, &bytes); err != nil {
		return fmt.Errorf("%q: %w", lines.Text(), err)
	}
	if err := ip("link set a0 down"); err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	io.WriteString(stdin, "\n")
	if !lines.Scan() {
		return errors.New("no answer after the link went down")
	}
	var has int
	if _, err := fmt.Sscan(lines.Text(), &has); err != nil {
		return err
	}
	_, left, err := streamCount()
	if err != nil {
		return err
	}
	verdict := "right"
	switch {
	case has > left:
		verdict = fmt.Sprintf("%d too many", has-left)
	case has < left:
		verdict = fmt.Sprintf("%d missing", left-has)
	}
	fmt.Printf("%-28s %8.2f s %9.2fx %10.0f B %22s\n", p.name, ready, ready/stream.Seconds(), bytes/float64(routes), verdict)
	if err := ip("link set a0 up"); err != nil {
		return err
	}
	return fillLink(routes)
}
