#!/usr/bin/env python3
"""A gateway under a flood of spoofed IKE_SA_INIT requests, and a peer that wants in all the same.

    testing/bench/flood.py --seconds 30 --profile release
    testing/bench/flood.py --responders charond,strongswan

Every request of the flood is well-formed, from an address and with an SPI of its own; one process sends them as fast as it
can. Meanwhile charond on the other gateway makes one handshake after the other (PSK, X25519), each given up after ten
seconds. Printed: what the flood sent, how many handshakes succeeded and how long they took, and the responder's memory
before and after.
"""

import argparse
import ctypes
import multiprocessing
import random
import socket
import statistics
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import load  # noqa: E402
from lab import vici  # noqa: E402
from lab.binaries import Binaries  # noqa: E402
from lab.topology import ADDRESSES, Lab  # noqa: E402

SUN = ADDRESSES["sun"]["outer4"]
# Benchmarking addresses (RFC 2544), whose answers moon discards.
SPOOFED = "198.18.0.0/15"
FRAMES = 16384
HANDSHAKE_MAX_MS = 10_000
PROPOSAL = "aes256gcm16-prfsha256-x25519"


def transform(kind, number, bits=None, last=False):
    attributes = b"" if bits is None else struct.pack(">HH", 0x800E, bits)
    return struct.pack(">BBHBBH", 0 if last else 3, 0, 8 + len(attributes), kind, 0, number) + attributes


def init_request(rng):
    """An IKE_SA_INIT request: AES-GCM-16-256, HMAC-SHA2-256, X25519."""
    transforms = transform(1, 20, 256) + transform(2, 5) + transform(4, 31, last=True)
    proposal = struct.pack(">BBHBBBB", 0, 0, 8 + len(transforms), 1, 1, 0, 3) + transforms
    payloads = b""
    for following, body in ((34, proposal), (40, struct.pack(">HH", 31, 0) + rng.randbytes(32)), (0, rng.randbytes(32))):
        payloads += struct.pack(">BBH", following, 0, 4 + len(body)) + body
    header = rng.randbytes(8) + bytes(8) + bytes([33, 0x20, 34, 0x08]) + struct.pack(">II", 0, 28 + len(payloads))
    return header + payloads


def frame(rng, destination_mac):
    """The request in UDP, IPv4 and Ethernet, from a made-up address."""
    message = init_request(rng)
    udp = struct.pack(">HHHH", rng.randrange(1024, 65536), 500, 8 + len(message), 0) + message
    source = bytes([198, 18 + rng.randrange(2), rng.randrange(256), rng.randrange(1, 255)])
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), rng.randrange(65536), 0, 64, 17, 0) + source + socket.inet_aton(SUN)
    total = sum(struct.unpack(">10H", ip))
    total = (total & 0xffff) + (total >> 16)
    total = ~((total & 0xffff) + (total >> 16)) & 0xffff
    return destination_mac + rng.randbytes(5) + b"\2" + b"\x08\x00" + ip[:10] + struct.pack(">H", total) + ip[12:] + udp


CLONE_NEWNET = 0x40000000
SPI_AT = 14 + 20 + 8


def flood(namespace, mac, seconds, rate, sent):
    """Sends from the wire until the time is over."""
    with open(f"/run/netns/{namespace}") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    rng = random.Random(1)
    frames = [bytearray(frame(rng, mac)) for _ in range(FRAMES)]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind(("to-sun", 0))
        begin = time.monotonic()
        count, end, spi = 0, begin + seconds, rng.getrandbits(62)
        while time.monotonic() < end:
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
                    if time.monotonic() >= end:
                        break
        sent.value = count


def handshakes(daemon, seconds):
    """One after the other; returns how long those took that succeeded, and how many did not."""
    took, failed, end = [], 0, time.monotonic() + seconds
    with vici.Client(daemon.socket, timeout_s=60) as client:
        while time.monotonic() < end:
            begin = time.monotonic()
            answer = client.request("initiate", {"ike": "c0", "timeout": str(HANDSHAKE_MAX_MS), "init-limits": "no"})
            if answer.get("success") == "yes":
                took.append(time.monotonic() - begin)
            else:
                failed += 1
            client.request("terminate", {"ike": "c0", "force": "yes", "timeout": "100"})
            time.sleep(0.02)
    return took, failed


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
        sun.ip("route", "add", SPOOFED, "via", ADDRESSES["moon"]["outer4"])
        lab.nodes["moon"].ip("route", "add", "blackhole", SPOOFED)
        shown = sun.run(["ip", "-o", "link", "show", "outer"]).stdout.split()
        mac = shown[shown.index("link/ether") + 1]
        client = lab.own(Charond(lab, "moon", binaries, kernel="kernel-null"))
        gateway = lab.own(Charond(lab, "sun", binaries, kernel="kernel-null") if kind == "charond"
                          else StrongSwan(lab, "sun"))
        for daemon in (client, gateway):
            daemon.start()
        load.configure(gateway, "psk", None, load.responder_conn("psk", None, PROPOSAL, False))
        load.configure(client, "psk", None, load.initiator_conns("psk", None, PROPOSAL, False, 1))
        calm, calm_failed = handshakes(client, 3)
        before, busy = load.memory_kib(gateway.process), load.cpu_s(gateway.process)
        sent = multiprocessing.Value("Q", 0)
        flooding = multiprocessing.Process(
            target=flood, args=(lab.nodes["wire"].name, bytes.fromhex(mac.replace(":", "")), options.seconds, options.rate,
                  sent))
        flooding.start()
        time.sleep(1)
        half = load.memory_kib(gateway.process)
        took, failed = handshakes(client, options.seconds - 2)
        flooding.join()
        after, busy = load.memory_kib(gateway.process), load.cpu_s(gateway.process) - busy
        assert calm and not calm_failed, "handshakes fail without a flood"
        tried = len(took) + failed
        median = 1000 * statistics.median(took) if took else float("nan")
        return (f"| {kind} | {sent.value / options.seconds:,.0f} | {tried} | {100 * len(took) / max(tried, 1):.1f} % "
                f"| {1000 * statistics.median(calm):.1f} | {median:.1f} | {1000 * max(took, default=0):.0f} "
                f"| {before} | {half} | {after} | {busy / options.seconds:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--rate", type=int, default=0, help="requests a second; 0 for as many as one core can send")
    parser.add_argument("--responders", default="charond,strongswan")
    parser.add_argument("--profile", default="release")
    options = parser.parse_args()
    binaries = Binaries(options.profile)
    rows = [measure(kind, options, binaries) for kind in options.responders.split(",")]
    print("| responder | requests/s sent | handshakes tried | succeeded | calm, ms (median) | flooded, ms (median) "
          "| longest, ms | KiB before | KiB after 1 s | KiB at the end | cores busy |\n" + "|---" * 11 + "|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
