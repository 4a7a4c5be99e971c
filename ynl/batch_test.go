package ynl_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl"
)

func TestBatchMessage(t *testing.T) {
	g := named("a")[0]
	m, err := ynl.BatchMessage(opNew, g, netlink.NLM_F_CREATE, netlink.NLM_F_EXCL)
	want := client.BatchMessage{Type: newGadget, Flags: netlink.NLM_F_CREATE | netlink.NLM_F_EXCL, Payload: encoded(g)}
	if err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("%+v, %v, want %+v", m, err, want)
	}
	// Each message has bytes of its own.
	other, err := ynl.BatchMessage(opNew, named("b")[0])
	if err != nil || !bytes.Equal(m.Payload, want.Payload) || bytes.Equal(other.Payload, m.Payload) {
		t.Errorf("%x, then %x, %v", m.Payload, other.Payload, err)
	}
}

// A nil request is an empty one.
func TestBatchMessageOfNil(t *testing.T) {
	for _, req := range []ynl.Message{nil, (*gadget)(nil)} {
		if m, err := ynl.BatchMessage(opDel, req); err != nil || m.Type != delGadget || !bytes.Equal(m.Payload, make([]byte, 4)) {
			t.Errorf("%T: %+v, %v", req, m, err)
		}
	}
}

func TestBatchMessageThatCannotBeEncoded(t *testing.T) {
	m, err := ynl.BatchMessage(opNew, &gadget{Size: ynl.U32(70000)})
	if err == nil || err.Error() != "acme newgadget: "+tooLarge || !client.NotSent(err) || m.Payload != nil {
		t.Errorf("%+v, %v", m, err)
	}
}
