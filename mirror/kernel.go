package mirror

// Numbers of rtnetlink that the packages of its families do not export, here because
// golang.org/x/sys/unix has them on Linux only.
const (
	afUnspec = 0
	afInet   = 2
	afInet6  = 10

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
	rtaMetrics   = 8
	rtaMultipath = 9
	rtaCacheinfo = 12
	rtaTable     = 15
	rtaVia       = 18
	rtaEncapType = 21
	rtaEncap     = 22
	rtaNhID      = 30

	rtaxMTU      = 2
	rtaxHoplimit = 10

	fraPriority = 6
)
