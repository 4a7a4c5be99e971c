package capturetest

import (
	"encoding/hex"
	"strings"
	"testing"
)

// file is a section without options, with one packet of four bytes.
var file, _ = hex.DecodeString(strings.Join(strings.Fields(`
	0a0d0d0a 20000000 4d3c2b1a 0100 0000 ffffffff ffffffff 0000 0000 20000000
	01000000 20000000 fd00 0000 00000400 0900 0100 09000000 0000 0000 20000000
	06000000 40000000 00000000 00000000 01000000 14000000 14000000
		0004 0338 00000000 00000000 0000 0010 01020304
		0200 0400 02000000 0000 0000 40000000
	05000000 1c000000 00000000 00000000 01000000 0000 0000 1c000000
`), ""))

func TestReader(t *testing.T) {
	sections, err := Read(file)
	if err != nil || len(sections) != 1 || len(sections[0].Packets) != 1 || !sections[0].Whole {
		t.Fatalf("%+v, %v", sections, err)
	}
	// A truncation is found unless it is between two blocks.
	between := map[int]bool{0: true, 32: true, 64: true, 128: true}
	for n := range file {
		if _, err := Read(file[:n]); (err == nil) != between[n] {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	// So is every wrong byte, except where other values are valid: times, the length
	// before the cut, the family, the packet's bytes.
	for i := range file {
		free := i >= 76 && i < 84 || i >= 88 && i < 92 || i >= 106 && i < 112 || i >= 140 && i < 148
		b := append([]byte(nil), file...)
		b[i] ^= 0x40
		if _, err := Read(b); (err == nil) != free {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
}
