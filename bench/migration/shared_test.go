package migration

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"reflect"
	"sync"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/genetlink"
	mdnetlink "github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/bench/migration/shared"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// dialFamily opens a connection of this module in a namespace.
func dialFamily(t *testing.T, ns *nstest.NS, family netlink.Family) *client.Conn {
	t.Helper()
	c, err := client.Dial(family, client.WithNetNS(ns.FD()), client.WithStrictChecking())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// payload returns the bytes that build encodes.
func payload(t *testing.T, build func(b *wire.Builder)) []byte {
	t.Helper()
	var b wire.Builder
	build(&b)
	p, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSharedConnAnswersLikeASocket: Execute returns what it returns on a socket of
// mdlayher's own.
func TestSharedConnAnswersLikeASocket(t *testing.T) {
	ns := nstest.New(t)
	own, err := mdnetlink.Dial(unix.NETLINK_ROUTE, &mdnetlink.Config{NetNS: ns.FD(), Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	onShared := shared.NewConn(t.Context(), dialFamily(t, ns, netlink.NETLINK_ROUTE))
	defer onShared.Close()

	link := payload(t, func(b *wire.Builder) { b.Struct(&unix.IfInfomsg{Index: loIndex}) })
	for name, req := range map[string]mdnetlink.Message{
		"a reply":                 {Header: mdnetlink.Header{Type: unix.RTM_GETLINK, Flags: mdnetlink.Request}, Data: link},
		"only an acknowledgement": touchLo(t, mdnetlink.Request|mdnetlink.Acknowledge),
		"a dump": {
			Header: mdnetlink.Header{Type: unix.RTM_GETADDR, Flags: mdnetlink.Request | mdnetlink.Dump},
			Data:   payload(t, func(b *wire.Builder) { b.Struct(&unix.IfAddrmsg{}) }),
		},
		"an empty dump": {
			Header: mdnetlink.Header{Type: unix.RTM_GETNEIGH, Flags: mdnetlink.Request | mdnetlink.Dump},
			Data:   payload(t, func(b *wire.Builder) { b.Struct(&unix.NdMsg{Family: unix.AF_INET}) }),
		},
		"a refusal": {
			Header: mdnetlink.Header{Type: unix.RTM_GETLINK, Flags: mdnetlink.Request},
			Data:   payload(t, func(b *wire.Builder) { b.Struct(&unix.IfInfomsg{Index: 4711}) }),
		},
		"a refusal in words": {
			Header: mdnetlink.Header{Type: unix.RTM_DELROUTE, Flags: mdnetlink.Request | mdnetlink.Acknowledge},
			Data: payload(t, func(b *wire.Builder) {
				b.Struct(&unix.RtMsg{Family: unix.AF_INET, Dst_len: 24, Table: unix.RT_TABLE_MAIN})
				b.Bytes(unix.RTA_DST, []byte{10, 1, 2, 3})
			}),
		},
		"a refusal of an attribute": {
			Header: mdnetlink.Header{Type: unix.RTM_NEWLINK, Flags: mdnetlink.Request | mdnetlink.Acknowledge},
			Data: payload(t, func(b *wire.Builder) {
				b.Struct(&unix.IfInfomsg{Index: loIndex})
				b.Uint8(unix.IFLA_MTU, 1)
			}),
		},
		"a refused dump": {
			Header: mdnetlink.Header{Type: unix.RTM_GETADDR, Flags: mdnetlink.Request | mdnetlink.Dump},
			Data:   payload(t, func(b *wire.Builder) { b.Struct(&unix.IfAddrmsg{Prefixlen: 24}) }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			want, wantErr := own.Execute(req)
			got, err := onShared.Execute(req)
			if g, w := normal(got), normal(want); !reflect.DeepEqual(g, w) {
				t.Errorf("%v\nwant %v", g, w)
			}
			if g, w := opError(t, err), opError(t, wantErr); !reflect.DeepEqual(g, w) {
				t.Errorf("%#v\nwant %#v", g, w)
			}
		})
	}
}

// normal returns messages without what differs between sockets: numbers and
// ports, and in an acknowledgement the header of the request.
func normal(msgs []mdnetlink.Message) (out []mdnetlink.Message) {
	for _, m := range msgs {
		m.Header.Sequence, m.Header.PID = 0, 0
		if m.Header.Type == mdnetlink.Error {
			m.Header.Flags, m.Header.Length, m.Data = 0, 0, m.Data[:4]
		}
		out = append(out, m)
	}
	return out
}

// opError returns the error of Execute without its number.
func opError(t *testing.T, err error) (e mdnetlink.OpError) {
	t.Helper()
	if err != nil {
		var p *mdnetlink.OpError
		if !errors.As(err, &p) {
			t.Fatalf("%v is no OpError", err)
		}
		e = *p
		e.Sequence = 0
	}
	return e
}

// TestSharedConnReceivesOneDatagramATime: the acknowledgement of a request with a reply
// comes after it, and answers come in the order of the requests.
func TestSharedConnReceivesOneDatagramATime(t *testing.T) {
	c := shared.NewConn(t.Context(), dialFamily(t, nstest.New(t), netlink.NETLINK_ROUTE))
	get := touchLo(t, mdnetlink.Request|mdnetlink.Acknowledge)
	get.Header.Type = unix.RTM_GETLINK
	sent, err := c.SendMessages([]mdnetlink.Message{get, touchLo(t, mdnetlink.Request|mdnetlink.Acknowledge)})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		request mdnetlink.Message
		typ     mdnetlink.HeaderType
	}{
		{sent[0], unix.RTM_NEWLINK},
		{sent[0], mdnetlink.Error},
		{sent[1], mdnetlink.Error},
	} {
		msgs, err := c.Receive()
		if err != nil || len(msgs) != 1 || msgs[0].Header.Type != want.typ {
			t.Fatalf("datagram %d: %v, %v; want one message of type %v", i, msgs, err, want.typ)
		}
		if err := mdnetlink.Validate(want.request, msgs); err != nil {
			t.Errorf("datagram %d: %v", i, err)
		}
	}
	if msgs, err := c.Receive(); err == nil {
		t.Errorf("%v; want an error", msgs)
	}
}

// TestGenetlinkOnASharedConn: any number of genetlink.Conns make requests on one Conn,
// and each is closed alone.
func TestGenetlinkOnASharedConn(t *testing.T) {
	ns := nstest.New(t)
	own, err := genetlink.Dial(&mdnetlink.Config{NetNS: ns.FD()})
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	want, err := own.ListFamilies()
	if err != nil {
		t.Fatal(err)
	}
	c := dialFamily(t, ns, netlink.NETLINK_GENERIC)
	var g sync.WaitGroup
	for range 8 {
		g.Go(func() {
			conn := genetlink.NewConn(shared.NewConn(t.Context(), c))
			if got, err := conn.ListFamilies(); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%v, %v; want %v", got, err, want)
			}
			for _, f := range want {
				if got, err := conn.GetFamily(f.Name); err != nil || got.ID != f.ID {
					t.Errorf("%v, %v; want %v", got, err, f)
				}
			}
			if _, err := conn.GetFamily("no-such-family"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a family that does not exist: %v", err)
			}
			if err := conn.JoinGroup(1); err == nil {
				t.Error("a group was joined")
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			if _, err := conn.GetFamily("nlctrl"); !errors.Is(err, context.Canceled) || !client.NotSent(err) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
	g.Wait()
	if _, err := genetlink.NewConn(shared.NewConn(t.Context(), c)).GetFamily("nlctrl"); err != nil {
		t.Errorf("after Close of the others: %v", err)
	}
}

// TestNFTablesOnASharedConn: what nftables.Conns make on one Conn is there for one with
// a socket of its own, and they list what that lists.
func TestNFTablesOnASharedConn(t *testing.T) {
	ns := nstest.New(t)
	c := dialFamily(t, ns, netlink.NETLINK_NETFILTER)
	if _, err := c.Request(t.Context(), unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETGEN, make([]byte, 4), 0); err != nil {
		nstest.Skip(t, "nf_tables", "%v", err)
	}
	own, err := nftables.New(nftables.WithNetNSFd(ns.FD()))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name       string
		goroutines int // a lasting nftables.Conn is not for several
		options    []nftables.ConnOption
	}{
		{"a socket for each operation", 4, nil},
		{"a lasting socket", 1, []nftables.ConnOption{nftables.AsLasting()}},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn, err := nftables.New(append(test.options, nftables.WithTestDial(shared.NFTables(t.Context(), c)))...)
			if err != nil {
				t.Fatal(err)
			}
			testNFTables(t, conn, own, test.goroutines)
		})
	}
}

func testNFTables(t *testing.T, conn, own *nftables.Conn, goroutines int) {
	const rules = 100
	table := conn.AddTable(&nftables.Table{Name: "shared", Family: nftables.TableFamilyINet})
	chain := conn.AddChain(&nftables.Chain{Name: "numbers", Table: table})
	for i := range rules {
		mark := binary.NativeEndian.AppendUint32(nil, uint32(i))
		conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
			&expr.Meta{Key: expr.MetaKeyMARK, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: mark},
			&expr.Counter{},
		}})
	}
	conn.AddObj(&nftables.NamedObj{Table: table, Name: "hits", Type: nftables.ObjTypeCounter, Obj: &expr.Counter{}})
	set := &nftables.Set{Table: table, Name: "hosts", KeyType: nftables.TypeIPAddr}
	host := netip.MustParseAddr("192.0.2.1")
	if err := conn.AddSet(set, []nftables.SetElement{{Key: host.AsSlice()}}); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		conn.DelTable(table)
		if err := conn.Flush(); err != nil {
			t.Error(err)
		}
		if tables, err := conn.ListTables(); err != nil || len(tables) != 0 {
			t.Errorf("after the last one was deleted: %v, %v", tables, err)
		}
	}()

	lists := func(c *nftables.Conn) (lists []any, err error) {
		for _, list := range []func() (any, error){
			func() (any, error) { return c.ListTables() },
			func() (any, error) { return c.ListTableOfFamily(table.Name, table.Family) },
			func() (any, error) { return c.ListChains() },
			func() (any, error) { return c.GetRules(table, chain) },
			func() (any, error) { return c.GetObjects(table) },
			func() (any, error) {
				return c.GetObject(&nftables.NamedObj{Table: table, Name: "hits", Type: nftables.ObjTypeCounter})
			},
			func() (any, error) { return c.GetSets(table) },
			func() (any, error) { return c.GetSetByName(table, set.Name) },
			func() (any, error) { return c.GetSetElements(set) },
		} {
			l, listErr := list()
			lists, err = append(lists, l), errors.Join(err, listErr)
		}
		return lists, err
	}
	want, err := lists(own)
	if err != nil {
		t.Fatal(err)
	}
	var g sync.WaitGroup
	for range goroutines {
		g.Go(func() {
			if got, err := lists(conn); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%v, %v; want %v", got, err, want)
			}
		})
	}
	g.Wait()
	if made := want[3].([]*nftables.Rule); len(made) != rules {
		t.Errorf("%d rules, want %d", len(made), rules)
	}

	// A refused batch is refused as a whole, and leaves nothing for the next one.
	conn.AddChain(&nftables.Chain{Name: "more", Table: table})
	conn.AddRule(&nftables.Rule{Table: table, Chain: &nftables.Chain{Name: "nosuchchain"}, Exprs: []expr.Any{&expr.Counter{}}})
	err = conn.Flush()
	var refused *client.BatchError
	if !errors.Is(err, unix.ENOENT) || !errors.As(err, &refused) || refused.Index != 1 {
		t.Errorf("a rule of a chain that does not exist: %v", err)
	}
	if chains, err := conn.ListChains(); err != nil || len(chains) != 1 {
		t.Errorf("%d chains, %v; want 1", len(chains), err)
	}
	if _, err := conn.AddMonitor(nftables.NewMonitor()); err == nil {
		t.Error("a group was joined")
	}
	if _, err := conn.ListTableOfFamily("nosuchtable", table.Family); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a table that does not exist: %v", err)
	}
}
