package names

import (
	"strings"

	"github.com/nlmux/netlink"
)

// Request returns the kernel's name of a request, such as "RTM_GETLINK", and "" if it is
// not known here.
func Request(family netlink.Family, typ netlink.MessageType, payload []byte) string {
	if typ < netlink.NLMSG_MIN_TYPE {
		return typ.String()
	}
	n := int(typ - netlink.NLMSG_MIN_TYPE)
	switch family {
	case netlink.NETLINK_ROUTE:
		if object := field(routeObjects, n/4); object != "" {
			return "RTM_" + [...]string{"NEW", "DEL", "GET", "SET"}[n%4] + object
		}
	case netlink.NETLINK_SOCK_DIAG:
		return prefixed("SOCK_", field(diagRequests, n))
	case netlink.NETLINK_XFRM:
		return prefixed("XFRM_MSG_", field(xfrmRequests, n))
	case netlink.NETLINK_NETFILTER:
		s := subsystems[typ>>8]
		return prefixed(s.prefix, field(s.requests, int(typ&0xff)))
	case netlink.NETLINK_GENERIC:
		if typ == ctrlID && len(payload) > 0 {
			return prefixed("CTRL_CMD_", field(ctrlCommands, int(payload[0])))
		}
	}
	return ""
}

// field returns the field of names with index i, "" for - and past the end.
func field(names string, i int) string {
	fields := strings.Fields(names)
	if i >= len(fields) || fields[i] == "-" {
		return ""
	}
	return fields[i]
}

func prefixed(prefix, name string) string {
	if name == "" {
		return ""
	}
	return prefix + name
}

const (
	// routeObjects are what rtnetlink's groups of four requests are about.
	routeObjects = "LINK ADDR ROUTE NEIGH RULE QDISC TCLASS TFILTER ACTION PREFIX MULTICAST ANYCAST" +
		" NEIGHTBL NDUSEROPT ADDRLABEL DCB NETCONF MDB NSID STATS CACHEREPORT CHAIN NEXTHOP LINKPROP" +
		" VLAN NEXTHOPBUCKET TUNNEL"

	diagRequests = "- - - - DIAG_BY_FAMILY DESTROY"

	xfrmRequests = "NEWSA DELSA GETSA NEWPOLICY DELPOLICY GETPOLICY ALLOCSPI ACQUIRE EXPIRE UPDPOLICY" +
		" UPDSA POLEXPIRE FLUSHSA FLUSHPOLICY NEWAE GETAE REPORT MIGRATE NEWSADINFO GETSADINFO NEWSPDINFO" +
		" GETSPDINFO MAPPING SETDEFAULT GETDEFAULT"

	ctrlCommands = "- NEWFAMILY DELFAMILY GETFAMILY NEWOPS DELOPS GETOPS NEWMCAST_GRP DELMCAST_GRP" +
		" GETMCAST_GRP GETPOLICY"
)

// subsystems are those of NETLINK_NETFILTER.
var subsystems = map[netlink.MessageType]struct{ prefix, requests string }{
	0: {"NFNL_MSG_BATCH_", "- - - - - - - - - - - - - - - - BEGIN END"},
	1: {"IPCTNL_MSG_CT_", "NEW GET DELETE GET_CTRZERO GET_STATS_CPU GET_STATS GET_DYING GET_UNCONFIRMED"},
	2: {"IPCTNL_MSG_EXP_", "NEW GET DELETE GET_STATS_CPU"},
	3: {"NFQNL_MSG_", "PACKET VERDICT CONFIG VERDICT_BATCH"},
	4: {"NFULNL_MSG_", "PACKET CONFIG"},
	6: {"IPSET_CMD_", "NONE PROTOCOL CREATE DESTROY FLUSH RENAME SWAP LIST SAVE ADD DEL TEST HEADER TYPE GET_BYNAME GET_BYINDEX"},
	10: {"NFT_MSG_", "NEWTABLE GETTABLE DELTABLE NEWCHAIN GETCHAIN DELCHAIN NEWRULE GETRULE DELRULE NEWSET GETSET DELSET" +
		" NEWSETELEM GETSETELEM DELSETELEM NEWGEN GETGEN TRACE NEWOBJ GETOBJ DELOBJ GETOBJ_RESET NEWFLOWTABLE" +
		" GETFLOWTABLE DELFLOWTABLE GETRULE_RESET DESTROYTABLE DESTROYCHAIN DESTROYRULE DESTROYSET DESTROYSETELEM" +
		" DESTROYOBJ DESTROYFLOWTABLE GETSETELEM_RESET"},
}
