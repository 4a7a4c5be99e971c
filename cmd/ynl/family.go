package main

import (
	"slices"

	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/all"
)

// findFamily returns the family of a name.
func findFamily(name string) (*ynl.Family, error) {
	names := make([]string, len(all.Families))
	for i, f := range all.Families {
		if names[i] = f.Name(); names[i] == name {
			return f, nil
		}
	}
	return nil, usagef("no family %q%s (ynl list has all)", name, suggest(name, names))
}

// mode is how an operation is requested.
type mode struct {
	command string // the subcommand
	can     func(*ynl.Op) bool
}

var (
	doMode   = mode{"do", (*ynl.Op).CanDo}
	dumpMode = mode{"dump", (*ynl.Op).CanDump}
)

// findOp returns the operation of a name that can be requested in a mode. Some families
// have an operation of one name for each mode.
func findOp(family, name string, m mode) (*ynl.Family, *ynl.Op, error) {
	f, err := findFamily(family)
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for _, op := range f.Ops() {
		switch {
		case !m.can(op):
		case op.Name() == name:
			return f, op, nil
		default:
			names = append(names, op.Name())
		}
	}
	others := slices.DeleteFunc(f.Ops(), func(op *ynl.Op) bool { return op.Name() != name })
	switch {
	case len(others) == 0:
		return nil, nil, noOperation(family, name, names)
	case others[0].Request() == 0:
		return nil, nil, usagef("%s: %s is a notification (ynl watch %s prints it)", family, name, family)
	}
	other := doMode
	if m.command == other.command {
		other = dumpMode
	}
	return nil, nil, usagef("%s: %s is not for ynl %s (ynl %s %s %s requests it)", family, name, m.command, other.command, family, name)
}

// noOperation returns the error for an operation that a family lacks. names are those that
// may have been meant.
func noOperation(family, name string, names []string) error {
	return usagef("%s: no operation %q%s (ynl ops %s has all)", family, name, suggest(name, names), family)
}
