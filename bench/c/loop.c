// loop is the floor that C has: one thread, one blocking socket, one system call
// to send and one for each datagram of the answer. It does what raw.go does.
//
//	loop WORK OPERATIONS NANOSECONDS [PAYLOAD]
//
// It stops after so many operations, or if that is 0 after that time, and prints
// how many it has done and in how many nanoseconds. The payload is in
// hexadecimal; what it has to be stands at the work's function.

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

static int fd;
static uint32_t port;
static uint32_t seq;
static char buf[64 << 10];

struct payload {
	char bytes[256];
	size_t len;
};

static struct payload payload;

static void fail(const char *what)
{
	fprintf(stderr, "loop: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void send_request(uint16_t type, uint16_t flags, const struct payload *p)
{
	struct {
		struct nlmsghdr h;
		char payload[sizeof(p->bytes)];
	} req;
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	memset(&req.h, 0, sizeof(req.h));
	req.h.nlmsg_type = type;
	req.h.nlmsg_flags = NLM_F_REQUEST | flags;
	req.h.nlmsg_seq = ++seq;
	req.h.nlmsg_len = NLMSG_LENGTH(p ? p->len : 0);
	if (p)
		memcpy(req.payload, p->bytes, p->len);
	if (sendto(fd, &req, req.h.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		fail("sendto");
}

// answer reads to the end of the answer. It returns the kernel's errno and
// counts the entries; keep, if it is not NULL, gets a copy of each.
static int answer(long *entries, void (*keep)(const void *, size_t))
{
	for (;;) {
		struct sockaddr_nl from;
		socklen_t size = sizeof(from);
		ssize_t n = recvfrom(fd, buf, sizeof(buf), MSG_TRUNC, (struct sockaddr *)&from, &size);
		struct nlmsghdr *h;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail("recvfrom");
		if (n > (ssize_t)sizeof(buf)) {
			errno = EMSGSIZE;
			fail("recvfrom");
		}
		if (from.nl_pid != 0)
			continue;
		for (h = (struct nlmsghdr *)buf; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_seq != seq || h->nlmsg_pid != port)
				continue;
			if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE)
				return -*(int *)NLMSG_DATA(h);
			++*entries;
			if (keep)
				keep(NLMSG_DATA(h), NLMSG_PAYLOAD(h, 0));
		}
	}
}

// expect ends the program if an answer was not what it had to be.
static void expect(const char *what, int got, int want)
{
	if (got != want) {
		errno = got;
		fail(what);
	}
}

// keep_reply copies a reply into memory of its own, and frees it at once: the
// loop has no use for it.
static void keep_reply(const void *p, size_t n)
{
	void *copy = malloc(n);

	if (!copy)
		fail("malloc");
	memcpy(copy, p, n);
	// Or the compiler leaves all of it out.
	__asm__ volatile("" : : "r"(copy) : "memory");
	free(copy);
}

static void noop(void)
{
	long n = 0;

	send_request(NLMSG_NOOP, NLM_F_ACK, NULL);
	expect("noop", answer(&n, NULL), 0);
}

// getlink needs the payload of a link that exists.
static void getlink(void)
{
	long n = 0;

	send_request(RTM_GETLINK, NLM_F_ACK, &payload);
	expect("getlink", answer(&n, keep_reply), 0);
	expect("getlink: entries", n == 1 ? 0 : ENOENT, 0);
}

// error needs the payload of a link that does not exist.
static void error(void)
{
	long n = 0;

	send_request(RTM_GETLINK, NLM_F_ACK, &payload);
	expect("error", answer(&n, NULL), ENODEV);
}

// addr needs the payload of an address.
static void addr(void)
{
	long n = 0;

	send_request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &payload);
	expect("newaddr", answer(&n, NULL), 0);
	send_request(RTM_DELADDR, NLM_F_ACK, &payload);
	expect("deladdr", answer(&n, NULL), 0);
}

static void dump(uint16_t type, void (*keep)(const void *, size_t))
{
	long n = 0;

	send_request(type, NLM_F_DUMP, &payload);
	expect("dump", answer(&n, keep), 0);
	expect("dump: entries", n > 0 ? 0 : ENOENT, 0);
}

// The dumps need the family's header.
static void addrs(void) { dump(RTM_GETADDR, keep_reply); }
static void addrs_stream(void) { dump(RTM_GETADDR, NULL); }
static void routes(void) { dump(RTM_GETROUTE, keep_reply); }
static void routes_stream(void) { dump(RTM_GETROUTE, NULL); }

static const struct {
	const char *name;
	void (*run)(void);
} works[] = {
	{ "noop", noop },
	{ "getlink", getlink },
	{ "error", error },
	{ "addr", addr },
	{ "dump", addrs },
	{ "dump-stream", addrs_stream },
	{ "routes", routes },
	{ "routes-stream", routes_stream },
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// run does the work up to the limit and returns how often.
static long long run(void (*work)(void), long long limit, int64_t nanoseconds)
{
	int64_t end = now() + nanoseconds;
	long long n = 0;

	while (limit ? n < limit : now() < end) {
		work();
		n++;
	}
	return n;
}

static void open_socket(void)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK };
	socklen_t size = sizeof(sa);

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		fail("socket");
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		fail("bind");
	if (getsockname(fd, (struct sockaddr *)&sa, &size) < 0)
		fail("getsockname");
	port = sa.nl_pid;
}

static void parse(struct payload *p, const char *hex)
{
	for (; hex[0] && hex[1]; hex += 2) {
		unsigned byte;

		if (p->len == sizeof(p->bytes) || sscanf(hex, "%2x", &byte) != 1) {
			errno = EINVAL;
			fail("payload");
		}
		p->bytes[p->len++] = byte;
	}
}

int main(int argc, char **argv)
{
	if (argc != 4 && argc != 5) {
		fprintf(stderr, "usage: loop WORK OPERATIONS NANOSECONDS [PAYLOAD]\n");
		return 2;
	}
	long long limit = atoll(argv[2]);
	int64_t nanoseconds = atoll(argv[3]);

	if (argc == 5)
		parse(&payload, argv[4]);
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		if (strcmp(argv[1], works[i].name))
			continue;
		open_socket();
		if (!limit)
			run(works[i].run, 0, nanoseconds / 8);

		int64_t start = now();
		long long n = run(works[i].run, limit, nanoseconds);

		printf("%lld %lld\n", n, (long long)(now() - start));
		return 0;
	}
	fprintf(stderr, "loop: no work %s\n", argv[1]);
	return 2;
}
