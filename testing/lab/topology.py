"""Two gateways, the hosts behind them, and the wire between."""

import itertools
import os
import re
import sys
import time
from pathlib import Path

from .namespace import Namespace
from .shell import CommandFailed, run
from .stage import Stage, addressed, written

GATEWAYS = ("moon", "sun")
# A third machine on the wire, with nothing behind it, in scenarios that have a swanctl.conf for it.
GUESTS = ("carol",)
HOSTS = ("alice", "bob")
# The inner address of a gateway, the outer ones, and those of the host behind it.
ADDRESSES = {
    "moon": {"inner4": "10.1.0.1", "inner6": "fd01::1", "outer4": "192.0.2.1", "outer6": "2001:db8::1"},
    "sun": {"inner4": "10.2.0.1", "inner6": "fd02::1", "outer4": "192.0.2.2", "outer6": "2001:db8::2"},
    "carol": {"outer4": "192.0.2.3", "outer6": "2001:db8::3"},
    "alice": {"inner4": "10.1.0.10", "inner6": "fd01::10"},
    "bob": {"inner4": "10.2.0.10", "inner6": "fd02::10"},
}
PING = Path(__file__).with_name("ping.py")
VERDICT = re.compile(r"^(\d+) of \d+$", re.M)
BEHIND = {"moon": "alice", "sun": "bob"}
# Gateways forward, and take what comes out of the tunnel device.
SETTINGS = (("ipv4/ip_forward", 1), ("ipv6/conf/all/forwarding", 1), ("ipv4/conf/all/rp_filter", 0),
            ("ipv4/conf/default/rp_filter", 0), ("ipv6/conf/default/keep_addr_on_down", 1))

# In a guest, which runs our tests on a kernel with IPsec, all takes longer.
SLOWNESS = int(os.environ.get("CHARON_GUEST", "1"))
# Elsewhere strongSwan is given its userspace ESP, whatever the kernel can.
KERNEL_ESP = "CHARON_GUEST" in os.environ

_runs = itertools.count(1)


class Lab(Stage):
    """Gateways on a wire, and the hosts behind them."""

    def __init__(self, *, kept=False, guests=()):
        self.gateways = (*GATEWAYS, *guests)
        # A kept lab stays when its maker ends: its name says that no sweep may take it.
        super().__init__(f"charon-kept-{os.getpid()}" if kept else f"charon-{os.getpid()}-{next(_runs)}", kept=kept)

    def ping(self, source, target, *, family=4, count=20, interval=0.02, wait_s=1):
        """Pings from host to host; returns how many answers came."""
        interval, wait_s = interval * SLOWNESS, wait_s * SLOWNESS
        address = ADDRESSES[target][f"inner{family}"] if target in ADDRESSES else target
        said = self.nodes[source].run([sys.executable, PING, address, count, interval, wait_s], check=False,
                                      timeout=count * interval + wait_s + 10)
        verdict = VERDICT.search(said.stdout)
        if verdict is None:
            raise CommandFailed([PING, address], said.returncode, said.stdout + said.stderr)
        return int(verdict[1])

    def _build(self):
        for name in (*HOSTS, *self.gateways, "wire"):
            self.nodes[name] = Namespace(self.prefix, name)
            # Else link-local addresses are of no use for a second or two, and neighbours are not found.
            self.nodes[name].sh(written(("ipv6/conf/default/dad_transmits", 0), ("ipv6/conf/default/accept_dad", 0)))
        # The wire says nothing of its own.
        self.nodes["wire"].sh(written(("ipv6/conf/all/disable_ipv6", 1)))
        self.bridge("wire")
        for name in self.gateways:
            self._gateway(name)

    def _gateway(self, name):
        gateway, own = self.nodes[name], ADDRESSES[name]
        gateway.sh(written(*SETTINGS))
        self.plug(name, "outer", f"to-{name}", [own["outer4"] + "/24", own["outer6"] + "/64"])
        if name not in BEHIND:
            return
        host, behind = self.nodes[BEHIND[name]], ADDRESSES[BEHIND[name]]
        run(["ip", "link", "add", "inner", "netns", gateway.name, "type", "veth",
             "peer", "name", "inner", "netns", host.name])
        gateway.batch(addressed("inner", [own["inner4"] + "/16", own["inner6"] + "/64"]))
        host.batch([*addressed("inner", [behind["inner4"] + "/16", behind["inner6"] + "/64"]),
                    f"route add 0.0.0.0/0 via {own['inner4']}", f"route add ::/0 via {own['inner6']}"])


def wait_until(condition, within_s, what):
    """Polls `condition` until it is true; raises AssertionError naming `what` otherwise."""
    end = time.monotonic() + within_s * SLOWNESS
    while True:
        if condition():
            return
        if time.monotonic() >= end:
            raise AssertionError(f"{what}: not within {within_s} s")
        time.sleep(0.05)
