//go:build linux

package rtlink_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/ynlkernel"
	"github.com/nlmux/netlink/ynl/rtlink"
)

// TestAgainstTool compares links of many kinds with what ip reads of them.
func TestAgainstTool(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	s.Links(t)
	var theirs []map[string]any
	var ours []*rtlink.Link
	ynlkernel.Steady(t, func() (state string) {
		var err error
		if ours, err = rtlink.New(s.Conn).DumpLink(kerneltest.Patient(t), nil).List(); err != nil {
			t.Fatal(err)
		}
		for _, l := range ours {
			state += fmt.Sprintln(l.Index, l.Flags, l.Operstate, l.Qdisc)
		}
		return state
	}, func() { theirs = s.JSON(t, "ip -s -j -d link show") })
	if len(ours) != len(theirs) {
		t.Fatalf("%d links for ip, %d here", len(theirs), len(ours))
	}
	c := comparison{t: t, names: map[int32]string{}}
	for _, l := range ours {
		c.names[l.Index] = l.Ifname.Value
	}
	for i, o := range theirs {
		info, _ := o["linkinfo"].(map[string]any)
		delete(o, "linkinfo")
		delete(o, "stats64") // counts go on
		c.count += ynlkernel.Compare(t, ours[i].Ifname.Value, o, ours[i], c.linkFields())
		if info == nil {
			continue
		}
		l := ours[i].Linkinfo
		for name, value := range info {
			switch name {
			case "info_kind":
				c.equal(ours[i].Kind(), name, value, l.Kind.Value)
			case "info_slave_kind":
				c.equal(ours[i].Kind(), name, value, l.SlaveKind.Value)
			case "info_data":
				c.data(ours[i].Kind(), value.(map[string]any), l.Data)
			case "info_slave_data":
				c.data(l.SlaveKind.Value+"_slave", value.(map[string]any), l.SlaveData)
			case "info_xstats":
			default:
				t.Errorf("%s: nothing to compare with %s", ours[i].Ifname, name)
			}
		}
	}
	if c.count < 400 {
		t.Errorf("only %d values compared", c.count)
	}
	t.Log(len(ours), "links,", c.count, "values")
}

type comparison struct {
	t     *testing.T
	names map[int32]string
	count int
}

func (c *comparison) equal(what, name string, theirs, ours any) {
	c.t.Helper()
	c.count++
	if !ynlkernel.Equal(theirs, ours) {
		c.t.Errorf("%s: %s is %v for ip, %v here", what, name, theirs, ours)
	}
}

// name returns the name of the link with an index. ip prints the indices of links in other
// namespaces, and 0 as *.
func (c *comparison) name(index uint32) any {
	if name, ok := c.names[int32(index)]; ok {
		return name
	}
	return ynlkernel.Anything
}

// linkFields are the fields of ip -j link.
func (c *comparison) linkFields() map[string]func(*rtlink.Link) any {
	number := func(f func(*rtlink.Link) ynl.Opt[uint32]) func(*rtlink.Link) any {
		return func(l *rtlink.Link) any { return ynlkernel.Value(f(l)) }
	}
	return map[string]func(*rtlink.Link) any{
		"ifindex": func(l *rtlink.Link) any { return l.Index },
		"ifname":  func(l *rtlink.Link) any { return l.Ifname.Value },
		"flags":   func(l *rtlink.Link) any { return linkFlags(l.Flags) },
		"mtu":     number(func(l *rtlink.Link) ynl.Opt[uint32] { return l.MTU }),
		"qdisc":   func(l *rtlink.Link) any { return l.Qdisc.Value },
		"operstate": func(l *rtlink.Link) any {
			states := []string{"UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP"}
			return states[l.Operstate.Value]
		},
		"linkmode": func(l *rtlink.Link) any { return []string{"DEFAULT", "DORMANT"}[l.Linkmode.Value] },
		"group": func(l *rtlink.Link) any {
			if l.Group.Value == 0 {
				return "default"
			}
			return l.Group.Value
		},
		"txqlen":              number(func(l *rtlink.Link) ynl.Opt[uint32] { return l.Txqlen }),
		"link":                func(l *rtlink.Link) any { return c.name(l.Link.Value) },
		"link_index":          number(func(l *rtlink.Link) ynl.Opt[uint32] { return l.Link }),
		"link_netnsid":        func(l *rtlink.Link) any { return l.LinkNetnsid.Value },
		"master":              func(l *rtlink.Link) any { return c.name(l.Master.Value) },
		"link_type":           func(l *rtlink.Link) any { return linkType(l) },
		"address":             func(l *rtlink.Link) any { return hardware(l, l.Address) },
		"broadcast":           func(l *rtlink.Link) any { return hardware(l, l.Broadcast) },
		"link_pointtopoint":   func(l *rtlink.Link) any { return l.Flags&rtlink.IFF_POINTOPOINT != 0 },
		"permaddr":            func(l *rtlink.Link) any { return hardware(l, l.PermAddress) },
		"promiscuity":         number(func(l *rtlink.Link) ynl.Opt[uint32] { return l.Promiscuity }),
		"allmulti":            number(func(l *rtlink.Link) ynl.Opt[uint32] { return l.Allmulti }),
		"min_mtu":             number(func(l *rtlink.Link) ynl.Opt[uint32] { return l.MinMTU }),
		"max_mtu":             number(func(l *rtlink.Link) ynl.Opt[uint32] { return l.MaxMTU }),
		"num_tx_queues":       number(func(l *rtlink.Link) ynl.Opt[uint32] { return l.NumTxQueues }),
		"num_rx_queues":       number(func(l *rtlink.Link) ynl.Opt[uint32] { return l.NumRxQueues }),
		"gso_max_size":        number(func(l *rtlink.Link) ynl.Opt[uint32] { return l.GSOMaxSize }),
		"gso_max_segs":        number(func(l *rtlink.Link) ynl.Opt[uint32] { return l.GSOMaxSegs }),
		"tso_max_size":        number(func(l *rtlink.Link) ynl.Opt[uint32] { return l.TSOMaxSize }),
		"tso_max_segs":        number(func(l *rtlink.Link) ynl.Opt[uint32] { return l.TSOMaxSegs }),
		"gro_max_size":        number(func(l *rtlink.Link) ynl.Opt[uint32] { return l.GROMaxSize }),
		"ifalias":             func(l *rtlink.Link) any { return l.Ifalias.Value },
		"proto_down":          func(l *rtlink.Link) any { return l.ProtoDown.Value == 1 },
		"proto_down_reason":   func(l *rtlink.Link) any { return bits(l.ProtoDownReason.Value.Value) },
		"inet6_addr_gen_mode": func(l *rtlink.Link) any { return addrGenMode(l) },
		"altnames": func(l *rtlink.Link) any {
			var list []any
			for _, name := range l.PropList.AltIfname {
				list = append(list, name)
			}
			return list
		},
	}
}

// hardware returns a link address as ip prints it: as an IP address for tunnels.
func hardware(l *rtlink.Link, a []byte) any {
	if linkType(l) == "ether" || linkType(l) == "loopback" {
		return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4], a[5])
	}
	return ynlkernel.Anything
}

func linkType(l *rtlink.Link) any {
	types := map[uint16]string{1: "ether", 772: "loopback", 65534: "none", 280: "can", 824: "netlink"}
	if name, ok := types[l.Type]; ok {
		return name
	}
	return ynlkernel.Anything
}

func addrGenMode(l *rtlink.Link) any {
	spec, ok := l.AfSpec.(*rtlink.AfSpec)
	if !ok || spec.Inet6 == nil {
		return ynlkernel.Absent
	}
	return []string{"eui64", "none", "stable_secret", "random"}[spec.Inet6.AddrGenMode.Value]
}

func bits(mask uint32) (list []any) {
	for i := range 32 {
		if mask&(1<<i) != 0 {
			list = append(list, fmt.Sprint(i))
		}
	}
	return list
}

func linkFlags(f rtlink.IfinfoFlags) any {
	list := []any{}
	if f&rtlink.IFF_UP != 0 && f&rtlink.IFF_RUNNING == 0 {
		list = append(list, "NO-CARRIER")
	}
	f &^= rtlink.IFF_RUNNING
	for _, name := range []struct {
		flag rtlink.IfinfoFlags
		text string
	}{
		{rtlink.IFF_LOOPBACK, "LOOPBACK"}, {rtlink.IFF_BROADCAST, "BROADCAST"}, {rtlink.IFF_POINTOPOINT, "POINTOPOINT"},
		{rtlink.IFF_MULTICAST, "MULTICAST"}, {rtlink.IFF_NOARP, "NOARP"}, {rtlink.IFF_ALLMULTI, "ALLMULTI"},
		{rtlink.IFF_PROMISC, "PROMISC"}, {rtlink.IFF_MASTER, "MASTER"}, {rtlink.IFF_SLAVE, "SLAVE"},
		{rtlink.IFF_DEBUG, "DEBUG"}, {rtlink.IFF_DYNAMIC, "DYNAMIC"}, {rtlink.IFF_AUTOMEDIA, "AUTOMEDIA"},
		{rtlink.IFF_PORTSEL, "PORTSEL"}, {rtlink.IFF_NOTRAILERS, "NOTRAILERS"}, {rtlink.IFF_UP, "UP"},
		{rtlink.IFF_LOWER_UP, "LOWER_UP"}, {rtlink.IFF_DORMANT, "DORMANT"}, {rtlink.IFF_ECHO, "ECHO"},
	} {
		if f&name.flag != 0 {
			list = append(list, name.text)
		}
	}
	return ynlkernel.Subset{Of: list, Besides: "M-DOWN"}
}

// data compares what a kind has of its own. Most names of ip are those of the
// specification.
func (c *comparison) data(kind string, theirs map[string]any, data any) {
	c.t.Helper()
	text, err := json.Marshal(data)
	if err != nil {
		c.t.Fatal(err)
	}
	var ours map[string]any
	if err := json.Unmarshal(text, &ours); err != nil {
		c.t.Errorf("%s: ip has %v, here it is %s", kind, theirs, text)
		return
	}
	for name, value := range theirs {
		if skippedData[kind+"."+name] || skippedData["*."+name] {
			continue
		}
		spec := strings.ReplaceAll(name, "_", "-")
		for _, k := range []string{kind, "*"} {
			if other, ok := dataNames[k+"."+name]; ok {
				spec = other
				break
			}
		}
		mine, ok := ours[spec]
		if !ok && value == false {
			continue // a flag that is not set
		}
		c.count++
		if !ok {
			c.t.Errorf("%s: nothing to compare with %s: %v in %s", kind, name, value, text)
		} else if !c.alike(value, mine) {
			c.t.Errorf("%s: %s is %v for ip, %v here", kind, name, value, mine)
		}
	}
}

// alike reports whether a value of ip and one in our JSON mean the same.
func (c *comparison) alike(theirs, ours any) bool {
	switch o := ours.(type) {
	case float64:
		switch v := theirs.(type) {
		case nil:
			return o == 1
		case bool:
			return v == (o != 0)
		case json.Number:
			f, err := v.Float64()
			// Timers are in seconds there, in hundredths here, and go on.
			return err == nil && (f == o || strings.Contains(v.String(), ".") && math.Abs(f*100-o) < 200)
		case string:
			n, err := strconv.ParseUint(strings.TrimPrefix(v, "0x"), 0, 64)
			h, err2 := strconv.ParseUint(strings.TrimPrefix(v, "0x"), 16, 64)
			return err == nil && float64(n) == o || err2 == nil && float64(h) == o || v == c.names[int32(o)]
		}
	case string:
		v, ok := theirs.(string)
		same := strings.NewReplacer("-", "", "_", "", ".", "", ":", "", "0x", "")
		return ok && strings.EqualFold(same.Replace(v), same.Replace(o)) || theirs == true && o == "01" || theirs == false && o == "00"
	case bool:
		return theirs == o || theirs == nil && o
	case map[string]any:
		if v, ok := theirs.(map[string]any); ok {
			for name := range v {
				if !c.alike(v[name], o[name]) {
					return false
				}
			}
			return true
		}
		if id, ok := theirs.(string); ok && o["prio"] != nil { // of a bridge
			addr := strings.ReplaceAll(":"+o["addr"].(string), ":0", ":")
			return id == fmt.Sprintf("%x.%s", int(o["prio"].(float64)), addr[1:])
		}
	case []any:
		v, ok := theirs.([]any)
		if !ok || len(v) != len(o) {
			return false
		}
		for i := range v {
			if !c.alike(v[i], o[i]) {
				return false
			}
		}
		return true
	}
	return false
}

// dataNames are the names of the specification where those of ip are others.
var dataNames = map[string]string{
	"bridge_slave.hairpin":          "mode",
	"bridge_slave.root_block":       "protect",
	"bridge_slave.fastleave":        "fast-leave",
	"bridge_slave.flood":            "unicast-flood",
	"bridge_slave.proxy_arp":        "proxyarp",
	"bridge_slave.proxy_arp_wifi":   "proxyarp-wifi",
	"bridge_slave.mcast_to_unicast": "mcast-to-ucast",
	"macvlan.bcqueuelen":            "bc-queue-len",
	"macvlan.usedbcqueuelen":        "bc-queue-len-used",
	"macvtap.bcqueuelen":            "bc-queue-len",
	"macvtap.usedbcqueuelen":        "bc-queue-len-used",
	"vxlan.remote":                  "group",
	"vxlan.remote6":                 "group6",
	"vxlan.external":                "collect-metadata",
	"tun.numqueues":                 "num-queues",
	"tun.numdisabled":               "num-disabled-queues",
	"vlan.ingress_qos":              "ingress-qos",
}

// skippedData are the values that ip derives, or prints in a way of its own, which the
// tests by name look at.
var skippedData = map[string]bool{
	"bridge_slave.state":              true, // a name there, a number here
	"bridge_slave.group_fwd_mask_str": true,
	"bridge.no_linklocal_learn":       true, // bits of multi-boolopt
	"bridge.mcast_vlan_snooping":      true,
	"macvlan.macaddr_data":            true,
	"vxlan.tos":                       true, // hexadecimal digits after "0x" of a decimal number
	"vxlan.ttl":                       true,
	"tun.type":                        true,
	"tun.user":                        true, // a name there
	"tun.group":                       true,
}
