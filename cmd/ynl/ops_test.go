package main

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/all"
)

func TestOps(t *testing.T) {
	run(bg, unreachable, 0, "", "ops", "rt-link").want(t, exitOK, `newlink      do       CAP_NET_ADMIN
newlink-ntf  event
dellink      do       CAP_NET_ADMIN
getlink      do dump
setlink      do       CAP_NET_ADMIN
getstats     do dump
newlinkprop  do       CAP_NET_ADMIN
dellinkprop  do       CAP_NET_ADMIN
setstats     do       CAP_NET_ADMIN
`, "")
	// Two operations of one name are one line.
	if r := run(bg, unreachable, 0, "", "ops", "devlink"); strings.Count(r.stdout, "\nport-get ") != 1 || !strings.Contains(r.stdout, "dump do") && !strings.Contains(r.stdout, "do dump") {
		t.Error(r.stdout)
	}
}

// What an operation takes is shown as a page.
func TestOpsOfOne(t *testing.T) {
	run(bg, unreachable, 0, "", "ops", "rt-addr", "newaddr").want(t, exitOK, `rt-addr newaddr: do, CAP_NET_ADMIN

Request, which is acknowledged only:
  ifa-family      u8
  ifa-prefixlen   u8
  ifa-flags       u8 flags ifa-flags (read-only: secondary, dadfailed,
                    deprecated, tentative, permanent, stable-privacy):
                    secondary, nodad, optimistic, dadfailed, homeaddress,
                    deprecated, tentative, permanent, managetempaddr,
                    noprefixroute, mcautojoin, stable-privacy
  ifa-scope       u8 rt-scope: universe, site, link, host, nowhere
  ifa-index       u32
  address         address
  local           address
  label           string
  broadcast       ipv4
  anycast         ipv6
  cacheinfo       struct ifa-cacheinfo
    ifa-prefered  u32
    ifa-valid     u32
    cstamp        u32
    tstamp        u32
  multicast       address
  flags           u32 flags ifa-flags (read-only: secondary, dadfailed,
                    deprecated, tentative, permanent, stable-privacy), as above
  rt-priority     u32
  target-netnsid  s32
  proto           u8

Example:
  ynl do -create rt-addr newaddr '{
    "ifa-family": 2,
    "address": "192.0.2.1",
    "local": "192.0.2.1",
    "label": "name"
  }'
`, "")
}

// The request and the reply of an operation may differ, a reply may be all there is, and a
// sub-message has kinds.
func TestOpsHeadings(t *testing.T) {
	for _, tt := range []struct{ family, op, want string }{
		{"rt-link", "getlink", "rt-link getlink: do and dump\n\nRequest and reply:\n  ifi-family "},
		{"rt-link", "newlink-ntf", "rt-link newlink-ntf: event\n\nEvent:\n  ifi-family "},
		{"sockdiag", "get-unix", "\nReply:\n  udiag-family "},
		{"rt-link", "newlink", "\n    data        sub-message by kind\n"},
		{"rt-link", "newlink", "\n      kind = vlan: linkinfo-vlan\n        id           u16\n"},
		{"tc", "newqdisc", "= clsact: nothing\n"},
		{"rt-route", "newroute", "  list of nest route, as above\n    rtnh-flags "},
		{"conntrack", "get-stats", "\n  ynl dump conntrack get-stats '"},
	} {
		if r := run(bg, unreachable, 0, "", "ops", tt.family, tt.op); !strings.Contains(r.stdout, tt.want) || r.code != exitOK {
			t.Errorf("%s %s: no %q in\n%s%s", tt.family, tt.op, tt.want, r.stdout, r.stderr)
		}
	}
}

// Pages have the width of the terminal, or that of most of them.
func TestOpsFitTheTerminal(t *testing.T) {
	for _, tt := range []struct{ terminal, width int }{{0, 80}, {80, 80}, {132, 132}} {
		for _, f := range all.Families {
			for _, op := range byName(f.Ops()) {
				r := run(bg, unreachable, tt.terminal, "", "ops", f.Name(), op.Name)
				for line := range strings.Lines(r.stdout) {
					if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > tt.width {
						t.Errorf("%s %s: %d characters: %s", f.Name(), op.Name, n, line)
					}
				}
			}
		}
	}
	r := run(bg, unreachable, 20, "", "ops", "rt-addr", "newaddr")
	if want := "  ifa-scope       u8 rt-scope: universe,\n                    site, link, host,\n"; !strings.Contains(r.stdout, want) {
		t.Errorf("no %q in\n%s", want, r.stdout)
	}
}

// The JSON of an operation is what the page is made of.
func TestOpsAsJSON(t *testing.T) {
	run(bg, unreachable, 80, "", "ops", "-json", "netns").want(t, exitOK, `{"name":"newnsid","modes":["do"],"privilege":"CAP_NET_ADMIN"}
{"name":"delnsid","modes":["event"],"privilege":"CAP_NET_ADMIN"}
{"name":"getnsid","modes":["do","dump"]}
`, "")
	r := run(bg, unreachable, 80, "", "ops", "-json", "nlctrl", "getfamily")
	r.want(t, exitOK, r.stdout, "")
	var op namedOp
	if err := json.Unmarshal([]byte(r.stdout), &op); err != nil {
		t.Fatal(err)
	}
	want := ynl.Field{Name: "family-name", Type: "string"}
	if op.Name != "getfamily" || len(op.Request) == 0 || len(op.Reply) != len(op.Request) || op.Request[1].Name != want.Name || op.Request[1].Type != want.Type {
		t.Errorf("%+v", op)
	}
}

// The example of each operation can be sent.
func TestOpsExamplesCanBeSent(t *testing.T) {
	for _, f := range all.Families {
		for _, op := range byName(f.Ops()) {
			op.describe()
			if op.Example == nil {
				continue
			}
			for _, o := range op.ops {
				req := o.New()
				if err := json.Unmarshal(op.Example, req); err != nil {
					t.Errorf("%s %s: %v\n%s", f.Name(), op.Name, err, op.Example)
					continue
				}
				var b wire.Builder
				req.Encode(&b)
				if _, err := b.Encode(); err != nil {
					t.Errorf("%s %s: %v\n%s", f.Name(), op.Name, err, op.Example)
				}
			}
		}
	}
}

// Operations of one name have the same fields in each mode, so that one page does.
func TestOpsOfOneNameHaveOneForm(t *testing.T) {
	for _, f := range all.Families {
		for _, op := range byName(f.Ops()) {
			for _, o := range op.ops[1:] {
				if first := op.ops[0].Row; o.Row.Set != first.Set || o.Row.ReplySet != first.ReplySet {
					t.Errorf("%s %s has two forms", f.Name(), op.Name)
				}
			}
		}
	}
}
