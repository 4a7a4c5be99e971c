//go:build linux

package torture

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
)

// watcher follows the events of every object. An object is created and removed in turn
// and its generations count up, so an event shows whether the one before it is missing.
// It may be missing only where there is a gap.
type watcher struct {
	*torture
	objects map[key]*followed
	count   int    // events, gaps not included
	own     int    // of them, those about objects
	gaps    int    // so far
	lost    uint64 // sum of the gaps' counts
	holes   int    // places where an object's events are missing
	owed    string // the last hole whose gap had not come yet
	owedAt  int    // gaps at that time
	quiet   chan struct{}
	gone    chan struct{}
}

// followed is an object as the events show it.
type followed struct {
	gen   uint32
	there bool
	gaps  int // gaps before its last event
}

// watch starts to follow the events of a Conn.
func watch(x *torture) *watcher {
	v := &watcher{torture: x, objects: make(map[key]*followed), quiet: make(chan struct{}), gone: make(chan struct{})}
	go func() {
		defer close(v.gone)
		for {
			select {
			case e := <-x.conn.Receive():
				v.on(e)
			case <-v.quiet:
				return
			}
		}
	}()
	return v
}

// on handles one event. It returns its object, if it has one.
func (v *watcher) on(e client.Event) (sight, bool) {
	if e.Header.Type == netlink.NLMSG_OVERRUN {
		v.gaps++
		v.lost += e.Lost
		return sight{}, false
	}
	v.count++
	if e.Lost != 0 || e.NSID != -1 || e.Group == 0 {
		v.fault("event %+v of group %d, namespace %d with %d lost", e.Header, e.Group, e.NSID, e.Lost)
	}
	s, ok := sighting(e.Message)
	if !ok || s.typ != creates[s.class] && s.typ != removes[s.class] {
		return s, false
	}
	v.own++
	if e.Group != groupOf[s.class] {
		v.fault("event about %v came to group %d", s.key, e.Group)
	}
	v.follow(s)
	return s, true
}

// follow checks an event about an object against the previous one.
func (v *watcher) follow(s sight) {
	f := v.objects[s.key]
	if f == nil {
		f = new(followed)
		v.objects[s.key] = f
	}
	made := s.typ == creates[s.class]
	next := made && !f.there && s.gen == f.gen+1 || !made && f.there && s.gen == f.gen
	if s.class == aLink {
		// The kernel stores no generation of a link, and announces a link each time
		// that it changes.
		next = made || f.there
		s.gen = f.gen
	}
	switch {
	case next:
	case s.gen < f.gen || made && s.gen == f.gen && s.class != aLink:
		v.fault("event of type %d about %v, generation %d, comes after generation %d", s.typ, s.key, s.gen, f.gen)
	case f.gaps == v.gaps:
		// In a storm the gap may come somewhat late; see client.Event.
		v.owed = fmt.Sprintf("event of type %d about %v, generation %d, comes after generation %d, there %v", s.typ, s.key, s.gen, f.gen, f.there)
		v.owedAt = v.gaps
		v.holes++
	default:
		v.holes++
	}
	*f = followed{gen: s.gen, there: made, gaps: v.gaps}
}

// next receives one event and returns the result of on.
func (v *watcher) next() (s sight, ok, gap bool) {
	gaps := v.gaps
	select {
	case e := <-v.conn.Receive():
		s, ok = v.on(e)
	case <-time.After(kerneltest.Patience):
		v.t.Fatalf("no event comes; %+v, %v", v.conn.Stats(), v)
	}
	return s, ok, v.gaps > gaps
}

// finish receives the remaining events and checks the final state of the objects of all
// workers. No other goroutine uses the Conn any more.
func (v *watcher) finish(workers []*worker) {
	close(v.quiet)
	<-v.gone
	// A last change is announced after everything else. If its event is lost, another
	// change follows.
	last := newWorker(v.torture, ownerNone+1000, 0)
	for o, seen := last.own[0], false; !seen && !v.over.Load(); {
		last.toggle(o)
		for gap := false; !seen && !gap; {
			var s sight
			s, seen, gap = v.next()
			seen = seen && s.key == o.key && s.gen == o.gen && (s.typ == unix.RTM_NEWADDR) == o.there
		}
	}
	v.tally.add(&last.did)
	// The kernel still announces what its timers change, so the counts agree at one instant.
	s := v.conn.Stats()
	for ; uint64(v.count)+v.lost < s.Events; s = v.conn.Stats() {
		v.next()
	}
	// Subscriptions drop events of their own.
	if uint64(v.count)+v.lost != s.Events || v.lost > s.EventsDropped {
		v.fault("%v, but %d events with %d dropped", v, s.Events, s.EventsDropped)
	}
	if v.owed != "" && v.owedAt == v.gaps {
		v.fault("%s, and no gap after it", v.owed)
	}
	for _, w := range workers {
		for _, o := range w.own {
			f := v.objects[o.key]
			if f == nil {
				f = new(followed)
			}
			if f.gaps == v.gaps && (f.there != o.there || f.gen != o.gen && o.class != aLink) {
				v.fault("%v: events say generation %d, there %v; it is generation %d, there %v; no gap", o.key, f.gen, f.there, o.gen, o.there)
			}
		}
	}
}

func (v *watcher) String() string {
	return fmt.Sprintf("%d events, %d about objects; %d gaps, %d holes, %d lost", v.count, v.own, v.gaps, v.holes, v.lost)
}
