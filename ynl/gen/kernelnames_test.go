package main

import (
	"strings"
	"testing"

	"github.com/nlmux/netlink/ynl/gen/internal/spec"
)

// TestKernelNamesFaults has requests that share a type.
func TestKernelNamesFaults(t *testing.T) {
	for _, c := range []struct{ name, path, src, want string }{
		{
			"a name for a type that a spec describes", "requests/rest.yaml",
			"name: rest\nprotocol: netlink-raw\nprotonum: 0\nattribute-sets: []\noperations: {name-prefix: demo-, list: [{name: other, value: 17}]}",
			"DEMO_CMD_DELTHING and DEMO_OTHER are both 17",
		},
		{
			"requests with other attributes", "overlay/demo.yaml",
			"operations: {list: [{new: twin, attribute-set: part-attrs, do: {request: {value: 18}}}]}",
			`operation "getthing": DEMO_CMD_GETTHING has other attributes`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := write(dir, map[string][]byte{c.path: []byte(c.src)}); err != nil {
				t.Fatal(err)
			}
			families, err := spec.Load("testdata/specs", "testdata/ours", dir+"/overlay", "demo")
			if err != nil {
				t.Fatal(err)
			}
			_, err = kernelNamesFile(families, dir+"/requests")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
