//go:build linux

// Command procs prints which processes start and end as it happens, through the
// kernel's connector. It needs CAP_NET_ADMIN before Linux 6.6. The kernel does
// not tell a container: it wants the initial user, PID and network namespaces.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
)

func main() {
	n := flag.Int("n", 0, "stop after this many events, 0 for never")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), "procs prints which processes start and end, until Ctrl-C.\n\nUsage: procs [-n N]\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 || *n < 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c, err := client.Dial(netlink.NETLINK_CONNECTOR)
	if err == nil {
		err = run(ctx, os.Stdout, c, *n)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "procs:", err)
		os.Exit(1)
	}
}

const (
	procGroup      = 1    // CN_IDX_PROC and CN_VAL_PROC of linux/connector.h
	listen, ignore = 1, 2 // PROC_CN_MCAST_LISTEN and PROC_CN_MCAST_IGNORE of linux/cn_proc.h
	ackTimeout     = 5 * time.Second
)

// header is struct cn_msg of linux/connector.h.
type header struct {
	Index, Value, Seq, Ack uint32
	Length, Flags          uint16
}

// event is a header and struct proc_event of linux/cn_proc.h.
type event struct {
	Header    header
	What, CPU uint32
	Time      uint64
	Data      [6]uint32 // as What says
}

var errSilent = errors.New("the kernel does not answer: it tells of processes only in the initial user, PID and network namespaces (no container)")

// run prints n events of c, or all until ctx ends, and closes c.
func run(ctx context.Context, w io.Writer, c *client.Conn, n int) error {
	defer c.Close()
	err := c.AddMembership(procGroup)
	if err == nil {
		err = tell(ctx, c, listen)
	}
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("this kernel tells of processes to CAP_NET_ADMIN only, as root has it: %w", err)
	case errors.Is(err, unix.ECONNREFUSED): // another network namespace
		return errSilent
	case err != nil:
		return err
	}
	// Kernels before 6.6 count listeners and do not notice when one has gone.
	defer tell(context.WithoutCancel(ctx), c, ignore)
	silence := time.After(ackTimeout)
	for seen := 0; n == 0 || seen < n; {
		select {
		case <-ctx.Done():
			return nil
		case <-silence:
			return errSilent
		case e, ok := <-c.Receive():
			if !ok {
				return net.ErrClosed
			}
			if e.Header.Type == netlink.NLMSG_OVERRUN {
				fmt.Fprintln(w, "*** events are missing here ***")
				continue
			}
			var ev event
			if _, err := binary.Decode(e.Payload, binary.NativeEndian, &ev); err != nil {
				return err
			}
			if ev.What == eventNone && ev.Header.Ack == c.PortID()+1 {
				if errno := unix.Errno(ev.Data[0]); errno != 0 {
					return fmt.Errorf("the kernel refuses: %w", errno)
				}
				silence = nil
				fmt.Fprintln(w, "watching processes")
			} else if text := describe(ev); text != "" && silence == nil {
				seen++
				fmt.Fprintln(w, text)
			}
		}
	}
	return nil
}

// tell starts or ends the events. The connector acknowledges with an event that
// has the next number in the field Ack, to all listeners: ours is our port's.
func tell(ctx context.Context, c *client.Conn, op uint32) error {
	h := header{Index: procGroup, Value: procGroup, Ack: c.PortID(), Length: 4}
	payload, err := binary.Append(nil, binary.NativeEndian, h)
	if err != nil {
		return err
	}
	_, err = c.Request(ctx, netlink.NLMSG_DONE, binary.NativeEndian.AppendUint32(payload, op), 0)
	return err
}

const (
	eventNone = 0       // PROC_EVENT_NONE
	eventFork = 1       // parent's thread and process, child's thread and process
	eventExec = 2       // thread and process
	eventExit = 1 << 31 // thread and process, wait status, signal to the parent
)

// describe tells in words what has become of a process. Of mere threads it tells
// nothing.
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
