package wire

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"sync"
)

// Struct reads the family's fixed header at the start of the payload into the struct
// that v points to, such as a *unix.IfInfomsg, and returns the attributes after it.
// They alias the payload.
//
// The struct has exported fields of fixed size, in the machine's byte order and without
// gaps between them, as the types of package unix do: package encoding/binary reads it.
// Fields named _ are skipped. A payload that is too short yields an error that wraps
// [ErrMalformed], and *v is unchanged. A v of another type yields an error as well.
func (m Message) Struct(v any) (attrs []byte, err error) {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() || p.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("wire: Message.Struct: v must be a pointer to a struct, got %T", v)
	}
	size, err := structSize(p.Elem().Type())
	if err != nil {
		return nil, fmt.Errorf("wire: Message.Struct: %w", err)
	}
	if len(m.Payload) < size {
		return nil, &lengthError{"payload with " + p.Elem().Type().String(), int64(size), len(m.Payload)}
	}
	if _, err := binary.Decode(m.Payload, binary.NativeEndian, v); err != nil {
		return nil, fmt.Errorf("wire: Message.Struct: %w", err)
	}
	return skipPadding(m.Payload[size:], size), nil
}

// Struct appends a family's fixed header, such as a unix.IfInfomsg: the bytes of a struct
// of fixed size, or of the struct that v points to, padded to 4 bytes. [Message.Struct]
// describes these structs. A []byte is appended as it is and padded.
//
// Another type is an error that sticks. A pointer takes no allocation; a struct or a
// slice is allocated for the call, see [Builder.Raw].
func (b *Builder) Struct(v any) {
	if p, ok := v.([]byte); ok {
		b.Raw(p)
		return
	}
	if b.err != nil {
		return
	}
	if err := b.appendStruct(v); err != nil {
		b.err = fmt.Errorf("wire: Builder.Struct: %w", err)
	}
}

func (b *Builder) appendStruct(v any) error {
	s := reflect.Indirect(reflect.ValueOf(v))
	if s.Kind() != reflect.Struct {
		return fmt.Errorf("v must be a struct or a []byte, got %T", v)
	}
	size, err := structSize(s.Type())
	if err != nil {
		return err
	}
	buf, err := binary.Append(b.buf, binary.NativeEndian, v)
	if err != nil {
		return err
	}
	b.buf = appendPadding(buf, size)
	return nil
}

// structSizes holds what structSize returned, by type.
var structSizes sync.Map

// structSize returns the size of a struct of type t as package encoding/binary lays it
// out. The kernel lays it out as the compiler does, so the two have to agree.
func structSize(t reflect.Type) (int, error) {
	if size, ok := structSizes.Load(t); ok {
		return size.(int), nil
	}
	size := binary.Size(reflect.Zero(t).Interface())
	hidden := unexported(t)
	switch {
	case size < 0:
		return 0, fmt.Errorf("%v has a field without a fixed size", t)
	case hidden != "":
		return 0, fmt.Errorf("%v has the unexported field %s", t, hidden)
	case size != int(t.Size()):
		return 0, fmt.Errorf("%v has %d bytes of padding without a field", t, int(t.Size())-size)
	}
	structSizes.Store(t, size)
	return size, nil
}

// unexported returns the name of a field in a type of fixed size that package
// encoding/binary cannot set, "" if there is none.
func unexported(t reflect.Type) string {
	for t.Kind() == reflect.Array {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return ""
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "_" {
			continue
		}
		if !f.IsExported() {
			return f.Name
		}
		if name := unexported(f.Type); name != "" {
			return f.Name + "." + name
		}
	}
	return ""
}
