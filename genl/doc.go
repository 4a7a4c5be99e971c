// Package genl speaks generic netlink: kernel families that have a name instead
// of a fixed number, such as ethtool, nl80211 and netdev.
//
// [Resolve] asks the kernel for a family by name. [Family.Request] sends one of its
// commands over a Conn to NETLINK_GENERIC, and [Family.Dump] iterates over a table.
// [Join] and [Subscribe] join multicast groups by name and [ParseMessage] reads their
// events.
// [Families] lists the kernel's families, and [Family.Policy] returns what a family's
// commands accept.
//
//	c, err := client.Dial(netlink.NETLINK_GENERIC)
//	...
//	ethtool, err := genl.Resolve(ctx, c, "ethtool")
//	...
//	replies, err := ethtool.Request(ctx, c, unix.ETHTOOL_MSG_FEATURES_GET, attrs, 0)
//
// # Families that come and go
//
// A family in a module gets another id each time that the module is loaded, and so do
// its groups. A Family that was resolved before keeps working: the kernel refuses a
// request to an unknown id, then the name is looked up again and the request is sent to
// the current id. Memberships end when the module is unloaded: [Join] or
// [Subscribe] again.
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
//  3. What is returned is the caller's own. No change to a Family reaches another
//     caller.
//  4. No goroutine is left when the calls have returned, except that of an abandoned
//     look-up until the kernel returns from it.
//  5. The cache of a Conn does not keep the Conn in memory.
//
// What it does not promise:
//
//  1. A caller may share a look-up that is already running, so it can miss a change of
//     the family at that moment.
//  2. Join looks up the id of a group and then joins it. If the family is unloaded in
//     between, the membership is of an unused group, or of one of another family.
//
// # Errors
//
// Errors from the kernel are, or wrap, a [*wire.KernelError]; the attributes in its
// Path are numbers, except those of the controller. Errors of a Conn are those of
// package client, and [client.NotSent] works on both. It is false for errors of this
// package itself, such as a nil Conn, although nothing is sent. An unknown family or
// group yields an error that names it and for which errors.Is(err, fs.ErrNotExist)
// holds. A message that cannot be read yields an error that wraps [wire.ErrMalformed].
package genl
