package spec

func (f *Family) resolveSubMessages() error {
	for _, s := range f.SubMessages {
		values := map[string]*Format{}
		var formats []*Format
		for _, format := range s.Formats {
			if old := values[format.Value]; old != nil {
				return format.Errorf("format %q is at %s too", format.Value, old.Pos)
			}
			values[format.Value] = format
			switch {
			case format.OrSetName == "":
			case format.HeaderName == "" || format.SetName != "":
				return format.Errorf("format %q has or-attribute-set, but is no struct alone", format.Value)
			default:
				formats = append(formats, &Format{Pos: format.Pos, Value: format.Value, SetName: format.OrSetName})
			}
			formats = append(formats, format)
		}
		for _, format := range formats {
			if err := f.resolveFormat(format); err != nil {
				return err
			}
		}
		s.Formats = formats
	}
	return nil
}

func (f *Family) resolveFormat(format *Format) (err error) {
	if format.Set, err = f.set(format.Pos, format.SetName); err != nil {
		return err
	}
	if format.Header, err = f.structure(format.Pos, format.HeaderName); err != nil {
		return err
	}
	if format.Set == nil {
		return nil
	}
	return format.Set.addHeader(format.Pos, format.Header)
}

// resolveSelectors fails if a sub-message has a selector that is not found: it must be an
// attribute of the same set or a member of its header, or be so in every set around.
func (f *Family) resolveSelectors() error {
	around := f.around()
	for _, s := range f.Sets {
		for _, a := range s.Attributes {
			if a.Sub != nil && s.Used && !s.selects(a.Selector, around, nil) {
				return a.Errorf("selector %q is not in every set around attribute %q", a.Selector, a.Name)
			}
		}
	}
	return nil
}

// around returns for each set those with attributes that contain it.
func (f *Family) around() map[*Set][]*Set {
	around := map[*Set][]*Set{}
	for _, s := range f.Sets {
		for _, a := range s.Attributes {
			if a.Nested != nil {
				around[a.Nested] = append(around[a.Nested], s)
			}
			if a.Sub != nil {
				for _, format := range a.Sub.Formats {
					if format.Set != nil {
						around[format.Set] = append(around[format.Set], s)
					}
				}
			}
		}
	}
	return around
}

// selects reports whether a selector is in the set, or in each set around it. Sets in
// seen are being looked at.
func (s *Set) selects(selector string, around map[*Set][]*Set, seen []*Set) bool {
	if s.HasSelector(selector) {
		return true
	}
	for _, o := range seen {
		if o == s {
			return true
		}
	}
	for _, o := range around[s] {
		if !o.selects(selector, around, append(seen, s)) {
			return false
		}
	}
	return len(around[s]) > 0
}

// HasSelector reports whether the set or its header has a value with this name.
func (s *Set) HasSelector(selector string) bool {
	if s.byName[selector] != nil {
		return true
	}
	if s.Header != nil {
		for _, m := range s.Header.Members {
			if m.Name == selector {
				return true
			}
		}
	}
	return false
}
