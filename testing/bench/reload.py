#!/usr/bin/env python3
"""What it takes to load ten thousand connections again of which one has changed.

    testing/bench/reload.py --count 10000 --profile release

`swanctl --load-conns` loads a swanctl.conf with all of them: first, once more as it is, then with one that differs. For each:
the time on the clock from the start of swanctl to its end, and processor time of the daemon and of swanctl. charond is asked by
our swanctl, strongSwan by its own. Of several rounds the median counts.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import load  # noqa: E402
from lab.binaries import STRONGSWAN_SWANCTL, Binaries  # noqa: E402
from lab.topology import Lab  # noqa: E402

PROPOSAL = "aes256gcm16-prfsha256-x25519"


def text(section, indent=""):
    """A section as swanctl.conf has it."""
    lines = []
    for name, value in section.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name} {{", text(value, indent + "  "), f"{indent}}}"]
        else:
            lines.append(f"{indent}{name} = {', '.join(value) if isinstance(value, list) else value}")
    return "\n".join(lines)


def of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def reload(daemon, swanctl, conns):
    """Milliseconds: on the clock, of the daemon's processor time, of swanctl's."""
    conf = daemon.lab.directory / "swanctl.conf"
    conf.write_text(text({"connections": conns}) + "\n")
    command = [swanctl, "--load-conns", "--file", conf, "--uri", f"unix://{daemon.socket}"]
    with open(daemon.lab.directory / "said", "wb") as said:
        busy, own, begin = load.cpu_s(daemon.process), of_children(), time.monotonic()
        subprocess.run(command, stdout=said, check=True)
        wall = time.monotonic() - begin
        own = of_children() - own
        busy = load.cpu_s(daemon.process) - busy
    return 1000 * wall, 1000 * busy, 1000 * own


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--responders", default="charond,strongswan")
    parser.add_argument("--profile", default="release")
    options = parser.parse_args()
    binaries = Binaries(options.profile)
    print("| daemon | what | on the clock, ms | of the daemon, CPU ms | of swanctl, CPU ms |\n|---|---|---|---|---|")
    for kind in options.responders.split(","):
        conns = dict(load.initiator_conns("psk", None, PROPOSAL, True, options.count))
        changing = f"c{options.count // 2}"
        with Lab() as lab:
            daemon = lab.own(load.Charond(lab, "moon", binaries, kernel="kernel-null") if kind == "charond"
                             else load.StrongSwan(lab, "moon"))
            daemon.start()
            swanctl = binaries.swanctl if kind == "charond" else STRONGSWAN_SWANCTL
            rows = {"all are new": [reload(daemon, swanctl, conns)], "none has changed": [], "one has changed": []}
            for number in range(options.rounds):
                rows["none has changed"].append(reload(daemon, swanctl, conns))
                conns[changing] = {**conns[changing], "dpd_delay": f"{30 + number}s"}
                rows["one has changed"].append(reload(daemon, swanctl, conns))
            for what, figures in rows.items():
                medians = " | ".join(f"{statistics.median(figure):.0f}" for figure in zip(*figures))
                print(f"| {kind} | {what} | {medians} |", flush=True)


if __name__ == "__main__":
    main()
