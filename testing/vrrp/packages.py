"""keepalived, installed; FRR, unpacked beside the machine, as it would take over its routing."""

import os
import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "frr"
KEEPALIVED = Path("/usr/sbin/keepalived")
FRR_PACKAGES = ("frr", "libyang2", "libc-ares2", "libcap2", "libjson-c5", "libreadline8", "libpcre2-8-0")
FRR_ROOT = CACHE / "root"
GROUP_FILE = CACHE / "group"


def provide(kinds):
    """Has what these kinds of router need, or ends with what is missing."""
    if "keepalived" in kinds and not KEEPALIVED.exists():
        _apt("install", "-y", "-q", "--no-install-recommends", "keepalived")
    if "frr" in kinds and not (FRR_ROOT / "usr/lib/frr/vrrpd").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        _apt("download", "-q", *FRR_PACKAGES)
        for package in CACHE.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, FRR_ROOT], check=True)
    if "frr" in kinds:
        lines = Path("/etc/group").read_text().splitlines()
        GROUP_FILE.write_text("\n".join([*lines, "frrvty:x:998:root", "frr:x:997:root", ""]))


def _apt(*words):
    for argv in (["apt-get", *words], ["apt-get", "update", "-q"], ["apt-get", *words]):
        done = subprocess.run(argv, cwd=CACHE if CACHE.exists() else "/", capture_output=True, text=True,
                              env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
        if done.returncode == 0 and argv[1] == words[0]:
            return
    sys.exit(f"apt-get {' '.join(words)} failed:\n{(done.stdout + done.stderr)[-1500:]}")
