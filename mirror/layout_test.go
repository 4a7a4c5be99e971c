package mirror

import (
	"bytes"
	"testing"

	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl/rtroute"
)

// route4Payload is a message about 10.9.0.0/24 in table 1000, via a gateway.
func route4Payload() []byte {
	p := []byte{afInet, 24, 0, 0x10, rtroute.RT_TABLE_COMPAT, 4, 0, 1, 0, 0, 0, 0}
	p = appendAttribute(p, rtaTable, native.AppendUint32(nil, 1000))
	p = appendAttribute(p, rtaDst, []byte{10, 9, 0, 0})
	p = appendAttribute(p, rtaPriority, native.AppendUint32(nil, 20))
	p = appendAttribute(p, rtaGateway, []byte{10, 1, 1, 2})
	p = appendAttribute(p, rtaOif, native.AppendUint32(nil, 3))
	return appendAttribute(p, rtaCacheinfo, make([]byte, 32))
}

func TestJoinRestoresWhatSplitTookApart(t *testing.T) {
	p := route4Payload()
	key, value, ok := routes4.layout.split(p, nil, nil)
	if !ok {
		t.Fatal("not cut apart")
	}
	want := []byte{0, 0, 3, 0xe8, 10, 9, 0, 0, ^byte(24), ^byte(0x10), 0, 0, 0, 20}
	if !bytes.Equal(key, want) {
		t.Errorf("key % x, want % x", key, want)
	}
	if _, found := attribute(value[rtmsgSize:], rtaDst); found {
		t.Error("the value has an attribute of the key")
	}
	joined := routes4.layout.join(nil, key, value)
	if !bytes.Equal(joined[:rtmsgSize], p[:rtmsgSize]) {
		t.Errorf("header % x, want % x", joined[:rtmsgSize], p[:rtmsgSize])
	}
	for a := range wire.Attrs(p[rtmsgSize:]) {
		got, found := attribute(joined[rtmsgSize:], a.Type)
		if a.Type == rtaCacheinfo {
			if found {
				t.Error("joined what does not count")
			}
		} else if !bytes.Equal(got, a.Value) {
			t.Errorf("attribute %d: % x, want % x", a.Type, got, a.Value)
		}
	}
}

// FuzzParse: no payload makes a table panic, and what it takes it can give back.
func FuzzParse(f *testing.F) {
	f.Add(uint8(8), route4Payload())
	f.Add(uint8(9), appendAttribute([]byte{afInet6, 64, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0}, rtaMultipath, []byte{20, 0, 0, 1, 2, 0, 0, 0, 8, 0, 5, 0, 1, 2, 3, 4, 0, 0, 0, 0}))
	f.Add(uint8(0), appendAttribute(make([]byte, 16), iflaLinkinfo, appendAttribute(appendAttribute(nil, iflaInfoKind, []byte("bridge\x00")), iflaInfoData, appendAttribute(nil, 16, make([]byte, 8)))))
	f.Fuzz(func(t *testing.T, number uint8, payload []byte) {
		k := kinds[int(number)%len(kinds)]
		in := bytes.Clone(payload)
		m, mine, ok := k.parse(payload, nil, nil)
		if !bytes.Equal(in, payload) {
			t.Fatal("the payload was modified")
		}
		if !ok || !mine {
			return
		}
		if k.absent != nil {
			k.absent(m.value)
		}
		for _, new := range []bool{true, false} {
			m.new = new
			for _, list := range [][][]byte{nil, {m.value}, {m.value, m.value}} {
				k.apply(list, &m)
			}
		}
		value := m.value
		if k.restore != nil {
			value = k.restore(value)
		}
		again, mine, ok := k.parse(k.layout.join(nil, m.key, value), nil, nil)
		if !ok || !mine || !bytes.Equal(again.key, m.key) {
			t.Errorf("joined: ok %v, mine %v, key % x, want % x", ok, mine, again.key, m.key)
		}
	})
}
