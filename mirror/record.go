package mirror

import (
	"bytes"
	"encoding/binary"
)

// A group is what the kernel keeps under one key: the routes of one prefix, or one link.
// The store has it as bytes: for each member its length in 32 bits, its value, and
// padding to 4 bytes. A value is the fixed header and the attributes of a message,
// without those of the key and those that do not count.
type group []byte

const recordHeader = 4

// appendRecord appends a member to a group.
func appendRecord(g group, value []byte) group {
	g = binary.NativeEndian.AppendUint32(g, uint32(len(value)))
	g = append(g, value...)
	return append(g, make([]byte, -len(value)&3)...)
}

// appendTo appends the values of g to list. They alias g.
func (g group) appendTo(list [][]byte) [][]byte {
	for len(g) > 0 {
		n := int(binary.NativeEndian.Uint32(g))
		list = append(list, g[recordHeader:recordHeader+n:recordHeader+n])
		g = g[recordHeader+n+(-n&3):]
	}
	return list
}

// values returns the values of g, which alias it.
func (g group) values() [][]byte { return g.appendTo(nil) }

// first returns the first value, nil if g is empty.
func (g group) first() []byte {
	if len(g) == 0 {
		return nil
	}
	n := int(binary.NativeEndian.Uint32(g))
	return g[recordHeader : recordHeader+n : recordHeader+n]
}

// appendGroup appends the group of the values in list.
func appendGroup(g group, list [][]byte) group {
	for _, v := range list {
		g = appendRecord(g, v)
	}
	return g
}

// index returns the index of value in list, -1 if it is not there.
func index(list [][]byte, value []byte) int {
	for i, v := range list {
		if bytes.Equal(v, value) {
			return i
		}
	}
	return -1
}
