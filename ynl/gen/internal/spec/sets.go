package spec

import "math"

func (f *Family) resolveSets() error {
	for _, s := range f.Sets {
		if s.SubsetOf == "" {
			if err := s.number(); err != nil {
				return err
			}
		}
	}
	for _, s := range f.Sets {
		if s.SubsetOf != "" {
			if err := f.numberSubset(s); err != nil {
				return err
			}
		}
		for _, a := range s.Attributes {
			if err := f.resolveAttr(s, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// number gives the attributes their types: each one more than that of the one before.
func (s *Set) number() error {
	next := int64(1)
	types := map[int64]*Attr{}
	for _, a := range s.Attributes {
		if a.Given != nil {
			next = *a.Given
		}
		if next < 0 || next > math.MaxInt16>>1 {
			return a.Errorf("attribute %q has the type %d", a.Name, next)
		}
		if old := types[next]; old != nil {
			return a.Errorf("attributes %q and %q both have the type %d", old.Name, a.Name, next)
		}
		types[next] = a
		a.Number = uint16(next)
		next++
	}
	return s.index()
}

func (s *Set) index() error {
	s.byName = map[string]*Attr{}
	for _, a := range s.Attributes {
		if old := s.byName[a.Name]; old != nil {
			return a.Errorf("attribute %q is at %s too", a.Name, old.Pos)
		}
		s.byName[a.Name] = a
	}
	return nil
}

// numberSubset gives the attributes of a subset the types that they have in its parent.
func (f *Family) numberSubset(s *Set) error {
	s.Parent = f.byName.sets[s.SubsetOf]
	if s.Parent.SubsetOf != "" {
		return s.Errorf("set %q is a subset of %q, which is a subset", s.Name, s.SubsetOf)
	}
	for _, a := range s.Attributes {
		a.Number = s.Parent.byName[a.Name].Number
	}
	return s.index()
}

func (f *Family) resolveAttr(s *Set, a *Attr) (err error) {
	if a.Enum, err = f.enum(a.Pos, a.EnumName); err != nil {
		return err
	}
	if a.ReadOnlyBits, err = a.Enum.mask(a.Pos, a.ReadOnlyFlags, a.AsFlags); err != nil {
		return err
	}
	if a.Struct, err = f.structure(a.Pos, a.StructName); err != nil {
		return err
	}
	if a.Header, err = f.structure(a.Pos, a.HeaderName); err != nil {
		return err
	}
	if a.Nested, err = f.set(a.Pos, a.SetName); err != nil {
		return err
	}
	if a.SubName != "" {
		if a.Sub = f.byName.subs[a.SubName]; a.Sub == nil {
			return a.Errorf("no sub-message %q", a.SubName)
		}
	}
	if a.Header != nil {
		if a.Nested == nil {
			return a.Errorf("attribute %q has a header, but no set", a.Name)
		}
		if err := a.Nested.addHeader(a.Pos, a.Header); err != nil {
			return err
		}
	}
	if a.Enum != nil && (a.Type == "uint" || a.Type == "sint" || Width(a.Type) == 8 || Width(a.SubType) == 8) {
		a.Enum.Wide = true
	}
	for _, name := range a.ExcludeNames {
		other := s.byName[name]
		if other == nil {
			return a.Errorf("no attribute %q to exclude", name)
		}
		a.Excludes = append(a.Excludes, other)
	}
	return a.check()
}

// check fails if the keys of an attribute do not go together.
func (a *Attr) check() error {
	elem := a.Type
	if a.Type == "indexed-array" {
		elem = a.SubType
	}
	needsSet := elem == "nest" || a.Type == "records" || a.Type == "nest-type-value" && !IsInt(a.SubType)
	needsStruct := a.Type == "records" || a.Type == "list"
	switch {
	case a.Type == "":
		return a.Errorf("attribute %q has no type", a.Name)
	case needsSet != (a.Nested != nil):
		return a.Errorf("attribute %q of type %s: nested-attributes %q", a.Name, a.Type, a.SetName)
	case needsStruct && a.Struct == nil, a.Struct != nil && !needsStruct && a.Type != "binary":
		return a.Errorf("attribute %q of type %s: struct %q", a.Name, a.Type, a.StructName)
	case (a.Type == "sub-message") != (a.Sub != nil && a.Selector != ""):
		return a.Errorf("attribute %q of type %s: sub-message %q, selector %q", a.Name, a.Type, a.SubName, a.Selector)
	case (a.Type == "indexed-array") && elem == "":
		return a.Errorf("attribute %q of type %s has no sub-type", a.Name, a.Type)
	case a.Multi && (a.Type == "indexed-array" || a.Type == "records" || a.Type == "list" || a.Type == "sub-message"):
		return a.Errorf("attribute %q of type %s comes once", a.Name, a.Type)
	case (a.First != nil || a.Numbered != nil) && (a.Type != "indexed-array" || a.Indexed):
		return a.Errorf("attribute %q of type %s has no elements without an index", a.Name, a.Type)
	case a.Indexed && a.Type != "indexed-array":
		return a.Errorf("attribute %q of type %s has no index", a.Name, a.Type)
	case a.Enum != nil && !IsInt(elem) && !IsInt(a.SubType) && a.Type != "bitfield32":
		return a.Errorf("attribute %q of type %s has an enum", a.Name, a.Type)
	}
	return nil
}
