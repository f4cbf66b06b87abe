"""Network namespaces, a bridge between them and a scratch directory: what labs are built on."""

import shutil
import tempfile
from pathlib import Path

from .namespace import sweep
from .shell import run


class Stage:
    """Builds itself when it is made; a context manager that removes all of it."""

    def __init__(self, prefix, *, kept=False):
        self.prefix = prefix
        self.kept = kept
        self.directory = Path(tempfile.mkdtemp(prefix=f"{prefix}-"))
        self.nodes = {}
        self._owned = []
        try:
            sweep()
            self._build()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if not self.kept or kind is not None:
            self.close()

    def own(self, closable):
        """Has `closable` closed before the namespaces go."""
        self._owned.append(closable)
        return closable

    def close(self):
        """Ends daemons and captures, removes namespaces and the scratch directory."""
        for closable in reversed(self._owned):
            try:
                closable.close()
            except Exception as error:  # the rest must go nevertheless
                print(f"lab: closing {closable}: {error}")
        self._owned.clear()
        for node in self.nodes.values():
            node.delete()
        self.nodes.clear()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _build(self):
        """Makes the nodes."""
        raise NotImplementedError

    def bridge(self, hub):
        """Gives a node the bridge br0."""
        self.nodes[hub].sh("ip link add br0 type bridge mcast_snooping 0; ip link set br0 up")

    def plug(self, name, device, far, addresses, *, hub="wire"):
        """Gives a node a device with these addresses, whose far end is on the bridge of the hub under that name."""
        run(["ip", "link", "add", device, "netns", self.nodes[name].name, "type", "veth",
             "peer", "name", far, "netns", self.nodes[hub].name])
        self.nodes[hub].ip("link", "set", far, "master", "br0", "up")
        self.nodes[name].batch(addressed(device, addresses))


def addressed(device, addresses):
    """Lines for `ip` that bring a device up with these addresses."""
    # Without nodad an address could not be used in its first second.
    return [f"link set {device} up",
            *(f"address add {address} dev {device}{' nodad' if ':' in address else ''}" for address in addresses)]


def written(*settings):
    """A script that writes these below /proc/sys/net."""
    return "; ".join(f"echo {value} > /proc/sys/net/{name}" for name, value in settings)
