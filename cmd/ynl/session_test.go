package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

var bg = context.Background()

// result is what a run of the command leaves.
type result struct {
	code           int
	stdout, stderr string
}

// want fails the test unless the result is this one. A line of standard error may be
// given by its beginning.
func (r result) want(t *testing.T, code int, stdout, stderr string) {
	t.Helper()
	if r.code != code || r.stdout != stdout || !strings.HasPrefix(r.stderr, stderr) || stderr == "" && r.stderr != "" {
		t.Errorf("exit code %d, want %d\nstdout:\n%s\nwant:\n%s\nstderr:\n%s\nwant:\n%s", r.code, code, r.stdout, stdout, r.stderr, stderr)
	}
}

// dialer is how a session of a test reaches a kernel.
type dialer func(netlink.Family, ...client.Option) (*client.Conn, error)

// scripted dials a kernel that answers by a handler.
func scripted(handler func(wire.Message) []wire.Message) dialer {
	return func(f netlink.Family, opts ...client.Option) (*client.Conn, error) {
		return nltest.Dial(f, handler, opts...), nil
	}
}

// errNoKernel is the error of unreachable.
var errNoKernel = errors.New("no kernel here")

func unreachable(netlink.Family, ...client.Option) (*client.Conn, error) { return nil, errNoKernel }

// run runs the command. width is that of the terminal, 0 for none.
func run(ctx context.Context, dial dialer, width int, stdin string, args ...string) result {
	var stdout, stderr bytes.Buffer
	s := &session{
		stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr,
		dial: dial, width: func(io.Writer) int { return width },
	}
	code := s.run(ctx, args)
	return result{code, stdout.String(), stderr.String()}
}

func TestUsageErrors(t *testing.T) {
	for _, tt := range []struct {
		args string
		want string
	}{
		{"", "which command? One of list, ops, dump, do, watch (ynl -h explains)"},
		{"dmp", `no command "dmp"; did you mean dump? (ynl -h explains)`},
		{"frobnicate", `no command "frobnicate" (ynl -h explains)`},
		{"-x list", "flag provided but not defined: -x (ynl -h explains)"},
		{"list -x", "list: flag provided but not defined: -x (ynl list -h explains)"},
		{"list all", "usage: ynl list (ynl list -h explains)"},
		{"ops", "usage: ynl ops [flags] FAMILY [OP] (ynl ops -h explains)"},
		{"ops rtlink", `no family "rtlink"; did you mean rt-link? (ynl list has all)`},
		{"ops rt-link getlnk", `rt-link: no operation "getlnk"; did you mean getlink, setlink? (ynl ops rt-link has all)`},
		{"ops infiniband", `no family "infiniband" (ynl list has all)`},
		{"dump rt-link", "usage: ynl dump [flags] FAMILY OP [JSON] (ynl dump -h explains)"},
		{"dump rt-link getlink {} {}", "usage: ynl dump [flags] FAMILY OP [JSON] (ynl dump -h explains)"},
		{"dump rt-link getlnk", `rt-link: no operation "getlnk"; did you mean getlink? (ynl ops rt-link has all)`},
		{"dump rt-link newlink", "rt-link: newlink is not for ynl dump (ynl do rt-link newlink requests it)"},
		{"do rt-link newlink-ntf", "rt-link: newlink-ntf is a notification (ynl watch rt-link prints it)"},
		{"do devlink resource-dmp", `devlink: no operation "resource-dmp"; did you mean resource-dump`},
		{"dump -json -table rt-link getlink", "dump: -json excludes -table, -wide and -columns"},
		{"dump rt-link getlink -columns=mtu -json", "dump: -json excludes -table, -wide and -columns"},
		{"watch", "usage: ynl watch [flags] FAMILY... (ynl watch -h explains)"},
		{"watch rt-link rtaddr", `no family "rtaddr"; did you mean rt-addr`},
		{"watch -w events rt-link nftables", "watch: -w is for families of one protocol, these have 2"},
		{"do rt-link setlink []", "rt-link setlink: JSON: it must be an object, such as {} or {\"name\": 1}"},
		{"do rt-link setlink {", "rt-link setlink: JSON: unexpected end of JSON input, after 1 bytes"},
		{"do rt-link setlink {}{}", "rt-link setlink: JSON: invalid character '{' after top-level value, after 3 bytes"},
		{`do rt-link setlink {"mtU":1}`, `rt-link setlink: JSON: unknown name "mtU"`},
		{`do rt-link setlink {"linkinfo":{"kind":"veth","data":{"peer":{"nome":"v1"}}}}`, `rt-link setlink: JSON: linkinfo: data: peer: unknown name "nome"`},
		{`do rt-link setlink {"mtu":"big"}`, `rt-link setlink: JSON: mtu: "big" is no value`},
		{`do rt-link setlink {"mtu":4294967296}`, "rt-link setlink: JSON: mtu: 4294967296 is out of range"},
		{`do rt-link setlink {"ifi-flags":["upp"]}`, `rt-link setlink: JSON: ifi-flags: "upp" is no value`},
	} {
		run(bg, unreachable, 0, "", strings.Fields(tt.args)...).want(t, exitUsage, "", "ynl: "+tt.want)
	}
}

func TestHelp(t *testing.T) {
	for _, args := range []string{"-h", "help", "-help"} {
		r := run(bg, unreachable, 0, "", args)
		r.want(t, exitOK, r.stdout, "")
		for _, sub := range subcommands {
			if !strings.Contains(r.stdout, fmt.Sprintf("\n  %s ", sub.name)) || !strings.Contains(r.stdout, sub.about) {
				t.Errorf("%s: no %s in\n%s", args, sub.name, r.stdout)
			}
		}
	}
	run(bg, unreachable, 0, "", "ops", "-h").want(t, exitOK, `Usage: ynl ops [flags] FAMILY [OP]

`+opsHelp+`
Flags:
  -json
    	print JSON, a value a line
  -netns namespace
    	the network namespace: a name as of ip netns, a path, or a process id
  -w file
    	write the netlink messages to this file, for Wireshark
`, "")
}

// Each example of the help is a command line that the kernel would have to answer.
func TestExamplesOfTheHelpAreRight(t *testing.T) {
	texts := []string{helpTail}
	for _, sub := range subcommands {
		if !strings.Contains(sub.help, "\n  ynl "+sub.name+" ") && !strings.Contains(sub.help, "\n  ynl "+sub.name+"\n") {
			t.Errorf("%s: the help has no example", sub.name)
		}
		texts = append(texts, sub.help)
	}
	n := 0
	for line := range strings.Lines(strings.Join(texts, "")) {
		example, ok := strings.CutPrefix(line, "  ynl ")
		if !ok {
			continue
		}
		n++
		example, _, _ = strings.Cut(example, " | ")
		example, _, _ = strings.Cut(example, " <")
		example, _, _ = strings.Cut(strings.TrimSpace(example), "   ")
		args := words(example)
		for i, arg := range args {
			if arg == "-netns" {
				args = append(args[:i], args[i+2:]...) // no such namespace here
				break
			}
		}
		r := run(bg, unreachable, 0, "{}", args...)
		if r.code != exitOK && r.stderr != "ynl: "+errNoKernel.Error()+"\n" {
			t.Errorf("%q: exit code %d, %s", args, r.code, r.stderr)
		}
	}
	if n < 20 {
		t.Errorf("%d examples were found", n)
	}
}

// words splits a command line at blanks that are not quoted.
func words(line string) (list []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			list = append(list, part)
		} else {
			list = append(list, strings.Fields(part)...)
		}
	}
	return list
}

func TestList(t *testing.T) {
	r := run(bg, unreachable, 0, "", "list")
	r.want(t, exitOK, r.stdout, "")
	for _, line := range []string{
		"rt-link          NETLINK_ROUTE      9 operations\n",
		"ethtool          NETLINK_GENERIC    ",
		"nftables         NETLINK_NETFILTER  ",
	} {
		if !strings.Contains("\n"+r.stdout, "\n"+line) {
			t.Errorf("no %q in\n%s", line, r.stdout)
		}
	}
}

func TestNoNamespace(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"no-such-ns", `ynl: no network namespace "no-such-ns" in /run/netns: `},
		{"/no/such/ns", "ynl: open /no/such/ns: "},
		{"4294967295", "ynl: open /proc/4294967295/ns/net: "},
	} {
		run(bg, unreachable, 0, "", "-netns", tt.name, "dump", "rt-link", "getlink").want(t, exitFailed, "", tt.want)
		run(bg, unreachable, 0, "", "dump", "rt-link", "getlink", "-netns", tt.name).want(t, exitFailed, "", tt.want)
	}
}

func TestNoCapture(t *testing.T) {
	run(bg, unreachable, 0, "", "-w", "/no/such/file", "dump", "rt-link", "getlink").want(t, exitFailed, "", "ynl: open /no/such/file: ")
}
