#!/usr/bin/env python3
"""Writes the frames of a network device to a pcap file until SIGTERM: sniff.py DEVICE FILE

tcpdump without tcpdump, so that a capture never is what a machine lacks. Says `listening` once it does.
"""

import signal
import socket
import struct
import sys
import time

ALL_PROTOCOLS = 3
SNAP = 256


def main(device, path):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS)) as sock, \
            open(path, "wb", buffering=0) as file:
        sock.bind((device, 0))
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, SNAP, 1))
        print("listening", flush=True)
        while True:
            try:
                frame = sock.recv(65535)
            except OSError:  # the device went
                return
            now = time.time_ns() // 1000
            kept = frame[:SNAP]
            file.write(struct.pack("<IIII", now // 1_000_000, now % 1_000_000, len(kept), len(frame)) + kept)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
