package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// A compiler is a C compiler and the folder of the headers, empty for its own.
type compiler struct{ path, include string }

// command returns the command that compiles, with the messages in English.
func (c compiler) command(args ...string) *exec.Cmd {
	if c.include != "" {
		args = append([]string{"-isystem", c.include}, args...)
	}
	cmd := exec.Command(c.path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	return cmd
}

// release returns the release of Linux that the headers are of, such as "6.1".
func (c compiler) release() (string, error) {
	cmd := c.command("-E", "-P", "-")
	cmd.Stdin = strings.NewReader("#include <linux/version.h>\nLINUX_VERSION_CODE\n")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("audit: linux/version.h: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		return "", fmt.Errorf("audit: LINUX_VERSION_CODE: %w", err)
	}
	return fmt.Sprintf("%d.%d", n>>16, n>>8&0xff), nil
}

// lessRelease reports whether release a is older than b.
func lessRelease(a, b string) (bool, error) {
	var n [2][2]int
	for i, s := range []string{a, b} {
		if _, err := fmt.Sscanf(s, "%d.%d", &n[i][0], &n[i][1]); err != nil {
			return false, fmt.Errorf("audit: release %q: %w", s, err)
		}
	}
	return n[0][0] < n[1][0] || n[0][0] == n[1][0] && n[0][1] < n[1][1], nil
}

// errorLine is a message about a line of the file "claims".
var errorLine = regexp.MustCompile(`(?m)^claims:(\d+):\d+: error: (.*)$`)

// check sets the verdicts. Each claim is an assertion on a line of its own, so one run of
// the compiler decides all.
func (c compiler) check(claims []claim) error {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "claims.c")
	if err := os.WriteFile(path, source(claims), 0o600); err != nil {
		return err
	}
	out, err := c.command("-w", "-fmax-errors=0", "-fsyntax-only", path).CombinedOutput()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		return err
	}
	messages := errorLine.FindAllSubmatch(out, -1)
	if err != nil && len(messages) == 0 {
		return fmt.Errorf("audit: %s: %w\n%s", c.path, err, out)
	}
	for _, m := range messages {
		n, err := strconv.Atoi(string(m[1]))
		if err != nil || n < 1 || n > len(claims) {
			return fmt.Errorf("audit: %s", m[0])
		}
		// A name that is not there fails the assertion as well.
		if v := verdictOf(m[2]); claims[n-1].verdict != absent {
			claims[n-1].verdict = v
		}
	}
	return nil
}

// verdictOf returns what a message of the compiler says.
func verdictOf(message []byte) verdict {
	if bytes.HasPrefix(message, []byte("static assertion failed")) {
		return differs
	}
	return absent
}

// source returns a C file that asserts the claims, and includes those headers that exist.
func source(claims []claim) []byte {
	var b bytes.Buffer
	b.WriteString("#include <stddef.h>\n#include <sys/socket.h>\n#include <netinet/in.h>\n#include <net/if.h>\n")
	b.WriteString("#define BIT(n) (1u << (n))\n") // linux/nexthop.h uses it and has it not
	for _, name := range strings.Fields(headers) {
		if !strings.HasPrefix(name, "drm/") {
			name = "linux/" + name
		}
		fmt.Fprintf(&b, "#if __has_include(<%s.h>)\n#include <%[1]s.h>\n#endif\n", name)
	}
	b.WriteString("#line 1 \"claims\"\n")
	for _, c := range claims {
		fmt.Fprintf(&b, "_Static_assert(%s, \"\");\n", c.condition)
	}
	return b.Bytes()
}

// headers are those that have what the specs describe, in <linux> if not in <drm>.
const headers = `
	types ipv6 icmpv6 snmp if if_vlan if_ether if_link if_addr if_bridge if_tunnel if_team if_macsec if_arp veth
	can/netlink can/vxcan amt wwan batman_adv if_bonding cfm_bridge mrp_bridge hsr_netlink
	rtnetlink neighbour fib_rules lwtunnel mpls mpls_iptunnel seg6 seg6_iptunnel seg6_local rpl
	rpl_iptunnel ioam6 ioam6_iptunnel ila nexthop net_namespace
	pkt_sched pkt_cls gen_stats
	tc_act/tc_bpf tc_act/tc_connmark tc_act/tc_csum tc_act/tc_ct tc_act/tc_ctinfo tc_act/tc_defact
	tc_act/tc_gact tc_act/tc_gate tc_act/tc_ife tc_act/tc_mirred tc_act/tc_mpls tc_act/tc_nat
	tc_act/tc_pedit tc_act/tc_sample tc_act/tc_skbedit tc_act/tc_skbmod tc_act/tc_tunnel_key
	tc_act/tc_vlan
	netfilter netfilter/nfnetlink netfilter/nf_tables netfilter/nf_tables_compat netfilter/nf_log
	netfilter/nf_nat netfilter/nfnetlink_conntrack netfilter/nfnetlink_cttimeout
	netfilter/nf_conntrack_common
	netfilter/nf_conntrack_tcp netfilter/nf_conntrack_sctp netfilter/nf_conntrack_tuple_common
	netfilter/nfnetlink_queue netfilter/nfnetlink_log netfilter/nfnetlink_acct netfilter/nfnetlink_osf
	netfilter/nfnetlink_cthelper netfilter/nfnetlink_hook netfilter/ipset/ip_set xfrm
	sock_diag inet_diag unix_diag packet_diag netlink_diag vm_sockets_diag tcp tls filter
	netlink genetlink ethtool ethtool_netlink netdev wireguard openvswitch nl80211 devlink dpll
	psample time_types tcp_metrics mptcp mptcp_pm fou net_shaper ovpn psp handshake
	nfsd_netlink lockd_netlink sunrpc_netlink dev_energymodel android/binder_netlink
	drm/drm_ras
`
