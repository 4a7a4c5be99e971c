package main

import (
	"testing"

	"github.com/nlmux/netlink/internal/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }
