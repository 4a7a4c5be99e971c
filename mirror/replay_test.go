package mirror

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/nlmux/netlink"
)

// This file has a model of the kernel's groups: what a request does, and which message
// the kernel sends about it. Every sequence of a few requests is tried, with a dump at
// every place among the messages.

// step is one change that the kernel has made, and its message.
type step struct {
	list [][]byte // the group afterwards
	msg  message
}

// change is a request to the model. It returns false if the kernel would refuse it.
type change struct {
	name string
	do   func(list [][]byte) (step, bool)
}

func route4Value(gateway byte) []byte {
	v := make([]byte, rtmsgSize)
	v[0] = afInet
	return appendAttribute(v, rtaGateway, []byte{10, 0, 0, gateway})
}

func insertAt(list [][]byte, i int, v []byte) [][]byte {
	return slices.Insert(slices.Clone(list), i, v)
}

// route4Changes are the requests that fib_table_insert and fib_table_delete handle.
func route4Changes() (out []change) {
	for g := byte(1); g <= 3; g++ {
		v := route4Value(g)
		add := func(name string, flags netlink.Flags, do func(list [][]byte) ([][]byte, netlink.Flags, bool)) {
			out = append(out, change{fmt.Sprintf("%s %d", name, g), func(list [][]byte) (step, bool) {
				if index(list, v) >= 0 {
					return step{}, false // EEXIST; replaced by itself it sends nothing
				}
				list, extra, ok := do(list)
				return step{list, message{new: true, flags: flags | extra, value: v}}, ok
			}})
		}
		place := func(list [][]byte) netlink.Flags {
			if len(list) == 0 {
				return netlink.NLM_F_EXCL
			}
			return 0
		}
		add("append", netlink.NLM_F_CREATE, func(list [][]byte) ([][]byte, netlink.Flags, bool) {
			if len(list) == 0 {
				return insertAt(list, 0, v), netlink.NLM_F_EXCL, true
			}
			return insertAt(list, len(list), v), netlink.NLM_F_APPEND, true
		})
		add("prepend", netlink.NLM_F_CREATE, func(list [][]byte) ([][]byte, netlink.Flags, bool) {
			return insertAt(list, 0, v), place(list), true
		})
		add("replace", netlink.NLM_F_REPLACE, func(list [][]byte) ([][]byte, netlink.Flags, bool) {
			if len(list) == 0 {
				return list, 0, false // would be an append with NLM_F_CREATE
			}
			list = slices.Clone(list)
			list[0] = v
			return list, 0, true
		})
		out = append(out, remove(fmt.Sprintf("del %d", g), v))
	}
	return out
}

func remove(name string, v []byte) change {
	return change{name, func(list [][]byte) (step, bool) {
		i := index(list, v)
		if i < 0 {
			return step{}, false
		}
		return step{slices.Delete(slices.Clone(list), i, i+1), message{value: v}}, true
	}}
}

// ruleChanges are the requests that fib_newrule and fib_delrule handle.
func ruleChanges() (out []change) {
	for n := byte(1); n <= 2; n++ {
		v := appendAttribute(make([]byte, fibRuleHeader), 10, []byte{n, 0, 0, 0})
		out = append(out,
			change{fmt.Sprintf("add %d", n), func(list [][]byte) (step, bool) {
				return step{insertAt(list, len(list), v), message{new: true, value: v}}, len(list) < 4
			}},
			remove(fmt.Sprintf("del %d", n), v))
	}
	return out
}

// route6Changes are requests for ECMP routes of one group.
func route6Changes() (out []change) {
	hop := func(g byte) []byte {
		v := make([]byte, rtmsgSize)
		v[0] = afInet6
		v = appendAttribute(v, rtaGateway, slices.Concat(make([]byte, 15), []byte{g}))
		return cleanRoute6(appendAttribute(v, rtaOif, []byte{1, 0, 0, 0}))
	}
	join := func(list [][]byte, v []byte) []byte {
		if len(list) == 0 {
			return v
		}
		s := setOf(list[0])
		s.hops = append(s.hops, setOf(v).hops...)
		return cleanRoute6(s.appendTo(nil))
	}
	for g := byte(1); g <= 3; g++ {
		v := hop(g)
		has := func(list [][]byte) bool {
			return len(list) > 0 && slices.ContainsFunc(setOf(list[0]).hops, func(h []byte) bool { return sameHop(h, setOf(v).hops[0]) })
		}
		out = append(out,
			change{fmt.Sprintf("append %d", g), func(list [][]byte) (step, bool) {
				if has(list) {
					return step{}, false
				}
				all := join(list, v)
				return step{[][]byte{all}, message{new: true, value: all}}, true
			}},
			change{fmt.Sprintf("replace %d", g), func(list [][]byte) (step, bool) {
				return step{[][]byte{v}, message{new: true, flags: netlink.NLM_F_REPLACE, value: v}}, len(list) > 0
			}},
			change{fmt.Sprintf("del %d", g), func(list [][]byte) (step, bool) {
				if !has(list) {
					return step{}, false
				}
				s := setOf(list[0])
				s.hops = slices.DeleteFunc(s.hops, func(h []byte) bool { return sameHop(h, setOf(v).hops[0]) })
				if len(s.hops) == 0 {
					return step{nil, message{value: v}}, true
				}
				return step{[][]byte{cleanRoute6(s.appendTo(nil))}, message{value: v}}, true
			}})
	}
	return out
}

// TestReplayInEveryOrder: whenever replay is sure, it is right, and without a dump that
// leaves two possibilities it is.
func TestReplayInEveryOrder(t *testing.T) {
	tests := map[string]struct {
		kind    *kind
		changes []change
		least   float64 // share of the cases in which replay has to be sure
	}{
		"IPv4 routes": {routes4, route4Changes(), 0.8},
		"rules":       {rules4, ruleChanges(), 0.2},
		"IPv6 routes": {routes6, route6Changes(), 0.2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cases, sure := 0, 0
			var names []string
			var walk func(states [][][]byte, log []message)
			walk = func(states [][][]byte, log []message) {
				final := appendGroup(nil, states[len(states)-1])
				for at, shown := range states {
					cases++
					got, ok := replay(test.kind, appendGroup(nil, shown), log)
					if ok {
						sure++
					}
					if ok && !bytes.Equal(got, final) {
						t.Fatalf("%q, dump after %d: % x, want % x", names, at, got, final)
					}
				}
				if len(log) == 4 {
					return
				}
				for _, c := range test.changes {
					s, ok := c.do(states[len(states)-1])
					if !ok {
						continue
					}
					names = append(names, c.name)
					walk(append(slices.Clone(states), s.list), append(slices.Clone(log), s.msg))
					names = names[:len(names)-1]
				}
			}
			walk([][][]byte{nil}, nil)
			if share := float64(sure) / float64(cases); share < test.least {
				t.Errorf("sure in %.0f%% of %d cases, want %.0f%%", 100*share, cases, 100*test.least)
			} else {
				t.Logf("sure in %.0f%% of %d cases", 100*share, cases)
			}
		})
	}
}

// TestApplyFollowsTheModel: messages without a pass lead to the kernel's state, or to
// doubt.
func TestApplyFollowsTheModel(t *testing.T) {
	for _, test := range []struct {
		kind    *kind
		changes []change
	}{{routes4, route4Changes()}, {rules4, ruleChanges()}, {routes6, route6Changes()}} {
		var walk func(list, copied [][]byte, depth int, names []string)
		walk = func(list, copied [][]byte, depth int, names []string) {
			if depth == 0 {
				return
			}
			for _, c := range test.changes {
				s, ok := c.do(list)
				if !ok {
					continue
				}
				got, v := test.kind.apply(slices.Clone(copied), &s.msg)
				if v == impossible || v == certain && !slices.EqualFunc(got, s.list, bytes.Equal) {
					t.Fatalf("%s: %q then %s: %x, want %x", test.kind.name, names, c.name, got, s.list)
				}
				walk(s.list, s.list, depth-1, append(slices.Clone(names), c.name))
			}
		}
		walk(nil, nil, 4, nil)
	}
}
