package table

import "strings"

// maxDepth is the maximum number of sets in each other. Values that are deeper are
// unknown when they are read, and refused when they are sent.
const maxDepth = 64

// walk is the way from a message to the set in it that is read or written.
type walk struct {
	f        *Family
	scopes   []scope // of the message, and of each set in the one before
	settable bool    // what is written and read again becomes a copy for Settable
}

// scope is the struct of a set.
type scope struct {
	set    *Set
	at     Place
	via    *Attr // the attribute of the scope before that it is in
	header bool  // the header of the set is before the attributes
}

// few is memory for the scopes of most messages. It is apart from the walk because a
// value with a pointer to itself would be allocated.
type few [4]scope

// message sets sc to the message x, which has the header of its set. It sets fields one by
// one, because to copy a struct just written costs more (6 ns of 70 of a route).
func (sc *scope) message(f *Family, set uint16, x Place) {
	s := &f.Sets[set-1]
	sc.set, sc.at, sc.header = s, x, s.Header != 0
}

// top returns the innermost scope.
func (w *walk) top() *scope { return &w.scopes[len(w.scopes)-1] }

// push goes on to the set s, which is at x in the value of the attribute a, and reports
// whether it is not too deep.
func (w *walk) push(a *Attr, s *Set, x Place, header bool) bool {
	n := len(w.scopes)
	if n > maxDepth {
		return false
	}
	if n == cap(w.scopes) {
		// NB: append would make the compiler allocate the memory of few.
		more := make([]scope, n, 2*n+1)
		copy(more, w.scopes)
		w.scopes = more
	}
	w.scopes = w.scopes[:n+1]
	w.scopes[n] = scope{s, x, a, header}
	return true
}

// pop goes back to the set around the innermost one.
func (w *walk) pop() { w.scopes = w.scopes[:len(w.scopes)-1] }

// path returns the names of the message and of the attributes on the way to a, such as
// "link: IFLA_LINKINFO > IFLA_INFO_KIND". Without a it is that to the innermost set.
func (w *walk) path(a *Attr) string {
	var names []string
	for i := range w.scopes[1:] {
		names = append(names, w.scopes[i].set.KernelName(w.scopes[i+1].via))
	}
	if a != nil {
		names = append(names, w.top().set.KernelName(a))
	}
	path := w.scopes[0].set.Name
	if len(names) > 0 {
		path += ": " + strings.Join(names, " > ")
	}
	return path
}

// KernelName returns the kernel's name of an attribute, such as "IFLA_INFO_KIND", or that
// of the specification if the set has no prefix.
func (s *Set) KernelName(a *Attr) string {
	for i := range s.KernelNames {
		if s.KernelNames[i].Type == a.Type {
			return s.KernelNames[i].Name
		}
	}
	if s.Prefix == "" {
		return a.Name
	}
	return s.Prefix + strings.ToUpper(strings.ReplaceAll(a.Name, "-", "_"))
}
