module github.com/nlmux/netlink

go 1.25.0

require (
	golang.org/x/sync v0.22.0
	golang.org/x/sys v0.46.0
)
