package mirror

import "strings"

// Tables is a set of the kernel's tables.
type Tables uint16

// The tables. They can be or-ed.
const (
	TableLinks Tables = 1 << iota
	TableAddrs4
	TableAddrs6
	TableNexthops
	TableNeighs4
	TableNeighs6
	TableRules4
	TableRules6
	TableRoutes4
	TableRoutes6

	TableAddrs  = TableAddrs4 | TableAddrs6   // addresses
	TableNeighs = TableNeighs4 | TableNeighs6 // neighbours of IPv4 and IPv6
	TableRules  = TableRules4 | TableRules6   // policy routing rules
	TableRoutes = TableRoutes4 | TableRoutes6 // routes in all routing tables

	All = TableLinks | TableAddrs | TableNexthops | TableNeighs | TableRules | TableRoutes
)

// String returns the names of the tables, separated by "|".
func (t Tables) String() string {
	var names []string
	for _, k := range kinds {
		if t&k.bit != 0 {
			names = append(names, k.name)
		}
	}
	return strings.Join(names, "|")
}

// withNeeded adds the tables whose messages say what changes in those of t without a
// message of its own.
func (t Tables) withNeeded() Tables {
	for _, k := range kinds {
		if t&k.bit != 0 {
			t |= k.needs
		}
	}
	return t | TableLinks
}
