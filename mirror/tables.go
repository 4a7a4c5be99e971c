package mirror

import "strings"

// Tables is a set of the kernel's tables.
type Tables uint16

// The tables. They can be or-ed.
const (
	Links Tables = 1 << iota
	Addrs4
	Addrs6
	Nexthops
	Neighs4
	Neighs6
	Rules4
	Rules6
	Routes4
	Routes6

	Addrs  = Addrs4 | Addrs6   // addresses
	Neighs = Neighs4 | Neighs6 // neighbours of IPv4 and IPv6
	Rules  = Rules4 | Rules6   // policy routing rules
	Routes = Routes4 | Routes6 // routes in all routing tables

	All = Links | Addrs | Nexthops | Neighs | Rules | Routes
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
	return t | Links
}
