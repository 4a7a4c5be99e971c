package mirror

import (
	"fmt"
	"strings"
	"time"
)

// Reason is why a table is in doubt.
type Reason uint8

// The reasons. None is the zero value: the table is exact.
const (
	None        Reason = iota
	Starting           // it has not been read yet
	Overrun            // messages were lost
	Interrupted        // the kernel's dump can lack entries
	Ambiguous          // a message, or a dump and messages, allow for two results
	LinkDown           // a link went down, lost its carrier or changed its master
	AddrGone           // a link lost its last IPv4 address
	SourceGone         // a preferred source of routes is gone
	NexthopGone        // a next hop object of routes is gone
	NewLink            // the first message of a link is incomplete
	Undecodable        // a message could not be decoded
	Refused            // the kernel refused to be read
)

var reasonTexts = [...]string{
	None:        "exact",
	Starting:    "starting",
	Overrun:     "messages were lost",
	Interrupted: "dump can lack entries",
	Ambiguous:   "ambiguous message",
	LinkDown:    "link down",
	AddrGone:    "last address gone",
	SourceGone:  "preferred source gone",
	NexthopGone: "next hop gone",
	NewLink:     "new link",
	Undecodable: "message not decoded",
	Refused:     "dump refused",
}

// String returns a few words.
func (r Reason) String() string {
	if int(r) < len(reasonTexts) {
		return reasonTexts[r]
	}
	return fmt.Sprintf("Reason(%d)", uint8(r))
}

// Status is the state of a Mirror.
type Status struct {
	Rev    Rev
	Tables []TableStatus // of the selected tables, and of those that they need
}

// TableStatus is the state of one table.
type TableStatus struct {
	Table Tables
	Exact bool
	Why   Reason    // why it is not exact
	Since time.Time // since when it is exact or not
	Err   error     // the last refusal, if Why is Refused

	Resyncs     uint64        // passes over the whole table
	Partial     uint64        // passes over the entries of one link
	Reading     time.Duration // time that all passes took
	Repeated    uint64        // passes that left the table in doubt
	Implied     uint64        // entries that were removed without a message of the kernel
	Repaired    uint64        // entries that a pass has added, removed or changed after the first one
	Gaps        uint64        // losses of messages
	Undecodable uint64        // messages that could not be decoded
}

// Exact reports whether all tables are exact.
func (s Status) Exact() bool {
	for _, t := range s.Tables {
		if !t.Exact {
			return false
		}
	}
	return true
}

// String returns a line for each table.
func (s Status) String() string {
	var b strings.Builder
	for _, t := range s.Tables {
		fmt.Fprintf(&b, "%v: %v", t.Table, t.Why)
		if t.Err != nil {
			fmt.Fprintf(&b, ": %v", t.Err)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Status returns the state of each table, as of now.
func (m *Mirror) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Status{Rev: m.state.Load().rev}
	for _, t := range m.tables {
		st := t.stats
		st.Table, st.Exact, st.Why, st.Since = t.kind.bit, t.exact(), t.why(), t.sinceWhen()
		s.Tables = append(s.Tables, st)
	}
	return s
}
