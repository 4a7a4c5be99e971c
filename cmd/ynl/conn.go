package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
)

// open dials a family as the flags say. The caller calls end when it is done with the
// Conn.
func (s *session) open(family netlink.Family) (c *client.Conn, end func() error, err error) {
	var opts []client.Option
	if s.netns != "" {
		ns, err := openNetNS(s.netns)
		if err != nil {
			return nil, nil, err
		}
		defer ns.Close()
		opts = append(opts, client.WithNetNS(int(ns.Fd())))
	}
	if s.capture == "" {
		if c, err = s.dial(family, opts...); err != nil {
			return nil, nil, err
		}
		return c, c.Close, nil
	}
	file, err := os.Create(s.capture)
	if err != nil {
		return nil, nil, err
	}
	c, err = s.dial(family, append(opts, client.WithCapture(file))...)
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return c, func() error { return errors.Join(c.Close(), file.Close()) }, nil
}

// netnsDir has the namespaces that ip netns names.
const netnsDir = "/run/netns"

// openNetNS opens a network namespace: a path if there is a slash in the name, a name of
// ip netns, or that of a process by its id.
func openNetNS(name string) (*os.File, error) {
	if strings.Contains(name, "/") {
		return os.Open(name)
	}
	f, err := os.Open(filepath.Join(netnsDir, name))
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if _, err := strconv.ParseUint(name, 10, 32); err == nil {
		return os.Open(filepath.Join("/proc", name, "ns/net"))
	}
	return nil, fmt.Errorf("no network namespace %q in %s: %w", name, netnsDir, err)
}
