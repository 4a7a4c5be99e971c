package spec

import "math"

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
		return f.numberDirectional()
	}
	return f.numberUnified()
}

// resolveOperation finds the set of an operation, and the header before it. A report has
// the set of the operation of.
func (f *Family) resolveOperation(o, of *Operation) (err error) {
	if o.Set, err = f.set(of.Pos, of.SetName); err != nil || o.Set == nil {
		return err
	}
	name := f.Operations.HeaderName
	for _, n := range []string{of.HeaderName, o.HeaderName} {
		if n != "" {
			name = n
		}
	}
	header, err := f.structure(o.Pos, name)
	if err != nil {
		return err
	}
	return o.Set.addHeader(o.Pos, header)
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
