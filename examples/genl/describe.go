//go:build linux

package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/nlmux/netlink/genl"
)

func describeGroups(w io.Writer, f genl.Family) {
	if len(f.Groups) == 0 {
		return
	}
	fmt.Fprintln(w, "\nGROUP\tNAME")
	for _, name := range slices.SortedFunc(maps.Keys(f.Groups), func(a, b string) int {
		return cmp.Compare(f.Groups[a], f.Groups[b])
	}) {
		fmt.Fprintf(w, "%d\t%s\n", f.Groups[name], name)
	}
}

// describeCommands prints the commands with their sets of attributes.
func describeCommands(w io.Writer, f genl.Family, p genl.Policy) {
	if len(f.Ops) == 0 {
		return
	}
	fmt.Fprintln(w, "\nCOMMAND\tREQUEST\tDUMP\tPRIVILEGE")
	for _, op := range f.Ops {
		sets, _ := p.Op(op.Command)
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", op.Command,
			able(op, genl.GENL_CMD_CAP_DO, sets.Do), able(op, genl.GENL_CMD_CAP_DUMP, sets.Dump), privilege(op.Flags))
	}
}

// able returns whether a command has a capability, and its set.
func able(op genl.Op, capability genl.OpFlags, set int) string {
	switch {
	case op.Flags&capability == 0:
		return "-"
	case set < 0:
		return "yes"
	}
	return fmt.Sprintf("set %d", set)
}

// privilege returns the privilege that a command needs.
func privilege(f genl.OpFlags) string {
	switch {
	case f&genl.GENL_ADMIN_PERM != 0:
		return "CAP_NET_ADMIN"
	case f&genl.GENL_UNS_ADMIN_PERM != 0:
		return "CAP_NET_ADMIN in the namespace"
	}
	return "-"
}

// describeAttributes prints the sets of attributes, one attribute a line.
func describeAttributes(w io.Writer, p genl.Policy) {
	if len(p.Sets) == 0 {
		return
	}
	fmt.Fprintln(w, "\nSET\tATTRIBUTE\tTYPE\tLIMITS")
	for _, set := range slices.Sorted(maps.Keys(p.Sets)) {
		for _, typ := range slices.Sorted(maps.Keys(p.Sets[set])) {
			a := p.Sets[set][typ]
			fmt.Fprintf(w, "%d\t%d\t%v\t%s\n", set, typ, a.Type, limits(a))
		}
	}
}

// limits returns the limits of an attribute's value.
func limits(a genl.AttrPolicy) string {
	var s []string
	signed := a.Type >= genl.NL_ATTR_TYPE_S8 && a.Type <= genl.NL_ATTR_TYPE_S64 || a.Type == genl.NL_ATTR_TYPE_SINT
	switch {
	case a.HasRange && signed:
		s = append(s, fmt.Sprintf("%d to %d", a.MinInt, a.MaxInt))
	case a.HasRange:
		s = append(s, fmt.Sprintf("%d to %d", a.Min, a.Max))
	}
	if a.Mask != 0 {
		s = append(s, fmt.Sprintf("bits %#x", a.Mask))
	}
	if a.MinLen != 0 || a.MaxLen != 0 {
		s = append(s, size(a))
	}
	if a.Set >= 0 {
		s = append(s, fmt.Sprintf("set %d", a.Set))
	}
	return cmp.Or(strings.Join(s, ", "), "-")
}

// size returns the permitted sizes of a value.
func size(a genl.AttrPolicy) string {
	least, most := strconv.Itoa(int(a.MinLen)), strconv.Itoa(int(a.MaxLen))
	switch {
	case a.MaxLen == 0:
		return least + " bytes or more"
	case a.MinLen == a.MaxLen:
		return most + " bytes"
	}
	return least + " to " + most + " bytes"
}
