package genl

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

// say answers each request with one message of the family for each text.
func say(f Family, texts ...string) func(Message) []wire.Message {
	return func(Message) (answer []wire.Message) {
		for i, text := range texts {
			answer = append(answer, message(f.ID, uint8(i+1), uint8(f.Version), raw([]byte(text)...)))
		}
		return answer
	}
}

func text(m Message) string { return strings.TrimRight(string(m.Payload), "\x00") }

func TestRequest(t *testing.T) {
	k := newKernel()
	var seen []Message
	k.load(acme(), func(m Message) []wire.Message {
		seen = append(seen, m)
		return say(acme(), "one", "two")(m)
	})
	c := k.dial(t)
	attrs := []byte{1, 2, 3, 4, 5}
	msgs, err := mustResolve(t, c, "acme").Request(bg, c, 7, attrs, 0)
	if err != nil || len(msgs) != 2 || msgs[0].Command != 1 || msgs[1].Command != 2 || msgs[0].Version != 3 ||
		text(msgs[0]) != "one" || text(msgs[1]) != "two" {
		t.Errorf("replies %+v, %v", msgs, err)
	}
	if len(seen) != 1 || seen[0].Command != 7 || seen[0].Version != 3 || !bytes.Equal(seen[0].Payload, attrs) {
		t.Errorf("the kernel saw %+v", seen)
	}
	if !bytes.Equal(attrs, []byte{1, 2, 3, 4, 5}) {
		t.Errorf("the attributes were changed: %v", attrs)
	}
}

// TestAcknowledgementIsNoReply: only data is.
func TestAcknowledgementIsNoReply(t *testing.T) {
	c := newKernel(acme()).dial(t)
	if msgs, err := acme().Request(bg, c, 1, nil, 0); msgs != nil || err != nil {
		t.Errorf("%+v, %v", msgs, err)
	}
}

// TestRefusalIsTheKernelsOwn: it is returned unwrapped, with its explanation.
func TestRefusalIsTheKernelsOwn(t *testing.T) {
	k := newKernel()
	k.load(acme(), func(Message) []wire.Message {
		return []wire.Message{nltest.Error(syscall.EPERM, wire.ExtAck{Message: "no"})}
	})
	c := k.dial(t)
	_, err := acme().Request(bg, c, 1, nil, 0)
	if refusal, ok := err.(*wire.KernelError); !ok || refusal.Errno != syscall.EPERM || refusal.Ext.Message != "no" {
		t.Errorf("%#v", err)
	}
	if n := k.lookups(); n != 0 {
		t.Errorf("%d look-ups, want none", n)
	}
}

func TestShortReply(t *testing.T) {
	k := newKernel()
	short := wire.Message{Header: wire.Header{Type: acme().ID}, Payload: []byte{1, 3, 0}}
	k.load(acme(), func(m Message) []wire.Message { return append(say(acme(), "one")(m), short) })
	c := k.dial(t)
	if msgs, err := acme().Request(bg, c, 1, nil, 0); !errors.Is(err, wire.ErrMalformed) || msgs != nil {
		t.Errorf("%+v, %v", msgs, err)
	}
	got, err := dump(acme(), c)
	if !errors.Is(err, wire.ErrMalformed) || fmt.Sprint(got) != "[one]" {
		t.Errorf("dump: %q, %v", got, err)
	}
}

// dump collects the texts of a dump and the error at its end.
func dump(f Family, c *client.Conn) (texts []string, err error) { return dumpOf(f, c, nil) }

// dumpOf is dump with attributes.
func dumpOf(f Family, c *client.Conn, attrs []byte) (texts []string, err error) {
	for m, err := range f.Dump(bg, c, 1, attrs) {
		if err != nil {
			return texts, err
		}
		texts = append(texts, text(m))
	}
	return texts, nil
}

// TestReplyOfAnotherVersion comes with an error, unless the Family has no version.
func TestReplyOfAnotherVersion(t *testing.T) {
	k := newKernel()
	k.load(acme(), func(m Message) []wire.Message {
		newer := acme()
		newer.Version = 4
		return append(say(acme(), "old")(m), say(newer, "new")(m)...)
	})
	c := k.dial(t)
	msgs, err := acme().Request(bg, c, 1, nil, 0)
	if !errors.Is(err, ErrVersion) || len(msgs) != 2 || msgs[1].Version != 4 || !strings.Contains(err.Error(), "acme") {
		t.Errorf("%+v, %v", msgs, err)
	}
	got, err := dump(acme(), c)
	if !errors.Is(err, ErrVersion) || fmt.Sprint(got) != "[old]" {
		t.Errorf("dump: %q, %v", got, err)
	}
	byHand := Family{ID: acme().ID}
	if msgs, err := byHand.Request(bg, c, 1, nil, 0); err != nil || len(msgs) != 2 {
		t.Errorf("made by hand: %+v, %v", msgs, err)
	}
	byHand.Version = 5
	if _, err := byHand.Request(bg, c, 1, nil, 0); !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "family 40") {
		t.Errorf("made by hand: %v", err)
	}
}
