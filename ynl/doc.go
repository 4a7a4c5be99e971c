// Package ynl has what the typed packages share: those for each netlink family that the
// kernel describes, such as ynl/rtlink, ynl/rtroute, ynl/ethtool and ynl/nftables. They
// are generated from the kernel's specifications (Documentation/netlink/specs in its
// tree) and use a [client.Conn]:
//
//	c, err := client.Dial(netlink.NETLINK_ROUTE)
//	...
//	links := rtlink.New(c)
//	for l, err := range links.DumpLink(ctx, nil) {
//		...
//		fmt.Println(l.Index, l.Ifname, l.MTU)
//	}
//	err = links.NewLink(ctx, &rtlink.Link{Ifname: ynl.Some("dummy0"), MTU: ynl.U32(1400),
//		Linkinfo: &rtlink.Linkinfo{Kind: ynl.Some("dummy")}}, netlink.NLM_F_CREATE|netlink.NLM_F_EXCL)
//
// # Presence
//
// What is set is sent, also if it is zero. What is absent is not sent: an [Opt] that is
// not set, a nil pointer, slice or interface, a [net/netip.Addr] that is not valid, and a
// flag that is false. An empty slice that is not nil is sent, empty.
//
// # Reading and writing
//
// Decoding is tolerant. Attributes that the type has no field for, that have another size
// than described, or that cannot be read are kept in the field Unknown, see [Attrs], and
// sent again. Only a message without its header, or one whose attributes cannot be cut
// apart, is an error. Encoding is strict: a number wider than its place, or an address
// of another length than its place has, fails the request before it is sent.
//
// Values share no memory with messages, and the package keeps none of them.
//
// # Selectors
//
// Some attributes have a type that another attribute names: the data of a link by its
// kind. Such a field has an interface type. If the selector is absent when the message is
// encoded, it is set from the type of the value. If several selectors have that type, or
// if the selector contradicts it, encoding fails.
//
// # Changes
//
// The methods that change something return an error only. [Echo] requests the same, and
// returns what the kernel made.
//
// # Errors
//
// An error of a call begins with the family and the operation. It is, or wraps,
//   - a [*wire.KernelError], the kernel's refusal, with the names of the attribute that it
//     is about in Path,
//   - an error of [client.Conn.Request] or [client.Conn.Dump],
//   - an error about the arguments: a value that cannot be encoded, a nil ctx, a Conn that
//     is nil or speaks another protocol,
//   - [ErrNoReply],
//   - an error that wraps [wire.ErrMalformed]: the reply cannot be decoded,
//   - for generic netlink, an error of package genl: errors.Is(err, fs.ErrNotExist) holds
//     for a family that the kernel does not have.
//
// [client.NotSent] works on all of them.
//
// # Generic netlink
//
// A family of generic netlink is resolved by the first call, on that call's ctx;
// concurrent first calls share the look-up. If the family's module was loaded again, the
// next call looks the family up again.
//
// # Concurrency
//
// Clients, families and operations may be used by any number of goroutines at once. A
// message must not be changed while a call uses it.
package ynl
