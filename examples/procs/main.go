//go:build linux

// Command procs prints which processes start and end as it happens, through the kernel's
// connector. It needs CAP_NET_ADMIN before Linux 6.6. It does not work in a container: the
// kernel reports processes only in the initial user, PID and network namespaces.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/examples/internal/cli"
	"github.com/nlmux/netlink/wire"
)

func main() {
	n := flag.Int("n", 0, "stop after this many events, 0 for never")
	cli.Command{
		Name:  "procs",
		Args:  "[-n N]",
		About: "procs prints which processes start and end, until Ctrl-C.",
		Valid: func() bool { return *n >= 0 },
		Run: func(ctx context.Context) error {
			c, err := client.Dial(netlink.NETLINK_CONNECTOR)
			if err != nil {
				return err
			}
			return run(ctx, os.Stdout, c, *n)
		},
	}.Main()
}

const (
	procGroup      = 1    // CN_IDX_PROC and CN_VAL_PROC of linux/connector.h
	listen, ignore = 1, 2 // PROC_CN_MCAST_LISTEN and PROC_CN_MCAST_IGNORE of linux/cn_proc.h
	ackTimeout     = 5 * time.Second
)

var errSilent = errors.New("the kernel does not answer: it reports processes only in the initial user, PID and network namespaces (no container)")

// run prints n events of c, or all until ctx ends, and closes c.
func run(ctx context.Context, w io.Writer, c *client.Conn, n int) error {
	defer c.Close()
	err := c.AddMembership(procGroup)
	if err == nil {
		err = setListening(ctx, c, listen)
	}
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("this kernel reports processes to CAP_NET_ADMIN only, as root has it: %w", err)
	case errors.Is(err, unix.ECONNREFUSED): // another network namespace
		return errSilent
	case err != nil:
		return err
	}
	// Kernels before 6.6 count listeners and do not notice that one exits.
	defer setListening(context.WithoutCancel(ctx), c, ignore)
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
			if _, err := e.Struct(&ev); err != nil {
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

// setListening starts or ends the events. The connector acknowledges with an event that
// has the next number in the field Ack, to all listeners: ours is our port's.
func setListening(ctx context.Context, c *client.Conn, op uint32) error {
	var b wire.Builder
	b.Struct(&control{
		Header: header{Index: procGroup, Value: procGroup, Ack: c.PortID(), Length: 4},
		Op:     op,
	})
	payload, err := b.Encode()
	if err != nil {
		return err
	}
	_, err = c.Request(ctx, netlink.NLMSG_DONE, payload, 0)
	return err
}
