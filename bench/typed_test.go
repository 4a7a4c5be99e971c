package main

import (
	"testing"
)

func BenchmarkTypedDecode(b *testing.B)  { benchmarkRivals(b, workDecode) }
func BenchmarkTypedEncode(b *testing.B)  { benchmarkRivals(b, workEncode) }
func BenchmarkTypedGetLink(b *testing.B) { benchmarkRivals(b, workTypedLink) }
func BenchmarkTypedRoutes(b *testing.B)  { benchmarkRivals(b, workTypedRoutes) }

// benchmarkRivals runs the rivals of a work. cpu-ns/op is the processor time of this
// process, in the kernel and outside.
func benchmarkRivals(b *testing.B, name string) {
	w := setUp(b, name)
	tools, err := newTools()
	if err != nil {
		b.Fatal(err)
	}
	defer tools.close()
	for _, r := range w.Rivals {
		b.Run("client="+r.name, func(b *testing.B) {
			b.ReportAllocs()
			processor := processorTime()
			for b.Loop() {
				if err := r.do(tools); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(processorTime()-processor)/float64(b.N), "cpu-ns/op")
		})
	}
}

// TestTypedRivalsAgree: the rivals read and write the same.
func TestTypedRivalsAgree(t *testing.T) {
	if err := preparePayloads(); err != nil {
		t.Fatal(err)
	}
	k, err := newTools()
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	if err := decodeTyped(k); err != nil {
		t.Fatal(err)
	}
	if hand, typed := k.hand, k.typed; hand.dst != typed.Dst || hand.src != typed.Prefsrc || hand.table != typed.Table.Value ||
		hand.oif != typed.Oif.Value || hand.priority != typed.Priority.Value || hand.header.Dst_len != typed.DstLen {
		t.Errorf("by hand %+v, typed %+v", hand, typed)
	}
	for name, encode := range map[string]func(*tools) error{"hand": encodeByHand, "typed": encodeTyped} {
		if err := encode(k); err != nil {
			t.Fatal(err)
		}
		if p, err := k.builder.Encode(); err != nil || string(p) != string(k.payload) {
			t.Errorf("%s: %x, %v, want %x", name, p, err, k.payload)
		}
	}
}
