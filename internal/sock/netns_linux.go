package sock

import (
	"runtime"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// openIn makes the descriptor, in the configured namespace. A socket belongs
// for life to the namespace of the thread that made it.
func openIn(cfg Config) (fd int, err error) {
	if !cfg.HasNetNS {
		return open(cfg)
	}
	var g errgroup.Group
	g.Go(func() error {
		// The thread is not unlocked, so it dies with the goroutine and no
		// other goroutine ever runs in the namespace by mistake.
		runtime.LockOSThread()
		if err := unix.Setns(cfg.NetNS, unix.CLONE_NEWNET); err != nil {
			return wrap("setns", err)
		}
		fd, err = open(cfg)
		return err
	})
	return fd, g.Wait()
}

func open(cfg Config) (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(cfg.Family))
	return fd, wrap("socket", err)
}
