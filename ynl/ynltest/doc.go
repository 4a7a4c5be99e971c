// Package ynltest answers the requests of package ynl's generated clients in tests, with
// typed functions in place of a kernel.
//
// [On] makes a [Handler] from a function on a family's own types. [Handle] and
// [HandleGeneric] make the handler of package nltest from them, and [Push] sends an
// event:
//
//	c := nltest.Dial(netlink.NETLINK_ROUTE, ynltest.Handle(
//		ynltest.On(rtlink.OpGetLink, func(req *rtlink.Link, _ netlink.Flags) ([]*rtlink.Link, error) {
//			return []*rtlink.Link{{Ifname: ynl.Some("eth0")}}, nil
//		}),
//	))
//	links, err := rtlink.New(c).DumpLink(ctx, nil).List()
//
// A function runs in the goroutine of the request, and concurrent requests call it
// concurrently. The rules of package nltest for handlers apply.
package ynltest
