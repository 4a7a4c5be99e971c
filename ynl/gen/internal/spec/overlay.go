package spec

import "slices"

// An overlay is YAML in the form of the spec. merge lays it over the spec: a mapping over
// a mapping key by key, a list of mappings over another item by item, and any other value
// replaces the one of the spec. README.md describes the keys that only overlays have:
//
//	new      in place of name, for an item that the spec does not have
//	after    for a new item, the item that it follows; otherwise it is the last
//	remove   the keys that the spec has too many
//	replace  the keys with a list that replaces the spec's
//
// An overlay is wrong if it corrects what the spec does not have, adds what the spec has,
// or says what the spec says.
func merge(dst, src *node) error {
	if dst.kind != mapping || src.kind != mapping {
		return src.Errorf("want a mapping over a mapping, got %s over %s", src.kind, dst.kind)
	}
	if err := remove(dst, src.cut("remove")); err != nil {
		return err
	}
	if err := replace(dst, src, src.cut("replace")); err != nil {
		return err
	}
	for _, p := range src.pairs {
		if err := mergeKey(dst, p); err != nil {
			return err
		}
	}
	return nil
}

// remove takes keys out of dst.
func remove(dst, keys *node) error {
	if keys == nil {
		return nil
	}
	names, err := keys.strings()
	for _, name := range names {
		if dst.cut(name) == nil {
			return keys.Errorf("remove: %s has no key %q", dst.Pos, name)
		}
	}
	return err
}

// replace moves lists from src to dst.
func replace(dst, src, keys *node) error {
	if keys == nil {
		return nil
	}
	names, err := keys.strings()
	for _, name := range names {
		value := src.cut(name)
		if value == nil || value.kind != list {
			return keys.Errorf("replace: no list with key %q beside it", name)
		}
		if dst.get(name) == nil {
			return keys.Errorf("replace: %s has no key %q", dst.Pos, name)
		}
		if err := checkFresh(value); err != nil {
			return err
		}
		dst.set(name, value.Pos, value)
	}
	return err
}

// mergeKey lays one entry of a mapping over dst.
func mergeKey(dst *node, p pair) error {
	old := dst.get(p.key)
	switch {
	case p.value.kind == mapping && old == nil:
		old = &node{Pos: p.at, kind: mapping, ours: true}
		dst.set(p.key, p.at, old)
		return merge(old, p.value)
	case p.value.kind == mapping:
		return merge(old, p.value)
	case isItems(p.value):
		if old == nil {
			old = &node{Pos: p.at, kind: list, ours: true}
			dst.set(p.key, p.at, old)
		}
		return mergeItems(old, p.value, identity(p.key))
	case old != nil && (p.key == "entries" || isItems(old)):
		return p.at.Errorf("want items for %s, or the key %q", old.Pos, "replace")
	case old != nil && old.equal(p.value):
		return p.at.Errorf("%s says this already", old.Pos)
	}
	dst.set(p.key, p.at, p.value)
	return nil
}

// isItems reports whether a node is a list of mappings, which are told apart by a key.
func isItems(n *node) bool {
	return n.kind == list && len(n.items) > 0 && n.items[0].kind == mapping
}

// identity returns the key that tells the items of a list apart.
func identity(key string) string {
	if key == "formats" {
		return "value"
	}
	return "name"
}

// mergeItems lays the items of src over those of dst.
func mergeItems(dst, src *node, id string) error {
	if dst.kind != list {
		return src.Errorf("want %s as in %s, got a list", dst.kind, dst.Pos)
	}
	for _, item := range src.items {
		if item.kind != mapping {
			return item.Errorf("want a mapping with %q or %q", id, "new")
		}
		if err := mergeItem(dst, item, id); err != nil {
			return err
		}
	}
	return nil
}

func mergeItem(dst, item *node, id string) error {
	if name := item.cut("new"); name != nil {
		return addItem(dst, item, name, id)
	}
	name := item.cut(id)
	if name == nil {
		return item.Errorf("want a key %q or %q", id, "new")
	}
	i := find(dst, name.text, id)
	if i < 0 {
		return name.Errorf("%s has no item %q", dst.Pos, name.text)
	}
	if dst.items[i].kind == scalar { // an entry of an enumeration that is only a name
		old := dst.items[i]
		dst.items[i] = &node{Pos: old.Pos, kind: mapping, pairs: []pair{{id, old.Pos, old}}}
	}
	return merge(dst.items[i], item)
}

// addItem adds an item that dst does not have.
func addItem(dst, item, name *node, id string) error {
	if i := find(dst, name.text, id); i >= 0 {
		return name.Errorf("%s has an item %q already", dst.items[i].Pos, name.text)
	}
	at := len(dst.items)
	if after := item.cut("after"); after != nil {
		if at = find(dst, after.text, id) + 1; at == 0 {
			return after.Errorf("%s has no item %q", dst.Pos, after.text)
		}
	}
	if item.get(id) != nil && id == "name" {
		return item.Errorf("%q and %q in one item", "new", id)
	}
	if err := checkFresh(item); err != nil {
		return err
	}
	item.pairs = append([]pair{{id, name.Pos, name}}, item.pairs...)
	dst.items = slices.Insert(dst.items, at, item)
	return nil
}

// find returns the index of the item with an identity, -1 if there is none.
func find(n *node, name, id string) int {
	return slices.IndexFunc(n.items, func(item *node) bool {
		if item.kind == scalar {
			return item.text == name
		}
		v := item.get(id)
		return v != nil && v.text == name
	})
}

// checkFresh fails if something new has keys that speak of the spec.
func checkFresh(n *node) error {
	for _, p := range n.pairs {
		if slices.Contains([]string{"new", "after", "remove", "replace"}, p.key) {
			return p.at.Errorf("key %q in what is new as a whole", p.key)
		}
		if err := checkFresh(p.value); err != nil {
			return err
		}
	}
	for _, item := range n.items {
		if err := checkFresh(item); err != nil {
			return err
		}
	}
	return nil
}
