//go:build linux

package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// header is struct cn_msg of linux/connector.h.
type header struct {
	Index, Value, Seq, Ack uint32
	Length, Flags          uint16
}

// control is a header and enum proc_cn_mcast_op of linux/cn_proc.h.
type control struct {
	Header header
	Op     uint32
}

// event is a header and struct proc_event of linux/cn_proc.h.
type event struct {
	Header    header
	What, CPU uint32
	Time      [2]uint32 // a uint64, which is not aligned here
	Data      [6]uint32 // as What says
}

const (
	eventNone = 0       // PROC_EVENT_NONE
	eventFork = 1       // parent's thread and process, child's thread and process
	eventExec = 2       // thread and process
	eventExit = 1 << 31 // thread and process, wait status, signal to the parent
)

// describe describes an event of a process in words, "" for one of a thread.
func describe(ev event) string {
	d := ev.Data
	switch {
	case ev.What == eventFork && d[2] == d[3]:
		return fmt.Sprintf("start %8d  by %d", d[3], d[1])
	case ev.What == eventExec:
		return fmt.Sprintf("exec  %8d  %s", d[1], command(d[1]))
	case ev.What == eventExit && d[0] == d[1]:
		if status := unix.WaitStatus(d[2]); status.Signaled() {
			return fmt.Sprintf("exit  %8d  by signal %d, %v", d[1], status.Signal(), status.Signal())
		}
		return fmt.Sprintf("exit  %8d  with status %d", d[1], unix.WaitStatus(d[2]).ExitStatus())
	}
	return ""
}

// command returns the command line of a process that may have ended already.
func command(pid uint32) string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || len(line) == 0 {
		return "(gone)"
	}
	return fmt.Sprintf("%q", strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00"))
}
