package client

// ring is a queue of events in a slice that is used in a circle. The zero value is
// empty.
type ring struct {
	slots []Event // the length is 0 or a power of two
	head  int     // index of the first event, modulo the length
	n     int     // events
}

func (r *ring) len() int { return r.n }

func (r *ring) slot(i int) *Event { return &r.slots[(r.head+i)&(len(r.slots)-1)] }

// first returns the event that was pushed first, nil if there is none.
func (r *ring) first() *Event {
	if r.n == 0 {
		return nil
	}
	return r.slot(0)
}

// last returns the event that was pushed last, nil if there is none.
func (r *ring) last() *Event {
	if r.n == 0 {
		return nil
	}
	return r.slot(r.n - 1)
}

func (r *ring) push(e Event) {
	if r.n == len(r.slots) {
		larger := make([]Event, max(16, 2*r.n))
		copy(larger[copy(larger, r.slots[r.head:]):], r.slots[:r.head])
		r.slots, r.head = larger, 0
	}
	r.n++
	*r.last() = e
}

// pop removes the first event, which must exist.
func (r *ring) pop() Event {
	e := *r.first()
	*r.first() = Event{}
	r.head = (r.head + 1) & (len(r.slots) - 1)
	r.n--
	return e
}
