package all_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/all"
)

// The fields of each operation have all that is in the JSON of its messages, in the form
// that they say.
func TestFieldsDescribeTheJSON(t *testing.T) {
	for _, family := range all.Families {
		for _, op := range family.Ops() {
			reply := op.Row.Set
			if op.Row.ReplySet != 0 {
				reply = op.Row.ReplySet
			}
			for set, fields := range map[uint16][]ynl.Field{op.Row.Set: op.RequestFields(), reply: op.ReplyFields()} {
				if fields == nil {
					continue
				}
				c := jsonChecker{t, family.Name() + " " + op.Name(), make(map[string][]ynl.Field)}
				c.learn(fields)
				c.sets[family.Rows.Sets[set-1].Name] = fields
				for seed := range uint64(5) {
					of := target{family.Rows, set}
					c.object(fields, decoded([]byte(asJSON(newRandom(t, of, seed).message(of)))))
				}
			}
		}
	}
}

func decoded(text []byte) (v any) {
	if err := json.Unmarshal(text, &v); err != nil {
		panic(err)
	}
	return v
}

// jsonChecker compares JSON with fields.
type jsonChecker struct {
	*testing.T
	op   string
	sets map[string][]ynl.Field // of sets and structs, by their names
}

// learn takes down the sets and structs in fields.
func (c jsonChecker) learn(fields []ynl.Field) {
	for _, f := range fields {
		if f.Fields != nil && !f.Again {
			c.sets[f.Of] = f.Fields
		}
		c.learn(f.Fields)
		for _, k := range f.Kinds {
			if !k.Again {
				c.sets[k.Of] = k.Fields
			}
			c.learn(k.Fields)
		}
	}
}

// all returns the fields of what may be described elsewhere.
func (c jsonChecker) all(of string, again bool, fields []ynl.Field) []ynl.Field {
	if again {
		return append(append([]ynl.Field{}, fields...), c.sets[of]...)
	}
	return fields
}

func (c jsonChecker) object(fields []ynl.Field, v any) {
	object, ok := v.(map[string]any)
	if !ok {
		c.Errorf("%s: %v is no object", c.op, v)
		return
	}
	byName := make(map[string]ynl.Field)
	for _, f := range fields {
		byName[f.Name] = f
	}
	for name, v := range object {
		f, ok := byName[name]
		switch {
		case !ok && name != "unknown":
			c.Errorf("%s: no field %s", c.op, name)
		case f.List:
			for _, e := range v.([]any) {
				c.value(f, object, e)
			}
		case ok:
			c.value(f, object, v)
		}
	}
}

// value checks a value in an object.
func (c jsonChecker) value(f ynl.Field, object map[string]any, v any) {
	switch f.Type {
	case "nest", "struct":
		c.object(c.all(f.Of, f.Again, f.Fields), v)
	case "sub-message":
		c.subMessage(f, object, v)
	case "bitfield32":
		if _, ok := v.(map[string]any); !ok {
			c.Errorf("%s %s: %v is no object", c.op, f.Name, v)
		}
	case "flag":
		if _, ok := v.(bool); !ok {
			c.Errorf("%s %s: %v is no bool", c.op, f.Name, v)
		}
	case "string", "binary", "mac", "uuid", "ipv4", "ipv6", "address":
		if text, ok := v.(string); !ok || f.Len > 0 && f.Type == "binary" && len(text) != 2*f.Len {
			c.Errorf("%s %s: %v is no %s", c.op, f.Name, v, f.Type)
		}
	case "u8", "u16", "u32", "u64", "uint", "s8", "s16", "s32", "s64", "sint":
		_, list := v.([]any)
		_, text := v.(string)
		if list != f.Flags || text && f.Of == "" {
			c.Errorf("%s %s: %v is no %s of %q", c.op, f.Name, v, f.Type, f.Of)
		}
	default:
		c.Errorf("%s %s: type %q", c.op, f.Name, f.Type)
	}
}

// subMessage checks a sub-message. It has no type if it is a text, and its selector may be
// in an object around the one that it is in.
func (c jsonChecker) subMessage(f ynl.Field, object map[string]any, v any) {
	selector, ok := object[f.Selector].(string)
	if _, raw := v.(string); raw || !ok {
		return
	}
	kinds := slices.DeleteFunc(slices.Clone(f.Kinds), func(k ynl.Kind) bool { return k.Value != selector })
	for i, k := range kinds {
		fields := c.all(k.Of, k.Again, k.Fields)
		if i == len(kinds)-1 || has(fields, v) {
			c.object(fields, v)
			return
		}
	}
	c.Errorf("%s %s: no kind %q", c.op, f.Name, selector)
}

// has reports whether all names of an object are those of fields.
func has(fields []ynl.Field, v any) bool {
	for name := range v.(map[string]any) {
		if name != "unknown" && !slices.ContainsFunc(fields, func(f ynl.Field) bool { return f.Name == name }) {
			return false
		}
	}
	return true
}

// Every kind of value has a name.
func TestFieldsHaveTypes(t *testing.T) {
	for _, family := range all.Families {
		var check func(fields []ynl.Field)
		check = func(fields []ynl.Field) {
			for _, f := range fields {
				if f.Type == "" {
					t.Errorf("%s: %s has no type", family.Name(), f.Name)
				}
				check(f.Fields)
				for _, k := range f.Kinds {
					check(k.Fields)
				}
			}
		}
		for _, op := range family.Ops() {
			check(op.RequestFields())
			check(op.ReplyFields())
		}
	}
}
