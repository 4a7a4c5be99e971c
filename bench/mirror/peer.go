package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink/mirror"
)

// runPeer is one of the peers in Go.
func runPeer(name string) error {
	start, before := time.Now(), resident()
	count, err := map[string]func() (func() int, error){"nlmux": runMirror, "vishvananda": runMap}[name]()
	if err != nil {
		return err
	}
	took := time.Since(start)
	runtime.GC()
	fmt.Printf("ready %f %d\n", took.Seconds(), resident()-before)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println(count())
	}
	return nil
}

// resident returns the process's memory in bytes: the heap that is in use in Go.
func resident() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

func runMirror() (count func() int, err error) {
	ctx := context.Background()
	m, err := mirror.Open(ctx, mirror.TableRoutes4)
	if err != nil {
		return nil, err
	}
	if err := m.Synced(ctx); err != nil {
		return nil, err
	}
	return func() int {
		n := 0
		for range m.Snapshot().Routes().Groups().Keys() {
			n++
		}
		return n
	}, nil
}

// runMap is what programs do with vishvananda/netlink: subscribe, list, and keep a map.
// (It does not see all changes, and RouteSubscribe ends at the first loss.)
func runMap() (count func() int, err error) {
	updates, done := make(chan netlink.RouteUpdate, 1<<16), make(chan struct{})
	if err := netlink.RouteSubscribe(updates, done); err != nil {
		return nil, err
	}
	list, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return nil, err
	}
	type key struct {
		table, priority, tos int
		dst                  string
	}
	keyOf := func(r *netlink.Route) key {
		k := key{table: r.Table, priority: r.Priority, tos: r.Tos}
		if r.Dst != nil {
			k.dst = r.Dst.String()
		}
		return k
	}
	var mu sync.Mutex
	routes := map[key]netlink.Route{}
	for i := range list {
		routes[keyOf(&list[i])] = list[i]
	}
	list = nil
	go func() {
		for u := range updates {
			if u.Dst != nil && strings.Contains(u.Dst.String(), ":") {
				continue
			}
			mu.Lock()
			if u.Type == unix.RTM_NEWROUTE {
				routes[keyOf(&u.Route)] = u.Route
			} else {
				delete(routes, keyOf(&u.Route))
			}
			mu.Unlock()
		}
	}()
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(routes)
	}, nil
}
