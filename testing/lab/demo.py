"""What testing/demo shows."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from . import capture, daemon, leftovers, namespace, swanctl
from .binaries import ROOT, Binaries
from .certificates import Certificates
from .scenario import SCENARIOS
from .shell import CommandFailed, run
from .topology import GATEWAYS, Lab

# The configuration that is shown is that of a scenario, so that it cannot rot.
SCENARIO = "ecdsa256-ipv4"
KEYS = "ecdsa256"
PINGS = 20
INSIDE = "CHAROND_DEMO_INSIDE"


def main():
    """Shows it; returns the exit status."""
    options = _arguments()
    if options.clean:
        return _clean()
    if INSIDE not in os.environ:
        if not options.built:
            _build(options)
        if os.geteuid() != 0 or options.rootless:
            return _without_root()
    else:
        # The namespaces' names are files below /run, which is not ours.
        run(["mount", "-t", "tmpfs", "tmpfs", "/run"])
    binaries = Binaries("release" if options.release else "debug")
    missing = binaries.missing({options.moon, options.sun})
    if missing:
        print(f"demo: not found: {', '.join(map(str, missing))}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begin = time.monotonic()
    try:
        with Lab(kept=options.keep) as lab, Certificates() as certificates:
            _show(lab, certificates, binaries, options)
            if options.keep and INSIDE in os.environ:
                _wait(lab)
    except (AssertionError, CommandFailed) as error:
        print(f"\ndemo FAILED: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"\nDone in {time.monotonic() - begin:.1f} s.")
    return 0


def _arguments():
    parser = argparse.ArgumentParser(prog="testing/demo", description="Two gateways, a tunnel, a ping through it.")
    parser.add_argument("--keep", action="store_true", help="leave it standing and say how to look around")
    parser.add_argument("--clean", action="store_true", help="remove what --keep left")
    parser.add_argument("--release", action="store_true", help="the release build, slower to make")
    parser.add_argument("--rootless", action="store_true", help="in a user namespace, even if root")
    parser.add_argument("--built", action="store_true", help="do not build, use what is there")
    for gateway in GATEWAYS:
        parser.add_argument(f"--{gateway}", choices=("charond", "strongswan"), default="charond",
                            help=f"the daemon on {gateway}")
    return parser.parse_args()


def _build(options):
    step("Building charond and swanctl" + (" (release)" if options.release else ""))
    command = ["cargo", "build", "--locked", "-p", "charond", "-p", "swanctl",
               *(["--release"] if options.release else [])]
    say("$ " + " ".join(command))
    if subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode != 0:
        sys.exit("demo: the build failed")


def _without_root():
    if run(["unshare", "-Urnm", "true"], check=False).returncode != 0:
        print("demo: this system does not allow unprivileged user namespaces: run it as root", file=sys.stderr)
        return 1
    step("Going on in a user namespace (unshare -Urnm)")
    sys.stdout.flush()
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "-Urnm", sys.executable, "-m", "lab.demo", *sys.argv[1:]])


def _show(lab, certificates, binaries, options):
    step("Two gateways, a host behind each, a wire between; each in a network namespace")
    say("alice 10.1.0.10 -- moon 192.0.2.1 ====== 192.0.2.2 sun -- bob 10.2.0.10")
    clean = {name: leftovers.snapshot(lab.nodes[name]) for name in GATEWAYS}
    watch = lab.own(capture.Capture(lab))

    step("Keys: an authority and a certificate for each gateway (ECDSA P-256, by openssl)")
    daemons, commands = {}, {}
    for name in GATEWAYS:
        daemons[name] = daemon.make(getattr(options, name), lab, name, binaries)
        commands[name] = swanctl.make(getattr(options, name), daemons[name], binaries)
        certificates.install(KEYS, name, daemons[name].swanctl_dir)
        shutil.copy(SCENARIOS / SCENARIO / name / "swanctl.conf", daemons[name].swanctl_dir)
        say(f"{name}: {daemons[name].swanctl_dir}/swanctl.conf, x509/{name}.crt, private/{name}.key, x509ca/ca.crt")

    step("One daemon per gateway")
    for name in GATEWAYS:
        daemons[name].start()
        say(f"{name}$ {' '.join(map(str, daemons[name].program()))}    (process {daemons[name].process.pid})")
    _ping(lab, expect=0, count=3)

    for name in GATEWAYS:
        _command(name, commands[name], "--load-all")
    _command("moon", commands["moon"], "--initiate", "--child", "net")
    _ping(lab, expect=PINGS, count=PINGS)
    for name in GATEWAYS:
        _command(name, commands[name], "--list-sas")

    step("What crossed the wire")
    _crossed(watch)
    if options.keep:
        _look_around(lab, daemons, commands)
        return

    _command("moon", commands["moon"], "--terminate", "--ike", "gw")
    _ping(lab, expect=0, count=3)
    step("Stopping both daemons")
    for name in GATEWAYS:
        daemons[name].stop()
        rest = leftovers.difference(clean[name], leftovers.snapshot(lab.nodes[name]))
        assert not rest, f"{name} is not as it was:\n{rest}"
        say(f"{name}: ended; no route, rule, address or device is left behind")


def _command(gateway, command, *words):
    step(f"{gateway}$ swanctl {' '.join(words)}")
    done = command(*words, check=False)
    for line in (done.stdout + done.stderr).splitlines():
        say(line)
    assert done.returncode == 0, f"swanctl {' '.join(words)} ended with {done.returncode}"


def _ping(lab, *, expect, count):
    step(f"alice pings bob, {count} times" if expect else "alice pings bob: nothing may come back without a tunnel")
    got = lab.ping("alice", "bob", count=count, wait_s=1 if expect else 0.3)
    say(f"{got} of {count} answered")
    assert got == expect, f"{got} of {count} pings answered, not {expect}"


def _crossed(watch):
    time.sleep(0.1)
    packets = watch.packets()
    seen = Counter(f"{p.exchange} {'response' if p.response else 'request'}" if p.kind == "ike" else p.kind
                   for p in packets)
    names = {"esp": "ESP in UDP", "neighbour": "ARP and neighbour discovery", "keepalive": "NAT keepalive"}
    for what, count in sorted(seen.items()):
        say(f"{count:4} {names.get(what, what)}")
    strange = {p.kind for p in packets} - {"ike", "esp", "keepalive", "neighbour"}
    assert not strange, f"crossed the wire in the clear: {', '.join(sorted(strange))}"
    assert seen["esp"] >= 2 * PINGS, f"only {seen['esp']} ESP packets for {PINGS} pings"
    say("No packet of alice or bob crossed in the clear.")
    if shutil.which("tcpdump"):
        said = run(["tcpdump", "-Z", "root", "-n", "-t", "-r", watch.path, "-c", "7", "udp"], check=False).stdout
        for line in said.splitlines():
            say(line[:118])


def _look_around(lab, daemons, commands):
    # A user namespace is entered through one of its processes.
    enter = {name: f"nsenter -t {one.process.pid} -U -m -n --preserve-credentials" if INSIDE in os.environ
             else f"nsenter --net={namespace.RUNTIME}/{lab.nodes[name].name}" for name, one in daemons.items()}
    step("It stands. To look around:")
    for name, one in daemons.items():
        say(f"{name}, its log:       tail -f {one.log_path}")
        say(f"{name}, its swanctl:   SWANCTL_DIR={one.swanctl_dir} {commands[name].program} --list-sas "
            f"--uri unix://{one.socket}")
        say(f"{name}, a shell there: {enter[name]} sh    (ip route show table 220; ip -s link show)")
    if INSIDE not in os.environ:
        shell = f"nsenter --net={namespace.RUNTIME}/{lab.nodes['alice'].name}"
        say(f"a ping from alice:  {shell} python3 {Path(__file__).with_name('ping.py')} 10.2.0.10")
        say("To remove it:       testing/demo --clean")


def _wait(lab):
    print("\nCtrl-C ends it (a user namespace lives no longer than its processes).", flush=True)
    lab.kept = False
    signal.pause()


def _clean():
    names = namespace.remove_kept()
    for directory in Path(tempfile.gettempdir()).glob(namespace.KEPT + "*"):
        shutil.rmtree(directory, ignore_errors=True)
    print(f"removed: {', '.join(names) or 'nothing was there'}")
    return 0


def step(text):
    """A headline."""
    print(f"\n== {text}", flush=True)


def say(text):
    """A line below it."""
    print(f"   {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
