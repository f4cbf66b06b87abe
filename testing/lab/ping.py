#!/usr/bin/env python3
"""ping, for machines without one, and with an output that a program can rely on.

    ping.py ADDRESS [COUNT [INTERVAL_S [WAIT_S]]]

Sends echo requests of 56 octets of data: 84 octets of IPv4 or 104 of IPv6 each.
The last line is `RECEIVED of COUNT`; the exit status is 0 if at least one was answered.
"""

import os
import select
import socket
import struct
import sys
import time

DATA = bytes(range(56))


def main(address, count=4, interval_s=0.5, wait_s=1.0):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    ask, answer = (128, 129) if family == socket.AF_INET6 else (8, 0)
    protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
    ident = os.getpid() & 0xffff
    answered = {}
    with socket.socket(family, socket.SOCK_RAW, protocol) as sock:
        sock.connect((address, 0))
        begin = time.monotonic()
        sent = 0
        while True:
            now = time.monotonic()
            if sent < count and now >= begin + sent * interval_s:
                try:
                    sock.send(echo(ask, ident, sent))
                except OSError as error:  # no route is an unanswered ping, not the end
                    print(f"seq {sent}: {error.strerror}")
                sent += 1
                continue
            if len(answered) == count:
                break
            end = begin + sent * interval_s if sent < count else begin + (count - 1) * interval_s + wait_s
            if now >= end:
                break
            if not select.select([sock], [], [], end - now)[0]:
                continue
            try:
                packet = sock.recv(2048)
            except OSError:
                continue
            icmp = packet[(packet[0] & 15) * 4:] if family == socket.AF_INET else packet
            if len(icmp) < 8 or icmp[0] != answer or struct.unpack(">H", icmp[4:6])[0] != ident:
                continue
            # The last of those sent that has these 16 bits.
            number = sent - 1 - ((sent - 1 - struct.unpack(">H", icmp[6:8])[0]) & 0xffff)
            if icmp[8:] == DATA and number not in answered:
                answered[number] = time.monotonic() - begin - number * interval_s
                print(f"seq {number}: {len(packet)} octets from {address} in {answered[number] * 1000:.1f} ms")
    print(f"{len(answered)} of {count}")
    return 0 if answered else 1


def echo(kind, ident, number):
    """An echo request; the kernel itself puts the checksum into ICMPv6."""
    packet = struct.pack(">BBHHH", kind, 0, 0, ident, number & 0xffff) + DATA
    if kind == 128:
        return packet
    total = sum(struct.unpack(f">{len(packet) // 2}H", packet))
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    return packet[:2] + struct.pack(">H", ~total & 0xffff) + packet[4:]


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 5:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], *(kind(value) for kind, value in zip((int, float, float), sys.argv[2:]))))
