package spec

import (
	"cmp"
	"math"
)

func (f *Family) resolveOperations() error {
	ops := map[string]*Operation{}
	for _, o := range f.Operations.List {
		if old := ops[o.Name]; old != nil {
			return o.Errorf("operation %q is at %s too", o.Name, old.Pos)
		}
		ops[o.Name] = o
	}
	for _, o := range f.Operations.List {
		of := o
		if o.NotifyName != "" {
			if of = ops[o.NotifyName]; of == nil {
				return o.Errorf("no operation %q", o.NotifyName)
			}
		}
		if err := f.resolveOperation(o, of); err != nil {
			return err
		}
	}
	if f.Operations.Model == "directional" {
		f.splitModes()
		return f.numberDirectional()
	}
	return f.numberUnified()
}

// resolveOperation finds the set of an operation, and the header before it. A report has
// the set of the operation of.
func (f *Family) resolveOperation(o, of *Operation) (err error) {
	if o.Set, err = f.set(of.Pos, of.SetName); err != nil {
		return err
	}
	if o.Set == nil {
		if o.IsRequest() || o.IsReport() {
			return o.Errorf("operation %q has no attribute-set; an empty one will do", o.Name)
		}
		return nil
	}
	name := f.Operations.HeaderName
	for _, n := range []string{of.HeaderName, o.HeaderName} {
		if n != "" {
			name = n
		}
	}
	if o.ReplySet, err = f.replySet(of, name); err != nil {
		return err
	}
	if o.IsReport() {
		o.Set = o.ReplySet
		return nil
	}
	return f.setHeader(o.Pos, o.Set, name)
}

// replySet returns the set of an operation's replies: that of the requests, unless the
// overlay says otherwise.
func (f *Family) replySet(o *Operation, header string) (*Set, error) {
	set := o.SetName
	for _, mode := range []*Mode{o.Do, o.Dump} {
		if mode != nil && mode.Reply != nil {
			set, header = cmp.Or(mode.Reply.SetName, set), cmp.Or(mode.Reply.HeaderName, header)
		}
	}
	s, err := f.set(o.Pos, set)
	if err != nil {
		return nil, err
	}
	return s, f.setHeader(o.Pos, s, header)
}

// setHeader notes that a set is used after the struct with a name.
func (f *Family) setHeader(at Pos, s *Set, name string) error {
	header, err := f.structure(at, name)
	if err != nil || s == nil {
		return err
	}
	return s.addHeader(at, header)
}

// splitModes makes two operations of one whose do and dump have different numbers.
func (f *Family) splitModes() {
	var list []*Operation
	for _, o := range f.Operations.List {
		if o.Do != nil && o.Dump != nil && (differ(o.Do.Request, o.Dump.Request) || differ(o.Do.Reply, o.Dump.Reply)) {
			do, dump := *o, *o
			do.Dump, dump.Do, dump.Split = nil, nil, true
			mode := *o.Dump
			mode.Request = merged(o.Do.Request, o.Dump.Request)
			dump.Dump = &mode
			list = append(list, &dump, &do)
			continue
		}
		list = append(list, o)
	}
	f.Operations.List = list
}

// differ reports whether two messages have different numbers.
func differ(a, b *Message) bool {
	return a != nil && b != nil && a.Given != nil && b.Given != nil && *a.Given != *b.Given
}

// merged returns the message b, with the number of a if it has none.
func merged(a, b *Message) *Message {
	if b == nil || b.Given == nil {
		return a
	}
	return b
}

// numberUnified numbers the operations one after the other. A reply has the number of
// its request.
func (f *Family) numberUnified() error {
	next := int64(1)
	for _, o := range f.Operations.List {
		if o.Given != nil {
			next = *o.Given
		}
		if next < 0 || next > math.MaxUint16 {
			return o.Errorf("operation %q has the number %d", o.Name, next)
		}
		n := uint16(next)
		o.Number = n
		if o.IsRequest() {
			o.Request = &n
		}
		if o.HasReply() {
			o.Reply = &n
		}
		next++
	}
	return nil
}

// numberDirectional numbers requests, and replies with reports, each for themselves.
func (f *Family) numberDirectional() error {
	request, reply := int64(1), int64(1)
	for _, o := range f.Operations.List {
		o.giveNumbers(&request, &reply)
		if request < 0 || request > math.MaxUint16 || reply < 0 || reply > math.MaxUint16 {
			return o.Errorf("operation %q has the numbers %d and %d", o.Name, request, reply)
		}
		if o.IsRequest() {
			n := uint16(request)
			o.Request, o.Number = &n, n
			request++
		}
		if o.HasReply() {
			n := uint16(reply)
			o.Reply = &n
			if o.Request == nil {
				o.Number = n
			}
			reply++
		}
	}
	return nil
}

// giveNumbers sets the numbers of the next request and reply to those that the operation
// has in the spec.
func (o *Operation) giveNumbers(request, reply *int64) {
	if o.Given != nil {
		*reply = *o.Given
	}
	for _, mode := range []*Mode{o.Dump, o.Do} {
		if mode == nil {
			continue
		}
		if mode.Request != nil && mode.Request.Given != nil {
			*request = *mode.Request.Given
		}
		if mode.Reply != nil && mode.Reply.Given != nil {
			*reply = *mode.Reply.Given
		}
	}
}

// IsRequest reports whether the operation is asked of the kernel.
func (o *Operation) IsRequest() bool { return o.Do != nil || o.Dump != nil }

// IsReport reports whether the kernel sends the operation unasked.
func (o *Operation) IsReport() bool { return o.NotifyName != "" || o.Event != nil }

// HasReply reports whether the kernel sends messages of the operation.
func (o *Operation) HasReply() bool {
	return o.IsReport() || o.Do != nil && o.Do.Reply != nil || o.Dump != nil && o.Dump.Reply != nil
}
