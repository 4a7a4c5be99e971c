//go:build linux

package tc_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/ynlkernel"
	"github.com/nlmux/netlink/ynl/tc"
)

// A kind is something that tc makes: a qdisc with classes, a filter, an action. module
// names what the kernel needs for it.
type kind struct {
	name   string
	module string
	lines  string // commands; $d is the device
	same   string // a command; its output must not change
}

const (
	qdiscs  = "tc qdisc show dev $d"
	classes = "tc class show dev $d"
	root    = "tc filter show dev $d parent 1:"
	ingress = "tc filter show dev $d ingress"
)

var qdiscKinds = []kind{
	{"htb", "sch_htb", "tc qdisc add dev $d root handle 1: htb default 0x20 r2q 5", qdiscs},
	{"tbf", "sch_tbf", "tc qdisc add dev $d root handle 1: tbf rate 1mbit burst 10k latency 70ms peakrate 2mbit minburst 1540", qdiscs},
	{"pfifo", "sch_pfifo", "tc qdisc add dev $d root handle 1: pfifo limit 33", qdiscs},
	{"bfifo", "sch_bfifo", "tc qdisc add dev $d root handle 1: bfifo limit 3300", qdiscs},
	{"prio", "sch_prio", "tc qdisc add dev $d root handle 1: prio bands 4 priomap 1 2 2 3 1 2 0 0 1 1 1 1 1 1 1 1", qdiscs},
	{"ingress", "sch_ingress", "tc qdisc add dev $d ingress", qdiscs},
	{"clsact", "sch_ingress", "tc qdisc add dev $d clsact", qdiscs},
	{"clsact with blocks", "sch_ingress", "tc qdisc add dev $d ingress_block 7 egress_block 8 clsact", qdiscs},
	{"fq_codel", "sch_fq_codel", "tc qdisc add dev $d root handle 1: fq_codel limit 1000 flows 64 target 6ms interval 90ms quantum 1000 ecn ce_threshold 2ms memory_limit 1Mb drop_batch 32", qdiscs},
	{"fq", "sch_fq", "tc qdisc add dev $d root handle 1: fq limit 900 flow_limit 90 maxrate 9mbit orphan_mask 511", qdiscs},
	{"codel", "sch_codel", "tc qdisc add dev $d root handle 1: codel limit 900 target 6ms interval 90ms ecn", qdiscs},
	{"pie", "sch_pie", "tc qdisc add dev $d root handle 1: pie limit 900 target 20ms tupdate 30ms alpha 2 beta 9 ecn", qdiscs},
	{"fq_pie", "sch_fq_pie", "tc qdisc add dev $d root handle 1: fq_pie limit 900 flows 16 target 20ms", qdiscs},
	{"sfq", "sch_sfq", "tc qdisc add dev $d root handle 1: sfq perturb 9 quantum 1500", qdiscs},
	{"red", "sch_red", "tc qdisc add dev $d root handle 1: red limit 400000 min 30000 max 90000 avpkt 1000 burst 55 ecn adaptive bandwidth 10Mbit", qdiscs},
	{"choke", "sch_choke", "tc qdisc add dev $d root handle 1: choke limit 400 min 30 max 90 avpkt 1000 burst 55 ecn bandwidth 10Mbit", qdiscs},
	{"sfb", "sch_sfb", "tc qdisc add dev $d root handle 1: sfb limit 400 max 90 target 40", qdiscs},
	{"netem", "sch_netem", "tc qdisc add dev $d root handle 1: netem limit 900 delay 10ms 2ms 25% loss 1% duplicate 2% corrupt 3% reorder 4% 50% rate 1mbit 4 100 3", qdiscs},
	{"netem with a model of loss", "sch_netem", "tc qdisc add dev $d root handle 1: netem loss gemodel 1% 10% 70% 0.1%", qdiscs},
	{"cake", "sch_cake", "tc qdisc add dev $d root handle 1: cake bandwidth 9mbit diffserv4 dual-srchost nat wash overhead -4 mpu 64 ack-filter", qdiscs},
	{"hhf", "sch_hhf", "tc qdisc add dev $d root handle 1: hhf limit 900", qdiscs},
	{"drr", "sch_drr", "tc qdisc add dev $d root handle 1: drr", qdiscs},
	{"qfq", "sch_qfq", "tc qdisc add dev $d root handle 1: qfq", qdiscs},
	{"hfsc", "sch_hfsc", "tc qdisc add dev $d root handle 1: hfsc default 9", qdiscs},
	{"ets", "sch_ets", "tc qdisc add dev $d root handle 1: ets bands 6 strict 2 quanta 1000 2000 3000 4000 priomap 1 1 1 1", qdiscs},
	{"skbprio", "sch_skbprio", "tc qdisc add dev $d root handle 1: skbprio limit 77", qdiscs},
	{"plug", "sch_plug", "tc qdisc add dev $d root handle 1: plug limit 7000", qdiscs},
	{"cbs", "sch_cbs", "tc qdisc add dev $d root handle 1: cbs hicredit 62 locredit -1470 sendslope -980000 idleslope 20000", qdiscs},
	{"etf", "sch_etf", "tc qdisc add dev $d root handle 1: etf clockid CLOCK_TAI delta 50000", qdiscs},
}

var classKinds = []kind{
	{"htb", "sch_htb", `
		tc qdisc add dev $d root handle 1: htb default 0x20
		tc class add dev $d parent 1: classid 1:1 htb rate 10mbit ceil 20mbit burst 15k cburst 20k
		tc class add dev $d parent 1:1 classid 1:10 htb rate 2mbit ceil 20mbit prio 1 quantum 3000
		tc class add dev $d parent 1:1 classid 1:20 htb rate 40gbit ceil 50gbit prio 2 mpu 64 overhead 4`, classes},
	{"drr", "sch_drr", `
		tc qdisc add dev $d root handle 1: drr
		tc class add dev $d parent 1: classid 1:1 drr quantum 3000`, classes},
	{"qfq", "sch_qfq", `
		tc qdisc add dev $d root handle 1: qfq
		tc class add dev $d parent 1: classid 1:1 qfq weight 10 maxpkt 1500`, classes},
	{"hfsc", "sch_hfsc", `
		tc qdisc add dev $d root handle 1: hfsc default 9
		tc class add dev $d parent 1: classid 1:1 hfsc sc rate 1mbit ul rate 2mbit
		tc class add dev $d parent 1:1 classid 1:2 hfsc rt m1 300kbit d 20ms m2 100kbit ls rate 100kbit`, classes},
}

const (
	onRoot    = "tc qdisc add dev $d root handle 1: htb\n"
	onIngress = "tc qdisc add dev $d clsact\n"
)

var filterKinds = []kind{
	{"u32", "cls_u32", onRoot + "tc filter add dev $d parent 1: prio 7 protocol ip u32 match ip dst 10.0.0.1/32 match ip dport 80 0xffff match ip protocol 6 0xff flowid 1:5", root},
	{"u32 with a hash table", "cls_u32", onRoot + `
		tc filter add dev $d parent 1: prio 7 protocol ip handle 1: u32 divisor 256
		tc filter add dev $d parent 1: prio 7 protocol ip u32 ht 1:7 match ip src 10.0.0.7/32 flowid 1:7
		tc filter add dev $d parent 1: prio 7 protocol ip u32 ht 800:: match ip src 10.0.0.0/24 link 1: hashkey mask 0xff at 12`, root},
	{"flower", "cls_flower", onIngress + "tc filter add dev $d ingress prio 7 protocol ip flower dst_mac 02:00:00:00:00:01/ff:ff:ff:ff:ff:00 ip_proto tcp dst_ip 10.0.0.0/24 src_ip 10.0.0.1 dst_port 80 tcp_flags 0x2/0x3f ip_tos 0x10/0xfc ip_flags nofrag classid 1:5", ingress},
	{"flower, IPv6", "cls_flower", onIngress + "tc filter add dev $d ingress prio 7 protocol ipv6 flower skip_hw ip_proto udp dst_ip 2001:db8::/32 src_port 1000-2000 action drop", ingress},
	{"flower, VLAN", "cls_flower", onIngress + "tc filter add dev $d ingress prio 7 protocol 802.1q flower vlan_id 7 vlan_prio 3 vlan_ethtype ipv4 src_ip 10.0.0.1 action vlan pop", ingress},
	{"flower, ARP", "cls_flower", onIngress + "tc filter add dev $d ingress prio 7 protocol arp flower arp_tip 192.0.2.1 arp_op reply arp_sha 02:00:00:00:00:01 action pass", ingress},
	{"flower, MPLS", "cls_flower", onIngress + "tc filter add dev $d ingress prio 7 protocol mpls_uc flower mpls_label 77 mpls_tc 3 action drop", ingress},
	{"flower, ICMP", "cls_flower", onIngress + "tc filter add dev $d ingress prio 7 protocol ip flower ip_proto icmp type 8 code 0 action drop", ingress},
	{"flower, tunnel", "cls_flower", onIngress + "tc filter add dev $d ingress prio 7 protocol ip flower enc_key_id 77 enc_dst_ip 192.0.2.1 enc_dst_port 4789 enc_ttl 64 geneve_opts 0102:80:1122334421314151/ffff:ff:ffffffffffffffff action drop", ingress},
	{"flower in a chain", "cls_flower", onIngress + "tc filter add dev $d ingress prio 7 chain 5 protocol ip flower dst_ip 10.0.0.9 action goto chain 6", ingress},
	{"matchall", "cls_matchall", onIngress + "tc filter add dev $d ingress prio 7 matchall skip_hw action drop", ingress},
	{"fw", "cls_fw", onRoot + "tc filter add dev $d parent 1: prio 7 protocol ip handle 0x7/0xff fw classid 1:5", root},
	{"basic", "cls_basic", onRoot + "tc filter add dev $d parent 1: prio 7 protocol ip basic match meta(priority eq 7) and cmp(u8 at 9 layer 1 eq 6) flowid 1:5", root},
	{"cgroup", "cls_cgroup", onRoot + "tc filter add dev $d parent 1: prio 7 handle 1 cgroup", root},
	{"route", "cls_route", onRoot + "tc filter add dev $d parent 1: prio 7 protocol ip route from 5 to 6 classid 1:5", root},
	{"flow", "cls_flow", onRoot + "tc filter add dev $d parent 1: prio 7 handle 1 flow hash keys src,dst divisor 64 perturb 9", root},
}

// on is a filter with an action, of u32 so that the actions are tested where that is the
// only filter.
func on(name, module, action string) kind {
	return kind{name, module, onIngress + "tc filter add dev $d ingress prio 9 protocol all u32 match u32 0 0 action " + action, ingress}
}

var actionKinds = []kind{
	on("mirred", "act_mirred", "mirred egress redirect dev $p"),
	on("two", "act_mirred", "mirred egress mirror dev $p pipe action mirred ingress redirect dev $p"),
	on("gact", "act_gact", "drop random netrand pass 10"),
	on("police", "act_police", "police rate 1mbit burst 20k mtu 3000 conform-exceed drop/pipe"),
	on("police, 64 bits", "act_police", "police rate 40gbit burst 20m mtu 3000 conform-exceed drop"),
	on("police, packets", "act_police", "police pkts_rate 1000 pkts_burst 200 conform-exceed drop"),
	on("vlan push", "act_vlan", "vlan push id 7 priority 3 protocol 802.1ad"),
	on("vlan pop", "act_vlan", "vlan pop pipe"),
	on("pedit", "act_pedit", "pedit munge offset 12 u32 set 0x0a000001 munge offset 20 u16 set 0x50"),
	on("pedit ex", "act_pedit", "pedit ex munge ip dst set 10.0.0.1 munge tcp dport set 80 munge ip ttl add 0xff pipe csum ip tcp"),
	on("nat", "act_nat", "nat ingress 10.0.0.0/24 192.0.2.0"),
	on("csum", "act_csum", "csum ip4h tcp udp"),
	on("tunnel_key", "act_tunnel_key", "tunnel_key set src_ip 192.0.2.1 dst_ip 192.0.2.2 id 77 dst_port 4789 tos 0x10 ttl 64 nocsum geneve_opts 0102:80:1122334421314151"),
	on("tunnel_key unset", "act_tunnel_key", "tunnel_key unset"),
	on("connmark", "act_connmark", "connmark zone 7"),
	on("ct", "act_ct", "ct commit zone 7 mark 0x11/0xff nat src addr 192.0.2.1 port 1024-2048"),
	on("ctinfo", "act_ctinfo", "ctinfo dscp 0xfc000000 0x01000000 zone 7"),
	on("skbedit", "act_skbedit", "skbedit priority 1:7 mark 0x11/0xff ptype host"),
	on("skbmod", "act_skbmod", "skbmod set dmac 02:00:00:00:00:01 set smac 02:00:00:00:00:02"),
	on("simple", "act_simple", "simple sdata hello"),
	on("sample", "act_sample", "sample rate 12 group 4 trunc 64"),
	on("mpls", "act_mpls", "mpls push protocol mpls_uc label 77 tc 3 ttl 64"),
	on("gate", "act_gate", "gate clockid CLOCK_TAI base-time 100 sched-entry open 200 -1 -1 sched-entry close 300 -1 -1"),
	on("ife", "act_ife", "ife encode allow mark dst 02:00:00:00:00:01 type 0xED3E"),
}

func TestQdiscsAgain(t *testing.T) {
	s := ynlkernel.New(t)
	for i, k := range qdiscKinds {
		t.Run(k.name, func(t *testing.T) {
			dev := k.make(t, s, i)
			c := tc.New(s.Conn)
			lossless(t, s, tc.OpGetQdisc, at(dev.index, 0))
			again(t, s, k.show(dev), c.DumpQdisc(context.Background(), &tc.Object{Tcmsg: at(dev.index, 0)}),
				func(o *tc.Object) bool { return o.Handle != 0 && o.Parent != 0 && o.Ifindex == dev.index }, c.DelQdisc, c.NewQdisc)
		})
	}
}

func TestClassesAgain(t *testing.T) {
	s := ynlkernel.New(t)
	for i, k := range classKinds {
		t.Run(k.name, func(t *testing.T) {
			dev := k.make(t, s, i)
			c := tc.New(s.Conn)
			lossless(t, s, tc.OpGetClass, at(dev.index, 0))
			again(t, s, k.show(dev), c.DumpClass(context.Background(), &tc.Object{Tcmsg: at(dev.index, 0)}),
				func(o *tc.Object) bool { return o.Handle != tc.Handle(1, 0) }, c.DelClass, c.NewClass)
		})
	}
}

func TestFiltersAgain(t *testing.T) {
	s := ynlkernel.New(t)
	for i, k := range append(filterKinds, actionKinds...) {
		t.Run(k.name, func(t *testing.T) {
			dev := k.make(t, s, i)
			c := tc.New(s.Conn)
			parent := tc.Handle(1, 0)
			if strings.Contains(k.lines, "clsact") {
				parent = tc.TC_H_CLSACT&^0xffff | tc.TC_H_MIN_INGRESS
			}
			lossless(t, s, tc.OpGetFilter, at(dev.index, parent))
			again(t, s, k.show(dev), c.DumpFilter(context.Background(), &tc.Object{Tcmsg: at(dev.index, parent)}), isFilter, delFilter(c), c.NewFilter)
		})
	}
}

// isFilter reports whether a message of a dump is a filter that can be made: not the mark
// of a priority, nor the hash table that u32 makes with the first filter.
func isFilter(o *tc.Object) bool {
	u, ok := o.Options.(*tc.U32)
	return o.Handle != 0 && !(ok && u.Divisor.Set && o.Handle == 0x80000000)
}

// delFilter deletes filters. The hash tables of u32 go with the last of them, and cgroup
// finds its only filter without a handle.
func delFilter(c *tc.Client) call {
	return func(ctx context.Context, o *tc.Object, flags ...netlink.Flags) error {
		if u, ok := o.Options.(*tc.U32); ok && u.Divisor.Set {
			return nil
		}
		if _, ok := o.Options.(*tc.Cgroup); ok {
			o.Handle = 0
		}
		return c.DelFilter(ctx, o, flags...)
	}
}

func at(index int32, parent uint32) tc.Tcmsg { return tc.Tcmsg{Ifindex: index, Parent: parent} }

// A device is the interface of a test, and its peer.
type device struct {
	name, peer string
	index      int32
}

func (d device) fill(s string) string {
	return strings.NewReplacer("$d", d.name, "$p", d.peer).Replace(s)
}

// make makes a kind on a new device, the i-th of the namespace, or skips the test under
// the module's name.
func (k kind) make(t *testing.T, s *ynlkernel.Sandbox, i int) device {
	t.Helper()
	dev := veth(t, s, i)
	for line := range strings.Lines(k.lines) {
		if line = strings.TrimSpace(line); line != "" {
			s.Try(t, k.module, dev.fill(line))
		}
	}
	return dev
}

func (k kind) show(dev device) string { return dev.fill(k.same) }

// veth makes a pair of devices. They have no addresses, so nothing is sent and counted.
func veth(t *testing.T, s *ynlkernel.Sandbox, i int) device {
	t.Helper()
	dev := device{name: fmt.Sprintf("v%d", i), peer: fmt.Sprintf("p%d", i)}
	s.Run(t, dev.fill(`
		ip link add $d numtxqueues 4 type veth peer name $p
		ip link set $d addrgenmode none up
		ip link set $p addrgenmode none up`))
	dev.index = s.Link(t, dev.name).Index
	return dev
}

// lossless fails the test if what the kernel lists changes when it is decoded and encoded.
// Of netem the order of attributes after a struct changes, which Lossless takes for another
// value.
func lossless(t *testing.T, s *ynlkernel.Sandbox, op *ynl.Op, header tc.Tcmsg) {
	t.Helper()
	const size = 20 // struct tcmsg
	for _, c := range s.Dump(t, op, &tc.Object{Tcmsg: header}) {
		var o tc.Object
		if err := o.Decode(c.Payload); err != nil {
			t.Fatal(err)
		}
		if _, ok := o.Options.(*tc.Netem); ok {
			continue
		}
		ynlkernel.Lossless(t, &tc.Family, c, size)
	}
}

type call func(context.Context, *tc.Object, ...netlink.Flags) error

// again deletes what a dump lists and makes it again, in the order of handles, as parents
// have the smaller ones. What the command shows must not change. Each message must be the
// same after JSON as before, and leave no attribute unknown.
func again(t *testing.T, s *ynlkernel.Sandbox, command string, dump ynl.Stream[tc.Object], wanted func(*tc.Object) bool, del, make call) {
	t.Helper()
	before := s.Run(t, command)
	var list []*tc.Object
	for o, err := range dump {
		if err != nil {
			t.Fatal(err)
		}
		if wanted(o) {
			list = append(list, o)
		}
	}
	if len(list) == 0 {
		t.Fatalf("nothing listed of\n%s", before)
	}
	slices.SortStableFunc(list, func(a, b *tc.Object) int { return cmp.Compare(a.Handle, b.Handle) })
	ctx := kerneltest.Patient(t)
	for i := len(list) - 1; i >= 0; i-- {
		ynlkernel.Known[tc.Raw](t, list[i])
		throughJSON(t, list[i])
		if err := del(ctx, list[i].Settable()); err != nil {
			t.Fatalf("delete: %v\n%s", err, text(list[i]))
		}
	}
	for _, o := range list {
		o = o.Settable()
		complete(o)
		if err := make(ctx, o, ynlkernel.Create); err != nil {
			t.Fatalf("make: %v\n%s", err, text(o))
		}
	}
	// The kernel lets go of a deleted filter's actions in the background, and until then
	// counts it among the users of those made again.
	for deadline := time.Now().Add(5 * time.Second); s.Run(t, command) != before && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	s.Same(t, command, before)
}

// complete adds the tables that the kernel needs and that neither it nor anything that it
// reports has: how the average of an idle queue shrinks.
func complete(o *tc.Object) {
	table := make([]byte, 256)
	switch options := o.Options.(type) {
	case *tc.Red:
		options.Stab = table
	case *tc.Choke:
		options.Stab = table
	}
}

func text(o *tc.Object) string {
	b, err := json.MarshalIndent(o, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// throughJSON fails the test if a message changes when it is written as JSON and read.
func throughJSON(t *testing.T, o *tc.Object) {
	t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		t.Errorf("marshal: %v", err)
		return
	}
	var back tc.Object
	if err := json.Unmarshal(b, &back); err != nil {
		t.Errorf("unmarshal: %v\n%s", err, b)
	} else if !reflect.DeepEqual(o, &back) {
		t.Errorf("changed by JSON: %s\nbefore: %+v\nafter:  %+v", b, o, &back)
	}
}
