package genl

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// alarm is an event that tests push.
func alarm() wire.Message { return message(acme().ID, 9, 3, raw([]byte("fire")...)) }

func TestJoinAndLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(acme())
		c := k.dial(t)
		for range 2 { // again does nothing
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

// TestGroupOfAReloadedFamily has another id now, which may once have been
// another family's.
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

// TestJoinDropsAFamilyThatIsGone from what is kept.
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
		for name, f := range map[string]func(context.Context, *client.Conn, string, string) error{"Join": Join, "Leave": Leave} {
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

// closingCtx closes the Conn once it has been asked whether the call may wait.
type closingCtx struct {
	context.Context
	c *client.Conn
}

func (c closingCtx) Done() <-chan struct{} {
	synctest.Wait() // the answer has come
	c.c.Close()
	return nil
}

// TestConnClosedBehindTheLookUp: the id is known, and then there is no Conn to
// join the group on.
func TestConnClosedBehindTheLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, f := range map[string]func(context.Context, *client.Conn, string, string) error{"Join": Join, "Leave": Leave} {
			c := newKernel(acme()).dial(t)
			err := f(closingCtx{bg, c}, c, "acme", "alarms")
			if !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), `group "alarms"`) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
