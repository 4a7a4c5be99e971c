package tc_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/tc"
)

func TestHandles(t *testing.T) {
	for h, text := range map[uint32]string{
		tc.TC_H_UNSPEC: "none", tc.TC_H_ROOT: "root", tc.TC_H_INGRESS: "ingress",
		tc.Handle(1, 0): "1:", tc.Handle(1, 0x10): "1:10", tc.Handle(0xffff, 0xfff2): "ffff:fff2", tc.Handle(0, 5): ":5",
	} {
		if got := tc.FormatHandle(h); got != text {
			t.Errorf("FormatHandle(%#x) is %q, want %q", h, got, text)
		}
		if got, err := tc.ParseHandle(text); err != nil || got != h {
			t.Errorf("ParseHandle(%q) is %#x, %v, want %#x", text, got, err, h)
		}
	}
	for _, text := range []string{"", ":", "1", "x:1", "1:x", "10000:1", "1:2:3", "-1:"} {
		if h, err := tc.ParseHandle(text); err == nil {
			t.Errorf("ParseHandle(%q) is %#x", text, h)
		}
	}
	if h, err := tc.ParseHandle("clsact"); err != nil || h != tc.TC_H_CLSACT {
		t.Errorf("clsact is %#x, %v", h, err)
	}
}

func TestFilterInfo(t *testing.T) {
	m := tc.Tcmsg{Info: tc.FilterInfo(7, 0x0800)}
	if m.Priority() != 7 || m.Protocol() != 0x0800 {
		t.Errorf("priority %d, protocol %#x", m.Priority(), m.Protocol())
	}
}

func TestTicks(t *testing.T) {
	for d, want := range map[time.Duration]uint32{0: 0, 64: 1, time.Millisecond: 15625, -1: 0, math.MaxInt64: math.MaxUint32} {
		if got := tc.Ticks(d); got != want {
			t.Errorf("Ticks(%v) is %d, want %d", d, got, want)
		}
	}
	if got := tc.TickTime(15625); got != time.Millisecond {
		t.Errorf("TickTime(15625) is %v", got)
	}
	for _, c := range []struct {
		size uint32
		rate uint64
		want uint32
	}{
		{1000, 1_000_000, 15625}, {0, 1, 0}, {1, 0, math.MaxUint32}, {math.MaxUint32, 1, math.MaxUint32}, {16384, 5_000_000_000, 51},
	} {
		if got := tc.BurstTicks(c.size, c.rate); got != c.want {
			t.Errorf("BurstTicks(%d, %d) is %d, want %d", c.size, c.rate, got, c.want)
		}
	}
}

func TestRate(t *testing.T) {
	if s, ok := tc.Rate(math.MaxUint32); !ok || s.Rate != math.MaxUint32 {
		t.Errorf("%+v, %t", s, ok)
	}
	if s, ok := tc.Rate(math.MaxUint32 + 1); ok || s.Rate != math.MaxUint32 {
		t.Errorf("%+v, %t", s, ok)
	}
}

func TestRateTable(t *testing.T) {
	for mtu, want := range map[uint32]uint8{0: 3, 100: 1, 2047: 3, 3000: 4, 65535: 8} {
		s := tc.TcRatespec{Rate: 125_000}
		if table := tc.RateTable(&s, mtu); len(table) != 1024 || s.CellLog != want || s.CellAlign != -1 {
			t.Errorf("mtu %d: %d bytes, %+v, want cells of %d bits", mtu, len(table), s, want)
		}
	}
}

func ExampleFormatHandle() {
	fmt.Println(tc.FormatHandle(tc.Handle(1, 0x10)), tc.FormatHandle(tc.TC_H_ROOT))
	// Output: 1:10 root
}

// The options of hfsc are a struct for a qdisc, and attributes for a class, of which the
// root has none. Both ways, and as JSON.
func TestHfscOptions(t *testing.T) {
	curve := tc.TcServiceCurve{M1: 300, D: 20, M2: 100}
	for _, tt := range []struct {
		options tc.Options
		bytes   string // of TCA_OPTIONS, little-endian
		json    string
	}{
		{&tc.TcHfscQopt{Defcls: 9}, "0600020009000000", `{"defcls":9}`},
		{&tc.Hfsc{}, "04000280", `{}`},
		{
			&tc.Hfsc{Rsc: ynl.Some(curve), Usc: ynl.Some(tc.TcServiceCurve{M2: 200})},
			"24000280" + "10000100" + "2c0100001400000064000000" + "10000300" + "0000000000000000c8000000",
			`{"rsc":{"m1":300,"d":20,"m2":100},"usc":{"m1":0,"d":0,"m2":200}}`,
		},
	} {
		o := &tc.Object{Kind: ynl.Some("hfsc"), Options: tt.options}
		var b wire.Builder
		o.Encode(&b)
		payload, err := b.Encode()
		if text := hex.EncodeToString(payload); err != nil || isLittleEndian() && !strings.HasSuffix(text, tt.bytes) {
			t.Errorf("%+v: %s, %v, want ...%s", tt.options, text, err, tt.bytes)
		}
		got := new(tc.Object)
		if err := got.Decode(payload); err != nil || !reflect.DeepEqual(got, o) {
			t.Errorf("decoded %+v, %v, want %+v", got.Options, err, tt.options)
		}
		text, err := json.Marshal(o)
		if err != nil || !strings.HasSuffix(string(text), `"options":`+tt.json+"}") {
			t.Errorf("%s, %v, want ...%s", text, err, tt.json)
		}
		got = new(tc.Object)
		if err := json.Unmarshal(text, got); err != nil || !reflect.DeepEqual(got, o) {
			t.Errorf("read %+v, %v, want %+v", got.Options, err, tt.options)
		}
	}
}

func isLittleEndian() bool { return tc.FilterInfo(0, 1) != 1 }
