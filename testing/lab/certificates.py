"""Certificates by openssl: an authority, the gateways and a road warrior for each kind of key."""

import os
import shutil
import tempfile
import threading
from pathlib import Path

from .shell import run

KINDS = {
    "rsa": ["-newkey", "rsa:2048"],
    "rsa-other": ["-newkey", "rsa:2048"],
    "ecdsa256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "ecdsa384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "ecdsa521": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
    "ed25519": ["-newkey", "ed25519"],
    # Its authority was signed by another one, which was signed by it; both are installed.
    "loop": ["-newkey", "rsa:2048"],
}
AUTHORITY = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"


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
        """Puts gateway.crt, gateway.key and ca.crt where swanctl looks for them; -KIND in the names if they are taken."""
        with self._lock:
            source = self._kind(kind)
        for name, place in ((f"{gateway}.crt", "x509"), (f"{gateway}.key", "private"), ("ca.crt", "x509ca")):
            target = swanctl_dir / place / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, target.with_stem(f"{target.stem}-{kind}") if target.exists() else target)
        if (source / "other.crt").exists():
            shutil.copy(source / "other.crt", swanctl_dir / "x509ca" / "other.crt")

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
        for gateway in ("moon", "sun", "carol"):
            stem = directory / gateway
            extensions = stem.with_suffix(".ext")
            extensions.write_text(f"subjectAltName=DNS:{gateway}.lab\nextendedKeyUsage=serverAuth,clientAuth\n"
                                  "basicConstraints=CA:FALSE\n")
            run(["openssl", "req", *KINDS[kind], "-nodes", "-subj", f"/O=Lab/CN={gateway}.lab",
                 "-keyout", stem.with_suffix(".key"), "-out", stem.with_suffix(".csr")])
            _sign(directory, stem, "ca", extensions)
        if kind == "loop":
            self._loop(directory)
        (directory / "done").touch()
        return directory

    @staticmethod
    def _loop(directory):
        (directory / "authority.ext").write_text(AUTHORITY)
        run(["openssl", "req", *KINDS["loop"], "-nodes", "-subj", "/O=Lab/CN=other CA",
             "-keyout", directory / "other.key", "-out", directory / "other.csr"])
        _sign(directory, directory / "other", "ca", directory / "authority.ext")
        run(["openssl", "req", "-new", "-key", directory / "ca.key", "-subj", "/O=Lab/CN=loop CA",
             "-out", directory / "ca.csr"])
        _sign(directory, directory / "ca", "other", directory / "authority.ext")


def _sign(directory, stem, authority, extensions):
    """Makes stem.crt of stem.csr."""
    run(["openssl", "x509", "-req", "-in", stem.with_suffix(".csr"), "-days", "30", "-CAcreateserial",
         "-CA", directory / f"{authority}.crt", "-CAkey", directory / f"{authority}.key",
         "-extfile", extensions, "-out", stem.with_suffix(".crt")])
