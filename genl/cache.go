package genl

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"weak"

	"golang.org/x/sync/singleflight"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
)

// caches has the *cache of each Conn that was used here, by weak.Pointer[client.Conn]:
// neither the map nor a cache keeps a Conn alive, and an entry is deleted when its Conn
// has been collected. It is a sync.Map because every request reads it and few write it.
var caches sync.Map

// cache holds what is known of the families of one Conn.
type cache struct {
	lookups singleflight.Group // by name; each look-up in it has an entry in flights

	mu sync.Mutex // guards following

	families map[string]Family  // never handed out, only clones are
	flights  map[string]*flight // look-ups with a caller that waits
}

// Causes of bad arguments.
var (
	errNilContext = errors.New("nil context")
	errNilConn    = errors.New("nil Conn")
)

// cacheOf returns the cache of c, or an error if c does not speak generic
// netlink.
func cacheOf(c *client.Conn) (*cache, error) {
	if c == nil {
		return nil, fmt.Errorf("genl: %w", errNilConn)
	}
	key := weak.Make(c)
	if known, ok := caches.Load(key); ok {
		return known.(*cache), nil
	}
	if c.Family() != netlink.NETLINK_GENERIC {
		return nil, fmt.Errorf("genl: Conn has family %v, want %v", c.Family(), netlink.NETLINK_GENERIC)
	}
	made, loaded := caches.LoadOrStore(key, &cache{
		families: make(map[string]Family),
		flights:  make(map[string]*flight),
	})
	if !loaded {
		runtime.AddCleanup(c, forget, key)
	}
	return made.(*cache), nil
}

// forget removes the cache of a Conn that is gone.
func forget(key weak.Pointer[client.Conn]) { caches.Delete(key) }
