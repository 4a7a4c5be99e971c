package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

const nameC = "c"

// buildC compiles the loop in C and returns its entry and a function that removes it.
// The error is the reason why there is none.
func buildC() (e *Entry, remove func(), err error) {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		return nil, nil, err
	}
	source := filepath.Join("c", "loop.c")
	if _, err := os.Stat(source); err != nil {
		return nil, nil, fmt.Errorf("not run in bench/: %w", err)
	}
	dir, err := os.MkdirTemp("", "nlmux-bench-")
	if err != nil {
		return nil, nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	loop := filepath.Join(dir, "loop")
	if out, err := exec.Command(gcc, "-O2", "-o", loop, source).CombinedOutput(); err != nil {
		remove()
		return nil, nil, fmt.Errorf("%w: %s", err, out)
	}
	return &Entry{
		Name: nameC, Note: "C on one blocking socket, one thread, in a process of its own",
		Solo:  true,
		Works: []string{workNoop, workGetLink, workError, workAddr, workDump, workDumpStream, workRoutes, workRoutesStream},
		Loop:  func(w *Work, l Limit) (Sample, error) { return runC(loop, w, l) },
	}, remove, nil
}

func runC(loop string, w *Work, l Limit) (Sample, error) {
	args := []string{w.Name, strconv.FormatInt(l.N, 10), strconv.FormatInt(int64(l.Time), 10)}
	if w.Payload != nil {
		args = append(args, hex.EncodeToString(w.Payload))
	}
	out, err := exec.Command(loop, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return Sample{}, fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	if err != nil {
		return Sample{}, err
	}
	var ops, ns int64
	if _, err := fmt.Sscan(string(out), &ops, &ns); err != nil {
		return Sample{}, fmt.Errorf("answer %q of the loop in C: %w", out, err)
	}
	return Sample{Ops: ops, Elapsed: time.Duration(ns), NsPerOp: float64(ns) / float64(ops)}, nil
}
