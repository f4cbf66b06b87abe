"""A scenario: a directory with description.md, a swanctl.conf for each gateway, and expect.toml.

A third machine, carol, is there if it has a swanctl.conf; it runs the kind of daemon that moon runs. expect.toml holds
`certificates` (a kind of certificates.KINDS for both gateways, or a table with one, or a list, for each; each kind has an
authority of its own), `trust` ("own" authority or "both"), `pairs` (the pairs of daemons it is meant for, if not all),
`needs` ("kernel": strongSwan plays it with the kernel's ESP only; "kernel-on-both": charond, too; `pairs` are then those
that can do without), `[settings]` for strongswan.conf, where a dot in a name opens a section, and `[[step]]` tables. A step
names in `do` one of the methods of `Play` below; its other keys are the arguments. After the last step the daemons are
stopped and must have left nothing in the kernel.
"""

import inspect
import shutil
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from . import capture, daemon, leftovers, nat, strangers, swanctl, wire
from .topology import ADDRESSES, GATEWAYS, GUESTS, KERNEL_ESP, SLOWNESS, Lab, wait_until

SCENARIOS = Path(__file__).resolve().parents[1] / "scenarios"
KEYS = {"certificates", "trust", "pairs", "needs", "settings", "step"}
# Who needs a kernel with ESP for a scenario that says so: the userspace ESP of each lacks something that it shows.
NEEDS = {None: set(), "kernel": {"strongswan"}, "kernel-on-both": {"charond", "strongswan"}}
# What is meant for the one is meant for the other.
SAME = {"strongswan6": "strongswan"}
# What a daemon that leaks nothing may gain all the same: an allocator's page here and there.
GROWTH_KIB_MAX = 512
# A replaced SA is kept until its DELETE is answered, a CHILD_SA some seconds more for packets still under way.
LINGERING = ("REKEYED", "DELETING", "DELETED")


class Scenario:
    """What a directory says, checked."""

    def __init__(self, directory):
        self.directory = directory
        self.name = directory.name
        with open(directory / "expect.toml", "rb") as file:
            said = tomllib.load(file)
        if said.keys() - KEYS:
            raise ValueError(f"{self.name}/expect.toml: unknown keys {sorted(said.keys() - KEYS)}")
        for name in ("description.md", "moon/swanctl.conf", "sun/swanctl.conf"):
            if not (directory / name).is_file():
                raise ValueError(f"{self.name}: {name} is missing")
        keys = said.get("certificates")
        self.guests = tuple(name for name in GUESTS if (directory / name / "swanctl.conf").is_file())
        gateways = (*GATEWAYS, *self.guests)
        self.certificates = keys if isinstance(keys, dict) else dict.fromkeys(gateways, keys) if keys else {}
        self.certificates = {name: [one] if isinstance(one, str) else one for name, one in self.certificates.items()}
        self.trust = said.get("trust", "own")
        self.settings = {key: str(value) for key, value in said.get("settings", {}).items()}
        self.pairs = [tuple(pair.split("/")) for pair in said["pairs"]] if "pairs" in said else None
        self.needs = said.get("needs")
        if self.needs not in NEEDS:
            raise ValueError(f"{self.name}/expect.toml: needs {self.needs!r}")
        self.steps = said.get("step", [])
        for step in self.steps:
            method = getattr(Play, "do_" + step.get("do", "").replace("-", "_"), None)
            if method is None:
                raise ValueError(f"{self.name}/expect.toml: no step {step.get('do')!r}")
            inspect.signature(method).bind(None, **_arguments(step))

    def suits(self, pair):
        """Whether it is meant for this (moon, sun) pair of kinds, and can be played on this kernel."""
        pair = tuple(SAME.get(kind, kind) for kind in pair)
        if self.needs is not None and KERNEL_ESP:
            return True
        return pair in self.pairs if self.pairs is not None else not NEEDS[self.needs].intersection(pair)


def load(pattern="", needs=None):
    """All scenarios whose name contains `pattern`, by name; those only that need this, if anything is said."""
    directories = sorted(path.parent for path in SCENARIOS.glob("*/expect.toml"))
    scenarios = [Scenario(path) for path in directories if pattern in path.name]
    return [one for one in scenarios if needs is None or (one.needs or "").startswith(needs)]


def play(scenario, pair, certificates, binaries, swanctl_kind=None, evidence=None, keep=False, soak_s=None):
    """Plays it with these two kinds of daemon; raises at the first thing that is not as expected.

    Returns what its steps had to tell. A `soak` lasts `soak_s` instead of what the scenario says.

    `evidence` is a directory that gets the logs and the capture of a failure, or of any play if `keep`.
    """
    with Lab(guests=scenario.guests) as lab:
        stage = Play(lab, scenario, pair, certificates, binaries, swanctl_kind)
        stage.soak_s = soak_s
        try:
            stage.run()
        except BaseException:
            if evidence is not None:
                stage.save(evidence)
            raise
        if keep:
            stage.save(evidence)
        return stage.notes


class Play:
    """A scenario on the stage; each `do_` method is a step."""

    def __init__(self, lab, scenario, pair, certificates, binaries, swanctl_kind):
        self.lab = lab
        self.scenario = scenario
        self.daemons, self.swanctls, self.clean = {}, {}, {}
        self.capture = None
        self.soak_s = None
        self.notes = []
        for gateway, kind in zip(lab.gateways, (*pair, *(pair[0] for _ in scenario.guests))):
            one = daemon.make(kind, lab, gateway, binaries, settings=scenario.settings)
            self.daemons[gateway] = one
            self.swanctls[gateway] = swanctl.make(swanctl_kind or kind, one, binaries)
            shutil.copy(scenario.directory / gateway / "swanctl.conf", one.swanctl_dir / "swanctl.conf")
            for kind in scenario.certificates.get(gateway, ()):
                certificates.install(kind, gateway, one.swanctl_dir)
            for kinds in scenario.certificates.values() if scenario.trust == "both" else ():
                for kind in kinds:
                    certificates.trust(kind, one.swanctl_dir)

    def run(self):
        """Starts both daemons, takes all steps, stops them, looks for leftovers."""
        self.capture = self.lab.own(capture.Capture(self.lab))
        for gateway in self.daemons:
            self.clean[gateway] = leftovers.snapshot(self.lab.nodes[gateway])
            self.do_start(gateway)
        for number, step in enumerate(self.scenario.steps, 1):
            try:
                getattr(self, "do_" + step["do"].replace("-", "_"))(**_arguments(step))
            except Exception as error:
                raise AssertionError(f"step {number} ({step['do']}): {error}") from error
        for gateway in self.daemons:
            self.do_stop(gateway)
        for gateway in self.daemons:
            self.do_clean(gateway)

    def save(self, directory):
        """Copies logs, configuration and capture."""
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        for gateway, one in self.daemons.items():
            for path in (one.log_path, one.output_path):
                if path.exists():
                    shutil.copy(path, directory / f"{gateway}.{path.name}")
            shutil.copy(one.conf, directory / f"{gateway}.strongswan.conf")
        if self.capture is not None and self.capture.path.exists():
            shutil.copy(self.capture.path, directory / "wire.pcap")

    # Daemons.

    def do_start(self, on):
        """Starts the daemon and loads its configuration."""
        self.daemons[on].start()
        self.swanctls[on].load_all()

    def do_stop(self, on):
        """SIGTERM, which must end it in time and with status 0."""
        self.daemons[on].stop()

    def do_kill(self, on):
        """SIGKILL."""
        self.daemons[on].kill()

    def do_clean(self, on):
        """Its namespace is as it was before the daemon was started first."""
        gone = leftovers.difference(self.clean[on], leftovers.snapshot(self.lab.nodes[on]), self.daemons[on].kind)
        assert not gone, f"{on} is not clean:\n{gone}"

    def do_logged(self, on, text):
        """Its log holds this text."""
        assert text in self.daemons[on].log(), f"the log of {on} has no {text!r}"

    def do_not_logged(self, on, text):
        """Its log does not hold this text."""
        assert text not in self.daemons[on].log(), f"the log of {on} has {text!r}"

    # Commands.

    def do_initiate(self, on, child="net", timeout_s=30, fails=None):
        """--initiate succeeds, or fails with this text in what it says."""
        begin = time.monotonic()
        done = self.swanctls[on]("--initiate", "--child", child, check=False, timeout=timeout_s * SLOWNESS)
        said = (done.stdout + done.stderr).strip()
        if fails is None:
            assert done.returncode == 0 and "initiate completed successfully" in said, \
                f"--initiate on {on} ended with {done.returncode} after {time.monotonic() - begin:.1f} s:\n{said}"
        else:
            assert done.returncode != 0, f"--initiate on {on} succeeded:\n{said}"
            assert fails in said, f"--initiate on {on} failed without saying {fails!r}:\n{said}"

    def do_initiate_at_once(self, child="net", at_least=2):
        """--initiate on moon and sun at the same time; so many of the two succeed."""
        with ThreadPoolExecutor(len(GATEWAYS)) as pool:
            attempts = [pool.submit(self.do_initiate, gateway, child) for gateway in GATEWAYS]
        failed = [str(one.exception()) for one in attempts if one.exception()]
        assert len(GATEWAYS) - len(failed) >= at_least, "\n".join(failed)

    def do_terminate(self, on, ike="gw", child=None):
        """--terminate succeeds."""
        what = ["--child", child] if child else ["--ike", ike]
        self.swanctls[on]("--terminate", *what)

    def do_rekey(self, on, ike=None, child=None, reauth=False):
        """The daemon accepts to rekey (or to reauthenticate); `rekeyed` (or `renewed`) waits for the effect."""
        with self.daemons[on].vici() as client:
            said = client.request("rekey", ({"child": child} if child else {"ike": ike or "gw"})
                                  | ({"reauth": "yes"} if reauth else {}))
        assert said.get("success") == "yes", f"rekey on {on}: {said}"

    def do_load(self, on):
        """--load-all once more."""
        self.swanctls[on].load_all()

    def do_edit(self, on, old, new, fails=False):
        """Its swanctl.conf says `new` instead of `old`, and --load-all takes it (or does not)."""
        path = self.daemons[on].swanctl_dir / "swanctl.conf"
        text = path.read_text()
        assert old in text, f"swanctl.conf of {on} has no {old!r}"
        path.write_text(text.replace(old, new, 1))
        self.do_swanctl(on, ["--load-all"], fails=fails)

    def do_file(self, on, name, write=None, says=None, reads=None, within_s=3):
        """A file of the daemon's directory: is written, has this text in it, or is exactly this."""
        path = self.daemons[on].directory / name
        if write is not None:
            path.write_text(write)

        def checked():
            text = path.read_text() if path.exists() else ""
            assert says is None or says in text, f"{name} of {on} does not say {says!r}: {text!r}"
            assert reads is None or reads == text, f"{name} of {on} is {text!r}"

        self._eventually(checked, within_s)

    def do_wait(self, seconds):
        """Lets time pass."""
        time.sleep(seconds)

    def do_swanctl(self, on, arguments, says="", fails=False):
        """This command ends well (or does not) and says this."""
        done = self.swanctls[on](*arguments, check=False)
        said = (done.stdout + done.stderr).strip()
        assert (done.returncode != 0) == fails, f"{' '.join(arguments)} on {on} ended with {done.returncode}:\n{said}"
        assert says in said, f"{' '.join(arguments)} on {on} did not say {says!r}:\n{said}"

    # What both ends hold.

    def do_policies(self, on, listed, within_s=2):
        """Traps and shunts there, in order, each as `CONNECTION/CHILD MODE LOCAL REMOTE`."""
        def as_listed():
            with self.daemons[on].vici() as client:
                kinds = dict.fromkeys(("trap", "pass", "drop"), "yes")
                events, _ = client.stream("list-policies", "list-policy", kinds)
            got = [f"{name} {policy['mode']} {','.join(policy['local-ts'])} {','.join(policy['remote-ts'])}"
                   for event in events for name, policy in event.items()]
            assert got == listed, f"{on} has policies {got}"

        self._eventually(as_listed, within_s)

    def do_established(self, ike="gw", child="net", within_s=5):
        """Each end has exactly one IKE_SA, ESTABLISHED, one CHILD_SA, INSTALLED, and the SPIs are each other's."""
        self._eventually(lambda: self._established(ike, child), within_s)

    def do_connected(self, on, ike="gw", child="net", to="sun", within_s=5):
        """Its only IKE_SA has that one CHILD_SA, and the other end the same two among its own."""
        def connected():
            (name, sa), = self.daemons[on].sas()
            assert (name, sa["state"]) == (ike, "ESTABLISHED"), f"{on} has {name} {sa['state']}"
            one, = sa["child-sas"].values()
            assert (one["name"], one["state"]) == (child, "INSTALLED"), f"{on} has {one['name']} {one['state']}"
            spis = sa["initiator-spi"], sa["responder-spi"]
            others = [other for _, other in self.daemons[to].sas()
                      if (other["initiator-spi"], other["responder-spi"]) == spis]
            assert len(others) == 1, f"{to} does not know the IKE_SA of {on}"
            pairs = [(other["spi-out"], other["spi-in"]) for other in others[0]["child-sas"].values()]
            assert pairs == [(one["spi-in"], one["spi-out"])], f"{to} has CHILD_SAs {pairs} with {on}"

        self._eventually(connected, within_s)

    def do_rekeyed(self, ike=None, child=None, within_s=10):
        """As `established`, with other SPIs than at the last such step for what is named, and the same for what is not."""
        before = self.spis

        def rekeyed():
            self._established(ike or "gw", child or "net")
            assert (self.spis["ike"] != before["ike"]) == bool(ike), f"IKE_SA before {before}, now {self.spis}"
            assert self.spis["child"].isdisjoint(before["child"]) == bool(child), f"before {before}, now {self.spis}"

        self._eventually(rekeyed, within_s)

    def do_kept(self, within_s=10):
        """As `established`, with the IKE_SA of the last such step; strongSwan's userspace ESP renews a child that moves."""
        before = self.spis

        def kept():
            self._established("gw", "net")
            assert self.spis["ike"] == before["ike"], f"IKE_SA before {before}, now {self.spis}"

        self._eventually(kept, within_s)

    def do_renewed(self, within_s=10):
        """As `established`, but another IKE_SA with another CHILD_SA than at the last such step."""
        self.do_rekeyed("gw", "net", within_s)

    def do_ike_sas(self, on, count, within_s=5):
        """It has that many IKE_SAs."""
        wait_until(lambda: len(self.daemons[on].sas()) == count, within_s, f"{on} with {count} IKE_SAs")

    def do_ike_sas_at_most(self, count):
        """No end has more IKE_SAs."""
        for gateway in GATEWAYS:
            names = [f"{name} {sa['state']}" for name, sa in self.daemons[gateway].sas()]
            assert len(names) <= count, f"{gateway} has {names}"

    def do_child(self, on, key, value, child="net", within_s=5):
        """The CHILD_SA there shows this value."""
        def shown():
            children = [c for _, sa in self.daemons[on].sas() for c in sa["child-sas"].values()]
            got = [c.get(key) for c in children if c["name"] == child and c["state"] not in LINGERING]
            assert got == [value], f"{on} has {key} {got}"

        self._eventually(shown, within_s)

    def do_childless(self, ike="gw"):
        """Each end has one IKE_SA, ESTABLISHED, and no CHILD_SA."""
        for gateway in GATEWAYS:
            sas = [(name, sa["state"], list(sa["child-sas"])) for name, sa in self.daemons[gateway].sas()]
            assert sas == [(ike, "ESTABLISHED", [])], f"{gateway} has {sas or 'no IKE_SA'}"

    def do_selectors(self, on, local, remote):
        """The only CHILD_SA there has these selectors."""
        (_, sa), = self.daemons[on].sas()
        child, = (one for one in sa["child-sas"].values() if one["state"] not in LINGERING)
        got = child["local-ts"], child["remote-ts"]
        assert got == (local, remote), f"{on} has {got}"

    def do_at(self, on, remote, within_s=10):
        """Its only IKE_SA has the peer at this address."""
        def there():
            (_, sa), = self.daemons[on].sas()
            assert sa["remote-host"] == remote, f"{on} has the peer at {sa['remote-host']}"

        self._eventually(there, within_s)

    def do_shows(self, on, ike=None, child=None):
        """The only IKE_SA there, and its only CHILD_SA, have these values."""
        (_, sa), = self.daemons[on].sas()
        children = [one for one in sa["child-sas"].values() if one["state"] not in LINGERING]
        for want, got in ((ike or {}, sa), (child or {}, children[0] if children else {})):
            wrong = {key: got.get(key) for key, value in want.items() if got.get(key) != value}
            assert not wrong, f"{on} shows {wrong} instead of {want}"

    def do_leases(self, on, pool, online, offline=None, within_s=5):
        """The pool has these leases, address by identity, and no others."""
        def leased():
            with self.daemons[on].vici() as client:
                said = client.request("get-pools", {"name": pool, "leases": "yes"})[pool]["leases"]
            for status, want in (("online", online), ("offline", offline or {})):
                got = {one["identity"]: one["address"] for one in said.values() if one["status"] == status}
                assert got == want, f"{on} has {status} leases {got}"

        self._eventually(leased, within_s)

    def do_gone(self, on=GATEWAYS, within_s=5):
        """No IKE_SA is left."""
        for gateway in [on] if isinstance(on, str) else on:
            wait_until(lambda: not self.daemons[gateway].sas(), within_s, f"{gateway} without any IKE_SA")

    def do_counters(self, packets, bytes, child="net"):
        """Both ends counted these packets and octets in and out, no more and no less."""
        for gateway in GATEWAYS:
            (_, sa), = self.daemons[gateway].sas()
            one, = (c for c in sa["child-sas"].values() if c["name"] == child)
            got = {key: int(one[key]) for key in ("packets-in", "packets-out", "bytes-in", "bytes-out")}
            want = {"packets-in": packets, "packets-out": packets, "bytes-in": bytes, "bytes-out": bytes}
            assert got == want, f"{gateway} counted {got}, but {want} passed"

    # Traffic.

    def do_ping(self, source="alice", target="bob", count=20, family=4, at_least=None, interval=0.02):
        """Answers come to all of `count` pings, or to `at_least` so many."""
        # Where all are to come, a busy machine may take its time.
        wait_s = 5 if at_least is None else 1
        got = self.lab.ping(source, target, family=family, count=count, interval=interval, wait_s=wait_s)
        assert got >= (count if at_least is None else at_least), f"{got} of {count} pings answered"

    def do_soak(self, seconds=60, rate=100):
        """Every ping is answered while time passes, and no daemon of ours grows after the first minute (or third)."""
        seconds = self.soak_s or seconds
        settled_s = min(60, seconds / 3)
        ours = {gateway: one for gateway, one in self.daemons.items() if one.kind == "charond"}
        samples = {gateway: [] for gateway in ours}
        with ThreadPoolExecutor(1) as pool:
            pings = pool.submit(self.lab.ping, "alice", "bob", count=int(seconds * rate), interval=1 / rate)
            while not pings.done():
                wait([pings], timeout=settled_s)
                for gateway, one in ours.items():
                    samples[gateway].append(one.memory_kib())
            answered = pings.result()
        for gateway, one in self.daemons.items():
            with one.vici() as client:
                counted = client.request("get-counters", {})["counters"][""]
            rekeyed = {name: counted[name] for name in ("ike-rekey-init", "ike-rekey-resp", "child-rekey")}
            self.notes.append(f"{gateway}: " + ", ".join(f"{name} {value}" for name, value in rekeyed.items()))
        for gateway, taken in samples.items():
            self.notes += [f"{gateway}: {name} every {settled_s:.0f} s, KiB: {' '.join(str(one[name]) for one in taken)}"
                           for name in taken[0]]
        self.notes.append(f"{answered} of {int(seconds * rate)} pings answered")
        said = "; ".join(self.notes)
        assert answered == int(seconds * rate), said
        for gateway, taken in samples.items():
            grown = taken[-1]["Private_Dirty"] - taken[0]["Private_Dirty"]
            assert grown <= GROWTH_KIB_MAX, f"{gateway} grew by {grown} KiB: {said}"

    def do_blocked(self, source="alice", target="bob", family=4):
        """No ping is answered."""
        got = self.lab.ping(source, target, family=family, count=2, wait_s=0.3)
        assert got == 0, f"{got} pings answered without a tunnel"

    def do_ip(self, on, arguments):
        """`ip` in its namespace."""
        self.lab.nodes[on].ip(*arguments)

    def do_run(self, on, arguments, says="", lacks=None, within_s=3):
        """This command in its namespace says this, and not that, in time."""
        def said():
            done = self.lab.nodes[on].run(arguments, check=False)
            out = done.stdout + done.stderr
            assert says in out, f"{' '.join(arguments)} on {on} did not say {says!r}:\n{out}"
            assert lacks is None or lacks not in out, f"{' '.join(arguments)} on {on} said {lacks!r}:\n{out}"

        self._eventually(said, within_s)

    # The wire.

    def do_cut(self):
        """Nothing passes the wire."""
        wire.cut(self.lab)

    def do_lose(self, percent):
        """The wire loses this many of a hundred."""
        wire.lose(self.lab, percent)

    def do_mend(self):
        """The wire passes all again."""
        wire.mend(self.lab)

    def do_readdress(self, on, add=None, remove=None, device="outer"):
        """An address comes, another goes."""
        node = self.lab.nodes[on]
        # Else the kernel takes further addresses of a network away with the first one.
        node.run(["sh", "-c", f"echo 1 > /proc/sys/net/ipv4/conf/{device}/promote_secondaries"])
        for word, address in (("add", add), ("del", remove)):
            if address is None:
                continue
            node.ip("address", word, address, "dev", device, *(["nodad"] if word == "add" and ":" in address else []))

    def do_nat(self, outside, gateways=("moon",), forward=False):
        """From now on these are behind a NAT that has this address, where the first may be asked for by all if `forward`."""
        nat.insert(self.lab, outside, gateways, forward)

    def do_rebind(self, outside, before):
        """The NAT forgets its mappings and has another address."""
        nat.rebind(self.lab, outside, before)

    def do_plug(self, on, device, address=None, nat_outside=None):
        """It has one more device, on the wire or behind a NAT with this address; `unplug` takes it away."""
        if nat_outside:
            nat.attach(self.lab, on, device, nat_outside)
        else:
            self.lab.plug(on, device, f"to-{on}-{device}", [address])

    def do_unplug(self, on, device):
        """The device is gone."""
        self.lab.nodes[on].ip("link", "delete", device)

    def do_crossed(self, exchange=None, at_least=1, within_s=2):
        """Only IKE, ESP and AH crossed the wire, and this exchange so many times in each role."""
        def crossed():
            packets = self.capture.packets()
            strange = {p.kind for p in packets} - {"ike", "esp", "ah", "keepalive", "neighbour"}
            assert not strange, f"on the wire: {', '.join(sorted(strange))}"
            for response in (False, True) if exchange else ():
                seen = sum(p.exchange == exchange and p.response == response for p in packets)
                assert seen >= at_least, f"{seen} {exchange} {'responses' if response else 'requests'} on the wire"

        self._eventually(crossed, within_s)

    def do_strangers(self, to, count, source=None, half_open=None, within_s=5):
        """So many IKE_SA_INIT requests from nobody's addresses, or all from this one, leave that many half-open IKE_SAs."""
        strangers.send(self.lab, to, count, source)
        expected = count if half_open is None else half_open

        def left():
            with self.daemons[to].vici() as client:
                got = int(client.request("stats")["ikesas"]["half-open"])
            # Of two that come at once both may be let in as the last one.
            assert expected <= got <= expected + (half_open is not None), f"{to} has {got} half-open IKE_SAs"

        self._eventually(left, within_s)

    def do_cookie(self, responder="sun", initiator="moon", count=1):
        """The responder asked this initiator so many times for a cookie, and was shown it as often, or at all if it asked."""
        ends = [ADDRESSES[one]["outer4"] for one in (responder, initiator)]
        between = [p for p in self.capture.packets() if p.cookie and {p.source, p.target} == set(ends)]
        asked = sum(p.response for p in between)
        shown = len(between) - asked
        assert asked == count, f"{responder} asked {asked} times for a cookie"
        assert (shown > 0) == (count > 0), f"{initiator} showed {shown} cookies"

    def _established(self, ike, child):
        ends = {}
        for gateway in GATEWAYS:
            sas = [(name, sa) for name, sa in self.daemons[gateway].sas() if sa["state"] not in LINGERING]
            names = [f"{name} {sa['state']}" for name, sa in sas]
            assert names == [f"{ike} ESTABLISHED"], f"{gateway} has {names or 'no IKE_SA'}"
            sa = sas[0][1]
            children = [c for c in sa["child-sas"].values() if c["state"] not in LINGERING]
            states = [f"{c['name']} {c['state']}" for c in children]
            assert states == [f"{child} INSTALLED"], f"{gateway} has CHILD_SAs {states}"
            ends[gateway] = (sa, children[0])
        (moon, moon_child), (sun, sun_child) = ends["moon"], ends["sun"]
        spis = (moon["initiator-spi"], moon["responder-spi"])
        assert spis == (sun["initiator-spi"], sun["responder-spi"]), "the ends hold different IKE_SAs"
        assert (moon_child["spi-in"], moon_child["spi-out"]) == (sun_child["spi-out"], sun_child["spi-in"]), \
            "the ends hold different CHILD_SAs"
        assert moon["version"] == sun["version"] == "2", "not IKEv2"
        assert (moon["local-id"], moon["remote-id"]) == (sun["remote-id"], sun["local-id"]), "identities differ"
        self.spis = {"ike": spis, "child": {moon_child["spi-in"], moon_child["spi-out"]}}

    @staticmethod
    def _eventually(check, within_s):
        end = time.monotonic() + within_s * SLOWNESS
        while True:
            try:
                return check()
            except AssertionError:
                if time.monotonic() >= end:
                    raise
                time.sleep(0.1)


def _arguments(step):
    return {key.replace("-", "_"): value for key, value in step.items() if key != "do"}
