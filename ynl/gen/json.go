package main

import (
	"slices"

	"github.com/nlmux/netlink/ynl/gen/internal/spec"
)

// A jsonKey is a name in an object of JSON.
type jsonKey struct {
	at   spec.Pos
	name string
}

// jsonName returns the name in JSON: that of the spec, unless the overlay gives another.
func jsonName(name, given string) string {
	if given != "" {
		return given
	}
	return name
}

// memberKeys returns the names of a struct's members.
func memberKeys(d *spec.Definition) []jsonKey {
	if d == nil {
		return nil
	}
	var keys []jsonKey
	for _, m := range d.Members {
		if m.Type != "pad" {
			keys = append(keys, jsonKey{m.Pos, jsonName(m.Name, m.JSON)})
		}
	}
	return keys
}

// attrKeys returns the names of a set's attributes, and that of those it does not know.
func attrKeys(s *spec.Set) []jsonKey {
	if s == nil {
		return nil
	}
	keys := []jsonKey{{s.Pos, "unknown"}}
	for _, a := range s.Attributes {
		if !a.Dropped() {
			keys = append(keys, jsonKey{a.Pos, jsonName(a.Name, a.JSON)})
		}
	}
	return keys
}

// jsonKeys returns the names of an element's keys.
func (e *element) jsonKeys(at spec.Pos) []jsonKey {
	var keys []jsonKey
	for _, k := range e.Keys {
		keys = append(keys, jsonKey{at, k.Name})
	}
	return keys
}

// checkJSON fails if two parts of an object have one name: one of them would be lost.
func (g *generator) checkJSON(parts ...[]jsonKey) {
	keys := slices.Concat(parts...)
	for i, k := range keys {
		for _, other := range keys[:i] {
			if k.name == other.name {
				g.fail(k.at, "the name %q in JSON is that of %s; settle it in the overlay with json:", k.name, other.at)
			}
		}
	}
}
