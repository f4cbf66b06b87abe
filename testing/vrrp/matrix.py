"""Two routers, every way to lose one of them."""

import time

from lab.topology import wait_until

from . import routers
from .wire import PRIMARY, PRIMARY6, Capture, Pinger, Wire

SETTLED_WITHIN_S = 20
# What a loaded machine may add to any of it.
LOADED_S = 2
HIGH, LOW = 150, 100
SETUPS = (
    routers.Setup("v3-ipv4-vmac"),
    routers.Setup("v3-ipv4", vmac=False),
    routers.Setup("v3-ipv6-vmac", addresses=("fe80::1/64", "fd00::1/64")),
    routers.Setup("v3-ipv6", addresses=("fe80::1/64", "fd00::1/64"), vmac=False),
    routers.Setup("v2-none", version=2, interval=1, vmac=False),
    routers.Setup("v2-pass", version=2, interval=1, vmac=False, password="s3cret12"),
)


class Pair:
    """A is of higher priority; each way of losing A is played."""

    def __init__(self, high, low, setup):
        self.high, self.low, self.setup = high, low, setup
        self.kinds = {high, low}
        self.name = f"{high}-{low}-{setup.name}"

    def play(self, binaries):
        """Returns the times as text; AssertionError if something is not as it should be."""
        setup, times = self.setup, {}
        # Three adverts, the skew of the lower priority, and what a loaded machine adds.
        down = setup.interval * 3 + (1 if setup.version == 2 else setup.interval) * (256 - LOW) / 256
        with Wire() as wire:
            a = routers.make(self.high, wire, "a", setup, HIGH, binaries)
            b = routers.make(self.low, wire, "b", setup, LOW, binaries)
            capture = wire.own(Capture(wire))
            a.start()
            b.start()
            _settle(wire, setup, capture, "a")
            # A peer that takes our checksums for wrong contends once; from then on we send what it sends.
            time.sleep(2 * down)
            _settle(wire, setup, capture, "a")
            mark = time.time()
            times["SIGKILL"] = _failover(wire, setup, a.kill, capture, "b")
            # What it left goes on answering; a successor of ours looks after that itself, others need help.
            _clean(wire, "a")
            a.start()
            _settle(wire, setup, capture, "a")
            times["SIGTERM"] = _failover(wire, setup, a.stop, capture, "b")
            if self.high == "frr":
                _clean(wire, "a")
            a.start()
            _settle(wire, setup, capture, "a")
            pinger = Pinger(wire, setup.pinged)
            times["link loss"] = _failover(wire, setup, lambda: wire.cut("a"), capture, "b")
            time.sleep(0.5)
            silence = pinger.longest_gap()
            wire.mend("a")
            _settle(wire, setup, capture, "a")
            capture.close()
            _one_active(capture, setup, mark)
        for way, took in times.items():
            assert took < down + LOADED_S, f"{took:.2f} s from the last advert to the first of the other after {way}, " \
                                           f"down interval {down:.2f} s"
        assert silence < down + LOADED_S, f"nobody answered for {silence:.2f} s after link loss"
        return f"from the last advert to the first of the other: " \
               f"{', '.join(f'{way} {took:.3f} s' for way, took in times.items())}; pings lost for {silence:.2f} s; " \
               f"down interval {down:.3f} s"


def _clean(wire, name):
    """What a killed keepalived or FRR leaves; charond looks after itself."""
    node = wire.nodes[name]
    for line in node.ip("-o", "link", "show", "type", "macvlan").stdout.splitlines():
        device = line.split(":")[1].strip().split("@")[0]
        link = node.ip("-d", "link", "show", device).stdout
        if "alias charond" not in link:
            node.ip("link", "del", device)


def _failover(wire, setup, disturb, capture, heir):
    """Seconds between the last advert of the one that is disturbed and the first of its heir."""
    time.sleep(0.3)
    before = time.time()
    disturb()
    _settle(wire, setup, capture, heir)
    source = (PRIMARY if setup.family == 4 else PRIMARY6)[heir]
    adverts = capture.adverts()
    first = min(at for at, _, sender, _, _, priority, _ in adverts if sender == source and priority and at > before)
    return first - max(at for at, _, sender, *_ in adverts if sender != source and at < first)


def _settle(wire, setup, capture, name):
    """Until that router alone advertises, and answers."""
    source = (PRIMARY if setup.family == 4 else PRIMARY6)[name]

    def settled():
        recent = [advert for advert in capture.adverts()[-40:] if advert[0] > time.time() - 3 * setup.interval]
        return len(recent) >= 2 and {advert[2] for advert in recent if advert[5]} == {source}

    try:
        wait_until(settled, SETTLED_WITHIN_S, f"{name} alone being active")
    except AssertionError as error:
        heard = [f"{source} priority {priority}" for _, _, source, _, _, priority, _ in capture.adverts()[-8:]]
        raise AssertionError(f"{error}; last adverts: {', '.join(heard)}") from None


def _one_active(capture, setup, since):
    """No advert of one side lies between two of the other that are one interval apart."""
    adverts = [advert for advert in capture.adverts() if advert[0] >= since and advert[5] != 0]
    last = {}
    overlaps = 0
    for at, _, source, _, _, priority, _ in adverts:
        others = [when for other, when in last.items() if other != source and at - when < setup.interval * 0.5]
        overlaps = overlaps + 1 if others else 0
        # The preempted one falls silent at once; two in a row would be two Active routers.
        assert overlaps < 3, f"two routers are active at {at:.3f}: {source} with priority {priority}, and {last}"
        last[source] = at


def _pairs():
    for setup in SETUPS:
        yield Pair("charond", "charond", setup)
        yield Pair("charond", "keepalived", setup)
        yield Pair("keepalived", "charond", setup)
        if setup.name in ("v3-ipv4", "v3-ipv6", "v2-none"):
            yield Pair("keepalived", "keepalived", setup)
    frr = SETUPS[0]
    yield Pair("charond", "frr", frr)
    yield Pair("frr", "charond", frr)


CASES = list(_pairs())
