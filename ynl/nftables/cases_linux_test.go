//go:build linux

package nftables_test

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/nftables"
)

// Sets with intervals, with ranges in several dimensions, and of a size (google/nftables
// issues 154, 205 and 247).
func TestSets(t *testing.T) {
	s := open(t)
	s.nft(t, `
		add table inet t
		add set inet t nets { type ipv4_addr; flags interval; auto-merge; comment "my nets"; elements = { 10.0.0.0/8, 192.0.2.1-192.0.2.9 } }
		add set inet t cc { type ipv6_addr . inet_service . ipv4_addr; flags interval; elements = { 2001:db8::1 . 1-60000 . 10.0.0.0/24 } }
		add set inet t plain { type ipv4_addr . inet_service; size 100; elements = { 10.0.0.1 . 80 } }`)
	sets := map[string]*nftables.Set{}
	for _, set := range listed(t, s.DumpSet(kerneltest.Patient(t), &nftables.Set{Nfgenmsg: inet, Table: table})) {
		sets[set.Name.Value] = set
	}

	var nets []string
	for _, e := range s.keys(t, sets["nets"]) {
		text := hex.EncodeToString(e.Key.Value)
		if e.Flags.Value&nftables.NFT_SET_ELEM_INTERVAL_END != 0 {
			text += " end"
		}
		nets = append(nets, text)
	}
	if want := []string{"c000020a end", "c0000201", "0b000000 end", "0a000000", "00000000 end"}; !reflect.DeepEqual(nets, want) {
		t.Errorf("nets has %q, want %q", nets, want)
	}

	cc := sets["cc"]
	var fields []uint32
	for _, f := range cc.Desc.Concat.Elem {
		fields = append(fields, f.Len.Value)
	}
	if want := []uint32{16, 2, 4}; cc.KeyLen != ynl.U32(24) || !reflect.DeepEqual(fields, want) {
		t.Errorf("cc has keys of %v bytes with fields of %v, want 24 with %v", cc.KeyLen, fields, want)
	}
	const address = "20010db8000000000000000000000001"
	for _, e := range s.keys(t, cc) {
		key, end := hex.EncodeToString(e.Key.Value), hex.EncodeToString(e.KeyEnd.Value)
		if key != address+"0001"+"0000"+"0a000000" || end != address+"ea60"+"0000"+"0a0000ff" {
			t.Errorf("cc has %s to %s", key, end)
		}
	}
	if size := sets["plain"].Desc.Size; size != ynl.U32(100) {
		t.Errorf("plain is for %v elements, want 100", size)
	}

	// Make 10.1.0.0/16.
	var b nftables.Batch
	b.NewSet(&nftables.Set{Nfgenmsg: inet, Table: table, Name: ynl.Some("made"), KeyType: ynl.U32(7), KeyLen: ynl.U32(4), Flags: ynl.Some(nftables.NFT_SET_INTERVAL)}, create)
	b.NewSetElem(&nftables.SetElemList{Nfgenmsg: inet, Table: table, Set: ynl.Some("made"), Elements: &nftables.SetElemListElem{Elem: []nftables.SetElem{
		{Key: &nftables.Data{Value: []byte{10, 1, 0, 0}}},
		{Key: &nftables.Data{Value: []byte{10, 2, 0, 0}}, Flags: ynl.Some(nftables.NFT_SET_ELEM_INTERVAL_END)},
	}}}, create)
	s.commit(t, &b)
	if text := s.nft(t, "list set inet t made"); !strings.Contains(text, "elements = { 10.1.0.0/16 }") {
		t.Errorf("nft shows\n%s", text)
	}
	s.sameAgain(t)
}

// keys returns the elements of a set.
func (s *sandbox) keys(t *testing.T, set *nftables.Set) []nftables.SetElem {
	t.Helper()
	var list []nftables.SetElem
	for _, l := range s.elements(t, set) {
		if l.Elements != nil {
			list = append(list, l.Elements.Elem...)
		}
	}
	if len(list) == 0 {
		t.Fatalf("set %v has no elements", set.Name)
	}
	return list
}

// Counters, quotas and limits with a name, and a rule that refers to them (google/nftables
// issues 193, 244 and 267).
func TestObjects(t *testing.T) {
	s := open(t)
	s.nft(t, `
		add table inet t
		add chain inet t c { type filter hook input priority 0; policy accept; comment "chain comment"; }
		add counter inet t cnt { packets 7 bytes 700; comment "cc"; }
		add quota inet t q { over 25 mbytes used 3 bytes; }
		add limit inet t lim { rate 10/second burst 7 packets; }
		add rule inet t c counter name cnt quota name q limit name lim accept comment "rule comment"`)
	objects := map[string]*nftables.Object{}
	for _, o := range listed(t, s.DumpObj(kerneltest.Patient(t), &nftables.Object{Nfgenmsg: inet, Table: table})) {
		objects[o.Name.Value] = o
	}
	for name, want := range map[string]nftables.ObjData{
		"cnt": &nftables.Counter{Packets: ynl.U64(7), Bytes: ynl.U64(700)},
		"q":   &nftables.Quota{Bytes: ynl.U64(25 << 20), Consumed: ynl.U64(3), Flags: ynl.Some(nftables.NFT_QUOTA_F_INV)},
		"lim": &nftables.Limit{Rate: ynl.U64(10), Unit: ynl.U64(1), Burst: ynl.U32(7), Type: ynl.Some(nftables.NFT_LIMIT_PKTS), Flags: ynl.Some(nftables.LimitFlags(0))},
	} {
		if got := objects[name].Data; !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, want %+v", name, got, want)
		}
	}
	if got, want := objects["cnt"].Userdata, []byte("\x00\x03cc\x00"); string(got) != string(want) {
		t.Errorf("user data of cnt is %x, want %x", got, want)
	}

	var refs []string
	for _, e := range listed(t, s.DumpRule(kerneltest.Patient(t), nil))[0].Expressions.Elem {
		switch e := e.Data.(type) {
		case *nftables.ExprObjref:
			refs = append(refs, fmt.Sprintf("%d %s", e.ImmType.Value, e.ImmName.Value))
		case *nftables.ExprImmediate:
			refs = append(refs, e.Data.Verdict.Code.Value.String())
		}
	}
	if want := []string{"1 cnt", "2 q", "4 lim", "accept"}; !reflect.DeepEqual(refs, want) {
		t.Errorf("the rule has %q, want %q", refs, want)
	}
	c := listed(t, s.DumpChain(kerneltest.Patient(t), nil))[0]
	if c.Flags != ynl.Some(nftables.NFT_CHAIN_BASE) || c.ID.Set || !strings.Contains(string(c.Userdata), "chain comment\x00") {
		t.Errorf("the chain has flags %v, id %v, user data %q", c.Flags, c.ID, c.Userdata)
	}

	// The type of an object follows from its value.
	var b nftables.Batch
	object := func(name string, data nftables.ObjData) {
		b.NewObj(&nftables.Object{Nfgenmsg: inet, Table: table, Name: ynl.Some(name), Data: data}, create)
	}
	object("made-quota", &nftables.Quota{Bytes: ynl.U64(5000), Consumed: ynl.U64(9), Flags: ynl.Some(nftables.NFT_QUOTA_F_INV)})
	object("made-counter", &nftables.Counter{Packets: ynl.U64(9), Bytes: ynl.U64(5000)})
	s.commit(t, &b)
	text := s.nft(t, "list ruleset")
	for _, want := range []string{"quota made-quota {\n\t\tover 5000 bytes used 9 bytes", "counter made-counter {\n\t\tpackets 9 bytes 5000"} {
		if !strings.Contains(text, want) {
			t.Errorf("nft does not show %q in\n%s", want, text)
		}
	}
	s.sameAgain(t)
}
