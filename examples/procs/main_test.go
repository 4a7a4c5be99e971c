//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/examples/internal/program"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

func TestMain(m *testing.M) {
	program.Main(main)
	nstest.Main(m)
}

func TestFlags(t *testing.T) { program.TestFlags(t, "procs prints") }

// start starts the program. It skips the test if the kernel sends nothing and the
// program reports why.
func start(t *testing.T, in func(func() error) error, args ...string) *program.Process {
	t.Helper()
	p := program.Start(t, in, args...)
	if _, ok := p.Next(); !ok {
		stderr := p.WantRefusal("reports processes")
		feature := "connector"
		if in != nil {
			feature = "connector-user" // since Linux 6.6
		}
		nstest.Skip(t, feature, "%s", stderr)
	}
	return p
}

func TestChild(t *testing.T) {
	for name, in := range map[string]func(func() error) error{"privileged": nil, "unprivileged": program.Unprivileged} {
		t.Run(name, func(t *testing.T) {
			p := start(t, in)
			child := exec.Command("cat")
			stdin, err := child.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			pid := fmt.Sprint(child.Process.Pid)
			p.Await("start", pid, "by")
			p.Await("exec", pid, `["cat"]`) // it is there until its input ends
			stdin.Close()
			if err := child.Wait(); err != nil {
				t.Fatal(err)
			}
			p.Await("exit", pid, "status", "0")

			child = exec.Command("sh", "-c", "kill $$")
			if err := child.Run(); child.Process == nil {
				t.Fatal(err)
			}
			p.Await("exit", fmt.Sprint(child.Process.Pid), "signal", "15,", "terminated")
			p.Interrupt()
			p.WantDone()
		})
	}
}

func TestStopsAfterSomeEvents(t *testing.T) {
	p := start(t, nil, "-n", "2")
	if err := exec.Command("true").Run(); err != nil {
		t.Fatal(err)
	}
	if out := p.WantDone(); strings.Count(out, "\n") != 1+2 {
		t.Errorf("not 2 events:\n%s", out)
	}
}

func TestOtherNetworkNamespace(t *testing.T) {
	program.Start(t, nstest.New(t).Do).WantRefusal("initial user, PID and network namespaces")
}

// occurrence is an event as the kernel sends it.
func occurrence(t *testing.T, ev event) wire.Message {
	t.Helper()
	var b wire.Builder
	b.Struct(&ev)
	payload, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return wire.Message{Header: wire.Header{Type: netlink.NLMSG_DONE}, Payload: payload}
}

// connector returns a Conn to a kernel that acknowledges with errno.
func connector(t *testing.T, errno unix.Errno) (*nltest.Kernel, *client.Conn) {
	var k *nltest.Kernel
	k = nltest.New(netlink.NETLINK_CONNECTOR, func(req wire.Message) []wire.Message {
		ack := event{What: eventNone, Data: [6]uint32{uint32(errno)}}
		if _, err := req.Struct(&ack.Header); err != nil {
			t.Error(err)
		}
		ack.Header.Ack++
		k.Push(procGroup, occurrence(t, ack))
		return nil
	})
	return k, k.Dial(client.WithEventQueue(1))
}

func TestGapsArePrinted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, c := connector(t, 0)
		out := program.Script{Next: map[string]func(){
			"watching": func() {
				synctest.Wait() // the queue has room again for one event
				for range 10 {
					k.Push(procGroup, occurrence(t, event{What: eventFork, Data: [6]uint32{1, 1, 7, 7}}))
				}
				synctest.Wait() // the Conn has taken them all, and dropped most
			},
			"missing": func() {
				k.Push(procGroup, occurrence(t, event{What: eventExit, Data: [6]uint32{7, 7, 3 << 8}}))
			},
		}}
		if err := run(t.Context(), &out, c, 2); err != nil {
			t.Fatal(err)
		}
		want := "watching processes\nstart        7  by 1\n*** events are missing here ***\nexit         7  with status 3\n"
		if out.String() != want {
			t.Errorf("output:\n%swant:\n%s", out.String(), want)
		}
	})
}

func TestKernelThatRefuses(t *testing.T) {
	_, c := connector(t, unix.EPERM)
	if err := run(t.Context(), &strings.Builder{}, c, 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("%v, want EPERM", err)
	}
}

// TestSilentKernel: the kernel does not answer a container.
func TestSilentKernel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := nltest.Dial(netlink.NETLINK_CONNECTOR, nil)
		if err := run(context.Background(), &strings.Builder{}, c, 0); !errors.Is(err, errSilent) {
			t.Errorf("%v, want %v", err, errSilent)
		}
	})
}

func TestThreadsAreLeftOut(t *testing.T) {
	for _, ev := range []event{
		{What: eventFork, Data: [6]uint32{1, 1, 8, 7}},
		{What: eventExit, Data: [6]uint32{8, 7}},
		{What: 4}, // PROC_EVENT_UID
	} {
		if text := describe(ev); text != "" {
			t.Errorf("%+v: %q", ev, text)
		}
	}
}
