package genl

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// alarm is an event that the tests push.
func alarm() wire.Message { return message(acme().ID, 9, 3, raw([]byte("fire")...)) }

func TestJoinAndLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(acme())
		c := k.dial(t)
		for range 2 { // the second call has no effect
			if err := Join(bg, c, "acme", "alarms"); err != nil {
				t.Fatal(err)
			}
		}
		k.Push(12, alarm())
		e := <-c.Receive()
		m, err := ParseMessage(e.Message)
		if err != nil || e.Group != 12 || m.Command != 9 || text(m) != "fire" {
			t.Errorf("%+v: %+v, %v", e, m, err)
		}
		for range 2 {
			if err := Leave(bg, c, "acme", "alarms"); err != nil {
				t.Fatal(err)
			}
		}
		k.Push(12, alarm())
		synctest.Wait()
		select {
		case e := <-c.Receive():
			t.Errorf("%+v after Leave", e)
		default:
		}
	})
}

// TestGroupOfAReloadedFamily: the group has a new id, which may have been another
// family's.
func TestGroupOfAReloadedFamily(t *testing.T) {
	k := newKernel(acme())
	c := k.dial(t)
	if err := Join(bg, c, "acme", "alarms"); err != nil {
		t.Fatal(err)
	}
	k.load(reloaded(), nil)
	if err := Join(bg, c, "acme", "alarms"); err != nil {
		t.Fatal(err)
	}
	k.Push(22, alarm())
	if e := <-c.Receive(); e.Group != 22 {
		t.Errorf("%+v", e)
	}
	if f := mustResolve(t, c, "acme"); f.ID != reloaded().ID {
		t.Errorf("%+v is still kept", f)
	}
}

// TestJoinDropsAFamilyThatIsGone from the cache.
func TestJoinDropsAFamilyThatIsGone(t *testing.T) {
	k := newKernel(acme())
	c := k.dial(t)
	mustResolve(t, c, "acme")
	k.unload("acme")
	if err := Join(bg, c, "acme", "alarms"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if f, ok := cached(t, c, "acme"); ok {
		t.Errorf("%+v is still kept", f)
	}
}

// groupCalls are the calls that name a group.
var groupCalls = map[string]func(ctx context.Context, c *client.Conn, family, group string) error{
	"Join":  Join,
	"Leave": Leave,
	"Subscribe": func(ctx context.Context, c *client.Conn, family, group string) error {
		_, err := Subscribe(ctx, c, family, group)
		return err
	},
}

// TestSubscribeByName: a Subscription has the groups that it names, whatever others join
// and leave.
func TestSubscribeByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(acme())
		c := k.dial(t)
		s, err := Subscribe(bg, c, "acme", "alarms", "events")
		if err != nil {
			t.Fatal(err)
		}
		if err := Join(bg, c, "acme", "alarms"); err != nil {
			t.Fatal(err)
		}
		if err := Leave(bg, c, "acme", "alarms"); err != nil {
			t.Fatal(err)
		}
		if _, err := Subscribe(bg, c, "acme", "alarms", "nosuch"); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		if _, err := Subscribe(bg, c, "acme"); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("no groups: %v", err)
		}
		for _, group := range []uint32{11, 12} {
			k.Push(group, alarm())
			if e := <-s.Events(); e.Group != group {
				t.Errorf("%+v, want group %d", e, group)
			}
		}
		if n := len(c.Receive()); n != 0 {
			t.Errorf("%d events at Receive", n)
		}
	})
}

func TestGroupErrors(t *testing.T) {
	c := newKernel(acme(), Family{ID: 39, Name: "other"}).dial(t)
	over, cancel := context.WithCancel(bg)
	cancel()
	closed := newKernel(acme()).dial(t)
	closed.Close()
	for _, test := range []struct {
		ctx           context.Context
		conn          *client.Conn
		family, group string
		cause         error
		names         []string
	}{
		{bg, c, "nosuch", "alarms", fs.ErrNotExist, []string{`"nosuch"`}},
		{bg, c, "acme", "nosuch", fs.ErrNotExist, []string{`"acme"`, `"nosuch"`}},
		{bg, c, "other", "alarms", fs.ErrNotExist, []string{`"other"`, `"alarms"`}},
		{over, c, "acme", "alarms", context.Canceled, []string{`"acme"`}},
		{bg, closed, "acme", "alarms", net.ErrClosed, []string{`"acme"`}},
	} {
		for name, f := range groupCalls {
			err := f(test.ctx, test.conn, test.family, test.group)
			if !errors.Is(err, test.cause) {
				t.Errorf("%s(%q, %q): %v, want %v", name, test.family, test.group, err, test.cause)
				continue
			}
			for _, want := range test.names {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s(%q, %q): %v does not name %s", name, test.family, test.group, err, want)
				}
			}
		}
	}
}

// closingCtx closes the Conn when Err is called.
type closingCtx struct {
	context.Context
	c *client.Conn
}

func (c closingCtx) Done() <-chan struct{} {
	synctest.Wait() // the answer has arrived
	c.c.Close()
	return nil
}

// TestConnClosedAfterTheLookUp: the id is known, and the Conn is closed before the
// join.
func TestConnClosedAfterTheLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, f := range groupCalls {
			c := newKernel(acme()).dial(t)
			err := f(closingCtx{bg, c}, c, "acme", "alarms")
			if !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), `"alarms"`) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
