package main

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
)

// BenchmarkConns opens 10,000 connections and reports what each of them needs while it is
// open: memory of Go and of the kernel, goroutines, file descriptors, and processor time
// for each second without requests. An operation is one connection, opened and closed.
//
// kernel-B/conn is the growth of the kernel's slabs, of the whole machine, so it is rough.
func BenchmarkConns(b *testing.B) {
	for _, k := range []connKind{
		{"idle", 2, openConn(nil)},
		{"used", 2, openConn((*client.Conn).Noop)},
		{"member", 2, openConn(func(c *client.Conn, _ context.Context) error { return c.AddMembership(unix.RTNLGRP_LINK) })},
		{"subscriber", 2, openConn(func(c *client.Conn, _ context.Context) error {
			_, err := c.Subscribe(unix.RTNLGRP_LINK)
			return err
		})},
		{"mdlayher", 1, func() (func() error, error) {
			c, err := mdDefault.dial()
			if err != nil {
				return nil, err
			}
			return c.Close, nil
		}},
	} {
		b.Run("kind="+k.name, k.benchmark)
	}
}

// connKind is a way to use a connection.
type connKind struct {
	name string
	fds  int // file descriptors of one
	open func() (closeConn func() error, err error)
}

func openConn(use func(*client.Conn, context.Context) error) func() (func() error, error) {
	return func() (func() error, error) {
		c, err := client.Dial(netlink.NETLINK_ROUTE)
		if err != nil {
			return nil, err
		}
		if use != nil {
			err = use(c, context.Background())
		}
		return c.Close, err
	}
}

// manyConns is the number of connections.
const manyConns = 10_000

// settled is the time after which a Conn has started its reader and has seen that no
// requests follow.
const settled = 50 * time.Millisecond

// idleTime is the time in which the connections do nothing.
const idleTime = 500 * time.Millisecond

func (k connKind) benchmark(b *testing.B) {
	n := affordable(b, k.fds)
	all := make([]func() error, n)
	var before, open usage
	var idle time.Duration
	for range b.N {
		before = measureUsage(b)
		for i := range all {
			var err error
			if all[i], err = k.open(); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		time.Sleep(settled)
		open = measureUsage(b)
		idle = -processorTime()
		time.Sleep(idleTime)
		idle += processorTime()
		b.StartTimer()
		for _, closeConn := range all {
			if err := closeConn(); err != nil {
				b.Fatal(err)
			}
		}
	}
	each := func(u func(usage) float64) float64 { return (u(open) - u(before)) / float64(n) }
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(n), "ns/op")
	b.ReportMetric(float64(n), "conns")
	b.ReportMetric(each(func(u usage) float64 { return u.heap }), "heap-B/conn")
	b.ReportMetric(each(func(u usage) float64 { return u.stacks }), "stack-B/conn")
	b.ReportMetric(each(func(u usage) float64 { return u.kernel }), "kernel-B/conn")
	b.ReportMetric(float64(idle)/idleTime.Seconds()/float64(n), "idle-cpu-ns/conn")
	b.ReportMetric(each(func(u usage) float64 { return u.goroutines }), "goroutines/conn")
	b.ReportMetric(each(func(u usage) float64 { return u.fds }), "fds/conn")
}

// affordable returns the number of connections that the limit of the process permits, up
// to manyConns. fds is the number of file descriptors of each. It raises the limit if it
// may.
func affordable(b *testing.B, fds int) int {
	const others = 100
	wanted := uint64(manyConns*fds + others)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		b.Fatal(err)
	}
	if limit.Cur >= wanted || unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: wanted, Max: wanted}) == nil {
		return manyConns
	}
	return int(min(limit.Cur, manyConns*uint64(fds))-others) / fds
}

// usage is what the process uses.
type usage struct{ heap, stacks, kernel, goroutines, fds float64 }

func measureUsage(b *testing.B) usage {
	runtime.GC()
	runtime.GC() // what pools keep through one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		b.Fatal(err)
	}
	return usage{
		heap: float64(m.HeapAlloc), stacks: float64(m.StackInuse), kernel: slabs(b),
		goroutines: float64(runtime.NumGoroutine()), fds: float64(len(fds)),
	}
}

// slabs returns the bytes of the kernel's slabs that cannot be reclaimed.
func slabs(b *testing.B) float64 {
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(info), "\nSUnreclaim:")
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseFloat(kib, 64)
	if !ok || err != nil {
		b.Fatalf("SUnreclaim in /proc/meminfo: %v", err)
	}
	return n * 1024
}
