package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"
)

// A Pos is a place in a YAML file.
type Pos struct {
	File string
	Line int
}

func (p Pos) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// Errorf returns an error that names the place.
func (p Pos) Errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %w", p, fmt.Errorf(format, args...))
}

type kind int

const (
	scalar kind = iota
	list
	mapping
)

func (k kind) String() string { return [...]string{"a scalar", "a list", "a mapping"}[k] }

// A node is a value of a YAML file with its place. Nodes of several files can be parts of
// one tree. No node is part of a tree twice: an alias is a copy.
type node struct {
	Pos
	kind kind
	ours bool // from an overlay or from a spec of our own

	text  string  // of a scalar
	tag   string  // of a scalar, such as !!int
	items []*node // of a list
	pairs []pair  // of a mapping
}

// A pair is an entry of a mapping.
type pair struct {
	key   string
	at    Pos
	value *node
}

// parse reads the one document of a YAML file.
func parse(path string, ours bool) (*node, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, Pos{path, second.Line}.Errorf("a second document")
	}
	return convert(doc.Content[0], path, ours)
}

func convert(y *yaml.Node, path string, ours bool) (*node, error) {
	if y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	n := &node{Pos: Pos{path, y.Line}, ours: ours}
	switch y.Kind {
	case yaml.ScalarNode:
		n.text, n.tag = y.Value, y.ShortTag()
	case yaml.SequenceNode:
		n.kind = list
		for _, c := range y.Content {
			item, err := convert(c, path, ours)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, item)
		}
	case yaml.MappingNode:
		n.kind = mapping
		for i := 0; i < len(y.Content); i += 2 {
			key := y.Content[i]
			at := Pos{path, key.Line}
			if n.get(key.Value) != nil {
				return nil, at.Errorf("key %q is there twice", key.Value)
			}
			value, err := convert(y.Content[i+1], path, ours)
			if err != nil {
				return nil, err
			}
			n.pairs = append(n.pairs, pair{key.Value, at, value})
		}
	default:
		return nil, n.Errorf("unexpected YAML")
	}
	return n, nil
}

// place returns where to look for a fault in a mapping: in the overlay, if it corrects it.
func (n *node) place() Pos {
	for _, p := range n.pairs {
		if p.value.ours {
			return p.at
		}
	}
	return n.Pos
}

// get returns the value of a key of a mapping, nil if it has none.
func (n *node) get(key string) *node {
	for _, p := range n.pairs {
		if p.key == key {
			return p.value
		}
	}
	return nil
}

// set replaces the value of a key, or adds the key.
func (n *node) set(key string, at Pos, value *node) {
	for i := range n.pairs {
		if n.pairs[i].key == key {
			n.pairs[i] = pair{key, at, value}
			return
		}
	}
	n.pairs = append(n.pairs, pair{key, at, value})
}

// cut removes a key and returns its value, nil if it has none.
func (n *node) cut(key string) *node {
	for i, p := range n.pairs {
		if p.key == key {
			n.pairs = append(n.pairs[:i], n.pairs[i+1:]...)
			return p.value
		}
	}
	return nil
}

// equal reports whether two nodes have the same value, wherever they are.
func (n *node) equal(o *node) bool {
	if n.kind != o.kind || n.text != o.text || len(n.items) != len(o.items) || len(n.pairs) != len(o.pairs) {
		return false
	}
	for i := range n.items {
		if !n.items[i].equal(o.items[i]) {
			return false
		}
	}
	for _, p := range n.pairs {
		if v := o.get(p.key); v == nil || !p.value.equal(v) {
			return false
		}
	}
	return true
}

// strings returns the texts of a list of scalars.
func (n *node) strings() ([]string, error) {
	if n.kind != list {
		return nil, n.Errorf("want a list, got %s", n.kind)
	}
	var texts []string
	for _, item := range n.items {
		if item.kind != scalar {
			return nil, item.Errorf("want a name, got %s", item.kind)
		}
		texts = append(texts, item.text)
	}
	return texts, nil
}
