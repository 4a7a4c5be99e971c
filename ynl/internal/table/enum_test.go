package table_test

import "testing"

func TestEnum(t *testing.T) {
	for _, tt := range []struct {
		enum  uint16
		value uint64
		want  string
	}{
		{enumColor, 2, "green"},
		{enumColor, 3, "3"},
		{enumBits, 0, "none"},
		{enumBits, 1, "up"},
		{enumBits, 6, "busy|seen"},
		{enumBits, 0x31, "up|0x30"},
		{enumBits, 0x30, "0x30"},
		{enumWide, 1 << 32, "far"},
		{enumWide, 1 << 40, "1099511627776"},
	} {
		if got := family.EnumString(tt.enum, tt.value); got != tt.want {
			t.Errorf("%d of %d: %q, want %q", tt.value, tt.enum, got, tt.want)
		}
		if got, err := family.ParseEnum(tt.enum, family.EnumText(tt.enum, tt.value)); err != nil || got != tt.value {
			t.Errorf("%q: %d, %v, want %d", tt.want, got, err, tt.value)
		}
	}
	for _, text := range []string{"", "pink", "-1", "4294967296"} {
		if v, err := family.ParseEnum(enumColor, []byte(text)); err == nil {
			t.Errorf("%q is %d", text, v)
		}
	}
}
