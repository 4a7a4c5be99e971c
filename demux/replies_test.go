package demux

import (
	"fmt"
	"testing"

	"github.com/nlmux/netlink/wire"
)

func TestListWithoutReplies(t *testing.T) {
	var r Replies
	if msgs := r.List(); msgs != nil {
		t.Errorf("%+v, want nil", msgs)
	}
}

// The list is whole and in order for any number of processors and any sizes of runs.
func TestListOfReplies(t *testing.T) {
	for _, tt := range []struct {
		name       string
		processors int
		runs       []int // messages in each
	}{
		{"one", 4, []int{1}},
		{"one processor", 1, []int{minParallel, minParallel, minParallel}},
		{"less than two parts", 4, []int{minParallel, minParallel - 1}},
		{"two parts", 4, []int{minParallel, minParallel}},
		{"a run for several", 4, []int{4 * minParallel}},
		{"a long run first", 4, []int{3 * minParallel, 1, 2, minParallel}},
		{"a long run last", 4, []int{1, 2, minParallel, 3 * minParallel}},
		{"more runs than processors", 3, []int{minParallel, 5, minParallel + 1, minParallel - 7, 1, 2 * minParallel, 9}},
		{"more processors than parts", 64, []int{minParallel, minParallel, minParallel, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r Replies
			var want uint32
			for _, n := range tt.runs {
				var b []byte
				for range n {
					b = wire.AppendMessage(b, wire.Message{
						Header:  wire.Header{Type: 24, Flags: 2, Seq: want, PortID: 7},
						Payload: fmt.Append(nil, want),
					})
					want++
				}
				r.Keep(b, n)
				clear(b)
			}
			msgs := r.list(tt.processors)
			if len(msgs) != int(want) {
				t.Fatalf("%d messages, want %d", len(msgs), want)
			}
			for i, m := range msgs {
				if m.Header.Seq != uint32(i) || string(m.Payload) != fmt.Sprint(i) || m.Header.Type != 24 {
					t.Fatalf("message %d is %+v", i, m)
				}
			}
		})
	}
}

// The common answer is one message: its bytes are an allocation, the list is one.
func TestReplyTakesTwoAllocations(t *testing.T) {
	b := wire.AppendMessage(nil, wire.Message{Payload: []byte("an answer")})
	var r Replies
	r.Keep(b, 1)
	got := testing.AllocsPerRun(1000, func() {
		r.Reset()
		r.Keep(b, 1)
		if len(r.List()) != 1 {
			t.Fatal("no message")
		}
	})
	if got != 2 {
		t.Errorf("%v allocations, want 2", got)
	}
}
