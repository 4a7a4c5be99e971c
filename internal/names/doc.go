// Package names has the kernel's names of requests and of their attributes, for the
// texts of errors. It has the names that programs use most; the rest are printed as
// numbers.
package names
