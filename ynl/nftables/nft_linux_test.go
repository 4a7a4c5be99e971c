//go:build linux

package nftables_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"reflect"
	"regexp"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/ynlkernel"
	"github.com/nlmux/netlink/ynl/nftables"
)

// sandbox is a namespace with a Conn of nftables.
type sandbox struct {
	ns   *nstest.NS
	conn *client.Conn
	*nftables.Client
}

// open makes a sandbox, or skips the test if the kernel has no nftables.
func open(t *testing.T, opts ...client.Option) *sandbox {
	t.Helper()
	ns := nstest.New(t)
	c := kerneltest.Dial(t, ns, netlink.NETLINK_NETFILTER, opts...)
	s := &sandbox{ns, c, nftables.New(c)}
	if _, err := s.GetGen(kerneltest.Patient(t), nil); err != nil {
		nstest.Skip(t, "nf_tables", "%v", err)
	}
	return s
}

// nft runs a script of nft.
func (s *sandbox) nft(t *testing.T, script string) string {
	t.Helper()
	return s.ns.Run(t, "nft", script)
}

// commit commits a batch that has to succeed.
func (s *sandbox) commit(t *testing.T, b *nftables.Batch) {
	t.Helper()
	if err := b.Commit(kerneltest.Patient(t), s.conn); err != nil {
		t.Fatal(err)
	}
}

// A ruleset is all that the kernel lists.
type ruleset struct {
	tables     []*nftables.Table
	chains     []*nftables.Chain
	sets       []*nftables.Set
	elements   []*nftables.SetElemList
	objects    []*nftables.Object
	flowtables []*nftables.Flowtable
	rules      []*nftables.Rule
}

// list lists the ruleset.
func (s *sandbox) list(t *testing.T) *ruleset {
	t.Helper()
	ctx := kerneltest.Patient(t)
	var r ruleset
	r.tables = listed(t, s.DumpTable(ctx, nil))
	r.chains = listed(t, s.DumpChain(ctx, nil))
	r.sets = listed(t, s.DumpSet(ctx, nil))
	r.objects = listed(t, s.DumpObj(ctx, nil))
	r.flowtables = listed(t, s.DumpFlowtable(ctx, nil))
	r.rules = listed(t, s.DumpRule(ctx, nil))
	for _, set := range r.sets {
		r.elements = append(r.elements, s.elements(t, set)...)
	}
	return &r
}

// elements lists the elements of a set. The kernel ends each list with an empty message.
func (s *sandbox) elements(t *testing.T, set *nftables.Set) []*nftables.SetElemList {
	t.Helper()
	req := &nftables.SetElemList{Nfgenmsg: set.Nfgenmsg, Table: set.Table, Set: set.Name}
	return listed(t, s.DumpSetElem(kerneltest.Patient(t), req))
}

// listed returns the messages of a dump, each of which has no attribute that its type does
// not know, and is the same after JSON.
func listed[T any, P interface {
	*T
	ynl.Message
}](t *testing.T, dump ynl.Stream[T]) []*T {
	t.Helper()
	list, err := dump.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		ynlkernel.Known[nftables.Raw](t, P(m))
		text, err := json.Marshal(m)
		if err != nil {
			t.Errorf("marshal: %v", err)
			continue
		}
		back := new(T)
		if err := json.Unmarshal(text, back); err != nil {
			t.Errorf("unmarshal: %v\n%s", err, text)
		} else if !reflect.DeepEqual(m, back) {
			t.Errorf("changed by JSON: %s\nbefore: %+v\nafter:  %+v", text, m, back)
		}
	}
	return list
}

const create = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL

// again appends changes that delete the ruleset, and make it again from what was listed.
func (r *ruleset) again(b *nftables.Batch) {
	for _, t := range r.tables {
		b.DelTable(t.Settable())
	}
	for _, t := range r.tables {
		b.NewTable(t.Settable(), create)
	}
	for _, c := range r.chains {
		b.NewChain(c.Settable(), create)
	}
	for _, o := range r.objects {
		b.NewObj(o.Settable(), create)
	}
	for _, f := range r.flowtables {
		b.NewFlowtable(f.Settable(), create)
	}
	for _, s := range r.sets {
		b.NewSet(s.Settable(), create)
	}
	for _, l := range r.elements {
		if l.Elements != nil {
			b.NewSetElem(l.Settable(), create)
		}
	}
	for _, rule := range r.rules {
		b.NewRule(rule.Settable(), netlink.NLM_F_CREATE|netlink.NLM_F_APPEND)
	}
}

// handles are what the kernel chooses anew.
var handles = regexp.MustCompile(`"handle": \d+`)

// show returns what nft shows of the ruleset, as text and as JSON without handles.
func (s *sandbox) show(t *testing.T) string {
	t.Helper()
	return s.nft(t, "list ruleset") + handles.ReplaceAllString(s.ns.Run(t, "nft", "-j", "list ruleset"), "")
}

// lossless fails the test if what the kernel lists changes when it is decoded and encoded.
func (s *sandbox) lossless(t *testing.T) {
	t.Helper()
	const header = 4 // struct nfgenmsg
	for _, op := range []uint16{
		nftables.NFT_MSG_GETTABLE, nftables.NFT_MSG_GETCHAIN, nftables.NFT_MSG_GETSET, nftables.NFT_MSG_GETOBJ,
		nftables.NFT_MSG_GETFLOWTABLE, nftables.NFT_MSG_GETRULE,
	} {
		for m, err := range s.conn.Dump(kerneltest.Patient(t), netlink.MessageType(op), make([]byte, header)) {
			if err != nil {
				t.Fatal(err)
			}
			c := ynlkernel.Capture{Type: uint16(m.Header.Type), Payload: bytes.Clone(m.Payload)}
			ynlkernel.Lossless(t, &nftables.Family, c, header)
			ynlkernel.Mutate(t, &nftables.Family, c, header)
		}
	}
}

// sameAgain makes the listed ruleset again by one batch. What nft shows must not change.
func (s *sandbox) sameAgain(t *testing.T) {
	t.Helper()
	before := s.show(t)
	var b nftables.Batch
	s.list(t).again(&b)
	s.commit(t, &b)
	if after := s.show(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// inet is the header of a message about an inet table.
var inet = nftables.Nfgenmsg{NfgenFamily: unix.NFPROTO_INET}

// try runs a script of nft that the kernel may lack something for.
func (s *sandbox) try(script string) (out []byte, err error) {
	err = s.ns.Do(func() (err error) {
		out, err = exec.Command("nft", script).CombinedOutput()
		return err
	})
	return out, err
}
