package nftables

import (
	"context"
	"errors"
	"fmt"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl"
)

// subsystem is NFNL_SUBSYS_NFTABLES.
const subsystem = 10

// A Batch is a list of changes of the ruleset. The kernel changes the ruleset by batches
// only, and applies each as a whole or not at all. The zero value is an empty batch.
//
// The methods append a change and do not fail: [Batch.Commit] reports the first message
// that cannot be encoded. The values may be changed and reused after the call. Flags are
// those of the kernel: NLM_F_CREATE makes what does not exist, with NLM_F_EXCL only that;
// NLM_F_APPEND places a rule after the others; NLM_F_REPLACE replaces the rule with the
// handle; NLM_F_ECHO on any message has effect in [Batch.CommitEcho].
//
// A batch may be committed several times. It must not be used by two goroutines at once.
type Batch struct {
	ops  []*ynl.Op
	msgs []client.BatchMessage
	err  error // of the first message that cannot be encoded
}

// add appends a message.
func (b *Batch) add(op *ynl.Op, req ynl.Message, flags []netlink.Flags) {
	m, err := ynl.BatchMessage(op, req, flags...)
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("%w (message %d of the batch)", err, len(b.msgs))
	}
	b.ops = append(b.ops, op)
	b.msgs = append(b.msgs, m)
}

// Len returns the number of changes.
func (b *Batch) Len() int { return len(b.msgs) }

// NewTable makes a table, or changes its flags.
func (b *Batch) NewTable(t *Table, flags ...netlink.Flags) { b.add(OpNewTable, t, flags) }

// DelTable deletes a table with all that is in it. Without a name it deletes all tables of
// the address family.
func (b *Batch) DelTable(t *Table, flags ...netlink.Flags) { b.add(OpDelTable, t, flags) }

// DestroyTable is DelTable for a table that need not exist. It needs Linux 6.3.
func (b *Batch) DestroyTable(t *Table, flags ...netlink.Flags) { b.add(OpDestroyTable, t, flags) }

// NewChain makes a chain, or changes its policy or its counters. With a handle it renames
// the chain.
func (b *Batch) NewChain(c *Chain, flags ...netlink.Flags) { b.add(OpNewChain, c, flags) }

// DelChain deletes a chain. A chain with rules can be deleted after them only.
func (b *Batch) DelChain(c *Chain, flags ...netlink.Flags) { b.add(OpDelChain, c, flags) }

// DestroyChain is DelChain for a chain that need not exist. It needs Linux 6.3.
func (b *Batch) DestroyChain(c *Chain, flags ...netlink.Flags) { b.add(OpDestroyChain, c, flags) }

// NewRule makes a rule, or replaces one with NLM_F_REPLACE. Otherwise the rule's handle is
// not sent, so that a rule that was listed can be made again: the kernel gives a new one.
func (b *Batch) NewRule(r *Rule, flags ...netlink.Flags) {
	if r != nil && r.Handle.Set && !has(flags, netlink.NLM_F_REPLACE) {
		made := *r
		made.Handle = ynl.Opt[uint64]{}
		r = &made
	}
	b.add(OpNewRule, r, flags)
}

// has reports whether one of flags has a flag.
func has(flags []netlink.Flags, flag netlink.Flags) bool {
	for _, f := range flags {
		if f&flag != 0 {
			return true
		}
	}
	return false
}

// DelRule deletes the rule with the handle, or all rules of a chain or a table.
func (b *Batch) DelRule(r *Rule, flags ...netlink.Flags) { b.add(OpDelRule, r, flags) }

// DestroyRule is DelRule for a rule that need not exist. It needs Linux 6.3.
func (b *Batch) DestroyRule(r *Rule, flags ...netlink.Flags) { b.add(OpDestroyRule, r, flags) }

// NewSet makes a set or a map. By its ID other messages of the batch may refer to it; the
// kernel wants one, so a set without gets one here.
func (b *Batch) NewSet(s *Set, flags ...netlink.Flags) {
	if s != nil && !s.ID.Set {
		numbered := *s
		numbered.ID = ynl.U32(chosenID + uint32(len(b.msgs)))
		s = &numbered
	}
	b.add(OpNewSet, s, flags)
}

// chosenID is the first of the IDs that NewSet gives, which differ from those that programs
// choose.
const chosenID = 1 << 31

// DelSet deletes a set.
func (b *Batch) DelSet(s *Set, flags ...netlink.Flags) { b.add(OpDelSet, s, flags) }

// DestroySet is DelSet for a set that need not exist. It needs Linux 6.3.
func (b *Batch) DestroySet(s *Set, flags ...netlink.Flags) { b.add(OpDestroySet, s, flags) }

// NewSetElem adds elements to a set.
func (b *Batch) NewSetElem(l *SetElemList, flags ...netlink.Flags) { b.add(OpNewSetElem, l, flags) }

// DelSetElem deletes elements of a set, or all of them.
func (b *Batch) DelSetElem(l *SetElemList, flags ...netlink.Flags) { b.add(OpDelSetElem, l, flags) }

// DestroySetElem is DelSetElem for elements that need not exist. It needs Linux 6.3.
func (b *Batch) DestroySetElem(l *SetElemList, flags ...netlink.Flags) {
	b.add(OpDestroySetElem, l, flags)
}

// NewObj makes a named object, such as a counter or a quota.
func (b *Batch) NewObj(o *Object, flags ...netlink.Flags) { b.add(OpNewObj, o, flags) }

// DelObj deletes an object.
func (b *Batch) DelObj(o *Object, flags ...netlink.Flags) { b.add(OpDelObj, o, flags) }

// DestroyObj is DelObj for an object that need not exist. It needs Linux 6.3.
func (b *Batch) DestroyObj(o *Object, flags ...netlink.Flags) { b.add(OpDestroyObj, o, flags) }

// NewFlowtable makes a flowtable, or adds devices to it.
func (b *Batch) NewFlowtable(f *Flowtable, flags ...netlink.Flags) { b.add(OpNewFlowtable, f, flags) }

// DelFlowtable deletes a flowtable, or takes devices from it.
func (b *Batch) DelFlowtable(f *Flowtable, flags ...netlink.Flags) { b.add(OpDelFlowtable, f, flags) }

// DestroyFlowtable is DelFlowtable for a flowtable that need not exist. It needs Linux 6.3.
func (b *Batch) DestroyFlowtable(f *Flowtable, flags ...netlink.Flags) {
	b.add(OpDestroyFlowtable, f, flags)
}

// Commit applies the batch on c, which is of NETLINK_NETFILTER. It needs CAP_NET_ADMIN.
// The error is a [*client.BatchError], of which the text names the operation of the first
// message that the kernel refused; or one of [client.Conn.Batch]; or that of a message that
// cannot be encoded. In the last case nothing was sent. An empty batch does nothing. A batch
// of more than some 400 rules needs a Conn with [client.WithSendBuffer].
func (b *Batch) Commit(ctx context.Context, c *client.Conn, opts ...client.BatchOption) error {
	if b.err != nil {
		return b.err
	}
	_, err := c.Batch(ctx, subsystem, b.msgs, opts...)
	return b.explain(err)
}

// CommitEcho is Commit, and returns what the kernel made of the batch, with the handles and
// names that it chose: a *[Table], *[Chain], *[Rule], *[Set], *[SetElemList], *[Object] or
// *[Flowtable] for each change, and at the end a *[Gen].
func (b *Batch) CommitEcho(ctx context.Context, c *client.Conn, opts ...client.BatchOption) ([]ynl.Message, error) {
	if b.err != nil {
		return nil, b.err
	}
	msgs := make([]client.BatchMessage, len(b.msgs))
	for i, m := range b.msgs {
		m.Flags |= netlink.NLM_F_ECHO
		msgs[i] = m
	}
	replies, err := c.Batch(ctx, subsystem, msgs, opts...)
	if err != nil {
		return nil, b.explain(err)
	}
	var made []ynl.Message
	for _, r := range replies {
		m, err := Family.Decode(uint16(r.Header.Type), r.Payload)
		if err != nil {
			return nil, err
		}
		if m != nil {
			made = append(made, m)
		}
	}
	return made, nil
}

// explain adds the name of the operation that the kernel refused.
func (b *Batch) explain(err error) error {
	var refused *client.BatchError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused) && refused.Index >= 0 && refused.Index < len(b.ops):
		return fmt.Errorf("nftables %s: %w", b.ops[refused.Index].Name(), err)
	}
	return fmt.Errorf("nftables batch: %w", err)
}

// Exprs returns a list of expressions. Their names follow from their types.
func Exprs(list ...ExprOps) *ExprList {
	l := &ExprList{Elem: make([]Expr, len(list))}
	for i, e := range list {
		l.Elem[i].Data = e
	}
	return l
}

// settable leaves out flags without a bit, which the kernel reports and refuses.
func (e *ExprOsf) settable() {
	if e.Flags.Value == 0 {
		e.Flags = ynl.Opt[OsfFlags]{}
	}
}
