package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
)

// namespace returns a name for -netns of a namespace that belongs to the test.
func namespace(t *testing.T) string {
	return fmt.Sprintf("/proc/self/fd/%d", nstest.New(t).FD())
}

// inside runs the command in a namespace of the real kernel.
func inside(ns string, width int, args ...string) result {
	return run(bg, client.Dial, width, "", append([]string{"-netns", ns}, args...)...)
}

func TestLinkIsMadeChangedAndRemoved(t *testing.T) {
	ns := namespace(t)
	newlink := []string{"do", "-create", "-excl", "rt-link", "newlink", `{"ifname":"v0","mtu":1400,"linkinfo":{"kind":"veth","data":{"peer":{"ifname":"v1","mtu":1400}}}}`}
	inside(ns, 0, newlink...).want(t, exitOK, "", "")
	inside(ns, 0, newlink...).want(t, exitFailed, "", "ynl: rt-link newlink: file exists")
	inside(ns, 0, "do", "rt-link", "setlink", `{"ifname":"v0","mtu":1300,"ifi-flags":["up"],"ifi-change":["up"]}`).want(t, exitOK, "", "")

	r := inside(ns, 0, "do", "rt-link", "getlink", `{"ifname":"v0"}`)
	r.want(t, exitOK, r.stdout, "")
	var link struct {
		Flags []any  `json:"ifi-flags"`
		Name  string `json:"ifname"`
		MTU   int    `json:"mtu"`
		Info  struct {
			Kind string `json:"kind"`
		} `json:"linkinfo"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &link); err != nil {
		t.Fatalf("%q: %v", r.stdout, err)
	}
	if link.Name != "v0" || link.MTU != 1300 || link.Info.Kind != "veth" || !strings.Contains(fmt.Sprint(link.Flags), "up") {
		t.Errorf("%+v", link)
	}

	inside(ns, 0, "dump", "-columns", "ifname,mtu,linkinfo.kind", "rt-link", "getlink").want(t, exitOK, `ifname    mtu  linkinfo.kind
lo      65536  -
v1       1400  veth
v0       1300  veth
`, "")
	inside(ns, 0, "do", "rt-link", "dellink", `{"ifname":"v1"}`).want(t, exitOK, "", "")
	inside(ns, 0, "do", "rt-link", "getlink", `{"ifname":"v0"}`).want(t, exitFailed, "", "ynl: rt-link getlink: no such device\n")
}

// Every row of a table fits the terminal, and the names of the links are among its columns.
func TestLinksOnATerminal(t *testing.T) {
	ns := namespace(t)
	inside(ns, 0, "do", "-create", "rt-link", "newlink", `{"ifname":"v0","linkinfo":{"kind":"veth"}}`).want(t, exitOK, "", "")
	for _, width := range []int{60, 80, 120, 200} {
		r := inside(ns, width, "dump", "rt-link", "getlink")
		r.want(t, exitOK, r.stdout, r.stderr)
		if !strings.Contains(r.stderr, " more columns (-wide, -columns, -json): ") {
			t.Errorf("width %d: %q", width, r.stderr)
		}
		lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
		if len(lines) != 4 || !strings.Contains(lines[0], " ifname ") || !strings.Contains(r.stdout, " v0 ") {
			t.Errorf("width %d:\n%s", width, r.stdout)
		}
		for _, line := range lines {
			if n := len([]rune(line)); n > width {
				t.Errorf("width %d: %d columns in %q", width, n, line)
			}
		}
	}
}

func TestRefusalNamesTheAttribute(t *testing.T) {
	ns := namespace(t)
	inside(ns, 0, "do", "rt-link", "getlink", `{"ifname":"a name that is too long"}`).
		want(t, exitFailed, "", "ynl: rt-link getlink: numerical result out of range: Attribute failed policy validation (at IFLA_IFNAME)\n")
	inside(ns, 0, "do", "-create", "rt-link", "newlink", `{"linkinfo":{"kind":"veth","data":{"peer":{"ifname":"a name that is too long"}}}}`).
		want(t, exitFailed, "", "ynl: rt-link newlink: numerical result out of range: Attribute failed policy validation (at IFLA_LINKINFO > IFLA_INFO_DATA > VETH_INFO_PEER > IFLA_IFNAME)\n")
	inside(ns, 0, "do", "nlctrl", "getfamily", `{"family-name":"no-such-family"}`).
		want(t, exitFailed, "", "ynl: nlctrl getfamily: no such file or directory\n")
}

// The kernel chooses the priority of a rule.
func TestEchoOfTheKernel(t *testing.T) {
	r := inside(namespace(t), 0, "do", "-create", "-echo", "rt-rule", "newrule", `{"family":2,"action":"to-tbl","table":200}`)
	r.want(t, exitOK, r.stdout, "")
	if !strings.Contains(r.stdout, `"priority":`) || !strings.Contains(r.stdout, `"table":200`) {
		t.Error(r.stdout)
	}
}

func TestWatchOfTheKernel(t *testing.T) {
	ns := namespace(t)
	up := 0
	w := watching(t, client.Dial, 0, func() {
		flags := [...]string{"[]", `["up"]`}[up]
		up = 1 - up
		inside(ns, 0, "do", "rt-link", "setlink", `{"ifname":"lo","ifi-change":["up"],"ifi-flags":`+flags+`}`).want(t, exitOK, "", "")
	}, "-netns", ns, "rt-link", "rt-addr", "nlctrl")
	inside(ns, 0, "do", "-create", "rt-link", "newlink", `{"ifname":"v0","linkinfo":{"kind":"veth"}}`).want(t, exitOK, "", "")
	w.await(`"ifname":"v0"`)
	r := w.interrupt()
	r.want(t, exitOK, r.stdout, "")
}

// -netns takes the name of ip netns and the id of a process as well.
func TestNamesOfNamespaces(t *testing.T) {
	const dumpNames = "dump -columns ifname rt-link getlink"
	own := fmt.Sprint(os.Getpid())
	want := run(bg, client.Dial, 0, "", strings.Fields(dumpNames)...)
	want.want(t, exitOK, want.stdout, "")
	inside(own, 0, strings.Fields(dumpNames)...).want(t, exitOK, want.stdout, "")

	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		nstest.Skip(t, "machine", "%v", err)
	}
	name := "ynl-test-" + own
	if err := os.Symlink(namespace(t), filepath.Join(netnsDir, name)); err != nil {
		nstest.Skip(t, "machine", "%v", err)
	}
	t.Cleanup(func() { os.Remove(filepath.Join(netnsDir, name)) })
	inside(name, 0, strings.Fields(dumpNames)...).want(t, exitOK, "ifname\nlo\n", "")
}

// What is no namespace is refused.
func TestFileThatIsNoNamespace(t *testing.T) {
	inside("/dev/null", 0, "dump", "rt-link", "getlink").want(t, exitFailed, "", "ynl: netlink: dial NETLINK_ROUTE: ")
}

func TestCapture(t *testing.T) {
	file := filepath.Join(t.TempDir(), "links.pcapng")
	r := inside(namespace(t), 0, "-w", file, "dump", "rt-link", "getlink")
	r.want(t, exitOK, r.stdout, "")
	capture, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(capture, []byte{0x0a, 0x0d, 0x0d, 0x0a}) || !bytes.Contains(capture, []byte("lo\x00")) {
		t.Errorf("%q", capture)
	}
}

func TestTerminalWidth(t *testing.T) {
	control, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		nstest.Skip(t, "pty", "%v", err)
	}
	defer control.Close()
	for _, tt := range []struct{ columns, want int }{{132, 132}, {0, 80}} {
		if err := unix.IoctlSetWinsize(int(control.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(tt.columns)}); err != nil {
			t.Fatal(err)
		}
		if got := terminalWidth(control); got != tt.want {
			t.Errorf("%d columns: width %d, want %d", tt.columns, got, tt.want)
		}
	}
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got := terminalWidth(file); got != 0 {
		t.Errorf("a file has width %d", got)
	}
	if got := terminalWidth(new(bytes.Buffer)); got != 0 {
		t.Errorf("a buffer has width %d", got)
	}
}
