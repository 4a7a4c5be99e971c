package client

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
)

// lane is the way to the socket of those requests that may share a datagram.
// The first to come leads: it sends what waits in the lane, its own request
// last, and reads the answers. Who comes meanwhile waits in the lane, unsent,
// and one of them leads next. So a lone request is sent at once, and a crowd
// shares the cost of the system call: SHARE_NUMBER
type lane struct {
	mu sync.Mutex // guards following

	leading bool        // somebody leads or has been told to
	waiting []*exchange // not registered yet, the longest waiting first

	// Owned by who leads: the datagram, the calls in it with their numbers, and
	// for how many datagrams more the lane counts as crowded.
	frame []byte
	calls []*demux.Call
	seqs  []uint32
	crowd int
}

// lanes are the lanes of one port. Requests of the same type meet in one: they
// take the same locks in the kernel, so none waits for another's that it would
// not wait for by itself.
type lanes [16]lane

func (l *lanes) of(typ netlink.MessageType) *lane {
	if typ == netlink.NLMSG_NOOP {
		return &l[0]
	}
	return &l[1+int(typ>>2)%(len(l)-1)]
}

const (
	// maxShare is the most requests in one datagram, maxFrame the most bytes.
	maxShare = 64
	maxFrame = 16 << 10

	// crowdLasts is for how many datagrams a lane counts as crowded after one
	// that was shared. CROWD_NUMBER
	crowdLasts = 32
)

// enter makes x the one who leads, or has it wait.
func (l *lane) enter(x *exchange) (leads bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.leading {
		l.leading = true
		return true
	}
	l.waiting = append(l.waiting, x)
	return false
}

// leave takes x out of those who wait. It reports false when x is under way or
// is to lead.
func (l *lane) leave(x *exchange) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.waiting, x)
	if i < 0 {
		return false
	}
	l.waiting = slices.Delete(l.waiting, i, i+1)
	return true
}

// pass ends the lead and has the one lead who has waited longest.
func (l *lane) pass() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.leading = false
		return
	}
	l.waiting[0].turn <- struct{}{} // room for one, and there is one lead
	l.waiting = slices.Delete(l.waiting, 0, 1)
}

// share sends x through its lane and waits for its result. NotSent(err) tells
// whether it was sent.
func (p *port) share(ctx context.Context, x *exchange) error {
	l := p.lanes.of(x.call.Type)
	if l.enter(x) {
		return p.lead(ctx, l, x)
	}
	select {
	case <-x.turn:
		return p.lead(ctx, l, x)
	case <-x.call.Done():
		return nil
	case <-ctx.Done():
	}
	if l.leave(x) {
		return opError("request", ctx.Err(), true)
	}
	select {
	case <-x.turn:
		l.pass()
		return opError("request", ctx.Err(), true)
	default:
		return p.giveUp(ctx, x.call)
	}
}

// lead sends the requests of the lane with x as the last of them, so that all
// are answered when x is.
func (p *port) lead(ctx context.Context, l *lane, x *exchange) error {
	if err := p.open(ctx, x); err != nil {
		l.pass()
		return opError("request", err, true)
	}
	var err error
	if p.load(l, x) {
		p.sendAll(l, x)
	} else {
		err = p.send(x)
	}
	l.pass()
	if err != nil {
		return err
	}
	return p.wait(ctx, x.call)
}

// sendAll sends the lane's datagram, whose last request is x, and reads what has
// come of it. If it cannot be sent, all the requests in it are told.
func (p *port) sendAll(l *lane, x *exchange) {
	err := p.sock.Send(l.frame)
	if err == nil {
		p.read(x.call, p.table.SentAll(l.calls, l.seqs))
		return
	}
	err = opError("request", err, true)
	for i, c := range l.calls {
		p.table.Reject(c, l.seqs[i], err)
	}
}

// load fills the lane's datagram with what waits in it and with x. It reports
// false when nothing waits, or when there is no room for more answers.
func (p *port) load(l *lane, x *exchange) bool {
	if l.crowd > 0 {
		// Those who were served last are about to come back.
		l.crowd--
		runtime.Gosched()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frame, l.calls, l.seqs = l.frame[:0], l.calls[:0], l.seqs[:0]
	n := 0
	for n < min(len(l.waiting), maxShare-1) {
		w := l.waiting[n]
		if len(l.frame)+len(w.frame)+len(x.frame) > p.maxFrame || !p.tryOpen(w) {
			break
		}
		l.add(w)
		n++
	}
	if n == 0 {
		return false
	}
	l.waiting = slices.Delete(l.waiting, 0, n)
	l.add(x)
	l.crowd = crowdLasts
	return true
}

// add puts a copy of an opened request into the datagram: its owner may give up
// any moment.
func (l *lane) add(x *exchange) {
	l.frame = append(l.frame, x.frame...)
	l.calls = append(l.calls, x.call)
	l.seqs = append(l.seqs, x.call.Seq)
}
