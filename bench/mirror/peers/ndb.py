"""A copy of the routes with NDB of pyroute2: see main.go."""
import resource
import sys
import time

from pyroute2 import NDB


def count(ndb):
    return sum(1 for r in ndb.routes.dump() if r.family == 2)


def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


start, before = time.monotonic(), memory()
with NDB() as ndb:
    took = time.monotonic() - start
    print("ready %f %d" % (took, memory() - before), flush=True)
    for _ in sys.stdin:
        print(count(ndb), flush=True)
