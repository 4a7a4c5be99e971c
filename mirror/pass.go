package mirror

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/mirror/internal/tree"
)

// maxLinks is the maximum number of links whose entries are read one link after the
// other. The kernel visits the whole table for each.
const maxLinks = 3

// A pass reads a table, or the entries of one link, and corrects the copy. Meanwhile
// messages are applied as usual, and logged.
//
//  1. begin: the copy at this moment is the base; messages are logged from here on.
//  2. A barrier. What the base has from a message is done.
//  3. The dump, which is compared with the base as it comes.
//  4. A second barrier. The message about anything that the dump shows is queued: the
//     kernel sends an RTM_NEWROUTE after it has inserted the route.
//  5. merge, once all these messages are applied: what the dump says, and then the log.
type pass struct {
	t     *table
	base  tree.Tree
	link  uint32 // 0: the whole table
	began time.Time

	suspects suspects // the keys that it has to settle
}

// resync makes one pass after the other.
func (m *Mirror) resync() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		p, wait := m.nextPass()
		if p != nil {
			m.run(p)
			continue
		}
		timer.Reset(wait)
		select {
		case <-m.wake:
		case <-timer.C:
		case <-m.ctx.Done():
			return
		}
	}
}

// nextPass begins the pass that is due. If there is none, it returns how long to wait.
func (m *Mirror) nextPass() (p *pass, wait time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	var next *table
	var at time.Time
	for _, t := range m.tables {
		if t.wanted == None && len(t.links) == 0 {
			continue
		}
		if due := t.pace.due(m.lastEvent); next == nil || due.Before(at) {
			next, at = t, due
		}
	}
	switch {
	case m.ctx.Err() != nil || next == nil:
		return nil, time.Hour
	case at.After(now):
		return nil, at.Sub(now)
	}
	return m.begin(next, now), 0
}

func (m *Mirror) begin(t *table, now time.Time) *pass {
	m.publish()
	p := &pass{t: t, base: t.tree, began: now}
	if len(t.links) > maxLinks {
		m.want(t, LinkDown)
	}
	if t.wanted != None {
		if len(t.links) > 0 {
			t.suspects.all = true
		}
		p.suspects, t.suspects = t.suspects, suspects{}
		t.wanted = None
		clear(t.links)
	} else {
		for p.link = range t.links {
			break
		}
		delete(t.links, p.link)
	}
	t.pass, t.log, t.gap = p, map[string][]message{}, false
	return p
}

// run makes a pass. If it fails the table is read again later.
func (m *Mirror) run(p *pass) {
	err := m.barrier(m.ctx)
	var d *dump
	if err == nil {
		d, err = m.read(m.ctx, p)
	}
	if err == nil {
		err = m.barrier(m.ctx)
	}
	if err == nil {
		err = m.atMark(m.ctx, func() { m.merge(p, d) })
	}
	if err == nil || errors.Is(err, net.ErrClosed) || m.ctx.Err() != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p.t.stats.Err = fmt.Errorf("%v: %w", p.t.kind.bit, err)
	p.t.doubt = Refused
	m.finish(p, Refused)
	m.publish()
}

// read dumps what the pass is about.
func (m *Mirror) read(ctx context.Context, p *pass) (*dump, error) {
	d := newDump(p.t, p.base, p.link)
	f := newFeed(d.add)
	err := m.fill(ctx, p, d, f)
	f.close()
	if err != nil {
		return nil, err
	}
	d.flush()
	return d, nil
}

// fill puts the messages of a pass's dump into a feed.
func (m *Mirror) fill(ctx context.Context, p *pass, d *dump, f *feed) error {
	k := p.t.kind
	for msg, err := range m.conn.Dump(ctx, k.get, p.t.request(p.link)) {
		switch {
		case errors.Is(err, client.ErrDumpInterrupted):
			d.interrupted = true
		case p.link != 0 && errors.Is(err, errNoLink),
			len(p.t.only) == 1 && errors.Is(err, errNoTable):
			return nil // no entries
		case err != nil:
			return m.cause(err)
		case msg.Header.Type == k.new:
			f.put(msg.Payload)
		}
	}
	return nil
}

// finish ends a pass. A reason other than None is why another one has to follow, about
// the keys in t.suspects or, if there are none, all.
func (m *Mirror) finish(p *pass, again Reason) {
	t, now := p.t, time.Now()
	t.pace.done(now, now.Sub(p.began), m.settle, again == None && !t.gap, t.gap)
	t.stats.Reading += now.Sub(p.began)
	if p.link == 0 {
		t.stats.Resyncs++
	} else {
		t.stats.Partial++
	}
	t.pass, t.log = nil, nil
	if again != None {
		t.stats.Repeated++
	}
	switch {
	case again == Ambiguous && !t.suspects.all && len(t.suspects.keys) > 0:
		if t.wanted == None {
			t.wanted = again
		}
		m.inDoubt(t, again)
		return
	case again != None:
		m.want(t, again)
		return
	}
	if t.wanted == None && len(t.links) == 0 && t.doubt != None {
		t.doubt, t.since, t.stats.Err = None, now, nil
	}
}
