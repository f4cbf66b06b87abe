#!/usr/bin/env python3
"""CPU and memory of charond and keepalived with many virtual routers, and how long a takeover takes.

    testing/bench/vrrp.py                     1, 64 and 255 routers on an interface and 1,000 on four, at 1 s and 10 ms
    testing/bench/vrrp.py --counts 1 64 --seconds 5
    testing/bench/vrrp.py --counts --failover 20   takeover alone

Both daemons run one after the other in the same namespaces, Active, without macvlans, so that both do the same. CPU is that of all their threads and
processes by the scheduler's account, in percent of one core; memory is the proportional set size. What a daemon does not send it does not pay for: look
at the adverts beside it. A takeover is the time from the last advert of a router that is killed to the first of the other, adverts every 100 ms; beside
it is the timer that the RFC gives. Needs root.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

TESTING = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTING))

from lab.binaries import Binaries  # noqa: E402
from lab.shell import run  # noqa: E402
from lab.topology import wait_until  # noqa: E402
from vrrp import matrix, packages, roles, routers  # noqa: E402
from vrrp.wire import Capture, Wire  # noqa: E402

PER_INTERFACE = 250
ANNOUNCED_AFTER_S = 8


class Many(routers.Setup):
    """As many routers as wanted, over as many interfaces as that takes."""

    def __init__(self, count, interval):
        super().__init__(f"{count}", interval=interval, vmac=False)
        per = 255 if count <= 255 else PER_INTERFACE
        self.places = [(number // per, number % per + 1) for number in range(count)]


def interfaces(wire, setup):
    """Names of the interfaces, made as far as they are missing."""
    node, names = wire.nodes["a"], ["e0"]
    for number in range(1, max(place[0] for place in setup.places) + 1):
        name = f"e{number}"
        node.ip("link", "add", name, "type", "veth", "peer", "name", f"p{number}")
        node.ip("link", "set", name, "up")
        node.ip("link", "set", f"p{number}", "up")
        node.ip("addr", "add", f"192.0.{number + 2}.11/24", "dev", name)
        names.append(name)
    return names


def charond(wire, setup, names, binaries):
    """Started, all routers loaded."""
    router = routers.Charond(wire, "a", setup, 150, binaries=binaries)
    router.load = lambda **_: None
    router.start()
    message = {f"r{at}-{vrid}": section(names[at], at, vrid, setup.interval) for at, vrid in setup.places}
    for name, value in message.items():
        reply = router.request("load-vrouter", {name: value})
        assert reply.get("success") == "yes", reply
    return router


def section(name, at, vrid, interval):
    """One router of charond."""
    return {"interface": name, "vrid": str(vrid), "addresses": [f"198.51.{at + 100}.{vrid}/32"], "priority": "150",
            "advert_interval": f"{round(interval * 1000)}ms", "vmac": "no"}


def keepalived(wire, setup, names):
    """Started with the same routers."""
    router = routers.Keepalived(wire, "a", setup, 150)
    lines = []
    for at, vrid in setup.places:
        lines += [f"vrrp_instance r{at}_{vrid} {{", "  state BACKUP", f"  interface {names[at]}", "  version 3",
                  f"  virtual_router_id {vrid}", "  priority 150", f"  advert_int {setup.interval}",
                  "  virtual_ipaddress {", f"    198.51.{at + 100}.{vrid}/32", "  }", "}"]
    conf = router.directory / "keepalived.conf"
    conf.write_text("\n".join(lines) + "\n")
    router._spawn([packages.KEEPALIVED, "-n", "-P", "-l", "-f", conf, "-p", router.directory / "pid",
                   "-r", router.directory / "vrrp.pid"])
    return router


def processes(wire):
    """Process ids inside."""
    own = run(["ip", "netns", "pids", wire.nodes["a"].name]).stdout.split()
    return [pid for pid in own if Path(f"/proc/{pid}/smaps_rollup").exists()]


def cpu_s(pids):
    """Seconds of CPU that they used so far."""
    total = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            total += int((thread / "schedstat").read_text().split()[0]) / 1e9
    return total


def memory_kib(pids):
    """Proportional set size."""
    return sum(int(line.split()[1]) for pid in pids for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
               if line.startswith("Pss:"))


def measure(kind, count, interval, binaries, seconds):
    """(percent of a core, KiB, adverts per second on the first interface)."""
    setup = Many(count, interval)
    with Wire() as wire:
        names = interfaces(wire, setup)
        router = charond(wire, setup, names, binaries) if kind == "charond" else keepalived(wire, setup, names)
        holding = lambda: wire.nodes["a"].ip("-o", "addr", "show").stdout.count(" 198.51.") >= count  # noqa: E731
        wait_until(holding, 60, f"{count} addresses of {kind}")
        # Both announce their addresses again after five seconds, over some time; that is no steady state.
        time.sleep(ANNOUNCED_AFTER_S)
        capture = Capture(wire)
        pids = processes(wire)
        before, begin = cpu_s(pids), time.monotonic()
        time.sleep(seconds)
        used, took = cpu_s(pids) - before, time.monotonic() - begin
        capture.close()
        result = used / took * 100, memory_kib(pids), len(capture.adverts()) / took
        router.kill()
        return result


def takeovers(kind, count, binaries):
    """Seconds of that many takeovers after SIGKILL, and the timer's."""
    setup = routers.Setup("takeover", vmac=False)
    times = []
    with Wire() as wire:
        a, b = (routers.make(kind, wire, name, setup, priority, binaries)
                for name, priority in (("a", matrix.HIGH), ("b", matrix.LOW)))
        capture = wire.own(Capture(wire))
        a.start()
        b.start()
        matrix.settle(setup, capture, a)
        for _ in range(count):
            time.sleep(1)
            times.append(matrix.failover(setup, a.kill, capture, b))
            wire.nodes["a"].ip("addr", "flush", "dev", "e0", "to", "192.0.2.1/32")
            a.start()
            matrix.settle(setup, capture, a)
    return times, roles.down_interval(setup, matrix.LOW)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="*", default=[1, 64, 255, 1000])
    parser.add_argument("--intervals", type=float, nargs="+", default=[1, 0.01])
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--failover", type=int, default=10, help="takeovers to measure")
    parser.add_argument("--profile", default="release", help="target directory of our programs")
    options = parser.parse_args()
    packages.provide({"keepalived"})
    binaries = Binaries(options.profile)
    print(f"{'routers':>8} {'interval':>9} {'daemon':12} {'CPU %':>8} {'MiB':>8} {'adverts/s on the first interface':>34}")
    for interval in options.intervals:
        for count in options.counts:
            for kind in ("charond", "keepalived"):
                percent, kib, rate = measure(kind, count, interval, binaries, options.seconds)
                print(f"{count:8} {interval:9} {kind:12} {percent:8.3f} {kib / 1024:8.1f} {rate:34.0f}", flush=True)
    for kind in ("charond", "keepalived") if options.failover else ():
        times, timer = takeovers(kind, options.failover, binaries)
        off = [(took - timer) * 1000 for took in times]
        print(f"takeover of {kind:11} median {statistics.median(times):.4f} s, timer {timer:.4f} s; off by "
              f"{statistics.median(off):+.2f} ms (median), {min(off):+.2f} to {max(off):+.2f} ms", flush=True)


if __name__ == "__main__":
    main()
