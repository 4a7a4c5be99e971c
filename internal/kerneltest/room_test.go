//go:build linux

package kerneltest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// Attributes of alternative names (include/uapi/linux/if_link.h).
const (
	iflaPropList   = 52
	iflaAltIfname  = 53
	rtmNewLinkProp = netlink.MessageType(108)
)

// TestLargeAnswersAreNotLost: many goroutines request a link whose description is
// larger than the initial estimate for an answer.
func TestLargeAnswersAreNotLost(t *testing.T) {
	for _, names := range []int{100, 350} { // of 140 bytes
		t.Run(fmt.Sprint(names, " names"), func(t *testing.T) {
			c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
			for first := 0; first < names; first += 50 {
				Request(t, c, rtmNewLinkProp, Build(t, unix.IfInfomsg{Index: LoIndex}, func(b *wire.Builder) {
					b.Nest(iflaPropList, func(b *wire.Builder) {
						for i := first; i < first+50; i++ {
							b.String(iflaAltIfname, fmt.Sprintf("%03d%s", i, strings.Repeat("x", 120)))
						}
					})
				}), netlink.NLM_F_CREATE|netlink.NLM_F_EXCL|netlink.NLM_F_APPEND)
			}
			var wg sync.WaitGroup
			for range 64 {
				wg.Go(func() {
					for range 20 {
						msgs, err := c.Request(context.Background(), unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0)
						if err != nil || len(msgs) != 1 || len(msgs[0].Payload) < names*128 {
							t.Errorf("%d replies, %v", len(msgs), err)
							return
						}
					}
				})
			}
			wg.Wait()
			t.Logf("%d answers were lost at first, of %d", c.Stats().RepliesLost, 64*20)
			if n := c.Stats().Pending; n != 0 {
				t.Errorf("%d pending", n)
			}
		})
	}
}
