"""Who is Active, read off the adverts that crossed the wire.

What two routers may do at once follows from RFC 9568 section 6.4: whoever becomes Active says so by an advert at once, and who hears one of a
better router falls silent at once. So when a better one takes over, the other's last advert may cross its first on the way: one advert, not
two, since the second would have been sent after the first of the better one had arrived. A router that is not better says nothing before the
other left or was silent for a whole down interval.
"""

import ipaddress

# What timers of others than charond are off by, in intervals.
TIMER_TOLERANCE = 0.25


class Verdict:
    """How often the role went over, and how many adverts crossed those of a better router."""

    def __init__(self):
        self.changes = 0
        self.crossed = 0


def down_interval(setup, priority):
    """Seconds, as the RFC has it."""
    return setup.interval * 3 + (1 if setup.version == 2 else setup.interval) * (256 - priority) / 256


def check(adverts, setup, *, since=0):
    """Reads the adverts from `since` on; AssertionError at the first that nobody may send. Returns a Verdict."""
    verdict = Verdict()
    # The one that is Active, its priority, its last advert; and the one that was, until it was heard no more.
    active, rank, heard, loser = None, None, 0, None
    for at, _, source, _, _, priority, _ in adverts:
        if at < since:
            continue
        if priority == 0:
            if source == active:
                active = None
            continue
        own = (priority, int(ipaddress.ip_address(source)))
        if source == active or active is None:
            verdict.changes += active is None
            active, rank, heard = source, own, at
            continue
        if own > rank or at - heard >= down_interval(setup, priority) - TIMER_TOLERANCE * setup.interval:
            # It is better, or nobody was there.
            loser = active if own > rank else None
            active, rank, heard = source, own, at
            verdict.changes += 1
            continue
        assert source == loser, (f"at {at:.3f} {source} advertises priority {priority} although {active} with priority {rank[0]} "
                                 f"advertised {at - heard:.3f} s before")
        # One that crossed the other's first; none after that.
        verdict.crossed += 1
        loser = None
    return verdict


def check_first_election(adverts, setup, best):
    """From the start until `best` alone is Active: nobody sends two adverts after the first of `best`, though the first of them may have been
    sent by one that could not read what `best` says."""
    begin = min((at for at, _, source, _, _, priority, _ in adverts if source == best and priority), default=None)
    strays = [advert for advert in adverts if begin is not None and advert[0] > begin and advert[2] != best and advert[5]]
    assert len(strays) < 2, f"{len(strays)} adverts of others after the first of {best}, {setup.name}: " \
                            f"{[(f'{at:.3f}', source, priority) for at, _, source, _, _, priority, _ in strays]}"
    return len(strays)
