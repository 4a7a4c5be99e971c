//go:build linux

package conntrack_test

import (
	"testing"

	"github.com/nlmux/netlink/ynl/internal/ynlkernel"
)

func TestMain(m *testing.M) { ynlkernel.Main(m) }
