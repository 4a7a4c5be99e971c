"""Prints, in hex, what this kernel answers to a few requests.

It made the goldens of golden_test.go, run as root from wire/ by

    unshare --net sh -c 'ip link set lo up && python3 testdata/capture.py'

The new network namespace keeps the host's configuration out of the answers.
"""
import platform
import socket
import struct

CAP_ACK, EXT_ACK, STRICT = 10, 11, 12  # socket options
REQUEST, ACK, DUMP, CREATE = 1, 4, 0x300, 0x400
ROUTE, GENERIC = 0, 16  # families
NOOP, NEWLINK, GETLINK, GETADDR, NEWQDISC, NEWTCLASS, GENL_CTRL = 1, 16, 18, 22, 36, 40, 16
PORT = 0x6E6C


def attr(typ, value):
    return struct.pack("=HH", 4 + len(value), typ) + value + b"\0" * (-len(value) & 3)


def genl(cmd, *attrs):
    return struct.pack("=BBH", cmd, 1, 0) + b"".join(attrs)


def tcmsg(handle, parent):
    return struct.pack("=BxxxiIII", 0, 1, handle, parent, 0)


def ask(family, options, typ, flags, seq, payload):
    """Returns the datagrams that answer one request."""
    got = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family) as s:
        s.bind((PORT, 0))
        for o in options:
            s.setsockopt(270, o, 1)  # SOL_NETLINK
        length = 16 + len(payload)
        s.send(struct.pack("=IHHII", length, typ, flags | REQUEST, seq, PORT) + payload)
        s.settimeout(0.2)
        try:
            while True:
                got.append(s.recv(1 << 16))
        except TimeoutError:
            return got


def show(name, *request):
    for d in ask(*request):
        print(f"\n{name}, {len(d)} bytes")
        for at in range(0, len(d), 32):
            print("\t" + d[at : at + 32].hex())


print(platform.release(), platform.machine())

ifaddrmsg = struct.pack("=BBBBI", 0, 0, 0, 0, 0)
show("GETADDR dump", ROUTE, [], GETADDR, DUMP, 0x0A0B0C0D, ifaddrmsg)

show("NOOP", ROUTE, [EXT_ACK, CAP_ACK], NOOP, ACK, 3, b"")

ifinfomsg = struct.pack("=BxHiII", 0, 0, 9999, 0, 0)
show("GETLINK of interface 9999", ROUTE, [], GETLINK, ACK, 7, ifinfomsg)

# A name that is too long, whose attribute is the last and lacks its padding, so
# that the request's length is no multiple of 4.
ifinfomsg = struct.pack("=BxHiII", 0, 0, 0, 0, 0)
name = attr(3, b"x" * 17)[:-3]
show("GETLINK of a long name", ROUTE, [EXT_ACK], GETLINK, ACK, 8, ifinfomsg + name)
show("GETLINK of a long name, capped", ROUTE, [EXT_ACK, CAP_ACK], GETLINK, ACK, 8, ifinfomsg + name)

ifaddrmsg = struct.pack("=BBBBI", 2, 1, 0, 0, 0)
show("GETADDR dump, strict, with a prefix length", ROUTE, [EXT_ACK, STRICT], GETADDR, DUMP, 9, ifaddrmsg)

show("CTRL_CMD_GETFAMILY nlctrl", GENERIC, [], GENL_CTRL, 0, 10, genl(3, attr(2, b"nlctrl\0")))

answer = ask(GENERIC, [], GENL_CTRL, 0, 1, genl(3, attr(2, b"netdev\0")))[0]
netdev = struct.unpack_from("=H", answer, 20 + 12 + 4)[0]  # behind the name
show("NETDEV_CMD_DEV_GET without an interface", GENERIC, [EXT_ACK, CAP_ACK], netdev, ACK, 11, genl(1))
ifindex = attr(1, struct.pack("=I", 0))
show("NETDEV_CMD_DEV_GET of interface 0", GENERIC, [EXT_ACK, CAP_ACK], netdev, ACK, 12, genl(1, ifindex))

# The htb class has a rate so low that the kernel warns of it.
options = attr(2, attr(2, struct.pack("=5I", 3, 10, 0, 0, 0)))
ask(ROUTE, [], NEWQDISC, ACK | CREATE, 1, tcmsg(0x10000, 0xFFFFFFFF) + attr(1, b"htb\0") + options)
rate = struct.pack("=BBHhHI", 0, 1, 0, 0, 0, 125)
options = attr(2, attr(1, rate + rate + struct.pack("=5I", 1000, 1000, 0, 0, 0)))
show("NEWTCLASS htb", ROUTE, [EXT_ACK], NEWTCLASS, ACK | CREATE, 13, tcmsg(0x10001, 0x10000) + attr(1, b"htb\0") + options)

# Attributes in nests, with the whole request in the answer. The veth's peer has
# a header of its own in front of its attributes.
ifinfomsg = struct.pack("=BxHiII", 0, 0, 0, 0, 0)
kind, data = 1, 2  # in the nest 18
bridge = attr(18, attr(kind, b"bridge\0") + attr(data, attr(1, b"\1\0")))
show("NEWLINK bridge", ROUTE, [EXT_ACK], NEWLINK, ACK | CREATE, 14, ifinfomsg + bridge)
peer = ifinfomsg + attr(3, b"a\0") + attr(4, b"\1\0")
veth = attr(18, attr(kind, b"veth\0") + attr(data, attr(1, peer)))
show("NEWLINK veth", ROUTE, [EXT_ACK], NEWLINK, ACK | CREATE, 15, ifinfomsg + veth)

# ETHTOOL_MSG_TSINFO_GET with half a timestamp provider, in the nest 7.
answer = ask(GENERIC, [], GENL_CTRL, 0, 1, genl(3, attr(2, b"ethtool\0")))[0]
ethtool = struct.unpack_from("=H", answer, 20 + 12 + 4)[0]  # behind the name
lo, half = attr(1 | 1 << 15, attr(1, struct.pack("=I", 1))), attr(7 | 1 << 15, attr(1, struct.pack("=I", 0)))
show("TSINFO_GET", GENERIC, [EXT_ACK], ethtool, ACK, 16, genl(25, lo, half))
