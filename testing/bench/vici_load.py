#!/usr/bin/env python3
"""The VICI server under load, charond and strongSwan in turn: processor time per operation, memory, and how long one client
waits while others stream or stall.

Needs root, Debian's strongSwan and a release build. Loggers are off. Processor time is that of all threads of the daemon,
divided by the number of operations; the client's is not in it. Every answer is looked at: an operation that was refused ends
the run.
"""

import argparse
import os
import selectors
import socket
import statistics
import struct
import sys
import time

import load
from lab import vici
from lab.binaries import Binaries
from lab.topology import Lab

AIMS = {"version": 0.15, "load-conn": 0.25, "list-conns": 0.15}
RESPONSE = bytes([vici.RESPONSE])


def frame(kind, name=None, message=None):
    """A packet with its length in front."""
    packet = bytes([kind]) + (bytes([len(name)]) + name.encode() if name else b"") + vici.encode(message or {})
    return struct.pack(">I", len(packet)) + packet


class Raw:
    """A client that does as little as possible."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        # Blocking: whose backlog is short must not refuse.
        self.socket.connect(str(path))
        self.socket.settimeout(120)
        self.rest = b""

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """The next packet."""
        while len(self.rest) < 4 or len(self.rest) < 4 + int.from_bytes(self.rest[:4], "big"):
            more = self.socket.recv(1 << 20)
            if not more:
                raise EOFError("the daemon closed the connection")
            self.rest += more
        end = 4 + int.from_bytes(self.rest[:4], "big")
        packet, self.rest = self.rest[4:end], self.rest[end:]
        return packet

    def ask(self, data):
        """Sends a request; its answer, which must be one."""
        self.send(data)
        packet = self.receive()
        assert packet[:1] == RESPONSE, packet[:60]
        return packet

    def count_events(self, data):
        """Sends a request that streams; how many events came before its answer."""
        self.send(data)
        buffer, count, at = bytearray(self.rest), 0, 0
        self.rest = b""
        while True:
            while len(buffer) - at >= 4:
                end = at + 4 + int.from_bytes(buffer[at:at + 4], "big")
                if end > len(buffer):
                    break
                if buffer[at + 4] == vici.RESPONSE:
                    assert end == len(buffer)
                    return count
                count += 1
                at = end
            del buffer[:at]
            at = 0
            more = self.socket.recv(1 << 20)
            if not more:
                raise EOFError("the daemon closed the connection")
            buffer += more


def connection(number, rekey="4h"):
    """A usual connection with one child."""
    return {f"c{number}": {
        "version": "2", "local_addrs": ["192.0.2.2"], "remote_addrs": [f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"],
        "proposals": ["aes256gcm16-prfsha256-x25519"], "rekey_time": rekey,
        "local": {"auth": "psk", "id": "sun.example.org"},
        "remote": {"auth": "psk", "id": f"client{number}.example.org"},
        "children": {f"net{number}": {
            "local_ts": ["10.2.0.0/16"], "remote_ts": [f"10.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}/32"],
            "esp_proposals": ["aes256gcm16-x25519"]}},
    }}


class Meter:
    """Processor time and memory of a daemon."""

    def __init__(self, daemon):
        self.process = daemon.process

    def cpu_us(self, work, count):
        """Microseconds of processor time per operation, and what the work returned."""
        before = load.cpu_s(self.process)
        result = work()
        time.sleep(0.05)  # what is put off is done as well
        return 1e6 * (load.cpu_s(self.process) - before) / count, result

    def kib(self):
        return load.memory_kib(self.process)


def succeeded(client, data):
    """A request that must succeed."""
    packet = client.ask(data)
    assert b"\x07success\x00\x03yes" in packet, packet[:200]


def percentile(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def latencies(client, count):
    """Milliseconds of so many version round trips."""
    request, times = frame(vici.REQUEST, "version"), []
    for _ in range(count):
        begin = time.perf_counter_ns()
        client.ask(request)
        times.append((time.perf_counter_ns() - begin) / 1e6)
    return times


class Streamers:
    """A process of its own whose connections list all connections, again and again, and throw away what comes. A listing is
    asked for when the last one has come: strongSwan would queue them all, without a bound."""

    def __init__(self, path, count):
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._stream(path, count)
            finally:
                os._exit(0)

    @staticmethod
    def _stream(path, count):
        os.nice(5)
        request = frame(vici.REQUEST, "list-conns")
        selector = selectors.DefaultSelector()
        for _ in range(count):
            client = Raw(path)
            client.send(frame(vici.REGISTER, "list-conn"))
            client.receive()
            client.send(request)
            selector.register(client.socket, selectors.EVENT_READ, bytearray())
        while True:
            for key, _ in selector.select():
                buffer, at = key.data, 0
                more = key.fileobj.recv(1 << 16)
                if not more:
                    return
                buffer += more
                while len(buffer) - at >= 5 and len(buffer) >= (end := at + 4 + int.from_bytes(buffer[at:at + 4], "big")):
                    if buffer[at + 4] == vici.RESPONSE:
                        key.fileobj.sendall(request)
                    at = end
                del buffer[:at]

    def stop(self):
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


def at_once(path, count):
    """So many clients at the same time, each with ten requests in flight; all must be answered."""
    clients = [Raw(path) for _ in range(count)]
    for client in clients:
        client.send(frame(vici.REQUEST, "version") * 10)
    for client in clients:
        for _ in range(10):
            assert client.receive()[:1] == RESPONSE
        client.socket.close()


def measure(daemon, options):
    """Rows of (what, value, unit)."""
    meter, path, count = Meter(daemon), daemon.socket, options.conns
    one = Raw(path)
    rows = []

    def row(what, value, unit):
        rows.append((what, value, unit))
        print(f"{daemon.kind}: {what}: {value:.2f} {unit}", flush=True)

    version = frame(vici.REQUEST, "version")
    for _ in range(200):
        one.ask(version)
    row("version", meter.cpu_us(lambda: [one.ask(version) for _ in range(options.rounds)], options.rounds)[0], "µs CPU")

    loads = [frame(vici.REQUEST, "load-conn", connection(number)) for number in range(count)]
    before = meter.kib()
    row("load-conn", meter.cpu_us(lambda: [succeeded(one, data) for data in loads], count)[0], "µs CPU")
    row("memory", (meter.kib() - before) / count, "KiB a connection")
    one.send(frame(vici.REGISTER, "list-conn"))
    one.receive()
    spent, listed = meter.cpu_us(lambda: one.count_events(frame(vici.REQUEST, "list-conns")), 1000)
    assert listed == count, listed
    row("list-conns", spent, f"ms CPU for {count}")
    changed = loads[: count // 2] + [frame(vici.REQUEST, "load-conn", connection(count // 2, "5h"))] + loads[count // 2 + 1:]
    row("reload, one changed", meter.cpu_us(lambda: [succeeded(one, data) for data in changed], count)[0], "µs CPU")

    row("256 clients at once", meter.cpu_us(lambda: at_once(path, 256), 2560)[0], "µs CPU a request")
    quiet = latencies(one, options.rounds)
    row("version, p99 alone", percentile(quiet, 0.99), "ms")
    before = meter.kib()
    stalled = Raw(path)
    stalled.send(frame(vici.REGISTER, "list-conn") + frame(vici.REQUEST, "list-conns") * 20)
    time.sleep(1)
    row("memory of a client that stopped reading", meter.kib() - before, "KiB")
    row("version, p99 beside it", percentile(latencies(one, options.rounds), 0.99), "ms")
    stalled.socket.close()
    time.sleep(0.5)
    streamers = Streamers(path, 64)
    time.sleep(0.5)
    times = latencies(one, min(options.rounds, 2000))
    streamers.stop()
    row("version, median while 64 stream", statistics.median(times), "ms")
    row("version, p99 while 64 stream", percentile(times, 0.99), "ms")
    time.sleep(0.5)
    unloads = [frame(vici.REQUEST, "unload-conn", {"name": f"c{number}"}) for number in range(count)]
    row("unload-conn", meter.cpu_us(lambda: [succeeded(one, data) for data in unloads], count)[0], "µs CPU")
    assert one.ask(frame(vici.REQUEST, "get-conns"))
    one.socket.close()
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conns", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=10_000, help="version round trips")
    parser.add_argument("--daemons", default="charond,strongswan")
    parser.add_argument("--charond", help="another binary than the release build")
    options = parser.parse_args()
    results = {}
    for kind in options.daemons.split(","):
        with Lab() as lab:
            if kind == "charond":
                binaries = Binaries("release")
                if options.charond:
                    binaries.charond = options.charond
                daemon = load.Charond(lab, "sun", binaries, kernel="kernel-null")
            else:
                daemon = load.StrongSwan(lab, "sun")
            lab.own(daemon)
            daemon.start()
            results[kind] = measure(daemon, options)
    both = len(results) == 2
    print("\n| | " + " | ".join(results) + (" | ratio (aim) |" if both else " |"))
    print("|---|" + "---|" * (len(results) + both))
    for index, (what, _, unit) in enumerate(next(iter(results.values()))):
        values = [rows[index][1] for rows in results.values()]
        ratio = ""
        if both:
            aim = AIMS.get(what)
            ratio = f" {values[0] / values[1]:.2f}" + (f" ({aim})" if aim else "") + " |"
        print(f"| {what}, {unit} | " + " | ".join(f"{value:.2f}" for value in values) + " |" + ratio)


if __name__ == "__main__":
    sys.exit(main())
