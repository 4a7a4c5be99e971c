package mirror

import "github.com/nlmux/netlink"

// Numbers of rtnetlink, here because golang.org/x/sys/unix has them on Linux only.
const (
	afUnspec = 0
	afInet   = 2
	afInet6  = 10

	rtmNewLink    netlink.MessageType = 16
	rtmDelLink    netlink.MessageType = 17
	rtmGetLink    netlink.MessageType = 18
	rtmNewAddr    netlink.MessageType = 20
	rtmDelAddr    netlink.MessageType = 21
	rtmGetAddr    netlink.MessageType = 22
	rtmNewRoute   netlink.MessageType = 24
	rtmDelRoute   netlink.MessageType = 25
	rtmGetRoute   netlink.MessageType = 26
	rtmNewNeigh   netlink.MessageType = 28
	rtmDelNeigh   netlink.MessageType = 29
	rtmGetNeigh   netlink.MessageType = 30
	rtmNewRule    netlink.MessageType = 32
	rtmDelRule    netlink.MessageType = 33
	rtmGetRule    netlink.MessageType = 34
	rtmNewNexthop netlink.MessageType = 104
	rtmDelNexthop netlink.MessageType = 105
	rtmGetNexthop netlink.MessageType = 106

	groupLink      = 1
	groupNeigh     = 3
	groupIPv4Addr  = 5
	groupIPv4Route = 7
	groupIPv4Rule  = 8
	groupIPv6Addr  = 9
	groupIPv6Route = 11
	groupIPv6Rule  = 19
	groupNexthop   = 32

	ifaAddress   = 1
	ifaLocal     = 2
	ifaCacheinfo = 6

	ndaDst       = 1
	ndaCacheinfo = 3
	ndaProbes    = 4

	nhaID = 1

	rtaDst       = 1
	rtaSrc       = 2
	rtaOif       = 4
	rtaGateway   = 5
	rtaPriority  = 6
	rtaPrefsrc   = 7
	rtaMultipath = 9
	rtaCacheinfo = 12
	rtaTable     = 15
	rtaVia       = 18
	rtaEncapType = 21
	rtaEncap     = 22
	rtaNhID      = 30

	fraPriority = 6

	rtTableCompat = 252 // in rtm_table: see RTA_TABLE
)
