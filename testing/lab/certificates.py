"""Certificates by openssl: one authority and two gateways for each kind of key."""

import os
import shutil
import tempfile
import threading
from pathlib import Path

from .shell import run

KINDS = {
    "rsa": ["-newkey", "rsa:2048"],
    "ecdsa256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "ecdsa384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "ecdsa521": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
    "ed25519": ["-newkey", "ed25519"],
}


class Certificates:
    """Makes each kind once per run; a context manager that removes the keys."""

    def __init__(self):
        self._directory = Path(tempfile.mkdtemp(prefix=f"charon-{os.getpid()}-pki-"))
        self._lock = threading.Lock()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self._directory, ignore_errors=True)

    def install(self, kind, gateway, swanctl_dir):
        """Puts gateway.crt, gateway.key and ca.crt where swanctl looks for them."""
        with self._lock:
            source = self._kind(kind)
        for name, place in ((f"{gateway}.crt", "x509"), (f"{gateway}.key", "private"), ("ca.crt", "x509ca")):
            target = swanctl_dir / place
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, target / name)

    def trust(self, kind, swanctl_dir):
        """Puts the authority of `kind` where swanctl looks for it, as ca-KIND.crt."""
        with self._lock:
            source = self._kind(kind)
        shutil.copy(source / "ca.crt", swanctl_dir / "x509ca" / f"ca-{kind}.crt")

    def _kind(self, kind):
        directory = self._directory / kind
        if (directory / "done").exists():
            return directory
        if kind not in KINDS:
            raise ValueError(f"no certificates of kind {kind}: {', '.join(KINDS)}")
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        run(["openssl", "req", "-x509", *KINDS[kind], "-nodes", "-days", "30", "-subj", f"/O=Lab/CN={kind} CA",
             "-keyout", directory / "ca.key", "-out", directory / "ca.crt",
             "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"])
        for gateway in ("moon", "sun"):
            stem = directory / gateway
            extensions = stem.with_suffix(".ext")
            extensions.write_text(f"subjectAltName=DNS:{gateway}.lab\nextendedKeyUsage=serverAuth,clientAuth\n"
                                  "basicConstraints=CA:FALSE\n")
            run(["openssl", "req", *KINDS[kind], "-nodes", "-subj", f"/O=Lab/CN={gateway}.lab",
                 "-keyout", stem.with_suffix(".key"), "-out", stem.with_suffix(".csr")])
            run(["openssl", "x509", "-req", "-in", stem.with_suffix(".csr"), "-days", "30", "-CAcreateserial",
                 "-CA", directory / "ca.crt", "-CAkey", directory / "ca.key",
                 "-extfile", extensions, "-out", stem.with_suffix(".crt")])
        (directory / "done").touch()
        return directory
