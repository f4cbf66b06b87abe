"""Debian packages that the tests need, installed when they are missing and we are root."""

import os
import subprocess
import sys

NAMESPACES = ("iproute2", "nftables", "openssl")
STRONGSWAN = ("charon-systemd", "strongswan-swanctl", "libcharon-extra-plugins", "libstrongswan-extra-plugins",
              "libstrongswan-standard-plugins")
NEEDED = {
    "unit": ("gcc", "libc6-dev"),
    "sim": ("gcc", "libc6-dev"),
    "fuzz": ("g++", "libc6-dev"),
    "interop": (*NAMESPACES, *STRONGSWAN, "ruby", "perl", "socat", "dpkg-dev"),
    "scenarios": (*NAMESPACES, *STRONGSWAN, "debootstrap"),
    "guest": (*NAMESPACES, *STRONGSWAN, "kmod", "user-mode-linux", "busybox-static", "iptables"),
    "vrrp": (*NAMESPACES, "keepalived"),
    "demo": NAMESPACES,
}


def provide(stages):
    """Installs what the stages need, or ends with the list of what is missing."""
    if os.geteuid() != 0 and {"interop", "scenarios", "vrrp"} & set(stages):
        sys.exit("testing/run: interop, scenarios and vrrp need root, for network namespaces; or --skip them")
    wanted = {package for stage in stages for package in NEEDED[stage]}
    if "interop" in stages and not _has_venv():
        wanted.add("python3-venv")
    missing = sorted(package for package in wanted if not _installed(package))
    if not missing:
        return
    if os.geteuid() != 0:
        sys.exit(f"testing/run: please install {' '.join(missing)}")
    print(f"== Installing {' '.join(missing)}", flush=True)
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]
    if _quietly(install).returncode != 0:
        for argv in (["apt-get", "update", "-q"], install):
            done = _quietly(argv)
            if done.returncode != 0:
                sys.exit(f"testing/run: {' '.join(argv)} failed:\n{done.stdout[-2000:]}")


def _quietly(argv):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def _installed(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package], capture_output=True, text=True)
    return done.stdout == "installed"


def _has_venv():
    return subprocess.run([sys.executable, "-c", "import ensurepip"], capture_output=True).returncode == 0
