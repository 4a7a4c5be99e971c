// Package migration keeps docs/MIGRATION.md true. The code on that page is the
// code of the packages below, byte for byte, and the tests run it on the kernel
// and compare what the three libraries do, as well as what the page says of
// them. After a change of the code
//
//	go test ./migration -update
//
// writes it into the page.
package migration
