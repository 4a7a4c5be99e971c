// Package names has the kernel's names of requests and of their attributes, for the
// texts of errors. It has those that programs use most. The rest are numbers.
package names
