"""swanctl, ours or strongSwan's, against either daemon."""

import os

from .binaries import STRONGSWAN_SWANCTL
from .shell import CommandFailed, run

# All that strongSwan's swanctl wants to open; it complains of each that is missing.
DIRECTORIES = ("x509", "x509ca", "x509ocsp", "x509aa", "x509ac", "x509crl", "pubkey", "private", "rsa", "ecdsa",
               "bliss", "pkcs8", "pkcs12")


class Swanctl:
    """The command line of one gateway."""

    def __init__(self, program, daemon):
        self.program = program
        self.daemon = daemon
        for name in DIRECTORIES:
            (daemon.swanctl_dir / name).mkdir(exist_ok=True)

    def environment(self):
        """The variables it needs, for showing and for running."""
        return {"SWANCTL_DIR": str(self.daemon.swanctl_dir), "STRONGSWAN_CONF": str(self.daemon.conf)}

    def __call__(self, *words, check=True, timeout=60):
        """Runs a command such as ("--list-sas", "--raw")."""
        return run([self.program, *words, "--uri", f"unix://{self.daemon.socket}"], check=check, timeout=timeout,
                   env={**os.environ, **self.environment()})

    def load_all(self):
        """Loads credentials and connections; anything that failed to load is an error."""
        done = self("--load-all", "--noprompt", check=False)
        said = done.stdout + done.stderr
        if done.returncode != 0 or "failed" in done.stderr or "successfully loaded" not in done.stdout:
            raise CommandFailed([self.program, "--load-all"], done.returncode, said)
        return said


def make(kind, daemon, binaries):
    """The swanctl of kind `charond` (ours) or `strongswan`."""
    return Swanctl(binaries.swanctl if kind == "charond" else STRONGSWAN_SWANCTL, daemon)
