package wire

import "syscall"

// errnoText returns the text of an errno of the kernel.
func errnoText(e syscall.Errno) string { return e.Error() }
