package client

import (
	"fmt"
	"testing"

	"github.com/nlmux/netlink/wire"
)

func TestRing(t *testing.T) {
	var r ring
	if r.first() != nil || r.last() != nil {
		t.Fatal("an empty ring has events")
	}
	next, oldest := 0, 0
	push := func() {
		r.push(Event{Message: wire.Message{Payload: fmt.Append(nil, next)}})
		next++
	}
	pop := func() {
		t.Helper()
		if got, want := string(r.pop().Payload), fmt.Sprint(oldest); got != want {
			t.Fatalf("popped %s, want %s", got, want)
		}
		oldest++
	}
	for round := range 200 { // grows, wraps, and is sometimes empty
		for range round % 37 {
			push()
		}
		if r.len() > 0 {
			if first, last := string(r.first().Payload), string(r.last().Payload); first != fmt.Sprint(oldest) || last != fmt.Sprint(next-1) {
				t.Fatalf("from %s to %s, want from %d to %d", first, last, oldest, next-1)
			}
		}
		for n := min(r.len(), round*7%41); n > 0; n-- {
			pop()
		}
	}
	for r.len() > 0 {
		pop()
	}
	if next != oldest {
		t.Fatalf("%d events pushed, %d popped", next, oldest)
	}
	for i, e := range r.slots {
		if e.Payload != nil {
			t.Fatalf("slot %d still holds a popped event", i)
		}
	}
}
