package genl

import "github.com/nlmux/netlink"

// The controller, "nlctrl", is the family that describes the others. It has a fixed id.
// The numbers here are those of include/uapi/linux/genetlink.h.
const (
	ctrlID      netlink.MessageType = 16 // GENL_ID_CTRL
	ctrlVersion uint8               = 2  // of genl_ctrl in net/netlink/genetlink.c

	headerLen int                 = 4  // GENL_HDRLEN, the size of struct genlmsghdr in bytes
	minID     netlink.MessageType = 16 // GENL_MIN_ID
	maxName   int                 = 15 // GENL_NAMSIZ without the NUL, in bytes
)

// Commands of the controller.
const (
	ctrlNewFamily = 1
	ctrlGetFamily = 3
	ctrlGetPolicy = 10
)

// Attributes of the controller (CTRL_ATTR_*).
const (
	attrFamilyID   = 1
	attrFamilyName = 2
	attrVersion    = 3
	attrHeaderSize = 4
	attrMaxAttr    = 5
	attrOps        = 6
	attrGroups     = 7
	attrPolicy     = 8
	attrOpPolicy   = 9
)

// Attributes of one command in attrOps (CTRL_ATTR_OP_*).
const (
	attrOpID    = 1
	attrOpFlags = 2
)

// Attributes of one group in attrGroups (CTRL_ATTR_MCAST_GRP_*).
const (
	attrGroupName = 1
	attrGroupID   = 2
)

// Attributes of one command in attrOpPolicy (CTRL_ATTR_POLICY_*).
const (
	attrPolicyDo   = 1
	attrPolicyDump = 2
)

// controller returns the controller's family. Its version is not compared, so any
// kernel's is accepted.
func controller() Family { return Family{ID: ctrlID} }
