#!/usr/bin/env python3
"""What many pairs of IKE_SA and CHILD_SA cost a responder, and how long a newcomer waits beside them.

    testing/bench/scale.py --counts 10000,100000
    testing/bench/scale.py --counts 10000 --responders strongswan

charond is the initiator, with one connection for each pair and without a kernel. The responder has its userspace ESP, so that the
SAs of ESP are in its memory, where a kernel backend has them in the kernel's. Printed at each count: private memory a pair,
processor time a handshake on the way there, the time that new handshakes take one after the other, from the first message to the
last as `initiate` sees it, what `terminate` takes for each of them by name, and processor time of one more CHILD_SA in an IKE_SA
that has one.
"""

import argparse
import gc
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import load  # noqa: E402
from lab import vici  # noqa: E402
from lab.binaries import Binaries  # noqa: E402
from lab.topology import Lab  # noqa: E402
from vici_load import Raw, frame, percentile, succeeded  # noqa: E402

PROPOSAL = "aes256gcm16-prfsha256-x25519"
# Beyond the pairs that are counted.
NEWCOMERS = 1000
CHILDREN = 1000


def initiate(client, name):
    """One handshake with a child, until it is over; milliseconds."""
    begin = time.perf_counter_ns()
    succeeded(client, frame(vici.REQUEST, "initiate", {"child": name, "ike": name, "timeout": "20000", "loglevel": "-1",
                                                       "init-limits": "no"}))
    return (time.perf_counter_ns() - begin) / 1e6


def terminate(client, name):
    """Ends it on both sides; milliseconds."""
    begin = time.perf_counter_ns()
    succeeded(client, frame(vici.REQUEST, "terminate", {"ike": name, "timeout": "5000", "loglevel": "-1"}))
    return (time.perf_counter_ns() - begin) / 1e6


def spread(times):
    """Median, p90, p99 and the longest."""
    return [*(percentile(times, share) for share in (0.5, 0.9, 0.99)), max(times)]


def further_child(number):
    """A second child of a connection."""
    return {"local_ts": [load.inner(number) + "/32"], "remote_ts": ["10.3.0.0/16"], "rekey_time": "0",
            "esp_proposals": ["aes256gcm16"]}


def measure(kind, options, binaries):
    """One row for each count."""
    with Lab() as lab:
        responder = lab.own(load.Charond(lab, "sun", binaries, kernel=options.kernel) if kind == "charond"
                            else load.StrongSwan(lab, "sun"))
        # A child is to join the IKE_SA that its connection has.
        load.SETTINGS["reuse_ikesa"] = "yes"
        initiator = lab.own(load.Charond(lab, "moon", binaries, kernel="kernel-null"))
        responder.start()
        initiator.start()
        total = options.counts[-1] + NEWCOMERS
        (_, conn), = load.responder_conn("psk", None, PROPOSAL, True)
        conn["children"]["more"] = {**conn["children"]["net"], "local_ts": ["10.3.0.0/16"]}
        load.configure(responder, "psk", None, [("all", conn)])
        with initiator.vici() as client:
            load.request(client, "load-shared", {"type": "IKE", "data": load.PSK})
        control = Raw(initiator.socket)
        names = []
        for number, (name, conn) in enumerate(load.initiator_conns("psk", None, PROPOSAL, True, total)):
            conn["children"][f"{name}more"] = further_child(number)
            succeeded(control, frame(vici.REQUEST, "load-conn", {name: conn}))
            names.append(name)
        initiate(control, names[-1])
        terminate(control, names[-1])
        idle_kib, begun = load.memory_kib(responder.process), 0
        for count in options.counts:
            busy = load.cpu_s(responder.process)
            load.initiate(initiator, begun, names[begun:count], True)
            have = load.wait_for(responder, count)
            busy = 1e6 * (load.cpu_s(responder.process) - busy) / max(have - begun, 1)
            time.sleep(1)
            kib = (load.memory_kib(responder.process) - idle_kib) / max(have, 1)
            newcomers = names[options.counts[-1]:][:options.newcomers]
            # Whatever of this program would take time in between is not to be measured.
            gc.collect()
            gc.freeze()
            gc.disable()
            times = [initiate(control, name) for name in newcomers]
            ends = [terminate(control, name) for name in newcomers]
            gc.enable()
            last = count == options.counts[-1]
            child_us = further_children(control, responder, names[:min(CHILDREN, count)]) if last else ""
            shown = " / ".join(f"{value:.2f}" for value in spread(times))
            ended = " / ".join(f"{value:.2f}" for value in spread(ends))
            print(f"| {kind} | {have} | {busy:.0f} | {kib:.2f} | {shown} | {ended} | {child_us} |", flush=True)
            if have < count:
                break
            begun = count


def further_children(control, responder, names):
    """Microseconds of the responder's processor time for one more child each, in words if it has none of them."""
    busy = load.cpu_s(responder.process)
    for name in names:
        asked = {"child": f"{name}more", "ike": name, "timeout": "20000", "loglevel": "-1", "init-limits": "no"}
        if b"\x07success\x00\x03yes" not in control.ask(frame(vici.REQUEST, "initiate", asked)):
            return f"{name} was refused"
    return f"{1e6 * (load.cpu_s(responder.process) - busy) / len(names):.0f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="10000,100000", help="pairs at which to look, comma-separated, rising")
    parser.add_argument("--newcomers", type=int, default=NEWCOMERS, help="handshakes that are timed")
    parser.add_argument("--kernel", default="", help="kernel plugins of charond instead of what it chooses")
    parser.add_argument("--responders", default="charond,strongswan")
    parser.add_argument("--profile", default="release")
    options = parser.parse_args()
    options.counts = [int(count) for count in options.counts.split(",")]
    binaries = Binaries(options.profile)
    print(f"{options.newcomers} newcomers; milliseconds: median / p90 / p99 / longest\n\n"
          "| responder | pairs | CPU per handshake, µs | KiB per pair | a new handshake | its end by name "
          "| CPU of a further child, µs |\n" + "|---" * 7 + "|")
    for kind in options.responders.split(","):
        measure(kind, options, binaries)


if __name__ == "__main__":
    main()
