//go:build !linux

package wire

import (
	"strconv"
	"syscall"
)

// errnoText returns the number of an errno of the kernel: this system has other texts,
// or none.
func errnoText(e syscall.Errno) string { return "errno " + strconv.Itoa(int(e)) }
