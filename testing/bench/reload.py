#!/usr/bin/env python3
"""What it costs a daemon to load ten thousand connections again of which one has changed.

    testing/bench/reload.py --count 10000 --profile release

Every connection is sent by `load-conn` as `swanctl --load-conns` does, first all of them, then all of them again, then again
with one that differs. Printed: processor time of the daemon and time on the clock for each of the three.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import load  # noqa: E402
from lab import vici  # noqa: E402
from lab.binaries import Binaries  # noqa: E402
from lab.topology import Lab  # noqa: E402

PROPOSAL = "aes256gcm16-prfsha256-x25519"


def measure(daemon, conns):
    """Processor seconds and seconds to load them all."""
    with vici.Client(daemon.socket, timeout_s=120) as client:
        client.request("get-conns")
        busy, begin = load.cpu_s(daemon.process), time.monotonic()
        for name, conn in conns:
            load.request(client, "load-conn", {name: conn})
        return load.cpu_s(daemon.process) - busy, time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--responders", default="charond,strongswan")
    parser.add_argument("--profile", default="release")
    options = parser.parse_args()
    binaries = Binaries(options.profile)
    conns = list(load.initiator_conns("psk", None, PROPOSAL, True, options.count))
    changed = [(name, {**conn, "dpd_delay": "30s"} if at == options.count // 2 else conn)
               for at, (name, conn) in enumerate(conns)]
    print("| daemon | first load, CPU s (s) | the same again | one changed |\n|---|---|---|---|")
    for kind in options.responders.split(","):
        with Lab() as lab:
            daemon = lab.own(load.Charond(lab, "moon", binaries, kernel="kernel-null") if kind == "charond"
                             else load.StrongSwan(lab, "moon"))
            daemon.start()
            rows = [measure(daemon, what) for what in (conns, conns, changed)]
            print(f"| {kind} | " + " | ".join(f"{cpu:.3f} ({wall:.2f})" for cpu, wall in rows) + " |", flush=True)


if __name__ == "__main__":
    main()
