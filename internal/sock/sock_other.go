//go:build !linux

package sock

import (
	"errors"
	"fmt"
)

// Open fails: only Linux has netlink.
func Open(Config) (Socket, error) {
	return nil, fmt.Errorf("netlink needs Linux: %w", errors.ErrUnsupported)
}
