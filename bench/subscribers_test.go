package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
)

// BenchmarkSubscribers has 1, 8 and 64 consumers of one group on one Conn in a storm of
// another process, with and without pauses. Of 8 and 64 one is absent: it takes no event.
// It takes b.N as milliseconds of storm, see BenchmarkEvents.
//
// cpu-ns/delivery is the processor time of this process, in the kernel and outside, for
// each event that a present consumer took; %taken is how many of the events that a
// consumer took on average.
func BenchmarkSubscribers(b *testing.B) {
	if err := preparePayloads(); err != nil {
		b.Fatal(err)
	}
	for _, pause := range []time.Duration{0, time.Millisecond} {
		for _, n := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("pause=%v/subscribers=%d", pause, n), func(b *testing.B) {
				benchmarkSubscribers(b, pause, n)
			})
		}
	}
}

func benchmarkSubscribers(b *testing.B, pause time.Duration, n int) {
	if !isPrivate() {
		b.Skip(errPrivate)
	}
	undo, err := loopbackUp()
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := undo(); err != nil {
			b.Error(err)
		}
	}()
	c, err := client.Dial(netlink.NETLINK_ROUTE, client.WithReceiveBuffer(8<<20))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	var present []*client.Subscription
	for i := range n {
		s, err := c.Subscribe(unix.RTNLGRP_IPV4_ROUTE)
		if err != nil {
			b.Fatal(err)
		}
		if i > 0 || n == 1 {
			present = append(present, s)
		}
	}
	var taken atomic.Int64
	var consumers sync.WaitGroup
	for _, s := range present {
		consumers.Go(func() {
			own := int64(0)
			for e := range s.Events() {
				if e.Header.Type == netlink.NLMSG_NOOP {
					break
				}
				if _, ok := stormNumber(uint16(e.Header.Type), e.Payload); ok {
					own++
				}
			}
			taken.Add(own)
		})
	}
	before := processorTime()
	events, err := startStorm(time.Duration(b.N)*time.Millisecond, pause)
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range present {
		if err := s.Sync(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	consumers.Wait()
	used := processorTime() - before
	b.ReportMetric(0, "ns/op") // of a millisecond of storm, which says nothing
	b.ReportMetric(float64(used)/float64(taken.Load()), "cpu-ns/delivery")
	b.ReportMetric(float64(taken.Load())/float64(len(present))/float64(b.N)*1000, "events/s")
	b.ReportMetric(100*float64(taken.Load())/float64(len(present))/float64(events), "%taken")
}
