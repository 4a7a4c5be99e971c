package client

// waitList is a queue of exchanges. It is linked through them, since it may have thousands
// and any of them may leave.
type waitList struct {
	first, last *exchange
}

// waitNode links an exchange into a waitList.
type waitNode struct {
	before, after *exchange
}

func (l *waitList) push(x *exchange) {
	x.node = waitNode{before: l.last}
	if l.last != nil {
		l.last.node.after = x
	} else {
		l.first = x
	}
	l.last = x
}

// pushFirst adds x at the front.
func (l *waitList) pushFirst(x *exchange) {
	x.node = waitNode{after: l.first}
	if l.first != nil {
		l.first.node.before = x
	} else {
		l.last = x
	}
	l.first = x
}

// remove removes x, which is in the list.
func (l *waitList) remove(x *exchange) {
	n := x.node
	x.node = waitNode{}
	if n.before != nil {
		n.before.node.after = n.after
	} else {
		l.first = n.after
	}
	if n.after != nil {
		n.after.node.before = n.before
	} else {
		l.last = n.before
	}
}
