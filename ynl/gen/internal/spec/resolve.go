package spec

// resolve fills in what the schema's fields imply: references become pointers, and
// everything gets its number and the name that it has in the kernel.
func (f *Family) resolve() error {
	if f.Protocol == "" {
		f.Protocol = "genetlink"
	}
	for _, step := range []func() error{
		f.index, f.resolveDefinitions, f.resolveSets, f.resolveSubMessages, f.resolveOperations,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	f.nameInKernel()
	f.markUsed()
	return f.resolveSelectors()
}

// Generic reports whether the family is one of generic netlink.
func (f *Family) Generic() bool { return f.Protocol != "netlink-raw" }

// index makes the maps by name.
func (f *Family) index() error {
	f.byName.definitions = map[string]*Definition{}
	for _, d := range f.Definitions {
		if old := f.byName.definitions[d.Name]; old != nil {
			return d.Errorf("definition %q is at %s too", d.Name, old.Pos)
		}
		f.byName.definitions[d.Name] = d
	}
	f.byName.sets = map[string]*Set{}
	for _, s := range f.Sets {
		if old := f.byName.sets[s.Name]; old != nil {
			return s.Errorf("set %q is at %s too", s.Name, old.Pos)
		}
		f.byName.sets[s.Name] = s
	}
	f.byName.subs = map[string]*SubMessage{}
	for _, s := range f.SubMessages {
		if old := f.byName.subs[s.Name]; old != nil {
			return s.Errorf("sub-message %q is at %s too", s.Name, old.Pos)
		}
		f.byName.subs[s.Name] = s
	}
	return nil
}

// set returns the set with a name, nil for no name.
func (f *Family) set(at Pos, name string) (*Set, error) {
	s := f.byName.sets[name]
	if s == nil && name != "" {
		return nil, at.Errorf("no attribute set %q", name)
	}
	return s, nil
}

// structure returns the struct with a name, nil for no name.
func (f *Family) structure(at Pos, name string) (*Definition, error) {
	d := f.byName.definitions[name]
	if name != "" && (d == nil || d.Type != "struct") {
		return nil, at.Errorf("no struct %q", name)
	}
	return d, nil
}

// enum returns the enumeration or the flags with a name, nil for no name.
func (f *Family) enum(at Pos, name string) (*Definition, error) {
	d := f.byName.definitions[name]
	if name != "" && (d == nil || d.Type != "enum" && d.Type != "flags") {
		return nil, at.Errorf("no enum or flags %q", name)
	}
	return d, nil
}

// addHeader notes that a set is used after a struct. All uses must have the same one.
func (s *Set) addHeader(at Pos, header *Definition) error {
	if header == nil {
		return nil
	}
	if s.Header != nil && s.Header != header {
		return at.Errorf("set %q has the header %q here, but %q elsewhere", s.Name, header.Name, s.Header.Name)
	}
	s.Header = header
	return nil
}
