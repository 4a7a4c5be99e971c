package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/nlmux/netlink/ynl/gen/internal/spec"
)

// An operation is what the templates need to know of an operation.
type operation struct {
	*spec.Operation
	GoName, DumpName string // of the methods
	Var              string // of the ynl.Op
	Request, Reply   string // Go types
	Row              string
	Needs            string // a sentence: the capability that a request needs
}

// operations makes the operations, their constants and the types of messages.
func (g *generator) operations() {
	methods := newScope(&g.errs)
	for _, o := range g.spec.Operations.List {
		if !o.IsRequest() && !o.IsReport() {
			continue
		}
		t := &operation{
			Operation: o, GoName: operationName(o), DumpName: dumpName(o),
			Request: g.name(o.Set), Reply: g.name(o.ReplySet), Needs: needs(o),
		}
		t.Var = "Op" + t.GoName
		if o.Split {
			t.Var = "Op" + t.DumpName
		}
		g.types.take(o.Pos, fmt.Sprintf("operation %q", o.Name), t.Var)
		if o.Do != nil && !o.Batch {
			methods.take(o.Pos, fmt.Sprintf("operation %q", o.Name), t.GoName)
		}
		if o.Dump != nil {
			methods.take(o.Pos, fmt.Sprintf("the dump of operation %q", o.Name), t.DumpName)
		}
		g.out.Operations = append(g.out.Operations, t)
	}
	g.constants()
	for _, t := range g.out.Operations {
		t.Row = g.operationRow(t.Operation)
	}
	for _, group := range g.spec.Groups.List {
		g.types.take(group.Pos, fmt.Sprintf("group %q", group.Name), group.KernelName)
		if !g.spec.Generic() && group.Given == nil {
			g.fail(group.Pos, "group %q has no value", group.Name)
		}
	}
	g.messages()
}

// constants makes the constants for the types of messages: those of requests, and of
// reports with a type that no request has.
func (g *generator) constants() {
	for _, o := range g.spec.Operations.List {
		if o.IsRequest() {
			g.constant(o)
		}
	}
	for _, o := range g.spec.Operations.List {
		if o.IsReport() && g.typeName(o.Number) == fmt.Sprint(o.Number) {
			g.constant(o)
		}
	}
	slices.SortStableFunc(g.out.Types, func(a, b *spec.Operation) int { return cmp.Compare(a.Number, b.Number) })
}

// constant notes the constant of an operation, unless another one or an enumeration has
// it.
func (g *generator) constant(o *spec.Operation) {
	for _, d := range g.spec.Definitions {
		for _, e := range d.Entries {
			if e.KernelName == o.KernelName && e.Value == uint64(o.Number) {
				return
			}
		}
	}
	for _, old := range g.out.Types {
		if old.KernelName != o.KernelName {
			continue
		}
		if old.Number != o.Number {
			g.fail(o.Pos, "operation %q: %s is %d elsewhere, %d here", o.Name, o.KernelName, old.Number, o.Number)
		}
		return
	}
	g.types.take(o.Pos, fmt.Sprintf("operation %q", o.Name), o.KernelName)
	g.out.Types = append(g.out.Types, o)
}

// requestName returns the constant for the type of a request, or the number if there is
// none.
func (g *generator) requestName(o *spec.Operation) string {
	for _, t := range g.out.Types {
		if t.KernelName == o.KernelName {
			return o.KernelName
		}
	}
	return fmt.Sprint(o.Number)
}

// typeName returns the constant for the type of a message from the kernel, or the number
// if there is none. Generic families may number requests and replies apart.
func (g *generator) typeName(typ uint16) string {
	apart := g.spec.Generic() && g.spec.Operations.Model == "directional"
	for _, o := range g.out.Types {
		if o.Number == typ && (!apart || o.Request == nil) {
			return o.KernelName
		}
	}
	return fmt.Sprint(typ)
}

// privilege returns the flag of an operation that says what a request needs, "" if it
// has none.
func privilege(o *spec.Operation) string {
	for _, flag := range []string{"admin-perm", "uns-admin-perm"} {
		if slices.Contains(o.Flags, flag) {
			return flag
		}
	}
	return ""
}

// needs returns which capability a sender must have, "" if the spec does not say.
func needs(o *spec.Operation) string {
	switch privilege(o) {
	case "admin-perm":
		return "It needs CAP_NET_ADMIN in the initial user namespace."
	case "uns-admin-perm":
		return "It needs CAP_NET_ADMIN in the user namespace of the network namespace."
	}
	return ""
}

func (g *generator) operationRow(o *spec.Operation) string {
	var r row
	r.add("Name", quote(o.Name))
	if o.Request != nil {
		r.add("Request", g.requestName(o))
	}
	reply := "-1"
	if o.Reply != nil {
		reply = g.typeName(*o.Reply)
	}
	r.add("Reply", reply)
	r.add("Set", g.ref("set", o.Set))
	if o.ReplySet != o.Set {
		r.add("ReplySet", g.ref("set", o.ReplySet))
	}
	r.add("Do", o.Do != nil)
	r.add("Dump", o.Dump != nil)
	r.add("Batch", o.Batch)
	switch privilege(o) {
	case "uns-admin-perm":
		r.constant("Admin", "AdminUserNS")
	case "admin-perm":
		r.constant("Admin", "AdminInit")
	}
	return r.String()
}

// A message says which set messages of a type have.
type message struct {
	typ   uint16
	set   *spec.Set
	name  string // of the operation
	final bool   // no other operation describes the messages better
}

// messages makes the rows of the messages that the kernel sends: reports and replies.
// Where requests have types of their own protocol, the kernel reports by the same types
// what others did, so a request gives such a message its name.
func (g *generator) messages() {
	found := map[uint16]message{}
	for _, o := range g.spec.Operations.List {
		if o.Reply == nil {
			continue
		}
		if old, ok := found[*o.Reply]; !ok || o.IsReport() && !old.final {
			found[*o.Reply] = message{*o.Reply, o.ReplySet, o.Name, o.IsReport()}
		}
	}
	for _, o := range g.spec.Operations.List {
		if o.Request == nil || g.spec.Generic() {
			continue
		}
		if old, ok := found[*o.Request]; !ok || !old.final && old.set == o.Set {
			found[*o.Request] = message{*o.Request, o.Set, o.Name, true}
		}
	}
	list := slices.SortedFunc(maps.Values(found), func(a, b message) int { return cmp.Compare(a.typ, b.typ) })
	for _, m := range list {
		g.out.Messages = append(g.out.Messages, fmt.Sprintf("{Type: %s, Set: %s, Name: %q}", g.typeName(m.typ), g.ref("set", m.set), m.name))
	}
}
