package rtlink_test

import (
	"encoding/binary"
	"encoding/json"

	"github.com/nlmux/netlink/ynl/rtlink"
)

// text returns a link as JSON.
func text(l *rtlink.Link) string {
	b, err := json.Marshal(l)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// nativeBytes returns numbers as the kernel lays them out.
func nativeBytes(numbers ...uint16) (b []byte) {
	for _, n := range numbers {
		b = binary.NativeEndian.AppendUint16(b, n)
	}
	return b
}

// nativeHeader returns a struct ifinfomsg.
func nativeHeader(family uint8, index uint32) []byte {
	b := binary.NativeEndian.AppendUint32([]byte{family, 0, 0, 0}, index)
	return append(b, make([]byte, 8)...)
}
