"""Plays of the lab: a line for each, several at a time; what failed among others is played once more, alone.

Peers have time limits of their own, and two processors serve a dozen daemons: not every failure among others is one of what is
shown. The second play is no secret: the line of the first stays, with its reason and its logs, the closing of the whole run names
it, and where more than AGAIN_MAX need it, all of them count as failed.
"""

import time
from concurrent.futures import ThreadPoolExecutor

AGAIN_MAX = 3
REASON_LINES_MAX = 25


def play_all(work, title, play, jobs=1, alone=()):
    """{one: "passed", "FAILED" or "skipped"} of all in `work`, in order; those in `alone` are played last, one at a time.

    `play(one, again)` returns lines to show, or raises what is wrong; Skipped says why it was not played.
    """
    verdicts, failed = {}, []
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for one, (verdict, seconds, reason) in _in_turn(pool, play, [one for one in work if one not in alone], alone):
                verdicts[one] = verdict
                if verdict == "FAILED" and jobs > 1 and one not in alone:
                    failed.append(one)
                    verdict = "again"
                _show(verdict, title(one), seconds, reason)
        finally:
            # When interrupted: finish what is on stage, begin nothing more.
            pool.shutdown(cancel_futures=True)
    for one in failed:
        if len(failed) > AGAIN_MAX:
            _show("FAILED", title(one), 0, f"one of {len(failed)}: too many to be played again")
            continue
        verdicts[one], seconds, reason = _timed(play, one, True)
        _show(verdicts[one], f"{title(one)} (again, alone)", seconds, reason)
    return verdicts


def closing(verdicts):
    """Prints the closing line; returns the exit status."""
    passed, failed, skipped = (list(verdicts.values()).count(verdict) for verdict in ("passed", "FAILED", "skipped"))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not verdicts else 0


class Skipped(Exception):
    """It is not played; its text says why."""


def _in_turn(pool, play, together, alone):
    yield from zip(together, pool.map(lambda one: _timed(play, one, False), together))
    for one in alone:
        yield one, _timed(play, one, False)


def _timed(play, one, again):
    begin = time.monotonic()
    try:
        verdict, reason = "passed", "\n".join(play(one, again) or ())
    except Skipped as why:
        verdict, reason = "skipped", str(why)
    except Exception as error:
        verdict, reason = "FAILED", str(error) or type(error).__name__
    return verdict, time.monotonic() - begin, reason


def _show(verdict, title, seconds, reason):
    lines = reason.splitlines()
    if verdict in ("FAILED", "again") and len(lines) > REASON_LINES_MAX:
        lines = [*lines[:8], "...", *lines[8 - REASON_LINES_MAX:]]
    print("\n    ".join([f"{verdict:8}{title} {seconds:5.1f} s", *lines]), flush=True)
