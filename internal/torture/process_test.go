//go:build linux

package torture

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
)

// churnEnv marks the second process of the torture.
const churnEnv = "NLMUX_TEST_CHURN"

// churnBurst is how many changes the second process makes when asked for more.
const churnBurst = 16

// churn is a process that changes the namespace on request.
type churn struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startChurn(t *testing.T, ns *nstest.NS) *churn {
	t.Helper()
	p := &churn{cmd: exec.Command("/proc/self/exe", "-test.run=^TestTortureChurn$", "-test.v=false")}
	p.cmd.Env = append(os.Environ(), churnEnv+"=1")
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := ns.Do(p.cmd.Start); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.in.Close() })
	return p
}

// more requests another burst of changes.
func (p *churn) more() {
	// If the process has exited, stop reports why.
	_, _ = p.in.Write([]byte{'.'})
}

// stop lets the process finish and returns the number of its changes.
func (p *churn) stop(t *testing.T) (changes int) {
	t.Helper()
	p.in.Close()
	text, _ := p.out.ReadString('\n')
	rest, _ := io.ReadAll(p.out)
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("second process: %v\n%s%s", err, text, rest)
	}
	if _, err := fmt.Sscanf(strings.TrimSpace(text), "changes %d", &changes); err != nil {
		t.Fatalf("second process says %q: %v", text, err)
	}
	return changes
}

// TestTortureChurn is the second process of TestTorture, and is skipped otherwise. It
// creates and removes objects as long as its input lasts.
func TestTortureChurn(t *testing.T) {
	if os.Getenv(churnEnv) == "" {
		return
	}
	c := kerneltest.DialHere(t, netlink.NETLINK_ROUTE)
	var objects []*object
	for n := range 200 {
		objects = append(objects, &object{key: key{class: class(n % 2), owner: ownerNone, n: uint8(n)}})
	}
	in := bufio.NewReader(os.Stdin)
	changes := 0
	for {
		if _, err := in.ReadByte(); err != nil {
			fmt.Printf("changes %d\n", changes)
			return
		}
		for range churnBurst {
			objects[changes%len(objects)].flip(t, c)
			changes++
		}
	}
}

// flip creates a missing object and removes an existing one.
func (o *object) flip(t *testing.T, c *client.Conn) {
	t.Helper()
	typ, flags := removes[o.class], netlink.Flags(0)
	if !o.there {
		typ, flags = creates[o.class], netlink.NLM_F_CREATE|netlink.NLM_F_EXCL
		o.gen++
	}
	o.there = !o.there
	kerneltest.Request(t, c, typ, o.payload(o.gen), flags)
}

// tally counts operations and the results of requests.
type tally struct {
	ops     []int
	slowest []time.Duration
	ends    map[string]int
	lost    uint64 // requests that ended with ErrReplyLost
}

func newTally() tally {
	n := len(operations)
	return tally{ops: make([]int, n), slowest: make([]time.Duration, n), ends: make(map[string]int)}
}

func (t *tally) add(u *tally) {
	for i, n := range u.ops {
		t.ops[i] += n
		t.slowest[i] = max(t.slowest[i], u.slowest[i])
	}
	for end, n := range u.ends {
		t.ends[end] += n
	}
	t.lost += u.lost
}

func (t *tally) String() string {
	var b strings.Builder
	total := 0
	for i, n := range t.ops {
		total += n
		fmt.Fprintf(&b, "%d %s (slowest %v), ", n, operations[i].name, t.slowest[i].Round(10*time.Microsecond))
	}
	return fmt.Sprintf("%d operations: %s\nends: %v", total, strings.TrimSuffix(b.String(), ", "), t.ends)
}

// checkState compares the workers' state with the kernel's, read through another
// socket.
func (x *torture) checkState(workers []*worker) {
	c, err := client.Dial(netlink.NETLINK_ROUTE, client.WithNetNS(x.ns.FD()))
	if err != nil {
		x.t.Fatal(err)
	}
	defer c.Close()
	there := make(map[key][]uint32)
	for _, from := range tables {
		for m, err := range c.Dump(x.ctx, from.typ, from.payload) {
			if err != nil {
				x.t.Fatal(err)
			}
			if s, ok := sighting(m); ok && s.class == from.class {
				there[s.key] = append(there[s.key], s.gen)
			}
		}
	}
	for _, w := range workers {
		for _, o := range w.own {
			got := there[o.key]
			if (len(got) == 1) != o.there || len(got) > 1 || o.there && o.class != aLink && got[0] != o.gen {
				x.fault("%v: the kernel has generations %v, want %d, there %v", o.key, got, o.gen, o.there)
			}
		}
	}
}
