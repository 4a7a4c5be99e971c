package wire

import "syscall"

// errnoText names an errno of the kernel.
func errnoText(e syscall.Errno) string { return e.Error() }
