"""Where the programs under test are."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STRONGSWAN = Path("/usr/sbin/charon-systemd")
STRONGSWAN_SWANCTL = Path("/usr/sbin/swanctl")


class Binaries:
    """Our programs of one build profile."""

    def __init__(self, profile="debug"):
        target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
        self.directory = (ROOT / target if not target.is_absolute() else target) / profile
        self.charond = self.directory / "charond"
        self.swanctl = self.directory / "swanctl"

    def missing(self, kinds):
        """The programs that a run with these kinds of daemon would lack."""
        needed = []
        if "charond" in kinds:
            needed += [self.charond, self.swanctl]
        if "strongswan" in kinds:
            needed += [STRONGSWAN, STRONGSWAN_SWANCTL]
        return [path for path in needed if not os.access(path, os.X_OK)]
