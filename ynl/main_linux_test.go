package ynl_test

import (
	"testing"

	"github.com/nlmux/netlink/internal/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }
