#!/usr/bin/env python3
"""Time and processor time from exec to the first VICI answer, and memory at idle: charond and strongSwan in turn."""

import argparse
import statistics
import subprocess
import time

import load
from lab import vici
from lab.binaries import Binaries
from lab.topology import Lab


def answers(daemon):
    """Whether it answers."""
    try:
        with vici.Client(daemon.socket, timeout_s=5) as client:
            return "daemon" in client.request("version")
    except (OSError, vici.ViciError):
        return False


def measure(kind, kernel):
    """(wall ms, CPU ms, private KiB, resident KiB) of one start."""
    with Lab() as lab:
        if kind == "charond":
            daemon = load.Charond(lab, "sun", Binaries("release"), kernel=kernel)
        else:
            daemon = load.StrongSwan(lab, "sun")
        lab.own(daemon)
        # As Daemon.start, without its polling every 50 ms.
        inside = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs t /run && exec "$@"', "sh", *map(str, daemon.program())]
        begun = time.monotonic()
        daemon.process = subprocess.Popen(
            daemon.node.enter(["setpriv", "--pdeathsig", "KILL", *inside]), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={"STRONGSWAN_CONF": str(daemon.conf)})
        while not answers(daemon):
            if daemon.process.poll() is not None or time.monotonic() - begun > 30:
                raise RuntimeError(f"{kind} does not answer")
            time.sleep(0.001)
        wall, cpu = time.monotonic() - begun, load.cpu_s(daemon.process)
        time.sleep(0.5)
        status = dict(line.split(":", 1) for line in open(f"/proc/{daemon.process.pid}/status"))
        return 1e3 * wall, 1e3 * cpu, load.memory_kib(daemon.process), int(status["VmRSS"].split()[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--kernel", default="", help="kernel plugins of charond instead of what it chooses")
    options = parser.parse_args()
    results = {"charond": [], "strongswan": []}
    for _ in range(options.rounds):
        for kind, rows in results.items():
            rows.append(measure(kind, options.kernel))
    print("| daemon | first answer, ms (least) | CPU until then, ms (least) | private memory, MiB | resident, MiB |\n"
          "|---|---|---|---|---|")
    for kind, rows in results.items():
        wall, cpu, private, resident = zip(*rows)
        print(f"| {kind} | {statistics.median(wall):.0f} ({min(wall):.0f}) | {statistics.median(cpu):.0f} ({min(cpu):.0f}) "
              f"| {statistics.median(private) / 1024:.1f} | {statistics.median(resident) / 1024:.1f} |")


if __name__ == "__main__":
    main()
