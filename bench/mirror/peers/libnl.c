// A copy of the IPv4 routes with libnl's cache manager: see main.go.
#include <netlink/netlink.h>
#include <netlink/cache.h>
#include <netlink/route/route.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static long resident(void)
{
	long size = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f) {
		if (fscanf(f, "%ld %ld", &size, &pages) != 2)
			pages = 0;
		fclose(f);
	}
	return pages * sysconf(_SC_PAGESIZE);
}

int main(void)
{
	double start = now();
	long before = resident();
	struct nl_cache_mngr *manager;
	struct nl_cache *routes;
	struct pollfd in = { .fd = 0, .events = POLLIN };
	char line[16];

	if (nl_cache_mngr_alloc(NULL, NETLINK_ROUTE, 0, &manager) < 0)
		return 1;
	if (rtnl_route_alloc_cache(NULL, AF_INET, 0, &routes) < 0)
		return 1;
	if (nl_cache_mngr_add_cache(manager, routes, NULL, NULL) < 0)
		return 1;
	printf("ready %f %ld\n", now() - start, resident() - before);
	fflush(stdout);
	for (;;) {
		nl_cache_mngr_poll(manager, 10);
		if (poll(&in, 1, 0) > 0) {
			if (!fgets(line, sizeof line, stdin))
				return 0;
			printf("%d\n", nl_cache_nitems(routes));
			fflush(stdout);
		}
	}
}
