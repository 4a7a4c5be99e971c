// Package genl speaks generic netlink: kernel families that have a name instead
// of a fixed number, such as ethtool, nl80211 and netdev.
//
// [Resolve] asks the kernel for a family by name. [Family.Request] sends one of
// its commands over a Conn to NETLINK_GENERIC, and [Family.Dump] walks through a
// table. [Join] and [Subscribe] join multicast groups by name and [ParseMessage] reads their
// events. [Families] lists what the kernel has, and [Family.Policy] tells what a
// family's commands accept.
//
//	c, err := client.Dial(netlink.NETLINK_GENERIC)
//	...
//	ethtool, err := genl.Resolve(ctx, c, "ethtool")
//	...
//	replies, err := ethtool.Request(ctx, c, unix.ETHTOOL_MSG_FEATURES_GET, attrs, 0)
//
// # Families that come and go
//
// A family in a module gets another id each time that the module is loaded, and
// so do its groups. What was resolved before goes on working: the kernel
// refuses a request to an id that nobody has, and then the name is looked up
// again and the request sent to the id that it has now. Memberships end when
// the module is unloaded: [Join] or [Subscribe] again.
//
// # Concurrency
//
// What the package promises:
//
//  1. Every function and method may be called by any number of goroutines at
//     once, on the same Conn and the same Family.
//  2. Callers that resolve a name at the same time share one look-up, and each
//     waits only as long as its own ctx allows. The end of one caller's ctx
//     does not fail another.
//  3. What is returned is the caller's own. Nothing that is done to a Family
//     reaches another caller.
//  4. No goroutine is left behind when the calls have returned, but for that of
//     a look-up which nobody waits for any more and the kernel has not come
//     back from.
//  5. What is kept for a Conn does not keep the Conn in memory.
//
// What it does not promise:
//
//  1. A look-up may have been under way when a caller comes to share it, so a
//     change of a family at that very moment can be missed.
//  2. The id of a group is looked up and then joined. A family that is unloaded
//     in between leaves a membership of a group that nobody sends to, or that
//     another family gets.
//
// # Errors
//
// What the kernel says is a [*wire.KernelError] or wraps one; the attributes in
// its Path are numbers, but for those of the controller. The failures of a Conn
// are those of package client, so [client.NotSent] works on both; it is false for
// what this package itself refuses, such as a nil Conn, although nothing is sent. A
// name that does not exist, be it of a family or of a group, gives an error for
// which errors.Is(err, fs.ErrNotExist) holds and that names it. What cannot be read
// gives one that wraps [wire.ErrMalformed].
package genl
