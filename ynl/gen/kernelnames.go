package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nlmux/netlink/ynl/gen/internal/spec"
)

// namesFile is the path of the file with the kernel's names, from the folder of the
// packages.
const namesFile = "../internal/names/tables.go"

// kernelNamesFile returns the file with the names of the requests of families, and of
// those that the specs in a folder add.
func kernelNamesFile(families []*spec.Family, folder string) ([]byte, error) {
	undescribed, err := spec.Load("", folder, "")
	if err != nil {
		return nil, err
	}
	n, err := namesOf(families, undescribed)
	if err != nil {
		return nil, err
	}
	return file("tables.go", n)
}

// kernelNames are the kernel's names of requests and of their attributes, as package
// internal/names has them, which describes the form of the texts.
type kernelNames struct {
	Raw, Generic *nameTable
	Protocols    []nameList // in Raw
	Controller   int        // the commands of nlctrl, in Raw
	Families     []nameList // the commands of the other generic families
}

// A nameList is the place of the requests of a protocol, or of the commands of a family.
type nameList struct {
	Number int64 // of the protocol
	Name   string
	Place  int
}

// namesOf returns the names of the requests of families. Those of undescribed have only
// names, of requests that no other family has.
func namesOf(families, undescribed []*spec.Family) (*kernelNames, error) {
	n := &kernelNames{Raw: newNameTable(), Generic: newNameTable()}
	n.reserve(slices.Concat(families, undescribed))
	protocols := map[int64][]nameItem{}
	for _, f := range families {
		switch {
		case f.Name == controller:
			n.Raw.list(n.Controller, "commands of "+f.Name, n.Raw.requests(f))
		case f.Generic():
			i := slices.IndexFunc(n.Families, func(l nameList) bool { return l.Name == f.Name })
			n.Generic.list(n.Families[i].Place, "commands of "+f.Name, n.Generic.requests(f))
		default:
			protocols[*f.Number] = append(protocols[*f.Number], n.Raw.requests(f)...)
		}
	}
	for _, f := range undescribed {
		for _, o := range f.Operations.List {
			protocols[*f.Number] = append(protocols[*f.Number], nameItem{typ: o.Number, name: o.KernelName})
		}
	}
	for _, l := range n.Protocols {
		n.Raw.list(l.Place, fmt.Sprintf("requests of protocol %d", l.Number), protocols[l.Number])
	}
	return n, errors.Join(append(n.Raw.errs, n.Generic.errs...)...)
}

// controller is the generic family with a number that is always the same.
const controller = "nlctrl"

// reserve gives the lists of requests the first places, since every refusal needs one.
func (n *kernelNames) reserve(families []*spec.Family) {
	seen := map[int64]bool{}
	for _, f := range families {
		switch {
		case f.Name == controller:
			n.Controller = n.Raw.reserve()
		case f.Generic():
			n.Families = append(n.Families, nameList{Name: f.Name, Place: n.Generic.reserve()})
		case !seen[*f.Number]:
			seen[*f.Number] = true
			n.Protocols = append(n.Protocols, nameList{Number: *f.Number, Place: n.Raw.reserve()})
		}
	}
}
