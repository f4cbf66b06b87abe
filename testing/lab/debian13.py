"""A Debian 13 root beside this machine, for its strongSwan 6.0: made by debootstrap, entered by chroot.

It is kept below testing/.cache, under a name made of what made it, and serves all daemons: each sees it through an overlay of its
own, which goes with the process. Nothing of it is installed on the machine. It is made from the machine's own package
sources; apt's lists and logs go from it, and so do the addresses in them.
"""

import hashlib
import os
import re
import shutil
from pathlib import Path

from .binaries import ROOT
from .shell import CommandFailed, run

CACHE = ROOT / "testing" / ".cache"
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SUITE = "trixie"
PACKAGES = ("charon-systemd strongswan-swanctl libcharon-extra-plugins libstrongswan-extra-plugins "
            "libstrongswan-standard-plugins netbase iproute2").split()
# In the root; a program that is missing there is missing in the scenario as well.
PROGRAM = "/usr/sbin/charon-systemd"
MAKE_S_MAX = 600
# `$1` the root, `$2` the directory that is the same inside and outside, and the rest a command.
ENTER = """
R=$1 W=$2 N=/mnt/r; shift 2
mount --make-rprivate /
mount -t tmpfs t /mnt; mkdir /mnt/u /mnt/w $N
mount -t overlay o -o lowerdir=$R,upperdir=/mnt/u,workdir=/mnt/w $N
mount --rbind /dev $N/dev; mount -t proc p $N/proc; mount --rbind /sys $N/sys; mount -t tmpfs t $N/run
mkdir -p $N$W; mount --bind $W $N$W
exec chroot $N "$@"
"""
# `$1` the root, and the rest a command; the mounts go with it.
INSIDE = """
R=$1; shift
mount --make-rprivate /; mount -t proc p $R/proc
exec chroot $R env DEBIAN_FRONTEND=noninteractive "$@"
"""


def root():
    """The root, made if there is none; the error names the step that failed and what it said."""
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    place = CACHE / f"{SUITE}-{recipe}"
    if place.is_dir():
        return place
    part = place.with_name(f"{place.name}.part-{os.getpid()}")
    for old in CACHE.glob(f"{SUITE}-*"):
        shutil.rmtree(old, ignore_errors=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        _make(part)
        part.rename(place)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return place


def version():
    """Of its strongSwan, as the package says."""
    return run(["chroot", root(), "dpkg-query", "-W", "-f", "${Version}", "charon-systemd"]).stdout.strip()


def enter(directory, argv):
    """The argument vector that runs `argv` inside, where `directory` is writable; each step is an exec."""
    return ["unshare", "-m", "sh", "-ec", ENTER, "sh", str(root()), str(directory), *map(str, argv)]


def _make(part):
    mirror, security = _mirrors()
    _step("debootstrap", ["debootstrap", "--variant=minbase", SUITE, part, mirror])
    (part / "etc/dpkg/dpkg.cfg.d/lab").write_text(
        "".join(f"path-exclude=/usr/share/{name}/*\n" for name in ("doc", "man", "locale", "info")))
    # Nothing starts in there.
    policy = part / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    (part / "etc/apt/sources.list").unlink(missing_ok=True)
    (part / "etc/apt/sources.list.d/lab.sources").write_text("".join(
        f"Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: main\nSigned-By: {KEYRING}\n\n"
        for uri, suites in ((mirror, f"{SUITE} {SUITE}-updates"), (security, f"{SUITE}-security"))))

    def inside(*argv):
        _step(" ".join(argv[:3]), ["unshare", "-m", "sh", "-ec", INSIDE, "sh", part, *argv])

    # A mirror's copy of a suite with an end date may be older than that.
    inside("apt-get", "update", "-o", "Acquire::Check-Valid-Until=false")
    inside("apt-get", "install", "-y", "--no-install-recommends", *PACKAGES)
    for name in ("etc/apt/sources.list.d/lab.sources", "etc/resolv.conf", "etc/hostname"):
        (part / name).unlink(missing_ok=True)
    for name in ("var/lib/apt/lists", "var/cache/apt", "var/log", "usr/share/doc", "usr/share/man", "usr/share/locale"):
        for path in (part / name).glob("*"):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _mirrors():
    """Where this machine gets its packages, and their security updates."""
    said = SOURCES.read_text()
    stanzas = [dict(re.findall(r"^(URIs|Suites):\s*(.*)$", part, re.M)) for part in said.split("\n\n")]
    stanzas = [one for one in stanzas if {"URIs", "Suites"} <= one.keys()]
    if not stanzas:
        raise RuntimeError(f"{SOURCES} names no package source")
    security = [one for one in stanzas if "-security" in one["Suites"]]
    return stanzas[0]["URIs"].split()[0], (security or stanzas)[0]["URIs"].split()[0]


def _step(name, argv):
    try:
        run(argv, timeout=MAKE_S_MAX)
    except (CommandFailed, OSError) as error:
        lines = str(error).splitlines()
        raise RuntimeError(f"making the Debian 13 root failed at {name}:\n" + "\n".join(lines[-15:])) from None
