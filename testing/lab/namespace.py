"""A network namespace with a name, and the sweep of those whose owner died.

A name is charon-OWNER-RUN-NODE, where OWNER is the process id of the lab that
made it, so that labs do not collide and a later one can tell what is stale.
"""

import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

from .shell import run

RUNTIME = "/run/netns"
KEPT = "charon-kept-"
OWNED = re.compile(r"^charon-(\d+)-")


class Namespace:
    """One node of the lab."""

    def __init__(self, prefix, node):
        self.node = node
        self.name = f"{prefix}-{node}"
        run(["ip", "netns", "add", self.name])
        try:
            self.ip("link", "set", "lo", "up")
        except Exception:
            self.delete()
            raise

    def enter(self, argv):
        """The argument vector that runs `argv` inside.

        Not `ip netns exec`: that mounts sysfs, which a user namespace may not.
        """
        return ["nsenter", f"--net={RUNTIME}/{self.name}", "--", *argv]

    def run(self, argv, **options):
        """Runs a command inside; see `shell.run`."""
        return run(self.enter(argv), **options)

    def ip(self, *words):
        """Runs `ip` inside."""
        return run(["ip", "-n", self.name, *words])

    def batch(self, commands):
        """Runs `ip` inside, once for all of these lines: where processes are dear, a lab is made of them."""
        return run(["ip", "-n", self.name, "-batch", "-"], stdin="\n".join(commands) + "\n")

    def sh(self, script):
        """Runs a shell script inside, to its first failure."""
        return self.run(["sh", "-ec", script])

    def delete(self):
        """Ends what still runs inside and removes the namespace."""
        _delete(self.name)


def sweep():
    """Removes namespaces and scratch directories whose lab is no longer alive."""
    for name in filter(_orphaned, _names()):
        _delete(name)
    for directory in filter(lambda path: _orphaned(path.name), Path(tempfile.gettempdir()).glob("charon-*")):
        shutil.rmtree(directory, ignore_errors=True)


def _names():
    return [line.split()[0] for line in run(["ip", "netns", "list"]).stdout.splitlines() if line.strip()]


def _orphaned(name):
    owner = OWNED.match(name)
    return owner is not None and not os.path.exists(f"/proc/{owner[1]}")


def remove_kept():
    """Removes the namespaces of labs that were to stay; returns their names."""
    kept = [name for name in _names() if name.startswith(KEPT)]
    for name in kept:
        _delete(name)
    return kept


def _delete(name):
    inside = run(["ip", "netns", "pids", name], check=False).stdout.split()
    for pid in inside:
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass
    run(["ip", "netns", "delete", name], check=False)
