package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/ynl"
)

const watchHelp = `Joins all multicast groups of the families and prints each event, until Ctrl-C, which is
exit code 0.

On a terminal an event is a line with its time, its name and what it has. Otherwise it is
one JSON object a line:
  {"family": "rt-link", "name": "newlink-ntf", "msg": {...}}
If the kernel dropped events, a line says so in their place; what was known of the tables
may then be wrong, so dump them again:
  {"protocol": "NETLINK_ROUTE", "gap": true}
An event that cannot be decoded has "error" for "msg", one that no family describes has
"protocol", "type" and "payload". Neither ends the command.

Examples:
  ynl watch rt-link
  ynl watch rt-link rt-addr rt-route rt-neigh
  ynl watch rt-link | jq -r 'select(.name == "dellink") | .msg.ifname'
`

// watch has the flags of the subcommand.
type watch struct {
	json bool
}

func newWatch(flags *flag.FlagSet) action {
	w := new(watch)
	flags.BoolVar(&w.json, "json", false, "print JSON also on a terminal")
	return w.run
}

func (w *watch) run(ctx context.Context, s *session, args []string) error {
	protocols, err := byProtocol(args)
	if err != nil {
		return err
	}
	if s.capture != "" && len(protocols) > 1 {
		return usagef("watch: -w is for families of one protocol, these have %d", len(protocols))
	}
	p := &eventPrinter{session: s, width: s.width(s.stdout)}
	if w.json {
		p.width = 0
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var loops sync.WaitGroup
	for _, families := range protocols {
		conn, end, err := s.open(families[0].Protocol())
		if err != nil {
			p.report(err)
			cancel()
			break
		}
		events := ynl.Events(ctx, conn, families...)
		loops.Go(func() {
			defer cancel() // one loop that ends, ends the command
			p.follow(ctx, conn.Family(), events)
			p.report(end())
		})
	}
	loops.Wait()
	return nil
}

// byProtocol returns the families of these names: a list for each protocol, since a
// socket has one.
func byProtocol(names []string) (lists [][]*ynl.Family, err error) {
	for _, name := range names {
		f, err := findFamily(name)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(lists, func(l []*ynl.Family) bool { return l[0].Protocol() == f.Protocol() })
		switch {
		case i < 0:
			lists = append(lists, []*ynl.Family{f})
		case !slices.Contains(lists[i], f):
			lists[i] = append(lists[i], f)
		}
	}
	return lists, nil
}

// eventPrinter prints the events of several loops.
type eventPrinter struct {
	mu sync.Mutex // guards following

	*session
	width int // of the terminal, 0 for JSON
}

// follow prints events until ctx or the Conn ends.
func (p *eventPrinter) follow(ctx context.Context, protocol netlink.Family, events iter.Seq[ynl.Event]) {
	for e := range events {
		if e.Family == nil && e.Err != nil { // the groups were not joined
			p.report(e.Err)
			return
		}
		if err := p.print(protocol, e); err != nil {
			p.report(err)
			return
		}
	}
	if ctx.Err() == nil {
		p.report(fmt.Errorf("%v: %w", protocol, errSocketEnded))
	}
}

var errSocketEnded = errors.New("the socket ended")

func (p *eventPrinter) report(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.session.report(err)
}

// print prints an event.
func (p *eventPrinter) print(protocol netlink.Family, e ynl.Event) error {
	l, err := newEventLine(protocol, e)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.width > 0 {
		_, err = fmt.Fprintln(p.stdout, l.text(time.Now(), p.width))
		return err
	}
	return json.NewEncoder(p.stdout).Encode(l)
}

// eventLine is an event as a line of JSON.
type eventLine struct {
	Family   string          `json:"family,omitempty"`
	Protocol string          `json:"protocol,omitempty"` // if there is no family
	Name     string          `json:"name,omitempty"`
	Type     uint16          `json:"type,omitempty"` // if there is no family
	Gap      bool            `json:"gap,omitempty"`
	Lost     uint64          `json:"lost,omitempty"` // events that the command was too slow for
	Msg      json.RawMessage `json:"msg,omitempty"`
	Error    string          `json:"error,omitempty"`
	Payload  string          `json:"payload,omitempty"` // if there is no family
}

func newEventLine(protocol netlink.Family, e ynl.Event) (l eventLine, err error) {
	switch {
	case e.Header.Type == netlink.NLMSG_OVERRUN:
		return eventLine{Protocol: protocol.String(), Gap: true, Lost: e.Lost}, nil
	case e.Family == nil:
		return eventLine{Protocol: protocol.String(), Type: e.Type, Payload: hex.EncodeToString(e.Payload)}, nil
	}
	l = eventLine{Family: e.Family.Name(), Name: eventName(e)}
	if e.Err != nil {
		l.Error = errorText(e.Err)
	} else {
		l.Msg, err = json.Marshal(e.Value)
	}
	return l, err
}

// eventName returns the name of the operation or notification that an event is.
func eventName(e ynl.Event) string {
	for _, m := range e.Family.Rows.Messages {
		if m.Type == e.Type {
			return m.Name
		}
	}
	return ""
}

// text returns the event as a line for a terminal.
func (l *eventLine) text(at time.Time, width int) string {
	text := at.Format(time.TimeOnly) + " "
	switch {
	case l.Gap:
		text += fmt.Sprintf("*** events of %s were lost here ***", l.Protocol)
	case l.Family == "":
		text += fmt.Sprintf("%s type %d: %s", l.Protocol, l.Type, l.Payload)
	case l.Error != "":
		text += l.Error
	default:
		text += fmt.Sprintf("%-12s %s", l.Name, members(l.Msg, " ", wholeCell.depth))
	}
	text, _ = abbreviate(text, width)
	return text
}
