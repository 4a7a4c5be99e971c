//go:build linux

package ynl_test

import (
	"context"
	"fmt"
	"log"
	"sync"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/readmetest"
	"github.com/nlmux/netlink/ynl/rtlink"
)

// Two goroutines share one connection. README.md has this as a program.
func Example() {
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	links := rtlink.New(c)

	var g sync.WaitGroup
	for _, name := range []string{"lo", "nosuchlink0"} {
		g.Go(func() {
			link, err := links.GetLink(context.Background(), rtlink.ByName(name))
			if err != nil {
				fmt.Printf("%s: %v\n", name, err)
				return
			}
			fmt.Printf("%s: index %d, MTU %v\n", name, link.Index, link.MTU)
		})
	}
	g.Wait()
	// Unordered output:
	// lo: index 1, MTU 65536
	// nosuchlink0: rt-link getlink: netlink: RTM_GETLINK: no such device
}

// TestReadmeProgramIsTheExample: what README.md shows first is what Example compiles and
// runs.
func TestReadmeProgramIsTheExample(t *testing.T) {
	readmetest.Compare(t, 0, "../README.md", "readme_test.go")
}
