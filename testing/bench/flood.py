#!/usr/bin/env python3
"""A gateway under a flood of spoofed IKE messages, and peers that want in all the same.

    testing/bench/flood.py --profile release
    testing/bench/flood.py --mode cookie --rate 3000 --responders charond,strongswan

Every message of the flood is well-formed, from an address and with an SPI of its own; one process sends them as fast as it
can: requests for an IKE_SA, such requests with a made-up cookie, or fragments of IKE_AUTH. Meanwhile charond on the other
gateway makes handshakes (PSK, X25519), each from one of 64 addresses, begun one after the other in the first seconds, each with
the retransmissions that are its default: six requests in 165 seconds. The flood ends when the last handshake does. Printed: what
the flood sent, how many handshakes succeeded and how long they took, the responder's memory before and after, and where the
system dropped packets.
"""

import argparse
import ctypes
import itertools
import multiprocessing
import random
import socket
import statistics
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import load  # noqa: E402
from lab import vici  # noqa: E402
from lab.binaries import Binaries  # noqa: E402
from lab.strangers import NETWORK, frame, init_request  # noqa: E402
from lab.topology import ADDRESSES, Lab  # noqa: E402

SUN = ADDRESSES["sun"]["outer4"]
FRAMES = 16384
# So many that no address has more half-open IKE_SAs than one may have by default.
CLIENTS = range(64, 128)
CALM = 20
# Longer than the retransmissions of a request, so that those decide.
HANDSHAKE_MAX_MS = 200_000
PROPOSAL = "aes256gcm16-prfsha256-x25519"


def init(rng):
    """A request for an IKE_SA."""
    return init_request(rng)


def made_up_cookie(rng):
    """One that shows a cookie, which is none."""
    return init_request(rng, cookie=rng.randbytes(20))


def fragment(rng):
    """The first of two fragments (RFC 7383) of an IKE_AUTH request, to an SPI of nobody."""
    body = struct.pack(">HH", 1, 2) + rng.randbytes(200)
    payload = struct.pack(">BBH", 35, 0, 4 + len(body)) + body
    return rng.randbytes(16) + bytes([53, 0x20, 35, 0x08]) + struct.pack(">II", 1, 28 + len(payload)) + payload


MODES = {"init": init, "cookie": made_up_cookie, "fragment": fragment}
CLONE_NEWNET = 0x40000000
SPI_AT = 14 + 20 + 8


def flood(namespace, mac, mode, rate, over, sent):
    """Sends from the wire until it is over."""
    with open(f"/run/netns/{namespace}") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    rng = random.Random(1)
    frames = [bytearray(frame(rng, mac, SUN, MODES[mode](rng))) for _ in range(FRAMES)]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind(("to-sun", 0))
        begin, count, spi = time.monotonic(), 0, rng.getrandbits(62)
        while not over.is_set():
            for one in frames:
                spi += 1
                struct.pack_into(">Q", one, SPI_AT, spi)
                try:
                    sock.send(one)
                    count += 1
                except OSError:  # the device's queue is full
                    pass
                if rate and count % 50 == 0:
                    time.sleep(max(0, begin + count / rate - time.monotonic()))
                    if over.is_set():
                        break
        sent.value = count / (time.monotonic() - begin)


def handshakes(daemon, names, over_s):
    """Each name once, begun evenly over that time; returns how long those took that succeeded, and how many did not."""
    def once(at, name):
        time.sleep(at)
        with vici.Client(daemon.socket, timeout_s=HANDSHAKE_MAX_MS // 1000 + 60) as client:
            begin = time.monotonic()
            answer = client.request("initiate", {"ike": name, "timeout": str(HANDSHAKE_MAX_MS), "init-limits": "no"})
            return time.monotonic() - begin if answer.get("success") == "yes" else None

    with ThreadPoolExecutor(len(names)) as pool:
        took = list(pool.map(once, [over_s * number / len(names) for number in range(len(names))], names))
    return [time for time in took if time is not None], took.count(None)


def drops(lab):
    """What IKE's sockets dropped for want of room, and what the kernel dropped before it came to a socket."""
    sockets = [line.split() for line in lab.nodes["sun"].run(["cat", "/proc/net/udp"]).stdout.splitlines()[1:]]
    at_sockets = sum(int(fields[-1]) for fields in sockets if fields[1].endswith(":01F4"))
    backlog = sum(int(line.split()[1], 16) for line in Path("/proc/net/softnet_stat").read_text().splitlines())
    return at_sockets, backlog


class Protected:
    """As configured by default: cookies, and limits for each address."""

    def _conf_text(self, settings):
        unprotected = load.SETTINGS
        try:
            load.SETTINGS = {"install_virtual_ip": "no", "reuse_ikesa": "no"}
            return super()._conf_text({})
        finally:
            load.SETTINGS = unprotected


class Charond(Protected, load.Charond):
    """Ours."""


class StrongSwan(Protected, load.StrongSwan):
    """Debian's."""


def measure(kind, options, binaries):
    """One run; returns the row of the table."""
    with Lab() as lab:
        sun = lab.nodes["sun"]
        sun.ip("route", "add", NETWORK, "via", ADDRESSES["moon"]["outer4"])
        lab.nodes["moon"].ip("route", "add", "blackhole", NETWORK)
        shown = sun.run(["ip", "-o", "link", "show", "outer"]).stdout.split()
        mac = bytes.fromhex(shown[shown.index("link/ether") + 1].replace(":", ""))
        client = lab.own(Charond(lab, "moon", binaries, kernel="kernel-null"))
        gateway = lab.own(Charond(lab, "sun", binaries, kernel="kernel-null") if kind == "charond"
                          else StrongSwan(lab, "sun"))
        for daemon in (client, gateway):
            daemon.start()
        clients = [f"192.0.2.{number}" for number in CLIENTS]
        for address in clients:
            lab.nodes["moon"].ip("address", "add", address + "/24", "dev", "outer")
        conns = [(name, {**conn, "local_addrs": [address]}) for (name, conn), address in zip(
            load.initiator_conns("psk", None, PROPOSAL, False, CALM + options.handshakes), itertools.cycle(clients))]
        names = [name for name, _ in conns]
        load.configure(gateway, "psk", None, load.responder_conn("psk", None, PROPOSAL, False))
        load.configure(client, "psk", None, conns)
        calm, calm_failed = handshakes(client, names[:CALM], 1)
        assert calm and not calm_failed, "handshakes fail without a flood"
        before, busy, lost = load.memory_kib(gateway.process), load.cpu_s(gateway.process), drops(lab)
        sent, over = multiprocessing.Value("d", 0), multiprocessing.Event()
        flooding = multiprocessing.Process(
            target=flood, args=(lab.nodes["wire"].name, mac, options.mode, options.rate, over, sent))
        flooding.start()
        begin = time.monotonic()
        time.sleep(1)
        early = load.memory_kib(gateway.process)
        took, failed = handshakes(client, names[CALM:], options.seconds)
        busy, elapsed = load.cpu_s(gateway.process) - busy, time.monotonic() - begin
        after, lost = load.memory_kib(gateway.process), [later - earlier for later, earlier in zip(drops(lab), lost)]
        over.set()
        flooding.join()
        tried, at_once = len(took) + failed, sum(time < 3.5 for time in took)
        median = 1000 * statistics.median(took) if took else float("nan")
        p99 = sorted(took)[len(took) * 99 // 100] if took else float("nan")
        return (f"| {kind} | {options.mode} | {sent.value:,.0f} | {tried} | {100 * len(took) / max(tried, 1):.1f} % "
                f"| {100 * at_once / max(tried, 1):.1f} % | {1000 * statistics.median(calm):.1f} | {median:.1f} "
                f"| {p99:.1f} | {max(took, default=0):.1f} | {before} | {early} | {after} | {busy / elapsed:.2f} "
                f"| {lost[0] / elapsed:,.0f} | {lost[1] / elapsed:,.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=20, help="in which the handshakes are begun")
    parser.add_argument("--handshakes", type=int, default=200)
    parser.add_argument("--mode", choices=MODES, default="init")
    parser.add_argument("--rate", type=int, default=0, help="messages a second; 0 for as many as one core can send")
    parser.add_argument("--responders", default="charond,strongswan")
    parser.add_argument("--profile", default="release")
    options = parser.parse_args()
    binaries = Binaries(options.profile)
    print("| responder | flood | messages/s sent | handshakes | succeeded | without retransmission | calm, ms (median) "
          "| flooded, ms (median) | p99, s | longest, s | KiB before | KiB after 1 s | KiB at the end | cores busy "
          "| dropped by full sockets/s | dropped by full backlogs/s |\n" + "|---" * 16 + "|")
    for kind in options.responders.split(","):
        print(measure(kind, options, binaries), flush=True)


if __name__ == "__main__":
    main()
