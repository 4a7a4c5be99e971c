package client

import (
	"net"
	"sync/atomic"
	"time"
)

// reader is what the port's goroutine keeps of its own.
//
// While requests follow each other closely, their senders read the answers and
// the reader would be woken by each for nothing, which costs more than the
// request. Then it has the socket muted and looks in once in a while until the
// crowd is gone: a NOOP of a lone goroutine takes a third less time.
type reader struct {
	away  atomic.Bool   // the socket is muted
	nudge chan struct{} // one token: come back

	// members counts the groups that the socket has joined: their messages come
	// at any time, so the reader stays.
	members atomic.Int32

	// Owned by the goroutine.
	wakes  int       // since
	since  time.Time // then, when
	opened uint64    // requests had been sent
}

const (
	// crowdWakes in a row, each within crowdPace of the one before and with a
	// request or more for each, are a crowd.
	crowdWakes = 32
	crowdPace  = 250 * time.Microsecond

	// lookMost is how many datagrams count as another wake: in a crowd the queue
	// may not be empty for a long time.
	lookMost = 64

	// awayTime is how long the reader stays away at a time, and so the longest
	// that an unsolicited message waits behind a crowd.
	awayTime = time.Millisecond
)

// run is the reader: the one goroutine of the port.
func (p *port) run() {
	// It returns when the socket is closed.
	_ = p.sock.Watch(func() {
		// Once is enough where the queue is empty by then: more comes with a ring.
		for more := true; more; {
			more = p.in.look(lookMost) >= lookMost
			if p.crowded() && p.stayAway() {
				more = false
			}
		}
	})
	p.table.Fail(net.ErrClosed)
	p.in.gate.open()
	for i := range p.lanes {
		p.lanes[i].end()
	}
	close(p.done)
}

// crowded reports whether the reader is woken too often for what it does.
func (p *port) crowded() bool {
	r := &p.reader
	if r.wakes++; r.wakes < crowdWakes {
		return false
	}
	now, opened := time.Now(), p.table.Opened()
	crowd := now.Sub(r.since) < crowdWakes*crowdPace && opened-r.opened >= crowdWakes
	r.wakes, r.since, r.opened = 0, now, opened
	return crowd && p.canMiss()
}

// canMiss reports whether all that can be expected to arrive has a sender who
// reads.
func (p *port) canMiss() bool { return p.reader.members.Load() == 0 && !p.in.dumping.Load() }

// stayAway has the socket muted until the crowd is gone or somebody nudges. It
// reports false, at once, where the socket cannot be muted.
func (p *port) stayAway() bool {
	if p.sock.Mute(true) != nil {
		return false
	}
	r := &p.reader
	r.away.Store(true)
	timer := time.NewTimer(awayTime)
	defer timer.Stop()
	for back := false; ; timer.Reset(awayTime) {
		// At first for what a sender has left to the reader, not having seen that
		// he goes away.
		p.in.look(p.in.most)
		if (back || !p.canMiss()) && p.unmute() {
			break
		}
		before := p.table.Opened()
		select {
		case <-timer.C:
			back = p.table.Opened()-before < uint64(awayTime/crowdPace)
		case <-r.nudge:
			back = true
		}
	}
	r.away.Store(false)
	return true
}

// unmute undoes Mute, if the system has the memory for it.
func (p *port) unmute() bool {
	err := p.sock.Mute(false)
	return err == nil || err == net.ErrClosed
}

// attend has the reader come back, if it is away: something is expected that
// no sender reads.
func (p *port) attend() {
	if p.reader.away.Load() {
		p.wake()
	}
}

func (p *port) wake() {
	select {
	case p.reader.nudge <- struct{}{}:
	default:
	}
}

// join and leave change the membership of a group on this socket, of which it may
// be a member already.
func (p *port) join(group uint32, member bool) error {
	if member {
		// The kernel may have ended it: genl_unregister_mc_groups does.
		return p.sock.Join(group)
	}
	// First, or the first event could be taken for an echo that nobody but the
	// requester gets.
	p.table.Join(group)
	p.reader.members.Add(1)
	p.attend()
	err := p.sock.Join(group)
	if err != nil {
		p.reader.members.Add(-1)
		p.table.Leave(group)
	}
	return err
}

func (p *port) leave(group uint32, member bool) error {
	if err := p.sock.Leave(group); err != nil {
		return err
	}
	p.table.Leave(group)
	if member {
		p.reader.members.Add(-1)
	}
	return nil
}
