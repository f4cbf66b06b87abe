"""Two gateways, the hosts behind them, and the wire between."""

import itertools
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from .namespace import Namespace, sweep
from .shell import CommandFailed, run

GATEWAYS = ("moon", "sun")
HOSTS = ("alice", "bob")
# The inner address of a gateway, the outer ones, and those of the host behind it.
ADDRESSES = {
    "moon": {"inner4": "10.1.0.1", "inner6": "fd01::1", "outer4": "192.0.2.1", "outer6": "2001:db8::1"},
    "sun": {"inner4": "10.2.0.1", "inner6": "fd02::1", "outer4": "192.0.2.2", "outer6": "2001:db8::2"},
    "alice": {"inner4": "10.1.0.10", "inner6": "fd01::10"},
    "bob": {"inner4": "10.2.0.10", "inner6": "fd02::10"},
}
PING = Path(__file__).with_name("ping.py")
VERDICT = re.compile(r"^(\d+) of \d+$", re.M)
BEHIND = {"moon": "alice", "sun": "bob"}
# Gateways forward, and take what comes out of the tunnel device.
SETTINGS = (("ipv4/ip_forward", 1), ("ipv6/conf/all/forwarding", 1), ("ipv4/conf/all/rp_filter", 0),
            ("ipv4/conf/default/rp_filter", 0))

# In a guest, which runs our tests on a kernel with IPsec, all takes longer.
SLOWNESS = int(os.environ.get("CHARON_GUEST", "1"))

_runs = itertools.count(1)


class Lab:
    """The namespaces and the scratch directory; a context manager that removes both."""

    def __init__(self, *, kept=False):
        # A kept lab stays when its maker ends: its name says that no sweep may take it.
        self.prefix = f"charon-kept-{os.getpid()}" if kept else f"charon-{os.getpid()}-{next(_runs)}"
        self.kept = kept
        self.directory = Path(tempfile.mkdtemp(prefix=f"{self.prefix}-"))
        self.nodes = {}
        self._owned = []
        try:
            sweep()
            self._build()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if not self.kept or kind is not None:
            self.close()

    def own(self, closable):
        """Has `closable` closed before the namespaces go."""
        self._owned.append(closable)
        return closable

    def close(self):
        """Ends daemons and captures, removes namespaces and the scratch directory."""
        for closable in reversed(self._owned):
            try:
                closable.close()
            except Exception as error:  # the rest must go nevertheless
                print(f"lab: closing {closable}: {error}")
        self._owned.clear()
        for node in self.nodes.values():
            node.delete()
        self.nodes.clear()
        shutil.rmtree(self.directory, ignore_errors=True)

    def ping(self, source, target, *, family=4, count=20, interval=0.02, wait_s=1):
        """Pings from host to host; returns how many answers came."""
        address = ADDRESSES[target][f"inner{family}"]
        said = self.nodes[source].run([sys.executable, PING, address, count, interval, wait_s], check=False,
                                      timeout=count * interval + wait_s + 10)
        verdict = VERDICT.search(said.stdout)
        if verdict is None:
            raise CommandFailed([PING, address], said.returncode, said.stdout + said.stderr)
        return int(verdict[1])

    def _build(self):
        for name in (*HOSTS, *GATEWAYS, "wire"):
            self.nodes[name] = Namespace(self.prefix, name)
            # Else link-local addresses are of no use for a second or two, and neighbours are not found.
            for setting in ("dad_transmits", "accept_dad"):
                self.nodes[name].run(["sh", "-c", f"echo 0 > /proc/sys/net/ipv6/conf/default/{setting}"])
        self.nodes["wire"].ip("link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        # The wire says nothing of its own.
        self.nodes["wire"].run(["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"])
        self.nodes["wire"].ip("link", "set", "br0", "up")
        for name in GATEWAYS:
            self._gateway(name)

    def _gateway(self, name):
        gateway, host, wire = self.nodes[name], self.nodes[BEHIND[name]], self.nodes["wire"]
        own, behind = ADDRESSES[name], ADDRESSES[BEHIND[name]]
        run(["ip", "link", "add", "outer", "netns", gateway.name, "type", "veth",
             "peer", "name", f"to-{name}", "netns", wire.name])
        run(["ip", "link", "add", "inner", "netns", gateway.name, "type", "veth",
             "peer", "name", "inner", "netns", host.name])
        wire.ip("link", "set", f"to-{name}", "master", "br0", "up")
        for node, device, addresses in (
            (gateway, "outer", [own["outer4"] + "/24", own["outer6"] + "/64"]),
            (gateway, "inner", [own["inner4"] + "/16", own["inner6"] + "/64"]),
            (host, "inner", [behind["inner4"] + "/16", behind["inner6"] + "/64"]),
        ):
            node.ip("link", "set", device, "up")
            for address in addresses:
                # Without nodad an address could not be used in its first second.
                node.ip("address", "add", address, "dev", device, *(["nodad"] if ":" in address else []))
        host.ip("route", "add", "default", "via", own["inner4"])
        host.ip("-6", "route", "add", "default", "via", own["inner6"])
        for setting in SETTINGS:
            gateway.run(["sh", "-c", f"echo {setting[1]} > /proc/sys/net/{setting[0]}"])


def wait_until(condition, within_s, what):
    """Polls `condition` until it is true; raises AssertionError naming `what` otherwise."""
    end = time.monotonic() + within_s * SLOWNESS
    while True:
        if condition():
            return
        if time.monotonic() >= end:
            raise AssertionError(f"{what}: not within {within_s} s")
        time.sleep(0.05)
