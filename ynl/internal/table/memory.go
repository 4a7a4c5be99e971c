package table

import (
	"net/netip"
	"reflect"
	"unsafe"
)

// Place is where a field or a struct is in memory. It keeps the memory alive. All use of
// package unsafe is in this file; what a Place points to is known from the row of the
// field, which the tests of each generated package check against its Go type.
type Place struct{ p unsafe.Pointer }

// placeOf returns the place of what x points to.
func placeOf[T any](x *T) Place { return Place{unsafe.Pointer(x)} }

// pointee returns the place that the pointer v points to.
func pointee(v any) Place { return Place{reflect.ValueOf(v).UnsafePointer()} }

// pointer returns a pointer to x, of the type of typ.
func (x Place) pointer(typ any) any {
	return reflect.NewAt(reflect.TypeOf(typ).Elem(), x.p).Interface()
}

// at returns the place of the field that is off bytes after x.
func (x Place) at(off uintptr) Place { return Place{unsafe.Add(x.p, off)} }

func (x Place) isNil() bool { return x.p == nil }

// The next methods return what is at x, a field of the named type or of one made from it.

func (x Place) bool() *bool       { return (*bool)(x.p) }
func (x Place) u8() *uint8        { return (*uint8)(x.p) }
func (x Place) u16() *uint16      { return (*uint16)(x.p) }
func (x Place) u32() *uint32      { return (*uint32)(x.p) }
func (x Place) u64() *uint64      { return (*uint64)(x.p) }
func (x Place) text() *string     { return (*string)(x.p) }
func (x Place) bytes() *[]byte    { return (*[]byte)(x.p) }
func (x Place) addr() *netip.Addr { return (*netip.Addr)(x.p) }

// ref returns the pointer at x. A slice and an interface begin with a pointer, too,
// which is nil if and only if they are.
func (x Place) ref() *Place { return (*Place)(x.p) }

// array returns the n bytes at x.
func (x Place) array(n int) []byte { return unsafe.Slice((*byte)(x.p), n) }

// uint returns the unsigned integer of width bytes at x.
func (x Place) uint(width uint8) uint64 {
	switch width {
	case 1:
		return uint64(*x.u8())
	case 2:
		return uint64(*x.u16())
	case 4:
		return uint64(*x.u32())
	}
	return *x.u64()
}

// setUint sets the integer of width bytes at x to the lower bytes of u.
func (x Place) setUint(width uint8, u uint64) {
	switch width {
	case 1:
		*x.u8() = uint8(u)
	case 2:
		*x.u16() = uint16(u)
	case 4:
		*x.u32() = uint32(u)
	default:
		*x.u64() = u
	}
}

// slice is the layout of every slice.
type slice struct {
	data     Place
	len, cap int
}

func (x Place) slice() *slice { return (*slice)(x.p) }

// elem returns the place of element i of a slice of elements of size bytes.
func (s *slice) elem(i int, size uintptr) Place { return s.data.at(uintptr(i) * size) }

// truncate cuts the slice to n elements, or to nil if n is 0.
func (s *slice) truncate(n int) {
	if s.len = n; n == 0 {
		*s = slice{}
	}
}

// makeEmpty makes the nil slice at x an empty one.
func (x Place) makeEmpty() {
	if x.ref().isNil() {
		*x.bytes() = []byte{} // of no element, so the type does not matter
	}
}

// growInt appends a zero to the slice of integers of width bytes at x, and returns its
// place. Their type does not matter, since no integer is a pointer.
func (x Place) growInt(width uint8) Place {
	switch width {
	case 1:
		return Grow[uint8](x)
	case 2:
		return Grow[uint16](x)
	case 4:
		return Grow[uint32](x)
	}
	return Grow[uint64](x)
}

// makeInts makes the slice at x one of n zero integers of width bytes.
func (x Place) makeInts(width uint8, n int) {
	switch width {
	case 1:
		*(*[]uint8)(x.p) = make([]uint8, n)
	case 2:
		*(*[]uint16)(x.p) = make([]uint16, n)
	case 4:
		*(*[]uint32)(x.p) = make([]uint32, n)
	default:
		*(*[]uint64)(x.p) = make([]uint64, n)
	}
}

// Sizes of the elements of slices.
const (
	stringSize = unsafe.Sizeof("")
	sliceSize  = unsafe.Sizeof([]byte{})
	addrSize   = unsafe.Sizeof(netip.Addr{})
)

// At returns the T at x. It is for hooks, which know their type.
func At[T any](x Place) *T { return (*T)(x.p) }

// New allocates a T.
func New[T any]() Place { return placeOf(new(T)) }

// Grow appends a zero T to the []T at slice and returns its place.
func Grow[T any](slice Place) Place {
	var zero T
	s := (*[]T)(slice.p)
	*s = append(*s, zero)
	return placeOf(&(*s)[len(*s)-1])
}

// Load returns the value of the field of interface type I, nil if it is nil.
func Load[I any](field Place) any { return *(*I)(field.p) }

// Store sets the field of interface type I to v, which has I's methods.
func Store[I any](field Place, v any) { *(*I)(field.p) = v.(I) }
