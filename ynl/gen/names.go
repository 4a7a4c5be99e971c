package main

import (
	"go/token"
	"strings"

	"github.com/nlmux/netlink/ynl/gen/internal/spec"
)

// initialisms are the words that Go names spell in their own way, also before digits.
var initialisms = map[string]string{
	"acl": "ACL", "arp": "ARP", "bpf": "BPF", "cpu": "CPU", "dns": "DNS", "dscp": "DSCP", "ecn": "ECN", "fd": "FD", "gid": "GID",
	"gre": "GRE", "gro": "GRO", "gso": "GSO", "icmp": "ICMP", "icmpv4": "ICMPv4", "icmpv6": "ICMPv6", "id": "ID", "igmp": "IGMP", "ip": "IP",
	"ipv4": "IPv4", "ipv6": "IPv6", "mac": "MAC", "mpls": "MPLS", "mss": "MSS", "mtu": "MTU", "nat": "NAT", "pid": "PID", "rss": "RSS",
	"rtt": "RTT", "sctp": "SCTP", "tcp": "TCP", "tos": "TOS", "tso": "TSO", "ttl": "TTL", "udp": "UDP", "uid": "UID", "vf": "VF",
	"vlan": "VLAN", "vxlan": "VXLAN", "xdp": "XDP",
}

// camel returns the Go name that a name of a spec makes.
func camel(name string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' || r == '.' || r == '/' }) {
		letters := strings.TrimRight(word, "0123456789")
		switch {
		case initialisms[word] != "":
			b.WriteString(initialisms[word])
		case initialisms[letters] != "":
			b.WriteString(initialisms[letters] + word[len(letters):])
		default:
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// packageName returns the name of the package of a spec.
func packageName(f *spec.Family) string {
	if f.Go != "" {
		return f.Go
	}
	return strings.NewReplacer("-", "", "_", "").Replace(f.Name)
}

// goName returns the name that the overlay gives, otherwise that of the rule.
func goName(given, rule string) string {
	if given != "" {
		return given
	}
	return rule
}

func setName(s *spec.Set) string {
	rule := strings.TrimSuffix(strings.TrimSuffix(s.Name, "-attrs"), "-attributes")
	return goName(s.Go, camel(rule))
}

func definitionName(d *spec.Definition) string { return goName(d.Go, camel(d.Name)) }

func subMessageName(s *spec.SubMessage) string {
	return goName(s.Go, camel(strings.TrimSuffix(s.Name, "-msg")))
}

func attrName(a *spec.Attr) string { return goName(a.Go, camel(a.Name)) }

// memberName returns the name of a struct's member: without the prefix that the members
// have in common.
func memberName(d *spec.Definition, m *spec.Member) string {
	return goName(m.Go, camel(strings.TrimPrefix(m.Name, commonPrefix(d))))
}

// commonPrefix returns the first word of the names of all members, with its dash, if it is
// the same. What remains of the names must be fit for a name.
func commonPrefix(d *spec.Definition) string {
	var prefix string
	n := 0
	for _, m := range d.Members {
		if m.Type == "pad" {
			continue
		}
		word, rest, ok := strings.Cut(m.Name, "-")
		if !ok || rest == "" || rest[0] >= '0' && rest[0] <= '9' || n > 0 && word != prefix {
			return ""
		}
		prefix = word
		n++
	}
	if n < 2 {
		return ""
	}
	return prefix + "-"
}

// verbs begin the names of operations that are one word, such as newlink.
var verbs = []string{"new", "delete", "del", "get", "set", "destroy"}

// operationName returns the name of an operation: NewLink for newlink.
func operationName(o *spec.Operation) string {
	if o.Go != "" {
		return o.Go
	}
	for _, verb := range verbs {
		if noun, ok := strings.CutPrefix(o.Name, verb); ok {
			return camel(verb) + camel(noun)
		}
	}
	return camel(o.Name)
}

// dumpName returns the name of the method that dumps: DumpLink for getlink.
func dumpName(o *spec.Operation) string {
	name := operationName(o)
	if noun, ok := strings.CutPrefix(name, "Get"); ok {
		return "Dump" + noun
	}
	return "Dump" + strings.TrimSuffix(name, "Get")
}

// A scope finds names that are there twice.
type scope struct {
	taken map[string]spec.Pos
	errs  *[]error
}

func newScope(errs *[]error, taken ...string) *scope {
	s := &scope{map[string]spec.Pos{}, errs}
	for _, name := range taken {
		s.taken[name] = spec.Pos{File: "every package"}
	}
	return s
}

// take notes a name. A name that is there already, or that Go does not allow, is an error,
// which the overlay settles by `go:`.
func (s *scope) take(at spec.Pos, what, name string) {
	if !token.IsIdentifier(name) || !token.IsExported(name) && name[0] != '_' {
		*s.errs = append(*s.errs, at.Errorf("%s: %q is no Go name; settle it in the overlay with go:", what, name))
		return
	}
	if old, ok := s.taken[name]; ok {
		*s.errs = append(*s.errs, at.Errorf("%s: the Go name %s is that of %s; settle it in the overlay with go:", what, name, old))
		return
	}
	s.taken[name] = at
}
