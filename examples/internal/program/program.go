//go:build linux

// Package program runs an example in its own test as a user would: in a process
// of its own, with flags, signals and an exit code.
package program

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is the maximum time that a program may take. No test reaches it unless it
// fails.
const patience = time.Minute

// mainEnv marks a process that runs the example, not its test.
const mainEnv = "NLMUX_EXAMPLE"

// Main is called first by a TestMain: in a process of Start it runs main and ends the
// process, in any other it does nothing.
func Main(main func()) {
	if os.Getenv(mainEnv) == "" {
		return
	}
	// Without the flags of package testing.
	flag.CommandLine = flag.NewFlagSet(os.Args[0], flag.ExitOnError)
	flag.CommandLine.Usage = func() { flag.Usage() }
	main()
	os.Exit(0)
}

// Process is a running example.
type Process struct {
	t      testing.TB
	cmd    *exec.Cmd
	out    *bufio.Scanner
	lines  []string // read from out so far
	stderr bytes.Buffer
}

// Start starts the example with these arguments. in runs its function on a thread with
// the namespaces and the privilege for the process; nil is for those of the test.
func Start(t testing.TB, in func(func() error) error, args ...string) *Process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	p := &Process{t: t, cmd: exec.CommandContext(ctx, "/proc/self/exe", args...)}
	// With the race detector every program sleeps for a second at its end.
	p.cmd.Env = append(os.Environ(), mainEnv+"=1", "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if in == nil {
		in = func(f func() error) error { return f() }
	}
	err = in(p.cmd.Start)
	t.Cleanup(func() {
		cancel()
		if p.cmd.Process != nil && p.cmd.ProcessState == nil {
			p.cmd.Wait()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Await returns the next line of output that contains all of these words, separated by
// spaces. It fails the test if the program ends without one.
func (p *Process) Await(words ...string) string {
	p.t.Helper()
	for line, ok := p.Next(); ok; line, ok = p.Next() {
		if has(line, words) {
			return line
		}
	}
	err := p.cmd.Wait()
	p.t.Fatalf("no line with %q, %v; output:\n%s\n%s", words, err, strings.Join(p.lines, "\n"), &p.stderr)
	return ""
}

// has reports whether a line consists of these words and others.
func has(line string, words []string) bool {
	fields := strings.Fields(line)
	return !slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(fields, w) })
}

// Next returns the next line of output, and false if the program has ended.
func (p *Process) Next() (line string, ok bool) {
	if !p.out.Scan() {
		return "", false
	}
	p.lines = append(p.lines, p.out.Text())
	return p.out.Text(), true
}

// Interrupt sends the signal of Ctrl-C.
func (p *Process) Interrupt() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatal(err)
	}
}

// Wait waits for the end of the program and returns its output and exit code.
func (p *Process) Wait() (stdout, stderr string, code int) {
	p.t.Helper()
	for ok := true; ok; {
		_, ok = p.Next()
	}
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || !exit.Exited()) {
		p.t.Fatalf("%v; it wrote:\n%s\n%s", err, strings.Join(p.lines, "\n"), &p.stderr)
	}
	return strings.Join(p.lines, "\n") + "\n", p.stderr.String(), p.cmd.ProcessState.ExitCode()
}

// WantDone waits for the program and fails the test unless it succeeds. It returns its
// output.
func (p *Process) WantDone() string {
	p.t.Helper()
	stdout, stderr, code := p.Wait()
	if code != 0 || stderr != "" {
		p.t.Fatalf("exit code %d, standard error %q; output:\n%s", code, stderr, stdout)
	}
	return stdout
}

// WantRefusal waits for the program and fails the test unless it said what is
// wrong with these texts and ended with exit code 1. It returns what it said.
func (p *Process) WantRefusal(texts ...string) string {
	p.t.Helper()
	stdout, stderr, code := p.Wait()
	for _, text := range texts {
		if code != 1 || !strings.Contains(stderr, text) || strings.Count(stderr, "\n") != 1 {
			p.t.Fatalf("exit code %d, standard error %q; want 1 and %q; output:\n%s", code, stderr, text, stdout)
		}
	}
	return strings.TrimSpace(stderr)
}

// TestFlags checks every example's -h and invalid flags.
func TestFlags(t *testing.T, description string) {
	for arg, want := range map[string]int{"-h": 0, "-no-such-flag": 2, "no-such-argument": 2} {
		_, stderr, code := Start(t, nil, arg).Wait()
		if code != want || !strings.Contains(stderr, description) {
			t.Errorf("%s: exit code %d, want %d; help %q, want %q", arg, code, want, stderr, description)
		}
	}
}

// Script is a writer that calls a function after a text, inside the write of the text.
type Script struct {
	strings.Builder
	Next map[string]func() // by text
}

func (s *Script) Write(p []byte) (int, error) {
	for text, f := range s.Next {
		if bytes.Contains(p, []byte(text)) {
			f()
		}
	}
	return s.Builder.Write(p)
}

// Unprivileged runs f on a thread whose programs have no capabilities: the user stays
// the same, even root.
func Unprivileged(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread dies with the goroutine
		// A program that root executes gets the capabilities of the bounding set.
		var err error
		for c := uintptr(0); err == nil; c++ {
			err = unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		}
		// EINVAL is the error of the first number that is no capability. A thread that
		// may not drop any (EPERM) has none to pass on.
		if !errors.Is(err, unix.EINVAL) && (!errors.Is(err, unix.EPERM) || os.Geteuid() == 0) {
			result <- err
			return
		}
		result <- f()
	}()
	return <-result
}
