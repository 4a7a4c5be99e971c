package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// A send that fails leaves nothing: with a window of one request, a leaked call or
// leaked room would block the next request for ever.
func TestFailedSendFreesEverything(t *testing.T) {
	for _, kind := range []struct {
		name  string
		typ   netlink.MessageType
		flags netlink.Flags
	}{{"request", getLink, 0}, {"dump", getAddr, netlink.NLM_F_DUMP}} {
		t.Run(kind.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dial(client.WithInFlight(1))
				k.during(func(request) error { return syscall.EMSGSIZE })
				for range 3 {
					_, err := c.Request(bg, kind.typ, nil, kind.flags)
					var op *client.OpError
					if !errors.As(err, &op) || op.Op != "request" || !errors.Is(err, syscall.EMSGSIZE) || !client.NotSent(err) {
						t.Fatalf("%v (not sent: %v)", err, client.NotSent(err))
					}
					wantStats(t, c, client.Stats{})
				}
				k.during(nil)
				call := k.request(bg, c, kind.typ, "", kind.flags)
				k.want(kind.typ).finish()
				wantTexts(t, call)
			})
		})
	}
}

// The kernel acknowledges a type below NLMSG_MIN_TYPE and ignores it, so a mistake
// would look like success. Invalid requests are refused at once.
func TestInvalidRequestsAreNotSent(t *testing.T) {
	var nilContext context.Context
	ended, cancel := context.WithCancel(bg)
	cancel()
	for _, tt := range []struct {
		name    string
		ctx     context.Context
		typ     netlink.MessageType
		payload []byte
		is      error // nil: any
		text    string
	}{
		{"no ctx", nilContext, getLink, nil, nil, "netlink: request: nil context"},
		{"ended ctx", ended, getLink, nil, context.Canceled, "netlink: request: context canceled"},
		{"control type", bg, netlink.NLMSG_MIN_TYPE - 1, nil, syscall.EINVAL, "netlink: request: type "},
		{"done", bg, netlink.NLMSG_DONE, nil, syscall.EINVAL, "netlink: request: type "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dial()
				call := runAsync(t, func() ([]wire.Message, error) { return c.Request(tt.ctx, tt.typ, tt.payload, 0) })
				msgs, err := call.result()
				if msgs != nil || err == nil || !strings.HasPrefix(err.Error(), tt.text) || !client.NotSent(err) {
					t.Fatalf("%v, %v (not sent: %v)", msgs, err, client.NotSent(err))
				}
				if tt.is != nil && !errors.Is(err, tt.is) {
					t.Fatalf("%v is not %v", err, tt.is)
				}
				k.wantIdle("the request is invalid")
				wantStats(t, c, client.Stats{})
			})
		})
	}
}

// NotSent is false wherever the kernel may have acted, or a caller that repeats the
// request would apply it twice.
func TestNotSentIsTrueOnlyIfTheKernelNeverSawTheRequest(t *testing.T) {
	ended, cancel := context.WithCancel(bg)
	cancel()
	for _, tt := range []struct {
		name string
		err  func(t *testing.T, k *kernel, c *client.Conn) error
		want bool
	}{
		{"success", func(t *testing.T, k *kernel, c *client.Conn) error {
			call := k.get(bg, c)
			k.want(getLink).ack()
			_, err := call.result()
			return err
		}, false},
		{"refusal", func(t *testing.T, k *kernel, c *client.Conn) error {
			call := k.get(bg, c)
			k.want(getLink).fail(syscall.EPERM)
			_, err := call.result()
			return err
		}, false},
		{"ctx ended before", func(t *testing.T, k *kernel, c *client.Conn) error {
			_, err := c.Request(ended, getLink, nil, 0)
			return err
		}, true},
		{"ctx ended before a noop", func(t *testing.T, k *kernel, c *client.Conn) error {
			return c.Noop(ended)
		}, true},
		{"ctx ended in the window", func(t *testing.T, k *kernel, c *client.Conn) error {
			first := k.get(bg, c)
			req := k.want(getLink)
			ctx, cancel := context.WithCancel(bg)
			second := k.get(ctx, c)
			second.wantWaiting("one request at a time")
			cancel()
			_, err := second.result()
			req.ack()
			wantTexts(t, first)
			return err
		}, true},
		{"ctx ended after the send", func(t *testing.T, k *kernel, c *client.Conn) error {
			ctx, cancel := context.WithCancel(bg)
			defer cancel()
			k.answersDumps(table("a"))
			for _, err := range c.Dump(ctx, getAddr, nil) {
				if err != nil {
					return err
				}
				cancel()
			}
			return nil
		}, false},
		{"send failed", func(t *testing.T, k *kernel, c *client.Conn) error {
			k.during(func(request) error { return syscall.ENOMEM })
			return c.Noop(bg)
		}, true},
		{"reply lost", func(t *testing.T, k *kernel, c *client.Conn) error {
			call := k.change(bg, c)
			req := k.want(newAddr)
			req.from.Overrun(syscall.ENOBUFS)
			req.drop()
			_, err := call.result()
			return err
		}, false},
		{"not answered", func(t *testing.T, k *kernel, c *client.Conn) error {
			call := k.get(bg, c)
			k.want(getLink).drop()
			_, err := call.result()
			return err
		}, false},
		{"closed before", func(t *testing.T, k *kernel, c *client.Conn) error {
			c.Close()
			return c.Noop(bg)
		}, true},
		{"closed after the send", func(t *testing.T, k *kernel, c *client.Conn) error {
			call := k.get(bg, c)
			req := k.want(getLink)
			c.Close()
			req.ack()
			_, err := call.result()
			return err
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dial(client.WithInFlight(1))
				err := tt.err(t, k, c)
				if (err == nil) != (tt.name == "success") || client.NotSent(err) != tt.want {
					t.Fatalf("%v: not sent %v, want %v", err, client.NotSent(err), tt.want)
				}
				if wrapped := fmt.Errorf("doing this and that: %w", err); client.NotSent(wrapped) != tt.want {
					t.Fatalf("%v: not sent is not %v", wrapped, tt.want)
				}
			})
		})
	}
}

// The kernel drops a message that opens a batch, without an answer, if no batch
// follows.
func TestRequestOpensNoBatch(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		wantError(t, k.request(bg, c, batchBegin, "", 0), syscall.EINVAL, true)
	})
}

// It does not answer a payload too short for the family, or a type below its first.
func TestRequestsThatAFamilyIgnoresAreNotSent(t *testing.T) {
	for _, tt := range []struct {
		family  netlink.Family
		typ     netlink.MessageType
		payload string
		sent    bool
	}{
		{netlink.NETLINK_SCSITRANSPORT, 17, "1234567", false},
		{netlink.NETLINK_SCSITRANSPORT, 17, "12345678", true},
		{netlink.NETLINK_ISCSI, 9, "", false},
		{netlink.NETLINK_ISCSI, 10, "", true},
		{netlink.NETLINK_CONNECTOR, netlink.NLMSG_DONE, "", true},
		{netlink.NETLINK_CONNECTOR, netlink.NLMSG_ERROR, "", false},
	} {
		t.Run(fmt.Sprint(tt.family, tt.typ, len(tt.payload)), func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dialFamily(tt.family)
				k.during(func(req request) error { req.ack(); return nil })
				call := k.request(bg, c, tt.typ, tt.payload, 0)
				if tt.sent {
					wantTexts(t, call)
				} else {
					wantError(t, call, syscall.EINVAL, true)
				}
			})
		})
	}
}

// notSent is an error of another package.
type notSent bool

func (notSent) Error() string   { return "not an OpError" }
func (n notSent) NotSent() bool { return bool(n) }

// Other packages report by a method that nothing was sent. The outermost error with the
// method decides.
func TestNotSentAsksOtherErrors(t *testing.T) {
	wrapped := func(err error) error { return fmt.Errorf("outside: %w", err) }
	sent := &client.OpError{Op: "request", Err: notSent(true)}
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("unknown"), false},
		{notSent(true), true},
		{notSent(false), false},
		{wrapped(notSent(true)), true},
		{errors.Join(errors.New("unknown"), notSent(true)), true},
		{wrapped(sent), false},
	} {
		if client.NotSent(tt.err) != tt.want {
			t.Errorf("%v: not sent is not %v", tt.err, tt.want)
		}
	}
}
