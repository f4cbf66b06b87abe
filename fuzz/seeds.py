#!/usr/bin/env python3
"""Makes the seeds of the VICI targets from the recordings in vici/tests/golden."""

import hashlib
import json
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
    for name, inputs in seeds.items():
        directory = HERE / "seeds" / name
        directory.mkdir(parents=True, exist_ok=True)
        kept = {input for input in inputs if len(input) <= LEN_MAX}
        for old in directory.glob("recorded-*"):
            old.unlink()
        for input in kept:
            (directory / f"recorded-{hashlib.sha1(input).hexdigest()[:12]}").write_bytes(input)
        print(f"{name}: {len(kept)} seeds")


if __name__ == "__main__":
    main()
