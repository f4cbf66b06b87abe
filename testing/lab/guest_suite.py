#!/usr/bin/env python3
"""What runs inside the guest: a line for each case, and a closing line.

A case is a function of one of the modules below whose name begins with `case_`, or with `qemu_` if user-mode Linux lacks what it needs;
its first line of documentation is its name. It raises AssertionError, or anything else, if the kernel does not behave as expected.
"""

import argparse
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import guest_load, guest_pfkey, guest_qemu, guest_vsock, guest_xfrm, plays  # noqa: E402
from lab.binaries import Binaries  # noqa: E402

MODULES = (guest_xfrm, guest_pfkey, guest_load, guest_qemu, guest_vsock)
# What measures.
ALONE = ("case_bench", "case_many")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="debug")
    parser.add_argument("--qemu", action="store_true", help="only what user-mode Linux lacks")
    parser.add_argument("--only", default="", help="only cases whose function's name contains this")
    parser.add_argument("--jobs", type=int, default=1, help="this many cases at a time, but for those that measure")
    options = parser.parse_args()
    binaries = Binaries(options.profile)
    missing = binaries.missing({"charond", "strongswan"})
    if missing:
        sys.exit(f"not found: {', '.join(map(str, missing))}")
    prefix = "qemu_" if options.qemu else "case_"
    cases = [(name, case) for module in MODULES for name, case in vars(module).items()
             if name.startswith(prefix) and options.only in name]

    def play(one, again):
        try:
            one[1](binaries)
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(traceback.format_exc()) from error

    alone = [one for one in cases if one[0] in ALONE]
    title = lambda one: f"{one[1].__doc__.splitlines()[0]} ({one[0]})"  # noqa: E731
    return plays.closing(plays.play_all(cases, title, play, options.jobs, alone))


if __name__ == "__main__":
    sys.exit(main())
