//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/nlmux/netlink/mirror"
)

// change is an entry that was added, removed or changed.
type change struct {
	Table string     `json:"table"`
	Rev   mirror.Rev `json:"rev"`
	Why   string     `json:"why,omitempty"` // absent in the initial state
	Key   any        `json:"key"`
	Old   any        `json:"old,omitempty"`
	New   any        `json:"new,omitempty"`
}

func (c change) JSON() ([]byte, error) { return json.Marshal(c) }

// Text returns "+" and all fields of what was added, "-" and all of what was removed, or
// "~" and the fields that have changed.
func (c change) Text() (string, error) {
	old, err := fields(c.Old)
	if err != nil {
		return "", err
	}
	new, err := fields(c.New)
	if err != nil {
		return "", err
	}
	sign, text := "~", difference(old, new)
	switch {
	case c.Old == nil:
		sign, text = "+", list(new)
	case c.New == nil:
		sign, text = "-", list(old)
	}
	if c.Why != mirror.Event.String() && c.Why != "" {
		text += " (" + c.Why + ")"
	}
	return fmt.Sprintf("%s %s %s  %s", sign, c.Table, key(c.Key), text), nil
}

// key returns the fields of a key, without those that are zero.
func key(k any) string {
	v := reflect.ValueOf(k)
	if v.Kind() != reflect.Struct {
		return fmt.Sprint(k)
	}
	var parts []string
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsZero() {
			parts = append(parts, fmt.Sprint(f.Interface()))
		}
	}
	return strings.Join(parts, " ")
}

// fields returns the fields of a value, or of a list's elements one after the other.
func fields(v any) (map[string]string, error) {
	out := map[string]string{}
	if v == nil {
		return out, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var raw any
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, err
	}
	switch raw := raw.(type) {
	case map[string]any:
		flatten(out, "", raw)
	case []any:
		for i, e := range raw {
			flatten(out, fmt.Sprintf("%d.", i), e)
		}
	}
	return out, nil
}

func flatten(out map[string]string, prefix string, v any) {
	m, ok := v.(map[string]any)
	if !ok {
		b, _ := json.Marshal(v)
		out[strings.TrimSuffix(prefix, ".")] = strings.Trim(string(b), `"`)
		return
	}
	for name, e := range m {
		flatten(out, prefix+name+".", e)
	}
}

func list(fields map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		parts = append(parts, name+" "+fields[name])
	}
	return strings.Join(parts, ", ")
}

func difference(old, new map[string]string) string {
	all := maps.Clone(old)
	maps.Copy(all, new)
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		a, before := old[name]
		b, after := new[name]
		switch {
		case !before:
			parts = append(parts, name+" "+b+" added")
		case !after:
			parts = append(parts, name+" "+a+" removed")
		case a != b:
			parts = append(parts, name+" "+a+" -> "+b)
		}
	}
	return strings.Join(parts, ", ")
}

// doubt says whether a table is exact.
type doubt struct {
	Table   string     `json:"table"`
	Rev     mirror.Rev `json:"rev"`
	Exact   bool       `json:"exact"`
	Initial bool       `json:"initial,omitempty"`
	Why     string     `json:"why,omitempty"` // it is not exact
}

func (d doubt) JSON() ([]byte, error) { return json.Marshal(d) }

func (d doubt) Text() (string, error) {
	switch {
	case !d.Exact:
		return fmt.Sprintf("? %s  in doubt: %s", d.Table, d.Why), nil
	case d.Initial:
		return fmt.Sprintf("= %s  this is all", d.Table), nil
	}
	return fmt.Sprintf("= %s  exact again", d.Table), nil
}
