"""Two routers and a host on a bridge, and what crosses it."""

import ctypes
import itertools
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from lab.namespace import RUNTIME, Namespace
from lab.stage import Stage, addressed, written

SNIFF = Path(__file__).resolve().parents[1] / "lab" / "sniff.py"
ROUTERS = ("a", "b")
PRIMARY = {"a": "192.0.2.11", "b": "192.0.2.12"}
PRIMARY6 = {"a": "fe80::11", "b": "fe80::12"}
HOST = "192.0.2.100"
HOST6 = "fd00::100"
ETH_ALL = 3
_counter = itertools.count(1)


class Wire(Stage):
    """Namespaces a, b and the host with the bridge."""

    def __init__(self):
        super().__init__(f"charon-{os.getpid()}-vrrp{next(_counter)}")

    def _build(self):
        for name in (*ROUTERS, "host"):
            node = self.nodes[name] = Namespace(self.prefix, name)
            node.sh(written(("ipv6/conf/default/accept_dad", 0), ("ipv6/conf/default/dad_transmits", 0)))
            if name != "host":
                # Only the addresses that we give, so that the order of adverts' sources is known.
                node.sh(written(("ipv6/conf/default/addr_gen_mode", 1)))
        self.bridge("host")
        self.nodes["host"].batch(addressed("br0", [f"{HOST}/24", f"{HOST6}/64"]))
        for name in ROUTERS:
            self.attach(name)

    def attach(self, name):
        """Gives a router its interface e0, which hangs on the bridge."""
        self.plug(name, "e0", f"to-{name}", [f"{PRIMARY[name]}/24", f"{PRIMARY6[name]}/64"], hub="host")

    def cut(self, name):
        """Takes the link of a router down, at the side of the wire: the router sees its carrier go."""
        self.nodes["host"].ip("link", "set", f"to-{name}", "down")

    def mend(self, name):
        """The link is back."""
        self.nodes["host"].ip("link", "set", f"to-{name}", "up")

    def holders(self, address):
        """Routers that have the address on some interface that is up."""
        return [name for name in ROUTERS
                if f" {address}/" in self.nodes[name].ip("addr", "show", "up").stdout]


class Pinger:
    """Pings an address every 20 ms from the host, and tells the longest gap between answers."""

    def __init__(self, wire, address):
        self._log = wire.directory / f"ping-{time.monotonic_ns()}"
        program = Path(__file__).with_name("pinger.py")
        self._process = subprocess.Popen(
            wire.nodes["host"].enter([sys.executable, program, address, self._log]),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout.readline().strip() == "pinging"

    def longest_gap(self):
        """Ends it; seconds of the longest gap."""
        self._process.terminate()
        self._process.wait()
        times = [float(line) for line in self._log.read_text().split()]
        if len(times) < 2:
            raise AssertionError("the virtual address was never answered for")
        return max(later - earlier for earlier, later in zip(times, times[1:]))


class Capture:
    """VRRP as it crosses the bridge, heard by ourselves."""

    def __init__(self, wire):
        self.frames = []
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._namespace = f"{RUNTIME}/{wire.nodes['host'].name}"
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        assert self._ready.wait(5), "the capture began"

    def close(self):
        """Ends it."""
        self._stop.set()
        self._thread.join(5)

    def adverts(self):
        """(time, source MAC, source address, version, vrid, priority, whole frame) of each advert."""
        return [advert for advert in (_advert(at, frame) for at, frame in list(self.frames)) if advert]

    def _listen(self):
        libc = ctypes.CDLL(None, use_errno=True)
        # This thread alone moves.
        with open(self._namespace) as namespace:
            if libc.setns(namespace.fileno(), 0) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL)) as sock:
            sock.bind(("br0", 0))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            # SO_TIMESTAMPNS: when the kernel had it, however late we read.
            sock.setsockopt(socket.SOL_SOCKET, 35, 1)
            # Promiscuous: the bridge's own port must hear the group.
            sock.setsockopt(263, 1, struct.pack("IHH8s", socket.if_nametoindex("br0"), 1, 0, b""))
            sock.settimeout(0.2)
            self._ready.set()
            while not self._stop.is_set():
                try:
                    frame, ancillary, _, address = sock.recvmsg(9216, 64)
                except TimeoutError:
                    continue
                at = time.time()
                for level, kind, data in ancillary:
                    if level == socket.SOL_SOCKET and kind == 35:
                        seconds, nanoseconds = struct.unpack("ll", data[:16])
                        at = seconds + nanoseconds / 1e9
                self.frames.append((at, frame))


def _advert(at, frame):
    mac, ethertype, packet = frame[6:12].hex(":"), frame[12:14], frame[14:]
    if ethertype == b"\x08\x00" and packet[9] == 112:
        source, message = socket.inet_ntoa(packet[12:16]), packet[(packet[0] & 15) * 4:]
    elif ethertype == b"\x86\xdd" and packet[6] == 112:
        source, message = socket.inet_ntop(socket.AF_INET6, packet[8:24]), packet[40:]
    else:
        return None
    return at, mac, source, message[0] >> 4, message[1], message[2], frame
