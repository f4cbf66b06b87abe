#!/usr/bin/env python3
"""The VICI server under load, charond and strongSwan in turn: processor time per operation, memory, and how long one client
waits while others stream or stall.

Needs root, Debian's strongSwan and a release build. Loggers are off. Processor time is that of all threads of the daemon,
divided by the number of operations; the client's is not in it. Every answer is looked at: an operation that was refused ends
the run.
"""

import argparse
import ctypes
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
from lab.namespace import RUNTIME
from lab.topology import Lab

AIMS = {"version": 0.15, "load-conn": 0.25, "list-conns": 0.15, "list-sas": 0.15}
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
    """A process of its own whose connections list everything, again and again, and throw away what comes. A listing is
    asked for when the last one has come: strongSwan would queue them all, without a bound."""

    def __init__(self, path, count, command="list-conns", event="list-conn"):
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._stream(path, count, command, event)
            finally:
                os._exit(0)

    @staticmethod
    def _stream(path, count, command, event):
        os.nice(5)
        request = frame(vici.REQUEST, command)
        selector = selectors.DefaultSelector()
        for _ in range(count):
            client = Raw(path)
            client.send(frame(vici.REGISTER, event))
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


def version_cpu_us(process, path, rounds):
    """Processor time of a round trip: the median of ten turns, for how a wakeup is done changes from moment to moment."""
    client, request, turn = Raw(path), frame(vici.REQUEST, "version"), max(rounds // 10, 1)
    spent = []
    for _ in range(10):
        before = load.cpu_s(process)
        for _ in range(turn):
            client.ask(request)
        spent.append(1e6 * (load.cpu_s(process) - before) / turn)
    client.socket.close()
    return statistics.median(spent)


class Echo:
    """A process that sends an answer for whatever comes and does nothing else: what the kernel takes for a round trip."""

    def __init__(self, path):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        self.pid = os.fork()
        if self.pid == 0:
            peer, _ = listener.accept()
            answer = frame(vici.RESPONSE, None, {"daemon": "echo", "release": "x" * 70})
            while peer.recv(1 << 14):
                peer.sendall(answer)
            os._exit(0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.waitpid(self.pid, 0)


def measure_versions(options):
    """Only the round trips: both daemons and an echo in turn, five times. Rows of the medians."""
    kinds = {kind: [] for kind in [*options.daemons.split(","), "echo"]}
    for _ in range(5):
        for kind, spent in kinds.items():
            with Lab() as lab:
                if kind == "echo":
                    path = lab.directory / "echo"
                    with Echo(path) as process:
                        spent.append(version_cpu_us(process, path, options.rounds))
                else:
                    daemon = make(lab, kind, options)
                    daemon.start()
                    spent.append(version_cpu_us(daemon.process, daemon.socket, options.rounds))
            print(f"{kind}: {spent[-1]:.2f} µs CPU", flush=True)
    print("\n| version, µs CPU | " + " | ".join(kinds) + " |\n|---|" + "---|" * len(kinds))
    for what, of in (("median of 5", statistics.median), ("least", min)):
        print(f"| {what} | " + " | ".join(f"{of(spent):.2f}" for spent in kinds.values()) + " |")


def measure(daemon, options):
    """Rows of (what, value, unit)."""
    meter, path, count = Meter(daemon), daemon.socket, options.conns
    one = Raw(path)
    rows = []

    def row(what, value, unit):
        rows.append((what, value, unit))
        print(f"{daemon.kind}: {what}: {value:.2f} {unit}", flush=True)

    row("version", version_cpu_us(daemon.process, path, options.rounds), "µs CPU")
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


def datagram_socket_in(node):
    """A UDP socket inside a namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as own, open(f"{RUNTIME}/{node.name}") as other:
        for namespace in (other, own):
            if libc.setns(namespace.fileno(), 0) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            if namespace is other:
                made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    return made


def ike_latencies(node, count):
    """Milliseconds from an IKE_SA_INIT request to its answer, over the wire and through the daemon's whole receiving path. The
    requests offer an algorithm that there is not, so that each is refused and leaves nothing behind."""
    times = []
    with datagram_socket_in(node) as sock:
        sock.settimeout(5)
        sock.connect((load.GATEWAY, 500))
        for _ in range(count):
            request = unacceptable_init()
            begin = time.perf_counter_ns()
            sock.send(request)
            answer = sock.recv(2048)
            times.append((time.perf_counter_ns() - begin) / 1e6)
            assert answer[:8] == request[:8] and answer[18] == 34 and answer[19] & 0x20, answer
            # As often as peers come, and not faster.
            time.sleep(0.0005)
    return times


def unacceptable_init():
    """An IKE_SA_INIT request (RFC 7296 section 1.2) whose only proposal has the encryption algorithm 1023."""
    transforms = [(1, 1023), (2, 5), (3, 12), (4, 31)]
    body = b""
    for index, (kind, number) in enumerate(transforms):
        body += struct.pack(">BBHBBH", 0 if index == len(transforms) - 1 else 3, 0, 8, kind, 0, number)
    proposal = struct.pack(">BBHBBBB", 0, 0, 8 + len(body), 1, 1, 0, len(transforms)) + body
    payloads = [(33, proposal), (34, struct.pack(">HH", 31, 0) + os.urandom(32)), (40, os.urandom(32))]
    chain = b""
    for index, (_, content) in enumerate(payloads):
        following = payloads[index + 1][0] if index + 1 < len(payloads) else 0
        chain += struct.pack(">BBH", following, 0, 4 + len(content)) + content
    return os.urandom(8) + bytes(8) + struct.pack(">BBBBII", 33, 0x20, 34, 0x08, 0, 28 + len(chain)) + chain


def measure_sas(lab, daemon, options):
    """Rows of (what, value, unit) of a daemon that has very many SAs with a child each, made by strongSwan."""
    meter, path, count = Meter(daemon), daemon.socket, options.sas
    initiator = load.StrongSwan(lab, "moon")
    lab.own(initiator)
    initiator.start()
    proposal = "aes256gcm16-prfsha256-x25519"
    load.configure(daemon, "psk", None, load.responder_conn("psk", None, proposal, True))
    load.configure(initiator, "psk", None, load.initiator_conns("psk", None, proposal, True, count))
    load.initiate(initiator, 0, [f"c{number}" for number in range(count)], True)
    have = load.wait_for(daemon, count)
    initiator.kill()
    rows = []

    def row(what, value, unit):
        rows.append((what, value, unit))
        print(f"{daemon.kind}: {what}: {value:.2f} {unit}", flush=True)

    one = Raw(path)
    one.send(frame(vici.REGISTER, "list-sa"))
    one.receive()
    request = frame(vici.REQUEST, "list-sas")
    one.count_events(request)
    spent, listed = meter.cpu_us(lambda: [one.count_events(request) for _ in range(3)], 3000)
    assert set(listed) == {have}, (listed, have)
    row("list-sas", spent * count / have, f"ms CPU for {count} with a child each")
    row("an IKE_SA_INIT, p99 alone", percentile(ike_latencies(lab.nodes["moon"], 1000), 0.99), "ms")
    streamers = Streamers(path, 64, "list-sas", "list-sa")
    time.sleep(0.5)
    before = meter.kib()
    row("an IKE_SA_INIT, p99 while 64 list all SAs", percentile(ike_latencies(lab.nodes["moon"], 1000), 0.99), "ms")
    row("memory of 64 that list all SAs", meter.kib() - before, "KiB")
    streamers.stop()
    one.socket.close()
    return rows


def make(lab, kind, options, *, esp=False):
    """The daemon to measure; charond without a kernel unless there is ESP to do."""
    if kind == "charond":
        binaries = Binaries("release")
        if options.charond:
            binaries.charond = options.charond
        daemon = load.Charond(lab, "sun", binaries, kernel="" if esp else "kernel-null")
    else:
        daemon = load.StrongSwan(lab, "sun")
    lab.own(daemon)
    return daemon


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conns", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=10_000, help="version round trips")
    parser.add_argument("--sas", type=int, default=0, help="also with so many IKE_SAs, which strongSwan initiates")
    parser.add_argument("--only-sas", action="store_true")
    parser.add_argument("--daemons", default="charond,strongswan")
    parser.add_argument("--charond", help="another binary than the release build")
    parser.add_argument("--only-version", action="store_true", help="the round trips alone, in turn, beside a bare socket's")
    options = parser.parse_args()
    if options.only_version:
        return measure_versions(options)
    results = {}
    for kind in options.daemons.split(","):
        with Lab() as lab:
            daemon = make(lab, kind, options)
            daemon.start()
            results[kind] = [] if options.only_sas else measure(daemon, options)
        if options.sas:
            with Lab() as lab:
                daemon = make(lab, kind, options, esp=True)
                daemon.start()
                results[kind] += measure_sas(lab, daemon, options)
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
