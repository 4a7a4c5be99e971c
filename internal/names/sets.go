package names

import "github.com/nlmux/netlink"

// Sizes of fixed headers, in bytes.
const (
	ifinfomsg  = 16
	ifaddrmsg  = 8
	rtmsg      = 12
	ndmsg      = 12
	fibRuleHdr = 12
	tcmsg      = 20
	tcamsg     = 4
	rtgenmsg   = 1
	nhmsg      = 8
	nfgenmsg   = 4
	genlmsghdr = 4
)

const (
	nftables                     = 10 // NFNL_SUBSYS_NFTABLES
	ctrlID   netlink.MessageType = 16 // GENL_ID_CTRL
)

// routes are rtnetlink's requests by their group of four types, which create, delete,
// get and set; RTM_NEWLINK is the first. A header of 0 bytes means unknown.
var routes = [...]layout{
	0:  {ifinfomsg, link},
	1:  {ifaddrmsg, address},
	2:  {rtmsg, route},
	3:  {ndmsg, neighbour},
	4:  {fibRuleHdr, rule},
	5:  {tcmsg, traffic}, // queueing disciplines
	6:  {tcmsg, traffic}, // classes
	7:  {tcmsg, traffic}, // filters
	8:  {tcamsg, action},
	18: {rtgenmsg, netNS},
	21: {tcmsg, traffic}, // chains of filters
	22: {nhmsg, nextHop},
	23: {ifinfomsg, link}, // alternative names
	25: {nhmsg, nextHop},  // buckets
}

// tables are the requests of nf_tables by type.
var tables = [...]Set{
	0: nfTable, 1: nfTable, 2: nfTable,
	3: nfChain, 4: nfChain, 5: nfChain,
	6: nfRule, 7: nfRule, 8: nfRule,
	9: nfSet, 10: nfSet, 11: nfSet,
	12: nfElements, 13: nfElements, 14: nfElements,
	18: nfObject, 19: nfObject, 20: nfObject, 21: nfObject,
	22: nfFlowtable, 23: nfFlowtable, 24: nfFlowtable,
}

const (
	link Set = iota + 1
	linkInfo
	linkFunctions
	linkFunction
	linkXDP
	linkReason
	address
	route
	metrics
	neighbour
	rule
	traffic
	action
	nextHop
	nextHopGroup
	nextHopBucket
	netNS
	controller
	nfTable
	nfChain
	nfRule
	nfSet
	nfElements
	nfObject
	nfFlowtable
)

// sets have the names without their prefix, by type from 0 on. They are those of
// include/uapi/linux/{if_link,if_addr,rtnetlink,neighbour,fib_rules,nexthop,net_namespace,
// genetlink,netfilter/nf_tables}.h. The contents of IFLA_INFO_DATA, IFLA_AF_SPEC,
// RTA_ENCAP and TCA_OPTIONS have no names, because they do not depend on the type
// alone.
var sets = [...]struct {
	prefix string
	names  string
	nests  []nest
}{
	link: {
		prefix: "IFLA_",
		names: `UNSPEC ADDRESS BROADCAST IFNAME MTU LINK QDISC STATS COST PRIORITY MASTER WIRELESS
			PROTINFO TXQLEN MAP WEIGHT OPERSTATE LINKMODE LINKINFO NET_NS_PID IFALIAS NUM_VF
			VFINFO_LIST STATS64 VF_PORTS PORT_SELF AF_SPEC GROUP NET_NS_FD EXT_MASK PROMISCUITY
			NUM_TX_QUEUES NUM_RX_QUEUES CARRIER PHYS_PORT_ID CARRIER_CHANGES PHYS_SWITCH_ID
			LINK_NETNSID PHYS_PORT_NAME PROTO_DOWN GSO_MAX_SEGS GSO_MAX_SIZE PAD XDP EVENT NEW_NETNSID
			TARGET_NETNSID CARRIER_UP_COUNT CARRIER_DOWN_COUNT NEW_IFINDEX MIN_MTU MAX_MTU PROP_LIST
			ALT_IFNAME PERM_ADDRESS PROTO_DOWN_REASON PARENT_DEV_NAME PARENT_DEV_BUS_NAME GRO_MAX_SIZE
			TSO_MAX_SIZE TSO_MAX_SEGS ALLMULTI DEVLINK_PORT GSO_IPV4_MAX_SIZE GRO_IPV4_MAX_SIZE
			DPLL_PIN MAX_PACING_OFFLOAD_HORIZON NETNS_IMMUTABLE HEADROOM TAILROOM`,
		nests: []nest{{18, linkInfo}, {22, linkFunctions}, {43, linkXDP}, {52, link}, {55, linkReason}},
	},
	linkInfo: {
		prefix: "IFLA_INFO_",
		names:  "UNSPEC KIND DATA XSTATS SLAVE_KIND SLAVE_DATA",
	},
	linkFunctions: {
		prefix: "IFLA_VF_",
		names:  "INFO_UNSPEC INFO",
		nests:  []nest{{1, linkFunction}},
	},
	linkFunction: {
		prefix: "IFLA_VF_",
		names: `UNSPEC MAC VLAN TX_RATE SPOOFCHK LINK_STATE RATE RSS_QUERY_EN STATS TRUST IB_NODE_GUID
			IB_PORT_GUID VLAN_LIST BROADCAST`,
	},
	linkXDP: {
		prefix: "IFLA_XDP_",
		names:  "UNSPEC FD ATTACHED FLAGS PROG_ID DRV_PROG_ID SKB_PROG_ID HW_PROG_ID EXPECTED_FD",
	},
	linkReason: {
		prefix: "IFLA_PROTO_DOWN_REASON_",
		names:  "UNSPEC MASK VALUE",
	},
	address: {
		prefix: "IFA_",
		names: `UNSPEC ADDRESS LOCAL LABEL BROADCAST ANYCAST CACHEINFO MULTICAST FLAGS RT_PRIORITY
			TARGET_NETNSID PROTO`,
	},
	route: {
		prefix: "RTA_",
		names: `UNSPEC DST SRC IIF OIF GATEWAY PRIORITY PREFSRC METRICS MULTIPATH PROTOINFO FLOW CACHEINFO
			SESSION MP_ALGO TABLE MARK MFC_STATS VIA NEWDST PREF ENCAP_TYPE ENCAP EXPIRES PAD UID
			TTL_PROPAGATE IP_PROTO SPORT DPORT NH_ID FLOWLABEL`,
		nests: []nest{{8, metrics}},
	},
	metrics: {
		prefix: "RTAX_",
		names: `UNSPEC LOCK MTU WINDOW RTT RTTVAR SSTHRESH CWND ADVMSS REORDERING HOPLIMIT INITCWND
			FEATURES RTO_MIN INITRWND QUICKACK CC_ALGO FASTOPEN_NO_COOKIE`,
	},
	neighbour: {
		prefix: "NDA_",
		names: `UNSPEC DST LLADDR CACHEINFO PROBES VLAN PORT VNI IFINDEX MASTER LINK_NETNSID SRC_VNI
			PROTOCOL NH_ID FDB_EXT_ATTRS FLAGS_EXT NDM_STATE_MASK NDM_FLAGS_MASK`,
	},
	rule: {
		prefix: "FRA_",
		names: `UNSPEC DST SRC IIFNAME GOTO UNUSED2 PRIORITY UNUSED3 UNUSED4 UNUSED5 FWMARK FLOW TUN_ID
			SUPPRESS_IFGROUP SUPPRESS_PREFIXLEN TABLE FWMASK OIFNAME PAD L3MDEV UID_RANGE PROTOCOL
			IP_PROTO SPORT_RANGE DPORT_RANGE DSCP FLOWLABEL FLOWLABEL_MASK SPORT_MASK DPORT_MASK
			DSCP_MASK`,
	},
	traffic: {
		prefix: "TCA_",
		names: `UNSPEC KIND OPTIONS STATS XSTATS RATE FCNT STATS2 STAB PAD DUMP_INVISIBLE CHAIN HW_OFFLOAD
			INGRESS_BLOCK EGRESS_BLOCK DUMP_FLAGS EXT_WARN_MSG`,
	},
	action: {
		prefix: "TCA_ROOT_",
		names:  "UNSPEC TAB FLAGS COUNT TIME_DELTA EXT_WARN_MSG",
	},
	nextHop: {
		prefix: "NHA_",
		names: `UNSPEC ID GROUP GROUP_TYPE BLACKHOLE OIF GATEWAY ENCAP_TYPE ENCAP GROUPS MASTER FDB
			RES_GROUP RES_BUCKET OP_FLAGS GROUP_STATS HW_STATS_ENABLE HW_STATS_USED`,
		nests: []nest{{12, nextHopGroup}, {13, nextHopBucket}},
	},
	nextHopGroup: {
		prefix: "NHA_RES_GROUP_",
		names:  "UNSPEC BUCKETS IDLE_TIMER UNBALANCED_TIMER UNBALANCED_TIME",
	},
	nextHopBucket: {
		prefix: "NHA_RES_BUCKET_",
		names:  "UNSPEC INDEX IDLE_TIME NH_ID",
	},
	netNS: {
		prefix: "NETNSA_",
		names:  "NONE NSID PID FD TARGET_NSID CURRENT_NSID",
	},
	controller: {
		prefix: "CTRL_ATTR_",
		names:  "UNSPEC FAMILY_ID FAMILY_NAME VERSION HDRSIZE MAXATTR OPS MCAST_GROUPS POLICY OP_POLICY OP",
	},
	nfTable: {
		prefix: "NFTA_TABLE_",
		names:  "UNSPEC NAME FLAGS USE HANDLE PAD USERDATA OWNER",
	},
	nfChain: {
		prefix: "NFTA_CHAIN_",
		names:  "UNSPEC TABLE HANDLE NAME HOOK POLICY USE TYPE COUNTERS PAD FLAGS ID USERDATA",
	},
	nfRule: {
		prefix: "NFTA_RULE_",
		names:  "UNSPEC TABLE CHAIN HANDLE EXPRESSIONS COMPAT POSITION USERDATA PAD ID POSITION_ID CHAIN_ID",
	},
	nfSet: {
		prefix: "NFTA_SET_",
		names: `UNSPEC TABLE NAME FLAGS KEY_TYPE KEY_LEN DATA_TYPE DATA_LEN POLICY DESC ID TIMEOUT
			GC_INTERVAL USERDATA PAD OBJ_TYPE HANDLE EXPR EXPRESSIONS`,
	},
	nfElements: {
		prefix: "NFTA_SET_ELEM_LIST_",
		names:  "UNSPEC TABLE SET ELEMENTS SET_ID",
	},
	nfObject: {
		prefix: "NFTA_OBJ_",
		names:  "UNSPEC TABLE NAME TYPE DATA USE HANDLE PAD USERDATA",
	},
	nfFlowtable: {
		prefix: "NFTA_FLOWTABLE_",
		names:  "UNSPEC TABLE NAME HOOK USE HANDLE PAD FLAGS",
	},
}
