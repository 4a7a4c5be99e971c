package main

import "testing"

func TestSuggest(t *testing.T) {
	names := []string{"rt-link", "rt-addr", "rt-route", "tcp_metrics", "tc", "nl80211"}
	for name, want := range map[string]string{
		"rtlink":     "; did you mean rt-link?",
		"RT_LINK":    "; did you mean rt-link?",
		"link":       "; did you mean rt-link?",
		"rt-links":   "; did you mean rt-link?",
		"rt-roote":   "; did you mean rt-route?",
		"tcpmetrics": "; did you mean tcp_metrics?",
		"tcp":        "; did you mean tc, tcp_metrics?",
		"nl80221":    "; did you mean nl80211?",
		"wireguard":  "",
		"":           "",
		"-":          "",
	} {
		if got := suggest(name, names); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if got := suggest("get", []string{"get1", "get2", "get3", "get4", "get5", "get6", "get7", "get8", "get9"}); got != "" {
		t.Errorf("too many: %q", got)
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "abd", 1},
		{"abc", "ac", 1}, {"ac", "abc", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 2},
	} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q, %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
