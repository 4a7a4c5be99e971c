//go:build linux

package nstest

import (
	"os"
	"runtime"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// HoldRTNL makes a system call that holds the kernel's rtnl_lock until release is
// called or the test ends. Meanwhile every request that needs the lock waits, in all
// namespaces and processes, so a test holds it briefly.
//
// The call is ETHTOOL_GFEATURES on lo. dev_ethtool in net/ethtool/ioctl.c takes the
// lock and copies the result to a page that does not exist until userfaultfd makes it.
func (n *NS) HoldRTNL(t testing.TB) (release func()) {
	t.Helper()
	p, err := newMissingPage()
	if err != nil {
		Skip(t, "userfaultfd", "no userfaultfd: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- n.Do(func() error { return getFeatures("lo", p.before(8)) }) }()
	release = sync.OnceFunc(func() {
		if err := p.fill(); err != nil {
			panic(err) // the system call would never return
		}
		if err := <-done; err != nil {
			t.Errorf("ETHTOOL_GFEATURES: %v", err)
		}
		p.close()
	})
	if err := p.await(); err != nil {
		release()
		t.Fatal(err)
	}
	t.Cleanup(release)
	return release
}

// missingPage is two pages of memory, the second of which does not exist until fill. A
// system call that writes to it waits.
type missingPage struct {
	mem []byte
	fd  *os.File // userfaultfd
}

// Requests of userfaultfd (include/uapi/linux/userfaultfd.h).
const (
	uffdAPI      = 0xaa
	uffdioAPI    = 0xc018aa3f
	uffdRegister = 0xc020aa00
	uffdZeropage = 0xc020aa04

	uffdModeMissing = 1
	uffdMsgSize     = 32
)

func newMissingPage() (*missingPage, error) {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
	if errno != 0 {
		return nil, os.NewSyscallError("userfaultfd", errno)
	}
	p := &missingPage{fd: os.NewFile(fd, "userfaultfd")}
	size := os.Getpagesize()
	mem, err := unix.Mmap(-1, 0, 2*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		p.fd.Close()
		return nil, err
	}
	p.mem = mem
	api := [3]uint64{uffdAPI}
	err = p.ioctl(uffdioAPI, unsafe.Pointer(&api))
	if err == nil {
		area := [4]uint64{p.second(), uint64(size), uffdModeMissing}
		err = p.ioctl(uffdRegister, unsafe.Pointer(&area))
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// second returns the address of the missing page.
func (p *missingPage) second() uint64 {
	return uint64(uintptr(unsafe.Pointer(&p.mem[len(p.mem)/2])))
}

// before returns the memory from n bytes before the missing page.
func (p *missingPage) before(n int) []byte { return p.mem[len(p.mem)/2-n:] }

// await waits until something needs the missing page.
func (p *missingPage) await() error {
	_, err := p.fd.Read(make([]byte, uffdMsgSize))
	return err
}

// fill makes the missing page.
func (p *missingPage) fill() error {
	area := [4]uint64{p.second(), uint64(len(p.mem) / 2)}
	return p.ioctl(uffdZeropage, unsafe.Pointer(&area))
}

func (p *missingPage) ioctl(req uintptr, arg unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, p.fd.Fd(), req, uintptr(arg))
	if errno != 0 {
		return os.NewSyscallError("ioctl of userfaultfd", errno)
	}
	return nil
}

func (p *missingPage) close() {
	p.fd.Close()
	_ = unix.Munmap(p.mem)
}

// getFeatures asks for the features of a device. The struct ethtool_gfeatures is at
// the start of buf, its array follows.
func getFeatures(device string, buf []byte) error {
	const words = 2
	*(*[2]uint32)(unsafe.Pointer(&buf[0])) = [2]uint32{unix.ETHTOOL_GFEATURES, words}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var req struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	copy(req.name[:], device)
	req.data = unsafe.Pointer(&buf[0])
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req)))
	runtime.KeepAlive(buf)
	if errno != 0 {
		return os.NewSyscallError("ioctl SIOCETHTOOL", errno)
	}
	return nil
}
