//go:build !linux

package wire

import (
	"strconv"
	"syscall"
)

// errnoText names an errno of the kernel by its number: this system has other
// texts for it, or none.
func errnoText(e syscall.Errno) string { return "errno " + strconv.Itoa(int(e)) }
