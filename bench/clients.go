package main

import (
	"errors"
	"fmt"
	"slices"
)

// Client is one way to use rtnetlink. If a client is shared, many goroutines call its
// methods at once, otherwise one.
type Client interface {
	// Noop sends NLMSG_NOOP and waits for the acknowledgement.
	Noop() error
	// GetLink requests the link that payload names. The bytes belong to the caller for
	// good.
	GetLink(payload []byte) ([]byte, error)
	// Do sends a request whose answer is an acknowledgement. A refusal is decoded, so
	// that errors.Is finds its errno.
	Do(typ, flags uint16, payload []byte) error
	// Collect dumps a table into memory of the caller and returns the number of its
	// entries.
	Collect(typ uint16, payload []byte) (int, error)
	// Stream dumps a table without keeping it, as far as the client can.
	Stream(typ uint16, payload []byte) (int, error)
	Close() error
}

// Listener is a client that has joined a multicast group.
type Listener interface {
	// Run delivers events until Close, which ends it with any error or none. on gets
	// each event's type and payload; lost is called when the client reports dropped
	// events.
	Run(on func(typ uint16, payload []byte), lost func()) error
	Close() error
}

// Entry is one row of the tables: a client and how goroutines use it.
type Entry struct {
	Name string
	Note string // what the name means, for the reader of the table

	Solo   bool     // one goroutine is all that it serves: a floor, measured beside every count
	Shared bool     // all goroutines use one Client, otherwise each has its own
	Works  []string // names of the works that it takes part in, nil for all

	Dial   func() (Client, error)
	Listen func(group uint32) ([]Listener, error) // each gets every event
	Queue  func() (Queue, error)                  // nil: takes no part in verdicts

	// Loop is set instead of Dial for a loop in a process of its own.
	Loop func(w *Work, l Limit) (Sample, error)
}

// takesPart reports whether the entry has a row for the work.
func (e *Entry) takesPart(w *Work) bool {
	if e.Works != nil && !slices.Contains(e.Works, w.Name) || w.Clients != nil && !slices.Contains(w.Clients, e.Name) {
		return false
	}
	switch w.Name {
	case workDial:
		return !e.Solo // the floor of a request is not that of a connection
	case workVerdicts:
		return e.Queue != nil
	}
	if w.Op != nil {
		return e.Dial != nil || e.Loop != nil
	}
	return w.Rows == nil && w.Rivals == nil && e.Listen != nil
}

// Names that works and ratios refer to.
const (
	nameNlmux        = "nlmux"
	nameSubscribers  = "nlmux-subscribers"
	nameMdShared     = "mdlayher-shared"
	nameMdPool       = "mdlayher-pool"
	nameMdBuffer     = "mdlayher-buffer"
	nameMdBufferPool = "mdlayher-buffer-pool"
	nameVishShared   = "vish-shared"
	nameVishDefault  = "vish-default"
	nameRaw          = "raw"
	nameRawConnected = "raw-connected"
	nameRawMsg       = "raw-recvmsg"
	nameRawMutex     = "raw-mutex"
	nameRawNoAck     = "raw-noack"
)

// goEntries returns the entries written in Go.
func goEntries() []*Entry {
	return []*Entry{
		{
			Name: nameNlmux, Note: "one client.Conn for all goroutines",
			Shared: true, Dial: dialNlmux, Listen: listenNlmux, Queue: queueNlmux,
		},
		{
			Name: nameSubscribers, Note: fmt.Sprintf("the worst of %d Subscriptions of one client.Conn", subscribers),
			Listen: subscribeNlmux, Works: []string{workSubscribers},
		},
		{
			Name: nameMdShared, Note: "one mdlayher/netlink Conn for all goroutines",
			Shared: true, Dial: mdDefault.dial, Listen: mdDefault.listen, Queue: mdDefault.queue,
		},
		{
			Name: nameMdPool, Note: "one mdlayher/netlink Conn per goroutine",
			Dial: mdDefault.dial,
		},
		{
			Name: nameMdBuffer, Note: "mdlayher-shared with MessageBufferSize",
			Shared: true, Dial: mdBuffered.dial, Listen: mdBuffered.listen, Queue: mdBuffered.queue,
		},
		{
			Name: nameMdBufferPool, Note: "mdlayher-pool with MessageBufferSize",
			Dial: mdBuffered.dial,
		},
		{
			Name: nameVishShared, Note: "one vishvananda/netlink socket for all goroutines",
			Shared: true, Dial: dialVishShared, Listen: listenVish,
		},
		{
			Name: nameVishDefault, Note: "vishvananda/netlink's default, a socket per request",
			Shared: true, Dial: dialVishDefault,
		},
		{
			Name: nameRaw, Note: "Go system calls on one blocking socket, one goroutine",
			Solo: true, Dial: dialRaw, Listen: listenRaw,
		},
		{
			Name: nameRawConnected, Note: "raw on a socket that is connected, as nlmux's, without the sender",
			Solo: true, Dial: dialRawConnected, Works: []string{workNoop, workGetLink, workError, workAddr},
		},
		{
			Name: nameRawMsg, Note: "raw with recvmsg and the group of each datagram, as a client with events needs",
			Solo: true, Dial: dialRawMsg, Works: []string{workNoop, workGetLink, workError, workAddr},
		},
		{
			Name: nameRawMutex, Note: "Go system calls on one blocking socket under a mutex",
			Shared: true, Dial: dialRawMutex, Works: []string{workNoop, workBusy, workBusy1},
		},
		{
			Name: nameRawNoAck, Note: "raw without NLM_F_ACK, so one datagram less",
			Solo: true, Dial: dialRawNoAck, Works: []string{workGetLink},
		},
	}
}

// errNoEntry is the error of a request without the expected entry in its answer.
var errNoEntry = errors.New("the answer holds no entry")

// expect turns the expected refusal into success.
func expect(want, got error) error {
	switch {
	case got == nil:
		return fmt.Errorf("the kernel did not refuse with %v", want)
	case !errors.Is(got, want):
		return fmt.Errorf("not refused with %v: %w", want, got)
	}
	return nil
}
