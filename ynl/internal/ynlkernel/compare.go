//go:build linux

package ynlkernel

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/nlmux/netlink/ynl"
)

// Absent is the value of a field that is not there.
var Absent = absent{}

type absent struct{}

// Within is a value that may differ by the time between two looks.
type within struct{ value, most uint32 }

// Within returns a value that counts down: that of the tool may be greater or less by as
// much as most.
func Within(value, most uint32) any { return within{value, most} }

// Value returns the value that an Opt has, or Absent.
func Value[T any](o ynl.Opt[T]) any {
	if !o.Set {
		return Absent
	}
	return o.Value
}

// Text returns an address as text, or Absent.
func Text(a netip.Addr) any {
	if !a.IsValid() {
		return Absent
	}
	return a.String()
}

// Compare compares an object that a tool printed as JSON with the value that it is about.
// fields has for each name of the tool what it must be. A name that is not in fields is an
// error: nothing that the tool shows is left out. Compare returns the number of values.
func Compare[T any](t testing.TB, what string, theirs map[string]any, ours T, fields map[string]func(T) any) int {
	t.Helper()
	for name, value := range theirs {
		f, ok := fields[name]
		if !ok {
			t.Errorf("%s: nothing to compare with %s: %v", what, name, value)
			continue
		}
		if want := f(ours); !Equal(value, want) {
			t.Errorf("%s: %s is %v for the tool, %v here", what, name, value, want)
		}
	}
	return len(theirs)
}

// Equal reports whether a value of decoded JSON is the Go value v.
func Equal(theirs, v any) bool {
	switch v := v.(type) {
	case anything:
		return true
	case Subset:
		return v.equal(theirs)
	case within:
		n, ok := theirs.(json.Number)
		if !ok {
			return false
		}
		i, err := n.Int64()
		diff := i - int64(v.value)
		return err == nil && -int64(v.most) <= diff && diff <= int64(v.most)
	case bool:
		return theirs == v
	case []any:
		list, ok := theirs.([]any)
		if !ok || len(list) != len(v) {
			return false
		}
		for i := range v {
			if !Equal(list[i], v[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		m, ok := theirs.(map[string]any)
		if !ok || len(m) != len(v) {
			return false
		}
		for name := range v {
			other, ok := m[name]
			if !ok || !Equal(other, v[name]) {
				return false
			}
		}
		return true
	case net.HardwareAddr:
		return strings.EqualFold(fmt.Sprint(theirs), v.String())
	}
	return fmt.Sprint(theirs) == fmt.Sprint(v)
}

// Subset is a list that the tool may print with another value besides, in any order.
type Subset struct {
	Of      []any
	Besides string
}

func (s Subset) equal(theirs any) bool {
	list, ok := theirs.([]any)
	if !ok {
		return false
	}
	list = slices.DeleteFunc(slices.Clone(list), func(v any) bool { return v == s.Besides })
	return len(list) == len(s.Of) && !slices.ContainsFunc(s.Of, func(v any) bool { return !slices.Contains(list, v) })
}

// Anything is equal to every value: that of a field that only the tool can know.
var Anything = anything{}

type anything struct{}
