// Package names has the kernel's names of requests and of their attributes, for the texts
// of errors.
//
// The names are in tables.go, which ynl/gen writes from the specifications of the
// families. Each set of attributes is a line of text, and so is the list of the requests of
// a protocol or a family. A text is parsed when an error needs it. It names the types in
// their order, and refers to other texts by their places:
//
//	IFLA_ ADDRESS BROADCAST IFNAME @18 LINKINFO>129
//
// says that the type of IFLA_IFNAME is 3 and that of IFLA_LINKINFO 18, which contains the
// attributes of text 129. After > there may be
//
//	129      the attributes of text 129
//	129+16   the same after a struct of 16 bytes
//	#129     attributes with numbers as types, each of which contains those of text 129;
//	         ## is two levels of numbers
//	*129+8   records: structs of 8 bytes that begin with their length, each with attributes
//	?4       what the choice in text 4 says
//
// A choice says what an attribute contains that depends on a value in the same set:
//
//	text 1 vlan:141 veth:164
//
// refers to text 141 where the attribute of type 1 is the string "vlan". The value is a
// string (text), an integer in the order of the machine (native) or of the network
// (network), or the byte at an offset of the struct before the attributes (header).
package names
