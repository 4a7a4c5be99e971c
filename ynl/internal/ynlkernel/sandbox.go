//go:build linux

package ynlkernel

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
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

// Run runs commands in the namespace, one in each line, and returns their output. It ends
// the test if one fails. Quotes have no meaning.
func (s *Sandbox) Run(t testing.TB, lines string) string {
	t.Helper()
	var all strings.Builder
	for line := range strings.Lines(lines) {
		if words := strings.Fields(line); len(words) > 0 {
			all.WriteString(s.NS.Run(t, words[0], words[1:]...))
		}
	}
	return all.String()
}

// Try runs a command that needs a feature of the kernel. It skips the test under the name
// of the feature if the command fails.
func (s *Sandbox) Try(t testing.TB, feature, line string) {
	t.Helper()
	if out, err := s.attempt(line); err != nil {
		nstest.Skip(t, feature, "%s: %v: %s", line, err, out)
	}
}

// Can runs a command and reports whether it succeeds.
func (s *Sandbox) Can(line string) bool {
	_, err := s.attempt(line)
	return err == nil
}

func (s *Sandbox) attempt(line string) (out []byte, err error) {
	words := strings.Fields(line)
	err = s.NS.Do(func() (err error) {
		out, err = exec.Command(words[0], words[1:]...).CombinedOutput()
		return err
	})
	return out, err
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
