package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl/nexthop"
	"github.com/nlmux/netlink/ynl/rtaddr"
	"github.com/nlmux/netlink/ynl/rtlink"
	"github.com/nlmux/netlink/ynl/rtneigh"
	"github.com/nlmux/netlink/ynl/rtroute"
	"github.com/nlmux/netlink/ynl/rtrule"
)

// scripted is a kernel with rules and IPv4 routes, which announces its changes as the
// real one does. Each group has one member at most.
type scripted struct {
	*nltest.Kernel
	mu            sync.Mutex                             // guards following; held while a request is handled
	routes, rules map[byte][]byte                        // payloads by number
	others        map[netlink.MessageType][]wire.Message // dumps of other tables, by request
	unannounced   []byte                                 // a rule that is there already
	requests      int
	fault         func(number int, req wire.Message) []wire.Message // nil: no fault
}

func newScripted() *scripted {
	k := &scripted{routes: map[byte][]byte{}, rules: map[byte][]byte{}}
	k.Kernel = nltest.New(netlink.NETLINK_ROUTE, k.handle)
	return k
}

func (k *scripted) dial(_ netlink.Family, opts ...client.Option) (*client.Conn, error) {
	return k.Dial(opts...), nil
}

// do runs f between two requests.
func (k *scripted) do(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
}

func (k *scripted) handle(req wire.Message) []wire.Message {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.requests++
	if k.fault != nil {
		if answer := k.fault(k.requests, req); answer != nil {
			return answer
		}
	}
	return k.answer(req)
}

// answer is what the kernel says without a fault.
func (k *scripted) answer(req wire.Message) []wire.Message {
	out := []wire.Message{}
	if req.Header.Flags&netlink.NLM_F_DUMP != netlink.NLM_F_DUMP {
		return nil // the barrier: an acknowledgement
	}
	entries, typ := map[byte][]byte(nil), netlink.MessageType(rtroute.RTM_NEWROUTE)
	switch {
	case req.Header.Type == rtroute.RTM_GETROUTE && req.Payload[0] == afInet:
		entries = k.routes
	case req.Header.Type == rtrule.RTM_GETRULE && req.Payload[0] == afInet:
		entries, typ = k.rules, rtrule.RTM_NEWRULE
	default:
		return append(out, k.others[req.Header.Type]...)
	}
	for _, n := range slices.Sorted(maps.Keys(entries)) {
		out = append(out, wire.Message{Header: wire.Header{Type: typ, Flags: netlink.NLM_F_MULTI}, Payload: entries[n]})
	}
	return out
}

// mirror opens a Mirror of the scripted kernel, which is closed after the test, and waits
// until it is exact.
func (k *scripted) mirror(t *testing.T, tables Tables) *Mirror {
	t.Helper()
	m, err := Open(t.Context(), tables, WithDial(k.dial))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if err := m.Synced(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

// setRoute adds or replaces a route, and says so.
func (k *scripted) setRoute(n, gateway byte) {
	flags := netlink.NLM_F_CREATE | netlink.NLM_F_EXCL
	if k.routes[n] != nil {
		flags = netlink.NLM_F_CREATE | netlink.NLM_F_REPLACE
	}
	p := []byte{afInet, 24, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0}
	p = appendAttribute(p, rtaTable, native.AppendUint32(nil, 254))
	p = appendAttribute(p, rtaDst, []byte{10, n, 0, 0})
	k.routes[n] = appendAttribute(p, rtaGateway, []byte{10, 0, 0, gateway})
	k.push(rtroute.RTNLGRP_IPV4_ROUTE, rtroute.RTM_NEWROUTE, flags, k.routes[n])
}

func (k *scripted) deleteRoute(n byte) {
	if p := k.routes[n]; p != nil {
		delete(k.routes, n)
		k.push(rtroute.RTNLGRP_IPV4_ROUTE, rtroute.RTM_DELROUTE, 0, p)
	}
}

func (k *scripted) setRule(n byte) {
	if k.rules[n] == nil {
		k.setRuleSilently(n)
		k.announce()
	}
}

// setRuleSilently adds a rule that is announced later.
func (k *scripted) setRuleSilently(n byte) {
	p := []byte{afInet, 0, 0, 0, 254, 0, 0, 1, 0, 0, 0, 0}
	k.rules[n] = appendAttribute(p, fraPriority, native.AppendUint32(nil, uint32(n)+1))
	k.unannounced = k.rules[n]
}

// announce announces what setRuleSilently has added.
func (k *scripted) announce() {
	if k.unannounced != nil {
		k.push(rtrule.RTNLGRP_IPV4_RULE, rtrule.RTM_NEWRULE, 0, k.unannounced)
		k.unannounced = nil
	}
}

func (k *scripted) deleteRule(n byte) {
	if p := k.rules[n]; p != nil {
		delete(k.rules, n)
		k.push(rtrule.RTNLGRP_IPV4_RULE, rtrule.RTM_DELRULE, 0, p)
	}
}

func (k *scripted) push(multicast uint32, typ netlink.MessageType, flags netlink.Flags, p []byte) {
	k.Push(multicast, wire.Message{Header: wire.Header{Type: typ, Flags: flags}, Payload: p})
}

// change makes a random change.
func (k *scripted) change(r *rand.Rand) {
	n := byte(r.Intn(6))
	switch r.Intn(5) {
	case 0:
		k.deleteRoute(n)
	case 1:
		k.setRule(n)
	case 2:
		k.deleteRule(n)
	default:
		k.setRoute(n, byte(r.Intn(200)))
	}
}

// agree compares a state with the kernel.
func (k *scripted) agree(t *testing.T, m *Mirror, what string) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	for kind, entries := range map[*kind]map[byte][]byte{routes4: k.routes, rules4: k.rules} {
		if m.table(kind.bit) == nil {
			continue
		}
		want := map[string]group{}
		for _, p := range entries {
			msg, _, _ := kind.parse(p, nil, nil)
			want[string(msg.key)] = appendRecord(nil, msg.value)
		}
		s := m.state.Load()
		for key, g := range s.trees[kind.bit.number()].All() {
			if !bytes.Equal(want[string(key)], g) {
				t.Errorf("%s: %s: key %x is % x, want % x", what, kind.name, key, g, want[string(key)])
			}
			delete(want, string(key))
		}
		for key := range want {
			t.Errorf("%s: %s: key %x is missing", what, kind.name, key)
		}
	}
}

// lost answers nothing, as when the receive buffer is full.
func (k *scripted) lost() []wire.Message {
	k.Overrun()
	return []wire.Message{}
}

// TestFaultsAtEveryStep has a fault at each request of a Mirror, from its first on, while
// the tables change before, during and after it. When the kernel is quiet again, the copy
// is exact, and says so.
func TestFaultsAtEveryStep(t *testing.T) {
	type fault func(k *scripted, r *rand.Rand, req wire.Message) []wire.Message
	faults := map[string]fault{
		"none": func(*scripted, *rand.Rand, wire.Message) []wire.Message { return nil },
		"overrun": func(k *scripted, r *rand.Rand, req wire.Message) []wire.Message {
			k.change(r)
			return k.lost()
		},
		"changes lost in an overrun": func(k *scripted, r *rand.Rand, req wire.Message) []wire.Message {
			k.Overrun()
			k.change(r)
			k.change(r)
			return nil
		},
		"refused": func(*scripted, *rand.Rand, wire.Message) []wire.Message {
			return []wire.Message{nltest.Error(syscall.EBUSY, wire.ExtAck{})}
		},
		"dump breaks off": func(k *scripted, _ *rand.Rand, req wire.Message) []wire.Message {
			half := k.answer(req)
			return append(half[:len(half)/2], nltest.Done(syscall.EINTR, wire.ExtAck{}))
		},
		"interrupted": func(k *scripted, r *rand.Rand, req wire.Message) []wire.Message {
			answer := k.answer(req)
			for i := range answer {
				answer[i].Header.Flags |= netlink.NLM_F_DUMP_INTR
			}
			if len(answer) > 1 {
				answer = answer[1:] // an entry that was there all the time is missing
			}
			k.change(r)
			return answer
		},
		"changes before": func(k *scripted, r *rand.Rand, req wire.Message) []wire.Message {
			k.change(r)
			k.change(r)
			return k.answer(req)
		},
		"changes after": func(k *scripted, r *rand.Rand, req wire.Message) []wire.Message {
			answer := k.answer(req)
			k.change(r)
			k.change(r)
			return answer
		},
		"changes in the middle": func(k *scripted, r *rand.Rand, req wire.Message) []wire.Message {
			before := k.answer(req)
			k.change(r)
			after := k.answer(req)
			n := min(len(before), len(after)) / 2
			return append(before[:n:n], after[n:]...)
		},
		"malformed": func(k *scripted, _ *rand.Rand, req wire.Message) []wire.Message {
			answer := k.answer(req)
			k.push(rtroute.RTNLGRP_IPV4_ROUTE, rtroute.RTM_NEWROUTE, 0, []byte{afInet, 1, 2})
			if len(answer) > 0 {
				answer[0].Payload = append(slices.Clone(answer[0].Payload), 3, 0, 0, 0)
			}
			return answer
		},
	}
	const steps = 40 // more than a Mirror makes until it is exact
	for name, f := range faults {
		for step := 1; step <= steps; step++ {
			synctest.Test(t, func(t *testing.T) {
				what := fmt.Sprintf("%s at request %d", name, step)
				r := rand.New(rand.NewSource(int64(step)))
				k := newScripted()
				for range 10 {
					k.change(r)
				}
				k.fault = func(number int, req wire.Message) []wire.Message {
					if number != step {
						return nil
					}
					dump := req.Header.Flags&netlink.NLM_F_DUMP == netlink.NLM_F_DUMP
					if !dump && (name == "refused" || name == "malformed" || name == "dump breaks off") {
						return nil
					}
					answer := f(k, r, req)
					if !dump && len(answer) == 0 {
						return nil
					}
					return answer
				}
				m, err := Open(t.Context(), TableRoutes4|TableRules4, WithDial(k.dial))
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				if err := m.Synced(t.Context()); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				k.do(func() {
					for range 5 {
						k.change(r)
					}
				})
				m.Barrier(t.Context())
				// A gap makes the Mirror read everything again: more steps.
				k.do(func() {
					k.Overrun()
					k.change(r)
				})
				time.Sleep(5 * time.Second)
				synctest.Wait()
				if s := m.state.Load(); s.exact != s.have {
					t.Errorf("%s: after 5 s of silence:\n%v", what, m.Status())
				}
				k.agree(t, m, what)
			})
		}
	}
}

// TestMessageAfterTheDump: a dump can show what is announced after its end. A second
// barrier makes the message come before the merge, or the rule would be there twice.
func TestMessageAfterTheDump(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newScripted()
		shown := false
		k.fault = func(_ int, req wire.Message) []wire.Message {
			dump := req.Header.Type == rtrule.RTM_GETRULE
			switch {
			case dump && !shown:
				shown = true
				k.setRuleSilently(1)
			case !dump:
				k.announce()
			}
			return nil
		}
		m, err := Open(t.Context(), TableRules4, WithDial(k.dial))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		time.Sleep(5 * time.Second)
		k.do(k.announce)
		time.Sleep(5 * time.Second)
		k.agree(t, m, "afterwards")
	})
}

// TestLinkGoneTakesAlong: after RTM_DELLINK nothing of the link is there, in the same
// state, whether it was announced or not.
func TestLinkGoneTakesAlong(t *testing.T) {
	const index = 7
	link := append(make([]byte, 4), index, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	addr := appendAttribute([]byte{afInet, 24, 0, 0, index, 0, 0, 0}, ifaLocal, []byte{10, 0, 0, 1})
	addr = appendAttribute(addr, ifaAddress, []byte{10, 0, 0, 1})
	neigh := appendAttribute([]byte{afInet, 0, 0, 0, index, 0, 0, 0, 0x80, 0, 0, 0}, ndaDst, []byte{10, 0, 0, 2})
	object := appendAttribute(make([]byte, nhmsgSize), nhaID, []byte{1, 0, 0, 0})
	object = appendAttribute(object, nhaOif, []byte{index, 0, 0, 0})
	message := func(typ netlink.MessageType, p []byte) []wire.Message {
		return []wire.Message{{Header: wire.Header{Type: typ, Flags: netlink.NLM_F_MULTI}, Payload: p}}
	}
	synctest.Test(t, func(t *testing.T) {
		k := newScripted()
		k.others = map[netlink.MessageType][]wire.Message{
			rtlink.RTM_GETLINK:     message(rtlink.RTM_NEWLINK, link),
			rtaddr.RTM_GETADDR:     message(rtaddr.RTM_NEWADDR, addr),
			rtneigh.RTM_GETNEIGH:   message(rtneigh.RTM_NEWNEIGH, neigh),
			nexthop.RTM_GETNEXTHOP: message(nexthop.RTM_NEWNEXTHOP, object),
		}
		k.setRoute(1, 1)
		k.routes[2] = appendAttribute(bytes.Replace(k.routes[1], []byte{10, 1}, []byte{10, 2}, 1), rtaOif, []byte{index, 0, 0, 0})
		k.routes[3] = appendAttribute(bytes.Replace(k.routes[1], []byte{10, 1}, []byte{10, 3}, 1), rtaNhID, []byte{1, 0, 0, 0})
		m := k.mirror(t, All)
		before := m.state.Load()
		for bit, want := range map[Tables]int{TableLinks: 1, TableAddrs4: 1, TableNeighs4: 1, TableNexthops: 1, TableRoutes4: 3} {
			if n := before.trees[bit.number()].Len(); n != want {
				t.Errorf("%v: %d entries, want %d", bit, n, want)
			}
		}
		checked := make(chan struct{}) // no pass mends the state before that
		defer close(checked)
		k.do(func() {
			k.others = nil
			k.routes = map[byte][]byte{1: k.routes[1]}
			k.fault = func(int, wire.Message) []wire.Message {
				<-checked
				return nil
			}
			k.push(rtlink.RTNLGRP_LINK, rtlink.RTM_DELLINK, 0, link)
		})
		<-before.newer
		synctest.Wait()
		after := m.state.Load()
		if after.rev != before.rev+1 {
			t.Errorf("revision %d after %d", after.rev, before.rev)
		}
		for bit, want := range map[Tables]int{TableLinks: 0, TableAddrs4: 0, TableNeighs4: 0, TableNexthops: 0, TableRoutes4: 1} {
			if n := after.trees[bit.number()].Len(); n != want {
				t.Errorf("%v: %d entries, want %d", bit, n, want)
			}
		}
	})
}

// TestLinkGoneDuringAPass: a dump that was made before a link went does not bring its
// routes back.
func TestLinkGoneDuringAPass(t *testing.T) {
	const index = 7
	link := append(make([]byte, 4), index, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	synctest.Test(t, func(t *testing.T) {
		k := newScripted()
		k.others = map[netlink.MessageType][]wire.Message{
			rtlink.RTM_GETLINK: {{Header: wire.Header{Type: rtlink.RTM_NEWLINK, Flags: netlink.NLM_F_MULTI}, Payload: link}},
		}
		k.setRoute(1, 1)
		k.routes[2] = appendAttribute(bytes.Replace(k.routes[1], []byte{10, 1}, []byte{10, 2}, 1), rtaOif, []byte{index, 0, 0, 0})
		m := k.mirror(t, TableRoutes4)
		gone := false
		k.do(func() {
			k.fault = func(_ int, req wire.Message) []wire.Message {
				if req.Header.Type != rtroute.RTM_GETROUTE || gone {
					return nil
				}
				gone = true
				answer := k.answer(req)
				k.others = nil
				delete(k.routes, 2)
				k.push(rtlink.RTNLGRP_LINK, rtlink.RTM_DELLINK, 0, link)
				return answer
			}
			// A change of the route is lost, so the dump differs from the copy.
			k.routes[2] = appendAttribute(k.routes[2], rtaPrefsrc, []byte{10, 0, 0, 9})
			k.Overrun()
		})
		least := 2
		for s := range watchRevisionsUntil(m, time.Now().Add(5*time.Second)) {
			n := s.trees[routes4.bit.number()].Len()
			if n > least {
				t.Errorf("%d routes became %d", least, n)
			}
			least = n
		}
		k.agree(t, m, "afterwards")
	})
}

// nexthopKernel is a scripted kernel with a link and next hop 1, which leads there.
type nexthopKernel struct {
	*scripted
	nexthop []byte
}

const nexthopLink = 7

func newNexthopKernel() nexthopKernel {
	object := appendAttribute(make([]byte, nhmsgSize), nhaID, []byte{1, 0, 0, 0})
	k := nexthopKernel{newScripted(), appendAttribute(object, nhaOif, []byte{nexthopLink, 0, 0, 0})}
	k.others = map[netlink.MessageType][]wire.Message{}
	k.setLink(iffUp|iffRunning|iffLowerUp, 6)
	k.setNexthop()
	return k
}

// setLink announces the flags and the operational state of the link.
func (k nexthopKernel) setLink(flags uint32, state byte) {
	const operstate = 16
	p := append(make([]byte, 4), nexthopLink, 0, 0, 0)
	p = append(native.AppendUint32(p, flags), 0, 0, 0, 0)
	p = appendAttribute(p, operstate, []byte{state})
	k.others[rtlink.RTM_GETLINK] = multi(rtlink.RTM_NEWLINK, p)
	k.push(rtlink.RTNLGRP_LINK, rtlink.RTM_NEWLINK, 0, p)
}

// setNexthop makes the next hop without a message.
func (k nexthopKernel) setNexthop() {
	k.others[nexthop.RTM_GETNEXTHOP] = multi(nexthop.RTM_NEWNEXTHOP, k.nexthop)
}

func multi(typ netlink.MessageType, p []byte) []wire.Message {
	return []wire.Message{{Header: wire.Header{Type: typ, Flags: netlink.NLM_F_MULTI}, Payload: p}}
}

// TestCarrierIsLostInTwoSteps: the first message without a carrier comes before the next
// hops of the link go, the second one differs in the operational state only.
func TestCarrierIsLostInTwoSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newNexthopKernel()
		m := k.mirror(t, TableNexthops)
		for i, state := range []byte{6, 2} {
			k.do(func() {
				k.setLink(iffUp, state)
				if state == 2 {
					k.others[nexthop.RTM_GETNEXTHOP] = nil
				}
			})
			time.Sleep(5 * time.Second)
			s := m.state.Load()
			if n := s.trees[TableNexthops.number()].Len(); n != 1-i || s.exact != s.have {
				t.Errorf("state %d: %d next hops, exact %v", state, n, s.exact)
			}
		}
	})
}

// TestNexthopGoneAndMadeAgain: a link takes its next hop and the routes of that along
// without a message, and another next hop gets the same id before the Mirror has looked.
// The routes are in doubt from the link's message on, and go.
func TestNexthopGoneAndMadeAgain(t *testing.T) {
	tests := map[string]struct {
		flags netlink.Flags // of the next hop's message
		link  bool          // the link is announced
	}{
		"added":                             {netlink.NLM_F_CREATE | netlink.NLM_F_EXCL, true},
		"replaced":                          {netlink.NLM_F_CREATE | netlink.NLM_F_REPLACE, true},
		"added, the link was not announced": {netlink.NLM_F_CREATE | netlink.NLM_F_EXCL, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newNexthopKernel()
				k.setRoute(1, 1)
				k.setRoute(2, 2)
				k.routes[2] = appendAttribute(k.routes[2], rtaNhID, []byte{1, 0, 0, 0})
				m := k.mirror(t, TableRoutes4)
				makeAgain := func() {
					k.push(nexthop.RTNLGRP_NEXTHOP, nexthop.RTM_NEWNEXTHOP, tt.flags, k.nexthop)
				}
				k.fault = func(_ int, req wire.Message) []wire.Message {
					if req.Header.Type != nexthop.RTM_GETNEXTHOP {
						return nil
					}
					if exact := m.Snapshot().s.exact & (TableNexthops | TableRoutes4); exact != 0 {
						t.Errorf("%v exact before the next hops were read", exact)
					}
					makeAgain()
					return nil
				}
				k.do(func() {
					delete(k.routes, 2)
					if tt.link {
						k.setLink(iffUp, 2)
					} else {
						makeAgain()
					}
				})
				time.Sleep(5 * time.Second)
				k.agree(t, m, "afterwards")
			})
		})
	}
}

// TestNewLinkDuringAPass: the first message of a veth lacks its peer, which the dump has
// that was made after it. The first dump of a Mirror is no exception.
func TestNewLinkDuringAPass(t *testing.T) {
	for name, first := range map[string]bool{"the first pass": true, "a later pass": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newNexthopKernel()
				veth := func(peer byte) []byte {
					p := append(make([]byte, 4), 9, 0, 0, 0)
					return appendAttribute(append(p, make([]byte, 8)...), iflaLink, []byte{peer, 0, 0, 0})
				}
				made := false
				fault := func(_ int, req wire.Message) []wire.Message {
					if !made && req.Header.Type == rtlink.RTM_GETLINK && req.Header.Flags&netlink.NLM_F_DUMP == netlink.NLM_F_DUMP {
						made = true
						k.push(rtlink.RTNLGRP_LINK, rtlink.RTM_NEWLINK, 0, veth(0))
						k.others[rtlink.RTM_GETLINK] = append(k.others[rtlink.RTM_GETLINK], multi(rtlink.RTM_NEWLINK, veth(10))...)
					}
					return nil
				}
				if first {
					k.fault = fault
				}
				m := k.mirror(t, TableLinks)
				k.do(func() {
					if k.fault = fault; !first {
						k.Overrun()
					}
				})
				time.Sleep(5 * time.Second)
				if l, _ := m.Snapshot().Links().Get(9); l == nil || l.Link.Value != 10 || !m.Status().Exact() {
					t.Errorf("%+v\n%v", l, m.Status())
				}
			})
		})
	}
}

// TestUndecodable: a message that cannot be cut apart is counted, and its table is read
// again.
func TestUndecodable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newScripted()
		k.setRoute(1, 1)
		m := k.mirror(t, TableRoutes4)
		k.do(func() {
			k.routes[1][len(k.routes[1])-1] = 77 // a change whose message is broken
			k.push(rtroute.RTNLGRP_IPV4_ROUTE, rtroute.RTM_NEWROUTE, netlink.NLM_F_REPLACE, k.routes[1][:len(k.routes[1])-2])
		})
		time.Sleep(5 * time.Second)
		k.agree(t, m, "afterwards")
		for _, s := range m.Status().Tables {
			if want := map[Tables]uint64{TableRoutes4: 1}[s.Table]; s.Undecodable != want || s.Resyncs != 1+want {
				t.Errorf("%v: %d not decoded, %d passes", s.Table, s.Undecodable, s.Resyncs)
			}
		}
	})
}

// TestTheKernelStopsAnswering: a Mirror says why it is not exact, and recovers.
func TestTheKernelStopsAnswering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newScripted()
		k.setRoute(1, 1)
		refuse := true
		k.fault = func(_ int, req wire.Message) []wire.Message {
			if refuse && req.Header.Type == rtroute.RTM_GETROUTE {
				return []wire.Message{nltest.Error(syscall.EOPNOTSUPP, wire.ExtAck{Message: "no routes today"})}
			}
			return nil
		}
		m, err := Open(t.Context(), TableRoutes4, WithDial(k.dial))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = m.Synced(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !bytes.Contains([]byte(err.Error()), []byte("no routes today")) {
			t.Errorf("Synced: %v", err)
		}
		for _, s := range m.Status().Tables {
			if s.Table == TableRoutes4 && (s.Why != Refused || !errors.Is(s.Err, syscall.EOPNOTSUPP)) {
				t.Errorf("status: %v, %v", s.Why, s.Err)
			}
		}
		k.do(func() { refuse = false })
		if err := m.Synced(t.Context()); err != nil {
			t.Error(err)
		}
		k.agree(t, m, "afterwards")
	})
}

// TestUnmarkedDumpsLackEntries: entries that nothing has touched stay, although dumps of a
// table that changes lack them, and the table is in doubt until one can be relied on.
func TestUnmarkedDumpsLackEntries(t *testing.T) {
	for name, step := range map[string]int{"the same one each time": 0, "another one each time": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newScripted()
				for n := range byte(6) {
					k.setRule(n)
				}
				m := k.mirror(t, TableRules4)
				dumps, doubted := 0, false
				fault := func(_ int, req wire.Message) []wire.Message {
					if req.Header.Type != rtrule.RTM_GETRULE {
						return nil
					}
					answer := k.answer(req)
					i := dumps * step % 5
					dumps++
					k.setRule(9)
					k.deleteRule(9)
					return slices.Delete(answer, i, i+1)
				}
				k.do(func() { k.fault = fault; k.Overrun() })
				for rev := range watchRevisionsUntil(m, time.Now().Add(3*time.Second)) {
					if n := rev.trees[rules4.bit.number()].Len(); n < 6 {
						t.Fatalf("%d rules, want 6 at all times", n)
					}
					if rev.exact&TableRules4 == 0 {
						doubted = true
					} else if doubted {
						t.Fatal("exact after a dump that lacks a rule")
					}
				}
				k.do(func() {
					if k.fault = nil; dumps < 3 {
						t.Errorf("%d dumps", dumps)
					}
				})
				time.Sleep(5 * time.Second)
				k.agree(t, m, "afterwards")
				if s := m.state.Load(); s.exact != s.have {
					t.Errorf("not exact:\n%v", m.Status())
				}
			})
		})
	}
}

func watchRevisionsUntil(m *Mirror, end time.Time) func(func(*state) bool) {
	return func(yield func(*state) bool) {
		timer := time.NewTimer(time.Until(end))
		defer timer.Stop()
		for {
			s := m.state.Load()
			if !yield(s) {
				return
			}
			select {
			case <-s.newer:
			case <-timer.C:
				return
			}
		}
	}
}

// TestOpenRefuses: the error of Open names what is wrong.
func TestOpenRefuses(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	broken := func(netlink.Family, ...client.Option) (*client.Conn, error) { return nil, errors.New("no socket") }
	for want, f := range map[string]func() (*Mirror, error){
		"mirror: open: no such tables: 0x0":    func() (*Mirror, error) { return Open(t.Context(), 0) },
		"mirror: open: no such tables: 0x8000": func() (*Mirror, error) { return Open(t.Context(), 0x8000) },
		"mirror: open: context canceled":       func() (*Mirror, error) { return Open(ended, All) },
		"mirror: open: no socket":              func() (*Mirror, error) { return Open(t.Context(), All, WithDial(broken)) },
		"mirror: open: WithConn: nil Conn":     func() (*Mirror, error) { return Open(t.Context(), All, WithConn(nil)) },
		"mirror: open: WithDial: nil function": func() (*Mirror, error) { return Open(t.Context(), All, WithDial(nil)) },
		"mirror: open: WithSettle: negative duration": func() (*Mirror, error) {
			return Open(t.Context(), All, WithSettle(-1))
		},
		"mirror: open: WithRouteTables: no such tables: []": func() (*Mirror, error) {
			return Open(t.Context(), All, WithRouteTables())
		},
		"mirror: open: WithRouteTables: no such tables: [254 0]": func() (*Mirror, error) {
			return Open(t.Context(), All, WithRouteTables(254, 0))
		},
	} {
		if m, err := f(); m != nil || err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
