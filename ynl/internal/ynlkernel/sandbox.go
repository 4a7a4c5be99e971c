//go:build linux

package ynlkernel

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/ynl/rtlink"
)

// Create is the flags of a request that makes something new.
const Create = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL

// Sandbox is a network namespace that belongs to one test, with a Conn of NETLINK_ROUTE in
// it.
type Sandbox struct {
	NS   *nstest.NS
	Conn *client.Conn
}

// New makes a Sandbox.
func New(t testing.TB, opts ...client.Option) *Sandbox {
	t.Helper()
	ns := nstest.New(t)
	return &Sandbox{ns, kerneltest.Dial(t, ns, netlink.NETLINK_ROUTE, opts...)}
}

// Link returns the link with a name. It ends the test if there is none.
func (s *Sandbox) Link(t testing.TB, name string) *rtlink.Link {
	t.Helper()
	l, err := rtlink.New(s.Conn).GetLink(kerneltest.Patient(t), rtlink.ByName(name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return l
}

// Run runs commands in the namespace, one in each line, and returns their output. It ends
// the test if one fails. Quotes have no meaning.
func (s *Sandbox) Run(t testing.TB, lines string) string {
	t.Helper()
	var all strings.Builder
	for _, block := range blocks(strings.Split(lines, "\n")) {
		out, err := s.attempt(block, "-batch")
		if errors.Is(err, exec.ErrNotFound) {
			nstest.Skip(t, strings.Fields(block[0])[0], "%v", err)
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(block, "\n"), err, out)
		}
		all.Write(out)
	}
	return all.String()
}

// Fill runs commands, and logs those that fail for what the kernel lacks.
func (s *Sandbox) Fill(t testing.TB, commands []string) {
	t.Helper()
	for _, block := range blocks(commands) {
		if out, err := s.attempt(block, "-force", "-batch"); err != nil {
			t.Logf("left out in %s: %s", strings.Join(block, "; "), bytes.TrimSpace(out))
		}
	}
}

// blocks groups the commands of ip without options, which one process can run: the start of
// a process takes long in a virtual machine.
func blocks(lines []string) (list [][]string) {
	var last []string
	end := func() {
		if last != nil {
			list = append(list, last)
		}
		last = nil
	}
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "ip ") && !strings.HasPrefix(line, "ip -") {
			last = append(last, line)
			continue
		}
		end()
		if line != "" {
			list = append(list, []string{line})
		}
	}
	end()
	return list
}

// Try runs a command that needs a feature of the kernel. It skips the test under the name
// of the feature if the command fails.
func (s *Sandbox) Try(t testing.TB, feature, line string) {
	t.Helper()
	if out, err := s.attempt([]string{line}); err != nil {
		nstest.Skip(t, feature, "%s: %v: %s", line, err, out)
	}
}

// Can runs a command and reports whether it succeeds.
func (s *Sandbox) Can(line string) bool {
	_, err := s.attempt([]string{line})
	return err == nil
}

// attempt runs a command, or several of ip with options for it.
func (s *Sandbox) attempt(lines []string, options ...string) (out []byte, err error) {
	words, input := strings.Fields(lines[0]), ""
	if len(lines) > 1 {
		words = append(append([]string{"ip"}, options...), "-")
		for _, line := range lines {
			input += strings.TrimPrefix(line, "ip ") + "\n"
		}
	}
	err = s.NS.Do(func() (err error) {
		c := exec.Command(words[0], words[1:]...)
		c.Stdin = strings.NewReader(input)
		out, err = c.CombinedOutput()
		return err
	})
	return out, err
}

// Set writes a setting of the namespace, such as "net/ipv4/conf/v0/forwarding".
func (s *Sandbox) Set(t testing.TB, name, value string) {
	t.Helper()
	if err := s.NS.Do(func() error { return os.WriteFile("/proc/sys/"+name, []byte(value), 0) }); err != nil {
		t.Fatal(err)
	}
}

// Setting returns a setting of the namespace.
func (s *Sandbox) Setting(t testing.TB, name string) (value string) {
	t.Helper()
	err := s.NS.Do(func() error {
		b, err := os.ReadFile("/proc/sys/" + name)
		value = strings.TrimSpace(string(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// JSON runs a command in the namespace and decodes the list of objects that it prints.
// Numbers are json.Number.
func (s *Sandbox) JSON(t testing.TB, line string) []map[string]any {
	t.Helper()
	out := s.Run(t, line)
	if strings.TrimSpace(out) == "" {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(out))
	d.UseNumber()
	var list []map[string]any
	if err := d.Decode(&list); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return list
}

// Same fails the test if the output of a command is not what it was.
func (s *Sandbox) Same(t testing.TB, line, before string) {
	t.Helper()
	if after := s.Run(t, line); after != before {
		t.Errorf("%s\nbefore:\n%s\nafter:\n%s", line, before, after)
	}
}
