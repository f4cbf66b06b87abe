"""Two routers, every way to lose one of them."""

import time

from lab.topology import wait_until

from . import roles, routers
from .wire import Capture, Pinger, Wire

SETTLED_WITHIN_S = 20
# What a loaded machine may add to any of it.
LOADED_S = 2
HIGH, LOW = 150, 100
FRR_V4 = routers.Setup("v3-ipv4-vmac")
FRR_V6 = routers.Setup("v3-ipv6-vmac", addresses=("fe80::1/64", "fd00::1/64"))
SETUPS = (
    FRR_V4,
    routers.Setup("v3-ipv4", vmac=False),
    FRR_V6,
    routers.Setup("v3-ipv6", addresses=("fe80::1/64", "fd00::1/64"), vmac=False),
    routers.Setup("v2-none", version=2, interval=1, vmac=False),
    routers.Setup("v2-pass", version=2, interval=1, vmac=False, password="s3cret12"),
)
# What keepalived 2.2.7 does not have, or has no interoperable form of.
OURS = (
    routers.Setup("v3-hmac", vmac=False, keys={"auth": "hmac", "secret": "0123456789abcdef0123456789abcdef"}),
    routers.Setup("v2-p0", version=2, interval=1, vmac=False, keys={"auth": "p0", "secret": "P0-shared-secret"}),
    routers.Setup("v2-p1", version=2, interval=1, vmac=False, keys={"auth": "p1", "secret": "P1-shared-secret"}),
)


class Pair:
    """A is of higher priority; each way of losing A is played."""

    def __init__(self, high, low, setup):
        self.high, self.low, self.setup = high, low, setup
        self.kinds = {high, low}
        self.name = f"{high}-{low}-{setup.name}"
        self.times = {}

    @property
    def interval_s(self):
        """The longer it is, the longer the pair plays."""
        return self.setup.interval

    def play(self, binaries):
        """Returns the times as text; AssertionError if something is not as it should be."""
        setup, times = self.setup, {}
        down = roles.down_interval(setup, LOW)
        with Wire() as wire:
            a = routers.make(self.high, wire, "a", setup, HIGH, binaries)
            b = routers.make(self.low, wire, "b", setup, LOW, binaries)
            capture = wire.own(Capture(wire))
            a.start()
            b.start()
            settle(setup, capture, a)
            # Whoever could not read the other's adverts has said so by now, and never needs to again.
            time.sleep(2 * down)
            settle(setup, capture, a)
            strays = roles.check_first_election(capture.adverts(), setup, a.source)
            mark = time.time()
            times["SIGKILL"] = failover(setup, a.kill, capture, b)
            # What it left goes on answering; a successor of ours looks after that itself, others need help.
            _clean(wire, "a")
            a.start()
            settle(setup, capture, a)
            times["SIGTERM"] = failover(setup, a.stop, capture, b)
            if self.high == "frr":
                _clean(wire, "a")
            a.start()
            settle(setup, capture, a)
            pinger = Pinger(wire, setup.pinged)
            times["link loss"] = failover(setup, lambda: wire.cut("a"), capture, b)
            time.sleep(0.5)
            silence = pinger.longest_gap()
            wire.mend("a")
            settle(setup, capture, a)
            # The other one is restarted while it is Backup: nothing may come of it.
            b.stop()
            if self.low == "frr":
                _clean(wire, "b")
            b.start()
            time.sleep(2 * down)
            capture.close()
            verdict = roles.check(capture.adverts(), setup, since=mark)
        for way, took in times.items():
            assert took < down + LOADED_S, f"{took:.2f} s from the last advert to the first of the other after {way}, " \
                                           f"down interval {down:.2f} s"
        assert silence < down + LOADED_S, f"nobody answered for {silence:.2f} s after link loss"
        # Three losses, three returns.
        assert verdict.changes <= 7, f"the role went over {verdict.changes} times"
        self.times = times
        return f"from the last advert to the first of the other: " \
               f"{', '.join(f'{way} {took:.3f} s' for way, took in times.items())}; pings lost for {silence:.2f} s; " \
               f"down interval {down:.3f} s; adverts that crossed: {strays} at first, {verdict.crossed} afterwards"


def comparison(pairs):
    """Lines: takeovers of charond beside those of keepalived from the same run."""
    played = {pair.name: pair for pair in pairs if pair.times}
    lines = []
    for setup in SETUPS:
        ours, theirs = (played.get(f"{kind}-{kind}-{setup.name}") for kind in ("charond", "keepalived"))
        if ours and theirs:
            down = roles.down_interval(setup, LOW)
            lines += [f"{setup.name:14} {way:10} charond {ours.times[way]:.4f} s  keepalived {theirs.times[way]:.4f} s  "
                      f"(timer {down if way != 'SIGTERM' else down - 3 * setup.interval:.4f} s)" for way in ours.times]
    return ["takeover, from the last advert of the one to the first of the other:", *lines] if lines else []


def _clean(wire, name):
    """What a killed keepalived or FRR leaves; charond looks after itself."""
    node = wire.nodes[name]
    for line in node.ip("-o", "link", "show", "type", "macvlan").stdout.splitlines():
        device = line.split(":")[1].strip().split("@")[0]
        link = node.ip("-d", "link", "show", device).stdout
        if "alias charond" not in link:
            node.ip("link", "del", device)


def failover(setup, disturb, capture, heir):
    """Seconds between the last advert of the one that is disturbed and the first of its heir."""
    time.sleep(0.3)
    before = time.time()
    disturb()
    settle(setup, capture, heir)
    adverts = capture.adverts()
    first = min(at for at, _, sender, _, _, priority, _ in adverts if sender == heir.source and priority and at > before)
    return first - max(at for at, _, sender, *_ in adverts if sender != heir.source and at < first)


def settle(setup, capture, router):
    """Until that router alone advertises."""
    def settled():
        recent = [advert for advert in capture.adverts()[-40:] if advert[0] > time.time() - 3 * setup.interval]
        return len(recent) >= 2 and {advert[2] for advert in recent if advert[5]} == {router.source}

    try:
        wait_until(settled, SETTLED_WITHIN_S, f"{router.name} alone being active")
    except AssertionError as error:
        heard = [f"{source} priority {priority}" for _, _, source, _, _, priority, _ in capture.adverts()[-8:]]
        raise AssertionError(f"{error}; last adverts: {', '.join(heard)}") from None


def _pairs():
    for setup in SETUPS:
        yield Pair("charond", "charond", setup)
        yield Pair("charond", "keepalived", setup)
        yield Pair("keepalived", "charond", setup)
        if setup.name != "v2-pass":
            yield Pair("keepalived", "keepalived", setup)
    for setup in OURS:
        yield Pair("charond", "charond", setup)
    for setup in (FRR_V4, FRR_V6):
        yield Pair("charond", "frr", setup)
        yield Pair("frr", "charond", setup)


CASES = list(_pairs())
