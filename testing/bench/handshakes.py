#!/usr/bin/env python3
"""Processor time per handshake and memory per SA of a responder, charond and strongSwan in turn.

Needs root, Debian's strongSwan and a release build. The initiator is strongSwan for both. Loggers are off. Time is that
of all threads of the responder from before the first message until the last IKE_SA is established, divided by the
number of IKE_SAs. In between, what AWS-LC alone needs for it is measured, if it was built:

    cargo build --release -p charon-bench --example ceiling
"""

import argparse
import statistics
import subprocess
import sys

import load
from lab.binaries import Binaries
from lab.certificates import Certificates
from lab.topology import Lab

PROPOSALS = {"psk": "aes256gcm16-prfsha256-x25519", "ecdsa256": "aes256gcm16-prfsha256-x25519",
             "rsa": "aes256gcm16-prfsha256-x25519"}


def credentials(certificates, kind, lab):
    """PEM files of both gateways by name."""
    if kind == "psk":
        return None
    pki = {}
    for gateway in ("moon", "sun"):
        directory = lab.directory / f"pki-{gateway}"
        certificates.install(kind, gateway, directory)
        pki["ca"] = (directory / "x509ca" / "ca.crt").read_bytes()
        pki[f"{gateway}.crt"] = (directory / "x509" / f"{gateway}.crt").read_bytes()
        pki[f"{gateway}.key"] = (directory / "private" / f"{gateway}.key").read_bytes()
    return pki


def measure(options, kind, responder_kind, certificates):
    """(handshakes, CPU µs each, KiB per SA) for each step of the counts."""
    with Lab() as lab:
        pki = credentials(certificates, kind, lab)
        if responder_kind == "charond":
            responder = load.Charond(lab, "sun", Binaries("release"), kernel=options.kernel)
        else:
            responder = load.StrongSwan(lab, "sun")
        initiator = load.StrongSwan(lab, "moon")
        lab.own(responder)
        lab.own(initiator)
        responder.start()
        initiator.start()
        names = [f"c{number}" for number in range(options.counts[-1])]
        load.configure(responder, kind, pki, load.responder_conn(kind, pki, PROPOSALS[kind], options.child))
        load.configure(initiator, kind, pki,
                       load.initiator_conns(kind, pki, PROPOSALS[kind], options.child, len(names)))
        idle_kib = load.memory_kib(responder.process)
        rows, begun = [], 0
        for count in options.counts:
            before = load.cpu_s(responder.process)
            load.initiate(initiator, begun, names[begun:count], options.child)
            have = load.wait_for(responder, count)
            spent = load.cpu_s(responder.process) - before
            kib = (load.memory_kib(responder.process) - idle_kib) / max(have, 1)
            rows.append((have, 1e6 * spent / max(have - begun, 1), kib))
            if have < count:
                print(f"{responder_kind}: only {have} of {count} IKE_SAs", file=sys.stderr)
                break
            begun = count
        return rows


def ceiling(kind):
    """CPU µs of the library for one handshake, None if it was not built."""
    program = Binaries("release").directory / "examples" / "ceiling"
    if not program.exists():
        return None
    rows = [row.strip("| ").split(" | ") for row in subprocess.check_output([program], text=True).splitlines()]
    return float(dict(rows)[f"ceiling {kind}"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--auth", choices=sorted(PROPOSALS), default="psk")
    parser.add_argument("--counts", default="1000", help="SAs at which to look, comma-separated, rising")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", action="store_true", help="with a CHILD_SA each; else childless IKE_SAs")
    parser.add_argument("--kernel", default="", help="kernel plugins of charond instead of what it chooses")
    parser.add_argument("--responders", default="charond,strongswan")
    options = parser.parse_args()
    options.counts = [int(count) for count in options.counts.split(",")]
    results, floors = {}, []
    with Certificates() as certificates:
        for round_number in range(options.rounds):
            floors.append(ceiling(options.auth))
            for responder in options.responders.split(","):
                for step, row in enumerate(measure(options, options.auth, responder, certificates)):
                    results.setdefault((responder, step), []).append(row)
                    print(f"round {round_number + 1} {responder}: {row[0]} SAs, {row[1]:.0f} µs CPU per handshake, "
                          f"{row[2]:.1f} KiB per SA", flush=True)
    floor = statistics.median(floors) if None not in floors else float("nan")
    print("\n| responder | IKE_SAs | CPU per handshake, µs (median, least) | handshakes per CPU second | of the library's ceiling "
          "| private memory per SA, KiB |\n|---|---|---|---|---|---|")
    for (responder, _), rows in results.items():
        cpu = statistics.median(row[1] for row in rows)
        kib = statistics.median(row[2] for row in rows)
        print(f"| {responder} | {rows[0][0]} | {cpu:.0f} ({min(row[1] for row in rows):.0f}) | {1e6 / cpu:,.0f} "
              f"| {100 * floor / cpu:.0f} % | {kib:.1f} |")
    print(f"| AWS-LC alone | | {floor:.0f} | {1e6 / floor:,.0f} | | |")


if __name__ == "__main__":
    main()
