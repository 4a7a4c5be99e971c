package spec

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// decode stores a node in the Go value v. It is strict: a key or a value that the schema
// does not have is an error.
//
// The schema is the type of v. A field has the tags
//
//	key:"name"      the key of the mapping; "name,required" if it must be there,
//	                "name,short" if a scalar is short for a mapping with this key only
//	of:"a b@legacy" the values of a scalar or of a list, with the schemas that have them
//	in:"raw"        the schemas that have the key
//
// and those named _ are checked and dropped. A field of type Pos gets the place.
func (d *decoder) decode(n *node, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Pointer:
		if n.tag == "!!null" {
			return nil
		}
		v.Set(reflect.New(v.Type().Elem()))
		return d.decode(n, v.Elem())
	case reflect.Slice:
		return d.decodeList(n, v)
	case reflect.Struct:
		return d.decodeStruct(n, v)
	}
	if n.kind != scalar {
		return n.Errorf("want a scalar, got %s", n.kind)
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.text)
	case reflect.Bool:
		if n.tag != "!!bool" {
			return n.Errorf("want true or false, got %q", n.text)
		}
		v.SetBool(n.text == "true")
	case reflect.Int64:
		i, err := strconv.ParseInt(n.text, 0, 64)
		if err != nil {
			return n.Errorf("want an integer, got %q", n.text)
		}
		v.SetInt(i)
	default:
		panic("spec: no schema for " + v.Type().String())
	}
	return nil
}

// A decoder knows which schema a file says that it obeys.
type decoder struct{ schema string }

func (d *decoder) decodeList(n *node, v reflect.Value) error {
	if n.kind != list {
		return n.Errorf("want a list, got %s", n.kind)
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	for i, item := range n.items {
		if err := d.decode(item, v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) decodeStruct(n *node, v reflect.Value) error {
	fields := fieldsOf(v.Type())
	if n.kind == scalar {
		for _, f := range fields {
			if f.short {
				n = &node{Pos: n.Pos, kind: mapping, ours: n.ours, pairs: []pair{{f.key, n.Pos, n}}}
			}
		}
	}
	if n.kind != mapping {
		return n.Errorf("want a mapping, got %s", n.kind)
	}
	if pos := v.FieldByName("Pos"); pos.IsValid() {
		pos.Set(reflect.ValueOf(n.place()))
	}
	for _, p := range n.pairs {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == p.key })
		if i < 0 {
			return p.at.Errorf("unknown key %q", p.key)
		}
		if err := d.decodeField(p, fields[i], v); err != nil {
			return err
		}
	}
	for _, f := range fields {
		if f.required && n.get(f.key) == nil {
			return n.Errorf("no key %q", f.key)
		}
	}
	return nil
}

func (d *decoder) decodeField(p pair, f field, v reflect.Value) error {
	if !d.allowed(f.in, p.value.ours) {
		return p.at.Errorf("key %q is not in the schema %s", p.key, d.schema)
	}
	if err := d.checkValue(p.value, f); err != nil {
		return err
	}
	dst := v.Field(f.index)
	if f.drop {
		dst = reflect.New(dst.Type()).Elem()
	}
	return d.decode(p.value, dst)
}

// checkValue fails if a field has a list of values that does not contain the node, or an
// item of it.
func (d *decoder) checkValue(n *node, f field) error {
	for _, item := range n.items {
		if err := d.checkValue(item, f); err != nil {
			return err
		}
	}
	if f.of == nil || n.kind != scalar {
		return nil
	}
	in, known := f.of[n.text]
	if !known {
		return n.Errorf("unknown value %q of key %q", n.text, f.key)
	}
	if !d.allowed(in, n.ours) {
		return n.Errorf("value %q of key %q is not in the schema %s", n.text, f.key, d.schema)
	}
	return nil
}

// allowed reports whether the schema of the file is one of those that in names. Files of
// our own are free to use all of them, and the marks that no schema has.
func (d *decoder) allowed(in string, ours bool) bool {
	return in == "" || ours || slices.Contains(schemas[in], d.schema)
}

// schemas are the schemas that the tags name, each level with those above it.
var schemas = map[string][]string{
	"genl":    {"genetlink", "genetlink-c", "genetlink-legacy"},
	"c":       {"genetlink-c", "genetlink-legacy", "netlink-raw"},
	"legacy":  {"genetlink-legacy", "netlink-raw"},
	"version": {"genetlink-legacy"},
	"uns":     {"genetlink", "genetlink-legacy"},
	"raw":     {"netlink-raw"},
	"ours":    {},
}

// A field is what the tags say of a field of a struct.
type field struct {
	index           int
	key             string
	required, short bool
	drop            bool
	in              string
	of              map[string]string // value -> schemas
}

func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		key, option, _ := strings.Cut(tag.Get("key"), ",")
		if key == "" {
			continue
		}
		f := field{index: i, key: key, required: option != "", short: option == "short",
			drop: t.Field(i).Name == "_", in: tag.Get("in")}
		if of := tag.Get("of"); of != "" {
			f.of = map[string]string{}
			for _, value := range strings.Fields(of) {
				value, in, _ := strings.Cut(value, "@")
				f.of[value] = in
			}
		}
		fields = append(fields, f)
	}
	return fields
}
