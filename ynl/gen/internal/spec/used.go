package spec

// markUsed marks the sets, structs and sub-messages that messages can have. The others
// need no Go type.
func (f *Family) markUsed() {
	for _, o := range f.Operations.List {
		if o.IsRequest() || o.IsReport() {
			o.Set.markUsed()
			o.ReplySet.markUsed()
		}
	}
}

func (s *Set) markUsed() {
	if s == nil || s.Used {
		return
	}
	s.Used = true
	s.Header.markUsed()
	for _, a := range s.Attributes {
		if a.Dropped() {
			continue
		}
		a.Nested.markUsed()
		a.Struct.markUsed()
		a.Sub.markUsed()
	}
}

func (d *Definition) markUsed() {
	if d == nil || d.Used {
		return
	}
	d.Used = true
	for _, m := range d.Members {
		m.Struct.markUsed()
	}
}

func (s *SubMessage) markUsed() {
	if s == nil || s.Used {
		return
	}
	s.Used = true
	for _, format := range s.Formats {
		format.Header.markUsed()
		format.Set.markUsed()
	}
}

// Dropped reports whether an attribute has no field in Go.
func (a *Attr) Dropped() bool { return a.Type == "pad" || a.Type == "unused" || a.Unused }
