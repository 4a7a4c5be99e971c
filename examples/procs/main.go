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
