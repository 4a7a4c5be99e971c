package tree

import (
	"bytes"
	"hash/maphash"
	"slices"
)

// dictionary holds the distinct values of a leaf. A value has an id. The id of a value
// that was removed is free: its place is empty, and the next new value takes it.
type dictionary struct {
	bytes []byte   // the values, one after the other
	ends  []uint32 // for each id, where its value ends in bytes
	sums  []byte   // for each id, a hash of its value; a search looks at these first
}

// hashSeed only has to be the same for all dictionaries of a process.
var hashSeed = maphash.MakeSeed()

func sum(v []byte) byte { return byte(maphash.Bytes(hashSeed, v)) }

func (d *dictionary) start(id byte) uint32 {
	if id == 0 {
		return 0
	}
	return d.ends[id-1]
}

func (d *dictionary) value(id byte) []byte {
	end := d.ends[id]
	return d.bytes[d.start(id):end:end]
}

// find returns the id of v.
func (d *dictionary) find(v []byte, h byte) (id byte, found bool) {
	for from := 0; ; {
		i := bytes.IndexByte(d.sums[from:], h)
		if i < 0 {
			return 0, false
		}
		if id := byte(from + i); bytes.Equal(d.value(id), v) {
			return id, true
		}
		from += i + 1
	}
}

// intern returns the id of v, which it adds if it is new. v must not be empty.
func (d *dictionary) intern(v []byte) byte {
	h := sum(v)
	if id, found := d.find(v, h); found {
		return id
	}
	if id, found := d.find(nil, sum(nil)); found {
		d.replace(id, v)
		return id
	}
	d.bytes = append(d.bytes, v...)
	d.ends = append(d.ends, uint32(len(d.bytes)))
	d.sums = append(d.sums, h)
	return byte(len(d.ends) - 1)
}

// replace gives the id another value; nil frees the id.
func (d *dictionary) replace(id byte, v []byte) {
	from, to := d.start(id), d.ends[id]
	if delta := len(v) - int(to-from); delta == 0 {
		copy(d.bytes[from:], v)
	} else {
		d.bytes = slices.Replace(d.bytes, int(from), int(to), v...)
		for i := int(id); i < len(d.ends); i++ {
			d.ends[i] = uint32(int(d.ends[i]) + delta)
		}
	}
	d.sums[id] = sum(v)
}

// clone returns a copy that can be changed, with a little room to grow.
func (d *dictionary) clone() dictionary {
	const room = 2
	return dictionary{
		bytes: append(make([]byte, 0, len(d.bytes)+64), d.bytes...),
		ends:  append(make([]uint32, 0, len(d.ends)+room), d.ends...),
		sums:  append(make([]byte, 0, len(d.sums)+room), d.sums...),
	}
}
