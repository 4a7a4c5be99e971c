//go:build linux

package client_test

import (
	"context"
	"fmt"
	"log"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/readmetest"
	"github.com/nlmux/netlink/wire"
)

// Two goroutines share one connection. README.md has this as a program.
func Example() {
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	var g sync.WaitGroup
	for _, name := range []string{"lo", "nosuchlink0"} {
		g.Go(func() {
			var b wire.Builder
			b.Struct(&unix.IfInfomsg{})
			b.String(unix.IFLA_IFNAME, name)
			payload, err := b.Encode()
			if err != nil {
				log.Fatal(err)
			}
			replies, err := c.Request(context.Background(), unix.RTM_GETLINK, payload, 0)
			if err != nil {
				fmt.Printf("%s: %v\n", name, err)
			}
			for _, m := range replies {
				var link unix.IfInfomsg
				if _, err := m.Struct(&link); err != nil {
					log.Fatal(err)
				}
				fmt.Printf("%s: index %d\n", name, link.Index)
			}
		})
	}
	g.Wait()
	// Unordered output:
	// lo: index 1
	// nosuchlink0: netlink: RTM_GETLINK: no such device
}

// TestReadmeProgramIsTheExample: what README.md shows second is what Example compiles and
// runs.
func TestReadmeProgramIsTheExample(t *testing.T) {
	readmetest.Compare(t, 1, "../README.md", "readme_test.go")
}
