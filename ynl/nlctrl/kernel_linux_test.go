//go:build linux

package nlctrl_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/genl"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/nlctrl"
)

// A family by its name, and in the list, is what package genl resolves.
func TestFamilies(t *testing.T) {
	conn := kerneltest.Dial(t, nstest.New(t), netlink.NETLINK_GENERIC)
	c := nlctrl.New(conn)
	ctx := kerneltest.Patient(t)
	want, err := genl.Resolve(ctx, conn, "nlctrl")
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.GetFamily(ctx, &nlctrl.FamilyInfo{FamilyName: ynl.Some("nlctrl")})
	if err != nil {
		t.Fatal(err)
	}
	if got.FamilyID != ynl.U16(uint16(want.ID)) || got.FamilyName != ynl.Some("nlctrl") || len(got.Ops) == 0 || len(got.Unknown) > 0 {
		t.Errorf("%+v", got)
	}
	if len(got.McastGroups) != 1 || got.McastGroups[0].Name != ynl.Some("notify") || got.McastGroups[0].ID.Value != want.Groups["notify"] {
		t.Errorf("groups %+v, want notify", got.McastGroups)
	}
	for _, op := range got.Ops {
		if op.ID == ynl.U32(nlctrl.CTRL_CMD_GETFAMILY) && op.Flags.Value&nlctrl.GENL_CMD_CAP_DUMP == 0 {
			t.Errorf("getfamily has flags %v", op.Flags)
		}
	}
	found := false
	for f, err := range c.DumpFamily(ctx, nil) {
		if err != nil {
			t.Fatal(err)
		}
		found = found || reflect.DeepEqual(f, got)
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var back nlctrl.FamilyInfo
		if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(f, &back) {
			t.Errorf("changed by JSON: %v\n%s\nbefore %+v\nafter  %+v", err, text, f, &back)
		}
	}
	if !found {
		t.Error("the family is not in the list")
	}
	if _, err := c.GetFamily(ctx, &nlctrl.FamilyInfo{FamilyName: ynl.Some("none")}); !errors.Is(err, unix.ENOENT) || !strings.HasPrefix(err.Error(), "nlctrl getfamily: ") {
		t.Errorf("error is %v, want ENOENT", err)
	}
}

// The policy of a command says what its attributes are.
func TestPolicy(t *testing.T) {
	c := nlctrl.New(kerneltest.Dial(t, nstest.New(t), netlink.NETLINK_GENERIC))
	list, err := c.DumpPolicy(kerneltest.Patient(t), &nlctrl.FamilyInfo{FamilyName: ynl.Some("nlctrl")}).List()
	if errors.Is(err, unix.EOPNOTSUPP) {
		nstest.Skip(t, "policy dumps", "%v", err) // since Linux 5.7
	}
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[uint16]nlctrl.AttrType{}
	for _, m := range list {
		for _, p := range m.Policy {
			if _, seen := kinds[p.AttrID]; !seen {
				kinds[p.AttrID] = p.Policy.Type.Value
			}
			if len(p.Policy.Unknown) > 0 {
				t.Errorf("unknown %x", p.Policy.Unknown)
			}
		}
	}
	// CTRL_ATTR_FAMILY_ID and CTRL_ATTR_FAMILY_NAME.
	if kinds[1] != nlctrl.NL_ATTR_TYPE_U16 || kinds[2] != nlctrl.NL_ATTR_TYPE_NUL_STRING {
		t.Errorf("types %v, want u16 and nul-string", kinds)
	}
}
