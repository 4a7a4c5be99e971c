package client

// line is a queue of exchanges. It is linked through them, since it may have thousands
// and any of them may leave.
type line struct {
	first, last *exchange
}

// place is an exchange's place in a line.
type place struct {
	line           *line // nil: in none
	before, behind *exchange
}

func (l *line) push(x *exchange) {
	x.place = place{line: l, before: l.last}
	if l.last != nil {
		l.last.place.behind = x
	} else {
		l.first = x
	}
	l.last = x
}

// pushFirst puts x before all others.
func (l *line) pushFirst(x *exchange) {
	x.place = place{line: l, behind: l.first}
	if l.first != nil {
		l.first.place.before = x
	} else {
		l.last = x
	}
	l.first = x
}

// remove takes x out of the line and reports whether it was there.
func (l *line) remove(x *exchange) bool {
	p := x.place
	if p.line != l {
		return false
	}
	x.place = place{}
	if p.before != nil {
		p.before.place.behind = p.behind
	} else {
		l.first = p.behind
	}
	if p.behind != nil {
		p.behind.place.before = p.before
	} else {
		l.last = p.before
	}
	return true
}
