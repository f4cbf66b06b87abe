#!/usr/bin/env python3
"""IKE_SA_INIT requests from addresses that are somebody else's, put on the wire as frames.

Run inside the namespace of the wire: DEVICE MAC DESTINATION COUNT [SOURCE]. Each request has an SPI of its own and comes from
SOURCE, or else each from another address. Whoever accepts one has a half-open IKE_SA.
"""

import random
import socket
import struct
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab.topology import ADDRESSES  # noqa: E402

# Benchmarking addresses (RFC 2544): nobody has them.
NETWORK = "198.18.0.0/15"
NOTIFY, KE, NONCE, SA = 41, 34, 40, 33
COOKIE = 16390


def transform(kind, number, bits=None, last=False):
    attributes = b"" if bits is None else struct.pack(">HH", 0x800E, bits)
    return struct.pack(">BBHBBH", 0 if last else 3, 0, 8 + len(attributes), kind, 0, number) + attributes


def init_request(rng, cookie=None):
    """An IKE_SA_INIT request: AES-GCM-16-256, HMAC-SHA2-256, X25519; with this cookie in front, if any."""
    transforms = transform(1, 20, 256) + transform(2, 5) + transform(4, 31, last=True)
    proposal = struct.pack(">BBHBBBB", 0, 0, 8 + len(transforms), 1, 1, 0, 3) + transforms
    bodies = [(SA, proposal), (KE, struct.pack(">HH", 31, 0) + rng.randbytes(32)), (NONCE, rng.randbytes(32))]
    if cookie is not None:
        bodies.insert(0, (NOTIFY, struct.pack(">BBH", 0, 0, COOKIE) + cookie))
    payloads = b""
    for (_, body), (following, _) in zip(bodies, bodies[1:] + [(0, b"")]):
        payloads += struct.pack(">BBH", following, 0, 4 + len(body)) + body
    return (rng.randbytes(8) + bytes(8) + bytes([bodies[0][0], 0x20, 34, 0x08])
            + struct.pack(">II", 0, 28 + len(payloads)) + payloads)


def frame(rng, mac, destination, message, source=None, port=500):
    """A message in UDP, IPv4 and Ethernet."""
    udp = struct.pack(">HHHH", rng.randrange(1024, 65536), port, 8 + len(message), 0) + message
    made_up = bytes([198, 18 + rng.randrange(2), rng.randrange(256), rng.randrange(1, 255)])
    addresses = (made_up if source is None else socket.inet_aton(source)) + socket.inet_aton(destination)
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), rng.randrange(65536), 0, 64, 17, 0) + addresses
    total = sum(struct.unpack(">10H", ip))
    total = (total & 0xffff) + (total >> 16)
    total = ~((total & 0xffff) + (total >> 16)) & 0xffff
    return mac + rng.randbytes(5) + b"\2" + b"\x08\x00" + ip[:10] + struct.pack(">H", total) + ip[12:] + udp


def send(lab, to, count, source=None):
    """That many requests to a gateway of the lab."""
    shown = lab.nodes[to].run(["ip", "-o", "link", "show", "outer"]).stdout.split()
    mac = shown[shown.index("link/ether") + 1]
    destination = ADDRESSES[to]["outer4"]
    lab.nodes["wire"].run([sys.executable, __file__, f"to-{to}", mac, destination, str(count), *([source] if source else [])])


def main(device, mac, destination, count, source=None):
    rng = random.Random()
    mac = bytes.fromhex(mac.replace(":", ""))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((device, 0))
        for _ in range(int(count)):
            sock.send(frame(rng, mac, destination, init_request(rng), source))


if __name__ == "__main__":
    main(*sys.argv[1:])
