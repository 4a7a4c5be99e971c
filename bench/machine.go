package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Machine describes the machine of a run.
type Machine struct {
	Date    string            `json:"date"`
	Uname   string            `json:"uname"`
	CPU     string            `json:"cpu"`
	CPUs    int               `json:"cpus"` // that Go uses
	Go      string            `json:"go"`
	Commit  string            `json:"commit"`
	Modules map[string]string `json:"modules"`
	Private bool              `json:"private_namespace"`
}

// describe never fails: missing values are "unknown".
func describe() Machine {
	m := Machine{
		Date:    time.Now().UTC().Format(time.RFC3339),
		Uname:   "unknown",
		CPU:     cpuModel(),
		CPUs:    runtime.GOMAXPROCS(0),
		Go:      runtime.Version() + " " + runtime.GOARCH,
		Commit:  commit(),
		Modules: make(map[string]string),
		Private: isPrivate(),
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		// Without the name of the host.
		m.Uname = strings.Join([]string{
			unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:]),
			unix.ByteSliceToString(u.Version[:]), unix.ByteSliceToString(u.Machine[:]),
		}, " ")
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Replace == nil {
				m.Modules[d.Path] = d.Version
			}
		}
	}
	return m
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// commit is that of the working directory, with a mark if files were changed.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--abbrev=40", "--match=").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func (m Machine) print(w io.Writer) {
	fmt.Fprintf(w, "%s\n%s, %d used\n%s, commit %s, %s\n", m.Uname, m.CPU, m.CPUs, m.Go, m.Commit, m.Date)
	for _, peer := range []string{"github.com/mdlayher/netlink", "github.com/vishvananda/netlink"} {
		fmt.Fprintln(w, peer, m.Modules[peer])
	}
}
