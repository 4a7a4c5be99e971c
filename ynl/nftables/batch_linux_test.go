//go:build linux

package nftables_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/nftables"
)

// accept is the statement of that name.
var accept = verdict(nftables.NF_ACCEPT)

func verdict(code nftables.VerdictCode) *nftables.ExprImmediate {
	return &nftables.ExprImmediate{
		Dreg: ynl.U32(uint32(nftables.NFT_REG_VERDICT)),
		Data: &nftables.Data{Verdict: &nftables.Verdict{Code: ynl.Some(code)}},
	}
}

// tcpPort are the expressions of "tcp dport PORT".
func tcpPort(port uint16) []nftables.ExprOps {
	return []nftables.ExprOps{
		&nftables.ExprMeta{Dreg: ynl.U32(1), Key: ynl.Some(nftables.NFT_META_L4PROTO)},
		&nftables.ExprCmp{Sreg: ynl.U32(1), Op: ynl.Some(nftables.NFT_CMP_EQ), Data: &nftables.Data{Value: []byte{unix.IPPROTO_TCP}}},
		&nftables.ExprPayload{Dreg: ynl.Some(nftables.NFT_REG_1), Base: ynl.Some(nftables.NFT_PAYLOAD_TRANSPORT_HEADER), Offset: ynl.U32(2), Len: ynl.U32(2)},
		&nftables.ExprCmp{Sreg: ynl.U32(1), Op: ynl.Some(nftables.NFT_CMP_EQ), Data: &nftables.Data{Value: binary.BigEndian.AppendUint16(nil, port)}},
	}
}

var (
	table = ynl.Some("t")
	chain = ynl.Some("c")
)

// newChain appends a table and a chain for the input.
func newChain(b *nftables.Batch) {
	b.NewTable(&nftables.Table{Nfgenmsg: inet, Name: table}, create)
	b.NewChain(&nftables.Chain{Nfgenmsg: inet, Table: table, Name: chain, Type: ynl.Some("filter"), Policy: ynl.Some(nftables.NF_ACCEPT),
		Hook: &nftables.Hook{Num: ynl.U32(unix.NF_INET_LOCAL_IN), Priority: ynl.S32(0)}}, create)
}

// rule is "tcp dport PORT counter accept", with a comment.
func rule(port int) *nftables.Rule {
	exprs := append(tcpPort(uint16(port)), &nftables.ExprCounter{Bytes: ynl.U64(0), Packets: ynl.U64(0)}, accept)
	return &nftables.Rule{Nfgenmsg: inet, Table: table, Chain: chain, Expressions: nftables.Exprs(exprs...), Userdata: comment(fmt.Sprint("rule ", port))}
}

// comment is a comment as nft keeps it: type, length, text and a zero.
func comment(text string) []byte {
	return append([]byte{0, byte(len(text) + 1)}, text+"\x00"...)
}

// 1,000 rules are written by one Commit, read back equal, and listed by nft.
func TestThousandRules(t *testing.T) {
	s := open(t, client.WithSendBuffer(1<<20))
	var b nftables.Batch
	newChain(&b)
	var written []*nftables.Rule
	for i := range 1000 {
		r := rule(1 + i)
		written = append(written, r)
		b.NewRule(r, netlink.NLM_F_CREATE|netlink.NLM_F_APPEND)
	}
	if b.Len() != 1002 {
		t.Errorf("Len is %d, want 1002", b.Len())
	}
	s.commit(t, &b)

	read := listed(t, s.DumpRule(kerneltest.Patient(t), &nftables.Rule{Nfgenmsg: inet, Table: table, Chain: chain}))
	if len(read) != len(written) {
		t.Fatalf("%d rules read, %d written", len(read), len(written))
	}
	for i, r := range read {
		got := *r
		got.Handle, got.Position = ynl.Opt[uint64]{}, ynl.Opt[uint64]{}
		got.ResID = 0 // the generation of the ruleset
		want := *written[i]
		want.Expressions = named(want.Expressions)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("rule %d\nread    %+v\nwritten %+v", i, got, want)
		}
	}
	text := s.nft(t, "list ruleset")
	for i := range 1000 {
		line := fmt.Sprintf("tcp dport %d counter packets 0 bytes 0 accept comment \"rule %d\"\n", i+1, i+1)
		if !strings.Contains(text, line) {
			t.Fatalf("nft does not list %q in\n%s", line, text)
		}
	}
}

// named returns a list with what the kernel adds when it reports it: the names of the
// expressions, and the defaults of their attributes.
func named(l *nftables.ExprList) *nftables.ExprList {
	named := &nftables.ExprList{}
	for _, e := range l.Elem {
		name := strings.ToLower(strings.TrimPrefix(reflect.TypeOf(e.Data).Elem().Name(), "Expr"))
		named.Elem = append(named.Elem, nftables.Expr{Name: ynl.Some(name), Data: e.Data})
	}
	return named
}

// A refusal names the operation, the message and the attribute, and nothing is applied.
func TestRefusal(t *testing.T) {
	s := open(t)
	var b nftables.Batch
	b.NewTable(&nftables.Table{Nfgenmsg: inet, Name: table}, create)
	b.NewRule(rule(80), netlink.NLM_F_CREATE)
	err := b.Commit(kerneltest.Patient(t), s.conn)
	var refused *client.BatchError
	switch {
	case !errors.As(err, &refused) || refused.Index != 1:
		t.Errorf("error is %v, want a BatchError about message 1", err)
	case !errors.Is(err, unix.ENOENT) || !strings.HasPrefix(err.Error(), "nftables newrule: ") || !strings.Contains(err.Error(), "NFTA_RULE_CHAIN"):
		t.Errorf("error is %q, want ENOENT of newrule at NFTA_RULE_CHAIN", err)
	case client.NotSent(err):
		t.Errorf("NotSent(%v) is true", err)
	}
	if tables := listed(t, s.DumpTable(kerneltest.Patient(t), nil)); len(tables) != 0 {
		t.Errorf("there are %d tables", len(tables))
	}
}

// A value that cannot be encoded is an error of Commit, and nothing is sent.
func TestUnencodable(t *testing.T) {
	s := open(t)
	var b nftables.Batch
	b.NewTable(&nftables.Table{Nfgenmsg: inet, Name: table}, create)
	b.NewObj(&nftables.Object{Nfgenmsg: inet, Table: table, Name: ynl.Some("o"), Type: ynl.Some(nftables.NFT_OBJECT_QUOTA), Data: &nftables.Counter{}}, create)
	err := b.Commit(kerneltest.Patient(t), s.conn)
	if err == nil || !client.NotSent(err) || !strings.HasPrefix(err.Error(), "nftables newobj: ") {
		t.Errorf("error is %v, want one of newobj, not sent", err)
	}
	if _, err := b.CommitEcho(kerneltest.Patient(t), s.conn); err == nil || !client.NotSent(err) {
		t.Errorf("CommitEcho: error is %v, want one that was not sent", err)
	}
	if tables := listed(t, s.DumpTable(kerneltest.Patient(t), nil)); len(tables) != 0 {
		t.Errorf("there are %d tables", len(tables))
	}
}

func TestEmptyBatch(t *testing.T) {
	s := open(t)
	s.commit(t, new(nftables.Batch))
}

// CommitEcho returns what was made, with the handles.
func TestCommitEcho(t *testing.T) {
	s := open(t)
	var b nftables.Batch
	newChain(&b)
	b.NewRule(rule(80), netlink.NLM_F_CREATE)
	made, err := b.CommitEcho(kerneltest.Patient(t), s.conn)
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, m := range made {
		types = append(types, strings.TrimPrefix(fmt.Sprintf("%T", m), "*nftables."))
		if r, ok := m.(*nftables.Rule); ok {
			if !r.Handle.Set {
				t.Errorf("the rule has no handle: %+v", r)
			}
			var d nftables.Batch
			d.DelRule(r)
			s.commit(t, &d)
		}
	}
	if got := strings.Join(types, " "); got != "Table Chain Rule Gen" {
		t.Errorf("made %s, want Table Chain Rule Gen", got)
	}
	if rules := listed(t, s.DumpRule(kerneltest.Patient(t), nil)); len(rules) != 0 {
		t.Errorf("there are %d rules", len(rules))
	}
}

// A change is an event, and so is a deletion.
func TestEvents(t *testing.T) {
	s := open(t)
	ctx := kerneltest.Patient(t)
	events := ynl.Events(ctx, s.conn, &nftables.Family)
	var b nftables.Batch
	newChain(&b)
	b.NewRule(rule(80), netlink.NLM_F_CREATE)
	s.commit(t, &b)
	var d nftables.Batch
	d.DelTable(&nftables.Table{Nfgenmsg: inet, Name: table})
	s.commit(t, &d)

	want := []string{"10 *nftables.Table", "10 *nftables.Chain", "10 *nftables.Rule", "10 *nftables.Gen"}
	var got []string
	for e := range events {
		if e.Err != nil {
			t.Fatal(e.Err)
		}
		got = append(got, fmt.Sprintf("%d %T", e.Type>>8, e.Value))
		if e.Type == nftables.NFT_MSG_DELTABLE {
			break
		}
	}
	if len(got) < len(want) || !reflect.DeepEqual(got[:len(want)], want) {
		t.Errorf("events %q, want %q first", got, want)
	}
}
