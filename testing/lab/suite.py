"""What testing/run does: stages of commands, progress with times, a table, a closing line."""

import argparse
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from . import packages
from .binaries import ROOT

STAGES = ("unit", "sim", "fuzz", "interop", "scenarios", "guest", "vrrp", "demo")
LOGS = ROOT / "testing" / ".cache" / "logs"
# A command that says nothing for this long gets a line, so that one sees it lives.
HEARTBEAT_S = 30
COMMAND_S_MAX = 1800
TAIL_LINES = 60
ERROR_LINES = 120
CARGO_RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored")
CLOSING = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped")
SHOWN = re.compile(r"^(passed |FAILED |again   |skipped |    |fuzz: )")
PURE = ("ikev2-proto", "esp-proto", "vrrp-proto")
IMPURE = ("tokio", "socket2", "mio", "neli", "nix", "tun-rs")


@dataclass
class Tally:
    """Verdicts and time of a stage."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0
    failures: list = field(default_factory=list)
    # What failed among others, see plays.py.
    again: list = field(default_factory=list)

    def add(self, passed, failed, skipped=0):
        """Counts more verdicts."""
        self.passed += passed
        self.failed += failed
        self.skipped += skipped

    def check(self, name, good, reason=""):
        """Counts and shows one check."""
        self.add(int(good), int(not good))
        print(f"  {'passed' if good else 'FAILED'}  {name}", flush=True)
        if not good:
            self.failures.append(name)
            if reason:
                print("    " + reason.strip().replace("\n", "\n    "), flush=True)


class Command:
    """A command whose output goes to a log, with what matters shown while it runs."""

    def __init__(self, stage, name, argv, *, env=None, listed=False):
        self.name = name
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log = LOGS / f"{stage}-{name}.log".replace(" ", "-")
        self.lines = []
        self._listed = listed
        begin = time.monotonic()
        print(f"  {name}: {' '.join(map(str, argv))}", flush=True)
        process = subprocess.Popen([str(part) for part in argv], cwd=ROOT, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                   env={**os.environ, "CARGO_TERM_COLOR": "never", **(env or {})})
        try:
            self.status = self._follow(process, begin)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        self.seconds = time.monotonic() - begin
        print(f"  {name}: {'done' if self.status == 0 else f'exit status {self.status}'} "
              f"after {self.seconds:.0f} s", flush=True)

    def tail(self):
        """The end of what it said, and where all of it is."""
        return "\n".join([*self.lines[-TAIL_LINES:], f"(all of it: {self.log})"])

    def errors(self):
        """What the compiler or a test complained of, each to the blank line after it; the end of all if nothing did."""
        found, inside = [], False
        for line in self.lines:
            inside = bool(line.strip()) and (inside or line.startswith(("error", "warning: unused", "---- ", "Diff ")))
            if inside:
                found.append(line)
        if not found:
            return self.tail()
        return "\n".join([*found[:ERROR_LINES], f"(all of it: {self.log})"])

    def _follow(self, process, begin):
        lines = queue.Queue()

        def read():
            for line in process.stdout:
                lines.put(line.rstrip("\n"))
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        with open(self.log, "w") as log:
            while True:
                try:
                    line = lines.get(timeout=HEARTBEAT_S)
                except queue.Empty:
                    last = self.lines[-1].strip()[:80] if self.lines else "nothing yet"
                    print(f"    {self.name}, {time.monotonic() - begin:.0f} s: {last}", flush=True)
                    if time.monotonic() - begin > COMMAND_S_MAX:
                        process.terminate()
                        self.lines.append(f"ended after {COMMAND_S_MAX} s")
                    continue
                if line is None:
                    return process.wait()
                self.lines.append(line)
                log.write(line + "\n")
                log.flush()
                if self._listed and SHOWN.match(line):
                    print(f"    {line[:160]}", flush=True)


def unit(tally, options):
    """Format, lints, tests, documentation, and the promises of the layout."""
    for name, argv, env in (
        ("fmt", ["cargo", "fmt", "--all", "--check"], None),
        ("clippy", ["cargo", "clippy", "--workspace", "--all-targets", "--locked", "--keep-going",
                    "--", "-D", "warnings"], None),
        ("doc", ["cargo", "doc", "--workspace", "--no-deps", "--locked"], {"RUSTDOCFLAGS": "-D warnings"}),
    ):
        done = Command("unit", name, argv, env=env)
        tally.check(name, done.status == 0, done.errors())
    for package in PURE:
        done = Command("unit", f"tree-{package}", ["cargo", "tree", "--locked", "-e", "normal", "--prefix", "none",
                                                   "-p", package])
        found = {line.split()[0] for line in done.lines if line.split()} & set(IMPURE)
        tally.check(f"{package} knows no socket and no runtime", done.status == 0 and not found,
                    ", ".join(sorted(found)) or done.tail())
    from . import repository
    for name, reason in repository.checks():
        tally.check(name, reason is None, reason or "")
    _cargo_test(tally, "unit", "test", ["cargo", "test", "--workspace", "--locked", "--no-fail-fast",
                                        "--exclude", "charon-sim"])


def sim(tally, options):
    """Two IKE machines, and virtual routers, on a bad network under virtual time, by seeds."""
    _cargo_test(tally, "sim", "test", ["cargo", "test", "--locked", "-p", "charon-sim", "--no-fail-fast"])
    for name, argv in (("toy", ["--seeds", str(options.seeds)]),
                       ("real", ["--seeds", str(max(1, options.seeds // 10)), "--real"]),
                       ("vrrp", ["vrrp", "--steps", str(100 * options.seeds), "--seeds", str(max(1, options.seeds // 100))])):
        done = Command("sim", name, ["cargo", "run", "-q", "--locked", "-p", "charon-sim", "--", *argv])
        good = done.status == 0
        tally.check(done.lines[-1] if good and done.lines else name, good, done.tail())


def fuzz(tally, options):
    """Every fuzz target for some seconds, on the stable toolchain."""
    for target in sorted((ROOT / "fuzz" / "fuzz_targets").glob("*.rs")):
        done = Command("fuzz", target.stem, ["fuzz/run", target.stem, str(options.seconds)], listed=True)
        tally.check(target.stem, done.status == 0, done.tail())


def interop(tally, options):
    """Other people's clients and command lines."""
    if _built(tally, "interop", options):
        _listed(tally, "interop", "interop", ["testing/interop/run", "--profile", _profile(options)])


def scenarios(tally, options):
    """Two gateways in namespaces, charond with itself and with strongSwan."""
    if _built(tally, "scenarios", options):
        skips = ["--without-debian13"] if options.without_debian13 else []
        _listed(tally, "scenarios", "scenarios", ["testing/scenarios/run", "--pairs", "all", "--jobs", "5",
                                                  "--table", LOGS / "scenarios.md", "--profile", _profile(options), *skips])


def guest(tally, options):
    """A kernel with IPsec: what is installed, traffic, crashes, every backend; scenarios; and Debian's own kernel under qemu."""
    if not _built(tally, "guest", options, "charon-kernel-suite"):
        return
    guests = [("suite", []), ("scenarios", ["--scenarios"]), ("qemu", ["--qemu"])]
    if options.without_qemu:
        guests.pop()
        tally.skipped += 1
    # Each emulates one processor.
    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(_listed, tally, "guest", name, ["testing/guest", "--profile", _profile(options), *more])
                for name, more in guests]
        for one in done:
            one.result()


def vrrp(tally, options):
    """Virtual routers in namespaces: charond with itself, keepalived and FRR."""
    if _built(tally, "vrrp", options):
        _listed(tally, "vrrp", "vrrp", ["testing/vrrp/run", "--jobs", "8", "--profile", _profile(options)])


def demo(tally, options):
    """The main job, as root and as nobody in particular."""
    if _built(tally, "demo", options):
        release = ["--release"] if options.release else []
        for name, more in (("demo", []), ("demo without root", ["--rootless"]), ("demo of two gateways", ["--ha"])):
            done = Command("demo", name, ["testing/demo", "--built", *release, *more])
            tally.check(name, done.status == 0, done.tail())


def main():
    """Runs the stages; returns the exit status."""
    parser = argparse.ArgumentParser(prog="testing/run", description="All tests.")
    parser.add_argument("--only", choices=STAGES, action="append", help="only this stage (may be repeated)")
    parser.add_argument("--skip", choices=STAGES, action="append", default=[], help="not this stage; it counts as skipped")
    parser.add_argument("--without-qemu", action="store_true", help="of the guests not the one under qemu; it counts as skipped")
    parser.add_argument("--without-debian13", action="store_true",
                        help="no scenarios against Debian 13's strongSwan; they count as skipped")
    parser.add_argument("--release", action="store_true", help="the release build for interop, scenarios and demo")
    parser.add_argument("--seconds", type=int, default=5, help="for each fuzz target (default 5)")
    parser.add_argument("--seeds", type=int, default=10000, help="histories of the simulation (default 10000)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = [stage for stage in STAGES if stage in (options.only or STAGES)]
    run = [stage for stage in chosen if stage not in options.skip]
    packages.provide(run)

    tallies, begin = {}, time.monotonic()
    for stage in chosen:
        tally = tallies[stage] = Tally()
        if stage in options.skip:
            tally.skipped = 1
            continue
        print(f"\n== {stage}: {globals()[stage].__doc__}  (at {time.monotonic() - begin:.0f} s)", flush=True)
        start = time.monotonic()
        try:
            globals()[stage](tally, options)
        except Exception as error:
            tally.check(f"{stage} ran to its end", False, f"{type(error).__name__}: {error}")
        tally.seconds = time.monotonic() - start
    return _close(tallies, time.monotonic() - begin, options)


def _close(tallies, seconds, options):
    print(f"\n{'stage':12}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for stage, tally in tallies.items():
        print(f"{stage:12}{tally.passed:8}{tally.failed:8}{tally.skipped:9}{tally.seconds:9.0f}")
    for stage, tally in tallies.items():
        for one in tally.again:
            print(f"again   {stage}: {one}")
        for failure in tally.failures:
            print(f"FAILED  {stage}: {failure}")
    total = Tally()
    for tally in tallies.values():
        total.add(tally.passed, tally.failed, tally.skipped)
    print(f"{'all':12}{total.passed:8}{total.failed:8}{total.skipped:9}{seconds:9.0f}")
    unrun = [stage for stage, tally in tallies.items() if tally.skipped and not tally.passed + tally.failed]
    reasons = [f"by --skip: {', '.join(unrun)}"] if unrun else []
    if options.without_qemu and "guest" in tallies and "guest" not in unrun:
        reasons.append("by --without-qemu: the guest under qemu")
    if options.without_debian13 and "scenarios" in tallies and "scenarios" not in unrun:
        reasons.append("by --without-debian13: strongSwan 6")
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped"
          + (f" (not run, {'; '.join(reasons)})" if reasons else ""), flush=True)
    return 1 if total.failed else 0


def _cargo_test(tally, stage, name, argv):
    done = Command(stage, name, argv)
    failed = 0
    for line in done.lines:
        result = CARGO_RESULT.match(line)
        if result:
            tally.add(*map(int, result.groups()))
            failed += int(result[2])
    wrong = [line.split()[1] for line in done.lines if line.startswith("test ") and line.endswith(" FAILED")]
    tally.failures += wrong
    if done.status != 0:
        print("    " + done.errors().replace("\n", "\n    "), flush=True)
        if not failed:
            tally.check(f"{name} builds and runs", False)
    print(f"  {'FAILED' if done.status else 'passed'}  {name}", flush=True)


def _listed(tally, stage, name, argv):
    done = Command(stage, name, argv, listed=True)
    closing = [CLOSING.match(line) for line in done.lines if CLOSING.match(line)]
    if not closing:
        tally.check(f"{name} ran to its end", False, done.tail())
        return
    tally.add(*map(int, closing[-1].groups()))
    tally.failures += [line.removeprefix("FAILED").strip() for line in done.lines if line.startswith("FAILED")]
    tally.again += [line.removeprefix("again").strip() for line in done.lines if line.startswith("again   ")]


def _built(tally, stage, options, *more):
    more = [word for package in more for word in ("-p", package)]
    done = Command(stage, "build", ["cargo", "build", "--locked", "-p", "charond", "-p", "swanctl", *more,
                                    *(["--release"] if options.release else [])])
    if done.status != 0:
        tally.check("charond and swanctl build", False, done.tail())
    return done.status == 0


def _profile(options):
    return "release" if options.release else "debug"


if __name__ == "__main__":
    sys.exit(main())
