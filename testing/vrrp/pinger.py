#!/usr/bin/env python3
"""Pings ADDRESS every 20 ms until SIGTERM and writes the time of every answer to FILE: pinger.py ADDRESS FILE"""

import select
import signal
import socket
import struct
import sys
import time

INTERVAL_S = 0.02


def main(address, path):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ipv6 = ":" in address
    family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if ipv6 else (socket.AF_INET, socket.IPPROTO_ICMP)
    sock = socket.socket(family, socket.SOCK_RAW, protocol)
    sock.setblocking(False)
    kind, answer = (128, 129) if ipv6 else (8, 0)
    with open(path, "w", buffering=1) as log:
        print("pinging", flush=True)
        sequence, due = 0, time.monotonic()
        while True:
            wait = due - time.monotonic()
            if wait <= 0:
                sequence = (sequence + 1) & 0xffff
                message = struct.pack(">BBHHH", kind, 0, 0, 0x7672, sequence)
                total = sum(struct.unpack(">4H", message))
                total = (total & 0xffff) + (total >> 16)
                message = message[:2] + struct.pack(">H", ~total & 0xffff) + message[4:]
                try:
                    sock.sendto(message, (address, 0))
                except OSError:
                    pass
                due += INTERVAL_S
                continue
            if select.select([sock], [], [], wait)[0]:
                try:
                    packet, sender = sock.recvfrom(2048)
                except OSError:
                    continue
                at = 0 if ipv6 else (packet[0] & 15) * 4
                if packet[at] == answer and packet[at + 4:at + 6] == b"\x76\x72":
                    log.write(f"{time.monotonic():.6f}\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
