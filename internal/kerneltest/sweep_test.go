//go:build linux

package kerneltest

import (
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/genl"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// TestSweepEnds: some 20,000 requests of all families, most of which make no sense, end
// although their ctx does not. The Conn has nothing left over and answers afterwards.
func TestSweepEnds(t *testing.T) {
	start, total := time.Now(), 0
	if ownMachine() {
		loadSweepModules(t)
	}
	for family := range netlink.NETLINK_SMC + 1 {
		s := &sweep{t: t, ns: nstest.New(t), family: family}
		if !s.mayRun() || !s.dial() {
			continue
		}
		began := time.Now()
		s.run()
		s.finish()
		t.Logf("%v: %d requests in %v: %v", family, s.requests, time.Since(began).Round(time.Millisecond), s.ends)
		total += s.requests
	}
	t.Logf("%d requests in %v", total, time.Since(start).Round(time.Millisecond))
	if total < 5000 { // the families that every kernel has come to more than that
		t.Errorf("%d requests, want thousands", total)
	}
}

// sweep sends requests of one family.
type sweep struct {
	t        *testing.T
	ns       *nstest.NS
	family   netlink.Family
	conn     *client.Conn
	requests int
	ends     map[string]int // number of requests by how they ended
}

// ownMachine reports whether the machine exists for the tests only. On other machines
// the sweep leaves out what a network namespace does not confine.
func ownMachine() bool { return os.Getenv(nstest.MachineEnv) == "1" }

// loadSweepModules loads modules with families of generic netlink and subsystems of
// others. No kernel has all of them. From then on until the end of the test the kernel
// loads no module: it would start modprobe for each type that it does not know.
func loadSweepModules(t *testing.T) {
	t.Helper()
	for _, module := range []string{
		"batman_adv", "cfg80211", "crypto_user", "fou", "gtp", "ip_set", "ip_vs", "l2tp_netlink", "macsec", "nbd", "nfc",
		"nfnetlink_acct", "nfnetlink_cthelper", "nfnetlink_cttimeout", "nfnetlink_log", "nfnetlink_osf", "nfnetlink_queue",
		"nf_conntrack_netlink", "nf_tables", "mac802154_hwsim", "openvswitch", "psample", "rdma_cm", "rdma_ucm",
		"scsi_transport_iscsi", "team", "tipc", "wireguard", "xfrm_user",
	} {
		_ = exec.Command("modprobe", module).Run()
	}
	const loader = "/proc/sys/kernel/modprobe"
	path, err := os.ReadFile(loader)
	if err == nil {
		err = os.WriteFile(loader, []byte("\n"), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(loader, path, 0); err != nil {
			t.Error(err)
		}
	})
}

// mayRun reports whether the requests of the family may go to this machine's kernel.
func (s *sweep) mayRun() bool {
	switch s.family {
	case netlink.NETLINK_AUDIT, netlink.NETLINK_CRYPTO, netlink.NETLINK_ISCSI, netlink.NETLINK_RDMA, netlink.NETLINK_SCSITRANSPORT:
		return ownMachine()
	}
	return true
}

// initialOnly reports whether the kernel's end of the family is in the initial network
// namespace only, and the sweep may go there.
func (s *sweep) initialOnly() bool {
	switch s.family {
	case netlink.NETLINK_CONNECTOR, netlink.NETLINK_ISCSI, netlink.NETLINK_SCSITRANSPORT, netlink.NETLINK_SELINUX:
		return ownMachine()
	}
	return false
}

// Dial opens the Conn and reports whether the kernel has the family.
func (s *sweep) dial() bool {
	s.t.Helper()
	var opts []client.Option
	if !s.initialOnly() {
		opts = append(opts, client.WithNetNS(s.ns.FD()))
	}
	c, err := client.Dial(s.family, opts...)
	if err != nil && !errors.Is(err, unix.EPROTONOSUPPORT) {
		s.t.Fatal(err)
	}
	s.conn, s.ends = c, make(map[string]int)
	return err == nil
}

// run sends the requests.
func (s *sweep) run() {
	types := func(low, high netlink.MessageType) {
		for typ := low; typ <= high; typ++ {
			s.variants(typ, nil)
		}
	}
	switch s.family {
	case netlink.NETLINK_GENERIC:
		s.generic()
	case netlink.NETLINK_ROUTE:
		types(0, 140) // some more than RTM_MAX
	case netlink.NETLINK_NETFILTER:
		for subsystem := range netlink.MessageType(13) { // to NFNL_SUBSYS_HOOK
			types(subsystem<<8, subsystem<<8|40)
		}
	case netlink.NETLINK_RDMA:
		for client := range netlink.MessageType(7) { // to RDMA_NL_NLDEV and one more
			types(client<<10, client<<10|40)
		}
	case netlink.NETLINK_AUDIT:
		types(1000, 1020) // to AUDIT_SET_FEATURE
		types(1100, 1110) // AUDIT_FIRST_USER_MSG
	default:
		types(0, 64)
	}
}

// generic sends requests of every command of every family of generic netlink.
func (s *sweep) generic() {
	families, err := genl.Families(Patient(s.t), s.conn)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range families {
		for command := range uint8(48) {
			if !ownMachine() && changesMachine(f, command) || breaksMachine(f, command) {
				continue
			}
			s.variants(f.ID, Pack(unix.Genlmsghdr{Cmd: command, Version: uint8(f.Version)}))
		}
	}
	for typ := netlink.NLMSG_MIN_TYPE; typ < netlink.NLMSG_MIN_TYPE+4; typ++ {
		s.variants(typ, nil) // shorter than their header
	}
}

// changesMachine reports whether a command may change what belongs to the whole
// machine. Only the administrator of the machine may give such commands.
func changesMachine(f genl.Family, command uint8) bool {
	for _, op := range f.Ops {
		if op.Command == command {
			return op.Flags&genl.GENL_ADMIN_PERM != 0
		}
	}
	return false
}

// breaksMachine reports whether a command without attributes keeps the machine from
// making sockets or network namespaces, which later tests need.
func breaksMachine(f genl.Family, command uint8) bool {
	const removeDefault = 5 // NLBL_MGMT_C_REMOVEDEF
	return f.Name == "NLBL_MGMT" && command == removeDefault
}

// variants sends a request with payloads of several lengths and with several flags.
func (s *sweep) variants(typ netlink.MessageType, header []byte) {
	for _, size := range []int{0, 4, 24, 120, 400} {
		payload := append(header[:len(header):len(header)], make([]byte, size)...)
		for _, flags := range []netlink.Flags{0, netlink.NLM_F_CREATE | netlink.NLM_F_ECHO, netlink.NLM_F_DUMP} {
			s.send(typ, payload, flags)
		}
	}
}

// send sends one request and waits for its end.
func (s *sweep) send(typ netlink.MessageType, payload []byte, flags netlink.Flags) {
	s.requests++
	conn, ctx := s.conn, s.t.Context() // ends after the test
	hung := time.AfterFunc(Patience, func() { conn.Close() })
	reply, err := conn.Exchange(ctx, typ, payload, flags)
	var refusal *wire.KernelError
	switch {
	case !hung.Stop():
		s.t.Errorf("%v: type %d, flags %v, payload %x: no end after %v, then %v", s.family, typ, flags, payload, Patience, err)
		s.dial()
	case err == nil:
		s.ends["ok"]++
	case errors.As(err, &refusal):
		s.ends["refused"]++
	case client.NotSent(err):
		s.ends["not sent"]++
	case errors.Is(err, client.ErrUnanswered):
		s.ends["unanswered"]++
	default:
		s.t.Errorf("%v: type %d, flags %v, payload %x: %v", s.family, typ, flags, payload, err)
	}
	if reply.Ack.Code > 0 {
		s.ends["with a code"]++
	}
}

// finish requires that the Conn has nothing left over and still answers.
func (s *sweep) finish() {
	s.t.Helper()
	if err := s.conn.Noop(Patient(s.t)); err != nil && !client.NotSent(err) {
		var refusal *wire.KernelError
		if !errors.As(err, &refusal) {
			s.t.Errorf("%v: noop after the sweep: %v", s.family, err)
		}
	}
	if st := s.conn.Stats(); st.Pending != 0 || st.RepliesLost != 0 {
		s.t.Errorf("%v: %+v; want nothing pending and nothing lost", s.family, st)
	}
	if err := s.conn.Close(); err != nil {
		s.t.Errorf("%v: Close: %v", s.family, err)
	}
}
