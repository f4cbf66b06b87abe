#!/usr/bin/env python3
"""Floods interfaces with adverts of all kinds: flood.py FIRST_VRID LAST_VRID SECONDS INTERFACE=SOURCE...; prints how many it sent."""

import random
import socket
import struct
import sys
import time

PRIORITIES = (1, 99, 148)


def _sum(octets):
    total = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def frame(source, vrid, priority, fault):
    """An advert of version 3; `fault` names what is wrong with it."""
    count = 2 if fault == "count" else 1
    message = bytearray(struct.pack(">BBBBHH4s", 0x31, vrid, priority, count, 100, 0, socket.inet_aton("192.0.2.1")))
    if fault == "version":
        message[0] = 0x41
    message[6:8] = struct.pack(">H", _sum(bytes(message)) ^ (fault == "checksum"))
    ttl = 254 if fault == "ttl" else 255
    header = bytearray(struct.pack(">BBHHHBBH4s4s", 0x45, 0xc0, 20 + len(message), 0, 0, ttl, 112, 0, socket.inet_aton(source),
                                   socket.inet_aton("224.0.0.18")))
    header[10:12] = struct.pack(">H", _sum(bytes(header)))
    ethernet = bytes.fromhex("01005e000012") + bytes([2, 0, 0, 0, 0, 9]) + b"\x08\x00"
    return (ethernet + bytes(header) + bytes(message)).ljust(60, b"\0")


def main(first, last, seconds, *places):
    faults = (None, "count", "version", "checksum", "ttl")
    floods = []
    for place in places:
        interface, source = place.split("=")
        frames = [frame(source, vrid, random.choice(PRIORITIES), fault)
                  for vrid in range(int(first), int(last) + 1) for fault in faults]
        random.shuffle(frames)
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        sock.bind((interface, 0))
        floods.append((sock, frames))
    sent, end = 0, time.monotonic() + float(seconds)
    while time.monotonic() < end:
        for sock, frames in floods:
            for one in frames:
                sock.send(one)
            sent += len(frames)
    print(sent)


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
