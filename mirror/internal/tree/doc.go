// Package tree is an ordered map from keys of one fixed size to byte strings, made for
// large tables with few distinct values.
//
// A [Tree] never changes: a [Txn] makes a new one that shares what it did not touch
// (a B-tree with path copying). So a copy costs nothing, any number of goroutines may
// read it, and [Diff] of two versions skips what they share.
//
// A leaf holds up to 256 entries: their keys side by side, one byte each that says
// which value, and each distinct value once (the leaf's dictionary). An IPv4 route
// takes about 20 bytes in it, without a pointer.
package tree
