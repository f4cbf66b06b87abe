#!/usr/bin/env python3
"""Makes the seeds of the VICI targets from the recordings in vici/tests/golden, and of the kernel's from the layout of its messages."""

import hashlib
import json
import struct
from pathlib import Path

HERE = Path(__file__).resolve().parent
GOLDEN = HERE.parent / "vici" / "tests" / "golden"
LEN_MAX = 4096
# Feed, answer and read, a little and much.
SCHEDULE = bytes([0x02, 0x20, 0xC2, 0x1F, 0x8A, 0x20, 0xA9, 0xDF])


def main():
    seeds = {name: set() for name in ("vici_message", "vici_packet", "vici_session", "load_conn")}
    for path in sorted(GOLDEN.glob("*.json")):
        frames = [(frame["dir"], bytes.fromhex(frame["hex"])) for frame in json.loads(path.read_text())["frames"]
                  if "hex" in frame]
        sent = b"".join(frame for side, frame in frames if side == "client")
        seeds["vici_session"].add(bytes([len(SCHEDULE)]) + SCHEDULE + sent)
        seeds["vici_packet"].add(sent)
        for _, frame in frames:
            packet = frame[4:]
            if not packet or packet[0] not in (0, 1, 7):
                continue
            body = packet[1:] if packet[0] == 1 else packet[2 + packet[1]:] if len(packet) > 1 else b""
            if body:
                seeds["vici_message"].add(body)
                if packet[2:].startswith(b"load-conn"):
                    seeds["load_conn"].add(b"\0" + body)
    seeds |= {"xfrm_message": {netlink()}, "pfkey_message": {pfkey()}}
    for name, inputs in seeds.items():
        directory = HERE / "seeds" / name
        directory.mkdir(parents=True, exist_ok=True)
        kept = {input for input in inputs if len(input) <= LEN_MAX}
        for old in directory.glob("recorded-*"):
            old.unlink()
        for input in kept:
            (directory / f"recorded-{hashlib.sha1(input).hexdigest()[:12]}").write_bytes(input)
        print(f"{name}: {len(kept)} seeds")


def netlink():
    """Answers to three questions about an SA, then lists of a policy and an SA with our marks, each a datagram behind its length."""
    def message(kind, sequence, payload):
        return struct.pack("=IHHII", 16 + len(payload), kind, 0, sequence, 0) + payload

    def attribute(kind, value):
        return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)

    aead = attribute(18, b"rfc4106(gcm(aes))".ljust(64, b"\0") + struct.pack("=II", 160, 128) + bytes(20))
    info = bytes(56 + 16) + struct.pack(">IB", 0xc0000001, 50) + bytes(3 + 16 + 64 + 32 + 12)
    info += struct.pack("=IIHBBB", 0xc4000001, 1, 2, 1, 32, 32) + bytes(7)
    info += aead + attribute(21, struct.pack("=II", 42, 255)) + attribute(15, bytes(8)) + attribute(10, bytes(12))
    policy = bytes(56 + 64 + 32 + 4) + struct.pack("=IBB", 0xc4000001, 1, 0) + bytes(6)
    done = message(3, 4, bytes(4)), message(3, 9, bytes(4))
    said = [message(0x10, 1, info) + message(2, 1, bytes(20)), message(0x10, 2, info) + message(2, 2, bytes(20)),
            message(2, 3, struct.pack("=i", -3) + bytes(16)), message(0x13, 4, policy) + done[0], message(2, 5, bytes(20)),
            message(0x10, 6, info) + message(3, 6, bytes(4)), message(2, 7, bytes(20))]
    return b"".join(struct.pack("<H", len(one)) + one for one in said)


def pfkey():
    """The same over PF_KEY."""
    def message(kind, sequence, *extensions):
        body = b"".join(extensions)
        return struct.pack("=BBBBHHII", 2, kind, 0, 3, 2 + len(body) // 8, 0, sequence, 1) + body

    def extension(kind, value):
        value += bytes(-(len(value) + 4) % 8)
        return struct.pack("=HH", (len(value) + 4) // 8, kind) + value

    def address(kind):
        return extension(kind, bytes([255, 24, 0, 0]) + struct.pack("=HH", 2, 0) + bytes(12))

    sa = extension(1, struct.pack(">I", 0xc0000001) + bytes([32, 1, 3, 12]) + bytes(4))
    hard = extension(3, struct.pack("=IQQQ", 0, 0, 0, 0xc4c4c4c4))
    current = extension(2, struct.pack("=IQQQ", 1, 84, 0, 0))
    policy = extension(18, struct.pack("=HBBII", 2, 2, 0, 17, 400000 - 48 * 512 - 3))
    known = [sa, current, hard, address(5), address(6)]
    said = [message(5, 1, *known), message(18, 1, address(5), address(6), policy), message(18, 0, address(5), address(6), policy),
            message(22, 3, policy), message(22, 4, policy), message(10, 0, *known), message(4, 6, sa), message(10, 0, *known)]
    return b"".join(struct.pack("<H", len(one)) + one for one in said)


if __name__ == "__main__":
    main()
