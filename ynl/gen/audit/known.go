package main

import "strings"

// structNames are the names of structs in C, where the specs have others.
var structNames = map[string]string{
	"nf-ct-tcp-flags-mask": "nf_ct_tcp_flags",
	"sta-flag-update":      "nl80211_sta_flag_update",
}

// memberPrefixes are what the specs leave out before the names of a struct's members.
var memberPrefixes = map[string]string{
	"--kernel-timespec": "tv_",
	"nda-cacheinfo":     "ndm_",
	"ndt-config":        "ndtc_",
	"ndt-stats":         "ndts_",
	"ndtmsg":            "ndtm_",
	"tcamsg":            "tca_",
	"tcmsg":             "tcm_",
}

// memberNames are the names of members in C, where the specs have others.
var memberNames = map[string]string{
	"in6-addr.addr":                  "s6_addr",
	"ipv6-rpl-sr-hdr.segments":       "segments.addr",
	"ovs-dp-megaflow-stats.padding":  "pad0",
	"rtgenmsg.family":                "rtgen_family",
	"tc-netem-qopt.loss-probability": "loss",
	"tc-dualpi2-xstats.pkts-in-c":    "packets_in_c",
	"tc-dualpi2-xstats.pkts-in-l":    "packets_in_l",
	"tc-dualpi2-xstats.step-mark":    "step_marks",
	// Of a qdisc; those of a class are another struct in the same place.
	"tc-fq-codel-xstats.maxpacket":       "qdisc_stats.maxpacket",
	"tc-fq-codel-xstats.drop-overlimit":  "qdisc_stats.drop_overlimit",
	"tc-fq-codel-xstats.ecn-mark":        "qdisc_stats.ecn_mark",
	"tc-fq-codel-xstats.new-flow-count":  "qdisc_stats.new_flow_count",
	"tc-fq-codel-xstats.new-flows-len":   "qdisc_stats.new_flows_len",
	"tc-fq-codel-xstats.old-flows-len":   "qdisc_stats.old_flows_len",
	"tc-fq-codel-xstats.ce-mark":         "qdisc_stats.ce_mark",
	"tc-fq-codel-xstats.memory-usage":    "qdisc_stats.memory_usage",
	"tc-fq-codel-xstats.drop-overmemory": "qdisc_stats.drop_overmemory",
}

// grown is what older headers have otherwise: structs that got members at their end, and
// numbers of counters that moved when others came in between.
var grown = []string{
	"IPSTATS_MIB_*",
	"struct tc_fq_qd_stats",
	"struct tcp_info",
}

// known are the differences, each with its reason. A name that ends in * is the beginning
// of several.
var known = map[string]string{
	// Names that no header for programs has.
	"CTA_FILTER_F_CTA_*":                  "include/net/netfilter/nf_internals.h",
	"HANDSHAKE_MAX_ERRNO":                 "a limit of the spec",
	"NET_SHAPER_MAX_HANDLE_ID":            "a limit of the spec",
	"TCP_METRICS_TCP_FASTOPEN_COOKIE_MAX": "include/linux/tcp.h",
	"TCP_BOUND_INACTIVE":                  tcpStates,
	"TCP_CLOSE":                           tcpStates,
	"TCP_CLOSE_WAIT":                      tcpStates,
	"TCP_CLOSING":                         tcpStates,
	"TCP_ESTABLISHED":                     tcpStates,
	"TCP_FIN_WAIT1":                       tcpStates,
	"TCP_FIN_WAIT2":                       tcpStates,
	"TCP_LAST_ACK":                        tcpStates,
	"TCP_LISTEN":                          tcpStates,
	"TCP_NEW_SYN_RECV":                    tcpStates,
	"TCP_SYN_RECV":                        tcpStates,
	"TCP_SYN_SENT":                        tcpStates,
	"TCP_TIME_WAIT":                       tcpStates,
	"TCPF_*":                              tcpStates,
	"struct vxlanhdr*":                    "include/net/vxlan.h",

	// Names that C does not have, or writes in another way.
	"ETHTOOL_A_CABLE_AMPLITUDE_MV":       "mV in C",
	"ETHTOOL_A_CABLE_PULSE_MV":           "mV in C",
	"ETHTOOL_C33_PSE_EXT_STATE_NONE":     "the spec names the zero",
	"INET_DIAG_EXT_*":                    "bits without names: 1 << (INET_DIAG_MEMINFO - 1) and so on",
	"IPS_NAT_CLASH":                      "for the kernel only; IPS_UNTRACKED in old headers",
	"IP_CT_TCP_FLAG_SIMULTANEOUS_OPEN":   "include/linux/netfilter/nf_conntrack_tcp.h",
	"NL80211_FEATURE_RESERVED":           "a bit that has no name",
	"OVS_FRAG_TYPE_ANY":                  "for the kernel only",
	"RTM_DELNEIGH_NTF":                   reports,
	"RTM_NEWNEIGH_NTF":                   reports,
	"RTM_DELRULE_NTF":                    reports,
	"RTM_NEWRULE_NTF":                    reports,
	"RTM_NEWLINK_NTF":                    reports,
	"RTM_NEWMULTICAST_NTF":               reports,
	"RTM_DELMULTICAST_NTF":               reports,
	"RTM_NEWANYCAST_NTF":                 reports,
	"RTM_DELANYCAST_NTF":                 reports,
	"SOCK_GET_*":                         "all are SOCK_DIAG_BY_FAMILY",
	"TCP_CA_DISORDER":                    "TCP_CA_Disorder in C",
	"TCP_CA_LOSS":                        "TCP_CA_Loss in C",
	"TCP_CA_OPEN":                        "TCP_CA_Open in C",
	"TCP_CA_RECOVERY":                    "TCP_CA_Recovery in C",
	"struct tc_u32_kcnt*":                "numbers in C; here each is a struct, as it is in a list",
	"struct inet_diag_sockopt.options":   bits,
	"struct ioam6_trace_hdr.nodelen":     bits,
	"struct ioam6_trace_hdr.remlen":      bits,
	"struct ipv6_rpl_sr_hdr.compression": bits,
	"struct tcp_info.tcpi_accecn":        bits,
	"struct tcp_info.tcpi_delivery":      bits,
	"struct tcp_info.tcpi_wscale":        bits,

	// Other values and layouts.
	"GRE_CSUM":                     "C has it in network byte order",
	"GRE_KEY":                      "C has it in network byte order",
	"TUNNEL_*":                     "C has them in network byte order",
	"GRE_SEQ":                      "C has it in network byte order",
	"struct rtgenmsg":              "one byte in C, and padding before the attributes",
	"struct seg6_iptunnel_encap":   "a struct ipv6_sr_hdr is a part of it in C",
	"struct seg6_iptunnel_encap.*": "members of its struct ipv6_sr_hdr in C",
}

// Reasons of several.
const (
	bits      = "a group of bits in C"
	reports   = "the operation is a report, and its number that of a request"
	tcpStates = "include/net/tcp_states.h"
)

// lookUp returns the item that a name is, or begins with if the item ends in *.
func lookUp(items []string, name string) (string, bool) {
	for _, item := range items {
		if prefix, ok := strings.CutSuffix(item, "*"); item == name || ok && strings.HasPrefix(name, prefix) {
			return item, true
		}
	}
	return "", false
}
