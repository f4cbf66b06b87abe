"""What testing/demo --ha shows: two gateways share an address, one dies, the tunnel to the other is back."""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import daemon, swanctl
from .binaries import STRONGSWAN, Binaries
from .demo import _build, say, step
from .namespace import Namespace
from .shared_address import IMPATIENT, NO_PATH_FILTER, PERSISTENT, SHARED, of_gateway, of_peer, role
from .shell import CommandFailed
from .stage import Stage, written
from .topology import wait_until

PINGER = Path(__file__).resolve().parents[1] / "vrrp" / "pinger.py"
OUTER = {"moon": "192.0.2.11", "sun": "192.0.2.12", "peer": "192.0.2.2"}
INNER = {"moon": "10.1.0.1", "sun": "10.1.0.1", "peer": "10.2.0.1"}
PRIORITY = {"moon": 150, "sun": 100}
BACK_WITHIN_S = 30
VROUTER = """vrouters {{
  gw {{
    interface = outer
    vrid = 51
    addresses = {address}/24
    priority = {priority}
    advert_interval = 100ms
  }}
}}
"""


def main():
    """Shows it; returns the exit status."""
    parser = argparse.ArgumentParser(prog="testing/demo --ha", description="Two gateways, one address, one of them dies.")
    parser.add_argument("--ha", action="store_true")
    parser.add_argument("--release", action="store_true", help="the release build, slower to make")
    parser.add_argument("--built", action="store_true", help="do not build, use what is there")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("demo: --ha needs root: it makes network namespaces")
    if not options.built:
        _build(options)
    binaries = Binaries("release" if options.release else "debug")
    kind = "strongswan" if os.access(STRONGSWAN, os.X_OK) else "charond"
    missing = binaries.missing({"charond", kind})
    if missing:
        sys.exit(f"demo: not found: {', '.join(map(str, missing))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begin = time.monotonic()
    try:
        with _Site() as site:
            _show(site, binaries, kind)
    except (AssertionError, CommandFailed) as error:
        print(f"\ndemo FAILED: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"\nDone in {time.monotonic() - begin:.1f} s.")
    return 0


class _Site(Stage):
    """Three nodes on a wire."""

    def __init__(self):
        super().__init__(f"charon-{os.getpid()}-ha")

    def _build(self):
        self.nodes["wire"] = Namespace(self.prefix, "wire")
        self.bridge("wire")
        for name, address in OUTER.items():
            node = self.nodes[name] = Namespace(self.prefix, name)
            node.sh(written(*NO_PATH_FILTER))
            self.plug(name, "outer", f"to-{name}", [f"{address}/24"])
            node.ip("address", "add", f"{INNER[name]}/32", "dev", "lo")


def _show(site, binaries, kind):
    step("Two gateways that share an address, and a peer; each in a network namespace")
    say(f"moon {OUTER['moon']}, sun {OUTER['sun']}: both charond, VRRPv3 id 51 for {SHARED}, adverts every 0.1 s")
    say(f"peer {OUTER['peer']}: {kind}, with a tunnel to {SHARED}")
    commands = {}
    for name in ("moon", "sun", "peer"):
        one = daemon.make("charond" if name != "peer" else kind, site, name, binaries,
                          settings=IMPATIENT if name == "peer" else None)
        text = _configuration(name)
        (one.swanctl_dir / "swanctl.conf").write_text(text)
        commands[name] = swanctl.make(one.kind, one, binaries)
        one.start()
        commands[name].load_all()
    moon, sun, peer = (commands[name].daemon for name in ("moon", "sun", "peer"))

    step("The gateways elect: --list-vrouters on moon and sun")
    wait_until(lambda: role(moon) == "active" and role(sun) == "backup", 10, "moon active, sun backup")
    for name in ("moon", "sun"):
        for line in commands[name]("--list-vrouters").stdout.splitlines()[:2]:
            say(f"{name}: {line}")

    step(f"The peer brings the tunnel to {SHARED} up")
    commands["peer"]("--initiate", "--child", "net", timeout=20)
    wait_until(lambda: moon.sas(), 5, "the SA on moon")
    assert not sun.sas(), "sun has an SA although it is backup"
    log = site.directory / "answers"
    pinger = subprocess.Popen(site.nodes["peer"].enter([sys.executable, PINGER, INNER["moon"], log]),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        pinger.stdout.readline()
        wait_until(lambda: len(_times(log)) > 20, 10, "pings through the tunnel")
        say(f"pings {INNER['peer']} -> {INNER['moon']} are answered through the tunnel")

        step("moon dies: SIGKILL, and its link goes down")
        died = time.monotonic()
        moon.kill()
        site.nodes["wire"].ip("link", "set", "to-moon", "down")
        wait_until(lambda: role(sun) == "active", 10, "sun active")
        wait_until(lambda: [at for at in _times(log) if at > died + 0.5], BACK_WITHIN_S, "the tunnel back through sun")
        time.sleep(0.5)
    finally:
        pinger.terminate()
        pinger.wait()
    times = _times(log)
    gap = max(later - earlier for earlier, later in zip(times, times[1:]))
    assert sun.sas(), "the tunnel is not on sun"
    for line in commands["sun"]("--list-vrouters").stdout.splitlines()[:2]:
        say(f"sun: {line}")
    for line in commands["sun"]("--list-sas").stdout.splitlines()[:3]:
        say(f"sun: {line}")
    say(f"The tunnel is back. Nobody answered for {gap:.2f} s, of which the election took about 0.36 s; the rest is the")
    say("peer's dead peer detection, set to 1 s here, and a new IKE_SA.")


def _configuration(name):
    if name == "peer":
        return of_peer(OUTER["peer"], INNER["peer"], INNER["moon"], child=PERSISTENT)
    return of_gateway(OUTER["peer"], INNER[name], INNER["peer"]) + VROUTER.format(address=SHARED, priority=PRIORITY[name])


def _times(log):
    return [float(line) for line in log.read_text().split()] if log.exists() else []


if __name__ == "__main__":
    sys.exit(main())
