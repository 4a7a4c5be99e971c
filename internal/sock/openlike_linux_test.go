package sock

import (
	"errors"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/internal/nstest"
)

// The tests of this file are about sockets like another one: with the same options,
// in the same network namespace, on a port of their own.

func TestMain(m *testing.M) { nstest.Main(m) }

// openLike opens a socket like s and checks that its requests are answered.
func openLike(t *testing.T, s Socket) *socket {
	t.Helper()
	like, err := s.OpenLike()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { like.Close() })
	noops(t, like, 1, 2)
	want(t, like, datagrams(2), 1, 2)
	return like.(*socket)
}

// namespaceOf returns the number of the namespace of s.
func namespaceOf(t *testing.T, s Socket) (cookie uint64) {
	t.Helper()
	var err error
	if ctl := s.(*socket).Control(func(fd uintptr) { cookie, err = netnsCookie(int(fd)) }); ctl != nil {
		t.Fatal(ctl)
	}
	if errors.Is(err, unix.ENOPROTOOPT) {
		nstest.Skip(t, "netnscookie", "namespaces have no numbers before Linux 5.14: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return cookie
}

// option returns a socket option of s.
func option(t *testing.T, s Socket, level, opt int) (v int) {
	t.Helper()
	var err error
	if ctl := s.(*socket).Control(func(fd uintptr) { v, err = unix.GetsockoptInt(int(fd), level, opt) }); ctl != nil {
		t.Fatal(ctl)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestOpenLikeInTheSameNamespace(t *testing.T) {
	s := openSocket(t, Config{ReceiveBuffer: 32 << 10, SendBuffer: 16 << 10, StrictChecking: true})
	like := openLike(t, s)
	if like.PortID() == 0 || like.PortID() == s.PortID() {
		t.Errorf("port %d, and that of the other is %d", like.PortID(), s.PortID())
	}
	if namespaceOf(t, like) != namespaceOf(t, s) {
		t.Error("in another namespace")
	}
	receive, send := s.Buffers()
	if r, w := like.Buffers(); r != receive || w != send {
		t.Errorf("buffers of %d and %d bytes, want %d and %d", r, w, receive, send)
	}
	if option(t, like, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK) != 1 {
		t.Error("without strict checking")
	}
	if f := netlink.Family(option(t, like, unix.SOL_SOCKET, unix.SO_PROTOCOL)); f != netlink.NETLINK_ROUTE {
		t.Errorf("of %v", f)
	}
	// OpenLike also works on the new socket.
	again := openLike(t, like)
	if again.PortID() == like.PortID() || again.PortID() == s.PortID() {
		t.Error("two sockets on one port")
	}
}

// A configured port belongs to one socket only.
func TestOpenLikeOfAConfiguredPort(t *testing.T) {
	const configured = 1 << 30
	s := openSocket(t, Config{PortID: configured})
	if s.PortID() != configured {
		t.Fatalf("port %d", s.PortID())
	}
	if like := openLike(t, s); like.PortID() == configured {
		t.Error("on the same port")
	}
}

// The netpoller does not watch the socket, so its datagrams wake no goroutine.
func TestOpenLikeIsNotWatched(t *testing.T) {
	like := openLike(t, openSocket(t, Config{}))
	if like.notifier != nil {
		t.Error("has a notifier")
	}
	var flags int
	var err error
	if ctl := like.Control(func(fd uintptr) { flags, err = unix.FcntlInt(fd, unix.F_GETFL, 0) }); ctl != nil || err != nil {
		t.Fatal(ctl, err)
	}
	if flags&unix.O_NONBLOCK != 0 {
		t.Error("is non-blocking, and so in the netpoller")
	}
	// Reads are non-blocking nevertheless.
	if n, err := like.Recv(datagrams(1)); n != 0 || err != syscall.EAGAIN {
		t.Errorf("%d datagrams, %v; want none, EAGAIN", n, err)
	}
}

// The goroutine that opens it may run on a thread in another namespace.
func TestOpenLikeFromAThreadInAnotherNamespace(t *testing.T) {
	elsewhere := nstest.New(t)
	for _, tt := range []struct {
		name string
		cfg  func(t *testing.T) Config
	}{
		{"without a configured namespace", func(*testing.T) Config { return Config{} }},
		{"with a configured one", func(t *testing.T) Config {
			return Config{NetNS: nstest.New(t).FD(), HasNetNS: true}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := openSocket(t, tt.cfg(t))
			other := openSocket(t, Config{NetNS: elsewhere.FD(), HasNetNS: true})
			if namespaceOf(t, s) == namespaceOf(t, other) {
				t.Fatal("the namespaces of the test are the same")
			}
			var like Socket
			var here, after uint64
			err := elsewhere.Do(func() (err error) {
				here = threadNamespace()
				like, err = s.OpenLike()
				after = threadNamespace()
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			defer like.Close()
			if namespaceOf(t, like) != namespaceOf(t, s) {
				t.Error("not in the namespace of the other socket")
			}
			if here == 0 || after != here {
				t.Errorf("the thread was in namespace %d and is in %d", here, after)
			}
			noops(t, like, 1, 1)
			want(t, like, datagrams(1), 1, 1)
		})
	}
}

// threadNamespace returns the number of the thread's namespace, 0 if there is none.
func threadNamespace() uint64 {
	fd, err := open(Config{})
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	cookie, _ := netnsCookie(fd)
	return cookie
}

// Ports are unique in a namespace only: another one can have the same port.
func TestOpenLikeWhereThePortIsInUseElsewhere(t *testing.T) {
	const port = 1<<30 + 1
	here, elsewhere := nstest.New(t), nstest.New(t)
	s := openSocket(t, Config{PortID: port, NetNS: here.FD(), HasNetNS: true})
	openSocket(t, Config{PortID: port, NetNS: elsewhere.FD(), HasNetNS: true})
	var like Socket
	err := elsewhere.Do(func() (err error) {
		like, err = s.OpenLike()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer like.Close()
	if namespaceOf(t, like) != namespaceOf(t, s) {
		t.Error("not in the namespace of the other socket")
	}
}

// Open keeps a descriptor of the configured namespace, so that its caller may close its
// own or reuse the number.
func TestOpenLikeAfterTheCallerClosedTheNamespace(t *testing.T) {
	ns := nstest.New(t)
	for _, tt := range []struct {
		name string
		use  func(fd int) error
	}{
		{"closed", unix.Close},
		{"another file", func(fd int) error {
			null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(null)
			return unix.Dup3(null, fd, unix.O_CLOEXEC)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fd, err := unix.FcntlInt(uintptr(ns.FD()), unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			s := openSocket(t, Config{NetNS: fd, HasNetNS: true})
			if err := tt.use(fd); err != nil {
				t.Fatal(err)
			}
			if tt.name == "another file" {
				defer unix.Close(fd)
			}
			like := openLike(t, s)
			if namespaceOf(t, like) != namespaceOf(t, s) {
				t.Error("not in the namespace of the other socket")
			}
		})
	}
}

// dropCapability takes a capability out of the effective set of the calling thread,
// which has to be locked and is not to be used for anything else afterwards.
func dropCapability(c uint) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return os.NewSyscallError("capget", err)
	}
	sets[c/32].Effective &^= 1 << (c % 32)
	return os.NewSyscallError("capset", unix.Capset(&header, &sets[0]))
}

// onThread runs f on a thread of its own.
func onThread(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		result <- f()
	}()
	return <-result
}

// A dump needs no privilege that WithNetNS did not need: setns wants CAP_SYS_ADMIN,
// and SIOCGSKNS would want CAP_NET_ADMIN.
func TestOpenLikeWithoutNetAdmin(t *testing.T) {
	ns := nstest.New(t)
	fd, err := unix.FcntlInt(uintptr(ns.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, like := range []bool{false, true} {
		var s, l Socket
		err = onThread(func() (err error) {
			if err := dropCapability(unix.CAP_NET_ADMIN); err != nil {
				return err
			}
			if s, err = Open(Config{Family: netlink.NETLINK_ROUTE, NetNS: fd, HasNetNS: true}); err != nil || !like {
				return err
			}
			if err = unix.Close(fd); err != nil {
				return err
			}
			l, err = s.OpenLike()
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		if !like {
			// The test proves something only if SIOCGSKNS is refused.
			var refused error
			err := onThread(func() error {
				if err := dropCapability(unix.CAP_NET_ADMIN); err != nil {
					return err
				}
				return s.(*socket).Control(func(fd uintptr) {
					_, refused = unix.IoctlRetInt(int(fd), unix.SIOCGSKNS)
				})
			})
			if err != nil || !errors.Is(refused, unix.EPERM) {
				t.Fatalf("%v; SIOCGSKNS without CAP_NET_ADMIN: %v, want EPERM", err, refused)
			}
			continue
		}
		t.Cleanup(func() { l.Close() })
		if namespaceOf(t, l) != namespaceOf(t, s) {
			t.Error("not in the namespace of the other socket")
		}
		noops(t, l, 1, 1)
		want(t, l, datagrams(1), 1, 1)
	}
}

// Where no namespace was configured, a thread that is in the right one needs no
// privilege at all.
func TestOpenLikeWithoutPrivilege(t *testing.T) {
	s := openSocket(t, Config{})
	var like Socket
	err := onThread(func() (err error) {
		for _, c := range []uint{unix.CAP_NET_ADMIN, unix.CAP_SYS_ADMIN} {
			if err := dropCapability(c); err != nil {
				return err
			}
		}
		like, err = s.OpenLike()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer like.Close()
	if namespaceOf(t, like) != namespaceOf(t, s) {
		t.Error("not in the namespace of the other socket")
	}
}

// Without a configured namespace, a thread in another one has to ask the kernel for the
// namespace. The error says so.
func TestOpenLikeNamesThePrivilegeThatItLacks(t *testing.T) {
	elsewhere := nstest.New(t)
	s := openSocket(t, Config{})
	fds := openFDs(t)
	err := elsewhere.Do(func() error {
		if err := dropCapability(unix.CAP_NET_ADMIN); err != nil {
			return err
		}
		like, err := s.OpenLike()
		if err == nil {
			like.Close()
		}
		return err
	})
	const text = "network namespace of the Conn: ioctl SIOCGSKNS: operation not permitted"
	if !errors.Is(err, unix.EPERM) || err.Error() != text {
		t.Errorf("got %v, want %s", err, text)
	}
	if n := openFDs(t); n != fds {
		t.Errorf("%d descriptors were open and %d are", fds, n)
	}
}

// OpenLike fails on a closed socket, even if another socket has taken its port.
func TestOpenLikeOfAClosedSocket(t *testing.T) {
	for _, tt := range []struct {
		name   string
		cfg    func(t *testing.T) Config
		reused bool
	}{
		{"plain", func(*testing.T) Config { return Config{} }, false},
		{"plain, port in use again", func(*testing.T) Config { return Config{} }, true},
		{"namespace", func(t *testing.T) Config { return Config{NetNS: nstest.New(t).FD(), HasNetNS: true} }, false},
		{"namespace, port in use again", func(t *testing.T) Config { return Config{NetNS: nstest.New(t).FD(), HasNetNS: true} }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := tt.cfg(t)
			s := openSocket(t, cfg)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if tt.reused {
				cfg.PortID = s.PortID()
				openSocket(t, cfg)
			}
			fds := openFDs(t)
			like, err := s.OpenLike()
			if err == nil {
				like.Close()
			}
			if err != net.ErrClosed {
				t.Errorf("got %v, want net.ErrClosed", err)
			}
			if n := openFDs(t); n != fds {
				t.Errorf("%d descriptors were open and %d are", fds, n)
			}
		})
	}
}

// Each socket is closed on its own.
func TestOpenLikeOutlivesTheOther(t *testing.T) {
	s := openSocket(t, Config{NetNS: nstest.New(t).FD(), HasNetNS: true})
	like := openLike(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	noops(t, like, 1, 1)
	want(t, like, datagrams(1), 1, 1)
	if err := like.Close(); err != nil {
		t.Error(err)
	}
	if err := like.Close(); err != net.ErrClosed {
		t.Errorf("closed twice: %v", err)
	}
}

// Close frees the descriptor of the namespace as well.
func TestCloseFreesAllDescriptors(t *testing.T) {
	ns := nstest.New(t)
	fds := openFDs(t)
	for _, cfg := range []Config{{}, {NetNS: ns.FD(), HasNetNS: true}} {
		s := openSocket(t, cfg)
		like := openLike(t, s)
		if err := errors.Join(like.Close(), s.Close()); err != nil {
			t.Fatal(err)
		}
		if n := openFDs(t); n != fds {
			t.Errorf("%+v: %d descriptors were open and %d are", cfg, fds, n)
		}
	}
}

// openFDs returns the number of descriptors of the process.
func openFDs(t *testing.T) int {
	t.Helper()
	// The first file starts the netpoller, which has descriptors of its own.
	if err := openSocket(t, Config{}).Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
