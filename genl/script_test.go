package genl

import (
	"context"
	"sync"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

var bg = context.Background()

// kernel is a scripted kernel with a controller and families that a test loads
// and unloads.
type kernel struct {
	*nltest.Kernel

	// controller, if it is not nil, answers in place of the controller, unless
	// it returns false. Set before the first request.
	controller func(m Message, flags netlink.Flags) ([]wire.Message, bool)

	// hold, if it is not nil, delays each answer of the controller: the handler makes
	// the answer, then takes a value from hold.
	hold chan struct{}

	mu sync.Mutex // guards following

	families []Family
	serve    map[netlink.MessageType]func(m Message) []wire.Message
	asked    []string // names that were looked up
	refused  int      // requests to an id without a family
}

func newKernel(families ...Family) *kernel {
	k := &kernel{serve: make(map[netlink.MessageType]func(m Message) []wire.Message)}
	k.Kernel = nltest.New(netlink.NETLINK_GENERIC, k.handle)
	for _, f := range families {
		k.load(f, nil)
	}
	return k
}

// dial opens a Conn that lives as long as the test.
func (k *kernel) dial(t testing.TB) *client.Conn {
	c := k.Dial()
	t.Cleanup(func() { c.Close() })
	return c
}

// load makes a family known, replacing one with the same name. Its requests are
// acknowledged, or answered by serve.
func (k *kernel) load(f Family, serve func(m Message) []wire.Message) {
	k.unload(f.Name)
	k.mu.Lock()
	defer k.mu.Unlock()
	if serve == nil {
		serve = func(Message) []wire.Message { return nil }
	}
	k.families = append(k.families, f)
	k.serve[f.ID] = serve
}

func (k *kernel) unload(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, f := range k.families {
		if f.Name == name {
			delete(k.serve, f.ID)
			k.families = append(k.families[:i:i], k.families[i+1:]...)
			return
		}
	}
}

// lookups returns the number of look-ups.
func (k *kernel) lookups() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.asked)
}

func (k *kernel) handle(req wire.Message) []wire.Message {
	m, err := ParseMessage(req)
	if err != nil {
		return refuse(syscall.EINVAL)
	}
	if req.Header.Type == ctrlID {
		answer := k.control(m, req.Header.Flags)
		if k.hold != nil {
			<-k.hold
		}
		return answer
	}
	k.mu.Lock()
	serve := k.serve[req.Header.Type]
	if serve == nil {
		k.refused++
	}
	k.mu.Unlock()
	if serve == nil {
		return refuse(syscall.ENOENT) // as genl_rcv_msg does
	}
	return serve(m)
}

func (k *kernel) control(m Message, flags netlink.Flags) []wire.Message {
	k.mu.Lock()
	defer k.mu.Unlock()
	name, named := "", false
	for a := range wire.Attrs(m.Payload) {
		if a.Type == attrFamilyName {
			name, named = a.String(), true
		}
	}
	if named {
		k.asked = append(k.asked, name)
	}
	if k.controller != nil {
		if answer, ok := k.controller(m, flags); ok {
			return answer
		}
	}
	var answer []wire.Message
	for _, f := range k.families {
		if !named || f.Name == name {
			answer = append(answer, describe(f))
		}
	}
	if answer == nil {
		return refuse(syscall.ENOENT)
	}
	return answer
}

func refuse(errno syscall.Errno) []wire.Message {
	return []wire.Message{nltest.Error(errno, wire.ExtAck{})}
}

// message lays out a message of a family.
func message(typ netlink.MessageType, command, version uint8, attrs ...func(b *wire.Builder)) wire.Message {
	var b wire.Builder
	b.Struct([]byte{command, version, 0, 0})
	for _, f := range attrs {
		f(&b)
	}
	p, err := b.Encode()
	if err != nil {
		panic(err)
	}
	return wire.Message{Header: wire.Header{Type: typ}, Payload: p}
}

// raw appends bytes as they are.
func raw(p ...byte) func(b *wire.Builder) { return func(b *wire.Builder) { b.Raw(p) } }

// describe describes a family as the controller does.
func describe(f Family) wire.Message {
	return message(ctrlID, ctrlNewFamily, ctrlVersion, func(b *wire.Builder) {
		b.String(attrFamilyName, f.Name)
		b.Uint16(attrFamilyID, uint16(f.ID))
		b.Uint32(attrVersion, f.Version)
		b.Uint32(attrHeaderSize, f.HeaderSize)
		b.Uint32(attrMaxAttr, f.MaxAttr)
		if f.Ops != nil {
			b.Nest(attrOps, func(b *wire.Builder) {
				for i, op := range f.Ops {
					b.Nest(uint16(i+1), func(b *wire.Builder) {
						b.Uint32(attrOpID, uint32(op.Command))
						b.Uint32(attrOpFlags, uint32(op.Flags))
					})
				}
			})
		}
		if f.Groups != nil {
			b.Nest(attrGroups, func(b *wire.Builder) {
				index := uint16(0)
				for name, id := range f.Groups {
					index++
					b.Nest(index, func(b *wire.Builder) {
						b.Uint32(attrGroupID, id)
						b.String(attrGroupName, name)
					})
				}
			})
		}
	})
}

// acme is the family that tests use.
func acme() Family {
	return Family{
		ID:         40,
		Name:       "acme",
		Version:    3,
		HeaderSize: 8,
		MaxAttr:    17,
		Groups:     map[string]uint32{"events": 11, "alarms": 12},
		Ops: []Op{
			{Command: 1, Flags: GENL_CMD_CAP_DO | GENL_CMD_CAP_HASPOL},
			{Command: 200, Flags: GENL_CMD_CAP_DUMP | GENL_ADMIN_PERM},
		},
	}
}

// mustResolve resolves a name or ends the test.
func mustResolve(t testing.TB, c *client.Conn, name string) Family {
	t.Helper()
	f, err := Resolve(bg, c, name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
