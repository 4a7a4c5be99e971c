//go:build !linux

package main

import "io"

// terminalWidth returns 0: there is no kernel to print a table of.
func terminalWidth(io.Writer) int { return 0 }
