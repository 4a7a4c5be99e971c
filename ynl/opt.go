package ynl

import (
	"encoding/json"
	"fmt"
)

// Opt is an attribute that may be absent. The zero value is absent. A value that is set
// is sent, zero or not.
//
// In JSON a set value is itself and an absent one is null, or left out with omitzero.
type Opt[T any] struct {
	Value T // the zero value of T while Set is false
	Set   bool
}

// Some returns an attribute that is set to v. T is v's type: see [U32] and the like for
// constants.
func Some[T any](v T) Opt[T] { return Opt[T]{Value: v, Set: true} }

// Get returns the value, and whether it is set.
func (o Opt[T]) Get() (T, bool) { return o.Value, o.Set }

// Or returns the value, or v if it is absent.
func (o Opt[T]) Or(v T) T {
	if o.Set {
		return o.Value
	}
	return v
}

// IsZero reports whether the attribute is absent, for the option omitzero of package
// encoding/json.
func (o Opt[T]) IsZero() bool { return !o.Set }

// String returns the value as [fmt.Sprint] prints it, or "-" if it is absent.
func (o Opt[T]) String() string {
	if !o.Set {
		return "-"
	}
	return fmt.Sprint(o.Value)
}

// MarshalJSON returns the value in JSON, or null.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if !o.Set {
		return []byte("null"), nil
	}
	return json.Marshal(o.Value)
}

// UnmarshalJSON sets the value, or makes it absent if b is null. With an error o is
// unchanged.
func (o *Opt[T]) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*o = Opt[T]{}
		return nil
	}
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	*o = Some(v)
	return nil
}

// U8 is [Some] for a constant.
func U8(v uint8) Opt[uint8] { return Some(v) }

// U16 is [Some] for a constant.
func U16(v uint16) Opt[uint16] { return Some(v) }

// U32 is [Some] for a constant.
func U32(v uint32) Opt[uint32] { return Some(v) }

// U64 is [Some] for a constant.
func U64(v uint64) Opt[uint64] { return Some(v) }

// S8 is [Some] for a constant.
func S8(v int8) Opt[int8] { return Some(v) }

// S16 is [Some] for a constant.
func S16(v int16) Opt[int16] { return Some(v) }

// S32 is [Some] for a constant.
func S32(v int32) Opt[int32] { return Some(v) }

// S64 is [Some] for a constant.
func S64(v int64) Opt[int64] { return Some(v) }

// Bitfield32 changes bits of a number: those of Selector become those of Value
// (struct nla_bitfield32 in include/uapi/linux/netlink.h).
type Bitfield32 struct {
	Value    uint32 `json:"value"`
	Selector uint32 `json:"selector"`
}
