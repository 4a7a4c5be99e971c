package genl_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/genl"
	"github.com/nlmux/netlink/wire"
)

func ExampleResolve() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_GENERIC)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	f, err := genl.Resolve(ctx, c, "nlctrl")
	if err != nil {
		log.Fatal(err)
	}
	_, hasNotify := f.Groups["notify"]
	fmt.Println(uint16(f.ID), f.Name, hasNotify)

	_, err = genl.Resolve(ctx, c, "nosuchfamily")
	fmt.Println("unknown:", errors.Is(err, fs.ErrNotExist))
	// Output:
	// 16 nlctrl true
	// unknown: true
}

func ExampleFamilies() {
	c, err := client.Dial(netlink.NETLINK_GENERIC)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	families, err := genl.Families(context.Background(), c)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range families {
		if f.Name == "nlctrl" {
			fmt.Printf("%s has id %d\n", f.Name, uint16(f.ID))
		}
	}
	// Output: nlctrl has id 16
}

// The controller describes the family with a given id.
func ExampleFamily_Request() {
	const (
		ctrlCmdGetFamily   = 3 // CTRL_CMD_GETFAMILY
		ctrlAttrFamilyID   = 1 // CTRL_ATTR_FAMILY_ID
		ctrlAttrFamilyName = 2 // CTRL_ATTR_FAMILY_NAME
	)
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_GENERIC)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	f, err := genl.Resolve(ctx, c, "nlctrl")
	if err != nil {
		log.Fatal(err)
	}
	var b wire.Builder
	b.Uint16(ctrlAttrFamilyID, 16)
	attrs, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}
	replies, err := f.Request(ctx, c, ctrlCmdGetFamily, attrs, 0)
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range replies {
		for a, err := range wire.Attrs(m.Payload) {
			if err != nil {
				log.Fatal(err)
			}
			if a.Type == ctrlAttrFamilyName {
				fmt.Println(a.String())
			}
		}
	}
	// Output: nlctrl
}

func ExampleFamily_Dump() {
	const ctrlCmdGetFamily = 3 // CTRL_CMD_GETFAMILY
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_GENERIC)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	ctrl, err := genl.Resolve(ctx, c, "nlctrl")
	if err != nil {
		log.Fatal(err)
	}
	for m, err := range ctrl.Dump(ctx, c, ctrlCmdGetFamily, nil) {
		if err != nil {
			log.Fatal(err)
		}
		f, err := genl.ParseFamily(m)
		if err != nil {
			log.Fatal(err)
		}
		if f.ID == ctrl.ID {
			fmt.Println("found", f.Name)
			break
		}
	}
	// Output: found nlctrl
}

func ExampleFamily_Policy() {
	const (
		ctrlCmdGetFamily   = 3 // CTRL_CMD_GETFAMILY
		ctrlAttrFamilyName = 2 // CTRL_ATTR_FAMILY_NAME
	)
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_GENERIC)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	f, err := genl.Resolve(ctx, c, "nlctrl")
	if err != nil {
		log.Fatal(err)
	}
	p, err := f.Policy(ctx, c)
	if err != nil {
		log.Fatal(err)
	}
	if op, ok := p.Op(ctrlCmdGetFamily); ok {
		name := p.Sets[op.Do][ctrlAttrFamilyName]
		fmt.Printf("the name is a %v of %d bytes at most\n", name.Type, name.MaxLen)
	}
	// Output: the name is a NUL_STRING of 15 bytes at most
}

func ExampleJoin() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_GENERIC)
	if err != nil {
		log.Fatal(err)
	}

	err = genl.Join(ctx, c, "nlctrl", "nosuchgroup")
	fmt.Println(errors.Is(err, fs.ErrNotExist), err)

	// Events about families that are loaded and unloaded.
	if err := genl.Join(ctx, c, "nlctrl", "notify"); err != nil {
		log.Fatal(err)
	}
	fmt.Println("joined")

	// Close ends the loop; no event is expected here.
	c.Close()
	for e := range c.Receive() {
		if e.Header.Type == netlink.NLMSG_OVERRUN {
			continue // some events were lost: list the families again
		}
		m, err := genl.ParseMessage(e.Message)
		if err != nil {
			log.Fatal(err)
		}
		f, err := genl.ParseFamily(m)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(m.Command, f.Name)
	}
	// Output:
	// true genl: family "nlctrl" has no group "nosuchgroup": file does not exist
	// joined
}

// A group keeps its name. Its id changes when the family's module is loaded again.
func ExampleLeave() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_GENERIC)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	fmt.Println(genl.Join(ctx, c, "nlctrl", "notify"))
	fmt.Println(genl.Leave(ctx, c, "nlctrl", "notify"))
	// Output:
	// <nil>
	// <nil>
}

// A consumer of one family's events on a Conn that other packages use, too.
func ExampleSubscribe() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_GENERIC)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	// Families that come and go.
	s, err := genl.Subscribe(ctx, c, "nlctrl", "notify")
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	// In a program this loop runs until Close. Here it runs up to the
	// marker, before which nothing has come.
	if err := s.Sync(ctx); err != nil {
		log.Fatal(err)
	}
	for e := range s.Events() {
		switch e.Header.Type {
		case netlink.NLMSG_OVERRUN:
			fmt.Println("events are missing here")
		case netlink.NLMSG_NOOP:
			fmt.Println("up to here")
			return
		default:
			m, err := genl.ParseMessage(e.Message)
			fmt.Println(m.Command, err)
		}
	}
	// Output: up to here
}
