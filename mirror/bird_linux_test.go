//go:build linux

package mirror

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink/internal/nstest"
)

// birdRoutes is the number of routes of each family that the routing daemon has.
const birdRoutes = 5000

// TestRoutingDaemon: a Mirror follows BIRD, which announces its routes, changes where they
// lead, and withdraws them, as a router with a large table does.
func TestRoutingDaemon(t *testing.T) {
	if _, err := exec.LookPath("bird"); err != nil {
		nstest.Skip(t, "bird", "%v", err)
	}
	ns := nstest.New(t)
	ip(t, ns, twoLinks)
	w := inNamespace(t, ns, All)
	b := startBird(t, w, "b0")
	for _, step := range []struct {
		leadTo string // "" disables the routes
		routes int
	}{{"b0", birdRoutes}, {"a0", birdRoutes}, {"", 0}, {"a0", birdRoutes}} {
		if step.leadTo == "" {
			b.control("disable static4")
			b.control("disable static6")
		} else {
			b.configure(step.leadTo)
			b.control("configure")
			b.control("enable static4")
			b.control("enable static6")
		}
		for _, r := range []Tables{TableRoutes4, TableRoutes6} {
			b.wait(r, step.leadTo, step.routes)
		}
		w.agree()
	}
}

// bird is a routing daemon in a namespace.
type bird struct {
	*world
	dir string
}

func startBird(t *testing.T, w *world, link string) bird {
	b := bird{w, t.TempDir()}
	b.configure(link)
	cmd := exec.Command("bird", "-f", "-c", b.file("conf"), "-s", b.file("socket"), "-P", b.file("pid"))
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := w.ns.Do(cmd.Start); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Log(output.String())
		}
	})
	// The socket is there before the daemon has read its configuration. It answers
	// afterwards only.
	eventually(t, func() string {
		status := exec.Command("birdc", "-s", b.file("socket"), "show", "status")
		if err := w.ns.Do(status.Run); err != nil {
			return fmt.Sprintf("bird does not start: birdc show status: %v", err)
		}
		return ""
	})
	return b
}

func (b bird) file(name string) string { return filepath.Join(b.dir, name) }

// configure writes a configuration in which all routes lead to a link.
func (b bird) configure(link string) {
	b.Helper()
	var conf strings.Builder
	conf.WriteString("router id 10.1.1.1;\nprotocol device {}\n")
	for _, family := range []struct{ number, route string }{
		{"4", "10.%d.%d.0/24"}, {"6", "fd09:%x:%x::/48"},
	} {
		fmt.Fprintf(&conf, "protocol kernel { ipv%s { export all; }; }\n", family.number)
		fmt.Fprintf(&conf, "protocol static static%s {\n\tipv%s;\n", family.number, family.number)
		for i := range birdRoutes {
			fmt.Fprintf(&conf, "\troute "+family.route+" via %q;\n", 100+i/250, i%250, link)
		}
		conf.WriteString("}\n")
	}
	if err := os.WriteFile(b.file("conf"), []byte(conf.String()), 0o600); err != nil {
		b.Fatal(err)
	}
}

func (b bird) control(command string) {
	b.Helper()
	b.ns.Run(b, "birdc", append([]string{"-s", b.file("socket")}, strings.Fields(command)...)...)
}

// wait waits until the copy has that many routes of the daemon which lead to a link.
func (b bird) wait(of Tables, link string, want int) {
	b.Helper()
	index := uint32(0)
	if link != "" {
		index = uint32(b.index(link))
	}
	eventually(b, func() string {
		n := 0
		for _, g := range b.exact().trees[of.number()].All() {
			v := group(g).first()
			if v[rtmsgProtocol] == unix.RTPROT_BIRD && (link == "" || usesLink(v, index)) {
				n++
			}
		}
		if n == want {
			return ""
		}
		return fmt.Sprintf("%v: %d routes lead to %q, want %d", of, n, link, want)
	})
}
