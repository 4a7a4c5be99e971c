//go:build linux

package ynlkernel

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/nlmux/netlink/ynl"
)

// Known fails the test if a message has attributes that its type does not, or a
// sub-message without a type. R is the type of those in the message's package.
func Known[R ~[]byte](t testing.TB, m ynl.Message) {
	t.Helper()
	known[R](t, reflect.ValueOf(m), "")
}

func known[R ~[]byte](t testing.TB, v reflect.Value, path string) {
	t.Helper()
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if r, ok := v.Interface().(*R); ok && r != nil && len(*r) > 0 {
			t.Errorf("%s: %x is raw", path, []byte(*r))
			return
		}
		if !v.IsNil() {
			known[R](t, v.Elem(), path)
		}
	case reflect.Slice:
		for i := range v.Len() {
			known[R](t, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if !v.Field(i).CanInterface() {
				continue
			}
			if attrs, ok := v.Field(i).Interface().(ynl.Attrs); ok {
				for typ, value := range attrs.All() {
					t.Errorf("%s.%s: type %d, %x", path, name, typ, value)
				}
				continue
			}
			known[R](t, v.Field(i), path+"."+name)
		}
	}
}
